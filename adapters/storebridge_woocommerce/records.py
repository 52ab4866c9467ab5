"""What the kinds of record share: paging, look-ups, and the outcomes of what was written."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from storebridge.adapter import Batch, Change, Page, Query, Records
from storebridge.errors import NotFound, OutcomeUnknown, StorebridgeError
from storebridge.flow import Flow, Outcome, Request, RequestKind, Status, report, send
from storebridge.models import Model, Record
from storebridge_woocommerce.batches import FATAL, Earlier, Item, Look, Pace, Result, create, update
from storebridge_woocommerce.site import Facts, Site
from storebridge_woocommerce.walk import MOST, Walked, rows_of, walk

if TYPE_CHECKING:
    from storebridge_woocommerce.adapter import WooCommerceSettings

__all__ = ["WooRecords", "failed", "holds", "mark", "since", "unknown"]

R = TypeVar("R", bound=Record)
Doc = Mapping[str, Any]
Params = tuple[tuple[str, str], ...]

#: "Modified after" is later than, in whole seconds: this much earlier is asked for.
_OVERLAP = timedelta(seconds=2)


class WooRecords(Records[R]):
    """One kind of record: its path, and how it goes to JSON and back."""

    path: ClassVar[str]
    #: What every read of it asks for besides.
    reading: ClassVar[Params] = (("context", "edit"),)
    fetch_size = 25

    def __init__(self, site: Site, settings: WooCommerceSettings) -> None:
        """Keep the shop and its settings."""
        self.site, self.settings = site, settings
        self.batch_size = settings.batch_size
        self.pace = Pace(settings.batch_size)

    @abstractmethod
    def read(self, doc: Doc, facts: Facts) -> R:
        """Return the record that WooCommerce's JSON describes."""

    def normal(self, desired: R) -> R:
        """Return a desired record as WooCommerce gives it back."""
        return desired

    def page(self, query: Query, cursor: str) -> Flow[Page[R]]:
        """Return the records at a cursor, in the order of their ids."""
        facts = yield from self.site.known()
        params = self.filters(query, facts)
        if params is None:
            return Page(())
        found = yield from self.walk((*self.reading, *params), cursor)
        records = yield from self.whole(found.rows, facts, query.fields)
        if query.raw:
            docs = {str(doc["id"]): doc for doc in found.rows}
            records = [record.with_raw(docs[record.id]) for record in records]
        return Page(tuple(records), found.cursor, found.total)

    def fetch(self, keys: Sequence[str], fields: frozenset[str] | None) -> Flow[tuple[R, ...]]:
        """Return the records that have any of these keys, each once."""
        facts = yield from self.site.known()
        docs = yield from self.look_up(keys, self.needed(fields))
        return tuple((yield from self.whole(docs, facts, fields)))

    def write(self, batch: Batch[R]) -> Flow[None]:
        """Make the changes of a batch, by action."""
        yield from self.site.known()
        for action, make in (
            ("create", self.create),
            ("update", self.update),
            ("delete", self.delete),
        ):
            changes = [change for change in batch.changes if change.action == action]
            if changes:
                yield from make(changes, batch)

    @abstractmethod
    def create(self, changes: Sequence[Change[R]], batch: Batch[R]) -> Flow[None]:
        """Make records, each once, and report what came of each."""

    @abstractmethod
    def update(self, changes: Sequence[Change[R]], batch: Batch[R]) -> Flow[None]:
        """Write the given fields of records that exist, and report what came of each."""

    def create_items(
        self,
        changes: Sequence[Change[R]],
        items: Sequence[Item],
        batch: Batch[R],
        look: Look,
        fits: Callable[[Item, Doc], bool],
        params: Params = (),
    ) -> Flow[None]:
        """Make the records of changes, an item each, and report what came of each item."""
        results = yield from create(
            self.path,
            items,
            pace=self.pace,
            look=look,
            fits=fits,
            params=params,
            earlier=Earlier(batch.uncertain),
        )
        yield from self._tell(changes, items, results)

    def update_items(self, changes: Sequence[Change[R]], items: Sequence[Item]) -> Flow[None]:
        """Write what changes set, an item each, and report what came of each item."""
        idle = [item for item in items if not item.body]
        if idle:
            yield from report([_unchanged(item) for item in idle])
        items = [item for item in items if item.body]
        results = yield from update(self.path, items, self.pace)
        yield from self._tell(changes, items, results)

    def _tell(
        self, changes: Sequence[Change[R]], items: Sequence[Item], results: Mapping[str, Result]
    ) -> Flow[None]:
        """Report what came of the changes that were sent, with the records of the answers."""
        facts = yield from self.site.known()
        docs = [row for row in results.values() if not isinstance(row, StorebridgeError)]
        # No field is named: what only a read has to ask for besides is left out.
        records = {r.id: r for r in (yield from self.whole(docs, facts, frozenset()))}
        asked = {item.key for item in items}
        sent = [change for change in changes if change.id in asked]
        yield from report(_outcomes(sent, results, lambda doc: records[str(doc["id"])]))

    def delete(self, changes: Sequence[Change[R]], batch: Batch[R]) -> Flow[None]:
        """Delete records one by one, and report what came of each."""
        for change in changes:
            yield from report([(yield from self._deleted(change))])

    # -- for each kind

    def filters(self, query: Query, facts: Facts) -> Params | None:
        """Return the parameters of a query; None if nothing can match."""
        params: list[tuple[str, str]] = []
        if query.ids:
            numbers = [each for each in query.ids if each.isdecimal()]
            if not numbers:
                return None
            params.append(("include", ",".join(numbers)))
        if asked := self.needed(query.fields):
            params.append(("_fields", asked))
        return tuple(params)

    def needed(self, fields: frozenset[str] | None) -> str:
        """Return what to ask for so that these fields can be read; "" means everything."""
        return ""

    def whole(
        self, docs: Sequence[Doc], facts: Facts, fields: frozenset[str] | None
    ) -> Flow[list[R]]:
        """Return the records of some rows, with what has to be asked for besides."""
        return [self.read(doc, facts) for doc in docs]
        yield  # an empty generator: nothing has to be asked by default

    def walk(self, params: Params, cursor: str) -> Flow[Walked]:
        """Return the rows at a cursor."""
        return (yield from walk(self.path, params, cursor, self.settings.page_size))

    def look_up(self, keys: Sequence[str], asked: str) -> Flow[list[Doc]]:
        """Return the rows that have any of these keys, each once; only ids by default."""
        return (yield from self.by_ids(keys, asked))

    def by_ids(self, keys: Sequence[str], asked: str) -> Flow[list[Doc]]:
        """Return the rows of the ids among some keys."""
        ids = [key.removeprefix("id:") for key in keys if key.startswith("id:")]
        ids = [each for each in dict.fromkeys(ids) if each.isdecimal()]
        found: list[Doc] = []
        for start in range(0, len(ids), MOST):
            wanted = ids[start : start + MOST]
            params: Params = (*self.reading, ("include", ",".join(wanted)))
            params += (("_fields", asked),) if asked else ()
            found += [r for r in (yield from rows_of(self.path, params)) if str(r["id"]) in wanted]
        return found

    def _deleted(self, change: Change[R]) -> Flow[Outcome]:
        request = Request(
            method="DELETE",
            path=f"{self.path}/{change.record_id}",
            kind=RequestKind.DELETE,
            params=self.deleting(),
            covers=(change.id,),
        )
        try:
            with suppress(NotFound):  # it is gone, which is what was wanted
                yield from send(request)
        except FATAL:
            raise
        except StorebridgeError as error:
            return failed(change, error)
        return Outcome(change=change.id, status=Status.APPLIED, id=change.record_id)

    def deleting(self) -> Params:
        """Return the parameters of a delete; most kinds know no trash."""
        return (("force", "true"),)


def _unchanged(item: Item) -> Outcome:
    return Outcome(change=item.change, status=Status.UNCHANGED, id=str(item.number))


def failed(change: Change[Any], error: StorebridgeError) -> Outcome:
    """Return the outcome of a change that an error stands for."""
    return Outcome.failure(change.id, error)


def mark(batch: Batch[Any], change: Change[Any]) -> str:
    """Return the mark of a new record, the same one when the batch comes again."""
    return f"{batch.id}:{change.id}"


def since(time: datetime) -> Params:
    """Return the parameters of what was changed since a time, with some overlap."""
    moment = time.astimezone(UTC) - _OVERLAP
    text = moment.replace(microsecond=0, tzinfo=None).isoformat()
    return (("modified_after", text), ("dates_are_gmt", "true"))


def holds(desired: Any, live: Any) -> bool:
    """Return whether a live value has all that is given in a desired one."""
    if isinstance(desired, Model) and isinstance(live, Model):
        given = desired.given - {"id"}
        return all(holds(getattr(desired, name), getattr(live, name)) for name in given)
    if isinstance(desired, tuple) and isinstance(live, tuple):
        return len(desired) == len(live) and all(map(holds, desired, live))
    return bool(desired == live)


def _outcomes(
    changes: Sequence[Change[Any]], results: Mapping[str, Result], read: Callable[[Doc], Record]
) -> list[Outcome]:
    """Return what became of changes: the record that the shop shows, its error, or unknown."""
    told = []
    for change in changes:
        result = results.get(change.id)
        if result is None:
            told.append(unknown(change))
        elif isinstance(result, StorebridgeError):
            told.append(failed(change, result))
        else:
            applied, record = Status.APPLIED, read(result)
            told.append(Outcome(change=change.id, status=applied, id=record.id, record=record))
    return told


def unknown(change: Change[Any]) -> Outcome:
    """Return the outcome of a change of which the shop said nothing."""
    return failed(change, OutcomeUnknown("the shop's answer does not say what came of it"))
