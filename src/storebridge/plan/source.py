"""Where desired records come from: a file, records in memory, or another store."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from storebridge.compare import readdressed
from storebridge.errors import Problem
from storebridge.formats.base import Context, Sourced
from storebridge.models import KINDS, Record, StoreInfo
from storebridge.sources import Opened, opened

if TYPE_CHECKING:
    from storebridge.formats.mapping import TableMapping
    from storebridge.store import Store

__all__ = ["Source", "open_source", "reading"]

#: What goes from one store to another only where it is asked for by its kind.
_NO_CATALOGUE = frozenset(
    ("discount", "customer", "order", "review", "redirect", "metafield_definition")
)


@dataclass(frozen=True, slots=True)
class Source:
    """Desired records, one by one, with the problems in between."""

    name: str
    items: Iterator[Sourced | Problem]
    checked: bool
    """Whether the values were checked while reading (files are)."""
    made_at: datetime | None = None
    """When it was made, as far as it says (a file's last change); None for what is read live."""
    closing: ExitStack = field(default_factory=ExitStack)
    """What goes with it: the copy of a file that was unpacked or fetched."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.close()


def open_source(
    source: str | Path | Opened | Iterable[Record] | Store,
    info: StoreInfo,
    context: Mapping[str, Any],
    *,
    location: str = "",
    mapping: TableMapping | None = None,
) -> Source:
    """Return a source of desired records; what a file leaves open comes from the store.

    Args:
        source: a file (or what `storebridge.sources.opened` takes), records, or a store.
        info: the store that the plan is for.
        context: what the source leaves open, where it isn't what the store says.
        location: where quantities without a location lie; "" if that isn't known.
        mapping: how a supplier's table becomes products, where the source is one.

    Raises:
        ConfigError: if there is no such file.
        SourceError: if it is cut short or damaged.
    """
    if isinstance(source, str | os.PathLike | Opened):
        chosen = reading(info, context, location, mapping)
        return _file(source, chosen, context.get("format", ""), info.currency)
    from storebridge.store import Store

    if isinstance(source, Store):
        records: Iterable[Record] = _everything(source)
        if source.info.id != info.id:
            records = (readdressed(record, source.adapter.picture) for record in records)
        return Source(source.url, _records(records, source.info.id), False)
    return Source("records", _records(source), False)


def reading(
    info: StoreInfo,
    given: Mapping[str, Any],
    location: str = "",
    mapping: TableMapping | None = None,
) -> Context:
    """Return what a file leaves open: an option beats the mapping, which beats the store.

    Args:
        info: what the store says.
        given: options, by the names of `storebridge.formats.Context`.
        location: where quantities without a location lie; "" if that isn't known.
        mapping: how a supplier's table becomes products.
    """
    context = Context.of(info, location=location)
    context = mapping.context(context) if mapping else context
    chosen = {name: value for name, value in given.items() if name != "format"}
    return replace(context, mapping=mapping, **chosen)


def _file(source: str | Path | Opened, context: Context, format: str, currency: str) -> Source:
    from storebridge import formats

    closing = ExitStack()
    found = source if isinstance(source, Opened) else closing.enter_context(opened(source))
    if found.folder is not None and not context.folder:
        context = replace(context, folder=str(found.folder))
    items = formats.read(found.path, context, format)
    if found.is_copy:  # under a name that nobody knows
        items = (replace(i, file=found.name) if isinstance(i, Problem) else i for i in items)
    # Reading checks against the file's own currency; the store's prices are in its own.
    checked = context.currency in ("", currency)
    return Source(found.name, items, checked, found.modified, closing)


def _records(records: Iterable[Record], store: str = "") -> Iterator[Sourced | Problem]:
    for number, record in enumerate(records, 1):
        if not isinstance(record, Record):
            raise TypeError(
                f"a source has records, and item {number} is a {type(record).__name__}: write "
                "Product(...), or another of storebridge.models"
            )
        yield Sourced(record, number, store)


def _everything(store: Store) -> Iterator[Record]:
    for kind in KINDS:
        if kind in _NO_CATALOGUE or not store.supports(kind):
            continue
        yield from store.items(kind).iter()
