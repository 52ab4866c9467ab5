"""A Shopify shop that changes while it is read: what was there throughout comes exactly once.

People make, change and delete records between the calls of the reader, also between a page and the
rest of the connections in its records: lines of an order, addresses, metafields.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storebridge.adapter import Query
from storebridge.engine import HandlerTransport
from storebridge.errors import BadAnswer
from storebridge.flow import Request, Response
from tests.campaigns.shopify import ShopifyShop, human

KINDS = ("product", "customer", "order")
#: More than what comes with a record at first, of what it has many.
MANY = 23
_MAKE = {
    "product": "mutation M($p: ProductCreateInput!) { productCreate(product: $p) "
    "{ product { id } userErrors { message } } }",
    "customer": "mutation M($c: CustomerInput!) { customerCreate(input: $c) "
    "{ customer { id } userErrors { message } } }",
}
_DELETE = {
    "product": "mutation M($id: ID!) { productDelete(input: {id: $id}) "
    "{ userErrors { message } } }",
    "customer": "mutation M($id: ID!) { customerDelete(input: {id: $id}) "
    "{ userErrors { message } } }",
}


class Living:
    """Between a reader and its shop: people make, change and delete records between the calls."""

    def __init__(self, shop: ShopifyShop, kind: str, seed: int, size: int) -> None:
        self.shop, self.kind = shop, kind
        self.chance = random.Random(f"living {kind} {seed}")
        made = self._named("product", {"p": {"title": "Sold"}})
        self.sold = shop.sandbox.get(made)
        self.many: set[str] = set()
        #: As many are made while it is read: a page of three takes five calls, and people who
        #: make one a call for ever would be ahead of any reader.
        self.coming = 2 * size
        self.ids = [made] if kind == "product" else []
        self.ids += [self._make() for _ in range(size)]
        self.stayed = set(self.ids)

    def __call__(self, request: Request) -> Response:
        """Answer, and let people work when the answer has left."""
        said = self.shop.sandbox(request)
        self.work()
        return said

    def work(self) -> None:
        """Delete up to two records anywhere, change up to two, and make up to two."""
        self.shop.clock.advance(1)
        for id in self.chance.sample(self.ids, min(len(self.ids), self.chance.randrange(3))):
            self.ids.remove(id)
            self.stayed.discard(id)
            self._delete(id)
        for id in self.chance.sample(self.ids, min(len(self.ids), self.chance.randrange(3))):
            with self.shop.sandbox.lock, self.shop.sandbox.db:
                self.shop.sandbox.save({**(self.shop.sandbox.get(id) or {}), "note": "x"})
        new = min(self.coming, self.chance.randrange(3))
        self.coming -= new
        self.ids += [self._make() for _ in range(new)]

    def _make(self) -> str:
        count = MANY if self.chance.random() < 0.2 else 1
        if self.kind == "order":
            assert self.sold is not None
            id = self.shop.sandbox.sell([(self.sold["variants"][0], 1)] * count)
        elif self.kind == "customer":
            addresses = [{"city": f"City {n}"} for n in range(count)]
            id = self._named("customer", {"c": {"firstName": "x", "addresses": addresses}})
        else:
            fields = [
                {"namespace": "kit", "key": f"k-{n}", "type": "single_line_text_field",
                 "value": "x"}
                for n in range(count)
            ]  # fmt: skip
            id = self._named("product", {"p": {"title": "x", "metafields": fields}})
        self.many |= {id} if count > 1 else set()
        return id

    def _named(self, kind: str, variables: dict[str, Any]) -> str:
        [payload] = human(self.shop, _MAKE[kind], **variables).values()
        return str(payload[kind]["id"])

    def _delete(self, id: str) -> None:
        if self.kind in _DELETE:
            human(self.shop, _DELETE[self.kind], id=id)
        else:
            with self.shop.sandbox.lock, self.shop.sandbox.db:
                self.shop.sandbox.delete(id)


def walk(folder: Path, kind: str, seed: int, size: int, page_size: int) -> None:
    """Read a living shop to its end, and hold what came against what stayed."""
    with ShopifyShop(folder, page_size=page_size) as shop:
        living = Living(shop, kind, seed, size)
        found: list[Any] = []
        with shop.open(inner=HandlerTransport(living)) as store:
            records = store.adapter.records(kind)
            cursor, pages = "", 0
            while cursor or not pages:
                page = store.engine.run(records.page(Query(), cursor))
                found += page.records
                cursor, pages = page.cursor, pages + 1
                # The points of a request allow ten products or more on a page.
                assert pages <= 3 * size // min(page_size, 10) + 2, "the walk has no end"
        ids = [record.id for record in found]
        assert living.stayed <= set(ids), f"missed {sorted(living.stayed - set(ids))}"
        assert len(ids) == len(set(ids)), "some came twice"
        assert living.stayed != set(ids), "nothing changed meanwhile"
        for record in found:
            assert _size(record) == (MANY if record.id in living.many else 1), record.id


def _size(record: Any) -> int:
    """Return how many there are of what a record may have many of."""
    if record.kind == "order":
        return len(record.line_items)
    if record.kind == "customer":
        return len(record.addresses) + 1
    return len(record.metafields) or 1


@pytest.mark.parametrize("kind", KINDS)
def test_what_stays_is_read_exactly_once(tmp_path: Path, kind: str) -> None:
    walk(tmp_path, kind, seed=1, size=30, page_size=10)


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_what_stays_is_read_exactly_once_in_many_walks(tmp_path: Path, kind: str) -> None:
    chance = random.Random(f"walks {kind}")
    for seed in range(335):
        size, page = chance.randint(30, 90), chance.choice((3, 7, 10, 25))
        walk(tmp_path / str(seed), kind, 1000 + seed, size, page)


@pytest.mark.parametrize("kind", [*KINDS, "collection"])
def test_a_cursor_that_comes_twice_ends_a_walk(tmp_path: Path, kind: str) -> None:
    """A page that says it isn't the last, and names itself as the next, is no endless walk."""

    def stuck(request: Request) -> Response:
        assert isinstance(request.body, bytes)
        body = json.loads(request.body)
        body["variables"].pop("after", None)
        said = shop.sandbox(replace(request, body=json.dumps(body).encode()))
        found = json.loads(said.body)
        if f"{kind}s" in found["data"]:
            found["data"][f"{kind}s"]["pageInfo"] = {"hasNextPage": True, "endCursor": "again"}
        return replace(said, body=json.dumps(found).encode())

    with ShopifyShop(tmp_path) as shop:
        human(shop, _MAKE["product"], p={"title": "x"})
        with shop.open(inner=HandlerTransport(stuck)) as store:
            items = store.items(kind)
            with pytest.raises(BadAnswer):
                list(items.iter())
