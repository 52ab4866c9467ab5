"""Definitions of metafields: a few hundred at most for each kind of owner, read from their list.

The list of an owner's definitions knows what was written a moment ago; no search is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import Any, ClassVar

from storebridge.adapter import Batch, Change, Cost, Fit
from storebridge.errors import NotFound, Rejected
from storebridge.flow import Flow, Outcome, RequestKind
from storebridge.models import MetafieldDefinition
from storebridge_shopify import fields
from storebridge_shopify.graphql import Doc, call, document, drained, following
from storebridge_shopify.lookup import values
from storebridge_shopify.metafield_checks import misnamed
from storebridge_shopify.nested import FlatRecords
from storebridge_shopify.reading import NAMESPACE
from storebridge_shopify.records import applied, mutate
from storebridge_shopify.scopes import DEFINED
from storebridge_shopify.site import Facts

__all__ = ["DefinitionRecords"]

#: Shopify's words for the owners of metafields, by ours.
_OWNERS = {owner: "PRODUCTVARIANT" if owner == "variant" else owner.upper() for owner in DEFINED}
_WORDS: Mapping[str, Any] = {theirs: ours for ours, theirs in _OWNERS.items()}
_PAGE = 250
#: What a definition is told by, and keeps.
_FIXED = ("owner", "metafield", "type")
#: What `platform_fields` holds: where metafields count, ours to theirs, and who may see them.
_CAPABILITIES = {
    "admin_filterable": "adminFilterable",
    "smart_collection_condition": "smartCollectionCondition",
    "unique_values": "uniqueValues",
}
_STOREFRONT = "storefront"


class DefinitionRecords(FlatRecords[MetafieldDefinition]):
    """What the metafields of a shop are called, and which values they may have."""

    model = MetafieldDefinition
    fields = fields.METAFIELD_DEFINITION
    finds = ("id", "metafield")
    type: ClassVar[str] = "MetafieldDefinition"
    root: ClassVar[str] = "metafieldDefinitions"
    listing: ClassVar[str] = "metafield_definitions"
    by_id: ClassVar[str] = "metafield_definitions_by_id"

    # -- reading

    def _listed(
        self, search: str | None, cursor: str, flags: Mapping[str, bool]
    ) -> Flow[tuple[list[Doc], str]]:
        """Return a page of one owner's definitions; the next one may be another owner's."""
        owners = yield from self._readable()
        first, _, after = (cursor or owners[0]).partition(" ")
        owners = owners[owners.index(first) :]
        for owner, then in zip_longest(owners, owners[1:], fillvalue=""):
            variables = {
                "owner": _OWNERS[owner],
                "first": self.settings.page_size,
                "after": after or None,
            }
            found = (yield from call(self.listing, variables))[self.root]
            if more := following(found["pageInfo"]):
                return list(found["nodes"]), f"{owner} {more}"
            if found["nodes"]:
                return list(found["nodes"]), then
            after = ""
        return [], ""

    def _readable(self) -> Flow[list[str]]:
        """Return the owners whose definitions the token may read, products first."""
        facts = yield from self.shop.known()
        return [owner for owner, what in DEFINED.items() if facts.scopes.has(f"read_{what}")]

    def look_up(self, keys: Sequence[str]) -> Flow[list[str]]:
        """Return the ids of the definitions of these metafields."""
        readable = yield from self._readable()
        wanted: dict[str, set[str]] = {}
        for owner, _, metafield in (name.partition(".") for name in values(keys, "metafield")):
            if owner in readable:
                wanted.setdefault(owner, set()).add(metafield)
        found: list[str] = []
        for owner, metafields in wanted.items():
            nodes = yield from drained(self.listing, self.root, {"owner": _OWNERS[owner]}, _PAGE)
            found += [node["id"] for node in nodes if _metafield(node) in metafields]
        return found

    def read(self, doc: Doc) -> MetafieldDefinition:
        """Return the definition that a document describes."""
        capabilities = doc["capabilities"]
        extras = {ours: capabilities[theirs]["enabled"] for ours, theirs in _CAPABILITIES.items()}
        seen = doc["access"]["storefront"] or "NONE"
        return MetafieldDefinition(
            id=doc["id"],
            owner=_WORDS[doc["ownerType"]],
            metafield=_metafield(doc),
            name=doc["name"],
            description=doc["description"] or "",
            type=doc["type"]["name"],
            validations={each["name"]: each["value"] or "" for each in doc["validations"]},
            pinned=doc["pinnedPosition"] is not None,
            platform_fields={NAMESPACE: {**extras, _STOREFRONT: seen.lower()}},
        )

    # -- writing

    def make(
        self, change: Change[MetafieldDefinition], batch: Batch[MetafieldDefinition], facts: Facts
    ) -> Flow[str]:
        """Define a metafield; a second definition of it is refused, whatever is sent twice."""
        desired = change.desired
        name, root = "metafield_definition_create", "metafieldDefinitionCreate"
        given = {"name": desired.metafield, "type": desired.type, **_input(desired)}
        variables = {"definition": {**_which(desired), **given}}
        self.shop.rules.clear()
        payload = yield from mutate(name, root, variables, change, RequestKind.CREATE)
        return str(payload["createdDefinition"]["id"])

    def update(
        self, change: Change[MetafieldDefinition], batch: Batch[MetafieldDefinition], facts: Facts
    ) -> Flow[Outcome]:
        """Write what a definition says; its metafields stay as they are.

        Raises:
            Rejected: if owner, metafield or type is to be another.
        """
        desired = change.desired
        found = yield from self._nodes([change.record_id], {})
        if not found:
            raise NotFound("the definition went away")
        live = self.read(found[0])
        for name in _FIXED:
            if name in desired.given and getattr(desired, name) != getattr(live, name):
                text = f"the {name} of a definition can't be changed"
                raise Rejected(text, fields={name: "fixed"}, remedy="Define another metafield.")
        name, root = "metafield_definition_update", "metafieldDefinitionUpdate"
        variables = {"definition": {**_which(live), **_input(desired)}}
        self.shop.rules.clear()
        yield from mutate(name, root, variables, change)
        return applied(change, change.record_id)

    def delete(self, change: Change[MetafieldDefinition]) -> Flow[str]:
        """Delete a definition; the metafields and their values stay.

        Raises:
            Rejected: if Shopify would have to delete the values with it.
        """
        name, root = "metafield_definition_delete", "metafieldDefinitionDelete"
        self.shop.rules.clear()
        with suppress(NotFound):
            yield from mutate(name, root, {"id": change.record_id}, change, RequestKind.DELETE)
        return change.record_id

    # -- forms

    def cost(self, change: Change[MetafieldDefinition]) -> Cost:
        """Return what a change takes; before an update its definition is read."""
        points = document(f"metafield_definition_{change.action}").cost({})
        if change.action != "update":
            return Cost(requests=1, points=points)
        return Cost(requests=2, points=points + document(self.by_id).cost({}))

    def normal(self, desired: MetafieldDefinition) -> MetafieldDefinition:
        """Return a desired definition without what Shopify doesn't keep."""
        if "platform_fields" not in desired.given:
            return desired
        kept = _extras(desired)
        return desired.model_copy(update={"platform_fields": {NAMESPACE: kept} if kept else {}})

    def check(self, record: MetafieldDefinition) -> Iterable[Fit]:
        """Yield what the token may not write, and what Shopify has no room for."""
        facts, what = self.shop.facts, f"write_{DEFINED[record.owner]}"
        if facts is not None and not facts.scopes.has(what):
            message = f"the token lacks the scope {what}, which metafieldDefinitionCreate needs"
            yield Fit(record.kind, record.label, "owner", message, "access scopes of the Admin API")
        namespace, _, key = record.metafield.rpartition(".")
        if "metafield" in record.given and (message := misnamed(namespace, key)):
            yield Fit(record.kind, record.label, "metafield", message, "MetafieldDefinitionInput")
        for name in record.platform_fields.get(NAMESPACE, {}):
            if name not in (*_CAPABILITIES, _STOREFRONT):
                path, message = f"platform_fields.{NAMESPACE}.{name}", "no call writes it"
                yield Fit(record.kind, record.label, path, message, "MetafieldDefinitionInput")


def _metafield(doc: Doc) -> str:
    return f"{doc['namespace']}.{doc['key']}"


def _which(desired: MetafieldDefinition) -> dict[str, str]:
    namespace, _, key = desired.metafield.rpartition(".")
    return {"ownerType": _OWNERS[desired.owner], "namespace": namespace, "key": key}


def _extras(desired: MetafieldDefinition) -> dict[str, Any]:
    held = desired.platform_fields.get(NAMESPACE, {})
    return {name: held[name] for name in (*_CAPABILITIES, _STOREFRONT) if name in held}


def _input(desired: MetafieldDefinition) -> dict[str, Any]:
    """Return what is given of a definition, but for what it is told by."""
    rows = [{"name": name, "value": value} for name, value in desired.validations.items()]
    said = {"name": desired.name, "description": desired.description}
    body = {**said, "validations": rows, "pinned": desired.pinned}
    body = {name: value for name, value in body.items() if name in desired.given}
    if "pinned" in body:
        body["pin"] = body.pop("pinned")
    extras = _extras(desired)
    if seen := extras.pop(_STOREFRONT, ""):
        body["access"] = {"storefront": str(seen).upper()}
    if extras:
        enabled = {_CAPABILITIES[name]: {"enabled": bool(v)} for name, v in extras.items()}
        body["capabilities"] = enabled
    return body
