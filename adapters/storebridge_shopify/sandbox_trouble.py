"""What goes wrong between a client and the shop, on demand.

The switch `troubles` holds what happens to the next requests for GraphQL, `token_troubles` to
the next ones for tokens, each entry `"<kind>"` or `"<kind>*3"` (three times):

* before the work: `too_many` (429 with Retry-After), `bad_gateway` (502 with HTML),
  `unavailable` (503), `frozen` (402), `locked` (423), `security` (430), `internal`
  (INTERNAL_SERVER_ERROR with status 200), `expired` (401, the token is gone);
* after it: `timeout` (504, or no answer at all), `truncated` (half of the JSON),
  `late_internal` (as `internal`, but the work was done).
"""

from __future__ import annotations

from dataclasses import replace

from storebridge.flow import Response
from storebridge.testing.sandbox import answer
from storebridge_shopify.sandbox_state import State

__all__ = ["BEFORE", "next_trouble", "spoiled", "stopped"]

BEFORE = ("too_many", "bad_gateway", "unavailable", "frozen", "locked", "security", "internal",
          "expired")  # fmt: skip
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502</h1></body></html>"
_STATUS = {"unavailable": 503, "frozen": 402, "locked": 423, "security": 430}


def next_trouble(state: State, switch: str = "troubles") -> str:
    """Return what happens to this request, and count it down; "" for nothing."""
    planned = list(state.option(switch))
    if not planned:
        return ""
    kind, _, count = planned[0].partition("*")
    left = int(count or 1) - 1
    state.switch(**{switch: ([f"{kind}*{left}"] if left else []) + planned[1:]})
    return str(kind)


def stopped(kind: str) -> Response:
    """Return the answer to what never reached the shop."""
    if kind == "too_many":
        return answer(429, {"errors": "Too Many Requests"}, retry_after="2.0")
    if kind == "bad_gateway":
        return Response(status=502, headers={"content-type": "text/html"}, body=_PAGE)
    if kind == "internal":
        return _internal()
    if kind == "expired":
        text = "[API] Invalid API key or access token (unrecognized login or wrong password)"
        return answer(401, {"errors": text})
    return answer(_STATUS[kind], {"errors": "Unavailable Shop"})


def spoiled(kind: str, said: Response) -> Response:
    """Return the answer of work that was done, as it arrives."""
    if kind == "truncated":
        return replace(said, body=said.body[: len(said.body) // 2])
    if kind == "late_internal":
        return _internal()
    return Response(status=504, headers={"content-type": "text/html"}, body=_PAGE)


def _internal() -> Response:
    """Return an internal error; it comes with status 200 (recorded)."""
    text = (
        "Internal error. Looks like something went wrong on our end.\n"
        "Request ID: 0-0 (include this in support requests)."
    )
    extensions = {"requestId": "0-0", "code": "INTERNAL_SERVER_ERROR"}
    return answer(200, {"errors": [{"message": text, "extensions": extensions}], "data": None})
