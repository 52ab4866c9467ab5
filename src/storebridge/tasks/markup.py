"""The text of an HTML document, with the place in the document that each character came from.

Nothing is parsed into a tree and written anew: what isn't replaced keeps its bytes, faults too.
Where it isn't clear what is text, it is taken for markup and so left alone.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

__all__ = ["Text", "replaced"]

_MARKUP = re.compile(r"<(?:!--|[!?]|/?(?P<name>[A-Za-z][^\s/>]*)|/)")
_COMMENT_END = re.compile(r"--!?>")
#: The end of a tag, or a quoted value on the way to it; one that is never closed ends the text.
_TAG_STEP = re.compile(r"""=\s*(?:"[^"]*(?:"|\Z)|'[^']*(?:'|\Z))|>""")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
#: Elements whose content is no text of the document.
_RAW = frozenset(
    {"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript"}
    | {"template", "plaintext"}
)
#: Elements that may stand within a word.
_INLINE = frozenset(
    {"a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font"}
    | {"i", "ins", "kbd", "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub"}
    | {"sup", "tt", "u", "var"}
)


class Text(NamedTuple):
    """The text of a document: its characters, and for each the run and the span it came from.

    Characters of one run stand together with no tag between; a line break stands for markup that
    separates words, and has the run -1.
    """

    plain: str
    runs: list[int]
    spans: list[tuple[int, int]]

    @classmethod
    def of(cls, document: str) -> Text:
        """Return the text of a document."""
        chars: list[str] = []
        runs: list[int] = []
        spans: list[tuple[int, int]] = []
        for run, (start, end, inline) in enumerate(_pieces(document)):
            if inline is None:
                for char, span in _characters(document, start, end):
                    chars.append(char)
                    runs.append(run)
                    spans.append(span)
            elif not inline:
                chars.append("\n")
                runs.append(-1)
                spans.append((start, end))
        return cls("".join(chars), runs, spans)

    def source(self, start: int, end: int) -> tuple[int, int] | None:
        """Return where some characters stand in the document; None if markup is among them."""
        runs, spans = self.runs, self.spans
        if start == end or runs[start] < 0 or any(r != runs[start] for r in runs[start:end]):
            return None
        split = (start and spans[start - 1] == spans[start]) or (
            end < len(spans) and spans[end] == spans[end - 1]
        )
        return None if split else (spans[start][0], spans[end - 1][1])


def replaced(
    document: str, find: Callable[[str], Iterable[tuple[int, int, str]]]
) -> tuple[str, int]:
    """Return a document with parts of its text replaced, and how many were.

    Args:
        document: HTML, with or without faults.
        find: is given the plain text, and yields from left to right the start, the end and the
            new text of each part; a part with a tag inside stays as it is.
    """
    text = Text.of(document)
    pieces, at, count = list[str](), 0, 0
    for start, end, new in find(text.plain):
        spot = text.source(start, end)
        if spot is not None:
            pieces += (document[at : spot[0]], html.escape(new, quote=False))
            at, count = spot[1], count + 1
    return "".join((*pieces, document[at:])), count


def _pieces(document: str) -> Iterator[tuple[int, int, bool | None]]:
    """Yield start and end of each piece; None for text, else whether it may be within a word."""
    at = 0
    while at < len(document):
        found = _MARKUP.search(document, at)
        start = found.start() if found else len(document)
        if start > at:
            yield at, start, None
        if found is None:
            return
        name = (found["name"] or "").lower()
        at = _end(document, found, name)
        yield start, at, name in _INLINE


def _end(document: str, found: re.Match[str], name: str) -> int:
    """Return where a tag or a comment ends, with what lies in it where that is no text."""
    if not name:
        # "<!-->" is a whole comment: its end may begin with the dashes that open it.
        comment = found[0] == "<!--"
        start, last = found.start() + 2, _COMMENT_END if comment else re.compile(">")
        end = last.search(document, start)
        return end.end() if end else len(document)
    at = _tag_end(document, found.end())
    if name not in _RAW or found[0].startswith("</"):
        return at
    close = re.compile(rf"</{re.escape(name)}(?=[\s/>])", re.IGNORECASE).search(document, at)
    return _tag_end(document, close.end()) if close else len(document)


def _tag_end(document: str, at: int) -> int:
    while step := _TAG_STEP.search(document, at):
        at = step.end()
        if step[0] == ">":
            return at
    return len(document)


def _characters(document: str, start: int, end: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the characters of a run of text, entities as what they stand for."""
    at = start
    while at < end:
        entity = _ENTITY.match(document, at, end) if document[at] == "&" else None
        stop = entity.end() if entity else at + 1
        for char in html.unescape(entity[0]) if entity else document[at]:
            yield char, (at, stop)
        at = stop
