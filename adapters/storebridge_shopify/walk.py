"""Reading products whole: what a request asks for, and what nested connections hold beyond it.

A page is as large as its points allow; connections within a product begin with as many nodes as
most products have, and are drained where one has more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storebridge.errors import BadAnswer, NotFound
from storebridge.flow import Flow
from storebridge_shopify.fields import wants
from storebridge_shopify.graphql import Doc, call, document, following
from storebridge_shopify.scopes import Scopes

__all__ = [
    "asked",
    "by_id_variables",
    "complete",
    "drain",
    "page_variables",
    "stays",
    "variant_whole",
    "whole",
]

#: The most points that a page may ask for: several fit the bucket of any plan (usage/limits).
_POINTS = 700.0
#: What a request begins with: the sizes of the connections in a product.
_SIZES = {
    "variants": 10,
    "levels": 5,
    "media": 10,
    "metafields": 20,
    "variantMetafields": 5,
    "collections": 20,
    "channels": 10,
}
#: A request for products by their ids costs the same for one and for all of them.
_BY_ID = {**_SIZES, "variants": 100, "media": 50}
_CONNECTIONS = ("variants", "media", "metafields", "collections", "resourcePublications")
#: As many products are asked for by id at once, and as many records of a variant's connections.
_MORE = 50
#: The most of a product's connections that a request brings; of variants, where it asks for one
#: product's alone ("enhanced variant query limits", changelog of 2025-01).
_MOST, _MOST_VARIANTS = 250, 2000


def asked(fields: Iterable[str] | None, scopes: Scopes) -> dict[str, bool]:
    """Return which connections have to be asked for so that these fields can be read."""
    names = None if fields is None else frozenset(fields)
    pictures = wants(names, "media") or wants(names, "variants.media")
    stock = wants(names, "variants.inventory") and scopes.has("read_inventory")
    return {
        "withVariants": wants(names, "variants"),
        "withInventory": stock,
        "withMedia": pictures,
        "withMetafields": wants(names, "metafields"),
        "withVariantMetafields": wants(names, "variants.metafields"),
        "withCollections": wants(names, "collections"),
        "withChannels": wants(names, "channels") and scopes.has("read_publications"),
    }


def page_variables(name: str, flags: Mapping[str, Any], size: int) -> dict[str, Any]:
    """Return sizes with which a page stays well below the most points of a request."""
    variables = {**_SIZES, **flags, "first": size}
    while variables["first"] > 1 and document(name).cost(variables) > _POINTS:
        variables["first"] = max(1, variables["first"] // 2)
    return variables


def by_id_variables(fields: Iterable[str], variants: int) -> dict[str, Any]:
    """Return what a look-up by ids costs by: the fields, and how many variants come."""
    everything = Scopes.of(("read_inventory", "read_publications"))
    return {**_BY_ID, **asked(fields, everything), "variants": variants}


def whole(ids: Sequence[str], flags: Mapping[str, bool]) -> Flow[list[Doc]]:
    """Return the products of some ids, each whole; ids that lead nowhere are left out."""
    found: list[Doc] = []
    for start in range(0, len(ids), _MORE):
        wanted = ids[start : start + _MORE]
        data = yield from call("products_by_id", {**_BY_ID, **flags, "ids": wanted})
        docs = [doc for doc in data["nodes"] if doc and "id" in doc]
        if {doc["id"] for doc in docs} - set(wanted):
            raise BadAnswer("Shopify gave other products than those asked for")
        found += docs
    yield from complete(found, flags)
    return found


def complete(docs: list[Doc], flags: Mapping[str, bool]) -> Flow[None]:
    """Add to products what their connections hold beyond what came with them.

    Products and variants that go away meanwhile are taken out.
    """
    for doc in tuple(docs):
        if not (yield from stays(doc, _rest(doc, flags))):
            docs.remove(doc)


def stays(doc: Doc, rest: Flow[None]) -> Flow[bool]:
    """Read the rest of a document, and return whether it is still there."""
    try:
        yield from rest
    except NotFound as error:
        if error.fields.get("id") != doc["id"]:
            raise
        return False
    return True


def _rest(doc: Doc, flags: Mapping[str, bool]) -> Flow[None]:
    for name in _CONNECTIONS:
        if name in doc and following(doc[name]["pageInfo"]):
            yield from _product_more(doc, name, flags)
    variants = doc["variants"]["nodes"] if "variants" in doc else []
    for variant in tuple(variants):
        if not (yield from stays(variant, variant_whole(variant))):
            variants.remove(variant)


def _product_more(doc: Doc, name: str, flags: Mapping[str, bool]) -> Flow[None]:
    variables = {
        **{each: each == name for each in _CONNECTIONS},
        **{each: flags[each] for each in ("withInventory", "withMedia", "withVariantMetafields")},
        "id": doc["id"],
        "first": _MOST_VARIANTS if name == "variants" else _MOST,
        "levels": _SIZES["levels"],
        "variantMetafields": _SIZES["variantMetafields"],
    }
    yield from drain("product_more", "product", doc[name], variables, (name,))


def variant_whole(doc: Doc) -> Flow[None]:
    """Add to a variant what its connections hold beyond what came with it.

    Raises:
        NotFound: if it went away meanwhile.
    """
    item = doc["inventoryItem"]
    for name, connection, path in (
        ("inventoryLevels", item.get("inventoryLevels"), ("inventoryItem", "inventoryLevels")),
        ("metafields", doc.get("metafields"), ("metafields",)),
    ):
        if connection and following(connection["pageInfo"]):
            only = {"inventoryLevels": False, "metafields": False, name: True}
            variables = {**only, "id": doc["id"], "first": _MORE}
            yield from drain("variant_more", "productVariant", connection, variables, path)


def drain(
    name: str, root: str, connection: Any, variables: Mapping[str, Any], path: Sequence[str]
) -> Flow[None]:
    """Add to a connection all that comes after it.

    Raises:
        NotFound: if what it belongs to went away meanwhile.
        BadAnswer: if a cursor comes twice.
    """
    seen: set[str] = set()
    while after := following(connection["pageInfo"]):
        if after in seen:
            raise BadAnswer(f"{path[-1]} gave the same cursor twice")
        seen.add(after)
        found: Any = (yield from call(name, {**variables, "after": after}))[root]
        if found is None:
            id = variables["id"]
            raise NotFound(f"{id} went away while it was read", fields={"id": id})
        for step in path:
            found = found[step]
        connection["nodes"].extend(found["nodes"])
        connection["pageInfo"] = found["pageInfo"]
