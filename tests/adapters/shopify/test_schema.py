from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    Undefined,
    build_schema,
    is_introspection_type,
    is_specified_scalar_type,
    parse,
    validate,
)

from storebridge_shopify.graphql import text_of
from storebridge_shopify.sandbox_execute import operation


def _module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("schema", Path(__file__).parent / "schema.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


schema = _module()


def have_schemas() -> None:
    """Skip without the official schemas, but fail where they must be there."""
    if not all(schema.file_of(version).is_file() for version in schema.VERSIONS):
        if os.environ.get("STOREBRIDGE_SCHEMAS") == "required":
            pytest.fail("the official schemas are missing; run `make schemas`")
        pytest.skip("the official schemas are not there; `make schemas` fetches them")


def test_the_sandbox_serves_a_true_part_of_the_official_schema() -> None:
    have_schemas()
    served = build_schema(schema.SDL.read_text("utf-8"), assume_valid=True)
    whole = schema.official(schema.VERSIONS[-1])
    for name, kind in served.type_map.items():
        if is_introspection_type(kind) or is_specified_scalar_type(kind):
            continue
        true = whole.type_map[name]
        assert type(kind) is type(true), name
        if isinstance(kind, GraphQLEnumType):
            assert list(kind.values) == list(true.values), name
        elif isinstance(kind, GraphQLUnionType):
            assert {t.name for t in kind.types} <= {t.name for t in true.types}, name
        elif isinstance(kind, GraphQLInputObjectType):
            assert kind.is_one_of == true.is_one_of, name
            assert _values(kind.fields) == _values(true.fields), name
        elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            assert {i.name for i in kind.interfaces} <= {i.name for i in true.interfaces}, name
            for field, own in kind.fields.items():
                assert str(own.type) == str(true.fields[field].type), f"{name}.{field}"
                assert _values(own.args) == _values(true.fields[field].args), f"{name}.{field}"


def _values(fields: object) -> dict[str, tuple[str, object]]:
    assert isinstance(fields, dict)
    return {
        name: (str(each.type), None if each.default_value is Undefined else each.default_value)
        for name, each in fields.items()
    }


def test_derived_files_are_up_to_date() -> None:
    have_schemas()
    whole = schema.official(schema.VERSIONS[-1])
    served = schema.sdl(whole)
    assert schema.SDL.read_text("utf-8") == served
    assert schema.SCOPES.read_text("utf-8") == schema.scopes(served)
    costs = schema.ADAPTER / "documents" / "costs.json"
    assert costs.read_text("utf-8") == schema.costs(whole)
    shapes = schema.ADAPTER / "documents" / "shapes.json"
    assert shapes.read_text("utf-8") == schema.shapes(whole)


def test_every_document_is_valid_on_the_versions_it_names() -> None:
    have_schemas()
    for path, _ in schema.documents():
        named = re.match(r"# versions: (.*)", path.read_text("utf-8"))
        assert named, path.name
        versions = named[1].split()
        assert set(versions) <= set(schema.VERSIONS), path.name
        for version in versions:
            found = validate(schema.official(version), parse(text_of(path.stem)))
            assert not found, f"{path.name} on {version}: {found[0].message}"
    assert validate(schema.official(schema.VERSIONS[-1]), parse("query Q { shop { nmae } }"))


def test_every_document_of_the_tests_is_valid_on_all_versions() -> None:
    have_schemas()
    for path, document in schema.others():
        for version in schema.VERSIONS:
            found = validate(schema.official(version), document)
            assert not found, f"{path.name} on {version}: {found[0].message}"


#: Costs that were recorded or published: usage/limits and answers of development stores.
COSTS = [
    ("{ products(first: 250) { nodes { id options { name optionValues { name } } } } }", {}, 35),
    (
        "{ productVariants(first: 250) { nodes { id product { id } inventoryItem { id } } } }",
        {},
        35,
    ),
    ("query($n: Int!) { products(first: $n) { nodes { id } } }", {"n": 0}, 2),
    ("query($n: Int!) { products(first: $n) { nodes { id } } }", {"n": 2}, 3),
    ("query($n: Int!) { products(first: $n) { nodes { id } } }", {"n": 25}, 8),
    ("query($n: Int!) { products(first: $n) { nodes { id } } }", {"n": 250}, 13),
    ("query($q: String) { productsCount(query: $q) { count } }", {}, 10),
    ('{ job(id: "gid://shopify/Job/1") { id done } }', {}, 1),
    (
        "mutation($input: ProductSetInput!) { productSet(input: $input) { product { id } } }",
        {"input": {"variants": [{}] * 2049}},
        420,
    ),
    (
        "mutation($p: ID!, $v: [ProductVariantsBulkInput!]!) { productVariantsBulkCreate("
        "productId: $p, variants: $v) { product { id } } }",
        {"v": [{}] * 1499},
        310,
    ),
    (
        "mutation($f: [FileCreateInput!]!) { fileCreate(files: $f) { files { id } } }",
        {"f": []},
        20,
    ),
    (
        "mutation($i: [StagedUploadInput!]!) { stagedUploadsCreate(input: $i) "
        "{ stagedTargets { url parameters { name } } } }",
        {"i": []},
        11,
    ),
    (
        "mutation($i: ID!, $t: FulfillmentTrackingInput!) { fulfillmentTrackingInfoUpdate("
        "fulfillmentId: $i, trackingInfoInput: $t) { fulfillment { id } } }",
        {},
        50,
    ),
]


@pytest.mark.parametrize(("text", "variables", "points"), COSTS)
def test_costs_are_the_recorded_ones(text: str, variables: dict[str, object], points: int) -> None:
    found = operation(text)
    assert not found.wrong, found.wrong
    assert found.requested(variables) == points


def test_the_adapter_does_not_import_graphql_core() -> None:
    code = "import sys, storebridge_shopify; sys.exit('graphql' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_document_is_read_while_the_adapter_is_imported() -> None:
    code = "import sys, storebridge_shopify.graphql as g; sys.exit(g.document.cache_info().misses)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_graphql_core_the_sandbox_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['graphql'] = None\n"
        "try:\n    import storebridge_shopify.sandbox\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("ConfigError")
    assert "storebridge[sandbox]" in said.stdout
