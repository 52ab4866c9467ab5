"""Settings, system status, currencies, countries, gateways, reports: what a shop says of itself."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from storebridge_woocommerce.sandbox_call import Answer, Call
from storebridge_woocommerce.sandbox_records import Endpoint, Routes, linked
from storebridge_woocommerce.sandbox_shop import PLUGINS, currency_of, recorded
from storebridge_woocommerce.sandbox_state import Doc, Refusal, State
from storebridge_woocommerce.sandbox_text import plain

__all__ = ["STATUSES", "routes"]

#: Order statuses as WooCommerce names them.
STATUSES = {
    "pending": "Pending payment", "processing": "Processing", "on-hold": "On hold",
    "completed": "Completed", "cancelled": "Cancelled", "refunded": "Refunded",
    "failed": "Failed", "checkout-draft": "Draft",
}  # fmt: skip
_WRITES = ("GET", "POST", "PUT", "PATCH")
_READ = {"targetHints": {"allow": list(_WRITES)}}
_ONLY_READ = {"targetHints": {"allow": ["GET"]}}


def routes() -> Routes:
    """Return the endpoints."""
    group, item = (
        "/settings/(?P<group_id>[\\w-]+)",
        "/settings/(?P<group_id>[\\w-]+)/(?P<id>[\\w-]+)",
    )
    return {
        "/settings": {"GET": _groups},
        group: {"GET": _group},
        f"{group}/batch": dict.fromkeys(("POST", "PUT", "PATCH"), _batch),
        item: {"GET": _setting, **dict.fromkeys(("POST", "PUT", "PATCH"), _set)},
        "/system_status": {"GET": _system_status},
        "/system_status/tools": {"GET": _tools},
        "/system_status/tools/(?P<id>[\\w-]+)": dict.fromkeys(("POST", "PUT", "PATCH"), _tool),
        "/data/currencies": {"GET": lambda call: Answer(list(map(currency_of, _codes())))},
        "/data/currencies/current": {"GET": _current},
        "/data/countries/(?P<location>[\\w-]+)": {"GET": _country},
        "/payment_gateways": {"GET": _listed("gateways", "payment_gateways", *_WRITES)},
        "/shipping_methods": {"GET": _listed("shipping_methods", "shipping_methods", "GET")},
        "/reports": {"GET": _reports},
        "/reports/sales": {"GET": _sales},
        "/reports/top_sellers": {"GET": lambda call: Answer([])},
        "/reports/orders/totals": {"GET": _order_totals},
        "/reports/products/totals": {"GET": _product_totals},
        "/orders/statuses": {"GET": _order_statuses},
    }


def _groups(call: Call) -> Answer:
    url = f"{call.state.options['url']}/wp-json/wc/v3/settings"
    return Answer(
        [{**one, "_links": {"options": [{"href": f"{url}/{one['id']}"}]}}
         for one in recorded()["groups"]]
    )  # fmt: skip


def _found(call: Call) -> list[Doc]:
    group = call.url["group_id"]
    if not any(one["id"] == group for one in recorded()["groups"]):
        raise Refusal("rest_setting_setting_group_invalid", "Invalid setting group.", 404)
    options = call.state.options
    rows = [_with_options(one) for one in recorded()["settings"].get(group, [])]
    return [{**one, "value": options.get(one["id"], one["value"])} for one in rows]


def _with_options(row: Doc) -> Doc:
    if row["id"] != "woocommerce_currency":
        return row
    order = ("id", "label", "description", "type", "default", "options", "tip", "value")
    full = {**row, "options": recorded()["currencies"]}
    return {name: full[name] for name in order}


def _shown(call: Call, row: Doc) -> Doc:
    base = f"{call.state.options['url']}/wp-json/wc/v3/settings/{call.url['group_id']}"
    links = {"self": [{"href": f"{base}/{row['id']}", **_READ}], "collection": [{"href": base}]}
    return {**row, "_links": links}


def _group(call: Call) -> Answer:
    return Answer([_shown(call, row) for row in _found(call)])


def _one(call: Call, name: str) -> Doc:
    row = next((one for one in _found(call) if one["id"] == name), None)
    if row is None:
        raise Refusal("rest_setting_setting_invalid", "Invalid setting.", 404)
    return {**row, "group_id": call.url["group_id"]}


def _setting(call: Call) -> Answer:
    return Answer(_shown(call, _one(call, call.url["id"])))


def _change(call: Call, name: str, value: Any) -> Doc:
    row = _one(call, name)
    allowed = row.get("options")
    if allowed and value not in allowed:
        raise Refusal("rest_setting_value_invalid", "An invalid setting value was passed.")
    call.state.options[name] = plain(value)
    return _shown(call, {**row, "value": plain(value)})


def _set(call: Call) -> Answer:
    return Answer(_change(call, call.url["id"], call["value"]))


def _batch(call: Call) -> Answer:
    said = []
    for item in call["update"] or []:
        try:
            said.append(_change(call, plain(item.get("id")), item.get("value")))
        except Refusal as refusal:
            said.append({"id": item.get("id"), "error": refusal.doc})
    return Answer({"update": said} if said else [])


def _system_status(call: Call) -> Answer:
    options = call.state.options
    found = recorded()["system_status"]
    url, version = options["url"], options["version"]
    environment = {**found["environment"], "home_url": url, "site_url": url, "version": version}
    if "store_id" in options:  # a state of before has that of the recording
        environment["store_id"] = options["store_id"]
    settings = {
        **found["settings"],
        "currency": options["woocommerce_currency"],
        "currency_symbol": currency_of(options["woocommerce_currency"])["symbol"],
        "thousand_separator": options["woocommerce_price_thousand_sep"],
        "decimal_separator": options["woocommerce_price_decimal_sep"],
        "number_of_decimals": int(options["woocommerce_price_num_decimals"] or 0),
    }
    plugins = [{**found["active_plugins"][0], "version": version}]
    for word in options["plugins"]:
        file, name, number = PLUGINS[word]
        plugins.append({**plugins[0], "plugin": file, "name": name, "version": number,
                        "version_latest": number})  # fmt: skip
    return Answer({"environment": environment, "settings": settings, "active_plugins": plugins})


def _listed(name: str, path: str, *allowed: str) -> Endpoint:
    def index(call: Call) -> Answer:
        rows = _with_url(recorded()[name], call.state)
        shown = [linked(call.state, dict(row), f"/{path}", allow=list(allowed)) for row in rows]
        return Answer(shown, headers=_counted(rows))

    return index


def _tools(call: Call) -> Answer:
    return Answer([_tool_doc(call, row) for row in recorded()["tools"]])


def _tool_doc(call: Call, row: Doc) -> Doc:
    row = _with_url(row, call.state)
    url = f"{call.state.options['url']}/wp-json/wc/v3/system_status/tools/{row['id']}"
    return {**row, "_links": {"item": [{"embeddable": True, "href": url}]}}


def _with_url(value: Any, state: State) -> Any:
    if isinstance(value, dict):
        return {name: _with_url(one, state) for name, one in value.items()}
    if isinstance(value, list):
        return [_with_url(one, state) for one in value]
    return value.replace("{url}", state.options["url"]) if isinstance(value, str) else value


def _counted(rows: list[Any]) -> dict[str, str]:
    return {"x-wp-total": str(len(rows)), "x-wp-totalpages": "1"}


def _tool(call: Call) -> Answer:
    found = next((one for one in recorded()["tools"] if one["id"] == call.url["id"]), None)
    if found is None:
        raise Refusal("woocommerce_rest_system_status_tool_invalid_id", "Invalid tool ID.", 404)
    shown = {**found, "success": True, "message": "Product transients cleared"}
    return Answer(_tool_doc(call, shown))


def _codes() -> list[str]:
    return list(recorded()["currencies"])


def _current(call: Call) -> Answer:
    code = call.state.options["woocommerce_currency"]
    return Answer(_data(call, currency_of(code), "currencies", code))


def _data(call: Call, shown: Doc, kind: str, name: str) -> Doc:
    base = f"{call.state.options['url']}/wp-json/wc/v3/data/{kind}"
    links = {"self": [{"href": f"{base}/{name}", **_ONLY_READ}], "collection": [{"href": base}]}
    return {**shown, "_links": links}


def _country(call: Call) -> Answer:
    code = str(call.url["location"]).upper()
    found = next((one for one in recorded()["countries"] if one["code"] == code), None)
    if found is None:
        text = "There are no locations matching these parameters."
        raise Refusal("woocommerce_rest_data_invalid_location", text, 404)
    return Answer(_data(call, found, "countries", call.url["location"]))


def _reports(call: Call) -> Answer:
    base = f"{call.state.options['url']}/wp-json/wc/v3/reports"
    return Answer(
        [{**one, "_links": {"self": [_report_link(base, place, one["slug"])],
                            "collection": [{"href": base}]}}
         for place, one in enumerate(recorded()["reports"])]
    )  # fmt: skip


def _report_link(base: str, place: int, slug: str) -> Doc:
    # WooCommerce 11.0.1: the last three reports have a link, and no route behind it.
    return {"href": f"{base}/{slug}", **(_ONLY_READ if place < 7 else {})}


def _sales(call: Call) -> Answer:
    """Return the sales report of a shop without sales, a day per day of the period."""
    state = call.state
    last = date.fromisoformat(str(call["date_max"] or state.now()[:10]))
    day = date.fromisoformat(str(call["date_min"] or last))
    blank = {"sales": "0.00", "orders": 0, "items": 0, "tax": "0.00", "shipping": "0.00",
             "discount": "0.00", "customers": 0, "refunds": "0.00"}  # fmt: skip
    days = {}
    while day <= last:
        days[day.isoformat()] = dict(blank)
        day += timedelta(days=1)
    sums = dict.fromkeys(("total_sales", "net_sales", "average_sales"), "0.00")
    said: Doc = {**sums, "total_orders": 0, "total_items": 0, "total_tax": "0.00",
                 "total_shipping": "0.00", "total_refunds": 0, "total_discount": "0.00",
                 "totals_grouped_by": "day", "totals": days, "total_customers": 0}  # fmt: skip
    about = [{"href": f"{state.options['url']}/wp-json/wc/v3/reports"}]
    return Answer([{**said, "_links": {"about": about}}])


def _order_totals(call: Call) -> Answer:
    sql = "SELECT count(*) FROM posts WHERE kind = 'order' AND status = ?"
    return Answer(
        [{"slug": slug, "name": name, "total": call.state.one(sql, slug)}
         for slug, name in STATUSES.items()]
    )  # fmt: skip


def _product_totals(call: Call) -> Answer:
    names = {"external": "External/Affiliate", "grouped": "Grouped", "simple": "Simple",
             "variable": "Variable"}  # fmt: skip
    sql = (
        "SELECT count(*) FROM posts WHERE kind = 'product' AND status = 'publish'"
        " AND json_extract(doc, '$.type') = ?"
    )
    return Answer(
        [{"slug": slug, "name": f"{name} product", "total": call.state.one(sql, slug)}
         for slug, name in names.items()]
    )  # fmt: skip


def _order_statuses(call: Call) -> Answer:
    return Answer([{"slug": slug, "name": name} for slug, name in STATUSES.items()])
