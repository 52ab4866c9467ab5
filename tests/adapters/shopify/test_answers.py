"""Answers that are none: what Shopify must not give is neither believed nor asked for for ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.adapters.shopify.shop import Handler, Shop, operation, tee

from storebridge.adapter import Change, Query
from storebridge.errors import BadAnswer
from storebridge.flow import Request, Response, Status
from storebridge.models import (
    Collection,
    Customer,
    InventoryLevel,
    MarketPrice,
    Metafield,
    Money,
    Product,
    Variant,
)
from storebridge_shopify.sandbox_fields import cursor

Spoil = Callable[[dict[str, Any], dict[str, Any]], None]


def spoiled(name: str, spoil: Spoil, most: int = 9) -> Callable[[Request, Handler], Response]:
    """Return what changes the answers to an operation, which may be asked so often."""
    asked: list[str] = []

    def between(request: Request, sandbox: Handler) -> Response:
        assert isinstance(request.body, bytes)
        sent, found = json.loads(request.body), sandbox(request)
        if operation(sent) != name:
            return found
        asked.append(name)
        assert len(asked) <= most, f"{name} is asked again and again"
        body = json.loads(found.body)
        spoil(body["data"], sent["variables"])
        return replace(found, body=json.dumps(body).encode())

    return between


def priced(variant: str, amount: Money, market: str = "switzerland") -> Product:
    price = MarketPrice(market=market, price=amount, compare_at_price=None)
    return Product(variants=(Variant(id=variant, market_prices=(price,)),))


@pytest.mark.parametrize(("busy", "seconds"), [(1, 2.0), (2, 7.0), (3, 7.0)])
def test_a_call_that_is_still_being_worked_on_is_made_again(busy: int, seconds: float) -> None:
    left = [True] * busy

    def between(request: Request, sandbox: Handler) -> Response:
        assert isinstance(request.body, bytes)
        if operation(json.loads(request.body)) != "InventorySet" or not left:
            return sandbox(request)
        left.pop()
        error = {"code": "IDEMPOTENCY_CONCURRENT_REQUEST", "field": None, "message": "Busy"}
        payload = {"inventorySetQuantities": {"userErrors": [error]}}
        return Response(status=200, body=json.dumps({"data": payload}).encode())

    shop = Shop()
    [id_] = shop.create(tee())
    level = (InventoryLevel(location="Shop", available=7),)
    first = shop.read(id_).variants[0].id
    shop.update(id_, Product(variants=(Variant(id=first, inventory=level),)))
    shop.between = between
    shop.sent.clear()
    started = shop.clock.monotonic()
    seven = level[0].but(available=8)
    outcome = shop.update(id_, Product(variants=(Variant(id=first, inventory=(seven,)),)))
    assert shop.clock.monotonic() - started == pytest.approx(seconds, abs=0.5)
    keys = [each["key"] for each in shop.variables("InventorySet")]
    assert len(set(keys)) == 1
    if busy < 3:
        assert outcome.status is Status.APPLIED, outcome
        assert shop.read(id_).variants[0].inventory == (seven,)
    else:
        assert (outcome.status, outcome.message) == (Status.FAILED, "Shopify: Busy")


def test_only_an_active_catalog_has_the_prices_of_a_market() -> None:
    def drafts(data: dict[str, Any], _: Any) -> None:
        for market in data["markets"]["nodes"]:
            for catalog in market["catalogs"]["nodes"]:
                catalog["status"] = "DRAFT"

    shop = Shop(spoiled("Markets", drafts))
    [id_] = shop.create(tee())
    franc = Money("9.00", "CHF")
    outcome = shop.update(id_, priced(shop.read(id_).variants[0].id, franc), "prices")
    assert "no market 'switzerland' with a price list" in outcome.message
    assert "FixedPricesAdd" not in shop.operations


def test_a_market_price_in_another_currency_is_not_sent() -> None:
    shop = Shop()
    [id_] = shop.create(tee())
    variant = shop.read(id_).variants[0].id
    outcome = shop.update(id_, priced(variant, Money("9.00", "EUR")), "prices")
    assert "9.00 EUR is not in the currency of the market's price list, CHF" in outcome.message
    assert "FixedPricesAdd" not in shop.operations


def test_a_person_whom_nobody_asked_for_is_no_answer() -> None:
    def another(data: dict[str, Any], _: Any) -> None:
        data["nodes"][0]["id"] = "gid://shopify/Customer/1"

    shop = Shop()
    [id_] = shop.create(Customer(email="ada@shop.example"))
    shop.between = spoiled("CustomersById", another)
    with pytest.raises(BadAnswer, match="other customers than those asked for"):
        shop.read(id_, "customer")


@pytest.mark.parametrize("nodes", [[], {}, "", None, [None, None]])
def test_what_has_no_place_in_an_answer_is_not_taken_for_gone(nodes: Any) -> None:
    shop = Shop()
    [id_] = shop.create(tee())
    shop.between = spoiled("ProductsById", lambda data, _: data.update(nodes=nodes))
    with pytest.raises(BadAnswer) as caught:
        shop.read(id_)
    assert caught.value.path.startswith("nodes")


@pytest.mark.parametrize("answer", [{}, {"p0": {}}, {"p0": []}])
def test_a_handle_that_has_no_place_in_an_answer_is_not_taken_for_free(answer: Any) -> None:
    def spoil(data: dict[str, Any], _: Any) -> None:
        data.clear()
        data |= answer

    shop = Shop()
    shop.create(tee())
    shop.between = spoiled("ProductsByHandle", spoil)
    with pytest.raises(BadAnswer) as caught:
        shop.engine.run(shop.adapter.records("product").fetch(["handle:tee"], None))
    assert caught.value.path.startswith("p0")


def test_a_shop_without_a_language_is_none() -> None:
    with pytest.raises(BadAnswer) as caught:
        Shop(spoiled("Locales", lambda data, _: data.update(shopLocales=[])))
    assert caught.value.path == "shopLocales"


def test_the_main_language_is_the_first_wherever_it_stands() -> None:
    shop = Shop(spoiled("Locales", lambda data, _: data["shopLocales"].reverse()))
    assert shop.engine.run(shop.adapter.info()).locales[0] == "en"


def test_a_price_list_that_leads_back_to_a_page_ends() -> None:
    def circle(data: dict[str, Any], _: Any) -> None:
        info = data["priceList"]["prices"]["pageInfo"]
        info |= {"hasNextPage": True, "endCursor": first.setdefault("at", info["endCursor"])}

    first: dict[str, str] = {}
    shop = Shop()
    [id_] = shop.create(tee())
    for market, code in (("europe", "EUR"), ("switzerland", "CHF")):
        shop.update(
            id_, priced(shop.read(id_).variants[0].id, Money("9.00", code), market), "prices"
        )
    shop.between = spoiled("PriceListPrices", circle)
    with pytest.raises(BadAnswer, match="same cursor twice"):
        shop.read(id_)


def test_a_page_that_leads_to_itself_ends() -> None:
    def stuck(data: dict[str, Any], variables: dict[str, Any]) -> None:
        data["customers"]["pageInfo"] = {"hasNextPage": True, "endCursor": variables["after"]}

    shop = Shop()
    shop.create(*(Customer(email=f"{n}@shop.example") for n in range(3)))
    shop.between = spoiled("Customers", stuck)
    with pytest.raises(BadAnswer, match="same cursor twice"):
        shop.engine.run(shop.adapter.records("customer").page(Query(), cursor([1])))


def test_a_line_of_another_product_proves_nothing() -> None:
    def crossed(request: Request, sandbox: Handler) -> Response:
        found = sandbox(request)
        if request.method != "GET":
            return found
        rows = [json.loads(row) for row in found.body.decode().splitlines() if row]
        first, second = (row["__lineNumber"] for row in rows[:2])
        rows[0]["__lineNumber"], rows[1]["__lineNumber"] = second, first
        return replace(found, body="".join(f"{json.dumps(row)}\n" for row in rows).encode())

    shop = Shop()
    ids = shop.create(*(tee(f"tee-{n}") for n in range(12)))
    changes: list[Change[Any]] = [
        Change(id=id_, action="update", part="core", record_id=id_,
               desired=Product(title=f"New {n}"))
        for n, id_ in enumerate(ids)
    ]  # fmt: skip
    shop.between = crossed
    outcomes = shop.write("product", *changes, way="bulk")
    assert [each.status for each in outcomes] == [Status.APPLIED] * len(ids)
    for place, (id_, outcome) in enumerate(zip(ids, outcomes, strict=True)):
        assert outcome.id == id_
        assert outcome.record is None or outcome.record.id == id_
        assert shop.read(id_).title == f"New {place}"


def test_what_a_collection_has_beyond_its_first_page_comes_too() -> None:
    shop = Shop()
    kind = "single_line_text_field"
    fields = tuple(Metafield(namespace="kit", key=f"n{n}", type=kind, value="x") for n in range(23))
    [id_] = shop.create(Collection(handle="group", title="Group"))
    outcome = shop.update(id_, Collection(metafields=fields), "metafields")
    assert outcome.status is Status.APPLIED, outcome
    assert len(shop.read(id_, "collection").metafields) == 23
    records = shop.adapter.records("collection")
    [listed] = shop.engine.run(records.page(Query(), "")).records
    assert len(listed.metafields) == 23
