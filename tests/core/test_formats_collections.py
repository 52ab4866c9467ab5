"""The sheet of collections: by hand and by rules, in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storebridge.errors import Problem
from storebridge.formats import Context, Sourced, detect, read, write
from storebridge.models import Collection, Media, Product, Rule, Seo
from storebridge.store import Store

SALE = Collection(
    handle="sale",
    title="Sale",
    parent="shop",
    rules=(
        Rule(field="tag", relation="equals", value="sale now"),
        Rule(field="price", relation="less_than", value="20"),
    ),
    match_all=False,
    sort_order="price-asc",
    position=3,
    seo=Seo(title="On sale"),
    image=Media(url="https://shop.example/sale.jpg", alt="Sale"),
)
SHOP = Collection(handle="shop", title="Shop", products=("handle:tee", "sku:C,1"))


def table(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "collections.csv"
    path.write_text("\n".join((*rows, "")), "utf-8")
    return path


def found(path: Path, **context: Any) -> tuple[list[Collection], list[str]]:
    items = list(read(path, Context(**context)))
    records = [item.record for item in items if isinstance(item, Sourced)]
    said = [str(item) for item in items if isinstance(item, Problem)]
    return [each for each in records if isinstance(each, Collection)], said


@pytest.mark.parametrize("name", ["c.csv", "c.xlsx"])
def test_collections_round_trip(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    losses = write(path, [SHOP, SALE, Product(handle="tee")], Context(), "collections")
    assert [(loss.kind, loss.field) for loss in losses] == [("product", "record")]
    assert detect(path, Context()).name == "collections"
    assert found(path) == ([SHOP, SALE], [])


def test_a_product_sheet_is_none_of_collections(tmp_path: Path) -> None:
    assert detect(table(tmp_path, "handle,title", "tee,Tee"), Context()).name == "sheet"
    assert detect(table(tmp_path, "handle,rules", "a,"), Context()).name == "collections"


def test_a_path_is_found_or_made(store: Store, tmp_path: Path) -> None:
    store.collections.create(Collection(handle="wear", title="Clothing"))
    source = table(
        tmp_path, "path,description_html", "Clothing > Shirts > Tees,<p>T</p>", "CLOTHING,<p>C</p>"
    )
    plan = store.plan(source, tmp_path / "a.plan")
    assert plan.apply(store).ok
    held = {each.handle: each for each in store.collections.iter()}
    assert {handle: each.parent for handle, each in held.items()} == {
        "wear": "",
        "shirts": "wear",
        "tees": "shirts",
    }
    assert (held["wear"].description_html, held["tees"].description_html) == (
        "<p>C</p>",
        "<p>T</p>",
    )
    assert held["wear"].title == "Clothing"
    assert store.plan(source, tmp_path / "b.plan").is_empty


def test_members_are_added_and_rules_changed(store: Store, tmp_path: Path) -> None:
    for handle in ("tee", "cap"):
        store.products.create(Product(handle=handle, title=handle))
    store.collections.create(Collection(handle="all", title="All", products=("handle:tee",)))
    store.collections.create(SALE.without("parent", "image"))
    source = table(
        tmp_path, "handle,products+,rules", "all,cap,", "sale,,tag equals new | vendor is Acme Inc"
    )
    assert store.plan(source, tmp_path / "a.plan").apply(store).ok
    held = {each.handle: each for each in store.collections.iter()}
    assert held["all"].products == ("handle:tee", "handle:cap")
    assert [rule.value for rule in held["sale"].rules] == ["new", "Acme Inc"]
    assert store.plan(source, tmp_path / "b.plan").is_empty


def test_blank_cells_keep_or_clear(tmp_path: Path) -> None:
    source = table(tmp_path, "handle,title,rules", "sale,,")
    ([kept], _), ([cleared], _) = found(source), found(source, blank="clear")
    assert kept.given == {"handle"}
    assert (cleared.given, cleared.rules) == ({"handle", "title", "rules"}, ())


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (("handle,rules", "a,tag"), "row 2, column 'rules': A rule needs a field and a relation"),
        (("handle,match_al", "a,b"), "There is no such column; match_all is close"),
        (("handle,rules,products", "a,tag equals b,tee"), "fills itself by rules"),
        (("handle,parent", "a,", "a,b"), "Row 2 has the same handle:a already"),
        (("handle,parent", "a,a"), "can't be its own parent"),
        (("handle,position,parent", "a,first,"), "row 2, column 'position'"),
    ],
)
def test_what_is_wrong_is_told_with_its_cell(
    tmp_path: Path, rows: tuple[str, ...], said: str
) -> None:
    items = read(table(tmp_path, *rows), Context(), "collections")
    problems = [str(item) for item in items if isinstance(item, Problem)]
    assert any(said in each for each in problems), problems
