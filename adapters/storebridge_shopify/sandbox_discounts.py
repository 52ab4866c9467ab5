"""Discounts of the sandbox: those that a code gives are made by the API, all types are read.

`promote` makes what only the admin or an app makes. Codes are unique in any case, and looked up at
once; lists are searches (descriptions). Codes in bulk are worked off later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from storebridge_shopify.sandbox_fields import (
    WITHIN,
    Info,
    connection,
    field,
)
from storebridge_shopify.sandbox_products import currency, money
from storebridge_shopify.sandbox_search import Listing
from storebridge_shopify.sandbox_state import Doc, State, gid, split

__all__ = ["EMPTY", "FLAGS", "code_node", "code_row", "index", "promote"]

Resolver = Callable[..., Any]

EMPTY: Doc = {
    "endsAt": None, "usageLimit": None, "appliesOncePerCustomer": False, "asyncUsageCount": 0,
    "codes": [], "value": {}, "products": [], "variants": [], "collections": [], "minimum": {},
    "customers": [], "segments": [], "tags": [], "usesPerOrderLimit": None, "highest": None,
    "countries": [], "restOfWorld": False, "buys": {}, "app": None, "hasTimelineComment": False,
    "recurringCycleLimit": 1, "shortSummary": "",
    "appliesOnOneTimePurchase": True, "appliesOnSubscription": False,
    "combinesWith": {"orderDiscounts": False, "productDiscounts": False,
                     "shippingDiscounts": False},
}  # fmt: skip
#: Which purchases get a discount.
FLAGS = ("appliesOnOneTimePurchase", "appliesOnSubscription")
_TYPES = ("DiscountCodeBasic", "DiscountCodeBxgy", "DiscountCodeFreeShipping", "DiscountCodeApp",
          "DiscountAutomaticBasic", "DiscountAutomaticBxgy", "DiscountAutomaticFreeShipping",
          "DiscountAutomaticApp")  # fmt: skip


def promote(state: State, kind: str, title: str, codes: Sequence[str] = (), **values: Any) -> str:
    """Make a discount of any type ("DiscountAutomaticBxgy") as the admin does; return its id."""
    rows = [code_row(state, code) for code in codes]
    doc = {**EMPTY, "type": kind, "title": title, "summary": title, "startsAt": state.now(),
           "discountClasses": ["ORDER"], "codes": rows, **values}  # fmt: skip
    made = state.add("DiscountNode", doc)
    index(state, made)
    return str(made["id"])


def code_row(state: State, code: str) -> Doc:
    """Return a new code."""
    return {"id": gid("DiscountRedeemCode", state.number()), "code": code, "asyncUsageCount": 0}


def index(state: State, doc: Doc) -> None:
    """Make a discount findable by its codes."""
    state.index(doc["id"], {"code": [row["code"].lower() for row in doc["codes"]]})


def _status(state: State, doc: Doc) -> str:
    if doc["startsAt"] > state.now():
        return "SCHEDULED"
    return "EXPIRED" if doc["endsAt"] and doc["endsAt"] <= state.now() else "ACTIVE"


DISCOUNTS = Listing(
    "DiscountNode",
    "discountNodes",
    {
        "id": lambda _state, doc: split(doc["id"])[1],
        "code": lambda _state, doc: [row["code"] for row in doc["codes"]],
        "title": lambda _state, doc: doc["title"],
        "status": _status,
        "created_at": lambda _state, doc: doc["createdAt"],
        "updated_at": lambda _state, doc: doc["updatedAt"],
    },
)


def _as(kind: str) -> Any:
    """Return how a discount is had as an object of one of the types of nodes, by its number."""

    def found(state: State, id: str) -> Doc | None:
        doc = state.get(gid("DiscountNode", split(id)[1]))
        part = {"DiscountCodeNode": "DiscountCode", "DiscountAutomaticNode": "DiscountAutomatic"}
        if doc is None or not doc["type"].startswith(part[kind]):
            return None
        return {**doc, "id": gid(kind, split(id)[1]), "__typename": kind}

    return found


WITHIN["DiscountCodeNode"] = _as("DiscountCodeNode")
WITHIN["DiscountAutomaticNode"] = _as("DiscountAutomaticNode")


@field("QueryRoot", "discountNodes")
def _nodes(_root: Any, info: Info, **arguments: Any) -> Doc:
    return DISCOUNTS.page(info.context, **arguments)


@field("QueryRoot", "discountNode")
def _node(_root: Any, info: Info, id: str) -> Doc | None:
    # The example of this query has the id of a DiscountAutomaticNode: the number counts.
    return info.context.get(gid("DiscountNode", split(id)[1]))


@field("QueryRoot", "codeDiscountNodeByCode")
def _by_code(_root: Any, info: Info, code: str) -> Doc | None:
    held = info.context.holders("DiscountNode", "code", code.lower())
    return code_node(info.context, held[0]) if held else None


def code_node(state: State, id: str) -> Doc | None:
    """Return a discount with codes as a `DiscountCodeNode`."""
    found: Doc | None = WITHIN["DiscountCodeNode"](state, id)
    return found


@field("DiscountNode", "discount")
@field("DiscountCodeNode", "codeDiscount")
def _discount(doc: Doc, info: Info) -> Doc:
    return {**doc, "__typename": doc["type"], "status": _status(info.context, doc)}


# -- what the types have


def _each(*names: str) -> Callable[[Resolver], Resolver]:
    """Register a resolver for fields of every type."""

    def register(function: Resolver) -> Resolver:
        for kind in _TYPES:
            field(kind, *names)(function)
        return function

    return register


@_each("codes")
def _codes(doc: Doc, _info: Info, **arguments: Any) -> Doc:
    return connection(doc["codes"], **arguments)


@_each("codesCount")
def _count(doc: Doc, _info: Info) -> Doc:
    return {"count": len(doc["codes"]), "precision": "EXACT"}


@_each("context")
def _context(doc: Doc, info: Info) -> Doc:
    if doc["customers"]:
        held = [found for id in doc["customers"] if (found := info.context.get(id))]
        return {"__typename": "DiscountCustomers", "customers": held}
    if doc["segments"]:
        rows = [{"id": gid("Segment", n), "name": s} for n, s in enumerate(doc["segments"], 1)]
        return {"__typename": "DiscountCustomerSegments", "segments": rows}
    return {"__typename": "DiscountBuyerSelectionAll", "all": "ALL"}


@_each("minimumRequirement")
def _minimum(doc: Doc, info: Info) -> Doc | None:
    given = doc["minimum"] or {}
    if amount := (given.get("subtotal") or {}).get("greaterThanOrEqualToSubtotal"):
        total = {"amount": money(amount), "currencyCode": currency(info.context)}
        return {"__typename": "DiscountMinimumSubtotal", "greaterThanOrEqualToSubtotal": total}
    if count := (given.get("quantity") or {}).get("greaterThanOrEqualToQuantity"):
        kind = "DiscountMinimumQuantity"
        return {"__typename": kind, "greaterThanOrEqualToQuantity": str(count)}
    return None


@_each("customerGets")
def _gets(doc: Doc, info: Info) -> Doc:
    value = _effect(doc["value"], info)
    if quantity := doc["value"].get("discountOnQuantity"):
        effect = _effect(quantity["effect"], info)
        value = {"__typename": "DiscountOnQuantity", "effect": effect,
                 "quantity": {"quantity": str(quantity["quantity"])}}  # fmt: skip
    return {"value": value, "items": _items(doc), **{name: doc[name] for name in FLAGS}}


@_each("customerBuys")
def _buys(doc: Doc, _info: Info) -> Doc:
    given = doc["buys"]
    value: Doc = {"__typename": "DiscountQuantity", "quantity": str(given.get("quantity"))}
    if "amount" in given:
        value = {"__typename": "DiscountPurchaseAmount", "amount": given["amount"]}
    items = _items({**EMPTY, **given})
    return {"value": value, "items": items, "isOneTimePurchase": True, "isSubscription": False}


def _effect(given: Doc, info: Info) -> Doc:
    """Return what is taken off: an amount, or a part of one."""
    amount = given.get("discountAmount") or given.get("amount")
    if not amount:
        return {"__typename": "DiscountPercentage", "percentage": given.get("percentage") or 0.0}
    row = amount if isinstance(amount, dict) else {"amount": amount}
    shown = {"amount": money(row["amount"]), "currencyCode": currency(info.context)}
    each = bool(row.get("appliesOnEachItem"))
    return {"__typename": "DiscountAmount", "amount": shown, "appliesOnEachItem": each}


def _items(doc: Doc) -> Doc:
    for kind, names in (("DiscountProducts", ("products", "variants")),
                        ("DiscountCollections", ("collections",))):  # fmt: skip
        if any(doc[name] for name in names):
            return {**{name: doc[name] for name in names}, "__typename": kind}
    return {"__typename": "AllDiscountItems", "allItems": True}


@field("DiscountProducts", "products", "productVariants")
@field("DiscountCollections", "collections")
def _of_items(doc: Doc, info: Info, **arguments: Any) -> Doc:
    name = {"productVariants": "variants"}.get(info.field_name, info.field_name)
    return connection((found for id in doc[name] if (found := info.context.get(id))), **arguments)


@_each("maximumShippingPrice")
def _highest(doc: Doc, info: Info) -> Doc | None:
    if doc["highest"] is None:
        return None
    return {"amount": money(doc["highest"]), "currencyCode": currency(info.context)}


@_each("destinationSelection")
def _destination(doc: Doc, _info: Info) -> Doc:
    if doc["countries"] or doc["restOfWorld"]:
        return {"__typename": "DiscountCountries", "countries": doc["countries"],
                "includeRestOfWorld": doc["restOfWorld"]}  # fmt: skip
    return {"__typename": "DiscountCountryAll", "allCountries": True}


@_each("appDiscountType")
def _app(doc: Doc, _info: Info) -> Doc:
    return {"functionId": "function-1", "title": "An app's own", "appKey": "key",
            "description": None, "discountClasses": ["ORDER"], **(doc["app"] or {})}  # fmt: skip
