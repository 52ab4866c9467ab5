"""What became of a plan: one outcome for each change, and the counts that add up to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from storebridge.flow import Status
from storebridge.plan.file import OutcomeRow, PlanFile

__all__ = ["Item", "Report"]


@dataclass(frozen=True, slots=True)
class Item:
    """One change and what became of it, in words."""

    kind: str
    label: str
    part: str
    action: str
    status: str
    cause: str
    message: str
    remedy: str
    origin: int | None
    http_status: int
    request_id: str


@dataclass(frozen=True, slots=True)
class Report:
    """The result of applying a plan; `counts` has every status and adds up to `planned`."""

    path: Path
    """The plan's file: `items` reads it."""
    store: str
    counts: Mapping[str, int]
    """How many changes ended in each status; "open" ones were not reached."""
    planned: int
    """How many changes the plan has."""
    conflicts: int
    """How many changes were left alone because the store was changed since the plan."""

    @classmethod
    def of(cls, plan: PlanFile, store: str) -> Report:
        """Return what became of a plan so far."""
        planned = plan.count("SELECT 1, COUNT(*) FROM changes").get(1, 0)
        counts = {str(status): 0 for status in Status}
        counts |= plan.count("SELECT status, COUNT(*) FROM outcomes GROUP BY status")
        counts["open"] = planned - sum(counts.values())
        causes = plan.count(
            "SELECT cause, COUNT(*) FROM outcomes WHERE status = 'skipped' GROUP BY cause"
        )
        return cls(plan.path, store, counts, planned, causes.get("conflict", 0))

    @property
    def ok(self) -> bool:
        """Whether every change is applied or was there already."""
        return self.counts["applied"] + self.counts["unchanged"] == self.planned

    @property
    def exit_code(self) -> int:
        """0 done, 5 conflicts were refused, 4 anything else is failed, unknown or left out."""
        return 0 if self.ok else 5 if self.conflicts else 4

    def items(self, *statuses: str) -> Iterator[Item]:
        """Yield changes with their outcomes; with statuses, only those that ended so."""
        with closing(PlanFile.open(self.path)) as plan:
            where = f"WHERE status IN ({', '.join('?' * len(statuses))})" if statuses else ""
            outcomes: dict[int, OutcomeRow] = {}
            for outcome in plan.outcomes(where, statuses):
                outcomes[outcome.seq] = outcome
                if len(outcomes) == 500:
                    yield from _joined(plan, outcomes)
                    outcomes = {}
            yield from _joined(plan, outcomes)

    def __str__(self) -> str:
        """Return one line: the store and the counts that aren't zero."""
        parts = [f"{count} {status}" for status, count in self.counts.items() if count]
        return f"{self.store}: {', '.join(parts) or 'nothing to do'}"


def _joined(plan: PlanFile, outcomes: dict[int, OutcomeRow]) -> Iterator[Item]:
    marks = ", ".join("?" * len(outcomes))
    for change in plan.changes(f"WHERE seq IN ({marks})", tuple(outcomes)):
        o = outcomes[change.seq]
        yield Item(
            change.kind,
            change.label,
            change.part,
            change.action,
            o.status,
            o.cause,
            o.message,
            o.remedy,
            change.origin,
            o.http_status,
            o.request_id,
        )
