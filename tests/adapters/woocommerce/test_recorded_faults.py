"""Lost answers on a real WooCommerce, by cassette: what was made is found, and not made twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.adapters.woocommerce.recorded import Shop

from storebridge.flow import Request, Status
from storebridge.models import Money, Option, Product, Variant
from storebridge.testing import Fault

pytestmark = pytest.mark.vcr


def once(fault: Fault, path: str) -> Callable[[int, Request], Fault | None]:
    """Return the plan in which the first POST to a path fails."""
    left = [fault]

    def plan(number: int, request: Request) -> Fault | None:
        hit = request.method == "POST" and request.path.endswith(path)
        return left.pop() if hit and left else None

    return plan


def simple(number: int) -> Product:
    variant = Variant(sku=f"LOST-{number}", price=Money("5.00", "EUR"))
    return Product(
        handle=f"lost-{number}", title=f"Lost {number}", status="active", variants=(variant,)
    )


def adopted(shop: Shop, fault: Fault) -> bool:
    """Return whether a batch whose answer went wrong ends as if it hadn't."""
    store = shop.open(faults=once(fault, "/products/batch"))
    outcomes = list(store.products.create_many(map(simple, range(3))))
    assert {outcome.status for outcome in outcomes} == {Status.APPLIED}
    ids = [product.id for product in store.products.iter()]
    return ids == [outcome.id for outcome in outcomes] and len(ids) == 3


def test_a_batch_whose_answer_was_lost(shop: Shop) -> None:
    assert adopted(shop, Fault.LOST)


def test_a_batch_whose_answer_was_cut(shop: Shop) -> None:
    assert adopted(shop, Fault.CUT)


def test_a_batch_that_was_done_and_answered_5xx(shop: Shop) -> None:
    assert adopted(shop, Fault.BROKEN_AFTER)


def test_a_batch_that_never_arrived_is_sent_again(shop: Shop) -> None:
    store = shop.open(faults=once(Fault.VANISHED, "/products/batch"))
    outcomes = list(store.products.create_many(map(simple, range(2))))
    assert {outcome.status for outcome in outcomes} == {Status.APPLIED}
    assert [p.title for p in store.products.iter()] == ["Lost 0", "Lost 1"]


def test_lost_variations_are_adopted(shop: Shop) -> None:
    store = shop.open(faults=once(Fault.LOST, "/variations/batch"))
    product = Product(
        handle="lost",
        title="Lost",
        status="active",
        options=(Option(name="Size", values=("S", "M")),),
        variants=tuple(
            Variant(sku=f"LOST-{size}", options=(size,), price=Money("5.00", "EUR"))
            for size in ("S", "M")
        ),
    )
    outcome = store.products.create(product)
    assert outcome.status is Status.APPLIED
    variants = store.products.get(outcome.id).variants
    assert sorted(variant.sku for variant in variants) == ["LOST-M", "LOST-S"]
