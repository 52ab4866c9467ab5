"""What became of a plan: one outcome for each change, and the counts that add up to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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

    plan: PlanFile
    store: str

    @property
    def counts(self) -> dict[str, int]:
        """How many changes ended in each status; "open" ones were not reached."""
        counts = {str(status): 0 for status in Status}
        counts |= self.plan.count("SELECT status, COUNT(*) FROM outcomes GROUP BY status")
        return counts | {"open": self.planned - sum(counts.values())}

    @property
    def planned(self) -> int:
        """How many changes the plan has."""
        return self.plan.count("SELECT 1, COUNT(*) FROM changes").get(1, 0)

    @property
    def conflicts(self) -> int:
        """How many changes were left alone because the store was changed since the plan."""
        return self._caused("conflict")

    @property
    def ok(self) -> bool:
        """Whether every change is applied or was there already."""
        counts = self.counts
        return counts["applied"] + counts["unchanged"] == self.planned

    @property
    def exit_code(self) -> int:
        """0 done, 5 conflicts were refused, 4 anything else is failed, unknown or left out."""
        return 0 if self.ok else 5 if self.conflicts else 4

    def items(self, *statuses: str) -> Iterator[Item]:
        """Yield changes with their outcomes; with statuses, only those that ended so."""
        outcomes: dict[int, OutcomeRow] = {}
        marks = ", ".join("?" * len(statuses))
        where = f"WHERE status IN ({marks})" if statuses else ""
        for outcome in self.plan.outcomes(where, statuses):
            outcomes[outcome.seq] = outcome
            if len(outcomes) == 500:
                yield from self._joined(outcomes)
                outcomes = {}
        yield from self._joined(outcomes)

    def _joined(self, outcomes: dict[int, OutcomeRow]) -> Iterator[Item]:
        marks = ", ".join("?" * len(outcomes))
        for change in self.plan.changes(f"WHERE seq IN ({marks})", tuple(outcomes)):
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

    def _caused(self, cause: str) -> int:
        query = "SELECT 1, COUNT(*) FROM outcomes WHERE status = 'skipped' AND cause = ?"
        return self.plan.count(query, (cause,)).get(1, 0)

    def __str__(self) -> str:
        """Return one line: the store and the counts that aren't zero."""
        parts = [f"{count} {status}" for status, count in self.counts.items() if count]
        return f"{self.store}: {', '.join(parts) or 'nothing to do'}"
