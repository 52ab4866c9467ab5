"""From Shopify's JSON to orders: amounts in the shop's money, and in the buyer's if it differs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from storebridge.models import (
    Adjustment,
    Amount,
    Fulfillment,
    FulfillmentLine,
    LineItem,
    Money,
    Order,
    Payment,
    Refund,
    RefundLine,
    ShippingLine,
    TaxLine,
)
from storebridge_shopify import people, reading
from storebridge_shopify.graphql import Doc
from storebridge_shopify.order_writing import NAMES
from storebridge_shopify.writing import tag_forms

__all__ = ["order"]

_AMOUNTS = {
    "subtotal": "subtotalPriceSet",
    "shipping_total": "totalShippingPriceSet",
    "discount_total": "totalDiscountsSet",
    "tax_total": "totalTaxSet",
    "total": "totalPriceSet",
    "refunded_total": "totalRefundedSet",
}


def order(doc: Doc) -> Order:
    """Return the order that a document describes; what wasn't asked for is not given."""
    found: dict[str, Any] = {
        "id": doc["id"],
        "number": doc["name"],
        "status": "cancelled" if doc["cancelledAt"] else "closed" if doc["closed"] else "open",
        "payment_status": (doc["displayFinancialStatus"] or "").lower(),
        "fulfillment_status": doc["displayFulfillmentStatus"].lower(),
        "email": doc["email"] or "",
        "phone": doc["phone"] or "",
        "locale": doc["customerLocale"] or None,
        "currency": doc["currencyCode"],
        "presentment_currency": doc["presentmentCurrencyCode"],
        "billing_address": people.address(doc["billingAddress"]),
        "shipping_address": people.address(doc["shippingAddress"]),
        "taxes": _taxes(doc),
        "prices_include_tax": doc["taxesIncluded"],
        "discount_codes": tuple(doc["discountCodes"]),
        "tags": tag_forms(doc["tags"]),
        "note": doc["note"] or "",
        "channel": doc["sourceName"] or "",
        # An order from elsewhere was placed when it was processed, long before it was created here.
        "created_at": doc["processedAt"],
        "updated_at": doc["updatedAt"],
        "cancelled_at": doc["cancelledAt"],
        "cancel_reason": (doc["cancelReason"] or "").lower(),
        **{ours: _amount(bag) for ours, theirs in _AMOUNTS.items() if (bag := doc[theirs])},
    }
    found.update(_parts(doc))
    return Order(**found)


def _parts(doc: Doc) -> Iterator[tuple[str, Any]]:
    """Yield the fields that come of connections and lists, those that were asked for."""
    if doc["key"]:
        yield "key", doc["key"]["value"]
    if "customer" in doc:
        yield "customer_id", (doc["customer"] or {}).get("id", "")
    if "lineItems" in doc:
        yield "line_items", tuple(map(_line, reading.nodes(doc["lineItems"])))
    if "shippingLines" in doc:
        yield "shipping_lines", tuple(map(_shipping, reading.nodes(doc["shippingLines"])))
    if "fulfillments" in doc:
        yield "fulfillments", tuple(map(_fulfillment, doc["fulfillments"]))
    if "refunds" in doc:
        yield "refunds", tuple(map(_refund, doc["refunds"]))
    if "transactions" in doc:
        yield "payments", tuple(map(_payment, doc["transactions"]))
    if "metafields" in doc:
        held = reading.metafields(doc["metafields"])
        yield "metafields", tuple(each for each in held if each.namespace != NAMES)


def _amount(bag: Doc) -> Amount:
    shop, seen = (_money(bag[name]) for name in ("shopMoney", "presentmentMoney"))
    return (
        Amount(shop=shop, presentment=seen) if seen.currency != shop.currency else Amount(shop=shop)
    )


def _money(doc: Doc) -> Money:
    return Money(doc["amount"], doc["currencyCode"])


def _taxes(doc: Doc) -> tuple[TaxLine, ...]:
    return tuple(
        TaxLine(title=each["title"], rate=_rate(each["rate"]), amount=_amount(each["priceSet"]))
        for each in doc["taxLines"]
    )


def _rate(rate: Any) -> str:
    """Return a fraction in digits; Shopify's is a JSON number."""
    return "" if rate is None else format(Decimal(str(rate)).normalize(), "f")


def _line(doc: Doc) -> LineItem:
    found: dict[str, Any] = {
        "id": doc["id"],
        "sku": doc["sku"] or "",
        "title": doc["title"],
        "variant_title": doc["variantTitle"] or "",
        "quantity": doc["quantity"],
        "unit_price": _amount(doc["originalUnitPriceSet"]),
        "total": _amount(doc["discountedTotalSet"]),
        "adjustments": tuple(map(_adjustment, doc["discountAllocations"])),
        "taxes": _taxes(doc),
        "properties": {each["key"]: each["value"] or "" for each in doc["customAttributes"]},
        "requires_shipping": doc["requiresShipping"],
    }
    for name in ("product", "variant"):
        if name in doc:
            found[f"{name}_id"] = (doc[name] or {}).get("id", "")
    return LineItem(**found)


def _adjustment(doc: Doc) -> Adjustment:
    cause = doc["discountApplication"]
    return Adjustment(
        title=cause.get("title") or "",
        code=cause.get("code") or "",
        amount=_amount(doc["allocatedAmountSet"]),
    )


def _shipping(doc: Doc) -> ShippingLine:
    return ShippingLine(
        id=doc["id"] or "",
        title=doc["title"],
        code=doc["code"] or "",
        price=_amount(doc["discountedPriceSet"]),
        taxes=_taxes(doc),
    )


def _fulfillment(doc: Doc) -> Fulfillment:
    tracking = doc["trackingInfo"]
    found: dict[str, Any] = {
        "id": doc["id"],
        "status": doc["status"].lower(),
        "lines": tuple(
            FulfillmentLine(line_item_id=each["lineItem"]["id"], quantity=each["quantity"] or 0)
            for each in reading.nodes(doc["fulfillmentLineItems"])
        ),
        "carrier": next((each["company"] for each in tracking if each["company"]), ""),
        "tracking_numbers": tuple(each["number"] for each in tracking if each["number"]),
        "tracking_urls": tuple(each["url"] for each in tracking if each["url"]),
        "created_at": doc["createdAt"],
    }
    if "location" in doc:
        found["location"] = (doc["location"] or {}).get("name", "")
    return Fulfillment(**found)


def _refund(doc: Doc) -> Refund:
    return Refund(
        id=doc["id"],
        amount=_amount(doc["totalRefundedSet"]),
        reason=doc["note"] or "",
        lines=tuple(
            RefundLine(
                line_item_id=each["lineItem"]["id"],
                quantity=each["quantity"],
                amount=_amount(each["subtotalSet"]),
                restocked=each["restocked"],
            )
            for each in reading.nodes(doc["refundLineItems"])
        ),
        created_at=doc["createdAt"],
    )


def _payment(doc: Doc) -> Payment:
    return Payment(
        id=doc["id"],
        gateway=doc["gateway"] or "",
        status=doc["status"].lower(),
        kind=doc["kind"].lower(),
        amount=_amount(doc["amountSet"]),
        created_at=doc["createdAt"],
    )
