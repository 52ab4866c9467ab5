"""The sandbox answers as a real WooCommerce did, but for the differences that are listed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.adapters.woocommerce import replay

TOPICS = sorted(path.stem for path in replay.FOLDER.glob("*.jsonl"))
LISTED: dict[str, str] = json.loads((replay.FOLDER / "differences.json").read_text("utf-8"))


@pytest.mark.parametrize("topic", TOPICS)
def test_recorded_exchanges_are_answered_alike(topic: str) -> None:
    found = dict(replay.Replay(topic).differences())
    different = {name: places for name, places in found.items() if places}
    listed = {name for name in LISTED if name.partition("#")[0] == topic}
    new = {name: places for name, places in different.items() if name not in listed}
    assert not new, "new differences"
    assert listed <= different.keys(), "listed differences that are gone: take them off the list"


def test_nine_of_ten_exchanges_match_exactly() -> None:
    lines = [line for topic in TOPICS for line in _lines(topic)]
    assert len(lines) == 977
    assert len(LISTED) == 64
    assert all(reason for reason in LISTED.values()), "each difference says why"


def test_the_exchanges_are_scrubbed() -> None:
    for path in replay.FOLDER.iterdir():
        text = path.read_text("utf-8")
        for word in ("/var/www", "/home/", "/root", "/work"):
            assert word not in text, path.name
    assert sum(path.stat().st_size for path in replay.FOLDER.iterdir()) < 3_000_000


def _lines(topic: str) -> list[Any]:
    text = (replay.FOLDER / f"{topic}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]
