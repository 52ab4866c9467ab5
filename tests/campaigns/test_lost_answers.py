"""Whatever happens to requests and answers, a plan ends as if nothing had: none doubled, none lost.

Any request may be cut off before it is sent, after the store has done it, or in the middle of the
answer, and answered by a 5xx or a page of HTML instead. The plan is applied again until nothing is
open; after each run, what it claims is held against what the store has.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from storebridge.models import Record
from storebridge.testing import seeded
from tests.campaigns.rig import FAULTS, Shop, catalogue, docs, product, settle, until


def wanted(seed: int, products: int) -> list[Record]:
    """Return a second catalogue, which updates, creates and leaves some of the first one out."""
    chance = random.Random(seed)
    records = catalogue(seed + 1, products)
    kept = [r for r in records if r.kind != "product" or chance.random() < 0.8]
    return [*kept, *(product(chance, number) for number in range(products, 2 * products))]


def campaign(folder: Path, seed: int, products: int, rate: float = 0.3) -> int:
    """Run a plan through faults until it is done; return how many there were."""
    with Shop(folder / "plain") as plain:
        plain.fill(catalogue(seed, products))
        options = {"where": "vendor = 'Acme'", "absent": "delete"}
        plan = plain.plan(wanted(seed, products), **options)
        with Shop(folder / "faulty", plain.sandbox) as faulty:
            copy = Path(shutil.copy(plan, faulty.folder))
            assert plain.apply(plan).ok
            settle(faulty, copy, lambda run: seeded(1000 * seed + run, rate, FAULTS))
            assert docs(faulty.sandbox) == docs(plain.sandbox), f"seed {seed}"
            return sum(each.fault is not None for each in faulty.history)


def test_a_plan_survives_lost_answers(tmp_path: Path) -> None:
    assert campaign(tmp_path, seed=7, products=12, rate=0.45) >= 120


@pytest.mark.soak
def test_plans_survive_ten_thousand_lost_answers(tmp_path: Path) -> None:
    def one(folder: Path, seed: int) -> int:
        products = 70 if seed % 10 == 0 else 20  # more than one batch: several threads
        return campaign(folder, seed, products, rate=(0.2, 0.3, 0.45)[seed % 3])

    until(10_000, tmp_path, one)
