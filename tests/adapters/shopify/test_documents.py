"""The adapter's documents: valid on each version that they name, and never too dear."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from graphql import parse, validate
from graphql.language import DocumentNode
from tests.adapters.shopify import schema

from storebridge_shopify.graphql import document, text_of
from storebridge_shopify.scopes import Scopes
from storebridge_shopify.walk import asked, page_variables

DOCUMENTS = {path.stem: (path, each) for path, each in schema.documents()}
ALL = Scopes.of(["read_inventory", "read_publications", "read_products"])

needs_schemas = pytest.mark.skipif(
    not all(schema.file_of(version).is_file() for version in schema.VERSIONS),
    reason="the official schemas are not here: run make schemas",
)


def versions(path: Path) -> list[str]:
    first = path.read_text("utf-8").splitlines()[0]
    assert first.startswith("# versions: "), f"{path.name} doesn't say its versions"
    return first.removeprefix("# versions: ").split()


@needs_schemas
@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_document_is_valid_on_each_version_that_it_names(name: str) -> None:
    path, node = DOCUMENTS[name]
    named = versions(path)
    assert named == list(schema.VERSIONS)
    for version in named:
        assert validate(schema.official(version), node) == [], version


@needs_schemas
def test_what_documents_cost_is_worked_out_anew() -> None:
    file = schema.ADAPTER / "documents" / "costs.json"
    costs = schema.costs(schema.official(schema.VERSIONS[-1]))
    assert file.read_text("utf-8") == costs, "run tests/adapters/shopify/schema.py derive"


@needs_schemas
def test_a_document_that_is_wrong_is_found() -> None:
    wrong = parse("query Q { shop { nmae } }")
    assert isinstance(wrong, DocumentNode)
    assert validate(schema.official(schema.VERSIONS[-1]), wrong)


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_document_is_one_operation_and_is_used(name: str) -> None:
    assert len(re.findall(r"^(query|mutation) ", text_of(name), re.MULTILINE)) == 1
    code = "".join(path.read_text("utf-8") for path in schema.ADAPTER.glob("*.py"))
    assert f'"{name}"' in code, "no code sends it"


@pytest.mark.parametrize("size", [1, 50, 250])
@pytest.mark.parametrize("fields", [None, {"title"}, {"variants"}, {"variants.inventory", "media"}])
def test_a_page_of_products_stays_well_below_the_most_points(
    size: int, fields: set[str] | None
) -> None:
    flags = asked(fields, ALL)
    variables = page_variables("products", flags, size)
    assert 1 <= variables["first"] <= size
    assert document("products").cost(variables) <= 700


def test_few_fields_make_a_page_large_and_cheap() -> None:
    few = page_variables("products", asked({"title"}, ALL), 250)
    assert few["first"] == 250
    assert document("products").cost(few) < 100


def test_what_isnt_needed_or_may_not_be_read_is_not_asked_for() -> None:
    assert not any(asked({"title", "tags"}, ALL).values())
    assert asked({"variants.price"}, ALL)["withVariants"]
    assert not asked({"variants.price"}, ALL)["withInventory"]
    assert asked(None, ALL)["withInventory"]
    assert not asked(None, Scopes.of(["read_products"]))["withInventory"]


@pytest.mark.parametrize(
    ("variables", "points"),
    [
        ({"input": {}}, 10),
        ({"input": {"variants": [{}] * 2049}}, 420),  # recorded
        ({"input": {"variants": [{}] * 5, "files": [{}] * 3}}, 17),
        ({"input": {"files": [{}] * 15}}, 39),
        ({"input": {"variants": [{"metafields": [{}] * 10, "file": {}}]}}, 15),
    ],
)
def test_lists_of_product_set_cost_what_the_schema_says(
    variables: dict[str, dict[str, list[dict[str, object]]]], points: float
) -> None:
    assert document("product_set").cost(variables) == points
