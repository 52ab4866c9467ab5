"""From Shopify's JSON to records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from storebridge.models import (
    InventoryLevel,
    Media,
    Metafield,
    Money,
    Option,
    Product,
    Seo,
    Variant,
    Weight,
)
from storebridge_shopify.graphql import Doc
from storebridge_shopify.site import WEIGHTS

__all__ = [
    "NAMESPACE",
    "ONLY_OPTION",
    "ONLY_VALUE",
    "available",
    "channels",
    "metafields",
    "money",
    "nodes",
    "product",
    "tags",
    "time",
    "variant",
]

#: The name under which `platform_fields` holds what only Shopify knows.
NAMESPACE = "shopify"
_MEDIA = {
    "IMAGE": "image",
    "VIDEO": "video",
    "EXTERNAL_VIDEO": "external_video",
    "MODEL_3D": "model",
}
#: How a product without options is kept: one option with this name and this value.
ONLY_OPTION, ONLY_VALUE = "Title", "Default Title"


def nodes(connection: Doc | None) -> list[Doc]:
    """Return the nodes of a connection; none where it wasn't asked for."""
    return list(connection["nodes"]) if connection else []


def money(amount: str | None, currency: str) -> Money | None:
    """Return an amount of the shop's currency; None where there is none."""
    return None if amount is None else Money(amount=Decimal(amount), currency=currency)


def time(text: str) -> datetime:
    """Return a time of Shopify's: UTC, to the second."""
    return datetime.fromisoformat(text)


def product(doc: Doc, currency: str) -> Product:
    """Return the product that a document describes; what wasn't asked for is not given."""
    only = _is_single(doc)
    options = () if only else tuple(map(_option, doc["options"]))
    found: dict[str, Any] = {
        "id": doc["id"],
        "handle": doc["handle"],
        "title": doc["title"],
        "description_html": doc["descriptionHtml"],
        "vendor": doc["vendor"],
        "product_type": doc["productType"],
        "category": (doc["category"] or {}).get("fullName", ""),
        "tags": tags(doc),
        "status": doc["status"].lower(),
        "url": doc["onlineStoreUrl"] or "",
        "seo": Seo(title=doc["seo"]["title"] or "", description=doc["seo"]["description"] or ""),
        "options": options,
        "gift_card": doc["isGiftCard"],
        "platform_fields": _extras({"template_suffix": doc["templateSuffix"]}),
        "created_at": doc["createdAt"],
        "updated_at": doc["updatedAt"],
    }
    found.update(_connections(doc, currency, only=only))
    return Product(**found)


def tags(doc: Doc) -> tuple[str, ...]:
    """Return a product's tags in their order."""
    return tuple(sorted(doc["tags"], key=str.lower))


def _connections(doc: Doc, currency: str, *, only: bool) -> Iterator[tuple[str, Any]]:
    """Yield the fields that come of connections, those that were asked for."""
    media = tuple(_medium(node, at) for at, node in enumerate(nodes(doc.get("media")), 1))
    if "variants" in doc:
        sources = {medium.id: medium.url for medium in media}
        each = (variant(node, currency, sources, only=only) for node in nodes(doc["variants"]))
        yield "variants", tuple(each)
    if "media" in doc:
        yield "media", media
    if "metafields" in doc:
        yield "metafields", metafields(doc["metafields"])
    if "collections" in doc:
        by_hand = (node for node in nodes(doc["collections"]) if node["ruleSet"] is None)
        yield "collections", tuple(sorted(node["handle"] for node in by_hand))
    if "resourcePublications" in doc:
        yield "channels", tuple(channels(nodes(doc["resourcePublications"])))


def variant(doc: Doc, currency: str, sources: Mapping[str, str], *, only: bool = False) -> Variant:
    """Return the variant that a document describes; the only one of a product has no options.

    Args:
        doc: the variant.
        currency: the shop's.
        sources: where the media of its product are, by id.
        only: whether the product has no options of its own.
    """
    item = doc["inventoryItem"]
    found: dict[str, Any] = {
        "id": doc["id"],
        "sku": doc["sku"] or "",
        "barcodes": (doc["barcode"],) if doc["barcode"] else (),
        "options": () if only else tuple(each["value"] for each in doc["selectedOptions"]),
        "position": doc["position"],
        "price": money(doc["price"], currency),
        "compare_at_price": money(doc["compareAtPrice"], currency),
        "cost": _cost(item["unitCost"]),
        "tracked": item["tracked"],
        "oversell": doc["inventoryPolicy"] == "CONTINUE",
        "taxable": doc["taxable"],
        "requires_shipping": item["requiresShipping"],
        "platform_fields": _extras(
            {
                "country_of_origin": item["countryCodeOfOrigin"],
                "harmonized_system_code": item["harmonizedSystemCode"],
            }
        ),
    }
    weight = (item["measurement"] or {}).get("weight")
    if not weight or not weight["value"]:
        found["weight"] = None  # Shopify says 0 where nobody gave a weight
    elif weight["unit"] in WEIGHTS:  # one of a unit to come is unknown, and not none
        found["weight"] = Weight(value=Decimal(str(weight["value"])), unit=WEIGHTS[weight["unit"]])
    if "inventoryLevels" in item:
        found["inventory"] = tuple(map(_level, nodes(item["inventoryLevels"])))
    if "media" in doc:
        shown = (sources.get(node["id"], node["id"]) for node in nodes(doc["media"]))
        found["media"] = tuple(shown)
    if "metafields" in doc:
        found["metafields"] = metafields(doc["metafields"])
    return Variant(**found)


def metafields(connection: Doc) -> tuple[Metafield, ...]:
    """Return the metafields of a connection."""
    return tuple(
        Metafield(
            namespace=node["namespace"], key=node["key"], type=node["type"], value=node["value"]
        )
        for node in nodes(connection)
    )


def _extras(values: Mapping[str, str | None]) -> dict[str, dict[str, str]]:
    """Return what only Shopify knows, under its name; nothing where nothing is set."""
    found = {name: value for name, value in values.items() if value}
    return {NAMESPACE: found} if found else {}


def _is_single(doc: Doc) -> bool:
    """Return whether a product has no options of its own."""
    return [(o["name"], [v["name"] for v in o["optionValues"]]) for o in doc["options"]] == [
        (ONLY_OPTION, [ONLY_VALUE])
    ]


def _option(doc: Doc) -> Option:
    return Option(name=doc["name"], values=tuple(value["name"] for value in doc["optionValues"]))


def _cost(doc: Doc | None) -> Money | None:
    return money(doc["amount"], doc["currencyCode"]) if doc else None


def available(level: Doc) -> int:
    """Return how many pieces can be sold at a location."""
    quantities = {each["name"]: each["quantity"] for each in level["quantities"]}
    return int(quantities["available"])


def _level(doc: Doc) -> InventoryLevel:
    return InventoryLevel(location=doc["location"]["name"], available=available(doc))


def _medium(doc: Doc, position: int) -> Media:
    image: Mapping[str, Any] = doc.get("image") or (doc["preview"] or {}).get("image") or {}
    return Media(
        id=doc["id"],
        url=image.get("url") or doc.get("embedUrl") or "",
        alt=doc["alt"] or "",
        media_type=_MEDIA.get(doc["mediaContentType"], doc["mediaContentType"].lower()),
        position=position,
    )


def channels(publications: Iterable[Doc]) -> Iterator[str]:
    """Yield the names of the channels that a record is shown in."""
    for each in publications:
        catalog = each["publication"]["catalog"]
        if each["isPublished"] and catalog:
            yield catalog["title"]
