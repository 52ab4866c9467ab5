"""The rows of one file, on disk until each product has its variations; and category handles."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from storebridge.formats.paths import CategoryPath, folded
from storebridge.models import Collection, slug

__all__ = ["Rows", "above", "handles_of"]


class Rows:
    """The rows of a file, on disk until each product has all of its variations."""

    def __init__(self) -> None:
        self.paths: dict[CategoryPath, None] = {}
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("BEGIN")
        self._database.execute(
            "CREATE TABLE rows (row INTEGER PRIMARY KEY, type, sku, id, parent, cells)"
        )

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def add(self, row: int, kind: str, sku: str, id: str, parent: str, cells: list[str]) -> None:
        """Keep a row."""
        self._database.execute(
            "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)",
            (row, kind, sku, id, parent, json.dumps(cells)),
        )

    def products(self) -> Iterator[tuple[int, list[str], list[tuple[int, list[str]]]]]:
        """Yield each product's row and cells, and those of its variations."""
        self._database.execute("CREATE INDEX by_parent ON rows (parent) WHERE type = 'variation'")
        for row, kind, sku, id, cells in self._database.execute(
            "SELECT row, type, sku, id, cells FROM rows WHERE type <> 'variation' ORDER BY row"
        ):
            children = self._children(sku, id) if kind == "variable" else []
            yield row, json.loads(cells), children

    def orphans(self) -> Iterator[tuple[int, str]]:
        """Yield row and parent of the variations whose parent isn't in the file."""
        yield from self._database.execute(
            "SELECT row, parent FROM rows WHERE type = 'variation' AND parent NOT IN ("
            "SELECT sku FROM rows WHERE type = 'variable' AND sku <> '' UNION "
            "SELECT 'id:' || id FROM rows WHERE type = 'variable' AND id <> '') ORDER BY row"
        )

    def _children(self, sku: str, id: str) -> list[tuple[int, list[str]]]:
        names = [name for name in (sku, f"id:{id}" if id else "") if name]
        marks = ", ".join("?" * len(names))
        found = self._database.execute(
            "SELECT row, cells FROM rows WHERE type = 'variation' "
            f"AND parent IN ({marks}) ORDER BY row",
            names,
        )
        return [(row, json.loads(cells)) for row, cells in found]


def handles_of(
    named: Iterable[CategoryPath], known: Mapping[CategoryPath, str] | None = None
) -> dict[CategoryPath, str]:
    """Return a handle for each category path and each path above it.

    The handle is the slug of the last name, led by the names above it where others of the file
    have the same slug, and a number where even that doesn't tell them apart. A path that the store
    has (`known`, by folded path) keeps its handle, and no other gets it.
    """
    every = dict.fromkeys(path[:n] for path in named for n in range(1, len(path) + 1))
    handles: dict[CategoryPath, str] = {}
    known = (known or {}) if every else {}
    taken = set(known.values())
    by_slug: dict[str, list[CategoryPath]] = defaultdict(list)
    for path in every:
        by_slug[_slugs(path, 1)].append(path)
    for path in every:
        if found := known.get(folded(path)):
            handles[path] = found
            continue
        rivals, depth = by_slug[_slugs(path, 1)], 1
        while (
            depth < len(path) and sum(_slugs(p, depth) == _slugs(path, depth) for p in rivals) > 1
        ):
            depth += 1
        while depth < len(path) and _slugs(path, depth) in taken:
            depth += 1
        handle, number = _slugs(path, depth), 1
        while handle in taken:
            number += 1
            handle = f"{_slugs(path, depth)}-{number}"
        taken.add(handle)
        handles[path] = handle
    return handles


def _slugs(path: CategoryPath, depth: int) -> str:
    return "-".join(slug(name) or "category" for name in path[-depth:])


def above(
    named: list[CategoryPath], handles: dict[CategoryPath, str], yielded: set[CategoryPath]
) -> Iterator[Collection]:
    """Yield the collections of some paths from the root down, each once."""
    for path in (whole[:n] for whole in named for n in range(1, len(whole) + 1)):
        if path in yielded:
            continue
        yielded.add(path)
        fields = {"handle": handles[path], "title": path[-1]}
        if len(path) > 1:
            fields["parent"] = handles[path[:-1]]
        yield Collection.model_validate(fields)
