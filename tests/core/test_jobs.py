from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import storebridge
from storebridge import Job
from storebridge.cli.common import Planning, Reading
from storebridge.config import StoreConfig
from storebridge.errors import ConfigError, UsageError
from storebridge.formats import Context, write
from storebridge.plan import words
from tests.records import mug, tee

Write = Callable[..., Path]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a job file into a folder of its own, seen from another one."""
    home, here = tmp_path / "jobs", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr("storebridge.config.user_folder", lambda: tmp_path / "user")

    def write_one(*lines: str, name: str = "nightly.toml") -> Path:
        path = home / name
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    return write_one


def stores(*names: str) -> None:
    """Name local stores in the working folder."""
    tables = (f'[stores.{name}]\nurl = "local:{name}.db"\ntags = ["eu"]\n' for name in names)
    Path("storebridge.toml").write_text("".join(tables), encoding="utf-8")


def wanted(path: Path, *names: str, **given: Any) -> list[Any]:
    """Return what a job wants for stores."""
    return Job.load(path).wanted([StoreConfig(f"local:{n}.db", n) for n in names], given)


# --- the words


def test_words_are_those_of_the_command_line_in_either_spelling(job: Write) -> None:
    path = job(
        'source = "feed.csv"',
        "allow-rename = true",
        "max_deletes = 3",
        'max-emptied = "30%"',
        'fields = ["price", "seo.title"]',
        "where = \"vendor = 'Acme'\"",
        'weight-unit = "kg"',
        'market-currency = ["swiss=CHF"]',
        'header = { Titel = "Title" }',
    )
    (one,) = wanted(path, "acme")
    assert one.options.allow_rename is True
    assert one.options.guards.max_deletes == 3
    assert one.options.guards.max_emptied == "30%"
    assert one.options.fields == ("price", "seo.title")
    assert one.options.where == "vendor = 'Acme'"
    assert one.options.context == {
        "weight_unit": "kg",
        "market_currencies": {"swiss": "CHF"},
        "headers": {"Titel": "Title"},
    }


def test_every_word_of_the_command_line_is_one_of_a_job() -> None:
    typed = {f.name for part in (Planning, Reading) for f in dataclasses.fields(part)}
    assert typed - words.known() == set()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (['souce = "x.csv"'], "'souce' means nothing. Did you mean source"),
        (["max_delets = 3"], "'max_delets' means nothing. Did you mean max-deletes?"),
        (["[stores.acme]", 'curency = "CHF"'], "'curency' means nothing. Did you mean currency"),
        (["[stores.acme]", 'to = "eu"'], "to is for the whole job"),
        (["source = 5"], "source = 5 is wrong: write a text"),
        (["to = [1]"], "to = [1] is wrong: write texts only"),
        (['jobs = "two"'], "jobs = 'two' is wrong: write a number"),
        (["yes = true"], "yes belongs on the command line"),
        (['source = "x"', 'absent = "burn"'], "burn"),
        (['weight-unit = "stone"'], 'weight-unit = "stone"'),
        (["max-deletes = 1", "max_deletes = 2"], "there twice, in two spellings"),
        (['header = ["Titel"]'], 'has no "="'),
        (["stores = 3"], "like [stores.acme]"),
        (["source = "], "is no TOML"),
    ],
)
def test_what_means_nothing_is_told_with_the_file(job: Write, lines: list[str], told: str) -> None:
    path = job(*lines)
    with pytest.raises(UsageError) as error:
        wanted(path, "acme")
    assert told in str(error.value)
    assert "nightly.toml" in str(error.value)


def test_a_job_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigError, match=r"none\.toml can't be read"):
        Job.load("none.toml")


def test_a_source_and_a_store_are_needed(job: Write) -> None:
    path = job('to = "acme"')
    with pytest.raises(UsageError, match="names no source for acme"):
        wanted(path, "acme")
    with pytest.raises(UsageError, match="names no store"):
        wanted(path)


# --- what beats what


def test_a_stores_table_beats_the_job_and_the_call_beats_both(job: Write) -> None:
    path = job(
        'source = "feed.csv"',
        'currency = "EUR"',
        'locale = "de"',
        "max-deletes = 1",
        "[stores.acme]",
        'currency = "CHF"',
        'source = "acme.csv"',
        "max-deletes = 2",
    )
    acme, other = wanted(path, "acme", "other")
    assert (acme.options.context, other.options.context) == (
        {"currency": "CHF", "locale": "de"},
        {"currency": "EUR", "locale": "de"},
    )
    assert (Path(acme.source).name, Path(other.source).name) == ("acme.csv", "feed.csv")
    assert (acme.options.guards.max_deletes, other.options.guards.max_deletes) == (2, 1)
    acme, other = wanted(path, "acme", "other", currency="USD", max_deletes=0)
    assert acme.options.context["currency"] == other.options.context["currency"] == "USD"
    assert acme.options.guards.max_deletes == other.options.guards.max_deletes == 0


def test_a_table_for_an_unknown_store_is_a_slip_of_the_pen(job: Write) -> None:
    stores("acme", "berta")
    path = job('source = "feed.csv"', "[stores.acne]", 'currency = "CHF"')
    with pytest.raises(UsageError, match=r"\[stores\.acne\].*Did you mean acme\?"):
        wanted(path, "berta")
    wanted(job('source = "x.csv"', "[stores.acme]", "stock = true"), "berta")  # it may be left out


# --- where things are


def test_relative_paths_are_seen_from_the_job(job: Write) -> None:
    path = job(
        'source = "feed.csv"',
        'to = ["local:shop.db"]',
        'output = "out/all.plans"',
        'state = "state"',
        "where = \"sku in @'the list.csv' or vendor = 'Acme'\"",
        'pictures = "img"',
    )
    home = path.parent
    (home / "img").mkdir()
    loaded = Job.load(path)
    assert loaded.output_for("") == home / "out" / "all.plans"
    assert loaded.state == home / "state"
    (target,) = loaded.targets
    assert isinstance(target, StoreConfig)
    assert target.url == f"local:{(home / 'shop.db').as_posix()}"
    (one,) = loaded.wanted([target], {})
    assert Path(one.source) == home / "feed.csv"
    listed = (home / "the list.csv").as_posix()
    assert one.options.where == f"sku in @'{listed}' or vendor = 'Acme'"
    assert one.options.context["pictures"] == str(home / "img")


@pytest.mark.parametrize("text", ["https://feeds.example/x.csv", "-"])
def test_what_is_no_path_stays_as_it_is(job: Write, text: str) -> None:
    (one,) = wanted(job(f'source = "{text}"'), "acme")
    assert one.source == text


def test_a_source_may_be_a_store_and_a_file_comes_first(job: Write) -> None:
    stores("acme", "berta")
    path = job('source = "berta"')
    (one,) = wanted(path, "acme")
    assert isinstance(one.source, StoreConfig)
    assert one.source.name == "berta"
    (path.parent / "berta").touch()
    (one,) = wanted(path, "acme")
    assert Path(one.source) == path.parent / "berta"


def test_gaps_are_filled_and_nothing_is_evaluated(job: Write) -> None:
    path = job('source = "{store}/feed-{date}.csv"', 'output = "{job}-{date}-{time}.plans"')
    moment = time.strptime("2026-01-31 23:59:58", "%Y-%m-%d %H:%M:%S")
    loaded = dataclasses.replace(Job.load(path), moment=moment)
    assert loaded.output_for("") == path.parent / "nightly-2026-01-31-235958.plans"
    one, other = loaded.wanted([StoreConfig("local:a.db", "acme"), StoreConfig("local:a/b.db")], {})
    assert Path(one.source) == path.parent / "acme" / "feed-2026-01-31.csv"
    assert Path(other.source).parent.parent == path.parent, "a URL is no path"
    for text, told in (
        ("{stor}.csv", "Did you mean {store}"),
        ("{store.__class__}", "isn't there"),
    ):
        with pytest.raises(ConfigError, match=told):
            wanted(job(f'source = "{text}"'), "acme")


def test_a_folder_of_many_has_no_gap_for_one_store(job: Write) -> None:
    path = job('source = "x.csv"', 'output = "{store}.plans"')
    assert Job.load(path).output_for("acme") == path.parent / "acme.plans"
    with pytest.raises(ConfigError, match="'store', which isn't there"):
        Job.load(path).output_for("")


# --- planning


def test_a_job_plans_for_each_of_its_stores(job: Write, tmp_path: Path) -> None:
    stores("acme", "berta")
    path = job('source = "feed.jsonl"', 'to = "@all"', 'output = "{job}.plans"', 'create = "no"')
    write(path.parent / "feed.jsonl", [tee(), mug()], Context())
    given = [storebridge.open(name, state=tmp_path / "state") for name in ("acme", "berta")]
    folder = Job.load(path).plan(to=given, create="active")
    assert folder.path == path.parent / "nightly.plans"
    assert folder.stores == ("acme", "berta")
    assert folder.counts["create"] == 4, "what the call says beats the file"
    assert [plan.about["options"]["create"] for _, plan in folder.plans()] == ["active"] * 2
    for store in given:
        store.close()


def test_a_job_without_a_folder_says_so(job: Write) -> None:
    stores("acme")
    with pytest.raises(ConfigError, match="names no folder"):
        Job.load(job('source = "feed.jsonl"', 'to = "acme"')).plan()
