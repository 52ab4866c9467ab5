"""Which live variant a desired one is, and whether a change leaves the list of variants alone."""

from __future__ import annotations

from collections.abc import Mapping

from storebridge.adapter import Change
from storebridge.errors import NotFound
from storebridge.models import Product, Variant

__all__ = ["keeps_shape", "match", "named", "replaces"]


def replaces(desired: Product) -> bool:
    """Return whether a product's variants are to be those that are given, and no others."""
    return desired.modes.get("variants") == "replace" and "variants" in desired.given


def keeps_shape(change: Change[Product]) -> bool:
    """Return whether a change leaves options and the list of variants as they are."""
    desired, before = change.desired, change.before
    if change.removed.get("variants") or replaces(desired):
        return False
    if "options" in desired.given and (before is None or before.options != desired.options):
        return False
    was = {variant.id: variant for variant in before.variants} if before else {}
    for variant in desired.variants:
        if not variant.id:
            return False
        known = was.get(variant.id)
        if "options" in variant.given and (known is None or known.options != variant.options):
            return False
    return True


def match(desired: Variant, live: Product, whole_: Product) -> Variant | None:
    """Return the live variant that a desired one is: by id, SKU or options, or the only one.

    The only one of a product without options is known by its barcode too: it may get options.
    """
    if desired.id:
        return next((each for each in live.variants if each.id == desired.id), None)
    if desired.sku:
        same = [each for each in live.variants if each.sku == desired.sku]
        if len(same) == 1:
            return same[0]
    alone = live.variants[0] if len(live.variants) == 1 and not live.options else None
    if alone is not None and not set(alone.barcodes).isdisjoint(desired.barcodes):
        return alone
    if "options" in desired.given and desired.options:
        return next((each for each in live.variants if each.options == desired.options), None)
    return alone if len(whole_.variants) == 1 else None


def named(change: Change[Product], live: Mapping[str, Product]) -> tuple[Variant, ...]:
    """Return the variants of a change with their ids, by the live products where it has none.

    Raises:
        NotFound: if the product or a variant is gone.
    """
    desired = change.desired
    if all(variant.id for variant in desired.variants):
        return desired.variants
    if change.record_id not in live:
        raise NotFound(f"there is no product {change.record_id}")
    found = []
    for variant in desired.variants:
        same = match(variant, live[change.record_id], desired)
        if same is None:
            name = variant.element_keys()[0]
            raise NotFound(f"the product has no variant {name}", fields={"variants": name})
        found.append(variant.model_copy(update={"id": same.id}))
    return tuple(found)
