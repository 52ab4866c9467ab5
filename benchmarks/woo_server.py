"""Serves a shop for `woocommerce.py` until its standard input ends; prints how to reach it.

`null` answers at once, with the fields that are asked for, and keeps nothing: what is measured is
the client. `sandbox` is the adapter's sandbox with the latency that was measured on a real server
with two cores.
"""

from __future__ import annotations

import json
import sys
from itertools import count
from typing import Any

from storebridge.flow import Request, Response
from storebridge.testing import Handler, SandboxServer, answer
from storebridge_woocommerce import sandbox

#: What a new product has in an answer, beside what was sent (recorded exchange, clearing fields).
EMPTY: dict[str, Any] = json.loads("""{
    "permalink": "https://shop.example/product/shirt/",
    "date_created": "2026-01-01T00:00:00", "date_created_gmt": "2026-01-01T00:00:00",
    "date_modified": "2026-01-01T00:00:00", "date_modified_gmt": "2026-01-01T00:00:00",
    "type": "simple", "status": "publish", "featured": false,
    "catalog_visibility": "visible", "description": "", "short_description": "", "sku": "",
    "price": "", "regular_price": "", "sale_price": "", "date_on_sale_from": null,
    "date_on_sale_from_gmt": null, "date_on_sale_to": null, "date_on_sale_to_gmt": null,
    "on_sale": false, "purchasable": false, "total_sales": 0, "virtual": false,
    "downloadable": false, "downloads": [], "download_limit": -1, "download_expiry": -1,
    "external_url": "", "button_text": "", "tax_status": "taxable", "tax_class": "",
    "manage_stock": false, "stock_quantity": null, "backorders": "no", "backorders_allowed": false,
    "backordered": false, "low_stock_amount": null, "sold_individually": false, "weight": "",
    "dimensions": {"length": "", "width": "", "height": ""}, "shipping_required": true,
    "shipping_taxable": true, "shipping_class": "", "shipping_class_id": 0,
    "reviews_allowed": true, "average_rating": "0", "rating_count": 0, "upsell_ids": [],
    "cross_sell_ids": [], "parent_id": 0, "purchase_note": "",
    "categories": [{"id": 15, "name": "Uncategorized", "slug": "uncategorized"}], "brands": [],
    "tags": [], "images": [], "attributes": [], "default_attributes": [], "variations": [],
    "grouped_products": [], "menu_order": 0, "related_ids": [], "price_html":
    "<span class=\\"woocommerce-Price-amount amount\\"><bdi>10.50&nbsp;&euro;</bdi></span>",
    "meta_data": [], "stock_status": "instock", "has_options": false, "post_password": "",
    "global_unique_id": "", "permalink_template": "", "generated_slug": "", "slug": "",
    "_links": {"self": [{"href": "https://shop.example/wp-json/wc/v3/products/1", "targetHints":
    {"allow": ["GET", "POST", "PUT", "PATCH", "DELETE"]}}], "collection": [{"href":
    "https://shop.example/wp-json/wc/v3/products"}]}
}""")
INDEX = {
    "name": "Null",
    "home": "http://127.0.0.1",
    "timezone_string": "UTC",
    "gmt_offset": 0,
    "namespaces": ["wp/v2", "wc/v3"],
}
STATUS = {
    "environment": {"version": "11.0.1", "store_id": "null", "language": "en_US"},
    "settings": {"currency": "EUR", "number_of_decimals": 2},
    "active_plugins": [],
}
UNITS = [
    {"id": "woocommerce_weight_unit", "value": "kg"},
    {"id": "woocommerce_dimension_unit", "value": "cm"},
]


def null() -> Handler:
    """Return a handler that says yes to everything."""
    numbers = count(1)

    def handle(request: Request) -> Response:
        if request.path.endswith("/batch") and isinstance(request.body, bytes):
            names = dict(request.params).get("_fields", ",".join(EMPTY)).split(",")
            empty = {name: EMPTY[name] for name in names if name in EMPTY}
            sent = json.loads(request.body).get("create", [])
            return answer(
                200, {"create": [{**empty, **each, "id": next(numbers)} for each in sent]}
            )
        place = request.path.rpartition("/wp-json")[2].strip("/")
        known: dict[str, Any] = {
            "": INDEX,
            "wc/v3/system_status": STATUS,
            "wc/v3/settings/products": UNITS,
        }
        return answer(200, known.get(place, []), x_wp_total="0", x_wp_totalpages="0")

    return handle


def main() -> None:
    handler: Handler = null()
    told = {"key": "ck_null", "secret": "cs_null"}
    shop = None
    if sys.argv[1] == "sandbox":
        shop = handler = sandbox.create(None, latency="measured", woocommerce_currency="EUR")
        told = sandbox.settings()
    with SandboxServer(handler) as server:
        if shop is not None:
            shop.url = server.url
        print(json.dumps({**told, "url": server.url}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
