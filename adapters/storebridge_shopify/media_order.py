"""The order of a product's pictures: brought about by moves, which Shopify works off later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storebridge.adapter import Change
from storebridge.flow import Flow, RequestKind
from storebridge.models import Product
from storebridge_shopify.graphql import call, check
from storebridge_shopify.records import finished

__all__ = ["moves", "places", "reorder"]

#: The most elements of an input's list.
_MOVES = 250


def places(desired: Product, made: Mapping[str, str]) -> dict[str, int]:
    """Return the places that are asked for, from 1 on, by the media's ids.

    Args:
        desired: a product with the media that are to have places.
        made: the media that sources became ("url:...").
    """
    found: dict[str, int] = {}
    for medium in desired.media:
        ids = (made[key] for key in medium.element_keys() if key in made)
        known = next(ids, "") or medium.id
        if known and medium.position is not None:
            found.setdefault(known, medium.position)
    return found


def moves(held: Sequence[str], wanted: Mapping[str, int]) -> list[dict[str, str]]:
    """Return the moves that bring media to their places; the others stay in their order.

    Each move counts on what the one before it left, from 0 on (description of MoveInput).
    """
    order = [each for each in held if each not in wanted]
    for each in sorted((each for each in wanted if each in held), key=wanted.__getitem__):
        order.insert(max(0, wanted[each] - 1), each)
    now, found = list(held), []
    for place, each in enumerate(order):
        if now[place] != each:
            now.remove(each)
            now.insert(place, each)
            found.append({"id": each, "newPosition": str(place)})
    return found


def reorder(change: Change[Product], held: Sequence[str], wanted: Mapping[str, int]) -> Flow[None]:
    """Bring a product's media to their places, and wait until Shopify has moved them.

    Raises:
        Rejected: if a medium is none of the product's.
        OutcomeUnknown: if they aren't moved after two minutes.
    """
    steps = moves(held, wanted)
    for start in range(0, len(steps), _MOVES):
        variables = {"id": change.record_id, "moves": steps[start : start + _MOVES]}
        kind, covers = RequestKind.SET, (change.id,)
        data = yield from call("media_reorder", variables, kind=kind, covers=covers)
        payload = check(data["productReorderMedia"], "mediaUserErrors")
        yield from finished(payload["job"], change)
