"""Orders: read whole, annotated, and sent in parcels that are added once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.shopify.buyer import DOCUMENTS
from tests.adapters.shopify.shop import Handler, Shop, eur, operation, tee

import storebridge
from storebridge.adapter import Change, Query
from storebridge.errors import BadAnswer, OutcomeUnknown
from storebridge.flow import Request, Response
from storebridge.models import (
    Address,
    Adjustment,
    Amount,
    Customer,
    Discount,
    Fulfillment,
    FulfillmentLine,
    LineItem,
    Money,
    Option,
    Order,
    Payment,
    Product,
    Refund,
    ShippingLine,
    TaxLine,
    Variant,
)
from storebridge.testing.rig import creation
from storebridge_shopify.graphql import document
from storebridge_shopify.sandbox import settings


def sold(shop: Shop, count: int = 3, **more: Any) -> str:
    """Sell two of each variant of a product, and return the order's id."""
    sizes = tuple(str(number) for number in range(count))
    variants = tuple(Variant(sku=f"T-{s}", options=(s,), price=eur("19.90")) for s in sizes)
    product = Product(
        handle="tee", title="Tee", options=(Option(name="No", values=sizes),), variants=variants
    )
    [id_] = shop.create(product)
    lines = [(variant.id, 2) for variant in shop.read(id_).variants]
    order = shop.sandbox.sell(lines, **more)
    shop.sent.clear()
    return order


def ask(shop: Shop, name: str, **variables: Any) -> Any:
    """Do something to the shop that the adapter doesn't."""
    text = (DOCUMENTS / f"{name}.graphql").read_text("utf-8")
    body = json.dumps({"query": text, "variables": variables}).encode()
    headers = {
        "content-type": "application/json",
        "x-shopify-access-token": settings()["token"],
    }
    path = "/admin/api/2026-10/graphql.json"
    answer = shop.sandbox(Request(method="POST", path=path, headers=headers, body=body))
    return json.loads(answer.body)


def parcel(*lines: tuple[str, int], number: str = "T-1", **more: Any) -> Order:
    rows = tuple(FulfillmentLine(line_item_id=id_, quantity=count) for id_, count in lines)
    numbers = (number,) if number else ()
    return Order(fulfillments=(Fulfillment(lines=rows, tracking_numbers=numbers, **more),))


def test_an_order_is_read_with_both_moneys_its_discount_taxes_and_payments() -> None:
    shop = Shop()
    [buyer] = shop.create(Customer(email="ada@example.com"))
    id_ = sold(shop, customer=buyer, discount="1.00", code="TEN", currency_paid="USD")
    order = shop.read(id_, "order")
    assert (order.number, order.status, order.payment_status) == ("#1001", "open", "paid")
    assert (order.customer_id, order.email) == (buyer, "ada@example.com")
    assert (order.currency, order.presentment_currency) == ("EUR", "USD")
    first, second, _ = order.line_items
    assert (first.quantity, first.sku, first.unit_price.shop) == (2, "T-0", eur("19.90"))
    assert first.total.shop == eur("38.80")
    assert first.total.presentment == Money("38.80", "USD")
    assert [(each.code, each.amount.shop) for each in first.adjustments] == [("TEN", eur("1.00"))]
    assert second.adjustments == ()
    assert [(tax.title, tax.rate) for tax in first.taxes] == [("MwSt", "0.19")]
    assert order.discount_codes == ("TEN",)
    assert order.shipping_lines[0].price.shop == eur("4.90")
    assert order.total.shop == eur("123.30")
    assert [(each.kind, each.amount.shop) for each in order.payments] == [("sale", eur("123.30"))]
    assert order.shipping_address.city == order.billing_address.city == "Berlin"


def test_an_amount_in_one_money_is_given_once() -> None:
    shop = Shop()
    assert shop.read(sold(shop), "order").total.presentment is None


def test_lines_of_orders_parcels_and_refunds_are_read_to_the_last() -> None:
    shop = Shop()
    id_ = sold(shop, 130)
    lines = [each.id for each in shop.read(id_, "order").line_items]
    assert shop.update(id_, parcel(*((each, 1) for each in lines)), "publication").id
    rows = [{"lineItemId": each, "quantity": 1, "restockType": "RETURN"} for each in lines]
    ask(shop, "refund", input={"orderId": id_, "refundLineItems": rows}, key="k-1")
    page = shop.engine.run(shop.adapter.records("order").page(Query(), ""))
    for order in (shop.read(id_, "order"), page.records[0]):
        assert [each.sku for each in order.line_items] == [f"T-{n}" for n in range(130)]
        assert [each.line_item_id for each in order.fulfillments[0].lines] == lines
        assert [each.line_item_id for each in order.refunds[0].lines] == lines
        assert order.refunds[0].lines[-1].restocked
        assert order.refunds[0].amount.shop == order.refunded_total.shop == eur("2587.00")


@pytest.mark.parametrize("kind", ["customer", "order"])
def test_the_largest_page_stays_well_below_the_most_points(kind: str) -> None:
    shop = Shop(page_size=250)
    shop.engine.run(shop.adapter.records(kind).page(Query(), ""))
    [sent] = shop.variables(f"{kind.title()}s")
    assert document(f"{kind}s").cost(sent) <= 700
    assert sent["first"] >= 50


def test_an_order_is_found_by_its_number_and_by_its_time() -> None:
    shop = Shop()
    old = sold(shop)
    shop.clock.sleep(60)
    new = shop.sandbox.sell([(shop.read(old, "order").line_items[0].variant_id, 1)])
    records = shop.adapter.records("order")
    [found] = shop.engine.run(records.fetch(["number:#1002", "number:#7"], None))
    assert found.id == new
    page = shop.engine.run(records.page(Query(updated_since=found.updated_at), ""))
    assert [each.id for each in page.records] == [new]
    early = found.updated_at - timedelta(minutes=2)
    page = shop.engine.run(records.page(Query(updated_since=early), ""))
    assert [each.id for each in page.records] == [old, new]


def test_a_search_for_numbers_is_read_to_its_end_and_brings_no_others() -> None:
    def one_by_one(request: Request, sandbox: Handler) -> Response:
        if isinstance(request.body, bytes) and b"query OrdersByName" in request.body:
            body = request.body.replace(b"name:'#1002'", b"name:*")
            request = replace(request, body=body.replace(b'"first":250', b'"first":2'))
        return sandbox(request)

    shop = Shop()
    first = sold(shop)
    variant = shop.read(first, "order").line_items[0].variant_id
    ids = [first, *(shop.sandbox.sell([(variant, 1)]) for _ in range(3))]
    shop.between = one_by_one
    keys = ["number:#1002", "number:#1004"]
    found = shop.engine.run(shop.adapter.records("order").fetch(keys, None))
    assert [each.id for each in found] == [ids[1], ids[3]]


def test_a_search_for_numbers_that_brings_all_orders_ends() -> None:
    def loose(request: Request, sandbox: Handler) -> Response:
        if isinstance(request.body, bytes) and b"query OrdersByName" in request.body:
            body = request.body.replace(b"name:'#7'", b"name:*")
            request = replace(request, body=body.replace(b'"first":250', b'"first":1'))
        return sandbox(request)

    shop = Shop()
    variant = shop.read(sold(shop), "order").line_items[0].variant_id
    shop.sandbox.sell([(variant, 1)])
    shop.between = loose
    with pytest.raises(BadAnswer, match="none of them"):
        shop.engine.run(shop.adapter.records("order").fetch(["number:#7"], None))


def test_an_order_is_read_without_what_the_token_may_not_see() -> None:
    shop = Shop()
    id_ = sold(shop)
    shop.sandbox.switch(scopes=["read_products", "read_orders"])
    shop.engine.run(shop.adapter.info())
    order = shop.read(id_, "order")
    assert "customer_id" not in order.given
    assert order.line_items[0].product_id


def test_note_and_tags_are_written_each_alone() -> None:
    shop = Shop()
    id_ = sold(shop)
    shop.update(id_, Order(note="Ring twice"))
    shop.update(id_, Order(tags=("b", "a", "A")))
    order = shop.read(id_, "order")
    assert (order.note, order.tags) == ("Ring twice", ("a", "b"))
    sent = [each["input"] for each in shop.variables("OrderUpdate")]
    assert [sorted(each) for each in sent] == [["id", "note"], ["id", "tags"]]


@pytest.mark.parametrize("notify", [False, True])
def test_a_parcel_is_added_once_and_the_buyer_is_told_if_asked_for(notify: bool) -> None:
    shop = Shop(notify_customers=notify)
    id_ = sold(shop)
    line = shop.read(id_, "order").line_items[0].id
    wanted = parcel((line, 1), carrier="DHL", tracking_urls=("https://dhl.example/T-1",))
    for _ in range(2):
        assert shop.update(id_, wanted, "publication").id
    [made] = shop.read(id_, "order").fulfillments
    assert (made.carrier, made.tracking_numbers) == ("DHL", ("T-1",))
    assert made.tracking_urls == ("https://dhl.example/T-1",)
    assert [(each.line_item_id, each.quantity) for each in made.lines] == [(line, 1)]
    [sent] = shop.variables("FulfillmentCreate")
    assert sent["fulfillment"]["notifyCustomer"] is notify


def test_a_parcel_without_lines_has_all_that_is_left() -> None:
    shop = Shop()
    id_ = sold(shop)
    line = shop.read(id_, "order").line_items[0].id
    shop.update(id_, parcel((line, 1)), "publication")
    shop.update(id_, parcel(number="T-2"), "publication")
    order = shop.read(id_, "order")
    assert order.fulfillment_status == "fulfilled"
    assert sorted(each.quantity for each in order.fulfillments[1].lines) == [1, 2, 2]


def test_more_than_is_left_or_another_place_is_refused_and_nothing_is_sent() -> None:
    shop = Shop()
    id_ = sold(shop)
    line = shop.read(id_, "order").line_items[0].id
    for wanted, said in ((parcel((line, 3)), ""), (parcel((line, 1), location="Moon"), "Shop")):
        outcome = shop.update(id_, wanted, "publication")
        assert "as many left" in outcome.message
        assert said in outcome.remedy
    assert shop.read(id_, "order").fulfillments == ()
    assert not shop.variables("FulfillmentCreate")


@pytest.mark.parametrize(("number", "status"), [("T-1", "applied"), ("", "unknown")])
def test_a_parcel_whose_answer_is_lost_is_not_sent_again(number: str, status: str) -> None:
    shop = Shop()
    id_ = sold(shop)
    line = shop.read(id_, "order").line_items[0].id

    def lose(request: Request, sandbox: Handler) -> Response:
        answer = sandbox(request)
        assert isinstance(request.body, bytes)
        if operation(json.loads(request.body)) == "FulfillmentCreate":
            raise OutcomeUnknown("gone")
        return answer

    shop.between = lose
    wanted = parcel((line, 1), number=number)
    assert shop.update(id_, wanted, "publication").status.value == status
    change = Change(id="1", action="update", part="publication", record_id=id_, desired=wanted)
    [outcome] = shop.write("order", change, uncertain=frozenset({"1"}))
    assert outcome.status.value == status
    assert len(shop.read(id_, "order").fulfillments) == 1


def test_a_parcel_that_was_lost_before_it_was_made_is_not_believed() -> None:
    def lose(request: Request, sandbox: Handler) -> Response:
        if isinstance(request.body, bytes) and b"mutation FulfillmentCreate" in request.body:
            raise OutcomeUnknown("gone")
        return sandbox(request)

    shop = Shop()
    id_ = sold(shop)
    line = shop.read(id_, "order").line_items[0].id
    shop.update(id_, parcel((line, 1), number="T-0"), "publication")
    shop.between = lose
    assert shop.update(id_, parcel((line, 1)), "publication").status.value == "unknown"
    [made] = shop.read(id_, "order").fulfillments
    assert made.tracking_numbers == ("T-0",)


def offered(change: Callable[[list[Any]], None]) -> Callable[[Request, Handler], Response]:
    """Return what changes the answers about what is left to be sent of an order."""

    def between(request: Request, sandbox: Handler) -> Response:
        found = sandbox(request)
        assert isinstance(request.body, bytes)
        if operation(json.loads(request.body)) != "FulfillmentOrders":
            return found
        body = json.loads(found.body)
        change(body["data"]["order"]["fulfillmentOrders"]["nodes"])
        return replace(found, body=json.dumps(body).encode())

    return between


@pytest.mark.parametrize(
    ("status", "sent"),
    [("OPEN", True), ("IN_PROGRESS", True), ("ON_HOLD", False), ("SCHEDULED", False)],
)
def test_what_is_held_back_is_not_sent(status: str, sent: bool) -> None:
    shop = Shop()
    id_ = sold(shop)
    shop.between = offered(lambda nodes: nodes[0].update(status=status))
    outcome = shop.update(id_, parcel(), "publication")
    assert (outcome.status.value == "applied") is sent
    assert bool(shop.variables("FulfillmentCreate")) is sent


def test_a_parcel_without_lines_or_place_is_refused_where_there_are_several_places() -> None:
    def elsewhere_too(nodes: list[Any]) -> None:
        place = {**nodes[0]["assignedLocation"], "name": "Moon"}
        nodes.append({**nodes[0], "assignedLocation": place})

    shop = Shop()
    id_ = sold(shop)
    shop.between = offered(elsewhere_too)
    outcome = shop.update(id_, parcel(), "publication")
    assert "the order is sent from Shop, Moon" in outcome.message
    assert not shop.variables("FulfillmentCreate")


def test_a_parcel_is_there_only_if_all_its_numbers_are() -> None:
    shop = Shop()
    id_ = sold(shop)
    line = shop.read(id_, "order").line_items[0].id
    shop.update(id_, parcel((line, 1)), "publication")
    [first] = shop.read(id_, "order").fulfillments
    numbers = (*first.tracking_numbers, "T-2")
    row = FulfillmentLine(line_item_id=line, quantity=1)
    second = Order(fulfillments=(Fulfillment(lines=(row,), tracking_numbers=numbers),))
    shop.update(id_, second, "publication")
    made = shop.read(id_, "order").fulfillments
    assert [each.tracking_numbers for each in made] == [("T-1",), numbers]


def test_a_line_that_a_parcel_names_twice_counts_twice() -> None:
    shop = Shop()
    id_ = sold(shop)
    line = shop.read(id_, "order").line_items[0].id
    shop.update(id_, parcel((line, 1), (line, 1)), "publication")
    [made] = shop.read(id_, "order").fulfillments
    assert [(each.line_item_id, each.quantity) for each in made.lines] == [(line, 2)]


def test_a_parcel_names_lines_by_sku_or_place_and_is_added_once() -> None:
    shop = Shop()
    id_ = sold(shop)
    lines = [each.id for each in shop.read(id_, "order").line_items]
    wanted = parcel(("sku:T-1", 1), ("line:3", 2))
    for uncertain in (frozenset[str](), frozenset({"1"})):
        change = Change(id="1", action="update", part="publication", record_id=id_, desired=wanted)
        [outcome] = shop.write("order", change, uncertain=uncertain)
        assert outcome.status.value == "applied", outcome.message
    [made] = shop.read(id_, "order").fulfillments
    found = [(each.line_item_id, each.quantity) for each in made.lines]
    assert found == [(lines[1], 1), (lines[2], 2)]
    tracked = made.but(carrier="UPS", lines=wanted.fulfillments[0].lines)
    assert shop.update(id_, Order(fulfillments=(tracked,)), "publication").status.value == "applied"
    [held] = shop.read(id_, "order").fulfillments
    assert (held.carrier, held.lines) == ("UPS", made.lines)


@pytest.mark.parametrize("name", ["sku:HAT", "line:4", "gid://shopify/LineItem/1"])
def test_a_line_that_the_order_hasnt_is_named_with_what_to_write(name: str) -> None:
    shop = Shop()
    id_ = sold(shop)
    outcome = shop.update(id_, parcel(("line:1", 1), (name, 1)), "publication")
    assert (outcome.cause, name in outcome.message) == ("rejected", True)
    assert "sku:TEE" in outcome.remedy
    other = shop.update(id_, parcel((name, 1)), "publication")
    assert (other.cause, name in other.message) == ("rejected", True)
    assert not shop.variables("FulfillmentCreate")


@pytest.mark.parametrize("status", ["cancelled", "failure"])
def test_a_parcel_of_another_shop_that_was_never_sent_isnt_made(status: str) -> None:
    shop = Shop()
    off, sent = parcel(status=status).fulfillments[0], parcel(number="T-2").fulfillments[0]
    records = shop.adapter.records("order")
    desired = elsewhere(fulfillments=(off, sent))
    assert shop.adapter.normalise(desired).fulfillments == (sent,)
    [fit] = records.check(desired)
    assert (fit.field, "cancelled" in fit.message) == ("fulfillments", True)
    held = off.but(id="gid://shopify/Fulfillment/1")
    assert shop.adapter.normalise(desired.but(fulfillments=(held,))).fulfillments == (held,)


def elsewhere(**fields: Any) -> Order:
    """An order of another shop: two lines, one of a product of ours, shipping, tax, a discount."""
    tax = TaxLine(title="MwSt", rate="0.19", amount=amount("7.15"))
    gone = LineItem(sku="GONE", title="Hat", quantity=1, unit_price=amount("5.00"))
    ours = LineItem(
        sku="tee-M", title="Old tee", variant_title="M", quantity=2, unit_price=amount("19.90"),
        properties={"Engraving": "Ada"},
    )  # fmt: skip
    values = {
        "number": "WC-7",
        "email": "Ada@example.com",
        "currency": "EUR",
        "line_items": (ours, gone),
        "shipping_lines": (ShippingLine(title="Post", code="post", price=amount("4.90")),),
        "taxes": (tax,),
        "prices_include_tax": True,
        "discount_codes": ("TEN",),
        "discount_total": amount("4.48"),
        "payments": (Payment(gateway="cash", status="paid", amount=amount("45.22")),),
        "payment_status": "paid",
        "total": amount("45.22"),
        "created_at": datetime(2019, 5, 6, 7, 8, 9, tzinfo=UTC),
        "note": "Ring twice",
        "tags": ("b", "a"),
        **fields,
    }
    return Order.model_validate(values)


def amount(text: str) -> Amount:
    return Amount(shop=eur(text))


def test_an_order_from_elsewhere_is_made_as_it_was() -> None:
    shop = Shop(notify_customers=True)
    [buyer] = shop.create(Customer(email="ada@example.com"))
    [product] = shop.create(tee())
    variant = shop.read(product).variants[1]
    desired = elsewhere()
    assert list(shop.adapter.records("order").check(desired)) == []
    [id_] = shop.create(desired)
    order = shop.read(id_, "order")
    assert (order.number, order.customer_id, order.payment_status) == ("WC-7", buyer, "paid")
    assert order.created_at == desired.created_at
    ours, gone = order.line_items
    assert (ours.variant_id, ours.title, ours.variant_title) == (variant.id, "Old tee", "M")
    assert (ours.unit_price, ours.properties) == (amount("19.90"), {"Engraving": "Ada"})
    assert (gone.variant_id, gone.sku, gone.title) == ("", "GONE", "Hat")
    assert order.total == desired.total
    assert (order.discount_total, order.discount_codes) == (amount("4.48"), ("TEN",))
    assert [(each.title, each.rate) for each in order.taxes] == [("MwSt", "0.19")]
    assert [(each.kind, each.gateway) for each in order.payments] == [("sale", "cash")]
    assert (order.note, order.tags) == ("Ring twice", ("a", "b"))
    assert order.metafields == ()


def test_what_the_token_may_not_see_isnt_looked_for_when_an_order_is_made() -> None:
    shop = Shop()
    shop.sandbox.switch(scopes=["write_orders", "read_products"])
    shop.engine.run(shop.adapter.info())
    shop.sent.clear()
    [outcome] = shop.write("order", creation(elsewhere()))
    assert outcome.status.value == "applied"
    assert shop.operations == ["MetafieldDefinitionCreate", "VariantsBySku", "OrderCreate"]


def test_an_order_from_elsewhere_touches_no_stock_and_nobody_is_told() -> None:
    shop = Shop(notify_customers=True)
    shop.create(tee())
    shop.write("order", creation(elsewhere()))
    [sent] = shop.variables("OrderCreate")
    assert sent["options"] == {
        "inventoryBehaviour": "BYPASS",
        "sendReceipt": False,
        "sendFulfillmentReceipt": False,
    }


@pytest.mark.parametrize("key", ["", "old-7"])
def test_an_order_whose_answer_is_lost_is_made_once(key: str) -> None:
    gone: list[str] = []

    def lose(request: Request, sandbox: Handler) -> Response:
        answer = sandbox(request)
        assert isinstance(request.body, bytes)
        if operation(json.loads(request.body)) == "OrderCreate" and not gone:
            gone.append("OrderCreate")
            raise OutcomeUnknown("gone")
        return answer

    shop = Shop(lose)
    shop.sandbox.switch(search_lag=3600)
    change = creation(elsewhere(key=key) if key else elsewhere())
    [outcome] = shop.write("order", change)
    assert outcome.status.value == "applied"
    assert shop.operations.count("OrderCreate") == 1
    [again] = shop.write("order", change, uncertain=frozenset({change.id}))
    assert (again.status.value, again.id) == ("applied", outcome.id)
    page = shop.engine.run(shop.adapter.records("order").page(Query(), ""))
    assert [each.id for each in page.records] == [outcome.id]
    assert page.records[0].key == key


def test_the_shop_itself_refuses_a_second_order_of_a_name() -> None:
    shop = Shop()
    shop.sandbox.switch(search_lag=3600)
    shop.create(elsewhere())
    [outcome] = shop.write("order", creation(elsewhere(note="Another")))
    assert outcome.status.value == "failed"
    assert "already been taken" in outcome.message


@pytest.mark.parametrize("other", [{"note": "Somebody else's"}, {"line_items": "other"}])
def test_an_order_of_the_same_name_is_not_taken_for_the_one_that_was_lost(other: Any) -> None:
    shop = Shop()
    if "line_items" in other:
        first, second = elsewhere().line_items
        other = {"line_items": (first.but(quantity=3), second)}
    shop.create(elsewhere(**other))
    change = creation(elsewhere())
    [outcome] = shop.write("order", change, uncertain=frozenset({change.id}))
    assert outcome.status.value == "unknown"
    assert "OrderCreate" not in shop.operations


def test_orders_are_found_by_the_name_that_they_were_made_under_at_once() -> None:
    shop = Shop()
    shop.sandbox.switch(search_lag=3600)
    first, second = shop.create(elsewhere(), elsewhere(number="WC-8", key="old-8"))
    records = shop.adapter.records("order")
    found = shop.engine.run(records.fetch(["number:WC-7", "key:old-8", "key:none"], None))
    assert [each.id for each in found] == [first, second]
    shop.update(second, Order(key="old-9"))
    [found] = shop.engine.run(records.fetch(["key:old-8", "key:old-9"], None))
    assert (found.id, found.key) == (second, "old-9")


def test_without_a_definition_no_order_is_found_and_none_missing() -> None:
    shop = Shop()
    assert shop.engine.run(shop.adapter.records("order").fetch(["key:none"], None)) == ()


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"total": amount("45.23")}, "total"),
        ({"status": "failed"}, "status"),
        ({"line_items": (LineItem(title="A", quantity=1),) * 251, "total": None}, "line_items"),
        ({"cancel_reason": "weather"}, "cancel_reason"),
        ({"payment_status": "overdue"}, "payment_status"),
        ({"payments": (Payment(kind="refund", status="success", amount=amount("1")),)}, "payments"),
        ({"adjustments": (Adjustment(kind="fee", amount=amount("1.00")),)}, "adjustments"),
        ({"refunds": (Refund(amount=amount("1.00")),)}, "refunds"),
    ],
)
def test_what_the_call_cant_carry_is_told_before(fields: dict[str, Any], path: str) -> None:
    shop = Shop()
    found = shop.adapter.records("order").check(elsewhere(**fields))
    assert [fit.field for fit in found] == [path]


def test_discounts_of_lines_become_one_and_the_sum_stays() -> None:
    shop = Shop()
    off = (Adjustment(title="Sale", amount=amount("2.00")),)
    line = LineItem(title="A", quantity=3, total=amount("30.00"), adjustments=off)
    desired = elsewhere(
        line_items=(line, line), discount_codes=(), discount_total=None, taxes=(),
        total=amount("60.90"),
    )  # fmt: skip
    [fit] = shop.adapter.records("order").check(desired)
    assert fit.field == "line_items.adjustments"
    [id_] = shop.create(desired)
    order = shop.read(id_, "order")
    assert (order.discount_total, order.discount_codes) == (amount("4.00"), ("Sale",))
    assert order.total == amount("60.90")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (LineItem(title="A", quantity=1), "isn't known"),
        (LineItem(title="A", quantity=3, total=amount("10.00")), "more digits"),
        (LineItem(title="A", quantity=1, unit_price=amount("1.005")), "more digits"),
    ],
)
def test_a_price_that_isnt_known_to_the_cent_is_refused(line: LineItem, words: str) -> None:
    shop = Shop()
    [outcome] = shop.write("order", creation(elsewhere(line_items=(line,))))
    assert words in outcome.message
    assert "OrderCreate" not in shop.operations


def test_an_order_in_two_moneys_keeps_both() -> None:
    shop = Shop()
    both = Amount(shop=eur("10.00"), presentment=Money("11.00", "USD"))
    line = LineItem(title="A", quantity=1, unit_price=both)
    desired = Order(
        number="7", currency="EUR", presentment_currency="USD", line_items=(line,),
        shipping_lines=(ShippingLine(title="Post", price=both),),
    )  # fmt: skip
    [id_] = shop.create(desired)
    order = shop.read(id_, "order")
    assert order.presentment_currency == "USD"
    assert order.line_items[0].unit_price == order.shipping_lines[0].price == both


def test_what_a_change_of_an_order_takes_is_known_before() -> None:
    shop = Shop()
    shop.create(elsewhere(number="first"))  # says what a mark is, once for a shop
    id_ = sold(shop)
    line = shop.read(id_, "order").line_items[0].id
    shop.update(id_, parcel((line, 1)), "publication")
    [made] = shop.read(id_, "order").fulfillments
    tracked = Order(fulfillments=(Fulfillment(id=made.id, carrier="UPS"),))
    for part, desired in (
        ("core", Order(note="A", shipping_address=Address(city="Kiel"))),
        ("publication", tracked),
        ("publication", parcel(number="T-2")),
        ("publication", Order(status="closed")),
    ):
        change = Change(id="1", action="update", part=part, record_id=id_, desired=desired)
        shop.sent.clear()
        assert shop.write("order", change)[0].id
        cost = shop.adapter.records("order").cost(change)
        assert cost is not None
        assert cost.requests == len(shop.sent), desired
    made_anew = creation(elsewhere())
    shop.sent.clear()
    shop.write("order", made_anew)
    cost = shop.adapter.records("order").cost(made_anew)
    assert cost is not None
    assert (cost.requests, cost.lines) == (len(shop.sent), 0)
    assert cost.points == sum(
        document(name).cost(each["variables"])
        for name, each in zip(
            ("variants_by_sku", "customers_by_email", "order_create"), shop.sent, strict=True
        )
    )


def test_what_stays_as_it_is_once_an_order_is_there_is_refused() -> None:
    shop = Shop()
    [id_] = shop.create(elsewhere())
    outcome = shop.update(id_, Order(line_items=(), note="X"))
    assert (outcome.cause, "line_items" in outcome.message) == ("rejected", True)
    assert shop.read(id_, "order").note == "Ring twice"


def test_a_shipping_address_is_completed_from_the_one_that_is_there() -> None:
    shop = Shop()
    id_ = sold(shop)
    shop.update(id_, Order(shipping_address=Address(city="Kiel"), phone="+49431555"))
    order = shop.read(id_, "order")
    assert (order.shipping_address.city, order.shipping_address.address1) == ("Kiel", "Weg 1")
    assert order.phone == "+49431555"


@pytest.mark.parametrize("notify", [False, True])
def test_an_order_is_closed_opened_and_cancelled_if_asked_for(notify: bool) -> None:
    shop = Shop(notify_customers=notify)
    id_ = sold(shop)
    for status in ("closed", "completed", "open"):
        assert shop.update(id_, Order(status=status), "publication").id
    assert shop.read(id_, "order").status == "open"
    shop.update(id_, Order(status="cancelled", cancel_reason="fraud"), "publication")
    order = shop.read(id_, "order")
    assert (order.status, order.cancel_reason, order.refunds) == ("cancelled", "fraud", ())
    [sent] = shop.variables("OrderCancel")
    assert sent == {"id": id_, "reason": "FRAUD", "notify": notify, "restock": True}
    assert (shop.operations.count("OrderClose"), shop.operations.count("OrderOpen")) == (1, 1)
    outcome = shop.update(id_, Order(status="open"), "publication")
    assert (outcome.cause, "cancelled" in outcome.message) == ("rejected", True)


def test_what_came_from_elsewhere_gives_no_stock_back() -> None:
    shop = Shop()
    [id_] = shop.create(elsewhere())
    shop.update(id_, Order(status="cancelled"), "publication")
    [sent] = shop.variables("OrderCancel")
    assert (sent["restock"], sent["reason"]) == (False, "OTHER")


def test_a_cancellation_whose_answer_is_lost_is_one() -> None:
    gone: list[str] = []

    def lose(request: Request, sandbox: Handler) -> Response:
        answer = sandbox(request)
        assert isinstance(request.body, bytes)
        if operation(json.loads(request.body)) == "OrderCancel" and not gone:
            gone.append("OrderCancel")
            raise OutcomeUnknown("gone")
        return answer

    shop = Shop(lose)
    id_ = sold(shop)
    outcome = shop.update(id_, Order(status="cancelled"), "publication")
    assert outcome.status.value == "applied"
    assert shop.operations.count("OrderCancel") == 2


def test_an_order_that_cant_be_cancelled_is_told_and_stays() -> None:
    shop = Shop()
    id_ = sold(shop)
    shop.update(id_, parcel(), "publication")
    outcome = shop.update(id_, Order(status="cancelled"), "publication")
    assert "outstanding fulfillments" in outcome.message
    assert shop.read(id_, "order").status == "open"


@pytest.mark.parametrize("notify", [False, True])
def test_the_tracking_of_a_parcel_is_changed_and_the_rest_kept(notify: bool) -> None:
    shop = Shop(notify_customers=notify)
    id_ = sold(shop)
    line = shop.read(id_, "order").line_items[0].id
    shop.update(id_, parcel((line, 1), carrier="DHL"), "publication")
    [made] = shop.read(id_, "order").fulfillments
    shop.sent.clear()
    new = Fulfillment(id=made.id, tracking_numbers=("T-9", "T-10"))
    for _ in range(2):
        assert shop.update(id_, Order(fulfillments=(new,)), "publication").id
    [held] = shop.read(id_, "order").fulfillments
    assert (held.id, held.tracking_numbers, held.carrier) == (made.id, ("T-9", "T-10"), "DHL")
    assert held.lines == made.lines
    [sent] = shop.variables("TrackingUpdate")
    assert sent["notify"] is notify
    assert document("tracking_update").cost(sent) == 50  # recorded
    assert "FulfillmentCreate" not in shop.operations


def test_what_is_in_a_parcel_that_is_sent_isnt_changed() -> None:
    shop = Shop()
    id_ = sold(shop)
    line = shop.read(id_, "order").line_items[0].id
    shop.update(id_, parcel((line, 1)), "publication")
    [made] = shop.read(id_, "order").fulfillments
    rows = (FulfillmentLine(line_item_id=line, quantity=2),)
    outcome = shop.update(
        id_, Order(fulfillments=(Fulfillment(id=made.id, lines=rows),)), "publication"
    )
    assert (outcome.cause, "lines" in outcome.message) == ("rejected", True)
    other = Fulfillment(id="gid://shopify/Fulfillment/1", carrier="UPS")
    assert shop.update(id_, Order(fulfillments=(other,)), "publication").cause == "missing"


def test_what_a_buyer_ordered_isnt_deleted_what_came_from_elsewhere_is() -> None:
    shop = Shop()
    id_ = sold(shop)
    [made] = shop.create(elsewhere())
    for each, status in ((id_, "failed"), (made, "applied"), (made, "applied")):
        change = Change(id="1", action="delete", part="core", record_id=each, desired=Order())
        assert shop.write("order", change)[0].status.value == status
    page = shop.engine.run(shop.adapter.records("order").page(Query(), ""))
    assert [each.id for each in page.records] == [id_]


def test_what_a_token_may_not_write_of_an_order_is_named() -> None:
    shop = Shop()
    shop.create(tee())
    shop.sandbox.switch(scopes=["read_products", "write_orders"])
    shop.engine.run(shop.adapter.info())
    [fit] = shop.adapter.records("order").check(parcel(("gid://shopify/LineItem/1", 1)))
    assert "write_merchant_managed_fulfillment_orders" in fit.message


def test_an_order_and_a_coupon_of_woocommerce_go_over_and_nothing_is_left_to_do(
    tmp_path: Path,
) -> None:
    old = storebridge.open("sandbox:woocommerce?memory", state=tmp_path / "old")
    new = storebridge.open("sandbox:shopify?memory", state=tmp_path / "new")
    usd = old.info.currency
    price = Money("10.00", usd)
    old.products.create(Product(title="Tee", variants=(Variant(sku="T", price=price),)))
    old.discounts.create(Discount(codes=("ten",), percentage=Decimal(10), usage_limit=5))
    line = LineItem(sku="T", quantity=2, total=Amount(shop=Money("20.00", usd)))
    old.orders.create(Order(key="7", currency=usd, status="completed", line_items=(line,)))
    for number, kind in enumerate(("discount", "order")):
        records = [each.without("id", "platform_fields") for each in old.items(kind).iter()]
        plan = new.plan(records, tmp_path / f"{number}.plan")
        report = plan.apply()
        assert (report.ok, report.counts["failed"]) == (True, 0), list(report.items())
        assert new.plan(records, tmp_path / f"{number}-again.plan").is_empty
    [order] = new.orders.iter()
    assert (order.key, order.status, order.line_items[0].sku) == ("7", "closed", "T")
    assert order.total is not None
    assert order.total.shop == Money("20.00", usd)
    [discount] = new.discounts.iter()
    assert (discount.codes, discount.percentage) == (("ten",), Decimal(10))
