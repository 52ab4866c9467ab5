"""Parcels of an order: each is added once; buyers are told of it only if that is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from storebridge.adapter import Change
from storebridge.errors import NotFound, NotSupported, OutcomeUnknown, Rejected
from storebridge.flow import Flow, RequestKind
from storebridge.models import Fulfillment, Order
from storebridge.models.lines import REMEDY, placed, unplaced
from storebridge_shopify.graphql import Doc, call
from storebridge_shopify.records import mutate
from storebridge_shopify.walk import drain

if TYPE_CHECKING:
    from storebridge_shopify.orders import OrderRecords

__all__ = ["is_unsent", "needed", "write"]

#: What can still be sent (FulfillmentOrderStatus).
_OPEN = frozenset({"OPEN", "IN_PROGRESS"})
_TRACKING = frozenset({"carrier", "tracking_numbers", "tracking_urls"})
#: What never went off, or was taken back (FulfillmentStatus).
_UNSENT = frozenset({"cancelled", "error", "failure"})


def write(records: OrderRecords, change: Change[Order], sent: bool, *, notify: bool) -> Flow[None]:
    """Change the tracking of parcels that are there, and add those that aren't yet.

    A new one is told from those that are there by its tracking numbers.

    Args:
        records: the orders.
        change: an order with parcels.
        sent: whether an earlier try may have added some.
        notify: whether Shopify writes to the buyer.

    Raises:
        NotSupported: if a parcel is to be taken out.
        OutcomeUnknown: if an earlier try may have added a parcel that has no tracking number.
        Rejected: if there aren't as many left to be sent, or a line is named that the order hasn't.
    """
    if change.removed.get("fulfillments"):
        raise NotSupported("parcels aren't taken back", "cancel them in the admin")
    order = yield from _held(records, change)
    live = {each.id: each for each in order.fulfillments}
    for _, name in unplaced(change.desired, order.line_items):
        message, fields = f"the order has no line {name!r}", {"fulfillments": "lines"}
        raise Rejected(message, fields=fields, remedy=REMEDY)
    desired = placed(change.desired, order.line_items)
    for parcel in desired.fulfillments:
        if parcel.id:
            yield from _track(change, parcel, live, notify=notify)
    known = {number for each in live.values() for number in each.tracking_numbers}
    for parcel in (each for each in desired.fulfillments if not each.id):
        if parcel.tracking_numbers and set(parcel.tracking_numbers) <= known:
            continue
        if sent and not parcel.tracking_numbers:
            text = "a parcel without a tracking number can't be looked for"
            raise OutcomeUnknown(text, covers=(change.id,))
        yield from _create(records, change, parcel, notify=notify)


def is_unsent(parcel: Fulfillment) -> bool:
    """Return whether another shop's parcel isn't made here: it was never sent."""
    return not parcel.id and parcel.status in _UNSENT


def _track(
    change: Change[Order], parcel: Fulfillment, live: Mapping[str, Fulfillment], *, notify: bool
) -> Flow[None]:
    """Write carrier, numbers and addresses of a parcel that is there; they go whole.

    Raises:
        NotFound: if the order has no such parcel.
        Rejected: for what isn't changed once a parcel is sent.
    """
    held = live.get(parcel.id)
    if held is None:
        raise NotFound(f"the order has no parcel {parcel.id}")
    fixed = {"lines", "location"} & parcel.given
    if wrong := sorted(name for name in fixed if getattr(parcel, name) != getattr(held, name)):
        raise Rejected(
            f"{wrong[0]} of a parcel that is sent isn't changed", fields={"fulfillments": wrong[0]}
        )
    new = held.but(**{name: getattr(parcel, name) for name in _TRACKING & parcel.given})
    if new != held:
        tracking = _tracking(new) or {"numbers": []}
        variables = {"id": parcel.id, "tracking": tracking, "notify": notify}
        name, root = "tracking_update", "fulfillmentTrackingInfoUpdate"
        yield from mutate(name, root, variables, change)


def _tracking(parcel: Fulfillment) -> dict[str, Any]:
    found = {
        "company": parcel.carrier,
        "numbers": list(parcel.tracking_numbers),
        "urls": list(parcel.tracking_urls),
    }
    return {name: value for name, value in found.items() if value}


def needed(desired: Order) -> frozenset[str]:
    """Return what is read of an order to write its parcels: its lines where words name them."""
    worded = any(True for _ in unplaced(desired, ()))
    return frozenset({"fulfillments", "line_items"} if worded else {"fulfillments"})


def _held(records: OrderRecords, change: Change[Order]) -> Flow[Order]:
    """Return an order with its parcels, and with what they are to name.

    Raises:
        NotFound: if the order is gone.
    """
    keys = (f"id:{change.record_id}",)
    live = yield from records.fetch(keys, needed(change.desired))
    if not live:
        raise NotFound(f"there is no order {change.record_id}")
    return live[0]


def _numbers(records: OrderRecords, change: Change[Order]) -> Flow[set[str]]:
    """Return the tracking numbers that an order has."""
    held = (yield from _held(records, change)).fulfillments
    return {number for each in held for number in each.tracking_numbers}


def _create(
    records: OrderRecords, change: Change[Order], parcel: Fulfillment, *, notify: bool
) -> Flow[None]:
    """Add a parcel; after a lost answer its tracking numbers are looked for.

    Raises:
        OutcomeUnknown: if they aren't there, or it has none.
    """
    open_orders = yield from _open(change)
    body: dict[str, Any] = {
        "lineItemsByFulfillmentOrder": _chosen(open_orders, parcel),
        "notifyCustomer": notify,
    }
    if given := _tracking(parcel):
        body["trackingInfo"] = given
    variables, kind = {"fulfillment": body}, RequestKind.CREATE
    try:
        yield from mutate("fulfillment_create", "fulfillmentCreate", variables, change, kind)
    except OutcomeUnknown:
        held = yield from _numbers(records, change)
        if not parcel.tracking_numbers or not set(parcel.tracking_numbers) <= held:
            raise


def _open(change: Change[Order]) -> Flow[list[Doc]]:
    """Return what is left to be sent of an order, by location, each with all its lines."""
    variables = {"id": change.record_id, "first": 10}
    order = (yield from call("fulfillment_orders", {**variables, "after": None}))["order"]
    if order is None:
        raise NotFound(f"there is no order {change.record_id}")
    found = order["fulfillmentOrders"]
    yield from drain("fulfillment_orders", "order", found, variables, ("fulfillmentOrders",))
    docs = [doc for doc in found["nodes"] if doc["status"] in _OPEN]
    for doc in docs:
        more = {"id": doc["id"], "first": 100}
        name, root = "fulfillment_order_more", "fulfillmentOrder"
        yield from drain(name, root, doc["lineItems"], more, ("lineItems",))
    return docs


def _chosen(docs: Sequence[Doc], parcel: Fulfillment) -> list[dict[str, Any]]:
    """Return what a parcel takes of each fulfilment order; without lines all that is left.

    A parcel leaves from one location: the one that it names, else the first that has all of it.

    Raises:
        Rejected: if no location has as many left to send.
    """
    places = dict.fromkeys(doc["assignedLocation"]["name"] for doc in docs)
    if parcel.location:
        places = dict.fromkeys(each for each in places if each == parcel.location)
    if not parcel.lines and len(places) > 1:
        raise Rejected(
            f"the order is sent from {', '.join(places)}",
            fields={"fulfillments": "location"},
            remedy="Give the parcel its location, or its lines.",
        )
    for place in places:
        here = [doc for doc in docs if doc["assignedLocation"]["name"] == place]
        if (taken := _taken(here, parcel)) is not None:
            return taken
    raise _lacking(docs, parcel)


def _lacking(docs: Sequence[Doc], parcel: Fulfillment) -> Rejected:
    """Return why no location has what a parcel takes."""
    known = {row["lineItem"]["id"] for doc in docs for row in doc["lineItems"]["nodes"]}
    lost = next((each for each in parcel.lines if each.line_item_id not in known), None)
    places = dict.fromkeys(doc["assignedLocation"]["name"] for doc in docs)
    message, remedy = "there aren't as many left to be sent from one location", ""
    if lost is not None:
        message = f"nothing is left to be sent of a line {lost.line_item_id!r}"
        remedy = "If the id is another store's, name the line by sku:TEE or by its place, line:2."
    elif parcel.location and parcel.location not in places:
        message = f"there aren't as many left to be sent from {parcel.location!r}"
        remedy = f"The order is sent from {', '.join(places)}: name that place, or none."
    return Rejected(message, fields={"fulfillments": "lines"}, remedy=remedy)


def _taken(docs: Iterable[Doc], parcel: Fulfillment) -> list[dict[str, Any]] | None:
    """Return what a parcel takes of the fulfilment orders of a location; None if it lacks some."""
    lacking = {each.line_item_id: 0 for each in parcel.lines}
    for line in parcel.lines:
        lacking[line.line_item_id] += line.quantity
    found = []
    for doc in docs:
        rows = []
        for row in doc["lineItems"]["nodes"]:
            left, line_id = row["remainingQuantity"], row["lineItem"]["id"]
            count = min(left, lacking.get(line_id, 0)) if parcel.lines else left
            if count:
                rows.append({"id": row["id"], "quantity": count})
                lacking[line_id] = lacking.get(line_id, 0) - count
        if rows:
            found.append({"fulfillmentOrderId": doc["id"], "fulfillmentOrderLineItems": rows})
    return found if found and not any(count > 0 for count in lacking.values()) else None
