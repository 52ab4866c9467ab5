"""The asynchronous engine: runs the same flows in tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import ExitStack, asynccontextmanager
from functools import cached_property
from types import TracebackType
from typing import Any, Self, TypeVar

from storebridge.adapter import Batch, Records
from storebridge.engine.base import Done, Job, Journal
from storebridge.engine.core import Authorize, Effect, Granted, Run, Sleep, Steps, Transmit
from storebridge.engine.runner import BaseEngine, fatal
from storebridge.errors import Locked
from storebridge.flow import Call, Flow, Outcome

__all__ = ["AsyncEngine"]

T = TypeVar("T")


class AsyncEngine(BaseEngine):
    """Runs the flows of one store in tasks of one event loop.

    An asynchronous context manager: leaving it closes the connections and removes the spool.
    What blocks (the local store's work, a journal) runs in threads.
    """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    @cached_property
    def _one_flight(self) -> asyncio.Lock:
        return asyncio.Lock()

    @cached_property
    def _moved(self) -> asyncio.Condition:
        return asyncio.Condition()

    async def aclose(self) -> None:
        """Close the connections and remove the spool."""
        if self._transport is not None:
            await self._transport.aclose()
        self._spool.close()

    async def run(self, flow: Flow[T], journal: Journal | None = None, batch: str = "") -> T:
        """Return what a flow returns; as `Engine.run`."""
        return await self._pump(self._core.drive(flow, Run(journal=journal, batch=batch)))

    async def run_batch(
        self, records: Records[Any], batch: Batch[Any], journal: Journal | None = None
    ) -> tuple[Outcome, ...]:
        """Make the changes of a batch and return their outcomes; as `Engine.run_batch`."""
        self._core.check_writable()
        run = Run.of(batch, journal)
        error: Exception | None = None
        try:
            await self._pump(self._core.drive(records.write(batch), run))
        except Exception as caught:
            error = caught
        rest = run.rest(batch, error)
        if rest and journal is not None:
            await asyncio.to_thread(journal.outcomes, batch.id, rest)
        if fatal(error):
            raise error
        return run.in_order(batch, rest)

    async def run_many(self, jobs: Iterable[Job[Awaitable[T]]]) -> AsyncIterator[Done[T]]:
        """Run jobs at once, as many as the store bears; as `Engine.run_many`."""
        gate = self._core.gate
        pending: set[asyncio.Task[Done[T]]] = set()
        try:
            for job in jobs:
                pending.add(asyncio.create_task(self._work(job, self._lanes.queue(job.lanes))))
                while len(pending) >= gate.limit:
                    ended, pending = await asyncio.wait(
                        pending, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in ended:
                        yield task.result()
            while pending:
                ended, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    yield task.result()
        finally:
            if pending:
                await asyncio.wait(pending)

    async def _work(self, job: Job[Awaitable[T]], place: int) -> Done[T]:
        try:
            async with self._hold(place):
                return Done(job, await job.run())
        except Exception as error:
            return Done(job, error=error)

    @asynccontextmanager
    async def _hold(self, place: int) -> AsyncIterator[None]:
        """Hold the lanes of a place in the queue, also against other processes."""
        try:
            async with self._moved:
                await self._moved.wait_for(lambda: self._lanes.first(place))
            with ExitStack() as stack:
                await self._share(place, stack)
                yield
        finally:
            self._lanes.leave(place)
            async with self._moved:
                self._moved.notify_all()

    async def _share(self, place: int, stack: ExitStack) -> None:
        """Hold the lanes against other processes; looks again and again, without a thread."""
        end = self.clock.monotonic() + self.options.lane_wait
        while True:
            try:
                stack.enter_context(self._lanes.shared(place, wait=0))
                return
            except Locked:
                if self.clock.monotonic() >= end:
                    raise
            await self.clock.asleep(0.02)

    async def _pump(self, steps: Steps[T]) -> T:
        """Carry out the effects of a generator and return its value."""
        try:
            effect = next(steps)
            while True:
                try:
                    result = await self._carry_out(effect)
                except Exception as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(result)
        except StopIteration as stop:
            value: T = stop.value
            return value
        finally:
            steps.close()

    async def _carry_out(self, effect: Effect) -> Any:
        match effect:
            case Call(function):
                return await asyncio.to_thread(function)
            case Transmit(request):
                return await self.transport.asend(self._spool.place(request))
            case Sleep(seconds):
                await self.clock.asleep(seconds)
            case Authorize(stale):
                return await self._authorize(stale)
        return None

    async def accept(self, code: str) -> None:
        """Get the first credentials for the code of a person's consent; as `Engine.accept`."""
        async with self._one_flight:
            await self._pump(self._core.accept(code))

    async def _authorize(self, stale: Granted | None) -> Granted:
        """Return credentials other than the stale ones; one task gets them for all."""
        async with self._one_flight:
            granted = self._core.granted
            if granted is None or granted is stale:
                granted = await self._pump(self._core.authorize())
            return granted
