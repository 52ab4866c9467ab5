"""A nightly job over many stores is killed again and again, and comes to the same end.

The command is the same each time; the whole process goes at a random moment, while it plans or
while it applies, and its workers are left to notice. In the end every store has every product
once, and a new plan is empty.
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from storebridge import formats
from storebridge.models import Money, Product, Variant
from storebridge.plan import PlanFolder, plan_all

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills with a signal")


def nightly(folder: Path, stores: int, products: int) -> None:
    """Write a job over local stores, and its source."""
    tables = (f'[stores.s{n}]\nurl = "local:s{n}.db"\n' for n in range(stores))
    (folder / "storebridge.toml").write_text("".join(tables), encoding="utf-8")
    (folder / "nightly.toml").write_text(
        'source = "feed.jsonl"\nto = "@all"\noutput = "night.plans"\nstate = "state"\n',
        encoding="utf-8",
    )
    made = (
        Product(
            handle=f"p{n}",
            title=f"P {n}",
            status="active",
            variants=(Variant(sku=f"S{n}", price=Money(n + 1, "EUR")),),
        )
        for n in range(products)
    )
    formats.write(folder / "feed.jsonl", made, formats.Context())


def push(folder: Path, seconds: float | None) -> int:
    """Run the command; kill it after so many seconds. Return its exit code, negative if killed."""
    code = "from storebridge.cli import main; main()"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(folder)}
    with subprocess.Popen(
        [sys.executable, "-c", code, "push", "nightly.toml", "--yes"],
        cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as child:  # fmt: skip
        try:
            child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
    return child.returncode


def campaign(folder: Path, seed: int, stores: int, products: int, kills: int) -> int:
    """Kill the job at random moments, let it end, and look; return how often it was killed."""
    nightly(folder, stores, products)
    chance = random.Random(seed)
    killed = 0
    for _ in range(kills):
        if push(folder, chance.uniform(0.8, 3.0)) >= 0:
            break
        killed += 1
    done = (folder / "night.plans" / "plans.json").exists() and all(
        row.exit_code == 0 for row in PlanFolder.open(folder / "night.plans").report().rows
    )
    assert done or push(folder, None) == 0
    for number in range(stores):
        with sqlite3.connect(folder / f"s{number}.db") as db:
            (count,) = db.execute("SELECT COUNT(*) FROM record WHERE kind = 'product'").fetchone()
        db.close()
        assert count == products, f"s{number}"
    made = plan_all(
        folder / "feed.jsonl",
        [f"s{n}" for n in range(stores)],
        folder / "again.plans",
        state=folder / "state",
    )
    assert made.exit_code == 0
    assert made.is_empty
    return killed


def test_a_nightly_job_that_is_killed_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    campaign(tmp_path, seed=1, stores=2, products=60, kills=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(6))
def test_a_nightly_job_over_fifty_stores_that_is_killed_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.chdir(tmp_path)
    assert campaign(tmp_path, seed, stores=50, products=100, kills=8) > 0
