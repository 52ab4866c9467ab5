"""Orders: their lines, payments and parcels get ids unless they have some."""

from __future__ import annotations

from storebridge.errors import Rejected
from storebridge.models import Order
from storebridge.models.lines import REMEDY, placed, unplaced
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
        """Put in ids; those given stay, since parcels and refunds name lines by them.

        Raises:
            Rejected: if a parcel or a refund names a line that the order hasn't.
        """
        super().complete(session, live, values)
        for name in _NUMBERED:
            if name in values:
                values[name] = tuple(
                    one if one.id else one.model_copy(update={"id": session.new_id()})
                    for one in values[name]
                )
        parts = {name: values[name] for name in ("fulfillments", "refunds") if name in values}
        lines, order = values.get("line_items", live.line_items), Order(**parts)
        for path, name in unplaced(order, lines):
            fields = {path.partition(".")[0]: "lines"}
            raise Rejected(f"the order has no line {name!r}", fields=fields, remedy=REMEDY)
        order = placed(order, lines)
        values |= {name: getattr(order, name) for name in parts}
