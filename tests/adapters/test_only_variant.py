"""A product without options has one variant: a new SKU is that one's, on every platform."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import storebridge
from storebridge.errors import Refused
from storebridge.flow import Status
from storebridge.models import InventoryLevel, Money, Option, Product, Variant
from storebridge.plan import Plan
from storebridge.store import Store

Planned = Callable[..., Plan]
STORES = (
    "local:{folder}/shop.db",
    "sandbox:shopify?memory",
    "sandbox:woocommerce?memory&woocommerce_currency=EUR",
)


@pytest.fixture(params=STORES, ids=["local", "shopify", "woocommerce"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store with a cup that has no options, and a tee that has one."""
    with storebridge.open(request.param.format(folder=tmp_path)) as store:
        held = (InventoryLevel(location=store.info.locations[0].name, available=5),)
        store.products.create(cup(variant("OLD-1", "10", inventory=held)))
        sizes = (variant("T-S", "10", options=("S",)), variant("T-M", "11", options=("M",)))
        options = (Option(name="Size", values=("S", "M")),)
        store.products.create(Product(handle="tee", title="Tee", options=options, variants=sizes))
        yield store


@pytest.fixture
def planned(shop: Store, tmp_path: Path) -> Planned:
    """Plan a product into the store."""

    def plan(product: Product, **options: Any) -> Plan:
        number = len(list(tmp_path.glob("*.plan")))
        return shop.plan([product], tmp_path / f"{number}.plan", **options)

    return plan


def variant(sku: str, price: str = "", **fields: Any) -> Variant:
    made = Variant(sku=sku, **fields)
    return made.model_copy(update={"price": Money(price, "EUR")}) if price else made


def cup(*variants: Variant, **fields: Any) -> Product:
    return Product(handle="cup", title="Cup", variants=variants, **fields)


def held(store: Store, handle: str = "cup") -> list[tuple[str, str, int]]:
    product = store.products.find(handle)
    assert product is not None
    return [
        (each.sku, str(each.price and each.price.amount.normalize()), level.available)
        for each in product.variants
        for level in each.inventory or (InventoryLevel(available=0),)
    ]


def paths(plan: Plan) -> dict[str, tuple[Any, Any]]:
    return {path: (was, now) for change in plan.changes() for path, was, now in change.fields}


@pytest.mark.parametrize("given", [{}, {"options": ()}], ids=["not given", "empty"])
def test_a_new_sku_is_the_only_variants(
    shop: Store, planned: Planned, tmp_path: Path, given: Any
) -> None:
    desired = cup(variant("NEW-1", "100"), **given)
    with pytest.raises(Refused, match=r"OLD-1\].price 10"):
        planned(desired, max_price_move="20%")
    plan = planned(desired)
    assert list(paths(plan)) == ["variants[OLD-1].sku", "variants[OLD-1].price"]
    assert paths(plan)["variants[OLD-1].sku"] == ("OLD-1", "NEW-1")
    assert plan.apply().ok
    assert held(shop) == [("NEW-1", "1E+2", 5)]
    assert planned(desired).is_empty
    back = plan.undo(tmp_path / "back.plan")
    assert not list(back.skipped())
    assert back.apply().ok
    assert held(shop) == [("OLD-1", "1E+1", 5)]


def test_a_price_that_was_changed_since_the_plan_is_a_conflict(
    shop: Store, planned: Planned
) -> None:
    plan = planned(cup(variant("NEW-1", "100")))
    assert shop.products.update(cup(variant("OLD-1", "12"))).status == Status.APPLIED
    assert plan.apply().counts["skipped"] == 1
    assert held(shop) == [("OLD-1", "12", 5)]


def test_a_direct_update_changes_the_only_variant(shop: Store) -> None:
    found = shop.products.find("cup")
    assert found is not None
    renamed = Product(id=found.id, variants=(variant("NEW-1", "100"),))
    for status in (Status.APPLIED, Status.UNCHANGED):
        assert shop.products.update(renamed).status == status
        assert held(shop) == [("NEW-1", "1E+2", 5)]


@pytest.mark.parametrize(
    ("desired", "message"),
    [
        (cup(variant("OLD-1", "9"), variant("NEW-1", "9")), "asked for besides: 'NEW-1'"),
        (
            cup(variant("A", "9", options=()), variant("B", "9", options=())),
            "asked for besides: 'A', 'B'",
        ),
        (
            cup(variant("NEW-1", options=("S",))),
            "asked for besides: 'NEW-1'",
        ),
        (
            cup(variant("NEW-1", "9"), options=(Option(name="Size", values=("S",)),)),
            "'NEW-1' of 'cup' has 0 option values instead of 1 (Size)",
        ),
        (
            Product(handle="tee", variants=(variant("T-L", "9"),)),
            "'T-L' of 'tee' has 0 option values instead of 1",
        ),
    ],
    ids=["a second one", "two others", "with a value", "becomes options", "without a value"],
)
def test_a_variant_without_a_place_is_told_and_not_written(
    shop: Store, planned: Planned, desired: Product, message: str
) -> None:
    before = held(shop), held(shop, "tee")
    plan = planned(desired)
    (skipped,) = plan.skipped()
    assert plan.is_empty
    assert (skipped.cause, bool(skipped.remedy)) == ("invalid", True)
    assert message in skipped.message
    outcome = shop.products.update(desired)
    assert (outcome.status, outcome.cause) == (Status.FAILED, "invalid")
    assert message in outcome.message
    assert (held(shop), held(shop, "tee")) == before


def test_a_variant_under_another_id_is_not_the_only_one(shop: Store) -> None:
    found = shop.products.find("cup")
    assert found is not None
    outcome = shop.products.update(Product(id=found.id, variants=(variant("NEW-1", id="999"),)))
    assert (outcome.status, outcome.cause) == (Status.FAILED, "invalid")
    assert outcome.message.endswith("besides: 'NEW-1' (id 999)")
    assert held(shop) == [("OLD-1", "1E+1", 5)]


def test_a_feed_with_an_unknown_sku_renames_nothing(shop: Store, planned: Planned) -> None:
    plan = planned(Product(variants=(variant("NEW-1", "100"),)))
    assert plan.is_empty
    assert [row.cause for row in plan.skipped()] == ["unknown"]
