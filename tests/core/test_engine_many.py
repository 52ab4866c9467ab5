"""Many flows at once: the rate limit, lanes and concurrency, in threads, tasks and processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from pydantic import BaseModel

from storebridge import errors
from storebridge.adapter import Adapter, Level, Limits
from storebridge.engine import AsyncEngine, Engine, EngineOptions, HandlerTransport, Job
from storebridge.engine.limits import AdaptiveConcurrency, Bucket
from storebridge.flow import Request, RequestKind, Response, send
from storebridge.state import StoreState
from storebridge.testing.clock import VirtualClock
from storebridge.wire import status_error


class Settings(BaseModel):
    pass


class Probe(Adapter):
    name, title, api_version = "probe", "Probe", "1"
    base_url = "https://shop.example"

    def __init__(self, limits: Limits) -> None:
        super().__init__(Settings())
        self._limits = limits

    @property
    def limits(self) -> Limits:
        return self._limits

    def info(self) -> Any: ...

    def kinds(self) -> Any: ...

    def error(self, response: Response) -> errors.StorebridgeError | None:
        return status_error(response) if response.status >= 400 else None


def read() -> Any:
    return send(Request(method="GET", path="/x"))


def answer(request: Request) -> Response:
    return Response(status=200)


def engine(concurrency: int, **more: Any) -> Engine:
    limits = Limits(concurrency=concurrency, max_concurrency=concurrency)
    return Engine(Probe(limits), transport=HandlerTransport(answer), **more)


class Watch:
    """Notes how many run at once, in all and per lane, and in which order."""

    def __init__(self) -> None:
        self.lock, self.now, self.most, self.order = threading.Lock(), 0, 0, []
        self.lanes: set[str] = set()

    def enter(self, name: int, lanes: tuple[str, ...]) -> None:
        with self.lock:
            assert self.lanes.isdisjoint(lanes), "two flows of one lane at once"
            self.lanes |= set(lanes)
            self.now += 1
            self.most = max(self.most, self.now)
            self.order.append(name)

    def leave(self, lanes: tuple[str, ...]) -> None:
        with self.lock:
            self.lanes -= set(lanes)
            self.now -= 1

    def job(self, name: int, *lanes: str, seconds: float = 0.002) -> Job[int]:
        def run() -> int:
            self.enter(name, lanes)
            time.sleep(seconds)
            self.leave(lanes)
            return name

        return Job(lanes, run, key=name)

    def ajob(self, name: int, *lanes: str) -> Job[Any]:
        async def run() -> int:
            self.enter(name, lanes)
            await asyncio.sleep(0.002)
            self.leave(lanes)
            return name

        return Job(lanes, run, key=name)


async def all_of(engine: AsyncEngine, jobs: list[Job[Any]]) -> list[Any]:
    async with engine:
        return [done async for done in engine.run_many(jobs)]


LANES = [("a",), ("a", "b"), ("b", "c"), ("c",), ("a", "c"), (), ("b",)]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_flows_of_one_lane_never_overlap_and_keep_their_order(concurrency):
    watch = Watch()
    jobs = [watch.job(n, *LANES[n % len(LANES)]) for n in range(70)]
    with engine(concurrency) as many:
        done = list(many.run_many(jobs))
    assert sorted(item.result() for item in done) == list(range(70))
    assert watch.most <= concurrency
    assert (watch.most > 1) == (concurrency > 1)
    for lane in "abc":
        mine = [n for n in watch.order if lane in LANES[n % len(LANES)]]
        assert mine == sorted(mine)


def test_tasks_hold_lanes_as_threads_do(tmp_path):
    watch, limits = Watch(), Limits(concurrency=4)
    jobs = [watch.ajob(n, *LANES[n % len(LANES)]) for n in range(70)]
    with StoreState("probe:1", tmp_path) as state:
        aio = AsyncEngine(Probe(limits), transport=HandlerTransport(answer), state=state)
        done = asyncio.run(all_of(aio, jobs))
    assert sorted(item.result() for item in done) == list(range(70))
    assert 1 < watch.most <= 4
    for lane in "abc":
        mine = [n for n in watch.order if lane in LANES[n % len(LANES)]]
        assert mine == sorted(mine)


def test_an_error_ends_its_job_only():
    def fail() -> int:
        raise errors.NotFound("no such product")

    with engine(2) as many:
        done = list(many.run_many([Job((), fail, "bad"), Job((), lambda: 7, "good")]))
    found = {item.job.key: item for item in done}
    assert found["good"].result() == 7
    with pytest.raises(errors.NotFound):
        found["bad"].result()


def test_leaving_early_starts_nothing_more():
    watch = Watch()
    with engine(2) as many:
        for _ in many.run_many(watch.job(n) for n in range(100)):
            break
    assert len(watch.order) <= 4
    assert watch.now == 0


def test_jobs_are_taken_as_there_is_room():
    taken: list[int] = []

    def jobs():
        for n in range(50):
            taken.append(n)
            yield Job((), lambda: None)

    with engine(3) as many:
        iterator = many.run_many(jobs())
        next(iterator)
        assert len(taken) <= 4
        list(iterator)
    assert len(taken) == 50


def test_concurrency_falls_at_once_and_rises_slowly():
    clock = VirtualClock()
    gate = AdaptiveConcurrency(Limits(concurrency=8, max_concurrency=16), clock)
    for _ in range(5):
        gate.suffered()
    assert gate.limit == 4
    clock.advance(1)
    gate.suffered()
    clock.advance(1)
    gate.suffered()
    clock.advance(1)
    gate.suffered()
    assert gate.limit == 1
    for _ in range(200):
        gate.succeeded()
    assert gate.limit == 8
    climbing = AdaptiveConcurrency(Limits(concurrency=8, max_concurrency=16), clock, climb=True)
    assert climbing.limit == 8
    for _ in range(200):
        climbing.succeeded()
    assert climbing.limit == 16


def test_a_store_that_throttles_gets_fewer_flows_at_once():
    limits, clock = Limits(concurrency=8), VirtualClock()
    calls: list[int] = []

    def handler(request: Request) -> Response:
        calls.append(1)
        return Response(status=429 if len(calls) == 1 else 200)

    many = Engine(Probe(limits), transport=HandlerTransport(handler), clock=clock)
    many.run(read())
    assert many._core.gate.limit == 4


# ------------------------------------------------------------------------------------- the bucket


def used(bucket: Bucket, clock: VirtualClock, count: int, cost: float = 1.0) -> float:
    """Send so many requests one after the other and return how long that took."""
    start = clock.monotonic()
    for _ in range(count):
        clock.sleep(bucket.take(cost, 1e9).wait)
        bucket.settle(cost)
    return clock.monotonic() - start


def test_the_rate_is_kept_after_the_burst():
    clock = VirtualClock()
    bucket = Bucket(Limits(rate=2.0, burst=10.0), clock)
    assert used(bucket, clock, 10) == 0
    assert used(bucket, clock, 20) == pytest.approx(10.0)
    clock.advance(1000)
    assert used(bucket, clock, 10) == 0
    assert used(bucket, clock, 1, cost=100.0) == pytest.approx(5.0)


def test_a_store_without_a_known_rate_is_not_slowed():
    clock = VirtualClock()
    bucket = Bucket(Limits(), clock)
    assert used(bucket, clock, 1000, cost=50) == 0


def test_what_is_under_way_is_not_given_out_again():
    clock = VirtualClock()
    bucket = Bucket(Limits(rate=1.0, burst=10.0), clock)
    for _ in range(4):
        bucket.take(1.0, 1e9)
    bucket.feed(Level(available=5.0))
    waits = [bucket.take(1.0, 1e9).wait for _ in range(3)]
    assert waits == pytest.approx([0.0, 1.0, 2.0])


def test_an_answer_that_others_overtook_is_not_believed_too_much():
    clock = VirtualClock()
    bucket = Bucket(Limits(rate=1.0, burst=10.0), clock)
    settled = bucket.settled + 1.0  # of a request that is slow
    for _ in range(4):
        bucket.take(1.0, 1e9)
    for _ in range(4):  # three others end before it
        bucket.settle(1.0)
    bucket.feed(Level(available=5.0), settled)
    waits = [bucket.take(1.0, 1e9).wait for _ in range(3)]
    assert waits == pytest.approx([0.0, 0.0, 1.0])


def test_a_hold_voids_reservations_and_then_lets_one_go():
    clock = VirtualClock()
    bucket = Bucket(Limits(rate=1.0, burst=5.0), clock)
    used(bucket, clock, 5)
    ticket = bucket.take(1.0, 1e9)
    bucket.hold(10.0, 1.0)
    assert not bucket.valid(ticket)
    waits = [bucket.take(1.0, 1e9).wait for _ in range(3)]
    assert waits == pytest.approx([10.0, 11.0, 12.0])


def test_a_wait_that_is_too_long_reserves_nothing():
    clock = VirtualClock()
    bucket = Bucket(Limits(rate=1.0, burst=1.0), clock)
    bucket.take(1.0, 1e9)
    for _ in range(100):
        assert bucket.take(1.0, 0.5).wait == pytest.approx(1.0)


def test_a_clock_that_jumps_never_blocks_a_store_for_more_than_a_day():
    clock = VirtualClock()
    bucket = Bucket(Limits(rate=1.0, burst=1.0), clock)
    bucket.hold(60.0, 1.0)
    clock.advance(-10 * 86_400)
    assert bucket.take(1.0, 1e9).wait == 0


#: Takes as many requests as the shared limit gives within some seconds, and prints how many.
TAKER = """
import sys, time
from pathlib import Path
from storebridge.adapter import Limits
from storebridge.engine.clock import SystemClock
from storebridge.engine.limits import Bucket
from storebridge.state import StoreState
folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
with StoreState("probe:1", folder) as state:
    bucket = Bucket(Limits(rate=100.0, burst=10.0), SystemClock(), state)
    print("ready", flush=True)
    end = float(input()) + seconds
    sent = 0
    while (wait := bucket.take(1.0, 1e9).wait) + time.time() < end:
        time.sleep(wait)
        sent += 1
    print(sent)
"""


def test_processes_share_one_rate_limit(tmp_path):
    command = [sys.executable, "-c", TAKER, str(tmp_path), "1.0"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    takers = [subprocess.Popen(command, **pipes) for _ in range(2)]
    assert [taker.stdout.readline() for taker in takers] == ["ready\n"] * 2
    for taker in takers:
        taker.stdin.write(f"{time.time()}\n")
        taker.stdin.flush()
    sent = [int(taker.communicate(timeout=30)[0]) for taker in takers]
    assert 30 <= sum(sent) <= 111
    assert min(sent) > 0


#: Adds one to a number in a file, many times, under a lane; without it, additions are lost.
ADDER = """
import sys, time
from pathlib import Path
from storebridge.engine.lanes import Lanes
from storebridge.state import StoreState
folder, count = Path(sys.argv[1]), Path(sys.argv[1]) / "count"
with StoreState("probe:1", folder) as state:
    lanes = Lanes(state)
    for n in range(40):
        with lanes.hold(lanes.queue(["product 7", f"other {n}"])):
            number = int(count.read_text())
            time.sleep(0.001)
            count.write_text(str(number + 1))
"""


def test_processes_respect_each_other_s_lanes(tmp_path):
    (tmp_path / "count").write_text("0")
    command = [sys.executable, "-c", ADDER, str(tmp_path)]
    adders = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    assert [adder.communicate(timeout=60)[1] for adder in adders] == [b"", b""]
    assert (tmp_path / "count").read_text() == "80"


def test_a_lane_that_another_process_keeps_fails_its_job(tmp_path):
    watch = Watch()
    with StoreState("probe:1", tmp_path) as other, StoreState("probe:1", tmp_path) as state:
        with other.lanes(["a"]), engine(2, state=state, options=options(0.05)) as many:
            done = {d.job.key: d for d in many.run_many([watch.job(1, "a"), watch.job(2, "b")])}
        assert done[2].result() == 2
        with pytest.raises(errors.Locked, match="holds 'lane a'"):
            done[1].result()
        with engine(2, state=state, options=options(0.05)) as many:
            assert [d.result() for d in many.run_many([watch.job(3, "a")])] == [3]


def options(seconds: float) -> EngineOptions:
    return EngineOptions(lane_wait=seconds)


def test_threads_and_tasks_end_alike_under_the_same_faults():
    def handler(seed: int) -> Any:
        seen: dict[str, int] = {}

        def handle(request: Request) -> Response:
            seen[request.path] = seen.get(request.path, 0) + 1
            dice = (seed * 31 + int(request.path[1:]) * 17 + seen[request.path] * 7) % 9
            if dice == 0:
                raise errors.OutcomeUnknown("cut off")
            return Response(status={1: 500, 2: 429, 3: 404, 4: 525}.get(dice, 200))

        return handle

    def flow(number: int) -> Any:
        found = []
        for kind in (RequestKind.READ, RequestKind.CREATE, RequestKind.DELETE, RequestKind.SET):
            try:
                response = yield from send(Request(method="POST", path=f"/{number}", kind=kind))
                found.append(response.status)
            except errors.StorebridgeError as error:
                found.append(type(error).__name__)
        return found

    def job(engine: Any, number: int) -> Job[Any]:
        return Job((), lambda: engine.run(flow(number)), number)

    probe = Probe(Limits(concurrency=3))
    for seed in range(10):
        carrier = HandlerTransport(handler(seed))
        with Engine(probe, transport=carrier, clock=VirtualClock()) as threads:
            ended = list(threads.run_many(job(threads, n) for n in range(10)))
        first = {done.job.key: done.result() for done in ended}
        carrier = HandlerTransport(handler(seed))
        tasks = AsyncEngine(probe, transport=carrier, clock=VirtualClock())
        ended = asyncio.run(all_of(tasks, [job(tasks, n) for n in range(10)]))
        assert first == {done.job.key: done.result() for done in ended}
        assert len({str(found) for found in first.values()}) > 3
