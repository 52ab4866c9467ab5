"""Products as the lines of a job show them, so that what was written isn't read back.

A mutation in a job may select one connection (usage/bulk-operations/imports); what it shows costs
no points, where reading products back takes a hundred for each fifty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from storebridge.adapter import Change
from storebridge.models import InventoryLevel, Product, Variant
from storebridge_shopify import reading
from storebridge_shopify.graphql import Doc
from storebridge_shopify.site import Facts

__all__ = ["shown"]

#: So many variants a line shows at most; whether there are more can't be seen.
_MOST = 100
#: What a product that was made a moment ago has none of.
_NONE: Mapping[str, Any] = {"media": (), "metafields": (), "collections": ()}
_SCOPED = {"channels": "read_publications", "translations": "read_translations"}


def shown(change: Change[Product], payloads: Mapping[str, Doc], facts: Facts) -> Product | None:
    """Return a product as it is after a change; None where the answers don't show all of it.

    Args:
        change: what was written.
        payloads: the answers by their documents.
        facts: the shop's.
    """
    whole = payloads.get("product_set_shown")
    if change.action == "create" and whole:
        return _made(change.desired, whole["product"], facts)
    stock = any(each.inventory for each in change.desired.variants)
    if change.action != "update" or stock or not payloads:
        return None
    rows = payloads.get("variants_update_shown")
    variants = _variants(rows["productVariants"], facts) if rows else ()
    if whole is None:
        return Product(id=change.record_id, variants=variants, **_tags(payloads))
    found = _product(whole["product"], facts)
    if found is None or not variants:
        return found
    newer = {each.id: each for each in variants}
    merged = tuple(newer.get(each.id, each) for each in found.variants)
    return found.model_copy(update={"variants": merged})


def _tags(payloads: Mapping[str, Doc]) -> dict[str, Any]:
    """Return the tags that the last answer about them shows; nothing where there is none."""
    found = payloads.get("tags_add") or payloads.get("tags_remove")
    return {"tags": reading.tags(found["node"])} if found else {}


def _product(doc: Doc, facts: Facts) -> Product | None:
    nodes = _nodes(doc)
    if not 0 < len(nodes) < _MOST:
        return None
    return reading.product({**doc, "variants": {"nodes": nodes}}, facts.currency)


def _nodes(doc: Doc) -> list[Doc]:
    return [edge["node"] for edge in (doc.get("variants") or {}).get("edges", ())]


def _made(desired: Product, doc: Doc, facts: Facts) -> Product | None:
    """Return a new product; of its stock a line shows no more than the sum of a variant's."""
    found = _product(doc, facts)
    if found is None or any(len(each.inventory) > 1 for each in desired.variants):
        return None
    sums = {node["id"]: node["inventoryQuantity"] for node in _nodes(doc)}
    held = (each for each in desired.variants if each.inventory)
    places = {each.options: each.inventory[0].location for each in held}
    variants = []
    for each in found.variants:
        more: dict[str, Any] = {"media": (), "metafields": (), "market_prices": ()}
        if each.options in places:
            place = places[each.options] or facts.info.only_location
            more["inventory"] = (InventoryLevel(location=place, available=sums[each.id]),)
        variants.append(each.model_copy(update=more))
    scoped = {name: () for name, scope in _SCOPED.items() if facts.scopes.has(scope)}
    return found.model_copy(update={**_NONE, **scoped, "variants": tuple(variants)})


def _variants(docs: Sequence[Doc], facts: Facts) -> tuple[Variant, ...]:
    only = [{"name": reading.ONLY_OPTION, "value": reading.ONLY_VALUE}]
    return tuple(
        reading.variant(doc, facts.currency, {}, only=doc["selectedOptions"] == only)
        for doc in docs
    )
