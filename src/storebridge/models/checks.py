"""What must hold for a value that a store should get, wherever the record came from.

Reading a store accepts what the store holds; these checks are for desired records only. They
know no platform: what one platform can't hold is for its adapter to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from storebridge.models.base import KEYS, Record, with_article
from storebridge.models.collection import Category, Collection
from storebridge.models.definition import MetafieldDefinition
from storebridge.models.discount import Discount
from storebridge.models.lines import REMEDY, unplaced
from storebridge.models.market import Location, Market
from storebridge.models.money import Money, is_currency, minor_units
from storebridge.models.order import Order
from storebridge.models.product import MarketPrice, Media, Product, Sale, Variant
from storebridge.models.redirect import Redirect
from storebridge.models.review import Review
from storebridge.models.text import local_file

__all__ = ["STATUSES", "Finding", "problems"]

#: The words for a product's status; the last four are WooCommerce's own, "unlisted" Shopify's.
STATUSES = ("active", "draft", "archived", "unlisted", "private", "pending", "future", "trash")

_URL = re.compile(r"https?://[^\s/?#@\\]+(?:[/?#]\S*)?", re.IGNORECASE)
_PATH = re.compile(r"/\S*")
_METAFIELD = re.compile(r"[^\s.]\S*\.[^\s.]+")
_NO_HANDLE = re.compile(r"[\s/?#%\\\x00-\x1f\x7f]")


class Finding(NamedTuple):
    """One thing wrong in a record: where ("variants.2.price"), what, and what to do."""

    path: str
    value: str
    message: str
    remedy: str


def problems(record: Record, currency: str = "") -> Iterator[Finding]:
    """Yield what is wrong with a desired record; only given fields are looked at.

    Args:
        record: any kind of record.
        currency: what the prices must be in; empty allows any. Market prices have their own.
    """
    check = _CHECKS.get(record.kind)
    if check is not None:
        yield from check(record, currency)
    yield from _references(record)


def _product(product: Product, currency: str) -> Iterator[Finding]:
    yield from _handle("handle", product.handle, "handle" in product.given)
    if product.status not in STATUSES:
        yield Finding(
            "status",
            product.status,
            "This is no status",
            f"Use one of: {', '.join(STATUSES)}",
        )
    for field in ("tags", "tags_add", "tags_remove", "collections"):
        yield from _words(field, getattr(product, field))
    for field in ("media", "media_add"):
        yield from _media(field, getattr(product, field))
    yield from _modes(product)
    yield from _options(product)
    yield from _variants(product, currency)


def _collection(collection: Collection, _: str) -> Iterator[Finding]:
    yield from _handle("handle", collection.handle, "handle" in collection.given)
    if collection.parent and collection.parent == collection.handle:
        yield Finding(
            "parent",
            collection.parent,
            "A collection can't be its own parent",
            "Name the handle of another collection, or leave parent out",
        )
    if collection.rules and (collection.products or collection.products_add):
        yield Finding(
            "products",
            "",
            "A collection that fills itself by rules can't be given products",
            "Leave out its products, or its rules",
        )
    if collection.image is not None:
        yield from _media("image", (collection.image,))


def _category(category: Category, _: str) -> Iterator[Finding]:
    if not category.path.strip():
        yield Finding("path", category.path, "A category needs a path", "Write it like 'A > B'")


def _market(market: Market, _: str) -> Iterator[Finding]:
    yield from _handle("handle", market.handle, "handle" in market.given)
    if market.currency and not is_currency(market.currency):
        yield _unknown_currency("currency", market.currency)


def _location(location: Location, _: str) -> Iterator[Finding]:
    if "name" in location.given and not location.name.strip():
        yield Finding("name", location.name, "A location needs a name", "Give it one")


def _discount(discount: Discount, currency: str) -> Iterator[Finding]:
    if discount.percentage is not None and discount.amount is not None:
        yield Finding(
            "amount",
            str(discount.amount),
            "A discount takes a percentage or an amount off, not both",
            "Leave one of them out",
        )
    if discount.percentage is not None and not 0 <= discount.percentage <= 100:
        shown = str(discount.percentage)
        yield Finding("percentage", shown, "This is no part of a hundred", "Write 0 to 100")
    for field in ("amount", "minimum_subtotal", "maximum_subtotal"):
        money = getattr(discount, field)
        if money is not None and (fault := _fault(money.amount, money.currency, currency)):
            yield Finding(field, *fault)
    yield from _words("codes", discount.codes)
    for field in ("minimum_quantity", "item_limit", "usage_limit", "usage_limit_per_customer"):
        if (count := getattr(discount, field)) is not None and count < 0:
            yield _below_zero(field, count)
    starts, ends = discount.starts_at, discount.ends_at
    if starts is not None and ends is not None and ends <= starts:
        message = "The discount ends before it starts"
        yield Finding("ends_at", str(ends), message, "Put the end after the start")


def _review(review: Review, _: str) -> Iterator[Finding]:
    if review.rating is not None and not 1 <= review.rating <= 5:
        yield Finding("rating", str(review.rating), "A rating is from 1 to 5", "Convert it")


def _redirect(redirect: Redirect, _: str) -> Iterator[Finding]:
    path, target = redirect.path, redirect.target
    if "path" in redirect.given and not _PATH.fullmatch(path):
        message = "This is no path of a shop"
        yield Finding("path", path, message, "Write what follows the domain, like /old-shop/tee")
    if "target" in redirect.given and not (_PATH.fullmatch(target) or _URL.fullmatch(target)):
        message = "This leads nowhere"
        yield Finding("target", target, message, "Write a path like /products/tee, or an address")
    elif path and path == target:
        yield Finding("target", target, "The path leads to itself", "Name another target")


def _definition(definition: MetafieldDefinition, _: str) -> Iterator[Finding]:
    metafield = definition.metafield
    if "metafield" in definition.given and not _METAFIELD.fullmatch(metafield):
        message = "This names no metafield"
        yield Finding("metafield", metafield, message, "Write namespace.key, like custom.material")
    for name, value in definition.validations.items():
        if not (name.strip() and value.strip()):
            message = "A validation needs a name and a value"
            yield Finding("validations", f"{name}: {value}", message, "Leave it out, or fill it in")


def _order(order: Order, _: str) -> Iterator[Finding]:
    for path, name in unplaced(order, order.line_items) if "line_items" in order.given else ():
        yield Finding(path, name, "This is none of the order's lines", REMEDY)


_CHECKS: dict[str, Callable[[Any, str], Iterator[Finding]]] = {
    "product": _product,
    "collection": _collection,
    "category": _category,
    "market": _market,
    "location": _location,
    "discount": _discount,
    "order": _order,
    "review": _review,
    "redirect": _redirect,
    "metafield_definition": _definition,
}


def _handle(path: str, handle: str, given: bool) -> Iterator[Finding]:
    if not given or (handle and not _NO_HANDLE.search(handle)):
        return
    message = "The handle is empty" if not handle else "This can't be part of an address"
    yield Finding(path, handle, message, "Use letters, digits and hyphens, like blue-shirt")


def _words(path: str, words: tuple[str, ...]) -> Iterator[Finding]:
    for place, word in enumerate(words):
        if not word.strip():
            yield Finding(f"{path}.{place}", word, "This is empty", "Leave it out, or name it")


def _references(record: Record) -> Iterator[Finding]:
    """Yield the references that don't say by which kind of key they name a record."""
    for name, kind in _keyed(type(record)):
        if name not in record.model_fields_set:
            continue
        value = getattr(record, name)
        for word in (value,) if isinstance(value, str) else value:
            if word and not word.startswith(KEYS):
                rest = word.rpartition(":")[2]
                ways = f"Write handle:{rest}, sku:{rest} or id:{rest}, whichever it is"
                yield Finding(
                    name, word, f"This names {with_article(kind)} by no kind of key", ways
                )


@lru_cache(maxsize=64)
def _keyed(model: type[Record]) -> tuple[tuple[str, str], ...]:
    """Return the fields that refer to others by any kind of key, with the kind that they name."""
    keyed = ((field, kind) for field, (kind, start) in model.references.items() if not start)
    return tuple(
        (name, kind)
        for field, kind in keyed
        for name in (field, f"{field}_add", f"{field}_remove")
        if name in model.model_fields
    )


def _media(path: str, media: tuple[Media, ...]) -> Iterator[Finding]:
    for place, item in enumerate(media):
        if item.url and not _is_address(item.url):
            yield _bad_url(f"{path}.{place}.url", item.url)


def _modes(product: Product) -> Iterator[Finding]:
    for field in product.modes:
        if field not in type(product).model_fields:
            yield Finding(
                f"modes.{field}",
                field,
                "A product has no such field",
                "Name a list field, like media",
            )


def _options(product: Product) -> Iterator[Finding]:
    names: set[str] = set()
    for place, option in enumerate(product.options):
        if not option.name.strip() or option.name in names:
            message = "This option name comes twice" if option.name else "An option has no name"
            yield Finding(
                f"options.{place}.name", option.name, message, "Give each option its own name"
            )
        names.add(option.name)
        if len(set(option.values)) != len(option.values):
            twice = next(v for v in option.values if option.values.count(v) > 1)
            yield Finding(
                f"options.{place}.values", twice, "This option value comes twice", "Keep one"
            )


def _variants(product: Product, currency: str) -> Iterator[Finding]:
    given = "options" in product.model_fields_set
    known = [frozenset(option.values) for option in product.options] if given else None
    choices: dict[tuple[str, ...], int] = {}
    skus: dict[str, int] = {}
    for place, variant in enumerate(product.variants):
        # A variant that is named by id or SKU may leave its options alone.
        told = "options" in variant.model_fields_set or not (variant.id or variant.sku)
        if told and (known is not None or variant.options):
            first = choices.setdefault(variant.options, place)
            if first != place or (known is not None and not _fits(variant.options, known)):
                yield from _choice(place, variant, known, first)
        if variant.sku and skus.setdefault(variant.sku, place) != place:
            yield Finding(
                f"variants.{place}.sku",
                variant.sku,
                f"Variant {skus[variant.sku] + 1} of this product has the same SKU",
                "Give each variant a SKU of its own",
            )
        if faults := _variant(place, variant, currency):
            yield from faults


def _fits(values: tuple[str, ...], known: list[frozenset[str]]) -> bool:
    if len(values) != len(known):
        return False
    for value, allowed in zip(values, known, strict=True):
        if value not in allowed and value and allowed:
            return False
    return True


def _choice(
    place: int, variant: Variant, known: list[frozenset[str]] | None, first: int
) -> Iterator[Finding]:
    """Say what is wrong with a variant's option values."""
    values, path = variant.options, f"variants.{place}.options"
    shown = " / ".join(values)
    if known is not None and len(values) != len(known):
        yield Finding(
            path,
            shown,
            f"The variant has {len(values)} option values, the product {len(known)} options",
            "Give one value for each option",
        )
    for value, allowed in zip(values, known or (), strict=False):
        if value and allowed and value not in allowed:
            yield Finding(
                path, value, "The option has no such value", "Add it to the option's values"
            )
    if first != place:
        yield Finding(
            path,
            shown,
            f"Variant {first + 1} of this product has the same option values",
            "Give each variant a choice of its own",
        )


def _variant(place: int, variant: Variant, currency: str) -> list[Finding]:
    """Return what is wrong with one variant by itself; called for every one, so kept lean."""
    found: list[Finding] = []
    for field, money in (
        ("price", variant.price),
        ("compare_at_price", variant.compare_at_price),
        ("cost", variant.cost),
    ):
        if money is not None and (fault := _fault(money.amount, money.currency, currency)):
            found.append(Finding(f"variants.{place}.{field}", *fault))
    if variant.sale is not None:
        found += _sale(f"variants.{place}", variant.sale, currency)
    for at, market in enumerate(variant.market_prices):
        found += _market_price(f"variants.{place}.market_prices.{at}", market)
    for at, url in enumerate(variant.media):
        if not _is_address(url):
            found.append(_bad_url(f"variants.{place}.media.{at}", url))
    if variant.weight is not None and variant.weight.value < 0:
        found.append(_below_zero(f"variants.{place}.weight", variant.weight.value))
    if variant.dimensions is not None:
        for side in ("length", "width", "height"):
            size = getattr(variant.dimensions, side)
            if size is not None and size.value < 0:
                found.append(_below_zero(f"variants.{place}.dimensions.{side}", size.value))
    return found


def _sale(path: str, sale: Sale, currency: str) -> Iterator[Finding]:
    if fault := _fault(sale.price.amount, sale.price.currency, currency):
        yield Finding(f"{path}.sale.price", *fault)
    if sale.starts_at is not None and sale.ends_at is not None and sale.ends_at <= sale.starts_at:
        yield Finding(
            f"{path}.sale.ends_at",
            str(sale.ends_at),
            "The sale ends before it starts",
            "Put the end after the start",
        )


def _market_price(path: str, price: MarketPrice) -> Iterator[Finding]:
    for field, money in (
        ("price", price.price),
        ("compare_at_price", price.compare_at_price),
    ):
        if money is not None and (fault := _fault(money.amount, money.currency, "")):
            yield Finding(f"{path}.{field}", *fault)


@lru_cache(maxsize=1 << 13)
def _fault(amount: Decimal, code: str, currency: str) -> tuple[str, str, str] | None:
    """Return value, message and remedy of what is wrong with an amount, None if nothing is."""
    money = Money(amount, code)
    shown = str(money)
    if currency and code != currency:
        return (
            shown,
            f"The price is in {code}, the currency here is {currency}",
            f"Convert it to {currency} first",
        )
    if not is_currency(code):
        return shown, "ISO 4217 has no such currency", "Use a code like EUR"
    if amount < 0:
        return shown, "A price can't be below zero", "Write an amount of 0 or more"
    if not money.fits:
        digits = minor_units(code)
        return shown, f"{code} has {digits} decimal digits", f"Round to {digits} digits"
    return None


def _unknown_currency(path: str, code: str) -> Finding:
    return Finding(path, code, "ISO 4217 has no such currency", "Use a code like EUR")


def _is_address(url: str) -> bool:
    return _URL.fullmatch(url) is not None or local_file(url) is not None


def _bad_url(path: str, url: str) -> Finding:
    return Finding(
        path,
        url,
        "This is no web address",
        "Write a whole one that starts with https:// or http://, without spaces",
    )


def _below_zero(path: str, value: Decimal | int) -> Finding:
    return Finding(path, str(value), "This can't be below zero", "Write 0 or more")
