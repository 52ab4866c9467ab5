"""Tags and collections of a live product: what a change adds and what it takes out.

A whole list would undo what a person does between the plan's look and the request, and with a job
that may be hours. So only the differences are sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from storebridge.adapter import Change
from storebridge.models import Product
from storebridge_shopify.graphql import Doc
from storebridge_shopify.writing import tag_forms

__all__ = ["edits", "join", "tag_calls", "tags_hold", "untagged"]


def edits(change: Change[Product], name: str) -> tuple[list[str], list[str]] | None:
    """Return what of a list goes and what is new; None where the list isn't given, or before."""
    before = change.before
    if before is None or name not in before.given or name not in change.desired.given:
        return None
    was, now = getattr(before, name), getattr(change.desired, name)
    if name == "tags":
        was, now = tag_forms(was), tag_forms(now)
    return [each for each in was if each not in now], [each for each in now if each not in was]


def untagged(change: Change[Product]) -> Product:
    """Return what is desired without the tags that calls of their own write."""
    return change.desired if edits(change, "tags") is None else change.desired.without("tags")


def tag_calls(change: Change[Product]) -> Iterator[tuple[str, Doc]]:
    """Yield the calls that take tags out and put others in: documents and variables."""
    for name, tags in zip(("tags_remove", "tags_add"), edits(change, "tags") or (), strict=False):
        if tags:
            yield name, {"id": change.record_id, "tags": tags}


def tags_hold(change: Change[Product], live: Product) -> bool:
    """Return whether a live product has the tags that a change adds, and none that it takes out."""
    gone, new = edits(change, "tags") or ((), ())
    return set(new) <= set(live.tags) and set(gone).isdisjoint(live.tags)


def join(change: Change[Product], ids: Mapping[str, str]) -> Doc:
    """Return the variables that put a product into collections and take it out of others.

    Args:
        change: the collections, as `edits` has them.
        ids: the ids of collections by handle; one that is gone has none.
    """
    gone, new = edits(change, "collections") or ((), ())
    product = {
        "id": change.record_id,
        "collectionsToJoin": [ids[each] for each in new],
        "collectionsToLeave": [ids[each] for each in gone if ids.get(each)],
    }
    return {"product": product}
