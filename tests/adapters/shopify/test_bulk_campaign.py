"""Many jobs with whatever can go wrong: no line is lost, none is made twice (a slice, and all)."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.shopify.shop import Handler, Shop, operation, tee

from storebridge.adapter import Batch, Change
from storebridge.flow import Outcome, Request, Response, Status
from storebridge.models import Product
from storebridge.testing.faults import Killed
from storebridge.testing.rig import MemoryJournal, creation

#: What goes wrong in a job, by the name of the switch or of what stands between.
TROUBLES = ("none", "ends", "spoils", "cut", "foreign", "week", "kill", "lost", "throttle")


class Campaign:
    """One shop, job after job, each with a trouble; `told` is what the outcomes said."""

    def __init__(self, seed: int, size: int) -> None:
        self.random = random.Random(seed)
        self.size = size
        self.shop = Shop()
        self.shop.between = self._between
        self.plan: dict[str, Any] = {}
        self.counts: Counter[str] = Counter()

    def _between(self, request: Request, sandbox: Handler) -> Response:
        name = _name(request)
        response = sandbox(request)
        if self.plan.get("kill") == name:
            del self.plan["kill"]
            raise Killed
        if self.plan.get("lost") == name:
            del self.plan["lost"]
            return Response(status=504)
        return response

    def job(self, number: int) -> None:
        """Run one job to its end, resuming and trying again as a person would."""
        trouble = TROUBLES[number % len(TROUBLES)]
        self._trouble(trouble)
        changes = [
            replace(creation(tee(f"p{number}-{n}")), id=f"{number}-{n}") for n in range(self.size)
        ]
        journal, batch = MemoryJournal(), f"campaign-{number}"
        self._run(changes, journal, batch)
        outcomes = [journal.kept[each.id] for each in changes]
        self._check(changes, outcomes, number, trouble)
        failed = [c for c, o in zip(changes, outcomes, strict=True) if o.status is Status.FAILED]
        self.counts.update(f"{trouble} {each.status}" for each in outcomes)
        again = MemoryJournal()
        self._run(failed, again, f"{batch}-again")
        assert {each.status for each in again.kept.values()} <= {Status.APPLIED}, trouble

    def _run(self, changes: Iterable[Change[Product]], journal: MemoryJournal, id_: str) -> None:
        uncertain: frozenset[str] = frozenset()
        for _ in range(5):
            left = tuple(each for each in changes if each.id not in journal.kept)
            if not left:
                return
            batch = Batch(
                id=id_, changes=left, uncertain=uncertain, state=journal.state, way="bulk"
            )
            try:
                self.shop.engine.run_batch(self.shop.adapter.records("product"), batch, journal)
            except Killed:
                uncertain = frozenset(each.id for each in left)
                if self.plan.pop("week", False):
                    for _ in range(4):
                        self.shop.engine.run(self.shop.adapter.info())
                    self.shop.clock.sleep(8 * 86_400)
        raise AssertionError("a batch that never ends")

    def _trouble(self, kind: str) -> None:
        switch, pick = self.shop.sandbox.switch, self.random.choice
        switch(first_line=pick((0, 1)), bulk_ends=[], bulk_spoils=[], bulk_cuts=[])
        percent = self.random.randrange(100)
        if kind == "ends":
            words = ("FAILED INTERNAL_SERVER_ERROR", "FAILED TIMEOUT", "CANCELED", "EXPIRED")
            switch(bulk_ends=[f"{percent} {pick(words)}"])
        elif kind == "spoils":
            switch(bulk_spoils=[pick(("drop", "twice", "broken"))])
        elif kind == "cut":
            switch(bulk_cuts=[percent / 100] * pick((1, 2)))
        elif kind == "foreign":
            for _ in range(5):
                self.shop.sandbox.occupy("MUTATION", self.random.randrange(10, 900))
        elif kind in ("week", "kill"):
            names = ("BulkMutation", "BulkJob", "Upload", "Download", "StagedUploads")
            self.plan = {"kill": "BulkMutation" if kind == "week" else pick(names)}
            self.plan |= {"week": kind == "week"}
        elif kind == "lost":
            self.plan = {"lost": "BulkMutation"}
        elif kind == "throttle":
            self.shop.sandbox.bucket(self.shop.sandbox.app).available = float(percent)

    def _check(
        self, changes: list[Change[Product]], outcomes: list[Outcome], number: int, trouble: str
    ) -> None:
        rows = self.shop.sandbox.rows(
            "SELECT json_extract(doc, '$.handle') FROM objects WHERE type = 'Product'"
        )
        held = Counter(handle for (handle,) in rows)
        assert max(held.values(), default=1) == 1, f"doubled by {trouble}"
        for change, outcome in zip(changes, outcomes, strict=True):
            there = change.desired.handle in held
            said = (outcome.status is Status.APPLIED, outcome.status is Status.FAILED)
            assert said == (there, not there), (trouble, number, outcome)


def _name(request: Request) -> str:
    if isinstance(request.body, bytes):
        return operation(json.loads(request.body))
    return "Download" if request.method == "GET" else "Upload"


@pytest.mark.parametrize(
    ("jobs", "size"), [(9, 15), pytest.param(63, 1_000, marks=pytest.mark.soak)]
)
def test_no_line_is_lost_and_none_is_made_twice(jobs: int, size: int) -> None:
    campaign = Campaign(seed=7, size=size)
    for number in range(jobs):
        campaign.job(number)
    assert campaign.counts["none applied"] == size * (jobs // len(TROUBLES))
    assert campaign.shop.sandbox.count("Product") == jobs * size


@pytest.mark.parametrize(("step", "size"), [(30, 30), pytest.param(1, 100, marks=pytest.mark.soak)])
def test_a_file_cut_at_each_percent(step: int, size: int) -> None:
    campaign = Campaign(seed=8, size=size)
    for percent in range(0, 100, step):
        campaign.shop.sandbox.switch(bulk_cuts=[percent / 100] * 2)
        changes = [
            replace(creation(Product(handle=f"c{percent}-{n}", title="Cup")), id=str(n))
            for n in range(size)
        ]
        journal = MemoryJournal()
        campaign._run(changes, journal, f"cut-{percent}")
        outcomes = [journal.kept[each.id] for each in changes]
        campaign._check(changes, outcomes, percent, "cut")
        assert {each.status for each in outcomes} == {Status.APPLIED}


# -- memory

_CHILD = Path(__file__).with_name("bulk_memory.py")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells a peak in another way")
@pytest.mark.parametrize("count", [5_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_memory_stays_the_same_however_many_lines_there_are(count: int, tmp_path: Path) -> None:
    """The peak of a process that reads so many lines, a record's children all over the file."""
    command = [sys.executable, str(_CHILD), str(count), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    for kind in ("product", "order"):
        assert said[kind] == [count // 5, count // 5 * 4]
    assert said["peak"] <= 150 * 2**20, said
    print(said)
