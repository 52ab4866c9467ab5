from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storebridge.models import Collection, Money, Product, Sale, Seo, Variant, Weight
from storebridge.where import Where, WhereError, parse
from storebridge.where.tree import AllOf, AnyOf, Node, Not, Test
from storebridge.where.values import Literal

TEE = Product(
    id="7",
    handle="tee",
    title="Summer Tee",
    vendor="Acme",
    sku="P-1",
    tags=("sale", "New"),
    status="active",
    featured=True,
    product_type="",
    seo=Seo(title="A tee"),
    updated_at=datetime(2026, 3, 4, 12, tzinfo=UTC),
    platform_fields={"shopify": {"theme": "dark"}},
    variants=(
        Variant(sku="0012", price=Money("19.99", "EUR"), sale=None, position=1, options=("S",)),
        Variant(
            sku="B-2",
            price=Money("25", "EUR"),
            position=2,
            sale=Sale(price=Money("20", "EUR")),
            weight=Weight(value=Decimal("1.5"), unit="kg"),
        ),
    ),
)


@pytest.mark.parametrize(
    "text",
    [
        "vendor = 'Acme'",
        'vendor = "Acme"',
        "vendor != 'Other'",
        "tags has 'sale'",
        "tags = 'New'",
        "not tags has 'old'",
        "title ~ 'summer'",
        "title like '*tee'",
        "title like 'Summer ???'",
        "vendor in ('Beta', 'Acme')",
        "vendor not in ('Beta', 'Gamma')",
        "product_type is empty",
        "vendor is not empty",
        "seo.title = 'A tee'",
        "seo is not empty",
        "price > 20",
        "price >= 25 and price <= 19.99",
        "price < '20 EUR'",
        "variants.price = 25 EUR",
        "price = '25.0'",
        "sale.price = 20",
        "sku = 'P-1'",
        "sku = 'B-2'",
        "sku = 0012",
        "position = 2",
        "weight.value > 1.4",
        "variants.options has 'S'",
        "featured = true",
        "updated_at = 2026-03-04",
        "updated_at > 2026-03-03 and updated_at <= 2026-03-04",
        "updated_at > 2026-03-04T11:59:00Z",
        "updated_at < '2026-03-04T14:00:00+01:30'",
        "platform_fields.shopify.theme = 'dark'",
        "title = 'x' or vendor = 'Acme'",
        "(vendor = 'x' or vendor = 'Acme') AND NOT (price > 100)",
    ],
)
def test_what_passes(text: str) -> None:
    assert parse(text).matches(TEE)


@pytest.mark.parametrize(
    "text",
    [
        "vendor = 'acme'",
        "vendor != 'Acme'",
        "sku != 'B-2'",
        "tags has 'new'",
        "title like 'tee'",
        "title like 'Summer [T]ee'",
        "vendor not in ('Acme')",
        "tags is empty",
        "vendor is empty",
        "price > 25",
        "price > 1 USD",
        "price = '25 USD'",
        "price = 'cheap'",
        "sku = 12",
        "sku > 12 and sku < 12",
        "featured = false",
        "featured = 'true'",
        "updated_at > 2026-03-04",
        "updated_at = 'yesterday'",
        "vendor = 'Acme' and vendor = 'Beta'",
        "platform_fields.shopify.other = 'dark'",
        "vendor = '' or vendor = 'b'",
    ],
)
def test_what_does_not_pass(text: str) -> None:
    assert not parse(text).matches(TEE)


@pytest.mark.parametrize(
    "test", ["vendor = 'x'", "vendor != 'x'", "vendor is empty", "price > 1", "tags has 'x'"]
)
def test_a_record_that_does_not_tell_passes_neither_a_test_nor_its_opposite(test: str) -> None:
    bare = Product(handle="tee")
    assert not parse(test).matches(bare)
    assert not parse(f"not ({test})").matches(bare)
    assert parse(f"handle = 'tee' or {test}").matches(bare)
    assert not parse(f"handle = 'tee' and {test}").matches(bare)
    assert parse(f"not (handle = 'x' and {test})").matches(bare)


def test_one_known_value_decides_where_others_are_unknown() -> None:
    product = Product(variants=(Variant(sku="A", price=Money("5", "EUR")), Variant(sku="B")))
    assert parse("price = 5").matches(product)
    assert parse("not price is empty").matches(product)
    assert not parse("price != 6").matches(product)


def test_values_from_a_file(tmp_path: Path) -> None:
    named = tmp_path / "named.csv"
    named.write_text("title;SKU\nx;B-2\ny;C-3\n", encoding="utf-8-sig")
    first = tmp_path / "first list.csv"
    first.write_text("B-2\n\nC-3\n")
    assert parse(f"sku in @{named}").matches(TEE)
    assert parse(f"variants.sku in @'{first}'").matches(TEE)
    assert not parse(f"title in @{named}").matches(TEE)
    assert parse(f"title not in @'{first}'").matches(TEE)
    assert parse(f"handle in @'{first}'").only("handle") == ("B-2", "C-3")


def test_a_file_in_another_encoding_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "skus.csv"
    file.write_bytes("sku\nGrün".encode("latin-1"))
    with pytest.raises(WhereError, match="CSV file in UTF-8"):
        parse(f"sku in @{file}")


@pytest.mark.parametrize("text", ["", "\n", "sku\n", "\ufeffSKU;title\n;Tee\n"])
def test_a_file_without_values_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "skus.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(WhereError, match=r"has no values(.|\n)*leave this condition out"):
        parse(f"sku not in @{file}")


def test_prices_from_a_file_compare_as_amounts(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("price\n25.00\n")
    assert parse(f"price in @{file}").matches(TEE)


@pytest.mark.parametrize(
    ("text", "at", "message", "remedy"),
    [
        ("", 1, "a field is expected", "Begin with one"),
        ("vendor = Acme", 10, "a value is expected", "in quotes: 'Acme'"),
        ("vendor 'Acme'", 8, "a test is expected", "Use one of: ="),
        ("vendor = 'Acme", 10, "never closed", "Close it"),
        ("vendor = 'a' vendor = 'b'", 14, "does not belong", "and / or"),
        ("(vendor = 'a'", 14, "')' is expected", "Write )"),
        ("price > 19,99", 11, "does not belong", "and / or"),
        ("vendor = 'a'; drop", 13, "';' means nothing", "quotes"),
        ("updated_at > 2026-02-30", 14, "no such date", "2026-01-31"),
        ("title ~ 5", 9, "text is expected after ~", "quotes"),
        ("vendor in ()", 12, "a value is expected", "Write 'text'"),
        ("sku in @no-such-file.csv", 8, "can't be read", "CSV file in UTF-8"),
        ("price = 1234567890123456789012345 EUR", 35, "no amount of money", "20 EUR"),
        ("not " * 60 + "vendor = 'a'", 201, "nested too deeply", "at most 50"),
        ("(" * 5000, 51, "nested too deeply", "at most 50"),
    ],
)
def test_an_error_points_at_the_character_and_says_what_to_do(
    text: str, at: int, message: str, remedy: str
) -> None:
    with pytest.raises(WhereError) as caught:
        parse(text)
    first, line, pointer, last = str(caught.value).splitlines()
    assert f"(character {at})" in first
    assert message in first
    assert remedy in last
    assert pointer.index("^") - 2 == min(at - 1, 60)
    assert caught.value.exit_code == 2
    assert line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vendr = 'Acme'", r"a product has no field 'vendr'(.|\n)*Did you mean vendor\?"),
        ("xyzzy = 'Acme'", r"no field 'xyzzy'(.|\n)*It has: .*title"),
        ("title.x = 'a'", "no field"),
        ("variants = 'a'", r"has fields of its own(.|\n)*variants\.id, variants\.sku"),
        ("title has 'a'", r"title is no list(.|\n)*title ~"),
    ],
)
def test_a_test_that_makes_no_sense_for_the_kind_is_an_error(text: str, message: str) -> None:
    where = parse(text)
    with pytest.raises(WhereError, match=message):
        where.check(Product)
    with pytest.raises(WhereError, match=message):
        where.matches(Product(handle="x"))


def test_check_names_the_fields_that_are_needed() -> None:
    where = parse("price > 5 and (seo.title is empty or sku = 'x')")
    assert where.fields == {"price", "seo.title", "sku"}
    assert where.check(Product) == {"variants.price", "seo.title", "sku", "variants.sku"}
    with pytest.raises(WhereError, match="a collection has no field 'price'"):
        where.check(Collection)


def test_only_gives_the_values_that_a_field_must_have() -> None:
    assert parse("status = 'draft' and price > 5").only("status") == ("draft",)
    assert parse("id in ('7', 8)").only("id") == ("7", "8")
    assert parse("status = 'draft' or price > 5").only("status") == ()
    assert parse("not status = 'draft'").only("status") == ()


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="@"), max_size=40)
WORDS = """vendor price tags.x and or not in is empty has like ~ = != < ( ) , 'a' "b" 5 -1.5 EUR
2026-01-31 2026-13-01T99 true @ @x '"""
PIECES = st.sampled_from([*WORDS.split(), "\x00", "\u2028"])


@given(TEXTS | st.lists(PIECES, max_size=12).map(" ".join))
def test_reading_raises_nothing_but_its_own_error(text: str) -> None:
    with contextlib.suppress(WhereError):
        parse(text).matches(TEE)


LITERALS = st.one_of(
    TEXTS.map(Literal),
    st.booleans().map(Literal),
    st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-99, max_value=999).map(
        lambda number: Literal(number, f"{number:f}")
    ),
    st.integers(0, 10**9).map(lambda number: Literal(Money(number, "EUR"))),
    st.dates().map(Literal),
    st.datetimes(timezones=st.just(UTC)).map(Literal),
)
PATHS = st.sampled_from(["vendor", "seo.title", "variants.price", "sku"])
TESTS: st.SearchStrategy[Node] = st.one_of(
    st.builds(
        lambda path, operator, literal: Test(path, operator, (literal,)),
        PATHS,
        st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "has"]),
        LITERALS,
    ),
    st.builds(
        lambda path, operator, literal: Test(path, operator, (literal,)),
        PATHS,
        st.sampled_from(["~", "like"]),
        TEXTS.map(Literal),
    ),
    st.builds(
        lambda path, operator, literals: Test(path, operator, tuple(literals)),
        PATHS,
        st.sampled_from(["in", "not in"]),
        st.lists(LITERALS, min_size=1, max_size=3),
    ),
    st.builds(Test, PATHS, st.sampled_from(["is empty", "is not empty"])),
)
NODES: st.SearchStrategy[Node] = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda nodes: AllOf(tuple(nodes))),
        st.lists(inner, min_size=2, max_size=3).map(lambda nodes: AnyOf(tuple(nodes))),
    ),
    max_leaves=6,
)


@given(NODES)
def test_the_standard_form_reads_back_as_the_same_condition(node: Node) -> None:
    assert parse(str(Where(node))) == Where(node)


@pytest.mark.parametrize(
    "text",
    ["(sku = 'a' or sku = 'b') and sku = 'c'", "not (sku = 'a' or sku = 'b')", "not sku has 'a'"],
)
def test_the_standard_form_keeps_what_belongs_together(text: str) -> None:
    assert str(parse(text)) == text
