"""How the adapter gets in: what a shop's address is, and how tokens are asked for.

* A token that was made in a shop's admin (before 2026) never expires.
* An app of the shop's own organisation asks for a token with its client id and secret; it is good
  for 24 hours and is asked for again before it ends.
* An app that a person has let in (`grant.py`) has a token for an hour and a refresh token. That
  one rotates: each renewal brings another, and the old one is good until the new token is used
  (changelog, 2026-08-28). The engine keeps both (`Adapter.renew`).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from pydantic import SecretStr

from storebridge.adapter import Credentials
from storebridge.errors import ApiError, AuthError, BadAnswer, RateLimited, Unavailable
from storebridge.flow import Clock, Flow, Request, RequestKind, Response, send
from storebridge.wire import json_of

if TYPE_CHECKING:
    from storebridge_shopify.adapter import ShopifySettings

__all__ = [
    "TOKEN_PATH",
    "again",
    "asked_for",
    "credentials_of",
    "is_shop",
    "renewed",
    "shop_url",
]

TOKEN_PATH = "/admin/oauth/access_token"  # noqa: S105 - an address, no secret
_SHOP = re.compile(r"[a-z0-9][a-z0-9-]{0,60}\.myshopify\.com", re.ASCII)


def is_shop(host: str) -> bool:
    """Return whether a host is a shop's permanent one; tokens are sent to no other."""
    return _SHOP.fullmatch(host) is not None


def shop_url(text: str) -> str:
    """Return a shop's address from what people write: a name, a host or an address.

    Raises:
        ValueError: if it is no shop of Shopify's; a loopback address is a sandbox's.
    """
    text = text.strip().rstrip("/").removeprefix("//")
    parts = urlsplit(text if "://" in text else f"https://{text}")
    host = parts.hostname or ""
    if parts.hostname in ("127.0.0.1", "::1") and parts.scheme == "http":
        return f"{parts.scheme}://{parts.netloc}"
    host = host if "." in host else f"{host}.myshopify.com"
    bare = parts.netloc.lower() == (parts.hostname or "") and not (parts.query or parts.fragment)
    if parts.scheme != "https" or not bare or parts.path or not is_shop(host):
        raise ValueError(f"{text!r} is no shop: give its address, like name.myshopify.com")
    return f"https://{host}"


def asked_for(settings: ShopifySettings, clock: Clock, **form: str) -> Flow[Credentials]:
    """Return the token that a grant's form brings.

    Raises:
        AuthError: if Shopify refuses it; the message says what to look at.
    """
    assert settings.client_secret is not None  # the settings were validated
    secret = settings.client_secret.get_secret_value()
    body = urlencode({"client_id": settings.client_id, "client_secret": secret, **form})
    request = Request(
        method="POST",
        path=TOKEN_PATH,
        kind=RequestKind.TOKEN,
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=body.encode(),
    )
    try:
        response = yield from send(request)
    except (RateLimited, Unavailable, BadAnswer):
        raise
    except ApiError as error:  # 400, 401 and 403, as JSON or as a page
        raise _refused(settings, error) from None
    return credentials_of(response, clock)


def renewed(settings: ShopifySettings, kept: Credentials, clock: Clock) -> Flow[Credentials]:
    """Return the token that a refresh token brings, with the next refresh token.

    Raises:
        AuthError: if it was withdrawn or has run out: a person has to let the app in again.
    """
    if "refresh_token" not in kept.values:
        raise AuthError("Shopify refused the app's token.", remedy=again(settings))
    form = {"grant_type": "refresh_token", "refresh_token": kept["refresh_token"]}
    return (yield from asked_for(settings, clock, **form))


def again(settings: ShopifySettings) -> str:
    """Return how a person lets the app in again."""
    shop = settings.url.removeprefix("https:")
    mark = ":" if shop.startswith("//") else "+"
    return (
        "Let the app in again, with the store's name: "
        f"storebridge stores add NAME shopify{mark}{shop} --client-id {settings.client_id}"
    )


def credentials_of(response: Response, clock: Clock) -> Credentials:
    """Return the credentials of a token answer.

    Raises:
        BadAnswer: if it holds no token, or one that lasts no number of seconds.
    """
    answer: Any = json_of(response)
    given = answer if isinstance(answer, dict) else {}
    tokens = {
        ours: SecretStr(given[theirs])
        for ours, theirs in (("token", "access_token"), ("refresh_token", "refresh_token"))
        if isinstance(given.get(theirs), str) and given[theirs]
    }
    if "token" not in tokens:
        raise BadAnswer("the answer holds no access token", request_id=response.request_id)
    lasts = given.get("expires_in")
    if lasts is None:
        return Credentials(tokens)
    if isinstance(lasts, bool) or not isinstance(lasts, int | Decimal) or lasts <= 0:
        raise BadAnswer("the token's expires_in is no time", request_id=response.request_id)
    return Credentials(tokens, clock.time() + float(lasts))


def _refused(settings: ShopifySettings, error: ApiError) -> AuthError:
    """Return the error of a token request that was refused."""
    consent = settings.grant == "authorization_code" and error.code != "invalid_client"
    what = "the app's access" if consent else "the app's client id and secret"
    check = "Check both in the Dev Dashboard, and that the app is installed on this store."
    return AuthError(
        f"Shopify refused {what} ({error.code or error.status}).",
        status=error.status,
        code=error.code,
        request_id=error.request_id,
        remedy=again(settings) if consent else check,
    )
