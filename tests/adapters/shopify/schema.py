"""The official Admin schemas, and the part of one that the sandbox serves.

`make schemas` fetches them; this module reads them, and works out what depends on one: the part
that the sandbox serves, what the adapter's documents cost, and what their answers look like:

    python tests/adapters/shopify/schema.py derive

The npm package `@shopify/dev-mcp` (ISC) carries them; they are not kept in this repository.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    build_client_schema,
    build_schema,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_enum_type,
    is_leaf_type,
    is_specified_scalar_type,
    parse,
    visit,
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
    Visitor,
)
from graphql.utilities import TypeInfo, TypeInfoVisitor

from storebridge_shopify.cost import Tree
from storebridge_shopify.graphql import text_of
from storebridge_shopify.sandbox_cost import Costs

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".schemas"
ADAPTER = ROOT / "adapters" / "storebridge_shopify"
SDL = ADAPTER / "sandbox.graphql"
SCOPES = ADAPTER / "sandbox_scopes.json"
#: Documents that only the sandbox's tests send; the sandbox serves what they use too.
OTHERS = Path(__file__).parent / "documents"
PACKAGE = "@shopify/dev-mcp@1.16.0"
#: An interface or union of so few types is kept with all of them, others with those named.
_FEW = 6
#: The oldest version that the adapter speaks, those between, and its default.
VERSIONS = ("2026-04", "2026-07", "2026-10")


def fetch() -> None:
    """Get the schemas by npm; what is there already is kept."""
    if all(file_of(version).is_file() for version in VERSIONS):
        return
    npm = shutil.which("npm")
    if npm is None:
        sys.exit(f"npm is needed to fetch {PACKAGE}. Install Node.js, then try again.")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as work:
        pack = [npm, "pack", "--silent", PACKAGE, "--pack-destination", work]
        subprocess.run(pack, check=True, stdin=subprocess.DEVNULL)
        (packed,) = Path(work).glob("*.tgz")
        with tarfile.open(packed) as archive:
            for version in VERSIONS:
                member = archive.extractfile(f"package/dist/data/{file_of(version).name}")
                assert member is not None
                file_of(version).write_bytes(member.read())


def file_of(version: str) -> Path:
    """Return where a version's schema lies once it is fetched."""
    return FOLDER / f"admin_{version}.json.gz"


@cache
def official(version: str) -> GraphQLSchema:
    """Return the official schema of a version.

    It breaks one rule of the GraphQL specification (deprecated fields of interfaces whose own field
    isn't deprecated), so it is taken as valid.
    """
    document = json.loads(gzip.decompress(file_of(version).read_bytes()))
    return build_client_schema(document.get("data", document), assume_valid=True)


# -- cutting the sandbox's part


class _Used(Visitor):
    """Collects the fields that documents use, by type."""

    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self._info = info
        self.fields: dict[str, set[str]] = {}
        self.roots: set[str] = set()

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        parent, kind = self._info.get_parent_type(), self._info.get_type()
        if parent and not node.name.value.startswith("__"):
            self.fields.setdefault(parent.name, set()).add(node.name.value)
        if kind:
            self.fields.setdefault(get_named_type(kind).name, set())

    def enter_inline_fragment(self, node: InlineFragmentNode, *_: Any) -> None:
        if node.type_condition:
            self.fields.setdefault(node.type_condition.name.value, set())


def used_fields(schema: GraphQLSchema, documents: Iterable[DocumentNode]) -> dict[str, set[str]]:
    """Return which fields documents use, by the name of their type."""
    info = TypeInfo(schema)
    used = _Used(info)
    for document in documents:
        visit(document, TypeInfoVisitor(info, used))
    return used.fields


def cut(schema: GraphQLSchema, documents: Iterable[DocumentNode]) -> str:
    """Return as SDL what documents use of a schema: no descriptions, nothing changed."""
    used = used_fields(schema, documents)
    kept = dict(sorted(_closed(schema, used).items()))
    blocks = [_head(schema, kept)]
    blocks += [text for name in kept if (text := _type(schema.type_map[name], kept))]
    return "\n\n".join(blocks) + "\n"


def _closed(schema: GraphQLSchema, used: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the kept types with their kept fields: also leaves, and what arguments need."""
    kept: dict[str, set[str]] = {}
    waiting = list(used)
    while waiting:
        name = waiting.pop()
        if name in kept:
            continue
        kind = schema.type_map[name]
        kept[name] = set(_fields_of(kind, schema, used))
        waiting += _named_in(kind, kept[name])
        if is_abstract_type(kind) and len(schema.get_possible_types(kind)) <= _FEW:
            waiting += (each.name for each in schema.get_possible_types(kind))
    _implement(schema, kept)
    return kept


def _fields_of(
    kind: GraphQLNamedType, schema: GraphQLSchema, used: dict[str, set[str]]
) -> Iterator[str]:
    if isinstance(kind, GraphQLInputObjectType):
        yield from kind.fields
    if not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        return
    yield from used.get(kind.name, ())
    roots = (schema.query_type, schema.mutation_type)
    for name, field in kind.fields.items():
        plain = not field.args and field.deprecation_reason is None
        if kind not in roots and plain and is_leaf_type(get_named_type(field.type)):
            yield name
    # bulk queries, which the adapter writes at run time, take connections by their edges
    wanted = {"Connection": "edges", "Edge": "node"}
    ends = (name for end, name in wanted.items() if kind.name.endswith(end))
    yield from (name for name in ends if name in kind.fields)
    for interface in kind.interfaces:
        yield from used.get(interface.name, ())


def _named_in(kind: GraphQLNamedType, fields: set[str]) -> Iterator[str]:
    if isinstance(kind, GraphQLInputObjectType):
        for field in kind.fields.values():
            yield get_named_type(field.type).name
    elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        for name in fields:
            yield get_named_type(kind.fields[name].type).name
            for argument in kind.fields[name].args.values():
                yield get_named_type(argument.type).name


def _implement(schema: GraphQLSchema, kept: dict[str, set[str]]) -> None:
    """Cut each kept interface to the fields that all its kept types have."""
    for name, fields in kept.items():
        kind = schema.type_map[name]
        if isinstance(kind, GraphQLInterfaceType):
            makers = [t.name for t in schema.get_implementations(kind).objects if t.name in kept]
            kept[name] = {field for field in fields if all(field in kept[m] for m in makers)}


def _head(schema: GraphQLSchema, kept: dict[str, set[str]]) -> str:
    roots = {"query": schema.query_type, "mutation": schema.mutation_type}
    lines = (f"{word}: {kind.name}" for word, kind in roots.items() if kind and kind.name in kept)
    return _block("schema", lines) + "\n\ndirective @idempotent(key: String!) on FIELD"


def _type(kind: GraphQLNamedType, kept: dict[str, set[str]]) -> str:
    if is_specified_scalar_type(kind):
        return ""
    if isinstance(kind, GraphQLScalarType):
        return f"scalar {kind.name}"
    if isinstance(kind, GraphQLEnumType):
        return _block(f"enum {kind.name}", kind.values)
    if isinstance(kind, GraphQLUnionType):
        members = sorted(member.name for member in kind.types if kept.get(member.name))
        return f"union {kind.name} = {' | '.join(members)}" if members else ""
    if isinstance(kind, GraphQLInputObjectType):
        one = " @oneOf" if kind.is_one_of else ""
        lines = (f"{name}: {_given(field)}" for name, field in kind.fields.items())
        return _block(f"input {kind.name}{one}", lines)
    assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
    word = "type" if isinstance(kind, GraphQLObjectType) else "interface"
    above = sorted(one.name for one in kind.interfaces if kept.get(one.name))
    implements = f" implements {' & '.join(above)}" if above else ""
    fields = (f for f in sorted(kind.fields) if f in kept[kind.name])
    lines = (f"{name}{_field(kind.fields[name])}" for name in fields)
    return _block(f"{word} {kind.name}{implements}", lines) if kept[kind.name] else ""


def _field(field: GraphQLField) -> str:
    arguments = ", ".join(f"{name}: {_given(arg)}" for name, arg in field.args.items())
    return f"({arguments}): {field.type}" if arguments else f": {field.type}"


def _given(value: GraphQLArgument | GraphQLInputField) -> str:
    from graphql import Undefined, ast_from_value, print_ast

    if value.default_value is Undefined:
        return str(value.type)
    node = ast_from_value(value.default_value, value.type)
    assert node is not None
    return f"{value.type} = {print_ast(node)}"


def _block(head: str, lines: Iterable[str]) -> str:
    return head + " {\n" + "".join(f"  {line}\n" for line in lines) + "}"


def documents() -> Iterator[tuple[Path, DocumentNode]]:
    """Yield the adapter's documents with their files."""
    for path in sorted((ADAPTER / "documents").glob("*.graphql")):
        yield path, parse(text_of(path.stem))


def others() -> Iterator[tuple[Path, DocumentNode]]:
    """Yield the documents of the sandbox's tests with their files."""
    for path in sorted(OTHERS.glob("*.graphql")):
        yield path, parse(path.read_text("utf-8"))


def sdl(schema: GraphQLSchema) -> str:
    """Return the SDL that the sandbox serves."""
    return cut(schema, (document for _, document in [*documents(), *others()]))


def scopes(served: str) -> str:
    """Return as JSON which scopes the fields of an SDL need: {"Type.field": [words, any of]}.

    A field of its own accord, or by what it returns; fields of a type that needs the same
    scope as their own are left out.
    """
    document = json.loads(gzip.decompress(file_of(VERSIONS[-1]).read_bytes()))
    table: dict[str, tuple[str, list[str]]] = {}
    for item in document["offline_scopes"]["items"]:
        if item["offlineScopes"]:
            name = item["typeName"] + (f".{item['fieldName']}" if "fieldName" in item else "")
            needed = list(dict.fromkeys(item["offlineScopes"]))
            table[name] = (item["requiredAccess"].partition(" Also:")[0], needed)
    found = {}
    for name, returned in _returning(build_schema(served, assume_valid=True)):
        kind = name.partition(".")[0]
        need = table.get(name) or table.get(returned)
        if need and need != table.get(kind):
            found[name] = need
    lines = (f"{json.dumps(name)}: {json.dumps(need)}" for name, need in sorted(found.items()))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _returning(schema: GraphQLSchema) -> Iterator[tuple[str, str]]:
    """Yield fields with the type that they return, of a connection that of its nodes."""
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.endswith(("Connection", "Edge")):
            for name, field in kind.fields.items():
                returned = get_named_type(field.type)
                nodes = getattr(returned, "fields", {}).get("nodes")
                if nodes and returned.name.endswith("Connection"):
                    returned = get_named_type(nodes.type)
                yield f"{kind.name}.{name}", returned.name


def costs(schema: GraphQLSchema) -> str:
    """Return as JSON what the documents cost: [mutation, [own, [[variable, tree], ...]]] each."""
    model = Costs(schema)
    found = {path.stem: [_mutation(one), _plain(model.tree(one))] for path, one in documents()}
    lines = (f"{json.dumps(name)}: {json.dumps(cost)}" for name, cost in sorted(found.items()))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _mutation(document: DocumentNode) -> str:
    (node,) = (n for n in document.definitions if isinstance(n, OperationDefinitionNode))
    root = node.selection_set.selections[0]
    assert isinstance(root, FieldNode)
    return root.name.value if node.operation is OperationType.MUTATION else ""


def _plain(tree: Tree) -> list[Any]:
    return [tree.own, [[name, _plain(each)] for name, each in tree.connections]]


# -- what the answers to the documents look like

#: Enums of which the adapter takes no other words than codes; words of others may be new ones.
_CODES = ("CountryCode", "CurrencyCode")


def shapes(schema: GraphQLSchema) -> str:
    """Return as JSON the shapes of the documents' answers, as `storebridge_shopify.shapes` reads.

    A shape is a leaf's type ("[String!]!"), or an object's type and the shapes of its fields.
    """
    found = {path.stem: _Shapes(schema, document).data() for path, document in documents()}
    plain = {name: json.dumps(each, separators=(",", ":")) for name, each in found.items()}
    lines = (f"{json.dumps(name)}: {shape}" for name, shape in sorted(plain.items()))
    return "{\n" + ",\n".join(lines) + "\n}\n"


class _Shapes:
    """The shape of one document's answer."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        nodes = document.definitions
        self._fragments = {n.name.value: n for n in nodes if isinstance(n, FragmentDefinitionNode)}
        (self._node,) = (n for n in nodes if isinstance(n, OperationDefinitionNode))

    def data(self) -> list[Any]:
        mutates = self._node.operation is OperationType.MUTATION
        root = self._schema.mutation_type if mutates else self._schema.query_type
        assert root is not None
        return [f"{root.name}!", self._fields(root, self._node.selection_set)]

    def _fields(self, parent: Any, selections: SelectionSetNode | None) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for node in selections.selections if selections else ():
            flag = _flag(node)
            if isinstance(node, FieldNode):
                key = (node.alias or node.name).value + flag
                _merge(found, {key: self._field(parent, node)})
                continue
            assert isinstance(node, InlineFragmentNode | FragmentSpreadNode)
            part = (
                self._fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            )
            named = part.type_condition
            kind = self._schema.type_map[named.name.value] if named else parent
            inner = self._fields(kind, part.selection_set)
            if self._is(parent, kind):
                _merge(found, {key + flag: shape for key, shape in inner.items()})
            else:
                _merge(found, {f"...{'|'.join(self._types(kind))}{flag}": inner})
        return found

    def _field(self, parent: Any, node: FieldNode) -> Any:
        if node.name.value == "__typename":
            return "String!"
        kind = parent.fields[node.name.value].type
        named = get_named_type(kind)
        if is_composite_type(named):
            return [str(kind), self._fields(named, node.selection_set)]
        word = "String" if is_enum_type(named) and named.name not in _CODES else named.name
        return str(kind).replace(named.name, word)

    def _types(self, kind: Any) -> list[str]:
        if not is_abstract_type(kind):
            return [kind.name]
        return sorted(each.name for each in self._schema.get_possible_types(kind))

    def _is(self, parent: Any, kind: Any) -> bool:
        """Return whether every object of one type is of another."""
        return parent is kind or (
            is_abstract_type(kind) and set(self._types(parent)) <= set(self._types(kind))
        )


def _flag(node: Any) -> str:
    """Return the variables that a selection depends on, each behind a question mark."""
    values = (
        a.value for d in node.directives or () if d.name.value == "include" for a in d.arguments
    )
    return "".join(f"?{value.name.value}" for value in values if isinstance(value, VariableNode))


def _merge(found: dict[str, Any], more: dict[str, Any]) -> None:
    """Add the shapes of fields; objects that are there get the fields that they lack."""
    for key, shape in more.items():
        if key in found and isinstance(shape, dict):
            _merge(found[key], shape)
        elif key in found and isinstance(shape, list):
            _merge(found[key][1], shape[1])
        else:
            found[key] = shape


def main() -> None:
    fetch()
    if sys.argv[1:] == ["derive"]:
        schema = official(VERSIONS[-1])
        SDL.write_text(sdl(schema), encoding="utf-8")
        SCOPES.write_text(scopes(sdl(schema)), encoding="utf-8")
        (ADAPTER / "documents" / "costs.json").write_text(costs(schema), encoding="utf-8")
        (ADAPTER / "documents" / "shapes.json").write_text(shapes(schema), encoding="utf-8")


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
