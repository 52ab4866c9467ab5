"""What an edit says of a field, read by the same rules as the cells of our own sheet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from storebridge.errors import SourceError
from storebridge.formats.base import Context
from storebridge.formats.cells import Field, Losses, Report, scalars, validated
from storebridge.formats.pictures import checked
from storebridge.formats.sheet_cells import commas_text, lines_text
from storebridge.formats.sheet_columns import NAMING, Column, column_of, similar
from storebridge.formats.sheet_read import Reader
from storebridge.formats.sheet_write import SheetWriter
from storebridge.formats.table import Table
from storebridge.models import Money, Product
from storebridge.tasks.replacing import EditError
from storebridge.templates import escaped

__all__ = ["Cells", "Value", "Values", "editable", "known", "template_of"]

#: What can be given for a field in Python; a `str` is a cell's text, and a template.
Value = str | bool | int | Decimal | Money | Sequence[str] | None

#: What names a record or an element, or is no value.
_FIXED = frozenset({*NAMING, "delete", "options", "option"})


def known(name: str) -> Column:
    """Return the column that a field's name means.

    Raises:
        EditError: if there is none, or it can't be edited; the nearest one is offered.
    """
    column = column_of(name.strip())
    if column is None:
        near = similar(name.strip())
        raise EditError(
            f"there is no field {name!r}{f'; {near} is close' if near else ''}. "
            "Name fields as the sheet has them, like price, seo.title or title[de]."
        )
    return column


def editable(name: str) -> Column:
    """Return the column of a field that an edit may give.

    Raises:
        EditError: if it may not.
    """
    column = known(name)
    if column.header.partition("[")[0] in _FIXED:
        raise EditError(
            f"{column.header} names products and variants, and an edit changes no names. Pull a "
            "sheet, change it there and plan it."
        )
    return column


def template_of(column: Column, value: Value) -> str:
    """Return the template of a value that Python code gives; a `str` is one already."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | Money):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Sequence) and all(isinstance(item, str) for item in value):
        listed = lines_text if column.what in ("lines", "sentences") else commas_text
        return escaped(listed(value))
    raise EditError(
        f"{column.header} can't be given as {type(value).__name__}. Use text, or Decimal or Money "
        "for amounts."
    )


class Values:
    """What one product says, as the cells of our sheet would have it."""

    def __init__(self, product: Product, context: Context) -> None:
        """Write the product's cells."""
        writer = SheetWriter(context, Losses())
        try:
            rows = writer.product(product)
        finally:
            writer.handles.close()
        self._rows = [
            {column.place: text for name, text in row.items() if (column := column_of(name))}
            for row in rows
        ]

    def of_product(self, column: Column) -> str | None:
        """Return a field as a product has it; None for one in which its variants differ."""
        if not column.of_variant:
            return self._rows[0].get(column.place, "")
        texts = {row.get(column.place, "") for row in self._rows}
        return texts.pop() if len(texts) == 1 else None

    def of_variant(self, column: Column, place: int) -> str:
        """Return a field as the variant at a place has it, or its product."""
        row = self._rows[place if column.of_variant else 0]
        return row.get(column.place, "")


class Cells(Reader):
    """Makes a product of the cells that an edit fills."""

    def __init__(self, columns: Iterable[Column], context: Context) -> None:
        """Work out once what the columns mean.

        Raises:
            SourceError: for a translation's language that is none.
        """
        header = ("id", *(column.header for column in columns))
        super().__init__(Table(header, Report("", header), iter(())), context)
        self._check()

    def made(
        self,
        own: Mapping[str, str],
        cleared: Sequence[Column],
        variants: Sequence[tuple[Mapping[str, Any], Mapping[str, str]]],
        cleared_of_variants: Sequence[Column],
    ) -> Product:
        """Return the product that some cells make.

        Args:
            own: the cells of the product's own fields, by header.
            cleared: the product's fields to empty.
            variants: for each variant the fields that name it, and its cells.
            cleared_of_variants: the variants' fields to empty.

        Raises:
            SourceError: for what can't be read.
        """
        fields = self._fields(self.product, own, cleared)
        self._settle(fields, [(1, [])])
        if variants:
            fields["variants"] = [
                {**naming, **self._fields(self.variant, cells, cleared_of_variants)}
                for naming, cells in variants
            ]
        product = validated(fields, 1, self.report)
        if product is not None:
            product, findings = checked(product, self.context)
            for finding in findings:
                self.report.found(1, _column(finding.path), finding)
        self._check()
        assert product is not None  # else there was a problem
        return product

    def _fields(
        self, columns: list[Field], cells: Mapping[str, str], cleared: Sequence[Column]
    ) -> dict[str, Any]:
        row = [cells.get(header, "") for header in self.table.header]
        return self._assemble(scalars(columns, row, 1, self.report), 1, list(cleared))

    def _check(self) -> None:
        """Raise what was wrong since the last time, if anything was."""
        problems = [replace(problem, row=None) for problem in self.report.drain()]
        if problems:
            raise SourceError(problems)


def _column(path: str) -> str:
    """Return the name of the column that a path like "variants.0.price" came from."""
    steps = (step for step in path.removeprefix("variants.").split(".") if not step.isdigit())
    return ".".join(steps)
