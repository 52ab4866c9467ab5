"""The adapter's documents: each is used, says its versions, and is never too dear.

That they are valid, and cost what they say, is in test_schema.
"""

from __future__ import annotations

import re

import pytest
from tests.adapters.shopify import schema

from storebridge_shopify.graphql import document, text_of
from storebridge_shopify.scopes import Scopes
from storebridge_shopify.walk import asked, page_variables

DOCUMENTS = sorted(path.stem for path, _ in schema.documents())
ALL = Scopes.of(["read_inventory", "read_publications", "read_products"])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_one_operation_for_all_versions_and_is_used(name: str) -> None:
    assert text_of(name).splitlines()[0] == f"# versions: {' '.join(schema.VERSIONS)}"
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
