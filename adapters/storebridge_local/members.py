"""Which products are in which collections: kept by id, read from both sides.

`rank` is a collection's place in its product's list, `place` a product's place in its
collection's. `name` is the key that a collection's list was given with ("sku:A-1").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storebridge.errors import Rejected
from storebridge_local.database import Session, composed, ids_json

__all__ = ["collections_of", "products_of", "put_collections", "put_products", "resolved"]

_IN = "IN (SELECT value FROM json_each(?))"


def collections_of(session: Session, products: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the handles of the collections that hold each product, in its own order."""
    rows = session.execute(
        "SELECT m.product, c.handle FROM member m JOIN record c ON c.id = m.collection"
        f" WHERE m.product {_IN} ORDER BY m.product, m.rank",
        (ids_json(products),),
    )
    return _grouped(rows.fetchall())


def products_of(session: Session, collections: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the keys of the products in each collection, in its order.

    A key is the one that was given while it still names the product, else the handle.
    """
    rows = session.execute(
        "SELECT m.collection, coalesce(k.name, 'handle:' || p.handle) FROM member m"
        " JOIN record p ON p.id = m.product"
        " LEFT JOIN key k ON k.kind = 'product' AND k.name = m.name AND k.id = m.product"
        f" WHERE m.collection {_IN} ORDER BY m.collection, m.place",
        (ids_json(collections),),
    )
    return _grouped(rows.fetchall())


def _grouped(rows: Sequence[tuple[int, str]]) -> dict[str, tuple[str, ...]]:
    lists: dict[str, list[str]] = {}
    for owner, name in rows:
        lists.setdefault(str(owner), []).append(name)
    return {owner: tuple(names) for owner, names in lists.items()}


def put_collections(session: Session, product: str, collections: Sequence[str]) -> None:
    """Make these, by id and in this order, the collections that hold a product."""
    session.execute(
        f"DELETE FROM member WHERE product = ? AND NOT collection {_IN}",
        (int(product), ids_json(collections)),
    )
    session.executemany(
        "INSERT INTO member SELECT :product, :collection, :rank, coalesce(max(place), 0) + 1, ''"
        " FROM member WHERE collection = :collection"
        " ON CONFLICT DO UPDATE SET rank = excluded.rank",
        (
            {"product": int(product), "collection": int(one), "rank": rank}
            for rank, one in enumerate(collections)
        ),
    )


def put_products(session: Session, collection: str, products: Mapping[str, str]) -> None:
    """Make these, keys by id in their order, the products of a collection."""
    session.execute(
        f"DELETE FROM member WHERE collection = ? AND NOT product {_IN}",
        (int(collection), ids_json(products)),
    )
    session.executemany(
        "INSERT INTO member SELECT :product, :collection, coalesce(max(rank), 0) + 1, :place, :name"
        " FROM member WHERE product = :product"
        " ON CONFLICT DO UPDATE SET place = excluded.place, name = excluded.name",
        (
            {"product": int(one), "collection": int(collection), "place": place, "name": name}
            for place, (one, name) in enumerate(products.items())
        ),
    )


def resolved(
    session: Session, kind: str, keys: Sequence[str], known: Mapping[str, str]
) -> dict[str, str]:
    """Return keys by the id of the record of a kind that each names, in order.

    Raises:
        Rejected: if a key names no record.
    """
    found: dict[str, str] = {}
    for key in keys:
        record_id = known.get(f"{kind} {key}") or session.id_of(kind, key)
        if not record_id:
            raise Rejected(
                f"there is no {kind} {key!r}.", remedy=f"Create the {kind} first, or leave it out."
            )
        found[record_id] = composed(key)
    return found
