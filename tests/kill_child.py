"""Applies a plan in a process of its own, which dies where it is told to.

    python tests/kill_child.py PLAN URL STATE [COMMAND]

COMMAND is "count", which prints how often each journal edge is passed, or "EDGE SIDE NUMBER":
the process kills itself before or after the NUMBERth passage of an edge.

KILL_CHILD_KEYS in the environment are the credentials of a store with a network, as JSON, which is
then a sandbox: no time passes in waiting for its rate limit.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import storebridge
from storebridge.engine import Engine
from storebridge.plan import Plan
from storebridge.plan.file import PlanFile
from storebridge.testing import VirtualClock

#: Where intent and outcome become durable, and where requests leave in between.
EDGES = {
    "begin_batch": PlanFile,
    "put_outcomes": PlanFile,
    "remember": PlanFile,
    "end_batch": PlanFile,
    "run_batch": Engine,
    "_carry_out": Engine,
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def watch(seen: Counter[str], edge: str = "", side: str = "", number: int = 0) -> None:
    """Count the passages of every edge, and die at one of them."""
    for name, owner in EDGES.items():
        setattr(owner, name, _watched(getattr(owner, name), name, seen, edge, side, number))


def _watched(
    real: Callable[..., Any], name: str, seen: Counter[str], edge: str, side: str, number: int
) -> Callable[..., Any]:
    def passage(*arguments: Any, **named: Any) -> Any:
        seen[name] += 1
        here = name == edge and seen[name] == number
        if here and side == "before":
            die()
        result = real(*arguments, **named)
        if here and side == "after":
            die()
        return result

    return passage


def opened(url: str, state: Path) -> storebridge.Store:
    """Return the store to apply to; on a virtual clock if it is a sandbox with a network."""
    keys = os.environ.get("KILL_CHILD_KEYS")
    if keys is None:
        return storebridge.open(url, state=state)
    store = storebridge.open(url, state=state, **json.loads(keys))
    store.opening = replace(store.opening, clock=VirtualClock(time.time()))
    return store


def main() -> int:
    path, url, state, *command = sys.argv[1:]
    seen: Counter[str] = Counter()
    if len(command) == 3:
        watch(seen, command[0], command[1], int(command[2]))
    elif command == ["count"]:
        watch(seen)
    with opened(url, Path(state)) as store, Plan.open(path) as plan:
        report = plan.apply(store)
    if command == ["count"]:
        print(json.dumps(seen))
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
