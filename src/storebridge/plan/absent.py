"""What happens to records that the store has and the source lacks; only within a scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from storebridge.compare import pairs
from storebridge.models import InventoryLevel, Product, Variant
from storebridge.parts import unsupported
from storebridge.plan.changes import Changes, row_of
from storebridge.plan.live import pages
from storebridge.plan.needs import naming
from storebridge.plan.options import AbsentVariants, PlanOptions
from storebridge.plan.spool import Spool

if TYPE_CHECKING:
    from storebridge.store import Store
    from storebridge.where import Where

__all__ = ["absent_changes", "absent_variants", "ousted"]


def absent_changes(
    store: Store, spool: Spool, changes: Changes, where: Where, options: PlanOptions
) -> None:
    """Plan what `--absent` asks for, for every product in scope that no source record meant."""
    for records in pages(store, Product.kind, _needed(where, options)):
        for live in records:
            lacks = not spool.is_matched(Product.kind, live.id)
            if lacks and isinstance(live, Product) and where.matches(live):
                _change(store, live, changes, options)
        changes.flush()


def absent_variants(
    whole: Product, asked: Product, live: Product, what: AbsentVariants
) -> tuple[Product, frozenset[str]]:
    """Return what is asked with what becomes of the variants that the source lacks, and their ids.

    Args:
        whole: the source's product, which has at least one variant.
        asked: what is asked of it; it may have no variants.
        live: what the store has.
        what: what happens to variants that the source lacks.
    """
    meant = {id(held): held for _, held in pairs(whole.variants, live.variants) if held}
    lacking = [held for held in live.variants if id(held) not in meant]
    if what == "zero-stock":
        lacking = [held for held in lacking if any(level.available for level in held.inventory)]
    if not lacking:
        return asked, frozenset()
    variants = asked.variants
    if what == "zero-stock":
        fields: dict[str, Any] = {"variants": (*variants, *map(_emptied, lacking))}
    elif "variants" in asked.given:
        fields = {"modes": {**asked.modes, "variants": "replace"}}
    else:
        variants = tuple(Variant(id=held.id) for held in meant.values())
        fields = {"variants": variants, "modes": {**asked.modes, "variants": "replace"}}
    return asked.model_copy(update=fields), frozenset(variant.id for variant in lacking)


def ousted(asked: Product, live: Product) -> Product:
    """Return what is asked, with the removal of an only variant that can't stay.

    A product without options has one variant; once it gets some, what has no value of them goes.
    The variant stays where an asked one is it: by its keys, or by its barcode.
    """
    given = {"options", "variants"} <= asked.given and "options" in live.given
    if not given or not asked.options or not asked.variants or live.options:
        return asked
    if len(live.variants) != 1 or any(held for _, held in pairs(asked.variants, live.variants)):
        return asked
    (alone,) = live.variants
    for at, each in enumerate(asked.variants):
        if not set(each.barcodes).isdisjoint(alone.barcodes):
            known = each.model_copy(update={"id": alone.id})
            return asked.model_copy(
                update={"variants": (*asked.variants[:at], known, *asked.variants[at + 1 :])}
            )
    return asked.model_copy(update={"modes": {**asked.modes, "variants": "replace"}})


def _needed(where: Where, options: PlanOptions) -> frozenset[str] | None:
    """Return the fields to read of products; None, all, where some are deleted and kept whole."""
    if options.absent == "delete":
        return None
    field = "variants.inventory" if options.absent == "zero-stock" else "status"
    return naming(Product, ("sku:",)) | where.check(Product) | {field}


def _change(store: Store, live: Product, changes: Changes, options: PlanOptions) -> None:
    reasons = (f"the source lacks it (--absent {options.absent})",)
    if options.absent == "delete":
        changes.lacks("products")
        changes.delete(Product.kind, None, live, reasons)
        return
    if options.absent == "zero-stock":
        desired = Product(variants=tuple(map(_emptied, live.variants)))
    else:
        desired = Product(status="archived" if options.absent == "archive" else options.absent)
    missing = unsupported(desired, store.adapter.records(Product.kind).fields)
    if missing:
        title = store.adapter.title
        message = f"the source lacks it, and {title} has no {missing[0]} to change for it"
        remedy = "Choose another --absent: zero-stock or delete, where the platform has that."
        changes.skip(row_of(Product.kind, None, live), "absent", message, remedy)
    elif changes.change(live, desired, reasons):
        changes.lacks("products")


def _emptied(variant: Variant) -> Variant:
    levels = tuple(
        InventoryLevel(location=level.location, available=0) for level in variant.inventory
    )
    return Variant(id=variant.id, inventory=levels)
