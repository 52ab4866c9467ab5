"""Kinds of record that are one body each: made and changed in batches, known by a mark or a key."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from storebridge.adapter import Batch, Change
from storebridge.errors import NotFound, Rejected
from storebridge.flow import Flow, report
from storebridge.models import Record
from storebridge_woocommerce.batches import Item
from storebridge_woocommerce.lookup import Lookup
from storebridge_woocommerce.records import WooRecords, failed
from storebridge_woocommerce.text import sluglike
from storebridge_woocommerce.walk import MOST, rows_of

__all__ = ["FlatRecords", "handles", "number_of", "products_by"]

R = TypeVar("R", bound=Record)
Doc = Mapping[str, Any]


class FlatRecords(WooRecords[R]):
    """One kind of record whose changes are one item of a batch each."""

    #: What a person calls one of them.
    word: ClassVar[str]
    #: Whether the shop refuses a second one of the same kind.
    unique: ClassVar[bool] = False

    @abstractmethod
    def body(self, change: Change[R], batch: Batch[R], live: Doc | None) -> dict[str, Any]:
        """Return the JSON of a change; `live` is what the shop has, None for a new record.

        Raises:
            Rejected: for what WooCommerce would bend, drop or refuse.
        """

    @abstractmethod
    def look(self, items: Sequence[Item]) -> Flow[dict[str, Doc]]:
        """Return the rows that fit items, by the items' keys."""

    @abstractmethod
    def fits(self, item: Item, doc: Doc) -> bool:
        """Return whether a row is what an item has made."""

    def create(self, changes: Sequence[Change[R]], batch: Batch[R]) -> Flow[None]:
        """Make records, each once."""
        items = yield from self._items([(change, None) for change in changes], batch)
        yield from self.create_items(changes, items, batch, self.look, self.fits)

    def update(self, changes: Sequence[Change[R]], batch: Batch[R]) -> Flow[None]:
        """Write the given fields of records that are there, and not in the trash."""
        keys = [f"id:{change.record_id}" for change in changes]
        rows = {str(row["id"]): row for row in (yield from self.by_ids(keys, ""))}
        there: list[tuple[Change[R], Doc | None]] = []
        for change in changes:
            if change.record_id in rows:
                there.append((change, rows[change.record_id]))
            else:
                error = NotFound(f"the shop has no {self.word} {change.record_id}")
                yield from report([failed(change, error)])
        yield from self.update_items(changes, (yield from self._items(there, batch)))

    def _items(
        self, changes: Sequence[tuple[Change[R], Doc | None]], batch: Batch[R]
    ) -> Flow[list[Item]]:
        """Return the items of changes; what can't be sent is reported at once."""
        items = []
        for change, live in changes:
            try:
                number = int(change.record_id) if live is not None else 0
                body = self.body(change, batch, live)
                items.append(Item(change.id, change.id, body, number, self.unique))
            except Rejected as error:
                yield from report([failed(change, error)])
        return items


def handles(path: str, numbers: set[int]) -> Flow[dict[int, str]]:
    """Return the handles of some products or categories by their numbers."""
    found: dict[int, str] = {}
    wanted = sorted(numbers)
    for start in range(0, len(wanted), MOST):
        listed = ",".join(map(str, wanted[start : start + MOST]))
        params = (("include", listed), ("_fields", "id,slug"))
        rows = yield from rows_of(path, params)
        found |= {row["id"]: sluglike(row["slug"]) for row in rows if row["slug"]}
    return found


def products_by(keys: Sequence[str]) -> Flow[dict[str, int]]:
    """Return the numbers of the products that some keys name."""
    rows = yield from Lookup("/products", ()).find(keys, "id,slug,sku,type,parent_id")
    found: dict[str, int] = {}
    for row in rows:
        names = (f"id:{row['id']}", f"handle:{sluglike(row['slug'])}", f"sku:{row['sku']}")
        found.update((name, row["id"]) for name in names)
    return found


def number_of(kind: str, key: str, batch: Batch[Any], field: str) -> int:
    """Return the number of a product or category that a record refers to.

    Raises:
        Rejected: if the shop has none of this key.
    """
    found = batch.ids.get(f"{kind} {key}") or key.removeprefix("id:")
    if not found.isdecimal():
        raise Rejected(f"there is no {kind} {key!r}", fields={field: "missing"})
    return int(found)
