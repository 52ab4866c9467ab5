"""Whether a webhook is Shopify's, and what it says."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from storebridge.errors import BadDelivery
from storebridge.webhooks import LONGEST
from storebridge_shopify import verify

SECRET = "shpss_of-this-app"
BODY = (
    b'{"id": 788032119674292922, "title":  "\xc3\xa9", "updated_at": "2026-11-22T16:32:24-05:00", '
    b'"admin_graphql_api_id": "gid://shopify/Product/788032119674292922"}'
)


def signed(body: bytes = BODY, secret: str = SECRET, **headers: str) -> dict[str, str]:
    mac = hmac.digest(secret.encode(), body, "sha256")
    named = {
        "Hmac-Sha256": base64.b64encode(mac).decode(),
        "Topic": "products/update",
        "Shop-Domain": "name.myshopify.com",
        "Webhook-Id": "b54557e4",
    }
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return {f"X-Shopify-{name}": value for name, value in {**named, **given}.items()}


def test_what_it_says() -> None:
    found = verify(signed(Event_Id="e1"), BODY, SECRET)
    assert (found.topic, found.kind) == ("products/update", "product")
    assert found.record_id == "gid://shopify/Product/788032119674292922"
    assert found.modified_at == datetime(2026, 11, 22, 21, 32, 24, tzinfo=UTC)
    assert found.source == "name.myshopify.com"
    assert found.headers["event-id"] == "e1"
    assert "hmac-sha256" not in found.headers
    again = verify({name.lower(): value for name, value in signed().items()}, BODY, SECRET)
    assert again.identity == found.identity
    assert verify(signed(Webhook_Id="b2"), BODY, SECRET).identity != found.identity


@pytest.mark.parametrize(
    ("topic", "told", "kind", "record_id"),
    [
        ("products/delete", {"id": 7}, "product", "gid://shopify/Product/7"),
        ("orders/edited", {"order_edit": {"id": 7}}, "order", ""),
        ("app/uninstalled", {"id": 7}, "", ""),
        (
            "inventory_levels/update",
            {"admin_graphql_api_id": "gid://shopify/InventoryLevel/1?x=2"},
            "",
            "gid://shopify/InventoryLevel/1?x=2",
        ),
    ],
)
def test_what_it_is_about(topic: str, told: dict[str, Any], kind: str, record_id: str) -> None:
    body = json.dumps(told).encode()
    found = verify(signed(body, Topic=topic), body, SECRET)
    assert (found.kind, found.record_id) == (kind, record_id)


@pytest.mark.parametrize("text", ["yesterday", "", None, 5, "2026-11-22T16:32:24"])
def test_an_odd_date_is_none(text: Any) -> None:
    body = json.dumps({"id": 1, "updated_at": text}).encode()
    assert verify(signed(body), body, SECRET).modified_at is None


def test_a_secret_is_no_list_of_letters() -> None:
    for letter in "ban":
        with pytest.raises(BadDelivery, match="signature"):
            verify(signed(secret=letter), BODY, "banana")
    assert verify(signed(secret="banana"), BODY, "banana").kind == "product"


def test_it_is_verified_by_the_raw_body() -> None:
    for changed in (BODY + b" ", BODY.replace(b"  ", b" "), b""):
        with pytest.raises(BadDelivery, match="signature"):
            verify(signed(), changed, SECRET)


def test_both_secrets_are_good_while_it_is_changed() -> None:
    for secret in ("old", "new"):
        assert verify(signed(secret=secret), BODY, ["new", "", "old"]).kind == "product"
    with pytest.raises(BadDelivery, match="signature"):
        verify(signed(secret="older"), BODY, ["new", "old"])


@pytest.mark.parametrize("secrets", ["", [], [""]])
def test_without_a_secret_nothing_is_believed(secrets: Any) -> None:
    with pytest.raises(BadDelivery, match="no secret"):
        verify(signed(secret=""), BODY, secrets)


@pytest.mark.parametrize("name", sorted(signed()))
def test_each_header_comes_once(name: str) -> None:
    headers = signed()
    with pytest.raises(BadDelivery, match="twice"):
        verify([*headers.items(), (name.lower(), headers[name])], BODY, SECRET)
    lacking = {each: value for each, value in headers.items() if each != name}
    for given in (lacking, {**headers, name: " "}):
        with pytest.raises(BadDelivery, match="missing"):
            verify(given, BODY, SECRET)


def test_a_body_that_is_too_long_is_not_even_hashed() -> None:
    long = b'{"x":"' + b"x" * LONGEST + b'"}'
    for body, longest in ((long, LONGEST), (BODY, len(BODY) - 1)):
        with pytest.raises(BadDelivery, match="bytes"):
            verify(signed(body), body, SECRET, longest=longest)
    assert verify(signed(), BODY, SECRET, longest=len(BODY)).kind == "product"


@pytest.mark.parametrize("body", [b"[1]", b"", b'{"id":1,"id":2}', b"\xff"])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadDelivery, match="JSON"):
        verify(signed(body), body, SECRET)


def test_no_error_shows_a_secret_or_the_body() -> None:
    with pytest.raises(BadDelivery) as caught:
        verify(signed(secret="other"), BODY, SECRET)
    assert SECRET not in str(caught.value)
    assert "7880321" not in str(caught.value)
