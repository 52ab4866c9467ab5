"""The plan file: what it refuses, and what a full or failing disk does to it."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

from storebridge import Store
from storebridge.errors import ConfigError, PlanError
from storebridge.models import Product
from storebridge.plan import Plan, spool
from tests.conftest import OpenStore
from tests.records import CATALOGUE, tee


@pytest.fixture
def path(store: Store, tmp_path: Path) -> Path:
    """A plan that fills the store."""
    target = tmp_path / "fill.plan"
    store.plan(CATALOGUE, target).close()
    return target


def change(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("PRAGMA application_id = 7", "not a plan"),
        ("PRAGMA user_version = 0", "older storebridge: plan again"),
        ("PRAGMA user_version = 99", "newer storebridge"),
        ("DELETE FROM meta WHERE name = 'digest'", "never finished: plan again"),
    ],
)
def test_what_is_no_plan_of_this_version_is_refused(
    path: Path, statement: str, message: str
) -> None:
    change(path, statement)
    with pytest.raises(PlanError, match=message):
        Plan.open(path)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.plan").write_bytes(b"no database" * 200)
    with pytest.raises(PlanError, match="not a plan"):
        Plan.open(tmp_path / "a.plan")
    with pytest.raises(PlanError, match="there is no plan"):
        Plan.open(tmp_path / "b.plan")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE changes SET after = replace(after, '10.00', '1.00')",
        "DELETE FROM changes WHERE seq = 2",
        "UPDATE meta SET value = '\"x\"' WHERE name = 'source'",
        "INSERT INTO refs VALUES ('collection handle:x', '7')",
        "UPDATE changes SET rank = rank + 1 WHERE kind = 'collection'",
    ],
)
def test_a_plan_that_was_changed_is_refused(store: Store, path: Path, statement: str) -> None:
    change(path, statement)
    with Plan.open(path) as plan, pytest.raises(PlanError, match="was changed"):
        plan.apply(store)
    assert list(store.products.iter()) == []


def test_a_plan_for_another_store_is_refused(path: Path, open_store: OpenStore) -> None:
    other = open_store("other")
    other.products.create(tee())
    with Plan.open(path) as plan, pytest.raises(PlanError, match=r"made for .*shop\.db"):
        plan.apply(other)
    assert [product.handle for product in other.products.iter()] == ["tee"]


def test_an_existing_file_is_never_overwritten(store: Store, path: Path) -> None:
    with pytest.raises(PlanError, match="exists already"):
        store.plan(CATALOGUE, path)


def test_a_plan_belongs_to_its_owner_alone(path: Path) -> None:
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600


def test_the_same_source_gives_the_same_changes(store: Store, path: Path, tmp_path: Path) -> None:
    again = store.plan(CATALOGUE, tmp_path / "again.plan")
    with Plan.open(path) as first:
        assert list(first.changes()) == list(again.changes())


def test_a_read_only_plan_sends_nothing(store: Store, path: Path) -> None:
    with Plan.open(path) as plan:
        plan._file._db.execute("PRAGMA query_only = ON")
        with pytest.raises(PlanError, match="can't write the journal"):
            plan.apply(store)
    assert list(store.collections.iter()) == []
    with Plan.open(path) as plan:
        assert plan.apply(store).ok


@pytest.mark.parametrize("room", range(4))
def test_a_full_disk_stops_the_run_and_loses_nothing(
    store: Store, tmp_path: Path, room: int
) -> None:
    """Let the journal run full at several places; with room again the run goes on."""
    many = [Product(handle=f"p{n}", title="x" * 50, status="active") for n in range(1200)]
    with store.plan(many, tmp_path / "many.plan") as plan:
        db = plan._file._db
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages + room * 4}")
        with pytest.raises(PlanError, match=r"full.*Free the disk"):
            plan.apply(store)
        db.execute("PRAGMA max_page_count = 1000000")
        assert plan.apply(store).ok
    handles = [product.handle for product in store.products.iter()]
    assert sorted(handles) == sorted(product.handle for product in many)


def test_a_full_disk_while_planning_is_told_and_leaves_no_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_TABLES", f"{spool._TABLES} PRAGMA max_page_count = 20;")
    many = [Product(handle=f"p{n}", title="x" * 50) for n in range(600)]
    with pytest.raises(PlanError, match=r"no room for .*many\.plan.* Free the disk") as raised:
        store.plan(many, tmp_path / "many.plan")
    assert raised.value.exit_code == 1
    assert not list(tmp_path.glob("*.plan"))


def test_a_plan_that_could_not_be_made_leaves_no_file(store: Store, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="can't write"):
        store.plan(CATALOGUE, tmp_path / "none" / "a.plan")


def test_a_plan_knows_the_store_it_was_made_with(store: Store, path: Path, tmp_path: Path) -> None:
    with Plan.open(path) as opened, pytest.raises(ConfigError, match=r"open local:.*shop\.db"):
        opened.apply()
    with store.plan(CATALOGUE, tmp_path / "again.plan") as made:
        assert made.apply().ok
        assert made.undo(tmp_path / "undo.plan").apply().ok
