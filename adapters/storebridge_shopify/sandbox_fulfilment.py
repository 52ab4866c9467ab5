"""What the API does to orders of the sandbox: fulfilments with tracking, refunds, notes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from storebridge_shopify.sandbox_customers import address
from storebridge_shopify.sandbox_fields import (
    Info,
    Refused,
    connection,
    field,
    mutation,
    user_error,
)
from storebridge_shopify.sandbox_orders import bag, fulfillment_orders
from storebridge_shopify.sandbox_products import money
from storebridge_shopify.sandbox_state import Doc, State, gid, split
from storebridge_shopify.sandbox_writing import number, tags_of

__all__: list[str] = []


@field("Order", "fulfillmentOrders")
def _orders(doc: Doc, info: Info, **arguments: Any) -> Doc:
    return connection(fulfillment_orders(info.context, doc["id"]), **arguments)


@field("QueryRoot", "fulfillmentOrder")
def _order(_root: Any, info: Info, id: str) -> Doc | None:
    return info.context.get(id, "FulfillmentOrder")


@field("FulfillmentOrder", "assignedLocation")
def _assigned(doc: Doc, info: Info) -> Doc:
    location = info.context.get(doc["location"]) or {"name": "Shop"}
    return {"name": location["name"], "location": location, "countryCode": "DE"}


@field("FulfillmentOrder", "supportedActions")
def _actions(doc: Doc, _info: Info) -> list[Doc]:
    return [{"action": "CREATE_FULFILLMENT"}] if doc["status"] in ("OPEN", "IN_PROGRESS") else []


@field("FulfillmentOrder", "lineItems")
def _rows(doc: Doc, info: Info, **arguments: Any) -> Doc:
    order = info.context.get(doc["order"]) or {"lines": []}
    lines = {row["id"]: row for row in order["lines"]}
    found = [
        {"id": row["id"], "remainingQuantity": row["remaining"], "totalQuantity": row["total"],
         "sku": lines[row["line"]]["sku"], "lineItem": {**lines[row["line"]], "paid": ""},
         "productTitle": lines[row["line"]]["title"], "requiresShipping": True}
        for row in doc["rows"]
    ]  # fmt: skip
    return connection(found, **arguments)


@field("FulfillmentOrder", "order")
@field("Fulfillment", "order")
@field("Refund", "order")
def _of_order(doc: Doc, info: Info) -> Doc | None:
    return info.context.get(doc["order"])


# -- fulfilments


@mutation("fulfillmentCreate")
def _create(state: State, fulfillment: Doc, **_: Any) -> Doc:
    given = fulfillment["lineItemsByFulfillmentOrder"]
    docs = [state.get(each["fulfillmentOrderId"], "FulfillmentOrder") for each in given]
    found = [doc for doc in docs if doc]
    _check(found, len(docs))
    order = state.get(found[0]["order"])
    assert order is not None
    lines = {row["id"]: row for row in order["lines"]}
    sent: dict[str, int] = {}
    for doc, each in zip(found, given, strict=True):
        for row, count in _chosen(doc, each.get("fulfillmentOrderLineItems")):
            row["remaining"] -= count
            lines[row["line"]]["fulfilled"] += count
            sent[row["line"]] = sent.get(row["line"], 0) + count
        left = any(row["remaining"] for row in doc["rows"])
        doc["status"] = "IN_PROGRESS" if left else "CLOSED"
        state.save(doc)
    made = state.add(
        "Fulfillment",
        {"order": order["id"], "status": "SUCCESS", "displayStatus": "FULFILLED",
         "name": f"{order['name']}-F{len(order['fulfillments']) + 1}", "sent": sent,
         "tracking": _tracking(fulfillment.get("trackingInfo")), "requiresShipping": True,
         "totalQuantity": sum(sent.values()), "location": found[0]["location"],
         "notified": bool(fulfillment.get("notifyCustomer"))},
    )  # fmt: skip
    order["fulfillments"].append(made["id"])
    state.save(order)
    return {"fulfillment": made}


def _check(found: list[Doc], asked: int) -> None:
    path = ["fulfillment"]
    if len(found) < asked or not found:
        raise Refused(user_error(path, "Fulfillment order does not exist."))
    orders = list(dict.fromkeys(split(doc["order"])[1] for doc in found))
    if len(orders) > 1:
        text = f"All fulfillment orders must belong to the same order. Multiple orders with ids [{', '.join(orders)}] were found."  # noqa: E501 - the platform's words
        raise Refused(user_error(path, text))
    places = list(dict.fromkeys(split(doc["location"])[1] for doc in found))
    if len(places) > 1:
        text = f"All fulfillment orders must be assigned to a single location. Multiple locations with ids [{', '.join(places)}] were found."  # noqa: E501 - the platform's words
        raise Refused(user_error(path, text))
    for doc in found:
        if doc["status"] not in ("OPEN", "IN_PROGRESS"):
            status = doc["status"].lower()
            text = f"Fulfillment order {split(doc['id'])[1]} has an unfulfillable status= {status}."
            raise Refused(user_error(path, text))


def _chosen(doc: Doc, given: list[Doc] | None) -> list[tuple[Doc, int]]:
    """Return the rows to send with how many; none named means all that is left."""
    if not given:
        return [(row, row["remaining"]) for row in doc["rows"] if row["remaining"]]
    rows = {row["id"]: row for row in doc["rows"]}
    found = []
    for at, each in enumerate(given):
        path = ["fulfillment"]
        if each["id"] not in rows:
            raise Refused(user_error(path, "Fulfillment order line item does not exist."))
        if each["quantity"] < 1:
            where = ["fulfillment", "lineItemsByFulfillmentOrder", 0,
                     "fulfillmentOrderLineItems", at, "quantity"]  # fmt: skip
            raise Refused(user_error(where, "Quantity must be greater than 0"))
        if each["quantity"] > rows[each["id"]]["remaining"]:
            text = "Invalid fulfillment order line item quantity requested."
            raise Refused(user_error(path, text))
        found.append((rows[each["id"]], each["quantity"]))
    return found


def _tracking(given: Doc | None) -> list[Doc]:
    if not given:
        return []
    numbers = given.get("numbers") or ([given["number"]] if given.get("number") else [])
    urls = given.get("urls") or ([given["url"]] if given.get("url") else [])
    count = max(len(numbers), len(urls))
    padded = (
        [*urls, *([None] * (count - len(urls)))],
        [*numbers, *([None] * (count - len(numbers)))],
    )
    return [
        {"company": given.get("company"), "number": number_, "url": url}
        for url, number_ in zip(*padded, strict=True)
    ]


@mutation("fulfillmentTrackingInfoUpdate")
def _track(
    state: State,
    fulfillmentId: str,  # noqa: N803 - the API's name
    trackingInfoInput: Doc,  # noqa: N803 - the API's name
    notifyCustomer: bool = False,  # noqa: N803 - the API's name
) -> Doc:
    doc = state.get(fulfillmentId, "Fulfillment")
    if doc is None:
        raise Refused(user_error(["fulfillmentId"], "Fulfillment does not exist."))
    doc["tracking"] = _tracking(trackingInfoInput)
    doc["notified"] = doc["notified"] or notifyCustomer
    state.save(doc)
    return {"fulfillment": doc}


@field("Order", "fulfillments")
def _fulfillments(doc: Doc, info: Info, first: int | None = None, **_: Any) -> list[Doc]:
    found = [each for id in doc["fulfillments"] if (each := info.context.get(id))]
    return found[:first]


@field("QueryRoot", "fulfillment")
def _fulfillment(_root: Any, info: Info, id: str) -> Doc | None:
    return info.context.get(id, "Fulfillment")


@field("Fulfillment", "trackingInfo")
def _tracking_info(doc: Doc, _info: Info, first: int | None = None) -> list[Doc]:
    return list(doc["tracking"][:first])


@field("Fulfillment", "location")
def _sent_from(doc: Doc, info: Info) -> Doc | None:
    return info.context.get(doc["location"])


@field("Fulfillment", "fulfillmentLineItems")
def _sent(doc: Doc, info: Info, **arguments: Any) -> Doc:
    order = info.context.get(doc["order"]) or {"lines": []}
    lines = {row["id"]: {**row, "paid": ""} for row in order["lines"]}
    found = [
        {"id": gid("FulfillmentLineItem", split(id)[1]), "quantity": count, "lineItem": lines[id]}
        for id, count in doc["sent"].items()
    ]
    return connection(found, **arguments)


# -- refunds


@mutation("refundCreate")
def _refund(state: State, input: Doc) -> Doc:
    order = state.get(input["orderId"], "Order")
    if order is None:
        raise Refused(user_error(["orderId"], "Order does not exist"))
    lines = {row["id"]: row for row in order["lines"]}
    rows, amount = [], Decimal(0)
    for at, each in enumerate(input.get("refundLineItems") or ()):
        row = lines.get(each["lineItemId"])
        if row is None or each["quantity"] > row["quantity"] - row["refunded"]:
            text = "Quantity cannot refund more items than were purchased"
            raise Refused(user_error(["refundLineItems", at, "quantity"], text))
        row["refunded"] += each["quantity"]
        amount += Decimal(row["price"]) * each["quantity"]
        rows.append({"line": row["id"], "quantity": each["quantity"],
                     "restockType": each.get("restockType") or "NO_RESTOCK"})  # fmt: skip
    paid = [number(each["amount"]) for each in input.get("transactions") or ()]
    amount = sum(paid, Decimal(0)) if paid else amount
    left = Decimal(order["total"]) - sum(
        (Decimal(r["amount"]) for r in order["refunds"]), Decimal(0)
    )
    if amount > left:
        text = f"Refund amount ${amount:.2f} is greater than net payment received ${left:.2f}"
        raise Refused(user_error(None, text))
    made = {"id": gid("Refund", state.number()), "order": order["id"], "note": input.get("note"),
            "createdAt": state.now(), "amount": money(amount), "rows": rows,
            "transaction": gid("OrderTransaction", state.number())}  # fmt: skip
    order["refunds"].append(made)
    state.save(order)
    return {"refund": made, "order": order}


@field("QueryRoot", "refund")
def _one_refund(_root: Any, info: Info, id: str) -> Doc | None:
    refunds = (each for order in info.context.all("Order") for each in order["refunds"])
    return next((each for each in refunds if each["id"] == id), None)


@field("Refund", "totalRefundedSet")
def _refunded(doc: Doc, info: Info) -> Doc:
    return bag(info.context, doc["amount"])


@field("Refund", "processedAt", "updatedAt")
def _refunded_at(doc: Doc, _info: Info) -> str:
    return str(doc["createdAt"])


@field("Refund", "refundLineItems")
def _refund_rows(doc: Doc, info: Info, **arguments: Any) -> Doc:
    order = info.context.get(doc["order"]) or {"lines": []}
    lines = {row["id"]: {**row, "paid": ""} for row in order["lines"]}
    found = []
    for row in doc["rows"]:
        line = lines[row["line"]]
        total = bag(info.context, Decimal(line["price"]) * row["quantity"])
        found.append(
            {"id": gid("RefundLineItem", split(row["line"])[1]), "lineItem": line,
             "quantity": row["quantity"], "restockType": row["restockType"],
             "restocked": row["restockType"] != "NO_RESTOCK", "subtotalSet": total,
             "priceSet": bag(info.context, line["price"]),
             "totalTaxSet": bag(info.context, 0)}
        )  # fmt: skip
    return connection(found, **arguments)


@mutation("orderUpdate")
def _update(state: State, input: Doc) -> Doc:
    order = state.get(input["id"], "Order")
    if order is None:
        raise Refused(user_error(["id"], "Order does not exist"))
    for name in ("note", "email", "phone"):
        if name in input:
            order[name] = input[name]
    if "shippingAddress" in input:
        given = input["shippingAddress"]
        order["shippingAddress"] = address(state, given) if given else None
    if "tags" in input:
        order["tags"] = tags_of(input["tags"] or ())
    state.save(order)
    return {"order": order}
