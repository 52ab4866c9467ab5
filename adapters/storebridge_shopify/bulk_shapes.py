"""From the objects of bulk queries to documents as pages have them: connections with their nodes.

The lines of a file don't say which connection a child comes of; its type does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from storebridge_shopify.graphql import Doc

__all__ = ["PRODUCTS", "product", "queries"]

#: The documents that read products, with the connections that each has besides `products`: five
#: are the most of a query, two levels the deepest (usage/bulk-operations/queries).
PRODUCTS = {
    "bulk_products": ("withVariants", "withInventory", "withMedia", "withVariantMetafields"),
    "bulk_products_more": ("withMedia", "withMetafields", "withCollections", "withChannels"),
}
_WITH = {
    "withVariants": ("variants", ("ProductVariant",)),
    "withMedia": ("media", ("MediaImage", "Video", "ExternalVideo", "Model3d")),
    "withMetafields": ("metafields", ("Metafield",)),
    "withCollections": ("collections", ("Collection",)),
    "withChannels": ("resourcePublications", ("ResourcePublication",)),
}


def queries(flags: Mapping[str, bool]) -> list[str]:
    """Return the documents that are needed for products with some connections."""
    first, *others = PRODUCTS
    return [first, *(name for name in others if any(flags[each] for each in PRODUCTS[name]))]


def product(found: Doc, flags: Mapping[str, bool]) -> dict[str, Any]:
    """Return a product as a page has it, of its line and those of its children."""
    doc = {name: value for name, value in found.items() if name != "children"}
    for flag, (name, types) in _WITH.items():
        if flags[flag]:
            doc[name] = _connection(found["children"], types)
    if flags["withVariants"]:
        variants = (_variant(each, flags) for each in doc["variants"]["nodes"])
        doc["variants"]["nodes"] = sorted(variants, key=lambda each: int(each["position"]))
    return doc


def _variant(found: Doc, flags: Mapping[str, bool]) -> dict[str, Any]:
    doc = {name: value for name, value in found.items() if name != "children"}
    children = found["children"]
    if flags["withInventory"]:
        levels = _connection(children, ("InventoryLevel",))
        doc["inventoryItem"] = {**doc["inventoryItem"], "inventoryLevels": levels}
    if flags["withMedia"]:
        doc["media"] = _connection(children, _WITH["withMedia"][1])
        del doc["media"]["nodes"][1:]  # a page asks for the first one
    if flags["withVariantMetafields"]:
        doc["metafields"] = _connection(children, ("Metafield",))
    return doc


def _connection(children: Sequence[Doc], types: Sequence[str]) -> dict[str, Any]:
    """Return the children of some types as a connection that holds all of them."""
    nodes = [each for each in children if each["__typename"] in types]
    return {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": None}}
