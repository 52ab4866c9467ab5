"""What the kinds of record share: paging, look-ups, and writes that are never doubled."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

from storebridge.adapter import Batch, Change, Field, Page, Query, Records
from storebridge.errors import AuthError, NotFound, OutcomeUnknown, StorebridgeError
from storebridge.flow import Flow, Outcome, Request, RequestKind, Status, report, send, wait
from storebridge.models import Model, Record
from storebridge.wire import dumps, json_of

__all__ = ["TemplateRecords", "body", "request"]

R = TypeVar("R", bound=Record)
Doc = Mapping[str, Any]

#: Seconds after which a request whose answer was lost is surely done (manual, "Timeouts").
_SETTLED = 5.0


class TemplateRecords(Records[R]):
    """One kind of record: its path, and how it goes to JSON and back."""

    path: ClassVar[str]
    fields: Mapping[str, Field]
    finds: tuple[str, ...] = ("id", "key", "handle")

    def __init__(self, page_size: int) -> None:
        """Keep how many records a page has."""
        self.page_size = page_size

    @abstractmethod
    def read(self, doc: Doc) -> R:
        """Return the record that the platform's JSON describes."""

    @abstractmethod
    def payload(self, desired: R) -> Doc:
        """Return the platform's JSON for the given fields of the part `core`."""

    def normal(self, desired: R) -> R:
        """Return a desired record as Template gives it back: spaces around a title are cut off."""
        title = getattr(desired, "title", "")
        return desired if title == title.strip() else desired.but(title=title.strip())

    def page(self, query: Query, cursor: str) -> Flow[Page[R]]:
        """Return the records after a cursor, oldest first; the cursor is the last id."""
        params = [("limit", str(self.page_size)), *(("id", each) for each in query.ids)]
        if cursor:
            params.append(("after", cursor))
        if query.updated_since:
            params.append(("updated_since", query.updated_since.isoformat()))
        if query.status:
            params.append(("status", query.status))
        response = yield from send(Request(method="GET", path=self.path, params=tuple(params)))
        found = json_of(response)
        records = (self._read(doc, raw=query.raw) for doc in found["items"])
        return Page(tuple(records), cursor=str(found["next"] or ""), total=found["total"])

    def fetch(self, keys: Sequence[str], fields: frozenset[str] | None) -> Flow[tuple[R, ...]]:
        """Return the records that have any of these keys: one request for each kind of key."""
        docs = yield from self._look_up(keys)
        return tuple(self.read(doc) for doc in docs)

    def write(self, batch: Batch[R]) -> Flow[None]:
        """Make the changes one by one; Template has no bulk calls."""
        for change in batch.changes:
            outcome = yield from self._outcome(change, batch)
            yield from report((outcome,))

    def update(self, change: Change[R], batch: Batch[R]) -> Flow[Doc]:
        """Write the given fields of a record that exists, and return it as it is then."""
        response = yield from send(
            request(
                change, "PATCH", f"{self.path}/{change.record_id}", self.payload(change.desired)
            )
        )
        doc: Doc = json_of(response)
        return doc

    def _read(self, doc: Doc, *, raw: bool) -> R:
        record = self.read(doc)
        return record.with_raw(doc) if raw else record

    def _look_up(self, keys: Iterable[str]) -> Flow[list[Doc]]:
        """Return the platform's records that have any of these keys, each once."""
        by_kind: dict[str, list[str]] = {}
        for key in keys:
            kind, _, value = key.partition(":")
            if kind in self.finds and value:
                by_kind.setdefault(kind, []).append(value)
        found: dict[str, Doc] = {}
        for kind, values in by_kind.items():
            params = (("limit", "250"), *((kind, value) for value in values))
            response = yield from send(Request(method="GET", path=self.path, params=params))
            found.update((str(doc["id"]), doc) for doc in json_of(response)["items"])
        return list(found.values())

    def _outcome(self, change: Change[R], batch: Batch[R]) -> Flow[Outcome]:
        """Make one change; what fails is its own affair, unless nobody is let in."""
        try:
            if change.action == "delete":
                yield from self._delete(change)
                return Outcome(change=change.id, status=Status.APPLIED, id=change.record_id)
            if change.action == "create":
                doc = yield from self._create(change, sent=change.id in batch.uncertain)
            else:
                doc = yield from self.update(change, batch)
        except AuthError:
            raise
        except StorebridgeError as error:
            return Outcome.failure(change.id, error)
        return Outcome(
            change=change.id, status=Status.APPLIED, id=str(doc["id"]), record=self.read(doc)
        )

    def _delete(self, change: Change[R]) -> Flow[None]:
        with suppress(NotFound):  # it is gone, which is what was wanted
            yield from send(request(change, "DELETE", f"{self.path}/{change.record_id}"))

    def _create(self, change: Change[R], *, sent: bool) -> Flow[Doc]:
        """Create a record, once: whatever may have been sent is looked for first.

        Raises:
            OutcomeUnknown: if the answer was lost twice, or what was found can't be told from
                another record.
        """
        lost: OutcomeUnknown | None = None
        for _ in range(2):
            if sent and (found := (yield from self._made(change))) is not None:
                return found
            try:
                response = yield from send(
                    request(change, "POST", self.path, self.payload(change.desired))
                )
            except OutcomeUnknown as error:
                lost, sent = error, True
            else:
                doc: Doc = json_of(response)
                return doc
        if (found := (yield from self._made(change))) is not None:
            return found
        assert lost is not None
        raise lost

    def _made(self, change: Change[R]) -> Flow[Doc | None]:
        """Return what an earlier try of a create has made; looked for twice, None if nothing.

        Raises:
            OutcomeUnknown: if the key leads to a record with other values: it may be the one that
                was made, and changed since, or somebody else's. Also if there is no key, or the
                look fails: what was sent before is no more certain for it.
        """
        keys = dict.fromkeys(key for key in (change.key, *change.desired.keys()) if key)
        if not keys:
            raise OutcomeUnknown("there is no key to look for it by", covers=(change.id,))
        for pause in (_SETTLED, 0.0):
            try:
                docs = yield from self._look_up(keys)
            except AuthError:
                raise
            except StorebridgeError as error:
                raise OutcomeUnknown(
                    f"looking for it failed: {error}", covers=(change.id,)
                ) from error
            for doc in docs:
                if _holds(self.normal(change.desired), self.read(doc)):
                    return doc
            if docs:
                raise OutcomeUnknown(
                    f"{self.model.kind} {docs[0]['id']} has its key but other values",
                    covers=(change.id,),
                )
            if pause:
                yield from wait(pause, "a lost answer")
        return None


def request(change: Change[Any], method: str, path: str, value: Any = None) -> Request:
    """Return the request that makes a change: PATCH and PUT set absolute values."""
    kinds = {"POST": RequestKind.CREATE, "DELETE": RequestKind.DELETE}
    return Request(
        method=method,
        path=path,
        kind=kinds.get(method, RequestKind.SET),
        body=None if value is None else dumps(value),
        covers=(change.id,),
    )


def body(desired: Model, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the given fields that go to JSON as they are, under the platform's names."""
    return {
        theirs: getattr(desired, ours) for ours, theirs in names.items() if ours in desired.given
    }


def _holds(desired: Any, live: Any) -> bool:
    """Return whether a live value has all that is given in a desired one."""
    if isinstance(desired, Model) and isinstance(live, Model):
        given = desired.given - {"id"}
        return all(_holds(getattr(desired, name), getattr(live, name)) for name in given)
    if isinstance(desired, tuple) and isinstance(live, tuple):
        return len(desired) == len(live) and all(map(_holds, desired, live))
    return bool(desired == live)
