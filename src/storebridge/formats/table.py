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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import IO, Any

from storebridge.errors import Problem, SourceError, StorebridgeError
from storebridge.formats.base import WHY, Context
from storebridge.formats.cells import Losses, Report, key_of
from storebridge.formats.layout import Layout, distinct, head, letters
from storebridge.formats.text import MARK, Decoding, decoding
from storebridge.models import Record

__all__ = [
    "Dialect",
    "Spool",
    "Table",
    "atomic",
    "escape",
    "fits",
    "open_table",
    "sheets_of",
    "unescape",
]

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
#: Workbooks of others; the first three are ZIP files.
_WORKBOOKS = (".xlsx", ".xlsm", ".ods", ".xls")


def escape(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unescape(text: str) -> str:
    """Return what `escape` was given."""
    return text[1:] if _ESCAPED.match(text) else text


def fits(text: str, path: Path) -> bool:
    """Return whether a cell of the file at `path` has room for a text; one of CSV always has."""
    return len(text) < _SHEET_CELL or path.suffix.casefold() != ".xlsx"


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
    lead: list[tuple[int, list[Any]]] = field(default_factory=list)
    """The rows up to the header, as they are."""
    sheet: str = ""
    """The name of the workbook's sheet."""


def open_table(
    path: Path,
    context: Context,
    known: Callable[[str], bool],
    numeric: Callable[[str], bool] = lambda _: False,
    layout: Layout | None = None,
) -> Table:
    """Return the table in a CSV or XLSX file.

    Args:
        path: the file; `.xlsx` is read as a workbook, anything else as delimited text.
        context: encoding, delimiter and translated headers.
        known: whether a standard header is one that the format knows, to tell the delimiter.
        numeric: whether a column holds numbers, so that a workbook's numbers are no surprise.
        layout: where the table stands; by default its header is the first row, as in our files.

    Raises:
        SourceError: if encoding, delimiter, sheet or header can't be made out.
        OSError: if the file can't be read.
    """
    names = {key_of(own): standard for own, standard in context.headers.items()}

    def standard(cell: str) -> str:
        return "" if cell == WHY else names.get(key_of(cell), cell).strip()

    def counts(cells: Iterable[str]) -> int:
        return sum(known(standard(cell)) for cell in cells)

    if path.suffix.casefold() in (_WORKBOOKS if layout else (".xlsx",)):
        name, rows = _workbook(path, counts, layout)
        return _table(path, rows, standard, numeric, Dialect(), layout, name)
    rows, dialect = _text(path, context, counts, layout)
    return _table(path, rows, standard, None, dialect, layout)


def _table(
    path: Path,
    rows: Iterator[tuple[int, list[Any]]],
    standard: Callable[[str], str],
    numeric: Callable[[str], bool] | None,
    dialect: Dialect,
    layout: Layout | None,
    sheet: str = "",
) -> Table:
    lead: list[tuple[int, list[Any]]] = []
    names, rows = head(rows, layout, lead)
    if names is None:
        raise _headless(path, layout)
    own = [unescape(name.lstrip("\ufeff")).strip() for name in names]
    while own and not own[-1]:
        own.pop()
    own = distinct(own) if layout else own
    header = tuple(standard(cell) for cell in own)
    report = Report(path.name, own)
    if numeric is not None:
        signs = [layout.decimal(name) for name in header] if layout else ()
        if layout:
            rows = ((row, cells[: len(header)]) for row, cells in rows)
        rows = _cell_texts(rows, [numeric(name) for name in header], report, signs)
    even = _even(rows, len(header), report, is_book=bool(sheet))
    return Table(header, report, even, dialect, lead, sheet)


def _headless(path: Path, layout: Layout | None) -> SourceError:
    if layout and layout.header:
        row = layout.header[-1]
        remedy = "Say in the mapping which row it is: [file] header"
        return _unusable(path, "There is no such header row in the file", remedy, row or 1)
    return _unusable(path, "The file is empty", "Give a file with a header row", None)


def _even(
    rows: Iterator[tuple[int, list[str]]], width: int, report: Report, *, is_book: bool
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are as wide as the header; report the others.

    In a workbook, a column without a header is one problem and not one in each row.
    """
    nameless = set[int]()
    for item in rows:
        row, cells = item
        if len(cells) > width and not any(cells[width:]):
            del cells[width:]
        if not any(cells):
            continue
        if len(cells) == width:
            yield item
        elif is_book and len(cells) > width:
            place = next(place for place in range(width, len(cells)) if cells[place])
            if place not in nameless:
                nameless.add(place)
                message = f"Column {letters(place)} has values and no header"
                report.add(row, "", cells[place], message, "Give it one, or empty the column")
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
    path: Path,
    context: Context,
    counts: Callable[[Iterable[str]], int],
    layout: Layout | None,
) -> tuple[Iterator[tuple[int, list[str]]], Dialect]:
    how = decoding(path, context.encoding)
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST))
    delimiter = _given_delimiter(path, context) or _delimiter(path, how, counts, layout)
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


def _delimiter(
    path: Path,
    how: Decoding,
    counts: Callable[[Iterable[str]], int],
    layout: Layout | None,
) -> str:
    """Return the one delimiter with which the header has columns that are known."""
    headers: dict[tuple[str, ...], str] = {}
    most = 1
    for delimiter in _DELIMITERS:
        try:
            cells, _ = head(_csv(path, how, delimiter), layout, [])
        except SourceError:
            continue
        if cells is None:
            return ","
        known = counts(distinct(cells) if layout else cells)
        if layout and known > most:  # a mapping names all the columns that there should be
            most = known
            headers.clear()
        if known >= (most if layout else 1):
            headers.setdefault(tuple(cells), delimiter)
    if len(headers) == 1:
        return next(iter(headers.values()))
    if headers:
        raise _unusable(
            path,
            "The header row can be split in several ways",
            "Say what separates the cells with --delimiter",
        )
    if layout:
        raise _unusable(
            path,
            "The header row has none of the columns that the mapping names",
            "Take the mapping that belongs to this file, or say in it which row the header is "
            "([file] header) and what separates the cells ([file] delimiter)",
            layout.header[-1] if layout.header else 1,
        )
    raise _unusable(
        path,
        "The header row has no column name that is known",
        "Translate the names with --header 'OWN=STANDARD', say what separates the cells with "
        "--delimiter, or name another format with --format. For a supplier's own columns, make a "
        f"mapping: storebridge mapping init {path.name} -o {path.stem}.toml",
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
    path: Path, counts: Callable[[Iterable[str]], int], layout: Layout | None
) -> tuple[str, Iterator[tuple[int, list[Any]]]]:
    """Return the one sheet whose header has columns that are known, and its rows."""
    sheets = sheets_of(path)
    if layout and layout.sheet:
        if layout.sheet not in sheets:
            raise _unusable(
                path,
                f"There is no sheet {layout.sheet!r}; there are: {', '.join(sheets)}",
                "Name one of them in the mapping: [file] sheet",
                None,
            )
        return layout.sheet, _filled(sheets[layout.sheet])
    fitting = []
    for name, sheet in sheets.items():
        cells, _ = head(_filled(sheet), layout, [])
        if cells and counts(distinct(cells) if layout else cells):
            fitting.append(name)
    if len(fitting) > 1:
        raise _unusable(
            path,
            f"Several sheets have known columns: {', '.join(fitting)}",
            "Name one of them in the mapping: [file] sheet"
            if layout
            else "Keep one of them in the file",
            None,
        )
    if not fitting:
        raise _unusable(
            path,
            "No sheet has a header row with a column name that is known",
            "Take the mapping that belongs to this file, or say in it which row the header is: "
            "[file] header"
            if layout
            else "Translate the names with --header 'OWN=STANDARD', or name another format with "
            "--format",
        )
    return fitting[0], _filled(sheets[fitting[0]])


def sheets_of(path: Path) -> dict[str, Any]:
    """Return the sheets of a workbook by their names; what is no workbook is refused.

    Raises:
        SourceError: if it isn't one, or unpacks to more than 1 GiB.
    """
    import zipfile

    import python_calamine as calamine

    try:
        if path.suffix.casefold() != ".xls":
            with zipfile.ZipFile(path) as archive:
                unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > _UNPACKED:
                raise _unusable(path, "The workbook unpacks to over 1 GiB", "Save it as CSV", None)
        book = calamine.CalamineWorkbook.from_path(str(path))
        return {name: book.get_sheet_by_name(name) for name in book.sheet_names}
    except (zipfile.BadZipFile, calamine.CalamineError) as error:
        raise _unusable(path, "The file is no workbook", "Save it as XLSX or CSV", None) from error


def _filled(sheet: Any) -> Iterator[tuple[int, list[Any]]]:
    for row, cells in enumerate(sheet.iter_rows(), 1):
        if any(cell != "" for cell in cells):
            yield row, cells


def _cell_texts(
    rows: Iterator[tuple[int, list[Any]]],
    numeric: list[bool],
    report: Report,
    signs: Sequence[str] = (),
) -> Iterator[tuple[int, list[str]]]:
    """Turn a workbook's typed cells into text, exactly or not at all."""
    columns = numeric + [False] * 64
    commas = [place for place, sign in enumerate(signs) if sign == ","]
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
                    "Format the column as text and enter the value again"
                    + (", or say in the mapping how many digits it has: digits" if signs else ""),
                )
            texts.append(text or "")
        for index in commas:
            if isinstance(cells[index], int | float):
                texts[index] = texts[index].replace(".", ",")
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
    """Give a temporary file beside `path`; it takes the name when all went well, else it goes.

    Raises:
        StorebridgeError: if nothing can be written there.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with _told(path):
        part.touch()
    try:
        yield part
        with _told(path), part.open("rb+") as file:
            os.fsync(file.fileno())
        with _told(path):
            os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Name the file that a person asked for where it can't be written."""
    try:
        yield
    except OSError as error:
        lacking = f"there is no folder {path.parent}; make it first"
        why = error.strerror if path.parent.is_dir() else lacking
        raise StorebridgeError(f"can't write {path}: {why}") from None


class Spool:
    """Collects rows on disk until all columns are known, then writes the table."""

    def __init__(
        self, losses: Losses, rank: Callable[[str], Any], numeric: Callable[[str], bool]
    ) -> None:
        """Take what orders the columns, and what tells those that hold numbers."""
        self.losses = losses
        self._rank, self._numeric = rank, numeric
        self._places: dict[str, int] = {}
        self._long: list[tuple[str, str, str]] = []  # what no workbook's cell has room for
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

    def add(self, row: Mapping[str, str], record: Record) -> None:
        """Add a row of a record; its columns are added to the table's."""
        places = self._places
        packed = {places.setdefault(name, len(places)): text for name, text in row.items()}
        for name, text in row.items():
            if len(text) >= _SHEET_CELL:
                field = f"{name} (over {_SHEET_CELL} characters)"
                self._long.append((record.kind, field, record.label))
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
        import xlsxwriter

        header, rows = self._table()
        for loss in self._long:
            self.losses.add(*loss)
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
