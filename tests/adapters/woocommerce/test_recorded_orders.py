"""Customers and orders of a real WooCommerce, by cassette: made for a migration, read, changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.woocommerce.recorded import Shop

from storebridge.flow import Request, RequestKind, Status
from storebridge.models import (
    Address,
    Amount,
    Comment,
    Customer,
    Discount,
    LineItem,
    Money,
    Order,
    Product,
    Review,
    Variant,
)
from storebridge.testing import Fault

pytestmark = pytest.mark.vcr

ADA = Address(
    first_name="Ada",
    last_name="Lovelace",
    address1="Example Street 1",
    city="Berlin",
    postcode="10115",
    country="DE",
)


def test_customers(shop: Shop) -> None:
    store = shop.open(keys="admin")
    ada = Customer(
        email="ada@example.com", first_name="Ada", last_name="Lovelace", default_address=ADA
    )
    outcome = store.customers.create(ada)
    assert outcome.status is Status.APPLIED
    found = store.customers.find("ada@example.com")
    assert found is not None
    assert (found.id, found.first_name, found.last_name) == (outcome.id, "Ada", "Lovelace")
    assert found.default_address is not None
    assert found.default_address.city == "Berlin"

    changed = store.customers.update(Customer(id=found.id, first_name="Grace", last_name="Hopper"))
    assert changed.status is Status.APPLIED
    assert store.customers.get(found.id).last_name == "Hopper"
    assert store.customers.create(ada).cause == "conflict"


def test_a_shop_manager_may_send_no_batch_of_customers(shop: Shop) -> None:
    store = shop.open()
    outcome = store.customers.create(Customer(email="grace@example.com", first_name="Grace"))
    assert (outcome.status, outcome.cause) == (Status.FAILED, "denied")
    assert "Administrator" in outcome.remedy
    assert store.customers.find("grace@example.com") is None


def test_discounts_and_reviews(shop: Shop) -> None:
    store = shop.open()
    variants = (Variant(sku="SAID", price=Money("10.00", "EUR")),)
    store.products.create(Product(handle="said", title="Said", status="active", variants=variants))
    draft = Discount(
        codes=("A & b",),
        title="Summer & sun",
        status="draft",
        percentage=Decimal("12.5"),
        minimum_subtotal=Money("20.00", "EUR"),
        ends_at=datetime(2030, 8, 31, 22, 59, 59, tzinfo=UTC),
        products=("handle:said",),
        customer_emails=("*@example.com",),
        combinable=False,
    )
    assert store.discounts.create(draft).status is Status.APPLIED
    found = store.discounts.find("a & B")
    assert found is not None
    for name in draft.given - {"codes"}:
        assert getattr(found, name) == getattr(draft, name), name
    fixed = Discount(id=found.id, percentage=None, amount=Money("5.00", "EUR"), status="active")
    assert store.discounts.update(fixed).status is Status.APPLIED
    assert store.discounts.create(Discount(codes=("a & b",))).cause == "conflict"

    review = Review(
        product="handle:said",
        rating=Decimal(5),
        body="2 < 3 & <b>warm</b>",
        author="Ada Lovelace",
        email="ada@example.com",
        status="pending",
        created_at=datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    made = store.reviews.create(review)
    assert made.status is Status.APPLIED
    assert store.reviews.create(review).cause == "conflict"
    change = Review(id=made.id, status="approved", body="2 < 3 and 5 > 4")
    assert store.reviews.update(change).status is Status.APPLIED
    spam = review.but(body="Cheap pills", status="spam")
    assert store.reviews.create(spam).status is Status.APPLIED
    [held, unwanted] = store.reviews.iter()
    assert unwanted.status == "spam"
    assert (held.product, held.body) == ("handle:said", "2 &lt; 3 and 5 &gt; 4")
    assert (held.created_at, held.email) == (review.created_at, review.email)


def test_orders(shop: Shop) -> None:
    store = shop.open()
    price = Money("10.00", "EUR")
    product = store.products.create(
        Product(
            handle="ordered",
            title="Ordered",
            status="active",
            variants=(Variant(sku="ORDERED", price=price),),
        )
    )
    line = LineItem(
        sku="ORDERED",
        product_id=product.id,
        title="Ordered",
        quantity=2,
        total=Amount(shop=Money("20.00", "EUR")),
    )
    wanted = Order(
        key="external:1001",
        status="processing",
        currency="EUR",
        email="ada@example.com",
        billing_address=ADA,
        line_items=(line,),
        note="A note of the customer.",
    )
    outcome = store.orders.create(wanted)
    assert outcome.status is Status.APPLIED, outcome
    order = store.orders.get(outcome.id)
    assert order.total is not None
    assert (order.status, order.total.shop) == ("processing", Money("20.00", "EUR"))
    assert [(each.sku, each.quantity) for each in order.line_items] == [("ORDERED", 2)]

    assert store.orders.update(Order(id=order.id, status="completed")).status is Status.APPLIED
    assert store.orders.get(order.id).status == "completed"

    [placed] = order.line_items
    back = {"id": int(placed.id), "quantity": 1, "refund_total": 5}
    paid = {"amount": "5.00", "reason": "Damaged", "api_refund": False, "line_items": [back]}
    body = json.dumps(paid).encode()
    store.call(
        Request(
            method="POST",
            path=f"/orders/{order.id}/refunds",
            kind=RequestKind.CREATE,
            body=body,
            covers=("refund",),
        )
    )
    [refund] = store.orders.get(order.id).refunds
    assert (refund.reason, refund.amount) == ("Damaged", Amount(shop=Money("5.00", "EUR")))
    [back_line] = refund.lines
    assert (back_line.line_item_id, back_line.quantity) == (placed.id, 1)
    assert back_line.amount == Amount(shop=Money("5.00", "EUR"))

    told = Comment(text="On its way & soon < there", to_customer=True)
    for _ in range(2):  # the second finds it there
        assert store.orders.update(Order(id=order.id, comments=(told,))).status is Status.APPLIED
    [again] = store.orders.iter(f"id = '{order.id}'", fields={"comments"})
    assert [each.text for each in again.comments if each.to_customer] == [
        "On its way &amp; soon &lt; there"
    ]

    since = datetime(2020, 1, 1, tzinfo=UTC)
    assert [each.id for each in store.orders.iter(updated_since=since)] == [order.id]


def test_orders_are_made_once(shop: Shop, tmp_path: Path) -> None:
    """Planned and applied twice, with the answer lost the first time: they are there once."""

    def lost(_: int, request: Request) -> Fault | None:
        return Fault.LOST if request.path == "/orders/batch" else None

    store = shop.open(faults=lost)
    variants = (Variant(sku="MOVED", price=Money("10.00", "EUR")),)
    store.products.create(Product(handle="moved", title="Moved", variants=variants))
    line = LineItem(sku="MOVED", quantity=1, total=Amount(shop=Money("9.00", "EUR")))
    given: dict[str, Any] = {"status": "completed", "currency": "EUR", "line_items": (line,)}
    orders = [
        Order(key="erp-1", **given),
        Order(number="#1002", **given),
        Order(key="erp\\3 ü", number="100003", **given),
    ]
    plan = store.plan(orders, tmp_path / "first.plan")
    assert plan.apply().ok
    assert store.plan(orders, tmp_path / "second.plan").is_empty
    live = list(shop.open().orders.iter())
    assert {(order.key, order.number) for order in live} == {
        ("erp-1", live[0].id),
        ("", "#1002"),
        ("erp\\3 ü", "100003"),
    }
    assert len(live) == 3
