"""What stands behind a refused connection, each cause with its remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.adapters.woocommerce.shop import Shop, tee

from storebridge.engine.transport import HttpTransport
from storebridge.errors import (
    AccessDenied,
    AuthError,
    BadAnswer,
    ConfigError,
    StorebridgeError,
    TransportError,
    Unavailable,
)
from storebridge.flow import Request, Response
from storebridge_woocommerce.sandbox_state import KEYS

_HTML = {"content-type": "text/html"}
_PAGE = b"<!DOCTYPE html><title>Just a moment...</title><p>Checking your browser</p>"


def _error(kind: type[StorebridgeError], shop: Shop) -> str:
    with pytest.raises(kind) as caught:
        shop.engine.run(shop.adapter.info())
    return str(caught.value)


def _answering(path: str, response: Response) -> Callable[[Request, Any], Response]:
    return lambda request, shop: response if path in request.path else shop(request)


def _json(status: int, code: str, message: str, **data: Any) -> Response:
    body = {"code": code, "message": message, "data": {"status": status, **data}}
    headers = {"content-type": "application/json"}
    return Response(status=status, headers=headers, body=json.dumps(body).encode())


def test_a_key_that_is_not_known() -> None:
    text = _error(AuthError, Shop(key="ck_" + "0" * 40))
    assert "does not know the consumer key" in text
    assert "REST API" in text


def test_a_wrong_secret() -> None:
    text = _error(AuthError, Shop(secret="cs_" + "0" * 40))
    assert "Consumer secret is invalid" in text
    assert "belongs to this key" in text


def test_a_header_that_is_dropped_on_the_way() -> None:
    text = _error(AuthError, Shop(switches={"strips_authorization": True}))
    assert "did not see the credentials" in text
    assert "HTTP_AUTHORIZATION" in text


def test_a_key_that_may_only_read() -> None:
    key, secret = KEYS["read"][:2]
    shop = Shop(key=key, secret=secret)
    shop.learn()
    [outcome] = shop.create(tee("a"))
    assert outcome.cause == "denied"
    assert "write permissions" in outcome.message
    assert "Read/Write" in outcome.remedy


def test_a_key_that_may_only_write() -> None:
    key, secret = KEYS["write"][:2]
    assert "Read/Write" in _error(AccessDenied, Shop(key=key, secret=secret))


def test_a_user_whose_role_is_too_low() -> None:
    key, secret = KEYS["customer"][:2]
    text = _error(AccessDenied, Shop(key=key, secret=secret))
    assert "Shop manager or Administrator" in text


def test_http_under_another_address_than_the_sites() -> None:
    shop = Shop(url="http://127.0.0.1:8088", switches={"url": "http://127.0.0.1:8088"})
    shop.sandbox.clock = shop.clock.time
    shop.adapter._site.home = "http://www.shop.example"
    shop.adapter._site.index = lambda: _index()  # type: ignore[method-assign]
    text = _error(AuthError, shop)
    assert "Site Address" in text


def _index() -> Any:
    """The site's index, from a cache that knows it by its old address."""
    return {"name": "Shop"}
    yield


def test_a_clock_that_is_wrong() -> None:
    shop = Shop(url="http://127.0.0.1:8088", switches={"url": "http://127.0.0.1:8088"})
    shop.sandbox.clock = lambda: shop.clock.time() + 3_600
    assert "Set this machine's clock" in _error(AuthError, shop)


def test_plain_permalinks() -> None:
    def plain(request: Request, shop: Any) -> Response:
        if request.path == "/" and dict(request.params).get("rest_route"):
            body = json.dumps({"namespaces": ["wc/v3"]}).encode()
            return Response(status=200, body=body)
        return Response(status=404, headers=_HTML, body=b"<html>404</html>")

    assert "Settings > Permalinks" in _error(ConfigError, Shop(plain))


def test_a_site_that_is_no_wordpress() -> None:
    nothing = Response(status=404, headers=_HTML, body=b"<html>Not found</html>")
    assert "is no WordPress site" in _error(ConfigError, Shop(lambda request, shop: nothing))


def test_woocommerce_that_is_not_active() -> None:
    body = json.dumps({"name": "Blog", "url": "x", "namespaces": ["wp/v2"]}).encode()
    shop = Shop(_answering("/wp-json/", Response(status=200, body=body)))
    assert "WooCommerce isn't active" in _error(ConfigError, shop)


def test_the_rest_interface_switched_off() -> None:
    refused = _json(401, "rest_login_required", "REST API restricted to authenticated users.")
    assert "has switched WordPress's REST interface off" in _error(
        AuthError, Shop(_answering("/wp-json/", refused))
    )


def test_a_firewall_that_refuses() -> None:
    page = Response(status=403, headers=_HTML, body=_PAGE)
    assert "Let this machine's address through" in _error(
        AccessDenied, Shop(_answering("/wp-json/", page))
    )


def test_a_firewall_that_answers_200_with_a_page() -> None:
    page = Response(status=200, headers=_HTML, body=_PAGE)
    text = _error(BadAnswer, Shop(_answering("/system_status", page)))
    assert "A firewall or a cache stands before the shop" in text


def test_a_security_plugin_that_refuses() -> None:
    refused = _json(403, "wp_die", "Blocked by security plugin")
    assert "Let this machine's address through" in _error(
        AccessDenied, Shop(_answering("/system_status", refused))
    )


def test_a_redirect_to_another_address() -> None:
    shop = Shop(switches={"redirects_to": "https://www.shop.example"})
    text = _error(BadAnswer, shop)
    assert "Set the store's URL to https://www.shop.example" in text


def test_maintenance() -> None:
    closed = _json(503, "wp_die", "Briefly unavailable for scheduled maintenance.")
    assert "maintenance" in _error(Unavailable, Shop(_answering("/system_status", closed)))


def test_a_version_that_is_too_old() -> None:
    text = _error(ConfigError, Shop(switches={"version": "7.9.0"}))
    assert "WooCommerce 7.9.0" in text
    assert "8.0 and newer" in text


def test_a_proxy_that_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    shop = Shop(url="https://shop.invalid")
    transport = HttpTransport(shop.adapter.base_url)
    with pytest.raises(TransportError, match="HTTPS_PROXY is set but not used"):
        transport.send(Request(method="GET", path="/wp-json/", timeout=5.0))


def test_a_notice_before_the_answer_is_passed_over() -> None:
    def noisy(request: Request, shop: Any) -> Response:
        said = shop(request)
        notice = b"<br />\n<b>Warning</b>:  x in <b>/a.php</b> on line <b>3</b><br />\n"
        return Response(status=said.status, headers=said.headers, body=notice + said.body)

    shop = Shop(noisy)
    assert shop.engine.run(shop.adapter.info()).currency == "USD"
    [outcome] = shop.create(tee("a"))
    assert outcome.status == "applied"
    assert len(shop.all()) == 1


def test_a_notice_before_half_an_answer_is_no_answer() -> None:
    def cut(request: Request, shop: Any) -> Response:
        said = shop(request)
        return Response(status=200, body=b"<b>Notice</b>: x<br />\n" + said.body[:-20] + b"}")

    assert _error(BadAnswer, Shop(cut))
