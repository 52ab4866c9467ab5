"""Products: read with their variations, made once, and updated with what a change gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from storebridge.adapter import Batch, Change, Field, Fit, Query
from storebridge.errors import NotFound, OutcomeUnknown, Rejected, StorebridgeError
from storebridge.flow import Flow, Outcome, Status, remember, report
from storebridge.models import Product
from storebridge_woocommerce import fields, languages, normal, writing
from storebridge_woocommerce.batches import Earlier, Item, Result, create, update
from storebridge_woocommerce.images import Held, Images
from storebridge_woocommerce.library import LIMITS, with_galleries
from storebridge_woocommerce.lookup import LINKS, Lookup, named
from storebridge_woocommerce.reading import MARK, NAMESPACE, product_of
from storebridge_woocommerce.records import WooRecords, failed, mark, since, unknown
from storebridge_woocommerce.site import Facts, Site
from storebridge_woocommerce.terms import Terms
from storebridge_woocommerce.updates import Update, needs_live
from storebridge_woocommerce.variations import Variations
from storebridge_woocommerce.walk import MOST, Walked, walk

if TYPE_CHECKING:
    from storebridge_woocommerce.adapter import WooCommerceSettings

__all__ = ["ProductRecords"]

Doc = Mapping[str, Any]
Params = tuple[tuple[str, str], ...]

_WITH_SEO = {**fields.PRODUCT, **fields.SEO}
_MEMBERSHIP = (("upsells", "upsell_ids"), ("cross_sells", "cross_sell_ids"))
#: How many of the newest products are looked through for a mark, without any other key.
_NEWEST = 3


class ProductRecords(WooRecords[Product]):
    """Products of a shop."""

    model = Product
    path: ClassVar[str] = "/products"
    finds = ("id", "sku", "handle")
    fetch_size = 2_000  # handles may cost a list of all slugs, however many they are
    shares_media = True
    copies_media = True
    media_limits = LIMITS

    def __init__(self, site: Site, settings: WooCommerceSettings) -> None:
        """Share one pace between products and variations."""
        super().__init__(site, settings)
        self.terms = Terms()
        self.variations = Variations(self.pace)
        self.images = Images(settings, self.variations)
        self.lookup = Lookup(self.path, self.reading)
        #: What products that others refer to are told by, by their SKUs' keys.
        self._told: dict[str, str] = {}

    @property
    def fields(self) -> Mapping[str, Field]:  # type: ignore[override]  # a plain attribute there
        """What the shop can hold: search engine texts where a plugin keeps them."""
        facts = self.site.facts
        return _WITH_SEO if facts is not None and facts.seo else fields.PRODUCT

    # -- reading

    def read(self, doc: Doc, facts: Facts) -> Product:
        """Return the product without variations that WooCommerce's JSON describes."""
        return product_of(doc, None, facts, self.settings.default_category)

    def filters(self, query: Query, facts: Facts) -> Params | None:
        """Return the parameters of a query; None for a status that WooCommerce doesn't know."""
        params = super().filters(query, facts)
        if params is None or (query.status and query.status not in writing.STATUSES):
            return None
        if query.status:
            params += (("status", writing.STATUSES[query.status]),)
        if query.updated_since:
            params += since(query.updated_since)
        return params + languages.params(self._language(facts))

    def needed(self, fields_: frozenset[str] | None) -> str:
        """Return the keys that the fields are made of."""
        keys = fields.keys_for(fields_)
        several = self.site.facts is not None and self.site.facts.translator
        return ",".join((keys, *languages.KEYS)) if several else keys

    def whole(
        self, docs: Sequence[Doc], facts: Facts, fields_: frozenset[str] | None
    ) -> Flow[list[Product]]:
        """Return products with their variations, and with keys of the products they refer to."""
        code = self._language(facts)
        docs = [doc for doc in docs if languages.mine(doc, code, facts)]
        parents = [d["id"] for d in docs if d["type"] == "variable" and "regular_price" in d]
        found = (yield from self.variations.of(parents)) if parents else {}
        found = yield from with_galleries(docs, found)
        names = yield from self.lookup.names(docs)
        self._told |= {sku: told for told, sku in names.values()}
        category = self.settings.default_category
        products = (product_of(doc, found.get(doc["id"], ()), facts, category) for doc in docs)
        return [named(product, names) for product in products]

    def look_up(self, keys: Sequence[str], asked: str) -> Flow[list[Doc]]:
        """Return the rows of ids, SKUs (also variations') and handles."""
        return (yield from self.lookup.find(keys, asked))

    def normal(self, desired: Product) -> Product:
        """Return a desired product as WooCommerce gives it back; others by their handles."""
        desired = normal.product(desired, self.site.facts, self.settings.default_category)
        changed: dict[str, Any] = {}
        for field in ("upsells", "cross_sells"):
            if any(key in self._told for key in getattr(desired, field)):
                told = (self._told.get(key, key) for key in getattr(desired, field))
                changed[field] = tuple(told)
        return desired.model_copy(update=changed) if changed else desired

    def check(self, record: Product) -> Iterable[Fit]:
        """Return what WooCommerce would filter, bend or drop."""
        facts = self.site.facts
        return normal.unfit(record, facts.currency if facts else "")

    def is_late(self, record: Product) -> bool:
        """Return whether a product groups others: it names them by their numbers."""
        return bool(record.platform_fields.get(NAMESPACE, {}).get("grouped_products"))

    # -- creating

    def create(self, changes: Sequence[Change[Product]], batch: Batch[Product]) -> Flow[None]:
        """Make products, each once; those that group others come after these."""
        groups = [change for change in changes if self.is_late(change.desired)]
        for some in ([change for change in changes if change not in groups], groups):
            if some:
                yield from self._create(some, batch)

    def _create(self, changes: Sequence[Change[Product]], batch: Batch[Product]) -> Flow[None]:
        """Make products, and then the variations of each."""
        facts = yield from self.site.known()
        yield from self.terms.learn(changes, batch)
        earlier = Earlier(batch.uncertain)
        items, children = [], {}
        for change in changes:
            try:
                items.append(self._item(change, batch, facts))
                children[change.id] = self._children(change, facts)
            except Rejected as error:
                items = [item for item in items if item.key != change.id]
                yield from report([failed(change, error)])
        results = yield from create(
            self.path,
            items,
            pace=self.pace,
            look=self._made(facts),
            fits=_fits,
            fields=fields.keys_for(None),
            params=languages.made_in(facts, self._language(facts)),
            earlier=earlier,
        )
        simple = [c for c in changes if c.id in results and not children[c.id]]
        yield from report([self._outcome(c, results[c.id], (), facts) for c in simple])
        for change in changes:
            if children.get(change.id) and change.id in results:
                yield from self._create_children(
                    change, results[change.id], children[change.id], earlier, facts
                )

    def _item(self, change: Change[Product], batch: Batch[Product], facts: Facts) -> Item:
        desired = change.desired
        body = writing.product(desired, None, facts, self.terms)
        if not writing.is_variable(desired):
            if (variant := writing.only(desired)) is not None:
                body |= writing.variant(variant, None, facts)
        else:
            body["type"] = "variable"
            body |= writing.shared(desired)
        body.setdefault("name", desired.handle or desired.sku or "Product")
        key = {"key": MARK, "value": mark(batch, change)}
        body["meta_data"] = [*body.get("meta_data", ()), key]
        if code := self._language(facts):
            body["lang"] = code
        return Item(change.id, change.id, body, unique=bool(body.get("sku")))

    def _children(self, change: Change[Product], facts: Facts) -> list[Item]:
        desired = change.desired
        if not writing.is_variable(desired):
            return []
        bodies = [
            writing.variation(each, None, desired, facts, self.terms) for each in desired.variants
        ]
        return [
            Item(f"{change.id}/{n}", change.id, body, unique=bool(body.get("sku")))
            for n, body in enumerate(bodies)
        ]

    def _create_children(
        self,
        change: Change[Product],
        result: Result,
        items: Sequence[Item],
        earlier: Earlier,
        facts: Facts,
    ) -> Flow[None]:
        """Make the variations of a product that is there now, and report the whole."""
        rows: list[Doc] = []
        if not isinstance(result, StorebridgeError):
            made = yield from self.variations.create(result["id"], items, earlier)
            errors = [each for each in made.values() if isinstance(each, StorebridgeError)]
            rows = [each for each in made.values() if not isinstance(each, StorebridgeError)]
            if errors or len(made) < len(items):
                outcome = _partly(change, result["id"], errors, len(items))
                yield from report([outcome])
                return
        yield from report([self._outcome(change, result, rows, facts)])

    def _made(self, facts: Facts) -> Callable[[Sequence[Item]], Flow[dict[str, Doc]]]:
        """Return what looks for products that may have been made, by SKU or slug and the mark."""
        asked = fields.keys_for(None)

        def look(items: Sequence[Item]) -> Flow[dict[str, Doc]]:
            keys = [key for item in items if (key := _key(item))]
            found = _marked(items, (yield from self.lookup.find(keys, asked)))
            # A slug that was taken became another one, so the mark alone tells the rest.
            params = (*self.reading, ("_fields", asked), ("orderby", "id"), ("order", "desc"))
            for page in range(_NEWEST):
                if all(item.unique or item.key in found for item in items):
                    break
                rows = yield from self.lookup.rows((*params, ("offset", str(MOST * page))))
                found |= _marked(items, rows)
            return found

        return look

    def _outcome(
        self, change: Change[Product], result: Result, rows: Sequence[Doc], facts: Facts
    ) -> Outcome:
        if isinstance(result, StorebridgeError):
            return failed(change, result)
        record = None
        if not _links(result):  # these are told by keys that a look-up gives
            variations = sorted(rows, key=lambda row: int(row["id"])) if rows else ()
            record = product_of(result, variations, facts, self.settings.default_category)
        return Outcome(change=change.id, status=Status.APPLIED, id=str(result["id"]), record=record)

    # -- updating

    def update(self, changes: Sequence[Change[Product]], batch: Batch[Product]) -> Flow[None]:
        """Write parts of products: their own fields together, then variations parent by parent."""
        facts = yield from self.site.known()
        media = [change for change in changes if change.part == "media"]
        rest = [change for change in changes if change.part != "media"]
        if media:
            yield from self._update_media(media, batch, facts)
        if not rest:
            return
        yield from self.terms.learn(rest, batch)
        asked = [change for change in rest if facts.translator or needs_live(change)]
        live = yield from self._live(asked, facts)
        if any(product.options for _, product in live.values()):
            yield from self.terms.know_attributes()
        updates: list[Update] = []
        for change in rest:
            try:
                updates.append(self._update(change, batch, live, facts))
            except (Rejected, NotFound) as error:
                yield from report([failed(change, error)])
        results = yield from update(self.path, [u.item for u in updates if u.item.body], self.pace)
        earlier = Earlier(batch.uncertain)
        for each in updates:
            yield from self._finish(each, results, facts, earlier)

    def _update(
        self,
        change: Change[Product],
        batch: Batch[Product],
        live: Mapping[str, tuple[Doc, Product]],
        facts: Facts,
    ) -> Update:
        doc, known = live.get(change.record_id, (None, None))
        if known is None and (facts.translator or needs_live(change)):
            raise NotFound(f"the shop has no product {change.record_id}")
        if doc is not None:
            languages.crosses(doc, self._language(facts), facts)
        made = Update.of(change, known, facts, self.terms)
        for ours, theirs in _MEMBERSHIP:
            if ours in change.desired.given:
                keys = getattr(change.desired, ours)
                made.item.body[theirs] = [_reference(key, batch) for key in keys]
        return made

    def _finish(
        self,
        made: Update,
        results: Mapping[str, Result],
        facts: Facts,
        earlier: Earlier,
    ) -> Flow[None]:
        """Write the variations of one product, and report what came of the change."""
        change = made.change
        result = results.get(change.id) if made.item.body else None
        if isinstance(result, StorebridgeError) or (made.item.body and result is None):
            error = result if isinstance(result, StorebridgeError) else None
            yield from report([failed(change, error) if error else unknown(change)])
            return
        errors = yield from made.write(self.variations, earlier)
        if errors:
            yield from report([_partly(change, made.item.number, errors, made.count)])
            return
        record = None
        if (
            result is not None
            and not made.count
            and result.get("type") != "variable"
            and not _links(result)
        ):
            record = product_of(result, None, facts, self.settings.default_category)
        status = Status.APPLIED if result is not None or made.count else Status.UNCHANGED
        yield from report(
            [Outcome(change=change.id, status=status, id=change.record_id, record=record)]
        )

    def _live(
        self, changes: Sequence[Change[Product]], facts: Facts
    ) -> Flow[dict[str, tuple[Doc, Product]]]:
        """Return the products of some changes as they are, with their JSON, by id."""
        live = (yield from self._held(changes, facts)) if changes else {}
        return {number: (held.doc, held.product) for number, held in live.items()}

    def _held(self, changes: Sequence[Change[Product]], facts: Facts) -> Flow[dict[str, Held]]:
        """Return the products of some changes as they are, with everything of them, by id."""
        keys = [f"id:{change.record_id}" for change in changes]
        docs = yield from self.lookup.find(keys, fields.keys_for(None))
        parents = [doc["id"] for doc in docs if doc["type"] == "variable"]
        found = (yield from self.variations.of(parents)) if parents else {}
        found = yield from with_galleries(docs, found)
        held = {}
        for doc in docs:
            rows = found.get(doc["id"], [])
            product = product_of(doc, rows, facts, self.settings.default_category)
            shown = {str(row["id"]): (row.get("image") or {}).get("id", 0) for row in rows}
            before = [image["id"] for image in doc["images"]]
            held[str(doc["id"])] = Held(doc, product, rows, before, shown)
        return held

    def _update_media(
        self, changes: Sequence[Change[Product]], batch: Batch[Product], facts: Facts
    ) -> Flow[None]:
        live = yield from self._held(changes, facts)
        before: dict[str, Any] = {
            number: {"images": held.before, "shown": held.shown} for number, held in live.items()
        }
        before |= batch.state or {}
        if batch.state is None and any(_fetched(change) for change in changes):
            yield from remember(before)
        for change in changes:
            if (held := live.get(change.record_id)) is None:
                gone = NotFound(f"the shop has no product {change.record_id}")
                yield from report([failed(change, gone)])
                continue
            try:
                languages.crosses(held.doc, self._language(facts), facts)
            except Rejected as error:
                yield from report([failed(change, error)])
                continue
            then = before[change.record_id]
            held = replace(held, before=then["images"], shown=then["shown"])
            outcome = yield from self.images.write(change, batch, held, self._reader(facts))
            yield from report([outcome])

    def _reader(self, facts: Facts) -> Callable[[Doc], Product]:
        return lambda doc: product_of(doc, (), facts, self.settings.default_category)

    def deleting(self) -> Params:
        """Return the parameters of a delete: into the trash, unless the settings say otherwise."""
        return (("force", "true" if self.settings.delete == "force" else "false"),)

    def _language(self, facts: Facts) -> str:
        return languages.catalogue(facts, self.settings.language)

    def walk(self, params: Params, cursor: str) -> Flow[Walked]:
        """Return the rows at a cursor."""
        return (yield from walk(self.path, params, cursor, self.settings.page_size))


def _links(doc: Doc) -> bool:
    """Return whether a product refers to others, which its own JSON names by their ids only."""
    return any(map(doc.get, LINKS))


def _fetched(change: Change[Product]) -> bool:
    """Return whether a change has pictures that the server would fetch a second time."""
    desired = change.desired
    return any(not media.id for media in desired.media) or any(v.media for v in desired.variants)


def _fits(item: Item, doc: Doc) -> bool:
    """Return whether a product bears the mark of an item."""
    wanted = item.body["meta_data"][-1]["value"]
    return any(each["key"] == MARK and each["value"] == wanted for each in doc["meta_data"])


def _marked(items: Sequence[Item], rows: Sequence[Doc]) -> dict[str, Doc]:
    return {item.key: row for item in items for row in rows if _fits(item, row)}


def _key(item: Item) -> str:
    if item.body.get("sku"):
        return f"sku:{item.body['sku']}"
    return f"handle:{item.body['slug']}" if item.body.get("slug") else ""


def _partly(
    change: Change[Product], number: int, errors: Sequence[StorebridgeError], count: int
) -> Outcome:
    """Return the outcome of a product whose variations were not all written."""
    lost = not errors or any(isinstance(each, OutcomeUnknown) for each in errors)
    error = errors[0] if errors else OutcomeUnknown("no answer says what came of them")
    outcome = failed(change, error)
    return Outcome(
        change=change.id,
        status=Status.UNKNOWN if lost else Status.FAILED,
        id=str(number),
        cause=outcome.cause,
        message=f"the product is there, but {max(1, len(errors))} of {count} variants were not "
        f"written: {outcome.message}",
        remedy=outcome.remedy or "Plan again, which adds what is missing.",
        http_status=outcome.http_status,
        request_id=outcome.request_id,
    )


def _reference(key: str, batch: Batch[Product]) -> int:
    """Return the number of a product that another one refers to.

    Raises:
        Rejected: if the shop has none of this key.
    """
    found = batch.ids.get(f"product {key}") or key.removeprefix("id:")
    if not found.isdecimal():
        raise Rejected(f"there is no product {key!r}", fields={"upsells": "missing"})
    return int(found)
