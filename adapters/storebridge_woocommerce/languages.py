"""Shops in several languages: WPML and Polylang keep each language's text as a product of its own.

One language is the catalogue: `language` of the settings, else the shop's own. Products in other
languages are passed over when the catalogue is read, so that a SKU which all translations share is
one product; a write that would reach a product of another language is refused.

Sources: the documentation of WPML and of Polylang for WooCommerce for the field `lang`. For
Polylang without that, Polylang 3.9 itself on WooCommerce 11.0.1: products have no such field, the
filter `lang` is ignored for them (categories heed it), and no SKU is repeated. What tells their
language is their address; a new one gets that of the call, not that of its own item in a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storebridge.errors import Rejected
from storebridge_woocommerce.site import Facts

__all__ = ["KEYS", "catalogue", "crosses", "made_in", "mine", "params"]

Params = tuple[tuple[str, str], ...]

#: The keys of a product that tell its language.
KEYS = ("lang", "permalink")


def catalogue(facts: Facts, language: str) -> str:
    """Return the code of the language that is the catalogue, "" in a shop with one language."""
    if not facts.translator:
        return ""
    own = facts.languages[0].code if facts.languages else facts.language
    return (language or own).partition("-")[0].partition("_")[0].lower()


def params(code: str) -> Params:
    """Return what asks for the records of a language."""
    return (("lang", code),) if code else ()


def made_in(facts: Facts, code: str) -> Params:
    """Return what gives the new records of a batch their language, with Polylang."""
    return params(code) if facts.translator == "polylang" else ()


def mine(doc: Mapping[str, Any], code: str, facts: Facts) -> bool:
    """Return whether a record is of the catalogue's language; one that doesn't say is."""
    lang = _spoken(doc, facts)
    return not code or not lang or lang[:2].lower() == code[:2]


def crosses(doc: Mapping[str, Any], code: str, facts: Facts) -> None:
    """Refuse to write to a record of another language.

    Raises:
        Rejected: naming both languages.
    """
    if not mine(doc, code, facts):
        lang = _spoken(doc, facts)
        raise Rejected(
            f"product {doc.get('id')} is a translation ({lang}), the catalogue is {code}",
            remedy="Set the store's language to that one, to change its texts.",
        )


def _spoken(doc: Mapping[str, Any], facts: Facts) -> str:
    """Return the language that a record says it is in, "" if it doesn't."""
    if isinstance(lang := doc.get("lang"), str) and lang:
        return lang
    address = str(doc.get("permalink", ""))
    homes = [each for each in facts.languages if address.startswith(each.home)]
    return max(homes, key=lambda each: len(each.home)).code if homes else ""
