"""What writing products has in common: handles, options, variants and their inventory items.

The texts and codes of user errors are recorded ones; `Path` says where in the input they lie.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from storebridge_shopify.sandbox_fields import Refused, TopError, user_error
from storebridge_shopify.sandbox_products import currency, item_of, money
from storebridge_shopify.sandbox_state import Doc, State, gid, split

__all__ = [
    "add_variant",
    "apply_common",
    "change_item",
    "change_variant",
    "check_lengths",
    "drop_product",
    "drop_variant",
    "index_product",
    "option",
    "set_handle",
    "value_of",
]

Path = tuple[str | int, ...]
Levels = Mapping[str, int]

_MOST_MONEY = Decimal("1000000000000000000")


def set_handle(state: State, doc: Doc, given: Doc, *, fresh: bool) -> None:
    """Give a product the handle of an input, or where a new one has none, a free one of its title.

    Explicit handles are trimmed and lower-cased, what is neither a letter nor a digit becomes
    one hyphen; automatic ones get "-1", "-2" … (recorded).
    """
    if not fresh and not given.get("handle"):
        return  # changing only the title keeps the handle (recorded)
    slug = _slug(given.get("handle") or "")
    handle = slug or _free(state, _slug(doc["title"]) or "product", doc["id"])
    if _taken(state, handle, doc["id"]):
        text = f"Handle '{given['handle']}' already in use. Please provide a new handle."
        raise Refused(user_error(["input", "handle"], text))
    if not fresh and given.get("redirectNewHandle") and handle != doc["handle"]:
        moved = {"path": f"/products/{doc['handle']}", "target": f"/products/{handle}"}
        state.add("UrlRedirect", moved)
    doc["handle"] = handle


def _taken(state: State, handle: str, own: str) -> bool:
    return any(id != own for id in state.holders("Product", "handle", handle))


def _free(state: State, wanted: str, own: str) -> str:
    handle, number = wanted, 0
    while _taken(state, handle, own):
        number += 1
        handle = f"{wanted}-{number}"
    return handle


def _slug(text: str) -> str:
    return re.sub(r"[\W_]+", "-", text.strip().lower()).strip("-")


def tags_of(given: Sequence[str]) -> list[str]:
    """Return tags as answers have them: trimmed, once each, sorted (recorded)."""
    found: dict[str, str] = {}
    for each in given:
        for tag in each.split(","):
            if tag.strip():
                found.setdefault(tag.strip().lower(), tag.strip())
    return sorted(found.values(), key=str.lower)


def check_lengths(given: Doc, where: Callable[[str, str], Doc]) -> list[Doc]:
    """Return the errors of fields that are too long; `where` makes one of a field and a text."""
    long = "is too long (maximum is 255 characters)"
    found = [
        where(name, f"{word} {long}")
        for name, word in (("title", "Title"), ("vendor", "Vendor"), ("handle", "Handle"))
        if len(given.get(name) or "") > 255
    ]
    if len(given.get("productType") or "") > 255:
        found += (where("productType", f"Product type {long}"),
                  where("customProductType", f"Custom product type {long}"))  # fmt: skip
    return found


def apply_common(state: State, doc: Doc, given: Doc) -> None:
    """Set the fields of a product that an input has; null clears."""
    for name in ("title", "descriptionHtml", "vendor", "productType"):
        if name in given:
            doc[name] = given[name] or ""
    if "templateSuffix" in given:
        doc["templateSuffix"] = given["templateSuffix"] or None
    if given.get("status"):
        doc["status"] = given["status"]
    if given.get("giftCard") and not doc["variants"]:  # what is sold already stays what it is
        doc["isGiftCard"] = True
    if "tags" in given:
        doc["tags"] = tags_of(given["tags"] or ())
    if "seo" in given:
        doc["seo"] = {**doc["seo"], **(given["seo"] or {"title": None, "description": None})}
    if "category" in given:
        doc["category"] = _category(given["category"])


def _category(id: str | None) -> str | None:
    from storebridge_shopify.sandbox_taxonomy import category

    if id and category(id) is None:
        text = "Invalid product_taxonomy_node_id"
        raise TopError("INVALID_PRODUCT_TAXONOMY_NODE_ID", text)
    return id or None


def new_product(state: State, title: str) -> Doc:
    """Return an empty product; without a status it is ACTIVE (recorded)."""
    doc: Doc = {"title": title, "handle": "", "descriptionHtml": "", "productType": "",
           "vendor": state.fact("shop")["name"], "category": None, "tags": [],
           "status": "ACTIVE", "templateSuffix": None,
           "seo": {"title": None, "description": None}, "options": [], "variants": [],
           "media": [], "isGiftCard": False}  # fmt: skip
    return state.add("Product", doc)


def index_product(state: State, doc: Doc) -> None:
    """Make a product findable by what it now has."""
    options = [split(each["id"])[1] for each in doc["options"]]
    options += [split(v["id"])[1] for each in doc["options"] for v in each["optionValues"]]
    media = [split(id)[1] for id in doc["media"]]
    state.index(doc["id"], {"handle": [doc["handle"]], "option": options, "media": media})


# -- options


def option(state: State, name: str) -> Doc:
    """Return a new option without values."""
    return {"id": gid("ProductOption", state.number()), "name": name, "optionValues": []}


def value_of(state: State, option: Doc, name: str) -> Doc:
    """Return an option's value; it is made if the option has none of that name."""
    for each in option["optionValues"]:
        if each["name"] == name:
            found: Doc = each
            return found
    made = {"id": gid("ProductOptionValue", state.number()), "name": name}
    option["optionValues"].append(made)
    return made


def drop_unused(state: State, product: Doc) -> None:
    """Take away the values that no variant has any more."""
    used = {value["id"] for id in product["variants"] for value in (state.get(id) or {})["values"]}
    for each in product["options"]:
        each["optionValues"] = [value for value in each["optionValues"] if value["id"] in used]


# -- variants


def add_variant(state: State, product: Doc, values: list[Doc], levels: Levels | None) -> Doc:
    """Make a variant with these values at the end of a product.

    Without levels it is stocked at the shop's first location with nothing.
    """
    first = next(iter(state.all("Location")))["id"]
    stocked = levels or {first: 0}
    item = state.add(
        "InventoryItem",
        {
            "variant": gid("ProductVariant", state.upcoming(2)),
            "sku": None,
            "tracked": False,
            "requiresShipping": True,
            "cost": None,
            "weight": {"value": 0.0, "unit": "KILOGRAMS"},
            "countryCodeOfOrigin": None,
            "harmonizedSystemCode": None,
            "provinceCodeOfOrigin": None,
            "levels": {id: {"available": count} for id, count in stocked.items()},
        },
    )
    variant = state.add(
        "ProductVariant",
        {
            "product": product["id"],
            "item": item["id"],
            "values": values,
            "sku": None,
            "barcode": None,
            "price": "0.00",
            "compareAtPrice": None,
            "taxable": True,
            "inventoryPolicy": "DENY",
            "media": [],
        },
    )
    product["variants"].append(variant["id"])
    return variant


def change_variant(state: State, variant: Doc, given: Doc, path: Path) -> list[Doc]:
    """Set what an input gives for a variant and its item; return the user errors."""
    code = currency(state)
    errors = _prices(variant, given, path, code)
    for name in ("barcode", "taxable", "inventoryPolicy"):
        if name in given and (given[name] is not None or name == "barcode"):
            variant[name] = given[name] or None if name == "barcode" else given[name]
    own = dict(given.get("inventoryItem") or {})
    if "sku" in given:
        own["sku"] = given["sku"]
    item = item_of(state, variant)
    if own:
        errors += change_item(item, own, (*path, "inventoryItem"), code)
    variant["sku"] = item["sku"]
    if errors:
        return errors
    state.save(item)
    state.save(variant)
    sku = [(variant["sku"] or "").lower()]
    state.index(variant["id"], {"sku": sku, "barcode": [(variant["barcode"] or "").lower()]})
    state.index(item["id"], {"sku": sku})
    return []


def _prices(variant: Doc, given: Doc, path: Path, code: str) -> list[Doc]:
    errors = []
    for name, word in (("price", "Price"), ("compareAtPrice", "Compare at price")):
        if name not in given:
            continue
        if given[name] is None:
            if name == "compareAtPrice":
                variant[name] = None
            continue
        amount = number(given[name])
        if amount < 0:
            text = f"{word} must be greater than or equal to 0"
            errors.append(user_error((*path, name), text, "GREATER_THAN_OR_EQUAL_TO"))
        elif amount >= _MOST_MONEY:
            text = f"must be less than {_MOST_MONEY}"
            errors.append(user_error((*path, name), text, "INVALID_INPUT"))
        else:
            variant[name] = money(amount, code)
    return errors


def number(value: Any) -> Decimal:
    """Return a decimal of an input.

    Raises:
        TopError: if it is none: the scalar refuses it.
    """
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise TopError("INVALID_VARIABLE", f"invalid decimal '{value}'") from None


def change_item(item: Doc, given: Doc, path: Path, code: str) -> list[Doc]:
    """Set what an input gives for an inventory item; return the user errors."""
    errors = []
    for name in ("tracked", "requiresShipping"):
        if given.get(name) is not None:
            item[name] = given[name]
    for name in ("sku", "countryCodeOfOrigin", "harmonizedSystemCode", "provinceCodeOfOrigin"):
        if name in given:
            item[name] = given[name] or None
    if "cost" in given:
        cost = None if given["cost"] is None else number(given["cost"])
        if cost is not None and cost < 0:
            text = "Cost per item must be greater than or equal to 0"
            errors.append(user_error((*path, "cost"), text, "GREATER_THAN_OR_EQUAL_TO"))
        else:
            item["cost"] = None if cost is None else money(cost, code)
    code = item["harmonizedSystemCode"]
    if code and not re.fullmatch(r"\d{6,13}", code):
        text = "Harmonized system code must be a number between six and thirteen digits"
        errors.append(user_error((*path, "harmonizedSystemCode"), text, "INVALID_INPUT"))
    weight = (given.get("measurement") or {}).get("weight")
    if weight:
        if weight["value"] < 0:
            text = f"Measurement weight value {weight['value']:g} kg must be >= 0 kg"
            errors.append(user_error((*path, "measurement", "weight"), text, "INVALID_INPUT"))
        item["weight"] = {"value": float(weight["value"]), "unit": weight["unit"]}
    return errors


def drop_variant(state: State, product: Doc, id: str) -> None:
    """Delete a variant with its item."""
    variant = state.get(id)
    if variant is not None:
        state.delete(variant["item"])
    state.delete(id)
    product["variants"].remove(id)


def drop_product(state: State, product: Doc) -> None:
    """Delete a product with all that it has; its files stay."""
    for id in list(product["variants"]):
        drop_variant(state, product, id)
    state.delete(product["id"])


def refuse(errors: Sequence[Doc], **payload: Any) -> None:
    """Raise user errors if there are any.

    Raises:
        Refused: if there are.
    """
    if errors:
        raise Refused(*errors, **payload)
