"""Products: read whole, created by productSet, changed by the call that changes least."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from storebridge.adapter import Batch, Change, Cost, Fit, MediaLimits, Page, Query
from storebridge.errors import (
    AuthError,
    Conflict,
    NotFound,
    StorebridgeError,
)
from storebridge.flow import Flow, Outcome, RequestKind, remember, report
from storebridge.models import Product, Variant
from storebridge_shopify import fields, forecast, prices, reading, translations
from storebridge_shopify.adding import add_variants, parted
from storebridge_shopify.bulk_lines import PARTS, ProductLines
from storebridge_shopify.bulk_shapes import PRODUCTS
from storebridge_shopify.bulk_writing import Jobs
from storebridge_shopify.channels import publish
from storebridge_shopify.forms import normal, unheld
from storebridge_shopify.graphql import Doc, call, document, following, id_of
from storebridge_shopify.inventory import Levels
from storebridge_shopify.joining import edits, join, tag_calls, untagged
from storebridge_shopify.lookup import (
    by_handle,
    by_sku,
    collections_of,
    handle_form,
    ids_of,
    values,
)
from storebridge_shopify.matching import keeps_shape, named
from storebridge_shopify.media import Files
from storebridge_shopify.metafields import write_metafields
from storebridge_shopify.records import ShopifyRecords, applied, mutate, removal, settled
from storebridge_shopify.reshaping import reshape
from storebridge_shopify.search import both, since, term
from storebridge_shopify.setting import begun, followed, set_product
from storebridge_shopify.site import Facts
from storebridge_shopify.steps import Steps
from storebridge_shopify.taxonomy import Taxonomy
from storebridge_shopify.walk import asked, complete, page_variables, whole
from storebridge_shopify.writing import (
    STATUSES,
    Shape,
    own,
    quantities,
    set_variant,
    variant_rows,
)

__all__ = ["ProductRecords"]

_FORMS = "apps/build/online-store/product-media"


class ProductRecords(ShopifyRecords[Product]):
    """The products of a shop."""

    model = Product
    fields = fields.PRODUCT
    owners: ClassVar = {"metafields": "PRODUCT", "variants.metafields": "PRODUCTVARIANT"}
    finds = ("id", "handle", "sku")
    fetch_size = 300  # a product has several names, and the calls are filled
    export = PRODUCTS
    shared_size = 500  # rows of prices and stock fill calls of 250
    shares_media = True
    copies_media = True
    media_limits = MediaLimits(
        pixels=20_000_000, kinds=frozenset({"png", "gif", "jpeg", "webp"}), source=_FORMS
    )

    def __init__(self, *arguments: Any) -> None:
        """Keep the shop, its settings, and what is learned while writing."""
        super().__init__(*arguments)
        self.bulk = forecast.jobs()
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
        search = both(*words)
        listed = self._listed(search, cursor, flags)
        docs, more = yield from self.walked(cursor, search, flags, listed)
        read = self._read(docs, query, flags, facts)
        return Page((yield from self.of_lines(docs, flags, read)), more)

    def _read(
        self, docs: Sequence[Doc], query: Query, flags: Mapping[str, bool], facts: Facts
    ) -> Flow[tuple[Product, ...]]:
        """Return the records of documents, as far as they are asked for."""
        docs = [doc for doc in docs if _is_asked(doc, query)]
        yield from complete(docs, flags)
        records = yield from self._records(docs, facts, query.fields)
        if query.raw:
            records = [record.with_raw(doc) for record, doc in zip(records, docs, strict=True)]
        return tuple(records)

    def _listed(
        self, search: str | None, cursor: str, flags: Mapping[str, bool]
    ) -> Flow[tuple[list[Doc], str]]:
        """Return a page's documents, and where the next ones are."""
        variables = page_variables("products", flags, self.settings.page_size)
        variables |= {"after": cursor or None, "query": search, "sortKey": "ID"}
        found = (yield from call("products", variables))["products"]
        return list(found["nodes"]), following(found["pageInfo"])

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
            fields = None if fields is None else fields | {"variants.sku"}
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
        records = yield from self._read(docs, query, flags, facts)
        return Page(records, str(start + size) if start + size < len(ids) else "")

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
            self.shop.items.learn(node["id"], node["inventoryItem"]["id"])
        if doc["category"]:
            self.taxonomy.learn(doc["category"])

    # -- writing

    def write(self, batch: Batch[Product]) -> Flow[None]:
        """Make the changes, and set stock and market prices in calls of many."""
        facts = yield from self.shop.known()
        steps, pending = Steps(batch.changes), dict[str, Outcome]()
        levels = Levels(batch, self.shop, steps)
        if batch.changes and batch.changes[0].part == "prices":
            live = yield from self._unnamed(batch.changes)
            yield from prices.write(batch, facts, lambda change: named(change, live), steps)
            return
        if batch.changes and batch.changes[0].part == "media":
            batch = yield from self._with_media(batch)
        tell = partial(_tell, levels, pending)
        left: Sequence[Change[Product]] = batch.changes
        if batch.way == "bulk" and left and left[0].part in PARTS:
            lines = ProductLines(self, batch, facts, levels)
            yield from lines.prepare()
            left = yield from Jobs(batch, lines.of, tell, lines.look, lines.shown, steps).run()
        yield from settled(replace(batch, changes=tuple(left)))
        for change in left:
            yield from tell([(yield from self._outcome(change, batch, facts, levels, steps))])
        failures = yield from levels.write()
        yield from report([failures.get(name, done) for name, done in pending.items()])

    def _with_media(self, batch: Batch[Product]) -> Flow[Batch[Product]]:
        """Return a batch that knows the media of its products, kept before anything is sent.

        After a lost answer they tell which media are new.
        """
        if batch.state is not None:
            return batch
        keys = [f"id:{change.record_id}" for change in batch.changes]
        found = yield from self.fetch(keys, frozenset({"media"}))
        state = {each.id: [media.id for media in each.media] for each in found}
        yield from remember(state)
        return replace(batch, state=state)

    def _outcome(
        self,
        change: Change[Product],
        batch: Batch[Product],
        facts: Facts,
        levels: Levels,
        steps: Steps,
    ) -> Flow[Outcome]:
        if change.action != "update" or change.part != "core":
            return (yield from self.outcome(change, batch, facts))
        try:
            yield from steps.watched(self._core(change, batch, facts, levels))
        except AuthError:
            raise
        except StorebridgeError as error:
            return steps.failure(change.id, error)
        return applied(change, change.record_id)

    def create(self, change: Change[Product], batch: Batch[Product], facts: Facts) -> Flow[str]:
        """Create a product, once; what a killed run has begun is followed."""
        operation = begun(change, batch)
        if operation and (product := (yield from followed(change, operation))):
            return id_of(product)
        return (yield from super().create(change, batch, facts))

    def make(self, change: Change[Product], batch: Batch[Product], facts: Facts) -> Flow[str]:
        """Create a product with its variants and their stock, published nowhere."""
        body = yield from self.new(change.desired, facts)
        keys = self.own_keys(change.desired)
        for key in keys:
            keyed = {**body, "handle": key.removeprefix("handle:")}
            try:
                return (yield from self._new(change, keyed))
            except Conflict:
                if key == keys[-1] or (yield from self._is_ours(key, change.desired)):
                    raise
        return (yield from self._new(change, body))

    def _new(self, change: Change[Product], body: Doc) -> Flow[str]:
        whole_, rest = parted(body)
        variables = {"identifier": None, "input": whole_}
        made = id_of((yield from set_product(change, variables, RequestKind.CREATE)))
        yield from add_variants(change, made, rest)
        return made

    def _is_ours(self, key: str, desired: Product) -> Flow[bool]:
        """Return whether the product with a key has a SKU of a desired one: no second is made."""
        skus = {variant.sku for variant in desired.variants if variant.sku}
        found = yield from self.fetch([key], frozenset({"variants.sku"}))
        return any(variant.sku in skus for each in found for variant in each.variants)

    def own_keys(self, desired: Product) -> list[str]:
        """Return the handles that a product gets which has none, but a SKU.

        Shopify's own would be known to nobody after a lost answer, and a search for the SKU lags
        behind. They are the title, as Shopify makes them, and where that is taken with the SKU.
        """
        sku = next((variant.sku for variant in desired.variants if variant.sku), "")
        if handle_form(desired.handle) or not sku:
            return []
        title = handle_form(desired.title)[:200]
        return [f"handle:{each}" for each in (title, handle_form(f"{title} {sku}")) if each]

    def new(self, desired: Product, facts: Facts) -> Flow[Doc]:
        """Return the input for a new product: whole, with its stock."""
        body = yield from self.own(desired)
        body.setdefault("status", "DRAFT")  # Shopify's own default is ACTIVE
        body.setdefault("title", desired.title or desired.handle)
        shape = Shape(None, desired)
        for variant in desired.variants:
            stock = quantities(variant, facts)
            row = set_variant(variant, facts) | ({"inventoryQuantities": stock} if stock else {})
            shape.add(variant.options, row)
        return body | shape.input({})

    def own(self, desired: Product) -> Flow[dict[str, Any]]:
        """Return the input for a product's own fields."""
        return own(desired, (yield from self.taxonomy.place(desired)))

    def update(self, change: Change[Product], batch: Batch[Product], facts: Facts) -> Flow[Outcome]:
        """Write one part of a product other than its core, which `write` sees to."""
        if change.part == "media":
            names = {"media", "variants.media"}
            return (yield from self.files.write(change, batch, lambda: self._live(change, names)))
        if change.part == "metafields":
            variants = named(change, (yield from self._unnamed([change])))
            others = {each.id: each.metafields for each in variants if each.metafields}
            yield from write_metafields(self.shop, change, others)
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

    def _core(
        self, change: Change[Product], batch: Batch[Product], facts: Facts, levels: Levels
    ) -> Flow[None]:
        """Write a product's own fields and its variants; their stock is left to `levels`."""
        body = yield from self.own(untagged(change))
        known: Sequence[Variant] = change.desired.variants
        if not keeps_shape(change):
            look = partial(self._shaped, change, facts)
            known = yield from reshape(change, batch, body, facts, look)
        else:
            if body:
                yield from self._set(change, body)
            yield from self._update_variants(change, known, facts)
        for name, variables in tag_calls(change):
            yield from mutate(name, document(name).mutation, variables, change)
        levels.add(change, known, facts)

    def _shaped(self, change: Change[Product], facts: Facts) -> Flow[tuple[Product, Doc]]:
        """Return a product with its options and variants as it is now, and its options' ids.

        Raises:
            NotFound: if it is gone.
        """
        names = frozenset({"variants.sku", "options"})
        for doc in (yield from whole([change.record_id], asked(names, facts.scopes))):
            (live,) = yield from self._records([doc], facts, names)
            return live, {each["name"]: each["id"] for each in doc["options"]}
        raise _gone(change)

    def _set(self, change: Change[Product], body: Doc) -> Flow[None]:
        variables = {"identifier": {"id": change.record_id}, "input": body}
        yield from mutate("product_set", "productSet", variables, change)

    def _update_variants(
        self, change: Change[Product], variants: Sequence[Variant], facts: Facts
    ) -> Flow[None]:
        for rows in variant_rows(variants, facts):
            variables = {"productId": change.record_id, "variants": rows}
            yield from mutate("variants_update", "productVariantsBulkUpdate", variables, change)

    def _collections(self, change: Change[Product], batch: Batch[Product]) -> Flow[None]:
        """Put a product into the collections that are filled by hand, and take it out of others."""
        if (changed := edits(change, "collections")) is not None:
            gone, new = changed
            named = dict(zip(new, (yield from collections_of(new, batch.ids)), strict=True)) | (
                yield from by_handle("collections_by_handle", gone)
            )
            yield from mutate("product_join", "productUpdate", join(change, named), change)
            return
        ids = yield from collections_of(change.desired.collections, batch.ids)
        yield from self._set(change, {"collections": ids})

    # -- what is live

    def _live(self, change: Change[Product], names: Iterable[str]) -> Flow[Product]:
        """Return the product that a change is about, as it is now.

        Raises:
            NotFound: if it is gone.
        """
        found = yield from self.fetch((f"id:{change.record_id}",), frozenset(names))
        if not found:
            raise _gone(change)
        return found[0]

    def _unnamed(self, changes: Sequence[Change[Product]]) -> Flow[dict[str, Product]]:
        """Return the live products, by id, of changes with variants whose ids aren't known."""
        lacking = [each for each in changes if not all(v.id for v in each.desired.variants)]
        keys = [f"id:{each.record_id}" for each in lacking]
        live = (yield from self.fetch(keys, frozenset({"variants.sku"}))) if keys else ()
        return {each.id: each for each in live}

    # -- forms

    def normal(self, desired: Product) -> Product:
        """Return a desired product as Shopify gives it back."""
        markets = self.shop.facts.markets if self.shop.facts else {}
        return normal(desired, self.taxonomy, markets)

    def cost(self, change: Change[Product]) -> Cost:
        """Return what a change takes when it is made directly."""
        return forecast.product(change, self.shop.items)

    def check(self, record: Product) -> Iterable[Fit]:
        """Yield what the token may not write, and what Shopify has no place for."""
        yield from super().check(record)
        yield from unheld(record, self.shop.facts.info.limits if self.shop.facts else {})


def _gone(change: Change[Product]) -> NotFound:
    return NotFound(f"there is no product {change.record_id}")


def _tell(levels: Levels, pending: dict[str, Outcome], outcomes: Sequence[Outcome]) -> Flow[None]:
    """Report outcomes, but those of changes whose stock is still to be set."""
    done: list[Outcome] = []
    for outcome in outcomes:
        if levels.has(outcome.change) and outcome.cause == "":
            pending[outcome.change] = outcome
        else:
            levels.drop(outcome.change)
            done.append(outcome)
    yield from report(done)


def _is_asked(doc: Doc, query: Query) -> bool:
    """Return whether a product has the status, and was changed since; a search brings more."""
    if query.status and doc["status"] != STATUSES[query.status]:
        return False
    if query.updated_since is None:
        return True
    time = reading.time(doc["updatedAt"])
    return time >= query.updated_since.replace(microsecond=0)
