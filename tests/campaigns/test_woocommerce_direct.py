"""Direct writes to a WooCommerce shop through a bad network: each record told once, none doubled.

`create_many` and `upsert_many` have no plan to go on from: who gets `unknown` or `failed` gives the
same records again, as a script does.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from storebridge.models import Product
from storebridge.testing import Fault, seeded
from tests.campaigns.platforms import given
from tests.campaigns.rig import FAULTS, until
from tests.campaigns.woocommerce import CATEGORIES, Nemesis, WooShop, catalogue, docs


def wanted(seed: int, products: int) -> list[Product]:
    """Return products; what one of them names may not be there yet."""
    return [
        each.without("upsells") for each in catalogue(seed, products) if isinstance(each, Product)
    ]


def campaign(folder: Path, seed: int, products: int, rate: float) -> int:
    """Write directly until all is there; return how many records were given."""
    source = wanted(seed, products)
    with WooShop(folder, batch_size=4) as shop:
        shop.fill(each for each in catalogue(seed, 0))
        count = given(
            shop,
            source,
            lambda run: seeded(1000 * seed + run, rate / 2, FAULTS),
            lambda run: Nemesis(shop, 1000 * seed + run, rate / 2),
        )
        found = docs(shop.sandbox)  # no two of a kind
        slugs = {name.partition(" ")[2] for name in found if name.startswith("product ")}
        assert slugs == {each.handle for each in source}
        sizes = sum(len(each.variants) for each in source if each.options)
        assert sum(name.startswith("variation ") for name in found) == sizes
        assert sum(name.startswith("term product_cat ") for name in found) == len(CATEGORIES) + 1
        with shop.open() as store:
            again = list(store.products.upsert_many(source))
        assert {str(o.status) for o in again} == {"unchanged"}, again
    return count


def test_direct_writes_survive_lost_answers(tmp_path: Path) -> None:
    assert campaign(tmp_path, seed=4, products=12, rate=0.6) > 12


@pytest.mark.soak
def test_thousands_of_direct_writes_survive_lost_answers(tmp_path: Path) -> None:
    def one(folder: Path, seed: int) -> int:
        return campaign(folder, seed, 40, (0.2, 0.4, 0.6)[seed % 3])

    until(3_000, tmp_path, one)


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
