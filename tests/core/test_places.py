"""Where quantities belong: a location that the store doesn't have is told while planning."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import storebridge
from storebridge.errors import SourceError, UsageError
from storebridge.models import InventoryLevel, Product, Variant


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[storebridge.Store]:
    with storebridge.open("local::memory:", state=tmp_path / "state") as store:
        yield store


def tee(sku: str, **levels: int) -> Product:
    inventory = tuple(InventoryLevel(location=at, available=n) for at, n in levels.items())
    return Product(handle=sku.lower(), title=sku, variants=(Variant(sku=sku, inventory=inventory),))


def stock(shop: storebridge.Store, handle: str) -> dict[str, int]:
    [variant] = shop.products.find(handle).variants
    return {level.location: level.available for level in variant.inventory}


def test_a_location_that_is_not_there_is_told_once_for_all_rows(
    shop: storebridge.Store, tmp_path: Path
) -> None:
    rows = [tee("A", Shop=1), tee("B", Shop=2), tee("C", Depot=3)]
    with pytest.raises(SourceError) as caught:
        shop.plan(rows, tmp_path / "a.plan")
    told = [(each.value, each.remedy) for each in caught.value.problems]
    assert [name for name, _ in told] == ["Shop", "Depot"]
    assert "--location 'Shop=Default'" in told[0][1]


@pytest.mark.parametrize(
    ("said", "placed"),
    [("Shop=Default, Depot=Default", 5), (" Shop = Default,Depot=Default,Default", 5)],
)
def test_what_comes_to_one_location_is_added_up(
    shop: storebridge.Store, tmp_path: Path, said: str, placed: int
) -> None:
    shop.plan([tee("A", Shop=2, Depot=3)], tmp_path / "a.plan", location=said).apply()
    assert stock(shop, "a") == {"Default": placed}


@pytest.mark.parametrize("said", ["Shop=", "=Default", "Shop=Default,="])
def test_half_a_pair_is_refused(shop: storebridge.Store, tmp_path: Path, said: str) -> None:
    with pytest.raises(UsageError, match="lacks a name"):
        shop.plan([tee("A", Shop=2)], tmp_path / "a.plan", location=said)


def test_a_transform_may_place_them_and_what_it_leaves_is_left_out(
    shop: storebridge.Store, tmp_path: Path
) -> None:
    def place(product: Any, _live: Any) -> Any:
        return tee("A", Default=4) if product.handle == "a" else product

    rows = [tee("A", Shop=1), tee("B", Shop=2)]
    with shop.plan(rows, tmp_path / "a.plan", transforms=[place]) as plan:
        [skipped] = plan.skipped()
        assert plan.apply().counts["applied"] == 1
    assert "Shop" in skipped.message
    assert stock(shop, "a") == {"Default": 4}
