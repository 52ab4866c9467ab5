"""What a platform's webhook says, once its signature proves the sender. No framework, no I/O.

Each adapter has `verify(headers, body, secrets)`, which returns a `Delivery`:

    from storebridge_shopify import verify

A delivery says that something happened, and no more than that. Several changes of a record become
one delivery; deliveries come late, in any order, twice or never, with the state of the moment in
which they were sent. So take the id, answer 200 at once, and read the record again; read what was
changed since the last time now and then besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from storebridge.errors import BadAnswer, BadDelivery
from storebridge.wire import hmac_matches, loads

__all__ = ["LONGEST", "Delivery", "Headers", "delivered"]

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

#: The longest body that is looked at, in bytes; read no more than that from a socket.
LONGEST = 5_000_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a shop tells; read the record again before anything is done.

    Only the body is signed: the topic and the shop are what the sender says, and one secret may
    be that of many shops.
    """

    topic: str
    """In the platform's words: "product.updated", "products/update"."""
    kind: str
    """The kind of record as `Store.items` takes it; "" for what is none."""
    record_id: str
    """Which record it is about; "" where the body tells none."""
    modified_at: datetime | None
    """When the record was changed last, where the body says that."""
    source: str
    """The shop's address, as the sender says."""
    identity: tuple[str, ...]
    """What two deliveries of one and the same change have in common."""
    headers: Mapping[str, str] = field(hash=False)
    """The webhook's own headers, by what follows the part that all have in common."""


def delivered(
    headers: Headers,
    body: bytes,
    secrets: str | Sequence[str],
    *,
    common: str,
    signature: str,
    needed: Iterable[str],
    where: str,
    longest: int,
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return a webhook's own headers and its body's JSON, for an adapter's `verify`.

    Args:
        headers: the request's headers, in any case.
        body: the raw body.
        secrets: the secret, or all that are good while it is changed.
        common: what the names of the webhook's own headers begin with, in lower case.
        signature: the rest of the name of the one with the signature, base64 of HMAC-SHA256.
        needed: the rests of the names of those that must be there besides.
        where: where people find the secret.
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
    found = _own(headers, common)
    for word in (signature, *needed):
        if not found.get(word):
            raise BadDelivery(f"the header {common}{word} is missing")
    if not hmac_matches(body, found.pop(signature), known):
        raise BadDelivery(
            "the signature wasn't made with this secret, or the body was changed on the way. "
            f"Compare the secret in {where}, and check the body as it came"
        )
    try:
        told = loads(body)
    except BadAnswer as error:
        raise BadDelivery(f"the delivery is no JSON: {error}") from None
    if not isinstance(told, dict):
        raise BadDelivery("the delivery is no JSON object")
    return found, told


def _own(headers: Headers, common: str) -> dict[str, str]:
    """Return the webhook's own headers by what follows their common name, each given once."""
    found: dict[str, str] = {}
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        word = name.lower().removeprefix(common)
        if word == name.lower():
            continue
        if word in found:
            raise BadDelivery(f"the header {name} comes twice")
        found[word] = value.strip()
    return found
