"""Variants and options: a product without options has exactly one variant, whatever its SKU."""

from __future__ import annotations

from typing import TypeVar

from storebridge.compare.diff import pairs
from storebridge.compare.match import Doubt
from storebridge.models import Option, Product, Record, Variant

__all__ = ["misfit", "with_only"]

R = TypeVar("R", bound=Record)


def with_only(desired: R, live: Record) -> R:
    """Return a product whose one variant has the id of the live one's, where there are no options.

    Writing it under a new SKU changes that variant, so that has to be compared with it.
    """
    if not isinstance(desired, Product) or not isinstance(live, Product):
        return desired
    if len(desired.variants) != 1 or len(live.variants) != 1 or desired.options or _width(live):
        return desired
    ((variant, held),) = pairs(desired.variants, live.variants)
    if held is not None or variant.options or variant.id:
        return desired
    known = variant.model_copy(update={"id": live.variants[0].id})
    return desired.model_copy(update={"variants": (known,)})


def misfit(desired: Record, live: Record | None) -> Doubt | None:
    """Return why a desired variant has no place in its product, None where all have one.

    Args:
        desired: what is asked for.
        live: what the store has; None for a new record.
    """
    if not isinstance(desired, Product) or len(desired.variants) < (2 if live is None else 1):
        return None
    if live is None:
        return None if _width(desired) else _alike(desired)
    if not isinstance(live, Product):
        return None
    had, given = _width(live), "options" in desired.given
    width = len(desired.options) if given else had
    if not width and not had:
        return _surplus(desired, live)
    if all(len(each.options) == width for each in desired.variants):
        return None
    options = desired.options if given else live.options
    for variant, held in pairs(desired.variants, live.variants):
        if held is None and len(variant.options) != width:
            return _unplaced(variant, options, live, width)
    return None


def _alike(new: Product) -> Doubt:
    named = ", ".join(_word(each) for each in new.variants)
    message = f"{new.label!r} would be new, with several variants and no options: {named}"
    return Doubt("invalid", message, "Give it options, and each variant its values.")


def _width(live: Product) -> int:
    """Return how many options a product has; its variants tell where only they were read."""
    return max(len(live.options), *(len(each.options) for each in live.variants), 0)


def _surplus(desired: Product, live: Product) -> Doubt | None:
    """Return a doubt where a product without options would get a second variant."""
    found = pairs(desired.variants, live.variants)
    if len(live.variants) != 1 or (len(desired.variants) == 1 and all(held for _, held in found)):
        return None
    (only,) = live.variants
    others = (_word(each) for each in desired.variants if not each.sku or each.sku != only.sku)
    message = (
        f"{live.label!r} has no options, so that {_word(only)} is its only variant; asked for "
        f"besides: {', '.join(others)}"
    )
    remedy = "Give one variant, under no other id; or options, and each variant its values."
    return Doubt("invalid", message, remedy)


def _unplaced(variant: Variant, options: tuple[Option, ...], live: Product, width: int) -> Doubt:
    names = ", ".join(option.name for option in options)
    message = (
        f"the new variant {_word(variant)} of {live.label!r} has {len(variant.options)} option "
        f"values instead of {width}{names and f' ({names})'}"
    )
    return Doubt("invalid", message, "Give the variant a value of each option.")


def _word(variant: Variant) -> str:
    """Return a person's word for a variant: its SKU, and the id under which it is asked for."""
    number = variant.id and f"id {variant.id}"
    return f"{variant.sku!r}{number and f' ({number})'}" if variant.sku else number or "one more"
