"""The synchronous engine: runs flows in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeGuard, TypeVar

from storebridge.adapter import Adapter, Batch, Level, Records
from storebridge.engine.base import Done, EngineOptions, Job, Journal, Transport
from storebridge.engine.clock import SystemClock
from storebridge.engine.core import Authorize, Core, Effect, Granted, Run, Sleep, Steps, Transmit
from storebridge.engine.events import Event
from storebridge.engine.lanes import Lanes
from storebridge.engine.spool import Spool
from storebridge.errors import AuthError, ConfigError, StorebridgeError
from storebridge.flow import Call, Clock, Flow, Outcome

if TYPE_CHECKING:
    from concurrent.futures import Future

    from storebridge.state import StoreState

__all__ = ["BaseEngine", "Engine", "fatal"]

T = TypeVar("T")


class BaseEngine:
    """What both engines hold for one store."""

    def __init__(
        self,
        adapter: Adapter,
        *,
        clock: Clock | None = None,
        transport: Transport | None = None,
        state: StoreState | None = None,
        on_event: Callable[[Event], None] | None = None,
        options: EngineOptions | None = None,
    ) -> None:
        """Connect nothing yet.

        Args:
            adapter: the store.
            clock: where time comes from; the machine's by default.
            transport: what carries requests; HTTP by default.
            state: what processes share: rate limit and lanes. Not closed with the engine.
            on_event: called with each event, in the thread that runs the flow.
            options: how the engine behaves.
        """
        self.adapter = adapter
        self.clock: Clock = clock or SystemClock()
        self.options = options or EngineOptions()
        self.state = state
        self._core = Core(adapter, self.clock, state, on_event, self.options)
        self._lanes = Lanes(state, self.options.lane_wait)
        self._spool = Spool(self.options.spool)
        self._transport = transport
        self._transport_lock, self._credentials_lock = Lock(), Lock()

    @property
    def spool(self) -> Path:
        """The folder of `save_to` files."""
        return self._spool.folder

    @property
    def notices(self) -> tuple[str, ...]:
        """What the store has warned of so far, each thing once."""
        return tuple(self._core.notices)

    @property
    def level(self) -> Level:
        """What is left of the store's rate limit, of how much, and how fast it comes back."""
        return self._core.level

    @property
    def transport(self) -> Transport:
        """What carries requests; made when it is first needed."""
        with self._transport_lock:
            if self._transport is None:
                from storebridge.engine.transport import HttpTransport

                self._transport = HttpTransport(
                    self.adapter.base_url, self.options, signed=self.adapter.signs_requests
                )
            return self._transport


class Engine(BaseEngine):
    """Runs the flows of one store in threads; safe to use from many of them.

    A context manager: leaving it closes the connections and removes the spool.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and remove the spool."""
        if self._transport is not None:
            self._transport.close()
        self._spool.close()

    def run(self, flow: Flow[T], journal: Journal | None = None, batch: str = "") -> T:
        """Return what a flow returns.

        Args:
            flow: what to run.
            journal: where outcomes and states go that the flow reports.
            batch: the id that the journal knows them by.

        Raises:
            StorebridgeError: what the flow raised.
        """
        return self._pump(self._core.drive(flow, Run(journal=journal, batch=batch)))

    def run_batch(
        self, records: Records[Any], batch: Batch[Any], journal: Journal | None = None
    ) -> tuple[Outcome, ...]:
        """Make the changes of a batch and return their outcomes, in the batch's order.

        A change that the flow reports nothing about is `unknown`. An error that ends the flow
        becomes the outcome of the changes not yet reported: `unknown` where a request may have
        made them, else `failed`.

        Raises:
            AuthError: after the outcomes are journaled; nothing more can be written.
            ConfigError: likewise.
            AccessDenied: if the store is read only.
        """
        self._core.check_writable()
        run = Run.of(batch, journal)
        error: Exception | None = None
        try:
            self._pump(self._core.drive(records.write(batch), run))
        except Exception as caught:
            error = caught
        rest = run.rest(batch, error)
        if rest and journal is not None:
            journal.outcomes(batch.id, rest)
        if fatal(error):
            raise error
        return run.in_order(batch, rest)

    def run_many(self, jobs: Iterable[Job[T]], at_once: int | None = None) -> Iterator[Done[T]]:
        """Run jobs at once, as many as the store bears, and return them as they end.

        Jobs of one lane run one after the other, in the given order, also across processes.
        Jobs are taken from the iterable as there is room. Leaving the iterator early waits for
        the jobs under way and starts no more.

        Args:
            jobs: what to run.
            at_once: the most to run side by side, where that is less than the store bears.
        """
        if self._core.gate.ceiling == 1:
            for job in jobs:
                yield self._work(job, self._lanes.queue(job.lanes))
        else:
            yield from self._run_in_threads(jobs, at_once or self._core.gate.ceiling)

    def _run_in_threads(self, jobs: Iterable[Job[T]], at_once: int) -> Iterator[Done[T]]:
        from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

        gate = self._core.gate
        pending: set[Future[Done[T]]] = set()
        with ThreadPoolExecutor(gate.ceiling, "storebridge") as pool:
            for job in jobs:
                pending.add(pool.submit(self._work, job, self._lanes.queue(job.lanes)))
                while len(pending) >= min(at_once, gate.limit):
                    ended, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in ended)
            while pending:
                ended, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in ended)

    def _work(self, job: Job[T], place: int) -> Done[T]:
        try:
            with self._lanes.hold(place):
                return Done(job, job.run())
        except Exception as error:
            return Done(job, error=error)

    def _pump(self, steps: Steps[T]) -> T:
        """Carry out the effects of a generator and return its value."""
        try:
            effect = next(steps)
            while True:
                try:
                    result = self._carry_out(effect)
                except Exception as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(result)
        except StopIteration as stop:
            value: T = stop.value
            return value
        finally:
            steps.close()

    def _carry_out(self, effect: Effect) -> Any:
        match effect:
            case Call(function):
                return function()
            case Transmit(request):
                return self.transport.send(self._spool.place(request))
            case Sleep(seconds):
                self.clock.sleep(seconds)
            case Authorize(stale):
                return self._authorize(stale)
        return None

    def accept(self, code: str) -> None:
        """Get the first credentials for the code of a person's consent, and keep them.

        Raises:
            AuthError: if the code is refused.
            NotSupported: if the store lets no app in that way.
        """
        with self._credentials_lock:
            self._pump(self._core.accept(code))

    def _authorize(self, stale: Granted | None) -> Granted:
        """Return credentials other than the stale ones; one thread gets them for all."""
        with self._credentials_lock:
            granted = self._core.granted
            if granted is None or granted is stale:
                granted = self._pump(self._core.authorize())
            return granted


def fatal(error: Exception | None) -> TypeGuard[Exception]:
    """Return whether an error must reach the caller of a batch, and not only its outcomes."""
    expected = isinstance(error, StorebridgeError) and not isinstance(
        error, (AuthError, ConfigError)
    )
    return error is not None and not expected
