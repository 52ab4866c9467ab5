"""Bulk queries of the sandbox: all rows of one to five connections, as lines of a file.

What may be asked is what usage/bulk-operations/queries says, in the words of recorded answers.
Rows come in no order, children apart from their parents (`__parentId`), unless grouped.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_list_type,
    parse,
)
from graphql.language import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
)

from storebridge_shopify.sandbox_bulk import STEPS, append, begin, due, end
from storebridge_shopify.sandbox_bulk_text import WHOLE_SIZE, paged
from storebridge_shopify.sandbox_execute import operation, perform, schema
from storebridge_shopify.sandbox_fields import WHOLE, Refused, TopError, mutation, user_error
from storebridge_shopify.sandbox_state import Doc, State, split

__all__ = ["connections"]


@mutation("bulkOperationRunQuery")
def _query(state: State, query: str, groupObjects: bool = False) -> Doc:  # noqa: N803 - the API's name
    _check_query(query)
    return {"bulkOperation": begin(state, "QUERY", query, grouped=groupObjects)}


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
    counts = list(connections(document, found.node.selection_set, "QueryRoot", 0))
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


def connections(
    document: DocumentNode, sets: SelectionSetNode | None, kind: str, depth: int
) -> Iterator[tuple[int, str]]:
    """Yield the depth and the name of each connection in a selection.

    Raises:
        Refused: for one that is asked for in a way that isn't supported.
    """
    for on, node in _fields(document, sets, kind):
        type_ = schema().type_map[on]
        if node.name.value.startswith("__"):
            continue
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        returned = get_named_type(type_.fields[node.name.value].type)
        if not returned.name.endswith("Connection"):
            below = list(connections(document, node.selection_set, returned.name, depth))
            if below and is_list_type(get_nullable_type(type_.fields[node.name.value].type)):
                raise _invalid(
                    "Queries that contain a connection field within a list field are not currently "
                    "supported."
                )
            yield from below
            continue
        name = node.name.value
        yield depth, name
        inner = [each for _, each in _fields(document, node.selection_set, returned.name)]
        if any(each.name.value == "nodes" for each in inner):
            text = (
                "All connection fields in a bulk query must select their contents using 'edges' > "
                f"'node', e.g: '{name} {{ edges {{ node {{'. Selecting via 'nodes' is not "
                "supported."
            )
            raise _invalid(text)
        of = get_named_type(returned.fields["nodes"].type) if "nodes" in returned.fields else None
        for edges in inner:
            for _, each in _fields(document, edges.selection_set, ""):
                if each.name.value == "node" and of is not None:
                    below = list(connections(document, each.selection_set, of.name, depth + 1))
                    ids = {f.name.value for _, f in _fields(document, each.selection_set, of.name)
                           if f.alias is None}  # fmt: skip
                    if below and "id" not in ids:
                        text = (
                            "The parent 'node' field for a nested connection must select the 'id' "
                            "field without an alias and must be of 'ID' return type. Connection "
                            f"fields without 'id': {name}."
                        )
                        raise _invalid(text)
                    yield from below


def _fields(
    document: DocumentNode, sets: SelectionSetNode | None, kind: str
) -> Iterator[tuple[str, FieldNode]]:
    """Yield the fields of a selection, those of fragments too, each with the type that it is of."""
    fragments = {
        n.name.value: n for n in document.definitions if isinstance(n, FragmentDefinitionNode)
    }
    for node in sets.selections if sets else ():
        if isinstance(node, FieldNode):
            yield kind, node
            continue
        assert isinstance(node, FragmentSpreadNode | InlineFragmentNode)
        part = fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
        on = part.type_condition.name.value if part.type_condition else kind
        yield from _fields(document, part.selection_set, on)


def _run_query(state: State, doc: Doc) -> bool:
    """Ask the whole query, page by page, and write its rows; return whether it ended."""
    try:
        rows = list(_rows(state, doc["query"]))
    except TopError as error:
        end(state, doc, "FAILED", str(error.extensions["code"]))
        return True
    last, status, code = due(doc, len(rows))
    rows = rows[:last]
    if not doc["grouped"]:
        rows = _mixed(rows, int(split(doc["id"])[1]))
    lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row, _ in rows]
    doc["objectCount"] = str(len(rows))
    doc["rootObjectCount"] = str(sum(root for _, root in rows))
    append(state, doc, lines)
    end(state, doc, status, code)
    return True


STEPS["QUERY"] = _run_query


def _mixed(rows: list[tuple[Doc, int]], seed: int) -> list[tuple[Doc, int]]:
    """Return rows so that children are anywhere.

    Those of one parent stay in their order ("the order of each connection type is preserved").
    """
    heaps: dict[str, list[tuple[Doc, int]]] = {}
    for row in rows:
        heaps.setdefault(row[0].get("__parentId", ""), []).append(row)
    order = [parent for parent, held in heaps.items() for _ in held]
    random.Random(seed).shuffle(order)  # noqa: S311 - no secret
    held = {parent: iter(each) for parent, each in heaps.items()}
    return [next(held[parent]) for parent in order]


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
