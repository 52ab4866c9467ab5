"""What products, variants and collections have in common: metafields and channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storebridge.adapter import Change
from storebridge.errors import Rejected
from storebridge.flow import Flow
from storebridge.models import Collection, Metafield, Product
from storebridge_shopify.records import mutate
from storebridge_shopify.site import Facts

__all__ = ["publish", "write_metafields"]

#: The most rows of metafieldsSet (schema).
_ROWS = 25


def write_metafields(
    change: Change[Any], wanted: Mapping[str, tuple[Metafield, ...]]
) -> Flow[None]:
    """Set metafields by the ids of their owners, and delete those that are to go."""
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
        yield from _set(change, rows[start : start + _ROWS])
    gone = [key.rpartition(".") for key in change.removed.get("metafields", ())]
    if gone:
        named = [
            {"ownerId": change.record_id, "namespace": namespace, "key": key}
            for namespace, _, key in gone
        ]
        yield from mutate("metafields_delete", "metafieldsDelete", {"metafields": named}, change)


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
    wanted = change.desired.channels
    held = tuple(facts.channels) if change.before is None else change.before.channels
    gone = [each for each in held if each not in wanted]
    for name, root, channels in (
        ("publish", "publishablePublish", wanted),
        ("unpublish", "publishableUnpublish", gone),
    ):
        rows = [{"publicationId": facts.channel(channel)} for channel in dict.fromkeys(channels)]
        if rows:
            yield from mutate(name, root, {"id": change.record_id, "input": rows}, change)
