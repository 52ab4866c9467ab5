from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from storebridge.flow import Request, Response
from storebridge.models import (
    Address,
    Amount,
    Collection,
    Consent,
    Customer,
    Discount,
    LineItem,
    Media,
    MetafieldDefinition,
    Money,
    Order,
    Payment,
    Product,
    Record,
    Rule,
    ShippingLine,
    StoreInfo,
    TaxLine,
)
from storebridge.testing import AdapterConformance, Canaries, Handler
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify.sandbox import create, settings


class Lock:
    """A sandbox whose token is the canary of a test."""

    def __init__(self, path: Path, token: str) -> None:
        self.sandbox = create(path, rate=1_000_000.0)  # its clock is not the kit's
        self._token = token

    def __call__(self, request: Request) -> Response:
        headers = dict(request.headers)
        if headers.get("x-shopify-access-token") == self._token:
            headers["x-shopify-access-token"] = settings()["token"]
        return self.sandbox(replace(request, headers=headers))


class TestShopify(AdapterConformance):
    known_gaps = {
        "test_samples_cover_what_can_be_written[collection]": (
            "a collection has rules or products that are put in by hand, never both; the latter "
            "are tested in test_collections"
        ),
        "test_samples_cover_what_can_be_written[discount]": (
            "a discount takes something off or makes shipping free, is for products or for "
            "collections, for all or for customers that are there: test_discounts has each"
        ),
        "test_samples_cover_what_can_be_written[customer]": (
            "a region goes with its code: test_customers has one without"
        ),
        "test_lists_that_merge_keep_other_elements[customer]": (
            "Shopify forgets no consent: NOT_SUBSCRIBED is rejected as input"
        ),
        "test_samples_cover_what_can_be_written[order]": (
            "parcels name lines of the order that is there, and an order is cancelled for good: "
            "test_orders has both"
        ),
    }

    def adapter(self, folder: Path, canaries: Canaries) -> ShopifyAdapter:
        self.token = canaries.secret("token")
        values = {**settings(), "token": self.token, "page_size": 2}
        return ShopifyAdapter(ShopifySettings.model_validate(values))

    def handler(self, folder: Path) -> Handler:
        return Lock(folder / "shopify.db", self.token)

    def sample(self, kind: str, number: int, info: StoreInfo) -> Record:
        record = super().sample(kind, number, info)
        if isinstance(record, Product):
            return _product(record, number)
        if isinstance(record, Customer):
            return _customer(record, number)
        if isinstance(record, Discount):
            return _discount(record, number)
        if isinstance(record, Order):
            return _order(record, info)
        if isinstance(record, MetafieldDefinition):
            return record.but(metafield="kit.one", validations={"max": f"{number}0"})
        return _collection(record, number) if isinstance(record, Collection) else record

    def minimal(self, kind: str, name: str, info: StoreInfo) -> Record:
        record = super().minimal(kind, name, info)
        if isinstance(record, Discount):
            return record.but(codes=(name,), percentage=Decimal(10))
        if isinstance(record, Order):
            return Order(key=name, line_items=(_line(info),))
        return record


def _product(product: Product, number: int) -> Product:
    """A product in the taxonomy, with the same two pictures: variants show one or the other.

    A gift card is made as one, and stays one.
    """
    places = ((1, 2), (2, 1))[number - 1]
    return product.but(
        gift_card=True,
        category=("Apparel & Accessories", "Apparel & Accessories > Clothing")[number - 1],
        media=tuple(
            Media(url=f"https://shop.example/kit-{each}.jpg", alt=f"Alt {number}", position=place)
            for each, place in enumerate(places, 1)
        ),
    )


def _discount(discount: Discount, number: int) -> Discount:
    """A discount of some products: a part of the price, later another one."""
    without = ("amount", "each_item", "free_shipping", "minimum_quantity", "collections",
               "customer_emails")  # fmt: skip
    return discount.without(*without).but(
        codes=(f"KIT-{number}",),
        status="active",
        usage_limit_per_customer=(None, 1)[number - 1],
        ends_at=datetime(2030, number, 1, tzinfo=UTC),
    )


def _order(order: Order, info: StoreInfo) -> Order:
    """An order that is paid; what isn't changed once it is there is the same both times."""
    amount = Amount(shop=Money("4.90", info.currency))
    tax = TaxLine(title="VAT", rate="0.19", amount=amount)
    address = Address(first_name="Ada", last_name="L", company="C", address1="Weg 1", address2="b",
                      city="Kiel", region_code="SH", postcode="24103", country="DE",
                      phone="+49431555")  # fmt: skip
    at = datetime(2020, 1, 2, tzinfo=UTC)
    return order.without("fulfillments", "cancel_reason").but(
        key="KIT",
        number="#900",
        payment_status="paid",
        billing_address=address,
        shipping_address=order.shipping_address and order.shipping_address.without("region"),
        line_items=(_line(info),),
        shipping_lines=(ShippingLine(title="Post", code="post", price=amount, taxes=()),),
        taxes=(tax,),
        prices_include_tax=True,
        discount_codes=("TEN",),
        discount_total=amount,
        payments=(
            Payment(kind="sale", status="success", gateway="cash", amount=amount, created_at=at),
        ),
        created_at=at,
    )


def _line(info: StoreInfo) -> LineItem:
    return LineItem(
        sku="GONE",
        title="A product of long ago",
        variant_title="Blue",
        quantity=2,
        unit_price=Amount(shop=Money("10.00", info.currency)),
        taxes=(),
        properties={"Engraving": "A"},
        requires_shipping=True,
    )


def _collection(collection: Collection, number: int) -> Collection:
    return collection.without("products").but(
        rules=(Rule(field="tag", relation="equals", value=f"kit-{number}"),),
        sort_order=("manual", "best_selling")[number - 1],
    )


def _customer(customer: Customer, number: int) -> Customer:
    """A customer who was asked on both channels, and says another thing the second time."""
    state, level = (("subscribed", "single_opt_in"), ("unsubscribed", "confirmed_opt_in"))[
        number - 1
    ]
    at = datetime(2020, 1, number, tzinfo=UTC)
    return customer.but(
        default_address=customer.default_address and customer.default_address.without("region"),
        addresses=tuple(each.without("region") for each in customer.addresses),
        consents=tuple(
            Consent(channel=channel, state=state, level=level, updated_at=at)
            for channel in ("email", "sms")
        ),
    )
