"""Products, variants and options as the sandbox shows them, and their lists."""

from __future__ import annotations

import html
import re
from decimal import Decimal
from typing import Any

from storebridge_shopify.sandbox_fields import WITHIN, Info, TopError, connection, field
from storebridge_shopify.sandbox_search import Listing
from storebridge_shopify.sandbox_state import Doc, State, split

__all__ = ["PRODUCTS", "item_of", "money", "of_product", "option_names", "title_of"]

#: A product without options has this one with this value (recorded).
ONLY_OPTION, ONLY_VALUE = "Title", "Default Title"


#: How many digits a currency has behind the point where it isn't two (ISO 4217).
_DIGITS = {"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
           "CLP": 0, "ISK": 0, "JPY": 0, "KRW": 0, "PYG": 0, "VND": 0}  # fmt: skip


def money(value: Any, code: str = "EUR") -> str:
    """Return an amount as the platform writes it: "29.9" is "29.90" in euros, rounded."""
    return f"{Decimal(str(value)):.{_DIGITS.get(code, 2)}f}"


def currency(state: State) -> str:
    """Return the shop's currency."""
    return str(state.fact("shop")["currencyCode"])


def of_product(state: State, doc: Doc) -> list[Doc]:
    """Return a product's variants in order."""
    return [found for id in doc["variants"] if (found := state.get(id))]


def item_of(state: State, variant: Doc) -> Doc:
    """Return the inventory item of a variant."""
    found = state.get(variant["item"])
    assert found is not None
    return found


def option_names(doc: Doc) -> list[str]:
    """Return the names of a product's options."""
    return [option["name"] for option in doc["options"]]


def title_of(variant: Doc) -> str:
    """Return a variant's title: its values."""
    return " / ".join(value["name"] for value in variant["values"])


# -- lists


def _variants_value(name: str) -> Any:
    def value(state: State, doc: Doc) -> list[Any]:
        return [each.get(name) for each in of_product(state, doc)]

    return value


def _own(name: str) -> Any:
    return lambda _state, doc: doc.get(name)


def _number(_state: State, doc: Doc) -> str:
    return split(doc["id"])[1]


def _collections(state: State, doc: Doc) -> list[str]:
    from storebridge_shopify.sandbox_members import collections_of

    return [split(each["id"])[1] for each in collections_of(state, doc["id"])]


def _publications(state: State, doc: Doc) -> list[str]:
    rows = state.rows("SELECT publication FROM published WHERE resource = ?", doc["id"])
    return [split(row[0])[1] for row in rows]


def _stock(state: State, doc: Doc) -> int:
    return sum(quantity_of(item_of(state, each)) for each in of_product(state, doc))


def quantity_of(item: Doc) -> int:
    """Return what is available of an item, everywhere."""
    return int(sum(level["available"] for level in item["levels"].values()))


PRODUCTS = Listing(
    "Product",
    "products",
    {
        "id": _number,
        "handle": _own("handle"),
        "title": _own("title"),
        "vendor": _own("vendor"),
        "product_type": _own("productType"),
        "status": _own("status"),
        "tag": _own("tags"),
        "category_id": lambda _state, doc: (doc["category"] or "").rpartition("/")[2],
        "created_at": _own("createdAt"),
        "updated_at": _own("updatedAt"),
        "sku": _variants_value("sku"),
        "barcode": _variants_value("barcode"),
        "price": _variants_value("price"),
        "collection_id": _collections,
        "publication_ids": _publications,
        "inventory_total": _stock,
    },
    {
        "TITLE": lambda _state, doc: doc["title"].lower(),
        "VENDOR": lambda _state, doc: doc["vendor"].lower(),
        "PRODUCT_TYPE": lambda _state, doc: doc["productType"].lower(),
        "INVENTORY_TOTAL": _stock,
    },
    frozenset({"handle"}),
)

VARIANTS = Listing(
    "ProductVariant",
    "productVariants",
    {
        "id": _number,
        "sku": _own("sku"),
        "barcode": _own("barcode"),
        "title": lambda _state, doc: title_of(doc),
        "product_id": lambda _state, doc: split(doc["product"])[1],
        "product_ids": lambda _state, doc: split(doc["product"])[1],
        "updated_at": _own("updatedAt"),
    },
    {"SKU": lambda _state, doc: str(doc["sku"] or "")},
    frozenset({"sku", "barcode"}),
)

ITEMS = Listing(
    "InventoryItem",
    "inventoryItems",
    {
        "id": _number,
        "sku": _own("sku"),
        "created_at": _own("createdAt"),
        "updated_at": _own("updatedAt"),
    },
    keys=frozenset({"sku"}),
)


@field("QueryRoot", "products")
def _products(_root: Any, info: Info, **arguments: Any) -> Doc:
    return PRODUCTS.page(info.context, **arguments)


@field("QueryRoot", "productVariants")
def _product_variants(_root: Any, info: Info, **arguments: Any) -> Doc:
    return VARIANTS.page(info.context, **arguments)


@field("QueryRoot", "inventoryItems")
def _inventory_items(_root: Any, info: Info, **arguments: Any) -> Doc:
    return ITEMS.page(info.context, **arguments)


@field("QueryRoot", "productsCount")
def _products_count(
    _root: Any, info: Info, query: str | None = None, limit: int | None = 10_000, **_: Any
) -> Doc:
    return limited(PRODUCTS.count(info.context, query), limit)


@field("QueryRoot", "productVariantsCount")
def _variants_count(
    _root: Any, info: Info, query: str | None = None, limit: int | None = 10_000, **_: Any
) -> Doc:
    return limited(VARIANTS.count(info.context, query), limit)


def limited(count: int, limit: int | None) -> Doc:
    """Return a count; it stops at its limit (usage/pagination-graphql)."""
    if limit is not None and count > limit:
        return {"count": limit, "precision": "AT_LEAST"}
    return {"count": count, "precision": "EXACT"}


@field("QueryRoot", "product")
def _product(_root: Any, info: Info, id: str) -> Doc | None:
    return info.context.get(id, "Product")


@field("QueryRoot", "productVariant")
def _variant(_root: Any, info: Info, id: str) -> Doc | None:
    return info.context.get(id, "ProductVariant")


@field("QueryRoot", "inventoryItem")
def _item(_root: Any, info: Info, id: str) -> Doc | None:
    return info.context.get(id, "InventoryItem")


@field("QueryRoot", "productByIdentifier")
def _by_identifier(_root: Any, info: Info, identifier: Doc) -> Doc | None:
    return identified(info.context, identifier)


def identified(state: State, identifier: Doc) -> Doc | None:
    """Return the product that an identifier names: an id, a handle or an id of its own.

    Raises:
        TopError: for an own id without a metafield definition of type `id` (recorded).
    """
    if "id" in identifier:
        return state.get(identifier["id"], "Product")
    if "handle" in identifier:
        held = state.holders("Product", "handle", identifier["handle"].strip().lower())
        return state.get(held[0]) if held else None
    own = identifier["customId"]
    namespace, key = own.get("namespace") or "app", own["key"]
    if not state.holders("MetafieldDefinition", "id", f"PRODUCT {namespace} {key}"):
        text = "Metafield definition of type 'id' is required when using custom ids."
        raise TopError("NOT_FOUND", text)
    sql = "SELECT owner FROM metafields WHERE namespace = ? AND key = ? AND value = ?"
    owners = [owner for (owner,) in state.rows(sql, namespace, key, own["value"])]
    return next((found for owner in owners if (found := state.get(owner, "Product"))), None)


# -- products


@field("Product", "variants")
def _of_product(doc: Doc, info: Info, **arguments: Any) -> Doc:
    alone = info.path.prev is not None and info.path.prev.key == "product"
    most = 2048 if alone else 250  # the field's description
    if arguments.get("after") is None and not arguments.get("last"):
        first = arguments.get("first")
        docs = {"variants": doc["variants"][: first + 1 if first is not None else None]}
        if first is not None and not arguments.get("reverse"):
            return connection(of_product(info.context, docs), most=most, **arguments)
    return connection(of_product(info.context, doc), most=most, **arguments)


@field("Product", "variantsCount")
def _count_of_variants(doc: Doc, _info: Info) -> Doc:
    return limited(len(doc["variants"]), None)


@field("Product", "description")
def _description(doc: Doc, _info: Info, truncateAt: int | None = None) -> str:  # noqa: N803 - the API's name
    text = html.unescape(re.sub(r"<[^>]*>", " ", doc["descriptionHtml"]))
    return " ".join(text.split())[:truncateAt]


@field("Product", "category")
def _category(doc: Doc, info: Info) -> Doc | None:
    from storebridge_shopify.sandbox_taxonomy import category

    return category(doc["category"]) if doc["category"] else None


@field("Product", "totalInventory")
def _total(doc: Doc, info: Info) -> int:
    return _stock(info.context, doc)


@field("Product", "tracksInventory")
def _tracks(doc: Doc, info: Info) -> bool:
    state = info.context
    return any(item_of(state, each)["tracked"] for each in of_product(state, doc))


@field("Product", "hasOnlyDefaultVariant")
def _only_default(doc: Doc, _info: Info) -> bool:
    return has_only_default(doc)


def has_only_default(doc: Doc) -> bool:
    """Return whether a product has no options of its own."""
    option = doc["options"][0]
    return [option["name"], *(value["name"] for value in option["optionValues"])] == [
        ONLY_OPTION,
        ONLY_VALUE,
    ]


@field("Product", "onlineStoreUrl")
def _online(doc: Doc, info: Info) -> str | None:
    store = next(iter(info.context.all("Publication")))
    sql = "SELECT at FROM published WHERE resource = ? AND publication = ?"
    at = info.context.one(sql, doc["id"], store["id"])
    if at is None or at > info.context.now() or doc["status"] not in ("ACTIVE", "UNLISTED"):
        return None
    return f"https://sandbox.myshopify.com/products/{doc['handle']}"


@field("Product", "onlineStorePreviewUrl")
def _preview(doc: Doc, _info: Info) -> str:
    return f"https://sandbox.myshopify.com/products_preview?preview_key={split(doc['id'])[1]}"


@field("Product", "publishedAt")
def _published(doc: Doc, info: Info) -> str | None:
    sql = "SELECT min(at) FROM published WHERE resource = ?"
    found: str | None = info.context.one(sql, doc["id"])
    return found


@field("Product", "options")
def _options(doc: Doc, _info: Info, first: int | None = None) -> list[Doc]:
    return [{**each, "position": at} for at, each in enumerate(doc["options"], 1)][:first]


@field("ProductOption", "values")
def _values(doc: Doc, _info: Info) -> list[str]:
    return [value["name"] for value in doc["optionValues"]]


@field("ProductOptionValue", "hasVariants")
def _has_variants(_doc: Doc, _info: Info) -> bool:
    return True  # the sandbox keeps no value that no variant has


def _option(state: State, id: str) -> Doc | None:
    return next((each for each in within(state, id) if each["id"] == id), None)


def within(state: State, id: str) -> list[Doc]:
    """Return the options and values of the product that has one of them, with their types."""
    held = state.holders("Product", "option", split(id)[1])
    product = state.get(held[0]) if held else None
    found = []
    for at, option in enumerate((product or {}).get("options", ()), 1):
        found.append({**option, "position": at, "__typename": "ProductOption"})
        found += ({**v, "__typename": "ProductOptionValue"} for v in option["optionValues"])
    return found


WITHIN["ProductOption"] = WITHIN["ProductOptionValue"] = _option


# -- variants


@field("ProductVariant", "product")
def _its_product(doc: Doc, info: Info) -> Doc | None:
    return info.context.get(doc["product"])


@field("ProductVariant", "inventoryItem")
def _its_item(doc: Doc, info: Info) -> Doc:
    return item_of(info.context, doc)


@field("ProductVariant", "title")
def _title(doc: Doc, _info: Info) -> str:
    return title_of(doc)


@field("ProductVariant", "displayName")
def _display_name(doc: Doc, info: Info) -> str:
    product = info.context.get(doc["product"]) or {}
    return f"{product.get('title')} - {title_of(doc)}"


@field("ProductVariant", "position")
def _position(doc: Doc, info: Info) -> int:
    product = info.context.get(doc["product"])
    return 1 if product is None else 1 + product["variants"].index(doc["id"])


@field("ProductVariant", "selectedOptions")
def _selected(doc: Doc, info: Info) -> list[Doc]:
    product = info.context.get(doc["product"]) or {"options": []}
    names = option_names(product)
    return [
        {"name": name, "value": value["name"], "optionValue": value}
        for name, value in zip(names, doc["values"], strict=False)
    ]


@field("ProductVariant", "inventoryQuantity")
def _quantity(doc: Doc, info: Info) -> int:
    return quantity_of(item_of(info.context, doc))


@field("ProductVariant", "availableForSale")
def _available(doc: Doc, info: Info) -> bool:
    item = item_of(info.context, doc)
    return not item["tracked"] or doc["inventoryPolicy"] == "CONTINUE" or quantity_of(item) > 0


@field("Product", "legacyResourceId")
@field("ProductVariant", "legacyResourceId")
@field("InventoryItem", "legacyResourceId")
@field("Collection", "legacyResourceId")
@field("Customer", "legacyResourceId")
@field("Order", "legacyResourceId")
def _legacy(doc: Doc, _info: Info) -> str:
    return split(doc["id"])[1]
