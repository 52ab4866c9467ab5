"""How a shop groups products, and where taxonomies place them.

| here | Shopify | WooCommerce | Magento |
|---|---|---|---|
| `Collection` | collection (no parent) | product category (a tree) | category (a tree) |
| `Category` | standard taxonomy category | - (Google's, by plugins) | - (Google's, by plugins) |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from storebridge.models.base import ListSpec, Model, Record
from storebridge.models.product import Media, Metafield, Seo, Translation
from storebridge.models.text import Time

__all__ = ["Category", "Collection", "Rule"]


class Rule(Model):
    """One condition of a collection that fills itself ("tag", "equals", "sale")."""

    field: str
    relation: str = "equals"
    value: str = ""


class Collection(Record):
    """A group of products: filled by hand, or by rules."""

    kind: ClassVar[str] = "collection"
    lists: ClassVar[Mapping[str, ListSpec]] = {
        "metafields": ListSpec("merge", Metafield.element_keys),
        "translations": ListSpec("merge", Translation.element_keys),
        "channels": ListSpec("merge"),
    }
    references: ClassVar[Mapping[str, tuple[str, str]]] = {
        "parent": ("collection", "handle:"),
        "products": ("product", ""),
    }

    handle: str = ""
    title: str = ""
    description_html: str = ""
    parent: str = ""
    """The handle of the collection above this one, where a platform has a tree."""
    rules: tuple[Rule, ...] = ()
    """The conditions of a collection that fills itself; none means filled by hand."""
    match_all: bool = True
    """Whether every rule must hold, or any one of them."""
    sort_order: str = ""
    position: int | None = None
    visibility: str = "visible"
    products: tuple[str, ...] = ()
    """Keys of its products in order, where the order was set by hand."""
    products_add: tuple[str, ...] = Field(default=(), alias="products+")
    products_remove: tuple[str, ...] = Field(default=(), alias="products-")
    image: Media | None = None
    seo: Seo = Seo()
    metafields: tuple[Metafield, ...] = ()
    translations: tuple[Translation, ...] = ()
    channels: tuple[str, ...] = ()
    channels_remove: tuple[str, ...] = Field(default=(), alias="channels-")
    updated_at: Time | None = None

    def keys(self) -> tuple[str, ...]:
        """External key and handle."""
        return (*super().keys(), *((f"handle:{self.handle}",) if self.handle else ()))

    @property
    def label(self) -> str:
        """The handle, else the title."""
        return self.handle or self.title or super().label


class Category(Record):
    """A place in a general taxonomy of goods, named by its full path."""

    kind: ClassVar[str] = "category"

    path: str = ""
    """The names from the root down, joined by " > "."""
    name: str = ""
    parent: str = ""
    taxonomy: str = ""

    def keys(self) -> tuple[str, ...]:
        """External key and path."""
        return (*super().keys(), *((f"path:{self.path}",) if self.path else ()))
