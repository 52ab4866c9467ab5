"""The names of records: how they are found, and how they refer to each other."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from storebridge.models import Record

__all__ = [
    "composed",
    "key_for",
    "keyed",
    "names_of",
    "references",
    "reworded",
    "sought",
    "undotted",
    "unlike",
    "ways_to_name",
]

R = TypeVar("R", bound=Record)

#: The kinds of key that other records use to refer to one, best first.
_KEY_ORDER = (
    "handle:", "sku:", "email:", "phone:", "name:", "number:", "path:", "code:", "title:", "text:",
    "key:",
)  # fmt: skip


#: What people call the kinds of key.
_WORDS = {
    "handle": "a handle",
    "sku": "a SKU",
    "email": "an e-mail address",
    "phone": "a phone number",
    "number": "a number",
    "path": "a path",
    "code": "a code",
}


def names_of(record: Record) -> tuple[str, ...]:
    """Return every name of a record, its id first, in Unicode's composed form."""
    names = (f"id:{record.id}", *record.keys()) if record.id else record.keys()
    return tuple(map(composed, names))


def sought(record: Record, finds: Iterable[str]) -> tuple[str, ...]:
    """Return a desired record's names; a phone number is one only where the platform finds by it.

    Args:
        record: the desired record.
        finds: the kinds of key that the platform finds its kind by.
    """
    names = names_of(record)
    if "phone" in finds:
        return names
    return tuple(name for name in names if not name.startswith("phone:"))


def ways_to_name(finds: Iterable[str]) -> str:
    """Return a remedy for a record without a key: what the platform finds its kind by."""
    words = [_WORDS[kind] for kind in finds if kind in _WORDS]
    return f"Give {', '.join(words)} or an external key." if words else "Give an external key."


def composed(name: str) -> str:
    """Return a name in Unicode's composed form, in which names are compared."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def key_for(names: Iterable[str]) -> str:
    """Return the key by which a new record is found again: a handle before a SKU."""
    names = [name for name in names if not name.startswith("id:")]
    best = (name for start in _KEY_ORDER for name in names if name.startswith(start))
    return next(best, "")


def references(record: Record) -> Iterator[tuple[str, str]]:
    """Yield (kind, key) of every record that a record refers to."""
    for name, (kind, start) in record.references.items():
        if name not in record.model_fields_set:
            continue
        values = getattr(record, name)
        for value in (values,) if isinstance(values, str) else values:
            if value:
                yield kind, f"{start}{value}"


def keyed(record: Record) -> Iterator[tuple[str, str]]:
    """Yield (kind, key) of what a record refers to by any kind of key, in its edits too."""
    for _, kind, value in _keyed(record):
        for name in _several(value):
            yield kind, name


def unlike(desired: Record, live: Record | None) -> set[tuple[str, str]]:
    """Return kind and key of what a record refers to by other keys than a live one, or not yet."""
    named = set(keyed(desired))
    return named.difference(keyed(live)) if named and live is not None else named


def reworded(desired: R, live: Record | None, known: Mapping[str, Sequence[str]]) -> R:
    """Return a record that names others as a live one does, else by their best key; each once.

    Args:
        desired: what refers to them by keys of any kind.
        live: the record that it is compared with; None for a new one.
        known: all names of others, by kind and each of them ("product sku:A-1").
    """
    held = set(keyed(live)) if live is not None else set[tuple[str, str]]()
    words: dict[tuple[str, str], str] = {}
    for kind, name in unlike(desired, live):
        names = known.get(f"{kind} {name}", ())
        shown = next((each for each in names if (kind, each) in held), "")
        words[kind, name] = shown or key_for(names) or name
    return _renamed(desired, words) if words else desired


def _renamed(desired: R, words: Mapping[tuple[str, str], str]) -> R:
    fields: dict[str, Any] = {}
    for field, kind, value in _keyed(desired):
        said = dict.fromkeys(words.get((kind, name), name) for name in _several(value))
        fields[field] = next(iter(said), "") if isinstance(value, str) else tuple(said)
    return desired.model_copy(update=fields)


def _keyed(record: Record) -> Iterator[tuple[str, str, Any]]:
    """Yield field, kind and value of each field that refers to others by any kind of key."""
    given = record.model_fields_set
    for field, kind in _fields_by_key(type(record)):
        if field in given:
            yield field, kind, getattr(record, field)


@cache
def _fields_by_key(model: type[Record]) -> tuple[tuple[str, str], ...]:
    """Return the fields that refer to others by any kind of key, edits too, and these kinds."""
    return tuple(
        (field, kind)
        for name, (kind, start) in model.references.items()
        for field in (name, f"{name}_add", f"{name}_remove")
        if not start and field in model.model_fields
    )


def _several(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def undotted(path: str) -> str:
    """Return a path of a patch as a declaration writes it: `variants[TEE].price` without label."""
    plain, depth = [], 0
    for char in path:
        depth += (char == "[") - (char == "]")
        if depth == 0 and char != "]":
            plain.append(char)
    return "".join(plain)
