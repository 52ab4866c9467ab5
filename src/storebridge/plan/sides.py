"""A plan's row as what it stands for: two sides, records, a change as adapters know it."""

from __future__ import annotations

import json
from typing import Any

from storebridge.adapter import Change
from storebridge.compare import Patch, rebuild
from storebridge.models import Record
from storebridge.plan.file import ChangeRow

__all__ = ["change_of", "patch_of", "sides"]


def patch_of(row: ChangeRow) -> Patch:
    """Return the two sides of a row."""
    return Patch(json.loads(row.before or "{}"), json.loads(row.after or "{}"))


def sides(
    model: type[Record], row: ChangeRow
) -> tuple[Record | None, Record, dict[str, tuple[str, ...]]]:
    """Return a row's before and after as records, and the elements to take out."""
    if row.action == "create":
        return None, model.model_validate_json(row.after or "{}"), {}
    if row.action == "delete":
        before = model.model_validate_json(row.before or "{}")
        return before, before, {}
    return rebuild(model, patch_of(row))


def change_of(model: type[Record], row: ChangeRow, record_id: str) -> Change[Any]:
    """Return a row as the adapter gets it, for the record that has this id ("" for a new one)."""
    before, desired, removed = sides(model, row)
    return Change(
        id=str(row.seq),
        action=row.action,
        part=row.part,
        record_id=record_id,
        key=row.key,
        desired=desired,
        before=before,
        removed=removed,
    )
