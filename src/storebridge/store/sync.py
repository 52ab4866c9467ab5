"""`Store`: one shop on one platform, used from threads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from storebridge.adapter import Adapter
from storebridge.engine import Engine
from storebridge.errors import ConfigError, NotSupported, UsageError
from storebridge.flow import Request, Response, send
from storebridge.models import (
    KINDS,
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
from storebridge.models.text import slug, words_in
from storebridge.store.base import Opening, check_there, word_of
from storebridge.store.items import Items

if TYPE_CHECKING:
    from storebridge.formats import Loss
    from storebridge.plan import Plan, Task, Transform
    from storebridge.state import StoreState
    from storebridge.tasks.listing import Replacement, Value

__all__ = ["Store"]

#: What `pull` takes by default, in the order in which a store wants it back.
_CATALOGUE = ("location", "market", "category", "collection", "product")


class Store:
    """One shop on one platform: its records, and plans for them.

    Opened by `storebridge.open`; a context manager. Nothing is connected before it is needed.
    Different stores share nothing, so any number of them may be open at once.
    """

    def __init__(self, adapter: Adapter, opening: Opening | None = None) -> None:
        """Hold an adapter with its settings; `storebridge.open` does this for a name or URL."""
        if not isinstance(adapter, Adapter):
            raise TypeError(
                "a store is opened by its name or URL with storebridge.open (for tasks "
                f"open_async); the class itself takes an adapter, not {type(adapter).__name__}"
            )
        self.adapter = adapter
        self.opening = opening or Opening()
        self._engines: list[Engine] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Store {self.name}>"

    def close(self) -> None:
        """Close connections and files; the store can be used again after it."""
        for engine in self._engines:
            engine.close()
        self._engines.clear()
        if "state" in self.__dict__:
            self.state.close()
        for name in ("engine", "state", "info"):
            self.__dict__.pop(name, None)
        self.adapter.close()

    # -- what it is

    @property
    def name(self) -> str:
        """What it is called in storebridge.toml; its URL where it has no name."""
        return self.opening.name or self.url

    @property
    def url(self) -> str:
        """How it was opened ("local:shop.db")."""
        return self.opening.url or f"{self.adapter.name}+{self.adapter.base_url}"

    @cached_property
    def info(self) -> StoreInfo:
        """The store's identity, currency, languages and places, as it says; asked once."""
        return self._engine(None).run(self.adapter.info())

    @property
    def notices(self) -> tuple[str, ...]:
        """What the store has warned of since it was opened (calls that it will drop)."""
        return tuple(dict.fromkeys(text for each in self._engines for text in each.notices))

    @cached_property
    def state(self) -> StoreState:
        """What is remembered of this store: rate limit, locks, history."""
        from storebridge.state import StoreState

        return StoreState(self.info.id, self.opening.state, self.name)

    @cached_property
    def engine(self) -> Engine:
        """What runs the adapter's flows."""
        return self._engine(self.state)

    def _engine(self, state: StoreState | None) -> Engine:
        engine = Engine(
            self.adapter,
            clock=self.opening.clock,
            transport=self.opening.transport,
            state=state,
            on_event=self.opening.on_event,
            options=self.opening.engine_options(self.adapter),
        )
        self._engines.append(engine)
        return engine

    # -- its records

    @property
    def products(self) -> Items[Product]:
        """The products, with their variants."""
        return self._items(Product)

    @property
    def collections(self) -> Items[Collection]:
        """The groups of products."""
        return self._items(Collection)

    @property
    def categories(self) -> Items[Category]:
        """The places in a general taxonomy."""
        return self._items(Category)

    @property
    def discounts(self) -> Items[Discount]:
        """The discounts: codes, and those without one."""
        return self._items(Discount)

    @property
    def customers(self) -> Items[Customer]:
        """The customers."""
        return self._items(Customer)

    @property
    def orders(self) -> Items[Order]:
        """The orders."""
        return self._items(Order)

    @property
    def reviews(self) -> Items[Review]:
        """The reviews of products."""
        return self._items(Review)

    @property
    def redirects(self) -> Items[Redirect]:
        """The old addresses, and where they lead."""
        return self._items(Redirect)

    @property
    def metafield_definitions(self) -> Items[MetafieldDefinition]:
        """The definitions of metafields."""
        return self._items(MetafieldDefinition)

    @property
    def locations(self) -> Items[Location]:
        """The places that hold stock."""
        return self._items(Location)

    @property
    def markets(self) -> Items[Market]:
        """The regions with their own currency, prices and languages."""
        return self._items(Market)

    def items(self, kind: str) -> Items[Any]:
        """Return the records of a kind by its word ("product").

        Raises:
            NotSupported: if the platform has no such records.
        """
        return Items(self, self.adapter.records(word_of(kind)))

    def _items(self, model: type[Any]) -> Items[Any]:
        return self.items(model.kind)

    def supports(self, kind: str) -> bool:
        """Return whether the platform has records of a kind ("product", or "products").

        Raises:
            UsageError: if no platform has such a kind; the nearest one is named.
        """
        word = word_of(kind)
        if word not in {*KINDS, *self.adapter.kinds()}:
            near = get_close_matches(word, KINDS, 1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(KINDS)}."
            raise UsageError(f"{kind!r} is no kind of record. {hint}")
        try:
            self.adapter.records(word)
        except NotSupported:
            return False
        return True

    def require(self, kind: str) -> None:
        """Make sure that the platform has records of a kind.

        Raises:
            NotSupported: if it doesn't; the message says what to use instead.
        """
        self.adapter.records(word_of(kind))

    def call(self, request: Request) -> Response:
        """Return the answer to a request of your own, sent with the store's credentials.

        Raises:
            AccessDenied: if it would change a store that is read only.
        """
        return self.engine.run(send(request))

    def accept(self, code: str) -> None:
        """Let the app in with the code of a person's consent, and keep the tokens it brings.

        The code is what `adapter.grant.code` found in the callback of the person's browser.

        Raises:
            AuthError: if the code is refused.
            NotSupported: if the store lets no app in that way.
        """
        self._engine(None).accept(code)

    # -- plans and files

    def plan(
        self,
        source: str | Path | Iterable[Record] | Store,
        output: str | Path | None = None,
        *,
        transforms: Sequence[Transform | Task] = (),
        on_progress: Callable[[str, int], None] | None = None,
        **options: Any,
    ) -> Plan:
        """Return the plan that brings this store to what a source asks for; changes nothing.

        Args:
            source: a file (a pattern, an archive or an https address too, see
                `storebridge.sources.opened`), records, or another store.
            output: the plan's file; by default a new one under `.storebridge/plans`.
            transforms: what to do to each desired record first, in order.
            on_progress: called with a stage and a count of records.
            **options: the fields of `storebridge.plan.PlanOptions`, and those of its guards.

        Raises:
            SourceError: for everything that is wrong with the source, at once.
        """
        from storebridge.plan import PlanOptions, make

        chosen = PlanOptions.of(**options)
        path = Path(output) if output else self._plan_file()
        return make(source, self, path, chosen, transforms=transforms, on_progress=on_progress)

    def edit(
        self,
        where: str = "",
        output: str | Path | None = None,
        *,
        set: Mapping[str, Value] | None = None,
        clear: Iterable[str] = (),
        replace: Iterable[Replacement | tuple[str, str, str]] = (),
        all: bool = False,
        on_progress: Callable[[str, int], None] | None = None,
        **options: Any,
    ) -> Plan:
        """Return the plan that edits the products that match; changes nothing.

        Args:
            where: which products, and which of their variants; needed unless `all` is given.
            output: the plan's file; by default a new one under `.storebridge/plans`.
            set: values by field ("seo.title", "price[CH]", "tags+"); see
                `storebridge.tasks.listing.Edit`.
            clear: fields to empty.
            replace: what to find in a field's text and what to put there: field, text, new text.
            all: whether every product is meant.
            on_progress: called with a stage and a count of records.
            **options: the fields of `storebridge.plan.PlanOptions`, and those of its guards.

        Raises:
            EditError: if what is asked makes no sense.
            ConfigError: if there is no such store.
        """
        from storebridge.formats import Context
        from storebridge.tasks.listing import Edit, EditError, Replacement

        if bool(where.strip()) == all:
            raise EditError(
                "an edit is for the products that a condition matches, or for all. Give a where "
                "(--where \"vendor = 'Acme'\"), or all (--all)."
            )
        check_there(self.adapter)
        given = {"location": options.get("location") or self.info.only_location, "folder": "."}
        edit = Edit(
            set,
            clear=clear,
            replace=[r if isinstance(r, Replacement) else Replacement(*r) for r in replace],
            where=where,
            context=Context.of(self.info, **{**given, **options.get("context", {})}),
        )
        options["stock"] = options.get("stock", False) or edit.gives_stock
        return self.plan(
            self, output, transforms=[edit], on_progress=on_progress, where=where, **options
        )

    def pull(
        self,
        output: str | Path,
        kind: str = "",
        *,
        where: str = "",
        fields: str | Iterable[str] = (),
        format: str = "",
        on_progress: Callable[[str, int], None] | None = None,
        **context: Any,
    ) -> list[Loss]:
        """Write the store's records to a file; return what the format could not hold.

        Args:
            output: the file; one that is there is replaced when the new one is whole.
            kind: one kind of record ("order", or "orders"); by default the catalogue (a JSONL
                file holds all of it).
            where: only records that this condition matches; without a kind, of the products.
            fields: only products, with these fields and what names them: "price", "seo.title",
                "title[de]", "metafields.custom.material", as the sheet's columns are called. In
                one text, they have commas between them.
            format: a name in `storebridge.formats.FORMATS`; by default JSONL or our own sheet,
                by the suffix.
            on_progress: called with a kind and a count of records.
            **context: how to write, by the names of `storebridge.formats.Context`.

        Raises:
            ConfigError: for a field that products don't have, fields of another kind, or a kind
                that the format can't hold; or if there is no such store.
        """
        from storebridge import formats

        check_there(self.adapter)
        on_progress = on_progress or (lambda _kind, _count: None)
        if kind:
            kind = word_of(kind)
            self.require(kind)
            format = formats.holding(Path(output), kind, format)
        if wanted := words_in(fields):
            records = self._chosen(wanted, kind, where, on_progress)
        else:
            kinds = [kind] if kind else [each for each in _CATALOGUE if self.supports(each)]
            records = self._records(kinds, where, on_progress)
        given = formats.Context.of(self.info, **{"store": self.info.id, **context})
        return formats.write(Path(output), records, given, format)

    def _chosen(
        self, words: Iterable[str], kind: str, where: str, on_progress: Callable[[str, int], None]
    ) -> Iterator[Record]:
        """Return products with some of their fields; the words are understood at once."""
        from storebridge.formats.sheet_fields import Fields

        if kind not in ("", Product.kind):
            raise ConfigError(f"fields can be chosen of products, not of {kind} records")
        chosen = Fields(words)
        found = enumerate(self.products.iter(where, fields=chosen.paths), 1)

        def records() -> Iterator[Record]:
            for count, product in found:
                yield chosen.of(product)
                on_progress(Product.kind, count)

        return records()

    def _records(
        self, kinds: Sequence[str], where: str, on_progress: Callable[[str, int], None]
    ) -> Iterator[Record]:
        for kind in kinds:
            chosen = where if kind == Product.kind or len(kinds) == 1 else ""
            count = 0
            for count, record in enumerate(self.items(kind).iter(chosen), 1):
                yield record
                on_progress(kind, count)

    def _plan_file(self) -> Path:
        folder = Path(".storebridge") / "plans"
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{slug(self.name)[:40]}-{time.strftime('%Y%m%d-%H%M%S')}"
        names = (f"{stem}{f'-{n}' if n else ''}.plan" for n in range(1000))
        return next(folder / name for name in names if not os.path.lexists(folder / name))
