"""How a text file's bytes become characters: certain, or asked for, never guessed."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from storebridge.errors import Problem, SourceError

__all__ = ["MARK", "OFFERED", "Decoding", "decoding"]

#: The codecs that a message offers; any codec that Python knows can be named.
OFFERED = (
    "UTF-8",
    "UTF-16",
    "Windows-1250",
    "Windows-1251",
    "Windows-1252",
    "GB18030",
    "Big5",
    "Shift_JIS",
)
#: Stands for bytes that a codec can't decode, so that their row and column can be named. It is
#: a noncharacter: Unicode keeps it out of all text that is exchanged.
MARK = "\ufdd0"

# The 32-bit marks come first: the UTF-16 mark is the beginning of the UTF-32 one.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BLOCK = 1 << 17
_ESCAPED = re.compile("'[=+\\-@\t\r＝＋－＠]")


@dataclass(frozen=True, slots=True)
class Decoding:
    """How to open a text file."""

    encoding: str
    errors: str
    """"strict", or the handler that puts `MARK` where bytes can't be decoded."""
    escaped: bool
    """Whether a cell of the file may carry an apostrophe that keeps it from being a formula."""


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return MARK, error.end


codecs.register_error("storebridge.mark", _mark)


def decoding(path: Path, encoding: str = "") -> Decoding:
    """Return how to decode a file: by its byte order mark, as asked, or as UTF-8 if it is that.

    The whole file is read once, in blocks.

    Raises:
        SourceError: for a codec that Python doesn't know, and for a file without a mark that
            isn't UTF-8 when no codec was named.
        OSError: if the file can't be read.
    """
    with path.open("rb") as file:
        start = file.read(4)
    marked = next((codec for mark, codec in _MARKS if start.startswith(mark)), "")
    codec = marked or (_known(path, encoding) if encoding else "utf-8")
    try:
        escaped = _scan(path, codec, certain=bool(marked or encoding))
    except UnicodeDecodeError as error:
        if not (marked or encoding):
            raise SourceError([_ask(path)]) from error
        return Decoding(codec, "storebridge.mark", escaped=True)
    return Decoding(codec, "strict", escaped)


def _known(path: Path, encoding: str) -> str:
    try:
        "".encode(encoding)
    except (LookupError, UnicodeError) as error:
        raise SourceError(
            [
                Problem(
                    f"{encoding!r} is no codec that Python knows",
                    f"Name one with --encoding: {', '.join(OFFERED)}, or another Python codec",
                    path.name,
                )
            ]
        ) from error
    return encoding


def _scan(path: Path, codec: str, *, certain: bool) -> bool:
    """Return whether the file has escaped cells; raise UnicodeDecodeError if it can't be decoded.

    NUL and ESC in a file without a mark come from UTF-16 or a shifting codec, whose bytes also
    pass as UTF-8: that is no certain UTF-8.
    """
    escaped, last = False, ""
    for text in _blocks(path, codec):
        if not certain and ("\0" in text or "\x1b" in text):
            raise UnicodeDecodeError(codec, b"", 0, 1, "control characters")
        escaped = escaped or _ESCAPED.search(last + text) is not None
        last = text[-1:]
    return escaped


def _blocks(path: Path, codec: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(codec)()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield decoder.decode(block)
        yield decoder.decode(b"", final=True)


def _ask(path: Path) -> Problem:
    row, line = 1, ""
    with path.open(encoding="utf-8", errors="storebridge.mark", newline="") as lines:
        for row, line in enumerate(lines, 1):  # noqa: B007 (they are used after the loop)
            if MARK in line or "\0" in line or "\x1b" in line:
                break
    name = "NUL (0x00)" if "\0" in line else "ESC (0x1B)"
    if MARK not in line:
        return Problem(
            f"The row has the control character {name}, which text in UTF-8 doesn't have",
            "Delete it; or if the file has another encoding, name it with --encoding: "
            f"{', '.join(OFFERED)}, or another Python codec",
            path.name,
            row,
        )
    return Problem(
        "The file is not UTF-8, and nothing in it says which encoding it has",
        f"Name it with --encoding: {', '.join(OFFERED)}, or another Python codec",
        path.name,
        row,
    )
