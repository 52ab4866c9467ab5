"""What an engine tells while it works: for progress, logging and tracing.

Events carry no bodies, no query strings and no secrets.
"""

from __future__ import annotations

from dataclasses import dataclass

from storebridge.flow import RequestKind

__all__ = [
    "Event",
    "Noticed",
    "Progress",
    "RequestSent",
    "ResponseReceived",
    "Retrying",
    "Throttled",
    "Waiting",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSent:
    """A request is about to leave."""

    store: str
    method: str
    path: str
    """Without its query; of a foreign request only scheme and host."""
    kind: RequestKind
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseReceived:
    """The store answered; the status says nothing about errors inside a 200."""

    store: str
    method: str
    path: str
    status: int
    elapsed: float
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """The store warns of something, of a call that it will drop, say; told once."""

    store: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """A request failed and will be sent again."""

    store: str
    method: str
    path: str
    reason: str
    seconds: float
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled:
    """The store wants fewer requests; all of its requests wait for so many seconds."""

    store: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A flow waits: for the rate limit, or because it asked for it (a job that runs)."""

    store: str
    seconds: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """So much of a long piece of work is done; `total` is None where it isn't known."""

    store: str
    what: str
    done: int
    total: int | None = None


Event = RequestSent | ResponseReceived | Noticed | Retrying | Throttled | Waiting | Progress
