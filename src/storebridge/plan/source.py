"""Where desired records come from: a file, records in memory, or another store."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storebridge.errors import ConfigError, Problem
from storebridge.formats.base import Context, Sourced
from storebridge.models import KINDS, Record, StoreInfo

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = ["Source", "open_source"]


@dataclass(frozen=True, slots=True)
class Source:
    """Desired records, one by one, with the problems in between."""

    name: str
    items: Iterator[Sourced | Problem]
    checked: bool
    """Whether the values were checked while reading (files are)."""


def open_source(
    source: str | Path | Iterable[Record] | Store,
    info: StoreInfo,
    context: Mapping[str, Any],
    *,
    location: str = "",
    bare: bool = False,
) -> Source:
    """Return a source of desired records; what a file leaves open comes from the store.

    Args:
        source: a file, records, or a store.
        info: the store that the plan is for.
        context: what the source leaves open, where it isn't what the store says.
        location: where quantities without a location lie; "" if that isn't known.
        bare: whether records of that same store come with nothing but their names, so that
            nothing is given but what transforms give.

    Raises:
        ConfigError: if there is no such file.
    """
    if isinstance(source, str | os.PathLike):
        return _file(Path(source), info, context, location)
    from storebridge.store import Store

    if isinstance(source, Store):
        records = _everything(source)
        if bare and source.info.id == info.id:
            records = (record.without(*(record.given - _NAMES)) for record in records)
        return Source(source.url, _records(records, source.info.id), False)
    return Source("records", _records(source), False)


_NAMES = frozenset({"id", "key", "handle"})


def _file(path: Path, info: StoreInfo, context: Mapping[str, Any], location: str) -> Source:
    from storebridge import formats

    if not path.is_file():
        raise ConfigError(f"there is no file {path}")
    given = {name: value for name, value in context.items() if name != "format"}
    chosen = Context.of(info, **{"location": location, **given})
    items = formats.read(path, chosen, context.get("format", ""))
    return Source(path.name, items, True)


def _records(records: Iterable[Record], store: str = "") -> Iterator[Sourced | Problem]:
    for number, record in enumerate(records, 1):
        yield Sourced(record, number, store)


def _everything(store: Store) -> Iterator[Record]:
    for kind in KINDS:
        if kind in ("customer", "order") or not store.supports(kind):
            continue
        yield from store.items(kind).iter()
