"""No write without a change: what is asked for and there already costs no request that writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.adapters.woocommerce.shop import Shop, tee
from tests.campaigns.woocommerce import WooShop

from storebridge.adapter import Change
from storebridge.models import (
    KINDS,
    Amount,
    Collection,
    Customer,
    Discount,
    LineItem,
    Media,
    Metafield,
    Money,
    Option,
    Order,
    Product,
    Record,
    Review,
    Variant,
)
from storebridge.plan import Plan

KINDS_HERE = ("product", "collection", "discount", "customer", "order", "review")
#: Some of everything that can be planned, as a script or a file gives it each night.
PRODUCTS = [
    Product(
        handle="mug",
        title="Mug & co",
        status="active",
        description_html="<p>C:\\mug</p>",
        tags=("blue", "new"),
        brand="Acme",
        collections=("cups",),
        media=(Media(url="https://cdn.example.com/a.jpg", alt="Mug"),),
        metafields=(Metafield(namespace="kit", key="a", value="1"),),
        variants=(Variant(sku="MUG", price=Money("12", "USD")),),
    ),
    Product(
        handle="shirt",
        title="Shirt",
        options=(Option(name="Size", values=("S", "M")),),
        variants=tuple(
            Variant(sku=f"SHIRT-{size}", options=(size,), price=Money("9.90", "USD"))
            for size in ("S", "M")
        ),
    ),
]
LINE = LineItem(sku="MUG", quantity=1, total=Amount(shop=Money("12.00", "USD")))
OTHERS: list[Record] = [
    Discount(codes=("ten",), percentage=10),
    Customer(email="ada@example.com", first_name="Ada"),
    Order(key="erp-1", currency="USD", status="completed", line_items=(LINE,)),
    Review(product="handle:mug", author="Ada", email="ada@example.com", body="Warm", rating=5),
]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A shop with one record or more of each kind."""
    with WooShop(tmp_path_factory.mktemp("full")) as shop:
        shop.fill([Collection(handle="cups", title="Cups"), *PRODUCTS])
        shop.fill(OTHERS)
        yield shop


def writes(shop: WooShop, start: int) -> list[str]:
    """Return the requests that wrote since then."""
    sent = (each.request for each in shop.history[start:])
    return [f"{request.method} {request.path}" for request in sent if request.kind.mutates]


def test_a_second_plan_writes_nothing(full: WooShop) -> None:
    everything: list[Record] = [Collection(handle="cups", title="Cups"), *PRODUCTS, *OTHERS]
    plan, start = full.plan(everything, "second.plan"), len(full.history)
    with Plan.open(plan) as opened:
        assert [str(change) for change in opened.changes()] == []
    assert full.apply(plan).ok
    assert writes(full, start) == []


@pytest.mark.parametrize("verb", ["update", "upsert"])
def test_a_direct_write_of_what_is_there_writes_nothing(full: WooShop, verb: str) -> None:
    start = len(full.history)
    with full.open() as store:
        outcomes = list(getattr(store.products, f"{verb}_many")(PRODUCTS))
        for record in OTHERS:
            outcomes += getattr(getattr(store, f"{record.kind}s"), f"{verb}_many")([record])
    assert {str(outcome.status) for outcome in outcomes} == {"unchanged"}, outcomes
    assert writes(full, start) == []


@pytest.mark.parametrize("kind", KINDS_HERE)
def test_a_direct_update_of_nothing_asks_nothing(full: WooShop, kind: str) -> None:
    with full.open() as store:
        records = getattr(store, f"{kind}s")
        record = next(iter(records.iter()))
        start = len(full.history)
        [outcome] = records.update_many([KINDS[kind](id=record.id)])
    assert str(outcome.status) == "unchanged", outcome
    assert writes(full, start) == []


@pytest.mark.parametrize("kind", KINDS_HERE)
def test_a_change_of_nothing_sends_nothing(kind: str) -> None:
    """The adapter itself, whoever asks it."""
    shop = Shop()
    shop.learn()
    shop.create(tee("mug"))
    record: Record = next((r for r in OTHERS if r.kind == kind), Collection(handle="c", title="C"))
    [made] = shop.create(record) if kind != "product" else shop.create(tee("b"))
    shop.requests.clear()
    change: Change[Any] = Change(
        id="c", action="update", part="core", record_id=made.id, desired=KINDS[kind]()
    )
    [outcome] = shop.write(kind, change)
    assert (str(outcome.status), outcome.id) == ("unchanged", made.id), outcome
    assert [r for r in shop.requests if r.kind.mutates] == []


def test_a_file_pulled_and_given_back_writes_nothing(full: WooShop, tmp_path: Path) -> None:
    with full.open() as store:
        pulled: list[Record] = [*store.collections.iter(), *store.products.iter()]
    plan = full.plan(pulled, str(tmp_path / "back.plan"))
    with Plan.open(plan) as opened:
        assert [str(change) for change in opened.changes()] == []
