"""Addresses as Shopify keeps them with customers and orders, what customers agreed to, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

from storebridge.models import Address, Consent
from storebridge_shopify.graphql import Doc

__all__ = ["address", "address_input", "completed", "consent_input", "consents", "form"]

_LINES = {
    "first_name": "firstName",
    "last_name": "lastName",
    "company": "company",
    "address1": "address1",
    "address2": "address2",
    "city": "city",
    "region": "province",
    "region_code": "provinceCode",
    "postcode": "zip",
    "phone": "phone",
}
#: Where the consents of a customer are, by channel.
_CHANNELS = {"email": "defaultEmailAddress", "sms": "defaultPhoneNumber"}


def address(doc: Doc | None) -> Address | None:
    """Return the address that a document describes; a region's name is given where it has no code.

    Else it follows from the code.
    """
    if doc is None:
        return None
    lines = {ours: doc[theirs] or "" for ours, theirs in _LINES.items()}
    return form(Address(country=doc["countryCodeV2"], **lines))


def address_input(desired: Address) -> dict[str, str | None]:
    """Return a whole address for an input; what it doesn't give is empty."""
    lines = {theirs: getattr(form(desired), ours) or None for ours, theirs in _LINES.items()}
    if lines["province"] is None:
        del lines["province"]  # deprecated, and needed only for a region without a code
    return {**lines, "countryCode": desired.country}


def form(desired: Address) -> Address:
    """Return an address as Shopify gives it back: it has its own names for regions with codes."""
    return desired.without("region") if desired.region_code else desired


def completed(new: Address, held: Address | None) -> Address:
    """Return an address with the lines that are there where it gives none."""
    if held is None:
        return new
    if {"region", "region_code"} & new.given:
        held = held.without("region", "region_code")  # one goes with the other
    return held.but(**{name: getattr(new, name) for name in new.given})


def consents(doc: Doc) -> Iterator[Consent]:
    """Yield what a customer said to marketing; nothing for a channel that nobody asked about."""
    for channel, name in _CHANNELS.items():
        said: Mapping[str, Any] = doc[name] or {}
        if said.get("marketingState", "NOT_SUBSCRIBED") != "NOT_SUBSCRIBED":
            yield Consent(
                channel=channel,
                state=said["marketingState"].lower(),
                level=(said["marketingOptInLevel"] or "").lower(),
                updated_at=said["marketingUpdatedAt"],
            )


def consent_input(consent: Consent) -> dict[str, str]:
    """Return a consent for an input."""
    found = {"marketingState": consent.state.upper()}
    if consent.level:
        found["marketingOptInLevel"] = consent.level.upper()
    if consent.updated_at is not None:
        moment = consent.updated_at.astimezone(UTC)
        found["consentUpdatedAt"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return found
