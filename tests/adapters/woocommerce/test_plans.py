"""Whole plans against the sandbox: files in, nothing left to do, taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import storebridge
from storebridge.engine import RequestSent
from storebridge.flow import Status
from storebridge.models import Metafield, Product, Variant

_EXAMPLE = Path(__file__).parents[3] / "examples" / "catalogue.csv"
_SHEET = """\
Type,SKU,Name,Published,Is featured?,Description,Regular price,Sale price,Date sale price ends,\
Stock,Backorders allowed?,Weight (kg),Categories,Tags,Brands,Parent,Grouped products,\
Attribute 1 name,Attribute 1 value(s),Attribute 1 visible,Attribute 1 global,Purchase note
simple,MUG,"Mug & <b>co</b>",1,1,"<p>C:\\\\dir</p>",12.00,9.00,,7,notify,0.4,"Kitchen > Cups",\
"new, blue",Acme,,,,,,,"a\\\\b"
variable,TEE,Tee,1,0,<p>Tee</p>,,,,,,,Clothing,,,,,Size,"S, M",1,1,
variation,TEE-S,,1,,,20,15,2031-01-31,3,0,,,,,TEE,,Size,S,,1,
variation,TEE-M,,1,,,20,,,,0,,,,,TEE,,Size,M,,1,
grouped,SET,Set,1,0,,,,,,,,,,,,"MUG, CAP",,,,,
simple,CAP,Cap,-1,0,,5,,,,,,,,,,,,,,,
"""


@pytest.fixture
def asked() -> Counter[str]:
    """How often each request was sent."""
    return Counter()


@pytest.fixture
def store(tmp_path: Path, asked: Counter[str]) -> Iterator[Any]:
    def note(event: Any) -> None:
        if isinstance(event, RequestSent):
            asked[f"{event.method} {event.path}"] += 1

    made = storebridge.open(
        "sandbox:woocommerce?memory", state=tmp_path / "state", on_event=note, batch_size=10
    )
    with made as opened:
        yield opened


def _file(folder: Path, text: str) -> Path:
    path = folder / "catalogue.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_woocommerce_file_is_applied_and_nothing_is_left(store: Any, tmp_path: Path) -> None:
    source = _file(tmp_path, _SHEET)
    plan = store.plan(source, tmp_path / "first.plan")
    report = plan.apply()
    assert report.counts["applied"] == report.planned, report
    assert store.plan(source, tmp_path / "second.plan").is_empty
    live = {product.sku: product for product in store.products.iter()}
    assert live["MUG"].title == "Mug & <b>co</b>"
    assert live["MUG"].collections == ("cups",)
    assert live["TEE"].variants[0].sale is not None
    assert live["CAP"].status == "draft"
    grouped = live["SET"].platform_fields["woocommerce"]["grouped_products"]
    assert grouped == ["sku:MUG", "sku:CAP"]


def test_a_shopify_file_is_applied_and_taken_back(store: Any, tmp_path: Path) -> None:
    plan = store.plan(_EXAMPLE, tmp_path / "first.plan")
    report = plan.apply()
    assert report.counts["applied"] == report.planned, report
    assert store.plan(_EXAMPLE, tmp_path / "second.plan").is_empty
    undone = plan.undo(tmp_path / "undo.plan").apply()
    assert undone.counts["applied"] == undone.planned, undone
    assert {product.status for product in store.products.iter()} == {"private"}


def test_new_products_are_looked_for_by_sku_before_they_are_sent(
    store: Any, tmp_path: Path, asked: Counter[str]
) -> None:
    rows = "".join(f"p-{n},Product {n},S-{n},5,active\n" for n in range(30))
    header = "Handle,Title,Variant SKU,Variant Price,Status\n"
    there = "".join(f"q-{n},Old {n},T-{n},5,active\n" for n in range(210))
    store.plan(_file(tmp_path, f"{header}{there}"), tmp_path / "old.plan").apply()
    plan = store.plan(_file(tmp_path, f"{header}{rows}"), tmp_path / "a.plan")
    asked.clear()
    plan.apply()
    assert asked == {"GET /products": 3, "POST /products/batch": 3}


def _products(start: str, count: int) -> Iterator[Product]:
    for number in range(count):
        yield Product(
            handle=f"{start}-{number}",
            title=f"Product {number}",
            variants=(Variant(sku=f"{start}-{number}"),),
        )


def test_new_products_are_looked_for_together_before_they_are_made(
    store: Any, asked: Counter[str]
) -> None:
    assert {o.status for o in store.products.create_many(_products("old", 210))} == {"applied"}
    asked.clear()
    assert {o.status for o in store.products.create_many(_products("new", 60))} == {"applied"}
    # Two looks in three pages of slugs; one by SKU, and then one just before each batch of ten.
    assert asked == {"GET /products": 2 * 3 + 1 + 6, "POST /products/batch": 6}


def test_few_products_are_not_looked_for_by_reading_a_large_shop(
    store: Any, tmp_path: Path, asked: Counter[str]
) -> None:
    assert {o.status for o in store.products.create_many(_products("old", 310))} == {"applied"}
    asked.clear()
    assert store.plan([*_products("old", 25)], tmp_path / "a.plan").is_empty
    assert asked == {"GET /products": 2}  # the first page says how many there are
    asked.clear()
    assert store.plan([*_products("old", 40)], tmp_path / "b.plan").is_empty
    assert asked == {"GET /products": 4}  # four pages, and nothing else


def test_what_the_server_filters_is_in_the_fit_report(store: Any, tmp_path: Path) -> None:
    text = 'Type,SKU,Name,Published,Description\nsimple,A,A,1,"<p>x</p><script>y</script>"\n'
    plan = store.plan(_file(tmp_path, text), tmp_path / "a.plan")
    assert any("<script>" in str(line) for line in plan.fit())
    plan.apply()
    [product] = store.products.iter()
    assert product.description_html == "<p>x</p>y"


def test_what_only_variations_have_is_in_the_fit_report(store: Any, tmp_path: Path) -> None:
    note = Metafield(namespace="own", key="note", value="1")
    variant = Variant(sku="A", status="draft", description_html="Warm", metafields=(note,))
    source = [Product(handle="a", title="A", options=(), variants=(variant,)),
              Product(handle="b", title="B", options=(), variants=(Variant(sku="B"),))]  # fmt: skip
    plan = store.plan(source, tmp_path / "a.plan")
    names = ("description_html", "metafields", "status")
    assert [(each.label, each.field) for each in plan.fit()] == [
        ("a", f"variants.{name}") for name in names
    ]
    assert plan.apply().ok


def test_planning_many_products_lists_the_shop_once(
    store: Any, tmp_path: Path, asked: Counter[str]
) -> None:
    rows = "".join(f"simple,S-{n},Product {n},1,5\n" for n in range(520))
    source = _file(tmp_path, f"Type,SKU,Name,Published,Regular price\n{rows}")
    store.plan(source, tmp_path / "a.plan").apply()
    asked.clear()
    assert store.plan(source, tmp_path / "b.plan").is_empty
    assert asked == {"GET /products": 6}


def test_a_product_groups_others_that_come_in_later_batches(store: Any, tmp_path: Path) -> None:
    members = "".join(f"simple,P-{n},Product {n},1,5,\n" for n in range(25))
    text = f"Type,SKU,Name,Published,Regular price,Grouped products\n{{}}{members}"
    source = _file(tmp_path, text.format('grouped,SET,Set,1,,"P-3, P-24"\n'))
    report = store.plan(source, tmp_path / "a.plan").apply()
    assert report.counts["applied"] == report.planned, report
    assert store.plan(source, tmp_path / "b.plan").is_empty
    rows = 'grouped,SET,Set,1,,"P-3, NEW"\nsimple,NEW,New,1,5,\n'
    changed = _file(tmp_path, text.format(rows))
    again = store.plan(changed, tmp_path / "c.plan").apply()
    assert (again.counts["applied"], again.counts["failed"]) == (2, 0)


_DATA = """\
Type,SKU,Name,Published,Weight (lbs),Length (in),Width (in),Height (in),Parent,Images,Position,\
Regular price,Attribute 1 name,Attribute 1 value(s),Attribute 1 global,Attribute 2 name,\
Attribute 2 value(s),Attribute 2 global
variable,tee,V-Neck,1,.5,24,1,2,,"https://cdn.example.com/a.jpg, https://cdn.example.com/b.jpg",0,,\
Color,"Blue, Red",1,Size,"L, M",1
variation,tee-red,V-Neck - Red,1,,,,,tee,https://cdn.example.com/b.jpg,0,20,Color,Red,1,Size,,1
variation,tee-blue,Something Else,1,,,,,tee,https://cdn.example.com/c.jpg,1,20,Color,Blue,1,Size,L,1
"""


def test_what_a_parent_and_its_variations_look_like_is_kept(store: Any, tmp_path: Path) -> None:
    source = _file(tmp_path, _DATA)
    plan = store.plan(source, tmp_path / "a.plan")
    [fit] = plan.fit()  # the other title is the one that WooCommerce makes
    assert fit.field == "variants.title"
    report = plan.apply()
    assert report.counts["applied"] == report.planned, report
    [product] = store.products.iter()
    own = product.platform_fields["woocommerce"]
    assert (own["weight"], own["weight_unit"]) == ("0.5", "lb")
    assert [own[side] for side in ("length", "width", "height")] == ["24", "1", "2"]
    red, blue = product.variants
    assert red.media == (product.media[1].url,)
    assert blue.media[0] not in {item.url for item in product.media}
    assert store.plan(source, tmp_path / "b.plan").is_empty


def test_a_weight_that_is_none_is_refused_before_it_is_sent(store: Any, tmp_path: Path) -> None:
    own = {"weight": "heavy", "type": "grouped"}
    outcome = store.products.create(
        Product(handle="set", title="Set", platform_fields={"woocommerce": own})
    )
    assert outcome.status is Status.FAILED
    assert "'heavy' is no weight" in outcome.message


def test_a_parents_size_is_written_in_the_shops_units(tmp_path: Path) -> None:
    where = "sandbox:woocommerce?memory&woocommerce_weight_unit=kg&woocommerce_dimension_unit=cm"
    with storebridge.open(where, state=tmp_path / "state") as metric:
        source = _file(tmp_path, _DATA)
        metric.plan(source, tmp_path / "a.plan").apply()
        [product] = metric.products.iter()
        own = product.platform_fields["woocommerce"]
        assert (own["weight"], own["weight_unit"]) == ("0.226796", "kg")
        assert [own[side] for side in ("length", "width", "height")] == ["60.96", "2.54", "5.08"]
        assert metric.plan(source, tmp_path / "b.plan").is_empty


def test_products_that_name_each_other_are_deleted_together(store: Any, tmp_path: Path) -> None:
    """In the trash a product has another slug: what names it names nobody, and has not changed."""
    linked = [
        Product(handle=f"p-{n}", title=f"P {n}", upsells=(f"handle:p-{n - 1}",) if n else ())
        for n in range(25)
    ]
    assert store.plan(linked, tmp_path / "made.plan").apply().ok
    kept = Product(handle="p-24", title="P 24")
    scope = {"where": "title != ''", "absent": "delete", "max_deletes": 99, "max_emptied": ""}
    plan = store.plan([kept], tmp_path / "gone.plan", **scope)
    report = plan.apply()
    assert report.ok, list(report.items("skipped", "failed", "unknown"))
    [left] = store.products.iter()
    assert (left.handle, left.upsells) == ("p-24", ())


def test_a_simple_products_own_weight_is_its_variants(store: Any, tmp_path: Path) -> None:
    """It would be planned each time: what reads back is the variant's weight."""
    own = {"woocommerce": {"weight": "2", "length": "3", "purchase_note": "kept"}}
    wanted = [Product(handle="a", title="A", variants=(Variant(sku="A"),), platform_fields=own)]
    plan = store.plan(wanted, tmp_path / "a.plan")
    names = ("platform_fields.woocommerce.length", "platform_fields.woocommerce.weight")
    assert tuple(line.field for line in plan.fit()) == names
    assert plan.apply().ok
    assert store.plan(wanted, tmp_path / "b.plan").is_empty
    [live] = store.products.iter()
    assert live.variants[0].weight is None
    assert live.platform_fields["woocommerce"]["purchase_note"] == "kept"
    [outcome] = store.products.update_many([Product(id=live.id, platform_fields=own)])
    assert (outcome.status, outcome.cause) == (Status.FAILED, "rejected")
    assert "in its variant" in outcome.message
