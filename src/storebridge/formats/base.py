"""What every format shares: the context a file leaves open, and what reading and writing give.

A format knows models and errors only. Reading streams: it yields records one by one, and
problems in between, so that a whole file's problems can be shown at once.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from storebridge.errors import Problem, UsageError
from storebridge.models import Record, StoreInfo
from storebridge.models.money import is_currency

__all__ = ["WHY", "Context", "Format", "Loss", "Readable", "Sourced", "check_given"]

#: The column, or the key of a JSON line, that says why a row came back; every reader skips it.
WHY = "storebridge: why"


@dataclass(frozen=True, slots=True)
class Context:
    """What a file leaves open, from the store's `info()` or an option; never guessed.

    Units and currency are needed only where a file has values without them: a format that
    needs one that is empty yields a `Problem` whose remedy names the option.
    """

    currency: str = ""
    locale: str = ""
    weight_unit: Literal["g", "kg", "oz", "lb", ""] = ""
    length_unit: Literal["mm", "cm", "m", "in", "ft", "yd", ""] = ""
    location: str = ""
    """Where quantities without a location lie; empty leaves them without one."""
    market_currencies: Mapping[str, str] = field(default_factory=dict)
    """The currency of each market, by the market's handle or name."""
    encoding: str = ""
    """A Python codec's name; empty means: detect where certain, else ask for it."""
    delimiter: str = ""
    decimal: Literal[".", ","] = "."
    """The decimal sign of the amounts and measures in storebridge's own sheet."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Translated headers: the file's own header to the format's standard one."""
    store: str = ""
    """The identity of the store that ids belong to, for formats that carry it (JSONL)."""
    time_zone: str = ""
    """The store's zone (IANA name) for times that a file writes without one."""
    variant: Literal["current", "legacy"] = "current"
    """Which column names to write, where a format has two sets."""
    collections: Mapping[tuple[str, ...], str] | None = None
    """The handles of the store's collections by folded path, where they are a tree."""
    folder: str = ""
    """Where the file lies, which relative paths of pictures are seen from."""
    pictures: str = ""
    """The folder of the pictures, where a person named one; instead of the file's own."""
    mapping: Readable | None = None
    """How a supplier's table becomes products (`storebridge.formats.mapping.TableMapping`)."""
    blank: Literal["keep", "clear"] = "keep"
    """What a blank cell of storebridge's own sheet does to its field."""

    @classmethod
    def of(cls, info: StoreInfo, **given: Any) -> Context:
        """Return what a store says about itself, with what is given over it."""
        facts: dict[str, Any] = {
            "currency": info.currency,
            "locale": info.locales[0] if info.locales else "",
            "weight_unit": info.weight_unit,
            "length_unit": info.length_unit,
            "time_zone": info.time_zone,
            "market_currencies": info.market_currencies(),
            "location": info.only_location,
        }
        return cls(**{**facts, **given})


def check_given(given: Mapping[str, Any]) -> None:
    """Make sure that what a person says about a file means something, whether it is used or not.

    Args:
        given: values by the names of `Context`.

    Raises:
        UsageError: for the first that doesn't; the message says how to write it.
    """
    checks: tuple[tuple[str, Callable[[str], bool], str], ...] = (
        ("currency", is_currency, "no currency. Write it like EUR"),
        ("locale", _is_locale, "no language. Write it like de or pt-BR"),
        ("time_zone", _is_zone, "no time zone. Write it like Europe/Berlin"),
        ("encoding", _is_codec, "no codec that is known. Write it like windows-1252"),
        ("pictures", lambda path: Path(path).is_dir(), "no folder. Name one that is there"),
    )
    for name, is_good, remedy in checks:
        if given.get(name) and not is_good(str(given[name])):
            raise UsageError(f"--{name.replace('_', '-')} {str(given[name])!r} is {remedy}")
    for market, currency in (given.get("market_currencies") or {}).items():
        if not is_currency(currency):
            pair = f"{market}={currency}"
            raise UsageError(
                f"--market-currency {pair!r} has no currency. Write it like {market}=CHF"
            )


def _is_locale(text: str) -> bool:
    import langcodes

    return langcodes.tag_is_valid(text)


def _is_zone(text: str) -> bool:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        return text == "UTC"
    return True


def _is_codec(text: str) -> bool:
    try:
        codecs.lookup(text)
    except (LookupError, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Sourced:
    """A record and the row of the file where it starts (1 is the header row)."""

    record: Record
    row: int
    store: str = ""
    """The identity of the store that the record's ids belong to; empty where the file has none."""
    delete: bool = False
    """Whether the row asks for the record to be deleted."""
    expects: Literal["", "new", "existing", "ignored"] = ""
    """What the row says: the store lacks the record, or has it; or it is to be left alone."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A field that a format could not hold, for how many records, and one of them."""

    kind: str
    field: str
    count: int
    example: str


class Readable(Protocol):
    """What reads files: a format, or a supplier's mapping."""

    def read(self, path: Path, context: Context) -> Iterator[Sourced | Problem]:
        """Yield the file's records, and a problem for everything wrong with it.

        Raises:
            SourceError: if the file can't be read any further; `formats.read` yields its problems.
        """
        ...


class Format(Readable, Protocol):
    """One file format, in and out."""

    name: str
    """The word on the command line ("shopify-csv")."""
    suffixes: tuple[str, ...]
    kinds: frozenset[str]
    """The kinds of record that it is for; others may lend it a path or a place."""

    def recognises(self, header: tuple[str, ...], context: Context) -> bool:
        """Return whether a table's header row, or a file's first line, is this format's."""
        ...

    def knows(self, header: str) -> bool:
        """Return whether a column name is one of this format's."""
        ...

    def write(self, path: Path, records: Iterable[Record], context: Context) -> list[Loss]:
        """Write records to a new file, atomically; return what the format could not hold."""
        ...
