from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import storebridge
from storebridge.adapter import Query
from storebridge.formats import Context
from storebridge.models import InventoryLevel, Location, Metafield, Money, Product, Variant
from storebridge.plan import Plan
from storebridge.store import Store
from storebridge.tasks.listing import Edit, EditError, Replacement
from tests.records import CATALOGUE, euro, tee

Row = tuple[str, str, Any]
Edited = Callable[..., list[Row]]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Store]:
    with storebridge.open(f"local:{tmp_path / 'shop.db'}", state=tmp_path / "state") as store:
        for record in CATALOGUE:
            store.items(record.kind).create(record)
        yield store


@pytest.fixture
def plan(shop: Store, tmp_path: Path) -> Callable[..., Plan]:
    def make(where: str = "", **asked: Any) -> Plan:
        path = tmp_path / f"{len(list(tmp_path.glob('*.plan')))}.plan"
        return shop.edit(where, path, all=not where, max_emptied="100%", **asked)

    return make


@pytest.fixture
def edited(plan: Callable[..., Plan]) -> Edited:
    """Plan an edit and return what it changes: record, field and value after."""

    def rows(where: str = "", **asked: Any) -> list[Row]:
        with plan(where, **asked) as made:
            return [(row["record"], row["field"], row["after"]) for row in made.rows()]

    return rows


def refused(**asked: Any) -> str:
    with pytest.raises(EditError) as error:
        Edit(context=Context(currency="EUR", location="Default"), **asked)
    return str(error.value)


# --- values


def test_fields_are_set_by_the_words_of_the_sheet(edited: Edited) -> None:
    asked = {"status": "draft", "tags+": "archive, old", "tags-": "summer", "seo.title": "New"}
    assert edited("vendor = 'Acme'", set=asked) == [
        ("tee", "tags", ["cotton", "archive", "old"]),
        ("tee", "status", "draft"),
        ("tee", "seo.title", "New"),
    ]


def test_templates_are_filled_for_each_product_and_variant(edited: Edited) -> None:
    asked = {"seo.title": "{title} | {vendor}", "variants.title": "{title} {sku} {{x}}"}
    assert edited(set=asked) == [
        ("tee", "seo.title", "Tee | Acme"),
        ("tee", "variants[TEE-S].title", "Tee TEE-S {x}"),
        ("tee", "variants[TEE-M].title", "Tee TEE-M {x}"),
        ("mug", "seo.title", "Mug | Potter"),
        ("mug", "variants[MUG].title", "Mug MUG {x}"),
    ]


def test_a_template_can_name_options_translations_and_prices(edited: Edited) -> None:
    asked = {"variants.title": "{title[de]} {option[Size]} {price} {price[ch]}"}
    found = edited("sku = 'TEE-S'", set=asked)
    assert found == [("tee", "variants[TEE-S].title", "Hemd S 10.00 12 CHF")]


def test_python_values_are_taken_as_they_are(edited: Edited) -> None:
    asked = {
        "price": Decimal("19.99"),
        "price[ch]": Money("25.00", "CHF"),
        "tracked": False,
        "tags": ["{title}", "a, b"],
    }
    assert edited("sku = 'MUG'", set=asked) == [
        ("mug", "tags", ["{title}", "a, b"]),
        ("mug", "variants[MUG].price", "19.99 EUR"),
        ("mug", "variants[MUG].tracked", False),
        ("mug", "variants[MUG].market_prices[ch]", {"market": "ch", "price": "25.00 CHF"}),
    ]


def test_where_chooses_among_the_variants(edited: Edited) -> None:
    assert edited("price > 10", set={"price": "9", "vendor": "Nord"}) == [
        ("tee", "vendor", "Nord"),
        ("tee", "variants[TEE-M].price", "9 EUR"),
    ]
    both = edited("title = 'Tee'", set={"price": "9"})
    assert [field for _, field, _ in both] == ["variants[TEE-S].price", "variants[TEE-M].price"]


def test_a_variant_that_fails_another_test_of_its_product_is_left_alone(edited: Edited) -> None:
    where = "price > 10 and inventory.available = 3"  # no variant passes both
    assert edited(where, set={"price": "9"}) == []


def test_an_edit_sets_quantities_because_it_is_asked_to(edited: Edited) -> None:
    level = {"location": "Default", "available": 0}
    assert edited("sku = 'MUG'", set={"inventory": "0"}) == [
        ("mug", "variants[MUG].inventory[Default]", level)
    ]


def test_a_quantity_needs_a_location_where_there_are_several(shop: Store, edited: Edited) -> None:
    shop.locations.create(Location(name="Back"))
    shop.close()  # its places are asked for once
    with pytest.raises(EditError, match="names no location"):
        edited(set={"inventory": "0"})
    (row,) = edited("sku = 'MUG'", set={"inventory": "1"}, location="Back")
    assert row[1] == "variants[MUG].inventory[Back]"
    (row,) = edited("sku = 'MUG'", set={"inventory[Back]": "1"})
    assert row[2] == {"location": "Back", "available": 1}


# --- clearing


@pytest.mark.parametrize(
    "asked", [{"clear": ["seo.description"]}, {"set": {"seo.description": ""}}]
)
def test_fields_are_cleared(edited: Edited, asked: dict[str, Any]) -> None:
    assert edited("title = 'Tee'", **asked) == [("tee", "seo.description", "")]


def test_lists_and_prices_are_cleared(shop: Store, edited: Edited) -> None:
    shop.products.update(
        Product(handle="mug", variants=(Variant(sku="MUG", compare_at_price=euro("9.00")),))
    )
    assert edited(clear=["tags", "compare_at_price", "media"]) == [
        ("tee", "tags", []),
        ("tee", "media[https://cdn.example/tee.jpg]", None),
        ("mug", "variants[MUG].compare_at_price", None),
    ]


# --- find and replace


def test_texts_tags_translations_and_metafields_are_replaced(shop: Store, edited: Edited) -> None:
    field = Metafield(namespace="custom", key="note", value="Tee rex")
    html = '<p title="Tee">Tee &amp; <b>Teekanne</b></p>'
    shop.products.update(Product(handle="tee", description_html=html, metafields=(field,)))
    words = ("title", "description_html", "metafields.custom.note", "title[de]", "tags", "vendor")
    found = [Replacement(name, "Tee", "T-Shirt") for name in words]
    found += [Replacement("title[de]", "Hemd", "Kittel"), Replacement("tags", "summer", "cotton")]
    after = {field: value for _, field, value in edited("vendor = 'Acme'", replace=found)}
    assert after.pop("metafields[custom.note]")["value"] == "T-Shirt rex"
    assert after.pop("translations[de:title]")["value"] == "Kittel"
    assert after == {
        "title": "T-Shirt",
        "description_html": '<p title="Tee">T-Shirt &amp; <b>Teekanne</b></p>',
        "tags": ["cotton"],
    }


def test_a_text_that_is_replaced_by_nothing_is_empty(edited: Edited) -> None:
    assert edited(replace=[("vendor", "Acme", "")]) == [("tee", "vendor", "")]
    regex = Replacement("title", "^(T)(.*)$", r"\2\1", regex=True)
    assert edited(replace=[regex]) == [("tee", "title", "eeT")]


# --- what is left alone, and what is refused


def test_a_record_without_a_value_for_a_template_is_left_alone_whole(
    shop: Store, plan: Callable[..., Plan]
) -> None:
    shop.products.update(Product(handle="mug", vendor=""))
    with plan(set={"seo.title": "{title} | {vendor}", "status": "draft"}) as made:
        assert made.counts["update"] == 1
        (row,) = made.skipped()
    assert (row.label, row.cause) == ("mug", "invalid")
    assert row.message == "seo.title: {vendor} is empty here"


def test_a_title_that_would_be_replaced_by_nothing_is_left_alone(
    plan: Callable[..., Plan],
) -> None:
    with plan(replace=[Replacement("title", "Tee", "")]) as made:
        assert made.is_empty
        (row,) = made.skipped()
    assert (row.label, row.message) == ("tee", "title: nothing would be left of it")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"product_type": "{price}"}, "product_type: {price} differs among the variants"),
        ({"price": "{title}"}, "price: This is not an amount"),
        ({"status": "{title}"}, "status: This is no status that is known"),
    ],
)
def test_a_value_that_cannot_be_read_leaves_its_record_alone(
    plan: Callable[..., Plan], asked: dict[str, str], message: str
) -> None:
    with plan("title = 'Tee'", set=asked) as made:
        assert made.is_empty
        (row,) = made.skipped()
    assert row.message == message


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"set": {"titel": "x"}}, "no field 'titel'; title is close"),
        ({"set": {"title": "{titel}"}}, "no field 'titel'; title is close"),
        ({"set": {"price": "12,50"}}, "column 'price': This is not an amount"),
        ({"set": {"status": "drft"}}, "This is no status"),
        ({"set": {"title[xx-nope-]": "x"}}, "is not a language tag"),
        ({"set": {"price": 1.5}}, "can't be given as float"),
        ({"set": {"price": "-1"}}, "below zero"),
        ({"set": {"sku": "X"}}, "names products and variants"),
        ({"set": {"option[Size]": "X"}}, "names products and variants"),
        ({"clear": ["handle"]}, "names products and variants"),
        ({"clear": ["price"]}, "can't be cleared"),
        ({"clear": ["title"]}, "can't be cleared"),
        ({"set": {"title": " "}}, "can't be cleared"),
        ({"set": {"tracked": ""}}, "can't be cleared"),
        ({"set": {"vendor": "x"}, "clear": ["vendor"]}, "given in two ways"),
        ({"replace": [Replacement("price", "1", "2")]}, "has no text to search"),
        ({"replace": [Replacement("titel", "1", "2")]}, "title is close"),
        ({}, "nothing to change"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_read(
    asked: dict[str, Any], words: str
) -> None:
    assert words in refused(**asked)


def test_an_edit_needs_a_condition_or_all(shop: Store) -> None:
    for where, everything in (("", False), ("title = 'Tee'", True)):
        with pytest.raises(EditError, match="--all"):
            shop.edit(where, all=everything, set={"status": "draft"})


# --- through plan and apply


def test_an_edit_is_applied_undone_and_planned_to_nothing(
    shop: Store, plan: Callable[..., Plan], tmp_path: Path
) -> None:
    asked = {
        "set": {"seo.title": "{title}!", "price": "7.00"},
        "replace": [("title", "Mug", "Cup")],
    }
    with plan("vendor = 'Potter'", **asked) as made:
        assert made.apply(shop).ok
        cup = shop.products.get(shop.products.find("mug").id)  # type: ignore[union-attr]
        assert (cup.title, cup.seo.title, cup.variants[0].price) == ("Cup", "Mug!", euro("7.00"))
        with made.undo(tmp_path / "undo.plan", shop) as undone:
            assert undone.apply(shop).ok
    assert shop.products.find("mug") is not None
    assert shop.products.find("mug").title == "Mug"  # type: ignore[union-attr]


def test_a_field_that_a_template_named_joins_the_conflict_check(
    shop: Store, plan: Callable[..., Plan]
) -> None:
    with plan("title = 'Tee'", set={"seo.title": "{title} | {vendor} {sku}"}) as empty:
        assert empty.is_empty  # the SKUs differ
    with plan("title = 'Mug'", set={"seo.title": "{title} by {vendor}, {sku}"}) as made:
        shop.products.update(Product(handle="mug", vendor="Other"))
        assert made.apply(shop).conflicts == 1
    with plan("title = 'Mug'", set={"seo.title": "{title} by {vendor}"}) as made:
        shop.products.update(Product(handle="mug", status="draft"))
        assert made.apply(shop).conflicts == 0


def test_only_what_is_needed_is_read_and_only_once(
    shop: Store, plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Query] = []
    records = type(shop.adapter.records("product"))
    pages = records.page
    monkeypatch.setattr(
        records,
        "page",
        lambda self, query, cursor: asked.append(query) or pages(self, query, cursor),
    )
    monkeypatch.setattr(records, "fetch", None)  # what was read whole is not asked for again
    with plan("vendor = 'Acme' and price > 5", set={"seo.title": "{brand}"}):
        pass
    (query,) = asked
    assert query.fields is not None
    assert {"vendor", "variants.price", "seo", "brand"} <= query.fields
    assert not {"media", "description_html", "metafields", "variants.cost"} & query.fields


def test_an_edit_is_a_transform_of_a_file_too(shop: Store, tmp_path: Path) -> None:
    source = [
        Product(handle="mug", title="Cup", variants=(Variant(sku="MUG", cost=euro("2.00")),)),
        Product(handle="new", title="New", vendor="Acme", variants=(Variant(sku="N"),)),
    ]
    edit = Edit(
        {"seo.title": "{title} | {vendor}", "price": "3.00", "inventory": "{position}1"},
        context=Context(currency="EUR", location="Default"),
    )
    source = [each.but(variants=(each.variants[0].but(position=1),)) for each in source]
    with shop.plan(source, tmp_path / "a.plan", transforms=[edit], stock=True) as made:
        assert made.apply(shop).ok
    cup, new = (shop.products.find(handle) for handle in ("mug", "new"))
    assert cup is not None
    assert new is not None
    assert (cup.title, cup.seo.title) == ("Cup", "Cup | Potter")
    assert (new.title, new.seo.title) == ("New", "New | Acme")
    assert len(cup.variants) == len(new.variants) == 1
    for product in (cup, new):
        assert product.variants[0].price == euro("3.00")
        assert [level.available for level in product.variants[0].inventory] == [11]
    assert cup.variants[0].cost == euro("2.00")


def test_edits_of_the_same_list_go_together() -> None:
    edit = Edit(
        {"title[de]": "Becher", "title[fr]": "Tasse", "price[ch]": "2 CHF"},
        context=Context(location="Default"),
    )
    desired = tee(id="1").without("handle")
    desired = desired.but(
        variants=(Variant(id="7", sku="A", inventory=(InventoryLevel(available=1),)),)
    )
    found, _ = edit.transform(desired, None)
    assert isinstance(found, Product)
    assert {text.locale: text.value for text in found.translations} == {
        "de": "Becher",
        "fr": "Tasse",
    }
    (variant,) = found.variants
    assert (variant.sku, len(variant.inventory), variant.market_prices[0].market) == ("A", 1, "ch")
