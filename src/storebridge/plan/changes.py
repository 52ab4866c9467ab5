"""Collects a plan's changes: cuts records into parts, ranks them, resolves what they refer to."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from storebridge.adapter import PARTS, Action, Field, Records
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
from storebridge.ledger import Ledger
from storebridge.models import KINDS, Collection, Product, Record
from storebridge.parts import declared, named_in, split
from storebridge.pictures import Pictures
from storebridge.plan.collections import ByHand
from storebridge.plan.file import ChangeRow, PlanFile, SkippedRow
from storebridge.plan.guards import Watch
from storebridge.plan.options import PlanOptions
from storebridge.plan.references import References
from storebridge.plan.sent import Sent
from storebridge.plan.spool import Spool, Spooled

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = ["UNSAID", "Changes", "Why", "is_plain", "row_of"]

_KINDS = list(KINDS)
#: Memberships come after all records, deletes after everything.
_MEMBERSHIP, _DELETES = 100_000, 200_000
#: The levels of a tree that are told apart; what lies deeper goes with the last one.
_DEEPEST = 99
#: What is added to the phase of records that need others of their kind to be there.
_LATE = 50


class Why(NamedTuple):
    """Why a record is changed."""

    reasons: tuple[str, ...] = ()
    """In a person's words."""
    reads: Mapping[str, Any] | None = None
    """What was read of the live record for it: it joins the conflict check."""


#: What names a variant in each of its parts.
_NAMES = frozenset({"id", "sku", "options"})

#: The reason of a change that the source alone asks for.
UNSAID = Why()


class _About(NamedTuple):
    """What a change is about: a row of the source, and the record by id, or by key until it is."""

    row: Spooled
    record_id: str = ""
    key: str = ""
    late: bool = False
    """Whether it is written after the others of its kind."""


class _Sides(NamedTuple):
    """The two sides of a change as JSON; None where there is none."""

    before: str | None
    after: str | None


class Changes:
    """Writes changes, skipped records and references into a plan file, in chunks."""

    def __init__(
        self,
        store: Store,
        file: PlanFile,
        spool: Spool,
        options: PlanOptions,
        watch: Watch | None = None,
    ) -> None:
        """Start with nothing planned.

        Args:
            store: the store that the plan is for.
            file: where the changes go.
            spool: holds the source.
            options: what the plan may do.
            watch: measures the changes for the guards; without one the plan puts back or repeats
                what a plan did, and creates records with the status that they had, or none.
        """
        self._store, self._file, self._options = store, file, options
        self._watch = watch
        self._rows: list[tuple[int, ChangeRow]] = []
        self._skipped: list[SkippedRow] = []
        self._references = References(store, file, spool)
        self._counts = dict.fromkeys(
            ("create", "update", "delete", "unchanged", "skipped", "out_of_scope"), 0
        )
        self._absent = {"products": 0, "variants": 0}
        self._sents: dict[str, Sent] = {}
        self._reversible: dict[str, bool] = {}
        self._unstocked = 0
        self._ledgers: dict[str, Ledger] = {}
        self._held_back: list[str] = []
        self.by_hand = ByHand(store)
        """Which collections fill themselves."""
        self.pictures = Pictures(store.state, options.pictures_max, options.pictures_as)
        self.parents: dict[str, str] = {}
        """The parent of each collection of the source, by handle."""

    # -- what becomes of a record

    def expect(self, desired: Iterable[Record]) -> None:
        """Learn together what the records of a chunk refer to."""
        self._references.named.learn(desired)

    def plain_create(self, row: Spooled) -> bool:
        """Plan a create that needs no look at the record; False if it needs one."""
        if not row.plain:
            return False
        body, why = row.body, UNSAID
        if self._drafts(row.kind) and not row.has_status:
            body = f'{body[:-1]},"status":{json.dumps(self._options.create)}}}'
            why = Why((self._draft_reason(),))
        about = _About(row, key=row.key)
        self._add(about, "core", "create", _Sides(None, body), why)
        self._counts["create"] += 1
        return True

    def create(self, row: Spooled, desired: Record, why: Why = UNSAID) -> None:
        """Plan a create, one change per part."""
        desired = self._references.named.reworded(desired, None)
        desired = self._by_hand(self._ledger(row.kind).meant(desired, None).desired, None)
        desired = settle_lists(desired.without("id", "modes"), type(desired)())
        late = self._store.adapter.records(row.kind).is_late(desired)
        fields, about, core = self._fields(row.kind), _About(row, key=row.key, late=late), why
        if self._drafts(row.kind) and "status" not in desired.given:
            desired = desired.model_copy(update={"status": self._options.create})
            core = Why((*why.reasons, self._draft_reason()))
        if declared("key", fields) is None:
            desired = desired.without("key")
        for part, piece in split(desired, fields).items():
            self._references.add(piece)
            if part == "core":
                body = piece.model_dump_json()
                self._add(about, part, "create", _Sides(None, body), core)
            elif (patch := _speaking(_all_new(piece))).after:
                self._add_patch(about, part, patch, Why(why.reasons))
        self._counts["create"] += 1

    def update(
        self,
        row: Spooled,
        desired: Record,
        live: Record,
        why: Why = UNSAID,
        stocked: Container[str] = (),
    ) -> None:
        """Plan what differs, one change per part; nothing where nothing does.

        Args:
            row: the source record.
            desired: what it asks for.
            live: what the store has.
            why: the reasons.
            stocked: the ids of the variants whose quantities count, whatever `stock` says.
        """
        self._update(row, desired, live, why, None if self._options.stock else stocked)

    def _update(
        self, row: Spooled, desired: Record, live: Record, why: Why, stocked: Container[str] | None
    ) -> bool:
        """Plan what differs, with the quantities of some variants, or of all for None."""
        found, fields = False, self._fields(row.kind)
        desired = self._references.named.reworded(desired, live)
        desired, live, held_back = self._ledger(row.kind).meant(desired, live)
        desired = self._changeable(self._by_hand(desired, live), live)
        self._held_back += [row.label] if held_back else []
        for part, piece in split(desired, fields).items():
            piece = named_in(piece, part, fields)
            patch = diff(piece, live)
            patch = patch if part == "core" else _speaking(patch)
            if stocked is not None:
                kept = _without_stock(patch, stocked)
                self._unstocked += bool(row.bare) and kept.after != patch.after
                patch = kept
            patch = self._sent(row.kind).unsent(live.id, patch)
            if not patch.after:
                continue
            found = True
            self._references.add(settle_lists(piece, live))  # `collections+` names collections too
            late = self._store.adapter.records(row.kind).is_late(piece)
            self._add_patch(_About(row, live.id, late=late), part, patch, why)
            if self._watch is not None:
                self._watch.updated(row, live, patch)
        self._counts["update" if found else "unchanged"] += 1
        return found

    def change(self, live: Record, desired: Record, reasons: Sequence[str]) -> bool:
        """Plan a change that no source record asked for; quantities count. Say if there is one."""
        row = row_of(live.kind, None, live)
        return self._update(row, desired, live, Why(tuple(reasons)), None)

    def delete(self, kind: str, origin: int | None, live: Record, reasons: Sequence[str]) -> None:
        """Plan the removal of a live record; the plan keeps it whole."""
        row = row_of(kind, origin, live)
        sides = _Sides(live.model_dump_json(), None)
        self._add(_About(row, live.id, row.key), "core", "delete", sides, Why(tuple(reasons)))
        self._counts["delete"] += 1
        if self._watch is not None:
            self._watch.deleted(row, live)

    def lacks(self, what: str, count: int = 1) -> None:
        """Count "products" or "variants" that are changed because the source lacks them."""
        self._absent[what] += count

    def patch(
        self, kind: str, part: str, live: Record, patch: Patch, reasons: Sequence[str]
    ) -> None:
        """Plan a patch that was made elsewhere (the inverse of an applied one).

        An element that comes back whole is written part by part, like any other new one.
        """
        desired = rebuild(type(live), patch)[1]
        about, why = _About(row_of(kind, None, live), live.id), Why(tuple(reasons))
        self._references.add(desired)
        pieces = split(desired, self._fields(kind))
        if len(pieces) > 1 and part in pieces:
            patch = _narrowed(patch, pieces.pop(part))
        else:
            pieces = {}
        self._add_patch(about, part, patch, why)
        for other, piece in pieces.items():
            added = _speaking(diff(piece.without("handle", "key"), live))
            if added.after:
                self._add_patch(about, other, added, why)
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
        self._references.resolve()
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
        self._file.rank(self._deepest_first())
        self._file.put_meta(counts=self._counts, absent=self._absent)
        if self._held_back:
            self._file.add_warning(_doubtful(self._held_back))
        if self._references.nowhere:
            self._file.add_warning(_missing(list(self._references.nowhere)))
        if self._unstocked:
            self._file.add_warning(
                f"Of {self._unstocked} rows the quantity differs and is left alone. Set quantities "
                "with --stock."
            )

    def _add_patch(self, about: _About, part: str, patch: Patch, why: Why) -> None:
        sides = _Sides(json.dumps(patch.before), json.dumps(patch.after))
        undo = self._undo(about.row.kind, patch, sides)
        self._add(about, part, "update", sides, why, undo)

    def _add(
        self, about: _About, part: str, action: Action, sides: _Sides, why: Why, undo: str = ""
    ) -> None:
        row = about.row
        change = ChangeRow(
            seq=0,
            kind=row.kind,
            part=part,
            action=action,
            record_id=about.record_id,
            key=about.key,
            label=row.label,
            origin=row.origin,
            before=sides.before,
            after=sides.after,
            reasons=json.dumps(why.reasons),
            reads=json.dumps(why.reads) if why.reads else None,
            undo=undo or _UNDO.get(action, "") or self._undo_create(row.kind),
        )
        rank = self._rank(row.kind, part, action, row) + (_LATE if about.late else 0)
        self._rows.append((rank, change))

    def _undo(self, kind: str, patch: Patch, sides: _Sides) -> str:
        """Return what an undo can do; where every field can be put back, that is nearly all."""
        records = self._store.adapter.records(kind)
        if kind not in self._reversible:
            self._reversible[kind] = all(field.reverse for field in records.fields.values())
        # What is new has null in its place before, and an undo may not be able to take it out.
        plain = self._reversible[kind] and "null" not in (sides.before or "")
        return "reverse" if plain else _undo(records, patch)

    def _rank(self, kind: str, part: str, action: str, row: Spooled) -> int:
        """Return the phase of a change; parents come before what lies in them."""
        place = _KINDS.index(kind)
        if action == "delete":
            return _delete_rank(kind)
        if part == "membership":
            return _MEMBERSHIP + place
        deep = kind == "collection" and part == "core"
        depth = _depth(row.key.removeprefix("handle:"), self.parents) if deep else 0
        return place * 1000 + PARTS.index(part) * 100 + depth

    def _deepest_first(self) -> Iterator[tuple[int, int]]:
        """Yield the changes that delete collections, with ranks that begin at the leaves."""
        deleted = self._file.changes("WHERE kind = 'collection' AND action = 'delete'")
        docs = [(row.seq, json.loads(row.before or "{}")) for row in deleted]
        parents = {doc["handle"]: doc["parent"] for _, doc in docs if doc.get("parent")}
        for seq, doc in docs:
            depth = _depth(doc.get("handle", ""), parents)
            yield _delete_rank("collection") + _DEEPEST - depth, seq

    def _fields(self, kind: str) -> Mapping[str, Field]:
        return self._store.adapter.records(kind).fields

    def _by_hand(self, desired: Record, live: Record | None) -> Record:
        """Return a record without memberships that nobody can set; the fit report has them."""
        settled, left = self.by_hand.settled(desired, live)
        field = "products" if desired.kind == Collection.kind else "collections"
        label = desired.label or (live.label if live is not None else "")
        self._file.add_fit((desired.kind, label, field, f"{why}: not set", "") for why in left)
        return settled

    def _changeable(self, desired: Record, live: Record) -> Record:
        """Return a record without what can't be changed any more; the fit report has it."""
        fixed = self._store.adapter.records(live.kind).fixed(desired, live)
        label = desired.label or live.label
        self._file.add_fit((live.kind, label, name, why, "") for name, why in fixed.items())
        return desired.without(*fixed) if fixed else desired

    def _ledger(self, kind: str) -> Ledger:
        if kind not in self._ledgers:
            records = self._store.adapter.records(kind)
            self._ledgers[kind] = Ledger(self._store.state, records, self.pictures)
        return self._ledgers[kind]

    def _sent(self, kind: str) -> Sent:
        if kind not in self._sents:
            records = self._store.adapter.records(kind)
            self._sents[kind] = Sent(self._store.state, records)
        return self._sents[kind]

    def _drafts(self, kind: str) -> bool:
        guarded = self._watch is not None
        return kind == Product.kind and guarded and "status" in self._fields(kind)

    def _draft_reason(self) -> str:
        return f"new and without a status: created as {self._options.create}"

    def _undo_create(self, kind: str) -> str:
        return "archive" if self._drafts(kind) else "delete"


_UNDO = {"delete": "recreate"}


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _missing(names: Sequence[str]) -> str:
    return (
        f"Neither the store nor the source has {_first(names)}: what refers to them is left out "
        "when the plan is applied. Create them first, or give others that exist."
    )


def _doubtful(labels: Sequence[str]) -> str:
    return (
        f"{len(labels)} with pictures that are left alone ({_first(labels)}): the store has "
        "others, and "
        "nothing here knows whether they are the same. Give them as media+ to add them, or with "
        "the mode replace to put them in the place of the store's."
    )


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
    return Spooled(0, kind, origin, live.label, key, 0, 0, 0, 0, "", "")


def _delete_rank(kind: str) -> int:
    """Return the phase in which a kind is deleted: the reverse of the order of creating."""
    return _DELETES + (len(_KINDS) - _KINDS.index(kind)) * (_DEEPEST + 1)


def _depth(handle: str, parents: Mapping[str, str]) -> int:
    """Return how many collections there are above one."""
    depth, seen = 0, set[str]()
    while (parent := parents.get(handle)) and parent not in seen and depth < _DEEPEST:
        seen.add(parent)
        depth, handle = depth + 1, parent
    return depth


def _all_new(piece: Record) -> Patch:
    """Return the patch that gives a just created record a part that it lacks."""
    blank = type(piece)()
    piece = piece.without("handle", "key", "id")
    return diff(piece, blank)


def _speaking(patch: Patch) -> Patch:
    """Drop new variants that say nothing but their names: the part that makes them has these."""
    now = patch.after.get("variants")
    if not isinstance(now, dict):
        return patch
    was = patch.before["variants"]
    mute = {label for label in now if was[label] is None and _is_mute(now[label])}
    if not mute:
        return patch
    before, after = dict(patch.before), dict(patch.after)
    for side in (before, after):
        kept = {label: value for label, value in side.pop("variants").items() if label not in mute}
        side |= {"variants": kept} if kept else {}
    return Patch(before, after)


def _is_mute(element: Mapping[str, Any] | None) -> bool:
    values = (value for name, value in (element or {}).items() if name not in _NAMES)
    return element is not None and all(value in (None, "", [], {}) for value in values)


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


def _without_stock(patch: Patch, stocked: Container[str]) -> Patch:
    """Drop quantities of variants that exist already, but for those with some ids."""
    if "variants" not in patch.after:
        return patch
    before, after = dict(patch.before), dict(patch.after)
    was, now = before.pop("variants"), after.pop("variants")
    kept_was, kept_now = {}, {}
    for label, element in now.items():
        old = was[label]
        if element is not None and old is not None and old.get("id", "") not in stocked:
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
