"""What changes take when they are made directly, and what a job takes: in calls and points.

Counted with the documents that are sent (`cost`), so that a plan says beforehand what Shopify will
charge. A piece of a call that many changes share is counted as its part of a full call.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace
from math import ceil
from typing import Any

from storebridge.adapter import BulkLimits, Change, Cost
from storebridge.models import Collection, Customer, Product, Variant
from storebridge_shopify.graphql import document
from storebridge_shopify.joining import tag_calls, untagged
from storebridge_shopify.matching import keeps_shape
from storebridge_shopify.walk import by_id_variables

__all__ = ["collection", "customer", "jobs", "product"]

#: The most rows of a call (usage/limits), of metafieldsSet, and of a look-up by ids.
_ROWS, _METAFIELDS, _NODES = 250, 25, 50
#: What of a product is written by a call of its own.
_LISTS = frozenset({"id", "options", "variants", "modes"})
#: What of a variant productVariantsBulkUpdate doesn't write.
_NO_ROW = frozenset({"id", "inventory", "options", "position", "modes"})
#: Looks at a job until it ends, and looks at pictures until they are ready.
_LOOKS, _PICTURES = 20, 3


def _of(name: str, variables: Mapping[str, Any] | None = None, *, times: float = 1.0) -> Cost:
    """Return what a document costs, so many times."""
    return Cost(requests=times, points=times * document(name).cost(variables or {}))


def _job() -> Cost:
    """Return what a job takes besides its lines: two transfers, its start, and the looks at it."""
    return (
        _of("staged_uploads")
        + _of("bulk_mutation")
        + _of("bulk_job", times=_LOOKS)
        + Cost(requests=2)
    )


def jobs() -> BulkLimits:
    """Return how many changes of products a job takes, how many jobs run at once, and their cost.

    Five mutations run at once for an app in a shop (usage/bulk-operations, since 2026-01). Of
    10,000 products of 5 variants each job gets a fifth, 8 MB of the 100 MB that a file may have.
    """
    return BulkLimits(changes=2_000, at_once=5, cost=_job())


def product(change: Change[Product], items: Container[str]) -> Cost:
    """Return what a change of a product takes.

    Args:
        change: what is to be written.
        items: the variants whose inventory items are known: those of others are asked for.
    """
    if change.action == "delete":
        return _of("product_delete") + Cost(requests=0, lines=1)
    if change.action == "create":
        lines = Cost(requests=0, lines=1 if change.desired.handle else 0)
        return _made(change.desired) + lines
    found = Cost(requests=0)
    parts = _core(change, items) if change.part == "core" else _PARTS[change.part](change)
    for each in parts:
        found += each
    return found


def collection(change: Change[Collection]) -> Cost | None:
    """Return what a change of a collection takes; None for its members, who must be read first."""
    if change.action == "delete":
        return _of("collection_delete")
    if change.action == "create":
        return _of("collection_create")
    if change.part in ("core", "media"):
        return _of("collection_update")
    return None if change.part == "membership" else _alone(_SHARED[change.part](change))


def customer(change: Change[Customer]) -> Cost:
    """Return what a change of a customer takes; addresses are completed from the live ones."""
    if change.action == "delete":
        return _of("customer_delete")
    if change.part == "publication":
        return _of("email_consent", times=len(change.desired.consents))
    if change.part == "metafields":
        return _alone(_metafields(change))
    found = _of("customer_set")
    if change.action == "update" and {"default_address", "addresses"} & change.desired.given:
        found += _of("customers_by_id", {"addresses": 1, "withAddresses": True})
    return found


def _alone(parts: Iterable[Cost]) -> Cost:
    """Return a sum in which nothing can be made by a job."""
    return sum((replace(each, lines=0) for each in parts), Cost(requests=0))


def _set(variants: int) -> Cost:
    return _of("product_set", {"input": {"variants": [None] * variants}})


def _made(desired: Product) -> Cost:
    """Return what a new product takes: variants beyond 250 values of an option are added to it."""
    rest = _beyond(desired) if len(desired.variants) > _ROWS else 0
    found = _set(len(desired.variants) - rest)
    for start in range(0, rest, _ROWS):
        found += _of("variants_create", {"variants": [None] * min(_ROWS, rest - start)})
    return found


def _beyond(desired: Product) -> int:
    """Return how many variants have a value that an input has no room for."""
    rows = [each.options for each in desired.variants]
    named = (option.values for option in desired.options)
    held = [
        set(list(dict.fromkeys((*values, *used)))[:_ROWS])
        for values, used in zip(named, zip(*rows, strict=False), strict=False)
    ]
    return sum(
        any(value not in there for value, there in zip(row, held, strict=False)) for row in rows
    )


def _core(change: Change[Product], items: Container[str]) -> Iterator[Cost]:
    desired = change.desired
    if not keeps_shape(change):
        variants = max(len(each.variants) for each in (desired, change.before or desired))
        names = frozenset({"variants.sku", "options"})
        yield _of("products_by_id", by_id_variables(names, variants))
        yield _set(variants)
        yield from _tags(change)
        return
    rows = sum(1 for each in desired.variants if each.given - _NO_ROW)
    if untagged(change).given - _LISTS:
        yield _of("product_set") + Cost(requests=0, lines=1)
    yield from _tags(change)
    for start in range(0, rows, _ROWS):
        piece = {"variants": [None] * min(_ROWS, rows - start)}
        yield _of("variants_update", piece) + Cost(requests=0, lines=1)
    yield from _stock(desired.variants, items)


def _tags(change: Change[Product]) -> Iterator[Cost]:
    for name, _ in tag_calls(change):
        yield _of(name) + Cost(requests=0, lines=1)


def _stock(variants: tuple[Variant, ...], items: Container[str]) -> Iterator[Cost]:
    levels = sum(len(each.inventory) for each in variants)
    unknown = sum(1 for each in variants if each.inventory and each.id not in items)
    if levels:
        yield _of("inventory_set", times=levels / _ROWS)
    if unknown:
        yield _of("variants_by_id", {"levels": 1}, times=unknown / _ROWS)


def _media(change: Change[Product]) -> Iterator[Cost]:
    names = frozenset({"media", "variants.media"})
    yield _of("products_by_id", by_id_variables(names, len(change.desired.variants)))
    new = [None for each in change.desired.media if not each.id]
    yield _of("product_set_media", {"input": {"files": new}})
    if new:
        yield _of("files", times=_PICTURES)


def _metafields(change: Change[Any]) -> Iterator[Cost]:
    variants = getattr(change.desired, "variants", ())
    rows = [*change.desired.metafields, *(each for v in variants for each in v.metafields)]
    calls = ceil(len(rows) / _METAFIELDS)
    known = all(each.id for each in variants)
    if calls:
        yield _of("metafields_set", times=calls) + Cost(requests=0, lines=calls if known else 0)
    if change.removed.get("metafields"):
        yield _of("metafields_delete") + Cost(requests=0, lines=1 if known else 0)


def _translations(change: Change[Any]) -> Iterator[Cost]:
    if calls := ceil(len(change.desired.translations) / 100):
        yield _of("translations", {"first": 1})
        yield _of("translations_register", times=calls) + Cost(requests=0, lines=calls)
    if gone := len(change.removed.get("translations", ())):
        yield _of("translations_remove", times=gone) + Cost(requests=0, lines=gone)


def _publication(change: Change[Any]) -> Iterator[Cost]:
    held = change.before.channels if change.before is not None else None
    if change.desired.channels:
        yield _of("publish") + Cost(requests=0, lines=1)
    if held is None or set(held) - set(change.desired.channels):
        yield _of("unpublish") + Cost(requests=0, lines=1)


def _membership(_change: Change[Product]) -> Iterator[Cost]:
    yield _of("product_join") + Cost(requests=0, lines=1)


def _prices(change: Change[Product]) -> Iterator[Cost]:
    rows = [each for variant in change.desired.variants for each in variant.market_prices]
    yield _of("prices_add", times=len(rows) / _ROWS)
    halves = {each.market for each in rows if not each.given >= {"price", "compare_at_price"}}
    for name, size in (("price_list_prices", {"first": 250}), ("variant_prices", {})):
        if halves:
            yield _of(name, size, times=len(halves) / _NODES)


_PARTS = {
    "media": _media,
    "metafields": _metafields,
    "translations": _translations,
    "publication": _publication,
    "membership": _membership,
    "prices": _prices,
}
_SHARED = {"metafields": _metafields, "publication": _publication, "translations": _translations}
