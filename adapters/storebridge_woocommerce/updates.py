"""One change of a product that exists: what goes to the product itself, and what to variations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from storebridge.adapter import Change
from storebridge.errors import OutcomeUnknown, Rejected, StorebridgeError
from storebridge.flow import Flow
from storebridge.models import Option, Product, Variant
from storebridge_woocommerce import writing
from storebridge_woocommerce.batches import Earlier, Item, Result
from storebridge_woocommerce.prices import PRICES
from storebridge_woocommerce.reading import NAMESPACE
from storebridge_woocommerce.site import Facts
from storebridge_woocommerce.sizes import PARENT_SIZES
from storebridge_woocommerce.terms import Terms
from storebridge_woocommerce.variations import Variations

__all__ = ["Update", "needs_live"]

_NAMING = frozenset({"id", "sku", "options"})


def needs_live(change: Change[Product]) -> bool:
    """Return whether a change can't be written without knowing what the shop has.

    That is so where WooCommerce replaces more than the change gives: the list of attributes, the
    two prices; and where a variant has to be found.
    """
    desired = change.desired
    if {"options", "attributes"} & desired.given:
        return True
    if not desired.platform_fields.get(NAMESPACE, {}).keys().isdisjoint(PARENT_SIZES):
        return True
    return any(_partial(each, change.record_id) for each in desired.variants)


def _partial(variant: Variant, product: str) -> bool:
    priced = variant.given & PRICES
    return (
        not variant.id
        or (bool(priced) and priced != PRICES)
        or (variant.id != product and "options" in variant.given)
    )


@dataclass(slots=True)
class Update:
    """A change as requests: one item for the product, and items for its variations."""

    change: Change[Product]
    item: Item
    """The product's own body; empty where nothing of it changes."""
    updates: list[Item] = field(default_factory=list)
    creates: list[Item] = field(default_factory=list)
    deletes: list[Item] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many variations are written."""
        return len(self.updates) + len(self.creates) + len(self.deletes)

    @classmethod
    def of(
        cls, change: Change[Product], live: Product | None, facts: Facts, terms: Terms
    ) -> Update:
        """Return the requests of a change.

        Raises:
            Rejected: for what WooCommerce would bend, drop or refuse.
        """
        desired = change.desired
        body = writing.product(desired, live, facts, terms)
        if gone := change.removed.get("metafields", ()):
            body["meta_data"] = [*body.get("meta_data", ()), *map(writing.without, gone)]
        number = int(change.record_id)
        made = cls(change, Item(change.id, change.id, body, number))
        parent = _with_options(desired, live)
        for place, each in enumerate(desired.variants):
            made._place(f"{change.id}/{place}", each, live, parent, facts, terms)
        for key in change.removed.get("variants", ()):
            made._remove(key, live)
        if live is not None:
            made._keep_values(parent, live, terms)
        return made

    def _place(
        self,
        key: str,
        variant: Variant,
        live: Product | None,
        parent: Product,
        facts: Facts,
        terms: Terms,
    ) -> None:
        """Put a variant where it is written: into the product itself, or among its variations."""
        known = _known(variant, live)
        number = variant.id or (known.id if known else "")
        simple = number == self.change.record_id or (not number and not parent.options)
        if simple:
            body: dict[str, Any] = dict(self.item.body)
            body |= writing.variant(variant, known, facts)
            self.item = Item(self.item.key, self.item.change, body, self.item.number)
            return
        body = writing.variation(variant, known, parent, facts, terms)
        if "tax_status" in body:  # a variation has its parent's
            self.item.body["tax_status"] = body.pop("tax_status")
        change = self.change.id
        if number:
            self.updates.append(Item(key, change, body, int(number)))
        else:
            self.creates.append(Item(key, change, body, unique=bool(body.get("sku"))))

    def _remove(self, key: str, live: Product | None) -> None:
        kind, _, value = key.partition(":")
        known = live.variants if live else ()
        number = value if kind == "id" else ""
        number = number or next((v.id for v in known if key in v.element_keys()), "")
        if number == self.change.record_id:
            raise Rejected(
                "a product without options is its own variant",
                fields={"variants": "only one"},
                remedy="Delete the product, if that is meant.",
            )
        if number.isdecimal():
            self.deletes.append(Item(key, self.change.id, {}, int(number)))

    def _keep_values(self, parent: Product, live: Product, terms: Terms) -> None:
        """Give variations their values anew where an option becomes, or ceases to be, the shop's.

        They are kept under the option's slug, which is then another one: nothing would be chosen.
        """
        if not _is_moved(parent, live):
            return
        names = [option.name for option in live.options]
        gone = {item.number for item in self.deletes}
        written = {item.number: item for item in self.updates}
        for variant in live.variants:
            number = int(variant.id)
            if number in gone:
                continue
            held = dict(zip(names, variant.options, strict=True))
            values = [held.get(option.name, "") for option in parent.options]
            if number not in written:
                key = f"{self.change.id}/{number}"
                self.updates.append(Item(key, self.change.id, {}, number))
                written[number] = self.updates[-1]
            body = written[number].body
            body.setdefault("attributes", writing.chosen(values, parent, terms))

    def write(self, variations: Variations, earlier: Earlier) -> Flow[list[StorebridgeError]]:
        """Write the variations, one batch after the other, and return what went wrong."""
        parent = self.item.number
        results: dict[str, Result] = {}
        if self.deletes:
            results |= yield from variations.delete(parent, self.deletes)
        if self.updates:
            results |= yield from variations.update(parent, self.updates)
        if self.creates:
            results |= yield from variations.create(parent, self.creates, earlier)
        asked = [item.key for item in (*self.deletes, *self.updates, *self.creates)]
        errors = [each for each in results.values() if isinstance(each, StorebridgeError)]
        lost = [key for key in asked if key not in results]
        return errors + [OutcomeUnknown(f"no answer says what came of {key}") for key in lost]


def _with_options(desired: Product, live: Product | None) -> Product:
    """Return the product whose options tell what variations choose between."""
    if live is None:
        return desired
    if "options" not in desired.given:
        return live
    held = {option.name: option for option in live.options}
    options = [writing.flagged(each, held.get(each.name)) for each in desired.options]
    return desired.model_copy(update={"options": tuple(options)})


def _is_moved(parent: Product, live: Product) -> bool:
    """Return whether an option that is a product's own becomes one of the shop's, or back."""
    held = {option.name: _is_shops(option) for option in live.options}
    return any(held.get(each.name, _is_shops(each)) != _is_shops(each) for each in parent.options)


def _is_shops(option: Option) -> bool:
    return bool(option.platform_fields.get(NAMESPACE, {}).get("global"))


def _known(variant: Variant, live: Product | None) -> Variant | None:
    """Return the live variant that a desired one means."""
    held: Sequence[Variant] = live.variants if live else ()
    if variant.id:
        return next((each for each in held if each.id == variant.id), None)
    by_key: Mapping[str, Variant] = {k: each for each in held for k in each.element_keys()}
    found = next((by_key[key] for key in variant.element_keys() if key in by_key), None)
    if found is None and live is not None and not live.options and len(held) == 1:
        return held[0]
    return found
