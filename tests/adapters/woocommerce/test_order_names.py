"""Orders of a migration are made once, however often the same ones are planned and applied."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from tests.campaigns.woocommerce import WooShop

import storebridge
from storebridge.engine import HandlerTransport
from storebridge.errors import SourceError, StorebridgeError
from storebridge.flow import Request, Status
from storebridge.models import Address, Amount, LineItem, Metafield, Money, Order, Product, Variant
from storebridge.testing import Fault
from storebridge.testing.faults import Killed

_TEE = Product(
    handle="tee", title="Tee", variants=(Variant(sku="TEE", price=Money("9.90", "USD")),)
)
_LINE = LineItem(sku="TEE", title="Tee", quantity=2, total=Amount(shop=Money("18.00", "USD")))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[WooShop]:
    with WooShop(tmp_path / "shop", batch_size=4) as made:
        made.fill([_TEE])
        yield made


def placed(count: int, **given: Any) -> list[Order]:
    """Orders of another platform: every third has a key alone, the others a number, or both."""
    named: tuple[dict[str, Any], ...]
    orders = []
    for n in range(count):
        named = (
            {"key": f"erp-{n}"},
            {"number": f"#{n}"},
            {"key": f"k{n}", "number": f"{9000 + n}"},
        )
        order = Order(
            **named[n % 3],
            status="completed",
            currency="USD",
            email=f"ada{n}@example.com",
            billing_address=Address(first_name="Ada", city="Berlin", country="DE"),
            line_items=(_LINE,),
            note=f"note {n}",
            metafields=(Metafield(namespace="erp", key="place", value=str(n)),),
        )
        orders.append(order.but(**given))
    return orders


def rows(shop: WooShop) -> list[Any]:
    """Return the orders in the shop's own table."""
    found = shop.sandbox.db.execute("SELECT id, doc FROM posts WHERE kind = 'order' ORDER BY id")
    return [{"id": number, **json.loads(text)} for number, text in found]


def notes(shop: WooShop) -> list[str]:
    return sorted(row["customer_note"] for row in rows(shop))


def apply(shop: WooShop, orders: Sequence[Order], name: str = "orders.plan") -> Any:
    report = shop.apply(shop.plan(orders, name))
    assert report.ok, [str(item) for item in report.items("failed", "skipped", "unknown")]
    return report


@pytest.mark.parametrize("count", [6, 45])  # looked up by key, and read whole
def test_the_same_orders_are_planned_again_as_nothing(shop: WooShop, count: int) -> None:
    orders = placed(count)
    assert apply(shop, orders).counts["applied"] == count
    assert len(rows(shop)) == count
    assert shop.planned(orders) == []
    # Some that are new, between some that are there; and one that has changed.
    more = placed(count + 3)
    more[0] = more[0].but(status="refunded")
    assert len(shop.planned(more)) == 4
    assert apply(shop, more, "more.plan").counts["applied"] == 4
    assert notes(shop) == sorted(order.note for order in more)
    assert shop.planned(more) == []


def test_an_old_plan_makes_no_second_order(shop: WooShop) -> None:
    """Two plans of the same orders, made before either is applied."""
    orders = placed(6)
    first, second = shop.plan(orders, "first.plan"), shop.plan(orders, "second.plan")
    assert shop.apply(first).counts["applied"] == 6
    counts = shop.apply(second).counts
    assert (counts["applied"], counts["skipped"]) == (0, 6)
    assert len(rows(shop)) == 6


def test_names_are_read_back(shop: WooShop) -> None:
    orders = placed(3)
    apply(shop, orders)
    with shop.open() as store:
        found = {order.note: order for order in store.orders.iter()}
        for order in orders:
            live = found[order.note]
            assert live.key == order.key
            assert live.number == (order.number or live.id)
            assert [(each.key, each.value) for each in live.metafields] == [
                ("place", live.note[-1])
            ]
            names = (f"id:{live.id}", *order.keys())
            records = store.adapter.records("order")
            for name in names:
                [hit] = store.engine.run(records.fetch([name], None))
                assert hit.id == live.id


def test_a_number_of_the_shop_is_its_id(shop: WooShop) -> None:
    """An order whose own number was kept isn't found by the one that the shop gave it."""
    apply(shop, placed(2))
    keyed, numbered = rows(shop)
    with shop.open() as store:
        records = store.adapter.records("order")
        [hit] = store.engine.run(records.fetch([f"number:{keyed['id']}"], None))
        assert hit.id == str(keyed["id"])
        assert store.engine.run(records.fetch([f"number:{numbered['id']}"], None)) == ()


def test_another_order_with_the_same_number_is_left_alone(shop: WooShop) -> None:
    apply(shop, [order.without("key", "number").but(key="own") for order in placed(1)])
    [row] = rows(shop)
    row["meta_data"] = []  # as one that the shop made
    number = row.pop("id")
    shop.sandbox.db.execute("UPDATE posts SET doc = ? WHERE id = ?", (json.dumps(row), number))
    [other] = placed(1, key="erp-1", number=str(number), note="another", status="pending")
    report = shop.apply(shop.plan([other]))
    [failed] = report.items("failed")
    assert "no number" in failed.remedy
    [after] = rows(shop)
    assert after["customer_note"] == "note 0"
    apply(shop, [other.without("number")], "named.plan")
    assert notes(shop) == ["another", "note 0"]


@pytest.mark.parametrize(
    "fault", [Fault.LOST, Fault.CUT, Fault.EMPTY, Fault.BROKEN_AFTER, Fault.VANISHED]
)
def test_a_lost_answer_doubles_no_order(shop: WooShop, fault: Fault) -> None:
    orders, sent = placed(7), list[str]()

    def faults(_: int, request: Request) -> Fault | None:
        if creates := request.path.endswith("/orders/batch"):
            sent.append(request.path)
        return fault if creates and len(sent) in (1, 3) else None

    plan = shop.plan(orders)
    with suppress(StorebridgeError):
        shop.apply(plan, faults)
    shop.apply(plan, retry_failed=True)
    assert len(sent) > 1
    assert notes(shop) == sorted(order.note for order in orders)
    assert shop.planned(orders) == []


@pytest.mark.parametrize("death", [Fault.KILLED_BEFORE, Fault.KILLED_AFTER])
def test_a_killed_run_doubles_no_order(shop: WooShop, death: Fault) -> None:
    """Neither when it goes on, nor when the orders are planned anew instead."""
    orders = placed(7)
    for batch, resumed in product((1, 2), (True, False)):
        sent: list[str] = []

        def faults(_: int, request: Request, batch: int = batch, sent: Any = sent) -> Fault | None:
            if request.path.endswith("/orders/batch"):
                sent.append(request.path)
                return death if len(sent) == batch else None
            return None

        folder = shop.folder / f"{death}-{batch}-{resumed}"
        with WooShop(folder, shop.sandbox, batch_size=4) as copy:
            plan = copy.plan(orders)
            with pytest.raises(Killed):
                copy.apply(plan, faults)
            if resumed:
                copy.apply(plan)
            else:
                apply(copy, orders, "again.plan")
            assert notes(copy) == sorted(order.note for order in orders)


def test_an_order_listed_before_its_names_were_kept_is_read_again(shop: WooShop) -> None:
    """The shop writes an order's row before its metadata; a look between the two sees one."""
    orders = placed(3)
    with shop.open() as store:
        assert store.orders.create(orders[0]).status is Status.APPLIED
        [row] = rows(shop)
        whole = json.dumps({**row, "meta_data": row["meta_data"]})
        bare = json.dumps({**row, "meta_data": []})
        sql = "UPDATE posts SET doc = ? WHERE id = ?"
        records = store.adapter.records("order")
        shop.sandbox.db.execute(sql, (bare, row["id"]))
        assert store.engine.run(records.fetch(["key:erp-0"], None)) == ()
        shop.sandbox.db.execute(sql, (whole, row["id"]))
        assert store.orders.create(orders[0]).cause == "conflict"
    assert len(rows(shop)) == 1


def test_orders_made_one_by_one(shop: WooShop) -> None:
    orders = placed(3)
    for _ in range(2):
        with shop.open() as store:
            for order in orders:
                assert store.orders.upsert(order).status in (Status.APPLIED, Status.UNCHANGED)
                assert store.orders.create(order).cause == "conflict"
    assert notes(shop) == ["note 0", "note 1", "note 2"]


def test_an_order_without_a_name_is_refused(shop: WooShop) -> None:
    [order] = placed(1, key="", number="")
    with shop.open() as store:
        for write in (store.orders.create, store.orders.upsert):
            refused = write(order.without("key", "number"))
            assert refused.status is Status.FAILED
            assert "an order needs a key or a number" in refused.message
    with pytest.raises(SourceError) as caught:
        shop.plan([order.without("key", "number")])
    assert "an order has no key to find it by" in str(caught.value)
    assert "a number or an external key" in str(caught.value)
    assert rows(shop) == []


def test_a_shop_that_knows_no_filter_is_read_whole(shop: WooShop) -> None:
    """Older ones list orders of the checkout too: what is kept with each is what counts."""
    apply(shop, placed(6))
    shop.sandbox.db.execute("UPDATE posts SET doc = json_set(doc, '$.created_via', 'checkout') "
        "WHERE kind = 'order' AND id % 2 = 0")  # fmt: skip

    def older(request: Request) -> Any:
        params = tuple(each for each in request.params if each[0] != "created_via")
        return shop.sandbox(Request(
            method=request.method, path=request.path, kind=request.kind, params=params,
            headers=request.headers, body=request.body, covers=request.covers,
        ))  # fmt: skip

    with shop.open(inner=HandlerTransport(older)) as store:
        for order in placed(6):
            assert store.orders.create(order).cause == "conflict"


def test_names_are_looked_up_once_a_run(shop: WooShop) -> None:
    """And from then on at the end of the list only."""
    apply(shop, placed(250))
    start = len(shop.history)
    more = placed(270)[250:]
    apply(shop, more, "more.plan")
    asked = [e.request for e in shop.history[start:] if e.request.path.endswith("/orders")]
    looks = [r for r in asked if ("created_via", "rest-api") in r.params]
    # 3 pages for the plan, 3 for its run, and one for each of its 5 batches.
    assert len(looks) <= 12, [dict(r.params).get("offset") for r in looks]
    with shop.open() as store:  # one of the first ones gets another name
        [first] = store.engine.run(store.adapter.records("order").fetch(["key:erp-0"], None))
        assert store.orders.update(Order(id=first.id, key="new")).status is Status.APPLIED
        assert store.orders.create(placed(1, key="new")[0]).cause == "conflict"


def test_a_store_is_migrated_with_its_orders_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a store, whose orders have numbers; and from the file that they were pulled into."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "orders.jsonl"
    url = f"local:{tmp_path / 'source.db'}?currency=USD"
    with storebridge.open(url, state=tmp_path / "state") as source:
        source.plan([_TEE, *placed(90)[1::3]], tmp_path / "local.plan").apply()
        source.pull(file, "order")
        sources: tuple[Any, ...] = (source.orders.iter(), file, source.orders.iter())
        for number, orders in enumerate(sources):
            with storebridge.open("sandbox:woocommerce", state=tmp_path / "woo") as target:
                if not number:
                    assert target.products.create(_TEE).status is Status.APPLIED
                plan = target.plan(orders, tmp_path / f"{number}.plan")
                assert plan.is_empty == bool(number)
                assert number or plan.apply().ok
                live = [order.number for order in target.orders.iter()]
                assert sorted(live) == sorted(f"#{n}" for n in range(1, 90, 3))
