"""How the adapter gets in: a fixed token, client credentials, and what scopes it needs.

* A token that was made in a shop's admin (before 2026) never expires.
* An app of the shop's own organisation asks for a token with its client id and secret; it is good
  for 24 hours and is asked for again before it ends.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode, urlsplit

from pydantic import SecretStr

from storebridge.adapter import Credentials
from storebridge.errors import AuthError, BadAnswer
from storebridge.flow import Clock, Flow, Request, RequestKind, Response, send
from storebridge.wire import json_of

__all__ = ["TOKEN_PATH", "credentials_of", "is_shop", "shop_url", "token_by_client"]

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


def token_by_client(clock: Clock, client_id: str, secret: SecretStr) -> Flow[Credentials]:
    """Return a token for the app's own client id and secret.

    Raises:
        AuthError: if Shopify refuses them; the message says what to look at.
    """
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": secret.get_secret_value(),
    }
    response = yield from send(
        Request(
            method="POST",
            path=TOKEN_PATH,
            kind=RequestKind.TOKEN,
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode(),
        )
    )
    return credentials_of(response, clock)


def credentials_of(response: Response, clock: Clock) -> Credentials:
    """Return the credentials of a token answer.

    Raises:
        BadAnswer: if it holds no token.
    """
    answer: Any = json_of(response)
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token:
        raise BadAnswer("the answer holds no access token", request_id=response.request_id)
    lasts = answer.get("expires_in")
    expires = None if lasts is None else clock.time() + float(lasts)
    return Credentials({"token": SecretStr(token)}, expires)


def refused(response: Response) -> AuthError:
    """Return the error of a token request that was refused."""
    try:
        answer = json_of(response)
    except BadAnswer:
        answer = {}
    code = str(answer.get("error", "")) if isinstance(answer, dict) else ""
    return AuthError(
        f"Shopify refused the app's client id and secret ({code or response.status})",
        status=response.status,
        code=code,
        request_id=response.request_id,
        remedy="Check both in the Dev Dashboard, and that the app is installed on this store.",
    )
