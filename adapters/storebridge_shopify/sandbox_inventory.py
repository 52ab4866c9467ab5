"""Stock of the sandbox: levels by location, and the rules of the mutations that change them."""

from __future__ import annotations

from typing import Any

from storebridge_shopify.sandbox_fields import (
    WITHIN,
    Info,
    Refused,
    TopError,
    connection,
    field,
    mutation,
    user_error,
)
from storebridge_shopify.sandbox_products import currency
from storebridge_shopify.sandbox_state import Doc, State, gid, split
from storebridge_shopify.sandbox_writing import change_item, refuse

__all__ = ["level_of"]

_REASONS = (
    "correction", "cycle_count_available", "damaged", "movement_canceled", "movement_created",
    "movement_received", "movement_updated", "other", "promotion", "quality_control", "received",
    "reservation_created", "reservation_deleted", "reservation_updated", "restock", "safety_stock",
    "shrinkage",
)  # fmt: skip
_NAMES = ("available", "committed", "damaged", "incoming", "on_hand", "quality_control",
          "reserved", "safety_stock")  # fmt: skip
_HELD = ("available", "committed", "damaged", "quality_control", "reserved", "safety_stock")
_MOST = 1_000_000_000


def level_of(item: Doc, location: str) -> Doc | None:
    """Return an item's level at a location; None where it isn't stocked."""
    held = item["levels"].get(location)
    if held is None:
        return None
    id = f"{gid('InventoryLevel', split(location)[1])}?inventory_item_id={split(item['id'])[1]}"
    return {"__typename": "InventoryLevel", "id": id, "held": held, "itemId": item["id"],
            "locationId": location, "isActive": True, "canDeactivate": True,
            "deactivationAlert": None, "createdAt": item["createdAt"],
            "updatedAt": item["updatedAt"]}  # fmt: skip


def _by_id(state: State, id: str) -> Doc | None:
    number, _, item = id.rpartition("/")[2].partition("?inventory_item_id=")
    found = state.get(gid("InventoryItem", item), "InventoryItem")
    return level_of(found, gid("Location", number)) if found else None


WITHIN["InventoryLevel"] = _by_id


def _quantity(held: Doc, name: str) -> int:
    if name == "on_hand":
        return sum(int(held.get(each, 0)) for each in _HELD)
    return int(held.get(name, 0))


# -- reading


@field("QueryRoot", "inventoryLevel")
def _one_level(_root: Any, info: Info, id: str) -> Doc | None:
    return _by_id(info.context, id)


@field("InventoryItem", "inventoryLevels")
def _levels(doc: Doc, _info: Info, **arguments: Any) -> Doc:
    found = (level_of(doc, location) for location in sorted(doc["levels"], key=_number))
    return connection((each for each in found if each), **arguments)


def _number(id: str) -> int:
    return int(split(id)[1])


@field("InventoryItem", "inventoryLevel")
def _level(doc: Doc, _info: Info, locationId: str, **_: Any) -> Doc | None:  # noqa: N803 - the API's name
    return level_of(doc, locationId)


@field("InventoryLevel", "location")
def _location(doc: Doc, info: Info) -> Doc | None:
    return info.context.get(doc["locationId"])


@field("InventoryLevel", "item")
def _item(doc: Doc, info: Info) -> Doc | None:
    return info.context.get(doc["itemId"])


@field("InventoryLevel", "quantities")
def _quantities(doc: Doc, _info: Info, names: list[str]) -> list[Doc]:
    return [
        {"id": f"{doc['id']}#{name}", "name": name, "quantity": _quantity(doc["held"], name),
         "updatedAt": doc["updatedAt"]}
        for name in names if name in _NAMES
    ]  # fmt: skip


@field("InventoryItem", "unitCost")
def _cost(doc: Doc, info: Info) -> Doc | None:
    if doc["cost"] is None:
        return None
    return {"amount": doc["cost"], "currencyCode": currency(info.context)}


@field("InventoryItem", "measurement")
def _measurement(doc: Doc, _info: Info) -> Doc:
    return {"id": doc["id"], "weight": doc["weight"]}


@field("InventoryItem", "variant")
def _variant(doc: Doc, info: Info) -> Doc | None:
    return info.context.get(doc["variant"])


@field("InventoryItem", "duplicateSkuCount")
def _duplicates(doc: Doc, info: Info) -> int:
    sku = (doc["sku"] or "").lower()
    return max(0, len(info.context.holders("InventoryItem", "sku", sku)) - 1)


# -- writing


@mutation("inventorySetQuantities")
def _set(state: State, input: Doc) -> Doc:
    refuse(_wrong_words(input, ("available", "on_hand")))
    _check_stated(input["quantities"], "InventoryQuantityInput")
    refuse(_twice(input["quantities"]) + _wrong_rows(state, input["quantities"], "quantities"))
    errors = []
    changes = []
    for at, each in enumerate(input["quantities"]):
        item = state.get(each["inventoryItemId"])
        assert item is not None
        held = item["levels"].setdefault(each["locationId"], {"available": 0})
        now = _quantity(held, input["name"])
        if each["changeFromQuantity"] not in (None, now):
            text = "The specified compare quantity does not match the current quantity."
            path = ["input", "quantities", at, "changeFromQuantity"]
            errors.append(user_error(path, text, "CHANGE_FROM_QUANTITY_STALE"))
        delta = each["quantity"] - now
        if delta:
            changes += _moved(state, item, each["locationId"], "available", delta)
    refuse(errors)
    return {"inventoryAdjustmentGroup": _group(state, input, changes)}


def _moved(state: State, item: Doc, location: str, name: str, delta: int) -> list[Doc]:
    held = item["levels"][location]
    held[name] = int(held.get(name, 0)) + delta
    state.save(item)
    common = {"item": item["id"], "location": location, "delta": delta, "ledgerDocumentUri": None}
    names = (name, "on_hand") if name in _HELD else (name,)
    return [
        {**common, "name": each, "quantityAfterChange": _quantity(held, each)} for each in names
    ]


def _group(state: State, given: Doc, changes: list[Doc]) -> Doc | None:
    """Return what was changed; None where nothing was (recorded)."""
    if not changes:
        return None
    uri = given.get("referenceDocumentUri")
    doc = {"reason": given["reason"], "referenceDocumentUri": uri, "rows": changes}
    return state.add("InventoryAdjustmentGroup", doc)


@field("InventoryAdjustmentGroup", "changes")
def _changes(
    doc: Doc,
    _info: Info,
    quantityNames: list[str] | None = None,  # noqa: N803 - the API's name
    **_: Any,
) -> list[Doc]:
    return [each for each in doc["rows"] if quantityNames is None or each["name"] in quantityNames]


@field("InventoryChange", "item")
@field("InventoryChange", "location")
def _changed(doc: Doc, info: Info) -> Doc | None:
    return info.context.get(doc[info.field_name])


def _check_stated(rows: list[Doc], kind: str) -> None:
    """Refuse rows without `changeFromQuantity`; null is a statement too (recorded)."""
    if any("changeFromQuantity" not in each for each in rows):
        text = f"{kind} must include the following argument: changeFromQuantity."
        raise TopError("INVALID_FIELD_ARGUMENTS", text)


def _wrong_words(given: Doc, names: tuple[str, ...]) -> list[Doc]:
    if given["name"] not in names:
        text = "The quantity name must be either 'available' or 'on_hand'."
        if len(names) > 2:
            text = f"The specified quantity name is invalid. Valid values are: {', '.join(names)}."
        return [user_error(["input", "name"], text, "INVALID_NAME")]
    if given["reason"] not in _REASONS:
        text = f"The specified reason is invalid. Valid values are: {', '.join(_REASONS)}."
        return [user_error(["input", "reason"], text, "INVALID_REASON")]
    return []


def _twice(rows: list[Doc]) -> list[Doc]:
    pairs = [(each["inventoryItemId"], each["locationId"]) for each in rows]
    if len(set(pairs)) == len(pairs):
        return []
    text = "The combination of inventoryItemId and locationId must be unique."
    code = "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"
    counts = {pair: pairs.count(pair) for pair in pairs}
    return [
        user_error(["input", "quantities", at, "locationId"], text, code)
        for at, pair in enumerate(pairs)
        if counts[pair] > 1
    ]


def _wrong_rows(state: State, rows: list[Doc], name: str) -> list[Doc]:
    errors = []
    for at, each in enumerate(rows):
        path = ["input", name, at]
        if state.get(each["inventoryItemId"], "InventoryItem") is None:
            text = "The specified inventory item could not be found."
            errors.append(user_error([*path, "inventoryItemId"], text, "INVALID_INVENTORY_ITEM"))
        if state.get(each["locationId"], "Location") is None:
            text = "The specified location could not be found."
            errors.append(user_error([*path, "locationId"], text, "INVALID_LOCATION"))
        quantity = each.get("quantity", 0)
        if quantity > _MOST:
            text = "The quantity can't be higher than 1,000,000,000."
            errors.append(user_error([*path, "quantity"], text, "INVALID_QUANTITY_TOO_HIGH"))
        if quantity < -_MOST:
            text = "The quantity can't be lower than -1,000,000,000."
            errors.append(user_error([*path, "quantity"], text, "INVALID_QUANTITY_TOO_LOW"))
    return errors


@mutation("inventoryAdjustQuantities")
def _adjust(state: State, input: Doc) -> Doc:
    names = ("available", "damaged", "incoming", "quality_control", "reserved", "safety_stock")
    refuse(_wrong_words(input, names))
    _check_stated(input["changes"], "InventoryChangeInput")
    refuse(_wrong_rows(state, input["changes"], "changes"))
    changes = []
    for at, each in enumerate(input["changes"]):
        item = state.get(each["inventoryItemId"])
        assert item is not None
        path = ["input", "changes", at]
        if each["locationId"] not in item["levels"]:
            text = "The specified inventory item is not stocked at the location."
            raise Refused(user_error([*path, "locationId"], text, "INVALID_LOCATION"))
        now = _quantity(item["levels"][each["locationId"]], input["name"])
        if each["changeFromQuantity"] not in (None, now):
            text = "The specified compare quantity does not match the current quantity."
            where = [*path, "changeFromQuantity"]
            raise Refused(user_error(where, text, "CHANGE_FROM_QUANTITY_STALE"))
        changes += _moved(state, item, each["locationId"], input["name"], each["delta"])
    return {"inventoryAdjustmentGroup": _group(state, input, changes)}


@mutation("inventoryActivate")
def _activate(
    state: State,
    inventoryItemId: str,  # noqa: N803 - the API's name
    locationId: str,  # noqa: N803 - the API's name
    available: int | None = None,
    onHand: int | None = None,  # noqa: N803 - the API's name
    **_: Any,
) -> Doc:
    item = state.get(inventoryItemId, "InventoryItem")
    location = state.get(locationId, "Location")
    if location is None:
        text = "The product couldn't be stocked because the location wasn't found."
        raise Refused(user_error(["locationId"], text))
    if item is None:
        text = f"The product couldn't be stocked at {location['name']} because the product was deleted."  # noqa: E501 - the platform's words
        raise Refused(user_error(["inventoryItemId"], text))
    if available is not None and onHand is not None:
        text = f"The product couldn't be stocked at {location['name']} because not allowed to set available and on_hand quantities at the same time."  # noqa: E501 - the platform's words
        raise Refused(user_error(["available"], text), user_error(["onHand"], text))
    if locationId in item["levels"]:
        name = "available" if available is not None else "onHand"
        if available is not None or onHand is not None:
            word = "available" if name == "available" else "an on_hand"
            text = f"Not allowed to set {word} quantity when the item is already active at the location."  # noqa: E501 - the platform's words
            raise Refused(user_error([name], text))
    else:
        item["levels"][locationId] = {"available": available or onHand or 0}
        state.save(item)
    return {"inventoryLevel": level_of(item, locationId)}


@mutation("inventoryDeactivate")
def _deactivate(state: State, inventoryLevelId: str) -> Doc:  # noqa: N803 - the API's name
    level = _by_id(state, inventoryLevelId)
    if level is None:
        text = "The product couldn't be unstocked because the product was deleted."
        raise Refused(user_error(None, text))
    item = state.get(level["itemId"])
    assert item is not None
    if len(item["levels"]) == 1:
        text = "The product couldn't be unstocked because products need to be stocked at a minimum of 1 location."  # noqa: E501 - the platform's words
        raise Refused(user_error(None, text))
    del item["levels"][level["locationId"]]
    state.save(item)
    return {}


@mutation("inventoryItemUpdate")
def _item_update(state: State, id: str, input: Doc) -> Doc:
    item = state.get(id, "InventoryItem")
    if item is None:
        text = "The product couldn't be updated because it does not exist."
        raise Refused(user_error(["id"], text))
    refuse(change_item(item, input, ("input",), currency(state)))
    state.save(item)
    variant = state.get(item["variant"])
    assert variant is not None
    variant["sku"] = item["sku"]
    state.save(variant)
    sku = [(item["sku"] or "").lower()]
    keys = {"sku": sku, "barcode": [(variant["barcode"] or "").lower()]}
    state.index(variant["id"], keys)
    state.index(item["id"], {"sku": sku})
    return {"inventoryItem": item}
