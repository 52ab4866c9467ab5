"""The order of pictures, and of a collection's products.

Of pictures: whose places must change so that those that are named follow each other. Places are
counted from 1. A merging list says nothing of the media that it doesn't name, so only the relative
order of the named ones counts, and numbers mean nothing besides: 10, 20 is as good as 1, 2. A
medium without a place says nothing of the order either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storebridge.models import Collection, Media, Model, Product, Record

__all__ = ["arranged", "in_order", "listed", "moved", "sorted_by_itself"]

#: A desired medium with the live one that it means, None for a new one.
Pair = tuple[Media, Media | None]


def listed(product: Product) -> Product:
    """Return a product whose pictures have their places in the list, if it gives them none."""
    if len(product.media) == 0 or any(item.position is not None for item in product.media):
        return product
    media = (item.model_copy(update={"position": n}) for n, item in enumerate(product.media, 1))
    return product.model_copy(update={"media": tuple(media)})


def moved(pairs: Sequence[Pair], held: Sequence[Media], replaces: bool) -> list[Pair]:
    """Return the pairs with a place only for those that have to move.

    Args:
        pairs: what is wanted, in any order.
        held: the live media, in their order.
        replaces: whether those that aren't named go.
    """
    said = in_order(pairs)
    named = {id(match) for _, match in pairs if match is not None}
    stay = [item for item in held if not replaces or id(item) in named]
    now = {id(item): place for place, item in enumerate(held)}
    new = {id(item): len(held) + place for place, (item, match) in enumerate(pairs) if not match}
    order = [now[id(match)] if match is not None else new[id(item)] for item, match in said]
    places: dict[int, int] = {}
    if order != sorted(order):
        row = arranged(said, stay)
        places = {id(item): place for place, item in enumerate(row, 1)}
    return [(_placed(item, places.get(id(item))), match) for item, match in pairs]


def in_order(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs whose media have places, in the order of these, each medium once."""
    placed = {id(match or item): (item, match) for item, match in reversed(pairs)}
    said = [pair for pair in reversed(placed.values()) if pair[0].position is not None]
    return sorted(said, key=lambda pair: pair[0].position or 0)


def arranged(wanted: Sequence[Pair], held: Sequence[Media]) -> list[Media]:
    """Return live media with those that are wanted in their order.

    Wanted ones take the seats of those that they mean, in turn; a new one follows the wanted one
    before it, the first one comes before the wanted one after it.
    """
    row = list(held)
    seat_of = {id(item): seat for seat, item in enumerate(held)}
    known = [(item, seat_of[id(match)]) for item, match in wanted if match is not None]
    seats = sorted(seat for _, seat in known)
    for (item, _), seat in zip(known, seats, strict=True):
        row[seat] = item
    at = seats[0] if seats else len(row)
    for item, match in wanted:
        if match is None:
            row.insert(at, item)
        else:
            at = next(place for place, each in enumerate(row) if each is item)
        at += 1
    return row


def _placed(item: Media, place: int | None) -> Media:
    if place is None:
        return item.without("position") if "position" in item.given else item
    return item.model_copy(update={"position": place})


def sorted_by_itself(desired: Record, live: Model) -> dict[str, Any]:
    """Return a collection's products as the live one has them, if nothing but the order differs.

    Returns:
        {"products": (…)}; {} where the order is set by hand, or other products are wanted.
    """
    if not isinstance(desired, Collection) or not isinstance(live, Collection):
        return {}
    by_hand = (desired.sort_order or live.sort_order) in ("", "manual")
    if by_hand or set(desired.products) != set(live.products):
        return {}
    return {"products": live.products} if "products" in desired.given else {}
