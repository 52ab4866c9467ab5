"""From the objects of bulk queries to documents as pages have them: connections with their nodes.

The lines of a file don't say which connection a child comes of; its type does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from storebridge_shopify.graphql import Doc

__all__ = ["COLLECTIONS", "CUSTOMERS", "ORDERS", "PRODUCTS", "Export"]

Flags = Mapping[str, bool]
#: By its flag, where a connection is in a document, and the types of its nodes.
Connections = Mapping[str, tuple[str, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Export:
    """How the records of a kind come of jobs."""

    count: str
    """The document that counts them."""
    documents: Mapping[str, Sequence[str]]
    """The documents that read them, with the connections that each has besides the root: five are
    the most of a query, two levels the deepest (usage/bulk-operations/queries)."""
    whole: Callable[[Doc, Flags], dict[str, Any]]
    """Returns a record as a page has it, of its line and those of its children."""

    def needed(self, flags: Flags) -> list[str]:
        """Return the documents that are needed for records with some connections."""
        first, *others = self.documents
        return [first, *(each for each in others if any(flags[f] for f in self.documents[each]))]


_MEDIA = ("media", ("MediaImage", "Video", "ExternalVideo", "Model3d"))
_METAFIELDS = ("metafields", ("Metafield",))
_CHANNELS = ("resourcePublications", ("ResourcePublication",))
_PRODUCT: Connections = {
    "withVariants": ("variants", ("ProductVariant",)),
    "withMedia": _MEDIA,
    "withMetafields": _METAFIELDS,
    "withCollections": ("collections", ("Collection",)),
    "withChannels": _CHANNELS,
}
_VARIANT: Connections = {"withMedia": _MEDIA, "withVariantMetafields": _METAFIELDS}
_COLLECTION: Connections = {
    "withMetafields": _METAFIELDS,
    "withProducts": ("products", ("Product",)),
    "withChannels": _CHANNELS,
}
_ORDER: Connections = {
    "withLines": ("lineItems", ("LineItem",)),
    "withShipping": ("shippingLines", ("ShippingLine",)),
    "withMetafields": _METAFIELDS,
}
_CUSTOMER: Connections = {
    "withAddresses": ("addressesV2", ("MailingAddress",)),
    "withMetafields": _METAFIELDS,
}


def _joined(connections: Connections, found: Doc, flags: Flags) -> dict[str, Any]:
    """Return an object with its children in the connections that are wanted."""
    doc = {name: value for name, value in found.items() if name != "children"}
    for flag, (name, types) in connections.items():
        if flags[flag]:
            doc[name] = _connection(found["children"], types)
    return doc


def _product(found: Doc, flags: Flags) -> dict[str, Any]:
    doc = _joined(_PRODUCT, found, flags)
    if flags["withVariants"]:
        variants = (_variant(each, flags) for each in doc["variants"]["nodes"])
        doc["variants"]["nodes"] = sorted(variants, key=lambda each: int(each["position"]))
    return doc


def _variant(found: Doc, flags: Flags) -> dict[str, Any]:
    doc = _joined(_VARIANT, found, flags)
    if flags["withInventory"]:
        levels = _connection(found["children"], ("InventoryLevel",))
        doc["inventoryItem"] = {**doc["inventoryItem"], "inventoryLevels": levels}
    if flags["withMedia"]:
        del doc["media"]["nodes"][1:]  # a page asks for the first one
    return doc


def _connection(children: Sequence[Doc], types: Sequence[str]) -> dict[str, Any]:
    """Return the children of some types as a connection that holds all of them."""
    nodes = [each for each in children if each["__typename"] in types]
    return {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": None}}


PRODUCTS = Export(
    "products_count",
    {
        "bulk_products": ("withVariants", "withInventory", "withMedia", "withVariantMetafields"),
        "bulk_products_more": ("withMedia", "withMetafields", "withCollections", "withChannels"),
    },
    _product,
)


def _plain(count: str, document: str, connections: Connections) -> Export:
    """Return what reads a kind by one document, whose connections have none of their own."""
    return Export(count, {document: tuple(connections)}, partial(_joined, connections))


COLLECTIONS = _plain("collections_count", "bulk_collections", _COLLECTION)
CUSTOMERS = _plain("customers_count", "bulk_customers", _CUSTOMER)
ORDERS = _plain("orders_count", "bulk_orders", _ORDER)
