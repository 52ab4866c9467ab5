"""How long a real shop takes, and what a gateway does that doesn't wait for it.

WooCommerce 11.0.1 with two cores and its database on the same machine: 126 ms for a single write,
55 to 60 ms for each create of a batch, 30 to 33 ms for each update, 37 to 40 ms for each delete,
340 to 460 ms to list 100 products; more than two requests at once gain nothing. A gateway that
gives up (504), or a client that goes away, doesn't stop PHP: it carries on to the last item.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from storebridge.flow import Request
from storebridge_woocommerce.sandbox_call import body_of
from storebridge_woocommerce.sandbox_state import Doc, State

__all__ = ["due", "postpone", "seconds"]

_REQUEST = 0.066
_ITEM = {"create": 0.058, "update": 0.032, "delete": 0.038}
_LIST = 0.30
_ROW = {True: 0.0004, False: 0.0016}
_PICTURE = 0.25
_VERBS = ("create", "update", "delete")


def seconds(request: Request, rows: int = 0) -> float:
    """Return how long the real server takes for a request that answers so many rows."""
    if request.method in ("GET", "HEAD") or ("_method", "GET") in request.params:
        fields = any(name == "_fields" for name, _ in request.params)
        return _LIST + rows * _ROW[fields] if rows else 0.1
    if not request.path.endswith("/batch"):
        return _REQUEST + _ITEM["create"] + _pictures(_json(request))
    return _REQUEST + sum(spent for _, _, spent in _items(_json(request)))


def _json(request: Request) -> Any:
    try:
        return json.loads(body_of(request) or b"{}")
    except ValueError:
        return {}


def _items(body: Any) -> Iterator[tuple[str, Any, float]]:
    """Yield the items of a batch in the order they run, with the seconds that each takes."""
    for verb in _VERBS:
        items = body.get(verb) if isinstance(body, dict) else None
        for item in items if isinstance(items, list) else ():
            yield verb, item, _ITEM[verb] + _pictures(item)


def _pictures(item: Any) -> float:
    images = item.get("images") if isinstance(item, dict) else None
    sources = [one for one in images or () if isinstance(one, dict) and one.get("src")]
    return len(sources) * _PICTURE


def postpone(state: State, request: Request, limit: float) -> bytes | None:
    """Return the part of a request's body that is done within `limit` seconds; queue the rest.

    None means: nothing of it; a request that isn't a batch is one item.
    """
    start, spent = state.clock(), _REQUEST
    done: dict[str, list[Any]] = {verb: [] for verb in _VERBS}
    body = _json(request)
    if not request.path.endswith("/batch"):
        _queue(state, request, body, start + seconds(request))
        return None
    for verb, item, more in _items(body):
        spent += more
        if spent <= limit:
            done[verb].append(item)
        else:
            _queue(state, request, {verb: [item]}, start + spent)
    kept = {verb: items for verb, items in done.items() if items}
    return json.dumps(kept).encode() if kept else None


def _queue(state: State, request: Request, body: Any, at: float) -> None:
    waiting = state.options.setdefault("waiting", [])
    waiting.append([at, request.method, request.path, list(request.params), json.dumps(body)])


def due(state: State) -> list[Request]:
    """Return what PHP has come to by now of requests that nobody waits for any more."""
    waiting: list[Any] = state.options.get("waiting", [])
    if not waiting:
        return []
    now = state.clock()
    state.options["waiting"] = [one for one in waiting if one[0] > now]
    return [_request(one) for one in waiting if one[0] <= now]


def _request(row: list[Any]) -> Request:
    _, method, path, params, body = row
    pairs: Doc = dict(params)
    pairs = {name: value for name, value in pairs.items() if not name.startswith("oauth_")}
    headers = {"content-type": "application/json"}
    return Request(
        method=method, path=path, params=tuple(pairs.items()), headers=headers, body=body.encode()
    )
