"""Shops in several languages: WPML and Polylang keep each language's text as a product of its own.

One language is the catalogue: `language` of the settings, else the site's own. Products in other
languages are passed over when the catalogue is read, so that a SKU which all translations share is
one product; a write that would reach a product of another language is refused.
Source: the plugins' documentation of their REST fields (`lang`, `translations`); not recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storebridge.errors import Rejected
from storebridge_woocommerce.site import Facts

__all__ = ["catalogue", "crosses", "mine", "params"]


def catalogue(facts: Facts, language: str) -> str:
    """Return the code of the language that is the catalogue, "" in a shop with one language."""
    if not facts.translator:
        return ""
    return (language or facts.language).partition("-")[0].partition("_")[0].lower()


def params(code: str) -> tuple[tuple[str, str], ...]:
    """Return what asks for the records of a language."""
    return (("lang", code),) if code else ()


def mine(doc: Mapping[str, Any], code: str) -> bool:
    """Return whether a record is of the catalogue's language; one that doesn't say is."""
    lang = doc.get("lang")
    return not code or not isinstance(lang, str) or not lang or lang[:2].lower() == code[:2]


def crosses(doc: Mapping[str, Any], code: str) -> None:
    """Refuse to write to a record of another language.

    Raises:
        Rejected: naming both languages.
    """
    if not mine(doc, code):
        raise Rejected(
            f"product {doc.get('id')} is a translation ({doc['lang']}), the catalogue is {code}",
            remedy="Set the store's language to that one, to change its texts.",
        )
