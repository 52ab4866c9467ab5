"""Where an answer isn't of the shape that its document asked for; looked at once a flow has failed.

What each document's answer looks like is worked out of the official schema beforehand and lies
beside the documents: a type ("[String!]!"), that of an object with the shapes of its fields. Fields
that depend on variables have those behind their names ("media?withMedia"), and what only some
types of an object have is under the names of these ("...Video|Model3d").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from storebridge.flow import Request, Response
from storebridge.wire import loads
from storebridge_shopify.graphql import Doc, answer_shapes, document

__all__ = ["of_answer", "of_line", "of_record"]

Shape = Any
"""A leaf's type, or an object's type and fields."""


def of_answer(request: Request, response: Response) -> str:
    """Return the path of the first place of another shape, below `data`; "" if there is none.

    The body is read anew, since flows add to connections what their next pages hold.
    """
    asked = loads(request.body) if isinstance(request.body, bytes) else {}
    name = _names().get(asked["query"])
    if name is None:
        return ""
    odd = _odd(
        loads(response.body).get("data"), answer_shapes()[name], asked.get("variables") or {}, ""
    )
    return next((path.removeprefix(".") or "data" for path in odd), "")


def of_line(name: str, answer: Any) -> str:
    """Return such a path in what a line of a job's results says that a document has done."""
    if not isinstance(answer, dict) or answer.get("errors"):
        return ""
    odd = _odd(answer.get("data"), answer_shapes()[name], {}, "")
    return next((path.removeprefix(".") or "data" for path in odd), "")


def of_record(names: Iterable[str], flags: Mapping[str, bool], found: Doc) -> str:
    """Return such a path in a record that bulk queries have read, behind the id of its line.

    Args:
        names: the documents of the queries.
        flags: which connections were wanted.
        found: the record with its "children", as `bulk_index.roots` gives it, or with these in
            connections, as a page has it.
    """
    roots = [each for name in names for each in _below(answer_shapes()[name], flags)]
    return next(_odd_lines(found, roots, flags, "the file"), "")


@cache
def _names() -> dict[str, str]:
    """Return the names of the documents by their texts."""
    return {document(name).text: name for name in answer_shapes()}


def _odd(value: Any, shape: Shape, given: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield the path of each place that has another shape; `given` are the variables."""
    kind, fields = (shape, None) if isinstance(shape, str) else shape
    if value is None:
        if kind.endswith("!"):
            yield path
        return
    kind = kind.removesuffix("!")
    if kind.startswith("["):
        if not isinstance(value, list):
            yield path
            return
        inner = kind[1:-1] if fields is None else [kind[1:-1], fields]
        for at, each in enumerate(value):
            yield from _odd(each, inner, given, f"{path}[{at}]")
    elif fields is not None:
        if not isinstance(value, dict):
            yield path
            return
        yield from _odd_fields(value, fields, given, path)
    elif not _LEAVES.get(kind, _is_any)(value):
        yield path


def _odd_fields(
    value: Doc, fields: Mapping[str, Shape], given: Mapping[str, Any], path: str
) -> Iterator[str]:
    for key, shape in fields.items():
        name, *flags = key.split("?")
        if not all(given.get(flag) for flag in flags):
            continue
        if name.startswith("..."):
            if _type(value) in name[3:].split("|"):
                yield from _odd_fields(value, shape, given, path)
            elif "id" in shape and not _is_id(value.get("id")):  # of which type, nobody knows
                yield f"{path}.id"
        elif name in value:
            yield from _odd(value[name], shape, given, f"{path}.{name}")
        else:
            yield f"{path}.{name}"
    if value.get("hasNextPage") is True and value.get("endCursor", "") is None:
        yield f"{path}.endCursor"  # a page after this one, and no way to it


def _type(value: Doc) -> str:
    """Return the type of an object, where it or its id says so: "gid://shopify/Video/1"."""
    return str(value.get("__typename") or str(value.get("id")).removeprefix(_GID).partition("/")[0])


# -- lines of bulk queries, in which connections lie apart


def _odd_lines(
    found: Doc, shapes: Iterable[Shape], given: Mapping[str, Any], above: str
) -> Iterator[str]:
    name = str(found.get("id") or f"a line below {above}")
    fitting = [each for each in shapes if _type(found) in _types(each)]
    if not fitting:
        yield f"{name}: __typename"
    for shape in fitting:
        odd = _odd(found, [shape[0], dict(_apart(shape[1]))], given, "")
        yield from (f"{name}: {path.removeprefix('.')}" for path in odd)
    below = [each for shape in fitting for each in _below(shape, given)]
    for child in found["children"] if "children" in found else _nodes(found):
        yield from _odd_lines(child, below, given, name)


def _nodes(found: Doc) -> Iterator[Doc]:
    """Yield the nodes of the connections of an object."""
    for each in found.values():
        if isinstance(each, dict):
            yield from each["nodes"] if "nodes" in each else _nodes(each)


def _types(shape: Shape) -> Iterator[str]:
    """Yield the types that a node can be of."""
    kind, fields = shape
    yield from re.findall(r"\w+", kind)
    for key in fields:
        if key.startswith("..."):
            yield from key[3:].partition("?")[0].split("|")


def _apart(fields: Mapping[str, Shape]) -> Iterator[tuple[str, Shape]]:
    """Yield the fields of an object without connections, which have lines of their own."""
    for key, shape in fields.items():
        if isinstance(shape, list) and "edges" not in shape[1]:
            yield key, [shape[0], dict(_apart(shape[1]))]
        elif not isinstance(shape, list):
            yield key, dict(_apart(shape)) if isinstance(shape, dict) else shape


def _below(shape: Shape, given: Mapping[str, Any]) -> Iterator[Shape]:
    """Yield the nodes of an object's connections."""
    for key, each in shape[1].items():
        flags = key.split("?")[1:]
        if not isinstance(each, list) or not all(given.get(flag) for flag in flags):
            continue
        if "edges" in each[1]:
            yield each[1]["edges"][1]["node"]
        else:
            yield from _below(each, given)


# -- leaves

_GID = "gid://shopify/"


def _is_any(_value: Any) -> bool:
    return True


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_GID)


def _is_int(value: Any) -> bool:
    return type(value) is int


def _is_number(value: Any) -> bool:
    return type(value) is int or isinstance(value, Decimal)


def _is_count(value: Any) -> bool:
    return isinstance(value, str) and value.isdecimal()


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool)


def _is_amount(value: Any) -> bool:
    try:
        return isinstance(value, str) and Decimal(value).is_finite()
    except InvalidOperation:
        return False


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def _code(letters: int) -> Callable[[Any], bool]:
    pattern = re.compile(f"[A-Z]{{{letters}}}")
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


_LEAVES: Mapping[str, Callable[[Any], bool]] = {
    "Boolean": _is_truth,
    "CountryCode": _code(2),
    "CurrencyCode": _code(3),
    "DateTime": _is_time,
    "Decimal": _is_amount,
    "Float": _is_number,
    "HTML": _is_text,
    "ID": _is_id,
    "Int": _is_int,
    "Money": _is_amount,
    "String": _is_text,
    "URL": _is_text,
    "UnsignedInt64": _is_count,
}
