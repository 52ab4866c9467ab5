"""Which keys a file uses more than once, found on disk so that memory stays flat."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple, Self

from storebridge.models import Record

__all__ = ["FileKeys", "Names", "Repeat"]


class Repeat(NamedTuple):
    """A key of several records: the row that uses it again, and the first one."""

    key: str
    row: int
    first_row: int


class FileKeys:
    """The keys of a file's records ("product", "sku:A-1") with their rows, on disk."""

    def __init__(self) -> None:
        # An empty name is SQLite's private database in a temporary file that goes with it.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("BEGIN")
        self._database.execute("CREATE TABLE used (kind, key, owner INTEGER, row INTEGER)")
        self._rows: list[tuple[str, str, int, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()

    def add(self, kind: str, key: str, owner: int, row: int) -> None:
        """Note that the record which starts at row `owner` uses a key at `row`."""
        self._rows.append((kind, key, owner, row))
        if len(self._rows) >= 4096:
            self._flush()

    def add_record(self, record: Record, row: int) -> None:
        """Note all keys of a record that starts at a row."""
        names = record.keys()  # not a mapping's: what a record can be found by
        for key in names:
            self.add(record.kind, key, row, row)

    def repeats(self) -> Iterator[Repeat]:
        """Yield each use of a key by another record than the first, in the order of rows."""
        self._flush()
        yield from map(
            Repeat._make,
            self._database.execute(
                "SELECT key, min(used.row), first.row FROM used JOIN (SELECT kind, key, "
                "min(owner) AS owner, min(row) AS row FROM used GROUP BY kind, key "
                "HAVING min(owner) < max(owner)) AS first USING (kind, key) "
                "WHERE used.owner > first.owner GROUP BY kind, key, used.owner ORDER BY 2"
            ),
        )

    def _flush(self) -> None:
        self._database.executemany("INSERT INTO used VALUES (?, ?, ?, ?)", self._rows)
        self._rows.clear()


class Names:
    """Names that are taken, on disk; makes new ones that aren't."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("BEGIN")
        self._database.execute("CREATE TABLE taken (name TEXT PRIMARY KEY) WITHOUT ROWID")

    def close(self) -> None:
        """Forget all names."""
        self._database.close()

    def take(self, name: str) -> bool:
        """Take a name; return whether it was free."""
        done = self._database.execute("INSERT OR IGNORE INTO taken VALUES (?)", (name,))
        return done.rowcount == 1

    def make(self, name: str) -> str:
        """Return and take a free name: this one, or the first free one with a number."""
        number, free = 1, name
        while not self.take(free):
            number += 1
            free = f"{name}-{number}"
        return free
