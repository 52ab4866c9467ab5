"""Metafields of any owner, written by its id and with their types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from storebridge.adapter import Change
from storebridge.flow import Flow
from storebridge.models import Metafield
from storebridge_shopify.metafield_checks import name_of
from storebridge_shopify.records import mutate
from storebridge_shopify.site import Rule, Shop

__all__ = ["metafield_rows", "metafields_gone", "typed", "write_metafields"]

#: The most rows of metafieldsSet (schema).
_ROWS = 25


def write_metafields(
    shop: Shop, change: Change[Any], others: Mapping[str, tuple[Metafield, ...]] | None = None
) -> Flow[None]:
    """Set a record's metafields, and delete those that are to go.

    Args:
        shop: which knows its definitions.
        change: the change of the record.
        others: what belongs to it and has metafields too (variants), by id.
    """
    wanted = {change.record_id: change.desired.metafields, **(others or {})}
    for rows in metafield_rows((yield from typed(shop, wanted))):
        yield from mutate("metafields_set", "metafieldsSet", {"metafields": rows}, change)
    if gone := metafields_gone(change):
        yield from mutate("metafields_delete", "metafieldsDelete", {"metafields": gone}, change)


def typed(
    shop: Shop, wanted: Mapping[str, tuple[Metafield, ...]]
) -> Flow[dict[str, tuple[Metafield, ...]]]:
    """Return metafields with their types: as given, else as the shop defines them, else text.

    Shopify wants the type of each that it has no definition of, of one that is there too, and
    refuses all of a call with one that has another type than its definition.
    """
    found = {}
    for owner, metafields in wanted.items():
        rules: Mapping[str, Rule] = {}
        if not all(each.type for each in metafields):
            rules = yield from shop.ruled(_owner_type(owner))
        found[owner] = tuple(each.but(type=_type(each, rules)) for each in metafields)
    return found


def metafield_rows(wanted: Mapping[str, tuple[Metafield, ...]]) -> Iterator[list[dict[str, str]]]:
    """Yield the typed metafields of some owners in pieces that a call takes."""
    rows = [
        {
            "ownerId": owner,
            "namespace": each.namespace,
            "key": each.key,
            "type": each.type,
            "value": each.value,
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


def _owner_type(gid: str) -> str:
    """Return what definitions call the type in an id: PRODUCTVARIANT, or DISCOUNT of a node."""
    return gid.rpartition("/")[0].rpartition("/")[2].removesuffix("Node").upper()


def _type(metafield: Metafield, rules: Mapping[str, Rule]) -> str:
    if metafield.type:
        return metafield.type
    if rule := rules.get(name_of(metafield)):
        return rule.type
    return "multi_line_text_field" if "\n" in metafield.value else "single_line_text_field"
