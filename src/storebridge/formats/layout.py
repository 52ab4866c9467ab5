"""Where a table of others stands in its file: its sheet, its header, the names of its columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from storebridge.formats.cells import key_of

__all__ = ["Layout", "distinct", "head", "letters"]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a table stands in its file and how its numbers are written; for tables not of ours.

    Its columns all have names of their own: a blank name is the column's letter, a second "Bild"
    is "Bild (2)". Cells to the right of a workbook's header are notes.
    """

    sheet: str = ""
    """The sheet; empty means the one whose header fits."""
    header: tuple[int, ...] = ()
    """The rows of the header, from above; none means the first with anything in it, 0 that there
    is no header: then columns are called A, B, C."""
    decimal: Callable[[str], str] = lambda _: "."
    """The decimal sign that a column's texts have; a workbook's own numbers get it too."""


def head(
    rows: Iterator[tuple[int, list[Any]]],
    layout: Layout | None,
    lead: list[tuple[int, list[Any]]],
) -> tuple[list[str] | None, Iterator[tuple[int, list[Any]]]]:
    """Return the names of the columns (None if there is no header) and the rows below.

    The rows up to the header are added to `lead`.
    """
    wanted = layout.header if layout else ()
    if wanted == (0,):
        first = next(rows, None)
        if first is None:
            return None, rows
        return [letters(place) for place in range(len(first[1]))], chain([first], rows)
    found = []
    for item in rows:
        if wanted and item[0] > wanted[-1]:
            break
        lead.append(item)
        if not wanted or item[0] in wanted:
            found.append([_text(cell) for cell in item[1]])
        if not wanted or item[0] == wanted[-1]:
            return _stacked(found), rows
    return None, rows


def _text(cell: object) -> str:
    """Return a cell of a header: a workbook's number is one without a fraction, mostly."""
    return f"{cell:g}" if isinstance(cell, float) else str(cell).strip()


def _stacked(lines: list[list[str]]) -> list[str]:
    """Return the names under headings: `Price` over `net` and `gross` is `Price net` and so on.

    A heading counts for the columns to its right that have none of their own, as merged cells
    come; one with nothing below it stands for its column alone.
    """
    *above, names = lines
    for headings in reversed(above):
        heading, found = "", []
        for place in range(max(len(names), len(headings))):
            name = names[place] if place < len(names) else ""
            own = headings[place] if place < len(headings) else ""
            heading = (own if name else "") if own or not name else heading
            found.append(f"{heading} {name}".strip() if name else own)
        names = found
    return names


def distinct(names: list[str]) -> list[str]:
    """Return names that are all there and all different."""
    seen: dict[str, int] = {}
    found = []
    for place, name in enumerate(names):
        name = name or letters(place)
        count = seen[key_of(name)] = seen.get(key_of(name), 0) + 1
        found.append(f"{name} ({count})" if count > 1 else name)
    return found


def letters(place: int) -> str:
    """Return what a spreadsheet calls a column, the first being 0 ("A")."""
    found = ""
    while place >= 0:
        place, last = divmod(place, 26)
        found, place = chr(65 + last) + found, place - 1
    return found
