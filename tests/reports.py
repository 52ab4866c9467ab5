"""Plan files for the tests of reports, with whatever a test wants to see in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from storebridge.flow import Outcome, Status
from storebridge.plan import SkippedRow
from storebridge.plan.file import ChangeRow, PlanFile


def change(
    label: str = "tee",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    *,
    kind: str = "product",
    reasons: Sequence[str] = (),
    reads: Mapping[str, Any] | None = None,
    origin: int | None = 2,
) -> ChangeRow:
    """A change; its action follows from the sides that it has."""
    action = "create" if before is None else "delete" if after is None else "update"
    return ChangeRow(
        *(0, kind, "core", action, "", f"handle:{label}", label, origin),  # type: ignore[arg-type]
        before=None if before is None else json.dumps(before),
        after=None if after is None else json.dumps(after),
        reasons=json.dumps(list(reasons)),
        reads=None if reads is None else json.dumps(reads),
    )


def plan_file(
    path: Path,
    changes: Sequence[ChangeRow],
    outcomes: Sequence[Outcome] = (),
    skipped: Sequence[SkippedRow] = (),
    fit: Sequence[tuple[str, str, str, str, str]] = (),
    **meta: Any,
) -> Path:
    """A sealed plan; outcome N is that of change N, from 1 on."""
    file = PlanFile.create(path)
    actions = [str(row.action) for row in changes]
    words = ("create", "update", "delete", "unchanged", "skipped", "out_of_scope")
    head: dict[str, Any] = {
        "created_at": "2026-11-22T10:00:00+00:00",
        "store": {"id": "s", "name": "Shop", "url": "local:shop.db"},
        "platform": "local",
        "api_version": "1",
        "source": "feed.csv",
        "options": {},
        "forecast": {"writes": 2, "seconds": None},
        "counts": {word: actions.count(word) for word in words} | {"skipped": len(skipped)},
    }
    file.put_meta(**head | meta)
    file.add_changes((1, row) for row in changes)
    file.add_skipped(skipped)
    file.add_fit(fit)
    file.seal()
    if outcomes:
        file.put_outcomes(file.begin_batch([1]), [(outcome, True) for outcome in outcomes])
    file.close()
    return path


def ended(seq: int, status: Status, message: str = "", remedy: str = "", **fields: Any) -> Outcome:
    """What became of a change."""
    return Outcome(change=str(seq), status=status, message=message, remedy=remedy, **fields)
