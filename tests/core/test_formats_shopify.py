from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storebridge.errors import Problem, SourceError
from storebridge.formats import Context, Loss, Sourced, read, write
from storebridge.models import (
    Attribute,
    Collection,
    InventoryLevel,
    MarketPrice,
    Media,
    Metafield,
    Money,
    Option,
    Product,
    Record,
    Seo,
    Variant,
    Weight,
)

DATA = Path(__file__).parents[1] / "data"
EUR = Context(currency="EUR", market_currencies={"Schweiz": "CHF", "Nordics": "SEK"})
LEGACY = Context(currency="EUR", market_currencies=EUR.market_currencies, variant="legacy")


def records(path: Path, context: Context = EUR, format: str = "shopify-csv") -> list[Record]:
    items = list(read(path, context, format))
    assert [item for item in items if isinstance(item, Problem)] == []
    return [item.record for item in items if isinstance(item, Sourced)]


def product(handle: str) -> Product:
    (found,) = [
        record
        for record in records(DATA / "shopify-apparel.csv")
        if isinstance(record, Product) and record.handle == handle
    ]
    return found


def read_rows(tmp_path: Path, *rows: dict[str, str], context: Context = EUR) -> list[Record]:
    header = list(dict.fromkeys(name for row in rows for name in row))
    with (tmp_path / "a.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return records(tmp_path / "a.csv", context)


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_product_of_three_options_is_read_whole() -> None:
    shirt = product("leinenhemd-kueste")
    assert shirt.title == "Leinenhemd Küste"
    assert '"M"' in shirt.description_html
    assert "\n" in shirt.description_html
    assert shirt.tags == ("Leinen", "Sommer")
    assert shirt.channels == ("Online Store",)
    assert shirt.seo == Seo(
        title="Leinenhemd Küste für warme Tage", description="Luftiges Hemd aus Leinen"
    )
    assert [option.name for option in shirt.options] == ["Farbe", "Größe", "Schnitt"]
    assert shirt.options[0].values == ("Weiß", "Blau")
    assert shirt.options[0].platform_fields == {
        "shopify": {"linked_to": "product.metafields.shopify.color-pattern"}
    }
    assert [variant.options for variant in shirt.variants] == [
        ("Weiß", "S", "Lang"),
        ("Weiß", "M", "Lang"),
        ("Blau", "M", "Kurz"),
    ]
    assert [media.position for media in shirt.media] == [1, 2, 3, 4]
    assert shirt.metafields == (Metafield(namespace="custom", key="care", value="Schonwaschgang"),)


def test_a_variant_is_read_whole() -> None:
    first, second, third = product("leinenhemd-kueste").variants
    assert first.price == Money("59.90", "EUR")
    assert first.compare_at_price == Money("79.90", "EUR")
    assert first.cost == Money("21.40", "EUR")
    assert first.barcodes == ("4006381333931",)
    assert first.inventory == (InventoryLevel(available=12),)
    assert first.tracked is True
    assert first.weight == Weight(value=Decimal("0.25"), unit="kg")
    assert first.market_prices == (
        MarketPrice(
            market="Schweiz",
            included=True,
            price=Money("64.00", "CHF"),
            compare_at_price=Money("84.00", "CHF"),
        ),
    )
    assert first.metafields == (Metafield(namespace="custom", key="season", value="2026 Sommer"),)
    assert "compare_at_price" not in second.given
    assert "metafields" not in third.given
    assert third.oversell is True
    assert third.inventory[0].available == -2
    assert third.media == ("https://cdn.example.com/apparel/hemd-blau.jpg",)


def test_what_the_model_lacks_is_kept() -> None:
    shirt = product("leinenhemd-kueste")
    google = shirt.platform_fields["shopify"]["google_shopping"]
    assert google["Google product category"] == "212"
    assert google["Manufacturer part number (MPN)"] == "NL-100"
    assert shirt.variants[1].platform_fields["shopify"] == {
        "fulfillment_service": "manual",
        "google_shopping": {"Manufacturer part number (MPN)": "NL-101"},
    }
    spray = product("linen-spray").variants[0].platform_fields["shopify"]
    assert spray["unit_price_total_measure"] == "250"
    apron = product("work-apron").variants[0]
    assert apron.tracked is True
    assert apron.platform_fields["shopify"]["inventory_tracker"] == "shipwire"


def test_a_product_without_options_has_one_variant() -> None:
    cap = product("wool-cap")
    assert cap.options == ()
    assert "options" in cap.given
    assert [variant.options for variant in cap.variants] == [()]


def test_an_option_that_is_called_title_is_one(tmp_path: Path) -> None:
    base = {"Handle": "book", "Variant Price": "5"}
    (book,) = read_rows(
        tmp_path,
        {**base, "Option1 Name": "Title", "Option1 Value": "Default Title"},
        {**base, "Option1 Name": "", "Option1 Value": "Second"},
    )
    assert isinstance(book, Product)
    assert book.options == (Option(name="Title", values=("Default Title", "Second")),)


def test_a_product_without_a_variant_has_none() -> None:
    book = product("lookbook")
    assert "variants" not in book.given
    assert "options" not in book.given
    assert len(book.media) == 2


def test_blank_is_not_given_but_a_blank_tracker_says_not_tracked(tmp_path: Path) -> None:
    (tee,) = read_rows(
        tmp_path, {"Handle": "tee", "Title": "", "Variant SKU": "T", "Variant Price": ""}
    )
    assert tee == Product(handle="tee", variants=(Variant(sku="T"),))
    (tee,) = read_rows(
        tmp_path, {"Handle": "tee", "Variant SKU": "T", "Variant Inventory Tracker": ""}
    )
    assert tee == Product(handle="tee", variants=(Variant(sku="T", tracked=False),))


@pytest.mark.parametrize(
    ("grams", "unit", "value"),
    [
        ("500", "kg", "0.5"),
        ("453.59237", "lb", "1"),
        ("454", "lb", "1.000899"),
        ("60", "oz", "2.11644"),
        ("0", "kg", "0"),
        ("31.5", "", "31.5"),
    ],
)
def test_a_weight_is_kept_in_its_display_unit(
    tmp_path: Path, grams: str, unit: str, value: str
) -> None:
    row = {"Handle": "a", "Variant SKU": "A", "Variant Grams": grams, "Variant Weight Unit": unit}
    (a,) = read_rows(tmp_path, row)
    assert isinstance(a, Product)
    assert a.variants[0].weight == Weight.model_validate({"value": value, "unit": unit or "g"})
    write(tmp_path / "b.csv", [a], LEGACY, "shopify-csv")
    written = Decimal(cells(tmp_path / "b.csv")[0]["Variant Grams"])
    assert abs(written - Decimal(grams)) <= Decimal("0.0005")
    assert records(tmp_path / "b.csv") == [a]


def test_barcodes_in_the_plural_are_a_list(tmp_path: Path) -> None:
    row = {"URL handle": "a", "SKU": "A", "Variant Barcodes": "4006381333931, 036000291452"}
    (a,) = read_rows(tmp_path, row)
    assert isinstance(a, Product)
    assert a.variants[0].barcodes == ("4006381333931", "036000291452")


def test_a_picture_that_every_row_repeats_is_one(tmp_path: Path) -> None:
    row = {"Handle": "a", "Image Src": "https://e.com/a.jpg", "Image Alt Text": "A"}
    (a,) = read_rows(tmp_path, {**row, "Variant SKU": "1"}, {**row, "Variant SKU": "2"})
    assert isinstance(a, Product)
    assert a.media == (Media(url="https://e.com/a.jpg", alt="A"),)


def test_a_row_can_ask_for_deletion(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Handle,Command\na,DELETE\nb,\n", "utf-8")
    found = [item for item in read(tmp_path / "a.csv", EUR) if isinstance(item, Sourced)]
    assert [(item.record.label, item.delete) for item in found] == [("a", True), ("b", False)]


def test_current_and_legacy_names_mean_the_same(tmp_path: Path) -> None:
    source = records(DATA / "shopify-apparel.csv")
    for context in (EUR, LEGACY):
        assert write(tmp_path / "b.csv", source, context, "shopify-csv") == []
        assert records(tmp_path / "b.csv") == source
    header = (tmp_path / "b.csv").read_text("utf-8").splitlines()[0]
    assert header.startswith("Title,Handle,Body (HTML),Vendor,Product Category,Type,Tags,Published")
    assert "Compare At Price / Schweiz" in header


@pytest.mark.parametrize("name", ["shopify-apparel.csv", "shopify-legacy.csv"])
@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize("context", [EUR, LEGACY], ids=["current", "legacy"])
def test_a_file_round_trips(tmp_path: Path, name: str, suffix: str, context: Context) -> None:
    source = records(DATA / name)
    out = tmp_path / f"out.{suffix}"
    assert write(out, iter(source), context, "shopify-csv") == []
    assert records(out, context, "") == source


def test_writing_is_stable(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", records(DATA / "shopify-apparel.csv"), EUR, "shopify-csv")
    write(tmp_path / "2.csv", records(tmp_path / "1.csv"), EUR, "shopify-csv")
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()


def test_no_cell_of_a_written_file_is_a_formula(tmp_path: Path) -> None:
    evil = [f"{sign}cmd|' /C calc'!A0" for sign in "=+-@\t\r＝＋－＠"]
    source = [
        Product(
            handle="evil",
            title=text,
            description_html=text,
            tags=("a",),
            options=(Option(name=text.strip(), values=(text.strip(),)),),
            variants=(
                Variant(
                    sku=text.strip(),
                    options=(text.strip(),),
                    inventory=(InventoryLevel(available=-5),),
                    price=Money(1, "EUR"),
                    metafields=(Metafield(namespace="x", key="y", value=text),),
                ),
            ),
        )
        for text in evil
    ]
    for number, one in enumerate(source):
        path = tmp_path / f"{number}.csv"
        write(path, [one], EUR, "shopify-csv")
        rows = list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))
        live = [c for row in rows for c in row if c.startswith(tuple("=+-@\t\r＝＋－＠"))]
        assert live == ["-5"]
        assert records(path) == [one]


def test_text_stays_text_in_a_workbook(tmp_path: Path) -> None:
    import python_calamine

    source = Product(
        handle="a",
        title="=1+1",
        variants=(Variant(sku="0042", barcodes=("4006381333931",), price=Money("9.90", "EUR")),),
    )
    write(tmp_path / "a.xlsx", [source], EUR, "shopify-csv")
    book = python_calamine.CalamineWorkbook.from_path(str(tmp_path / "a.xlsx"))
    header, row = book.get_sheet_by_index(0).to_python()
    values = dict(zip(header, row, strict=True))
    assert values["Title"] == "'=1+1"
    assert values["SKU"] == "0042"
    assert values["Barcode"] == "4006381333931"
    assert values["Price"] == 9.9
    assert records(tmp_path / "a.xlsx") == [source]


def test_a_code_that_excel_made_a_number_is_a_problem(tmp_path: Path) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(tmp_path / "a.xlsx")) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Handle", "Variant SKU", "Variant Barcode", "Variant Price"])
        sheet.write_row(1, 0, ["a", 1001, 4006381333931, 19.99])
    items = list(read(tmp_path / "a.xlsx", EUR))
    problem = next(item for item in items if isinstance(item, Problem))
    assert (problem.row, problem.column) == (2, "Variant Barcode")
    (sourced,) = [item for item in items if isinstance(item, Sourced)]
    assert isinstance(sourced.record, Product)
    assert sourced.record.variants[0].sku == "1001"
    assert sourced.record.variants[0].price == Money("19.99", "EUR")


def test_two_sheets_with_products_are_a_problem(tmp_path: Path) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(tmp_path / "a.xlsx")) as book:
        book.add_worksheet("Notes").write(0, 0, "Nothing here")
        for name in ("One", "Two"):
            book.add_worksheet(name).write_row(0, 0, ["Handle", "Title"])
    (problem,) = read(tmp_path / "a.xlsx", EUR)
    assert isinstance(problem, Problem)
    assert "One, Two" in problem.message


def test_no_workbook_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_text("Handle,Title\n", "utf-8")
    (problem,) = read(tmp_path / "a.xlsx", EUR)
    assert isinstance(problem, Problem)


def rich() -> Product:
    return Product(
        handle="rich",
        id="7",
        title="Rich",
        brand="B",
        status="private",
        featured=False,
        tags=("a,b",),
        channels=("Online Store", "POS"),
        collections=("c",),
        options=(Option(name="Size", values=("L", "S")),),
        attributes=(Attribute(name="x"),),
        metafields=(Metafield(namespace="n", key="k", type="text", value="v"),),
        platform_fields={"woocommerce": {"x": 1}, "shopify": {"unheard_of": 1}},
        variants=(
            Variant(
                options=("S",),
                price=Money(1, "USD"),
                inventory=(InventoryLevel(location="Berlin", available=1),),
                media=("https://e.com/1.jpg", "https://e.com/2.jpg"),
                virtual=True,
                tracked=True,
            ),
            Variant(
                options=("L",),
                inventory=(
                    InventoryLevel(location="A", available=1),
                    InventoryLevel(location="B", available=1),
                ),
            ),
        ),
    )


def test_what_the_format_can_not_hold_is_reported(tmp_path: Path) -> None:
    losses = write(tmp_path / "a.csv", [Collection(handle="c"), rich(), rich()], EUR, "shopify-csv")
    assert Loss("collection", "record", 1, "c") in losses
    assert all(loss.example == "rich" and loss.count == 2 for loss in losses[1:])
    assert {loss.field for loss in losses[1:]} == {
        "brand",
        "status",
        "tags (with a comma)",
        "channels",
        "collections",
        "attributes",
        "metafields.type",
        "options.values",
        "platform_fields.woocommerce",
        "platform_fields.shopify.unheard_of",
        "variants.price (not in EUR)",
        "variants.inventory.location",
        "variants.inventory (several locations)",
        "variants.media",
        "variants.virtual",
        "variants.tracked (not given)",
    }


def test_given_empties_are_empty_cells(tmp_path: Path) -> None:
    empty = Product(
        handle="a", tags=(), variants=(Variant(sku="A", compare_at_price=None, weight=None),)
    )
    assert write(tmp_path / "a.csv", [empty], EUR, "shopify-csv") == []
    (row,) = cells(tmp_path / "a.csv")
    assert row["Tags"] == row["Compare-at price"] == row["Weight value (grams)"] == ""


def test_a_product_without_a_handle_gets_one_of_its_own(tmp_path: Path) -> None:
    source = [Product(title="Blue Shirt"), Product(title="Blue Shirt"), Product(handle="x")]
    write(tmp_path / "a.csv", source, EUR, "shopify-csv")
    assert [row["URL handle"] for row in cells(tmp_path / "a.csv")] == [
        "blue-shirt",
        "blue-shirt-2",
        "x",
    ]


def test_a_product_with_four_options_is_not_written(tmp_path: Path) -> None:
    many = Product(handle="m", options=tuple(Option(name=str(n)) for n in range(4)))
    (loss,) = write(tmp_path / "a.csv", [many], EUR, "shopify-csv")
    assert loss.field.startswith("record")
    assert cells(tmp_path / "a.csv") == []


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx", "a.jsonl"])
def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, name: str) -> None:
    def source() -> Any:
        yield Product(handle="a")
        raise RuntimeError("the store went away")

    (tmp_path / name).write_text("old", "utf-8")
    format = "jsonl" if name.endswith("jsonl") else "shopify-csv"
    with pytest.raises(RuntimeError):
        write(tmp_path / name, source(), EUR, format)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text("utf-8") == "old"


def test_an_unknown_delimiter_is_refused_on_writing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="--delimiter"):
        write(tmp_path / "a.csv", [], Context(delimiter="xx"), "shopify-csv")
    assert list(tmp_path.iterdir()) == []


# --- any product of the file's shape round trips -------------------------------------------------

TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\x1b\ufdd0"), min_size=1
).filter(lambda text: text.strip() != "")
WORD = TEXT.map(str.strip).filter(lambda text: "," not in text)
HANDLE = st.from_regex(r"[a-z0-9ä]{1,8}(-[a-z0-9]{1,3})?", fullmatch=True)
AMOUNT = st.decimals(0, 99999, places=2).map(lambda amount: Money(amount, "EUR"))
WEIGHT = st.builds(
    lambda grams, unit: Weight(value=Decimal(grams) / 1000, unit=unit),
    st.integers(0, 10**6),
    st.sampled_from(["g", "kg"]),
)


@st.composite
def products(draw: st.DrawFn) -> list[Product]:
    """Return products with distinct handles; each gives the same variant fields."""
    made = []
    for handle in draw(st.lists(HANDLE, min_size=1, max_size=3, unique=True)):
        names = draw(st.lists(WORD, max_size=3, unique=True))
        choices = draw(
            st.lists(
                st.tuples(*(WORD for _ in names)),
                min_size=1,
                max_size=4 if names else 1,
                unique=True,
            )
        )
        if names == ["Title"]:
            continue
        variants = [
            Variant(
                sku=f"{handle}-{number}",
                options=choice,
                price=draw(AMOUNT),
                tracked=draw(st.booleans()),
                oversell=draw(st.booleans()),
                inventory=(InventoryLevel(available=draw(st.integers(-99, 999))),),
                weight=draw(WEIGHT),
                taxable=draw(st.booleans()),
                metafields=(Metafield(namespace="n", key="k", value=draw(TEXT)),),
            )
            for number, choice in enumerate(choices)
        ]
        options = [
            Option(name=name, values=tuple(dict.fromkeys(choice[at] for choice in choices)))
            for at, name in enumerate(names)
        ]
        made.append(
            Product(
                handle=handle,
                title=draw(TEXT),
                description_html=draw(TEXT),
                vendor=draw(WORD),
                tags=tuple(draw(st.lists(WORD, min_size=1, max_size=3))),
                options=tuple(options),
                variants=tuple(variants),
                media=(Media(url=f"https://e.com/{handle}.jpg", alt=draw(TEXT)),),
            )
        )
    return made


@given(products(), st.sampled_from(["csv", "xlsx"]), st.sampled_from([EUR, LEGACY]))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_product_round_trips(
    tmp_path: Path, source: list[Product], suffix: str, context: Context
) -> None:
    path = tmp_path / f"a.{suffix}"
    assert write(path, source, context, "shopify-csv") == []
    assert records(path, context) == source
