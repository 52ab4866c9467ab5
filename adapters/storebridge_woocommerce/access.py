"""Credentials: Basic over https, OAuth 1.0a over http, an application password for WordPress.

WooCommerce takes its keys by Basic over https only; over http it wants each request signed
(one-legged OAuth 1.0a), and its way to sign differs from RFC 5849 for lists: `sign` does what
WooCommerce's own `check_oauth_signature` checks (recorded exchanges, OAuth over http).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Literal

from storebridge.wire import oauth1_claims, oauth1_signature, percent

__all__ = ["basic", "sign"]

Params = tuple[tuple[str, str], ...]
Nested = dict[str, "str | Nested"]


def basic(user: str, password: str) -> str:
    """Return the Authorization header of a user and a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def sign(
    method: str,
    url: str,
    params: Iterable[tuple[str, str]],
    *,
    key: str,
    secret: str,
    nonce: str,
    now: float,
    digest: Literal["sha256", "sha1"] = "sha256",
) -> Params:
    """Return the parameters of a signed request, in the order in which they are to be sent.

    Args:
        method: the HTTP method that is really used.
        url: the site's own address (its home URL, whatever address is called) and the path.
        params: the query's parameters, and a form body's; a JSON body is not signed.
        key: the consumer key.
        secret: the consumer secret.
        nonce: a text never used before; every attempt needs another one.
        now: seconds since the epoch; the server allows 15 minutes of difference.
        digest: the hash of the HMAC.
    """
    sent = (*params, *oauth1_claims(key, nonce, now, digest).items())
    pairs = "%26".join(_pairs(_nested(sent)))
    base = f"{method.upper()}&{percent(url)}&{pairs}"
    return (*sent, ("oauth_signature", oauth1_signature(base, secret, "", digest)))


def _nested(params: Iterable[tuple[str, str]]) -> Nested:
    """Return parameters as PHP reads them: `a[]` counts on from 0, `a[b][c]` nests."""
    found: Nested = {}
    for name, value in params:
        head, *steps = name.replace("]", "").split("[")
        place = found
        for step in steps:
            inner = place.setdefault(head or str(len(place)), {})
            if isinstance(inner, str):  # the name came as a plain one before: the later one wins
                inner = place[head] = {}
            place, head = inner, step
        place[head or str(len(place))] = value
    return found


def _pairs(params: Mapping[str, str | Nested], above: str = "") -> Iterable[str]:
    """Yield the encoded pairs: only the outermost names are sorted, inner ones keep their order."""
    names = params if above else sorted(params, key=str.encode)
    for name in names:
        value = params[name]
        label = f"{above}%5B{name}%5D" if above else percent(name)
        if isinstance(value, str):
            yield percent(f"{label}={percent(value)}")
        else:
            yield from _pairs(value, label)
