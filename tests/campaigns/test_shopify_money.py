"""Money in shops and markets of every kind of currency: exact both ways, or refused beforehand."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from storebridge.errors import StorebridgeError
from storebridge.models import MarketPrice, Money, Product, Variant
from storebridge.models.money import minor_units
from tests.campaigns.shopify import ShopifyShop

#: No digits, two and three behind the point.
CURRENCIES = ("EUR", "JPY", "KWD", "CHF", "TND", "KRW")
#: Where amounts are in what is sent.
_AMOUNTS = frozenset({"price", "compareAtPrice", "cost", "amount"})


class MoneyShop(ShopifyShop):
    """A shop in one currency, whose market is in another."""

    def __init__(self, folder: Path, own: str, market: str) -> None:
        """Stand it up."""
        super().__init__(folder)
        sandbox = self.sandbox
        with sandbox.lock, sandbox.db:
            sandbox.set_fact("shop", {**sandbox.fact("shop"), "currencyCode": own})
            [doc] = (each for each in sandbox.all("Market") if each["handle"] == "switzerland")
            sandbox.save({**doc, "currency": market})
            [prices] = (e for e in sandbox.all("PriceList") if e["name"] == "Switzerland")
            sandbox.save({**prices, "currency": market})


def amounts(chance: random.Random, currency: str) -> Money:
    """Return an amount with as many digits as its currency has, small, large or odd."""
    digits = minor_units(currency)
    units = chance.choice((1, 9, 10, 99, 100, 1999, chance.randint(1, 10**9), 10**12 + 1))
    return Money(Decimal(units).scaleb(-digits), currency)


def products(chance: random.Random, own: str, market: str, count: int) -> list[Product]:
    """Return products with amounts in each place that has some."""
    return [
        Product(
            handle=f"p-{number}",
            title=f"P {number}",
            variants=(
                Variant(
                    sku=f"S-{number}",
                    price=amounts(chance, own),
                    compare_at_price=amounts(chance, own),
                    cost=amounts(chance, own),
                    market_prices=(
                        MarketPrice(
                            market="switzerland",
                            price=amounts(chance, market),
                            compare_at_price=amounts(chance, market),
                        ),
                    ),
                ),
            ),
        )
        for number in range(count)
    ]


def round_trip(folder: Path, own: str, market: str, count: int) -> None:
    """Write amounts, read them back, plan again; nothing on the way is a float."""
    chance = random.Random(f"{own} {market}")
    source = products(chance, own, market, count)
    with MoneyShop(folder, own, market) as shop:
        shop.fill(source)
        live = {each.handle: each for each in shop.live().values() if isinstance(each, Product)}
        for wanted in source:
            [there], [given] = live[wanted.handle].variants, wanted.variants
            for name in ("price", "compare_at_price", "cost"):
                assert getattr(there, name) == getattr(given, name), (wanted.handle, name)
            [priced], [price] = there.market_prices, given.market_prices
            assert (priced.price, priced.compare_at_price) == (price.price, price.compare_at_price)
        assert not shop.planned(source)
        for exchange in shop.history:
            body = exchange.request.body
            if exchange.request.kind.mutates and isinstance(body, bytes):
                sent = json.loads(body)["variables"]
                wrong = [each for each in _found(sent) if not _is_plain(each)]
                assert not wrong, wrong


def _found(value: Any, name: str = "") -> Iterator[Any]:
    """Yield every amount in what is sent."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _found(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from _found(each, name)
    elif name in _AMOUNTS and value is not None:
        yield value


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.replace(".", "", 1).isdigit()


@pytest.mark.parametrize(("own", "market"), [("JPY", "KWD"), ("KWD", "JPY")])
def test_amounts_are_exact(tmp_path: Path, own: str, market: str) -> None:
    round_trip(tmp_path, own, market, count=2)


@pytest.mark.soak
def test_amounts_are_exact_in_all_currencies(tmp_path: Path) -> None:
    for own in CURRENCIES:
        for market in CURRENCIES:
            round_trip(tmp_path / f"{own} {market}", own, market, count=40)


@pytest.mark.parametrize(
    ("text", "currency"),
    [("1000.5", "JPY"), ("0.0001", "KWD"), ("9.999", "EUR"), ("-1", "EUR"), ("9.90", "USD")],
)
def test_an_amount_that_does_not_fit_is_refused_before_it_is_sent(
    tmp_path: Path, text: str, currency: str
) -> None:
    own = currency if currency != "USD" else "EUR"
    with MoneyShop(tmp_path, own, "CHF") as shop:
        variants = (Variant(sku="A", price=Money(text, currency)),)
        with shop.open() as store:
            [outcome] = store.products.create_many(
                [Product(handle="a", title="A", variants=variants)]
            )
        assert str(outcome.status) == "failed", outcome
        assert outcome.remedy
        assert not [each for each in shop.history if each.request.kind.mutates]


@pytest.mark.parametrize("text", ["19,99", "1e3", "NaN", "١٩", "", " 1", "0x10", "1_000", "∞"])
def test_what_is_no_amount_is_none(text: str) -> None:
    with pytest.raises((ValueError, StorebridgeError)):
        Money(text, "EUR")


def test_a_price_in_another_currency_than_its_market_is_refused(tmp_path: Path) -> None:
    with MoneyShop(tmp_path, "EUR", "JPY") as shop:
        price = MarketPrice(market="switzerland", price=Money("9.90", "EUR"))
        variants = (Variant(sku="A", price=Money("9.90", "EUR"), market_prices=(price,)),)
        with shop.open() as store, suppress(StorebridgeError):
            [outcome] = store.products.create_many(
                [Product(handle="a", title="A", variants=variants)]
            )
            assert str(outcome.status) == "failed", outcome
            assert "JPY" in outcome.message
        assert not shop.sandbox.rows("SELECT * FROM prices")
