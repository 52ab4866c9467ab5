"""Locations: stock names them, so that a new name goes to the stock, and stock holds them."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic_core import to_json

from storebridge.errors import Conflict
from storebridge.models import Location, Product, Variant
from storebridge_local.database import Database, Session
from storebridge_local.records import LocalRecords

__all__ = ["LocationRecords"]


class LocationRecords(LocalRecords[Location]):
    """The places that hold stock; a store has one at least."""

    def __init__(self, database: Database) -> None:
        """A location needs a name, by which it is found too."""
        super().__init__(database, Location, required="name")

    def after(self, session: Session, live: Location, stored: Location) -> None:
        """Give the stock of a renamed location its new name."""
        if not live.id or live.name == stored.name:
            return
        for product in _stocked(session, live.name):
            variants = tuple(_renamed(one, live.name, stored.name) for one in product.variants)
            body = product.model_copy(update={"variants": variants}).model_dump_json()
            session.execute("UPDATE record SET body = ? WHERE id = ?", (body, int(product.id)))

    def before_delete(self, session: Session, live: Location) -> None:
        """Refuse to delete the only location, or one with stock."""
        if len(session.all(Location)) == 1:
            raise Conflict("a store has one location at least.", remedy="Create another one first.")
        product = next(_stocked(session, live.name), None)
        if product is not None:
            raise Conflict(
                f"{live.name!r} has stock, of {product.label!r} for one.",
                remedy="Move the stock to another location first.",
            )


def _stocked(session: Session, location: str) -> Iterator[Product]:
    """Yield the products with stock at a location, as they are kept."""
    mark = f'"location":{to_json(location).decode()}'
    rows = session.execute(
        "SELECT body FROM record WHERE kind = 'product' AND instr(body, ?)", (mark,)
    ).fetchall()
    for (body,) in rows:
        product = Product.model_validate_json(body)
        # The mark may also stand in a platform's own fields.
        if any(level.location == location for v in product.variants for level in v.inventory):
            yield product


def _renamed(variant: Variant, old: str, new: str) -> Variant:
    levels = tuple(
        level.model_copy(update={"location": new}) if level.location == old else level
        for level in variant.inventory
    )
    return variant.model_copy(update={"inventory": levels}) if levels else variant
