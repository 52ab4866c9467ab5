"""What a report keeps to itself: fields that are hidden, and every text that would tell them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from storebridge.errors import UsageError
from storebridge.models import Model
from storebridge.report.text import pathless_text

__all__ = ["HIDDEN", "Hiding", "Secrets", "check_names"]

#: Stands where a text was left out.
HIDDEN = "(hidden)"

_TOKEN = re.compile(r"[^.\[\]]+")
_SIGNS = re.compile(r"[\W_]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*", re.ASCII)
_AMOUNT = re.compile(r"-?\d+(?:\.\d+)?(?: [A-Z]{3})?", re.ASCII)
#: Fields that labels are made of: where one is hidden, so is every label and every message.
_NAMING = frozenset(
    "handle title sku email name number path key url barcodes options codes product id".split()  # noqa: SIM905
)
#: What names an element of a list, as in {"namespace": "custom", "key": "margin", "value": ...}.
_ELEMENT_NAMES = ("namespace", "key", "field", "name")
_GONE = object()
_LABEL = re.compile(r"\[[^\]]*\]")
#: How much the name of a metafield that no plan has may look like one that a plan has.
_LIKE_IT = 0.8


def check_names(names: Iterable[str], documents: Iterable[str]) -> None:
    """Make sure that the names of hidden fields mean something: a slip would hide nothing.

    A metafield's name may be in none of the plans at hand, unless one that is looks like it.

    Args:
        names: the fields.
        documents: the JSON of the plans' records, read only for a name that is no model's field.

    Raises:
        UsageError: for a name that means nothing, with those that are most like it.
    """
    fields = _field_names()
    doubtful = {name: _tokens(_LABEL.sub("", name)) for name in names}
    doubtful = {n: tokens for n, tokens in doubtful.items() if not fields.issuperset(tokens)}
    if not doubtful:
        return
    said = {token for document in documents for token in _said(json.loads(document))}
    for name, tokens in doubtful.items():
        unknown = next((token for token in tokens if token not in fields | said), "")
        own = tokens[0] in ("metafields", "platform_fields") or tokens[0] not in fields
        if unknown and (
            len(tokens) == 1 or not own or get_close_matches(unknown, said, 1, _LIKE_IT)
        ):
            near = get_close_matches(unknown, sorted(fields | said), 3)
            hint = f"Did you mean {' or '.join(near)}?" if near else "Look at: storebridge show"
            raise UsageError(
                f"--hide {name!r} is no field of a record, so nothing would be hidden. {hint}"
            )


@lru_cache(1)
def _field_names() -> frozenset[str]:
    """Return the names of all fields of all models."""
    kinds = [Model]
    for kind in kinds:  # it grows
        kinds += kind.__subclasses__()
    return frozenset(name for kind in kinds for name in kind.model_fields)


def _said(value: Any) -> Iterator[str]:
    """Yield the names in a JSON value: its keys, and what names the elements of its lists."""
    yield from _element_names(value)
    if isinstance(value, dict):
        for key in value:
            yield from _tokens(key)
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _said(item)


@dataclass(slots=True)
class Secrets:
    """The hidden values of one change, to find them in a text again."""

    numbers: set[Decimal] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)

    def add(self, value: Any) -> None:
        """Keep every value in a JSON value."""
        for leaf in _leaves(value):
            text = str(leaf)
            if _AMOUNT.fullmatch(text):
                self.numbers |= set(_numbers(text))
            elif len(text) > 2:
                self.texts.add(text.casefold())

    def told_by(self, text: str) -> bool:
        """Return whether a text holds one of the values, a number in any of its spellings."""
        folded = text.casefold()
        return not self.numbers.isdisjoint(_numbers(text)) or any(t in folded for t in self.texts)


class Hiding:
    """Decides what a report may show; a name hides the field wherever it is, and what is in it."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Take fields like "cost", "seo.title" or, of a metafield, "custom.margin"."""
        self.names = tuple(name.strip() for name in names if name.strip())
        self._paths = [_tokens(name) for name in self.names]
        self._words = {_squeezed(path[-1]) for path in self._paths}
        self._naming = not _NAMING.isdisjoint(path[-1] for path in self._paths)

    def __bool__(self) -> bool:
        return bool(self.names)

    def field(self, path: str) -> bool:
        """Return whether a field is hidden, by its path (`variants[TEE].cost`)."""
        return self._hits(_tokens(path))

    def path(self, path: str) -> str:
        """Return a path as it may be shown: without labels where what they are made of hides."""
        return re.sub(r"\[.*\]", "[]", path) if self._naming else pathless_text(path)

    def value(self, path: str, value: Any) -> Any:
        """Return a field's value without what is hidden inside it."""
        kept = self._prune(_tokens(path), value, None) if self.names else value
        return None if kept is _GONE else kept

    def label(self, label: str, number: int | None, secrets: Secrets) -> str:
        """Return a record's label as it may be shown."""
        told = any(text in label.casefold() for text in secrets.texts)
        return f"#{number or '?'}" if self._naming or told else label

    def text(self, text: str, secrets: Secrets) -> str:
        """Return a text without folders; `HIDDEN` if it names a hidden field or tells a value."""
        if not self.names or not text:
            return pathless_text(text)
        squeezed = _squeezed(text)
        named = self._naming or any(word in squeezed for word in self._words)
        return HIDDEN if named or secrets.told_by(text) else pathless_text(text)

    def collect(self, document: str, into: Secrets) -> None:
        """Keep the hidden values of a JSON document, if it has any."""
        squeezed = _squeezed(document)
        if any(word in squeezed for word in self._words):
            self._prune((), json.loads(document), into)

    def _hits(self, tokens: tuple[str, ...]) -> bool:
        return any(_in_order(path, tokens) for path in self._paths)

    def _prune(self, tokens: tuple[str, ...], value: Any, out: Secrets | None) -> Any:
        if self._hits((*tokens, *_element_names(value))) or self._is_telling(value):
            if out is not None:
                out.add(value)
            return _GONE
        if isinstance(value, dict):
            pairs = ((k, self._prune((*tokens, *_tokens(k)), v, out)) for k, v in value.items())
            return {k: v for k, v in pairs if v is not _GONE}
        if isinstance(value, list):
            kept = (self._prune(tokens, item, out) for item in value)
            return [item for item in kept if item is not _GONE]
        return value

    def _is_telling(self, value: Any) -> bool:
        """Return whether a text is JSON of somebody else's that has a hidden name in it."""
        if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
            return False
        squeezed = _squeezed(value)
        return any(word in squeezed for word in self._words)


@lru_cache(4096)
def _tokens(path: str) -> tuple[str, ...]:
    return tuple(token.casefold() for token in _TOKEN.findall(path))


def _squeezed(text: str) -> str:
    """Return the letters and digits of a text: "compare-at price" says compare_at_price too."""
    return _SIGNS.sub("", text.casefold())


def _in_order(wanted: tuple[str, ...], tokens: tuple[str, ...]) -> bool:
    rest = iter(tokens)
    return all(token in rest for token in wanted)


def _element_names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, dict):
        return ()
    names = (value.get(name) for name in _ELEMENT_NAMES)
    return tuple(token for name in names if isinstance(name, str) for token in _tokens(name))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
    elif value is not None and value != "" and not isinstance(value, bool):
        yield value


def _numbers(text: str) -> Iterator[Decimal]:
    """Yield what the numbers of a text may mean: 1.250 is 1250 or 1.25."""
    for token in _NUMBER.findall(text):
        whole, sign, end = re.sub(r"[.,](?=.*[.,])", "", token).replace(",", ".").partition(".")
        for reading in {f"{whole}{sign}{end}", f"{whole}{end}"}:
            try:
                yield Decimal(reading).normalize()
            except InvalidOperation:  # more digits than any amount has
                continue
