"""Where the paths of a condition lead in the models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_origin

from storebridge.models import Model, Record
from storebridge.parts import path_names

__all__ = ["UNKNOWN", "Home", "field_names", "homes", "values"]

#: Stands for a field that a record doesn't give.
UNKNOWN = object()


@dataclass(frozen=True, slots=True)
class Home:
    """Where a path leads in a model: the full path, what is there, and whether it is many."""

    path: str
    type: Any
    many: bool


@cache
def homes(model: type[Model], path: str) -> tuple[Home, ...]:
    """Return the places that a path means: the record's own field, else its variants'."""
    own = _home(model, path)
    variants = _home(model, f"variants.{path}") if "variants" in model.model_fields else None
    found = (own, variants) if own is None or path == "sku" else (own,)
    return tuple(home for home in found if home is not None)


def field_names(model: type[Record]) -> tuple[str, ...]:
    """Return the names that a path may begin with."""
    names = list(path_names(model).values())
    if "variants" in model.model_fields:
        names += path_names(_inner(model.model_fields["variants"].annotation)[0]).values()
    return tuple(dict.fromkeys(names))


def values(thing: Any, steps: tuple[str, ...]) -> Iterator[Any]:
    """Yield the values that a path leads to; `UNKNOWN` for each that isn't given."""
    if isinstance(thing, tuple) and (steps or not thing or not isinstance(thing[0], Model)):
        for element in thing:
            yield from values(element, steps)
    elif not steps:
        yield thing
    elif isinstance(thing, Model):
        given = steps[0] in thing.model_fields_set
        yield from values(getattr(thing, steps[0]), steps[1:]) if given else (UNKNOWN,)
    elif isinstance(thing, Mapping):
        yield from values(thing.get(steps[0]), steps[1:])
    else:
        yield None if thing is None else UNKNOWN


def _home(model: type[Model], path: str) -> Home | None:
    here: Any = model
    many = False
    for step in path.split("."):
        if _is_mapping(here):  # any key may be there
            here = Any
        elif isinstance(here, type) and issubclass(here, Model) and step in here.model_fields:
            here, listed = _inner(here.model_fields[step].annotation)
            many = many or listed
        elif here is not Any:
            return None
    return Home(path, here, many)


def _inner(annotation: Any) -> tuple[Any, bool]:
    """Return what an annotation holds, without None and tuple, and whether it was a tuple."""
    args = [arg for arg in get_args(annotation) if arg not in (type(None), Ellipsis)]
    if get_origin(annotation) is tuple:
        return args[0], True
    if type(None) in get_args(annotation):
        return args[0], False
    return annotation, False


def _is_mapping(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)
