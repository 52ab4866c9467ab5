"""Orders: their lines, payments and parcels get ids unless they have some."""

from __future__ import annotations

from storebridge.models import Order
from storebridge_local.database import Database, Session
from storebridge_local.records import LocalRecords, Values

__all__ = ["OrderRecords"]

_NUMBERED = ("line_items", "shipping_lines", "fulfillments", "refunds", "payments", "comments")


class OrderRecords(LocalRecords[Order]):
    """Orders as they were placed."""

    def __init__(self, database: Database) -> None:
        """An order is found by its number."""
        super().__init__(database, Order, finds=("number",))

    def complete(self, session: Session, live: Order, values: Values) -> None:
        """Put in ids; those given stay, since parcels and refunds name lines by them."""
        super().complete(session, live, values)
        for name in _NUMBERED:
            if name in values:
                values[name] = tuple(
                    one if one.id else one.model_copy(update={"id": session.new_id()})
                    for one in values[name]
                )
