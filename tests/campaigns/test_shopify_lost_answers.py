"""Whatever happens to a Shopify shop's answers: none doubled, none lost, each one told.

Answers are lost, cut, turned into pages, into errors of GraphQL with status 200, or lack a field;
requests are throttled, tokens end, work goes on after a 504, and searches know of nothing that was
written lately. A plan is applied until nothing is open, and after each run what it claims is held
against the shop's own tables.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from storebridge.models import Product, Record
from tests.campaigns.platforms import survived
from tests.campaigns.rig import until
from tests.campaigns.shopify import (
    APP,
    LAG,
    Nemesis,
    ShopifyShop,
    catalogue,
    faults,
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
    keys: dict[str, str] = {}  # a run's keys are those of the runs before it
    with ShopifyShop(folder / "plain") as plain:
        plain.fill(catalogue(seed, products))
        plan = plain.plan(wanted(seed, products), **ALL)
        with ShopifyShop(folder / "faulty", plain.sandbox, LAG, **APP) as faulty:
            operations = survived(
                plain,
                faulty,
                plan,
                lambda run: faults(1000 * seed + run, rate / 2),
                lambda run: Nemesis(faulty, 1000 * seed + run, rate / 2, keys=keys),
            )
            faulty.clock.advance(LAG["search_lag"])  # a search is what tells market prices
            again = faulty.planned(wanted(seed, products), **ALL)
            assert not again, f"seed {seed}, a second plan: {again}"
            return operations


def test_a_plan_survives_lost_answers(tmp_path: Path) -> None:
    assert campaign(tmp_path, seed=5, products=5, rate=0.4) >= 40


@pytest.mark.soak
def test_ten_thousand_operations_survive_lost_answers(tmp_path: Path) -> None:
    def one(folder: Path, seed: int) -> int:
        return campaign(folder, seed, 40 if seed % 5 == 0 else 12, (0.2, 0.3, 0.5)[seed % 3])

    until(10_000, tmp_path, one)
