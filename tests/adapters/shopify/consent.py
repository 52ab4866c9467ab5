"""An app that a person lets into a sandbox shop: stores on it, and everything that was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from storebridge.engine import Engine, EngineOptions, HandlerTransport
from storebridge.flow import Flow, Request, Response
from storebridge.testing import VirtualClock
from storebridge.vault import FileVault, Vault
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify.graphql import call
from storebridge_shopify.sandbox import create
from storebridge_shopify.sandbox_access import CLIENT

Handler = Callable[[Request], Response]

BACK = "http://127.0.0.1:8917/callback"
TOKENS = "/admin/oauth/access_token"


class App:
    """One app in one shop. `between` stands between each engine and the sandbox."""

    def __init__(self, folder: Path, between: Any = None, **values: Any) -> None:
        self.clock = VirtualClock()
        self.sandbox = create(None, clock=self.clock.time)
        self.vault: Vault = FileVault(folder / "tokens")
        self.between = between
        self.values = {
            "url": "sandbox.myshopify.com",
            "client_id": CLIENT[0],
            "client_secret": CLIENT[1],
            "grant": "authorization_code",
            **values,
        }
        self.asked: list[str] = []
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Response:
        with self._lock:
            self.asked.append("token" if request.path == TOKENS else "call")
        if self.between is not None:
            found: Response = self.between(request, self.sandbox)
            return found
        return self.sandbox(request)

    def adapter(self) -> ShopifyAdapter:
        return ShopifyAdapter(ShopifySettings.model_validate(self.values))

    def engine(self, vault: Vault | None = None, **options: Any) -> Engine:
        """Return an engine of its own, as another process would have."""
        return Engine(
            self.adapter(),
            clock=self.clock,
            transport=HandlerTransport(self.answer),
            options=EngineOptions(vault=vault or self.vault, store="acme", **options),
        )

    def callback(self, state: str = "state-1") -> str:
        """Have the person say yes; return the query of the callback."""
        return allowed(self.adapter(), self.sandbox, state)

    def let_in(self) -> None:
        """Let the app in, and forget how."""
        adapter = self.adapter()
        assert adapter.grant is not None
        code = adapter.grant.code(self.callback(), "state-1", self.clock.time())
        self.engine().accept(code)
        self.asked.clear()

    @property
    def renewals(self) -> int:
        return self.asked.count("token")


def allowed(adapter: ShopifyAdapter, sandbox: Handler, state: str, back: str = BACK) -> str:
    """Open the grant's address as a browser does; return the query that comes back."""
    assert adapter.grant is not None
    parts = urlsplit(adapter.grant.url(back, state))
    answer = sandbox(Request(method="GET", path=f"{parts.path}?{parts.query}"))
    assert answer.status == 302, answer.body
    where = urlsplit(answer.headers["location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == back
    return where.query


def look() -> Flow[str]:
    """Ask the shop who it is."""
    data = yield from call("shop")
    return str(data["shop"]["name"])
