"""Direct writes to a WooCommerce shop through a bad network: each record told once, none doubled.

`create_many` and `upsert_many` have no plan to go on from: who gets `unknown` or `failed` gives the
same records again, as a script does.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from storebridge.engine import HandlerTransport
from storebridge.errors import StorebridgeError
from storebridge.flow import Outcome
from storebridge.models import Product
from storebridge.testing import Fault, seeded
from tests.campaigns.test_woocommerce_lost_answers import FAULTS
from tests.campaigns.woocommerce import CATEGORIES, Nemesis, WooShop, catalogue, docs

_DONE = ("applied", "unchanged")


def wanted(seed: int, products: int) -> list[Product]:
    """Return products; what one of them names may not be there yet."""
    return [
        each.without("upsells") for each in catalogue(seed, products) if isinstance(each, Product)
    ]


def campaign(folder: Path, seed: int, products: int, rate: float) -> int:
    """Write directly until all is there; return how many records were given."""
    source, given = wanted(seed, products), 0
    with WooShop(folder, batch_size=4) as shop:
        shop.fill(each for each in catalogue(seed, 0))
        rest = source
        for number in range(40):
            verb = "create" if number == 0 else "upsert"
            outcomes = _write(shop, rest, verb, 1000 * seed + number, rate)
            given += len(rest)
            rest = [r for r, o in zip(rest, outcomes, strict=True) if str(o.status) not in _DONE]
            if not rest:
                break
            shop.clock.advance(600)
        assert not rest, [(o.change, o.message) for o in outcomes]
        found = docs(shop.sandbox)  # no two of a kind
        slugs = {name.partition(" ")[2] for name in found if name.startswith("product ")}
        assert slugs == {each.handle for each in source}
        sizes = sum(len(each.variants) for each in source if each.options)
        assert sum(name.startswith("variation ") for name in found) == sizes
        assert sum(name.startswith("term product_cat ") for name in found) == len(CATEGORIES) + 1
        with shop.open() as store:
            again = list(store.products.upsert_many(source))
        assert {str(o.status) for o in again} == {"unchanged"}, again
    return given


def _write(
    shop: WooShop, source: list[Product], verb: str, seed: int, rate: float
) -> list[Outcome]:
    """Give records once, and hold each answer against the shop."""
    nemesis = Nemesis(shop, seed, rate / 2)
    faults = seeded(seed, rate / 2, FAULTS)
    with shop.open(faults, HandlerTransport(nemesis)) as store:
        try:
            outcomes = list(getattr(store.products, f"{verb}_many")(source))
        except StorebridgeError as error:
            outcomes = [Outcome.failure(each.handle, error) for each in source]
    nemesis.work(all=True)
    assert not nemesis.overlaps
    live = {r.handle: r for r in shop.live().values() if isinstance(r, Product)}
    assert len(outcomes) == len(source)
    for record, outcome in zip(source, outcomes, strict=True):
        where = f"{verb} {record.handle}: {outcome}"
        if str(outcome.status) in _DONE:
            assert not shop.lacks(record, live[record.handle]), where
        else:
            assert outcome.cause, where
            assert outcome.message, where
            assert outcome.remedy or outcome.status == "unknown", where
    return outcomes


def test_direct_writes_survive_lost_answers(tmp_path: Path) -> None:
    assert campaign(tmp_path, seed=4, products=12, rate=0.6) > 12


@pytest.mark.soak
def test_thousands_of_direct_writes_survive_lost_answers(tmp_path: Path) -> None:
    given, seed = 0, 100
    while given < 3_000:
        seed += 1
        given += campaign(tmp_path / str(seed), seed, 40, (0.2, 0.4, 0.6)[seed % 3])
        shutil.rmtree(tmp_path / str(seed))


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.CUT, Fault.EMPTY, Fault.BROKEN_AFTER])
def test_every_answer_of_a_create_in_doubt_is_looked_into(tmp_path: Path, fault: Fault) -> None:
    """All the first answers of writes are spoiled in one way: made once, and told as made."""
    source = wanted(5, 8)
    hit = set[str]()

    def first(number: int, request: object) -> Fault | None:
        path = getattr(request, "path", "")
        if not path.endswith("/batch") or path in hit:
            return None
        hit.add(path)
        return fault

    with WooShop(tmp_path) as shop:
        shop.fill(each for each in catalogue(5, 0))
        with shop.open(first) as store:
            outcomes = list(store.products.create_many(source))
        assert {str(o.status) for o in outcomes} == {"applied"}, outcomes
        assert len({o.id for o in outcomes}) == len(source)
        docs(shop.sandbox)
