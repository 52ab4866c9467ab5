"""Reads the rows of WooCommerce's product CSV into products."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any, Literal

from storebridge.formats.base import Context
from storebridge.formats.cells import BadCell, Field, closest, key_of, plain, scalars, validated
from storebridge.formats.keys import FileKeys
from storebridge.formats.paths import CategoryPath
from storebridge.formats.pictures import checked
from storebridge.formats.table import Table
from storebridge.formats.woocommerce_cells import (
    NAMESPACE,
    parsers,
    paths,
    split,
    type_of,
)
from storebridge.formats.woocommerce_columns import (
    BY_NAME,
    LENGTH_UNITS,
    NUMBERED,
    OFFER,
    OWN,
    SIZED,
    WEIGHT_UNITS,
)
from storebridge.formats.woocommerce_rows import Rows
from storebridge.models import Money, Product
from storebridge.models.prices import TwoPrices, from_two_prices

__all__ = ["Reader"]

#: Types whose row is no offer of its own.
_PARENTS = ("variable", "grouped")
#: Keys of a product's own columns that the exporter fills in variations' rows too.
_REPEATED: dict[str, object] = {
    "featured": False,
    "catalog_visibility": "visible",
    "reviews_allowed": False,
}
_NOT_IN_VARIATIONS = {*OWN, *_REPEATED, "short_description", "categories", "tags"}
_NOT_IN_VARIATIONS |= {"upsell_ids", "cross_sell_ids", "brands"}
_NOT_IN_VARIATIONS -= {"menu_order", "parent"}


class Reader:
    """Turns rows into products; what each column means is worked out once."""

    def __init__(self, table: Table, context: Context) -> None:
        self.table, self.report, self.context = table, table.report, context
        self.fields: list[Field] = []
        self.index: dict[str, int] = {}
        self.units: dict[str, str] = {}
        self.meta: list[Field] = []
        self.unknown: list[Field] = []
        self.attributes: dict[int, dict[str, int]] = defaultdict(dict)
        self.downloads: dict[int, dict[str, int]] = defaultdict(dict)
        self.named: list[CategoryPath] = []
        self.delete = False
        self.expects: Literal["", "new", "existing"] = ""
        self._rows: list[int] = []
        self._parsers = parsers(context)
        self._survey()
        self.unusable = not self.index.keys() & {"sku", "id"}
        if self.unusable:
            self.report.add(
                1,
                "SKU",
                "",
                "The columns that name a product are missing",
                "Add a column SKU or ID, or translate one with --header 'OWN=SKU'",
            )

    # --- the header ---------------------------------------------------------------------------

    def _survey(self) -> None:
        seen: dict[str, str] = {}
        for index, header in enumerate(self.table.header):
            own, key = self.report.header[index], key_of(header)
            if not header:
                if not own:
                    self._header("", "A column has no name", "Name it, or delete it")
            elif key in seen:
                self._header(own, f"This is the same column as {seen[key]!r}", "Keep one of them")
            else:
                seen[key] = own
                self._column(index, own, header)

    def _header(self, column: str, message: str, remedy: str) -> None:
        self.report.add(1, column, "", message, remedy)

    def _column(self, index: int, own: str, header: str) -> None:
        column = BY_NAME.get(key_of(header))
        sized = SIZED.fullmatch(header)
        if column is not None or sized:
            key = column.key if column else sized[1].casefold() if sized else ""
            self.index[key] = index
            self.fields.append((index, key, self._parsers.get(key, plain)))
            if key in ("weight", "length", "width", "height"):
                self._unit(index, key, own, sized[2].strip().casefold() if sized else "")
        elif numbered := NUMBERED.fullmatch(header):
            what, number, part = (text.casefold() for text in numbered.groups() if text)
            group = self.attributes if what == "attribute" else self.downloads
            group[int(number)][part] = index
        elif header.casefold().startswith("meta: "):
            self.meta.append((index, header[6:].strip(), None))
        elif close := closest(header, BY_NAME):
            self._header(
                own,
                f"There is no such column; {BY_NAME[close].name} is close",
                f"Correct the name, or leave the column out with --header '{own}='",
            )
        else:
            self.unknown.append((index, header, None))

    def _unit(self, index: int, key: str, own: str, unit: str) -> None:
        units: dict[str, Any] = dict(WEIGHT_UNITS if key == "weight" else LENGTH_UNITS)
        given = self.context.weight_unit if key == "weight" else self.context.length_unit
        if unit and unit not in units:
            self._header(
                own, "This unit isn't known", f"Use one of: {', '.join(units)}, in the header"
            )
        self.units[key] = units.get(unit, "") if unit else given

    # --- the rows -----------------------------------------------------------------------------

    def keep(self, rows: Rows, row: int, cells: list[str]) -> None:
        """Put a row on disk, with what finds it again."""

        def text(key: str) -> str:
            return cells[self.index[key]].strip() if key in self.index else ""

        kind = "variation" if not text("type") and text("parent") else type_of(text("type"))
        rows.paths.update(dict.fromkeys(paths(text("categories"))))
        if kind == "variation" and not text("parent"):
            self._at(row, "parent", "", "The variation names no parent", "Write the parent's SKU")
            return
        rows.add(row, kind, text("sku"), text("id"), text("parent"), cells)

    def orphans(self, rows: Rows) -> None:
        """Report the variations whose parent isn't in the file."""
        for row, parent in rows.orphans():
            self._at(
                row,
                "parent",
                parent,
                "No variable product of the file has this SKU or ID",
                "Add the parent's row, or correct the name",
            )

    def note(self, used: FileKeys, row: int, product: Product) -> None:
        """Keep the keys of a product that was just read, to find those that come twice."""
        if product.sku:
            used.add("sku", product.sku, row, row)
        for variant, at in zip(product.variants, self._rows, strict=True):
            if variant.sku:
                used.add("sku", variant.sku, row, at)

    def repeated(self, key: str, row: int, first: int) -> None:
        """Report a SKU that another product has already."""
        message = f"Row {first} has this SKU already, in another product"
        self._at(row, "sku", key, message, "Give each product and variation a SKU of its own")

    def _at(self, row: int, key: str, value: str, message: str, remedy: str) -> None:
        column = self.report.header[self.index[key]] if key in self.index else key
        self.report.add(row, column, value, message, remedy)

    def product(
        self,
        row: int,
        cells: list[str],
        children: list[tuple[int, list[str]]],
        handles: dict[CategoryPath, str],
    ) -> Product | None:
        """Return the product of a row and its variations' rows; None if it has problems."""
        values = scalars(self.fields, cells, row, self.report)
        kind, virtual, downloadable = values.pop("type", ("simple", None, None))
        command = values.pop("command", "")
        self.delete = command == "delete"
        self.expects = "" if self.delete else command
        fields, platform = self._own(values, cells, row, handles)
        self._rows = []
        if kind in _PARENTS:
            _move(values, {"sku": "sku"}, fields)
            self._inherited(values, platform)
            platform |= {"virtual": True} if virtual else {}
            platform |= {"downloadable": True} if downloadable else {}
            platform |= {"downloads": files} if (files := self._downloads(cells)) else {}
        else:
            offer = self._offer(values, cells, row)
            if virtual is not None:
                offer |= {"virtual": virtual, "downloadable": downloadable, "options": ()}
                fields["options"] = ()
            fields |= {"variants": [offer]} if offer else {}
            self._rows = [row] if offer else []
        attributes = self._attributes(cells)
        if kind == "variable":
            attributes = self._variations(fields, attributes, children)
        if attributes:
            fields["attributes"] = attributes
        if kind != ("variable" if fields.get("options") else "simple"):
            platform["type"] = kind
        _platform(fields, platform)
        return self._validated(fields, row)

    def _own(
        self, values: dict[str, Any], cells: list[str], row: int, handles: dict[CategoryPath, str]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return a product's own fields and platform fields; what is left is its offer."""
        fields: dict[str, Any] = {}
        _move(values, _PRODUCT, fields)
        self.named = values.pop("categories", [])
        if self.named:
            fields["collections"] = tuple(dict.fromkeys(handles[path] for path in self.named))
        if images := values.pop("images", ()):
            fields["media"] = [{"url": url} for url in images]
        if metafields := self._metafields(cells, row):
            fields["metafields"] = metafields
        platform: dict[str, Any] = {}
        _move(values, {key: key for key in OWN}, platform)
        if unknown := scalars(self.unknown, cells, row, self.report):
            platform["columns"] = unknown
        return fields, platform

    def _validated(self, fields: dict[str, Any], row: int) -> Product | None:
        product = validated(fields, row, self.report)
        if product is None:
            return None
        product, findings = checked(product, self.context)
        for finding in findings:
            at, key = self._spot(finding.path, row, product)
            column = self.report.header[self.index[key]] if key in self.index else key
            self.report.found(at, column, finding)
        return product

    def _spot(self, path: str, row: int, product: Product) -> tuple[int, str]:
        """Return the row and the column's key that a path in the model came from."""
        head, _, rest = path.partition(".")
        if head != "variants":
            return row, _COLUMN_OF.get(head, head)
        place, _, field = rest.partition(".")
        name = field.partition(".")[0]
        if name == "price":
            variant = product.variants[int(place)]
            name = "lower" if variant.compare_at_price is not None else "price"
        if name == "dimensions":
            return self._rows[int(place)], field.rpartition(".")[2]
        return self._rows[int(place)], _COLUMN_OF.get(name, name)

    # --- offers -------------------------------------------------------------------------------

    def _inherited(self, values: dict[str, Any], platform: dict[str, Any]) -> None:
        """Keep what a parent's row says for all its variations."""
        for key in OFFER:
            if key in values:
                platform[key] = _json(values.pop(key))
                if key in self.units:
                    unit = "weight_unit" if key == "weight" else "dimension_unit"
                    platform[unit] = self.units[key]

    def _offer(self, values: dict[str, Any], cells: list[str], row: int) -> dict[str, Any]:
        """Return a variant's fields from a row's values."""
        offer: dict[str, Any] = {}
        platform: dict[str, Any] = {}
        _move(values, {"sku": "sku", "cost_of_goods": "cost", "tax_class": "tax_class"}, offer)
        if "global_unique_id" in values:
            offer["barcodes"] = (values.pop("global_unique_id"),)
        self._prices(values, offer, platform)
        self._stock(values, offer, platform)
        self._sizes(values, offer, row)
        tax = values.pop("tax_status", "")
        offer |= {"taxable": tax == "taxable"} if tax else {}
        platform |= {"tax_status": tax} if tax == "shipping" else {}
        if downloads := self._downloads(cells):
            offer["downloads"] = downloads
        _move(values, {key: key for key in OFFER}, platform)
        _platform(offer, platform)
        return offer

    def _prices(
        self, values: dict[str, Any], offer: dict[str, Any], platform: dict[str, Any]
    ) -> None:
        regular, lower = values.pop("regular_price", None), values.pop("sale_price", None)
        start, end = (values.pop(f"date_on_sale_{side}", None) for side in ("from", "to"))
        start = start and start[0]
        end = end and end[1]
        if lower is None:
            dates = {"date_on_sale_from": start, "date_on_sale_to": end}
            platform |= {key: date.isoformat() for key, date in dates.items() if date}
            start = end = None
        prices = from_two_prices(TwoPrices(regular, lower, start, end))
        offer |= {key: value for key, value in prices.items() if value is not None}

    def _stock(
        self, values: dict[str, Any], offer: dict[str, Any], platform: dict[str, Any]
    ) -> None:
        quantity = values.pop("stock_quantity", None)
        if quantity == "parent":
            platform["manage_stock"] = "parent"
        elif "stock_quantity" in self.index:
            offer["tracked"] = quantity is not None
        if isinstance(quantity, int):
            place = {"location": self.context.location} if self.context.location else {}
            offer["inventory"] = [{**place, "available": quantity}]
        backorders = values.pop("backorders", "")
        offer |= {"oversell": backorders != "no"} if backorders else {}
        platform |= {"backorders": backorders} if backorders == "notify" else {}

    def _sizes(self, values: dict[str, Any], offer: dict[str, Any], row: int) -> None:
        sides = {}
        for key in ("weight", "length", "width", "height"):
            if key not in values:
                continue
            size = {"value": values.pop(key), "unit": self.units[key]}
            if not size["unit"]:
                option = "--weight-unit kg" if key == "weight" else "--length-unit cm"
                bad = BadCell(
                    f"Nothing says the unit of {key}",
                    f"Write it into the header, or name it with {option}",
                    once=True,
                )
                self.report.cell(row, self.index[key], "", bad)
            elif key == "weight":
                offer["weight"] = size
            else:
                sides[key] = size
        if sides:
            offer["dimensions"] = sides

    def _downloads(self, cells: list[str]) -> list[dict[str, str]]:
        found = (
            {key: text for key, at in parts.items() if (text := cells[at].strip())}
            for _, parts in sorted(self.downloads.items())
        )
        return [download for download in found if download.get("url")]

    def _metafields(self, cells: list[str], row: int) -> list[dict[str, str]]:
        found = scalars(self.meta, cells, row, self.report)
        return [{"namespace": NAMESPACE, "key": k, "value": value} for k, value in found.items()]

    # --- attributes, options and variations ---------------------------------------------------

    def _attributes(self, cells: list[str]) -> list[dict[str, Any]]:
        """Return a row's attributes with their flags."""
        found = []
        for _, parts in sorted(self.attributes.items()):
            texts = {part: cells[at].strip() for part, at in parts.items()}
            if not texts.get("name"):
                continue
            attribute: dict[str, Any] = {"name": texts["name"]}
            if values := split(texts.get("value(s)", "")):
                attribute["values"] = values
            if texts.get("visible"):
                attribute["visible"] = texts["visible"] == "1"
            flags: dict[str, Any] = {}
            if texts.get("global"):
                flags["global"] = texts["global"] == "1"
            if texts.get("default"):
                flags["default"] = texts["default"]
            _platform(attribute, flags)
            found.append(attribute)
        return found

    def _variations(
        self,
        fields: dict[str, Any],
        attributes: list[dict[str, Any]],
        children: list[tuple[int, list[str]]],
    ) -> list[dict[str, Any]]:
        """Give a parent its options and variants; return the attributes that make none."""
        choices = [
            {item["name"]: item.get("values", ("",))[0] for item in self._attributes(cells)}
            for _, cells in children
        ]
        used = {name for choice in choices for name in choice}
        options = [attribute for attribute in attributes if attribute["name"] in used]
        names = [option["name"] for option in options]
        variants = []
        for (row, cells), choice in zip(children, choices, strict=True):
            for name in choice.keys() - set(names):
                self._at(
                    row,
                    "parent",
                    name,
                    "The parent has no such attribute",
                    "Add the attribute to the parent's row, with its values",
                )
            variant = self._variation(row, cells)
            variant["options"] = [choice.get(name, "") for name in names]
            variants.append(variant)
        self._rows = [row for row, _ in children]
        if variants:
            fields |= {"variants": variants, "options": list(map(_as_option, options))}
        return [attribute for attribute in attributes if attribute["name"] not in used]

    def _variation(self, row: int, cells: list[str]) -> dict[str, Any]:
        values = scalars(self.fields, cells, row, self.report)
        for key in ("parent", "command"):
            values.pop(key, None)
        _, virtual, downloadable = values.pop("type", ("", None, None))
        variant: dict[str, Any] = {}
        _move(values, _VARIATION, variant)
        columns = scalars(self.unknown, cells, row, self.report)
        for key in sorted(_NOT_IN_VARIATIONS & values.keys()):
            if values.pop(key) != _REPEATED.get(key):
                at = self.index[key]
                columns[self.table.header[at]] = cells[at]
        if images := values.pop("images", ()):
            variant["media"] = images
        variant |= self._offer(values, cells, row)
        if virtual is not None:
            variant |= {"virtual": virtual, "downloadable": downloadable}
        if metafields := self._metafields(cells, row):
            variant["metafields"] = metafields
        if columns:
            own = variant.setdefault("platform_fields", {NAMESPACE: {}})
            own[NAMESPACE]["columns"] = columns
        return variant


#: Which of a product's fields a column's key fills.
_PRODUCT = {
    "id": "id",
    "name": "title",
    "status": "status",
    "featured": "featured",
    "catalog_visibility": "visibility",
    "short_description": "short_description_html",
    "description": "description_html",
    "tags": "tags",
    "upsell_ids": "upsells",
    "cross_sell_ids": "cross_sells",
    "brands": "brand",
}
_VARIATION = {
    "id": "id",
    "name": "title",
    "status": "status",
    "description": "description_html",
    "menu_order": "position",
}
#: Which column a field came from, for messages.
_COLUMN_OF = {field: key for key, field in _PRODUCT.items()} | {
    "media": "images",
    "collections": "categories",
    "price": "regular_price",
    "compare_at_price": "regular_price",
    "lower": "sale_price",
    "sale": "sale_price",
    "cost": "cost_of_goods",
    "options": "parent",
}


def _as_option(attribute: dict[str, Any]) -> dict[str, Any]:
    """Return an attribute as an option; its visibility is WooCommerce's own."""
    option: dict[str, Any] = {key: attribute[key] for key in ("name", "values") if key in attribute}
    flags = dict(attribute.get("platform_fields", {}).get(NAMESPACE, {}))
    if "visible" in attribute:
        flags["visible"] = attribute["visible"]
    _platform(option, flags)
    return option


def _move(values: dict[str, Any], names: dict[str, str], target: dict[str, Any]) -> None:
    for key, name in names.items():
        if key in values:
            target[name] = values.pop(key)


def _platform(fields: dict[str, Any], values: dict[str, Any]) -> None:
    if values:
        fields["platform_fields"] = {NAMESPACE: values}


def _json(value: Any) -> Any:
    """Return a cell's value as JSON has it."""
    if isinstance(value, Money):
        return f"{value.amount:f}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, tuple):  # the two ends of a date
        return value[0].isoformat()
    return value
