"""A person lets the app into a shop with a browser: the authorization code grant.

The address, the proof of a callback and the exchange stand alone, so that a program with a web
server of its own can use them:

    store = storebridge.open("shopify://name.myshopify.com", client_id=..., client_secret=...,
                             grant="authorization_code")
    store.adapter.grant.url(redirect_uri, state)                     # send the browser there
    code = store.adapter.grant.code(query_string, state, time.time())  # when it comes back
    store.accept(code)                                               # keeps the tokens

Keep `state` with the browser's session, and forget it when a callback has brought it.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from storebridge.adapter import Credentials, Grant
from storebridge.errors import AuthError
from storebridge.flow import Clock, Flow
from storebridge.wire import hmac_matches
from storebridge_shopify.access import asked_for

if TYPE_CHECKING:
    from storebridge_shopify.adapter import ShopifySettings

__all__ = ["CodeGrant", "signed_text"]

#: Seconds that a callback's time may be off (shopify-app-js, hmac-validator.ts).
_TOLERANCE = 90
#: More parameters than any callback has.
_MOST = 40
_AGAIN = "Begin again, and let the app in once more."


class CodeGrant(Grant):
    """The grant of one app in one shop."""

    def __init__(self, settings: ShopifySettings) -> None:
        """Keep the app's id and secret, and which shop is meant."""
        self._settings = settings

    def __repr__(self) -> str:
        return f"<CodeGrant of {self._settings.url}>"

    def url(self, redirect_uri: str, state: str) -> str:
        """Return the address that the person opens; it holds no secret.

        Args:
            redirect_uri: one of the app's redirect URLs, exactly as the app has it.
            state: a random word of the caller's, for this one time.
        """
        query = {
            "client_id": self._settings.client_id,
            "scope": ",".join(self._settings.scopes),
            "redirect_uri": redirect_uri,
            "state": state,
        }
        return f"{self._settings.url}/admin/oauth/authorize?{urlencode(query)}"

    def code(self, query: str, state: str, now: float) -> str:
        """Return the code in the query of a callback, once that is proven to be the shop's.

        Args:
            query: what follows the "?", exactly as it came.
            state: the word that `url` was given.
            now: seconds since the epoch.

        Raises:
            AuthError: if it isn't the shop's: another state, signature, shop or time.
        """
        values = _values(query)
        if not state or not hmac.compare_digest(values.get("state", "").encode(), state.encode()):
            raise _doubtful("its state is not the one that was sent")
        assert self._settings.client_secret is not None  # the settings were validated
        secret = self._settings.client_secret.get_secret_value()
        given = values.pop("hmac", "")
        if not hmac_matches(signed_text(values), given, [secret], encoding="hex"):
            raise _doubtful("its signature was not made with the app's client secret")
        time = values.get("timestamp", "")
        if not time.isdecimal() or len(time) > 12 or abs(now - int(time)) > _TOLERANCE:
            raise _doubtful(f"it is more than {_TOLERANCE} seconds old, or this clock is wrong")
        if values.get("shop", "") != urlsplit(self._settings.url).netloc:
            raise _doubtful("it is of another shop")
        if not values.get("code"):
            raise AuthError("the app was not let in.", code="access_denied", remedy=_AGAIN)
        return values["code"]

    def exchange(self, code: str, clock: Clock) -> Flow[Credentials]:
        """Return a token that expires, with the refresh token that it is renewed by.

        Raises:
            AuthError: if the code was used already, or is of another app.
        """
        return (yield from asked_for(self._settings, clock, code=code, expiring="1"))


def signed_text(values: dict[str, str]) -> bytes:
    """Return what a callback's signature is made of: sorted, percent-encoded, a space as %20."""
    pairs = sorted((key, text) for key, text in values.items() if key not in _UNSIGNED)
    return "&".join(f"{_encoded(key)}={_encoded(text)}" for key, text in pairs).encode()


_UNSIGNED = ("hmac", "signature")


def _encoded(text: str) -> str:
    """Return a text as the URL standard writes a form's values, but for the space."""
    return quote(text, safe="*").replace("~", "%7E")


def _values(query: str) -> dict[str, str]:
    """Return the parameters of a query.

    Raises:
        AuthError: if one comes twice: who signs and who reads may mean different ones.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MOST)
    except ValueError:
        pairs = []
    values = dict(pairs)
    if not pairs or len(values) < len(pairs):
        raise _doubtful("its parameters can't be read")
    return values


def _doubtful(reason: str) -> AuthError:
    return AuthError(f"the callback is not taken: {reason}.", remedy=_AGAIN)
