from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from storebridge.flow import Request, Response
from storebridge.models import (
    Amount,
    Discount,
    LineItem,
    Money,
    Order,
    Product,
    Record,
    Review,
    ShippingLine,
    StoreInfo,
    Variant,
)
from storebridge.testing import AdapterConformance, Canaries, Handler
from storebridge_woocommerce import WooCommerceAdapter, WooCommerceSettings
from storebridge_woocommerce.access import basic
from storebridge_woocommerce.sandbox import create, settings

#: GTINs of the samples' variants, which are unique in a shop.
_GTINS = {"S": "4006381333931", "M": "4006381333948", "L": "4006381333955"}
_LINE = b'{"name": "A", "sku": "LINE", "regular_price": "10.00"}'
_TERM = "a category's text keeps inline tags only"


class Lock:
    """A sandbox whose keys are the canaries of a test, with one product that orders can name."""

    def __init__(self, path: Path, keys: Mapping[str, str], *, filled: bool) -> None:
        new = not path.exists()
        self.sandbox = create(path)
        self._keys = keys
        if new and filled:
            own = settings()
            headers = {
                "authorization": basic(own["key"], own["secret"]),
                "content-type": "application/json",
            }
            made = self.sandbox(
                Request(method="POST", path="/wp-json/wc/v3/products", headers=headers, body=_LINE)
            )
            assert made.status == 201

    def __call__(self, request: Request) -> Response:
        headers = dict(request.headers)
        asked = headers.get("authorization", "")
        headers |= {"authorization": self._keys[asked]} if asked in self._keys else {}
        return self.sandbox(replace(request, headers=headers))

    def close(self) -> None:
        self.sandbox.close()


class TestWooCommerce(AdapterConformance):
    known_gaps = {
        "test_text_is_kept[collection]": _TERM,
    }

    def adapter(self, folder: Path, canaries: Canaries) -> WooCommerceAdapter:
        own = settings()
        given = {name: canaries.secret(name) for name in ("key", "secret", "password")}
        self.keys = {
            basic(given["key"], given["secret"]): basic(own["key"], own["secret"]),
            basic("admin", given["password"]): basic("admin", own["password"]),
        }
        values = {**own, **given, "page_size": 2}
        return WooCommerceAdapter(WooCommerceSettings.model_validate(values))

    def handler(self, folder: Path) -> Handler:
        return Lock(folder / "woocommerce.db", self.keys, filled=True)

    def sample(self, kind: str, number: int, info: StoreInfo) -> Record:
        record = super().sample(kind, number, info)
        if isinstance(record, Order):
            return _order(record, number, info)
        if isinstance(record, Discount):
            # WooCommerce takes a percentage or an amount off.
            return record.but(codes=(f"kit-{number}",), percentage=None)
        return _product(record, number) if isinstance(record, Product) else record

    def minimal(self, kind: str, name: str, info: StoreInfo) -> Record:
        record = super().minimal(kind, name, info)
        if isinstance(record, Discount):
            return record.but(codes=(name,))
        if isinstance(record, Review):
            return record.but(product="id:10", author=name)
        if isinstance(record, Order):
            return Order(key=name, currency=info.currency)
        return record


def _order(order: Order, number: int, info: StoreInfo) -> Order:
    """An order of a product that is there; its lines stay as they are."""
    total = Amount(shop=Money("20.00", info.currency))
    line = LineItem(product_id="10", variant_id="", sku="LINE", title="A", quantity=2, total=total)
    return order.but(
        status=("processing", "completed")[number - 1],
        customer_id="1",
        line_items=(line,),
        shipping_lines=(ShippingLine(title="Parcel", code="flat_rate", price=total),),
    )


def _product(product: Product, number: int) -> Product:
    """A product with what WooCommerce can tell apart: stock is counted, variations share taxes."""
    return product.but(variants=tuple(_variant(each, number) for each in product.variants))


def _variant(variant: Variant, number: int) -> Variant:
    code = int(_GTINS[variant.options[0]]) + 100 * number
    return variant.but(
        barcodes=(str(code),),
        tracked=True,
        virtual=False,
        downloadable=True,
        taxable=False,
        tax_class=("reduced-rate", "zero-rate")[number - 1],
    )
