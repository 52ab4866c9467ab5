"""A WooCommerce shop in this process: a function that answers requests as a real server does.

    python -m storebridge_woocommerce.sandbox --port 8080 --state shop.db

Its habits are those of WooCommerce 11.0.1 on WordPress 6.9, as recorded exchanges with a real
server and its published schema show them; each habit says so where it lives. The recorded
exchanges are replayed against it in the tests. Not what our adapter believes is the truth here.

`switch` sets what is special about a shop or goes wrong on the way to it (see `SWITCHES`):

    sandbox = create()
    sandbox.switch(timezone_string="America/New_York", troubles=["timeout", "notice*3"])
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from storebridge.flow import Request, Response
from storebridge.testing.sandbox import serve
from storebridge_woocommerce import (
    sandbox_rates,
    sandbox_refunds,
    sandbox_settings,
    sandbox_wordpress,
)
from storebridge_woocommerce.sandbox_access import admit, forbidden
from storebridge_woocommerce.sandbox_call import Answer, Call, body_of, parsed
from storebridge_woocommerce.sandbox_languages import languages
from storebridge_woocommerce.sandbox_latency import due, postpone, seconds
from storebridge_woocommerce.sandbox_orders import Orders
from storebridge_woocommerce.sandbox_people import Coupons, Customers, Reviews
from storebridge_woocommerce.sandbox_products import Products, confuse
from storebridge_woocommerce.sandbox_rates import TaxRates
from storebridge_woocommerce.sandbox_records import Endpoint, Resource, Routes, trimmed
from storebridge_woocommerce.sandbox_schema import arguments, checked
from storebridge_woocommerce.sandbox_shop import set_up, switch
from storebridge_woocommerce.sandbox_state import APP_PASSWORD, KEYS, Fatal, Refusal, State, dumps
from storebridge_woocommerce.sandbox_taxonomy import Attributes, AttributeTerms, Terms
from storebridge_woocommerce.sandbox_trouble import (
    BEFORE,
    fatal,
    gateway,
    next_trouble,
    spoiled,
    stopped,
)
from storebridge_woocommerce.sandbox_variations import Variations
from storebridge_woocommerce.sandbox_webhooks import Webhooks

__all__ = ["Sandbox", "create", "handle", "settings"]

_EXPOSED = {
    "content-type": "application/json; charset=UTF-8",
    "x-robots-tag": "noindex",
    "x-content-type-options": "nosniff",
    "access-control-expose-headers": "X-WP-Total, X-WP-TotalPages, Link",
    "expires": "Wed, 11 Jan 1984 05:00:00 GMT",
    "cache-control": "no-cache, must-revalidate, max-age=0, no-store, private",
}


_VARIATIONS = re.compile(r"/products/([0-9]+)/variations/batch$", re.ASCII)
_Table = list[tuple[re.Pattern[str], str, dict[str, Endpoint]]]


class Sandbox(State):
    """A shop that answers requests."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        **switches: Any,
    ) -> None:
        """Open or make the shop; `switches` are those of `SWITCHES`."""
        super().__init__(path, clock=clock, sleep=sleep)
        with self.transaction():
            set_up(self)
        self.switch(**{"url": settings()["url"], **switches})

    def __call__(self, request: Request) -> Response:
        """Return the shop's answer to a request."""
        return handle(self, request)

    def switch(self, **switches: Any) -> None:
        """Set switches and WooCommerce options: `woocommerce_currency="EUR"`, `troubles=[…]`."""
        with self.lock, self.transaction():
            switch(self, **switches)

    @property
    def url(self) -> str:
        """The shop's own address, which OAuth signs; its scheme decides what else lets in."""
        return self.home

    @url.setter
    def url(self, url: str) -> None:
        self.switch(url=url)


def create(path: Path | None = None, **switches: Any) -> Sandbox:
    """Return a shop over a state file; None keeps it in memory."""
    return Sandbox(path, **switches)


def settings() -> dict[str, str]:
    """Return settings that this sandbox lets in."""
    key, secret, _, _ = KEYS["read_write"]
    return {
        "url": "https://sandbox.localhost",
        "key": key,
        "secret": secret,
        "user": "admin",
        "password": APP_PASSWORD,
    }


def handle(state: State, request: Request) -> Response:
    """Return the shop's answer to a request, with whatever goes wrong on the way."""
    parent = _VARIATIONS.search(request.path) if request.method != "GET" else None
    with state.busy_with(parent[1] if parent else "") as alone:
        said, spent = _handled(state, request)
        if parent and not alone():
            with state.lock, state.transaction():
                confuse(state, int(parent[1]))
        if state.options["latency"] == "measured":
            with state.cores:
                state.sleep(spent)
    return said


def _handled(state: State, request: Request) -> tuple[Response, float]:
    """Return the answer and how many seconds a real server would have taken for it."""
    with state.lock, state.transaction():
        trouble = next_trouble(state)
        refused = _web_server(state, request)
        if trouble in BEFORE or refused is not None:
            return refused or stopped(request, trouble), 0.0
        for waiting in due(state):
            _answered(state, waiting, admitted=True)
        said, spent = _timed(state, request)
    return (spoiled(request, trouble, said) if trouble else said), spent


def _timed(state: State, request: Request) -> tuple[Response, float]:
    """Answer a request, or let the gateway give up on it and the work go on."""
    limit = float(state.options["gateway_timeout"])
    spent = seconds(request)
    if limit and spent > limit and request.method != "GET":
        body = postpone(state, request, limit)
        if body is not None:
            _answered(state, replace(request, body=body))
        return gateway(504), limit
    said = _answered(state, request)
    rows = int(said.headers.get("x-wp-total", 0)) if request.method == "GET" else 0
    return said, seconds(request, min(rows, 100)) if rows else spent


def _web_server(state: State, request: Request) -> Response | None:
    """Return nginx's answer to what is too long for it, or to be had elsewhere."""
    options = state.options
    length = len(request.path) + sum(len(name) + len(value) + 2 for name, value in request.params)
    if length > options["max_url"]:
        return gateway(414)
    if options["max_body"] and len(body_of(request)) > options["max_body"]:
        return gateway(413)
    if options["redirects_to"]:
        query = "&".join(f"{name}={value}" for name, value in request.params)
        target = f"{options['redirects_to']}{request.path}" + (f"?{query}" if query else "")
        return Response(status=301, headers={"location": target, "content-type": "text/html"})
    return None


def _answered(state: State, request: Request, *, admitted: bool = False) -> Response:
    call = parsed(state, request)
    routed = "rest_route" in call.query  # WordPress 6.9: it leads to the interface from any page
    page = None if routed else sandbox_wordpress.front(state, request.path)
    if page is not None:
        return page
    try:
        if admitted:
            call.user, call.role = 1, "administrator"
        else:
            admit(call)
        said = _dispatched(call)
    except Fatal as error:
        return fatal(request, f"Uncaught TypeError: {error}")
    except Refusal as refusal:
        said = Answer(refusal.doc, refusal.status)
    return _response(call, said)


def _dispatched(call: Call) -> Answer:
    if call.path == "/":
        return Answer(sandbox_wordpress.index(call.state))
    if call.path == "/pll/v1/languages" and "polylang" in call.state.options["plugins"]:
        call.params = call.query
        return Answer(trimmed(languages(call.state), call.fields))
    core = call.path.startswith("/wp/v2")
    endpoint, route = _route(call, "/wp/v2" if core else "/wc/v3")
    if call.broken is not None:
        raise call.broken
    given = call.merged()
    call.params = given
    if core:
        call.params = checked(sandbox_wordpress.arguments(route, call.verb), given)
    elif not route.endswith("/batch"):
        call.params = checked(arguments(route, call.verb), given)
    if not core:
        _permit(call, route)
    said = endpoint(call)
    said.body = trimmed(said.body, call.fields, links=not core)
    return said


def _route(call: Call, namespace: str) -> tuple[Endpoint, str]:
    # WooCommerce 11.0.1: consumer keys open wc-analytics too; its products are the same ones.
    if call.path == "/wc-analytics/products":
        namespace = "/wc-analytics"
    if call.path.startswith(namespace):
        path = call.path.removeprefix(namespace) or "/"
        for pattern, route, verbs in _core_table() if namespace == "/wp/v2" else _table():
            found = pattern.fullmatch(path)
            if found and call.verb in verbs:
                call.url = dict(found.groupdict())
                return verbs[call.verb], route
    raise Refusal("rest_no_route", "No route was found matching the URL and request method.", 404)


@lru_cache
def _table() -> _Table:
    resources: list[Resource] = [
        Products(), Variations(), Attributes(), AttributeTerms(), Webhooks(), Orders(),
        Customers(), Coupons(), Reviews(), TaxRates(),
        *(Terms(name) for name in ("categories", "tags", "brands", "shipping_classes")),
    ]  # fmt: skip
    found: Routes = {}
    for resource in resources:
        found |= resource.routes()
    found |= sandbox_settings.routes() | sandbox_refunds.routes() | sandbox_rates.routes()
    return _compiled(found)


@lru_cache
def _core_table() -> _Table:
    return _compiled(sandbox_wordpress.routes())


def _compiled(routes: Routes) -> _Table:
    return [(re.compile(route), route, verbs) for route, verbs in routes.items()]


def _permit(call: Call, route: str) -> None:
    """Refuse who may not: nobody, and customers, who may neither read nor write here."""
    # WooCommerce 11.0.1: a shop manager may do all but batches of customers.
    if call.role == "administrator" or (
        call.role == "shop_manager" and route != "/customers/batch"
    ):
        return
    if route.endswith("/batch"):
        text = "Sorry, you are not allowed to batch manipulate this resource."
        raise forbidden(call, "woocommerce_rest_cannot_batch", text)
    if call.verb == "GET":
        what = "view this resource" if call.url else "list resources"
        raise forbidden(call, "woocommerce_rest_cannot_view", f"Sorry, you cannot {what}.")
    word = {"DELETE": "delete"}.get(call.verb, "edit" if call.url else "create")
    text = f"Sorry, you are not allowed to {word} {'this resource' if call.url else 'resources'}."
    raise forbidden(call, f"woocommerce_rest_cannot_{word}", text)


def _response(call: Call, said: Answer) -> Response:
    body: Any = said.body
    status, headers = said.status, said.headers
    if call.query.get("_envelope"):
        body = {
            "body": body,
            "status": status,
            "headers": {"Allow": "GET, POST, PUT, PATCH, DELETE"},
        }
        status = 200
    link = f'<{call.state.options["url"]}/wp-json/>; rel="https://api.w.org/"'
    data = b"" if call.request.method == "HEAD" else dumps(body).encode()
    return Response(status=status, headers={**_EXPOSED, "link": link, **headers}, body=data)


if __name__ == "__main__":
    serve(create, settings=settings)
