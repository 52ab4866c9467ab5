"""What the store holds now: looked up by key for few records, read whole for many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from storebridge.adapter import Page, Query, Records
from storebridge.compare import fold, names_of
from storebridge.models import Record
from storebridge.plan.chunks import chunks
from storebridge.plan.spool import Spool

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = ["Live", "findable", "pages"]

#: So few records are asked for by key, however small the store is.
_FEW = 20
#: A page of the whole store is worth so many look-ups: they cost between 1 request for 100 keys
#: and one for each, as platforms find them.
_WORTH = 10
#: Above so many look-ups a store that doesn't say how large it is is read whole.
_MOST_FETCHES = 20


class Live:
    """Finds the live records of one kind by any of their keys."""

    def __init__(self, store: Store, kind: str, spool: Spool, *, spooled: bool = False) -> None:
        """Choose the cheaper way for as many records as the spool holds.

        Args:
            store: whose records.
            kind: which kind of them.
            spool: holds the source, and the live records if they are read whole.
            spooled: whether the live records that count are in the spool already.
        """
        self._store, self._kind, self._spool = store, kind, spool
        self._records: Records[Record] = store.adapter.records(kind)
        self._whole = spooled
        if not spooled and store.adapter.base_url and (count := spool.count(kind)) > _FEW:
            self._whole = self._read_whole(count)
        if self._whole:
            spool.index_live()

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

    def _read_whole(self, wanted: int) -> bool:
        """Return whether the store was read whole; its first page says whether it is too large."""
        for number, page in enumerate(self._store.items(self._kind).pages(Query())):
            if not number and page.cursor and not self._is_worth(page, wanted):
                return False
            rows = ((r.id, r.model_dump_json(), findable(r)) for r in page.records)
            self._spool.add_live(self._kind, rows)
        return True

    def _is_worth(self, page: Page[Record], wanted: int) -> bool:
        """Return whether reading all pages costs less than so many look-ups."""
        if page.total is None:
            return wanted > _MOST_FETCHES * self._records.fetch_size
        return page.total * _WORTH <= wanted * max(1, len(page.records))


def findable(record: Record) -> list[str]:
    """Return a record's names, and how they are found without regard to case and spaces."""
    names = names_of(record)
    return list(dict.fromkeys((*names, *map(fold, names))))


def pages(store: Store, kind: str) -> Iterator[tuple[Record, ...]]:
    """Yield a kind's records page by page; a repeated cursor ends the walk with an error."""
    for page in store.items(kind).pages(Query()):
        yield page.records
