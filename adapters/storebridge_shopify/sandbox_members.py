"""Which products are in which of the sandbox's collections, and in what order.

Manual collections keep their members; smart ones are asked for them (`ruleSet`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from storebridge_shopify.sandbox_products import item_of, of_product, quantity_of, title_of
from storebridge_shopify.sandbox_state import Doc, State, split

__all__ = ["collections_of", "in_order", "is_sound", "join", "leave", "manual_of", "product_ids"]


def product_ids(state: State, doc: Doc) -> list[str]:
    """Return the ids of a collection's products, in its order."""
    if doc["ruleSet"]:
        return [each["id"] for each in state.all("Product") if _fits(state, each, doc["ruleSet"])]
    sql = "SELECT product FROM members WHERE collection = ? ORDER BY place"
    return [id for (id,) in state.rows(sql, doc["id"])]


def in_order(state: State, order: str, products: list[Doc]) -> list[Doc]:
    """Return products as a collection shows them; newest first where sales would decide."""
    if order == "MANUAL":
        return products
    price, title = order.startswith("PRICE"), order.startswith("ALPHA")

    def rank(product: Doc) -> Any:
        if price:
            return Decimal(next(iter(_column(state, product, "VARIANT_PRICE")), 0))
        return product["title"].casefold() if title else int(split(product["id"])[1])

    rising = order.endswith("_ASC") or order == "CREATED"
    return sorted(products, key=rank, reverse=not rising)


def manual_of(state: State, product: str) -> list[str]:
    """Return the ids of the manual collections that a product is in."""
    sql = "SELECT collection FROM members WHERE product = ?"
    return [id for (id,) in state.rows(sql, product)]


def collections_of(state: State, product: str) -> list[Doc]:
    """Return the collections that a product is in."""
    doc = state.get(product) or {}
    manual = [found for id in manual_of(state, product) if (found := state.get(id))]
    smart = (each for each in _smart(state) if _fits(state, doc, each["ruleSet"]))
    return sorted([*manual, *smart], key=lambda each: int(split(each["id"])[1]))


def _smart(state: State) -> list[Doc]:
    return [found for id in state.holders("Collection", "smart", "1") if (found := state.get(id))]


def join(state: State, collection: str, product: str) -> None:
    """Put a product at the end of a manual collection; once only."""
    sql = "SELECT coalesce(max(place), 0) + 1 FROM members WHERE collection = ?"
    place = state.one(sql, collection)
    state.run("INSERT OR IGNORE INTO members VALUES (?, ?, ?)", collection, product, place)


def leave(state: State, collection: str, product: str) -> None:
    """Take a product out of a manual collection."""
    state.run("DELETE FROM members WHERE collection = ? AND product = ?", collection, product)


def _fits(state: State, product: Doc, rules: Doc) -> bool:
    each = (_rule(state, product, rule) for rule in rules["rules"])
    return any(each) if rules["appliedDisjunctively"] else all(each)


def _rule(state: State, product: Doc, rule: Doc) -> bool:
    values = [str(value).lower() for value in _column(state, product, rule["column"])]
    wanted = rule["condition"].lower()
    match rule["relation"]:
        case "EQUALS":
            return any(_same(value, wanted) for value in values)
        case "NOT_EQUALS":
            return not any(_same(value, wanted) for value in values)
        case "CONTAINS":
            return any(wanted in value for value in values)
        case "NOT_CONTAINS":
            return not any(wanted in value for value in values)
        case "STARTS_WITH":
            return any(value.startswith(wanted) for value in values)
        case "ENDS_WITH":
            return any(value.endswith(wanted) for value in values)
        case "GREATER_THAN":
            return any(Decimal(value) > Decimal(wanted) for value in values)
        case "LESS_THAN":
            return any(Decimal(value) < Decimal(wanted) for value in values)
        case "IS_SET":
            return bool(values)
    return not values


def _same(value: str, wanted: str) -> bool:
    try:
        return Decimal(value) == Decimal(wanted)
    except ArithmeticError:
        return value == wanted


def is_sound(rule: Doc) -> bool:
    """Return whether a rule that compares sizes compares a number with a number."""
    if rule["relation"] not in _SIZES:
        return True
    try:
        return rule["column"] in _NUMBERS and Decimal(rule["condition"]).is_finite()
    except ArithmeticError:
        return False


_SIZES = ("GREATER_THAN", "LESS_THAN")
_NUMBERS = ("VARIANT_PRICE", "VARIANT_COMPARE_AT_PRICE", "VARIANT_WEIGHT", "VARIANT_INVENTORY")


def _column(state: State, product: Doc, column: str) -> list[Any]:
    own = {"TITLE": "title", "TYPE": "productType", "VENDOR": "vendor"}
    if column in own:
        return [product[own[column]]]
    if column == "TAG":
        return list(product["tags"])
    if column.startswith("PRODUCT_CATEGORY_ID") or column == "PRODUCT_TAXONOMY_NODE_ID":
        return [product["category"]] if product["category"] else []
    variants = of_product(state, product)
    if column == "VARIANT_TITLE":
        return [title_of(each) for each in variants]
    if column == "VARIANT_PRICE":
        return [each["price"] for each in variants]
    if column in ("VARIANT_COMPARE_AT_PRICE", "IS_PRICE_REDUCED"):
        return [each["compareAtPrice"] for each in variants if each["compareAtPrice"]]
    if column == "VARIANT_INVENTORY":
        return [quantity_of(item_of(state, each)) for each in variants]
    if column == "VARIANT_WEIGHT":
        return [item_of(state, each)["weight"]["value"] for each in variants]
    return []
