"""What WooCommerce can hold, by field path, with the part that each field is written in.

Nearly everything of a product is one call and so one part. Pictures are a part of their own: one
that can't be fetched fails the whole call. Related products come last, when all of them are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from storebridge.adapter import Field

__all__ = [
    "COLLECTION",
    "CUSTOMER",
    "DISCOUNT",
    "ORDER",
    "PRODUCT",
    "REVIEW",
    "SEO",
    "TRACKING",
    "VARIATION_KEYS",
    "keys_for",
]

_NAMES = "a name of 70,000 characters is a fatal error (recorded exchange, content sizes)"
_GTIN = "REST schema of products, global_unique_id: one"
_SLUG = "WordPress keeps 200 characters of a slug"
_OWN = Field(write=False)
_MEDIA = Field("media")
#: What WordPress makes of a picture's source can't be compared with the source.
_SOURCE = Field("media", read=False)

#: Search engine texts, which the shop can hold where a plugin for them is active.
SEO = {"seo.title": Field(), "seo.description": Field()}

PRODUCT = {
    "id": _OWN,
    "handle": Field(max_length=200, source=_SLUG),
    "sku": Field(),
    "title": Field(max_length=10_000, source=_NAMES),
    "description_html": Field(),
    "short_description_html": Field(),
    "brand": Field(),
    "tags": Field(),
    "status": Field(),
    "visibility": Field(),
    "featured": Field(),
    "url": _OWN,
    "options": Field(),
    "attributes": Field(),
    "collections": Field(),
    "metafields.namespace": Field(),
    "metafields.key": Field(),
    "metafields.value": Field(),
    "metafields.type": Field(),
    "platform_fields": Field(),
    "variants.id": _OWN,
    "variants.sku": Field(),
    "variants.barcodes": Field(max_length=1, source=_GTIN),
    "variants.options": Field(),
    "variants.description_html": Field(),
    "variants.status": Field(),
    "variants.position": Field(),
    "variants.price": Field(),
    "variants.compare_at_price": Field(),
    "variants.sale": Field(),
    "variants.inventory": Field(),
    "variants.tracked": Field(),
    "variants.oversell": Field(),
    "variants.weight": Field(),
    "variants.dimensions": Field(),
    "variants.taxable": Field(),
    "variants.tax_class": Field(),
    "variants.virtual": Field(),
    "variants.downloadable": Field(),
    "variants.downloads": Field(),
    "variants.title": Field(write=False, read=False),
    "variants.media": _MEDIA,
    "variants.metafields": Field(),
    "variants.platform_fields": Field(),
    "media.id": Field("media", write=False),
    "media.url": _SOURCE,
    "media.content_hash": Field("media", write=False, read=False),
    "media.media_type": Field("media", write=False),
    "media.alt": _MEDIA,
    "media.position": _MEDIA,
    "upsells": Field("membership"),
    "cross_sells": Field("membership"),
    "created_at": _OWN,
    "updated_at": _OWN,
}

COLLECTION = {
    "id": _OWN,
    "handle": Field(max_length=200, source=_SLUG),
    "title": Field(max_length=200, source="WordPress keeps 200 characters of a term's name"),
    "description_html": Field(),
    "parent": Field(),
    "position": Field(),
    "image.id": Field("media", write=False),
    "image.url": _SOURCE,
    "image.content_hash": Field("media", write=False, read=False),
    "image.media_type": Field("media", write=False),
    "image.alt": _MEDIA,
    "platform_fields": Field(),
}

_LINES = (
    "first_name", "last_name", "address1", "address2", "city", "region_code", "postcode", "country",
)  # fmt: skip

CUSTOMER = {
    "id": _OWN,
    "email": Field(),
    "phone": Field(),
    "first_name": Field(),
    "last_name": Field(),
    "company": Field(),
    **{f"default_address.{line}": Field() for line in _LINES},
    "metafields": Field(),
    "created_at": _OWN,
    "updated_at": _OWN,
}

ORDER = {
    "id": _OWN,
    "key": Field(),
    # Kept where a new order comes from elsewhere; else it is the shop's own.
    "number": _OWN,
    "status": Field(),
    "customer_id": Field(),
    "email": Field(),
    "phone": Field(),
    "currency": Field(),
    **{f"billing_address.{line}": Field() for line in (*_LINES, "company")},
    **{f"shipping_address.{line}": Field() for line in (*_LINES, "company", "phone")},
    "line_items.id": _OWN,
    "line_items.product_id": Field(reverse=False),
    "line_items.variant_id": Field(reverse=False),
    "line_items.sku": Field(reverse=False),
    "line_items.title": Field(reverse=False),
    "line_items.quantity": Field(reverse=False),
    "line_items.total": Field(reverse=False),
    "line_items.unit_price": _OWN,
    "line_items.properties": _OWN,
    "shipping_lines.id": _OWN,
    "shipping_lines.title": Field(reverse=False),
    "shipping_lines.code": Field(reverse=False),
    "shipping_lines.price": Field(reverse=False),
    "note": Field(),
    "metafields": Field(),
    "discount_codes": _OWN,
    "taxes": _OWN,
    "adjustments": _OWN,
    "prices_include_tax": _OWN,
    "discount_total": _OWN,
    "shipping_total": _OWN,
    "tax_total": _OWN,
    "total": _OWN,
    "refunds": _OWN,
    # Each order's are a call of their own, so they are read where they are asked for by name.
    "comments": Field("publication", read=False),
    "comments.author": Field("publication", write=False, read=False),
    "comments.created_at": Field("publication", write=False, read=False),
    "payments": _OWN,
    "created_at": _OWN,
    "updated_at": _OWN,
}

DISCOUNT = {
    "id": _OWN,
    "codes": Field(max_length=1, source="REST schema of coupons, code: one"),
    "title": Field(),
    "status": Field(),
    "percentage": Field(),
    "amount": Field(),
    "each_item": Field(),
    "free_shipping": Field(),
    "minimum_subtotal": Field(),
    "maximum_subtotal": Field(),
    "item_limit": Field(),
    "usage_limit": Field(),
    "usage_limit_per_customer": Field(),
    "usage_count": _OWN,
    "ends_at": Field(),
    "products": Field(),
    "excluded_products": Field(),
    "collections": Field(),
    "excluded_collections": Field(),
    "customer_emails": Field(),
    "combinable": Field(),
    "metafields": Field(),
    "created_at": _OWN,
    "updated_at": _OWN,
}

REVIEW = {
    "id": _OWN,
    "product": Field(),
    "rating": Field(),
    "body": Field(),
    "author": Field(),
    "email": Field(),
    "status": Field(),
    "verified": _OWN,
    "created_at": Field(),
}

#: Parcels, which the shop can hold where a plugin for tracking numbers is active.
TRACKING = {
    "fulfillments.carrier": Field(),
    "fulfillments.tracking_numbers": Field(),
    "fulfillments.tracking_urls": Field(max_length=1, source="WooCommerce Shipment Tracking"),
    "fulfillments.created_at": Field(),
}

_ALWAYS = ("id", "type", "sku", "parent_id")
#: The keys of WooCommerce's JSON that each field of a product is made of.
_PRODUCT_KEYS: Mapping[str, tuple[str, ...]] = {
    "handle": ("slug",),
    "title": ("name",),
    "description_html": ("description",),
    "short_description_html": ("short_description",),
    "brand": ("brands",),
    "tags": ("tags",),
    "status": ("status",),
    "visibility": ("catalog_visibility",),
    "featured": ("featured",),
    "url": ("permalink",),
    "options": ("attributes", "default_attributes"),
    "attributes": ("attributes", "default_attributes"),
    "collections": ("categories",),
    "metafields": ("meta_data",),
    "seo": ("meta_data",),
    "media": ("images",),
    "upsells": ("upsell_ids",),
    "cross_sells": ("cross_sell_ids",),
    "created_at": ("date_created_gmt",),
    "updated_at": ("date_modified_gmt",),
    "platform_fields": (
        "purchase_note", "menu_order", "reviews_allowed", "sold_individually", "external_url",
        "button_text", "grouped_products", "shipping_class", "low_stock_amount", "backorders",
        "download_limit", "download_expiry", "tax_status", "manage_stock", "lang",
    ),
}  # fmt: skip
#: What a parent says itself, besides.
_OF_PARENTS = ("weight", "dimensions", "stock_status")
_OFFER_KEYS = (
    "global_unique_id", "regular_price", "sale_price", "date_on_sale_from_gmt",
    "date_on_sale_to_gmt", "manage_stock", "stock_quantity", "backorders", "weight", "dimensions",
    "tax_status", "tax_class", "virtual", "downloadable", "downloads", "attributes", "meta_data",
    "shipping_class", "low_stock_amount", "download_limit", "download_expiry", "stock_status",
)  # fmt: skip
#: The keys of a variation.
VARIATION_KEYS = (
    "id", "parent_id", "sku", "description", "status", "menu_order", "image", "gallery_image_ids",
    *_OFFER_KEYS,
)  # fmt: skip


def keys_for(fields: Iterable[str] | None) -> str:
    """Return what to ask a product for, so that these fields can be read; None means all."""
    if fields is None:
        fields = (*_PRODUCT_KEYS, "variants")
    keys = dict.fromkeys(_ALWAYS)
    names = [field.partition(".")[0] for field in fields]
    for name in names:
        keys |= dict.fromkeys(_OFFER_KEYS if name == "variants" else _PRODUCT_KEYS.get(name, ()))
    keys |= dict.fromkeys(_OF_PARENTS if "platform_fields" in names else ())
    return ",".join(keys)
