"""How the sandbox runs GraphQL: the schema, the bucket, and errors in the platform's shapes.

Errors of GraphQL come with status 200; their codes and texts are those of recorded answers
(development stores, 2025-01 to 2026-04) and of usage/limits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    build_schema,
    execute_sync,
    parse,
    validate,
    visit,
)
from graphql.language import (
    DocumentNode,
    FieldNode,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
)
from graphql.utilities import value_from_ast_untyped

from storebridge_shopify.cost import Tree, surcharge
from storebridge_shopify.sandbox_cost import Costs
from storebridge_shopify.sandbox_fields import RESOLVERS, Info, TopError
from storebridge_shopify.sandbox_state import Doc, State

__all__ = ["Operation", "execute", "operation", "perform", "schema"]

_MOST_POINTS = 1000
_MOST_ELEMENTS = 250
#: Input lists that may be longer than others: productSet took 2,048 variants and refused 2,049;
#: productVariantsBulkCreate took 1,499.
_LONGER = {"productSet": 2048, "productVariantsBulkCreate": 2048, "productVariantsBulkUpdate": 2048}
_LIMITS = "https://shopify.dev/api/usage/rate-limits"
_SCOPES = "https://shopify.dev/api/usage/access-scopes"
#: Mutations that are refused without `@idempotent` since 2026-04 (their descriptions).
_IDEMPOTENT = frozenset(
    {
        "inventoryActivate",
        "inventoryAdjustQuantities",
        "inventoryMoveQuantities",
        "inventorySetOnHandQuantities",
        "inventorySetQuantities",
        "refundCreate",
    }
)


@cache
def schema() -> GraphQLSchema:
    """Return the part of the official schema that the sandbox serves, with its resolvers."""
    text = files("storebridge_shopify").joinpath("sandbox.graphql").read_text("utf-8")
    built = build_schema(text, assume_valid=True)
    for (kind, name), resolver in RESOLVERS.items():
        object_type = built.type_map.get(kind)
        if isinstance(object_type, GraphQLObjectType) and name in object_type.fields:
            object_type.fields[name].resolve = resolver
    return built


@cache
def _costs() -> Costs:
    return Costs(schema())


@cache
def _access() -> dict[str, tuple[str, list[str]]]:
    """Return which scopes a field needs: the platform's words and any one of these."""
    text = files("storebridge_shopify").joinpath("sandbox_scopes.json").read_text("utf-8")
    table: dict[str, tuple[str, list[str]]] = json.loads(text)
    return table


_NOTHING = Tree(0)


@dataclass(frozen=True, slots=True)
class Operation:
    """A document that was read once: what is wrong with it, what it costs, what it needs."""

    document: DocumentNode
    node: OperationDefinitionNode
    wrong: tuple[Doc, ...] = ()
    tree: Tree = _NOTHING
    roots: tuple[FieldNode, ...] = ()
    access: frozenset[str] = frozenset()

    @property
    def mutates(self) -> bool:
        """Whether it is a mutation."""
        return self.node.operation is OperationType.MUTATION

    def requested(self, variables: Mapping[str, Any]) -> int:
        """Return the points that the bucket must hold before it runs."""
        given = {**self._defaults(), **variables}
        inputs = sum(surcharge(root.name.value, _arguments(root, given)) for root in self.roots)
        return int(self.tree.points(given) + inputs + 0.5)  # rounded half up (recorded)

    def actual(self, variables: Mapping[str, Any], data: Any) -> int:
        """Return the points that it took."""
        return _costs().actual(self.document, variables, data)

    def _defaults(self) -> Doc:
        return {
            each.variable.name.value: value_from_ast_untyped(each.default_value)
            for each in self.node.variable_definitions or ()
            if each.default_value is not None
        }


@lru_cache(maxsize=512)
def operation(text: str) -> Operation:
    """Return the operation of a document.

    Raises:
        GraphQLError: if it can't be parsed.
    """
    document = parse(text)
    nodes = [n for n in document.definitions if isinstance(n, OperationDefinitionNode)]
    if len(nodes) != 1:
        raise GraphQLError("An operation name is required")
    wrong = tuple(_static(error, nodes[0]) for error in validate(schema(), document))
    if wrong:
        return Operation(document, nodes[0], wrong)
    roots = tuple(n for n in nodes[0].selection_set.selections if isinstance(n, FieldNode))
    return Operation(document, nodes[0], (), _costs().tree(document), roots, _needed(document))


def _needed(document: DocumentNode) -> frozenset[str]:
    """Return the fields of a document that need a scope."""
    info, table = TypeInfo(schema()), _access()
    found: set[str] = set()

    class Fields(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            kind = info.get_parent_type()
            if kind and (name := f"{kind.name}.{node.name.value}") in table:
                found.add(name)

    visit(document, TypeInfoVisitor(info, Fields()))
    return frozenset(found)


def execute(state: State, text: str, variables: Mapping[str, Any]) -> Doc:
    """Return the JSON of the answer to a document."""
    try:
        found = operation(text)
    except GraphQLError as error:
        extensions = {"code": "PARSE_ERROR"} if "name is required" not in error.message else {}
        return {"errors": [{"message": error.message, "extensions": extensions}]}
    if found.wrong:
        return {"errors": list(found.wrong)}
    requested = found.requested(variables)
    if requested > _MOST_POINTS:
        return {"errors": [_too_dear(requested)]}
    return _charged(state, found, variables, requested)


def _charged(state: State, found: Operation, variables: Mapping[str, Any], requested: int) -> Doc:
    """Run an operation against the bucket of the token's app (usage/limits)."""
    bucket = state.bucket(state.app)
    if bucket.available < requested:
        error = {"message": "Throttled",
                 "extensions": {"code": "THROTTLED", "documentation": _LIMITS}}  # fmt: skip
        return {"errors": [error], "extensions": _cost(state, requested, None)}
    bucket.available -= requested
    if (refused := _refused(found, variables)) is not None:
        # recorded: nothing is given back for such an error
        return {"errors": [refused], "extensions": _cost(state, requested, None)}
    answer = perform(state, found, variables)
    if "data" not in answer:
        bucket.available += requested
        return answer
    actual = found.actual(variables, answer["data"])
    bucket.available += requested - min(actual, requested)
    return {**answer, "extensions": _cost(state, requested, actual)}


def perform(state: State, found: Operation, variables: Mapping[str, Any]) -> Doc:
    """Return data and errors of an operation, whatever it costs; only errors of wrong variables."""
    denied = {name for name in found.access if not _may(state, name)}
    result = execute_sync(
        schema(),
        found.document,
        variable_values=dict(variables),
        context_value=state,
        middleware=[_Denying(denied)] if denied else None,
    )
    errors = result.errors or ()
    wrong = [error for error in errors if result.data is None and not error.path]
    if wrong:
        return {"errors": [_invalid(error, found.node, variables) for error in wrong]}
    answer: Doc = {"data": result.data}
    if errors:
        answer["errors"] = [_raised(error) for error in errors]
    return answer


def _may(state: State, name: str) -> bool:
    _, scopes = _access()[name]
    return any(
        scope in state.scopes or scope.replace("read_", "write_", 1) in state.scopes
        for scope in scopes
    )


class _Denying:
    """Refuses fields that the token has no scope for; the others come (recorded)."""

    def __init__(self, denied: set[str]) -> None:
        self.denied = denied

    def resolve(self, following: Any, root: Any, info: Info, **arguments: Any) -> Any:
        if f"{info.parent_type.name}.{info.field_name}" not in self.denied:
            return following(root, info, **arguments)
        words, _ = _access()[f"{info.parent_type.name}.{info.field_name}"]
        message = f"Access denied for {info.field_name} field. Required access: {words}"
        raise TopError("ACCESS_DENIED", message, documentation=_SCOPES, requiredAccess=words)


def _cost(state: State, requested: int, actual: int | None) -> Doc:
    bucket = state.bucket(state.app)
    return {
        "cost": {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": {
                "maximumAvailable": bucket.capacity,
                "currentlyAvailable": int(bucket.available),
                "restoreRate": bucket.rate,
            },
        }
    }


# -- errors


def _too_dear(cost: int) -> Doc:
    message = (
        f"Query cost is {cost}, which exceeds the single query max cost limit ({_MOST_POINTS})."
    )
    extensions = {"code": "MAX_COST_EXCEEDED", "cost": cost, "maxCost": _MOST_POINTS}
    return {"message": message, "extensions": extensions}


#: The codes of what makes a document invalid, by words of graphql-core's messages.
_STATIC = (
    ("Cannot query field", "undefinedField"),
    ("Unknown argument", "argumentNotAccepted"),
    ("is required, but it was not provided", "missingRequiredArguments"),
    ("of required type", "missingRequiredInputObjectAttribute"),
    ("is never used", "variableNotUsed"),
    ("is not defined", "variableNotDefined"),
    ("Unknown directive", "undefinedDirective"),
    ("Unknown type", "undefinedType"),
    ("selection of subfields", "selectionMismatch"),
    ("must not have a selection", "selectionMismatch"),
    ("exactly one key", "invalidOneOfInputObject"),
)


def _static(error: GraphQLError, node: OperationDefinitionNode) -> Doc:
    """Return a validation error; its path begins with the operation ("query Shop")."""
    name = node.name.value if node.name else ""
    path = [f"{node.operation.value} {name}".strip()]
    codes = (code for words, code in _STATIC if words in error.message)
    extensions: Doc = {"code": next(codes, "argumentLiteralsIncompatible")}
    message = error.message
    missing = re.match(r"Cannot query field '(\w+)' on type '(\w+)'", message)
    if missing:
        message = f"Field '{missing[1]}' doesn't exist on type '{missing[2]}'"
        path.append(missing[1])
        extensions |= {"typeName": missing[2], "fieldName": missing[1]}
    return {"message": message, "locations": _at(error), "path": path, "extensions": extensions}


def _at(error: GraphQLError) -> list[Doc]:
    return [{"line": at.line, "column": at.column} for at in error.locations or ()]


def _invalid(
    error: GraphQLError, node: OperationDefinitionNode, variables: Mapping[str, Any]
) -> Doc:
    """Return the error for a variable of the wrong shape."""
    match = re.search(r"Variable '\$(\w+)'", error.message)
    name = match[1] if match else ""
    types = (
        str(each.type.loc.source.body[each.type.loc.start : each.type.loc.end])
        for each in node.variable_definitions or ()
        if each.variable.name.value == name and each.type.loc
    )
    steps = re.search(r" at '\w+\.?([^']*)'", error.message)
    path = re.findall(r"\w+", steps[1]) if steps else []
    problem = {"path": path, "explanation": error.message.rpartition("; ")[2]}
    extensions = {"code": "INVALID_VARIABLE", "value": variables.get(name), "problems": [problem]}
    message = f"Variable ${name} of type {next(types, '?')} was provided invalid value"
    return {"message": message, "locations": _at(error), "extensions": extensions}


def _raised(error: GraphQLError) -> Doc:
    cause = error.original_error
    if isinstance(cause, TopError):
        path = list(error.path or ())
        return {"message": str(cause), "path": path, "extensions": cause.extensions}
    if cause is not None:
        raise cause
    return {"message": error.message, "path": list(error.path or ())}


def _refused(found: Operation, variables: Mapping[str, Any]) -> Doc | None:
    """Return the error of an operation that is refused before it runs."""
    for root in found.roots:
        name = root.name.value
        marks = {each.name.value for each in root.directives or ()}
        if found.mutates and name in _IDEMPOTENT and "idempotent" not in marks:
            text = "The @idempotent directive is required for this mutation but was not provided."
            return {"message": text, "path": [name], "extensions": {"code": "BAD_REQUEST"}}
        for path, count in _lists(_arguments(root, variables), ()):
            longer = _LONGER.get(name, _MOST_ELEMENTS)
            most = longer if path[-1] == "variants" else _MOST_ELEMENTS
            if count > most:
                text = f"The input array size of {count} is greater than the maximum allowed of {most}."  # noqa: E501 - the platform's words
                code = "MAX_INPUT_SIZE_EXCEEDED"
                return {"message": text, "path": [name, *path], "extensions": {"code": code}}
    return None


def _arguments(root: FieldNode, variables: Mapping[str, Any]) -> Doc:
    """Return the arguments of a field as plain values; a variable as it was given."""
    return {
        each.name.value: variables.get(each.value.name.value)
        if isinstance(each.value, VariableNode)
        else value_from_ast_untyped(each.value, dict(variables))
        for each in root.arguments or ()
    }


def _lists(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(value, list):
        yield path, len(value)
        for place, each in enumerate(value):
            if isinstance(each, dict | list):
                yield from _lists(each, (*path, str(place)))
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if isinstance(each, dict | list):
                yield from _lists(each, (*path, name))
