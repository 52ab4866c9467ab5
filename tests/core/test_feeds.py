from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from storebridge import formats
from storebridge.errors import AccessDenied, Problem, SourceError, UsageError
from storebridge.formats import Context, Sourced
from storebridge.models import InventoryLevel, LineItem, Money, Order, Product, Variant
from storebridge.plan import Plan
from storebridge.store import Store
from tests.records import euro

FEED = "sku;qty;price\nTEE-S;7;10.50\nTEE-M;0;11.00\nMUG;9;5.00\n"
LONG_AGO = "2026-01-01T00:00Z"


@pytest.fixture
def feed(filled: Store, tmp_path: Path) -> Callable[..., Plan]:
    """Plan a feed into the filled store."""

    def plan(text: str = FEED, name: str = "feed.csv", **options: Any) -> Plan:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        number = len(list(tmp_path.glob("*.plan")))
        return filled.plan(path, tmp_path / f"{number}.plan", **options)

    return plan


def problems(plan: Callable[[], Plan]) -> list[str]:
    with pytest.raises(SourceError) as error:
        plan()
    return [str(problem) for problem in error.value.problems]


def read(text: str, path: Path, **context: Any) -> list[Product]:
    path.write_text(text, encoding="utf-8")
    items = list(formats.read(path, Context(currency="EUR", **context)))
    return [item.record for item in items if isinstance(item, Sourced)]  # type: ignore[misc]


# --- reading


@pytest.mark.parametrize("stock", ["qty", "quantity", "stock", "available", "inventory", "On Hand"])
@pytest.mark.parametrize("code", ["ean", "EAN", "gtin", "upc", "Barcode", "barcodes"])
def test_a_feed_is_read_by_what_its_columns_are_called(
    tmp_path: Path, stock: str, code: str
) -> None:
    text = f"SKU;{code};{stock};Price\nA-1;4006381333931;3;2.50\n"
    (product,) = read(text, tmp_path / "feed.csv")
    assert product == Product(
        variants=(
            Variant(
                sku="A-1",
                barcodes=("4006381333931",),
                inventory=(InventoryLevel(available=3),),
                price=euro("2.50"),
            ),
        )
    )


def test_a_feed_without_a_value_or_with_other_columns_is_no_feed(tmp_path: Path) -> None:
    for number, header in enumerate(("SKU;Article", "SKU;Price;Colour", "Qty;Price")):
        path = tmp_path / f"{number}.csv"
        path.write_text(f"{header}\nA;1;2\n", encoding="utf-8")
        (item, *_) = formats.read(path, Context(currency="EUR"))
        assert not isinstance(item, Sourced)


@pytest.mark.parametrize("header", ["handle;titel", "sku;handle;price;titel"])
def test_a_slip_in_a_header_of_our_sheet_is_told(tmp_path: Path, header: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n{';'.join('1' * len(header.split(';')))}\n", encoding="utf-8")
    (problem,) = (i for i in formats.read(path, Context(currency="EUR")) if isinstance(i, Problem))
    assert problem.message == "There is no such column; title is close"


def test_two_columns_that_say_the_same_are_refused(feed: Callable[..., Plan]) -> None:
    (problem,) = problems(lambda: feed("sku;qty;stock\nMUG;1;2\n"))
    assert "This is the same column as 'qty'" in problem


@pytest.mark.parametrize(
    ("text", "amount"),
    [("19,99", "19.99"), ("1.234,50", "1234.50"), ("1.234.567,5 EUR", "1234567.5"), ("7", "7")],
)
def test_a_decimal_comma_is_read_where_it_is_said(tmp_path: Path, text: str, amount: str) -> None:
    (product,) = read(f"sku;price\nA;{text}\n", tmp_path / "a.csv", decimal=",")
    assert product.variants[0].price == euro(amount)


@pytest.mark.parametrize("text", ["19.99", "1.234", "12.34,5", "1,234.5", "1,2,3", "1.2345,6"])
def test_a_number_that_may_be_meant_otherwise_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"sku;price\nA;{text}\n", encoding="utf-8")
    items = list(formats.read(path, Context(currency="EUR", decimal=",")))
    assert any(isinstance(item, Problem) and item.column == "price" for item in items)


@pytest.mark.parametrize(("text", "told"), [("19,99", True), ("about 19", False)])
def test_an_amount_with_a_comma_tells_how_it_is_read(tmp_path: Path, text: str, told: bool) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"sku;price\nA;{text}\n", encoding="utf-8")
    problem = next(
        item for item in formats.read(path, Context(currency="EUR")) if isinstance(item, Problem)
    )
    assert ("--decimal ," in problem.remedy) is told


@pytest.mark.parametrize("text", ["12.500", "1.000", "999.990 EUR"])
def test_a_price_that_may_be_in_thousands_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"sku;price\nA;{text}\n")
    items = formats.read(path, Context(currency="EUR"))
    (problem,) = (item for item in items if isinstance(item, Problem))
    assert problem.message == "The dot may begin decimals or stand between thousands"
    number = text.partition(" ")[0]
    assert problem.remedy.startswith(f"Write {number[:-1]} or {number.replace('.', '')}")


@pytest.mark.parametrize(
    ("text", "currency", "decimal", "amount"),
    [
        ("12,500", "EUR", ",", "12.50"),
        ("12.500", "KWD", ".", "12.500"),
        ("0.500", "EUR", ".", "0.50"),
        ("12.5000", "EUR", ".", "12.50"),
        ("1234.500", "EUR", ".", "1234.50"),
    ],
)
def test_a_price_whose_decimals_are_clear_may_have_more_of_them(
    tmp_path: Path, text: str, currency: str, decimal: Literal[".", ","], amount: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"sku;price\nA;{text}\n")
    (item,) = formats.read(path, Context(currency=currency, decimal=decimal))
    assert isinstance(item, Sourced)
    assert isinstance(item.record, Product)
    assert item.record.variants[0].price == Money(amount, currency)


def test_numbers_of_a_workbook_have_no_decimal_sign(tmp_path: Path) -> None:
    import xlsxwriter

    path = tmp_path / "feed.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate([("sku", "qty", "price"), ("A", 3, 19.99), ("B", 4, "2,50")]):
            sheet.write_row(row, 0, cells)
    items = formats.read(path, Context(currency="EUR", decimal=","))
    products = [item.record for item in items if isinstance(item, Sourced)]
    prices = [each.variants[0].price for each in products if isinstance(each, Product)]
    assert prices == [euro("19.99"), euro("2.50")]


# --- planning


def test_a_feed_changes_variants_wherever_their_products_are(
    filled: Store, feed: Callable[..., Plan]
) -> None:
    with feed(stock=True) as plan:
        assert [(row["record"], row["field"], row["after"]) for row in plan.rows()] == [
            ("TEE-S", "variants[TEE-S].price", "10.50 EUR"),
            (
                "TEE-S",
                "variants[TEE-S].inventory[Default]",
                {"location": "Default", "available": 7},
            ),
            (
                "TEE-M",
                "variants[TEE-M].inventory[Default]",
                {"location": "Default", "available": 0},
            ),
        ]
        assert plan.counts["unchanged"] == 1
        assert list(plan.warnings()) == []
        assert plan.apply(filled).ok
    with feed(stock=True) as again:
        assert again.is_empty


def test_quantities_that_are_left_alone_are_told(feed: Callable[..., Plan]) -> None:
    with feed() as plan:
        assert [row["field"] for row in plan.rows()] == ["variants[TEE-S].price"]
        (warning,) = plan.warnings()
    assert warning.startswith("Of 2 rows the quantity differs and is left alone")


def test_unknown_skus_are_listed_and_skipped(feed: Callable[..., Plan]) -> None:
    with feed("sku;qty\nMUG;1\nNOPE;2\nmug;3\n", stock=True) as plan:
        assert plan.counts["update"] == 1
        assert plan.counts["create"] == 0
        skipped = {row.label: (row.cause, row.origin) for row in plan.skipped()}
    assert skipped == {"NOPE": ("unknown", 3), "mug": ("ambiguous", 4)}


def test_a_sku_that_comes_twice_plans_nothing(feed: Callable[..., Plan]) -> None:
    problem, *_ = problems(lambda: feed("sku;qty\nMUG;1\nTEE-S;2\nMUG;1\n", stock=True))
    assert "row 4" in problem
    assert "Row 2 has this SKU already" in problem


def test_a_sku_of_two_products_is_not_guessed(filled: Store, feed: Callable[..., Plan]) -> None:
    filled.products.create(Product(handle="cup", variants=(Variant(sku="CUP"),)))
    database: Any = vars(filled.adapter.records("product"))["database"]
    with database.write() as session:  # as a platform may have it that minds no SKU twice
        session.execute("UPDATE record SET body = replace(body, '\"CUP\"', '\"MUG\"')")
        session.execute("UPDATE key SET name = 'sku:MUG' WHERE name = 'sku:CUP'")
    with feed("sku;qty\nMUG;1\nTEE-S;5\n", stock=True) as plan:
        assert plan.counts["update"] == 1
        (skipped,) = plan.skipped()
    assert (skipped.label, skipped.cause) == ("MUG", "ambiguous")


def test_a_feed_and_a_whole_record_of_one_product_are_rivals(filled: Store, tmp_path: Path) -> None:
    bare = Product(variants=(Variant(sku="TEE-S", price=euro("1.00")),))
    other = Product(variants=(Variant(sku="TEE-M", price=euro("2.00")),))
    whole = Product(handle="tee", title="New")
    with filled.plan([bare, other], tmp_path / "a.plan") as plan:
        assert plan.counts["update"] == 2
    for number, source in enumerate(([bare, whole], [whole, bare], [bare, other, whole])):
        with filled.plan(source, tmp_path / f"b{number}.plan") as plan:
            assert [row.cause for row in plan.skipped()] == ["ambiguous"]


# --- as of


def order(sku: str, count: int, number: str, **fields: Any) -> Order:
    return Order(number=number, line_items=(LineItem(sku=sku, quantity=count),), **fields)


def test_what_was_sold_since_the_feed_is_told(filled: Store, feed: Callable[..., Plan]) -> None:
    now = datetime.now(UTC)
    filled.orders.create(order("TEE-S", 2, "#1001", email="buyer@example.com"))
    filled.orders.create(order("TEE-S", 1, "#1002"))
    filled.orders.create(order("TEE-S", 9, "#1003", cancelled_at=now))
    filled.orders.create(order("TEE-S", 9, "#1004", created_at=now - timedelta(days=900)))
    filled.orders.create(order("TEE-L", 1, "#1005"))  # not in the feed
    with feed(stock=True, as_of=LONG_AGO) as plan:
        assert list(plan.warnings()) == [
            "TEE-S: 3 sold since 2026-01-01 00:00 UTC (orders #1001, #1002), so 7 may be 3 too "
            "many. Count again, or plan a newer feed."
        ]
        assert plan.counts["update"] == 2  # it warns, and plans what was asked for


def test_nothing_is_told_of_older_orders_and_of_prices(
    filled: Store, feed: Callable[..., Plan]
) -> None:
    filled.orders.create(order("TEE-S", 2, "#1001"))
    with feed(stock=True, as_of="file") as plan:  # it was written after that
        assert list(plan.warnings()) == []
    with feed("sku;price\nTEE-S;1.00\n", stock=True, as_of=LONG_AGO) as plan:
        assert list(plan.warnings()) == []


def test_where_nobody_can_tell_the_plan_says_so(
    filled: Store, feed: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise AccessDenied("the token may not read orders")

    monkeypatch.setattr("storebridge.store.items.Items.iter", denied)
    with feed(stock=True, as_of=LONG_AGO) as plan:
        (warning,) = plan.warnings()
    assert warning.startswith("Nobody can tell what was sold since 2026-01-01 00:00 UTC: the token")
    monkeypatch.setattr(Store, "supports", lambda _, kind: kind != "order")
    with feed(stock=True, as_of=LONG_AGO) as plan:
        (warning,) = plan.warnings()
    assert warning.endswith("the store gives no orders.")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"as_of": LONG_AGO}, "only --stock sets them"),
        ({"as_of": "yesterday", "stock": True}, "This is no time"),
        ({"as_of": "2999-01-01T00:00Z", "stock": True}, "still to come"),
    ],
)
def test_a_time_that_makes_no_sense_is_refused(
    feed: Callable[..., Plan], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        feed(**options)


def test_records_in_memory_have_no_time(filled: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="says no time"):
        filled.plan([Product(handle="tee")], tmp_path / "a.plan", stock=True, as_of="file")
