"""Takes source records in: completes, checks and fits each one before anything is compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from storebridge.adapter import Field, Records
from storebridge.compare import key_for, names_of
from storebridge.errors import NotSupported, Problem
from storebridge.formats.base import Sourced
from storebridge.models import Collection, InventoryLevel, Product, Record
from storebridge.models.checks import problems as check
from storebridge.parts import unsupported
from storebridge.plan.changes import is_plain
from storebridge.plan.file import PlanFile
from storebridge.plan.options import PlanOptions
from storebridge.plan.source import Source
from storebridge.plan.spool import Spooled

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = ["Intake"]

#: What a record may give and still only change variants that exist.
_BARE = frozenset({"variants"})


class Intake:
    """Turns sourced records into spooled ones, and notes what the store can't hold."""

    def __init__(
        self, store: Store, file: PlanFile, options: PlanOptions, source: Source, location: str
    ) -> None:
        """Look up once what every record needs."""
        self._store, self._file, self._source = store, file, source
        self._match_id, self._identity = options.match_id, store.info.id
        self._kinds: dict[str, Records[Any] | None] = {}
        self._limited: dict[str, dict[str, Field]] = {}
        self._fits: list[tuple[str, str, str, str, str]] = []
        self._location = location
        self.parents: dict[str, str] = {}
        """The parent of each collection, by handle."""

    def take(
        self, item: Sourced, seq: int
    ) -> tuple[tuple[Spooled, Sequence[str]] | None, list[Problem]]:
        """Return a record for the spool with its keys, and what is wrong with it."""
        records = self._records(item.record.kind)
        if records is None:
            return None, []
        record, found = self._complete(item)
        self._fit(record, records)
        names = names_of(record)
        if not names:
            found.append(self._nameless(record, item.row))
        if isinstance(record, Collection) and record.parent:
            self.parents[record.handle] = record.parent
        row = Spooled(
            seq,
            record.kind,
            item.row,
            record.label,
            key=key_for(names),
            plain=int(is_plain(record, records.fields)),
            has_status=int("status" in record.given),
            bare=int(isinstance(record, Product) and record.model_fields_set <= _BARE),
            gone=int(item.delete),
            body=record.model_dump_json(),
        )
        return (row, names), found

    def _complete(self, item: Sourced) -> tuple[Record, list[Problem]]:
        """Check a record, and give it what its source left open."""
        record = item.record
        found = [] if self._source.checked else list(self._check(record, item.row))
        if record.id and not self._match_id and item.store != self._identity:
            record = record.without("id")
        if isinstance(record, Product):
            record, more = self._locate(record, item.row)
            found += more
        return self._store.adapter.normalise(record), found

    def finish(self) -> None:
        """Write the fit report."""
        self._file.add_fit(self._fits)
        self._fits = []

    def _records(self, kind: str) -> Records[Any] | None:
        if kind not in self._kinds:
            self._kinds[kind] = self._look_up(kind)
        return self._kinds[kind]

    def _look_up(self, kind: str) -> Records[Any] | None:
        try:
            records: Records[Any] = self._store.adapter.records(kind)
        except NotSupported as lack:
            self._note(kind, "every record", "", str(lack), "")
            return None
        self._limited[kind] = {p: f for p, f in records.fields.items() if f.max_length}
        return records

    def _check(self, record: Record, row: int) -> Iterator[Problem]:
        for path, value, message, remedy in check(record, self._store.info.currency):
            yield Problem(message, remedy, self._source.name, row, path, value)

    def _nameless(self, record: Record, row: int) -> Problem:
        return Problem(
            f"a {record.kind} has no key to find it by",
            "Give a handle, a SKU or an external key.",
            self._source.name,
            row,
        )

    def _locate(self, product: Product, row: int) -> tuple[Product, list[Problem]]:
        """Put quantities without a location where they belong."""
        if not any(level.location == "" for v in product.variants for level in v.inventory):
            return product, []
        if not self._location:
            remedy = "Say with --location which one; the store's are listed by 'stores check'."
            message = "a quantity names no location and the store has several"
            return product, [Problem(message, remedy, self._source.name, row)]
        variants = tuple(
            v.model_copy(update={"inventory": tuple(map(self._placed, v.inventory))})
            if v.inventory
            else v
            for v in product.variants
        )
        return product.model_copy(update={"variants": variants}), []

    def _placed(self, level: InventoryLevel) -> InventoryLevel:
        return level if level.location else level.model_copy(update={"location": self._location})

    def _fit(self, record: Record, records: Records[Any]) -> None:
        for path in unsupported(record, records.fields):
            self._note(record.kind, record.label, path, "the platform has no such field", "")
        for path, field in self._limited[record.kind].items():
            self._limit(record, path, field)
        for fit in records.check(record):
            self._note(fit.kind, fit.label, fit.field, fit.message, fit.source)

    def _limit(self, record: Record, path: str, field: Field) -> None:
        for value in _values(record, path.split(".")):
            if field.max_length and len(value) > field.max_length:
                message = f"{len(value)} is more than the {field.max_length} that fit"
                self._note(record.kind, record.label, path, message, field.source)

    def _note(self, kind: str, label: str, field: str, message: str, source: str) -> None:
        self._fits.append((kind, label, field, message, source))
        if len(self._fits) >= 500:
            self.finish()


def _values(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """Yield what lies at a path, through every element of the lists on the way."""
    if not path:
        if isinstance(value, str | tuple):
            yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _values(item, path)
    elif isinstance(value, Mapping):
        yield from _values(value.get(path[0]), path[1:])
    elif path[0] in getattr(value, "model_fields_set", ()):
        yield from _values(getattr(value, path[0]), path[1:])
