"""The workbook: Summary, Warnings (if any), Changes (a row per field), Skipped, Fit, Outcomes.

Rows go to the disk as they come, texts are texts, and no cell begins as a formula.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from storebridge.formats.table import escape
from storebridge.report.text import plain
from storebridge.report.view import View

__all__ = ["write_xlsx"]

#: What a sheet and a cell hold.
_MOST_ROWS, _MOST_TEXT = 1_048_576, 32_000
_CHANGES = {
    "Store": 18,
    "Kind": 11,
    "Record": 26,
    "Action": 9,
    "Part": 12,
    "Row": 7,
    "Field": 30,
    "Before": 38,
    "After": 38,
    "Reasons": 40,
    "Status": 11,
    "Undo": 11,
}
_STORES = {"Store": 18, "Plan": 44, "Outcomes": 44, "Stopped early": 60}
_SKIPPED = {"Store": 18, "Kind": 11, "Record": 26, "Row": 7, "Cause": 12, "Why": 60, "Remedy": 60}
_FIT = {"Store": 18, "Kind": 11, "Field": 24, "Records": 9, "Why": 60, "Source": 40, "Example": 26}
_OUTCOMES = {
    "Store": 18,
    "Kind": 11,
    "Record": 26,
    "Action": 9,
    "Part": 12,
    "Row": 7,
    "Status": 11,
    "Cause": 14,
    "Message": 60,
    "Remedy": 60,
    "HTTP": 7,
    "Request": 24,
}


def write_xlsx(path: Path, view: View) -> None:
    """Write the workbook; memory stays flat however long the plans are."""
    import xlsxwriter

    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        _Sheet(book, "Summary", {"What": 24, "": 90}).fill(_summary(view))
        if len(view.stores) > 1:
            _Sheet(book, "Stores", _STORES).fill(_stores(view))
        if any(True for _ in view.warnings()):
            _Sheet(book, "Warnings", {"Store": 18, "Warning": 110}).fill(_warnings(view))
        _Sheet(book, "Changes", _CHANGES).fill(_changes(view))
        _Sheet(book, "Skipped", _SKIPPED).fill(_skipped(view))
        _Sheet(book, "Fit", _FIT).fill(_fit(view))
        _Sheet(book, "Outcomes", _OUTCOMES).fill(_outcomes(view))


class _Sheet:
    """One table; it goes on in a further sheet where it is too long for one."""

    def __init__(self, book: Any, name: str, columns: dict[str, int]) -> None:
        self.book, self.name, self.columns = book, name, columns
        self.head = book.add_format({"bold": True, "bottom": 1})
        self.text = book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"})
        self.number = book.add_format({"valign": "top"})
        self.sheets = 0
        self._begin()

    def fill(self, rows: Iterator[Sequence[Any]]) -> None:
        """Write the rows."""
        for cells in rows:
            if self.row == _MOST_ROWS:
                self._begin()
            for column, cell in enumerate(cells):
                self._write(column, cell)
            self.row += 1
        self.sheet.autofilter(0, 0, max(1, self.row - 1), len(self.columns) - 1)

    def _begin(self) -> None:
        self.sheets += 1
        self.row = 1
        name = self.name if self.sheets == 1 else f"{self.name} {self.sheets}"
        self.sheet = self.book.add_worksheet(name)
        self.sheet.freeze_panes(1, 0)
        for column, (title, width) in enumerate(self.columns.items()):
            self.sheet.set_column(column, column, width)
            self.sheet.write_string(0, column, title, self.head)

    def _write(self, column: int, cell: Any) -> None:
        if isinstance(cell, int):
            self.sheet.write_number(self.row, column, cell, self.number)
        elif cell not in (None, ""):
            text = escape(plain(cell, _MOST_TEXT))
            self.sheet.write_string(self.row, column, text, self.text)


def _summary(view: View) -> Iterator[Sequence[Any]]:
    for head in view.heads:
        yield from head.facts
        for name, count in head.planned.items():
            yield name.replace("_", " ").capitalize(), count
        if head.applied:
            for name, count in head.outcomes.items():
                yield f"Outcome: {name}", count
        yield ()


def _stores(view: View) -> Iterator[Sequence[Any]]:
    heads, stopped = {head.store: head for head in view.heads}, dict(view.stopped)
    for store in view.stores:
        head = heads.get(store)
        counts = (head.planned, head.outcomes if head.applied else {}) if head else ({}, {})
        yield (
            store,
            *(", ".join(f"{n} {w}" for w, n in c.items() if n) for c in counts),
            (stopped.get(store, "")),
        )


def _warnings(view: View) -> Iterator[Sequence[Any]]:
    for store, text in view.warnings():
        yield view.heads[store].store, text


def _changes(view: View) -> Iterator[Sequence[Any]]:
    for entry in view.entries():
        change = entry.change
        who = (view.heads[entry.store].store, change.kind, change.label, change.action)
        reasons = "; ".join(change.reasons)
        for field, before, after in change.fields or (("", None, None),):
            yield (
                *(*who, change.part, change.origin, field, before, after),
                *(reasons, entry.status, change.undo),
            )


def _skipped(view: View) -> Iterator[Sequence[Any]]:
    for store, row in view.skipped():
        yield view.heads[store].store, *row[:3], row.cause, row.message, row.remedy


def _fit(view: View) -> Iterator[Sequence[Any]]:
    for row in view.fit():
        fit = row.fit
        store = view.heads[row.store].store
        yield store, fit.kind, fit.field, row.count, fit.message, fit.source, fit.label


def _outcomes(view: View) -> Iterator[Sequence[Any]]:
    for entry in view.entries():
        change, o = entry.change, entry.outcome
        if o is None:
            continue
        yield (
            *(view.heads[entry.store].store, change.kind, change.label, change.action),
            *(change.part, change.origin, o.status, o.cause, o.message, o.remedy),
            *(o.http_status or None, o.request_id),
        )
