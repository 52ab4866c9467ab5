"""Whole plans by jobs: what is planned is made, nothing is left to plan, and it can be undone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.adapters.shopify.shop import eur, operation, tee

import storebridge
from storebridge.engine import HandlerTransport
from storebridge.flow import Request, Response
from storebridge.models import InventoryLevel, Metafield, Product
from storebridge.store.base import Opening
from storebridge.testing import VirtualClock
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify.sandbox import create, settings

COUNT = 8


class Metered:
    """A store on a shop that counts calls and points."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.sandbox = create(None, clock=self.clock.time)
        self.calls: Counter[str] = Counter()
        self.points = 0
        opening = Opening(
            state=folder / "state", clock=self.clock, transport=HandlerTransport(self._answer)
        )
        values = {**settings(), "bulk_from": 5, "page_size": 3}
        self.store = storebridge.Store(
            ShopifyAdapter(ShopifySettings.model_validate(values)), opening
        )
        assert self.store.info.currency == "EUR"
        self.clear()

    def _answer(self, request: Request) -> Response:
        response = self.sandbox(request)
        if isinstance(request.body, bytes):
            self.calls[operation(json.loads(request.body))] += 1
            self.points += json.loads(response.body)["extensions"]["cost"]["actualQueryCost"] or 0
        return response

    def clear(self) -> None:
        self.calls.clear()
        self.points = 0


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Metered]:
    shop = Metered(tmp_path)
    with shop.store:
        yield shop


def catalogue() -> list[Product]:
    stock = (InventoryLevel(location="Shop", available=4),)
    fields = tuple(
        Metafield(namespace="kit", key=f"k{k}", type="single_line_text_field", value="x")
        for k in range(3)
    )
    found = []
    for n in range(COUNT):
        product = tee(f"tee-{n}", status="active", tags=("b", "a"), channels=("Online Store",))
        rows = tuple(each.but(inventory=stock) for each in product.variants)
        found.append(product.but(variants=rows, metafields=fields, vendor="Acme"))
    return found


def test_a_catalogue_is_made_and_nothing_is_left_to_plan(shop: Metered, tmp_path: Path) -> None:
    plan = shop.store.plan(catalogue(), tmp_path / "a.plan", way="bulk")
    shop.clear()
    report = plan.apply()
    assert {word for word, count in report.counts.items() if count} == {"applied"}
    assert shop.calls["BulkMutation"] == 3, "core, metafields and channels"
    assert not {"ProductSet", "Publish", "MetafieldsSet"} & shop.calls.keys()
    again = shop.store.plan(catalogue(), tmp_path / "b.plan", way="bulk")
    assert not list(again.rows())


def test_what_a_job_shows_is_not_read_back(shop: Metered, tmp_path: Path) -> None:
    plain = [each.without("metafields", "channels") for each in catalogue()]
    plan = shop.store.plan(plain, tmp_path / "a.plan", way="bulk")
    shop.clear()
    assert plan.apply().counts["applied"] == COUNT
    assert "ProductsById" not in shop.calls
    assert shop.points <= 81


def test_prices_change_by_a_job_and_are_undone(shop: Metered, tmp_path: Path) -> None:
    shop.store.plan(catalogue(), tmp_path / "a.plan", way="bulk").apply()
    dearer = [
        each.but(variants=tuple(v.but(price=eur("29.90")) for v in each.variants))
        for each in catalogue()
    ]
    plan = shop.store.plan(dearer, tmp_path / "b.plan", way="bulk")
    shop.clear()
    report = plan.apply()
    assert {word for word, count in report.counts.items() if count} == {"applied"}
    assert shop.calls["BulkMutation"] == 1
    undo = plan.undo(tmp_path / "c.plan")
    assert {word for word, count in undo.apply().counts.items() if count} == {"applied"}
    shop.clear()
    live = list(shop.store.products.iter())
    assert shop.calls["BulkQuery"], "a large store is read by a job"
    assert {v.price for each in live for v in each.variants} == {eur("19.90")}


@pytest.mark.parametrize(("wanted", "jobs"), [(2, 0), (3, 1)], ids=["few", "many"])
def test_a_large_shop_is_read_whole_only_where_that_is_cheaper(
    shop: Metered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: int, jobs: int
) -> None:
    """The shop is counted first: a job that nobody needs would cost minutes."""
    monkeypatch.setattr("storebridge.plan.live._FEW", 1)
    everything = [tee(f"t{n}") for n in range(12)]
    shop.store.plan(everything, tmp_path / "a.plan").apply()
    shop.clear()
    plan = shop.store.plan(everything[:wanted], tmp_path / "b.plan")
    assert plan.is_empty
    assert shop.calls["ProductsCount"]
    assert bool(shop.calls["BulkQuery"]) is bool(jobs)
