"""What the API does to discounts of the sandbox: those with codes are made, changed and deleted.

The texts and codes of errors are recorded ones, where nothing else is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storebridge_shopify.sandbox_discounts import EMPTY, FLAGS, code_node, code_row, index
from storebridge_shopify.sandbox_fields import Info, Refused, field, job, mutation, user_error
from storebridge_shopify.sandbox_state import Doc, State, gid, split
from storebridge_shopify.sandbox_writing import number, tags_of

__all__: list[str] = []

#: What an input says as it is kept; the flags are of free shipping, others have them elsewhere.
_PLAIN = ("title", "startsAt", "endsAt", "usageLimit", "appliesOncePerCustomer",
          "recurringCycleLimit", *FLAGS)  # fmt: skip


class _Input:
    """The input of a call and where its errors lie."""

    def __init__(self, state: State, head: str, given: Doc) -> None:
        self.state, self.head, self.given = state, head, given

    def wrong(self, path: Sequence[str], message: str, code: str) -> Refused:
        return Refused(user_error([self.head, *path], message, code))

    def applied(self, doc: Doc) -> Doc:
        """Return a discount with what the input gives."""
        found, given = dict(doc), self.given
        for name in _PLAIN:
            if name in given:
                found[name] = given[name]
        for name in ("title", "startsAt"):
            if not found[name]:
                text = f"{name[0].upper()}{name[1:]} can't be blank"
                raise self.wrong([name], text, "BLANK")
        if found["endsAt"] and found["endsAt"] <= found["startsAt"]:
            raise self.wrong(["endsAt"], "Ends at needs to be after starts_at", "INVALID")
        if "code" in given:
            found["codes"] = self._codes(doc)
        if "tags" in given:
            found["tags"] = tags_of(given["tags"] or ())
        if "minimumRequirement" in given:
            found["minimum"] = self._minimum()
        if "combinesWith" in given:
            found["combinesWith"] = self._combines(doc)
        if "context" in given:
            found["customers"] = self._customers(doc)
        return found

    def _codes(self, doc: Doc) -> list[Doc]:
        code = self.given["code"] or ""
        if not code:
            raise self.wrong(["code"], "Code can't be blank", "BLANK")
        if len(doc["codes"]) > 1:
            # recorded, without a code and of "id"
            raise Refused(user_error(["id"], "Cannot update the code of a bulk discount."))
        held = self.state.holders("DiscountNode", "code", code.lower())
        if any(id != doc.get("id") for id in held):
            text = "Code must be unique. Please try a different code."
            raise self.wrong(["code"], text, "TAKEN")
        kept = doc["codes"][0] if doc["codes"] else code_row(self.state, code)
        return [{**kept, "code": code}]

    def _minimum(self) -> Doc:
        given = self.given["minimumRequirement"] or {}
        if given.get("subtotal") and given.get("quantity"):
            text = "Only one of subtotal or quantity can be provided."
            code = "MINIMUM_SUBTOTAL_AND_QUANTITY_RANGE_BOTH_PRESENT"
            raise self.wrong(["minimumRequirement"], text, code)
        return dict(given)

    def _combines(self, doc: Doc) -> Doc:
        found = {**doc["combinesWith"], **(self.given["combinesWith"] or {})}
        if "FreeShipping" in doc["type"] and found["shippingDiscounts"]:
            text = "The combinesWith settings are not valid for the discount class."
            code = "INVALID_COMBINES_WITH_FOR_DISCOUNT_CLASS"
            raise self.wrong(["combinesWith"], text, code)
        return {name: bool(found[name]) for name in EMPTY["combinesWith"]}

    def _customers(self, doc: Doc) -> list[str]:
        given = self.given["context"] or {}
        if self.given.get("customerSelection"):
            text = "Only one of context or customerSelection can be provided."
            raise self.wrong(["context"], text, "INVALID")
        rows = given.get("customers") or {}
        return [] if given.get("all") else _kept(doc["customers"], rows, "add", "remove")

    def gets(self, doc: Doc) -> Doc:
        """Return what the input takes off, and of what."""
        gets = self.given.get("customerGets") or {}
        value, items = gets.get("value"), gets.get("items")
        found: Doc = {name: gets[name] for name in FLAGS if gets.get(name) is not None}
        if value:
            found["value"] = self._value(value)
        if items:
            found |= self._items(doc, items)
        return found

    def _value(self, value: Doc) -> Doc:
        path = ["customerGets", "value"]
        if value.get("discountOnQuantity"):
            text = "discountOnQuantity field is only permitted with bxgy discounts."
            raise self.wrong([*path, "discountOnQuantity"], text, "INVALID")
        part = value.get("percentage")
        if part is not None and not 0 <= part <= 1:
            text = "Value must be between 0.0 and 1.0"
            raise self.wrong([*path, "percentage"], text, "VALUE_OUTSIDE_RANGE")
        amount = value.get("discountAmount")
        if amount:
            return {"discountAmount": {**amount, "amount": str(number(amount["amount"]))}}
        return {"percentage": part}

    def _items(self, doc: Doc, given: Doc) -> Doc:
        path = ["customerGets", "items"]
        if given.get("all"):
            return {"products": [], "variants": [], "collections": []}
        products, groups = given.get("products") or {}, given.get("collections") or {}
        named = [*(products.get("productsToAdd") or ()), *(groups.get("add") or ())]
        for id in named:
            if self.state.get(id, "Product", "Collection") is None:
                text = f"Product with id: {split(id)[1] or 0} is invalid"
                raise self.wrong([*path, "products", "productsToAdd"], text, "INVALID")
        add, remove = "productsToAdd", "productsToRemove"
        more, less = "productVariantsToAdd", "productVariantsToRemove"
        found = {"products": _kept(doc["products"], products, add, remove),
                 "variants": _kept(doc["variants"], products, more, less),
                 "collections": _kept(doc["collections"], groups, "add", "remove")}  # fmt: skip
        if found["collections"] and (found["products"] or found["variants"]):
            text = "Cannot entitle collections in combination with product variants or products"
            raise self.wrong([*path, "collections", "add"], text, "CONFLICT")
        return found


def _kept(held: list[str], given: Doc, add: str, remove: str) -> list[str]:
    gone = set(given.get(remove) or ())
    kept = [id for id in held if id not in gone]
    return list(dict.fromkeys([*kept, *(given.get(add) or ())]))


def _create(state: State, kind: str, head: str, given: Doc) -> Doc:
    read = _Input(state, head, given)
    new = {**EMPTY, "type": kind, "title": "", "startsAt": None, "discountClasses": ["ORDER"]}
    if kind == "DiscountCodeBasic" and not given.get("customerGets"):
        raise read.wrong(["customerGets"], "CustomerGets can't be blank", "BLANK")
    read.given = {"code": None, **given}
    doc = {**read.applied(new), **read.gets(new), **_shipping(new, given)}
    doc["summary"] = doc["shortSummary"] = doc["title"]
    made = state.add("DiscountNode", doc)
    index(state, made)
    return {"codeDiscountNode": code_node(state, made["id"])}


def _update(state: State, kind: str, head: str, id: str, given: Doc) -> Doc:
    doc = _existing(state, id, "id")
    if doc["type"] != kind:
        raise Refused(user_error(["id"], "Discount does not exist"))
    read = _Input(state, head, given)
    doc = {**read.applied(doc), **read.gets(doc), **_shipping(doc, given)}
    state.save(doc)
    index(state, doc)
    return {"codeDiscountNode": code_node(state, doc["id"])}


def _shipping(doc: Doc, given: Doc) -> Doc:
    found: Doc = {}
    if "maximumShippingPrice" in given:
        highest = given["maximumShippingPrice"]
        found["highest"] = None if highest is None else str(highest)
    if place := given.get("destination"):
        groups = place.get("countries") or {}
        held = [] if place.get("all") else doc["countries"]
        found["countries"] = _kept(held, groups, "add", "remove")
        found["restOfWorld"] = bool(groups.get("includeRestOfWorld"))
    return found


def _existing(state: State, id: str, name: str) -> Doc:
    doc = state.get(gid("DiscountNode", split(id)[1]))
    if doc is None or not doc["type"].startswith("DiscountCode"):
        code = "INVALID" if name == "discountId" else None
        text = "Code discount does not exist." if code else "Discount does not exist"
        raise Refused(user_error([name], text, code))
    return doc


@mutation("discountCodeBasicCreate")
def _create_basic(state: State, basicCodeDiscount: Doc) -> Doc:  # noqa: N803 - the API's name
    return _create(state, "DiscountCodeBasic", "basicCodeDiscount", basicCodeDiscount)


@mutation("discountCodeBasicUpdate")
def _update_basic(state: State, id: str, basicCodeDiscount: Doc) -> Doc:  # noqa: N803 - the API's name
    return _update(state, "DiscountCodeBasic", "basicCodeDiscount", id, basicCodeDiscount)


@mutation("discountCodeFreeShippingCreate")
def _create_free(state: State, freeShippingCodeDiscount: Doc) -> Doc:  # noqa: N803 - the API's name
    head = "freeShippingCodeDiscount"
    return _create(state, "DiscountCodeFreeShipping", head, freeShippingCodeDiscount)


@mutation("discountCodeFreeShippingUpdate")
def _update_free(
    state: State,
    id: str,
    freeShippingCodeDiscount: Doc,  # noqa: N803 - the API's name
) -> Doc:
    head = "freeShippingCodeDiscount"
    return _update(state, "DiscountCodeFreeShipping", head, id, freeShippingCodeDiscount)


@mutation("discountCodeDelete")
def _delete(state: State, id: str) -> Doc:
    state.delete(_existing(state, id, "id")["id"])
    return {"deletedCodeDiscountId": id}


@mutation("discountAutomaticDelete")
def _delete_automatic(state: State, id: str) -> Doc:
    doc = state.get(gid("DiscountNode", split(id)[1]))
    if doc is None or doc["type"].startswith("DiscountCode"):
        raise Refused(user_error(["id"], "Discount does not exist"))
    state.delete(doc["id"])
    return {"deletedAutomaticDiscountId": id}


# -- codes in bulk


@mutation("discountRedeemCodeBulkAdd")
def _add_codes(state: State, discountId: str, codes: list[Doc]) -> Doc:  # noqa: N803 - the API's name
    if not codes:
        raise Refused(user_error(["codes"], "Codes can't be blank", "BLANK"))
    doc = _existing(state, discountId, "discountId")
    rows = [each["code"] for each in codes]
    free = [code for code in rows if not state.holders("DiscountNode", "code", code.lower())]
    doc["codes"] += [code_row(state, code) for code in dict.fromkeys(free)]
    state.save(doc)
    index(state, doc)
    work = {"discount": doc["id"], "codesCount": len(rows), "importedCount": len(free),
            "failedCount": len(rows) - len(free), **state.begun()}  # fmt: skip
    made = state.add("DiscountRedeemCodeBulkCreation", work)
    return {"bulkCreation": {**made, "done": False}}


@field("QueryRoot", "discountRedeemCodeBulkCreation")
def _added(_root: Any, info: Info, id: str) -> Doc | None:
    found = info.context.get(id, "DiscountRedeemCodeBulkCreation")
    return None if found is None else {**found, "done": info.context.age(found) == "done"}


@mutation("discountCodeRedeemCodeBulkDelete")
def _drop_codes(state: State, discountId: str, ids: list[str] | None = None, **_: Any) -> Doc:  # noqa: N803 - the API's name
    doc = _existing(state, discountId, "discountId")
    gone = set(ids or ())
    doc["codes"] = [row for row in doc["codes"] if row["id"] not in gone]
    state.save(doc)
    index(state, doc)
    return {"job": job(state)}
