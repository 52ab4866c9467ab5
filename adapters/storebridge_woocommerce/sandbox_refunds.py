"""Refunds and notes of orders."""

from __future__ import annotations

from decimal import Decimal

from storebridge_woocommerce.sandbox_call import Answer, Call, Given
from storebridge_woocommerce.sandbox_fields import set_meta
from storebridge_woocommerce.sandbox_lines import show_line
from storebridge_woocommerce.sandbox_lists import Where, by_ids, rows_of
from storebridge_woocommerce.sandbox_orders import add_note
from storebridge_woocommerce.sandbox_people import fixed
from storebridge_woocommerce.sandbox_records import Routes, linked, page
from storebridge_woocommerce.sandbox_state import Doc, Refusal, State
from storebridge_woocommerce.sandbox_text import flag, integer, plain

__all__ = ["routes"]

_READ = ["GET", "DELETE"]


def routes() -> Routes:
    """Return the endpoints."""
    notes, refunds = "/orders/(?P<order_id>[\\d]+)/notes", "/orders/(?P<order_id>[\\d]+)/refunds"
    return {
        notes: {"GET": _notes, "POST": _add_note},
        f"{notes}/(?P<id>[\\d]+)": {"GET": _note, "DELETE": _drop_note},
        refunds: {"GET": _refunds, "POST": _refund},
        f"{refunds}/(?P<id>[\\d]+)": {"GET": _shown_refund, "DELETE": _drop_refund},
        "/refunds": {"GET": _all_refunds},
        "/orders/(?P<id>[\\d]+)/receipt": {"POST": _receipt},
    }


def _order(call: Call) -> Doc:
    found = call.state.post("order", int(call.url["order_id"]))
    if found is None:
        raise Refusal("woocommerce_rest_order_invalid_id", "Invalid order ID.", 404)
    return found


def _link(call: Call, shown: Doc, number: int, kind: str) -> Doc:
    up = [{"href": f"{call.state.options['url']}/wp-json/wc/v3/orders/{number}"}]
    return linked(call.state, shown, f"/orders/{number}/{kind}", allow=_READ, up=up)


# ---------------------------------------------------------------------------------------- notes


def _note_doc(call: Call, note: Doc) -> Doc:
    shown = {
        "id": note["id"], "author": note["author"],
        "date_created": call.state.local(note["created"]), "date_created_gmt": note["created"],
        "note": note["note"], "customer_note": note["customer_note"],
    }  # fmt: skip
    return _link(call, shown, int(call.url["order_id"]), "notes")


def _notes(call: Call) -> Answer:
    order = _order(call)
    kind = {"customer": (True,), "internal": (False,)}.get(str(call["type"]), (True, False))
    rows = [one for one in call.state.things("note", order["id"]) if one["customer_note"] in kind]
    return Answer([_note_doc(call, one) for one in reversed(rows)])


def _add_note(call: Call) -> Answer:
    order = _order(call)
    text, told = plain(call["note"]), flag(call["customer_note"])
    shown = _note_doc(call, add_note(call.state, order["id"], text, customer_note=told))
    return Answer(shown, 201, {"location": shown["_links"]["self"][0]["href"]})


def _found_note(call: Call) -> Doc:
    _order(call)
    found = call.state.thing("note", int(call.url["id"]))
    if found is None:
        raise Refusal("woocommerce_rest_invalid_id", "Invalid resource ID.", 404)
    return found


def _note(call: Call) -> Answer:
    return Answer(_note_doc(call, _found_note(call)))


def _drop_note(call: Call) -> Answer:
    note = _found_note(call)
    if not call["force"]:
        # WooCommerce 11.0.1 really speaks of webhooks here.
        text = "Webhooks do not support trashing."
        raise Refusal("woocommerce_rest_trash_not_supported", text, 501)
    call.state.drop_thing("note", note["id"])
    return Answer(_note_doc(call, note))


# -------------------------------------------------------------------------------------- refunds


def _refund_doc(call: Call, row: Doc) -> Doc:
    state = call.state
    shown = {
        "id": row["id"], "date_created": state.local(row["created_gmt"]),
        "date_created_gmt": row["created_gmt"], "amount": fixed(state, row["amount"]),
        "reason": row["reason"], "refunded_by": 1, "refunded_payment": False,
        "meta_data": row["meta_data"],
        "line_items": [show_line(state, "line_items", one) for one in row["line_items"]],
        "shipping_lines": [], "tax_lines": [], "fee_lines": [],
    }  # fmt: skip
    return _link(call, shown, row["parent_id"], "refunds")


def _refunds(call: Call) -> Answer:
    rows, total = rows_of(call, Where("kind = 'refund' AND parent = ?", _order(call)["id"]))
    return page(call, [_refund_doc(call, row) for row in rows], total)


def _all_refunds(call: Call) -> Answer:
    where = Where("kind = 'refund'")
    by_ids(call, where)
    rows, total = rows_of(call, where)
    shown = [{**_refund_doc(call, row), "parent_id": row["parent_id"]} for row in rows]
    return page(call, shown, total)


def _refund(call: Call) -> Answer:
    """Refund an amount; WooCommerce 11.0.1 answers 500 with the number 500 as `data`."""
    state, order = call.state, _order(call)
    amount = Decimal(fixed(state, call["amount"]))
    rows = state.posts("kind = 'refund' AND parent = ?", order["id"])
    left = Decimal(order["total"]) - sum((Decimal(row["amount"]) for row in rows), Decimal(0))
    if amount <= 0 or amount > left:
        raise _failed("Invalid refund amount.")
    if call["api_refund"] is not False:
        text = "The payment gateway for this order does not support automatic refunds."
        raise _failed(text)
    items = call["line_items"] if isinstance(call["line_items"], list) else []
    kind = "full" if amount == left and not rows else "partial"
    row = state.new_post(
        "refund", parent_id=order["id"], amount=str(amount), reason=plain(call["reason"]),
        line_items=_returned(state, order, items, restock=call["restock_items"] is not False),
        meta_data=[{"id": state.number("order_meta"), "key": "_refund_type", "value": kind}],
    )  # fmt: skip
    set_meta(state, row, Given(call.params), numbers="order_meta")
    state.save_post(row)
    state.save_post(order)
    url = f"{state.options['url']}/wp-json/wc/v3/orders/(?P<order_id>[\\d]+)/refunds/{row['id']}"
    return Answer(_refund_doc(call, row), 201, {"location": url})


def _failed(text: str) -> Refusal:
    refusal = Refusal("woocommerce_rest_cannot_create_order_refund", text, 500)
    refusal.data = 500
    return refusal


def _returned(state: State, order: Doc, items: list[Doc], *, restock: bool) -> list[Doc]:
    """Return the lines of goods that come back, with negative amounts."""
    made = []
    for one in items:
        line = next((li for li in order["line_items"] if li["id"] == integer(one.get("id"))), None)
        if line is None:
            continue
        count, off = (
            integer(one.get("quantity")),
            f"-{Decimal(plain(one.get('refund_total') or 0))}",
        )
        meta = {
            "id": state.number("item_meta"),
            "key": "_refunded_item_id",
            "value": str(line["id"]),
        }
        made.append({**line, "id": state.number("items"), "quantity": -count, "subtotal": off,
                     "total": off, "meta_data": [meta]})  # fmt: skip
        if restock and count:
            _restock(state, line, count)
    return made


def _restock(state: State, line: Doc, count: int) -> None:
    post = state.post("product|variation", line["variation_id"] or line["product_id"])
    row = next((one for one in line["meta_data"] if one["key"] == "_reduced_stock"), None)
    if post is None or row is None or not post["manage_stock"]:
        return
    post["stock_quantity"] += count
    post["stock_status"] = "instock" if post["stock_quantity"] > 0 else post["stock_status"]
    state.save_post(post)
    row["value"] = str(integer(row["value"]) - count)
    meta = {"id": state.number("item_meta"), "key": "_restock_refunded_items", "value": str(count)}
    line["meta_data"].append(meta)


def _found_refund(call: Call) -> Doc:
    _order(call)
    found = call.state.post("refund", int(call.url["id"]))
    if found is None:
        raise Refusal("woocommerce_rest_invalid_order_refund_id", "Invalid order refund ID.", 404)
    return found


def _shown_refund(call: Call) -> Answer:
    return Answer(_refund_doc(call, _found_refund(call)))


def _drop_refund(call: Call) -> Answer:
    row = _found_refund(call)
    if not call["force"]:
        text = "The order_refund does not support trashing."
        raise Refusal("woocommerce_rest_trash_not_supported", text, 501)
    call.state.drop_post(row["id"])
    return Answer(_refund_doc(call, row))


def _receipt(call: Call) -> Answer:
    raise Refusal("woocommerce_rest_cannot_create", "Sorry, you cannot create resources.", 403)
