"""Reading lists so that nothing is lost while the shop changes.

Pages drift: a row that goes away pulls the next one over the page's edge. So lists are walked in
the order of their ids, each page beginning with the last row of the one before; where that row is
no longer there, the walk steps back. Source: recorded exchanges, pagination: with deletes and
inserts between the calls, plain pages missed 5 of 135 rows, this walk none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from storebridge.errors import BadAnswer
from storebridge.flow import Flow, Request, RequestKind, Response, send
from storebridge.wire import dumps, json_of

__all__ = ["MOST", "Walked", "every", "listing", "rows", "rows_of", "walk"]

Doc = Mapping[str, Any]
Params = tuple[tuple[str, str], ...]

#: The most rows that one call gives.
MOST = 100
#: So many rows a walk steps back at first where some have gone; then twice as many each time.
_BACK = 4
#: Longer lists of values than this go into a body: servers take addresses of about 8,000 bytes.
_LONG = 1_500


class Walked(NamedTuple):
    """Some rows of a list, where the next ones are, and how many the shop says there are."""

    rows: list[Doc]
    cursor: str
    total: int | None


def walk(path: str, params: Params, cursor: str, size: int) -> Flow[Walked]:
    """Return the rows after a cursor ("offset:last id"), oldest first; "" is the start."""
    place, _, number = cursor.partition(":")
    offset, last = int(place or 0), int(number or 0)
    stepped: set[tuple[int, int, int | None]] = set()
    back = min(_BACK, size)
    while True:
        start = max(0, offset - 1) if last else offset
        count = min(MOST, size + 1) if last else size
        page = (("orderby", "id"), ("order", "asc"), ("offset", str(start)))
        response = yield from send(listing(path, (*params, *page, ("per_page", str(count)))))
        found, total = rows(response), _total(response)
        first = found[0]["id"] if found else 0
        if last and start and not 0 < first <= last and (start, first, total) not in stepped:
            # Rows before this one have gone. The same place again after that, with as many rows:
            # then the last one is there, and held back from this key.
            stepped.add((start, first, total))
            offset, back = max(0, start - back + 1), min(2 * back, count - 1)
            continue
        ended = len(found) < count if total is None else start + count >= total
        fresh = [row for row in found if row["id"] > last]
        if fresh or ended:
            last = max([last, *(row["id"] for row in fresh)])
            return Walked(fresh, "" if ended else f"{start + count}:{last}", total)
        offset = start + count


def every(path: str, params: Params) -> Flow[list[Doc]]:
    """Return all rows of a list."""
    found: list[Doc] = []
    cursor, first = "", True
    while cursor or first:
        page = yield from walk(path, params, cursor, MOST)
        found += page.rows
        cursor, first = page.cursor, False
    return found


def rows_of(path: str, params: Params) -> Flow[list[Doc]]:
    """Return the rows that one call gives, at most 100."""
    response = yield from send(listing(path, (*params, ("per_page", str(MOST)))))
    return rows(response)


def listing(path: str, params: Params) -> Request:
    """Return the request of a list; long values go into a body, as a POST that reads."""
    if sum(len(value) for _, value in params) <= _LONG:
        return Request(method="GET", path=path, params=params)
    body = {name: _listed(name, value) for name, value in params}
    return Request(
        method="POST",
        path=path,
        kind=RequestKind.READ,
        params=(("_method", "GET"),),
        body=dumps(body),
    )


def rows(response: Response) -> list[Doc]:
    """Return the rows of a list's answer.

    Raises:
        BadAnswer: if it is no list of records.
    """
    found = json_of(response)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise BadAnswer("the shop's answer is no list of records", status=response.status)
    return found


def _total(response: Response) -> int | None:
    text = response.headers.get("x-wp-total", "")
    return int(text) if text.isdecimal() else None


def _listed(name: str, value: str) -> str | Sequence[str]:
    return value.split(",") if name in ("include", "parent", "_fields") else value
