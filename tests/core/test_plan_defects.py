"""What a hostile look at plans found once, and must hold for good."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from storebridge_template import TemplateAdapter, sandbox
from storebridge_template.adapter import TemplateSettings

from storebridge import Store
from storebridge.adapter import Batch
from storebridge.direct import Chunk, Verb, look_up
from storebridge.engine import HandlerTransport
from storebridge.errors import PlanError, SourceError
from storebridge.flow import Flow, Outcome, Status, report
from storebridge.ledger import Ledger
from storebridge.models import (
    Attribute,
    Collection,
    Download,
    InventoryLevel,
    MarketPrice,
    Money,
    Option,
    Product,
    Variant,
)
from storebridge.pictures import Pictures
from storebridge.plan import Plan
from storebridge.store.base import Opening
from storebridge.testing import VirtualClock
from tests.conftest import OpenStore
from tests.core.fake_platform import FakeAdapter
from tests.records import SUMMER, euro, mug, tee

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


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Store]:
    """A store on the template's sandbox: an HTTP platform whose products have many parts."""
    state = sandbox.create()
    settings = TemplateSettings.model_validate(sandbox.settings())
    opening = Opening(
        name="template",
        url="sandbox:template",
        state=tmp_path / "state",
        clock=VirtualClock(),
        transport=HandlerTransport(state),
    )
    with Store(TemplateAdapter(settings), opening) as store:
        yield store
    state.close()


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Store]:
    """A store on a platform that writes the vendor in a part of its own."""
    with Store(FakeAdapter(), Opening(name="fake", state=tmp_path / "state")) as store:
        yield store


def causes(plan: Plan) -> list[tuple[str, str]]:
    return [(row.label, row.cause) for row in plan.skipped()]


def paths(plan: Plan) -> list[str]:
    return [path for change in plan.changes() for path, _, _ in change.fields]


def product(store: Store, handle: str) -> Product:
    found = store.products.find(f"handle:{handle}")
    assert found is not None
    return found


class Twist:
    """Stands before an adapter's write of products; `then` decides about each batch."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        records = store.adapter.records("product")
        self.real: Callable[[Batch[Any]], Flow[None]] = records.write
        self.then: Callable[[Batch[Any]], Flow[None]] = self.real
        monkeypatch.setattr(records, "write", lambda batch: self.then(batch))

    def die(self, batch: Batch[Any]) -> Flow[None]:
        """Die before anything is sent."""
        raise KeyboardInterrupt
        yield

    def hush(self, batch: Batch[Any]) -> Flow[None]:
        """Do nothing, and say nothing."""
        yield from report(())

    def lie(self, batch: Batch[Any]) -> Flow[None]:
        """Claim that everything is done."""
        yield from report(
            [Outcome(change=c.id, status=Status.APPLIED, id=c.record_id) for c in batch.changes]
        )


# -- who is meant


def test_an_element_id_of_another_store_names_nothing_here(
    open_store: OpenStore, make: Make
) -> None:
    one, two = open_store("one"), open_store("two")
    small, big = tee(collections=()).variants
    for store, variants in ((one, (big, small)), (two, (small, big))):
        source = [tee(collections=(), variants=variants)]
        assert make(store, source).apply(store).ok
    assert paths(make(two, one)) == []


def test_an_id_that_nothing_has_creates_nothing(filled: Store, make: Make) -> None:
    plan = make(filled, [Product(id="999", title="Ghost")], match="id")
    assert plan.is_empty
    assert causes(plan) == [("Ghost", "unknown")]


def test_a_decomposed_sku_means_the_same_variant(filled: Store, make: Make) -> None:
    source = [mug(handle="cafe", variants=(Variant(sku="CAF\u00c9", price=euro("1.00")),))]
    assert make(filled, source).apply(filled).ok
    again = Variant(sku=unicodedata.normalize("NFD", "CAF\u00c9"), price=euro("1.00"))
    assert paths(make(filled, [Product(handle="cafe", variants=(again,))])) == []
    assert make(filled, [Product(variants=(again,))]).counts["unchanged"] == 1


def test_a_decomposed_handle_names_the_same_records(filled: Store, make: Make) -> None:
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    source = [
        Collection(handle=composed, title="Café"),
        mug(handle=composed, variants=(), collections=(decomposed,)),
    ]
    assert make(filled, source).apply(filled).ok
    assert paths(make(filled, source)) == []
    assert paths(make(filled, [Product(handle=decomposed, title="Mug")])) == []


def test_two_variants_with_one_sku_are_told_apart_or_refused(fake: Store, make: Make) -> None:
    platform = fake.adapter
    assert isinstance(platform, FakeAdapter)
    twins = tuple(
        Variant(id=id, sku="X", options=(size,), price=euro("1.00"))
        for id, size in (("1", "S"), ("2", "M"))
    )
    platform.products.held["1"] = Product(id="1", handle="tee", title="Tee", variants=twins)
    medium = Variant(sku="X", options=("M",), price=euro("2.00"))
    plan = make(fake, [Product(handle="tee", variants=(medium,))])
    assert paths(plan) == ["variants[X].price"]
    (row,) = plan._file.changes()
    assert json.loads(row.after or "")["variants"]["X"]["id"] == "2"
    unclear = make(fake, [Product(handle="tee", variants=(Variant(sku="X", price=euro("3.00")),))])
    assert causes(unclear) == [("tee", "ambiguous")]


def test_what_a_doubtful_record_may_mean_is_not_absent(filled: Store, make: Make) -> None:
    doubtful = Product(handle="cup", title="Cup", variants=(Variant(sku="MUG"),))
    plan = make(filled, [doubtful], absent="delete", where="vendor = 'Potter'", max_deletes=1)
    assert causes(plan) == [("cup", "rename")]
    assert plan.counts["delete"] == 0


def test_a_key_that_differs_only_in_case_is_refused_however_the_store_is_read(
    shop: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storebridge.plan.live._FEW", 0)
    assert make(shop, [mug(variants=(Variant(sku="MUG"),))]).apply(shop).ok
    plan = make(shop, [Product(handle="cup", title="Cup", variants=(Variant(sku="mug"),))])
    assert causes(plan) == [("cup", "ambiguous")]


# -- what is planned


def test_edits_mean_the_same_on_create_as_afterwards(filled: Store, make: Make) -> None:
    source = [mug(handle="a", variants=(), tags=("x", "y"), tags_add=("x",), tags_remove=("y",))]
    assert make(filled, source).apply(filled).ok
    assert product(filled, "a").tags == ("x",)
    assert make(filled, source).is_empty


def test_what_a_transform_gives_is_checked(filled: Store, make: Make) -> None:
    def free(desired: Product, live: Product) -> Product:
        variants = tuple(Variant(id=v.id, price=euro("-1.005")) for v in live.variants)
        return desired.but(variants=variants)

    plan = make(filled, [Product(handle="mug")], transforms=[free])
    assert plan.is_empty
    assert causes(plan) == [("mug", "invalid")]


def test_what_a_transform_gives_is_fitted(shop: Store, make: Make) -> None:
    def brand(desired: Product, live: Product | None) -> Product:
        return desired.but(brand="Acme")

    assert make(shop, [mug(variants=())]).apply(shop).ok
    plan = make(shop, [Product(handle="mug", title="Mug")], transforms=[brand])
    assert [fit.field for fit in plan.fit()] == ["brand"]


def test_a_record_that_a_transform_renames_is_created_once(filled: Store, make: Make) -> None:
    def rename(desired: Product, live: Product | None) -> Product:
        return desired.but(handle=f"new-{desired.handle}")

    source = [mug(handle="cup", variants=())]
    assert make(filled, source, transforms=[rename]).apply(filled).ok
    assert make(filled, source, transforms=[rename]).is_empty


def test_a_list_that_replaces_is_sent_whole(filled: Store, make: Make, tmp_path: Path) -> None:
    def facts(weave: str, *files: str) -> Product:
        downloads = tuple(Download(url=f"https://cdn.example/{file}") for file in files)
        return Product(
            handle="mug",
            attributes=(
                Attribute(name="Material", values=("clay",)),
                Attribute(name="Weave", values=(weave,)),
            ),
            variants=(Variant(sku="MUG", downloads=downloads),),
        )

    assert make(filled, [facts("plain", "a", "b")]).apply(filled).ok
    source = [facts("twill", "b")]
    plan = make(filled, source)
    assert plan.apply(filled).ok
    assert make(filled, source).is_empty
    found = product(filled, "mug")
    assert [fact.values for fact in found.attributes] == [("clay",), ("twill",)]
    assert [file.url[-1] for file in found.variants[0].downloads] == ["b"]
    more = Product(
        handle="mug", attributes=(Attribute(name="Size"),), modes={"attributes": "merge"}
    )
    assert make(filled, [more]).apply(filled).ok
    names = [fact.name for fact in product(filled, "mug").attributes]
    assert names == ["Material", "Weave", "Size"]


# -- what is a conflict


def test_a_new_variant_with_parts_of_its_own_is_no_conflict_with_itself(
    shop: Store, make: Make, tmp_path: Path
) -> None:
    source = tee(collections=(), media=(), variants=tee().variants[1:])
    assert make(shop, [source], location="Main").apply(shop).ok
    small = Variant(
        sku="TEE-S",
        options=("S",),
        price=euro("10.00"),
        inventory=(InventoryLevel(location="Main", available=3),),
        market_prices=(MarketPrice(market="us", price=Money("12", "USD")),),
    )
    edit = [Product(handle="tee", variants=(small,))]
    plan = make(shop, edit)
    outcome = plan.apply(shop)
    assert outcome.ok, [item.message for item in outcome.items()]
    assert make(shop, edit, stock=True).is_empty
    with plan.undo(tmp_path / "undo.plan", shop) as undo:
        outcome = undo.apply(shop)
        assert outcome.ok, [item.message for item in outcome.items()]
    assert [variant.sku for variant in product(shop, "tee").variants] == ["TEE-M"]


def test_what_the_plan_itself_wrote_is_no_conflict_with_what_a_transform_read(
    fake: Store, make: Make
) -> None:
    class Louder:
        kinds = frozenset({"product"})
        needs = frozenset({"title"})

        def transform(self, desired: Product, live: Product) -> tuple[Product, tuple[str, ...]]:
            return desired.but(title=live.title.upper(), vendor=live.title), ()

    assert make(fake, [Product(handle="a", title="Tee")]).apply(fake).ok
    outcome = make(fake, [Product(handle="a")], transforms=[Louder()]).apply(fake)
    assert outcome.ok, [item.message for item in outcome.items()]


def test_what_a_plan_moves_does_not_stop_its_own_deletes(
    filled: Store, make: Make, tmp_path: Path
) -> None:
    lines = [
        '{"storebridge": "jsonl", "version": 1}',
        '{"kind": "collection", "handle": "winter", "title": "Winter"}',
        '{"kind": "collection", "handle": "summer", "delete": true}',
        '{"kind": "product", "handle": "tee", "collections": ["winter"]}',
    ]
    path = tmp_path / "move.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    outcome = make(filled, path, max_deletes=9).apply(filled)
    assert outcome.ok, [item.message for item in outcome.items()]
    assert filled.collections.find("summer") is None


def test_somebody_who_took_the_same_element_out_leaves_nothing_to_do(
    filled: Store, make: Make
) -> None:
    source = [
        Product(handle="tee", variants=(Variant(sku="TEE-S"),), modes={"variants": "replace"})
    ]
    plan, same = (make(filled, source, max_deletes=1) for _ in range(2))
    assert same.apply(filled).ok
    assert plan.apply(filled).counts["unchanged"] == 1


def test_a_resumed_run_does_not_overwrite_what_was_changed_meanwhile(
    filled: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    twist = Twist(filled, monkeypatch)
    plan = make(filled, [Product(handle="mug", title="Mug 2"), Product(handle="tee", title="T 2")])
    twist.then = twist.die
    with pytest.raises(KeyboardInterrupt):
        plan.apply(filled)
    twist.then = twist.real
    assert filled.products.update(Product(handle="mug", title="Mine")).status is Status.APPLIED
    outcome = plan.apply(filled)
    assert (product(filled, "mug").title, product(filled, "tee").title) == ("Mine", "T 2")
    assert outcome.conflicts == 1


def test_a_refused_conflict_can_be_overwritten_by_the_command_that_the_message_names(
    filled: Store, make: Make
) -> None:
    plan = make(filled, [Product(handle="mug", title="Mug 2")])
    filled.products.update(Product(handle="mug", title="Mine"))
    (item,) = plan.apply(filled).items("skipped")
    assert "--on-conflict overwrite" in item.remedy
    assert plan.apply(filled, on_conflict="overwrite").ok
    assert product(filled, "mug").title == "Mug 2"


# -- what is verified


def test_an_element_that_was_not_taken_out_is_a_failure(
    filled: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Product(handle="tee", variants=(Variant(sku="TEE-S"),), modes={"variants": "replace"})
    twist = Twist(filled, monkeypatch)
    twist.then = twist.lie
    plan = make(filled, [gone], max_deletes=1)
    (item,) = plan.apply(filled).items("failed")
    assert item.cause == "differs"
    assert "TEE-M" in item.message
    assert filled.products.update(gone).status is Status.FAILED


# -- what depends on what


def test_a_collection_below_one_that_failed_is_left_out(filled: Store, make: Make) -> None:
    tree = [Collection(handle="a", title="A"), Collection(handle="b", title="B", parent="a")]
    plan = make(filled, tree)
    filled.collections.create(Collection(handle="a", title="Theirs"))
    filled.collections.delete(str(filled.collections.find("summer").id))  # type: ignore[union-attr]
    outcome = plan.apply(filled)
    assert {item.label: item.cause for item in outcome.items("skipped")} == {
        "a": "conflict",
        "b": "reference",
    }


def test_the_other_parts_of_a_record_go_on_when_a_lost_answer_is_found(
    store: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    twist = Twist(store, monkeypatch)
    twist.then = twist.hush
    plan = make(store, [SUMMER, tee()])
    first = plan.apply(store)
    assert (first.counts["unknown"], first.counts["skipped"]) == (1, 1)
    twist.then = twist.real
    assert plan.apply(store).ok
    assert product(store, "tee").collections == ("summer",)


# -- undo and replan


def test_only_the_store_of_a_plan_can_undo_or_replan_it(
    filled: Store, open_store: OpenStore, make: Make, tmp_path: Path
) -> None:
    plan = make(filled, [Product(handle="mug", title="Mug 2")])
    plan.apply(filled)
    other = open_store("other")
    assert other.products.find("mug") is None  # its file is there
    for again in (plan.undo, plan.replan):
        with pytest.raises(PlanError, match="made for"):
            again(tmp_path / "other.plan", other)


def test_a_plan_that_was_changed_can_not_be_undone(
    filled: Store, make: Make, tmp_path: Path
) -> None:
    plan = make(filled, [Product(handle="mug", title="Mug 2")])
    plan.apply(filled)
    plan._file._db.execute("UPDATE changes SET before = replace(before, 'Mug', 'Junk')")
    for again in (plan.undo, plan.replan):
        with pytest.raises(PlanError, match="was changed"):
            again(tmp_path / "undo.plan", filled)


def test_undo_takes_back_what_was_accepted_otherwise(
    fake: Store, make: Make, tmp_path: Path
) -> None:
    platform = fake.adapter
    assert isinstance(platform, FakeAdapter)
    assert make(fake, [Product(handle="a", title="Tee", vendor="V", tags=("x",))]).apply(fake).ok
    plan = make(fake, [Product(handle="a", title="Tee 2", tags=("y",))])
    platform.products.spoil = lambda record: record.but(title="Tee 2!")
    assert plan.apply(fake).counts["failed"] == 1
    platform.products.spoil = None
    with plan.undo(tmp_path / "undo.plan", fake) as undo:
        assert [cause for _, cause in causes(undo)] == ["kept"]
        assert undo.apply(fake).ok
    assert (product(fake, "a").title, product(fake, "a").tags) == ("Tee 2!", ("x",))


def test_undo_says_that_an_element_within_another_can_not_be_taken_out(
    filled: Store, make: Make, tmp_path: Path
) -> None:
    price = MarketPrice(market="ch", price=Money("1", "CHF"))
    plan = make(
        filled, [Product(handle="mug", variants=(Variant(sku="MUG", market_prices=(price,)),))]
    )
    assert [change.undo for change in plan.changes()] == ["none"]
    assert plan.apply(filled).ok
    with plan.undo(tmp_path / "undo.plan", filled) as undo:
        assert causes(undo) == [("mug", "irreversible")]


def test_undo_says_what_nobody_knows(
    filled: Store, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twist = Twist(filled, monkeypatch)
    plan = make(filled, [Product(handle="mug", title="Mug 2")])
    twist.then = twist.hush
    plan.apply(filled)
    with plan.undo(tmp_path / "undo.plan", filled) as undo:
        assert causes(undo) == [("mug", "unknown")]


def test_undo_of_an_overwriting_delete_brings_back_what_was_deleted(
    filled: Store, make: Make, tmp_path: Path
) -> None:
    plan = make(filled, [SUMMER], absent="delete", where="vendor = 'Potter'", max_deletes=1)
    filled.products.update(Product(handle="mug", title="Mine"))
    assert plan.apply(filled).conflicts == 1
    assert plan.apply(filled, on_conflict="overwrite", retry_failed=True).ok
    with plan.undo(tmp_path / "undo.plan", filled) as undo:
        assert undo.apply(filled).ok
    assert product(filled, "mug").title == "Mine"


def test_undo_keeps_a_created_record_that_a_person_filled(
    filled: Store, make: Make, tmp_path: Path
) -> None:
    plan = make(filled, [Collection(handle="sale", title="Sale")])
    plan.apply(filled)
    filled.collections.update(Collection(handle="sale", description_html="<p>Ours</p>"))
    with plan.undo(tmp_path / "undo.plan", filled) as undo:
        assert causes(undo) == [("sale", "kept")]


def test_replan_of_a_refused_create_has_all_of_its_parts(
    filled: Store, make: Make, tmp_path: Path
) -> None:
    source = [mug(handle="cup", variants=(), collections=("summer",))]
    plan = make(filled, source)
    filled.products.create(Product(handle="cup", title="Theirs", status="active"))
    plan.apply(filled)
    with plan.replan(tmp_path / "again.plan", filled) as again:
        assert set(paths(again)) == {"title", "vendor", "collections"}
        assert again.counts["update"] == 1


def test_replan_leaves_out_what_was_computed_from_values_that_changed(
    filled: Store, make: Make, tmp_path: Path
) -> None:
    class Louder:
        kinds = frozenset({"product"})
        needs = frozenset({"vendor"})

        def transform(self, desired: Product, live: Product) -> tuple[Product, tuple[str, ...]]:
            return desired.but(title=f"{live.vendor} Mug"), ()

    plan = make(filled, [Product(handle="mug")], transforms=[Louder()])
    filled.products.update(Product(handle="mug", vendor="Theirs"))
    assert plan.apply(filled).conflicts == 1
    with plan.replan(tmp_path / "again.plan", filled) as again:
        assert again.is_empty
        assert [cause for _, cause in causes(again)] == ["computed"]


def test_undo_keeps_a_new_variant_of_which_a_person_changed_another_part(
    shop: Store, make: Make, tmp_path: Path
) -> None:
    def stocked(available: int) -> Product:
        level = InventoryLevel(location="Main", available=available)
        return Product(
            handle="mug", variants=(Variant(sku="BIG", options=("Big",), inventory=(level,)),)
        )

    size = Option(name="Size", values=("Small", "Big"))
    small = Variant(sku="MUG", options=("Small",), price=euro("5.00"))
    assert make(shop, [mug(options=(size,), variants=(small,))]).apply(shop).ok
    plan = make(shop, [stocked(3)])
    assert plan.apply(shop).ok
    assert shop.products.update(stocked(4)).status is Status.APPLIED
    with plan.undo(tmp_path / "undo.plan", shop) as undo:
        assert undo.is_empty
        assert set(causes(undo)) == {("mug", "kept")}


def test_a_variant_that_was_taken_out_comes_back_with_all_of_its_parts(
    shop: Store, make: Make, tmp_path: Path
) -> None:
    price = MarketPrice(market="us", price=Money("12", "USD"))
    small = tee().variants[0].but(market_prices=(price,))
    source = [tee(collections=(), media=(), variants=(small, tee().variants[1]))]
    assert make(shop, source, location="Main").apply(shop).ok
    gone = Product(handle="tee", variants=(Variant(sku="TEE-M"),), modes={"variants": "replace"})
    plan = make(shop, [gone], max_deletes=1)
    assert plan.apply(shop).ok
    with plan.undo(tmp_path / "undo.plan", shop) as undo:
        outcome = undo.apply(shop)
        assert outcome.ok, [item.message for item in outcome.items()]
        assert undo.counts["update"] == 1
    assert make(shop, source, location="Main", stock=True).is_empty


# -- many at once


def test_batches_that_run_at_once_keep_every_outcome(shop: Store, make: Make) -> None:
    source = [
        mug(handle=f"p-{n}", variants=(Variant(sku=f"S-{n}", price=euro("1.00")),), title=f"P {n}")
        for n in range(240)
    ]
    assert shop.engine.adapter.limits.concurrency > 1
    assert make(shop, source).apply(shop).counts["applied"] == 240
    assert make(shop, source).is_empty
    assert len({found.id for found in shop.products.iter()}) == 240


def test_a_record_that_was_made_before_the_lanes_were_held_is_not_doubled(fake: Store) -> None:
    platform = fake.adapter
    assert isinstance(platform, FakeAdapter)
    records, items = platform.products, fake.products
    ledger = Ledger(fake.state, records, Pictures(fake.state))
    expected: dict[Verb, Status] = {"create": Status.FAILED, "upsert": Status.APPLIED}
    for verb, status in expected.items():
        records.held.clear()
        chunk = Chunk(platform, records, verb, [Product(handle="a", title="Ours")], "EUR", ledger)
        fake.engine.run(look_up([chunk]))
        records.held["7"] = Product(id="7", handle="a", title="Theirs")
        (outcome,) = items._carry_out(chunk)
        assert (outcome.status, list(records.held)) == (status, ["7"])


# -- odd input


def test_half_a_character_is_a_problem_with_its_place(store: Store, make: Make) -> None:
    with pytest.raises(SourceError, match=r"row 1, column 'title'.*lone surrogate"):
        make(store, [Product(handle="a", title="\ud800")])


def test_an_element_named_by_a_foreign_id_alone_is_a_problem(filled: Store, make: Make) -> None:
    source = [Product(handle="tee", variants=(Variant(id="4", price=euro("1.00")),))]
    with pytest.raises(SourceError, match=r"variants\.0.*--match id"):
        make(filled, source)


@pytest.mark.parametrize("text", ["a\0b", "[", "]x[", "a.b", "x" * 70_000, "🙂", "id", "#2"])
def test_any_text_may_be_a_sku(filled: Store, make: Make, tmp_path: Path, text: str) -> None:
    source = [mug(handle="odd", variants=(Variant(sku=text, price=euro("1.00")),))]
    assert make(filled, source).apply(filled).ok
    assert make(filled, source).is_empty
    edit = [Product(handle="odd", variants=(Variant(sku=text, price=euro("2.00")),))]
    plan = make(filled, edit)
    assert plan.apply(filled).ok
    with plan.undo(tmp_path / "undo.plan", filled, fields=("price",)) as undo:
        assert undo.apply(filled).ok
    assert product(filled, "odd").variants[0].price == euro("1.00")
