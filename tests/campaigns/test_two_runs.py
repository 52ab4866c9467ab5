"""Two runs at one store: one wins, the other says who holds it and has written nothing.

The processes are the command line's own, let loose at the same moment. A holder that was killed
holds nothing any more.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

import storebridge
from storebridge.models import Product, Record, Variant
from storebridge.plan import Plan
from tests.kill_child import Child
from tests.records import euro

#: The command line, loaded before it waits for the start.
RUNNER = """
import sys, time, pathlib
import storebridge.cli.apply, storebridge_local
from storebridge.cli import main
print(flush=True)
sys.stdin.readline()
main()
"""
posix = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")


def wanted(word: str, products: int) -> Iterator[Record]:
    for number in range(products):
        variant = Variant(sku=f"S-{number}", price=euro("5.00"))
        yield Product(handle=f"p-{number}", title=f"{word} {number}", variants=(variant,))


@dataclass
class Runner:
    """A process that is about to apply a plan, and how it ended."""

    plan: Path
    process: subprocess.Popen[str]
    errors: str = ""


class Races:
    """A local store and two plans that change every product of it, put back for every race."""

    def __init__(self, folder: Path, products: int = 200) -> None:
        self.folder, self.fresh, self.products = folder / "race", folder / "fresh", products
        self.folder.mkdir()
        with storebridge.open(self._store, state=self.folder / "state") as store:
            with store.plan(wanted("old", products), self.folder / "old.plan") as plan:
                assert plan.apply(store).ok
            for word in ("one", "two"):
                store.plan(wanted(word, products), self.folder / f"{word}.plan").close()
        self.folder.rename(self.fresh)

    @property
    def _store(self) -> str:
        return f"local:{self.folder}/shop.db"

    def reset(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.fresh, self.folder)

    def race(self, *words: str) -> list[Runner]:
        """Let processes apply the plans of these names at once; return them as they ended."""
        runners = [self._runner(word) for word in words]
        for runner in runners:
            assert runner.process.stdout is not None
            runner.process.stdout.readline()
        for runner in runners:
            assert runner.process.stdin is not None
            runner.process.stdin.write("go\n")
            runner.process.stdin.flush()
        waiting = list(runners)
        while waiting:
            for runner in [each for each in waiting if each.process.poll() is not None]:
                runner.errors = "".join(runner.process.communicate())
                waiting.remove(runner)
            time.sleep(0.002)
        return runners

    def _runner(self, word: str) -> Runner:
        plan = self.folder / f"{word}.plan"
        arguments = ["apply", str(plan), "--state", str(self.folder / "state")]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [sys.executable, "-c", RUNNER, *arguments],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )
        return Runner(plan, process)

    def words(self) -> Counter[str]:
        """Return which plan gave how many products their titles."""
        with storebridge.open(self._store, state=self.folder / "state") as store:
            return Counter(each.title.partition(" ")[0] for each in store.products.iter())

    def killed_holder(self) -> None:
        """Kill a run that holds the store, and see its lock left behind."""
        self.reset()
        edge = ("put_outcomes", "before", 1)
        child = Child(self.folder / "one.plan", self._store, self.folder / "state", edge)
        assert child.end() == -9, child.errors
        [state] = (self.folder / "state").glob("*.sqlite")
        with closing(sqlite3.connect(state)) as db:
            [(held,)] = db.execute("SELECT COUNT(*) FROM lock WHERE name = 'apply'")
        assert held == 1


def one_wins(races: Races, *plans: str) -> bool:
    """Race once, and hold the ends against the store; return whether the runs met at all."""
    races.reset()
    runners = races.race(*plans)
    codes = [runner.process.returncode for runner in runners]
    winners = [runner for runner in runners if runner.process.returncode == 0]
    assert winners, [runner.errors for runner in runners]
    if len(winners) == 2:
        assert len(set(plans)) == 1, "two plans for the same fields can't both be applied"
        return False  # the second run came when the first had ended
    assert sorted(codes) == [0, 5], [runner.errors for runner in runners]
    [winner], [loser] = winners, [runner for runner in runners if runner.process.returncode]
    assert races.words() == {winner.plan.stem: races.products}
    if "since the plan" in loser.errors:
        return False  # likewise, and what it found was no longer what its plan had read
    assert f"process {winner.process.pid} on" in loser.errors, loser.errors
    assert f"applying {winner.plan.name}" in loser.errors
    with Plan.open(loser.plan) as plan:
        counts = plan.report().counts
    untouched = counts["open"] == races.products
    assert untouched == (loser.plan != winner.plan)
    return True


def many(races: Races, rounds: int) -> None:
    """Race over one plan and over two in turns."""
    met = sum(one_wins(races, "one", ("one", "two")[number % 2]) for number in range(rounds))
    assert met > rounds // 2, "the runs hardly met"


@pytest.fixture(scope="module")
def races(tmp_path_factory: pytest.TempPathFactory) -> Races:
    return Races(tmp_path_factory.mktemp("races"))


def test_one_run_wins(races: Races) -> None:
    many(races, rounds=3)


@pytest.mark.soak
def test_one_run_wins_every_time(races: Races) -> None:
    many(races, rounds=50)


def after_a_killed_holder(races: Races, rounds: int) -> None:
    """Kill a run that holds the store; the next one recovers the lock and finishes."""
    for _ in range(rounds):
        races.killed_holder()
        [runner] = races.race("one")
        assert runner.process.returncode == 0, runner.errors
        assert races.words() == {"one": races.products}


@posix
def test_a_killed_holder_holds_nothing(races: Races) -> None:
    after_a_killed_holder(races, rounds=1)


@posix
@pytest.mark.soak
def test_killed_holders_hold_nothing(races: Races) -> None:
    after_a_killed_holder(races, rounds=50)
