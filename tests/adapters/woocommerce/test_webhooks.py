from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.woocommerce.shop import Shop, tee

from storebridge.errors import BadDelivery
from storebridge.flow import Request
from storebridge.webhooks import LONGEST
from storebridge_woocommerce.sandbox_webhooks import deliveries
from storebridge_woocommerce.webhooks import is_ping, verify

RECORDED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "exchanges" / "deliveries.json").read_text("utf-8")
)
SIGNED = [each for each in RECORDED if each["secret"] and "X-WC-Webhook-Topic" in each["headers"]]
PINGS = [each for each in RECORDED if "X-WC-Webhook-Topic" not in each["headers"]]
SECRET = "wh-secret"


def signed(body: bytes, secret: str = SECRET, **headers: str) -> dict[str, str]:
    mac = hmac.digest(secret.encode(), body, "sha256")
    named = {
        "Source": "https://shop.example/",
        "Topic": "order.updated",
        "Resource": "order",
        "Event": "updated",
        "Signature": base64.b64encode(mac).decode(),
        "ID": "7",
        "Delivery-ID": "d1",
    }
    return {f"X-WC-Webhook-{name}": value for name, value in {**named, **headers}.items()}


BODY = b'{"id":115,"date_modified_gmt":"2026-11-22T16:32:24"}'


@pytest.mark.parametrize("delivery", SIGNED, ids=["updated", "deleted or later"])
def test_recorded_deliveries_are_the_shop_s(delivery: dict[str, Any]) -> None:
    found = verify(delivery["headers"], delivery["body"].encode(), delivery["secret"])
    assert found.topic == delivery["headers"]["X-WC-Webhook-Topic"]
    assert (found.kind, found.record_id) == ("product", str(json.loads(delivery["body"])["id"]))
    assert found.source == "http://127.0.0.1:8088/"


def test_a_recorded_delivery_with_another_secret_is_refused() -> None:
    other = next(e for e in RECORDED if "X-WC-Webhook-Topic" in e["headers"] and not e["secret"])
    with pytest.raises(BadDelivery, match="signature"):
        verify(other["headers"], other["body"].encode(), "s3cret")


@pytest.mark.parametrize("ping", PINGS)
def test_the_ping_of_a_new_webhook_is_told_from_deliveries(ping: dict[str, Any]) -> None:
    body = ping["body"].encode()
    assert is_ping(ping["headers"], body)
    with pytest.raises(BadDelivery, match="missing"):
        verify(ping["headers"], body, "s3cret")
    assert not is_ping(signed(BODY), BODY)
    assert not is_ping({}, b"webhook_id=7&id=8")


def test_what_it_says() -> None:
    found = verify(signed(BODY), BODY, SECRET)
    assert (found.topic, found.kind, found.record_id) == ("order.updated", "order", "115")
    assert found.headers == {
        "source": "https://shop.example/",
        "topic": "order.updated",
        "resource": "order",
        "event": "updated",
        "id": "7",
        "delivery-id": "d1",
    }
    assert found.modified_at == datetime(2026, 11, 22, 16, 32, 24, tzinfo=UTC)
    again = verify(signed(BODY, **{"Delivery-ID": "d2"}), BODY, SECRET)
    assert again.identity == found.identity
    later = b'{"id":115,"date_modified_gmt":"2026-11-22T16:32:25"}'
    assert verify(signed(later), later, SECRET).identity != found.identity


def test_a_coupon_is_a_discount_and_a_hook_no_record() -> None:
    coupon = signed(BODY, Topic="coupon.deleted", Resource="coupon", Event="deleted")
    assert verify(coupon, BODY, SECRET).kind == "discount"
    body = b'{"action":"my_hook","arg":5}'
    hook = verify(signed(body, Topic="action.my_hook", Resource="action"), body, SECRET)
    assert (hook.kind, hook.record_id, hook.modified_at) == ("", "", None)


def test_both_secrets_are_good_while_it_is_changed() -> None:
    for secret in ("old", "new"):
        assert verify(signed(BODY, secret), BODY, ["new", "", "old"]).record_id == "115"
    with pytest.raises(BadDelivery):
        verify(signed(BODY, "older"), BODY, ["new", "old"])


@pytest.mark.parametrize("secrets", ["", [], [""]])
def test_without_a_secret_nothing_is_believed(secrets: Any) -> None:
    with pytest.raises(BadDelivery, match="no secret"):
        verify(signed(BODY, ""), BODY, secrets)


def test_one_changed_byte_is_seen() -> None:
    headers = signed(BODY)
    for changed in (BODY + b" ", BODY.replace(b"115", b"116"), b""):
        with pytest.raises(BadDelivery, match="signature"):
            verify(headers, changed, SECRET)


@pytest.mark.parametrize("name", sorted(signed(BODY)))
def test_each_header_comes_once(name: str) -> None:
    headers = signed(BODY)
    pairs = [*headers.items()]
    assert verify(pairs, BODY, SECRET).record_id == "115"
    with pytest.raises(BadDelivery, match="twice"):
        verify([*pairs, (name.lower(), headers[name])], BODY, SECRET)
    for lacking in ({k: v for k, v in pairs if k != name}, {**headers, name: " "}):
        with pytest.raises(BadDelivery, match="missing"):
            verify(lacking, BODY, SECRET)


def test_header_names_come_in_any_case() -> None:
    lower = {name.lower(): value for name, value in signed(BODY).items()}
    assert verify(lower, BODY, SECRET) == verify(signed(BODY), BODY, SECRET)


def test_a_body_that_is_too_long_is_not_even_hashed() -> None:
    long = b'{"id":1,"x":"' + b"x" * LONGEST + b'"}'
    with pytest.raises(BadDelivery, match="bytes"):
        verify(signed(long), long, SECRET)
    with pytest.raises(BadDelivery, match="bytes"):
        verify(signed(BODY), BODY, SECRET, longest=len(BODY) - 1)
    assert verify(signed(BODY), BODY, SECRET, longest=len(BODY))


@pytest.mark.parametrize("body", [b"[1]", b'"x"', b"", b"{", b'{"id":1,"id":2}', b"\xff"])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadDelivery, match="JSON"):
        verify(signed(body), body, SECRET)


@pytest.mark.parametrize("text", ["yesterday", "", None, 5])
def test_an_odd_date_is_none(text: Any) -> None:
    body = json.dumps({"id": 1, "date_modified_gmt": text}).encode()
    assert verify(signed(body), body, SECRET).modified_at is None


def test_no_error_shows_a_secret_or_the_body() -> None:
    with pytest.raises(BadDelivery) as caught:
        verify(signed(BODY, "other"), BODY, SECRET)
    assert SECRET not in str(caught.value)
    assert "115" not in str(caught.value)


def test_what_the_sandbox_delivers_is_verified() -> None:
    shop = Shop()
    hook = {"topic": "product.created", "delivery_url": "https://a.example/", "secret": SECRET}
    made = shop.engine.run(_post("/webhooks", hook))
    assert made["topic"] == "product.created"
    [outcome] = shop.create(tee("hooked"))
    [sent] = deliveries(shop.sandbox, lambda kind, number: {"id": number})
    assert isinstance(sent.body, bytes)
    found = verify(sent.headers, sent.body, SECRET)
    assert (found.kind, found.record_id) == ("product", outcome.id)


def _post(path: str, body: dict[str, str]) -> Any:
    from storebridge.flow import RequestKind, send
    from storebridge.wire import dumps, json_of

    request = Request(
        method="POST", path=path, kind=RequestKind.CREATE, body=dumps(body), covers=("1",)
    )
    return json_of((yield from send(request)))
