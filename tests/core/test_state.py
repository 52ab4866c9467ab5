"""The state of a store: locks, facts, history, and the file itself."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from storebridge import errors
from storebridge.state import HistoryRow, StoreState, data_folder


@pytest.fixture
def state(tmp_path):
    with StoreState("probe:shop/1", tmp_path) as found:
        yield found


def test_a_lock_has_one_holder_and_others_learn_who(state, tmp_path):
    with StoreState("probe:shop/1", tmp_path) as other:
        with state.lock("apply", note="plan.sb"):
            with pytest.raises(errors.Locked) as caught, other.lock("apply"):
                pass
            assert f"process {os.getpid()}" in str(caught.value)
            assert "plan.sb" in str(caught.value)
            with other.lock("another"):
                pass
        with other.lock("apply"):
            pass


def test_who_waits_gets_the_lock_when_it_is_given_up(state, tmp_path):
    taken, free = threading.Event(), threading.Event()

    def holder():
        with StoreState("probe:shop/1", tmp_path) as other, other.lock("apply"):
            taken.set()
            free.wait()

    thread = threading.Thread(target=holder)
    thread.start()
    taken.wait()
    threading.Timer(0.1, free.set).start()
    started = time.monotonic()
    with state.lock("apply", wait=None):
        assert 0.05 < time.monotonic() - started < 5
    thread.join()


DIES = """
import os, sys
from pathlib import Path
from storebridge.state import StoreState
state = StoreState("probe:shop/1", Path(sys.argv[1]))
lock = state.lock("apply")
lock.__enter__()
lanes = state.lanes(["a", "b"])
lanes.__enter__()
os._exit(9)
"""


def test_a_lock_of_a_process_that_died_is_taken_over(state, tmp_path):
    assert subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], check=False).returncode == 9
    assert len(rows(state)) == 3
    with state.lock("apply"), state.lanes(["b", "c"], wait=0):
        pass


def test_a_pid_that_was_used_again_is_not_the_holder(state):
    with state.lock("apply"):
        state._db.execute("UPDATE lock SET born = 'long ago'")
        with state.lock("apply"):
            pass


def test_a_holder_on_another_machine_is_believed(state):
    with state.lock("apply"):
        state._db.execute("UPDATE lock SET host = 'elsewhere', pid = 999999")
        with pytest.raises(errors.Locked, match="on elsewhere"), state.lock("apply"):
            pass


def rows(state: StoreState) -> list[tuple[str]]:
    return state._db.execute("SELECT name FROM lock").fetchall()


def test_locks_end_with_their_block_and_with_the_state(state, tmp_path):
    with pytest.raises(KeyError), state.lock("apply"):
        raise KeyError
    assert rows(state) == []
    left = StoreState("probe:shop/1", tmp_path)
    held = left.lock("apply")
    held.__enter__()
    left.close()
    assert rows(state) == []


def test_lanes_are_taken_all_or_none(state):
    with state.lanes(["b"]):
        with pytest.raises(errors.Locked), state.lanes(["a", "b", "c"], wait=0):
            pass
        with state.lanes(["a", "c"], wait=0):
            pass


def test_facts_are_kept_by_part(state, tmp_path):
    state.set_facts("speeds", {"read": [1, 2.5]}, rebuildable=True)
    state.set_facts("pictures", {"a": {"id": "7"}, "b": "ü"}, rebuildable=False)
    state.set_facts("pictures", {"b": None}, rebuildable=False)
    with StoreState("probe:shop/1", tmp_path) as later:
        assert later.facts("pictures") == {"a": {"id": "7"}}
        assert later.fact("speeds", "read") == [1, 2.5]
        assert later.fact("speeds", "write", 0) == 0


def test_prune_forgets_history_and_what_can_be_rebuilt(state):
    state.set_facts("speeds", {"read": 1}, rebuildable=True)
    state.set_facts("pictures", {"a": 1}, rebuildable=False)
    for n in (1, 2):
        state.add_history(HistoryRow(digest=f"d{n}", path="p", at=float(n), counts={"update": n}))
    assert state.prune(before=2.0) == 1
    assert [row.digest for row in state.history()] == ["d2"]
    assert state.prune(before=time.time() + 1) == 2
    assert state.facts("speeds") == {}
    assert state.facts("pictures") == {"a": 1}


def test_history_has_one_row_per_plan_the_newest_first(state):
    state.add_history(HistoryRow(digest="d1", path="a", at=1.0, counts={"create": 1}))
    state.add_history(HistoryRow(digest="d2", path="b", at=2.0, counts={}, undo_of="d1"))
    state.add_history(HistoryRow(digest="d1", path="c", at=3.0, counts={"create": 2}))
    first, second = state.history()
    assert (first.digest, first.path, first.counts) == ("d1", "c", {"create": 2})
    assert second.undo_of == "d1"


def test_threads_share_one_state(state):
    def add(_: int) -> None:
        state.bucket(lambda row: ((row[0] + 1,) if row else (1,), None))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(400)))
    assert state.bucket(lambda row: (row, row)) == (400,)


def test_a_failed_change_of_the_bucket_changes_nothing(state):
    state.bucket(lambda row: ((5.0,), None))
    with pytest.raises(ZeroDivisionError):
        state.bucket(lambda row: (1 // 0, None))
    assert state.bucket(lambda row: (row, row)) == (5.0,)


def test_each_store_has_its_own_file_that_only_its_owner_reads(tmp_path):
    names = ["a/b", "a-b", "../../etc/passwd", "CON", "ü" * 300, ""]
    paths = set()
    for name in names:
        with StoreState(name, tmp_path / "states") as state:
            paths.add(state.path)
            state.set_facts("x", {"k": 1}, rebuildable=True)
            for file in state.path.parent.iterdir():
                assert os.name == "nt" or file.stat().st_mode & 0o077 == 0
    assert len(paths) == len(names)
    assert {path.parent for path in paths} == {tmp_path / "states"}


def test_a_foreign_a_newer_and_a_strange_file_are_refused(state, tmp_path):
    path = state.path
    state._db.execute("PRAGMA user_version = 99")
    state.close()
    with pytest.raises(errors.ConfigError, match="newer storebridge"):
        StoreState("probe:shop/1", tmp_path)
    path.write_text("this is no database, but some text of a user")
    with pytest.raises(errors.ConfigError, match="--state"):
        StoreState("probe:shop/1", tmp_path)
    assert path.read_text().startswith("this is no database")
    path.unlink()
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE theirs (x)")
    foreign.close()
    with pytest.raises(errors.ConfigError, match="no state file"):
        StoreState("probe:shop/1", tmp_path)


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(errors.ConfigError, match="--state DIR"):
        StoreState("probe", tmp_path / "file")


def test_states_live_in_the_user_s_data_folder():
    assert data_folder().name == "state"
    assert data_folder().parent.name == "storebridge"


@pytest.fixture(autouse=True)
def _closed(state):
    """Close the shared state twice: closing is allowed again."""
    yield
    state.close()


def test_a_full_disk_is_told_and_what_was_kept_stays(state):
    state.set_facts("a", {"key": "kept"}, rebuildable=False)
    pages = state._db.execute("PRAGMA page_count").fetchone()[0]
    state._db.execute(f"PRAGMA max_page_count = {pages}")
    much = {f"key {n}": "x" * 1000 for n in range(500)}
    with pytest.raises(errors.ConfigError, match=r"no room for the state file .* --state DIR"):
        state.set_facts("a", much, rebuildable=False)
    state._db.execute("PRAGMA max_page_count = 1000000")
    assert state.facts("a") == {"key": "kept"}
    state.set_facts("a", much, rebuildable=False)


def test_many_may_make_the_same_new_file_at_once(tmp_path):
    def opened(folder):
        ready.wait()
        with StoreState("shop:1", folder) as state:
            return state.path.name

    ready = threading.Barrier(6)
    with ThreadPoolExecutor(6) as pool:
        for number in range(20):
            names = set(pool.map(opened, [tmp_path / str(number)] * 6))
            assert len(names) == 1
