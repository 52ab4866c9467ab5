"""Work that is done long after its answer was lost: never made twice, never called failed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from tests.adapters.shopify.shop import Handler, Shop, eur, operation, tee

from storebridge.flow import Request, Response, Status
from storebridge.models import (
    Amount,
    Collection,
    Customer,
    Discount,
    LineItem,
    Order,
    Product,
    Record,
    Variant,
)
from storebridge.testing.rig import creation

GONE = Response(status=504, headers={"content-type": "text/html"}, body=b"<html>504</html>")


class Late:
    """Answers the first request of an operation with 504, and does it so many seconds later.

    At the latest it is done just before the second one.
    """

    def __init__(self, shop: Shop, name: str, after: float) -> None:
        self.shop, self.name, self.after = shop, name, after
        self.due: tuple[float, Request] | None = None
        self.hit = False
        shop.between = self

    def __call__(self, request: Request, sandbox: Handler) -> Response:
        assert isinstance(request.body, bytes)
        mine = operation(json.loads(request.body)) == self.name
        self.work(float("inf") if mine else self.shop.clock.time())
        if mine and not self.hit:
            self.hit, self.due = True, (self.shop.clock.time() + self.after, request)
            return GONE
        return sandbox(request)

    def work(self, now: float) -> None:
        """Do what is due."""
        if self.due is not None and self.due[0] <= now:
            request, self.due = self.due[1], None
            self.shop.sandbox(request)


def order() -> Order:
    line = LineItem(title="Tee", quantity=1, unit_price=Amount(shop=eur("9.90")))
    return Order(number="#900", line_items=(line,))


TEN = Discount(codes=("TEN",), percentage=Decimal(10))
#: What is made by which operation, and where the sandbox keeps it.
KINDS: dict[str, tuple[Callable[[], Record], str]] = {
    "ProductSet": (tee, "Product"),
    "OrderCreate": (order, "Order"),
    "CustomerSet": (lambda: Customer(email="ada@example.com"), "Customer"),
    "DiscountCodeCreate": (
        lambda: Discount(codes=("TEN",), percentage=Decimal(10)),
        "DiscountNode",
    ),
    "CollectionCreate": (lambda: Collection(handle="slow", title="Slow"), "Collection"),
}


@pytest.mark.parametrize("after", [3, 8, 30, 120])
@pytest.mark.parametrize("name", KINDS)
def test_what_is_made_late_is_made_once_and_told_as_made(name: str, after: float) -> None:
    desired, kind = KINDS[name]
    shop = Shop()
    late = Late(shop, name, after)
    [outcome] = shop.write(desired().kind, creation(desired()))
    late.work(float("inf"))
    [made] = shop.sandbox.all(kind)
    assert (outcome.status, outcome.id) == (Status.APPLIED, made["id"])


def test_a_collection_is_not_sent_again_on_a_guess() -> None:
    """Its handle is no key that Shopify keeps to: what comes at last would be a second one."""
    shop = Shop()
    late = Late(shop, "CollectionCreate", 1000)
    change = creation(Collection(handle="slow", title="Slow"))
    [outcome] = shop.write("collection", change)
    assert (outcome.status, shop.clock.time() > 600) == (Status.UNKNOWN, True)
    late.work(float("inf"))
    assert [each["handle"] for each in shop.sandbox.all("Collection")] == ["slow"]


@pytest.mark.parametrize("after", [8, 500])
def test_a_run_after_a_kill_waits_until_nothing_can_come_any_more(after: float) -> None:
    shop = Shop()
    late = Late(shop, "CollectionCreate", after)
    late(_create("slow"), shop.sandbox)
    changes = [creation(Collection(handle=name, title=name), name) for name in ("slow", "other")]
    begun = shop.clock.time()
    outcomes = shop.write("collection", *changes, uncertain=frozenset({"slow", "other"}))
    assert [each.status for each in outcomes] == [Status.APPLIED] * 2
    assert 600 <= shop.clock.time() - begun < 700  # for all together
    assert sorted(each["handle"] for each in shop.sandbox.all("Collection")) == ["other", "slow"]


def _create(handle: str) -> Request:
    from storebridge_shopify.graphql import text_of
    from storebridge_shopify.sandbox import settings

    variables = {"input": {"handle": handle, "title": handle}}
    text = text_of("collection_create")
    headers = {"x-shopify-access-token": settings()["token"]}
    body = json.dumps({"query": text, "variables": variables}).encode()
    path = "/admin/api/2026-10/graphql.json"
    return Request(method="POST", path=path, headers=headers, body=body)


def test_a_key_that_another_takes_meanwhile_is_unknown_and_not_adopted() -> None:
    theirs = Product(handle="tee", title="Theirs", variants=(Variant(price=eur("1.00")),))
    shop, count = Shop(), 0

    def lose(request: Request, sandbox: Handler) -> Response:
        nonlocal count
        assert isinstance(request.body, bytes)
        count += operation(json.loads(request.body)) == "ProductSet"
        if count == 1:
            count = 2
            return GONE
        if count == 3:
            shop.between = None
            shop.create(theirs)
        return sandbox(request)

    shop.between = lose
    [outcome] = shop.write("product", creation(tee()))
    assert outcome.status is Status.UNKNOWN
    assert [each["title"] for each in shop.sandbox.all("Product")] == ["Theirs"]


BATCHES: dict[str, Callable[[int], Record]] = {
    "Product": lambda n: tee(f"tee-{n}"),
    "Customer": lambda n: Customer(email=f"p{n}@shop.example"),
    "Order": lambda n: order().but(number=f"#{900 + n}"),
}


@pytest.mark.parametrize("type_", BATCHES)
def test_a_killed_batch_waits_once_for_all_that_it_may_have_sent(type_: str) -> None:
    """Half of it was sent, and one of its requests is done only now."""
    shop, wanted = Shop(), [BATCHES[type_](n) for n in range(20)]
    late = [_sent_for(wanted[9])]
    shop.create(*wanted[:9])
    began = shop.clock.time()

    def comes_late(request: Request, sandbox: Handler) -> Response:
        if late and shop.clock.time() >= began + 4:
            sandbox(replace(request, body=json.dumps(late.pop()).encode()))
        return sandbox(request)

    shop.between = comes_late
    batch = [replace(creation(each), id=str(n)) for n, each in enumerate(wanted)]
    outcomes = shop.write(batch[0].desired.kind, *batch, uncertain=frozenset(c.id for c in batch))
    assert {each.status for each in outcomes} == {Status.APPLIED}
    assert shop.clock.time() - began < 10
    assert (shop.sandbox.count(type_), late) == (20, [])


def _sent_for(record: Record) -> dict[str, object]:
    """Return the request that makes a record."""
    other = Shop()
    other.write(record.kind, creation(record))
    return next(each for each in other.sent if operation(each) in KINDS)
