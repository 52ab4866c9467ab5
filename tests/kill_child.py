"""Applies a plan in a process of its own, which dies where it is told to.

The process is forked from one that has imported everything and done nothing, so it starts at once.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from traceback import format_exc
from typing import Any

import storebridge
from storebridge.engine import Engine
from storebridge.plan import Plan
from storebridge.plan.file import PlanFile
from storebridge.testing import VirtualClock

__all__ = ["Child", "Edge"]

#: A method, "before" or "after" it, and which passage of it, counted from 1.
Edge = tuple[str, str, int]
#: Where intent and outcome become durable, and where requests leave in between.
EDGES = {
    "begin_batch": PlanFile,
    "put_outcomes": PlanFile,
    "remember": PlanFile,
    "end_batch": PlanFile,
    "run_batch": Engine,
    "_carry_out": Engine,
}
_PATIENCE = 120


class Child:
    """A process that applies a plan, and maybe kills itself before or after the passage of an edge.

    Args:
        plan: the plan's file.
        url: the store; `state` is the folder of what is remembered of it.
        edge: where it dies.
        keys: the credentials of a store with a network, which is then a sandbox: no time passes
            in waiting for its rate limit.
    """

    def __init__(
        self,
        plan: Path,
        url: str,
        state: Path,
        edge: Edge | None = None,
        keys: Mapping[str, Any] | None = None,
    ) -> None:
        """Start it."""
        self._answers, theirs = _forks().Pipe(duplex=False)
        told = (theirs, plan, url, state, edge, keys)
        self._process = _forks().Process(target=_apply, args=told, daemon=True)
        self._process.start()
        theirs.close()
        self._passages: dict[str, int] = {}
        self.errors = ""

    def edges(self) -> list[Edge]:
        """Return every edge that it passed, before and after, once it has ended by itself."""
        return [
            (name, side, number)
            for name, count in self._passages.items()
            for side in ("before", "after")
            for number in range(1, count + 1)
        ]

    def kill(self) -> int:
        """Kill it, wherever it is, and return how it ended."""
        self._process.kill()
        return self.end()

    def end(self) -> int:
        """Wait for its end and return its exit code, -9 if it was killed."""
        assert self._answers.poll(_PATIENCE), "the child doesn't end"
        try:
            self._passages, self.errors = self._answers.recv()
        except EOFError:
            self.errors = "it told nothing"
        self._answers.close()
        self._process.join(_PATIENCE)
        code = self._process.exitcode
        assert code is not None
        self._process.close()
        return code


@lru_cache(maxsize=1)
def _forks() -> Any:
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__, "storebridge_local", "storebridge_template"])
    return context


def _apply(
    answers: Connection,
    path: Path,
    url: str,
    state: Path,
    edge: Edge | None,
    keys: Mapping[str, Any] | None,
) -> None:
    seen: Counter[str] = Counter()
    for name, owner in EDGES.items():
        setattr(owner, name, _watched(getattr(owner, name), name, seen, edge))
    try:
        with _opened(url, state, keys) as store, Plan.open(path) as plan:
            code = plan.apply(store).exit_code
    except BaseException:
        answers.send((dict(seen), format_exc()))
        raise
    answers.send((dict(seen), ""))
    raise SystemExit(code)


def _watched(
    real: Callable[..., Any], name: str, seen: Counter[str], edge: Edge | None
) -> Callable[..., Any]:
    """Return a method that counts its passages, and dies at one of them."""

    def passage(*arguments: Any, **named: Any) -> Any:
        seen[name] += 1
        number = seen[name]
        if edge == (name, "before", number):
            _die()
        result = real(*arguments, **named)
        if edge == (name, "after", number):
            _die()
        return result

    return passage


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _opened(url: str, state: Path, keys: Mapping[str, Any] | None) -> storebridge.Store:
    """Return the store to apply to; on a virtual clock if it is a sandbox with a network."""
    if keys is None:
        return storebridge.open(url, state=state)
    store = storebridge.open(url, state=state, **keys)
    store.opening = replace(store.opening, clock=VirtualClock(time.time()))
    return store
