"""What products, variants and collections have in common: metafields and channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from storebridge.adapter import Change
from storebridge.errors import Rejected
from storebridge.flow import Flow
from storebridge.models import Collection, Metafield, Product
from storebridge_shopify.graphql import Doc, document
from storebridge_shopify.records import mutate
from storebridge_shopify.site import Facts

__all__ = ["metafield_rows", "metafields_gone", "publications", "publish", "write_metafields"]

#: The most rows of metafieldsSet (schema).
_ROWS = 25


def write_metafields(
    change: Change[Any], wanted: Mapping[str, tuple[Metafield, ...]]
) -> Flow[None]:
    """Set metafields by the ids of their owners, and delete those that are to go."""
    for rows in metafield_rows(wanted):
        yield from _set(change, rows)
    if gone := metafields_gone(change):
        yield from mutate("metafields_delete", "metafieldsDelete", {"metafields": gone}, change)


def metafield_rows(wanted: Mapping[str, tuple[Metafield, ...]]) -> Iterator[list[dict[str, str]]]:
    """Yield the metafields of some owners in pieces that a call takes."""
    rows = [
        {
            "ownerId": owner,
            "namespace": each.namespace,
            "key": each.key,
            "value": each.value,
            **({"type": each.type} if each.type else {}),
        }
        for owner, metafields in wanted.items()
        for each in metafields
    ]
    for start in range(0, len(rows), _ROWS):
        yield rows[start : start + _ROWS]


def metafields_gone(change: Change[Any]) -> list[dict[str, str]]:
    """Return the metafields that a change takes away."""
    gone = (key.rpartition(".") for key in change.removed.get("metafields", ()))
    return [
        {"ownerId": change.record_id, "namespace": namespace, "key": key}
        for namespace, _, key in gone
    ]


def _set(change: Change[Any], rows: list[dict[str, str]]) -> Flow[None]:
    """Set metafields, all or none.

    One that the shop has no definition of needs a type; where none was given it is text. One with
    a definition would be refused with another type, so that is sent only when asked for.
    """
    try:
        yield from mutate("metafields_set", "metafieldsSet", {"metafields": rows}, change)
    except Rejected as error:
        if error.code != "BLANK":
            raise
        typed = [{"type": _text_type(row["value"]), **row} for row in rows]
        yield from mutate("metafields_set", "metafieldsSet", {"metafields": typed}, change)


def _text_type(value: str) -> str:
    return "multi_line_text_field" if "\n" in value else "single_line_text_field"


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
