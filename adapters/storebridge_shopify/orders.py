"""Orders: read whole, and made for a migration; of one that is there, a few fields change.

The call that makes an order would make a second one when it is repeated, and the search for its
number lags. So a new one bears a mark, a metafield of the type "id": no two orders of a shop can
have the same, and an order is found by it at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from math import ceil
from typing import Any, ClassVar

from storebridge.adapter import Batch, Change, Cost, Fit
from storebridge.errors import BadAnswer, Conflict, NotFound, Rejected
from storebridge.flow import Flow, Outcome, RequestKind
from storebridge.models import Order
from storebridge.models.order import without_blanks
from storebridge_shopify import fields, parcels, people
from storebridge_shopify.bulk_shapes import ORDERS
from storebridge_shopify.graphql import Doc, call, check, document, following, id_of
from storebridge_shopify.lookup import SKUS, by_email, by_mark, values, variants_of
from storebridge_shopify.metafields import write_metafields
from storebridge_shopify.nested import NestedRecords
from storebridge_shopify.order_reading import order
from storebridge_shopify.order_writing import (
    MARK,
    NAMES,
    OPTIONS,
    REASONS,
    STATUSES,
    mark_of,
    named,
    new_order,
    unheld,
)
from storebridge_shopify.records import (
    applied,
    finished,
    holds,
    mutate,
    removal,
)
from storebridge_shopify.scopes import Scopes
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
_PARTS = tuple(part for part, *_ in _INNER)
#: What is written of an order that is there.
_OWN_FIELDS = frozenset({"email", "key", "note", "phone", "shipping_address", "tags"})
_DEFINITION = {
    "name": "Made as",
    "description": "The order of another shop that this one was made of.",
    "namespace": NAMES,
    "key": MARK,
    "type": "id",
    "ownerType": "ORDER",
}
_STEPS = {"open": ("order_open", "orderOpen"), "closed": ("order_close", "orderClose")}
#: As many order numbers are searched for in one request.
_NUMBERS = 20


_FEW = dict.fromkeys(
    ("withLines", "withShipping", "withFulfillments", "withRefunds", "withPayments",
     "withMetafields", "withCustomer", "withProducts", "withLocations"),
    False,
)  # fmt: skip


class OrderRecords(NestedRecords[Order]):
    """The orders of a shop; without the scope read_all_orders those of the last 60 days."""

    model = Order
    fields = fields.ORDER
    owners: ClassVar = {"metafields": "ORDER"}
    finds = ("id", "key", "number")
    type: ClassVar[str] = "Order"
    root: ClassVar[str] = "orders"
    listing: ClassVar[str] = "orders"
    by_id: ClassVar[str] = "orders_by_id"
    export = ORDERS
    sizes: ClassVar = {"lines": 10, "shipping": 2, "inner": 10, "metafields": 10}

    def __init__(self, *arguments: Any) -> None:
        """Know of no definition yet."""
        super().__init__(*arguments)
        self._defined = False

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

    def joined(self, docs: list[Doc], flags: Mapping[str, bool]) -> Flow[list[Doc]]:
        """Return orders of a job with their parcels and refunds; those that are gone are left out.

        These are lists with connections, which no job may ask for: it tells which orders have any,
        and they are asked for by id, 28 points for fifty. Nothing else of that later answer is
        taken, so that an order which has changed since keeps the time by which it is read again.
        The other ways aren't exact: as a root `fulfillmentOrders` needs scopes of its own and may
        bring a parcel twice, `agreements` know nothing of parcels.
        """
        wanted = [doc["id"] for doc in docs if any(doc.get(part) for part in _PARTS)]
        only = {flag: flags[flag] for flag in ("withFulfillments", "withRefunds", "withLocations")}
        found = yield from self._nodes(wanted, {**_FEW, **only})
        parts = {doc["id"]: {part: doc[part] for part in _PARTS if part in doc} for doc in found}
        there = [doc for doc in docs if doc["id"] in parts or doc["id"] not in wanted]
        return [{**doc, **parts.get(doc["id"], {})} for doc in there]

    def look_up(self, keys: Sequence[str]) -> Flow[list[str]]:
        """Return the ids of the orders with these numbers ("#1001"), and of those made as these."""
        named = [key for key in keys if key.partition(":")[0] in ("key", "number")]
        marked = yield from by_mark(map(mark_of, named))
        numbers, found = values(keys, "number"), dict.fromkeys(marked.values())
        for start in range(0, len(numbers), _NUMBERS):
            piece = numbers[start : start + _NUMBERS]
            query = any_of(term("name", each) for each in piece)
            after: str | None = None
            while True:
                variables = {"first": 250, "after": after, "query": query}
                data = (yield from call("orders_by_name", variables))["orders"]
                hits = [node["id"] for node in data["nodes"] if node["name"] in piece]
                found |= dict.fromkeys(hits)
                before, after = after, following(data["pageInfo"])
                if not after:
                    break
                if not hits or after == before:
                    raise BadAnswer("a search for order numbers brings what has none of them")
        return list(found)

    def read(self, doc: Doc) -> Order:
        """Return the order that a document describes."""
        return order(doc)

    # -- writing

    def create(self, change: Change[Order], batch: Batch[Order], facts: Facts) -> Flow[str]:
        """Create an order once: its key is a metafield that no second order can have."""
        yield from self._defined_by(change)
        return (yield from super().create(change, batch, facts))

    def make(self, change: Change[Order], batch: Batch[Order], facts: Facts) -> Flow[str]:
        """Create an order as it was sold elsewhere; nobody is told, no stock is touched.

        A development store takes five new orders a minute (schema, orderCreate).
        """
        desired = change.desired
        skus = [line.sku for line in desired.line_items if line.sku]
        variants = yield from variants_of(skus)
        emails = [desired.email] if facts.scopes.has("read_customers") else []
        buyers = yield from by_email(emails)
        customer = next(iter(buyers.values()), "")
        body = new_order(desired, _key_of(change), variants, customer)
        variables, kind = {"order": body, "options": OPTIONS}, RequestKind.CREATE
        payload = yield from mutate("order_create", "orderCreate", variables, change, kind)
        return id_of(payload["order"])

    def is_made(self, desired: Order, live: Order) -> bool:
        """Return whether an order that was made under the key of another one is that one."""
        lines = [(each.sku, each.quantity) for each in desired.line_items]
        # Addresses and phone numbers come back in the platform's own forms.
        told = self.normal(desired.without(*desired.given - {"key", "note", "tags"}))
        same = holds(told, live)
        return same and lines == [(each.sku, each.quantity) for each in live.line_items]

    def update(self, change: Change[Order], batch: Batch[Order], facts: Facts) -> Flow[Outcome]:
        """Write one part of an order: its own fields, metafields, or parcels and status."""
        if change.part == "metafields":
            yield from write_metafields(self.shop, change)
        elif change.part == "publication":
            sent, notify = change.id in batch.uncertain, self.settings.notify_customers
            if "fulfillments" in {*change.desired.given, *change.removed}:
                yield from parcels.write(self, change, sent, notify=notify)
            if change.desired.status:
                yield from self._bring(change, notify=notify)
        else:
            yield from self._core(change)
        return applied(change, change.record_id)

    def delete(self, change: Change[Order]) -> Flow[str]:
        """Delete an order, of those that Shopify lets go."""
        try:
            return (yield from removal("order_delete", "orderDelete", change))
        except NotFound:
            return change.record_id

    def _core(self, change: Change[Order]) -> Flow[None]:
        """Write an order's own fields; a shipping address goes whole, so it is completed.

        Raises:
            Rejected: for what isn't changed once an order is there.
        """
        desired = change.desired
        if fixed := sorted(desired.given - _OWN_FIELDS - {"id"}):
            raise Rejected(
                f"{', '.join(fixed)} of an order that is there isn't changed",
                fields=dict.fromkeys(fixed, "fixed"),
                remedy="Change it in the admin; if it is another order, give it another number.",
            )
        body: dict[str, Any] = {
            name: getattr(desired, name)
            for name in ("note", "email", "phone")
            if name in desired.given
        }
        if "tags" in desired.given:
            body["tags"] = list(tag_forms(desired.tags))
        if (new := desired.shipping_address) is not None:
            held = (yield from self._live(change, "shipping_address")).shipping_address
            body["shippingAddress"] = people.address_input(people.completed(new, held))
        if body:
            variables = {"input": {"id": change.record_id, **body}}
            yield from mutate("order_update", "orderUpdate", variables, change)
        if "key" in desired.given:
            yield from self._defined_by(change)
            rows = [{"ownerId": change.record_id, **each} for each in named(desired.key)]
            yield from mutate("metafields_set", "metafieldsSet", {"metafields": rows}, change)

    def _bring(self, change: Change[Order], *, notify: bool) -> Flow[None]:
        """Open, close or cancel an order; nothing is refunded.

        Stock goes back only where the shop sold it: an order from elsewhere claimed none.

        Raises:
            Rejected: for another status, and for one that is cancelled already.
        """
        wanted = STATUSES.get(change.desired.status, "")
        live = yield from self._live(change, "status")
        if wanted == live.status:
            return
        if not wanted or live.status == "cancelled":
            raise Rejected(
                f"an order that is {live.status} can't be {change.desired.status!r}",
                fields={"status": change.desired.status},
            )
        if wanted != "cancelled":
            name, root = _STEPS[wanted]
            yield from mutate(name, root, {"id": change.record_id}, change)
            return
        reason = change.desired.cancel_reason or "other"
        if reason not in REASONS:
            raise Rejected(f"Shopify has no reason {reason!r}", fields={"cancel_reason": reason})
        restock = not (yield from self._came(change))
        words = {"reason": reason.upper(), "notify": notify, "restock": restock}
        try:
            yield from _cancel(change, {"id": change.record_id, **words})
        except Rejected:
            # After a lost answer the order is refused since it is cancelled already.
            if (yield from self._live(change, "status")).status != wanted:
                raise

    def _defined_by(self, change: Change[Order]) -> Flow[None]:
        """Say that no two orders can have the same mark; the shop may know it already."""
        if self._defined:
            return
        try:
            variables = {"definition": _DEFINITION}
            yield from mutate(
                "metafield_definition_create", "metafieldDefinitionCreate", variables, change
            )
        except Conflict:
            pass
        self._defined = True

    def _came(self, change: Change[Order]) -> Flow[bool]:
        """Return whether an order came from elsewhere."""
        docs = yield from self._nodes([change.record_id], _FEW)
        return bool(docs and docs[0]["mark"])

    def _live(self, change: Change[Order], name: str) -> Flow[Order]:
        """Return an order as it is now, with at least one of its fields.

        Raises:
            NotFound: if it is gone.
        """
        found = yield from self.fetch((f"id:{change.record_id}",), frozenset({name}))
        if not found:
            raise NotFound(f"there is no order {change.record_id}")
        return found[0]

    # -- forms

    def normal(self, desired: Order) -> Order:
        """Return a desired order as Shopify gives it back."""
        desired = without_blanks(desired)
        given, new = desired.given, dict[str, Any]()
        if "tags" in given:
            new["tags"] = tag_forms(desired.tags)
        if desired.status in STATUSES:
            new["status"] = STATUSES[desired.status]
        for name in ("billing_address", "shipping_address"):
            if (address := getattr(desired, name)) is not None:
                new[name] = people.form(address)
        if any(map(parcels.is_unsent, desired.fulfillments)):
            sent = (each for each in desired.fulfillments if not parcels.is_unsent(each))
            new["fulfillments"] = tuple(sent)
        if desired.created_at is not None:
            new["created_at"] = desired.created_at.astimezone(UTC).replace(microsecond=0)
        changed = {name: value for name, value in new.items() if value != getattr(desired, name)}
        return desired.model_copy(update=changed) if changed else desired

    def cost(self, change: Change[Order]) -> Cost:
        """Return what a change takes, with what is looked up for it."""
        total = Cost(requests=0)
        for name, variables, times in _calls(change, {**self.sizes, **_FEW}):
            points = times * document(name).cost(variables)
            total += Cost(requests=times, points=points)
        return total

    def check(self, record: Order) -> Iterable[Fit]:
        """Yield what the token may not write, and what an order can't be."""
        yield from super().check(record)
        yield from unheld(record)
        if any(map(parcels.is_unsent, record.fulfillments)):
            message = "parcels that were cancelled or failed aren't made anew"
            yield Fit("order", record.label, "fulfillments", message)


def _key_of(change: Change[Order]) -> str:
    """Return what an order is made under.

    Raises:
        Rejected: if it has neither key nor number: it couldn't be told from another one.
    """
    own = f"key:{change.desired.key}" if change.desired.key else change.key
    key = next((key for key in (own, *change.desired.keys()) if key), "")
    if not key:
        remedy = "Give it the number that it had, or a key."
        raise Rejected("an order needs a name", fields={"number": "empty"}, remedy=remedy)
    return key


def _calls(
    change: Change[Order], read: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    """Yield the documents that a change takes, each with its variables and how often."""
    desired = change.desired
    if change.action == "delete":
        yield "order_delete", {}, 1
    elif change.action == "create":
        skus = {line.sku for line in desired.line_items if line.sku}
        yield "variants_by_sku", {"first": 250}, ceil(len(skus) / SKUS)
        yield "customers_by_email", {f"w{n}": n == 0 for n in range(25)}, 1 if desired.email else 0
        yield "order_create", {}, 1
    elif change.part == "metafields":
        yield "metafields_set", {}, ceil(len(desired.metafields) / 25)
    elif change.part == "publication":
        held = [each for each in desired.fulfillments if each.id]
        new = len(desired.fulfillments) - len(held)
        lines = "line_items" in parcels.needed(desired)
        whole = {**read, "withFulfillments": True, "withLines": lines}
        yield "orders_by_id", whole, 1 if desired.fulfillments else 0
        yield "tracking_update", {}, len(held)
        yield "fulfillment_orders", {"first": 10}, new
        yield "fulfillment_create", {}, new
        yield "orders_by_id", read, 1 if desired.status else 0
        yield "order_close", {}, 1 if desired.status else 0
    else:
        yield "orders_by_id", read, 1 if desired.shipping_address else 0
        yield "order_update", {}, 1 if desired.given - {"key"} else 0
        yield "metafields_set", {}, 1 if "key" in desired.given else 0


def _cancel(change: Change[Order], variables: dict[str, Any]) -> Flow[None]:
    covers, kind = (change.id,), RequestKind.SET
    data = yield from call("order_cancel", variables, kind=kind, covers=covers)
    payload = check(data["orderCancel"], "orderCancelUserErrors")
    yield from finished(payload["job"], change)
