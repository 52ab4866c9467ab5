"""What both kinds of store are made of: an adapter, what may be done, where state is kept."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from storebridge import config
from storebridge.adapter import Adapter, Query, Records
from storebridge.config import Access
from storebridge.engine import EngineOptions, Event, Transport
from storebridge.errors import BadAnswer, ConfigError, NotFound, NotSupported, Refused
from storebridge.flow import Clock
from storebridge.models import KINDS, Record
from storebridge.models.base import with_article
from storebridge.models.text import words_in
from storebridge.where import Where, parse
from storebridge.where.paths import field_names, homes

__all__ = [
    "Opening",
    "Walk",
    "check_there",
    "chosen",
    "keys_of",
    "missing",
    "query_of",
    "text_of",
    "word_of",
]

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How a store is opened: what it is called, what may be done, how the engine behaves."""

    name: str = ""
    url: str = ""
    access: Access = "write"
    live: bool = False
    """Whether a person must type its name before anything is written."""
    state: Path | None = None
    """The folder of what is remembered; None means the user's data folder."""
    clock: Clock | None = None
    transport: Transport | None = None
    on_event: Callable[[Event], None] | None = None
    options: EngineOptions = field(default_factory=EngineOptions)

    def engine_options(self, adapter: Adapter) -> EngineOptions:
        """Return the engine's options with the store's name and access."""
        label = self.name or self.url or adapter.name
        options = replace(self.options, store=label, read_only=self.access == "read")
        if adapter.vault_key and options.vault is None:
            from storebridge.vault import FileVault

            return replace(options, vault=FileVault(config.user_folder() / "tokens"))
        return options


class Walk:
    """Watches the cursors of one walk through pages: a platform may not go in circles."""

    def __init__(self, store: str, kind: str) -> None:
        """Begin a walk."""
        self._name, self._seen = f"the {kind} pages of {store}", {""}

    def next(self, cursor: str) -> bool:
        """Return whether there is another page.

        Raises:
            BadAnswer: if the cursor has been here before.
        """
        if not cursor:
            return False
        if cursor in self._seen:
            raise BadAnswer(
                f"{self._name} go in circles: a cursor came twice.",
                remedy="Try again; if it stays so, report it to the adapter's authors.",
            )
        self._seen.add(cursor)
        return True


def query_of(
    where: str | Where,
    records: Records[Any],
    fields: Iterable[str] | None,
    updated_since: datetime | None,
    raw: bool,
) -> tuple[Query, Where | None]:
    """Return what to ask the platform for, and what is left to choose here.

    Raises:
        ConfigError: for a field that the kind doesn't have.
        WhereError: if the condition is wrong, or makes no sense for the kind.
    """
    condition = parse(where) if isinstance(where, str) and where.strip() else None
    if isinstance(where, Where):
        condition = where
    wanted = None if fields is None else frozenset(_paths(words_in(fields), records.model))
    if condition is None:
        return Query(fields=wanted, updated_since=updated_since, raw=raw), None
    needed = condition.check(records.model)
    statuses = condition.only("status")
    query = Query(
        ids=condition.only("id"),
        status=statuses[0] if len(statuses) == 1 else "",
        fields=None if wanted is None else wanted | needed,
        updated_since=updated_since,
        raw=raw,
    )
    return query, condition


def _paths(words: Iterable[str], model: type[Record]) -> Iterator[str]:
    """Yield the paths of fields, which are named as in a condition: "price" is of the variants."""
    for word in words:
        if not (found := homes(model, word)):
            names = field_names(model)
            head = word.partition(".")[0].partition("[")[0]
            near = get_close_matches(word, names, 1) or get_close_matches(head, names, 1)
            remedy = f"Did you mean {near[0]}?" if near else f"It has: {', '.join(names)}."
            raise ConfigError(f"fields: {with_article(model.kind)} has no field {word!r}. {remedy}")
        yield from (home.path for home in found)


def word_of(kind: str) -> str:
    """Return the word of a kind of record where its plural was given."""
    return next((word for word in KINDS if kind in (f"{word}s", f"{word[:-1]}ies")), kind)


def check_there(adapter: Adapter) -> None:
    """Make sure that a store that is only read is there: the local one would be made, and empty.

    Raises:
        ConfigError: if it isn't.
    """
    if gone := adapter.missing():
        raise ConfigError(
            f"{gone}, and only what writes to a store makes a new one. Check its name, or put a "
            "catalogue into it first: storebridge plan SOURCE --to STORE"
        )


#: Which key is meant where none is named, best first.
_BARE = ("handle", "email", "phone", "number", "path", "name", "sku", "code", "title", "key")


def keys_of(key: str, records: Records[Any]) -> tuple[str, ...]:
    """Return the keys that a person's text means, best first ("tee" is a handle, then a SKU).

    Raises:
        ConfigError: if there is no such kind of key.
        NotSupported: if the platform can't look the record up by such a key.
    """
    name, colon, value = text_of(key, "find", "a key").partition(":")
    finds = {"id", *records.finds}
    if colon and name in {*finds, *_BARE}:
        if name in finds:
            return (_folded(name, value),)
        raise NotSupported(
            f"this platform finds no {records.model.kind} by {name!r}",
            f"use one of: {', '.join(sorted(finds))}",
        )
    if colon and name.isalpha() and name.islower():
        raise ConfigError(
            f"{name!r} is no kind of key; {with_article(records.model.kind)} is found by: "
            f"{', '.join(sorted(finds))}. Name the kind where a key has a colon of its own, "
            f"like {min(finds - {'id'}, default='id')}:{key}"
        )
    return tuple(_folded(kind, key) for kind in _BARE if kind in finds) or (f"id:{key}",)


def text_of(value: object, verb: str, what: str) -> str:
    """Return a text that was given.

    Raises:
        TypeError: if it is none.
    """
    if not isinstance(value, str):
        raise TypeError(f"{verb} takes {what} as a text, not {type(value).__name__}")
    return value


def _folded(kind: str, value: str) -> str:
    """Return a key; e-mail addresses and codes are the same in any case."""
    return f"{kind}:{value.casefold() if kind in ('email', 'code') else value}"


def chosen(found: Iterable[R], keys: Iterable[str]) -> R | None:
    """Return the record that has the best of these keys, None if none has one.

    Raises:
        Refused: if two records share the key.
    """
    named = [(record, set(map(_composed, _names(record)))) for record in found]
    for key in keys:
        hits = [record for record, names in named if _composed(key) in names]
        if len(hits) > 1:
            ids = " and ".join(f"{record.label!r} (id {record.id})" for record in hits)
            raise Refused(f"{key!r} means more than one {hits[0].kind}: {ids}. Use the id.")
        if hits:
            return hits[0]
    return None


def missing(records: Records[Any], store: str, id: str) -> NotFound:
    """Return the error for an id that the store doesn't have."""
    kind = records.model.kind
    return NotFound(
        f"{store} has no {kind} with the id {id!r}.", remedy="Look it up by a key with find()."
    )


def _names(record: Record) -> tuple[str, ...]:
    return (f"id:{record.id}", *record.keys())


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)
