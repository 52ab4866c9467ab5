"""What is sent is what the plan shows; nothing else changes, and a second plan is empty."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

import storebridge
from storebridge.flow import Request, Response
from storebridge.models import (
    InventoryLevel,
    MarketPrice,
    Money,
    Product,
    Seo,
    Translation,
    Variant,
    Weight,
)
from storebridge.plan import Plan
from storebridge.store import Store
from tests.campaigns.rig import Leaves, Shop, catalogue, differing, docs, leaves, product

#: Every field of a product that a plan may change alone, and the path that it leads to.
_VARIANTS: dict[str, Any] = {
    "price": Money("0.53", "EUR"),
    "compare_at_price": Money("99999.99", "EUR"),
    "cost": Money("0.07", "EUR"),
    "weight": Weight(value=Decimal(12345), unit="g"),
    "barcodes": ("4006381333931",),
    "taxable": False,
    "inventory": (InventoryLevel(location="Main", available=4321),),
    "market_prices": (MarketPrice(market="us", price=Money("4321", "USD")),),
}
_FIELDS: dict[str, Any] = {
    "title": "Another",
    "description_html": "<p>Another</p>",
    "vendor": "Another",
    "product_type": "Another",
    "tags": ("another",),
    "status": "archived",
    "seo.title": Seo(title="Another"),
    "seo.description": Seo(description="Another"),
    "collections": ("sale", "new"),
    "translations": (Translation(locale="de", field="title", value="Ein anderer"),),
}
#: What the platform calls a field.
_THEIRS = {"product_type": "type", "barcodes": "barcode", "market_prices": "prices"}


def updates(sku: str, option: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each update of a single field: where it shows, and what to give."""
    for path, value in _FIELDS.items():
        yield f".{_THEIRS.get(path, path)}", {path.partition(".")[0]: value}
    for name, value in _VARIANTS.items():
        variant = Variant(sku=sku, options=(option,), **{name: value})
        yield f".variants[{sku or [option]}].{_THEIRS.get(name, name)}", {"variants": (variant,)}


def only_planned_fields(folder: Path, seeds: int, products: int) -> int:
    """Change every field alone, in every product; return how many changes there were."""
    changes = 0
    for seed in range(seeds):
        with Shop(folder / str(seed)) as shop:
            shop.fill(catalogue(seed, products))
            before = leaves(docs(shop.sandbox))
            for number in range(products):
                sku = f"SKU-{number}-S" if number % 3 != 2 else ""
                for path, fields in updates(sku, "S"):
                    before = _changed(shop, before, f"p-{number}", path, fields)
                    changes += 1
    return changes


def _changed(shop: Shop, before: Leaves, name: str, path: str, fields: dict[str, Any]) -> Leaves:
    plan = shop.plan([Product(handle=name, **fields)], "one.plan")
    start = len(shop.history)
    report = shop.apply(plan)
    assert report.ok, list(report.items("failed", "skipped", "unknown"))
    plan.unlink()
    after = leaves(docs(shop.sandbox))
    place = f".products {name}{path}"
    moved = differing(before, after)
    assert moved, f"{place}: nothing changed"
    assert all(each.startswith(place) for each in moved), f"{place}: {moved} changed"
    sent = [each.request for each in shop.history[start:] if each.request.kind.mutates]
    assert len(sent) == 1, f"{place}: {len(sent)} requests changed something"
    assert sent[0].body not in (b"{}", b"", None), f"{place}: an empty payload"
    return after


def test_only_planned_fields_change(tmp_path: Path) -> None:
    assert only_planned_fields(tmp_path, seeds=1, products=1) == 18


@pytest.mark.soak
def test_only_planned_fields_change_for_long(tmp_path: Path) -> None:
    assert only_planned_fields(tmp_path, seeds=10, products=10) == 1800


def second_plan_is_empty(folder: Path, seed: int, products: int) -> None:
    """Plan and apply by chance twice; what is sent is the plan, and nothing is left to do."""
    chance = random.Random(f"again {seed}")
    with Shop(folder) as shop:
        for round in range(2):
            wanted = catalogue(100 * seed + round, products)
            chance.shuffle(wanted)
            wanted = wanted[: chance.randint(1, len(wanted))] + catalogue(seed, 0)
            wanted = list({(each.kind, each.keys()): each for each in wanted}.values())
            start = len(shop.history)
            plan = shop.plan(wanted, f"{round}.plan")
            assert not [e for e in shop.history[start:] if e.request.kind.mutates], "a plan writes"
            report = shop.apply(plan)
            assert report.ok, list(report.items("failed", "skipped", "unknown"))
            sent = Counter(
                change for each in shop.history[start:] for change in each.request.covers
            )
            with Plan.open(plan) as opened:
                assert sent == Counter(str(change.seq) for change in opened.changes())
            with Plan.open(shop.plan(wanted, f"{round}.again.plan")) as again:
                assert again.is_empty, list(again.rows())


def second_local_plan_is_empty(folder: Path, seed: int, products: int) -> None:
    """The same on a local store."""
    folder.mkdir()
    chance = random.Random(f"local {seed}")
    with storebridge.open(f"local:{folder}/shop.db", state=folder / "state") as store:
        for round in range(2):
            wanted = [
                product(chance, number) for number in chance.sample(range(products), products // 2)
            ]
            with _local_plan(store, wanted, folder / f"{round}.plan") as plan:
                report = plan.apply(store)
                assert report.ok, list(report.items("failed", "skipped", "unknown"))
            with _local_plan(store, wanted, folder / f"{round}.again.plan") as again:
                assert again.is_empty, list(again.rows())


def _local_plan(store: Store, wanted: list[Product], path: Path) -> Plan:
    return store.plan([_plain(each) for each in wanted], path, stock=True)


def _plain(wanted: Product) -> Product:
    """Return a product for a store with one location, without markets and collections."""
    variants = (
        each.without("market_prices").but(
            inventory=(InventoryLevel(available=each.inventory[0].available),)
        )
        for each in wanted.variants
    )
    return wanted.without("collections").but(variants=tuple(variants))


def test_a_second_plan_is_empty(tmp_path: Path) -> None:
    for seed in range(2):
        second_plan_is_empty(tmp_path / f"template {seed}", seed, 6)
        second_local_plan_is_empty(tmp_path / f"local {seed}", seed, 8)


@pytest.mark.soak
def test_two_thousand_second_plans_are_empty(tmp_path: Path) -> None:
    for seed in range(500):
        second_plan_is_empty(tmp_path / f"template {seed}", seed, seed % 12 + 1)
        second_local_plan_is_empty(tmp_path / f"local {seed}", seed, seed % 24 + 2)


def test_what_is_accepted_but_different_is_told(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        shop.fill(catalogue(1, 4))
        plan = shop.plan([Product(handle=f"p-{n}", vendor=f"Maker {n}") for n in range(4)])

        def network(request: Request) -> Response:
            if request.method == "PATCH" and b"Maker 2" in cast("bytes", request.body):
                request = replace(request, body=b'{"vendor": "MAKER 2"}')
            return shop.sandbox(request)

        report = shop.apply(plan, network=network)
        assert (report.counts["applied"], report.counts["failed"]) == (3, 1)
        [told] = report.items("failed")
        assert (told.label, told.cause) == ("p-2", "differs")
        assert "Maker 2" in told.message
        assert "MAKER 2" in told.message
