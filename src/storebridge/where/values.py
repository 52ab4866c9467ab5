"""The values of a condition, and how a record's values compare with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from fnmatch import translate
from functools import cache
from typing import Any, TypeVar

from storebridge.models import Model, Money

__all__ = ["COMPARE", "Literal", "empty", "equal", "money", "time"]

T = TypeVar("T")

_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as it was written; a number keeps its digits, so that SKUs keep their zeros."""

    value: str | bool | Decimal | Money | date | datetime
    digits: str = field(default="", compare=False)

    def __str__(self) -> str:
        if isinstance(self.value, bool):
            return str(self.value).lower()
        if isinstance(self.value, str):
            return "'" + self.value.replace("'", "''") + "'"
        return self.text

    @property
    def text(self) -> str:
        """The value as plain text, for comparison with text."""
        if isinstance(self.value, date):
            return self.value.isoformat()
        return self.digits or str(self.value)


def money(text: str) -> Money | None:
    """Return the money that a text writes ("20 EUR"), None for anything else."""
    return _tried(Money.parse, text)


def time(text: str) -> date | datetime | None:
    """Return an ISO date or time, None for anything else; a time without a zone is UTC."""
    if len(text) == 10:
        return _tried(date.fromisoformat, text)
    found = _tried(datetime.fromisoformat, text)
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found


def equal(value: Any, literal: Literal) -> bool:
    """Return whether a record's value is the literal's."""
    pair = _pair(value, literal)
    return pair is not None and bool(pair[0] == pair[1])


def empty(value: Any) -> bool:
    """Return whether a value says that nothing is there; 0 and false say something."""
    if isinstance(value, Model):
        return all(empty(getattr(value, name)) for name in value.model_fields_set)
    return value is None or (isinstance(value, str | tuple | Mapping) and not value)


def _pair(value: Any, literal: Literal) -> tuple[Any, Any] | None:
    """Return a record's value and a literal as two things that compare, None if they don't."""
    wanted = literal.value
    if isinstance(value, Money):
        return _money_pair(value, wanted)
    if isinstance(value, datetime):
        return _time_pair(value, wanted)
    if isinstance(value, bool) or isinstance(wanted, bool):
        return (value, wanted) if isinstance(value, bool) and isinstance(wanted, bool) else None
    if isinstance(value, int | Decimal):
        number = _number(wanted)
        return None if number is None else (value, number)
    return (value, literal.text) if isinstance(value, str) else None


def _money_pair(value: Money, wanted: Any) -> tuple[Any, Any] | None:
    if isinstance(wanted, str) and " " in wanted:
        wanted = money(wanted)
    if isinstance(wanted, Money):
        return (value.amount, wanted.amount) if value.currency == wanted.currency else None
    number = _number(wanted)
    return None if number is None else (value.amount, number)


def _time_pair(value: datetime, wanted: Any) -> tuple[Any, Any] | None:
    """A bare date stands for its whole day in UTC, which is the zone of all times in models."""
    if isinstance(wanted, str):
        wanted = time(wanted)
    if isinstance(wanted, datetime):
        return value, wanted
    return (value.date(), wanted) if isinstance(wanted, date) else None


def _number(wanted: Any) -> Decimal | None:
    if isinstance(wanted, str):
        return Decimal(wanted) if _NUMBER.fullmatch(wanted) else None
    return wanted if isinstance(wanted, Decimal) else None


def _tried(make: Callable[[str], T], text: str) -> T | None:
    try:
        return make(text)
    except ValueError:
        return None


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Literal], bool]:
    """Return a test of order; text against a number compares as a number, or not at all."""

    def passes(value: Any, literal: Literal) -> bool:
        if isinstance(value, str) and literal.digits:
            number = _number(value)
            return number is not None and compare(number, literal.value)
        pair = _pair(value, literal)
        return pair is not None and compare(*pair)

    return passes


def _contains(value: Any, literal: Literal) -> bool:
    return literal.text.casefold() in str(value).casefold()


def _like(value: Any, literal: Literal) -> bool:
    return _pattern(literal.text).match(str(value)) is not None


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(translate(text.replace("[", "[[]")), re.IGNORECASE)


#: The operators that compare one value with one literal.
COMPARE: Mapping[str, Callable[[Any, Literal], bool]] = {
    "=": equal,
    "has": equal,
    "<": _ordered(lambda a, b: bool(a < b)),
    "<=": _ordered(lambda a, b: bool(a <= b)),
    ">": _ordered(lambda a, b: bool(a > b)),
    ">=": _ordered(lambda a, b: bool(a >= b)),
    "~": _contains,
    "like": _like,
}
