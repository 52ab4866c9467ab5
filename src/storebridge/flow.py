"""What an adapter may say: requests and other instructions, yielded by generators. No I/O.

An adapter operation is a `Flow[T]`: a generator that yields instructions and is sent their
results. Write flows only with the typed helpers of this module, each behind `yield from`:

    def page(self, query: Query, cursor: str) -> Flow[Page[Product]]:
        response = yield from send(Request(method="GET", path="/products"))
        return self._page(response)

One synchronous and one asynchronous engine run the same flows.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar

from storebridge.errors import OutcomeUnknown, StorebridgeError
from storebridge.models import Record

__all__ = [
    "Advance",
    "Call",
    "Clock",
    "FilePart",
    "Flow",
    "Instruction",
    "Multipart",
    "Outcome",
    "Remember",
    "Report",
    "Request",
    "RequestKind",
    "Response",
    "Send",
    "Status",
    "Wait",
    "call",
    "progress",
    "remember",
    "report",
    "send",
    "wait",
]

T = TypeVar("T")


class Clock(Protocol):
    """Where time comes from, so that tests can run it."""

    def time(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait in a thread."""
        ...

    async def asleep(self, seconds: float) -> None:
        """Wait in a task."""
        ...


class RequestKind(StrEnum):
    """What a request does, and so what a lost answer means."""

    READ = "read"
    """Changes nothing; may be sent again."""
    SET = "set"
    """Sets absolute values; sending it twice does no more than once."""
    CREATE = "create"
    """Makes something; never sent again before the flow has looked for what it made."""
    DELTA = "delta"
    """Changes by an amount; as CREATE."""
    DELETE = "delete"
    """Removes something; "not found" after a lost answer means done."""
    SUBMIT = "submit"
    """Starts a job; as CREATE."""
    TOKEN = "token"  # noqa: S105 - the word for a kind of request, no secret
    """Gets or renews credentials."""

    @property
    def mutates(self) -> bool:
        """Whether it changes records, and so must name the changes that it covers."""
        return self not in (RequestKind.READ, RequestKind.TOKEN)

    @property
    def repeatable(self) -> bool:
        """Whether the engine may send it again after an answer was lost."""
        return self in (RequestKind.READ, RequestKind.SET, RequestKind.DELETE)


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file of a multipart body, streamed from disk or given as bytes."""

    name: str
    filename: str
    content: bytes | Path
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Multipart:
    """A multipart/form-data body: plain fields in order, then files."""

    fields: tuple[tuple[str, str], ...] = ()
    files: tuple[FilePart, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request, without credentials: the adapter's `prepare` adds them per attempt.

    Its repr shows neither headers nor parameters nor body, once prepared they hold secrets.
    """

    method: str
    path: str
    """Under the store's base URL; a full https URL only where `foreign` is set."""
    kind: RequestKind = RequestKind.READ
    params: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | Path | Multipart | None = field(default=None, repr=False)
    covers: tuple[str, ...] = ()
    """The ids of the changes that this request makes."""
    cost: float = 1.0
    """What it takes from the store's rate limit, in the limit's own points."""
    save_to: str = ""
    """A name in the engine's spool: the answer is streamed there instead of into memory."""
    foreign: bool = False
    """Goes to another host, through a client without credentials."""
    timeout: float | None = None
    """Seconds for this request, where the default is too short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An HTTP answer. Header names are lower case; the repr shows neither headers nor body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    path: Path | None = None
    """Where the body is, if the request had `save_to`."""
    request_id: str = ""
    sent_at: float = 0.0
    """When it was sent, in seconds since the epoch."""
    elapsed: float = 0.0
    read: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What was read of the body already, so that nobody reads it twice (`wire.json_of`)."""


class Status(StrEnum):
    """What became of a change; the counts of a run add up to its plan."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one change."""

    change: str
    status: Status
    id: str = ""
    """The record's platform id, once known."""
    record: Record | None = None
    """The record as the platform says it now is; None means: read it back."""
    shown: Record | None = None
    """What the answer shows of it, where that is all that was written but not the whole record."""
    cause: str = ""
    """A word from a closed list for failures: rejected, conflict, denied, throttled, lost, ...

    "partly" is for a change of which something was written before the rest was refused: an undo
    puts that back.
    """
    message: str = ""
    remedy: str = ""
    http_status: int = 0
    request_id: str = ""
    media: Mapping[str, str] = field(default_factory=dict)
    """Which media came of which sources: an element key ("url:https://…", "hash:…") to the id.

    The store's ledger keeps it, so that planning again knows a medium by the source that it was
    made of, where the platform gives it another address. A medium that was uploaded before
    another change of the batch failed is told as well: then it is not uploaded again.
    """

    @classmethod
    def failure(cls, change: str, error: StorebridgeError, remedy: str = "") -> Outcome:
        """Return the outcome that an error means: `unknown` for a lost answer, else `failed`."""
        lost, word = isinstance(error, OutcomeUnknown), cause(error)
        return cls(
            change=change,
            status=Status.UNKNOWN if lost else Status.FAILED,
            cause=word,
            message=getattr(error, "message", "") or str(error),
            remedy=remedy or getattr(error, "remedy", "") or _REMEDIES[word],
            http_status=getattr(error, "status", 0),
            request_id=getattr(error, "request_id", ""),
        )


def cause(error: StorebridgeError) -> str:
    """Return the word of the closed list of causes that an error stands for."""
    return _CAUSES.get(type(error).__name__, "error")


_CAUSES = {
    "AccessDenied": "denied",
    "AuthError": "denied",
    "BadAnswer": "answer",
    "Conflict": "conflict",
    "NotFound": "missing",
    "NotSupported": "unsupported",
    "OutcomeUnknown": "lost",
    "RateLimited": "throttled",
    "Rejected": "rejected",
    "TransportError": "connection",
    "Unavailable": "unavailable",
    "Unreadable": "answer",
}

_REMEDIES = {
    "answer": "Try again; if it stays so, report it to the adapter's authors.",
    "conflict": "Look in the store for what stands in the way.",
    "connection": "Nothing was sent: try again when the store can be reached.",
    "denied": "Give the credentials this right, then try again.",
    "error": "Try again; if it stays so, report it with this message.",
    "lost": "Apply again, which finds out what came of it, or look at the record in the store.",
    "missing": "Plan again: the store no longer has it.",
    "rejected": "Correct the value, then plan again.",
    "throttled": "Nothing was done: try again later.",
    "unavailable": "Try again when the store works again.",
    "unsupported": "Leave it out: this platform can't hold it.",
}


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request; the flow gets its `Response`."""

    request: Request


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait; the flow goes on after so many seconds."""

    seconds: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Tell what became of changes; journaled before the flow goes on."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Remember:
    """Keep a state of plain JSON values for the batch; handed back after a kill."""

    state: Any


@dataclass(frozen=True, slots=True)
class Advance:
    """Tell how many changes of a batch a job has worked off, before there are outcomes."""

    done: int


@dataclass(frozen=True, slots=True)
class Call:
    """Run a function and get its result: the local store's work on SQLite."""

    function: Callable[[], Any]


Instruction = Send | Wait | Report | Remember | Advance | Call
Flow = Generator[Instruction, Any, T]


def send(request: Request) -> Flow[Response]:
    """Send a request and return its answer, after the engine's retries.

    Raises:
        OutcomeUnknown: if it mutates and no answer says what came of it.
        ApiError: if the store answered with an error.
        TransportError: if nothing could be sent.
    """
    response: Response = yield Send(request)
    return response


def wait(seconds: float, why: str = "") -> Flow[None]:
    """Wait for so many seconds (between looks at a job, say)."""
    yield Wait(seconds, why)


def report(outcomes: Sequence[Outcome]) -> Flow[None]:
    """Tell what became of changes, as soon as it is known; it is durable when this returns."""
    if outcomes:
        yield Report(tuple(outcomes))


def remember(state: Any) -> Flow[None]:
    """Keep plain JSON values durably; the batch has them as `state` after a kill."""
    yield Remember(state)


def progress(done: int) -> Flow[None]:
    """Tell how many changes of the batch a job has worked off so far; it is no outcome of any."""
    yield Advance(done)


def call(function: Callable[[], T]) -> Flow[T]:
    """Run a function where blocking is allowed, and return its result."""
    result: T = yield Call(function)
    return result
