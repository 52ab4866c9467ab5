"""Webhooks: whether a delivery is the shop's, and what it is about.

A bulk write puts thousands of deliveries behind each other, and all of one run of the queue have
the same delivery id: don't tell them apart by it. Source: recorded exchanges (webhooks),
WooCommerce 11.0.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storebridge.webhooks import LONGEST, Delivery, Headers, delivered
from storebridge_woocommerce.prices import time_of

__all__ = ["is_ping", "verify"]

_NAME = "x-wc-webhook-"
_NEEDED = ("topic", "resource", "event", "id", "delivery-id", "source")
_KINDS = {
    "product": "product",
    "order": "order",
    "customer": "customer",
    "coupon": "discount",
}


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
    own, told = delivered(
        headers,
        body,
        secrets,
        common=_NAME,
        signature="signature",
        needed=_NEEDED,
        where="WooCommerce > Settings > Advanced > Webhooks",
        longest=longest,
    )
    changed, record_id = told.get("date_modified_gmt"), str(told.get("id") or "")
    try:
        modified = time_of(changed) if isinstance(changed, str) else None
    except ValueError:
        modified = None
    return Delivery(
        topic=own["topic"],
        kind=_KINDS.get(own["resource"], ""),
        record_id=record_id,
        modified_at=modified,
        source=own["source"],
        identity=(own["topic"], record_id, str(modified or "")),
        headers=own,
    )


def is_ping(headers: Headers, body: bytes) -> bool:
    """Return whether this is what a shop sends when a webhook is made: unsigned, and of no use.

    WooCommerce wants 200 for it, and keeps a webhook as disabled otherwise.
    """
    sent = headers.items() if isinstance(headers, Mapping) else headers
    signed = any(name.lower().startswith(_NAME) for name, _ in sent)
    name, _, number = body.partition(b"=")
    return not signed and name == b"webhook_id" and number.isdigit() and len(number) <= 20
