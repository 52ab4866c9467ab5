"""Category paths of a file ("Clothing > Shirts"), and the collections that they stand for.

A path is found in the store by all of its names, so that two branches may end in the same one.
Where it is missing, it is made from the root down: the handle is the last name's slug, with the
names above it where that is taken. For a store whose collections are no tree, and without one, the
handle is made of the whole path, which is the same in every file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from itertools import chain, count

from storebridge.models import Collection, slug

__all__ = ["CategoryPath", "Paths", "folded", "path_of"]

CategoryPath = tuple[str, ...]

_STEP = re.compile(r"^\s*>\s|\s>\s")


def path_of(text: str) -> CategoryPath:
    """Return the names of a path ("Clothing > Shirts", "> Clothing"), () for a handle."""
    if not _STEP.search(text):
        return ()
    return tuple(name for part in re.split(r"(?:^|\s)>(?:\s|$)", text) if (name := part.strip()))


def folded(path: CategoryPath) -> CategoryPath:
    """Return a path as it is compared: without case, runs of spaces and HTML's entities."""
    return tuple(" ".join(unescape(name).casefold().split()) for name in path)


class Paths:
    """The paths that a file names, and the handle of each one's collection."""

    def __init__(self, known: Mapping[CategoryPath, str] | None = None) -> None:
        """Start with what the store has: handles by folded path; None if it has no tree."""
        self._known = known
        self._handles: dict[CategoryPath, str] = {}
        self._taken: set[str] | None = None
        self._fresh: list[Collection] = []

    def find(self, path: CategoryPath) -> str:
        """Return the handle of a path that the store or the file has, "" if there is none."""
        name = folded(path)
        known = self._known.get(name, "") if self._known is not None else ""
        return known or self._handles.get(name, "")

    def handle(self, path: CategoryPath) -> str:
        """Return the handle of a path's collection; a missing one, and those above it, are made."""
        if found := self.find(path):
            return found
        parent = self.handle(path[:-1]) if len(path) > 1 else ""
        handle = self._free(path)
        self._handles[folded(path)] = handle
        fields = {"handle": handle, "title": path[-1]} | ({"parent": parent} if parent else {})
        self._fresh.append(Collection.model_validate(fields))
        return handle

    def fresh(self) -> Iterator[Collection]:
        """Yield the collections that were made since the last time, parents first."""
        made, self._fresh = self._fresh, []
        return iter(made)

    def _free(self, path: CategoryPath) -> str:
        if self._taken is None:
            self._taken = set(self._known.values()) if self._known is not None else set()
        first = 1 if self._known is not None else len(path)
        names = (_slugs(path, depth) for depth in range(first, len(path) + 1))
        numbered = (f"{_slugs(path, len(path))}-{number}" for number in count(2))
        handle = next(name for name in chain(names, numbered) if name not in self._taken)
        self._taken.add(handle)
        return handle


def _slugs(path: CategoryPath, depth: int) -> str:
    return "-".join(slug(name) or "category" for name in path[-depth:])
