"""Plans anew what an apply refused because the store was changed since the plan."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from storebridge.adapter import Records
from storebridge.compare import names_of, still_holds
from storebridge.models import Record
from storebridge.plan.apply import check_store
from storebridge.plan.changes import Changes, Why, row_of
from storebridge.plan.chunks import chunks
from storebridge.plan.file import ChangeRow, PlanFile
from storebridge.plan.live import Live
from storebridge.plan.options import PlanOptions
from storebridge.plan.sides import sides
from storebridge.plan.spool import Spool
from storebridge.plan.ways import forecast

if TYPE_CHECKING:
    from storebridge.store import Store

__all__ = ["replan"]

_REASON = ("planned anew: changed since the first plan",)
_WHY = Why(_REASON)


def replan(refused: PlanFile, store: Store, output: Path) -> PlanFile:
    """Return the sealed plan of the changes that met a conflict, against the store as it is now.

    What the first plan wanted is still wanted; the before values are the new ones, so that both
    can be seen before anything is overwritten.
    """
    refused.check_seal()
    check_store(refused, store)
    folder = output.resolve().parent
    with PlanFile.making(output) as file, Spool.temporary(folder) as spool:
        file.put_meta(
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            source=f"conflicts of {refused.path.name}",
            **{name: refused.meta(name) for name in _SAME},
        )
        changes = Changes(store, file, spool, PlanOptions(stock=True))
        seqs = [o.seq for o in refused.outcomes(_REFUSED)]
        for chunk in chunks(seqs, 200):
            marks = ", ".join("?" * len(chunk))
            for row in refused.changes(f"WHERE seq IN ({marks})", chunk):
                _again(row, store, spool, changes)
            changes.flush()
        changes.finish(by_part=True)
        file.put_meta(forecast=forecast(store, file))
    return file


#: Besides conflicts: the parts of a record whose create met one.
_REFUSED = "WHERE status = 'skipped' AND cause IN ('conflict', 'reference')"
_SAME = ("store", "platform", "api_version", "options")


def _again(row: ChangeRow, store: Store, spool: Spool, changes: Changes) -> None:
    records: Records[Record] = store.adapter.records(row.kind)
    _, desired, removed = sides(records.model, row)
    names = [f"id:{row.record_id}"] if row.record_id else [row.key, *names_of(desired)]
    live = next(iter(Live(store, row.kind, spool).find(names).values()), None)
    if live is None:
        changes.skip(row, "unknown", "it is no longer in the store", "Plan from the source again.")
    elif row.reads and still_holds(records.model, json.loads(row.reads), live):
        message = "it was computed from values that changed since"
        changes.skip(row, "computed", message, "Plan from the source again.")
    elif row.action == "delete":
        changes.delete(row.kind, row.origin, live, _REASON)
    elif removed:
        changes.skip(row, "removal", "it takes elements out", "Plan from the source again.")
    else:
        changes.update(row_of(row.kind, row.origin, live), desired, live, _WHY)
