"""What the benchmarks of the platforms share: servers and measured steps in processes of their own.

A benchmark that runs steps takes `--step`, `--products`, `--home` and `--url` on its command
line, does the step and prints what it took.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

from storebridge import Store
from storebridge.adapter import Batch, Change
from storebridge.flow import Status
from storebridge.models import Product

__all__ = ["child", "peak", "served", "slopes", "write_batches"]


@contextmanager
def served(script: Path, kind: str) -> Iterator[dict[str, Any]]:
    """Run a script that serves a shop until its input ends; give what it says of itself."""
    command = [sys.executable, str(script), kind]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdin is not None
        try:
            yield json.loads(running.stdout.readline())
        finally:
            running.stdin.close()


def child(script: Path, **told: Any) -> float:
    """Run a step of a benchmark in a process of its own, and return what it prints."""
    options = [f"--{name}={value}" for name, value in told.items()]
    made = subprocess.run(
        [sys.executable, str(script), *options], check=True, stdout=subprocess.PIPE, text=True
    )
    return float(made.stdout)


def write_batches(store: Store, wanted: Sequence[Product]) -> None:
    """Write products as batches of changes, as applying a plan does, without the plan."""
    records = store.adapter.records("product")
    for start in range(0, len(wanted), records.batch_size):
        changes = tuple(
            Change(
                id=each.handle,
                action="create",
                part="core",
                key=f"handle:{each.handle}",
                desired=each,
            )
            for each in wanted[start : start + records.batch_size]
        )
        outcomes = store.engine.run_batch(records, Batch(id=f"batch-{start}", changes=changes))
        assert {each.status for each in outcomes} == {Status.APPLIED}


def slopes(
    steps: Sequence[str], sizes: tuple[int, int], rounds: int, run: Callable[[str, int], float]
) -> dict[str, float]:
    """Return the milliseconds of CPU time that each step takes for one record more.

    The least of several rounds counts, in turns: what other programs do makes CPU time longer, and
    never shorter.

    Args:
        steps: the steps.
        sizes: two counts of records, the smaller one first.
        rounds: how often each is measured.
        run: returns the CPU seconds of a step with so many records.
    """
    took: dict[tuple[str, int], float] = {}
    for turn in range(rounds):
        for step, size in product(steps, sizes):
            seconds = run(step, size)
            took[step, size] = min(seconds, took.get((step, size), seconds))
            print(f"  {turn} {step} {size}: {seconds:.2f} s", file=sys.stderr, flush=True)
    small, large = sizes
    return {s: (took[s, large] - took[s, small]) / (large - small) * 1000 for s in steps}


def peak() -> float:
    """Return the most memory that this process has had, in MB."""
    import resource  # not on Windows, where only this can't be measured

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1024 * 1024 if sys.platform == "darwin" else 1024)
