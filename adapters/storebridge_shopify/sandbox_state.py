"""What the sandbox keeps: the shop's objects in one SQLite file, its bucket and its switches."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from threading import RLock
from typing import Any

__all__ = ["SWITCHES", "Bucket", "Doc", "State", "gid", "split"]

Doc = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (
    id INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, updated TEXT NOT NULL,
    doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_type ON objects (type, id);
CREATE INDEX IF NOT EXISTS objects_updated ON objects (type, updated, id);
CREATE TABLE IF NOT EXISTS keys (
    type TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, object INTEGER NOT NULL,
    PRIMARY KEY (type, name, value, object)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keys_object ON keys (object);
CREATE TABLE IF NOT EXISTS former (
    object INTEGER PRIMARY KEY, doc TEXT, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS work (object INTEGER PRIMARY KEY, kind TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    key TEXT PRIMARY KEY, input TEXT NOT NULL, answer TEXT NOT NULL, at REAL NOT NULL)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens (
    token TEXT PRIMARY KEY, kind TEXT NOT NULL, scopes TEXT NOT NULL, until REAL,
    family TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS members (
    collection TEXT NOT NULL, product TEXT NOT NULL, place INTEGER NOT NULL,
    PRIMARY KEY (collection, product)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS members_product ON members (product);
CREATE TABLE IF NOT EXISTS published (
    resource TEXT NOT NULL, publication TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (resource, publication)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS metafields (
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, namespace TEXT NOT NULL,
    key TEXT NOT NULL, type TEXT NOT NULL, value TEXT NOT NULL, created TEXT NOT NULL,
    updated TEXT NOT NULL, UNIQUE (owner, namespace, key));
CREATE TABLE IF NOT EXISTS translations (
    resource TEXT NOT NULL, locale TEXT NOT NULL, market TEXT NOT NULL, key TEXT NOT NULL,
    value TEXT NOT NULL, digest TEXT NOT NULL, updated TEXT NOT NULL,
    PRIMARY KEY (resource, locale, market, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS prices (
    list TEXT NOT NULL, variant TEXT NOT NULL, price TEXT NOT NULL, compare TEXT,
    PRIMARY KEY (list, variant)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS former_prices (
    list TEXT NOT NULL, variant TEXT NOT NULL, price TEXT, compare TEXT, at REAL NOT NULL,
    PRIMARY KEY (list, variant)) WITHOUT ROWID;
"""

#: What can be set from outside, with what it is by default.
SWITCHES: Mapping[str, Any] = {
    "steps": 2,  # requests until a file, a job or an operation is done
    "seconds": 0.0,  # and the time that it takes at least
    "search_lag": 0.0,  # seconds until a search knows of a change
    "first_line": 0,  # __lineNumber of the first line of a bulk file
    "bulk_rate": 0.0,  # lines of a bulk file per second, 0: 500 with each request
    "bulk_ends": [],  # how the next bulk operations end, see sandbox_bulk
    "bulk_spoils": [],  # what befalls the lines of their results
    "bulk_cuts": [],  # and what part of its file each download brings
    "dead_urls": ["dead.example"],  # pictures whose address has one of these can't be fetched
    "troubles": [],  # what goes wrong with the next requests, see sandbox_trouble
    "token_troubles": [],  # and with those for tokens
    "declines": False,  # whether the person at the shop says no to the app
    "redirects": ["http://127.0.0.1:"],  # how the app's redirect URLs begin
    "host": "sandbox.myshopify.com",
    "deprecated": "",  # why the calls of a request are deprecated
    "versions": ["2026-04", "2026-07", "2026-10"],
}


def gid(kind: str, number: int | str) -> str:
    """Return the global id of an object."""
    return f"gid://shopify/{kind}/{number}"


@dataclass
class Bucket:
    """The leaky bucket of an app in a shop: 20 seconds of restoring fit in."""

    rate: float
    available: float
    since: float

    @property
    def capacity(self) -> float:
        """The most points that it holds."""
        return self.rate * 20

    def fill(self, now: float) -> None:
        """Restore what the time since the last call gives."""
        self.available = min(self.capacity, self.available + (now - self.since) * self.rate)
        self.since = now


class State:
    """A shop in one SQLite file, or in memory."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
        rate: float = 100.0,
    ) -> None:
        """Open or make the state; `rate` is the plan's points per second, Standard by default."""
        self.clock, self.lock = clock, RLock()
        self.buckets: dict[str, Bucket] = {}
        self.db = sqlite3.connect(path or ":memory:", check_same_thread=False, timeout=30)
        # A killed process loses nothing without syncing; only a power cut would.
        self.db.executescript(f"PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL; {_SCHEMA}")
        self._switches: dict[str, Any] = {**SWITCHES, **self.fact("switches", {})}
        self.rate = float(self.fact("rate", rate))  # a stored shop may have a plan of its own
        self.calls = 0
        """How many requests the shop has had."""
        self.url = ""
        """The address that files are uploaded to and fetched from; "" for one of its own."""
        self.scopes: frozenset[str] = frozenset()
        """What the token of the current request may do."""
        self.app = ""
        """The app that the token of the current request was given to."""
        self.warnings: list[Doc] = []
        """What the searches of the current request ignored."""

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    # -- time, facts and switches

    def now(self) -> str:
        """Return the time as the platform writes it: UTC, to the second."""
        return _written(int(self.clock()))

    def at(self, seconds: float) -> str:
        """Return a time as the platform writes it."""
        return _written(int(seconds))

    def bucket(self, app: str) -> Bucket:
        """Return the bucket of an app, filled up to now."""
        now = self.clock()
        found = self.buckets.setdefault(app, Bucket(self.rate, self.rate * 20, now))
        found.fill(now)
        return found

    def fact(self, name: str, default: Any = None) -> Any:
        """Return a fact of the shop."""
        found = self.one("SELECT value FROM facts WHERE name = ?", name)
        return default if found is None else json.loads(found)

    def set_fact(self, name: str, value: Any) -> None:
        """Keep a fact of the shop."""
        text = json.dumps(value)
        self.db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, text))

    def option(self, name: str) -> Any:
        """Return how a switch is set."""
        return self._switches[name]

    def switch(self, **switches: Any) -> None:
        """Set switches.

        Raises:
            TypeError: if there is no such switch.
        """
        if unknown := sorted(switches.keys() - SWITCHES.keys()):
            raise TypeError(f"no switch {', '.join(unknown)}; there are {', '.join(SWITCHES)}")
        self._switches.update(switches)
        self.set_fact("switches", {**self.fact("switches", {}), **switches})

    def begin(self) -> None:
        """Count a request."""
        self.calls = int(self.fact("calls", 0)) + 1
        self.set_fact("calls", self.calls)
        self.warnings = []

    def begun(self) -> Doc:
        """Return the marks by which `age` later tells how far a piece of work has come."""
        return {"begunAt": self.clock(), "begunCall": self.calls}

    def age(self, doc: Doc) -> str:
        """Return how far a piece of work has come: "new", "under way" or "done"."""
        calls = self.calls - doc["begunCall"]
        late = self.clock() - doc["begunAt"] >= self.option("seconds")
        if calls >= self.option("steps") and late:
            return "done"
        return "under way" if calls else "new"

    # -- rows

    def one(self, sql: str, *values: Any) -> Any:
        """Return the first column of the first row, None without a row."""
        row = self.db.execute(sql, values).fetchone()
        return row[0] if row else None

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """Return all rows."""
        return self.db.execute(sql, values).fetchall()

    def run(self, sql: str, *values: Any) -> None:
        """Run a statement."""
        self.db.execute(sql, values)

    # -- objects

    def add(self, kind: str, doc: Doc) -> Doc:
        """Keep a new object and return it with its id."""
        now = self.now()
        doc = {"createdAt": now, "updatedAt": now, **doc}
        sql = "INSERT INTO objects (type, updated, doc) VALUES (?, ?, ?)"
        number = self.db.execute(sql, (kind, doc["updatedAt"], json.dumps(doc))).lastrowid
        self._remember(number or 0, None)
        return {**doc, "id": gid(kind, number or 0), "__typename": kind}

    def upcoming(self, places: int) -> int:
        """Return the number of a new object to come: 1 is the next one."""
        last = self.one("SELECT seq FROM sqlite_sequence WHERE name = 'objects'")
        return int(last or 0) + places

    def save(self, doc: Doc, *, touched: bool = True) -> None:
        """Keep an object as it is now."""
        if touched:
            doc["updatedAt"] = self.now()
        _, number = split(doc["id"])
        self._remember(int(number), doc)
        kept = {name: value for name, value in doc.items() if name not in ("id", "__typename")}
        sql = "UPDATE objects SET updated = ?, doc = ? WHERE id = ?"
        self.db.execute(sql, (doc["updatedAt"], json.dumps(kept), number))

    def _remember(self, number: int, doc: Doc | None) -> None:
        """Keep what searches still know of an object while they lag."""
        lag = self.option("search_lag")
        if not lag:
            return
        at = self.one("SELECT at FROM former WHERE object = ?", number)
        if at is None or at <= self.clock() - lag:
            old = "SELECT doc FROM objects WHERE id = ?"
            text = self.one(old, number) if doc is not None else None
            self.run("INSERT OR REPLACE INTO former VALUES (?, ?, ?)", number, text, self.clock())

    def searched(self, doc: Doc) -> Doc | None:
        """Return an object as searches know it; None where they don't yet."""
        lag = self.option("search_lag")
        if not lag:
            return doc
        sql = "SELECT doc FROM former WHERE object = ? AND at > ?"
        found = self.rows(sql, split(doc["id"])[1], self.clock() - lag)
        if not found:
            return doc
        return {**doc, **json.loads(found[0][0])} if found[0][0] else None

    def get(self, id: str, *kinds: str) -> Doc | None:
        """Return an object by its global id; None if there is none, or of another type."""
        kind, number = split(id)
        if kinds and kind not in kinds:
            return None
        found = self.one("SELECT doc FROM objects WHERE id = ? AND type = ?", number, kind)
        return {**json.loads(found), "id": gid(kind, number), "__typename": kind} if found else None

    def delete(self, id: str) -> None:
        """Forget an object and all that is known of it."""
        _, number = split(id)
        for table in ("objects WHERE id", "keys WHERE object", "work WHERE object"):
            self.run(f"DELETE FROM {table} = ?", number)
        for table in (
            "metafields WHERE owner",
            "published WHERE resource",
            "translations WHERE resource",
            "members WHERE product",
            "members WHERE collection",
            "prices WHERE variant",
            "former_prices WHERE variant",
        ):
            self.run(f"DELETE FROM {table} = ?", id)

    def all(self, kind: str) -> Iterator[Doc]:
        """Yield the objects of a type, oldest first."""
        sql = "SELECT id, doc FROM objects WHERE type = ? ORDER BY id"
        for number, text in self.rows(sql, kind):
            yield {**json.loads(text), "id": gid(kind, number), "__typename": kind}

    def count(self, kind: str) -> int:
        """Return how many objects of a type there are."""
        return int(self.one("SELECT count(*) FROM objects WHERE type = ?", kind))

    def number(self) -> int:
        """Return a number never given before, for what lies within an object."""
        count = int(self.fact("numbers", 40_000_000)) + 1
        self.set_fact("numbers", count)
        return count

    # -- keys

    def index(self, id: str, keys: Mapping[str, Sequence[str]]) -> None:
        """Make an object findable by these keys and no others."""
        kind, number = split(id)
        self.db.execute("DELETE FROM keys WHERE object = ?", (number,))
        rows = ((kind, name, value, number) for name in keys for value in keys[name] if value)
        self.db.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?, ?, ?)", rows)

    def holders(self, kind: str, name: str, value: str) -> list[str]:
        """Return the ids of the objects that have a key."""
        sql = "SELECT object FROM keys WHERE type = ? AND name = ? AND value = ? ORDER BY object"
        return [gid(kind, number) for (number,) in self.rows(sql, kind, name, value)]


@lru_cache(maxsize=64)
def _written(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def split(id: str) -> tuple[str, str]:
    """Return the type and the number of a global id, two empty texts where it is none."""
    head, _, rest = id.partition("gid://shopify/")
    kind, _, number = rest.partition("/")
    return ("", "") if head or not number else (kind, number.partition("?")[0])
