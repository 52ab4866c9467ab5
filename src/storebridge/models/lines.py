"""The words by which parcels and refunds name lines of their order in any store.

An id of a line counts only for the store that it comes from. `sku:TEE-M` is the one line that has
this SKU, `line:2` the second line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from storebridge.models.base import Record
from storebridge.models.order import Fulfillment, LineItem, Order, Refund

__all__ = ["REMEDY", "in_words", "named_lines", "placed", "unplaced"]

R = TypeVar("R", bound=Record)
E = TypeVar("E", Fulfillment, Refund)

REMEDY = "Name it by its place (line:2 is the second line), or by a SKU that only it has (sku:TEE)."
_WORDS = ("sku:", "line:")


def in_words(record: R, live: Record | None = None) -> R:
    """Return an order whose parcels and refunds name its lines by words instead of ids.

    Args:
        record: a record of any kind; others than orders come back as they are.
        live: the order of the store that it is for; the ids of its lines stay.
    """
    if not isinstance(record, Order):
        return record
    known = {line.id for line in live.line_items} if isinstance(live, Order) else set[str]()
    counts = Counter(line.sku for line in record.line_items)
    words: dict[str, str] = {}
    for place, line in enumerate(record.line_items, start=1):
        if line.id and line.id not in known:
            alone = line.sku and counts[line.sku] == 1
            words[line.id] = f"sku:{line.sku}" if alone else f"line:{place}"
    return _renamed(record, words)


def placed(record: R, lines: Sequence[LineItem]) -> R:
    """Return an order whose parcels and refunds name these lines by ids; unknown words stay."""
    return _renamed(record, _ids(lines)) if isinstance(record, Order) and lines else record


def unplaced(record: Record, lines: Sequence[LineItem]) -> Iterator[tuple[str, str]]:
    """Yield path and value of each word that names none of these lines, or more than one."""
    if not isinstance(record, Order):
        return
    known = {line.id for line in lines} | _ids(lines).keys()
    for path, name in named_lines(record):
        if name.startswith(_WORDS) and name not in known:
            yield path, name


def named_lines(order: Order) -> Iterator[tuple[str, str]]:
    """Yield path and name of each line that parcels and refunds name."""
    for field in ("fulfillments", "refunds"):
        for place, part in enumerate(getattr(order, field)):
            for number, line in enumerate(part.lines):
                yield f"{field}.{place}.lines.{number}.line_item_id", line.line_item_id


def _ids(lines: Sequence[LineItem]) -> dict[str, str]:
    """Return the id of each line by its words; a SKU that several lines have is none."""
    counts = Counter(line.sku for line in lines)
    found = {f"sku:{line.sku}": line.id for line in lines if line.sku and counts[line.sku] == 1}
    return found | {f"line:{place}": line.id for place, line in enumerate(lines, start=1)}


def _renamed(order: R, names: Mapping[str, str]) -> R:
    fields = {
        field: tuple(_relined(part, names) for part in getattr(order, field))
        for field in ("fulfillments", "refunds")
        if names and any(part.lines for part in getattr(order, field))
    }
    return order.model_copy(update=fields) if fields else order


def _relined(part: E, names: Mapping[str, str]) -> E:
    lines = tuple(
        line.model_copy(update={"line_item_id": names.get(line.line_item_id, line.line_item_id)})
        for line in part.lines
    )
    return part.model_copy(update={"lines": lines}) if lines else part
