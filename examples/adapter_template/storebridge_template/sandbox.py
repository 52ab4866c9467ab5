"""The platform Template itself, as a function that answers requests: its habits, not our beliefs.

    python -m storebridge_template.sandbox --port 0 --state shop.db

Each request is one transaction on an SQLite file, so a state survives whatever kills the process.
A real platform's sandbox cites its source for each habit: a recorded exchange, the published
schema, a documented limit. Template is made up, so its "manual" is this module.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from storebridge.flow import Request, Response
from storebridge.models import minor_units, slug
from storebridge.testing.sandbox import answer, header, serve
from storebridge_template.state import BURST, Doc, Refusal, State

__all__ = ["Sandbox", "create", "handle", "settings"]

_TEXTS = {"external_id": "", "handle": "", "title": "", "description_html": ""}
_EMPTY: Mapping[str, Doc] = {
    "products": {
        **_TEXTS, "vendor": "", "type": "", "tags": [], "status": "active", "options": [],
        "seo": {"title": "", "description": ""}, "variants": [], "translations": [],
        "collections": [],
    },
    "collections": {**_TEXTS, "position": None, "seo": {"title": "", "description": ""}},
    "customers": {
        "external_id": "", "email": "", "phone": "", "first_name": "", "last_name": "",
        "company": "", "locale": None, "tags": [], "note": "", "tax_exempt": False,
    },
}  # fmt: skip
_VARIANT: Doc = {
    "sku": "", "options": [], "barcode": "", "price": None, "compare_at_price": None,
    "cost": None, "weight": None, "taxable": True, "inventory": [], "prices": [],
}  # fmt: skip
_CURRENCY = "EUR"
_LOCATIONS = [{"id": 1, "name": "Main"}, {"id": 2, "name": "Outlet"}]
_MARKETS = [
    {"handle": "us", "name": "United States", "currency": "USD"},
    {"handle": "jp", "name": "Japan", "currency": "JPY"},
    {"handle": "kw", "name": "Kuwait", "currency": "KWD"},
]
_FOUND = "id IN (SELECT record FROM keys k WHERE k.kind = records.kind AND {} AND value IN ({{}}))"
_FILTERS = {
    "id": "id IN ({})",
    "key": _FOUND.format("name = 'external_id'"),
    "handle": _FOUND.format("name = 'handle'"),
    "sku": _FOUND.format("name = 'sku'"),
    "email": _FOUND.format("name = 'email'"),
    "status": "json_extract(doc, '$.status') = {}",
    "updated_since": "json_extract(doc, '$.updated_at') >= {}",
}
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]+)?", re.ASCII)
_RATE = 2.0


class Sandbox(State):
    """A store of the platform that answers requests."""

    def __call__(self, request: Request) -> Response:
        """Return the platform's answer to a request."""
        return handle(self, request)


def create(path: Path | None = None) -> Sandbox:
    """Return a sandbox over a state file; None keeps the state in memory."""
    return Sandbox(path)


def settings() -> dict[str, str]:
    """Return settings that this sandbox lets in, for use in the same process."""
    return {"url": "http://sandbox.localhost", "token": "sandbox"}


def handle(state: State, request: Request) -> Response:
    """Return the platform's answer to a request."""
    with state.lock:
        try:
            _admit(state, request)
            with state.db:
                state.db.execute("BEGIN IMMEDIATE")
                response = _route(state, request)
        except Refusal as refusal:
            wait = {"retry_after": refusal.retry_after} if refusal.retry_after else {}
            response = answer(refusal.status, {"error": refusal.details}, **wait)
        level = {"x-limit": f"{int(state.tokens)}/{int(BURST)}"} if state.limited else {}
        headers = {**response.headers, **level, "x-request-id": uuid4().hex}
    return Response(status=response.status, headers=headers, body=response.body)


def _admit(state: State, request: Request) -> None:
    """Refuse who isn't let in, and who asks too often."""
    token = header(request, "x-template-token")
    if not token or token.startswith("revoked"):
        raise Refusal(401, "unauthorized", "the token is missing or was revoked")
    if token.startswith("read-only") and request.method != "GET":
        raise Refusal(403, "forbidden", "the token lacks the right write_products")
    if not state.limited:
        return
    now = state.clock()
    state.tokens = min(BURST, state.tokens + (now - state.filled) * _RATE)
    state.filled = now
    if state.tokens < 1:
        refusal = Refusal(429, "too_many_requests", "slow down")
        refusal.retry_after = f"{(1 - state.tokens) / _RATE:.1f}"
        raise refusal
    state.tokens -= 1


def _route(state: State, request: Request) -> Response:
    match request.method, request.path.strip("/").split("/"):
        case "GET", ["v1", "info"]:
            return answer(200, _info(state))
        case "GET", ["v1", kind] if kind in _EMPTY:
            return answer(200, _page(state, kind, request.params))
        case "GET", ["v1", kind, record] if kind in _EMPTY:
            return answer(200, _shown(state, kind, state.load(kind, record)))
        case "POST", ["v1", kind] if kind in _EMPTY:
            return answer(201, _create(state, kind, _body(request)))
        case "PATCH", ["v1", kind, record] if kind in _EMPTY:
            return answer(200, _update(state, kind, state.load(kind, record), _body(request)))
        case "DELETE", ["v1", kind, record] if kind in _EMPTY:
            _delete(state, kind, state.load(kind, record))
            return answer(204)
        case "DELETE", ["v1", "products", record, "variants", variant]:
            return answer(200, _delete_variant(state, state.load("products", record), variant))
        case "PUT", ["v1", "products", record, part] if part in _PARTS:
            doc = state.load("products", record)
            _PARTS[part](state, doc, _body(request))
            state.save("products", doc)
            return answer(200, _shown(state, "products", doc))
    raise Refusal(404, "no_route", f"{request.method} {request.path} is no call of this platform")


def _body(request: Request) -> Doc:
    try:
        value = json.loads(request.body) if isinstance(request.body, bytes) else None
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Refusal(400, "bad_json", "the body must be a JSON object")
    return value


def _info(state: State) -> Doc:
    return {
        "id": state.one("SELECT value FROM facts WHERE name = 'id'"),
        "name": "Template sandbox",
        "currency": _CURRENCY,
        "locales": ["en", "de", "ja"],
        "time_zone": "Europe/Berlin",
        "locations": _LOCATIONS,
        "markets": _MARKETS,
        "scopes": ["read_products", "write_products"],
    }


def _page(state: State, kind: str, params: tuple[tuple[str, str], ...]) -> Doc:
    """Return the records after an id; records made meanwhile come at the end."""
    given: dict[str, list[str]] = {}
    for name, value in params:
        given.setdefault(name, []).append(value)
    limit = min(int(given.get("limit", ["50"])[0]), 250)
    sql, values = "FROM records WHERE kind = ?", [kind]
    for name, wanted in given.items():
        if name in _FILTERS:
            sql += f" AND {_FILTERS[name].format(', '.join('?' * len(wanted)))}"
            values += map(_utc if name == "updated_since" else _folded, wanted)
    total = state.one(f"SELECT count(*) {sql}", *values)
    after = given.get("after", ["0"])[0]
    rows = state.db.execute(
        f"SELECT id, doc {sql} AND id > ? ORDER BY id LIMIT ?", (*values, after, limit + 1)
    ).fetchall()
    docs = [{"id": record, **json.loads(doc)} for record, doc in rows[:limit]]
    more = str(docs[-1]["id"]) if len(rows) > limit else None
    return {"items": [_shown(state, kind, doc) for doc in docs], "next": more, "total": total}


def _folded(text: str) -> str:
    """Return a value as look-ups compare it: e-mail addresses without regard to case."""
    return text.casefold() if "@" in text else text


def _utc(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).isoformat()


def _shown(state: State, kind: str, doc: Doc) -> Doc:
    """Return a record as answers have it: collections by handle, and the currency of amounts."""
    if kind != "products":
        return doc
    handles = (
        state.one("SELECT json_extract(doc, '$.handle') FROM records WHERE id = ?", collection)
        for collection in doc["collections"]
    )
    return {**doc, "currency": _CURRENCY, "collections": [each for each in handles if each]}


def _create(state: State, kind: str, given: Doc) -> Doc:
    now = state.now()
    doc: Doc = {**json.loads(json.dumps(_EMPTY[kind])), "created_at": now}
    required = "email" if kind == "customers" else "title"
    if not str(given.get(required, "")).strip():
        raise Refusal(422, "invalid", f"{required} can't be blank", required)
    cursor = state.db.execute("INSERT INTO records (kind, doc) VALUES (?, '{}')", (kind,))
    doc["id"] = cursor.lastrowid
    if kind != "customers":
        given = {**given, "handle": given.get("handle") or slug(given["title"]) or "untitled"}
    return _update(state, kind, doc, given)


def _update(state: State, kind: str, doc: Doc, given: Doc) -> Doc:
    """Set the given fields; variants are matched by id, then by options, and others stay."""
    known = _EMPTY[kind].keys() - {"translations", "collections"}
    for name, value in given.items():
        if name not in known:
            raise Refusal(422, "invalid", f"{name} is not known", name)
        if name == "variants":
            for variant in value:
                _set_variant(state, doc, variant)
        elif name == "seo":
            doc["seo"] |= value
        else:
            doc[name] = value
    _check(doc)
    if "handle" in doc:
        doc["handle"] = _unique(state, kind, doc)
    if kind == "customers":
        doc["email"] = doc["email"].casefold()
    if kind == "products" and not doc["variants"]:
        _set_variant(state, doc, {"options": [option["values"][0] for option in doc["options"]]})
    state.save(kind, doc)
    return _shown(state, kind, doc)


def _check(doc: Doc) -> None:
    if "title" in doc:
        doc["title"] = doc["title"].strip()
    if len(doc.get("title", "")) > 255:
        raise Refusal(422, "invalid", "the title has more than 255 characters", "title")
    if doc.get("status", "active") not in ("active", "draft", "archived"):
        raise Refusal(422, "invalid", "a status is active, draft or archived", "status")
    for place, variant in enumerate(doc.get("variants", ())):
        if len(variant["options"]) != len(doc["options"]):
            text = "a variant needs a value for each option"
            raise Refusal(422, "invalid", text, f"variants.{place}.options")


def _unique(state: State, kind: str, doc: Doc) -> str:
    """Return a handle that no other record of the kind has: "tee" becomes "tee-2"."""
    wanted, count = doc["handle"], 1
    handle = wanted
    while state.holder(kind, "handle", handle) not in (None, doc["id"]):
        count += 1
        handle = f"{wanted}-{count}"
    return str(handle)


def _set_variant(state: State, doc: Doc, given: Doc) -> None:
    variant = _find_variant(doc, given)
    if variant is None:
        variant = {"id": state.number(), **json.loads(json.dumps(_VARIANT))}
        doc["variants"].append(variant)
    currency = given.get("currency", _CURRENCY)
    if currency != _CURRENCY:
        raise Refusal(422, "currency", f"prices are in {_CURRENCY}", "variants.price")
    for name, value in given.items():
        if name in ("price", "compare_at_price", "cost"):
            variant[name] = _price(value, _CURRENCY)
        elif name not in ("id", "currency"):
            variant[name] = value
    _check_struck(variant)


def _find_variant(doc: Doc, given: Doc) -> Doc | None:
    if given.get("id"):
        return _variant(doc, given["id"])
    if "options" in given:
        same = (v for v in doc["variants"] if v["options"] == given["options"])
    else:
        same = (v for v in doc["variants"] if given.get("sku") and v["sku"] == given["sku"])
    return next(same, None)


def _variant(doc: Doc, wanted: Any) -> Doc:
    found: Doc | None = next((v for v in doc["variants"] if str(v["id"]) == str(wanted)), None)
    if found is None:
        raise Refusal(404, "not_found", f"the product has no variant {wanted}")
    return found


def _price(text: str | None, currency: str) -> str | None:
    """Return an amount as the platform keeps it: with all the digits of its currency."""
    if text is None:
        return None
    digits = minor_units(currency)
    if not isinstance(text, str) or not _AMOUNT.fullmatch(text):
        raise Refusal(422, "invalid", "an amount is digits with one dot", "variants.price")
    if Decimal(text) != round(Decimal(text), digits):
        raise Refusal(422, "invalid", f"{currency} has {digits} digits", "variants.price")
    return f"{Decimal(text):.{digits}f}"


def _check_struck(holder: Doc) -> None:
    price, struck = holder["price"], holder["compare_at_price"]
    if struck is not None and (price is None or Decimal(struck) <= Decimal(price)):
        text = f"{struck} must be above the price {price}"
        raise Refusal(422, "invalid", text, "variants.compare_at_price")


def _delete(state: State, kind: str, doc: Doc) -> None:
    state.db.execute("DELETE FROM records WHERE id = ?", (doc["id"],))
    state.db.execute("DELETE FROM keys WHERE record = ?", (doc["id"],))


def _delete_variant(state: State, doc: Doc, wanted: str) -> Doc:
    """Take a variant out; once it is gone, saying so again changes nothing."""
    rest = [variant for variant in doc["variants"] if str(variant["id"]) != wanted]
    if not rest:
        raise Refusal(422, "invalid", "a product has at least one variant")
    doc["variants"] = rest
    state.save("products", doc)
    return _shown(state, "products", doc)


def _set_inventory(state: State, doc: Doc, given: Doc) -> None:
    names = [location["name"] for location in _LOCATIONS]
    for level in given["levels"]:
        if level.get("location") not in names:
            raise Refusal(422, "invalid", "no such location", "variants.inventory")
        kept = {"location": level["location"], "available": level["available"]}
        _put(_variant(doc, level["variant"])["inventory"], kept, "location")


def _set_prices(state: State, doc: Doc, given: Doc) -> None:
    currencies = {market["handle"]: market["currency"] for market in _MARKETS}
    for price in given["prices"]:
        currency = currencies.get(price.get("market"))
        if currency is None or price.get("currency", currency) != currency:
            raise Refusal(422, "invalid", "no such market", "variants.market_prices")
        prices = _variant(doc, price["variant"])["prices"]
        empty = {"market": price["market"], "currency": currency, "price": None,
                 "compare_at_price": None, "included": True}  # fmt: skip
        kept = next((p for p in prices if p["market"] == price["market"]), empty)
        for name in ("price", "compare_at_price"):
            if name in price:
                kept[name] = _price(price[name], currency)
        kept["included"] = price.get("included", kept["included"])
        _check_struck(kept)
        _put(prices, kept, "market")


def _set_translations(state: State, doc: Doc, given: Doc) -> None:
    for text in given["translations"]:
        name = (text["locale"], text["field"])
        doc["translations"] = [t for t in doc["translations"] if (t["locale"], t["field"]) != name]
        if text["value"] is not None:
            doc["translations"].append(text)


def _set_collections(state: State, doc: Doc, given: Doc) -> None:
    for collection in given["collections"]:
        state.load("collections", str(collection))
    doc["collections"] = given["collections"]


def _put(elements: list[Doc], element: Doc, name: str) -> None:
    """Put an element in the place of the one with its name, else at the end."""
    for place, each in enumerate(elements):
        if each[name] == element[name]:
            elements[place] = element
            return
    elements.append(element)


_PARTS: Mapping[str, Callable[[State, Doc, Doc], None]] = {
    "inventory": _set_inventory,
    "prices": _set_prices,
    "translations": _set_translations,
    "collections": _set_collections,
}

if __name__ == "__main__":
    serve(create)
