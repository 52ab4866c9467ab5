"""The words of a plan as job files have them: one flat list, with `-` or `_`.

A word is the name of a field of `PlanOptions`, of its guards, or of what a file leaves open
(`storebridge.formats.Context`), or one of the few that are shorter to type than the field.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from storebridge.errors import UsageError
from storebridge.formats.base import Context
from storebridge.models.text import worded
from storebridge.plan.options import PlanOptions

__all__ = ["field_of", "known", "nearest", "options", "spread", "understood"]

#: What a plan sets for itself in a file's context, or has an option of its own for.
_OWN = frozenset({"store", "folder", "collections", "variant", "location", "mapping"})
#: Words for tables, which may be texts like "OWN=OTHER" too.
_TABLES = {"market_currency": "market_currencies", "header": "headers"}


def known() -> frozenset[str]:
    """Return every word, with `_`."""
    return frozenset({*_context(), *_options(), *_TABLES})


def field_of(word: str) -> str:
    """Return the name of the field that a word of the command line stands for."""
    return _TABLES.get(word, word)


def understood(words: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return words by the names of fields; `options` looks at the values of a plan's own.

    Args:
        words: as TOML has them: texts, numbers, truth values, lists, tables.
        where: what a message begins with, like a file's name.

    Raises:
        UsageError: for a word that means nothing (the nearest are named), or a wrong value.
    """
    found: dict[str, Any] = {}
    for typed, value in words.items():
        word = typed.replace("-", "_")
        if word not in known():
            raise UsageError(f"{where}: {typed!r} means nothing. {nearest(word, known())}")
        name = field_of(word)
        if name in found:
            raise UsageError(f"{where}: {typed!r} is there twice, in two spellings; keep one.")
        try:
            found[name] = _checked(name, _pairs(word, value) if word in _TABLES else value)
        except (ValidationError, UsageError) as error:
            raise UsageError(f"{where}: {typed} = {_shown(value)}: {_why(error)}") from None
    return found


def options(names: Mapping[str, Any]) -> PlanOptions:
    """Return plan options of values by the names of fields, wherever those are.

    Raises:
        ConfigError: if they make no sense together.
    """
    context = {name: value for name, value in names.items() if name in _context()}
    rest = {name: value for name, value in names.items() if name not in context}
    return PlanOptions.of(**rest, context=context)


def spread(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `PlanOptions` by the names of fields, what lies in them too."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name == "context":
            found |= value
        elif is_dataclass(value) and not isinstance(value, type):
            found |= {each.name: getattr(value, each.name) for each in fields(value)}
        else:
            found[name] = value
    return found


def nearest(word: str, words: Iterable[str]) -> str:
    """Return a sentence with the words that are most like one that means nothing."""
    names = sorted(each.replace("_", "-") for each in words)
    near = get_close_matches(word.replace("_", "-"), names, 3, 0.6)
    return f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(names)}."


@cache
def _context() -> dict[str, Callable[[str], Any]]:
    """Return how a value of each field of a file's context is read from JSON."""
    hints = {"format": str, **_hints(Context)}
    return {
        name: TypeAdapter(hint).validate_json for name, hint in hints.items() if name not in _OWN
    }


@cache
def _options() -> frozenset[str]:
    """Return the fields of `PlanOptions`, those of what lies in it instead of itself."""
    names: set[str] = set()
    for name, hint in _hints(PlanOptions).items():
        names |= {each.name for each in fields(hint)} if is_dataclass(hint) else {name}
    return frozenset(names - {"context"})


def _hints(kind: type) -> dict[str, Any]:
    """Return the types of a class's fields; one that only a type checker sees is any."""
    unseen: dict[str, Any] = {}
    while True:
        try:
            return get_type_hints(kind, localns=unseen)
        except NameError as error:
            unseen[str(error.name)] = Any


def _checked(name: str, value: Any) -> Any:
    if name in _context():
        return _context()[name](json.dumps(value, default=str))
    return tuple(value) if isinstance(value, list) else value


def _pairs(word: str, value: Any) -> Any:
    """Return a table as it is, and texts like 'OWN=OTHER' as one."""
    if isinstance(value, Mapping):
        return value
    pairs = {}
    for text in [value] if isinstance(value, str) else value:
        name, sign, other = str(text).partition("=")
        if not sign:
            typed = word.replace("_", "-")
            raise UsageError(f'{text!r} has no "=". Write it like {typed} = ["OWN=OTHER"].')
        pairs[name] = other
    return pairs


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _why(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(dict.fromkeys(worded(problem["msg"]) for problem in error.errors())) + "."
