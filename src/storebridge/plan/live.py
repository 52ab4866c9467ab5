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
#: Records to a page, of a store that is counted before a page is asked for.
_PAGE = 50
#: Above so many look-ups a store that doesn't say how large it is is read whole.
_MOST_FETCHES = 20


class Live:
    """Finds the live records of one kind by any of their keys."""

    def __init__(
        self,
        store: Store,
        kind: str,
        spool: Spool,
        fields: frozenset[str] | None = None,
        *,
        spooled: bool = False,
    ) -> None:
        """Choose the cheaper way for as many records as the spool holds.

        Args:
            store: whose records.
            kind: which kind of them.
            spool: holds the source, and the live records if the store is read whole.
            fields: what has to be read of each record, its names included; None means all.
            spooled: whether the live records that count are in the spool already.
        """
        self._store, self._kind, self._spool, self._fields = store, kind, spool, fields
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

    def whole(self, record: Record) -> Record:
        """Return a record that was found with all of its variants' fields: some of them may go."""
        if self._fields is None or "variants" in self._fields:
            return record
        found = self._store.engine.run(self._records.fetch([f"id:{record.id}"], None))
        return next(iter(found), record)

    def _fetch(self, names: list[str]) -> Iterator[Record]:
        finds = {"id", *self._records.finds}
        asked = [name for name in names if name.partition(":")[0] in finds]
        for chunk in chunks(asked, self._records.fetch_size):
            yield from self._store.engine.run(self._records.fetch(chunk, self._fields))

    def _read_whole(self, wanted: int) -> bool:
        """Return whether the store was read whole.

        Its size, or else its first page, says whether it is too large for so few records.
        """
        query = Query(fields=self._fields)
        count = self._store.engine.run(self._records.count(query))
        if count is not None and not _is_worth(count, _PAGE, wanted):
            return False
        for number, page in enumerate(self._store.items(self._kind).pages(query)):
            if not number and count is None and page.cursor and self._is_large(page, wanted):
                return False
            rows = ((r.id, r.model_dump_json(), findable(r)) for r in page.records)
            self._spool.add_live(self._kind, rows)
        return True

    def _is_large(self, page: Page[Record], wanted: int) -> bool:
        if page.total is None:
            return wanted <= _MOST_FETCHES * self._records.fetch_size
        return not _is_worth(page.total, len(page.records), wanted)


def _is_worth(total: int, size: int, wanted: int) -> bool:
    """Return whether reading all pages of a size costs less than so many look-ups."""
    return total * _WORTH <= wanted * max(1, size)


def findable(record: Record) -> list[str]:
    """Return a record's names, and how they are found without regard to case and spaces."""
    names = names_of(record)
    return list(dict.fromkeys((*names, *map(fold, names))))


def pages(store: Store, kind: str, fields: frozenset[str] | None) -> Iterator[tuple[Record, ...]]:
    """Yield a kind's records page by page, with these fields; None means all.

    A repeated cursor ends the walk with an error.
    """
    for page in store.items(kind).pages(Query(fields=fields)):
        yield page.records
