"""How platforms hold the three prices, and how to go from ours to theirs and back.

| here | Shopify | WooCommerce | Magento |
|---|---|---|---|
| price | price | regular | price |
| price + compare_at_price | price, compareAtPrice | sale, regular | special_price, price |
| price + sale | no room for `sale` | regular, sale + dates | price, special_price + dates |
| all three | no room for `sale` | one slot: no room | one slot: no room |

"No room" means a line in the fit report. WooCommerce and Magento have a *two-price form*: a
regular price and one slot for a lower one, with optional dates. A lower price without dates is
what we call `price`, with the regular one as `compare_at_price`; one with dates is a `sale`.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from storebridge.models.money import Money
from storebridge.models.product import Sale, Variant

__all__ = ["TwoPrices", "from_two_prices", "to_two_prices"]


class TwoPrices(NamedTuple):
    """A regular price, and a lower one that holds now or between two times."""

    regular: Money | None
    lower: Money | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


def to_two_prices(variant: Variant) -> TwoPrices:
    """Return a variant's prices in two-price form.

    Raises:
        ValueError: if the form has no room: a `sale` beside a `compare_at_price`, a struck price
            that isn't above the price, or a lower price without a regular one.
    """
    price, struck, sale = variant.price, variant.compare_at_price, variant.sale
    if struck is not None and sale is not None:
        raise ValueError("one sale slot can't hold both a compare-at price and a dated sale")
    if price is None:
        if struck is not None or sale is not None:
            raise ValueError("a compare-at price or a sale needs a price")
        return TwoPrices(None)
    if struck is not None:
        if not price < struck:
            raise ValueError("a compare-at price must be above the price")
        return TwoPrices(struck, price)
    if sale is not None:
        return TwoPrices(price, sale.price, sale.starts_at, sale.ends_at)
    return TwoPrices(price)


def from_two_prices(prices: TwoPrices) -> dict[str, Money | Sale | None]:
    """Return `price`, `compare_at_price` and `sale` for a `Variant` from the two-price form.

    A lower price that isn't below the regular one is how shops mark nothing: it is dropped when
    equal and kept as the price otherwise, as the platforms' shops do.
    """
    regular, lower, starts_at, ends_at = prices
    if lower is None:
        return {"price": regular, "compare_at_price": None, "sale": None}
    if starts_at is not None or ends_at is not None:
        sale = Sale(price=lower, starts_at=starts_at, ends_at=ends_at)
        return {"price": regular, "compare_at_price": None, "sale": sale}
    struck = regular if regular is not None and lower < regular else None
    return {"price": lower, "compare_at_price": struck, "sale": None}
