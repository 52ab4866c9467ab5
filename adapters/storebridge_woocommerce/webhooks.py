"""Webhooks: whether a delivery is the shop's, and what it is about.

A delivery says that something happened, and no more than that. Several changes of a record become
one delivery; deliveries come late, in any order, twice or never, with the state of the moment in
which they were sent; and a bulk write puts thousands of them behind each other. So take the id,
answer 200 at once, and read the record again; read what was changed since the last time now and
then besides. Source: recorded exchanges (webhooks), WooCommerce 11.0.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from storebridge.errors import BadAnswer, Refused
from storebridge.wire import hmac_matches, loads
from storebridge_woocommerce.prices import time_of

__all__ = ["LONGEST", "BadDelivery", "Delivery", "is_ping", "verify"]

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

#: The longest body that is looked at, in bytes; read no more than that from a socket.
LONGEST = 5_000_000
_NAME = "x-wc-webhook-"
_NEEDED = ("signature", "topic", "resource", "event", "id", "delivery-id", "source")
_KINDS = {
    "product": "product",
    "order": "order",
    "customer": "customer",
    "coupon": "discount",
}


class BadDelivery(Refused):
    """A delivery that isn't the shop's, or isn't whole. Answer 401, and believe nothing of it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a shop tells; read the record again before anything is done."""

    topic: str
    """"product.updated", or "action." with the name of a hook."""
    resource: str
    """"product", "order", "customer", "coupon" or "action"."""
    event: str
    """"created", "updated", "deleted", "restored", or the name of a hook."""
    webhook_id: str
    delivery_id: str
    """The same for all deliveries of one run of the queue: don't tell them apart by it."""
    source: str
    """The shop's address, as it says."""
    record_id: str
    """Which record it is about; "" for hooks that tell none."""
    modified_at: datetime | None
    """When the record was changed last, where the body says that."""

    @property
    def kind(self) -> str:
        """The kind of record as `Store.items` takes it; "" for hooks."""
        return _KINDS.get(self.resource, "")

    @property
    def identity(self) -> tuple[str, str, str]:
        """What two deliveries of one and the same change have in common."""
        return self.topic, self.record_id, str(self.modified_at or "")


def verify(
    headers: Headers, body: bytes, secrets: str | Sequence[str], *, longest: int = LONGEST
) -> Delivery:
    """Return what a delivery says, once its signature proves that the shop has sent it.

    Args:
        headers: the request's headers, in any case; as pairs, so that doubled ones are seen.
        body: the raw body, before anything has decoded it.
        secrets: the webhook's secret, or all that are good while it is changed.
        longest: how many bytes a body may have.

    Raises:
        BadDelivery: for a missing, doubled or wrong signature or header, or for a body that is too
            long or no JSON object.
    """
    known = [secrets] if isinstance(secrets, str) else list(secrets)
    if not any(known):
        raise BadDelivery("there is no secret to check the delivery with. Give the webhook's")
    if len(body) > longest:
        raise BadDelivery(f"the delivery has {len(body):,} bytes, more than {longest:,}")
    found = _headers(headers)
    if not hmac_matches(body, found["signature"], known):
        raise BadDelivery(
            "the signature wasn't made with this secret, or the body was changed on the way. "
            "Compare the secret in WooCommerce > Settings > Advanced > Webhooks, and sign the body "
            "as it came"
        )
    return _delivery(found, body)


def is_ping(headers: Headers, body: bytes) -> bool:
    """Return whether this is what a shop sends when a webhook is made: unsigned, and of no use.

    WooCommerce wants 200 for it, and keeps a webhook as disabled otherwise.
    """
    sent = headers.items() if isinstance(headers, Mapping) else headers
    signed = any(name.lower().startswith(_NAME) for name, _ in sent)
    name, _, number = body.partition(b"=")
    return not signed and name == b"webhook_id" and number.isdigit() and len(number) <= 20


def _headers(headers: Headers) -> dict[str, str]:
    """Return the webhook's own headers by what follows their common name, each given once."""
    found: dict[str, str] = {}
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        word = name.lower().removeprefix(_NAME)
        if word == name.lower() or word not in _NEEDED:
            continue
        if word in found:
            raise BadDelivery(f"the header {name} comes twice")
        found[word] = value.strip()
    for word in _NEEDED:
        if not found.get(word):
            raise BadDelivery(f"the header {_NAME}{word} is missing")
    return found


def _delivery(found: Mapping[str, str], body: bytes) -> Delivery:
    try:
        told = loads(body)
    except BadAnswer as error:
        raise BadDelivery(f"the delivery is no JSON: {error}") from None
    if not isinstance(told, dict):
        raise BadDelivery("the delivery is no JSON object")
    changed = told.get("date_modified_gmt")
    try:
        modified = time_of(changed) if isinstance(changed, str) else None
    except ValueError:
        modified = None
    return Delivery(
        topic=found["topic"],
        resource=found["resource"],
        event=found["event"],
        webhook_id=found["id"],
        delivery_id=found["delivery-id"],
        source=found["source"],
        record_id=str(told.get("id") or ""),
        modified_at=modified,
    )
