"""One store under test: an adapter on an engine with a virtual clock, faults and a journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Protocol, cast

from storebridge.adapter import Adapter, Batch, Change, Query, Records
from storebridge.compare import Origin, key_for, media_of, told
from storebridge.engine import Engine, HandlerTransport
from storebridge.errors import NotSupported, StorebridgeError
from storebridge.flow import Flow, Outcome, Status
from storebridge.models import Market, Record, StoreInfo
from storebridge.parts import split
from storebridge.testing.canaries import Canaries
from storebridge.testing.clock import VirtualClock
from storebridge.testing.faults import Exchange, FaultTransport, Killed, Plan
from storebridge.testing.samples import others, prune
from storebridge.testing.sandbox import Handler

__all__ = ["Author", "MemoryJournal", "Rig", "again", "creation", "interrupted"]

_DONE = (Status.APPLIED, Status.UNCHANGED)


class Author(Protocol):
    """What the author of a conformance test gives."""

    def adapter(self, folder: Path, canaries: Canaries) -> Adapter:
        """Return an adapter for the store in a folder."""
        ...

    def handler(self, folder: Path) -> Handler | None:
        """Return the sandbox of the store in a folder; None for stores without a network."""
        ...


class MemoryJournal:
    """A journal that a test can read; it outlives the engine that wrote it."""

    def __init__(self) -> None:
        """Start empty."""
        self.kept: dict[str, Outcome] = {}
        self.state: Any = None

    def outcomes(self, batch_id: str, outcomes: tuple[Outcome, ...]) -> None:
        """Keep outcomes by change."""
        self.kept.update((outcome.change, outcome) for outcome in outcomes)

    def remember(self, batch_id: str, state: Any) -> None:
        """Keep the batch's state."""
        self.state = state

    def advance(self, batch_id: str, done: int) -> None:
        """Keep nothing."""


class Rig:
    """One store, and what a test does with it. Close it to let go of files and connections."""

    def __init__(self, author: Author, folder: Path, canaries: Canaries) -> None:
        """Open the store of a folder; it is made if there is none."""
        self.author, self.folder, self.canaries = author, folder, canaries
        folder.mkdir(parents=True, exist_ok=True)
        self.clock = VirtualClock()
        self.adapter = author.adapter(folder, canaries)
        self.exchanges: list[Exchange] = []
        self.made: dict[str, str] = {}
        """Ids of created records, by kind and key ("collection handle:summer")."""
        self.media: dict[str, str] = {}
        """Media by the sources that they were made of, as outcomes told."""
        self._info: StoreInfo | None = None
        self._handler: Handler | None = None
        self._numbers = count(1)

    def close(self) -> None:
        """Close what the author's adapter and sandbox hold, where they can be closed."""
        for thing in (self.adapter, self._handler):
            close = getattr(thing, "close", None)
            if close is not None:
                close()

    @property
    def handler(self) -> Handler | None:
        """The store's sandbox, opened when it is first asked; None without a network."""
        if self._handler is None and self.has_network:
            self._handler = self.author.handler(self.folder)
        return self._handler

    @property
    def has_network(self) -> bool:
        """Whether the store is asked over HTTP."""
        return bool(self.adapter.base_url)

    @property
    def info(self) -> StoreInfo:
        """What the store says about itself."""
        if self._info is None:
            self._info = self.run(self.adapter.info())
        return self._info

    def furnish(self) -> None:
        """Make markets in three currencies where the store keeps markets and has none."""
        if self.info.markets or not self.supports("market"):
            return
        for currency, country in (("USD", "US"), ("JPY", "JP"), ("KWD", "KW")):
            name = f"kit-{country.lower()}"
            self.create(Market(handle=name, name=name, currency=currency, countries=(country,)))
        self._info = None

    def supports(self, kind: str) -> bool:
        """Whether the store keeps a kind of record."""
        return isinstance(self.adapter.kinds().get(kind), Records)

    def records(self, kind: str) -> Records[Any]:
        """Return one kind of record; NotSupported if the store lacks it."""
        found = self.adapter.kinds().get(kind)
        if isinstance(found, Records):
            return found
        raise found or NotSupported(f"the adapter has no records of kind {kind!r}")

    def run(self, flow: Flow[Any], plan: Plan | None = None) -> Any:
        """Return what a flow returns; a plan makes some of its requests fail."""
        with _Session(self, plan) as (engine, transport):
            try:
                return engine.run(flow)
            finally:
                self._note(transport)

    def run_batch(
        self,
        kind: str | Records[Any],
        batch: Batch[Any],
        *,
        plan: Plan | None = None,
        journal: MemoryJournal | None = None,
    ) -> tuple[Outcome, ...]:
        """Make the changes of a batch and return their outcomes, in order."""
        records = self.records(kind) if isinstance(kind, str) else kind
        with _Session(self, plan) as (engine, transport):
            try:
                outcomes = engine.run_batch(records, batch, journal or MemoryJournal())
                self.media.update(pair for each in outcomes for pair in each.media.items())
                return outcomes
            finally:
                self._note(transport)

    def batch(self, *changes: Change[Any], **fields: Any) -> Batch[Any]:
        """Return a batch with an id of its own and the ids of the records made so far."""
        number = fields.pop("id", f"batch-{self.folder.name}-{next(self._numbers)}")
        return Batch(id=number, changes=changes, ids=dict(self.made), **fields)

    def write(self, kind: str, *changes: Change[Any]) -> tuple[Outcome, ...]:
        """Make changes and return their outcomes; each must be applied or unchanged."""
        outcomes = self.run_batch(kind, self.batch(*changes))
        for outcome in outcomes:
            assert outcome.status in _DONE, f"{kind} {outcome.change}: {_words(outcome)}"
        return outcomes

    def create(self, desired: Record) -> str:
        """Create a record with all its parts, and those that it refers to; return its id."""
        records = self.records(desired.kind)
        desired = prune(desired, records.fields)
        self._create_others(desired)
        pieces = split(desired, records.fields)
        core = pieces.pop("core")
        [outcome] = self.write(desired.kind, creation(core))
        assert outcome.id, f"the outcome of creating a {desired.kind} has no id"
        names = desired.keys()
        self.made.update((f"{desired.kind} {name}", outcome.id) for name in names)
        for part, piece in pieces.items():
            self.update(desired.kind, outcome.id, part, piece.without("id", "key", "handle"))
        return outcome.id

    def update(self, kind: str, record_id: str, part: str, desired: Record, **more: Any) -> Outcome:
        """Write one part of a record that exists."""
        self._create_others(desired)
        change: Change[Any] = Change(
            id=f"{part} of {record_id}",
            action="update",
            part=part,
            record_id=record_id,
            desired=desired,
            **more,
        )
        return self.write(kind, change)[0]

    def _create_others(self, desired: Record) -> None:
        """Create the records that one refers to, where they aren't there yet."""
        for other in others(desired, self.info):
            if self.supports(other.kind) and f"{other.kind} {other.keys()[0]}" not in self.made:
                self.create(other)

    def fetch(self, kind: str, *keys: str) -> tuple[Any, ...]:
        """Return the records that have any of these keys, their media told by their sources."""
        found: tuple[Any, ...] = self.run(self.records(kind).fetch(keys, None))
        return tuple(map(self._told, found))

    def read(self, kind: str, record_id: str) -> Any:
        """Return the one record with an id."""
        found = self.fetch(kind, f"id:{record_id}")
        assert len(found) == 1, f"{len(found)} records of kind {kind} have the id {record_id}"
        return found[0]

    def walk(self, kind: str, **query: Any) -> Iterator[Any]:
        """Yield pages from the first to the last; fails where a walk doesn't end."""
        cursor, seen = "", {""}
        for _ in range(10_000):
            page = self.run(self.records(kind).page(Query(**query), cursor))
            yield page
            if not page.cursor:
                return
            assert page.cursor not in seen, f"the cursor {page.cursor!r} comes again"
            seen.add(cursor := page.cursor)
        raise AssertionError(f"paging through {kind} records doesn't end")

    def all(self, kind: str, **query: Any) -> list[Any]:
        """Return every record of a kind, its media told by their sources."""
        return [self._told(record) for page in self.walk(kind, **query) for record in page.records]

    def _told(self, record: Any) -> Any:
        held = {f"url:{item.url}" for item in media_of(record)}
        urls = (key for key in self.media if key.startswith("url:") and key not in held)
        return told(record, [Origin(key.removeprefix("url:"), "") for key in urls], self.media)

    def _note(self, transport: FaultTransport | None) -> None:
        if transport is not None:
            self.exchanges.extend(transport.history)


class _Session:
    """An engine for one run, so that requests are numbered from 0."""

    def __init__(self, rig: Rig, plan: Plan | None) -> None:
        self.transport: FaultTransport | None = None
        if rig.handler is not None:
            self.transport = FaultTransport(HandlerTransport(rig.handler), plan, clock=rig.clock)
        self.engine = Engine(rig.adapter, clock=rig.clock, transport=self.transport)

    def __enter__(self) -> tuple[Engine, FaultTransport | None]:
        return self.engine, self.transport

    def __exit__(self, *_: object) -> None:
        self.engine.close()


class _Interrupted:
    """Records whose `write` dies after so many instructions, as a killed process does."""

    def __init__(self, records: Records[Any], after: int) -> None:
        """Let `after` instructions be carried out; `died` tells whether it came to that."""
        self._records, self._after, self.died = records, after, False

    def write(self, batch: Batch[Any]) -> Flow[None]:
        """Write the batch until the kill; what was carried out before is done."""
        flow = self._records.write(batch)
        result: Any = None
        error: Exception | None = None
        for done in count():
            try:
                instruction = flow.send(result) if error is None else flow.throw(error)
            except StopIteration:
                return
            if done == self._after:
                self.died = True
                raise Killed(f"after {done} instructions")
            result = error = None
            try:
                result = yield instruction
            except StorebridgeError as caught:
                error = caught


def interrupted(records: Records[Any], after: int) -> tuple[Records[Any], _Interrupted]:
    """Return records that die while writing, and the object that tells whether they did."""
    proxy = _Interrupted(records, after)
    return cast("Records[Any]", proxy), proxy


def creation(desired: Record, change: str = "create") -> Change[Any]:
    """Return the change that creates a record with the fields of the part `core`."""
    return Change(
        id=change,
        action="create",
        part="core",
        key=key_for(desired.keys()),
        desired=desired.without("id"),
    )


def again(batch: Batch[Any], journal: MemoryJournal) -> Batch[Any]:
    """Return a batch as it comes again after a kill: what has an outcome is left out."""
    unsure = (Status.UNKNOWN,)
    known = {name for name, outcome in journal.kept.items() if outcome.status not in unsure}
    rest = tuple(change for change in batch.changes if change.id not in known)
    uncertain = frozenset(change.id for change in rest)
    return replace(batch, changes=rest, uncertain=uncertain, state=journal.state)


def _words(outcome: Outcome) -> str:
    return f"{outcome.status} ({outcome.cause or '-'}): {outcome.message}"
