"""What the tests share: a local store of their own, and records to fill it with."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import storebridge
from tests.records import CATALOGUE

OpenStore = Callable[..., storebridge.Store]
_LEVEL, _OFF = ("PRAGMA synchronous =", "PRAGMA synchronous="), "PRAGMA synchronous=OFF"


@pytest.fixture(autouse=True, scope="session")
def synced() -> Iterator[dict[str, str]]:
    """How SQLite was told to sync each file of this process, where it was told; none is synced."""
    connect, levels = sqlite3.connect, dict[str, str]()

    class Unsynced(sqlite3.Connection):
        """Never waits for the disk: no power is cut here, and it takes long."""

        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql.startswith(_LEVEL):
                _, _, path = super().execute("PRAGMA database_list").fetchone()
                levels[path] = sql.partition("=")[2].strip()
                sql = _OFF
            return super().execute(sql, *values)

    def unsynced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        made = connect(*arguments, **{"factory": Unsynced, **options})
        sqlite3.Connection.execute(made, _OFF)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", unsynced)
        yield levels


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
