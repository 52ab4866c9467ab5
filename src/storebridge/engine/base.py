"""The shapes around an engine: its options, its transport, its journal and its jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from storebridge.flow import Outcome, Request, Response

if TYPE_CHECKING:
    from storebridge.vault import Vault

__all__ = ["Done", "EngineOptions", "HandlerTransport", "Job", "Journal", "Transport"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How an engine behaves; the defaults suit every platform."""

    store: str = ""
    """The store's name in messages, events and logs."""
    read_only: bool = False
    """Refuse every request that could change the store."""
    speed: Literal["steady", "max"] = "steady"
    """"max" lets concurrency climb to the adapter's `max_concurrency`."""
    tries: int = 5
    """How often a request is sent at most because of faults; throttling is not counted."""
    patience: float = 300.0
    """Seconds that one request may take with all its tries and waits."""
    timeout: float = 60.0
    """Seconds for one exchange, where the request names none."""
    lane_wait: float = 60.0
    """Seconds to wait for a record that another process is writing."""
    max_body: int = 64 * 1024 * 1024
    """The most decoded bytes of an answer that is kept in memory."""
    max_file: int = 8 * 1024 * 1024 * 1024
    """The most decoded bytes of an answer that is streamed to a file."""
    spool: Path | None = None
    """Where `save_to` files go; None means a private folder that goes with the engine."""
    proxy: str | None = field(default=None, repr=False)
    """A proxy's URL; None means `STOREBRIDGE_PROXY`, and no proxy without it."""
    ca_bundle: Path | None = None
    """A PEM file of certificate authorities; None means `STOREBRIDGE_CA_BUNDLE` or the system's."""
    vault: Vault | None = None
    """Where credentials that rotate are kept; a store has the user's own folder for them."""


class Transport(Protocol):
    """Carries one prepared request and brings its answer; no retries, no redirects.

    The request's `timeout` is set, and its `save_to` is empty or the full path of a file to write.
    Any HTTP status is an answer. What goes wrong is a TransportError (nothing was sent), an
    OutcomeUnknown (something was, and no whole answer came) or a BadAnswer (an answer came that
    can't be taken: too large, wrongly encoded).
    """

    def send(self, request: Request) -> Response:
        """Exchange a request for its answer, in a thread."""
        ...

    async def asend(self, request: Request) -> Response:
        """Exchange a request for its answer, in a task."""
        ...

    def close(self) -> None:
        """Close the connections of `send`."""
        ...

    async def aclose(self) -> None:
        """Close the connections of `asend`."""
        ...


class HandlerTransport:
    """A transport that asks a function: a sandbox in the same process."""

    def __init__(self, handler: Callable[[Request], Response]) -> None:
        """Keep the function; it may raise the errors of a transport."""
        self.handler = handler

    def send(self, request: Request) -> Response:
        """Return the function's answer; its body goes to a file where the request says so."""
        response = self.handler(request)
        if not request.save_to or response.path is not None:
            return response
        path = Path(request.save_to)
        path.write_bytes(response.body)
        return replace(response, body=b"", path=path)

    async def asend(self, request: Request) -> Response:
        """Return the function's answer."""
        return self.send(request)

    def close(self) -> None:
        """Do nothing: there is no connection."""

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""


class Journal(Protocol):
    """Where outcomes and states are kept durably; called from any thread."""

    def outcomes(self, batch_id: str, outcomes: tuple[Outcome, ...]) -> None:
        """Keep what became of changes; durable when this returns."""
        ...

    def remember(self, batch_id: str, state: Any) -> None:
        """Keep a batch's state of plain JSON values; durable when this returns."""
        ...

    def advance(self, batch_id: str, done: int) -> None:
        """Hear how many changes of a batch a job has worked off; nothing has to be kept."""
        ...


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """A piece of work that holds lanes: no two jobs of one lane run at once.

    `run` is called in a worker; for the asynchronous engine it returns an awaitable.
    """

    lanes: tuple[str, ...]
    run: Callable[[], T]
    key: Any = None
    """Whatever the caller wants to know the job by."""


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """A job that has ended, and its value or error."""

    job: Job[Any]
    value: T | None = None
    error: Exception | None = None

    def result(self) -> T:
        """Return the job's value, or raise its error."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # None is a T where there is no error
