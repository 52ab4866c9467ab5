"""Batch calls: what came of each item, and creating each record once, whatever happens.

A batch is no transaction. A fatal error in one item ends the request with 500 and keeps what came
before; a timeout or a 504 ends nothing: the server goes on and makes the rest, or begins with it
only later, once a worker is free. So after an unknown outcome the shop is looked at before anything
is sent again, and what was made is known by its mark:

* What the shop takes once only (a SKU, an e-mail address, a name) goes again, alone, after two
  looks with the same result: should the first request come late, one of the two is refused.
* So does what is seen to be over: an answer came, or WordPress's own word of a fatal error.
* Anything else could be made twice. It is looked for until no usual server would still work on it
  (`_PAUSES`), and then told as unknown. Another run, which comes with `Earlier`, waits as long,
  and sends it alone: so nothing is sent twice within that time.

Source: recorded exchanges (batch, errors, SKU and upsert).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
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

__all__ = [
    "FATAL",
    "Earlier",
    "Item",
    "Look",
    "Pace",
    "Result",
    "create",
    "delete",
    "reconcile",
    "update",
]

Doc = Mapping[str, Any]
Params = tuple[tuple[str, str], ...]
Result = Doc | StorebridgeError
#: Returns what is in the shop of some items, by their keys.
Look = Callable[[Sequence["Item"]], Flow[dict[str, Doc]]]

#: What ends a whole run: nothing more can be written with these credentials or settings.
FATAL = (AuthError, ConfigError)
#: Seconds between looks after a lost answer, ten minutes together: longer than a request may run or
#: wait by the usual limits of PHP (30 to 300 s), Apache (60 or 300), nginx (60) and CDNs (100).
#: Most come at once: 60 products were all there 10 s after a 504 (exchanges).
_PAUSES = (4.0, 12.0, 24.0, 40.0, 80.0, 140.0, 300.0)
#: So many looks in a row that fail end the looking.
_DEAF = 4
#: What WordPress answers itself when PHP has died of an item.
_DIED = "internal_server_error"
#: Requests that take longer have too many items; quick ones would bear twice as many.
_SLOW, _QUICK = 15.0, 7.0
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


@dataclass(slots=True)
class Earlier:
    """What an earlier process may have sent, and how long the server may still be at work on it."""

    changes: frozenset[str] = frozenset()
    left: float = sum(_PAUSES)
    """Seconds; it is less for what is looked for later in the same run."""


def create(
    path: str,
    items: Sequence[Item],
    *,
    pace: Pace,
    look: Look,
    fits: Callable[[Item, Doc], bool],
    fields: str = "",
    params: Params = (),
    earlier: Earlier,
) -> Flow[dict[str, Result]]:
    """Make records, each once, and return them or their errors by the items' keys.

    Args:
        path: the resource; "/batch" is added.
        items: what to make.
        pace: how many go into a request.
        look: finds items that may have been made.
        fits: tells whether a record is the one of an item.
        fields: what the answer's records are cut down to; "" for whole ones.
        params: what else goes into the query, which counts for all items.
        earlier: the changes that an earlier process may have sent.
    """
    asked = params + ((("_fields", f"create,update,delete,{fields}"),) if fields else ())
    results: dict[str, Result] = {}
    alone = set[str]()  # one bad item can kill a batch
    if sent := [item for item in items if item.change in earlier.changes]:
        late = {item.key for item in sent if not item.unique}
        results |= yield from reconcile(sent, look, late, earlier)
        alone |= late
    while rest := [item for item in items if item.key not in results]:
        again = bool(alone or sent)
        lost, late = list[Item](), set[str]()
        for chunk in _chunks(rest, alone, pace):
            answers, over = yield from _send_creates(path, chunk, pace, fits, asked)
            results |= yield from _conflicts(answers, chunk, look, again=again)
            lost += [item for item in chunk if item.key not in answers]
            late |= {item.key for item in chunk if not (over or item.unique)}
        if lost:
            results |= yield from reconcile(lost, look, late)
            unknown = OutcomeUnknown("no answer came, and the shop does not have it")
            given_up = {item.key for item in lost} & (alone | late) - results.keys()
            results |= dict.fromkeys(given_up, unknown)
            alone |= {item.key for item in lost}
    return results


def _chunks(items: Sequence[Item], alone: Container[str], pace: Pace) -> Iterator[Sequence[Item]]:
    """Yield the items in pieces of the present size, and then those that go alone."""
    yield from pace.chunks([item for item in items if item.key not in alone])
    yield from pace.chunks([item for item in items if item.key in alone], 1)


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
                response = yield from send(_request(path, verb, chunk))
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
    params: Params,
) -> Flow[tuple[dict[str, Result], bool]]:
    """Return what came of each item, and whether the server is seen to be done with the request.

    An item without a result may have been made.
    """
    try:
        response = yield from send(_request(path, "create", chunk, params))
        pace.took(response.elapsed)
        return _in_order(response, chunk, fits), True
    except FATAL:
        raise
    except (OutcomeUnknown, BadAnswer) as error:
        pace.slower()
        return {}, 200 <= error.status < 300 or error.code == _DIED
    except StorebridgeError as error:
        if _too_large(error, chunk, pace):
            return {}, True
        return {item.key: error for item in chunk}, True


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
        results |= yield from reconcile(taken, look, keep=results)
    return results


def reconcile(
    items: Sequence[Item],
    look: Look,
    late: Container[str] = frozenset(),
    earlier: Earlier | None = None,
    keep: Mapping[str, Result] | None = None,
) -> Flow[dict[str, Result]]:
    """Look for items until all are there, or looking on is of no use; return those that are there.

    Two looks that find the same are enough; three where the shop would take a second record of the
    same kind. A look that fails doesn't count. Where it stays so, or the server isn't done when its
    time is up, the others come as errors: what was sent is no more certain for it.

    Args:
        items: what may have been made.
        look: finds items.
        late: the keys of those that the server may still begin with, and would make twice.
        earlier: how long that may last; ten minutes by default, from now on.
        keep: errors that stand where looking fails.
    """
    found: dict[str, Doc] = {}
    known, patience = keep or {}, earlier or Earlier()
    rest, same, deaf = list(items), -1, 0
    for pause in (*_PAUSES, 0.0):
        try:
            new = yield from look(rest)
        except FATAL:
            raise
        except StorebridgeError as error:
            deaf, why = deaf + 1, f"looking for it failed: {error}"
        else:
            deaf, why = 0, "the server is still at work on what came with it"
            same = 0 if new or same < 0 else same + 1
            found |= new
            rest = [item for item in rest if item.key not in found]
        enough = 1 if all(item.unique for item in rest) else 2
        over = patience.left <= 0 or all(item.key not in late for item in rest)
        if not rest or (over and not deaf and same >= enough):
            return {**found}
        if deaf == _DEAF:
            break
        yield from wait(pause, "a lost answer")
        patience.left -= pause
    unknown = OutcomeUnknown(why)
    return {**{item.key: known.get(item.key, unknown) for item in rest}, **found}


def _request(path: str, verb: str, chunk: Sequence[Item], params: Params = ()) -> Request:
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
        params=params,
        body=dumps({verb: value}),
        covers=tuple(dict.fromkeys(item.change for item in chunk)),
        timeout=max(60.0, 5.0 * len(chunk)),
    )


def _listed(response: Response, verb: str) -> list[Any]:
    """Return the answer's rows; an empty or a short answer tells nothing about what was done."""
    body = json_of(response)
    listed = body.get(verb) if isinstance(body, dict) else None
    if not isinstance(listed, list) or not all(map(_says, listed)):
        raise BadAnswer(
            f"the shop's answer has no list of what it did ({verb})",
            status=response.status,
            request_id=response.request_id,
        )
    return listed


def _says(row: Any) -> bool:
    """Return whether a row tells what came of an item: a record, or why there is none."""
    if not isinstance(row, dict):
        return False
    number = row.get("id")
    return _refused(row) or (isinstance(number, int) and number > 0)


def _refused(row: Doc) -> bool:
    return row.get("error") is not None


def _in_order(
    response: Response, chunk: Sequence[Item], fits: Callable[[Item, Doc], bool]
) -> dict[str, Result]:
    """Return results by position, where each record fits its item; else those that fit one."""
    listed = _listed(response, "create")
    if len(listed) == len(chunk):
        pairs = list(zip(chunk, listed, strict=True))
        if all(_refused(row) or fits(item, row) for item, row in pairs):
            return {item.key: _result(row, response) for item, row in pairs}
    made = [row for row in listed if not _refused(row)]
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
