"""Products: read whole, created by productSet, changed by the call that changes least."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storebridge.adapter import Batch, Change, Fit, MediaLimits, Page, Query
from storebridge.errors import AuthError, NotFound, OutcomeUnknown, StorebridgeError
from storebridge.flow import Flow, Outcome, RequestKind, report
from storebridge.models import Product, Variant
from storebridge_shopify import fields, prices, reading, translations
from storebridge_shopify.forms import normal, unheld
from storebridge_shopify.graphql import Doc, call
from storebridge_shopify.inventory import Levels
from storebridge_shopify.lookup import by_handle, by_sku, ids_of, values
from storebridge_shopify.media import Files
from storebridge_shopify.owned import publish, write_metafields
from storebridge_shopify.records import ShopifyRecords, applied, given_paths, mutate, removal
from storebridge_shopify.scopes import lacking
from storebridge_shopify.search import both, since, term
from storebridge_shopify.site import Facts
from storebridge_shopify.taxonomy import Taxonomy
from storebridge_shopify.walk import asked, complete, page_variables, whole
from storebridge_shopify.writing import (
    STATUSES,
    Shape,
    bulk_variant,
    own,
    quantities,
    set_variant,
)

__all__ = ["ProductRecords"]

_FORMS = "apps/build/online-store/product-media"


class ProductRecords(ShopifyRecords[Product]):
    """The products of a shop."""

    model = Product
    fields = fields.PRODUCT
    finds = ("id", "handle", "sku")
    shares_media = True
    copies_media = True
    media_limits = MediaLimits(
        pixels=20_000_000, kinds=frozenset({"png", "gif", "jpeg", "webp"}), source=_FORMS
    )

    def __init__(self, *arguments: Any) -> None:
        """Keep the shop, its settings, and what is learned while writing."""
        super().__init__(*arguments)
        self.taxonomy = Taxonomy()
        self.files = Files()

    # -- reading

    def page(self, query: Query, cursor: str) -> Flow[Page[Product]]:
        """Return the products at a cursor, in the order of their ids."""
        facts = yield from self.shop.known()
        flags = asked(query.fields, facts.scopes)
        if query.status and query.status not in STATUSES:
            return Page(())
        if query.ids:
            return (yield from self._by_ids(query, cursor, flags, facts))
        words = (
            term("status", query.status) if query.status else "",
            since(query.updated_since) if query.updated_since else "",
        )
        variables = page_variables("products", flags, self.settings.page_size)
        variables |= {"after": cursor or None, "query": both(*words), "sortKey": "ID"}
        found = (yield from call("products", variables))["products"]
        docs = [doc for doc in found["nodes"] if _is_since(doc, query)]
        yield from complete(docs, flags)
        records = yield from self._records(docs, facts, query.fields)
        if query.raw:
            records = [record.with_raw(doc) for record, doc in zip(records, docs, strict=True)]
        info = found["pageInfo"]
        return Page(tuple(records), str(info["endCursor"]) if info["hasNextPage"] else "")

    def fetch(
        self, keys: Sequence[str], fields: frozenset[str] | None
    ) -> Flow[tuple[Product, ...]]:
        """Return the products that have any of these keys, each once."""
        facts = yield from self.shop.known()
        ids = dict.fromkeys(ids_of(keys, "Product"))
        handles, skus = values(keys, "handle"), values(keys, "sku")
        if handles:
            hits = yield from by_handle("products_by_handle", handles)
            ids |= dict.fromkeys(hits.values())
        if skus:
            ids |= dict.fromkeys((yield from by_sku(skus)))
            fields = None if fields is None else fields | {"variants"}
        flags = asked(fields, facts.scopes)
        docs = yield from whole(list(ids), flags)
        return tuple((yield from self._records(docs, facts, fields)))

    def _by_ids(
        self, query: Query, cursor: str, flags: Mapping[str, bool], facts: Facts
    ) -> Flow[Page[Product]]:
        ids = ids_of([f"id:{each}" for each in query.ids], "Product")
        start = int(cursor or 0)
        size = self.settings.page_size
        docs = yield from whole(ids[start : start + size], flags)
        records = yield from self._records(docs, facts, query.fields)
        if query.raw:
            records = [record.with_raw(doc) for record, doc in zip(records, docs, strict=True)]
        return Page(tuple(records), str(start + size) if start + size < len(ids) else "")

    def _records(
        self, docs: Sequence[Doc], facts: Facts, names: frozenset[str] | None
    ) -> Flow[list[Product]]:
        """Return records with what has to be asked for besides: prices and translations."""
        records = [reading.product(doc, facts.currency) for doc in docs]
        for doc in docs:
            self._learn(doc)
        if fields.wants(names, "variants.market_prices"):
            records = yield from prices.read(records, facts)
        if fields.wants(names, "translations"):
            records = yield from translations.read(records, facts)
        return records

    def _learn(self, doc: Doc) -> None:
        """Keep what never changes: items of variants, names of taxonomy places."""
        for node in reading.nodes(doc.get("variants")):
            self.shop.items[node["id"]] = node["inventoryItem"]["id"]
        if doc["category"]:
            self.taxonomy.learn(doc["category"])

    # -- writing

    def write(self, batch: Batch[Product]) -> Flow[None]:
        """Make the changes, and set stock and market prices in calls of many."""
        facts = yield from self.shop.known()
        levels, pending = Levels(batch, self.shop), dict[str, Outcome]()
        if batch.changes and batch.changes[0].part == "prices":
            yield from prices.write(batch, facts, self._variants)
            return
        for change in batch.changes:
            outcome = yield from self._outcome(change, batch, facts, levels)
            if levels.has(change.id) and outcome.cause == "":
                pending[change.id] = outcome
            else:
                levels.drop(change.id)
                yield from report([outcome])
        failures = yield from levels.write()
        yield from report([failures.get(name, done) for name, done in pending.items()])

    def _outcome(
        self, change: Change[Product], batch: Batch[Product], facts: Facts, levels: Levels
    ) -> Flow[Outcome]:
        if change.action != "update" or change.part != "core":
            return (yield from self.outcome(change, batch, facts))
        try:
            yield from self._core(change, facts, levels)
        except AuthError:
            raise
        except StorebridgeError as error:
            return Outcome.failure(change.id, error)
        return applied(change, change.record_id)

    def make(self, change: Change[Product], batch: Batch[Product], facts: Facts) -> Flow[str]:
        """Create a product with its variants and their stock, published nowhere."""
        desired = change.desired
        body = own(desired, (yield from self.taxonomy.place(desired)))
        body.setdefault("status", "DRAFT")  # Shopify's own default is ACTIVE
        body.setdefault("title", desired.title or desired.handle)
        shape = Shape(None, desired)
        for variant in desired.variants:
            stock = quantities(variant, facts)
            row = set_variant(variant, facts) | ({"inventoryQuantities": stock} if stock else {})
            shape.add(variant.options, row)
        variables = {"identifier": None, "input": body | shape.input({})}
        kind = RequestKind.CREATE
        payload = yield from mutate("product_set", "productSet", variables, change, kind)
        return str(payload["product"]["id"])

    def update(self, change: Change[Product], batch: Batch[Product], facts: Facts) -> Flow[Outcome]:
        """Write one part of a product other than its core, which `write` sees to."""
        if change.part == "media":
            live = yield from self._live(change, {"media", "variants.media"})
            return (yield from self.files.write(change, live))
        if change.part == "metafields":
            named = {change.record_id: change.desired.metafields}
            variants = yield from self._variants(change)
            named |= {each.id: each.metafields for each in variants if each.metafields}
            yield from write_metafields(change, named)
        elif change.part == "translations":
            yield from translations.write(change, facts)
        elif change.part == "publication":
            yield from publish(change, facts)
        elif change.part == "membership":
            yield from self._collections(change, batch)
        return applied(change, change.record_id)

    def delete(self, change: Change[Product]) -> Flow[str]:
        """Delete a product."""
        return (yield from removal("product_delete", "productDelete", change))

    def _core(self, change: Change[Product], facts: Facts, levels: Levels) -> Flow[None]:
        """Write a product's own fields and its variants; their stock is left to `levels`."""
        desired = change.desired
        body = own(desired, (yield from self.taxonomy.place(desired)))
        if _keeps_shape(change):
            if body:
                yield from self._set(change, body)
            yield from self._update_variants(change, desired.variants, facts)
            levels.add(change, desired.variants, facts)
            return
        yield from self._reshape(change, body, facts, levels)

    def _reshape(
        self, change: Change[Product], body: dict[str, Any], facts: Facts, levels: Levels
    ) -> Flow[None]:
        """Write lists of options and variants, completed from the live product.

        A new variant has no id yet, so after a lost answer the product is read again first.

        Raises:
            OutcomeUnknown: if the answer was lost twice.
        """
        lost: OutcomeUnknown | None = None
        for _ in range(2):
            live = yield from self._live(change, {"variants.sku", "options"})
            matched = [(v, _match(v, live, change.desired)) for v in change.desired.variants]
            shape = self._shape(change, live, matched, facts)
            lists = shape.input((yield from self._option_ids(change)))
            new = any(found is None for _, found in matched)
            kind = RequestKind.CREATE if new else RequestKind.SET
            try:
                yield from self._set(change, body | lists, kind)
            except OutcomeUnknown as error:
                lost = error
                continue
            known = [v.model_copy(update={"id": found.id}) for v, found in matched if found]
            levels.add(change, known, facts)
            return
        assert lost is not None
        raise lost

    def _shape(
        self,
        change: Change[Product],
        live: Product,
        matched: Sequence[tuple[Variant, Variant | None]],
        facts: Facts,
    ) -> Shape:
        """Return the whole list: live variants in their order, then new ones."""
        shape = Shape(live, change.desired)
        gone = set(change.removed.get("variants", ()))
        wanted = {found.id: variant for variant, found in matched if found}
        for variant in live.variants:
            named = wanted.get(variant.id)
            dropped = bool(gone & set(variant.element_keys())) or _replaces(change.desired)
            if named is None and (dropped or shape.stand_alone):
                continue
            given = named is not None and "options" in named.given
            options = named.options if named and given else shape.carried(variant.options)
            row = set_variant(named, facts) if named else {}
            shape.add(options, {"id": variant.id, **row})
        for variant, found in matched:
            if found is None:
                stock = quantities(variant, facts)
                more = {"inventoryQuantities": stock} if stock else {}
                shape.add(variant.options, set_variant(variant, facts) | more)
        return shape

    def _option_ids(self, change: Change[Product]) -> Flow[dict[str, str]]:
        flags = asked(frozenset({"options"}), (yield from self.shop.known()).scopes)
        for doc in (yield from whole([change.record_id], flags)):
            return {each["name"]: each["id"] for each in doc["options"]}
        return {}

    def _set(
        self, change: Change[Product], body: Doc, kind: RequestKind = RequestKind.SET
    ) -> Flow[None]:
        variables = {"identifier": {"id": change.record_id}, "input": body}
        yield from mutate("product_set", "productSet", variables, change, kind)

    def _update_variants(
        self, change: Change[Product], variants: Sequence[Variant], facts: Facts
    ) -> Flow[None]:
        rows = [{"id": v.id, **bulk_variant(v, facts)} for v in variants]
        rows = [row for row in rows if len(row) > 1]
        for start in range(0, len(rows), 250):
            variables = {"productId": change.record_id, "variants": rows[start : start + 250]}
            yield from mutate("variants_update", "productVariantsBulkUpdate", variables, change)

    def _collections(self, change: Change[Product], batch: Batch[Product]) -> Flow[None]:
        """Put a product into the collections that are filled by hand."""
        handles = change.desired.collections
        known = {each: batch.ids.get(f"collection handle:{each}", "") for each in handles}
        lacking = [handle for handle, found in known.items() if not found]
        if lacking:
            known |= yield from by_handle("collections_by_handle", lacking)
        for handle in handles:
            if not known.get(handle):
                raise NotFound(f"there is no collection {handle!r}", fields={"collections": handle})
        yield from self._set(change, {"collections": [known[handle] for handle in handles]})

    # -- what is live

    def _live(self, change: Change[Product], names: Iterable[str]) -> Flow[Product]:
        """Return the product that a change is about, as it is now.

        Raises:
            NotFound: if it is gone.
        """
        found = yield from self.fetch((f"id:{change.record_id}",), frozenset(names))
        if not found:
            raise NotFound(f"there is no product {change.record_id}")
        return found[0]

    def _variants(self, change: Change[Product]) -> Flow[tuple[Variant, ...]]:
        """Return the variants of a change with their ids, looked up where it has none."""
        desired = change.desired.variants
        if all(variant.id for variant in desired):
            return desired
        live = yield from self._live(change, {"variants.sku"})
        found = []
        for variant in desired:
            match = _match(variant, live, change.desired)
            if match is None:
                name = variant.element_keys()[0]
                raise NotFound(f"the product has no variant {name}", fields={"variants": name})
            found.append(variant.model_copy(update={"id": match.id}))
        return tuple(found)

    # -- forms

    def normal(self, desired: Product) -> Product:
        """Return a desired product as Shopify gives it back."""
        markets = self.shop.facts.markets if self.shop.facts else {}
        return normal(desired, self.taxonomy, markets)

    def check(self, record: Product) -> Iterable[Fit]:
        """Yield what the token may not write, and what Shopify has no place for."""
        if self.shop.facts is not None:
            yield from lacking(record, given_paths(record), self.shop.facts.scopes)
        yield from unheld(record)


def _is_since(doc: Doc, query: Query) -> bool:
    """Return whether a product was changed when it was asked for; a search asks for more."""
    if query.updated_since is None:
        return True
    time = reading.time(doc["updatedAt"])
    return time >= query.updated_since.replace(microsecond=0)


def _replaces(desired: Product) -> bool:
    return desired.modes.get("variants") == "replace" and "variants" in desired.given


def _keeps_shape(change: Change[Product]) -> bool:
    """Return whether a change leaves options and the list of variants as they are."""
    desired, before = change.desired, change.before
    if change.removed.get("variants") or _replaces(desired):
        return False
    if "options" in desired.given and (before is None or before.options != desired.options):
        return False
    was = {variant.id: variant for variant in before.variants} if before else {}
    for variant in desired.variants:
        if not variant.id:
            return False
        known = was.get(variant.id)
        if "options" in variant.given and (known is None or known.options != variant.options):
            return False
    return True


def _match(desired: Variant, live: Product, whole_: Product) -> Variant | None:
    """Return the live variant that a desired one is: by id, SKU or options, or the only one."""
    if desired.id:
        return next((each for each in live.variants if each.id == desired.id), None)
    if desired.sku:
        same = [each for each in live.variants if each.sku == desired.sku]
        if len(same) == 1:
            return same[0]
    if "options" in desired.given and desired.options:
        return next((each for each in live.variants if each.options == desired.options), None)
    only = len(live.variants) == len(whole_.variants) == 1 and not live.options
    return live.variants[0] if only else None
