"""Plans: what would change in a store, sealed in a file; applying, resuming and undoing them."""

from __future__ import annotations

from storebridge.plan.file import SkippedRow
from storebridge.plan.folder import FolderReport, PlanFolder, StoreReport, plan_all
from storebridge.plan.guards import GuardResult, Guards
from storebridge.plan.options import (
    Absent,
    AbsentVariants,
    Create,
    OnConflict,
    PictureKind,
    PlanOptions,
    Task,
    Transform,
)
from storebridge.plan.plan import Plan, PlannedChange, make
from storebridge.plan.report import Item, Report
from storebridge.plan.ways import Forecast, Phase, Taken, WayChoice
from storebridge.plan.workers import Failure

__all__ = [
    "Absent",
    "AbsentVariants",
    "Create",
    "Failure",
    "FolderReport",
    "Forecast",
    "GuardResult",
    "Guards",
    "Item",
    "OnConflict",
    "Phase",
    "PictureKind",
    "Plan",
    "PlanFolder",
    "PlanOptions",
    "PlannedChange",
    "Report",
    "SkippedRow",
    "StoreReport",
    "Taken",
    "Task",
    "Transform",
    "WayChoice",
    "make",
    "plan_all",
]
