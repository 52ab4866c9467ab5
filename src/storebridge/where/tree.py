"""A condition as a tree of tests, and what it says about a record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from storebridge.models import Record
from storebridge.where.paths import UNKNOWN, homes, values
from storebridge.where.values import COMPARE, Literal, empty, equal

__all__ = ["AllOf", "AnyOf", "Node", "Not", "Test"]

#: Operators that ask that none of the values passes another one.
_NEGATED = {"!=": "=", "not in": "in", "is not empty": "is empty"}


class Node:
    """A condition or a part of one; `passes` gives None where the record doesn't tell."""

    __slots__ = ()

    def passes(self, record: Record) -> bool | None:
        """Return whether a record passes, None if it doesn't tell."""
        raise NotImplementedError

    def tests(self) -> Iterator[Test]:
        """Yield the tests that it is made of."""
        raise NotImplementedError

    def only(self, path: str) -> tuple[str, ...]:
        """Return the texts one of which a field must equal, () if it isn't restricted so."""
        return ()


@dataclass(frozen=True, slots=True)
class Test(Node):
    """One field, one operator, and what to compare with."""

    __test__ = False  # no test of pytest's

    path: str
    operator: str
    literals: tuple[Literal, ...] = ()
    file: str = ""
    listed: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        head = f"{self.path} {self.operator}"
        if self.file:
            return f"{head} @{Literal(self.file)}"
        if self.operator in ("in", "not in"):
            return f"{head} ({', '.join(map(str, self.literals))})"
        return " ".join((head, *map(str, self.literals)))

    def passes(self, record: Record) -> bool | None:
        """Return whether a record passes; one known value that decides is enough."""
        found = [
            value
            for home in homes(type(record), self.path)
            for value in values(record, tuple(home.path.split(".")))
        ]
        operator = _NEGATED.get(self.operator, self.operator)
        known = [value for value in found if value is not UNKNOWN]
        if operator == "is empty":
            result = all(map(empty, known))
            decided = not result
        else:
            result = decided = any(self._one(operator, value) for value in known)
        if len(known) < len(found) and not decided:
            return None
        return result != (self.operator in _NEGATED)

    def _one(self, operator: str, value: object) -> bool:
        if value is None:
            return False
        if operator != "in":
            return COMPARE[operator](value, self.literals[0])
        if self.file and isinstance(value, str):
            return value in self.listed
        wanted = map(Literal, self.listed) if self.file else self.literals
        return any(equal(value, literal) for literal in wanted)

    def tests(self) -> Iterator[Test]:
        """Yield itself."""
        yield self

    def only(self, path: str) -> tuple[str, ...]:
        """Return the texts that `=` or `in` names."""
        if self.path != path or self.operator not in ("=", "in"):
            return ()
        return tuple(sorted(self.listed)) or tuple(literal.text for literal in self.literals)


@dataclass(frozen=True, slots=True)
class Not(Node):
    """The opposite of a condition; unknown stays unknown."""

    inner: Node

    def __str__(self) -> str:
        return f"not {_wrapped(self.inner, AnyOf, AllOf)}"

    def passes(self, record: Record) -> bool | None:
        """Return the opposite."""
        inner = self.inner.passes(record)
        return None if inner is None else not inner

    def tests(self) -> Iterator[Test]:
        """Yield the tests of the condition."""
        return self.inner.tests()


@dataclass(frozen=True, slots=True)
class AllOf(Node):
    """Conditions that must all hold."""

    nodes: tuple[Node, ...]

    def __str__(self) -> str:
        return " and ".join(_wrapped(node, AnyOf, AllOf) for node in self.nodes)

    def passes(self, record: Record) -> bool | None:
        """Return False as soon as one says so, None if one doesn't tell, else True."""
        results = {node.passes(record) for node in self.nodes}
        return False if False in results else None if None in results else True

    def tests(self) -> Iterator[Test]:
        """Yield the tests of all conditions."""
        return (test for node in self.nodes for test in node.tests())

    def only(self, path: str) -> tuple[str, ...]:
        """Return the first restriction among the conditions."""
        return next((found for node in self.nodes if (found := node.only(path))), ())


@dataclass(frozen=True, slots=True)
class AnyOf(Node):
    """Conditions of which one is enough."""

    nodes: tuple[Node, ...]

    def __str__(self) -> str:
        return " or ".join(_wrapped(node, AnyOf) for node in self.nodes)

    def passes(self, record: Record) -> bool | None:
        """Return True as soon as one says so, None if one doesn't tell, else False."""
        results = {node.passes(record) for node in self.nodes}
        return True if True in results else None if None in results else False

    def tests(self) -> Iterator[Test]:
        """Yield the tests of all conditions."""
        return (test for node in self.nodes for test in node.tests())


def _wrapped(node: Node, *loose: type[Node]) -> str:
    return f"({node})" if isinstance(node, loose) else str(node)
