"""The lines of an order: goods, shipping, fees, coupons, and what they come to."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from storebridge_woocommerce.sandbox_call import Given
from storebridge_woocommerce.sandbox_fields import set_meta
from storebridge_woocommerce.sandbox_media import show_image
from storebridge_woocommerce.sandbox_people import fixed
from storebridge_woocommerce.sandbox_state import Doc, Refusal, State
from storebridge_woocommerce.sandbox_text import decimal, integer, plain

__all__ = ["LINES", "apply_coupons", "count_up", "set_lines", "show_line"]

LINES = ("line_items", "shipping_lines", "fee_lines")
#: A line is removed by null in any of these.
_NAMES = ("product_id", "method_id", "method_title", "name", "code")


def set_lines(state: State, order: Doc, kind: str, sent: list[Doc]) -> None:
    """Change lines by id, add those without one, remove those whose name is null."""
    lines: list[Doc] = order[kind]
    for one in sent:
        number = integer(one.get("id"))
        line = next((line for line in lines if line["id"] == number), None)
        if number and line is None:
            text = "Order item ID provided is not associated with order."
            raise Refusal("woocommerce_rest_invalid_item_id", text)
        if line is not None and (
            any(one.get(name, "") is None for name in _NAMES) or one.get("quantity") == 0
        ):
            lines.remove(line)
            continue
        if line is None:
            line = {"name": "", "total": "0", "meta_data": []}
            if kind == "line_items":
                _new_item(state, line, one)
            line["id"] = state.number("items")
            lines.append(line)
        _set_line(state, line, kind, one)


def _new_item(state: State, line: Doc, one: Doc) -> None:
    """Fill a line from its product; WooCommerce 11.0.1 takes an unknown one for an empty line."""
    number = integer(one.get("variation_id")) or integer(one.get("product_id"))
    if not number and not one.get("sku"):
        text = "Product ID or SKU is required."
        raise Refusal("woocommerce_rest_required_product_reference", text)
    if not number:
        sql = "SELECT id FROM posts WHERE sku = ? AND kind IN ('product', 'variation')"
        number = state.one(sql, plain(one["sku"])) or 0
    post = state.post("product|variation", number)
    line.update(product_id=0, variation_id=0, quantity=1, tax_class="", subtotal="0")
    if post is None:
        return
    parent = state.post("product", post["parent_id"]) if post["kind"] == "variation" else None
    line["name"] = parent["name"] if parent else post["name"]
    line["product_id"] = parent["id"] if parent else post["id"]
    line["variation_id"] = post["id"] if parent else 0
    line["quantity"] = integer(one.get("quantity", 1))
    price = Decimal(post["price"] or "0")
    line["subtotal"] = line["total"] = str(price * line["quantity"])


def _set_line(state: State, line: Doc, kind: str, one: Doc) -> None:
    separator = state.options["woocommerce_price_decimal_sep"]
    for name in ("name", "method_id", "method_title", "instance_id", "tax_class", "tax_status"):
        if one.get(name) is not None:
            line[name] = plain(one[name])
    for name in ("subtotal", "total", "amount"):
        if one.get(name) is not None:
            line[name] = decimal(one[name], separator)
    if kind == "line_items" and one.get("quantity") is not None:
        # WooCommerce 11.0.1: a new quantity alone keeps the old totals.
        line["quantity"] = integer(one["quantity"])
    set_meta(state, line, Given(one), numbers="item_meta")


def apply_coupons(state: State, order: Doc, codes: list[str]) -> None:
    """Take percentages or amounts off the lines of goods."""
    for code in codes:
        sql = "kind = 'coupon' AND title = ? AND status = 'publish'"
        coupon = state.posts(sql, code)[0]
        whole = sum((Decimal(line["total"]) for line in order["line_items"]), Decimal(0))
        off = Decimal(0)
        for line in order["line_items"]:
            share = _share(coupon, line, whole)
            line["total"] = str(Decimal(line["total"]) - share)
            off += share
        order["coupon_lines"].append(
            {"id": state.number("items"), "code": code, "discount": str(off), "meta_data": []}
        )


def _share(coupon: Doc, line: Doc, whole: Decimal) -> Decimal:
    amount, total = Decimal(coupon["amount"]), Decimal(line["total"])
    if coupon["discount_type"] == "percent":
        share = total * amount / 100
    elif coupon["discount_type"] == "fixed_product":
        share = amount * line["quantity"]
    else:
        share = amount * total / whole if whole else Decimal(0)
    return min(share, total).quantize(Decimal("0.01"), ROUND_HALF_UP)


def count_up(state: State, order: Doc) -> None:
    """Add up an order's totals."""

    def summed(kind: str, name: str = "total") -> Decimal:
        return sum((Decimal(line[name] or "0") for line in order[kind]), Decimal(0))

    goods, shipping = summed("line_items"), summed("shipping_lines")
    order["discount_total"] = str(summed("line_items", "subtotal") - goods)
    order["shipping_total"] = str(shipping)
    order["total"] = fixed(state, str(goods + shipping + summed("fee_lines")))
    if not order["shipping_lines"] and not goods:
        order["total"] = fixed(state, order["total"])
    for name in ("discount_total", "shipping_total"):
        if Decimal(order[name]) == 0:
            order[name] = "0"


def show_line(state: State, kind: str, line: Doc) -> Doc:
    """Return a line as the API shows it."""
    amounts = {"total": fixed(state, line.get("total")), "total_tax": "0.00", "taxes": []}
    if kind == "line_items":
        return _item(state, line)
    if kind == "shipping_lines":
        names = ("method_title", "method_id", "instance_id")
        shown = {"id": line["id"], **{name: line.get(name, "") for name in names}}
        tax = {"tax_status": line.get("tax_status", "taxable")}
        return {**shown, **amounts, **tax, "meta_data": _meta(line)}
    if kind == "coupon_lines":
        shown = {"id": line["id"], "code": line["code"], "discount": fixed(state, line["discount"])}
        return {**shown, "discount_tax": "0.00", "meta_data": _meta(line)}
    shown = {"id": line["id"], "name": line["name"], "tax_class": line.get("tax_class", "")}
    tax = {"tax_status": line.get("tax_status", "taxable"), "amount": line.get("amount", "")}
    return {**shown, **tax, **amounts, "meta_data": _meta(line)}


def _item(state: State, line: Doc) -> Doc:
    post = state.post("product|variation", line["variation_id"] or line["product_id"])
    parent = state.post("product", post["parent_id"]) if post and post["parent_id"] else None
    names = ("id", "name", "product_id", "variation_id", "quantity", "tax_class")
    shown = {name: line[name] for name in names}
    shown |= {"subtotal": fixed(state, line["subtotal"]), "subtotal_tax": "0.00"}
    shown |= {"total": fixed(state, line["total"]), "total_tax": "0.00", "taxes": []}
    shown["meta_data"] = _meta(line)
    shown["sku"] = post["sku"] if post else None
    shown["global_unique_id"] = post["global_unique_id"] if post else None
    # WooCommerce 11.0.1: the price of one is the only amount that is a number.
    price = float(line["total"]) / line["quantity"] if line["quantity"] else 0.0
    shown["price"] = int(price) if price.is_integer() else price
    shown["image"] = _picture(state, post)
    return {**shown, "parent_name": parent["name"] if parent else None}


def _picture(state: State, post: Doc | None) -> Doc:
    if post is None:
        return {"id": 0, "src": ""}
    found = show_image(state, post["image_ids"][0], short=True) if post["image_ids"] else None
    return {"id": str(found["id"]), "src": found["src"]} if found else {"id": "", "src": ""}


def _meta(line: Doc) -> list[Any]:
    return [
        {**row, "display_key": row["key"], "display_value": row["value"]}
        for row in line["meta_data"]
    ]
