"""A run that is killed at any moment, and run again, ends as if nothing had happened.

Every journal edge is killed at once before and once after; besides, runs are killed at random
moments. The end state must be that of an undisturbed run: nothing lost, nothing doubled.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import storebridge
from storebridge.models import (
    Collection,
    InventoryLevel,
    MarketPrice,
    Money,
    Product,
    Record,
    Translation,
    Variant,
)
from storebridge.plan import Plan
from tests.kill_child import Child, Edge
from tests.records import euro

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")


def catalogue(products: int) -> Iterator[Record]:
    """Yield records that fill every part: collections, stock, market prices, translations."""
    yield Collection(handle="all", title="All")
    for number in range(products):
        sku = f"SKU-{number}"
        yield Product(
            handle=f"product-{number}",
            title=f"Product {number}",
            status="active",
            collections=("all",),
            variants=(
                Variant(
                    sku=sku,
                    price=euro(f"{number + 1}.00"),
                    inventory=(InventoryLevel(available=number),),
                    market_prices=(MarketPrice(market="ch", price=Money(number + 2, "CHF")),),
                ),
            ),
            translations=(Translation(locale="de", field="title", value=f"Ding {number}"),),
        )


class Rig:
    """A store and a plan that can be put back, applied in a child, and looked at."""

    def __init__(self, folder: Path, products: int) -> None:
        self.folder, self.fresh = folder, folder / "fresh"
        self.fresh.mkdir()
        self.edits = [
            Product(handle=f"product-{n}", title=f"Old {n}", status="active", vendor="Old")
            for n in range(0, products, 3)
        ]
        with storebridge.open(f"local:{self.fresh}/shop.db", state=self.fresh / "state") as store:
            with store.plan(self.edits, self.fresh / "old.plan") as plan:
                assert plan.apply(store).ok
            store.plan(catalogue(products), self.fresh / "apply.plan").close()

    def reset(self) -> Path:
        """Return a folder with the store and the plan as they were at first."""
        work = self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(self.fresh, work)
        return work

    def start(self, work: Path, edge: Edge | None = None) -> Child:
        return Child(work / "apply.plan", f"local:{work}/shop.db", work / "state", edge)

    def end_state(self, work: Path) -> list[Any]:
        """Return everything in the store but times, and what the plan says of itself."""
        with storebridge.open(f"local:{work}/shop.db", state=work / "state") as store:
            records = [
                json.loads(record.without("created_at", "updated_at").model_dump_json())
                for items in (store.collections, store.products)
                for record in items.iter()
            ]
        with Plan.open(work / "apply.plan") as plan:
            counts = plan.report().counts
        assert counts["applied"] + counts["unchanged"] == sum(counts.values()), counts
        return sorted(records, key=lambda record: record["handle"])

    def finish(self, work: Path) -> list[Any]:
        """Run again, without faults, and return how it ended."""
        child = self.start(work)
        assert child.end() == 0, child.errors
        return self.end_state(work)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    return Rig(tmp_path_factory.mktemp("kill"), products=60)


@pytest.fixture(scope="module")
def undisturbed(rig: Rig) -> list[Any]:
    return rig.finish(rig.reset())


def edges(rig: Rig) -> list[Edge]:
    """Return every journal edge that an undisturbed run passes, before and after."""
    child = rig.start(rig.reset())
    assert child.end() == 0, child.errors
    return child.edges()


def killed_at(rig: Rig, edge: Edge) -> Path:
    work = rig.reset()
    child = rig.start(work, edge)
    assert child.end() == -9, f"{edge}: {child.errors}"
    return work


def killed_after(rig: Rig, seconds: float, work: Path) -> bool:
    """Kill a run after some time; return whether it was still running."""
    child = rig.start(work)
    time.sleep(seconds)
    return child.kill() == -9


def test_killed_at_some_edges(rig: Rig, undisturbed: list[Any]) -> None:
    for place in random.Random(7).sample(edges(rig), 3):
        assert rig.finish(killed_at(rig, place)) == undisturbed, place


@pytest.mark.soak
def test_killed_at_every_edge(rig: Rig, undisturbed: list[Any]) -> None:
    for place in edges(rig):
        assert rig.finish(killed_at(rig, place)) == undisturbed, place


def test_killed_twice(rig: Rig, undisturbed: list[Any]) -> None:
    first = ("put_outcomes", "before", 1)
    work = killed_at(rig, first)
    assert rig.start(work, first).end() == -9
    assert rig.finish(work) == undisturbed


def kill_at_random(rig: Rig, undisturbed: list[Any], rounds: int) -> None:
    """Kill so many runs at random moments between start and end of an undisturbed one."""
    work, started = rig.reset(), time.monotonic()
    assert rig.start(work).end() == 0
    whole = time.monotonic() - started
    moments = random.Random(11)
    for number in range(rounds):
        moment, killed = moments.uniform(0.3, 1.0) * whole, False
        while not killed:  # one that ended before its moment was not killed: sooner, then
            killed = killed_after(rig, moment, work := rig.reset())
            assert rig.finish(work) == undisturbed, (number, moment)
            assert moment > whole / 100, "no run can be killed before its end"
            moment *= 0.7


def test_killed_at_a_few_random_moments(rig: Rig, undisturbed: list[Any]) -> None:
    kill_at_random(rig, undisturbed, 3)


@pytest.mark.soak
def test_killed_at_two_hundred_random_moments(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    large = Rig(tmp_path_factory.mktemp("kill"), products=600)
    kill_at_random(large, large.finish(large.reset()), 200)
