"""Addresses as Shopify keeps them with customers and orders, what customers agreed to, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

from storebridge.models import Address, Consent
from storebridge_shopify.graphql import Doc

__all__ = ["address", "address_input", "consent_input", "consents"]

_LINES = {
    "first_name": "firstName",
    "last_name": "lastName",
    "company": "company",
    "address1": "address1",
    "address2": "address2",
    "city": "city",
    "region_code": "provinceCode",
    "postcode": "zip",
    "phone": "phone",
}
#: Where the consents of a customer are, by channel.
_CHANNELS = {"email": "defaultEmailAddress", "sms": "defaultPhoneNumber"}


def address(doc: Doc | None) -> Address | None:
    """Return the address that a document describes."""
    if doc is None:
        return None
    lines = {ours: doc[theirs] or "" for ours, theirs in _LINES.items()}
    return Address(country=doc["countryCodeV2"], **lines)


def address_input(desired: Address) -> dict[str, str | None]:
    """Return a whole address for an input; what it doesn't give is empty."""
    lines = {theirs: getattr(desired, ours) or None for ours, theirs in _LINES.items()}
    return {**lines, "countryCode": desired.country}


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
