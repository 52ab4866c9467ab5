"""Which fields of live records have to be read: what a comparison looks at, and no more.

On some platforms each list of a record costs of the rate limit, pictures and metafields as well as
stock; a feed of prices needn't pay for them. Whatever isn't asked for may be missing, and what is
missing counts as empty, so that these lists err on the side of more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from storebridge.adapter import Change, Records
from storebridge.models import Product, Record, Variant
from storebridge.parts import declared, path_names
from storebridge.plan.file import ChangeRow

__all__ = ["WHOLE_VARIANTS", "Needs", "kept_whole", "naming", "to_compare", "to_verify"]

#: What keys and labels are made of, in any kind of record.
_NAMING = frozenset(
    {"id", "key", "handle", "sku", "title", "path", "name", "email", "number", "codes", "product"}
    | {"author", "body", "owner", "metafield", "phone"}
)
#: What variants are known by, an only one by its barcode too.
_VARIANTS = frozenset({"variants.id", "variants.sku", "variants.options", "variants.barcodes"})
#: Variants that may go; the pictures that they show are told by the product's.
WHOLE_VARIANTS = frozenset({"variants", "media"})
#: What is looked at because something else is: a sale's price moves the one paid before, who is in
#: a collection with rules can't be set, and parcels and refunds name lines.
_BESIDES: Mapping[str, tuple[str, ...]] = {
    "variants.media": ("media",),
    "variants.sale": ("variants.price",),
    "products": ("rules", "sort_order"),
    "fulfillments": ("line_items",),
    "refunds": ("line_items",),
}


def naming(model: type[Record], names: Iterable[str] = ()) -> frozenset[str]:
    """Return the fields by which records are told apart and called.

    Args:
        model: the kind of record.
        names: what is looked for; with a SKU among them, those of variants are read.
    """
    own = _NAMING.intersection(model.model_fields)
    of_variants = issubclass(model, Product) and any(name.startswith("sku:") for name in names)
    return own | {"variants.sku"} if of_variants else own


def _looked_at(record: Record) -> Iterator[str]:
    """Yield the paths of a live record at which one side of a change is compared with it.

    Lists come whole. Of variants it is the fields that any of them gives, and what names them,
    unless the list replaces.
    """
    given = record.model_fields_set
    for name, path in path_names(type(record)).items():
        if name not in given or name == "modes":
            continue
        if name == "variants" and getattr(record, "modes", {}).get(name) != "replace":
            yield from _of_variants(getattr(record, name))
        else:
            yield from WHOLE_VARIANTS if name == "variants" else (path, *_BESIDES.get(path, ()))


def _of_variants(variants: Iterable[Variant]) -> Iterator[str]:
    yield from _VARIANTS
    for name in set[str]().union(*(variant.model_fields_set for variant in variants)):
        yield f"variants.{name}"
        yield from _BESIDES.get(f"variants.{name}", ())


class Needs:
    """The fields that comparing a source's records of one kind with live ones looks at."""

    def __init__(self, records: Records[Any]) -> None:
        """Begin with what names a record."""
        self._records = records
        self._paths = set(naming(records.model))
        self._whole = False

    def add(self, record: Record, names: Iterable[str]) -> None:
        """Count a desired record in, which is looked for by these names."""
        self._paths.update(_looked_at(record))
        self._paths |= naming(self._records.model, names)

    def add_paths(self, paths: Iterable[str] | None) -> None:
        """Count in what something else looks at; None for all."""
        self._whole = self._whole or paths is None
        self._paths.update(paths or ())

    @property
    def fields(self) -> frozenset[str] | None:
        """The fields to ask for; None means all."""
        return None if self._whole else _readable(self._paths, self._records)


def to_compare(
    records: Records[Any], changes: Iterable[tuple[Change[Any], ChangeRow]], names: Sequence[str]
) -> frozenset[str] | None:
    """Return the fields that tell of conflicts; None, all, where a record goes and is kept whole.

    Args:
        records: what the platform can read.
        changes: the changes that are about to be sent, with their rows.
        names: by which their records are looked up.
    """
    found = set(naming(records.model, names))
    for change, row in changes:
        if change.action == "delete":
            return None
        if change.action == "update":
            found.update(_compared(change))
        if row.reads:
            found.update(_looked_at(records.model.model_validate_json(row.reads)))
    return _readable(found, records)


def to_verify(
    records: Records[Any], changes: Iterable[tuple[Change[Any], ChangeRow]]
) -> frozenset[str] | None:
    """Return the fields that tell whether all was written; None, all, to keep a record whole."""
    found = set(naming(records.model))
    for change, row in changes:
        if kept_whole(change, row):
            return None
        found.update(_compared(change))
    return _readable(found, records)


def kept_whole(change: Change[Any], row: ChangeRow) -> bool:
    """Return whether undo will ask if anything has changed in a record since it was created."""
    return change.action == "create" and row.undo == "delete"


def _compared(change: Change[Any]) -> Iterator[str]:
    """Yield the paths at which a change is compared with the live record.

    The side before has what is taken out, whole.
    """
    yield from _looked_at(change.desired)
    if change.before is not None:
        yield from _looked_at(change.before)


def _readable(paths: Iterable[str], records: Records[Any]) -> frozenset[str]:
    """Return those of some paths that a platform isn't known to be unable to read."""
    facts = ((path, declared(path, records.fields)) for path in paths)
    return frozenset(path for path, fact in facts if fact is None or fact.read)
