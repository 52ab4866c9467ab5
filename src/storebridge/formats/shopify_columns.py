"""The columns of Shopify's product CSV: current and legacy names, and what each one means.

Sources: Shopify Help Center, "Using CSV files to import and export products", and its product
CSV template; legacy names from shopifypartners/product-csvs.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from storebridge.formats.cells import key_of

__all__ = [
    "ALIASES",
    "COLUMNS",
    "DISTINCT",
    "GOOGLE",
    "INCLUDED",
    "MARKET",
    "METAFIELD",
    "Column",
    "known",
    "numeric",
    "rank",
]

Scope = Literal["product", "option", "variant", "image", "platform"]


class Column(NamedTuple):
    """A standard column: its two names, whose it is, and the key of its value."""

    current: str
    legacy: str
    scope: Scope
    key: str
    numeric: bool = False

    def name(self, variant: str) -> str:
        """Return the name in one of the two sets."""
        return self.legacy if variant == "legacy" else self.current


def _option(number: int) -> tuple[Column, ...]:
    return tuple(
        Column(f"Option{number} {current}", f"Option{number} {legacy}", "option", f"{key}{number}")
        for current, legacy, key in (
            ("name", "Name", "name"),
            ("value", "Value", "value"),
            ("Linked To", "Linked To", "linked_to"),
        )
    )


def _google(*names: tuple[str, str]) -> tuple[Column, ...]:
    return tuple(
        Column(
            f"Google Shopping / {current}",
            f"Google Shopping / {legacy}",
            "platform",
            "google " + current,
        )
        for current, legacy in names
    )


#: In the order in which Shopify's template has them. The values of "platform" columns go to
#: `platform_fields["shopify"]`: the model has no field for them.
COLUMNS: tuple[Column, ...] = (
    Column("Title", "Title", "product", "title"),
    Column("URL handle", "Handle", "product", "handle"),
    Column("Description", "Body (HTML)", "product", "description_html"),
    Column("Vendor", "Vendor", "product", "vendor"),
    Column("Product category", "Product Category", "product", "category"),
    Column("Type", "Type", "product", "product_type"),
    Column("Tags", "Tags", "product", "tags"),
    Column("Published on online store", "Published", "product", "channels"),
    Column("Status", "Status", "product", "status"),
    Column("SKU", "Variant SKU", "variant", "sku"),
    Column("Barcode", "Variant Barcode", "variant", "barcodes"),
    Column("Variant Barcodes", "Variant Barcodes", "variant", "barcodes"),
    *_option(1),
    *_option(2),
    *_option(3),
    Column("Price", "Variant Price", "variant", "price", True),
    Column("Compare-at price", "Variant Compare At Price", "variant", "compare_at_price", True),
    Column("Cost per item", "Cost per item", "variant", "cost", True),
    Column("Charge tax", "Variant Taxable", "variant", "taxable"),
    Column("Tax code", "Variant Tax Code", "variant", "tax_class"),
    Column(
        "Unit price total measure",
        "Unit Price Total Measure",
        "platform",
        "unit_price_total_measure",
        True,
    ),
    Column(
        "Unit price total measure unit",
        "Unit Price Total Measure Unit",
        "platform",
        "unit_price_total_measure_unit",
    ),
    Column(
        "Unit price base measure",
        "Unit Price Base Measure",
        "platform",
        "unit_price_base_measure",
        True,
    ),
    Column(
        "Unit price base measure unit",
        "Unit Price Base Measure Unit",
        "platform",
        "unit_price_base_measure_unit",
    ),
    Column("Inventory tracker", "Variant Inventory Tracker", "variant", "tracker"),
    Column("Inventory quantity", "Variant Inventory Qty", "variant", "inventory", True),
    Column("Continue selling when out of stock", "Variant Inventory Policy", "variant", "oversell"),
    Column("Weight value (grams)", "Variant Grams", "variant", "grams", True),
    Column("Weight unit for display", "Variant Weight Unit", "variant", "weight_unit"),
    Column("Packed product length", "Packed product length", "variant", "length", True),
    Column("Packed product width", "Packed product width", "variant", "width", True),
    Column("Packed product height", "Packed product height", "variant", "height", True),
    Column(
        "Packed product dimension unit", "Packed product dimension unit", "variant", "length_unit"
    ),
    Column("Requires shipping", "Variant Requires Shipping", "variant", "requires_shipping"),
    Column("Fulfillment service", "Variant Fulfillment Service", "platform", "fulfillment_service"),
    Column("Product image URL", "Image Src", "image", "url"),
    Column("Image position", "Image Position", "image", "position", True),
    Column("Image alt text", "Image Alt Text", "image", "alt"),
    Column("Variant image URL", "Variant Image", "variant", "media"),
    Column("Gift card", "Gift Card", "product", "gift_card"),
    Column("SEO title", "SEO Title", "product", "seo_title"),
    Column("SEO description", "SEO Description", "product", "seo_description"),
    *_google(
        ("Google product category", "Google Product Category"),
        ("Gender", "Gender"),
        ("Age group", "Age Group"),
        ("Manufacturer part number (MPN)", "MPN"),
        ("Ad group name", "AdWords Grouping"),
        ("Ads labels", "AdWords Labels"),
        ("Condition", "Condition"),
        ("Custom product", "Custom Product"),
        ("Custom label 0", "Custom Label 0"),
        ("Custom label 1", "Custom Label 1"),
        ("Custom label 2", "Custom Label 2"),
        ("Custom label 3", "Custom Label 3"),
        ("Custom label 4", "Custom Label 4"),
    ),
    Column("Command", "Command", "product", "command"),  # not Shopify's: DELETE
)

#: Every name of every standard column, as headers are compared.
ALIASES: dict[str, Column] = {
    key_of(name): column for column in COLUMNS for name in (column.current, column.legacy)
}

METAFIELD = re.compile(
    r".*\((product|variant)\.metafields\.([^.()]+)\.([^()]+)\)\s*", re.IGNORECASE | re.DOTALL
)
MARKET = re.compile(r"(included|price|compare[- ]at price) / (.+)", re.IGNORECASE | re.DOTALL)
GOOGLE = re.compile(r"google shopping / (.+)", re.IGNORECASE | re.DOTALL)
#: What "Included / <Market>" is called in the reader's plan.
INCLUDED = "included"

_SHARED = frozenset(
    map(key_of, ("Type", "SKU", "Description", "Tags", "Published", "Barcode", "Command"))
)
#: The names that no other format has.
DISTINCT = frozenset(ALIASES) - _SHARED


def known(header: str) -> bool:
    """Return whether a header is one of the standard ones."""
    return key_of(header) in ALIASES


def numeric(header: str) -> bool:
    """Return whether a column holds numbers."""
    column = ALIASES.get(key_of(header))
    if column is not None:
        return column.numeric
    market = MARKET.fullmatch(header)
    return market is not None and market[1].casefold() != INCLUDED


def rank(header: str) -> int:
    """Return where a column stands in a file that is written."""
    column = ALIASES.get(key_of(header))
    return COLUMNS.index(column) if column else len(COLUMNS)
