from __future__ import annotations

import csv
import io
import json
import re
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import storebridge
from storebridge.errors import ConfigError, Problem
from storebridge.formats import Context, Loss, Sourced, detect, read, write
from storebridge.formats.sheet_cells import (
    commas,
    commas_text,
    json_text,
    json_value,
    lines,
    lines_text,
    named,
    named_text,
    sentences,
)
from storebridge.formats.sheet_columns import column_of
from storebridge.formats.sheet_fields import Fields
from storebridge.models import (
    Attribute,
    Collection,
    Dimensions,
    InventoryLevel,
    Length,
    MarketPrice,
    Media,
    Metafield,
    Money,
    Option,
    Product,
    Sale,
    Seo,
    Translation,
    Variant,
    Weight,
)
from storebridge.store import Store

EUR = Context(currency="EUR", market_currencies={"CH": "CHF"}, time_zone="Europe/Berlin")


def table(path: Path, text: str) -> Path:
    """Write rows of `a;b;c` lines as a sheet."""
    rows = [line.strip().split(";") for line in text.strip().splitlines()]
    if path.suffix == ".xlsx":
        import xlsxwriter

        with xlsxwriter.Workbook(str(path)) as book:
            sheet = book.add_worksheet()
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
    return path


def items(path: Path, context: Context = EUR, format: str = "") -> list[Sourced]:
    found = list(read(path, context, format))
    assert [item for item in found if isinstance(item, Problem)] == []
    return [item for item in found if isinstance(item, Sourced)]


def products(path: Path, context: Context = EUR) -> list[Product]:
    records = [item.record for item in items(path, context)]
    return [record for record in records if isinstance(record, Product)]


def problems(tmp_path: Path, text: str, context: Context = EUR) -> list[tuple[int | None, str]]:
    path = table(tmp_path / "a.csv", text)
    found = [item for item in read(path, context, "sheet") if isinstance(item, Problem)]
    assert all(problem.remedy and problem.file == "a.csv" for problem in found)
    return [(problem.row, problem.column) for problem in found]


def cells(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


# --- reading -------------------------------------------------------------------------------------


def test_a_product_is_read_whole(tmp_path: Path) -> None:
    path = table(
        tmp_path / "a.csv",
        """
        handle;title;tags;tags+;seo.title;status;featured;sku;option[Size];price;cost;barcodes
        tee;Tee;sale, new;hot;A tee;active;TRUE;T-S;S;10;4.5;4006381333931
        tee;;;;;;;T-M;M;11;;40063813, 123
        mug;Mug;;;;;;MUG;;5;;
        """,
    )
    tee, mug = products(path)
    assert tee == Product.model_validate(
        {
            "handle": "tee",
            "title": "Tee",
            "tags": ("sale", "new"),
            "tags+": ("hot",),
            "seo": Seo(title="A tee"),
            "status": "active",
            "featured": True,
            "options": (Option(name="Size"),),
            "variants": (
                Variant(
                    sku="T-S",
                    options=("S",),
                    price=Money("10", "EUR"),
                    cost=Money("4.5", "EUR"),
                    barcodes=("4006381333931",),
                ),
                Variant(
                    sku="T-M",
                    options=("M",),
                    price=Money("11", "EUR"),
                    barcodes=("40063813", "123"),
                ),
            ),
        }
    )
    assert mug == Product(
        handle="mug", title="Mug", variants=(Variant(sku="MUG", price=Money("5", "EUR")),)
    )


def test_every_special_column_is_read(tmp_path: Path) -> None:
    path = table(
        tmp_path / "a.csv",
        """
        handle;title[de];title[fr@CH];translations.body[de];metafields.custom.material;\
variants.metafields.a.b[number_integer];platform_fields.woocommerce.menu_order;price[CH];\
compare_at_price[CH];included[CH];inventory;inventory[Main];weight (kg);weight;\
dimensions.length (cm);sale.price;sale.starts_at;media;media.alt;variants.media;attributes
        a;Hemd;Chemise;Text;wool;7;3;12.50;20 CHF;FALSE;3;4;0.5;;10;8;2026-11-01;\
https://e.com/1.jpg | https://e.com/2.jpg; | back;https://e.com/2.jpg;Care: 30\\:, cold | Eco
        """.replace("\\\n", "").replace("\\\\", "\\"),
    )
    (found,) = products(path)
    (variant,) = found.variants
    assert found.translations == (
        Translation(locale="de", field="title", value="Hemd"),
        Translation(locale="fr", field="title", value="Chemise", market="CH"),
        Translation(locale="de", field="body", value="Text"),
    )
    assert found.metafields == (Metafield(namespace="custom", key="material", value="wool"),)
    assert variant.metafields == (
        Metafield(namespace="a", key="b", type="number_integer", value="7"),
    )
    assert found.platform_fields == {"woocommerce": {"menu_order": 3}}
    assert variant.market_prices == (
        MarketPrice(
            market="CH",
            price=Money("12.50", "CHF"),
            compare_at_price=Money(20, "CHF"),
            included=False,
        ),
    )
    assert variant.inventory == (
        InventoryLevel(available=3),
        InventoryLevel(available=4, location="Main"),
    )
    assert variant.weight == Weight(value=Decimal("0.5"), unit="kg")
    assert variant.dimensions == Dimensions(length=Length(value=Decimal(10), unit="cm"))
    assert variant.sale == Sale(
        price=Money(8, "EUR"), starts_at=datetime(2026, 10, 31, 23, tzinfo=UTC)
    )
    assert found.media == (
        Media(url="https://e.com/1.jpg"),
        Media(url="https://e.com/2.jpg", alt="back"),
    )
    assert variant.media == ("https://e.com/2.jpg",)
    assert found.attributes == (
        Attribute(name="Care", values=("30:", "cold")),
        Attribute(name="Eco"),
    )


def test_a_sheet_of_skus_changes_variants_wherever_they_are(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "sku;inventory;price\nA;3;1.50\nB;;2")
    assert [(item.row, item.record) for item in items(path)] == [
        (
            2,
            Product(
                variants=(
                    Variant(
                        sku="A", inventory=(InventoryLevel(available=3),), price=Money("1.5", "EUR")
                    ),
                )
            ),
        ),
        (3, Product(variants=(Variant(sku="B", price=Money(2, "EUR")),))),
    ]


def test_a_row_without_a_handle_stands_alone_among_others(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "handle;sku;price\na;A;1\n;B;2\n;C;3")
    found = products(path)
    assert [(product.handle, product.variants[0].sku) for product in found] == [
        ("a", "A"),
        ("", "B"),
        ("", "C"),
    ]
    assert all("handle" not in product.given for product in found[1:])


def test_a_handle_names_the_product_wherever_its_column_stands(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "id;sku;handle\n7;A;a\n;B;a")
    (found,) = products(path)
    assert (found.handle, found.id, len(found.variants)) == ("a", "7", 2)


@pytest.mark.parametrize("name", ["id", "key"])
def test_rows_are_one_product_by_id_or_key_too(tmp_path: Path, name: str) -> None:
    path = table(tmp_path / "a.csv", f"{name};title;sku\n7;T;A\n7;;B\n8;;C")
    assert [len(product.variants) for product in products(path)] == [2, 1]
    assert getattr(products(path)[0], name) == "7"


def test_the_product_may_speak_in_any_of_its_rows(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "handle;title;sku\na;;A\na;T;B\na;T;C")
    (found,) = products(path)
    assert found.title == "T"


def test_the_column_options_says_order_and_values(tmp_path: Path) -> None:
    path = table(
        tmp_path / "a.csv",
        """
        handle;options;option[Color];option[Size];sku
        a;Size: S, M | Color;red;S;1
        a;;red;L;2
        """,
    )
    (found,) = products(path)
    assert found.options == (Option(name="Size", values=("S", "M", "L")), Option(name="Color"))
    assert [variant.options for variant in found.variants] == [("S", "red"), ("L", "red")]


def test_a_location_of_the_context_holds_the_bare_column(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "sku;inventory\nA;3")
    (found,) = products(path, Context(location="Main"))
    assert found.variants[0].inventory == (InventoryLevel(available=3, location="Main"),)


def test_blank_keeps_or_clears(tmp_path: Path) -> None:
    path = table(
        tmp_path / "a.csv",
        """
        handle;title;seo.title;tags;tags+;status;featured;category;media;metafields.a.b;\
title[de];sku;price;compare_at_price;sale.price;cost;weight (kg);weight (g);barcodes;price[CH]
        a;;;;;;;;;;;A;;;;;;5;;
        """.replace("\\\n", ""),
    )
    weight = Weight(value=Decimal(5), unit="g")
    assert products(path) == [Product(handle="a", variants=(Variant(sku="A", weight=weight),))]
    assert products(path, Context(currency="EUR", blank="clear")) == [
        Product(
            handle="a",
            title="",
            seo=Seo(title=""),
            tags=(),
            category="",
            variants=(
                Variant(
                    sku="A",
                    weight=weight,
                    compare_at_price=None,
                    sale=None,
                    cost=None,
                    barcodes=(),
                ),
            ),
        )
    ]


def test_a_measure_is_cleared_whatever_its_unit(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "sku;weight (kg);dimensions.width (in);inventory\nA;;;3")
    (found,) = products(path, Context(blank="clear"))
    assert found.variants[0].given == {"sku", "weight", "dimensions", "inventory"}
    assert found.variants[0].weight is None
    assert found.variants[0].dimensions == Dimensions(width=None)


def test_clearing_never_touches_products_that_a_row_doesnt_name(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "sku;title;cost\nA;;")
    (found,) = products(path, Context(currency="EUR", blank="clear"))
    assert found == Product(variants=(Variant(sku="A", cost=None),))


def test_a_product_is_deleted_only_as_a_whole(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "handle;sku;delete\na;A;TRUE\na;B;true\nb;C;\nc;D;false")
    assert [item.delete for item in items(path)] == [True, False, False]
    assert problems(tmp_path, "handle;sku;delete\na;A;TRUE\na;B;") == [(2, "delete")]
    assert problems(tmp_path, "sku;delete\nA;TRUE") == [(2, "delete")]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("price", "19,99"),
        ("price", "10 USD"),
        ("price", "-1"),
        ("price", "1.999"),
        ("price", "1e3"),
        ("price[CH]", "10 EUR"),
        ("price[CH]", "-2"),
        ("price[JP]", "5"),
        ("included[CH]", "perhaps"),
        ("inventory", "1.5"),
        ("inventory[Main]", "many"),
        ("sku", "4.0E+12"),
        ("sku", "4,00638E+12"),
        ("barcodes", "1, 4.0E+12"),
        ("key", "4E+12"),
        ("weight", "5"),
        ("weight", "5 stone"),
        ("weight (kg)", "heavy"),
        ("weight (kg)", "-1"),
        ("dimensions.length (cm)", "-1"),
        ("status", "live"),
        ("featured", "maybe"),
        ("sale.starts_at", "soon"),
        ("sale.ends_at", "2026-01-01"),
        ("media", "ftp://e.com/a.jpg"),
        ("media+", "a.jpg"),
        ("media.alt", "no picture"),
        ("variants.media", "a.jpg"),
        ("position", "first"),
        ("delete", "perhaps"),
        ("title[german]", "x"),
        ("titel", "x"),
        ("prices[CH]", "1"),
        ("Price €", "1"),
        ("weight (stone)", "1"),
        ("option[]", "x"),
    ],
)
def test_a_cell_that_cant_be_right_is_a_problem(tmp_path: Path, column: str, value: str) -> None:
    header = [name for name in ("handle", "sku") if name != column]
    text = f"{';'.join(header)};{column}\n{';'.join('x' for _ in header)};{value}"
    path = table(tmp_path / "a.csv", text)
    found = [item for item in read(path, EUR, "sheet") if isinstance(item, Problem)]
    assert len(found) == 1
    assert found[0].column == column
    assert found[0].row in (1, 2)
    assert found[0].remedy


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("handle;sku\n;A\n;\na;B", []),
        ("handle;sku;price\n;;1", [(2, "handle")]),
        ("title;price\nx;1", [(1, "sku")]),
        ("handle;title;title\na;b;c", [(1, "title")]),
        ("handle;price;variants.price\na;1;2", [(1, "variants.price")]),
        ("handle;sku\na;A\nb;B\na;C", [(4, "handle")]),
        ("handle;sku\na;A\nb;A", [(3, "sku")]),
        ("sku;price\nA;1\nA;2", [(3, "sku")]),
        ("id;sku\n1;A\n2;B\n1;C", [(4, "id")]),
        ("handle;title;sku\na;T;A\na;U;B", [(3, "title")]),
        ("handle;sku;weight (kg);weight (g)\na;A;1;1000", [(2, "weight (g)")]),
        ("handle;metafields.a.b[x];metafields.a.b[y]\na;1;2", [(2, "metafields.a.b[y]")]),
        ("sku;option[Size]\nA;S", [(2, "option[Size]")]),
        ("handle;sku;options;option[Size]\na;A;Color;S", [(2, "option[Size]")]),
        ("handle;sku;option[Size]\na;A;S\na;B;S", [(3, "option[Size]")]),
        ("handle;sku;price\na;A;1\na;B;-5", [(3, "price")]),
        ("handle;sku;price[CH]\na;A;1\na;B;-5", [(3, "price[CH]")]),
        ("handle;media;sku\na;;A\na;x.jpg;B", [(3, "media")]),
        ("handle;media;media.alt\na;https://e.com/1.jpg;a | b", [(2, "media.alt")]),
        ("handle;tags+\na;  ,b", []),
        ("handle;sale.ends_at\na;2026-01-01", [(2, "sale.ends_at")]),
    ],
)
def test_a_sheet_that_contradicts_itself_is_a_problem(
    tmp_path: Path, text: str, expected: list[tuple[int, str]]
) -> None:
    assert problems(tmp_path, text) == expected


def test_an_unknown_header_is_answered_with_the_closest(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "handle;titel;tags;seo.titel;cmpare_at_price[CH]\na;b;c;d;1")
    found = [item for item in read(path, EUR, "sheet") if isinstance(item, Problem)]
    messages = " ".join(problem.message for problem in found)
    for near in ("title is close", "seo.title is close", "compare_at_price[CH] is close"):
        assert near in messages


@pytest.mark.parametrize(
    ("header", "near"),
    [
        ("metafield[a.b]", "metafields.NAMESPACE.KEY[TYPE]"),
        ("variant.metafield.a.b", "variants.metafields.NAMESPACE.KEY[TYPE]"),
        ("platform_field.shopify.x", "platform_fields.PLATFORM.KEY"),
        ("option[", "option[NAME]"),
        ("options[Size]", "option[NAME]"),
        ("optoin[Size]", "option[Size]"),
        ("price[", "price"),
        ("titel[de]", "title[de]"),
    ],
)
def test_a_column_with_a_free_part_is_told_by_its_form(
    tmp_path: Path, header: str, near: str
) -> None:
    path = table(tmp_path / "a.csv", f"handle;{header}\na;b")
    (problem,) = (item for item in read(path, EUR, "sheet") if isinstance(item, Problem))
    assert problem.message == f"There is no such column; {near} is close"


def test_a_header_can_be_translated_or_left_out(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "Artikel;Preis;Notiz\nA;1;x")
    context = Context(currency="EUR", headers={"Artikel": "sku", "Preis": "price", "Notiz": ""})
    assert [product.variants[0].price for product in products(path, context)] == [Money(1, "EUR")]


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize(
    ("header", "format"),
    [
        ("handle;title;tags", "sheet"),
        ("sku;price", "sheet"),
        ("sku;title[de];option[Size];storebridge: why", "sheet"),
        ("Handle;Title;Tags", "shopify-csv"),
        ("SKU;Regular price", "woocommerce-csv"),
    ],
)
def test_the_sheet_is_told_from_others(
    tmp_path: Path, header: str, format: str, suffix: str
) -> None:
    path = table(tmp_path / f"a.{suffix}", f"{header}\n{';'.join('x' for _ in header.split(';'))}")
    assert detect(path, EUR).name == format


def test_a_column_of_a_workbook_without_a_header_is_one_problem(tmp_path: Path) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(tmp_path / "a.xlsx")) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["handle", "title"])
        for row in range(1, 4):
            sheet.write_row(row, 0, [f"tee-{row}", "TEE", "Tee"])
    (problem,) = read(tmp_path / "a.xlsx", EUR)
    assert isinstance(problem, Problem)
    assert problem.message == "Column C has values and no header"
    assert problem.row == 2


def test_a_workbooks_numbers_are_read_where_they_are_no_names(tmp_path: Path) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(tmp_path / "a.xlsx")) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["handle", "sku", "price", "inventory", "barcodes"])
        sheet.write_row(1, 0, ["a", 1001, 19.99, 300, "4006381333931"])
        sheet.write_row(2, 0, ["b", "0042", 5, 123456789012, 4006381333931])
    found = list(read(tmp_path / "a.xlsx", EUR))
    (problem,) = [item for item in found if isinstance(item, Problem)]
    assert (problem.row, problem.column, problem.value) == (3, "barcodes", "4006381333931.0")
    one, two = (i.record for i in found if isinstance(i, Sourced) and isinstance(i.record, Product))
    assert isinstance(one, Product)
    assert isinstance(two, Product)
    assert (one.variants[0].sku, one.variants[0].price) == ("1001", Money("19.99", "EUR"))
    assert two.variants[0].sku == "0042"
    assert two.variants[0].inventory[0].available == 123456789012


# --- writing -------------------------------------------------------------------------------------


def full() -> Product:
    return Product(
        id="7",
        key="ERP-1",
        handle="full",
        sku="P-1",
        title="=1+1",
        description_html="<p>a\nb</p>",
        tags=("a,b", "c\\"),
        collections=("summer",),
        related=("handle:other", "sku:X"),
        channels=("Online Store",),
        status="active",
        visibility="hidden",
        featured=True,
        seo=Seo(title="S", description="D"),
        options=(
            Option(name="Size]", values=("S", "M", "unused")),
            Option(name="a: b", values=("1|2", "3, 4")),
        ),
        attributes=(Attribute(name="Material", values=("wool",)),),
        media=(
            Media(url="https://e.com/1,2.jpg?a=|"),
            Media(url="https://e.com/2.jpg", alt="a | b\nc"),
        ),
        translations=(
            Translation(locale="de", field="seo.title", value="T"),
            Translation(locale="pt-BR", field="x[y]", value="U", market="CH"),
        ),
        metafields=(
            Metafield(namespace="n", key="k[2]", value="v"),
            Metafield(namespace="n", key="k", type="list.url", value="[]"),
        ),
        platform_fields={"woocommerce": {"a.b": {"x": [1, None]}, "c": "42", "d": True}},
        variants=(
            Variant(
                sku="0042",
                options=("S", "3, 4"),
                position=1,
                title="Own",
                status="draft",
                barcodes=("4006381333931", "1"),
                price=Money("19.90", "EUR"),
                compare_at_price=Money(25, "EUR"),
                cost=Money("9.12", "EUR"),
                sale=Sale(price=Money(15, "EUR"), ends_at=datetime(2027, 1, 1, tzinfo=UTC)),
                inventory=(
                    InventoryLevel(available=-1),
                    InventoryLevel(location="[Main]", available=5),
                ),
                market_prices=(
                    MarketPrice(market="CH", price=Money("21.5", "CHF"), included=True),
                    MarketPrice(market="US", price=Money(19, "USD")),
                ),
                weight=Weight(value=Decimal("0.250"), unit="kg"),
                dimensions=Dimensions(width=Length(value=Decimal(3), unit="in")),
                taxable=False,
                tax_class="reduced",
                tracked=True,
                oversell=False,
                virtual=False,
                downloadable=True,
                requires_shipping=True,
                media=("https://e.com/2.jpg",),
                metafields=(Metafield(namespace="v", key="k", value="-1"),),
                platform_fields={"shopify": {"x": "y"}},
            ),
            Variant(
                sku="0043",
                options=("M", ""),
                weight=Weight(value=Decimal(8), unit="oz"),
            ),
        ),
    ).but(
        tags_add=("x",),
        collections_remove=("old",),
        media_add=(Media(url="https://e.com/3.jpg"),),
    )


@pytest.mark.parametrize("suffix", ["csv", "tsv", "xlsx"])
def test_everything_that_the_sheet_holds_round_trips(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    context = Context(
        currency="EUR",
        market_currencies={"ch": "CHF"},
        delimiter="tab" if suffix == "tsv" else "",
    )
    assert write(path, [full(), Product(handle="x")], context) == []
    assert detect(path, context).name == "sheet"
    assert products(path, context) == [full(), Product(handle="x")]
    first = path.read_bytes()
    write(path, products(path, context), context)
    if suffix != "xlsx":  # a workbook carries the time at which it was made
        assert path.read_bytes() == first


def test_no_column_is_needed_for_what_nobody_gives(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [Product(handle="a", variants=(Variant(sku="A"),))], EUR)
    assert cells(tmp_path / "a.csv") == [{"handle": "a", "sku": "A"}]


def test_what_names_a_product_comes_first_and_in_each_row(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [full()], EUR)
    rows = cells(tmp_path / "a.csv")
    assert list(rows[0])[:8] == [
        "handle",
        "id",
        "key",
        "sku",
        "options",
        "option[Size]]",
        "option[a: b]",
        "product.sku",
    ]
    assert [row["handle"] for row in rows] == ["full", "full"]
    assert rows[1]["title"] == ""


def test_no_cell_is_a_formula_and_excel_sees_utf8(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [full()], EUR)
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    rows = cells(tmp_path / "a.csv")
    assert rows[0]["title"] == "'=1+1"
    assert rows[0]["inventory"] == "-1"
    assert rows[0]["variants.metafields.v.k"] == "'-1"


def test_names_are_text_in_a_workbook_and_prices_numbers(tmp_path: Path) -> None:
    import python_calamine

    write(tmp_path / "a.xlsx", [full()], EUR)
    book = python_calamine.CalamineWorkbook.from_path(str(tmp_path / "a.xlsx"))
    header, row, _ = book.get_sheet_by_index(0).to_python()
    values = dict(zip(header, row, strict=True))
    assert values["sku"] == "0042"
    assert values["barcodes"] == "4006381333931, 1"
    assert values["price"] == 19.9
    assert values["weight (kg)"] == 0.25


def test_what_is_typed_into_a_column_of_names_stays_text(tmp_path: Path) -> None:
    write(tmp_path / "a.xlsx", [full()], EUR)
    with zipfile.ZipFile(tmp_path / "a.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        styles = book.read("xl/styles.xml").decode()
    header = list(write_and_read(tmp_path)[0])
    ranges = re.findall(r'<col min="(\d+)" max="(\d+)"[^>]* style="1"', sheet)
    formatted = {at for first, last in ranges for at in range(int(first), int(last) + 1)}
    assert 'numFmtId="49"' in styles  # Excel's own number for "text"
    assert {header.index(name) + 1 for name in ("handle", "sku", "barcodes")} <= formatted
    assert header.index("price") + 1 not in formatted


def write_and_read(tmp_path: Path) -> list[dict[str, str]]:
    write(tmp_path / "names.csv", [full()], EUR)
    return cells(tmp_path / "names.csv")


def lossy() -> Product:
    return Product.model_validate(
        {
            "handle": "l",
            "title": "  ",
            "vendor": "ok",
            "modes": {"media": "replace"},
            "tags": ("", "a"),
            "options": (Option(name="Size", platform_fields={"x": {"y": 1}}),),
            "attributes": (Attribute(name="A", visible=False),),
            "media": (
                Media(id="1", url="https://e.com/1.jpg", media_type="video", position=1),
                Media(content_hash="h"),
            ),
            "media+": (Media(url="https://e.com/2.jpg", alt="x"),),
            "metafields": (Metafield(namespace="a.b", key="c", value="1"),),
            "variants": (
                Variant(id="9", sku=" S", options=("S",), price=Money(1, "USD"), downloads=()),
                Variant(market_prices=(MarketPrice(market="CH", price=Money(1, "EUR")),)),
                Variant(),
            ),
        }
    )


def test_what_the_sheet_can_not_hold_is_reported(tmp_path: Path) -> None:
    losses = write(tmp_path / "a.csv", [Collection(handle="c"), lossy()], EUR)
    assert losses[0] == Loss("collection", "record", 1, "c")
    assert {loss.example for loss in losses[1:]} == {"l"}
    assert {loss.field for loss in losses[1:]} == {
        "modes",
        "title (spaces around it)",
        "tags (empty)",
        "options.platform_fields",
        "attributes.visible",
        "media.media_type",
        "media.url",
        "media+.alt",
        "metafields",
        "variants.sku (spaces around it)",
        "variants.price (not in EUR)",
        "price[CH] (not in CHF)",
        "variants (empty)",
    }


def test_options_without_names_are_reported(tmp_path: Path) -> None:
    product = Product(handle="a", variants=(Variant(sku="A", options=("S",)),))
    (loss,) = write(tmp_path / "a.csv", [product], EUR)
    assert "variants.options" in loss.field


def test_rows_of_a_product_without_a_name_get_a_handle(tmp_path: Path) -> None:
    two = (Variant(sku="A"), Variant(sku="B"))
    write(
        tmp_path / "a.csv",
        [
            Product(title="Blue Tee", variants=two),
            Product(handle="blue-tee"),
            Product(variants=two),
            Product(key="K", title="Keyed", variants=two),
        ],
        EUR,
    )
    assert [row["handle"] for row in cells(tmp_path / "a.csv")] == [
        "blue-tee",
        "blue-tee",
        "blue-tee",
        "",
        "",
        "",
        "",
    ]
    assert [row["key"] for row in cells(tmp_path / "a.csv")][-2:] == ["K", "K"]


def test_given_empties_are_empty_cells_that_clear_reads_back(tmp_path: Path) -> None:
    empty = Product(
        handle="a", title="", tags=(), variants=(Variant(sku="A", compare_at_price=None),)
    )
    assert write(tmp_path / "a.csv", [empty], EUR) == []
    assert products(tmp_path / "a.csv") == [Product(handle="a", variants=(Variant(sku="A"),))]
    assert products(tmp_path / "a.csv", Context(currency="EUR", blank="clear")) == [empty]


# --- the pieces ----------------------------------------------------------------------------------

ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(st.lists(ANY, max_size=4))
@settings(max_examples=100, deadline=None)
def test_any_list_round_trips(values: list[str]) -> None:
    assert commas(commas_text(values)) == tuple(values)
    assert lines(lines_text(values)) == tuple(values)
    assert list(sentences(lines_text(["", *values, ""]))) == ["", *values, ""]


@given(st.lists(st.tuples(ANY, st.lists(ANY, max_size=3)), max_size=3))
@settings(max_examples=100, deadline=None)
def test_any_names_with_values_round_trip(items: list[tuple[str, list[str]]]) -> None:
    expected = [{"name": n, **({"values": tuple(v)} if v else {})} for n, v in items]
    assert named(named_text(items)) == expected


PLAIN = st.none() | st.booleans() | st.integers() | st.text(min_size=1)


@given(PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(st.text(), PLAIN, max_size=3))
@settings(max_examples=100, deadline=None)
def test_any_platform_value_round_trips(value: Any) -> None:
    assert json_value(json_text(value)) == value


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a, b", ("a", "b")),
        (" a ,, b ", ("a", "b")),
        (r"a\,b, C:\x", ("a,b", r"C:\x")),
        ("", ()),
        ("\\", ("\\",)),
    ],
)
def test_a_list_is_read_as_people_write_it(text: str, values: tuple[str, ...]) -> None:
    assert commas(text) == values


def test_a_header_means_the_same_in_other_words() -> None:
    assert column_of("SKU") == column_of("sku") == column_of("variants.sku")
    assert column_of("Weight(KG)") == column_of("weight (kg)") == column_of("variants.weight (kg)")
    assert column_of("weight (lbs)") == column_of("weight (lb)")
    assert column_of("Title[de]") == column_of("title[de]") == column_of("title[de]")


# --- any product round trips ---------------------------------------------------------------------

TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\x1b\ufdd0"), min_size=1
).filter(lambda text: text.strip() != "")
WORDS = st.lists(TEXT, min_size=1, max_size=3, unique=True).map(tuple)
NAME = TEXT.filter(lambda text: text == text.strip())
KEY = st.from_regex(r"[A-Za-z0-9_\-\[\]]{1,8}", fullmatch=True)
SKU = st.from_regex(r"[A-Za-z0-9=+\-@]{1,8}", fullmatch=True).filter(lambda sku: "E+" not in sku)
AMOUNT = st.decimals(0, 99999, places=2).map(lambda amount: Money(amount, "EUR"))
SIZE = st.decimals(0, 9999, places=3)
TIME = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return dicts in which each key may be missing."""
    return st.fixed_dictionaries({}, optional=fields)


def unit(kind: type[Any], *units: str) -> st.SearchStrategy[Any]:
    return st.builds(kind, value=SIZE, unit=st.sampled_from(units))


METAFIELDS = st.lists(
    st.builds(Metafield, namespace=st.sampled_from(["a", "b"]), key=KEY, value=TEXT),
    min_size=1,
    max_size=2,
    unique_by=lambda meta: (meta.namespace, meta.key),
).map(tuple)
OWN = st.dictionaries(KEY, TEXT | st.integers() | st.booleans(), min_size=1, max_size=2)
PLATFORM = st.dictionaries(st.sampled_from(["shopify", "magento"]), OWN, min_size=1)
VARIANT = some(
    barcodes=st.lists(SKU, min_size=1, max_size=2).map(tuple),
    price=AMOUNT,
    compare_at_price=AMOUNT,
    cost=AMOUNT,
    sale=st.builds(Sale, price=AMOUNT) | st.builds(Sale, price=AMOUNT, starts_at=TIME),
    inventory=st.lists(
        st.builds(InventoryLevel, location=NAME, available=st.integers(-99, 10**15)),
        min_size=1,
        max_size=2,
        unique_by=lambda level: level.location,
    ).map(tuple),
    weight=unit(Weight, "g", "kg", "lb"),
    dimensions=st.builds(Dimensions, width=unit(Length, "cm", "in")),
    market_prices=st.just(
        (MarketPrice(market="CH", price=Money(3, "CHF"), compare_at_price=Money(4, "CHF")),)
    ),
    tracked=st.booleans(),
    tax_class=TEXT,
    position=st.integers(1, 99),
    metafields=METAFIELDS,
    platform_fields=PLATFORM,
)
PRODUCT = some(
    title=TEXT,
    description_html=TEXT,
    vendor=TEXT,
    tags=WORDS,
    tags_remove=WORDS,
    collections_add=WORDS,
    channels=WORDS,
    status=st.sampled_from(["active", "draft"]),
    featured=st.booleans(),
    seo=st.builds(Seo, title=TEXT) | st.builds(Seo, title=TEXT, description=TEXT),
    attributes=st.builds(Attribute, name=TEXT, values=WORDS).map(lambda one: (one,)),
    translations=st.builds(
        Translation, locale=st.sampled_from(["de", "pt-BR"]), field=KEY, value=TEXT
    ).map(lambda one: (one,)),
    media=TEXT.map(lambda alt: (Media(url="https://e.com/1.jpg", alt=alt),)),
    metafields=METAFIELDS,
    platform_fields=PLATFORM,
)


@st.composite
def catalogues(draw: st.DrawFn) -> list[Product]:
    """Return products of every shape that the sheet can hold, and rows that only have a SKU."""
    skus = draw(st.lists(SKU, min_size=1, max_size=9, unique=True))
    made: list[Product] = []
    for number in range(draw(st.integers(1, 3))):
        names = draw(st.lists(TEXT, max_size=3, unique=True))
        choices = draw(st.lists(st.tuples(*(TEXT for _ in names)), max_size=3, unique=True))
        fields = draw(PRODUCT)
        if names and choices:
            fields["options"] = tuple(
                Option(name=name, values=tuple(dict.fromkeys(choice[at] for choice in choices)))
                for at, name in enumerate(names)
            )
        choices = choices if names else choices[:1]
        variants = [
            {**draw(VARIANT), "sku": skus.pop(), **({"options": choice} if choice else {})}
            for choice in choices
            if skus
        ]
        if variants:
            fields["variants"] = tuple(Variant.model_validate(one) for one in variants)
        made.append(Product.model_validate({"handle": f"h-{number}", **fields}))
    made += [Product(variants=(Variant(sku=sku, **draw(VARIANT)),)) for sku in skus]
    return made


@given(catalogues(), st.sampled_from(["csv", "xlsx"]))
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_catalogue_round_trips(
    tmp_path: Path, source: list[Product], suffix: Literal["csv", "xlsx"]
) -> None:
    path = tmp_path / f"a.{suffix}"
    assert write(path, source, EUR) == []
    assert products(path) == source


# --- fields, and the way through a store ---------------------------------------------------------


def test_chosen_fields_are_kept_with_what_names_them() -> None:
    product = full()
    assert Fields(["seo.title", "title", "metafields.n.k", "seo.title[de]"]).of(product) == Product(
        handle="full",
        title="=1+1",
        seo=Seo(title="S"),
        metafields=(Metafield(namespace="n", key="k", type="list.url", value="[]"),),
        translations=(Translation(locale="de", field="seo.title", value="T"),),
    )
    chosen = Fields(["price", "inventory[[Main]]", "price[CH]", "dimensions", "tags+"]).of(product)
    assert chosen == Product(
        handle="full",
        options=product.options,
        variants=(
            Variant(
                sku="0042",
                options=("S", "3, 4"),
                price=Money("19.90", "EUR"),
                inventory=(InventoryLevel(location="[Main]", available=5),),
                market_prices=(MarketPrice(market="CH", price=Money("21.5", "CHF")),),
                dimensions=Dimensions(width=Length(value=Decimal(3), unit="in")),
            ),
            Variant(sku="0043", options=("M", "")),
        ),
    ).but(tags_add=("x",))


def test_a_field_of_many_columns_can_be_chosen_whole_or_in_part() -> None:
    product = full()
    every = Fields(["seo.title", "seo", "variants.platform_fields", "platform_fields", "sale"])
    assert every.of(product).seo == product.seo
    assert every.of(product).platform_fields == product.platform_fields
    assert every.of(product).variants[0].sale == product.variants[0].sale
    part = Fields(["platform_fields.woocommerce.c", "market_prices"]).of(product)
    assert part.platform_fields == {"woocommerce": {"c": "42"}}
    assert part.variants[0].market_prices == product.variants[0].market_prices
    assert Fields(["price"]).paths >= {"handle", "variants.sku", "variants.price"}
    assert Fields(["vendor"]).of(Product(id="1", vendor="V", title="T")) == Product(
        id="1", vendor="V"
    )


@pytest.mark.parametrize(
    ("word", "near"), [("prize", "price"), ("seo.titel", "seo.title"), ("delete", "delete")]
)
def test_an_unknown_field_names_the_nearest(word: str, near: str) -> None:
    with pytest.raises(ConfigError, match=f"{near} is close"):
        Fields(["title", word])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Store]:
    with storebridge.open(f"local:{tmp_path / 'shop.db'}?currency=EUR", state=tmp_path) as store:
        outcomes = store.products.create_many(
            [
                Product(
                    handle=f"p-{n}",
                    title=f"P {n}",
                    status="active",
                    seo=Seo(title=f"Old {n}"),
                    options=(
                        Option(name="Size", values=("S", "M")),
                        Option(name="Color", values=("red",)),
                    )
                    if n % 2
                    else (
                        Option(name="Color", values=("red",)),
                        Option(name="Size", values=("S",)),
                    ),
                    variants=tuple(
                        Variant(sku=f"S-{n}-{at}", options=choice, price=Money(10 + n, "EUR"))
                        for at, choice in enumerate(
                            [("S", "red"), ("M", "red")] if n % 2 else [("red", "S")]
                        )
                    ),
                )
                for n in range(1, 4)
            ]
        )
        assert all(outcome.status == "applied" for outcome in outcomes)
        yield store


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv"])
@pytest.mark.parametrize("fields", [(), ("price", "seo.title"), ("seo",)])
def test_a_pulled_sheet_plans_to_nothing(
    shop: Store, tmp_path: Path, name: str, fields: tuple[str, ...]
) -> None:
    losses = shop.pull(tmp_path / name, "product", fields=fields)
    assert losses == []
    assert shop.plan(tmp_path / name, tmp_path / "a.plan").is_empty


def test_an_edited_sheet_changes_what_was_edited_and_no_more(shop: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    shop.pull(path, where="handle = 'p-1'", fields=["seo.title", "price"])
    rows = cells(path)
    assert [row["sku"] for row in rows] == ["S-1-0", "S-1-1"]
    rows[1] |= {"price": "12.50"}
    rows[0] |= {"seo.title": "New"}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    plan = shop.plan(path, tmp_path / "a.plan")
    changed = {path for change in plan.changes() for path, _, _ in change.fields}
    assert changed == {"seo.title", "variants[S-1-1].price"}
    plan.apply(shop)
    live = shop.products.find("p-1")
    assert live is not None
    assert live.seo.title == "New"
    assert [variant.price for variant in live.variants] == [Money(11, "EUR"), Money("12.5", "EUR")]


def test_rows_that_were_taken_out_take_nothing_out(shop: Store, tmp_path: Path) -> None:
    shop.pull(tmp_path / "a.csv", fields=["price"])
    lines = (tmp_path / "a.csv").read_text("utf-8-sig").splitlines(keepends=True)
    kept = [line for line in lines if "S-1-1" not in line]
    (tmp_path / "a.csv").write_text("".join(kept), "utf-8")
    assert len(kept) == len(lines) - 1
    assert shop.plan(tmp_path / "a.csv", tmp_path / "a.plan").is_empty


def test_new_products_and_variants_come_from_a_sheet_of_hand(shop: Store, tmp_path: Path) -> None:
    path = table(
        tmp_path / "a.csv",
        """
        handle;title;option[Size];sku;price
        new;New;S;N-S;5
        new;;M;N-M;6
        """,
    )
    shop.plan(path, tmp_path / "a.plan").apply(shop)
    live = shop.products.find("new")
    assert live is not None
    assert [option.name for option in live.options] == ["Size"]
    assert [variant.options for variant in live.variants] == [("S",), ("M",)]
    assert shop.plan(path, tmp_path / "b.plan").is_empty


def test_a_sheet_of_skus_changes_prices_in_the_store(shop: Store, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "sku;price\nS-1-1;1\nS-3-0;2\nnobody;3")
    plan = shop.plan(path, tmp_path / "a.plan")
    assert plan.counts["update"] == 2
    assert [skipped.label for skipped in plan.skipped()] == ["nobody"]


def test_fields_of_other_kinds_are_refused(shop: Store, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="collection"):
        shop.pull(tmp_path / "a.csv", "collection", fields=["title"])
    with pytest.raises(ConfigError, match="title is close"):
        shop.pull(tmp_path / "a.csv", fields=["titel"])
    assert not (tmp_path / "a.csv").exists()


def test_the_command_line_pulls_edits_and_plans_a_workbook(
    shop: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from storebridge.cli.app import run

    sheet, plan, state = str(tmp_path / "seo.xlsx"), str(tmp_path / "a.plan"), str(tmp_path)
    where = "handle = 'p-1'"
    words = ["pull", shop.url, "--where", where, "--fields", "seo.title, vendor", "-o", sheet]
    assert run([*words, "--state", state]) == 0
    assert "1 product record " in capsys.readouterr().out
    (found,) = products(tmp_path / "seo.xlsx")
    assert found == Product(handle="p-1", seo=Seo(title="Old 1"))
    assert run(["plan", sheet, "--to", shop.url, "-o", plan, "--check", "--state", state]) == 0
    write(tmp_path / "seo.xlsx", [Product(handle="p-1", seo=Seo(title="", description="New"))], EUR)
    words = ["plan", sheet, "--to", shop.url, "--json", "--state", state]
    for blank, expected in (
        ("keep", {"seo.description"}),
        ("clear", {"seo.description", "seo.title"}),
    ):
        capsys.readouterr()
        assert run([*words, "--blank", blank, "-o", f"{plan}-{blank}"]) == 0
        changes = json.loads(capsys.readouterr().out)["changes"]
        fields = {field["path"] for change in changes for field in change["fields"]}
        assert fields == expected
    assert run(["pull", shop.url, "--fields", "titel", "-o", sheet, "--state", state]) != 0
    assert "title is close" in capsys.readouterr().err


@pytest.mark.parametrize("format", ["sheet", "matrixify"])
def test_a_long_sheet_takes_no_more_memory(tmp_path: Path, format: str) -> None:
    peaks = []
    for count in (200, 800):
        source = (
            Product(handle=f"p-{n}", title="T", variants=(Variant(sku=f"S-{n}", price=None),))
            for n in range(count)
        )
        tracemalloc.start()
        write(tmp_path / "a.csv", source, EUR, format)
        assert sum(1 for _ in read(tmp_path / "a.csv", EUR, format)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 300_000
