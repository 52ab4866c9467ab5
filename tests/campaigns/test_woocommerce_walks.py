"""A WooCommerce shop that changes while it is read: what was there throughout comes exactly once.

The rows are the sandbox's own: products are made and deleted between the calls of the reader.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from storebridge.adapter import Query
from storebridge.flow import Request, Response
from tests.adapters.woocommerce.shop import Shop

PRODUCTS = "/wp-json/wc/v3/products"


class Living:
    """Between a reader and its shop: people make and delete products between the calls."""

    def __init__(self, shop: Shop, seed: int, size: int) -> None:
        self.shop, self.chance, self.calls = shop, random.Random(f"living {seed}"), 0
        self.rows = [number for batch in range(0, size, 100) for number in self._make(size - batch)]
        self.stayed = set(self.rows)
        self.totals: list[int] = []

    def __call__(self, request: Request, sandbox: Any) -> Response:
        """Answer, and let people work when the answer has left."""
        said: Response = sandbox(request)
        if request.path == PRODUCTS:
            self.calls += 1
            assert int(said.headers["x-wp-total"]) == len(self.rows)
            self.totals.append(len(self.rows))
            self.work()
        return said

    def work(self) -> None:
        """Delete up to four rows anywhere, and make up to two."""
        gone = self.chance.sample(self.rows, min(len(self.rows), self.chance.randrange(5)))
        self.rows = [number for number in self.rows if number not in gone]
        self.stayed -= set(gone)
        if gone:
            self._ask({"delete": gone})
        self.rows += self._make(self.chance.randrange(3))

    def _make(self, count: int) -> list[int]:
        items = [{"name": "x"}] * min(count, 100)
        return [row["id"] for row in self._ask({"create": items})["create"]] if items else []

    def _ask(self, body: Any) -> Any:
        request = self.shop.adapter.prepare(
            Request(method="POST", path="/products/batch", body=json.dumps(body).encode()),
            self.shop.engine.run(self.shop.adapter.authorize(self.shop.clock)),
            "n",
            0.0,
        )
        return json.loads(self.shop.sandbox(request).body)


def walk(seed: int, size: int, page_size: int) -> None:
    """Read a living shop to its end, and hold what came against what stayed."""
    shop = Shop(page_size=page_size)
    shop.learn()
    living = Living(shop, seed, size)
    shop.between = living
    found, cursor, first = list[int](), "", True
    while cursor or first:
        page = shop.engine.run(shop.adapter.records("product").page(Query(), cursor))
        assert page.total is not None
        assert page.total in living.totals
        found += [int(record.id) for record in page.records]
        cursor, first = page.cursor, False
        assert living.calls <= 3 * (size // page_size + 3), "the walk has no end"
    assert living.stayed <= set(found), f"missed {sorted(living.stayed - set(found))}"
    assert len(found) == len(set(found)), "some came twice"


@pytest.mark.parametrize("seed", range(6))
def test_what_stays_is_read_exactly_once(seed: int) -> None:
    walk(seed, size=135, page_size=10)


@pytest.mark.soak
def test_what_stays_is_read_exactly_once_in_a_thousand_walks() -> None:
    chance = random.Random("walks")
    for seed in range(1000):
        walk(1000 + seed, chance.randint(135, 300), chance.choice((7, 10, 25, 50)))


@pytest.mark.parametrize("size", [1, 10, 20, 135])
def test_a_shop_at_rest_has_as_many_as_it_says(size: int) -> None:
    shop = Shop(page_size=10)
    shop.learn()
    living = Living(shop, 0, size)
    found, cursor, first = list[str](), "", True
    while cursor or first:
        page = shop.engine.run(shop.adapter.records("product").page(Query(), cursor))
        found += [record.id for record in page.records]
        cursor, first = page.cursor, False
    assert sorted(map(int, found)) == living.rows
    assert page.total == len(found)
