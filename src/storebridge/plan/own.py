"""A store as its own source: what transforms look at and give is read once, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from storebridge.formats.base import Sourced
from storebridge.models import KINDS, Product, Record
from storebridge.plan.live import findable
from storebridge.plan.options import Task, Transform
from storebridge.plan.source import Source
from storebridge.plan.spool import Spool
from storebridge.where.paths import homes

if TYPE_CHECKING:
    from storebridge.store import Store
    from storebridge.where import Where

__all__ = ["PRODUCTS", "needed", "own_source", "read_by"]

#: What a plain function transforms.
PRODUCTS = frozenset({Product.kind})
_NAMES = frozenset({"id", "key", "handle"})
_CHUNK = 500


def own_source(
    store: Store,
    spool: Spool,
    transforms: Sequence[Transform | Task],
    scope: Callable[[str], Where | None],
) -> Source:
    """Return the records that transforms transform, with nothing given but their names.

    The live records go into the spool on the way, so that they needn't be read again.

    Args:
        store: the store, as its own source.
        spool: where the live records go.
        transforms: what will look at them.
        scope: gives the condition on a kind of record, None where all are meant.
    """
    kinds = frozenset[str]().union(*(getattr(t, "kinds", PRODUCTS) for t in transforms))
    fields = read_by(transforms)

    def items() -> Iterator[Sourced]:
        number = 0
        for kind in KINDS:
            if kind not in kinds or not store.supports(kind):
                continue
            own = fields and {path for path in fields if homes(KINDS[kind], path)}
            records = store.items(kind).iter(scope(kind) or "", fields=own)
            while chunk := list(islice(records, _CHUNK)):
                spool.add_live(kind, ((r.id, r.model_dump_json(), findable(r)) for r in chunk))
                for record in chunk:
                    number += 1
                    bare = record.without(*(record.given - _NAMES))
                    yield Sourced(bare, number, store.info.id)

    return Source(store.url, items(), False)


def read_by(transforms: Sequence[Transform | Task]) -> frozenset[str] | None:
    """Return the fields that all transforms together look at or give, None if one doesn't say."""
    told = [getattr(transform, "reads", None) for transform in transforms]
    fields = [paths for paths in told if paths is not None]
    return frozenset[str]().union(*fields) if len(fields) == len(told) else None


def needed(live: Record, paths: frozenset[str]) -> dict[str, Any]:
    """Return as JSON what a live record has at some paths, like "seo" or "variants.sku"."""
    within = {path.partition(".")[2] for path in paths if path.startswith("variants.")}
    record = live.without(*(live.given - paths))
    if within and isinstance(live, Product) and "variants" in live.given - paths:
        variants = tuple(v.without(*(v.given - within - {"id"})) for v in live.variants)
        record = record.model_copy(update={"variants": variants})
    return record.model_dump(mode="json")
