"""Takes source records in: completes, checks and fits each one before anything is compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeGuard

from pydantic_core import PydanticSerializationError

from storebridge.adapter import Field, Records
from storebridge.compare import EDITS, composed, key_for, misfit, origins, sought, ways_to_name
from storebridge.errors import NotSupported, Problem
from storebridge.formats.base import Sourced
from storebridge.look import in_turn, look
from storebridge.models import Collection, LineItem, Product, Record
from storebridge.models.base import with_article
from storebridge.models.checks import problems as check
from storebridge.models.lines import in_words
from storebridge.parts import says, unsupported
from storebridge.pictures import Pictures
from storebridge.plan.changes import is_plain
from storebridge.plan.fields import alone
from storebridge.plan.file import PlanFile
from storebridge.plan.needs import Needs
from storebridge.plan.options import PlanOptions
from storebridge.plan.places import Places
from storebridge.plan.source import Source
from storebridge.plan.spool import Spooled

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = ["Intake"]

#: What a record may give and still only change variants that exist.
_BARE = frozenset({"variants"})
#: What names something by an id of the store that it comes from.
_IDS = ("id", "customer_id", "product_id", "variant_id")


class Intake:
    """Turns sourced records into spooled ones, and notes what the store can't hold."""

    def __init__(
        self,
        store: Store,
        file: PlanFile,
        options: PlanOptions,
        source: Source,
        places: Places,
        pictures: Pictures,
        *,
        transformed: bool,
    ) -> None:
        """Look up once what every record needs; what is transformed is placed only then."""
        self._store, self._file, self._source = store, file, source
        self._match_id, self._identity = options.match == "id", store.info.id
        self._chosen = options.chosen
        self._kinds: dict[str, Records[Any] | None] = {}
        self._consulted = set[str]()
        self._limited: dict[str, dict[str, Field]] = {}
        self._fits: list[tuple[str, str, str, str, str]] = []
        self._places, self._pictures = places, pictures
        self._transformed, self._told = transformed, set[str]()
        self.rows = 0
        """How many records were taken in; one that only changes variants counts once for each."""
        self.parents: dict[str, str] = {}
        """The parent of each collection, by handle."""
        self.filled: set[str] = set()
        """The handles of the collections that fill themselves."""
        self.needs: dict[str, Needs] = {}
        """What has to be read of live records, by kind."""

    def take(
        self, item: Sourced, seq: int
    ) -> tuple[tuple[Spooled, Sequence[str]] | None, list[Problem]]:
        """Return a record for the spool with its keys, and what is wrong with it."""
        self.rows += _rows(item.record)
        records = self._records(item.record.kind)
        if records is None:
            return None, []
        record, found = self._complete(item)
        record, more = self._look(record, records, item.row)
        found += more
        self._fit(alone(self._chosen, record), records, frozenset())
        # What the platform makes of a value is told first, and taken for granted from here on.
        record = self._store.adapter.normalise(record)
        record = in_turn(record, records.fields)
        names = sought(record, records.finds)
        if not names:
            found.append(self._nameless(records, item.row))
        self._need(record, names, whole=item.delete)
        if isinstance(record, Collection):
            if record.parent:
                self.parents[record.handle] = record.parent
            if record.rules:
                self.filled.add(record.handle)
        body = _json(record)
        if body is None:
            return None, [*found, self._broken(record, item.row)]
        bare = _is_bare(record)
        row = Spooled(
            seq,
            record.kind,
            item.row,
            record.label,
            key=key_for(names),
            plain=int(not bare and self._is_plain(record, records)),
            has_status=int("status" in record.given),
            bare=int(bare),
            gone=int(item.delete),
            expects=item.expects,
            body=body,
        )
        return (row, names), found

    def _complete(self, item: Sourced) -> tuple[Record, list[Problem]]:
        """Check a record, and give it what its source left open."""
        record = item.record
        found = [] if self._source.checked else list(self._check(record, item.row))
        if not self._match_id and item.store != self._identity:
            lost = list(_only_ids(record))
            found += (self._unnamed(record, path, item.row) for path in lost)
            if getattr(record, "customer_id", ""):
                message = "an id of another store names nobody here (--match id takes it over)"
                self._note(record.kind, record.label, "customer_id", message, "")
            record = _without_ids(in_words(record))
        record = _composed(record)
        if isinstance(record, Product):
            record = self._places.put(record)
            if not self._transformed:
                found += self._untold(self._misplaced(record, item.row))
        return record, found

    def _look(
        self, record: Record, records: Records[Any], row: int
    ) -> tuple[Record, list[Problem]]:
        """Look at the picture files of a record, and name them by their content."""
        record, found, unfit = look(record, self._pictures, records.media_limits)
        for message in unfit:
            field, source = "media", records.media_limits.source
            self._note(record.kind, record.label, field, message, source)
        file = self._source.name
        return record, [Problem(m, r, file, row, path, value) for path, value, m, r in found]

    def _need(self, record: Record, names: Sequence[str], *, whole: bool) -> None:
        """Note what has to be read to compare a record; what is to go is kept whole."""
        needs = self.needs[record.kind]
        needs.add(alone(self._chosen, record), names)
        if whole:
            needs.add_paths(None)

    def _is_plain(self, record: Record, records: Records[Any]) -> bool:
        if records.shares_media and origins(record):
            return False  # the ledger may have them
        if records.is_late(record) or misfit(record, None):
            return False
        return is_plain(record, records.fields)

    def finish(self) -> None:
        """Write the fit report."""
        self._pictures.flush()
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
        self.needs[kind] = Needs(records)
        return records

    def _check(self, record: Record, row: int | None) -> Iterator[Problem]:
        for path, value, message, remedy in check(record, self._store.info.currency):
            yield Problem(message, remedy, self._source.name, row, path, value)

    def _nameless(self, records: Records[Any], row: int) -> Problem:
        return Problem(
            f"{with_article(records.model.kind)} has no key to find it by",
            ways_to_name(records.finds),
            self._source.name,
            row,
        )

    def _broken(self, record: Record, row: int | None) -> Problem:
        given = (
            name for name in record.given if _json(record.without(*(record.given - {name}))) is None
        )
        return Problem(
            f"a {record.kind} has a text with half a character (a lone surrogate)",
            "Remove it, or read the text anew in its real encoding.",
            self._source.name,
            row,
            ", ".join(sorted(given)),
        )

    def _unnamed(self, record: Record, path: str, row: int) -> Problem:
        return Problem(
            f"an element of {record.label!r} has nothing but an id, and ids count only for the "
            "store that they come from",
            "Give its SKU or its options (its address for media), or use --match id.",
            self._source.name,
            row,
            path,
        )

    def _misplaced(self, product: Product, row: int | None) -> Iterator[Problem]:
        """Yield the locations of its quantities that the store doesn't have."""
        for name, message, remedy in self._places.misplaced(product):
            file, path = self._source.name, "variants.inventory.location"
            yield Problem(message, remedy, file, row, path, name)

    def _untold(self, problems: Iterable[Problem]) -> Iterator[Problem]:
        """Yield each problem once for the whole source: one location may be in every row."""
        for problem in problems:
            if problem.value not in self._told:
                self._told.add(problem.value)
                yield problem

    def transformed(self, before: Record, record: Record, row: int | None) -> list[Problem]:
        """Check and fit what transforms made of a record, as if the source had given it."""
        records = self._records(record.kind)
        if records is None:
            return []
        misplaced = self._misplaced(record, row) if isinstance(record, Product) else ()
        if record is before:
            return list(misplaced)
        known = frozenset(unsupported(before, records.fields))
        self._fit(alone(self._chosen, record), records, known)
        broken = [self._broken(record, row)] if _json(record) is None else []
        return [*broken, *self._check(record, row), *misplaced]

    def _fit(self, record: Record, records: Records[Any], known: frozenset[str]) -> None:
        for path in unsupported(record, records.fields):
            if path in known or not says(record, path) or _is_kept(record, path):
                continue
            self._note(record.kind, record.label, path, "the platform has no such field", "")
        for path, field in self._limited[record.kind].items():
            self._limit(record, path, field)
        self._consult(record, records)
        for fit in dict.fromkeys(records.check(record)):  # once, whichever variants it is of
            self._note(fit.kind, fit.label, fit.field, fit.message, fit.source)

    def _consult(self, record: Record, records: Records[Any]) -> None:
        """Ask for the store's own rules, once a record gives what they are about."""
        if record.kind in self._consulted:
            return
        if any(says(record, path) for path in records.consults):
            self._store.engine.run(records.consult())
            self._consulted.add(record.kind)

    def _limit(self, record: Record, path: str, field: Field) -> None:
        for value in _values(record, path.split(".")):
            if field.max_length and len(value) > field.max_length:
                message = f"{len(value)} is more than the {field.max_length} that fit"
                self._note(record.kind, record.label, path, message, field.source)

    def _note(self, kind: str, label: str, field: str, message: str, source: str) -> None:
        self._fits.append((kind, label, field, message, source))
        if len(self._fits) >= 500:
            self.finish()


def _is_kept(record: Record, path: str) -> bool:
    """Return whether what a platform has no field for is no loss: it is there, or made anew."""
    if path == "sku" and isinstance(record, Product):
        return any(variant.sku == record.sku for variant in record.variants)
    return path == "updated_at"


def _is_bare(record: Record) -> TypeGuard[Product]:
    return isinstance(record, Product) and record.model_fields_set <= _BARE


def _rows(record: Record) -> int:
    """Return for how many rows of a feed a record stands."""
    return len(record.variants) if _is_bare(record) else 1


def _json(record: Record) -> str | None:
    """Return a record as JSON, None if a text in it can't be written."""
    try:
        return record.model_dump_json()
    except PydanticSerializationError:
        return None


def _without_ids(record: Record) -> Record:
    """Return a record without its id, those of its elements, and those that name others."""
    fields = {
        name: tuple(element.without(*_IDS) for element in value)
        for name, value in _listed(record)
        if any(not element.model_fields_set.isdisjoint(_IDS) for element in value)
    }
    record = record.without(*_IDS) if not record.model_fields_set.isdisjoint(_IDS) else record
    return record.model_copy(update=fields) if fields else record


def _only_ids(record: Record) -> Iterator[str]:
    """Yield the paths of elements that nothing but an id names."""
    for name, value in _listed(record):
        if name == "variants" and _has_only_one(record):
            continue
        for place, element in enumerate(value):
            if isinstance(element, LineItem):
                named = element.sku or element.title
                if not named and not element.model_fields_set.isdisjoint(_IDS):
                    yield f"{name}.{place}"
            elif getattr(element, "id", "") and "options" not in element.model_fields_set:
                keys = element.without("id").element_keys()
                if not any(key.removeprefix("options:") for key in keys):
                    yield f"{name}.{place}"


def _has_only_one(record: Record) -> bool:
    """Return whether a product says that it has no options, so that its one variant is it."""
    says = isinstance(record, Product) and "options" in record.given and not record.options
    return says and len(getattr(record, "variants", ())) == 1


def _listed(record: Record) -> Iterator[tuple[str, Any]]:
    for name, spec in record.lists.items():
        if spec.keys is not None and name in record.model_fields_set:
            yield name, getattr(record, name)


@cache
def _names(model: type[Record]) -> frozenset[str]:
    """Return the fields that name a record or others."""
    edits = (edit for edit, name in EDITS.items() if name in model.references)
    return frozenset({"key", "handle", "sku", *model.references, *edits})


def _composed(record: Record) -> Record:
    """Return a record with its names, and those it refers to, in Unicode's composed form."""
    fields: dict[str, Any] = {}
    for name in _names(type(record)) & record.model_fields_set:
        value = getattr(record, name)
        new = composed(value) if isinstance(value, str) else tuple(map(composed, value))
        if new != value:
            fields[name] = new
    variants = getattr(record, "variants", ())
    if any(not variant.sku.isascii() for variant in variants):
        fields["variants"] = tuple(
            v if v.sku.isascii() else v.model_copy(update={"sku": composed(v.sku)})
            for v in variants
        )
    return record.model_copy(update=fields) if fields else record


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
