"""Bulk operations of the sandbox: queries and mutations that run on, with files for results.

As usage/bulk-operations says: five of each kind at once, lines in no order, children apart from
their parents (`__parentId`), `url` null where nothing came out, addresses that die after seven
days. Where the first `__lineNumber` lies is not documented: the switch `first_line`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from graphql import GraphQLError, GraphQLObjectType, get_named_type, parse
from graphql.language import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
)

from storebridge_shopify.sandbox_bulk_text import WHOLE_SIZE, paged
from storebridge_shopify.sandbox_execute import operation, perform, schema
from storebridge_shopify.sandbox_fields import (
    WHOLE,
    Info,
    Refused,
    TopError,
    field,
    mutation,
    user_error,
)
from storebridge_shopify.sandbox_media import staged
from storebridge_shopify.sandbox_search import Listing
from storebridge_shopify.sandbox_state import Doc, State, split

__all__ = ["finish"]

_AT_ONCE = 5
_AT_A_REQUEST = 500
_MOST_BYTES = 100_000_000
_WEEK = 7 * 86_400
_OPEN = ("CREATED", "RUNNING", "CANCELING")

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


def _begin(state: State, kind: str, text: str, **more: Any) -> Doc:
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
         "scopes": sorted(state.scopes), **state.begun(), **more},
    )  # fmt: skip
    state.run("INSERT INTO work VALUES (?, 'bulk')", split(doc["id"])[1])
    return doc


def finish(state: State, doc: Doc) -> bool:
    """Go on with an operation; return whether it ended."""
    if doc["status"] == "CANCELING":
        _end(state, doc, "CANCELED")
        return True
    if doc["status"] == "CREATED":
        doc["status"] = "RUNNING"
    if state.age(doc) != "done":
        state.save(doc)
        return False
    app, scopes = state.app, state.scopes
    state.app, state.scopes = doc["app"], frozenset(doc["scopes"])
    ended = _run_query(state, doc) if doc["type"] == "QUERY" else _run_lines(state, doc)
    state.app, state.scopes = app, scopes
    state.save(doc)
    return ended


def _end(state: State, doc: Doc, status: str, code: str | None = None) -> None:
    doc.update(status=status, errorCode=code, completedAt=state.now(), endedAt=state.clock())
    state.save(doc)


def _append(state: State, doc: Doc, lines: list[str]) -> None:
    """Write lines to the end of an operation's results; slashes are escaped (recorded)."""
    if not lines:
        return
    doc["file"] = doc["file"] or f"bulk-{split(doc['id'])[1]}.jsonl"
    body = "".join(line.replace("/", "\\/") + "\n" for line in lines).encode()
    old = state.one("SELECT body FROM files WHERE name = ?", doc["file"]) or b""
    state.run("INSERT OR REPLACE INTO files VALUES (?, ?)", doc["file"], bytes(old) + body)
    doc["fileSize"] = str(len(old) + len(body))


# -- mutations


@mutation("bulkOperationRunMutation")
def _run_mutation(
    state: State,
    mutation: str,
    stagedUploadPath: str,  # noqa: N803 - the API's name
    clientIdentifier: str | None = None,  # noqa: N803 - the API's name
    **_: Any,
) -> Doc:
    path = ["clientIdentifier"]
    if clientIdentifier is not None and len(clientIdentifier) < 10:
        text = "is too short (minimum is 10 characters)"
        raise Refused(user_error(path, text, "INVALID_MUTATION"))
    if clientIdentifier is not None and len(clientIdentifier) > 255:
        text = "is too long (maximum is 255 characters)"
        raise Refused(user_error(path, text, "INVALID_MUTATION"))
    _check_mutation(mutation)
    body = state.one("SELECT body FROM files WHERE name = ?", stagedUploadPath)
    if body is None:
        text = "The JSONL file could not be found. Try uploading the file again, and check that you've entered the URL correctly for the stagedUploadPath mutation argument."  # noqa: E501 - the platform's words
        raise Refused(user_error(None, text, "NO_SUCH_FILE"))
    if not bytes(body).strip():
        text = "The input file is empty."
        raise Refused(user_error(None, text, "INVALID_STAGED_UPLOAD_FILE"))
    if len(body) > _MOST_BYTES:
        text = "The input file size exceeds the maximum allowed size of 100 MB."
        raise Refused(user_error(None, text, "INVALID_STAGED_UPLOAD_FILE"))
    doc = _begin(state, "MUTATION", mutation, source=stagedUploadPath)
    return {"bulkOperation": doc}


def _check_mutation(text: str) -> None:
    try:
        found = operation(text)
    except GraphQLError as error:
        words = f"Failed to parse the mutation - {error.message}"
        raise Refused(user_error(None, words, "INVALID_MUTATION")) from None
    if found.wrong:
        words = found.wrong[0]["message"]
        raise Refused(user_error(["mutation"], words, "INVALID_MUTATION"))
    if len(found.roots) != 1 or not found.mutates:
        words = "You must specify a single top level mutation."
        raise Refused(user_error(["mutation"], words))
    if found.roots[0].name.value.startswith("bulkOperation"):
        raise Refused(user_error(["mutation"], "You must use an allowed mutation name."))


def _run_lines(state: State, doc: Doc) -> bool:
    """Carry out the next lines of a file, in an order of its own; return whether all are done."""
    body = bytes(state.one("SELECT body FROM files WHERE name = ?", doc["source"]) or b"")
    lines = [line for line in body.decode().split("\n") if line.strip()]
    order = list(range(len(lines)))
    random.Random(int(split(doc["id"])[1])).shuffle(order)  # noqa: S311 - no secret
    rate = state.option("bulk_rate")
    due = doc["done"] + _AT_A_REQUEST
    if rate:
        due = int((state.clock() - doc["begunAt"]) * rate)
    fails = state.option("bulk_fails_at")
    said: list[str] = []
    for at in order[doc["done"] : due]:
        if doc["done"] == fails:
            _append(state, doc, said)
            _end(state, doc, "FAILED", "INTERNAL_SERVER_ERROR")
            return True
        said.append(_line(state, doc, lines[at], at + state.option("first_line")))
        doc["done"] += 1
    doc["objectCount"] = doc["rootObjectCount"] = str(doc["done"])
    _append(state, doc, said)
    if doc["done"] < len(lines):
        return False
    _end(state, doc, "COMPLETED")
    return True


def _line(state: State, doc: Doc, line: str, number: int) -> str:
    """Carry out one line and return that of its result."""
    found = operation(doc["query"])
    try:
        variables = json.loads(line)
    except ValueError:
        said: Doc = {"errors": [{"message": "Invalid JSON"}]}
    else:
        said = perform(state, found, variables)
    return json.dumps({**said, "__lineNumber": number}, ensure_ascii=False, separators=(",", ":"))


# -- queries


@mutation("bulkOperationRunQuery")
def _query(state: State, query: str, groupObjects: bool = False) -> Doc:  # noqa: N803 - the API's name
    _check_query(query)
    return {"bulkOperation": _begin(state, "QUERY", query, grouped=groupObjects)}


def _invalid(text: str) -> Refused:
    return Refused(user_error(["query"], text, "INVALID"))


def _check_query(text: str) -> None:
    """Refuse what may not be asked in bulk (usage/bulk-operations/queries, recorded)."""
    if len(text.encode()) > 65_535:
        raise _invalid("Query is too long (maximum is 65535 bytes)")
    try:
        document = parse(text)
        found = operation(text)
    except GraphQLError as error:
        raise _invalid(f"Invalid bulk query: {error.message}") from None
    if found.wrong:
        raise _invalid(f"Invalid bulk query: {found.wrong[0]['message']}")
    counts = list(_connections(document, found.node.selection_set, "QueryRoot", 0))
    if any(root.name.value in ("node", "nodes") for root in found.roots):
        raise _invalid("Bulk queries cannot use the `node` or `nodes` fields.")
    if not counts:
        raise _invalid("Bulk queries must contain at least one connection.")
    if len(counts) > 5:
        raise _invalid("Bulk queries cannot contain more than 5 connections.")
    if max(depth for depth, _ in counts) > 2:
        raise _invalid(
            "Bulk queries cannot contain connections with a nesting depth greater than 2."
        )


def _connections(
    document: DocumentNode, sets: SelectionSetNode | None, kind: str, depth: int
) -> Iterator[tuple[int, str]]:
    """Yield the depth and the name of each connection of a query."""
    for node in _fields(document, sets):
        type_ = schema().type_map[kind]
        if not isinstance(type_, GraphQLObjectType) or node.name.value.startswith("__"):
            continue
        returned = get_named_type(type_.fields[node.name.value].type)
        if not returned.name.endswith("Connection"):
            yield from _connections(document, node.selection_set, returned.name, depth)
            continue
        name = node.name.value
        yield depth, name
        inner = list(_fields(document, node.selection_set))
        if any(each.name.value == "nodes" for each in inner):
            text = (
                "All connection fields in a bulk query must select their contents using 'edges' > "
                f"'node', e.g: '{name} {{ edges {{ node {{'. Selecting via 'nodes' is not "
                "supported."
            )
            raise _invalid(text)
        of = get_named_type(returned.fields["nodes"].type) if "nodes" in returned.fields else None
        for edges in inner:
            for each in _fields(document, edges.selection_set):
                if each.name.value == "node" and of is not None:
                    below = list(_connections(document, each.selection_set, of.name, depth + 1))
                    ids = {f.name.value for f in _fields(document, each.selection_set)
                           if f.alias is None}  # fmt: skip
                    if below and "id" not in ids:
                        text = (
                            "The parent 'node' field for a nested connection must select the 'id' "
                            "field without an alias and must be of 'ID' return type. Connection "
                            f"fields without 'id': {name}."
                        )
                        raise _invalid(text)
                    yield from below


def _fields(document: DocumentNode, sets: SelectionSetNode | None) -> Iterator[FieldNode]:
    fragments = {
        n.name.value: n for n in document.definitions if isinstance(n, FragmentDefinitionNode)
    }
    for node in sets.selections if sets else ():
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, FragmentSpreadNode):
            yield from _fields(document, fragments[node.name.value].selection_set)
        elif isinstance(node, InlineFragmentNode):
            yield from _fields(document, node.selection_set)


def _run_query(state: State, doc: Doc) -> bool:
    """Ask the whole query, page by page, and write its rows; return whether it ended."""
    lines: list[str] = []
    roots = 0
    try:
        for row, root in _rows(state, doc["query"]):
            roots += root
            lines.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
            if len(lines) == state.option("bulk_fails_at"):
                _append(state, doc, lines)
                _end(state, doc, "FAILED", "INTERNAL_SERVER_ERROR")
                return True
    except TopError as error:
        _end(state, doc, "FAILED", str(error.extensions["code"]))
        return True
    if not doc["grouped"]:  # children come apart from their parents, yet after them here
        lines.sort(key=lambda line: '"__parentId":' in line)
    doc["objectCount"], doc["rootObjectCount"] = str(len(lines)), str(roots)
    _append(state, doc, lines)
    _end(state, doc, "COMPLETED")
    return True


def _rows(state: State, text: str) -> Iterator[tuple[Doc, int]]:
    """Yield the rows of a query with whether they are of a connection at the root."""
    text = paged(text)
    after: str | None = None
    while True:
        whole = WHOLE.set(WHOLE_SIZE)
        answer = perform(state, operation(text), {"bulkAfter": after})
        WHOLE.reset(whole)
        if answer.get("errors"):
            extensions = answer["errors"][0].get("extensions") or {}
            raise TopError(extensions.get("code", "INTERNAL_SERVER_ERROR"), "failed")
        more = False
        for value in answer["data"].values():
            yield from _flat(value, None)
            if isinstance(value, dict) and "pageInfo" in value:
                more = more or value["pageInfo"]["hasNextPage"]
                after = value["pageInfo"]["endCursor"]
        if not more:
            return


def _flat(value: Any, parent: str | None) -> Iterator[tuple[Doc, int]]:
    """Yield the nodes of a connection, each followed by those of its own connections."""
    if not isinstance(value, dict) or "edges" not in value:
        if isinstance(value, dict):
            for each in value.values():
                yield from _flat(each, parent)
        return
    for edge in value["edges"]:
        node = dict(edge["node"])
        inner = {name: node.pop(name) for name in list(node) if _holds_rows(node[name])}
        nested = [(name, each) for name, each in inner.items() if "edges" in each]
        for name, each in inner.items():
            if "edges" not in each:  # an object on the way to a connection stays in the row
                node[name] = {k: v for k, v in each.items() if not _holds_rows(v)}
                nested += [(k, v) for k, v in each.items() if _holds_rows(v)]
        yield ({**node, "__parentId": parent} if parent else node), 0 if parent else 1
        for _, each in nested:
            yield from _flat(each, node.get("id"))


def _holds_rows(value: Any) -> bool:
    return isinstance(value, dict) and (
        "edges" in value or any(isinstance(v, dict) and "edges" in v for v in value.values())
    )


@field("BulkOperation", "objectCount", "rootObjectCount")
def _counts(doc: Doc, info: Info) -> str:
    return str(doc[info.field_name])
