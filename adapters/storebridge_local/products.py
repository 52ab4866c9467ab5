"""Products: their variants, media and stock, and the collections that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from storebridge.adapter import Batch
from storebridge.errors import Rejected
from storebridge.models import InventoryLevel, Media, Product, Variant
from storebridge_local import members
from storebridge_local.database import Database, Session
from storebridge_local.records import LocalRecords, Values, numbered

__all__ = ["ProductRecords"]


class ProductRecords(LocalRecords[Product]):
    """Products with all that belongs to them."""

    membership = "collections"

    def __init__(self, database: Database) -> None:
        """A product is found by handle and SKU, its own or a variant's."""
        finds = ("handle", "sku")
        super().__init__(database, Product, finds=finds, slugged=("handle", "title"))

    def settle(self, session: Session, desired: Product) -> Product:
        """Return the product with its stock at named locations.

        Raises:
            Rejected: for stock at no location of the store, or a price in another currency.
        """
        for variant in desired.variants:
            _in_currency(session, variant)
        places = session.locations
        strange = (lv.location for v in desired.variants for lv in v.inventory)
        if all(name and places.get(name) == name for name in strange):
            return desired
        variants = tuple(_placed(places, variant) for variant in desired.variants)
        return desired.model_copy(update={"variants": variants})

    def complete(self, session: Session, live: Product, values: Values) -> None:
        """Put in a handle, one variant at least, and ids."""
        super().complete(session, live, values)
        if "variants" in values or not live.id:
            variants = values.get("variants") or (Variant(),)
            known = {variant.id for variant in live.variants}
            values["variants"] = numbered(session, variants, known)
        if "media" in values:
            held = {one.id: one.position for one in live.media}
            values["media"] = _seated(numbered(session, values["media"], held), held)

    def shown(
        self, session: Session, records: Sequence[Product], needed: Iterable[str] | None = None
    ) -> tuple[Product, ...]:
        """Return products as they are read; each picture has its place."""
        found = super().shown(session, records, needed)
        # A store of an earlier version has the order alone.
        return tuple(
            one.model_copy(update={"media": _seated(one.media, {})})
            if any(item.position is None for item in one.media)
            else one
            for one in found
        )

    def members(self, session: Session, ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the handles of products' collections."""
        return members.collections_of(session, ids)

    def join(
        self, session: Session, batch: Batch[Product], record_id: str, handles: Sequence[str]
    ) -> None:
        """Put a product into these collections, and into no others."""
        keys = [f"handle:{handle}" for handle in handles]
        found = members.resolved(session, "collection", keys, batch.ids)
        members.put_collections(session, record_id, tuple(found))


def _in_currency(session: Session, variant: Variant) -> None:
    sale = variant.sale.price if variant.sale is not None else None
    for field, price in (
        ("price", variant.price),
        ("compare_at_price", variant.compare_at_price),
        ("sale", sale),
        ("cost", variant.cost),
    ):
        if price is not None and price.currency != session.currency:
            raise Rejected(
                f"{field} is {price}, and the store's currency is {session.currency}.",
                fields={f"variants.{field}": "another currency"},
                remedy="Give prices in the store's currency, or market prices.",
            )


def _seated(media: Sequence[Media], held: Mapping[str, int | None]) -> tuple[Media, ...]:
    """Return pictures with their places, from 1.

    One that asks for another place than it holds gets that one; the others keep their order.
    """
    asks = [one for one in media if one.position not in (None, held.get(one.id))]
    named = {one.id for one in asks}
    order = [one for one in media if one.id not in named]
    for one in sorted(asks, key=lambda one: one.position or 0):
        order.insert(max(0, (one.position or 0) - 1), one)
    return tuple(
        one if one.position == place else one.model_copy(update={"position": place})
        for place, one in enumerate(order, 1)
    )


def _placed(places: Mapping[str, str], variant: Variant) -> Variant:
    if not variant.inventory:
        return variant
    levels = tuple(
        level.model_copy(update={"location": _location(places, level)})
        for level in variant.inventory
    )
    return variant.model_copy(update={"inventory": levels})


def _location(places: Mapping[str, str], level: InventoryLevel) -> str:
    if level.location in places:
        return places[level.location]
    known = ", ".join(dict.fromkeys(places.values()))
    what = f"no location {level.location!r}" if level.location else "more than one location"
    raise Rejected(
        f"the store has {what}.",
        fields={"variants.inventory.location": "unknown"},
        remedy=f"Create it first, or name one of: {known}.",
    )
