"""What users hold of plans for many stores: a folder that is applied, resumed and undone as one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storebridge import config
from storebridge.config import StoreConfig
from storebridge.errors import PlanError, StorebridgeError, worst
from storebridge.models import Record
from storebridge.plan.apply import check_digest
from storebridge.plan.group import (
    OnStore,
    Wanted,
    derive,
    do_all,
    lanes,
    opened,
    plan_each,
    targets,
)
from storebridge.plan.index import Index, Row, names_for
from storebridge.plan.options import OnConflict, PlanOptions, Task, Transform
from storebridge.plan.plan import Plan
from storebridge.plan.report import Report
from storebridge.plan.workers import GRACE, Failure, Tell, Work

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = ["FolderReport", "PlanFolder", "StoreReport", "plan_all"]


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What became of one store of a folder."""

    store: str
    """What people call it."""
    report: Report | None
    """What became of its plan; None where there is none."""
    message: str
    """What stood in the way of the whole store; "" if nothing did."""
    exit_code: int

    def __str__(self) -> str:
        if self.report is None or (self.message and not self.report.planned):
            return f"{self.store}: {self.message}"
        counts = f"{self.store}: {str(self.report).partition(': ')[2]}"
        return f"{counts}. {self.message}" if self.message else counts


@dataclass(frozen=True, slots=True)
class FolderReport:
    """What became of a folder of plans, store by store."""

    folder: Path
    rows: tuple[StoreReport, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many changes ended in each status, over all stores."""
        sums: dict[str, int] = {}
        for row in self.rows:
            for name, count in (row.report.counts if row.report else {}).items():
                sums[name] = sums.get(name, 0) + count
        return sums

    @property
    def planned(self) -> int:
        """How many changes all plans have."""
        return sum(row.report.planned for row in self.rows if row.report)

    @property
    def conflicts(self) -> int:
        """How many changes were left alone because a store was changed since its plan."""
        return sum(row.report.conflicts for row in self.rows if row.report)

    @property
    def ok(self) -> bool:
        """Whether every store has a plan, and every change is applied or was there already."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """The worst of the stores' exit codes, in the order of `storebridge.errors.worst`."""
        return worst(row.exit_code for row in self.rows)

    def __str__(self) -> str:
        """Return one line for each store."""
        return "\n".join(map(str, self.rows))


class PlanFolder:
    """A folder with one plan for each of many stores, and an index of them.

    Stores are worked on side by side, each apart from the others: what fails for one stops no
    other, and is told in its row. The same call goes on where a run was stopped.
    """

    def __init__(self, path: Path, index: Index) -> None:
        """Hold a folder; use `open`, or `storebridge.plan_all` for a new one."""
        self.path, self._index = path, index

    @classmethod
    def open(cls, path: str | Path) -> PlanFolder:
        """Return the plans of a folder.

        Raises:
            PlanError: if it is none, or isn't one that this version can use.
        """
        return cls(Path(path), Index.load(Path(path)))

    def __repr__(self) -> str:
        return f"<PlanFolder {self.path}: {len(self._index.rows)} stores>"

    @property
    def source(self) -> str:
        """What the plans were made of."""
        return self._index.source

    @property
    def digest(self) -> str:
        """The SHA-256 over which stores have which plans, in hex."""
        return self._index.digest

    @property
    def stores(self) -> tuple[str, ...]:
        """What people call the stores, those without a plan too."""
        return tuple(row.store for row in self._index.rows)

    @property
    def strangers(self) -> tuple[Path, ...]:
        """Plans that lie in the folder and are none of it; they are left alone."""
        known = {row.file for row in self._index.rows if row.digest}
        return tuple(p for p in sorted(self.path.glob("*.plan")) if p.name not in known)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change in any store that has a plan."""
        return all(plan.is_empty for _, plan in self.plans())

    @property
    def counts(self) -> dict[str, int]:
        """How many records are created, updated, deleted, unchanged, ... over all stores."""
        sums: dict[str, int] = {}
        for _, plan in self.plans():
            for name, count in plan.counts.items():
                sums[name] = sums.get(name, 0) + count
        return sums

    @property
    def exit_code(self) -> int:
        """The worst of what stands in the way of whole stores; 0 if nothing does."""
        return worst(failure.exit_code for _, failure in self.failures())

    def plans(self) -> Iterator[tuple[str, Plan]]:
        """Yield each store that has a plan, and the plan, which is open until the next one."""
        for row in self._index.rows:
            if self._problem(row) is None:
                with Plan.open(self.path / row.file) as plan:
                    yield row.store, plan

    def failures(self) -> Iterator[tuple[str, Failure]]:
        """Yield each store that something stands in the way of, and what it is."""
        for row in self._index.rows:
            problem = self._problem(row) or _noted(row)
            if problem is not None:
                yield row.store, problem

    def apply(
        self,
        stores: Iterable[Store] = (),
        *,
        on_conflict: OnConflict = "refuse",
        retry_failed: bool = False,
        wait: float | None = GRACE,
        digest: str = "",
        jobs: int = 0,
        state: str | Path | None = None,
        on_progress: OnStore | None = None,
    ) -> FolderReport:
        """Apply the plans, or go on with an interrupted run.

        Args:
            stores: open stores to use, by their names; by default each is opened as it was
                planned, in a process of its own.
            on_conflict: what to do about fields that were changed since the plan.
            retry_failed: whether to send again what failed before.
            wait: seconds to wait for a store that another run has; None for ever. A run that
                was killed lets go within the default.
            digest: the folder's digest that somebody else read, or its first 12 digits at least.
            jobs: how many stores are worked on side by side; 0 chooses.
            state: the folder of what is remembered per store.
            on_progress: called with a store, a stage, how much is done and how much there is.

        Raises:
            Refused: if the folder's digest is another one; nothing was done then.
        """
        if digest:
            check_digest(self.digest, digest, self.path)
        given = {store.name: store for store in stores}
        arguments = {
            "state": state,
            "on_conflict": on_conflict,
            "retry_failed": retry_failed,
            "wait": wait,
        }
        works, ends = self._works(_apply_one, given, arguments, self._is_open)
        targets = [work.arguments["store"] for work in works]
        for store, failure in ends.items():
            self._note(store, failure)

        def told(store: str, stage: str, done: Any, total: int) -> None:
            if on_progress:
                on_progress(store, stage, done, total)

        do_all(works, lanes(targets, jobs), told, self._note)
        return self.report()

    def report(self) -> FolderReport:
        """Return what became of the plans so far."""
        return FolderReport(self.path, tuple(map(self._row_report, self._index.rows)))

    def undo(
        self,
        output: str | Path,
        stores: Iterable[Store] = (),
        *,
        where: str = "",
        fields: Sequence[str] = (),
        jobs: int = 0,
        state: str | Path | None = None,
        on_progress: OnStore | None = None,
    ) -> PlanFolder:
        """Return a folder with the inverse of what was applied to each store.

        Raises:
            PlanError: if nothing was applied, or the folder is there already.
        """
        asked = {"where": where, "fields": tuple(fields)}
        given = {store.name: store for store in stores}
        name = f"undo of {self.path.name}"
        return self._derived(
            (name, Plan.undo, asked), _was_applied, Path(output), given, jobs, state, on_progress
        )

    def replan(
        self,
        output: str | Path,
        stores: Iterable[Store] = (),
        *,
        jobs: int = 0,
        state: str | Path | None = None,
        on_progress: OnStore | None = None,
    ) -> PlanFolder:
        """Return a folder with new plans of what `apply` refused because it was changed since.

        Raises:
            PlanError: if nothing was refused, or the folder is there already.
        """
        given = {store.name: store for store in stores}
        how = (self.source, Plan.replan, dict[str, Any]())
        return self._derived(how, _was_refused, Path(output), given, jobs, state, on_progress)

    # -- the parts

    def _derived(
        self,
        how: tuple[str, Callable[..., Plan], dict[str, Any]],
        has: Callable[[Report], bool],
        output: Path,
        given: dict[str, Store],
        jobs: int,
        state: str | Path | None,
        on_progress: OnStore | None,
    ) -> PlanFolder:
        """Return a folder of plans that come of these, for the stores whose report has some."""
        name, function, asked = how
        arguments = {**asked, "derive": function, "state": state}
        works, ends = self._works(
            _derive_one, given, arguments, lambda row: has(self._report_of(row))
        )
        if not works and not ends:
            raise PlanError(f"{self.path} has nothing for {output}: nothing of it was done so far")
        stores = [work.store for work in works] + list(ends)
        files = names_for(stores)
        rows = (
            Row(s, files[s], **_told(ends[s])) if s in ends else Row(s, files[s]) for s in stores
        )
        request = json.dumps([self.digest, name, asked], sort_keys=True)
        index = Index(
            source=name,
            rows=tuple(rows),
            request=hashlib.sha256(request.encode()).hexdigest(),
            undo_of=self.digest if function is Plan.undo else "",
        )
        side = lanes([work.arguments["store"] for work in works], jobs)
        derive(index, works, output, side, on_progress)
        return PlanFolder.open(output)

    def _works(
        self,
        function: Callable[..., Any],
        given: dict[str, Store],
        arguments: dict[str, Any],
        wanted: Callable[[Row], bool],
    ) -> tuple[list[Work], dict[str, Failure]]:
        """Return the work for each wanted store, and what is in the way of others."""
        works, ends = list[Work](), dict[str, Failure]()
        for row in self._index.rows:
            problem = self._problem(row)
            if problem is not None:
                if row.digest:
                    ends[row.store] = problem
                continue
            if not wanted(row):
                continue
            try:
                store = given.get(row.store) or config.resolve(row.store)[0]
            except StorebridgeError as error:
                ends[row.store] = Failure(str(error), error.exit_code)
                continue
            own = {"store": store, "plan": self.path / row.file}
            works.append(Work(row.store, function, {**own, **arguments}))
        return works, ends

    def _problem(self, row: Row) -> Failure | None:
        """Return what is wrong with a store's plan before anything is tried with it."""
        path = self.path / row.file
        if not row.digest:
            return _noted(row) or Failure("it was not planned: run the same plan again.", 1)
        if not path.is_file():
            message = f"its plan {row.file} is not in {self.path}: put it back, or plan again."
            return Failure(message, PlanError.exit_code)
        try:
            with Plan.open(path) as plan:
                return None if plan.digest == row.digest else _foreign(path)
        except PlanError as error:
            return Failure(str(error), error.exit_code)

    def _is_open(self, row: Row) -> bool:
        """Return whether there is anything left to do for a store."""
        return not self._report_of(row).ok

    def _report_of(self, row: Row) -> Report:
        with Plan.open(self.path / row.file) as plan:
            return plan.report(row.store)

    def _row_report(self, row: Row) -> StoreReport:
        problem = self._problem(row)
        if problem is not None:
            return StoreReport(row.store, None, problem.message, problem.exit_code)
        report = self._report_of(row)
        codes = (row.exit_code, report.exit_code)
        return StoreReport(row.store, report, row.message, worst(codes))

    def _note(self, store: str, result: Any) -> None:
        """Keep in the index how a run of a store's plan ended."""
        row = next(row for row in self._index.rows if row.store == store)
        failed = result if isinstance(result, Failure) else Failure("", 0)
        self._index = self._index.put(replace(row, **_told(failed)))
        self._index.save(self.path)


def plan_all(
    source: str | Path | Iterable[Record] | Store,
    to: str | Store | Iterable[str | Store],
    output: str | Path,
    *,
    jobs: int = 0,
    state: str | Path | None = None,
    transforms: Sequence[Transform | Task] = (),
    on_progress: OnStore | None = None,
    **options: Any,
) -> PlanFolder:
    """Return a folder with a plan for each of many stores; changes nothing in them.

    Stores that are named are worked on in processes of their own; stores that are open, and
    transforms of your script, in threads of this one. The same call goes on after a kill.

    Args:
        source: a file, records, or another store.
        to: names, tags ("@eu", "@all"), URLs or open stores.
        output: the folder of the plans, a new one.
        jobs: how many stores are worked on side by side; 0 chooses.
        state: the folder of what is remembered per store.
        transforms: what to do to each desired record first, in order.
        on_progress: called with a store, a stage, how much is done and how much there is.
        **options: the fields of `storebridge.plan.PlanOptions`.

    Raises:
        ConfigError: if a store is unknown, or an option is wrong.
        PlanError: if the folder exists already, with other plans.
        Refused: if two names mean one store.
    """
    from storebridge.store import Store

    chosen = PlanOptions.of(**options)
    given = source if isinstance(source, str | Path | Store) else tuple(source)
    wanted = [Wanted(store, given, chosen) for store in targets(to)]
    folder = Path(output)
    plan_each(
        wanted, folder, jobs=jobs, state=state, transforms=transforms, on_progress=on_progress
    )
    return PlanFolder.open(folder)


# -- what is done for one store


def _apply_one(
    tell: Tell,
    *,
    store: StoreConfig | Store,
    state: str | Path | None,
    plan: Path,
    **options: Any,
) -> None:
    def on_progress(done: int, total: int) -> None:
        tell("apply", done, total)

    with Plan.open(plan) as one, opened(store, state) as target:
        one.apply(target, on_progress=on_progress, **options)


def _derive_one(
    tell: Tell,
    *,
    derive: Callable[..., Plan],
    store: StoreConfig | Store,
    state: str | Path | None,
    plan: Path,
    output: Path,
    **options: Any,
) -> tuple[str, str]:
    tell(derive.__name__, 0, 0)
    with (
        Plan.open(plan) as one,
        opened(store, state) as target,
        derive(one, output, target, **options) as made,
    ):
        return target.info.id, made.digest


def _was_applied(report: Report) -> bool:
    return report.planned > report.counts["open"]


def _was_refused(report: Report) -> bool:
    return report.conflicts > 0


def _noted(row: Row) -> Failure | None:
    return Failure(row.message, row.exit_code) if row.message else None


def _told(failure: Failure) -> dict[str, Any]:
    return {"message": failure.message, "exit_code": failure.exit_code}


def _foreign(path: Path) -> Failure:
    message = f"{path} is another plan than the one that was made here: plan again."
    return Failure(message, PlanError.exit_code)
