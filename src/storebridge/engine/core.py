"""What both engines decide alike, as generators of effects that a pump carries out.

The core does no I/O and knows of no threads or tasks: it turns a flow's instructions into the
four effects below, and keeps what the flows of one store share (credentials, rate limit, retry
quota, concurrency).
"""

from __future__ import annotations

import logging
import random
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from storebridge.adapter import Adapter, Credentials, Level
from storebridge.engine.base import EngineOptions
from storebridge.engine.effects import (
    Authorize,
    Effect,
    Granted,
    Sleep,
    Steps,
    Transmit,
    asked,
)
from storebridge.engine.events import (
    Event,
    Noticed,
    RequestSent,
    ResponseReceived,
    Retrying,
    Throttled,
    Waiting,
)
from storebridge.engine.limits import AdaptiveConcurrency, Bucket
from storebridge.engine.retry import Failure, Quota, Tries, conclude, failure
from storebridge.engine.run import Run
from storebridge.errors import (
    AccessDenied,
    ApiError,
    AuthError,
    BadAnswer,
    ConfigError,
    NotSupported,
    RateLimited,
    StorebridgeError,
)
from storebridge.flow import (
    Advance,
    Call,
    Clock,
    Flow,
    Outcome,
    Remember,
    Report,
    Request,
    RequestKind,
    Response,
    Send,
    Wait,
)
from storebridge.wire import (
    MISREAD,
    moved_to,
    redact,
    request_id,
    retry_after,
    status_error,
    writes,
)

if TYPE_CHECKING:
    from storebridge.engine.keeping import Keeper
    from storebridge.state import StoreState

__all__ = [
    "Authorize",
    "Core",
    "Effect",
    "Granted",
    "Run",
    "Sleep",
    "Steps",
    "Transmit",
]

T = TypeVar("T")
logger = logging.getLogger("storebridge")

#: Seconds for which a store that refused renewed credentials is left alone.
_DENIED_FOR = 60.0


class Core:
    """The decisions of an engine, for one store."""

    def __init__(
        self,
        adapter: Adapter,
        clock: Clock,
        state: StoreState | None,
        on_event: Callable[[Event], None] | None,
        options: EngineOptions,
    ) -> None:
        """Start without credentials; the first request gets them."""
        self.adapter, self.clock, self.options = adapter, clock, options
        self.store = options.store or adapter.name
        self.gate = AdaptiveConcurrency(adapter.limits, clock, climb=options.speed == "max")
        self.granted: Granted | None = None
        self.notices: dict[str, None] = {}
        """What the store has warned of so far."""
        self.random: Callable[[], float] = random.SystemRandom().random
        self._bucket = Bucket(adapter.limits, clock, state)
        self._quota = Quota()
        self._on_event = on_event
        self._denied: tuple[float, AuthError] | None = None
        self._settings_secrets = _secrets_of(adapter)
        self._keeper = self._keeping() if adapter.vault_key else None

    def drive(self, flow: Flow[T], run: Run) -> Steps[T]:
        """Return what a flow returns, turning its instructions into effects."""
        result: Any = None
        error: Exception | None = None
        try:
            while True:
                try:
                    instruction = flow.send(result) if error is None else flow.throw(error)
                except StopIteration as stop:
                    value: T = stop.value
                    return value
                except StorebridgeError as caught:
                    if isinstance(caught, BadAnswer) and not caught.path:
                        self._locate(caught, run.answers)
                    self._scrub(caught)
                    raise
                except MISREAD as caught:
                    if not run.answers or caught is error:
                        raise
                    misread = self._misread(caught, run.answers[-1][1])
                    raise self._locate(misread, run.answers) from caught
                result = error = None
                try:
                    if type(instruction) is Call:
                        result = yield instruction
                    else:
                        result = yield from self._perform(instruction, run)
                except Exception as caught:
                    error = caught
        finally:
            flow.close()

    def authorize(self) -> Steps[Granted]:
        """Get credentials from the adapter or the vault, keep and return them."""
        self._check_denied()
        try:
            if self._keeper is not None:
                self.granted = yield from self._keeper.granted(self.granted)
            else:
                started = self.clock.time()
                make = partial(self.adapter.authorize, self.clock)
                self.granted = Granted.since(started, (yield from asked(self._ask, make)))
        except AuthError as error:
            self._denied = (self.clock.monotonic() + _DENIED_FOR, error)
            raise
        return self.granted

    def accept(self, code: str) -> Steps[None]:
        """Get the first credentials for the code of a person's consent, and keep them."""
        grant = self.adapter.grant
        if grant is None or self._keeper is None:
            raise NotSupported(
                f"{self.store} lets no app in by a browser", "give it a token or a key"
            )
        self.granted = yield from self._keeper.accept(partial(grant.exchange, code, self.clock))
        self._denied = None

    def _keeping(self) -> Keeper:
        from storebridge.engine.keeping import Keeper

        if self.options.vault is None:
            raise ConfigError(f"{self.store} has no vault for its tokens: give EngineOptions one")
        return Keeper(self.adapter, self.clock, self.options.vault, self._ask)

    def _ask(self, flow: Flow[Credentials]) -> Steps[Credentials]:
        return (yield from self.drive(flow, Run(authorizing=True)))

    @property
    def level(self) -> Level:
        """What is left of the store's rate limit, of how much, and how fast it comes back."""
        return self._bucket.level

    def check_writable(self) -> None:
        """Refuse writes to a store that is read only.

        Raises:
            AccessDenied: naming the command that allows them.
        """
        if self.options.read_only:
            raise AccessDenied(
                f"{self.store} is read only, so nothing was sent to change it.",
                remedy=f"Allow it with: storebridge stores allow {self.store} write",
            )

    def _perform(self, instruction: Any, run: Run) -> Steps[Any]:
        match instruction:
            case Send(request):
                response = yield from self._send(request, run)
                run.answers.append((request, response))
                return response
            case Wait(seconds, why):
                yield from self._sleep(seconds, why)
            case Report(outcomes):
                yield from self._report(outcomes, run)
            case Remember(state):
                if run.journal is not None:
                    yield Call(partial(run.journal.remember, run.batch, state))
            case Advance(done):
                if run.journal is not None:
                    yield Call(partial(run.journal.advance, run.batch, done))
            case _:
                raise TypeError(f"a flow yielded {instruction!r}, which is no instruction")
        return None

    def _report(self, outcomes: tuple[Outcome, ...], run: Run) -> Steps[None]:
        outcomes = tuple(self._told(outcome, run) for outcome in outcomes)
        if run.journal is not None:
            yield Call(partial(run.journal.outcomes, run.batch, outcomes))
        run.outcomes.update((outcome.change, outcome) for outcome in outcomes)

    def _told(self, outcome: Outcome, run: Run) -> Outcome:
        message, status = self._clean(outcome.message), run.status_of(outcome)
        if message == outcome.message and status is outcome.status:
            return outcome
        return replace(outcome, message=message, status=status)

    def _sleep(self, seconds: float, why: str) -> Steps[None]:
        if seconds > 0:
            self._emit(Waiting(store=self.store, seconds=seconds, why=why))
            yield Sleep(seconds)

    def _send(self, request: Request, run: Run) -> Steps[Response]:
        self._check(request, run)
        tries = Tries(
            request,
            clock=self.clock,
            tries=self.options.tries,
            patience=self.options.patience,
            quota=self._quota,
            random=self.random,
        )
        answered = False
        try:
            response = yield from self._exchange(request, run, tries)
            answered = True
        finally:
            if request.kind.mutates and (answered or tries.lost):
                run.touched.update(request.covers)
        return response

    def _exchange(self, request: Request, run: Run, tries: Tries) -> Steps[Response]:
        renewed = False
        while True:
            granted = yield from self._credentials(request, run)
            if not request.foreign:
                yield from self._admit(request.cost, tries)
            try:
                response = yield from self._attempt(request, tries, granted)
                yield from self._worked(granted)
                return response
            except AuthError as error:
                if granted is None:
                    raise
                if renewed:
                    raise self._deny(error) from None
                fresh = yield from self._renew(granted, error)
                renewed = not fresh.found
            except StorebridgeError as error:
                if failure(error) is Failure.REFUSED:
                    yield from self._worked(granted)
                yield from self._retry(error, request, tries)

    def _worked(self, granted: Granted | None) -> Steps[None]:
        if self._keeper is not None and granted is not None:
            yield from self._keeper.worked(granted)

    def _check(self, request: Request, run: Run) -> None:
        """Refuse requests that may not be sent at all."""
        if self.options.read_only and writes(request):
            self.check_writable()
        if request.kind.mutates and run.batch:
            covers = frozenset(request.covers)
            if not covers or (run.changes and not covers <= run.changes):
                raise StorebridgeError(
                    f"{request.method} {request.path} of the {self.adapter.name} adapter must "
                    "name the changes of its batch that it covers, so it was not sent"
                )

    def _credentials(self, request: Request, run: Run) -> Steps[Granted | None]:
        """Return good credentials; None for requests that carry none of the store's."""
        if request.foreign or run.authorizing:
            return None
        self._check_denied()
        granted = self.granted
        if granted and granted.good(self.clock.time()):
            return granted
        fresh: Granted = yield Authorize(granted)
        return fresh

    def _check_denied(self) -> None:
        if self._denied is not None:
            until, error = self._denied
            if self.clock.monotonic() < until:
                raise copy(error)
            self._denied = None

    def _renew(self, stale: Granted, error: AuthError) -> Steps[Granted]:
        """Get other credentials after these were refused; the same ones are no use."""
        fresh: Granted = yield Authorize(stale)
        if fresh.credentials.values == stale.credentials.values:
            raise self._deny(error)
        return fresh

    def _deny(self, error: AuthError) -> AuthError:
        """Leave the store alone for a while: more requests with a refused key are no use."""
        self._denied = (self.clock.monotonic() + _DENIED_FOR, error)
        return error

    def _retry(self, error: StorebridgeError, request: Request, tries: Tries) -> Steps[None]:
        """Wait until the request may be sent again, or raise the error that the flow gets."""
        attempt = tries.attempt
        throttled = isinstance(error, RateLimited)
        if failure(error) is Failure.UNKNOWN or throttled:
            self.gate.suffered()
        asked = error.retry_after if isinstance(error, ApiError) else None
        try:
            seconds = tries.again(error)
        except StorebridgeError:
            if asked is not None and not request.foreign:
                self._hold(asked, request)
            raise conclude(error, request) from None
        self._emit(
            Retrying(
                store=self.store,
                method=request.method,
                path=_shown(request),
                reason=type(error).__name__,
                seconds=seconds,
                attempt=attempt,
            )
        )
        logger.info("%s: %s, again in %.1f s", self.store, self._clean(str(error)), seconds)
        if (throttled or asked is not None) and not request.foreign:
            self._hold(seconds, request)
        else:
            yield Sleep(seconds)

    def _hold(self, seconds: float, request: Request) -> None:
        """Let the whole store wait; the request itself waits where all do, in `_admit`."""
        self._bucket.hold(seconds, request.cost)
        self._emit(Throttled(store=self.store, seconds=seconds))

    def _attempt(self, request: Request, tries: Tries, granted: Granted | None) -> Steps[Response]:
        """Send a request once and return its answer, or raise what went wrong."""
        try:
            prepared = self._prepare(request, granted, tries)
            self._emit(
                RequestSent(
                    store=self.store,
                    method=request.method,
                    path=_shown(request),
                    kind=request.kind,
                    attempt=tries.attempt,
                )
            )
            sent, started = self.clock.time(), self.clock.monotonic()
            settled = self._bucket.settled + request.cost
            answer: Response = yield Transmit(prepared)
        finally:
            if not request.foreign:
                self._bucket.settle(request.cost)
        response = replace(
            answer,
            request_id=answer.request_id or request_id(answer.headers),
            sent_at=sent,
            elapsed=self.clock.monotonic() - started,
        )
        self._received(request, response)
        if not request.foreign and (notice := self.adapter.notice(response)):
            self._notice(self._clean(notice))
        self._judge(request, response, tries, settled)
        return response

    def _admit(self, cost: float, tries: Tries) -> Steps[None]:
        """Wait for the store's rate limit; a throttle meanwhile means queueing again."""
        try:
            ticket = self._bucket.take(cost, tries.left)
            while ticket.wait > 0:
                if ticket.wait > tries.left:
                    raise RateLimited(
                        f"{self.store} asks to wait {ticket.wait:.0f} s, longer than a request "
                        f"may take ({self.options.patience:.0f} s)",
                        retry_after=ticket.wait,
                    )
                # The place was given a while ago: other threads and the state come between.
                left = min(ticket.wait, ticket.until - self.clock.time())
                yield from self._sleep(left, "rate limit")
                if self._bucket.valid(ticket):
                    return
                self._bucket.settle(cost)
                ticket = self._bucket.take(cost, tries.left)
        except BaseException:
            self._bucket.settle(cost)
            raise

    def _prepare(self, request: Request, granted: Granted | None, tries: Tries) -> Request:
        """Return the request as it is sent; a foreign one never sees the credentials."""
        prepared = request
        if not request.foreign:
            credentials = granted.credentials if granted else Credentials()
            nonce, now = secrets.token_hex(16), self.clock.time()
            prepared = self.adapter.prepare(request, credentials, nonce, now)
        timeout = min(request.timeout or self.options.timeout, max(1.0, tries.left))
        return replace(prepared, timeout=timeout)

    def _judge(self, request: Request, response: Response, tries: Tries, settled: float) -> None:
        """Raise the error that an answer means; learn what it says about the rate limit."""
        error = self._error(request, response, settled)
        if error is None:
            self._quota.refund(tries.spent)
            self.gate.succeeded()
        elif response.status == 404 and request.kind is RequestKind.DELETE and tries.lost:
            return  # the lost try did it
        else:
            if isinstance(error, ApiError) and error.retry_after is None:
                error.retry_after = retry_after(response.headers, self.clock.time())
            raise error

    def _error(
        self, request: Request, response: Response, settled: float
    ) -> StorebridgeError | None:
        if 300 <= response.status < 400 and response.status != 304:
            return BadAnswer(
                f"{self.store} answered with a redirect, which is never followed.",
                status=response.status,
                request_id=response.request_id,
                remedy=moved_to(response, self.adapter.base_url, request.path),
            )
        if request.foreign:
            return None if response.status < 400 else _download_error(response)
        try:
            if (level := self.adapter.level(response)) is not None:
                self._bucket.feed(level, settled)
            error = self.adapter.error(response)
        except StorebridgeError as caught:
            error = caught
        except MISREAD as caught:
            error = self._misread(caught, response)
        if isinstance(error, BadAnswer) and request.kind is RequestKind.TOKEN:
            error = self._misread(error, response)  # its text quotes what may be a new token
        elif isinstance(error, BadAnswer) and not error.path:
            self._locate(error, ((request, response),))
        return error or (status_error(response) if response.status >= 500 else None)

    def _misread(self, error: Exception, answer: Response) -> BadAnswer:
        return BadAnswer(
            f"the {self.adapter.name} adapter could not read the answer of {self.store} "
            f"({type(error).__name__})",
            status=answer.status,
            request_id=answer.request_id,
        )

    def _locate(self, error: BadAnswer, answers: Sequence[tuple[Request, Response]]) -> BadAnswer:
        """Name the place that couldn't be read, if the adapter finds one; return the error."""
        for request, response in reversed(answers):
            with suppress(StorebridgeError, *MISREAD):
                if not request.foreign and (path := self.adapter.misshapen(request, response)):
                    return error.at(path)
        return error

    def _received(self, request: Request, response: Response) -> None:
        path = _shown(request)
        logger.debug(
            "%s: %s %s -> %d in %.3f s (request %s)",
            self.store,
            request.method,
            path,
            response.status,
            response.elapsed,
            response.request_id or "-",
        )
        self._emit(
            ResponseReceived(
                store=self.store,
                method=request.method,
                path=path,
                status=response.status,
                elapsed=response.elapsed,
                request_id=response.request_id,
            )
        )

    def _notice(self, text: str) -> None:
        """Tell once what the store warns of."""
        if text not in self.notices:
            self.notices[text] = None
            logger.warning("%s: %s", self.store, text)
            self._emit(Noticed(store=self.store, text=text))

    def _emit(self, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(event)

    def _scrub(self, error: StorebridgeError) -> None:
        """Take this store's secrets out of an error: stores echo what they were sent."""
        error.args = tuple(self._clean(str(arg)) for arg in error.args)
        if isinstance(error, ApiError):
            error.remedy, error.code = self._clean(error.remedy), self._clean(error.code)
            error.fields = {path: self._clean(text) for path, text in error.fields.items()}

    def _clean(self, text: str) -> str:
        """Return a text without any secret of this store."""
        if not text:
            return text
        values = [*self._settings_secrets]
        if self.granted is not None:
            values += self.granted.credentials.values.values()
        if self._keeper is not None:
            values += self._keeper.secrets
        return redact(text, {value.get_secret_value() for value in values})


def _secrets_of(adapter: Adapter) -> tuple[SecretStr, ...]:
    values = (getattr(adapter.settings, name) for name in type(adapter.settings).model_fields)
    return tuple(value for value in values if isinstance(value, SecretStr))


def _download_error(response: Response) -> StorebridgeError:
    """Return the error of another host's answer, which says nothing about our credentials."""
    error = status_error(response)
    if isinstance(error, AuthError):
        return AccessDenied("the link has expired, or needs a right", status=response.status)
    return error


def _shown(request: Request) -> str:
    """Return what events and logs may say about where a request goes."""
    if request.foreign:
        parts = urlsplit(request.path)
        return f"{parts.scheme}://{parts.hostname}"
    return request.path.partition("?")[0]
