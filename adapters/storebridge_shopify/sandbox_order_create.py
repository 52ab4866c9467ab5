"""Orders of the sandbox that the API makes, opens, closes, cancels and deletes.

An order from elsewhere keeps the lines, taxes and payments that it is given; totals are worked out
(schema, orderCreate). It is repeated as often as it is sent, unless a metafield of the type "id"
says otherwise. Which orders can be deleted is the help page's "specific order types": here those
that the API made.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from storebridge_shopify.sandbox_customers import address
from storebridge_shopify.sandbox_fields import (
    Info,
    Refused,
    TopError,
    field,
    job,
    mutation,
    user_error,
)
from storebridge_shopify.sandbox_metafields import set_metafields
from storebridge_shopify.sandbox_orders import assign, seen
from storebridge_shopify.sandbox_products import currency, money, title_of
from storebridge_shopify.sandbox_state import Doc, State, gid, split
from storebridge_shopify.sandbox_writing import number, tags_of

__all__: list[str] = []

_MONEY = Decimal(0)


@mutation("orderCreate")
def _create(state: State, order: Doc, options: Doc | None = None) -> Doc:
    _check(state, order)
    asked = options or {}
    rows = [_line(state, each) for each in order["lineItems"]]
    if (asked.get("inventoryBehaviour") or "BYPASS") != "BYPASS":
        _claim(state, rows)
    total = 1001 + state.count("Order")
    doc: Doc = {
        "name": order.get("name") or f"#{total}", "number": total, "lines": rows,
        "customer": _customer(state, order), "email": order.get("email"),
        "phone": order.get("phone"), "note": order.get("note"),
        "tags": tags_of(order.get("tags") or ()), "test": bool(order.get("test")),
        "currencyCode": order.get("currency") or currency(state),
        "presentmentCurrencyCode": order.get("presentmentCurrency") or order.get("currency")
        or currency(state),
        "processedAt": order.get("processedAt") or state.now(), "cancelledAt": None,
        "cancelReason": None, "closedAt": order.get("closedAt"),
        "closed": bool(order.get("closedAt")), "confirmed": True,
        "sourceName": order.get("sourceName") or "1", "customAttributes": [],
        "taxesIncluded": bool(order.get("taxesIncluded")), "made": True,
        "shippingAddress": _address(state, order.get("shippingAddress")),
        "billingAddress": _address(state, order.get("billingAddress")),
        "refunds": [], "fulfillments": [], "financial": order.get("financialStatus"),
        "mails": bool(asked.get("sendReceipt")),
        **_priced(order, rows),
    }  # fmt: skip
    doc["transactions"] = [_transaction(state, each) for each in order.get("transactions") or ()]
    made = state.add("Order", doc)
    assign(state, made)
    wrong = set_metafields(
        state, made["id"], order.get("metafields") or (), ("order", "metafields")
    )
    if wrong:
        raise Refused(*({**each, "code": "INVALID"} for each in wrong))
    return {"order": made}


def _check(state: State, order: Doc) -> None:
    path = ["order"]
    if not order.get("lineItems"):
        # The wording isn't known.
        text = "Line items must have at least one line item"
        raise Refused(user_error([*path, "lineItems"], text, "INVALID"))
    if order.get("customerId") and order.get("customer"):
        text = "Only one of customer and customerId can be provided."
        raise Refused(user_error([*path, "customer"], text, "REDUNDANT_CUSTOMER_FIELDS"))
    if (order.get("processedAt") or "") > state.now():
        text = "Processed at must not be in the future"
        raise Refused(user_error([*path, "processedAt"], text, "PROCESSED_AT_INVALID"))
    if order.get("taxLines") and any(each.get("taxLines") for each in order["lineItems"]):
        # "tax lines can be specified on the order or the line items but not both" (description)
        text = "Tax lines can't be on both the order and its line items"
        raise Refused(user_error([*path, "taxLines"], text, "INVALID"))


def _line(state: State, given: Doc) -> Doc:
    doc = state.get(given.get("variantId") or "", "ProductVariant")
    if given.get("variantId") and doc is None:
        raise TopError("RESOURCE_NOT_FOUND", "invalid id")
    product = state.get(doc["product"]) if doc else None
    bag = given.get("priceSet") or {"shopMoney": {"amount": doc["price"] if doc else "0"}}
    title = given.get("title") or (product["title"] if product else "")
    variant = given.get("variantTitle") or (title_of(doc) if doc else None)
    return {
        "id": gid("LineItem", state.number()), "variant": doc["id"] if doc else None,
        "product": product["id"] if product else None, "title": title, "variantTitle": variant,
        "vendor": given.get("vendor"), "name": f"{title} - {variant}" if variant else title,
        "sku": given.get("sku") or (doc["sku"] if doc else None), "quantity": given["quantity"],
        "refunded": 0, "fulfilled": 0, "price": str(number(bag["shopMoney"]["amount"])),
        "bag": bag, "discount": "0.00", "taxable": True, "isGiftCard": False,
        "requiresShipping": given.get("requiresShipping") is not False, "location": "",
        "taxes": list(given.get("taxLines") or ()),
        "properties": [{"key": each["name"], "value": each["value"]}
                       for each in given.get("properties") or ()],
    }  # fmt: skip


def _claim(state: State, rows: Iterable[Doc]) -> None:
    for row in rows:
        variant = state.get(row["variant"] or "")
        item = state.get(variant["item"]) if variant else None
        if item and item["tracked"] and item["levels"]:
            level = next(iter(item["levels"].values()))
            level["available"] -= row["quantity"]
            state.save(item)


def _customer(state: State, order: Doc) -> str | None:
    given = (order.get("customer") or {}).get("toAssociate") or {}
    wanted = given.get("id") or order.get("customerId")
    if wanted and state.get(wanted, "Customer") is None:
        path = ["order", "customer", "toAssociate", "id"]
        raise Refused(user_error(path, "Customer does not exist", "INVALID"))
    return wanted or None


def _address(state: State, given: Doc | None) -> Doc | None:
    return address(state, given) if given else None


def _priced(order: Doc, rows: list[Doc]) -> Doc:
    """Return what an order comes to; a discount goes over its lines, first come first served."""
    taxes = [*(order.get("taxLines") or ()), *(tax for row in rows for tax in row["taxes"])]
    shipping = list(order.get("shippingLines") or ())
    taxes += [tax for each in shipping for tax in each.get("taxLines") or ()]
    fixed = (order.get("discountCode") or {}).get("itemFixedDiscountCode")
    left = off = _amount(fixed["amountSet"]) if fixed else _MONEY
    for row in rows:
        part = min(left, Decimal(row["price"]) * row["quantity"])
        row |= {"discount": money(part), "code": fixed["code"] if fixed else ""}
        left -= part
    subtotal = sum((Decimal(row["price"]) * row["quantity"] for row in rows), _MONEY) - off + left
    sent = sum((_amount(each["priceSet"]) for each in shipping), _MONEY)
    tax = sum((_amount(each["priceSet"]) for each in taxes if each.get("priceSet")), _MONEY)
    total = subtotal + sent + (_MONEY if order.get("taxesIncluded") else tax)
    return {"subtotal": money(subtotal), "shipping": money(sent), "discount": money(off),
            "tax": money(tax), "total": money(total), "taxes": order.get("taxLines") or [],
            "shippings": shipping, "discountCodes": [fixed["code"]] if fixed else []}  # fmt: skip


def _amount(bag: Doc) -> Decimal:
    return number(bag["shopMoney"]["amount"])


def _transaction(state: State, given: Doc) -> Doc:
    gateway = given.get("gateway") or "manual"
    return {
        "id": gid("OrderTransaction", state.number()), "kind": given.get("kind") or "SALE",
        "status": given.get("status") or "SUCCESS", "gateway": gateway,
        "formattedGateway": gateway, "test": bool(given.get("test")),
        "manualPaymentGateway": True, "manuallyCapturable": False, "multiCapturable": False,
        "createdAt": given.get("processedAt") or state.now(),
        "processedAt": given.get("processedAt") or state.now(), "bag": given["amountSet"],
    }  # fmt: skip


@field("QueryRoot", "orderByIdentifier")
def _by_identifier(_root: Any, info: Info, identifier: Doc) -> Doc | None:
    state = info.context
    if "id" in identifier:
        return seen(state, identifier["id"])
    own = identifier["customId"]
    namespace, key = own.get("namespace") or "app", own["key"]
    if not state.holders("MetafieldDefinition", "id", f"ORDER {namespace} {key}"):
        text = "Metafield definition of type 'id' is required when using custom ids."
        raise TopError("NOT_FOUND", text)  # recorded, of customers
    sql = "SELECT owner FROM metafields WHERE namespace = ? AND key = ? AND value = ?"
    owners = [owner for (owner,) in state.rows(sql, namespace, key, own["value"])]
    return next((found for owner in owners if (found := seen(state, owner))), None)


# -- what becomes of it


def _existing(state: State, id: str, name: str, code: str | None = None) -> Doc:
    doc = state.get(id, "Order")
    if doc is None:
        raise Refused(user_error([name], "Order does not exist", code))
    return doc


@mutation("orderClose")
def _close(state: State, input: Doc) -> Doc:
    doc = _existing(state, input["id"], "id")
    state.save(doc | {"closed": True, "closedAt": state.now()})
    return {"order": state.get(doc["id"])}


@mutation("orderOpen")
def _open(state: State, input: Doc) -> Doc:
    doc = _existing(state, input["id"], "id")
    state.save(doc | {"closed": False, "closedAt": None})
    return {"order": state.get(doc["id"])}


@mutation("orderCancel", errors="orderCancelUserErrors")
def _cancel(
    state: State,
    orderId: str,  # noqa: N803 - the API's name
    reason: str,
    restock: bool,
    notifyCustomer: bool = False,  # noqa: N803 - the API's name
    **_: Any,
) -> Doc:
    doc = _existing(state, orderId, "orderId", "NOT_FOUND")
    if doc["cancelledAt"]:
        text = "Cannot cancel an order that has already been canceled"
        raise Refused(user_error(["orderId"], text, "INVALID"))
    if doc["fulfillments"]:
        text = "Cannot cancel an order that has outstanding fulfillments"
        raise Refused(user_error(["orderId"], text, "INVALID"))
    if restock:
        _claim(state, ({**row, "quantity": -row["quantity"]} for row in doc["lines"]))
    state.save(doc | {"cancelledAt": state.now(), "cancelReason": reason, "closed": True,
                      "closedAt": state.now(), "mails": notifyCustomer})  # fmt: skip
    return {"job": job(state)}


@mutation("orderDelete")
def _delete(state: State, orderId: str) -> Doc:  # noqa: N803 - the API's name
    doc = _existing(state, orderId, "orderId", "NOT_FOUND")
    if not doc.get("made"):
        text = "Order cannot be deleted"  # the wording isn't known
        raise Refused(user_error(["orderId"], text, "INVALID"))
    for each in list(state.all("FulfillmentOrder")):
        if each["order"] == doc["id"]:
            state.delete(each["id"])
    state.delete(doc["id"])
    return {"deletedId": orderId, "number": split(orderId)[1]}
