"""How WordPress checks the arguments of a call: the published schema, its messages, its casts.

WordPress 6.9: an argument that is null is not checked but cast to its type's empty value; one
that the schema does not name is neither checked nor cast. Items of a batch pass none of this.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from storebridge_woocommerce.sandbox_state import Doc, Refusal
from storebridge_woocommerce.sandbox_text import flag, has_date, plain, spoken_list

__all__ = ["arguments", "checked", "defaults", "elements", "routes"]

Schema = Mapping[str, Any]
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_BOOLEANS = frozenset({"true", "false", "0", "1"})


class _Invalid(Exception):
    """One argument is wrong."""

    def __init__(self, code: str, message: str, data: Doc | None = None) -> None:
        super().__init__(message)
        self.doc = {"code": code, "message": message, "data": data}


@lru_cache
def routes() -> dict[str, dict[str, dict[str, Doc]]]:
    """Return the arguments of each route and verb, as WooCommerce 11.0.1 publishes them."""
    text = files(__package__).joinpath("sandbox_schema.json").read_text("utf-8")
    found: dict[str, dict[str, dict[str, Doc]]] = json.loads(text)
    # WooCommerce 9.9.5 and 11.0.1: of the statuses that reviews are listed by, none is checked.
    del found["/products/reviews"]["GET"]["status"]["enum"]
    return found


def arguments(route: str, verb: str) -> dict[str, Doc]:
    """Return the arguments of a call; none for a route that publishes none."""
    verb = "PUT" if verb == "PATCH" else verb
    verbs = routes().get(route, {})
    return verbs.get(verb) or (verbs.get("PUT", {}) if verb == "POST" else {})


@lru_cache
def defaults(route: str) -> Doc:
    """Return what a create takes for fields that were not given."""
    args = arguments(route, "POST")
    return {name: spec["default"] for name, spec in args.items() if "default" in spec}


def checked(args: dict[str, Doc], given: Doc) -> Doc:
    """Return the arguments cast to their types, with defaults for those not given.

    Raises:
        Refusal: if one is missing or of a wrong type, naming all of them.
    """
    missing = [name for name, spec in args.items() if spec.get("required") and name not in given]
    if missing:
        text = f"Missing parameter(s): {', '.join(missing)}"
        raise Refusal("rest_missing_callback_param", text, params=missing)
    wrong: dict[str, Doc] = {}
    cast = {n: s["default"] for n, s in args.items() if "default" in s and n not in given}
    for name, value in given.items():
        spec = args.get(name)
        cast[name] = value
        if spec is None:
            continue
        try:
            if value is not None:
                _check(value, spec, name)
            cast[name] = _cast(value, spec)
        except _Invalid as error:
            wrong[name] = error.doc
    if wrong:
        text = f"Invalid parameter(s): {', '.join(wrong)}"
        said = {name: error["message"] for name, error in wrong.items()}
        raise Refusal("rest_invalid_param", text, params=said, details=wrong)
    return cast


# --------------------------------------------------------------------------------------- checks


def _check(value: Any, spec: Schema, name: str) -> None:
    """Raise if a value doesn't fit its schema."""
    kind = spec.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if _is(value, one)), "")
    if kind is not None and not (kind and _is(value, kind)):
        words = ",".join(spec["type"]) if isinstance(spec["type"], list) else kind
        raise _Invalid("rest_invalid_type", f"{name} is not of type {words}.", {"param": name})
    if kind == "array":
        for place, one in enumerate(elements(value)):
            _check(one, spec.get("items", {}), f"{name}[{place}]")
    elif kind == "object" and isinstance(value, dict):
        for key, part in spec.get("properties", {}).items():
            if key in value:
                _check(value[key], part, f"{name}[{key}]")
    else:
        _check_value(value, spec, name)


def _check_value(value: Any, spec: Schema, name: str) -> None:
    allowed = spec.get("enum")
    if allowed and _cast(value, spec) not in allowed:
        words = f"one of {spoken_list(allowed)}" if len(allowed) > 1 else str(allowed[0])
        raise _Invalid("rest_not_in_enum", f"{name} is not {words}.")
    _check_bounds(value, spec, name)
    _check_format(value, spec.get("format"))


def _check_bounds(value: Any, spec: Schema, name: str) -> None:
    low, high = spec.get("minimum"), spec.get("maximum")
    if (low is None or float(value) >= low) and (high is None or float(value) <= high):
        return
    if low is not None and high is not None:
        words = f"be between {low} (inclusive) and {high} (inclusive)"
    elif low is not None:
        words = f"be greater than or equal to {low}"
    else:
        words = f"be less than or equal to {high}"
    raise _Invalid("rest_out_of_bounds", f"{name} must {words}")


def _check_format(value: Any, form: Any) -> None:
    if form == "date-time" and not has_date(str(value)):
        raise _Invalid("rest_invalid_date", "Invalid date.")
    if form == "email" and value and not re.fullmatch(r"[^@\s]+@[^@\s.]+\.[^@\s]+", str(value)):
        raise _Invalid("rest_invalid_email", "Invalid email address.")


def _is(value: Any, kind: str) -> bool:
    return _TYPES[kind](value) if kind in _TYPES else True


def _number(value: Any) -> bool:
    if isinstance(value, str):
        return bool(_NUMBER.fullmatch(value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _integer(value: Any) -> bool:
    return _number(value) and math.isfinite(float(value)) and float(value).is_integer()


def _boolean(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower() in _BOOLEANS
    return isinstance(value, bool) or (isinstance(value, int) and value in (0, 1))


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "null": lambda value: value is None,
    # WordPress 6.9: a scalar is split at commas and spaces where a list is wanted.
    "array": lambda value: not isinstance(value, dict) or value.keys() == set(range(len(value))),
    "object": lambda value: isinstance(value, dict | list) or value == "",
}


# ---------------------------------------------------------------------------------------- casts


def elements(value: Any) -> list[Any]:
    """Return a value as the list that WordPress makes of it: "1,2 3" has three elements."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return list(value.values())
    return [] if value is None else re.findall(r"[^\s,]+", plain(value))


def _cast(value: Any, spec: Schema) -> Any:
    """Return a value in its schema's type; null becomes the empty value of the type."""
    kind = spec.get("type")
    if isinstance(kind, list):
        # WordPress 6.9: an empty text stays one where a text is among the types.
        empty = value == "" and "string" in kind
        kind = "string" if empty else next((one for one in kind if _is(value, one)), None)
    match kind:
        case "string":
            return plain(value)
        case "integer":
            return int(float(value or 0))
        case "number":
            return float(value or 0)
        case "boolean":
            return flag(value)
        case "array":
            return [_cast(one, spec.get("items", {})) for one in elements(value)]
        case "object":
            return _object(value, spec)
    return value


def _object(value: Any, spec: Schema) -> Any:
    if isinstance(value, list):
        return value
    parts = spec.get("properties", {})
    pairs = value.items() if isinstance(value, dict) else ()
    return {key: _cast(one, parts[key]) if key in parts else one for key, one in pairs}
