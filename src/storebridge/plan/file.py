"""The plan file: one SQLite database with sealed tables and a journal beside them.

Sealed, under a digest: what was planned (`meta`, `changes`, `fit`, `skipped`, `warnings`,
`refs`). The journal: which batches were sent (`batches`) and what became of each change
(`outcomes`). Intent is committed before anything is sent, outcomes as soon as they are known; both
with `synchronous=FULL`, so that a kill or a power cut leaves the truth.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from storebridge.adapter import Action
from storebridge.errors import PlanError
from storebridge.flow import Outcome, Status
from storebridge.state import is_full

__all__ = ["BatchRow", "ChangeRow", "OutcomeRow", "PlanFile", "SkippedRow"]

#: "SBpl": tells our plan files from every other SQLite database.
APPLICATION_ID = 0x5342706C
VERSION = 2

_SEALED = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY, rank INTEGER NOT NULL, kind TEXT NOT NULL, part TEXT NOT NULL,
    action TEXT NOT NULL, record_id TEXT NOT NULL, key TEXT NOT NULL, label TEXT NOT NULL,
    origin INTEGER, before TEXT, after TEXT, reasons TEXT NOT NULL, reads TEXT, undo TEXT NOT NULL
);
CREATE TABLE fit (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, label TEXT NOT NULL, field TEXT NOT NULL,
    message TEXT NOT NULL, source TEXT NOT NULL
);
CREATE TABLE skipped (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, label TEXT NOT NULL, origin INTEGER,
    cause TEXT NOT NULL, message TEXT NOT NULL, remedy TEXT NOT NULL
);
CREATE TABLE warnings (seq INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE refs (name TEXT PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID;
"""
_JOURNAL = """
CREATE TABLE batches (
    id TEXT PRIMARY KEY, seqs TEXT NOT NULL, state TEXT, done INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE outcomes (
    seq INTEGER PRIMARY KEY, batch TEXT NOT NULL, status TEXT NOT NULL, record_id TEXT NOT NULL,
    cause TEXT NOT NULL, message TEXT NOT NULL, remedy TEXT NOT NULL,
    http_status INTEGER NOT NULL, request_id TEXT NOT NULL,
    verified INTEGER NOT NULL, before TEXT
);
CREATE INDEX changes_in_order ON changes (rank, seq);
CREATE INDEX changes_by_key ON changes (kind, key) WHERE action = 'create';
"""
_SEALED_TABLES = ("meta", "changes", "fit", "skipped", "warnings", "refs")
_CHANGE = (
    "seq, kind, part, action, record_id, key, label, origin, before, after, reasons, reads, undo"
)
_OUTCOME = (
    "seq, status, record_id, cause, message, remedy, http_status, request_id, verified, before"
)


class ChangeRow(NamedTuple):
    """One change as it is sealed: `before` and `after` are JSON, None where there is no side."""

    seq: int
    kind: str
    part: str
    action: Action
    record_id: str
    key: str
    label: str
    origin: int | None
    """The row of the source that asked for it."""
    before: str | None
    after: str | None
    reasons: str = "[]"
    reads: str | None = None
    """Fields that a transform read of the live record: they join the conflict check."""
    undo: str = "reverse"
    """What an undo can do: "reverse", "archive", "delete", "recreate" or "none"."""


class SkippedRow(NamedTuple):
    """A record of the source that the plan leaves alone, and why."""

    kind: str
    label: str
    origin: int | None
    cause: str
    """"unknown", "ambiguous", "rename", "reference", "scope", "kept", "irreversible", ..."""
    message: str
    remedy: str


class OutcomeRow(NamedTuple):
    """What became of one change."""

    seq: int
    status: str
    record_id: str
    cause: str
    message: str
    remedy: str
    http_status: int
    request_id: str
    verified: int
    before: str | None
    """What was overwritten, where that isn't what the plan read.

    Of a created record that an undo deletes: the record as the store had it then.
    """


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch that was sent and whose end was not seen."""

    id: str
    seqs: tuple[int, ...]
    state: Any


class PlanFile:
    """A plan on disk. Opening checks what it is; `check_seal` checks that nobody changed it."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Hold an open database; use `create` or `open`."""
        self.path = path
        self._db = connection
        self._lock = threading.RLock()
        # A script may forget to close a plan; the connection must not outlive it.
        self._closing = weakref.finalize(self, connection.close)

    @classmethod
    def create(cls, path: Path) -> PlanFile:
        """Return a new plan file, not sealed yet; an existing file is never overwritten."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            if path.is_dir():
                raise PlanError(f"{path} is a folder; name a new file in it", 2) from None
            raise PlanError(f"{path} exists already; choose another name or remove it") from None
        except OSError as error:
            lacking = f"there is no folder {path.parent}; make it first"
            why = error.strerror if path.parent.is_dir() else lacking
            raise PlanError(f"can't write {path}: {why}", 1) from None
        db = _connect(path)
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute(f"PRAGMA user_version={VERSION}")
        # Until it is sealed a plan is worthless: a crash leaves a file that `open` refuses.
        db.execute("PRAGMA synchronous=OFF")
        db.executescript(_SEALED)
        db.execute("BEGIN")
        return cls(path, db)

    @classmethod
    @contextmanager
    def making(cls, path: Path) -> Iterator[PlanFile]:
        """Give a new plan file, and seal it in the end; after an error no file is left."""
        file = cls.create(path)
        try:
            yield file
            file.seal()
        except BaseException as error:
            file.close()
            path.unlink(missing_ok=True)
            if is_full(error):  # what is worked on lies in the same folder
                text = f"there is no room for {path} ({error}). Free the disk or choose another one"
                raise PlanError(text, 1) from None
            raise

    @classmethod
    def open(cls, path: Path) -> PlanFile:
        """Return an existing plan file.

        Raises:
            PlanError: if it isn't there, isn't a plan, is older or newer than this version reads,
                or was never finished.
        """
        if not path.is_file():
            raise PlanError(f"there is no plan at {path}; make one with 'storebridge plan'", 3)
        try:
            db = _connect(path)
        except sqlite3.DatabaseError as error:
            raise PlanError(f"{path} is not a plan of storebridge ({error})", 1) from None
        try:
            kind = db.execute("PRAGMA application_id").fetchone()[0]
            version = db.execute("PRAGMA user_version").fetchone()[0]
            db.execute("PRAGMA synchronous=FULL")
            if kind != APPLICATION_ID:
                raise PlanError(f"{path} is not a plan of storebridge", 1)
            if version < VERSION:
                raise PlanError(f"{path} was made by an older storebridge: plan again", 1)
            if version > VERSION:
                raise PlanError(f"{path} was made by a newer storebridge: update this one", 1)
            if not db.execute("SELECT 1 FROM meta WHERE name = 'digest'").fetchone():
                raise PlanError(f"{path} was never finished: plan again", 1)
        except sqlite3.DatabaseError as error:
            db.close()
            raise PlanError(f"{path} is not a plan of storebridge ({error})", 1) from None
        except PlanError:
            db.close()
            raise
        return cls(path, db)

    def close(self) -> None:
        """Close the database."""
        self._closing()

    # -- making it

    def put_meta(self, **values: Any) -> None:
        """Keep values as JSON, before the seal."""
        rows = ((name, json.dumps(value, sort_keys=True)) for name, value in values.items())
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def add_changes(self, rows: Iterable[tuple[int, ChangeRow]]) -> None:
        """Add changes with their ranks; `seq` 0 takes the next number."""
        self._db.executemany(
            f"INSERT INTO changes ({_CHANGE}, rank) VALUES ({_marks(14)})",
            ((row.seq or None, *row[1:], rank) for rank, row in rows),
        )

    def rank(self, ranks: Iterable[tuple[int, int]]) -> None:
        """Give changes other ranks: pairs of a rank and a change's number."""
        self._db.executemany("UPDATE changes SET rank = ? WHERE seq = ?", list(ranks))

    def add_fit(self, rows: Iterable[tuple[str, str, str, str, str]]) -> None:
        """Add what can't be held: kind, label, field, message, source."""
        self._db.executemany(
            "INSERT INTO fit (kind, label, field, message, source) VALUES (?, ?, ?, ?, ?)", rows
        )

    def add_skipped(self, rows: Iterable[SkippedRow]) -> None:
        """Add records that are left alone."""
        self._db.executemany(
            "INSERT INTO skipped (kind, label, origin, cause, message, remedy) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            rows,
        )

    def add_warning(self, text: str) -> None:
        """Add a line that a person should read before applying; it changes nothing."""
        self._db.execute("INSERT INTO warnings (text) VALUES (?)", (text,))

    def add_refs(self, refs: Iterable[tuple[str, str]]) -> None:
        """Add platform ids of records that changes refer to; "" means: made by this plan."""
        self._db.executemany("INSERT OR IGNORE INTO refs VALUES (?, ?)", refs)

    def seal(self) -> str:
        """Finish the plan and return its digest; nothing sealed changes after this."""
        self._db.executescript(_JOURNAL)
        digest = self._digest()
        self.put_meta(digest=digest)
        self._db.commit()
        self._db.execute("PRAGMA synchronous=FULL")
        with self.path.open("rb+") as plan:
            os.fsync(plan.fileno())
        return digest

    # -- reading it

    def check_seal(self) -> None:
        """Raise PlanError if anything sealed was changed."""
        if self._digest() != self.meta("digest"):
            raise PlanError(f"{self.path} was changed after it was made: plan again")

    def meta(self, name: str, default: Any = None) -> Any:
        """Return a value of the plan's head."""
        row = self._one("SELECT value FROM meta WHERE name = ?", (name,))
        return json.loads(row[0]) if row else default

    def changes(self, where: str = "", values: Sequence[Any] = ()) -> Iterator[ChangeRow]:
        """Yield changes in the order in which they are applied."""
        rows = self._rows(f"SELECT {_CHANGE} FROM changes {where} ORDER BY rank, seq", values)
        return map(ChangeRow._make, rows)

    def phases(self) -> list[tuple[int, str, str]]:
        """Return (rank, kind, part) of the plan's phases in order."""
        return list(self._rows("SELECT DISTINCT rank, kind, part FROM changes ORDER BY rank"))

    def open_seqs(
        self, rank: int, size: int, retry_failed: bool = False, overwrite: bool = False
    ) -> Iterator[list[int]]:
        """Yield the changes of a phase that have no outcome, so many at a time.

        With them go those that waited for another record, on request those that met a conflict,
        and on request all that failed or were left out.
        """
        again = "o.status = 'skipped' AND o.cause IN ('reference', ?)"
        if retry_failed:
            again = "o.status IN ('failed', 'skipped', ?)"
        query = (
            "SELECT c.seq FROM changes c LEFT JOIN outcomes o ON o.seq = c.seq WHERE c.rank = ? "
            f"AND c.seq > ? AND (o.seq IS NULL OR {again}) ORDER BY c.seq LIMIT ?"
        )
        last, cause = 0, "conflict" if overwrite else ""
        while rows := list(self._rows(query, (rank, last, cause, size))):
            last = rows[-1][0]
            yield [row[0] for row in rows]

    def fit(self) -> Iterator[tuple[str, str, str, str, str]]:
        """Yield what can't be held: kind, label, field, message, source."""
        rows = "SELECT kind, label, field, message, source FROM fit ORDER BY seq"
        yield from self._rows(rows)

    def skipped(self) -> Iterator[SkippedRow]:
        """Yield the records that are left alone."""
        rows = "SELECT kind, label, origin, cause, message, remedy FROM skipped ORDER BY seq"
        return map(SkippedRow._make, self._rows(rows))

    def warnings(self) -> Iterator[str]:
        """Yield what a person should read before applying, in the order in which it was found."""
        return (text for (text,) in self._rows("SELECT text FROM warnings ORDER BY seq"))

    def count(self, query: str, values: Sequence[Any] = ()) -> dict[Any, int]:
        """Return the two-column answer of a counting query as a dict."""
        return dict(self._rows(query, values))

    def ref(self, name: str) -> str | None:
        """Return the platform id of a referenced record: "" where this plan makes it."""
        row = self._one("SELECT id FROM refs WHERE name = ?", (name,))
        return row[0] if row else None

    # -- the journal

    def begin_batch(self, seqs: Sequence[int]) -> str:
        """Commit the intent to send these changes, and return the batch's id.

        What became of them before is forgotten: an outcome is always younger than its batches.
        """
        with self._transaction():
            self._db.execute(
                "DELETE FROM outcomes WHERE seq IN (SELECT value FROM json_each(?))",
                (json.dumps(list(seqs)),),
            )
            number = self._one("SELECT COUNT(*) FROM batches", ())[0]
            batch = f"{self.meta('digest')[:12]}-{number:06d}"
            self._db.execute(
                "INSERT INTO batches (id, seqs) VALUES (?, ?)", (batch, json.dumps(list(seqs)))
            )
        return batch

    def end_batch(self, batch: str) -> None:
        """Note that a batch needs no second look; it becomes durable with the next commit."""
        with self._transaction():
            self._db.execute("UPDATE batches SET done = 1 WHERE id = ?", (batch,))

    @property
    def is_done(self) -> bool:
        """Whether every change was made, or was there already, and no batch is open."""
        counts = self.count("SELECT status, COUNT(*) FROM outcomes GROUP BY status")
        made = counts.get(Status.APPLIED, 0) + counts.get(Status.UNCHANGED, 0)
        planned = self._one("SELECT COUNT(*) FROM changes", ())[0]
        return 0 < planned == made and not self.open_batches()

    def open_batches(self) -> list[BatchRow]:
        """Return the batches that were sent and not ended, in the order of sending."""
        rows = self._rows("SELECT id, seqs, state FROM batches WHERE done = 0 ORDER BY id")
        return [
            BatchRow(i, tuple(json.loads(seqs)), json.loads(state) if state else None)
            for i, seqs, state in rows
        ]

    def remember(self, batch: str, state: Any) -> None:
        """Keep a flow's state durably."""
        with self._transaction():
            self._db.execute(
                "UPDATE batches SET state = ? WHERE id = ?", (json.dumps(state), batch)
            )

    def put_outcomes(
        self, batch: str, rows: Iterable[tuple[Outcome, bool]], before: dict[int, str] | None = None
    ) -> None:
        """Commit outcomes; each comes with whether it was verified."""
        overwritten = before or {}
        with self._transaction():
            self._db.executemany(
                f"INSERT OR REPLACE INTO outcomes ({_OUTCOME}, batch) VALUES ({_marks(11)})",
                (
                    (
                        int(o.change),
                        str(o.status),
                        o.id,
                        o.cause,
                        o.message,
                        o.remedy,
                        o.http_status,
                        o.request_id,
                        int(verified),
                        overwritten.get(int(o.change)),
                        batch,
                    )
                    for o, verified in rows
                ),
            )

    def outcomes(self, where: str = "", values: Sequence[Any] = ()) -> Iterator[OutcomeRow]:
        """Yield outcomes in the order of the changes."""
        rows = self._rows(f"SELECT {_OUTCOME} FROM outcomes {where} ORDER BY seq", values)
        return map(OutcomeRow._make, rows)

    def has_failed(self, seq: int) -> bool:
        """Return whether a try of a change has failed; it may have written a part of it."""
        return any(each.status == Status.FAILED for each in self.outcomes("WHERE seq = ?", (seq,)))

    def made_id(self, kind: str, key: str) -> tuple[str, str]:
        """Return (status, platform id) of the record that this plan creates under a key."""
        row = self._one(
            "SELECT o.status, o.record_id FROM changes c LEFT JOIN outcomes o ON o.seq = c.seq "
            "WHERE c.kind = ? AND c.key = ? AND c.action = 'create'",
            (kind, key),
        )
        if row is None:
            return "", ""
        return row[0] or str(Status.UNKNOWN), row[1] or ""

    # -- the database

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise PlanError(
                    f"can't write the journal in {self.path} ({error}); nothing more was sent. "
                    "Free the disk or make the file writable, then run the same command again"
                ) from None

    def _rows(self, query: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        """Yield rows in slices, so that other threads may use the connection in between."""
        with self._lock:
            cursor = self._db.execute(query, values)
            rows = cursor.fetchmany(1000)
        while rows:
            yield from rows
            with self._lock:
                rows = cursor.fetchmany(1000)

    def _one(self, query: str, values: Sequence[Any]) -> Any:
        with self._lock:
            return self._db.execute(query, values).fetchone()

    def _digest(self) -> str:
        total = hashlib.sha256()
        for table in _SEALED_TABLES:
            total.update(table.encode())
            keep = "WHERE name != 'digest'" if table == "meta" else ""
            for row in self._rows(f"SELECT * FROM {table} {keep} ORDER BY 1"):
                total.update(repr(row).encode())
        return total.hexdigest()


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)


def _marks(count: int) -> str:
    return ", ".join("?" * count)
