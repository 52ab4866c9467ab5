"""A product as Shopify gives it back, and what of it there is no room for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from storebridge.adapter import Fit
from storebridge.models import Media, Option, Product, Variant
from storebridge_shopify.lookup import handle_form
from storebridge_shopify.reading import NAMESPACE
from storebridge_shopify.taxonomy import Taxonomy
from storebridge_shopify.writing import STATUSES, tag_forms

__all__ = ["normal", "unheld"]

E = TypeVar("E", Product, Variant, Option, Media)

#: What `platform_fields` may hold of each; the rest has no call here, or isn't made yet.
_EXTRAS: Mapping[type, frozenset[str]] = {
    Product: frozenset({"template_suffix"}),
    Variant: frozenset({"country_of_origin", "harmonized_system_code"}),
    Option: frozenset(),
    Media: frozenset(),
}
#: The most elements that a product has, where the shop doesn't say otherwise, and who says so.
_MOST = {
    "options": (3, "shop.resourceLimits.maxProductOptions"),
    "variants": (2048, "shop.resourceLimits.maxProductVariants"),
    "media": (250, "PRODUCT_MEDIA_LIMIT_EXCEEDED"),
}
#: What Shopify does anyway, so that nothing is lost.
_DEFAULTS = {"fulfillment_service": "manual", "inventory_tracker": "shopify"}


def normal(desired: Product, taxonomy: Taxonomy, markets: Mapping[str, str]) -> Product:
    """Return a desired product as Shopify gives it back; a status that it lacks is left out.

    Args:
        desired: the product.
        taxonomy: the places that were seen.
        markets: the handles of markets by what people call them.
    """
    desired = _bare(desired)
    if "status" in desired.given and desired.status not in STATUSES:
        desired = desired.without("status")
    given, new = desired.given, dict[str, Any]()
    if "handle" in given:
        new["handle"] = handle_form(desired.handle)
    if "tags" in given:
        new["tags"] = tag_forms(desired.tags)
    if "category" in given:
        new["category"] = taxonomy.path(desired.category)
    if "collections" in given:
        new["collections"] = tuple(sorted(desired.collections))
    if "options" in given:
        new["options"] = tuple(map(_bare, desired.options))
    if "media" in given:
        new["media"] = tuple(map(_bare, desired.media))
    if "variants" in given:
        new["variants"] = tuple(_variant(each, markets) for each in desired.variants)
    changed = {name: value for name, value in new.items() if value != getattr(desired, name)}
    return desired.model_copy(update=changed) if changed else desired


def unheld(desired: Product, limits: Mapping[str, int]) -> Iterator[Fit]:
    """Yield what there is no room for, each once.

    Args:
        desired: the product.
        limits: the most that the shop takes of some fields, where it says so.
    """
    if "status" in desired.given and desired.status not in STATUSES:
        message = f"Shopify has no status {desired.status!r}"
        yield Fit("product", desired.label, "status", message, "ProductStatus")
    for name, (usual, source) in _MOST.items():
        most = limits.get(name, usual)
        if len(getattr(desired, name)) > most:
            yield Fit("product", desired.label, name, f"at most {most:,} {name} fit", source)
    if any("price" in each.given and each.price is None for each in desired.variants):
        message = "Shopify refuses a variant without a price"
        yield Fit("product", desired.label, "variants.price", message, "ProductVariant.price")
    for path, elements in (
        ("", (desired,)),
        ("options.", desired.options),
        ("variants.", desired.variants),
        ("media.", desired.media),
    ):
        for name in dict.fromkeys(_lost(elements)):
            message = "the adapter has no call that writes it"
            yield Fit(
                "product", desired.label, f"{path}platform_fields.{NAMESPACE}.{name}", message
            )


def _lost(elements: Iterable[Product | Variant | Option | Media]) -> Iterator[str]:
    for each in elements:
        for name, value in each.platform_fields.get(NAMESPACE, {}).items():
            kept = name in _EXTRAS[type(each)] or _DEFAULTS.get(name) == value
            if not kept and name != "weight_unit":  # a file's unit without a weight
                # A group is told by its members, as the columns of a file that nobody knows.
                group = isinstance(value, Mapping)
                yield from (f"{name}.{key}" for key in value) if group else (name,)


def _variant(desired: Variant, markets: Mapping[str, str]) -> Variant:
    desired = _bare(desired)
    new: dict[str, Any] = {}
    if desired.weight is not None and not desired.weight.value:
        new["weight"] = None  # Shopify says 0 for none
    if desired.market_prices:
        priced = (each for each in desired.market_prices if each.price or each.compare_at_price)
        new["market_prices"] = tuple(
            each.model_copy(update={"market": markets.get(each.market, each.market)})
            for each in priced
        )
    return desired.model_copy(update=new) if new else desired


def _bare(element: E) -> E:
    """Return an element with the platform's fields that can be written, no others."""
    if "platform_fields" not in element.given:
        return element
    held = element.platform_fields.get(NAMESPACE, {})
    kept = {name: value for name, value in held.items() if name in _EXTRAS[type(element)]}
    return element.model_copy(update={"platform_fields": {NAMESPACE: kept} if kept else {}})
