"""What a shop takes as metafields: the forms of values by type, and its own definitions.

Values are text, whatever their type (shopify.dev, list of data types): lists and measures in JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from storebridge.adapter import Fit
from storebridge.models import Metafield, Record
from storebridge_shopify.site import Rule

__all__ = ["misfits", "misnamed", "name_of"]

#: The form of a value that is one word or line, and what people call it.
_FORMS: Mapping[str, tuple[str, str]] = {
    "boolean": ("true|false", "true or false"),
    "color": ("#[0-9A-Fa-f]{6}", "a colour like #1a2b3c"),
    "date": (r"\d{4}-\d\d-\d\d", "a day like 2026-03-31"),
    "date_time": (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*", "a time like 2026-03-31T08:00:00"),
    "number_decimal": (r"-?\d+(\.\d+)?", "a number like 12.5"),
    "number_integer": (r"-?\d+", "a whole number"),
    "single_line_text_field": (r"[^\n]*", "text of one line"),
    "url": (r"(https?|mailto|sms|tel):\S+", "an address that begins with https:"),
}
_REFERENCE = (r"gid://shopify/\w+/\d+", "an id like gid://shopify/Product/1")
#: What the object of a structured value has.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "dimension": ("value", "unit"),
    "link": ("text", "url"),
    "money": ("amount", "currency_code"),
    "rating": ("value", "scale_min", "scale_max"),
    "rich_text_field": ("type", "children"),
    "volume": ("value", "unit"),
    "weight": ("value", "unit"),
}
_TEXTS = ("single_line_text_field", "multi_line_text_field")
_NUMBERS = ("number_integer", "number_decimal")


def name_of(metafield: Metafield) -> str:
    """Return a metafield's namespace and key ("custom.material")."""
    return f"{metafield.namespace}.{metafield.key}"


def misnamed(namespace: str, key: str) -> str:
    """Return why nothing can have this name, "" where it may (schema, MetafieldsSetInput)."""
    if 3 <= len(namespace) <= 255 and 2 <= len(key) <= 64:
        return ""
    return "a namespace has 3 to 255 characters, and a key 2 to 64"


def misfits(
    record: Record, path: str, metafields: Iterable[Metafield], rules: Mapping[str, Rule]
) -> Iterator[Fit]:
    """Yield what a shop won't take of the metafields at a path, each once.

    Args:
        record: the record that has them.
        path: where they are in it.
        metafields: the metafields.
        rules: what the shop's definitions ask of them, by name; {} where that isn't known.
    """
    found = (_misfit(each, rules.get(name_of(each))) for each in metafields)
    for message in dict.fromkeys(filter(None, found)):
        yield Fit(record.kind, record.label, path, message, "MetafieldsSetUserErrorCode")


def _misfit(metafield: Metafield, rule: Rule | None) -> str:
    """Return why a shop won't take a metafield, "" where nothing is known against it."""
    name, given = name_of(metafield), metafield.type
    if wrong := misnamed(metafield.namespace, metafield.key):
        return f"{name}: {wrong}"
    if rule and given not in ("", rule.type):
        return f"this shop defines {name} as {rule.type}, not as {given}"
    kind = rule.type if rule else given
    reason = _unfit(metafield.value, kind, rule.validations if rule else {})
    return f"{name}, a {kind or 'text'}, {reason}" if reason else ""


def _unfit(value: str, kind: str, validations: Mapping[str, str]) -> str:
    """Return why a value doesn't do for a type and its validations, "" where it may.

    Args:
        value: the value, as Shopify writes it.
        kind: the type; "" where it isn't known.
        validations: what a definition asks besides, in Shopify's words ({"max": "20"}).
    """
    if not value.strip():
        return "can't be empty"
    if not kind.startswith("list."):
        form = _misformed(value, kind)
        return f"has to be {form}" if form else _out_of_bounds(value, kind, validations)
    items, inner = _parsed(value), kind.removeprefix("list.")
    if not isinstance(items, list):
        return "has to be a list in JSON"
    for item in items:
        text = item if isinstance(item, str) else json.dumps(item)
        if form := _misformed(text, inner):
            return f"has to be a list of which each is {form}"
        if reason := _out_of_bounds(text, inner, validations):
            return reason
    return ""


def _misformed(value: str, kind: str) -> str:
    """Return what a value of a type has to be where it isn't, else ""."""
    if kind.endswith("_reference"):
        pattern, form = _REFERENCE
    elif kind in _FORMS:
        pattern, form = _FORMS[kind]
    elif kind == "json":
        return "" if _parsed(value) is not _BROKEN else "JSON"
    elif kind in _KEYS:
        said, keys = _parsed(value), _KEYS[kind]
        is_whole = isinstance(said, dict) and said.keys() >= {*keys}
        return "" if is_whole else f"JSON with {' and '.join(keys)}"
    else:
        return ""
    return "" if re.fullmatch(pattern, value) else form


#: What isn't JSON; `null` is.
_BROKEN = object()


def _parsed(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return _BROKEN


def _out_of_bounds(value: str, kind: str, validations: Mapping[str, str]) -> str:
    choices = _parsed(validations.get("choices", "null"))
    if isinstance(choices, list) and value not in map(str, choices):
        return "has to be one of the choices of its definition"
    if kind not in _TEXTS + _NUMBERS:
        return ""
    size = Decimal(value) if kind in _NUMBERS else Decimal(len(value))
    unit = "" if kind in _NUMBERS else " characters"
    least, most = _number(validations.get("min")), _number(validations.get("max"))
    if least is not None and size < least:
        return f"has to be at least {least}{unit}"
    if most is not None and size > most:
        return f"can be at most {most}{unit}"
    return ""


def _number(text: str | None) -> Decimal | None:
    try:
        return Decimal(text or "")
    except InvalidOperation:
        return None
