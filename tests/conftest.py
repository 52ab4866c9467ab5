"""What the tests share: a local store of their own, and records to fill it with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import storebridge
from tests.records import CATALOGUE

OpenStore = Callable[..., storebridge.Store]


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[OpenStore]:
    """Opens local stores in the test's folder by name; they are closed in the end."""
    opened: list[storebridge.Store] = []

    def open_one(name: str = "shop") -> storebridge.Store:
        store = storebridge.open(f"local:{tmp_path / name}.db", state=tmp_path / "state")
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> storebridge.Store:
    """An empty local store."""
    return open_store()


@pytest.fixture
def filled(store: storebridge.Store, tmp_path: Path) -> storebridge.Store:
    """A local store with the catalogue in it."""
    with store.plan(CATALOGUE, tmp_path / "fill.plan") as plan:
        assert plan.apply(store).ok
    return store
