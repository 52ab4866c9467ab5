"""What a report shows of one plan or several, read in a stream, with nothing that is hidden."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

from storebridge.adapter import Fit
from storebridge.plan import Plan, PlanFolder, PlannedChange, SkippedRow
from storebridge.plan.file import ChangeRow, OutcomeRow, PlanFile
from storebridge.report.hide import Hiding, Secrets, check_names
from storebridge.report.text import pathless, said

__all__ = ["PROBLEMS", "Entry", "FitRow", "Head", "Stopped", "View", "moment"]

#: The statuses that need somebody's eyes.
PROBLEMS = ("failed", "unknown", "skipped")
_COUNTS = ("create", "update", "delete", "unchanged", "skipped", "out_of_scope")
_CHUNK = 500
_IN = f"(SELECT seq FROM outcomes WHERE status IN {PROBLEMS})"
_WHICH = {
    "all": "",
    "problems": f"WHERE seq IN {_IN}",
    "others": f"WHERE seq NOT IN {_IN}",
}


@dataclass(frozen=True, slots=True)
class Head:
    """What a report says of a whole plan."""

    path: Path
    store: str
    """The store's name, else its URL."""
    facts: tuple[tuple[str, str], ...]
    """What it was made of and for, in a person's words."""
    planned: dict[str, int]
    """How many records are created, updated, deleted, unchanged, skipped, out of scope."""
    outcomes: dict[str, int]
    """How many changes ended in each status; "open" ones were not reached."""
    changes: int
    created_at: str
    """When it was made, in ISO 8601, UTC."""

    @property
    def applied(self) -> bool:
        """Whether anything of it was applied."""
        return self.outcomes["open"] < self.changes

    @property
    def problems(self) -> int:
        """How many changes failed, were skipped, or ended nobody knows how."""
        return sum(self.outcomes[status] for status in PROBLEMS)


@dataclass(frozen=True, slots=True)
class Entry:
    """One change as a report may show it, with what became of it."""

    store: int
    """The place of its plan among the heads."""
    change: PlannedChange
    outcome: OutcomeRow | None
    status: str
    """Its outcome's; "planned" before the plan was applied, "open" where it wasn't reached."""
    hidden: int
    """How many of its fields are hidden."""


class Stopped(NamedTuple):
    """A store of a folder that has no plan, or whose run ended early, and why."""

    store: str
    message: str


@dataclass(frozen=True, slots=True)
class FitRow:
    """Something that a store can't hold, for how many records, and the first of them."""

    store: int
    fit: Fit
    count: int


class View:
    """Plans as a report shows them; every stream can be read again."""

    def __init__(self, plans: Iterable[Path], hide: Iterable[str] = ()) -> None:
        """Take the plans' files or folders, and the names of fields that must not be seen.

        Raises:
            PlanError: if a file is no plan that this version can use.
            UsageError: if a name that must not be seen means nothing.
        """
        self.hiding = Hiding(hide)
        heads, stopped = list[Head](), list[Stopped]()
        for path in plans:
            if not path.is_dir():
                heads.append(self._head(path))
                continue
            folder = PlanFolder.open(path)
            heads += (self._head(plan.path, store) for store, plan in folder.plans())
            failures = folder.failures()
            stopped += (Stopped(_address(s), self._stated(f.message)) for s, f in failures)
        self.heads, self.stopped = tuple(heads), tuple(stopped)
        check_names(self.hiding.names, self._documents())

    @property
    def stores(self) -> tuple[str, ...]:
        """What people call the stores, those without a plan last."""
        heads, stopped = (head.store for head in self.heads), (one.store for one in self.stopped)
        return tuple(dict.fromkeys([*heads, *stopped]))

    @property
    def changes(self) -> int:
        """How many changes there are in all."""
        return sum(head.changes for head in self.heads)

    @property
    def applied(self) -> bool:
        """Whether anything of any plan was applied."""
        return any(head.applied for head in self.heads)

    def total(self, side: Literal["planned", "outcomes"]) -> dict[str, int]:
        """Return one of the heads' counts, summed."""
        sums: dict[str, int] = {}
        for head in self.heads:
            for name, count in getattr(head, side).items():
                sums[name] = sums.get(name, 0) + count
        return sums

    def entries(
        self, which: Literal["all", "problems", "others"] = "all", most: int | None = None
    ) -> Iterator[Entry]:
        """Yield the changes in the order in which they are applied, at most so many of a plan."""
        for place, head in enumerate(self.heads):
            with closing(PlanFile.open(head.path)) as file:
                rows = islice(file.changes(_WHICH[which]), most)
                while chunk := list(islice(rows, _CHUNK)):
                    marks = ", ".join("?" * len(chunk))
                    found = file.outcomes(f"WHERE seq IN ({marks})", [row.seq for row in chunk])
                    outcomes = {outcome.seq: outcome for outcome in found}
                    for row in chunk:
                        yield self._entry(place, head, row, outcomes.get(row.seq))

    def skipped(self) -> Iterator[tuple[int, SkippedRow]]:
        """Yield the records that plans leave alone, each with the place of its plan."""
        for place, head in enumerate(self.heads):
            with Plan.open(head.path) as plan:
                for row in plan.skipped():
                    yield place, self._skipped(row)

    def warnings(self) -> Iterator[tuple[int, str]]:
        """Yield what should be read before applying, each with the place of its plan."""
        for place, head in enumerate(self.heads):
            with Plan.open(head.path) as plan:
                for text in plan.warnings():
                    yield place, self.hiding.text(text, Secrets())

    def fit(self, most: int = 1000) -> Iterator[FitRow]:
        """Yield what stores can't hold, one row per kind, field and message, at most `most`."""
        groups: dict[tuple[Any, ...], tuple[Fit, int]] = {}
        for place, head in enumerate(self.heads):
            with Plan.open(head.path) as plan:
                for fit in plan.fit():
                    key = (place, fit.kind, fit.field, fit.message)
                    first, count = groups.get(key, (fit, 0))
                    if count or len(groups) < most:
                        groups[key] = (first, count + 1)
        for key, (fit, count) in groups.items():
            if not self.hiding.field(fit.field):
                yield FitRow(key[0], self._fit(fit), count)

    # -- the parts

    def _documents(self) -> Iterator[str]:
        """Yield the JSON of the plans' records, for the names in it."""
        for head in self.heads:
            with closing(PlanFile.open(head.path)) as file:
                for row in file.changes():
                    yield from filter(None, (row.before, row.after))

    def _stated(self, message: str) -> str:
        return self.hiding.text(message, Secrets())

    def _head(self, path: Path, store: str = "") -> Head:
        with Plan.open(path) as plan:
            plan.check_seal()
            about, report = plan.about, plan.report()
            return Head(
                path=path,
                store=_address(store or about["store"]["name"] or about["store"]["url"]),
                facts=tuple(self._facts(plan, about)),
                planned=dict.fromkeys(_COUNTS, 0) | plan.counts,
                outcomes=dict(report.counts),
                changes=report.planned,
                created_at=about["created_at"],
            )

    def _facts(self, plan: Plan, about: dict[str, Any]) -> Iterator[tuple[str, str]]:
        options = ", ".join(_options(about["options"] or {}))
        facts = (
            ("Store", _address(about["store"]["url"])),
            ("Platform", f"{about['platform']} {about['api_version'] or ''}".rstrip()),
            ("Source", _address(about["source"])),
            ("Made", moment(about["created_at"])),
            ("Takes back", about["undo_of"]),
            ("Options", self.hiding.text(options, Secrets())),
            ("Not in the source", ", ".join(_absent(plan.absent))),
            ("Guards", ", ".join(map(str, plan.guards()))),
            ("Forecast", plan.forecast),
            ("Ways", "; ".join(map(str, plan.forecast.phases))),
            ("Hidden here", ", ".join(self.hiding.names)),
            ("Plan", plan.path.name),
            ("Digest", plan.digest),
        )
        return ((name, str(value)) for name, value in facts if value)

    def _entry(self, place: int, head: Head, row: ChangeRow, outcome: OutcomeRow | None) -> Entry:
        status = outcome.status if outcome else "open" if head.applied else "planned"
        change = PlannedChange.of(row)
        secrets = Secrets()
        if self.hiding:
            for text in (row.before, row.after, row.reads, outcome.before if outcome else None):
                self.hiding.collect(text or "", secrets)
        shown = self._shown(change, secrets)
        hidden = len(change.fields) - len(shown.fields)
        if outcome is not None:
            outcome = outcome._replace(
                message=self.hiding.text(outcome.message, secrets),
                remedy=self.hiding.text(outcome.remedy, secrets),
                before=None,
            )
        return Entry(place, shown, outcome, status, hidden)

    def _shown(self, change: PlannedChange, secrets: Secrets) -> PlannedChange:
        fields = []
        for path, before, after in change.fields:
            was, now = self.hiding.value(path, before), self.hiding.value(path, after)
            if was != now or not self.hiding:
                shown = self.hiding.path(path)
                fields.append((shown, pathless(said(was, shown)), pathless(said(now, shown))))
        return replace(
            change,
            label=self.hiding.label(change.label, change.origin, secrets),
            fields=tuple(fields),
            reasons=tuple(self.hiding.text(reason, secrets) for reason in change.reasons),
        )

    def _skipped(self, row: SkippedRow) -> SkippedRow:
        return row._replace(
            label=self.hiding.label(row.label, row.origin, Secrets()),
            message=self.hiding.text(row.message, Secrets()),
            remedy=self.hiding.text(row.remedy, Secrets()),
        )

    def _fit(self, fit: Fit) -> Fit:
        return replace(
            fit,
            label=self.hiding.label(fit.label, None, Secrets()),
            message=self.hiding.text(fit.message, Secrets()),
        )


def moment(text: str) -> str:
    """Return a time in ISO 8601 as people read it."""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%d %B %Y, %H:%M UTC").lstrip("0")


def _address(url: str) -> str:
    """Return a store's address; one on this machine without its folder."""
    platform, sign, rest = url.partition(":")
    return f"local:{rest.rpartition('/')[2]}" if (platform, sign) == ("local", ":") else url


def _absent(counts: dict[str, int]) -> Iterator[str]:
    return (f"{count:,} {what}" for what, count in counts.items() if count)


def _options(options: dict[str, Any]) -> Iterator[str]:
    """Yield the options that were given, guards among them."""
    for name, value in options.items():
        if isinstance(value, dict):
            yield from _options(value)
        elif value not in (None, False, "", [], ()):
            yield name if value is True else f"{name} = {value}"
