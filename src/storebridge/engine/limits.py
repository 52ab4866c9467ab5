"""How fast a store is asked: a token bucket that its answers correct, and adaptive concurrency."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from storebridge.adapter import Level, Limits
from storebridge.flow import Clock

if TYPE_CHECKING:
    from storebridge.state import StoreState

__all__ = ["AdaptiveConcurrency", "Bucket", "Ticket"]

R = TypeVar("R")

_LONGEST_HOLD = 86_400.0


@dataclass(frozen=True, slots=True)
class _Tank:
    """What is left of a store's limit; negative tokens are owed to requests that wait."""

    tokens: float
    rate: float
    burst: float
    since: float
    """Tokens come back from then on (seconds since the epoch); ahead of now while held."""
    holds: int = 0

    def filled(self, now: float) -> _Tank:
        """Return the tank as it is now; a clock that was set back shortens no wait for long."""
        if self.since >= now:
            return self if self.since - now <= _LONGEST_HOLD else replace(self, since=now)
        tokens = min(self.burst, self.tokens + (now - self.since) * self.rate)
        return replace(self, tokens=tokens, since=now)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A place in the limit: how long to wait and until when, and under which hold it was given."""

    wait: float
    until: float
    holds: int


class Bucket:
    """A store's rate limit, shared by the threads and, through its state, by the processes.

    Requests reserve their tokens and wait for them, so each waits once. An answer that tells the
    level beats the count; a throttle holds all requests of the store, and voids reservations.
    """

    def __init__(self, limits: Limits, clock: Clock, state: StoreState | None = None) -> None:
        """Start full, or with what other processes have left."""
        self._clock, self._state, self._lock = clock, state, Lock()
        rate = limits.rate or 0.0
        self._tank = _Tank(limits.burst, rate, limits.burst, clock.time())
        self._pending = self._settled = 0.0

    @property
    def settled(self) -> float:
        """What all requests that have ended cost together."""
        with self._lock:
            return self._settled

    @property
    def level(self) -> Level:
        """What is left now, of how much, and how many points come back each second."""
        now = self._clock.time()
        tank = self._change(lambda tank: (tank, tank.filled(now)))
        return Level(available=tank.tokens, capacity=tank.burst, rate=tank.rate)

    def take(self, cost: float, longest: float) -> Ticket:
        """Reserve the cost of a request; the ticket says how long to wait before it is sent.

        Nothing is reserved where that is longer than `longest` seconds.
        """
        now = self._clock.time()
        with self._lock:
            self._pending += cost
        return self._change(lambda tank: _take(tank.filled(now), cost, now, longest))

    def valid(self, ticket: Ticket) -> bool:
        """Return whether no throttle has come since a ticket was given."""
        return self._change(lambda tank: (tank, tank.holds == ticket.holds))

    def settle(self, cost: float) -> None:
        """Take a request that was answered, or never sent, from those under way."""
        with self._lock:
            self._pending = max(0.0, self._pending - cost)
            self._settled += cost

    def feed(self, level: Level, settled: float | None = None) -> None:
        """Believe what an answer says is left, less what is under way and what overtook it.

        Args:
            level: what the answer says. It may be of a moment before requests that ended while
                this one was under way, so they are taken off too.
            settled: what `settled` is without them and with this one; None means nothing did.
        """
        now = self._clock.time()

        def feed(tank: _Tank) -> tuple[_Tank, None]:
            overtaken = 0.0 if settled is None else max(0.0, self._settled - settled)
            return _fed(tank.filled(now), level, self._pending + overtaken), None

        self._change(feed)

    def hold(self, seconds: float, cost: float) -> None:
        """Let no request of this store go for so many seconds, then one, then at the rate."""
        until = self._clock.time() + min(seconds, _LONGEST_HOLD)
        self._change(lambda tank: (_held(tank, until, cost), None))

    def _change(self, change: Callable[[_Tank], tuple[_Tank, R]]) -> R:
        with self._lock:
            if self._state is not None:
                return self._state.bucket(self._shared(change))
            self._tank, result = change(self._tank)
            return result

    def _shared(
        self, change: Callable[[_Tank], tuple[_Tank, R]]
    ) -> Callable[[tuple[float, ...] | None], tuple[tuple[float, ...], R]]:
        def apply(row: tuple[float, ...] | None) -> tuple[tuple[float, ...], R]:
            tank = self._tank
            if row:
                tokens, rate, burst, since, holds = row
                tank = _Tank(tokens, rate, burst, since, int(holds))
            tank, result = change(tank)
            return (tank.tokens, tank.rate, tank.burst, tank.since, tank.holds), result

        return apply


def _take(tank: _Tank, cost: float, now: float, longest: float) -> tuple[_Tank, Ticket]:
    # A cost above the burst can never be saved up: such a request goes when the bucket is full.
    tokens = tank.tokens - min(cost, tank.burst)
    owed = max(0.0, -tokens) / tank.rate if tank.rate > 0 else 0.0
    wait = max(0.0, tank.since - now) + owed
    ticket = Ticket(wait, now + wait, tank.holds)
    return (tank if ticket.wait > longest else replace(tank, tokens=tokens)), ticket


def _fed(tank: _Tank, level: Level, promised: float) -> _Tank:
    burst = level.capacity if level.capacity and level.capacity > 0 else tank.burst
    rate = level.rate if level.rate and level.rate > 0 else tank.rate
    return replace(tank, tokens=min(burst, level.available) - promised, rate=rate, burst=burst)


def _held(tank: _Tank, until: float, cost: float) -> _Tank:
    tokens = min(cost, tank.burst)
    return replace(tank, tokens=tokens, since=max(tank.since, until), holds=tank.holds + 1)


class AdaptiveConcurrency:
    """How many flows may run at once: half after a throttle or a fault, slowly up again."""

    def __init__(self, limits: Limits, clock: Clock, *, climb: bool = False) -> None:
        """Start at the known good value; `climb` allows `max_concurrency`."""
        self.ceiling = max(1, limits.max_concurrency if climb else limits.concurrency)
        self._limit = float(max(1, min(limits.concurrency, self.ceiling)))
        self._clock, self._cut = clock, float("-inf")
        self._lock = Lock()

    @property
    def limit(self) -> int:
        """How many flows may run now."""
        return int(self._limit)

    def succeeded(self) -> None:
        """Rise by one for as many answers as flows run."""
        if self._limit < self.ceiling:
            with self._lock:
                self._limit = min(float(self.ceiling), self._limit + 1 / self._limit)

    def suffered(self) -> None:
        """Halve, at most once a second: one overload fails many flows at the same time."""
        now = self._clock.monotonic()
        with self._lock:
            if now - self._cut >= 1.0:
                self._cut, self._limit = now, max(1.0, self._limit / 2)
