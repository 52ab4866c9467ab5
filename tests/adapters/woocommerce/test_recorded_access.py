"""Ways into a real WooCommerce, by cassette: Basic over https, signatures over http, refusals."""

from __future__ import annotations

import pytest
from tests.adapters.woocommerce.recorded import HTTPS, Shop

from storebridge.errors import AccessDenied, AuthError
from storebridge.flow import Status
from storebridge.models import Product

pytestmark = pytest.mark.vcr


def test_over_https(shop: Shop) -> None:
    info = shop.open().info
    assert (info.name, info.currency, info.time_zone) == ("Woo test shop", "EUR", "Europe/Berlin")
    assert (info.weight_unit, info.length_unit) == ("kg", "cm")
    assert info.url in (shop.url, HTTPS)


def test_over_http_with_signatures(shop: Shop) -> None:
    store = shop.open(http=True)
    assert store.info.currency == "EUR"
    outcome = store.products.create(Product(handle="signed", title="Signed ~ ü", status="active"))
    assert outcome.status is Status.APPLIED
    keys = ["handle:signed", "handle:a b/c", "handle:%41"]  # what is hard to sign
    assert [bool(store.products.find(key)) for key in keys] == [True, False, False]


def test_a_wrong_secret(shop: Shop) -> None:
    store = shop.open(secret="cs_wrong")
    with pytest.raises(AuthError, match=r"(?i)secret"):
        _ = store.info


def test_an_unknown_key(shop: Shop) -> None:
    store = shop.open(key="ck_unknown")
    with pytest.raises(AuthError, match=r"(?i)key"):
        _ = store.info


def test_a_key_that_may_only_read(shop: Shop) -> None:
    store = shop.open(keys="read")
    assert store.info.currency == "EUR"
    outcome = store.products.create(Product(handle="refused", title="Refused", status="active"))
    assert (outcome.status, outcome.cause) == (Status.FAILED, "denied")
    assert "write permissions" in outcome.message


def test_a_key_of_somebody_with_too_few_rights(shop: Shop) -> None:
    store = shop.open(keys="customer")
    with pytest.raises((AuthError, AccessDenied)):
        _ = store.info


def test_what_a_key_may_not_do_is_found_out_without_writing(shop: Shop) -> None:
    lacking = {}
    for keys in ("read", "read_write"):
        store = shop.open(keys=keys)
        assert store.info.currency == "EUR"
        store.engine.run(store.adapter.probe())
        lacking[keys] = store.adapter.lacking()
    [right] = lacking["read"]
    assert "Read/Write" in right
    assert lacking["read_write"] == ()
    assert list(store.products.iter()) == []
