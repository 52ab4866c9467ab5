"""What Template can hold, by field path, with the part that each field is written in."""

from __future__ import annotations

from storebridge.adapter import Field

__all__ = ["COLLECTION", "CUSTOMER", "PRODUCT"]

_MANUAL = "Template manual, Limits"
_OWN = Field(write=False)

PRODUCT = {
    "id": _OWN,
    "key": Field(max_length=64, source=_MANUAL),
    "handle": Field(max_length=255, source=_MANUAL),
    "title": Field(max_length=255, source=_MANUAL),
    "description_html": Field(),
    "vendor": Field(),
    "product_type": Field(),
    "tags": Field(max_length=250, source=_MANUAL),
    "status": Field(),
    "options": Field(max_length=3, source=_MANUAL),
    "seo": Field(),
    "variants.id": _OWN,
    "variants.sku": Field(),
    "variants.options": Field(),
    "variants.price": Field(),
    "variants.compare_at_price": Field(),
    "variants.cost": Field(),
    "variants.barcodes": Field(max_length=1, source=_MANUAL),
    "variants.weight": Field(),
    "variants.taxable": Field(),
    "variants.inventory": Field("inventory"),
    "variants.market_prices": Field("prices"),
    "translations.locale": Field("translations"),
    "translations.field": Field("translations"),
    "translations.value": Field("translations"),
    "collections": Field("membership"),
    "created_at": _OWN,
    "updated_at": _OWN,
}

COLLECTION = {
    "id": _OWN,
    "key": Field(max_length=64, source=_MANUAL),
    "handle": Field(max_length=255, source=_MANUAL),
    "title": Field(max_length=255, source=_MANUAL),
    "description_html": Field(),
    "position": Field(),
    "seo": Field(),
    "updated_at": _OWN,
}

CUSTOMER = {
    "id": _OWN,
    "key": Field(max_length=64, source=_MANUAL),
    "email": Field(),
    "phone": Field(),
    "first_name": Field(),
    "last_name": Field(),
    "company": Field(),
    "locale": Field(),
    "tags": Field(max_length=250, source=_MANUAL),
    "note": Field(),
    "tax_exempt": Field(),
    "created_at": _OWN,
    "updated_at": _OWN,
}
