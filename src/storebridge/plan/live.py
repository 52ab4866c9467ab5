"""What the store holds now: looked up by key for few records, read whole for many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from storebridge.adapter import Query, Records
from storebridge.compare import fold, names_of
from storebridge.models import Record
from storebridge.plan.chunks import chunks
from storebridge.plan.spool import Spool

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = ["Live", "pages"]

#: Above so many look-ups, reading the whole store once is cheaper than asking for each key.
_MOST_FETCHES = 20


class Live:
    """Finds the live records of one kind by any of their keys."""

    def __init__(self, store: Store, kind: str, spool: Spool) -> None:
        """Choose the cheaper way for as many records as the spool holds."""
        self._store, self._kind, self._spool = store, kind, spool
        self._records: Records[Record] = store.adapter.records(kind)
        fetches = spool.count(kind) / self._records.fetch_size
        self._whole = bool(store.adapter.base_url) and fetches > _MOST_FETCHES
        if self._whole:
            self._read_whole()

    def find(self, names: Iterable[str]) -> dict[str, Record]:
        """Return the live records that have any of these keys, by id."""
        wanted = list(dict.fromkeys(names))
        if self._whole:
            folded = map(fold, wanted)
            bodies = self._spool.find_live(self._kind, list(dict.fromkeys((*wanted, *folded))))
            model = self._records.model
            records: Iterable[Record] = map(model.model_validate_json, bodies)
        else:
            records = self._fetch(wanted)
        return {record.id: record for record in records}

    def _fetch(self, names: list[str]) -> Iterator[Record]:
        finds = {"id", *self._records.finds}
        asked = [name for name in names if name.partition(":")[0] in finds]
        for chunk in chunks(asked, self._records.fetch_size):
            yield from self._store.engine.run(self._records.fetch(chunk, None))

    def _read_whole(self) -> None:
        for records in pages(self._store, self._kind):
            rows = ((r.id, r.model_dump_json(), _findable(r)) for r in records)
            self._spool.add_live(self._kind, rows)
        self._spool.index_live()


def _findable(record: Record) -> list[str]:
    """Return a record's names, and how they are found without regard to case and spaces."""
    names = names_of(record)
    return list(dict.fromkeys((*names, *map(fold, names))))


def pages(store: Store, kind: str) -> Iterator[tuple[Record, ...]]:
    """Yield a kind's records page by page; a repeated cursor ends the walk with an error."""
    for page in store.items(kind).pages(Query()):
        yield page.records
