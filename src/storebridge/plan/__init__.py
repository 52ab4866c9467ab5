"""Plans: what would change in a store, sealed in a file; applying, resuming and undoing them."""

from __future__ import annotations

from storebridge.plan.file import SkippedRow
from storebridge.plan.options import Absent, OnConflict, PlanOptions, Task, Transform
from storebridge.plan.plan import Plan, PlannedChange, make
from storebridge.plan.report import Item, Report

__all__ = [
    "Absent",
    "Item",
    "OnConflict",
    "Plan",
    "PlanOptions",
    "PlannedChange",
    "Report",
    "SkippedRow",
    "Task",
    "Transform",
    "make",
]
