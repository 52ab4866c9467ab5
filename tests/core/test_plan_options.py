"""What a plan may do and what it leaves alone, in the words of the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storebridge import Store
from storebridge.errors import ConfigError, UsageError
from storebridge.formats import Context, Sourced, read
from storebridge.formats import write as write_file
from storebridge.models import Collection, InventoryLevel, Option, Product, Record, Seo, Variant
from storebridge.plan import Guards, Plan, PlanOptions
from tests.records import euro, mug, tee

Make = Callable[..., Plan]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes plans in files of their own; they are closed in the end."""
    made: list[Plan] = []

    def plan(store: Store, source: Any, **options: Any) -> Plan:
        made.append(store.plan(source, tmp_path / f"{len(made)}.plan", **options))
        return made[-1]

    yield plan
    for each in made:
        each.close()


def fields(plan: Plan) -> dict[str, tuple[Any, Any]]:
    return {path: (a, b) for change in plan.changes() for path, a, b in change.fields}


def skipped(plan: Plan) -> list[tuple[str, str]]:
    return [(row.label, row.cause) for row in plan.skipped()]


def product(store: Store, handle: str) -> Product:
    found = store.products.find(handle)
    assert found is not None
    return found


# -- words


def test_every_option_can_be_given_as_a_text() -> None:
    words = {
        "where": "vendor = 'Acme'",
        "fields": "price, seo.title,inventory[Main, East]",
        "absent-variants": "delete",
        "stock": "true",
        "max-deletes": "20",
        "min_rows": "100",
        "max-age": "7d",
    }
    chosen = PlanOptions.of(**words)
    assert chosen.fields == ("price", "seo.title", "inventory[Main, East]")
    assert (chosen.absent_variants, chosen.stock) == ("delete", True)
    assert chosen.guards == Guards(min_rows=100, max_deletes=20, max_age="7d")
    assert chosen.guards.max_emptied == "20%"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"max_delete": 1}, "no option 'max_delete'; max_deletes is close"),
        ({"create": "archived"}, "--create 'archived' is none of: draft, active, no"),
        ({"absent": "burn"}, "--absent 'burn' is none of"),
        ({"match": "sku"}, "--match 'sku' is none of: key, id"),
        ({"stock": "maybe"}, "--stock 'maybe' is no answer"),
        ({"max_deletes": "-1"}, "--max-deletes '-1' is no count"),
        ({"max_deletes": True}, "--max-deletes True is no count"),
        ({"max_emptied": "0.2"}, "--max-emptied '0.2' is no share. Write it like 20%"),
        ({"max_age": "24"}, "--max-age '24' is no age"),
    ],
)
def test_a_word_that_means_nothing_is_wrong_usage(words: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        PlanOptions.of(**words)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_guards_of_words_go_over_guards_that_are_given() -> None:
    chosen = PlanOptions.of(guards=Guards(max_deletes=5, max_emptied="50%"), max_deletes=7)
    assert chosen.guards == Guards(max_deletes=7, max_emptied="50%")


@pytest.mark.parametrize("option", ["absent", "absent_variants"])
def test_what_the_source_lacks_is_touched_in_a_scope_only(option: str) -> None:
    with pytest.raises(ConfigError, match=f"--{option.replace('_', '-')} delete needs a scope"):
        PlanOptions.of(**{option: "delete"})


# -- create


@pytest.mark.parametrize("status", ["draft", "active"])
def test_created_products_without_a_status_get_the_one_of_create(
    store: Store, make: Make, status: str
) -> None:
    plan = make(store, [Product(handle="a", title="A"), mug(collections=())], create=status)
    assert plan.apply(store).ok
    assert product(store, "a").status == status
    assert product(store, "mug").status == "active"  # as the source says
    assert f"created as {status}" in next(plan.changes()).reasons[0]


def test_create_no_leaves_out_what_the_store_lacks(filled: Store, make: Make) -> None:
    source: list[Record] = [
        Product(handle="new", title="New"),
        Collection(handle="sale", title="Sale"),
        mug(title="Mug 2"),
    ]
    plan = make(filled, source, create="no")
    assert (plan.counts["create"], plan.counts["update"]) == (0, 1)
    assert sorted(skipped(plan)) == [("new", "unknown"), ("sale", "unknown")]
    assert "--create draft" in next(plan.skipped()).remedy


# -- fields


def test_only_the_chosen_fields_are_managed(filled: Store, make: Make) -> None:
    small = Variant(sku="TEE-S", options=("Tiny",), price=euro("9.00"), cost=euro("1.00"))
    sizes = (Option(name="Size", values=("Tiny",)),)
    wish = Product(handle="tee", title="T", options=sizes, variants=(small,), seo=Seo(title="S"))
    plan = make(filled, [wish], fields="price,seo.title")
    assert list(fields(plan)) == ["seo.title", "variants[TEE-S].price"]
    assert plan.apply(filled).ok
    assert product(filled, "tee").variants[0].options == ("S",)
    assert make(filled, [wish], fields=("price", "seo.title")).is_empty


def test_a_chosen_list_takes_what_adds_to_it_and_its_mode(filled: Store, make: Make) -> None:
    plan = make(filled, [Product(handle="tee", title="T").but(tags_add=("new",))], fields="tags")
    assert fields(plan) == {"tags": (["cotton", "summer"], ["cotton", "summer", "new"])}
    bare = Product(handle="tee", media=(), modes={"media": "replace", "variants": "replace"})
    assert list(fields(make(filled, [bare], fields="media"))) == [
        f"media[{url}]" for url in [medium.url for medium in product(filled, "tee").media]
    ]


def test_fields_create_and_delete_nothing(filled: Store, make: Make, tmp_path: Path) -> None:
    lines = [
        '{"storebridge": "jsonl", "version": 1}',
        '{"kind": "product", "handle": "mug", "delete": true}',
        '{"kind": "product", "handle": "new", "title": "New"}',
        '{"kind": "collection", "handle": "summer", "title": "Sun"}',
        '{"kind": "product", "handle": "tee", "title": "T",'
        ' "variants": [{"sku": "TEE-XL", "options": ["XL"], "price": "1.00 EUR"}]}',
    ]
    path = tmp_path / "some.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    plan = make(filled, path, fields="title,price", max_deletes=9)
    assert fields(plan) == {"title": ("Tee", "T")}
    assert skipped(plan) == [("mug", "fields"), ("new", "unknown"), ("tee", "unknown")]
    assert plan.counts["out_of_scope"] == 1, "a collection has no field of a product"


def test_a_field_that_is_not_managed_is_not_in_the_fit_report(
    make: Make, filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = filled.adapter.records("product")
    known = {name: field for name, field in records.fields.items() if name != "brand"}
    monkeypatch.setattr(records, "fields", known)
    wish = [Product(handle="tee", brand="B", title="T")]
    assert [fit.field for fit in make(filled, wish).fit()] == ["brand"]
    assert make(filled, wish, fields="title", strict=True).counts["update"] == 1


def test_an_unknown_field_is_refused_with_the_nearest(filled: Store, make: Make) -> None:
    with pytest.raises(ConfigError, match=r"no field 'seo.titel'; seo.title is close"):
        make(filled, [tee()], fields="seo.titel")


# -- what the source lacks


SCOPE = "vendor = 'Acme'"


def small(**fields: Any) -> Product:
    variants = (Variant(sku="TEE-S", price=euro("9.00")),)
    return Product(handle="tee", title="Tee", variants=variants, **fields)


def test_variants_that_the_source_lacks_are_kept_by_default(filled: Store, make: Make) -> None:
    assert list(fields(make(filled, [small()], where=SCOPE))) == ["variants[TEE-S].price"]


def test_variants_that_the_source_lacks_are_deleted_or_run_out(filled: Store, make: Make) -> None:
    level = InventoryLevel(available=7)
    stocked = Product(variants=(Variant(sku="TEE-M", inventory=(level,)),))
    assert make(filled, [stocked], stock=True).apply(filled).ok
    plan = make(filled, [small()], where=SCOPE, absent_variants="zero-stock")
    found = fields(plan)
    assert found["variants[TEE-M].inventory[Default]"][1]["available"] == 0
    assert plan.absent == {"products": 0, "variants": 1}
    assert plan.apply(filled).ok
    again = make(filled, [small()], where=SCOPE, absent_variants="zero-stock")
    assert again.is_empty
    assert again.absent["variants"] == 0, "there is nothing left to take"
    plan = make(filled, [small()], where=SCOPE, absent_variants="delete", max_deletes=1)
    assert list(fields(plan)) == ["variants[TEE-M]"]
    assert plan.absent == {"products": 0, "variants": 1}
    assert plan.apply(filled).ok
    assert [v.sku for v in product(filled, "tee").variants] == ["TEE-S"]


def test_absent_variants_and_fields_go_together(filled: Store, make: Make) -> None:
    options = {"where": SCOPE, "absent_variants": "delete", "max_deletes": 1}
    plan = make(filled, [small()], fields="title", **options)
    assert list(fields(plan)) == ["variants[TEE-M]"]
    plan = make(filled, [small()], fields="price", **options)
    assert list(fields(plan)) == ["variants[TEE-S].price", "variants[TEE-M]"]


@pytest.mark.parametrize(
    "source",
    [
        Product(handle="tee", title="Tee"),
        Product(handle="tee", title="Tee", variants=()),
        Product(variants=(Variant(sku="TEE-S", price=euro("10.00")),)),
    ],
    ids=["no variants given", "no variant", "a feed"],
)
def test_a_record_that_lists_no_variants_lacks_none(
    filled: Store, make: Make, source: Product
) -> None:
    plan = make(filled, [source], where=SCOPE, absent_variants="delete", max_deletes=9)
    assert plan.absent["variants"] == 0


@pytest.mark.parametrize("absent", ["archive", "draft"])
def test_absent_says_where_a_platform_has_no_status(
    filled: Store, make: Make, absent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = filled.adapter.records("product")
    known = {name: field for name, field in records.fields.items() if name != "status"}
    monkeypatch.setattr(records, "fields", known)
    plan = make(filled, [Product(handle="mug", title="Mug")], where=SCOPE, absent=absent)
    assert skipped(plan) == [("tee", "absent")]
    assert plan.counts["unchanged"] == 0
    assert plan.absent["products"] == 0


# -- what the source expects


@pytest.mark.parametrize(
    ("format", "handle", "title"),
    [
        ("matrixify", "Handle", "Title"),
        ("shopify-csv", "URL handle", "Title"),
    ],
)
def test_new_that_exists_and_update_that_is_missing_are_left_out(
    filled: Store, make: Make, tmp_path: Path, format: str, handle: str, title: str
) -> None:
    rows = [
        f"{handle},Command,{title}",
        "tee,NEW,Tee 2",
        "cup,NEW,Cup",
        "mug,UPDATE,Mug 2",
        "bowl,UPDATE,Bowl",
        "plate,MERGE,Plate",
    ]
    path = tmp_path / "Products.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    plan = make(filled, path, context={"format": format})
    assert skipped(plan) == [("tee", "exists"), ("bowl", "unknown")]
    assert [row.origin for row in plan.skipped()] == [2, 5]
    changed = {change.label: change.action for change in plan.changes()}
    assert changed == {"cup": "create", "mug": "update", "plate": "create"}


def test_an_update_of_an_empty_store_creates_nothing(
    store: Store, make: Make, tmp_path: Path
) -> None:
    path = tmp_path / "Products.csv"
    path.write_text("Handle,Command,Title\ntee,UPDATE,Tee\n", encoding="utf-8")
    plan = make(store, path, context={"format": "matrixify"})
    assert skipped(plan) == [("tee", "unknown")]
    assert plan.is_empty


def test_a_product_file_of_woocommerce_says_what_it_expects(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("SKU,Name,Command\nA,A,NEW\nB,B,update\nC,C,DELETE\nD,D,\n", encoding="utf-8")
    found = [item for item in read(path, Context(), "woocommerce-csv") if isinstance(item, Sourced)]
    assert [item.expects for item in found] == ["new", "existing", "", ""]
    assert [item.delete for item in found] == [False, False, True, False]


# -- what lies beside


def test_an_external_key_of_a_matched_record_is_written(
    filled: Store, make: Make, tmp_path: Path
) -> None:
    plan = make(filled, [Product(handle="mug", key="ERP-7")])
    assert fields(plan) == {"key": ("", "ERP-7")}
    assert plan.apply(filled).ok
    assert product(filled, "mug").key == "ERP-7"
    assert make(filled, [Product(handle="mug", key="ERP-7")]).is_empty
    undo = plan.undo(tmp_path / "undo.plan", filled)
    assert undo.apply(filled).ok
    undo.close()
    assert product(filled, "mug").key == ""


def test_an_external_key_is_nothing_on_a_platform_that_has_none(
    filled: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = filled.adapter.records("product")
    known = {name: field for name, field in records.fields.items() if name != "key"}
    monkeypatch.setattr(records, "fields", known)
    assert make(filled, [Product(handle="mug", key="ERP-7")]).is_empty
    plan = make(filled, [Product(handle="cup", key="ERP-8", title="Cup")])
    assert "key" not in fields(plan)
    assert plan.apply(filled).ok


def test_a_tree_of_collections_is_deleted_from_its_leaves(
    store: Store, make: Make, tmp_path: Path
) -> None:
    tree = [
        Collection(handle="b", title="B", parent="a"),
        Collection(handle="a", title="A"),
        Collection(handle="d", title="D", parent="c"),
        Collection(handle="c", title="C", parent="b"),
    ]
    assert make(store, tree).apply(store).ok
    lines = ['{"storebridge": "jsonl", "version": 1}']
    lines += [f'{{"kind": "collection", "handle": "{h}", "delete": true}}' for h in "badc"]
    path = tmp_path / "gone.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    plan = make(store, path, max_deletes=4)
    assert [change.label for change in plan.changes()] == ["d", "c", "b", "a"]
    assert plan.apply(store).ok


def test_options_are_kept_as_plain_values(filled: Store, make: Make, tmp_path: Path) -> None:
    write_file(tmp_path / "a.jsonl", [mug()], Context())
    plan = make(filled, tmp_path / "a.jsonl", fields="title", create="no", stock="yes")
    options = plan.about["options"]
    assert (options["fields"], options["create"], options["stock"]) == (["title"], "no", True)
    assert "guards" not in options
