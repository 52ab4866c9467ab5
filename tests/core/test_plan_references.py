"""Records that name others by keys of several kinds: the same record is the same reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

import storebridge
from storebridge.engine.events import Event, RequestSent
from storebridge.models import Collection, Discount, Product, Record, Variant
from storebridge.plan.references import Named
from storebridge.store import Store
from tests.core.test_collections_plan import planned, run


def coat(letter: str) -> Product:
    return Product(handle=letter.lower(), title=letter, variants=(Variant(sku=letter),))


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep sandboxes of one test from the next one's."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["sandbox:shopify", "sandbox:woocommerce"])
def shop(request: pytest.FixtureRequest) -> Iterator[Store]:
    with storebridge.open(request.param) as store:
        for letter in "ABC":
            store.products.create(coat(letter))
        yield store


def sold(*products: str) -> Record:
    return Discount(codes=("SALE",), percentage=Decimal(10), products=products)


def sale(*products: str) -> Record:
    return Collection(handle="sale", title="Sale", sort_order="manual", products=products)


#: What names products on each platform: WooCommerce's categories have no list of them.
KINDS = [("sandbox:shopify", sold), ("sandbox:shopify", sale), ("sandbox:woocommerce", sold)]


def id_of(store: Store, handle: str) -> str:
    found = store.products.find(handle)
    assert found is not None
    return f"id:{found.id}"


@pytest.mark.parametrize(("shop", "record"), KINDS, indirect=["shop"])
def test_other_keys_of_the_same_records_are_no_change(
    shop: Store, tmp_path: Path, record: Callable[..., Record]
) -> None:
    run(shop, [record("sku:A", "handle:b", id_of(shop, "c"))], tmp_path)
    for kept in (("sku:A", "sku:B", "sku:C"), ("handle:a", id_of(shop, "b"), "handle:c")):
        plan = planned(shop, [record(*kept)], tmp_path)
        assert (plan.counts["update"], plan.counts["unchanged"]) == (0, 1), kept


def test_a_change_is_shown_in_the_stores_own_words(shop: Store, tmp_path: Path) -> None:
    run(shop, [sold("handle:a")], tmp_path)
    plan = run(shop, [sold("sku:A", "sku:C")], tmp_path)
    (change,) = plan.changes()
    assert change.fields == (("products", ["handle:a"], ["handle:a", "handle:c"]),)
    undo = plan.undo(tmp_path / "undo.plan", shop)
    assert undo.apply(shop).ok
    assert list(undo.skipped()) == []
    assert planned(shop, [sold("handle:a")], tmp_path).is_empty


@pytest.mark.parametrize(
    ("platform", "record"), [("sandbox:shopify", sale), ("sandbox:woocommerce", sold)]
)
def test_what_the_plan_makes_is_named_otherwise_once_it_is_there(
    tmp_path: Path, platform: str, record: Callable[..., Record]
) -> None:
    with storebridge.open(platform) as store:
        nameless = Product(title="Winter coat", variants=(Variant(sku="W"),))
        source = [nameless, record("sku:W")]
        run(store, source, tmp_path)
        assert planned(store, source, tmp_path).is_empty


def test_the_records_that_many_name_are_asked_for_together(tmp_path: Path) -> None:
    sent: list[Event] = []
    with storebridge.open("sandbox:woocommerce", on_event=sent.append) as store:
        run(store, map(coat, "ABCDEFGH"), tmp_path)
        source = [
            Discount(codes=(each,), percentage=Decimal(10), products=(f"sku:{each}",))
            for each in "ABCDEFGH"
        ]
        run(store, source, tmp_path)
        sent.clear()
        assert planned(store, source, tmp_path).is_empty
        assert sum(isinstance(event, RequestSent) for event in sent) < len(source)


def test_an_outcome_is_kept_before_names_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[list[str]] = []
    with storebridge.open("sandbox:woocommerce") as store:
        nameless = Product(title="Winter coat", variants=(Variant(sku="W"),))
        plan = planned(store, [nameless, sold("sku:W")], tmp_path)
        reworded = Named.reworded

        def spied(named: Named, desired: Record, live: Record | None) -> Record:
            kept.append([item.label for item in plan.report().items()])
            return reworded(named, desired, live)

        monkeypatch.setattr(Named, "reworded", spied)
        assert plan.apply(store).ok
    assert kept[-1] == ["Winter coat", "sale"]
