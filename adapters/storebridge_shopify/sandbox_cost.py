"""What the platform asks for an operation, and what it gives back once the answer is known.

Published (usage/limits): scalars 0, objects 1, mutations 10, interfaces the dearest of their
types, connections by `first` or `last`. The other numbers are those of recorded answers of
development stores (2025-01 to 2026-04): the rules give the recorded cost of 97 in 100.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graphql import (
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
)
from graphql.language import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
)
from graphql.utilities import value_from_ast_untyped

from storebridge_shopify.cost import Tree, factor, surcharge

__all__ = ["Costs"]

_FREE = frozenset(
    {"MoneyV2", "MoneyBag", "MailingAddress", "LocationAddress", "ShopAddress", "PageInfo"}
)
_MUTATION = 10
_MUTATIONS: Mapping[str, int] = {
    "fileCreate": 20,
    "fulfillmentTrackingInfoUpdate": 50,
    "orderCapture": 20,
    "refundCreate": 20,
}
_COUNT = 10

Sets = Sequence[SelectionSetNode | None]


class Costs:
    """The costs of documents by one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        """Keep the schema."""
        self.schema = schema

    def tree(self, document: DocumentNode) -> Tree:
        """Return the requested points of a document's operation, by its variables."""
        return _Walk(self.schema, document).operation()

    def requested(self, document: DocumentNode, variables: Mapping[str, Any]) -> int:
        """Return the points that the bucket must hold before it runs."""
        return self._points(_Walk(self.schema, document), variables, None)

    def actual(self, document: DocumentNode, variables: Mapping[str, Any], data: Any) -> int:
        """Return the points that it took: connections count the records that came."""
        return self._points(_Walk(self.schema, document, answered=True), variables, data)

    def _points(self, walk: _Walk, variables: Mapping[str, Any], data: Any) -> int:
        given = {**walk.defaults(), **variables}
        inputs = sum(surcharge(name, walk.arguments(node, given)) for name, node in walk.roots())
        return round(walk.operation(data).points(given) + inputs)


class _Walk:
    """One document; once answered, the sizes of connections are those of the data."""

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, *, answered: bool = False
    ) -> None:
        self.schema, self.answered = schema, answered
        nodes = document.definitions
        self.fragments = {n.name.value: n for n in nodes if isinstance(n, FragmentDefinitionNode)}
        self.node = next(n for n in nodes if isinstance(n, OperationDefinitionNode))
        self.mutates = self.node.operation is OperationType.MUTATION
        root = schema.mutation_type if self.mutates else schema.query_type
        assert root is not None
        self.root: GraphQLObjectType = root

    def defaults(self) -> dict[str, Any]:
        """Return the variables' default values."""
        return {
            each.variable.name.value: value_from_ast_untyped(each.default_value)
            for each in self.node.variable_definitions or ()
            if each.default_value is not None
        }

    def roots(self) -> Iterator[tuple[str, FieldNode]]:
        """Yield the fields at the root."""
        for nodes in self.fields(self.root, [self.node.selection_set]).values():
            yield nodes[0].name.value, nodes[0]

    def arguments(self, node: FieldNode, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a field as plain values."""
        given = dict(variables)
        return {a.name.value: value_from_ast_untyped(a.value, given) for a in node.arguments or ()}

    def operation(self, data: Any = None) -> Tree:
        """Return the points of the whole operation."""
        found = self.fields(self.root, [self.node.selection_set])
        return _sum(self._root(nodes, _at(data, name)) for name, nodes in found.items())

    def _root(self, nodes: list[FieldNode], data: Any) -> Tree:
        name = nodes[0].name.value
        if name.startswith("__"):
            return Tree(0)
        kind = get_named_type(self.root.fields[name].type)
        if self.mutates:
            paid = [self._payload(kind, nodes, data)]
            return _sum([Tree(_MUTATIONS.get(name, _MUTATION)), *paid])
        if kind.name == "Count":
            return Tree(_COUNT)
        return self._field(self.root, nodes, data)

    def _payload(self, kind: GraphQLNamedType, nodes: list[FieldNode], data: Any) -> Tree:
        """Return the points of a payload: the objects of its first level are free."""
        if not isinstance(kind, GraphQLObjectType):
            return Tree(0)
        parts = []
        for name, inner in self.fields(kind, _sets(nodes)).items():
            if inner[0].name.value.startswith("__"):
                continue
            type_ = get_named_type(kind.fields[inner[0].name.value].type)
            if is_leaf_type(type_):
                continue
            if type_.name.endswith("Connection"):
                parts.append(self._connection(type_, inner, _at(data, name)))
            else:
                parts.append(self._selection(type_, _sets(inner), _at(data, name)))
        return _sum(parts)

    def _field(self, kind: GraphQLObjectType, nodes: list[FieldNode], data: Any) -> Tree:
        name = nodes[0].name.value
        if name.startswith("__"):
            return Tree(0)
        type_ = get_named_type(kind.fields[name].type)
        if is_leaf_type(type_) or (self.answered and data is None):
            return _0
        if type_.name.endswith("Connection"):
            found = self._connection(type_, nodes, data)
        else:
            found = self._object(type_, _sets(nodes), data)
        condition = _condition(nodes[0])
        return Tree(0, ((condition, found),)) if condition else found

    def _object(self, kind: GraphQLNamedType, sets: Sets, data: Any) -> Tree:
        own = Tree(0 if kind.name in _FREE else 1)
        return _sum([own, self._selection(kind, sets, data)])

    def _selection(self, kind: GraphQLNamedType, sets: Sets, data: Any) -> Tree:
        if self.answered and data is None:
            return _0
        if isinstance(data, list):
            return max((self._selection(kind, sets, each) for each in data), key=_size, default=_0)
        if is_abstract_type(kind):
            each_type = self.schema.get_possible_types(kind)
            return max((self._selection(t, sets, data) for t in each_type), key=_size, default=_0)
        assert isinstance(kind, GraphQLObjectType)
        found = self.fields(kind, sets)
        return _sum(self._field(kind, nodes, _at(data, name)) for name, nodes in found.items())

    def _connection(self, kind: GraphQLNamedType, nodes: list[FieldNode], data: Any) -> Tree:
        assert isinstance(kind, GraphQLObjectType)
        each, extra = Tree(0), Tree(2)
        count = 0
        for name, inner in self.fields(kind, _sets(nodes)).items():
            field = inner[0].name.value
            if field.startswith("__") or field == "pageInfo":
                continue
            type_ = get_named_type(kind.fields[field].type)
            below = _at(data, name)
            if field == "edges":
                assert isinstance(type_, GraphQLObjectType)
                inner = self.fields(type_, _sets(inner)).get("node", [])
                type_ = get_named_type(type_.fields["node"].type)
                below = [_at(edge, "node") for edge in below] if isinstance(below, list) else None
            elif field != "nodes":
                if not is_leaf_type(type_):
                    extra = _sum([extra, self._object(type_, _sets(inner), below)])
                continue
            count = max(count, len(below) if isinstance(below, list) else 0)
            if inner and not is_leaf_type(type_):
                each = _sum([each, self._object(type_, _sets(inner), below)])
        if self.answered:
            return _sum([extra, _times(each, factor(count))])
        size = self._size(nodes[0])
        if isinstance(size, str):
            return _sum([extra, Tree(0, ((size, each),))])
        return _sum([extra, _times(each, factor(size))])

    def _size(self, node: FieldNode) -> int | str:
        """Return how many records a connection asks for: a number or a variable's name."""
        for argument in node.arguments or ():
            if argument.name.value in ("first", "last"):
                if isinstance(argument.value, VariableNode):
                    return argument.value.name.value
                return int(value_from_ast_untyped(argument.value) or 0)
        return 1

    def fields(self, kind: GraphQLNamedType, sets: Sets) -> dict[str, list[FieldNode]]:
        """Return the selected fields by the name that their answer has."""
        found: dict[str, list[FieldNode]] = {}
        for selection_set in sets:
            for node in selection_set.selections if selection_set else ():
                if isinstance(node, FieldNode):
                    name = node.alias.value if node.alias else node.name.value
                    found.setdefault(name, []).append(node)
                    continue
                assert isinstance(node, FragmentSpreadNode | InlineFragmentNode)
                fragment = (
                    self.fragments[node.name.value]
                    if isinstance(node, FragmentSpreadNode)
                    else node
                )
                condition = fragment.type_condition
                if condition is None or self._is(kind, condition.name.value):
                    for name, more in self.fields(kind, [fragment.selection_set]).items():
                        found.setdefault(name, []).extend(more)
        return found

    def _is(self, kind: GraphQLNamedType, name: str) -> bool:
        if kind.name == name:
            return True
        above = self.schema.type_map.get(name)
        return (
            is_abstract_type(above)
            and isinstance(kind, GraphQLObjectType)
            and self.schema.is_sub_type(above, kind)
        )


_0 = Tree(0)


def _sum(trees: Any) -> Tree:
    found = list(trees)
    return Tree(
        sum(tree.own for tree in found),
        tuple(each for tree in found for each in tree.connections),
    )


def _times(tree: Tree, count: int) -> Tree:
    connections = tuple((name, _times(each, count)) for name, each in tree.connections)
    return Tree(tree.own * count, connections)


def _size(tree: Tree) -> float:
    return tree.points({})


def _condition(node: FieldNode) -> str:
    """Return the variable of `@include(if: $x)`, "" where a field always comes."""
    for directive in node.directives or ():
        for argument in directive.arguments or ():
            if directive.name.value == "include" and isinstance(argument.value, VariableNode):
                return argument.value.name.value
    return ""


def _sets(nodes: Sequence[FieldNode]) -> Sets:
    return [node.selection_set for node in nodes]


def _at(data: Any, name: str) -> Any:
    """Return what lies under a name; None where there is no data at all."""
    return data.get(name) if isinstance(data, dict) else None
