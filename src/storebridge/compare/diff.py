"""Field-level differences between a desired record and the live one, as plain JSON documents.

A *patch* is two documents of the same shape, before and after. Plain fields hold their values.
A merging list is a dict from an element's label to the element's own patch; None on one side
says that the element is not there. Elements carry their id, so that adapters can name them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from pydantic_core import to_jsonable_python

from storebridge.compare.names import composed, undotted
from storebridge.compare.order import moved, sorted_by_itself
from storebridge.models import Media, Model, Money, Option, Product, Record
from storebridge.models.lines import placed

__all__ = [
    "EDITS",
    "Doc",
    "Patch",
    "added_within",
    "changed_paths",
    "diff",
    "flatten",
    "overlap",
    "pairs",
    "rebuild",
    "remaining",
    "same",
    "select",
    "settle_lists",
    "still_holds",
    "unclear",
    "whole_removals",
]

Doc = dict[str, Any]
R = TypeVar("R", bound=Record)
E = TypeVar("E", bound=Model)

#: Fields that ask for an edit of another field: adding to it or taking from it.
EDITS = {
    f"{name}_{edit}": name
    for name in ("tags", "collections", "products", "media", "channels")
    for edit in ("add", "remove")
}
#: Fields that name a record or steer a comparison, and are never compared themselves.
_UNCOMPARED = frozenset({"id", "modes", "created_at", "updated_at", *EDITS})
_ROUND = str.maketrans("[]", "()")
#: Fields that are keys: their composed and decomposed forms are the same.
_NAMES = frozenset({"handle", "key", "sku"})


class Patch(NamedTuple):
    """What to change: the fields before and after; both are empty where nothing differs."""

    before: Doc
    after: Doc


def diff(desired: Model, live: Model) -> Patch:
    """Return what must change in `live` so that it has every given field of `desired`.

    `desired` may give `tags_add` and its like: they are resolved against `live`.
    """
    if isinstance(desired, Record):
        desired = settle_lists(placed(desired, getattr(live, "line_items", ())), live)
    before: Doc = {}
    after: Doc = {}
    given = desired.model_fields_set
    for name in type(desired).model_fields:  # in the model's order, so that plans are stable
        if name not in given or name in _UNCOMPARED:
            continue
        new, old = desired.__dict__[name], live.__dict__[name]
        if new is old or new == old:
            continue
        _field(desired, name, new, old, before, after)
    return Patch(before, after)


def same(desired: Any, live: Any) -> bool:
    """Return whether `live` has all that `desired` gives."""
    if isinstance(desired, Model):
        if type(desired) is not type(live):
            return False
        wants, has = desired.__dict__, live.__dict__
        for name in desired.model_fields_set:
            new, old = wants[name], has[name]
            if not (new is old or new == old or name in _UNCOMPARED or same(new, old)):
                return False
        return True
    if isinstance(desired, tuple) and isinstance(live, tuple):
        return len(desired) == len(live) and all(map(same, desired, live))
    return bool(desired == live)


def still_holds(
    model: type[Model], before: Doc, live: Model, after: Doc | None = None
) -> list[str]:
    """Return the paths at which `live` no longer has the values of a patch's `before`.

    With the patch's `after`, elements that it adds are looked for by all of their keys.
    """
    return [path for path, was, now in _compare(model, before, after or {}, live) if was != now]


def unclear(desired: Model, live: Model) -> str:
    """Return the key by which a desired variant may be any of several live ones; "" if none."""
    variants, known = getattr(desired, "variants", ()), getattr(live, "variants", ())
    skus = [variant.sku for variant in known if variant.sku]
    if len(set(skus)) == len(skus) and len({variant.options for variant in known}) == len(known):
        return ""
    held, asked = _by_key(known), _by_key(variants)
    for variant in variants:
        hits = [key for key in _keys(variant) if key in held]
        if hits and all(len(held[key]) > len(asked[key]) for key in hits):
            return hits[0]
    return ""


def remaining(removed: Mapping[str, tuple[str, ...]], live: Model) -> list[str]:
    """Return the paths of the elements that a change takes out and `live` still has."""
    return [
        f"{name}[{_label(element, 0, {})}]"
        for name, keys in removed.items()
        for element in getattr(live, name)
        if not set(keys).isdisjoint(_keys(element))
    ]


def whole_removals(model: type[Model], patch: Patch, live: Model) -> Patch:
    """Return a patch whose removed elements are those of `live`, with all that they have."""
    before = dict(patch.before)
    for name, elements in patch.after.items():
        child = _child(model, name)
        if child is None or not _is_keyed(model, name) or not isinstance(elements, dict):
            continue
        by_key = _by_key(getattr(live, name))
        for label, was in patch.before[name].items():
            if was is None or elements.get(label, was) is not None:
                continue
            held = _meant(child.model_construct(_fields_set=set(was), **was), by_key)
            if held is not None:
                before[name] = {**before[name], label: held.model_dump(mode="json")}
    return Patch(before, patch.after)


def added_within(model: type[Model], patch: Patch) -> list[str]:
    """Return the paths of the elements that a patch adds within other elements."""
    return [
        path
        for path, was, _ in flatten(model, patch)
        if was is None and path.endswith("]") and "." in undotted(path)
    ]


def overlap(path: str, others: Iterable[str]) -> bool:
    """Return whether a path is one of others, lies within one or has one within itself."""
    inside = (f"{path}.", f"{path}[")
    return any(
        path == other or other.startswith(inside) or path.startswith((f"{other}.", f"{other}["))
        for other in others
    )


def rebuild(model: type[Record], patch: Patch) -> tuple[Any, Any, dict[str, tuple[str, ...]]]:
    """Return a patch's sides as sparse records, and the keys of elements to take out."""
    before = model.model_validate(_listed(model, patch.before))
    after = model.model_validate(_listed(model, patch.after))
    whole = {name: "replace" for name in patch.after if _is_set(model, name)}
    if whole and "modes" in model.model_fields:  # what the list leaves out goes
        after = after.model_copy(update={"modes": {**getattr(after, "modes", {}), **whole}})
    return before, after, _removed(model, patch)


def flatten(model: type[Model], patch: Patch) -> Iterator[tuple[str, Any, Any]]:
    """Yield a patch as (path, before, after), elements as `variants[TEE-S].price`."""
    yield from _flat(model, patch.before, patch.after, "")


def select(model: type[Model], patch: Patch, keep: Callable[[str], bool]) -> Patch:
    """Return the patch without the paths that `keep` refuses."""
    return _select(model, patch.before, patch.after, "", keep)


def changed_paths(model: type[Model], patch: Patch) -> list[str]:
    """Return the paths that a patch changes, in field order."""
    return [path for path, _, _ in flatten(model, patch)]


def settle_lists(desired: R, live: Model) -> R:
    """Return the record with whole lists instead of merging plain ones and `tags_add` and so on."""
    given = desired.model_fields_set
    fields: Doc = sorted_by_itself(desired, live)
    for name in desired.lists:
        if name in given and not _is_keyed(type(desired), name) and _mode(desired, name) == "merge":
            fields[name] = _joined(getattr(live, name), getattr(desired, name))
    if isinstance(desired, Product) and isinstance(live, Product) and "options" in given:
        fields["options"] = _with_values(desired, live)
    edits = [name for name in EDITS if name in given]
    for name in edits:
        target = EDITS[name]
        now = fields.get(target, getattr(desired if target in given else live, target))
        asked = getattr(desired, name)
        if name.endswith("_add"):
            fields[target] = _joined(now, asked)
        else:
            fields[target] = tuple(value for value in now if value not in asked)
    return desired.without(*edits).model_copy(update=fields) if fields else desired


def _with_values(desired: Product, live: Product) -> tuple[Option, ...]:
    """Return the desired options with the values that the live ones have besides.

    A file with some of a product's variants names some of the values; as those variants merge,
    so do the values. They are replaced where the options or the variants are.
    """
    if "replace" in (desired.modes.get("options"), _mode(desired, "variants")):
        return desired.options
    held = {option.name: option.values for option in live.options}
    return tuple(
        option.model_copy(update={"values": _joined(held[option.name], option.values)})
        if "values" in option.given and option.name in held
        else option
        for option in desired.options
    )


def _joined(first: tuple[Any, ...], more: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a list with those of another one that it lacks; elements with keys go by these."""
    if any(hasattr(each, "element_keys") for each in (*first, *more)):
        named = {key for each in more for key in _keys(each)}
        return (*(each for each in first if named.isdisjoint(_keys(each))), *more)
    return (*first, *(value for value in more if value not in first))


def _has_keys(desired: Model, name: str) -> bool:
    spec = desired.lists.get(name)
    return spec is not None and spec.keys is not None


def _is_set(model: type[Model], name: str) -> bool:
    """Return whether a list is of plain values that merge, and so has no order."""
    spec = model.lists.get(name)
    return spec is not None and spec.keys is None and spec.mode == "merge"


def _mode(desired: Model, name: str) -> str:
    """Return how a list is compared: as the record asks, else as its model says."""
    spec = desired.lists.get(name)
    modes: Mapping[str, str] = getattr(desired, "modes", {})
    return modes.get(name, spec.mode if spec else "replace")


def _field(desired: Model, name: str, new: Any, old: Any, before: Doc, after: Doc) -> None:
    if _is_keyed(type(desired), name):
        old_part, new_part = _elements(new, old, _mode(desired, name) == "replace")
    elif _has_keys(desired, name) and not any(_elements(new, old, replaces=True)):
        return  # the same elements in another order
    elif _is_set(type(desired), name) and set(new) == set(old):
        return
    elif name == "platform_fields":
        old_part, new_part = _mapping(new, old)
    elif isinstance(new, Model) and not new.atomic and isinstance(old, Model):
        old_part, new_part = diff(new, old)
    elif same(new, old) or (name in _NAMES and composed(new) == composed(old)):
        return
    else:
        before[name], after[name] = _plain(old), _plain(new)
        return
    if new_part:
        before[name], after[name] = old_part, new_part


def _elements(new: tuple[Model, ...], old: tuple[Model, ...], replaces: bool) -> tuple[Doc, Doc]:
    """Compare a list by its elements' keys."""
    if len(new) == len(old) and all(map(_stays, new, old)):
        return {}, {}  # nothing differs, however the elements are matched
    before: Doc = {}
    after: Doc = {}
    seen: set[int] = set()
    for position, (element, match) in enumerate(_moved(new, old, replaces)):
        if match is None:
            label = _label(element, position, after)
            before[label], after[label] = None, element.model_dump(mode="json")
            continue
        seen.add(id(match))
        patch = _element(element, match)
        if patch.after:
            label = _label(match, position, after)
            before[label], after[label] = patch
    if replaces:
        for position, element in enumerate(old):
            if id(element) not in seen:
                label = _label(element, position, after)
                before[label], after[label] = element.model_dump(mode="json"), None
    return before, after


def _stays(new: Model, old: Model) -> bool:
    """Return whether an element has the values of the one in its place, and isn't another one."""
    return getattr(new, "id", "") in ("", getattr(old, "id", "")) and same(new, old)


def _moved(new: tuple[Any, ...], old: tuple[Any, ...], replaces: bool) -> Iterable[tuple[Any, Any]]:
    """Return the pairs of two lists; of media, only those that have to move have a place."""
    found = pairs(new, old)
    return moved([*found], old, replaces) if new and isinstance(new[0], Media) else found


def pairs(new: Iterable[E], old: Iterable[E]) -> Iterator[tuple[E, E | None]]:
    """Yield each element of a desired list with the live one that it means, None for a new one."""
    wanted, held = tuple(new), tuple(old)
    by_key = _by_key(held)
    seen: set[int] = set()
    for element in wanted:
        match = _meant(element, by_key, seen)
        if match is None and len(wanted) == len(held) == 1 and not _named(element):
            match = held[0]
        seen.add(id(match))
        yield element, match


def _element(new: Model, old: Model) -> Patch:
    """Compare two elements that are the same one; both sides carry the id."""
    if new.atomic:
        if same(new, old):
            return Patch({}, {})
        merged = old.model_copy(update={n: getattr(new, n) for n in new.model_fields_set})
        return Patch(old.model_dump(mode="json"), merged.model_dump(mode="json"))
    patch = diff(new, old)
    if patch.after:
        name = {field: _plain(getattr(old, field)) for field in _naming(old)}
        return Patch({**name, **patch.before}, {**name, **patch.after})
    return patch


def _naming(element: Model) -> tuple[str, ...]:
    """Return the fields that an element must carry so that an adapter can name it."""
    if getattr(element, "id", ""):
        return ("id",)
    fields = (key.partition(":")[0] for key in _keys(element)[:1])
    return tuple(field for field in fields if field in type(element).model_fields)


def _named(element: Model) -> bool:
    return any(not key.startswith("options:") for key in _keys(element))


def _keys(element: Any) -> tuple[str, ...]:
    keys: tuple[str, ...] = element.element_keys()
    return keys if "".join(keys).isascii() else tuple(map(composed, keys))


def _by_key(elements: Iterable[E]) -> dict[str, list[E]]:
    found: dict[str, list[E]] = {}
    for element in elements:
        for key in _keys(element):
            found.setdefault(key, []).append(element)
    return found


def _meant(element: Model, by_key: Mapping[str, list[E]], taken: Container[int] = ()) -> E | None:
    """Return the element that another one means: by a key that only one has, else in turn."""
    hits = [by_key[key] for key in _keys(element) if key in by_key]
    alone = next((hit[0] for hit in hits if len(hit) == 1), None)
    turns = (each for hit in hits for each in hit if id(each) not in taken)
    return alone or next(turns, None)


def _label(element: Model, position: int, taken: Mapping[str, Any]) -> str:
    """Return a person's word for an element, once per list."""
    words = (_word(element, key) for key in sorted(_keys(element), key=_speaking))
    label = next((word for word in words if word and word not in taken), "")
    return label or f"#{position + 1}"


def _word(element: Model, key: str) -> str:
    """Return a key without the field that it begins with ("sku:A" is "A", "de:title" stays)."""
    field, _, word = key.partition(":")
    word = word if field in type(element).model_fields else key
    return word.translate(_ROUND)  # square brackets are those of paths


def _speaking(key: str) -> int:
    order = ("sku:", "options:", "url:")
    return next((place for place, start in enumerate(order) if key.startswith(start)), len(order))


def _mapping(new: Mapping[str, Any], old: Mapping[str, Any]) -> tuple[Doc, Doc]:
    """Compare platform fields key by key; keys that aren't given are not managed."""
    before: Doc = {}
    after: Doc = {}
    for platform, values in new.items():
        live = old.get(platform, {})
        changed = {k: v for k, v in values.items() if k not in live or live[k] != v}
        if changed:
            after[platform] = to_jsonable_python(changed)
            before[platform] = {k: to_jsonable_python(live[k]) for k in changed if k in live}
    return before, after


def _plain(value: Any) -> Any:
    """Return a value as plain JSON values; models with their given fields only."""
    if isinstance(value, str | int | None):
        return value
    if isinstance(value, Model):
        return value.model_dump(mode="json")
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return to_jsonable_python(value, fallback=str)


def _is_keyed(model: type[Model] | None, name: str) -> bool:
    """Return whether a patch has a list element by element: one that replaces is whole."""
    spec = model.lists.get(name) if model else None
    return spec is not None and spec.keys is not None and spec.mode == "merge"


def _child(model: type[Model] | None, name: str) -> type[Model] | None:
    """Return the model of a field's value or of its list's elements."""
    if model is None or name not in model.model_fields:
        return None
    stack = [model.model_fields[name].annotation]
    while stack:
        kind = stack.pop()
        if isinstance(kind, type) and issubclass(kind, Model):
            return kind
        stack.extend(getattr(kind, "__args__", ()))
    return None


def _flat(
    model: type[Model] | None, before: Doc | None, after: Doc | None, start: str
) -> Iterator[tuple[str, Any, Any]]:
    before, after = before or {}, after or {}
    for name in dict.fromkeys((*before, *after)):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        path = f"{start}.{name}" if start else name
        child = _child(model, name)
        if _is_keyed(model, name) and isinstance(was or now, dict):
            yield from _flat_elements(child, was or {}, now or {}, path)
        elif child is not None and not child.atomic and isinstance(was or now, dict):
            yield from _flat(child, was, now, path)
        elif name == "platform_fields":
            yield from _flat_mapping(was or {}, now or {}, path)
        else:
            yield path, was, now


def _select(
    model: type[Model] | None, before: Doc, after: Doc, start: str, keep: Callable[[str], bool]
) -> Patch:
    kept = Patch({}, {})
    for name, now in after.items():
        was, path, child = before.get(name), f"{start}{name}", _child(model, name)
        if _is_keyed(model, name) and isinstance(now, dict) and isinstance(was, dict):
            part = _select_elements(child, was, now, path, keep)
        elif child is not None and not child.atomic and isinstance(now, dict) and was:
            part = _select(child, was, now, f"{path}.", keep)
        elif name == "platform_fields":
            part = _select_mapping(was or {}, now, path, keep)
        else:
            if keep(path):
                kept.before[name], kept.after[name] = was, now
            continue
        if part.before or part.after:
            kept.before[name], kept.after[name] = part
    return kept


def _select_elements(
    child: type[Model] | None, before: Doc, after: Doc, path: str, keep: Callable[[str], bool]
) -> Patch:
    kept = Patch({}, {})
    for label, now in after.items():
        was, spot = before.get(label), f"{path}[{label}]"
        if was is None or now is None or (child is not None and child.atomic):
            if keep(spot):
                kept.before[label], kept.after[label] = was, now
            continue
        part = _select(child, was, now, f"{spot}.", keep)
        if part.before != part.after:
            kept.before[label], kept.after[label] = part
    return kept


def _select_mapping(before: Doc, after: Doc, path: str, keep: Callable[[str], bool]) -> Patch:
    kept = Patch({}, {})
    for platform, values in after.items():
        was = before.get(platform, {})
        keys = [key for key in values if keep(f"{path}.{platform}.{key}")]
        if keys:
            kept.after[platform] = {key: values[key] for key in keys}
            kept.before[platform] = {key: was[key] for key in keys if key in was}
    return kept


def _flat_elements(
    child: type[Model] | None, before: Doc, after: Doc, path: str
) -> Iterator[tuple[str, Any, Any]]:
    for label in dict.fromkeys((*before, *after)):
        was, now = before.get(label), after.get(label)
        if was is None or now is None or (child is not None and child.atomic):
            yield f"{path}[{label}]", was, now
        else:
            yield from _flat(child, was, now, f"{path}[{label}]")


def _flat_mapping(before: Doc, after: Doc, path: str) -> Iterator[tuple[str, Any, Any]]:
    for platform in dict.fromkeys((*before, *after)):
        was, now = before.get(platform, {}), after.get(platform, {})
        for key in dict.fromkeys((*was, *now)):
            yield f"{path}.{platform}.{key}", was.get(key), now.get(key)


def _compare(
    model: type[Model], before: Doc, after: Doc, live: Model, start: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Yield (path, planned before-value, live value) for every leaf of `before`."""
    for name, was in before.items():
        path, now, then = f"{start}{name}", getattr(live, name), after.get(name) or {}
        child = _child(model, name)
        if _is_keyed(model, name) and isinstance(was, dict) and child is not None:
            yield from _compare_elements(child, was, then, now, path)
        elif child is not None and not child.atomic and isinstance(was, dict):
            if isinstance(now, Model):
                yield from _compare(child, was, then, now, f"{path}.")
            else:
                yield path, was, None
        elif name == "platform_fields":
            for platform, values in was.items():
                holds = now.get(platform, {})
                for field, value in values.items():
                    yield f"{path}.{platform}.{field}", value, _plain(holds.get(field))
        else:
            yield path, was, was if _has_all(child, was, now) else _plain(now)


def _has_all(child: type[Model] | None, was: Any, now: Any) -> bool:
    """Return whether a live value is what a patch says; models of a list may have more."""
    if child is not None and isinstance(was, list) and isinstance(now, tuple):
        return same(tuple(map(child.model_validate, was)), now)
    if isinstance(now, Model) and isinstance(was, dict):  # 1.50 kg is 1.5 kg
        return bool(type(now).model_validate(was) == now)
    return isinstance(now, Money) and isinstance(was, str) and Money.parse(was) == now


def _compare_elements(
    child: type[Model], before: Doc, after: Doc, live: tuple[Model, ...], path: str
) -> Iterator[tuple[str, Any, Any]]:
    by_key = _by_key(live)
    for label, was in before.items():
        then = after.get(label) or {}
        if was is None and not then:
            named = (each[0] for key, each in by_key.items() if label in (key, _word(each[0], key)))
            yield f"{path}[{label}]", None, _plain(next(named, None))
            continue
        named_by = then if was is None else was
        wanted = child.model_construct(_fields_set=set(named_by), **named_by)
        now = _meant(wanted, by_key)
        if was is None:
            yield f"{path}[{label}]", None, _plain(now)
        elif now is None:
            yield f"{path}[{label}]", was, None
        elif child.atomic:
            yield f"{path}[{label}]", was, {k: v for k, v in _plain(now).items() if k in was}
        else:
            yield from _compare(child, was, then, now, f"{path}[{label}].")


def _listed(model: type[Model], doc: Doc) -> Doc:
    """Turn the dicts of merging lists back into lists."""
    listed: Doc = {}
    for name, value in doc.items():
        child = _child(model, name)
        if child is None or not isinstance(value, dict):
            listed[name] = value
        elif _is_keyed(model, name):
            listed[name] = [_listed(child, each) for each in value.values() if each is not None]
        else:
            listed[name] = value if child.atomic else _listed(child, value)
    return listed


def _removed(model: type[Model], patch: Patch) -> dict[str, tuple[str, ...]]:
    removed: dict[str, tuple[str, ...]] = {}
    for name, elements in patch.after.items():
        child = _child(model, name)
        if child is not None and _is_keyed(model, name) and isinstance(elements, dict):
            gone = [patch.before[name][label] for label, each in elements.items() if each is None]
            if gone:
                removed[name] = tuple(_keys(child.model_validate(doc))[0] for doc in gone)
    return removed
