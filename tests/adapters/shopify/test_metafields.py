"""Metafields go with the types that a shop wants, and what it won't take is told beforehand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from tests.adapters.shopify.shop import Shop, operation, tee

from storebridge.adapter import Change
from storebridge.engine import HandlerTransport
from storebridge.flow import Request, Response, Status
from storebridge.models import (
    Collection,
    Customer,
    Discount,
    Metafield,
    MetafieldDefinition,
    Product,
    Record,
    Variant,
)
from storebridge.store import Store
from storebridge.store.base import Opening
from storebridge.testing import VirtualClock
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify.sandbox import create, settings


def metafield(key: str, value: str, type: str = "") -> Metafield:
    return Metafield(namespace="custom", key=key, type=type, value=value)


def definition(key: str, type: str, **fields: object) -> MetafieldDefinition:
    values = {"metafield": f"custom.{key}", "name": key, "type": type, **fields}
    return MetafieldDefinition.model_validate(values)


def values(shop: Shop, id_: str) -> dict[str, tuple[str, str]]:
    """Return type and value of a product's metafields, by key."""
    return {each.key: (each.type, each.value) for each in shop.read(id_).metafields}


# -- types


def test_one_that_is_defined_gets_its_type_beside_one_that_is_not() -> None:
    shop = Shop()
    shop.create(definition("count", "number_integer"))
    [id_] = shop.create(tee())
    given = (metafield("count", "3"), metafield("note", "Soft"), metafield("care", "Cold\nOnly"))
    assert shop.update(id_, Product(metafields=given), "metafields").status is Status.APPLIED
    assert values(shop, id_) == {
        "count": ("number_integer", "3"),
        "note": ("single_line_text_field", "Soft"),
        "care": ("multi_line_text_field", "Cold\nOnly"),
    }
    assert shop.operations.count("MetafieldsSet") == 1


def test_a_variant_has_definitions_of_its_own() -> None:
    shop = Shop()
    shop.create(definition("count", "number_integer"))
    shop.create(definition("count", "number_decimal", owner="variant"))
    [id_] = shop.create(tee())
    variant = shop.read(id_).variants[0]
    given = Variant(id=variant.id, metafields=(metafield("count", "1.5"),))
    shop.update(id_, Product(variants=(given,)), "metafields")
    [found] = shop.read(id_).variants[0].metafields
    assert (found.type, found.value) == ("number_decimal", "1.5")


@pytest.mark.parametrize(
    "record",
    [
        Collection(handle="c", title="C"),
        Customer(email="a@shop.example"),
        Discount(codes=("TEN",), percentage=Decimal(10)),
    ],
    ids=lambda each: each.kind,
)
def test_other_kinds_have_them_with_types_as_well(record: Record) -> None:
    shop = Shop()
    [id_] = shop.create(record)
    given = (metafield("note", "Soft"),)
    outcome = shop.update(id_, type(record).model_validate({"metafields": given}), "metafields")
    assert outcome.status is Status.APPLIED
    [found] = shop.read(id_, record.kind).metafields
    assert found.type == "single_line_text_field"


def test_a_definition_counts_from_when_it_is_made_until_it_is_gone() -> None:
    shop = Shop()
    [id_] = shop.create(tee())
    shop.update(id_, Product(metafields=(metafield("aa", "1"),)), "metafields")
    [made] = shop.create(definition("bb", "number_integer"))
    shop.update(id_, Product(metafields=(metafield("bb", "2"),)), "metafields")
    assert values(shop, id_)["bb"] == ("number_integer", "2")
    gone = Change(
        id="1", action="delete", part="core", record_id=made, desired=MetafieldDefinition()
    )
    shop.write("metafield_definition", gone)
    [other] = shop.create(tee("other"))
    shop.update(other, Product(metafields=(metafield("bb", "3"),)), "metafields")
    assert values(shop, other)["bb"] == ("single_line_text_field", "3")


def test_a_job_sets_them_with_their_types_too() -> None:
    shop = Shop()
    shop.create(definition("count", "number_integer"))
    [id_] = shop.create(tee())
    change = Change(
        id="1",
        action="update",
        part="metafields",
        record_id=id_,
        desired=Product(metafields=(metafield("count", "3"), metafield("note", "Soft"))),
    )
    [outcome] = shop.write("product", change, way="bulk")
    assert outcome.status is Status.APPLIED
    assert "MetafieldsSet" not in shop.operations
    assert values(shop, id_) == {
        "count": ("number_integer", "3"),
        "note": ("single_line_text_field", "Soft"),
    }


# -- the sandbox, by the schema: a type is required where there is no definition


@pytest.mark.parametrize(
    ("key", "row", "code"),
    [
        ("note", {"value": "b"}, "BLANK"),
        ("count", {"value": "b", "type": "single_line_text_field"}, "INVALID_TYPE"),
        ("count", {"value": "b"}, "INVALID_VALUE"),
        ("count", {"value": "10"}, "INVALID_VALUE"),
        ("count", {"value": "9"}, None),
        ("size", {"value": "XL"}, "INVALID_VALUE"),
        ("size", {"value": "M"}, None),
    ],
)
def test_the_sandbox_holds_values_against_their_definitions(
    key: str, row: dict[str, str], code: str | None
) -> None:
    shop = Shop()
    shop.create(definition("count", "number_integer", validations={"max": "9"}))
    choices = {"choices": '["S", "M"]'}
    shop.create(definition("size", "single_line_text_field", validations=choices))
    [id_] = shop.create(tee())
    note = metafield("note", "a", "single_line_text_field")
    shop.update(id_, Product(metafields=(note,)), "metafields")
    text = (
        "mutation M($rows: [MetafieldsSetInput!]!) {"
        " metafieldsSet(metafields: $rows) { userErrors { code } } }"
    )
    rows = [{"ownerId": id_, "namespace": "custom", "key": key, **row}]
    errors = shop.person(text, rows=rows)["metafieldsSet"]["userErrors"]
    assert [each["code"] for each in errors] == ([code] if code else [])


# -- plans


class Watched:
    """A shop that plans are made for, and what was asked of it."""

    def __init__(self, folder: Path) -> None:
        clock = VirtualClock()
        self.sandbox = create(None, clock=clock.time)
        self.asked: list[str] = []
        opening = Opening(
            state=folder / "state", clock=clock, transport=HandlerTransport(self._answer)
        )
        self.store = Store(ShopifyAdapter(ShopifySettings(**settings())), opening)
        self._folder, self._plans = folder, 0

    def _answer(self, request: Request) -> Response:
        assert isinstance(request.body, bytes)
        self.asked.append(operation(json.loads(request.body)))
        return self.sandbox(request)

    def fits(self, *records: Record) -> list[tuple[str, str]]:
        """Plan records, and return what the fit report says: fields and messages."""
        self.asked.clear()
        self._plans += 1
        with self.store.plan(list(records), self._folder / f"{self._plans}.plan") as plan:
            return [(each.field, each.message) for each in plan.fit()]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    found = Watched(tmp_path)
    with found.store:
        yield found


def test_what_a_definition_refuses_is_told_before_anything_is_written(watched: Watched) -> None:
    rules = {"count": ("number_integer", {"max": "9"}), "size": ("single_line_text_field", {})}
    for key, (type_, validations) in rules.items():
        watched.store.metafield_definitions.create(definition(key, type_, validations=validations))
    given = (
        metafield("count", "12"),
        metafield("size", "M", "number_integer"),
        metafield("free", "Anything"),
    )
    assert watched.fits(tee(metafields=given)) == [
        ("metafields", "custom.count, a number_integer, can be at most 9"),
        (
            "metafields",
            "this shop defines custom.size as single_line_text_field, not as number_integer",
        ),
    ]


def test_variants_and_collections_are_held_against_their_own_definitions(watched: Watched) -> None:
    for owner in ("variant", "collection"):
        watched.store.metafield_definitions.create(definition("on", "boolean", owner=owner))
    wrong = (metafield("on", "yes"),)
    variant = Variant(sku="A", metafields=wrong)
    message = "custom.on, a boolean, has to be true or false"
    product = Product(handle="a", title="A", metafields=wrong, variants=(variant,))
    assert watched.fits(product) == [("variants.metafields", message)]
    collection = Collection(handle="c", title="C", metafields=wrong)
    assert watched.fits(collection) == [("metafields", message)]


def test_rules_of_one_kind_stay_known_beside_another_one(watched: Watched) -> None:
    watched.store.metafield_definitions.create(definition("on", "boolean"))
    wrong = (metafield("on", "yes"),)
    soft = (metafield("note", "Soft"),)
    found = watched.fits(
        Product(handle="a", title="A", metafields=soft),
        Collection(handle="c", title="C", metafields=soft),
        Product(handle="b", title="B", metafields=wrong),
    )
    assert found == [("metafields", "custom.on, a boolean, has to be true or false")]


def test_a_name_that_is_too_short_is_told(watched: Watched) -> None:
    short = Metafield(namespace="kit", key="a", value="1")
    [(field, message)] = watched.fits(Product(handle="a", title="A", metafields=(short,)))
    assert field == "metafields"
    assert message == "kit.a: a namespace has 3 to 255 characters, and a key 2 to 64"


def test_definitions_are_asked_for_once_and_only_where_metafields_are_given(
    watched: Watched,
) -> None:
    watched.fits(*(Product(handle=f"a{n}", title="A") for n in range(3)))
    assert "MetafieldDefinitions" not in watched.asked
    note = (metafield("note", "Soft"),)
    watched.fits(*(Product(handle=f"a{n}", title="A", metafields=note) for n in range(3)))
    assert watched.asked.count("MetafieldDefinitions") == 2  # of products and of variants


@pytest.mark.parametrize(
    ("type_", "good", "bad", "form"),
    [
        ("boolean", "true", "yes", "true or false"),
        ("color", "#1A2b3c", "red", "a colour"),
        ("date", "2026-03-31", "31.3.2026", "a day"),
        ("date_time", "2026-03-31T08:00:00Z", "2026-03-31", "a time"),
        ("dimension", '{"value": 2, "unit": "cm"}', "2 cm", "JSON with value and unit"),
        ("json", "null", "{", "JSON"),
        ("money", '{"amount": "5.99", "currency_code": "EUR"}', "5.99", "JSON with amount"),
        ("number_decimal", "-1.5", "1,5", "a number"),
        ("number_integer", "12", "12.0", "a whole number"),
        ("product_reference", "gid://shopify/Product/1", "tee", "an id"),
        ("single_line_text_field", "a", "a\nb", "one line"),
        ("url", "https://shop.example/a", "shop.example", "an address"),
        ("list.number_integer", '[1, "2"]', "[1, 2.5]", "a list of which each is a whole number"),
        ("list.single_line_text_field", '["a"]', "a, b", "a list in JSON"),
        ("multi_line_text_field", "a\nb", " ", "empty"),
        ("a_type_of_the_future", "anything", "", "empty"),
    ],
)
def test_a_value_has_the_form_of_its_type(
    watched: Watched, type_: str, good: str, bad: str, form: str
) -> None:
    def product(value: str) -> Product:
        return Product(handle="a", title="A", metafields=(metafield("it", value, type_),))

    assert watched.fits(product(good)) == []
    [(_, message)] = watched.fits(product(bad))
    assert message.startswith(f"custom.it, a {type_}, ")
    assert form in message
