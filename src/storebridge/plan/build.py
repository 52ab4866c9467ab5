"""Makes a plan: reads and checks the whole source, then compares it with the store in chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storebridge.adapter import Records
from storebridge.compare import Doubt, Index, Match, composed, key_for, match, names_of, unclear
from storebridge.errors import ConfigError, Problem, Refused, SourceError
from storebridge.models import KINDS, Product, Record
from storebridge.plan.absent import absent_changes
from storebridge.plan.bulk import calm_collector
from storebridge.plan.changes import Changes
from storebridge.plan.file import PlanFile
from storebridge.plan.intake import Intake
from storebridge.plan.live import Live
from storebridge.plan.options import PlanOptions, Task, Transform
from storebridge.plan.source import open_source
from storebridge.plan.spool import DOUBT, Spool, Spooled

if TYPE_CHECKING:
    from storebridge.store import Store
    from storebridge.where import Where

__all__ = ["build"]

#: Source records per chunk of the second pass.
_CHUNK = 200
#: Problems that are shown; a file with more has one cause.
_MOST_PROBLEMS = 1000

#: What a plain function transforms.
_PRODUCTS = frozenset({Product.kind})

OnProgress = Callable[[str, int], None]


def build(
    source: str | Path | Iterable[Record] | Store,
    store: Store,
    output: Path,
    options: PlanOptions,
    transforms: Sequence[Transform | Task] = (),
    on_progress: OnProgress | None = None,
) -> PlanFile:
    """Return the sealed plan that brings a store to what a source asks for.

    Raises:
        SourceError: for everything that is wrong with the source, at once.
        Refused: with `strict`, if the store can't hold something.
    """
    folder = output.resolve().parent
    with calm_collector(), PlanFile.making(output) as file, Spool.temporary(folder) as spool:
        builder = _Builder(store, file, spool, options, transforms, on_progress)
        builder.read(source)
        builder.compare()
        builder.finish()
    return file


class _Builder:
    """One plan in the making."""

    def __init__(
        self,
        store: Store,
        file: PlanFile,
        spool: Spool,
        options: PlanOptions,
        transforms: Sequence[Transform | Task],
        on_progress: OnProgress | None,
    ) -> None:
        self.store, self.file, self.spool, self.options = store, file, spool, options
        self.transforms = tuple(transforms)
        self.progress = on_progress or (lambda _stage, _count: None)
        self.changes = Changes(store, file, spool, options)
        self.where = _parse(options.where)
        self.scoped: dict[str, bool] = {}

    # -- the first pass

    def read(self, source: Any) -> None:
        """Read and check the whole source into the spool."""
        info, options = self.store.info, self.options
        location = options.location or info.only_location
        opened = open_source(
            source, info, options.context, location=location, bare=bool(self.transforms)
        )
        self.intake = intake = Intake(self.store, self.file, options, opened, location)
        self.file.put_meta(**_head(self.store, opened.name, self.options))
        problems: list[Problem] = []
        items = iter(opened.items)
        seq = 0
        while chunk := list(islice(items, 500)):
            rows: list[tuple[Spooled, Sequence[str]]] = []
            for item in chunk:
                if isinstance(item, Problem):
                    problems.append(item)
                    continue
                seq += 1
                row, found = intake.take(item, seq)
                problems += found
                if row is not None:
                    rows.append(row)
            self.spool.add(rows)
            self.progress("read", seq)
            if len(problems) >= _MOST_PROBLEMS:
                break
        intake.finish()
        self.changes.parents = intake.parents
        self.spool.index()
        problems += _doubles(self.spool, opened.name)
        if problems:
            raise SourceError(problems)

    # -- the second pass

    def compare(self) -> None:
        """Compare the spool with the store, kind by kind in the order of writing."""
        for kind in KINDS:
            if self.spool.count(kind):
                self._compare_kind(kind)
            if kind == Product.kind and self.options.absent != "keep" and self.where is not None:
                absent_changes(self.store, self.spool, self.changes, self.where, self.options)
                self.changes.flush()

    def _compare_kind(self, kind: str) -> None:
        records = self.store.adapter.records(kind)
        live = Live(self.store, kind, self.spool)
        done = 0
        for chunk in self.spool.chunks(kind, _CHUNK):
            found = live.find(name for _, names in chunk for name in names)
            index = Index(found.values())
            for row, names in chunk:
                self._compare_one(records, live, row, names, index, found)
            self.intake.finish()
            self.changes.flush()
            done += len(chunk)
            self.progress("compare", done)

    def _compare_one(
        self,
        records: Records[Any],
        finder: Live,
        row: Spooled,
        names: list[str],
        index: Index,
        found: dict[str, Record],
    ) -> None:
        if not found and self._plain_create(row):
            return
        desired = records.model.model_validate_json(row.body)
        answer = self._meant(row, desired, names, index, found)
        if answer is None:
            return
        live = answer.live
        if row.bare:
            desired = self._known_variants(row, desired, index)
        if desired is None or not self._in_scope(row, desired, live):
            return
        if row.gone:
            self._remove(row, live)
            return
        before = desired
        desired, reasons, reads = self._transform(desired, live)
        if not self._is_sound(row, before, desired):
            return
        if live is None and names_of(desired) != names_of(before):
            row, answer = self._anew(finder, row, desired)
            if answer is None:
                return
            live = answer.live
        if live is None and not row.key:
            message = f"the store has no {row.kind} {row.label!r}, and no key to create it under"
            self.changes.skip(row, "unknown", message, "Give a handle, a SKU or an external key.")
        elif live is None:
            self.changes.create(row, desired, reasons)
        elif self._is_clear(row, desired, live):
            self.changes.update(row, desired, live, reasons, reads)

    def _meant(
        self,
        row: Spooled,
        desired: Record,
        names: Sequence[str],
        index: Index,
        found: Mapping[str, Record],
    ) -> Match | None:
        """Return which live record is meant; None, and the row left out, where that isn't clear."""
        handle = getattr(desired, "handle", "")
        answer = match(row.label, handle, names, index, found, self.options.allow_rename)
        if isinstance(answer, Doubt):
            self.spool.match(row.kind, [(each, row.seq, DOUBT) for each in answer.may_be])
            self.changes.skip(row, answer.cause, answer.message, answer.remedy)
            return None
        if answer.live is not None and not self._claims(row, answer.live):
            return None
        return answer

    def _plain_create(self, row: Spooled) -> bool:
        """Plan a create straight from its JSON where nothing has to look at the record."""
        if self.transforms or self.where or row.bare or row.gone:
            return False
        return self.changes.plain_create(row)

    def _claims(self, row: Spooled, live: Record) -> bool:
        """Note that a source record means a live one; refuse a second record for the same."""
        self.spool.match(row.kind, [(live.id, row.seq, row.bare)])
        rivals = self.spool.rivals(row.kind, live.id, row.seq, row.bare)
        if not rivals:
            return True
        self.changes.skip(
            row,
            "ambiguous",
            f"{row.label!r} and {rivals[0]!r} of the source both mean {live.label!r}",
            "Make them one record, or correct the key of one.",
        )
        return False

    def _known_variants(self, row: Spooled, desired: Any, index: Index) -> Any:
        """Return a variant-only record with the variants that the store has; None if none."""
        known = tuple(v for v in desired.variants if composed(f"sku:{v.sku}") in index.exact)
        for variant in desired.variants:
            if variant not in known:
                self.changes.skip(
                    row,
                    "unknown",
                    f"the store has no variant with the SKU {variant.sku!r}",
                    "Correct the SKU, or give the product's fields to create it.",
                )
        return desired.but(variants=known) if known else None

    def _in_scope(self, row: Spooled, desired: Record, live: Record | None) -> bool:
        if self.where is None or not self._applies(self.where, row.kind):
            return True
        whole = desired
        if live is not None:
            fields = {name: getattr(desired, name) for name in desired.given}
            whole = live.model_copy(update=fields)
        if self.where.matches(whole) or (live is not None and self.where.matches(live)):
            return True
        self.changes.leave_out()
        return False

    def _applies(self, where: Where, kind: str) -> bool:
        """Return whether the scope speaks of a kind: a collection has no vendor to ask for."""
        if kind not in self.scoped:
            try:
                where.check(KINDS[kind])
            except ConfigError:
                if kind == Product.kind:
                    raise  # a field that products lack is a slip of the pen
                self.scoped[kind] = False
            else:
                self.scoped[kind] = True
        return self.scoped[kind]

    def _is_sound(self, row: Spooled, before: Record, desired: Record) -> bool:
        """Check what transforms made of a record; leave it out where that is wrong."""
        found = self.intake.transformed(before, desired, row.origin)
        for problem in found[:1]:
            message = f"a transform gave {problem.column} {problem.value!r}: {problem.message}"
            self.changes.skip(row, "invalid", message, problem.remedy)
        return not found

    def _anew(self, finder: Live, row: Spooled, desired: Record) -> tuple[Spooled, Match | None]:
        """Look for a record again by the names that transforms gave it, and take its new key."""
        names = names_of(desired)
        row = row._replace(key=key_for(names), label=desired.label)
        found = finder.find(names)
        return row, self._meant(row, desired, names, Index(found.values()), found)

    def _is_clear(self, row: Spooled, desired: Record, live: Record) -> bool:
        """Leave a record out whose variants can't be told apart."""
        key = unclear(desired, live)
        if key:
            message = f"{key!r} names more than one variant of {live.label!r} (id {live.id})"
            self.changes.skip(row, "ambiguous", message, "Give their options, or one SKU each.")
        return not key

    def _remove(self, row: Spooled, live: Record | None) -> None:
        if live is None:
            message = f"the store has no {row.kind} {row.label!r} to delete"
            self.changes.skip(row, "unknown", message, "Nothing has to be done.")
        else:
            self.changes.delete(row.kind, row.origin, live, ("the source says delete",))

    def _transform(
        self, desired: Record, live: Record | None
    ) -> tuple[Record, tuple[str, ...], dict[str, Any]]:
        """Run the transforms in order; return reasons and what they read of the live record."""
        reasons: tuple[str, ...] = ()
        reads: dict[str, Any] = {}
        for transform in self.transforms:
            if desired.kind not in getattr(transform, "kinds", _PRODUCTS):
                continue
            if callable(transform):
                desired = transform(desired, live)
                continue
            desired, why = transform.transform(desired, live)
            reasons += why
            if live is not None:
                needed = live.without(*(live.given - transform.needs))
                reads |= needed.model_dump(mode="json")
        return desired, reasons, reads

    # -- the end

    def finish(self) -> None:
        """Count and forecast; with `strict`, refuse what the store can't hold."""
        self.changes.finish()
        fits = next(self.file.fit(), None)
        if self.options.strict and fits is not None:
            raise Refused(
                f"--strict: the store can't hold {fits[2]} of {fits[0]} {fits[1]!r}: {fits[3]}"
            )
        self.file.put_meta(forecast=_forecast(self.store, self.file))


def _parse(text: str) -> Where | None:
    if not text:
        return None
    from storebridge.where import parse

    return parse(text)


def _doubles(spool: Spool, file: str) -> Iterator[Problem]:
    for kind, name, label, first, second in islice(spool.doubles(), _MOST_PROBLEMS):
        word, _, value = name.partition(":")
        yield Problem(
            f"two records of kind {kind} have the {word} {value!r} (rows {first} and {second}, "
            f"the second is {label!r})",
            "Make them one record, or give each its own.",
            file=file,
            row=second,
            column=word,
            value=value,
        )


def _head(store: Store, source: str, options: PlanOptions) -> dict[str, Any]:
    info = store.info
    return {
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "store": {"id": info.id, "name": info.name, "url": store.url},
        "platform": store.adapter.name,
        "api_version": store.adapter.api_version,
        "source": source,
        "options": options.as_dict(),
    }


def _forecast(store: Store, file: PlanFile) -> dict[str, Any]:
    """Return how many writes a plan takes and, where a rate limit is known, how many seconds."""
    sizes = file.count("SELECT kind || ' ' || part, COUNT(*) FROM changes GROUP BY kind, part")
    calls = 0
    for name, count in sizes.items():
        size = store.adapter.records(name.partition(" ")[0]).batch_size
        calls += -(-count // size)
    rate = store.adapter.limits.rate
    return {"writes": calls, "seconds": round(calls / rate, 1) if rate else None}
