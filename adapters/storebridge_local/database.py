"""The SQLite file: its schema, opening it safely, and transactions.

One connection per adapter, guarded by a lock, so that threads take turns; processes take turns
through SQLite's own locks (WAL: readers never wait). `synchronous=FULL` makes a commit durable
before the flow goes on. SQLite's errors leave this module as storebridge's only.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import unicodedata
import uuid
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from storebridge.errors import ConfigError, Refused, StorebridgeError, Unavailable
from storebridge.models import Location, Record
from storebridge_local.shelf import Shelf, Uploads

__all__ = ["MEMORY", "Database", "Session", "composed", "ids_json", "moment"]

T = TypeVar("T", bound=Record)

#: The path of a store that is gone when its adapter is.
MEMORY = ":memory:"
#: How long a process waits for another one to finish its batch.
BUSY_SECONDS = 30.0
#: How long it is remembered which changes of a batch were made.
KEEP_DAYS = 30

_APPLICATION = 0x53424C53  # "SBLS"
_VERSION = 1
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    handle TEXT NOT NULL,
    status TEXT NOT NULL,
    updated INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX record_kind ON record (kind, id);
CREATE TABLE key (
    kind TEXT NOT NULL, name TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (kind, name, id)
) WITHOUT ROWID;
CREATE TABLE member (
    product INTEGER NOT NULL,
    collection INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (product, collection)
) WITHOUT ROWID;
CREATE INDEX member_collection ON member (collection, place);
CREATE TABLE batch (id TEXT PRIMARY KEY, at INTEGER NOT NULL, applied TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX batch_at ON batch (at);
"""
#: Keys that differ in case alone are found together, so that nobody makes a second record of one.
_NEAR = "CREATE INDEX IF NOT EXISTS key_near ON key (kind, name COLLATE NOCASE)"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(when: datetime) -> int:
    """Return a time in microseconds since the epoch."""
    return (when - _EPOCH) // timedelta(microseconds=1)


class Session:
    """One transaction: a consistent view of the store, and what is common to all kinds."""

    def __init__(self, connection: sqlite3.Connection, shelf: Shelf) -> None:
        """Take a connection in which a transaction has begun."""
        self._connection, self._shelf = connection, shelf
        self._next_id = 0
        self.now = datetime.now(UTC)
        self.stamp = moment(self.now)
        self.execute = connection.execute
        self.executemany = connection.executemany

    def fact(self, name: str) -> str:
        """Return a fact about the store ("identity", "currency", "name")."""
        row = self.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(row[0])

    @cached_property
    def currency(self) -> str:
        """The store's currency."""
        return self.fact("currency")

    @cached_property
    def uploads(self) -> Uploads:
        """The picture files that this transaction takes in."""
        return Uploads(self._shelf, self.fact("identity"))

    @cached_property
    def locations(self) -> Mapping[str, str]:
        """The names of the locations by all that may be written for them: name and id.

        Where there is only one, "" means that one.
        """
        found = self.all(Location)
        names = {one.id: one.name for one in found} | {one.name: one.name for one in found}
        return {**names, "": found[0].name} if len(found) == 1 else names

    def all(self, model: type[T]) -> tuple[T, ...]:
        """Return every record of a kind that a store has few of."""
        rows = self.execute("SELECT body FROM record WHERE kind = ? ORDER BY id", (model.kind,))
        return tuple(model.model_validate_json(body) for (body,) in rows.fetchall())

    def id_of(self, kind: str, key: str) -> str:
        """Return the id of the record with a key ("handle:tee"), "" if there is none."""
        row = self.execute(
            "SELECT id FROM key WHERE kind = ? AND name = ? LIMIT 1", (kind, composed(key))
        ).fetchone()
        return str(row[0]) if row else ""

    def new_id(self) -> str:
        """Return an id that nothing in this store has had."""
        if not self._next_id:
            self._next_id = int(self.fact("next_id"))
        self._next_id += 1
        return str(self._next_id - 1)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Undo what is done within it if that raises an error of ours."""
        self.execute("SAVEPOINT attempt")
        try:
            yield
        except StorebridgeError:
            self.execute("ROLLBACK TO attempt")
            raise
        finally:
            # A disk that is full may have ended the whole transaction.
            if self._connection.in_transaction:
                self.execute("RELEASE attempt")

    def made(self, batch: str) -> dict[str, str]:
        """Return which changes of a batch were made, with the ids of their records."""
        row = self.execute("SELECT applied FROM batch WHERE id = ?", (batch,)).fetchone()
        return dict(json.loads(row[0])) if row else {}

    def remember_made(self, batch: str, made: Mapping[str, str]) -> None:
        """Keep which changes of a batch are made, and forget what is older than `KEEP_DAYS`."""
        if not made:
            return
        known = json.dumps({**self.made(batch), **made})
        self.execute("REPLACE INTO batch VALUES (?, ?, ?)", (batch, self.stamp, known))
        limit = moment(self.now - timedelta(days=KEEP_DAYS))
        self.execute("DELETE FROM batch WHERE at < ?", (limit,))

    def keep_next_id(self) -> None:
        """Write down which ids were given; the last act of a transaction."""
        if self._next_id:
            self.execute("UPDATE meta SET value = ? WHERE name = 'next_id'", (self._next_id,))


class Database:
    """A store's file, opened when it is first used."""

    def __init__(self, path: str, facts: Mapping[str, str]) -> None:
        """Name the file, and the facts that it gets if it is made now."""
        self._path, self._facts = path, dict(facts)
        self.shelf = Shelf(None if path == MEMORY else Path(f"{path}.pictures"))
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self._closer: weakref.finalize[[], Database] | None = None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session that sees the store as it is at one moment."""
        with self._transaction("BEGIN") as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give the session of the only writer; all of it is done when this ends, or nothing.

        Raises:
            Unavailable: if another process writes for too long, or the disk is full or broken.
            Refused: if the file may only be read.
        """
        with self._transaction("BEGIN IMMEDIATE") as session:
            yield session
            session.keep_next_id()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._closer is not None:
                self._closer()
            self._connection = self._closer = None

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Session]:
        with self._lock, self._clear_errors():
            connection = self._open()
            connection.execute(begin)
            try:
                yield Session(connection, self.shelf)
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def _open(self) -> sqlite3.Connection:
        # SQLite's connections must not cross a fork.
        if self._connection is None or self._process != os.getpid():
            connection = self._connect()
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection, self._process = connection, os.getpid()
            self._closer = weakref.finalize(self, connection.close)
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._target(),
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )

    def _target(self) -> str:
        """Return the file as SQLite's URI; a new file is made here, for its owner only."""
        if self._path == MEMORY:
            return "file::memory:"
        path = Path(self._path).absolute()
        if not path.parent.is_dir():
            raise ConfigError(f"{path.parent} is no folder. Make it first, or name another file.")
        with suppress(FileExistsError, PermissionError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        if not path.exists() or os.access(path, os.W_OK):
            return f"{path.as_uri()}?mode=rw"
        # Beside a file that nobody may write, SQLite can't keep the index of its log either.
        frozen = "" if os.access(path.parent, os.W_OK) else "&immutable=1"
        return f"{path.as_uri()}?mode=ro{frozen}"

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if self._is_new(connection):
            connection.execute("BEGIN IMMEDIATE")
            if self._is_new(connection):  # still: another process may have been faster
                self._make(connection)
            connection.execute("COMMIT")
        with suppress(sqlite3.OperationalError):  # a file that may only be read is slower without
            connection.execute(_NEAR)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -32768")
        _use_wal(connection)

    def _is_new(self, connection: sqlite3.Connection) -> bool:
        """Return whether the file is empty; one that is not must be ours and of our version."""
        application, version = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version")
        )
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not (application or version or tables):
            return True
        if application != _APPLICATION:
            raise ConfigError(f"{self._path} is no local store. Name another file.")
        if version != _VERSION:
            age, remedy = (
                ("a newer", "Upgrade storebridge.")
                if version > _VERSION
                else (
                    "an older",
                    "Pull its records with that version and push them into a new one.",
                )
            )
            raise ConfigError(f"{self._path} was made by {age} storebridge. {remedy}")
        return False

    def _make(self, connection: sqlite3.Connection) -> None:
        for statement in _SCHEMA.split(";\n"):
            connection.execute(statement)
        facts = {**self._facts, "identity": f"local-{uuid.uuid4().hex}", "next_id": 2}
        connection.executemany("INSERT INTO meta VALUES (?, ?)", facts.items())
        place = Location(id="1", name="Default", active=True)
        connection.execute(
            "INSERT INTO record VALUES (1, 'location', '', '', ?, ?)",
            (moment(datetime.now(UTC)), place.model_dump_json()),
        )
        connection.execute("INSERT INTO key VALUES ('location', 'name:Default', 1)")
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _ours(error, self._path) from error
        except OSError as error:
            raise ConfigError(f"{self._path} can't be opened: {error.strerror}.") from error


def composed(text: str) -> str:
    """Return text in Unicode's composed form, in which keys are kept and compared."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def ids_json(ids: Iterable[str]) -> str:
    """Return ids as one parameter for `json_each`; what can't be an id of ours is left out."""
    return json.dumps([int(one) for one in ids if one.isascii() and one.isdigit()])


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch the log on; a file keeps it, so that only the first one has to."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # SQLite doesn't wait for other processes here by itself.
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, 0 where Python raised the error itself."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _ours(error: sqlite3.Error, path: str) -> StorebridgeError:
    """Return the error that one of SQLite's means to a user."""
    code = _code(error)
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return ConfigError(f"{path} is no local store, or it is damaged. Name another file.")
    if code == sqlite3.SQLITE_CANTOPEN:
        return ConfigError(f"{path} can't be opened. Look at the rights of file and folder.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return Refused(f"{path} may only be read; nothing was written. Make it writable.")
    told: dict[int, tuple[str, str, str]] = {
        sqlite3.SQLITE_BUSY: ("busy", "another process is writing to it", "Try again later."),
        sqlite3.SQLITE_FULL: ("full", "the disk is full", "Free some space and try again."),
    }
    word, what, remedy = told.get(code, ("sqlite", str(error), "Look at the disk and try again."))
    return Unavailable(f"{path}: {what}; nothing was written.", code=word, remedy=remedy)
