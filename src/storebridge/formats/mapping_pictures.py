"""Pictures of a row by a pattern of their names in a folder: `{sku}_*.jpg`."""

from __future__ import annotations

import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from fnmatch import translate
from functools import lru_cache
from pathlib import Path

from storebridge.errors import Problem, SourceError
from storebridge.templates import fill

__all__ = ["Pictures"]

_DIGITS = re.compile(r"(\d+)")
_WILD = re.compile(r"[*?\[]")


class Pictures:
    """The files of one folder, found by patterns; it is looked through once."""

    def __init__(self, folder: Path, patterns: list[str]) -> None:
        """Look through the folder.

        Raises:
            SourceError: if it isn't there.
        """
        self._folder, self._patterns = folder.resolve(), patterns
        try:
            names = [entry.name for entry in os.scandir(self._folder) if entry.is_file()]
        except OSError as error:
            message = f"The folder of the pictures can't be read: {error.strerror}"
            remedy = "Correct [pictures] folder; it is seen from the mapping's own folder"
            raise SourceError([Problem(message, remedy, value=str(folder))]) from None
        pairs = sorted((name.casefold(), name) for name in names)
        self._keys, self._names = [key for key, _ in pairs], [name for _, name in pairs]

    def find(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """Return the addresses (`file:`) of a row's pictures, in order: `_2` before `_10`.

        Args:
            values: the row's texts by the names that the patterns have.
        """
        found: dict[str, None] = {}
        for pattern in self._patterns:
            # What is filled in is a name's part as it is: no *, and no way into another folder.
            safe = {name: re.sub(r"([*?[])", r"[\1]", text) for name, text in values.items()}
            if all(values.values()):
                found.update(dict.fromkeys(self._matching(fill(pattern, safe).casefold())))
        return tuple((self._folder / name).as_uri() for name in found)

    def _matching(self, pattern: str) -> list[str]:
        match = _WILD.search(pattern)
        start = pattern[: match.start()] if match else pattern
        first = bisect_left(self._keys, start)
        last = bisect_right(self._keys, start + "\U0010ffff", first)
        test = _compiled(pattern)
        names = (place for place in range(first, last) if test.match(self._keys[place]))
        return sorted((self._names[place] for place in names), key=_natural)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return what orders names as people count: `a2` before `a10`."""
    parts = (part for part in _DIGITS.split(name.casefold()) if part)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
