"""Writes products as storebridge's own sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from storebridge.formats.base import Context, Loss
from storebridge.formats.cells import Losses, filled, key_of
from storebridge.formats.keys import Names
from storebridge.formats.sheet_cells import commas_text, json_text, lines_text, named_text
from storebridge.formats.sheet_columns import (
    FIXED,
    Column,
    column_of,
    inventory,
    market,
    metafield,
    numeric,
    option,
    own_field,
    rank,
    sized,
    translation,
)
from storebridge.formats.table import Spool
from storebridge.models import (
    Attribute,
    Length,
    Media,
    Metafield,
    Model,
    Money,
    Option,
    Product,
    Record,
    Variant,
    Weight,
    slug,
)

__all__ = ["SheetWriter", "write"]

Row = dict[str, str]

#: Fields that are written in another way than one value to a cell.
_OTHERWISE = {"media", "media_add", "options", "variants", "attributes", "inventory", "weight"}
_OTHERWISE |= {"metafields", "translations", "market_prices", "platform_fields", "dimensions"}
_NOT_HELD = {"modes"}
_VARIANT_NOT_HELD = {"id", "downloads"}
_SIDES = ("length", "width", "height")
#: Kinds of value whose spaces at the ends are no part of them.
_STRIPPED = ("word", "code", "status")


def write(path: Path, records: Iterable[Record], context: Context) -> list[Loss]:
    """Write the products among some records; return what the file could not hold."""
    losses = Losses()
    writer = SheetWriter(context, losses)
    try:
        with Spool(losses, rank, numeric) as spool:
            spool.column("handle")
            for record in records:
                if not isinstance(record, Product):
                    losses.add(record.kind, "record", record.label)
                    continue
                for row in writer.product(record):
                    spool.add(row, record)
            # Without the mark, a spreadsheet takes a CSV file for one in the system's encoding.
            spool.write(path, context, mark=True)
    finally:
        writer.handles.close()
    return losses.all()


class SheetWriter:
    """Turns products into rows of cells by column name."""

    def __init__(self, context: Context, losses: Losses) -> None:
        self.context, self.losses = context, losses
        self.handles = Names()
        self._label = ""
        self._currencies = {key_of(k): code for k, code in context.market_currencies.items()}
        self._texts: dict[str, Callable[[Any, str], str]] = {
            "list": self._list,
            "codes": self._list,
            "bool": lambda value, _: "TRUE" if value else "FALSE",
            "money": lambda value, path: self._money(value, context.currency, path),
            "time": lambda value, _: _time(value),
        }

    def lost(self, field: str) -> None:
        """Note that the product at hand has something that the file can't hold."""
        self.losses.add("product", field, self._label)

    def product(self, product: Product) -> list[Row]:
        """Return the rows of a product."""
        self._label = product.label
        own, rows = Row(), [Row()]
        self._plain(product, _PRODUCT, own)
        self._lists(product, own)
        self._unheld(product, set(Product.model_fields) - _NOT_HELD)
        if product.variants:
            rows = [self._variant(variant, product.options) for variant in product.variants]
            if "options" not in product.given and any(v.options for v in product.variants):
                self.lost("variants.options (without the options' names)")
        naming = self._naming(product, own, len(rows))
        return [{**(own if place == 0 else {}), **naming, **row} for place, row in enumerate(rows)]

    def _naming(self, product: Product, own: Row, rows: int) -> Row:
        """Return the cells that name the product in each of its rows."""
        for name in ("handle", "id", "key"):
            if own.get(name):
                if name == "handle":
                    self.handles.take(own[name])
                return {name: own[name]}
        if rows < 2 or not any(own.values()):
            return {}
        skus = (variant.sku for variant in product.variants if variant.sku)
        return {"handle": self.handles.make(slug(product.title or next(skus, "")) or "product")}

    def _unheld(self, model: Model, held: set[str], prefix: str = "") -> None:
        for field in filled(model, held):
            self.lost(prefix + field)

    # --- cells --------------------------------------------------------------------------------

    def _put(self, row: Row, column: Column, text: str) -> None:
        """Fill a cell, if its header is read as what it is meant for and the text as it is."""
        if _read_as(column.header) != column:
            self.lost(column.path)
            return
        row[column.header] = text
        if text and (text.isspace() or (column.what in _STRIPPED and text != text.strip())):
            self.lost(f"{column.path} (spaces around it)")

    def _plain(self, model: Model, columns: list[tuple[tuple[str, ...], Column]], row: Row) -> None:
        """Fill the cells of the given fields that have a column of their own."""
        for steps, column in columns:
            found: Any = model
            for step in steps:
                if found is None or step not in found.model_fields_set:
                    break
                found = getattr(found, step)
            else:
                self._put(row, column, self._text(found, column))

    def _text(self, value: Any, column: Column) -> str:
        if value is None:
            return ""
        text = self._texts.get(column.what)
        return text(value, column.path) if text else str(value)

    def _list(self, values: Iterable[str], path: str) -> str:
        values = tuple(values)
        if not all(values):
            self.lost(f"{path} (empty)")
        return commas_text(filter(None, values))

    def _money(self, money: Money | None, currency: str, path: str) -> str:
        if money is None:
            return ""
        if currency and money.currency != currency:
            self.lost(f"{path} (not in {currency})")
            return ""
        return f"{money.amount:f}" if currency else str(money)

    # --- the product --------------------------------------------------------------------------

    def _lists(self, product: Product, row: Row) -> None:
        given = product.given
        if "options" in given:
            row["options"] = self._named(product.options, "options.", set())
        if "attributes" in given:
            row["attributes"] = self._named(product.attributes, "attributes.", set())
        if "media" in given:
            self._media(product.media, row)
        if "media_add" in given:
            row["media+"] = lines_text(media.url for media in product.media_add if media.url)
            for media in product.media_add:
                self._unheld(media, {"url"}, "media+.")
        for text in product.translations:
            column = translation(text.field, text.locale, text.market)
            self._put(row, column, text.value)
        self._metafields("", product.metafields, row)
        self._own("", product.platform_fields, row)

    def _named(self, items: tuple[Option | Attribute, ...], prefix: str, held: set[str]) -> str:
        for item in items:
            self._unheld(item, {"name", "values", *held}, prefix)
            if not item.name or not all(item.values):
                self.lost(f"{prefix}values (empty)")
        return named_text((item.name, filter(None, item.values)) for item in items if item.name)

    def _media(self, media: tuple[Media, ...], row: Row) -> None:
        row["media"] = lines_text(item.url for item in media if item.url)
        if any(item.alt for item in media if item.url):
            row["media.alt"] = lines_text(item.alt for item in media if item.url)
        for place, item in enumerate(media, 1):
            implied = {"position"} if item.position == place else set()
            self._unheld(item, {"url", "alt", *implied}, "media.")
            if not item.url:
                self.lost("media.url")

    def _metafields(self, owner: str, metafields: Iterable[Metafield], row: Row) -> None:
        for meta in metafields:
            self._put(row, metafield(owner, meta.namespace, meta.key, meta.type), meta.value)

    def _own(self, owner: str, fields: Any, row: Row) -> None:
        for platform, values in fields.items():
            for key, value in values.items():
                self._put(row, own_field(owner, platform, key), json_text(value))

    # --- variants -----------------------------------------------------------------------------

    def _variant(self, variant: Variant, options: tuple[Option, ...]) -> Row:
        row = Row()
        self._plain(variant, _VARIANT, row)
        self._measures(variant, row)
        if "media" in variant.given:
            row["variants.media"] = lines_text(variant.media)
        for level in variant.inventory:
            bare = level.location in ("", self.context.location)
            column = FIXED["inventory"] if bare else inventory(level.location)
            self._put(row, column, str(level.available))
        self._markets(variant, row)
        self._metafields("variants.", variant.metafields, row)
        self._own("variants.", variant.platform_fields, row)
        for named, value in zip(options, variant.options, strict=False):
            self._put(row, option(named.name), value)
        if variant.options and not any(variant.options):
            self.lost("variants.options (any value)")
        if not any(row.values()):
            self.lost("variants (empty)")
        implied = {"title"} if variant.title == " / ".join(variant.options) else set()
        if implied:
            row.pop("variants.title", None)
        self._unheld(variant, set(Variant.model_fields) - _VARIANT_NOT_HELD, "variants.")
        return row

    def _measures(self, variant: Variant, row: Row) -> None:
        for name, size in _sizes(variant):
            column = sized(name, size.unit) if size else FIXED[name]
            self._put(row, column, f"{size.value:f}" if size else "")

    def _markets(self, variant: Variant, row: Row) -> None:
        for price in variant.market_prices:
            if not price.market:
                self.lost("variants.market_prices.market")
                continue
            currency = self._currencies.get(key_of(price.market), "")
            for field in ("price", "compare_at_price"):
                if field in price.given:
                    column = market(field, price.market)
                    text = self._money(getattr(price, field), currency, column.header)
                    self._put(row, column, text)
            if "included" in price.given:
                column = market("included", price.market)
                self._put(row, column, "TRUE" if price.included else "FALSE")


def _sizes(variant: Variant) -> Iterator[tuple[str, Weight | Length | None]]:
    """Yield the given measures of a variant by their columns' names."""
    if "weight" in variant.given:
        yield "weight", variant.weight
    if variant.dimensions is not None:
        for side in _SIDES:
            if side in variant.dimensions.given:
                yield f"dimensions.{side}", getattr(variant.dimensions, side)


@cache
def _read_as(header: str) -> Column | None:
    """Return what a header means when it is read again."""
    return column_of(header.strip())


def _time(time: datetime) -> str:
    return time.isoformat()


def _attribute(path: str) -> str:
    """Return the names by which a path's fields are got ("tags+" is `tags_add`)."""
    return path.replace("+", "_add").replace("-", "_remove")


def _plain_columns(prefix: str) -> list[tuple[tuple[str, ...], Column]]:
    """Return the columns of single values, with the steps to the fields in the models."""
    found = []
    for header, column in FIXED.items():
        path = column.path.removeprefix(prefix)
        ours = column.of_variant == bool(prefix) and header == column.header != "delete"
        if ours and path.partition(".")[0].rstrip("+") not in _OTHERWISE:
            found.append((tuple(_attribute(path).split(".")), column))
    return found


_PRODUCT = _plain_columns("")
_VARIANT = _plain_columns("variants.")
