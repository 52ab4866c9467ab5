"""Discounts: those that a code gives, and those that apply by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar

from storebridge.models.base import ListSpec, Record
from storebridge.models.money import Money
from storebridge.models.product import Metafield
from storebridge.models.text import Time

__all__ = ["Discount"]


class Discount(Record):
    """What buyers get off, and on which conditions.

    It takes a percentage or an amount off, or makes shipping free; what a platform knows besides
    (buy two, get one) is in `platform_fields`.
    """

    kind: ClassVar[str] = "discount"
    lists: ClassVar[Mapping[str, ListSpec]] = {
        "metafields": ListSpec("merge", Metafield.element_keys),
    }
    references: ClassVar[Mapping[str, tuple[str, str]]] = {
        "products": ("product", ""),
        "excluded_products": ("product", ""),
        "collections": ("collection", "handle:"),
        "excluded_collections": ("collection", "handle:"),
    }

    title: str = ""
    """What people who run the shop call it; buyers see it where there is no code."""
    codes: tuple[str, ...] = ()
    """What buyers type, in any case; none means that it applies by itself."""
    status: str = ""
    """"active", "draft" or a platform's own word; the dates say whether it is running."""
    percentage: Decimal | None = None
    """How much of a hundred it takes off: 12.5 for an eighth."""
    amount: Money | None = None
    each_item: bool = False
    """Whether the amount comes off each item that counts, instead of off all of them once."""
    free_shipping: bool = False
    minimum_subtotal: Money | None = None
    maximum_subtotal: Money | None = None
    minimum_quantity: int | None = None
    item_limit: int | None = None
    """How many items of an order it counts for at most."""
    usage_limit: int | None = None
    """How often it can be used by all buyers together."""
    usage_limit_per_customer: int | None = None
    usage_count: int | None = None
    starts_at: Time | None = None
    ends_at: Time | None = None
    products: tuple[str, ...] = ()
    """Keys of the products that it is for; all of them where no collections are given either."""
    excluded_products: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    """Handles of the collections whose products it is for."""
    excluded_collections: tuple[str, ...] = ()
    customer_emails: tuple[str, ...] = ()
    """The only buyers who may use it; some platforms take a pattern ("*@example.com")."""
    combinable: bool = True
    """Whether it can be used together with other discounts."""
    metafields: tuple[Metafield, ...] = ()
    created_at: Time | None = None
    updated_at: Time | None = None

    def keys(self) -> tuple[str, ...]:
        """External key and codes; the title where there are none."""
        codes = tuple(f"code:{code.casefold()}" for code in self.codes)
        title = (f"title:{self.title}",) if self.title else ()
        return (*super().keys(), *(codes or title))

    @property
    def label(self) -> str:
        """The first code, else the title."""
        return next(iter(self.codes), "") or self.title or super().label
