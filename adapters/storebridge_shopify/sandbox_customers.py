"""Customers of the sandbox: most of their errors have no code (recorded)."""

from __future__ import annotations

import re
from typing import Any

from storebridge_shopify.sandbox_fields import (
    Info,
    Refused,
    connection,
    field,
    mutation,
    user_error,
)
from storebridge_shopify.sandbox_metafields import set_metafields
from storebridge_shopify.sandbox_products import currency, money
from storebridge_shopify.sandbox_search import Listing
from storebridge_shopify.sandbox_state import Doc, State, gid, split
from storebridge_shopify.sandbox_writing import refuse, tags_of

__all__ = ["address"]

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+[1-9]\d{6,14}")
_MOST_NOTE = 5000


def _orders(state: State, id: str) -> list[Doc]:
    return [doc for doc in state.all("Order") if doc.get("customer") == id]


CUSTOMERS = Listing(
    "Customer",
    "customers",
    {
        "id": lambda _state, doc: split(doc["id"])[1],
        "email": lambda _state, doc: doc["email"],
        "phone": lambda _state, doc: doc["phone"],
        "first_name": lambda _state, doc: doc["firstName"],
        "last_name": lambda _state, doc: doc["lastName"],
        "state": lambda _state, doc: doc["state"],
        "tag": lambda _state, doc: doc["tags"],
        "country": lambda _state, doc: [each["countryCodeV2"] for each in doc["addresses"]],
        "orders_count": lambda state, doc: len(_orders(state, doc["id"])),
        "customer_date": lambda _state, doc: doc["createdAt"],
        "updated_at": lambda _state, doc: doc["updatedAt"],
    },
    {"NAME": lambda _state, doc: f"{doc['lastName']} {doc['firstName']}"},
    frozenset({"email", "phone"}),
)


@field("QueryRoot", "customers")
def _customers(_root: Any, info: Info, **arguments: Any) -> Doc:
    return CUSTOMERS.page(info.context, **arguments)


@field("QueryRoot", "customersCount")
def _count(_root: Any, info: Info, query: str | None = None, **_: Any) -> Doc:
    return {"count": CUSTOMERS.count(info.context, query), "precision": "EXACT"}


@field("QueryRoot", "customer")
def _customer(_root: Any, info: Info, id: str) -> Doc | None:
    return info.context.get(id, "Customer")


@field("QueryRoot", "customerByIdentifier")
def _by_identifier(_root: Any, info: Info, identifier: Doc) -> Doc | None:
    return _identified(info.context, identifier)


@field("Customer", "displayName")
def _name(doc: Doc, _info: Info) -> str:
    name = f"{doc['firstName'] or ''} {doc['lastName'] or ''}".strip()
    return name or doc["email"] or doc["phone"] or ""


@field("Customer", "numberOfOrders")
def _number(doc: Doc, info: Info) -> str:
    return str(len(_orders(info.context, doc["id"])))


@field("Customer", "amountSpent")
def _spent(doc: Doc, info: Info) -> Doc:
    from decimal import Decimal

    total = sum((Decimal(each["total"]) for each in _orders(info.context, doc["id"])), Decimal(0))
    return {"amount": money(total), "currencyCode": currency(info.context)}


@field("Customer", "defaultEmailAddress")
def _email(doc: Doc, _info: Info) -> Doc | None:
    if not doc["email"]:
        return None
    return {"emailAddress": doc["email"], "validFormat": True, "openTrackingLevel": "UNKNOWN",
            "marketingUnsubscribeUrl": "https://sandbox.myshopify.com/unsubscribe",
            "openTrackingUrl": "https://sandbox.myshopify.com/track",
            **doc["emailConsent"]}  # fmt: skip


@field("Customer", "defaultPhoneNumber")
def _phone(doc: Doc, _info: Info) -> Doc | None:
    if not doc["phone"]:
        return None
    return {"phoneNumber": doc["phone"], **doc["smsConsent"]}


@field("Customer", "defaultAddress")
def _default_address(doc: Doc, _info: Info) -> Doc | None:
    return doc["addresses"][0] if doc["addresses"] else None


@field("Customer", "addressesV2")
def _addresses(doc: Doc, _info: Info, **arguments: Any) -> Doc:
    return connection(doc["addresses"], **arguments)


@field("Customer", "email")
@field("Customer", "phone")
def _plain(doc: Doc, info: Info) -> str | None:
    return doc[info.field_name] or None


# -- writing


def address(state: State, given: Doc) -> Doc:
    """Return a mailing address of an input."""
    code = given.get("countryCode")
    names = ("address1", "address2", "city", "company", "firstName", "lastName", "phone",
             "provinceCode", "zip")  # fmt: skip
    name = f"{given.get('firstName') or ''} {given.get('lastName') or ''}".strip()
    return {"id": f"{gid('MailingAddress', state.number())}?model_name=CustomerAddress",
            "countryCodeV2": code, "countryCode": code, "country": code, "name": name,
            "province": given.get("provinceCode") or given.get("province"),
            "formattedArea": given.get("city"),
            "coordinatesValidated": False, **{each: given.get(each) for each in names}}  # fmt: skip


def _wrong(state: State, given: Doc, own: str, path: tuple[str, ...]) -> list[Doc]:
    errors = []
    email, phone = given.get("email"), given.get("phone")
    if email and not _EMAIL.fullmatch(email):
        errors.append(user_error([*path, "email"], "Email is invalid"))
    if len(email or "") > 255:
        text = "Email is too long (maximum is 255 characters)"
        errors.append(user_error([*path, "email"], text))
    if phone and not _PHONE.fullmatch(re.sub(r"[\s()-]", "", phone)):
        errors.append(user_error([*path, "phone"], "Phone is invalid"))
    for name, value in (("email", email), ("phone", phone)):
        held = state.holders("Customer", name, (value or "").lower())
        if value and any(id != own for id in held):
            text = f"{name.capitalize()} has already been taken"
            errors.append(user_error([*path, name], text))
    if len(given.get("note") or "") > _MOST_NOTE:
        text = f"Note is too long (maximum is {_MOST_NOTE} characters)"
        errors.append(user_error([*path, "note"], text))
    return errors


def _new(state: State) -> Doc:
    return state.add(
        "Customer",
        {"firstName": None, "lastName": None, "email": None, "phone": None, "note": None,
         "tags": [], "locale": state.fact("locales")[0]["locale"], "taxExempt": False,
         "taxExemptions": [], "state": "DISABLED", "verifiedEmail": True, "addresses": [],
         "canDelete": True, "dataSaleOptOut": False, "lifetimeDuration": "less than a minute",
         "productSubscriberStatus": "NEVER_SUBSCRIBED", "multipassIdentifier": None,
         "emailConsent": {"marketingState": "NOT_SUBSCRIBED", "marketingOptInLevel": None,
                          "marketingUpdatedAt": None},
         "smsConsent": {"marketingState": "NOT_SUBSCRIBED", "marketingOptInLevel": None,
                        "marketingUpdatedAt": None}},
    )  # fmt: skip


def _apply(state: State, doc: Doc, given: Doc) -> None:
    for name in ("firstName", "lastName", "note", "locale", "taxExempt", "taxExemptions"):
        if name in given:
            doc[name] = given[name]
    for name in ("email", "phone"):
        if name in given:
            doc[name] = (given[name] or "").strip().lower() or None
    if "tags" in given:
        doc["tags"] = tags_of(given["tags"] or ())
    if given.get("addresses") is not None:
        doc["addresses"] = [address(state, each) for each in given["addresses"]]
    state.index(doc["id"], {name: [doc[name] or ""] for name in ("email", "phone")})
    state.save(doc)


def _check_name(doc: Doc, path: list[str] | None) -> None:
    if not any(doc[name] for name in ("firstName", "lastName", "email", "phone")):
        text = "A name, phone number, or email address must be present"
        raise Refused(user_error(path, text))


def _consent(state: State, doc: Doc, given: Doc, path: tuple[str, ...]) -> None:
    """Keep what a customer said to e-mails.

    Raises:
        Refused: for a state that goes with another level, and for times to come (recorded).
    """
    level = given.get("marketingOptInLevel")
    state_ = given["marketingState"]
    if state_ == "PENDING" and level != "CONFIRMED_OPT_IN":
        text = "Marketing opt in level must be confirmed opt-in for pending consent state"
        raise Refused(user_error([*path, "marketingOptInLevel"], text, "INVALID"))
    at = str(given.get("consentUpdatedAt") or state.now())
    if at > state.now():
        text = "Consent updated at must not be in the future"
        raise Refused(user_error([*path, "consentUpdatedAt"], text, "INVALID"))
    doc["emailConsent"] = {"marketingState": state_, "marketingUpdatedAt": at,
                           "marketingOptInLevel": level or "SINGLE_OPT_IN"}  # fmt: skip


@mutation("customerCreate")
def _create(state: State, input: Doc) -> Doc:
    if input.get("id"):
        raise Refused(user_error(["id"], "Cannot specify ID on creation"))
    refuse(_wrong(state, input, "", ()))
    doc = _new(state)
    _apply(state, doc, input)
    _check_name(doc, None)
    if input.get("emailMarketingConsent"):
        if not doc["email"]:
            text = "An email address is required to set the email marketing consent state."
            raise Refused(user_error(["emailMarketingConsent"], text))
        _consent(state, doc, input["emailMarketingConsent"], ("emailMarketingConsent",))
        state.save(doc)
    if input.get("metafields"):
        refuse(set_metafields(state, doc["id"], input["metafields"], ("metafields",)))
    return {"customer": doc}


@mutation("customerUpdate")
def _update(state: State, input: Doc) -> Doc:
    doc = state.get(input.get("id") or "", "Customer")
    if doc is None:
        raise Refused(user_error(["id"], "Customer does not exist"))
    if input.get("emailMarketingConsent"):
        text = "To update emailMarketingConsent, please use the customerEmailMarketingConsentUpdate Mutation instead"  # noqa: E501 - the platform's words
        raise Refused(user_error(["emailMarketingConsent"], text))
    refuse(_wrong(state, input, doc["id"], ()))
    _apply(state, doc, input)
    _check_name(doc, None)
    if input.get("metafields"):
        refuse(set_metafields(state, doc["id"], input["metafields"], ("metafields",)))
    return {"customer": doc}


@mutation("customerDelete")
def _delete(state: State, input: Doc) -> Doc:
    doc = state.get(input["id"], "Customer")
    if doc is None:
        raise Refused(user_error(["id"], "Customer can't be found"))
    if _orders(state, doc["id"]):
        text = "Customer can’t be deleted because they have associated orders"
        raise Refused(user_error(["id"], text))
    state.delete(doc["id"])
    return {"deletedCustomerId": doc["id"], "shop": state.fact("shop")}


def _identified(state: State, identifier: Doc) -> Doc | None:
    if "id" in identifier:
        return state.get(identifier["id"], "Customer")
    for name in ("email", "emailAddress", "phone", "phoneNumber"):
        if identifier.get(name):
            key = "email" if name.startswith("email") else "phone"
            held = state.holders("Customer", key, identifier[name].lower())
            return state.get(held[0]) if held else None
    return None


@mutation("customerSet")
def _set(state: State, input: Doc, identifier: Doc | None = None) -> Doc:
    doc = None
    if identifier:
        if input.get("id"):
            text = "The id field is not allowed if identifier is provided."
            raise Refused(user_error(["input"], text, "ID_NOT_ALLOWED"))
        for name in ("email", "phone"):
            if name in identifier and not input.get(name):
                text = "The input field corresponding to the identifier is required."
                raise Refused(user_error(["input"], text))
            if name in identifier and input[name] != identifier[name]:
                text = "The identifier value does not match the value of the corresponding field in the input."  # noqa: E501 - the platform's words
                raise Refused(user_error(["input"], text))
        doc = _identified(state, identifier)
    elif input.get("id"):
        doc = state.get(input["id"], "Customer")
    if doc is None and ("id" in (identifier or {}) or input.get("id")):
        text = "Resource matching the identifier was not found."
        raise Refused(user_error(["input"], text, "NOT_FOUND"))
    refuse(_wrong(state, input, doc["id"] if doc else "", ("input",)))
    doc = doc or _new(state)
    _apply(state, doc, input)
    _check_name(doc, ["input"])
    return {"customer": doc}


@mutation("customerEmailMarketingConsentUpdate")
def _consent_update(state: State, input: Doc) -> Doc:
    doc = state.get(input["customerId"], "Customer")
    if doc is None:
        path = ["input", "customerId"]
        raise Refused(user_error(path, "Customer not found", "INVALID"))
    where = ("input", "emailMarketingConsent")
    _consent(state, doc, input["emailMarketingConsent"], where)
    state.save(doc)
    return {"customer": doc}


@mutation("customerSmsMarketingConsentUpdate")
def _sms_update(state: State, input: Doc) -> Doc:
    doc = state.get(input["customerId"], "Customer")
    if doc is None:
        path = ["input", "customerId"]
        raise Refused(user_error(path, "Customer not found", "INVALID"))
    given = input["smsMarketingConsent"]
    doc["smsConsent"] = {"marketingState": given["marketingState"],
                         "marketingOptInLevel": given.get("marketingOptInLevel"),
                         "marketingUpdatedAt": state.now()}  # fmt: skip
    state.save(doc)
    return {"customer": doc}
