"""From cell text to values and back, with a message and a remedy for what can't be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from operator import itemgetter
from typing import Any, Literal

from pydantic import ValidationError

from storebridge.errors import Problem
from storebridge.formats.base import Loss
from storebridge.models import Model, Money, Product, minor_units, parse_amount
from storebridge.models.checks import Finding
from storebridge.models.text import worded

__all__ = [
    "COMMANDS",
    "Amounts",
    "BadCell",
    "Field",
    "Losses",
    "Report",
    "boolean",
    "check_thousands",
    "closest",
    "code",
    "decimal",
    "dotted",
    "filled",
    "integer",
    "key_of",
    "money_in",
    "picker",
    "plain",
    "scalars",
    "trimmed",
    "validated",
    "word",
]

#: The place of a column, the key of its value, and what makes the value of its text.
Field = tuple[int, str, Callable[[str], Any] | None]

_NAMED = re.compile(r"(\S+) ?([A-Z]{3})", re.ASCII)
_SPREADSHEET = re.compile(r"\d+(?:[.,]\d+)?E\+\d\d", re.ASCII | re.IGNORECASE)
_DECIMAL = re.compile(r"-?(?:\d{1,24}(?:\.\d{0,12})?|\.\d{1,12})", re.ASCII)
_GROUPED = re.compile(r"-?\d{1,3}(?:\.\d{3})+", re.ASCII)
_THOUSANDS = re.compile(r"-?[1-9]\d{0,2}\.\d{3}", re.ASCII)
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")


class BadCell(ValueError):
    """A cell can't be read; `once` asks for one problem per file, not one per row."""

    def __init__(self, message: str, remedy: str, *, once: bool = False) -> None:
        """Keep what is wrong and what to do."""
        super().__init__(message)
        self.message, self.remedy, self.once = message, remedy, once


class Report:
    """Gathers the problems of one file until they are drained."""

    def __init__(self, file: str, header: Sequence[str] = ()) -> None:
        """Name the file and its columns."""
        self.file, self.header = file, tuple(header)
        self._problems: list[Problem] = []
        self._said: set[str] = set()

    def add(self, row: int | None, column: str, value: str, message: str, remedy: str) -> None:
        """Keep a problem; a long value is cut."""
        value = value if len(value) <= 80 else value[:79] + "…"
        self._problems.append(Problem(message, remedy, self.file, row, column, value))

    def cell(self, row: int, index: int, value: str, bad: BadCell) -> None:
        """Keep what is wrong with one cell."""
        if bad.once:
            if bad.message in self._said:
                return
            self._said.add(bad.message)
        self.add(row, self.header[index], value, bad.message, bad.remedy)

    def found(self, row: int | None, column: str, finding: Finding) -> None:
        """Keep what a check of the model found."""
        self.add(row, column, finding.value, finding.message, finding.remedy)

    def take(self, problems: Iterable[Problem]) -> None:
        """Keep problems that were found elsewhere."""
        self._problems.extend(problems)

    def drain(self) -> Iterator[Problem]:
        """Yield and forget the problems so far."""
        problems, self._problems = self._problems, []
        return iter(problems)


class Amounts:
    """Writes the amounts of one currency: the file's own, or else the first that is met."""

    def __init__(self, currency: str) -> None:
        self.currency = currency

    def text(self, money: Money | None, lost: Callable[[str], None], field: str) -> str:
        """Return an amount as a cell holds it; another currency's is lost."""
        if money is None:
            return ""
        self.currency = self.currency or money.currency
        if money.currency != self.currency:
            lost(f"{field} (not in {self.currency})")
            return ""
        return f"{money.amount:f}"


class Losses:
    """Counts, per kind and field, the records whose value a format can't hold."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[Any]] = {}

    def add(self, kind: str, field: str, example: str) -> None:
        """Count one record (or one variant) and keep the first as the example."""
        self._found.setdefault((kind, field), [0, example])[0] += 1

    def all(self) -> list[Loss]:
        """Return the losses in the order in which they were met."""
        return [Loss(kind, field, n, ex) for (kind, field), (n, ex) in self._found.items()]


#: What a store gives itself: another one gives its own, so that nothing is lost without it.
_OWN = frozenset({"id", "content_hash", "created_at", "updated_at"})


def filled(model: Model, held: set[str]) -> list[str]:
    """Return the given fields outside `held` that say something else than their default."""
    fields = type(model).model_fields
    return [
        name
        for name in sorted(model.given - held - _OWN)
        if _whole(getattr(model, name))
        != _whole(fields[name].get_default(call_default_factory=True))
    ]


def _whole(value: Any) -> Any:
    """Return a value without regard to which of its fields were given."""
    return value.model_dump(exclude_unset=False) if isinstance(value, Model) else value


def scalars(
    fields: Iterable[Field], cells: Sequence[str], row: int, report: Report
) -> dict[str, Any]:
    """Return the values of a row's cells by key; blank cells and unreadable ones are left out."""
    values = {}
    for index, key, parse in fields:
        text = cells[index]
        if text and not text.isspace():
            try:
                values[key] = parse(text) if parse else text
            except BadCell as bad:
                report.cell(row, index, text, bad)
    return values


def validated(fields: dict[str, Any], row: int, report: Report) -> Product | None:
    """Return the product of some fields; None, with the problems reported, if they make none."""
    try:
        return Product.model_validate(fields)
    except ValidationError as error:
        for fault in error.errors():
            path = ".".join(map(str, fault["loc"]))
            report.add(row, path, "", worded(fault["msg"]), "Correct the value")
        return None


def picker(places: Sequence[int]) -> Callable[[Sequence[str]], tuple[str, ...]]:
    """Return a function that picks cells as a tuple, however many."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda cells: tuple(cells[place] for place in places)


def closest(header: str, names: Iterable[str]) -> str:
    """Return the name that a header seems to be a slip of, "" if there is none."""
    return next(iter(get_close_matches(key_of(header), names, 1, 0.83)), "")


#: What a `Command` column may say, as other bulk tools write it: to delete, or what is expected.
COMMANDS: dict[str, Literal["delete", "", "existing", "new"]] = {
    "delete": "delete",
    "merge": "",
    "update": "existing",
    "new": "new",
}


def key_of(header: str) -> str:
    """Return a header in the form in which headers are compared."""
    return " ".join(header.split()).casefold()


#: Text without spaces around it; the method itself, because it is called for millions of cells.
plain = str.strip


def code(text: str) -> str:
    """Return a SKU or barcode; a number that a spreadsheet has shortened is no code."""
    text = text.strip()
    if "+" in text and _SPREADSHEET.fullmatch(text):
        raise BadCell(
            "A spreadsheet turned this code into a number and lost its digits",
            "Format the column as text and enter the code again",
        )
    return text


def integer(text: str) -> int:
    """Return the whole number of a cell ("3", "-1")."""
    text = text.strip()
    if not re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
        raise BadCell("This is not a whole number", "Write digits only, like 3")
    return int(text)


@lru_cache(maxsize=1 << 12)
def decimal(text: str) -> Decimal:
    """Return the number of a cell ("1.5", ".5")."""
    text = text.strip()
    if not _DECIMAL.fullmatch(text):
        raise BadCell("This is not a number", "Write digits with at most one dot, like 1.5")
    return Decimal(text)


def dotted(text: str) -> str:
    """Return a number that is written with a decimal comma ("1.234,50 EUR") with a dot.

    Dots may group the digits before the comma by three. Without a comma they might be meant
    either way, and are refused.
    """
    number, space, unit = text.strip().partition(" ")
    whole, comma, fraction = number.partition(",")
    if "." in fraction or ("." in whole and not (comma and _GROUPED.fullmatch(whole))):
        raise BadCell(
            "The file's decimal sign is a comma, and this number has a dot",
            "Write it like 1234,50 or 1.234,50, or leave out --decimal ,",
        )
    found = f"{whole.replace('.', '')}{'.' if comma else ''}{fraction}"
    return f"{trimmed(found)}{space}{unit}"


def trimmed(number: str) -> str:
    """Return a number whose decimals are known without a third one that is 0."""
    return number[:-1] if number.endswith("0") and number[-4:-3] == "." else number


def check_thousands(number: str, remedy: str = "") -> None:
    """Raise BadCell for a number like 12.500, which many people write for 12500."""
    if _THOUSANDS.fullmatch(number):
        raise BadCell(
            "The dot may begin decimals or stand between thousands",
            remedy or f"Write {number[:-1]} or {number.replace('.', '')}",
        )


@lru_cache(maxsize=64)
def boolean(text: str) -> bool:
    """Return the truth of a cell: true, 1 or yes; false, 0 or no."""
    lower = text.strip().casefold()
    if lower not in _TRUE and lower not in _FALSE:
        raise BadCell("This is neither true nor false", "Write TRUE or FALSE")
    return lower in _TRUE


def word(what: str, words: dict[str, Any]) -> Callable[[str], Any]:
    """Return a parser for one of some words, in any case."""

    @lru_cache(maxsize=64)
    def parse(text: str) -> Any:
        try:
            return words[text.strip().casefold()]
        except KeyError:
            raise BadCell(
                f"This is no {what} that is known", f"Write one of: {', '.join(words)}"
            ) from None

    return parse


def money_in(
    currency: str, of: str = "the prices", option: str = "--currency EUR"
) -> Callable[[str], Money]:
    """Return a parser for amounts of one currency; a cell may name it ("19.99 EUR")."""

    @lru_cache(maxsize=1 << 13)
    def parse(text: str) -> Money:
        text = text.strip()
        named = _NAMED.fullmatch(text)
        amount, code = named.groups() if named else (text, currency)
        if named and currency and code != currency:
            raise BadCell(
                f"The price is in {code}, the currency here is {currency}",
                f"Convert it, or say which currency the file has with {option}",
            )
        try:
            number = parse_amount(amount)
        except ValueError:
            raise BadCell(
                "This is not an amount",
                "Write digits with one dot and no other sign, like 19.99",
            ) from None
        if not code:
            raise BadCell(
                f"Nothing says the currency of {of}",
                f"Name it with {option}",
                once=True,
            )
        if minor_units(code) != 3:
            check_thousands(amount)
        return Money(number, code)

    return parse
