"""When a failed request is sent again, and after how long. Tenacity decides; nothing sleeps here.

| failure  | what it means                         | sent again                         |
|----------|---------------------------------------|------------------------------------|
| NOT_SENT | no byte left                          | every kind of request              |
| REFUSED  | the store answered that it did nothing| only when throttled, every kind    |
| UNKNOWN  | no answer says what came of it        | READ, SET and DELETE, never others |

An answer that came and says nothing (`BadAnswer`) is UNKNOWN too. One whose body can't be read (a
page in between, JSON that is cut off) may be gone the next time: it is asked for twice more. One
that can be read and has the wrong shape or size would be the same again, and isn't.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from threading import Lock
from typing import TYPE_CHECKING

from storebridge.errors import (
    ApiError,
    BadAnswer,
    OutcomeUnknown,
    RateLimited,
    StorebridgeError,
    TransportError,
    Unavailable,
    Unreadable,
)
from storebridge.flow import Clock, Request

if TYPE_CHECKING:
    from tenacity import RetryCallState, Retrying

__all__ = ["Failure", "Quota", "Tries", "conclude", "failure"]


#: How often a request is sent whose answers can't be read: what stands in between then stays.
_UNREADABLE = 3
#: What an error says of the answer that it stands for.
_TOLD = ("request_id", "status", "code")


class Failure(Enum):
    """What a failure says about the request."""

    NOT_SENT = "not sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"


def failure(error: StorebridgeError) -> Failure:
    """Return what an error says about the request that it ended.

    A redirect did nothing, except for 303: that one may follow work that was done (RFC 9110).
    """
    if isinstance(error, (OutcomeUnknown, Unavailable)):
        return Failure.UNKNOWN
    if isinstance(error, BadAnswer):
        redirected = 300 <= error.status < 400 and error.status != 303
        return Failure.REFUSED if redirected else Failure.UNKNOWN
    return Failure.REFUSED if isinstance(error, ApiError) else Failure.NOT_SENT


def conclude(error: StorebridgeError, request: Request) -> StorebridgeError:
    """Return the error that a flow gets once a request is given up."""
    if failure(error) is not Failure.UNKNOWN:
        return error
    if request.kind.mutates or request.kind == "token":
        told = {name: getattr(error, name) for name in _TOLD if hasattr(error, name)}
        return OutcomeUnknown(str(error), covers=request.covers, **told)
    return Unavailable(str(error)) if isinstance(error, OutcomeUnknown) else error


class Quota:
    """A store's allowance of retries: an outage must not multiply the load.

    Each retry takes one; each request that was answered gives its own ones and a tenth back.
    """

    def __init__(self, size: float = 50.0) -> None:
        """Start with a full allowance."""
        self._size = self._left = size
        self._lock = Lock()

    def spend(self) -> bool:
        """Take one retry; False when none is left."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def refund(self, spent: int) -> None:
        """Give back what a request took that was answered in the end, and a tenth."""
        if self._left < self._size:
            with self._lock:
                self._left = min(self._size, self._left + spent + 0.1)


class Tries:
    """The tries of one request."""

    def __init__(
        self,
        request: Request,
        *,
        clock: Clock,
        tries: int,
        patience: float,
        quota: Quota,
        random: Callable[[], float],
    ) -> None:
        """Start the time that the request may take."""
        self._request, self._clock, self._quota, self._random = request, clock, quota, random
        self._limit, self._end = tries, clock.monotonic() + patience
        self._started = clock.monotonic()
        self._faults = self._unreadable = 0
        self.attempt = 1
        self.lost = False
        """Whether an earlier try ended without an answer."""
        self.spent = 0
        """How many retries it took from the store's allowance."""
        self._tenacity: tuple[Retrying, RetryCallState] | None = None

    @property
    def left(self) -> float:
        """Seconds that the request still has."""
        return max(0.0, self._end - self._clock.monotonic())

    def again(self, error: StorebridgeError) -> float:
        """Return the seconds to wait before the next try.

        Raises:
            StorebridgeError: the given error, where there is no next try; with the number of
                tries and the time they took in its text.
        """
        retrying, state = self._tenacity = self._tenacity or self._begin()
        self.lost |= failure(error) is Failure.UNKNOWN
        self._faults += not isinstance(error, RateLimited)
        self._unreadable += isinstance(error, Unreadable)
        state.set_exception((type(error), error, error.__traceback__))
        try:
            retrying.iter(state)
        except StorebridgeError:
            self._tell(error)
            raise
        state.prepare_for_next_attempt()
        self.attempt += 1
        return state.upcoming_sleep

    def _begin(self) -> tuple[Retrying, RetryCallState]:
        import tenacity

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._repeatable),
            wait=self._wait,
            stop=self._spent,
            reraise=True,
        )
        retrying.begin()
        self._backoff = tenacity.wait_exponential(multiplier=0.5, max=30)
        return retrying, tenacity.RetryCallState(retrying, None, (), {})

    def _repeatable(self, error: BaseException) -> bool:
        if isinstance(error, (RateLimited, TransportError)):
            return True
        lost = isinstance(error, (OutcomeUnknown, Unavailable, Unreadable))
        return lost and self._request.kind.repeatable

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, ApiError) else None
        backoff = self._backoff(state) * (0.5 + self._random() / 2)
        if asked is not None:  # never earlier, and spread a little so that tries don't bunch
            # A store that says "at once", and refuses again, is not asked in a tight loop.
            least = min(1.0, backoff) if self.attempt > 1 else 0.0
            return max(asked + self._random() * min(1.0, 0.05 * asked), least)
        return backoff

    def _spent(self, state: RetryCallState) -> bool:
        if state.upcoming_sleep >= self.left:
            return True
        if state.outcome and isinstance(state.outcome.exception(), RateLimited):
            return False
        if self._faults >= self._limit or self._unreadable >= _UNREADABLE:
            return True
        if not self._quota.spend():
            return True
        self.spent += 1
        return False

    def _tell(self, error: StorebridgeError) -> None:
        if self.attempt > 1:
            seconds = self._clock.monotonic() - self._started
            error.args = (f"{error} ({self.attempt} tries in {seconds:.0f} s)",)
