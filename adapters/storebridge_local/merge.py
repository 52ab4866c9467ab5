"""How desired values go over what is held: given fields only, lists by their elements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from storebridge.errors import Rejected
from storebridge.models import ListSpec, Model, Variant
from storebridge_local.fields import INSTRUCTIONS

__all__ = ["merge"]

M = TypeVar("M", bound=Model)
Elements = tuple[Any, ...]


def merge(
    live: Model, desired: Model, removed: Mapping[str, tuple[str, ...]] | None = None
) -> dict[str, Any]:
    """Return the new values of the fields that `desired` and `removed` touch.

    Fields within a field follow the same rule: what isn't given there stays as it is.

    Raises:
        Rejected: if `removed` names something that isn't a list of named elements.
    """
    given = desired.model_fields_set
    values = {name: _over(name, live, desired) for name in given - INSTRUCTIONS}
    for name in sorted(given & INSTRUCTIONS - {"modes"}):  # "tags_add" before "tags_remove"
        field, _, verb = name.rpartition("_")
        held, asked = values.get(field, getattr(live, field)), getattr(desired, name)
        if verb == "add":
            values[field] = _added(live.lists.get(field), held, asked)
        else:
            values[field] = tuple(value for value in held if value not in asked)
    for field, names in (removed or {}).items():
        values[field] = _removed(live, field, values, names)
    return values


def _over(name: str, live: Model, desired: Model) -> Any:
    """Return what one given field becomes."""
    held, wanted = getattr(live, name), getattr(desired, name)
    spec = desired.lists.get(name)
    if spec is not None and spec.keys is not None:
        mode = getattr(desired, "modes", {}).get(name, spec.mode)
        return _matched(spec, held, wanted, keep=mode == "merge")
    if name == "platform_fields":
        return {**held, **{name: {**held.get(name, {}), **wanted[name]} for name in wanted}}
    if isinstance(held, Model) and isinstance(wanted, Model) and not wanted.atomic:
        return _combined(held, wanted)
    return wanted


def _combined(held: M, wanted: Model) -> M:
    return held.model_copy(update=merge(held, wanted))


def _matched(spec: ListSpec, held: Elements, wanted: Elements, *, keep: bool) -> Elements:
    """Return the wanted elements over those held; `keep` says whether the others stay."""
    if not held:
        return wanted
    places = _places(spec, held)
    if len(held) == len(wanted) == 1 and _is_only(wanted[0]):
        places.update(dict.fromkeys(_names(spec, wanted[0]), 0))
    merged = dict(enumerate(held)) if keep else {}
    for number, element in enumerate(wanted, start=len(held)):
        place = next((places[name] for name in _names(spec, element) if name in places), None)
        if place is None:
            merged[number] = element
        else:
            now = merged[place] if place in merged else held[place]
            merged[place] = _combined(now, element)
    return tuple(merged.values())


def _places(spec: ListSpec, held: Elements) -> dict[str, int]:
    """Return where the element of a name is, for the names that only one element has."""
    named = [(name, place) for place, one in enumerate(held) for name in set(_names(spec, one))]
    counts = Counter(name for name, _ in named)
    return {name: place for name, place in named if counts[name] == 1}


def _is_only(element: Model) -> bool:
    """Return whether it is a variant without a name: that of a product that has only one."""
    return isinstance(element, Variant) and not (element.id or element.sku or any(element.options))


def _names(spec: ListSpec, element: Any) -> tuple[str, ...]:
    return spec.keys(element) if spec.keys else ()


def _added(spec: ListSpec | None, held: Elements, more: Iterable[Any]) -> Elements:
    if spec is not None:
        return _matched(spec, held, tuple(more), keep=True)
    return tuple(dict.fromkeys((*held, *more)))


def _removed(
    live: Model, field: str, values: Mapping[str, Any], names: tuple[str, ...]
) -> Elements:
    spec = live.lists.get(field)
    if spec is None or spec.keys is None:
        raise Rejected(f"elements can't be taken out of {field!r}", fields={field: "no such list"})
    held = values[field] if field in values else getattr(live, field)
    gone = set(names)
    return tuple(element for element in held if not gone & set(_names(spec, element)))
