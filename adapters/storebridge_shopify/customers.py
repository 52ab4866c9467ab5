"""Customers: told apart by their e-mail address, those without one by their phone number.

Shopify keeps both once. No e-mail is sent to those that are made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from storebridge.adapter import Batch, Change, Cost, Fit
from storebridge.errors import NotFound, NotSupported, Rejected
from storebridge.flow import Flow, Outcome, RequestKind
from storebridge.models import Address, Consent, Customer, Money
from storebridge_shopify import fields, forecast, people, reading
from storebridge_shopify.bulk_shapes import CUSTOMERS
from storebridge_shopify.graphql import Doc, call, check, id_of
from storebridge_shopify.lookup import by_email, by_phone, values
from storebridge_shopify.metafields import write_metafields
from storebridge_shopify.nested import NestedRecords
from storebridge_shopify.records import applied, mutate
from storebridge_shopify.scopes import Scopes
from storebridge_shopify.site import Facts
from storebridge_shopify.walk import drain
from storebridge_shopify.writing import tag_forms

__all__ = ["CustomerRecords"]

#: The most elements of an input's list, without the default address.
_ADDRESSES = 249
_CONNECTIONS = ("addressesV2", "metafields")
_NAMES = {
    "first_name": "firstName",
    "last_name": "lastName",
    "email": "email",
    "phone": "phone",
    "locale": "locale",
    "note": "note",
}
_SIGNS = re.compile(r"[\s().-]")
#: What can be set; other states are Shopify's own (CustomerEmailMarketingConsentInput).
_STATES = frozenset({"subscribed", "unsubscribed", "pending"})
_LEVELS = frozenset({"", "single_opt_in", "confirmed_opt_in", "unknown"})
_CONSENTS = {
    "email": ("email_consent", "customerEmailMarketingConsentUpdate", "emailMarketingConsent"),
    "sms": ("sms_consent", "customerSmsMarketingConsentUpdate", "smsMarketingConsent"),
}


class CustomerRecords(NestedRecords[Customer]):
    """The customers of a shop."""

    model = Customer
    fields = fields.CUSTOMER
    owners: ClassVar = {"metafields": "CUSTOMER"}
    finds = ("id", "email", "phone")
    type: ClassVar[str] = "Customer"
    root: ClassVar[str] = "customers"
    listing: ClassVar[str] = "customers"
    by_id: ClassVar[str] = "customers_by_id"
    export = CUSTOMERS
    sizes: ClassVar = {"addresses": 10, "metafields": 20}

    # -- reading

    def asked(self, fields_: frozenset[str] | None, scopes: Scopes) -> dict[str, bool]:
        """Return which connections have to be asked for so that these fields can be read."""
        return {
            "withAddresses": fields.wants(fields_, "addresses"),
            "withMetafields": fields.wants(fields_, "metafields"),
        }

    def complete(self, doc: Doc) -> Flow[None]:
        """Add the addresses and metafields that didn't come with a customer."""
        for name in _CONNECTIONS:
            only = {each: each == name for each in _CONNECTIONS}
            variables = {**only, "id": doc["id"], "first": 250}
            if name in doc:
                yield from drain("customer_more", "customer", doc[name], variables, (name,))

    def look_up(self, keys: Sequence[str]) -> Flow[list[str]]:
        """Return the ids of the customers that have these e-mail addresses or phone numbers now."""
        emails = yield from by_email(values(keys, "email"))
        phones = yield from by_phone(_SIGNS.sub("", each) for each in values(keys, "phone"))
        return [*emails.values(), *phones.values()]

    def read(self, doc: Doc) -> Customer:
        """Return the customer that a document describes; `addresses` are those besides the default.

        What wasn't asked for is not given.
        """
        first, spent = doc["defaultAddress"], doc["amountSpent"]
        found: dict[str, Any] = {
            "id": doc["id"],
            "email": (doc["defaultEmailAddress"] or {}).get("emailAddress", ""),
            "phone": (doc["defaultPhoneNumber"] or {}).get("phoneNumber", ""),
            "first_name": doc["firstName"] or "",
            "last_name": doc["lastName"] or "",
            "locale": doc["locale"] or None,
            "status": doc["state"].lower(),
            "tags": tag_forms(doc["tags"]),
            "note": doc["note"] or "",
            "tax_exempt": doc["taxExempt"],
            "default_address": people.address(first),
            "consents": tuple(people.consents(doc)),
            "orders_count": int(doc["numberOfOrders"]),
            "total_spent": Money(spent["amount"], spent["currencyCode"]),
            "created_at": doc["createdAt"],
            "updated_at": doc["updatedAt"],
        }
        if "addressesV2" in doc:
            others = [n for n in doc["addressesV2"]["nodes"] if not first or n["id"] != first["id"]]
            found["addresses"] = tuple(map(people.address, others))
        if "metafields" in doc:
            found["metafields"] = reading.metafields(doc["metafields"])
        return Customer(**found)

    # -- writing

    def make(self, change: Change[Customer], batch: Batch[Customer], facts: Facts) -> Flow[str]:
        """Create a customer.

        Nothing identifies it in the call, which would write over a customer who is there by now,
        and replace the addresses.
        """
        desired = self.normal(change.desired)
        variables = {"input": _input(desired, _addresses(desired, None))}
        kind = RequestKind.CREATE
        payload = yield from mutate("customer_set", "customerSet", variables, change, kind)
        return id_of(payload["customer"])

    def update(
        self, change: Change[Customer], batch: Batch[Customer], facts: Facts
    ) -> Flow[Outcome]:
        """Write one part of a customer."""
        if change.part == "metafields":
            yield from write_metafields(self.shop, change)
        elif change.part == "publication":
            yield from _consent(change)
        else:
            yield from self._core(change)
        return applied(change, change.record_id)

    def delete(self, change: Change[Customer]) -> Flow[str]:
        """Delete a customer; Shopify keeps those with orders."""
        variables, covers = {"id": change.record_id}, (change.id,)
        kind = RequestKind.DELETE
        try:
            data = yield from call("customer_delete", variables, kind=kind, covers=covers)
            check(data["customerDelete"])
        except NotFound:
            return change.record_id
        except Rejected:
            # That it is gone and that it has orders are both said of "id", without a code.
            if (yield from self.fetch((f"id:{change.record_id}",), frozenset({"email"}))):
                raise
        return change.record_id

    def _core(self, change: Change[Customer]) -> Flow[None]:
        """Write a customer's own fields; addresses go whole, so they are completed."""
        desired, live = self.normal(change.desired), None
        if {"default_address", "addresses"} & desired.given:
            found = yield from self.fetch((f"id:{change.record_id}",), frozenset({"addresses"}))
            if not found:
                raise NotFound(f"there is no customer {change.record_id}")
            live = found[0]
        body = _input(desired, _addresses(desired, live))
        variables = {"identifier": {"id": change.record_id}, "input": body}
        yield from mutate("customer_set", "customerSet", variables, change)

    # -- forms

    def normal(self, desired: Customer) -> Customer:
        """Return a desired customer as Shopify gives it back."""
        given, new = desired.given, dict[str, Any]()
        if "email" in given:
            new["email"] = desired.email.strip().lower()
        if "phone" in given:
            new["phone"] = _SIGNS.sub("", desired.phone)
        if "tags" in given:
            new["tags"] = tag_forms(desired.tags)
        if desired.default_address is not None:
            new["default_address"] = people.form(desired.default_address)
        if "addresses" in given:
            new["addresses"] = tuple(map(people.form, desired.addresses))
        if "consents" in given:
            new["consents"] = tuple(filter(_is_held, desired.consents))
        return desired.model_copy(update=new) if new else desired

    def cost(self, change: Change[Customer]) -> Cost:
        """Return what a change takes."""
        return forecast.customer(change)

    def check(self, record: Customer) -> Iterable[Fit]:
        """Yield what the token may not write, and consents that Shopify has no word for."""
        yield from super().check(record)
        if len(record.addresses) > _ADDRESSES:
            message = f"at most {_ADDRESSES} addresses fit besides the default one"
            source = "recorded answer: MAX_INPUT_SIZE_EXCEEDED"
            yield Fit("customer", record.label, "addresses", message, source)
        if record.addresses and record.default_address is None:
            yield Fit("customer", record.label, "addresses", _NO_DEFAULT, "CustomerSetInput")
        for each in record.consents:
            if not _is_held(each):
                message = f"Shopify takes no consent {each.state!r} ({each.channel})"
                yield Fit("customer", record.label, "consents", message, _SOURCE)


_SOURCE = "CustomerEmailMarketingConsentInput"
_NO_DEFAULT = "a customer who has addresses has a default one of them"


def _is_held(consent: Consent) -> bool:
    """Return whether Shopify has words for what a customer said to marketing."""
    known = consent.channel in _CONSENTS and consent.level in _LEVELS
    return known and consent.state in _STATES


def _input(desired: Customer, addresses: Sequence[Address] | None) -> dict[str, Any]:
    """Return the input for the given fields of a customer."""
    given = desired.given
    body: dict[str, Any] = {
        theirs: getattr(desired, ours) or None for ours, theirs in _NAMES.items() if ours in given
    }
    if "tags" in given:
        body["tags"] = list(desired.tags)
    if "tax_exempt" in given:
        body["taxExempt"] = desired.tax_exempt
    if addresses is not None:
        body["addresses"] = [people.address_input(each) for each in addresses]
    return body


def _addresses(desired: Customer, live: Customer | None) -> list[Address] | None:
    """Return all addresses of a customer, the default one first; None where none is given.

    Raises:
        Rejected: for addresses of which none is the default one: Shopify would choose it.
    """
    given = desired.given
    if not {"default_address", "addresses"} & given:
        return None
    first = live.default_address if live else None
    if "default_address" in given:
        new = desired.default_address
        first = people.completed(new, first) if new else None
    others = desired.addresses if "addresses" in given or live is None else live.addresses
    if others and not first:
        remedy = "Give one of the addresses as default_address."
        raise Rejected(_NO_DEFAULT, fields={"default_address": "empty"}, remedy=remedy)
    return [*([first] if first else []), *others]


def _consent(change: Change[Customer]) -> Flow[None]:
    """Write what a customer said to marketing, each channel by its own call.

    Raises:
        Rejected: for a channel that Shopify doesn't know.
        NotSupported: if one is to be taken back: Shopify keeps that a customer was asked.
    """
    if change.removed.get("consents"):
        raise NotSupported(
            "Shopify forgets no consent", "give it the state unsubscribed, or leave it"
        )
    for consent in change.desired.consents:
        if consent.channel not in _CONSENTS:
            raise Rejected(
                f"Shopify keeps no consent for {consent.channel!r}", fields={"consents": "channel"}
            )
        name, root, field = _CONSENTS[consent.channel]
        body = {"customerId": change.record_id, field: people.consent_input(consent)}
        yield from mutate(name, root, {"input": body}, change)
