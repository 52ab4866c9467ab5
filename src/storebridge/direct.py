"""Direct writes: what `store.products.create` and its like do, without a plan file.

They keep the rules of plans: every key that hits must hit one record, only what differs is sent,
references become ids, one change is one part, a lost answer is looked into, and what was written
is compared with what the store then has. Chunks are looked up many at once; then each `Chunk` says
what to read and to send, step by step, and the two kinds of store carry the steps out.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal
from uuid import uuid4

from storebridge.adapter import PARTS, Adapter, Batch, Change, Records
from storebridge.compare import (
    EDITS,
    Doubt,
    Index,
    diff,
    flatten,
    key_for,
    match,
    misfit,
    names_of,
    rebuild,
    references,
    remaining,
    reworded,
    undotted,
    unlike,
    with_only,
)
from storebridge.errors import NotSupported
from storebridge.flow import Flow, Outcome, Status
from storebridge.ledger import Ledger
from storebridge.look import in_turn, look
from storebridge.models import Product, Record
from storebridge.models.base import with_article
from storebridge.models.checks import problems
from storebridge.models.lines import in_words
from storebridge.parts import declared, named_in, says, split, unsupported
from storebridge.pictures import Pictures
from storebridge.state import StoreState

__all__ = ["Chunk", "Steps", "Verb", "look_up", "windows"]

Verb = Literal["create", "update", "upsert", "delete"]

#: Yields flows to run and batches to send; gets what they return.
Steps = Generator[Flow[Any] | Batch[Any], Any, tuple[Outcome, ...]]

#: What several parts of one record come to: the first of these that happened to one of them.
_WORST = (Status.UNKNOWN, Status.FAILED, Status.SKIPPED, Status.APPLIED, Status.UNCHANGED)
_FINAL = (Status.APPLIED, Status.UNCHANGED)
#: About as many names has a record to be found by.
_NAMES = 2


@dataclass(slots=True)
class _Item:
    """One record on its way: what is wanted, what there is, what came of it."""

    desired: Record
    key: str
    live: Record | None = None
    outcome: Outcome | None = None
    left: tuple[str, ...] = ()
    """Paths of given fields that the platform can't hold."""
    held_back: int = 0
    """How many pictures were left out, since the store may have them under other names."""

    @property
    def id(self) -> str:
        """The record's platform id, once known."""
        made = self.outcome.id if self.outcome else ""
        return made or (self.live.id if self.live else "")

    @property
    def going(self) -> bool:
        """Whether nothing has gone wrong so far."""
        return self.outcome is None or self.outcome.status in _FINAL


def windows(
    adapter: Adapter,
    records: Records[Any],
    verb: Verb,
    source: Iterable[Record | str],
    currency: str,
    state: StoreState,
) -> Iterator[list[Chunk]]:
    """Yield chunks of what is to be written: the first alone, then as many as one look can find."""
    rest, size, count = _of_kind(source, records, verb), records.batch_size, 1
    ledger = Ledger(state, records, Pictures(state))
    while some := list(islice(rest, size * count)):
        starts = range(0, len(some), size)
        yield [
            Chunk(adapter, records, verb, some[at : at + size], currency, ledger) for at in starts
        ]
        ledger.pictures.flush()
        count = max(1, records.fetch_size // (_NAMES * size))


def _of_kind(
    source: Iterable[Record | str], records: Records[Any], verb: Verb
) -> Iterator[Record | str]:
    """Yield what is to be written; a dict or another kind of record is a mistake in a script."""
    model = records.model
    for one in source:
        if not isinstance(one, (model, str) if verb == "delete" else model):
            raise TypeError(
                f"{verb} takes a {model.__name__}, not {_article(one)}: write "
                f"{model.__name__}(...), from storebridge.models"
            )
        yield one


def _article(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def look_up(window: Sequence[Chunk]) -> Flow[None]:
    """Find the live record of each record of some chunks, and what stands in its way."""
    few = len(window) == 1
    names = dict.fromkeys(name for chunk in window for name in chunk.names(few=few))
    live = yield from fetched(window[0].records, list(names))
    found: dict[str, Record] = {record.id: record for record in live}
    index, taken = Index(found.values()), dict[str, str]()
    for chunk in window:
        chunk.meet(index, found, taken)


def fetched(records: Records[Any], keys: Sequence[str]) -> Flow[list[Any]]:
    """Return the records that have any of these keys, however many keys they are."""
    asked, found, size = list(dict.fromkeys(keys)), list[Any](), records.fetch_size
    for start in range(0, len(asked), size):
        found += yield from records.fetch(asked[start : start + size], None)
    return found


class Chunk:
    """Some records of one kind to write with one verb; at most a batch of them."""

    def __init__(
        self,
        adapter: Adapter,
        records: Records[Any],
        verb: Verb,
        desired: Sequence[Record | str],
        currency: str,
        ledger: Ledger,
    ) -> None:
        """Check the values and pictures; nothing is sent yet. A text is the id of a record."""
        self.adapter, self.records, self.verb, self.ledger = adapter, records, verb, ledger
        self.items = [self._item(record, currency) for record in desired]
        self._known: dict[str, tuple[str, ...]] = {}
        """All names of what is referred to, ids first, by kind and each ("product sku:A")."""

    # -- before the lanes are held

    def names(self, *, few: bool) -> dict[str, None]:
        """Return the names to look the records up by, each record's together.

        Each one that is to be new is looked up by the cheapest of its names while the lanes are
        held; that one is left out unless they are `few`.
        """
        later = self.verb == "create" and not few
        return {
            name: None
            for item in self.items
            if item.going
            for name in self._names(item)
            if not (later and name in self._again(item))
        }

    def meet(self, index: Index, found: Mapping[str, Record], taken: dict[str, str]) -> None:
        """Take the live record of each one, and fail those that something stands in the way of.

        Args:
            index: finds live records by their names.
            found: the live records by id.
            taken: what the chunks before have claimed, and by which of their records.
        """
        for item in filter(lambda item: item.going, self.items):
            handle = getattr(item.desired, "handle", "")
            renames = self.verb == "create"  # any record that is hit stands in its way
            answer = match(item.desired.label, handle, self._names(item), index, found, renames)
            if isinstance(answer, Doubt):
                remedy = "Give the record's id." if answer.cause == "rename" else answer.remedy
                self._fail(item, answer.cause, answer.message, remedy)
            elif not self._clash(item, answer.live, taken):
                item.live = answer.live

    def lanes(self) -> tuple[str, ...]:
        """Return what nobody else may touch meanwhile."""
        found = {
            lane
            for item in self.items
            if item.going
            for lane in self.records.lanes(self._change(item, "core", item.desired))
        }
        return tuple(sorted(found))

    # -- while the lanes are held

    def steps(self) -> Steps:
        """Write, part by part, and return one outcome for each record, in order."""
        asked = [name for item in self.items if item.going for name in self._again(item)]
        live = yield fetched(self.records, asked)
        fresh = {name: record for record in live for name in names_of(record)}
        pieces: dict[str, list[tuple[_Item, Change[Any]]]] = {}
        for item in filter(lambda item: item.going, self.items):
            found = next((fresh[name] for name in self._again(item) if name in fresh), None)
            if item.live is None and found is not None and self._clash(item, found, {}):
                continue  # somebody made it before the lanes were held
            item.live = found or item.live
        yield from self._refer(each for item in self.items for each in self._renamed(item))
        for item in filter(lambda item: item.going, self.items):
            for part, change in self._changes(item):
                pieces.setdefault(part, []).append((item, change))
        ids = yield from self._references(change for part in pieces.values() for _, change in part)
        for part in PARTS:
            yield from self._send(pieces.get(part, ()), ids)
        return tuple(self._result(item) for item in self.items)

    # -- one record

    def _item(self, wanted: Record | str, currency: str) -> _Item:
        record = self._named(wanted) if isinstance(wanted, str) else wanted
        if self.verb == "delete":
            return _Item(record, key_for(names_of(record)))
        if self.verb == "create":
            record = record.without("id")
        item = _Item(record, key_for(names_of(record)))
        looked = look(record, self.ledger.pictures, self.records.media_limits)
        for path, value, message, remedy in (*problems(record, currency), *looked.problems):
            self._fail(item, "invalid", f"{path}: {message} ({value!r})", remedy)
        item.left = tuple(unsupported(record, self.records.fields))
        if item.going:
            # What the platform makes of a value is no difference, here as in plans.
            item.desired = in_turn(self.adapter.normalise(looked.record), self.records.fields)
            gone = sorted(looked.record.given - item.desired.given - {*item.left})
            item.left += tuple(name for name in gone if says(record, name))
        return item

    def _named(self, id: str) -> Record:
        record: Record = self.records.model(id=id.removeprefix("id:"))
        return record

    def _names(self, item: _Item) -> list[str]:
        finds = {"id", *self.records.finds}
        if self.verb == "delete" and item.desired.id:
            finds = {"id"}
        return [name for name in names_of(item.desired) if _kind(name) in finds]

    def _again(self, item: _Item) -> list[str]:
        """Return the name by which a record is looked up once the lanes are held.

        Of one that wasn't there a moment ago that is the name that costs least to look up.
        """
        if item.live:
            return [f"id:{item.live.id}"]
        names = self._names(item)
        ranked = (name for kind in self.records.finds for name in names if kind == _kind(name))
        return [*ranked, *names][:1]

    def _clash(self, item: _Item, live: Record | None, taken: dict[str, str]) -> bool:
        """Fail a record that the verb doesn't fit, or that another one of the chunk means too."""
        kind, label = self.records.model.kind, item.desired.label
        names = [live.id] if live else [*filter(None, (item.key, *self._names(item)))]
        rival = next((taken[name] for name in names if name in taken), None)
        if live is not None and self.verb == "create":
            message = f"the store has {with_article(kind)} {live.label!r} already (id {live.id})"
            self._fail(item, "conflict", message, "Use update or upsert.")
        elif live is None and self.verb in ("update", "delete"):
            remedy = (
                "Create it first, or use upsert." if self.verb == "update" else "Nothing to do."
            )
            self._fail(item, "missing", f"the store has no {kind} {label!r}", remedy)
        elif rival is not None:
            message = f"{rival!r} and {label!r} mean the same {kind}"
            self._fail(item, "ambiguous", message, "Write one after the other, or make them one.")
        else:
            taken.update(dict.fromkeys(names, label))
        return not item.going

    def _changes(self, item: _Item) -> Iterable[tuple[str, Change[Any]]]:
        live, desired = item.live, item.desired
        if live is not None and self.verb == "delete":
            yield "core", replace(self._change(item, "core", live), before=live)
            return
        if live is not None:
            desired = reworded(with_only(in_words(desired, live), live), live, self._known)
        if doubt := misfit(desired, live):
            self._fail(item, doubt.cause, doubt.message, doubt.remedy)
            return
        desired, live, item.held_back = self.ledger.meant(desired, live)
        if live is None:
            for part, piece in split(self._whole(desired), self.records.fields).items():
                change = self._change(item, part, piece)
                # What was made a moment ago has nothing else yet, as in a plan.
                yield part, change if part == "core" else replace(change, before=self._blank)
        else:
            for part, piece in split(desired, self.records.fields).items():
                patch = diff(named_in(piece, part, self.records.fields), live)
                if patch.after:
                    before, after, removed = rebuild(self.records.model, patch)
                    change = self._change(item, part, after)
                    yield part, replace(change, before=before, removed=removed)

    def _change(self, item: _Item, part: str, desired: Record) -> Change[Any]:
        if self.verb == "delete":
            action: Literal["create", "update", "delete"] = "delete"
        else:
            action = "update" if item.live or part != "core" else "create"
        return Change(
            id=uuid4().hex,
            action=action,
            part=part,
            record_id=item.id,
            key=item.key,
            desired=desired,
        )

    def _whole(self, desired: Record) -> Record:
        """Return a new record with its edits (`tags_add`) as lists, a draft if it doesn't say."""
        desired = in_words(desired)
        edits = desired.given & EDITS.keys()
        if edits:
            asked = desired.without(*(desired.given - edits - {EDITS[name] for name in edits}))
            whole = rebuild(self.records.model, diff(asked, self._blank))[1]
            lists = {name: getattr(whole, name) for name in whole.given}
            desired = desired.without(*edits).model_copy(update=lists)
        if self._drafts and "status" not in desired.given:
            desired = desired.model_copy(update={"status": "draft"})
        return desired if declared("key", self.records.fields) else desired.without("key")

    @property
    def _blank(self) -> Record:
        """A record of which nothing is given."""
        blank: Record = self.records.model()
        return blank

    @property
    def _drafts(self) -> bool:
        return self.records.model.kind == Product.kind and "status" in self.records.fields

    # -- together

    def _references(self, changes: Iterable[Change[Any]]) -> Generator[Any, Any, dict[str, str]]:
        """Return the platform ids of the records that are referred to."""
        sent = (change.desired for change in changes if change.action != "delete")
        wanted = list(dict.fromkeys(each for desired in sent for each in references(desired)))
        yield from self._refer(wanted)
        keys = (f"{kind} {name}" for kind, name in wanted)
        return {key: self._known[key][0].removeprefix("id:") for key in keys if key in self._known}

    def _renamed(self, item: _Item) -> set[tuple[str, str]]:
        """Return what a record refers to by other keys than its live one, or not yet."""
        if item.live is None or not item.going or self.verb == "delete":
            return set()
        return unlike(item.desired, item.live)

    def _refer(self, wanted: Iterable[tuple[str, str]]) -> Generator[Any, Any, None]:
        """Find the records that are referred to by kind and name, with all their names."""
        unknown: dict[str, set[str]] = {}
        for kind, name in wanted:
            if f"{kind} {name}" not in self._known:
                unknown.setdefault(kind, set()).add(name)
        for kind, names in unknown.items():
            try:
                records = self.adapter.records(kind)
            except NotSupported:
                continue
            for record in (yield records.fetch(sorted(names), None)):
                called = names_of(record)
                self._known |= {f"{kind} {name}": called for name in called}

    def _send(
        self, planned: Sequence[tuple[_Item, Change[Any]]], ids: Mapping[str, str]
    ) -> Generator[Any, Any, None]:
        """Send the changes of one part, and compare what came of them."""
        sent: dict[str, tuple[_Item, Change[Any]]] = {}
        for item, change in planned:
            if item.going and self._refers(item, change, ids):
                change = replace(change, record_id=item.id)
                sent[change.id] = (item, change)
        if not sent:
            return
        changes = tuple(self.ledger.dressed(change) for _, change in sent.values())
        outcomes = yield Batch(id=uuid4().hex, changes=changes, ids=ids)
        unread = [o.id for o in outcomes if o.status in _FINAL and o.record is None and o.id]
        live = {r.id: r for r in (yield fetched(self.records, [f"id:{each}" for each in unread]))}
        for outcome in outcomes:
            item, change = sent[outcome.change]
            record = outcome.record or live.get(outcome.id)
            self.ledger.note(change.desired, outcome, record)
            if outcome.status in _FINAL and change.action != "delete":
                shown = outcome.shown if record else None
                if shown:  # it is all that was written; other fields only name the record
                    change = _given_by(shown, change)
                compared = self._compared(change, outcome, shown or record)
                outcome = replace(compared, record=record)
            item.outcome = _worse(item.outcome, outcome)

    def _refers(self, item: _Item, change: Change[Any], ids: Mapping[str, str]) -> bool:
        """Return whether all that a change refers to is there; else the change is left out."""
        if change.part != "membership" or change.action == "delete":
            return True
        for kind, name in references(change.desired):
            if f"{kind} {name}" not in ids:
                message = f"the store has no {kind} {name.partition(':')[2]!r}"
                self._fail(item, "reference", message, "Create it, or give one that exists.")
                return False
        return True

    def _compared(self, change: Change[Any], outcome: Outcome, live: Record | None) -> Outcome:
        """Return the outcome, or a failure where the store has something else than was sent."""
        if live is None:
            return replace(
                outcome,
                status=Status.FAILED,
                cause="differs",
                message="accepted, but the store doesn't have the record",
                remedy="Look for it in the store.",
            )
        shown = self.ledger.told(live, change.desired)
        found = [f"{path}: still there" for path in remaining(change.removed, live)]
        desired = reworded(self.adapter.normalise(change.desired), shown, self._known)
        for path, has, sent in flatten(self.records.model, diff(desired, shown)):
            fact = declared(undotted(path), self.records.fields)
            if fact is None or fact.read:
                found.append(f"{path}: sent {sent!r}, the store has {has!r}")
        if not found:
            return replace(outcome, record=live)
        return replace(
            outcome,
            status=Status.FAILED,
            record=live,
            cause="differs",
            message=f"accepted but different: {'; '.join(found[:5])}",
            remedy="Look at the record in the store.",
        )

    def _fail(self, item: _Item, cause: str, message: str, remedy: str) -> None:
        failed = Outcome(
            change="", status=Status.FAILED, id=item.id, cause=cause, message=message, remedy=remedy
        )
        item.outcome = _worse(item.outcome, failed)

    def _result(self, item: _Item) -> Outcome:
        """Return what a caller gets: the outcome under the record's own name."""
        outcome = item.outcome or Outcome(
            change="", status=Status.UNCHANGED, id=item.id, record=item.live
        )
        message = outcome.message
        if item.left and not message:
            message = f"{self.adapter.title} can't hold: {', '.join(item.left)}"
        if item.held_back and not message:
            message = "the pictures were left alone: the store may have them under other names"
        return replace(outcome, change=item.key or item.desired.label, message=message)


def _kind(name: str) -> str:
    return name.partition(":")[0]


def _given_by(shown: Record, change: Change[Any]) -> Change[Any]:
    """Return a change of no more fields than are shown."""
    others = change.desired.given - shown.given
    return replace(change, desired=change.desired.without(*others))


def _worse(first: Outcome | None, second: Outcome) -> Outcome:
    """Return the worse of two outcomes of one record, with the id that either has."""
    if first is None:
        return second
    worst = min(second, first, key=lambda outcome: _WORST.index(outcome.status))
    record = worst.record if worst is second else second.record or worst.record
    return replace(worst, id=worst.id or first.id or second.id, record=record)
