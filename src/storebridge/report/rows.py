"""The source's rows that a plan could not bring to the store, as a file of the same kind.

A last column says why each came back. Readers skip that column, so that the file can be planned
as it is, once its rows are put right.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from storebridge.errors import ConfigError, Problem, Refused, SourceError
from storebridge.formats import FORMATS, detect
from storebridge.formats.base import WHY, Context, Format
from storebridge.formats.cells import key_of
from storebridge.formats.jsonl import Jsonl
from storebridge.formats.mapping import TableMapping
from storebridge.formats.mapping_read import MappedRows
from storebridge.formats.table import Table, atomic, escape, open_table
from storebridge.plan import Plan
from storebridge.report.view import PROBLEMS
from storebridge.sources import file_of, opened

__all__ = ["write_failed_rows"]

#: What a sheet and a cell hold.
_MOST_ROWS, _MOST_TEXT = 1 << 20, 32_767
#: The column that names a further row's record by its SKU or ID, in WooCommerce's table.
_PARENT = "parent"
#: In the others, the columns whose value all rows of one record share; the first filled one counts.
_SHARED = ("url handle", "handle", "id", "key", "sku")

Row = tuple[int, list[str]]


def write_failed_rows(plan: Path, output: Path, source: Path | None = None) -> int:
    """Write the rows of a plan's source that failed or were left alone; return how many.

    Args:
        plan: the plan's file.
        output: the new file; a table may become CSV or XLSX. It isn't written for no rows.
        source: the file that was planned, where it isn't beside the plan or in this folder under
            its own name any more.

    Raises:
        ConfigError: if the source isn't there, or was changed since the plan was made.
        PlanError: if the plan was changed after it was made.
        Refused: if `output` is the source or the plan.
        SourceError: if the source can't be read, or the new file can't be of its kind.
    """
    with Plan.open(plan) as made:
        made.check_seal()
        whys = _whys(made)
        about = made.about
    if not whys:
        return 0
    path = str(source) if source else _found(about, plan)
    if not Path(file_of(path)).is_file():
        raise ConfigError(f"{path} can't be read: there is no such file. Name it with --source")
    taken = [place for place in (Path(file_of(path)), plan) if place.exists()]
    if output.exists() and any(output.samefile(place) for place in taken):
        raise Refused(f"{output} is what the rows come from. Give the new file another name")
    try:
        with opened(path) as file:
            return _write(file.path, output, whys, about)
    except OSError as error:
        raise ConfigError(
            f"{path} can't be read: {error.strerror}. Name it with --source"
        ) from None


def _write(path: Path, output: Path, whys: dict[int, str], about: dict[str, Any]) -> int:
    given = dict((about["options"] or {}).get("context") or {})
    named = given.pop("format", "")
    context = Context(**given)
    if mapping := about.get("mapping"):
        return _write_mapped(path, output, whys, context, TableMapping.parse(mapping["text"]))
    found = _format(path, context, named)
    if isinstance(found, Jsonl):
        return _write_lines(path, output, whys)
    return _write_table(path, output, whys, context, found)


def _whys(plan: Plan) -> dict[int, str]:
    """Return why each row of the source came to nothing, by the row where its record starts."""
    whys: dict[int, dict[str, None]] = {}
    for item in plan.report().items(*PROBLEMS):
        if item.origin is not None:
            text = _sentence(item.status, item.message or item.cause, item.remedy)
            whys.setdefault(item.origin, {})[text] = None
    for row in plan.skipped():
        if row.origin is not None:
            whys.setdefault(row.origin, {})[_sentence("left alone", row.message, row.remedy)] = None
    return {origin: " ".join(texts) for origin, texts in whys.items()}


def _sentence(status: str, message: str, remedy: str) -> str:
    texts = (f"{text.rstrip('.')}." for text in (message, remedy) if text)
    return f"{status}: {' '.join(texts)}"


def _found(about: dict[str, Any], plan: Path) -> str:
    """Return the plan's source, if it is still the file that was planned."""
    name = about["source"]
    file = file_of(name)
    path = next((p for p in (Path(file), plan.parent / file) if p.is_file()), None)
    if path is None:
        raise ConfigError(
            f"The plan was made from {name}, which is neither in this folder nor beside the plan. "
            "Name the file with --source"
        )
    # The plan's time is when reading began, in whole seconds.
    if path.stat().st_mtime >= datetime.fromisoformat(about["created_at"]).timestamp() + 1:
        raise ConfigError(
            f"{path} was changed after the plan was made, so its rows may be others now. Name the "
            "file as it was with --source, or this one if the rows are the same"
        )
    return f"{path}{name.removeprefix(file)}"


def _format(path: Path, context: Context, name: str) -> Format:
    if name and name not in FORMATS:
        raise SourceError(
            [
                Problem(
                    f"Rows of the format {name!r} can't be given back", "See the report", path.name
                )
            ]
        )
    return FORMATS[name] if name else detect(path, context)


# --- JSON lines -------------------------------------------------------------------------------


def _write_lines(path: Path, output: Path, whys: dict[int, str]) -> int:
    if output.suffix.casefold() not in Jsonl.suffixes:
        raise _another_kind(path, output)
    count = 0
    with atomic(output) as part, path.open("rb") as source, part.open("wb") as file:
        for row, line in enumerate(source, 1):
            if row == 1:
                file.write(line)
            elif row in whys:
                file.write(_line(line, whys[row]))
                count += 1
    return count


def _line(line: bytes, why: str) -> bytes:
    if WHY.encode() in line:  # it came back before
        record = json.loads(line)
        record.pop(WHY, None)
        line = json.dumps(record, ensure_ascii=False).encode()
    added = json.dumps({WHY: why}, ensure_ascii=False)[1:]
    return line.rstrip().removesuffix(b"}") + f", {added}\n".encode()


# --- tables -----------------------------------------------------------------------------------


class _Kin:
    """Tells which rows belong to one record: by a shared cell, or by naming the record's row."""

    def __init__(self, header: Sequence[str]) -> None:
        places = {key_of(name): place for place, name in reversed(list(enumerate(header)))}
        self._parent = places.get(_PARENT)
        self._sku, self._id = places.get("sku"), places.get("id")
        self._shared = [places[name] for name in _SHARED if name in places]

    def given(self, cells: list[str]) -> Iterator[str]:
        """Yield the names of the record that starts with a row."""
        if self._parent is None:
            yield self.asked(cells)
            return
        for place, start in ((self._sku, ""), (self._id, "id:")):
            if place is not None and cells[place].strip():
                yield f"{start}{cells[place].strip()}"

    def asked(self, cells: list[str]) -> str:
        """Return the name of the record that a row may be a further row of, "" for none."""
        if self._parent is not None:
            return cells[self._parent].strip()
        named = ((place, cells[place].strip()) for place in self._shared)
        return next((f"{place}={text}" for place, text in named if text), "")


def _write_table(
    path: Path, output: Path, whys: dict[int, str], context: Context, found: Format
) -> int:
    if output.suffix.casefold() not in found.suffixes:
        raise _another_kind(path, output)
    table = _open(path, context, found)
    rows = _marked(lambda: _open(path, context, found).rows, whys, _Kin(table.header))
    own = [name for name in table.report.header if name != WHY]
    drop = [place for place, name in enumerate(table.report.header) if name == WHY]
    count = 0

    def lines() -> Iterator[list[str]]:
        nonlocal count
        yield [*own, WHY]
        for cells, why in rows:
            count += 1
            yield [*(cell for place, cell in enumerate(cells) if place not in drop), why]

    with atomic(output) as part:
        if output.suffix.casefold() == ".xlsx":
            _write_workbook(part, lines())
        else:
            _write_csv(part, lines(), table)
    return count


class _MappedKin:
    """Tells which rows of a supplier's table are one product."""

    def __init__(self, mapped: MappedRows) -> None:
        self._mapped = mapped

    def given(self, cells: list[str]) -> Iterator[str]:
        """Yield the name of the product that a row is of."""
        yield self._mapped.name_of(cells)

    def asked(self, cells: list[str]) -> str:
        """Return the same."""
        return self._mapped.name_of(cells)


def _write_mapped(
    path: Path, output: Path, whys: dict[int, str], context: Context, mapping: TableMapping
) -> int:
    """Write rows of a supplier's table below its header, so that the same mapping reads them."""
    if output.suffix.casefold() not in (".csv", ".tsv", ".txt", ".xlsx"):
        raise _another_kind(path, output)
    context = mapping.context(context)
    mapped = mapping.rows(path, context)
    rows = _marked(lambda: mapping.rows(path, context).source_rows(), whys, _MappedKin(mapped))
    count = 0

    def lines() -> Iterator[list[str]]:
        nonlocal count
        last = 0
        for row, cells in mapped.lead():
            yield from ([] for _ in range(last + 1, row))
            head = bool(mapped.table.lead) and row == mapped.table.lead[-1][0]
            width = len(mapped.table.header)
            texts = [*map(str, cells), *[""] * width][:width]
            yield [*texts, WHY if head else ""]
            last = row
        for cells, why in rows:
            count += 1
            yield [*cells, why]

    with atomic(output) as part:
        if output.suffix.casefold() == ".xlsx":
            _write_workbook(part, lines(), mapped.table.sheet)
        else:
            _write_csv(part, lines(), mapped.table)
    return count


def _open(path: Path, context: Context, found: Format) -> Table:
    # Every column counts as numeric: a workbook's numbers come back as they are.
    return open_table(path, context, found.knows, lambda _: True)


def _marked(
    read: Callable[[], Iterator[Row]], whys: dict[int, str], kin: _Kin | _MappedKin
) -> Iterator[tuple[list[str], str]]:
    """Yield the rows of the records that came to nothing, with the reason in the first of each."""
    owners = {name for row, cells in read() if row in whys for name in kin.given(cells)} - {""}
    for row, cells in read():
        if row in whys:
            yield cells, whys[row]
        elif kin.asked(cells) in owners:
            yield cells, ""


def _write_csv(part: Path, lines: Iterable[list[str]], table: Table) -> None:
    how = table.dialect
    # Only the reasons can have letters that the source's own encoding lacks.
    with part.open("w", encoding=how.encoding, errors="replace", newline="") as file:
        writer = csv.writer(file, delimiter=how.delimiter, lineterminator="\r\n")
        writer.writerows([escape(text) for text in cells] for cells in lines)


def _write_workbook(part: Path, lines: Iterable[list[str]], name: str = "Products") -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(part), {"constant_memory": True}) as book:
        sheet = book.add_worksheet(name or "Products")
        form = book.add_format({"num_format": "@"})
        for row, cells in enumerate(lines):
            for column, text in enumerate(cells):
                if row >= _MOST_ROWS or len(text) >= _MOST_TEXT:
                    raise SourceError(
                        [Problem("A sheet has no room for all of this", "Write CSV", row=row + 1)]
                    )
                if text:
                    sheet.write_string(row, column, escape(text), form)


def _another_kind(path: Path, output: Path) -> SourceError:
    message = f"Rows of {path.name} can't become a {output.suffix or 'nameless'} file"
    return SourceError([Problem(message, "Give the new file the source's own suffix", output.name)])
