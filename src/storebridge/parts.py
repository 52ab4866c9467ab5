"""Which part of a record each given field is written in, and which fields have no place at all.

An adapter declares the fields of a kind by dotted path ("title", "variants.price"). A path is
declared if it, or a path above it, is; the nearest declaration counts. `tags+` and `tags-` count
as `tags`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, TypeVar

from storebridge.adapter import PARTS, Field
from storebridge.models import (
    InventoryLevel,
    MarketPrice,
    Media,
    Metafield,
    Model,
    Record,
    Translation,
    Variant,
)

__all__ = [
    "declared",
    "named_in",
    "path_names",
    "readable_names",
    "says",
    "split",
    "unsupported",
]

R = TypeVar("R", bound=Record)
M = TypeVar("M", bound=Model)

#: Fields that are no values of the shop's: how to find the record, and how to read its lists.
_ALONG = frozenset({"id", "modes"})

#: The fields that name a record or an element, and so go with each of its parts.
_NAMING: Mapping[type[Model], frozenset[str]] = {
    InventoryLevel: frozenset({"location"}),
    MarketPrice: frozenset({"market"}),
    Media: frozenset({"id", "url", "content_hash"}),
    Metafield: frozenset({"namespace", "key"}),
    Translation: frozenset({"locale", "market", "field"}),
    Variant: frozenset({"id", "sku", "options"}),
}
_RECORD_NAMING = frozenset({"id", "key", "handle", "modes"})


def split(record: R, fields: Mapping[str, Field]) -> dict[str, R]:
    """Return a record cut by part, in the order in which parts are written.

    Each cut has the given fields of its part and, besides, what names the record and its
    elements (`id`, `key`, `handle`; a variant's `id`, `sku`, `options`). Elements without a
    value of the part are left out, and so is what can't be written. A record that lies in one
    part whole is returned as the same object. Names alone, apart from `id`, are values too: drop
    those that the store already has before splitting.
    """
    tree = _tree(fields)
    shape = tree.shape(record)
    found = set(_parts(record, tree.root)) if shape is None else shape.parts
    if len(found) == 1 and None not in found:
        return {str(next(iter(found))): record}
    return {part: _cut(record, tree.root, part) for part in PARTS if part in found}


def unsupported(record: Record, fields: Mapping[str, Field]) -> list[str]:
    """Return the paths of given fields that no declaration covers, each once, in model order."""
    tree = _tree(fields)
    shape = tree.shape(record)
    found = _undeclared(record, tree.root, "") if shape is None else shape.undeclared
    return list(dict.fromkeys(found))


def says(record: Model, path: str) -> bool:
    """Return whether a record gives something at a path that isn't the field's natural empty.

    What can't be stored and says nothing is no loss: `gift_card: false` for a platform without any.
    """
    head, _, rest = path.partition(".")
    for name, word, value in _given(record):
        if word == head and rest:
            if any(says(element, rest) for element in _elements(value)):
                return True
        elif word == head:
            field = type(record).model_fields[name]
            if value != field.get_default(call_default_factory=True) and not _is_blank(value):
                return True
    return False


def _is_blank(value: Any) -> bool:
    """Return whether a value is an element that gives nothing but natural empties."""
    return isinstance(value, Model) and not any(says(value, name) for _, name, _ in _given(value))


def declared(path: str, fields: Mapping[str, Field]) -> Field | None:
    """Return the declaration that covers a path: its own or the nearest above it, else None."""
    while path:
        if (found := fields.get(path)) is not None:
            return found
        path = path.rpartition(".")[0]
    return None


def readable_names(fields: Mapping[str, Field]) -> frozenset[str]:
    """Return the fields of a record of which a platform can read anything."""
    return frozenset(path.partition(".")[0] for path, field in fields.items() if field.read)


def named_in(piece: R, part: str, fields: Mapping[str, Field]) -> R:
    """Return a part of a record that exists, without the names that the part doesn't write.

    The handle is written where it is declared, an external key too, and nowhere if it isn't.
    """
    handle, key = declared("handle", fields), declared("key", fields)
    away = [] if part == (handle.part if handle else "core") else ["handle"]
    away += [] if key is not None and key.write and part == key.part else ["key"]
    return piece.without(*away) if away and not piece.model_fields_set.isdisjoint(away) else piece


@cache
def path_names(model: type[Model]) -> Mapping[str, str]:
    """Return the name of each field in paths: `tags_add` counts as `tags`."""
    return {name: (info.alias or name).rstrip("+-") for name, info in model.model_fields.items()}


@dataclass(slots=True)
class _Node:
    """One step of the declared paths; `part` is None where nothing can be written."""

    part: str | None = None
    known: bool = False
    children: dict[str, _Node] = field(default_factory=dict)

    def child(self, name: str) -> _Node:
        """Return the node of a field: its own, else what this node's declaration covers."""
        return self.children.get(name) or (_Node(self.part, known=True) if self.known else _NONE)

    @property
    def home(self) -> str | None:
        """The part of the list or model itself, apart from what lies in it."""
        if self.part or self.known:
            return self.part
        homes = [child.home for child in self.children.values()]
        return next((part for part in PARTS if part in homes), None)


_NONE = _Node()


class _Shape(NamedTuple):
    """What holds for every record with the same given fields."""

    parts: frozenset[str | None]
    undeclared: tuple[str, ...]


@dataclass(slots=True)
class _Tree:
    """The declared paths of one kind, and the shapes of records that were seen."""

    fields: Mapping[str, Field]
    root: _Node
    shapes: dict[tuple[type[Record], frozenset[str]], _Shape | None] = field(default_factory=dict)

    def shape(self, record: Record) -> _Shape | None:
        """Return the shape of a record, None where its elements have to be looked at."""
        key = (type(record), frozenset(record.model_fields_set))
        if key not in self.shapes:
            if len(self.shapes) >= 1024:
                self.shapes.clear()
            self.shapes[key] = self._shape(record)
        return self.shapes[key]

    def _shape(self, record: Record) -> _Shape | None:
        names = [path for name, path, _ in _given(record) if name not in _ALONG]
        if any(self.root.child(name).children for name in names):
            return None
        return _Shape(
            frozenset(_parts(record, self.root)), tuple(_undeclared(record, self.root, ""))
        )


#: Trees by the identity of their declarations, which are kept here so that no id is used twice.
_TREES: dict[int, _Tree] = {}


def _tree(fields: Mapping[str, Field]) -> _Tree:
    known = _TREES.get(id(fields))
    if known is not None:
        return known
    if len(_TREES) >= 64:
        _TREES.clear()
    root = _Node()
    root.children["platform_fields"] = _Node("core", known=True)
    for path in sorted(fields):
        _place(root, path, fields[path])
    _prune(root)
    _TREES[id(fields)] = _Tree(fields, root)
    return _TREES[id(fields)]


def _place(node: _Node, path: str, declaration: Field) -> None:
    for name in path.split("."):
        node = node.children.setdefault(name, _Node(node.part, node.known))
    node.part, node.known = declaration.part if declaration.write else None, True


def _prune(node: _Node) -> None:
    """Drop what says nothing new, so that whole subtrees of a record need no look."""
    for name, child in list(node.children.items()):
        _prune(child)
        same = node.known and child.part == node.part and not child.children
        if name in _ALONG or same:
            del node.children[name]


def _elements(value: Any) -> tuple[Model, ...]:
    """Return the models that a field's value is made of; none for plain values."""
    if isinstance(value, Model):
        return (value,)
    if isinstance(value, tuple) and value and isinstance(value[0], Model):
        return value
    return ()


def _given(model: Model) -> Iterator[tuple[str, str, Any]]:
    """Yield name, name in paths and value of each given field, in model order."""
    given, values = model.model_fields_set, model.__dict__
    for name, path in path_names(type(model)).items():
        if name in given:
            yield name, path, values[name]


def _parts(model: Model, node: _Node) -> Iterator[str | None]:
    """Yield the part of every given value; None for one that can't be written."""
    for name, path, value in _given(model):
        if name in _ALONG:
            continue
        child = node.child(path)
        elements = _elements(value) if child.children else ()
        if not elements:
            yield child.home
        for element in elements:
            yield from _parts(element, child)


def _cut(model: M, node: _Node, part: str) -> M:
    naming = _NAMING.get(type(model), _RECORD_NAMING if isinstance(model, Record) else frozenset())
    kept: dict[str, Any] = {}
    for name, path, value in _given(model):
        child = node.child(path)
        if child.children and (elements := _elements(value)):
            inner = _cut_elements(elements, child, part, whole=_whole(model, name, child, part))
            if inner:
                kept[name] = inner if isinstance(value, tuple) else inner[0]
        elif name in naming or child.home == part:
            kept[name] = value
    return type(model).model_construct(_fields_set=set(kept), **kept)


def _whole(model: Model, name: str, node: _Node, part: str) -> bool:
    """Whether a list that replaces must stay whole, since it says which elements there are."""
    return node.home == part and getattr(model, "modes", {}).get(name) == "replace"


def _cut_elements(
    elements: tuple[Model, ...], node: _Node, part: str, *, whole: bool
) -> tuple[Model, ...]:
    return tuple(
        _cut(element, node, part)
        for element in elements
        if whole or part in set(_parts(element, node))
    )


def _undeclared(model: Model, node: _Node, above: str) -> Iterator[str]:
    for name, path, value in _given(model):
        if name in _ALONG:
            continue
        child = node.child(path)
        elements = _elements(value) if child.children else ()
        if not elements and not child.known and not child.children:
            yield above + path
        for element in elements:
            yield from _undeclared(element, child, f"{above}{path}.")
