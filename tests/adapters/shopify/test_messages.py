"""What Shopify refuses names its field in the message, which is all that a report shows."""

from __future__ import annotations

from typing import Any

import pytest

from storebridge_shopify.graphql import refusal, user_error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            {"field": ["input", "title"], "message": "is too long (maximum is 255 characters)"},
            "Shopify: title: is too long (maximum is 255 characters)",
        ),
        (
            {"field": ["input", "variants", "0", "price"], "message": "is not a number"},
            "Shopify: variants.0.price: is not a number",
        ),
        (  # a message that names its field itself stays as it is
            {"field": ["input", "productType"], "message": "Product type is too long"},
            "Shopify: Product type is too long",
        ),
        ({"field": ["input"], "message": "Handle is too long"}, "Shopify: Handle is too long"),
        ({"field": None, "message": "No"}, "Shopify: No"),
    ],
)
def test_a_user_error_names_its_field(error: dict[str, Any], said: str) -> None:
    assert user_error([error]).args[0] == said


def test_the_same_word_of_several_errors_is_said_once() -> None:
    error = {"field": None, "message": "No"}
    assert user_error([error, error]).args[0] == "Shopify: No"


def test_a_variable_s_error_names_the_fields_that_are_wrong() -> None:
    message = "Variable $input of type CollectionInput! was provided invalid value"
    problem = {"path": ["title"], "explanation": "Expected value to not be null"}
    extensions = {"code": "INVALID_VARIABLE", "problems": [problem, "odd"]}
    error = refusal({"errors": [{"message": message, "extensions": extensions}]})
    assert error.args[0] == f"Shopify: {message} (title: Expected value to not be null)"
