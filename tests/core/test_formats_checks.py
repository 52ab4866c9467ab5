"""The checks of desired values, for records from anywhere."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from storebridge.models import (
    Category,
    Collection,
    Dimensions,
    Discount,
    InventoryLevel,
    Length,
    Location,
    Market,
    MarketPrice,
    Media,
    Money,
    Option,
    Product,
    Record,
    Redirect,
    Review,
    Sale,
    Variant,
    Weight,
)
from storebridge.models.checks import problems

SIZE = Option(name="Size", values=("S", "M"))


def sale(amount: str, start: int, end: int) -> Sale:
    return Sale(
        price=Money.parse(amount),
        starts_at=datetime(2026, 1, start, tzinfo=UTC),
        ends_at=datetime(2026, 1, end, tzinfo=UTC),
    )


def one(**fields: object) -> Product:
    return Product(variants=(Variant.model_validate(fields),))


WRONG: list[tuple[Record, str]] = [
    (Product(handle=""), "handle"),
    (Product(handle="a b"), "handle"),
    (Product(handle="a/b"), "handle"),
    (Product(handle="a?b"), "handle"),
    (Product(status="live"), "status"),
    (Product(tags=("a", " ")), "tags.1"),
    (Product.model_validate({"tags+": [""]}), "tags_add.0"),
    (Product(collections=("",)), "collections.0"),
    (Product(media=(Media(url="https://e.com/a"), Media(url="javascript:x"))), "media.1.url"),
    (Product(media=(Media(url="https://e.com/a b"),)), "media.0.url"),
    (Product.model_validate({"media+": [{"url": "//e.com/a"}]}), "media_add.0.url"),
    (Product(modes={"pictures": "merge"}), "modes.pictures"),
    (Product(options=(SIZE, SIZE)), "options.1.name"),
    (Product(options=(Option(name=" "),)), "options.0.name"),
    (Product(options=(Option(name="Size", values=("S", "S")),)), "options.0.values"),
    (Product(options=(SIZE,), variants=(Variant(options=("L",)),)), "variants.0.options"),
    (Product(options=(SIZE,), variants=(Variant(options=()),)), "variants.0.options"),
    (Product(options=(), variants=(Variant(title="1"), Variant())), "variants.1.options"),
    (
        Product(variants=(Variant(options=("S",)), Variant(options=("S",)))),
        "variants.1.options",
    ),
    (Product(variants=(Variant(sku="1"), Variant(sku="1"))), "variants.1.sku"),
    (one(price="-1 EUR"), "variants.0.price"),
    (one(price="1.999 EUR"), "variants.0.price"),
    (one(price="10.5 JPY"), "variants.0.price"),
    (one(price="1 XYQ"), "variants.0.price"),
    (one(price="1 USD"), "variants.0.price"),
    (one(compare_at_price="-1 EUR"), "variants.0.compare_at_price"),
    (one(cost="0.001 EUR"), "variants.0.cost"),
    (one(sale=sale("-1 EUR", 1, 2)), "variants.0.sale.price"),
    (one(sale=sale("1 EUR", 2, 1)), "variants.0.sale.ends_at"),
    (
        one(market_prices=(MarketPrice(market="jp", price=Money("1.5", "JPY")),)),
        "variants.0.market_prices.0.price",
    ),
    (one(media=("a.jpg",)), "variants.0.media.0"),
    (one(weight=Weight(value=Decimal(-1), unit="g")), "variants.0.weight"),
    (
        one(dimensions=Dimensions(width=Length(value=Decimal(-1), unit="cm"))),
        "variants.0.dimensions.width",
    ),
    (Collection(handle="a b"), "handle"),
    (Collection(handle="a", parent="a"), "parent"),
    (Collection(handle="a", image=Media(url="x")), "image.0.url"),
    (Category(path=" "), "path"),
    (Market(handle="eu", currency="EURO"), "currency"),
    (Location(name=""), "name"),
    (Discount(percentage=Decimal(101)), "percentage"),
    (Discount(percentage=Decimal("-0.1")), "percentage"),
    (Discount(percentage=Decimal(1), amount=Money(1, "EUR")), "amount"),
    (Discount(amount=Money(1, "USD")), "amount"),
    (Discount(minimum_subtotal=Money("-1", "EUR")), "minimum_subtotal"),
    (Discount(maximum_subtotal=Money("1.999", "EUR")), "maximum_subtotal"),
    (Discount(codes=("A", " ")), "codes.1"),
    (Discount(usage_limit=-1), "usage_limit"),
    (Discount(minimum_quantity=-1), "minimum_quantity"),
    (
        Discount(
            starts_at=datetime(2026, 2, 1, tzinfo=UTC), ends_at=datetime(2026, 1, 1, tzinfo=UTC)
        ),
        "ends_at",
    ),
    (Review(rating=Decimal("5.1")), "rating"),
    (Review(rating=Decimal(0)), "rating"),
    (Redirect(path=""), "path"),
    (Redirect(path="old page"), "path"),
    (Redirect(path="/old", target="new"), "target"),
    (Redirect(path="/old", target="/old"), "target"),
]


@pytest.mark.parametrize(("record", "path"), WRONG, ids=[path for _, path in WRONG])
def test_a_wrong_value_is_found(record: Record, path: str) -> None:
    (finding,) = problems(record, "EUR")
    assert finding.path == path
    assert finding.message
    assert finding.remedy


RIGHT: list[Record] = [
    Product(),
    Product(handle="größe-外套_2", status="archived", tags=("a",)),
    Product(media=(Media(url="HTTPS://e.com:8080/a%20b.jpg?x=1#y"), Media(id="7"))),
    Product(modes={"media": "replace"}),
    Product(options=(SIZE,), variants=(Variant(options=("S",)), Variant(options=("",)))),
    Product(variants=(Variant(sku="1"), Variant(sku="2"))),
    one(price="0 EUR", compare_at_price=None, inventory=(InventoryLevel(available=-1),)),
    one(price="1.990 EUR"),
    one(market_prices=(MarketPrice(market="ch", price=Money(1, "CHF")),)),
    one(sale=sale("1 EUR", 1, 2)),
    Collection(handle="a", parent="b"),
    Market(handle="eu", currency="EUR"),
    Location(name="Wien"),
    Discount(codes=("A",), percentage=Decimal("12.5"), amount=None, usage_limit=None),
    Discount(amount=Money("5.00", "EUR"), minimum_subtotal=None, ends_at=None),
    Review(rating=Decimal("4.5")),
    Review(rating=None),
    Redirect(path="/old?a=1", target="https://shop.example/new"),
    Redirect(target="/new"),
]


@pytest.mark.parametrize("record", RIGHT, ids=map(str, range(len(RIGHT))))
def test_a_right_value_is_not(record: Record) -> None:
    assert list(problems(record, "EUR")) == []


def test_any_currency_is_right_where_none_is_asked_for() -> None:
    assert list(problems(one(price="1 USD"))) == []


@pytest.mark.soak
def test_the_checks_are_fast() -> None:
    values = tuple(str(number) for number in range(100))
    variants = [
        Variant(sku=value, options=(value,), price=Money(number, "EUR"), media=("https://e.com/a",))
        for number, value in enumerate(values)
    ]
    product = Product(options=(Option(name="Size", values=values),), variants=tuple(variants))
    started = time.process_time()
    for _ in range(1000):
        assert list(problems(product, "EUR")) == []
    assert time.process_time() - started < 4
