"""What the local store can hold: every field of every model.

There are two parts only. A change is written by one transaction whatever it touches, so texts,
media, stock, prices, metafields and translations are all `core`: they succeed or fail together,
and a plan has one change where a platform with a call for each needs five. `membership` stands
apart because it needs the collections, and a collection's list needs the products, to be there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from storebridge.adapter import Field
from storebridge.models import Model, Record

__all__ = ["INSTRUCTIONS", "declared"]

#: Fields that say how to change a record; a record that is read never has them.
INSTRUCTIONS = frozenset(
    {"modes"}
    | {
        f"{name}_{verb}"
        for name in ("tags", "collections", "products")
        for verb in ("add", "remove")
    }
    | {"media_add", "channels_remove"}
)
#: Given by the store itself.
_OWN = {"id", "updated_at", "variants.id", "media.id", "image.id"}
_MEMBERSHIP = {"product": "collections", "collection": "products"}


def declared(model: type[Record]) -> dict[str, Field]:
    """Return what can be done with each field path of a model ("title", "variants.price")."""
    membership = _MEMBERSHIP.get(model.kind, "")
    return {
        path: Field(part="membership" if path == membership else "core", write=path not in _OWN)
        for path in _paths(model)
    }


def _paths(model: type[Model]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        if name in INSTRUCTIONS:
            continue
        yield name
        inner = _model_in(info.annotation)
        if inner is not None:
            yield from (f"{name}.{path}" for path in _paths(inner))


def _model_in(annotation: Any) -> type[Model] | None:
    """Return the model in an annotation (`tuple[Variant, ...]`, say), None without one."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    return next((m for a in get_args(annotation) if (m := _model_in(a)) is not None), None)
