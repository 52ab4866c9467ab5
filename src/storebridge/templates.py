"""Texts with gaps: `{title} | {vendor}`, filled from plain texts by their names.

A name stands between braces, as it is written where the values come from; `{{` and `}}` are
braces. Nothing is evaluated: no attributes, no formats, and what is filled in is not looked at
again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache

from storebridge.errors import UsageError

__all__ = ["TemplateError", "escaped", "fill", "names"]

_PART = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<name>[^{}]*)\}|(?P<text>[^{}]+)|(?P<stray>[{}])")


class TemplateError(UsageError):
    """A template is written in a way that means nothing, or names what isn't there."""


def names(text: str) -> tuple[str, ...]:
    """Return the names in a template, each once, in order.

    Raises:
        TemplateError: for a brace that stands alone, or a gap without a name.
    """
    return tuple(dict.fromkeys(name for _, name in _parts(text) if name))


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return a template with its gaps filled.

    Raises:
        TemplateError: for a wrong template, or a name that has no value; the nearest is offered.
    """
    return "".join(_value(text, name, values) if name else plain for plain, name in _parts(text))


def escaped(text: str) -> str:
    """Return the template that gives this text as it is."""
    return text.replace("{", "{{").replace("}", "}}")


@lru_cache(maxsize=256)
def _parts(text: str) -> tuple[tuple[str, str], ...]:
    """Return pieces of plain text, and names: one of each pair is empty."""
    return tuple(_pieces(text))


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    for match in _PART.finditer(text):
        name = (match["name"] or "").strip()
        if match["stray"] or (match["name"] is not None and not name):
            raise TemplateError(
                f"the template {text!r} has {match[0]!r} (character {match.start() + 1}), which "
                "names nothing. Write {title} for a field's value, and {{ or }} for a brace."
            )
        yield (match["text"] or (match["brace"] or "")[:1], name)


def _value(text: str, name: str, values: Mapping[str, str]) -> str:
    if name in values:
        return values[name]
    near = get_close_matches(name, values, 1)
    remedy = f"Did you mean {{{near[0]}}}?" if near else f"There are: {', '.join(values)}."
    raise TemplateError(f"the template {text!r} names {name!r}, which isn't there. {remedy}")
