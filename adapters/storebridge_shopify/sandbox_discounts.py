"""Discount codes and redirects of the sandbox."""

from __future__ import annotations

from typing import Any

from storebridge_shopify.sandbox_fields import (
    Info,
    Refused,
    connection,
    field,
    mutation,
    user_error,
)
from storebridge_shopify.sandbox_products import currency, money
from storebridge_shopify.sandbox_search import Listing
from storebridge_shopify.sandbox_state import Doc, State, gid, split

__all__: list[str] = []


def _status(state: State, doc: Doc) -> str:
    if doc["startsAt"] > state.now():
        return "SCHEDULED"
    return "EXPIRED" if doc["endsAt"] and doc["endsAt"] <= state.now() else "ACTIVE"


DISCOUNTS = Listing(
    "DiscountCodeNode",
    "discountNodes",
    {
        "id": lambda _state, doc: split(doc["id"])[1],
        "code": lambda _state, doc: doc["code"],
        "title": lambda _state, doc: doc["title"],
        "status": _status,
        "created_at": lambda _state, doc: doc["createdAt"],
        "updated_at": lambda _state, doc: doc["updatedAt"],
    },
    keys=frozenset({"code"}),
)


@field("QueryRoot", "discountNodes")
def _nodes(_root: Any, info: Info, **arguments: Any) -> Doc:
    found = DISCOUNTS.page(info.context, **arguments)
    for node in found["nodes"]:
        node["__typename"] = "DiscountNode"
        node["id"] = gid("DiscountNode", split(node["id"])[1])
    return found


@field("QueryRoot", "codeDiscountNodes")
def _code_nodes(_root: Any, info: Info, **arguments: Any) -> Doc:
    return DISCOUNTS.page(info.context, **arguments)


@field("QueryRoot", "codeDiscountNodeByCode")
def _by_code(_root: Any, info: Info, code: str) -> Doc | None:
    held = info.context.holders("DiscountCodeNode", "code", code.lower())
    return info.context.get(held[0]) if held else None


@field("DiscountNode", "discount")
@field("DiscountCodeNode", "codeDiscount")
def _discount(doc: Doc, info: Info) -> Doc:
    return {**doc, "__typename": "DiscountCodeBasic", "status": _status(info.context, doc)}


@field("DiscountCodeBasic", "codes")
def _codes(doc: Doc, _info: Info, **arguments: Any) -> Doc:
    id = gid("DiscountRedeemCode", split(doc["id"])[1])
    return connection([{"id": id, "code": doc["code"], "asyncUsageCount": 0}], **arguments)


@field("DiscountCodeBasic", "codesCount")
def _count(_doc: Doc, _info: Info) -> Doc:
    return {"count": 1, "precision": "EXACT"}


@field("DiscountCodeBasic", "customerGets")
def _gets(doc: Doc, info: Info) -> Doc:
    given = doc["value"]
    if given.get("discountAmount"):
        amount = given["discountAmount"]
        value: Doc = {
            "__typename": "DiscountAmount",
            "amount": {"amount": money(amount["amount"]), "currencyCode": currency(info.context)},
            "appliesOnEachItem": bool(amount.get("appliesOnEachItem")),
        }
    else:
        value = {"__typename": "DiscountPercentage", "percentage": given.get("percentage") or 0.0}
    items = {"__typename": "AllDiscountItems", "allItems": True}
    return {"value": value, "items": items, "appliesOnOneTimePurchase": True,
            "appliesOnSubscription": False}  # fmt: skip


@field("DiscountCodeBasic", "minimumRequirement")
def _minimum(doc: Doc, info: Info) -> Doc | None:
    given = doc["minimum"] or {}
    if given.get("subtotal"):
        amount = money(given["subtotal"]["greaterThanOrEqualToSubtotal"])
        total = {"amount": amount, "currencyCode": currency(info.context)}
        return {"__typename": "DiscountMinimumSubtotal", "greaterThanOrEqualToSubtotal": total}
    if given.get("quantity"):
        count = given["quantity"]["greaterThanOrEqualToQuantity"]
        kind = "DiscountMinimumQuantity"
        return {"__typename": kind, "greaterThanOrEqualToQuantity": str(count)}
    return None


@mutation("discountCodeBasicCreate")
def _create(state: State, basicCodeDiscount: Doc) -> Doc:  # noqa: N803 - the API's name
    given, head = basicCodeDiscount, "basicCodeDiscount"
    for name in ("title", "code", "startsAt", "customerGets"):
        if not given.get(name):
            text = f"{name[0].upper()}{name[1:]} can't be blank"
            raise Refused(user_error([head, name], text, "BLANK"))
    if state.holders("DiscountCodeNode", "code", given["code"].lower()):
        text = "Code must be unique. Please try a different code."
        raise Refused(user_error([head, "code"], text, "TAKEN"))
    ends = given.get("endsAt")
    if ends and ends <= given["startsAt"]:
        text = "Ends at needs to be after starts_at"
        raise Refused(user_error([head, "endsAt"], text, "INVALID"))
    value = given["customerGets"].get("value") or {}
    if value.get("discountOnQuantity"):
        text = "discountOnQuantity field is only permitted with bxgy discounts."
        path = [head, "customerGets", "value", "discountOnQuantity"]
        raise Refused(user_error(path, text, "INVALID"))
    doc = state.add(
        "DiscountCodeNode",
        {"title": given["title"], "code": given["code"], "startsAt": given["startsAt"],
         "endsAt": ends, "usageLimit": given.get("usageLimit"), "asyncUsageCount": 0,
         "appliesOncePerCustomer": bool(given.get("appliesOncePerCustomer")),
         "value": value, "minimum": given.get("minimumRequirement"), "summary": given["title"],
         "shortSummary": given["title"], "discountClasses": ["ORDER"], "tags": [],
         "hasTimelineComment": False, "recurringCycleLimit": None},
    )  # fmt: skip
    state.index(doc["id"], {"code": [doc["code"].lower()]})
    return {"codeDiscountNode": doc}


# -- redirects

REDIRECTS = Listing(
    "UrlRedirect",
    "urlRedirects",
    {
        "id": lambda _state, doc: split(doc["id"])[1],
        "path": lambda _state, doc: doc["path"],
        "target": lambda _state, doc: doc["target"],
        "created_at": lambda _state, doc: doc["createdAt"],
    },
    {"PATH": lambda _state, doc: doc["path"]},
    frozenset({"path"}),
)


@field("QueryRoot", "urlRedirects")
def _redirects(_root: Any, info: Info, **arguments: Any) -> Doc:
    return REDIRECTS.page(info.context, **arguments)


@field("QueryRoot", "urlRedirect")
def _redirect(_root: Any, info: Info, id: str) -> Doc | None:
    return info.context.get(id, "UrlRedirect")


def _checked(state: State, given: Doc, own: str, code: str) -> Doc:
    path, target = given.get("path") or "", given.get("target") or ""
    if not path or not target:
        name = "path" if not path else "target"
        text = f"{name.capitalize()} can't be blank"
        raise Refused(user_error(["urlRedirect", name], text, code))
    path = "/" + path.lstrip("/")
    if any(id != own for id in state.holders("UrlRedirect", "path", path.lower())):
        raise Refused(user_error(["urlRedirect", "path"], "Path has already been taken", code))
    return {"path": path, "target": target}


@mutation("urlRedirectCreate")
def _redirect_create(state: State, urlRedirect: Doc) -> Doc:  # noqa: N803 - the API's name
    doc = state.add("UrlRedirect", _checked(state, urlRedirect, "", "CREATE_FAILED"))
    state.index(doc["id"], {"path": [doc["path"].lower()]})
    return {"urlRedirect": doc}


@mutation("urlRedirectUpdate")
def _redirect_update(state: State, id: str, urlRedirect: Doc) -> Doc:  # noqa: N803 - the API's name
    doc = _existing(state, id)
    doc |= _checked(state, {**doc, **urlRedirect}, id, "UPDATE_FAILED")
    state.save(doc)
    state.index(doc["id"], {"path": [doc["path"].lower()]})
    return {"urlRedirect": doc}


@mutation("urlRedirectDelete")
def _redirect_delete(state: State, id: str) -> Doc:
    doc = _existing(state, id)
    state.delete(doc["id"])
    return {"deletedUrlRedirectId": doc["id"]}


def _existing(state: State, id: str) -> Doc:
    doc = state.get(id, "UrlRedirect")
    if doc is None:
        text = "Redirect does not exist"
        raise Refused(user_error(["id"], text, "DOES_NOT_EXIST"))
    return doc
