"""Webhooks: kept, pinged, queued and, when a test asks, delivered with their signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from typing import Any

from storebridge.flow import Request
from storebridge_woocommerce.sandbox_call import Answer, Call, Given
from storebridge_woocommerce.sandbox_records import Resource, linked, page
from storebridge_woocommerce.sandbox_state import Doc, Refusal, State, dumps
from storebridge_woocommerce.sandbox_text import plain

__all__ = ["Webhooks", "deliveries", "happened"]

_EVENTS = ("created", "updated", "deleted", "restored")
_HOOKS = {
    "product.created": ["process_product_meta", "new_product", "new_product_variation"],
    "product.updated": ["process_product_meta", "update_product", "update_product_variation"],
    "coupon.created": ["process_shop_coupon_meta", "new_coupon"],
}


def happened(state: State, topic: str, number: int) -> None:
    """Queue what webhooks will tell; several changes of a record become one delivery.

    WooCommerce 11.0.1: deliveries are queued, and sent with the state at the time of delivery.
    """
    if state.numbers.get("webhook"):
        for hook in state.things("webhook"):
            if hook["topic"] == topic and hook["status"] == "active":
                state.options.setdefault("queued", {})[f"{hook['id']} {number}"] = topic


def deliveries(state: State, shown: Callable[[str, int], Doc | None]) -> list[Request]:
    """Return the requests that the queued deliveries make, and empty the queue.

    Args:
        state: the shop.
        shown: what a resource ("product") with an id now looks like; None if it is gone.
    """
    with state.lock, state.transaction():
        queued = state.options.pop("queued", {})
    sent = []
    run = hashlib.md5(state.now().encode(), usedforsecurity=False).hexdigest()
    for key, topic in queued.items():
        hook_id, number = map(int, key.split())
        hook = state.thing("webhook", hook_id)
        resource, _, event = topic.partition(".")
        doc = {"id": number} if event == "deleted" else shown(resource, number)
        if hook is None or doc is None:
            continue
        sent.append(_delivery(state, hook, dumps(doc).encode(), run))
    return sent


def _delivery(state: State, hook: Doc, body: bytes, run: str) -> Request:
    signature = hmac.new(hook["secret"].encode(), body, hashlib.sha256).digest()
    headers = {
        "user-agent": "WooCommerce/11.0.1 Hookshot (WordPress/6.9)",
        "content-type": "application/json",
        "x-wc-webhook-source": f"{state.options['url']}/",
        "x-wc-webhook-topic": hook["topic"],
        "x-wc-webhook-resource": hook["resource"],
        "x-wc-webhook-event": hook["event"],
        "x-wc-webhook-signature": base64.b64encode(signature).decode(),
        "x-wc-webhook-id": str(hook["id"]),
        # WooCommerce 11.0.1: two products of one run had the same delivery id.
        "x-wc-webhook-delivery-id": run,
    }
    return Request(method="POST", path=hook["delivery_url"], headers=headers, body=body)


class Webhooks(Resource):
    """`/webhooks`; the secret is never shown."""

    route = "/webhooks"

    def index(self, call: Call) -> Answer:
        """Return a page of webhooks."""
        status = call["status"]
        rows = [
            one for one in call.state.things("webhook") if status in (None, "all", one["status"])
        ]
        shown = [self._shown(call, one) for one in rows[call.span]]
        return page(call, shown, len(rows))

    def show(self, call: Call, number: int) -> Doc:
        """Return one webhook."""
        return self._shown(call, self._found(call, number))

    def create(self, call: Call, given: Given) -> Doc:
        """Make a webhook; its address is pinged at once with `webhook_id=1`."""
        state = call.state
        now = state.now()
        doc: Doc = {"status": "active", "date_created": now, "date_modified": None,
                    "secret": "", "name": ""}  # fmt: skip
        _set(doc, given)
        doc["id"] = state.number("webhook")
        if not given["name"]:
            stamp = datetime.fromisoformat(now).strftime("%b %d, %Y @ %I:%M %p")
            doc["name"] = f"Webhook created on {stamp}"
        state.save_thing("webhook", doc)
        state.options.setdefault("pings", []).append(
            [doc["delivery_url"], f"webhook_id={doc['id']}"]
        )
        return self._shown(call, doc)

    def update(self, call: Call, number: int | None, given: Given) -> Doc:
        """Change a webhook."""
        doc = self._found(call, number or 0)
        _set(doc, given)
        doc["date_modified"] = call.state.now()
        call.state.save_thing("webhook", doc)
        return self._shown(call, doc)

    def delete(self, call: Call, number: int, *, force: bool) -> Doc:
        """Delete a webhook."""
        doc = self._found(call, number)
        if not force:
            text = "Webhooks do not support trashing."
            raise Refusal("woocommerce_rest_trash_not_supported", text, 501)
        call.state.drop_thing("webhook", number)
        return self._shown(call, doc)

    def _found(self, call: Call, number: int) -> Doc:
        found = call.state.thing("webhook", number)
        if found is None:
            raise Refusal("woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.", 404)
        return found

    def _shown(self, call: Call, doc: Doc) -> Doc:
        names = ("id", "name", "status", "topic", "resource", "event", "hooks", "delivery_url")
        shown = {name: doc[name] for name in names}
        for name in ("date_created", "date_modified"):
            shown[name] = call.state.local(doc[name])
            shown[f"{name}_gmt"] = doc[name]
        return linked(call.state, shown, self.route)


def _set(doc: Doc, given: Given) -> None:
    if "topic" in given or "topic" not in doc:
        _set_topic(doc, plain(given["topic"]))
    if "delivery_url" in given or "delivery_url" not in doc:
        url = plain(given["delivery_url"])
        if not url.startswith(("http://", "https://")):
            text = "Webhook delivery URL must be a valid URL starting with http:// or https://."
            raise Refusal("woocommerce_rest_shop_webhook_invalid_delivery_url", text)
        doc["delivery_url"] = url
    for name in ("name", "status", "secret"):
        if name in given:
            doc[name] = plain(given[name])


def _set_topic(doc: Doc, topic: str) -> None:
    resource, _, event = topic.partition(".")
    known = resource in ("product", "order", "customer", "coupon") and event in _EVENTS
    if not known and not (resource == "action" and event):
        text = "Webhook topic is required and must be valid."
        raise Refusal("woocommerce_rest_shop_webhook_invalid_topic", text)
    hooks: list[Any] = [f"woocommerce_{name}" for name in _HOOKS.get(topic, ())]
    hooks = [event] if resource == "action" else hooks
    doc.update(topic=topic, resource=resource, event=event, hooks=hooks)
