from __future__ import annotations

import csv
from pathlib import Path

import pytest
import xlsxwriter

from storebridge.formats.mapping import TableMapping
from storebridge.formats.mapping_draft import Draft, check_digit, draft
from storebridge.formats.mapping_survey import survey
from storebridge.formats.mapping_words import meant

DATA = Path(__file__).parent.parent / "data"


def drafted(path: Path) -> tuple[Draft, TableMapping]:
    made = draft(survey(path), path.name)
    return made, TableMapping.parse(made.text)


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "a.csv"
    rows = [line.strip().split(";") for line in text.strip().splitlines()]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def test_a_german_file_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "liste.csv"
    path.write_bytes(
        """\
Artikelnr.;Modell;Bezeichnung;Größe / Farbe;EK netto (EUR);UVP;Bestand;EAN;Bild 1;Gewicht (g)
TS-1-M;TS-1;T-Shirt;M / Rot;1.012,50;19,99;>50;4006381333931;https://e.com/1.jpg;250
TS-1-L;TS-1;T-Shirt;L / Rot;8,50;19,99;ausverkauft;4006381333948;https://e.com/1.jpg;260
""".encode("cp1252")
    )
    made, mapping = drafted(path)
    rules = mapping.rules
    assert rules.file.encoding == "windows-1252"
    assert "a guess" in made.text
    assert (rules.file.delimiter, rules.file.decimal) == (";", ",")
    assert rules.products is not None
    assert rules.products.by == ["Modell"]
    assert {name: rule.to for name, rule in rules.columns.items()} == {
        "Artikelnr.": ["sku"],
        "Bezeichnung": ["title"],
        "Größe / Farbe": ["option[Größe]", "option[Farbe]"],
        "EK netto (EUR)": ["cost"],
        "UVP": ["price"],
        "Bestand": ["inventory"],
        "EAN": ["barcodes"],
        "Bild 1": ["media"],
        "Gewicht (g)": ["weight"],
    }
    assert rules.columns["EK netto (EUR)"].currency == "EUR"
    assert rules.columns["Gewicht (g)"].unit == "g"
    assert rules.columns["Bestand"].values == {">50": "50", "ausverkauft": "0"}
    assert 'Is "ausverkauft" 0?' in made.text
    assert '"TS-1-M", "TS-1-L"' in made.text


def test_a_table_below_titles_in_one_of_several_sheets_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet("Cover").write(0, 0, "Spring 2026")
        sheet = book.add_worksheet("Items")
        sheet.write(0, 0, "All prices in EUR, valid from March")
        for row, cells in enumerate([["Item No.", "Name", "RRP"], ["A1", "Mug", 9.5]], 3):
            sheet.write_row(row, 0, cells)
    made, mapping = drafted(path)
    assert (mapping.rules.file.sheet, mapping.rules.file.header) == ("Items", 4)
    assert mapping.rules.columns["RRP"].to == ["price"]
    assert '# other sheets: "Cover"' in made.text


@pytest.mark.parametrize(
    ("cells", "question"),
    [
        ("SKU;Price\nA;1.234\nB;5.678", "Is 1.234 thousands"),
        ("SKU;Price\nA;1.5\nB;2,5", "Which sign begins the decimals?"),
        ("SKU;Weight\nA;5\nB;6", "In which unit?"),
        ("SKU;Net price a\nA;5\nB;6", '# "Net price a" = "cost"  # cost, or something else?'),
        ("Foo;Bar\nA;5\nB;6", "Which column names a product?"),
        ("SKU;Name;Titel\nA;5;6\nB;6;7", "title too? 'Name' has it already"),
    ],
)
def test_what_is_not_clear_is_asked(tmp_path: Path, cells: str, question: str) -> None:
    made = draft(survey(table(tmp_path, cells)), "a.csv")
    asked = next(line for line in made.text.splitlines() if question in line)
    assert asked.startswith("#")


def test_values_tell_what_a_header_does_not(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        """
        Ref;Feld 1;Feld 2;Feld 3
        A;4006381333931;https://e.com/a.png;XL
        B;4006381333948;https://e.com/b.png;M
        """,
    )
    _, mapping = drafted(path)
    assert {name: rule.to[0] for name, rule in mapping.rules.columns.items()} == {
        "Ref": "sku",
        "Feld 1": "barcodes",
        "Feld 2": "media",
        "Feld 3": "option[Feld 3]",
    }


def test_check_digits_are_those_of_gs1() -> None:
    assert all(map(check_digit, ("4006381333931", "96385074", "036000291452", "10614141000415")))
    assert not any(map(check_digit, ("4006381333932", "12345", "400638133393X", "²²²²²²²²")))


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Art.-Nr.", "sku"),
        ("Référence", "sku"),
        ("Prix de vente (€)", "price"),
        ("Código de barras", "barcodes"),
        ("Giacenza", "inventory"),
        ("VOORRAAD", "inventory"),
        ("库存", "inventory"),
        ("Modellnummer", "parent"),
        ("Irgendwas", ""),
    ],
)
def test_headers_are_understood_in_several_languages(header: str, field: str) -> None:
    assert meant(header)[0] == field


@pytest.mark.parametrize("name", ["shopify-apparel.csv", "shopify-legacy.csv"])
def test_a_draft_of_a_real_file_is_a_mapping(name: str) -> None:
    made, mapping = drafted(DATA / name)
    assert made.mapped == len(mapping.rules.columns) >= 4
    assert mapping.rules.columns["Title"].to == ["title"]


def test_a_draft_can_hold_any_header(tmp_path: Path) -> None:
    path = table(tmp_path, 'SKU;a"b\\c;x = [y];#\nA;1;"2";\x7f\nB;\t;3;4')
    _, mapping = drafted(path)
    assert mapping.rules.columns["SKU"].to == ["sku"]
