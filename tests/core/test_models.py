"""The domain model: what was given, what is equal, and values that stay exact."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from storebridge.models import (
    KINDS,
    Address,
    Amount,
    Category,
    Collection,
    Comment,
    Consent,
    Customer,
    Dimensions,
    Discount,
    Fulfillment,
    Length,
    LineItem,
    Location,
    Market,
    Model,
    Money,
    Order,
    Product,
    Redirect,
    Refund,
    Reply,
    Review,
    Sale,
    Seo,
    StoreInfo,
    Translation,
    Variant,
    Weight,
    is_currency,
    minor_units,
    parse_amount,
    slug,
)
from storebridge.models.prices import TwoPrices, from_two_prices, to_two_prices
from tests.records import tee

SHOP = Amount(shop=Money("10.00", "EUR"), presentment=Money("11.00", "USD"))
ONE_OF_EACH: list[Model] = [
    tee(tags_add=("x",), modes={"media": "replace"}),
    Collection(handle="a", title="A", products_add=("handle:tee",)),
    Category(path="Apparel > Shirts", name="Shirts"),
    Market(handle="ch", currency="CHF", countries=("CH",), locales=("de-CH", "fr-CH")),
    Location(name="Main", address=Address(city="Kiel", country="DE")),
    Customer(
        email="a@example.com",
        consents=(Consent(channel="email", state="subscribed"),),
        default_address=Address(city="Kiel"),
    ),
    Order(
        number="#1",
        line_items=(LineItem(sku="S", quantity=2, unit_price=SHOP),),
        fulfillments=(Fulfillment(tracking_numbers=("1Z",)),),
        refunds=(Refund(id="r", amount=SHOP),),
        comments=(Comment(text="On its way", to_customer=True),),
        total=SHOP,
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
    ),
    Discount(
        title="Summer",
        codes=("SUMMER10",),
        percentage=Decimal("12.5"),
        minimum_subtotal=Money("20.00", "EUR"),
        collections=("shirts",),
        ends_at=datetime(2027, 8, 31, tzinfo=UTC),
    ),
    Review(product="handle:tee", rating=Decimal(5), body="Great", replies=(Reply(body="Thanks"),)),
    Redirect(path="/old", target="/products/tee"),
    StoreInfo(id="s", currency="EUR", locales=("de",)),
]


def euro(amount: str) -> Money:
    return Money(amount, "EUR")


@pytest.mark.parametrize("model", ONE_OF_EACH, ids=lambda model: type(model).__name__)
def test_copies_json_and_pickles_keep_what_was_given(model: Model) -> None:
    again = [
        model.model_copy(),
        model.model_copy(deep=True),
        copy.copy(model),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        type(model).model_validate_json(model.model_dump_json()),
        type(model).model_validate(model.model_dump()),
        type(model)(**{name: getattr(model, name) for name in model.given}),
    ]
    for other in again:
        assert other == model
        assert other.given == model.given
        assert hash(other) == hash(model)


def test_equality_is_over_given_fields_and_their_values() -> None:
    assert Product(handle="a") == Product(handle="a")
    assert Product(handle="a") != Product(handle="a", title="")
    assert Product(handle="a", seo=Seo(title="")) != Product(handle="a", seo=Seo())
    assert Variant(price=euro("1.0")) == Variant(price=euro("1.00"))
    assert Variant(id="1") != Location(id="1")
    assert (Product(handle="a") == "a") is False


def test_but_validates_and_without_forgets() -> None:
    record = Product(handle="a", title="A")
    assert record.but(title="B") == Product(handle="a", title="B")
    assert record.without("title") == Product(handle="a")
    with pytest.raises(ValidationError):
        record.but(title=7)


def test_records_are_frozen_and_strict_about_names() -> None:
    with pytest.raises(ValidationError):
        Product(handle="a").title = "B"  # type: ignore[misc]  # what must not work
    with pytest.raises(ValidationError):
        Product(titel="B")  # type: ignore[call-arg]  # likewise


def test_no_default_is_shared_between_records() -> None:
    first, second = Variant(), Variant()
    assert first.platform_fields is not second.platform_fields


def test_raw_is_no_field() -> None:
    record = Product(handle="a").with_raw({"secret": 1})
    assert record.raw == {"secret": 1}
    assert record == Product(handle="a")
    assert "secret" not in record.model_dump_json() + repr(record)


def test_a_repr_shows_what_was_given_only() -> None:
    assert repr(Product(handle="a")) == "Product(handle='a')"


def test_an_error_does_not_repeat_its_input() -> None:
    with pytest.raises(ValidationError) as caught:
        Customer(email="a@example.com", tax_exempt="no way")  # type: ignore[arg-type]  # wrong
    assert "no way" not in str(caught.value)


def test_every_kind_has_a_word_and_keys() -> None:
    assert list(KINDS) == [
        "location",
        "market",
        "metafield_definition",
        "category",
        "collection",
        "product",
        "discount",
        "customer",
        "order",
        "review",
        "redirect",
    ]
    assert tee().keys() == ("handle:tee", "sku:TEE-S", "sku:TEE-M")
    assert Customer(email="A@Example.com").keys() == ("email:a@example.com",)
    assert Product(key="erp-7", sku="P").keys() == ("key:erp-7", "sku:P")


def test_a_discount_is_known_by_its_codes_in_any_case_or_by_its_title() -> None:
    assert Discount(codes=("Summer10", "S10"), title="S").keys() == ("code:summer10", "code:s10")
    assert Discount(title="Three for two").keys() == ("title:Three for two",)
    assert Discount(title="S", codes=("A",)).label == "A"


def test_a_review_is_known_by_who_says_what_about_which_product() -> None:
    review = Review(product="handle:tee", body="Very  good\n", email="Ann@example.com", author="A")
    (key,) = review.keys()
    assert key.startswith("text:handle:tee#")
    assert "ann" not in key.casefold()
    assert review.but(body="Very good", email="ann@example.com", author="B").keys() == (key,)
    others = (
        review.but(product="handle:cap"),
        review.but(body="Very good!"),
        review.but(email="bob@example.com"),
    )
    assert len({key, *(other.keys()[0] for other in others)}) == 4
    assert Review(product="handle:tee", rating=Decimal(3)).keys() == ()


def test_a_review_is_not_called_by_what_a_person_wrote() -> None:
    assert Review(product="handle:tee", body="My name is Ann").label == "review of tee"


def test_a_customer_without_an_id_or_key_is_not_called_by_the_kind() -> None:
    assert Customer(email="ann@example.com", first_name="Ann").label == "unnamed"


def test_reading_keeps_what_a_platform_really_holds() -> None:
    odd = Product(status="scheduled", variants=(Variant(price=Money("1.2345", "JPY")),))
    assert odd.variants[0].price == Money("1.2345", "JPY")
    assert not Money("1.2345", "JPY").fits


# -- money


@pytest.mark.parametrize(
    "text",
    [
        "19,99",
        "1e3",
        "abc",
        "NaN",
        "Infinity",
        "",
        " 1",
        "1 ",
        "+1",
        "--1",
        ".5",
        "1.",
        "١٩",
        "１９",
        "1_000",
        "0x10",
        "1'000",
        "1.2.3",
    ],
)
def test_only_ascii_digits_and_one_dot_are_an_amount(text: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_amount(text)


@pytest.mark.parametrize("amount", [19.99, 1.0, float("nan"), True, None])
def test_money_is_never_made_of_a_float(amount: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Money(amount, "EUR")
    with pytest.raises(ValidationError):
        Variant(price=amount) if amount is not None else Sale(price=amount)


@pytest.mark.parametrize(("code", "digits"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)])
def test_minor_units(code: str, digits: int) -> None:
    assert minor_units(code) == digits
    step = Decimal(1).scaleb(-digits)
    assert Money(step, code).fits
    assert not Money(step / 10, code).fits
    assert Money(step / 2, code).rounded() == Money(step, code)


def test_currencies_are_those_of_iso_4217() -> None:
    assert is_currency("EUR")
    assert not is_currency("EURO")
    assert not is_currency("XYZ")


@settings(max_examples=300, deadline=None)
@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=4, min_value=-(10**15), max_value=10**15
    ),
    st.sampled_from(["EUR", "JPY", "KWD", "USD"]),
)
def test_money_survives_json_digit_for_digit(amount: Decimal, currency: str) -> None:
    money = Money(amount, currency)
    line = Variant(price=money).model_dump_json()
    again = Variant.model_validate_json(line).price
    assert again is not None
    assert str(again) == str(money)
    assert again == money
    assert json.loads(line)["price"] == f"{amount:f} {currency}"


def test_money_of_two_currencies_is_not_put_together() -> None:
    assert euro("1") + euro("2.50") == euro("3.50")
    assert euro("1") * Decimal("1.05") == euro("1.05")
    assert euro("1") < euro("2") <= euro("2")
    with pytest.raises(ValueError, match="can't be put together"):
        euro("1") + Money("1", "USD")
    with pytest.raises(TypeError, match="not exact"):
        euro("1") * 1.05  # type: ignore[operator]  # what must not work
    with pytest.raises(AttributeError):
        euro("1").amount = Decimal(2)  # type: ignore[misc]  # likewise


# -- codes, times and units


def test_locales_are_standard_tags() -> None:
    assert Translation(locale="zh_tw", field="title", value="x").locale == "zh-TW"
    with pytest.raises(ValidationError):
        Translation(locale="german", field="title", value="x")


def test_times_are_aware_and_utc() -> None:
    east = timezone(timedelta(hours=2))
    sale = Sale(price=euro("1"), starts_at=datetime(2026, 5, 1, 2, tzinfo=east))
    assert sale.starts_at == datetime(2026, 5, 1, tzinfo=UTC)
    assert sale.starts_at is not None
    assert sale.starts_at.tzinfo is UTC
    with pytest.raises(ValidationError):
        Sale(price=euro("1"), starts_at=datetime(2026, 5, 1))


def test_units_convert_exactly() -> None:
    assert Weight(value=Decimal(1), unit="lb").to("g") == Decimal("453.59237")
    assert Weight(value=Decimal(2500), unit="g").to("kg") == Decimal("2.5")
    assert Length(value=Decimal(1), unit="in").to("cm") == Decimal("2.54")
    assert Dimensions(length=Length(value=Decimal(1), unit="m")).given == {"length"}


@pytest.mark.parametrize(
    ("title", "handle"),
    [
        ("Größe & Form", "grösse-form"),
        ("  Tee  Shirt_2 ", "tee-shirt-2"),
        ("春 夏", "春-夏"),
    ],
)
def test_slugs(title: str, handle: str) -> None:
    assert slug(title) == handle


# -- the three prices

START = datetime(2026, 12, 1, tzinfo=UTC)
SALE = Sale(price=euro("8"), starts_at=START)


@pytest.mark.parametrize(
    ("variant", "form"),
    [
        (Variant(), TwoPrices(None)),
        (Variant(price=euro("10")), TwoPrices(euro("10"))),
        (
            Variant(price=euro("10"), compare_at_price=euro("12")),
            TwoPrices(euro("12"), euro("10")),
        ),
        (Variant(price=euro("10"), sale=SALE), TwoPrices(euro("10"), euro("8"), START)),
    ],
)
def test_the_two_price_form_and_back(variant: Variant, form: TwoPrices) -> None:
    assert to_two_prices(variant) == form
    back = Variant(**from_two_prices(form))  # type: ignore[arg-type]  # by name
    assert (back.price, back.compare_at_price) == (variant.price, variant.compare_at_price)
    assert to_two_prices(back) == form


@pytest.mark.parametrize(
    ("variant", "why"),
    [
        (Variant(price=euro("10"), compare_at_price=euro("12"), sale=SALE), "one sale slot"),
        (Variant(price=euro("10"), compare_at_price=euro("10")), "above the price"),
        (Variant(compare_at_price=euro("10")), "needs a price"),
        (Variant(sale=SALE), "needs a price"),
    ],
)
def test_what_the_two_price_form_has_no_room_for(variant: Variant, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        to_two_prices(variant)


@pytest.mark.parametrize(
    ("regular", "lower", "price", "struck"),
    [("12", "10", "10", "12"), ("12", "12", "12", None), ("12", "15", "15", None)],
)
def test_a_lower_price_that_is_not_lower_marks_nothing(
    regular: str, lower: str, price: str, struck: str | None
) -> None:
    found = from_two_prices(TwoPrices(euro(regular), euro(lower)))
    assert found["price"] == euro(price)
    assert found["compare_at_price"] == (euro(struck) if struck else None)
