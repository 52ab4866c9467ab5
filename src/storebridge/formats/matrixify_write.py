"""Writes products as Matrixify's Products sheet: what the own sheet holds, in its words."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from storebridge.formats.base import Context, Loss
from storebridge.formats.cells import Losses
from storebridge.formats.matrixify_columns import (
    HEADERS,
    column_of,
    market_header,
    metafield_header,
    numeric,
    rank,
)
from storebridge.formats.sheet_cells import commas, lines
from storebridge.formats.sheet_columns import Column
from storebridge.formats.sheet_columns import column_of as sheet_column
from storebridge.formats.sheet_write import SheetWriter
from storebridge.formats.shopify_cells import NO_OPTION, ONLINE_STORE
from storebridge.formats.table import Spool, fits
from storebridge.models import Product, Record

__all__ = ["write"]

Row = dict[str, str]

_MOST_OPTIONS = 3
#: Columns of the own sheet that `_product` and `_pictures` write from the product itself.
_APART = {"options", "media.url", "tags", "tags+", "tags-", "channels", "collections"}
_APART |= {"collections+"}
#: What goes without saying where Matrixify has no column.
_DEFAULTS = {"visibility": "visible", "variants.status": "active"}
_DEFAULTS |= dict.fromkeys(("featured", "virtual", "downloadable"), "FALSE")
#: Where a blank cell changes nothing, so that it need not be said.
_HARMLESS = (
    "id",
    "handle",
    "option",
    "image",
    "inventory",
    "metafield:",
    "variant metafield:",
    "variant inventory qty",
    "variant position",
    "variant weight unit",
)


def write(path: Path, records: Iterable[Record], context: Context) -> list[Loss]:
    """Write the products among some records; return what the file could not hold."""
    losses = Losses()
    writer = _Writer(SheetWriter(context, losses))
    with closing(writer.sheet.handles), Spool(losses, rank, numeric) as spool:
        spool.column("Handle")
        spool.column("Command")
        for record in records:
            if not isinstance(record, Product):
                losses.add(record.kind, "record", record.label)
                continue
            for row in _safe(writer.product(record), path, writer.sheet):
                spool.add(row, record)
        writer.blanks.report(losses)
        spool.write(path, context)
    return losses.all()


def _safe(rows: list[Row], path: Path, sheet: SheetWriter) -> list[Row]:
    """Return the rows of a product, to be passed over where a cell would be blank and clear."""
    if all(fits(text, path) for row in rows for text in row.values()):
        return rows
    sheet.lost("any change (Command is IGNORE, since a cell that is too long would clear)")
    return [{**row, "Command": "IGNORE"} for row in rows]


class _Blanks:
    """Counts the products and variants whose blank cells would clear what nobody gave."""

    def __init__(self) -> None:
        self._lacking: dict[str, tuple[int, str]] = {}
        self._rows: dict[bool, tuple[int, str]] = {True: (0, ""), False: (0, "")}

    def add(self, row: Row, label: str, *, of_variant: bool) -> None:
        """Note which cells a row fills, of a product or of a variant."""
        count, first = self._rows[of_variant]
        mine = {name for name in row if name.startswith("Variant ") == of_variant}
        for name in mine:
            if not name.casefold().startswith(_HARMLESS) and not name.endswith("Command"):
                self._lacking.setdefault(name, (count, first))
        for name, (lacking, example) in self._lacking.items():
            if name not in mine and name.startswith("Variant ") == of_variant:
                self._lacking[name] = lacking + 1, example or label
        self._rows[of_variant] = count + 1, first or label

    def report(self, losses: Losses) -> None:
        """Say which columns have blank cells that Matrixify takes as a wish to clear."""
        for name, (count, example) in self._lacking.items():
            for _ in range(count):
                losses.add("product", f"{name} (not given: Matrixify clears it)", example)


class _Writer:
    """Turns products into rows of cells by column name."""

    def __init__(self, sheet: SheetWriter) -> None:
        self.sheet = sheet
        self.blanks = _Blanks()

    def product(self, product: Product) -> list[Row]:
        """Return the rows of a product; none where the file can't hold it at all."""
        rows = self.sheet.product(product.without("modes"))
        if len(product.options) > _MOST_OPTIONS:
            self.sheet.lost(f"record (over {_MOST_OPTIONS} options)")
            return []
        found = [self._row(row, product) for row in rows]
        self._product(product, found[0])
        self._modes(product, found)
        self._pictures(product, found)
        self.blanks.add(found[0], product.label, of_variant=False)
        for row in found[: len(product.variants)]:
            self.blanks.add(row, product.label, of_variant=True)
        if "Handle" not in found[0] and "ID" not in found[0]:
            self.sheet.lost("handle (Matrixify finds products by it)")
        names = Row({name: found[0][name] for name in ("Handle", "ID") if name in found[0]})
        return [{**names, "Command": "MERGE", **row} for row in found]

    def _row(self, cells: Row, product: Product) -> Row:
        """Return a row of the own sheet under Matrixify's names."""
        row = Row()
        places = {option.name: number for number, option in enumerate(product.options, 1)}
        for name, text in cells.items():
            column = sheet_column(name)
            if column is None or column.path in _APART or name == "media.alt":
                continue
            if column.path == "variants.options":
                number = places[column.args[0]]
                row[f"Option{number} Name"] = column.args[0]
                row[f"Option{number} Value"] = text
            elif header := self._header(column):
                row[header] = self._one(column, text)
                if column.what == "weight" and column.unit:
                    row["Variant Weight Unit"] = column.unit
            elif column.header in ("tracked", "oversell"):
                row.update(_stock(column.header, text == "TRUE"))
            elif text and text != _DEFAULTS.get(column.header):
                self.sheet.lost(column.path)
        if product.variants and not product.options and "sku" in cells:
            row["Option1 Name"], row["Option1 Value"] = NO_OPTION
        return row

    def _one(self, column: Column, text: str) -> str:
        """Return a cell; of several barcodes or pictures of a variant, the first."""
        if column.header not in ("barcodes", "variants.media"):
            return text
        first, *others = (commas(text) if column.header == "barcodes" else lines(text)) or ("",)
        if others:
            self.sheet.lost(column.path)
        return first

    def _header(self, column: Column) -> str:
        """Return the header of a column of the own sheet, "" where there is none."""
        args, base = column.args, column.path.rpartition(".")[2]
        header = HEADERS.get(column.header, "")
        if base == "weight":
            header = HEADERS["weight"]
        elif base == "metafields":
            owner = "variants." if column.of_variant else ""
            header = metafield_header(owner, args[0], args[1], column.unit)
        elif base == "market_prices":
            header = market_header(args[1], args[0])
        elif base == "inventory" and args:
            header = f"Inventory Available: {args[0]}"
        read = column_of(header) if header else None
        return header if read is not None and read.place == column.place else ""

    def _product(self, product: Product, row: Row) -> None:
        given = product.given
        edits = {"tags": "REPLACE", "tags_add": "MERGE", "tags_remove": "DELETE"}
        for place, field in enumerate(name for name in edits if name in given):
            if place:
                self.sheet.lost(f"{field} (beside another change of the tags)")
                continue
            row["Tags"] = self._list(getattr(product, field), "tags")
            row["Tags Command"] = edits[field]
        if "channels" in given:
            row["Published"] = "TRUE" if ONLINE_STORE in product.channels else "FALSE"
            if set(product.channels) - {ONLINE_STORE}:
                self.sheet.lost("channels")
        if collections := (*product.collections, *product.collections_add):
            row["Custom Collections"] = self._list(collections, "collections")

    def _list(self, values: tuple[str, ...], field: str) -> str:
        text = ", ".join(values)
        if commas(text) != values:
            self.sheet.lost(f"{field} (with a comma)")
        return text

    def _modes(self, product: Product, rows: list[Row]) -> None:
        for field, mode in product.modes.items():
            if mode == "replace" and field not in ("variants", "media"):
                self.sheet.lost(f"modes.{field}")
        command = "REPLACE" if product.modes.get("variants") == "replace" else "MERGE"
        for row in rows[: len(product.variants)]:
            row["Variant Command"] = command

    def _pictures(self, product: Product, rows: list[Row]) -> None:
        command = "REPLACE" if product.modes.get("media") == "replace" else "MERGE"
        for place, media in enumerate(item for item in product.media if item.url):
            if place == len(rows):
                rows.append({})
            rows[place] |= {"Image Src": media.url, "Image Command": command}
            if "alt" in media.given:
                rows[place]["Image Alt Text"] = media.alt
            if media.position is not None:
                rows[place]["Image Position"] = str(media.position)
            if ";" in media.url:
                self.sheet.lost("media.url (with a semicolon)")


def _stock(header: str, value: bool) -> Row:
    if header == "tracked":
        return {"Variant Inventory Tracker": "shopify" if value else ""}
    return {"Variant Inventory Policy": "continue" if value else "deny"}
