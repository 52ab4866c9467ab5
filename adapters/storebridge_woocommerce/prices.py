"""Prices: WooCommerce's regular price and its one slot for a lower one, with optional dates.

WooCommerce takes any text for a price and keeps what it makes of it ("12,50" becomes 1250), and
drops a sale price that isn't below the regular one without a word (recorded exchanges, prices and
sales). So what can't be kept is refused here, before it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from storebridge.errors import Rejected
from storebridge.models import Money, Sale, Variant
from storebridge.models.prices import TwoPrices, from_two_prices, to_two_prices
from storebridge.wire import amount

__all__ = ["PRICES", "fault", "payload", "prices_of", "time_of", "written"]

Doc = Mapping[str, Any]

#: The fields of a variant that share WooCommerce's two prices.
PRICES = frozenset({"price", "compare_at_price", "sale"})


def prices_of(doc: Doc, currency: str) -> dict[str, Money | Sale | None]:
    """Return `price`, `compare_at_price` and `sale` of a product or a variation."""
    return from_two_prices(
        TwoPrices(
            _money(doc["regular_price"], currency),
            _money(doc["sale_price"], currency),
            time_of(doc["date_on_sale_from_gmt"]),
            time_of(doc["date_on_sale_to_gmt"]),
        )
    )


def payload(variant: Variant, currency: str, live: Variant | None = None) -> dict[str, str]:
    """Return WooCommerce's four price fields; those that aren't given are the live ones.

    Raises:
        Rejected: if the two prices can't hold them, or one is no plain amount of the currency.
    """
    given = variant.given & PRICES
    if not given:
        return {}
    whole = live.model_copy(update={n: getattr(variant, n) for n in given}) if live else variant
    if live is None and variant.price is None and given == {"price"}:
        return {"regular_price": ""}
    if problem := fault(whole, currency):
        raise Rejected(problem, fields={"variants.price": problem})
    regular, lower, starts_at, ends_at = to_two_prices(whole)
    body = {"regular_price": amount(regular.amount) if regular else ""}
    if live is None and lower is None and given == {"price"}:
        return body  # a new one: there is nothing to clear
    body["sale_price"] = amount(lower.amount) if lower else ""
    body["date_on_sale_from_gmt"] = written(starts_at)
    body["date_on_sale_to_gmt"] = written(ends_at)
    return body


def fault(variant: Variant, currency: str) -> str:
    """Return why WooCommerce can't hold a variant's prices; "" if it can."""
    sale = variant.sale.price if variant.sale else None
    for money in (variant.price, variant.compare_at_price, sale):
        if money is not None and currency and money.currency != currency:
            return f"{money} is in another currency than the store's, {currency}"
        if money is not None and money.amount < 0:
            return f"{money} is below zero"
    try:
        regular, lower, *_ = to_two_prices(variant)
    except ValueError as error:
        return str(error)
    if lower is not None and (regular is None or not lower < regular):
        return f"a sale price must be below the price: {lower} is not below {regular}"
    return ""


def time_of(text: str | None) -> datetime | None:
    """Return the time that a `_gmt` field means, which carries no zone."""
    if not text:
        return None
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def written(time: datetime | None) -> str:
    """Return a time for a `_gmt` field: UTC, whole seconds; "" clears it, null wouldn't."""
    if time is None:
        return ""
    return time.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()


def _money(text: str, currency: str) -> Money | None:
    """Return the money in a price field; what was typed there may be no number at all."""
    try:
        return Money(text, currency) if text else None
    except ValueError:
        return _odd(text, currency)


def _odd(text: str, currency: str) -> Money | None:
    from decimal import Decimal, InvalidOperation

    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    return Money(value, currency) if value.is_finite() else None
