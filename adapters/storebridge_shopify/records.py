"""What the kinds of record share: outcomes, and creates that are never doubled."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from storebridge.adapter import Batch, Change, Fit, Query, Records
from storebridge.errors import (
    AuthError,
    BadAnswer,
    Conflict,
    NotFound,
    OutcomeUnknown,
    StorebridgeError,
)
from storebridge.flow import Flow, Outcome, RequestKind, Status, report, wait
from storebridge.models import Metafield, Model, Record
from storebridge.wire import MISREAD
from storebridge_shopify import shapes
from storebridge_shopify.bulk_reading import CURSOR, BulkPages
from storebridge_shopify.bulk_shapes import Export
from storebridge_shopify.graphql import Doc, call, check, nothing_asked
from storebridge_shopify.metafield_checks import misfits
from storebridge_shopify.scopes import lacking
from storebridge_shopify.site import Facts, Shop
from storebridge_shopify.steps import Steps

if TYPE_CHECKING:
    from storebridge_shopify.adapter import ShopifySettings

__all__ = [
    "LATE",
    "ShopifyRecords",
    "applied",
    "finished",
    "given_paths",
    "holds",
    "looked",
    "mutate",
    "removal",
    "settled",
]

R = TypeVar("R", bound=Record)
T = TypeVar("T")

#: Seconds between two looks for what a lost create may have made.
_SETTLED = 5.0
#: Seconds between looks for what could be made twice, ten minutes together: longer than a request
#: lives that was answered with a 502 or 504.
LATE = (4.0, 12.0, 24.0, 40.0, 80.0, 140.0, 300.0)
#: Shopify counts no further than it is told to.
_MOST_COUNTED = 1_000_000
#: Seconds between looks at a job.
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)


class ShopifyRecords(Records[R]):
    """One kind of record of a shop."""

    fetch_size = 50
    batch_size = 50
    export: ClassVar[Export | None] = None
    """How the records come of jobs; None where only pages bring them."""
    enforced: ClassVar[bool] = True
    """Whether Shopify refuses a second record that has the key of another one."""

    owners: ClassVar[Mapping[str, str]] = {}
    """Whose the metafields at a path are, in Shopify's word ("PRODUCT")."""

    def __init__(self, shop: Shop, settings: ShopifySettings) -> None:
        """Keep the shop and its settings."""
        self.shop, self.settings = shop, settings
        self.consults = frozenset(self.owners)
        self.bulk_pages = BulkPages()

    def count(self, query: Query) -> Flow[int | None]:
        """Return how many records there are in all; None where only a part is asked for."""
        if self.export is None or query.ids or query.updated_since or query.status:
            return None
        variables = {"query": None, "limit": _MOST_COUNTED}
        [found] = (yield from call(self.export.count, variables)).values()
        return None if found is None else int(found["count"])

    def walked(
        self,
        cursor: str,
        search: str | None,
        flags: Mapping[str, bool],
        listed: Flow[tuple[list[Doc], str]],
    ) -> Flow[tuple[list[Doc], str]]:
        """Return the documents at a cursor and the next one: of pages, or of jobs where many are.

        Args:
            cursor: where to go on, "" at the start.
            search: which records the walk is through; None for all.
            flags: which connections are wanted.
            listed: the page at the cursor; it isn't asked for where that leads to a job's file.
        """
        if self.export is None or not cursor.startswith(CURSOR):
            docs, more = yield from listed
            if self.export is None or cursor or not more:
                return docs, more
            least = self.settings.bulk_from
            begun = yield from self.bulk_pages.opened(self.export, search, flags, least)
            if begun is None:
                return docs, more
            if not begun:
                return [], ""
            cursor = begun
        found, more = yield from self.bulk_pages.page(cursor)
        docs = yield from self.of_lines(found, flags, self._joined(found, flags))
        return docs, more

    def _joined(self, found: list[Doc], flags: Mapping[str, bool]) -> Flow[list[Doc]]:
        assert self.export is not None
        return (yield from self.joined([self.export.whole(each, flags) for each in found], flags))

    def of_lines(self, docs: Sequence[Doc], flags: Mapping[str, bool], flow: Flow[T]) -> Flow[T]:
        """Return what a flow makes of documents, of which some may be lines of a job's file.

        Raises:
            BadAnswer: naming the line that it can't read, and the place there.
        """
        try:
            return (yield from flow)
        except MISREAD:
            for doc in docs:
                if self.export is None or "__typename" not in doc:  # only lines say their types
                    raise
                if path := shapes.of_record(self.export.documents, flags, doc):
                    raise BadAnswer("a line of a job's file can't be read").at(path) from None
            raise

    def joined(self, docs: list[Doc], flags: Mapping[str, bool]) -> Flow[list[Doc]]:
        """Return documents of jobs with what no job can bring; here they lack nothing."""
        return nothing_asked(docs)

    def write(self, batch: Batch[R]) -> Flow[None]:
        """Make the changes one after the other, each with its outcome."""
        facts = yield from self.shop.known()
        yield from settled(batch)
        for change in batch.changes:
            yield from report([(yield from self.outcome(change, batch, facts))])

    def outcome(self, change: Change[R], batch: Batch[R], facts: Facts) -> Flow[Outcome]:
        """Make one change; what fails is its own affair, unless nobody is let in."""
        steps = Steps((change,))
        try:
            return steps.told((yield from steps.watched(self._made_so(change, batch, facts))))
        except AuthError:
            raise
        except StorebridgeError as error:
            return steps.failure(change.id, error)

    def _made_so(self, change: Change[R], batch: Batch[R], facts: Facts) -> Flow[Outcome]:
        if change.action == "delete":
            return applied(change, (yield from self.delete(change)))
        if change.action == "create":
            return applied(change, (yield from self.create(change, batch, facts)))
        return (yield from self.update(change, batch, facts))

    @abstractmethod
    def make(self, change: Change[R], batch: Batch[R], facts: Facts) -> Flow[str]:
        """Create a record by one request and return its id."""

    @abstractmethod
    def update(self, change: Change[R], batch: Batch[R], facts: Facts) -> Flow[Outcome]:
        """Write the given fields of one part of a record that exists."""

    @abstractmethod
    def delete(self, change: Change[R]) -> Flow[str]:
        """Delete a record and return its id; one that is gone already is deleted."""

    def normal(self, desired: R) -> R:
        """Return a desired record as Shopify gives it back."""
        return desired

    def consult(self) -> Flow[None]:
        """Ask for the shop's definitions of metafields, as they are now."""
        for owner in self.owners.values():
            self.shop.rules.pop(owner, None)
            yield from self.shop.ruled(owner)

    def check(self, record: R) -> Iterable[Fit]:
        """Yield what the token may not write, and the metafields that the shop won't take."""
        if self.shop.facts is not None:
            yield from lacking(record, given_paths(record), self.shop.facts.scopes)
        for path, owner in self.owners.items():
            rules = self.shop.rules.get(owner, {})
            yield from misfits(record, path, _metafields(record, path), rules)

    def is_made(self, desired: R, live: R) -> bool:
        """Return whether a record that has the key of one to be created is that one."""
        return holds(self.normal(desired), live)

    def own_keys(self, desired: R) -> list[str]:
        """Return the keys that `make` gives a record which has none that a look can rely on."""
        return []

    def create(self, change: Change[R], batch: Batch[R], facts: Facts) -> Flow[str]:
        """Create a record, once: whatever may have been sent is looked for first.

        What Shopify would make twice is never sent again after a lost answer. What a killed run may
        have sent is done by now: the batch has been `settled`.

        Raises:
            OutcomeUnknown: if the answer was lost twice, or what was found can't be told from
                another record.
        """
        lost: OutcomeUnknown | None = None
        sent, pauses = change.id in batch.uncertain, tuple[float, ...]()
        for _ in range(2):
            if sent and (found := (yield from self._made(change, pauses))):
                return found
            try:
                return (yield from self.make(change, batch, facts))
            except OutcomeUnknown as error:
                lost, sent, pauses = error, True, (_SETTLED,)
                if not self.enforced:
                    break
            except Conflict as error:
                if not sent:
                    raise
                return (yield from self._taken(change, error))
        assert lost is not None
        if found := (yield from self._made(change, (_SETTLED,) if self.enforced else LATE)):
            return found
        raise lost

    def _taken(self, change: Change[R], error: Conflict) -> Flow[str]:
        """Return the id of what has taken a key meanwhile, if an earlier try has made that.

        Raises:
            OutcomeUnknown: if it is another record, or none is to be seen.
        """
        if found := (yield from self._made(change, (_SETTLED,))):
            return found
        raise OutcomeUnknown(f"its key is taken: {error}", covers=(change.id,)) from error

    def _made(self, change: Change[R], pauses: Sequence[float]) -> Flow[str]:
        """Return the id of what an earlier try has made; "" if it isn't there after some pauses.

        Raises:
            OutcomeUnknown: if its key leads to other values, if it has no key, or a look fails.
        """
        own = self.own_keys(change.desired)
        keys = own or [key for key in (change.key, *change.desired.keys()) if key]
        if not keys:
            raise OutcomeUnknown("there is no key to look for it by", covers=(change.id,))
        for pause in (*pauses, 0.0):
            found = yield from looked(self.fetch(tuple(dict.fromkeys(keys)), None), change)
            for record in found:
                if self.is_made(change.desired, record):
                    return record.id
            if found and not own:
                text = f"{self.model.kind} {found[0].id} has its key but other values"
                raise OutcomeUnknown(text, covers=(change.id,))
            if pause:
                yield from wait(pause, "a lost answer")
        return ""


def _metafields(record: Record, path: str) -> Iterator[Metafield]:
    """Yield the metafields at a path, "metafields" or "variants.metafields"."""
    above, _, name = path.rpartition(".")
    for each in getattr(record, above) if above else (record,):
        yield from getattr(each, name)


def settled(batch: Batch[Any]) -> Flow[None]:
    """Wait, once for all, until the creates that a killed run may have sent have come or not."""
    creates = (change.id for change in batch.changes if change.action == "create")
    if not batch.uncertain.isdisjoint(creates):
        yield from wait(_SETTLED, "what was sent before the run ended")


def applied(change: Change[Any], record_id: str) -> Outcome:
    """Return the outcome of a change that was made."""
    return Outcome(change=change.id, status=Status.APPLIED, id=record_id)


def looked(look: Flow[T], change: Change[Any]) -> Flow[T]:
    """Return what a look at work that was sent finds.

    Raises:
        OutcomeUnknown: if the look fails: that says nothing about the work.
    """
    try:
        return (yield from look)
    except AuthError:
        raise
    except StorebridgeError as error:
        raise OutcomeUnknown(f"looking for it failed: {error}", covers=(change.id,)) from error


def mutate(
    name: str,
    root: str,
    variables: Doc,
    change: Change[Any],
    kind: RequestKind = RequestKind.SET,
) -> Flow[Doc]:
    """Make a change by a mutation and return its payload.

    Raises:
        Rejected, Conflict, NotFound: for user errors.
    """
    data = yield from call(name, variables, kind=kind, covers=(change.id,))
    return check(data[root])


def finished(job: Doc | None, change: Change[Any]) -> Flow[None]:
    """Wait until a job of the platform is done.

    Raises:
        OutcomeUnknown: if it isn't after two minutes.
    """
    for pause in (*_PAUSES, 0.0):
        if job is None or job["done"]:
            return
        if pause:
            yield from wait(pause, "Shopify works on it")
            job = (yield from looked(call("job", {"id": job["id"]}), change))["job"]
    raise OutcomeUnknown("Shopify is still at work on it", covers=(change.id,))


def removal(name: str, root: str, change: Change[Any]) -> Flow[str]:
    """Delete a record and return its id; one that is gone already is deleted."""
    try:
        variables = {"id": change.record_id}
        data = yield from call(name, variables, kind=RequestKind.DELETE, covers=(change.id,))
    except NotFound:
        return change.record_id
    errors = data[root]["userErrors"]
    # "... does not exist" has no code; the field says that it is about the id.
    if any((each.get("field") or [""])[-1] != "id" for each in errors):
        check(data[root])
    return change.record_id


def holds(desired: Any, live: Any) -> bool:
    """Return whether a live value has all that is given in a desired one."""
    if isinstance(desired, Model) and isinstance(live, Model):
        given = desired.given - {"id", "modes", "platform_fields"}
        return all(holds(getattr(desired, name), getattr(live, name)) for name in given)
    if isinstance(desired, tuple) and isinstance(live, tuple):
        if desired and hasattr(desired[0], "element_keys"):
            return all(any(holds(each, other) for other in _alike(each, live)) for each in desired)
        return len(desired) == len(live) and all(map(holds, desired, live))
    return bool(desired == live)


def _alike(element: Any, live: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the live elements that one can be: that of its id, any where it has none."""
    known = getattr(element, "id", "")
    return tuple(each for each in live if each.id == known) if known else live


def given_paths(model: Model, above: str = "") -> list[str]:
    """Return the paths of what is given in a record and in what it holds."""
    found: dict[str, None] = {}
    for name in sorted(model.given):
        path = f"{above}{name.removesuffix('_add').removesuffix('_remove')}"
        found[path] = None
        value = getattr(model, name)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Model):
                found |= dict.fromkeys(given_paths(each, f"{path}."))
    return list(found)
