"""The columns of WooCommerce's product CSV and what each one means.

Source: WooCommerce 11.0's own exporter and importer (`class-wc-product-csv-exporter.php`,
`class-wc-product-csv-importer.php`).
A store writes the headers in its own language, and its units into them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from storebridge.formats.cells import key_of
from storebridge.models.units import LengthUnit, WeightUnit

__all__ = [
    "BY_KEY",
    "BY_NAME",
    "COLUMNS",
    "DISTINCT",
    "LENGTH_UNITS",
    "NUMBERED",
    "OFFER",
    "OWN",
    "SIZED",
    "WEIGHT_UNITS",
    "Column",
    "known",
    "numeric",
    "rank",
]


class Column(NamedTuple):
    """A standard column; `key` is what WooCommerce's REST API calls the field, where it has it."""

    name: str
    key: str
    numeric: bool = False


#: In the order of the exporter.
COLUMNS: tuple[Column, ...] = (
    Column("ID", "id", True),
    Column("Type", "type"),
    Column("SKU", "sku"),
    Column("GTIN, UPC, EAN, or ISBN", "global_unique_id"),
    Column("Name", "name"),
    Column("Published", "status", True),
    Column("Is featured?", "featured", True),
    Column("Visibility in catalog", "catalog_visibility"),
    Column("Short description", "short_description"),
    Column("Description", "description"),
    Column("Date sale price starts", "date_on_sale_from"),
    Column("Date sale price ends", "date_on_sale_to"),
    Column("Tax status", "tax_status"),
    Column("Tax class", "tax_class"),
    Column("In stock?", "stock_status", True),
    Column("Stock", "stock_quantity", True),
    Column("Low stock amount", "low_stock_amount", True),
    Column("Backorders allowed?", "backorders", True),
    Column("Sold individually?", "sold_individually", True),
    Column("Weight", "weight", True),
    Column("Length", "length", True),
    Column("Width", "width", True),
    Column("Height", "height", True),
    Column("Allow customer reviews?", "reviews_allowed", True),
    Column("Purchase note", "purchase_note"),
    Column("Sale price", "sale_price", True),
    Column("Regular price", "regular_price", True),
    Column("Categories", "categories"),
    Column("Tags", "tags"),
    Column("Shipping class", "shipping_class"),
    Column("Images", "images"),
    Column("Download limit", "download_limit", True),
    Column("Download expiry days", "download_expiry", True),
    Column("Parent", "parent"),
    Column("Grouped products", "grouped_products"),
    Column("Upsells", "upsell_ids"),
    Column("Cross-sells", "cross_sell_ids"),
    Column("External URL", "external_url"),
    Column("Button text", "button_text"),
    Column("Position", "menu_order", True),
    Column("Brands", "brands"),
    Column("Cost of goods", "cost_of_goods", True),
    Column("Command", "command"),  # not WooCommerce's: DELETE
)

BY_NAME = {key_of(column.name): column for column in COLUMNS}
BY_KEY = {column.key: column for column in COLUMNS}

#: Keys of columns that describe an offer: a variant's, or a parent's own for all its variations.
OFFER = (
    "global_unique_id",
    "date_on_sale_from",
    "date_on_sale_to",
    "tax_status",
    "tax_class",
    "stock_status",
    "stock_quantity",
    "low_stock_amount",
    "backorders",
    "sold_individually",
    "weight",
    "length",
    "width",
    "height",
    "sale_price",
    "regular_price",
    "shipping_class",
    "download_limit",
    "download_expiry",
    "cost_of_goods",
)
#: Keys of columns that describe a product and that the model has no field for.
OWN = (
    "reviews_allowed",
    "purchase_note",
    "menu_order",
    "grouped_products",
    "external_url",
    "button_text",
    "parent",
)

#: "Weight (lbs)": a column with its unit.
SIZED = re.compile(r"(weight|length|width|height) ?\(([^()]+)\)", re.IGNORECASE)
#: "Attribute 1 value(s)", "Download 2 URL".
NUMBERED = re.compile(
    r"(?:(attribute) (\d+) (name|value\(s\)|visible|global|default)"
    r"|(download) (\d+) (id|name|url))",
    re.IGNORECASE,
)
WEIGHT_UNITS: dict[str, WeightUnit] = {"kg": "kg", "g": "g", "lbs": "lb", "lb": "lb", "oz": "oz"}
LENGTH_UNITS: dict[str, LengthUnit] = {"m": "m", "cm": "cm", "mm": "mm", "in": "in", "yd": "yd"}

_SHARED = frozenset(
    map(key_of, ("ID", "Type", "SKU", "Description", "Tags", "Published", "Command"))
)
#: The names that no other format has.
DISTINCT = frozenset(BY_NAME) - _SHARED


def known(header: str) -> bool:
    """Return whether a header is one of the standard ones."""
    return (
        key_of(header) in BY_NAME
        or SIZED.fullmatch(header) is not None
        or NUMBERED.fullmatch(header) is not None
    )


def numeric(header: str) -> bool:
    """Return whether a column holds numbers."""
    column = BY_NAME.get(key_of(header))
    return column.numeric if column else SIZED.fullmatch(header) is not None


def rank(header: str) -> tuple[int, int, str]:
    """Return where a column stands in a file that is written."""
    sized = SIZED.fullmatch(header)
    name = key_of(sized[1] if sized else header)
    if name in BY_NAME:
        return COLUMNS.index(BY_NAME[name]), 0, ""
    if match := NUMBERED.fullmatch(header):
        what, number, part = (text for text in match.groups() if text)
        parts = ("id", "name", "value(s)", "url", "visible", "global", "default")
        return len(COLUMNS) + len(what), int(number), str(parts.index(part.casefold()))
    return len(COLUMNS) * 2, 0, ""
