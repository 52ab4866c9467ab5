"""Which scopes a token needs for what, by the published schema (`offline_scopes`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from storebridge.adapter import Fit
from storebridge.errors import NotSupported
from storebridge.models import Record

__all__ = ["ALL_ORDERS", "DEFINED", "SCOPES", "Need", "Scopes", "lacking", "missing", "reading"]


@dataclass(frozen=True, slots=True)
class Need:
    """A scope, and the operation that needs it."""

    scope: str
    operation: str


#: What scopes call the owners of metafields; the definitions of each are read and written with it.
DEFINED: Mapping[str, str] = {
    "product": "products",
    "variant": "products",
    "collection": "products",
    "customer": "customers",
    "order": "orders",
}
#: Shopify gives it to an app on application only, so that nobody is asked for it.
ALL_ORDERS = "read_all_orders"
#: What each kind needs to be read.
_READING: Mapping[str, str] = {
    "product": "read_products",
    "collection": "read_products",
    "customer": "read_customers",
    "order": "read_orders",
    "discount": "read_discounts",
    "redirect": "read_online_store_navigation",
    "metafield_definition": "read_products",
}
#: What is read only where a scope allows it, and is left out of records otherwise; by kind.
_READING_PARTS: Mapping[str, tuple[Need, ...]] = {
    "metafield_definition": (
        Need("read_customers", "reading definitions of customers' metafields"),
        Need("read_orders", "reading definitions of orders' metafields"),
    ),
    "product": (
        Need("read_inventory", "reading stock levels"),
        Need("read_locations", "reading locations"),
        Need("read_markets", "reading the prices of markets"),
        Need("read_publications", "reading sales channels"),
        Need("read_translations", "reading translations"),
        Need("read_locales", "reading the shop's languages"),
    ),
    "collection": (
        Need("read_publications", "reading sales channels"),
        Need("read_translations", "reading translations"),
        Need("read_locales", "reading the shop's languages"),
    ),
    "discount": (
        Need("read_customers", "reading whom a discount is for"),
        Need("read_products", "reading what a discount is for"),
    ),
    "order": (
        Need("read_customers", "reading buyers"),
        Need("read_products", "reading which products were sold"),
        Need("read_locations", "reading locations"),
        Need(ALL_ORDERS, "reading orders older than 60 days"),
    ),
}
#: What writing the fields of a kind needs, by the beginning of their path; the longest counts.
_WRITING: Mapping[str, Mapping[str, Need]] = {
    "product": {
        "": Need("write_products", "productSet"),
        "media": Need("write_files", "productSet"),
        "variants.inventory": Need("write_inventory", "inventorySetQuantities"),
        "channels": Need("write_publications", "publishablePublish"),
        "translations": Need("write_translations", "translationsRegister"),
    },
    "collection": {
        "": Need("write_products", "collectionCreate"),
        "channels": Need("write_publications", "publishablePublish"),
        "translations": Need("write_translations", "translationsRegister"),
    },
    "customer": {
        "": Need("write_customers", "customerSet"),
        "consents": Need("write_customers", "customerEmailMarketingConsentUpdate"),
    },
    "order": {
        "": Need("write_orders", "orderUpdate"),
        "fulfillments": Need("write_merchant_managed_fulfillment_orders", "fulfillmentCreate"),
    },
    "discount": {"": Need("write_discounts", "discountCodeBasicCreate")},
    "metafield_definition": {"": Need("write_products", "metafieldDefinitionCreate")},
    "redirect": {"": Need("write_online_store_navigation", "urlRedirectCreate")},
}
#: The other operations that write a kind, by the scope that they need.
_ALSO: Mapping[str, Mapping[str, str]] = {
    "product": {
        "write_products": "productUpdate productVariantsBulkCreate productVariantsBulkUpdate "
        "productReorderMedia productVariantDetachMedia tagsAdd tagsRemove "
        "priceListFixedPricesAdd metafieldsSet metafieldsDelete productDelete",
        "write_files": "fileUpdate",
        "write_inventory": "inventoryActivate",
        "write_publications": "publishableUnpublish",
        "write_translations": "translationsRemove",
    },
    "collection": {
        "write_products": "collectionUpdate collectionAddProductsV2 collectionRemoveProducts "
        "collectionReorderProducts metafieldsSet metafieldsDelete collectionDelete",
        "write_publications": "publishableUnpublish",
        "write_translations": "translationsRemove",
    },
    "customer": {"write_customers": "customerSmsMarketingConsentUpdate customerDelete"},
    "order": {
        "write_orders": "orderCreate orderOpen orderClose orderCancel orderDelete",
        "write_merchant_managed_fulfillment_orders": "fulfillmentTrackingInfoUpdate",
    },
    "discount": {
        "write_discounts": "discountCodeBasicUpdate discountCodeFreeShippingCreate "
        "discountCodeFreeShippingUpdate discountRedeemCodeBulkAdd "
        "discountCodeRedeemCodeBulkDelete discountCodeDelete discountAutomaticDelete"
    },
    "metafield_definition": {
        "write_products": "metafieldDefinitionUpdate metafieldDefinitionDelete",
        "write_customers": "metafieldDefinitionCreate",
        "write_orders": "metafieldDefinitionCreate",
    },
    "redirect": {
        "write_online_store_navigation": "urlRedirectUpdate urlRedirectImportCreate "
        "urlRedirectImportSubmit urlRedirectDelete"
    },
}


@dataclass(frozen=True, slots=True)
class Scopes:
    """The scopes that a token has."""

    granted: tuple[str, ...]

    @classmethod
    def of(cls, handles: Iterable[str]) -> Self:
        """Return the scopes of these handles."""
        return cls(tuple(handles))

    def has(self, scope: str) -> bool:
        """Return whether a scope was granted; writing something includes reading it."""
        return scope in self.granted or (
            scope.startswith("read_") and f"write_{scope[5:]}" in self.granted
        )


def reading(kind: str, scopes: Scopes) -> NotSupported | None:
    """Return why a kind of record can't be read with a token, None where it can."""
    scope = _READING[kind]
    if scopes.has(scope):
        return None
    return NotSupported(
        f"the token lacks the scope {scope}, which reading {kind}s needs",
        f"give the app {scope}, and install it again",
    )


def lacking(record: Record, paths: Iterable[str], scopes: Scopes) -> Iterator[Fit]:
    """Yield what a token may not write of a record, each scope once."""
    needs = _WRITING.get(record.kind, {})
    told: set[str] = set()
    for path in paths:
        match = max((start for start in needs if _covers(start, path)), key=len, default=None)
        if match is None or scopes.has(needs[match].scope) or needs[match].scope in told:
            continue
        told.add(needs[match].scope)
        need = needs[match]
        message = f"the token lacks the scope {need.scope}, which {need.operation} needs"
        yield Fit(record.kind, record.label, path, message, "access scopes of the Admin API")


def missing(scopes: Scopes, kind: str = "") -> tuple[str, ...]:
    """Return what a token may not do, each scope with what needs it; of one kind, or of all."""
    lacks: dict[str, dict[str, None]] = {}
    for need in _needs(kind):
        if not scopes.has(need.scope):
            lacks.setdefault(need.scope, {})[need.operation] = None
    return tuple(f"no scope {scope}, for {', '.join(found)}" for scope, found in lacks.items())


def _needs(kind: str = "") -> Iterator[Need]:
    for each in (kind,) if kind else _READING:
        if each in _READING:
            yield Need(_READING[each], f"reading {each}s")
        yield from _READING_PARTS.get(each, ())
        yield from _WRITING.get(each, {}).values()
        for scope, operations in _ALSO.get(each, {}).items():
            yield from (Need(scope, operation) for operation in operations.split())


_WANTED = {need.scope for need in _needs()} - {ALL_ORDERS}
#: What a person is asked to allow an app that is to do all this; writing includes reading.
SCOPES: tuple[str, ...] = tuple(
    sorted(each for each in _WANTED if each.replace("read_", "write_", 1) not in _WANTED - {each})
)


def _covers(start: str, path: str) -> bool:
    return not start or path == start or path.startswith(f"{start}.")
