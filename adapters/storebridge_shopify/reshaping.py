"""Options and variants of a live product, written as whole lists that are completed from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from storebridge.adapter import Batch, Change
from storebridge.errors import OutcomeUnknown
from storebridge.flow import Flow, RequestKind
from storebridge.models import Product, Variant
from storebridge_shopify.adding import add_variants, is_whole
from storebridge_shopify.graphql import Doc
from storebridge_shopify.matching import match, replaces
from storebridge_shopify.records import mutate
from storebridge_shopify.setting import begun, followed, set_product
from storebridge_shopify.site import Facts
from storebridge_shopify.writing import Shape, quantities, set_variant, variant_rows

__all__ = ["Look", "reshape"]

#: Reads the product of a change as it is now, with the ids of its options by their names.
Look = Callable[[], Flow[tuple[Product, Mapping[str, str]]]]


def reshape(
    change: Change[Product], batch: Batch[Product], body: Doc, facts: Facts, look: Look
) -> Flow[list[Variant]]:
    """Write lists of options and variants; return the variants that were there, with their ids.

    A new variant has no id yet, so after a lost answer the product is read again first.

    Raises:
        OutcomeUnknown: if the answer was lost twice.
    """
    if operation := begun(change, batch):
        yield from followed(change, operation)
    lost: OutcomeUnknown | None = None
    for _ in range(2):
        live, option_ids = yield from look()
        matched = [(v, match(v, live, change.desired)) for v in change.desired.variants]
        known = [v.model_copy(update={"id": found.id}) for v, found in matched if found]
        lists = _shape(change, live, matched, facts).input(option_ids)
        new = [row for row in lists.get("variants", ()) if "id" not in row]
        try:
            if new and not is_whole(lists) and _only_adds(change, live, known):
                yield from _add(change, body, variant_rows(known, facts), new)
            else:
                kind = RequestKind.CREATE if new else RequestKind.SET
                variables = {"identifier": {"id": change.record_id}, "input": {**body, **lists}}
                yield from set_product(change, variables, kind, slowly=lost is not None)
        except OutcomeUnknown as error:
            lost = error
            continue
        return known
    assert lost is not None
    raise lost


def _only_adds(change: Change[Product], live: Product, known: Sequence[Variant]) -> bool:
    """Return whether options stay, and of the variants those that are there with their values."""
    desired, held = change.desired, {each.id: each.options for each in live.variants}
    names = [
        each.name for each in (desired.options if "options" in desired.given else live.options)
    ]
    return (
        names == [each.name for each in live.options]
        and not change.removed.get("variants")
        and not replaces(desired)
        and all(held[each.id] == each.options for each in known if "options" in each.given)
    )


def _add(
    change: Change[Product], body: Doc, rows: Iterable[Sequence[Doc]], new: list[Doc]
) -> Flow[None]:
    """Write a product's own fields and its variants' without a list, and add the new ones."""
    variables: Doc
    if body:
        variables = {"identifier": {"id": change.record_id}, "input": body}
        yield from set_product(change, variables, RequestKind.SET)
    for piece in rows:
        variables = {"productId": change.record_id, "variants": piece}
        yield from mutate("variants_update", "productVariantsBulkUpdate", variables, change)
    yield from add_variants(change, change.record_id, new)


def _shape(
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
        dropped = bool(gone & set(variant.element_keys())) or replaces(change.desired)
        if named is None and dropped:
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
