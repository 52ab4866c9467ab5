"""Which way changes are made: directly while that fits one bucket, in bulk beyond that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storebridge import Store
from storebridge.adapter import Batch, BulkLimits, Change, Cost, Limits
from storebridge.errors import OutcomeUnknown
from storebridge.flow import Flow, progress, remember, report, wait
from storebridge.models import Product
from storebridge.store.base import Opening
from storebridge.testing import VirtualClock
from tests.core.fake_platform import FakeAdapter, FakeRecords

CONTROL = Cost(requests=8, points=20)


class JobRecords(FakeRecords):
    """Records of a platform with jobs: a change takes a request of 10 points, or a job's line."""

    batch_size = 5
    bulk = BulkLimits(changes=20, at_once=2, cost=CONTROL)
    job_seconds, direct_seconds = 30.0, 1.0
    known = True

    def cost(self, change: Change[Any]) -> Cost | None:
        lines = 0 if change.action == "delete" else 1
        return Cost(requests=1, points=10, lines=lines) if self.known else None

    def write(self, batch: Batch[Any]) -> Flow[None]:
        self.batches.append(batch)
        if batch.way == "bulk":
            yield from remember({"job": "7"})
            yield from wait(self.job_seconds / 2)
            yield from progress(len(batch.changes) // 2)
            yield from wait(self.job_seconds / 2)
        else:
            yield from wait(self.direct_seconds * len(batch.changes))
        yield from report([self._written(change) for change in batch.changes])


class JobAdapter(FakeAdapter):
    """The platform; its bucket has 200 points, and 10 come back each second."""

    @property
    def limits(self) -> Limits:
        return Limits(rate=10.0, burst=200.0, concurrency=4, max_concurrency=4)

    def __init__(self) -> None:
        super().__init__()
        self.products = JobRecords(Product, self.products.fields)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def store(tmp_path: Path, clock: VirtualClock) -> Iterator[Store]:
    opening = Opening(name="fake", state=tmp_path / "state", clock=clock)
    with Store(JobAdapter(), opening) as opened:
        yield opened


def products(count: int) -> list[Product]:
    return [Product(handle=f"p{n}", title=f"P {n}", status="active") for n in range(count)]


def sent(store: Store) -> list[Batch[Any]]:
    records = store.adapter.records("product")
    assert isinstance(records, JobRecords)
    return records.batches


def test_a_plan_that_fits_one_bucket_goes_directly(store: Store, tmp_path: Path) -> None:
    with store.plan(products(20), tmp_path / "a.plan") as plan:
        (phase,) = plan.forecast.phases
        assert (phase.way, phase.direct) == ("direct", (20, 200.0, 0.0))
        assert plan.forecast.writes == 20
        assert plan.apply().ok
    assert {batch.way for batch in sent(store)} == {"direct"}
    assert {len(batch.changes) for batch in sent(store)} == {5}


def test_a_larger_one_becomes_jobs_and_says_what_both_ways_take(
    store: Store, tmp_path: Path
) -> None:
    with store.plan(products(50), tmp_path / "a.plan") as plan:
        (phase,) = plan.forecast.phases
        assert phase.way == "bulk"
        assert phase.direct == (50, 500.0, 30.0)
        assert phase.bulk == (24, 60.0, None)
        assert plan.forecast.seconds is None
        assert str(phase) == (
            "50 × product core, in bulk: 24 requests, 60 points, time unknown "
            "(directly: 50 requests, 500 points, 30 s)"
        )
        assert plan.apply().ok
    jobs = Counter((batch.way, len(batch.changes)) for batch in sent(store))
    assert jobs == {("bulk", 20): 2, ("bulk", 10): 1}, "they run at once, in any order"


def test_the_speed_of_a_store_is_learned(store: Store, tmp_path: Path) -> None:
    with store.plan(products(50), tmp_path / "a.plan") as plan:
        plan.apply()
    changed = [Product(handle=f"p{n}", title=f"New {n}") for n in range(50)]
    with store.plan(changed, tmp_path / "b.plan") as plan:
        (phase,) = plan.forecast.phases
        assert phase.bulk is not None
        assert phase.bulk.seconds is not None
        assert phase.way == "direct", "the jobs were slower than 30 s"


@pytest.mark.parametrize(("count", "way"), [(5, "bulk"), (50, "direct")])
def test_the_way_can_be_given(store: Store, tmp_path: Path, count: int, way: Any) -> None:
    with store.plan(products(count), tmp_path / "a.plan", way=way) as plan:
        assert plan.forecast.phases[0].way == way
        plan.apply()
    assert {batch.way for batch in sent(store)} == {way}


def test_what_no_job_can_make_is_counted_directly(store: Store, tmp_path: Path) -> None:
    with store.plan(products(50), tmp_path / "a.plan") as plan:
        plan.apply()
    wanted = {
        "where": "status = 'active'",
        "absent": "delete",
        "max_deletes": 100,
        "max_changed": "100%",
        "max_emptied": "100%",
    }
    with store.plan(products(1), tmp_path / "b.plan", **wanted) as plan:
        (phase,) = plan.forecast.phases
        assert (phase.way, phase.bulk, phase.changes) == ("direct", None, 49)


def test_a_platform_that_knows_no_costs_has_no_ways(store: Store, tmp_path: Path) -> None:
    records = store.adapter.records("product")
    assert isinstance(records, JobRecords)
    records.known = False
    with store.plan(products(50), tmp_path / "a.plan") as plan:
        assert (plan.forecast.phases, plan.forecast.writes) == ((), 10)
        plan.apply()
    assert {batch.way for batch in sent(store)} == {"direct"}


def test_after_the_first_minute_the_faster_way_is_named(store: Store, tmp_path: Path) -> None:
    records = store.adapter.records("product")
    assert isinstance(records, JobRecords)
    records.job_seconds = 400.0
    notices, done = list[str](), list[int]()
    with store.plan(products(30), tmp_path / "a.plan", way="bulk") as plan:
        plan.apply(on_notice=notices.append, on_progress=lambda count, _: done.append(count))
    (notice,) = notices
    assert "directly it would take 10 s" in notice
    assert "--way direct" in notice
    assert min(done) in (5, 10), "a running job's lines are shown"


def test_no_notice_while_the_chosen_way_is_the_faster_one(store: Store, tmp_path: Path) -> None:
    records = store.adapter.records("product")
    assert isinstance(records, JobRecords)
    records.direct_seconds = 5.0
    notices: list[str] = []
    with store.plan(products(19), tmp_path / "a.plan") as plan:
        plan.apply(on_notice=notices.append)
    assert notices == []


def test_a_killed_job_goes_on_by_the_same_way(store: Store, tmp_path: Path) -> None:
    records = store.adapter.records("product")
    assert isinstance(records, JobRecords)
    write = records.write

    def cut(batch: Batch[Any]) -> Flow[None]:
        yield from remember({"job": "7"})
        raise KeyboardInterrupt

    records.write = cut  # type: ignore[method-assign]
    with store.plan(products(21), tmp_path / "a.plan") as plan:
        with pytest.raises(KeyboardInterrupt):
            plan.apply()
        records.write = write  # type: ignore[method-assign]
        assert plan.apply().ok
    again = sent(store)[0]
    assert (again.way, again.state) == ("bulk", {"job": "7"})
    assert again.uncertain == {change.id for change in again.changes}


def test_an_undo_chooses_its_way_too(store: Store, tmp_path: Path) -> None:
    with store.plan(products(10), tmp_path / "a.plan") as plan:
        plan.apply()
        with plan.undo(tmp_path / "u.plan") as inverse:
            assert inverse.forecast.phases[0].way == "direct"


def test_lost_answers_of_jobs_stay_unknown(store: Store, tmp_path: Path) -> None:
    records = store.adapter.records("product")
    assert isinstance(records, JobRecords)

    def lost(batch: Batch[Any]) -> Flow[None]:
        yield from wait(1)
        raise OutcomeUnknown("the job's answer was lost")

    records.write = lost  # type: ignore[method-assign]
    with store.plan(products(21), tmp_path / "a.plan") as plan:
        report_ = plan.apply()
    assert sum(report_.counts.values()) == 21
    assert not report_.counts["applied"]
