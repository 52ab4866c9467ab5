"""Orders go to other shops with what names their lines: ids count only where they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

import storebridge
from storebridge import Store
from storebridge.errors import SourceError
from storebridge.flow import Outcome, Status
from storebridge.models import (
    Amount,
    Fulfillment,
    FulfillmentLine,
    LineItem,
    Money,
    Order,
    Product,
    Refund,
    RefundLine,
    Variant,
)

WOOCOMMERCE = "sandbox:woocommerce?memory&woocommerce_currency=EUR"


def opened(url: str, folder: Path) -> Store:
    return storebridge.open(f"local:{folder}.db" if url == "local" else url, state=folder)


def stocked(store: Store, *skus: str) -> Store:
    for sku in skus:
        price = Money("9.00", store.info.currency)
        store.products.create(Product(title=sku, variants=(Variant(sku=sku, price=price),)))
    return store


def line(sku: str, count: int) -> LineItem:
    price, total = Money("5.00", "EUR"), Money(5 * count, "EUR")
    return LineItem(
        sku=sku,
        title=f"{sku} of then",
        quantity=count,
        unit_price=Amount(shop=price),
        total=Amount(shop=total),
    )


def parcel(number: str, *lines: tuple[str, int]) -> Fulfillment:
    rows = tuple(FulfillmentLine(line_item_id=name, quantity=count) for name, count in lines)
    return Fulfillment(lines=rows, tracking_numbers=(number,), carrier="DHL")


def order(**fields: object) -> Order:
    lines = (line("COAT", 3), line("HAT", 2), line("HAT", 1))
    return Order(key="old-7", currency="EUR", line_items=lines).but(**fields)


def sold(folder: Path) -> tuple[Store, Order]:
    """Return a shop, and its order of which two parcels were sent."""
    shop = stocked(opened("sandbox:shopify?memory", folder), "SOME", "MORE", "COAT", "HAT")
    shop.orders.create(order(key="old-1", number="#900"))  # so that the ids of lines differ
    done(shop.orders.create(order(number="#907")))
    made = shop.orders.find("key:old-7")
    assert made is not None
    coat, hats, hat = (each.id for each in made.line_items)
    parcels = (parcel("T-1", (coat, 2), (hats, 2)), parcel("T-2", (hat, 1)))
    done(shop.orders.update(Order(id=made.id, fulfillments=parcels)))
    found = shop.orders.find("key:old-7")
    assert found is not None
    return shop, found


def done(outcome: Outcome) -> None:
    assert outcome.status is Status.APPLIED, outcome.message


def contents(order: Order) -> list[tuple[tuple[str, ...], list[tuple[int, int]]]]:
    """Return the numbers of each parcel, with the places and counts of its lines."""
    places = {each.id: place for place, each in enumerate(order.line_items)}
    return [
        (each.tracking_numbers, [(places[one.line_item_id], one.quantity) for one in each.lines])
        for each in order.fulfillments
    ]


SENT = [(("T-1",), [(0, 2), (1, 2)]), (("T-2",), [(2, 1)])]


@pytest.mark.parametrize("url", ["sandbox:shopify?memory", "local"])
def test_parcels_name_the_lines_of_the_new_order_and_nothing_is_left_to_do(
    url: str, tmp_path: Path
) -> None:
    _, found = sold(tmp_path / "old")
    new = opened(url, tmp_path / "new")
    report = new.plan([found], tmp_path / "1.plan").apply()
    assert report.ok, list(report.items())
    [made] = new.orders.iter()
    assert contents(made) == SENT
    assert new.plan([found], tmp_path / "2.plan").is_empty
    turned = found.but(fulfillments=found.fulfillments[::-1])
    assert new.plan([turned], tmp_path / "3.plan").is_empty


def test_a_parcel_that_is_sent_later_joins_those_of_the_new_order(tmp_path: Path) -> None:
    shop, found = sold(tmp_path / "old")
    new = opened("sandbox:shopify?memory", tmp_path / "new")
    assert new.plan([found], tmp_path / "1.plan").apply().ok
    rest = parcel("T-3", (found.line_items[0].id, 1))
    done(shop.orders.update(Order(id=found.id, fulfillments=(rest,))))
    later = shop.orders.find("key:old-7")
    assert later is not None
    report = new.plan([later], tmp_path / "2.plan").apply()
    assert report.ok, list(report.items())
    [made] = new.orders.iter()
    assert contents(made) == [*SENT, (("T-3",), [(0, 1)])]


@pytest.mark.parametrize("url", ["sandbox:shopify?memory", "local"])
def test_an_order_of_another_shop_is_written_directly_too(url: str, tmp_path: Path) -> None:
    _, found = sold(tmp_path / "old")
    new = opened(url, tmp_path / "new")
    done(new.orders.create(found))
    [made] = new.orders.iter()
    assert contents(made) == SENT


def test_lines_in_woocommerce_are_of_the_products_with_their_skus(tmp_path: Path) -> None:
    _, found = sold(tmp_path / "old")
    for name, direct in (("planned", False), ("direct", True)):
        new = stocked(opened(WOOCOMMERCE, tmp_path / name), "COAT", "HAT")
        held = [new.products.find(f"sku:{sku}") for sku in ("COAT", "HAT", "HAT")]
        if direct:
            outcome = new.orders.create(found)
            done(outcome)
        else:
            report = new.plan([found], tmp_path / f"{name}.plan").apply()
            assert report.ok, list(report.items())
        [made] = new.orders.iter()
        assert [each.product_id for each in made.line_items] == [each and each.id for each in held]
        assert new.plan([found], tmp_path / f"{name}-again.plan").is_empty


def test_ids_of_another_shop_name_no_product_and_no_customer_here(tmp_path: Path) -> None:
    new = stocked(opened(WOOCOMMERCE, tmp_path / "new"), "COAT")
    found = new.products.find("sku:COAT")
    assert found is not None
    other = LineItem(title="Gift", product_id=found.id, quantity=1)
    plan = new.plan([order(line_items=(other,), customer_id="1")], tmp_path / "1.plan")
    [change] = plan.changes()
    assert "customer_id" not in {name for name, _, _ in change.fields}
    assert [each.field for each in plan.fit()] == ["customer_id"]
    [item] = plan.apply().items()
    assert "no product 'Gift'" in item.message


def test_a_line_that_nothing_but_an_id_names_is_told(tmp_path: Path) -> None:
    new = stocked(opened("sandbox:shopify?memory", tmp_path / "new"), "COAT")
    found = new.products.find("sku:COAT")
    assert found is not None
    wanted = order(line_items=(LineItem(variant_id=found.variants[0].id, quantity=1),))
    with pytest.raises(SourceError, match=r"line_items\.0.*nothing but an id"):
        new.plan([wanted], tmp_path / "1.plan")


def test_lines_are_named_by_sku_or_place_in_a_file_of_ones_own(tmp_path: Path) -> None:
    new = opened("sandbox:shopify?memory", tmp_path / "new")
    sent = (parcel("T-1", ("sku:COAT", 2), ("line:2", 2)), parcel("T-2", ("line:3", 1)))
    assert new.plan([order(fulfillments=sent)], tmp_path / "1.plan").apply().ok
    [made] = new.orders.iter()
    assert contents(made) == SENT
    rest = Order(key="old-7", fulfillments=(parcel("T-3", ("line:1", 1)),))
    assert new.plan([rest], tmp_path / "2.plan").apply().ok
    [made] = new.orders.iter()
    assert contents(made) == [*SENT, (("T-3",), [(0, 1)])]
    assert new.plan([rest], tmp_path / "3.plan").is_empty


@pytest.mark.parametrize("name", ["sku:HAT", "sku:SHOE", "line:4", "line:0"])
def test_a_word_that_names_no_line_or_several_is_told_before_anything_is_written(
    name: str, tmp_path: Path
) -> None:
    new = opened("sandbox:shopify?memory", tmp_path / "new")
    wrong = order(number="#1", fulfillments=(parcel("T-1", ("line:1", 1), (name, 1)),))
    with pytest.raises(SourceError) as error:
        new.plan([wrong], tmp_path / "1.plan")
    [problem] = error.value.problems
    assert (problem.column, problem.value) == ("fulfillments.0.lines.1.line_item_id", name)
    assert "line:2" in problem.remedy
    outcome = new.orders.create(wrong)
    assert (outcome.cause, name in outcome.message) == ("invalid", True)
    assert not list(new.orders.iter())


def test_an_order_that_comes_back_after_a_delete_has_its_parcels_and_refunds(
    tmp_path: Path,
) -> None:
    shop = opened("local", tmp_path / "shop")
    back = Refund(lines=(RefundLine(line_item_id="sku:COAT", quantity=1),))
    sent = (parcel("T-1", ("line:1", 2), ("line:2", 2)), parcel("T-2", ("line:3", 1)))
    plan = shop.plan([order(fulfillments=sent, refunds=(back,))], tmp_path / "1.plan")
    assert plan.apply().ok
    [made] = shop.orders.iter()
    gone = plan.undo(tmp_path / "2.plan")
    assert gone.apply().ok
    assert not list(shop.orders.iter())
    assert gone.undo(tmp_path / "3.plan").apply().ok
    [again] = shop.orders.iter()
    assert contents(again) == SENT
    assert again.refunds[0].lines[0].line_item_id == again.line_items[0].id != made.line_items[0].id


@pytest.mark.parametrize("url", ["sandbox:shopify?memory", WOOCOMMERCE])
def test_what_a_shop_says_of_each_order_may_be_empty_in_its_source(
    url: str, tmp_path: Path
) -> None:
    new = stocked(opened(url, tmp_path / "new"), "COAT", "HAT")
    with opened("local", tmp_path / "old") as old:
        done(old.orders.create(order(email="p@example.com")))
        old.pull(tmp_path / "orders.jsonl", kind="order")
    plan = new.plan(tmp_path / "orders.jsonl", tmp_path / "1.plan")
    assert [item.message for item in plan.apply().items()] == [""]
    assert new.plan(tmp_path / "orders.jsonl", tmp_path / "2.plan").is_empty
