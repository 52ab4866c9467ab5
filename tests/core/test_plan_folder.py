from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import storebridge
from storebridge.errors import ConfigError, Locked, PlanError, Refused, Unavailable, worst
from storebridge.models import Product, Record, Variant
from storebridge.plan import PlanFolder, plan_all
from storebridge.plan.index import Index, names_for
from storebridge.plan.workers import Failure, Stopped, Tell, Work, run_all
from storebridge.report.view import View
from storebridge.store import Store
from storebridge.testing import Canaries, SandboxServer
from storebridge.testing.sandbox import header
from tests.records import CATALOGUE, mug, tee

OpenStore = Callable[..., Store]
NAMES = ("acme", "berta", "carla")


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three local stores with names, in the working folder; returns it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("storebridge.config.user_folder", lambda: tmp_path / "user")
    name_stores({name: f"local:{name}.db" for name in NAMES})
    return tmp_path


def name_stores(urls: dict[str, str]) -> None:
    tables = (
        f'[stores.{name}]\nurl = "{url}"\naccess = "write"\ntags = ["eu"]\n'
        for name, url in urls.items()
    )
    Path("storebridge.toml").write_text("".join(tables), encoding="utf-8")


@pytest.fixture
def three(named: Path) -> Iterator[list[Store]]:
    """The three stores, open: plans for them are made in threads."""
    opened = storebridge.stores("@eu", state="state")
    yield opened
    for store in opened:
        store.close()


def rows(folder: Path) -> dict[str, dict[str, Any]]:
    doc = json.loads((folder / "plans.json").read_text(encoding="utf-8"))
    return {row["store"]: row for row in doc["stores"]}


def change_index(folder: Path, **values: Any) -> None:
    file = folder / "plans.json"
    doc = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**doc, **values}), encoding="utf-8")


def test_only_one_run_makes_the_plans_of_a_folder(three: list[Store]) -> None:
    refused: list[str] = []

    def again(store: str, stage: str, done: int, total: int) -> None:
        if not refused:
            with pytest.raises(Locked) as caught:
                plan_all(CATALOGUE, three, "eu.plans")
            refused.append(str(caught.value))

    assert plan_all(CATALOGUE, three, "eu.plans", on_progress=again).exit_code == 0
    assert refused[0].startswith("another run makes plans in eu.plans: ")
    assert sorted(p.name for p in Path("eu.plans").iterdir()) == [
        *(f"{name}.plan" for name in NAMES),
        "plans.json",
    ]


# --- the way of a folder


def test_named_stores_are_planned_applied_and_undone_in_processes(named: Path) -> None:
    seen: set[tuple[str, str]] = set()
    folder = plan_all(
        CATALOGUE,
        ["@eu", "acme"],
        "night.plans",
        state="state",
        on_progress=lambda store, stage, done, total: seen.add((store, stage)),
    )
    assert folder.stores == NAMES, "each once"
    assert {(name, "done") for name in NAMES} <= seen
    assert folder.counts["create"] == 9
    assert sorted(p.name for p in Path("night.plans").iterdir()) == [
        "acme.plan", "berta.plan", "carla.plan", "plans.json",
    ]  # fmt: skip
    with storebridge.open("acme", state="state") as store:
        assert store.products.find("tee") is None, "nothing is written by a plan"
    report = PlanFolder.open("night.plans").apply(state="state")
    assert report.ok
    assert report.counts["applied"] == report.planned == 12
    assert str(report).splitlines()[0].startswith("acme: ")
    inverse = folder.undo("back.plans", state="state")
    assert inverse.source == "undo of night.plans"
    assert inverse.apply(state="state").ok
    for name in NAMES:
        with storebridge.open(name, state="state") as store:
            found = store.products.find("tee")
            assert found is not None
            assert found.status == "archived"


def test_open_stores_are_used_as_they_are_and_stay_open(three: list[Store]) -> None:
    folder = plan_all(CATALOGUE, three, "night.plans")
    assert folder.apply(three).ok
    assert [store.products.find("mug") is not None for store in three] == [True] * 3


def test_a_transform_of_the_script_is_run_for_each(three: list[Store]) -> None:
    def dearer(desired: Product, live: Product | None) -> Record:
        return desired.but(title=desired.title.upper())

    plan_all(CATALOGUE, "@eu", "night.plans", transforms=[dearer], state="state").apply(three)
    titles = [store.products.find("mug") for store in three]
    assert [found.title for found in titles if found] == ["MUG"] * 3


def test_a_second_apply_has_nothing_to_do(three: list[Store]) -> None:
    folder = plan_all(CATALOGUE, three, "night.plans")
    folder.apply(three)
    asked: list[str] = []
    report = folder.apply(three, on_progress=lambda store, *rest: asked.append(store))
    assert report.ok
    assert asked == [], "no store is opened again"


def test_an_empty_plan_is_no_trouble(three: list[Store]) -> None:
    plan_all([mug()], three[:1], "first.plans").apply(three)
    folder = plan_all([mug()], three, "second.plans")
    assert [plan.is_empty for _, plan in folder.plans()] == [True, False, False]
    assert not folder.is_empty
    assert folder.apply(three).ok
    assert plan_all([mug()], three, "third.plans").is_empty


def test_the_digest_is_that_of_the_plans_alone(three: list[Store]) -> None:
    folder = plan_all([mug()], three, "night.plans")
    digest = folder.digest
    folder.apply(three)
    moved = shutil.move("night.plans", "elsewhere.plans")
    assert PlanFolder.open(moved).digest == digest, "neither runs nor places count"
    assert plan_all([tee()], three, "other.plans").digest != digest


def test_conflicts_are_planned_anew_for_the_stores_that_have_some(three: list[Store]) -> None:
    plan_all([mug()], three, "first.plans").apply(three)
    folder = plan_all([mug(title="Cup")], three, "second.plans")
    live = three[1].products.find("mug")
    assert live is not None
    three[1].products.update(live.but(title="Beaker"))
    report = folder.apply(three)
    assert (report.exit_code, report.conflicts) == (5, 1)
    again = folder.replan("again.plans", three)
    assert again.stores == ("berta",)
    assert again.apply(three).ok
    found = three[1].products.find("mug")
    assert found is not None
    assert found.title == "Cup"


def test_a_report_shows_the_problems_of_every_store(three: list[Store]) -> None:
    pair = (mug(), mug(handle="cup", variants=(Variant(sku="CUP"),)))
    folder = plan_all(pair, three, "night.plans")
    for store in three[1:]:
        for each in pair:
            store.products.create(each)
    assert folder.apply(three).conflicts == 4
    view = View([folder.path])
    assert view.stores == NAMES
    shown = [view.heads[entry.store].store for entry in view.entries("problems", 1)]
    assert shown == ["berta", "carla"]


# --- one store's trouble


def test_a_store_that_fails_stops_no_other(three: list[Store], monkeypatch: Any) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise Unavailable("the store is down for maintenance.", status=503)

    monkeypatch.setattr(three[1].adapter, "info", broken)
    folder = plan_all([mug()], three, "night.plans")
    assert [store for store, _ in folder.plans()] == ["acme", "carla"]
    assert [(s, f.message) for s, f in folder.failures()] == [
        ("berta", "the store is down for maintenance.")
    ]
    assert folder.exit_code == 3
    report = folder.apply(three)
    assert [row.exit_code for row in report.rows] == [0, 3, 0]
    assert report.exit_code == 3
    assert not report.ok
    assert "berta: the store is down" in str(report)


def test_the_same_call_plans_only_what_lacks_a_plan(three: list[Store], monkeypatch: Any) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(three[1].adapter, "info", lambda: (_ for _ in ()).throw(Unavailable("down")))
        plan_all([mug()], three, "night.plans")
    before = {name: Path(f"night.plans/{name}.plan").stat().st_mtime_ns for name in ("acme",)}
    folder = plan_all([mug()], three, "night.plans")
    assert folder.exit_code == 0
    assert folder.counts["create"] == 3
    after = {name: Path(f"night.plans/{name}.plan").stat().st_mtime_ns for name in ("acme",)}
    assert after == before
    with pytest.raises(PlanError, match="has all of these plans already"):
        plan_all([mug()], three, "night.plans")
    with pytest.raises(PlanError, match="exists already"):
        plan_all([tee()], three, "night.plans")


def test_a_defect_in_one_lane_is_told_in_its_row(three: list[Store], monkeypatch: Any) -> None:
    monkeypatch.setattr(three[0].adapter, "info", lambda: 1 / 0)
    folder = plan_all([mug()], three, "night.plans")
    (failure,) = dict(folder.failures()).values()
    assert "ZeroDivisionError" in failure.message
    assert failure.exit_code == 1


def test_a_store_without_a_name_any_more_is_told(three: list[Store]) -> None:
    plan_all([mug()], three[:2], "night.plans")
    name_stores({"acme": "local:acme.db"})
    report = PlanFolder.open("night.plans").apply(three[:1])
    assert [row.exit_code for row in report.rows] == [0, 3]
    assert "No store is called 'berta'" in report.rows[1].message


def test_two_names_of_one_store_are_refused(named: Path) -> None:
    name_stores({"acme": "local:acme.db", "twin": "local:./acme.db", "berta": "local:berta.db"})
    with pytest.raises(Refused, match=r"(acme and twin|twin and acme) are the same store"):
        plan_all([mug()], "@all", "night.plans", state="state")
    assert not Path("night.plans").exists()


# --- what a folder may hold


def test_a_plan_that_is_gone_or_another_stops_its_store_only(three: list[Store]) -> None:
    folder = plan_all([mug()], three, "night.plans")
    plan_all([tee()], three[1:2], "other.plans")
    shutil.copy("other.plans/berta.plan", "night.plans/berta.plan")
    Path("night.plans/carla.plan").rename("night.plans/mine.plan")
    folder = PlanFolder.open("night.plans")
    assert [path.name for path in folder.strangers] == ["mine.plan"]
    report = folder.apply(three)
    assert [row.exit_code for row in report.rows] == [0, 5, 5]
    assert "another plan than the one that was made here" in report.rows[1].message
    assert "its plan carla.plan is not in night.plans" in report.rows[2].message
    assert three[1].products.find("tee") is None
    Path("night.plans/mine.plan").rename("night.plans/carla.plan")
    assert [row.exit_code for row in folder.apply(three).rows] == [0, 5, 0]


def test_a_plan_that_was_changed_is_refused(three: list[Store]) -> None:
    plan_all([mug()], three[:2], "night.plans")
    import sqlite3

    with sqlite3.connect("night.plans/acme.plan") as db:
        db.execute("UPDATE changes SET after = replace(after, 'Mug', 'Hug')")
    db.close()
    report = PlanFolder.open("night.plans").apply(three)
    assert [row.exit_code for row in report.rows] == [5, 0]
    assert "was changed after it was made" in report.rows[0].message


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"version": 0}, "older storebridge: plan again"),
        ({"version": 2}, "newer storebridge: update"),
        ({"format": "else"}, "is no index of plans"),
        ({"stores": [{"store": "a", "file": "../a.plan"}]}, "no plan of its folder"),
        ({"stores": [{"store": "a", "file": "a.plan"}] * 2}, "names a store twice"),
        (
            {
                "stores": [
                    {"store": "a", "file": "a.plan", "identity": "1"},
                    {"store": "b", "file": "b.plan", "identity": "1"},
                ]
            },
            "names a store twice",
        ),
        ({"stores": 3}, "is no index of plans"),
    ],
)
def test_an_index_that_is_not_ours_is_refused(
    three: list[Store], values: dict[str, Any], told: str
) -> None:
    plan_all([mug()], three[:1], "night.plans")
    change_index(Path("night.plans"), **values)
    with pytest.raises(PlanError, match=told):
        PlanFolder.open("night.plans")


def test_a_folder_of_something_else_is_left_alone(three: list[Store]) -> None:
    Path("mine").mkdir()
    Path("mine/letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(PlanError, match="exists already"):
        plan_all([mug()], three, "mine")
    with pytest.raises(PlanError, match=r"no folder of plans: it has no plans\.json"):
        PlanFolder.open("mine")
    assert [path.name for path in Path("mine").iterdir()] == ["letter.txt"]


def test_there_is_nothing_to_undo_before_apply(three: list[Store]) -> None:
    folder = plan_all([mug()], three, "night.plans")
    with pytest.raises(PlanError, match="nothing of it was done"):
        folder.undo("back.plans", three)


def test_names_differ_on_every_system() -> None:
    names = names_for(["a_b", "a-b", "local:x/Y.db", "local:x/y.db", "???"])
    assert len({name.casefold() for name in names.values()}) == 5
    assert all(Path(name).name == name for name in names.values())


def test_an_unknown_store_or_option_plans_nothing(named: Path) -> None:
    with pytest.raises(ConfigError, match="No store has the tag @us"):
        plan_all([mug()], "@us", "night.plans")
    with pytest.raises(ConfigError, match="no option 'wehre'; where is close"):
        plan_all([mug()], "@eu", "night.plans", wehre="x")
    assert not Path("night.plans").exists()


def test_the_worst_code_is_that_of_the_run() -> None:
    assert worst([]) == worst([0, 0]) == 0
    ordered = [0, 6, 4, 5, 3, 2, 1, 130]
    assert sorted(ordered, key=lambda code: ordered.index(worst([0, code]))) == ordered
    assert worst([4, 6]) == 4
    assert worst([4, 5]) == worst([5, 4]) == 5
    assert worst([5, 3]) == 3


# --- workers


def slow(tell: Tell, *, seconds: float, mark: Path) -> str:
    for _ in range(int(seconds / 0.02)):
        tell("work", 1, 0)
        time.sleep(0.02)
    mark.touch()
    return mark.name


def die(tell: Tell) -> None:
    os._exit(7)


def whoami(tell: Tell) -> int:
    print("this goes to nobody's answer")
    return os.getpid()


def collect(works: list[Work], jobs: int, **how: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    run_all(
        works,
        jobs,
        on_told=how.pop("on_told", lambda *_: None),
        on_done=lambda work, result: found.__setitem__(work.store, result),
        **how,
    )
    return found


def test_a_process_that_dies_takes_only_its_store_with_it(capfd: Any) -> None:
    works = [Work("a", whoami), Work("b", die), Work("c", whoami)]
    found = collect(works, 1, processes=True)
    assert isinstance(found["b"], Failure)
    assert "ended in the middle (code 7)" in found["b"].message
    assert isinstance(found["c"], int), "a new process goes on"
    assert len({found["a"], found["c"], os.getpid()}) == 3
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("processes", [True, False])
def test_what_a_callback_raises_stops_all_work(tmp_path: Path, processes: bool) -> None:
    marks = [tmp_path / str(n) for n in range(4)]
    works = [Work(m.name, slow, {"seconds": 30, "mark": m}) for m in marks]

    def told(*_: Any) -> None:
        raise KeyboardInterrupt

    started, before = time.monotonic(), threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        collect(works, 2, processes=processes, on_told=told)
    assert time.monotonic() - started < 8
    assert not any(mark.exists() for mark in marks)
    assert threading.active_count() == before


def test_work_that_is_stopped_says_so() -> None:
    def stopped(tell: Tell) -> None:
        raise Stopped

    found = collect([Work("a", stopped)], 1, processes=False)
    assert found["a"].exit_code == 130


@pytest.mark.skipif(os.name != "posix", reason="kills with a signal")
def test_workers_end_soon_after_their_parent_was_killed(named: Path) -> None:
    code = (
        "from storebridge.plan.workers import Work, run_all\n"
        "from tests.core.test_plan_folder import slow\n"
        "from pathlib import Path\n"
        "import os\n"
        "works = [Work('a', slow, {'seconds': 60, 'mark': Path('mark')})]\n"
        "run_all(works, 1, processes=True, on_told=lambda *_: print(1, flush=True),"
        " on_done=lambda *_: None)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=env) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        (child,) = children(parent.pid)
        parent.kill()
    ends = time.monotonic() + 5
    while alive(child) and time.monotonic() < ends:
        time.sleep(0.02)
    assert not alive(child)
    assert not Path("mark").exists()


def children(pid: int) -> list[int]:
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=True
    )
    return [int(word) for word in found.stdout.split()]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


# --- no store learns of another


def test_no_store_sees_or_tells_anothers_settings(
    named: Path, canaries: Canaries, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    seen: dict[str, set[str]] = {name: set() for name in NAMES}

    def serving(name: str) -> Any:
        sandbox = create()

        def serve(request: Any) -> Any:
            seen[name].add(header(request, "x-template-token"))
            if name == "berta":  # a server that says back what it was sent
                words = " ".join(f"{k}: {v}" for k, v in request.headers.items())
                return answer(401, {"error": words})
            return sandbox(request)

        return SandboxServer(serve)

    from storebridge_template.sandbox import create

    from storebridge.testing.sandbox import answer

    servers = {name: serving(name) for name in NAMES}
    tokens = {name: canaries.secret(name) for name in NAMES}
    for name in NAMES:
        monkeypatch.setenv(f"STOREBRIDGE_STORES__{name.upper()}__TOKEN", tokens[name])
    with servers["acme"] as a, servers["berta"] as b, servers["carla"] as c:
        urls = dict(zip(NAMES, (a.url, b.url, c.url), strict=True))
        name_stores({name: f"template+{url}" for name, url in urls.items()})
        folder = plan_all([mug()], "@eu", "night.plans", state="state", jobs=1, location="Main")
        report = folder.apply(state="state", jobs=1)
    assert seen == {n: {tokens[n]} for n in NAMES}
    assert [row.exit_code for row in report.rows] == [0, 3, 0], str(report)
    out = capfd.readouterr()
    canaries.check("what was printed", out.out, out.err, str(report), repr(folder))
    canaries.check_files(named)
    for name in NAMES:
        others = [url for other, url in urls.items() if other != name]
        text = json.dumps(rows(Path("night.plans"))[name])
        if (plan := Path(f"night.plans/{name}.plan")).exists():
            text += plan.read_bytes().decode("utf-8", "replace")
        assert not any(url in text for url in others), f"{name} tells where another store is"


def test_an_index_says_what_was_asked_for(three: list[Store]) -> None:
    plan_all([mug()], three, "a.plans")
    plan_all([mug()], three, "b.plans", stock=True)
    one, other = Index.load(Path("a.plans")), Index.load(Path("b.plans"))
    assert one.request != other.request
    assert len(one.request) == 64


@pytest.mark.skipif(os.name != "posix", reason="asks for POSIX rights")
def test_what_a_folder_holds_is_for_its_owner(three: list[Store]) -> None:
    plan_all([mug()], three, "a.plans")
    assert {path.stat().st_mode & 0o077 for path in Path("a.plans").iterdir()} == {0}
