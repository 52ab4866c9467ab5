"""Writes products as Shopify's product CSV, under current or legacy names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from storebridge.formats.base import Context, Loss
from storebridge.formats.cells import Amounts, Losses, filled, key_of
from storebridge.formats.keys import Names
from storebridge.formats.shopify_cells import NO_OPTION, ONLINE_STORE, STATUSES, grams_of
from storebridge.formats.shopify_columns import ALIASES, COLUMNS, METAFIELD, numeric, rank
from storebridge.formats.table import Spool
from storebridge.models import (
    Location,
    MarketPrice,
    Metafield,
    Model,
    Option,
    Product,
    Record,
    Variant,
    slug,
)

__all__ = ["write"]

Row = dict[str, str]

_TEXTS = ("title", "description_html", "vendor", "category", "product_type")
_MOST_OPTIONS = 3
_BY_KEY = {f"{column.scope} {column.key}": column for column in reversed(COLUMNS)}
_HELD = {
    *_TEXTS,
    "handle",
    "tags",
    "channels",
    "channels_remove",
    "status",
    "gift_card",
    "seo",
    "options",
}
_HELD |= {"variants", "media", "metafields", "platform_fields"}
_VARIANT_HELD = {"sku", "barcodes", "options", "price", "compare_at_price", "cost", "inventory"}
_VARIANT_HELD |= {"tracked", "oversell", "weight", "dimensions", "taxable", "tax_class"}
_VARIANT_HELD |= {"requires_shipping", "media", "market_prices", "metafields", "platform_fields"}
_UNIT_PRICES = (
    "unit_price_total_measure",
    "unit_price_total_measure_unit",
    "unit_price_base_measure",
    "unit_price_base_measure_unit",
)


def write(path: Path, records: Iterable[Record], context: Context) -> list[Loss]:
    """Write the products among some records; return what the file could not hold."""
    losses = Losses()
    writer = _Writer(context, losses)
    try:
        with Spool(losses, rank, numeric) as spool:
            spool.column(writer.name("product", "title"))
            spool.column(writer.name("product", "handle"))
            for record in records:
                if isinstance(record, Product):
                    for row in writer.product(record):
                        spool.add(row, record)
                elif not isinstance(record, Location):  # quantities say where they lie
                    losses.add(record.kind, "record", record.label)
            writer.untracked()
            spool.write(path, context)
    finally:
        writer.handles.close()
    return losses.all()


class _Writer:
    """Turns products into rows of cells by column name."""

    def __init__(self, context: Context, losses: Losses) -> None:
        self.context, self.losses = context, losses
        self.handles = Names()
        self.amounts = Amounts(context.currency)
        self._label = ""
        self._tracked, self._not_tracked, self._not_tracked_in = 0, 0, ""

    def name(self, scope: str, key: str) -> str:
        """Return the header of a standard column."""
        return _BY_KEY[f"{scope} {key}"].name(self.context.variant)

    def lost(self, field: str) -> None:
        """Note that the product at hand has something that the file can't hold."""
        self.losses.add("product", field, self._label)

    def product(self, product: Product) -> list[Row]:
        """Return the rows of a product; none where the file can't hold it at all."""
        self._label = product.label
        if len(product.options) > _MOST_OPTIONS:
            self.lost(f"record (over {_MOST_OPTIONS} options)")
            return []
        handle = self._handle(product)
        rows: list[Row] = [self._own(product)]
        self._variants(product, rows)
        self._media(product, rows)
        for row in rows:
            row[self.name("product", "handle")] = handle
        return rows

    def untracked(self) -> None:
        """Note the variants that don't say whether stock is counted, where others do."""
        if self._tracked:
            for _ in range(self._not_tracked):
                self.losses.add("product", "variants.tracked (not given)", self._not_tracked_in)

    def _handle(self, product: Product) -> str:
        if product.handle:
            self.handles.take(product.handle)
            return product.handle
        skus = [variant.sku for variant in product.variants if variant.sku]
        return self.handles.make(slug(product.title or next(iter(skus), "")) or "product")

    def _unheld(self, model: Model, held: set[str], prefix: str = "") -> None:
        for field in filled(model, held):
            self.lost(prefix + field)

    # --- the product --------------------------------------------------------------------------

    def _own(self, product: Product) -> Row:
        given, row = product.given, Row()
        for field in _TEXTS:
            if field in given:
                row[self.name("product", field)] = getattr(product, field)
        if "tags" in given:
            row[self.name("product", "tags")] = ", ".join(product.tags)
            if any("," in tag or tag != tag.strip() for tag in product.tags):
                self.lost("tags (with a comma)")
        if "gift_card" in given:
            row[self.name("product", "gift_card")] = _bool(product.gift_card)
        for field in ("title", "description"):
            if "seo" in given and field in product.seo.given:
                row[self.name("product", f"seo_{field}")] = getattr(product.seo, field)
        self._publication(product, row)
        self._metafields("product", product.metafields, row)
        self._platform(product.platform_fields, row, "")
        self._unheld(product, _HELD)
        return row

    def _publication(self, product: Product, row: Row) -> None:
        if product.given & {"channels", "channels_remove"}:
            shown = ONLINE_STORE in product.channels and ONLINE_STORE not in product.channels_remove
            row[self.name("product", "channels")] = _bool(shown)
            if set(product.channels) - {ONLINE_STORE}:
                self.lost("channels")
        if "status" in product.given:
            known = product.status in STATUSES
            row[self.name("product", "status")] = product.status if known else ""
            if not known:
                self.lost("status")

    def _metafields(self, owner: str, metafields: Iterable[Metafield], row: Row) -> None:
        prefix = "variants." if owner == "variant" else ""
        for meta in metafields:
            header = f"{meta.key} ({owner}.metafields.{meta.namespace}.{meta.key})"
            parts = METAFIELD.fullmatch(header)
            if parts is None or parts.groups() != (owner, meta.namespace, meta.key):
                self.lost(f"{prefix}metafields")
                continue
            row[header] = meta.value
            if meta.type:
                self.lost(f"{prefix}metafields.type")

    def _platform(self, fields: Mapping[str, Mapping[str, Any]], row: Row, prefix: str) -> None:
        for platform in fields:
            if platform != "shopify":
                self.lost(f"{prefix}platform_fields.{platform}")
        for key, value in fields.get("shopify", {}).items():
            for header, text in self._platform_cells(key, value, bool(prefix)):
                if not isinstance(text, str) or row.setdefault(header, text) != text:
                    self.lost(f"{prefix}platform_fields.shopify.{key}")

    def _platform_cells(self, key: str, value: Any, variant: bool) -> list[tuple[str, Any]]:
        """Return header and value of each cell for one of Shopify's own fields."""
        if key == "google_shopping" and isinstance(value, Mapping):
            headers = {name: f"Google Shopping / {name}" for name in value}
            return [
                (column.name(self.context.variant) if column else header, value[name])
                for name, header in headers.items()
                for column in [ALIASES.get(key_of(header))]
            ]
        if key == "columns" and isinstance(value, Mapping):
            return list(value.items())
        if variant and key in (*_UNIT_PRICES, "fulfillment_service"):
            return [(self.name("platform", key), value)]
        if variant and key == "weight_unit":
            return [(self.name("variant", key), value)]
        return [] if variant and key == "inventory_tracker" else [("", None)]

    def _media(self, product: Product, rows: list[Row]) -> None:
        place = 0
        for media in product.media:
            held = {"url", "alt", "position"}
            self._unheld(media, held, "media.")
            if not media.url:
                self.lost("media.url")
                continue
            if place == len(rows):
                rows.append({})
            row, place = rows[place], place + 1
            row[self.name("image", "url")] = media.url
            if "alt" in media.given:
                row[self.name("image", "alt")] = media.alt
            if "position" in media.given:
                row[self.name("image", "position")] = _text(media.position)

    # --- variants -----------------------------------------------------------------------------

    def _variants(self, product: Product, rows: list[Row]) -> None:
        for place, variant in enumerate(product.variants):
            if place == len(rows):
                rows.append({})
            row = rows[place]
            self._offer(variant, row)
            self._stock(variant, row)
            self._shipping(variant, row)
            self._markets(variant.market_prices, row)
            self._metafields("variant", variant.metafields, row)
            self._platform(variant.platform_fields, row, "variants.")
            self._unheld(variant, _VARIANT_HELD | self._implied(variant, place), "variants.")
        self._options(product, rows)

    def _implied(self, variant: Variant, place: int) -> set[str]:
        """Return the fields that the row's place and other cells say already."""
        implied = {"position"} if variant.position == place + 1 else set()
        return implied | ({"title"} if variant.title == " / ".join(variant.options) else set())

    def _offer(self, variant: Variant, row: Row) -> None:
        given = variant.given
        for field in ("sku", "tax_class"):
            if field in given:
                row[self.name("variant", field)] = getattr(variant, field)
        for field in ("price", "compare_at_price", "cost"):
            if field in given:
                row[self.name("variant", field)] = self.amounts.text(
                    getattr(variant, field), self.lost, f"variants.{field}"
                )
        if "barcodes" in given:
            several = len(variant.barcodes) > 1
            row["Variant Barcodes" if several else self.name("variant", "barcodes")] = ", ".join(
                variant.barcodes
            )
        if "taxable" in given:
            row[self.name("variant", "taxable")] = _bool(variant.taxable)
        if "media" in given:
            row[self.name("variant", "media")] = next(iter(variant.media), "")
            if len(variant.media) > 1:
                self.lost("variants.media")

    def _stock(self, variant: Variant, row: Row) -> None:
        given = variant.given
        if "tracked" in given:
            tracker = variant.platform_fields.get("shopify", {}).get("inventory_tracker", "shopify")
            row[self.name("variant", "tracker")] = str(tracker) if variant.tracked else ""
            self._tracked += 1
        else:
            self._not_tracked += 1
            self._not_tracked_in = self._not_tracked_in or self._label
        if "oversell" in given:
            row[self.name("variant", "oversell")] = "continue" if variant.oversell else "deny"
        if "inventory" in given:
            levels = variant.inventory
            row[self.name("variant", "inventory")] = (
                str(levels[0].available) if len(levels) == 1 else ""
            )
            if len(levels) > 1:
                self.lost("variants.inventory (several locations)")
            elif levels and levels[0].location not in ("", self.context.location):
                self.lost("variants.inventory.location")

    def _shipping(self, variant: Variant, row: Row) -> None:
        given = variant.given
        if "requires_shipping" in given:
            row[self.name("variant", "requires_shipping")] = _bool(variant.requires_shipping)
        if "weight" in given:
            weight = variant.weight
            row[self.name("variant", "grams")] = grams_of(weight) if weight else ""
            row[self.name("variant", "weight_unit")] = weight.unit if weight else ""
        if "dimensions" in given and variant.dimensions is not None:
            units = set()
            for side in ("length", "width", "height"):
                size = getattr(variant.dimensions, side)
                if size is not None:
                    units.add(size.unit)
                    row[self.name("variant", side)] = f"{size.value:f}"
            row[self.name("variant", "length_unit")] = next(iter(units), "")
            if len(units) > 1:
                self.lost("variants.dimensions (several units)")

    def _markets(self, prices: Iterable[MarketPrice], row: Row) -> None:
        compare = "Compare At Price" if self.context.variant == "legacy" else "Compare-at price"
        for price in prices:
            if "included" in price.given:
                row[f"Included / {price.market}"] = _bool(price.included)
            for field, header in (("price", "Price"), ("compare_at_price", compare)):
                money = getattr(price, field)
                if field in price.given:
                    row[f"{header} / {price.market}"] = f"{money.amount:f}" if money else ""

    # --- options ------------------------------------------------------------------------------

    def _options(self, product: Product, rows: list[Row]) -> None:
        if "options" not in product.given:
            if any(variant.options for variant in product.variants):
                self.lost("variants.options")
            return
        if not product.options:
            if product.variants:
                rows[0][self.name("option", "name1")] = NO_OPTION[0]
                rows[0][self.name("option", "value1")] = NO_OPTION[1]
            return
        for number, option in enumerate(product.options, 1):
            self._option(number, option, product.variants, rows)

    def _option(
        self, number: int, option: Option, variants: tuple[Variant, ...], rows: list[Row]
    ) -> None:
        rows[0][self.name("option", f"name{number}")] = option.name
        linked = option.platform_fields.get("shopify", {}).get("linked_to", "")
        if linked:
            rows[0][self.name("option", f"linked_to{number}")] = str(linked)
        values = [variant.options[number - 1 : number] for variant in variants]
        column = self.name("option", f"value{number}")
        for row, value in zip(rows, values, strict=False):
            row[column] = "".join(value)
            if not any(value):
                self.lost("variants.options (any value)")
        if option.values != tuple(dict.fromkeys(v for value in values for v in value if v)):
            self.lost("options.values")


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _text(value: object) -> str:
    return "" if value is None else str(value)
