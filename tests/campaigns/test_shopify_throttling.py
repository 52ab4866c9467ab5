"""A Shopify shop whose bucket is empty, by our calls or another's: nothing fails that clears.

Time is virtual. The network watches who asks before it is time, and what waiting was needed.
"""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from storebridge.engine import EngineOptions, HandlerTransport
from storebridge.errors import Rejected
from storebridge.flow import Request, Response
from storebridge.models import Product, Record
from storebridge.testing.sandbox import answer
from tests.adapters.shopify.shop import Shop, tee
from tests.campaigns.rig import check
from tests.campaigns.shopify import ShopifyShop, catalogue, docs, operation

PATIENCE = EngineOptions().patience
RATE = 100.0
#: Points that are left in the bucket when a run begins.
LEFT = 900.0


def wanted(seed: int, products: int) -> list[Record]:
    """Return products without what Shopify works on for a while: pictures."""
    records = (each for each in catalogue(seed, products) if isinstance(each, Product))
    return [each.without("media", "collections") for each in records]


class Network:
    """A network before a shop: others draw from its bucket, and it refuses by chance."""

    def __init__(self, shop: ShopifyShop, seed: int, refuse: float = 0.0, drain: float = 0.0):
        self.shop, self.refuse, self.drain = shop, refuse, drain
        self.chance = random.Random(f"network {seed}")
        self.until = self.since = self.drained = self.points = 0.0
        self.early = self.refused = self.passed = self.overdrawn = 0

    def __call__(self, request: Request) -> Response:
        now = self.shop.clock.time()
        # What comes at the moment of a refusal was under way already.
        self.early += self.since < now < self.until
        if self.chance.random() < self.refuse:
            self.refused += 1
            return self._refusal(now)
        if self.chance.random() < self.drain:
            bucket = self.shop.sandbox.bucket("fixed")
            taken = bucket.available * self.chance.random()
            bucket.available -= taken
            self.drained += taken
        said = self.shop.sandbox(request)
        found = json.loads(said.body)
        if "errors" in found:
            assert found["errors"][0]["extensions"]["code"] == "THROTTLED", found
            self.overdrawn += 1
        else:
            self.passed += 1
            self.points += found["extensions"]["cost"]["actualQueryCost"]
        return said

    def _refusal(self, now: float) -> Response:
        wait = self.chance.choice((1, 2, 7))
        status = {"maximumAvailable": 2000.0, "currentlyAvailable": 50, "restoreRate": RATE}
        cost = {"requestedQueryCost": 50 + RATE * wait, "throttleStatus": status}
        shapes: tuple[tuple[float, Response], ...] = (
            (2.0, answer(429, {"errors": "Too Many Requests"}, retry_after="2.0")),
            (0.0, answer(429, {"errors": "Too Many Requests"})),
            (0.0, answer(429, {"errors": "x"}, retry_after="")),
            (wait, answer(429, {"errors": "x"}, retry_after=str(wait))),
            (wait, _throttled({"cost": cost})),
            (0.0, _throttled({"cost": {"throttleStatus": {**status, "restoreRate": 0}}})),
            (0.0, _throttled({"cost": {}})),
            (0.0, _throttled({})),
            (0.0, _throttled(None, code="429")),
        )
        seconds, refusal = self.chance.choice(shapes)
        self.since, self.until = now, max(self.until, now + seconds)
        return refusal


def _throttled(extensions: Any, code: str = "THROTTLED") -> Response:
    error = {"message": "Throttled", "extensions": {"code": code}}
    return answer(200, {"errors": [error], "extensions": extensions})


def throttled(folder: Path, seed: int, products: int, **how: float) -> tuple[Network, float]:
    """Apply a plan through a network; return it, and the seconds that it took."""
    with ShopifyShop(folder / "plain") as plain:
        plan = plain.plan(wanted(seed, products), way="direct")
        with ShopifyShop(folder / "busy", plain.sandbox) as busy:
            copy = Path(shutil.copy(plan, busy.folder))
            assert plain.apply(plan).ok
            busy.sandbox.buckets.clear()
            busy.sandbox.bucket("fixed").available = LEFT
            began, network = busy.clock.elapsed, Network(busy, seed, **how)
            busy.apply(copy, network=network)
            counts = check(busy, copy)
            assert counts["applied"] == sum(counts.values()), counts
            assert network.early == 0, "asked before it was time"
            assert docs(busy.sandbox) == docs(plain.sandbox)
            return network, busy.clock.elapsed - began


def foreign_traffic(folder: Path, rounds: int, products: int) -> None:
    """Let others draw from the bucket meanwhile; little is refused for it, and little waited."""
    drained = 0.0
    for seed in range(rounds):
        network, seconds = throttled(folder / str(seed), seed, products, drain=0.1)
        drained += network.drained
        attempts = network.passed + network.overdrawn
        assert attempts <= 1.2 * network.passed, f"{attempts} for {network.passed}"
        needed = (network.points + network.drained - LEFT) / RATE
        assert seconds <= 1.15 * max(0.0, needed) + 8, f"{seconds} s where {needed} were needed"
    assert drained > 5 * RATE * rounds, "the campaign has no teeth"


def every_shape(folder: Path, rounds: int, products: int) -> int:
    """Let any request be refused, in any shape; return how many were."""
    return sum(
        throttled(folder / str(seed), seed, products, refuse=(0.3, 0.1)[seed % 2])[0].refused
        for seed in range(rounds)
    )


def test_every_shape_of_throttling_clears(tmp_path: Path) -> None:
    assert every_shape(tmp_path, rounds=1, products=3) > 5


@pytest.mark.soak
def test_every_shape_of_throttling_clears_for_long(tmp_path: Path) -> None:
    assert every_shape(tmp_path, rounds=65, products=25) > 2500


def test_foreign_traffic_costs_few_tries(tmp_path: Path) -> None:
    foreign_traffic(tmp_path, rounds=1, products=5)


@pytest.mark.soak
def test_foreign_traffic_costs_few_tries_for_long(tmp_path: Path) -> None:
    foreign_traffic(tmp_path, rounds=40, products=60)


@pytest.mark.parametrize("products", [8, pytest.param(200, marks=pytest.mark.soak)])
def test_alone_the_bucket_is_used_up_and_never_overdrawn(tmp_path: Path, products: int) -> None:
    network, seconds = throttled(tmp_path, 5, products)
    needed = (network.points - LEFT) / RATE
    assert network.overdrawn == 0
    assert seconds <= max(0.0, needed) / 0.95 + 8, f"{seconds} s where {needed} were needed"


def test_a_throttle_that_never_clears_fails_its_item_alone(tmp_path: Path) -> None:
    with ShopifyShop(tmp_path) as shop:
        plan = shop.plan([tee(f"t-{number}") for number in range(5)])

        def network(request: Request) -> Response:
            assert isinstance(request.body, bytes)
            if operation(request) == "ProductSet" and b'"t-3"' in request.body:
                return answer(429, {"errors": "Too Many Requests"}, retry_after="20.0")
            return shop.sandbox(request)

        report = shop.apply(plan, network=network)
        check(shop, plan)
        [stuck] = report.items("failed")
        assert (stuck.label, stuck.cause, stuck.http_status) == ("t-3", "throttled", 429)
        found = re.search(r"\((\d+) tries in (\d+) s\)", stuck.message)
        assert found, stuck.message
        assert 5 <= int(found[1]) <= 40
        assert int(found[2]) <= PATIENCE
        assert report.counts["applied"] == report.planned - 1 - report.counts["skipped"]
        assert shop.clock.elapsed <= PATIENCE + 60
        assert shop.apply(plan, retry_failed=True).ok, "and goes on when the throttle clears"


def test_a_throttle_is_known_by_its_code_and_never_by_its_words() -> None:
    """A product may be called so, and a user error quotes what it is about."""
    shop = Shop()
    first, second = shop.create(tee("throttled", title="Throttled"), tee("other"))
    refused = shop.update(second, Product(handle="throttled", title="429 Too Many Requests"))
    assert (str(refused.status), refused.cause) == ("failed", "conflict"), refused
    assert "throttled" in refused.message
    assert shop.read(first).title == "Throttled"
    assert shop.operations.count("ProductSet") == 1
    assert shop.clock.elapsed < 1


def test_what_costs_too_much_is_no_throttle(tmp_path: Path) -> None:
    with ShopifyShop(tmp_path) as shop:
        error = {"message": "Query cost is 2003", "extensions": {"code": "MAX_COST_EXCEEDED"}}

        def network(request: Request) -> Response:
            if operation(request) == "Products":
                return answer(200, {"errors": [error]})
            return shop.sandbox(request)

        with (
            shop.open(inner=HandlerTransport(network)) as store,
            pytest.raises(Rejected) as raised,
        ):
            list(store.products.iter())
        assert raised.value.code == "MAX_COST_EXCEEDED"
        assert shop.clock.elapsed < 1
