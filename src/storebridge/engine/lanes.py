"""Lanes: no two flows touch one record at once, in this process or in another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storebridge.state import StoreState

__all__ = ["Lanes"]


class Lanes:
    """The lanes of one store.

    A flow takes all of its lanes at once, so two flows never wait for each other. Flows of one
    lane run in the order in which they queued.
    """

    def __init__(self, state: StoreState | None = None, wait: float = 60.0) -> None:
        """Share the lanes with other processes through a store's state, if there is one."""
        self._state, self._wait = state, wait
        self._queue: dict[int, frozenset[str]] = {}
        self._numbers = count()
        self._moved = Condition()

    def queue(self, names: Iterable[str]) -> int:
        """Return a place in the queue of these lanes; `hold` or `leave` must follow."""
        with self._moved:
            number = next(self._numbers)
            self._queue[number] = frozenset(names)
            return number

    def leave(self, number: int) -> None:
        """Give a place, and what it holds, up."""
        with self._moved:
            self._queue.pop(number, None)
            self._moved.notify_all()

    def first(self, number: int) -> bool:
        """Return whether nobody queued before for any of the same lanes."""
        mine = self._queue[number]
        earlier = (names for other, names in self._queue.items() if other < number)
        return all(mine.isdisjoint(names) for names in earlier)

    @contextmanager
    def hold(self, number: int) -> Iterator[None]:
        """Hold the lanes of a place in the queue.

        Raises:
            Locked: if another process keeps one of them too long.
        """
        try:
            with self._moved:
                self._moved.wait_for(lambda: self.first(number))
            with self.shared(number):
                yield
        finally:
            self.leave(number)

    @contextmanager
    def shared(self, number: int, wait: float | None = None) -> Iterator[None]:
        """Hold the lanes of a place against other processes; wait as long as usual, or less."""
        names = self._queue[number]
        if self._state is None or not names:
            yield
        else:
            with self._state.lanes(names, wait=self._wait if wait is None else wait):
                yield
