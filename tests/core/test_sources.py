from __future__ import annotations

import gzip
import io
import os
import stat
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import storebridge
from storebridge import sources
from storebridge.engine import EngineOptions, HttpTransport
from storebridge.errors import ConfigError, OutcomeUnknown, Refused, SourceError
from storebridge.models import StoreInfo
from storebridge.plan.source import open_source
from storebridge.sources import Opened, opened

CSV = b"sku,title,price\nA-1,Tee,5\nA-2,Mug,6\n"
Reply = tuple[int, dict[str, str], bytes]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made; what is left there is a leak."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def content(source: str | Path) -> tuple[bytes, str, str]:
    with opened(source) as found:
        return found.path.read_bytes(), found.name, found.path.suffix


# --- files ----------------------------------------------------------------------------------------


def test_a_plain_file_is_read_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "feed.csv"
    path.write_bytes(CSV)
    os.utime(path, (1_800_000_000, 1_800_000_000))
    with opened(path) as found:
        assert found == Opened(
            path, "feed.csv", datetime.fromtimestamp(1_800_000_000, UTC), tmp_path
        )
        assert not found.is_copy


def test_the_newest_file_of_a_pattern_is_read(tmp_path: Path) -> None:
    for number, name in enumerate(("acme-3.csv", "acme-1.csv", "acme-2.csv")):
        path = tmp_path / name
        path.write_text(name)
        os.utime(path, (1_000 + (number == 1), 1_000 + (number == 1)))
    (tmp_path / "acme-9.csv").mkdir()
    assert content(str(tmp_path / "acme-*.csv"))[1] == "acme-1.csv"
    (tmp_path / "acme-*.csv").write_text("a file that is called so")
    assert content(str(tmp_path / "acme-*.csv"))[1] == "acme-*.csv"
    with pytest.raises(ConfigError, match="no file fits"):
        content(str(tmp_path / "other-*.csv"))
    with pytest.raises(ConfigError, match="there is no file"):
        content(tmp_path / "no.csv")


def test_packed_files_are_unpacked_privately_and_gone_in_the_end(
    tmp_path: Path, temporary: Path
) -> None:
    packed = tmp_path / "feed.csv.gz"
    packed.write_bytes(gzip.compress(CSV))
    with opened(packed) as found:
        assert (found.path.read_bytes(), found.name, found.folder) == (CSV, "feed.csv.gz", tmp_path)
        assert found.path.suffix == ".csv"
        if os.name == "posix":
            assert stat.S_IMODE(found.path.parent.stat().st_mode) == 0o700
        with pytest.raises(RuntimeError, match="stop"), opened(packed):
            raise RuntimeError("stop")
    assert list(temporary.iterdir()) == []
    files = {"../../evil.csv": CSV, "__MACOSX/._evil.csv": b"x", "readme.pdf": b"x"}
    assert content(zipped(tmp_path / "a.zip", files)) == (CSV, "a.zip:../../evil.csv", ".csv")
    nested = zipped(tmp_path / "b.zip", {"x/feed.jsonl.gz": gzip.compress(b'{"a":1}')})
    assert content(nested) == (b'{"a":1}', "b.zip:x/feed.jsonl.gz", ".jsonl")
    assert not list(tmp_path.rglob("evil.csv"))
    assert list(temporary.iterdir()) == []


def test_one_table_of_several_in_an_archive_is_named(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.csv": CSV, "sub/b.csv": b"b"})
    assert content(f"{path}:sub/b.csv") == (b"b", "a.zip:sub/b.csv", ".csv")
    with pytest.raises(
        SourceError, match=r"several tables in it: a\.csv, sub/b\.csv.*a\.zip:a\.csv"
    ):
        content(path)
    with pytest.raises(SourceError, match=r"There is no c\.csv in it; there are: a\.csv"):
        content(f"{path}:c.csv")
    with pytest.raises(SourceError, match="no table in it"):
        content(zipped(tmp_path / "c.zip", {"a.pdf": b"x"}))


@pytest.mark.parametrize("cut", [0.5, 0.99])
def test_what_is_cut_short_is_an_error(tmp_path: Path, cut: float) -> None:
    whole = gzip.compress(os.urandom(3000))
    path = tmp_path / "feed.csv.gz"
    path.write_bytes(whole[: int(len(whole) * cut)])
    with pytest.raises(SourceError, match=r"feed\.csv\.gz: The gzip file is cut short"):
        content(path)
    archive = zipped(tmp_path / "a.zip", {"a.csv": os.urandom(3000)})
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * cut)])
    with pytest.raises(SourceError, match=r"a\.zip: The ZIP file is cut short"):
        content(archive)


def test_what_is_damaged_is_an_error(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(CSV))
    whole[-6] ^= 1
    path = tmp_path / "feed.csv.gz"
    path.write_bytes(whole)
    with pytest.raises(SourceError, match="damaged"):
        content(path)


def test_bombs_stop_at_the_cap(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_MOST", 1 << 20)
    bomb = tmp_path / "feed.csv.gz"
    bomb.write_bytes(gzip.compress(b"0" * (5 << 20)))
    for source in (bomb, zipped(tmp_path / "a.zip", {"a.csv": b"0" * (5 << 20)})):
        with pytest.raises(SourceError, match="more than 1,048,576 bytes"):
            content(source)
    layers = CSV
    for _ in range(5):
        layers = gzip.compress(layers)
    bomb.write_bytes(layers)
    with pytest.raises(SourceError, match="more than three times"):
        content(bomb)
    assert list(temporary.iterdir()) == []


def test_what_is_piped_in_is_known_by_its_content(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for given, suffix in ((CSV, ".csv"), (b'{"kind": 1}', ".jsonl"), (gzip.compress(CSV), ".csv")):
        stdin = io.TextIOWrapper(io.BytesIO(given))
        monkeypatch.setattr("sys.stdin", stdin)
        found = content("-")
        assert found[1:] == ("standard input", suffix)
    assert found[0] == CSV
    assert list(temporary.iterdir()) == []


# --- addresses ------------------------------------------------------------------------------------


@contextmanager
def server(replies: dict[str, Reply]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Give the address of a server on this machine, and the requests that it got."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
            status, headers, body = replies[self.path.partition("?")[0]]
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{httpd.server_port}", seen
        finally:
            httpd.shutdown()
            thread.join()


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a server on this machine stand for one on the internet."""

    class Near:
        def __init__(self, cap: int) -> None:
            self.cap = cap

        def send(self, request: Any) -> Any:
            from dataclasses import replace

            url = request.path.replace("https://", "http://", 1)
            transport = HttpTransport(url, EngineOptions(max_file=self.cap))
            try:
                return transport.send(replace(request, path=url))
            finally:
                transport.close()

        def close(self) -> None:
            pass

    monkeypatch.setattr(sources, "_transport", lambda: Near(sources._MOST))
    monkeypatch.setattr(sources, "_WAITS", (0.0, 0.0))


@pytest.mark.usefixtures("near")
def test_an_address_is_fetched_without_credentials(temporary: Path) -> None:
    replies: dict[str, Reply] = {
        "/old": (302, {"location": "/feed.csv?key=s3cret"}, b""),
        "/feed.csv": (
            200,
            {"last-modified": "Sun, 22 Nov 2026 06:00:00 GMT", "set-cookie": "a=b"},
            CSV,
        ),
        "/export": (200, {}, gzip.compress(CSV)),
    }
    with server(replies) as (host, seen):
        with opened(f"https://{host}/old") as found:
            assert found.path.read_bytes() == CSV
            assert found.name == f"https://{host}/feed.csv"
            assert found.modified == datetime(2026, 11, 22, 6, tzinfo=UTC)
            assert found.folder is None
        assert content(f"https://{host}/export?format=csv") == (
            CSV,
            f"https://{host}/export",
            ".csv",
        )
    assert not any({"authorization", "cookie"} & set(request) for request in seen)
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("near")
def test_answers_that_are_no_tables_are_refused(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies: dict[str, Reply] = {
        "/gone": (404, {}, b"x"),
        "/login": (200, {"content-type": "text/html"}, b"<html>"),
        "/closed": (401, {}, b""),
        "/circle": (302, {"location": "/circle"}, b""),
        "/plain": (302, {"location": "http://plain.example/feed.csv?key=s3cret"}, b""),
        "/broken": (500, {}, b""),
        "/short": (200, {"content-length": "1000"}, CSV),
        "/large": (200, {}, b"x" * 5000),
    }
    with server(replies) as (host, seen):
        for path, words in {
            "gone": "status 404",
            "login": "web page",
            "closed": "wants credentials",
            "circle": "leads from one address to the next",
            "plain": "without https",
            "broken": "status 500",
        }.items():
            with pytest.raises(ConfigError, match=words) as error:
                content(f"https://{host}/{path}?token=s3cret")
            assert "s3cret" not in str(error.value)
        assert sum(request["path"].startswith("/broken") for request in seen) == 3
        with pytest.raises(OutcomeUnknown):
            content(f"https://{host}/short")
        monkeypatch.setattr(sources, "_MOST", 1000)
        with pytest.raises(Exception, match="larger than 1,000 bytes"):
            content(f"https://{host}/large")
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://user:s3cret@shop.example/a.csv", "no user and no password"),
        ("http://shop.example/a.csv?s3cret", "without https"),
    ],
)
def test_addresses_that_could_leak_are_refused(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as error:
        content(url)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "localhost", "[::1]"])
def test_addresses_of_other_networks_are_refused(host: str) -> None:
    with pytest.raises(Refused, match="not on the public internet"):
        content(f"https://{host}/a.csv?s3cret")


# --- plans ----------------------------------------------------------------------------------------


def test_a_copy_is_gone_once_it_is_read(tmp_path: Path, temporary: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.csv": CSV})
    info = StoreInfo(id="x", currency="EUR")
    with open_source(path, info, {}) as source:
        assert len(list(temporary.iterdir())) == 1
        assert len(list(source.items)) == 2
    assert list(temporary.iterdir()) == []


def test_a_plan_names_what_was_really_read(tmp_path: Path, temporary: Path) -> None:
    zipped(tmp_path / "feed-1.zip", {"in/stock.csv": CSV})
    with storebridge.open("local::memory:?currency=EUR", state=tmp_path / "state") as store:
        with store.plan(tmp_path / "feed-*.zip", tmp_path / "a.plan") as plan:
            assert plan.about["source"] == "feed-1.zip:in/stock.csv"
            assert plan.counts["create"] == 2
        zipped(tmp_path / "feed-1.zip", {"in/stock.csv": CSV + b"A-3,Cup,x\n"})
        with pytest.raises(SourceError, match=r"feed-1\.zip:in/stock\.csv, row 4, column 'price'"):
            store.plan(tmp_path / "feed-*.zip", tmp_path / "b.plan")
    assert list(temporary.iterdir()) == []
