"""Survival: lost answers and kills at any point leave one record, with the right values."""

from __future__ import annotations

from itertools import count
from typing import Any, ClassVar

import pytest

from storebridge.adapter import Batch, Change
from storebridge.flow import Outcome, Status
from storebridge.models import Record, Variant
from storebridge.testing.compare import flat, lacking
from storebridge.testing.faults import Fault, Killed, at
from storebridge.testing.kit.base import Base, Rigs, kinds
from storebridge.testing.kit.values import updates
from storebridge.testing.rig import MemoryJournal, Rig, again, creation, interrupted
from storebridge.testing.samples import prune

__all__ = ["SurvivalTests"]

#: What can happen to a request that changes something, beside a plain refusal.
_FAULTS = (
    Fault.NOT_SENT,
    Fault.VANISHED,
    Fault.LOST,
    Fault.SLOW,
    Fault.CUT,
    Fault.EMPTY,
    Fault.HTML,
    Fault.THROTTLED,
    Fault.BROKEN,
    Fault.BROKEN_AFTER,
)
_DONE = (Status.APPLIED, Status.UNCHANGED)
_ENOUGH = 200


class SurvivalTests(Base):
    """Faults while writing."""

    #: What `_requests` found: every fault asks for it, and it is always the same.
    _mutating: ClassVar[dict[tuple[type, str], tuple[int, ...]]] = {}

    @kinds
    @pytest.mark.parametrize("fault", _FAULTS)
    def test_create_survives(self, rigs: Rigs, kind: str, fault: Fault) -> None:
        """Whatever happens to a create, there is one record at the end, or none and a failure."""
        self._networked_kind(rigs, kind)
        for number in self._requests(rigs, kind):
            self._create_under(rigs(f"{fault.name}-{number}".lower()), kind, {number: fault})

    @kinds
    @pytest.mark.parametrize("fault", _FAULTS)
    def test_looking_for_a_lost_create_survives(self, rigs: Rigs, kind: str, fault: Fault) -> None:
        """A create whose answer is lost is not told as failed because the look for it fails too."""
        self._networked_kind(rigs, kind)
        for number in self._requests(rigs, kind):
            rig = rigs(f"{fault.name}-{number}".lower())
            looks = dict.fromkeys(range(number + 1, number + 4), fault)  # it is sent three times
            self._create_under(rig, kind, {number: Fault.LOST, **looks})

    @kinds
    def test_outcomes_belong_to_their_changes(self, rigs: Rigs, kind: str) -> None:
        """Each change of a batch gets its own record's id, in whatever order answers name them."""
        self._networked_kind(rigs, kind)
        rig = rigs("reordered")
        wanted = {name: self.small(rig, kind, name) for name in ("kit-a", "kit-b", "kit-c")}
        batch = rig.batch(*(creation(desired, name) for name, desired in wanted.items()))
        outcomes = rig.run_batch(kind, batch, plan=lambda number, request: Fault.REORDERED)
        assert [outcome.change for outcome in outcomes] == list(wanted)
        for outcome in outcomes:
            if outcome.status is not Status.UNKNOWN:
                assert outcome.status in _DONE, outcome
                live = rig.read(kind, outcome.id)
                expected = rig.adapter.normalise(wanted[outcome.change])
                assert not lacking(expected, live, rig.records(kind).fields), "another's id"

    @kinds
    def test_what_only_looks_alike_is_not_adopted(self, rigs: Rigs, kind: str) -> None:
        """After a kill, a stranger's record with the same key isn't taken for our own."""
        self._networked_kind(rigs, kind)
        rig = rigs("stranger")
        desired = self.small(rig, kind, "kit-new")
        field = next((n for n in ("title", "note", "name") if n in desired.given), "")
        if field not in ("title", "note"):
            pytest.skip("records of this kind are told apart by their key alone")
        stranger = desired.but(**{field: "Somebody else's"})
        stranger_id = rig.create(stranger)
        change = creation(desired)
        batch = rig.batch(change, uncertain=frozenset({change.id}))
        [outcome] = rig.run_batch(kind, batch)
        live = rig.read(kind, stranger_id)
        assert getattr(live, field) == "Somebody else's", "a stranger's record was overwritten"
        assert not (outcome.status in _DONE and outcome.id == stranger_id), (
            "a stranger's record was taken for the one that was to be made"
        )

    @kinds
    @pytest.mark.parametrize("fault", _FAULTS)
    def test_update_and_delete_survive(self, rigs: Rigs, kind: str, fault: Fault) -> None:
        """An update and a delete end with the store as wanted, or with a failure or `unknown`."""
        self._networked_kind(rigs, kind)
        rig = rigs("store")
        record_id = rig.create(self.small(rig, kind, "kit-old"))
        live = rig.read(kind, record_id)
        second = prune(self._spaced(rig, kind, "kit-old-2"), rig.records(kind).fields)
        update = next(iter(updates(live, second, rig.records(kind).fields)))
        for change in (
            _change("update", update.part, record_id, update.desired),
            _change("delete", "core", record_id, live),
        ):
            batch, journal = rig.batch(change), MemoryJournal()
            [outcome] = rig.run_batch(kind, batch, plan=at({0: fault}), journal=journal)
            if outcome.status is Status.UNKNOWN:
                [outcome] = rig.run_batch(kind, again(batch, journal), journal=journal)
            assert outcome.status in _DONE, f"{change.action}, {fault}: {outcome}"
            found = rig.fetch(kind, f"id:{record_id}")
            if change.action == "delete":
                assert found == (), f"deleted, {fault}"
            else:
                wanted = rig.adapter.normalise(update.desired)
                assert not lacking(wanted, found[0], rig.records(kind).fields), fault

    @kinds
    def test_killed_anywhere_a_batch_resumes(self, rigs: Rigs, kind: str) -> None:
        """A batch killed after any instruction and resumed ends as if nothing had happened."""
        rig = rigs("clean")
        self.supported(rig, kind)
        batch = self._batch(rig, kind)
        journal = MemoryJournal()
        rig.run_batch(kind, batch, journal=journal)
        assert all(outcome.status in _DONE for outcome in journal.kept.values()), journal.kept
        expected = _state(rig, kind)
        for after in count():
            died, resumed, journal = self._killed(rigs, kind, after)
            where = f"killed after {after} instructions and resumed"
            for change in batch.changes:
                outcome = journal.kept.get(change.id)
                assert outcome is not None, f"{where}: {change.id} has no outcome"
                assert outcome.status in _DONE, f"{where}: {outcome}"
            assert _state(resumed, kind) == expected, f"{where}: the store differs"
            if not died:
                return
            assert after < _ENOUGH, "the batch doesn't end"

    def _create_under(self, rig: Rig, kind: str, faults: dict[int, Fault]) -> None:
        """Create a record under faults, resume where the outcome is unknown, and check."""
        where = ", ".join(f"{fault} at request {number}" for number, fault in faults.items())
        there = {record.id for record in rig.all(kind)}
        desired = self._spaced(rig, kind, "kit-new")
        batch, journal = rig.batch(creation(desired)), MemoryJournal()
        [outcome] = rig.run_batch(kind, batch, plan=at(faults), journal=journal)
        made = [record for record in rig.all(kind) if record.id not in there]
        _check(outcome, made, where)
        if outcome.status is Status.UNKNOWN:
            [outcome] = rig.run_batch(kind, again(batch, journal), journal=journal)
            assert outcome.status in _DONE, f"{where}, then resumed: {outcome}"
            made = [record for record in rig.all(kind) if record.id not in there]
            _check(outcome, made, f"{where}, then resumed")
        for record in made:
            found = lacking(rig.adapter.normalise(desired), record, rig.records(kind).fields)
            assert not found, f"{where}: {found}"

    def _killed(self, rigs: Rigs, kind: str, after: int) -> tuple[bool, Rig, MemoryJournal]:
        """Run a batch that dies, and once more in a new process, as it were."""
        rig = rigs(f"killed-{after}")
        batch, journal = self._batch(rig, kind), MemoryJournal()
        dying, tells = interrupted(rig.records(kind), after)
        try:
            rig.run_batch(dying, batch, journal=journal)
        except Killed:
            rig.close()
            rig = rigs(f"killed-{after}")
            rest: Batch[Any] = again(batch, journal)
            if rest.changes:
                rig.run_batch(kind, rest, journal=journal)
        return tells.died, rig, journal

    def _batch(self, rig: Rig, kind: str) -> Batch[Any]:
        """Make a record and return a batch that creates, updates and creates."""
        record_id = rig.create(self.small(rig, kind, "kit-old"))
        live = rig.read(kind, record_id)
        second = self.small(rig, kind, "kit-old-2")
        update = next(iter(updates(live, second, rig.records(kind).fields)))
        changes = (
            creation(self._spaced(rig, kind, "kit-a"), "create a"),
            _change("update", update.part, record_id, update.desired),
            creation(self._spaced(rig, kind, "kit-b"), "create b"),
        )
        return rig.batch(*changes, id="kit-batch")

    def _spaced(self, rig: Rig, kind: str, name: str) -> Any:
        """Return a small record that is hard to know again.

        The platform may trim its title, and where a handle is enough it has no SKU that would
        stop a second one.
        """
        record = self.small(rig, kind, name)
        if "title" in record.given:
            record = record.but(title=f" {record.title} ")
        if "handle" in rig.records(kind).finds and "variants" in record.given:
            plain = (Variant(price=variant.price) for variant in record.variants)
            record = record.but(variants=tuple(plain))
        return record

    def _networked_kind(self, rigs: Rigs, kind: str) -> None:
        rig = rigs("probe")
        self.networked(rig)
        self.supported(rig, kind)

    def _requests(self, rigs: Rigs, kind: str) -> tuple[int, ...]:
        """Return the numbers of the requests of an undisturbed create that change something."""
        numbers = self._mutating.get((type(self), kind))
        if numbers is None:
            rig = rigs("undisturbed")
            change = creation(self.small(rig, kind, "kit-new"))
            start = len(rig.exchanges)
            rig.run_batch(kind, rig.batch(change))
            history = rig.exchanges[start:]
            numbers = tuple(each.number for each in history if each.request.kind.mutates)
            self._mutating[type(self), kind] = numbers
        return numbers


def _change(action: Any, part: str, record_id: str, desired: Any) -> Change[Any]:
    return Change(id=action, action=action, part=part, record_id=record_id, desired=desired)


def _check(outcome: Outcome, made: list[Record], where: str) -> None:
    """Hold an outcome against what is in the store."""
    assert len(made) <= 1, f"{where}: {len(made)} records were made, and told as {outcome.status}"
    if outcome.status in _DONE:
        assert len(made) == 1, f"{where}: told as {outcome.status}, and there is no record"
        assert outcome.id == made[0].id, f"{where}: the outcome names another record"
    elif outcome.status is not Status.UNKNOWN:
        assert not made, f"{where}: told as {outcome.status}, and there is a record"


def _state(rig: Rig, kind: str) -> list[str]:
    """Return the records of a kind by their values, without what a store numbers itself."""
    fields = rig.records(kind).fields
    records = (prune(record, fields).without("created_at") for record in rig.all(kind))
    return sorted(repr(sorted(flat(record, fields).items())) for record in records)
