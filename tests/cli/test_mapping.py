from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import storebridge
from storebridge.cli.app import run
from storebridge.cli.output import command

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
URL = "local:shop.db?currency=EUR"
Cli = Callable[..., str]

FEED = """\
Artikelnr.;Bezeichnung;Preis;Bestand;Notiz
A-1;Hemd;19,99;>50;x
A-2;Hose;29,90;3;y
"""


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs a command in the test's folder, and returns what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("storebridge.config.user_folder", lambda: tmp_path / "user")
    Path("acme.csv").write_text(FEED, encoding="cp1252")

    def call(*words: str, code: int = 0) -> str:
        found = run(words)
        out, err = capsys.readouterr()
        assert found == code, f"{words} ended with {found}:\n{out}\n{err}"
        return out + err

    return call


def test_a_mapping_is_proposed_checked_and_planned_with(cli: Cli) -> None:
    told = cli("mapping", "init", "acme.csv", "-o", "acme.toml")
    assert "Wrote acme.toml: 4 columns understood." in told
    assert "storebridge mapping check acme.csv --mapping acme.toml" in told
    assert "Give the new mapping another name" in cli(
        "mapping", "init", "acme.csv", "-o", "acme.toml", code=5
    )
    told = cli("mapping", "check", "acme.csv", "--mapping", "acme.toml", "--to", URL)
    assert "Hemd (row 2)\n    title: Hemd\n    - sku: A-1, price: 19.99 EUR, inventory" in told
    assert "2 products, 2 variants" in told
    assert "left alone: Notiz" in told
    told = cli("plan", "acme.csv", "--mapping", "acme.toml", "--to", URL, "-o", "a.plan")
    assert "2 to create" in told
    cli("apply", "a.plan")
    with storebridge.open(URL) as store:
        found = store.products.find("sku:A-1")
        assert found is not None
        assert found.variants[0].inventory[0].available == 50


def test_a_check_without_a_store_asks_for_the_currency(cli: Cli) -> None:
    cli("mapping", "init", "acme.csv", "-o", "acme.toml")
    told = cli("mapping", "check", "acme.csv", "--mapping", "acme.toml", code=1)
    assert "Nothing says the currency" in told
    words = ("mapping", "check", "acme.csv", "--mapping", "acme.toml", "--currency", "EUR")
    found = json.loads(cli(*words, "--json"))
    assert found["count"] == 2
    assert found["problems"] == []
    assert found["products"][0]["rows"][0]["price"] == "19.99 EUR"


def test_a_check_tells_all_that_is_wrong_and_writes_nothing(cli: Cli) -> None:
    cli("mapping", "init", "acme.csv", "-o", "acme.toml")
    Path("acme.csv").write_text(FEED + "A-1;Rock;bald;1;\n", encoding="cp1252")
    words = ("acme.csv", "--mapping", "acme.toml", "--to", URL)
    for told in (cli("mapping", "check", *words, code=1), cli("plan", *words, code=1)):
        assert "acme.csv, row 4, column 'Preis'" in told
        assert "Row 2 has this SKU already" in told
    assert not list(Path().glob("**/*.plan"))


def test_a_wrong_mapping_is_no_plan(cli: Cli) -> None:
    Path("acme.toml").write_text('[columns]\nA = "sku"\nB = "prise"\n', encoding="utf-8")
    told = cli("plan", "acme.csv", "--mapping", "acme.toml", "--to", URL, code=1)
    assert "there is no field 'prise'; price is close" in told
    told = cli("plan", "acme.csv", "--mapping", "no.toml", "--to", URL, code=1)
    assert "The mapping can't be read" in told


def test_rows_that_were_left_alone_come_back_with_the_mapping_named(cli: Cli) -> None:
    cli("mapping", "init", "acme.csv", "-o", "acme.toml")
    words = ("--mapping", "acme.toml", "--to", URL, "-o", "a.plan")
    cli("plan", "acme.csv", *words, "--create", "no")
    told = cli("report", "a.plan", "--failed-rows", "fix.csv")
    assert command("plan", "fix.csv", "--to", URL, "--mapping", "acme.toml") in told
    assert "2 to create" in cli("plan", "fix.csv", *words[:-1], "b.plan")


def test_the_example_becomes_products(cli: Cli) -> None:
    source, mapping = (str(EXAMPLES / f"supplier.{suffix}") for suffix in ("csv", "toml"))
    told = cli("mapping", "check", source, "--mapping", mapping, "--to", URL)
    assert "2 products, 5 variants" in told
    assert "2 to create" in cli("plan", source, "--mapping", mapping, "--to", URL)


def test_a_file_of_a_known_format_needs_none(cli: Cli) -> None:
    Path("own.csv").write_text("sku,title\nA,B\n", encoding="utf-8")
    assert "own.csv is a sheet file, which needs no mapping." in cli("mapping", "init", "own.csv")
