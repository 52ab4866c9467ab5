"""From Shopify's JSON to discounts.

A discount is of one of eight types: amount off, free shipping, buy-some-get-some or an app's own,
each with codes or without. What the model has no field for is in `platform_fields`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from storebridge.models import Discount, Money
from storebridge_shopify import reading
from storebridge_shopify.graphql import Doc

__all__ = ["CLASSES", "REST_OF_WORLD", "connections", "discount", "is_automatic"]

#: What a discount can be combined with, ours to theirs.
CLASSES = {
    "order": "orderDiscounts",
    "product": "productDiscounts",
    "shipping": "shippingDiscounts",
}
_TYPES = {"Bxgy": "buy_x_get_y", "App": "app"}
_ITEMS = ("products", "productVariants", "collections")
#: What stands among countries for those that the shop has no zone for.
REST_OF_WORLD = "*"


def is_automatic(doc: Doc) -> bool:
    """Return whether a document describes a discount without codes."""
    return str(doc["discount"]["__typename"]).startswith("DiscountAutomatic")


def connections(doc: Doc) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Yield the connections that came with a discount, with the path to each."""
    found = doc["discount"]
    if "metafields" in doc:
        yield doc["metafields"], ("metafields",)
    if "codes" in found:
        yield found["codes"], ("discount", "codes")
    for side in ("customerBuys", "customerGets"):
        items = found.get(side, {}).get("items", {})
        for name in _ITEMS:
            if name in items:
                yield items[name], ("discount", side, "items", name)


def discount(doc: Doc, currency: str) -> Discount:
    """Return the discount that a document describes; what wasn't asked for is not given.

    Its status is always "active": Shopify has no drafts, and its dates say whether it is running.
    """
    found: Mapping[str, Any] = doc["discount"]
    codes = tuple(node["code"] for node in reading.nodes(found.get("codes")))
    combines = [ours for ours, theirs in CLASSES.items() if found["combinesWith"][theirs]]
    values: dict[str, Any] = {
        "id": doc["id"],
        "title": found["title"],
        "codes": codes,
        "status": "active",
        "usage_limit": found.get("usageLimit"),
        "usage_limit_per_customer": 1 if found.get("appliesOncePerCustomer") else None,
        "usage_count": found["asyncUsageCount"],
        "starts_at": found["startsAt"],
        "ends_at": found["endsAt"],
        "combinable": bool(combines),
        "created_at": found["createdAt"],
        "updated_at": found["updatedAt"],
        **dict(_minimum(found.get("minimumRequirement"))),
        **dict(_value(found)),
        **dict(_buyers(found["context"])),
    }
    if "metafields" in doc:
        values["metafields"] = reading.metafields(doc["metafields"])
    extras = {name: value for name, value in _extras(found, combines, currency) if value}
    return Discount(**values, platform_fields={reading.NAMESPACE: extras} if extras else {})


def _minimum(doc: Doc | None) -> Iterator[tuple[str, Any]]:
    """Yield what an order has to have at least; None for what isn't asked for."""
    found = doc or {}
    total = found.get("greaterThanOrEqualToSubtotal")
    count = found.get("greaterThanOrEqualToQuantity")
    yield "minimum_subtotal", _money(total) if total else None
    yield "minimum_quantity", int(count) if count else None


def _money(doc: Doc) -> Money:
    return Money(doc["amount"], doc["currencyCode"])


def _percentage(value: Any) -> Decimal:
    """Return a part of a hundred; Shopify's is a part of one, a JSON number."""
    return (Decimal(str(value)) * 100).normalize() + Decimal(0)


def _value(doc: Doc) -> Iterator[tuple[str, Any]]:
    """Yield what it takes off and of what; nothing for a type that the model can't say."""
    kind = doc["__typename"]
    if kind.endswith("FreeShipping"):
        none = dict.fromkeys(("percentage", "amount"))
        yield from {**none, "each_item": False, "free_shipping": True}.items()
        yield from {"products": (), "collections": ()}.items()
    if not kind.endswith("Basic"):
        return
    value = doc["customerGets"]["value"]
    amount = value["__typename"] == "DiscountAmount"
    yield "percentage", None if amount else _percentage(value["percentage"])
    yield "amount", _money(value["amount"]) if amount else None
    yield "each_item", amount and value["appliesOnEachItem"]
    yield "free_shipping", False
    items = doc["customerGets"]["items"]
    named = {"products": _products(items), "collections": _collections(items)}
    if items["__typename"] == "AllDiscountItems" or (any(named.values()) and not _variants(items)):
        yield from named.items()
    else:  # none of both would mean that it is for everything
        yield from ((name, keys) for name, keys in named.items() if keys)


def _products(items: Doc) -> tuple[str, ...]:
    return tuple(f"handle:{node['handle']}" for node in reading.nodes(items.get("products")))


def _collections(items: Doc) -> tuple[str, ...]:
    return tuple(node["handle"] for node in reading.nodes(items.get("collections")))


def _named(items: Doc) -> bool:
    """Return whether anything is known of what a discount is for."""
    return any(reading.nodes(items.get(name)) for name in _ITEMS)


def _variants(items: Doc) -> list[str]:
    """Return the variants by SKU, which other shops know too; by id those without one."""
    nodes = reading.nodes(items.get("productVariants"))
    return [f"sku:{node['sku']}" if node["sku"] else f"id:{node['id']}" for node in nodes]


def _buyers(context: Doc) -> Iterator[tuple[str, Any]]:
    """Yield the addresses of the only buyers, where all are known by one; none for everybody."""
    if context["__typename"] == "DiscountBuyerSelectionAll":
        yield "customer_emails", ()
    elif emails := _emails(context):
        yield "customer_emails", emails


def _emails(context: Doc) -> tuple[str, ...]:
    """Return the addresses of all buyers; nothing where one can't be seen, or has none."""
    held = [each["defaultEmailAddress"] for each in context.get("customers", ())]
    return tuple(each["emailAddress"] for each in held) if all(held) else ()


def _extras(doc: Doc, combines: list[str], currency: str) -> Iterator[tuple[str, Any]]:
    """Yield what only Shopify knows of a discount."""
    kind = doc["__typename"]
    yield "type", next((word for end, word in _TYPES.items() if kind.endswith(end)), "")
    yield "tags", list(doc["tags"])
    if 0 < len(combines) < len(_whole(kind)):
        yield "combines_with", combines
    context = doc["context"]
    if context["__typename"] != "DiscountBuyerSelectionAll" and not _emails(context):
        segments = [each["name"] for each in context.get("segments", ())]
        yield "buyers", segments or [context["__typename"]]
    for side, word in (("customerBuys", "buys"), ("customerGets", "gets")):
        if side in doc and kind.endswith("Bxgy"):
            yield word, _side(doc[side], currency)
        elif side in doc:
            items = doc[side]["items"]
            yield "variants", _variants(items)
            if items["__typename"] != "AllDiscountItems" and not _named(items):
                yield "items", items["__typename"]
    yield from _purchases(doc)
    yield "uses_per_order", doc.get("usesPerOrderLimit")
    if highest := doc.get("maximumShippingPrice"):
        yield "maximum_shipping_price", str(_money(highest))
    place = doc.get("destinationSelection", {})
    rest = [REST_OF_WORLD] if place.get("includeRestOfWorld") else []
    yield "countries", [*place.get("countries", ()), *rest]
    if app := doc.get("appDiscountType"):
        yield "app", {"title": app["title"], "function": app["functionId"]}


def _purchases(doc: Doc) -> Iterator[tuple[str, Any]]:
    """Yield that subscriptions get it, and for how many payments; none for usual purchases only."""
    flags = doc.get("customerGets", doc)
    if flags.get("appliesOnSubscription"):
        yield "purchases", "all" if flags["appliesOnOneTimePurchase"] else "subscriptions"
        # One without codes always has a limit: another type, and so another name in the document.
        yield "recurring_cycles", doc.get("recurringCycleLimit", doc.get("alwaysCycleLimit"))


def _whole(kind: str) -> Mapping[str, str]:
    """Return what a type can be combined with: free shipping not with free shipping."""
    return {o: t for o, t in CLASSES.items() if o != "shipping" or "Shipping" not in kind}


def _side(doc: Doc, currency: str) -> dict[str, Any]:
    """Return what has to be bought or what is got of buy-some-get-some, in plain values."""
    value, items = doc["value"], doc["items"]
    effect = value.get("effect", {})
    count = value.get("quantity")
    found: dict[str, Any] = {
        "quantity": str(count["quantity"] if isinstance(count, Mapping) else count or ""),
        "amount": str(Money(value["amount"], currency)) if "amount" in value else "",
        "percentage": str(_percentage(effect["percentage"])) if "percentage" in effect else "",
        "amount_off": str(_money(effect["amount"])) if "amount" in effect else "",
        "products": list(_products(items)),
        "variants": _variants(items),
        "collections": list(_collections(items)),
    }
    return {name: each for name, each in found.items() if each}
