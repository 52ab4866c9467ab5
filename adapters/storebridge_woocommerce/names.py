"""Orders by the names that they were made under: their key, and their number elsewhere.

WooCommerce numbers orders itself, takes any number of the same, and finds none by metadata. So
an order's names are kept with it, and read of all orders that the interface made: whole the first
time, and from then on what is new at the end. A shop that ignores the filter `created_via` lists
other orders too; what counts is what is kept with each (WooCommerce 9.9.5 and 11.0.1 know it).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from storebridge.adapter import Change
from storebridge.errors import Rejected
from storebridge.flow import Flow
from storebridge.models import Order
from storebridge_woocommerce.reading import MARK
from storebridge_woocommerce.walk import MOST, walk

__all__ = ["KEPT", "Names", "keeping", "kept", "marks", "names", "renaming"]

Doc = Mapping[str, Any]

#: The metadata key that keeps each kind of name.
KEPT: Mapping[str, str] = {"key": MARK, "number": "_storebridge_number"}
_KINDS = {theirs: ours for ours, theirs in KEPT.items()}
#: So many orders at the end are read once more: one may have been listed while it was being made,
#: before its names were there.
_AGAIN = 50


class Names:
    """Which orders were made under which names, as far as they have been read."""

    def __init__(self, path: str) -> None:
        """Know none yet."""
        self._path = path
        self._ids: list[int] = []
        self._found: dict[str, set[int]] = {}

    def find(self, names: Iterable[str]) -> Flow[set[int]]:
        """Return the ids of orders that were made under any of these names, now or long ago.

        One of them may be gone since.
        """
        yield from self._catch_up()
        return {number for name in names for number in self._found.get(_form(name), ())}

    def _catch_up(self) -> Flow[None]:
        params = (("created_via", "rest-api"), ("_fields", "id,meta_data"))
        place = len(self._ids) - _AGAIN
        cursor = f"{place + 1}:{self._ids[place]}" if place >= 0 else ""
        while True:
            page = yield from walk(self._path, params, cursor, MOST)
            for row in page.rows:
                if not self._ids or row["id"] > self._ids[-1]:
                    self._ids.append(row["id"])
                for name in marks(row):
                    self._found.setdefault(name, set()).add(row["id"])
            if not (cursor := page.cursor):
                return


def marks(doc: Doc) -> set[str]:
    """Return the names that an order, or the JSON of a new one, keeps ("key:erp-7")."""
    return _composed(kept(doc))


def names(doc: Doc) -> set[str]:
    """Return the names that an order is found by: those it keeps, else the shop's number."""
    return _composed({"number": str(doc["number"]), **kept(doc)})


def kept(doc: Doc) -> dict[str, str]:
    """Return the names that an order keeps, by kind."""
    return {
        _KINDS[each["key"]]: str(each["value"])
        for each in doc.get("meta_data", ())
        if each["key"] in _KINDS and each["value"]
    }


def keeping(change: Change[Order]) -> list[dict[str, str]]:
    """Return the metadata that keeps the names of a new order.

    Raises:
        Rejected: if it has none.
    """
    found = [name.partition(":") for name in dict.fromkeys((*change.desired.keys(), change.key))]
    meta = [{"key": KEPT[kind], "value": value} for kind, _, value in found if kind in KEPT]
    if not meta:
        raise Rejected(
            "an order needs a key or a number, or it would be made again the next time",
            fields={"key": "missing"},
            remedy="Give it a key: what the order is called where it comes from.",
        )
    return meta


def renaming(key: str, live: Doc) -> dict[str, str]:
    """Return the metadata that gives an order that was made here another key.

    Raises:
        Rejected: if the shop made the order: nothing would find it by a key.
    """
    if not kept(live):
        raise Rejected(
            "the shop made this order itself, and takes no key for it",
            fields={"key": "fixed"},
            remedy="Name it by its id or number alone; if another order is meant that has the same "
            "number, give that one its key and no number.",
        )
    return {"key": MARK, "value": key}


def _composed(found: Mapping[str, str]) -> set[str]:
    return {_form(f"{kind}:{value}") for kind, value in found.items()}


def _form(name: str) -> str:
    return unicodedata.normalize("NFC", name)
