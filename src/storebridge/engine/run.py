"""What belongs to one run of a flow: its answers, and what is known of its changes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from storebridge.adapter import Batch
from storebridge.engine.base import Journal
from storebridge.errors import StorebridgeError
from storebridge.flow import Outcome, Request, Response, Status

__all__ = ["Run"]

#: Causes of failures in which the store did not say that it refused a change.
_NO_ANSWER = frozenset({"answer", "connection", "error", "throttled", "unavailable"})
#: So many answers are looked through for a place that couldn't be read.
_ANSWERS = 8


@dataclass(slots=True)
class Run:
    """What belongs to one run of a flow."""

    journal: Journal | None = None
    batch: str = ""
    changes: frozenset[str] = frozenset()
    authorizing: bool = False
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    """Changes that a request may have made."""
    answers: deque[tuple[Request, Response]] = field(default_factory=lambda: deque(maxlen=_ANSWERS))
    """The last answers that the flow got."""

    @classmethod
    def of(cls, batch: Batch[Any], journal: Journal | None) -> Run:
        """Return the run of a batch."""
        changes = frozenset(change.id for change in batch.changes)
        return cls(journal=journal, batch=batch.id, changes=changes, touched=set(batch.uncertain))

    def rest(self, batch: Batch[Any], error: Exception | None) -> tuple[Outcome, ...]:
        """Return outcomes for the changes that the flow reported none for.

        They are unknown where a request may have made them, and without an error; otherwise
        the error is their failure.
        """
        missing = [change.id for change in batch.changes if change.id not in self.outcomes]
        return tuple(self._unreported(change, error) for change in missing)

    def in_order(self, batch: Batch[Any], rest: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
        """Return all outcomes, reported or not, in the order of the batch's changes."""
        found = self.outcomes | {outcome.change: outcome for outcome in rest}
        return tuple(found[change.id] for change in batch.changes)

    def status_of(self, outcome: Outcome) -> Status:
        """Return a reported status; a failure says nothing of an earlier try that may have done it.

        Unless the store itself refused the change, it is unknown then.
        """
        undecided = outcome.status is Status.FAILED and outcome.cause in _NO_ANSWER
        return Status.UNKNOWN if undecided and outcome.change in self.touched else outcome.status

    def _unreported(self, change: str, error: Exception | None) -> Outcome:
        if error is None:
            return Outcome(
                change=change,
                status=Status.UNKNOWN,
                cause="lost",
                message="the adapter reported no outcome for this change",
                remedy="look at the record in the store",
            )
        if not isinstance(error, StorebridgeError):
            error = StorebridgeError(f"the adapter failed: {type(error).__name__}")
        outcome = Outcome.failure(change, error)
        return replace(outcome, status=Status.UNKNOWN) if change in self.touched else outcome
