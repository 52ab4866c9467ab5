"""Looks at a supplier's file as a stranger does: its encoding, sheet, header and sample values."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path

from storebridge.errors import Problem, SourceError
from storebridge.formats.layout import distinct
from storebridge.formats.mapping_words import meant
from storebridge.formats.table import sheets_of
from storebridge.formats.text import decoding

__all__ = ["Found", "Survey", "survey"]

#: So many rows are looked at, and so many of them for the header.
_ROWS, _HEADER_ROWS = 500, 20
_WORKBOOKS = (".xlsx", ".xlsm", ".ods", ".xls")
#: What files of shops and their suppliers in Western Europe are written in, if not in UTF-8.
_LIKELY = "windows-1252"


@dataclass(frozen=True, slots=True)
class Found:
    """A column: its name, its values without the blank ones, and whether some were blank."""

    name: str
    values: tuple[str, ...]

    def samples(self, count: int = 3) -> list[str]:
        """Return a few different values, shortened."""
        shown = (" ".join(value.split()) for value in dict.fromkeys(self.values))
        return [text if len(text) <= 40 else f"{text[:39]}…" for text in islice(shown, count)]


@dataclass(frozen=True, slots=True)
class Survey:
    """What a file looks like."""

    columns: tuple[Found, ...]
    header: int
    encoding: str = ""
    """The encoding, where it is a guess."""
    delimiter: str = ""
    sheet: str = ""
    others: tuple[str, ...] = ()
    """The workbook's other sheets."""


def survey(path: Path, encoding: str = "", delimiter: str = "", sheet: str = "") -> Survey:
    """Return what a file looks like; the first 500 rows are read.

    Raises:
        SourceError: if it can't be read as a table.
        OSError: if it can't be read.
    """
    if path.suffix.casefold() in _WORKBOOKS:
        return _workbook(path, sheet)
    guess = "" if encoding else _guessed(path)
    codec = encoding or guess or decoding(path).encoding
    try:
        with path.open(encoding=codec, newline="") as lines:
            text = list(islice(lines, _ROWS))
    except UnicodeDecodeError:
        raise SourceError(
            [Problem("Its encoding isn't clear", "Name it with --encoding", path.name)]
        ) from None
    sign = delimiter or max(";,\t|", key=lambda sign: _fit(text, sign))
    rows = list(enumerate(csv.reader(text, delimiter=sign), 1))
    header, columns = _columns(path, rows)
    return Survey(columns, header, encoding or guess, sign)


def _guessed(path: Path) -> str:
    """Return the likeliest encoding of a file that isn't UTF-8, "" for one that is."""
    try:
        decoding(path)
    except SourceError:
        return _LIKELY
    return ""


def _fit(text: Iterable[str], sign: str) -> tuple[int, int]:
    """Return how well a delimiter fits: how many rows have the commonest number of cells."""
    widths = [len(cells) for cells in csv.reader(text, delimiter=sign) if len(cells) > 1]
    common = max(set(widths), key=widths.count, default=0)
    return widths.count(common), common


def _workbook(path: Path, wanted: str) -> Survey:
    sheets = sheets_of(path)
    if wanted and wanted not in sheets:
        message = f"There is no sheet {wanted!r}"
        raise SourceError([Problem(message, f"Name one of: {', '.join(sheets)}", path.name)])
    best: tuple[float, str, list[tuple[int, list[str]]]] = (-1.0, "", [])
    for name in [wanted] if wanted else sheets:
        rows = [
            (row, [_shown(cell) for cell in cells])
            for row, cells in enumerate(islice(sheets[name].iter_rows(), _ROWS), 1)
        ]
        score = max((_score(cells) for _, cells in rows[:_HEADER_ROWS]), default=0.0)
        best = max(best, (score, name, rows), key=lambda each: each[0])
    header, columns = _columns(path, best[2])
    others = tuple(name for name in sheets if name != best[1])
    return Survey(columns, header, sheet=best[1], others=others)


def _shown(cell: object) -> str:
    if isinstance(cell, float):
        number = Decimal(repr(cell))
        return f"{number.to_integral() if number == number.to_integral() else number:f}"
    return str(cell)


def _columns(path: Path, rows: list[tuple[int, list[str]]]) -> tuple[int, tuple[Found, ...]]:
    filled = [(row, cells) for row, cells in rows if any(cell.strip() for cell in cells)]
    if len(filled) < 2:
        remedy = "Give a file with a header and rows"
        raise SourceError([Problem("There is no table in the file", remedy, path.name)])
    place = max(range(min(len(filled) - 1, _HEADER_ROWS)), key=lambda at: _score(filled[at][1]))
    row, header = filled[place]
    names = [cell.lstrip("\ufeff").strip() for cell in header]
    while names and not names[-1]:
        names.pop()
    below = [cells for _, cells in filled[place + 1 :]]
    return row, tuple(
        Found(name, tuple(_values(below, at))) for at, name in enumerate(distinct(names))
    )


def _values(rows: Iterable[list[str]], place: int) -> Iterator[str]:
    for cells in rows:
        if len(cells) > place and (text := cells[place].strip()):
            yield text


def _score(cells: list[str]) -> float:
    """Return how much a row looks like a header: different words, some of them known ones."""
    words = [text for cell in cells if (text := cell.strip())]
    texts = [text for text in words if not any(char.isdigit() for char in text) and len(text) < 60]
    known = sum(1.0 + exact for field, exact in map(meant, words) if field)
    return len(set(texts)) * len(texts) / (len(words) or 1) + 2 * known if len(words) > 1 else 0.0
