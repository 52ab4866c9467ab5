"""What happens to records that the store has and the source lacks; only within a scope."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storebridge.models import InventoryLevel, Product, Variant
from storebridge.plan.changes import Changes
from storebridge.plan.live import pages
from storebridge.plan.options import PlanOptions
from storebridge.plan.spool import Spool

if TYPE_CHECKING:
    from storebridge.store import Store
    from storebridge.where import Where

__all__ = ["absent_changes"]


def absent_changes(
    store: Store, spool: Spool, changes: Changes, where: Where, options: PlanOptions
) -> None:
    """Plan what `--absent` asks for, for every product in scope that no source record meant."""
    for records in pages(store, Product.kind):
        for live in records:
            lacks = not spool.is_matched(Product.kind, live.id)
            if lacks and isinstance(live, Product) and where.matches(live):
                _change(live, changes, options)
        changes.flush()


def _change(live: Product, changes: Changes, options: PlanOptions) -> None:
    reasons = (f"the source lacks it (--absent {options.absent})",)
    if options.absent == "delete":
        changes.delete(Product.kind, None, live, reasons)
        return
    if options.absent == "zero-stock":
        desired = Product(variants=tuple(map(_emptied, live.variants)))
    else:
        desired = Product(status="archived" if options.absent == "archive" else options.absent)
    changes.change(live, desired, reasons)


def _emptied(variant: Variant) -> Variant:
    levels = tuple(
        InventoryLevel(location=level.location, available=0) for level in variant.inventory
    )
    return Variant(id=variant.id, inventory=levels)
