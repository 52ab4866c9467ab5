from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Thread

import pytest

from storebridge.engine import HandlerTransport
from storebridge.errors import OutcomeUnknown, TransportError
from storebridge.flow import Request, RequestKind, Response
from storebridge.testing import Fault, FaultTransport, Killed, VirtualClock, at, seeded
from storebridge.testing.faults import THROTTLES

CREATE = Request(method="POST", path="/things", kind=RequestKind.CREATE, covers=("1",))
BODY = b'{"items": [1, 2, 3], "name": "x"}'


class Server:
    """Counts what it was asked to do."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self, request: Request) -> Response:
        self.done += 1
        return Response(status=201, body=BODY)


def broken(fault: Fault) -> tuple[FaultTransport, Server, VirtualClock]:
    server, clock = Server(), VirtualClock()
    return FaultTransport(HandlerTransport(server), at({0: fault}), clock=clock), server, clock


@pytest.mark.parametrize(
    ("fault", "raises", "done"),
    [
        (Fault.NOT_SENT, TransportError, 0),
        (Fault.VANISHED, OutcomeUnknown, 0),
        (Fault.LOST, OutcomeUnknown, 1),
        (Fault.SLOW, OutcomeUnknown, 1),
        (Fault.KILLED_BEFORE, Killed, 0),
        (Fault.KILLED_AFTER, Killed, 1),
    ],
)
def test_failures_before_and_after_the_commit(
    fault: Fault, raises: type[BaseException], done: int
) -> None:
    transport, server, _ = broken(fault)
    with pytest.raises(raises) as caught:
        transport.send(CREATE)
    assert server.done == done
    [exchange] = transport.history
    assert exchange.committed is bool(done)
    assert not exchange.answered
    assert exchange.fault is fault
    if isinstance(caught.value, OutcomeUnknown):
        assert caught.value.covers == ("1",)


@pytest.mark.parametrize(
    ("fault", "status", "body", "done"),
    [
        (Fault.CUT, 201, BODY[: len(BODY) // 2], 1),
        (Fault.EMPTY, 201, b"", 1),
        (Fault.REORDERED, 201, b'{"items": [3, 2, 1], "name": "x"}', 1),
        (Fault.BROKEN, 500, b'{"error":"oops"}', 0),
        (Fault.BROKEN_AFTER, 500, b'{"error":"oops"}', 1),
        (Fault.THROTTLED, 429, b"", 0),
    ],
)
def test_spoilt_answers(fault: Fault, status: int, body: bytes, done: int) -> None:
    transport, server, _ = broken(fault)
    response = transport.send(CREATE)
    assert (response.status, response.body, server.done) == (status, body, done)
    assert transport.history[0].committed is bool(done)


def test_a_page_of_html_is_a_200_and_nothing_is_done() -> None:
    transport, server, _ = broken(Fault.HTML)
    response = transport.send(CREATE)
    assert response.status == 200
    assert response.body.startswith(b"<!DOCTYPE")
    assert server.done == 0


def test_without_a_fault_the_answer_is_the_servers() -> None:
    transport, server, _ = broken(Fault.LOST)
    with pytest.raises(OutcomeUnknown):
        transport.send(CREATE)
    assert transport.send(CREATE).body == BODY
    assert server.done == 2
    assert [e.answered for e in transport.history] == [False, True]
    assert [e.number for e in transport.history] == [0, 1]


def test_a_slow_answer_takes_the_requests_timeout() -> None:
    transport, _, clock = broken(Fault.SLOW)
    with pytest.raises(OutcomeUnknown):
        transport.send(Request(method="GET", path="/", timeout=7.0))
    assert clock.elapsed == 7.0


def test_throttles_come_in_every_shape() -> None:
    transport = FaultTransport(HandlerTransport(Server()), lambda number, _: Fault.THROTTLED)
    answers = [transport.send(CREATE) for _ in THROTTLES]
    assert [answer.headers.get("retry-after") for answer in answers] == [
        shape.headers.get("retry-after") for shape in THROTTLES
    ]
    assert None in {answer.headers.get("retry-after") for answer in answers}


def test_the_asynchronous_transport_fails_alike() -> None:
    transport, server, _ = broken(Fault.LOST)
    with pytest.raises(OutcomeUnknown):
        asyncio.run(transport.asend(CREATE))
    assert server.done == 1
    assert asyncio.run(transport.asend(CREATE)).body == BODY


def dice(plan: Callable[[int, Request], Fault | None], paths: list[str]) -> dict[str, Fault | None]:
    return {
        path: plan(number, Request(method="GET", path=path)) for number, path in enumerate(paths)
    }


def test_a_seed_gives_the_same_faults_whatever_the_order() -> None:
    paths = [f"/{number}" for number in range(200)]
    first = dice(seeded(7, 0.3), paths)
    assert dice(seeded(7, 0.3), paths[::-1]) == first
    assert dice(seeded(8, 0.3), paths) != first
    hit = [fault for fault in first.values() if fault]
    assert 30 < len(hit) < 90
    assert not {Fault.KILLED_BEFORE, Fault.KILLED_AFTER} & set(hit)


def test_a_request_that_comes_again_has_new_dice() -> None:
    plan, request = seeded(1, 0.5), Request(method="GET", path="/")
    assert len({plan(number, request) is None for number in range(30)}) == 2


def test_a_fault_spoils_a_body_in_a_file(tmp_path: object) -> None:
    from pathlib import Path

    target = Path(str(tmp_path)) / "answer"
    transport, _, _ = broken(Fault.CUT)
    response = transport.send(Request(method="GET", path="/", save_to=str(target)))
    assert response.path == target
    assert target.read_bytes() == BODY[: len(BODY) // 2]


def test_the_clock_moves_by_sleeping_only() -> None:
    clock = VirtualClock(start=100.0)
    clock.sleep(3.0)
    asyncio.run(clock.asleep(2.0))
    clock.advance(10.0)
    assert (clock.time(), clock.monotonic(), clock.elapsed) == (115.0, 15.0, 15.0)
    assert clock.sleeps == (3.0, 2.0)
    with pytest.raises(ValueError, match="-1"):
        clock.sleep(-1)


def test_the_clock_counts_the_sleeps_of_many_threads() -> None:
    clock = VirtualClock()

    def work() -> None:
        for _ in range(200):
            clock.sleep(1.0)

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.elapsed == 1600.0
    assert len(clock.sleeps) == 1600
