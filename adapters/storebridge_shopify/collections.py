"""Collections: filled by hand, or by rules (the shape that all supported versions know)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from storebridge.adapter import Batch, Change, Cost, Fit, Page, Query
from storebridge.errors import AuthError, NotFound, Rejected, StorebridgeError
from storebridge.flow import Flow, Outcome, RequestKind, wait
from storebridge.models import Collection, Media, Seo
from storebridge.wire import local_file
from storebridge_shopify import fields, forecast, reading, translations
from storebridge_shopify.bulk_shapes import COLLECTIONS
from storebridge_shopify.channels import publish
from storebridge_shopify.collection_rules import definitions, rule, rule_input, unheld
from storebridge_shopify.graphql import Doc, call, document, following, id_of
from storebridge_shopify.lookup import by_handle, handle_form, ids_of, products_of, values
from storebridge_shopify.metafields import write_metafields
from storebridge_shopify.records import (
    LATE,
    ShopifyRecords,
    applied,
    finished,
    mutate,
    removal,
)
from storebridge_shopify.scopes import Scopes
from storebridge_shopify.search import both, since
from storebridge_shopify.site import Facts
from storebridge_shopify.uploads import file_part, staged
from storebridge_shopify.walk import drain, stays

__all__ = ["CollectionRecords"]

_POINTS = 700.0
_SIZES = {"metafields": 20, "products": 50, "channels": 10}
_CONNECTIONS = ("products", "metafields", "resourcePublications")
_ORDERS = frozenset(
    {"alpha_asc", "alpha_desc", "best_selling", "created", "created_desc", "manual"}
    | {"most_relevant", "price_asc", "price_desc"}
)


class CollectionRecords(ShopifyRecords[Collection]):
    """The collections of a shop."""

    model = Collection
    fields = fields.COLLECTION
    owners: ClassVar = {"metafields": "COLLECTION"}
    finds = ("id", "handle")
    export = COLLECTIONS
    copies_media = True
    enforced = False  # a handle that is taken gets a number (recorded answer)

    # -- reading

    def page(self, query: Query, cursor: str) -> Flow[Page[Collection]]:
        """Return the collections at a cursor, in the order of their ids."""
        facts = yield from self.shop.known()
        if query.status:
            return Page(())
        flags = _asked(query.fields, facts.scopes)
        if query.ids:
            docs = yield from _by_ids(ids_of([f"id:{i}" for i in query.ids], "Collection"), flags)
            docs = [doc for doc in docs if _is_since(doc, query)]
            return Page((yield from self._records(docs, facts, query)))
        search = both(since(query.updated_since)) if query.updated_since else None
        listed = self._listed(search, cursor, flags)
        docs, more = yield from self.walked(cursor, search, flags, listed)
        docs = [doc for doc in docs if _is_since(doc, query)]
        yield from _complete(docs)
        return Page((yield from self._records(docs, facts, query)), more)

    def _records(
        self, docs: Sequence[Doc], facts: Facts, query: Query
    ) -> Flow[tuple[Collection, ...]]:
        """Return records with their translations, which have to be asked for besides."""
        records = list(map(_collection, docs))
        if fields.wants(query.fields, "translations"):
            records = yield from translations.read(records, facts)
        if query.raw:
            records = [each.with_raw(doc) for each, doc in zip(records, docs, strict=True)]
        return tuple(records)

    def _listed(
        self, search: str | None, cursor: str, flags: Mapping[str, bool]
    ) -> Flow[tuple[list[Doc], str]]:
        """Return a page's documents, and where the next ones are."""
        variables: dict[str, Any] = {**_SIZES, **flags, "first": self.settings.page_size}
        while variables["first"] > 1 and document("collections").cost(variables) > _POINTS:
            variables["first"] //= 2
        variables |= {"after": cursor or None, "query": search}
        found = (yield from call("collections", variables))["collections"]
        return list(found["nodes"]), following(found["pageInfo"])

    def fetch(
        self, keys: Sequence[str], fields: frozenset[str] | None
    ) -> Flow[tuple[Collection, ...]]:
        """Return the collections that have any of these keys, each once."""
        facts = yield from self.shop.known()
        ids = dict.fromkeys(ids_of(keys, "Collection"))
        if handles := values(keys, "handle"):
            ids |= dict.fromkeys((yield from by_handle("collections_by_handle", handles)).values())
        docs = yield from _by_ids(list(ids), _asked(fields, facts.scopes))
        return (yield from self._records(docs, facts, Query(fields=fields)))

    # -- writing

    def write(self, batch: Batch[Collection]) -> Flow[None]:
        """Make the changes, once nothing that an earlier run sent can be made any more."""
        late = [c for c in batch.changes if c.action == "create" and c.id in batch.uncertain]
        for pause in LATE:
            late = yield from self._lacking(late)
            if not late:
                break
            yield from wait(pause, "a lost answer")
        yield from super().write(batch)

    def _lacking(self, changes: Sequence[Change[Collection]]) -> Flow[list[Change[Collection]]]:
        """Return the creates whose collections aren't there; all where they can't be looked for."""
        keys = {change.id: self.normal(change.desired).keys() for change in changes}
        try:
            names = [name for each in keys.values() for name in each]
            found = yield from self.fetch(names, frozenset({"handle"}))
        except AuthError:
            raise
        except StorebridgeError:
            return list(changes)
        held = set[str]().union(*(each.keys() for each in found))
        return [c for c in changes if keys[c.id] and held.isdisjoint(keys[c.id])]

    def make(self, change: Change[Collection], batch: Batch[Collection], facts: Facts) -> Flow[str]:
        """Create a collection without members, published nowhere."""
        body = _input(change.desired, None, (yield from definitions(change.desired.rules)))
        body.setdefault("title", change.desired.title or change.desired.handle)
        kind = RequestKind.CREATE
        payload = yield from mutate(
            "collection_create", "collectionCreate", {"input": body}, change, kind
        )
        return id_of(payload["collection"])

    def update(
        self, change: Change[Collection], batch: Batch[Collection], facts: Facts
    ) -> Flow[Outcome]:
        """Write one part of a collection."""
        if change.part == "metafields":
            yield from write_metafields(self.shop, change)
        elif change.part == "publication":
            yield from publish(change, facts)
        elif change.part == "translations":
            yield from translations.write(change, facts)
        elif change.part == "membership":
            yield from self._members(change, batch)
        elif change.part == "media":
            made = yield from self._picture(change)
            return replace(applied(change, change.record_id), media=made)
        else:
            yield from self._core(change)
        return applied(change, change.record_id)

    def delete(self, change: Change[Collection]) -> Flow[str]:
        """Delete a collection."""
        return (yield from removal("collection_delete", "collectionDelete", change))

    def _core(self, change: Change[Collection]) -> Flow[None]:
        """Write a collection's own fields; rules go whole, so they are completed.

        Raises:
            Rejected: if it is to be filled by hand instead of by rules, or the other way round.
        """
        desired, live = change.desired, None
        if {"rules", "match_all"} & desired.given:
            live = yield from self._live(change)
            for field, message in self.fixed(desired, live).items():
                raise Rejected(message, fields={field: "fixed"}, remedy="Make another one.")
        rules = desired.rules if live is None or "rules" in desired.given else live.rules
        body = _input(desired, live, (yield from definitions(rules)))
        yield from _updated(change, body)

    def _picture(self, change: Change[Collection]) -> Flow[dict[str, str]]:
        """Give a collection its picture, or none; return what came of its source.

        Raises:
            Rejected: if there is no address of one.
        """
        image = change.desired.image
        if image is None:
            yield from _updated(change, {"image": None})
            return {}
        held = (yield from self._live(change)).image or Media()
        row = {"altText": image.alt if "alt" in image.given else held.alt}
        if held.id and (not image.url or image.id == held.id):
            row["id"] = held.id  # the same picture under another text
        elif not image.url:
            message, remedy = "the collection has no picture", "Give its address."
            raise Rejected(message, fields={"image": "missing"}, remedy=remedy)
        elif path := local_file(image.url):
            row["src"] = (yield from staged(file_part(path), "COLLECTION_IMAGE")).url
        else:
            row["src"] = image.url
        found = yield from _updated(change, {"image": row})
        made = (found["image"] or {}).get("id")
        return dict.fromkeys(image.element_keys(), made) if made else {}

    def _members(self, change: Change[Collection], batch: Batch[Collection]) -> Flow[None]:
        """Put products in and take others out, then bring them into order where it is kept."""
        wanted = yield from products_of(change.desired.products, batch.ids)
        live = yield from self._live(change)
        if live.rules:
            raise Rejected("a collection with rules fills itself", fields={"products": "rules"})
        held = yield from products_of(live.products, batch.ids)
        steps = (
            ("collection_add_products", "collectionAddProductsV2", wanted, held),
            ("collection_remove_products", "collectionRemoveProducts", held, wanted),
        )
        for name, root, these, those in steps:
            ids = [each for each in these if each not in those]
            for start in range(0, len(ids), 250):
                variables = {"id": change.record_id, "productIds": ids[start : start + 250]}
                payload = yield from mutate(name, root, variables, change)
                yield from finished(payload["job"], change)
        now = [each for each in held if each in wanted]
        now += [each for each in wanted if each not in held]
        if live.sort_order == "manual" and now != wanted:
            yield from _reorder(change, now, wanted)

    def _live(self, change: Change[Collection]) -> Flow[Collection]:
        found = yield from self.fetch((f"id:{change.record_id}",), None)
        if not found:
            raise NotFound(f"there is no collection {change.record_id}")
        return found[0]

    # -- forms

    def normal(self, desired: Collection) -> Collection:
        """Return a desired collection as Shopify gives it back."""
        desired = desired.without("platform_fields")  # Shopify has none of its own here
        if desired.sort_order and desired.sort_order not in _ORDERS:
            desired = desired.without("sort_order")
        if "handle" in desired.given and handle_form(desired.handle) != desired.handle:
            return desired.model_copy(update={"handle": handle_form(desired.handle)})
        return desired

    def fixed(self, desired: Collection, live: Collection) -> dict[str, str]:
        """Return what can't be changed: a collection is filled by rules, or by hand, for good."""
        if "rules" not in desired.given or bool(desired.rules) == bool(live.rules):
            return {}
        how = "by rules" if live.rules else "by hand"
        return {"rules": f"a collection that is filled {how} stays so"}

    def cost(self, change: Change[Collection]) -> Cost | None:
        """Return what a change takes."""
        return forecast.collection(change)

    def check(self, record: Collection) -> Iterable[Fit]:
        """Yield what the token may not write, and what Shopify has no place for."""
        yield from super().check(record)
        if record.sort_order and record.sort_order not in _ORDERS:
            message = f"Shopify has no order {record.sort_order!r}"
            yield Fit("collection", record.label, "sort_order", message, "CollectionSortOrder")
        for message in unheld(record.rules):
            yield Fit("collection", record.label, "rules", message, "CollectionRuleRelation")
        if record.rules and record.products:
            message = "a collection with rules fills itself"
            yield Fit("collection", record.label, "products", message)


def _asked(names: frozenset[str] | None, scopes: Scopes) -> dict[str, bool]:
    return {
        "withMetafields": fields.wants(names, "metafields"),
        "withProducts": fields.wants(names, "products"),
        "withChannels": fields.wants(names, "channels") and scopes.has("read_publications"),
    }


def _by_ids(ids: Sequence[str], flags: Mapping[str, bool]) -> Flow[list[Doc]]:
    found: list[Doc] = []
    for start in range(0, len(ids), 50):
        variables = {**_SIZES, **flags, "ids": ids[start : start + 50]}
        data = yield from call("collections_by_id", variables)
        found += [doc for doc in data["nodes"] if doc and "id" in doc]
    yield from _complete(found)
    return found


def _complete(docs: list[Doc]) -> Flow[None]:
    """Add to collections what their connections hold; one that went away is taken out."""
    for doc in tuple(docs):
        if not (yield from stays(doc, _rest(doc))):
            docs.remove(doc)


def _rest(doc: Doc) -> Flow[None]:
    for name in _CONNECTIONS:
        if name in doc and (name != "products" or not doc["ruleSet"]):  # rules name the products
            only = {each: each == name for each in _CONNECTIONS}
            variables = {**only, "id": doc["id"], "first": 250}
            yield from drain("collection_more", "collection", doc[name], variables, (name,))


def _is_since(doc: Doc, query: Query) -> bool:
    since_ = query.updated_since
    return since_ is None or reading.time(doc["updatedAt"]) >= since_.replace(microsecond=0)


def _collection(doc: Doc) -> Collection:
    """Return the collection that a document describes."""
    rules = doc["ruleSet"]
    found: dict[str, Any] = {
        "id": doc["id"],
        "handle": doc["handle"],
        "title": doc["title"],
        "description_html": doc["descriptionHtml"],
        "sort_order": doc["sortOrder"].lower(),
        "rules": tuple(map(rule, rules["rules"])) if rules else (),
        "match_all": not rules["appliedDisjunctively"] if rules else True,
        "image": _image(doc["image"]),
        "seo": Seo(title=doc["seo"]["title"] or "", description=doc["seo"]["description"] or ""),
        "updated_at": doc["updatedAt"],
    }
    if "metafields" in doc:
        found["metafields"] = reading.metafields(doc["metafields"])
    if "products" in doc:
        handles = (node["handle"] for node in reading.nodes(doc["products"]))
        # What sells best is another one tomorrow; only an order set by hand is one to keep.
        kept = handles if doc["sortOrder"] == "MANUAL" else sorted(handles)
        found["products"] = () if rules else tuple(f"handle:{each}" for each in kept)
    if "resourcePublications" in doc:
        found["channels"] = tuple(reading.channels(reading.nodes(doc["resourcePublications"])))
    return Collection(**found)


def _image(doc: Doc | None) -> Media | None:
    if doc is None:
        return None
    return Media(id=doc["id"] or "", url=doc["url"], alt=doc["altText"] or "", media_type="image")


def _updated(change: Change[Collection], body: Mapping[str, Any]) -> Flow[Doc]:
    """Change a collection, and return it once Shopify is done."""
    variables = {"input": {"id": change.record_id, **body}}
    payload = yield from mutate("collection_update", "collectionUpdate", variables, change)
    yield from finished(payload["job"], change)
    found: Doc = payload["collection"]
    return found


def _input(
    desired: Collection, live: Collection | None, known: Mapping[str, str]
) -> dict[str, Any]:
    """Return the input for a collection's own fields; `live` completes its rules.

    `known` has the ids of metafield definitions by the fields of rules.

    Raises:
        Rejected: for an order that Shopify doesn't have.
    """
    given = desired.given
    names = {"title": "title", "description_html": "descriptionHtml"}
    body = {theirs: getattr(desired, ours) for ours, theirs in names.items() if ours in given}
    if "handle" in given and desired.handle:
        body["handle"] = handle_form(desired.handle)
    if "seo" in given:
        body["seo"] = {name: getattr(desired.seo, name) for name in sorted(desired.seo.given)}
    if "sort_order" in given and desired.sort_order:
        if desired.sort_order not in _ORDERS:
            raise Rejected(
                f"Shopify has no order {desired.sort_order!r}",
                fields={"sort_order": "unknown"},
                remedy=f"Give one of: {', '.join(sorted(_ORDERS))}.",
            )
        body["sortOrder"] = desired.sort_order.upper()
    rules = desired.rules if "rules" in given or live is None else live.rules
    if rules:
        match_all = desired.match_all if "match_all" in given or live is None else live.match_all
        body["ruleSet"] = {
            "appliedDisjunctively": not match_all,
            "rules": [rule_input(each, known) for each in rules],
        }
    return body


def _reorder(change: Change[Collection], now: list[str], wanted: Sequence[str]) -> Flow[None]:
    """Move products to their places, each step on what the one before left."""
    moves = []
    for place, product in enumerate(wanted):
        if now[place] != product:
            now.remove(product)
            now.insert(place, product)
            moves.append({"id": product, "newPosition": str(place)})
    for start in range(0, len(moves), 250):
        variables = {"id": change.record_id, "moves": moves[start : start + 250]}
        name, root = "collection_reorder", "collectionReorderProducts"
        payload = yield from mutate(name, root, variables, change)
        yield from finished(payload["job"], change)
