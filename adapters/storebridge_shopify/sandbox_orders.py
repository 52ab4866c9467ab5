"""Orders of the sandbox: buyers make them (`sell`), the API reads, fulfils and refunds them.

Money is kept as text in the shop's currency; every `…Set` shows it twice, also in the buyer's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from storebridge_shopify.sandbox_customers import address
from storebridge_shopify.sandbox_fields import WITHIN, Info, connection, field
from storebridge_shopify.sandbox_products import currency, money, title_of
from storebridge_shopify.sandbox_search import Listing
from storebridge_shopify.sandbox_state import Doc, State, gid, split

__all__ = ["assign", "bag", "seen", "sell"]


def sell(
    state: State,
    lines: Sequence[tuple[str, int]],
    *,
    customer: str | None = None,
    email: str | None = None,
    shipping: str = "4.90",
    discount: str = "0.00",
    code: str = "",
    ship_to: Mapping[str, Any] | None = None,
    currency_paid: str = "",
    test: bool = False,
) -> str:
    """Make a paid order of variants with quantities, as a buyer would, and return its id.

    Args:
        state: the shop.
        lines: ids of variants with how many of each.
        customer: the id of a customer.
        email: the buyer's address, where there is no customer.
        shipping: what sending costs.
        discount: what is taken off the first line.
        code: the discount code that was used.
        ship_to: the address, with the names of `MailingAddressInput`.
        currency_paid: what the buyer paid in, exchanged one to one; the shop's by default.
        test: whether it is a test order.
    """
    rows = [_line(state, variant, count) for variant, count in lines]
    rows[0] |= {"discount": money(discount), "code": code}
    subtotal = sum((_total(row) for row in rows), Decimal(0))
    number = 1001 + state.count("Order")
    place = address(state, {"countryCode": "DE", "city": "Berlin", "zip": "10115",
                            "address1": "Weg 1", **(ship_to or {})})  # fmt: skip
    order = state.add(
        "Order",
        {
            "name": f"#{number}", "number": number, "customer": customer, "email": email,
            "phone": None, "note": None, "tags": [], "test": test, "lines": rows,
            "currencyCode": currency(state),
            "presentmentCurrencyCode": currency_paid or currency(state),
            "processedAt": state.now(), "cancelledAt": None, "cancelReason": None,
            "closedAt": None, "closed": False, "confirmed": True, "sourceName": "web",
            "taxesIncluded": True, "discountCodes": [code] if code else [],
            "customAttributes": [], "shippingAddress": place, "billingAddress": place,
            "subtotal": money(subtotal), "shipping": money(shipping), "discount": money(discount),
            "tax": money((subtotal + Decimal(shipping)) * 19 / 119),
            "total": money(subtotal + Decimal(shipping)), "refunds": [], "fulfillments": [],
        },
    )  # fmt: skip
    assign(state, order)
    order["payment"] = gid("OrderTransaction", state.number())
    state.save(order)
    return str(order["id"])


def _line(state: State, variant: str, count: int) -> Doc:
    """Return an order's line and take its pieces out of stock."""
    doc = state.get(variant, "ProductVariant")
    assert doc is not None
    product = state.get(doc["product"])
    item = state.get(doc["item"])
    assert product is not None
    assert item is not None
    location = next(iter(item["levels"]), "")
    if item["tracked"] and location:
        held = item["levels"][location]
        held["available"] -= count
        held["committed"] = held.get("committed", 0) + count
        state.save(item)
    return {"id": gid("LineItem", state.number()), "variant": variant, "product": product["id"],
            "title": product["title"], "variantTitle": title_of(doc), "vendor": product["vendor"],
            "name": f"{product['title']} - {title_of(doc)}", "sku": doc["sku"],
            "quantity": count, "refunded": 0, "fulfilled": 0, "price": doc["price"],
            "discount": "0.00", "taxable": doc["taxable"], "isGiftCard": False,
            "requiresShipping": item["requiresShipping"], "location": location}  # fmt: skip


def _total(row: Doc) -> Decimal:
    return Decimal(row["price"]) * int(row["quantity"]) - Decimal(row["discount"])


def assign(state: State, order: Doc) -> None:
    """Give each location the lines that it has to send."""
    default = next((each["id"] for each in state.all("Location")), "")
    for row in order["lines"]:
        row["location"] = row["location"] or default
    for location in dict.fromkeys(row["location"] for row in order["lines"]):
        rows = [
            {"id": gid("FulfillmentOrderLineItem", state.number()), "line": row["id"],
             "remaining": row["quantity"], "total": row["quantity"]}
            for row in order["lines"] if row["location"] == location
        ]  # fmt: skip
        doc = {"order": order["id"], "location": location, "status": "OPEN",
               "requestStatus": "UNSUBMITTED", "rows": rows}  # fmt: skip
        state.add("FulfillmentOrder", doc)


def fulfillment_orders(state: State, order: str) -> list[Doc]:
    """Return what has to be sent for an order, by location."""
    return [doc for doc in state.all("FulfillmentOrder") if doc["order"] == order]


# -- reading


def financial(doc: Doc) -> str:
    """Return an order's financial status."""
    refunded = sum((Decimal(each["amount"]) for each in doc["refunds"]), Decimal(0))
    if not refunded and "transactions" in doc:
        paid = any(each["status"] == "SUCCESS" for each in doc["transactions"])
        return str(doc["financial"] or ("PAID" if paid else "PENDING"))
    if not refunded:
        return "PAID"
    return "REFUNDED" if refunded >= Decimal(doc["total"]) else "PARTIALLY_REFUNDED"


def fulfilment(doc: Doc) -> str:
    """Return an order's fulfilment status."""
    done = sum(row["fulfilled"] for row in doc["lines"])
    if done == 0:
        return "UNFULFILLED"
    every = sum(row["quantity"] for row in doc["lines"])
    return "FULFILLED" if done >= every else "PARTIALLY_FULFILLED"


#: Without the scope read_all_orders a token sees those of so many seconds (usage/access-scopes).
_SEEN = 60 * 86_400


def sees(state: State, doc: Doc) -> bool:
    """Return whether the token sees an order."""
    made = datetime.fromisoformat(doc["createdAt"]).timestamp()
    return "read_all_orders" in state.scopes or made > state.clock() - _SEEN


def seen(state: State, id: str) -> Doc | None:
    """Return an order that the token sees."""
    found = state.get(id, "Order")
    return found if found and sees(state, found) else None


WITHIN["Order"] = seen

ORDERS = Listing(
    "Order",
    "orders",
    {
        "id": lambda _state, doc: split(doc["id"])[1],
        "name": lambda _state, doc: doc["name"],
        "email": lambda state, doc: _email_of(state, doc),
        "tag": lambda _state, doc: doc["tags"],
        "test": lambda _state, doc: str(doc["test"]).lower(),
        "status": lambda _state, doc: "cancelled" if doc["cancelledAt"] else "open",
        "source_identifier": lambda _state, doc: doc.get("sourceIdentifier"),
        "financial_status": lambda _state, doc: financial(doc),
        "fulfillment_status": lambda _state, doc: fulfilment(doc),
        "customer_id": lambda _state, doc: split(doc["customer"] or "")[1],
        "discount_code": lambda _state, doc: doc["discountCodes"],
        "sku": lambda _state, doc: [row["sku"] for row in doc["lines"]],
        "created_at": lambda _state, doc: doc["createdAt"],
        "processed_at": lambda _state, doc: doc["processedAt"],
        "updated_at": lambda _state, doc: doc["updatedAt"],
    },
    {"ORDER_NUMBER": lambda _state, doc: doc["number"],
     "PROCESSED_AT": lambda _state, doc: doc["processedAt"]},
    sees=sees,
)  # fmt: skip


def _email_of(state: State, doc: Doc) -> str | None:
    if doc["email"] or not doc["customer"]:
        return doc["email"] or None
    return (state.get(doc["customer"]) or {}).get("email")


@field("QueryRoot", "orders")
def _orders(_root: Any, info: Info, **arguments: Any) -> Doc:
    return ORDERS.page(info.context, **arguments)


@field("QueryRoot", "ordersCount")
def _count(_root: Any, info: Info, query: str | None = None, **_: Any) -> Doc:
    return {"count": ORDERS.count(info.context, query), "precision": "EXACT"}


@field("QueryRoot", "order")
def _order(_root: Any, info: Info, id: str) -> Doc | None:
    return seen(info.context, id)


def bag(state: State, amount: Any, paid: str = "", own: str = "") -> Doc:
    """Return an amount as a `MoneyBag`: what was paid in, and the order's own currency."""
    text, own = money(amount), own or currency(state)
    return {
        "shopMoney": {"amount": text, "currencyCode": own},
        "presentmentMoney": {"amount": text, "currencyCode": paid or own},
    }


_SETS = {
    "subtotalPriceSet": "subtotal",
    "currentSubtotalPriceSet": "subtotal",
    "totalPriceSet": "total",
    "originalTotalPriceSet": "total",
    "totalReceivedSet": "total",
    "totalDiscountsSet": "discount",
    "currentTotalDiscountsSet": "discount",
    "totalShippingPriceSet": "shipping",
    "totalTaxSet": "tax",
    "currentTotalTaxSet": "tax",
}


@field("Order", *_SETS)
def _amount(doc: Doc, info: Info) -> Doc:
    name = _SETS[info.field_name]
    return bag(info.context, doc[name], doc["presentmentCurrencyCode"], doc["currencyCode"])


def _refunded(doc: Doc) -> Decimal:
    return sum((Decimal(each["amount"]) for each in doc["refunds"]), Decimal(0))


@field("Order", "totalRefundedSet")
def _total_refunded(doc: Doc, info: Info) -> Doc:
    return bag(info.context, _refunded(doc), doc["presentmentCurrencyCode"], doc["currencyCode"])


@field("Order", "currentTotalPriceSet", "netPaymentSet")
def _current(doc: Doc, info: Info) -> Doc:
    left = Decimal(doc["total"]) - _refunded(doc)
    return bag(info.context, left, doc["presentmentCurrencyCode"], doc["currencyCode"])


@field("Order", "totalRefundedShippingSet", "totalOutstandingSet", "totalTipReceivedSet",
       "totalCapturableSet", "refundDiscrepancySet")  # fmt: skip
@field("Order", "currentShippingPriceSet")
def _nothing(doc: Doc, info: Info) -> Doc:
    amount = doc["shipping"] if info.field_name == "currentShippingPriceSet" else 0
    return bag(info.context, amount, doc["presentmentCurrencyCode"], doc["currencyCode"])


@field("Order", "displayFinancialStatus")
def _financial(doc: Doc, _info: Info) -> str:
    return financial(doc)


@field("Order", "displayFulfillmentStatus")
def _fulfilment(doc: Doc, _info: Info) -> str:
    return fulfilment(doc)


@field("Order", "email")
def _email(doc: Doc, info: Info) -> str | None:
    return _email_of(info.context, doc)


@field("Order", "customer")
def _customer(doc: Doc, info: Info) -> Doc | None:
    return info.context.get(doc["customer"]) if doc["customer"] else None


@field("Order", "discountCode")
def _code(doc: Doc, _info: Info) -> str | None:
    return next(iter(doc["discountCodes"]), None)


@field("Order", "taxLines", "currentTaxLines")
def _taxes(doc: Doc, info: Info) -> list[Doc]:
    if "taxes" in doc:
        return [_tax(info.context, each) for each in doc["taxes"]]
    return [{"title": "MwSt", "rate": 0.19, "ratePercentage": 19.0, "source": None,
             "channelLiable": False, "priceSet": bag(info.context, doc["tax"])}]  # fmt: skip


def _tax(state: State, given: Doc) -> Doc:
    rate = Decimal(str(given["rate"]))
    price = _whole(given.get("priceSet") or {"shopMoney": {"amount": "0"}}, state)
    return {"title": given["title"], "rate": float(rate), "ratePercentage": float(rate * 100),
            "source": None, "channelLiable": False, "priceSet": price}  # fmt: skip


def _whole(given: Doc, state: State) -> Doc:
    """Return a bag of money of an input as answers have it: in both currencies."""
    shop = given["shopMoney"]
    paid = given.get("presentmentMoney") or shop
    return {
        name: {"amount": money(each["amount"]),
               "currencyCode": each.get("currencyCode") or currency(state)}
        for name, each in (("shopMoney", shop), ("presentmentMoney", paid))
    }  # fmt: skip


@field("Order", "shippingLine")
def _shipping_line(doc: Doc, info: Info) -> Doc:
    price = bag(info.context, doc["shipping"], doc["presentmentCurrencyCode"], doc["currencyCode"])
    number = split(doc["id"])[1]
    return {"id": gid("ShippingLine", number), "title": "Standard", "code": "standard",
            "custom": False, "isRemoved": False, "originalPriceSet": price,
            "discountedPriceSet": price, "currentDiscountedPriceSet": price, "source": "shopify",
            "taxLines": [], "discountAllocations": []}  # fmt: skip


@field("Order", "shippingLines")
def _shipping_lines(doc: Doc, info: Info, **arguments: Any) -> Doc:
    if "shippings" in doc:
        given = enumerate(doc["shippings"], 1)
        return connection((_shipped(doc, at, each, info) for at, each in given), **arguments)
    return connection([_shipping_line(doc, info)], **arguments)


def _shipped(doc: Doc, at: int, given: Doc, info: Info) -> Doc:
    price = _whole(given["priceSet"], info.context)
    taxes = [_tax(info.context, each) for each in given.get("taxLines") or ()]
    return {"id": gid("ShippingLine", f"{split(doc['id'])[1]}{at}"), "title": given["title"],
            "code": given.get("code"), "custom": False, "isRemoved": False,
            "originalPriceSet": price, "discountedPriceSet": price, "source": None,
            "currentDiscountedPriceSet": price, "taxLines": taxes,
            "discountAllocations": []}  # fmt: skip


@field("Order", "lineItems")
def _lines(doc: Doc, _info: Info, **arguments: Any) -> Doc:
    paid, own = doc["presentmentCurrencyCode"], doc["currencyCode"]
    return connection(({**row, "paid": paid, "own": own} for row in doc["lines"]), **arguments)


@field("Order", "transactions")
def _transactions(doc: Doc, info: Info, first: int | None = None, **_: Any) -> list[Doc]:
    if "transactions" in doc:
        rows = doc["transactions"][:first]
        return [{**row, "amountSet": _whole(row["bag"], info.context)} for row in rows]
    common = {"status": "SUCCESS", "gateway": "bogus", "test": doc["test"],
              "formattedGateway": "Bogus", "manualPaymentGateway": False,
              "manuallyCapturable": False, "multiCapturable": False}  # fmt: skip
    paid = doc["presentmentCurrencyCode"]
    found = [{**common, "id": doc["payment"], "kind": "SALE", "createdAt": doc["createdAt"],
              "processedAt": doc["processedAt"],
              "amountSet": bag(info.context, doc["total"], paid)}]  # fmt: skip
    found += (
        {**common, "id": each["transaction"], "kind": "REFUND", "createdAt": each["createdAt"],
         "processedAt": each["createdAt"], "amountSet": bag(info.context, each["amount"], paid)}
        for each in doc["refunds"]
    )  # fmt: skip
    return found[:first]


# -- lines


@field("LineItem", "currentQuantity", "refundableQuantity")
def _quantity_left(row: Doc, _info: Info) -> int:
    return int(row["quantity"] - row["refunded"])


@field("LineItem", "unfulfilledQuantity")
def _unfulfilled(row: Doc, _info: Info) -> int:
    return int(row["quantity"] - row["fulfilled"])


@field("LineItem", "variant", "product")
def _sold(row: Doc, info: Info) -> Doc | None:
    return info.context.get(row[info.field_name]) if row[info.field_name] else None


@field("LineItem", "originalUnitPriceSet", "discountedUnitPriceSet", "originalTotalSet",
       "discountedTotalSet", "totalDiscountSet",
       "discountedUnitPriceAfterAllDiscountsSet")  # fmt: skip
def _line_amount(row: Doc, info: Info, **_: Any) -> Doc:
    if "bag" in row and info.field_name == "originalUnitPriceSet":
        return _whole(row["bag"], info.context)
    price, count = Decimal(row["price"]), row["quantity"]
    amount = {
        "originalUnitPriceSet": price,
        "originalTotalSet": price * count,
        "discountedTotalSet": _total(row),
        "totalDiscountSet": Decimal(row["discount"]),
    }.get(info.field_name, _total(row) / max(1, count))
    return bag(info.context, amount, row["paid"], row.get("own", ""))


@field("LineItem", "taxLines")
def _line_taxes(row: Doc, info: Info, **_: Any) -> list[Doc]:
    if "taxes" in row:
        return [_tax(info.context, each) for each in row["taxes"]]
    price = bag(info.context, _total(row) * 19 / 119, row["paid"], row.get("own", ""))
    return [{"title": "MwSt", "rate": 0.19, "ratePercentage": 19.0, "priceSet": price}]


@field("LineItem", "discountAllocations")
def _allocations(row: Doc, info: Info) -> list[Doc]:
    if not Decimal(row["discount"]):
        return []
    cause = {"__typename": "DiscountCodeApplication", "code": row["code"], "index": 0}
    amount = bag(info.context, row["discount"], row["paid"], row.get("own", ""))
    return [{"allocatedAmountSet": amount, "discountApplication": cause}]


@field("LineItem", "customAttributes")
def _attributes(row: Doc, _info: Info) -> list[Doc]:
    return list(row.get("properties", ()))
