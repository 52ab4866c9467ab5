"""Products by their keys: ids, SKUs (also of variations) and handles, in few calls.

`sku=` takes a list and finds variations too; `slug=` takes one value. So handles that no SKU has
led to are asked one by one, or looked up in a list of all slugs where that is shorter.
Source: recorded exchanges, SKU and upsert; pagination.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storebridge.flow import Flow
from storebridge.models import Product
from storebridge_woocommerce.reading import NAMESPACE
from storebridge_woocommerce.text import slug_form, sluglike
from storebridge_woocommerce.walk import MOST, every, rows_of, walk

__all__ = ["LINKS", "Lookup", "named"]

Doc = Mapping[str, Any]
Params = tuple[tuple[str, str], ...]

#: What names other products by their ids.
LINKS = ("upsell_ids", "cross_sell_ids", "grouped_products")
#: As many handles are asked for one by one without a look at how many products there are.
_FEW = 2
#: So many SKUs are asked for at once: a full answer may have been cut.
_SKUS = MOST - 1


class Lookup:
    """Finds rows of one resource by keys."""

    def __init__(self, path: str, reading: Params) -> None:
        """Keep the resource and what every read of it asks for."""
        self._path, self._reading = path, reading

    def find(self, keys: Sequence[str], asked: str) -> Flow[list[Doc]]:
        """Return the rows that have any of these keys, each once; a variation's SKU its parent."""
        found: dict[int, Doc] = {}
        numbers = {int(key[3:]) for key in keys if key.startswith("id:") and key[3:].isdecimal()}
        numbers |= yield from self._by_sku(_values(keys, "sku:"), asked, found)
        yield from self._by_id(numbers - found.keys(), asked, found)
        there = {sluglike(str(doc.get("slug", ""))) for doc in found.values()}
        handles = [handle for handle in _values(keys, "handle:") if handle not in there]
        if handles:
            yield from self._by_handle(handles, asked, found)
        return list(found.values())

    def names(self, docs: Sequence[Doc]) -> Flow[dict[int, tuple[str, str]]]:
        """Return, for the products that some refer to, their handle's key and their SKU's key."""
        wanted = {number for doc in docs for link in LINKS for number in doc.get(link, ())}
        if not wanted:
            return {}
        rows: dict[int, Doc] = {
            doc["id"]: doc for doc in docs if doc["id"] in wanted and "slug" in doc
        }
        yield from self._by_id(wanted - rows.keys(), "id,slug,sku", rows)
        return {number: _keys(row) for number, row in rows.items()}

    def rows(self, params: Params) -> Flow[list[Doc]]:
        """Return the rows of one call."""
        return (yield from rows_of(self._path, params))

    def _ask(self, asked: str, *params: tuple[str, str]) -> Flow[list[Doc]]:
        return (yield from self.rows((*self._reading, ("_fields", asked), *params)))

    def _by_id(self, numbers: Iterable[int], asked: str, found: dict[int, Doc]) -> Flow[None]:
        ids = sorted(numbers)
        for start in range(0, len(ids), MOST):
            wanted = ids[start : start + MOST]
            rows = yield from self._ask(asked, ("include", ",".join(map(str, wanted))))
            found.update((row["id"], row) for row in rows if row["id"] in wanted)

    def _by_sku(self, skus: Sequence[str], asked: str, found: dict[int, Doc]) -> Flow[set[int]]:
        """Find products by SKU; return the parents of the variations that were hit."""
        # A comma in a SKU makes a list of two; such a SKU is found when it is asked for alone.
        odd = [sku for sku in skus if "," in sku or sku != sku.strip()]
        plain = [sku for sku in skus if sku not in odd]
        pieces = [plain[start : start + _SKUS] for start in range(0, len(plain), _SKUS)]
        parents: set[int] = set()
        for piece in (*pieces, *([sku] for sku in odd)):
            wanted = {sku.casefold() for sku in piece}
            params = (("sku", ",".join(piece)),)
            rows = yield from self._ask(asked, *params)
            if len(rows) >= MOST:  # several have one SKU: translations, or a plugin's doing
                rows = yield from every(self._path, (*self._reading, ("_fields", asked), *params))
            for row in rows:
                if str(row["sku"]).casefold() not in wanted:
                    continue
                if row["type"] == "variation":
                    parents.add(row["parent_id"])
                else:
                    found[row["id"]] = row
        return parents

    def _by_handle(self, handles: Sequence[str], asked: str, found: dict[int, Doc]) -> Flow[None]:
        if len(handles) > _FEW:
            params = (*self._reading, ("_fields", "id,slug"))
            first = yield from walk(self._path, params, "", MOST)
            if -(-(first.total or 0) // MOST) < len(handles):
                rows, cursor = list(first.rows), first.cursor
                while cursor:
                    page = yield from walk(self._path, params, cursor, MOST)
                    rows, cursor = [*rows, *page.rows], page.cursor
                wanted = set(handles)
                numbers = {row["id"] for row in rows if sluglike(row["slug"]) in wanted}
                yield from self._by_id(numbers - found.keys(), asked, found)
                return
        for handle in handles:
            for row in (yield from self._ask(asked, ("slug", slug_form(handle)))):
                if sluglike(str(row["slug"])) == handle:
                    found[row["id"]] = row


def _values(keys: Sequence[str], start: str) -> list[str]:
    return list(dict.fromkeys(key.removeprefix(start) for key in keys if key.startswith(start)))


def _keys(row: Doc) -> tuple[str, str]:
    number = f"id:{row['id']}"
    handle = f"handle:{sluglike(row['slug'])}" if row["slug"] else ""
    sku = f"sku:{row['sku']}" if row["sku"] else ""
    return handle or sku or number, sku or number


def named(product: Product, names: Mapping[int, tuple[str, str]]) -> Product:
    """Return a product that names others by their keys instead of by their ids.

    Those that are gone, or in the trash, are left out: WooCommerce keeps their ids, and shows none.
    """
    changed: dict[str, Any] = {}
    for field in ("upsells", "cross_sells"):
        if keys := getattr(product, field):
            changed[field] = tuple(handle for handle, _ in _there(keys, names))
    own = product.platform_fields.get(NAMESPACE, {})
    if keys := own.get("grouped_products"):
        grouped = [sku for _, sku in _there(keys, names)]
        changed["platform_fields"] = {NAMESPACE: {**own, "grouped_products": grouped}}
    return product.model_copy(update=changed) if changed else product


def _there(keys: Iterable[str], names: Mapping[int, tuple[str, str]]) -> Iterable[tuple[str, str]]:
    numbers = (int(key.removeprefix("id:")) for key in keys)
    return (names[number] for number in numbers if number in names)
