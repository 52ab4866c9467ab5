"""What changes say of other records: which these are, and by which of their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from storebridge.compare import composed, keyed, names_of, references, reworded, unlike
from storebridge.models import Record
from storebridge.plan.chunks import chunks
from storebridge.plan.file import PlanFile
from storebridge.plan.needs import naming
from storebridge.plan.spool import Spool

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = ["Named", "References", "singles"]

R = TypeVar("R", bound=Record)


class Named:
    """The records of a store that others refer to, by all their names."""

    def __init__(self, store: Store) -> None:
        """Know none of them yet."""
        self._store = store
        self._found: dict[str, tuple[str, ...]] = {}

    def forget(self) -> None:
        """Know none of them any more; the next chunk refers to others."""
        self._found.clear()

    def learn(self, desired: Iterable[Record]) -> None:
        """Read together what records refer to by keys that live ones seldom show."""
        wanted: dict[str, set[str]] = {}
        for kind, name in chain.from_iterable(map(keyed, desired)):
            if not name.startswith("handle:"):
                wanted.setdefault(kind, set()).add(name)
        for kind, names in wanted.items():
            self.find(kind, names)

    def find(self, kind: str, names: Iterable[str]) -> None:
        """Read those records of a kind that aren't known by these names yet."""
        unknown = sorted(name for name in names if f"{kind} {name}" not in self._found)
        if not unknown or not self._store.supports(kind):
            return
        records = self._store.adapter.records(kind)
        self._found |= {f"{kind} {name}": () for name in unknown}
        for chunk in chunks(unknown, records.fetch_size):
            fields = naming(records.model, chunk)
            for record in self._store.engine.run(records.fetch(chunk, fields)):
                all_names = names_of(record)
                asked = (name for name in chunk if composed(name) in all_names)
                self._found |= {f"{kind} {name}": all_names for name in (*all_names, *asked)}

    def id(self, kind: str, name: str) -> str:
        """Return the platform id of one that was looked for, "" if the store has none."""
        names = self._found.get(f"{kind} {name}", ())
        return next((each[3:] for each in names if each.startswith("id:")), "")

    def reworded(self, desired: R, live: Record | None) -> R:
        """Return a record that names others as the live one does, else by their best key."""
        others = unlike(desired, live)
        for kind in {kind for kind, _ in others}:
            self.find(kind, (name for each, name in others if each == kind))
        return reworded(desired, live, self._found) if others else desired


class References:
    """Finds what the changes of a plan refer to, in the store or in the plan itself."""

    def __init__(self, store: Store, file: PlanFile, spool: Spool) -> None:
        """Start with nothing referred to."""
        self._store, self._file, self._spool = store, file, spool
        self._wanted: dict[str, set[str]] = {}
        self.named = Named(store)
        """What the store has of what the last chunk refers to."""
        self.nowhere: dict[str, None] = {}
        """What neither the store nor the source has ("product 'tee'")."""

    def add(self, piece: Record) -> None:
        """Note the records that a piece of a change refers to."""
        for kind, name in references(piece):
            self._wanted.setdefault(kind, set()).add(name)

    def resolve(self) -> None:
        """Keep the ids of what the last chunk refers to: in the store, or made by this plan."""
        for kind, names in self._wanted.items():
            unknown = [name for name in sorted(names) if self._file.ref(f"{kind} {name}") is None]
            if unknown and self._store.supports(kind):
                self._keep(kind, unknown)
        self._wanted = {}
        self.named.forget()

    def _keep(self, kind: str, names: Sequence[str]) -> None:
        self.named.find(kind, names)
        found = {name: self.named.id(kind, name) or self._made(kind, name) for name in names}
        self._file.add_refs((f"{kind} {name}", target) for name, target in found.items() if target)
        lost = (name for name, target in found.items() if not target)
        self.nowhere |= dict.fromkeys(f"{kind} {name.partition(':')[2]!r}" for name in lost)

    def _made(self, kind: str, name: str) -> str:
        """Return the key under which this plan makes a record, "" if it doesn't."""
        key = self._spool.key_of(kind, name)
        return f"={key}" if key else ""


def singles(desired: Record) -> set[str]:
    """Return the keys of what a record refers to by a field of one value (its parent)."""
    found = ((start, getattr(desired, name)) for name, (_, start) in desired.references.items())
    return {f"{start}{value}" for start, value in found if isinstance(value, str)}
