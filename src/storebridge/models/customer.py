"""Customers, their addresses and what they agreed to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from storebridge.models.base import ListSpec, Model, Record
from storebridge.models.money import Money
from storebridge.models.product import Metafield
from storebridge.models.text import Country, Locale, Time

__all__ = ["Address", "Consent", "Customer"]


class Address(Model):
    """A postal address; `region_code` is the part of ISO 3166-2 after the hyphen."""

    atomic: ClassVar[bool] = False

    first_name: str = ""
    last_name: str = ""
    company: str = ""
    address1: str = ""
    address2: str = ""
    city: str = ""
    region: str = ""
    region_code: str = ""
    postcode: str = ""
    country: Country | None = None
    phone: str = ""
    email: str = ""


class Consent(Model):
    """Whether a person agreed to marketing on one way ("email", "sms"), when and how."""

    channel: str
    state: str
    """"subscribed", "unsubscribed", "pending", or a platform's own word."""
    level: str = ""
    updated_at: Time | None = None

    def element_keys(self) -> tuple[str, ...]:
        """A consent is named by its channel."""
        return (f"channel:{self.channel}",)


class Customer(Record):
    """A person or company that buys."""

    kind: ClassVar[str] = "customer"
    lists: ClassVar[Mapping[str, ListSpec]] = {
        "consents": ListSpec("merge", Consent.element_keys),
        "metafields": ListSpec("merge", Metafield.element_keys),
    }

    email: str = ""
    phone: str = ""
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    locale: Locale | None = None
    status: str = ""
    tags: tuple[str, ...] = ()
    tags_add: tuple[str, ...] = Field(default=(), alias="tags+")
    tags_remove: tuple[str, ...] = Field(default=(), alias="tags-")
    note: str = ""
    tax_exempt: bool = False
    tax_number: str = ""
    default_address: Address | None = None
    addresses: tuple[Address, ...] = ()
    """Those besides the default one."""
    consents: tuple[Consent, ...] = ()
    metafields: tuple[Metafield, ...] = ()
    orders_count: int | None = None
    total_spent: Money | None = None
    created_at: Time | None = None
    updated_at: Time | None = None

    def keys(self) -> tuple[str, ...]:
        """External key and e-mail address; without one the phone number, which families share."""
        own = f"email:{self.email.casefold()}" if self.email else f"phone:{self.phone}"
        return (*super().keys(), *((own,) if self.email or self.phone else ()))

    @property
    def label(self) -> str:
        """The platform id or the external key: a label must not spread a person's name."""
        return self.id or self.key or "unnamed"
