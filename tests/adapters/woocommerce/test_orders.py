"""What follows on an order: refunds, comments, parcels; and reading what has changed since."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.adapters.woocommerce.shop import Handler, Shop, tee

from storebridge.adapter import Change, Query
from storebridge.flow import Request, RequestKind, Response, Status, send
from storebridge.models import (
    Amount,
    Comment,
    Fulfillment,
    LineItem,
    Money,
    Order,
    Payment,
    Refund,
)
from storebridge.wire import dumps, json_of

USD = "USD"
NOTES = frozenset({"comments"})


def placed(shop: Shop, count: int = 1) -> list[str]:
    """Make orders of two red and three blue ones."""
    stock = {"variant": {"tracked": True}}
    if not shop.all():
        shop.create(tee("red", **stock), tee("blue"))
    lines = tuple(
        LineItem(sku=sku, title=sku, quantity=number, total=Amount(shop=Money(total, USD)))
        for sku, number, total in (("RED", 2, "20.00"), ("BLUE", 3, "30.00"))
    )
    made = shop.create(
        *(
            Order(key=f"web-{n}", status="processing", currency=USD, line_items=lines)
            for n in range(count)
        )
    )
    return [outcome.id for outcome in made]


def ask(shop: Shop, method: str, path: str, **body: Any) -> Any:
    def flow() -> Any:
        kind = RequestKind.READ if method == "GET" else RequestKind.CREATE
        covers = () if method == "GET" else ("1",)
        sent = dumps(body) if body else None
        request = Request(method=method, path=path, kind=kind, body=sent, covers=covers)
        return json_of((yield from send(request)))

    return shop.engine.run(flow())


def orders(shop: Shop, *ids: str, fields: frozenset[str] | None = None) -> list[Order]:
    keys = [f"id:{each}" for each in ids]
    return list(shop.engine.run(shop.adapter.records("order").fetch(keys, fields)))


def refund(shop: Shop, order: Order, total: str, *lines: tuple[int, int, str]) -> None:
    items = [
        {"id": int(order.line_items[place].id), "quantity": count, "refund_total": amount}
        for place, count, amount in lines
    ]
    ask(
        shop, "POST", f"/orders/{order.id}/refunds", amount=total, reason="Broken",
        api_refund=False, line_items=items,
    )  # fmt: skip


def comment(shop: Shop, number: str, *comments: Comment, **more: Any) -> Any:
    change: Change[Order] = Change(
        id="c",
        action="update",
        part="publication",
        record_id=number,
        desired=Order(comments=comments),
        **more,
    )
    return shop.write("order", change)[0]


# -- refunds


def test_refunds_are_read_whole() -> None:
    shop = Shop()
    [number] = placed(shop)
    [order] = orders(shop, number)
    refund(shop, order, "14.90", (0, 1, "10.00"), (1, 0, "4.90"))
    refund(shop, order, "10.00", (1, 1, "10.00"))
    refund(shop, order, "1.00")
    first, second, third = orders(shop, number)[0].refunds
    assert first.amount == Amount(shop=Money("14.90", USD))
    assert (first.reason, first.created_at is not None) == ("Broken", True)
    red, blue = (line.id for line in order.line_items)
    assert [(each.line_item_id, each.quantity, each.amount) for each in first.lines] == [
        (red, 1, Amount(shop=Money("10.00", USD))),
        (blue, 0, Amount(shop=Money("4.90", USD))),
    ]
    assert [(each.line_item_id, each.quantity) for each in second.lines] == [(blue, 1)]
    assert (third.lines, third.amount) == ((), Amount(shop=Money("1.00", USD)))


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ("3", [True, True]),
        ("", [False, False]),
        ("1", [None, None]),  # of two refunds of one line, the line keeps one sum
    ],
)
def test_what_went_back_into_stock(kept: str, told: list[bool | None]) -> None:
    def between(request: Request, handler: Handler) -> Response:
        answer = handler(request)
        if request.method != "GET" or not request.path.endswith("/orders"):
            return answer
        rows = json.loads(answer.body)
        for line in rows[0]["line_items"][1:]:
            line["meta_data"] = [{"key": "_restock_refunded_items", "value": kept}] if kept else []
        return Response(status=200, headers=answer.headers, body=json.dumps(rows).encode())

    shop = Shop(between)
    [number] = placed(shop)
    [order] = orders(shop, number)
    refund(shop, order, "10.00", (1, 1, "10.00"))
    refund(shop, order, "20.00", (1, 2, "20.00"))
    lines = [each.lines[0] for each in orders(shop, number)[0].refunds]
    assert [each.restocked if "restocked" in each.given else None for each in lines] == told


def test_refunds_of_many_orders_are_one_call() -> None:
    shop = Shop()
    numbers = placed(shop, 5)
    for order in orders(shop, *numbers):
        refund(shop, order, "1.00")
    shop.requests.clear()
    found = orders(shop, *numbers)
    assert [len(each.refunds) for each in found] == [1] * 5
    assert [request.path.rpartition("/")[2] for request in shop.requests] == ["orders", "refunds"]
    shop.requests.clear()
    orders(shop, *numbers, fields=frozenset({"status"}))
    assert len(shop.requests) == 1


def test_an_older_shop_is_asked_order_by_order() -> None:
    def between(request: Request, handler: Handler) -> Response:
        if request.path.endswith("/wc/v3/refunds"):
            body = b'{"code":"rest_no_route","message":"No route","data":{"status":404}}'
            return Response(status=404, body=body)
        return handler(request)

    shop = Shop(between)
    numbers = placed(shop, 2)
    for order in orders(shop, *numbers):
        for _ in range(2):
            refund(shop, order, "2.00", (0, 1, "2.00"))
    found = orders(shop, *numbers)
    assert [[each.lines[0].quantity for each in one.refunds] for one in found] == [[1, 1]] * 2


def test_what_a_new_order_is_made_without_is_told_before_it_is_written() -> None:
    shop = Shop()
    shop.learn()
    [number] = placed(shop)
    back = Refund(amount=Amount(shop=Money("5.00", USD)))
    lines = (LineItem(sku="RED", quantity=1),)
    new = Order(key="k", line_items=lines, refunds=(back,), payments=(Payment(gateway="cash"),))
    records = shop.adapter.records("order")
    found = {fit.field: fit.message for fit in records.check(new)}
    assert sorted(found) == ["payments", "refunds"]
    assert "an order that is there keeps its own" in found["refunds"]
    assert not list(records.check(new.but(refunds=(), payments=())))
    # Of an order that is there nothing is lost.
    assert not list(records.check(Order(key="k", refunds=(back,))))
    assert not list(records.check(new.but(id=number)))


# -- comments


def test_comments_are_written_and_read() -> None:
    shop = Shop()
    [number] = placed(shop)
    new = (Comment(text="Parcel 1Z & co", to_customer=True), Comment(text="Call back"))
    assert comment(shop, number, *new).status is Status.APPLIED
    [order] = orders(shop, number, fields=NOTES)
    assert [(each.text, each.to_customer) for each in order.comments[-2:]] == [
        ("Parcel 1Z &amp; co", True),
        ("Call back", False),
    ]
    assert order.comments[-1].created_at is not None
    # Each order's are a call of their own: they are read where they are named.
    assert "comments" not in orders(shop, number)[0].given


def test_the_same_comment_is_not_written_again() -> None:
    shop = Shop()
    [number] = placed(shop)
    told = Comment(text="On its way < now >", to_customer=True)
    for _ in range(2):
        assert comment(shop, number, told).status is Status.APPLIED
    comment(shop, number, told.but(to_customer=False))
    texts = [each.to_customer for each in orders(shop, number, fields=NOTES)[0].comments]
    assert texts.count(True) == 1


@pytest.mark.parametrize("done", [True, False], ids=["arrived", "never arrived"])
def test_a_lost_answer_tells_no_customer_twice(done: bool) -> None:
    lost: list[str] = []

    def between(request: Request, handler: Handler) -> Response:
        if request.method != "POST" or not request.path.endswith("/notes") or lost:
            return handler(request)
        lost.append(request.path)
        if done:
            handler(request)
        return Response(status=502, body=b"<html>Bad gateway</html>")

    shop = Shop(between)
    [number] = placed(shop)
    note = Comment(text="Sent", to_customer=True)
    told = comment(shop, number, note).status
    assert (told, len(lost)) == (Status.APPLIED if done else Status.UNKNOWN, 1)
    assert comment(shop, number, note).status is Status.APPLIED
    found = orders(shop, number, fields=NOTES)[0].comments
    assert [each.text for each in found if each.to_customer] == ["Sent"]


def test_a_comment_is_taken_out_and_never_changed() -> None:
    shop = Shop()
    [number] = placed(shop)
    comment(shop, number, Comment(text="Wrong"))
    held = orders(shop, number, fields=NOTES)[0].comments
    [wrong] = [each for each in held if each.text == "Wrong"]
    changed = comment(shop, number, Comment(id=wrong.id, text="Right"))
    assert (changed.status, "no note" in changed.message) == (Status.FAILED, True)
    gone = comment(shop, number, removed={"comments": (f"id:{wrong.id}",)})
    assert gone.status is Status.APPLIED
    left = orders(shop, number, fields=NOTES)[0].comments
    assert left == tuple(each for each in held if each.id != wrong.id)


def test_a_comment_of_an_order_that_is_gone_fails() -> None:
    shop = Shop()
    shop.learn()
    assert comment(shop, "999", Comment(text="x")).cause == "missing"


# -- parcels


def parcels(shop: Shop, number: str, *given: Fulfillment, **more: Any) -> Any:
    change: Change[Order] = Change(
        id="p",
        action="update",
        part="core",
        record_id=number,
        desired=Order(fulfillments=given),
        **more,
    )
    return shop.write("order", change)[0]


def tracker() -> Shop:
    """Return a shop in which the plugin for tracking numbers is active."""

    def between(request: Request, handler: Handler) -> Response:
        answer = handler(request)
        if not request.path.endswith("/system_status"):
            return answer
        status = json.loads(answer.body)
        plugin = "woocommerce-shipment-tracking/woocommerce-shipment-tracking.php"
        status["active_plugins"] = [*status.get("active_plugins", ()), {"plugin": plugin}]
        return Response(status=200, headers=answer.headers, body=json.dumps(status).encode())

    shop = Shop(between)
    shop.learn()
    return shop


def test_parcels_are_kept_where_a_plugin_keeps_them() -> None:
    shop = tracker()
    [number] = placed(shop)
    sent = datetime(2026, 11, 20, tzinfo=UTC)
    first = Fulfillment(
        carrier="DHL",
        tracking_numbers=("1Z",),
        tracking_urls=("https://dhl.example/1Z",),
        created_at=sent,
    )
    assert parcels(shop, number, first).status is Status.APPLIED
    [order] = orders(shop, number)
    [read] = order.fulfillments
    assert (read.carrier, read.tracking_numbers) == ("DHL", ("1Z",))
    assert (read.tracking_urls, read.created_at) == (("https://dhl.example/1Z",), sent)
    assert not any("shipment" in each.key for each in order.metafields)
    # The plugin keeps one value for all of them: another parcel joins, and a change stays alone.
    parcels(shop, number, Fulfillment(carrier="UPS", tracking_numbers=("2Y",)))
    parcels(shop, number, Fulfillment(id=read.id, carrier="DHL Express"))
    found = orders(shop, number)[0].fulfillments
    assert [(each.carrier, each.tracking_numbers) for each in found] == [
        ("DHL Express", ("1Z",)),
        ("UPS", ("2Y",)),
    ]
    parcels(shop, number, removed={"fulfillments": (f"id:{read.id}",)})
    assert [each.carrier for each in orders(shop, number)[0].fulfillments] == ["UPS"]


def test_without_the_plugin_parcels_do_not_fit() -> None:
    shop = Shop()
    shop.learn()
    assert not any("fulfillments" in path for path in shop.adapter.records("order").fields)
    assert any("fulfillments" in path for path in tracker().adapter.records("order").fields)
    [number] = placed(shop)
    assert "fulfillments" not in orders(shop, number)[0].given


# -- what has changed since


def test_changed_orders_are_read_with_some_overlap() -> None:
    shop = Shop()
    [number] = placed(shop)
    [order] = orders(shop, number)
    records = shop.adapter.records("order")
    assert order.updated_at is not None

    def since(seconds: int) -> list[str]:
        assert order.updated_at is not None
        query = Query(updated_since=order.updated_at + timedelta(seconds=seconds))
        return [each.id for each in shop.engine.run(records.page(query, "")).records]

    assert (since(0), since(1), since(60)) == ([number], [number], [])
