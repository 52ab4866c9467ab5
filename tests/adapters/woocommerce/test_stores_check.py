"""`storebridge stores check` names each cause of a refused connection, and what to do about it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import Authority

from storebridge.cli.app import run
from storebridge.engine import HandlerTransport
from storebridge.flow import Request, Response
from storebridge_woocommerce.sandbox import create, settings
from storebridge_woocommerce.sandbox_state import KEYS

HTTPS, HTTP = "https://sandbox.localhost", "http://127.0.0.1:8088"
Handler = Callable[[Request], Response]
Check = Callable[..., str]

_HTML = {"content-type": "text/html"}
_PAGE = b"<!DOCTYPE html><title>Just a moment...</title><p>Checking your browser</p>"


@pytest.fixture
def check(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Check:
    """Checks a shop by its name, as it is typed; returns what was printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr("storebridge.config.user_folder", lambda: tmp_path / "user")

    def typed(handler: Handler | None, code: int = 3, url: str = HTTPS, **keys: str) -> str:
        if handler is not None:

            def transport(*_: Any, **__: Any) -> HandlerTransport:
                return HandlerTransport(handler)

            monkeypatch.setattr("storebridge.engine.transport.HttpTransport", transport)
        Path("storebridge.toml").write_text(
            f'[stores.shop]\nurl = "woocommerce+{url}"\n', encoding="utf-8"
        )
        own = {"key": settings()["key"], "secret": settings()["secret"], **keys}
        for name, value in own.items():
            monkeypatch.setenv(f"STOREBRIDGE_STORES__SHOP__{name.upper()}", value)
        found = run(("stores", "check", "shop", "--state", "state"))
        said = " ".join("".join(capsys.readouterr()).split())
        assert found == code, f"ended with {found}: {said}"
        assert "shop: " in said
        assert not [value for value in own.values() if value in said], "a secret is told"
        return said

    return typed


def keys(permission: str) -> dict[str, str]:
    """Return the credentials of a key."""
    key, secret = KEYS[permission][:2]
    return {"key": key, "secret": secret}


def said(status: int, code: str, message: str) -> Handler:
    """Return a server that says one thing only."""
    body = json.dumps({"code": code, "message": message, "data": {"status": status}}).encode()
    headers = {"content-type": "application/json"}
    return lambda _: Response(status=status, headers=headers, body=body)


def page(status: int, body: bytes = _PAGE) -> Handler:
    """Return a server that shows one page only."""
    return lambda _: Response(status=status, headers=_HTML, body=body)


def test_a_shop_that_lets_in(check: Check) -> None:
    out = check(create(), code=0)
    assert "shop: yes: WooCommerce" in out
    assert "may not" not in out


def test_a_key_that_may_only_read(check: Check) -> None:
    out = check(create(), code=0, **keys("read"))
    assert "may not: write: The API key provided does not have write permissions." in out
    assert "Set the key's permissions to Read/Write" in out


@pytest.mark.parametrize(
    ("given", "cause", "remedy"),
    [
        ({"key": "ck_" + "0" * 40}, "does not know the consumer key", "may have been revoked"),
        ({"secret": "cs_" + "0" * 40}, "Consumer secret is invalid", "belongs to this key"),
        (keys("write"), "does not have read permissions", "permissions to Read/Write"),
        (keys("customer"), "Sorry, you cannot", "role Shop manager or Administrator"),
    ],
    ids=["wrong key", "wrong secret", "write only", "role too low"],
)
def test_credentials(check: Check, given: dict[str, str], cause: str, remedy: str) -> None:
    out = check(create(), **given)
    assert cause in out
    assert remedy in out


@pytest.mark.parametrize(
    ("switches", "cause", "remedy"),
    [
        ({"strips_authorization": True}, "did not see the credentials", "HTTP_AUTHORIZATION"),
        ({"permalinks": "plain"}, "has plain permalinks", "Settings > Permalinks"),
        ({"version": "7.9.0"}, "WooCommerce 7.9.0", "Update WooCommerce"),
        (
            {"redirects_to": "https://www.shop.example"},
            "https://www.shop.example",
            "Set the store's URL to https://www.shop.example",
        ),
    ],
    ids=["header dropped", "plain permalinks", "too old", "redirect to another host"],
)
def test_the_site(check: Check, switches: dict[str, Any], cause: str, remedy: str) -> None:
    code = 1 if "redirects_to" in switches else 3
    out = check(create(**switches), code=code)
    assert cause in out
    assert remedy in out


def test_a_redirect_to_https(check: Check) -> None:
    sandbox = create(url=HTTP, redirects_to="https://127.0.0.1:8088")
    assert "Set the store's URL to https://127.0.0.1:8088" in check(sandbox, code=1, url=HTTP)


def test_a_clock_that_is_wrong(check: Check) -> None:
    sandbox = create(url=HTTP, clock=lambda: time.time() + 3_600)
    out = check(sandbox, url=HTTP)
    assert "Invalid timestamp" in out
    assert "Set this machine's clock" in out


def test_a_site_that_calls_itself_by_another_address(check: Check) -> None:
    """Signatures are made with the site's own address; here a cache tells an old one."""
    sandbox = create(url=HTTP)

    def cached(request: Request) -> Response:
        answer = sandbox(request)
        if request.path != "/wp-json/":
            return answer
        body = answer.body.replace(HTTP.encode(), b"http://old.example")
        return Response(status=200, headers=answer.headers, body=body)

    out = check(cached, url=HTTP)
    assert "does not match" in out
    assert "Site Address of WordPress" in out


def test_http_that_is_not_signed_is_not_let_in(check: Check) -> None:
    """What stands before the shop drops the query's signature: the shop takes us for nobody."""
    sandbox = create(url=HTTP)

    def dropping(request: Request) -> Response:
        params = tuple(pair for pair in request.params if not pair[0].startswith("oauth_"))
        return sandbox(Request(method=request.method, path=request.path, params=params))

    out = check(dropping, url=HTTP)
    assert "did not see the signature" in out
    assert "with https" in out


@pytest.mark.parametrize(
    ("server", "code", "cause", "remedy"),
    [
        (
            said(401, "rest_login_required", "REST API restricted to authenticated users."),
            3,
            "REST API restricted",
            "has switched WordPress's REST interface off",
        ),
        (page(403), 3, "refused", "Let this machine's address through"),
        (page(200), 1, "a page came", "A firewall or a cache stands before the shop"),
        (
            said(403, "wp_die", "Blocked by security plugin"),
            3,
            "Blocked by security plugin",
            "Let this machine's address through",
        ),
        (page(404, b"<html>Not found</html>"), 3, "is no WordPress site", "Check the store's URL"),
        (
            lambda _: Response(status=200, body=b'{"name": "Blog", "namespaces": ["wp/v2"]}'),
            3,
            "WooCommerce isn't active",
            "Activate the plugin",
        ),
        (said(503, "wp_die", "Briefly unavailable"), 3, "unavailable", "in maintenance: try again"),
    ],
    ids=["REST off", "firewall 403", "firewall 200", "plugin", "no WordPress", "no shop", "closed"],
)
def test_what_stands_before_the_shop(
    check: Check, impatient: None, server: Handler, code: int, cause: str, remedy: str
) -> None:
    out = check(server, code=code)
    assert cause in out
    assert remedy in out


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no request be sent again: what a refusal is called doesn't depend on it."""
    monkeypatch.setattr("storebridge.engine.retry.Quota.spend", lambda _self: False)


def test_a_proxy_that_is_ignored(
    check: Check, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    out = check(None, code=3, url="https://shop.invalid")
    assert "HTTPS_PROXY is set but not used" in out
    assert "STOREBRIDGE_PROXY" in out


class _Nothing(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def untrusted(tmp_path: Path) -> Iterator[str]:
    """A server whose certificate nobody vouches for; the fixture is its address."""
    context = Authority(tmp_path).context("127.0.0.1")

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Be silent about handshakes that a client breaks off."""

    with Server(("127.0.0.1", 0), _Nothing) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"https://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_certificate_that_is_not_trusted(check: Check, untrusted: str) -> None:
    out = check(None, code=3, url=untrusted)
    assert "certificate" in out
    assert "STOREBRIDGE_CA_BUNDLE" in out
