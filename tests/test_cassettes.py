"""Every cassette holds what its platform's rules allow, and nobody's data."""

from __future__ import annotations

import copy
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from vcr.persisters.filesystem import FilesystemPersister
from vcr.serializers import yamlserializer

from storebridge.testing import Canaries, Guard

CASSETTES = Path(__file__).parent.parent / "cassettes"
FOUND = sorted(path.relative_to(CASSETTES) for path in CASSETTES.rglob("*.yaml"))
LARGEST = 120_000


def test_there_are_cassettes() -> None:
    assert len(FOUND) >= 20


@pytest.mark.parametrize("name", FOUND, ids=str)
def test_a_cassette_keeps_to_the_rules(name: Path) -> None:
    rules = import_module(f"tests.adapters.{name.parts[0]}.recorded").rules(None)
    text = (CASSETTES / name).read_text(encoding="utf-8")
    assert len(text) < LARGEST, "trim what is recorded"
    Guard(Canaries()).serialize(yamlserializer.deserialize(text))
    requests, responses = FilesystemPersister.load_cassette(CASSETTES / name, yamlserializer)[:2]
    for request, response in zip(requests, responses, strict=True):
        again = rules.request(copy.deepcopy(request))
        assert (again.uri, again.headers, again.body) == (
            request.uri,
            request.headers,
            request.body,
        )
        answer = rules.response(response)
        assert answer["headers"] == response["headers"]
        assert _read(answer) == _read(response)


def _read(response: dict[str, Any]) -> Any:
    body = response["body"]["string"]
    try:
        return json.loads(body)
    except ValueError:
        return body
