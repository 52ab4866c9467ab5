"""Orders: read whole; note, tags and metafields are written, and parcels are added.

The Admin API takes an order from elsewhere only by a call that pays, mails and counts stock as it
sees fit, and that doubles it when it is repeated; so none is created here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from storebridge.adapter import Batch, Change, Fit
from storebridge.errors import BadAnswer, NotSupported
from storebridge.flow import Flow, Outcome
from storebridge.models import Order
from storebridge_shopify import fields, parcels
from storebridge_shopify.graphql import Doc, call
from storebridge_shopify.lookup import values
from storebridge_shopify.nested import NestedRecords
from storebridge_shopify.order_reading import order
from storebridge_shopify.owned import write_metafields
from storebridge_shopify.records import applied, given_paths, mutate
from storebridge_shopify.scopes import Scopes, lacking
from storebridge_shopify.search import any_of, term
from storebridge_shopify.site import Facts
from storebridge_shopify.walk import drain
from storebridge_shopify.writing import tag_forms

__all__ = ["OrderRecords"]

_CONNECTIONS = ("lineItems", "shippingLines", "metafields")
#: What an order has of which each has lines: the list, the lines, the document, its root.
_INNER = (
    ("fulfillments", "fulfillmentLineItems", "fulfillment_more", "fulfillment"),
    ("refunds", "refundLineItems", "refund_more", "refund"),
)
#: As many order numbers are searched for in one request.
_NUMBERS = 20


class OrderRecords(NestedRecords[Order]):
    """The orders of a shop; without the scope read_all_orders those of the last 60 days."""

    model = Order
    fields = fields.ORDER
    finds = ("id", "number")
    type: ClassVar[str] = "Order"
    root: ClassVar[str] = "orders"
    by_id: ClassVar[str] = "orders_by_id"
    sizes: ClassVar = {"lines": 10, "shipping": 2, "inner": 10, "metafields": 10}

    # -- reading

    def asked(self, fields_: frozenset[str] | None, scopes: Scopes) -> dict[str, bool]:
        """Return what has to be asked for so that these fields can be read."""
        names = {
            "withLines": "line_items",
            "withShipping": "shipping_lines",
            "withFulfillments": "fulfillments",
            "withRefunds": "refunds",
            "withPayments": "payments",
            "withMetafields": "metafields",
        }
        return {
            **{flag: fields.wants(fields_, name) for flag, name in names.items()},
            "withCustomer": scopes.has("read_customers"),
            "withProducts": scopes.has("read_products"),
            "withLocations": scopes.has("read_locations"),
        }

    def complete(self, doc: Doc) -> Flow[None]:
        """Add the lines and metafields that didn't come with an order, and those of its parts."""
        sold = any("product" in line for line in doc.get("lineItems", {}).get("nodes", ()))
        for name in _CONNECTIONS:
            only = {each: each == name for each in _CONNECTIONS}
            variables = {**only, "withProducts": sold, "id": doc["id"], "first": 100}
            if name in doc:
                yield from drain("order_more", "order", doc[name], variables, (name,))
        for part, lines, name, root in _INNER:
            for each in doc.get(part, ()):
                variables = {"id": each["id"], "first": 100}
                yield from drain(name, root, each[lines], variables, (lines,))

    def look_up(self, keys: Sequence[str]) -> Flow[list[str]]:
        """Return the ids of the orders with these numbers ("#1001")."""
        numbers, found = values(keys, "number"), dict[str, None]()
        for start in range(0, len(numbers), _NUMBERS):
            piece = numbers[start : start + _NUMBERS]
            query, after = any_of(term("name", each) for each in piece), None
            while True:
                variables = {"first": 250, "after": after, "query": query}
                data = (yield from call("orders_by_name", variables))["orders"]
                hits = [node["id"] for node in data["nodes"] if node["name"] in piece]
                found |= dict.fromkeys(hits)
                if not data["pageInfo"]["hasNextPage"]:
                    break
                if not hits or data["pageInfo"]["endCursor"] == after:
                    raise BadAnswer("a search for order numbers brings what has none of them")
                after = data["pageInfo"]["endCursor"]
        return list(found)

    def read(self, doc: Doc) -> Order:
        """Return the order that a document describes."""
        return order(doc)

    # -- writing

    def create(self, change: Change[Order], batch: Batch[Order], facts: Facts) -> Flow[str]:
        """Refuse: no call makes an order once and sends nothing.

        Raises:
            NotSupported: always.
        """
        raise NotSupported(
            "Shopify can't be given an order twice without doubling it",
            "keep the old shop's orders as files, or bring them by an app for migrations",
        )
        yield  # a generator: nothing is sent

    def make(self, change: Change[Order], batch: Batch[Order], facts: Facts) -> Flow[str]:
        """Refuse, as `create`."""
        return (yield from self.create(change, batch, facts))

    def update(self, change: Change[Order], batch: Batch[Order], facts: Facts) -> Flow[Outcome]:
        """Write one part of an order: note and tags, metafields, or parcels."""
        if change.part == "metafields":
            yield from write_metafields(change, {change.record_id: change.desired.metafields})
        elif change.part == "publication":
            sent = change.id in batch.uncertain
            yield from parcels.add(self, change, sent, notify=self.settings.notify_customers)
        else:
            body = _input(change.desired)
            variables = {"input": {"id": change.record_id, **body}}
            yield from mutate("order_update", "orderUpdate", variables, change)
        return applied(change, change.record_id)

    def delete(self, change: Change[Order]) -> Flow[str]:
        """Refuse: an order is a record of what was sold.

        Raises:
            NotSupported: always.
        """
        raise NotSupported("orders of Shopify are not deleted", "archive them in the admin")
        yield  # a generator: nothing is sent

    # -- forms

    def normal(self, desired: Order) -> Order:
        """Return a desired order as Shopify gives it back."""
        if "tags" in desired.given:
            return desired.model_copy(update={"tags": tag_forms(desired.tags)})
        return desired

    def check(self, record: Order) -> Iterable[Fit]:
        """Yield what the token may not write."""
        if self.shop.facts is not None:
            yield from lacking(record, given_paths(record), self.shop.facts.scopes)


def _input(desired: Order) -> dict[str, Any]:
    """Return the input for the given fields of an order."""
    given: dict[str, Any] = {"note": desired.note, "tags": list(tag_forms(desired.tags))}
    return {name: value for name, value in given.items() if name in desired.given}
