"""Reads the rows of Matrixify's Products sheet into products."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Literal

from storebridge.formats.base import Context
from storebridge.formats.cells import (
    BadCell,
    Field,
    boolean,
    code,
    decimal,
    integer,
    plain,
    scalars,
    word,
)
from storebridge.formats.matrixify_columns import column_of, similar
from storebridge.formats.sheet_columns import WEIGHT_UNITS, Column
from storebridge.formats.sheet_read import Reader, Rows
from storebridge.formats.shopify_cells import NO_OPTION, ONLINE_STORE
from storebridge.formats.table import Table
from storebridge.models import Product, slug

__all__ = ["MatrixifyReader"]

_COMMANDS = {name.casefold(): name for name in ("NEW", "MERGE", "UPDATE", "REPLACE", "DELETE")}
_COMMANDS["ignore"] = "IGNORE"
#: What a command says of the store.
_EXPECTS: dict[str, Literal["new", "existing", "ignored"]] = {
    "NEW": "new",
    "UPDATE": "existing",
    "IGNORE": "ignored",
}
#: Texts that a blank cell leaves alone: Shopify has no product without them.
_KEPT = ("title", "vendor")
_LISTS = ("variants", "media", "metafields")
_POLICY = {"continue": True, "deny": False}


def _tags(text: str) -> tuple[str, ...]:
    return tuple(part for item in text.split(",") if (part := item.strip()))


def _none(text: str) -> int:
    """Return 0; any other difference to a quantity can't be planned."""
    if decimal(text):
        raise BadCell(
            "A plan sets quantities, it doesn't add to them",
            "Write the quantity that there should be into Variant Inventory Qty",
        )
    return 0


_PARSERS: dict[str, Callable[[str], Any]] = {
    "command": word("command", _COMMANDS),
    "tags_command": word("command", _COMMANDS),
    "published": boolean,
    "collections": lambda text: tuple(slug(name) for name in _tags(text)),
    "weight_unit": word("unit of weight", WEIGHT_UNITS),
    "tracker": plain,
    "policy": word("inventory policy", _POLICY),
    "adjust": _none,
    "position": integer,
    "alt": str,
    "url": lambda text: tuple(url for item in text.split(";") if (url := item.strip())),
    "list": _tags,
    "codes": lambda text: (code(text),),
    "lines": lambda text: (text.strip(),),
    "weight": decimal,
}


class MatrixifyReader(Reader):
    """Turns the rows of Matrixify's table into products: blank cells clear, commands say more."""

    def __init__(self, table: Table, context: Context) -> None:
        self.image: list[Field] = []
        self._numbered: dict[str, dict[str, int]] = {}
        self._commands: dict[str, int] = {}
        self._media_rows: list[int] = []
        self._asked = "MERGE"
        super().__init__(table, replace(context, blank="clear"))

    # --- the header ---------------------------------------------------------------------------

    def _column_of(self, header: str) -> Column | None:
        return column_of(header)

    def _similar(self, header: str) -> str:
        return similar(header)

    def _column(self, index: int, own: str, column: Column) -> None:
        head, _, name = column.path.partition(".")
        if head == "option":
            _, number, part = column.header.split()
            self._numbered.setdefault(number, {})[part] = index
        elif column.header in ("command", "variants.command", "image.command"):
            self._commands[column.header] = index
            self.names[column.header] = own
        elif head == "image":
            self.names[column.header] = own
            self.image.append((index, name, _PARSERS[column.what]))
        elif column.path:
            super()._column(index, own, column)

    def _clears(self, column: Column) -> bool:
        return column.header not in _KEPT and super()._clears(column)

    def _parser(self, column: Column) -> Callable[[str], Any] | None:
        return _PARSERS.get(column.what) or super()._parser(column)

    # --- the rows -----------------------------------------------------------------------------

    def _groups(self) -> Iterator[tuple[str, Rows]]:
        """Yield the rows of each product; of one to be ignored, those that name it."""
        for name, rows in super()._groups():
            self._asked = self._command("command", rows)
            self.expects = _EXPECTS.get(self._asked, "")
            if name or self._asked != "IGNORE":
                yield name, rows

    def _product(self, rows: Rows, name: str) -> Product | None:
        if self._asked != "IGNORE":
            return super()._product(rows, name)
        self._variant_rows = []
        return Product.model_validate({name: rows[0][1][self.naming[name]].strip()})

    def _command(self, which: str, rows: Rows) -> str:
        """Return the one command of a product, MERGE where there is none."""
        index = self._commands.get(which, -1)
        if index < 0:
            return "MERGE"
        said: dict[str, int] = {}
        for row, cells in rows:
            fields: list[Field] = [(index, which, _PARSERS["command"])]
            for command in scalars(fields, cells, row, self.report).values():
                said.setdefault(command, row)
        if len(said) > 1:
            command, row = list(said.items())[1]
            message = f"Another row of this product says {next(iter(said))}"
            self.report.add(row, self.names[which], command, message, "Give it one command")
        return next(iter(said), "MERGE")

    def _delete(self, rows: Rows, name: str) -> bool:
        delete = self._asked == "DELETE"
        if delete and not name:
            self._refuse(rows, "command", "The row names a variant only", "Fill ID or Handle")
        return delete

    def _refuse(self, rows: Rows, which: str, message: str, remedy: str) -> None:
        self.report.add(rows[0][0], self.names[which], "", message, remedy)

    def _settle(self, fields: dict[str, Any], rows: Rows) -> None:
        """Put together what several columns say about a product."""
        self._tag(fields, rows)
        if "published" in fields:
            fields["channels"] = (ONLINE_STORE,) if fields.pop("published") else ()
        modes = dict.fromkeys(_LISTS, "replace") if self._asked == "REPLACE" else {}
        for which, field in (("variants.command", "variants"), ("image.command", "media")):
            command = self._command(which, rows)
            if command == "REPLACE":
                modes[field] = "replace"
            elif command == "DELETE":
                self._refuse(
                    rows,
                    which,
                    f"A plan can't take single {field} out by DELETE",
                    f"List the {field} to keep, with REPLACE",
                )
        self._images(fields, rows)
        if modes:
            fields["modes"] = modes

    def _tag(self, fields: dict[str, Any], rows: Rows) -> None:
        command = fields.pop("tags_command", "REPLACE")
        if command == "REPLACE" or "tags" not in fields:
            return
        tags = fields.pop("tags")
        if command in ("MERGE", "DELETE") and tags:
            fields["tags+" if command == "MERGE" else "tags-"] = tags
        elif command not in ("MERGE", "DELETE"):
            self._refuse(
                rows, "tags_command", f"Tags have no {command}", "Write MERGE, DELETE or REPLACE"
            )

    def _images(self, fields: dict[str, Any], rows: Rows) -> None:
        """Give a product the pictures of its rows; a cell may name several."""
        media: dict[str, dict[str, Any]] = {}
        self._media_rows = []
        for row, cells in rows:
            item = scalars(self.image, cells, row, self.report)
            urls = item.pop("url", ())
            if item and not urls:
                name = f"image.{next(iter(item))}"
                message = "The row describes a picture and has no address of it"
                self.report.add(row, self.names[name], "", message, "Fill Image Src")
            for url in urls:
                if url not in media:
                    media[url] = {"url": url, **item}
                    self._media_rows.append(row)
        if media:
            fields["media"] = list(media.values())

    def _option_names(self, fields: dict[str, Any], rows: Rows) -> list[str]:
        """Return a product's option names, from its first row, and give it the options."""
        row, first = rows[0]
        self.options = []
        for number in sorted(self._numbered):
            parts = self._numbered[number]
            name = first[parts["name"]].strip() if "name" in parts else ""
            if name and "value" in parts:
                self.options.append((name, parts["value"]))
            elif "value" in parts and first[parts["value"]].strip():
                column = self.report.header[parts["value"]]
                message = "The option value has no option name"
                self.report.add(row, column, "", message, f"Fill Option{number} Name")
        if [name for name, _ in self.options] == [NO_OPTION[0]]:
            places = {cells[self.options[0][1]].strip() for _, cells in rows}
            if places <= {"", NO_OPTION[1]}:
                self.options = []
        names = [name for name, _ in self.options]
        if names:
            fields["options"] = [{"name": name} for name in names]
        return names

    def _lone(self, row: int, cells: list[str]) -> None:
        """Say nothing: the option columns belong to products."""

    def _assemble(self, values: dict[str, Any], row: int, cleared: list[Column]) -> dict[str, Any]:
        """Return the fields of a product or a variant, from the values of its cells."""
        fields = super()._assemble(values, row, cleared)
        of_variant = cleared is self._cleared[True]
        fields.pop("adjust", None)
        if "policy" in fields:
            fields["oversell"] = fields.pop("policy")
        if of_variant and "variants.tracker" in self.columns:
            fields["tracked"] = bool(fields.pop("tracker", ""))
        unit = fields.pop("weight_unit", self.context.weight_unit)
        if of_variant and fields.get("weight") is not None:
            fields["weight"] = {"value": fields["weight"], "unit": unit}
            if not unit:
                del fields["weight"]
                index = self.report.header.index(self.names["weight"])
                message = "Nothing says the unit of the weights"
                remedy = "Fill Variant Weight Unit, or name it with --weight-unit kg"
                self.report.cell(row, index, "", BadCell(message, remedy, once=True))
        return fields

    def _spot(self, path: str, row: int, product: Any) -> tuple[int, str]:
        if path.startswith("media."):
            return self._media_rows[int(path.split(".")[1])], self.names["image.url"]
        return super()._spot(path, row, product)
