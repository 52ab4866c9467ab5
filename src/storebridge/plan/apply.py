"""Makes a plan so: intent first, then the request, then the outcome; each one durable.

A run that was killed is finished by running it again. Batches whose end was not seen go to the
adapter once more under the same id, with the changes whose outcome is not known named as
uncertain; nothing with an outcome is sent again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storebridge.adapter import PARTS, Batch, Change, Records, Way
from storebridge.compare import (
    Doc,
    Patch,
    as_edits,
    changed_paths,
    diff,
    flatten,
    names_of,
    overlap,
    rebased,
    references,
    remaining,
    still_holds,
    surplus,
    under_way,
    undotted,
    unlike,
)
from storebridge.engine import Job
from storebridge.errors import PlanError, Refused
from storebridge.flow import Outcome, Status
from storebridge.ledger import Ledger
from storebridge.models import Record
from storebridge.models.base import with_article
from storebridge.parts import declared
from storebridge.pictures import Pictures
from storebridge.plan.bulk import calm_collector
from storebridge.plan.chunks import chunks
from storebridge.plan.file import BatchRow, ChangeRow, PlanFile
from storebridge.plan.needs import kept_whole, to_compare, to_verify
from storebridge.plan.options import OnConflict
from storebridge.plan.pace import Pace
from storebridge.plan.references import Named, singles
from storebridge.plan.report import Report
from storebridge.plan.sent import Sent
from storebridge.plan.sides import change_of, patch_of
from storebridge.plan.ways import Forecast, together
from storebridge.state import HistoryRow

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = ["apply", "check_digest", "check_store"]

logger = logging.getLogger("storebridge")

#: Digits of a digest that nobody meets twice.
_FEWEST_DIGITS = 12
_FINAL = (Status.APPLIED, Status.UNCHANGED)


def apply(
    file: PlanFile,
    store: Store,
    *,
    on_conflict: OnConflict = "refuse",
    retry_failed: bool = False,
    wait: float | None = 0,
    digest: str = "",
    on_progress: Callable[[int, int], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
) -> Report:
    """Apply a plan, or go on with one that was interrupted, and return what became of it.

    Raises:
        PlanError: if the plan was changed, or was made for another store.
        Refused: if a digest is given, and the plan has another one.
        Locked: if another plan is being applied to the store.
        AuthError: if the store refuses the credentials; when they are renewed, run again with
            `retry_failed` for the changes that were refused with them.
    """
    file.check_seal()
    if digest:
        check_digest(file.meta("digest"), digest, file.path)
    check_store(file, store)
    with calm_collector(), store.state.lock("apply", wait, f"applying {file.path.name}"):
        run = _Run(file, store, on_conflict, on_progress, on_notice)
        run.resume()
        for rank, kind, part in file.phases():
            run.phase(rank, kind, part, retry_failed)
    report = Report.of(file, store.name)
    store.state.add_history(
        HistoryRow(
            digest=file.meta("digest"),
            path=str(file.path.resolve()),
            at=store.engine.clock.time(),
            counts=dict(report.counts),
            undo_of=file.meta("undo_of", ""),
        )
    )
    return report


def check_digest(own: str, digest: str, path: Path) -> None:
    """Raise Refused unless somebody read this digest, in whole or its beginning.

    Args:
        own: the digest of a plan, or of a folder of plans.
        digest: what somebody read.
        path: the plan or the folder.
    """
    named = digest.strip().casefold()
    if len(named) < _FEWEST_DIGITS:
        raise Refused(
            f"--digest {digest!r} is too short to name one plan. Give its first {_FEWEST_DIGITS} "
            f"digits at least; 'storebridge show {path}' prints them"
        )
    if not own.startswith(named):
        raise Refused(
            f"{path.name} isn't what was looked at: its digest is {own}, not {digest}. Nothing "
            f"was changed. Have it looked at again: storebridge show {path}"
        )


def check_store(file: PlanFile, store: Store) -> None:
    """Raise PlanError if a plan was made for another store, or for one that is gone."""
    if gone := store.adapter.missing():
        raise PlanError(f"{gone}. Put it back, or make a plan for the store that is there", 3)
    planned = file.meta("store")
    if planned["id"] != store.info.id:
        raise PlanError(
            f"this plan was made for {planned['url']} ({planned['name'] or planned['id']}), "
            f"not for {store.url}: make a plan for each store"
        )


@dataclass(slots=True)
class _Sending:
    """One batch on its way: its rows and the typed changes made of them."""

    id: str
    records: Records[Any]
    sent: Sent
    rows: dict[str, ChangeRow] = field(default_factory=dict)
    changes: dict[str, Change[Any]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    overwritten: dict[int, str] = field(default_factory=dict)
    unread: list[Outcome] = field(default_factory=list)
    """Applied, and not yet compared with what the store has."""


class _Run:
    """One run of a plan; also the journal that flows report to."""

    def __init__(
        self,
        file: PlanFile,
        store: Store,
        on_conflict: OnConflict,
        on_progress: Callable[[int, int], None] | None,
        on_notice: Callable[[str], None] | None,
    ) -> None:
        self.file, self.store, self.on_conflict = file, store, on_conflict
        self.forecast = Forecast.of(file.meta("forecast"))
        done = sum(file.count("SELECT status, COUNT(*) FROM outcomes GROUP BY 1").values())
        self.pace = Pace(
            self.forecast,
            store,
            (done, Report.of(file, store.name).planned),
            on_progress or (lambda _done, _total: None),
            on_notice or logger.warning,
        )
        self.sending: dict[str, _Sending] = {}
        self.pictures = Pictures.of(store.state, file.meta("options", {}), sure=True)

    # -- in order

    def resume(self) -> None:
        """Finish the batches whose end was not seen."""
        for batch in self.file.open_batches():
            self._resend(batch)

    def phase(self, rank: int, kind: str, part: str, retry_failed: bool) -> None:
        """Send a phase's open changes in batches, as many at once as the store bears."""
        records = self.store.adapter.records(kind)
        overwrite = self.on_conflict == "overwrite"
        limits = records.bulk if self._way(kind, part) == "bulk" else None
        phase = self.forecast.phase(kind, part)
        size = limits.changes if limits else together(records, phase, self.store)
        slices = self.file.open_seqs(rank, size, retry_failed, overwrite)
        jobs = (self._job(records, seqs) for seqs in slices)
        self.pace.begin(kind, part)
        for done in self.store.engine.run_many(jobs, limits.at_once if limits else None):
            self.pace.add(done.result())
        self.pace.finish()

    def _way(self, kind: str, part: str) -> Way:
        """Return the way that the plan shows."""
        phase = self.forecast.phase(kind, part)
        return phase.way if phase else "direct"

    def _job(self, records: Records[Any], seqs: Sequence[int]) -> Job[int]:
        rows = list(_rows(self.file, seqs))
        sending = _Sending("", records, Sent(self.store.state, records))
        dropped = self._compose(sending, rows)
        lanes = {lane for c in sending.changes.values() for lane in records.lanes(c)}
        return Job(tuple(sorted(lanes)), lambda: self._send(sending, dropped))

    def _send(self, sending: _Sending, dropped: list[Outcome]) -> int:
        """Check for conflicts, commit the intent, send, verify; return how many have outcomes."""
        dropped += self._refused(sending) + self._conflicts(sending)
        count = len(dropped) + len(sending.changes)
        if dropped:
            self.file.put_outcomes("", ((outcome, True) for outcome in dropped))
        if not sending.changes:
            return count
        sending.id = self.file.begin_batch([int(change) for change in sending.changes])
        self._run_batch(sending, frozenset(), None)
        return count

    def _resend(self, batch: BatchRow) -> None:
        """Send a batch again under its id; what has an outcome, or a later batch, is left out."""
        where = "WHERE seq IN (SELECT value FROM json_each(?)) AND (status != ? OR batch != ?)"
        values = (json.dumps(batch.seqs), str(Status.UNKNOWN), batch.id)
        known = {o.seq: o for o in self.file.outcomes(where, values)}
        rows = [row for row in _rows(self.file, batch.seqs) if row.seq not in known]
        records = self._records_of(batch)
        sending = _Sending(batch.id, records, Sent(self.store.state, records))
        unverified = [o.seq for o in known.values() if not o.verified and o.status in _FINAL]
        self._compose(sending, list(_rows(self.file, unverified)))
        sending.unread = [
            Outcome(change=str(seq), status=Status(known[seq].status), id=known[seq].record_id)
            for seq in unverified
        ]
        self._read_back(sending)
        sending.rows, sending.changes = {}, {}
        self._compose(sending, rows)
        dropped = self._refused(sending, Status.UNKNOWN)
        dropped += self._conflicts(sending, uncertain=True)
        self.file.put_outcomes(batch.id, ((outcome, True) for outcome in dropped))
        self._run_batch(sending, frozenset(sending.changes), batch.state)
        self.pace.add(0)

    def _records_of(self, batch: BatchRow) -> Records[Any]:
        records: Records[Any] = self.store.adapter.records(
            next(_rows(self.file, batch.seqs[:1])).kind
        )
        return records

    def _run_batch(self, sending: _Sending, uncertain: frozenset[str], state: Any) -> None:
        self.sending[sending.id] = sending
        ledger = self._ledger(sending.records)
        try:
            unknown = False
            if sending.changes:
                batch = Batch(
                    id=sending.id,
                    changes=tuple(map(ledger.dressed, sending.changes.values())),
                    ids=sending.refs,
                    uncertain=uncertain,
                    state=state,
                    way=self._way_of(sending),
                )
                outcomes = self.store.engine.run_batch(sending.records, batch, self)
                unknown = any(outcome.status is Status.UNKNOWN for outcome in outcomes)
            self._read_back(sending)
            if not unknown:
                self.file.end_batch(sending.id)
        finally:
            del self.sending[sending.id]
            self.pace.forget(sending.id)

    def _way_of(self, sending: _Sending) -> Way:
        row = next(iter(sending.rows.values()))
        return self._way(row.kind, row.part)

    # -- composing changes

    def _compose(self, sending: _Sending, rows: Iterable[ChangeRow]) -> list[Outcome]:
        """Make typed changes of rows; return outcomes for those that can't be sent."""
        dropped: list[Outcome] = []
        for row in rows:
            change = self._change(sending, row)
            if isinstance(change, Outcome):
                dropped.append(change)
            else:
                sending.rows[change.id], sending.changes[change.id] = row, change
        return dropped

    def _ledger(self, records: Records[Any]) -> Ledger:
        return Ledger(self.store.state, records, self.pictures)

    def _change(self, sending: _Sending, row: ChangeRow) -> Change[Any] | Outcome:
        record_id = row.record_id
        if not record_id and row.action != "create":
            status, record_id = self.file.made_id(row.kind, row.key)
            if status not in _FINAL:
                why = f"{row.label!r} was not created"
                return _left(row, "reference", why, "Mend that, then apply with --retry-failed.")
        change = change_of(sending.records.model, row, record_id)
        missing = self._resolve(sending, row, change.desired)
        if missing:
            return _left(row, "reference", missing, "Create it, or give one that exists.")
        return change

    def _resolve(self, sending: _Sending, row: ChangeRow, desired: Record) -> str:
        """Find the ids that a change refers to; return what is missing and can't be done without.

        That is everything for a membership, and elsewhere a parent that this plan didn't create.
        """
        for kind, name in references(desired):
            target = self.file.ref(f"{kind} {name}")
            pending = bool(target) and str(target).startswith("=")
            if target and pending:
                status, target = self.file.made_id(kind, target[1:])
                target = target if status in _FINAL else None
            if target:
                sending.refs[f"{kind} {name}"] = target
            elif pending and name in singles(desired):
                return f"the {kind} {name.partition(':')[2]!r} that it belongs to was not created"
            elif row.part == "membership":
                return f"there is no {kind} {name.partition(':')[2]!r} in the store or the source"
        return ""

    def _refused(self, sending: _Sending, status: Status = Status.SKIPPED) -> list[Outcome]:
        """Take out and return what can't be sent since its pictures are no longer those planned."""
        ledger, outcomes = self._ledger(sending.records), list[Outcome]()
        for key, change in list(sending.changes.items()):
            if change.action != "delete" and (reason := ledger.refused(change.desired)):
                row = sending.rows.pop(key)
                del sending.changes[key]
                remedy = "Put the picture back, or plan again."
                outcomes.append(_left(row, "picture", reason, remedy, status))
        return outcomes

    # -- conflicts

    def _conflicts(self, sending: _Sending, *, uncertain: bool = False) -> list[Outcome]:
        """Re-read what the batch touches; take out and return what can't go ahead.

        What is uncertain may have been done: only a value that is neither the planned one nor
        the one before stands in its way, and the adapter finds out about the rest.
        """
        finds = sending.records.finds
        names = [name for change in sending.changes.values() for name in _asked(change, finds)]
        pairs = [(change, sending.rows[key]) for key, change in sending.changes.items()]
        fields = to_compare(sending.records, pairs, names)
        live = self._live(sending.records, names, fields)
        outcomes: list[Outcome] = []
        for key, change in list(sending.changes.items()):
            outcome = self._conflict(sending, sending.rows[key], change, live, uncertain)
            if outcome is not None:
                outcomes.append(outcome)
                del sending.changes[key], sending.rows[key]
        return outcomes

    def _live(
        self, records: Records[Any], names: Sequence[str], fields: frozenset[str] | None
    ) -> dict[str, Record]:
        """Return live records by each of their names, with these fields; None means all."""
        found: dict[str, Record] = {}
        for chunk in chunks(names, records.fetch_size):
            for record in self.store.engine.run(records.fetch(chunk, fields)):
                found.update((name, record) for name in names_of(record))
        return found

    def _conflict(
        self,
        sending: _Sending,
        row: ChangeRow,
        change: Change[Any],
        live: dict[str, Record],
        uncertain: bool,
    ) -> Outcome | None:
        if change.action == "create":
            asked = () if uncertain else _asked(change, sending.records.finds)
            taken = next((live[name] for name in asked if name in live), None)
            return _taken(row, taken) if taken is not None else None
        if not row.record_id:
            return None  # this run created it
        record = live.get(f"id:{change.record_id}")
        if record is not None:
            record = self._ledger(sending.records).told(record, change.desired, change.before)
        elif uncertain:
            return None
        if record is None:
            gone = change.action == "delete"
            return _left(
                row,
                "conflict",
                f"{row.label!r} is no longer in the store",
                "Plan again.",
                Status.UNCHANGED if gone else Status.SKIPPED,
            )
        if not uncertain and _is_done(change, record):
            return _left(row, "", "the store has these values already", "", Status.UNCHANGED)
        paths = self._changed(sending.records.model, row, record)
        if paths and row.action == "update" and (uncertain or self.file.has_failed(row.seq)):
            pending = self._pending(sending, change, record)
            begun = under_way(change.before, change.desired, record)
            paths = [each for each in paths if overlap(each, pending) and each not in begun]
        if not paths:
            return None
        if self.on_conflict == "overwrite":
            delete = row.action == "delete"
            sending.overwritten[row.seq] = (
                record.model_dump_json()
                if delete
                else json.dumps(diff(change.desired, record).before)
            )
            sending.changes[str(row.seq)] = replace(change, before=rebased(change.before, record))
            return None
        return _left(row, "conflict", f"changed since the plan: {', '.join(paths)}", _REPLAN)

    def _pending(self, sending: _Sending, change: Change[Any], record: Record) -> list[str]:
        """Return the paths at which a record lacks what a change asks for."""
        patch = diff(self.store.adapter.normalise(change.desired), record)
        paths = changed_paths(sending.records.model, patch)
        return paths + remaining(change.removed, record)

    def _changed(self, model: type[Record], row: ChangeRow, record: Record) -> list[str]:
        """Return the paths that were changed since the plan, by others than the plan itself."""
        patch = patch_of(row)
        if row.action == "delete":
            return _grown(model, patch.before, record)
        paths = still_holds(model, patch.before, record, patch.after)
        paths += still_holds(model, json.loads(row.reads), record) if row.reads else []
        own = self._own(model, row) if paths else []
        return [path for path in paths if not overlap(path, own)]

    def _own(self, model: type[Record], row: ChangeRow) -> list[str]:
        """Return the paths that earlier parts of the same record have changed in this plan."""
        span = (row.seq - len(PARTS), row.seq - 1)
        done = {
            o.seq
            for o in self.file.outcomes("WHERE seq BETWEEN ? AND ?", span)
            if o.status in _FINAL
        }
        parts = self.file.changes(
            "WHERE seq BETWEEN ? AND ? AND kind = ? AND record_id = ?",
            (*span, row.kind, row.record_id),
        )
        return [
            path
            for part in parts
            if part.seq in done
            for path in changed_paths(model, patch_of(part))
        ]

    # -- the journal

    def outcomes(self, batch_id: str, outcomes: tuple[Outcome, ...]) -> None:
        """Keep outcomes, compared with the store where the answer showed the record."""
        sending = self.sending[batch_id]
        kept: list[tuple[Outcome, bool]] = []
        for outcome in outcomes:
            change = sending.changes[outcome.change]
            self._ledger(sending.records).note(change.desired, outcome, outcome.record)
            to_check = outcome.status in _FINAL and change.action != "delete"
            shown = outcome.record or outcome.shown
            # An outcome is kept before anything more is asked of the store.
            if to_check and (shown is None or unlike(change.desired, shown)):
                sending.unread.append(outcome)
                kept.append((outcome, False))
            else:
                checked = self._verified(sending, outcome, shown) if to_check else outcome
                kept.append((checked, True))
        self.file.put_outcomes(batch_id, kept, sending.overwritten)

    def remember(self, batch_id: str, state: Any) -> None:
        """Keep a batch's state."""
        self.file.remember(batch_id, state)

    def advance(self, batch_id: str, done: int) -> None:
        """Show how far a batch's job is."""
        self.pace.advance(batch_id, done)

    def _read_back(self, sending: _Sending) -> None:
        """Compare what was applied with what the store has now."""
        if not sending.unread:
            return
        names = [f"id:{outcome.id}" for outcome in sending.unread]
        pairs = [(sending.changes[o.change], sending.rows[o.change]) for o in sending.unread]
        live = self._live(sending.records, names, to_verify(sending.records, pairs))
        ledger = self._ledger(sending.records)
        kept: list[tuple[Outcome, bool]] = []
        for outcome in sending.unread:
            found = live.get(f"id:{outcome.id}")
            ledger.note(sending.changes[outcome.change].desired, outcome, found)
            kept.append((self._verified(sending, outcome, found), True))
        self.file.put_outcomes(sending.id, kept, sending.overwritten)
        sending.unread = []

    def _verified(self, sending: _Sending, outcome: Outcome, live: Record | None) -> Outcome:
        """Return the outcome, or a failure where the store has something else than was sent."""
        change = sending.changes[outcome.change]
        sending.sent.note(change, outcome.id)
        if live is not None:
            live = self._ledger(sending.records).told(live, change.desired)
        if live is None:
            message = "accepted, but the store doesn't have the record"
        else:
            asked = as_edits(self.store.adapter.normalise(change.desired), change.before)
            asked = Named(self.store).reworded(asked, live)
            patch = diff(asked, live)
            left = remaining(change.removed, live) + surplus(change.desired, live)
            message = _differences(sending.records, patch, left)
            if kept_whole(change, sending.rows[outcome.change]):
                sending.overwritten[int(outcome.change)] = live.model_dump_json()
        if not message:
            return outcome
        return Outcome(
            change=outcome.change,
            status=Status.FAILED,
            id=outcome.id,
            cause="differs",
            message=message,
            remedy="Look at the record in the store, then plan again.",
            http_status=outcome.http_status,
            request_id=outcome.request_id,
        )


_REPLAN = "Plan again to see both values, or apply with --on-conflict overwrite."


def _rows(file: PlanFile, seqs: Sequence[int]) -> Iterator[ChangeRow]:
    for chunk in chunks(seqs, 500):
        yield from file.changes(f"WHERE seq IN ({', '.join('?' * len(chunk))})", chunk)


def _asked(change: Change[Any], finds: Sequence[str]) -> tuple[str, ...]:
    """Return the name to look a record up by; a new one's is of the kind that is found first."""
    if change.action == "create":
        names = dict.fromkeys(filter(None, (change.key, *change.desired.keys())))
        ranked = (name for kind in finds for name in names if name.startswith(f"{kind}:"))
        return tuple(ranked)[:1]
    return (f"id:{change.record_id}",)


def _taken(row: ChangeRow, record: Record) -> Outcome:
    what = f"{with_article(row.kind)} {record.label!r} (id {record.id})"
    message = f"the store has got {what} since the plan"
    return _left(row, "conflict", message, "Plan again.")


def _left(
    row: ChangeRow, cause: str, message: str, remedy: str, status: Status = Status.SKIPPED
) -> Outcome:
    return Outcome(
        change=str(row.seq),
        status=status,
        id=row.record_id,
        cause=cause,
        message=message,
        remedy=remedy,
    )


def _is_done(change: Change[Any], record: Record) -> bool:
    """Return whether a record has all that an update asks for."""
    asked = change.action != "update" or diff(change.desired, record).after
    return not asked and not remaining(change.removed, record)


def _grown(model: type[Record], before: Doc, record: Record) -> list[str]:
    """Return the paths at which a record that is to go has other values than the plan read.

    What left it is no loss (the plan itself may have moved it), nor is a newer date.
    """
    linked = [name for name in model.references if name in before]
    values = {k: v for k, v in before.items() if k not in linked and k != "updated_at"}
    return still_holds(model, values, record) + [
        name for name in linked if not _many(getattr(record, name)) <= _many(before[name])
    ]


def _many(value: Any) -> set[str]:
    return set(value) if not isinstance(value, str) else {value} - {""}


def _differences(records: Records[Any], patch: Patch, left: Sequence[str]) -> str:
    """Return what the store has otherwise than sent, in words; "" if nothing that it can read."""
    found = [f"{path}: still there" for path in left]
    for path, has, sent in flatten(records.model, patch):
        fact = declared(undotted(path), records.fields)
        if fact is None or fact.read:
            found.append(f"{path}: sent {sent!r}, the store has {has!r}")
    return f"accepted but different: {'; '.join(found[:5])}" if found else ""
