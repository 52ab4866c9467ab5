"""From discounts to the inputs of Shopify's mutations, and what they have no room for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from storebridge.adapter import Batch
from storebridge.errors import NotFound, Rejected
from storebridge.flow import Flow
from storebridge.models import Discount, Money
from storebridge_shopify import reading
from storebridge_shopify.discount_reading import CLASSES, REST_OF_WORLD
from storebridge_shopify.graphql import Doc
from storebridge_shopify.lookup import (
    by_email,
    collections_of,
    ids_of,
    products_of,
    values,
    variants_of,
)
from storebridge_shopify.site import Facts
from storebridge_shopify.writing import tag_forms

__all__ = ["EXTRAS", "LIMITS", "NO_CODE", "extras_of", "inputs", "refuse_another_type",
           "refuse_unheld", "unheld"]  # fmt: skip

_VALUE = frozenset({"percentage", "amount", "each_item"})
_MINIMUM = frozenset({"minimum_subtotal", "minimum_quantity"})
#: What of `platform_fields` limits free shipping.
_OF_SHIPPING = frozenset({"countries", "maximum_shipping_price"})
#: What of `platform_fields` says which purchases get it, and of subscriptions how many payments.
_OF_SUBSCRIPTIONS = ("purchases", "recurring_cycles")
_PURCHASES = ("subscriptions", "all")
_FLAGS = ("appliesOnOneTimePurchase", "appliesOnSubscription")
#: What of `platform_fields` is written.
EXTRAS = frozenset({"tags", "combines_with", "variants", *_OF_SUBSCRIPTIONS}) | _OF_SHIPPING
#: What makes a discount one for some only, or of another type, and has no call here: without it
#: anybody would get it.
LIMITS = frozenset({"app", "buyers", "buys", "gets", "items", "type", "uses_per_order"})
NO_CODE = "the adapter makes no discounts without a code"
#: A discount needs a start (recorded answer: BLANK); one that nobody gave has begun long ago.
_ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)
_NONE = {"starts_at": _ALWAYS, "ends_at": None}


def extras_of(desired: Discount) -> Mapping[str, Any]:
    """Return what is desired of what only Shopify knows."""
    return desired.platform_fields.get(reading.NAMESPACE, {})


def unheld(desired: Discount) -> dict[str, str]:
    """Return what a discount with codes can't be, by field."""
    given, found, extras = desired.given, dict[str, str](), extras_of(desired)
    for name in sorted(LIMITS & {name for name, value in extras.items() if value}):
        path = f"platform_fields.{reading.NAMESPACE}.{name}"
        found[path] = "the adapter can't write it, and without it others would get the discount"
    if (purchases := extras.get("purchases")) and purchases not in _PURCHASES:
        path = f"platform_fields.{reading.NAMESPACE}.purchases"
        found[path] = f"{purchases!r} is neither {' nor '.join(_PURCHASES)}"
    if "codes" in given and not desired.codes:
        found["codes"] = NO_CODE
    if "status" in given and desired.status not in ("", "active"):
        found["status"] = f"Shopify has no discount that is {desired.status!r}: its dates tell"
    if (desired.usage_limit_per_customer or 1) > 1:
        found["usage_limit_per_customer"] = "a customer can use it once, or as often as they like"
    if desired.free_shipping and (desired.percentage or desired.amount):
        found["free_shipping"] = "a discount makes shipping free, or takes something off"
    goods = desired.products or extras.get("variants")
    if desired.free_shipping and (goods or desired.collections):
        found["products"] = "free shipping is for whole orders"
    elif goods and desired.collections:
        found["collections"] = "a discount is for products or for collections, not for both"
    if desired.minimum_subtotal and desired.minimum_quantity:
        found["minimum_quantity"] = "one minimum fits: a subtotal or a quantity"
    if any("*" in email for email in desired.customer_emails):
        found["customer_emails"] = "Shopify takes customers, no patterns"
    return found


def refuse_unheld(desired: Discount) -> None:
    """Refuse to make something else of a discount than what was asked for.

    Raises:
        Rejected: if it can't be what it should be; a buyer might get more off.
    """
    for field, message in unheld(desired).items():
        raise Rejected(message, fields={field: message})


def refuse_another_type(desired: Discount, *, shipping: bool) -> None:
    """Refuse to make free shipping of an amount off, or the other way round.

    Raises:
        Rejected: Shopify has a call for each type, and none that changes it.
    """
    extras = extras_of(desired)
    wants = desired.free_shipping if "free_shipping" in desired.given else shipping
    for_some = desired.percentage or desired.amount or desired.products or desired.collections
    only = for_some or extras.get("variants") if shipping else _OF_SHIPPING & extras.keys()
    if wants != shipping or only:
        raise Rejected(
            "a discount stays what it is: off the price, or free shipping",
            fields={"free_shipping": "type"},
            remedy="Delete it, and make another one.",
        )


def inputs(
    desired: Discount, live: Doc | None, batch: Batch[Discount], facts: Facts
) -> Flow[dict[str, Any]]:
    """Return the input for the given fields; without `live`, all that a new one needs."""
    given = desired.given
    body: dict[str, Any] = {}
    if live is None:
        first = next(iter(desired.codes), "")
        if not first:
            raise Rejected("a discount needs a code", fields={"codes": "empty"})
        body |= {"code": first, "title": desired.title or first, "startsAt": _time(_ALWAYS)}
        body["context"] = {"all": "ALL"}
    elif "codes" in given and len(desired.codes) == 1 and _renames(desired, live):
        body["code"] = desired.codes[0]
    if "title" in given and desired.title:
        body["title"] = desired.title
    for name, theirs in (("starts_at", "startsAt"), ("ends_at", "endsAt")):
        if name in given and (time := getattr(desired, name) or _NONE[name]) is not None:
            body[theirs] = _time(time)
        elif name in given:
            body[theirs] = None
    if "usage_limit" in given:
        body["usageLimit"] = desired.usage_limit or None
    if "usage_limit_per_customer" in given:
        body["appliesOncePerCustomer"] = desired.usage_limit_per_customer == 1
    body |= _combines(desired, live) | _cycles(desired)
    if _MINIMUM & given:
        body["minimumRequirement"] = _minimum(desired, live, facts)
    body |= yield from _gets(desired, live, batch, facts)
    body |= _shipping(desired, live, facts)
    if "customer_emails" in given:
        body["context"] = yield from _context(desired.customer_emails, live)
    return body


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _renames(desired: Discount, live: Doc) -> bool:
    """Return whether the only code of a discount becomes another one."""
    held = [node["code"] for node in live["discount"]["codes"]["nodes"]]
    return len(held) == 1 and held[0] != desired.codes[0]


def _ships(live: Doc) -> bool:
    """Return whether a document describes free shipping."""
    return bool(live["discount"]["__typename"] == "DiscountCodeFreeShipping")


def _combines(desired: Discount, live: Doc | None) -> dict[str, Any]:
    """Return what it can be combined with, and its tags."""
    extras = extras_of(desired)
    body: dict[str, Any] = {}
    if "tags" in extras:
        body["tags"] = list(tag_forms(extras["tags"]))
    ships = desired.free_shipping or (live is not None and _ships(live))
    # Free shipping isn't combined with free shipping (INVALID_COMBINES_WITH_FOR_DISCOUNT_CLASS).
    classes = [name for name in CLASSES if not (ships and name == "shipping")]
    chosen = classes if desired.combinable else []
    if "combines_with" in extras:
        chosen = list(extras["combines_with"])
    elif "combinable" not in desired.given:
        return body
    return {**body, "combinesWith": {theirs: ours in chosen for ours, theirs in CLASSES.items()}}


def _minimum(desired: Discount, live: Doc | None, facts: Facts) -> dict[str, Any] | None:
    """Return the whole requirement: what isn't given stays as it is."""
    held = (live["discount"]["minimumRequirement"] or {}) if live is not None else {}
    total = held.get("greaterThanOrEqualToSubtotal")
    count = held.get("greaterThanOrEqualToQuantity")
    subtotal = total["amount"] if total else None
    if "minimum_subtotal" in desired.given:
        money = desired.minimum_subtotal
        whole = money is not None and money.amount
        subtotal = facts.shop_amount(money, "minimum_subtotal") if money and whole else None
        count = None if subtotal else count
    if "minimum_quantity" in desired.given:
        count = desired.minimum_quantity
        subtotal = None if count else subtotal
    if subtotal:
        return {"subtotal": {"greaterThanOrEqualToSubtotal": subtotal}}
    return {"quantity": {"greaterThanOrEqualToQuantity": str(count)}} if count else None


def _gets(
    desired: Discount, live: Doc | None, batch: Batch[Discount], facts: Facts
) -> Flow[dict[str, Any]]:
    """Return what it takes off, and of which products."""
    if desired.free_shipping if live is None else _ships(live):
        return _purchases(desired)
    gets: dict[str, Any] = _purchases(desired)
    told = desired.percentage is not None or desired.amount is not None
    if _VALUE & desired.given and (live is None or told):
        gets["value"] = _value(desired, live, facts)
    elif "each_item" in desired.given and live is not None:
        value = live["discount"]["customerGets"]["value"]
        if value["__typename"] == "DiscountAmount":
            row = {"amount": value["amount"]["amount"], "appliesOnEachItem": desired.each_item}
            gets["value"] = {"discountAmount": row}
    named = {"products", "collections"} & desired.given or "variants" in extras_of(desired)
    if live is None or named:
        gets["items"] = yield from _items(desired, live, batch)
    if gets and live is not None:  # what isn't given stays, whatever a part of it does
        held = live["discount"]["customerGets"]
        gets = {**{name: held[name] for name in _FLAGS if held["appliesOnSubscription"]}, **gets}
    return {"customerGets": gets} if gets else {}


def _purchases(desired: Discount) -> dict[str, Any]:
    """Return whether purchases of one time and subscriptions get it, where that is given."""
    extras = extras_of(desired)
    if "purchases" not in extras:
        return {}
    return {
        "appliesOnOneTimePurchase": extras["purchases"] != "subscriptions",
        "appliesOnSubscription": bool(extras["purchases"]),
    }


def _cycles(desired: Discount) -> dict[str, Any]:
    """Return for how many payments of a subscription it counts; 0 is for all."""
    extras = extras_of(desired)
    given = "recurring_cycles" in extras
    return {"recurringCycleLimit": extras["recurring_cycles"] or 0} if given else {}


def _shipping(desired: Discount, live: Doc | None, facts: Facts) -> dict[str, Any]:
    """Return to where shipping is free, and up to which price.

    Raises:
        Rejected: for a new discount that takes something off.
    """
    extras, body = extras_of(desired), dict[str, Any]()
    if not _OF_SHIPPING & extras.keys():
        return body
    if live is None and not desired.free_shipping:
        raise Rejected(
            "only free shipping can be for some countries, or up to a price",
            fields={f"platform_fields.{reading.NAMESPACE}": "free_shipping"},
        )
    if "maximum_shipping_price" in extras:
        highest = extras["maximum_shipping_price"]
        path = f"platform_fields.{reading.NAMESPACE}.maximum_shipping_price"
        body["maximumShippingPrice"] = (
            facts.shop_amount(Money.parse(highest), path) if highest else None
        )
    if "countries" in extras:
        place = live["discount"]["destinationSelection"] if live is not None else {}
        held, wanted = place.get("countries", ()), list(extras["countries"])
        rows: dict[str, Any] = {
            "add": _besides(wanted, (*held, REST_OF_WORLD)),
            "remove": _besides(held, wanted),
            "includeRestOfWorld": REST_OF_WORLD in wanted,
        }
        body["destination"] = {"countries": rows} if wanted else {"all": True}
    return body


def _value(desired: Discount, live: Doc | None, facts: Facts) -> dict[str, Any]:
    """Return what it takes off.

    Raises:
        Rejected: if it takes nothing off.
    """
    if desired.percentage is not None:
        return {"percentage": desired.percentage / 100}
    if desired.amount is None:
        raise Rejected(
            "a discount takes a percentage or an amount off, or makes shipping free",
            fields={"percentage": "empty", "amount": "empty"},
        )
    held = live["discount"]["customerGets"]["value"] if live is not None else {}
    each = desired.each_item if "each_item" in desired.given else held.get("appliesOnEachItem")
    row = {"amount": facts.shop_amount(desired.amount, "amount"), "appliesOnEachItem": bool(each)}
    return {"discountAmount": row}


def _items(desired: Discount, live: Doc | None, batch: Batch[Discount]) -> Flow[dict[str, Any]]:
    """Return what it is for: what is to be added to and taken from what is live."""
    held = live["discount"]["customerGets"]["items"] if live is not None else {}
    products, collections, variants = (
        [node["id"] for node in reading.nodes(held.get(name))]
        for name in ("products", "collections", "productVariants")
    )
    wanted = {"products": products, "collections": collections, "variants": variants}
    if "variants" in extras_of(desired):
        wanted["variants"] = yield from _named(extras_of(desired)["variants"])
    if "products" in desired.given:
        wanted["products"] = yield from products_of(desired.products, batch.ids)
    if "collections" in desired.given:
        wanted["collections"] = yield from collections_of(desired.collections, batch.ids)
    if not any(wanted.values()):
        return {"all": True}
    if (wanted["products"] or wanted["variants"]) and wanted["collections"]:
        others = ("products", "variants") if "collections" in desired.given else ("collections",)
        wanted |= {name: [] for name in others}
    items: dict[str, Any] = {}
    changes = {
        "productsToAdd": _besides(wanted["products"], products),
        "productsToRemove": _besides(products, wanted["products"]),
        "productVariantsToAdd": _besides(wanted["variants"], variants),
        "productVariantsToRemove": _besides(variants, wanted["variants"]),
    }
    if rows := {name: ids for name, ids in changes.items() if ids}:
        items["products"] = rows
    changes = {
        "add": _besides(wanted["collections"], collections),
        "remove": _besides(collections, wanted["collections"]),
    }
    if rows := {name: ids for name, ids in changes.items() if ids}:
        items["collections"] = rows
    return items


def _named(keys: Sequence[str]) -> Flow[list[str]]:
    """Return the ids of variants by SKU or id.

    Raises:
        NotFound: if no variant has a key, or several have a SKU.
    """
    known = yield from variants_of(values(keys, "sku"))
    ids = {f"sku:{sku}": id_ for sku, id_ in known.items()}
    ids |= {f"id:{id_}": id_ for id_ in ids_of(keys, "ProductVariant")}
    for key in keys:
        if key not in ids:
            raise NotFound(f"there is no one variant {key}", fields={"variants": key})
    return [ids[key] for key in keys]


def _besides(these: Sequence[str], those: Sequence[str]) -> list[str]:
    return [each for each in dict.fromkeys(these) if each not in those]


def _context(emails: Sequence[str], live: Doc | None) -> Flow[dict[str, Any]]:
    """Return who may use it: customers, by their addresses, or everybody.

    Raises:
        NotFound: if there is no customer with an address.
    """
    if not emails:
        return {"all": "ALL"}
    known = yield from by_email(emails)
    for email in emails:
        if email.casefold() not in known:
            raise NotFound(
                "there is no customer with an address that the discount is for",
                fields={"customer_emails": "unknown"},
                remedy="Create the customers first.",
            )
    held = live["discount"]["context"].get("customers", ()) if live is not None else ()
    ids, wanted = [each["id"] for each in held], list(known.values())
    changes = {"add": _besides(wanted, ids), "remove": _besides(ids, wanted)}
    return {"customers": {name: rows for name, rows in changes.items() if rows}}
