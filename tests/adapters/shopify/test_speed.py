"""What a listing costs, in points and virtual time, against 11 points for each product."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.shopify.shop import eur, operation

import storebridge
from storebridge.engine import HandlerTransport
from storebridge.flow import Request, Response
from storebridge.models import Option, Product, Variant
from storebridge.store.base import Opening
from storebridge.testing import VirtualClock
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify.sandbox import create, settings

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
        report = shop.store.plan(map(shirt, range(count)), tmp_path / "a.plan").apply()
    assert {word for word, number in report.counts.items() if number} == {"applied"}
    assert shop.points["ProductSet"] == PRODUCT_SET * count
    total = math.fsum(shop.points.values())
    assert total <= 1.05 * PRODUCT_SET * count, shop.points
    assert not shop.codes
    assert shop.seconds <= (total - 20 * rate) / rate + 4
