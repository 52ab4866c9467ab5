"""Stock of variants that exist: many rows in one call, each with the quantity that it replaces.

`inventorySetQuantities` refuses a row whose quantity isn't the one it was planned on, and all
other rows of the call with it; so those rows are told, and the others sent again. `@idempotent`
is compulsory: its key is made of batch and rows, so that a repeated call is known (schema).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from storebridge.adapter import Batch, Change
from storebridge.errors import ApiError, AuthError, Conflict, NotFound, StorebridgeError
from storebridge.flow import Flow, Outcome, RequestKind, wait
from storebridge.models import Product, Variant
from storebridge_shopify.graphql import Doc, call, check, user_error
from storebridge_shopify.reading import available
from storebridge_shopify.site import Facts, Shop
from storebridge_shopify.steps import Steps
from storebridge_shopify.walk import stays, variant_whole

__all__ = ["Levels"]

#: The most rows of a call (usage/limits).
_ROWS = 250
#: So many locations of each item come with a look-up; the others are asked for.
_LEVELS = 50
_REASON = "correction"
#: Error codes that a later try with the same key is spared.
_BUSY = "IDEMPOTENCY_CONCURRENT_REQUEST"


@dataclass(frozen=True, slots=True)
class _Row:
    """One quantity to set; `before` is what was planned on, None where nobody knows."""

    change: str
    variant: str
    location: str
    quantity: int
    before: int | None
    item: str = ""
    stocked: bool = True


class Levels:
    """The stock that the changes of a batch set."""

    def __init__(self, batch: Batch[Product], shop: Shop, steps: Steps) -> None:
        """Keep the batch and the shop; what is set is noted in `steps`."""
        self._batch, self._shop, self._steps = batch, shop, steps
        self._rows: dict[str, list[_Row]] = {}

    def add(self, change: Change[Product], variants: Iterable[Variant], facts: Facts) -> None:
        """Take in the stock of a change's variants, which have their ids."""
        before = {
            (variant.id, facts.location(level.location)): level.available
            for variant in (change.before.variants if change.before else ())
            for level in variant.inventory
        }
        for variant in variants:
            for level in variant.inventory:
                place = facts.location(level.location)
                known = before.get((variant.id, place))
                row = _Row(change.id, variant.id, place, level.available, known)
                self._rows.setdefault(change.id, []).append(row)

    def has(self, change: str) -> bool:
        """Return whether a change sets stock."""
        return change in self._rows

    def drop(self, change: str) -> None:
        """Leave a change's stock alone, since something else of it failed."""
        self._rows.pop(change, None)

    def write(self) -> Flow[dict[str, Outcome]]:
        """Set all rows, and return the outcomes of the changes that failed."""
        failed: dict[str, Outcome] = {}
        wanted = [row for rows in self._rows.values() for row in rows]
        rows = yield from self._looked_up(wanted, failed)
        for row in rows:
            if not row.stocked and row.change not in failed:
                yield from self._tried((row,), self._activate, failed)
        stocked = [row for row in rows if row.stocked]
        for start in range(0, len(stocked), _ROWS):
            piece = stocked[start : start + _ROWS]
            while piece := [row for row in piece if row.change not in failed]:
                if (yield from self._tried(piece, self._set, failed)):
                    break
        return failed

    def _tried(self, rows: Sequence[_Row], make: Any, failed: dict[str, Outcome]) -> Flow[bool]:
        """Return whether rows were set; where not, the changes to blame are in `failed`."""
        try:
            errors: dict[int, ApiError] = yield from make(rows)
        except AuthError:
            raise
        except StorebridgeError as error:
            errors = {}
            failed |= {row.change: self._steps.failure(row.change, error) for row in rows}
        for place, refused in errors.items():
            row = rows[place]
            failed[row.change] = self._steps.failure(row.change, refused)
        for change in {row.change for row in rows} - failed.keys() if not errors else ():
            self._steps.note(change, "inventorySetQuantities")
        return not errors

    def _looked_up(self, rows: Sequence[_Row], failed: dict[str, Outcome]) -> Flow[list[_Row]]:
        """Return rows with their items, and with live quantities where nothing was planned on.

        A row of a change that may have been sent is looked at too: set already, it is left out.
        """
        rows = [replace(row, item=self._shop.items.get(row.variant)) for row in rows]
        unsure = {row for row in rows if self._unsure(row)}
        held: dict[str, Doc] = {}
        ids = list(dict.fromkeys(row.variant for row in rows if row in unsure))
        for start in range(0, len(ids), _ROWS):
            variables = {"ids": ids[start : start + _ROWS], "levels": _LEVELS}
            for node in (yield from call("variants_by_id", variables))["nodes"]:
                known = node and "inventoryItem" in node
                if known and (yield from stays(node, variant_whole(node))):
                    held[node["id"]] = node["inventoryItem"]
        found = []
        for row in rows:
            item = held.get(row.variant)
            if row not in unsure:
                found.append(row)
            elif item is None:
                error = NotFound(f"there is no variant {row.variant}")
                failed[row.change] = self._steps.failure(row.change, error)
            elif (seen := _seen(row, item)).before != row.quantity or not seen.stocked:
                found.append(seen)
        return found

    def _unsure(self, row: _Row) -> bool:
        return row.before is None or not row.item or row.change in self._batch.uncertain

    def _set(self, rows: Sequence[_Row]) -> Flow[dict[int, ApiError]]:
        quantities = [
            {
                "inventoryItemId": row.item,
                "locationId": row.location,
                "quantity": row.quantity,
                "changeFromQuantity": row.before,
            }
            for row in rows
        ]
        body = {"name": "available", "reason": _REASON, "quantities": quantities}
        variables = {"input": body, "key": self._key(quantities)}
        covers = tuple(dict.fromkeys(row.change for row in rows))
        for pause in (2.0, 5.0, 0.0):
            data = yield from call("inventory_set", variables, kind=RequestKind.SET, covers=covers)
            errors = data["inventorySetQuantities"]["userErrors"]
            if not pause or _BUSY not in {each.get("code") for each in errors}:
                break
            yield from wait(pause, "the same call is still being worked on")
        return _by_row(errors, len(rows))

    def _activate(self, rows: Sequence[_Row]) -> Flow[dict[int, ApiError]]:
        """Stock an item at a location where it isn't, with its quantity."""
        (row,) = rows
        variables = {"item": row.item, "location": row.location, "available": row.quantity}
        key = self._key([*variables.values()])
        data = yield from call(
            "inventory_activate",
            {**variables, "key": key},
            kind=RequestKind.SET,
            covers=(row.change,),
        )
        check(data["inventoryActivate"])
        return {}

    def _key(self, payload: Any) -> str:
        """Return the idempotency key of a call: the same when the batch comes again."""
        return str(uuid5(NAMESPACE_URL, json.dumps([self._batch.id, payload])))


def _seen(row: _Row, item: Doc) -> _Row:
    """Return a row with what is live; what was planned on stays, if it is known."""
    for level in item["inventoryLevels"]["nodes"]:
        if level["location"]["id"] == row.location:
            live = available(level)
            same = live == row.quantity or row.before is None
            return replace(row, item=item["id"], before=live if same else row.before)
    return replace(row, item=item["id"], stocked=False)


def _by_row(errors: Sequence[Doc], count: int) -> dict[int, ApiError]:
    """Return the errors of a call by the place of the row that each concerns; else by the first."""
    found: dict[int, ApiError] = {}
    for each in errors:
        path = [step for step in each.get("field") or () if str(step).isdecimal()]
        place = int(path[0]) if path and int(path[0]) < count else 0
        error = user_error([each])
        if str(each.get("code")).endswith("_QUANTITY_STALE"):
            error = Conflict(str(error), code=error.code, remedy="Plan again: the stock changed.")
        found.setdefault(place, error)
    return found
