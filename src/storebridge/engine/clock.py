"""The real clock. Everything that waits or reads time takes a clock, so that tests can run it."""

from __future__ import annotations

import time

__all__ = ["SystemClock"]


class SystemClock:
    """The time of this machine."""

    def time(self) -> float:
        """Return seconds since the epoch, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait in a thread."""
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Wait in a task."""
        import asyncio

        await asyncio.sleep(seconds)
