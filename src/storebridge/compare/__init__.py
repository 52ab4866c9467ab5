"""Comparing records: whom a record means, what differs, and the way back. No I/O.

Plans and direct writes compare by the same rules, which are these.
"""

from __future__ import annotations

from storebridge.compare.diff import (
    EDITS,
    Doc,
    Patch,
    changed_paths,
    diff,
    flatten,
    rebuild,
    same,
    select,
    still_holds,
)
from storebridge.compare.match import Doubt, Index, Match, match
from storebridge.compare.names import key_for, names_of, references, undotted

__all__ = [
    "EDITS",
    "Doc",
    "Doubt",
    "Index",
    "Match",
    "Patch",
    "changed_paths",
    "diff",
    "flatten",
    "key_for",
    "match",
    "names_of",
    "rebuild",
    "references",
    "same",
    "select",
    "still_holds",
    "undotted",
]
