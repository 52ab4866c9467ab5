"""The collections of a store as sources name them: by path, and whether they fill themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from storebridge.adapter import Query
from storebridge.formats.paths import CategoryPath, folded
from storebridge.models import Collection, Product, Record

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = ["ByHand", "Tree", "tree_of"]

R = TypeVar("R", bound=Record)
_LISTS = ("products", "products_add", "products_remove")
_MEMBERSHIP = ("collections", "collections_add", "collections_remove")


class Tree(Mapping[CategoryPath, str]):
    """The handles of a store's collections by folded path; read once, when it is first asked."""

    def __init__(self, store: Store) -> None:
        """Name the store."""
        self._store = store

    def __getitem__(self, path: CategoryPath) -> str:
        return self._handles[path]

    def __iter__(self) -> Iterator[CategoryPath]:
        return iter(self._handles)

    def __len__(self) -> int:
        return len(self._handles)

    @cached_property
    def _handles(self) -> dict[CategoryPath, str]:
        found = {each.handle: each for each in _collections(self._store, "title", "parent")}
        return {folded(_path(each, found)): handle for handle, each in reversed(found.items())}


def tree_of(store: Store) -> Tree | None:
    """Return a store's collections by path, None where they are no tree."""
    if not store.supports(Collection.kind):
        return None
    fields = store.adapter.records(Collection.kind).fields
    return Tree(store) if "parent" in fields else None


class ByHand:
    """Knows which collections fill themselves, so that nobody sets their members."""

    def __init__(self, store: Store) -> None:
        """Name the store; it is asked when the first record gives a membership."""
        self._store = store
        self.sourced: set[str] = set()
        """The handles of the source's collections with rules."""

    def settled(self, desired: R, live: Record | None) -> tuple[R, list[str]]:
        """Return a record without memberships that nobody can set, and what was left out."""
        if isinstance(desired, Collection):
            rules = desired.rules if "rules" in desired.given else getattr(live, "rules", ())
            lists = [name for name in _LISTS if name in desired.given]
            if not rules or not lists:
                return desired, []
            return desired.without(*lists), [f"{desired.label} fills itself by its rules"]
        if not isinstance(desired, Product) or desired.given.isdisjoint(_MEMBERSHIP):
            return desired, []
        fields: dict[str, Any] = {}
        gone: dict[str, None] = {}
        for name in desired.given.intersection(_MEMBERSHIP):
            asked = getattr(desired, name)
            fields[name] = tuple(each for each in asked if not self._fills_itself(each))
            gone |= dict.fromkeys(each for each in asked if each not in fields[name])
        if not gone:
            return desired, []
        kept = desired.model_copy(update=fields)
        return kept, [f"the collection {handle!r} fills itself by its rules" for handle in gone]

    def _fills_itself(self, handle: str) -> bool:
        return handle in self.sourced or handle in self._live

    @cached_property
    def _live(self) -> frozenset[str]:
        if not self._store.supports(Collection.kind):
            return frozenset()
        if "rules" not in self._store.adapter.records(Collection.kind).fields:
            return frozenset()
        return frozenset(each.handle for each in _collections(self._store, "rules") if each.rules)


def _collections(store: Store, *fields: str) -> Iterator[Collection]:
    for page in store.items(Collection.kind).pages(Query(fields=frozenset({"handle", *fields}))):
        yield from page.records


def _path(collection: Collection, known: Mapping[str, Collection]) -> CategoryPath:
    """Return the names from the root down; a ring of parents ends where it began."""
    names: list[str] = []
    seen: set[str] = set()
    at: Collection | None = collection
    while at is not None and at.handle not in seen:
        names.append(at.title)
        seen.add(at.handle)
        at = known.get(at.parent) if at.parent else None
    return tuple(reversed(names))
