"""What the sandbox keeps: records in one SQLite file, their keys, and the rate limit."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any
from uuid import uuid4

__all__ = ["BURST", "Doc", "Refusal", "State"]

Doc = dict[str, Any]

#: Requests that may come at once.
BURST = 40.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, doc TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS keys (
    kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, record INTEGER NOT NULL,
    PRIMARY KEY (kind, name, value)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keys_record ON keys (record);
CREATE INDEX IF NOT EXISTS records_kind ON records (kind, id);
"""


class Refusal(Exception):
    """A request that the platform refuses, with a status and the reason."""

    def __init__(
        self, status: int, code: str, message: str, field: str = "", *, holder: int = 0
    ) -> None:
        """Keep the answer: the reason, the field that is wrong and who holds what is taken."""
        details: Doc = {"code": code, "message": message}
        if field:
            details["fields"] = {field: message}
        if holder:
            details["holder"] = holder
        self.status, self.details, self.retry_after = status, details, ""
        super().__init__(message)


class State:
    """A store's records in one SQLite file, or in memory, and its rate limit."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
        limited: bool = False,
    ) -> None:
        """Open or make the state; `limited` turns the rate limit on."""
        self.clock, self.limited = clock, limited
        self.tokens, self.filled = BURST, clock()
        self.lock = RLock()
        self.db = sqlite3.connect(path or ":memory:", check_same_thread=False, timeout=30)
        # A killed process loses nothing without syncing; only a power cut would.
        self.db.executescript(f"PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL; {_SCHEMA}")
        with self.db:
            self.db.execute("INSERT OR IGNORE INTO facts VALUES ('id', ?)", (uuid4().hex,))

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    def now(self) -> str:
        """Return the time as the platform writes it."""
        return datetime.fromtimestamp(self.clock(), UTC).isoformat()

    def one(self, sql: str, *values: Any) -> Any:
        """Return the first column of the first row, None without a row."""
        with closing(self.db.execute(sql, values)) as rows:
            row = rows.fetchone()
        return row[0] if row else None

    def load(self, kind: str, record: str) -> Doc:
        """Return a stored record, or refuse with 404."""
        found = None
        if record.isdecimal():
            found = self.one("SELECT doc FROM records WHERE id = ? AND kind = ?", record, kind)
        if found is None:
            raise Refusal(404, "not_found", f"there is no {record} in {kind}")
        return {"id": int(record), **json.loads(found)}

    def save(self, kind: str, doc: Doc) -> None:
        """Keep a record and what it is found by."""
        doc["updated_at"] = self.now()
        stored = json.dumps({name: value for name, value in doc.items() if name != "id"})
        self.db.execute("UPDATE records SET doc = ? WHERE id = ?", (stored, doc["id"]))
        self.db.execute("DELETE FROM keys WHERE record = ?", (doc["id"],))
        keys = [(name, doc[name]) for name in ("handle", "external_id", "email") if doc.get(name)]
        keys += [("sku", v["sku"]) for v in doc.get("variants", ()) if v["sku"]]
        for name, value in keys:
            holder = self.holder(kind, name, value)
            if holder is not None:
                raise Refusal(409, f"{name}_taken", f"{value} is in use", holder=holder)
            self.db.execute("INSERT INTO keys VALUES (?, ?, ?, ?)", (kind, name, value, doc["id"]))

    def holder(self, kind: str, name: str, value: str) -> int | None:
        """Return the id of the record that has a key."""
        sql = "SELECT record FROM keys WHERE kind = ? AND name = ? AND value = ?"
        found: int | None = self.one(sql, kind, name, value)
        return found

    def number(self) -> int:
        """Return a number never given before."""
        count = int(self.one("SELECT value FROM facts WHERE name = 'numbers'") or 1000) + 1
        self.db.execute("INSERT OR REPLACE INTO facts VALUES ('numbers', ?)", (str(count),))
        return count
