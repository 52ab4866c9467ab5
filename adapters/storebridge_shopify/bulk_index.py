"""The results of bulk queries on disk: an index over the lines, and objects joined from them.

Each object is a line, children apart from their parents and anywhere in the file; a child names
its parent by `__parentId`. An index of where each line lies keeps memory the same however many
there are. What doesn't add up with the counts of the job is an error: a short list would pass for
deleted records.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from storebridge.errors import BadAnswer
from storebridge.wire import loads
from storebridge_shopify.graphql import Doc

__all__ = ["build", "roots"]

_SCHEMA = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
CREATE TABLE roots (number INTEGER PRIMARY KEY, id TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE children (parent TEXT NOT NULL, at INTEGER NOT NULL, id TEXT NOT NULL);
"""
_INDEXES = """
CREATE INDEX children_parent ON children (parent, at);
CREATE INDEX children_id ON children (id);
CREATE INDEX roots_id ON roots (id);
"""
_ORPHANS = """
SELECT parent FROM children AS child
WHERE NOT EXISTS (SELECT 1 FROM children WHERE id = child.parent)
AND NOT EXISTS (SELECT 1 FROM roots WHERE id = child.parent) LIMIT 1
"""


def build(file: Path, lines: int, count: int) -> Path:
    """Make the index of a file, and return where it is.

    Args:
        file: the results of a query.
        lines: how many there must be (`objectCount`).
        count: how many of them are no children (`rootObjectCount`).

    Raises:
        BadAnswer: if the file has other lines than those, or a child without its parent.
    """
    index = file.with_suffix(".index")
    index.unlink(missing_ok=True)
    with closing(sqlite3.connect(index)) as db, file.open("rb") as source:
        db.executescript(_SCHEMA)
        try:
            with db:
                for line, (parent, at, row_id) in enumerate(_rows(source), 1):
                    if parent:
                        db.execute("INSERT INTO children VALUES (?, ?, ?)", (parent, at, row_id))
                    else:
                        number = row_id.rpartition("/")[2]
                        if not number.isdecimal():
                            error = BadAnswer("a record in a bulk job's file has no id")
                            raise error.at(f"line {line}: id")
                        db.execute("INSERT INTO roots VALUES (?, ?, ?)", (number, row_id, at))
        except sqlite3.IntegrityError:
            raise BadAnswer("a bulk job gave the same object twice") from None
        db.executescript(_INDEXES)
        (found,) = db.execute("SELECT count(*) FROM roots").fetchone()
        (below,) = db.execute("SELECT count(*) FROM children").fetchone()
        if (found, found + below) != (count, lines):
            raise BadAnswer(
                f"a bulk job's file has {found + below} lines and {found} records, the job "
                f"counted {lines} and {count}"
            )
        if lost := db.execute(_ORPHANS).fetchone():
            raise BadAnswer(f"a bulk job's file lacks {lost[0]}, to which other lines belong")
    return index


def _rows(source: BinaryIO) -> Iterator[tuple[str, int, str]]:
    """Yield the parent of each line, where it lies, and the id that it has."""
    at = 0
    for raw in source:
        doc = loads(raw)
        if not isinstance(doc, dict):
            raise BadAnswer("a line of a bulk job's file is no object")
        yield str(doc.get("__parentId") or ""), at, str(doc.get("id") or "")
        at += len(raw)


def roots(files: Sequence[Path], after: int, size: int) -> tuple[list[Doc], int]:
    """Return whole records after a number, and the number of the last one; 0 at the end.

    A record has the children of all files under "children", each with those of its own; it has
    to be in each file, or it went away between two of them.
    """
    with closing(_Reader(files)) as reader:
        return reader.page(after, size)


class _Reader:
    """Files with their indexes, open for one page."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._parts: list[tuple[sqlite3.Connection, BinaryIO]] = []
        for file in files:
            index = sqlite3.connect(file.with_suffix(".index"))
            self._parts.append((index, file.open("rb")))

    def close(self) -> None:
        for index, source in self._parts:
            index.close()
            source.close()

    def page(self, after: int, size: int) -> tuple[list[Doc], int]:
        index, _ = self._parts[0]
        sql = "SELECT number FROM roots WHERE number > ? ORDER BY number LIMIT ?"
        numbers = [number for (number,) in index.execute(sql, (after, size + 1))]
        docs = [doc for number in numbers[:size] if (doc := self._record(number)) is not None]
        return docs, numbers[size - 1] if len(numbers) > size else 0

    def _record(self, number: int) -> Doc | None:
        found: dict[str, Any] = {"children": []}
        for index, source in self._parts:
            row = index.execute("SELECT at FROM roots WHERE number = ?", (number,)).fetchone()
            if row is None:
                return None
            doc = self._whole(index, source, row[0])
            found = {**doc, **found, "children": found["children"] + doc["children"]}
        return found

    def _whole(self, index: sqlite3.Connection, source: BinaryIO, at: int) -> dict[str, Any]:
        source.seek(at)
        doc: dict[str, Any] = json.loads(
            source.readline(),
            parse_float=Decimal,  # what the index has read strictly
        )
        doc["children"] = [
            self._whole(index, source, place)
            for (place,) in index.execute(
                "SELECT at FROM children WHERE parent = ? ORDER BY at", (str(doc.get("id")),)
            ).fetchall()
        ]
        return doc
