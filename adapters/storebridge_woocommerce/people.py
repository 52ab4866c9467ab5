"""Addresses as WooCommerce keeps them with customers and orders, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storebridge.models import Address

__all__ = ["address_of", "address_payload"]

_NAMES = {
    "first_name": "first_name",
    "last_name": "last_name",
    "company": "company",
    "address1": "address_1",
    "address2": "address_2",
    "city": "city",
    "region_code": "state",
    "postcode": "postcode",
    "country": "country",
    "phone": "phone",
    "email": "email",
}


def address_of(doc: Mapping[str, Any], *left_out: str) -> Address | None:
    """Return an address; None for one without any line. `left_out` are fields kept elsewhere."""
    found = {
        ours: doc[theirs]
        for ours, theirs in _NAMES.items()
        if ours not in left_out and theirs in doc
    }
    if not any(found.values()):
        return None
    country = str(found.get("country") or "")
    found["country"] = country if len(country) == 2 and country.isupper() else None
    return Address(**found)


def address_payload(address: Address | None, *left_out: str) -> dict[str, str]:
    """Return the given lines of an address as JSON; None empties all of them."""
    if address is None:
        return {theirs: "" for ours, theirs in _NAMES.items() if ours not in (*left_out, "email")}
    return {
        theirs: getattr(address, ours) or ""
        for ours, theirs in _NAMES.items()
        if ours in address.given and ours not in left_out
    }
