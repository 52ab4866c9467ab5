"""What a store has besides what a change asked for: a difference in options, none in tags."""

from __future__ import annotations

from typing import TypeVar

from storebridge.models import Model, Product, Record

__all__ = ["as_edits", "rebased", "surplus", "under_way"]

R = TypeVar("R", bound=Record)
_SETS = ("tags", "collections")


def as_edits(desired: R, before: Record | None) -> R:
    """Return a change's record that adds to tags and collections instead of having them whole.

    What a person adds at the same moment is no difference then.
    """
    given = desired.given & (before.given if before is not None else frozenset())
    fields: dict[str, tuple[str, ...]] = {}
    for name in (each for each in _SETS if each in given):
        was, now = getattr(before, name), getattr(desired, name)
        fields[f"{name}_add"] = tuple(each for each in now if each not in was)
        fields[f"{name}_remove"] = tuple(each for each in was if each not in now)
    return desired.without(*_SETS).model_copy(update=fields) if fields else desired


def rebased(before: R | None, live: Record) -> R | None:
    """Return what a change is taken to find with the tags and collections that there are now.

    For a change that overwrites what was changed since its plan.
    """
    if before is None:
        return None
    fields = {name: getattr(live, name) for name in _SETS if name in before.given}
    return before.model_copy(update=fields) if fields else before


def under_way(before: Record | None, desired: Record, live: Record) -> list[str]:
    """Return the fields with tags and collections of which a part of a change was written.

    What is to go and what is to come may be two calls, and a run may have died between them.
    """
    if before is None:
        return []
    found = []
    for name in (each for each in _SETS if each in before.given & desired.given):
        was, now, held = (set(getattr(record, name)) for record in (before, desired, live))
        if was & now <= held <= was | now:
            found.append(name)
    return found


def surplus(desired: Model, live: Model) -> list[str]:
    """Return the paths of the values that live options have besides those of the desired ones.

    `desired` has whole lists, as a plan's changes have; values of its variants count as asked for.
    """
    if not isinstance(desired, Product) or not isinstance(live, Product):
        return []
    found = []
    held = {option.name: option.values for option in live.options}
    for place, option in enumerate(desired.options if "options" in desired.given else ()):
        asked = {v.options[place] for v in desired.variants if len(v.options) > place}
        more = (value for value in held.get(option.name, ()) if value not in option.values)
        found += [f"options[{option.name}].{each}" for each in more if each not in asked]
    return found
