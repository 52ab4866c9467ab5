"""What Shopify can't hold is told before anything is written, and isn't sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.shopify.shop import opened, tee

from storebridge.models import (
    Collection,
    Consent,
    Customer,
    Metafield,
    Option,
    Product,
    Record,
    Variant,
)
from storebridge.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path) as found:
        yield found


def planned(store: Store, folder: Path, *records: Record, **options: Any) -> Any:
    found = store.plan(list(records), folder / "plan", **options)
    rows = {row["field"]: row["after"] for row in found.rows()}
    return found, rows, [(each.field, each.message) for each in found.fit()]


FIT = ("status", "Shopify has no status 'pending'")


def test_a_status_of_another_platform_is_told_and_a_new_product_is_a_draft(
    store: Store, tmp_path: Path
) -> None:
    plan, rows, fit = planned(store, tmp_path, tee(status="pending", tags=("a",)))
    assert fit == [FIT]
    assert rows["status"] == "draft"
    assert plan.apply().ok
    assert store.products.find("handle:tee").status == "draft"  # type: ignore[union-attr]


def test_a_status_of_another_platform_leaves_that_of_a_product(
    store: Store, tmp_path: Path
) -> None:
    assert planned(store, tmp_path, tee(status="active"))[0].apply().ok
    (tmp_path / "plan").unlink()
    desired = Product(handle="tee", title="New", status="pending")
    plan, rows, fit = planned(store, tmp_path, desired)
    assert (rows, fit) == ({"title": "New"}, [FIT])
    assert plan.apply().ok
    found: Any = store.products.find("handle:tee")
    assert (found.title, found.status) == ("New", "active")
    (tmp_path / "plan").unlink()
    assert planned(store, tmp_path, desired)[0].is_empty


def test_a_status_that_a_transform_gives_is_no_other(store: Store, tmp_path: Path) -> None:
    assert planned(store, tmp_path, tee(status="active"))[0].apply().ok
    (tmp_path / "plan").unlink()

    def pending(desired: Record, live: Record | None) -> Record:
        return desired.but(title="New", status="pending")

    plan, rows, fit = planned(store, tmp_path, Product(handle="tee"), transforms=[pending])
    assert (rows, fit) == ({"title": "New"}, [FIT])
    assert plan.apply().ok


def test_a_direct_write_says_what_it_leaves_out(store: Store) -> None:
    store.products.create(tee(status="active"))
    outcome = store.products.update(Product(handle="tee", title="New", status="pending"))
    assert outcome.status == "applied"
    assert outcome.message == "Shopify can't hold: status"
    assert store.products.find("handle:tee").status == "active"  # type: ignore[union-attr]


def test_orders_and_consents_that_shopify_has_no_words_for(store: Store, tmp_path: Path) -> None:
    said = (
        Consent(channel="email", state="subscribed"),
        Consent(channel="fax", state="subscribed"),
    )
    person = Customer(email="a@example.com", consents=said)
    collection = Collection(handle="c", title="C", sort_order="by moon")
    plan, rows, fit = planned(store, tmp_path, person, collection)
    assert {field for field, _ in fit} == {"sort_order", "consents"}
    assert "sort_order" not in rows
    report = plan.apply()
    assert report.ok, list(map(str, report.items("failed")))


def test_columns_that_nobody_knows_are_told_by_name(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("Handle,Title,Farbton,Notes\ntee,Tee,red,\n", encoding="utf-8")
    plan = store.plan(file, tmp_path / "plan")
    fields = [each.field for each in plan.fit()]
    assert fields == ["platform_fields.shopify.columns.Farbton"]


def test_a_variant_without_a_price_is_told_before_it_is_refused(
    store: Store, tmp_path: Path
) -> None:
    desired = tee(variants=(Variant(sku="A", price=None),))
    plan, _, fit = planned(store, tmp_path, desired)
    assert fit == [("variants.price", "Shopify refuses a variant without a price")]
    assert [item.message for item in plan.apply().items()] == ["a variant needs a price"]


def test_a_unit_without_a_weight_is_no_loss(store: Store, tmp_path: Path) -> None:
    own = {"shopify": {"weight_unit": "kg", "own": 1}}
    _, _, fit = planned(store, tmp_path, tee(variants=(Variant(sku="A", platform_fields=own),)))
    assert [field for field, _ in fit] == ["variants.platform_fields.shopify.own"]


def test_what_a_variant_keeps_or_the_shop_makes_is_no_loss(store: Store, tmp_path: Path) -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    kept = tee(sku="A", updated_at=moment, variants=(Variant(sku="A"),))
    lost = tee(handle="mug", sku="B", variants=(Variant(sku="C"),))
    fit = planned(store, tmp_path, kept, lost)[0].fit()
    assert [(each.label, each.field) for each in fit] == [("mug", "sku")]


def test_variants_that_say_nothing_in_a_part_are_no_change_of_it(
    store: Store, tmp_path: Path
) -> None:
    sizes = (Option(name="Size", values=("S",)), Option(name="Size", values=("S", "M")))
    small = Variant(sku="S", options=("S",), metafields=(), media=())
    money = Metafield(namespace="own", key="note", value="c")
    large = small.but(sku="M", options=("M",), metafields=(money,))
    desired = Product(handle="tee", title="Tee", options=sizes[:1], variants=(small,))
    plan, _, _ = planned(store, tmp_path, desired)
    assert [change.part for change in plan.changes()] == ["core"]
    assert plan.apply().ok
    (tmp_path / "plan").unlink()
    plan, _, _ = planned(store, tmp_path, desired.but(options=sizes[1:], variants=(small, large)))
    changes = {change.part: [path for path, _, _ in change.fields] for change in plan.changes()}
    assert changes == {"core": ["options", "variants[M]"], "metafields": ["variants[M]"]}
    assert plan.apply().ok
