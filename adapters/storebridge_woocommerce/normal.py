"""Desired products as WooCommerce will give them back, and what it can't give back at all.

What was sent is compared with what is read in this form. What a form leaves out is in the fit
report, before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from storebridge.adapter import Fit
from storebridge.models import (
    Attribute,
    Media,
    Metafield,
    Option,
    Product,
    Sale,
    Variant,
)
from storebridge_woocommerce import prices, sizes
from storebridge_woocommerce.reading import NAMESPACE, OFFER_EXTRAS, OWN_EXTRAS
from storebridge_woocommerce.site import Facts
from storebridge_woocommerce.text import (
    alt_form,
    autop,
    filtered,
    html_form,
    slug_form,
    tax_class,
    term_form,
)
from storebridge_woocommerce.writing import STATUSES

__all__ = ["medium", "metafield", "product", "unfit"]

M = TypeVar("M", Option, Attribute)

_UNKNOWN = "WooCommerce's products have no such field"
_HTML = ("description_html", "short_description_html")
_BACK = {"publish": "active"}
_EXTRAS = frozenset({*OWN_EXTRAS, *OFFER_EXTRAS, *sizes.PARENT_SIZES})
#: How texts of a variant read back.
_FORMS: Mapping[str, Callable[[str], str]] = {
    "description_html": autop,
    "tax_class": tax_class,
    "status": lambda status: "active" if status == "active" else "private",
}
#: What a variant says that says nothing.
_PLAIN = Variant()
#: What a simple product, being its own variant, has once and for all of it.
_VARIATIONS_ONLY = ("description_html", "status", "position", "metafields", "media")


def product(desired: Product, facts: Facts | None, default_category: str) -> Product:
    """Return a desired product as it reads back."""
    given = desired.given
    new = _texts(desired, facts) | _groups(desired, default_category)
    if "options" in given:
        new["options"] = tuple(map(_option, desired.options))
    if "media" in given:
        new["media"] = tuple(map(medium, desired.media))
    if "attributes" in given:
        new["attributes"] = tuple(map(_attribute, desired.attributes))
    if "metafields" in given:
        new["metafields"] = tuple(map(metafield, desired.metafields))
    if "platform_fields" in given:
        kept = new["platform_fields"] = _kept(desired.platform_fields, _EXTRAS)
        if NAMESPACE in kept and _alone(desired):
            for name in sizes.PARENT_SIZES:
                kept[NAMESPACE].pop(name, None)
        elif NAMESPACE in kept and facts is not None:
            kept[NAMESPACE] |= sizes.parent_normal(kept[NAMESPACE], facts)
        if desired.options:  # it follows the variations
            new["platform_fields"].get(NAMESPACE, {}).pop("stock_status", None)
    if "sku" in given and not desired.sku and not desired.options and len(desired.variants) == 1:
        new["sku"] = desired.variants[0].sku  # a simple product has one SKU, its variant's
    if "variants" in given:
        simple = "options" in given and not desired.options
        new["variants"] = tuple(_variant(each, facts, simple) for each in desired.variants)
    changed = {name: value for name, value in new.items() if value != getattr(desired, name)}
    return desired.model_copy(update=changed) if changed else desired


def _texts(desired: Product, facts: Facts | None) -> dict[str, Any]:
    given, new = desired.given, dict[str, Any]()
    if "title" in given:
        new["title"] = desired.title.replace("\0", "").strip()
    new |= {name: html_form(getattr(desired, name)) for name in _HTML if name in given}
    if "handle" in given:
        new["handle"] = slug_form(desired.handle, facts.language if facts else "")
    if "status" in given:
        word = STATUSES.get(desired.status, desired.status)
        new["status"] = _BACK.get(word, word)
    return new


def _groups(desired: Product, default_category: str) -> dict[str, Any]:
    """Return tags, brand and categories; the category that stands for none is left out."""
    given, new = desired.given, dict[str, Any]()
    for name in ("tags", "tags_add", "tags_remove"):
        if name in given:
            new[name] = _sorted(map(term_form, getattr(desired, name)))
    if "brand" in given:
        new["brand"] = term_form(desired.brand)
    if "collections" in given:
        handles = _sorted(desired.collections)
        new["collections"] = () if handles == (default_category,) else handles
    return new


def unfit(desired: Product, currency: str) -> Iterator[Fit]:
    """Yield what WooCommerce would filter, bend or drop of a desired product."""

    def fit(field: str, message: str, source: str = "recorded exchanges") -> Fit:
        return Fit("product", desired.label, field, message, source)

    for name in _HTML:
        for what in filtered(getattr(desired, name)):
            yield fit(name, f"WordPress takes {what} out of the text")
    for option in desired.options:
        if any("|" in value for value in option.values):
            yield fit("options", "WooCommerce splits an option's value at |")
    own = desired.platform_fields.get(NAMESPACE, {})
    for key in sorted(own.keys() - _EXTRAS):
        yield fit(f"platform_fields.{NAMESPACE}.{key}", _UNKNOWN)
    if _alone(desired):
        for key in sorted(own.keys() & sizes.PARENT_SIZES):
            yield fit(f"platform_fields.{NAMESPACE}.{key}", sizes.ALONE)
    for field, message in _misfits(desired):
        yield fit(field, message)
    for variant in desired.variants:
        for field, message in _unfit(variant, currency):
            yield fit(f"variants.{field}", message)


def _alone(desired: Product) -> bool:
    """Return whether a product is its own variant, which has its weight and size."""
    said = "options" in desired.given or "variants" in desired.given
    grouped = desired.platform_fields.get(NAMESPACE, {}).get("type") == "grouped"
    return (
        said
        and not desired.options
        and not any(v.options for v in desired.variants)
        and (not grouped)
    )


def _misfits(desired: Product) -> Iterator[tuple[str, str]]:
    """Yield field and message of what all variants together ask for, and can't have."""
    variants = desired.variants
    if "options" in desired.given and not desired.options:
        pictures = {item.url for item in desired.media}
        if len(variants) > 1:
            yield "variants", "a product without options has one variant only"
        if not all(pictures.issuperset(each.media) for each in variants):
            yield "variants.media", "a product without options has its own pictures only"
        for name in ("description_html", "metafields", "status"):
            if any(getattr(each, name) != getattr(_PLAIN, name) for each in variants):
                yield f"variants.{name}", f"a product without options has its own {name} only"
    if any(_named(each, desired.title) for each in variants):
        yield "variants.title", "WooCommerce names a variation by its options"
    offers = {key for each in variants for key in each.platform_fields.get(NAMESPACE, {})}
    for key in sorted(offers - OFFER_EXTRAS.keys()):
        yield f"variants.platform_fields.{NAMESPACE}.{key}", _UNKNOWN


def _named(variant: Variant, product_title: str) -> bool:
    """Return whether a variant has a title that WooCommerce wouldn't make of its options."""
    title, options = variant.title, tuple(filter(None, variant.options))
    known = {joint.join(options) for joint in (", ", " / ", "/", " ", " - ")}
    known |= {f"{product_title} - {each}" for each in known}
    return title not in {"", product_title, "Default Title", *known}


def _unfit(variant: Variant, currency: str) -> Iterator[tuple[str, str]]:
    if variant.given >= prices.PRICES and (fault := prices.fault(variant, currency)):
        yield "price", fault
    if "tracked" in variant.given and not variant.tracked and variant.inventory:
        yield "inventory", "WooCommerce keeps no quantity of what it doesn't count"
    if variant.tax_class not in ("", "standard") and not tax_class(variant.tax_class):
        yield "tax_class", f"{variant.tax_class!r} is no tax class of a shop, but a code of goods"
    if variant.virtual and (variant.weight or variant.dimensions):
        yield "weight", "WooCommerce keeps no size of virtual products"
    if variant.downloads and "downloadable" in variant.given and not variant.downloadable:
        yield "downloads", "WooCommerce keeps files of downloadable products only"


def _variant(desired: Variant, facts: Facts | None, simple: bool) -> Variant:
    given, new = desired.given, dict[str, Any]()
    new |= {name: form(getattr(desired, name)) for name, form in _FORMS.items() if name in given}
    if desired.sale is not None:
        new["sale"] = _whole_seconds(desired.sale)
    if "tracked" in given and not desired.tracked and desired.inventory:
        new["inventory"] = ()
    if "downloadable" in given and not desired.downloadable and desired.downloads:
        new["downloads"] = ()
    if desired.virtual:
        new |= {name: None for name in ("weight", "dimensions") if name in given}
    elif facts is not None:
        new |= sizes.normal(desired, facts)
    if "metafields" in given:
        new["metafields"] = tuple(map(metafield, desired.metafields))
    if "platform_fields" in given:
        kept = new["platform_fields"] = _kept(desired.platform_fields, OFFER_EXTRAS)
        if desired.inventory or ("tracked" in given and desired.tracked):
            kept.get(NAMESPACE, {}).pop("stock_status", None)  # it follows the quantity
        if desired.options:
            kept.get(NAMESPACE, {}).pop("sold_individually", None)  # its parent's
    changed = {name: value for name, value in new.items() if value != getattr(desired, name)}
    variant = desired.model_copy(update=changed) if changed else desired
    return variant.without(*_VARIATIONS_ONLY) if simple else variant


def _whole_seconds(sale: Sale) -> Sale:
    times = {
        name: time.replace(microsecond=0)
        for name in ("starts_at", "ends_at")
        if (time := getattr(sale, name)) is not None
    }
    return sale.model_copy(update=times) if times else sale


def _option(option: Option) -> Option:
    if "platform_fields" not in option.given:
        return option
    fields = _kept(option.platform_fields, ("global", "default", "visible"))
    if NAMESPACE in fields:
        own = fields[NAMESPACE] = {"visible": True, **fields[NAMESPACE]}
        if own.get("global") and isinstance(own.get("default"), str):
            own["default"] = slug_form(own["default"])  # a value of the shop's is told by its slug
    return option.model_copy(update={"platform_fields": fields}) if fields else _bare(option)


def _attribute(attribute: Attribute) -> Attribute:
    if "platform_fields" not in attribute.given:
        return attribute
    fields = _kept(attribute.platform_fields, ("global",))
    return attribute.model_copy(update={"platform_fields": fields}) if fields else _bare(attribute)


def _bare(item: M) -> M:
    return item.without("platform_fields")


def _kept(own: Mapping[str, Mapping[str, Any]], known: Container[str]) -> dict[str, dict[str, Any]]:
    """Return the platform's own fields that it has: other platforms' ones are for them only."""
    mine = {name: value for name, value in own.get(NAMESPACE, {}).items() if name in known}
    if isinstance(mine.get("shipping_class"), str):
        mine["shipping_class"] = slug_form(mine["shipping_class"])
    return {NAMESPACE: mine} if mine else {}


def medium(item: Media) -> Media:
    """Return a picture with its text as that reads back."""
    alt = alt_form(item.alt)
    return item if alt == item.alt else item.model_copy(update={"alt": alt})


def metafield(field: Metafield) -> Metafield:
    """Return a metafield without a type: WooCommerce knows text and lists, and no others."""
    kept = field if field.type == "json" else field.without("type")
    return kept if field.namespace else kept.model_copy(update={"namespace": NAMESPACE})


def _sorted(words: Iterable[str]) -> tuple[str, ...]:
    """Return tags or handles once each, in an order of their own: the server sorts them by name."""
    return tuple(sorted(dict.fromkeys(words), key=lambda word: (word.casefold(), word)))
