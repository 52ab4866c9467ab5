"""Variations: read for many parents at once, written for one parent at a time.

Two batches on one parent at the same time leave a wrong price index (recorded exchanges,
concurrency of variations), so a parent's batches follow each other; the lanes of the products keep
other flows away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from storebridge.errors import BadAnswer, NotFound
from storebridge.flow import Flow
from storebridge_woocommerce.batches import Earlier, Item, Pace, Result, create, delete, update
from storebridge_woocommerce.fields import VARIATION_KEYS
from storebridge_woocommerce.text import plain
from storebridge_woocommerce.walk import every

__all__ = ["Variations"]

Doc = Mapping[str, Any]

#: Parents asked for at once.
_PARENTS = 50
_FIELDS = ",".join(VARIATION_KEYS)


class Variations:
    """A shop's variations."""

    def __init__(self, pace: Pace) -> None:
        """Share the pace of the products."""
        self._pace = pace
        self._together = True
        """Whether the shop lists variations of several parents; older ones don't."""

    def of(self, parents: Sequence[int]) -> Flow[dict[int, list[Doc]]]:
        """Return the variations of each parent, oldest first."""
        found: dict[int, list[Doc]] = {parent: [] for parent in parents}
        if self._together:
            try:
                yield from self._from_all(found)
            except NotFound as error:
                if error.code != "rest_no_route":
                    raise
                self._together = False
        if not self._together:
            for parent in found:
                path = f"/products/{parent}/variations"
                found[parent] = yield from every(path, (*_reading(), ("_fields", _FIELDS)))
        return found

    def _from_all(self, found: dict[int, list[Doc]]) -> Flow[None]:
        parents = list(found)
        for start in range(0, len(parents), _PARENTS):
            asked = parents[start : start + _PARENTS]
            names = ",".join(map(str, asked))
            params = (*_reading(), ("parent", names), ("_fields", _FIELDS))
            for row in (yield from every("/variations", params)):
                if row["parent_id"] not in found:  # a filter that isn't known is ignored silently
                    raise BadAnswer("the shop lists variations of products that weren't asked for")
                found[row["parent_id"]].append(row)

    def create(
        self, parent: int, items: Sequence[Item], earlier: Earlier
    ) -> Flow[dict[str, Result]]:
        """Make variations of a parent, each once; they are known by SKU or option values."""

        def look(lost: Sequence[Item]) -> Flow[dict[str, Doc]]:
            live = (yield from self.of([parent]))[parent]
            return {item.key: row for item in lost for row in live if _same(item, row)}

        return (
            yield from create(
                f"/products/{parent}/variations",
                items,
                pace=self._pace,
                look=look,
                fits=_same,
                fields=_FIELDS,
                earlier=earlier,
            )
        )

    def update(self, parent: int, items: Sequence[Item]) -> Flow[dict[str, Result]]:
        """Set values of a parent's variations."""
        return (yield from update(f"/products/{parent}/variations", items, self._pace))

    def delete(self, parent: int, items: Sequence[Item]) -> Flow[dict[str, Result]]:
        """Delete variations of a parent; one that is gone already is deleted."""
        results = yield from delete(f"/products/{parent}/variations", items, self._pace)
        return {key: _gone(result) for key, result in results.items()}


def _gone(result: Result) -> Result:
    return {} if isinstance(result, NotFound) else result


def _reading() -> tuple[tuple[str, str], ...]:
    return (("context", "edit"),)


def _same(item: Item, row: Doc) -> bool:
    """Return whether a variation is the one that an item makes."""
    sku = item.body.get("sku")
    if sku:
        return bool(str(row["sku"]).casefold() == str(sku).casefold())
    return _values(item.body.get("attributes", ())) == _values(row["attributes"])


def _values(attributes: Sequence[Doc]) -> set[tuple[str, str]]:
    """Return chosen values by attribute, told by id or by name, without regard to case."""
    return {
        (
            str(each.get("id") or plain(str(each.get("name", ""))).casefold()),
            plain(str(each["option"])).replace("\\\\", "\\").casefold(),
        )
        for each in attributes
    }
