"""The spool: a whole source on disk, with indexes of its keys, so that memory stays flat.

The first pass of a plan reads and checks the source into it, so that every problem is shown at
once; the second goes through it in chunks. It is a temporary database and dies with its owner.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

__all__ = ["DOUBT", "Emptied", "Spool", "Spooled"]

#: In place of `bare`: the record may mean the live one, and is left out because that isn't clear.
DOUBT = 2

#: A larger cache grows with the store until it is full, and a sort takes as much again; it made
#: nothing faster.
_TABLES = """
PRAGMA journal_mode=OFF;
PRAGMA synchronous=OFF;
PRAGMA cache_size=-2000;
CREATE TABLE source (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, origin INTEGER, label TEXT NOT NULL,
    key TEXT NOT NULL, plain INTEGER NOT NULL, has_status INTEGER NOT NULL,
    bare INTEGER NOT NULL, gone INTEGER NOT NULL, expects TEXT NOT NULL, body TEXT NOT NULL
);
CREATE TABLE keys (kind TEXT NOT NULL, name TEXT NOT NULL, seq INTEGER NOT NULL);
CREATE TABLE live (id TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE live_keys (kind TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL);
CREATE TABLE matched (kind TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL,
    bare INTEGER NOT NULL, PRIMARY KEY (kind, id, seq)) WITHOUT ROWID;
CREATE TABLE emptied (id TEXT PRIMARY KEY, origin INTEGER, label TEXT NOT NULL,
    text TEXT NOT NULL, gone INTEGER NOT NULL, stocked INTEGER NOT NULL, lost INTEGER NOT NULL);
"""


class Spooled(NamedTuple):
    """A source record, with what can be said of it before it is compared."""

    seq: int
    kind: str
    origin: int | None
    label: str
    key: str
    """The key by which it is found again once it is created."""
    plain: int
    """Whether creating it is one change with the body as it stands."""
    has_status: int
    bare: int
    """Whether it only changes variants that exist."""
    gone: int
    """Whether the source says that it is to be deleted."""
    expects: str
    """"new", "existing" or "ignored" where the source says so, else ""."""
    body: str


class Emptied(NamedTuple):
    """What a change takes from a product: whether it is gone, or how many variants' stock."""

    id: str
    origin: int | None
    label: str
    text: str
    gone: int
    stocked: int
    """How many of its variants have stock before the plan."""
    lost: int
    """How many variants lose theirs, less those that get some."""


class Spool:
    """A temporary database of source records, live records and who matched whom."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Hold an open database; use `temporary`."""
        self._db = db
        self._matched: list[tuple[str, str, int, int]] = []
        self._bare_only: dict[str, bool] = {}

    @classmethod
    @contextmanager
    def temporary(cls, folder: Path) -> Iterator[Spool]:
        """Give a spool in a folder, and remove it in the end."""
        with tempfile.TemporaryDirectory(prefix=".storebridge-", dir=folder) as home:
            db = sqlite3.connect(Path(home) / "spool.db", isolation_level=None)
            db.executescript(_TABLES)
            try:
                yield cls(db)
            finally:
                db.close()

    def add(self, rows: Iterable[tuple[Spooled, Sequence[str]]]) -> None:
        """Add source records with their keys."""
        chunk = list(rows)
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO source VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (row for row, _ in chunk)
        )
        self._db.executemany(
            "INSERT INTO keys VALUES (?, ?, ?)",
            ((row.kind, name, row.seq) for row, names in chunk for name in names),
        )
        self._db.execute("COMMIT")

    def index(self) -> None:
        """Build the key index, once the source is in."""
        self._db.execute("CREATE INDEX keys_by_name ON keys (kind, name, seq)")
        self._db.execute("CREATE INDEX keys_by_seq ON keys (seq)")
        self._db.execute("CREATE INDEX source_by_kind ON source (kind, seq)")

    def doubles(self) -> Iterator[tuple[str, str, str, int | None, int | None]]:
        """Yield keys that two source records share: kind, key, label, both origins."""
        yield from self._db.execute(
            "SELECT k.kind, k.name, b.label, a.origin, b.origin FROM "
            "(SELECT kind, name, MIN(seq) AS first, MAX(seq) AS last FROM keys "
            " GROUP BY kind, name HAVING first != last) k "
            "JOIN source a ON a.seq = k.first JOIN source b ON b.seq = k.last ORDER BY b.seq"
        )

    def kinds(self) -> list[str]:
        """Return the kinds of record in the source."""
        return [row[0] for row in self._db.execute("SELECT DISTINCT kind FROM source")]

    def count(self, kind: str) -> int:
        """Return how many source records of a kind there are."""
        row = self._db.execute("SELECT COUNT(*) FROM source WHERE kind = ?", (kind,)).fetchone()
        return int(row[0])

    def chunks(self, kind: str, size: int) -> Iterator[list[tuple[Spooled, list[str]]]]:
        """Yield a kind's source records with their keys, so many at a time, in order.

        A large feed comes in the order of its SKUs: those of one product are mostly alike, and it
        is looked up fewer times.
        """
        feed = self._has_only_bare(kind) and self.count(kind) > size
        order = "key, seq" if feed else "seq"
        found = self._db.execute(f"SELECT * FROM source WHERE kind = ? ORDER BY {order}", (kind,))
        while rows := found.fetchmany(size):
            names: dict[int, list[str]] = {row[0]: [] for row in rows}
            for seq, name in self._db.execute(
                "SELECT seq, name FROM keys WHERE seq IN (SELECT value FROM json_each(?)) "
                "ORDER BY rowid",
                (json.dumps(list(names)),),
            ):
                names[seq].append(name)
            yield [(Spooled._make(row), names[row[0]]) for row in rows]

    def key_of(self, kind: str, name: str) -> str:
        """Return the key of the source record that has a name; "" if none does."""
        row = self._db.execute(
            "SELECT s.key FROM keys k JOIN source s ON s.seq = k.seq "
            "WHERE k.kind = ? AND k.name = ? AND NOT s.bare AND NOT s.gone LIMIT 1",
            (kind, name),
        ).fetchone()
        return row[0] if row else ""

    def bodies(self, kind: str, name: str) -> list[str]:
        """Return the JSON of the source records that have a name and aren't to be deleted."""
        rows = self._db.execute(
            "SELECT s.body FROM keys k JOIN source s ON s.seq = k.seq "
            "WHERE k.kind = ? AND k.name = ? AND NOT s.gone",
            (kind, name),
        )
        return [body for (body,) in rows]

    def match(self, kind: str, pairs: Iterable[tuple[str, int, int]]) -> None:
        """Note which live record each source record hit: live id, seq, bare (or `DOUBT`)."""
        self._matched += ((kind, live, seq, bare) for live, seq, bare in pairs)
        if len(self._matched) >= 1000:
            self._write_matched()

    def _write_matched(self) -> None:
        if self._matched:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR IGNORE INTO matched VALUES (?, ?, ?, ?)", self._matched)
            self._db.execute("COMMIT")
            self._matched = []

    def _has_only_bare(self, kind: str) -> bool:
        """Return whether all source records of a kind only change variants; asked once."""
        if kind not in self._bare_only:
            query = "SELECT 1 FROM source WHERE kind = ? AND NOT bare LIMIT 1"
            self._bare_only[kind] = self._db.execute(query, (kind,)).fetchone() is None
        return self._bare_only[kind]

    def rivals(self, kind: str, live: str, seq: int, bare: int) -> list[str]:
        """Return the labels of earlier source records that hit the same live record.

        Two records that only change variants may share a product; any others may not.
        """
        if bare and self._has_only_bare(kind):
            return []
        self._write_matched()
        rows = self._db.execute(
            "SELECT s.label FROM matched m JOIN source s ON s.seq = m.seq "
            "WHERE m.kind = ? AND m.id = ? AND m.seq < ? AND m.bare != ? AND NOT (m.bare AND ?)",
            (kind, live, seq, DOUBT, bare),
        )
        return [row[0] for row in rows]

    def is_matched(self, kind: str, live: str) -> bool:
        """Return whether any source record means, or may mean, this live record."""
        self._write_matched()
        query = "SELECT 1 FROM matched WHERE kind = ? AND id = ? LIMIT 1"
        return self._db.execute(query, (kind, live)).fetchone() is not None

    def add_emptied(self, rows: Sequence[Emptied]) -> None:
        """Add what changes take from products; several changes of one product add up."""
        if not rows:
            return
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO emptied VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
            "text = CASE WHEN excluded.gone THEN excluded.text ELSE text END, "
            "gone = gone OR excluded.gone, stocked = MAX(stocked, excluded.stocked), "
            "lost = lost + excluded.lost",
            rows,
        )
        self._db.execute("COMMIT")

    def emptied(self, most: int) -> tuple[int, list[Emptied]]:
        """Return how many products are gone or lose all of their stock, and the first of them."""
        which = "FROM emptied WHERE gone OR lost >= stocked"
        count = self._db.execute(f"SELECT COUNT(*) {which}").fetchone()[0]
        first = self._db.execute(f"SELECT * {which} ORDER BY rowid LIMIT ?", (most,))
        return count, list(map(Emptied._make, first))

    def add_live(self, kind: str, rows: Iterable[tuple[str, str, Sequence[str]]]) -> None:
        """Add live records of a whole read: id, JSON, keys."""
        chunk = list(rows)
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT OR REPLACE INTO live VALUES (?, ?, ?)",
            ((i, kind, body) for i, body, _ in chunk),
        )
        self._db.executemany(
            "INSERT INTO live_keys VALUES (?, ?, ?)",
            ((kind, name, i) for i, _, names in chunk for name in names),
        )
        self._db.execute("COMMIT")

    def index_live(self) -> None:
        """Build the index of live keys, once a kind is read whole."""
        query = "CREATE INDEX IF NOT EXISTS live_by_name ON live_keys (kind, name, id)"
        self._db.execute(query)

    def find_live(self, kind: str, names: Sequence[str]) -> list[str]:
        """Return the JSON of live records that have any of these keys."""
        found: dict[str, str] = {}
        for start in range(0, len(names), 500):
            part = names[start : start + 500]
            marks = ",".join("?" * len(part))
            found.update(
                self._db.execute(
                    "SELECT l.id, l.body FROM live_keys k JOIN live l ON l.kind = k.kind "
                    f"AND l.id = k.id WHERE k.kind = ? AND k.name IN ({marks})",
                    (kind, *part),
                )
            )
        return list(found.values())
