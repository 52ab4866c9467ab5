"""Searches that can be trusted: filters that are known, values in quotes.

An unknown filter is ignored and everything comes back, with a warning that only the debug header
shows (recorded answers); so a query is made of these names only, the header is always sent, and
what comes back is checked by whoever asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

__all__ = ["DEBUG", "any_of", "both", "since", "term"]

#: The header that makes an answer tell which parts of a search were ignored (usage/search-syntax).
DEBUG = {"shopify-search-query-debug": "1"}

#: The filters that are used, of all connections (the schema's descriptions of `query`).
_FILTERS = frozenset({"name", "path", "product_id", "sku", "status", "updated_at"})
#: The index lags behind what was written: this much earlier is asked for.
_OVERLAP = timedelta(minutes=2)


def term(name: str, value: str, relation: str = "") -> str:
    """Return one condition, its value in quotes.

    Raises:
        ValueError: for a filter that isn't known; it would be ignored.
    """
    if name not in _FILTERS:
        raise ValueError(f"{name!r} is no known filter")
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}:{relation}'{quoted}'"


def any_of(terms: Iterable[str]) -> str:
    """Return what holds where one of the conditions does."""
    return f"({' OR '.join(terms)})"


def both(*terms: str) -> str | None:
    """Return what holds where all conditions do; None without any."""
    given = [term for term in terms if term]
    return " AND ".join(f"({each})" for each in given) or None


def since(time: datetime) -> str:
    """Return the condition of what was changed since a time, with an overlap."""
    moment = (time.astimezone(UTC) - _OVERLAP).strftime("%Y-%m-%dT%H:%M:%SZ")
    return term("updated_at", moment, ">=")
