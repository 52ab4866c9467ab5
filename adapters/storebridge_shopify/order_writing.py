"""From orders to the input of orderCreate: what was sold elsewhere, as it was sold there.

Nothing of it touches stock, charges anybody or writes to anybody. What the call can't carry is told
before: it takes one discount code for the whole order, and works the totals out itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from hashlib import sha256
from typing import Any

from storebridge.adapter import Fit
from storebridge.errors import Rejected
from storebridge.models import Amount, LineItem, Money, Order, Payment, TaxLine
from storebridge.wire import amount
from storebridge_shopify import people
from storebridge_shopify.writing import tag_forms

__all__ = [
    "MARK",
    "NAMES",
    "OPTIONS",
    "REASONS",
    "STATUSES",
    "mark_of",
    "named",
    "new_order",
    "unheld",
]

Body = dict[str, Any]

#: The namespace and the keys under which an order keeps what it was made as, and its own key.
NAMES = "storebridge"
MARK, _KEY = "made_as", "key"
#: No stock is claimed and nobody is written to (OrderCreateOptionsInput).
OPTIONS = {"inventoryBehaviour": "BYPASS", "sendReceipt": False, "sendFulfillmentReceipt": False}
#: The statuses that an order can be brought to, with the words of other platforms for them.
STATUSES: Mapping[str, str] = {
    "open": "open",
    "closed": "closed",
    "cancelled": "cancelled",
    "pending": "open",
    "processing": "open",
    "on-hold": "open",
    "completed": "closed",
}
REASONS = frozenset({"customer", "declined", "fraud", "inventory", "other", "staff"})
_FINANCIAL = frozenset(
    {"authorized", "expired", "paid", "partially_paid", "partially_refunded", "pending"}
    | {"refunded", "voided"}
)
_TEXTS = {"number": "name", "email": "email", "phone": "phone", "note": "note",
          "currency": "currency", "presentment_currency": "presentmentCurrency"}  # fmt: skip
#: Payments that make a new order's balance; a refund needs the payment that it refunds.
_KINDS = frozenset({"authorization", "capture", "sale", "void"})
_PAID = {"paid": "SUCCESS", "success": "SUCCESS", "": "SUCCESS", "pending": "PENDING"}
_SOURCE = "schema, orderCreate"
#: The most elements of an input's list.
_LINES = 250


def mark_of(key: str) -> str:
    """Return what an order that is made under a key bears: the same for the same key."""
    return sha256(key.encode()).hexdigest()[:32]


def new_order(desired: Order, key: str, variants: Mapping[str, str], customer: str) -> Body:
    """Return the input for an order.

    Args:
        desired: the order.
        key: what it is made under ("number:#1001").
        variants: the ids of variants by SKU, of those that the shop has.
        customer: the id of the customer with its address, "" without one.

    Raises:
        Rejected: for a line without a price, and for one whose price has too many digits.
    """
    given = desired.given
    body: Body = {
        theirs: getattr(desired, ours)
        for ours, theirs in _TEXTS.items()
        if ours in given and getattr(desired, ours)
    }
    body["lineItems"] = [_line(each, variants) for each in desired.line_items]
    body["metafields"] = named(desired.key) if desired.key else [_row(MARK, mark_of(key), "id")]
    if customer:
        body["customer"] = {"toAssociate": {"id": customer}}
    for ours, theirs in (("billing_address", "billingAddress"),
                         ("shipping_address", "shippingAddress")):  # fmt: skip
        if (address := getattr(desired, ours)) is not None:
            body[theirs] = people.address_input(address)
    if desired.tags:
        body["tags"] = list(tag_forms(desired.tags))
    if "prices_include_tax" in given:
        body["taxesIncluded"] = desired.prices_include_tax
    if desired.created_at is not None:
        body["processedAt"] = desired.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**body, **_money(desired)}


def named(key: str) -> list[dict[str, str]]:
    """Return the metafields of an order that has a key of its own."""
    row = _row(_KEY, key, "single_line_text_field")
    return [_row(MARK, mark_of(f"key:{key}"), "id"), row]


def _row(key: str, value: str, kind: str) -> dict[str, str]:
    return {"namespace": NAMES, "key": key, "type": kind, "value": value}


def _money(desired: Order) -> Body:
    """Return shipping, taxes, the discount and the payments of an order."""
    body: Body = {}
    if desired.shipping_lines:
        body["shippingLines"] = [
            {
                "title": each.title or each.code or "Shipping",
                "priceSet": _bag(each.price or _nothing(desired)),
                **({"code": each.code} if each.code else {}),
                **_taxes(each.taxes),
            }
            for each in desired.shipping_lines
        ]
    if desired.taxes and not _taxed_lines(desired):
        body |= _taxes(desired.taxes)
    if (off := _discount(desired)) is not None:
        code = next(iter(desired.discount_codes), "") or next(_causes(desired), "discount")
        body["discountCode"] = {"itemFixedDiscountCode": {"code": code, "amountSet": _bag(off)}}
    payments = [_payment(each) for each in desired.payments if _is_payment(each)]
    if payments:
        body["transactions"] = payments
    if desired.payment_status in _FINANCIAL:
        body["financialStatus"] = desired.payment_status.upper()
    return body


def _taxed_lines(desired: Order) -> bool:
    """Return whether taxes are told line by line: the order's own can't be told then (schema)."""
    return any(lines.taxes for lines in desired.line_items) or any(
        shipping.taxes for shipping in desired.shipping_lines
    )


def _nothing(desired: Order) -> Amount:
    return Amount(shop=Money(0, desired.currency))


def _bag(value: Amount) -> Body:
    moneys = {"shopMoney": value.shop, "presentmentMoney": value.presentment}
    return {
        name: {"amount": amount(money.amount), "currencyCode": money.currency}
        for name, money in moneys.items()
        if money is not None
    }


def _line(line: LineItem, variants: Mapping[str, str]) -> Body:
    """Return a line, tied to the variant that has its SKU; it keeps what it was called."""
    body: Body = {
        "quantity": line.quantity,
        "title": line.title or line.sku,
        "priceSet": _bag(_price(line)),
        **_taxes(line.taxes),
    }
    if line.sku:
        body["sku"] = line.sku
    if variant := variants.get(line.sku):
        body["variantId"] = variant
    if line.variant_title:
        body["variantTitle"] = line.variant_title
    if "requires_shipping" in line.given:
        body["requiresShipping"] = line.requires_shipping
    if line.properties:
        rows = line.properties.items()
        body["properties"] = [{"name": name, "value": value} for name, value in rows]
    return body


def _price(line: LineItem) -> Amount:
    """Return what one piece cost before discounts; without it, what the line came to by piece.

    Raises:
        Rejected: if it isn't known, or can't be told to the last digit.
    """
    if line.unit_price is not None:
        price = line.unit_price
    elif line.total is not None and line.quantity:
        price = Amount(shop=_part(line.total.shop, line.quantity))
    else:
        raise Rejected(
            f"what {line.sku or line.title!r} cost isn't known",
            fields={"line_items": "unit_price"},
            remedy="Give its unit_price.",
        )
    if not price.shop.fits:
        raise Rejected(
            f"{price.shop} for {line.sku or line.title!r} has more digits than an amount",
            fields={"line_items": "unit_price"},
            remedy="Give a unit_price of whole cents, and the rest as a discount.",
        )
    return price


def _part(money: Money, count: int) -> Money:
    return Money(money.amount / count, money.currency)


def _taxes(taxes: Sequence[TaxLine]) -> Body:
    rows = [
        {"title": each.title or "Tax", "rate": each.rate or "0", "priceSet": _bag(each.amount)}
        for each in taxes
    ]
    return {"taxLines": rows} if rows else {}


def _discount(desired: Order) -> Amount | None:
    """Return what is off the whole order: the call takes one discount, none by line."""
    rows = [each.amount for line in desired.line_items for each in line.adjustments]
    rows += [each.amount for each in desired.adjustments if each.kind == "discount"]
    if not rows and desired.discount_total is not None:
        rows = [desired.discount_total]
    if not sum(each.shop.amount for each in rows):
        return None
    shop = Money(sum((each.shop.amount for each in rows), Decimal(0)), rows[0].shop.currency)
    seen = [each.presentment for each in rows if each.presentment is not None]
    if len(seen) < len(rows):
        return Amount(shop=shop)
    paid = Money(sum((each.amount for each in seen), Decimal(0)), seen[0].currency)
    return Amount(shop=shop, presentment=paid)


def _causes(desired: Order) -> Iterator[str]:
    lines = (each for line in desired.line_items for each in line.adjustments)
    for each in (*lines, *desired.adjustments):
        if name := each.code or each.title:
            yield name


def _is_payment(payment: Payment) -> bool:
    known = (payment.kind or "sale") in _KINDS and payment.status in _PAID
    return known and payment.amount is not None


def _payment(payment: Payment) -> Body:
    assert payment.amount is not None  # `_is_payment` has seen to it
    body: Body = {
        "kind": (payment.kind or "sale").upper(),
        "status": _PAID[payment.status],
        "amountSet": _bag(payment.amount),
    }
    if payment.gateway:
        body["gateway"] = payment.gateway
    if payment.created_at is not None:
        moment = payment.created_at.astimezone(UTC)
        body["processedAt"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return body


# -- what there is no room for


def unheld(desired: Order) -> Iterator[Fit]:
    """Yield what an order can't be, or what orderCreate can't carry."""
    for field, message in _lost(desired):
        yield Fit("order", desired.label, field, message, _SOURCE)


def _lost(desired: Order) -> Iterator[tuple[str, str]]:
    if desired.status and desired.status not in STATUSES:
        yield "status", f"Shopify has no status {desired.status!r}"
    if desired.cancel_reason and desired.cancel_reason not in REASONS:
        yield "cancel_reason", f"Shopify has no reason {desired.cancel_reason!r}"
    if "line_items" not in desired.given:
        return  # a change of an order that is there
    if len(desired.line_items) > _LINES:
        yield "line_items", f"at most {_LINES} lines fit (usage/limits)"
    if any(line.adjustments for line in desired.line_items):
        yield "line_items.adjustments", "discounts of lines become one of the whole order"
    if any(each.kind != "discount" for each in desired.adjustments):
        yield "adjustments", "fees can't be carried"
    if desired.payment_status and desired.payment_status not in _FINANCIAL:
        message = f"Shopify has no payment status {desired.payment_status!r}"
        yield "payment_status", message
    if not all(map(_is_payment, desired.payments)):
        yield "payments", "refunds and failed payments can't be carried"
    if desired.refunds:
        yield "refunds", "orderCreate makes no refunds; an order that is there keeps its own"
    if desired.taxes and _taxed_lines(desired):
        yield "taxes", "an order has taxes of its own or of its lines"
    if desired.total is not None and (sum_ := _sum(desired)) != desired.total.shop.amount:
        yield "total", f"Shopify works out {sum_}, the order says {desired.total.shop.amount}"


def _sum(desired: Order) -> Decimal | None:
    """Return the total that Shopify works out; None where a price isn't known."""
    try:
        found = sum(
            (_price(line).shop.amount * line.quantity for line in desired.line_items), Decimal(0)
        )
    except Rejected:
        return None
    prices = (each.price.shop.amount for each in desired.shipping_lines if each.price)
    found += sum(prices, Decimal(0))
    off = _discount(desired)
    found -= off.shop.amount if off is not None else 0
    if desired.prices_include_tax:
        return found
    rows = [tax for line in desired.line_items for tax in line.taxes]
    rows += [tax for line in desired.shipping_lines for tax in line.taxes]
    taxes = rows if _taxed_lines(desired) else desired.taxes
    return found + sum((each.amount.shop.amount for each in taxes), Decimal(0))
