"""Everything that is wrong in a file is said at once, with its place and what to do."""

from __future__ import annotations

import importlib.util
import tracemalloc
from pathlib import Path
from types import ModuleType

import pytest

from storebridge.errors import Problem, SourceError
from storebridge.formats import FORMATS, Context, Sourced, detect, read, write
from storebridge.models import Collection, Product, Record

EUR = Context(currency="EUR", market_currencies={"Schweiz": "CHF"})
SHOPIFY = ("Handle", "Title", "Option1 Name", "Option1 Value", "Variant SKU", "Variant Price")


def catalogue() -> ModuleType:
    path = Path(__file__).parents[1] / "catalogue.py"
    spec = importlib.util.spec_from_file_location("catalogue", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table(path: Path, header: tuple[str, ...], *rows: tuple[str, ...]) -> Path:
    lines = [header, *rows]
    path.write_text("".join(",".join(f'"{c}"' for c in row) + "\n" for row in lines), "utf-8")
    return path


def problems(path: Path, context: Context = EUR) -> list[Problem]:
    return [item for item in read(path, context) if isinstance(item, Problem)]


def shopify(path: Path, column: str, value: str, context: Context = EUR) -> list[Problem]:
    """Return the problems of a file with one more column."""
    row = ("tee", "Tee", "Title", "Default Title", "T-1", "9.90")
    header = (*(name for name in SHOPIFY if name != column), column)
    cells = (*(c for name, c in zip(SHOPIFY, row, strict=True) if name != column), value)
    return problems(table(path / "a.csv", header, cells), context)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Variant Price", "19,99"),
        ("Variant Price", "1e3"),
        ("Variant Price", "-1"),
        ("Variant Price", "abc"),
        ("Variant Price", "１９"),
        ("Variant Price", "1.999"),
        ("Variant Price", "€5"),
        ("Variant Price", "10 USD"),
        ("Variant Compare At Price", "1.2.3"),
        ("Cost per item", "NaN"),
        ("Price / Schweiz", "1 000"),
        ("Price / Schweiz", "-3"),
        ("Price / Schweiz", "10 USD"),
        ("Variant Inventory Qty", "1.5"),
        ("Variant Inventory Qty", "many"),
        ("Variant Inventory Policy", "maybe"),
        ("Variant Weight Unit", "stone"),
        ("Variant Grams", "heavy"),
        ("Variant Grams", "-5"),
        ("Variant Taxable", "2"),
        ("Published", "perhaps"),
        ("Status", "live"),
        ("Image Src", "ftp://example.com/a.jpg"),
        ("Image Src", "images/a.jpg"),
        ("Image Src", "https:///a.jpg"),
        ("Variant Image", "a.jpg"),
        ("Variant SKU", "4.00638E+12"),
        ("Variant Barcode", "4,0E+12"),
        ("Handle", "a b"),
        ("Handle", "a/b"),
        ("Option2 Value", "Red"),
        ("Command", "EXPLODE"),
    ],
)
def test_a_wrong_cell_is_named(tmp_path: Path, column: str, value: str) -> None:
    found = shopify(tmp_path, column, value)
    assert [(p.file, p.row, p.column) for p in found] == [("a.csv", 2, column)]
    assert value in found[0].value or found[0].value.startswith(value)
    assert found[0].message
    assert found[0].remedy


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Variant Price", "19.99 EUR"),
        ("Variant Price", "0"),
        ("Price / Schweiz", "5.05"),
        ("Variant Inventory Qty", "-3"),
        ("Variant Weight Unit", "KG"),
        ("Published", "TRUE"),
        ("Status", "Active"),
        ("Image Src", "https://example.com/ü.jpg?v=1"),
        ("Variant SKU", "1E5"),
        ("Handle", "größe-外套"),
        ("Notes", "whatever"),
        ("Command", "DELETE"),
    ],
)
def test_a_right_cell_is_not(tmp_path: Path, column: str, value: str) -> None:
    assert shopify(tmp_path, column, value) == []


def test_digits_fit_the_currency(tmp_path: Path) -> None:
    (problem,) = shopify(tmp_path, "Variant Price", "10.5", Context(currency="JPY"))
    assert (problem.row, problem.column) == (2, "Variant Price")
    assert shopify(tmp_path, "Variant Price", "10.555", Context(currency="KWD")) == []


def test_an_unknown_currency_is_asked_for_once(tmp_path: Path) -> None:
    rows = [(f"p{n}", "P", "", "", f"S-{n}", "9.90") for n in range(5)]
    (problem,) = problems(table(tmp_path / "a.csv", SHOPIFY, *rows), Context())
    assert "--currency" in problem.remedy
    (problem,) = shopify(tmp_path, "Price / Nordics", "9", EUR)
    assert "--market-currency" in problem.remedy


def test_the_key_column_must_be_there(tmp_path: Path) -> None:
    (problem,) = problems(table(tmp_path / "a.csv", ("Title", "Variant Price"), ("Tee", "9")))
    assert (problem.row, problem.column) == (1, "URL handle")
    path = table(tmp_path / "w.csv", ("Name", "Regular price"), ("Tee", "9"))
    (problem,) = problems(path)
    assert problem.column == "SKU"


@pytest.mark.parametrize(
    ("header", "column"),
    [
        (("Handle", "Title", "title"), "title"),
        (("Handle", "URL handle", "Title"), "URL handle"),
        (("Handle", "", "Title"), ""),
        (("Handle", "Title", "Variant Prise"), "Variant Prise"),
    ],
)
def test_a_wrong_header_is_named(tmp_path: Path, header: tuple[str, ...], column: str) -> None:
    found = problems(table(tmp_path / "a.csv", header, ("a", "a", "a")))
    assert [(p.row, p.column) for p in found] == [(1, column)]


def test_a_column_can_be_translated_or_left_out(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", ("Kürzel", "Title", "Variant Prise"), ("a", "A", "?"))
    context = Context(headers={"kürzel": "Handle", "Variant Prise": ""})
    (item,) = read(path, context)
    assert isinstance(item, Sourced)
    assert item.record == Product(handle="a", title="A")


def test_rows_of_one_product_stand_together(tmp_path: Path) -> None:
    rows = [
        ("a", "A", "Size", "S", "A-S", "9"),
        ("b", "B", "Size", "S", "B-S", "9"),
        ("a", "", "", "M", "A-M", "9"),
        ("b", "Other B", "Size", "S", "B-S", "9"),
    ]
    found = problems(table(tmp_path / "a.csv", SHOPIFY, *rows))
    assert [(p.row, p.column, p.value) for p in found] == [
        (4, "Option1 Value", "M"),
        (4, "Handle", "a"),
        (5, "Handle", "b"),
        (5, "Variant SKU", "B-S"),
    ]
    assert "Row 2" in found[1].message
    assert "Row 3" in found[3].message


def test_options_and_variants_agree(tmp_path: Path) -> None:
    rows = [
        ("a", "A", "Size", "S", "A-S", "9"),
        ("a", "", "", "S", "A-S", "9"),
        ("a", "", "", "", "A-X", "9"),
        ("a", "Another", "", "L", "A-L", "9"),
        ("", "", "", "XL", "A-XL", "9"),
    ]
    found = problems(table(tmp_path / "a.csv", SHOPIFY, *rows))
    assert [(p.row, p.column) for p in found] == [
        (5, "Title"),
        (4, "Option1 Value"),
        (3, "Option1 Value"),
        (3, "Variant SKU"),
        (6, "Handle"),
    ]


def test_a_picture_needs_its_address(tmp_path: Path) -> None:
    (problem,) = shopify(tmp_path, "Image Alt Text", "A red shirt")
    assert (problem.row, problem.column) == (2, "Image Alt Text")


def test_all_problems_of_a_file_are_found(tmp_path: Path) -> None:
    rows = [(f"p{n}", "P", "", "", f"S-{n}", "9,90") for n in range(50)]
    found = problems(table(tmp_path / "a.csv", SHOPIFY, *rows))
    assert [problem.row for problem in found] == list(range(2, 52))


WOO = (
    *("ID", "Type", "SKU", "Name", "Regular price", "Parent"),
    *("Attribute 1 name", "Attribute 1 value(s)"),
)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Regular price", "19,99"),
        ("Regular price", "-1"),
        ("Sale price", "1e3"),
        ("Published", "7"),
        ("Visibility in catalog", "nowhere"),
        ("Stock", "1.5"),
        ("Backorders allowed?", "2"),
        ("Tax status", "free"),
        ("In stock?", "soon"),
        ("Weight (kg)", "1,5"),
        ("Length (cm)", "-2"),
        ("Images", "shirt.jpg"),
        ("Date sale price starts", "31/12/2026"),
        ("SKU", "4.0E+12"),
        ("Position", "first"),
    ],
)
def test_a_wrong_woocommerce_cell_is_named(tmp_path: Path, column: str, value: str) -> None:
    values = {"ID": "1", "Type": "simple", "SKU": "A", "Name": "A", "Regular price": "9"}
    values[column] = value
    path = table(tmp_path / "a.csv", tuple(values), tuple(values.values()))
    found = problems(path, Context(currency="EUR", time_zone="UTC"))
    assert [(p.row, p.column) for p in found] == [(2, column)]


def test_variations_need_their_parent(tmp_path: Path) -> None:
    rows = [
        ("2", "variation", "A-1", "", "9", "nobody", "Size", "S"),
        ("3", "variation", "A-2", "", "9", "", "Size", "S"),
        ("4", "variation", "A-3", "", "9", "plain", "Size", "S"),
        ("5", "simple", "plain", "Plain", "9", "", "", ""),
        ("6", "variable", "shirt", "Shirt", "", "", "Size", "S, M"),
        ("7", "variation", "A-4", "", "9", "shirt", "Size", "XXL"),
        ("8", "variation", "A-5", "", "9", "shirt", "Colour", "Red"),
        ("9", "simple", "plain", "Plain again", "9", "", "", ""),
    ]
    found = problems(table(tmp_path / "a.csv", WOO, *rows))
    assert [(p.row, p.column, p.value) for p in found] == [
        (3, "Parent", ""),
        (2, "Parent", "nobody"),
        (4, "Parent", "plain"),
        (8, "Parent", "Colour"),
        (7, "Parent", "XXL"),
        (9, "SKU", "plain"),
    ]


def test_units_and_zones_that_nothing_names_are_asked_for(tmp_path: Path) -> None:
    header = ("SKU", "Name", "Weight", "Sale price", "Date sale price starts", "Length (miles)")
    row = ("A", "A", "2", "9", "2026-01-01", "")
    found = problems(table(tmp_path / "a.csv", header, row, ("B", "B", "2", "9", "2026-01-01", "")))
    assert [(p.row, p.column) for p in found] == [
        (1, "Length (miles)"),
        (2, "Date sale price starts"),
        (2, "Weight"),
    ]
    assert "--time-zone" in found[1].remedy
    assert "--weight-unit" in found[2].remedy


def test_formats_are_told_apart(tmp_path: Path) -> None:
    data = Path(__file__).parents[1] / "data"
    assert detect(data / "shopify-apparel.csv", EUR).name == "shopify-csv"
    assert detect(data / "shopify-legacy.csv", EUR).name == "shopify-csv"
    assert detect(data / "woocommerce-products.csv", EUR).name == "woocommerce-csv"
    assert detect(tmp_path / "x.jsonl", EUR).name == "jsonl"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.csv", ("Artikel", "Preis")),
        ("a.csv", ("SKU", "Description")),
        ("a.csv", ("Handle", "Regular price")),
        ("a.pdf", ("Handle", "Title")),
    ],
)
def test_an_unclear_format_is_asked_for(tmp_path: Path, name: str, header: tuple[str, ...]) -> None:
    path = table(tmp_path / name, header, ("a", "b"))
    with pytest.raises(SourceError, match="--format"):
        detect(path, EUR)
    assert "--format" in problems(path)[0].remedy


def test_an_unknown_format_names_the_known_ones(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", ("Handle", "Title"), ("a", "A"))
    (problem,) = read(path, EUR, "excel")
    assert isinstance(problem, Problem)
    assert all(name in problem.remedy for name in FORMATS)
    with pytest.raises(SourceError, match="--format"):
        write(tmp_path / "b.pdf", [], EUR)


def test_the_made_catalogue_is_always_the_same(tmp_path: Path) -> None:
    make = catalogue()
    for name in ("a.csv", "b.csv"):
        make.write_shopify_csv(tmp_path / name, 20, variants_each=7)
    make.write_shopify_csv(tmp_path / "c.csv", 20, variants_each=7, seed=1)
    first, again, other = ((tmp_path / f"{name}.csv").read_bytes() for name in "abc")
    assert first == again != other
    context = Context(currency="EUR", market_currencies=make.MARKETS)
    found = [item.record for item in read(tmp_path / "a.csv", context) if isinstance(item, Sourced)]
    assert len(found) == 20
    assert all(isinstance(r, Product) and len(r.variants) == 7 for r in found)


def test_memory_is_flat(tmp_path: Path) -> None:
    make = catalogue()

    def peak(products: int) -> int:
        make.write_shopify_csv(tmp_path / "a.csv", products)
        context = Context(currency="EUR", market_currencies=make.MARKETS)
        tracemalloc.start()
        for item in read(tmp_path / "a.csv", context):
            assert isinstance(item, Sourced)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(100)  # fills the caches that all files share
    # 800 more products would hold over 15 MB; a file's own caches of amounts grow a little.
    assert peak(1200) - peak(400) < 1_500_000


def test_what_many_rows_have_is_told_once() -> None:
    rows = [Problem("no price", "Give one.", "a.csv", n, "Price", f"{n}") for n in range(2, 902)]
    other = Problem("no title", "Give one.", "a.csv", 7, "Title")
    lines = str(SourceError([*rows, other])).splitlines()
    values = "'2', '3', '4', '5', '6'"
    assert lines == [
        f"a.csv, 900 rows (2, 3, 4, 5, 6, …), column 'Price': no price ({values}). Give one.",
        "a.csv, row 7, column 'Title': no title. Give one.",
    ]


def test_a_weight_below_zero_is_told_as_it_stands(tmp_path: Path) -> None:
    header = ("Handle", "Title", "Variant Grams", "Variant Weight Unit")
    (problem,) = problems(table(tmp_path / "a.csv", header, ("tee", "Tee", "-3", "kg")))
    assert (problem.value, problem.message) == ("-3", "This can't be below zero")


def test_a_slip_of_two_letters_in_a_column_is_told(tmp_path: Path) -> None:
    (problem,) = shopify(tmp_path, "Vendro", "")
    assert (problem.row, problem.column) == (1, "Vendro")
    assert problem.message == "There is no such column; Vendor is close"


@pytest.mark.parametrize("format", ["sheet", "shopify-csv", "woocommerce-csv", "collections"])
def test_a_text_that_fits_no_cell_is_told_with_its_record(tmp_path: Path, format: str) -> None:
    record: Record = Product(handle="tee", title="Tee", description_html="x" * 40_000)
    if format == "collections":
        record = Collection(handle="tee", description_html="x" * 40_000)
    losses = write(tmp_path / "a.xlsx", [record], EUR, format)
    (found,) = (loss for loss in losses if "over 32767 characters" in loss.field)
    assert (found.kind, found.count, found.example) == (record.kind, 1, "tee")
