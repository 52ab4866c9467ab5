"""The domain model: one class per thing, for what a store holds and for what it should hold."""

from __future__ import annotations

from storebridge.models.base import ListMode, ListSpec, Model, PlatformFields, Record, Ref
from storebridge.models.collection import Category, Collection, Rule
from storebridge.models.customer import Address, Consent, Customer
from storebridge.models.definition import MetafieldDefinition
from storebridge.models.discount import Discount
from storebridge.models.market import Location, Market
from storebridge.models.money import Money, is_currency, minor_units, parse_amount
from storebridge.models.order import (
    Adjustment,
    Amount,
    Comment,
    Fulfillment,
    FulfillmentLine,
    LineItem,
    Order,
    Payment,
    Refund,
    RefundLine,
    ShippingLine,
    TaxLine,
)
from storebridge.models.product import (
    Attribute,
    Download,
    InventoryLevel,
    MarketPrice,
    Media,
    Metafield,
    Option,
    Product,
    Sale,
    Seo,
    Translation,
    Variant,
)
from storebridge.models.redirect import Redirect
from storebridge.models.review import Reply, Review
from storebridge.models.store import StoreInfo
from storebridge.models.text import Country, Locale, Time, slug
from storebridge.models.units import Dimensions, Length, Weight

__all__ = [
    "KINDS",
    "Address",
    "Adjustment",
    "Amount",
    "Attribute",
    "Category",
    "Collection",
    "Comment",
    "Consent",
    "Country",
    "Customer",
    "Dimensions",
    "Discount",
    "Download",
    "Fulfillment",
    "FulfillmentLine",
    "InventoryLevel",
    "Length",
    "LineItem",
    "ListMode",
    "ListSpec",
    "Locale",
    "Location",
    "Market",
    "MarketPrice",
    "Media",
    "Metafield",
    "MetafieldDefinition",
    "Model",
    "Money",
    "Option",
    "Order",
    "Payment",
    "PlatformFields",
    "Product",
    "Record",
    "Redirect",
    "Ref",
    "Refund",
    "RefundLine",
    "Reply",
    "Review",
    "Rule",
    "Sale",
    "Seo",
    "ShippingLine",
    "StoreInfo",
    "TaxLine",
    "Time",
    "Translation",
    "Variant",
    "Weight",
    "is_currency",
    "minor_units",
    "parse_amount",
    "slug",
]

#: Every kind of record by its word, in the order in which a plan writes them.
KINDS: dict[str, type[Record]] = {
    model.kind: model
    for model in (
        Location,
        Market,
        MetafieldDefinition,
        Category,
        Collection,
        Product,
        Discount,
        Customer,
        Order,
        Review,
        Redirect,
    )
}
