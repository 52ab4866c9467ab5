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
    pairs,
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
from storebridge.compare.media import (
    Origin,
    addresses,
    each_medium,
    media_of,
    origins,
    readdressed,
    told,
)
from storebridge.compare.names import (
    composed,
    key_for,
    keyed,
    names_of,
    references,
    reworded,
    sought,
    undotted,
    unlike,
    ways_to_name,
)
from storebridge.compare.only import misfit, with_only
from storebridge.compare.order import arranged, in_order, listed
from storebridge.compare.surplus import as_edits, rebased, surplus, under_way

__all__ = [
    "EDITS",
    "Doc",
    "Doubt",
    "Index",
    "Match",
    "Origin",
    "Patch",
    "added_within",
    "addresses",
    "arranged",
    "as_edits",
    "changed_paths",
    "composed",
    "diff",
    "each_medium",
    "flatten",
    "fold",
    "in_order",
    "key_for",
    "keyed",
    "listed",
    "match",
    "media_of",
    "misfit",
    "names_of",
    "origins",
    "overlap",
    "pairs",
    "readdressed",
    "rebased",
    "rebuild",
    "references",
    "remaining",
    "reworded",
    "same",
    "select",
    "settle_lists",
    "sought",
    "still_holds",
    "surplus",
    "told",
    "unclear",
    "under_way",
    "undotted",
    "unlike",
    "ways_to_name",
    "whole_removals",
    "with_only",
]
