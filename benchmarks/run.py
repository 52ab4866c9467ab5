"""Measures speed and memory, and prints ratios; `--write` keeps them in RESULTS.md.

Every step runs in a process of its own; a ratio compares steps of one run on one machine.

    python benchmarks/run.py [--products 20000] [--large 200000] [--write]
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.catalogue import write_feed, write_shopify_csv  # noqa: E402 - the tests' folder is found only now


@dataclass(frozen=True)
class Measured:
    """What a process took: seconds of wall and CPU time, and its peak memory in MB."""

    wall: float
    cpu: float
    peak: float


def measure(script: str, *arguments: str) -> Measured:
    """Run one of our scripts and return what it took."""
    started = time.perf_counter()
    child = subprocess.Popen([sys.executable, str(HERE / script), *arguments])
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{script} {' '.join(arguments)} ended with {child.returncode}")
    wall = time.perf_counter() - started
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def speed(folder: Path, products: int) -> list[str]:
    """Return table rows for planning, applying and planning again."""
    source = str(folder / "catalogue.csv")
    write_shopify_csv(Path(source), products)
    home = str(folder / "speed")
    Path(home).mkdir()
    floor = measure("floor.py", source, str(folder / "floor.db"))
    full = measure("steps.py", "apply", source, home)
    models = measure("steps.py", "models", source, home)
    again = measure("steps.py", "replan", source, home)
    size = f"{products:,} products, {products * 5:,} variants"
    return [
        _row(f"floor: csv to JSON in SQLite, {size}", floor, "1.0", ""),
        _row("plan and apply the same file", full, f"{full.wall / floor.wall:.1f}", "at most 10"),
        _row("read file and store through the models", models, "1.0", ""),
        _row(
            "plan again, nothing to change", again, f"{again.wall / models.wall:.1f}", "at most 4"
        ),
    ]


def feed(folder: Path, products: int) -> list[str]:
    """Return table rows for a feed of two SKUs for each product, in the store that `speed` filled.

    Their ratio is that of CPU time.
    """
    source, home = str(folder / "feed.csv"), str(folder / "speed")
    write_feed(Path(source), products, products * 2)
    models = measure("steps.py", "feed_models", source, home)
    plan = measure("steps.py", "feed", source, home)
    size = f"{products * 2:,} of {products * 5:,} SKUs"
    return [
        _row(f"read a feed of {size} and the store through the models", models, "1.0", ""),
        _row("plan that feed", plan, f"{plan.cpu / models.cpu:.1f} (CPU)", "at most 3"),
    ]


def memory(folder: Path, small: int, large: int) -> list[str]:
    """Return table rows for the peak memory of CSV and JSONL at two sizes."""
    rows = []
    for name in ("csv", "jsonl"):
        peaks = {}
        for products in (small, large):
            home = folder / f"{name}-{products}"
            home.mkdir()
            source = home / f"catalogue.{name}"
            _write(source, products)
            peaks[products] = max(
                measure("steps.py", step, str(source), str(home)).peak
                for step in ("apply", "replan")
            )
        growth = f"{peaks[large] / peaks[small] - 1:+.0%}"
        told = f"{peaks[small]:.0f} and {peaks[large]:.0f} MB"
        rows.append(
            f"| peak memory, {name.upper()}, {small * 5:,} and {large * 5:,} variants "
            f"| {told} | | {growth} | under +20 %, under 250 MB |"
        )
    return rows


def _write(path: Path, products: int) -> None:
    if path.suffix == ".csv":
        write_shopify_csv(path, products)
        return
    home = path.parent / "making"
    home.mkdir()
    table = home / "catalogue.csv"
    write_shopify_csv(table, products)
    measure("steps.py", "apply", str(table), str(home))
    measure("steps.py", "jsonl", str(path), str(home))


def _row(what: str, took: Measured, ratio: str, bar: str) -> str:
    return f"| {what} | {took.wall:.1f} s | {took.cpu:.1f} s | {ratio} | {bar} |"


def _printed_row(line: str) -> str:
    """Return a table row of a line like "a / b: 0.85 (at most 1.3; 271 ms / 318 ms)"."""
    what, _, told = line.partition(": ")
    ratio, _, rest = told.partition(" (")
    bar, _, times = rest.rstrip(")").partition("; ")
    return f"| {what} | | {times} | {ratio} | {bar} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=200_000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = speed(folder, options.products)
        rows += feed(folder, options.products)
        for script in ("startup.py", "stores.py"):
            printed = subprocess.run(
                [sys.executable, str(HERE / script)], check=True, stdout=subprocess.PIPE, text=True
            )
            rows += map(_printed_row, printed.stdout.splitlines())
        rows += memory(folder, options.products, options.large)
    head = [
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {date.today()}.",
        "",
        "| what | wall | CPU | ratio | bar |",
        "|---|---|---|---|---|",
    ]
    text = "\n".join([*head, *rows, ""])
    print(text)
    if options.write:
        (HERE / "RESULTS.md").write_text(f"# Results\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
