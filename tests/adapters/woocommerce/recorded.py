"""The recorded WooCommerce shops: what of their answers is kept, and how they are opened.

The file that STOREBRIDGE_RECORD names says where the server is:

    url = "https://127.0.0.1:8443"
    http_url = "http://127.0.0.1:8080"
    ca_bundle = "ca.pem"
    folder = "/srv/shop"                        # WordPress's own, which PHP's errors show
    reset = ["./reset.sh"]                      # empties the shop, before each test
    user = "manager"
    password = "…"                              # an application password
    [keys]
    read_write = ["ck_…", "cs_…"]               # of a shop manager
    read = ["ck_…", "cs_…"]
    customer = ["ck_…", "cs_…"]                 # of a customer
    admin = ["ck_…", "cs_…"]                    # of an administrator
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import storebridge
from storebridge.engine import EngineOptions
from storebridge.engine.transport import HttpTransport
from storebridge.store.base import Opening
from storebridge.testing import FaultTransport, Scrubber, VirtualClock
from storebridge.testing.faults import Plan
from storebridge_woocommerce import (
    WooCommerceAdapter,
    WooCommerceSettings,
    customers,
    library,
    products,
)

HTTPS, HTTP, FOLDER = "https://shop.example", "http://127.0.0.1:8080", "/srv/shop"

#: What the adapter may read of an answer. What isn't named is dropped: links, rendered prices, ….
FIELDS = """
    create update delete error code message data status params details resource_id unique_sku
    id name slug sku type permalink date_created date_created_gmt date_modified date_modified_gmt
    featured catalog_visibility description short_description price regular_price sale_price
    date_on_sale_from date_on_sale_from_gmt date_on_sale_to date_on_sale_to_gmt on_sale purchasable
    virtual downloadable downloads download_limit download_expiry file external_url button_text
    tax_status tax_class manage_stock stock_quantity stock_status backorders backorders_allowed
    backordered low_stock_amount sold_individually weight dimensions length width height
    shipping_class shipping_class_id reviews_allowed upsell_ids cross_sell_ids parent_id
    purchase_note categories brands tags images image gallery_image_ids src alt attributes position
    visible variation options option default_attributes variations grouped_products menu_order
    meta_data key value global_unique_id generated_slug post_password parent display count order_by
    has_archives total_sales
    number currency currency_symbol version prices_include_tax discount_total discount_tax
    shipping_total shipping_tax cart_tax total total_tax customer_id order_key billing shipping
    payment_method payment_method_title created_via customer_note date_completed
    date_completed_gmt date_paid date_paid_gmt line_items product_id variation_id quantity subtotal
    subtotal_tax taxes tax_lines rate_id rate_code label compound tax_total shipping_tax_total
    shipping_lines method_id method_title instance_id fee_lines coupon_lines discount refunds reason
    amount note customer_note added_by_user total_tax discount_type usage_count refunded_payment
    transaction_id country state city address_1 address_2 postcode company first_name last_name
    email phone username role is_paying_customer reviewer reviewer_email review rating verified
    author environment settings active_plugins plugin HPOS_enabled home_url site_url store_id
    wp_version php_version php_max_execution_time php_post_max_size max_upload_size language
    default_timezone number_of_decimals decimal_separator thousand_separator currency_position
    home url gmt_offset timezone_string namespaces group_id default
    source_url title caption alt_text media_type mime_type media_details rendered raw guid
    authentication application-passwords routes rate_percent display_key
    display_value
    w3c home_url is_default
    individual_use product_ids excluded_product_ids usage_limit usage_limit_per_user
    limit_usage_to_x_items free_shipping product_categories excluded_product_categories
    exclude_sale_items minimum_amount maximum_amount email_restrictions date_expires
    date_expires_gmt
"""

#: The people in these cassettes are made up; anybody else becomes one of them.
PEOPLE = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "company": "Analytical Engines",
    "address_1": "Example Street 1",
    "address_2": "Floor 2",
    "city": "Berlin",
    "postcode": "10115",
    "phone": "+49 30 555 0100",
    "email": "ada@example.com",
    "username": "ada",
    "reviewer": "Ada Lovelace",
    "reviewer_email": "ada@example.com",
    "author": "system",
    "customer_note": "A note of the customer.",
    "order_key": "wc_order_0",
    "transaction_id": "transaction-0",
    "store_id": "00000000-0000-0000-0000-000000000000",
}
INVENTED = frozenset({*PEOPLE.values(), "Grace", "Hopper", "grace@example.com", "system"})


def rules(server: Mapping[str, Any] | None) -> Scrubber:
    """Return what is kept of an exchange with a server, or with its cassette."""
    places = (
        {}
        if server is None
        else {
            server["url"]: HTTPS,
            server["http_url"]: HTTP,
            server["folder"]: FOLDER,
        }
    )
    return Scrubber(
        fields=frozenset(FIELDS.split()),
        whole=frozenset({"value", "params"}),
        personal=PEOPLE,
        invented=INVENTED,
        headers=frozenset({"x-wp-total", "x-wp-totalpages", "location"}),
        addresses=places,
    )


def secrets(server: Mapping[str, Any]) -> dict[str, str]:
    """Return the credentials of a server by name: none may be in a cassette."""
    found = {
        f"{kind} {word}": value
        for kind, pair in server.get("keys", {}).items()
        for word, value in zip(("key", "secret"), pair, strict=True)
    }
    if "password" in server:
        found["application password"] = server["password"]
        found["application password without spaces"] = server["password"].replace(" ", "")
    return found


def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give new records the same marks in each run: batches are named after what differs."""

    def sha256(told: bytes) -> Any:
        """Hash what a file's name in the library is made of, without its batch and folder."""
        return hashlib.sha256(told.split(b":")[1] + told.rpartition(b"/")[2])

    for module in (products, customers):
        monkeypatch.setattr(module, "mark", lambda batch, change: f"recorded:{change.id}")
    monkeypatch.setattr(library, "hashlib", SimpleNamespace(sha256=sha256))


class Shop:
    """One recorded shop: opens stores on it, over https or http."""

    def __init__(self, server: Mapping[str, Any] | None, clock: VirtualClock, folder: Path) -> None:
        """Open nothing yet; without a server the cassette's address is used, which is nobody's."""
        self._server, self._clock, self._folder = server or {}, clock, folder
        self._opened: list[storebridge.Store] = []
        self.url = self._server.get("url", HTTPS)

    def open(
        self,
        *,
        http: bool = False,
        keys: str = "read_write",
        faults: Plan | None = None,
        **more: Any,
    ) -> storebridge.Store:
        """Return a store with the keys of a permission; `faults` says which answers get lost."""
        key, secret = self._server.get("keys", {}).get(keys, ("ck_recorded", "cs_recorded"))
        values = {
            "url": self._server.get("http_url", HTTP) if http else self.url,
            "key": key,
            "secret": secret,
            "user": self._server.get("user", "manager"),
            "password": self._server.get("password", "recorded"),
            **more,
        }
        bundle = self._server.get("ca_bundle")
        options = EngineOptions(ca_bundle=Path(bundle) if bundle else None)
        transport = FaultTransport(HttpTransport(values["url"], options), faults, clock=self._clock)
        opening = Opening(
            state=self._folder / "state", clock=self._clock, transport=transport, options=options
        )
        adapter = WooCommerceAdapter(WooCommerceSettings.model_validate(values))
        self._opened.append(storebridge.Store(adapter, opening))
        return self._opened[-1]

    def close(self) -> None:
        """Close the stores."""
        for store in self._opened:
            store.close()
