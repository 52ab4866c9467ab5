"""From a bulk query, which has neither sizes nor cursors, to one that can be run page by page."""

from __future__ import annotations

from typing import Any

from graphql import get_named_type, parse, print_ast
from graphql.language import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
)

from storebridge_shopify.sandbox_execute import schema

__all__ = ["WHOLE_SIZE", "paged"]

#: So many children of one parent at once: a bulk query leaves none out.
WHOLE_SIZE = 1_000_000


def paged(text: str) -> str:
    """Return a bulk query as one for pages: `first` everywhere, a cursor at the root."""
    document = parse(text)
    node = next(n for n in document.definitions if isinstance(n, OperationDefinitionNode))
    assert node.operation is OperationType.QUERY
    body = _sized(document, node.selection_set, "QueryRoot", root=True)
    return "query Bulk($bulkAfter: String) " + body


def _sized(
    document: DocumentNode, sets: SelectionSetNode | None, kind: str, *, root: bool = False
) -> str:
    """Return a selection with sizes for its connections, its fragments written out."""
    parts = []
    type_ = schema().type_map[kind]
    for node in sets.selections if sets else ():
        if isinstance(node, FragmentSpreadNode):
            fragments = (n for n in document.definitions if isinstance(n, FragmentDefinitionNode))
            found = next(n for n in fragments if n.name.value == node.name.value)
            on = found.type_condition.name.value
            parts.append(f"... on {on} {_sized(document, found.selection_set, on)}")
        elif isinstance(node, InlineFragmentNode):
            on = node.type_condition.name.value if node.type_condition else kind
            parts.append(f"... on {on} {_sized(document, node.selection_set, on)}")
        elif isinstance(node, FieldNode):
            parts.append(_field_text(document, node, type_, root=root))
    return "{ " + " ".join(parts) + " }"


def _field_text(document: DocumentNode, node: FieldNode, type_: Any, *, root: bool) -> str:
    name = node.name.value
    head = f"{node.alias.value}: {name}" if node.alias else name
    given = [print_ast(each) for each in node.arguments or ()
             if each.name.value not in ("first", "after")]  # fmt: skip
    if name.startswith("__") or node.selection_set is None:
        return head + (f"({', '.join(given)})" if given else "")
    returned = get_named_type(type_.fields[name].type)
    paged = returned.name.endswith("Connection")
    if paged:
        given.append("first: 250, after: $bulkAfter" if root else f"first: {WHOLE_SIZE}")
    body = _sized(document, node.selection_set, returned.name)
    if paged and root:
        body = body[:-2] + " pageInfo { hasNextPage endCursor } }"
    return head + (f"({', '.join(given)})" if given else "") + " " + body
