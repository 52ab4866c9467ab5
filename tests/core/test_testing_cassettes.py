"""Cassettes: what is kept of an exchange, what is refused, and that playing them is strict."""

from __future__ import annotations

import asyncio
import base64
import gc
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import vcr

from storebridge.engine.transport import HttpTransport
from storebridge.flow import FilePart, Multipart, Request, Response
from storebridge.testing import (
    Canaries,
    Guard,
    LeakedSecret,
    SandboxServer,
    Scrubber,
    answer,
    strictly,
)

PERSON = "Jane Roe"
RULES = Scrubber(
    fields=frozenset({"id", "items", "name", "url", "note"}),
    whole=frozenset({"meta", "billing"}),
    personal={"name": "Somebody", "email": "somebody@example.com"},
    invented=frozenset({"Shirt", "Größe 中文"}),
    headers=frozenset({"x-total"}),
)
JSON = {"content-type": "application/json"}


def shop(request: Request) -> Response:
    """Answer with what came in, and more."""
    if request.path == "/page":
        return Response(status=502, headers={"content-type": "text/html"}, body=b"<html>" * 900)
    if request.path == "/packed":
        return Response(
            status=200, headers=JSON | {"content-encoding": "gzip"}, body=gzip.compress(b'{"id":1}')
        )
    sent = request.body if isinstance(request.body, bytes) else b""
    doc = json.loads(sent) if sent[:1] == b"{" else {"id": len(sent)}
    more = {"_links": {"self": "x"}, "token": "t", "url": f"http://{request.headers['host']}/1"}
    found = answer(200, {**doc, **more})
    headers = {**found.headers, "x-total": "1", "set-cookie": "session=1", "server": "nginx"}
    return Response(status=200, headers=headers, body=found.body)


@pytest.fixture(autouse=True)
def _unpatched() -> Iterator[None]:
    """Let go of vcrpy's patches: a cassette that can't be written keeps them until it is gone."""
    yield
    gc.collect()


@contextmanager
def cassette(
    path: Path, rules: Scrubber, *, record: bool, guard: Guard | None = None
) -> Iterator[Any]:
    recorder = vcr.VCR(**rules.settings(record=record), serializer="guarded")
    recorder.register_serializer("guarded", guard or Guard(Canaries()))
    with recorder.use_cassette(path) as found:
        yield found


@contextmanager
def recording(path: Path, rules: Scrubber = RULES, **more: Any) -> Iterator[HttpTransport]:
    with SandboxServer(shop) as server:
        transport = HttpTransport(server.url)
        try:
            with cassette(path, rules, record=True, **more):
                yield transport
        finally:
            transport.close()


@contextmanager
def playing(path: Path, rules: Scrubber = RULES) -> Iterator[HttpTransport]:
    with cassette(path, rules, record=False) as found, strictly(found):
        yield HttpTransport("https://shop.example")


def post(doc: Any, path: str = "/things", **more: Any) -> Request:
    return Request(method="POST", path=path, headers=JSON, body=json.dumps(doc).encode(), **more)


def seen(response: Response) -> tuple[int, bytes, str]:
    body = response.path.read_bytes() if response.path else response.body
    return response.status, body, response.headers.get("x-total", "")


def ask(transport: HttpTransport, *requests: Request) -> list[tuple[int, bytes, str]]:
    return [seen(transport.send(request)) for request in requests]


def ask_quietly(transport: HttpTransport, *requests: Request) -> None:
    for request in requests:
        with suppress(Exception):
            transport.send(request)


def talk(transport: HttpTransport, folder: Path) -> list[tuple[int, bytes, str]]:
    """Make one exchange of each sort, from a thread and from a task."""
    picture = folder / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\xff\x00")
    part = FilePart(name="file", filename="p.png", content=picture, media_type="image/png")
    requests = [
        post({"id": 1, "name": "Größe 中文"}),
        post({"id": 2, "name": "Shirt"}),
        Request(method="GET", path="/things", params=(("q", "a b"), ("q", ""))),
        Request(method="GET", path="/packed", save_to=str(folder / "saved.json")),
        Request(method="GET", path="/page"),
        Request(method="POST", path="/media", headers={"content-type": "image/png"}, body=picture),
        Request(method="POST", path="/media", body=Multipart(fields=(("t", "x"),), files=(part,))),
    ]
    found = ask(transport, *requests)

    async def from_tasks() -> list[Response]:
        done = await asyncio.gather(*(transport.asend(request) for request in requests[:3]))
        await transport.aclose()
        return list(done)

    return [*found, *map(seen, asyncio.run(from_tasks()))]


def test_what_was_recorded_plays_without_a_server(tmp_path: Path) -> None:
    path = tmp_path / "talk.yaml"
    with recording(path) as transport:
        live = talk(transport, tmp_path)
    with playing(path) as transport:
        played = talk(transport, tmp_path)
    assert [status for status, _, _ in played] == [status for status, _, _ in live]
    assert json.loads(played[0][1])["name"] == "Größe 中文"
    assert played[3][1] == live[3][1] == b'{"id":1}'
    assert [total for _, _, total in played] == [total for _, _, total in live]
    assert len(live[4][1]) > len(played[4][1]) == 2_000  # a page of HTML is kept for its beginning


def test_only_what_is_allowed_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "kept.yaml"
    moved = "http://shop.example"
    with SandboxServer(shop) as server:
        rules = Scrubber(fields=RULES.fields, whole=RULES.whole, addresses={server.url: moved})
        transport = HttpTransport(server.url)
        with cassette(path, rules, record=True):
            transport.send(post({"id": 1, "meta": {"any": [1]}, "secret": "s"}))
        transport.close()
        assert server.url not in path.read_text()
    with cassette(path, RULES, record=False) as found:
        [request], [exchange] = found.requests, found.responses
    assert json.loads(exchange["body"]["string"]) == {
        "id": 1,
        "meta": {"any": [1]},
        "url": f"{moved}/1",
    }
    assert set(exchange["headers"]) == {"content-type"}
    assert set(request.headers) == {"content-type", "accept"}
    assert request.uri == f"{moved}/things"


def test_people_are_replaced_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "people.yaml"
    person = {"name": PERSON, "billing": {"email": "jane@roe.example", "city": "Berlin"}}
    asked = (("email", "jane@roe.example"), ("name", "Shirt"))
    with recording(path) as transport:
        transport.send(post({"items": [person]}, params=asked))
    written = path.read_text()
    assert PERSON not in written
    assert "jane" not in written
    assert "Berlin" in written
    assert "name=Shirt" in written
    with playing(path) as transport:
        played = transport.send(post({"items": [person]}, params=asked))
    assert json.loads(played.body)["items"] == [
        {"name": "Somebody", "billing": {"email": "somebody@example.com", "city": "Berlin"}}
    ]


def test_what_is_no_name_is_nobody_s(tmp_path: Path) -> None:
    path = tmp_path / "flags.yaml"
    with recording(path) as transport:
        transport.send(post({"items": [{"name": True}]}))
    with playing(path) as transport:
        played = transport.send(post({"items": [{"name": True}]}))
    assert json.loads(played.body)["items"] == [{"name": True}]


def test_a_signature_that_differs_each_time_still_plays(tmp_path: Path) -> None:
    path = tmp_path / "signed.yaml"

    def signed(nonce: str) -> Request:
        params = (("id", "1"), ("oauth_nonce", nonce), ("oauth_signature", f"{nonce}="))
        return Request(method="GET", path="/things", params=params)

    with recording(path) as transport:
        transport.send(signed("first"))
    assert "oauth" not in path.read_text()
    with playing(path) as transport:
        assert transport.send(signed("second")).status == 200


ENCODINGS = {
    "plain": lambda key: key,
    "basic": lambda key: base64.b64encode(f"ck_1:{key}".encode()).decode(),
    "shifted": lambda key: base64.b64encode(f"ck_12:{key}:x".encode()).decode(),
    "percent": lambda key: quote(key, safe=""),
    "hex": lambda key: key.encode().hex(),
    "php": lambda key: key.replace("/", "\\/"),
    "backwards": lambda key: key[::-1],
    "long": lambda key: f"{'word ' * 14}{key}",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_cassette_is_written_with_a_credential_in_it(encoding: str, tmp_path: Path) -> None:
    canaries, path = Canaries(), tmp_path / "leak.yaml"
    canaries.watch("application password", "abcd EFGH 1234/wxyz")
    text = ENCODINGS[encoding]("abcd EFGH 1234/wxyz")
    with (
        pytest.raises(LeakedSecret, match="application password"),
        recording(path, guard=Guard(canaries)) as transport,
    ):
        ask(transport, Request(method="POST", path="/log", body=f"said: {text}.".encode()))
    assert not path.exists()


def test_no_cassette_is_written_with_a_credential_in_binary_data(tmp_path: Path) -> None:
    canaries, path = Canaries(), tmp_path / "leak.yaml"
    picture = b"\x89PNG\xff" + canaries.secret("token").encode()
    with (
        pytest.raises(LeakedSecret, match="token"),
        recording(path, guard=Guard(canaries)) as transport,
    ):
        ask(transport, Request(method="POST", path="/media", body=picture))


def test_recording_again_forgets_what_is_no_longer_asked(tmp_path: Path) -> None:
    path = tmp_path / "again.yaml"
    for numbers in ((1, 2), (2, 3)):
        with recording(path) as transport:
            ask(transport, *(post({"id": number}) for number in numbers))
    with playing(path) as transport:
        assert [status for status, _, _ in ask(transport, post({"id": 2}), post({"id": 3}))] == [
            200,
            200,
        ]


def test_no_cassette_is_written_with_somebodys_address_in_it(tmp_path: Path) -> None:
    path = tmp_path / "leak.yaml"
    with (
        pytest.raises(LeakedSecret, match=r"e-mail address at roe\.dev"),
        recording(path) as transport,
    ):
        transport.send(post({"note": "ask jane@roe.dev"}))
    assert not path.exists()


def test_an_unexpected_request_fails_also_where_its_error_is_eaten(tmp_path: Path) -> None:
    path = tmp_path / "strict.yaml"
    with recording(path) as transport:
        transport.send(post({"id": 1}))
    with (
        pytest.raises(AssertionError, match=r"not in the cassette: .*POST /things"),
        playing(path) as transport,
    ):
        ask_quietly(transport, post({"id": 1}), post({"id": 2}))


def test_an_exchange_that_is_not_asked_for_fails(tmp_path: Path) -> None:
    path = tmp_path / "strict.yaml"
    with recording(path) as transport:
        transport.send(post({"id": 1}))
        transport.send(post({"id": 1}))
    with pytest.raises(AssertionError, match="not asked for"), playing(path) as transport:
        transport.send(post({"id": 1}))


@pytest.mark.parametrize(
    "other",
    [
        post({"id": 2}),
        post({"id": 1}, path="/other"),
        post({"id": 1}, params=(("x", "1"),)),
        Request(method="PUT", path="/things", headers=JSON, body=b'{"id":1}'),
    ],
    ids=["body", "path", "query", "method"],
)
def test_an_answer_belongs_to_one_request(other: Request, tmp_path: Path) -> None:
    path = tmp_path / "matched.yaml"
    with recording(path) as transport:
        transport.send(post({"id": 1}))
    with (
        cassette(path, RULES, record=False),
        pytest.raises(vcr.errors.CannotOverwriteExistingCassetteException),
    ):
        HttpTransport("https://shop.example").send(other)
