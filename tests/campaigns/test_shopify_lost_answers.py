"""Whatever happens to a Shopify shop's answers: none doubled, none lost, each one told.

Answers are lost, cut, turned into pages, into errors of GraphQL with status 200, or lack a field;
requests are throttled, tokens end, work goes on after a 504, and searches know of nothing that was
written lately. A plan is applied until nothing is open, and after each run what it claims is held
against the shop's own tables.
"""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from storebridge.engine import HandlerTransport
from storebridge.errors import StorebridgeError
from storebridge.models import Product, Record
from storebridge.plan import Plan
from tests.campaigns.rig import check, finished, unsynced
from tests.campaigns.shopify import (
    APP,
    LAG,
    Nemesis,
    ShopifyShop,
    catalogue,
    docs,
    faults,
    orphans,
    product,
)

#: Products that are not in the source are deleted.
ALL = {"where": "title != ''", "absent": "delete"}


def wanted(seed: int, products: int) -> list[Record]:
    """Return a second catalogue, which updates, creates and leaves some of the first one out."""
    chance = random.Random(seed)
    old = [
        each
        for each in catalogue(seed + 1, products)
        if not isinstance(each, Product) or chance.random() < 0.8
    ]
    new = [product(chance, number) for number in range(products, 2 * products)]
    return [*old, *new]


def campaign(folder: Path, seed: int, products: int, rate: float) -> int:
    """Run a plan through faults until it is done; return how many operations it had."""
    with ShopifyShop(folder / "plain") as plain:
        plain.fill(catalogue(seed, products))
        plan = plain.plan(wanted(seed, products), **ALL)
        with ShopifyShop(folder / "faulty", plain.sandbox, LAG, **APP) as faulty:
            copy = Path(shutil.copy(plan, faulty.folder))
            report = plain.apply(plan)
            assert report.ok, list(report.items("failed", "unknown"))[:3]
            settle(faulty, copy, seed, rate)
            one, other = docs(faulty.sandbox), docs(plain.sandbox)
            differs = [name for name in {*one, *other} if one.get(name) != other.get(name)]
            assert not differs, f"seed {seed}: {differs}"
            assert orphans(faulty.sandbox) == orphans(plain.sandbox), f"seed {seed}"
            again = faulty.planned(wanted(seed, products), **ALL)
            assert not again, f"seed {seed}, a second plan: {again}"
            return report.planned


def settle(shop: ShopifyShop, plan: Path, seed: int, rate: float, rounds: int = 40) -> None:
    """Apply a plan through faults again and again until all of it is done."""
    keys: dict[str, str] = {}
    for number in range(rounds):
        done, start = finished(plan), len(shop.history)
        nemesis = Nemesis(shop, 1000 * seed + number, rate / 2)
        nemesis.keys = keys
        with suppress(StorebridgeError):  # a read that failed ends a run; the next one goes on
            hits = faults(1000 * seed + number, rate / 2)
            with shop.open(hits, HandlerTransport(nemesis)) as store, Plan.open(plan) as opened:
                unsynced(opened)
                opened.apply(store, retry_failed=True)
        for exchange in shop.history[start:]:
            assert done.isdisjoint(exchange.request.covers), "what was finished was sent again"
        nemesis.work(all=True)
        counts = check(shop, plan)
        if counts["applied"] + counts["unchanged"] == sum(counts.values()):
            return
        shop.clock.advance(600)
    with Plan.open(plan) as opened:
        left = [str(item) for item in opened.report().items("failed", "skipped", "unknown")]
    raise AssertionError(f"not done after {rounds} runs: {counts} {left[:5]}")


def test_a_plan_survives_lost_answers(tmp_path: Path) -> None:
    assert campaign(tmp_path, seed=5, products=5, rate=0.4) >= 40


@pytest.mark.soak
def test_ten_thousand_operations_survive_lost_answers(tmp_path: Path) -> None:
    operations, seed = 0, 100
    while operations < 10_000:
        seed += 1
        rate = (0.2, 0.3, 0.5)[seed % 3]
        operations += campaign(tmp_path / str(seed), seed, 40 if seed % 5 == 0 else 12, rate)
        shutil.rmtree(tmp_path / str(seed))
