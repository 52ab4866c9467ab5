"""Where a source's bytes come from: a file, the newest of several, a pipe, an archive, an address.

What is no plain file on this machine is copied into a private temporary folder, under a name of
our own, and goes with it. Everything that unpacks or is fetched has a limit, so that neither a
bomb nor an endless answer fills the disk.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from storebridge.errors import (
    ConfigError,
    OutcomeUnknown,
    Problem,
    Refused,
    SourceError,
    TransportError,
)
from storebridge.flow import Request, Response

if TYPE_CHECKING:
    import zipfile

    from _typeshed import SupportsRead

    from storebridge.engine import Transport

__all__ = ["STDIN", "Opened", "file_of", "is_source", "opened"]

#: The word for what is piped in.
STDIN = "-"
#: The most bytes of a source, packed or not.
_MOST = 4 << 30
_BLOCK = 1 << 20
_TABLES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson")
_WORKBOOKS = (".xlsx", ".xlsm", ".ods", ".xls")
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_MEMBER = re.compile(r"(.+\.zip):(.+)", re.IGNORECASE | re.DOTALL)
_WILD = re.compile(r"[*?\[]")
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
#: How long one try to fetch a source may take, and the waits between the tries.
_SECONDS, _WAITS = 900.0, (1.0, 5.0)


@dataclass(frozen=True, slots=True)
class Opened:
    """A source as a plain file on this machine, for as long as it is open."""

    path: Path
    name: str
    """What was really read, for people: the newest file's name, `feed.zip:stock.csv`."""
    modified: datetime | None = None
    """When it was changed last, as its file or its server says."""
    folder: Path | None = None
    """Where relative paths in it are seen from; None where there is no such folder."""

    @property
    def is_copy(self) -> bool:
        """Whether the file is a copy, whose own name means nothing."""
        return self.path.name != self.name


def file_of(name: str) -> str:
    """Return the file that the name of a source is about: the archive, where it is in one."""
    inner = _MEMBER.fullmatch(name)
    return inner[1] if inner else name


def is_source(text: str) -> bool:
    """Return whether a text can only mean a source of these kinds, whatever stores there are."""
    return text == STDIN or bool(_ADDRESS.match(text) or _MEMBER.fullmatch(text))


@contextmanager
def opened(source: str | Path) -> Iterator[Opened]:
    """Give a source as a plain file; copies are gone in the end.

    Args:
        source: a file, a pattern (`feeds/acme-*.csv`: the newest that fits), `-` for what is
            piped in, `feed.zip:stock.csv`, or an https address; `.gz` and `.zip` are unpacked.

    Raises:
        ConfigError: if there is no such file, or the address can't be one.
        SourceError: if it is cut short, damaged or too large, or an archive of several tables.
        Refused: if the address isn't on the public internet.
        TransportError: if it can't be reached.
    """
    text = str(source)
    with tempfile.TemporaryDirectory(prefix="storebridge-") as home:
        if text == STDIN:
            found = _piped(Path(home))
        elif _ADDRESS.match(text):
            found = _fetched(text, Path(home))
        else:
            found = _on_disk(text)
        yield _unpacked(found, Path(home))


def _on_disk(text: str) -> Opened:
    path, member = Path(text), ""
    if not path.exists():
        if inner := _MEMBER.fullmatch(text):
            path, member = Path(inner[1]), inner[2]
        elif _WILD.search(text):
            path = _newest(text)
    if path.is_dir():
        newest = path / "*.csv"
        raise ConfigError(f"{path} is a folder. Name a file in it, or the newest: '{newest}'")
    if not path.is_file():
        raise ConfigError(f"there is no file {path}")
    name = f"{path.name}:{member}" if member else path.name
    return Opened(path, name, datetime.fromtimestamp(path.stat().st_mtime, UTC), path.parent)


def _newest(pattern: str) -> Path:
    from glob import glob

    found = [path for path in map(Path, glob(pattern, recursive=True)) if path.is_file()]
    if not found:
        raise ConfigError(f"no file fits {pattern}")
    return max(found, key=lambda path: (path.stat().st_mtime_ns, str(path)))


def _piped(home: Path) -> Opened:
    if sys.stdin.isatty():
        raise ConfigError("nothing is piped in: write it like  cat feed.csv | storebridge plan - …")
    path = home / "piped"
    with path.open("wb") as file:
        _copy(sys.stdin.buffer, file, "standard input")
    return Opened(path, "standard input")


# --- unpacking --------------------------------------------------------------------------------


def _unpacked(found: Opened, home: Path) -> Opened:
    """Return a source out of its archives, three deep at most."""
    for depth in range(3):
        with found.path.open("rb") as file:
            start = file.read(512)
        if start.startswith(b"\x1f\x8b"):
            found = _gunzipped(found, home / f"unpacked{depth}")
        elif start.startswith(b"PK\x03\x04") and not _is_workbook(found):
            found = _unzipped(found, home / f"unpacked{depth}")
        else:
            return _suffixed(found, start, home)
    raise _damaged(found.name, "It is packed more than three times", "Unpack it")


def _suffixed(found: Opened, start: bytes, home: Path) -> Opened:
    """Return a source whose file's suffix says what it is; that of a copy comes from its name."""
    if found.path.parent != home:
        return found
    suffix = _suffix(found.name)
    if suffix not in _TABLES + _WORKBOOKS:
        text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
        suffix = ".jsonl" if text.startswith(b"{") else ".csv"
        suffix = ".xlsx" if start.startswith(b"PK") else suffix
    path = found.path.rename(home / f"source{suffix}")
    return replace(found, path=path)


def _suffix(name: str) -> str:
    """Return the suffix of what is in the archives that a name has."""
    inner = re.sub(r"\.gz$", "", name.rpartition(":")[2], flags=re.IGNORECASE)
    return PurePosixPath(inner).suffix.casefold()


def _is_workbook(found: Opened) -> bool:
    """Return whether a ZIP file is a workbook, by its suffix, else by what is in it."""
    if _suffix(found.name) in _WORKBOOKS:
        return True
    with _archive(found) as archive:
        names = set(archive.namelist())
    return "[Content_Types].xml" in names or "mimetype" in names


def _gunzipped(found: Opened, path: Path) -> Opened:
    import gzip
    import zlib

    try:
        with gzip.open(found.path) as packed, path.open("wb") as file:
            _copy(packed, file, found.name)
    except EOFError:
        raise _damaged(found.name, "The gzip file is cut short", "Get it again") from None
    except (gzip.BadGzipFile, zlib.error):
        raise _damaged(found.name, "The gzip file is damaged", "Get it again") from None
    return replace(found, path=path)


def _unzipped(found: Opened, path: Path) -> Opened:
    """Return the one table of an archive; its name is used for nothing but messages."""
    import zipfile
    import zlib

    outer, _, wanted = found.name.partition(".zip:") if ".zip:" in found.name else ("", "", "")
    outer = f"{outer}.zip" if outer else found.name
    with _archive(found) as archive:
        member = _member(archive, outer, wanted)
        try:
            with archive.open(member) as packed, path.open("wb") as file:
                _copy(packed, file, f"{outer}:{member.filename}")
        except (zipfile.BadZipFile, zlib.error, EOFError):
            raise _damaged(outer, f"{member.filename} is damaged in it", "Get it again") from None
        except (RuntimeError, NotImplementedError):
            remedy = "Unpack it, and name the file in it"
            message = f"{member.filename} is encrypted in it, or packed in a way that isn't known"
            raise _damaged(outer, message, remedy) from None
    return replace(found, path=path, name=f"{outer}:{member.filename}")


def _archive(found: Opened) -> zipfile.ZipFile:
    import zipfile

    try:
        return zipfile.ZipFile(found.path)
    except (zipfile.BadZipFile, OSError):
        message = "The ZIP file is cut short or damaged"
        raise _damaged(found.name, message, "Get it again") from None


def _member(archive: zipfile.ZipFile, name: str, wanted: str) -> zipfile.ZipInfo:
    """Return the archive's member that is wanted, or the one table in it."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    tables = [member for member in members if _is_table(member.filename)]
    if wanted:
        tables = [member for member in members if member.filename == wanted]
    if len(tables) == 1:
        return tables[0]
    names = ", ".join([member.filename for member in (tables or members)[:10]])
    if wanted or not tables:
        message = f"There is no {wanted or 'table'} in it; there are: {names or 'no files'}"
        raise _damaged(name, message, "Name one of its files, like feed.zip:stock.csv")
    message = f"There are several tables in it: {names}"
    raise _damaged(name, message, f"Name one of them, like {name}:{tables[0].filename}")


def _is_table(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return not hidden and path.suffix.casefold() in (*_TABLES, *_WORKBOOKS, ".gz")


def _copy(source: SupportsRead[bytes], target: IO[bytes], name: str) -> None:
    size = 0
    while block := source.read(_BLOCK):
        size += len(block)
        if size > _MOST:
            message = f"It holds more than {_MOST:,} bytes"
            raise _damaged(name, message, "A source is smaller; look what it is")
        target.write(block)


def _damaged(name: str, message: str, remedy: str) -> SourceError:
    return SourceError([Problem(message, remedy, name)])


# --- addresses --------------------------------------------------------------------------------


def _fetched(url: str, home: Path) -> Opened:
    """Return what an address gives, fetched without credentials; up to five redirects."""
    for _ in range(_MOST_REDIRECTS + 1):
        name = _shown(url)
        answer = _tried(url, name, home / "fetched")
        if answer.status not in _REDIRECTS or not answer.headers.get("location"):
            return _answered(answer, name)
        url = urljoin(url, answer.headers["location"])
    raise ConfigError(f"{name} leads from one address to the next; name the last one")


def _shown(url: str) -> str:
    """Return an address without its query, which may hold a secret.

    Raises:
        ConfigError: if it isn't https, or names a user.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ConfigError(
            "a source's address holds no user and no password: they would end up in files and "
            "logs. Fetch the file with your own tool, and pipe it in: storebridge plan -"
        )
    if parts.scheme.lower() != "https":
        raise ConfigError(
            f"{parts.hostname or 'the address'} is named without https, and anybody on the way "
            "could change what comes; use https, or fetch the file yourself"
        )
    return f"https://{parts.netloc}{parts.path}"


def _tried(url: str, name: str, path: Path) -> Response:
    """Return the answer of an address; what goes wrong on the way is tried again."""
    for wait in (*_WAITS, None):
        transport = _transport()
        request = Request(method="GET", path=url, foreign=True, save_to=str(path), timeout=_SECONDS)
        try:
            answer = transport.send(request)
        except Refused:
            host = urlsplit(url).hostname
            raise Refused(
                f"{name} was not fetched: {host} is not on the public internet, or no usual https "
                "address. Fetch the file yourself, and name it or pipe it in"
            ) from None
        except (TransportError, OutcomeUnknown):
            if wait is None:
                raise
        else:
            if answer.status < 500 or wait is None:
                return answer
        finally:
            transport.close()
        time.sleep(wait)
    raise AssertionError("the last try returns or raises")


def _transport() -> Transport:
    """Return a client that knows no store, and so sends no credentials and no cookies."""
    from storebridge.engine import EngineOptions, HttpTransport

    return HttpTransport("https://source.invalid", EngineOptions(max_file=_MOST))


def _answered(answer: Response, name: str) -> Opened:
    if answer.status in (401, 403):
        raise ConfigError(
            f"{name} wants credentials (status {answer.status}), and storebridge sends none to "
            "addresses of sources. Fetch the file yourself, and pipe it in: storebridge plan -"
        )
    if answer.status != 200 or answer.path is None:
        raise ConfigError(f"{name} answered with the status {answer.status}; check the address")
    if "html" in answer.headers.get("content-type", "").lower():
        raise ConfigError(f"{name} gave a web page and no table; it may want a login")
    return Opened(answer.path, name, _modified(answer.headers.get("last-modified", "")))


def _modified(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
