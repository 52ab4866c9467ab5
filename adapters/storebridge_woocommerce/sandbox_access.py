"""Who is let in: consumer keys (Basic, query, OAuth 1.0a), application passwords, roles.

WooCommerce 11.0.1: keys by Basic or in the query count over https only, OAuth 1.0a everywhere; a
key opens paths with `wp-json/wc/` or `wp-json/wc-` only, an application password all of them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from storebridge.testing.sandbox import header
from storebridge_woocommerce.sandbox_call import Call
from storebridge_woocommerce.sandbox_state import APP_PASSWORD, KEYS, Refusal, State

__all__ = ["admit", "forbidden"]

_USERS = {1: "administrator", 2: "customer", 3: "shop_manager"}
_OAUTH = ("consumer_key", "timestamp", "nonce", "signature", "signature_method")
_WINDOW = 900
_BY_KEY = {key: (secret, permission, user) for key, secret, permission, user in KEYS.values()}


def admit(call: Call) -> None:
    """Find out who calls; nobody is an answer too.

    Raises:
        Refusal: 401 if credentials are wrong or a key lacks the right.
    """
    path = call.request.path
    shop = "wp-json/wc/" in path or "wp-json/wc-" in path
    permission = _key_permission(call) if shop else None
    if permission is None:
        _by_password(call, shop=shop)
    elif call.verb != "OPTIONS":
        needed = "read" if call.verb == "GET" else "write"
        if needed not in permission:
            raise _denied(f"The API key provided does not have {needed} permissions.")
    call.role = _USERS.get(call.user, "")


def forbidden(call: Call, code: str, message: str) -> Refusal:
    """Return the refusal for who may not: 401 if nobody is logged in, else 403."""
    return Refusal(code, message, 403 if call.user else 401)


def _denied(message: str) -> Refusal:
    return Refusal("woocommerce_rest_authentication_error", message, 401)


def _key_permission(call: Call) -> str | None:
    """Return what the call's consumer key may do; None if it has none."""
    if call.state.options["url"].startswith("https:"):
        permission = _by_basic(call)
        if permission is not None:
            return permission
    return _by_oauth(call)


def _basic(call: Call) -> tuple[str, str]:
    scheme, _, coded = header(call.request, "authorization").partition(" ")
    if scheme.lower() != "basic" or call.state.options.get("strips_authorization"):
        return "", ""
    try:
        name, _, secret = base64.b64decode(coded).decode().partition(":")
    except ValueError:
        return "", ""
    return name, secret


def _by_basic(call: Call) -> str | None:
    key, secret = str(call.query.get("consumer_key", "")), call.query.get("consumer_secret", "")
    if not key or not secret:
        key, secret = _basic(call)
    known = _known(call.state, key)
    if known is None:
        return None
    if not hmac.compare_digest(str(secret).encode(), known[0].encode()):
        raise _denied("Consumer secret is invalid.")
    call.user = known[2]
    return known[1]


def _known(state: State, key: str) -> tuple[str, str, int] | None:
    return None if key in state.options.get("revoked_keys", ()) else _BY_KEY.get(key)


def _by_password(call: Call, *, shop: bool) -> None:
    name, secret = _basic(call)
    if not name or (shop and name.startswith("ck_")):
        return
    if name not in ("admin", "admin@example.com"):
        text = "<strong>Error:</strong> Unknown username. Check again or try your email address."
        raise Refusal("invalid_username", text, 401)
    if secret.replace(" ", "") != APP_PASSWORD.replace(" ", ""):
        text = "The provided password is an invalid application password."
        raise Refusal("incorrect_password", text, 401)
    call.user = 1


# ---------------------------------------------------------------------------------------- OAuth


def _by_oauth(call: Call) -> str | None:
    params = {**call.query, **_oauth_header(call)}
    given = {name: params.get(f"oauth_{name}") for name in _OAUTH}
    if not any(given.values()):
        return None
    missing = [f"oauth_{name}" for name, value in given.items() if not value]
    if missing:
        text = f"Missing OAuth parameter{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
        raise Refusal("woocommerce_rest_authentication_missing_parameter", text, 401)
    known = _known(call.state, str(given["consumer_key"]))
    if known is None:
        raise _denied("Consumer key is invalid.")
    _check_signature(call, {**params, **call.form}, known[0])
    _check_nonce(call.state, str(given["consumer_key"]), given)
    call.user = known[2]
    return known[1]


def _oauth_header(call: Call) -> dict[str, str]:
    scheme, _, text = header(call.request, "authorization").partition(" ")
    if scheme.lower() != "oauth" or call.state.options.get("strips_authorization"):
        return {}
    return {name: unquote(value) for name, value in re.findall(r'(oauth_[a-z_]+)="([^"]*)"', text)}


def _check_signature(call: Call, params: dict[str, Any], secret: str) -> None:
    method = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}.get(
        str(params["oauth_signature_method"])
    )
    if method is None:
        raise _denied("Invalid signature - signature method is invalid.")
    given = str(params.pop("oauth_signature")).replace(" ", "+")
    pairs = "%26".join(_signed(params))
    # The site's own address is signed, not the one that was called; the verb is the real one.
    home = urlsplit(call.state.options["url"])
    address = f"{home.scheme}://{home.netloc}{home.path.rstrip('/')}{call.request.path}"
    text = f"{call.request.method}&{quote(address, safe='~')}&{pairs}"
    made = hmac.new(f"{secret}&".encode(), text.encode(), method).digest()
    if not hmac.compare_digest(base64.b64encode(made).decode(), given):
        raise _denied("Invalid signature - provided signature does not match.")


def _signed(params: Mapping[str, Any], within: str = "") -> list[str]:
    """Return the pairs of a base string: names sorted at the top, nested ones as they came."""
    pairs: list[str] = []
    for name in params if within else sorted(params):
        value = params[name]
        key = f"{within}%5B{name}%5D" if within else quote(name, safe="~")
        if isinstance(value, list):
            value = {str(place): one for place, one in enumerate(value)}
        if isinstance(value, dict):
            pairs += _signed(value, key)
        else:
            pairs.append(quote(f"{key}={quote(str(value), safe='~')}", safe="~"))
    return pairs


def _check_nonce(state: State, key: str, given: Mapping[str, Any]) -> None:
    now = int(state.clock())
    text = str(given["timestamp"])
    time = int(text) if text.isdecimal() else 0
    if not now - _WINDOW <= time <= now + _WINDOW:
        raise _denied("Invalid timestamp.")
    used = [nonce for (owner, _), nonce in state.nonces.items() if owner == key]
    if given["nonce"] in used:
        raise _denied("Invalid nonce - nonce has already been used.")
    # One nonce is kept per second: a second one of the same second replaces the first.
    state.nonces[key, time] = str(given["nonce"])
    for kept in [kept for kept in state.nonces if kept[1] < now - _WINDOW]:
        del state.nonces[kept]
