"""The names of records: how they are found, and how they refer to each other."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

from storebridge.models import Record

__all__ = ["composed", "key_for", "names_of", "references", "undotted"]

#: The kinds of key that other records use to refer to one, best first.
_KEY_ORDER = (
    "handle:", "sku:", "email:", "name:", "number:", "path:", "code:", "title:", "text:", "key:",
)  # fmt: skip


def names_of(record: Record) -> tuple[str, ...]:
    """Return every name of a record, its id first, in Unicode's composed form."""
    names = (f"id:{record.id}", *record.keys()) if record.id else record.keys()
    return tuple(map(composed, names))


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


def undotted(path: str) -> str:
    """Return a path of a patch as a declaration writes it: `variants[TEE].price` without label."""
    plain, depth = [], 0
    for char in path:
        depth += (char == "[") - (char == "]")
        if depth == 0 and char != "]":
            plain.append(char)
    return "".join(plain)
