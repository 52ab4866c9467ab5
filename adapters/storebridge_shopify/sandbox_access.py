"""Who the sandbox lets in: a fixed token, client credentials, and an app that a person allows.

As access-tokens/… of shopify.dev/docs/apps/build/authentication-authorization says: a token of
client credentials lasts 24 hours; an expiring offline token an hour, its refresh token rotates,
and the old one stays good until the new one was used (2026-08-28). A callback is signed as
shopify-app-js checks it: without `hmac`, sorted, percent-encoded, a space as %20.

The person at the shop always says yes, to all the scopes that the shop has for apps; the switch
`declines` makes it a no. After `uninstall` every token is gone.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from storebridge.flow import Request, Response
from storebridge.testing.sandbox import answer, header
from storebridge_shopify.sandbox_state import State
from storebridge_shopify.sandbox_trouble import BEFORE, next_trouble, spoiled, stopped

__all__ = ["CLIENT", "TOKEN", "admit", "authorize", "token", "uninstall"]

TOKEN = "shpat_sandbox"  # noqa: S105 - opens nothing but this sandbox
CLIENT = ("sandbox", "shpss_sandbox")
#: A code that may be exchanged without a person, again and again.
CODE = "sandbox_code"
_DAY, _HOUR, _MINUTE = 86_399, 3_600, 60
_NINETY_DAYS = 7_776_000
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


def admit(state: State, request: Request) -> bool:
    """Return whether a request's token is good; the state then knows its app and its scopes."""
    given = header(request, "x-shopify-access-token")
    if given == TOKEN:
        state.app, state.scopes = "fixed", frozenset(state.fact("scopes"))
        return not state.fact("token revoked", False)
    sql = "SELECT kind, scopes, until FROM tokens WHERE token = ? AND kind = 'access'"
    rows = state.rows(sql, given)
    if not rows or (rows[0][2] is not None and rows[0][2] <= state.clock()):
        return False
    state.app, state.scopes = CLIENT[0], frozenset(json.loads(rows[0][1]))
    _used(state, given)
    return True


def _used(state: State, given: str) -> None:
    """Let the replaced refresh token go once either of the new pair is used."""
    family = state.one("SELECT family FROM tokens WHERE token = ?", given)
    newest, refresh = state.fact(f"newest {family}", ["", ""])
    if given in (newest, refresh):
        gone = "DELETE FROM tokens WHERE family = ? AND kind = 'refresh' AND token != ?"
        state.run(gone, family, refresh)


def uninstall(state: State) -> None:
    """Take the app off the shop: every token that it was given is gone."""
    state.run("DELETE FROM tokens")
    state.set_fact("token revoked", True)


def authorize(state: State, request: Request) -> Response:
    """Answer the person's browser: send it back to the app, with a code that is signed."""
    query = urlsplit(request.path).query
    asked = {**dict(parse_qsl(query)), **dict(request.params)}
    if asked.get("client_id") != CLIENT[0]:
        return _page("The app couldn't be found")
    back = asked.get("redirect_uri", "")
    if not back.startswith(tuple(state.option("redirects"))):
        return _page("Oauth error invalid_request: The redirect_uri is not whitelisted")
    given = {
        "shop": urlsplit(state.url).netloc or str(state.option("host")),
        "state": asked.get("state", ""),
        "timestamp": str(int(state.clock())),
    }
    if state.option("declines"):
        given["error"] = "access_denied"
    else:
        given["code"] = token_hex(16)
        scopes = json.dumps([each for each in asked.get("scope", "").split(",") if each])
        sql = "INSERT INTO tokens VALUES (?, 'code', ?, ?, '')"
        state.run(sql, given["code"], scopes, state.clock() + _MINUTE)
    return Response(status=302, headers={"location": f"{back}?{urlencode(_signed(given))}"})


def _signed(given: dict[str, str]) -> dict[str, str]:
    text = "&".join(f"{key}={quote_plus(given[key])}" for key in sorted(given))
    text = text.replace("+", "%20").replace("~", "%7E").replace("%2A", "*")
    mac = hmac.new(CLIENT[1].encode(), text.encode(), hashlib.sha256)
    return {**given, "hmac": mac.hexdigest()}


def _page(text: str) -> Response:
    body = f"<html><body>{text}</body></html>".encode()
    return Response(status=400, headers={"content-type": "text/html"}, body=body)


def token(state: State, request: Request) -> Response:
    """Answer a request for a token, with what goes wrong by the switch `token_troubles`."""
    trouble = next_trouble(state, "token_troubles")
    if trouble in BEFORE:
        return stopped(trouble)
    said = _token(state, request)
    return spoiled(trouble, said) if trouble else said


def _token(state: State, request: Request) -> Response:
    assert isinstance(request.body, bytes)
    form = _form(request)
    if (form.get("client_id"), form.get("client_secret")) != CLIENT:
        return answer(401, {"error": "invalid_client"})
    grant = form.get("grant_type", "authorization_code" if "code" in form else "")
    match grant:
        case "client_credentials":
            return answer(200, _given(state, "", _DAY, state.fact("scopes")))
        case "authorization_code" if (scopes := _allowed(state, form.get("code", ""))) is not None:
            return answer(200, _offline(state, form, scopes))
        case "refresh_token":
            return _refreshed(state, form.get("refresh_token", ""))
        case value if value == _EXCHANGE:
            return answer(200, _offline(state, form, state.fact("scopes")))
        case "authorization_code":
            text = "The authorization code was not found or was already used"
            return _page(f"Oauth error invalid_request: {text}")
    return answer(400, {"error": "unsupported_grant_type"})


def _form(request: Request) -> dict[str, Any]:
    assert isinstance(request.body, bytes)
    if "json" in header(request, "content-type"):
        found = json.loads(request.body)
        return found if isinstance(found, dict) else {}
    return dict(parse_qsl(request.body.decode()))


def _allowed(state: State, code: str) -> list[str] | None:
    """Return the scopes that a person allowed with a code, which is good once; None for others."""
    if code == CODE:
        scopes: list[str] = state.fact("scopes")
        return scopes
    sql = "SELECT scopes FROM tokens WHERE token = ? AND kind = 'code' AND until > ?"
    found = state.one(sql, code, state.clock())
    if not found:
        return None
    state.run("DELETE FROM tokens WHERE token = ?", code)
    has, asked = set(state.fact("scopes")), set(json.loads(found))
    return sorted(_covered(asked, has) | _covered(has, asked))


def _covered(scopes: set[str], others: set[str]) -> set[str]:
    """Return the scopes that others include; writing includes reading."""
    return {each for each in scopes if {each, each.replace("read_", "write_", 1)} & others}


def _offline(state: State, form: dict[str, Any], scopes: list[str]) -> dict[str, Any]:
    """Return an offline token; it expires where that is asked for."""
    if str(form.get("expiring", "")) not in ("1", "true"):
        found = _given(state, "", None, scopes)
        return {"access_token": found["access_token"], "scope": found["scope"]}
    return _given(state, str(state.number()), _HOUR, scopes)


def _given(state: State, family: str, seconds: int | None, scopes: list[str]) -> dict[str, Any]:
    """Make a token, of a family with its refresh token, and return the answer."""
    made = f"shpat_{token_hex(16)}"
    until = None if seconds is None else state.clock() + seconds
    insert = "INSERT INTO tokens VALUES (?, ?, ?, ?, ?)"
    state.run(insert, made, "access", json.dumps(scopes), until, family)
    found: dict[str, Any] = {"access_token": made, "scope": ",".join(scopes)}
    if seconds is not None:
        found["expires_in"] = seconds
    if family:
        refresh = f"shprt_{token_hex(16)}"
        until = state.clock() + _NINETY_DAYS
        state.run(insert, refresh, "refresh", json.dumps(scopes), until, family)
        state.set_fact(f"newest {family}", [made, refresh])
        found |= {"refresh_token": refresh, "refresh_token_expires_in": _NINETY_DAYS}
    return found


def _refreshed(state: State, given: str) -> Response:
    sql = "SELECT family, scopes FROM tokens WHERE token = ? AND kind = 'refresh' AND until > ?"
    rows = state.rows(sql, given, state.clock())
    if not rows:
        text = "This request requires an active refresh_token"
        return answer(401, {"error": "invalid_grant", "error_description": text})
    _used(state, given)
    return answer(200, _given(state, rows[0][0], _HOUR, json.loads(rows[0][1])))
