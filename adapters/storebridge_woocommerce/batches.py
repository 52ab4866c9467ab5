"""Batch calls: what came of each item, and creating each record once, whatever happens.

A batch is no transaction. A fatal error in one item ends the request with 500 and keeps what came
before; a timeout or a 504 ends nothing: the server goes on and makes the rest. So after an unknown
outcome nothing is sent again before the shop was looked at twice with the same result, and what
was made is known by its mark. Source: recorded exchanges (batch, errors, SKU and upsert).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storebridge.errors import (
    ApiError,
    AuthError,
    BadAnswer,
    ConfigError,
    Conflict,
    OutcomeUnknown,
    StorebridgeError,
)
from storebridge.flow import Flow, Request, RequestKind, Response, send, wait
from storebridge.wire import dumps, json_of
from storebridge_woocommerce.diagnosis import item_error

__all__ = ["FATAL", "Item", "Look", "Pace", "Result", "create", "delete", "update"]

Doc = Mapping[str, Any]
Result = Doc | StorebridgeError
#: Returns what is in the shop of some items, by their keys.
Look = Callable[[Sequence["Item"]], Flow[dict[str, Doc]]]

#: What ends a whole run: nothing more can be written with these credentials or settings.
FATAL = (AuthError, ConfigError)
#: Seconds between looks after a lost answer: 60 products were all there 10 s later (exchanges).
_PAUSES = (4.0, 12.0, 20.0, 30.0, 60.0)
#: Requests that take longer than this have too many items, and those below too few.
_SLOW, _QUICK = 15.0, 4.0
#: Items of the first request.
_START = 25


@dataclass(frozen=True, slots=True)
class Item:
    """One record of a batch: the change that it makes, and its JSON."""

    key: str
    """What the item is known by within the batch."""
    change: str
    body: dict[str, Any]
    number: int = 0
    """The record's id, for updates and deletes."""
    unique: bool = False
    """Whether the shop would refuse a second one: by its SKU, its e-mail address, its name."""


class Pace:
    """How many items a request gets: more after quick ones, fewer after slow or failed ones."""

    def __init__(self, most: int) -> None:
        """Start small enough for a slow server; `most` are never exceeded."""
        self._most, self.size = most, min(most, _START)

    def slower(self) -> None:
        """Halve after a failure."""
        self.size = max(1, self.size // 2)

    def took(self, seconds: float) -> None:
        """Learn from how long an answer took."""
        if seconds > _SLOW:
            self.slower()
        elif seconds < _QUICK:
            self.size = min(self._most, self.size * 2)

    def chunks(self, items: Sequence[Item], size: int = 0) -> Iterator[Sequence[Item]]:
        """Yield the items in pieces of the present size."""
        start = 0
        while start < len(items):
            count = size or self.size
            yield items[start : start + count]
            start += count


def create(
    path: str,
    items: Sequence[Item],
    *,
    pace: Pace,
    look: Look,
    fits: Callable[[Item, Doc], bool],
    fields: str = "",
    uncertain: frozenset[str] = frozenset(),
) -> Flow[dict[str, Result]]:
    """Make records, each once, and return them or their errors by the items' keys.

    Args:
        path: the resource; "/batch" is added.
        items: what to make.
        pace: how many go into a request.
        look: finds items that may have been made.
        fits: tells whether a record is the one of an item.
        fields: what the answer's records are cut down to; "" for whole ones.
        uncertain: the changes that an earlier process may have sent.
    """
    results: dict[str, Result] = {}
    open_items = list(items)
    lost = [item for item in items if item.change in uncertain]
    for size in (0, 1):  # what was lost in company is sent alone: one bad item can kill a batch
        if lost:
            results |= yield from _found(lost, look)
        open_items = [item for item in open_items if item.key not in results]
        lost = []
        for chunk in pace.chunks(open_items, size):
            answers = yield from _send_creates(path, chunk, pace, fits, fields)
            lost += [item for item in chunk if item.key not in answers]
            results |= yield from _conflicts(answers, chunk, look, again=bool(size or uncertain))
        if not lost:
            return results
    results |= yield from _found(lost, look)
    unknown = OutcomeUnknown("no answer came, twice, and the shop does not have it")
    return {**{item.key: unknown for item in lost}, **results}


def update(path: str, items: Sequence[Item], pace: Pace) -> Flow[dict[str, Result]]:
    """Set values of records that exist, and return them or their errors by the items' keys."""
    return (yield from _absolute(path, "update", items, pace))


def delete(path: str, items: Sequence[Item], pace: Pace) -> Flow[dict[str, Result]]:
    """Delete records for good, and return them or their errors by the items' keys."""
    return (yield from _absolute(path, "delete", items, pace))


def _absolute(path: str, verb: str, items: Sequence[Item], pace: Pace) -> Flow[dict[str, Result]]:
    results: dict[str, Result] = {}
    for size in (0, 1):  # one bad item can kill a batch: the second time each goes alone
        rest = [item for item in items if item.key not in results]
        for chunk in pace.chunks(rest, size):
            try:
                response = yield from send(_request(path, verb, chunk, ""))
                results |= _by_number(response, verb, chunk)
                pace.took(response.elapsed)
            except FATAL:
                raise
            except (OutcomeUnknown, BadAnswer) as error:
                pace.slower()
                if size or len(chunk) == 1:
                    unknown = OutcomeUnknown(str(error), request_id=_request_id(error))
                    results |= {item.key: unknown for item in chunk}
            except StorebridgeError as error:
                if not _too_large(error, chunk, pace):
                    results |= {item.key: error for item in chunk}
    return results


def _send_creates(
    path: str,
    chunk: Sequence[Item],
    pace: Pace,
    fits: Callable[[Item, Doc], bool],
    fields: str,
) -> Flow[dict[str, Result]]:
    """Return what came of each item; one without a result may have been made."""
    try:
        response = yield from send(_request(path, "create", chunk, fields))
        pace.took(response.elapsed)
        return _in_order(response, chunk, fits)
    except FATAL:
        raise
    except (OutcomeUnknown, BadAnswer):
        pace.slower()
        return {}
    except StorebridgeError as error:
        return {} if _too_large(error, chunk, pace) else {item.key: error for item in chunk}


def _too_large(error: StorebridgeError, chunk: Sequence[Item], pace: Pace) -> bool:
    """Return whether a request was refused for its size, and go on with smaller ones."""
    if len(chunk) == 1 or not isinstance(error, ApiError) or error.status != 413:
        return False
    pace.slower()
    return True


def _conflicts(
    answers: Mapping[str, Result], chunk: Sequence[Item], look: Look, *, again: bool
) -> Flow[dict[str, Result]]:
    """Return the answers; a key that is taken may be taken by what an earlier try has made."""
    results = dict(answers)
    taken = [item for item in chunk if isinstance(answers.get(item.key), Conflict)]
    if again and taken:
        results |= yield from _found(taken, look, keep=results)
    return results


def _found(
    items: Sequence[Item], look: Look, keep: Mapping[str, Result] | None = None
) -> Flow[dict[str, Result]]:
    """Look for items until two looks find the same, and return those that are there.

    A third look is taken where the shop would take a second record of the same kind: a server
    may need longer for one item than lies between two looks. Where looking fails, each item is
    unknown: what was sent is no more certain for it.
    """
    found: dict[str, Doc] = {}
    same, enough = 0, 1 if all(item.unique for item in items) else 2
    try:
        for number, pause in enumerate((*_PAUSES, 0.0)):
            before, found = found.keys(), (yield from look(items))
            same = same + 1 if number and before == found.keys() else 0
            if len(found) == len(items) or same == enough:
                break
            yield from wait(pause, "a lost answer")
    except FATAL:
        raise
    except StorebridgeError as error:
        unknown = OutcomeUnknown(f"looking for it failed: {error}")
        return {item.key: (keep or {}).get(item.key, unknown) for item in items}
    return {**found}


def _request(path: str, verb: str, chunk: Sequence[Item], fields: str) -> Request:
    kinds = {"create": RequestKind.CREATE, "delete": RequestKind.DELETE}
    if verb == "delete":
        value: list[Any] = [item.number for item in chunk]
    else:
        number = [{"id": item.number} if item.number else {} for item in chunk]
        value = [{**extra, **item.body} for extra, item in zip(number, chunk, strict=True)]
    return Request(
        method="POST",
        path=f"{path}/batch",
        kind=kinds.get(verb, RequestKind.SET),
        params=(("_fields", f"create,update,delete,{fields}"),) if fields else (),
        body=dumps({verb: value}),
        covers=tuple(dict.fromkeys(item.change for item in chunk)),
        timeout=max(60.0, 5.0 * len(chunk)),
    )


def _listed(response: Response, verb: str) -> list[Any]:
    """Return the answer's rows; an empty or a short answer tells nothing about what was done."""
    body = json_of(response)
    listed = body.get(verb) if isinstance(body, dict) else None
    if not isinstance(listed, list) or not all(isinstance(row, dict) for row in listed):
        raise BadAnswer(
            f"the shop's answer has no list of what it did ({verb})",
            status=response.status,
            request_id=response.request_id,
        )
    return listed


def _in_order(
    response: Response, chunk: Sequence[Item], fits: Callable[[Item, Doc], bool]
) -> dict[str, Result]:
    """Return results by position, where each record fits its item; else those that fit one."""
    listed = _listed(response, "create")
    if len(listed) == len(chunk):
        pairs = list(zip(chunk, listed, strict=True))
        if all("error" in row or fits(item, row) for item, row in pairs):
            return {item.key: _result(row, response) for item, row in pairs}
    made = [row for row in listed if "error" not in row]
    return {item.key: row for item in chunk for row in made if fits(item, row)}


def _by_number(response: Response, verb: str, chunk: Sequence[Item]) -> dict[str, Result]:
    """Return results by id; an item without one is not known to be done."""
    rows = {_number(row.get("id")): row for row in _listed(response, verb)}
    return {item.key: _result(rows[item.number], response) for item in chunk if item.number in rows}


def _number(value: Any) -> Any:
    """Return a row's id; a failed delete of a variation has an object for it."""
    return value.get("id") if isinstance(value, dict) else value


def _result(row: Doc, response: Response) -> Result:
    error = row.get("error")
    return item_error(error, response.request_id) if error is not None else row


def _request_id(error: StorebridgeError) -> str:
    return error.request_id if isinstance(error, (ApiError, OutcomeUnknown)) else ""
