"""What is remembered per store and is not in it: one SQLite file, shared by processes.

Parts that can be rebuilt (the rate limit, locks) may be lost without harm; the others
(history, key and picture ledgers) may not. With an empty file nothing is doubled in a store.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from storebridge.errors import ConfigError, Locked

__all__ = ["HistoryRow", "StoreState", "data_folder", "is_full"]

R = TypeVar("R")

_APPLICATION_ID = 0x53425354  # "SBST"
#: Seconds to wait for another process that writes.
_PATIENCE = 10
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS store (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS bucket (id INTEGER PRIMARY KEY CHECK (id = 1), value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lock (
    name TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, born TEXT NOT NULL,
    owner TEXT NOT NULL, since REAL NOT NULL, note TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (
    id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, path TEXT NOT NULL, at REAL NOT NULL,
    counts TEXT NOT NULL, undo_of TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS fact (
    part TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (part, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS part (
    name TEXT PRIMARY KEY, rebuildable INTEGER NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """A plan that was applied to the store."""

    digest: str
    path: str
    at: float
    """Seconds since the epoch."""
    counts: dict[str, int]
    undo_of: str = ""
    """The digest of the plan that this one undoes."""


def data_folder() -> Path:
    """Return the folder for states in the user's data folder."""
    from platformdirs import user_data_path

    return user_data_path("storebridge", appauthor=False) / "state"


class StoreState:
    """The state of one store identity. Safe to use from threads and processes.

    A context manager; `close()` gives up the locks that it still holds.
    """

    def __init__(self, store_id: str, folder: Path | None = None, name: str = "") -> None:
        """Open or make the state's file.

        Args:
            store_id: the store's identity, as `StoreInfo.id` says.
            folder: where states are kept; the user's data folder by default.
            name: what people call the store, for messages; its identity by default.

        Raises:
            ConfigError: if the file can't be used: foreign, newer, of another store, read only.
        """
        folder = folder or data_folder()
        self.store_id, self.name = store_id, name or store_id
        self.path = folder / f"{_file_stem(store_id)}.sqlite"
        self._lock = threading.RLock()
        self._owner = f"{os.getpid()}-{id(self):x}-{time.monotonic_ns():x}"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = self._open()
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(
                f"the state file {self.path} can't be used ({error}). "
                "Choose another folder with --state DIR"
            ) from None
        self._held: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up all locks and close the file."""
        with self._lock:
            if self._held:
                self._release(frozenset(self._held))
            self._db.close()

    # ------------------------------------------------------------------------- rate limit

    def bucket(
        self, change: Callable[[tuple[float, ...] | None], tuple[tuple[float, ...], R]]
    ) -> R:
        """Change the shared rate limit in one transaction, and return what the change returns.

        Args:
            change: from the numbers kept, None at first, to the new ones and a result.
        """
        with self._transaction():
            row = self._db.execute("SELECT value FROM bucket").fetchone()
            numbers, result = change(tuple(json.loads(row[0])) if row else None)
            self._db.execute("INSERT OR REPLACE INTO bucket VALUES (1, ?)", (json.dumps(numbers),))
        return result

    # ------------------------------------------------------------------------------ locks

    @contextmanager
    def lock(self, name: str, wait: float | None = 0.0, note: str = "") -> Iterator[None]:
        """Hold a named lock of the store.

        Args:
            name: what is locked ("apply").
            wait: seconds to wait for it; None waits without end.
            note: what the holder does, for the message that others get.

        Raises:
            Locked: if somebody else holds it for longer; the message says who.
        """
        with self._hold(frozenset([name]), wait, note):
            yield

    @contextmanager
    def lanes(self, names: Iterable[str], wait: float | None = 60.0) -> Iterator[None]:
        """Hold lanes (names of records) against other processes, all at once.

        Raises:
            Locked: if another process keeps one of them for longer than `wait` seconds.
        """
        with self._hold(frozenset(f"lane {name}" for name in names), wait, "writing"):
            yield

    @contextmanager
    def _hold(self, names: frozenset[str], wait: float | None, note: str) -> Iterator[None]:
        end = None if wait is None else time.monotonic() + wait
        pause = 0.005
        while (holder := self._acquire(names, note)) is not None:
            if end is not None and time.monotonic() >= end:
                raise Locked(f"{self.name}: {holder}")
            time.sleep(pause)
            pause = min(pause * 2, 0.25)
        try:
            yield
        finally:
            with self._lock:
                self._release(names)

    def _acquire(self, names: frozenset[str], note: str) -> str | None:
        """Take all of the locks or none; return who holds the first that is not free."""
        mine = (socket.gethostname(), os.getpid(), _born(os.getpid()), self._owner)
        wanted = json.dumps(sorted(names))
        with self._transaction():
            held = self._db.execute(
                "SELECT name, host, pid, born, since, note FROM lock "
                "WHERE name IN (SELECT value FROM json_each(?)) ORDER BY name",
                (wanted,),
            )
            for row in held.fetchall():
                if _alive(*row[1:4]):
                    return _told(*row)
            self._db.executemany(
                "INSERT OR REPLACE INTO lock VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(name, *mine, time.time(), note) for name in sorted(names)],
            )
            self._held |= names
        return None

    def _release(self, names: frozenset[str]) -> None:
        names &= self._held  # `close` may have given them up
        if not names:
            return
        with self._transaction():
            self._db.execute(
                "DELETE FROM lock WHERE owner = ? AND name IN (SELECT value FROM json_each(?))",
                (self._owner, json.dumps(sorted(names))),
            )
            self._held -= names

    # ------------------------------------------------------------------- history and facts

    def add_history(self, row: HistoryRow) -> None:
        """Keep that a plan was applied; a second run of one plan replaces its row."""
        counts = json.dumps(row.counts)
        with self._transaction():
            self._db.execute(
                "INSERT INTO history (digest, path, at, counts, undo_of) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (digest) DO UPDATE SET path = excluded.path, at = excluded.at, "
                "counts = excluded.counts",
                (row.digest, row.path, row.at, counts, row.undo_of),
            )

    def history(self) -> list[HistoryRow]:
        """Return the plans that were applied, the newest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT digest, path, at, counts, undo_of FROM history ORDER BY at DESC, id DESC"
            ).fetchall()
        return [
            HistoryRow(digest=d, path=p, at=at, counts=json.loads(counts), undo_of=undo)
            for d, p, at, counts, undo in rows
        ]

    def facts(self, part: str) -> dict[str, Any]:
        """Return everything that a part remembers, by key."""
        with self._lock:
            rows = self._db.execute("SELECT key, value FROM fact WHERE part = ?", (part,))
            return {key: json.loads(value) for key, value in rows}

    def facts_of(self, part: str, keys: Iterable[str]) -> dict[str, Any]:
        """Return what a part remembers of these keys; those that it doesn't know are left out."""
        with self._lock:
            rows = self._db.execute(
                "SELECT key, value FROM fact WHERE part = ? "
                "AND key IN (SELECT value FROM json_each(?))",
                (part, json.dumps(list(keys))),
            )
            return {key: json.loads(value) for key, value in rows}

    def fact(self, part: str, key: str, default: Any = None) -> Any:
        """Return one thing that a part remembers."""
        with self._lock:
            row = self._db.execute(
                "SELECT value FROM fact WHERE part = ? AND key = ?", (part, key)
            ).fetchone()
        return json.loads(row[0]) if row else default

    def set_facts(self, part: str, values: dict[str, Any], *, rebuildable: bool) -> None:
        """Remember plain JSON values for a part; None forgets a key.

        Args:
            part: whose facts these are ("pictures", "speeds").
            values: by key.
            rebuildable: whether losing the part costs time only.
        """
        now = time.time()
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO part VALUES (?, ?)", (part, rebuildable))
            self._db.executemany(
                "DELETE FROM fact WHERE part = ? AND key = ?",
                [(part, key) for key, value in values.items() if value is None],
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO fact VALUES (?, ?, ?, ?)",
                [(part, k, json.dumps(v), now) for k, v in values.items() if v is not None],
            )

    def prune(self, before: float) -> int:
        """Forget history and rebuildable facts from before a time; return how many rows went."""
        with self._transaction():
            old = self._db.execute("DELETE FROM history WHERE at < ?", (before,)).rowcount
            old += self._db.execute(
                "DELETE FROM fact WHERE at < ? AND part IN "
                "(SELECT name FROM part WHERE rebuildable)",
                (before,),
            ).rowcount
        return old

    # -------------------------------------------------------------------------- the file

    def _open(self) -> sqlite3.Connection:
        if not self.path.exists():  # made private before SQLite writes into it
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        end = time.monotonic() + _PATIENCE
        while True:
            db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            try:
                self._check(db)
                return db
            except BaseException as error:
                db.close()
                # Two that make a new file at once: SQLite lets one of them fail at once.
                busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > end:
                    raise
            time.sleep(0.02)

    def _check(self, db: sqlite3.Connection) -> None:
        db.execute(f"PRAGMA busy_timeout = {1000 * _PATIENCE}")
        db.execute("BEGIN")  # the three are of one moment
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        db.execute("COMMIT")
        if tables and application != _APPLICATION_ID:
            raise ConfigError(f"{self.path} is no state file of storebridge; move it away")
        if version > _VERSION:
            raise ConfigError(
                f"{self.path} was written by a newer storebridge (version {version}, this one "
                f"reads up to {_VERSION}); update storebridge"
            )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {_VERSION}")
        found = db.execute("SELECT id FROM store").fetchone()
        if found is None:
            db.execute("INSERT INTO store VALUES (?)", (self.store_id,))
        db.execute("COMMIT")
        if found and found[0] != self.store_id:
            raise ConfigError(f"{self.path} is the state of {found[0]}, not of {self.store_id}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:  # a full disk has ended it already
                    self._db.execute("ROLLBACK")
                if is_full(error):
                    raise ConfigError(
                        f"there is no room for the state file {self.path} ({error}). Free the disk "
                        "or choose another folder with --state DIR, then run the same command again"
                    ) from None
                raise


def is_full(error: BaseException) -> bool:
    """Return whether a database had no room left to write to."""
    code = getattr(error, "sqlite_errorcode", 0)
    return bool(code and code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR))


def _file_stem(store_id: str) -> str:
    """Return a file name for an identity: readable, and different for different ones."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "-", store_id).strip("-.")[:60]
    return f"{readable}-{hashlib.sha256(store_id.encode()).hexdigest()[:12]}"


def _told(name: str, host: str, pid: int, born: str, since: float, note: str) -> str:
    when = datetime.fromtimestamp(since).astimezone().isoformat(" ", "seconds")
    doing = f" ({note})" if note else ""
    holds = f"process {pid} on {host} holds {name!r} since {when}{doing}"
    return f"{holds}; wait for it (--wait 600, say) or end it"


def _alive(host: str, pid: int, born: str) -> bool:
    """Return whether a holder still runs; of another host that can't be known, so yes."""
    if host != socket.gethostname():
        return True
    if pid == os.getpid():
        return born == _born(pid)
    return _exists(pid) and born == _born(pid)


def _exists(pid: int) -> bool:
    if os.name == "nt":
        return _exists_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _exists_on_windows(pid: int) -> bool:
    import ctypes

    # os.kill would end the process there. 0x1000 asks for limited information only.
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - the name exists on Windows only
    handle = kernel.OpenProcess(0x1000, False, pid)
    if not handle:
        return bool(kernel.GetLastError() == 5)  # access denied: it exists
    try:
        code = ctypes.c_ulong()
        kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        return code.value == 259  # still active
    finally:
        kernel.CloseHandle(handle)


def _born(pid: int) -> str:
    """Return when a process started, where that can be read: pids are used again."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
        return stat.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
