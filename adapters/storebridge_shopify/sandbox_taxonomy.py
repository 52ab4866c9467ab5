"""The sandbox's part of the public product taxonomy: a few categories, to be searched."""

from __future__ import annotations

from typing import Any

from storebridge_shopify.sandbox_fields import WITHIN, Info, connection, field
from storebridge_shopify.sandbox_state import Doc, gid

__all__ = ["category"]

_CATEGORIES = (
    ("aa", "Apparel & Accessories"),
    ("aa-1", "Apparel & Accessories > Clothing"),
    ("aa-1-13", "Apparel & Accessories > Clothing > Clothing Tops"),
    ("aa-1-13-8", "Apparel & Accessories > Clothing > Clothing Tops > T-Shirts"),
    ("aa-1-13-7", "Apparel & Accessories > Clothing > Clothing Tops > Sweatshirts"),
    ("aa-8", "Apparel & Accessories > Shoes"),
    ("hg", "Home & Garden"),
    ("hg-11", "Home & Garden > Kitchen & Dining"),
    ("hg-11-10", "Home & Garden > Kitchen & Dining > Tableware"),
    ("hg-11-10-5", "Home & Garden > Kitchen & Dining > Tableware > Drinkware"),
    ("hg-11-10-5-3", "Home & Garden > Kitchen & Dining > Tableware > Drinkware > Mugs"),
    ("na", "Uncategorized"),
)


def category(id: str) -> Doc | None:
    """Return a category of the taxonomy by its id."""
    key = id.rpartition("/")[2]
    names = dict(_CATEGORIES)
    if key not in names or not id.startswith("gid://shopify/TaxonomyCategory/"):
        return None
    below = [each for each in names if each.rpartition("-")[0] == key]
    parent = key.rpartition("-")[0]
    return {
        "__typename": "TaxonomyCategory",
        "id": id,
        "name": names[key].rpartition(" > ")[2],
        "fullName": names[key],
        "isArchived": False,
        "isLeaf": not below,
        "isRoot": not parent,
        "level": key.count("-") + 1,
        "parentId": gid("TaxonomyCategory", parent) if parent else None,
        "childrenIds": [gid("TaxonomyCategory", each) for each in below],
        "ancestorIds": [],
    }


WITHIN["TaxonomyCategory"] = lambda _state, id: category(id)


@field("QueryRoot", "taxonomy")
def _taxonomy(_root: Any, _info: Info) -> Doc:
    return {}


@field("Taxonomy", "categories")
def _categories(_doc: Doc, _info: Info, search: str | None = None, **arguments: Any) -> Doc:
    words = (search or "").lower().split()
    parent = arguments.get("childrenOf")
    found = [
        category(gid("TaxonomyCategory", key))
        for key, name in _CATEGORIES
        if all(word in name.lower() for word in words)
    ]
    roots = not words and parent is None
    chosen = (
        each
        for each in found
        if each and (not roots or each["isRoot"]) and (parent is None or each["parentId"] == parent)
    )
    return connection(chosen, **arguments)
