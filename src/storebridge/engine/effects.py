"""What the engines carry out for the core: effects, and the credentials that they share."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from storebridge.adapter import Credentials
from storebridge.errors import OutcomeUnknown, Unavailable
from storebridge.flow import Call, Flow, Request

__all__ = ["Ask", "Authorize", "Effect", "Granted", "Sleep", "Steps", "Transmit", "asked"]

T = TypeVar("T")

#: Seconds before their end at which credentials are renewed (less for short-lived ones).
_RENEW_BEFORE = 300.0
#: Seconds before each further try to get credentials whose answer was lost.
_PAUSES = (1.0, 3.0, 9.0)


@dataclass(frozen=True, slots=True)
class Granted:
    """Credentials as `authorize` returned them, and when to renew them."""

    credentials: Credentials
    renew_at: float | None = None
    found: bool = False
    """Whether another engine or process got them: they may be as old as those they replace."""

    @classmethod
    def since(cls, started: float, credentials: Credentials) -> Self:
        """Return credentials that were asked for at this time."""
        if credentials.expires_at is None:
            return cls(credentials)
        life = max(0.0, credentials.expires_at - started)
        return cls(credentials, credentials.expires_at - min(_RENEW_BEFORE, life / 10))

    def good(self, now: float) -> bool:
        """Return whether it is too early to renew them."""
        return self.renew_at is None or now < self.renew_at


@dataclass(frozen=True, slots=True)
class Transmit:
    """Give a prepared request to the transport; the result is its response."""

    request: Request


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait on the engine's clock."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Authorize:
    """Get credentials other than these, in one flight for all who ask; the result is Granted."""

    stale: Granted | None


Effect = Call | Transmit | Sleep | Authorize
Steps = Generator[Effect, Any, T]
#: Runs a flow that gets credentials.
Ask = Callable[[Flow[Credentials]], Steps[Credentials]]


def asked(ask: Ask, make: Callable[[], Flow[Credentials]]) -> Steps[Credentials]:
    """Return new credentials; asked for again where an answer was lost.

    Raises:
        AuthError: if they are refused.
        Unavailable: if no answer comes: nothing was done that was meant to use them.
    """
    for pause in (*_PAUSES, None):
        try:
            return (yield from ask(make()))
        except (OutcomeUnknown, Unavailable) as error:
            if pause is None:
                raise Unavailable(f"no credentials could be had: {error}") from error
        yield Sleep(pause)
    raise AssertionError("the last try returns or raises")
