"""Tokens of the sandbox: a fixed one, client credentials, and expiring ones with a refresh token.

As access-tokens/… of shopify.dev/docs/apps/build/authentication-authorization says: a token of
client credentials lasts 24 hours; an expiring offline token an hour, its refresh token rotates,
and the old one stays good until the new one was used (2026-08-28).
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from storebridge.flow import Request, Response
from storebridge.testing.sandbox import answer, header
from storebridge_shopify.sandbox_state import State

__all__ = ["CLIENT", "TOKEN", "admit", "token"]

TOKEN = "shpat_sandbox"  # noqa: S105 - opens nothing but this sandbox
CLIENT = ("sandbox", "shpss_sandbox")
#: The code that the authorization grant of the sandbox may exchange.
CODE = "sandbox_code"
_DAY, _HOUR = 86_399, 3_600
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
    family = state.one("SELECT family FROM tokens WHERE token = ?", given)
    newest, refresh = state.fact(f"newest {family}", ["", ""])
    if given == newest:  # a refresh token that was replaced goes once the new pair is used
        gone = "DELETE FROM tokens WHERE family = ? AND kind = 'refresh' AND token != ?"
        state.run(gone, family, refresh)
    return True


def token(state: State, request: Request) -> Response:
    """Answer a request for a token."""
    assert isinstance(request.body, bytes)
    form = _form(request)
    if (form.get("client_id"), form.get("client_secret")) != CLIENT:
        return answer(401, {"error": "invalid_client"})
    grant = form.get("grant_type", "authorization_code" if "code" in form else "")
    match grant:
        case "client_credentials":
            return answer(200, _given(state, "", _DAY))
        case "authorization_code" if form.get("code") == CODE:
            return answer(200, _offline(state, form))
        case "refresh_token":
            return _refreshed(state, form.get("refresh_token", ""))
        case value if value == _EXCHANGE:
            return answer(200, _offline(state, form))
        case "authorization_code":
            text = "The authorization code was not found or was already used"
            return answer(400, {"error": "invalid_request", "error_description": text})
    return answer(400, {"error": "unsupported_grant_type"})


def _form(request: Request) -> dict[str, Any]:
    assert isinstance(request.body, bytes)
    if "json" in header(request, "content-type"):
        found = json.loads(request.body)
        return found if isinstance(found, dict) else {}
    return dict(parse_qsl(request.body.decode()))


def _offline(state: State, form: dict[str, Any]) -> dict[str, Any]:
    """Return an offline token; it expires where that is asked for."""
    if str(form.get("expiring", "")) not in ("1", "true"):
        found = _given(state, "", None)
        return {"access_token": found["access_token"], "scope": found["scope"]}
    return _given(state, str(state.number()), _HOUR)


def _given(state: State, family: str, seconds: int | None) -> dict[str, Any]:
    """Make a token, of a family with its refresh token, and return the answer."""
    scopes = state.fact("scopes")
    made = f"shpat_{state.number():x}"
    until = None if seconds is None else state.clock() + seconds
    insert = "INSERT INTO tokens VALUES (?, ?, ?, ?, ?)"
    state.run(insert, made, "access", json.dumps(scopes), until, family)
    found: dict[str, Any] = {"access_token": made, "scope": ",".join(scopes)}
    if seconds is not None:
        found["expires_in"] = seconds
    if family:
        refresh = f"shprt_{state.number():x}"
        state.run(insert, refresh, "refresh", "[]", state.clock() + _NINETY_DAYS, family)
        state.set_fact(f"newest {family}", [made, refresh])
        found |= {"refresh_token": refresh, "refresh_token_expires_in": _NINETY_DAYS}
    return found


def _refreshed(state: State, given: str) -> Response:
    sql = "SELECT family FROM tokens WHERE token = ? AND kind = 'refresh' AND until > ?"
    family = state.one(sql, given, state.clock())
    if not family:
        text = "This request requires an active refresh_token"
        return answer(401, {"error": "invalid_grant", "error_description": text})
    return answer(200, _given(state, family, _HOUR))
