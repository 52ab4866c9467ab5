"""Tax classes and rates, shipping zones and their methods."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from storebridge_woocommerce.sandbox_call import Answer, Call, Given
from storebridge_woocommerce.sandbox_records import Resource, Routes, linked, page
from storebridge_woocommerce.sandbox_shop import recorded
from storebridge_woocommerce.sandbox_state import Doc, Refusal
from storebridge_woocommerce.sandbox_taxonomy import untrashable
from storebridge_woocommerce.sandbox_text import flag, integer, plain, slugged

__all__ = ["TaxRates", "routes"]


def routes() -> Routes:
    """Return the endpoints of tax classes and of shipping."""
    zone, methods = "/shipping/zones/(?P<id>[\\d]+)", "/shipping/zones/(?P<zone_id>[\\d]+)/methods"
    writes = ("POST", "PUT", "PATCH")
    return {
        "/taxes/classes": {"GET": _classes, "POST": _add_class},
        "/taxes/classes/(?P<slug>\\w[\\w\\s\\-]*)": {"DELETE": _drop_class},
        "/shipping/zones": {"GET": _zones, "POST": _add_zone},
        zone: {"GET": _zone, "DELETE": _drop_zone, **dict.fromkeys(writes, _set_zone)},
        f"{zone}/locations": {"GET": _locations, **dict.fromkeys(writes, _set_locations)},
        methods: {"GET": _methods, "POST": _add_method},
        f"{methods}/(?P<instance_id>[\\d]+)": {
            "GET": _method,
            **dict.fromkeys(writes, _set_method),
        },
    }


def _counted(rows: list[Doc]) -> Answer:
    return Answer(rows, headers={"x-wp-total": str(len(rows)), "x-wp-totalpages": "1"})


def _base(call: Call) -> str:
    return f"{call.state.options['url']}/wp-json/wc/v3"


# ---------------------------------------------------------------------------------------- taxes


def _class_doc(call: Call, doc: Doc) -> Doc:
    links = {"collection": [{"href": f"{_base(call)}/taxes/classes"}]}
    return {"slug": doc["slug"], "name": doc["name"], "_links": links}


def _classes(call: Call) -> Answer:
    return _counted([_class_doc(call, doc) for doc in call.state.things("tax_class")])


def _add_class(call: Call) -> Answer:
    state, name = call.state, plain(call["name"])
    slug = slugged(name)
    # WooCommerce 11.0.1: a class taken is 400, a class without force is 501; none has an id.
    if any(doc["slug"] == slug for doc in state.things("tax_class")):
        raise Refusal("woocommerce_rest_tax_class_exists", "Tax class already exists")
    doc = {"id": state.number("tax_class"), "slug": slug, "name": name}
    state.save_thing("tax_class", doc, key=slug)
    return Answer(_class_doc(call, doc), 201, {"location": f"{_base(call)}/taxes/classes/{slug}"})


def _drop_class(call: Call) -> Answer:
    if not call["force"]:
        raise untrashable("Taxes do not support trashing.")
    rows = call.state.things("tax_class")
    doc = next((one for one in rows if one["slug"] == call.url["slug"]), None)
    if doc is None:
        raise Refusal("woocommerce_rest_tax_class_invalid_slug", "Invalid slug.", 404)
    call.state.drop_thing("tax_class", doc["id"])
    return Answer(_class_doc(call, doc))


class TaxRates(Resource):
    """`/taxes`."""

    route = "/taxes"

    def index(self, call: Call) -> Answer:
        """Return a page of tax rates."""
        wanted = call["class"]
        rows = [one for one in call.state.things("tax_rate") if wanted in (None, one["class"])]
        shown = [self._shown(call, one) for one in rows[call.span]]
        return page(call, shown, len(rows))

    def show(self, call: Call, number: int) -> Doc:
        """Return one tax rate."""
        return self._shown(call, self._found(call, number))

    def create(self, call: Call, given: Given) -> Doc:
        """Make a tax rate."""
        doc: Doc = {
            "id": call.state.number("tax_rate"), "country": "", "state": "", "postcode": "",
            "city": "", "rate": "0.0000", "name": "Tax", "priority": 1, "compound": False,
            "shipping": True, "order": 0, "class": "standard", "postcodes": [], "cities": [],
        }  # fmt: skip
        return self._keep(call, doc, given)

    def update(self, call: Call, number: int | None, given: Given) -> Doc:
        """Change a tax rate."""
        return self._keep(call, self._found(call, number or 0), given)

    def delete(self, call: Call, number: int, *, force: bool) -> Doc:
        """Delete a tax rate."""
        doc = self._found(call, number)
        if not force:
            raise untrashable("Taxes do not support trashing.")
        call.state.drop_thing("tax_rate", number)
        return self._shown(call, doc)

    def _keep(self, call: Call, doc: Doc, given: Given) -> Doc:
        for name in ("country", "state", "name", "class"):
            if name in given:
                doc[name] = plain(given[name])
        # WooCommerce 11.0.1: a rate is a text with four decimals.
        if "rate" in given:
            doc["rate"] = _rate(given["rate"])
        for name in ("priority", "order"):
            if name in given:
                doc[name] = integer(given[name])
        for name in ("compound", "shipping"):
            if name in given:
                doc[name] = flag(given[name])
        for name in ("postcodes", "cities"):
            if isinstance(given[name], list):
                doc[name] = given[name]
        call.state.save_thing("tax_rate", doc)
        return self._shown(call, doc)

    def _found(self, call: Call, number: int) -> Doc:
        found = call.state.thing("tax_rate", number)
        if found is None:
            raise Refusal("woocommerce_rest_invalid_id", "Invalid resource ID.", 404)
        return found

    def _shown(self, call: Call, doc: Doc) -> Doc:
        return linked(call.state, dict(doc), self.route)


def _rate(value: Any) -> str:
    """Return a rate with four decimals: "19" is "19.0000"."""
    try:
        return f"{Decimal(plain(value)):.4f}"
    except InvalidOperation:
        return "0.0000"


# ------------------------------------------------------------------------------------- shipping


def _zone_doc(call: Call, doc: Doc) -> Doc:
    path = f"{_base(call)}/shipping/zones/{doc['id']}/locations"
    shown = {name: doc[name] for name in ("id", "name", "order")}
    return linked(call.state, shown, "/shipping/zones", describedby=[{"href": path}])


def _rest_of_world() -> Doc:
    return {"id": 0, "name": "Locations not covered by your other zones", "order": 0,
            "locations": []}  # fmt: skip


def _found_zone(call: Call, number: Any) -> Doc:
    found = call.state.thing("zone", int(number)) if int(number) else _rest_of_world()
    if found is None:
        raise Refusal("woocommerce_rest_shipping_zone_invalid", "Resource does not exist.", 404)
    return found


def _zones(call: Call) -> Answer:
    rows = [_rest_of_world(), *call.state.things("zone")]
    return _counted([_zone_doc(call, one) for one in rows])


def _zone(call: Call) -> Answer:
    return Answer(_zone_doc(call, _found_zone(call, call.url["id"])))


def _add_zone(call: Call) -> Answer:
    doc = {"id": call.state.number("zone"), "name": plain(call["name"]),
           "order": integer(call["order"]), "locations": []}  # fmt: skip
    call.state.save_thing("zone", doc)
    location = f"{_base(call)}/shipping/zones/{doc['id']}"
    return Answer(_zone_doc(call, doc), 201, {"location": location})


def _set_zone(call: Call) -> Answer:
    doc = _found_zone(call, call.url["id"])
    if call["name"] is not None:
        doc["name"] = plain(call["name"])
    if call["order"] is not None:
        doc["order"] = integer(call["order"])
    call.state.save_thing("zone", doc)
    return Answer(_zone_doc(call, doc))


def _drop_zone(call: Call) -> Answer:
    doc = _found_zone(call, call.url["id"])
    if not call["force"]:
        raise untrashable("Shipping zones do not support trashing.")
    call.state.drop_thing("zone", doc["id"])
    return Answer(_zone_doc(call, doc))


def _shown_locations(call: Call, doc: Doc) -> Answer:
    zone = f"{_base(call)}/shipping/zones/{doc['id']}"
    links = {"collection": [{"href": f"{zone}/locations"}], "describes": [{"href": zone}]}
    return _counted([{**one, "_links": links} for one in doc["locations"]])


def _locations(call: Call) -> Answer:
    return _shown_locations(call, _found_zone(call, call.url["id"]))


def _set_locations(call: Call) -> Answer:
    doc = _found_zone(call, call.url["id"])
    sent = call.json if isinstance(call.json, list) else []
    doc["locations"] = [
        {"code": plain(one.get("code")), "type": plain(one.get("type") or "country")}
        for one in sent
    ]
    call.state.save_thing("zone", doc)
    return _shown_locations(call, doc)


def _method_doc(call: Call, doc: Doc) -> Doc:
    zone = f"/shipping/zones/{doc['zone']}"
    shown = {name: value for name, value in doc.items() if name != "zone"}
    up = [{"href": f"{_base(call)}{zone}"}]
    return linked(call.state, shown, f"{zone}/methods", describes=up)


def _methods(call: Call) -> Answer:
    zone = _found_zone(call, call.url["zone_id"])
    rows = call.state.things("zone_method", zone["id"])
    return _counted([_method_doc(call, one) for one in rows])


def _add_method(call: Call) -> Answer:
    zone, kind = _found_zone(call, call.url["zone_id"]), plain(call["method_id"])
    known = next((one for one in recorded()["shipping_methods"] if one["id"] == kind), None)
    if known is None:
        text = "Method ID is invalid."
        raise Refusal("woocommerce_rest_shipping_zone_method_invalid", text, 500)
    number = call.state.number("zone_method")
    cost = {"id": "cost", "label": "Cost", "type": "text", "value": "0", "default": ""}
    title = {"id": "title", "label": "Name", "type": "text", "value": known["title"]}
    doc = {"id": number, "instance_id": number, "title": known["title"], "order": 1,
           "enabled": True, "method_id": kind, "method_title": known["title"],
           "method_description": f"<p>{known['description']}</p>\n",
           "settings": {"title": title, "cost": cost}, "zone": zone["id"]}  # fmt: skip
    call.state.save_thing("zone_method", doc, parent=zone["id"])
    return Answer(_method_doc(call, doc))


def _found_method(call: Call) -> Doc:
    found = call.state.thing("zone_method", int(call.url["instance_id"]))
    if found is None:
        text = "Resource does not exist."
        raise Refusal("woocommerce_rest_shipping_zone_method_invalid", text, 404)
    return found


def _method(call: Call) -> Answer:
    return Answer(_method_doc(call, _found_method(call)))


def _set_method(call: Call) -> Answer:
    doc = _found_method(call)
    sent = call["settings"] if isinstance(call["settings"], dict) else {}
    for name, value in sent.items():
        if name in doc["settings"]:
            doc["settings"][name]["value"] = plain(value)
    if call["enabled"] is not None:
        doc["enabled"] = flag(call["enabled"])
    call.state.save_thing("zone_method", doc, parent=doc["zone"])
    return Answer(_method_doc(call, doc))
