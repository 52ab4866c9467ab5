"""Discounts: all types are read; amount off and free shipping, by codes, are written.

A code is unique in a shop, and looking one up sees what was written a moment ago: so a create whose
answer was lost is looked for by its code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC
from math import ceil
from typing import Any, ClassVar

from storebridge.adapter import Batch, Change, Cost, Fit
from storebridge.errors import BadAnswer, NotFound, NotSupported, OutcomeUnknown, Rejected
from storebridge.flow import Flow, Outcome, RequestKind, wait
from storebridge.models import Discount
from storebridge_shopify import fields, reading
from storebridge_shopify.discount_reading import connections, discount, is_automatic
from storebridge_shopify.discount_writing import (
    EXTRAS,
    LIMITS,
    NO_CODE,
    extras_of,
    inputs,
    refuse_another_type,
    refuse_unheld,
    unheld,
)
from storebridge_shopify.graphql import Doc, call, document, following, id_of
from storebridge_shopify.lookup import by_code, values
from storebridge_shopify.metafields import write_metafields
from storebridge_shopify.nested import NestedRecords
from storebridge_shopify.records import (
    applied,
    finished,
    mutate,
    removal,
)
from storebridge_shopify.scopes import Scopes
from storebridge_shopify.site import Facts
from storebridge_shopify.walk import drain
from storebridge_shopify.writing import tag_forms

__all__ = ["DiscountRecords"]

#: The most codes of discountRedeemCodeBulkAdd (schema).
_CODES = 250
#: Seconds between looks at codes that are being added.
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
#: Looks at codes until they are added or gone, for the forecast.
_LOOKS = 2
#: The document and the root of each call, and the name of its input: amount off, free shipping.
_MAKE = {
    False: ("discount_code_create", "discountCodeBasicCreate"),
    True: ("discount_shipping_create", "discountCodeFreeShippingCreate"),
}
_CHANGE = {
    False: ("discount_code_update", "discountCodeBasicUpdate"),
    True: ("discount_shipping_update", "discountCodeFreeShippingUpdate"),
}


class DiscountRecords(NestedRecords[Discount]):
    """The discounts of a shop."""

    model = Discount
    fields = fields.DISCOUNT
    owners: ClassVar = {"metafields": "DISCOUNT"}
    finds = ("id", "code")
    type: ClassVar[str] = "DiscountNode"
    root: ClassVar[str] = "discountNodes"
    listing: ClassVar[str] = "discounts"
    by_id: ClassVar[str] = "discounts_by_id"
    sizes: ClassVar = {"codes": 5, "items": 10, "metafields": 5}

    # -- reading

    def asked(self, fields_: frozenset[str] | None, scopes: Scopes) -> dict[str, bool]:
        """Return what has to be asked for so that these fields can be read."""
        return {
            "withCustomers": scopes.has("read_customers"),
            "withProducts": scopes.has("read_products"),
            "withMetafields": fields.wants(fields_, "metafields"),
        }

    def complete(self, doc: Doc) -> Flow[None]:
        """Add codes, products, collections and metafields that didn't come with a discount."""
        for connection, path in connections(doc):
            if following(connection["pageInfo"]):
                flags = {each: each in path for each in _CONNECTIONS}
                variables = {**flags, "id": doc["id"], "first": 250}
                yield from drain("discount_more", "discountNode", connection, variables, path)

    def changed(self, doc: Doc) -> str:
        """Return when a discount was changed."""
        return str(doc["discount"]["updatedAt"])

    def look_up(self, keys: Sequence[str]) -> Flow[list[str]]:
        """Return the ids of the discounts that have these codes now."""
        found = yield from by_code(values(keys, "code"))
        return [_node(id_, "DiscountNode") for id_ in found.values()]

    def read(self, doc: Doc) -> Discount:
        """Return the discount that a document describes."""
        facts = self.shop.facts
        return discount(doc, facts.currency if facts else "")

    # -- writing

    def create(self, change: Change[Discount], batch: Batch[Discount], facts: Facts) -> Flow[str]:
        """Create a discount with its first code, once, then add its other codes."""
        refuse_unheld(change.desired)
        id_ = yield from super().create(change, batch, facts)
        if len(change.desired.codes) > 1:
            live = yield from self._live(id_)
            yield from self._add_codes(change, live, change.desired.codes)
        return id_

    def make(self, change: Change[Discount], batch: Batch[Discount], facts: Facts) -> Flow[str]:
        """Create a discount by one request."""
        desired = change.desired
        body = yield from inputs(desired, None, batch, facts)
        name, root = _MAKE[desired.free_shipping]
        kind = RequestKind.CREATE
        payload = yield from mutate(name, root, {"discount": body}, change, kind)
        return _node(id_of(payload["codeDiscountNode"]), "DiscountNode")

    def is_made(self, desired: Discount, live: Discount) -> bool:
        """Return whether a discount is the one to be made; codes may still be added to it."""
        ours, theirs = (frozenset(map(str.casefold, each.codes)) for each in (desired, live))
        return theirs <= ours and super().is_made(desired.without("codes"), live)

    def update(
        self, change: Change[Discount], batch: Batch[Discount], facts: Facts
    ) -> Flow[Outcome]:
        """Write one part of a discount.

        Raises:
            NotSupported: for one without codes, and for types that the model can't say.
        """
        if change.part == "metafields":
            owner = change.record_id
            yield from write_metafields(self.shop, change)
            return applied(change, owner)
        desired = change.desired
        doc = yield from self._live(change.record_id)
        refuse_unheld(_changed(desired, self.read(doc)))
        kind = doc["discount"]["__typename"]
        if kind not in ("DiscountCodeBasic", "DiscountCodeFreeShipping"):
            raise NotSupported(f"a {kind} isn't written by this adapter", "change it in the admin")
        shipping = kind == "DiscountCodeFreeShipping"
        refuse_another_type(desired, shipping=shipping)
        body = yield from inputs(desired, doc, batch, facts)
        if body:
            name, root = _CHANGE[shipping]
            variables = {"id": _node(doc["id"], "DiscountCodeNode"), "discount": body}
            yield from mutate(name, root, variables, change)
        if "codes" in desired.given and "code" not in body:
            yield from self._add_codes(change, doc, desired.codes)
            yield from _drop_codes(change, doc, desired.codes)
        return applied(change, change.record_id)

    def outcome(
        self, change: Change[Discount], batch: Batch[Discount], facts: Facts
    ) -> Flow[Outcome]:
        """Make one change; also of one that was made in part the id is that of a discount."""
        found = yield from super().outcome(change, batch, facts)
        return replace(found, id=_node(found.id, "DiscountNode")) if found.id else found

    def delete(self, change: Change[Discount]) -> Flow[str]:
        """Delete a discount."""
        try:
            doc = yield from self._live(change.record_id)
        except NotFound:
            return change.record_id
        name, root, kind = "discount_code_delete", "discountCodeDelete", "DiscountCodeNode"
        if is_automatic(doc):
            name, root = "discount_automatic_delete", "discountAutomaticDelete"
            kind = "DiscountAutomaticNode"
        named = replace(change, record_id=_node(change.record_id, kind))
        yield from removal(name, root, named)
        return change.record_id

    def _add_codes(self, change: Change[Discount], live: Doc, wanted: Sequence[str]) -> Flow[None]:
        """Add codes that a discount lacks; one that it has can't be added twice.

        Raises:
            Rejected: if some were not taken: they belong to other discounts.
        """
        missing = [{"code": each} for each in _lacking(live, wanted)]
        id_, failed = _node(live["id"], "DiscountCodeNode"), 0
        for start in range(0, len(missing), _CODES):
            variables = {"id": id_, "codes": missing[start : start + _CODES]}
            name, root = "discount_codes_add", "discountRedeemCodeBulkAdd"
            payload = yield from mutate(name, root, variables, change)
            failed += yield from _added(payload["bulkCreation"], change)
        # After a lost answer it is its own codes that are taken.
        if failed and (rest := _lacking((yield from self._live(live["id"])), wanted)):
            text = f"{len(rest)} codes were not taken"
            raise Rejected(text, fields={"codes": "taken"}, remedy="Give codes that are free.")

    def _live(self, id_: str) -> Flow[Doc]:
        """Return the document of a discount, whole.

        Raises:
            NotFound: if it is gone.
        """
        facts = yield from self.shop.known()
        flags = self.asked(frozenset({"codes"}), facts.scopes)
        try:
            docs = yield from self._nodes([id_], flags)
        except BadAnswer:  # nothing was sent yet, so it may be asked once more
            docs = yield from self._nodes([id_], flags)
        if not docs:
            raise NotFound(f"there is no discount {id_}")
        return docs[0]

    # -- forms

    def cost(self, change: Change[Discount]) -> Cost:
        """Return what a change takes: one that is there is read first."""
        if change.part == "metafields":
            return Cost(requests=1, points=document("metafields_set").cost({}))
        made = Cost(requests=1, points=document("discount_code_create").cost({}))
        if change.action == "create" and len(change.desired.codes) < 2:
            return made
        flags = dict.fromkeys(("withCustomers", "withProducts", "withMetafields"), True)
        read = document("discounts_by_id").cost({**self.sizes, **flags})
        return made + Cost(requests=1, points=read) + _cost_of_codes(change)

    def normal(self, desired: Discount) -> Discount:
        """Return a desired discount as Shopify gives it back."""
        if "title" in desired.given and not desired.title:
            first = next(iter(desired.codes), "")  # Shopify's discounts have a title
            desired = desired.but(title=first) if first else desired.without("title")
        given, new = desired.given, dict[str, Any]()
        for name in {"starts_at", "ends_at"} & given:
            time = getattr(desired, name)
            new[name] = time.astimezone(UTC).replace(microsecond=0) if time else None
        for name in {"usage_limit", "usage_limit_per_customer", "minimum_quantity"} & given:
            new[name] = getattr(desired, name) or None
        if desired.minimum_subtotal is not None and not desired.minimum_subtotal.amount:
            new["minimum_subtotal"] = None
        if desired.amount is None and "each_item" in given:
            new["each_item"] = False
        if "platform_fields" in given:
            # What can't be written stays, so that nothing is made without it.
            mine = extras_of(desired).items()
            kept = {name: value for name, value in mine if name in EXTRAS | LIMITS}
            if "tags" in kept:
                kept["tags"] = list(tag_forms(kept["tags"]))
            new["platform_fields"] = {reading.NAMESPACE: kept} if kept else {}
        changed = {name: value for name, value in new.items() if value != getattr(desired, name)}
        return desired.model_copy(update=changed) if changed else desired

    def check(self, record: Discount) -> Iterable[Fit]:
        """Yield what the token may not write, and what a discount with codes can't be."""
        yield from super().check(record)
        if not record.codes and not record.id and "codes" not in record.given:
            yield Fit("discount", record.label, "codes", NO_CODE, "schema, DiscountCodeBasicInput")
        for field, message in unheld(record).items():
            yield Fit("discount", record.label, field, message, "schema, DiscountCodeBasicInput")
        for name in extras_of(record):
            if name not in EXTRAS | LIMITS:
                path = f"platform_fields.{reading.NAMESPACE}.{name}"
                message = "the adapter has no call that writes it"
                yield Fit("discount", record.label, path, message)


_CONNECTIONS = ("metafields", "codes", "customerBuys", "customerGets", "products",
                "productVariants", "collections")  # fmt: skip


def _node(id_: str, kind: str) -> str:
    """Return the id of a discount as an object of another type.

    All go by one number: discountNode takes the ids of the other types too (its example on
    shopify.dev asks for a DiscountAutomaticNode).
    """
    return f"gid://shopify/{kind}/{id_.rpartition('/')[2]}"


def _changed(desired: Discount, live: Discount) -> Discount:
    """Return a desired discount without what only Shopify knows and is so already."""
    held = extras_of(live)
    new = {name: each for name, each in extras_of(desired).items() if each != held.get(name)}
    return desired.but(platform_fields={reading.NAMESPACE: new}) if extras_of(desired) else desired


def _lacking(live: Doc, wanted: Sequence[str]) -> list[str]:
    """Return the codes that a discount doesn't have, in any case."""
    held = {node["code"].casefold() for node in live["discount"]["codes"]["nodes"]}
    return [code for code in wanted if code.casefold() not in held]


def _cost_of_codes(change: Change[Discount]) -> Cost:
    """Return what it takes to add codes and take others out, with some looks at each call."""
    now = set(map(str.casefold, change.desired.codes))
    held = change.before.codes if change.before else change.desired.codes[:1]
    was = set(map(str.casefold, held)) if "codes" in change.desired.given else now
    if change.action != "create" and len(was) == len(now) == 1:
        return Cost(requests=0)  # the only code is renamed
    found = Cost(requests=0)
    for codes, name, look in (
        (now - was, "discount_codes_add", "discount_codes_added"),
        (was - now, "discount_codes_remove", "job"),
    ):
        calls = ceil(len(codes) / _CODES)
        points = document(name).cost({}) + _LOOKS * document(look).cost({})
        found += Cost(requests=calls * (1 + _LOOKS), points=calls * points)
    return found


def _added(work: Doc, change: Change[Discount]) -> Flow[int]:
    """Wait until codes are added, and return how many were not.

    Raises:
        OutcomeUnknown: if they aren't added within two minutes.
    """
    for pause in _PAUSES:
        if work["done"]:
            return int(work["failedCount"])
        yield from wait(pause, "Shopify adds codes")
        found = yield from call("discount_codes_added", {"id": work["id"]})
        work = found["discountRedeemCodeBulkCreation"]
    raise OutcomeUnknown("Shopify is still adding codes", covers=(change.id,))


def _drop_codes(change: Change[Discount], live: Doc, wanted: Sequence[str]) -> Flow[None]:
    """Take codes out of a discount."""
    kept = set(map(str.casefold, wanted))
    nodes = live["discount"]["codes"]["nodes"]
    gone = [node["id"] for node in nodes if node["code"].casefold() not in kept]
    id_ = _node(live["id"], "DiscountCodeNode")
    for start in range(0, len(gone), _CODES):
        variables = {"id": id_, "ids": gone[start : start + _CODES]}
        name, root = "discount_codes_remove", "discountCodeRedeemCodeBulkDelete"
        payload = yield from mutate(name, root, variables, change)
        yield from finished(payload["job"], change)
