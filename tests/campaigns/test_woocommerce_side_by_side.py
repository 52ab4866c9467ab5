"""Many at once: no key goes to another shop, and nobody writes a product that another one writes.

Two shops let only their own key in; sixty-four threads and sixty-four tasks use both. The sandbox
notes parents whose variations two batches wrote at once, as WooCommerce corrupts their prices then.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from storebridge.engine import HandlerTransport
from storebridge.flow import Request, Response
from storebridge.models import Product, Variant
from storebridge.store import AsyncStore, Store
from storebridge.store.base import Opening
from storebridge.testing import Canaries
from storebridge.testing.sandbox import header
from storebridge_woocommerce.access import basic
from storebridge_woocommerce.sandbox import create, settings
from tests.campaigns.test_woocommerce_rivals import shirt
from tests.campaigns.woocommerce import WooShop, adapter, usd

MANY = 64


class Guarded:
    """A shop that lets one key in, and counts who comes with another one."""

    def __init__(self, folder: Path, canaries: Canaries, name: str) -> None:
        self.name, self.folder, self.sandbox = name, folder / name, create()
        self.keys = {n: canaries.secret(f"{name} {n}") for n in ("key", "secret", "password")}
        own = settings()
        self.own = {
            basic(self.keys["key"], self.keys["secret"]): basic(own["key"], own["secret"]),
            basic(own["user"], self.keys["password"]): basic(own["user"], own["password"]),
        }
        self.asked = self.strangers = 0
        self._lock = Lock()

    def __call__(self, request: Request) -> Response:
        """Answer who has the key."""
        with self._lock:
            self.asked += 1
            sent = header(request, "authorization")
            self.strangers += bool(sent) and sent not in self.own
        headers = {**request.headers, "authorization": self.own.get(sent, "")}
        return self.sandbox(replace(request, headers=headers))

    def opening(self) -> tuple[Any, Opening]:
        """Return what a store of this shop is made of."""
        url = f"https://{self.name}.example.com"
        transport = HandlerTransport(self)
        return adapter(url=url, **self.keys), Opening(state=self.folder, transport=transport)

    def check(self) -> None:
        """Its own key came, and its own products are there, once each."""
        assert self.asked >= MANY
        assert not self.strangers, "a request came with another shop's key"
        sql = "SELECT sku FROM posts WHERE kind = 'product'"
        skus = Counter(sku for (sku,) in self.sandbox.db.execute(sql))
        assert skus == Counter(f"{self.name}-{n}" for n in range(MANY // 2))


def mine(shop: Guarded, number: int) -> Product:
    """Return a product of a shop."""
    sku = f"{shop.name}-{number}"
    return Product(handle=sku, title=sku, variants=(Variant(sku=sku, price=usd("5")),))


@pytest.fixture
def shops(tmp_path: Path, canaries: Canaries) -> tuple[Guarded, Guarded]:
    return Guarded(tmp_path, canaries, "one"), Guarded(tmp_path, canaries, "two")


def test_threads_never_mix_the_keys_of_two_shops(shops: tuple[Guarded, Guarded]) -> None:
    stores = [Store(*shop.opening()) for shop in shops]

    def work(number: int) -> None:
        which = number % 2
        outcome = stores[which].products.create(mine(shops[which], number // 2))
        assert str(outcome.status) == "applied", outcome
        found = stores[which].products.find(f"sku:{shops[which].name}-{number // 2}")
        assert found is not None

    with ThreadPoolExecutor(MANY) as pool:
        list(pool.map(work, range(MANY)))
    for store, shop in zip(stores, shops, strict=True):
        store.close()
        shop.check()


def test_tasks_never_mix_the_keys_of_two_shops(shops: tuple[Guarded, Guarded]) -> None:
    async def work(store: AsyncStore, shop: Guarded, number: int) -> None:
        outcome = await store.products.create(mine(shop, number))
        assert str(outcome.status) == "applied", outcome
        assert await store.products.find(f"sku:{shop.name}-{number}") is not None

    async def main() -> None:
        async with AsyncStore(*shops[0].opening()) as one, AsyncStore(*shops[1].opening()) as two:
            both = ((one, shops[0]), (two, shops[1]))
            tasks = (work(*both[n % 2], n // 2) for n in range(MANY))
            await asyncio.gather(*tasks)

    asyncio.run(main())
    for shop in shops:
        shop.check()


class Writers:
    """Before a shop: counts how many write one product at once, slowly enough to meet."""

    def __init__(self, shop: WooShop) -> None:
        self.shop, self.now, self.most = shop, Counter[str](), Counter[str]()
        self._lock = Lock()

    def __call__(self, request: Request) -> Response:
        """Answer a write after a while, and note who was there meanwhile."""
        if not request.kind.mutates:
            return self.shop.sandbox(request)
        names = _products(request)
        with self._lock:
            self.now.update(names)
            self.most |= +self.now
        time.sleep(0.02)
        try:
            return self.shop.sandbox(request)
        finally:
            with self._lock:
                self.now.subtract(names)


def _products(request: Request) -> set[str]:
    """Return the ids of the products that a request writes."""
    body = json.loads(request.body) if isinstance(request.body, bytes) else {}
    parts = request.path.split("/products/")[-1].split("/")
    if parts[0] != "batch":
        return {parts[0]}
    return {str(item["id"]) for item in body.get("update", ())}


def test_traps_10_and_11_one_writer_at_a_time_for_each_product(tmp_path: Path) -> None:
    """Eight stores with one state write the same two products and their variations."""
    with WooShop(tmp_path) as shop:
        shop.fill([shirt(), Product(handle="b", title="B", variants=(Variant(price=usd("5")),))])
        writers = Writers(shop)

        def work(number: int) -> None:
            with shop.open(inner=HandlerTransport(writers)) as store:
                variants = (Variant(sku="SHIRT-S", price=usd(f"{20 + number}.00")),)
                store.products.update(Product(handle="shirt", variants=variants))
                store.products.update(Product(handle="b", title=f"B {number}"))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert not shop.sandbox.overlaps
        assert len(writers.most) == 2
        assert set(writers.most.values()) == {1}, writers.most
