"""What differs between records: the desired and the live one, or before and after a write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from storebridge.adapter import Field
from storebridge.models import Media, Model, Record
from storebridge.parts import declared, path_names

__all__ = ["changed", "flat", "lacking"]

#: Fields that the store sets itself, and those that are no values of the shop's.
_SKIPPED = frozenset({"id", "modes", "updated_at"})


def lacking(desired: Record, live: Record, fields: Mapping[str, Field]) -> list[str]:
    """Return, in words, which given and readable values of `desired` the live record lacks."""
    return list(_lacking(desired, live, fields, ""))


def changed(before: Record, after: Record, fields: Mapping[str, Field]) -> list[str]:
    """Return the paths at which two readings of a record differ, of fields that can be written.

    The place of a picture is none of them: it follows from those of the others.
    """
    was, now = flat(before, fields), flat(after, fields)
    differ = [path for path in {**was, **now} if was.get(path) != now.get(path)]
    return [p for p in differ if not (p.startswith("media[") and p.endswith("].position"))]


def flat(record: Model, fields: Mapping[str, Field], above: str = "") -> dict[str, Any]:
    """Return the writable values by path, elements as `variants[id:7].price`."""
    return dict(_flat(record, fields, above, above))


def _lacking(desired: Model, live: Model, fields: Mapping[str, Field], above: str) -> Iterator[str]:
    for name, path in path_names(type(desired)).items():
        place = above + path
        known = declared(place, fields)
        if name not in desired.given or name in _SKIPPED or (known and not known.read):
            continue
        wanted, has = getattr(desired, name), getattr(live, name)
        spec = desired.lists.get(name)
        if name not in live.given:
            yield f"{place} was not read"
        elif spec is not None and spec.keys is not None:
            yield from _elements(wanted, has, fields, place)
        elif isinstance(wanted, Model) and isinstance(has, Model):
            yield from _lacking(wanted, has, fields, f"{place}.")
        elif not _same(wanted, has):
            yield f"{place} is {has!r}, not {wanted!r}"


def _elements(
    wanted: tuple[Any, ...], has: tuple[Any, ...], fields: Mapping[str, Field], place: str
) -> Iterator[str]:
    by_key = {key: element for element in reversed(has) for key in element.element_keys()}
    places: list[tuple[int, int]] = []
    for number, element in enumerate(wanted):
        keys = element.element_keys()
        match = next((by_key[key] for key in keys if key in by_key), None)
        if match is None and len(wanted) == len(has) and not getattr(element, "id", ""):
            match = has[number]  # the store has named a list of nameless elements
        if match is None:
            yield f"{place} lacks {keys[0]}"
        elif isinstance(element, Media):
            if element.position is not None and match.position is not None:
                places.append((element.position, match.position))
            yield from _lacking(element.without("position"), match, fields, f"{place}.")
        else:
            yield from _lacking(element, match, fields, f"{place}.")
    if [held for _, held in sorted(places)] != sorted(held for _, held in places):
        yield f"{place} has another order"  # places are an order, whatever their numbers are


def _same(wanted: Any, has: Any) -> bool:
    """Return whether a value has all that is given; plain lists element by element."""
    if isinstance(wanted, tuple) and isinstance(has, tuple):
        return len(wanted) == len(has) and all(map(_same, wanted, has))
    if isinstance(wanted, Model) and type(wanted) is type(has):
        return all(_same(getattr(wanted, n), getattr(has, n)) for n in wanted.given - _SKIPPED)
    return bool(wanted == has)


def _flat(
    model: Model, fields: Mapping[str, Field], above: str, shown: str
) -> Iterator[tuple[str, Any]]:
    for name, path in path_names(type(model)).items():
        if name not in model.given or name in _SKIPPED:
            continue
        place, label, value = above + path, shown + path, getattr(model, name)
        inside = any(other.startswith(f"{place}.") for other in fields)
        known = declared(place, fields)
        if not inside and (known is None or not known.write):
            continue
        spec = model.lists.get(name)
        if spec is not None and spec.keys is not None:
            for element in value:
                yield f"{label}[{element.element_keys()[0]}]", True
                inner = f"{label}[{element.element_keys()[0]}]."
                yield from _flat(element, fields, f"{place}.", inner)
        elif isinstance(value, Model) and not value.atomic:
            yield from _flat(value, fields, f"{place}.", f"{label}.")
        else:
            yield label, value
