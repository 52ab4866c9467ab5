"""What a plan may do, and what stands in its way, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import storebridge
from storebridge import formats
from storebridge.cli.app import run
from storebridge.models import Money, Product, Variant
from storebridge.plan import Plan
from storebridge.store import Store

URL = "local:shop.db"
Cli = Callable[..., str]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs a command in the test's folder; returns what it printed, errors after the rest."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("storebridge.config.user_folder", lambda: tmp_path / "user")

    def typed(*words: str, code: int = 0) -> str:
        found = run((*words, "--state", "state") if words[0] != "show" else words)
        out, err = capsys.readouterr()
        assert found == code, f"{words} ended with {found}:\n{out}\n{err}"
        return out + err

    return typed


@pytest.fixture
def shop(cli: Cli) -> Iterator[Store]:
    with storebridge.open(URL, state="state") as store:
        for outcome in store.products.create_many(map(item, range(8))):
            assert outcome.status == "applied"
        yield store


def item(number: int) -> Product:
    price = Money("10.00", "EUR")
    variants = (Variant(sku=f"S{number}", price=price),)
    return Product(
        handle=f"p{number}", title=f"P {number}", vendor="A", status="active", variants=variants
    )


def source(*products: Product) -> str:
    formats.write(Path("a.jsonl"), products, formats.Context())
    return "a.jsonl"


def test_a_guard_that_is_broken_is_5_and_says_what_lets_it_through(cli: Cli, shop: Store) -> None:
    drafts = [Product(handle=f"p{n}", status="draft") for n in range(6)]
    said = cli("plan", source(*drafts), "--to", URL, "-o", "a.plan", code=5)
    assert "--max-emptied 20%: 6 of 8 products in scope, 75%" in said
    assert "a.jsonl, row 2: product p0: active -> draft" in said
    assert not Path("a.plan").exists()
    words = ("plan", "a.jsonl", "--to", URL, "-o", "a.plan", "--max-emptied", "75%")
    assert "6 to update" in cli(*words)
    shown = cli("show", "a.plan")
    assert "Guards: --max-emptied 75% (6 of 8 products in scope, 75%), --max-deletes 0" in shown


@pytest.mark.parametrize(
    "words",
    [
        ("--max-emptied", "a few"),
        ("--max-age", "yesterday"),
        ("--max-deletes", "-1"),
        ("--create", "archived"),
        ("--absent-variants", "draft"),
    ],
)
def test_a_guard_that_means_nothing_is_2(cli: Cli, shop: Store, words: tuple[str, str]) -> None:
    cli("plan", source(item(0)), "--to", URL, *words, code=2)


def test_every_guard_can_be_typed(cli: Cli, shop: Store) -> None:
    words = "--min-rows 1 --max-changed 100% --max-deletes 2 --max-price-move 10% --max-age 1h"
    dearer = item(0).but(variants=(Variant(sku="S0", price=Money("10.50", "EUR")),))
    cli("plan", source(dearer), "--to", URL, "-o", "a.plan", "--json", *words.split())
    with Plan.open("a.plan") as plan:
        found = {each.guard: (each.limit, each.measured) for each in plan.guards()}
    assert found == {
        "min_rows": ("1", "1"),
        "max_age": ("1h", "under 1h"),
        "max_emptied": ("20%", "none"),
        "max_changed": ("100%", "1"),
        "max_deletes": ("2", "none"),
        "max_price_move": ("10%", "5%"),
    }


def test_fields_create_and_what_the_source_lacks(cli: Cli, shop: Store) -> None:
    wish = [item(0).but(title="New", vendor="B"), item(9)]
    out = cli("plan", source(*wish), "--to", URL, "-o", "a.plan", "--fields", "title")
    assert "0 to create, 1 to update" in out
    assert "Left alone:" in out
    assert "--fields creates none" in out
    out = cli("plan", source(*wish), "--to", URL, "-o", "b.plan", "--create", "no")
    assert "0 to create, 1 to update" in out
    scope = ("--where", "vendor = 'A'", "--absent", "archive", "--max-emptied", "100%")
    out = cli("plan", source(*map(item, range(5))), "--to", URL, "-o", "c.plan", *scope)
    assert "Not in the source: 3 products (archive)" in out
    assert json.loads(cli("show", "c.plan", "--json"))["absent"] == {"products": 3, "variants": 0}


def test_four_eyes(cli: Cli, shop: Store) -> None:
    out = cli("plan", source(item(0).but(title="New")), "--to", URL, "-o", "a.plan")
    digest = json.loads(cli("show", "a.plan", "--json"))["digest"]
    assert f"Its digest:  {digest}" in out
    assert f"Digest: {digest}" in cli("show", "a.plan")
    said = cli("apply", "a.plan", "--digest", "0" * 12, code=5)
    assert f"its digest is {digest}" in said
    assert "12 digits at" in cli("apply", "a.plan", "--digest", digest[:8], code=2)
    assert "1 applied" in cli("apply", "a.plan", "--digest", digest[:12])


def test_warnings_come_first(cli: Cli, shop: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from storebridge.plan.file import PlanFile

    seal = PlanFile.seal

    def warned(file: PlanFile) -> str:
        file.add_warning("the feed is three days old")
        return seal(file)

    monkeypatch.setattr(PlanFile, "seal", warned)
    out = cli("plan", source(item(0).but(title="New")), "--to", URL, "-o", "a.plan")
    assert "Read this first:\n    the feed is three days old" in out
    doc = json.loads(cli("show", "a.plan", "--json"))
    assert doc["warnings"] == ["the feed is three days old"]
