"""Faults between an engine and its store: a transport that fails as networks and servers do.

    transport = FaultTransport(HandlerTransport(sandbox), at({3: Fault.LOST}), clock=clock)

Which request fails, and how, is decided by a plan: by number (`at`) or by a seed (`seeded`). What
happened to each request is in `history`: what reached the server, and what answer came back. An
oracle compares that with what the code under test claims.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from threading import Lock
from typing import Any

from storebridge.engine import Transport
from storebridge.errors import OutcomeUnknown, TransportError
from storebridge.flow import Request, Response
from storebridge.testing.clock import VirtualClock

__all__ = ["THROTTLES", "Exchange", "Fault", "FaultTransport", "Killed", "Plan", "at", "seeded"]


class Killed(BaseException):
    """The process died here. No `except Exception` catches it, as none catches a kill."""


class Fault(StrEnum):
    """What goes wrong with one request."""

    NOT_SENT = "not sent"
    """No connection: nothing reached the server, and the client knows."""
    VANISHED = "vanished"
    """Sent, but the server never saw it; the client can't know."""
    LOST = "lost"
    """The server did it; the answer was lost."""
    SLOW = "slow"
    """The server did it; the answer took longer than the client waits."""
    CUT = "cut"
    """The server did it; half of the answer's body arrived."""
    EMPTY = "empty"
    """The server did it; an answer without a body arrived."""
    HTML = "html"
    """Not done: something in between answered 200 with a page of HTML."""
    THROTTLED = "throttled"
    """Not done: too many requests, in one of the shapes of `THROTTLES`."""
    BROKEN = "broken"
    """Not done: a 5xx from the server or from something in between."""
    BROKEN_AFTER = "broken after"
    """The server did it, and then answered 5xx."""
    REORDERED = "reordered"
    """The server did it; the lists in its answer come in another order."""
    KILLED_BEFORE = "killed before"
    """The client died before it sent."""
    KILLED_AFTER = "killed after"
    """The client died after the server had done it."""


#: Which request fails, and how: called with the request's number (from 0) and the request.
Plan = Callable[[int, Request], Fault | None]

_NOT_DONE = frozenset({Fault.HTML, Fault.THROTTLED, Fault.BROKEN})
_PAGE = b"<!DOCTYPE html><html><title>Just a moment...</title><p>Checking your browser.</html>"
_HTML = {"content-type": "text/html; charset=utf-8"}

#: Answers that mean "too many requests", as platforms and what stands before them give them.
THROTTLES = (
    Response(status=429, headers={"retry-after": "2"}),
    Response(status=429, headers={"retry-after": "2.0"}, body=b'{"errors":"Exceeded 2 calls"}'),
    Response(status=429, headers={"retry-after": "3"}, body=b'{"code":"throttled"}'),
    Response(status=429),
    Response(status=429, headers={"retry-after": ""}),
    Response(status=429, headers={"retry-after": "soon"}),
    Response(status=429, headers={"retry-after": "-1"}),
    Response(status=429, headers=_HTML, body=_PAGE),
)
_BROKEN = (
    Response(status=500, headers={"content-type": "application/json"}, body=b'{"error":"oops"}'),
    Response(status=502, headers=_HTML, body=_PAGE),
    Response(status=503, headers={"retry-after": "1"}),
    Response(status=504),
    Response(status=520, headers=_HTML, body=_PAGE),
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """What became of one request."""

    number: int
    request: Request = field(repr=False)
    fault: Fault | None
    status: int = 0
    """What the server itself answered; 0 if it never saw the request."""
    answered: bool = False
    """Whether that answer reached the client as it was."""

    @property
    def committed(self) -> bool:
        """Whether the server did what was asked."""
        return 200 <= self.status < 300


class FaultTransport:
    """A transport that carries requests to another one and makes some of them fail."""

    def __init__(
        self, inner: Transport, plan: Plan | None = None, *, clock: VirtualClock | None = None
    ) -> None:
        """Stand before a transport; without a plan nothing fails and all is recorded.

        Args:
            inner: what carries the requests, a `HandlerTransport` over a sandbox say.
            plan: which request fails, and how.
            clock: moved on by a slow answer.
        """
        self._inner, self._plan, self._clock = inner, plan, clock
        self._lock, self._count = Lock(), 0
        self._history: list[Exchange] = []

    @property
    def history(self) -> tuple[Exchange, ...]:
        """What became of each request so far, in the order in which they ended."""
        with self._lock:
            return tuple(self._history)

    def send(self, request: Request) -> Response:
        """Return the answer to a request, or fail as the plan says."""
        number, fault = self._decide(request)
        self._before(number, request, fault)
        if fault in _NOT_DONE:
            return self._instead(number, request, fault)
        return self._after(number, request, fault, self._inner.send(request))

    async def asend(self, request: Request) -> Response:
        """Return the answer to a request, or fail as the plan says."""
        number, fault = self._decide(request)
        self._before(number, request, fault)
        if fault in _NOT_DONE:
            return self._instead(number, request, fault)
        return self._after(number, request, fault, await self._inner.asend(request))

    def close(self) -> None:
        """Close the other transport."""
        self._inner.close()

    async def aclose(self) -> None:
        """Close the other transport."""
        await self._inner.aclose()

    def _decide(self, request: Request) -> tuple[int, Fault | None]:
        with self._lock:
            number, self._count = self._count, self._count + 1
            return number, self._plan(number, request) if self._plan else None

    def _record(self, exchange: Exchange) -> None:
        with self._lock:
            self._history.append(exchange)

    def _before(self, number: int, request: Request, fault: Fault | None) -> None:
        """Fail where the server never sees the request."""
        if fault not in (Fault.NOT_SENT, Fault.VANISHED, Fault.KILLED_BEFORE):
            return
        self._record(Exchange(number, request, fault))
        if fault is Fault.NOT_SENT:
            raise TransportError("no connection (injected)")
        if fault is Fault.VANISHED:
            raise _lost(request, "the connection was reset")
        raise Killed(f"before request {number}")

    def _instead(self, number: int, request: Request, fault: Fault | None) -> Response:
        """Answer in the server's place."""
        self._record(Exchange(number, request, fault))
        if fault is Fault.HTML:
            return Response(status=200, headers=_HTML, body=_PAGE)
        shapes = THROTTLES if fault is Fault.THROTTLED else _BROKEN
        return shapes[number % len(shapes)]

    def _after(
        self, number: int, request: Request, fault: Fault | None, response: Response
    ) -> Response:
        """Spoil the answer of the server."""
        status = response.status
        self._record(Exchange(number, request, fault, status, answered=fault is None))
        match fault:
            case Fault.LOST:
                raise _lost(request, "the connection was reset")
            case Fault.SLOW:
                if self._clock is not None:
                    self._clock.advance(request.timeout or 60.0)
                raise _lost(request, "no answer in time")
            case Fault.KILLED_AFTER:
                raise Killed(f"after request {number}")
            case Fault.CUT:
                return _with_body(response, lambda body: body[: len(body) // 2])
            case Fault.EMPTY:
                return _with_body(response, lambda body: b"")
            case Fault.REORDERED:
                return _with_body(response, _reordered)
            case Fault.BROKEN_AFTER:
                return _BROKEN[number % len(_BROKEN)]
        return response


def at(faults: Mapping[int, Fault]) -> Plan:
    """Return the plan in which the requests of these numbers (from 0) fail."""
    return lambda number, request: faults.get(number)


def seeded(seed: int, rate: float = 0.1, faults: Iterable[Fault] = tuple(Fault)[:-2]) -> Plan:
    """Return the plan in which a share of the requests fails, by chance that can be repeated.

    The dice of a request depend on the seed, its method and path and how often these came before,
    so that the order of threads changes nothing. By default every fault but a kill may come.
    """
    kinds, seen = tuple(faults), Counter[str]()

    def plan(number: int, request: Request) -> Fault | None:
        place = f"{request.method} {request.path}"
        seen[place] += 1
        dice = random.Random(f"{seed} {place} {seen[place]}")  # noqa: S311 - chance, no secret
        return dice.choice(kinds) if dice.random() < rate else None

    return plan


def _lost(request: Request, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{request.method} {request.path}: {why} (injected)", covers=request.covers
    )


def _with_body(response: Response, change: Callable[[bytes], bytes]) -> Response:
    """Return the response with another body, in memory or in its file."""
    if response.path is None:
        return replace(response, body=change(response.body))
    response.path.write_bytes(change(response.path.read_bytes()))
    return response


def _reordered(body: bytes) -> bytes:
    try:
        value = json.loads(body)
    except ValueError:
        return body
    return json.dumps(_turned(value)).encode()


def _turned(value: Any) -> Any:
    """Return a JSON value with its outermost lists the other way round."""
    if isinstance(value, list):
        return value[::-1]
    if isinstance(value, dict):
        return {
            key: _turned(item) if isinstance(item, list) else item for key, item in value.items()
        }
    return value
