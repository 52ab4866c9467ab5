"""What was sent last of fields that a platform takes and never shows again.

Such a field can't be compared with the store, so its desired value is compared with the digest of
the value that was applied last. With an empty state folder it is sent once more, which does no
harm: only absolute values are remembered.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from storebridge.adapter import Change, Records
from storebridge.compare import Patch, diff, flatten, select, undotted
from storebridge.models import Record
from storebridge.parts import declared
from storebridge.state import StoreState

__all__ = ["Sent"]

_PART = "sent"


class Sent:
    """The memory of one kind of record's unreadable fields."""

    def __init__(self, state: StoreState, records: Records[Any]) -> None:
        """Look at the declarations once; without unreadable fields nothing is ever looked up."""
        self._state, self._records = state, records
        self._blind = any(field.write and not field.read for field in records.fields.values())

    def unsent(self, record_id: str, patch: Patch) -> Patch:
        """Return the patch without unreadable values that were applied before."""
        if not self._blind:
            return patch
        known = {
            path
            for path, _, after in flatten(self._records.model, patch)
            if self._unreadable(path)
            and self._state.fact(_PART, self._key(record_id, path)) == _digest(after)
        }
        return select(self._records.model, patch, lambda path: path not in known)

    def note(self, change: Change[Record], record_id: str) -> None:
        """Remember the unreadable values of a change that was applied."""
        if not self._blind or change.action == "delete":
            return
        patch = diff(change.desired, change.before or type(change.desired)())
        facts = {
            self._key(record_id, path): _digest(after)
            for path, _, after in flatten(self._records.model, patch)
            if self._unreadable(path)
        }
        if facts:
            self._state.set_facts(_PART, facts, rebuildable=True)

    def _unreadable(self, path: str) -> bool:
        field = declared(undotted(path), self._records.fields)
        return field is not None and not field.read

    def _key(self, record_id: str, path: str) -> str:
        return f"{self._records.model.kind} {record_id} {path}"


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
