"""Who is let in, and what a token may do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from storebridge.engine import Engine, HandlerTransport
from storebridge.errors import AccessDenied, ConfigError, NotSupported
from storebridge.flow import Request, Response
from storebridge.models import InventoryLevel, Product, Translation, Variant
from storebridge.testing.sandbox import answer
from storebridge_shopify import ShopifyAdapter, ShopifySettings, from_session, verify
from storebridge_shopify.access import shop_url
from storebridge_shopify.scopes import Scopes, lacking

SECRET = "shpss_of-this-app"


def adapter(**more: Any) -> ShopifyAdapter:
    values = {"url": "name.myshopify.com", "token": SecretStr("shpat_x"), **more}
    return ShopifyAdapter(ShopifySettings.model_validate(values))


# -- webhooks


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    mac = hmac.digest(secret.encode(), body, hashlib.sha256)
    return {"X-Shopify-Hmac-Sha256": base64.b64encode(mac).decode()}


def test_a_webhook_is_verified_by_the_raw_body() -> None:
    body = b'{"id": 1,  "title": "\xc3\xa9"}'
    assert verify(signed(body), body, [SECRET])
    assert not verify(signed(body), body + b" ", [SECRET])
    assert not verify(signed(body, "another"), body, [SECRET])


def test_a_webhook_is_verified_with_any_secret_that_is_valid() -> None:
    assert verify(signed(b"{}", "old"), b"{}", ["new", "old"])
    assert not verify(signed(b"{}", ""), b"{}", [""])


def test_a_webhook_without_one_signature_is_refused() -> None:
    assert not verify({}, b"{}", [SECRET])
    good = signed(b"{}")["X-Shopify-Hmac-Sha256"]
    twice = {"X-Shopify-Hmac-Sha256": good, "x-shopify-hmac-sha256": "other"}
    assert not verify(twice, b"{}", [SECRET])
    assert verify({"x-shopify-hmac-sha256": good}, b"{}", [SECRET])


# -- addresses


@pytest.mark.parametrize("text", ["name", "name.myshopify.com", "https://name.myshopify.com/"])
def test_a_shop_is_named_in_many_ways(text: str) -> None:
    assert shop_url(text) == "https://name.myshopify.com"


@pytest.mark.parametrize(
    "text",
    [
        "https://name.myshopify.com.evil.example",
        "https://evil.example/name.myshopify.com",
        "http://name.myshopify.com",
        "https://user@name.myshopify.com",
        "https://name.myshopify.com/admin",
        "https://shop.example",
    ],
)
def test_a_token_goes_to_shops_only(text: str) -> None:
    with pytest.raises(ValueError, match="is no shop"):
        shop_url(text)


# -- from a script that has a session


def test_settings_come_of_a_session() -> None:
    version = SimpleNamespace(name="2026-07")
    session = SimpleNamespace(url="name.myshopify.com", token="shpat_y", version=version)
    settings = from_session(session)
    assert settings.url == "https://name.myshopify.com"
    assert settings.version == "2026-07"
    assert settings.token is not None
    assert settings.token.get_secret_value() == "shpat_y"
    session.version = SimpleNamespace(name="2024-01")
    assert from_session(session).version == "2026-10"


def test_what_is_no_session_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no shopify\.Session"):
        from_session(object())
    bare = SimpleNamespace(url="name.myshopify.com", token=None, version="2026-10")
    with pytest.raises(ConfigError, match="no token"):
        from_session(bare)


def test_settings_need_one_way_in() -> None:
    with pytest.raises(ValidationError, match="give a token"):
        ShopifySettings.model_validate({"url": "name.myshopify.com", "client_id": "x"})


# -- scopes


def test_writing_includes_reading() -> None:
    scopes = Scopes.of(["write_products"])
    assert scopes.has("read_products")
    assert not scopes.has("read_inventory")
    with pytest.raises(AccessDenied, match=r"lacks the scope read_orders, which orders needs"):
        scopes.need("read_orders", "orders")


def test_what_a_token_may_not_write_is_named_with_scope_and_operation() -> None:
    product = Product(
        handle="tee",
        variants=(Variant(inventory=(InventoryLevel(available=1),)),),
        translations=(Translation(locale="de", field="title", value="T"),),
    )
    paths = ["handle", "variants", "variants.inventory", "variants.inventory.available"]
    found = list(lacking(product, [*paths, "translations"], Scopes.of(["write_products"])))
    assert [(fit.field, fit.message) for fit in found] == [
        (
            "variants.inventory",
            "the token lacks the scope write_inventory, which inventorySetQuantities needs",
        ),
        (
            "translations",
            "the token lacks the scope write_translations, which translationsRegister needs",
        ),
    ]


class Shop:
    """Answers as a shop does whose token has these scopes."""

    def __init__(self, *scopes: str) -> None:
        self.scopes = scopes
        self.asked: list[str] = []

    def __call__(self, request: Request) -> Response:
        assert isinstance(request.body, bytes)
        self.asked.append(request.body.decode().partition("query ")[2].partition(" ")[0])
        shop = {
            "id": "gid://shopify/Shop/1", "name": "S", "currencyCode": "EUR",
            "myshopifyDomain": "name.myshopify.com",
            "ianaTimezone": "Europe/Berlin", "weightUnit": "KILOGRAMS",
            "primaryDomain": {"url": "https://name.myshopify.com"},
            "resourceLimits": {"maxProductVariants": 2048, "maxProductOptions": 3},
        }  # fmt: skip
        granted = [{"handle": each} for each in self.scopes]
        data = {"shop": shop, "currentAppInstallation": {"accessScopes": granted}}
        return answer(200, {"data": data})


def run(adapter: ShopifyAdapter, shop: Shop) -> Any:
    return Engine(adapter, transport=HandlerTransport(shop)).run(adapter.info())


def test_connecting_asks_only_for_what_the_token_may_read() -> None:
    shop = Shop("write_products")
    found = run(adapter(), shop)
    assert found.currency == "EUR"
    assert found.locations == ()
    assert len(shop.asked) == 1


def test_a_token_that_can_read_no_products_is_refused_at_connect() -> None:
    with pytest.raises(AccessDenied, match="read_products"):
        run(adapter(), Shop("write_orders"))


def test_kinds_say_what_this_adapter_lacks() -> None:
    lacks = adapter().kinds()["category"]
    assert isinstance(lacks, NotSupported)
    assert lacks.instead


def test_an_answer_of_another_version_is_an_error() -> None:
    response = Response(
        status=200, body=b'{"data": {}}', headers={"x-shopify-api-version": "2026-07"}
    )
    error = adapter().error(response)
    assert error is not None
    assert "2026-07" in str(error)
    assert adapter(version="2026-07").error(response) is None


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "the app is still installed"),
        (402, "frozen"),
        (404, r"name\.myshopify\.com"),
        (423, "locked"),
        (430, "attack"),
    ],
)
def test_a_refused_connection_says_what_to_look_at(status: int, words: str) -> None:
    error = adapter().error(Response(status=status, body=b'{"errors": "x"}'))
    assert error is not None
    assert re.search(words, str(error))
    assert getattr(error, "remedy", "")
