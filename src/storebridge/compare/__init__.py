"""Comparing records: whom a record means, what differs, and the way back. No I/O.

Plans and direct writes compare by the same rules, which are these.
"""

from __future__ import annotations

from storebridge.compare.diff import (
    EDITS,
    Doc,
    Patch,
    added_within,
    changed_paths,
    diff,
    flatten,
    overlap,
    rebuild,
    remaining,
    same,
    select,
    settle_lists,
    still_holds,
    unclear,
    whole_removals,
)
from storebridge.compare.match import Doubt, Index, Match, fold, match
from storebridge.compare.names import composed, key_for, names_of, references, undotted

__all__ = [
    "EDITS",
    "Doc",
    "Doubt",
    "Index",
    "Match",
    "Patch",
    "added_within",
    "changed_paths",
    "composed",
    "diff",
    "flatten",
    "fold",
    "key_for",
    "match",
    "names_of",
    "overlap",
    "rebuild",
    "references",
    "remaining",
    "same",
    "select",
    "settle_lists",
    "still_holds",
    "unclear",
    "undotted",
    "whole_removals",
]
