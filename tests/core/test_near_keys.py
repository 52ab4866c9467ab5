"""Keys that differ in case alone never make a second record; a store that is gone is not made."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from storebridge.errors import PlanError
from storebridge.flow import Status
from storebridge.models import Order, Product, Variant
from storebridge.plan import Plan
from storebridge.store import Store
from tests.conftest import OpenStore


def product(handle: str, sku: str) -> Product:
    return Product(handle=handle, title="A", variants=(Variant(sku=sku),))


@pytest.mark.parametrize(("handle", "sku"), [("other", "s0"), ("Tee", "T-9")])
def test_a_key_in_another_case_is_refused(
    store: Store, tmp_path: Path, handle: str, sku: str
) -> None:
    store.products.create(product("tee", "S0"))
    plan = store.plan([product(handle, sku)], tmp_path / "a.plan")
    assert plan.counts["create"] == 0
    (skipped,) = plan.skipped()
    both = ("'sku:s0'", "'sku:S0'") if sku == "s0" else ("'handle:Tee'", "'handle:tee'")
    assert all(name in skipped.message for name in both), skipped.message
    for verb in ("create", "upsert"):
        outcome = getattr(store.products, verb)(product(handle, sku))
        assert (outcome.status, outcome.cause) == (Status.FAILED, "ambiguous")
        assert all(name in outcome.message for name in both)
    assert len(list(store.products.iter())) == 1


def test_one_that_is_there_exactly_is_meant(store: Store, tmp_path: Path) -> None:
    store.products.create(product("tee", "S0"))
    assert store.products.find("sku:s0") is None
    assert store.plan([product("tee", "S0")], tmp_path / "a.plan").is_empty


def test_the_look_up_has_an_index_in_older_stores_too(
    store: Store, tmp_path: Path, open_store: OpenStore
) -> None:
    store.products.create(product("tee", "S0"))
    path = store.url.removeprefix("local:")
    store.close()
    with sqlite3.connect(path) as file:
        file.execute("DROP INDEX key_near")
    assert store.products.find("tee") is not None
    store.close()
    with sqlite3.connect(path) as file:
        steps = file.execute(
            "EXPLAIN QUERY PLAN SELECT id FROM key WHERE kind = 'product' AND name COLLATE NOCASE "
            "IN (SELECT value FROM json_each('[]'))"
        ).fetchall()
    assert "key_near (kind=? AND name=?)" in steps[0][3]


def test_a_plan_makes_no_store_that_is_gone(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.plan"
    store.plan([product("tee", "S0")], path).close()
    file = Path(store.url.removeprefix("local:"))
    store.close()
    for each in file.parent.glob(f"{file.name}*"):
        if each.is_file():
            each.unlink()
    with Plan.open(path) as plan, pytest.raises(PlanError, match="there is no store file") as told:
        plan.apply(store)
    assert told.value.exit_code == 3
    assert not file.exists()
    assert list(store.products.iter()) == []
    assert file.exists(), "opening a store makes it"


def test_an_order_that_is_there_is_told_with_its_article(store: Store) -> None:
    order = Order(key="old-1", number="#1")
    assert store.orders.create(order).status is Status.APPLIED
    assert store.orders.create(order).message.startswith("the store has an order 'old-1' already")
