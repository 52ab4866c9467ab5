"""`AsyncStore`: the same store, used from tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from storebridge.adapter import Adapter, Batch, Page, Query, Records
from storebridge.engine import AsyncEngine, Job
from storebridge.errors import StorebridgeError
from storebridge.flow import Outcome, Request, Response, send
from storebridge.models import (
    Category,
    Collection,
    Customer,
    Discount,
    Location,
    Market,
    MetafieldDefinition,
    Order,
    Product,
    Record,
    Redirect,
    Review,
    StoreInfo,
)
from storebridge.state import StoreState
from storebridge.store.base import (
    Opening,
    Walk,
    chosen,
    keys_of,
    missing,
    query_of,
    text_of,
    word_of,
)
from storebridge.store.sync import Store

if TYPE_CHECKING:
    from storebridge.direct import Chunk, Verb
    from storebridge.formats import Loss
    from storebridge.plan import Plan, Report
    from storebridge.where import Where

__all__ = ["AsyncItems", "AsyncStore"]

T = TypeVar("T", bound=Record)


class AsyncItems(Generic[T]):
    """The records of one kind in a store; as `Items`, for tasks."""

    def __init__(self, store: AsyncStore, records: Records[T]) -> None:
        """Hold a kind of a store; use `store.products` and its like."""
        self._store, self._records = store, records
        self._kind = records.model.kind

    def __repr__(self) -> str:
        return f"<{self._kind} records of {self._store.name}>"

    async def iter(
        self,
        where: str | Where = "",
        *,
        fields: Iterable[str] | None = None,
        updated_since: datetime | None = None,
        raw: bool = False,
    ) -> AsyncIterator[T]:
        """Yield the records, page by page as they are needed; as `Items.iter`."""
        query, condition = query_of(where, self._records, fields, updated_since, raw)
        async for page in self.pages(query):
            for record in page.records:
                if condition is None or condition.matches(record):
                    yield record

    async def pages(self, query: Query) -> AsyncIterator[Page[T]]:
        """Yield the pages of a query; as `Items.pages`."""
        engine = await self._store.engine()
        walk, cursor = Walk(self._store.name, self._kind), ""
        while True:
            page = await engine.run(self._records.page(query, cursor))
            yield page
            cursor = page.cursor
            if not walk.next(cursor):
                return

    async def get(self, id: str) -> T:
        """Return the record with a platform id, or raise NotFound."""
        id = text_of(id, "get", "an id").removeprefix("id:")
        found = await self._fetch([f"id:{id}"])
        if not found:
            raise missing(self._records, self._store.name, id)
        return found[0]

    async def find(self, key: str) -> T | None:
        """Return the record that has a key, None if there is none; as `Items.find`."""
        keys = keys_of(key, self._records)
        return chosen(await self._fetch(keys), keys)

    async def _fetch(self, keys: Sequence[str]) -> tuple[T, ...]:
        engine = await self._store.engine()
        return await engine.run(self._records.fetch(keys, None))

    async def create(self, record: T) -> Outcome:
        """Create a record; as `Items.create`."""
        return await self._one("create", record)

    async def update(self, record: T) -> Outcome:
        """Change the given fields of a record; as `Items.update`."""
        return await self._one("update", record)

    async def upsert(self, record: T) -> Outcome:
        """Change a record, or create it; as `Items.upsert`."""
        return await self._one("upsert", record)

    async def delete(self, record: T | str) -> Outcome:
        """Delete a record, given itself or its id; as `Items.delete`."""
        return await self._one("delete", record)

    def create_many(self, records: Iterable[T]) -> AsyncIterator[Outcome]:
        """Create records in batches as the outcomes are iterated; nothing is written before.

        Yields one outcome for each record, in order.
        """
        return self._many("create", records)

    def update_many(self, records: Iterable[T]) -> AsyncIterator[Outcome]:
        """Change records in batches as the outcomes are iterated; nothing is written before.

        Yields one outcome for each record, in order.
        """
        return self._many("update", records)

    def upsert_many(self, records: Iterable[T]) -> AsyncIterator[Outcome]:
        """Upsert records in batches as the outcomes are iterated; nothing is written before.

        Yields one outcome for each record, in order.
        """
        return self._many("upsert", records)

    def delete_many(self, records: Iterable[T | str]) -> AsyncIterator[Outcome]:
        """Delete records in batches as the outcomes are iterated; nothing is written before.

        Yields one outcome for each record, in order.
        """
        return self._many("delete", records)

    async def _one(self, verb: Verb, record: T | str) -> Outcome:
        (outcome,) = [each async for each in self._many(verb, [record])]
        return outcome

    async def _many(self, verb: Verb, records: Iterable[T | str]) -> AsyncIterator[Outcome]:
        """Write in rounds of as many batches as may be under way at once."""
        engine, most = await self._store.engine(), self._store.adapter.limits.max_concurrency
        chunks = self._chunks(engine, verb, records)
        while jobs := await self._round(engine, chunks, most):
            done = {}
            async for finished in engine.run_many(jobs):
                done[finished.job.key] = finished.result()
            for number in range(len(jobs)):
                for outcome in done[number]:
                    yield outcome

    async def _round(
        self, engine: AsyncEngine, chunks: AsyncIterator[Chunk], most: int
    ) -> list[Job[Any]]:
        jobs: list[Job[Any]] = []
        while len(jobs) < most and (chunk := await anext(chunks, None)) is not None:
            jobs.append(Job(chunk.lanes(), partial(self._carry_out, engine, chunk), len(jobs)))
        return jobs

    async def _chunks(
        self, engine: AsyncEngine, verb: Verb, records: Iterable[T | str]
    ) -> AsyncIterator[Chunk]:
        """Yield what is to be written in chunks that have been looked up."""
        from storebridge.direct import look_up, windows

        adapter, currency = self._store.adapter, (await self._store.info()).currency
        state = await self._store.state()
        for window in windows(adapter, self._records, verb, records, currency, state):
            await engine.run(look_up(window))
            for chunk in window:
                yield chunk

    async def _carry_out(self, engine: AsyncEngine, chunk: Chunk) -> tuple[Outcome, ...]:
        """Run what a chunk asks for, and hand it the results."""
        steps = chunk.steps()
        try:
            step = next(steps)
            while True:
                try:
                    result = (
                        await engine.run_batch(self._records, step)
                        if isinstance(step, Batch)
                        else await engine.run(step)
                    )
                except StorebridgeError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as stop:
            outcomes: tuple[Outcome, ...] = stop.value
            return outcomes


class AsyncStore:
    """One shop on one platform, for tasks; made by `storebridge.open_async`.

    The names are those of `Store`. Making, applying and undoing plans runs in a worker thread.
    """

    def __init__(self, adapter: Adapter, opening: Opening | None = None) -> None:
        """Hold an adapter with its settings; `storebridge.open_async` does this."""
        self.adapter = adapter
        self.opening = opening or Opening()
        self._sync = Store(adapter, self.opening)
        self._info: StoreInfo | None = None
        self._state: StoreState | None = None
        self._engine: AsyncEngine | None = None
        self._warned: tuple[str, ...] = ()
        self._lock: asyncio.Lock | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<AsyncStore {self.name}>"

    async def aclose(self) -> None:
        """Close connections and files."""
        if self._engine is not None:
            await self._engine.aclose()
        if self._state is not None:
            self._state.close()
        self._engine = self._state = self._info = None
        await asyncio.to_thread(self._sync.close)

    @property
    def name(self) -> str:
        """What it is called in storebridge.toml; its URL where it has no name."""
        return self._sync.name

    @property
    def url(self) -> str:
        """How it was opened ("local:shop.db")."""
        return self._sync.url

    async def info(self) -> StoreInfo:
        """Return the store's identity, currency, languages and places; asked once."""
        await self.engine()
        assert self._info is not None
        return self._info

    @property
    def notices(self) -> tuple[str, ...]:
        """What the store has warned of since it was opened; as `Store.notices`."""
        told = self._engine.notices if self._engine is not None else ()
        return tuple(dict.fromkeys((*self._warned, *told, *self._sync.notices)))

    async def state(self) -> StoreState:
        """Return what is remembered of this store: rate limit, locks, pictures."""
        await self.engine()
        assert self._state is not None
        return self._state

    async def engine(self) -> AsyncEngine:
        """Return what runs the adapter's flows."""
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            if self._engine is None:
                async with self._made(None) as engine:
                    self._info = await engine.run(self.adapter.info())
                    self._warned = engine.notices
                self._state = StoreState(self._info.id, self.opening.state, self.name)
                self._engine = self._made(self._state)
            return self._engine

    def _made(self, state: StoreState | None) -> AsyncEngine:
        return AsyncEngine(
            self.adapter,
            clock=self.opening.clock,
            transport=self.opening.transport,
            state=state,
            on_event=self.opening.on_event,
            options=self.opening.engine_options(self.adapter),
        )

    @property
    def products(self) -> AsyncItems[Product]:
        """The products, with their variants."""
        return self.items(Product.kind)

    @property
    def collections(self) -> AsyncItems[Collection]:
        """The groups of products."""
        return self.items(Collection.kind)

    @property
    def categories(self) -> AsyncItems[Category]:
        """The places in a general taxonomy."""
        return self.items(Category.kind)

    @property
    def discounts(self) -> AsyncItems[Discount]:
        """The discounts: codes, and those without one."""
        return self.items(Discount.kind)

    @property
    def customers(self) -> AsyncItems[Customer]:
        """The customers."""
        return self.items(Customer.kind)

    @property
    def orders(self) -> AsyncItems[Order]:
        """The orders."""
        return self.items(Order.kind)

    @property
    def reviews(self) -> AsyncItems[Review]:
        """The reviews of products."""
        return self.items(Review.kind)

    @property
    def redirects(self) -> AsyncItems[Redirect]:
        """The old addresses, and where they lead."""
        return self.items(Redirect.kind)

    @property
    def metafield_definitions(self) -> AsyncItems[MetafieldDefinition]:
        """The definitions of metafields."""
        return self.items(MetafieldDefinition.kind)

    @property
    def locations(self) -> AsyncItems[Location]:
        """The places that hold stock."""
        return self.items(Location.kind)

    @property
    def markets(self) -> AsyncItems[Market]:
        """The regions with their own currency, prices and languages."""
        return self.items(Market.kind)

    def items(self, kind: str) -> AsyncItems[Any]:
        """Return the records of a kind by its word; NotSupported if there are none."""
        return AsyncItems(self, self.adapter.records(word_of(kind)))

    def supports(self, kind: str) -> bool:
        """Return whether the platform has records of a kind."""
        return self._sync.supports(kind)

    def require(self, kind: str) -> None:
        """Raise NotSupported unless the platform has records of a kind."""
        self._sync.require(kind)

    async def call(self, request: Request) -> Response:
        """Return the answer to a request of your own; as `Store.call`."""
        return await (await self.engine()).run(send(request))

    async def accept(self, code: str) -> None:
        """Let the app in with the code of a person's consent; as `Store.accept`."""
        async with self._made(None) as engine:
            await engine.accept(code)

    async def plan(
        self,
        source: str | Path | Iterable[Record] | Store,
        output: str | Path | None = None,
        **options: Any,
    ) -> Plan:
        """Return the plan that brings this store to what a source asks for; as `Store.plan`."""
        return (await asyncio.to_thread(self._sync.plan, source, output, **options)).awaited()

    async def edit(self, where: str = "", output: str | Path | None = None, **options: Any) -> Plan:
        """Return the plan that edits the products that match; as `Store.edit`."""
        return (await asyncio.to_thread(self._sync.edit, where, output, **options)).awaited()

    async def apply(self, plan: Plan, **options: Any) -> Report:
        """Apply a plan to this store; as `Plan.apply`."""
        return await asyncio.to_thread(plan.apply, self._sync, **options)

    async def undo(self, plan: Plan, output: str | Path, **options: Any) -> Plan:
        """Return the inverse of an applied plan; as `Plan.undo`."""
        return (await asyncio.to_thread(plan.undo, output, self._sync, **options)).awaited()

    async def replan(self, plan: Plan, output: str | Path) -> Plan:
        """Return a new plan of what `apply` refused; as `Plan.replan`."""
        return (await asyncio.to_thread(plan.replan, output, self._sync)).awaited()

    async def pull(self, output: str | Path, kind: str = "", **options: Any) -> list[Loss]:
        """Write the store's records to a file; as `Store.pull`."""
        return await asyncio.to_thread(self._sync.pull, output, kind, **options)
