from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import storebridge
from storebridge import formats
from storebridge.cli import common
from storebridge.cli.app import run
from storebridge.models import Money, Product, Record, Variant
from storebridge.plan import PlanFolder
from storebridge.plan.workers import run_all

NAMES = ("acme", "berta", "carla")
EUR = Money("10.00", "EUR")
TEE = Product(
    handle="tee",
    title="Tee",
    status="active",
    variants=(Variant(sku="T", price=EUR, cost=Money("4.44", "EUR")),),
)
CAP = TEE.but(handle="cap", title="Cap", variants=(Variant(sku="C", price=EUR),))


class Cli:
    """Runs commands in the test's folder, with the state beside them."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.out = self.err = ""

    def __call__(self, *words: str, code: int = 0) -> str:
        found = run(words)
        self.out, self.err = self.capsys.readouterr()
        assert found == code, f"{words} ended with {found}:\n{self.out}\n{self.err}"
        return self.out


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("storebridge.config.user_folder", lambda: tmp_path / "user")
    # In this process: the processes themselves have tests of their own.
    monkeypatch.setattr("storebridge.plan.group.run_all", in_threads)
    name_stores()
    source(TEE, CAP)
    return Cli(capsys)


def in_threads(works: Any, jobs: int, **how: Any) -> None:
    run_all(works, jobs, **{**how, "processes": False})


def name_stores(**more: str) -> None:
    lines = [
        f'[stores.{name}]\nurl = "local:{name}.db"\ntags = ["eu"]\n{more.pop(name, "")}\n'
        for name in NAMES
    ]
    lines += [f"[stores.{name}]\n{text}\n" for name, text in more.items()]
    Path("storebridge.toml").write_text("".join(lines), encoding="utf-8")


def source(*records: Record, name: str = "feed.jsonl") -> str:
    formats.write(Path(name), records, formats.Context())
    return name


def job(*lines: str, name: str = "nightly.toml") -> str:
    own = ('source = "feed.jsonl"', 'to = "@eu"', 'output = "night.plans"', 'state = "state"')
    Path(name).write_text("\n".join((*own, *lines)), encoding="utf-8")
    return name


def title(store: str, handle: str = "tee") -> str:
    with storebridge.open(store, state="state") as opened:
        found = opened.products.find(handle)
        return found.title if found else ""


def table(text: str) -> dict[str, list[str]]:
    """Return the rows of the last table, by their first cell."""
    rows = (line.split("\t") for line in text.splitlines() if "\t" in line)
    return {row[0]: row[1:] for row in rows}


# --- the way of a folder


def test_plan_show_apply_report_undo_take_a_tag(cli: Cli) -> None:
    out = cli("plan", "feed.jsonl", "--to", "@eu", "-o", "night.plans", "--state", "state")
    assert [table(out)[name][:4] for name in NAMES] == [["2", "0", "0", "0"]] * 3
    assert "storebridge apply night.plans --state state" in out
    assert title("acme") == ""
    shown = cli("show", "night.plans")
    assert shown.count("+ product tee") == 3
    assert "title: Tee" in shown
    out = cli("apply", "night.plans", "--state", "state")
    assert table(out)["3 stores"][0] == "6"
    assert "storebridge undo night.plans --state state" in out
    assert [title(name) for name in NAMES] == ["Tee"] * 3
    cli("report", "night.plans", "-o", "night.html")
    assert "3 stores" in Path("night.html").read_text(encoding="utf-8")
    out = cli("undo", "night.plans", "--yes", "--state", "state")
    assert table(out)["3 stores"][0] == "6"
    assert Path("night.undo.plans/acme.plan").exists()


def test_one_name_makes_a_plan_and_several_a_folder(cli: Cli) -> None:
    cli("plan", "feed.jsonl", "--to", "acme", "-o", "one.plan", "--state", "state")
    assert Path("one.plan").is_file()
    cli("plan", "feed.jsonl", "--to", "acme,berta", "-o", "two.plans", "--state", "state")
    assert PlanFolder.open("two.plans").stores == ("acme", "berta")
    cli("plan", "feed.jsonl", "--to", "acme", "--to", "carla", "-o", "too", "--state", "state")
    assert PlanFolder.open("too").stores == ("acme", "carla")
    out = cli("plan", "feed.jsonl", "--to", "@all", "--state", "state")
    (folder,) = Path(".storebridge/plans").iterdir()
    assert f"storebridge show {folder}" in out
    cli("plan", "feed.jsonl", code=2)
    assert "--to STORE" in cli.err


def test_check_tells_drift_and_in_which_stores(cli: Cli) -> None:
    words = ("feed.jsonl", "--to", "@eu", "--state", "state")
    cli("push", *words, "-o", "a.plans", "--yes")
    cli("plan", *words, "-o", "b.plans", "--check")
    assert "Nothing has to be changed." in cli.out
    with storebridge.open("berta", state="state") as store:
        live = store.products.find("tee")
        assert live is not None
        store.products.update(live.but(title="Hoodie"))
    out = cli("plan", *words, "-o", "c.plans", "--check", code=6)
    assert {name: table(out)[name][1] for name in NAMES} == {
        "acme": "0",
        "berta": "1",
        "carla": "0",
    }


def test_a_store_that_is_away_is_told_and_the_worst_code_counts(cli: Cli) -> None:
    name_stores(away='url = "template+http://127.0.0.1:9"\naccess = "write"')
    out = cli("plan", "feed.jsonl", "--to", "@all", "-o", "a.plans", "--state", "state", code=3)
    assert "away: away needs token" in out
    assert table(out)["away"][0] == "-"
    out = cli("apply", "a.plans", "--state", "state", code=3)
    assert table(out)["4 stores"][0] == "6"
    cli("stores", "check", "@all", code=3)


def test_json_is_for_machines(cli: Cli) -> None:
    words = ("--to", "@eu", "-o", "a.plans", "--state", "state")
    doc = json.loads(cli("plan", "feed.jsonl", *words, "--json"))
    assert [one["store"] for one in doc["stores"]] == [*NAMES]
    assert doc["counts"]["create"] == 6
    assert doc["digest"] == PlanFolder.open("a.plans").digest
    shown = json.loads(cli("show", "a.plans", "--json"))
    assert len(shown["stores"][0]["changes"]["changes"]) == 2
    done = json.loads(cli("apply", "a.plans", "--json", "--state", "state"))
    assert done["counts"]["applied"] == done["planned"] == 6
    assert [one["exit_code"] for one in done["stores"]] == [0, 0, 0]


def test_another_digest_is_not_applied(cli: Cli) -> None:
    cli("plan", "feed.jsonl", "--to", "@eu", "-o", "a.plans", "--state", "state")
    digest = PlanFolder.open("a.plans").digest
    cli("apply", "a.plans", "--digest", "0" * 64, "--state", "state", code=5)
    assert "isn't what was looked at" in cli.err
    assert title("acme") == ""
    cli("apply", "a.plans", "--digest", digest, "--state", "state")
    cli("apply", "a.plans", "--to", "acme", code=2)


def test_a_live_store_is_confirmed_before_anything_is_written(cli: Cli) -> None:
    name_stores(berta="live = true")
    cli("plan", "feed.jsonl", "--to", "@eu", "-o", "a.plans", "--state", "state")
    cli("apply", "a.plans", "--state", "state", code=5)
    assert "Confirm with --live berta" in cli.err
    assert [title(name) for name in NAMES] == ["", "", ""]
    cli("apply", "a.plans", "--state", "state", "--live", "acme,berta")
    assert title("berta") == "Tee"


def test_push_asks_once_for_all(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("feed.jsonl", "--to", "@eu", "--state", "state", "-o", "a.plans")
    cli("push", *words, code=5)
    assert "Add --yes" in cli.err
    monkeypatch.setattr(common, "is_terminal", lambda stream: True)
    monkeypatch.setattr("sys.stdin", _Typed("n\n"))
    cli("push", *words)
    assert "Change 3 stores? [y/N]" in cli.err
    assert title("acme") == ""
    cli("push", *words, "--yes")
    assert title("carla") == "Tee"
    cli("push", *words, "--yes", code=5)
    assert "was applied already" in cli.err


class _Typed:
    def __init__(self, text: str) -> None:
        self.text = text

    def readline(self) -> str:
        return self.text


# --- jobs


def test_a_job_is_planned_and_pushed(cli: Cli) -> None:
    out = cli("plan", job())
    assert table(out)["acme"][0] == "2"
    assert "storebridge apply night.plans --state state" in out
    cli("push", "nightly.toml", "--yes")
    assert title("berta") == "Tee"


def test_what_is_typed_beats_the_file_even_where_it_is_the_default(cli: Cli) -> None:
    name = job('create = "active"', "where = \"sku = 'T'\"", "[stores.acme]", 'create = "no"')
    cli("plan", name)
    made = {store: plan.about["options"]["create"] for store, plan in plans("night.plans")}
    assert made == {"acme": "no", "berta": "active", "carla": "active"}
    assert PlanFolder.open("night.plans").counts["create"] == 2
    cli("plan", name, "--create", "draft", "--where", "", "--to", "acme,berta", "-o", "b.plans")
    made = {store: plan.about["options"]["create"] for store, plan in plans("b.plans")}
    assert made == {"acme": "draft", "berta": "draft"}
    assert PlanFolder.open("b.plans").counts["create"] == 4


def plans(folder: str) -> Iterator[tuple[str, Any]]:
    return PlanFolder.open(folder).plans()


def test_a_job_for_one_store_makes_one_plan(cli: Cli) -> None:
    text = 'source = "feed.jsonl"\nto = "acme"\noutput = "{store}.plan"\nstate = "state"\n'
    Path("one.toml").write_text(text, encoding="utf-8")
    cli("plan", "one.toml")
    assert Path("acme.plan").is_file()
    cli("plan", "one.toml", "--to", "berta")
    assert Path("berta.plan").is_file()


def test_a_wrong_word_plans_nothing(cli: Cli) -> None:
    cli("plan", job("max-delets = 1"), code=2)
    assert "Did you mean max-deletes" in cli.err
    assert not Path("night.plans").exists()


def test_a_breach_in_one_store_refuses_that_one_only(cli: Cli) -> None:
    cli("push", "feed.jsonl", "--to", "berta", "--state", "state", "-o", "first.plan", "--yes")
    source(TEE.but(variants=(Variant(sku="T", price=Money("99.00", "EUR")),)))
    out = cli("plan", job('max-price-move = "10%"'), code=5)
    assert table(out)["acme"][0] == "1"
    assert table(out)["berta"][0] == "-"
    assert "--max-price-move 10%" in out
    cli("apply", "night.plans", "--state", "state", code=5)
    assert [title(name) for name in NAMES] == ["Tee"] * 3


# --- the report


def test_a_report_of_all_hides_what_clients_must_not_see(cli: Cli) -> None:
    name_stores(away='url = "template+http://127.0.0.1:9"\naccess = "write"')
    cli("plan", "feed.jsonl", "--to", "@all", "-o", "a.plans", "--state", "state", code=3)
    cli("apply", "a.plans", "--state", "state", code=3)
    index = Path("a.plans/plans.json")
    told = index.read_text(encoding="utf-8").replace("away needs", "cost is 4.44. away needs")
    index.write_text(told, encoding="utf-8")
    cli("report", "a.plans", "-o", "open.html")
    assert Path("open.html").read_text(encoding="utf-8").count("4.44") > 1
    cli("report", "a.plans", "-o", "all.html", "--hide", "cost,custom.margin")
    page = Path("all.html").read_text(encoding="utf-8")
    assert "4.44" not in page
    assert "1 of 4 stores stopped early" in page
    assert "Stores that need you (1)" in page
    assert all(f"<bdi>{name}</bdi>" in page for name in (*NAMES, "away"))
    cli("report", "a.plans", "-o", "all.md")
    text = Path("all.md").read_text(encoding="utf-8")
    assert "# Plans for 4 stores" in text
    assert "| away | no plan |" in text
    cli("report", "a.plans", "-o", "all.xlsx")
    cli("report", "a.plans")
    assert Path("a.html").exists()


def test_failed_rows_of_a_folder_come_back_store_by_store(cli: Cli) -> None:
    cli("plan", "feed.jsonl", "--to", "@eu", "-o", "a.plans", "--state", "state")
    with storebridge.open("berta", state="state") as store:
        store.products.create(TEE)
    cli("apply", "a.plans", "--state", "state", code=5)
    out = cli("report", "a.plans", "--failed-rows", "fix.jsonl")
    assert "1 row to fix.berta.jsonl" in out
    assert [path.name for path in Path().glob("fix*")] == ["fix.berta.jsonl"]


def test_a_folder_without_any_plan_has_a_report(cli: Cli) -> None:
    Path("feed.jsonl").write_text("{broken", encoding="utf-8")
    cli("plan", "feed.jsonl", "--to", "@eu", "-o", "a.plans", "--state", "state", code=1)
    assert cli.out.count("row 1") == 1, "what all have in common is told once"
    for name in ("all.html", "all.md", "all.xlsx"):
        cli("report", "a.plans", "-o", name)
    assert "Stores that need you (3)" in Path("all.html").read_text(encoding="utf-8")
    cli("apply", "a.plans", "--state", "state", code=1)
    source(TEE, CAP)
    cli("plan", "feed.jsonl", "--to", "@eu", "-o", "a.plans", "--state", "state")
    assert not PlanFolder.open("a.plans").is_empty, "the source was put right"


# --- real processes


def spawn(*words: str) -> subprocess.Popen[str]:
    """Start a command in a process of its own, which gets Ctrl-C as a terminal sends it."""
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "from storebridge.cli import main; main()"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
    )  # fmt: skip


def applied_somewhere(folder: str) -> bool:
    report = PlanFolder.open(folder).report()
    return 0 < report.counts["applied"] < report.planned


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_was_stopped_goes_on(cli: Cli, number: signal.Signals) -> None:
    many = (TEE.but(handle=f"p{n}", variants=(Variant(sku=f"S{n}"),)) for n in range(400))
    source(*many)
    cli("plan", job())
    with spawn("apply", "night.plans", "--state", "state", "--jobs", "1") as child:
        ends = time.monotonic() + 30
        while not applied_somewhere("night.plans") and time.monotonic() < ends:
            time.sleep(0.01)
        child.send_signal(number)
        out, err = child.communicate()
    assert child.returncode == (130 if number == signal.SIGINT else -number), out + err
    assert applied_somewhere("night.plans"), "stopped in the middle"
    if number == signal.SIGINT:
        assert err.splitlines()[-1] == "Interrupted. Run the same command to go on."
    out = cli("apply", "night.plans", "--state", "state")
    assert table(out)["3 stores"][0] == "1200"
    assert not list(Path("night.plans").glob(".making-*"))
    for name in NAMES:
        with storebridge.open(name, state="state") as store:
            assert sum(1 for _ in store.products.iter()) == 400


def test_a_folder_that_nothing_came_of_is_used_again(cli: Cli) -> None:
    words = ("push", "feed.jsonl", "--to", "@eu", "-o", "a.plans", "--state", "state", "--yes")
    out = cli(*words, "--min-rows", "500", code=5)
    assert "Nothing has to be changed." not in out
    assert [title(name) for name in NAMES] == ["", "", ""]
    cli(*words, "--min-rows", "1")
    assert [title(name) for name in NAMES] == ["Tee", "Tee", "Tee"]
    cli(*words, code=5)
    assert "asked for otherwise" in cli.err
