"""A store that is asked too often: every shape of "too many", and nothing fails that clears.

Time is virtual. The network counts requests and keeps the moments before which none may come.
"""

from __future__ import annotations

import itertools
import random
import re
import shutil
from email.utils import formatdate
from pathlib import Path
from typing import cast

import pytest

from storebridge.engine import EngineOptions, HandlerTransport
from storebridge.errors import RateLimited
from storebridge.flow import Request, Response
from storebridge.testing.faults import THROTTLES
from tests.campaigns.rig import Shop, catalogue, check, docs

PATIENCE = EngineOptions().patience
OTHERS = Request(method="GET", path="/v1/info", headers={"x-template-token": "other"})


class Throttle:
    """A network before a shop that answers 429 by chance, and watches who keeps to it."""

    def __init__(self, shop: Shop, seed: int, rate: float = 0.0, foreign: float = 0.0) -> None:
        self.shop, self.rate, self.foreign = shop, rate, foreign
        self.chance = random.Random(f"throttle {seed}")
        self.until = 0.0
        self.early = self.refused = self.passed = 0

    def __call__(self, request: Request) -> Response:
        now = self.shop.clock.time()
        self.early += now < self.until
        if self.chance.random() < self.rate:
            response = self._refusal(now)
        else:
            if self.chance.random() < self.foreign:  # somebody else asks the same store
                for _ in range(self.chance.randint(1, 8)):
                    self.shop.sandbox(OTHERS)
            response = self.shop.sandbox(request)
            if response.status == 429:
                self.until = now + float(response.headers["retry-after"])
        self.refused += response.status in (429, 529)
        self.passed += response.status not in (429, 529)
        return response

    def _refusal(self, now: float) -> Response:
        wait = self.chance.choice((0, 1, 7, 40))
        date = formatdate(now + wait, usegmt=True)
        shapes = (
            *THROTTLES,
            Response(status=429, headers={"retry-after": str(wait)}),
            Response(status=429, headers={"retry-after": date}),
            Response(status=429, body=b'{"error": {"code": "too_many_requests"}}'),
            Response(status=529),
        )
        refusal = self.chance.choice(shapes)
        asked = refusal.headers.get("retry-after", "")
        if asked == date:
            self.until = now + wait - 1  # a date has whole seconds
        elif asked.replace(".", "").isdecimal():
            self.until = now + float(asked)
        return refusal

    def apply(self, plan: Path) -> None:
        """Apply a plan through this network."""
        self.shop.apply(plan, network=self)


def throttled(folder: Path, seed: int, products: int, **how: float) -> tuple[Throttle, float]:
    """Apply a plan through a throttle; return it, and how many requests were needed."""
    with Shop(folder / "plain") as plain:
        plan = plain.plan(catalogue(seed, products))
        with Shop(folder / "busy", plain.sandbox) as busy:
            copy = Path(shutil.copy(plan, busy.folder))
            before = len(plain.history)
            assert plain.apply(plan).ok
            needed = len(plain.history) - before
            busy.sandbox.limited = "foreign" in how
            throttle = Throttle(busy, seed, **how)
            throttle.apply(copy)
            counts = check(busy, copy)
            assert counts["applied"] == sum(counts.values()), counts
            assert throttle.early == 0, "asked before it was time"
            assert docs(busy.sandbox) == docs(plain.sandbox)
            assert throttle.passed == needed, "something was sent twice"
            return throttle, busy.clock.elapsed


def every_shape(folder: Path, rounds: int, products: int) -> int:
    """Let any request be refused, in any shape; return how many were."""
    return sum(
        throttled(folder / str(seed), seed, products, rate=(0.3, 0.45, 0.1)[seed % 3])[0].refused
        for seed in range(rounds)
    )


def foreign_traffic(folder: Path, rounds: int, products: int) -> None:
    """Let others drain the store's limit meanwhile: few requests are refused for it."""
    for seed in range(rounds):
        throttle, _ = throttled(folder / str(seed), seed, products, foreign=0.1)
        attempts = throttle.refused + throttle.passed
        assert throttle.refused, "the campaign has no teeth"
        assert attempts <= 1.2 * throttle.passed, f"{attempts} for {throttle.passed}"


def test_every_shape_of_throttling_clears(tmp_path: Path) -> None:
    assert every_shape(tmp_path, rounds=2, products=5) > 20


@pytest.mark.soak
def test_every_shape_of_throttling_clears_for_long(tmp_path: Path) -> None:
    assert every_shape(tmp_path, rounds=60, products=40) > 4000


def test_foreign_traffic_costs_few_tries(tmp_path: Path) -> None:
    foreign_traffic(tmp_path, rounds=1, products=15)


@pytest.mark.soak
def test_foreign_traffic_costs_few_tries_for_long(tmp_path: Path) -> None:
    foreign_traffic(tmp_path, rounds=40, products=45)


def test_without_other_traffic_the_limit_is_used_and_hardly_hit(tmp_path: Path) -> None:
    throttle, elapsed = throttled(tmp_path, 5, 15, foreign=0.0)
    fastest = (throttle.passed - 40) / 2.0  # forty at once, two a second
    assert throttle.refused <= 0.02 * throttle.passed
    assert fastest - 1 <= elapsed <= 1.15 * fastest + 5


def test_a_throttle_that_never_clears_fails_its_item_alone(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        plan = shop.plan(catalogue(3, 8))

        def network(request: Request) -> Response:
            if request.method == "POST" and b'"p-3"' in cast("bytes", request.body):
                return Response(status=429, headers={"retry-after": "20"})
            return shop.sandbox(request)

        report = shop.apply(plan, network=network)
        check(shop, plan)
        [stuck] = report.items("failed")
        assert (stuck.label, stuck.cause, stuck.http_status) == ("p-3", "throttled", 429)
        found = re.search(r"\((\d+) tries in (\d+) s\)", stuck.message)
        assert found, stuck.message
        tries, seconds = map(int, found.groups())
        assert 5 <= tries <= 15
        assert PATIENCE - 25 <= seconds <= PATIENCE
        left = {item.label for item in report.items("skipped")}
        assert left == {"p-3"}, "what depends on it is left, nothing else is"
        assert report.counts["applied"] == report.planned - 1 - report.counts["skipped"]
        assert shop.clock.elapsed <= PATIENCE + 60
        assert shop.apply(plan, retry_failed=True).ok, "and goes on when the throttle clears"


def test_a_store_that_says_at_once_and_refuses_again_is_not_hammered(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        refusals = itertools.count()

        def network(_: Request) -> Response:
            assert next(refusals) < 2 * PATIENCE, "a tight loop"
            return Response(status=429, headers={"retry-after": "0"})

        with shop.open(inner=HandlerTransport(network)) as store, pytest.raises(RateLimited):
            store.call(Request(method="GET", path="/info"))
        assert shop.clock.elapsed <= PATIENCE


def test_a_store_that_only_throttles_ends_in_bounded_time(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        plan = shop.plan(catalogue(4, 2))
        refusal = Response(status=429, headers={"retry-after": "30"})
        with pytest.raises(RateLimited):
            shop.apply(plan, network=lambda _: refusal)
        assert shop.clock.elapsed <= PATIENCE
        assert docs(shop.sandbox) == {}
