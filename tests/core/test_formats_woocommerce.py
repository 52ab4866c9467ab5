from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storebridge.errors import Problem
from storebridge.formats import Context, Loss, Sourced, read, write
from storebridge.models import (
    Attribute,
    Collection,
    Dimensions,
    Download,
    InventoryLevel,
    Length,
    Media,
    Metafield,
    Money,
    Option,
    Product,
    Record,
    Sale,
    Variant,
    Weight,
)

DATA = Path(__file__).parents[1] / "data" / "woocommerce-products.csv"
BERLIN = Context(currency="EUR", time_zone="Europe/Berlin")
FORMAT = "woocommerce-csv"


def records(path: Path, context: Context = BERLIN) -> list[Record]:
    items = list(read(path, context, FORMAT))
    assert [item for item in items if isinstance(item, Problem)] == []
    return [item.record for item in items if isinstance(item, Sourced)]


def product(title: str) -> Product:
    (found,) = [r for r in records(DATA) if isinstance(r, Product) and r.title == title]
    return found


def read_text(tmp_path: Path, text: str, context: Context = BERLIN) -> list[Record]:
    (tmp_path / "a.csv").write_text(text, "utf-8")
    return records(tmp_path / "a.csv", context)


def header(path: Path) -> str:
    return path.read_text("utf-8-sig").splitlines()[0]


def test_variations_come_with_their_parent_wherever_they_stand() -> None:
    bench = product("Garden Bench")
    assert bench.id == "20"
    assert bench.sku == "bench"
    assert bench.featured is True
    assert [(v.id, v.sku, v.options) for v in bench.variants] == [
        ("21", "bench-oak-l", ("Oak", "Long")),
        ("22", "bench-larch", ("Larch", "")),
    ]
    assert [variant.status for variant in bench.variants] == ["active", "private"]
    assert [variant.id for variant in product("Rain Barrel").variants] == ["44", "45"]


def test_attributes_that_vary_are_options() -> None:
    bench = product("Garden Bench")
    assert [(option.name, option.values) for option in bench.options] == [
        ("Wood", ("Oak", "Larch")),
        ("Length", ("Long", "Short")),
    ]
    flags = bench.options[0].platform_fields["woocommerce"]
    assert flags == {"global": True, "default": "Oak", "visible": True}
    assert bench.attributes == (
        Attribute(
            name="Made in",
            values=("Tirol, Austria",),
            visible=True,
            platform_fields={"woocommerce": {"global": False}},
        ),
    )


def test_prices_are_in_two_price_form() -> None:
    oak, larch = product("Garden Bench").variants
    assert (oak.price, oak.compare_at_price) == (Money(299, "EUR"), Money(349, "EUR"))
    assert larch.price == Money(289, "EUR")
    assert "compare_at_price" not in larch.given
    (oil,) = product("Wood Oil").variants
    assert oil.price == Money("18.90", "EUR")
    assert oil.sale == Sale(
        price=Money("15.90", "EUR"),
        starts_at=datetime(2026, 3, 31, 22, tzinfo=UTC),
        ends_at=datetime(2026, 4, 30, 21, 59, 59, tzinfo=UTC),
    )


def test_a_day_lasts_until_its_end(tmp_path: Path) -> None:
    text = "SKU,Sale price,Regular price,Date sale price starts,Date sale price ends\n"
    (a,) = read_text(
        tmp_path, text + "A,8,9,2026-01-01,2026-01-31\n", Context("EUR", time_zone="UTC")
    )
    assert isinstance(a, Product)
    assert a.variants[0].sale == Sale(
        price=Money(8, "EUR"),
        starts_at=datetime(2026, 1, 1, tzinfo=UTC),
        ends_at=datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC),
    )


def test_stock_says_whether_it_is_counted(tmp_path: Path) -> None:
    (oil,) = product("Wood Oil").variants
    assert oil.inventory == (InventoryLevel(available=120),)
    assert oil.tracked is True
    assert oil.oversell is True
    assert oil.platform_fields["woocommerce"]["backorders"] == "notify"
    assert product("Garden Bench").variants[1].tracked is False
    text = "SKU,Type,Stock,Parent,Attribute 1 name,Attribute 1 value(s)\np,variable,9,,S,x\n"
    (shirt,) = read_text(tmp_path, text + ",variation,parent,p,S,x\n")
    assert isinstance(shirt, Product)
    assert "tracked" not in shirt.variants[0].given
    assert shirt.variants[0].platform_fields["woocommerce"] == {"manage_stock": "parent"}
    assert shirt.platform_fields["woocommerce"] == {"stock_quantity": 9}


def test_category_paths_are_collections_before_the_product_that_names_them() -> None:
    found = records(DATA)
    bench = next(i for i, r in enumerate(found) if isinstance(r, Product))
    assert found[:bench] == [
        Collection(handle="garden", title="Garden"),
        Collection(handle="garden-furniture", title="Furniture", parent="garden"),
        Collection(handle="benches", title="Benches", parent="garden-furniture"),
        Collection(handle="sale", title="Sale"),
        Collection(handle="home", title="Home"),
        Collection(handle="home-furniture", title="Furniture", parent="home"),
    ]
    first = found[bench]
    assert isinstance(first, Product)
    assert first.collections == ("benches", "sale", "home-furniture")
    handles = [r.handle for r in found if isinstance(r, Collection)]
    assert len(handles) == len(set(handles))


def test_categories_whose_slugs_collide_stay_apart(tmp_path: Path) -> None:
    text = 'SKU,Categories\nA,"A B, A-B, X > A B, R\\, S > T"\n'
    found = read_text(tmp_path, text)
    collections = [r for r in found if isinstance(r, Collection)]
    assert [c.title for c in collections] == ["A B", "A-B", "X", "A B", "R, S", "T"]
    assert len({c.handle for c in collections}) == 6
    write(tmp_path / "b.csv", found, BERLIN, FORMAT)
    assert records(tmp_path / "b.csv") == found


def test_the_other_types_are_read() -> None:
    grouped = product("Garden Set")
    assert grouped.sku == "garden-set"
    assert "variants" not in grouped.given
    assert grouped.platform_fields["woocommerce"]["grouped_products"] == ["sku:bench", "sku:oil-1"]
    external = product("Book of Plans")
    assert external.variants[0].sku == "plan-book"
    assert external.variants[0].taxable is False
    assert external.platform_fields["woocommerce"]["type"] == "external"
    assert external.platform_fields["woocommerce"]["external_url"].startswith("https://books")
    (pdf,) = product("Bench Plan (PDF)").variants
    assert pdf.virtual
    assert pdf.downloadable
    assert pdf.downloads == (
        Download(id="a1b2", name="Plan", url="https://shop.example.org/files/plan.pdf"),
    )
    assert pdf.platform_fields["woocommerce"]["download_limit"] == 3


def test_the_rest_is_kept() -> None:
    bench = product("Garden Bench")
    assert bench.description_html == (
        "Oiled twice.\nStands outside all year.\n\nWrite \\n for a break."
    )
    assert bench.brand == "Holzwerk"
    assert bench.cross_sells == ("sku:oil-1", "id:40")
    assert len(bench.media) == 2
    assert bench.metafields == (
        Metafield(namespace="woocommerce", key="_supplier_code", value="HW-7"),
    )
    own = bench.platform_fields["woocommerce"]
    assert (own["weight"], own["weight_unit"], own["shipping_class"]) == ("20", "kg", "Bulky")
    assert own["columns"] == {"Swatch style": "round"}
    assert bench.variants[0].weight == Weight(value=Decimal("24.5"), unit="kg")
    assert product("Wood Oil").variants[0].barcodes == ("4006381333948",)


def test_units_stand_in_the_header(tmp_path: Path) -> None:
    (a,) = read_text(tmp_path, "SKU,Weight (lbs),Length (in),Width (in)\nA,.5,24,1.50\n")
    assert isinstance(a, Product)
    assert a.variants[0].weight == Weight(value=Decimal("0.5"), unit="lb")
    assert a.variants[0].dimensions == Dimensions(
        length=Length(value=Decimal(24), unit="in"), width=Length(value=Decimal("1.5"), unit="in")
    )
    write(tmp_path / "b.csv", [a], BERLIN, FORMAT)
    assert "Weight (lbs)" in header(tmp_path / "b.csv")
    assert records(tmp_path / "b.csv") == [a]


def test_a_file_has_one_unit_and_others_are_converted(tmp_path: Path) -> None:
    source = [
        Product(
            title=unit,
            variants=(
                Variant(sku=unit, weight=Weight.model_validate({"value": value, "unit": unit})),
            ),
        )
        for unit, value in (("kg", Decimal(1)), ("g", Decimal(250)), ("lb", Decimal(1)))
    ]
    assert write(tmp_path / "a.csv", source, BERLIN, FORMAT) == []
    weights = [r.variants[0].weight for r in records(tmp_path / "a.csv") if isinstance(r, Product)]
    assert [w and w.value for w in weights] == [1, Decimal("0.25"), Decimal("0.45359237")]
    source.insert(
        0, Product(title="oz", variants=(Variant(weight=Weight(value=Decimal(1), unit="oz")),))
    )
    losses = write(tmp_path / "a.csv", source, BERLIN, FORMAT)
    assert {loss.field for loss in losses} == {"variants.weight (rounded)"}


def test_translated_headers_are_mapped(tmp_path: Path) -> None:
    text = "Artikelnummer,Name,Regulärer Preis,Gewicht (kg)\nA,Hemd,9.90,1\n"
    names = {
        "Artikelnummer": "SKU",
        "Regulärer Preis": "Regular price",
        "Gewicht (kg)": "Weight (kg)",
    }
    (a,) = read_text(tmp_path, text, Context(currency="EUR", headers=names))
    assert isinstance(a, Product)
    assert a.variants[0].price == Money("9.90", "EUR")
    assert a.variants[0].weight == Weight(value=Decimal(1), unit="kg")
    (tmp_path / "b.csv").write_text(text.replace("9.90", "x"), "utf-8")
    (problem,) = [
        i for i in read(tmp_path / "b.csv", Context(headers=names)) if isinstance(i, Problem)
    ]
    assert problem.column == "Regulärer Preis"
    (tmp_path / "b.csv").write_text("Artikelnummer,Bezeichnung\nA,B\n", "utf-8")
    (problem,) = [i for i in read(tmp_path / "b.csv", BERLIN, FORMAT) if isinstance(i, Problem)]
    assert "--header" in problem.remedy


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_a_file_round_trips(tmp_path: Path, suffix: str) -> None:
    source = records(DATA)
    out = tmp_path / f"out.{suffix}"
    assert write(out, iter(source), BERLIN, FORMAT) == []
    assert records(out) == source
    if suffix == "csv":
        assert out.read_bytes().startswith(b"\xef\xbb\xbf")


def test_writing_is_stable(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", records(DATA), BERLIN, FORMAT)
    write(tmp_path / "2.csv", records(tmp_path / "1.csv"), BERLIN, FORMAT)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()


def test_columns_are_in_the_exporters_order(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", records(DATA), BERLIN, FORMAT)
    written = header(tmp_path / "1.csv")
    places = [written.index(name) for name in ("ID", "Type", "SKU", "Name", "Stock", "Weight (kg)")]
    places += [written.index(name) for name in ("Images", "Attribute 1 name", "Attribute 2 name")]
    assert places == sorted(places)


def test_what_the_format_can_not_hold_is_reported(tmp_path: Path) -> None:
    source: list[Record] = [
        Collection(handle="used", title="Used", description_html="x"),
        Collection(handle="tees", title="T-Shirts"),
        Collection(handle="empty", title="Empty"),
        Product(
            handle="a",
            title="A",
            vendor="V",
            status="archived",
            collections=("used", "tees"),
            upsells=("handle:b",),
            metafields=(Metafield(namespace="custom", key="k", value="v"),),
            media=(Media(url="https://e.com/a.jpg", alt="A"),),
            platform_fields={"shopify": {"x": 1}, "woocommerce": {"unheard_of": 1}},
            variants=(
                Variant(
                    price=Money(5, "USD"),
                    compare_at_price=Money(4, "USD"),
                    inventory=(InventoryLevel(location="Wien", available=1),),
                    barcodes=("1", "2"),
                ),
            ),
        ),
        Product(title="B", variants=(Variant(sku="1"), Variant(sku="2"))),
    ]
    losses = write(tmp_path / "a.csv", source, BERLIN, FORMAT)
    assert Loss("collection", "record (without products)", 1, "empty") in losses
    assert {(loss.kind, loss.field) for loss in losses} == {
        ("collection", "description_html"),
        ("collection", "handle"),
        ("collection", "record (without products)"),
        ("product", "handle"),
        ("product", "vendor"),
        ("product", "status"),
        ("product", "upsells"),
        ("product", "media.alt"),
        ("product", "metafields (outside woocommerce)"),
        ("product", "platform_fields.shopify"),
        ("product", "platform_fields.woocommerce.unheard_of"),
        ("product", "variants.compare_at_price"),
        ("product", "variants.price (not in EUR)"),
        ("product", "variants.inventory.location"),
        ("product", "variants.barcodes (more than one)"),
        ("product", "record (variants without options)"),
    }


def test_a_parent_without_a_sku_gets_its_handle(tmp_path: Path) -> None:
    shirt = Product(
        handle="shirt",
        options=(Option(name="Size", values=("S",)),),
        variants=(Variant(sku="S-1", options=("S",)),),
    )
    losses = write(tmp_path / "a.csv", [shirt], BERLIN, FORMAT)
    assert "sku (the handle stands in for it)" in {loss.field for loss in losses}
    (back,) = records(tmp_path / "a.csv")
    assert isinstance(back, Product)
    assert back.sku == "shirt"
    assert back.variants[0].sku == "S-1"


# --- any catalogue of the file's shape round trips -----------------------------------------------

TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\x1b\ufdd0"), min_size=1
).filter(lambda text: text.strip() != "")
WORD = TEXT.map(str.strip).filter(lambda text: "\\" not in text)
NAME = st.from_regex(r"[A-Za-zäß0-9, ]{1,6}", fullmatch=True).map(str.strip).filter(bool)
AMOUNT = st.decimals(1, 9999, places=2).map(lambda amount: Money(amount, "EUR"))


def offer(draw: st.DrawFn, sku: str, options: tuple[str, ...]) -> Variant:
    price = draw(AMOUNT)
    quantity = draw(st.none() | st.integers(-9, 99))
    fields = {"sku": sku, "options": options, "price": price, "tracked": quantity is not None}
    if draw(st.booleans()):
        fields["compare_at_price"] = price + Money("0.01", "EUR")
    if quantity is not None:
        fields["inventory"] = [{"available": quantity}]
    fields["virtual"], fields["downloadable"] = draw(st.booleans()), False
    return Variant.model_validate(fields)


@st.composite
def catalogues(draw: st.DrawFn) -> list[Product]:
    made = []
    for number in range(draw(st.integers(1, 4))):
        names = draw(st.lists(NAME, max_size=2, unique=True))
        values = tuple(draw(st.lists(NAME, min_size=2, max_size=3, unique=True)) for _ in names)
        fields: dict[str, object] = {
            "id": str(number + 1),
            "title": draw(TEXT),
            "description_html": draw(TEXT),
            "tags": tuple(draw(st.lists(WORD, min_size=1, max_size=2))),
            "options": [{"name": n, "values": v} for n, v in zip(names, values, strict=True)],
            "metafields": [{"namespace": "woocommerce", "key": "k", "value": draw(TEXT)}],
        }
        if names:
            fields["sku"] = f"P{number}"
            first = tuple(v[0] for v in values)
            last = tuple(v[1] for v in values)
            fields["variants"] = [
                offer(draw, f"P{number}-{place}", choice)
                for place, choice in enumerate((first, last))
            ]
        else:
            fields["variants"] = [offer(draw, f"P{number}", ())]
        made.append(Product.model_validate(fields))
    return made


@given(catalogues(), st.sampled_from(["csv", "xlsx"]))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_catalogue_round_trips(tmp_path: Path, source: list[Product], suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    assert write(path, source, BERLIN, FORMAT) == []
    assert records(path) == source
