"""What the sandbox keeps: posts, terms and smaller things in one SQLite file, ids and options.

WordPress numbers each kind of thing on its own: posts (products, variations, orders, coupons,
attachments), terms, users, comments (reviews, notes), order lines, metadata rows.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock, RLock, Semaphore
from typing import Any
from zoneinfo import ZoneInfo

__all__ = ["APP_PASSWORD", "KEYS", "Doc", "Fatal", "Refusal", "State", "dumps"]

Doc = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS posts (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, parent INTEGER NOT NULL, status TEXT NOT NULL,
    slug TEXT NOT NULL, title TEXT NOT NULL, sku TEXT NOT NULL COLLATE NOCASE,
    gtin TEXT NOT NULL, created TEXT NOT NULL, created_gmt TEXT NOT NULL,
    modified TEXT NOT NULL, modified_gmt TEXT NOT NULL, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS posts_kind ON posts (kind, created, id);
CREATE INDEX IF NOT EXISTS posts_slug ON posts (slug, kind);
CREATE INDEX IF NOT EXISTS posts_sku ON posts (sku) WHERE sku <> '';
CREATE INDEX IF NOT EXISTS posts_gtin ON posts (gtin) WHERE gtin <> '';
CREATE INDEX IF NOT EXISTS posts_parent ON posts (parent, kind) WHERE parent <> 0;
CREATE TABLE IF NOT EXISTS terms (
    id INTEGER PRIMARY KEY, taxonomy TEXT NOT NULL, parent INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE, slug TEXT NOT NULL, doc TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS terms_slug ON terms (taxonomy, slug);
CREATE INDEX IF NOT EXISTS terms_name ON terms (taxonomy, name);
CREATE TABLE IF NOT EXISTS links (
    term INTEGER NOT NULL, post INTEGER NOT NULL, PRIMARY KEY (term, post)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS links_post ON links (post);
CREATE TABLE IF NOT EXISTS things (
    kind TEXT NOT NULL, id INTEGER NOT NULL, parent INTEGER NOT NULL,
    key TEXT NOT NULL COLLATE NOCASE, doc TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS things_key ON things (kind, key);
"""
_PRAGMAS = (
    "PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL; PRAGMA cache_size = -65536;"
    "PRAGMA wal_autocheckpoint = 10000;"
)
_START = {"posts": 9, "terms": 15, "users": 3, "meta": 20}


def _secret(prefix: str, name: str) -> str:
    return prefix + hashlib.sha256(f"sandbox {name}".encode()).hexdigest()[:40]


#: Consumer keys by name: (key, secret, permission, user).
KEYS: Mapping[str, tuple[str, str, str, int]] = {
    name: (_secret("ck_", name), _secret("cs_", f"secret of {name}"), permission, user)
    for name, permission, user in (
        ("read_write", "read_write", 1),
        ("read", "read", 1),
        ("write", "write", 1),
        ("manager", "read_write", 3),
        ("customer", "read_write", 2),
    )
}
#: The application password of the user `admin`.
APP_PASSWORD = "sand boxs andb oxsa ndbo xsan"  # noqa: S105 - opens nothing but this sandbox


class Refusal(Exception):
    """An answer that says no: WordPress' WP_Error."""

    def __init__(self, code: str, message: str, status: int = 400, **data: Any) -> None:
        """Keep the error; `data` joins the status in the answer's `data`."""
        super().__init__(message)
        self.code, self.message, self.status = code, message, status
        self.data: Any = {"status": status, **data}

    @property
    def doc(self) -> Doc:
        """The error as the answer has it."""
        return {"code": self.code, "message": self.message, "data": self.data}


class Fatal(Exception):
    """A PHP fatal error: HTTP 500 for the whole request; what was saved before stays."""


class State:
    """A shop's data and options in one SQLite file, or in memory."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Open or make the state; `clock` and `sleep` may be a virtual clock's."""
        self.clock, self.sleep = clock, sleep
        self.lock = RLock()
        self.cores = Semaphore(2)
        self.nonces: dict[tuple[str, int], str] = {}
        self.overlaps: list[str] = []
        """Parents whose variations two batches wrote at once."""
        self._busy: dict[str, int] = {}
        self._door = Lock()
        self.home = ""
        self.db = sqlite3.connect(path or ":memory:", check_same_thread=False, timeout=30)
        # A killed process loses nothing without syncing; only a power cut would.
        self.db.executescript(f"{_PRAGMAS} {_SCHEMA}")
        self.db.isolation_level = None
        self.numbers: dict[str, int] = {}
        self.options: Doc = {}
        self.reload()

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    def reload(self) -> None:
        """Read ids and options again: another process may have written the file."""
        rows = dict(self.db.execute("SELECT name, value FROM facts"))
        self.numbers = {**_START, **json.loads(rows.get("numbers", "{}"))}
        self.options = json.loads(rows.get("options", "{}"))
        self._kept = dumps(self.numbers), dumps(self.options)
        if self.home:
            # One file may be served at several addresses, one after the other.
            self.options["url"] = self.home

    def keep(self) -> None:
        """Write ids and options where they changed."""
        now = dumps(self.numbers), dumps(self.options)
        for name, value, before in zip(("numbers", "options"), now, self._kept, strict=True):
            if value != before:
                self.db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))
        self._kept = now

    def number(self, kind: str = "posts") -> int:
        """Return an id never given before for its kind of thing."""
        found = self.numbers.get(kind, 0) + 1
        self.numbers[kind] = found
        return found

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep what is written within, or nothing of it after an error of the sandbox itself.

        Ids and options are read within: another process may have written the file before.
        """
        self.db.execute("BEGIN IMMEDIATE")
        try:
            self.reload()
            yield
            self.keep()
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    @contextmanager
    def busy_with(self, name: str) -> Iterator[Callable[[], bool]]:
        """Count who works on a thing; the value tells whether nobody else did meanwhile."""
        with self._door:
            before = self._busy.get(name, 0)
            self._busy[name] = before + 1
        seen = len(self.overlaps)

        def alone() -> bool:
            with self._door:
                if self._busy[name] > 1:
                    self.overlaps.append(name)
            return not before and name not in self.overlaps[seen:]

        try:
            yield alone
        finally:
            with self._door:
                self._busy[name] -= 1

    # ------------------------------------------------------------------------------------ time

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.options.get("timezone_string") or "UTC")

    @property
    def utc(self) -> ZoneInfo:
        """Universal time, where a zone is asked for."""
        return ZoneInfo("UTC")

    def now(self) -> str:
        """Return the time in UTC as MySQL keeps it, but with a T."""
        return _stamp(int(self.clock()))

    def local(self, gmt: str | None) -> str | None:
        """Return a UTC time in the site's zone."""
        if not gmt or not self.options.get("timezone_string"):
            return gmt
        time = datetime.fromisoformat(gmt).replace(tzinfo=UTC).astimezone(self.zone)
        return time.strftime("%Y-%m-%dT%H:%M:%S")

    # ------------------------------------------------------------------------------------ rows

    def one(self, sql: str, *values: Any) -> Any:
        """Return the first column of the first row, None without a row."""
        with closing(self.db.execute(sql, values)) as rows:
            row = rows.fetchone()
        return row[0] if row else None

    def post(self, kind: str, post_id: Any) -> Doc | None:
        """Return a post by id, None if there is none of that kind ("a|b" is either)."""
        if not isinstance(post_id, int):
            return None
        row = self.db.execute("SELECT * FROM posts WHERE id = ?", (post_id,)).fetchone()
        if row is None or row[1] not in kind.split("|"):
            return None
        return unpacked(row)

    def posts(self, where: str, *values: Any) -> list[Doc]:
        """Return the posts that SQL names, "kind = ? ORDER BY id" say."""
        return [
            unpacked(row) for row in self.db.execute(f"SELECT * FROM posts WHERE {where}", values)
        ]

    def save_post(self, post: Doc) -> None:
        """Keep a post; `_id`, `_kind` and the other columns stand beside its fields."""
        doc = {name: value for name, value in post.items() if name not in _COLUMN_NAMES}
        self.db.execute(
            "INSERT OR REPLACE INTO posts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                post["id"], post["kind"], post["parent_id"], post["status"], post["slug"],
                post["name"], post["sku"], post["global_unique_id"],
                post["created"], post["created_gmt"], post["modified"], post["modified_gmt"],
                dumps(doc),
            ),
        )  # fmt: skip

    def touch(self, post: Doc) -> None:
        """Set a post's time of change to now."""
        post["modified_gmt"] = self.now()
        post["modified"] = self.local(post["modified_gmt"])

    def new_post(self, kind: str, **fields: Any) -> Doc:
        """Return a post with an id of its own, not yet kept."""
        now = self.now()
        local = self.local(now)
        return {
            "id": self.number(), "kind": kind, "parent_id": 0, "status": "publish", "slug": "",
            "name": "", "sku": "", "global_unique_id": "", "created": local, "created_gmt": now,
            "modified": local, "modified_gmt": now, **fields,
        }  # fmt: skip

    def drop_post(self, post_id: int) -> None:
        """Remove a post and its links to terms."""
        self.db.execute("DELETE FROM posts WHERE id = ?", (post_id,))
        self.db.execute("DELETE FROM links WHERE post = ?", (post_id,))

    def thing(self, kind: str, thing_id: int) -> Doc | None:
        """Return a smaller thing: a user, a comment, a webhook, a tax rate."""
        found = self.one("SELECT doc FROM things WHERE kind = ? AND id = ?", kind, thing_id)
        return json.loads(found) if found else None

    def things(self, kind: str, parent: int | None = None) -> list[Doc]:
        """Return all things of a kind by id, or those of one parent."""
        sql = "SELECT doc FROM things WHERE kind = ? AND (? IS NULL OR parent = ?) ORDER BY id"
        return [json.loads(doc) for (doc,) in self.db.execute(sql, (kind, parent, parent))]

    def save_thing(self, kind: str, doc: Doc, *, key: str = "", parent: int = 0) -> None:
        """Keep a thing under its id; `key` is what it is looked up by."""
        values = (kind, doc["id"], parent, key, dumps(doc))
        self.db.execute("INSERT OR REPLACE INTO things VALUES (?, ?, ?, ?, ?)", values)

    def drop_thing(self, kind: str, thing_id: int) -> None:
        """Remove a thing."""
        self.db.execute("DELETE FROM things WHERE kind = ? AND id = ?", (kind, thing_id))


_COLUMNS = (
    "id", "kind", "parent_id", "status", "slug", "name", "sku", "global_unique_id", "created",
    "created_gmt", "modified", "modified_gmt",
)  # fmt: skip
_COLUMN_NAMES = frozenset(_COLUMNS)


def unpacked(row: tuple[Any, ...]) -> Doc:
    """Return a post as one flat record of its columns and its fields."""
    doc: Doc = json.loads(row[12])
    doc.update(zip(_COLUMNS, row[:12], strict=True))
    return doc


@lru_cache
def _stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def dumps(value: Any) -> str:
    """Return compact JSON."""
    return _encode(value)
