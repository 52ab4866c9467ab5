"""Weights and sizes, in the shop's units: those of offers, and those of a parent for all of them.

A variable or grouped product has a weight and a size too, which its variations take where they have
none. They are platform fields, with their units: `weight` and `weight_unit`, `length`, `width`,
`height` and `dimension_unit` (WooCommerce's product table has them so).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from storebridge.errors import Rejected
from storebridge.models import Dimensions, Length, Product, Variant, Weight
from storebridge.wire import amount
from storebridge_woocommerce.site import Facts

__all__ = [
    "ALONE",
    "PARENT_SIZES",
    "normal",
    "of_offer",
    "of_parent",
    "parent_body",
    "parent_normal",
    "sent",
]

_SIDES = ("length", "width", "height")
_UNITS = ("weight_unit", "dimension_unit")
#: A parent's own fields.
PARENT_SIZES = ("weight", *_SIDES, *_UNITS)
#: Why a product without variations has none of them.
ALONE = "a product without options has its weight and size in its variant"

Doc = Mapping[str, Any]


# ----------------------------------------------------------------------------------------- offers


def of_offer(doc: Doc, facts: Facts) -> dict[str, Any]:
    """Return the weight and the dimensions of an offer's JSON, as a variant's fields."""
    if not doc["weight"] and not any(doc["dimensions"].values()):
        return {"weight": None, "dimensions": None}
    weight, unit = _number(doc["weight"]), facts.length_unit
    sides = {name: _number(doc["dimensions"].get(name, "")) for name in _SIDES}
    size = None
    if any(sides.values()):
        size = Dimensions(
            **{n: v if v is None else Length(value=v, unit=unit) for n, v in sides.items()}
        )
    return {
        "weight": None if weight is None else Weight(value=weight, unit=facts.weight_unit),
        "dimensions": size,
    }


def sent(desired: Variant, facts: Facts) -> dict[str, Any]:
    """Return the JSON of a variant's weight and dimensions.

    Raises:
        Rejected: if one is below zero.
    """
    body: dict[str, Any] = {}
    if "weight" in desired.given:
        weight = desired.weight
        body["weight"] = _measure(weight.to(facts.weight_unit)) if weight else ""
    if "dimensions" in desired.given:
        size = desired.dimensions
        sides = {name: getattr(size, name, None) for name in _SIDES}
        asked = size.given if size else _SIDES
        body["dimensions"] = {
            name: _measure(side.to(facts.length_unit)) if side else ""
            for name, side in sides.items()
            if name in asked
        }
    return body


def normal(desired: Variant, facts: Facts) -> dict[str, Any]:
    """Return a variant's weight and dimensions in the shop's units, where it has others."""
    new: dict[str, Any] = {}
    if desired.weight is not None and desired.weight.unit != facts.weight_unit:
        value = Decimal(_measure(desired.weight.to(facts.weight_unit)))
        new["weight"] = Weight(value=value, unit=facts.weight_unit)
    if desired.dimensions is not None:
        sides = {name: getattr(desired.dimensions, name) for name in desired.dimensions.given}
        new["dimensions"] = Dimensions(
            **{name: side and _length(side, facts) for name, side in sides.items()}
        )
    return new


# ---------------------------------------------------------------------------------------- parents


def of_parent(doc: Doc, facts: Facts) -> dict[str, str]:
    """Return a parent's own weight and size, as platform fields; "" for what it hasn't got."""
    texts = {"weight": doc["weight"], **{name: doc["dimensions"][name] for name in _SIDES}}
    numbers = {name: _number(text) for name, text in texts.items()}
    told = {name: "" if value is None else _digits(value) for name, value in numbers.items()}
    return {**told, "weight_unit": facts.weight_unit, "dimension_unit": facts.length_unit}


def parent_body(own: Mapping[str, Any], live: Product | None, facts: Facts) -> dict[str, Any]:
    """Return the JSON of a parent's own weight and size.

    Raises:
        Rejected: if one is no number, its unit isn't known, or the live product is no parent.
    """
    told = {name: _converted(name, own, facts) for name in ("weight", *_SIDES) if name in own}
    sides = {name: told[name] for name in _SIDES if name in told}
    weight = {"weight": told["weight"]} if "weight" in told else {}
    if told and live is not None and live.variants and not live.options:
        raise Rejected(ALONE, fields={f"platform_fields.woocommerce.{n}": "fixed" for n in told})
    return {**weight, **({"dimensions": sides} if sides else {})}


def parent_normal(own: Mapping[str, Any], facts: Facts) -> dict[str, str]:
    """Return a parent's own weight and size in the shop's units, as far as they are given."""
    new: dict[str, str] = {}
    for name in ("weight", *_SIDES):
        if name in own:
            try:
                new[name] = _converted(name, own, facts)
            except Rejected:  # it is refused when it is sent
                new[name] = str(own[name])
    units = zip(_UNITS, (facts.weight_unit, facts.length_unit), strict=True)
    return new | {name: unit for name, unit in units if name in own}


def _converted(name: str, own: Mapping[str, Any], facts: Facts) -> str:
    text = str(own[name] if own[name] is not None else "").strip()
    if not text:
        return ""
    try:
        if name == "weight":
            unit = own.get("weight_unit") or facts.weight_unit
            return _measure(Weight(value=Decimal(text), unit=unit).to(facts.weight_unit))
        unit = own.get("dimension_unit") or facts.length_unit
        return _measure(Length(value=Decimal(text), unit=unit).to(facts.length_unit))
    except (ArithmeticError, ValueError) as error:
        raise Rejected(
            f"{text!r} is no {name} in {unit!r}",
            fields={f"platform_fields.woocommerce.{name}": "invalid"},
            remedy="Write a number, and a unit that WooCommerce knows.",
        ) from error


# ---------------------------------------------------------------------------------------- numbers


def _measure(value: Decimal) -> str:
    """Return a weight or a length as it is kept: plain digits, six of them behind the dot."""
    if value < 0:
        raise Rejected(f"{value} is below zero", fields={"variants.weight": "negative"})
    return _digits(round(value, 6))


def _digits(value: Decimal) -> str:
    return amount(value.normalize() if value else Decimal(0))


def _length(side: Length, facts: Facts) -> Length:
    if side.unit == facts.length_unit:
        return side
    return Length(value=Decimal(_measure(side.to(facts.length_unit))), unit=facts.length_unit)


def _number(text: Any) -> Decimal | None:
    try:
        value = Decimal(str(text).strip()) if text not in ("", None) else None
    except InvalidOperation:
        return None
    return value if value is None or value.is_finite() else None
