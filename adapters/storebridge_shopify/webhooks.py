"""Webhooks: whether a delivery is the shop's, and what it is about (apps/build/webhooks)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from storebridge.webhooks import LONGEST, Delivery, Headers, delivered

__all__ = ["verify"]

#: The kind of record and its type, by what a topic begins with.
_KINDS: Mapping[str, tuple[str, str]] = {
    "products": ("product", "Product"),
    "collections": ("collection", "Collection"),
    "customers": ("customer", "Customer"),
    "orders": ("order", "Order"),
}


def verify(
    headers: Headers, body: bytes, secrets: str | Sequence[str], *, longest: int = LONGEST
) -> Delivery:
    """Return what a delivery says, once its signature proves that Shopify has sent it.

    Args:
        headers: the request's headers, in any case; as pairs, so that doubled ones are seen.
        body: the raw body, before anything has decoded it.
        secrets: the app's client secret, or all that are good now: after a change Shopify signs
            with the old one for up to an hour.
        longest: how many bytes a body may have.

    Raises:
        BadDelivery: for a missing, doubled or wrong signature or header, or for a body that is too
            long or no JSON object.
    """
    own, told = delivered(
        headers,
        body,
        secrets,
        common="x-shopify-",
        signature="hmac-sha256",
        needed=("topic", "shop-domain", "webhook-id"),
        where="the app's settings in the Dev Dashboard",
        longest=longest,
    )
    kind, type_ = _KINDS.get(own["topic"].partition("/")[0], ("", ""))
    number, record_id = told.get("id"), told.get("admin_graphql_api_id")
    if not isinstance(record_id, str):
        record_id = f"gid://shopify/{type_}/{number}" if type_ and number else ""
    return Delivery(
        topic=own["topic"],
        kind=kind,
        record_id=record_id,
        modified_at=_time_of(told.get("updated_at")),
        source=own["shop-domain"],
        identity=(own["webhook-id"],),
        headers=own,
    )


def _time_of(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found.astimezone(UTC) if found and found.tzinfo else None
