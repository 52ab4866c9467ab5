"""What a job can make of a product's changes: the lines, and what a look at the shop proves.

Direct calls stay for what is cheaper so or can't be one mutation: stock and market prices go 250
to a call, media are followed until they are ready, and a change of options or of the list of
variants has to see the live product first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from storebridge.adapter import Batch, Change
from storebridge.errors import NotFound, OutcomeUnknown
from storebridge.flow import Flow, Outcome, Status, wait
from storebridge.models import Metafield, Product
from storebridge_shopify import translations
from storebridge_shopify.adding import is_whole
from storebridge_shopify.bulk_results import Line, Lines, line
from storebridge_shopify.bulk_shown import shown
from storebridge_shopify.channels import publications
from storebridge_shopify.graphql import Doc, nothing_asked
from storebridge_shopify.inventory import Levels
from storebridge_shopify.joining import edits, join, tag_calls, tags_hold, untagged
from storebridge_shopify.lookup import by_handle, handle_form
from storebridge_shopify.matching import keeps_shape
from storebridge_shopify.metafields import metafield_rows, metafields_gone, typed
from storebridge_shopify.records import applied, given_paths, holds
from storebridge_shopify.site import Facts, Shop
from storebridge_shopify.writing import variant_rows

__all__ = ["PARTS", "ProductLines"]

#: The parts of which jobs can make something.
PARTS = frozenset({"core", "publication", "translations", "metafields", "membership"})
#: Seconds until what a job has made shows (as after a lost answer).
_SETTLED = 5.0


class Products(Protocol):
    """What is asked of the products of a shop."""

    fetch_size: int
    shop: Shop

    def fetch(
        self, keys: Sequence[str], fields: frozenset[str] | None
    ) -> Flow[tuple[Product, ...]]:
        """Return the products that have any of these keys."""
        ...

    def normal(self, desired: Product) -> Product:
        """Return a desired product as Shopify gives it back."""
        ...

    def new(self, desired: Product, facts: Facts) -> Flow[Doc]:
        """Return the input for a new product."""
        ...

    def own(self, desired: Product) -> Flow[Doc]:
        """Return the input for a product's own fields."""
        ...


class ProductLines:
    """The lines of one batch."""

    def __init__(
        self, products: Products, batch: Batch[Product], facts: Facts, levels: Levels
    ) -> None:
        """Begin with nothing looked up; stock that lines leave out goes to `levels`."""
        self._products, self._batch, self._facts = products, batch, facts
        self._levels = levels
        self._digests: dict[str, dict[str, str]] = {}
        self._collections: dict[str, str] = {}
        self._of: Mapping[str, Callable[[Change[Product]], Flow[Lines]]] = {
            "core": self._core,
            "publication": self._publication,
            "translations": self._translations,
            "metafields": self._metafields,
            "membership": self._membership,
        }

    def prepare(self) -> Flow[None]:
        """Look up what lines need, for the whole batch at once."""
        part = self._batch.changes[0].part
        if part == "translations":
            self._digests = yield from translations.digests(self._batch.changes)
        elif part == "membership":
            lists = (edits(each, "collections") for each in self._batch.changes)
            gone = {handle for each in lists if each for handle in each[0]}
            handles = {each for c in self._batch.changes for each in c.desired.collections} | gone
            known = {each: self._batch.ids.get(f"collection handle:{each}", "") for each in handles}
            lacking = sorted(handle for handle, found in known.items() if not found)
            if lacking:
                known |= yield from by_handle("collections_by_handle", lacking)
            self._collections = known

    def of(self, change: Change[Product]) -> Flow[Lines]:
        """Return the lines that make a change; none where it has to be made directly."""
        if change.action == "create":
            return (yield from self._create(change))
        if change.action == "delete":
            return {"product_delete": [line(change, {"id": change.record_id})]}
        return (yield from self._of[change.part](change))

    def _create(self, change: Change[Product]) -> Flow[Lines]:
        """Return the line of a new product; without a handle it couldn't be found again.

        As directly it has no identifier: so a handle that somebody else took meanwhile is refused
        and nothing is overwritten, and the line can be repeated all the same.
        """
        handle = handle_form(change.desired.handle)
        if not handle:
            return {}
        body = yield from self._products.new(change.desired, self._facts)
        if not is_whole(body):
            return {}
        made = line(change, {"identifier": None, "input": body}, f"handle:{handle}")
        return {"product_set_shown": [made]}

    def _core(self, change: Change[Product]) -> Flow[Lines]:
        if not keeps_shape(change):
            return {}
        body = yield from self._products.own(untagged(change))
        found = {name: [line(change, variables)] for name, variables in tag_calls(change)}
        if body:
            found["product_set_shown"] = [self._set(change, body)]
        found["variants_update_shown"] = [
            line(
                change, {"productId": change.record_id, "variants": rows}, f"id:{change.record_id}"
            )
            for rows in variant_rows(change.desired.variants, self._facts)
        ]
        if any(found.values()):
            self._levels.add(change, change.desired.variants, self._facts)
        return found

    def _set(self, change: Change[Product], body: Doc) -> Line:
        variables = {"identifier": {"id": change.record_id}, "input": body}
        return line(change, variables, f"id:{change.record_id}")

    def _publication(self, change: Change[Product]) -> Flow[Lines]:
        calls = publications(change, self._facts)
        return nothing_asked({name: [line(change, variables)] for name, variables in calls})

    def _translations(self, change: Change[Product]) -> Flow[Lines]:
        found: dict[str, list[Line]] = {}
        for name, variables in translations.calls(change, self._digests):
            found.setdefault(name, []).append(line(change, variables))
        return nothing_asked(found)

    def _metafields(self, change: Change[Product]) -> Flow[Lines]:
        variants = change.desired.variants
        named: dict[str, tuple[Metafield, ...]] = {change.record_id: change.desired.metafields}
        named |= {each.id: each.metafields for each in variants if each.metafields}
        if not all(named):
            return {}
        rows = metafield_rows((yield from typed(self._products.shop, named)))
        found = {"metafields_set": [line(change, {"metafields": each}) for each in rows]}
        if gone := metafields_gone(change):
            found["metafields_delete"] = [line(change, {"metafields": gone})]
        return found

    def _membership(self, change: Change[Product]) -> Flow[Lines]:
        changed = edits(change, "collections")
        handles = change.desired.collections if changed is None else changed[1]
        for handle in handles:
            if not self._collections.get(handle):
                text = f"there is no collection {handle!r}"
                raise NotFound(text, fields={"collections": handle})
        if changed is not None:
            variables = join(change, self._collections)
            joined = line(change, variables, f"id:{change.record_id}")
            return nothing_asked({"product_join": [joined]})
        body = {"collections": [self._collections[handle] for handle in handles]}
        return nothing_asked({"product_set": [self._set(change, body)]})

    def shown(self, change: Change[Product], answers: Mapping[str, Doc]) -> Product | None:
        """Return the product that the answers to a change show, if they show all that counts."""
        for each in answers.values():
            edges = ((each.get("product") or {}).get("variants") or {}).get("edges", ())
            for node in (*(edge["node"] for edge in edges), *each.get("productVariants", ())):
                self._products.shop.items.learn(node["id"], node["inventoryItem"]["id"])
        return shown(change, answers, self._facts) if change.part == "core" else None

    # -- what no line told of

    def look(self, changes: Sequence[Change[Product]], ended: str) -> Flow[list[Outcome]]:
        """Return the outcomes of changes by what the shop has now.

        Args:
            changes: those that no line told of.
            ended: how the job ended, in words; "" where nobody knows that it has.
        """
        found: list[Outcome] = []
        waiting = list(changes)
        for pause in (_SETTLED, 0.0):
            live = yield from self._live(waiting)
            seen = [(each, live.get(_key(each))) for each in waiting]
            made = [(each, record) for each, record in seen if self._is_made(each, record)]
            found += (
                applied(each, record.id if record else each.record_id) for each, record in made
            )
            gone = {each.id for each, _ in made}
            waiting = [each for each in waiting if each.id not in gone]
            if not waiting:
                return found
            if pause:
                yield from wait(pause, "lines that a job left out")
        return found + [_unmade(each, live.get(_key(each)), ended) for each in waiting]

    def _live(self, changes: Sequence[Change[Product]]) -> Flow[dict[str, Product]]:
        names = {name for each in changes for name in (*given_paths(each.desired), *each.removed)}
        found: dict[str, Product] = {}
        size = self._products.fetch_size
        for start in range(0, len(changes), size):
            keys = [_key(each) for each in changes[start : start + size]]
            for record in (yield from self._products.fetch(keys, frozenset(names))):
                found |= {f"id:{record.id}": record, f"handle:{record.handle}": record}
        return found

    def _is_made(self, change: Change[Product], live: Product | None) -> bool:
        """Return whether the shop has what a change is to bring about."""
        if live is None or change.action == "delete":
            return live is None and change.action == "delete"
        desired = self._products.normal(change.desired)
        if change.part == "publication":
            return set(desired.channels) == set(live.channels)
        if edits(change, "tags") is not None:
            desired = desired.without("tags")
        if change.action == "update" and change.part == "core":
            bare = [each.without("inventory") for each in desired.variants]
            desired = desired.model_copy(update={"variants": tuple(bare)}) if bare else desired
        return holds(desired, live) and tags_hold(change, live) and not _is_left(change, live)


def _key(change: Change[Product]) -> str:
    """Return what a change's product is looked up by."""
    if change.action == "create":
        return f"handle:{handle_form(change.desired.handle)}"
    return f"id:{change.record_id}"


def _is_left(change: Change[Any], live: Product) -> bool:
    """Return whether something is still there that a change takes away."""
    return any(
        set(keys) & set(element.element_keys())
        for name, keys in change.removed.items()
        for element in getattr(live, name)
    )


def _unmade(change: Change[Product], live: Product | None, ended: str) -> Outcome:
    """Return what is known of a change that the shop shows nothing of."""
    if not ended:
        text = "the shop no longer knows the job that was to make it"
        return Outcome.failure(change.id, OutcomeUnknown(text, covers=(change.id,)))
    if change.action == "create" and live is not None:
        text = f"product {live.id} has its key but other values; {ended}"
        return Outcome.failure(change.id, OutcomeUnknown(text, covers=(change.id,)))
    if change.action == "update" and live is None:
        return Outcome.failure(change.id, NotFound(f"there is no product {change.record_id}"))
    return Outcome(
        change=change.id,
        status=Status.FAILED,
        id=change.record_id,
        cause="job",
        message=f"{ended} and left no line of it, and the shop shows nothing of it",
        remedy="Apply again with --retry-failed.",
    )
