from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storebridge.errors import Problem
from storebridge.formats import Context, Sourced, read, write
from storebridge.models import (
    KINDS,
    Category,
    Collection,
    Customer,
    Discount,
    Location,
    Market,
    MetafieldDefinition,
    Money,
    Order,
    Product,
    Record,
    Redirect,
    Reply,
    Review,
    Sale,
    Translation,
    Variant,
)

HEADER = '{"storebridge": "jsonl", "version": 1, "store": "local:abc"}\n'
NONE = Context()


def lines(tmp_path: Path, *texts: str, header: str = HEADER) -> list[Sourced | Problem]:
    (tmp_path / "a.jsonl").write_text(header + "".join(f"{text}\n" for text in texts), "utf-8")
    return list(read(tmp_path / "a.jsonl", NONE))


def problem(items: list[Sourced | Problem]) -> Problem:
    (found,) = [item for item in items if isinstance(item, Problem)]
    return found


EVERY_KIND: list[Record] = [
    Location(name="Wien", key="erp-1"),
    Market(handle="ch", currency="CHF", countries=("CH",), locales=("de-CH",)),
    Category(path="A > B"),
    Collection.model_validate({"handle": "c", "title": "", "products+": ["handle:x"]}),
    Product(
        handle="x",
        tags=(),
        modes={"media": "replace"},
        variants=(
            Variant(
                sku="1",
                price=Money("19.90", "EUR"),
                compare_at_price=None,
                sale=Sale(price=Money(15, "EUR"), starts_at=datetime(2026, 1, 1, tzinfo=UTC)),
            ),
        ),
        translations=(Translation(locale="pt-BR", field="title", value="Olá\n\u2028"),),
        platform_fields={"shopify": {"a": [1, 1.5, None, True, {"b": "ü"}]}},
    ),
    Product.model_validate({"handle": "y", "tags+": ["new"], "media+": [{"id": "1"}]}),
    Customer(email="a@example.com", locale="de"),
    Order(id="7"),
    Discount(codes=("TEN",), percentage=Decimal("10"), amount=None, starts_at=None),
    Review(product="handle:x", rating=Decimal("4.5"), replies=(Reply(body="Danke"),)),
    Redirect(path="/old", target="https://shop.example/new"),
    MetafieldDefinition(metafield="custom.size", type="number_integer", validations={"max": "9"}),
]


def test_every_kind_round_trips(tmp_path: Path) -> None:
    assert {type(record) for record in EVERY_KIND} == set(KINDS.values())
    path = tmp_path / "a.jsonl"
    assert write(path, EVERY_KIND, Context(store="local:abc")) == []
    items = list(read(path, NONE))
    assert [item.record for item in items if isinstance(item, Sourced)] == EVERY_KIND
    assert [item.row for item in items if isinstance(item, Sourced)] == list(
        range(2, 2 + len(EVERY_KIND))
    )
    assert {item.store for item in items if isinstance(item, Sourced)} == {"local:abc"}
    write(tmp_path / "b.jsonl", EVERY_KIND, Context(store="local:abc"))
    assert path.read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_the_file_is_a_header_and_one_record_a_line(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [Product(handle="x"), Product()], NONE)
    first, second, third = (tmp_path / "a.jsonl").read_text("utf-8").splitlines()
    assert json.loads(first) == {"storebridge": "jsonl", "version": 1, "store": ""}
    assert json.loads(second) == {"kind": "product", "handle": "x"}
    assert json.loads(third) == {"kind": "product"}


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ('{"kind": "product", "handle": "a", "handle": "b"}', ""),
        ('{"kind": "product", "platform_fields": {"x": {"y": NaN}}}', ""),
        ('{"kind": "product", "platform_fields": {"x": {"y": Infinity}}}', ""),
        ('{"kind": "product"', ""),
        ("[" * 100_000, ""),
        ("[]", "kind"),
        ('"text"', "kind"),
        ('{"handle": "a"}', "kind"),
        ('{"kind": "produkt", "handle": "a"}', "kind"),
        ('{"kind": ["product"], "handle": "a"}', "kind"),
        ('{"kind": "product", "titel": "A"}', "titel"),
        ('{"kind": "product", "variants": [{"skuu": "A"}]}', "variants.0.skuu"),
        ('{"kind": "product", "variants": [{"price": 19.99}]}', "variants.0.price"),
        ('{"kind": "product", "variants": [{"price": "19,99 EUR"}]}', "variants.0.price"),
        ('{"kind": "product", "variants": [{"price": "-1 EUR"}]}', "variants.0.price"),
        ('{"kind": "product", "variants": [{"price": "1.5 JPY"}]}', "variants.0.price"),
        ('{"kind": "product", "media": [{"url": "x.jpg"}]}', "media.0.url"),
        ('{"kind": "product", "delete": "yes"}', "delete"),
        ('{"kind": "product", "translations": [{"locale": "de_xx_yy", "field": "title"}]}', None),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, column: str | None) -> None:
    items = lines(tmp_path, '{"kind": "product", "handle": "ok"}', line)
    found = [item for item in items if isinstance(item, Problem)]
    assert {(item.file, item.row) for item in found} == {("a.jsonl", 3)}
    assert all(item.remedy for item in found)
    if column is not None:
        assert found[0].column == column


def test_bytes_that_are_not_utf8_are_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(HEADER.encode() + '{"kind": "product", "title": "Größe"}\n'.encode("cp1252"))
    assert problem(list(read(path, NONE))).row == 2


def test_prices_are_in_the_stores_currency(tmp_path: Path) -> None:
    lines(tmp_path, '{"kind": "product", "handle": "a", "variants": [{"price": "5 USD"}]}')
    found = problem(list(read(tmp_path / "a.jsonl", Context(currency="EUR"))))
    assert (found.row, found.column) == (2, "variants.0.price")
    assert list(map(type, read(tmp_path / "a.jsonl", NONE))) == [Sourced]


def test_a_key_of_two_records_is_a_problem(tmp_path: Path) -> None:
    items = lines(
        tmp_path,
        '{"kind": "product", "handle": "a"}',
        '{"kind": "collection", "handle": "a"}',
        '{"kind": "product", "handle": "a"}',
    )
    found = problem(items)
    assert (found.row, found.column, found.value) == (4, "handle", "a")
    assert "2" in found.message


def test_a_line_can_ask_for_deletion(tmp_path: Path) -> None:
    (item,) = lines(tmp_path, '{"kind": "product", "handle": "a", "delete": true}')
    assert isinstance(item, Sourced)
    assert item.delete
    assert item.record == Product(handle="a")


@pytest.mark.parametrize(
    ("header", "word"),
    [
        ("", "first line"),
        ('{"kind": "product"}\n', "first line"),
        ("handle,title\n", "first line"),
        ('{"storebridge": "jsonl", "version": 2, "store": ""}\n', "Update"),
        ('{"storebridge": "jsonl", "version": "1"}\n', "damaged"),
    ],
)
def test_a_file_without_a_good_header_is_refused(tmp_path: Path, header: str, word: str) -> None:
    found = problem(lines(tmp_path, '{"kind": "product", "handle": "a"}', header=header))
    assert found.row == 1
    assert word in str(found)


def test_a_mark_and_blank_lines_are_nothing(tmp_path: Path) -> None:
    items = lines(tmp_path, "", '{"kind": "product"}', header="\ufeff" + HEADER)
    assert [item.row for item in items if isinstance(item, Sourced)] == [3]


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT, st.lists(TEXT), st.decimals(0, 10**9, places=2), st.dictionaries(TEXT, TEXT))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_round_trips(
    tmp_path: Path, text: str, tags: list[str], amount: object, own: dict[str, str]
) -> None:
    source = Product(
        title=text,
        tags=tuple(tag for tag in tags if tag.strip()),
        variants=(Variant.model_validate({"price": f"{amount} EUR"}),),
        platform_fields={"x": own},
    )
    write(tmp_path / "a.jsonl", [source], NONE)
    (item,) = read(tmp_path / "a.jsonl", NONE)
    assert isinstance(item, Sourced)
    assert item.record == source
