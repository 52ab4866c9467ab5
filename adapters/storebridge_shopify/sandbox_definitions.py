"""Definitions of metafields in the sandbox: one for each owner type, namespace and key."""

from __future__ import annotations

from typing import Any

from storebridge_shopify.sandbox_fields import Info, Refused, field, mutation, user_error
from storebridge_shopify.sandbox_metafields import full_namespace, misnamed
from storebridge_shopify.sandbox_search import Listing
from storebridge_shopify.sandbox_state import Doc, State

__all__: list[str] = []

_KIND = "MetafieldDefinition"
#: How many definitions of an owner type are pinned at most (admin: "up to 20").
_MOST_PINNED = 20
_CAPABILITIES = ("adminFilterable", "smartCollectionCondition", "uniqueValues")

_DEFINITIONS = Listing(
    _KIND,
    "metafieldDefinitions",
    {
        "key": lambda _state, doc: doc["key"],
        "namespace": lambda _state, doc: doc["namespace"],
        "owner_type": lambda _state, doc: doc["ownerType"],
    },
)


@field("QueryRoot", "metafieldDefinitions")
def _definitions(_root: Any, info: Info, **arguments: Any) -> Doc:
    wanted = f"owner_type:{arguments.pop('ownerType')}"
    for name in ("namespace", "key"):
        if arguments.get(name) is not None:
            wanted += f" {name}:'{arguments.pop(name)}'"
    if arguments.get("query"):
        wanted += f" ({arguments['query']})"
    return _DEFINITIONS.page(info.context, **{**arguments, "query": wanted, "sortKey": None})


@field(_KIND, "pinnedPosition")
def _pinned(doc: Doc, _info: Info) -> int | None:
    return 1 if doc["pinned"] else None


@mutation("metafieldDefinitionCreate")
def _define(state: State, definition: Doc) -> Doc:
    given = {**definition, "namespace": full_namespace(definition.get("namespace"))}
    if wrong := misnamed(given["namespace"], given["key"], ("definition",)):
        raise Refused(*wrong)
    if _of(state, given) is not None:
        owner = given["ownerType"].capitalize()
        text = f"Key is in use for {owner} metafields on the '{given['namespace']}' namespace."
        raise Refused(user_error(["definition", "key"], text, "TAKEN"))
    doc = {
        "namespace": given["namespace"],
        "key": given["key"],
        "ownerType": given["ownerType"],
        "type": {"name": given["type"], "category": "TEXT"},
        "validations": [],
        "description": None,
        "pinned": False,
        "access": {"admin": "PUBLIC_READ_WRITE", "storefront": "NONE"},
        "capabilities": {name: {"enabled": False} for name in _CAPABILITIES},
    }
    made = state.add(_KIND, doc | _said(state, doc, given))
    name = _name(made)
    state.index(made["id"], {"name": [name], "id": [name] if given["type"] == "id" else []})
    return {"createdDefinition": made}


@mutation("metafieldDefinitionUpdate")
def _redefine(state: State, definition: Doc) -> Doc:
    doc = _of(state, {**definition, "namespace": full_namespace(definition.get("namespace"))})
    if doc is None:
        raise Refused(user_error(["definition"], "Definition not found.", "NOT_FOUND"))
    doc |= _said(state, doc, definition)
    state.save(doc)
    return {"updatedDefinition": doc}


@mutation("metafieldDefinitionDelete")
def _undefine(
    state: State,
    id: str | None = None,
    identifier: Doc | None = None,
    deleteAllAssociatedMetafields: bool = False,  # noqa: N803 - the API's name
) -> Doc:
    doc = state.get(id, _KIND) if id else _of(state, identifier or {})
    if doc is None:
        raise Refused(user_error(["id"], "Definition not found.", "NOT_FOUND"))
    kind = str(doc["type"]["name"])
    if (kind == "id" or "_reference" in kind) and not deleteAllAssociatedMetafields:
        code = "ID_TYPE_DELETION_ERROR" if kind == "id" else "REFERENCE_TYPE_DELETION_ERROR"
        text = f"Deleting a definition of type {kind} requires deletion of its metafields."
        raise Refused(user_error(["id"], text, code))
    state.delete(doc["id"])
    which = {name: doc[name] for name in ("namespace", "key", "ownerType")}
    return {"deletedDefinitionId": doc["id"], "deletedDefinition": which}


def _name(given: Doc) -> str:
    return f"{given['ownerType']} {given['namespace']} {given['key']}"


def _of(state: State, given: Doc) -> Doc | None:
    held = state.holders(_KIND, "name", _name(given))
    return state.get(held[0]) if held else None


def _said(state: State, doc: Doc, given: Doc) -> Doc:
    """Return what is said of a definition anew."""
    said = ("name", "description", "validations")
    new: Doc = {name: given[name] for name in said if name in given}
    for validation in new.get("validations") or ():
        if not validation["value"]:
            where = ["definition", "validations"]
            raise Refused(user_error(where, "Validations can't have a blank value", "BLANK"))
    if given.get("pin") is not None:
        new["pinned"] = given["pin"]
        if given["pin"] and not doc["pinned"] and _pins(state, doc["ownerType"]) >= _MOST_PINNED:
            text = f"Limit of {_MOST_PINNED} pinned definitions has been reached."
            raise Refused(user_error(["definition"], text, "PINNED_LIMIT_REACHED"))
    new["access"] = doc["access"] | (given.get("access") or {})
    new["capabilities"] = doc["capabilities"] | (given.get("capabilities") or {})
    return new


def _pins(state: State, owner: str) -> int:
    return sum(each["pinned"] for each in state.all(_KIND) if each["ownerType"] == owner)
