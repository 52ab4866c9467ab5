"""Orders, with every amount in the shop's money and, where it differs, the buyer's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from storebridge.models.base import ListSpec, Model, PlatformFields, Record
from storebridge.models.customer import Address
from storebridge.models.money import Money
from storebridge.models.product import Metafield
from storebridge.models.text import Locale, Time

__all__ = [
    "Adjustment",
    "Amount",
    "Comment",
    "Fulfillment",
    "FulfillmentLine",
    "LineItem",
    "Order",
    "Payment",
    "Refund",
    "RefundLine",
    "ShippingLine",
    "TaxLine",
    "without_blanks",
]


class Amount(Model):
    """An amount in the shop's currency and in the currency that the buyer saw."""

    shop: Money
    presentment: Money | None = None


class TaxLine(Model):
    """A tax that was charged; `rate` is a fraction written in digits ("0.19")."""

    title: str = ""
    rate: str = ""
    amount: Amount


class Adjustment(Model):
    """A discount or fee on a line or an order; a discount's amount is above zero."""

    title: str = ""
    code: str = ""
    kind: str = "discount"
    amount: Amount


class LineItem(Model):
    """What was ordered, as it was called and priced at the time."""

    id: str = ""
    product_id: str = ""
    variant_id: str = ""
    sku: str = ""
    title: str = ""
    variant_title: str = ""
    quantity: int
    unit_price: Amount | None = None
    total: Amount | None = None
    adjustments: tuple[Adjustment, ...] = ()
    taxes: tuple[TaxLine, ...] = ()
    properties: Mapping[str, str] = Field(default_factory=dict)
    requires_shipping: bool = True
    platform_fields: PlatformFields = Field(default_factory=dict)

    def element_keys(self) -> tuple[str, ...]:
        """A line is named by its id, else by its SKU."""
        return (f"id:{self.id}",) if self.id else (f"sku:{self.sku}",)


class ShippingLine(Model):
    """How an order is sent and what that costs."""

    id: str = ""
    title: str = ""
    code: str = ""
    price: Amount | None = None
    taxes: tuple[TaxLine, ...] = ()


class FulfillmentLine(Model):
    """How many of a line are in a parcel.

    `line_item_id` is the id that the order's store has for the line. For another store it is a
    word: `sku:TEE-M` for the one line with that SKU, else `line:2` for the order's second line.
    """

    line_item_id: str
    quantity: int


class Fulfillment(Model):
    """A parcel: what is in it and how to follow it."""

    id: str = ""
    status: str = ""
    location: str = ""
    lines: tuple[FulfillmentLine, ...] = ()
    carrier: str = ""
    tracking_numbers: tuple[str, ...] = ()
    tracking_urls: tuple[str, ...] = ()
    created_at: Time | None = None

    def element_keys(self) -> tuple[str, ...]:
        """A parcel is named by its id, and by its tracking numbers."""
        names = (f"id:{self.id}",) if self.id else ()
        told = self.tracking_numbers or not names
        return (*names, f"tracking:{','.join(self.tracking_numbers)}") if told else names


class RefundLine(Model):
    """How many of a line were paid back, and whether they went back into stock.

    `line_item_id` names the line as that of a `FulfillmentLine` does.
    """

    line_item_id: str
    quantity: int
    amount: Amount | None = None
    restocked: bool = False


class Refund(Model):
    """Money paid back."""

    id: str = ""
    amount: Amount | None = None
    reason: str = ""
    lines: tuple[RefundLine, ...] = ()
    created_at: Time | None = None

    def element_keys(self) -> tuple[str, ...]:
        """A refund is named by its id."""
        return (f"id:{self.id}",)


class Comment(Model):
    """What was written down about an order since it was placed."""

    id: str = ""
    text: str = ""
    author: str = ""
    to_customer: bool = False
    """Whether the buyer is told: a comment that is new goes out as an e-mail then."""
    created_at: Time | None = None

    def element_keys(self) -> tuple[str, ...]:
        """A comment is named by its id, else by its text."""
        return (f"id:{self.id}",) if self.id else (f"text:{self.text}",)


class Payment(Model):
    """One payment, authorisation or capture of an order."""

    id: str = ""
    gateway: str = ""
    status: str = ""
    kind: str = ""
    amount: Amount | None = None
    created_at: Time | None = None

    def element_keys(self) -> tuple[str, ...]:
        """A payment is named by its id."""
        return (f"id:{self.id}",)


class Order(Record):
    """An order as a store holds it."""

    kind: ClassVar[str] = "order"
    lists: ClassVar[Mapping[str, ListSpec]] = {
        "line_items": ListSpec("replace", LineItem.element_keys),
        "fulfillments": ListSpec("merge", Fulfillment.element_keys),
        "refunds": ListSpec("merge", Refund.element_keys),
        "payments": ListSpec("merge", Payment.element_keys),
        "comments": ListSpec("merge", Comment.element_keys),
        "metafields": ListSpec("merge", Metafield.element_keys),
    }

    number: str = ""
    """The number that people see ("#1001")."""
    status: str = ""
    payment_status: str = ""
    fulfillment_status: str = ""
    customer_id: str = ""
    email: str = ""
    phone: str = ""
    locale: Locale | None = None
    currency: str = ""
    presentment_currency: str = ""
    billing_address: Address | None = None
    shipping_address: Address | None = None
    line_items: tuple[LineItem, ...] = ()
    shipping_lines: tuple[ShippingLine, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    taxes: tuple[TaxLine, ...] = ()
    prices_include_tax: bool = False
    subtotal: Amount | None = None
    shipping_total: Amount | None = None
    discount_total: Amount | None = None
    tax_total: Amount | None = None
    total: Amount | None = None
    refunded_total: Amount | None = None
    fulfillments: tuple[Fulfillment, ...] = ()
    refunds: tuple[Refund, ...] = ()
    payments: tuple[Payment, ...] = ()
    comments: tuple[Comment, ...] = ()
    discount_codes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    tags_add: tuple[str, ...] = Field(default=(), alias="tags+")
    tags_remove: tuple[str, ...] = Field(default=(), alias="tags-")
    note: str = ""
    channel: str = ""
    market: str = ""
    metafields: tuple[Metafield, ...] = ()
    created_at: Time | None = None
    updated_at: Time | None = None
    cancelled_at: Time | None = None
    cancel_reason: str = ""

    def keys(self) -> tuple[str, ...]:
        """External key and number."""
        return (*super().keys(), *((f"number:{self.number}",) if self.number else ()))


#: What every shop says of each order; empty, it says nothing.
_FILLED = ("number", "status", "payment_status", "fulfillment_status", "currency",
           "presentment_currency", "subtotal", "shipping_total", "discount_total", "tax_total",
           "total", "refunded_total")  # fmt: skip


def without_blanks(desired: Order) -> Order:
    """Return an order without the empty fields that a shop fills by itself.

    A store that keeps any order as it was given may have one without them.
    """
    blank = [name for name in _FILLED if name in desired.given and not getattr(desired, name)]
    return desired.without(*blank) if blank else desired
