"""What a listing costs, in points and virtual time, against 11 points for each product."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.shopify.shop import Shop, eur, operation

import storebridge
from storebridge.adapter import Change
from storebridge.engine import HandlerTransport
from storebridge.flow import Request, Response, Status
from storebridge.models import MarketPrice, Money, Option, Product, Variant
from storebridge.plan.ways import Phase, Taken, together
from storebridge.store.base import Opening
from storebridge.testing import VirtualClock
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify.sandbox import create, settings
from storebridge_shopify.site import Items

SIZES = ("XS", "S", "M", "L", "XL")
PRODUCT_SET = 11


class Metered:
    """A store on a shop with some bucket, and what its answers said about it."""

    def __init__(self, folder: Path, rate: float) -> None:
        self.clock = VirtualClock()
        self.sandbox = create(None, clock=self.clock.time, rate=rate)
        self.points: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.store = storebridge.Store(
            ShopifyAdapter(ShopifySettings.model_validate(settings())),
            Opening(
                state=folder / "state", clock=self.clock, transport=HandlerTransport(self._answer)
            ),
        )
        assert self.store.info.currency == "EUR"
        self.clock.sleep(20)  # the bucket is full again
        self.points.clear()
        self.began = self.clock.elapsed

    @property
    def seconds(self) -> float:
        return self.clock.elapsed - self.began

    def _answer(self, request: Request) -> Response:
        response = self.sandbox(request)
        assert isinstance(request.body, bytes)
        answer: dict[str, Any] = json.loads(response.body)
        cost = answer["extensions"]["cost"]
        self.points[operation(json.loads(request.body))] += cost["actualQueryCost"] or 0
        self.codes.update(each["extensions"]["code"] for each in answer.get("errors", ()))
        return response


def shirt(number: int) -> Product:
    variants = tuple(
        Variant(sku=f"S{number}-{size}", options=(size,), price=eur("19.90")) for size in SIZES
    )
    options = (Option(name="Size", values=SIZES),)
    values = {"handle": f"shirt-{number}", "title": f"Shirt {number}", "status": "active"}
    return Product.model_validate({**values, "options": options, "variants": variants})


@pytest.mark.parametrize(("rate", "count"), [(50, 150), (100, 300)])
def test_a_listing_costs_little_more_than_its_products_and_never_waits_in_vain(
    tmp_path: Path, rate: int, count: int
) -> None:
    shop = Metered(tmp_path, rate)
    with shop.store:
        goods = map(shirt, range(count))
        report = shop.store.plan(goods, tmp_path / "a.plan", way="direct").apply()
    assert {word for word, number in report.counts.items() if number} == {"applied"}
    assert shop.points["ProductSet"] == PRODUCT_SET * count
    total = math.fsum(shop.points.values())
    assert total <= 1.05 * PRODUCT_SET * count, shop.points
    assert not shop.codes
    assert shop.seconds <= (total - 20 * rate) / rate + 4


# -- few calls for many changes


def priced(id_: str, *variants: Variant, before: Product | None = None) -> Change[Product]:
    desired = Product(variants=variants)
    return Change(
        id=id_, action="update", part="prices", record_id=id_, desired=desired, before=before
    )


def franc(**amounts: str) -> tuple[MarketPrice, ...]:
    given = {name: Money(amount, "CHF") for name, amount in amounts.items()}
    return (MarketPrice.model_validate({"market": "switzerland", **given}),)


def test_the_other_amount_of_many_prices_is_read_in_one_call() -> None:
    shop = Shop()
    ids = shop.create(*map(shirt, range(3)))
    live = {id_: shop.read(id_).variants for id_ in ids}
    both = {"price": "9.00", "compare_at_price": "12.00"}
    changes = [
        priced(id_, *(Variant(id=v.id, market_prices=franc(**both)) for v in live[id_]))
        for id_ in ids
    ]
    shop.write("product", *changes)
    shop.sent.clear()
    # As a plan has it: only the amount that changes, before and after.
    old, new = (
        {id_: Variant(id=live[id_][0].id, market_prices=franc(price=amount)) for id_ in ids}
        for amount in ("9.00", "8.00")
    )
    again = [priced(id_, new[id_], before=Product(variants=(old[id_],))) for id_ in ids]
    assert {each.status for each in shop.write("product", *again)} == {Status.APPLIED}
    assert shop.operations == ["PriceListPrices", "VariantPrices", "FixedPricesAdd"]
    [price] = shop.read(ids[0]).variants[0].market_prices
    assert (str(price.price), str(price.compare_at_price)) == ("8.00 CHF", "12.00 CHF")


def test_the_variants_of_many_new_products_are_looked_up_in_one_call() -> None:
    shop = Shop()
    ids = shop.create(*map(shirt, range(3)))
    both = franc(price="9.00", compare_at_price="12.00")
    changes = [priced(id_, Variant(sku=f"S{n}-M", market_prices=both)) for n, id_ in enumerate(ids)]
    changes.append(priced(f"{ids[0]}0", Variant(sku="S0-M", market_prices=both)))
    *done, lost = shop.write("product", *changes)
    assert {each.status for each in done} == {Status.APPLIED}
    assert (lost.status, lost.cause) == (Status.FAILED, "missing")
    assert shop.operations == ["ProductsById", "FixedPricesAdd"]


@pytest.mark.parametrize(
    ("changes", "requests", "points", "size"),
    [
        (10_000, 200, 2_000.0, 500),  # rows fill their calls
        (1_200, 24, 240.0, 120),  # and ten flows have something to do
        (10_000, 10_000, 110_000.0, 50),
        (30, 30, 330.0, 50),  # each batch reads for itself, and reading has its price
    ],
)
def test_batches_are_as_large_as_their_calls_want_them(
    tmp_path: Path, changes: int, requests: int, points: float, size: int
) -> None:
    store = Metered(tmp_path, 100).store
    phase = Phase("product", "core", changes, "direct", Taken(requests, points, None))
    with store:
        assert together(store.adapter.records("product"), phase, store) == size


def test_items_are_remembered_for_as_long_as_they_are_needed() -> None:
    items = Items()
    for number in range(50_000):
        items.learn(
            f"gid://shopify/ProductVariant/{number}", f"gid://shopify/InventoryItem/{number + 7}"
        )
    assert items.get("gid://shopify/ProductVariant/49999") == "gid://shopify/InventoryItem/50006"
    assert "gid://shopify/ProductVariant/30000" in items
    assert "gid://shopify/ProductVariant/5" not in items
