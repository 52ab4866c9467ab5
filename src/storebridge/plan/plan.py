"""What users hold of a plan: a file that shows itself, is applied, resumed and undone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from storebridge.adapter import Fit
from storebridge.compare import Patch, flatten
from storebridge.errors import ConfigError, UsageError
from storebridge.models import KINDS, Record
from storebridge.plan.apply import apply, check_digest, check_store
from storebridge.plan.build import OnProgress, build
from storebridge.plan.file import ChangeRow, PlanFile, SkippedRow
from storebridge.plan.guards import GuardResult
from storebridge.plan.options import OnConflict, PlanOptions, Task, Transform
from storebridge.plan.replan import replan
from storebridge.plan.report import Report
from storebridge.plan.undo import undo
from storebridge.plan.ways import Forecast
from storebridge.store.base import check_there

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = ["Plan", "PlannedChange", "make"]


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One change of a plan: one record, one part, field by field."""

    seq: int
    kind: str
    part: str
    action: str
    label: str
    record_id: str
    origin: int | None
    """The row of the source that asked for it."""
    fields: tuple[tuple[str, Any, Any], ...]
    """(path, before, after) in plain JSON values; None where there is no value."""
    reasons: tuple[str, ...]
    undo: str
    """What an undo can do: "reverse", "partly", "none", "archive", "delete", "recreate"."""

    @classmethod
    def of(cls, row: ChangeRow) -> PlannedChange:
        """Return a sealed change with its fields spelled out."""
        return cls(
            seq=row.seq,
            kind=row.kind,
            part=row.part,
            action=row.action,
            label=row.label,
            record_id=row.record_id,
            origin=row.origin,
            fields=tuple(_fields(row)),
            reasons=tuple(json.loads(row.reasons)),
            undo=row.undo,
        )


class Plan:
    """A sealed list of changes for one store, in one file.

    `apply` sends exactly what `changes` shows. A context manager that closes the file.
    """

    def __init__(self, file: PlanFile, store: Store | None = None) -> None:
        """Hold an open plan file, and the store that it was made with; use `Store.plan`."""
        self._file, self._store = file, store
        self._awaited = False

    @classmethod
    def open(cls, path: str | Path) -> Plan:
        """Return the plan of a file.

        Raises:
            PlanError: if there is none, or it isn't one that this version can use.
        """
        return cls(PlanFile.open(Path(path)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def awaited(self) -> Self:
        """Return the plan as that of an `AsyncStore`, which alone applies it: not in its loop."""
        self._store, self._awaited = None, True
        return self

    @property
    def path(self) -> Path:
        """Where the plan is."""
        return self._file.path

    @property
    def digest(self) -> str:
        """The SHA-256 of everything sealed, in hex."""
        return str(self._file.meta("digest"))

    @property
    def counts(self) -> dict[str, int]:
        """How many records are created, updated, deleted, unchanged, skipped, out of scope."""
        return dict(self._file.meta("counts", {}))

    @property
    def absent(self) -> dict[str, int]:
        """How many "products" and "variants" are changed because the source lacks them."""
        return dict(self._file.meta("absent", {}))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change."""
        return not any(self.counts[action] for action in ("create", "update", "delete"))

    @property
    def about(self) -> dict[str, Any]:
        """When and for which store it was made, from what, with which options and forecast."""
        names = (
            "created_at",
            "store",
            "platform",
            "api_version",
            "source",
            "options",
            "mapping",
            "forecast",
            "undo_of",
        )
        return {name: self._file.meta(name) for name in names}

    @property
    def forecast(self) -> Forecast:
        """What applying takes: requests, points and time, and which ways were chosen."""
        return Forecast.of(self._file.meta("forecast"))

    def check_seal(self) -> None:
        """Make sure that the plan is as it was made, before it is shown or passed on.

        Raises:
            PlanError: if anything in it was changed since.
        """
        self._file.check_seal()

    @property
    def is_done(self) -> bool:
        """Whether all of it was applied, so that nothing is left to do."""
        return self._file.is_done

    def changes(self) -> Iterator[PlannedChange]:
        """Yield the changes in the order in which they are applied."""
        return map(PlannedChange.of, self._file.changes())

    def fit(self) -> Iterator[Fit]:
        """Yield what the store can't hold."""
        return (Fit(*row) for row in self._file.fit())

    def skipped(self) -> Iterator[SkippedRow]:
        """Yield the records of the source that the plan leaves alone, and why."""
        return self._file.skipped()

    def warnings(self) -> Iterator[str]:
        """Yield what should be read before applying, in a person's words: an old source, say."""
        return self._file.warnings()

    def guards(self) -> tuple[GuardResult, ...]:
        """Return what the guards found; empty for a plan that isn't guarded, like an undo."""
        return tuple(GuardResult(**found) for found in self._file.meta("guards", []))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one flat dict per changed field, for data frames and spreadsheets."""
        for change in self.changes():
            for field, before, after in change.fields:
                yield {
                    "kind": change.kind,
                    "record": change.label,
                    "action": change.action,
                    "field": field,
                    "before": before,
                    "after": after,
                    "row": change.origin,
                    "reasons": "; ".join(change.reasons),
                }

    def apply(
        self,
        store: Store | None = None,
        *,
        on_conflict: OnConflict = "refuse",
        retry_failed: bool = False,
        wait: float | None = 0,
        digest: str = "",
        on_progress: Callable[[int, int], None] | None = None,
        on_notice: Callable[[str], None] | None = None,
    ) -> Report:
        """Apply the plan, or go on with an interrupted run.

        Args:
            store: the store that the plan was made for; by default the one it was made with.
            on_conflict: what to do about fields that were changed since the plan: refuse them,
                overwrite them, or (like refuse) leave them for `replan`.
            retry_failed: whether to send again what failed before.
            wait: seconds to wait while another plan is applied to the store; None for ever.
            digest: the digest that somebody else read, or its first 12 digits at least: the plan is
                applied only if it is that one.
            on_progress: called with how many changes are done, and how many there are.
            on_notice: called with what should be known meanwhile, in a person's words (the other
                way would be faster); without it, that is logged as a warning.

        A plan that is done stays as it is, and so does the store's history.

        Raises:
            Refused: if the plan's digest is another one.
        """
        chosen = self._chosen(store)
        if self.is_done:
            self._file.check_seal()
            if digest:
                check_digest(self.digest, digest, self.path)
            check_store(self._file, chosen)
            return self.report(chosen.name)
        return apply(
            self._file,
            chosen,
            on_conflict=on_conflict,
            retry_failed=retry_failed,
            wait=wait,
            digest=digest,
            on_progress=on_progress,
            on_notice=on_notice,
        )

    def report(self, store_name: str = "") -> Report:
        """Return what became of the plan so far."""
        return Report.of(self._file, store_name or self._file.meta("store")["url"])

    def undo(
        self,
        output: str | Path,
        store: Store | None = None,
        *,
        where: str = "",
        fields: Sequence[str] = (),
    ) -> Plan:
        """Return the inverse of what was applied; what people changed since is kept."""
        self._file.check_seal()
        chosen = self._chosen(store)
        return Plan(undo(self._file, chosen, Path(output), where=where, fields=fields), chosen)

    def replan(self, output: str | Path, store: Store | None = None) -> Plan:
        """Return a new plan of what `apply` refused because it was changed since this one."""
        chosen = self._chosen(store)
        return Plan(replan(self._file, chosen, Path(output)), chosen)

    def _chosen(self, store: Store | None) -> Store:
        from storebridge.store import Store

        chosen = store or self._store
        if (self._awaited and chosen is None) or not isinstance(chosen, Store | None):
            raise UsageError(
                "a plan of an AsyncStore is applied by its store, so that other tasks go on "
                "meanwhile: await store.apply(plan), and so with undo and replan"
            )
        if chosen is None:
            raise ConfigError(
                f"a plan that was opened from a file needs its store: open "
                f"{self._file.meta('store')['url']} and pass it"
            )
        return chosen

    def _repr_markdown_(self) -> str:
        """Show the plan in a notebook: the counts and the first twenty fields."""
        lines = [f"**{self}**", "", "| record | field | before | after |", "|---|---|---|---|"]
        for number, row in enumerate(self.rows()):
            if number == 20:
                break
            cells = (str(row[name]).replace("|", "\\|") for name in ("before", "after"))
            lines.append(f"| {row['record']} | {row['field']} | {' | '.join(cells)} |")
        return "\n".join(lines)

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {word}" for word, count in self.counts.items() if count)
        return f"plan for {self._file.meta('store')['url']}: {counts or 'nothing to do'}"


def make(
    source: str | Path | Iterable[Record] | Store,
    store: Store,
    output: str | Path,
    options: PlanOptions | None = None,
    *,
    transforms: Sequence[Transform | Task] = (),
    on_progress: OnProgress | None = None,
) -> Plan:
    """Return the plan that brings a store to what a source asks for.

    Args:
        source: a file, records, or another store.
        store: the store to change; nothing is written to it.
        output: where the plan goes; an existing file is never overwritten.
        options: what the plan may do.
        transforms: what to do to each desired record first, in order.
        on_progress: called with a stage ("read", "compare") and a count of records.

    Raises:
        SourceError: for everything that is wrong with the source, at once.
        ConfigError: if the source isn't there.
        Refused: with `strict`, if the store can't hold something.
    """
    from storebridge.store import Store

    if isinstance(source, Store):
        check_there(source.adapter)
    chosen = options or PlanOptions()
    return Plan(build(source, store, Path(output), chosen, transforms, on_progress), store)


def _fields(row: ChangeRow) -> Iterator[tuple[str, Any, Any]]:
    patch = Patch(json.loads(row.before or "{}"), json.loads(row.after or "{}"))
    return flatten(KINDS[row.kind], patch)
