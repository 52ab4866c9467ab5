from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import storebridge
from storebridge.cli.app import run
from storebridge.store import Store
from tests.records import CATALOGUE

URL = "local:shop.db"
Cli = Callable[..., str]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs a command in the test's folder and returns all that it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("storebridge.config.user_folder", lambda: tmp_path / "user")

    def call(*words: str, code: int = 0) -> str:
        state = () if words[0] == "show" else ("--state", "state")
        found = run((*words, *state))
        out, err = capsys.readouterr()
        assert found == code, f"{words} ended with {found}:\n{out}\n{err}"
        return out + err

    return call


@pytest.fixture
def shop(cli: Cli) -> Iterator[Store]:
    with storebridge.open(URL, state="state") as store:
        for record in CATALOGUE:
            store.items(record.kind).create(record)
        yield store


def edit(*words: str) -> tuple[str, ...]:
    return ("edit", URL, *words)


def test_an_edit_is_planned_applied_and_undone(cli: Cli, shop: Store) -> None:
    words = ("--where", "vendor = 'Acme' and tags has 'summer'", "--set", "status=draft")
    words += ("--set", "tags+=archive", "--set", "tags-=summer", "--clear", "seo.description")
    words += ("--set", "seo.title={title} | {vendor}", "--replace", "title", "Tee", "-Shirt")
    out = cli(*edit(*words, "-y", "-o", "a.plan"))
    assert "1 to update" in out
    assert "storebridge undo a.plan" in out
    found = shop.products.find("tee")
    assert found is not None
    assert (found.status, found.tags, found.title) == ("draft", ("cotton", "archive"), "-Shirt")
    assert (found.seo.title, found.seo.description) == ("Tee | Acme", "")
    cli("undo", "a.plan", "-y")
    found = shop.products.find("tee")
    assert found is not None
    assert (found.status, found.title, found.seo.title) == ("active", "Tee", "Tee")


def test_plan_only_changes_nothing_and_says_what_can_be_done(cli: Cli, shop: Store) -> None:
    out = cli(*edit("--where", "price > 10", "--set", "price=9", "--plan-only", "-o", "a.plan"))
    assert "storebridge apply a.plan" in out
    assert "variants[TEE-M].price: 11.00 EUR -> 9 EUR" in cli("show", "a.plan")
    found = shop.products.find("tee")
    assert found is not None
    assert str(found.variants[1].price) == "11.00 EUR"


def test_without_a_terminal_nothing_is_done_unasked(cli: Cli, shop: Store) -> None:
    out = cli(*edit("--where", "title = 'Mug'", "--set", "status=draft"), code=5)
    assert "Add --yes" in out
    found = shop.products.find("mug")
    assert found is not None
    assert found.status == "active"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--set", "status=draft"], "--all"),
        (["--all", "--where", "title = 'x'", "--set", "status=draft"], "--all"),
        (["--all"], "nothing to change"),
        (["--all", "--set", "status"], "Write it like --set FIELD=VALUE"),
        (["--all", "--set", "=x"], "Write it like --set FIELD=VALUE"),
        (["--all", "--set", "title=a", "--set", "title=b"], "is there twice"),
        (["--all", "--set", "prize=1"], "price is close"),
        (["--all", "--replace", "title", "(", "x", "--regex"], "regular expression"),
        (["--where", "vendr = 'x'", "--set", "status=draft"], "Did you mean vendor?"),
    ],
)
def test_what_makes_no_sense_is_told_with_a_remedy(
    cli: Cli, shop: Store, words: list[str], told: str
) -> None:
    assert told in cli(*edit(*words), code=2)
    assert not list(Path(".storebridge/plans").glob("*.plan"))


def test_ways_of_finding_are_options(cli: Cli, shop: Store) -> None:
    def after(*words: str) -> str:
        cli(*edit("--where", "title = 'Tee'", *words, "--plan-only", "-o", "a.plan"))
        out = cli("show", "a.plan")
        Path("a.plan").unlink()
        return out

    assert "title: Tee -> Xee" in after("--replace", "title", "T", "X", "--within-words")
    assert "title: Tee -> X" in after("--replace", "title", "tee", "X", "--ignore-case")
    assert "title: Tee -> eeT" in after("--replace", "title", "^(T)(.+)", r"\2\1", "--regex")
    assert "title:" not in after("--replace", "title", "T", "X")


def test_an_edit_of_too_many_products_is_stopped_by_the_guards(cli: Cli, shop: Store) -> None:
    words = edit("--all", "--set", "price=0.01", "-y")
    assert "--max-price-move" in cli(*words, "--max-price-move", "50%", code=5)
    found = shop.products.find("mug")
    assert found is not None
    assert str(found.variants[0].price) == "5.00 EUR"


def test_a_feed_is_planned_with_its_own_options(cli: Cli, shop: Store) -> None:
    Path("feed.csv").write_text("sku;qty;price\nMUG;9;4,50\n", encoding="utf-8")
    words = ("plan", "feed.csv", "--to", URL, "--stock", "--decimal", ",", "--as-of", "file")
    cli(*words, "-o", "a.plan")
    assert "variants[MUG].price: 5.00 EUR -> 4.50 EUR" in cli("show", "a.plan")
