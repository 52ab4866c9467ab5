"""Places in Shopify's taxonomy of goods: told by their paths, written by their ids."""

from __future__ import annotations

from storebridge.errors import Rejected
from storebridge.flow import Flow
from storebridge.models import Product
from storebridge_shopify.graphql import Doc, call

__all__ = ["Taxonomy"]

_ID = "gid://shopify/TaxonomyCategory/"


class Taxonomy:
    """The places that were seen so far, by id and by path."""

    def __init__(self) -> None:
        """Begin with no place seen."""
        self._paths: dict[str, str] = {}
        self._ids: dict[str, str] = {}

    def learn(self, doc: Doc) -> None:
        """Keep a place that an answer names."""
        self._paths[doc["id"]] = doc["fullName"]
        self._ids[doc["fullName"]] = doc["id"]

    def path(self, category: str) -> str:
        """Return the path of a place that may be given as an id, if it was seen."""
        return self._paths.get(category, category)

    def place(self, desired: Product) -> Flow[str | None]:
        """Return the id of a product's place; "" to clear it, None where it isn't given.

        Raises:
            Rejected: if the taxonomy has no such place.
        """
        if "category" not in desired.given:
            return None
        category = desired.category
        if not category or category.startswith(_ID):
            return category
        if category not in self._ids:
            variables = {"search": category.rpartition(">")[2].strip(), "first": 250}
            data = yield from call("taxonomy", variables)
            for each in data["taxonomy"]["categories"]["nodes"]:
                self.learn(each)
        if category not in self._ids:
            raise Rejected(
                f"Shopify's taxonomy has no place {category!r}",
                fields={"category": "unknown"},
                remedy="Give a whole path of it, like 'Apparel & Accessories > Clothing'.",
            )
        return self._ids[category]
