"""Stores that are used at once never see each other's token, and no host but its own gets one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.shopify.consent import TOKENS, App, Handler, allowed

import storebridge
from storebridge.engine import Engine, EngineOptions, HandlerTransport
from storebridge.errors import BadAnswer, ConfigError, StorebridgeError
from storebridge.flow import Flow, Request, RequestKind, Response, send
from storebridge.models import Product
from storebridge.store import Store
from storebridge.store.base import Opening
from storebridge.testing import VirtualClock
from storebridge.testing.sandbox import SandboxServer, header
from storebridge.vault import FileVault
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify.sandbox import create
from storebridge_shopify.sandbox_access import CLIENT

TITLES = ("Only in one", "Only in two")


class Watched:
    """A shop that lets nothing pass which isn't for it: host, and tokens that it gave itself."""

    def __init__(self, number: int) -> None:
        self.title = TITLES[number]
        self.shop = create(None, rate=1e9)
        self.given: set[str] = set()
        self.strangers: list[str] = []
        self.requests = 0
        self._lock = threading.Lock()
        self.url = ""

    def __call__(self, request: Request) -> Response:
        token = header(request, "x-shopify-access-token")
        with self._lock:
            self.requests += 1
            if token and token not in self.given:
                self.strangers.append("token")
            if self.url and header(request, "host") != self.url.partition("://")[2]:
                self.strangers.append("host")
        answer = self.shop(request)
        if request.path == TOKENS:
            import json

            with self._lock:
                self.given.add(json.loads(answer.body)["access_token"])
        return answer


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[list[tuple[str, Watched]]]:
    """Two shops behind two ports, into which one app was let; the same folder keeps its tokens."""
    found = []
    with ExitStack() as stack:
        for number in range(2):
            watched = Watched(number)
            server = stack.enter_context(SandboxServer(watched))
            watched.shop.url = watched.url = server.url
            app = App(tmp_path, watched, url=server.url)
            app.sandbox = watched.shop
            grant = app.adapter().grant
            assert grant is not None
            query = allowed(app.adapter(), watched.shop, "s")
            with Engine(app.adapter(), options=EngineOptions(vault=app.vault)) as engine:
                from time import time

                engine.accept(grant.code(query, "s", time()))
            found.append((server.url, watched))
        assert not found[0][1].given & found[1][1].given
        for url, watched in found:
            with opened(url, tmp_path) as store:
                store.products.create(Product(title=watched.title, handle="one"))
        yield found


def settings(url: str, folder: Path) -> dict[str, Any]:
    return {
        "client_id": CLIENT[0],
        "client_secret": CLIENT[1],
        "grant": "authorization_code",
        "vault": FileVault(folder / "tokens"),
        "state": folder / "state",
    }


def opened(url: str, folder: Path) -> Store:
    return storebridge.open(f"shopify+{url}", **settings(url, folder))


def test_64_threads_never_mix_two_stores_up(
    shops: list[tuple[str, Watched]], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        stores = [stack.enter_context(opened(url, tmp_path)) for url, _ in shops]
        assert all(each.engine for each in stores)
        both = threading.Barrier(64)

        def use(number: int) -> set[str]:
            both.wait(30)
            return {each.title for _ in range(2) for each in stores[number % 2].products.iter()}

        with ThreadPoolExecutor(64) as pool:
            found = list(pool.map(use, range(64)))
    assert found == [{TITLES[n % 2]} for n in range(64)]
    assert [watched.strangers for _, watched in shops] == [[], []]
    assert all(watched.requests >= 64 for _, watched in shops)


def test_64_tasks_never_mix_two_stores_up(shops: list[tuple[str, Watched]], tmp_path: Path) -> None:
    async def use(store: storebridge.AsyncStore) -> set[str]:
        return {each.title for _ in range(2) for each in [r async for r in store.products.iter()]}

    async def main() -> list[set[str]]:
        async with (
            storebridge.open_async(f"shopify+{shops[0][0]}", **settings("", tmp_path)) as one,
            storebridge.open_async(f"shopify+{shops[1][0]}", **settings("", tmp_path)) as two,
        ):
            return await asyncio.gather(*(use((one, two)[n % 2]) for n in range(64)))

    found = asyncio.run(main())
    assert found == [{TITLES[n % 2]} for n in range(64)]
    assert [watched.strangers for _, watched in shops] == [[], []]


def test_many_stores_renew_at_once_and_each_gets_its_own(tmp_path: Path) -> None:
    """Sixteen shops whose tokens end together, over one folder and one clock."""
    clock, shops = VirtualClock(), []
    for number in range(16):
        watched = Watched(0)
        watched.shop = create(None, clock=clock.time, host=f"shop-{number}.myshopify.com")
        app = App(tmp_path, lambda request, sandbox, watched=watched: watched(request))
        app.clock, app.sandbox = clock, watched.shop
        app.values["url"] = f"shop-{number}.myshopify.com"
        app.let_in()
        shops.append((app, watched))

    def use(pair: tuple[App, Watched]) -> str:
        return str(pair[0].engine().run(pair[0].adapter().info()).id)

    for _ in range(2):
        clock.advance(3_600)
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(use, shops * 2))
    assert [watched.strangers for _, watched in shops] == [[]] * 16
    assert [app.renewals for app, _ in shops] == [2] * 16


# -- where a token may go


def store(handler: Handler, **more: Any) -> Store:
    values = {"url": "sandbox.myshopify.com", "token": "shpat_canary", **more}
    adapter = ShopifyAdapter(ShopifySettings.model_validate(values))
    opening = Opening(transport=HandlerTransport(handler), clock=VirtualClock())
    return Store(adapter, opening)


TARGETS = [
    "https://sandbox.myshopify.com/admin/api/2026-10/graphql.json",
    "https://other.myshopify.com/admin/api/2026-10/graphql.json",
    "https://sub.sandbox.myshopify.com/admin",
    "http://sandbox.myshopify.com/admin/api/2026-10/graphql.json",
    "https://user@sandbox.myshopify.com/",
    "https://sandbox.myshopify.com:8443/",
    "https://203.0.113.7/",
    "/admin/auth/login",
]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", TARGETS)
def test_no_redirect_is_followed(status: int, target: str) -> None:
    seen: list[Request] = []

    def handler(request: Request) -> Response:
        seen.append(request)
        return Response(status=status, headers={"location": target})

    with pytest.raises(BadAnswer, match="redirect") as caught:
        _ = store(handler).info
    assert len(seen) == 1
    assert "shpat_canary" not in str(caught.value)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("status", [302, 307])
def test_no_redirect_takes_a_token_request_along(tmp_path: Path, status: int, target: str) -> None:
    seen: list[Request] = []

    def redirect(request: Request, sandbox: Handler) -> Response:
        seen.append(request)
        return Response(status=status, headers={"location": target})

    app = App(tmp_path)
    app.let_in()
    app.between = redirect
    app.clock.advance(3_600)
    with pytest.raises(StorebridgeError, match="redirect"):
        app.engine().run(app.adapter().info())
    assert {each.path for each in seen} == {TOKENS}
    app.between = None
    assert app.engine().run(app.adapter().info())


def test_a_shop_that_answers_as_another_is_refused() -> None:
    """A renamed shop answers at its old address, and aliases lead to others."""
    with pytest.raises(ConfigError, match="answers as another shop, other") as caught:
        _ = store(create(None, host="other.myshopify.com"), token="shpat_sandbox").info
    assert "shopify://other.myshopify.com" in str(caught.value)
    assert store(create(None), token="shpat_sandbox").info.name


def test_a_request_to_another_host_carries_no_token() -> None:
    seen: list[Request] = []

    def handler(request: Request) -> Response:
        seen.append(request)
        return Response(status=200, body=b"{}")

    def flow() -> Flow[Response]:
        path = "https://storage.example/results/1"
        return (yield from send(Request(method="GET", path=path, foreign=True)))

    found = store(handler)
    with Engine(found.adapter, transport=HandlerTransport(handler)) as engine:
        engine.run(flow())
    assert "shpat_canary" not in repr([(each.headers, each.params) for each in seen])


def test_a_token_request_carries_no_token() -> None:
    request = Request(method="POST", path=TOKENS, kind=RequestKind.TOKEN)
    adapter = ShopifyAdapter(ShopifySettings.model_validate({"url": "a", "token": "shpat_canary"}))
    from pydantic import SecretStr

    from storebridge.adapter import Credentials

    credentials = Credentials({"token": SecretStr("shpat_canary")})
    assert "canary" not in repr(adapter.prepare(request, credentials, "n", 0.0).headers)
