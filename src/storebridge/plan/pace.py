"""How far a run is, and how fast: shown, compared with the other way, kept for the next plan."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from storebridge.plan.ways import BY, SPEEDS, Forecast, Phase, lasting

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = ["Pace"]

#: Fewer changes than these say nothing of a store's speed.
_FEWEST = 20
#: Seconds after which a phase is compared with the other way.
_FIRST_LOOK = 60.0


class Pace:
    """Counts what has an outcome, and what running jobs have worked off. For many threads."""

    def __init__(
        self,
        forecast: Forecast,
        store: Store,
        counts: tuple[int, int],
        on_progress: Callable[[int, int], None],
        on_notice: Callable[[str], None],
    ) -> None:
        """Start before the first phase.

        Args:
            forecast: what the plan says that each way takes.
            store: has the clock, and a state that keeps speeds.
            counts: how many changes are done, and how many there are.
            on_progress: called with both, from one thread at a time.
            on_notice: called with a line for people.
        """
        self._forecast, self._store = forecast, store
        self._done, self._total = counts
        self._on_progress, self._on_notice = on_progress, on_notice
        self._lock, self._in_jobs = Lock(), dict[str, int]()
        self._phase: Phase | None = None
        self._start, self._before, self._compared = 0.0, self._done, False

    def begin(self, kind: str, part: str) -> None:
        """Begin a phase."""
        self._phase = self._forecast.phase(kind, part)
        self._start, self._before, self._compared = self._now(), self._done, False

    def add(self, count: int) -> None:
        """Count changes that have outcomes now."""
        with self._lock:
            self._done = min(self._total, self._done + count)
            self._show()

    def advance(self, batch: str, done: int) -> None:
        """Hear how many changes of a batch its job has worked off."""
        with self._lock:
            self._in_jobs[batch] = done
            self._show()

    def forget(self, batch: str) -> None:
        """Leave a batch to its outcomes."""
        with self._lock:
            self._in_jobs.pop(batch, None)

    def finish(self) -> None:
        """End a phase; keep its speed where enough was made to tell."""
        made, elapsed = self._done - self._before, self._now() - self._start
        if self._phase is not None and made >= _FEWEST and elapsed > 0:
            name = f"{self._phase.kind} {self._phase.part} {self._phase.way}"
            self._store.state.set_facts(SPEEDS, {name: made / elapsed}, rebuildable=True)

    def _now(self) -> float:
        return self._store.engine.clock.monotonic()

    def _show(self) -> None:
        done = self._done + sum(self._in_jobs.values())
        self._on_progress(min(self._total, done), self._total)
        elapsed = self._now() - self._start
        if self._phase and done > self._before and elapsed >= _FIRST_LOOK and not self._compared:
            self._compared = True
            self._compare(self._phase, elapsed * self._phase.changes / (done - self._before))

    def _compare(self, phase: Phase, projected: float) -> None:
        """Say so if the other way would be faster than this one turns out to be."""
        way, other = phase.other
        if other is not None and other.seconds is not None and projected > other.seconds:
            self._on_notice(
                f"{phase.kind} {phase.part}: {BY[phase.way]} this takes about "
                f"{lasting(projected)}; {BY[way]} it would take {lasting(other.seconds)}, so plan "
                f"with --way {way} the next time"
            )
