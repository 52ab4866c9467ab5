"""What Shopify can hold, by field path, with the part that each field is written in.

A product's own fields, its variants and the stock of new ones are one call, and so one part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from storebridge.adapter import Field

__all__ = ["COLLECTION", "CUSTOMER", "DISCOUNT", "ORDER", "PRODUCT", "REDIRECT", "wants"]

_LONG = "recorded answers: 'is too long (maximum is 255 characters)'"
_TAGS = "recorded answer: MAX_INPUT_SIZE_EXCEEDED for 251 tags"
_ROWS = "usage/limits: 250 elements of an input's list"
_ALT = "recorded answer: ALT_VALUE_LIMIT_EXCEEDED, 512 characters"
_ONE = "schema, ProductVariantSetInput"
_OWN = Field(write=False)
_MEDIA = Field("media")

PRODUCT: Mapping[str, Field] = {
    "id": _OWN,
    "handle": Field(max_length=255, source=_LONG),
    "title": Field(max_length=255, source=_LONG),
    "description_html": Field(),
    "vendor": Field(max_length=255, source=_LONG),
    "product_type": Field(max_length=255, source=_LONG),
    "category": Field(),
    "tags": Field(max_length=250, source=_TAGS),
    "status": Field(),
    "url": _OWN,
    "seo.title": Field(),
    "seo.description": Field(),
    "options": Field(),
    "variants.id": _OWN,
    "variants.sku": Field(),
    "variants.barcodes": Field(max_length=1, source=_ONE),
    "variants.options": Field(),
    "variants.position": _OWN,
    "variants.price": Field(),
    "variants.compare_at_price": Field(),
    "variants.cost": Field(),
    "variants.inventory": Field(),
    "variants.tracked": Field(),
    "variants.oversell": Field(),
    "variants.weight": Field(),
    "variants.taxable": Field(),
    "variants.requires_shipping": Field(),
    "variants.platform_fields": Field(),
    "variants.media": Field("media", max_length=1, source=_ONE),
    "variants.market_prices.market": Field("prices"),
    "variants.market_prices.price": Field("prices"),
    "variants.market_prices.compare_at_price": Field("prices"),
    "variants.metafields": Field("metafields"),
    "media.id": Field("media", write=False),
    "media.url": Field("media", read=False),
    "media.content_hash": Field("media", write=False, read=False),
    "media.media_type": Field("media", write=False),
    "media.position": _MEDIA,
    "media.alt": Field("media", max_length=512, source=_ALT),
    "metafields": Field("metafields"),
    "translations.locale": Field("translations"),
    "translations.field": Field("translations"),
    "translations.value": Field("translations"),
    "channels": Field("publication"),
    "collections": Field("membership"),
    "gift_card": Field(),
    "platform_fields": Field(),
    "created_at": _OWN,
    "updated_at": _OWN,
}

COLLECTION: Mapping[str, Field] = {
    "id": _OWN,
    "handle": Field(max_length=255, source=_LONG),
    "title": Field(max_length=255, source=_LONG),
    "description_html": Field(),
    "rules.field": Field(),
    "rules.relation": Field(),
    "rules.value": Field(),
    "match_all": Field(),
    "sort_order": Field(),
    "image.id": Field("media", write=False),
    "image.url": Field("media", read=False),
    "image.content_hash": Field("media", write=False, read=False),
    "image.media_type": Field("media", write=False),
    "image.alt": Field("media", max_length=512, source=_ALT),
    "seo.title": Field(),
    "seo.description": Field(),
    "translations.locale": Field("translations"),
    "translations.field": Field("translations"),
    "translations.value": Field("translations"),
    "metafields": Field("metafields"),
    "channels": Field("publication"),
    "products": Field("membership"),
    "updated_at": _OWN,
}

#: The lines of an address that an input takes; a region goes by its code where it has one.
_LINES = ("first_name", "last_name", "company", "address1", "address2", "city", "region",
          "region_code", "postcode", "country", "phone")  # fmt: skip
_NOTE = "recorded answer: 'Note is too long (maximum is 5000 characters)'"

CUSTOMER: Mapping[str, Field] = {
    "id": _OWN,
    "email": Field(max_length=255, source=_LONG),
    "phone": Field(),
    "first_name": Field(max_length=255, source=_LONG),
    "last_name": Field(max_length=255, source=_LONG),
    "locale": Field(),
    "status": _OWN,
    "tags": Field(max_length=250, source=_TAGS),
    "note": Field(max_length=5000, source=_NOTE),
    "tax_exempt": Field(),
    **{f"default_address.{line}": Field() for line in _LINES},
    **{f"addresses.{line}": Field() for line in _LINES},
    "consents": Field("publication", reverse=False),
    "metafields": Field("metafields"),
    "orders_count": _OWN,
    "total_spent": _OWN,
    "created_at": _OWN,
    "updated_at": _OWN,
}

#: What is given when an order is made, and stays as it is from then on.
_MADE = Field(reverse=False)

ORDER: Mapping[str, Field] = {
    **dict.fromkeys(
        ("id", "fulfillment_status", "customer_id", "locale", "subtotal", "shipping_total",
         "tax_total", "total", "refunded_total", "refunds", "channel", "updated_at",
         "cancelled_at", "line_items.id", "line_items.product_id", "line_items.variant_id",
         "line_items.total", "line_items.adjustments", "shipping_lines.id", "payments.id"),
        _OWN,
    ),
    **dict.fromkeys(
        ("key", "number", "payment_status", "currency", "presentment_currency", "line_items.sku",
         "line_items.title", "line_items.variant_title", "line_items.quantity",
         "line_items.unit_price", "line_items.taxes", "line_items.properties",
         "line_items.requires_shipping", "shipping_lines.title", "shipping_lines.code",
         "shipping_lines.price", "shipping_lines.taxes", "taxes.title", "taxes.rate",
         "taxes.amount", "prices_include_tax", "discount_total", "payments.kind",
         "payments.status", "payments.gateway", "payments.amount", "payments.created_at",
         "created_at"),
        _MADE,
    ),
    "discount_codes": Field(reverse=False, max_length=1, source="schema, orderCreate"),
    **{f"billing_address.{line}": _MADE for line in _LINES},
    **{f"shipping_address.{line}": Field() for line in _LINES},
    "email": Field(),
    "phone": Field(),
    "tags": Field(max_length=250, source=_TAGS),
    "note": Field(),
    "metafields": Field("metafields"),
    "status": Field("publication", reverse=False),
    "cancel_reason": Field("publication", reverse=False),
    "fulfillments.id": Field("publication", write=False),
    "fulfillments.status": Field("publication", write=False),
    "fulfillments.created_at": Field("publication", write=False),
    **{
        f"fulfillments.{name}": Field("publication", reverse=False)
        for name in ("location", "lines", "carrier", "tracking_numbers", "tracking_urls")
    },
}  # fmt: skip

DISCOUNT: Mapping[str, Field] = {
    **dict.fromkeys(("id", "usage_count", "created_at", "updated_at"), _OWN),
    **dict.fromkeys(
        ("title", "codes", "status", "percentage", "amount", "each_item", "free_shipping",
         "minimum_subtotal", "minimum_quantity", "usage_limit", "usage_limit_per_customer",
         "starts_at", "ends_at", "combinable", "platform_fields"),
        Field(),
    ),
    **dict.fromkeys(
        ("products", "collections", "customer_emails"), Field(max_length=250, source=_ROWS)
    ),
    "metafields": Field("metafields"),
}  # fmt: skip

METAFIELD_DEFINITION: Mapping[str, Field] = {
    "id": _OWN,
    **dict.fromkeys(("owner", "metafield", "type"), _MADE),
    "name": Field(max_length=255, source=_LONG),
    "description": Field(),
    "validations": Field(),
    "pinned": Field(),
    "platform_fields": Field(),
}

REDIRECT: Mapping[str, Field] = {"id": _OWN, "path": Field(), "target": Field()}


def wants(fields: Iterable[str] | None, path: str) -> bool:
    """Return whether a path, what lies in it or what it lies in is among some fields."""
    if fields is None:
        return True
    return any(
        each == path or each.startswith(f"{path}.") or path.startswith(f"{each}.")
        for each in fields
    )
