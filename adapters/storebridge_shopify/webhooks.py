"""Whether a webhook came from Shopify. Pure: no framework, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storebridge.wire import hmac_matches

__all__ = ["verify"]

_SIGNATURE = "x-shopify-hmac-sha256"


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
    """Return whether a webhook's signature was made with one of the app's client secrets.

    Check it before the body is parsed. After a secret was changed Shopify signs with the old one
    for up to an hour, so give both (apps/build/webhooks). A valid webhook may come twice: tell it
    by its `X-Shopify-Webhook-Id`.

    Args:
        headers: as they came; the case of their names doesn't matter.
        body: the raw bytes, exactly as they came.
        secrets: the client secrets that are valid now.
    """
    given = {value for name, value in headers.items() if name.lower() == _SIGNATURE}
    return len(given) == 1 and hmac_matches(body, given.pop(), secrets)
