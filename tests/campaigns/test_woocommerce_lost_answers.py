"""Whatever happens to a WooCommerce shop's answers: none doubled, none lost, each one told.

Answers are lost, cut, empty, turned into pages, prefixed by PHP's notices, short, or 5xx after the
work; or the work goes on after a 504, piece by piece. A plan is applied until nothing is open, and
after each run what it claims is held against the shop's own tables.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from storebridge.models import Product, Record
from storebridge.testing import seeded
from tests.campaigns.platforms import survived
from tests.campaigns.rig import FAULTS, until
from tests.campaigns.woocommerce import Nemesis, WooShop, catalogue, product

#: What is not in the source is deleted.
ALL = {"where": "title != ''", "absent": "delete"}


def wanted(seed: int, products: int) -> list[Record]:
    """Return a second catalogue, which updates, creates and leaves some of the first one out."""
    chance = random.Random(seed)
    old = [r for r in catalogue(seed + 1, products) if r.kind != "product" or chance.random() < 0.8]
    new = [product(chance, number) for number in range(products, 2 * products)]
    names = {f"handle:{each.handle}" for each in (*old, *new) if isinstance(each, Product)}
    return [each if names.issuperset(_upsells(each)) else each.without("upsells")
            for each in (*old, *new)]  # fmt: skip


def _upsells(record: Record) -> tuple[str, ...]:
    return record.upsells if isinstance(record, Product) else ()


def campaign(folder: Path, seed: int, products: int, rate: float) -> int:
    """Run a plan through faults until it is done; return how many operations it had."""
    few = {"batch_size": 5}  # more requests, more faults
    with WooShop(folder / "plain", **few) as plain:
        plain.fill(catalogue(seed, products))
        plan = plain.plan(wanted(seed, products), **ALL)
        with WooShop(folder / "faulty", plain.sandbox, **few) as faulty:
            operations = survived(
                plain,
                faulty,
                plan,
                lambda run: seeded(1000 * seed + run, rate / 2, FAULTS),
                lambda run: Nemesis(faulty, 1000 * seed + run, rate / 2),
            )
            again = faulty.planned(wanted(seed, products), **ALL)
            assert not again, f"seed {seed}, a second plan: {again}"
            return operations


def test_a_plan_survives_lost_answers(tmp_path: Path) -> None:
    assert campaign(tmp_path, seed=5, products=12, rate=0.5) >= 20


@pytest.mark.soak
def test_ten_thousand_operations_survive_lost_answers(tmp_path: Path) -> None:
    def one(folder: Path, seed: int) -> int:
        return campaign(folder, seed, 70 if seed % 5 == 0 else 20, (0.2, 0.3, 0.5)[seed % 3])

    until(10_000, tmp_path, one)
