"""Makes the inverse of an applied plan, and leaves alone what people changed since."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storebridge.adapter import PARTS, Records
from storebridge.compare import (
    Patch,
    added_within,
    changed_paths,
    diff,
    flatten,
    overlap,
    select,
    still_holds,
    undotted,
    whole_removals,
)
from storebridge.flow import Status
from storebridge.ledger import Ledger
from storebridge.models import Record
from storebridge.models.lines import in_words
from storebridge.parts import declared
from storebridge.pictures import Pictures
from storebridge.plan.apply import check_store
from storebridge.plan.changes import Changes, Why, row_of
from storebridge.plan.file import ChangeRow, OutcomeRow, PlanFile
from storebridge.plan.live import Live
from storebridge.plan.options import PlanOptions
from storebridge.plan.scope import parsed
from storebridge.plan.sides import patch_of, sides
from storebridge.plan.spool import Spool
from storebridge.plan.ways import forecast

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = ["undo"]

_CHUNK = 200


def undo(
    applied: PlanFile,
    store: Store,
    output: Path,
    *,
    where: str = "",
    fields: Sequence[str] = (),
) -> PlanFile:
    """Return the sealed inverse of what a plan applied.

    A field that no longer has the value that the plan gave it is kept, and listed with cause
    "kept"; what can't be reversed is listed with cause "irreversible".

    Args:
        applied: a plan that was applied, wholly or in part.
        store: the store that it was applied to.
        output: where the inverse goes.
        where: only records that this expression matches as they are now.
        fields: only these fields ("price", "seo.title"); creates and deletes stay as they are.
    """
    check_store(applied, store)
    folder = output.resolve().parent
    with PlanFile.making(output) as inverse, Spool.temporary(folder) as spool:
        inverse.put_meta(**_head(applied, store))
        changes = Changes(store, inverse, spool, PlanOptions(stock=True))
        _Undo(applied, store, spool, changes, where, fields).run()
        changes.finish(by_part=True)
        inverse.put_meta(forecast=forecast(store, inverse))
    return inverse


def _head(applied: PlanFile, store: Store) -> dict[str, Any]:
    return {
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "store": applied.meta("store"),
        "platform": store.adapter.name,
        "api_version": store.adapter.api_version,
        "source": f"undo of {applied.path.name}",
        "undo_of": applied.meta("digest"),
        "options": applied.meta("options"),
    }


class _Undo:
    """One inverse in the making."""

    def __init__(
        self,
        applied: PlanFile,
        store: Store,
        spool: Spool,
        changes: Changes,
        where: str,
        fields: Sequence[str],
    ) -> None:
        self.applied, self.store, self.spool, self.changes = applied, store, spool, changes
        self.fields = tuple(fields)
        self.pictures = Pictures.of(store.state, applied.meta("options", {}))
        self.where = parsed(where)

    def run(self) -> None:
        """Go through what was applied, phase by phase."""
        for rank, kind, _ in self.applied.phases():
            records = self.store.adapter.records(kind)
            live = Live(self.store, kind, self.spool)
            rows: list[ChangeRow] = []
            for row in self.applied.changes("WHERE rank = ?", (rank,)):
                rows.append(row)
                if len(rows) == _CHUNK:
                    self._invert(records, live, rows)
                    rows = []
            self._invert(records, live, rows)

    def _invert(self, records: Records[Any], live: Live, rows: Sequence[ChangeRow]) -> None:
        marks = ", ".join("?" * len(rows))
        seqs = [row.seq for row in rows]
        outcomes = {
            outcome.seq: outcome
            for outcome in self.applied.outcomes(f"WHERE {_DONE} AND seq IN ({marks})", seqs)
        }
        found = live.find(f"id:{outcome.record_id}" for outcome in outcomes.values())
        for row in rows:
            if row.seq in outcomes:
                outcome = outcomes[row.seq]
                self._one(records, row, outcome, found.get(outcome.record_id))
        self.changes.flush()

    def _one(
        self, records: Records[Any], row: ChangeRow, outcome: OutcomeRow, live: Record | None
    ) -> None:
        if live is not None:
            live = self._told(records, row, live)
        if outcome.status == Status.UNKNOWN:
            self.changes.skip(row, "unknown", "nobody knows whether it was done", _ASK)
        elif row.action == "delete":
            self._recreate(records, row, outcome, live)
        elif live is None:
            self.changes.skip(row, "kept", "it is no longer in the store", _NOTHING)
        elif self.where is not None and not self.where.matches(live):
            self.changes.leave_out()
        elif row.action == "create":
            self._withdraw(records, row, outcome, live)
        elif row.record_id:  # other parts of a created record go with the record
            self._reverse(records, row, outcome, live)

    def _told(self, records: Records[Any], row: ChangeRow, live: Record) -> Record:
        """Return a live record with its media named as the plan named them."""
        if "url" not in (row.after or ""):
            return live
        before, desired, _ = sides(records.model, row)
        return Ledger(self.store.state, records, self.pictures).told(live, desired, before)

    def _recreate(
        self, records: Records[Any], row: ChangeRow, outcome: OutcomeRow, live: Record | None
    ) -> None:
        if self.fields or live is not None:
            return
        record = records.model.model_validate_json(outcome.before or row.before or "{}")
        blank = record.without("id", "created_at", "updated_at")
        source = row_of(row.kind, row.origin, record)
        self.changes.create(source, _anonymous(blank), Why(("undo of a delete",)))

    def _withdraw(
        self, records: Records[Any], row: ChangeRow, outcome: OutcomeRow, live: Record
    ) -> None:
        """Archive a created record; delete it where there is no archive and nobody touched it."""
        if self.fields:
            return
        created = records.model.model_validate_json(row.after or "{}")
        if row.undo == "archive":
            if getattr(live, "status", "") != getattr(created, "status", ""):
                message = f"its status is {getattr(live, 'status', '')!r} since"
                self.changes.skip(row, "kept", message, _BY_HAND)
                return
            archived = type(live).model_validate({"status": "archived"})
            self.changes.change(live, archived, ("undo of a create: archived",))
            return
        changed = changed_paths(records.model, diff(self._made(row, outcome, created), live))
        if changed:
            message = f"changed since: {', '.join(changed)}"
            self.changes.skip(row, "kept", message, _BY_HAND)
        else:
            self.changes.delete(row.kind, row.origin, live, ("undo of a create",))

    def _made(self, row: ChangeRow, outcome: OutcomeRow, created: Record) -> Record:
        """Return a record as it was once created, but for what the plan did with it later."""
        if not outcome.before:
            return created
        later = self.applied.changes(
            "WHERE seq BETWEEN ? AND ? AND kind = ? AND key = ? AND action = 'update'",
            (row.seq + 1, row.seq + len(PARTS), row.kind, row.key),
        )
        touched = {name for part in later for name in json.loads(part.after or "{}")}
        whole = type(created).model_validate_json(outcome.before)
        return whole.without(*touched, *created.references)

    def _reverse(
        self, records: Records[Any], row: ChangeRow, outcome: OutcomeRow, live: Record
    ) -> None:
        """Put back each field that still has the value that the plan gave it."""
        model = records.model
        before, after = (
            json.loads(outcome.before or row.before or "{}"),
            json.loads(row.after or "{}"),
        )
        inverse = Patch(after, before)
        if self.fields:
            inverse = select(model, inverse, self._asked)
        kept = set(still_holds(model, inverse.before, live, inverse.after))
        back = kept.difference(still_holds(model, inverse.after, live, inverse.before))
        others, changed = self._others(model, row, inverse, live)
        kept = kept - back | changed
        inverse = select(model, inverse, lambda path: path not in others | back)
        fixed = {path for path in changed_paths(model, inverse) if not _reversible(records, path)}
        fixed |= set(added_within(model, Patch(inverse.after, inverse.before)))
        if kept:
            message = f"changed since: {', '.join(sorted(kept))}"
            self.changes.skip(row, "kept", message, _BY_HAND)
        if fixed - kept:
            message = f"can't be put back: {', '.join(sorted(fixed - kept))}"
            self.changes.skip(row, "irreversible", message, _BY_HAND)
        inverse = select(model, inverse, lambda path: not _within(path, kept | fixed))
        if inverse.after:
            inverse = whole_removals(model, _fresh(inverse), live)
            self.changes.patch(row.kind, row.part, live, inverse, ("undo",))

    def _others(
        self, model: type[Record], row: ChangeRow, inverse: Patch, live: Record
    ) -> tuple[set[str], set[str]]:
        """Return added elements that an earlier part takes out, and those changed in a later one.

        Each part of a record says of a new element what it gave it; the first one takes it out.
        """
        added = {path for path, _, then in flatten(model, inverse) if then is None}
        earlier, changed = set[str](), set[str]()
        span = (row.seq - len(PARTS), row.seq + len(PARTS), row.kind, row.record_id)
        where = "WHERE seq BETWEEN ? AND ? AND kind = ? AND record_id = ?"
        for part in self.applied.changes(where, span) if added else ():
            same = added.intersection(changed_paths(model, patch_of(part)))
            if part.seq < row.seq:
                earlier |= same
            elif part.seq > row.seq and same:
                moved = still_holds(model, json.loads(part.after or "{}"), live)
                changed |= {path for path in same if overlap(path, moved)}
        return earlier, changed

    def _asked(self, path: str) -> bool:
        plain = undotted(path)
        spots = (plain, plain.removeprefix("variants."))
        return any(spot == f or spot.startswith(f"{f}.") for spot in spots for f in self.fields)


#: What was done: also what the store took otherwise than sent or in part, of which each field is
#: looked at.
_DONE = (
    "(status IN ('applied', 'unknown') OR (status = 'failed' AND cause IN ('differs', 'partly')))"
)
_ASK = "Apply the plan again, which finds out; then undo it."
_NOTHING = "Nothing has to be done."
_BY_HAND = "Change it by hand if it should go back."


def _reversible(records: Records[Any], path: str) -> bool:
    fact = declared(undotted(path), records.fields)
    return fact is None or fact.reverse


def _within(path: str, paths: set[str]) -> bool:
    return any(path == p or p.startswith((f"{path}[", f"{path}.")) for p in paths)


def _anonymous(record: Record) -> Record:
    """Return a record whose elements have no ids: a new record gets new ones."""
    record, fields = in_words(record), {}
    for name in record.given:
        value = getattr(record, name)
        if isinstance(value, tuple) and value and hasattr(value[0], "id"):
            value = tuple(element.without("id") for element in value)
        fields[name] = value
    return record.model_copy(update=fields)


def _fresh(patch: Patch) -> Patch:
    """Return a patch whose added elements have no ids: they were removed, and come back new."""
    after = {
        name: {
            label: {k: v for k, v in doc.items() if k != "id"}
            if isinstance(doc, dict) and patch.before.get(name, {}).get(label) is None
            else doc
            for label, doc in value.items()
        }
        if isinstance(value, dict) and isinstance(patch.before.get(name), dict)
        else value
        for name, value in patch.after.items()
    }
    return Patch(patch.before, after)
