"""A platform in a dict, to see what a store asks of an adapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from storebridge.adapter import Adapter, Batch, Change, Field, Limits, Page, Query, Records
from storebridge.errors import NotSupported
from storebridge.flow import Flow, Outcome, Status, call, report
from storebridge.models import Collection, Product, Record, StoreInfo


class FakeRecords(Records[Any]):
    """Records of one kind; writing stores what is desired, whole."""

    finds = ("id", "handle", "sku")
    batch_size = 2

    def __init__(self, model: type[Record], fields: Mapping[str, Field]) -> None:
        self.model, self.fields = model, fields
        self.held: dict[str, Record] = {}
        self.queries: list[Query] = []
        self.batches: list[Batch[Any]] = []
        self.cursors: list[str] = [""]
        self.refuses: set[str] = set()
        self.spoil: Any = None

    def page(self, query: Query, cursor: str) -> Flow[Page[Any]]:
        self.queries.append(query)
        here = self.cursors.index(cursor)
        after = self.cursors[here + 1] if here + 1 < len(self.cursors) else ""
        records = tuple(self.held.values()) if here == 0 else ()
        return (yield from call(lambda: Page(records, after)))

    def fetch(self, keys: Sequence[str], fields: frozenset[str] | None) -> Flow[tuple[Any, ...]]:
        found = [r for r in self.held.values() if {f"id:{r.id}", *r.keys()} & set(keys)]
        return (yield from call(lambda: tuple(found)))

    def write(self, batch: Batch[Any]) -> Flow[None]:
        self.batches.append(batch)
        yield from report([self._written(change) for change in batch.changes])

    def _written(self, change: Change[Any]) -> Outcome:
        if change.part in self.refuses:
            return Outcome(change=change.id, status=Status.FAILED, cause="rejected", message="no")
        id = change.record_id or str(len(self.held) + 1)
        if change.action == "delete":
            self.held.pop(id)
            return Outcome(change=change.id, status=Status.APPLIED, id=id)
        old = self.held.get(id, self.model(id=id))
        given = {name: getattr(change.desired, name) for name in change.desired.given - {"id"}}
        record = old.model_copy(update=given)
        self.held[id] = record if self.spoil is None else self.spoil(record)
        return Outcome(change=change.id, status=Status.APPLIED, id=id)


class FakeSettings(BaseModel):
    """Nothing to set."""


class FakeAdapter(Adapter):
    """The platform."""

    name: ClassVar[str] = "fake"
    title: ClassVar[str] = "Fake"
    api_version: ClassVar[str] = "1"
    Settings: ClassVar[type[BaseModel]] = FakeSettings

    def __init__(self) -> None:
        super().__init__(FakeSettings())
        fields = {name: Field() for name in ("handle", "title", "tags", "status", "variants")}
        self.products = FakeRecords(
            Product,
            {**fields, "vendor": Field("metafields"), "collections": Field("membership")},
        )
        self.collections = FakeRecords(Collection, {"handle": Field(), "title": Field()})
        self.asked = 0

    @property
    def limits(self) -> Limits:
        return Limits(concurrency=4, max_concurrency=4)

    def info(self) -> Flow[StoreInfo]:
        self.asked += 1
        return (yield from call(lambda: StoreInfo(id="fake-1", currency="EUR", locales=("en",))))

    def kinds(self) -> Mapping[str, Records[Any] | NotSupported]:
        return {"product": self.products, "collection": self.collections}
