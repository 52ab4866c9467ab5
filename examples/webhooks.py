"""What a shop's webhooks send: proven by its signature, then the record is read again.

WooCommerce's is `storebridge_woocommerce.verify`. A body is signed as it came: take the raw bytes,
before a framework decodes them. Here the shop is a sandbox, and this script signs.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping

import storebridge
from storebridge.errors import BadDelivery
from storebridge.models import Product
from storebridge_shopify import verify

SECRET = "shpss_the-client-secret-of-the-app"


def receive(store: storebridge.Store, headers: Mapping[str, str], body: bytes) -> int:
    """Return the status to answer with; do the work after it, in a queue of your own."""
    try:
        delivery = verify(headers, body, SECRET)
    except BadDelivery as error:
        print(f"refused: {error}")
        return 401
    if delivery.kind:
        record = store.items(delivery.kind).get(delivery.record_id)
        print(f"{delivery.topic}: {record.label}")
    return 200


with storebridge.open("sandbox:shopify?memory") as store:
    made = store.products.create(Product(handle="tee", title="Tee"))
    body = json.dumps({"admin_graphql_api_id": made.id}).encode()
    signature = hmac.digest(SECRET.encode(), body, "sha256")
    headers = {
        "X-Shopify-Hmac-Sha256": base64.b64encode(signature).decode(),
        "X-Shopify-Topic": "products/update",
        "X-Shopify-Shop-Domain": "sandbox.myshopify.com",
        "X-Shopify-Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
    }
    print(receive(store, headers, body))
    print(receive(store, headers, body + b" "))
