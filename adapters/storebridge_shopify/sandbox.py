"""A sandbox of Shopify: the Admin GraphQL API over a shop that is kept in one file.

    python -m storebridge_shopify.sandbox --port 8080 --state shop.db

The schema is a part of the official one; what else it does cites where it is known from:
`usage/…` are pages of shopify.dev/docs/api, "recorded" are answers of development stores, a
"description" is that of the schema. Not what our adapter believes is the truth here.

`switch` sets what is special about the shop or goes wrong (`sandbox_state.SWITCHES`):

    sandbox = create(clock=clock.time, rate=1000)
    sandbox.switch(search_lag=30, troubles=["timeout", "too_many*3"])
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from storebridge.errors import ConfigError
from storebridge.flow import Request, Response
from storebridge.testing.sandbox import answer, header, serve

try:
    import graphql as _  # noqa: F401 - everything below needs it
except ImportError:
    raise ConfigError(
        "The sandbox of Shopify needs graphql-core. "
        "Install the extra: pip install 'storebridge[sandbox]'"
    ) from None

from storebridge_shopify import (
    sandbox_bulk,
    sandbox_bulk_lines,
    sandbox_bulk_query,
    sandbox_collections,
    sandbox_customers,
    sandbox_definitions,
    sandbox_discount_edits,
    sandbox_discounts,
    sandbox_fulfilment,
    sandbox_inventory,
    sandbox_media,
    sandbox_metafields,
    sandbox_order_create,
    sandbox_orders,
    sandbox_prices,
    sandbox_product_edits,
    sandbox_product_set,
    sandbox_redirects,
    sandbox_taxonomy,
    sandbox_translations,
)
from storebridge_shopify.sandbox_access import TOKEN, admit, authorize, token, uninstall
from storebridge_shopify.sandbox_execute import execute
from storebridge_shopify.sandbox_shop import open_shop
from storebridge_shopify.sandbox_state import State
from storebridge_shopify.sandbox_storage import stored
from storebridge_shopify.sandbox_trouble import BEFORE, next_trouble, spoiled, stopped

__all__ = ["Sandbox", "create", "settings"]

#: The modules that bring the resolvers, besides those that are used below.
RESOLVERS = (
    sandbox_bulk_lines,
    sandbox_bulk_query,
    sandbox_collections,
    sandbox_customers,
    sandbox_definitions,
    sandbox_discount_edits,
    sandbox_discounts,
    sandbox_fulfilment,
    sandbox_inventory,
    sandbox_media,
    sandbox_metafields,
    sandbox_order_create,
    sandbox_prices,
    sandbox_taxonomy,
    sandbox_translations,
)


class Sandbox(State):
    """A shop that answers requests."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
        rate: float = 100.0,
        **switches: Any,
    ) -> None:
        """Open or make the shop; `rate` is the plan's points a second, `switches` its switches."""
        super().__init__(path, clock=clock, rate=rate)
        with self.lock, self.db:
            open_shop(self)
            self.switch(**switches)

    def __call__(self, request: Request) -> Response:
        """Return the shop's answer to a request; one transaction each."""
        with self.lock, self.db:
            return _answered(self, request)

    def sell(self, lines: Sequence[tuple[str, int]], **more: Any) -> str:
        """Make an order as a buyer would, see `sandbox_orders.sell`; return its id."""
        with self.lock, self.db:
            return sandbox_orders.sell(self, lines, **more)

    def occupy(self, kind: str, seconds: float) -> str:
        """Run a bulk "QUERY" or "MUTATION" of somebody else with the same app; return its id."""
        with self.lock, self.db:
            return sandbox_bulk.occupy(self, kind, seconds)

    def uninstall(self) -> None:
        """Take the app off the shop, as a person does in the admin: its tokens are gone."""
        with self.lock, self.db:
            uninstall(self)

    def promote(self, kind: str, title: str, codes: Sequence[str] = (), **values: Any) -> str:
        """Make a discount of any type, see `sandbox_discounts.promote`; return its id."""
        with self.lock, self.db:
            return sandbox_discounts.promote(self, kind, title, codes, **values)

    def switch(self, **switches: Any) -> None:
        """Set switches: `search_lag=30`, `troubles=["timeout"]`, `scopes=["read_products"]`."""
        with self.lock, self.db:
            if "scopes" in switches:
                self.set_fact("scopes", list(switches.pop("scopes")))
            super().switch(**switches)


def create(
    path: Path | None = None,
    *,
    clock: Callable[[], float] = time.time,
    rate: float = 100.0,
    **switches: Any,
) -> Sandbox:
    """Return a shop over a state file; None keeps it in memory."""
    return Sandbox(path, clock=clock, rate=rate, **switches)


def settings() -> dict[str, str]:
    """Return settings that this sandbox lets in."""
    return {"url": "https://sandbox.myshopify.com", "token": TOKEN}


def _answered(state: State, request: Request) -> Response:
    parts = urlsplit(request.path)
    if parts.path.startswith(("/staged/", "/results/")):
        return stored(state, parts.path, request)
    if parts.path == "/admin/oauth/access_token":
        return token(state, request)
    if parts.path == "/admin/oauth/authorize":
        return authorize(state, request)
    if not parts.path.startswith("/admin/api/") or not parts.path.endswith("/graphql.json"):
        return answer(404, {"errors": "Not Found"})
    if request.method != "POST":
        return answer(405, {"errors": "Method Not Allowed"})
    trouble = next_trouble(state)
    if trouble in BEFORE:
        return stopped(trouble)
    if not admit(state, request):
        return stopped("expired")
    said = _graphql(state, request, parts.path.split("/")[3])
    return spoiled(trouble, said) if trouble else said


def _graphql(state: State, request: Request, asked: str) -> Response:
    if "json" not in header(request, "content-type"):
        return answer(415, {"errors": "Unsupported Media Type"})
    body = request.body.read_bytes() if isinstance(request.body, Path) else request.body
    try:
        given = json.loads(body) if isinstance(body, bytes) else {}
        text, variables = str(given["query"]), given.get("variables") or {}
    except (ValueError, KeyError, TypeError):
        return answer(400, {"errors": {"query": "Required parameter missing or invalid"}})
    state.begin()
    _work(state)
    found = execute(state, text, variables)
    if state.warnings and header(request, "shopify-search-query-debug"):
        found.setdefault("extensions", {})["search"] = state.warnings
    said = answer(200, found)
    return replace(said, headers={**said.headers, **_headers(state, asked)})


def _headers(state: State, asked: str) -> dict[str, str]:
    """Return the version that answered: one that isn't served falls forward (usage/versioning)."""
    served = state.option("versions")
    version = asked if asked in served else served[0]
    headers = {"x-shopify-api-version": version, "x-request-id": f"sandbox-{state.calls}"}
    if reason := state.option("deprecated"):
        headers["x-shopify-api-deprecated-reason"] = reason
    return headers


#: What carries out work that was begun, by its kind: (type of the object, step).
_STEPS: dict[str, tuple[str, Callable[[State, dict[str, Any]], bool]]] = {
    "productSet": ("ProductSetOperation", sandbox_product_set.finish),
    "productDelete": ("ProductDeleteOperation", sandbox_product_edits.finish),
    "bulk": ("BulkOperation", sandbox_bulk.finish),
    "redirects": ("UrlRedirectImport", sandbox_redirects.finish),
}


def _work(state: State) -> None:
    """Go on with what was begun by earlier requests."""
    for number, kind in state.rows("SELECT object, kind FROM work ORDER BY object"):
        type_, step = _STEPS[kind]
        doc = state.get(f"gid://shopify/{type_}/{number}")
        if doc is None or step(state, doc):
            state.run("DELETE FROM work WHERE object = ?", number)


if __name__ == "__main__":
    serve(create, settings=settings)
