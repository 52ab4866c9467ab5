"""Writes products as WooCommerce's product CSV, with the category paths of collections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import Any

from storebridge.formats.base import Context, Loss
from storebridge.formats.cells import Amounts, Losses, filled
from storebridge.formats.table import Spool
from storebridge.formats.woocommerce_cells import (
    BACKORDERS,
    NAMESPACE,
    STATUSES,
    STOCK,
    join,
    listed,
    zone_of,
)
from storebridge.formats.woocommerce_columns import (
    BY_KEY,
    LENGTH_UNITS,
    OFFER,
    OWN,
    WEIGHT_UNITS,
    numeric,
    rank,
)
from storebridge.models import (
    Attribute,
    Collection,
    Download,
    Length,
    Location,
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
from storebridge.models.prices import to_two_prices

__all__ = ["write"]

Row = dict[str, str]

_STATUSES = {status: cell for cell, status in STATUSES.items()}
_STOCK = {status: cell for cell, status in STOCK.items()}
_BACKORDERS = {answer: cell for cell, answer in reversed(BACKORDERS.items())}
_UNIT_NAMES: dict[str, str] = {
    unit: name for name, unit in (*WEIGHT_UNITS.items(), *LENGTH_UNITS.items())
}
_UNIT_NAMES["lb"] = "lbs"
_HELD = {"id", "sku", "title", "description_html", "short_description_html", "brand", "tags"}
_HELD |= {"status", "visibility", "featured", "options", "variants", "attributes", "media"}
_HELD |= {"collections", "upsells", "cross_sells", "metafields", "platform_fields"}
_OFFER_HELD = {"sku", "barcodes", "options", "price", "compare_at_price", "sale", "cost"}
_OFFER_HELD |= {"inventory", "tracked", "oversell", "weight", "dimensions", "taxable"}
_OFFER_HELD |= {"tax_class", "virtual", "downloadable", "downloads", "metafields"}
_OFFER_HELD |= {"platform_fields"}
_VARIATION_HELD = {"id", "title", "description_html", "status", "position", "media"} | _OFFER_HELD


def write(path: Path, records: Iterable[Record], context: Context) -> list[Loss]:
    """Write the products among some records; return what the file could not hold."""
    losses = Losses()
    writer = _Writer(context, losses)
    with Spool(losses, rank, numeric) as spool:
        for key in ("id", "type", "sku", "name"):
            spool.column(BY_KEY[key].name)
        for record in records:
            if isinstance(record, Collection):
                writer.collection(record)
            elif isinstance(record, Product):
                for row in writer.product(record):
                    spool.add(row, record)
            elif not isinstance(record, Location):  # quantities say where they lie
                losses.add(record.kind, "record", record.label)
        writer.unused()
        # WooCommerce's exporter writes the mark, and spreadsheets need it to see UTF-8.
        spool.write(path, context, mark=True)
    return losses.all()


class _Writer:
    """Turns products into rows of cells by column name."""

    def __init__(self, context: Context, losses: Losses) -> None:
        self.context, self.losses = context, losses
        self.zone = zone_of(context.time_zone)
        self.amounts = Amounts(context.currency)
        self.units: dict[str, str] = {}
        self._collections: dict[str, Collection] = {}
        self._used: set[str] = set()
        self._label = ""

    def lost(self, field: str) -> None:
        """Note that the product at hand has something that the file can't hold."""
        self.losses.add("product", field, self._label)

    def collection(self, collection: Collection) -> None:
        """Keep a collection for the paths of the products in it."""
        self._collections[collection.handle] = collection
        for field in filled(collection, {"handle", "title", "parent", "products"}):
            self.losses.add("collection", field, collection.label)

    def unused(self) -> None:
        """Note the collections that no product is in: the file has no place for them."""
        for handle in self._collections.keys() - self._used:
            self.losses.add("collection", "record (without products)", handle)

    def product(self, product: Product) -> list[Row]:
        """Return the rows of a product; none where the file can't hold it at all."""
        self._label = product.label
        own = dict(product.platform_fields.get(NAMESPACE, {}))
        parent = bool(product.options) or own.get("type") in ("variable", "grouped")
        if len(product.variants) > 1 and not product.options:
            self.lost("record (variants without options)")
            return []
        row = self._own(product)
        kind = str(own.pop("type", "variable" if product.options else "simple"))
        only = product.variants[0] if product.variants and not parent else None
        self._platform(own, row, "")
        rows = [row]
        if parent:
            self._type(row, kind, bool(own.get("virtual")), bool(own.get("downloadable")))
            # What a grouped product sells are other products.
            variants = () if kind == "grouped" else product.variants
            rows += self._variations(product, variants, row)
        else:
            if kind != "simple" or "options" in product.given or _says_goods(only):
                self._type(row, kind, only and only.virtual, only and only.downloadable)
            if only is not None:
                self._offer(only, row)
                self._unheld(only, _OFFER_HELD | _implied(only, 1), "variants.")
            if product.sku:
                self.lost("sku (beside a variant's)") if only and only.sku else None
                row.setdefault(BY_KEY["sku"].name, product.sku)
        return rows

    def _type(
        self, row: Row, kind: str, virtual: object = False, downloadable: object = False
    ) -> None:
        flags = {"downloadable": downloadable, "virtual": virtual}
        row[BY_KEY["type"].name] = ", ".join([kind, *(name for name, on in flags.items() if on)])

    def _unheld(self, model: Model, held: set[str], prefix: str = "") -> None:
        for field in filled(model, held):
            self.lost(prefix + field)

    # --- the product --------------------------------------------------------------------------

    def _own(self, product: Product) -> Row:
        row = Row()
        for field, key in _TEXTS.items():
            if field in product.given:
                row[BY_KEY[key].name] = getattr(product, field)
        for field, key in (("short_description_html", "short_description"), _DESCRIPTION):
            if field in product.given:
                row[BY_KEY[key].name] = _broken(getattr(product, field))
        if "featured" in product.given:
            row[BY_KEY["featured"].name] = _bool(product.featured)
        self._status(product, row, "")
        self._list(product, row)
        self._metafields(product.metafields, row, "")
        for platform in product.platform_fields.keys() - {NAMESPACE}:
            self.lost(f"platform_fields.{platform}")
        for number, attribute in enumerate(product.attributes, len(product.options) + 1):
            self._attribute(number, attribute, row)
        self._unheld(product, _HELD)
        return row

    def _status(self, model: Product | Variant, row: Row, prefix: str) -> None:
        if "status" in model.given:
            row[BY_KEY["status"].name] = _STATUSES.get(model.status, "")
            if model.status not in _STATUSES:
                self.lost(f"{prefix}status")

    def _list(self, product: Product, row: Row) -> None:
        given = product.given
        lists = {"tags": product.tags, "upsells": product.upsells}
        lists |= {"cross_sells": product.cross_sells}
        for field, values in lists.items():
            if field in given:
                key = {"upsells": "upsell_ids", "cross_sells": "cross_sell_ids"}.get(field, field)
                row[BY_KEY[key].name] = listed(values) if key != field else join(values)
                if any(v.endswith("\\") or v.startswith(("handle:", "key:")) for v in values):
                    self.lost(field)
        if "media" in given:
            row[BY_KEY["images"].name] = join(item.url for item in product.media if item.url)
            for item in product.media:
                self._unheld(item, {"url"}, "media.")
        if "collections" in given:
            row[BY_KEY["categories"].name] = join(map(self._path, product.collections))

    def _path(self, handle: str) -> str:
        """Return the category path of a collection, made of the titles above it."""
        names: list[str] = []
        seen: set[str] = set()
        while handle and handle not in seen:
            seen.add(handle)
            collection = self._collections.get(handle)
            title = (collection.title if collection else "") or handle
            names.insert(0, title)
            if slug(title) != handle and not handle.endswith(f"-{slug(title)}"):
                self.losses.add("collection", "handle", handle)
            handle = collection.parent if collection else ""
        self._used |= seen
        if any(">" in name for name in names):
            self.losses.add("collection", "title (with a >)", names[-1])
        return " > ".join(names)

    def _metafields(self, metafields: Iterable[Metafield], row: Row, prefix: str) -> None:
        for meta in metafields:
            if meta.namespace != NAMESPACE:
                self.lost(f"{prefix}metafields (outside {NAMESPACE})")
                continue
            row[f"Meta: {meta.key}"] = meta.value
            if meta.type:
                self.lost(f"{prefix}metafields.type")

    def _attribute(self, number: int, item: Attribute | Option, row: Row) -> None:
        flags = dict(item.platform_fields.get(NAMESPACE, {}))
        visible = flags.get("visible")
        if isinstance(item, Attribute) and "visible" in item.given:
            visible = item.visible
        cells = {"name": item.name, "value(s)": join(item.values)}
        cells |= {"visible": _bool(visible)} if visible is not None else {}
        cells |= {"global": _bool(flags["global"])} if "global" in flags else {}
        cells |= {"default": str(flags["default"])} if "default" in flags else {}
        row |= {f"Attribute {number} {part}": text for part, text in cells.items()}

    def _platform(self, values: Mapping[str, Any], row: Row, prefix: str) -> None:
        """Write WooCommerce's own fields of a product or a variation."""
        allowed = OFFER if prefix else (*OFFER, *OWN)
        for key, value in values.items():
            if key == "columns":
                row |= {str(header): str(text) for header, text in value.items()}
            elif key == "manage_stock":
                row[BY_KEY["stock_quantity"].name] = str(value)
            elif key == "downloads":
                self._downloads([Download.model_validate(item) for item in value], row)
            elif key in ("weight", "length", "width", "height") and not prefix:
                if value in (None, ""):  # as the API gives what nobody has entered
                    continue
                unit = values.get("weight_unit" if key == "weight" else "dimension_unit")
                self._size(key, Decimal(str(value)), str(unit or ""), row, prefix)
            elif key in allowed:
                row[BY_KEY[key].name] = _cell(key, value)
            elif key not in ("weight_unit", "dimension_unit", "virtual", "downloadable"):
                self.lost(f"{prefix}platform_fields.{NAMESPACE}.{key}")

    # --- offers -------------------------------------------------------------------------------

    def _offer(self, variant: Variant, row: Row) -> None:
        given = variant.given
        for field in ("sku", "tax_class"):
            if field in given:
                row[BY_KEY[field].name] = getattr(variant, field)
        if "barcodes" in given:
            row[BY_KEY["global_unique_id"].name] = next(iter(variant.barcodes), "")
            if len(variant.barcodes) > 1:
                self.lost("variants.barcodes (more than one)")
        if "cost" in given:
            row[BY_KEY["cost_of_goods"].name] = self._amount(variant.cost, "cost")
        if "taxable" in given:
            row[BY_KEY["tax_status"].name] = "taxable" if variant.taxable else "none"
        self._prices(variant, row)
        self._stock(variant, row)
        self._sizes(variant, row)
        self._downloads(variant.downloads, row)
        self._metafields(variant.metafields, row, "variants.")
        for platform in variant.platform_fields.keys() - {NAMESPACE}:
            self.lost(f"variants.platform_fields.{platform}")
        self._platform(variant.platform_fields.get(NAMESPACE, {}), row, "variants.")

    def _prices(self, variant: Variant, row: Row) -> None:
        if not variant.given & {"price", "compare_at_price", "sale"}:
            return
        sale = variant.sale
        if sale is not None and (self.zone is None and (sale.starts_at or sale.ends_at)):
            self.lost("variants.sale (without a time zone)")
            variant = variant.without("sale")
        try:
            prices = to_two_prices(variant)
        except ValueError:
            self.lost("variants.compare_at_price")
            prices = to_two_prices(variant.without("compare_at_price"))
        row[BY_KEY["regular_price"].name] = self._amount(prices.regular, "price")
        if variant.given & {"compare_at_price", "sale"}:
            row[BY_KEY["sale_price"].name] = self._amount(prices.lower, "price")
        for key, date in (("from", prices.starts_at), ("to", prices.ends_at)):
            if date is not None:
                text = f"{date.astimezone(self.zone or UTC):%Y-%m-%d %H:%M:%S}"
                row[BY_KEY[f"date_on_sale_{key}"].name] = text

    def _amount(self, money: Money | None, field: str) -> str:
        return self.amounts.text(money, self.lost, f"variants.{field}")

    def _stock(self, variant: Variant, row: Row) -> None:
        if variant.given & {"inventory", "tracked"}:
            levels = variant.inventory
            counted = len(levels) == 1 and variant.tracked
            row[BY_KEY["stock_quantity"].name] = str(levels[0].available) if counted else ""
            if len(levels) > 1:
                self.lost("variants.inventory (several locations)")
            elif levels and not variant.tracked:
                self.lost("variants.inventory (not tracked)")
            elif levels and levels[0].location not in ("", self.context.location):
                self.lost("variants.inventory.location")
            elif variant.tracked and not levels:
                self.lost("variants.tracked (without a quantity)")
        if "oversell" in variant.given:
            row[BY_KEY["backorders"].name] = _bool(variant.oversell)

    def _sizes(self, variant: Variant, row: Row) -> None:
        weight, sizes = variant.weight, variant.dimensions
        if weight is not None:
            self._size("weight", weight.value, weight.unit, row, "variants.")
        for side in ("length", "width", "height"):
            size: Length | None = getattr(sizes, side) if sizes is not None else None
            if size is not None:
                self._size(side, size.value, size.unit, row, "variants.")

    def _size(self, key: str, value: Decimal, unit: str, row: Row, prefix: str) -> None:
        """Write a number under the file's one unit for it: the first that was met."""
        what = "weight" if key == "weight" else "length"
        common = self.units.setdefault(what, unit)
        if unit and unit != common:
            model: Any = Weight if what == "weight" else Length
            size = model.model_validate({"value": value, "unit": unit})
            value = round(size.to(common), 12).normalize()
            back = model.model_validate({"value": value, "unit": common})
            if back.to(unit) != size.value:
                self.lost(f"{prefix}{key} (rounded)")
        suffix = f" ({_UNIT_NAMES.get(common, common)})" if common else ""
        row[f"{BY_KEY[key].name}{suffix}"] = f"{value:f}"

    def _downloads(self, downloads: Iterable[Download], row: Row) -> None:
        for number, download in enumerate(downloads, 1):
            for field, part in (("id", "ID"), ("name", "name"), ("url", "URL")):
                if field in download.given:
                    row[f"Download {number} {part}"] = getattr(download, field)

    # --- variations ---------------------------------------------------------------------------

    def _variations(self, product: Product, variants: tuple[Variant, ...], row: Row) -> list[Row]:
        if "sku" in product.given:
            row[BY_KEY["sku"].name] = product.sku
        for number, option in enumerate(product.options, 1):
            self._attribute(number, option, row)
        if not variants:
            return []
        parent = product.sku or (f"id:{product.id}" if product.id else "")
        if not parent:
            self.lost("sku (the handle stands in for it)")
            parent = row[BY_KEY["sku"].name] = product.handle or slug(product.title)
        return [
            self._variation(product, place, variant, parent)
            for place, variant in enumerate(variants, 1)
        ]

    def _variation(self, product: Product, place: int, variant: Variant, parent: str) -> Row:
        row: Row = {BY_KEY["parent"].name: parent}
        for field, key in (("id", "id"), ("title", "name")):
            if field in variant.given:
                row[BY_KEY[key].name] = getattr(variant, field)
        if "description_html" in variant.given:
            row[BY_KEY["description"].name] = _broken(variant.description_html)
        if variant.position is not None:
            row[BY_KEY["menu_order"].name] = str(variant.position)
        if "media" in variant.given:
            row[BY_KEY["images"].name] = join(variant.media)
        if _says_goods(variant):  # without a type, the parent makes it a variation
            self._type(row, "variation", variant.virtual, variant.downloadable)
        self._status(variant, row, "variants.")
        self._offer(variant, row)
        pairs = zip(product.options, variant.options, strict=False)
        for number, (option, value) in enumerate(pairs, 1):
            flags = option.platform_fields.get(NAMESPACE, {})
            row[f"Attribute {number} name"] = option.name
            row[f"Attribute {number} value(s)"] = join([value])
            if "global" in flags:
                row[f"Attribute {number} global"] = _bool(flags["global"])
        self._unheld(variant, _VARIATION_HELD | _implied(variant, place), "variants.")
        return row


_TEXTS = {"id": "id", "title": "name", "visibility": "catalog_visibility", "brand": "brands"}
_DESCRIPTION = ("description_html", "description")


def _implied(variant: Variant, place: int) -> set[str]:
    """Return the fields that other cells or the row's place say already."""
    implied = {"position"} if variant.position == place else set()
    if variant.requires_shipping != variant.virtual:
        implied.add("requires_shipping")
    return implied


def _says_goods(variant: Variant | None) -> bool:
    return variant is not None and bool(variant.given & {"virtual", "downloadable"})


def _broken(text: str) -> str:
    r"""Return a description whose literal `\n` is not taken for a line break."""
    return text.replace("\\n", "\\\\n")


def _cell(key: str, value: Any) -> str:
    """Return one of WooCommerce's own values as its cell holds it."""
    if isinstance(value, bool):
        return _bool(value)
    if isinstance(value, list | tuple):
        return listed(map(str, value))
    words = {"stock_status": _STOCK, "backorders": _BACKORDERS}.get(key, {})
    return words.get(str(value), str(value))


def _bool(value: object) -> str:
    return "1" if value else "0"
