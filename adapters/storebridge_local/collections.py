"""Collections: their products by id, and a tree that follows a changed handle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storebridge.adapter import Batch
from storebridge.models import Collection
from storebridge_local import members
from storebridge_local.database import Database, Session
from storebridge_local.records import LocalRecords, Values, numbered

__all__ = ["CollectionRecords"]


class CollectionRecords(LocalRecords[Collection]):
    """Groups of products; rules are stored and not evaluated."""

    membership = "products"

    def __init__(self, database: Database) -> None:
        """A collection without a handle gets one made of its title."""
        super().__init__(database, Collection, slugged=("handle", "title"))

    def complete(self, session: Session, live: Collection, values: Values) -> None:
        """Put in a handle and the picture's id."""
        super().complete(session, live, values)
        if values.get("image") is not None:
            known = (live.image.id,) if live.image is not None else ()
            (values["image"],) = numbered(session, [values["image"]], known)

    def members(self, session: Session, ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the keys of collections' products."""
        return members.products_of(session, ids)

    def join(
        self, session: Session, batch: Batch[Collection], record_id: str, keys: Sequence[str]
    ) -> None:
        """Put these products, and no others, into a collection, in this order."""
        products = members.resolved(session, "product", keys, batch.ids)
        members.put_products(session, record_id, products)

    def after(self, session: Session, live: Collection, stored: Collection) -> None:
        """Give the collections below a renamed one its new handle."""
        if live.handle and live.handle != stored.handle:
            _move(session, live.handle, stored.handle)

    def before_delete(self, session: Session, live: Collection) -> None:
        """Move the collections below to the one above."""
        _move(session, live.handle, live.parent)


def _move(session: Session, old: str, new: str) -> None:
    session.execute(
        "UPDATE record SET body = json_set(body, '$.parent', ?)"
        " WHERE kind = 'collection' AND json_extract(body, '$.parent') = ?",
        (new, old),
    )
