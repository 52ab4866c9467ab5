"""What is asked of a shop and of its records: whole, and never a guess."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from tests.adapters.shopify.shop import Shop, eur, tee

from storebridge.adapter import Query
from storebridge.flow import Status
from storebridge.models import (
    Amount,
    Collection,
    Customer,
    Discount,
    LineItem,
    Order,
    Product,
    Record,
    Redirect,
)
from storebridge_shopify import walk
from storebridge_shopify.graphql import document
from storebridge_shopify.scopes import Scopes


def test_a_channel_of_a_name_that_several_have_is_never_guessed() -> None:
    shop = Shop()
    shop.sandbox.add("Publication", {"title": "Online Store", "future": False})
    shop.engine.run(shop.adapter.info())
    [id_] = shop.create(tee())
    outcome = shop.update(id_, Product(channels=("Online Store",)), "publication")
    assert (outcome.status, "several" in outcome.message) == (Status.FAILED, True)
    assert shop.update(id_, Product(channels=("Point of Sale",)), "publication").id
    assert shop.read(id_).channels == ("Point of Sale",)


def test_a_price_list_is_found_behind_many_catalogs() -> None:
    shop = Shop()
    market = next(each for each in shop.sandbox.all("Market") if each["currency"] == "CHF")
    idle = {"title": "Idle", "status": "DRAFT", "priceList": None}
    rows = [shop.sandbox.add("MarketCatalog", idle)["id"] for _ in range(70)]
    shop.sandbox.save({**market, "catalogs": [*rows, *market["catalogs"]]})
    facts = shop.engine.run(shop.adapter._shop.learn())
    assert facts.price_list("switzerland").currency == "CHF"


@pytest.mark.parametrize(
    ("name", "path", "count", "points"),
    [
        ("product_set", "input.variants", 2_049, 410),
        ("product_set_media", "input.files", 100, 190),
        ("product_set", "input.metafields", 100, 40),
        ("product_set", "input.variants.file", 100, 60),
        ("product_set", "input.variants.metafields", 100, 40),
        ("variants_create", "variants", 1_499, 300),
        ("variants_create", "variants.metafields", 100, 40),
        ("variants_update", "variants", 100, 20),
        ("variants_update", "variants.metafields", 100, 40),
    ],
)
def test_lists_of_an_input_cost_what_shopify_says(
    name: str, path: str, count: int, points: int
) -> None:
    variables: Any = [None] * count
    for step in reversed(path.split(".")):
        variables = {step: variables}
    assert document(name).cost(variables) - document(name).cost({}) == points


LINE = LineItem(title="Tee", quantity=1, unit_price=Amount(shop=eur("9.90")))
OFF: dict[str, Any] = {"percentage": Decimal(1)}
#: Two records of each kind; the second has the other status, where the kind has any.
KINDS: dict[str, tuple[Record, Record]] = {
    "collection": (Collection(handle="a", title="A"), Collection(handle="b", title="B")),
    "customer": (Customer(email="a@b.de"), Customer(email="c@b.de")),
    "discount": (
        Discount(codes=("A",), percentage=Decimal(1)),
        Discount(codes=("B",), percentage=Decimal(1)),
    ),
    "order": (Order(number="#1", line_items=(LINE,)), Order(number="#2", line_items=(LINE,))),
    "product": (tee("a", status="draft"), tee("b", status="active")),
    "redirect": (Redirect(path="/a", target="/"), Redirect(path="/b", target="/")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_ids_and_other_filters_hold_together(kind: str) -> None:
    shop = Shop()
    one, two = shop.create(*KINDS[kind])
    records: Any = shop.adapter.records(kind)

    def found(**query: Any) -> list[str]:
        page = shop.engine.run(records.page(Query(ids=(one, two), **query), ""))
        return [each.id for each in page.records]

    assert found() == [one, two]
    assert found(status="archived") == []
    if kind == "product":
        assert found(status="draft") == [one]
    late = datetime(2090, 1, 1, tzinfo=UTC)
    # Shopify doesn't say when a redirect was changed: none may be left out.
    assert found(updated_since=late) == ([one, two] if kind == "redirect" else [])
    if kind in ("collection", "discount", "product"):
        shop.clock.sleep(60)
        shop.update(two, type(KINDS[kind][0]).model_validate({"title": "Other"}))
        assert found(updated_since=shop.read(two, kind).updated_at) == [two]


def test_how_many_have_a_status_is_not_guessed_from_all() -> None:
    shop = Shop()
    one, _ = shop.create(*KINDS["product"])
    records: Any = shop.adapter.records("product")

    def count(**query: Any) -> int | None:
        found: int | None = shop.engine.run(records.count(Query(**query)))
        return found

    assert count() == 2
    assert (count(status="draft"), count(ids=(one,))) == (None, None)


def test_what_lies_beyond_a_page_of_a_product_fits_one_request() -> None:
    everything = Scopes.of(("read_inventory", "read_publications"))
    flags = walk.asked(None, everything)
    for name in walk._CONNECTIONS:
        only = {each: each == name for each in walk._CONNECTIONS}
        most = {"first": walk._MOST_VARIANTS, "levels": 5, "variantMetafields": 5}
        assert document("product_more").cost({**flags, **only, **most}) <= walk._POINTS


@pytest.mark.parametrize("kind", ["collection", "customer", "discount", "order", "product"])
def test_a_page_costs_no_more_than_a_small_bucket_has(kind: str) -> None:
    shop = Shop(page_size=250)
    shop.engine.run(shop.adapter.records(kind).page(Query(), ""))
    assert 0 < document(f"{kind}s").cost(shop.sent[0]["variables"]) <= walk._POINTS
