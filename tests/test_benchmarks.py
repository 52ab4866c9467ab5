"""The benchmarks run, and compare like with like: the floor writes what the reader makes."""

from __future__ import annotations

import importlib.util
import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from storebridge.formats import Context, Sourced, read
from storebridge.models import Record
from storebridge.plan.live import Live
from tests.catalogue import MARKETS, write_feed, write_shopify_csv

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
Run = Callable[..., str]


def floor() -> ModuleType:
    return script("floor")


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_floor_writes_the_same_records(tmp_path: Path) -> None:
    source = tmp_path / "catalogue.csv"
    write_shopify_csv(source, 60)
    context = Context(
        currency="EUR", weight_unit="kg", market_currencies=MARKETS, location="Default"
    )
    ours = [
        json.loads(item.record.model_dump_json())
        for item in read(source, context)
        if isinstance(item, Sourced)
    ]
    assert list(floor().products(source)) == ours


def test_every_row_of_a_large_feed_is_planned_in_few_look_ups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, folder = script("steps"), str(tmp_path)
    catalogue, feed = tmp_path / "catalogue.csv", tmp_path / "feed.csv"
    write_shopify_csv(catalogue, 120)
    write_feed(feed, 120, 480)
    steps.apply(str(catalogue), folder)
    steps.feed_models(str(feed), folder)
    found: list[int] = []
    find = Live.find
    monkeypatch.setattr(Live, "find", lambda self, names: _counted(find(self, names), found))
    steps.feed(str(feed), folder)
    assert sum(found) < 120 * 1.2  # each product once, though the feed is in no order


def _counted(records: dict[str, Record], found: list[int]) -> dict[str, Record]:
    found.append(len(records))
    return records


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a script as the command line does, but in this process; returns what it prints."""

    def run_one(name: str, *options: str) -> str:
        path = BENCHMARKS / f"{name}.py"
        monkeypatch.syspath_prepend(BENCHMARKS)
        monkeypatch.setattr(sys, "argv", [str(path), *options])
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    return run_one


def test_woocommerce_is_measured_against_its_sandbox(run: Run) -> None:
    said = run("woocommerce", "--products=2", "--rounds=1", "--only=write")
    assert said.count("| create 2 simple products: ") == 4


def test_shopify_is_measured_against_a_loop_that_sends_the_same_bodies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    shopify = script("shopify")
    meter = shopify.Meter(100, tmp_path / "shop")
    sent = []
    answer = meter.sandbox
    meter.sandbox = lambda request: sent.append(json.loads(request.body)) or answer(request)
    with meter.store as store:
        shopify.STEPS["write"](store, 2, tmp_path)
    assert sent == [shopify.body(0), shopify.body(1)]


@pytest.mark.parametrize(("part", "rows"), [("rows", 4), ("jobs", 2), ("client", 2)])
def test_shopify_is_measured_against_its_sandbox_and_against_the_official_client(
    run: Run, part: str, rows: int
) -> None:
    said = run("shopify", "--products=3", f"--only={part}")
    assert sum(line.startswith("| ") for line in said.splitlines()) == rows
