"""Measures fifty stores in one folder against the sum of their own times, and prints two ratios.

* all of them, planned and applied as a folder, on one core / each by itself, one after another
* the same folder on every core / each by itself

Each side runs in a process of its own, on one core or on all. The first ratio is that of CPU time,
the processes that work for a folder among it, so that other work on the machine counts in
neither; the second is that of wall time.

    python benchmarks/stores.py [--stores 50] [--products 200]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import storebridge
from storebridge.plan import PlanFolder, plan_all

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.catalogue import MARKETS, write_shopify_csv


def alone(folder: Path) -> None:
    """Plan and apply for each store in turn, all in this process."""
    for name in _names(folder):
        with (
            storebridge.open(name, state="state") as store,
            store.plan("catalogue.csv", f"{name}.plan", context=_CONTEXT) as plan,
        ):
            assert plan.apply(store).ok


def together(folder: Path) -> None:
    """Plan and apply for all stores as one folder."""
    made = plan_all("catalogue.csv", "@all", "all.plans", state="state", context=_CONTEXT)
    assert PlanFolder.open(made.path).apply(state="state").ok


_CONTEXT = {"market_currencies": MARKETS}
_SIDES = {"alone": alone, "together": together}


def _names(folder: Path) -> list[str]:
    return [f"s{n:02}" for n in range(int((folder / "count").read_text()))]


@dataclass(frozen=True)
class Measured:
    """What a side took: seconds of wall and CPU time."""

    wall: float
    cpu: float


def measure(side: str, stores: int, products: int, cores: int) -> Measured:
    """Run one side in a new folder, on so many cores where that can be said (0: on all)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_shopify_csv(folder / "catalogue.csv", products)
        (folder / "count").write_text(str(stores))
        tables = (f'[stores.{name}]\nurl = "local:{name}.db"\n' for name in _names(folder))
        (folder / "storebridge.toml").write_text("".join(tables))
        started, before = time.perf_counter(), os.times()
        subprocess.run(
            [sys.executable, __file__, "--side", side, "--cores", str(cores)],
            cwd=folder, check=True,
        )  # fmt: skip
        wall, after = time.perf_counter() - started, os.times()
    cpu = after.children_user + after.children_system
    return Measured(wall, cpu - before.children_user - before.children_system)


def run(side: str, cores: int) -> None:
    """Do one side in the working folder."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    _SIDES[side](Path.cwd())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stores", type=int, default=50)
    parser.add_argument("--products", type=int, default=200)
    parser.add_argument("--side", choices=_SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--cores", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        run(options.side, options.cores)
        return
    size = (options.stores, options.products)
    own = measure("alone", *size, cores=1)
    one = measure("together", *size, cores=1)
    every = measure("together", *size, cores=0)
    what = f"{options.stores} stores of {options.products} products"
    _show(f"{what} in one folder, one core / each by itself", "CPU, at most 1.2", one.cpu, own.cpu)
    _show(f"{what} in one folder, all cores / each by itself", "less than 1", every.wall, own.wall)


def _show(what: str, bar: str, ours: float, floor: float) -> None:
    print(f"{what}: {ours / floor:.2f} ({bar}; {ours:.1f} s / {floor:.1f} s)")


if __name__ == "__main__":
    main()
