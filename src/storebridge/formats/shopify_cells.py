"""The cells of Shopify's product CSV: what they hold, and how it becomes values and text."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
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
    plain,
    word,
)
from storebridge.models import InventoryLevel, Weight
from storebridge.models.units import WeightUnit

__all__ = ["NO_OPTION", "ONLINE_STORE", "STATUSES", "grams_of", "parsers", "weight_of"]

#: The name of the channel that the `Published` column is about.
ONLINE_STORE = "Online Store"
#: What a product without options has in its first option columns.
NO_OPTION = ("Title", "Default Title")
#: The statuses that Shopify has.
STATUSES = ("active", "draft", "archived", "unlisted")

_WEIGHT_UNITS = {unit: unit for unit in ("g", "kg", "oz", "lb")}
_LENGTH_UNITS = {unit: unit for unit in ("mm", "cm", "m", "in", "ft", "yd")}
_OVERSELL = {"continue": True, "true": True, "deny": False, "false": False}


def parsers(context: Context) -> dict[str, Callable[[str], Any]]:
    """Return what reads each key's cells; keys that are missing are plain text."""
    money = money_in(context.currency)
    return {
        "tags": _tags,
        "channels": lambda text: (ONLINE_STORE,) if boolean(text) else (),
        "status": word("status", {name: name for name in STATUSES}),
        "gift_card": boolean,
        "command": word("command", COMMANDS),
        "vendor": plain,
        "product_type": plain,
        "category": plain,
        "variants.sku": code,
        "variants.Barcode": lambda text: (code(text),),
        "variants.Variant Barcodes": lambda text: tuple(map(code, _tags(text))),
        "variants.price": money,
        "variants.compare_at_price": money,
        "variants.cost": money,
        "variants.taxable": boolean,
        "variants.inventory": lambda text: _inventory(text, context.location),
        "variants.oversell": word("inventory policy", _OVERSELL),
        "variants.grams": _grams,
        "variants.weight_unit": word("weight unit", _WEIGHT_UNITS),
        "variants.length": decimal,
        "variants.width": decimal,
        "variants.height": decimal,
        "variants.length_unit": word("length unit", _LENGTH_UNITS),
        "variants.requires_shipping": boolean,
        "variants.media": lambda text: (text.strip(),),
        "media.url": plain,
        "media.position": integer,
    }


def _grams(text: str) -> Decimal:
    """Return a weight, told as the cell has it if it can't be one."""
    grams = decimal(text)
    if grams < 0:
        raise BadCell("This can't be below zero", "Write 0 or more")
    return grams


def _tags(text: str) -> tuple[str, ...]:
    return tuple(tag for part in text.split(",") if (tag := part.strip()))


@lru_cache(maxsize=4096)
def _inventory(text: str, location: str) -> tuple[InventoryLevel, ...]:
    level = InventoryLevel(available=integer(text))
    return (level.but(location=location) if location else level,)


@lru_cache(maxsize=4096)
def weight_of(grams: Decimal, unit: WeightUnit) -> Weight:
    """Return grams in a display unit: the shortest number that is as many grams."""
    exact = Weight(value=grams, unit="g").to(unit)
    for digits in range(28):
        weight = Weight(value=round(exact, digits), unit=unit)
        if grams_of(weight) == grams_of(Weight(value=exact, unit=unit)):
            return weight
    return Weight(value=exact, unit=unit)


def grams_of(weight: Weight) -> str:
    """Return a weight in grams as a cell holds it: exact, or to the milligram from oz and lb."""
    grams = weight.to("g")
    if weight.unit in ("oz", "lb"):
        grams = round(grams, 3)
    return f"{grams.normalize():f}"
