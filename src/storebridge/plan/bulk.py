"""Bulk work makes many objects that live for a moment; a calmer collector lets them go sooner.

Python's cyclic collector runs after every 700 new objects by default and finds nothing here:
models have no cycles. Planning and applying took about 15 % less CPU time with it calmed (DESIGN.md
has the figures).
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["calm_collector"]

_CALM = (100_000, 20, 100)
_lock = threading.Lock()
_inside: list[tuple[int, int, int]] = []


@contextmanager
def calm_collector() -> Iterator[None]:
    """Let the cyclic collector run more rarely meanwhile; the last one out puts it back."""
    with _lock:
        _inside.append(gc.get_threshold() if not _inside else _inside[0])
        gc.set_threshold(*_CALM)
    try:
        yield
    finally:
        with _lock:
            before = _inside.pop()
            if not _inside:
                gc.set_threshold(*before)
