"""What scripts get wrong, and what they are told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import storebridge
from storebridge.errors import ConfigError, UsageError
from storebridge.models import Customer, Money, Product, Variant
from storebridge.report.hide import check_names
from storebridge.store import Store

TEE = Product(handle="tee", title="Tee", variants=(Variant(sku="T", price=Money("1.00", "EUR")),))
WRONG: Any = {"handle": "tee"}
MARGIN = '{"metafields": [{"namespace": "custom", "key": "margin", "value": "3"}]}'


def test_the_front_door_lists_its_names_only() -> None:
    assert dir(storebridge) == sorted(storebridge.__all__)
    assert storebridge.Request(method="GET", path="/products").path == "/products"


def test_a_record_of_another_kind_is_told(store: Store, tmp_path: Path) -> None:
    for write in (store.products.create, store.products.update, store.products.upsert):
        with pytest.raises(
            TypeError, match=r"takes a Product, not a dict: write Product\(\.\.\.\)"
        ):
            write(WRONG)
    wrong: Any = Customer(email="ada@example.com")
    number: Any = 3
    with pytest.raises(TypeError, match="update takes a Product, not a Customer"):
        list(store.products.update_many([TEE, wrong]))
    with pytest.raises(TypeError, match="delete takes a Product, not an int"):
        store.products.delete(number)
    with pytest.raises(TypeError, match="item 2 is a dict"):
        store.plan([TEE, WRONG], tmp_path / "a.plan")
    assert not (tmp_path / "a.plan").exists()


def test_tasks_are_told_the_same(tmp_path: Path) -> None:
    async def update() -> None:
        url = f"local:{tmp_path / 'shop.db'}"
        async with storebridge.open_async(url, state=tmp_path / "state") as store:
            assert store.supports("products")
            await store.products.update(WRONG)

    with pytest.raises(TypeError, match="update takes a Product, not a dict"):
        asyncio.run(update())


def test_fields_may_be_one_text(store: Store, tmp_path: Path) -> None:
    store.products.create(TEE)
    store.pull(tmp_path / "a.csv", fields="sku, price")
    header = (tmp_path / "a.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    assert header == "handle,sku,options,price"
    with pytest.raises(ConfigError, match="price"):
        store.pull(tmp_path / "b.csv", fields="prise")
    assert next(store.products.iter(fields="title")).title == "Tee"


def test_kinds_may_be_plural_and_are_checked(store: Store) -> None:
    assert store.supports("products")
    assert store.supports("categories")
    assert list(store.items("products").iter()) == []
    store.require("products")
    with pytest.raises(UsageError, match=r"'prodcts' is no kind of record\. Did you mean"):
        store.supports("prodcts")


def test_a_plan_is_done_or_changed(store: Store, tmp_path: Path) -> None:
    plan = store.plan([TEE], tmp_path / "a.plan")
    plan.check_seal()
    assert not plan.is_done
    assert plan.apply().ok
    assert plan.is_done
    assert plan.apply().counts["applied"] == 1


@pytest.mark.parametrize(
    "name",
    ["cost", "seo.title", "variants[TEE].cost", "custom.margin", "margin", "acme.profit"],
)
def test_what_a_report_hides_is_a_field_or_a_metafield(name: str) -> None:
    check_names([name], [MARGIN])


@pytest.mark.parametrize("name", ["costs", "variants.costs", "seo.titel", "margn", "custom.margn"])
def test_a_slip_in_what_a_report_hides_is_told(name: str) -> None:
    with pytest.raises(UsageError, match=r"is no field of a record.*Did you mean"):
        check_names(["cost", name], [MARGIN])
