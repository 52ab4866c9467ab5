"""Makes a plan: reads and checks the whole source, then compares it with the store in chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storebridge.adapter import Records
from storebridge.compare import (
    Doubt,
    Index,
    Match,
    composed,
    key_for,
    match,
    misfit,
    names_of,
    sought,
    unclear,
    ways_to_name,
    with_only,
)
from storebridge.errors import Problem, Refused, SourceError
from storebridge.models import KINDS, Product, Record
from storebridge.parts import readable_names
from storebridge.plan.absent import absent_changes, absent_variants, ousted
from storebridge.plan.bulk import calm_collector
from storebridge.plan.changes import Changes, Why
from storebridge.plan.collections import tree_of
from storebridge.plan.fields import managed
from storebridge.plan.file import PlanFile
from storebridge.plan.guards import Watch
from storebridge.plan.intake import Intake
from storebridge.plan.live import Live
from storebridge.plan.needs import WHOLE_VARIANTS, naming
from storebridge.plan.options import PlanOptions, Task, Transform
from storebridge.plan.own import PRODUCTS, needed, own_source, read_by
from storebridge.plan.places import Places
from storebridge.plan.scope import Scope
from storebridge.plan.sold import moment_of, warn_of_sales
from storebridge.plan.source import Source, open_source
from storebridge.plan.spool import DOUBT, Spool, Spooled
from storebridge.plan.ways import forecast

if TYPE_CHECKING:
    from storebridge.formats.mapping import TableMapping
    from storebridge.store import Store

__all__ = ["build"]

#: Source records per chunk of the second pass.
_CHUNK = 200
#: Problems that are shown; a file with more has one cause.
_MOST_PROBLEMS = 1000

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
        self.watch = Watch(options.guards, spool, file)
        self.changes = Changes(store, file, spool, options, self.watch)
        self.fields, self.mapping = options.chosen, options.table
        self.since: datetime | None = None

    # -- the first pass

    def read(self, source: Any) -> None:
        """Read and check the whole source into the spool."""
        places = Places(self.store.info, self.options.location)
        with self._opened(source, places.default) as opened:
            problems = self._take_in(opened, places)
        self.intake.finish()
        self.changes.parents = self.intake.parents
        self.changes.by_hand.sourced = self.intake.filled
        self.spool.index()
        told = {problem.value for problem in problems}  # a file's own, with rows and columns
        problems += (each for each in _doubles(self.spool, opened.name) if each.value not in told)
        if problems:
            raise SourceError(problems)
        if self.options.as_of:
            self.since = moment_of(self.options.as_of, opened.made_at, self.store.info)
        if not self.own:  # an edit that matches nothing is no broken source
            self.watch.source(self.intake.rows, self.since or opened.made_at, opened.name)

    def _take_in(self, opened: Source, places: Places) -> list[Problem]:
        """Spool a source's records, and return what is wrong with it."""
        self.intake = intake = Intake(
            self.store,
            self.file,
            self.options,
            opened,
            places,
            self.changes.pictures,
            transformed=bool(self.transforms),
        )
        self.name = opened.name
        self.file.put_meta(**_head(self.store, opened.name, self.options, self.mapping))
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
        return problems

    def _opened(self, source: Any, location: str) -> Source:
        from storebridge.store import Store

        self.own = isinstance(source, Store) and source.info.id == self.store.info.id
        self.own = self.own and bool(self.transforms)
        self.scope = Scope(self.store, self.options.where, whole=self.own)
        if self.own:
            return own_source(source, self.spool, self.transforms, self.scope.of)
        context = {"collections": tree_of(self.store), **self.options.context}
        return open_source(
            source, self.store.info, context, location=location, mapping=self.mapping
        )

    # -- the second pass

    def compare(self) -> None:
        """Compare the spool with the store, kind by kind in the order of writing."""
        for kind in KINDS:
            if self.spool.count(kind):
                self._compare_kind(kind)
            where = self.scope.of(kind) if kind == Product.kind else None
            if where is not None and self.options.absent != "keep":
                absent_changes(self.store, self.spool, self.changes, where, self.options)
                self.changes.flush()
                self.watch.flush()

    def _compare_kind(self, kind: str) -> None:
        records = self.store.adapter.records(kind)
        live = Live(self.store, kind, self.spool, self._needed(kind), spooled=self.own)
        done = 0
        for chunk in self.spool.chunks(kind, _CHUNK):
            found = live.find(name for _, names in chunk for name in names)
            index = Index(found.values())
            bodies = (row.body for row, _ in chunk if '"sku:' in row.body or '"id:' in row.body)
            self.changes.expect(map(records.model.model_validate_json, bodies))
            for row, names in chunk:
                self._compare_one(records, live, row, names, index, found)
            self.intake.finish()
            self.changes.flush()
            self.watch.flush()
            done += len(chunk)
            self.progress("compare", done)

    def _needed(self, kind: str) -> frozenset[str] | None:
        """Return what has to be read of live records to compare the source with them."""
        needs = self.intake.needs[kind]
        where = self.scope.of(kind)
        if where is not None:
            needs.add_paths(where.check(KINDS[kind]))
        if kind == Product.kind and self.options.absent_variants != "keep":
            needs.add_paths(WHOLE_VARIANTS)
        transforms = [t for t in self.transforms if kind in getattr(t, "kinds", PRODUCTS)]
        if transforms:  # they may give a record other names
            needs.add_paths(naming(KINDS[kind], ("sku:",)))
            needs.add_paths(read_by(transforms))
        return needs.fields

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
        if not self._is_expected(row, live):
            return
        if row.gone:
            self._remove(row, live)
        elif (made := self._transform(row, desired, live)) is not None:
            self._decide(finder, row, desired, made, live)

    def _decide(
        self,
        finder: Live,
        row: Spooled,
        before: Record,
        made: tuple[Record, Why],
        live: Record | None,
    ) -> None:
        """Plan what transforms made of a record: a create, an update or nothing."""
        desired, why = made
        if live is None and names_of(desired) != names_of(before):
            row, answer = self._anew(finder, row, desired)
            if answer is None:
                return
            live = answer.live
        if live is None and not row.key:
            message = f"the store has no {row.kind} {row.label!r}, and no key to create it under"
            remedy = ways_to_name(self.store.adapter.records(row.kind).finds)
            self.changes.skip(row, "unknown", message, remedy)
        elif live is None:
            self._create(row, desired, why)
        elif self._is_clear(row, desired := with_only(desired, live), live):
            asked, stocked = self._asked(row, desired, live)
            if isinstance(asked, Product) and asked.modes.get("variants") == "replace":
                live = finder.whole(live)
            self.changes.update(row, asked, live, why, stocked)

    def _create(self, row: Spooled, desired: Record, why: Why) -> None:
        """Plan a create, unless the options leave out what the store lacks."""
        message = f"the store has no {row.kind} {row.label!r}"
        if self.fields is not None:
            remedy = "Plan it without --fields first: some fields make no whole record."
            self.changes.skip(row, "unknown", f"{message}, and --fields creates none", remedy)
        elif self.options.create == "no":
            remedy = "Plan it with --create draft if it should be made."
            self.changes.skip(row, "unknown", f"{message}, and --create no makes none", remedy)
        elif doubt := misfit(desired, None):
            self.changes.skip(row, doubt.cause, doubt.message, doubt.remedy)
        else:
            self.changes.create(row, desired, why)

    def _asked(self, row: Spooled, desired: Record, live: Record) -> tuple[Record, frozenset[str]]:
        """Return what is asked of a live record, and the ids of variants whose stock counts."""
        if not isinstance(desired, Product) or not isinstance(live, Product):
            return desired, frozenset()
        asked, stocked, what = desired, frozenset[str](), self.options.absent_variants
        if self.fields is not None:
            asked, lacking = managed(self.fields, desired, live)
            for variant in lacking:
                message = f"{live.label!r} has no variant {variant.sku or variant.options!r}"
                remedy = "Plan it without --fields first, which creates none."
                self.changes.skip(row, "unknown", message, remedy)
        if what != "keep" and desired.variants and not row.bare:
            asked, stocked = absent_variants(desired, asked, live, what)
            self.changes.lacks("variants", len(stocked))
        return ousted(asked, live), stocked

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
        if self.transforms or self.scope.where or row.bare or row.gone:
            return False
        if self.fields or self.options.create == "no" or row.expects in ("existing", "ignored"):
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
        if len(known) == len(desired.variants):
            return desired
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
        if self.fields is not None and row.kind != Product.kind:
            self.changes.leave_out()
            return False
        where = self.scope.of(row.kind)
        if where is None:
            return True
        meant = desired if live is None else self._as_it_is(desired, live)
        if where.matches(meant):
            return True
        self.changes.leave_out()
        return False

    def _as_it_is(self, desired: Record, live: Record) -> Record:
        """Return a live record with what only its source can say, since the platform can't.

        A record is in scope as it is, not as a source wants it: a supplier's sheet that names its
        own vendor must not take over another one's product by a shared SKU.
        """
        readable = readable_names(self.store.adapter.records(live.kind).fields)
        said = {name: getattr(desired, name) for name in desired.given - readable}
        return live.model_copy(update=said) if said else live

    def _is_expected(self, row: Spooled, live: Record | None) -> bool:
        """Leave a record out that the source calls new and is there, or existing and isn't.

        One to be ignored is left alone, and isn't absent.
        """
        if row.expects == "ignored":
            self.changes.leave_out()
            return False
        if row.expects == "new" and live is not None:
            message = f"the source says NEW, and the store has {live.label!r} (id {live.id})"
            self.changes.skip(row, "exists", message, "Say MERGE or UPDATE to change it.")
            return False
        if row.expects == "existing" and live is None:
            message = f"the source says UPDATE, and the store has no {row.kind} {row.label!r}"
            self.changes.skip(row, "unknown", message, "Say MERGE or NEW to create it.")
            return False
        return True

    def _is_sound(self, row: Spooled, before: Record, desired: Record) -> bool:
        """Check what transforms made of a record; leave it out where that is wrong."""
        found = self.intake.transformed(before, desired, row.origin)
        for problem in found[:1]:
            message = f"a transform gave {problem.column} {problem.value!r}: {problem.message}"
            self.changes.skip(row, "invalid", message, problem.remedy)
        return not found

    def _anew(self, finder: Live, row: Spooled, desired: Record) -> tuple[Spooled, Match | None]:
        """Look for a record again by the names that transforms gave it, and take its new key."""
        names = sought(desired, self.store.adapter.records(row.kind).finds)
        row = row._replace(key=key_for(names), label=desired.label)
        found = finder.find(names)
        return row, self._meant(row, desired, names, Index(found.values()), found)

    def _is_clear(self, row: Spooled, desired: Record, live: Record) -> bool:
        """Leave a record out whose variants can't be told apart, or have no place."""
        key = unclear(desired, live)
        if key:
            message = f"{key!r} names more than one variant of {live.label!r} (id {live.id})"
            self.changes.skip(row, "ambiguous", message, "Give their options, or one SKU each.")
            return False
        doubt = misfit(desired, live) if self.fields is None else None  # those create no variant
        if doubt is not None:
            self.changes.skip(row, doubt.cause, doubt.message, doubt.remedy)
        return doubt is None

    def _remove(self, row: Spooled, live: Record | None) -> None:
        if self.fields is not None:
            message = f"--fields deletes nothing, and the source says to delete {row.label!r}"
            self.changes.skip(row, "fields", message, "Plan it without --fields.")
        elif live is None:
            message = f"the store has no {row.kind} {row.label!r} to delete"
            self.changes.skip(row, "unknown", message, "Nothing has to be done.")
        else:
            self.changes.delete(row.kind, row.origin, live, ("the source says delete",))

    def _transform(
        self, row: Spooled, desired: Record, live: Record | None
    ) -> tuple[Record, Why] | None:
        """Run the transforms in order; return why, with what they read of the live record.

        None, and the row left out, where one can't make a record of it.
        """
        before, reasons, reads = desired, tuple[str, ...](), dict[str, Any]()
        for transform in self.transforms:
            if desired.kind not in getattr(transform, "kinds", PRODUCTS):
                continue
            if callable(transform):
                desired = transform(desired, live)
                continue
            try:
                desired, why = transform.transform(desired, live)
            except SourceError as error:
                problem = error.problems[0]
                message = f"{problem.column}: {problem.message}"
                self.changes.skip(row, "invalid", message, problem.remedy)
                return None
            reasons += why
            if live is not None:
                reads |= needed(live, transform.needs)
        if not self._is_sound(row, before, desired):
            return None
        if desired is not before:  # what the platform makes of it is taken for granted here too
            desired = self.store.adapter.normalise(desired)
        return desired, Why(reasons, reads)

    # -- the end

    def finish(self) -> None:
        """Count, guard and forecast; with `strict`, refuse what the store can't hold."""
        self.changes.finish()
        self.watch.finish(self.scope, self.name)
        if self.since is not None:
            warn_of_sales(self.store, self.spool, self.file, self.since)
        self._warn()
        fits = next(self.file.fit(), None)
        if self.options.strict and fits is not None:
            raise Refused(
                f"--strict: the store can't hold {fits[2]} of {fits[0]} {fits[1]!r}: {fits[3]}"
            )
        self.file.put_meta(forecast=forecast(self.store, self.file, self.options.way))

    def _warn(self) -> None:
        """Say which rights are missing for what is planned, and what the store warns of."""
        kinds = dict.fromkeys(kind for _, kind, _ in self.file.phases())
        lacks = (line for kind in kinds for line in self.store.adapter.lacking(kind))
        for line in dict.fromkeys(lacks):
            self.file.add_warning(f"the credentials have {line}")
        for notice in self.store.notices:
            if self.options.strict:
                raise Refused(f"--strict: {notice}")
            self.file.add_warning(notice)


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


def _head(
    store: Store, source: str, options: PlanOptions, mapping: TableMapping | None
) -> dict[str, Any]:
    info = store.info
    return {
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "store": {"id": info.id, "name": info.name, "url": store.url},
        "platform": store.adapter.name,
        "api_version": store.adapter.api_version,
        "source": source,
        "options": options.as_dict(),
        "mapping": mapping and {"name": mapping.name, "text": mapping.text},
    }
