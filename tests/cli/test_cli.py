from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import storebridge
from storebridge import formats
from storebridge.cli import common, output
from storebridge.cli import plan as plans
from storebridge.cli.app import COMMANDS, app, run
from storebridge.models import Money, Product, Record, Variant
from storebridge.plan import Plan
from storebridge.store import Store

EUR = Money("10.00", "EUR")
TEE = Product(
    handle="tee",
    title="Tee",
    status="active",
    tags=("a", "b"),
    variants=(Variant(sku="T", price=EUR),),
)
URL = "local:shop.db"


class Cli:
    """Runs commands in the test's folder, with the state beside them."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.out = self.err = ""

    def __call__(self, *words: str, code: int = 0, state: bool = True) -> str:
        given = (*words, "--state", "state") if state else words
        found = run(given)
        self.out, self.err = self.capsys.readouterr()
        assert found == code, f"{words} ended with {found}:\n{self.out}\n{self.err}"
        return self.out


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("storebridge.config.user_folder", lambda: tmp_path / "user")
    return Cli(capsys)


@pytest.fixture
def shop(cli: Cli) -> Iterator[Store]:
    with storebridge.open(URL, state="state") as store:
        yield store


def source(*records: Record, name: str = "source.jsonl") -> str:
    formats.write(Path(name), records, formats.Context())
    return name


# --- the way of a plan


def test_plan_show_apply_undo(cli: Cli, shop: Store) -> None:
    name = source(TEE)
    out = cli("plan", name, "--to", URL, "-o", "a.plan")
    assert "1 to create, 0 to update, 0 to delete, 0 unchanged" in out
    assert "storebridge apply a.plan --state state" in out
    assert shop.products.find("tee") is None
    out = cli("show", "a.plan", state=False)
    assert "+ product tee" in out
    assert "title: Tee" in out
    assert "tags: a, b" in out
    assert "variants: 1: T" in out
    out = cli("apply", "a.plan")
    assert "1 applied" in out
    assert "storebridge undo a.plan --state state" in out
    assert shop.products.find("tee") is not None
    assert "Nothing has to be changed." in cli("plan", name, "--to", URL, "-o", "b.plan")
    cli("undo", "a.plan", "--yes")
    tee = shop.products.find("tee")
    assert tee is not None
    assert tee.status == "archived"
    assert "a.undo.plan" in cli("history", URL)


def test_plan_json_has_exactly_what_machines_are_promised(cli: Cli, shop: Store) -> None:
    shop.products.create(TEE.but(title="Old"))
    name = source(TEE, TEE.but(handle="cap", variants=(Variant(sku="C"),)))
    cli("plan", name, "--to", URL, "-o", "a.plan", "--json")
    doc = json.loads(cli.out)
    told = ["digest", "counts", "absent", "guards", "warnings", "changes", "fit", "skipped"]
    assert list(doc) == told
    with Plan.open("a.plan") as plan:
        assert doc["digest"] == plan.digest
    counts = {"create": 1, "update": 1, "delete": 0, "unchanged": 0, "skipped": 0}
    assert doc["counts"] == {**counts, "out_of_scope": 0}
    assert [found["guard"] for found in doc["guards"]] == ["max_emptied", "max_deletes"]
    assert all(found["ok"] for found in doc["guards"])
    update = next(change for change in doc["changes"] if change["action"] == "update")
    assert update["record"] == "tee"
    assert update["fields"] == [{"path": "title", "before": "Old", "after": "Tee"}]
    assert doc["fit"] == []
    assert json.loads(cli("show", "a.plan", "--json", state=False)) == doc


def test_check_tells_whether_there_is_something_to_change(cli: Cli, shop: Store) -> None:
    name = source(TEE)
    cli("plan", name, "--to", URL, "-o", "a.plan", "--check", code=6)
    cli("apply", "a.plan")
    cli("plan", name, "--to", URL, "-o", "b.plan", "--check", code=0)


def test_what_the_store_can_not_hold_is_listed(cli: Cli) -> None:
    name = source(TEE.but(brand="Acme"))
    to = "sandbox:template"
    assert "brand of product tee" in cli("plan", name, "--to", to, "-o", "a.plan")
    assert json.loads(cli("show", "a.plan", "--json", state=False))["fit"][0]["field"] == "brand"
    cli("plan", name, "--to", to, "-o", "b.plan", "--strict", code=5)
    assert not Path("b.plan").exists()


def test_another_store_can_be_the_source(cli: Cli, shop: Store) -> None:
    shop.products.create(TEE)
    cli("push", URL, "--to", "local:copy.db", "--yes")
    with storebridge.open("local:copy.db", state="state") as copy:
        assert copy.products.find("tee") is not None


def test_limit_says_how_to_see_the_rest(cli: Cli) -> None:
    name = source(*(TEE.but(handle=f"p{n}", variants=(Variant(sku=f"S{n}"),)) for n in range(5)))
    cli("plan", name, "--to", URL, "-o", "a.plan")
    out = cli("show", "a.plan", "--limit", "2", state=False)
    assert out.count("+ product") == 2
    assert "... and 3 more; see all with: storebridge show a.plan --limit 0" in out
    assert cli("show", "a.plan", "--limit", "0", state=False).count("+ product") == 5


# --- exit codes


def test_a_wrong_file_is_1_and_every_problem_is_shown(cli: Cli) -> None:
    names = ["Price", "Compare-at price", "Cost per item", "Weight value (grams)"]
    rows = "".join(f"P{n},p{n}" + ',"x"' * len(names) + "\n" for n in range(3))
    Path("bad.csv").write_text(f"Title,URL handle,{','.join(names)}\n{rows}", encoding="utf-8")
    cli("plan", "bad.csv", "--to", URL, "-o", "a.plan", code=1)
    assert [cli.err.count(f"column {name!r}") for name in names] == [3, 3, 3, 3]
    assert "Error: 12 problems in the source" in cli.err
    assert not Path("a.plan").exists()
    assert cli.out == ""


@pytest.mark.parametrize(
    "words",
    [
        ["nothing"],
        ["plan"],
        ["plan", "a.csv", "--to", URL, "--nothing"],
        ["plan", "a.csv", "--to", URL, "--absent", "burn"],
        ["plan", "a.csv", "--to", URL, "--header", "Titel"],
        ["pull", URL, "-o", "a.jsonl", "--where", "title ="],
    ],
)
def test_wrong_usage_is_2(cli: Cli, shop: Store, words: list[str]) -> None:
    assert shop.info.currency == "EUR"  # and so it is there
    cli(*words, code=2, state=False)
    assert cli.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pull", "nothing", "-o", "a.jsonl"], "No store is called 'nothing'"),
        (["pull", "@eu", "-o", "a.jsonl"], "tags in use: none"),
        (["pull", "nothing:x", "-o", "a.jsonl"], "No adapter is called 'nothing'"),
        (["pull", "template+http://x.example", "-o", "a.jsonl"], "needs token"),
        (["plan", "none.csv", "--to", URL], "no file none.csv"),
    ],
)
def test_configuration_is_3(cli: Cli, words: list[str], message: str) -> None:
    cli(*words, code=3)
    assert message in cli.err


def test_a_read_only_store_is_3_and_says_what_allows_it(cli: Cli) -> None:
    cli("stores", "add", "acme", URL, state=False)
    cli("stores", "allow", "acme", "read", state=False)
    cli("plan", source(TEE), "--to", "acme", "-o", "a.plan")
    cli("apply", "a.plan", code=3)
    assert "storebridge stores allow acme write" in cli.err
    cli("stores", "allow", "acme", "write", state=False)
    cli("apply", "a.plan")


def test_items_left_alone_are_4(cli: Cli) -> None:
    name = source(TEE.but(collections=("nowhere",)))
    cli("plan", name, "--to", "sandbox:template", "-o", "a.plan")
    out = cli("apply", "a.plan", code=4)
    assert "skipped membership of product tee" in out
    assert "nowhere" in out
    cli("apply", "a.plan", "--json", code=4)
    doc = json.loads(cli.out)
    assert doc["counts"]["skipped"] == 1
    assert sum(doc["counts"].values()) == doc["planned"]
    assert [item["cause"] for item in doc["items"]] == ["reference"]


def test_a_conflict_is_5_and_can_be_planned_anew(cli: Cli, shop: Store) -> None:
    shop.products.create(TEE)
    cli("plan", source(TEE.but(title="New")), "--to", URL, "-o", "a.plan")
    shop.products.update(Product(handle="tee", title="By hand"))
    out = cli("apply", "a.plan", code=5)
    assert "changed since the plan: title" in out
    assert "storebridge apply a.plan --on-conflict replan --state state" in out
    out = cli("apply", "a.plan", "--on-conflict", "replan", code=5)
    assert "storebridge apply a.again.plan --state state" in out
    assert "title: By hand -> New" in cli("show", "a.again.plan", state=False)
    cli("apply", "a.again.plan")
    tee = shop.products.find("tee")
    assert tee is not None
    assert tee.title == "New"


def test_a_locked_store_is_5(cli: Cli, shop: Store) -> None:
    cli("plan", source(TEE), "--to", URL, "-o", "a.plan")
    with shop.state.lock("apply"):
        cli("apply", "a.plan", code=5)
    assert "holds 'apply'" in cli.err
    cli("apply", "a.plan")


def test_a_plan_for_another_store_is_5(cli: Cli) -> None:
    cli("plan", source(TEE), "--to", URL, "-o", "a.plan")
    cli("apply", "a.plan", "--to", "local:other.db", code=3)
    assert "there is no store file other.db" in cli.err
    cli("plan", source(TEE), "--to", "local:other.db", "-o", "b.plan")
    cli("apply", "a.plan", "--to", "local:other.db", code=5)
    assert "not for local:other.db" in cli.err


def test_an_undo_that_keeps_something_is_4(cli: Cli, shop: Store) -> None:
    shop.products.create(TEE)
    cli("push", source(TEE.but(title="New", tags=("x",))), "--to", URL, "-o", "a.plan", "--yes")
    shop.products.update(Product(handle="tee", title="By hand"))
    out = cli("undo", "a.plan", "--yes", code=4)
    assert "Left alone:" in out
    tee = shop.products.find("tee")
    assert tee is not None
    assert (tee.title, tee.tags) == ("By hand", ("a", "b"))


def test_an_interrupt_is_130_and_says_how_to_go_on(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    cli("plan", source(TEE), "--to", URL, "-o", "a.plan")
    monkeypatch.setattr("storebridge.plan.Plan.apply", interrupted)
    cli("apply", "a.plan", code=130)
    assert "Run the same command to go on" in cli.err


# --- asking


Answer = Callable[[str], None]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Put a person before a terminal, who types a line."""

    def sit(line: str) -> None:
        monkeypatch.setattr(common, "is_terminal", lambda stream: True)
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{line}\n"))

    return sit


def test_push_asks_nobody_where_there_is_no_terminal(cli: Cli, shop: Store) -> None:
    cli("push", source(TEE), "--to", URL, "-o", "a.plan", code=5)
    assert "Add --yes, or look first: storebridge show a.plan" in cli.err
    assert shop.products.find("tee") is None
    cli("push", source(TEE), "--to", URL, "-o", "b.plan", "--yes")
    assert shop.products.find("tee") is not None


@pytest.mark.parametrize(("line", "found"), [("y", True), ("n", False), ("", False)])
def test_push_does_what_the_person_says(
    cli: Cli, shop: Store, answer: Answer, line: str, found: bool
) -> None:
    answer(line)
    out = cli("push", source(TEE), "--to", URL, "-o", "a.plan")
    assert "Change local:shop.db? [y/N]" in cli.err
    assert (shop.products.find("tee") is not None) is found
    assert ("storebridge apply a.plan" in out) is not found


def test_a_live_store_asks_for_its_name(cli: Cli, answer: Answer) -> None:
    cli("stores", "add", "acme", URL, "--live", state=False)
    cli("plan", source(TEE), "--to", "acme", "-o", "a.plan")
    cli("apply", "a.plan", code=5)
    assert "acme is a live store. Confirm with --live acme" in cli.err
    cli("apply", "a.plan", "--live", "amce", code=5)
    cli("push", "source.jsonl", "--to", "acme", "-o", "b.plan", "--yes", code=5)
    answer("amce")
    cli("apply", "a.plan", code=5)
    assert "nothing was changed" in cli.err
    answer("acme")
    cli("apply", "a.plan")
    cli("undo", "a.plan", "--yes", "--live", "acme")


# --- what is printed


def test_nothing_of_a_store_reaches_the_terminal_that_it_would_obey(cli: Cli) -> None:
    evil = "Tee\x1b]0;owned\x07\x1b[31m\u202egnp\u2066\x9b2J\r\nfake\u2028line"
    cli("plan", source(TEE.but(title=evil, handle="tee")), "--to", URL, "-o", "a.plan")
    shown = cli("show", "a.plan", state=False)
    raw = cli("show", "a.plan", "--json", state=False)
    for text in (shown, raw, cli("apply", "a.plan")):
        assert not {c for c in text if c != "\n" and (not c.isprintable() or ord(c) > 0x2000)}
    assert "title: Tee" in shown
    assert "\nfake" not in shown
    assert "[31m" in shown  # shown as text, not obeyed, and no markup either
    title = next(f for f in json.loads(raw)["changes"][0]["fields"] if f["path"] == "title")
    assert title["after"] == evil


@pytest.mark.parametrize("error", [False, True])
def test_a_line_for_people_holds_nothing_else(cli: Cli, error: bool) -> None:
    output.say("a\x1b[2Jb\x07", ("c\u202ed\r\n\x9be", "bold"), error=error)
    found = cli.capsys.readouterr()
    assert (found.err if error else found.out) == "a [2Jb cd   e\n"


def test_square_brackets_are_no_markup(cli: Cli) -> None:
    cli("plan", source(TEE.but(title="[red]Tee[/red] [/]")), "--to", URL, "-o", "a.plan")
    assert "title: [red]Tee[/red] [/]" in cli("show", "a.plan", state=False)


def test_progress_is_lines_in_a_pipe_and_a_bar_on_a_terminal(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "_EVERY", 0.0)
    with output.progress() as tick:
        tick("Reading", 3, 10)
    assert cli.capsys.readouterr().err == "Reading: 3 of 10\n"
    monkeypatch.setattr(output, "is_terminal", lambda stream: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with output.progress() as tick:
        tick("Reading", 3, 10)
    err = cli.capsys.readouterr().err
    assert "Reading" in err
    assert "\x1b" in err


def test_a_table_is_lines_with_tabs_in_a_pipe(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    output.table(("a", "b"), [("1", "x\ty")])
    assert cli.capsys.readouterr().out == "a\tb\n1\tx y\n"
    monkeypatch.setattr(output, "is_terminal", lambda stream: True)
    output.table(("a", "b"), [("1", "[red]y")])
    assert "[red]y" in cli.capsys.readouterr().out


# --- the other commands


def test_stores_are_added_listed_checked_allowed_and_removed(cli: Cli) -> None:
    assert "stores add NAME URL" in cli("stores", "list", state=False)
    out = cli("stores", "add", "acme", "template+http://127.0.0.1:9", "--tag", "eu", state=False)
    assert "STOREBRIDGE_STORES__ACME__TOKEN" in out
    assert "storebridge stores allow acme write" in out
    cli("stores", "add", "desk", URL, "--tag", "eu", state=False)
    assert cli("stores", "list", state=False).splitlines()[1:] == [
        "acme\ttemplate+http://127.0.0.1:9\t@eu\tread",
        f"desk\tlocal:{Path('shop.db').resolve().as_posix()}\t@eu\twrite",
    ]
    assert json.loads(cli("stores", "list", "--json", state=False))[1]["name"] == "desk"
    out = cli("stores", "check", "@eu", code=3)
    assert "desk: yes" in out
    assert "acme: no" in cli.err
    assert "needs token" in cli.err
    cli("stores", "remove", "acme", state=False)
    cli("stores", "remove", "acme", code=3, state=False)
    assert cli("stores", "check", "@eu").startswith("desk: yes")


def test_a_secret_typed_at_a_terminal_is_kept_privately(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storebridge.cli.stores.is_terminal", lambda stream: True)
    monkeypatch.setattr("storebridge.cli.stores.getpass", lambda prompt: "s3cr3t")
    cli("stores", "add", "acme", "template+http://127.0.0.1:9", state=False)
    file = tmp_path / "user" / "secrets.toml"
    assert "s3cr3t" in file.read_text(encoding="utf-8")
    assert "s3cr3t" not in cli.out + Path("storebridge.toml").read_text(encoding="utf-8")
    if os.name == "posix":
        assert file.stat().st_mode & 0o077 == 0


def test_pull_writes_a_file_that_plans_to_nothing(cli: Cli, shop: Store) -> None:
    shop.products.create(TEE)
    shop.products.create(TEE.but(handle="cap", variants=(Variant(sku="C"),), vendor="Acme"))
    out = cli("pull", URL, "-o", "all.jsonl")
    assert "2 product records to all.jsonl" in out
    assert "storebridge plan all.jsonl --to local:shop.db" in out
    cli("plan", "all.jsonl", "--to", URL, "--check")
    assert "1 product record " in cli(
        "pull", URL, "product", "-o", "some.csv", "--format", "shopify-csv",
        "--where", "vendor = 'Acme'",
    )  # fmt: skip
    cli("pull", URL, "nothing", "-o", "x.jsonl", code=1)
    assert "no records of kind 'nothing'" in cli.err


def test_history_is_listed_and_pruned(cli: Cli, shop: Store) -> None:
    shop.products.create(TEE.but(handle="cap", variants=()))
    assert "No plan has been applied" in cli("history", URL)
    cli("push", source(TEE), "--to", URL, "-o", "a.plan", "--yes")
    assert "1 applied" in cli("history", URL)
    (row,) = json.loads(cli("history", URL, "--json"))
    assert Path(row["path"]).name == "a.plan"
    assert "Forgot 0" in cli("history", "prune", URL, "--days", "1")
    assert "Forgot 1" in cli("history", "prune", URL, "--days", "-1")


def test_platforms_are_listed_with_what_they_hold(cli: Cli) -> None:
    assert "local\tLocal store\tstorebridge" in cli("platforms", state=False)
    lines = cli("platforms", "--table", state=False).splitlines()
    heads, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in lines)
    table = {row[0]: dict(zip(heads, row, strict=True)) for row in rows}
    assert heads[1] == "Local store"
    assert (table["Market prices"]["Local store"], table["Market prices"]["Template"]) == (
        "yes",
        "yes",
    )
    assert (table["Attributes"]["Local store"], table["Attributes"]["Template"]) == ("yes", "-")
    docs = {doc["name"]: doc for doc in json.loads(cli("platforms", "--json", state=False))}
    assert "variants.price" in docs["template"]["kinds"]["product"]["fields"]
    assert docs["template"]["kinds"]["order"]["reason"] == "Template keeps no orders"


def test_a_sandbox_is_served_until_it_is_interrupted(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(server: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("storebridge.testing.sandbox.SandboxServer.serve_forever", interrupted)
    out = cli("sandbox", "template", state=False)
    assert "listens on http://127.0.0.1:" in out
    assert "token = sandbox" in out
    cli("sandbox", "local", code=3, state=False)


def test_the_demo_shows_the_whole_way(cli: Cli) -> None:
    out = cli("demo", "--folder", "demo", state=False)
    for seen in (
        "10 to create, 0 to update",
        "10 applied",
        "Nothing has to be changed.",
        "variants[MUG-SALT].price: 24.00 EUR -> 25.50 EUR",
        "changed since the plan: variants[MUG-SALT].price",
        "(exit code 5)",
        "variants[MUG-SALT].price: 23.00 EUR -> 25.50 EUR",
        "storebridge undo second.plan --yes --state state",
    ):
        assert seen in out
    assert Path.cwd() == Path("demo").resolve().parent
    with storebridge.open("local:demo/shop.db", state="state") as store:
        assert sum(1 for _ in store.products.iter()) == 10
        mug, pen = store.products.find("stoneware-mug"), store.products.find("brass-pen")
        assert mug is not None
        assert pen is not None
        assert mug.variants[0].price == Money("23.00", "EUR")
        assert mug.variants[0].market_prices[0].price == Money("26.50", "CHF")
        assert pen.title == "Brass Pen"


def test_the_demo_runs_on_a_sandbox_of_a_platform(cli: Cli) -> None:
    out = cli("demo", "--folder", "demo", "--to", "sandbox:woocommerce", state=False)
    for seen in (
        "answers as WooCommerce does",
        "10 to create, 0 to update",
        "variants.market_prices of product linen-apron",
        "20 applied",
        "Nothing has to be changed.",
        "changed since the plan: variants[MUG-SALT].price",
        "variants[MUG-SALT].price: 23.00 USD -> 25.50 USD",
    ):
        assert seen in out


def test_the_demo_runs_on_a_sandbox_with_markets_and_several_locations(cli: Cli) -> None:
    out = cli("demo", "--folder", "demo", "--to", "sandbox:shopify", state=False)
    for seen in (
        "answers as Shopify does",
        "It sells to Switzerland already.",
        "It has several locations (Shop, Warehouse): the stock is put into the first.",
        "10 to create, 0 to update",
        "27 applied",
        "Nothing has to be changed.",
        "changed since the plan: variants[MUG-SALT].price",
        "variants[MUG-SALT].price: 23.00 EUR -> 25.50 EUR",
    ):
        assert seen in out


def test_the_demo_stays_away_from_real_stores(cli: Cli) -> None:
    cli("demo", "--to", "woocommerce+https://shop.example", code=2, state=False)
    assert "Use a sandbox" in cli.err


# --- the application


def test_help_loads_no_command() -> None:
    code = (
        "import sys; from storebridge.cli.app import run; run(['--help']); "
        "print([m for m in sys.modules if m.startswith('storebridge.') and m.count('.') == 2 "
        "or m in ('pydantic', 'babel', 'httpx2')], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "['storebridge.cli.app']"
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_help(cli: Cli, name: str) -> None:
    assert COMMANDS[name][1] in " ".join(cli(name, "--help", state=False).split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(shell: Any) -> None:
    script = app.generate_completion(shell=shell)
    assert "platforms" in script
    assert "on-conflict" in script


@pytest.mark.parametrize("options", [["--limit", "0"], ["--json"]])
def test_a_reader_that_goes_away_is_no_trouble(cli: Cli, options: list[str]) -> None:
    name = source(*(TEE.but(handle=f"p{n}", variants=(Variant(sku=f"S{n}"),)) for n in range(300)))
    cli("plan", name, "--to", URL, "-o", "a.plan")
    command = [sys.executable, "-c", "from storebridge.cli import main; main()", "show", "a.plan"]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("value", "path", "shown"),
    [
        ({"location": "Shop", "available": 0}, "variants[T].inventory[Shop]", "0"),
        ({"market": "CH", "price": "5 CHF"}, "variants[T].market_prices[CH]", "5 CHF"),
        ({"value": "2", "unit": "kg"}, "variants[T].weight", '{"value": "2", "unit": "kg"}'),
        ([{"sku": "A"}, {"sku": "B"}], "variants", "2: A, B"),
    ],
)
def test_an_element_is_shown_by_what_it_says(value: Any, path: str, shown: str) -> None:
    assert plans._text(value, path) == shown


def test_long_texts_are_shown_where_they_differ(cli: Cli, shop: Store) -> None:
    shop.products.create(TEE.but(description_html="<p>Soft cotton, " + 80 * "x" + "red</p>"))
    text = "<p>Soft cotton, " + 80 * "x" + "blue</p>"
    Path("new.csv").write_text(f'handle,description_html\ntee,"{text}"\n', encoding="utf-8")
    cli("plan", "new.csv", "--to", URL, "-o", "new.plan")
    out = cli("show", "new.plan", state=False)
    assert f"...{20 * 'x'}red</p> -> ...{20 * 'x'}blue</p>" in out


def test_pull_counts_what_the_file_has(cli: Cli, shop: Store) -> None:
    shop.products.create(TEE)
    out = cli("pull", URL, "-o", "all.xlsx")
    assert "Wrote 1 product record to all.xlsx." in out
    assert "The format can't hold 1 location (Default)" in out
