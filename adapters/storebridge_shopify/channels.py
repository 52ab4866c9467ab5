"""The sales channels that products and collections are shown in."""

from __future__ import annotations

from collections.abc import Iterator

from storebridge.adapter import Change
from storebridge.flow import Flow
from storebridge.models import Collection, Product
from storebridge_shopify.graphql import Doc, document
from storebridge_shopify.records import mutate
from storebridge_shopify.site import Facts

__all__ = ["publications", "publish"]


def publish(change: Change[Product] | Change[Collection], facts: Facts) -> Flow[None]:
    """Show a record in the channels that are given, and in no other of the shop's.

    Raises:
        Rejected: for a channel that the shop doesn't have.
    """
    for name, variables in publications(change, facts):
        yield from mutate(name, document(name).mutation, variables, change)


def publications(
    change: Change[Product] | Change[Collection], facts: Facts
) -> Iterator[tuple[str, Doc]]:
    """Yield the calls that show a record in the given channels only: documents and variables.

    Raises:
        Rejected: for a channel that the shop doesn't have, or has several of.
    """
    wanted = change.desired.channels
    known = (name for name, id_ in facts.channels.items() if id_)
    held = tuple(known) if change.before is None else change.before.channels
    gone = [each for each in held if each not in wanted]
    for name, channels in (("publish", wanted), ("unpublish", gone)):
        rows = [{"publicationId": facts.channel(channel)} for channel in dict.fromkeys(channels)]
        if rows:
            yield name, {"id": change.record_id, "input": rows}
