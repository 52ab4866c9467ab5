"""Collects a plan's changes: cuts records into parts, ranks them, resolves what they refer to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from storebridge.adapter import PARTS, Field, Records
from storebridge.compare import (
    EDITS,
    Patch,
    added_within,
    changed_paths,
    diff,
    key_for,
    names_of,
    rebuild,
    references,
    settle_lists,
    undotted,
)
from storebridge.models import KINDS, Product, Record
from storebridge.parts import declared, split
from storebridge.plan.chunks import chunks
from storebridge.plan.file import ChangeRow, PlanFile, SkippedRow
from storebridge.plan.options import PlanOptions
from storebridge.plan.sent import Sent
from storebridge.plan.spool import Spool, Spooled

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = ["Changes", "is_plain", "row_of"]

_KINDS = list(KINDS)
#: Memberships come after all records, deletes after everything.
_MEMBERSHIP, _DELETES = 100_000, 200_000


class Changes:
    """Writes changes, skipped records and references into a plan file, in chunks."""

    def __init__(self, store: Store, file: PlanFile, spool: Spool, options: PlanOptions) -> None:
        """Start with nothing planned."""
        self._store, self._file, self._spool, self._options = store, file, spool, options
        self._rows: list[tuple[int, ChangeRow]] = []
        self._skipped: list[SkippedRow] = []
        self._refs: dict[str, set[str]] = {}
        self._counts = dict.fromkeys(
            ("create", "update", "delete", "unchanged", "skipped", "out_of_scope"), 0
        )
        self._sents: dict[str, Sent] = {}
        self.parents: dict[str, str] = {}
        """The parent of each collection of the source, by handle."""

    # -- what becomes of a record

    def plain_create(self, row: Spooled) -> bool:
        """Plan a create that needs no look at the record; False if it needs one."""
        if not row.plain:
            return False
        body = row.body
        reasons: tuple[str, ...] = ()
        if self._drafts(row.kind) and not row.has_status:
            body = f'{body[:-1]},"status":{json.dumps(self._options.status)}}}'
            reasons = (self._draft_reason(),)
        self._add(row.kind, "core", "create", "", row.key, row, None, body, reasons)
        self._counts["create"] += 1
        return True

    def create(self, row: Spooled, desired: Record, reasons: Sequence[str] = ()) -> None:
        """Plan a create, one change per part."""
        desired = settle_lists(desired.without("id", "modes"), type(desired)())
        core_reasons = reasons
        if self._drafts(row.kind) and "status" not in desired.given:
            desired = desired.model_copy(update={"status": self._options.status})
            core_reasons = (*reasons, self._draft_reason())
        records = self._store.adapter.records(row.kind)
        for part, piece in split(desired, records.fields).items():
            self._refer(piece)
            if part == "core":
                body = piece.model_dump_json()
                self._add(row.kind, part, "create", "", row.key, row, None, body, core_reasons)
            elif (patch := _all_new(piece)).after:
                self._add_patch(row, part, "", row.key, patch, reasons)
        self._counts["create"] += 1

    def update(
        self,
        row: Spooled,
        desired: Record,
        live: Record,
        reasons: Sequence[str] = (),
        reads: Mapping[str, Any] | None = None,
    ) -> None:
        """Plan what differs, one change per part; nothing where nothing does."""
        self._update(row, desired, live, reasons, reads, stock=self._options.stock)

    def _update(
        self,
        row: Spooled,
        desired: Record,
        live: Record,
        reasons: Sequence[str],
        reads: Mapping[str, Any] | None,
        stock: bool,
    ) -> None:
        records = self._store.adapter.records(row.kind)
        found = False
        for part, piece in split(desired, records.fields).items():
            if part != _home(records.fields, "handle"):
                piece = piece.without("handle", "key")
            patch = diff(piece, live)
            if not stock:
                patch = _without_stock(patch)
            patch = self._sent(row.kind).unsent(live.id, patch)
            if not patch.after:
                continue
            found = True
            self._refer(piece)
            self._add_patch(row, part, live.id, "", patch, reasons, reads)
        self._counts["update" if found else "unchanged"] += 1

    def change(self, live: Record, desired: Record, reasons: Sequence[str]) -> None:
        """Plan a change that no source record asked for; quantities count."""
        self._update(row_of(live.kind, None, live), desired, live, reasons, None, stock=True)

    def delete(self, kind: str, origin: int | None, live: Record, reasons: Sequence[str]) -> None:
        """Plan the removal of a live record; the plan keeps it whole."""
        row = row_of(kind, origin, live)
        before = live.model_dump_json()
        self._add(kind, "core", "delete", live.id, row.key, row, before, None, reasons)
        self._counts["delete"] += 1

    def patch(
        self, kind: str, part: str, live: Record, patch: Patch, reasons: Sequence[str]
    ) -> None:
        """Plan a patch that was made elsewhere (the inverse of an applied one).

        An element that comes back whole is written part by part, like any other new one.
        """
        desired, row = rebuild(type(live), patch)[1], row_of(kind, None, live)
        self._refer(desired)
        pieces = split(desired, self._store.adapter.records(kind).fields)
        if len(pieces) > 1 and part in pieces:
            patch = _narrowed(patch, pieces.pop(part))
        else:
            pieces = {}
        self._add_patch(row, part, live.id, "", patch, reasons)
        for other, piece in pieces.items():
            added = diff(piece.without("handle", "key"), live)
            if added.after:
                self._add_patch(row, other, live.id, "", added, reasons)
        self._counts["update"] += 1

    def skip(self, row: Spooled | ChangeRow, cause: str, message: str, remedy: str) -> None:
        """Leave a record alone, and say why."""
        self._skipped.append(SkippedRow(row.kind, row.label, row.origin, cause, message, remedy))
        self._counts["skipped"] += 1

    def leave_out(self) -> None:
        """Count a record outside the scope."""
        self._counts["out_of_scope"] += 1

    # -- writing it down

    def flush(self) -> None:
        """Write what was collected since the last time."""
        self._resolve()
        self._file.add_changes(self._rows)
        self._file.add_skipped(self._skipped)
        self._rows, self._skipped = [], []

    def finish(self, *, by_part: bool = False) -> None:
        """Write the rest and the counts; updates planned part by part count once per record."""
        self.flush()
        if by_part:
            query = (
                "SELECT 0, COUNT(DISTINCT kind || ' ' || record_id) FROM changes WHERE action = ?"
            )
            self._counts["update"] = self._file.count(query, ("update",))[0]
        self._file.put_meta(counts=self._counts)

    def _add_patch(
        self,
        row: Spooled,
        part: str,
        record_id: str,
        key: str,
        patch: Patch,
        reasons: Sequence[str],
        reads: Mapping[str, Any] | None = None,
    ) -> None:
        before, after = json.dumps(patch.before), json.dumps(patch.after)
        undo = _undo(self._store.adapter.records(row.kind), patch)
        self._add(
            row.kind, part, "update", record_id, key, row, before, after, reasons, reads, undo
        )

    def _add(
        self,
        kind: str,
        part: str,
        action: Any,
        record_id: str,
        key: str,
        row: Spooled,
        before: str | None,
        after: str | None,
        reasons: Sequence[str],
        reads: Mapping[str, Any] | None = None,
        undo: str = "",
    ) -> None:
        undo = undo or _UNDO.get(action, "") or self._undo_create(kind)
        change = ChangeRow(
            0,
            kind,
            part,
            action,
            record_id,
            key,
            row.label,
            row.origin,
            before,
            after,
            json.dumps(list(reasons)),
            json.dumps(reads) if reads else None,
            undo,
        )
        self._rows.append((self._rank(kind, part, action, row), change))

    def _rank(self, kind: str, part: str, action: str, row: Spooled) -> int:
        """Return the phase of a change; parents come before what lies in them."""
        place = _KINDS.index(kind)
        if action == "delete":
            return _DELETES + len(_KINDS) - place
        if part == "membership":
            return _MEMBERSHIP + place
        depth = self._depth(row.key) if kind == "collection" and part == "core" else 0
        return place * 1000 + PARTS.index(part) * 100 + depth

    def _depth(self, key: str) -> int:
        depth, handle, seen = 0, key.removeprefix("handle:"), set[str]()
        while (parent := self.parents.get(handle)) and parent not in seen and depth < 99:
            seen.add(parent)
            depth, handle = depth + 1, parent
        return depth

    def _sent(self, kind: str) -> Sent:
        if kind not in self._sents:
            records = self._store.adapter.records(kind)
            self._sents[kind] = Sent(self._store.state, records)
        return self._sents[kind]

    def _drafts(self, kind: str) -> bool:
        fields = self._store.adapter.records(kind).fields
        return kind == Product.kind and bool(self._options.status) and "status" in fields

    def _draft_reason(self) -> str:
        return f"new and without a status: created as {self._options.status}"

    def _undo_create(self, kind: str) -> str:
        return "archive" if self._drafts(kind) else "delete"

    # -- references

    def _refer(self, piece: Record) -> None:
        """Note the records that a piece refers to."""
        for target, name in references(piece):
            self._refs.setdefault(target, set()).add(name)

    def _resolve(self) -> None:
        """Find the platform ids of what the last chunk refers to, in the store or in this plan."""
        for kind, names in self._refs.items():
            unknown = [name for name in sorted(names) if self._file.ref(f"{kind} {name}") is None]
            if not unknown or not self._store.supports(kind):
                continue
            found = dict(self._live_ids(kind, unknown))
            made = ((name, self._spool.key_of(kind, name)) for name in unknown)
            pending = {name: f"={key}" for name, key in made if key and name not in found}
            refs = {**pending, **found}
            self._file.add_refs((f"{kind} {name}", target) for name, target in refs.items())
        self._refs = {}

    def _live_ids(self, kind: str, names: Sequence[str]) -> Iterator[tuple[str, str]]:
        records = self._store.adapter.records(kind)
        for chunk in chunks(names, records.fetch_size):
            for record in self._store.engine.run(records.fetch(chunk, None)):
                yield from ((name, record.id) for name in names_of(record) if name in chunk)


_UNDO = {"delete": "recreate"}


def is_plain(record: Record, fields: Mapping[str, Field]) -> bool:
    """Return whether a create of this record is its JSON as it stands, in one change."""
    given = record.model_fields_set
    if "id" in given or "modes" in given or not given.isdisjoint(EDITS):
        return False
    if any(True for _ in references(record)):
        return False
    parts = split(record, fields)
    return list(parts) == ["core"] and parts["core"] is record


def row_of(kind: str, origin: int | None, live: Record) -> Spooled:
    """Return a row for a change to a live record that no spooled source record asked for."""
    key = key_for(names_of(live))
    return Spooled(0, kind, origin, live.label, key, 0, 0, 0, 0, "")


def _home(fields: Mapping[str, Field], path: str) -> str:
    field = declared(path, fields)
    return field.part if field else "core"


def _all_new(piece: Record) -> Patch:
    """Return the patch that gives a just created record a part that it lacks."""
    blank = type(piece)()
    piece = piece.without("handle", "key", "id")
    return diff(piece, blank)


def _narrowed(patch: Patch, piece: Record) -> Patch:
    """Return a patch whose added elements have only what a piece of the record has of them."""
    after = dict(patch.after)
    for name, elements in patch.after.items():
        held = getattr(piece, name, None)
        if not isinstance(elements, dict) or not isinstance(held, tuple):
            continue
        there = [label for label, then in elements.items() if then is not None]
        if len(there) != len(held):
            continue
        docs = (element.model_dump(mode="json") for element in held)
        cut = dict(zip(there, docs, strict=True))
        new = {label for label in there if patch.before[name][label] is None}
        after[name] = {label: cut[label] if label in new else elements[label] for label in elements}
    return Patch(patch.before, after)


def _without_stock(patch: Patch) -> Patch:
    """Drop quantities of variants that exist already."""
    if "variants" not in patch.after:
        return patch
    before, after = dict(patch.before), dict(patch.after)
    was, now = before.pop("variants"), after.pop("variants")
    kept_was, kept_now = {}, {}
    for label, element in now.items():
        old = was[label]
        if element is not None and old is not None:
            element = {name: value for name, value in element.items() if name != "inventory"}
            old = {name: value for name, value in old.items() if name != "inventory"}
            if element == old:
                continue
        kept_was[label], kept_now[label] = old, element
    if kept_now:
        before["variants"], after["variants"] = kept_was, kept_now
    return Patch(before, after)


def _undo(records: Records[Any], patch: Patch) -> str:
    stuck = set(added_within(records.model, patch))
    paths = changed_paths(records.model, patch)
    fields = [(path, declared(undotted(path), records.fields)) for path in paths]
    able = [path not in stuck and (field is None or field.reverse) for path, field in fields]
    return "reverse" if all(able) else "partly" if any(able) else "none"
