from __future__ import annotations

import base64
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from tests.adapters.woocommerce.shop import Shop
from woocommerce import API

from storebridge.adapter import Credentials
from storebridge.engine.address import Origin
from storebridge.errors import ConfigError
from storebridge.flow import Request
from storebridge_woocommerce import WooCommerceAdapter, WooCommerceSettings, from_api
from storebridge_woocommerce.access import sign
from storebridge_woocommerce.sandbox import create
from storebridge_woocommerce.sandbox_state import KEYS

_FILE = Path(__file__).parent / "exchanges" / "auth_http_oauth.jsonl"
_HOME = "http://127.0.0.1:8088"
_KEY, _SECRET = KEYS["read_write"][:2]


def _recorded() -> list[Any]:
    """The requests that a real server took as signed, with what they asked for."""
    found = []
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        signed = case.get("auth") == "oauth" and case["method"] == "GET"
        if signed and case["response"]["status"] < 300:
            plain = tuple(tuple(pair) for pair in case.get("query", ()))
            found.append(pytest.param(case["path"], plain, id=case["note"][:60]))
    return found


@pytest.mark.parametrize(("path", "params"), _recorded())
@pytest.mark.parametrize("digest", ["sha256", "sha1"])
def test_signatures_of_recorded_requests_are_taken(path: str, params: Any, digest: Any) -> None:
    sandbox = create(None, url=_HOME, clock=lambda: 1_700_000_000.0)
    signed = sign(
        "GET",
        f"{_HOME}{path}",
        params,
        key=_KEY,
        secret=_SECRET,
        nonce="n",
        now=1_700_000_000,
        digest=digest,
    )
    assert sandbox(Request(method="GET", path=path, params=signed)).status == 200


@pytest.mark.parametrize(
    "params",
    [
        (("include[]", "10"), ("include[]", "11")),
        (("zz[b][c]", "x y"), ("zz[a]", "é+~"), ("_fields", "id")),
        (("sku", "A/B,C%41 ~*'()"), ("search", ""), ("a", "ü"), ("B", "1"), ("_x", "2")),
    ],
)
def test_signatures_of_odd_parameters_are_taken(params: Any) -> None:
    sandbox = create(None, url=_HOME, clock=lambda: 1_700_000_000.0)
    path = "/wp-json/wc/v3/products"
    url = f"{_HOME}{path}"
    now = 1_700_000_000
    signed = sign("GET", url, params, key=_KEY, secret=_SECRET, nonce="n", now=now)
    assert sandbox(Request(method="GET", path=path, params=signed)).status == 200
    wrong = (*signed[:-1], (signed[-1][0], "x" + signed[-1][1]))
    assert sandbox(Request(method="GET", path=path, params=wrong)).status == 401


def test_http_is_signed_anew_for_each_attempt_with_the_sites_own_address() -> None:
    shop = Shop(switches={"url": _HOME}, url="http://localhost:8088")
    shop.sandbox.clock = shop.clock.time
    shop.learn()
    shop.fetch("sku:A")
    params = dict(shop.requests[-1].params)
    assert {"oauth_nonce", "oauth_signature", "oauth_timestamp"} <= params.keys()
    assert "authorization" not in shop.requests[-1].headers
    assert _SECRET not in repr(shop.requests[-1].params)
    request = Request(method="GET", path="/products")
    credentials = shop.engine._core.granted.credentials  # type: ignore[union-attr]
    once = shop.adapter.prepare(request, credentials, "a", 1.0)
    again = shop.adapter.prepare(request, credentials, "b", 1.0)
    assert dict(once.params)["oauth_signature"] != dict(again.params)["oauth_signature"]


def test_signed_requests_may_go_over_http_and_others_may_not() -> None:
    http = _adapter(url="http://shop.example")
    assert http.signs_requests
    assert not _adapter().signs_requests
    assert Origin.of_store(http.base_url, signed=http.signs_requests).scheme == "http"
    with pytest.raises(ConfigError, match="not encrypted"):
        Origin.of_store(http.base_url)


def test_https_carries_the_key_to_the_shop_and_the_password_to_wordpress() -> None:
    adapter = _adapter()
    shown = {
        path: adapter.prepare(Request(method="GET", path=path), _CREDENTIALS, "n", 0.0)
        for path in ("/products", "/wp-json/wp/v2/media", "/wp-json/")
    }
    assert _basic(shown["/products"]) == "ck_1:cs_1"
    assert shown["/products"].path == "/wp-json/wc/v3/products"
    assert _basic(shown["/wp-json/wp/v2/media"]) == "admin:pass word"
    assert "authorization" not in shown["/wp-json/"].headers
    assert all(each.headers["accept"] == "application/json" for each in shown.values())


def test_wordpress_gets_no_password_over_http() -> None:
    adapter = _adapter(url="http://shop.example")
    request = Request(method="GET", path="/wp-json/wp/v2/media")
    assert "authorization" not in adapter.prepare(request, _CREDENTIALS, "n", 0.0).headers


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://shop.example/", "https://shop.example"),
        ("https://shop.example/blog/wp-json/wc/v3/", "https://shop.example/blog"),
    ],
)
def test_the_interfaces_address_is_the_sites(given: str, kept: str) -> None:
    assert _adapter(url=given).base_url == kept


def test_settings_of_the_woocommerce_client_are_taken_over() -> None:
    api = SimpleNamespace(url="https://shop.example", consumer_key="ck_9", consumer_secret="cs_9")
    made = from_api(api)
    assert (made.url, made.secret.get_secret_value()) == ("https://shop.example", "cs_9")
    assert "cs_9" not in repr(made)
    with pytest.raises(ConfigError, match="is no woocommerce"):
        from_api(object())
    api.url, api.consumer_secret = "shop.example", None
    with pytest.raises(ConfigError, match="look at its url, consumer_secret") as caught:
        from_api(api)
    assert "ck_9" not in str(caught.value)


def test_the_woocommerce_clients_own_object_is_taken() -> None:
    api = API(
        url="https://shop.example", consumer_key="ck_9", consumer_secret="cs_9", version="wc/v3"
    )
    made = from_api(api)
    assert (made.url, made.key.get_secret_value()) == ("https://shop.example", "ck_9")


def test_facts_of_the_shop() -> None:
    shop = Shop(switches={"plugins": ["yoast", "wpml"]})
    info = shop.engine.run(shop.adapter.info())
    assert info.currency == "USD"
    assert (info.weight_unit, info.length_unit) == ("lb", "in")
    assert info.only_location == "Default"
    assert "yoast" in info.scopes
    assert "wpml" in info.scopes
    assert info.id.endswith("@sandbox.localhost")


_CREDENTIALS = Credentials({"key": SecretStr("ck_1"), "secret": SecretStr("cs_1")})


def _adapter(**values: Any) -> WooCommerceAdapter:
    given = {
        "url": "https://shop.example",
        "key": "ck_1",
        "secret": "cs_1",
        "user": "admin",
        "password": "pass word",
        **values,
    }
    return WooCommerceAdapter(WooCommerceSettings.model_validate(given))


def _basic(request: Request) -> str:
    return base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
