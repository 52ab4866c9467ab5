"""What WPML and Polylang add to products: a language, and the translations that belong together.

As WPML and Polylang for WooCommerce document it (not recorded): `lang` filters and sets the
language, `translation_of` (WPML) or `translations` (Polylang) joins products, and translations
share their SKU. Polylang without that, as seen (Polylang 3.9): products show no language but in
their address, `lang` in the query of a batch sets it for all new ones and in an item for none.
"""

from __future__ import annotations

from storebridge_woocommerce.sandbox_call import Given
from storebridge_woocommerce.sandbox_state import Doc, Refusal, State
from storebridge_woocommerce.sandbox_text import integer, plain

__all__ = [
    "home",
    "languages",
    "of_batch",
    "own_language",
    "set_language",
    "show_language",
    "spoken",
]

#: The languages of a shop with Polylang alone, besides its own.
_OTHERS = {"de": "de-DE", "fr": "fr-FR"}


def spoken(state: State) -> bool:
    """Return whether the shop keeps its products in several languages."""
    return any(word in state.options["plugins"] for word in ("wpml", "polylang-wc"))


def _addressed(state: State) -> bool:
    """Return whether only a product's address tells its language."""
    return "polylang" in state.options["plugins"] and not spoken(state)


def languages(state: State) -> list[Doc]:
    """Return the languages that Polylang tells everybody."""
    own = str(state.options["language"])
    known = {own: "en-US" if own == "en" else own} | _OTHERS
    return [
        {"slug": code, "w3c": w3c, "home_url": home(state, code), "is_default": code == own}
        for code, w3c in known.items()
    ]


def home(state: State, lang: str) -> str:
    """Return what the addresses of a language begin with: the default one has no folder."""
    url = f"{state.options['url']}/"
    folder = _addressed(state) and lang not in ("", state.options["language"])
    return f"{url}{lang}/" if folder else url


def set_language(state: State, post: Doc, given: Given) -> None:
    """Set a product's language and the product that it translates.

    Raises:
        Refusal: if that one isn't there.
    """
    if _addressed(state) and "lang" in given and not post.get("id"):
        post["lang"] = plain(given["lang"])
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


def of_batch(state: State, item: Doc, query: Doc) -> Doc:
    """Return a new product of a batch, in the language that Polylang gives it."""
    if not _addressed(state):
        return item
    own = {name: value for name, value in item.items() if name != "lang"}
    return {**own, "lang": query["lang"]} if query.get("lang") else own


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
