"""What people get wrong on the command line, and what they are told: never a traceback."""

from __future__ import annotations

import json
import re
import shlex
import socket
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

import storebridge
from storebridge import errors, formats
from storebridge.adapter import Batch
from storebridge.cli.apply import _show_report
from storebridge.cli.plan import _show_change
from storebridge.errors import ConfigError
from storebridge.flow import Flow, Outcome, Status, report
from storebridge.models import (
    Collection,
    Customer,
    Location,
    Money,
    Option,
    Product,
    Variant,
)
from storebridge.plan import PlannedChange, Report
from storebridge.plan.report import Item
from storebridge.store import Store
from tests.cli.test_cli import EUR, TEE, URL, Cli, cli, shop, source

__all__ = ["cli", "shop"]  # fixtures

COSTLY = TEE.but(variants=(Variant(sku="T", price=EUR, cost=Money("4.44", "EUR")),))


def planned(cli: Cli, record: Product = TEE) -> None:
    cli("plan", source(record), "--to", URL, "-o", "a.plan")


# --- places that aren't there


def test_a_folder_that_is_not_there_is_told(cli: Cli, shop: Store) -> None:
    shop.products.create(TEE)
    for name in ("nodir/a.csv", "nodir/a.jsonl", "nodir/a.xlsx"):
        cli("pull", URL, "-o", name, code=1)
        assert f"can't write {Path(name)}" in cli.err
    planned(cli, TEE.but(title="New"))
    cli("report", "a.plan", "-o", "nodir/a.html", code=1, state=False)
    assert f"can't write {Path('nodir/a.html')}" in cli.err
    cli("plan", "source.jsonl", "--to", URL, "-o", "nodir/b.plan", code=1)
    assert f"can't write {Path('nodir/b.plan')}" in cli.err


def test_what_the_system_refuses_is_told_with_the_file(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "secret.csv")

    monkeypatch.setattr("storebridge.registry.installed", refuse)
    cli("platforms", code=1, state=False)
    assert cli.err == "Error: can't read or write secret.csv: Permission denied\n"


def test_a_demo_needs_a_folder(cli: Cli) -> None:
    Path("afile").write_text("", encoding="utf-8")
    cli("demo", "--folder", "afile", code=2, state=False)
    assert "--folder afile is a file" in cli.err


def test_a_store_is_only_made_by_what_writes_to_it(cli: Cli, shop: Store) -> None:
    shop.products.create(TEE)
    for words in (
        ("plan", "local:shpo.db", "--to", URL, "-o", "a.plan"),
        ("pull", "local:shpo.db", "-o", "a.jsonl"),
        ("history", "local:shpo.db"),
        ("history", "prune", "local:shpo.db"),
        ("edit", "local:shpo.db", "--all", "--set", "status=draft"),
    ):
        cli(*words, code=3)
        assert "there is no store file shpo.db" in cli.err, words
        assert "Check its name" in cli.err
        assert not Path("shpo.db").exists(), words
    cli("plan", URL, "--to", "local:new.db", "-o", "b.plan")
    assert Path("new.db").exists()


# --- options that mean nothing


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--currency", "XX"), "--currency 'XX'"),
        (("--time-zone", "Mars/X"), "--time-zone 'Mars/X'"),
        (("--locale", "qqq-zz-bad"), "--locale 'qqq-zz-bad'"),
        (("--pictures", "nodir"), "--pictures 'nodir'"),
        (("--encoding", "klingon"), "--encoding 'klingon'"),
    ],
)
def test_what_a_file_leaves_open_is_checked_at_once(
    cli: Cli, words: tuple[str, ...], said: str
) -> None:
    cli("plan", source(TEE), "--to", URL, "-o", "a.plan", *words, code=2)
    assert said in cli.err
    assert not Path("a.plan").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("show", "a.plan", "--limit", "-1"),
        ("apply", "a.plan", "--wait", "-5"),
        ("apply", "a.plan", "--jobs", "-1"),
        ("apply", "a.plan", "--digest", "12345678"),
        ("plan", "source.jsonl", "--to", URL, "--jobs", "-1"),
        ("sandbox", "template", "--port", "99999"),
        ("sandbox", "template", "--port", "-1"),
    ],
)
def test_numbers_that_mean_nothing_are_wrong_usage(
    cli: Cli, shop: Store, words: tuple[str, ...]
) -> None:
    planned(cli)
    cli(*words, code=2, state=False)
    assert words[-2] in cli.err
    assert shop.products.find("tee") is None


def test_a_port_that_is_taken_is_told(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        cli("sandbox", "template", "--port", port, code=1, state=False)
    assert f"port {port}" in cli.err
    assert "--port 0" in cli.err


# --- plans


def test_a_plan_that_was_changed_is_not_shown(cli: Cli, shop: Store) -> None:
    planned(cli)
    with sqlite3.connect("a.plan") as db:
        db.execute("UPDATE changes SET after = replace(after, 'Tee', 'Forged')")
    db.close()
    for words in (
        ("show", "a.plan"),
        ("show", "a.plan", "--json"),
        ("report", "a.plan", "-o", "a.html"),
        ("report", "a.plan", "-o", "a.md"),
        ("report", "a.plan", "--failed-rows", "f.jsonl"),
        ("apply", "a.plan"),
    ):
        out = cli(*words, code=5, state=words[0] == "apply")
        assert "a.plan was changed after it was made: plan again" in cli.err, words
        assert "Forged" not in out
    assert not Path("a.html").exists()


def test_a_report_hides_nothing_that_is_no_field(cli: Cli, shop: Store) -> None:
    planned(cli, COSTLY)
    cli("report", "a.plan", "-o", "a.html", "--hide", "costs", code=2, state=False)
    assert "--hide 'costs'" in cli.err
    assert "cost" in cli.err.split("Did you mean")[1]
    assert not Path("a.html").exists()
    cli("report", "a.plan", "-o", "a.html", "--hide", "cost,seo.title", state=False)
    assert "4.44" not in Path("a.html").read_text(encoding="utf-8")


# --- credentials

SHOP = "shopify://acme.myshopify.com"


def test_a_shopify_token_is_asked_for(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "shpat_1"

    monkeypatch.setattr("storebridge.cli.stores.is_terminal", lambda stream: True)
    monkeypatch.setattr("storebridge.cli.stores.getpass", answer)
    cli("stores", "add", "acme", SHOP, state=False)
    assert len(asked) == 1
    assert asked[0].startswith("token (A token that doesn't expire")
    assert 'token = "shpat_1"' in Path("user/secrets.toml").read_text(encoding="utf-8")
    monkeypatch.setattr("storebridge.cli.stores.getpass", lambda prompt: "")
    cli("stores", "add", "berta", "shopify://berta.myshopify.com", state=False)
    assert "STOREBRIDGE_STORES__BERTA__TOKEN" in cli.out
    assert "berta" not in Path("user/secrets.toml").read_text(encoding="utf-8")


def test_every_way_to_give_a_shopify_token_is_named(cli: Cli) -> None:
    cli("stores", "add", "acme", SHOP, state=False)
    cli("stores", "check", "acme", code=3)
    assert "acme: give a token, or a client_id and a client_secret. Give the token" in cli.err
    assert "STOREBRIDGE_STORES__ACME__TOKEN" in cli.err
    assert "secrets.toml" in cli.err
    assert "Value error" not in cli.err
    assert "settings:" not in cli.err


def test_a_platform_that_is_not_there_gives_no_name(cli: Cli) -> None:
    for url in ("magento+https://x.example", "sandbox:magento"):
        cli("stores", "add", "a", url, code=3, state=False)
        assert "magento" in cli.err
    assert not Path("storebridge.toml").exists()


def test_a_setting_that_is_none_is_told_with_the_nearest(cli: Cli) -> None:
    for url in (SHOP, "sandbox:shopify?memory"):
        with pytest.raises(ConfigError, match=r"has no setting 'tokn'\. Did you mean token"):
            storebridge.open(url, tokn="shpat_1")


# --- what was done already, and exit codes


def test_a_finished_plan_has_nothing_left_to_do(
    cli: Cli, shop: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(cli)
    assert "1 applied" in cli("apply", "a.plan")
    before = json.loads(cli("history", URL, "--json"))
    monkeypatch.setattr("time.time", lambda: 4e9)
    out = cli("apply", "a.plan")
    made = datetime.fromtimestamp(before[0]["at"]).astimezone().isoformat(" ", "minutes")
    assert f"nothing was left to do: 1 applied on {made}" in out
    assert "storebridge undo a.plan" in out
    assert json.loads(cli("history", URL, "--json")) == before
    cli("apply", "a.plan", "--digest", "0" * 12, code=5)
    cli("apply", "a.plan", "--to", "local:other.db", code=3)


def test_a_finished_folder_has_nothing_left_to_do(cli: Cli, shop: Store) -> None:
    to = ("--to", URL, "--to", "local:other.db")
    cli("plan", source(TEE), *to, "-o", "a.plans")
    assert "Nothing was left to do" not in cli("apply", "a.plans")
    assert "Nothing was left to do: all of it was applied before." in cli("apply", "a.plans")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("pull", "shopify://x.myshopify.com", "-o", "a.csv"), 3),
        (("apply", "no.plan"), 3),
        (("show", "no.plan"), 3),
        (("report", "empty", "-o", "a.html"), 3),
        (("apply", "a.csv"), 1),
        (("show", "a.csv"), 1),
        (("plan", "no.csv", "--to", URL, "-o", "a.plan"), 3),
        (("plan", "a.xlsx", "--to", URL, "-o", "a.plan"), 1),
        (("plan", "source.jsonl", "--to", URL, "-o", "a.csv"), 5),
    ],
)
def test_exit_codes_are_those_of_the_readme(cli: Cli, words: tuple[str, ...], code: int) -> None:
    source(TEE)
    Path("empty").mkdir()
    for name in ("a.csv", "a.xlsx"):
        Path(name).write_text("no table, and no plan\n", encoding="utf-8")
    cli(*words, code=code, state=words[0] not in ("show", "report"))


def test_a_store_that_can_not_be_reached_ends_with_3() -> None:
    for error in (errors.TransportError, errors.Unavailable, errors.RateLimited):
        assert error("gone").exit_code == 3


# --- pull


def test_a_table_is_not_written_for_records_that_it_can_not_hold(cli: Cli, shop: Store) -> None:
    shop.customers.create(Customer(email="ada@example.com"))
    shop.collections.create(Collection(handle="all", title="All"))
    for words in (("-o", "c.csv"), ("-o", "c.csv", "--format", "shopify-csv")):
        cli("pull", URL, "customers", *words, code=2)
        assert "holds no customer records" in cli.err
        assert "-o c.jsonl" in cli.err
        assert not Path("c.csv").exists()
    assert "1 customer" in cli("pull", URL, "customer", "-o", "c.jsonl")
    assert "1 collection" in cli("pull", URL, "collection", "-o", "c.csv")
    cli("pull", URL, "-o", "a.txt", code=1)
    assert "--format" in cli.err
    assert not Path("a.txt").exists()


def test_a_weight_that_nobody_entered_is_written(tmp_path: Path) -> None:
    own = {"woocommerce": {"type": "variable", "weight": "", "length": None}}
    tee = Product(title="Tee", platform_fields=own)
    assert formats.write(tmp_path / "w.csv", [tee], formats.Context(), "woocommerce-csv") == []


# --- what is suggested, and said


def test_a_suggested_plan_says_where_quantities_are(cli: Cli) -> None:
    with storebridge.open("sandbox:shopify", state="state") as shop:
        shop.products.create(Product(handle="mug", title="Mug", variants=(Variant(sku="M"),)))
        first = shop.info.locations[0].name
    out = cli("pull", "sandbox:shopify", "product", "-o", "b.csv", "--format", "shopify-csv")
    (suggested,) = [line for line in out.splitlines() if "storebridge plan" in line]
    assert f"--location {shlex.quote(first)}" in suggested
    cli(*shlex.split(suggested.partition("storebridge ")[2]), "-o", "b.plan", state=False)


def test_rows_come_back_with_all_words_of_their_plan(cli: Cli, shop: Store) -> None:
    Path("feed.csv").write_text("sku,price\nNONE,3\n", encoding="utf-8")
    words = ("--stock", "--location", "Main", "--create", "no", "--where", "title = 'Tee'")
    shop.locations.create(Location(name="Main"))
    cli("plan", "feed.csv", "--to", URL, "-o", "a.plan", *words, "--absent", "archive")
    out = cli("report", "a.plan", "--failed-rows", "fix.csv", state=False)
    assert "--stock --location Main --create no" in out
    assert "--absent" not in out


def test_what_waited_for_another_record_says_what_to_do(
    cli: Cli, shop: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_self: object, batch: Batch[Product]) -> Flow[None]:
        ids = [change.id for change in batch.changes]
        yield from report([Outcome(change=id, status=Status.FAILED, message="no") for id in ids])

    shop.collections.create(Collection(handle="all", title="All"))
    planned(cli, TEE.but(collections=("all",)))
    monkeypatch.setattr(type(shop.adapter.records("product")), "write", failing)
    assert cli("apply", "a.plan", code=4).splitlines()[1:3] == [
        "  failed product tee (row 2): no.",
        "  skipped membership of product tee (row 2): 'tee' was not created. Mend that, then apply "
        "with --retry-failed.",
    ]


def test_the_parts_of_a_record_that_came_to_the_same_are_told_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def items(_self: Report, *_: str) -> Iterator[Item]:
        for part in ("media", "prices"):
            yield Item("product", "tee", part, "update", "skipped", "", "no", "", 2, 0, "")
        yield Item("product", "cap", "media", "update", "failed", "", "no", "", 3, 0, "")

    monkeypatch.setattr(Report, "items", items)
    _show_report(Report(Path("a.plan"), "acme", {}, 3, 0), most=1)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  skipped media, prices of product tee (row 2): no.",
        "  ... and more; see them with --json",
    ]


def test_a_lock_is_told_in_a_persons_words(cli: Cli, shop: Store) -> None:
    planned(cli)
    with shop.state.lock("apply", note="applying b.plan"):
        cli("apply", "a.plan", code=5)
    assert cli.err.startswith(f"Error: {URL}: process ")
    assert re.search(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d \(applying b", cli.err)
    assert "--wait" in cli.err


def test_a_job_makes_the_folder_of_its_plan(cli: Cli, shop: Store) -> None:
    job = f'source = "{source(TEE)}"\nto = "{URL}"\noutput = "plans/{{job}}.plan"\n'
    Path("nightly.toml").write_text(job, encoding="utf-8")
    cli("plan", "nightly.toml")
    assert Path("plans/nightly.plan").is_file()


def test_what_is_no_source_or_store_is_told(cli: Cli) -> None:
    Path("feeds.csv").mkdir()
    cli("plan", "feeds.csv", "--to", URL, code=3)
    assert "feeds.csv is a folder" in cli.err
    cli("plan", source(TEE), "--to", "https://x.example/shop", code=3)
    assert "woocommerce+https://x.example/shop" in cli.err
    cli("stores", "add", "a", "https://x.myshopify.com", code=3, state=False)
    assert "shopify://x.myshopify.com" in cli.err
    Path("acme.csv").write_text("Artikel;Preis\nA1;12,50\n", encoding="utf-8")
    cli("plan", "acme.csv", "--to", URL, code=1)
    assert "storebridge mapping init acme.csv -o acme.toml" in cli.err


def test_a_narrow_terminal_shows_the_end_of_a_path(
    cli: Cli, shop: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(cli)
    cli("apply", "a.plan")
    monkeypatch.setattr("storebridge.cli.output.is_terminal", lambda stream: True)
    monkeypatch.setenv("COLUMNS", "60")
    out = cli("history", URL)
    assert re.search(r"…\S*a\.plan", out)
    assert len(out.splitlines()) == 2
    assert "…" not in cli("platforms", state=False)


def test_help_says_what_is_meant(cli: Cli) -> None:
    assert "FIELD FIND NEW" in cli("edit", "--help", state=False)
    assert "metafield_definition" in cli("pull", "--help", state=False)
    assert "own data folder" in cli("history", "--help", state=False)


def test_a_field_that_is_none_is_wrong_usage(cli: Cli, shop: Store) -> None:
    shop.products.create(TEE)
    for words in (("pull", URL, "-o", "a.csv"), ("plan", source(TEE), "--to", URL)):
        cli(*words, "--fields", "titel", code=2)
        assert "title is close" in cli.err
        cli(*words, "--where", "titel = 'x'", code=2)


def test_a_folder_is_no_file_to_write_to(cli: Cli, shop: Store) -> None:
    shop.products.create(TEE)
    Path("there").mkdir()
    for folder in (".", "there"):
        cli("plan", source(TEE.but(title="New")), "--to", URL, "-o", folder, code=2)
        assert cli.err == f"Error: {folder} is a folder; name a new file in it\n"
        cli("pull", URL, "-o", folder, code=2)
        assert cli.err == f"Error: {folder} is a folder; name a new file in it\n"


def test_what_a_file_says_twice_is_told_once(cli: Cli) -> None:
    head = "Handle,Title,Variant SKU,Image Src\n"
    for rows, told in (
        ("a,A,A,\nb,B,B,\na,C,C,\n", "Row 2 begins a product with this handle already ('a')"),
        ("a,A,X,\nb,B,X,\n", "Row 2 has this SKU already, in another product ('X')"),
        ("a,A,A,file:///etc/passwd\n", "An absolute path needs to be in a folder that you name"),
    ):
        Path("a.csv").write_text(head + rows, encoding="utf-8")
        cli("plan", "a.csv", "--to", URL, code=1)
        assert "Error: 1 problem in the source" in cli.err
        assert told in cli.err


def test_another_currency_is_to_be_converted(cli: Cli, shop: Store) -> None:
    shop.products.create(TEE)
    cli("plan", URL, "--to", "sandbox:woocommerce", code=1)
    assert "The price is in EUR, the currency here is USD" in cli.err
    assert "Convert it to USD first" in cli.err


def test_pull_counts_no_record_that_the_format_only_borrows_or_leaves_out(
    cli: Cli, shop: Store
) -> None:
    named = tuple(Option(name=name, values=("1",)) for name in "abcd")
    variant = Variant(sku="F", price=EUR, options=("1",) * 4)
    shop.products.create(Product(handle="four", options=named, variants=(variant,)))
    shop.products.create(TEE.but(collections=("sale",)))
    shop.collections.create(Collection(handle="sale", title="Sale"))
    for format, found in (
        ("matrixify", "1 product record"),  # four options are too many
        ("shopify-csv", "1 product record"),
        ("woocommerce-csv", "2 product records"),
        ("collections", "1 collection record"),
        ("redirects", "no records"),
    ):
        assert f"Wrote {found} to a.csv." in cli("pull", URL, "-o", "a.csv", "--format", format)
    assert "Wrote 1 collection record to a.csv." in cli("pull", URL, "collection", "-o", "a.csv")
    whole = "Wrote 1 location, 1 collection, 2 product records to a.jsonl."
    assert whole in cli("pull", URL, "-o", "a.jsonl")


def test_what_no_undo_takes_back_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    for undo, told in (("none", "can't take this back"), ("partly", "can take this back in part")):
        _show_change(PlannedChange(1, "product", "core", "update", "tee", "1", 2, (), (), undo))
        assert f"    an undo {told}" in capsys.readouterr().out


def test_the_help_says_how_several_locations_are_named(cli: Cli) -> None:
    assert "FROM=TO,FROM=TO" in cli("plan", "--help", state=False)
