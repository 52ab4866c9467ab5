"""What is told as done outlives a power cut: it is on the disk before it is told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import storebridge
from storebridge.adapter import Credentials
from storebridge.vault import FileVault, Kept
from tests.records import CATALOGUE


def test_plans_and_local_stores_are_synced_at_every_commit(
    store: storebridge.Store, tmp_path: Path, synced: dict[str, str]
) -> None:
    path = tmp_path / "fill.plan"
    with store.plan(CATALOGUE, path):
        assert synced[str(path)] == "FULL"
    synced.clear()
    with storebridge.Plan.open(path) as plan:
        assert plan.apply(store).ok
    assert synced[str(path)] == "FULL"
    with storebridge.open(f"local:{tmp_path}/shop.db") as again:
        assert list(again.products.iter())
    assert synced[str(tmp_path / "shop.db")] == "FULL"


def test_rotated_credentials_are_synced_with_their_folder(
    tmp_path: Path, synced: dict[str, str]
) -> None:
    drawer = FileVault(tmp_path).drawer("shopify https://name.myshopify.com")
    with closing(drawer):
        assert drawer.lock(1.0)
        drawer.write(Kept(Credentials({})))
    [file] = tmp_path.iterdir()
    assert synced[str(file)] == "EXTRA"


def test_no_file_of_a_test_waits_for_the_disk(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "any.db")) as db:
        db.execute("PRAGMA synchronous=FULL")
        assert db.execute("PRAGMA synchronous").fetchone() == (0,)
