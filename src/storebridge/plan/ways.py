"""What a plan takes by each way, and which way is taken: requests of its own, or jobs.

Adapters know what a change costs directly, and what a job does. How long a job takes is nowhere
promised, so it is learned: a store's state keeps how fast its last runs were.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from storebridge.adapter import BulkLimits, Cost, Level, Records, Way
from storebridge.plan.file import PlanFile
from storebridge.plan.sides import change_of

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = [
    "BY",
    "SPEEDS",
    "Forecast",
    "Phase",
    "Taken",
    "WayChoice",
    "forecast",
    "lasting",
    "together",
]

WayChoice = Literal["auto", "direct", "bulk"]

#: The part of a store's state that keeps how many changes it made a second, by "product core bulk".
SPEEDS = "speeds"
#: The ways in a person's words.
BY: dict[Way, str] = {"direct": "directly", "bulk": "in bulk"}


class Taken(NamedTuple):
    """What some changes take by one way."""

    requests: int
    points: float
    seconds: float | None
    """None where the store's speed isn't known yet."""

    def __str__(self) -> str:
        count = f"{self.requests:,} request{'' if self.requests == 1 else 's'}"
        time = "time unknown" if self.seconds is None else lasting(self.seconds)
        return f"{count}, {self.points:,.0f} points, {time}"


@dataclass(frozen=True, slots=True)
class Phase:
    """The changes of one kind and part, what they take by each way, and the chosen one."""

    kind: str
    part: str
    changes: int
    way: Way
    direct: Taken
    bulk: Taken | None = None
    """None where no job can make them."""

    @property
    def chosen(self) -> Taken:
        """What the changes take by the chosen way."""
        return self.bulk if self.bulk is not None and self.way == "bulk" else self.direct

    @property
    def other(self) -> tuple[Way, Taken | None]:
        """The way that wasn't chosen, and what the changes would take by it."""
        return ("direct", self.direct) if self.way == "bulk" else ("bulk", self.bulk)

    def __str__(self) -> str:
        way, other = self.other
        words = f"{self.changes:,} × {self.kind} {self.part}, {BY[self.way]}: {self.chosen}"
        return f"{words} ({BY[way]}: {other})" if other else words


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a plan takes: how many writes, how long, and by which ways where that is known."""

    writes: int = 0
    seconds: float | None = None
    phases: tuple[Phase, ...] = ()

    @classmethod
    def of(cls, kept: dict[str, Any] | None) -> Self:
        """Return the forecast that a plan keeps."""
        values = {**(kept or {})}
        phases = tuple(_phase(**each) for each in values.pop("phases", ()))
        return cls(phases=phases, **values)

    def phase(self, kind: str, part: str) -> Phase | None:
        """Return a phase, if anything is known of it."""
        return next((p for p in self.phases if (p.kind, p.part) == (kind, part)), None)

    def __str__(self) -> str:
        writes = f"{self.writes:,} write{'' if self.writes == 1 else 's'}" if self.writes else ""
        return f"{writes}, about {lasting(self.seconds)}" if self.seconds else writes


def _phase(direct: list[Any], bulk: list[Any] | None, **values: Any) -> Phase:
    return Phase(direct=Taken(*direct), bulk=Taken(*bulk) if bulk else None, **values)


def lasting(seconds: float) -> str:
    """Return a time as people say it: "40 s", "18 min", "2.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def forecast(store: Store, file: PlanFile, asked: WayChoice = "auto") -> dict[str, Any]:
    """Return what a plan takes at the store's rate limit, as the plan keeps it.

    Args:
        store: the store, whose state knows how fast it was.
        file: the plan with all its changes.
        asked: the way to take. "auto" goes directly while the points of a kind and part fit one
            bucket, and in bulk beyond that, unless they are known to be slower.
    """
    phases = tuple(_phases(store, file, asked))
    if not phases:
        return _by_batches(store, file)
    taken = [phase.chosen for phase in phases]
    known = [each.seconds for each in taken if each.seconds is not None]
    waiting = _waiting(sum(each.points for each in taken), store.engine.level)
    seconds = max(sum(known), waiting) if len(known) == len(taken) else None
    return asdict(Forecast(sum(each.requests for each in taken), seconds, phases))


def _by_batches(store: Store, file: PlanFile) -> dict[str, Any]:
    """Return the forecast for a platform that knows no costs: a request for each batch."""
    sizes = file.count("SELECT kind || ' ' || part, COUNT(*) FROM changes GROUP BY kind, part")
    calls = 0
    for name, count in sizes.items():
        size = store.adapter.records(name.partition(" ")[0]).batch_size
        calls += -(-count // size)
    rate = store.adapter.limits.rate
    return asdict(Forecast(calls, round(calls / rate, 1) if rate else None))


def _phases(store: Store, file: PlanFile, asked: WayChoice) -> Iterator[Phase]:
    """Yield the phases whose costs the adapter knows, in the order in which they are applied."""
    speeds = store.state.facts(SPEEDS)
    for kind, part in dict.fromkeys((kind, part) for _, kind, part in file.phases()):
        records = store.adapter.records(kind)
        sums = _Sums.of(records, file, kind, part)
        if sums is not None:
            yield sums.phase(kind, part, records.bulk, store.engine.level, speeds, asked)


_NOTHING = Cost(requests=0)


@dataclass(slots=True)
class _Sums:
    """What the changes of a phase cost: all of them, and those that only requests can make."""

    changes: int = 0
    in_jobs: int = 0
    all: Cost = _NOTHING
    alone: Cost = _NOTHING

    @classmethod
    def of(cls, records: Records[Any], file: PlanFile, kind: str, part: str) -> Self | None:
        """Return the sums of a phase, None where the adapter doesn't know its costs."""
        sums = cls()
        for row in file.changes("WHERE kind = ? AND part = ?", (kind, part)):
            cost = records.cost(change_of(records.model, row, row.record_id))
            if cost is None:
                return None
            sums._add(cost)
        return sums

    def _add(self, cost: Cost) -> None:
        self.changes += 1
        self.all += cost
        if cost.lines:
            self.in_jobs += 1
        else:
            self.alone += cost

    def phase(
        self,
        kind: str,
        part: str,
        limits: BulkLimits | None,
        level: Level,
        speeds: dict[str, float],
        asked: WayChoice,
    ) -> Phase:
        """Return the phase with both ways and the better one."""

        def seconds(way: Way) -> float | None:
            speed = speeds.get(f"{kind} {part} {way}")
            return self.changes / speed if speed else None

        waiting = _waiting(self.all.points, level)
        direct = _taken(self.all, max(waiting, seconds("direct") or 0.0))
        if limits is None or not self.in_jobs:
            return Phase(kind, part, self.changes, "direct", direct)
        count = ceil(self.in_jobs / limits.changes)
        controls = Cost(requests=limits.cost.requests * count, points=limits.cost.points * count)
        bulk = _taken(self.alone + controls, seconds("bulk"))
        slower = bulk.seconds is not None and bulk.seconds > (direct.seconds or 0.0)
        fits = self.all.points <= (level.capacity or 0.0)
        best: Way = "direct" if fits or slower else "bulk"
        return Phase(kind, part, self.changes, best if asked == "auto" else asked, direct, bulk)


def _taken(cost: Cost, seconds: float | None) -> Taken:
    return Taken(ceil(round(cost.requests, 6)), round(cost.points, 1), seconds)


def _waiting(points: float, level: Level) -> float:
    """Return how long points take to come back that a full bucket doesn't have."""
    return max(0.0, points - (level.capacity or 0.0)) / level.rate if level.rate else 0.0


def together(records: Records[Any], phase: Phase | None, store: Store) -> int:
    """Return how many changes of a phase are sent together when they are made directly.

    There are more where they share requests, so that those are filled; yet so many batches that
    all flows have one.
    """
    if phase is None or phase.direct.requests >= phase.changes:
        return records.batch_size
    spread = -(-phase.changes // store.adapter.limits.concurrency)
    return max(records.batch_size, min(records.shared_size, spread))
