"""Bulk operations of the sandbox: how many run, how they end, and where their results lie.

As usage/bulk-operations says: five of each kind at once for an app, `url` null where nothing came
out, addresses that die after seven days. What goes wrong with the next ones is planned by
switches, each entry for one operation:

* `bulk_ends`: `"40 FAILED TIMEOUT"` ends it when 40 in 100 of its lines are done, with this
  status and error code; `"0 CANCELED"`, `"100 EXPIRED"`;
* `bulk_spoils`: what befalls each seventh line of its results: `"drop"`, `"twice"`, `"broken"`, or
  `"mixed"`, which adds what another line was answered under its number;
* `bulk_cuts`: `0.3`, how much of its file a download brings (an entry for each download).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storebridge_shopify.sandbox_fields import Info, Refused, field, mutation, user_error
from storebridge_shopify.sandbox_media import staged
from storebridge_shopify.sandbox_search import Listing
from storebridge_shopify.sandbox_state import Doc, State, split

__all__ = ["STEPS", "append", "begin", "due", "end", "finish", "occupy"]

_AT_ONCE = 5
_WEEK = 7 * 86_400
_OPEN = ("CREATED", "RUNNING", "CANCELING")
_SPOILED = 7

#: What goes on with an operation, by its type; returns whether it ended.
STEPS: dict[str, Callable[[State, Doc], bool]] = {}

BULKS = Listing(
    "BulkOperation",
    "bulkOperations",
    {
        "id": lambda _state, doc: split(doc["id"])[1],
        "status": lambda _state, doc: doc["status"],
        "app": lambda _state, doc: doc["app"],
        "operation_type": lambda _state, doc: doc["type"],
        "created_at": lambda _state, doc: doc["createdAt"],
    },
    {"CREATED_AT": lambda _state, doc: doc["createdAt"],
     "COMPLETED_AT": lambda _state, doc: doc["completedAt"] or ""},
)  # fmt: skip


@field("QueryRoot", "bulkOperation")
def _one(_root: Any, info: Info, id: str) -> Doc | None:
    doc = info.context.get(id, "BulkOperation")
    return doc if doc is None or doc["app"] == info.context.app else None


@field("QueryRoot", "bulkOperations")
def _list(_root: Any, info: Info, **arguments: Any) -> Doc:
    mine = f"app:'{info.context.app}'"
    query = f"{mine} ({arguments['query']})" if arguments.get("query") else mine
    return BULKS.page(info.context, **{"sortKey": "CREATED_AT", **arguments, "query": query})


@field("QueryRoot", "currentBulkOperation")
def _current(_root: Any, info: Info, type: str = "QUERY") -> Doc | None:
    found = [doc for doc in info.context.all("BulkOperation") if doc["type"] == type]
    return found[-1] if found else None


@field("BulkOperation", "url", "partialDataUrl")
def _url(doc: Doc, info: Info) -> str | None:
    """Return where the results are; for seven days."""
    state = info.context
    wanted = "FAILED" if info.field_name == "partialDataUrl" else "COMPLETED"
    canceled = doc["status"] in ("CANCELED", "EXPIRED") and wanted == "FAILED"
    if not doc["file"] or (doc["status"] != wanted and not canceled):
        return None
    if doc["endedAt"] is not None and state.clock() - doc["endedAt"] > _WEEK:
        return None
    return f"{staged(state)}/results/{doc['file']}"


@mutation("bulkOperationCancel")
def _cancel(state: State, id: str) -> Doc:
    doc = state.get(id, "BulkOperation")
    if doc is None or doc["app"] != state.app:
        raise Refused(user_error(["id"], "Bulk operation does not exist"))
    if doc["status"] not in _OPEN:
        text = f"A bulk operation cannot be canceled when it is {doc['status'].lower()}"
        raise Refused(user_error(None, text), bulkOperation=doc)
    doc["status"] = "CANCELING"
    state.save(doc)
    return {"bulkOperation": doc}


def begin(state: State, kind: str, text: str, **more: Any) -> Doc:
    """Begin an operation.

    Raises:
        Refused: if so many run already.
    """
    mine = [
        doc
        for doc in state.all("BulkOperation")
        if doc["type"] == kind and doc["status"] in _OPEN and doc["app"] == state.app
    ]
    if len(mine) >= _AT_ONCE:
        ids = ", ".join(doc["id"] for doc in mine)
        said = (
            f"A bulk {kind.lower()} operation for this app and shop is already in progress: {ids}."
        )
        raise Refused(user_error(None, said, "OPERATION_IN_PROGRESS"))
    doc = state.add(
        "BulkOperation",
        {"type": kind, "status": "CREATED", "errorCode": None, "completedAt": None,
         "objectCount": "0", "rootObjectCount": "0", "fileSize": None, "query": text,
         "file": None, "done": 0, "endedAt": None, "app": state.app,
         "ends": _planned(state, "bulk_ends"), "spoil": _planned(state, "bulk_spoils"),
         "scopes": sorted(state.scopes), **state.begun(), **more},
    )  # fmt: skip
    state.run("INSERT INTO work VALUES (?, 'bulk')", split(doc["id"])[1])
    return doc


def _planned(state: State, switch: str) -> str:
    """Return what is planned for the next operation, and take it off the list."""
    planned = list(state.option(switch))
    if not planned:
        return ""
    State.switch(state, **{switch: planned[1:]})  # within the transaction
    return str(planned[0])


def occupy(state: State, kind: str, seconds: float) -> str:
    """Begin an operation of somebody else with the app of the last request; return its id."""
    return str(begin(state, kind, "{ shop { id } }", until=state.clock() + seconds)["id"])


def finish(state: State, doc: Doc) -> bool:
    """Go on with an operation; return whether it ended."""
    if doc["status"] == "CANCELING":
        end(state, doc, "CANCELED")
        return True
    if doc["status"] == "CREATED":
        doc["status"] = "RUNNING"
    if "until" in doc:
        if state.clock() < doc["until"]:
            return False
        end(state, doc, "COMPLETED")
        return True
    if state.age(doc) != "done":
        state.save(doc)
        return False
    app, scopes = state.app, state.scopes
    state.app, state.scopes = doc["app"], frozenset(doc["scopes"])
    ended = STEPS[doc["type"]](state, doc)
    state.app, state.scopes = app, scopes
    state.save(doc)
    return ended


def due(doc: Doc, lines: int) -> tuple[int, str, str | None]:
    """Return after how many of its lines an operation ends, its last status and error code."""
    if not doc["ends"]:
        return lines, "COMPLETED", None
    percent, status, *code = doc["ends"].split()
    return lines * int(percent) // 100, status, code[0] if code else None


def end(state: State, doc: Doc, status: str, code: str | None = None) -> None:
    """End an operation."""
    if doc["spoil"] and doc["file"]:
        old = bytes(state.one("SELECT body FROM files WHERE name = ?", doc["file"]))
        state.run("UPDATE files SET body = ? WHERE name = ?", _spoiled(old, doc["spoil"]),
                  doc["file"])  # fmt: skip
    doc.update(status=status, errorCode=code, completedAt=state.now(), endedAt=state.clock())
    state.save(doc)


def _spoiled(body: bytes, how: str) -> bytes:
    """Return results in which something happened to each seventh line."""
    lines = body.splitlines(keepends=True)
    found: list[bytes] = []
    for place, line in enumerate(lines):
        if place % _SPOILED != _SPOILED // 2:
            found.append(line)
        elif how == "mixed":
            other, number = lines[place - 1].rpartition(b",")[0], line.rpartition(b",")[2]
            found += [line, other + b"," + number]
        else:
            cut = [line[: len(line) // 2], b"\n"]
            found += {"drop": [], "twice": [line, line], "broken": cut}[how]
    return b"".join(found)


def append(state: State, doc: Doc, lines: list[str]) -> None:
    """Write lines to the end of an operation's results; slashes are escaped (recorded)."""
    if not lines:
        return
    doc["file"] = doc["file"] or f"bulk-{split(doc['id'])[1]}.jsonl"
    body = "".join(line.replace("/", "\\/") + "\n" for line in lines).encode()
    old = state.one("SELECT body FROM files WHERE name = ?", doc["file"]) or b""
    state.run("INSERT OR REPLACE INTO files VALUES (?, ?)", doc["file"], bytes(old) + body)
    doc["fileSize"] = str(len(old) + len(body))


@field("BulkOperation", "objectCount", "rootObjectCount")
def _counts(doc: Doc, info: Info) -> str:
    return str(doc[info.field_name])
