"""Metafields in the sandbox."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any

from storebridge_shopify.sandbox_fields import (
    WITHIN,
    Info,
    Refused,
    connection,
    field,
    mutation,
    user_error,
)
from storebridge_shopify.sandbox_state import Doc, State, gid, split

__all__ = ["OWNERS", "full_namespace", "misnamed", "of_owner", "set_metafields"]

_MOST_ROWS = 25
_RESERVED = ("shopify_standard", "protected", "shopify-l10n-fields")
OWNERS = {
    "Product": "PRODUCT",
    "ProductVariant": "PRODUCTVARIANT",
    "Collection": "COLLECTION",
    "Customer": "CUSTOMER",
    "Order": "ORDER",
    "Shop": "SHOP",
    "DiscountNode": "DISCOUNT",
    "MediaImage": "MEDIA_IMAGE",
}
_APP = "app--1"

Path = tuple[str | int, ...]


def _shown(row: Any) -> Doc:
    number, owner, namespace, key, kind, value, created, updated = row
    return {
        "id": gid("Metafield", number),
        "__typename": "Metafield",
        "owner": owner,
        "ownerType": OWNERS.get(split(owner)[0], "PRODUCT"),
        "namespace": namespace,
        "key": key,
        "type": kind,
        "value": value,
        "jsonValue": value,
        "createdAt": created,
        "updatedAt": updated,
        "compareDigest": sha256(f"{value}{updated}".encode()).hexdigest(),
        "legacyResourceId": str(number),
        "sizeInBytes": len(value.encode()),
    }


def of_owner(state: State, owner: str) -> list[Doc]:
    """Return an owner's metafields in the order they were made."""
    sql = "SELECT * FROM metafields WHERE owner = ? ORDER BY id"
    return [_shown(row) for row in state.rows(sql, owner)]


def _one(state: State, owner: str, namespace: str, key: str) -> Doc | None:
    sql = "SELECT * FROM metafields WHERE owner = ? AND namespace = ? AND key = ?"
    found = state.rows(sql, owner, namespace, key)
    return _shown(found[0]) if found else None


def by_id(state: State, id: str) -> Doc | None:
    """Return a metafield by its id."""
    found = state.rows("SELECT * FROM metafields WHERE id = ?", split(id)[1])
    return _shown(found[0]) if found else None


WITHIN["Metafield"] = by_id


def full_namespace(namespace: str | None) -> str:
    """Return a namespace with the app's own where it is left out or begins with "$app"."""
    return re.sub(r"^\$app", _APP, namespace or _APP)


def set_metafields(
    state: State, owner: str, given: Sequence[Doc], path: Path, *, replace: bool = False
) -> list[Doc]:
    """Set metafields of an owner and return what is wrong; others go where `replace`.

    Which others productSet deletes is not documented: here all of the owner.
    """
    errors = []
    kept = set()
    for at, each in enumerate(given):
        row = dict(each)
        if row.get("id") and (old := by_id(state, row["id"])):
            row = {**old, **{name: value for name, value in row.items() if value is not None}}
        wrong = _wrong(state, owner, row, (*path, at))
        errors += wrong
        if not wrong:
            _write(state, owner, row)
        kept.add((full_namespace(row.get("namespace")), row.get("key")))
    if replace and not errors:
        for old in of_owner(state, owner):
            if (old["namespace"], old["key"]) not in kept:
                state.run("DELETE FROM metafields WHERE id = ?", split(old["id"])[1])
    return errors


def _write(state: State, owner: str, given: Doc) -> Doc:
    namespace, now = full_namespace(given.get("namespace")), state.now()
    old = _one(state, owner, namespace, given["key"])
    if old:
        if old["value"] != given["value"] or given.get("type") not in (None, old["type"]):
            sql = "UPDATE metafields SET type = ?, value = ?, updated = ? WHERE id = ?"
            kind = given.get("type") or old["type"]
            state.run(sql, kind, given["value"], now, split(old["id"])[1])
    else:
        rule = _definition(state, owner, namespace, given["key"])
        kind = given.get("type") or _type(rule)
        sql = (
            "INSERT INTO metafields (owner, namespace, key, type, value, created, updated) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        state.run(sql, owner, namespace, given["key"], kind, given["value"], now, now)
    found = _one(state, owner, namespace, given["key"])
    assert found is not None
    return found


def _definition(state: State, owner: str, namespace: str, key: str) -> Doc | None:
    held = state.holders(
        "MetafieldDefinition", "name", f"{OWNERS.get(split(owner)[0])} {namespace} {key}"
    )
    return state.get(held[0]) if held else None


def _type(definition: Doc | None) -> str:
    return str(definition["type"]["name"]) if definition else ""


def misnamed(namespace: str, key: str, path: Path) -> list[Doc]:
    """Return what is wrong with the name of a metafield."""
    for word, text, least, most in (("namespace", namespace, 3, 255), ("key", key, 2, 64)):
        name = word.capitalize()
        if len(text) < least:
            words = f"{name} is too short (minimum is {least} characters)"
            return [user_error([*path, word], words, "TOO_SHORT")]
        if len(text) > most:
            words = f"{name} is too long (maximum is {most} characters)"
            return [user_error([*path, word], words, "TOO_LONG")]
    if namespace in _RESERVED:
        words = f"Namespace {namespace} is a reserved namespace"
        return [user_error([*path, "namespace"], words)]
    return []


def _wrong(state: State, owner: str, given: Doc, path: Path) -> list[Doc]:
    namespace, key = full_namespace(given.get("namespace")), given.get("key") or ""
    if wrong := misnamed(namespace, key, path):
        return wrong
    rule = _definition(state, owner, namespace, key)
    kind = given.get("type") or _type(rule)
    if not kind:
        return [user_error([*path, "type"], "Type can't be blank", "BLANK")]
    if rule and kind != _type(rule):  # the code is the schema's; its words aren't recorded
        words = f"Type must be consistent with the definition's type: '{_type(rule)}'."
        return [user_error([*path, "type"], words, "INVALID_TYPE")]
    if not given.get("value"):
        return [user_error([*path, "value"], "Value can't be blank.", "BLANK")]
    if kind == "id" and _is_taken(state, owner, namespace, key, given["value"]):
        # Ids are unique among the objects of a definition (description of `uniqueValues`).
        return [user_error([*path, "value"], "Value has already been taken", "TAKEN")]
    words = _bad_value(kind, given["value"]) or _beyond(rule, kind, given["value"])
    return [user_error([*path, "value"], words, "INVALID_VALUE")] if words else []


def _is_taken(state: State, owner: str, namespace: str, key: str, value: str) -> bool:
    sql = "SELECT owner FROM metafields WHERE namespace = ? AND key = ? AND value = ?"
    holders = (held for (held,) in state.rows(sql, namespace, key, value))
    return any(held != owner and split(held)[0] == split(owner)[0] for held in holders)


_FORMS = {
    "number_integer": (r"-?\d+", "Value must be an integer."),
    "number_decimal": (r"-?\d+(\.\d+)?", "Value must be a decimal."),
    "boolean": (r"true|false", "Value must be true or false."),
    "color": (r"#[0-9a-fA-F]{6}", "Value must be a hex color code."),
    "date": (r"\d{4}-\d\d-\d\d", "Value must be in “YYYY-MM-DD” format. For example: 2022-06-01"),
    "date_time": (
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*",
        "Value must be in “YYYY-MM-DDTHH:MM:SS” format. For example: 2022-06-01T15:30:00",
    ),
}


def _bad_value(kind: str, value: str) -> str:
    """Return why a value doesn't fit its type, "" where it does."""
    if kind in _FORMS:
        pattern, words = _FORMS[kind]
        return "" if re.fullmatch(pattern, value) else words
    if kind == "single_line_text_field" and "\n" in value:
        return "Value must be a single line text string."
    if kind.startswith("list.") or kind in ("json", "dimension", "weight", "volume", "money"):
        try:
            json.loads(value)
        except ValueError:
            return "Value must be in JSON format."
    return ""


def _beyond(definition: Doc | None, kind: str, value: str) -> str:
    """Return what of its definition's validations a text or a number breaks, "" where none.

    The code is the schema's; its words aren't recorded.
    """
    if definition is None:
        return ""
    asked = {each["name"]: each["value"] for each in definition["validations"]}
    if "choices" in asked and value not in json.loads(asked["choices"]):
        return f"Value does not exist in provided choices: {asked['choices']}."
    is_number, is_text = kind.startswith("number_"), kind.endswith("_text_field")
    if not (is_number or is_text):
        return ""
    size, what = (Decimal(value), "") if is_number else (Decimal(len(value)), " length")
    if "min" in asked and size < Decimal(asked["min"]):
        return f"Value has a minimum{what} of {asked['min']}."
    if "max" in asked and size > Decimal(asked["max"]):
        return f"Value has a maximum{what} of {asked['max']}."
    return ""


# -- fields


@field("Product", "metafields")
@field("ProductVariant", "metafields")
@field("Collection", "metafields")
@field("Customer", "metafields")
@field("Order", "metafields")
@field("DiscountNode", "metafields")
def _metafields(
    doc: Doc,
    info: Info,
    namespace: str | None = None,
    keys: list[str] | None = None,
    **arguments: Any,
) -> Doc:
    found = of_owner(info.context, doc["id"])
    wanted = [
        each
        for each in found
        if (namespace is None or each["namespace"] == full_namespace(namespace))
        and (keys is None or each["key"] in keys or f"{each['namespace']}.{each['key']}" in keys)
    ]
    return connection(wanted, **arguments)


@field("Product", "metafield")
@field("ProductVariant", "metafield")
@field("Collection", "metafield")
@field("Customer", "metafield")
@field("Order", "metafield")
def _metafield(doc: Doc, info: Info, key: str, namespace: str | None = None) -> Doc | None:
    return _one(info.context, doc["id"], full_namespace(namespace), key)


@mutation("metafieldsSet")
def _set(state: State, metafields: list[Doc]) -> Doc:
    if len(metafields) > _MOST_ROWS:
        text = f"Exceeded the maximum metafields input limit of {_MOST_ROWS}."
        raise Refused(_numbered(user_error(["metafields"], text, "LESS_THAN_OR_EQUAL_TO"), None))
    errors: list[Doc] = []
    for at, each in enumerate(metafields):
        path = ("metafields", at)
        if not _exists(state, each["ownerId"]):
            text = "Owner does not exist."
            wrong = [user_error([*path, "ownerId"], text, "INVALID")]
        else:
            wrong = _wrong(state, each["ownerId"], each, path) or _stale(state, each, path)
        errors += (_numbered(error, at) for error in wrong)
    if errors:
        raise Refused(*errors)
    return {"metafields": [_write(state, each["ownerId"], each) for each in metafields]}


def _numbered(error: Doc, at: int | None) -> Doc:
    return {**error, "elementIndex": at}


def _exists(state: State, owner: str) -> bool:
    return split(owner)[0] == "Shop" or state.get(owner) is not None


def _stale(state: State, given: Doc, path: Path) -> list[Doc]:
    """Compare the digest that an input holds the metafield to; null: there must be none."""
    if "compareDigest" not in given:
        return []
    old = _one(state, given["ownerId"], full_namespace(given.get("namespace")), given["key"])
    if (old or {}).get("compareDigest") == given["compareDigest"]:
        return []
    text = "The resource has been updated since it was loaded. Try again with an updated `compareDigest` value."  # noqa: E501 - the platform's words
    return [user_error(path, text, "STALE_OBJECT")]


@mutation("metafieldsDelete")
def _delete(state: State, metafields: list[Doc]) -> Doc:
    deleted: list[Doc | None] = []
    for each in metafields:
        namespace = full_namespace(each.get("namespace"))
        old = _one(state, each["ownerId"], namespace, each["key"])
        if old:
            state.run("DELETE FROM metafields WHERE id = ?", split(old["id"])[1])
            deleted.append({"ownerId": each["ownerId"], "namespace": namespace, "key": each["key"]})
        else:
            deleted.append(None)
    return {"deletedMetafields": deleted}
