"""A run that dies between any two steps, and is run again, ends as if nothing had happened.

In this process the network dies at a request and with it the run; what resumes has nothing of the
old run but the plan's file. In processes of their own, over HTTP, the dying is real.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import product as pairs
from pathlib import Path
from typing import Any

import pytest
from storebridge_template.sandbox import create

from storebridge.adapter import Adapter
from storebridge.models import Record
from storebridge.plan import Plan
from storebridge.store import Store
from storebridge.store.base import Opening
from storebridge.testing import Fault, Killed, VirtualClock, at
from storebridge.testing.faults import Plan as Faults
from tests.campaigns.rig import UNGUARDED, Shop, catalogue, check, docs, template
from tests.kill_child import Child, Edge

DEATHS = (Fault.KILLED_BEFORE, Fault.KILLED_AFTER)
posix = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")


class Dying:
    """A small plan for a shop, its undisturbed end, and runs of it that die."""

    def __init__(self, folder: Path, products: int) -> None:
        self.folder, self.rounds = folder, 0
        self.shop = Shop(folder / "fresh")
        self.shop.fill(catalogue(1, products))
        wanted = catalogue(2, products + 2)[:-3] + catalogue(2, products + 2)[-2:]
        options = {"where": "vendor = 'Acme'", "absent": "delete"}
        self.plan = self.shop.plan(wanted, **options)
        with self.copy() as (shop, plan):
            assert shop.apply(plan).ok
            self.requests, self.end = len(shop.history), docs(shop.sandbox)
            self.creates = [e.number for e in shop.history if e.request.method == "POST"]

    @contextmanager
    def copy(self) -> Iterator[tuple[Shop, Path]]:
        """Give the shop and the plan as they were at first."""
        self.rounds += 1
        with Shop(self.folder / str(self.rounds), self.shop.sandbox) as shop:
            yield shop, Path(shutil.copy(self.plan, shop.folder))

    def survives(self, *deaths: Faults) -> int:
        """Let runs die, then run to the end; return how many died."""
        died = 0
        with self.copy() as (shop, plan):
            for faults in deaths:
                with suppress(Killed):
                    shop.apply(plan, faults)
                    died -= 1
                died += 1
                check(shop, plan)
            report = shop.apply(plan)
            assert report.ok, list(report.items("failed", "skipped", "unknown"))
            check(shop, plan)
            assert docs(shop.sandbox) == self.end
        return died


@pytest.fixture(scope="module")
def dying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dying]:
    made = Dying(tmp_path_factory.mktemp("dying"), products=2)
    yield made
    made.shop.sandbox.close()


def test_killed_at_some_requests(dying: Dying) -> None:
    places = random.Random(5).sample(list(pairs(range(dying.requests), DEATHS)), 5)
    for number, death in places + [(each, Fault.KILLED_AFTER) for each in dying.creates]:
        assert dying.survives(at({number: death})) == 1, (number, death)


def test_killed_and_killed_again(dying: Dying) -> None:
    killed_again(dying, rounds=3)


def killed_again(dying: Dying, rounds: int) -> None:
    """Kill a run, and then its resume, both anywhere."""
    chance = random.Random(6)
    died = 0
    for _ in range(rounds):
        first, second = chance.randrange(dying.requests), chance.randrange(10)
        died += dying.survives(
            at({first: chance.choice(DEATHS)}), at({second: chance.choice(DEATHS)})
        )
    assert died > rounds


@pytest.mark.soak
def test_killed_at_every_request(dying: Dying) -> None:
    for number, death in pairs(range(dying.requests), DEATHS):
        assert dying.survives(at({number: death})) == 1, (number, death)
    killed_again(dying, rounds=200)


# -- real processes


class Platform:
    """The sandbox as a server of its own, and children that apply a plan to it and die."""

    module = "storebridge_template.sandbox"
    name, keys = "template", {"token": "child"}
    options: Mapping[str, Any] = UNGUARDED

    def __init__(self, folder: Path, products: int) -> None:
        self.folder, self.file = folder, folder / "server.db"
        command = [sys.executable, "-m", self.module, "--state", str(self.file)]
        self.server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.server.stdout is not None
        self.url = self.server.stdout.readline().strip()
        self.sandbox, self.fresh = self.create(self.file), self.create(None)
        with self.store() as store:
            old, new = self.catalogue(1, products), self.catalogue(2, 2 * products)
            with store.plan(old, folder / "old.plan", **self.options) as plan:
                assert plan.apply(store).ok
            store.plan(new, folder / "fresh.plan", **self.options).close()
        self.sandbox.db.backup(self.fresh.db)

    def create(self, path: Path | None) -> Any:
        """Return the sandbox over a file, or in memory."""
        return create(path)

    def catalogue(self, seed: int, products: int) -> list[Record]:
        """Return what is wanted; a seed gives the same."""
        return catalogue(seed, products)

    def adapter(self) -> Adapter:
        """Return an adapter of the server."""
        return template(self.url)

    def docs(self) -> dict[str, Any]:
        """Return what is on the platform."""
        return docs(self.sandbox)

    def close(self) -> None:
        self.server.kill()
        self.server.communicate()
        self.sandbox.close()
        self.fresh.close()

    def store(self) -> Store:
        """Return the store over HTTP, on a virtual clock."""
        opening = Opening(state=self.folder / "state", clock=VirtualClock(time.time()))
        return Store(self.adapter(), opening)

    def reset(self) -> Path:
        """Put the platform back and return a new copy of the plan."""
        self.fresh.db.backup(self.sandbox.db)
        shutil.rmtree(self.folder / "state")
        return Path(shutil.copy(self.folder / "fresh.plan", self.folder / "apply.plan"))

    def start(self, plan: Path, edge: Edge | None = None) -> Child:
        return Child(plan, f"{self.name}+{self.url}", self.folder / "state", edge, self.keys)

    def finish(self, plan: Path) -> dict[str, Any]:
        """Apply once more and return what is on the platform then."""
        with self.store() as store, Plan.open(plan) as made:
            report = made.apply(store)
        assert report.ok, list(report.items("failed", "skipped", "unknown"))
        return self.docs()

    def edges(self) -> tuple[list[Edge], float, dict[str, Any]]:
        """Return the edges that an undisturbed run passes, how long it takes and how it ends."""
        plan, started = self.reset(), time.monotonic()
        child = self.start(plan)
        assert child.end() == 0, child.errors
        return child.edges(), time.monotonic() - started, self.docs()


def kill_children(platform: Platform, edges: int | None, moments: int) -> None:
    """Kill children at so many edges (None: all) and random moments, and finish each run."""
    chance = random.Random(9)
    try:
        places, whole, end = platform.edges()
        for place in places if edges is None else chance.sample(places, edges):
            child = platform.start(plan := platform.reset(), place)
            assert child.end() == -9, f"{place}: {child.errors}"
            assert platform.finish(plan) == end, place
        for _ in range(moments):
            share, killed = chance.uniform(0.4, 1), False
            while not killed:  # one that ended before its moment was not killed: sooner, then
                child = platform.start(plan := platform.reset())
                time.sleep(share * whole)
                killed = child.kill() == -9
                assert platform.finish(plan) == end, share * whole
                assert share > 0.01, "no run can be killed before its end"
                share *= 0.7
    finally:
        platform.close()


@posix
def test_children_killed_over_http(tmp_path: Path) -> None:
    kill_children(Platform(tmp_path, products=2), edges=3, moments=2)


@posix
@pytest.mark.soak
def test_children_killed_over_http_for_long(tmp_path: Path) -> None:
    kill_children(Platform(tmp_path, products=20), edges=None, moments=200)
