"""Orders: their lines, totals, statuses and what they do to stock."""

from __future__ import annotations

import html
import secrets
from collections.abc import Callable
from typing import Any

from storebridge_woocommerce.sandbox_call import Answer, Call, Given
from storebridge_woocommerce.sandbox_fields import set_meta
from storebridge_woocommerce.sandbox_lines import (
    LINES,
    apply_coupons,
    count_up,
    set_lines,
    show_line,
)
from storebridge_woocommerce.sandbox_lists import Where, by_ids, dated, rows_of, words_in
from storebridge_woocommerce.sandbox_people import fixed
from storebridge_woocommerce.sandbox_records import Resource, linked, page
from storebridge_woocommerce.sandbox_schema import elements
from storebridge_woocommerce.sandbox_settings import STATUSES
from storebridge_woocommerce.sandbox_shop import currency_of
from storebridge_woocommerce.sandbox_state import Doc, Refusal, State
from storebridge_woocommerce.sandbox_text import flag, integer, plain
from storebridge_woocommerce.sandbox_webhooks import happened

__all__ = ["Orders", "add_note", "move_stock"]

_ADDRESS = ("first_name", "last_name", "company", "address_1", "address_2", "city", "state",
            "postcode", "country")  # fmt: skip
_TOTALS = ("discount_total", "discount_tax", "shipping_total", "shipping_tax", "cart_tax", "total",
           "total_tax")  # fmt: skip
_PLAIN = (
    "payment_method", "payment_method_title", "transaction_id", "customer_note", "created_via",
    "currency",
)  # fmt: skip
#: Statuses in which an order's goods are out of stock.
_TAKEN = ("processing", "completed", "on-hold")
_HIDDEN = ("trash", "checkout-draft", "auto-draft")


class Orders(Resource):
    """`/orders`."""

    route = "/orders"

    def index(self, call: Call) -> Answer:
        """Return a page of orders; "any" leaves out the trash and drafts of the checkout."""
        where = Where("kind = 'order'")
        statuses = call["status"] or ["any"]
        statuses = [statuses] if isinstance(statuses, str) else statuses
        anything = "any" in statuses
        where.among("status", _HIDDEN if anything else statuses, but=anything)
        by_ids(call, where)
        dated(call, where)
        for name, path in (("customer", "customer_id"), ("created_via", "created_via"),
                           ("currency", "currency")):  # fmt: skip
            if call[name] not in (None, []):
                wanted = (
                    elements(call[name]) if isinstance(call[name], str | list) else [call[name]]
                )
                where.among(f"json_extract(doc, '$.{path}')", wanted)
        if call["product"]:
            sql = "EXISTS (SELECT 1 FROM json_each(doc, '$.line_items') WHERE "
            where.add(sql + "json_extract(value, '$.product_id') = ?)", call["product"])
        if call["search"]:
            parts = ("json_extract(doc, '$.billing')", "json_extract(doc, '$.shipping')",
                     "json_extract(doc, '$.line_items')")  # fmt: skip
            words_in(where, str(call["search"]), *parts)
        rows, total = rows_of(call, where)
        return page(call, [self._shown(call, row, call.fields) for row in rows], total)

    def show(self, call: Call, number: int) -> Doc:
        """Return one order; one in the trash too."""
        return self._shown(call, self._found(call, number, 404), call.fields)

    def create(self, call: Call, given: Given) -> Doc:
        """Make an order; a wrong coupon is refused, and leaves a draft."""
        state = call.state
        if given.values.get("id"):
            text = "Cannot create existing shop_order."
            raise Refusal("woocommerce_rest_shop_order_exists", text)
        order = _blank(state)
        self._set(state, order, given)
        order = state.new_post(**order)
        coupons = given.docs("coupon_lines")
        wrong = next((one for one in coupons if not _coupon(state, one)), None)
        if wrong is not None:
            raise _bad_coupon(state, order, wrong)
        if coupons:
            apply_coupons(state, order, [plain(one.get("code")).lower() for one in coupons])
        count_up(state, order)
        wanted = plain(given["status"]) or "pending"
        state.save_post(order)
        if wanted != order["status"]:
            change_status(state, order, wanted)
        if flag(given["set_paid"]):
            self._pay(state, order)
        state.save_post(order)
        happened(state, "order.created", order["id"])
        return self._shown(call, order, given.fields)

    def update(self, call: Call, number: int | None, given: Given) -> Doc:
        """Change an order: lines by id, a line whose name is null goes."""
        state = call.state
        order = self._found(call, number or 0, 400)
        self._set(state, order, given)
        if any(name in given for name in LINES):
            count_up(state, order)
            if order.get("reduced"):
                for line in order["line_items"]:
                    settle_line(state, order, line)
        if "status" in given:
            change_status(state, order, plain(given["status"]))
        if flag(given["set_paid"]):
            self._pay(state, order)
        state.touch(order)
        state.save_post(order)
        happened(state, "order.updated", order["id"])
        return self._shown(call, order, given.fields)

    def delete(self, call: Call, number: int, *, force: bool) -> Doc:
        """Trash or delete an order."""
        state, order = call.state, self._found(call, number, 404)
        shown = self._shown(call, order, call.fields)
        if force:
            state.drop_post(number)
        elif order["status"] == "trash":
            text = "The shop_order has already been deleted."
            raise Refusal("woocommerce_rest_already_trashed", text, 410)
        else:
            order["status"] = "trash"
            state.touch(order)
            state.save_post(order)
        happened(state, "order.deleted", number)
        return shown

    # ----------------------------------------------------------------------------------- parts

    def _found(self, call: Call, number: int, status: int) -> Doc:
        found = call.state.post("order", number)
        if found is None:
            text = "Invalid ID." if status == 404 else "ID is invalid."
            raise Refusal("woocommerce_rest_shop_order_invalid_id", text, status)
        return found

    def _set(self, state: State, order: Doc, given: Given) -> None:
        for name in _PLAIN:
            if name in given:
                order[name] = plain(given[name])
        if "customer_id" in given:
            number = integer(given["customer_id"])
            if number and state.thing("user", number) is None:
                text = "Customer ID is invalid."
                raise Refusal("woocommerce_rest_invalid_customer_id", text)
            # WooCommerce 11.0.1: 0 is a guest; other fields of the order aren't filled from it.
            order["customer_id"] = number
        if "parent_id" in given:
            order["parent_id"] = integer(given["parent_id"])
        for name in ("billing", "shipping"):
            sent = given[name] if isinstance(given[name], dict) else {}
            order[name].update((k, plain(v)) for k, v in sent.items() if k in order[name])
        for name in LINES:
            if name in given:
                set_lines(state, order, name, given.docs(name))
        set_meta(state, order, given, numbers="order_meta")

    def _pay(self, state: State, order: Doc) -> None:
        if not order["date_paid"]:
            change_status(state, order, "processing")
            order["date_paid"] = state.now()

    def _shown(self, call: Call, order: Doc, fields: tuple[str, ...] | None) -> Doc:
        state = call.state
        shown = _raw(order)
        extra = _extra(state, order)
        for name, show in _FORMATTED.items():
            if fields is None or name in fields:
                shown[name] = show(state, order)
        shown |= {name: show() for name, show in extra.items() if fields is None or name in fields}
        shown["currency_symbol"] = html.unescape(currency_of(order["currency"])["symbol"])
        base = f"{state.options['url']}/wp-json/wc/v3"
        mails = f"{base}/orders/{order['id']}/actions/email_templates"
        more: Doc = {"email_templates": [{"embeddable": True, "href": mails}]}
        if order["customer_id"]:
            more["customer"] = [{"href": f"{base}/customers/{order['customer_id']}"}]
        return linked(state, shown, self.route, **more)


def _blank(state: State) -> Doc:
    address = dict.fromkeys(_ADDRESS, "")
    return {
        "kind": "order", "status": "pending", "currency": state.options["woocommerce_currency"],
        "billing": {**address, "email": "", "phone": ""}, "shipping": {**address, "phone": ""},
        "customer_id": 0, "order_key": f"wc_order_{secrets.token_hex(7)}", "payment_method": "",
        "payment_method_title": "", "transaction_id": "", "created_via": "rest-api",
        "customer_note": "", "date_completed": None, "date_paid": None, "meta_data": [],
        **dict.fromkeys(_TOTALS, "0"), **{name: [] for name in LINES}, "coupon_lines": [],
    }  # fmt: skip


def _coupon(state: State, line: Doc) -> Any:
    sql = "SELECT id FROM posts WHERE kind = 'coupon' AND title = ? AND status = 'publish'"
    return state.one(sql, plain(line.get("code")).lower())


def _bad_coupon(state: State, order: Doc, line: Doc) -> Refusal:
    """Keep the order as a draft and return the refusal that names it."""
    order["status"] = "checkout-draft"
    state.save_post(order)
    code = html.escape(plain(line.get("code")))
    text = f"Coupon &quot;{code}&quot; cannot be applied because it does not exist."
    return Refusal("woocommerce_rest_invalid_coupon", text, new_draft_order_id=order["id"])


def change_status(state: State, order: Doc, status: str) -> None:
    """Set an order's status with what follows: dates, stock, a note."""
    before = order["status"]
    if status == before:
        return
    order["status"] = status
    if status in ("processing", "completed") and not order["date_paid"]:
        order["date_paid"] = state.now()
    if status == "completed":
        order["date_completed"] = state.now()
    move_stock(state, order)
    names = [STATUSES.get(one, one) for one in (before, status)]
    add_note(state, order["id"], f"Order status changed from {names[0]} to {names[1]}.")


def move_stock(state: State, order: Doc) -> None:
    """Take what an order needs out of stock, once, or put it back."""
    taken, back = order["status"] in _TAKEN, order["status"] in ("cancelled", "pending")
    if not ((taken and not order.get("reduced")) or (back and order.get("reduced"))):
        return
    order["reduced"] = taken
    for line in order["line_items"]:
        settle_line(state, order, line, taken=taken)


def settle_line(state: State, order: Doc, line: Doc, *, taken: bool = True) -> None:
    """Let stock follow a line's quantity."""
    post = state.post("product|variation", line["variation_id"] or line["product_id"])
    if post is None:
        return
    row = next((one for one in line["meta_data"] if one["key"] == "_reduced_stock"), None)
    before = integer(row["value"]) if row else 0
    change = (line["quantity"] if taken else 0) - before
    post["total_sales"] += change if change > 0 and not before else 0
    if post["manage_stock"] and change:
        _adjust(state, order, post, change)
        if row is None:
            row = {"id": state.number("item_meta"), "key": "_reduced_stock", "value": ""}
            line["meta_data"].append(row)
        row["value"] = str(before + change)
    state.save_post(post)


def _adjust(state: State, order: Doc, post: Doc, change: int) -> None:
    before = post["stock_quantity"] or 0
    post["stock_quantity"] = before - change
    short = "outofstock" if post["backorders"] == "no" else "onbackorder"
    post["stock_status"] = "instock" if before - change > 0 else short
    words = f"{post['name']} ({before}&rarr;{before - change})"
    add_note(state, order["id"], f"Adjusted stock: {words}", author="admin")


def add_note(state: State, order_id: int, text: str, **more: Any) -> Doc:
    """Keep a note on an order and return it."""
    note = {"id": state.number("comments"), "author": "WooCommerce", "created": state.now(),
            "note": text, "customer_note": False, **more}  # fmt: skip
    state.save_thing("note", note, parent=order_id)
    return note


# ---------------------------------------------------------------------------------------- shown


def _raw(order: Doc) -> Doc:
    """Return what an order keeps, as the server shows it unformatted.

    WooCommerce 11.0.1: with any `_fields` a batch answers created orders so, dates as objects.
    """
    shown: Doc = {"id": order["id"], "parent_id": order["parent_id"], "status": order["status"],
                  "currency": order["currency"], "version": "11.0.1",
                  "prices_include_tax": False}  # fmt: skip
    for name in ("created", "modified"):
        shown[f"date_{name}"] = _object(order[f"{name}_gmt"])
    shown |= {name: order[name] for name in _TOTALS}
    names = ("customer_id", "order_key", "billing", "shipping", "payment_method",
             "payment_method_title", "transaction_id")  # fmt: skip
    shown |= {name: order[name] for name in names}
    shown |= {"customer_ip_address": "", "customer_user_agent": ""}
    shown |= {name: order[name] for name in ("created_via", "customer_note")}
    shown |= {f"date_{name}": _object(order[f"date_{name}"]) for name in ("completed", "paid")}
    return {**shown, "cart_hash": "", "number": str(order["id"])}


def _object(time: str | None) -> Doc | None:
    if time is None:
        return None
    return {"date": f"{time.replace('T', ' ')}.000000", "timezone_type": 3, "timezone": "UTC"}


def _amount(name: str) -> Callable[[State, Doc], Any]:
    return lambda state, order: fixed(state, order[name])


def _date(name: str, *, gmt: bool = False) -> Callable[[State, Doc], Any]:
    return lambda state, order: order[name] if gmt else state.local(order[name])


_DATES = {
    "date_created": "created_gmt", "date_modified": "modified_gmt",
    "date_completed": "date_completed", "date_paid": "date_paid",
}  # fmt: skip
_FORMATTED: dict[str, Callable[[State, Doc], Any]] = {
    **{name: _amount(name) for name in _TOTALS},
    **{name: _date(column) for name, column in _DATES.items()},
    **{f"{name}_gmt": _date(column, gmt=True) for name, column in _DATES.items()},
    "meta_data": lambda state, order: order["meta_data"],
}


def _extra(state: State, order: Doc) -> dict[str, Callable[[], Any]]:
    """Return what is worked out for an order, by field."""
    pay = (
        f"{state.options['url']}/checkout/order-pay/{order['id']}/?pay_for_order=true"
        f"&key={order['order_key']}"
    )
    lines = {
        name: (lambda name=name: [show_line(state, name, one) for one in order[name]])
        for name in (*LINES, "coupon_lines")
    }
    return {
        **lines,
        "tax_lines": list,
        "refunds": lambda: _refunds(state, order),
        "payment_url": lambda: pay,
        "is_editable": lambda: order["status"] in ("pending", "on-hold", "auto-draft"),
        "needs_payment": lambda: (
            order["status"] in ("pending", "failed") and float(order["total"]) > 0
        ),
        "needs_processing": lambda: any(one["product_id"] for one in order["line_items"]),
    }


def _refunds(state: State, order: Doc) -> list[Doc]:
    rows = state.posts("kind = 'refund' AND parent = ? ORDER BY id", order["id"])
    return [
        {"id": row["id"], "reason": row["reason"], "total": f"-{fixed(state, row['amount'])}",
         "total_tax": "0.00"} for row in rows
    ]  # fmt: skip
