"""Find and replace in texts: whole words, or regular expressions that can't take for ever."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from storebridge.errors import UsageError
from storebridge.tasks.markup import replaced

__all__ = ["EditError", "Replacement", "all_of"]

#: How long a regular expression may look at one text, in seconds.
MOST_SECONDS = 2.0
_MARKS = "\u0300-\u036f"


class EditError(UsageError):
    """What is asked of an edit makes no sense, or can't be done; nothing is planned."""


@dataclass(frozen=True)
class Replacement:
    """What to find in a field, and what to put there instead."""

    field: str
    find: str
    new: str
    regex: bool = False
    """Whether `find` is a regular expression, and `new` may name its groups (`\\1`)."""
    ignore_case: bool = False
    within_words: bool = False
    """Whether a part of a word counts; expressions say themselves where words end."""

    def __post_init__(self) -> None:
        if not self.find:
            raise EditError(f"there is nothing to find in {self.field}. Name some text.")
        self._finder  # noqa: B018 - a wrong expression is told at once

    def of(self, text: str) -> str:
        """Return a plain text with every find replaced.

        Raises:
            EditError: if the expression takes too long.
        """
        pieces, at = list[str](), 0
        for start, end, new in self._found(text):
            pieces += (text[at:start], new)
            at = end
        return "".join((*pieces, text[at:]))

    def of_html(self, document: str) -> str:
        """Return a document with every find in its text replaced, the rest byte for byte.

        Raises:
            EditError: if the expression takes too long.
        """
        return replaced(document, self._found)[0]

    @cached_property
    def _finder(self) -> Callable[[str], Iterator[tuple[int, int, str]]]:
        return self._by_pattern() if self.regex else self._by_words()

    def _found(self, text: str) -> Iterator[tuple[int, int, str]]:
        return (found for found in self._finder(text) if found[0] < found[1])

    def _by_words(self) -> Callable[[str], Iterator[tuple[int, int, str]]]:
        body = re.escape(self.find)
        if not self.within_words:
            start = r"(?<!\w)" if re.match(r"\w", self.find) else ""
            end = rf"(?![\w{_MARKS}])" if re.search(r"\w\Z", self.find) else ""
            body = f"{start}{body}{end}"
        pattern = re.compile(body, re.IGNORECASE if self.ignore_case else 0)
        return lambda text: ((m.start(), m.end(), self.new) for m in pattern.finditer(text))

    def _by_pattern(self) -> Callable[[str], Iterator[tuple[int, int, str]]]:
        # Python's own expressions can't be stopped once they run.
        import regex

        try:
            pattern = regex.compile(self.find, regex.IGNORECASE if self.ignore_case else 0)
            regex.compile(f"(?:{self.find})|").sub(self.new, "")  # names groups that are there
        except (regex.error, IndexError) as error:
            raise EditError(
                f"{self.find!r} => {self.new!r} can't be used as a regular expression: {error}. "
                "Correct it, or leave --regex out to find the text as it stands."
            ) from error

        def found(text: str) -> Iterator[tuple[int, int, str]]:
            try:
                for match in pattern.finditer(text, timeout=MOST_SECONDS):
                    yield match.start(), match.end(), match.expand(self.new) or ""
            except TimeoutError as error:
                raise EditError(
                    f"the expression {self.find!r} takes over {MOST_SECONDS:g} s for one text of "
                    f"{self.field} ({len(text)} characters). Write it without repeats inside "
                    "repeats, like (a+)+."
                ) from error

        return found


def all_of(text: str, replacements: Sequence[Replacement], *, is_html: bool) -> str:
    """Return a text after some replacements, in their order."""
    for replacement in replacements:
        text = replacement.of_html(text) if is_html else replacement.of(text)
    return text
