"""What WPML and Polylang add to products: a language, and the translations that belong together.

As both plugins document it (not recorded): `lang` filters and sets the language, `translation_of`
(WPML) or `translations` (Polylang) joins products, and translations share their SKU.
"""

from __future__ import annotations

from storebridge_woocommerce.sandbox_call import Given
from storebridge_woocommerce.sandbox_state import Doc, Refusal, State
from storebridge_woocommerce.sandbox_text import integer, plain

__all__ = ["own_language", "set_language", "show_language", "spoken"]


def spoken(state: State) -> bool:
    """Return whether the shop keeps its products in several languages."""
    return any(word in state.options["plugins"] for word in ("wpml", "polylang"))


def set_language(state: State, post: Doc, given: Given) -> None:
    """Set a product's language and the product that it translates.

    Raises:
        Refusal: if that one isn't there.
    """
    if not spoken(state):
        return
    if "lang" in given:
        post["lang"] = plain(given["lang"])
    post.setdefault("lang", state.options["language"])
    others = given["translations"] if isinstance(given["translations"], dict) else {}
    number = integer(given["translation_of"] or next(iter(others.values()), 0))
    if number:
        found = state.post("product", number)
        if found is None:
            text = "Product to be translated not found."
            raise Refusal("rest_invalid_param", text)
        post["group"] = found.get("group") or number


def own_language(state: State, post: Doc) -> str:
    """Return SQL that tells the products of this one's language from their translations."""
    if not spoken(state) or not post.get("group"):
        return ""
    own = int(post["group"])
    return f" AND coalesce(json_extract(doc, '$.group'), id) <> {own}"


def show_language(state: State, post: Doc) -> Doc:
    """Return the fields that the plugins add to a product."""
    if not spoken(state):
        return {}
    group = post.get("group") or post["id"]
    sql = (
        "SELECT json_extract(doc, '$.lang'), id FROM posts WHERE kind = 'product'"
        " AND (id = ? OR json_extract(doc, '$.group') = ?) ORDER BY id"
    )
    rows = state.db.execute(sql, (group, group)).fetchall()
    default = state.options["language"]
    return {
        "lang": post.get("lang", default),
        "translations": {lang or default: number for lang, number in rows},
    }
