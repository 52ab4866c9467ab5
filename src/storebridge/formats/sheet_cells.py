r"""The cells of storebridge's own sheet: lists, measures, times and values of any shape.

A list is separated by commas ("sale, new"), a list of addresses or sentences by ` | ` or line
breaks, and options and attributes are written `Size: S, M | Color: red`. A backslash before a
separator, a backslash or a space at an end makes it part of the value (`1\, 2`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

from storebridge.formats.base import Context
from storebridge.formats.cells import BadCell, decimal
from storebridge.formats.woocommerce_cells import zone_of

__all__ = [
    "commas",
    "commas_text",
    "instant",
    "json_text",
    "json_value",
    "lines",
    "lines_text",
    "measure",
    "named",
    "named_text",
    "sentences",
]

_CHARS = re.compile(r"\\([\\,:|\s])|(.)", re.DOTALL)
_MEASURE = re.compile(r"(\S+?) ?([a-z]+)", re.ASCII)
_LINES, _NAMED = "|\n", "|\n:,"


def _parts(text: str, separators: str) -> Iterator[tuple[str, str]]:
    """Yield each part of a text, and the separator after it ("" at the end)."""
    part: list[tuple[str, bool]] = []
    for match in _CHARS.finditer(text):
        kept, char = match.groups()
        if kept is None and char in separators:
            yield _stripped(part), char
            part = []
        else:
            part.append((kept or char, kept is None))
    yield _stripped(part), ""


def _stripped(part: list[tuple[str, bool]]) -> str:
    """Return the characters of a part without the bare spaces around them."""
    start, end = 0, len(part)
    while start < end and part[start][1] and part[start][0].isspace():
        start += 1
    while start < end and part[end - 1][1] and part[end - 1][0].isspace():
        end -= 1
    return "".join(char for char, _ in part[start:end])


def _kept(text: str, separators: str) -> str:
    """Return a value as a part of a list, with backslashes where they are needed."""
    if text.isalnum():
        return text
    return _special(separators).sub(lambda match: f"\\{match[0]}", text)


@cache
def _special(separators: str) -> re.Pattern[str]:
    return re.compile(f"[{re.escape(separators)}\\\\]|^\\s|\\s\\Z")


@lru_cache(maxsize=4096)
def commas(text: str) -> tuple[str, ...]:
    """Return the values of a list; empty ones are left out."""
    if "\\" not in text:
        return tuple(part for item in text.split(",") if (part := item.strip()))
    return tuple(part for part, _ in _parts(text, ",") if part)


def commas_text(values: Iterable[str]) -> str:
    """Return a list as a cell holds it."""
    return ", ".join(_kept(value, ",") for value in values)


def sentences(text: str) -> tuple[str, ...]:
    """Return the values of a list that ` | ` or line breaks separate, empty ones too."""
    if "\\" not in text:
        return tuple(part.strip() for part in text.replace("\n", "|").split("|"))
    return tuple(part for part, _ in _parts(text, _LINES))


def lines(text: str) -> tuple[str, ...]:
    """Return the values of a list that ` | ` or line breaks separate."""
    return tuple(filter(None, sentences(text)))


def lines_text(values: Iterable[str]) -> str:
    """Return a list of addresses or sentences as a cell holds it."""
    return " | ".join(_kept(value, _LINES) for value in values)


def named(text: str) -> list[dict[str, Any]]:
    """Return names with their values ("Size: S, M | Color"); values only where there are some."""
    found: list[dict[str, Any]] = []
    name, values = "", list[str]()
    for part, separator in _parts(text, _NAMED):
        if separator == ":" and not name:
            name = part
            continue
        if name and part:
            values.append(part)
        name = name or part
        if separator in ("|", "\n", "") and name:
            found.append({"name": name, "values": tuple(values)} if values else {"name": name})
            name, values = "", []
    return found


def named_text(items: Iterable[tuple[str, Iterable[str]]]) -> str:
    """Return names with their values as a cell holds them."""
    texts = []
    for name, values in items:
        listed = ", ".join(_kept(value, _NAMED) for value in values)
        texts.append(f"{_kept(name, _NAMED)}: {listed}" if listed else _kept(name, _NAMED))
    return " | ".join(texts)


def measure(
    units: Mapping[str, str], unit: str, what: str, option: str
) -> Callable[[str], dict[str, Any]]:
    """Return a parser for weights or lengths: the cell's own unit ("1.5 kg"), else `unit`."""

    @lru_cache(maxsize=4096)
    def parse(text: str) -> dict[str, Any]:
        text = text.strip()
        own = _MEASURE.fullmatch(text)
        number, word = (own[1], units.get(own[2], "")) if own else (text, unit)
        if own and not word:
            raise BadCell(f"This is no {what} that is known", f"Write one of: {', '.join(units)}")
        if not word:
            raise BadCell(
                f"Nothing says the {what} of this column",
                f"Write it in the header, like ({next(iter(units))}), or name it with {option}",
                once=True,
            )
        return {"value": decimal(number), "unit": word}

    return parse


def instant(context: Context) -> Callable[[str], datetime]:
    """Return a parser for times; one without a zone is in the store's."""

    @lru_cache(maxsize=4096)
    def parse(text: str) -> datetime:
        try:
            time = datetime.fromisoformat(text.strip())
        except ValueError:
            raise BadCell(
                "This is no time", "Write it like 2026-05-31 or 2026-05-31 18:00:00"
            ) from None
        if time.tzinfo is not None:
            return time
        zone = zone_of(context.time_zone)
        if zone is None:
            raise BadCell(
                "Nothing says the time zone of the file's times",
                "Name it with --time-zone Europe/Berlin (or UTC)",
                once=True,
            )
        return time.replace(tzinfo=zone)

    return parse


def json_value(text: str) -> Any:
    """Return the JSON value that a cell writes, else its text."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def json_text(value: Any) -> str:
    """Return a value of any shape as a cell holds it: text as it is, where it stays text."""
    if isinstance(value, str) and value.strip() and json_value(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False, default=_decimal)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _decimal(value: Any) -> Any:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
