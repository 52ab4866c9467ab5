"""What an operation costs, in points of the store's bucket, before it is sent.

The rules are the platform's (usage/limits: object 1, mutation 10, a connection by its size) and,
where it publishes none, what recorded answers show; `extensions.cost` of an answer has the last
word. What depends on the schema is worked out beforehand and lies beside the documents.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

__all__ = ["SURCHARGES", "Tree", "factor", "surcharge"]

#: Points for each element of an input list, by operation and path ("Complexity cost" of the
#: schema's descriptions for productSet; 1,499 new variants cost 310, so the bulk calls have 0.2).
SURCHARGES: Mapping[str, Mapping[str, float]] = {
    "productSet": {
        "input.files": 1.9,
        "input.metafields": 0.4,
        "input.variants": 0.2,
        "input.variants.file": 0.6,
        "input.variants.metafields": 0.4,
    },
    "productVariantsBulkCreate": {"variants": 0.2, "variants.metafields": 0.4},
    "productVariantsBulkUpdate": {"variants": 0.2, "variants.metafields": 0.4},
}

_PATHS = {
    mutation: [(tuple(path.split(".")), points) for path, points in per.items()]
    for mutation, per in SURCHARGES.items()
}


def factor(size: int) -> int:
    """Return how many times a connection of so many records counts what it has of each."""
    return 0 if size <= 0 else math.floor(2 * math.log(max(2, size)))


@dataclass(frozen=True, slots=True)
class Tree:
    """The points of a selection: its own, and those of what variables make smaller or larger.

    A variable is the size of a connection, or whether a field is included.
    """

    own: float
    connections: tuple[tuple[str, Tree], ...] = ()

    @classmethod
    def of(cls, document: Sequence[Any]) -> Self:
        """Return the tree of its JSON: [own, [[variable, tree], ...]]."""
        own, connections = document
        return cls(own, tuple((name, cls.of(each)) for name, each in connections))

    def points(self, variables: Mapping[str, Any]) -> float:
        """Return the points with these variables."""
        return self.own + sum(
            _times(variables.get(name)) * each.points(variables) for name, each in self.connections
        )


def _times(value: Any) -> int:
    if isinstance(value, bool):
        return int(value)
    return factor(1 if value is None else value)


def surcharge(mutation: str, variables: Mapping[str, Any]) -> float:
    """Return what the lists of a mutation's input cost."""
    return sum(points * _count(variables, path) for path, points in _PATHS.get(mutation, ()))


def _count(value: Any, path: Sequence[str]) -> int:
    """Return how many elements lie at a path; a value that is no list is one."""
    if value is None:
        return 0
    if isinstance(value, list | tuple):
        return sum(_count(each, path) for each in value) if path else len(value)
    return _count(value.get(path[0]), path[1:]) if path else 1
