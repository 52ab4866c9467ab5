from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

import storebridge
from storebridge import report
from storebridge.errors import Problem, SourceError
from storebridge.formats import Context, Sourced, read
from storebridge.formats.cells import BadCell
from storebridge.formats.mapping import TableMapping
from storebridge.formats.mapping_cells import currency_of, number, time
from storebridge.models import InventoryLevel, Money, Product

EUR = Context(currency="EUR")

GERMAN = """\
Artikelnr.;Modell;Bezeichnung;Größe/Farbe;EK netto;UVP;Bestand;EAN;Bild 1;Bild 2;Gewicht;\
Schlagworte;Material;Aktion bis;Aktion
TS-100-M;TS-100;T-Shirt;M / Rot;1.012,50;19,99 €;>50;4006381333931;https://e.com/1.jpg;\
https://e.com/2.jpg;0,25;neu, Sommer;Wolle, Seide;31.12.2026;15,-
TS-100-L;TS-100;T-Shirt;L / Rot;8,50;19,99 €;3;;https://e.com/3.jpg;;0,25;neu, Sommer;Wolle, Seide;;

Summe;;;;;;53;;;;;;;;
HO-1;HO;Hose;XL / Blau;30;EUR 49,00;ausverkauft;;;;;;;;
TS-100-S;TS-100;T-Shirt;S / Rot;8,50;19,99 €;;;;;300 G;neu, Sommer;Wolle, Seide;;
"""
GERMAN_MAPPING = """
[file]
encoding = "windows-1252"
delimiter = ";"
decimal = ","
dates = "DMY"
currency = "EUR"
weight_unit = "kg"
time_zone = "UTC"

[rows]
leave_out = [{ column = "Artikelnr.", matches = "^Summe" }]

[products]
by = "Modell"

[columns]
"Artikelnr." = "sku"
"EK netto" = "cost"
UVP = "price"
EAN = "barcodes"
"Bild *" = "media"
Gewicht = "weight"
Material = "attribute[Material]"
"Aktion bis" = "sale.ends_at"
Aktion = "sale.price"

[columns."Größe/Farbe"]
to = ["option[Größe]", "option[Farbe]"]
split = "/"

[columns.Bestand]
to = "inventory"
values = { ">50" = 50, ausverkauft = 0 }
default = 1

[columns.Schlagworte]
to = "tags"
split = ","
prefix = "acme-"

[fields]
vendor = "Acme"
handle = "{Modell}"
title = "{vendor} {Bezeichnung}"
tags = ["alle"]
"media.alt" = "{title}"
"""


def german(tmp_path: Path, text: str = GERMAN) -> Path:
    path = tmp_path / "preisliste.csv"
    path.write_bytes(text.encode("cp1252"))
    return path


def run(
    path: Path, mapping: str, context: Context = EUR, folder: Path | None = None
) -> tuple[list[Sourced], list[Problem]]:
    loaded = TableMapping.parse(mapping, "acme.toml", folder)
    items = list(read(path, replace(loaded.context(context), mapping=loaded)))
    return (
        [item for item in items if isinstance(item, Sourced)],
        [item for item in items if isinstance(item, Problem)],
    )


def products(path: Path, mapping: str, **options: Any) -> list[Product]:
    found, problems = run(path, mapping, **options)
    assert problems == []
    return [item.record for item in found if isinstance(item.record, Product)]


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "a.csv"
    rows = [line.strip().split(";") for line in text.strip().splitlines()]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def broken(text: str) -> str:
    with pytest.raises(SourceError) as error:
        TableMapping.parse(text, "acme.toml")
    assert all(problem.file == "acme.toml" and problem.remedy for problem in error.value.problems)
    return str(error.value)


# --- three suppliers ------------------------------------------------------------------------------


def test_a_german_shop_file_becomes_products(tmp_path: Path) -> None:
    shirt, trousers = products(german(tmp_path), GERMAN_MAPPING)
    assert (shirt.handle, shirt.title, shirt.vendor) == ("ts-100", "Acme T-Shirt", "Acme")
    assert shirt.tags == ("acme-neu", "acme-Sommer", "alle")
    assert [option.name for option in shirt.options] == ["Größe", "Farbe"]
    assert [v.options for v in shirt.variants] == [("M", "Rot"), ("L", "Rot"), ("S", "Rot")]
    medium, large, small = shirt.variants
    assert (medium.cost, medium.price) == (Money("1012.50", "EUR"), Money("19.99", "EUR"))
    assert medium.sale is not None
    assert (medium.sale.price, medium.sale.ends_at) == (
        Money(15, "EUR"),
        datetime.fromisoformat("2026-12-31T00:00:00+00:00"),
    )
    assert medium.barcodes == ("4006381333931",)
    assert [v.inventory[0].available for v in shirt.variants] == [50, 3, 1]
    assert large.weight is not None
    assert (large.weight.value, large.weight.unit) == (
        pytest.approx(0.25),
        "kg",
    )
    assert small.weight is not None
    assert small.weight.unit == "g"
    assert [(m.url, m.alt) for m in shirt.media] == [
        (f"https://e.com/{n}.jpg", "Acme T-Shirt") for n in (1, 2, 3)
    ]
    assert shirt.attributes[0].values == ("Wolle, Seide",)
    assert trousers.variants[0].price == Money(49, "EUR")
    assert trousers.variants[0].inventory == (InventoryLevel(available=0),)
    assert "media" not in trousers.given
    assert "attributes" not in trousers.given


def workbook(path: Path) -> Path:
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet("Deckblatt").write(0, 0, "Acme Katalog 2026")
        sheet = book.add_worksheet("Artikel")
        sheet.write(0, 0, "Acme GmbH - Preisliste Herbst")
        sheet.merge_range(2, 1, 2, 2, "Artikel")
        sheet.merge_range(2, 4, 2, 5, "Preis")
        sheet.write(2, 3, "EAN")
        for column, name in enumerate(
            ["Typ", "Nr.", "Name", "", "netto", "brutto", "Liefertermin"]
        ):
            sheet.write(3, column, name)
        sheet.write(4, 1, "(alle Preise in EUR)")
        day = book.add_format({"num_format": "dd.mm.yyyy"})
        rows: list[list[Any]] = [
            ["Modell", "M-1", "Becher", "", "", ""],
            ["Variante", "M-1-R", "Becher rot", 4006381333931, 1.125, 9.9],
            ["Variante", "M-1-B", "Becher blau", 12345670, "1,5", "9,90"],
            ["Modell", "M-2", "Teller", "", "", ""],
            ["Variante", "M-2-W", "Teller weiß", "", 2, 12],
        ]
        for number, row in enumerate(rows, 5):
            for column, value in enumerate(row):
                if value != "":
                    sheet.write(number, column, value)
        sheet.write_datetime(6, 6, datetime(2026, 3, 1), day)
        sheet.write(6, 9, "siehe Katalog")
    return path


WORKBOOK_MAPPING = """
[file]
sheet = "Artikel"
header = [3, 4]
decimal = ","
[rows]
skip = 1
[products]
by = "Artikel Nr."
pattern = "^(M-[0-9]+)"
parents = { column = "Typ", is = "Modell" }
[columns]
"Artikel Nr." = "sku"
"Preis brutto" = "price"
Liefertermin = "sale.starts_at"
[columns."Preis netto"]
to = "cost"
round = 2
[columns.EAN]
to = "barcodes"
digits = 13
[columns."Artikel Name"]
to = "title"
rows = "first"
"""


def test_a_workbook_with_titles_merged_headers_and_parents_becomes_products(tmp_path: Path) -> None:
    path = workbook(tmp_path / "herbst.xlsx")
    mapping = WORKBOOK_MAPPING.replace('Liefertermin = "sale.starts_at"\n', "")
    cup, plate = products(path, mapping)
    assert (cup.title, plate.title) == ("Becher", "Teller")
    red, blue = cup.variants
    assert (red.sku, blue.sku) == ("M-1-R", "M-1-B")
    # 1.125 is the workbook's own number, no thousand: 1,125 in the file's notation.
    assert (red.cost, blue.cost) == (Money("1.13", "EUR"), Money("1.50", "EUR"))
    assert (red.price, blue.price) == (Money("9.9", "EUR"), Money("9.90", "EUR"))
    assert (red.barcodes, blue.barcodes) == (("4006381333931",), ("0000012345670",))
    (item, *_), _ = run(path, mapping)
    assert item.row == 6


def test_a_wide_file_with_picture_columns_and_child_rows_becomes_products(tmp_path: Path) -> None:
    pictures = tmp_path / "photos"
    pictures.mkdir()
    for name in ("MUG-1_10.jpg", "MUG-1_2.JPG", "MUG-10_1.jpg", "lamp.png", "MUG-1_x.txt"):
        (pictures / name).write_bytes(b"x")
    path = table(
        tmp_path,
        """
        Parent SKU;SKU;Name;RRP (USD);Price CH;Name DE;Qty;Image;Material;Care;Active
        ;MUG;Mug;;;Tasse;;;Clay;;Y
        MUG;MUG-1;Mug red;$1,012.50;11.00;Tasse;5;;Clay;;Y
        MUG;MUG-10;Mug blue;12.50;11.00;Tasse;6;;Clay;;Y
        ;LAMP;Lamp;99;90;Lampe;1;lamp.png;Steel;Dry;N
        """,
    )
    mapping = """
        [file]
        decimal = "."
        [products]
        by = ["Parent SKU", "SKU"]
        parents = { column = "RRP (USD)", empty = true }
        [columns]
        SKU = "sku"
        Qty = "inventory"
        "Name DE" = "title[de]"
        Image = "media"
        Name = { to = "title", rows = "first" }
        "RRP (USD)" = { to = "price", currency = "USD" }
        "Price CH" = { to = "price[switzerland]", currency = "CHF" }
        Active = { to = "status", values = { Y = "active", N = "draft" } }
        [fields]
        attributes = "Material: {Material} | Care: {Care}"
        "seo.title" = "{title} {{sale}}"
        [pictures]
        folder = "photos"
        pattern = "{sku}_*.jpg"
    """
    context = Context(currency="USD")
    mug, lamp = products(path, mapping, context=context, folder=tmp_path)
    assert [Path(m.url).name for m in mug.media] == ["MUG-1_2.JPG", "MUG-1_10.jpg", "MUG-10_1.jpg"]
    assert all(m.url.startswith("file:///") for m in mug.media)
    assert [Path(m.url).name for m in lamp.media] == ["lamp.png"]
    assert mug.variants[0].price == Money("1012.50", "USD")
    assert mug.variants[0].market_prices[0].price == Money("11.00", "CHF")
    assert (mug.title, mug.status, lamp.status) == ("Mug", "active", "draft")
    assert mug.translations[0].value == "Tasse"
    assert mug.seo.title == "Mug {sale}"
    assert [v.sku for v in mug.variants] == ["MUG-1", "MUG-10"]
    assert lamp.variants[0].sku == "LAMP"


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sign", "value"),
    [
        ("1.234,50", ",", "1234.50"),
        ("1 234,5", ",", "1234.5"),
        ("1\u202f234,5", ",", "1234.5"),
        ("1'234.50", ".", "1234.50"),
        ("1,234", ".", "1234"),
        ("1,234", ",", "1.234"),
        ("12,-", ",", "12"),
        ("-3,5", ",", "-3.5"),
        (",5", ",", ".5"),
        ("12.50", "", "12.50"),
    ],
)
def test_numbers_are_read_by_their_decimal_sign(text: str, sign: Any, value: str) -> None:
    assert number(text, sign) == value


@pytest.mark.parametrize(
    ("text", "sign"),
    [("1,5", ""), ("1.5", ","), ("12.34,5", ","), ("1,2,3", ","), ("x", "."), ("1 23", ".")],
)
def test_numbers_that_could_be_others_are_refused(text: str, sign: Any) -> None:
    with pytest.raises(BadCell):
        number(text, sign)


@pytest.mark.parametrize(("sign", "amount"), [(".", "12.50"), (",", "12500")])
def test_a_dot_that_may_stand_between_thousands_is_asked_for(
    tmp_path: Path, sign: str, amount: str
) -> None:
    path = table(tmp_path, "Nr;Preis\nA;12.500 €")
    mapping = '[columns]\nNr = "sku"\nPreis = { to = "price", round = 2 }\n'
    (problem,) = run(path, mapping)[1]
    assert "which sign begins the decimals" in problem.remedy
    (product,) = products(path, f'[file]\ndecimal = "{sign}"\n{mapping}')
    assert product.variants[0].price == Money(amount, "EUR")


def test_marks_mean_currencies_only_where_that_is_clear() -> None:
    assert currency_of("€") == "EUR"
    assert currency_of("$", "CAD") == "CAD"
    assert currency_of("$") == currency_of("$", "EUR") == ""
    assert currency_of("CHF") == "CHF"


def test_dates_need_their_order() -> None:
    assert time("31.05.2026", "DMY") == "2026-05-31"
    assert time("5/31/26 18:05", "MDY") == "2026-05-31 18:05:00"
    assert time("2026-05-31", "") == "2026-05-31"
    with pytest.raises(BadCell, match="which day"):
        time("01.02.2026", "")
    with pytest.raises(BadCell, match="no date in the order"):
        time("31.05.2026", "MDY")


def test_a_price_in_another_currency_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, "Nr;Preis\nA;$ 5\nB;£5\nC;5 EUR")
    mapping = '[columns]\nNr = "sku"\nPreis = { to = "price", currency = "EUR" }'
    _, problems = run(path, mapping)
    assert [p.row for p in problems] == [2, 3]
    assert [p.value for p in problems] == ["$ 5", "£5"]


def test_a_feed_changes_variants_wherever_they_are(tmp_path: Path) -> None:
    path = table(tmp_path, "Art;Menge\nA;5\nB;7")
    found = products(path, '[columns]\nArt = "sku"\nMenge = "inventory"')
    assert [product.given for product in found] == [{"variants"}, {"variants"}]


def test_a_file_without_a_header_is_mapped_by_letters(tmp_path: Path) -> None:
    path = table(tmp_path, "A1;Hemd;5\nA2;Hose;6")
    mapping = '[file]\nheader = 0\n[columns]\nA = "sku"\nB = "title"\nC = "price"'
    assert [product.title for product in products(path, mapping)] == ["Hemd", "Hose"]


def test_blank_cells_take_what_stands_above(tmp_path: Path) -> None:
    path = table(tmp_path, "M;S;N\nTS;TS-1;Hemd\n;TS-2;\nHO;HO-1;Hose\n;HO-2;")
    mapping = '[rows]\nfill_down = ["M"]\n[products]\nby = "M"\n[columns]\nS = "sku"\nN = "title"'
    found = products(path, mapping)
    assert [[v.sku for v in p.variants] for p in found] == [["TS-1", "TS-2"], ["HO-1", "HO-2"]]


def test_pictures_never_leave_their_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (tmp_path / "in" / "A.jpg").write_bytes(b"x")
    path = table(tmp_path, "S;B\nA;../secret.jpg\n*;\n../secret;")
    mapping = """
        [columns]
        S = "sku"
        B = "media"
        [pictures]
        folder = "in"
        pattern = "{sku}.jpg"
    """
    found, problems = run(path, mapping, folder=tmp_path)
    assert len(problems) == 1
    assert "leads out of the folder" in problems[0].message
    media = [item.record.media for item in found if isinstance(item.record, Product)]
    assert media[1:] == [(), ()]


# --- what is wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[file]\nsheeet = "x"\n[columns]\nA = "sku"', "[file] has nothing called 'sheeet'; sheet"),
        ('[columns]\nA = "sku"\nB = "prise"', "price is close"),
        ('[colums]\nA = "sku"', "nothing called 'colums'; columns is close"),
        ('[columns]\nA = "sku"\n[columns.B]\nto = "title"\ndecimal = ","', "says nothing about"),
        ('[columns]\nA = "title"', "no column says which products"),
        ('[columns]\nA = "sku"\nB = "sku"', "both fill sku"),
        ('[columns]\nA = "sku"\nB = ["option[X]", "option[Y]"]', "several fields"),
        ('[columns]\nA = "sku"\n[columns.B]\nto = "title"\npattern = "(a"', "can't be read"),
        ('[columns]\nA = "sku"\n[fields]\ntitle = "{a"', "names nothing"),
        ('[columns]\nA = "sku"\n[fields]\nprice = ["1", "2"]', "holds one value"),
        ('[columns]\nA = "sku"\n[products]\npattern = "a"', "lacks 'by'"),
        ('[columns]\nA = "sku"\n[rows]\nleave_out = [{ column = "A" }]', "one of: empty"),
        ('[columns]\nA = "sku"\n[pictures]\nfolder = "p"\npattern = "x/{sku}.jpg"', "no /"),
        ("[columns\n", "no TOML"),
    ],
)
def test_a_wrong_mapping_is_refused_with_what_is_near(text: str, words: str) -> None:
    assert words in broken(text)


def test_a_mapping_for_another_file_says_which_columns_are_missing(tmp_path: Path) -> None:
    path = german(tmp_path)
    mapping = GERMAN_MAPPING.replace("UVP =", "Preiss =").replace("Aktion =", '"Artikelnr" =')
    found, problems = run(path, mapping.replace("{Bezeichnung}", "{Bezeichnng}"))
    (problem,) = problems
    assert found == []
    assert "'Preiss', 'Artikelnr' (Artikelnr. is close), 'Bezeichnng'" in problem.message
    assert problem.file == "preisliste.csv"
    found, problems = run(path, '[columns]\nZ = "sku"\n[file]\nencoding = "windows-1252"')
    assert found == []
    assert "none of the columns that the mapping names" in problems[0].message


def test_shifted_columns_are_told_once(tmp_path: Path) -> None:
    rows = "\n".join(f"A{n};Hemd;{n}" for n in range(100))
    path = table(tmp_path, f"Nr;Preis;Name\n{rows}")
    _, problems = run(path, '[columns]\nNr = "sku"\nPreis = "price"\nName = "title"')
    assert "20 of the first 20 rows are wrong" in problems[0].message
    assert problems[0].column == "Preis"
    assert len(problems) < 10
    # A few bad cells are told one by one.
    rows = "\n".join(f"A{n};{'x' if n < 3 else n};Hemd" for n in range(100))
    path = table(tmp_path, f"Nr;Preis;Name\n{rows}")
    _, problems = run(path, '[columns]\nNr = "sku"\nPreis = "price"\nName = "title"')
    assert [problem.value for problem in problems] == ["x", "x", "x"]


def test_a_truncated_feed_is_an_error(tmp_path: Path) -> None:
    whole = GERMAN.encode("cp1252")
    path = tmp_path / "preisliste.csv"
    path.write_bytes(whole[:-30])
    _, problems = run(path, GERMAN_MAPPING)
    assert any("cells, the header" in problem.message for problem in problems)
    path.write_bytes(whole + b'TS-9;"T-Shirt')
    _, problems = run(path, GERMAN_MAPPING)
    assert any("quote" in problem.remedy for problem in problems)


def test_a_sku_that_comes_twice_is_named_with_both_rows(tmp_path: Path) -> None:
    path = german(tmp_path, GERMAN.replace("HO-1;", "TS-100-M;"))
    _, problems = run(path, GERMAN_MAPPING)
    (problem,) = problems
    assert "Row 2 has this SKU already" in problem.message
    assert (problem.row, problem.column, problem.value) == (6, "Artikelnr.", "TS-100-M")


def test_rows_that_disagree_about_their_product_are_told(tmp_path: Path) -> None:
    path = table(tmp_path, "M;S;N\nT;T-1;Hemd rot\nT;T-2;Hemd blau")
    mapping = '[products]\nby = "M"\n[columns]\nS = "sku"\nN = "title"'
    _, problems = run(path, mapping)
    assert [(p.row, p.column, p.value) for p in problems] == [(3, "N", "Hemd blau")]
    assert 'rows = "first"' in problems[0].remedy


def test_a_slow_pattern_ends_in_time(tmp_path: Path) -> None:
    path = table(tmp_path, f"S;N\nA;{'a' * 900}b")
    mapping = '[columns]\nS = "sku"\n[columns.N]\nto = "title"\npattern = "^((?:a|aa)+)$"'
    _, problems = run(path, mapping)
    assert "takes too long" in problems[0].message
    assert problems[0].file == "a.csv"


def test_a_cell_with_other_parts_is_told(tmp_path: Path) -> None:
    path = table(tmp_path, "S;V\nA;M / Rot / neu\nB;\nC;L / Rot")
    mapping = '[columns]\nS = "sku"\nV = { to = ["option[G]", "option[F]"], split = "/" }'
    _, problems = run(path, mapping)
    assert [(p.row, p.value) for p in problems] == [(2, "M / Rot / neu")]


# --- plans ----------------------------------------------------------------------------------------


def test_a_plan_by_a_mapping_is_applied_and_then_empty(tmp_path: Path) -> None:
    path = german(tmp_path)
    mapping = tmp_path / "acme.toml"
    mapping.write_text(GERMAN_MAPPING, encoding="utf-8")
    with storebridge.open("local::memory:?currency=EUR", state=tmp_path / "state") as store:
        with store.plan(path, tmp_path / "a.plan", mapping=mapping) as plan:
            assert plan.counts["create"] == 2
            assert plan.about["options"]["mapping"] == "acme.toml"
            plan.apply()
        with store.plan(path, tmp_path / "b.plan", mapping=mapping) as again:
            assert again.is_empty


def test_failed_rows_come_back_under_the_same_header(tmp_path: Path) -> None:
    for suffix in (".xlsx", ".csv"):
        path = workbook(tmp_path / "herbst.xlsx")
        mapping = tmp_path / "acme.toml"
        mapping.write_text(WORKBOOK_MAPPING.replace('Liefertermin = "sale.starts_at"\n', ""))
        with storebridge.open("local::memory:?currency=EUR", state=tmp_path / "state") as store:
            plan_file = tmp_path / f"a{suffix}.plan"
            store.plan(path, plan_file, mapping=mapping, create="no").close()
            fix = tmp_path / f"fix{suffix}"
            assert report.write_failed_rows(plan_file, fix, path) == 5
            text = mapping.read_text()
            if suffix == ".csv":
                rows = list(csv.reader(io.StringIO(fix.read_text())))
                assert rows[3][-1] == "storebridge: why"
                assert "left alone" in rows[5][-1]
                assert rows[6][-1] == ""
            skus = [[v.sku for v in p.variants] for p in products(fix, text)]
            assert skus == [["M-1-R", "M-1-B"], ["M-2-W"]]


def test_prices_in_another_currency_than_the_stores_are_no_plan(tmp_path: Path) -> None:
    path = table(tmp_path, "Nr;Preis;Name\nA;5;Hemd")
    mapping = tmp_path / "acme.toml"
    mapping.write_text(
        '[file]\ncurrency = "CHF"\n[columns]\nNr = "sku"\nPreis = "price"\nName = "title"'
    )
    with (
        storebridge.open("local::memory:?currency=EUR", state=tmp_path / "state") as store,
        pytest.raises(SourceError, match="in CHF, the currency here is EUR"),
    ):
        store.plan(path, tmp_path / "a.plan", mapping=mapping)


def test_a_parent_counts_first_wherever_it_stands(tmp_path: Path) -> None:
    path = table(tmp_path, "M;Nr;N;Typ\nT 1;A;Hemd rot;V\nX;B;Hose;V\nT 1;;Hemd;P")
    mapping = """
        [products]
        by = "M"
        parents = { column = "Typ", is = "p" }
        [columns]
        M = "handle"
        Nr = "sku"
        N = { to = "title", rows = "first" }
    """
    shirt, trousers = products(path, mapping)
    assert (shirt.handle, shirt.title, len(shirt.variants)) == ("t-1", "Hemd", 1)
    assert trousers.handle == "x"
    _, problems = run(table(tmp_path, "M;Nr;N;Typ\nT;;Hemd;P"), mapping)
    assert "no row of a variant" in problems[0].message


def test_a_wildcard_means_every_column_that_fits(tmp_path: Path) -> None:
    path = table(tmp_path, "Nr;Tag*;Tag 1;Tag 2\nA;x;y;z")
    (found,) = products(path, '[columns]\nNr = "sku"\n"Tag *" = "tags"\n"Tag*" = "product_type"')
    assert (found.tags, found.product_type) == (("y", "z"), "x")


def test_a_variants_row_never_deletes_its_product(tmp_path: Path) -> None:
    path = table(tmp_path, "M;Nr;weg\nT;A;ja\nT;B;ja")
    mapping = """
        [products]
        by = "M"
        [columns]
        Nr = "sku"
        weg = { to = "delete", values = { ja = true, nein = false } }
    """
    _, problems = run(path, mapping)
    assert "would delete the whole product" in problems[0].message
    (item,), problems = run(path, mapping + '\n[fields]\nhandle = "{M}"')
    assert problems == []
    assert item.delete
