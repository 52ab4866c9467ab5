"""Customers, known by their e-mail address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from storebridge.models import Customer
from storebridge_template import fields
from storebridge_template.records import TemplateRecords, body

__all__ = ["CustomerRecords"]

_TEXTS = {
    "key": "external_id",
    "email": "email",
    "phone": "phone",
    "first_name": "first_name",
    "last_name": "last_name",
    "company": "company",
    "locale": "locale",
    "tags": "tags",
    "note": "note",
    "tax_exempt": "tax_exempt",
}


class CustomerRecords(TemplateRecords[Customer]):
    """Customers of a Template store."""

    model = Customer
    path: ClassVar[str] = "/customers"
    fields = fields.CUSTOMER
    finds = ("id", "key", "email")

    def read(self, doc: Mapping[str, Any]) -> Customer:
        """Return the customer that the platform's JSON describes."""
        return Customer(
            id=str(doc["id"]),
            created_at=doc["created_at"],
            updated_at=doc["updated_at"],
            **{ours: doc[theirs] for ours, theirs in _TEXTS.items()},
        )

    def payload(self, desired: Customer) -> Mapping[str, Any]:
        """Return the platform's JSON for the given fields."""
        return body(desired, _TEXTS)
