"""What was sold since the time that a feed's quantities are of: nothing tells a feed of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from storebridge.errors import AccessDenied, UsageError
from storebridge.formats.base import Context
from storebridge.formats.cells import BadCell
from storebridge.formats.sheet_cells import instant
from storebridge.models import Order, Product, StoreInfo
from storebridge.plan.file import PlanFile
from storebridge.plan.spool import Spool

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = ["moment_of", "warn_of_sales"]

_FIELDS = ("number", "created_at", "cancelled_at", "line_items")
#: Orders that one warning names.
_MOST_ORDERS = 5


def moment_of(text: str, made_at: datetime | None, info: StoreInfo) -> datetime:
    """Return the time that quantities are of: as it is written, or the source's own for "file".

    Raises:
        UsageError: if it is no time, the source has none, or it is still to come.
    """
    if text.strip().casefold() == "file":
        if made_at is None:
            raise UsageError("--as-of file: this source says no time. Write it: 2026-05-31T06:00Z")
        return made_at
    try:
        moment = instant(Context.of(info))(text).astimezone(UTC)
    except BadCell as bad:
        raise UsageError(f"--as-of {text!r}: {bad.message}. {bad.remedy}, or file") from bad
    if moment > datetime.now(UTC):
        raise UsageError(f"--as-of {text}: this is still to come. Write when the stock was counted")
    return moment


def warn_of_sales(store: Store, spool: Spool, file: PlanFile, since: datetime) -> None:
    """Add a warning for each SKU of the source that was sold since a time, or that none can tell.

    Args:
        store: whose orders are read.
        spool: holds the source.
        file: where the warnings go.
        since: the time that the source's quantities are of.
    """
    when = f"{since:%Y-%m-%d %H:%M %Z}"
    if not store.supports(Order.kind):
        file.add_warning(f"Nobody can tell what was sold since {when}: the store gives no orders.")
        return
    try:
        sold = _sold(store, since)
    except AccessDenied as error:
        file.add_warning(f"Nobody can tell what was sold since {when}: {error}")
        return
    for sku, orders in sorted(sold.items()):
        planned = _planned(spool, sku)
        if planned:
            count = sum(orders.values())
            file.add_warning(
                f"{sku}: {count} sold since {when} ({_named(list(orders))}), so {planned} may be "
                f"{count} too many. Count again, or plan a newer feed."
            )


def _sold(store: Store, since: datetime) -> dict[str, dict[str, int]]:
    """Return how many were ordered since a time, by SKU and order."""
    sold: dict[str, dict[str, int]] = {}
    for order in store.orders.iter(fields=_FIELDS, updated_since=since):
        earlier = order.created_at is not None and order.created_at < since
        if earlier or order.cancelled_at is not None:
            continue
        for line in order.line_items:
            if line.sku:
                orders = sold.setdefault(line.sku, {})
                name = order.number or order.id
                orders[name] = orders.get(name, 0) + line.quantity
    return sold


def _planned(spool: Spool, sku: str) -> str:
    """Return the quantities that the source gives a SKU, as a text; "" for none."""
    return " and ".join(
        str(level.available)
        for body in spool.bodies(Product.kind, f"sku:{sku}")
        for variant in Product.model_validate_json(body).variants
        if variant.sku == sku
        for level in variant.inventory
    )


def _named(orders: list[str]) -> str:
    rest = len(orders) - _MOST_ORDERS
    named = ", ".join(orders[:_MOST_ORDERS]) + (f" and {rest} more" if rest > 0 else "")
    return f"order{'s' * (len(orders) > 1)} {named}"
