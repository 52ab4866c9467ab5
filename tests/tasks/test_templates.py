from __future__ import annotations

import pytest

from storebridge.templates import TemplateError, escaped, fill, names

VALUES = {"title": "Tee {vendor}", "vendor": "Acme", "option[Größe]": "M", "__class__": "x"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{title} | {vendor}", "Tee {vendor} | Acme"),
        ("{{title}} { vendor }", "{title} Acme"),
        ("{option[Größe]}/{__class__}", "M/x"),
        ("", ""),
        ("%s $vendor", "%s $vendor"),
    ],
)
def test_gaps_are_filled_once_and_nothing_is_evaluated(text: str, filled: str) -> None:
    assert fill(text, VALUES) == filled


def test_names_come_once_and_in_order() -> None:
    assert names("{b} {a} {b} {{c}}") == ("b", "a")


@pytest.mark.parametrize("text", ["{", "}", "{}", "{ }", "{a{b}}", "{title"])
def test_a_brace_that_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(TemplateError, match="names nothing"):
        fill(text, VALUES)


@pytest.mark.parametrize("text", ["{titel}", "{title.upper}", "{title!r}", "{title:>9}", "{0}"])
def test_a_name_that_is_not_there_is_told_with_the_nearest(text: str) -> None:
    with pytest.raises(TemplateError, match="isn't there") as error:
        fill(text, {"title": "x"})
    assert ("{title}?" in str(error.value)) == ("title" in text or "titel" in text)


def test_an_escaped_text_comes_back_as_it_is() -> None:
    assert fill(escaped("{a} }} {"), {}) == "{a} }} {"
