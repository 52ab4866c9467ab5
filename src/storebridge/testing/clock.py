"""A clock that tests run: sleeping takes no time and moves it on."""

from __future__ import annotations

import asyncio
from threading import Lock

__all__ = ["VirtualClock"]


class VirtualClock:
    """Time that passes only by sleeping, in any number of threads and tasks.

    Whoever sleeps moves the clock to the end of the sleep at once, so an hour of waiting takes
    microseconds. `sleeps` keeps every wait in order, for assertions.
    """

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        """Start at so many seconds since the epoch."""
        self._start = self._now = start
        self._lock = Lock()
        self._sleeps: list[float] = []

    @property
    def sleeps(self) -> tuple[float, ...]:
        """Every wait so far, in seconds, in order."""
        with self._lock:
            return tuple(self._sleeps)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        with self._lock:
            return self._now - self._start

    def time(self) -> float:
        """Seconds since the epoch, UTC."""
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        """Seconds since the start; they never go back."""
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        """Move the clock on and return at once.

        Raises:
            ValueError: for a negative wait, which is a mistake in the code under test.
        """
        if seconds < 0:
            raise ValueError(f"a wait of {seconds} s")
        with self._lock:
            self._sleeps.append(seconds)
            self._now += seconds

    async def asleep(self, seconds: float) -> None:
        """Move the clock on and let other tasks run."""
        self.sleep(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Move the clock on without a recorded wait: time that the test lets pass."""
        with self._lock:
            self._now += seconds
