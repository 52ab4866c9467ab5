from __future__ import annotations

import csv
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

import storebridge
from storebridge import formats
from storebridge.cli.app import run
from storebridge.models import Money, Product, Variant

URL = "local:shop.db"
Cli = Callable[..., str]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs a command in the test's folder, and returns what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("storebridge.config.user_folder", lambda: tmp_path / "user")

    def call(*words: str, code: int = 0) -> str:
        found = run(words)
        out, err = capsys.readouterr()
        assert found == code, f"{words} ended with {found}:\n{out}\n{err}"
        return out + err

    return call


@pytest.fixture
def planned(cli: Cli) -> str:
    """The name of a plan from a sheet of two products; one is changed in the store since."""
    with storebridge.open(URL, state="state") as store:
        for handle in ("cap", "tee"):
            variant = Variant(
                sku=handle.upper(), price=Money("5", "EUR"), cost=Money("4.21", "EUR")
            )
            store.products.create(Product(handle=handle, title=handle, variants=(variant,)))
    Path("feed.csv").write_text(
        "URL handle,Title,SKU,Price,Cost per item\ncap,Cap,CAP,6.00,4.33\ntee,Tee,TEE,7.00,4.44\n",
        encoding="utf-8",
    )
    cli("plan", "feed.csv", "--to", URL, "-o", "a.plan", "--state", "state")
    with storebridge.open(URL, state="state") as store:
        store.products.update(Product(handle="tee", title="Changed by hand"))
    return "a.plan"


def test_a_report_is_a_page_beside_the_plan_unless_named(cli: Cli, planned: str) -> None:
    assert "Wrote a.html." in cli("report", planned)
    assert "Not applied yet" in Path("a.html").read_text(encoding="utf-8")
    cli("report", planned, "-o", "b.xlsx")
    assert Path("b.xlsx").read_bytes()[:2] == b"PK"
    cli("report", planned, "-o", "b.MD")
    assert Path("b.MD").read_text(encoding="utf-8").startswith("# Plan for")


def test_show_html_is_that_page(cli: Cli, planned: str) -> None:
    assert "Wrote a.html." in cli("show", planned, "--html")
    assert "<!DOCTYPE html>" in Path("a.html").read_text(encoding="utf-8")


def test_hidden_costs_are_not_in_a_report(cli: Cli, planned: str) -> None:
    cli("report", planned, "-o", "open.html")
    cli("report", planned, "-o", "closed.html", "--hide", "cost, custom.margin")
    costs = ("4.21 EUR", "4.33 EUR", "4.44 EUR")
    before = Path("open.html").read_text(encoding="utf-8")
    after = Path("closed.html").read_text(encoding="utf-8")
    assert all(cost in before for cost in costs)
    assert not any(cost in after for cost in costs)
    assert "7.00 EUR" in after


def test_failed_rows_are_put_right_and_planned_again(cli: Cli, planned: str) -> None:
    cli("apply", planned, "--state", "state", code=5)
    out = cli("report", planned, "--failed-rows", "fix.csv")
    assert "Wrote 1 row to fix.csv" in out
    assert f"storebridge plan fix.csv --to {URL}" in out
    assert not Path("a.html").exists()
    with Path("fix.csv").open(encoding="utf-8", newline="") as file:
        head, row = csv.reader(file)
    assert head[-1] == "storebridge: why"
    assert row[:2] == ["tee", "Tee"]
    assert "title" in row[-1]
    cli("plan", "fix.csv", "--to", URL, "-o", "b.plan", "--state", "state")
    cli("apply", "b.plan", "--state", "state")
    with storebridge.open(URL, state="state") as store:
        assert store.products.get(store.products.find("tee").id).title == "Tee"  # type: ignore[union-attr]
    assert "nothing to give back" in cli("report", "b.plan", "--failed-rows", "no.csv")


def test_what_comes_back_is_planned_with_the_words_of_its_plan(cli: Cli) -> None:
    cli("stores", "add", "acme", URL)
    Path("feed.csv").write_text("sku;qty;price\nX-1;3;9,90\n", encoding="utf-8")
    words = ("--stock", "--decimal", ",", "--market-currency", "ch=CHF")
    cli("plan", "feed.csv", "--to", "acme", *words, "-o", "a.plan")
    out = cli("report", "a.plan", "--failed-rows", "fix.csv")
    (hint,) = (line for line in out.splitlines() if "then:" in line)
    _, *again = shlex.split(hint.partition("then:")[2])
    assert again == ["plan", "fix.csv", "--to", "acme", *words]
    assert "1 left alone" in cli(*again)


def test_report_and_rows_in_one_go(cli: Cli, planned: str) -> None:
    cli("apply", planned, "--state", "state", code=5)
    cli("report", planned, "-o", "a.md", "--failed-rows", "fix.csv", "--source", "feed.csv")
    assert Path("a.md").exists()
    assert list(formats.read(Path("fix.csv"), formats.Context(currency="EUR")))


def test_wrong_words_are_told(cli: Cli, planned: str) -> None:
    assert ".html, .xlsx, .md" in cli("report", planned, "-o", "a.pdf", code=2)
    out = cli("report", planned, "--failed-rows", "f.csv", "--hide", "cost", code=2)
    assert "leave --hide out" in out
    assert "there is no plan" in cli("report", "no.plan", code=3)
    Path("feed.csv").unlink()
    cli("apply", planned, "--state", "state", code=5)
    assert "--source" in cli("report", planned, "--failed-rows", "f.csv", code=3)
