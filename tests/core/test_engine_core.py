"""What the engine promises about requests: when they are sent again, and what flows get."""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from storebridge import errors
from storebridge.adapter import Adapter, Batch, Change, Credentials, Field, Level, Limits, Records
from storebridge.engine import (
    AsyncEngine,
    Engine,
    EngineOptions,
    HandlerTransport,
    RequestSent,
    Throttled,
)
from storebridge.engine.limits import Bucket, Ticket
from storebridge.flow import (
    Outcome,
    Request,
    RequestKind,
    Response,
    Status,
    call,
    remember,
    report,
    send,
    wait,
)
from storebridge.models import Product
from storebridge.testing.clock import VirtualClock
from storebridge.wire import loads, status_error

CANARY = "canary-7f3a9b21c4"
OK = Response(status=200, body=b'{"ok": true}')
Answer = Response | Exception


class Settings(BaseModel):
    token: SecretStr = SecretStr(CANARY)


class Probe(Adapter):
    """An adapter of one line per promise; `write` is the test's own."""

    name, title, api_version, Settings = "probe", "Probe", "1", Settings

    def __init__(self, token: str = CANARY, limits: Limits | None = None) -> None:
        super().__init__(Settings(token=SecretStr(token)))
        self._limits = limits or Limits()
        self.grants: Callable[[int], Credentials] | None = None
        self.granted = 0
        self.nonces: list[str] = []

    base_url = "https://shop.example"

    @property
    def limits(self) -> Limits:
        return self._limits

    def info(self) -> Any:
        raise NotImplementedError

    def kinds(self) -> Any:
        return {}

    def authorize(self, clock: Any) -> Any:
        self.granted += 1
        if self.grants is None:
            return Credentials({"token": self.settings.token})
        yield from send(Request(method="POST", path="/token", kind=RequestKind.TOKEN))
        return self.grants(self.granted)

    def prepare(self, request: Request, credentials: Any, nonce: str, now: float) -> Request:
        if request.kind is RequestKind.TOKEN:
            return request
        self.nonces.append(nonce)
        return replace(request, headers={**request.headers, "x-token": credentials["token"]})

    def error(self, response: Response) -> errors.StorebridgeError | None:
        if response.status >= 400:
            return status_error(response, response.body.decode())
        loads(response.body or b"null")
        return None

    def level(self, response: Response) -> Level | None:
        found = response.headers.get("x-left")
        return Level(available=float(found), capacity=10, rate=2) if found else None


class Writer(Records[Product]):
    """Records whose write is a function of the test."""

    model, fields = Product, {"title": Field()}

    def __init__(self, write: Callable[[Batch[Product]], Any]) -> None:
        self.write = write

    def page(self, query: Any, cursor: str) -> Any: ...

    def fetch(self, keys: Any, fields: Any) -> Any: ...

    def write(self, batch: Batch[Product]) -> Any: ...


class Store:
    """A scripted store: each request gets the next answer, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.seen, self.at = list(answers), [], []
        self.clock = VirtualClock()
        self.lock = threading.Lock()

    def __call__(self, request: Request) -> Response:
        with self.lock:
            self.seen.append(request)
            self.at.append(self.clock.monotonic())
            answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


Runner = Callable[..., Any]


@pytest.fixture(params=["threads", "tasks"])
def run(request: pytest.FixtureRequest) -> Runner:
    """Run a method of an engine on both engines: run(adapter, store, "run", flow, ...)."""

    def in_threads(adapter: Probe, store: Store, method: str, *args: Any, **settings: Any) -> Any:
        with Engine(
            adapter, transport=HandlerTransport(store), clock=store.clock, **settings
        ) as engine:
            return getattr(engine, method)(*args)

    async def aio(adapter: Probe, store: Store, method: str, *args: Any, **settings: Any) -> Any:
        transport = HandlerTransport(store)
        async with AsyncEngine(
            adapter, transport=transport, clock=store.clock, **settings
        ) as engine:
            return await getattr(engine, method)(*args)

    def in_tasks(*args: Any, **settings: Any) -> Any:
        return asyncio.run(aio(*args, **settings))

    return in_threads if request.param == "threads" else in_tasks


def one(kind: RequestKind = RequestKind.READ, **more: Any) -> Any:
    return send(Request(method="POST", path="/x", kind=kind, covers=("c1",), **more))


def batch(count: int = 1, **more: Any) -> Batch[Product]:
    changes = [
        Change(id=f"c{n}", action="create", part="core", desired=Product(title="T"))
        for n in range(1, count + 1)
    ]
    return Batch(id="b1", changes=tuple(changes), **more)


class Memory:
    """A journal that keeps what it is told, in order."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def outcomes(self, batch_id: str, outcomes: tuple[Outcome, ...]) -> None:
        self.told += [(batch_id, o.change, o.status.value) for o in outcomes]

    def remember(self, batch_id: str, state: Any) -> None:
        self.told.append((batch_id, state))

    def advance(self, batch_id: str, done: int) -> None:
        self.told.append((batch_id, "advanced", done))


# ----------------------------------------------------------------- which failures are sent again

NOT_SENT = errors.TransportError("no connection")
LOST = errors.OutcomeUnknown("cut off")
BOMB = errors.BadAnswer("too large")
RATE = Response(status=429, headers={"retry-after": "3"})
AGAIN, NEVER = 2, 1
#: failure -> (how often READ/SET/DELETE are sent, CREATE/DELTA/SUBMIT, what the latter get)
FAILURES: dict[str, tuple[Answer, int, int, type[Exception] | None]] = {
    "no connection": (NOT_SENT, AGAIN, AGAIN, None),
    "TLS behind a CDN": (Response(status=525), AGAIN, AGAIN, None),
    "429": (RATE, AGAIN, AGAIN, None),
    "429 without a header": (Response(status=429), AGAIN, AGAIN, None),
    "529": (Response(status=529), AGAIN, AGAIN, None),
    "lost": (LOST, AGAIN, NEVER, errors.OutcomeUnknown),
    "500": (Response(status=500), AGAIN, NEVER, errors.OutcomeUnknown),
    "502": (Response(status=502), AGAIN, NEVER, errors.OutcomeUnknown),
    "503": (Response(status=503), AGAIN, NEVER, errors.OutcomeUnknown),
    "503 + 1": (
        Response(status=503, headers={"retry-after": "1"}),
        AGAIN,
        NEVER,
        errors.OutcomeUnknown,
    ),
    "504": (Response(status=504), AGAIN, NEVER, errors.OutcomeUnknown),
    "520": (Response(status=520), AGAIN, NEVER, errors.OutcomeUnknown),
    "524": (Response(status=524), AGAIN, NEVER, errors.OutcomeUnknown),
    "bomb": (BOMB, NEVER, NEVER, errors.OutcomeUnknown),
    "HTML": (Response(status=200, body=b"<html>"), AGAIN, NEVER, errors.OutcomeUnknown),
    "half": (Response(status=201, body=b'{"id": '), AGAIN, NEVER, errors.OutcomeUnknown),
    "no gzip": (errors.Unreadable("no valid gzip"), AGAIN, NEVER, errors.OutcomeUnknown),
    "303": (Response(status=303), NEVER, NEVER, errors.OutcomeUnknown),
    "301": (Response(status=301), NEVER, NEVER, errors.BadAnswer),
    "308": (Response(status=308), NEVER, NEVER, errors.BadAnswer),
    "400": (Response(status=400), NEVER, NEVER, errors.Rejected),
    "403": (Response(status=403), NEVER, NEVER, errors.AccessDenied),
    "404": (Response(status=404), NEVER, NEVER, errors.NotFound),
    "409": (Response(status=409), NEVER, NEVER, errors.Conflict),
    "413": (Response(status=413), NEVER, NEVER, errors.Rejected),
}


@pytest.mark.parametrize("kind", list(RequestKind))
@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_repeated_by_its_class_and_the_kind_of_request(run, name, kind):
    answer, repeatable, other, error = FAILURES[name]
    store = Store(answer, OK)
    expected = repeatable if kind.repeatable else other
    try:
        assert run(Probe(), store, "run", one(kind)) is not None
        raised = None
    except errors.StorebridgeError as caught:
        raised = type(caught)
    assert len(store.seen) == expected
    if expected == AGAIN:
        assert raised is None
    elif kind.repeatable and not kind.mutates and error is errors.OutcomeUnknown:
        assert raised is errors.BadAnswer
    else:
        assert raised is error


@pytest.mark.parametrize("kind", [RequestKind.CREATE, RequestKind.DELTA, RequestKind.SUBMIT])
def test_a_lost_create_is_thrown_into_the_flow_at_its_send(run, kind):
    def flow():
        try:
            yield from one(kind)
        except errors.OutcomeUnknown as error:
            found = yield from one()
            return error.covers, found.status

    store = Store(LOST, OK)
    assert run(Probe(), store, "run", flow()) == (("c1",), 200)
    assert [seen.kind for seen in store.seen] == [kind, RequestKind.READ]


def test_a_delete_that_was_lost_and_then_finds_nothing_is_done(run):
    gone = Response(status=404)
    assert run(Probe(), Store(LOST, gone), "run", one(RequestKind.DELETE)).status == 404
    with pytest.raises(errors.NotFound):
        run(Probe(), Store(gone), "run", one(RequestKind.DELETE))
    with pytest.raises(errors.NotFound):
        run(Probe(), Store(NOT_SENT, gone), "run", one(RequestKind.DELETE))


def test_tries_are_few_and_the_last_error_tells_them(run):
    store = Store(Response(status=500, body=b"kaputt"))
    with pytest.raises(errors.Unavailable, match=r"kaputt \(5 tries in \d+ s\)"):
        run(Probe(), store, "run", one())
    assert len(store.seen) == 5
    assert 1 < store.clock.elapsed < 10
    with pytest.raises(errors.Unavailable, match="cut off"):
        run(Probe(), Store(LOST), "run", one())


def test_a_body_that_stays_unreadable_is_asked_for_twice_more(run):
    store = Store(Response(status=200, body=b"<html>"))
    with pytest.raises(errors.Unreadable, match=r"\(3 tries in \d+ s\)"):
        run(Probe(), store, "run", one())
    assert len(store.seen) == 3
    assert store.clock.elapsed < 3
    torn = Response(status=200, body=b"[")
    store = Store(torn, torn, LOST, LOST, OK)  # other failures have tries of their own
    assert run(Probe(), store, "run", one()).status == 200


def test_an_answer_of_the_wrong_shape_is_not_asked_for_again(run):
    class Strict(Probe):
        def error(self, response: Response) -> errors.StorebridgeError | None:
            return errors.BadAnswer("the answer is no object")

    store = Store(OK)
    with pytest.raises(errors.BadAnswer):
        run(Strict(), store, "run", one())
    assert len(store.seen) == 1


def test_a_lost_answer_that_is_unreadable_takes_of_the_store_s_allowance(run):
    def flow():
        for _ in range(60):
            with suppress(errors.Unreadable):
                yield from one()

    store = Store(Response(status=200, body=b"<html>"))
    run(Probe(), store, "run", flow())
    assert len(store.seen) == 60 + 50


class Shaped(Probe):
    """An adapter that knows where an answer is wrong."""

    def misshapen(self, request: Request, response: Response) -> str:
        return str(response.headers.get("x-odd", ""))


def test_what_a_flow_can_t_read_is_named(run):
    def flow():
        first = yield from one()
        yield from one()
        return loads(first.body)["items"]

    odd = Response(status=200, headers={"x-odd": "items[3].price"}, body=b"{}")
    with pytest.raises(errors.BadAnswer, match=r"KeyError\), at items\[3\]\.price$") as raised:
        run(Shaped(), Store(odd, OK), "run", flow())
    assert raised.value.path == "items[3].price"
    with pytest.raises(errors.BadAnswer) as raised:
        run(Shaped(), Store(replace(odd, headers={}), OK), "run", flow())
    assert raised.value.path == ""


def test_what_an_adapter_says_of_the_place_stays(run):
    def flow():
        yield from one()
        raise errors.BadAnswer("no line", remedy="Read again.").at("line 7")

    odd = Response(status=200, headers={"x-odd": "items"}, body=b"{}")
    with pytest.raises(errors.BadAnswer, match=r"^no line, at line 7 Read again\.$") as raised:
        run(Shaped(), Store(odd), "run", flow())
    assert (raised.value.path, raised.value.message) == ("line 7", "no line, at line 7")


def test_each_try_is_prepared_anew_with_a_fresh_nonce(run):
    adapter = Probe()
    run(adapter, Store(LOST, RATE, NOT_SENT, OK), "run", one())
    assert len(set(adapter.nonces)) == 4


# ------------------------------------------------------------------------------------ throttling


@pytest.mark.parametrize("seconds", ["0", "0.5", "3", "59", "200"])
def test_nothing_is_sent_before_retry_after(run, seconds):
    store = Store(Response(status=429, headers={"retry-after": seconds}), OK)
    run(Probe(), store, "run", one())
    asked, waited = float(seconds), store.at[1] - store.at[0]
    assert asked <= waited <= asked * 1.15 + 0.01


def test_a_throttle_holds_the_other_flows_of_the_store_too():
    store, events = Store(RATE, OK), []
    carrier, options = HandlerTransport(store), EngineOptions(patience=2.0)
    with Engine(
        Probe(), transport=carrier, clock=store.clock, on_event=events.append, options=options
    ) as engine:
        for _ in range(5):  # the store asks for 3 s, and a request may take 2
            with pytest.raises(errors.RateLimited):
                engine.run(one(RequestKind.CREATE))
        store.clock.advance(2.9)
        engine.run(one())
    assert store.at == pytest.approx([0.0, 3.0])
    assert [type(event) for event in events].count(Throttled) == 1


def test_a_throttle_that_never_clears_ends_in_time_and_is_told(run):
    store = Store(Response(status=429))
    with pytest.raises(errors.RateLimited, match=r"tries in \d+ s"):
        run(Probe(), store, "run", one(), options=EngineOptions(patience=120.0))
    assert store.clock.elapsed <= 120
    assert 5 < len(store.seen) < 40


def test_a_wait_beyond_patience_is_not_waited(run):
    store = Store(Response(status=429, headers={"retry-after": "86400"}))
    with pytest.raises(errors.RateLimited):
        run(Probe(), store, "run", one())
    assert (len(store.seen), store.clock.elapsed) == (1, 0.0)


def test_the_store_s_own_count_beats_ours():
    store = Store(Response(status=200, headers={"x-left": "0"}, body=b"{}"), OK)
    adapter = Probe(limits=Limits(rate=100.0, burst=100.0))
    with Engine(adapter, transport=HandlerTransport(store), clock=store.clock) as engine:
        for _ in range(3):
            engine.run(one())
    assert store.at == pytest.approx([0.0, 0.5, 1.0])


def test_what_passes_between_a_place_and_its_wait_is_not_waited_again(
    monkeypatch: pytest.MonkeyPatch,
):
    store, adapter = Store(OK, OK), Probe(limits=Limits(rate=0.1, burst=1.0))
    given = Bucket.take

    def late(bucket: Bucket, cost: float, longest: float) -> Ticket:
        ticket = given(bucket, cost, longest)
        store.clock.advance(4)  # the state was busy, or the thread not on
        return ticket

    monkeypatch.setattr(Bucket, "take", late)
    with Engine(adapter, transport=HandlerTransport(store), clock=store.clock) as engine:
        for _ in range(2):
            engine.run(one())
    assert store.clock.sleeps == (pytest.approx(2.0),)  # of six seconds, four have passed


def test_an_outage_does_not_multiply_the_load():
    store = Store(Response(status=500))
    with Engine(Probe(), transport=HandlerTransport(store), clock=store.clock) as engine:
        for _ in range(100):
            with pytest.raises(errors.Unavailable):
                engine.run(one())
    assert len(store.seen) <= 100 + 50


def test_each_reason_to_wait_is_an_event(run):
    events: list[Any] = []
    store = Store(LOST, RATE, OK)
    run(Probe(), store, "run", one(), on_event=events.append)
    names = [type(event).__name__ for event in events]
    assert names == [
        "RequestSent",
        "Retrying",
        "RequestSent",
        "ResponseReceived",
        "Retrying",
        "Throttled",
        "Waiting",
        "RequestSent",
        "ResponseReceived",
    ]
    assert [e.attempt for e in events if isinstance(e, RequestSent)] == [1, 2, 3]


# --------------------------------------------------------------------------------------- batches


def statuses(outcomes: tuple[Outcome, ...]) -> list[str]:
    return [outcome.status.value for outcome in outcomes]


def covering(*changes: str, kind: RequestKind = RequestKind.CREATE) -> Any:
    return send(Request(method="POST", path="/x", kind=kind, covers=changes))


def done(*changes: str) -> Any:
    return report([Outcome(change=c, status=Status.APPLIED) for c in changes])


def test_a_batch_returns_an_outcome_for_every_change_and_journals_in_order(run):
    journal = Memory()

    def write(batch):
        yield from done("c2")
        yield from remember({"job": 7})
        yield from call(lambda: journal.told.append("later"))
        yield from done("c1")

    outcomes = run(Probe(), Store(OK), "run_batch", Writer(write), batch(3), journal)
    assert [o.change for o in outcomes] == ["c1", "c2", "c3"]
    assert statuses(outcomes) == ["applied", "applied", "unknown"]
    assert journal.told == [
        ("b1", "c2", "applied"),
        ("b1", {"job": 7}),
        "later",
        ("b1", "c1", "applied"),
        ("b1", "c3", "unknown"),
    ]


def test_an_error_fails_what_was_not_sent_and_leaves_open_what_was(run):
    def write(batch):
        yield from covering("c1")
        yield from done("c1")
        yield from covering("c2")
        yield from covering("c3", "c4")

    store = Store(OK, OK, Response(status=400, body=b"no such tax class"))
    outcomes = run(Probe(), store, "run_batch", Writer(write), batch(5))
    assert statuses(outcomes) == ["applied", "unknown", "failed", "failed", "failed"]
    assert {o.cause for o in outcomes[1:]} == {"rejected"}
    assert "no such tax class" in outcomes[4].message


def test_a_lost_write_is_unknown_also_where_the_next_try_is_refused(run):
    def write(batch):
        yield from covering("c1", kind=RequestKind.SET)

    store = Store(LOST, Response(status=422))
    assert statuses(run(Probe(), store, "run_batch", Writer(write), batch())) == ["unknown"]


def test_a_change_uncertain_from_before_stays_unknown_when_looking_fails(run):
    def write(batch):
        yield from one()

    store = Store(Response(status=400))
    found = run(Probe(), store, "run_batch", Writer(write), batch(2, uncertain=frozenset(["c2"])))
    assert statuses(found) == ["failed", "unknown"]


@pytest.mark.parametrize("covers", [(), ("c9",), ("c1", "c9")])
def test_a_write_must_name_the_changes_that_it_covers(run, covers):
    def write(batch):
        yield from covering(*covers)

    store = Store(OK)
    outcomes = run(Probe(), store, "run_batch", Writer(write), batch())
    assert statuses(outcomes) == ["failed"]
    assert "covers" in outcomes[0].message
    assert store.seen == []


def test_wrong_credentials_end_a_batch_after_it_is_journaled(run):
    def write(batch):
        yield from covering("c1")

    journal = Memory()
    with pytest.raises(errors.AuthError):
        run(Probe(), Store(Response(status=401)), "run_batch", Writer(write), batch(2), journal)
    assert journal.told == [("b1", "c1", "failed"), ("b1", "c2", "failed")]


def test_an_answer_of_an_unexpected_shape_is_a_bad_answer(run):
    def write(batch):
        response = yield from covering("c1")
        yield from report([Outcome(**loads(response.body)["product"])])

    outcomes = run(Probe(), Store(OK), "run_batch", Writer(write), batch())
    assert (outcomes[0].status, outcomes[0].cause) == (Status.UNKNOWN, "answer")
    assert "KeyError" in outcomes[0].message


def test_an_error_of_local_work_is_journaled_and_raised(run):
    def write(batch):
        yield from call(lambda: [][1])

    journal = Memory()
    with pytest.raises(IndexError):
        run(Probe(), Store(OK), "run_batch", Writer(write), batch(), journal)
    assert journal.told == [("b1", "c1", "failed")]


def test_a_flow_may_catch_errors_of_its_calls(run):
    def flow():
        try:
            yield from call(lambda: 1 // 0)
        except ZeroDivisionError:
            return (yield from call(lambda: "caught"))

    assert run(Probe(), Store(OK), "run", flow()) == "caught"


def test_a_read_only_store_gets_no_write(run):
    store, options = Store(OK), EngineOptions(read_only=True, store="acme")
    for kind in RequestKind:
        if kind.mutates:
            with pytest.raises(errors.AccessDenied, match="stores allow acme write"):
                run(Probe(), store, "run", one(kind), options=options)
    mutation = Request(method="POST", path="/g", body=b'{"query": "mutation { x }"}')
    for request in (mutation, Request(method="PUT", path="/x")):
        with pytest.raises(errors.AccessDenied):
            run(Probe(), store, "run", send(request), options=options)
    with pytest.raises(errors.AccessDenied):
        run(Probe(), store, "run_batch", Writer(lambda b: done("c1")), batch(), options=options)
    assert store.seen == []
    assert run(Probe(), store, "run", one(), options=options).status == 200


# ----------------------------------------------------------------------------------- credentials


def token(text: str, expires_at: float | None = None) -> Credentials:
    return Credentials({"token": SecretStr(text)}, expires_at)


def test_refused_credentials_are_renewed_once_for_all_threads():
    adapter, lock = Probe(), threading.Lock()
    adapter.grants = lambda n: token(f"token-{n}")
    refused: list[str] = []

    def handler(request: Request) -> Response:
        if request.path == "/token":
            time.sleep(0.02)
            return OK
        if request.headers["x-token"] == "token-1":
            with lock:
                refused.append("x")
            return Response(status=401)
        return OK

    with Engine(adapter, transport=HandlerTransport(handler)) as engine:
        engine.run(call(int))
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: engine.run(one(RequestKind.CREATE)), range(8)))
    assert {answer.status for answer in answers} == {200}
    assert adapter.granted == 2


def test_a_revoked_store_is_left_alone_after_two_requests(run):
    adapter = Probe()
    adapter.grants = lambda n: token(f"token-{n}")
    store = Store(Response(status=401))

    def flow():
        for _ in range(10):
            with suppress(errors.AuthError):
                yield from one()

    store.answers = [OK, Response(status=401), OK, Response(status=401)]
    run(adapter, store, "run", flow())
    assert [seen.path for seen in store.seen] == ["/token", "/x", "/token", "/x"]


def test_fixed_credentials_are_tried_once(run):
    store = Store(Response(status=401))
    with pytest.raises(errors.AuthError):
        run(Probe(), store, "run", one())
    assert len(store.seen) == 1


def test_credentials_are_renewed_before_they_end(run):
    adapter, store = Probe(), Store(OK)
    adapter.grants = lambda n: token(f"token-{n}", store.clock.time() + 3600)

    def flow():
        for _ in range(10):
            yield from one()
            yield from wait(600)

    run(adapter, store, "run", flow())
    used = [seen.headers["x-token"] for seen in store.seen if seen.path == "/x"]
    assert used == ["token-1"] * 6 + ["token-2"] * 4


def test_foreign_requests_carry_no_credentials_and_no_answer_denies_the_store(run):
    store = Store(Response(status=401), OK)

    def flow():
        try:
            yield from send(Request(method="GET", path="https://cdn.example/f?sig=1", foreign=True))
        except errors.AccessDenied:
            return (yield from one())

    assert run(Probe(), store, "run", flow()).status == 200
    assert "x-token" not in store.seen[0].headers
    assert store.seen[1].headers["x-token"] == CANARY


# --------------------------------------------------------------------------------------- secrets


def test_no_secret_in_logs_events_errors_tracebacks_and_reprs(run, caplog):
    caplog.set_level(logging.DEBUG)
    events: list[Any] = []
    echo = Response(status=400, body=f'bad token "{CANARY}" {CANARY[::-1]}'.encode())
    texts: list[str] = []

    def write(batch):
        yield from report([Outcome(change="c1", status=Status.FAILED, message=f"no {CANARY}")])
        yield from covering("c2")

    for answers in ([echo], [LOST, echo], [Response(status=500, body=CANARY.encode())], [OK]):
        store = Store(*answers)
        try:
            run(Probe(), store, "run", one(params=(("k", CANARY),)), on_event=events.append)
        except errors.StorebridgeError as error:
            shown = traceback.TracebackException.from_exception(error, capture_locals=True)
            texts += [*shown.format(), repr(error), str(vars(error))]
            pickle.dumps(error)
        outcomes = run(Probe(), Store(*answers), "run_batch", Writer(write), batch(2))
        texts += [repr(outcomes), repr(store.seen)]
    texts += [repr(event) for event in events] + [caplog.text]
    engine = Engine(Probe(), transport=HandlerTransport(Store(OK)))
    engine.run(one())
    texts += [repr(engine), repr(vars(engine)), repr(vars(engine._core))]
    assert len(caplog.text) > 100
    for text in texts:
        assert CANARY not in text
        assert CANARY[::-1] not in text


# ------------------------------------------------------------------------------------ many stores


@pytest.mark.parametrize("calls", [10, pytest.param(200, marks=pytest.mark.soak)])
def test_stores_never_mix_up_their_credentials(calls):
    def use(number: int) -> list[int]:
        adapter = Probe(token=f"token-of-{number}")
        seen: list[str] = []

        def handler(request: Request) -> Response:
            seen.append(request.headers["x-token"])
            bad = number % 10 == 0 and len(seen) % 3 == 0
            return Response(status=500) if bad else OK

        clock = VirtualClock()
        with Engine(adapter, transport=HandlerTransport(handler), clock=clock) as engine:
            found = [engine.run(one()).status for _ in range(calls)]
        assert set(seen) == {f"token-of-{number}"}
        return found

    with ThreadPoolExecutor(16) as pool:
        for found in pool.map(use, range(64)):
            assert found == [200] * calls


def test_local_work_costs_little():
    def flow():
        for _ in range(5_000):
            yield from call(int)

    with Engine(Probe(), transport=HandlerTransport(Store(OK))) as engine:
        best = min(timed(lambda: engine.run(flow())) for _ in range(5))
    assert best / 5_000 < 20e-6


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def test_an_outcome_tells_the_remedy_of_an_error_once() -> None:
    rejected = errors.Rejected("no such tax class", status=400, remedy="Use one of the shop's.")
    outcome = Outcome.failure("1", rejected)
    assert str(rejected) == "no such tax class Use one of the shop's."
    assert (outcome.message, outcome.remedy) == ("no such tax class", "Use one of the shop's.")
    lost = Outcome.failure("1", errors.OutcomeUnknown("the line broke"))
    assert (lost.message, lost.status) == ("the line broke", Status.UNKNOWN)
