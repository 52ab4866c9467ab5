"""WooCommerce's JSON as products: what `GET /products` and `/variations` give, in context=edit.

A read may have been asked for a few keys only; a field is given where all of its keys came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storebridge.models import (
    Attribute,
    Download,
    InventoryLevel,
    Media,
    Metafield,
    Option,
    Product,
)
from storebridge.wire import dumps
from storebridge_woocommerce import seo, sizes
from storebridge_woocommerce.prices import prices_of, time_of
from storebridge_woocommerce.site import LOCATION, Facts
from storebridge_woocommerce.text import plain, sluglike

__all__ = ["MARK", "NAMESPACE", "OFFER_EXTRAS", "OWN_EXTRAS", "metafields_of", "product_of"]

Doc = Mapping[str, Any]
Fields = dict[str, Any]

#: The metadata key of the mark by which a new record is known again.
MARK = "_storebridge_key"
#: The platform's own name, in `platform_fields` and for metadata without a namespace.
NAMESPACE = "woocommerce"
#: What describes a product and has no field in the model, with the type that WooCommerce takes.
OWN_EXTRAS: Mapping[str, type] = {
    "type": str,
    "purchase_note": str,
    "menu_order": int,
    "reviews_allowed": bool,
    "external_url": str,
    "button_text": str,
    "grouped_products": list,
}
#: The same for what describes an offer: a simple product's, a variation's, or a parent's for all.
OFFER_EXTRAS: Mapping[str, type] = {
    "shipping_class": str,
    "low_stock_amount": int,
    "sold_individually": bool,
    "download_limit": int,
    "download_expiry": int,
    "backorders": str,
    "tax_status": str,
    "manage_stock": object,
    "stock_status": str,
}
#: Values that the model's fields for stock and tax have no word for.
_SPECIAL = {"backorders": ("notify",), "tax_status": ("shipping",), "manage_stock": ("parent",)}
_STATUS = {"publish": "active"}
_FLAT = {
    "featured": "featured",
    "catalog_visibility": "visibility",
    "permalink": "url",
    "description": "description_html",
    "short_description": "short_description_html",
}


def product_of(
    doc: Doc, variations: Sequence[Doc] | None, facts: Facts, default_category: str
) -> Product:
    """Return the product that WooCommerce's JSON describes.

    Args:
        doc: the product.
        variations: its variations, oldest first; None where they weren't asked for.
        facts: the shop's money and units.
        default_category: the handle of the category that stands for none.
    """
    fields: Fields = {"id": str(doc["id"])}
    fields |= {ours: doc[theirs] for theirs, ours in _FLAT.items() if theirs in doc}
    if doc.get("sku"):
        fields["sku"] = doc["sku"]
    if doc.get("slug"):
        fields["handle"] = sluglike(doc["slug"])
    if "name" in doc:
        fields["title"] = plain(doc["name"])
    if "status" in doc:
        fields["status"] = _STATUS.get(doc["status"], doc["status"])
    for ours, theirs in (("created_at", "date_created_gmt"), ("updated_at", "date_modified_gmt")):
        if theirs in doc:
            fields[ours] = time_of(doc[theirs])
    _groups(doc, fields, default_category)
    if "attributes" in doc:
        _choices(doc, fields)
    if "meta_data" in doc:
        fields["metafields"] = metafields_of(doc["meta_data"], facts.seo)
        if facts.seo:
            fields["seo"] = seo.seo_of(doc["meta_data"], facts.seo)
    if "images" in doc:
        places = range(1, len(doc["images"]) + 1)
        fields["media"] = tuple(map(_picture, doc["images"], places))
    _extras(doc, fields, facts)
    if "regular_price" in doc:
        fields["variants"] = _variants(doc, variations, facts)
    return Product.model_validate(fields)


def _groups(doc: Doc, fields: Fields, default_category: str) -> None:
    if "categories" in doc:
        handles = _in_order([sluglike(each["slug"]) for each in doc["categories"]])
        # A product can't be without a category: the default one stands for none.
        fields["collections"] = () if handles == (default_category,) else handles
    if "tags" in doc:
        fields["tags"] = _in_order([plain(each["name"]) for each in doc["tags"]])
    if "brands" in doc:
        fields["brand"] = plain(doc["brands"][0]["name"]) if doc["brands"] else ""
    for ours, theirs in (("upsells", "upsell_ids"), ("cross_sells", "cross_sell_ids")):
        if theirs in doc:
            fields[ours] = tuple([f"id:{each}" for each in doc[theirs]])


def _in_order(names: list[str]) -> tuple[str, ...]:
    """Return names sorted for people; the order in which WooCommerce lists them says nothing."""
    return tuple(sorted(names, key=lambda name: (name.casefold(), name)) if names[1:] else names)


def _choices(doc: Doc, fields: Fields) -> None:
    """Tell the attributes that make variations from those that only describe."""
    defaults = {_name(each): each["option"] for each in doc.get("default_attributes", ())}
    options, attributes = [], []
    for each in doc["attributes"]:
        values = tuple(map(plain, each["options"]))
        own = {"global": bool(each["id"])}
        if each["variation"] and doc["type"] == "variable":
            own["visible"] = each["visible"]
            if _name(each) in defaults:
                own["default"] = defaults[_name(each)]
            platform = {NAMESPACE: own}
            name = plain(each["name"])
            options.append(Option(name=name, values=values, platform_fields=platform))
        else:
            attributes.append(
                Attribute(
                    name=plain(each["name"]),
                    values=values,
                    visible=each["visible"],
                    platform_fields={NAMESPACE: own},
                )
            )
    fields["options"], fields["attributes"] = tuple(options), tuple(attributes)


def _extras(doc: Doc, fields: Fields, facts: Facts) -> None:
    """Give what the model has no field for; a parent's stock and tax are its variations'."""
    if "purchase_note" not in doc:
        return
    own = _own(doc, OWN_EXTRAS)
    if doc["type"] in ("variable", "grouped"):
        own |= {name: doc[name] for name in OFFER_EXTRAS if name in doc}
        own |= sizes.of_parent(doc, facts) if "weight" in doc else {}
    fields["platform_fields"] = {NAMESPACE: own}


def _own(doc: Doc, names: Iterable[str]) -> dict[str, Any]:
    """Return the values of some keys, as far as they say more than the model's own fields do."""
    own = {name: doc[name] for name in names if name in doc}
    for name in _SPECIAL.keys() & own.keys():
        if own[name] not in _SPECIAL[name]:
            del own[name]
    if "stock_status" in own and doc["manage_stock"]:  # it follows the quantity then
        del own["stock_status"]
    if own.get("grouped_products"):
        own["grouped_products"] = [f"id:{each}" for each in own["grouped_products"]]
    return own


def _picture(image: Doc, place: int) -> Media:
    return Media(
        id=str(image["id"]),
        url=image["src"],
        alt=plain(image["alt"]),
        media_type="image",
        position=place,
    )


def metafields_of(meta: Sequence[Doc], plugin: str = "") -> tuple[Metafield, ...]:
    """Return metadata as metafields, without our mark and the search engine texts."""
    kept = seo.KEYS.get(plugin, ())
    found = {
        each["key"]: each["value"]
        for each in meta
        if each["key"] not in kept and not each["key"].lstrip("_").startswith("storebridge_")
    }
    return tuple(_metafield(key, value) for key, value in found.items() if value is not None)


def _metafield(key: str, value: Any) -> Metafield:
    space, dot, rest = key.partition(".")
    name = {"namespace": space, "key": rest} if dot and space and rest else None
    name = name or {"namespace": NAMESPACE, "key": key}
    if isinstance(value, (dict, list)):
        return Metafield(**name, type="json", value=dumps(value).decode())
    return Metafield(**name, value=value if isinstance(value, str) else dumps(value).decode())


# --------------------------------------------------------------------------------------- variants


def _variants(doc: Doc, variations: Sequence[Doc] | None, facts: Facts) -> tuple[Fields, ...]:
    if doc["type"] == "grouped":
        return ()  # what it groups is bought
    if doc["type"] != "variable":
        return (_variant(doc, facts, doc["sku"], {}),)
    names = [_name(each) for each in doc["attributes"] if each["variation"]]
    return tuple(_variation(each, doc, names, facts) for each in variations or ())


def _variation(doc: Doc, parent: Doc, names: Sequence[str], facts: Facts) -> Fields:
    chosen = {_name(each): plain(each["option"]) for each in doc["attributes"]}
    # A variation without a SKU of its own reads back its parent's (recorded exchange).
    sku = "" if doc["sku"] == parent["sku"] else doc["sku"]
    return _variant(
        doc,
        facts,
        sku,
        {
            "options": tuple(chosen.get(name, "") for name in names),
            "description_html": doc["description"].strip(),
            "status": _STATUS.get(doc["status"], doc["status"]),
            "position": doc["menu_order"],
            **_shown(doc),
        },
    )


def _shown(doc: Doc) -> dict[str, Any]:
    """Return the pictures of a variation; left out where one of them has no address."""
    own, more = doc.get("image"), doc.get("gallery", ())
    if "image" not in doc or not all(more):
        return {}
    return {"media": (*((own["src"],) if own else ()), *more)}


def _variant(doc: Doc, facts: Facts, sku: str, fields: Fields) -> Fields:
    """Return the fields of a variant; they are checked together with the product's."""
    code, tracked = doc.get("global_unique_id"), doc["manage_stock"] is True
    if "description_html" in fields:
        fields["metafields"] = metafields_of(doc["meta_data"])
    return {
        "id": str(doc["id"]),
        "sku": sku,
        "barcodes": (code,) if code else (),
        "tracked": tracked,
        "oversell": doc["backorders"] != "no",
        "inventory": _levels(doc["stock_quantity"]) if tracked else (),
        "taxable": doc["tax_status"] == "taxable",
        "tax_class": doc["tax_class"],
        "virtual": doc["virtual"],
        "downloadable": doc["downloadable"],
        "downloads": tuple(map(_download, doc["downloads"])),
        "platform_fields": {NAMESPACE: _own(doc, OFFER_EXTRAS)},
        **fields,
        **sizes.of_offer(doc, facts),
        **prices_of(doc, facts.currency),
    }


def _download(doc: Doc) -> Download:
    return Download(id=str(doc["id"]), name=doc["name"], url=doc["file"])


def _levels(quantity: Any) -> tuple[InventoryLevel, ...]:
    if quantity is None:
        return ()
    return (InventoryLevel(location=LOCATION, available=int(quantity)),)


def _name(attribute: Doc) -> str:
    """Return what an attribute is told by: its id where it is the shop's, else its name."""
    return f"#{attribute['id']}" if attribute["id"] else plain(attribute["name"]).casefold()
