from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storebridge import Store
from storebridge.errors import Problem
from storebridge.formats import Context, Loss, Sourced, detect, read, write
from storebridge.models import (
    Collection,
    InventoryLevel,
    MarketPrice,
    Media,
    Metafield,
    Money,
    Option,
    Product,
    Seo,
    Variant,
    Weight,
)

EUR = Context(currency="EUR", market_currencies={"CH": "CHF"})


def table(path: Path, *rows: dict[str, str]) -> Path:
    header = list(dict.fromkeys(name for row in rows for name in row))
    if path.suffix == ".xlsx":
        import xlsxwriter

        with xlsxwriter.Workbook(str(path)) as book:
            sheet = book.add_worksheet("Products")
            sheet.write_row(0, 0, header)
            for number, row in enumerate(rows, 1):
                sheet.write_row(number, 0, [row.get(name, "") for name in header])
        return path
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def items(path: Path, context: Context = EUR) -> list[Sourced]:
    found = list(read(path, context, "matrixify"))
    assert [item for item in found if isinstance(item, Problem)] == []
    return [item for item in found if isinstance(item, Sourced)]


def one(tmp_path: Path, *rows: dict[str, str], context: Context = EUR) -> Product:
    (item,) = items(table(tmp_path / "a.csv", *rows), context)
    assert isinstance(item.record, Product)
    return item.record


def problems(tmp_path: Path, *rows: dict[str, str], context: Context = EUR) -> list[Problem]:
    found = read(table(tmp_path / "a.csv", *rows), context, "matrixify")
    return [item for item in found if isinstance(item, Problem)]


def cells(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


#: As Matrixify exports a product of two variants and three pictures.
TOP = {
    "ID": "123",
    "Handle": "tee",
    "Command": "MERGE",
    "Title": "Tee",
    "Body HTML": "<p>Tee</p>",
    "Vendor": "Acme",
    "Type": "Shirts",
    "Tags": "cotton, summer",
    "Tags Command": "REPLACE",
    "Created At": "2026-01-01 00:00:00 +0000",
    "Status": "Active",
    "Published": "TRUE",
    "Published Scope": "global",
    "Template Suffix": "wide",
    "Gift Card": "FALSE",
    "URL": "https://shop.example/products/tee",
    "Row #": "1",
    "Top Row": "TRUE",
    "Category: ID": "7",
    "Custom Collections": "summer, Best Sellers",
    "Image Src": "https://e.com/1.jpg",
    "Image Command": "MERGE",
    "Image Position": "1",
    "Image Alt Text": "front",
    "Image Width": "800",
    "Variant Inventory Item ID": "9",
    "Variant ID": "456",
    "Variant Command": "MERGE",
    "Option1 Name": "Size",
    "Option1 Value": "S",
    "Variant SKU": "0042",
    "Variant Barcode": "4006381333931",
    "Variant Image": "https://e.com/1.jpg",
    "Variant Weight": "0.25",
    "Variant Weight Unit": "kg",
    "Variant Price": "19.90",
    "Variant Compare At Price": "25",
    "Variant Cost": "9.5",
    "Variant Taxable": "TRUE",
    "Variant Tax Code": "P1",
    "Variant Inventory Tracker": "shopify",
    "Variant Inventory Policy": "deny",
    "Variant Fulfillment Service": "manual",
    "Variant Requires Shipping": "TRUE",
    "Variant Inventory Qty": "5",
    "Inventory Available: Berlin": "3",
    "Inventory On Hand: Berlin": "4",
    "Included / CH": "TRUE",
    "Price / CH": "21",
    "Compare At Price / CH": "",
    "Metafield: title_tag [string]": "SEO tee",
    "Metafield: custom.a\\.b [number_integer]": "7",
    "Variant Metafield: custom.shade": "dark",
}
SECOND = {
    "ID": "123",
    "Handle": "tee",
    "Command": "MERGE",
    "Row #": "2",
    "Image Src": "https://e.com/2.jpg; https://e.com/3.jpg",
    "Option1 Name": "Size",
    "Option1 Value": "M",
    "Variant SKU": "0043",
    "Variant Price": "20",
}


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_an_export_is_read_whole(tmp_path: Path, suffix: str) -> None:
    path = table(tmp_path / f"Products.{suffix}", TOP, SECOND)
    assert detect(path, EUR).name == "matrixify"
    (item,) = items(path)
    product = item.record
    assert isinstance(product, Product)
    assert product.without("variants") == Product(
        id="123",
        handle="tee",
        title="Tee",
        description_html="<p>Tee</p>",
        vendor="Acme",
        product_type="Shirts",
        tags=("cotton", "summer"),
        status="active",
        channels=("Online Store",),
        gift_card=False,
        seo=Seo(title="SEO tee"),
        options=(Option(name="Size"),),
        media=(
            Media(url="https://e.com/1.jpg", alt="front", position=1),
            Media(url="https://e.com/2.jpg"),
            Media(url="https://e.com/3.jpg"),
        ),
        metafields=(Metafield(namespace="custom", key="a.b", type="number_integer", value="7"),),
        platform_fields={"shopify": {"published_scope": "global", "template_suffix": "wide"}},
    ).but(collections_add=("summer", "best-sellers"))
    first, second = product.variants
    assert first == Variant(
        sku="0042",
        options=("S",),
        barcodes=("4006381333931",),
        media=("https://e.com/1.jpg",),
        weight=Weight(value=Decimal("0.25"), unit="kg"),
        price=Money("19.9", "EUR"),
        compare_at_price=Money(25, "EUR"),
        cost=Money("9.5", "EUR"),
        taxable=True,
        tax_class="P1",
        tracked=True,
        oversell=False,
        requires_shipping=True,
        inventory=(
            InventoryLevel(available=5),
            InventoryLevel(available=3, location="Berlin"),
        ),
        market_prices=(MarketPrice(market="CH", price=Money(21, "CHF"), included=True),),
        metafields=(Metafield(namespace="custom", key="shade", value="dark"),),
        platform_fields={"shopify": {"fulfillment_service": "manual"}},
    )
    assert second == Variant(
        sku="0043",
        options=("M",),
        price=Money(20, "EUR"),
        compare_at_price=None,
        cost=None,
        weight=None,
        barcodes=(),
        tax_class="",
        tracked=False,
    )


def test_a_missing_column_leaves_alone_and_a_blank_cell_clears(tmp_path: Path) -> None:
    names = ["Title", "Body HTML", "Vendor", "Type", "Tags", "Status", "Published", "Category"]
    names += ["Metafield: title_tag [string]", "Metafield: a.b [string]", "Image Src"]
    product = one(tmp_path, {"Handle": "a", **dict.fromkeys(names, "")})
    assert product == Product(
        handle="a", description_html="", product_type="", tags=(), category="", seo=Seo(title="")
    )
    assert one(tmp_path, {"Handle": "a", "Body HTML": "x"}) == Product(
        handle="a", description_html="x"
    )


def test_commands_say_what_becomes_of_a_product(tmp_path: Path) -> None:
    path = table(
        tmp_path / "a.csv",
        {"Handle": "a", "Command": "DELETE", "Variant SKU": "A"},
        {"Handle": "a", "Command": "DELETE", "Variant SKU": "B"},
        {"Handle": "b", "Command": "IGNORE", "Variant SKU": "A"},
        {"Handle": "c", "Command": "new"},
        {"Handle": "d", "Command": "UPDATE"},
        {"Handle": "e", "Command": ""},
        {"Handle": "f", "Command": "REPLACE"},
    )
    found = [(item.record, item.delete) for item in items(path)]
    assert [(record.label, delete) for record, delete in found] == [
        ("a", True),
        ("b", False),
        ("c", False),
        ("d", False),
        ("e", False),
        ("f", False),
    ]
    modes = [record.modes for record, _ in found if isinstance(record, Product)]
    assert modes[:5] == [{}] * 5
    assert modes[5] == {"variants": "replace", "media": "replace", "metafields": "replace"}


def test_what_is_to_be_ignored_is_neither_changed_nor_made_nor_absent(
    store: Store, tmp_path: Path
) -> None:
    for handle in ("a", "b", "c"):
        store.products.create(Product(handle=handle, title="Old", vendor="Acme"))
    path = table(
        tmp_path / "a.csv",
        {"Handle": "a", "Title": "New", "Command": "MERGE", "Tags Command": "MERGE"},
        {"Handle": "b", "Title": "New", "Command": "IGNORE"},
        {"Handle": "d", "Title": "New", "Command": "IGNORE"},
    )
    plan = store.plan(path, tmp_path / "a.plan", where="vendor = 'Acme'", absent="archive")
    assert [(change.label, change.fields) for change in plan.changes()] == [
        ("a", (("title", "Old", "New"),)),
        ("c", (("status", "draft", "archived"),)),
    ]
    assert list(plan.skipped()) == []
    everywhere = store.plan(path, tmp_path / "b.plan")
    assert [change.label for change in everywhere.changes()] == ["a"]
    row = {"Handle": "d", "Title": "New", "Command": "IGNORE", "Tags Command": "MERGE"}
    assert store.plan(table(tmp_path / "c.csv", row), tmp_path / "c.plan").is_empty


@pytest.mark.parametrize(
    ("command", "tags", "expected"),
    [
        ("", "x, y", {"tags": ("x", "y")}),
        ("REPLACE", "x", {"tags": ("x",)}),
        ("MERGE", "x", {"tags+": ("x",)}),
        ("DELETE", "x", {"tags-": ("x",)}),
        ("REPLACE", "", {"tags": ()}),
        ("MERGE", "", {}),
        ("DELETE", "", {}),
    ],
)
def test_commands_say_what_becomes_of_tags(
    tmp_path: Path, command: str, tags: str, expected: dict[str, Any]
) -> None:
    product = one(tmp_path, {"Handle": "a", "Tags": tags, "Tags Command": command})
    assert product == Product.model_validate({"handle": "a", **expected})


def test_commands_say_what_becomes_of_variants_and_pictures(tmp_path: Path) -> None:
    row = {"Handle": "a", "Variant SKU": "A", "Image Src": "https://e.com/1.jpg"}
    assert one(tmp_path, {**row, "Variant Command": "UPDATE"}).modes == {}
    assert one(tmp_path, {**row, "Variant Command": "REPLACE"}).modes == {"variants": "replace"}
    assert one(tmp_path, {**row, "Image Command": "REPLACE"}).modes == {"media": "replace"}


def test_a_product_without_options_has_none(tmp_path: Path) -> None:
    row = {"Handle": "a", "Option1 Name": "Title", "Option1 Value": "Default Title"}
    assert one(tmp_path, {**row, "Variant SKU": "A"}) == Product(
        handle="a", variants=(Variant(sku="A"),)
    )
    named = one(tmp_path, {**row, "Option1 Value": "Long"})
    assert named.options == (Option(name="Title"),)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Command", "MERG"),
        ("Tags Command", "UPDATE"),
        ("Variant Command", "DELETE"),
        ("Image Command", "DELETE"),
        ("Status", "live"),
        ("Published", "perhaps"),
        ("Variant SKU", "4.0E+12"),
        ("Variant Barcode", "4,0E+12"),
        ("Variant Price", "1,99"),
        ("Variant Price", "-1"),
        ("Variant Cost", "5 USD"),
        ("Variant Weight", "heavy"),
        ("Variant Weight", "5"),
        ("Variant Weight Unit", "stone"),
        ("Variant Inventory Policy", "maybe"),
        ("Variant Inventory Qty", "many"),
        ("Variant Inventory Adjust", "+5"),
        ("Variant Inventory Adjust", "-5"),
        ("Inventory Available: Berlin", "x"),
        ("Price / CH", "1 EUR"),
        ("Image Src", "a.jpg"),
        ("Image Alt Text", "of nothing"),
        ("Option1 Value", "S"),
        ("Titel", "x"),
        ("Body HTLM", "x"),
        ("Anything", "x"),
    ],
)
def test_a_cell_that_cant_be_right_is_a_problem(tmp_path: Path, column: str, value: str) -> None:
    base = {"Handle": "a", "Variant SKU": "A", "Tags": "x", "Option1 Name": ""}
    if column == "Option1 Name":
        base.pop(column)
    found = problems(tmp_path, {**base, column: value})
    assert [problem.column for problem in found] == [column]
    assert found[0].row in (1, 2)
    assert found[0].remedy


def test_contradictions_are_problems(tmp_path: Path) -> None:
    def spots(*rows: dict[str, str]) -> list[tuple[int | None, str]]:
        return [(problem.row, problem.column) for problem in problems(tmp_path, *rows)]

    a, b = {"Handle": "a", "Command": "MERGE"}, {"Handle": "b", "Command": "MERGE"}
    assert spots(a, {**a, "Command": "DELETE"})[:1] == [(3, "Command")]
    assert spots(a, b, a) == [(4, "Handle")]
    assert spots({**a, "Title": "A"}, {**a, "Title": "B"}) == [(3, "Title")]
    assert spots({**a, "Variant SKU": "S"}, {**b, "Variant SKU": "S"}) == [(3, "Variant SKU")]
    assert spots({"Handle": "", "Title": "x"}) == [(2, "Handle")]
    assert spots({"Variant SKU": "A", "Command": "DELETE"}) == [(2, "Command")]
    assert spots({"Title": "x"}) == [(1, "sku")]


def test_no_metafield_is_lost_for_its_dots(tmp_path: Path) -> None:
    product = one(
        tmp_path,
        {"Handle": "a", "Metafield: a\\.b.c": "1", "Metafield: lone [x]": "2", "Top Row": ""},
    )
    assert product.metafields == (
        Metafield(namespace="a.b", key="c", value="1"),
        Metafield(namespace="global", key="lone", type="x", value="2"),
    )


# --- writing -------------------------------------------------------------------------------------


def test_a_file_round_trips(tmp_path: Path) -> None:
    offer = {name: text for name, text in TOP.items() if name.startswith("Variant ")}
    (item,) = items(table(tmp_path / "a.csv", TOP, {**offer, **SECOND}))
    path = tmp_path / "b.csv"
    assert write(path, [item.record], EUR, "matrixify") == []
    assert detect(path, EUR).name == "matrixify"
    assert [again.record for again in items(path)] == [item.record]


def test_commands_are_written(tmp_path: Path) -> None:
    product = Product(
        handle="a",
        modes={"variants": "replace", "media": "replace"},
        variants=(Variant(sku="A"), Variant(sku="B", options=())),
        media=(Media(url="https://e.com/1.jpg"),),
    ).but(tags_add=("x",))
    assert write(tmp_path / "a.csv", [product], EUR, "matrixify") == []
    first, second = cells(tmp_path / "a.csv")
    assert first["Tags Command"] == "MERGE"
    assert [row["Command"] for row in (first, second)] == ["MERGE", "MERGE"]
    assert [row["Variant Command"] for row in (first, second)] == ["REPLACE", "REPLACE"]
    assert first["Image Command"] == "REPLACE"


def test_what_the_file_can_not_hold_is_reported(tmp_path: Path) -> None:
    product = Product(
        handle="a",
        brand="B",
        visibility="visible",
        featured=False,
        tags=("a,b",),
        channels=("POS",),
        modes={"metafields": "replace"},
        options=(Option(name="Size", values=("S",)),),
        variants=(
            Variant(
                sku="A",
                options=("S",),
                barcodes=("1", "2"),
                virtual=True,
                media=("https://e.com/1.jpg", "https://e.com/2.jpg"),
                price=Money(1, "USD"),
            ),
        ),
    ).but(tags_remove=("x",))
    many = Product(handle="m", options=tuple(Option(name=str(n)) for n in range(4)))
    losses = write(tmp_path / "a.csv", [Collection(handle="c"), product, many], EUR, "matrixify")
    assert losses[0] == Loss("collection", "record", 1, "c")
    assert {(loss.field, loss.example) for loss in losses[1:]} == {
        ("brand", "a"),
        ("tags (with a comma)", "a"),
        ("tags_remove (beside another change of the tags)", "a"),
        ("channels", "a"),
        ("modes.metafields", "a"),
        ("variants.barcodes", "a"),
        ("variants.virtual", "a"),
        ("variants.media", "a"),
        ("variants.price (not in EUR)", "a"),
        ("record (over 3 options)", "m"),
    }


def test_a_blank_that_would_clear_is_reported(tmp_path: Path) -> None:
    given = [
        Product(handle="a", title="A", variants=(Variant(sku="A"),)),
        Product(handle="b", title="B", vendor="V", variants=(Variant(sku="B", tax_class="x"),)),
        Product(handle="c", title="C"),
        Product(handle="d"),
    ]
    losses = write(tmp_path / "a.csv", given, EUR, "matrixify")
    assert {(loss.field.partition(" (")[0], loss.count, loss.example) for loss in losses} == {
        ("Title", 1, "d"),
        ("Vendor", 3, "a"),
        ("Variant Tax Code", 1, "a"),
    }


# --- any product round trips ---------------------------------------------------------------------

TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\x1b\ufdd0"), min_size=1
).filter(lambda text: text.strip() != "")
WORD = TEXT.map(str.strip).filter(lambda text: "," not in text and "\\" not in text)
SKU = st.from_regex(r"[A-Za-z0-9=+\-@]{1,8}", fullmatch=True).filter(lambda sku: "E+" not in sku)
AMOUNT = st.decimals(0, 99999, places=2).map(lambda amount: Money(amount, "EUR"))


@st.composite
def products(draw: st.DrawFn) -> list[Product]:
    """Return products that all give the same fields, so that no blank cell says anything."""
    made = []
    skus = draw(st.lists(SKU, min_size=6, max_size=6, unique=True))
    for number in range(draw(st.integers(1, 2))):
        names = draw(st.lists(WORD, min_size=1, max_size=3, unique=True))
        choices = draw(
            st.lists(st.tuples(*(WORD for _ in names)), min_size=1, max_size=3, unique=True)
        )
        if names == ["Title"]:
            continue
        variants = [
            Variant(
                sku=skus.pop(),
                options=choice,
                barcodes=(draw(SKU),),
                price=draw(AMOUNT),
                cost=draw(AMOUNT),
                tracked=draw(st.booleans()),
                oversell=draw(st.booleans()),
                inventory=(InventoryLevel(available=draw(st.integers(-99, 999))),),
                weight=Weight(value=Decimal(draw(st.integers(0, 999))) / 8, unit="lb"),
                taxable=draw(st.booleans()),
                metafields=(Metafield(namespace="n", key="k.l", type="t", value=draw(TEXT)),),
            )
            for choice in choices
        ]
        made.append(
            Product(
                handle=f"h-{number}",
                title=draw(TEXT),
                description_html=draw(TEXT),
                tags=tuple(draw(st.lists(WORD, min_size=1, max_size=3))),
                seo=Seo(title=draw(TEXT)),
                channels=draw(st.sampled_from([(), ("Online Store",)])),
                options=tuple(Option(name=name) for name in names),
                variants=tuple(variants),
                media=(Media(url="https://e.com/1.jpg", alt=draw(TEXT)),),
            )
        )
    return made


@given(products(), st.sampled_from(["csv", "xlsx"]))
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_product_round_trips(tmp_path: Path, source: list[Product], suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    assert write(path, source, EUR, "matrixify") == []
    assert [item.record for item in items(path)] == source


def test_a_product_with_a_cell_that_is_too_long_is_passed_over(tmp_path: Path) -> None:
    long = Product(handle="long", title="L", description_html="x" * 40_000)
    short = Product(handle="short", title="S", description_html="x")
    path = tmp_path / "a.xlsx"
    assert write(path, [long, short], EUR, "matrixify") == [
        Loss(
            "product",
            "any change (Command is IGNORE, since a cell that is too long would clear)",
            1,
            "long",
        ),
        Loss("product", "Body HTML (over 32767 characters)", 1, "long"),
    ]
    assert [(item.record, item.expects) for item in items(path)] == [
        (Product(handle="long"), "ignored"),
        (short, ""),
    ]
    assert write(tmp_path / "a.csv", [long, short], EUR, "matrixify") == []
    assert [item.record for item in items(tmp_path / "a.csv")] == [long, short]
