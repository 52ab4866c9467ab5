"""Which live record a desired one means: every key that hits must hit the same one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from storebridge.compare.names import names_of
from storebridge.models import Record

__all__ = ["Doubt", "Index", "Match", "fold", "match"]


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a record can't be matched safely."""

    cause: str
    message: str
    remedy: str
    may_be: tuple[str, ...] = ()
    """The ids of the live records that it may mean."""


@dataclass(frozen=True, slots=True)
class Match:
    """The live record that a desired one means; None where it has to be created."""

    live: Record | None


class Index:
    """Live records by exact name, and by name without regard to case and spaces."""

    def __init__(self, records: Iterable[Record]) -> None:
        """Index the records of one chunk."""
        self.exact: dict[str, set[str]] = {}
        for record in records:
            for name in names_of(record):
                self.exact.setdefault(name, set()).add(record.id)

    @cached_property
    def folded(self) -> dict[str, str]:
        """The first exact name by its folded form; made when one isn't found exactly."""
        found: dict[str, str] = {}
        for name in self.exact:
            found.setdefault(fold(name), name)
        return found


def match(
    label: str,
    handle: str,
    names: Iterable[str],
    index: Index,
    live: Mapping[str, Record],
    allow_rename: bool,
) -> Match | Doubt:
    """Return which live record the names mean.

    Refused: names that hit different records, one name on several, a name that differs only in
    case or spaces, and a match by SKU alone that would give the record another handle.
    """
    hits: dict[str, list[str]] = {}
    for name in names:
        for found in index.exact.get(name, ()):
            hits.setdefault(found, []).append(name)
    if len(hits) > 1:
        parts = [f"{' and '.join(n)} hit {live[i].label!r} (id {i})" for i, n in hits.items()]
        return Doubt(
            "ambiguous",
            f"{label!r} means more than one record: {'; '.join(parts)}",
            "Give the keys of one record only, or correct the other one first.",
            tuple(hits),
        )
    if not hits:
        return _near(label, names, index)
    ((found, hit),) = hits.items()
    record = live[found]
    current = getattr(record, "handle", "")
    renames = handle and handle != current and all(name.startswith("sku:") for name in hit)
    if renames and not allow_rename:
        return Doubt(
            "rename",
            f"{label!r} matches {current!r} (id {found}) by {hit[0]} alone",
            "Allow the new handle with --allow-rename, or correct the handle or the SKU.",
            (found,),
        )
    return Match(record)


def _near(label: str, names: Iterable[str], index: Index) -> Match | Doubt:
    for name in names:
        near = index.folded.get(fold(name))
        if near is not None:
            return Doubt(
                "ambiguous",
                f"{label!r}: {name!r} differs from the store's {near!r} only in case or spaces",
                "Write the key as the store has it.",
                tuple(index.exact[near]),
            )
    return Match(None)


def fold(name: str) -> str:
    """Return a name without regard to case and spaces."""
    return "".join(name.casefold().split())
