"""The cells of WooCommerce's product CSV: what they hold, and how it becomes values and text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, time, tzinfo
from typing import Any

from storebridge.formats.base import Context
from storebridge.formats.cells import (
    COMMANDS,
    BadCell,
    boolean,
    code,
    decimal,
    integer,
    money_in,
    word,
)
from storebridge.formats.paths import CategoryPath

__all__ = [
    "BACKORDERS",
    "NAMESPACE",
    "STATUSES",
    "STOCK",
    "join",
    "keys",
    "listed",
    "parsers",
    "paths",
    "split",
    "type_of",
    "unbreak",
    "zone_of",
]

#: The namespace of metafields that come from `Meta: …` columns, and the platform's own name.
NAMESPACE = "woocommerce"
#: What the cells mean.
STATUSES = {"1": "active", "0": "private", "-1": "draft", "2": "pending"}
_PUBLISHED = {**STATUSES, "true": "active", "false": "draft"}
STOCK = {"1": "instock", "0": "outofstock", "backorder": "onbackorder"}
BACKORDERS = {"1": "yes", "0": "no", "yes": "yes", "no": "no", "notify": "notify"}
_TAX = {"taxable": "taxable", "shipping": "shipping", "none": "none"}
_TAX |= {"true": "taxable", "false": "none"}
_VISIBILITY = {name: name for name in ("visible", "catalog", "search", "hidden")}

_COMMA = re.compile(r"(?<!\\),")
_BREAK = re.compile(r"\\\\n|\\n")


def split(text: str) -> tuple[str, ...]:
    r"""Return the values of a list; a comma inside a value is written `\,`."""
    parts = (part.replace("\\,", ",").strip() for part in _COMMA.split(text))
    return tuple(part for part in parts if part)


def join(values: Iterable[str]) -> str:
    """Return a list as one cell holds it."""
    return ", ".join(value.replace(",", "\\,") for value in values)


def paths(text: str) -> dict[CategoryPath, None]:
    """Return the category paths of a cell in order ("Clothing > Shirts, Music")."""
    found = (tuple(name.strip() for name in path.split(">")) for path in split(text))
    return {path: None for path in found if all(path)}


def keys(text: str) -> tuple[str, ...]:
    """Return the keys of the products that a cell names ("sku:A-1", "id:7")."""
    return tuple(name if name.startswith("id:") else f"sku:{name}" for name in split(text))


def listed(names: Iterable[str]) -> str:
    """Return keys of products as a cell holds them."""
    return join(name.removeprefix("sku:") for name in names)


def unbreak(text: str) -> str:
    r"""Return a description with its line breaks; the exporter writes them as `\n`."""
    return _BREAK.sub(lambda match: "\\n" if match[0] == "\\\\n" else "\n", text)


def parsers(context: Context) -> dict[str, Callable[[str], Any]]:
    """Return what reads each key's cells; keys that are missing are plain text."""
    money, texts = money_in(context.currency), str
    return {
        "type": _types,
        "sku": code,
        "global_unique_id": code,
        "name": texts,
        "status": word("status", _PUBLISHED),
        "featured": boolean,
        "catalog_visibility": word("visibility", _VISIBILITY),
        "short_description": unbreak,
        "description": unbreak,
        "date_on_sale_from": lambda text: _dates(text, context),
        "date_on_sale_to": lambda text: _dates(text, context),
        "tax_status": word("tax status", _TAX),
        "stock_status": word("stock status", STOCK),
        "stock_quantity": lambda text: "parent" if text.strip() == "parent" else integer(text),
        "low_stock_amount": integer,
        "backorders": word("answer", BACKORDERS),
        "sold_individually": boolean,
        "weight": decimal,
        "length": decimal,
        "width": decimal,
        "height": decimal,
        "reviews_allowed": boolean,
        "purchase_note": texts,
        "sale_price": money,
        "regular_price": money,
        "categories": lambda text: list(paths(text)),
        "tags": split,
        "images": split,
        "download_limit": integer,
        "download_expiry": integer,
        "grouped_products": lambda text: list(keys(text)),
        "upsell_ids": keys,
        "cross_sell_ids": keys,
        "menu_order": integer,
        "cost_of_goods": money,
        "button_text": texts,
        "command": word("command", COMMANDS),
    }


def _types(text: str) -> tuple[str, bool, bool]:
    words = [part.strip().casefold() for part in text.split(",")]
    return type_of(text), "virtual" in words, "downloadable" in words


def type_of(text: str) -> str:
    """Return the type that a cell names apart from what it says about the goods."""
    words = (part.strip().casefold() for part in text.split(","))
    return next((w for w in words if w and w not in ("virtual", "downloadable")), "simple")


def zone_of(name: str) -> tzinfo | None:
    """Return the time zone of a name; None if there is none or it isn't known here."""
    from zoneinfo import ZoneInfo

    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None


def _dates(text: str, context: Context) -> tuple[datetime, datetime]:
    """Return when a cell's time begins and ends: a day is its first and its last second."""
    text = text.strip()
    try:
        start = datetime.fromisoformat(text)
    except ValueError:
        raise BadCell(
            "This is no date", "Write it like 2026-05-31 or 2026-05-31 18:00:00"
        ) from None
    end = start if len(text) > 10 else datetime.combine(start, time(23, 59, 59))
    if start.tzinfo is None:
        zone = zone_of(context.time_zone)
        if zone is None:
            raise BadCell(
                "Nothing says the time zone of the sales' dates",
                "Name it with --time-zone Europe/Berlin (or UTC)",
                once=True,
            )
        start, end = start.replace(tzinfo=zone), end.replace(tzinfo=zone)
    return start, end
