"""Undo: everything back, except what people changed since."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storebridge import Store
from storebridge.models import (
    Collection,
    InventoryLevel,
    Media,
    Metafield,
    Option,
    Product,
    Record,
    Seo,
    Translation,
    Variant,
)
from storebridge.plan import Plan
from tests.records import CATALOGUE, euro, mug

EDIT = Product(
    handle="tee",
    title="Tee 2",
    tags=("winter",),
    seo=Seo(title="New"),
    collections=(),
    options=(Option(name="Size", values=("S", "M", "L")),),
    variants=(
        Variant(
            sku="TEE-S",
            price=euro("12.00"),
            compare_at_price=euro("15.00"),
            inventory=(InventoryLevel(available=50),),
        ),
        Variant(sku="TEE-L", options=("L",), price=euro("13.00")),
    ),
    media=(Media(url="https://cdn.example/back.jpg"),),
    metafields=(Metafield(namespace="care", key="wash", type="text", value="30"),),
    translations=(Translation(locale="de", field="title", value="Neu"),),
)


def contents(store: Store) -> dict[str, Any]:
    """Return what people see of a store: no ids of elements, no times."""
    return {
        record.label: _anonymous(record)
        for records in (store.products, store.collections)
        for record in records.iter()
    }


def _anonymous(record: Record) -> Any:
    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            drop = {"id", "created_at", "updated_at"}
            return {
                k: strip(v) for k, v in value.items() if k not in drop and v not in ([], "", None)
            }
        return [strip(item) for item in value] if isinstance(value, list) else value

    return strip(record.model_dump(mode="json"))


@pytest.fixture
def undone(filled: Store, tmp_path: Path) -> Callable[..., Plan]:
    """Applies a source, lets somebody meddle, and returns the applied undo."""

    def run(source: list[Record], meddle: Callable[[], Any] = lambda: None, **options: Any) -> Plan:
        chosen = options.pop("undo", {})
        plan = filled.plan(source, tmp_path / "do.plan", stock=True, **options)
        assert plan.apply(filled).ok
        meddle()
        undo = plan.undo(tmp_path / "undo.plan", filled, **chosen)
        undo.apply(filled)
        return undo

    return run


def test_everything_comes_back(filled: Store, undone: Callable[..., Plan]) -> None:
    before = contents(filled)
    undo = undone([EDIT, Product(handle="mug", title="Mug 2")])
    assert contents(filled) == before
    assert list(undo.skipped()) == []
    assert undo.report().ok


def test_what_a_person_changed_since_is_kept_field_by_field(
    filled: Store, undone: Callable[..., Plan]
) -> None:
    undo = undone([EDIT], lambda: filled.products.update(Product(handle="tee", title="Mine")))
    found = filled.products.find("tee")
    assert found is not None
    assert found.title == "Mine"
    assert found.tags == ("cotton", "summer")
    (kept,) = undo.skipped()
    assert (kept.cause, kept.message) == ("kept", "changed since: title")


def test_what_a_person_put_back_already_is_no_matter(
    filled: Store, undone: Callable[..., Plan]
) -> None:
    before = contents(filled)
    back = Product(handle="tee", title="Tee", variants=(Variant(sku="TEE-S", price=euro("10.00")),))
    undo = undone([EDIT], lambda: filled.products.update(back))
    assert list(undo.skipped()) == []
    assert contents(filled) == before


def test_an_element_that_a_person_changed_since_is_kept(
    filled: Store, undone: Callable[..., Plan]
) -> None:
    theirs = Product(handle="tee", variants=(Variant(sku="TEE-S", price=euro("99.00")),))
    undone([EDIT], lambda: filled.products.update(theirs))
    found = filled.products.find("tee")
    assert found is not None
    assert [(v.sku, str(v.price)) for v in found.variants] == [
        ("TEE-S", "99.00 EUR"),
        ("TEE-M", "11.00 EUR"),
    ]


def test_undo_of_a_create_archives_a_product_and_deletes_an_untouched_collection(
    filled: Store, undone: Callable[..., Plan]
) -> None:
    new = [
        Collection(handle="sale", title="Sale"),
        mug(handle="cup", variants=(), collections=("sale",)),
    ]
    undone(new)
    found = filled.products.find("cup")
    assert found is not None
    assert found.status == "archived"
    assert filled.collections.find("sale") is None


def test_a_created_collection_that_a_person_changed_is_kept(
    filled: Store, undone: Callable[..., Plan]
) -> None:
    theirs = Collection(handle="sale", title="Ours")
    undo = undone(
        [Collection(handle="sale", title="Sale")], lambda: filled.collections.update(theirs)
    )
    assert [row.cause for row in undo.skipped()] == ["kept"]
    assert filled.collections.find("sale") is not None


def test_a_deleted_record_comes_back_whole(filled: Store, undone: Callable[..., Plan]) -> None:
    before = contents(filled)
    source: list[Record] = [record for record in CATALOGUE if record.label != "tee"]
    undone(source, absent="delete", where="vendor = 'Acme'", max_deletes=1)
    assert contents(filled) == before


def test_only_some_records_or_some_fields(filled: Store, undone: Callable[..., Plan]) -> None:
    source = [EDIT, Product(handle="mug", title="Mug 2", vendor="V")]
    undone(source, undo={"fields": ("title",), "where": "handle = 'mug'"})
    tee, mug_now = filled.products.find("tee"), filled.products.find("mug")
    assert tee is not None
    assert mug_now is not None
    assert (tee.title, mug_now.title, mug_now.vendor) == ("Tee 2", "Mug", "V")


def test_what_cannot_be_reversed_is_said_before_apply(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    records = filled.adapter.records("product")
    fixed = {**records.fields, "title": replace(records.fields["title"], reverse=False)}
    monkeypatch.setattr(records, "fields", fixed)
    plan = filled.plan([Product(handle="mug", title="X", vendor="V")], tmp_path / "a.plan")
    (change,) = plan.changes()
    assert change.undo == "partly"
    plan.apply(filled)
    undo = plan.undo(tmp_path / "undo.plan", filled)
    assert [(row.cause, row.message) for row in undo.skipped()] == [
        ("irreversible", "can't be put back: title")
    ]
    undo.apply(filled)
    found = filled.products.find("mug")
    assert found is not None
    assert (found.title, found.vendor) == ("X", "Potter")


def test_an_undo_can_be_undone(filled: Store, undone: Callable[..., Plan], tmp_path: Path) -> None:
    undo = undone([EDIT])
    with undo.undo(tmp_path / "redo.plan", filled) as redo:
        assert redo.apply(filled).ok
    found = filled.products.find("tee")
    assert found is not None
    assert (found.title, found.tags) == ("Tee 2", ("winter",))


def test_a_plan_that_was_never_applied_has_nothing_to_undo(filled: Store, tmp_path: Path) -> None:
    plan = filled.plan([EDIT], tmp_path / "a.plan")
    assert plan.undo(tmp_path / "u.plan", filled).is_empty
