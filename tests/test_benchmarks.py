"""The benchmarks compare like with like: the floor writes the records that the reader makes."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

from storebridge.formats import Context, Sourced, read
from tests.catalogue import MARKETS, write_shopify_csv

FLOOR = Path(__file__).parent.parent / "benchmarks" / "floor.py"


def floor() -> ModuleType:
    spec = importlib.util.spec_from_file_location("floor", FLOOR)
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
