"""The records of one kind in a store: reading, finding and direct writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Generic, TypeVar

from storebridge.adapter import Batch, Page, Query, Records
from storebridge.engine import Job
from storebridge.errors import StorebridgeError
from storebridge.flow import Outcome
from storebridge.models import Record
from storebridge.store.base import Walk, chosen, keys_of, missing, query_of, text_of

if TYPE_CHECKING:
    from storebridge.direct import Chunk, Verb
    from storebridge.store.sync import Store
    from storebridge.where import Where

__all__ = ["Items"]

T = TypeVar("T", bound=Record)


class Items(Generic[T]):
    """The records of one kind in a store."""

    def __init__(self, store: Store, records: Records[T]) -> None:
        """Hold a kind of a store; use `store.products` and its like."""
        self._store, self._records = store, records
        self._kind = records.model.kind

    def __repr__(self) -> str:
        return f"<{self._kind} records of {self._store.name}>"

    # -- reading

    def iter(
        self,
        where: str | Where = "",
        *,
        fields: Iterable[str] | None = None,
        updated_since: datetime | None = None,
        raw: bool = False,
    ) -> Iterator[T]:
        """Yield the records, page by page as they are needed.

        Args:
            where: only those that this condition matches (`storebridge.where`).
            fields: the fields that are needed, where all would take long, named as in a
                condition; None means all.
            updated_since: only those that were changed since.
            raw: whether each record carries the platform's own one as `.raw`.

        Raises:
            ConfigError: for a field that the kind doesn't have; the nearest one is named.
            WhereError: if the condition is wrong.
        """
        query, condition = query_of(where, self._records, fields, updated_since, raw)
        for page in self.pages(query):
            yield from (r for r in page.records if condition is None or condition.matches(r))

    def pages(self, query: Query) -> Iterator[Page[T]]:
        """Yield the pages of a query.

        Raises:
            BadAnswer: if the platform's pages go in circles.
        """
        walk, cursor = Walk(self._store.name, self._kind), ""
        while True:
            page = self._store.engine.run(self._records.page(query, cursor))
            yield page
            cursor = page.cursor
            if not walk.next(cursor):
                return

    def get(self, id: str) -> T:
        """Return the record with a platform id.

        Raises:
            NotFound: if there is none.
        """
        id = text_of(id, "get", "an id").removeprefix("id:")
        found = self._store.engine.run(self._records.fetch([f"id:{id}"], None))
        if not found:
            raise missing(self._records, self._store.name, id)
        return found[0]

    def find(self, key: str) -> T | None:
        """Return the record that has a key, None if there is none.

        Args:
            key: "handle:tee", "sku:A-1" or another kind of key; a bare word is a handle, then a
                SKU (an e-mail address for customers, a number for orders).

        Raises:
            ConfigError: if there is no such kind of key.
            Refused: if more than one record has it.
            NotSupported: if the platform can't look records up so.
        """
        keys = keys_of(key, self._records)
        return chosen(self._store.engine.run(self._records.fetch(keys, None)), keys)

    # -- writing

    def create(self, record: T) -> Outcome:
        """Create a record; one whose key is taken is left alone, and the outcome says so."""
        return self._one("create", record)

    def update(self, record: T) -> Outcome:
        """Change the given fields of the record that the id or the keys name."""
        return self._one("update", record)

    def upsert(self, record: T) -> Outcome:
        """Change the record that the id or the keys name, or create it."""
        return self._one("upsert", record)

    def delete(self, record: T | str) -> Outcome:
        """Delete a record, given itself or its id; archives it where a platform does only that."""
        return self._one("delete", record)

    def create_many(self, records: Iterable[T]) -> Iterator[Outcome]:
        """Create records in batches as the outcomes are iterated; nothing is written before.

        Yields one outcome for each record, in order.
        """
        return self._many("create", records)

    def update_many(self, records: Iterable[T]) -> Iterator[Outcome]:
        """Change records in batches as the outcomes are iterated; nothing is written before.

        Yields one outcome for each record, in order.
        """
        return self._many("update", records)

    def upsert_many(self, records: Iterable[T]) -> Iterator[Outcome]:
        """Upsert records in batches as the outcomes are iterated; nothing is written before.

        Yields one outcome for each record, in order.
        """
        return self._many("upsert", records)

    def delete_many(self, records: Iterable[T | str]) -> Iterator[Outcome]:
        """Delete records in batches as the outcomes are iterated; nothing is written before.

        Yields one outcome for each record, in order.
        """
        return self._many("delete", records)

    def _one(self, verb: Verb, record: T | str) -> Outcome:
        (outcome,) = self._many(verb, [record])
        return outcome

    def _many(self, verb: Verb, records: Iterable[T | str]) -> Iterator[Outcome]:
        done: dict[int, tuple[Outcome, ...]] = {}
        turn = 0
        for finished in self._store.engine.run_many(self._jobs(verb, records)):
            done[finished.job.key] = finished.result()
            while turn in done:
                yield from done.pop(turn)
                turn += 1

    def _jobs(self, verb: Verb, records: Iterable[T | str]) -> Iterator[Job[tuple[Outcome, ...]]]:
        from storebridge.direct import look_up, windows

        adapter, currency = self._store.adapter, self._store.info.currency
        state = self._store.state
        numbers = count()
        for window in windows(adapter, self._records, verb, records, currency, state):
            self._store.engine.run(look_up(window))
            for chunk in window:
                yield Job(chunk.lanes(), partial(self._carry_out, chunk), next(numbers))

    def _carry_out(self, chunk: Chunk) -> tuple[Outcome, ...]:
        """Run what a chunk asks for, and hand it the results."""
        steps, engine = chunk.steps(), self._store.engine
        try:
            step = next(steps)
            while True:
                try:
                    result = (
                        engine.run_batch(self._records, step)
                        if isinstance(step, Batch)
                        else engine.run(step)
                    )
                except StorebridgeError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as stop:
            outcomes: tuple[Outcome, ...] = stop.value
            return outcomes
