"""A run that is killed at any moment, and run again, ends as if nothing had happened.

Every journal edge is killed at once before and once after; besides, runs are killed at random
moments. The end state must be that of an undisturbed run: nothing lost, nothing doubled.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
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
from tests.records import euro

CHILD = Path(__file__).parent.parent / "kill_child.py"
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

    def start(self, work: Path, *command: str) -> subprocess.Popen[bytes]:
        arguments = [work / "apply.plan", f"local:{work}/shop.db", work / "state", *command]
        return subprocess.Popen(
            [sys.executable, str(CHILD), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(CHILD.parent.parent)},
        )

    def run(self, work: Path, *command: str) -> tuple[int, str, str]:
        child = self.start(work, *command)
        out, err = child.communicate(timeout=120)
        return child.returncode, out.decode(), err.decode()

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
        code, _, errors = self.run(work)
        assert code == 0, errors
        return self.end_state(work)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    return Rig(tmp_path_factory.mktemp("kill"), products=60)


@pytest.fixture(scope="module")
def undisturbed(rig: Rig) -> list[Any]:
    return rig.finish(rig.reset())


def edges(rig: Rig) -> list[tuple[str, str, int]]:
    """Return every journal edge that an undisturbed run passes, before and after."""
    code, out, errors = rig.run(rig.reset(), "count")
    assert code == 0, errors
    passages = json.loads(out)
    return [
        (edge, side, number)
        for edge, count in passages.items()
        for side in ("before", "after")
        for number in range(1, count + 1)
    ]


def killed_at(rig: Rig, edge: str, side: str, number: int) -> Path:
    work = rig.reset()
    code, _, errors = rig.run(work, edge, side, str(number))
    assert code == -9, f"{edge} {side} {number}: {code} {errors}"
    return work


def killed_after(rig: Rig, seconds: float, work: Path) -> bool:
    """Kill a run after some time; return whether it was still running."""
    child = rig.start(work)
    time.sleep(seconds)
    child.kill()
    child.communicate()
    return child.returncode == -9


def test_killed_at_some_edges(rig: Rig, undisturbed: list[Any]) -> None:
    for place in random.Random(7).sample(edges(rig), 3):
        assert rig.finish(killed_at(rig, *place)) == undisturbed, place


@pytest.mark.soak
def test_killed_at_every_edge(rig: Rig, undisturbed: list[Any]) -> None:
    for place in edges(rig):
        assert rig.finish(killed_at(rig, *place)) == undisturbed, place


def test_killed_twice(rig: Rig, undisturbed: list[Any]) -> None:
    work = killed_at(rig, "put_outcomes", "before", 1)
    code, _, _ = rig.run(work, "put_outcomes", "before", "1")
    assert code == -9
    assert rig.finish(work) == undisturbed


def kill_at_random(rig: Rig, undisturbed: list[Any], rounds: int) -> None:
    """Kill so many runs at random moments between start and end of an undisturbed one."""
    started = time.monotonic()
    rig.run(rig.reset())
    whole = time.monotonic() - started
    moments, hits = random.Random(11), 0
    for number in range(rounds):
        work = rig.reset()
        moment = moments.uniform(0.3, 1.0) * whole
        hits += killed_after(rig, moment, work)
        assert rig.finish(work) == undisturbed, (number, moment)
    assert hits > rounds // 3, "too few runs were killed before their end"


def test_killed_at_a_few_random_moments(rig: Rig, undisturbed: list[Any]) -> None:
    kill_at_random(rig, undisturbed, 3)


@pytest.mark.soak
def test_killed_at_two_hundred_random_moments(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    large = Rig(tmp_path_factory.mktemp("kill"), products=600)
    kill_at_random(large, large.finish(large.reset()), 200)
