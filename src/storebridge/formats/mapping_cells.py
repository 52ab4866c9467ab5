"""A supplier's cells as our own sheet writes them: numbers, amounts, times, words and lists.

Everything here is from text to text, so that our sheet's own reader has the last word about
each value, and a mapping can hold nothing that the sheet can't.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import NamedTuple

from storebridge.errors import Problem, SourceError
from storebridge.formats.cells import BadCell, check_thousands, key_of, trimmed
from storebridge.formats.mapping_rules import ColumnRule, Dates, Sign, Target
from storebridge.formats.sheet_cells import commas_text, lines_text, named_text

__all__ = [
    "ASKED",
    "Cell",
    "Written",
    "cell_parser",
    "currency_of",
    "finder",
    "is_plain",
    "joined",
    "number",
    "time",
]

#: What makes the texts of a row's targets of a cell.
Cell = Callable[[str], tuple[str, ...]]

#: The longest text that a pattern looks at, and the seconds that it may take.
_LONGEST, _SECONDS = 1000, 0.25
ASKED = 'Say in the mapping which sign begins the decimals: decimal = "," or "."'
_SPACES = " \u00a0\u2007\u2009\u202f'’"
#: Swiss and German prices without cents: 12.- and 12,--
_DASHED = re.compile(r"[.,][-–—]{1,2}$")
_PLAIN = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)
_SIGNED = {
    sign: re.compile(
        rf"[-+]?(?:\d{{1,3}}(?:[{re.escape(other + _SPACES)}]\d{{3}})+|\d+)"
        rf"(?:{re.escape(sign)}\d*)?|[-+]?{re.escape(sign)}\d+",
        re.ASCII,
    )
    for sign, other in ((",", "."), (".", ","))
}
_AMOUNT = re.compile(r"([^\d.,+-]*)([-+]?[\d.,](?:.*[\d.,–—-])?)([^\d.,]*)", re.DOTALL)
_UNIT = re.compile(r"(.*?\d[.,]?)\s*([A-Za-z]+)\.?", re.DOTALL)
#: What prices are marked with, and the currencies that it may mean, the likeliest first.
_MARKS: dict[str, tuple[str, ...]] = {
    "€": ("EUR",),
    "£": ("GBP",),
    "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN"),
    "us$": ("USD",),
    "ca$": ("CAD",),
    "a$": ("AUD",),
    "¥": ("JPY", "CNY"),
    "sfr.": ("CHF",),
    "fr.": ("CHF",),
    "kr": ("SEK", "NOK", "DKK", "ISK"),
    "kr.": ("DKK", "SEK", "NOK", "ISK"),
    "zł": ("PLN",),
    "kč": ("CZK",),
    "ft": ("HUF",),
    "lei": ("RON",),
    "₺": ("TRY",),
    "₹": ("INR",),
    "₩": ("KRW",),
    "₴": ("UAH",),
}
_CODE = re.compile(r"[A-Z]{3}", re.ASCII)
_DATE = re.compile(
    r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?:,?[ T]+(\d{1,2}):(\d\d)(?::(\d\d))?(?: Uhr)?)?",
    re.ASCII,
)
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:$|[ T]\d)", re.ASCII)
_ORDERS = {"DMY": (2, 1, 0), "MDY": (2, 0, 1), "YMD": (0, 1, 2)}


def number(text: str, decimal: Sign) -> str:
    """Return a number with a dot and without signs between thousands.

    Args:
        text: the cell's, like "1.234,50".
        decimal: the sign that begins the decimals; "" allows a dot and nothing between thousands.

    Raises:
        BadCell: if it isn't one, or the mapping doesn't say how it is written.
    """
    bare = _DASHED.sub("", text)
    if not decimal:
        if _PLAIN.fullmatch(bare):
            return bare.lstrip("+").rstrip(".")
        raise BadCell("This is not a number", ASKED)
    if not _SIGNED[decimal].fullmatch(bare):
        raise BadCell(
            f"This is not a number whose decimals begin with {decimal!r}",
            "Correct the cell, or `decimal` in the mapping",
        )
    kept = "".join(char for char in bare if char.isdigit() or char in (decimal, "-"))
    return kept.replace(",", ".").rstrip(".")


def currency_of(mark: str, currency: str = "") -> str:
    """Return the currency that a mark beside an amount means, "" if that isn't clear."""
    found = (mark,) if _CODE.fullmatch(mark) else _MARKS.get(mark.casefold(), ())
    if currency in found:
        return currency
    return found[0] if len(found) == 1 else ""


def time(text: str, dates: Dates) -> str:
    """Return a time in ISO 8601; one that is written so already stays as it is.

    Raises:
        BadCell: if the text is no time, or the mapping doesn't say the order of its parts.
    """
    match = _DATE.fullmatch(text)
    if _ISO.match(text) or match is None:
        return text
    if not dates:
        remedy = 'Say in the mapping in which order dates are: dates = "DMY", "MDY" or "YMD"'
        raise BadCell("It isn't clear which day this is", remedy)
    parts = (match[1], match[3], match[4])
    year, month, day = (parts[place] for place in _ORDERS[dates])
    year = f"20{year}" if len(year) == 2 else year
    if len(year) != 4 or len(month) > 2 or len(day) > 2 or not 1 <= int(month) <= 12:
        raise BadCell(
            f"This is no date in the order {dates}", "Correct the cell, or `dates` in the mapping"
        )
    clock = f" {match[5]:0>2}:{match[6]}:{match[7] or '00'}" if match[5] else ""
    return f"{year}-{month:0>2}-{day:0>2}{clock}"


def joined(target: Target, values: tuple[str, ...]) -> str:
    """Return values as a cell of our sheet that holds several writes them."""
    if target.attribute:
        return named_text([(target.attribute, values)]) if values else ""
    if target.column.what == "named":
        return " | ".join(values)
    lines = target.column.what in ("lines", "sentences")
    return lines_text(values) if lines else commas_text(values)


class Written(NamedTuple):
    """How a file writes the values of columns that don't say so themselves."""

    decimal: Sign
    dates: Dates
    currency: str


def cell_parser(rule: ColumnRule, written: Written) -> Cell:
    """Return what makes the texts of a rule's targets, in order, of a column's cells."""
    targets = rule.targets
    parts = _parts(rule)
    values = [_value(rule, written, target) for target in targets]

    def parse(text: str) -> tuple[str, ...]:
        found = parts(text.strip())
        if len(targets) == 1:
            texts = tuple(filter(None, map(values[0], found)))
            shown = joined(targets[0], texts) if targets[0].listed else "".join(texts)
            return (shown or rule.default,)
        if found and len(found) != len(targets):
            raise BadCell(
                f"This has {len(found)} parts and the mapping takes {len(targets)} of it",
                "Correct the cell, or `split` and `to` in the mapping",
            )
        pairs = zip(values, found or ("",) * len(targets), strict=True)
        return tuple(value(part) or rule.default for value, part in pairs)

    return lru_cache(maxsize=1 << 12)(parse)


def is_plain(rule: ColumnRule) -> bool:
    """Return whether cells are taken as they are; their long texts are then in no cache."""
    read = {"to", "decimal", "dates", "rows", "unit"}
    return rule.model_fields_set <= read and all(
        not target.listed and target.column.what in ("text", "word", "code", "bool", "status")
        for target in rule.targets
    )


def _parts(rule: ColumnRule) -> Callable[[str], tuple[str, ...]]:
    """Return what takes a cell apart; a blank one has no parts."""
    if rule.pattern:
        return _matcher(rule.pattern)
    if not rule.split:
        return lambda text: (text,) if text else ()
    single = len(rule.to) == 1
    sign = {"\\n": "\n", "\\t": "\t"}.get(rule.split, rule.split)

    def split(text: str) -> tuple[str, ...]:
        found = tuple(part.strip() for part in text.split(sign)) if text else ()
        return tuple(filter(None, found)) if single else found

    return split


def _matcher(pattern: str) -> Callable[[str], tuple[str, ...]]:
    """Return what takes a pattern's groups out of a cell that must have them."""
    find = finder(pattern)

    def match(text: str) -> tuple[str, ...]:
        if not text:
            return ()
        if len(text) > _LONGEST:
            raise BadCell(
                f"The text is longer than the {_LONGEST} characters that a pattern looks at",
                "Leave the pattern out for this column",
            )
        found = find(text)
        if found is None:
            raise BadCell(
                f"The pattern {pattern!r} finds nothing here",
                "Correct the cell, or `pattern` in the mapping",
            )
        return found

    return match


def finder(pattern: str) -> Callable[[str], tuple[str, ...] | None]:
    """Return what looks for a pattern in the first 1,000 characters of a text; gives its groups.

    Patterns can be slow, so each look has a quarter of a second; then a SourceError says so.
    """
    import regex

    compiled = regex.compile(pattern)

    def find(text: str) -> tuple[str, ...] | None:
        try:
            found = compiled.search(text[:_LONGEST], timeout=_SECONDS)
        except TimeoutError:
            message = f"The pattern {pattern!r} takes too long with this text"
            remedy = "Write it without repetitions inside of repetitions"
            raise SourceError([Problem(message, remedy, value=text[:80])]) from None
        return None if found is None else tuple((part or "").strip() for part in found.groups())

    return find


def _value(rule: ColumnRule, written: Written, target: Target) -> Callable[[str], str]:
    """Return what makes one value of one part of a cell."""
    read = _reader(rule, written, target)
    words = {key_of(word): value for word, value in rule.values.items()}

    def value(part: str) -> str:
        if (known := words.get(key_of(part))) is not None:
            return known
        if not part:
            return ""
        return f"{rule.prefix}{read(part)}{rule.suffix}"

    return value


def _reader(rule: ColumnRule, written: Written, target: Target) -> Callable[[str], str]:
    """Return what writes a part of a cell as our sheet does."""
    decimal = rule.decimal or written.decimal
    match target.column.what:
        case "money":
            own = rule.currency or written.currency
            return lambda text: _amount(text, decimal, rule.currency, own, rule.round)
        case "int":
            return lambda text: _whole(_told(text, decimal))
        case "weight" | "length":
            return lambda text: _measured(text, decimal, rule.round)
        case "time":
            return lambda text: time(text, rule.dates or written.dates)
        case "code" | "codes" if rule.digits:
            return lambda text: _padded(text, rule.digits)
    return lambda text: text


def _amount(text: str, decimal: Sign, named: str, currency: str, places: int | None) -> str:
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise BadCell("This is not an amount", "Correct it, or give it a meaning in `values`")
    amount = _rounded(_told(match[2].strip(), decimal), places)
    marks = [mark for mark in (match[1].strip(), match[3].strip()) if mark]
    if not marks:
        return f"{amount} {named}" if named else amount
    code = currency_of(marks[0], currency) if len(marks) == 1 else ""
    if not code or (named and code != named):
        raise BadCell(
            f"{' and '.join(map(repr, marks))} isn't the currency that the mapping names"
            if named
            else f"It isn't clear which currency {' and '.join(map(repr, marks))} is",
            'Say which currency the column has: currency = "EUR"',
        )
    return f"{amount} {code}"


def _told(text: str, decimal: Sign) -> str:
    """Return a number of which it is clear whether its dot stands between thousands."""
    found = number(text, decimal)
    if not decimal:
        check_thousands(found, ASKED)
    return trimmed(found)


def _measured(text: str, decimal: Sign, places: int | None) -> str:
    unit = _UNIT.fullmatch(text)
    if unit is None:
        return _rounded(number(text, decimal), places)
    return f"{_rounded(number(unit[1].strip(), decimal), places)} {unit[2].lower()}"


def _whole(text: str) -> str:
    """Return a number without decimals that are all 0; others are left for the sheet to refuse."""
    whole, dot, rest = text.partition(".")
    return whole if dot and not rest.strip("0") else text


def _rounded(text: str, places: int | None) -> str:
    if places is None:
        return text
    return f"{Decimal(text).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"


def _padded(text: str, digits: int) -> str:
    """Return a code with the zeros at its beginning that a spreadsheet has dropped."""
    if not text.isdecimal() or not text.isascii() or len(text) > digits:
        raise BadCell(
            f"This is no number of {digits} digits", "Correct the cell, or `digits` in the mapping"
        )
    return text.zfill(digits)
