"""How WooCommerce takes the fields of a product or a variation, in the order it sets them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from storebridge_woocommerce.sandbox_call import Given
from storebridge_woocommerce.sandbox_kses import kses
from storebridge_woocommerce.sandbox_languages import own_language, set_language
from storebridge_woocommerce.sandbox_state import Doc, Fatal, Refusal, State
from storebridge_woocommerce.sandbox_terms import attribute, attribute_taxonomy, term_for, term_ids
from storebridge_woocommerce.sandbox_text import (
    clean,
    decimal,
    flag,
    instant,
    integer,
    plain,
    slugged,
    unslashed,
)

__all__ = ["EMPTY", "apply_stock", "filtered", "on_sale", "set_common", "set_meta", "set_product"]

#: What a product without any field is.
EMPTY: Mapping[str, Any] = {
    "type": "simple", "featured": False, "catalog_visibility": "visible", "description": "",
    "short_description": "", "price": "", "regular_price": "", "sale_price": "",
    "sale_from": None, "sale_to": None, "total_sales": 0, "virtual": False,
    "downloadable": False, "downloads": [], "download_limit": -1, "download_expiry": -1,
    "external_url": "", "button_text": "", "tax_status": "taxable", "tax_class": "",
    "manage_stock": False, "stock_quantity": None, "backorders": "no", "low_stock_amount": None,
    "sold_individually": False, "weight": "", "length": "", "width": "", "height": "",
    "shipping_class_id": 0, "reviews_allowed": True, "average_rating": "0", "rating_count": 0,
    "upsell_ids": [], "cross_sell_ids": [], "purchase_note": "", "category_ids": [],
    "brand_ids": [], "tag_ids": [], "image_ids": [], "attributes": [], "default_attributes": {},
    "grouped_products": [], "menu_order": 0, "meta_data": [], "stock_status": "instock",
    "post_password": "",
}  # fmt: skip
_STATUSES = ("publish", "draft", "pending", "private", "future", "trash", "auto-draft")
_STOCK = ("instock", "outofstock", "onbackorder")


def filtered(text: Any) -> str:
    """Return a text as the product keeps it: backslashes eaten, HTML filtered."""
    if isinstance(text, list | dict):
        # WooCommerce 11.0.1: an array where a text belongs is fatal in a batch.
        raise Fatal("stripslashes(): Argument #1 ($string) must be of type string, array given")
    return kses(unslashed(plain(text)))


def set_product(state: State, post: Doc, given: Given) -> None:
    """Set the fields that only products have, up to those shared with variations."""
    _set_texts(post, given)
    set_language(state, post, given)
    for name in ("reviews_allowed", "featured", "sold_individually"):
        if name in given:
            post[name] = flag(given[name])
    _choice(post, given, "catalog_visibility", ("visible", "catalog", "search", "hidden"))
    if "parent_id" in given:
        post["parent_id"] = integer(given["parent_id"])
    for name in ("upsell_ids", "cross_sell_ids", "grouped_products"):
        if name in given:
            value = given[name] if isinstance(given[name], list) else []
            post[name] = [number for number in map(integer, value) if number > 0]
    for name in ("external_url", "button_text"):
        if name in given and post["type"] == "external":
            post[name] = plain(given[name])
    _set_attributes(state, post, given)
    _set_terms(state, post, given)


def _set_texts(post: Doc, given: Given) -> None:
    if "name" in given:
        post["name"] = filtered(given["name"]).strip()
        if len(post["name"].encode()) > 65_535:
            # WooCommerce 11.0.1: a name too long for its column ends in a critical error.
            raise Fatal("Call to a member function get_id() on bool")
    for name in ("description", "short_description", "purchase_note"):
        if name in given:
            post[name] = filtered(given[name])
    if "slug" in given:
        post["slug"] = slugged(plain(given["slug"]))
        post["slug_given"] = True
    if "post_password" in given:
        post["post_password"] = plain(given["post_password"])


def set_common(state: State, post: Doc, given: Given) -> None:
    """Set the fields that products and variations share."""
    if "status" in given:
        # WooCommerce 11.0.1: a batch takes an unknown status for "draft".
        known = given["status"] in _STATUSES
        post["status"] = given["status"] if known else "draft"
    if "menu_order" in given:
        post["menu_order"] = integer(given["menu_order"])
    for name in ("virtual", "downloadable"):
        if name in given:
            post[name] = flag(given[name])
    _choice(post, given, "tax_status", ("taxable", "shipping", "none"))
    if "tax_class" in given:
        post["tax_class"] = _tax_class(state, post, plain(given["tax_class"]))
    _set_shipping(state, post, given)
    _set_sku(state, post, given)
    _set_prices(state, post, given)
    _set_downloads(post, given)


def _choice(post: Doc, given: Given, name: str, allowed: tuple[str, ...]) -> None:
    if name not in given:
        return
    if given[name] not in allowed:
        words = {
            "catalog_visibility": "catalog visibility option",
            "tax_status": "product tax status",
        }
        raise Refusal(f"product_invalid_{name}", f"Invalid {words[name]}.")
    post[name] = given[name]


def _tax_class(state: State, post: Doc, name: str) -> str:
    if post["kind"] == "variation" and name == "parent":
        return name
    slugs = [doc["slug"] for doc in state.things("tax_class")]
    return name if name in slugs and name != "standard" else ""


def _set_shipping(state: State, post: Doc, given: Given) -> None:
    separator = state.options["woocommerce_price_decimal_sep"]
    if "weight" in given:
        post["weight"] = decimal(given["weight"], separator)
    # WooCommerce 11.0.1: sizes that weren't given stay; "1,5" becomes "15" as in prices.
    sizes = given["dimensions"] if isinstance(given["dimensions"], dict) else {}
    for name in ("length", "width", "height"):
        if sizes.get(name) is not None:
            post[name] = decimal(sizes[name], separator)
    if "shipping_class" in given:
        found = state.one(
            "SELECT id FROM terms WHERE taxonomy = 'product_shipping_class' AND slug = ?",
            slugged(plain(given["shipping_class"])),
        )
        post["shipping_class_id"] = found or 0


def _set_sku(state: State, post: Doc, given: Given) -> None:
    if "sku" in given:
        post["sku"] = clean(plain(given["sku"]))
        _check_sku(state, post)
    if "global_unique_id" in given:
        # WooCommerce 11.0.1: other characters go without a word, no checksum is looked at.
        code = re.sub(r"[^0-9X-]", "", plain(given["global_unique_id"]))
        post["global_unique_id"] = code
        holder = _holder(state, "global_unique_id", code, post) if code else None
        if holder:
            raise Refusal(
                "product_invalid_global_unique_id",
                "Invalid or duplicated GTIN, UPC, EAN or ISBN.",
                resource_id=holder,
            )


def _check_sku(state: State, post: Doc) -> None:
    sku = post["sku"]
    # WooCommerce 11.0.1: of a SKU over 100 characters no duplicate is found.
    # SKUs are unique over products and variations, in any case.
    holder = _holder(state, "sku", sku, post) if 0 < len(sku) <= 100 else None
    if holder is None:
        return
    number = 1
    while _holder(state, "sku", f"{sku}-{number}", post):
        number += 1
    raise Refusal(
        "product_invalid_sku",
        "Invalid or duplicated SKU.",
        resource_id=holder,
        unique_sku=f"{sku}-{number}",
    )


def _holder(state: State, name: str, value: str, post: Doc) -> int | None:
    """Return the product or variation, not in the trash, that has a SKU or code."""
    column = "sku" if name == "sku" else "gtin"
    found: int | None = state.one(
        f"SELECT id FROM posts WHERE {column} = ? AND {column} <> '' AND id <> ?"
        f" AND status <> 'trash' AND kind IN ('product', 'variation'){own_language(state, post)}",
        value,
        post.get("id", 0),
    )
    return found


def _set_prices(state: State, post: Doc, given: Given) -> None:
    separator = state.options["woocommerce_price_decimal_sep"]
    if post["type"] in ("variable", "grouped"):
        # WooCommerce 11.0.1: prices of a variable or grouped product are dropped.
        post["regular_price"] = post["sale_price"] = ""
        return
    for name in ("regular_price", "sale_price"):
        if name in given:
            post[name] = decimal(given[name], separator)
    for side in ("from", "to"):
        for name, zone in (
            (f"date_on_sale_{side}", state.zone),
            (f"date_on_sale_{side}_gmt", None),
        ):
            # null never clears a date, "" does; garbage becomes null.
            if given.values.get(name) is not None:
                post[f"sale_{side}"] = instant(given[name], zone or state.utc)
    regular, sale = post["regular_price"], post["sale_price"]
    # WooCommerce 11.0.1: a sale price that isn't below the regular price is dropped.
    if sale not in ("", []) and _float(sale) >= _float(regular):
        sale = post["sale_price"] = ""
    post["price"] = sale if sale != "" and on_sale(state, post) else regular


def _float(text: Any) -> float:
    found = re.match(r"-?\d*\.?\d*", text) if isinstance(text, str) else None
    try:
        return float(found[0]) if found else 0.0
    except ValueError:
        return 0.0


def on_sale(state: State, post: Doc) -> bool:
    """Return whether a sale price counts now."""
    if post["sale_price"] in ("", []) or _float(post["regular_price"]) <= _float(
        post["sale_price"]
    ):
        return False
    now = state.now()
    begins, ends = post["sale_from"], post["sale_to"]
    return (not begins or begins <= now) and (not ends or ends >= now)


def _set_downloads(post: Doc, given: Given) -> None:
    for name in ("download_limit", "download_expiry"):
        if name in given:
            value = given[name]
            # A batch takes what is no number for -1.
            post[name] = integer(value) if re.match(r"\s*-?\d", plain(value)) else -1
    if "downloads" in given and post["downloadable"]:
        post["downloads"] = [
            {"id": plain(one.get("id")) or f"{place:08x}-sandbox",
             "name": plain(one.get("name")), "file": plain(one.get("file"))}
            for place, one in enumerate(given.docs("downloads"))
            if one.get("file")
        ]  # fmt: skip


def apply_stock(post: Doc, given: Given) -> None:
    """Set the stock fields; the quantity rules the status while stock is managed."""
    status = given["stock_status"] if "stock_status" in given else post["stock_status"]
    status = status if status in _STOCK else "instock"
    if "manage_stock" in given:
        post["manage_stock"] = flag(given["manage_stock"])
    if "backorders" in given:
        post["backorders"] = plain(given["backorders"])
    if given.named("low_stock_amount"):
        value = given.values["low_stock_amount"]
        post["low_stock_amount"] = None if value in (None, "") else integer(value)
    if post["type"] in ("grouped", "external") or not post["manage_stock"]:
        # WooCommerce 11.0.1: without managed stock there is no quantity and no backorder.
        post.update(manage_stock=False, stock_quantity=None, backorders="no", low_stock_amount=None)
        post["stock_status"] = "instock" if post["type"] == "external" else status
        return
    # WooCommerce 11.0.1: in a batch 2.7 is 2 and "abc" is 0.
    if "stock_quantity" in given:
        post["stock_quantity"] = integer(given["stock_quantity"])
    elif "inventory_delta" in given:
        post["stock_quantity"] = (post["stock_quantity"] or 0) + integer(given["inventory_delta"])
    enough = (post["stock_quantity"] or 0) > 0
    short = "outofstock" if post["backorders"] == "no" else "onbackorder"
    post["stock_status"] = "instock" if enough else short


def _set_terms(state: State, post: Doc, given: Given) -> None:
    for name, taxonomy in (("categories", "product_cat"), ("brands", "product_brand")):
        if name in given:
            # By id only: names, slugs and unknown ids are ignored.
            wanted = [integer(one.get("id")) for one in given.docs(name)]
            post[f"{'category' if name == 'categories' else 'brand'}_ids"] = term_ids(
                state, taxonomy, wanted
            )
    if "tags" in given and isinstance(given["tags"], list):
        wanted = []
        for one in given.docs("tags"):
            if one.get("id"):
                wanted.append(integer(one["id"]))
            elif one.get("name"):
                wanted.append(term_for(state, "product_tag", plain(one["name"])))
        post["tag_ids"] = term_ids(state, "product_tag", wanted)
    if not post["category_ids"]:
        post["category_ids"] = [state.options["default_product_cat"]]


# ----------------------------------------------------------------------------------- attributes


def _set_attributes(state: State, post: Doc, given: Given) -> None:
    if "attributes" in given:
        # The list replaces the old one.
        made = [_attribute(state, one) for one in given.docs("attributes")]
        post["attributes"] = sorted((one for one in made if one), key=lambda one: one["position"])
    if "default_attributes" in given and post["type"] == "variable":
        post["default_attributes"] = _defaults(state, post, given)


def _attribute(state: State, one: Doc) -> Doc | None:
    """Return an attribute as a product keeps it; None for one without name or values."""
    number = integer(one.get("id"))
    known = attribute(state, number) if number else None
    name = known["slug"] if known else clean(plain(one.get("name")))
    options = one.get("options")
    if (number and not known) or not name or options is None:
        return None
    values = options if isinstance(options, list) else plain(options).split("|")
    texts = [text for text in (plain(value).strip() for value in values) if text]
    if not known:
        # A custom attribute's options are kept as one text, parted by bars.
        texts = [part.strip() for part in "|".join(texts).split("|") if part.strip()]
    else:
        texts = [str(term_for(state, name, text)) for text in dict.fromkeys(texts)]
    if not texts:
        return None
    return {
        "id": number, "name": name, "position": integer(one.get("position")),
        "visible": flag(one.get("visible")), "variation": flag(one.get("variation")),
        "options": texts,
    }  # fmt: skip


def _defaults(state: State, post: Doc, given: Given) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for one in given.docs("default_attributes"):
        number = integer(one.get("id"))
        known = attribute(state, number) if number else None
        name = known["slug"] if known else slugged(plain(one.get("name")))
        used = [a for a in post["attributes"] if slugged(a["name"]) == name and a["variation"]]
        if used and one.get("option"):
            value = plain(one["option"])
            if attribute_taxonomy(name):
                found = state.one(
                    "SELECT slug FROM terms WHERE taxonomy = ? AND (name = ? OR slug = ?)",
                    name, value, slugged(value),
                )  # fmt: skip
                value = found or slugged(value)
            chosen[name] = value
    return chosen


# ------------------------------------------------------------------------------------- metadata


def set_meta(
    state: State, post: Doc, given: Given, owned: tuple[str, ...] = (), *, numbers: str = "meta"
) -> None:
    """Set metadata by key, or by id with a key; null removes, `[]` changes nothing.

    Keys in `owned` belong to the record's own fields: they are never kept as metadata. `numbers`
    is the table that counts the rows: those of users, orders and lines have their own.
    """
    rows: list[Doc] = post["meta_data"]
    for one in given.docs("meta_data"):
        key = plain(one.get("key"))
        if not key or "value" not in one:
            continue
        if key in owned:
            if key == "_sku":
                post["sku"] = clean(plain(one["value"]))
                _check_sku(state, post)
            continue
        number = integer(one.get("id"))
        # WooCommerce 11.0.1: an id without a key is ignored, a stale id makes a new row.
        row = next((r for r in rows if r["id"] == number), None) if number else None
        if row is None and not number:
            row = next((r for r in rows if r["key"] == key), None)
        if one["value"] is None:
            if row is not None:
                rows.remove(row)
        elif row is not None:
            row.update(key=key, value=_kept(one["value"]))
        else:
            # Scalars come back as texts, objects and lists as they were sent.
            rows.append({"id": 0, "key": key, "value": _kept(one["value"])})
    for row in rows:
        row["id"] = row["id"] or state.number(numbers)


def _kept(value: Any) -> Any:
    return value if isinstance(value, list | dict) else plain(value)
