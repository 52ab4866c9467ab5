"""Orders: read whole, annotated, and sent in parcels that are added once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.adapters.shopify.buyer import DOCUMENTS
from tests.adapters.shopify.shop import Handler, Shop, eur, operation, tee

from storebridge.adapter import Change, Query
from storebridge.errors import OutcomeUnknown
from storebridge.flow import Request, Response
from storebridge.models import (
    Customer,
    Fulfillment,
    FulfillmentLine,
    Money,
    Option,
    Order,
    Product,
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
    for wanted in (parcel((line, 3)), parcel((line, 1), location="Moon")):
        outcome = shop.update(id_, wanted, "publication")
        assert "as many left" in outcome.message
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


def test_no_order_is_made_or_deleted_and_the_reason_is_given() -> None:
    shop = Shop()
    id_ = sold(shop)
    [outcome] = shop.write("order", creation(Order(number="#5")))
    assert outcome.cause == "unsupported"
    assert "keep the old shop's orders" in outcome.message
    change = Change(id="1", action="delete", part="core", record_id=id_, desired=Order())
    assert shop.write("order", change)[0].cause == "unsupported"
    assert shop.sent == []


def test_what_a_token_may_not_write_of_an_order_is_named() -> None:
    shop = Shop()
    shop.create(tee())
    shop.sandbox.switch(scopes=["read_products", "write_orders"])
    shop.engine.run(shop.adapter.info())
    [fit] = shop.adapter.records("order").check(parcel(("gid://shopify/LineItem/1", 1)))
    assert "write_merchant_managed_fulfillment_orders" in fit.message
