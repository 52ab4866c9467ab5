"""Who is let in, and what a token may do."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from storebridge.engine import Engine, HandlerTransport
from storebridge.errors import BadAnswer, ConfigError, NotSupported
from storebridge.flow import Request, Response
from storebridge.models import InventoryLevel, Product, Translation, Variant
from storebridge.testing import VirtualClock
from storebridge.testing.sandbox import answer
from storebridge_shopify import ShopifyAdapter, ShopifySettings, from_session
from storebridge_shopify.access import credentials_of, shop_url
from storebridge_shopify.scopes import Scopes, lacking


def adapter(**more: Any) -> ShopifyAdapter:
    values = {"url": "name.myshopify.com", "token": SecretStr("shpat_x"), **more}
    return ShopifyAdapter(ShopifySettings.model_validate(values))


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


@pytest.mark.parametrize("version", ["2024-10", "unstable"])
def test_a_session_of_an_unknown_version_is_told_which_one_it_gets(version: str) -> None:
    named = SimpleNamespace(name=version)
    session = SimpleNamespace(url="name.myshopify.com", token="shpat_y", version=named)
    with pytest.warns(UserWarning, match=f"'{version}' becomes 2026-10"):
        assert from_session(session).version == "2026-10"


def test_a_session_of_no_shop_is_a_configuration_error() -> None:
    session = SimpleNamespace(url="shop.example", token="shpat_y", version="2026-10")
    with pytest.raises(ConfigError, match=r"url: 'shop\.example' is no shop") as caught:
        from_session(session)
    assert "shpat_y" not in str(caught.value)
    assert "validation error" not in str(caught.value)


def test_what_is_no_session_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no shopify\.Session"):
        from_session(object())
    bare = SimpleNamespace(url="name.myshopify.com", token=None, version="2026-10")
    with pytest.raises(ConfigError, match="no token"):
        from_session(bare)


def test_settings_need_one_way_in() -> None:
    with pytest.raises(ValidationError, match="give a token"):
        ShopifySettings.model_validate({"url": "name.myshopify.com", "client_id": "x"})


@pytest.mark.parametrize("lasts", ["soon", "3600", -5, 0, True, [60], {}])
def test_a_token_lasts_a_positive_number_of_seconds(lasts: Any) -> None:
    said = answer(200, {"access_token": "shpat_x", "expires_in": lasts})
    with pytest.raises(BadAnswer, match="expires_in is no time") as caught:
        credentials_of(said, VirtualClock())
    assert "shpat_x" not in str(caught.value)


@pytest.mark.parametrize("lasts", [60, "60.0"])
def test_a_token_is_good_for_as_long_as_it_says(lasts: Any) -> None:
    body = b'{"access_token": "shpat_x", "expires_in": %s}' % str(lasts).encode()
    clock = VirtualClock()
    found = credentials_of(Response(status=200, body=body), clock)
    assert found.expires_at == clock.time() + 60
    assert credentials_of(answer(200, {"access_token": "x"}), clock).expires_at is None


# -- scopes


def test_writing_includes_reading() -> None:
    scopes = Scopes.of(["write_products"])
    assert scopes.has("read_products")
    assert not scopes.has("read_inventory")


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


def test_an_app_for_orders_only_is_let_in_and_told_all_that_it_lacks() -> None:
    orders = adapter()
    assert run(orders, Shop("write_orders")).scopes == ("write_orders",)
    lacking = "\n".join(orders.lacking())
    for scope in ("read_products", "write_products", "read_customers", "write_discounts"):
        assert f"no scope {scope}, for " in lacking
    kinds = orders.kinds()
    assert not isinstance(kinds["order"], NotSupported)
    assert isinstance(kinds["product"], NotSupported)
    assert "read_products" in kinds["product"].reason


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
