"""What the sandbox's shop says about itself: its plan, locations, markets and channels."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from storebridge_shopify.sandbox_fields import (
    Info,
    connection,
    field,
)
from storebridge_shopify.sandbox_state import Doc, State, gid

__all__ = ["SCOPES", "open_shop", "publication"]

#: The scopes of the sandbox's token, unless its state says otherwise.
SCOPES = (
    "write_products",
    "write_inventory",
    "write_publications",
    "write_translations",
    "write_locales",
    "write_markets",
    "write_customers",
    "write_orders",
    "write_discounts",
    "write_files",
    "write_online_store_navigation",
    "write_merchant_managed_fulfillment_orders",
    "read_locations",
    "read_all_orders",
)

#: A shop's number is one of so many.
_NUMBERS = 10**11


def open_shop(state: State) -> None:
    """Open a shop with two locations, two markets and two channels, if there is none yet.

    Its id is its own: what is remembered of a shop must not meet another one in another file.
    """
    if state.fact("shop"):
        return
    state.set_fact("scopes", list(SCOPES))
    state.set_fact("locales", [{"locale": "en", "primary": True, "published": True},
                               {"locale": "de", "primary": False, "published": True}])  # fmt: skip
    for name in ("Shop", "Warehouse"):
        address = {"countryCode": "DE", "city": "Berlin"}
        state.add("Location", {"name": name, "isActive": True, "address": address})
    for title in ("Online Store", "Point of Sale"):
        state.add("Publication", {"title": title, "future": title == "Online Store"})
    _market(state, "Europe", "EUR", ("DE", "AT", "FR"))
    _market(state, "Switzerland", "CHF", ("CH",))
    state.set_fact(
        "shop",
        {
            "id": gid("Shop", secrets.randbelow(_NUMBERS) + 1),
            "name": "Sandbox",
            "myshopifyDomain": "sandbox.myshopify.com",
            "currencyCode": "EUR",
            "ianaTimezone": "Europe/Berlin",
            "weightUnit": "KILOGRAMS",
            "unitSystem": "METRIC_SYSTEM",
            "taxesIncluded": True,
            "primaryDomain": {"url": "https://sandbox.myshopify.com"},
            "plan": {"publicDisplayName": "Basic", "shopifyPlus": False},
            "resourceLimits": {"maxProductVariants": 2048, "maxProductOptions": 3},
        },
    )


def _market(state: State, name: str, currency: str, countries: Sequence[str]) -> None:
    prices = state.add("PriceList", {"name": name, "currency": currency})
    catalog = state.add(
        "MarketCatalog", {"title": name, "status": "ACTIVE", "priceList": prices["id"]}
    )
    state.add(
        "Market",
        {
            "name": name,
            "handle": name.lower(),
            "status": "ACTIVE",
            "currency": currency,
            "countries": list(countries),
            "catalogs": [catalog["id"]],
        },
    )


@field("QueryRoot", "shop")
def _shop(_root: Any, info: Info) -> Doc:
    return {**info.context.fact("shop"), "myshopifyDomain": info.context.option("host")}


@field("QueryRoot", "currentAppInstallation")
def _installation(_root: Any, info: Info) -> Doc:
    scopes = [{"handle": handle} for handle in sorted(info.context.scopes)]
    return {"id": gid("AppInstallation", 1), "accessScopes": scopes}


@field("QueryRoot", "locations")
def _locations(_root: Any, info: Info, **arguments: Any) -> Doc:
    every = arguments.get("includeInactive")
    found = (each for each in info.context.all("Location") if every or each["isActive"])
    return connection(found, **arguments)


@field("QueryRoot", "location")
def _location(_root: Any, info: Info, id: str | None = None) -> Doc | None:
    if id is None:
        return next(iter(info.context.all("Location")), None)
    return info.context.get(id, "Location")


@field("QueryRoot", "publications")
def _publications(_root: Any, info: Info, **arguments: Any) -> Doc:
    return connection(map(publication, info.context.all("Publication")), **arguments)


def publication(doc: Doc) -> Doc:
    """Return a publication as it is shown."""
    catalog = {"__typename": "AppCatalog", "id": gid("AppCatalog", 1), "title": doc["title"]}
    return {**doc, "supportsFuturePublishing": doc["future"], "catalog": catalog}


@field("QueryRoot", "publicApiVersions")
def _versions(_root: Any, info: Info) -> list[Doc]:
    served = info.context.option("versions")
    found: list[Doc] = [{"handle": each, "displayName": each, "supported": True} for each in served]
    return [*found, {"handle": "unstable", "displayName": "unstable", "supported": False}]
