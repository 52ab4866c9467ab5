"""Category paths, memberships, and collections that fill themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storebridge.errors import SourceError
from storebridge.formats.paths import Paths, path_of
from storebridge.models import Collection, Product, Rule
from storebridge.plan import Plan
from storebridge.store import Store
from storebridge.store.base import Opening
from tests.core.fake_platform import FakeAdapter


def planned(store: Store, source: Any, tmp_path: Path) -> Plan:
    return store.plan(source, tmp_path / f"{len(list(tmp_path.glob('*.plan')))}.plan")


def run(store: Store, source: Any, tmp_path: Path) -> Plan:
    plan = planned(store, source, tmp_path)
    report = plan.apply(store)
    assert report.ok, [(item.label, item.message) for item in report.items()]
    return plan


def sheet(tmp_path: Path, *rows: str, columns: str = "handle,title,collections") -> Path:
    path = tmp_path / "sheet.csv"
    path.write_text("\n".join((columns, *rows, "")), "utf-8")
    return path


def shown(store: Store) -> dict[str, tuple[str, str]]:
    return {each.handle: (each.title, each.parent) for each in store.collections.iter()}


def members(store: Store, handle: str) -> tuple[str, ...]:
    product = store.products.find(handle)
    assert product is not None
    return product.collections


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("Clothing > Shirts", ("Clothing", "Shirts")),
        (" Clothing  >  Shirts > Tees ", ("Clothing", "Shirts", "Tees")),
        ("> Clothing", ("Clothing",)),
        ("clothing", ()),
        ("a>b", ()),
        (">0", ()),
    ],
)
def test_a_path_is_told_from_a_handle(text: str, path: tuple[str, ...]) -> None:
    assert path_of(text) == path


def test_a_collection_that_is_nowhere_is_told_before_anything_is_sent(
    store: Store, tmp_path: Path
) -> None:
    sale, tee = Collection(handle="sale", title="Sale"), Product(handle="tee", title="Tee")
    run(store, [sale, tee], tmp_path)
    source = [
        Collection(handle="new", title="New"),
        Product(handle="tee").but(collections=("sale", "new", "gone")),
    ]
    (said,) = planned(store, source, tmp_path).warnings()
    assert said.startswith("Neither the store nor the source has collection 'gone': ")
    assert not list(planned(store, source[:1], tmp_path).warnings())


def test_handles_tell_branches_apart() -> None:
    paths = Paths({("clothing",): "clothing", ("sale",): "shirts"})
    assert paths.handle(("Clothing", "Shirts")) == "clothing-shirts"
    assert paths.handle(("Sale",)) == "shirts"
    assert paths.handle(("Sale", "Tees")) == "tees"
    assert paths.handle(("Clothing", "Tees")) == "clothing-tees"
    assert paths.handle(("Clothing Tees",)) == "clothing-tees-2"
    made = [(each.handle, each.parent) for each in paths.fresh()]
    assert made == [
        ("clothing-shirts", "clothing"),
        ("tees", "shirts"),
        ("clothing-tees", "clothing"),
        ("clothing-tees-2", ""),
    ]
    assert list(paths.fresh()) == []


def test_without_a_tree_a_handle_is_the_whole_path() -> None:
    assert Paths().handle(("Women", "Shirts")) == "women-shirts"
    assert Paths().handle(("Men", "Shirts")) == "men-shirts"


def test_missing_paths_are_made_from_the_root_down(store: Store, tmp_path: Path) -> None:
    source = sheet(
        tmp_path,
        'tee,Tee,"Clothing > Shirts > Tees, Women > Shirts"',
        "cap,Cap,> Clothing",
    )
    run(store, source, tmp_path)
    assert shown(store) == {
        "clothing": ("Clothing", ""),
        "shirts": ("Shirts", "clothing"),
        "tees": ("Tees", "shirts"),
        "women": ("Women", ""),
        "women-shirts": ("Shirts", "women"),
    }
    assert members(store, "tee") == ("tees", "women-shirts")
    assert members(store, "cap") == ("clothing",)
    assert planned(store, source, tmp_path).is_empty


def test_what_there_is_is_found_by_its_whole_path(store: Store, tmp_path: Path) -> None:
    held = [
        Collection(handle="c-1", title="Clothing"),
        Collection(handle="shirts", title="Shirts"),
        Collection(handle="c-3", title="Shirts &amp; Tops", parent="c-1"),
    ]
    run(store, held, tmp_path)
    source = sheet(tmp_path, 'tee,Tee,"clothing > Shirts & tops, Clothing > Shirts"')
    run(store, source, tmp_path)
    assert shown(store) == {
        "c-1": ("Clothing", ""),
        "shirts": ("Shirts", ""),
        "c-3": ("Shirts &amp; Tops", "c-1"),
        "clothing-shirts": ("Shirts", "c-1"),
    }
    assert members(store, "tee") == ("c-3", "clothing-shirts")
    assert planned(store, source, tmp_path).is_empty


def test_members_are_added_and_removed_by_path(store: Store, tmp_path: Path) -> None:
    run(store, sheet(tmp_path, "tee,Tee,Clothing > Shirts"), tmp_path)
    columns = "handle,title,collections+,collections-"
    run(store, sheet(tmp_path, "tee,Tee,Sale > Now,Clothing > Shirts", columns=columns), tmp_path)
    assert members(store, "tee") == ("now",)
    nothing = sheet(tmp_path, "tee,Tee,,Clothing > Socks", columns=columns)
    assert planned(store, nothing, tmp_path).is_empty
    assert "socks" not in shown(store)


def test_a_woocommerce_file_finds_the_stores_own_paths(store: Store, tmp_path: Path) -> None:
    held = [
        Collection(handle="wear", title="Clothing"),
        Collection(handle="tops", title="Tees", parent="wear"),
        Collection(handle="tees", title="Sale"),
    ]
    run(store, held, tmp_path)
    path = tmp_path / "woo.csv"
    path.write_text(
        'Type,SKU,Name,Published,Categories\nsimple,T,Tee,1,"Clothing > Tees, Home > Tees"\n'
    )
    run(store, path, tmp_path)
    assert {name: value for name, value in shown(store).items() if name not in ("wear",)} == {
        "tops": ("Tees", "wear"),
        "tees": ("Sale", ""),
        "home": ("Home", ""),
        "home-tees": ("Tees", "home"),
    }
    (product,) = store.products.iter()
    assert product.collections == ("tops", "home-tees")
    assert planned(store, path, tmp_path).is_empty


def test_a_store_whose_collections_are_no_tree_gets_one_for_each_path(tmp_path: Path) -> None:
    adapter = FakeAdapter()
    with Store(adapter, Opening(name="fake", state=tmp_path / "state")) as store:
        run(store, sheet(tmp_path, 'tee,Tee,"Men > Shirts, Women > Shirts"'), tmp_path)
        held = {each.handle for each in adapter.collections.held.values()}
        assert {"men-shirts", "women-shirts"} <= held
        run(store, sheet(tmp_path, "cap,Cap,Women > Shirts"), tmp_path)
        assert len(adapter.collections.held) == len(held)


# ---------------------------------------------------------------- collections that fill themselves

SALE = Collection(
    handle="sale", title="Sale", rules=(Rule(field="tag", value="sale"),), match_all=False
)


def test_collections_with_rules_are_made_and_changed(store: Store, tmp_path: Path) -> None:
    run(store, [SALE], tmp_path)
    lines = tmp_path / "rules.jsonl"
    lines.write_text(
        '{"storebridge": "jsonl", "version": 1, "store": ""}\n'
        '{"kind": "collection", "handle": "sale", "rules": [{"field": "tag", "value": "sale"},'
        ' {"field": "price", "relation": "greater_than", "value": "20"}]}\n'
    )
    assert run(store, lines, tmp_path).counts["update"] == 1
    held = store.collections.find("sale")
    assert held is not None
    assert [rule.field for rule in held.rules] == ["tag", "price"]
    assert planned(store, lines, tmp_path).is_empty


def test_members_of_a_collection_with_rules_are_not_set(store: Store, tmp_path: Path) -> None:
    run(store, [SALE, Collection(handle="new", title="New")], tmp_path)
    source = [Product(handle="tee", title="Tee", collections=("sale", "new"))]
    plan = run(store, source, tmp_path)
    (fit,) = plan.fit()
    assert (fit.label, fit.field) == ("tee", "collections")
    assert "'sale' fills itself by its rules" in fit.message
    assert members(store, "tee") == ("new",)
    assert planned(store, source, tmp_path).is_empty


def test_rules_of_the_same_source_count(store: Store, tmp_path: Path) -> None:
    plan = run(store, [SALE, Product(handle="tee", title="Tee", collections=("sale",))], tmp_path)
    assert [fit.label for fit in plan.fit()] == ["tee"]


def test_a_live_collection_with_rules_gets_no_products(store: Store, tmp_path: Path) -> None:
    run(store, [SALE, Product(handle="tee", title="Tee")], tmp_path)
    source = [Collection.model_validate({"handle": "sale", "products+": ["handle:tee"]})]
    plan = planned(store, source, tmp_path)
    assert plan.is_empty
    assert [(fit.label, fit.field) for fit in plan.fit()] == [("sale", "products")]


def test_rules_and_products_together_are_an_error(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="fills itself"):
        planned(store, [SALE.but(products=("handle:tee",))], tmp_path)
