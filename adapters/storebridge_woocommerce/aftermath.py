"""What follows on an order: refunds, comments (WooCommerce's notes) and tracked parcels.

Sources: recorded exchanges (orders), WooCommerce 11.0.1, and the metadata of the plugin
WooCommerce Shipment Tracking.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from html import unescape
from typing import Any

from storebridge.adapter import Change
from storebridge.errors import BadAnswer, NotFound, OutcomeUnknown, Rejected, StorebridgeError
from storebridge.flow import Flow, Outcome, Request, RequestKind, Status, send
from storebridge.models import Amount, Comment, Fulfillment, Money, Order, Refund, RefundLine
from storebridge.wire import dumps, json_of
from storebridge_woocommerce.batches import FATAL, Earlier, Item, Result, reconcile
from storebridge_woocommerce.prices import time_of
from storebridge_woocommerce.text import slashed, spoken_form
from storebridge_woocommerce.walk import MOST, every, rows, rows_of

__all__ = [
    "TRACKING",
    "comment_form",
    "comments_of",
    "parcels_of",
    "refunds_of",
    "tracking",
    "write_comments",
]

Doc = Mapping[str, Any]

#: The metadata of an order in which the plugin keeps its parcels.
TRACKING = "_wc_shipment_tracking_items"


# -- refunds


def refunds_of(docs: Sequence[Doc]) -> Flow[dict[int, tuple[Refund, ...]]]:
    """Return the refunds of some orders, with their lines, by the orders' numbers.

    `/refunds` tells those of many orders at once; it came with WooCommerce 9.0.
    """
    orders = {doc["id"]: doc for doc in docs if doc["refunds"]}
    numbers = [str(each["id"]) for doc in orders.values() for each in doc["refunds"]]
    found: dict[int, list[Doc]] = {number: [] for number in orders}
    try:
        for start in range(0, len(numbers), MOST):
            params = (("include", ",".join(numbers[start : start + MOST])),)
            for row in (yield from rows_of("/refunds", params)):
                found.get(row["parent_id"], []).append(row)
    except NotFound:
        for number in orders:
            found[number] = yield from every(f"/orders/{number}/refunds", ())
    return {number: _refunds(orders[number], each) for number, each in found.items()}


def _refunds(order: Doc, docs: Sequence[Doc]) -> tuple[Refund, ...]:
    currency = str(order["currency"])
    back = _restocked(order, docs)
    return tuple(
        Refund(
            id=str(doc["id"]),
            amount=Amount(shop=Money(str(doc["amount"]), currency)),
            reason=doc["reason"] or "",
            lines=tuple(_line(line, currency, back) for line in doc["line_items"]),
            created_at=time_of(doc["date_created_gmt"]),
        )
        for doc in sorted(docs, key=lambda doc: int(doc["id"]))
    )


def _line(doc: Doc, currency: str, back: Mapping[str, bool]) -> RefundLine:
    number = _refunded(doc)
    given: dict[str, Any] = {"restocked": back[number]} if number in back else {}
    return RefundLine(
        line_item_id=number,
        quantity=abs(doc["quantity"]),
        amount=Amount(shop=Money(str(doc["total"]).removeprefix("-"), currency)),
        **given,
    )


def _restocked(order: Doc, docs: Sequence[Doc]) -> dict[str, bool]:
    """Return, by line, whether what was refunded went back into stock; unclear ones are left out.

    An order's line keeps one sum for all of its refunds.
    """
    count: dict[str, int] = {}
    for line in (line for doc in docs for line in doc["line_items"]):
        count[_refunded(line)] = count.get(_refunded(line), 0) + abs(line["quantity"])
    found: dict[str, bool] = {}
    for line in order["line_items"]:
        number = str(line["id"])
        text = _meta(line, "_restock_refunded_items")
        back = int(text) if str(text).isdecimal() else 0
        if number in count and back in (0, count[number]):
            found[number] = back > 0
    return found


def _refunded(line: Doc) -> str:
    """Return which line of the order a refund's line pays back."""
    return str(_meta(line, "_refunded_item_id") or "")


def _meta(doc: Doc, key: str) -> Any:
    return next((each["value"] for each in doc.get("meta_data", ()) if each["key"] == key), None)


# -- comments


def comments_of(number: str) -> Flow[tuple[Comment, ...]]:
    """Return an order's notes, the oldest first; WooCommerce gives all of them at once."""
    return tuple(map(_comment, (yield from _notes(number))))


def _notes(number: str) -> Flow[list[Doc]]:
    response = yield from send(Request(method="GET", path=f"/orders/{number}/notes"))
    return sorted(rows(response), key=lambda doc: int(doc["id"]))


def _comment(doc: Doc) -> Comment:
    return Comment(
        id=str(doc["id"]),
        text=doc["note"],
        author=doc["author"],
        to_customer=doc["customer_note"],
        created_at=time_of(doc["date_created_gmt"]),
    )


def comment_form(comment: Comment) -> Comment:
    """Return a comment as it reads back."""
    text = spoken_form(comment.text)
    return comment if text == comment.text else comment.model_copy(update={"text": text})


def write_comments(change: Change[Order], earlier: Earlier) -> Flow[Outcome]:
    """Add the comments that an order hasn't got, take out those to be removed, and say so.

    A new note to a customer is an e-mail: one that is there already, word for word and to the same
    reader, isn't written again, after a lost answer neither.
    """
    number = change.record_id
    try:
        held = yield from comments_of(number)
        for comment in map(comment_form, change.desired.comments):
            known = _same(comment, held)
            if known is None and comment.id:
                raise Rejected("WooCommerce changes no note once it is there")
            if known is None:
                held = (*held, (yield from _written(change.id, number, comment, earlier)))
        for comment in held:
            if not set(comment.element_keys()).isdisjoint(change.removed.get("comments", ())):
                yield from _removed(change.id, number, comment.id)
    except FATAL:
        raise
    except StorebridgeError as error:
        return Outcome.failure(change.id, error)
    return Outcome(change=change.id, status=Status.APPLIED, id=number)


def _same(comment: Comment, held: Iterable[Comment]) -> Comment | None:
    wanted = (_said(comment), comment.to_customer)
    return next((each for each in held if (_said(each), each.to_customer) == wanted), None)


def _said(comment: Comment) -> str:
    """Return a text for comparing: WordPress escapes what was written plainly."""
    return " ".join(unescape(comment.text).split())


def _written(change: str, number: str, comment: Comment, earlier: Earlier) -> Flow[Comment]:
    """Write a note once, whatever becomes of the answer.

    Raises:
        OutcomeUnknown: if it isn't there once the server must be done.
    """
    body = {"note": slashed(comment.text), "customer_note": comment.to_customer}
    item = Item(change, change, body)

    def look(_items: Sequence[Item]) -> Flow[dict[str, Doc]]:
        held = yield from _notes(number)
        row = next((each for each in held if _same(comment, [_comment(each)])), None)
        return {change: row} if row else {}

    request = Request(
        method="POST",
        path=f"/orders/{number}/notes",
        kind=RequestKind.CREATE,
        body=dumps(body),
        covers=(change,),
    )
    made: dict[str, Result] = {}
    if change in earlier.changes:
        made = yield from reconcile([item], look, {change}, earlier)
    if not made:
        try:
            return _comment(json_of((yield from send(request))))
        except (OutcomeUnknown, BadAnswer):
            made = yield from reconcile([item], look, {change})
    found = made.get(change, OutcomeUnknown("no answer came, and the order has no such note"))
    if isinstance(found, StorebridgeError):
        raise found
    return _comment(found)


def _removed(change: str, number: str, note: str) -> Flow[None]:
    request = Request(
        method="DELETE",
        path=f"/orders/{number}/notes/{note}",
        kind=RequestKind.DELETE,
        params=(("force", "true"),),
        covers=(change,),
    )
    with suppress(NotFound):
        yield from send(request)


# -- parcels


def parcels_of(doc: Doc) -> tuple[Fulfillment, ...]:
    """Return the parcels that the tracking plugin keeps with an order."""
    kept = _meta(doc, TRACKING)
    return tuple(map(_parcel, kept)) if isinstance(kept, list) else ()


def _parcel(item: Doc) -> Fulfillment:
    link = str(item.get("custom_tracking_link") or "")
    sent = str(item.get("date_shipped") or "")
    time: dict[str, Any] = {}
    if sent.isdecimal():
        time["created_at"] = datetime.fromtimestamp(int(sent), UTC)
    return Fulfillment(
        id=str(item.get("tracking_id") or ""),
        carrier=str(item.get("custom_tracking_provider") or item.get("tracking_provider") or ""),
        tracking_numbers=tuple(str(item.get("tracking_number") or "").split(",")),
        tracking_urls=(link,) if link else (),
        **time,
    )


def tracking(change: Change[Order], live: Doc | None) -> dict[str, Any]:
    """Return the metadata that the tracking plugin is to keep: it is one value for all parcels."""
    held = {each.element_keys()[0]: each for each in (parcels_of(live) if live else ())}
    for key in change.removed.get("fulfillments", ()):
        held.pop(key, None)
    for parcel in change.desired.fulfillments:
        key = next(iter(parcel.element_keys()))
        held[key] = held[key].but(**_given(parcel)) if key in held else parcel
    return {"key": TRACKING, "value": [_item(each) for each in held.values()]}


def _given(parcel: Fulfillment) -> dict[str, Any]:
    return {name: getattr(parcel, name) for name in parcel.given}


def _item(parcel: Fulfillment) -> dict[str, str]:
    time = parcel.created_at
    number = ",".join(parcel.tracking_numbers)
    return {
        "tracking_provider": "",
        "custom_tracking_provider": parcel.carrier,
        "custom_tracking_link": next(iter(parcel.tracking_urls), ""),
        "tracking_number": number,
        "date_shipped": str(int(time.timestamp())) if time else "",
        "tracking_id": parcel.id or number,
    }
