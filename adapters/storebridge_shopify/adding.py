"""New variants that calls of their own add, where productSet can't take all values of an option.

The lists of an input have 250 elements at most (usage/limits), those of an option's values too.
productSet wants each value that a variant has among them; productVariantsBulkCreate makes those
that are new (recorded).
"""

from __future__ import annotations

from typing import Any

from storebridge.adapter import Change
from storebridge.flow import Flow, RequestKind
from storebridge_shopify.graphql import Doc
from storebridge_shopify.records import mutate

__all__ = ["add_variants", "is_whole", "parted"]

#: The most values of an option in an input, and the most variants of a call.
_MOST = 250


def is_whole(body: Doc) -> bool:
    """Return whether an input of productSet has room for all values of its options."""
    return all(len(each["values"]) <= _MOST for each in body.get("productOptions", ()))


def parted(body: Doc) -> tuple[Doc, list[Doc]]:
    """Return an input of productSet that fits, and the new variants that come after it."""
    if is_whole(body):
        return body, []
    options = [{**each, "values": each["values"][:_MOST]} for each in body["productOptions"]]
    held = {each["name"]: {value["name"] for value in each["values"]} for each in options}
    first: list[Doc] = []
    rest: list[Doc] = []
    for row in body["variants"]:
        fits = all(each["name"] in held[each["optionName"]] for each in row["optionValues"])
        (first if fits else rest).append(row)
    return {**body, "productOptions": options, "variants": first}, rest


def add_variants(change: Change[Any], product: str, rows: list[Doc]) -> Flow[None]:
    """Add new variants to a product.

    Args:
        change: what they are added for.
        product: its id.
        rows: the variants as productSet takes them.
    """
    for start in range(0, len(rows), _MOST):
        made = [_row(each) for each in rows[start : start + _MOST]]
        variables = {"productId": product, "variants": made}
        root, kind = "productVariantsBulkCreate", RequestKind.CREATE
        yield from mutate("variants_create", root, variables, change, kind)


def _row(row: Doc) -> Doc:
    """Return a variant as productVariantsBulkCreate takes it, which has SKU and stock elsewhere."""
    found = {name: value for name, value in row.items() if name not in _MOVED}
    if "sku" in row:
        found["inventoryItem"] = {**found.get("inventoryItem", {}), "sku": row["sku"]}
    if "inventoryQuantities" in row:
        found["inventoryQuantities"] = [
            {"locationId": each["locationId"], "availableQuantity": each["quantity"]}
            for each in row["inventoryQuantities"]
        ]
    return found


_MOVED = frozenset({"sku", "inventoryQuantities"})
