"""Direct writes to a Shopify shop through a bad network: each record told once, none doubled.

`create_many` and `upsert_many` have no plan to go on from: who gets `unknown` or `failed` gives the
same records again, as a script does.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from storebridge.engine import HandlerTransport
from storebridge.flow import Request, Response
from storebridge.models import Collection, Customer, Product, Record, Variant
from storebridge.testing import Fault
from tests.campaigns.platforms import given
from tests.campaigns.rig import until
from tests.campaigns.shopify import (
    APP,
    COLLECTIONS,
    LAG,
    Nemesis,
    ShopifyShop,
    catalogue,
    denied,
    docs,
    eur,
    faults,
    operation,
)


def wanted(seed: int, products: int) -> dict[str, list[Record]]:
    """Return records by kind; a picture's address says nothing to a call that remembers nothing."""
    found: dict[str, list[Record]] = {"collection": [], "customer": [], "product": []}
    for each in catalogue(seed, products):
        found[each.kind].append(each.without("media") if isinstance(each, Product) else each)
    return found


def campaign(folder: Path, seed: int, products: int, rate: float) -> int:
    """Write directly until all is there; return how many records were given."""
    with ShopifyShop(folder, switches=LAG, **APP) as shop:
        count = sum(
            given(
                shop,
                each,
                lambda run: faults(1000 * seed + run, rate / 2),
                lambda run: Nemesis(shop, 1000 * seed + run, rate / 2),
            )
            for each in wanted(seed, products).values()
        )
        found = docs(shop.sandbox)  # no two of a kind
        source = [each for kind in wanted(seed, products).values() for each in kind]
        kinds = Counter(name.partition(" ")[0] for name in found)
        assert kinds["Product"] == products
        assert kinds["Collection"] == len(COLLECTIONS) + 1
        assert kinds["Customer"] == products // 4
        sizes = sum(len(each.variants) for each in source if isinstance(each, Product))
        assert kinds["ProductVariant"] == kinds["InventoryItem"] == sizes
        shop.clock.advance(60)
        with shop.open() as store:
            again = list(store.items("product").upsert_many(wanted(seed, products)["product"]))
        assert {str(o.status) for o in again} == {"unchanged"}, again
    return count


def test_direct_writes_survive_lost_answers(tmp_path: Path) -> None:
    assert campaign(tmp_path, seed=7, products=5, rate=0.4) > 10


@pytest.mark.soak
def test_thousands_of_direct_writes_survive_lost_answers(tmp_path: Path) -> None:
    def one(folder: Path, seed: int) -> int:
        return campaign(folder, seed, 40, (0.1, 0.2, 0.4)[seed % 3])

    until(3_000, tmp_path, one)


# -- creates whose answer is lost, by what they can be found by


def mug(number: int, key: str) -> Product:
    """Return a product that can be found by its handle, by its SKU or by nothing."""
    own: dict[str, Any] = {"handle": f"mug-{number}"} if key == "handle" else {}
    sku = f"MUG-{number}" if key == "sku" else ""
    return Product(title=f"Mug {number}", variants=(Variant(sku=sku, price=eur("9.90")),), **own)


class First:
    """Spoils the first answer to each operation that writes, in one way."""

    def __init__(self, fault: Fault) -> None:
        self.fault, self.hit = fault, set[str]()

    def __call__(self, _number: int, request: Request) -> Fault | None:
        place = f"{operation(request)} {request.covers}"
        if not request.kind.mutates or place in self.hit:
            return None
        self.hit.add(place)
        return self.fault


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.VANISHED])
@pytest.mark.parametrize("key", ["handle", "sku", "nothing"])
def test_a_create_in_doubt_is_looked_for(tmp_path: Path, key: str, fault: Fault) -> None:
    """What has a key is made once and told as made; what has none is told as unknown."""
    source = [mug(number, key) for number in range(4)]
    with ShopifyShop(tmp_path, switches=LAG) as shop:
        with shop.open(First(fault)) as store:
            outcomes = list(store.products.create_many(source))
        titles = Counter(doc["title"] for doc in shop.sandbox.all("Product"))
        assert max(titles.values(), default=1) == 1, f"doubled: {titles}"
        told = {str(outcome.status) for outcome in outcomes}
        assert told == {"unknown" if key == "nothing" else "applied"}, outcomes
        if key != "nothing":
            assert len({outcome.id for outcome in outcomes}) == len(titles) == 4


@pytest.mark.parametrize("kind", ["collection", "customer"])
def test_other_records_in_doubt_are_looked_for(tmp_path: Path, kind: str) -> None:
    source: list[Any] = [Collection(handle=f"c-{n}", title="Same") for n in range(3)]
    if kind == "customer":
        source = [Customer(email=f"c-{n}@example.com", first_name="Same") for n in range(3)]
    with ShopifyShop(tmp_path, switches=LAG) as shop:
        with shop.open(First(Fault.LOST)) as store:
            outcomes = list(store.items(kind).create_many(source))
        assert {str(o.status) for o in outcomes} == {"applied"}, outcomes
        assert shop.sandbox.count(kind.title()) == 3


def test_a_strangers_product_is_not_adopted(tmp_path: Path) -> None:
    """Somebody makes a product with the same handle while the answer to ours is lost."""
    with ShopifyShop(tmp_path) as shop:
        with shop.open() as store:
            store.products.create(mug(1, "handle").but(title="Theirs"))
        with shop.open(First(Fault.VANISHED)) as store:
            [outcome] = store.products.create_many([mug(1, "handle")])
        assert str(outcome.status) in ("failed", "unknown"), outcome
        [doc] = shop.sandbox.all("Product")
        assert doc["title"] == "Theirs"


def test_a_field_that_may_not_be_seen_says_nothing_of_the_write(tmp_path: Path) -> None:
    """Each first answer lacks a field, with an error beside it: what was done is not failed."""
    dice, hit = random.Random("denied"), set[Any]()

    def network(request: Request) -> Response:
        said, place = shop.sandbox(request), (operation(request), request.covers)
        if not request.kind.mutates or place in hit:
            return said
        hit.add(place)
        return denied(dice, said)

    with ShopifyShop(tmp_path, switches=LAG) as shop:
        with shop.open(inner=HandlerTransport(network)) as store:
            made = list(store.products.create_many([mug(n, "handle") for n in range(4)]))
            named = [Product(handle=f"mug-{n}", vendor="Acme") for n in range(4)]
            told = list(store.products.update_many(named))
        assert {str(each.status) for each in made} == {"applied"}, made
        assert {str(each.status) for each in told} <= {"applied", "unknown"}, told
        assert [doc["vendor"] for doc in shop.sandbox.all("Product")] == ["Acme"] * 4
