"""Tables: a header and rows, from CSV or from one sheet of an XLSX workbook, in and out.

Rows are numbered as a spreadsheet numbers them: the header is 1, and a cell with line breaks
doesn't count twice.

A cell that would start as a formula (`=`, `+`, `-`, `@`, tab, carriage return and the full-width
forms) is written behind an apostrophe, and reading takes exactly that apostrophe off again;
text that itself begins with an apostrophe before such a character gets one more, so nothing is
lost.
"""

from __future__ import annotations

import csv
import json
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import IO, Any

from storebridge.errors import Problem, SourceError
from storebridge.formats.base import WHY, Context
from storebridge.formats.cells import Losses, Report, key_of
from storebridge.formats.text import MARK, Decoding, decoding

__all__ = ["Dialect", "Spool", "Table", "atomic", "escape", "open_table", "unescape"]

_FORMULA = re.compile("'*[=+\\-@\t\r＝＋－＠]")
_ESCAPED = re.compile("'+[=+\\-@\t\r＝＋－＠]")
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,12})?", re.ASCII)
_DELIMITERS = (",", ";", "\t", "|")
_NAMED_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
#: The longest cell that is read; the csv module's own limit is 128 KiB.
_LONGEST = 1 << 24
#: The most that an XLSX file may unpack to.
_UNPACKED = 1 << 30
#: From here on a spreadsheet shows whole numbers as 4.0E+12.
_SHORTENED = 10**11
_SHEET_ROWS, _SHEET_CELL = 1 << 20, 32_767


def escape(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unescape(text: str) -> str:
    """Return what `escape` was given."""
    return text[1:] if _ESCAPED.match(text) else text


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table of delimited text is written; for a workbook, how it would be."""

    encoding: str = "utf-8"
    delimiter: str = ","


@dataclass(frozen=True, slots=True)
class Table:
    """A file's header (standard names where the context translates them) and its rows."""

    header: tuple[str, ...]
    """The names by which columns are understood."""
    report: Report
    """Where problems go; it names columns as the file does."""
    rows: Iterator[tuple[int, list[str]]]
    """Row numbers and cells, as many as the header has; ragged and blank rows are left out."""
    dialect: Dialect = Dialect()


def open_table(
    path: Path,
    context: Context,
    known: Callable[[str], bool],
    numeric: Callable[[str], bool] = lambda _: False,
) -> Table:
    """Return the table in a CSV or XLSX file.

    Args:
        path: the file; `.xlsx` is read as a workbook, anything else as delimited text.
        context: encoding, delimiter and translated headers.
        known: whether a standard header is one that the format knows, to tell the delimiter.
        numeric: whether a column holds numbers, so that a workbook's numbers are no surprise.

    Raises:
        SourceError: if encoding, delimiter, sheet or header can't be made out.
        OSError: if the file can't be read.
    """
    names = {key_of(own): standard for own, standard in context.headers.items()}

    def standard(cell: str) -> str:
        return "" if cell == WHY else names.get(key_of(cell), cell).strip()

    def counts(cells: Iterable[str]) -> int:
        return sum(known(standard(cell)) for cell in cells)

    if path.suffix.casefold() == ".xlsx":
        return _table(path, _workbook(path, counts), standard, numeric, Dialect())
    rows, dialect = _text(path, context, counts)
    return _table(path, rows, standard, None, dialect)


def _table(
    path: Path,
    rows: Iterator[tuple[int, list[Any]]],
    standard: Callable[[str], str],
    numeric: Callable[[str], bool] | None,
    dialect: Dialect,
) -> Table:
    first = next(rows, None)
    if first is None:
        raise _unusable(path, "The file is empty", "Give a file with a header row", None)
    own = [unescape(str(cell).lstrip("\ufeff")).strip() for cell in first[1]]
    while own and not own[-1]:
        own.pop()
    header = tuple(standard(cell) for cell in own)
    report = Report(path.name, own)
    if numeric is not None:
        rows = _cell_texts(rows, [numeric(name) for name in header], report)
    return Table(header, report, _even(rows, len(header), report), dialect)


def _even(
    rows: Iterator[tuple[int, list[str]]], width: int, report: Report
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are as wide as the header; report the others."""
    for item in rows:
        row, cells = item
        if len(cells) > width and not any(cells[width:]):
            del cells[width:]
        if not any(cells):
            continue
        if len(cells) == width:
            yield item
        else:
            report.add(
                row,
                "",
                "",
                f"The row has {len(cells)} cells, the header {width}",
                "Look for a missing or extra delimiter or quote in this row",
            )


def _unusable(path: Path, message: str, remedy: str, row: int | None = 1) -> SourceError:
    return SourceError([Problem(message, remedy, path.name, row)])


# --- delimited text ---------------------------------------------------------------------------


def _text(
    path: Path, context: Context, counts: Callable[[Iterable[str]], int]
) -> tuple[Iterator[tuple[int, list[str]]], Dialect]:
    how = decoding(path, context.encoding)
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST))
    delimiter = _given_delimiter(path, context) or _delimiter(path, how, counts)
    rows = _csv(path, how, delimiter)
    if how.errors != "strict":
        raise SourceError(list(_undecodable(path, rows, how.encoding)))
    dialect = Dialect(how.encoding, delimiter)
    return (_unescaped(rows) if how.escaped else rows), dialect


def _given_delimiter(path: Path, context: Context) -> str:
    delimiter = _NAMED_DELIMITERS.get(context.delimiter, context.delimiter)
    if len(delimiter) > 1 or delimiter in ('"', "\r", "\n"):
        raise _unusable(
            path,
            f"{context.delimiter!r} can't separate cells",
            "Give one character, or tab, with --delimiter",
            None,
        )
    return delimiter


def _delimiter(path: Path, how: Decoding, counts: Callable[[Iterable[str]], int]) -> str:
    """Return the one delimiter with which the header has columns that are known."""
    headers: dict[tuple[str, ...], str] = {}
    for delimiter in _DELIMITERS:
        try:
            _, cells = next(_csv(path, how, delimiter))
        except StopIteration:
            return ","
        except SourceError:
            continue
        if counts(cells):
            headers.setdefault(tuple(cells), delimiter)
    if len(headers) == 1:
        return next(iter(headers.values()))
    if headers:
        raise _unusable(
            path,
            "The header row can be split in several ways",
            "Say what separates the cells with --delimiter",
        )
    raise _unusable(
        path,
        "The header row has no column name that is known",
        "Translate the names with --header 'OWN=STANDARD', say what separates the cells with "
        "--delimiter, or name another format with --format",
    )


def _csv(path: Path, how: Decoding, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    row = 0
    with path.open(encoding=how.encoding, errors=how.errors, newline="") as lines:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            for row, cells in enumerate(reader, 1):
                if cells:
                    yield row, cells
        except csv.Error as error:
            raise _unusable(
                path,
                f"The row can't be read: {error}",
                "Look for a quote that isn't closed, or isn't doubled inside a quoted cell",
                row + 1,
            ) from error


def _unescaped(rows: Iterable[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    for row, cells in rows:
        yield row, [unescape(cell) if cell[:1] == "'" else cell for cell in cells]


def _undecodable(
    path: Path, rows: Iterator[tuple[int, list[str]]], encoding: str
) -> Iterator[Problem]:
    _, header = next(rows, (1, [""]))
    for row, cells in chain([(1, header)], rows):
        for column, cell in enumerate(cells):
            if MARK in cell:
                name = header[column] if column < len(header) else ""
                yield Problem(
                    f"The cell has bytes that {encoding} doesn't have",
                    "Name the encoding that the file was saved in with --encoding",
                    path.name,
                    row,
                    name.replace(MARK, "?"),
                    cell.replace(MARK, "?")[:80],
                )


# --- workbooks --------------------------------------------------------------------------------


def _workbook(
    path: Path, counts: Callable[[Iterable[str]], int]
) -> Iterator[tuple[int, list[Any]]]:
    """Yield the rows of the one sheet whose header has columns that are known."""
    import zipfile

    import python_calamine as calamine

    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > _UNPACKED:
            raise _unusable(path, "The workbook unpacks to over 1 GiB", "Save it as CSV", None)
        book = calamine.CalamineWorkbook.from_path(str(path))
        sheets = [book.get_sheet_by_name(name) for name in book.sheet_names]
    except (zipfile.BadZipFile, calamine.CalamineError) as error:
        raise _unusable(path, "The file is no workbook", "Save it as XLSX or CSV", None) from error
    fitting = [sheet for sheet in sheets if counts(map(str, next(_filled(sheet), (0, []))[1]))]
    if len(fitting) > 1:
        raise _unusable(
            path,
            f"Several sheets have known columns: {', '.join(s.name for s in fitting)}",
            "Keep one of them in the file",
            None,
        )
    if not fitting:
        raise _unusable(
            path,
            "No sheet has a header row with a column name that is known",
            "Translate the names with --header 'OWN=STANDARD', or name another format with "
            "--format",
        )
    return _filled(fitting[0])


def _filled(sheet: Any) -> Iterator[tuple[int, list[Any]]]:
    for row, cells in enumerate(sheet.iter_rows(), 1):
        if any(cell != "" for cell in cells):
            yield row, cells


def _cell_texts(
    rows: Iterator[tuple[int, list[Any]]], numeric: list[bool], report: Report
) -> Iterator[tuple[int, list[str]]]:
    """Turn a workbook's typed cells into text, exactly or not at all."""
    columns = numeric + [False] * 64
    for row, cells in rows:
        texts = []
        for index, cell in enumerate(cells):
            text = _cell_text(cell, columns[index] if index < len(columns) else False)
            if text is None:
                report.add(
                    row,
                    report.header[index] if index < len(report.header) else "",
                    str(cell),
                    "The spreadsheet keeps this as a number, and its digits may be lost",
                    "Format the column as text and enter the value again",
                )
            texts.append(text or "")
        yield row, texts


def _cell_text(cell: object, numeric: bool) -> str | None:
    """Return a typed cell as text, None for a number that may have lost digits."""
    if isinstance(cell, str):
        return unescape(cell)
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, int | float):
        number = Decimal(repr(cell))
        text = f"{number.to_integral() if number == number.to_integral() else number:f}"
        return text if numeric or abs(number) < _SHORTENED else None
    return str(cell)


# --- writing ----------------------------------------------------------------------------------


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary file beside `path`; it takes the name when all went well, else it goes."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


class Spool:
    """Collects rows on disk until all columns are known, then writes the table."""

    def __init__(
        self, losses: Losses, rank: Callable[[str], Any], numeric: Callable[[str], bool]
    ) -> None:
        """Take what orders the columns, and what tells those that hold numbers."""
        self.losses = losses
        self._rank, self._numeric = rank, numeric
        self._places: dict[str, int] = {}
        self._rows = tempfile.TemporaryFile(  # noqa: SIM115 (closed in __exit__)
            "w+", encoding="utf-8", errors="surrogatepass"
        )

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._rows.close()

    def column(self, name: str) -> None:
        """Make sure that the table has a column."""
        self._places.setdefault(name, len(self._places))

    def add(self, row: Mapping[str, str]) -> None:
        """Add a row; its columns are added to the table's."""
        places = self._places
        packed = {places.setdefault(name, len(places)): text for name, text in row.items()}
        self._rows.write(json.dumps(packed) + "\n")

    def write(self, path: Path, context: Context, *, mark: bool = False) -> None:
        """Write the table, as XLSX if the name says so, else as CSV in UTF-8.

        Args:
            path: the file; one that is there is replaced when the new one is whole.
            context: gives the delimiter.
            mark: whether a CSV file begins with a byte order mark.
        """
        with atomic(path) as part:
            if path.suffix.casefold() == ".xlsx":
                self._write_workbook(part)
                return
            encoding = "utf-8-sig" if mark else "utf-8"
            with part.open("w", encoding=encoding, newline="") as file:
                self._write_csv(file, _given_delimiter(path, context) or ",")

    def _table(self) -> tuple[list[str], Iterator[list[str]]]:
        header = sorted(self._places, key=self._rank)
        keys = [str(self._places[name]) for name in header]
        self._rows.seek(0)
        rows = map(json.loads, self._rows)
        return header, ([row.get(key, "") for key in keys] for row in rows)

    def _write_csv(self, file: IO[str], delimiter: str) -> None:
        header, rows = self._table()
        numeric = [self._numeric(name) for name in header]
        # CRLF is RFC 4180's, and makes the writer quote lone line ends of either kind.
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\r\n")
        writer.writerow([escape(name) for name in header])
        for row in rows:
            writer.writerow(
                [
                    text if number and _NUMBER.fullmatch(text) else escape(text)
                    for text, number in zip(row, numeric, strict=True)
                ]
            )

    def _write_workbook(self, part: Path) -> None:
        import xlsxwriter  # type: ignore[import-untyped]  # it ships no types

        header, rows = self._table()
        with xlsxwriter.Workbook(str(part), {"constant_memory": True}) as book:
            sheet = book.add_worksheet("Products")
            # What is typed into a column of text stays text: 0042 and 4006381333931 are names.
            text_format = book.add_format({"num_format": 49})  # "@"
            for column, name in enumerate(header):
                if not self._numeric(name):
                    sheet.set_column(column, column, None, text_format)
            for row, cells in enumerate(chain([header], rows)):
                if row >= _SHEET_ROWS:
                    raise _unusable(part, "A sheet has no room for so many rows", "Write CSV", row)
                for column, text in enumerate(cells):
                    if text:
                        self._write_cell(sheet, row, column, text, header[column])

    def _write_cell(self, sheet: Any, row: int, column: int, text: str, name: str) -> None:
        if row and self._numeric(name) and _NUMBER.fullmatch(text) and len(text) <= 15:
            sheet.write_number(row, column, Decimal(text))
        elif len(text) < _SHEET_CELL:
            sheet.write_string(row, column, escape(text))
        else:
            self.losses.add("product", f"{name} (over {_SHEET_CELL} characters)", text[:40])
