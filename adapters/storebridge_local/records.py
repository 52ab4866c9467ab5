"""One kind of record in the store: reading pages, fetching by key, and writing batches.

A record is kept as the JSON of the fields that were given for it. Whoever reads it gets every
field as given, since a field that was never written is known to be empty here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Generic, TypeVar

from pydantic_core import PydanticSerializationError

from storebridge.adapter import Batch, Change, Page, Query, Records
from storebridge.errors import Conflict, NotFound, Rejected, StorebridgeError
from storebridge.flow import Flow, Outcome, Status, call, report
from storebridge.models import Media, Model, Record, Seo, slug
from storebridge_local.database import Database, Session, composed, ids_json, moment
from storebridge_local.fields import INSTRUCTIONS, declared
from storebridge_local.merge import merge

__all__ = ["LocalRecords", "Values", "numbered"]

T = TypeVar("T", bound=Record)
M = TypeVar("M", bound=Model)
Values = dict[str, Any]

#: How many records or changes one call takes: enough that a commit costs little per record.
CHUNK = 500

#: What the keys of these kinds are made of.
_NAMED_BY = {"discount": ("codes", "title"), "review": ("product", "author", "email", "body")}
_NO_SEO = Seo(title="", description="")
_STORED: dict[type[Model], frozenset[str]] = {}


class LocalRecords(Records[T], Generic[T]):
    """The records of one kind in a local store."""

    batch_size = CHUNK
    fetch_size = CHUNK
    #: The field that is kept as membership by id instead of in the record.
    membership = ""

    def __init__(
        self,
        database: Database,
        model: type[T],
        *,
        finds: Sequence[str] = (),
        slugged: tuple[str, str] | None = None,
        required: str = "",
    ) -> None:
        """Say what the kind is.

        Args:
            database: the store's file.
            model: the records' model.
            finds: the kinds of key that it can be found by, besides "id" and "key".
            slugged: the field that names a record, and the one that it is made of if not given.
            required: a field that may not be empty.
        """
        self.database, self.model, self._empty = database, model, model()
        self.fields = declared(model)
        named = slugged[0] if slugged else required
        self.finds = ("id", "key", *(finds or ((named,) if named else ())))
        self._slugged, self._required = slugged, required

    # Reading

    def page(self, query: Query, cursor: str) -> Flow[Page[T]]:
        """Return up to 500 records in the order of their ids, of those there at the start."""
        return (yield from call(lambda: self._page(query, cursor)))

    def fetch(self, keys: Sequence[str], fields: frozenset[str] | None) -> Flow[tuple[T, ...]]:
        """Return the records that have any of these keys in any case, in the order of their ids."""
        return (yield from call(lambda: self._fetch(keys, fields)))

    def _page(self, query: Query, cursor: str) -> Page[T]:
        with self.database.read() as session:
            where, values = self._where(query)
            if cursor:
                after, upto = cursor.split("-")
                total = None
            else:
                after = "0"
                upto, total = session.execute(
                    f"SELECT coalesce(max(id), 0), count(*) FROM record WHERE {where}", values
                ).fetchone()
            rows = session.execute(
                f"SELECT id, body FROM record WHERE {where} AND id > ? AND id <= ?"
                " ORDER BY id LIMIT ?",
                (*values, int(after), int(upto), CHUNK),
            ).fetchall()
            more = len(rows) == CHUNK and rows[-1][0] < int(upto)
            records = self._read(session, [body for _, body in rows], query.fields, raw=query.raw)
            return Page(records, f"{rows[-1][0]}-{upto}" if more else "", total)

    def _where(self, query: Query) -> tuple[str, list[Any]]:
        terms: list[str] = ["kind = ?"]
        values: list[Any] = [self.model.kind]
        if query.ids:
            terms.append("id IN (SELECT value FROM json_each(?))")
            values.append(ids_json(query.ids))
        if query.status:
            terms.append("status = ?")
            values.append(query.status)
        if query.updated_since is not None:
            terms.append("updated >= ?")
            values.append(moment(query.updated_since))
        return " AND ".join(terms), values

    def _fetch(self, keys: Sequence[str], fields: frozenset[str] | None) -> tuple[T, ...]:
        ids = [key.removeprefix("id:") for key in keys if key.startswith("id:")]
        with self.database.read() as session:
            rows = session.execute(
                "SELECT body FROM record WHERE kind = ? AND id IN (SELECT value FROM json_each(?)"
                " UNION SELECT id FROM key WHERE kind = ? AND name COLLATE NOCASE IN"
                " (SELECT value FROM json_each(?))) ORDER BY id",
                (
                    self.model.kind,
                    ids_json(ids),
                    self.model.kind,
                    json.dumps([composed(key) for key in keys]),
                ),
            ).fetchall()
            return self._read(session, [body for (body,) in rows], fields)

    def _read(
        self,
        session: Session,
        bodies: Sequence[str],
        fields: frozenset[str] | None,
        *,
        raw: bool = False,
    ) -> tuple[T, ...]:
        """Return the records of bodies, with the top-level fields that are needed as given."""
        needed = None if fields is None else {path.partition(".")[0] for path in fields}
        found = tuple(self.model.model_validate_json(body) for body in bodies)
        records = self.shown(session, found, needed)
        if needed is not None:
            unneeded = _stored(self.model) - needed - {"id", *_naming(self.model)}
            records = tuple(record.without(*unneeded) for record in records)
        if raw:
            pairs = zip(records, bodies, strict=True)
            records = tuple(record.with_raw(json.loads(body)) for record, body in pairs)
        return records

    def shown(
        self, session: Session, records: Sequence[T], needed: Iterable[str] | None = None
    ) -> tuple[T, ...]:
        """Return records as they are read: membership put in, every field given."""
        if self.membership and (needed is None or self.membership in needed):
            records = self._joined(session, records)
        for record in records:
            _fill(record)
        return tuple(records)

    def _joined(self, session: Session, records: Sequence[T]) -> list[T]:
        lists = self.members(session, [record.id for record in records])
        return [
            record.model_copy(update={self.membership: lists.get(record.id, ())})
            for record in records
        ]

    # Writing

    def write(self, batch: Batch[T]) -> Flow[None]:
        """Make the changes in one transaction, in which one bad change fails alone."""
        outcomes = yield from call(lambda: self._write(batch))
        yield from report(outcomes)

    def _write(self, batch: Batch[T]) -> tuple[Outcome, ...]:
        with self.database.write() as session:
            made = session.made(batch.id) if batch.uncertain else {}
            held: dict[str, T] = {}
            outcomes = []
            for change in batch.changes:
                if change.id in batch.uncertain and change.id in made:
                    outcomes.append(self._already(session, change, made[change.id], held))
                else:
                    outcomes.append(self._outcome(session, batch, change, held))
            applied = {one.change: one.id for one in outcomes if one.status is Status.APPLIED}
            session.remember_made(batch.id, applied)
            records = {one.id: one for one in self.shown(session, tuple(held.values()))}
            return tuple(
                replace(one, record=records[one.id]) if one.id in records else one
                for one in outcomes
            )

    def _already(
        self, session: Session, change: Change[T], record_id: str, held: dict[str, T]
    ) -> Outcome:
        """Return the outcome of a change that was made before its outcome was known."""
        record = self._held(session, record_id)
        made: Mapping[str, str] = {}
        if record is not None:
            held[record_id] = record
            with suppress(Rejected):  # a file may have gone since it was taken in
                made = session.uploads.made(change.desired, record)
        return Outcome(change=change.id, status=Status.APPLIED, id=record_id, media=made)

    def _outcome(
        self, session: Session, batch: Batch[T], change: Change[T], held: dict[str, T]
    ) -> Outcome:
        try:
            with session.attempt():
                status, record = self._make(session, batch, change)
        except StorebridgeError as error:
            return Outcome.failure(change.id, error)
        if change.action == "delete":
            held.pop(record.id, None)
            return Outcome(change=change.id, status=status, id=record.id)
        held[record.id] = record
        made = session.uploads.made(change.desired, record)
        return Outcome(change=change.id, status=status, id=record.id, media=made)

    def _make(self, session: Session, batch: Batch[T], change: Change[T]) -> tuple[Status, T]:
        if change.action == "create":
            values = _fresh(self._empty, self._settled(session, change))
            return self._store(session, batch, self._empty, {**values, "id": session.new_id()})
        live = self._target(session, change)
        if change.action == "delete":
            self._delete(session, live)
            return Status.APPLIED, live
        if self._touches_members(change):
            (live,) = self._joined(session, (live,))
        values = merge(live, self._settled(session, change), change.removed)
        return self._store(session, batch, live, {**values, "id": live.id})

    def _settled(self, session: Session, change: Change[T]) -> T:
        return session.uploads.settled(self.settle(session, change.desired))

    def _target(self, session: Session, change: Change[T]) -> T:
        """Return the live record of a change; one just created is known by its key only."""
        kind = self.model.kind
        record_id = change.record_id or session.id_of(kind, change.key)
        live = self._held(session, record_id)
        if live is None:
            name = change.key or f"id {change.record_id}"
            raise NotFound(f"there is no {kind} {name}.", remedy="Plan again.")
        return live

    def _touches_members(self, change: Change[T]) -> bool:
        touched = {*change.desired.model_fields_set, *change.removed}
        return bool(self.membership) and any(f.startswith(self.membership) for f in touched)

    def _held(self, session: Session, record_id: str) -> T | None:
        if not (record_id.isascii() and record_id.isdigit()):
            return None
        row = session.execute(
            "SELECT body FROM record WHERE id = ? AND kind = ?", (record_id, self.model.kind)
        ).fetchone()
        return self.model.model_validate_json(row[0]) if row else None

    def _store(
        self, session: Session, batch: Batch[T], live: T, values: Values
    ) -> tuple[Status, T]:
        """Write values over a live record, or over none."""
        members = values.pop(self.membership, None)
        self.complete(session, live, values)
        changed = {
            name: value
            for name, value in values.items()
            if name not in live.model_fields_set or value != getattr(live, name)
        }
        joined = members is not None and members != getattr(live, self.membership)
        if live.id and not changed and not joined:
            return Status.UNCHANGED, live
        changed.update(_times(self.model, session, live, values))
        stored: T = live.model_copy(update={"id": values["id"], **changed})
        self._index(session, live, stored)
        self._put(session, stored)
        if joined:
            self.join(session, batch, stored.id, members or ())
        self.after(session, live, stored)
        return Status.APPLIED, stored

    def _put(self, session: Session, record: T) -> None:
        try:
            body = record.model_dump_json(exclude={self.membership, *INSTRUCTIONS})
        except PydanticSerializationError as error:
            raise Rejected(f"a value can't be written as JSON: {error}") from error
        handle, status = getattr(record, "handle", ""), getattr(record, "status", "")
        session.execute(
            "REPLACE INTO record VALUES (?, ?, ?, ?, ?, ?)",
            (int(record.id), self.model.kind, handle, status, session.stamp, body),
        )

    def _index(self, session: Session, live: T, stored: T) -> None:
        """Write the keys of a record, each of which only one record may have."""
        before, after = set(_names(live)), set(_names(stored))
        if before == after:
            return
        kind, number, new = self.model.kind, int(stored.id), after - before
        if new:
            self._refuse_taken(session, new)
        if before:
            session.executemany(
                "DELETE FROM key WHERE kind = ? AND name = ? AND id = ?",
                [(kind, name, number) for name in before - after],
            )
        session.executemany(
            "INSERT INTO key VALUES (?, ?, ?)", [(kind, name, number) for name in new]
        )

    def _refuse_taken(self, session: Session, wanted: Iterable[str]) -> None:
        """Raise a Conflict if a record has one of these keys already."""
        taken = session.execute(
            "SELECT name, id FROM key WHERE kind = ? AND name IN (SELECT value FROM json_each(?))"
            " LIMIT 1",
            (self.model.kind, json.dumps(list(wanted))),
        ).fetchone()
        if taken is not None:
            raise _taken(self.model.kind, *taken)

    def _delete(self, session: Session, live: T) -> None:
        self.before_delete(session, live)
        number = int(live.id)
        for name in _names(live):
            session.execute(
                "DELETE FROM key WHERE kind = ? AND name = ? AND id = ?",
                (self.model.kind, name, number),
            )
        session.execute("DELETE FROM record WHERE id = ?", (number,))
        session.execute("DELETE FROM member WHERE product = ? OR collection = ?", (number, number))

    # What differs from kind to kind

    def settle(self, session: Session, desired: T) -> T:
        """Return a desired record in the store's own terms, or refuse it."""
        return desired

    def complete(self, session: Session, live: T, values: Values) -> None:
        """Put in what the store gives itself: by default a name made of the title."""
        if not live.id and "seo" in self.model.model_fields:
            values["seo"] = _NO_SEO.model_copy(update=merge(_NO_SEO, values.get("seo", Seo())))
        if self._slugged is not None:
            field, title = self._slugged
            if not values.get(field, getattr(live, field)):
                text = slug(values.get(title, getattr(live, title)))
                values[field] = self._free(
                    session, field, text or f"{self.model.kind}-{values['id']}"
                )
        if self._required and not values.get(self._required, getattr(live, self._required)):
            raise Rejected(
                f"a {self.model.kind} needs a {self._required}.",
                fields={self._required: "may not be empty"},
            )

    def _free(self, session: Session, field: str, text: str) -> str:
        """Return a text, with a number if need be, that no record of the kind has yet."""
        number, name = 1, text
        while session.id_of(self.model.kind, f"{field}:{name}"):
            number += 1
            name = f"{text}-{number}"
        return name

    def members(self, session: Session, ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the membership of records by id."""
        return {}

    def join(
        self, session: Session, batch: Batch[T], record_id: str, members: Sequence[str]
    ) -> None:
        """Make these the members of a record."""

    def after(self, session: Session, live: T, stored: T) -> None:
        """Carry a change to the records that refer to this one."""

    def before_delete(self, session: Session, live: T) -> None:
        """Refuse to delete, or tidy the records that refer to this one."""


def _fresh(empty: Record, desired: Record) -> Values:
    """Return the values of a record that is made; only instructions need a merge with nothing."""
    given = desired.model_fields_set
    if not given.isdisjoint(INSTRUCTIONS):
        return merge(empty, desired)
    return {name: desired.__dict__[name] for name in given}


def _names(record: Record) -> tuple[str, ...]:
    """Return the keys of a record in Unicode's composed form."""
    return tuple(map(composed, record.keys()))


def _fill(record: Record) -> None:
    """Mark every field of a record of ours as given, and those of what it is mainly made of."""
    record.model_fields_set.update(_stored(type(record)))
    for name in ("variants", "media"):
        for element in getattr(record, name, ()):
            element.model_fields_set.update(_stored(type(element)))
    image = getattr(record, "image", None)
    if image is not None:
        image.model_fields_set.update(_stored(Media))


def _stored(model: type[Model]) -> frozenset[str]:
    """Return the fields of a model that a store can hold."""
    if model not in _STORED:
        _STORED[model] = frozenset(model.model_fields) - INSTRUCTIONS
    return _STORED[model]


def _naming(model: type[Record]) -> frozenset[str]:
    """Return the fields of a record that its keys are made of."""
    own = _NAMED_BY.get(model.kind, ("handle", "sku", "path", "name", "email", "number"))
    return _stored(model) & {"key", *own}


def numbered(session: Session, elements: Sequence[M], known: Iterable[str]) -> tuple[M, ...]:
    """Return elements with ids of this store; only those in `known` are ids already."""
    ids = set(known)
    return tuple(
        one.model_copy(
            update={"id": held if (held := getattr(one, "id", "")) in ids else session.new_id()}
        )
        for one in elements
    )


def _times(model: type[Record], session: Session, live: Record, values: Values) -> Values:
    """Return when a record was made, unless that is known, and when it was changed: now."""
    times: Values = {}
    if "created_at" in model.model_fields:
        made = values.get("created_at") or getattr(live, "created_at", None)
        times["created_at"] = made or session.now
    if "updated_at" in model.model_fields:
        times["updated_at"] = session.now
    return times


def _taken(kind: str, name: str, other: int) -> Conflict:
    word, _, value = name.partition(":")
    # What a person is called by must not spread into reports.
    personal = kind in ("customer", "review") and word != "key"
    shown = f"this {word}" if personal else f"{word} {value!r}"
    return Conflict(
        f"{shown} belongs to the {kind} with id {other}.",
        fields={word: "taken"},
        remedy="Give another one, or change that record.",
    )
