"""Which scopes a token needs for what, by the published schema (`offline_scopes`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from storebridge.adapter import Fit
from storebridge.errors import AccessDenied, NotSupported
from storebridge.models import Record

__all__ = ["Need", "Scopes", "lacking", "reading"]

#: What each kind needs to be read.
_READING: Mapping[str, str] = {
    "product": "read_products",
    "collection": "read_products",
    "customer": "read_customers",
    "order": "read_orders",
}


@dataclass(frozen=True, slots=True)
class Need:
    """A scope, and the operation that needs it."""

    scope: str
    operation: str


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

    def need(self, scope: str, operation: str) -> None:
        """Do nothing where a scope was granted.

        Raises:
            AccessDenied: if it wasn't; the message names it.
        """
        if not self.has(scope):
            raise AccessDenied(
                f"the token lacks the scope {scope}, which {operation} needs",
                code="ACCESS_DENIED",
                remedy=f"Give the app the scope {scope}, and install it again.",
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


def _covers(start: str, path: str) -> bool:
    return not start or path == start or path.startswith(f"{start}.")
