"""What a plan shows: matching, scopes, modes, what it leaves alone and why."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import storebridge
from storebridge import Store
from storebridge.errors import ConfigError, Refused, SourceError
from storebridge.models import (
    Collection,
    Comment,
    Customer,
    Discount,
    InventoryLevel,
    Money,
    Option,
    Order,
    Product,
    Record,
    Review,
    Variant,
)
from storebridge.plan import Plan
from tests.conftest import OpenStore
from tests.records import CATALOGUE, SUMMER, euro, mug, tee


def planned(store: Store, source: Any, tmp_path: Path, **options: Any) -> Plan:
    number = len(list(tmp_path.glob("*.plan")))
    return store.plan(source, tmp_path / f"{number}.plan", **options)


def fields(plan: Plan) -> dict[str, tuple[Any, Any]]:
    return {path: (a, b) for change in plan.changes() for path, a, b in change.fields}


def skipped(plan: Plan) -> list[tuple[str, str]]:
    return [(row.label, row.cause) for row in plan.skipped()]


def test_a_first_plan_creates_collections_before_products_and_memberships_last(
    store: Store, tmp_path: Path
) -> None:
    plan = planned(store, reversed(CATALOGUE), tmp_path)
    assert [(c.kind, c.part, c.label) for c in plan.changes()] == [
        ("collection", "core", "summer"),
        ("product", "core", "mug"),
        ("product", "core", "tee"),
        ("product", "membership", "tee"),
    ]
    assert plan.counts["create"] == 3


def test_a_create_has_no_change_for_a_part_that_is_empty(store: Store, tmp_path: Path) -> None:
    plan = planned(store, [mug(collections=())], tmp_path)
    assert [change.part for change in plan.changes()] == ["core"]


def test_planning_writes_nothing(store: Store, tmp_path: Path) -> None:
    planned(store, CATALOGUE, tmp_path)
    assert list(store.products.iter()) == []


def test_after_apply_a_second_plan_is_empty(filled: Store, tmp_path: Path) -> None:
    plan = planned(filled, CATALOGUE, tmp_path, stock=True)
    assert plan.is_empty
    assert plan.counts["unchanged"] == 3


def test_a_store_is_a_source_and_its_own_plan_is_empty(
    filled: Store, open_store: OpenStore, tmp_path: Path
) -> None:
    assert planned(filled, filled, tmp_path, stock=True).is_empty
    other = open_store("other")
    with planned(other, filled, tmp_path) as plan:
        assert plan.apply(other).ok
    tees = [s.products.find("tee") for s in (filled, other)]
    skus = [[v.sku for v in found.variants] for found in tees if found]
    assert skus == [["TEE-S", "TEE-M"]] * 2


def test_only_given_fields_change(filled: Store, tmp_path: Path) -> None:
    with planned(filled, [Product(handle="tee", title="Tee 2")], tmp_path) as plan:
        assert fields(plan) == {"title": ("Tee", "Tee 2")}
        before = filled.products.find("tee")
        plan.apply(filled)
    after = filled.products.find("tee")
    assert before is not None
    assert after == before.but(title="Tee 2", updated_at=after and after.updated_at)


def test_a_record_without_status_is_created_as_a_draft_and_says_so(
    store: Store, tmp_path: Path
) -> None:
    plan = planned(store, [Product(handle="a", title="A")], tmp_path)
    (change,) = plan.changes()
    assert change.reasons == ("new and without a status: created as draft",)
    plan.apply(store)
    found = store.products.find("a")
    assert found is not None
    assert found.status == "draft"


def test_quantities_are_given_on_create_and_afterwards_only_on_request(
    filled: Store, tmp_path: Path
) -> None:
    variant = Variant(sku="MUG", inventory=(InventoryLevel(available=1),))
    change = [Product(handle="mug", variants=(variant,))]
    assert planned(filled, change, tmp_path).is_empty
    plan = planned(filled, change, tmp_path, stock=True)
    assert list(fields(plan)) == ["variants[MUG].inventory[Default]"]


def test_a_quantity_needs_a_location_where_there_are_several(filled: Store, tmp_path: Path) -> None:
    from storebridge.models import Location

    filled.locations.create(Location(name="Annex"))
    again = type(filled)(filled.adapter)  # facts are read once per store object
    with pytest.raises(SourceError, match=r"no location.*--location"):
        planned(again, [mug()], tmp_path, stock=True)
    again.close()


def test_a_record_with_skus_only_changes_variants_wherever_they_are(
    filled: Store, tmp_path: Path
) -> None:
    feed = [
        Product(variants=(Variant(sku="TEE-M", price=euro("9.00")),)),
        Product(variants=(Variant(sku="TEE-S", price=euro("8.00")),)),
        Product(variants=(Variant(sku="NONE", price=euro("1.00")),)),
    ]
    plan = planned(filled, feed, tmp_path)
    assert list(fields(plan)) == ["variants[TEE-M].price", "variants[TEE-S].price"]
    assert skipped(plan) == [("NONE", "unknown")]
    assert plan.apply(filled).ok
    assert planned(filled, feed, tmp_path).is_empty


def test_handle_of_one_and_sku_of_another_is_refused_with_both_named(
    filled: Store, tmp_path: Path
) -> None:
    clash = Product(handle="tee", title="X", variants=(Variant(sku="MUG"),))
    plan = planned(filled, [clash], tmp_path)
    assert plan.is_empty
    (row,) = plan.skipped()
    assert row.cause == "ambiguous"
    assert "'tee'" in row.message
    assert "'mug'" in row.message


def test_a_match_by_sku_alone_under_another_handle_needs_allow_rename(
    filled: Store, tmp_path: Path
) -> None:
    renamed = [Product(handle="cup", title="Mug", variants=(Variant(sku="MUG"),))]
    assert skipped(planned(filled, renamed, tmp_path)) == [("cup", "rename")]
    plan = planned(filled, renamed, tmp_path, allow_rename=True)
    assert fields(plan) == {"handle": ("mug", "cup")}


def test_two_source_records_for_one_live_record_are_refused(filled: Store, tmp_path: Path) -> None:
    mugs = [Product(handle="mug", title="A"), Product(title="B", variants=(Variant(sku="MUG"),))]
    plan = planned(filled, mugs, tmp_path)
    assert skipped(plan) == [("B", "ambiguous")]


@pytest.mark.parametrize(
    "pair",
    [
        (Product(handle="a", title="1"), Product(handle="a", title="2")),
        (
            Product(handle="a", variants=(Variant(sku="X"),)),
            Product(handle="b", variants=(Variant(sku="X"),)),
        ),
    ],
)
def test_one_key_on_two_source_records_is_an_error(
    store: Store, tmp_path: Path, pair: tuple[Record, Record]
) -> None:
    with pytest.raises(SourceError, match="rows 1 and 2"):
        planned(store, pair, tmp_path)


def test_ids_count_only_for_the_store_they_came_from(filled: Store, tmp_path: Path) -> None:
    tee_id = filled.products.find("tee").id  # type: ignore[union-attr]  # it is there
    foreign = [Product(id=tee_id, handle="mug", title="Mug!")]
    assert fields(planned(filled, foreign, tmp_path)) == {"title": ("Mug", "Mug!")}
    assert skipped(planned(filled, foreign, tmp_path, match="id")) == [("mug", "ambiguous")]


def test_lists_merge_or_replace_and_can_be_added_to(filled: Store, tmp_path: Path) -> None:
    only_small = Product(handle="tee", variants=(Variant(sku="TEE-S"),))
    assert planned(filled, [only_small], tmp_path).is_empty
    replaced = only_small.but(modes={"variants": "replace"})
    assert list(fields(planned(filled, [replaced], tmp_path, max_deletes=1))) == ["variants[TEE-M]"]
    added = Product(handle="tee", tags_add=("new",), tags_remove=("cotton",))
    plan = planned(filled, [added], tmp_path)
    assert fields(plan) == {"tags": (["cotton", "summer"], ["summer", "new"])}


def test_a_source_that_knows_one_channel_leaves_the_others_alone(
    filled: Store, tmp_path: Path
) -> None:
    filled.products.update(Product(handle="mug", channels=("POS", "Fair")))
    plan = planned(filled, [Product(handle="mug", channels=("Online Store",))], tmp_path)
    assert fields(plan) == {"channels": (["POS", "Fair"], ["POS", "Fair", "Online Store"])}
    assert plan.apply(filled).ok
    plan = planned(filled, [Product(handle="mug", channels_remove=("POS",))], tmp_path)
    assert fields(plan)["channels"][1] == ["Fair", "Online Store"]


def test_a_plan_deletes_nothing_by_itself(filled: Store, tmp_path: Path) -> None:
    assert planned(filled, [SUMMER], tmp_path).is_empty


def test_absent_needs_a_scope(filled: Store, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--where"):
        planned(filled, [mug()], tmp_path, absent="archive")


@pytest.mark.parametrize(
    ("absent", "expected"),
    [
        ("archive", {"status": ("active", "archived")}),
        ("draft", {"status": ("active", "draft")}),
        ("delete", None),
        ("zero-stock", {"variants[TEE-S].inventory[Default]"}),
    ],
)
def test_what_is_absent_is_changed_only_within_the_scope(
    filled: Store, tmp_path: Path, absent: str, expected: Any
) -> None:
    where = "vendor = 'Acme'"
    source = [mug(), Product(handle="other", title="O", vendor="Acme", status="active")]
    plan = planned(filled, source, tmp_path, absent=absent, where=where, max_deletes=1)
    touched = [c for c in plan.changes() if c.action != "create"]
    assert [c.label for c in touched] == ["tee"], "the mug is out of scope"
    assert plan.counts["out_of_scope"] == 1
    if expected is None:
        assert touched[0].action == "delete"
    else:
        found = {path: (a, b) for path, a, b in touched[0].fields}
        assert found == expected or set(found) == expected


def test_a_live_record_is_in_scope_as_it_is_and_not_as_the_source_wants_it(
    filled: Store, tmp_path: Path
) -> None:
    taken = Product(handle="mug", vendor="Acme", title="Ours now")
    plan = filled.plan([taken], tmp_path / "p.plan", where="vendor = 'Acme'")
    assert plan.is_empty
    assert plan.counts["out_of_scope"] == 1
    new = Product(handle="new", title="New", vendor="Acme")
    assert filled.plan([new], tmp_path / "n.plan", where="vendor = 'Acme'").counts["create"] == 1


def test_a_reference_that_nobody_has_leaves_only_the_membership_out(
    store: Store, tmp_path: Path
) -> None:
    with planned(store, [tee(collections=("nowhere",))], tmp_path) as plan:
        report = plan.apply(store)
    assert report.counts["applied"] == 1
    (item,) = report.items("skipped")
    assert (item.part, item.cause) == ("membership", "reference")
    assert "nowhere" in item.message
    assert report.exit_code == 4


def test_parents_are_created_before_what_lies_in_them(store: Store, tmp_path: Path) -> None:
    tree = [
        Collection(handle="c", title="C", parent="b"),
        Collection(handle="b", title="B", parent="a"),
        Collection(handle="a", title="A"),
    ]
    plan = planned(store, tree, tmp_path)
    assert [c.label for c in plan.changes()] == ["a", "b", "c"]


def test_everything_wrong_with_a_source_is_told_at_once_and_nothing_is_left(
    store: Store, tmp_path: Path
) -> None:
    bad = [
        mug(handle="a", variants=(Variant(sku="A", price=euro("-1")),)),
        mug(handle="b", variants=(Variant(sku="B", price=Money("1.005", "EUR")),)),
        Product(title="no key"),
    ]
    with pytest.raises(SourceError) as caught:
        planned(store, bad, tmp_path)
    assert {problem.row for problem in caught.value.problems} == {1, 2, 3}
    assert not list(tmp_path.glob("*.plan"))


def test_transforms_run_in_order_and_give_reasons(filled: Store, tmp_path: Path) -> None:
    class Dearer:
        kinds = frozenset({"product"})
        needs = frozenset({"variants"})

        def transform(self, desired: Product, live: Product | None) -> tuple[Product, tuple[str]]:
            found = live.variants if live else desired.variants
            variants = tuple(
                Variant(id=v.id, price=v.price + euro("1.00")) for v in found if v.price
            )
            return desired.but(variants=variants), ("all dearer by 1",)

    source = [Product(handle=handle) for handle in ("tee", "mug")]
    plan = planned(filled, source, tmp_path, transforms=[_shout, Dearer()])
    changes = {c.label: c for c in plan.changes()}
    assert changes["mug"].fields[0] == ("title", "Mug", "MUG")
    assert changes["mug"].fields[1] == ("variants[MUG].price", "5.00 EUR", "6.00 EUR")
    assert changes["mug"].reasons == ("all dearer by 1",)


def test_a_store_as_its_own_source_gives_only_what_transforms_give(
    filled: Store, tmp_path: Path
) -> None:
    seen = []

    def look(desired: Product, live: Product) -> Product:
        seen.append(set(desired.given))
        return desired.but(vendor=f"{live.vendor}!")

    plan = planned(filled, filled, tmp_path, transforms=[look])
    assert all(given <= {"id", "key", "handle"} for given in seen)
    changes = {change.label: change.fields for change in plan.changes()}
    assert changes == {
        "tee": (("vendor", "Acme", "Acme!"),),
        "mug": (("vendor", "Potter", "Potter!"),),
    }


CALLED = Comment(text="Called", to_customer=False)


def _shout(desired: Product, live: Product | None) -> Product:
    return desired.but(title=(live or desired).title.upper())


def test_customers_and_orders_are_planned_like_everything_else(
    store: Store, tmp_path: Path
) -> None:
    people: Iterable[Record] = [
        Customer(email="a@example.com", first_name="A"),
        Order(number="1001", email="a@example.com", currency="EUR", comments=(CALLED,)),
        Product(handle="tee", title="Tee"),
        Discount(codes=("TEN",), percentage=Decimal("10"), products=("handle:tee",)),
        Discount(title="Three for two", free_shipping=True),
        Review(product="handle:tee", rating=Decimal(5), body="Good & warm", email="a@example.com"),
    ]
    with planned(store, people, tmp_path) as plan:
        assert plan.apply(store).ok
    assert planned(store, people, tmp_path).is_empty
    assert [o.number for o in store.orders.iter()] == ["1001"]
    assert [o.comments[0].text for o in store.orders.iter()] == ["Called"]
    assert {d.codes for d in store.discounts.iter()} == {("TEN",), ()}
    changed = [Discount(codes=("TEN",), percentage=Decimal(15))]
    with planned(store, changed, tmp_path) as plan:
        rows = [(row["field"], row["before"], row["after"]) for row in plan.rows()]
        assert rows == [("percentage", "10", "15")]


def test_people_and_what_is_off_stay_where_they_are_unless_they_are_asked_for(
    store: Store, tmp_path: Path
) -> None:
    store.products.create(tee())
    store.customers.create(Customer(email="a@example.com"))
    store.discounts.create(Discount(codes=("TEN",), percentage=Decimal(10)))
    store.reviews.create(Review(product="handle:tee", body="Good", email="a@example.com"))
    with storebridge.open(f"local:{tmp_path / 'other.db'}", state=tmp_path / "state") as other:
        plan = planned(other, store, tmp_path)
        assert "product" in {row["kind"] for row in plan.rows()}
        assert not {"customer", "discount", "review"} & {row["kind"] for row in plan.rows()}


def test_strict_refuses_what_the_store_cannot_hold(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = store.adapter.records("product")
    less = {path: f for path, f in records.fields.items() if not path.startswith("seo")}
    monkeypatch.setattr(records, "fields", less)
    plan = planned(store, [SUMMER, tee()], tmp_path)
    assert {(fit.label, fit.field) for fit in plan.fit()} == {("tee", "seo")}
    with pytest.raises(Refused, match="seo"):
        planned(store, [SUMMER, tee()], tmp_path, strict=True)


def test_rows_are_flat_for_data_frames(filled: Store, tmp_path: Path) -> None:
    source = [Product(handle="tee", title="T", vendor="V")]
    rows = list(planned(filled, source, tmp_path).rows())
    assert [row["field"] for row in rows] == ["title", "vendor"]
    assert rows[0]["before"] == "Tee"
    assert all(isinstance(value, str | int | None) for row in rows for value in row.values())


def test_option_values_merge_as_the_variants_do(filled: Store, tmp_path: Path) -> None:
    part = Product(handle="tee", options=(Option(name="Size", values=("M",)),))
    assert planned(filled, [part], tmp_path).is_empty
    whole = part.but(options=(Option(name="Size", values=("M", "L")),))
    plan = planned(filled, [whole], tmp_path)
    assert fields(plan)["options"][1] == [{"name": "Size", "values": ["S", "M", "L"]}]
    plan = planned(filled, [part.but(modes={"options": "replace"})], tmp_path)
    assert fields(plan)["options"][1] == [{"name": "Size", "values": ["M"]}]
    other = Product(handle="tee", options=(Option(name="Colour", values=("Red",)),))
    assert list(fields(planned(filled, [other], tmp_path))) == ["options"]


def test_a_plan_shows_itself_in_a_notebook(filled: Store, tmp_path: Path) -> None:
    plan = planned(filled, [Product(handle="tee", title="A | B")], tmp_path)
    assert "| tee | title | Tee | A \\| B |" in plan._repr_markdown_()
