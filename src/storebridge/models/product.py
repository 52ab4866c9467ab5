"""Products and what belongs to them.

Prices, once and for all: `price` is what is paid without a dated sale, `compare_at_price` is
what is struck through, `sale` is an optional price with a start and an end
(`storebridge.models.prices` says how each platform stores the three).

A *collection* is a group of products in a shop (a Shopify collection, a category of WooCommerce
or Magento); a *category* is a place in a general taxonomy (Shopify's or Google's).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar

from pydantic import Field

from storebridge.models.base import ListMode, ListSpec, Model, PlatformFields, Record
from storebridge.models.money import Money
from storebridge.models.text import Locale, Time
from storebridge.models.units import Dimensions, Weight

__all__ = [
    "Attribute",
    "Download",
    "InventoryLevel",
    "MarketPrice",
    "Media",
    "Metafield",
    "Option",
    "Product",
    "Sale",
    "Seo",
    "Translation",
    "Variant",
]


class Seo(Model):
    """The title and description that search engines are shown."""

    atomic: ClassVar[bool] = False

    title: str = ""
    description: str = ""


class Sale(Model):
    """A price for a time; without a start it has begun, without an end it goes on."""

    price: Money
    starts_at: Time | None = None
    ends_at: Time | None = None


class Option(Model):
    """A choice that makes variants ("Size"), with its values in order."""

    name: str
    values: tuple[str, ...] = ()
    platform_fields: PlatformFields = Field(default_factory=dict)


class Attribute(Model):
    """A fact about a product that makes no variants ("Material: wool")."""

    name: str
    values: tuple[str, ...] = ()
    visible: bool = True
    platform_fields: PlatformFields = Field(default_factory=dict)

    def element_keys(self) -> tuple[str, ...]:
        """An attribute is named by its name."""
        return (f"name:{self.name}",)


class Metafield(Model):
    """A typed value under a namespace and a key; `value` is text as the platform writes it."""

    namespace: str
    key: str
    type: str = ""
    value: str

    def element_keys(self) -> tuple[str, ...]:
        """A metafield is named by namespace and key."""
        return (f"{self.namespace}.{self.key}",)


class Translation(Model):
    """One field of one record in one locale (and, where platforms can, for one market)."""

    locale: Locale
    field: str
    value: str
    market: str = ""

    def element_keys(self) -> tuple[str, ...]:
        """A translation is named by locale, market and field."""
        return (f"{self.locale}{'@' + self.market if self.market else ''}:{self.field}",)


class Media(Model):
    """A picture, video or model. `url` is where it comes from."""

    atomic: ClassVar[bool] = False

    id: str = ""
    url: str = ""
    alt: str = ""
    media_type: str = "image"
    position: int | None = None
    content_hash: str = ""
    platform_fields: PlatformFields = Field(default_factory=dict)

    def element_keys(self) -> tuple[str, ...]:
        """Media are named by id, source and content hash."""
        names = (("id", self.id), ("url", self.url), ("hash", self.content_hash))
        return tuple(f"{name}:{value}" for name, value in names if value)


class InventoryLevel(Model):
    """How many are available at a location; an empty location means the store's only one."""

    location: str = ""
    available: int

    def element_keys(self) -> tuple[str, ...]:
        """A level is named by its location."""
        return (f"location:{self.location}",)


class MarketPrice(Model):
    """A variant's prices in one market; `included` says whether it is sold there."""

    atomic: ClassVar[bool] = False

    market: str
    price: Money | None = None
    compare_at_price: Money | None = None
    included: bool = True

    def element_keys(self) -> tuple[str, ...]:
        """A market price is named by its market."""
        return (f"market:{self.market}",)


class Download(Model):
    """A file that a buyer may download."""

    id: str = ""
    name: str = ""
    url: str

    def element_keys(self) -> tuple[str, ...]:
        """A download is named by its source."""
        return (f"url:{self.url}",)


def _keyed(mode: ListMode = "merge") -> ListSpec:
    return ListSpec(mode, lambda element: element.element_keys())


class Variant(Model):
    """One thing that can be bought: a product's only one, or one per choice of options."""

    atomic: ClassVar[bool] = False
    lists: ClassVar[Mapping[str, ListSpec]] = {
        "inventory": _keyed(),
        "market_prices": _keyed(),
        "metafields": _keyed(),
        "downloads": _keyed("replace"),
    }

    id: str = ""
    sku: str = ""
    barcodes: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """The option values, in the order of the product's options; "" means any value."""
    title: str = ""
    description_html: str = ""
    status: str = "active"
    position: int | None = None
    price: Money | None = None
    compare_at_price: Money | None = None
    sale: Sale | None = None
    cost: Money | None = None
    inventory: tuple[InventoryLevel, ...] = ()
    tracked: bool = True
    """Whether stock is counted."""
    oversell: bool = False
    """Whether it is sold when out of stock."""
    weight: Weight | None = None
    dimensions: Dimensions | None = None
    taxable: bool = True
    tax_class: str = ""
    requires_shipping: bool = True
    virtual: bool = False
    downloadable: bool = False
    downloads: tuple[Download, ...] = ()
    market_prices: tuple[MarketPrice, ...] = ()
    media: tuple[str, ...] = ()
    """The sources of the pictures that show this variant."""
    metafields: tuple[Metafield, ...] = ()
    platform_fields: PlatformFields = Field(default_factory=dict)

    def element_keys(self) -> tuple[str, ...]:
        """A variant is named by id, SKU and option values; the only one needs no name."""
        names = [f"id:{self.id}"] if self.id else []
        if self.sku:
            names.append(f"sku:{self.sku}")
        if "options" in self.model_fields_set or not names:
            names.append(f"options:{'/'.join(self.options)}")
        return tuple(names)


class Product(Record):
    """A product with its variants, as it is in a store or as it should be."""

    kind: ClassVar[str] = "product"
    lists: ClassVar[Mapping[str, ListSpec]] = {
        "variants": _keyed(),
        "media": _keyed(),
        "metafields": _keyed(),
        "translations": _keyed(),
        "attributes": _keyed("replace"),
        "channels": ListSpec("merge"),
    }
    references: ClassVar[Mapping[str, tuple[str, str]]] = {
        "collections": ("collection", "handle:"),
        "related": ("product", ""),
        "upsells": ("product", ""),
        "cross_sells": ("product", ""),
    }

    handle: str = ""
    sku: str = ""
    """The product's own SKU where a platform has one apart from the variants' (WooCommerce)."""
    title: str = ""
    description_html: str = ""
    short_description_html: str = ""
    vendor: str = ""
    brand: str = ""
    product_type: str = ""
    category: str = ""
    """The place in a general taxonomy, as a path or an id; not a group of the shop's own."""
    tags: tuple[str, ...] = ()
    tags_add: tuple[str, ...] = Field(default=(), alias="tags+")
    tags_remove: tuple[str, ...] = Field(default=(), alias="tags-")
    status: str = "active"
    """"active", "draft", "archived", or a platform's own word."""
    visibility: str = "visible"
    """"visible", "catalog", "search", "hidden", or a platform's own word."""
    featured: bool = False
    url: str = ""
    options: tuple[Option, ...] = ()
    variants: tuple[Variant, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    media: tuple[Media, ...] = ()
    media_add: tuple[Media, ...] = Field(default=(), alias="media+")
    seo: Seo = Seo()
    collections: tuple[str, ...] = ()
    """The handles of the collections that hold this product by hand."""
    collections_add: tuple[str, ...] = Field(default=(), alias="collections+")
    collections_remove: tuple[str, ...] = Field(default=(), alias="collections-")
    related: tuple[str, ...] = ()
    """Keys of other products: "handle:…" or "sku:…"; `upsells` and `cross_sells` alike."""
    upsells: tuple[str, ...] = ()
    cross_sells: tuple[str, ...] = ()
    metafields: tuple[Metafield, ...] = ()
    translations: tuple[Translation, ...] = ()
    channels: tuple[str, ...] = ()
    """The names of the sales channels that show it; merging, since a source knows few of them."""
    channels_remove: tuple[str, ...] = Field(default=(), alias="channels-")
    modes: Mapping[str, ListMode] = Field(default_factory=dict)
    """Asks for another list mode than the default, by field: `{"media": "replace"}`."""
    gift_card: bool = False
    created_at: Time | None = None
    updated_at: Time | None = None

    def keys(self) -> tuple[str, ...]:
        """External key, handle, own SKU and the variants' SKUs, in order of trust."""
        names = list(super().keys())
        if self.handle:
            names.append(f"handle:{self.handle}")
        if self.sku:
            names.append(f"sku:{self.sku}")
        names += [f"sku:{variant.sku}" for variant in self.variants if variant.sku]
        return tuple(dict.fromkeys(names))

    @property
    def label(self) -> str:
        """The handle, else the title, else the first SKU."""
        return self.handle or self.title or super().label

    @property
    def price_range(self) -> tuple[Decimal, Decimal] | None:
        """The lowest and highest `price` amount of the variants, None without a price."""
        amounts = [v.price.amount for v in self.variants if v.price is not None]
        return (min(amounts), max(amounts)) if amounts else None
