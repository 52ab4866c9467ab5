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


def test_a_slip_in_fields_is_told_before_anything_is_read(store: Store) -> None:
    store.products.create(TEE)
    with pytest.raises(ConfigError, match=r"a product has no field 'titel'\. Did you mean title\?"):
        list(store.products.iter(fields=["handle", "titel"]))
    with pytest.raises(ConfigError, match=r"no field 'metafields\.a\.b'\. Did you mean metafields"):
        list(store.products.iter(fields=["metafields.a.b"]))
    with pytest.raises(ConfigError, match=r"a customer has no field 'price'\. It has: id, key"):
        list(store.customers.iter(fields="price"))
    [variant] = next(store.products.iter(fields="price")).variants
    assert variant.price == Money("1.00", "EUR")


def test_what_is_no_text_is_told(store: Store) -> None:
    number: Any = 5
    nothing: Any = None
    adapter: Any = "sandbox:shopify"
    with pytest.raises(TypeError, match="find takes a key as a text, not int"):
        store.products.find(number)
    with pytest.raises(TypeError, match="get takes an id as a text, not int"):
        store.products.get(number)
    with pytest.raises(TypeError, match=r"its name or a URL like local:shop\.db, not NoneType"):
        storebridge.open(nothing)
    with pytest.raises(
        TypeError, match=r"opened by its name or URL with storebridge\.open.*, not str"
    ):
        Store(adapter)
    with pytest.raises(TypeError, match="money goes with money only, not with 1: write Money"):
        print(Money("1", "EUR") + 1)  # type: ignore[operator]


def test_a_kind_of_key_that_is_none_is_told(store: Store) -> None:
    made = store.products.create(Product(handle="a", variants=(Variant(sku="foo:bar"),)))
    with pytest.raises(ConfigError, match=r"'foo' is no kind of key; a product is found by: .*sku"):
        store.products.find("foo:bar")
    found = store.products.find("sku:foo:bar")
    assert found is not None
    assert found.id == made.id
    assert store.products.find("FOO:7") is None


def test_a_plan_of_tasks_is_applied_by_its_store(tmp_path: Path) -> None:
    async def work() -> None:
        url = f"local:{tmp_path / 'shop.db'}"
        async with storebridge.open_async(url, state=tmp_path / "state") as store:
            with await store.plan([TEE], tmp_path / "a.plan") as plan:
                for wrong in ((), (store,)):
                    with pytest.raises(UsageError, match=r"await store\.apply\(plan\)"):
                        plan.apply(*wrong)  # type: ignore[arg-type]
                assert await store.products.find("tee") is None
                assert (await store.apply(plan)).ok
                with await store.replan(plan, tmp_path / "b.plan") as again:
                    assert again.is_empty

    asyncio.run(work())


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
