"""Guards: what stands between a broken source and a store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storebridge import Store
from storebridge.errors import PlanError, Refused
from storebridge.models import (
    Collection,
    InventoryLevel,
    MarketPrice,
    Money,
    Option,
    Product,
    Sale,
    Variant,
)
from storebridge.plan import GuardResult, Plan
from storebridge.report import write as write_report
from tests.records import CATALOGUE, euro, mug, tee

Make = Callable[..., Plan]
COUNT = 20


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


def stocked(number: int, **fields: Any) -> Product:
    """Return a product of two sizes, three of each in stock."""
    variants = tuple(
        Variant(
            sku=f"{number}-{size}",
            options=(size,),
            price=euro("10.00"),
            inventory=(InventoryLevel(available=3),),
        )
        for size in "SM"
    )
    sizes = (Option(name="Size", values=("S", "M")),)
    known = {"vendor": "Acme" if number < 10 else "Other", "status": "active"}
    return Product(
        **{"handle": f"p{number}", "title": f"P {number}", **known, **fields},
        options=sizes,
        variants=variants,
    )


@pytest.fixture
def shop(store: Store, tmp_path: Path) -> Store:
    """A store of twenty products, ten of them by Acme."""
    with store.plan(map(stocked, range(COUNT)), tmp_path / "fill.plan") as plan:
        assert plan.apply(store).ok
    return store


def refused(make: Make, *arguments: Any, **options: Any) -> str:
    with pytest.raises(Refused) as caught:
        make(*arguments, **options)
    assert caught.value.exit_code == 5
    return str(caught.value)


def sold_out(sku: str) -> Product:
    return Product(variants=(Variant(sku=sku, inventory=(InventoryLevel(available=0),)),))


def measured(plan: Plan) -> dict[str, str]:
    assert all(found.ok for found in plan.guards())
    return {found.guard: found.measured for found in plan.guards()}


def drafts(count: int) -> list[Product]:
    return [Product(handle=f"p{n}", status="draft") for n in range(count)]


# -- the source


@pytest.mark.parametrize("rows", [[], iter(())])
def test_an_empty_source_is_always_refused(filled: Store, make: Make, rows: Any) -> None:
    text = refused(make, filled, rows, min_rows=0)
    assert "records is empty" in text


def test_an_edit_that_matches_nothing_is_no_empty_source(filled: Store, make: Make) -> None:
    plan = make(filled, filled, where="vendor = 'Nobody'", transforms=[lambda new, _: new])
    assert plan.is_empty


def test_a_source_with_too_few_rows_is_refused_and_leaves_no_file(
    filled: Store, make: Make, tmp_path: Path
) -> None:
    text = refused(make, filled, [mug(), tee()], min_rows=3)
    assert "--min-rows 3: the source has 2 rows" in text
    assert "If that is meant: --min-rows 2" in text
    assert [path.name for path in tmp_path.glob("*.plan")] == ["fill.plan"]
    assert measured(make(filled, [mug(), tee()], min_rows=2))["min_rows"] == "2"


def test_each_sku_of_a_feed_is_a_row(filled: Store, make: Make) -> None:
    feed = [Product(variants=(Variant(sku="TEE-S"), Variant(sku="TEE-M")))]
    assert measured(make(filled, feed, min_rows=2))["min_rows"] == "2"


def test_an_old_file_is_refused(filled: Store, make: Make, tmp_path: Path) -> None:
    path = tmp_path / "feed.csv"
    path.write_text("sku,price\nMUG,6.00\n", encoding="utf-8")
    then = time.time() - 30 * 3600
    os.utime(path, (then, then))
    text = refused(make, filled, path, max_age="1d")
    assert "--max-age 1d: feed.csv is of" in text
    remedy = text.rpartition("--max-age ")[2]
    assert remedy in ("30h", "31h")
    assert measured(make(filled, path, max_age="31h")).keys() >= {"max_age"}
    assert measured(make(filled, [mug()], max_age="1s"))["max_age"] == "read now"


# -- emptied


def test_a_share_that_is_drafted_is_refused_with_its_rows(shop: Store, make: Make) -> None:
    text = refused(make, shop, drafts(12))
    assert "--max-emptied 20%: 12 of 20 products in scope, 60%, would be archived, drafted" in text
    assert "records, row 1: product p0: active -> draft" in text
    assert text.count("active -> draft") == 10
    assert "... and 2 more" in text
    assert text.endswith("If that is meant: --max-emptied 60%")
    plan = make(shop, drafts(12), max_emptied="60%")
    assert measured(plan)["max_emptied"] == "12 of 20 products in scope, 60%"


def test_up_to_five_products_are_never_too_large_a_share(filled: Store, make: Make) -> None:
    gone = [Product(handle=handle, status="archived") for handle in ("tee", "mug")]
    assert measured(make(filled, gone))["max_emptied"] == "2"
    text = refused(make, filled, gone, max_emptied="0%")
    assert "--max-emptied 0%: 2 of 2 products" in text


def test_five_are_few_and_six_of_twenty_are_not(shop: Store, make: Make) -> None:
    assert measured(make(shop, drafts(5)))["max_emptied"] == "5"
    assert "6 of 20 products in scope, 30%" in refused(make, shop, drafts(6))


def test_only_active_products_can_be_drafted(shop: Store, make: Make) -> None:
    assert make(shop, drafts(12), max_emptied="").apply(shop).ok
    archived = [Product(handle=f"p{n}", status="archived") for n in range(12)]
    assert measured(make(shop, archived))["max_emptied"] == "none"


def test_a_feed_of_zeros_is_refused_though_each_row_is_one_variant(shop: Store, make: Make) -> None:
    feed = [sold_out(f"{n}-{size}") for n in range(8) for size in "SM"]
    text = refused(make, shop, feed, stock=True)
    assert "8 of 20 products in scope, 40%" in text
    assert "product p0: stock 6 -> 0" in text
    half = [sold_out(f"{n}-S") for n in range(COUNT)]
    assert measured(make(shop, half, stock=True))["max_emptied"] == "none"
    assert measured(make(shop, feed))["max_emptied"] == "none", "stock isn't set without --stock"


def test_stock_that_comes_back_elsewhere_is_not_lost(store: Store, make: Make) -> None:
    level = InventoryLevel(available=0)
    empty = [stocked(n).variants[1].but(inventory=(level,)) for n in range(8)]
    source = [stocked(n).but(variants=(stocked(n).variants[0], empty[n])) for n in range(8)]
    assert make(store, source).apply(store).ok
    swap = [sold_out(f"{n}-S") for n in range(8)]
    full = InventoryLevel(available=1)
    swap += [Product(variants=(Variant(sku=f"{n}-M", inventory=(full,)),)) for n in range(8)]
    assert measured(make(store, swap, stock=True))["max_emptied"] == "none"


def test_a_share_is_one_of_the_scope(shop: Store, make: Make) -> None:
    kept = [stocked(n) for n in range(4)]
    options = {"where": "vendor = 'Acme'", "absent": "archive"}
    text = refused(make, shop, kept, **options)
    assert "6 of 10 products in scope, 60%" in text
    assert "not in records: product p4: active -> archived" in text
    plan = make(shop, kept, **options, max_emptied="60%")
    assert plan.absent == {"products": 6, "variants": 0}


def test_an_edit_is_measured_by_the_whole_store(shop: Store, make: Make) -> None:
    def drafted(new: Product, _live: Product) -> Product:
        return new.but(status="draft")

    options = {"where": "vendor = 'Acme'", "transforms": [drafted]}
    assert "10 of 20 products in scope, 50%" in refused(make, shop, shop, **options)
    assert make(shop, shop, **options, max_emptied="50%").counts["update"] == 10


# -- changed


def test_a_share_that_is_changed_is_refused(shop: Store, make: Make) -> None:
    source = [Product(handle=f"p{n}", title="X", vendor="V") for n in range(7)]
    text = refused(make, shop, source, max_changed="30%")
    assert "--max-changed 30%: 7 of 20 products in scope, 35%, would be changed" in text
    assert "records, row 1: product p0: title P 0 -> X, and 1 field more" in text
    assert measured(make(shop, source, max_changed="35%"))["max_changed"].startswith("7 of 20")


def test_created_products_are_no_share_of_the_store(shop: Store, make: Make) -> None:
    source = [stocked(n) for n in range(COUNT, 60)]
    assert measured(make(shop, source, max_changed="1%"))["max_changed"] == "none"


# -- deletes


def test_deletes_have_to_be_counted_beforehand(filled: Store, make: Make, tmp_path: Path) -> None:
    lines = [
        '{"storebridge": "jsonl", "version": 1}',
        '{"kind": "collection", "handle": "summer", "delete": true}',
        '{"kind": "product", "handle": "tee", "modes": {"variants": "replace"},'
        ' "variants": [{"sku": "TEE-S"}]}',
        '{"kind": "product", "handle": "mug", "delete": true}',
    ]
    path = tmp_path / "gone.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    text = refused(make, filled, path)
    assert "--max-deletes 0: 3 would be deleted" in text
    assert "gone.jsonl, row 2: collection summer: deleted" in text
    assert "gone.jsonl, row 3: product tee: variant TEE-M deleted" in text
    assert text.endswith("If that is meant: --max-deletes 3")
    assert "--max-deletes 2: 3 would" in refused(make, filled, path, max_deletes=2)
    assert measured(make(filled, path, max_deletes=3))["max_deletes"] == "3"


def test_undo_and_replan_are_not_guarded(filled: Store, make: Make, tmp_path: Path) -> None:
    new = [Collection(handle=f"c{n}", title="C") for n in range(3)]
    plan = make(filled, new)
    assert plan.apply(filled).ok
    with plan.undo(tmp_path / "undo.plan", filled) as undo:
        assert undo.counts["delete"] == 3
        assert undo.guards() == ()
        assert undo.apply(filled).ok


# -- prices


def priced(sku: str, **fields: Any) -> Product:
    return Product(variants=(Variant(sku=sku, **fields),))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"price": euro("100.00")}, "price 10.00 EUR -> 100.00 EUR"),
        ({"price": euro("1.00")}, "price 10.00 EUR -> 1.00 EUR"),
        ({"price": euro("19.99")}, "price 10.00 EUR -> 19.99 EUR"),
        ({"price": None}, "price 10.00 EUR -> nothing"),
        ({"sale": Sale(price=euro("1.00"))}, "sale.price 10.00 EUR -> 1.00 EUR"),
    ],
)
def test_a_price_that_moves_too_far_is_refused(
    shop: Store, make: Make, fields: dict[str, Any], said: str
) -> None:
    source = [priced("0-S", **fields), priced("1-S", price=euro("12.00"))]
    text = refused(make, shop, source, max_price_move="50%")
    assert "--max-price-move 50%: 1 price would move further" in text
    assert f"records, row 1: product p0: variants[0-S].{said}" in text
    assert "p1" not in text
    enough = text.rpartition("--max-price-move ")[2]
    assert make(shop, source, max_price_move=enough).counts["update"] == 2


def test_a_price_may_move_as_far_as_the_limit(shop: Store, make: Make) -> None:
    source = [priced("0-S", price=euro("15.00")), priced("1-S", price=euro("5.00"))]
    plan = make(shop, source, max_price_move="50%")
    assert measured(plan)["max_price_move"] == "50%"
    assert "max_price_move" not in measured(make(shop, source))


def test_a_price_instead_of_nothing_moves_beyond_measure(shop: Store, make: Make) -> None:
    assert make(shop, [priced("0-S", price=euro("0.00"))]).apply(shop).ok
    text = refused(make, shop, [priced("0-S", price=euro("5.00"))], max_price_move="900%")
    assert "plan without --max-price-move" in text


def test_the_price_of_a_market_is_guarded(shop: Store, make: Make) -> None:
    def swiss(amount: str) -> list[Product]:
        price = MarketPrice(market="ch", price=Money(amount, "CHF"))
        return [priced("0-S", market_prices=(price,))]

    plan = make(shop, swiss("20.00"), max_price_move="10%")
    assert measured(plan)["max_price_move"] == "none", "a new market's price moves nothing"
    assert plan.apply(shop).ok
    text = refused(make, shop, swiss("2.00"), max_price_move="10%")
    assert "variants[0-S].market_prices[ch].price 20.00 CHF -> 2.00 CHF" in text


# -- together, and what is kept


def test_every_guard_that_is_broken_is_told(shop: Store, make: Make, tmp_path: Path) -> None:
    source = [*drafts(12), *(Product(handle=f"p{n}", title="X") for n in range(12, 20))]
    text = refused(make, shop, source, max_changed="50%")
    assert "--max-emptied 20%" in text
    assert "--max-changed 50%" in text
    assert [path.name for path in tmp_path.glob("*.plan")] == ["fill.plan"]


def test_what_the_guards_found_is_sealed_and_shown(
    filled: Store, make: Make, tmp_path: Path
) -> None:
    plan = make(filled, [mug(title="Cup")], min_rows=1)
    assert plan.guards() == (
        GuardResult("min_rows", "1", "1", ok=True),
        GuardResult("max_emptied", "20%", "none", ok=True),
        GuardResult("max_deletes", "0", "none", ok=True),
    )
    for suffix in ("html", "md"):
        page = tmp_path / f"report.{suffix}"
        write_report([plan.path], page)
        assert "--min-rows 1 (1), --max-emptied 20% (none)" in page.read_text(encoding="utf-8")


# -- four eyes


def test_a_plan_is_applied_only_under_the_digest_that_was_read(filled: Store, make: Make) -> None:
    plan = make(filled, [mug(title="Cup")])
    for wrong in ("0" * 64, plan.digest[:11], plan.digest[1:], plan.digest + "0"):
        with pytest.raises(Refused, match="digest"):
            plan.apply(filled, digest=wrong)
    assert not plan.report().counts["applied"]
    assert plan.apply(filled, digest=plan.digest[:12].upper()).ok
    assert plan.apply(filled, digest=plan.digest).ok


# -- warnings


def test_warnings_are_sealed_with_the_plan(tmp_path: Path, filled: Store) -> None:
    from storebridge.plan.file import PlanFile

    path = tmp_path / "warned.plan"
    with filled.plan(CATALOGUE, tmp_path / "plain.plan") as plan:
        assert list(plan.warnings()) == []
        about, counts = plan.about, plan.counts
    with PlanFile.making(path) as file:
        file.put_meta(**about, counts=counts)
        file.add_warning("3 of MUG were sold since 09:00")
        file.add_warning("<b>the feed is old</b>")
    file.close()
    with Plan.open(path) as plan:
        assert list(plan.warnings()) == ["3 of MUG were sold since 09:00", "<b>the feed is old</b>"]
    for suffix, said in (("html", "&lt;b&gt;the feed is old"), ("md", "3 of MUG were sold since")):
        page = tmp_path / f"report.{suffix}"
        write_report([path], page)
        assert said in page.read_text(encoding="utf-8")
    file = PlanFile.open(path)
    file._db.execute("UPDATE warnings SET text = 'nothing' WHERE seq = 1")
    with pytest.raises(PlanError, match="was changed after it was made"):
        file.check_seal()
    file.close()
