"""A shop with Polylang 3.9 alone, German and then English, by cassette."""

from __future__ import annotations

import pytest
from tests.adapters.woocommerce.recorded import Shop

from storebridge.flow import Status
from storebridge.models import Collection, Product, Variant

pytestmark = pytest.mark.vcr


def named(title: str, sku: str) -> Product:
    return Product(title=title, status="active", variants=(Variant(sku=sku),))


def test_each_language_is_a_catalogue_of_its_own(shop: Shop) -> None:
    german, english = shop.open(), shop.open(language="en")
    assert german.info.locales == ("de-DE", "en-US")
    made = german.products.create(named("Hemd", "SHIRT-DE"))
    assert made.status is Status.APPLIED
    assert english.products.create(named("Shirt", "SHIRT-EN")).status is Status.APPLIED
    assert [product.title for product in german.products.iter()] == ["Hemd"]
    assert [product.title for product in english.products.iter()] == ["Shirt"]
    # A SKU is one product's in all languages together.
    assert english.products.create(named("Twice", "SHIRT-DE")).cause == "conflict"
    refused = english.products.update(Product(id=made.id, title="Shirt"))
    assert (refused.status, refused.cause) == (Status.FAILED, "missing"), refused
    assert [product.title for product in german.products.iter()] == ["Hemd"]


def test_new_categories_are_of_the_catalogues_language(shop: Shop) -> None:
    english = shop.open(language="en")
    category = Collection(handle="shirts", title="Shirts")
    assert english.collections.create(category).status is Status.APPLIED
    assert [each.handle for each in english.collections.iter()] == ["shirts"]
    assert "shirts" not in [each.handle for each in shop.open().collections.iter()]
