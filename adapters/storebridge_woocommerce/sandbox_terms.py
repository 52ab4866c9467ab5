"""Categories, tags, brands, shipping classes, global attributes and their terms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from storebridge_woocommerce.sandbox_call import Given
from storebridge_woocommerce.sandbox_kses import kses
from storebridge_woocommerce.sandbox_media import set_images, show_image
from storebridge_woocommerce.sandbox_state import Doc, Refusal, State, dumps
from storebridge_woocommerce.sandbox_text import clean, cut, integer, plain, slugged, stripped

__all__ = [
    "TAXONOMIES",
    "Taxonomy",
    "attribute",
    "attribute_taxonomy",
    "create_term",
    "drop_term",
    "show_term",
    "term",
    "term_for",
    "term_ids",
    "terms_of",
    "update_term",
]


@dataclass(frozen=True)
class Taxonomy:
    """One kind of term, and what its records show."""

    name: str
    tree: bool = False
    display: bool = False
    order: bool = False


TAXONOMIES: Mapping[str, Taxonomy] = {
    "categories": Taxonomy("product_cat", tree=True, display=True, order=True),
    "brands": Taxonomy("product_brand", tree=True, display=True, order=True),
    "tags": Taxonomy("product_tag"),
    "shipping_classes": Taxonomy("product_shipping_class"),
}


def attribute_taxonomy(name: str) -> bool:
    """Return whether a name is that of a global attribute's taxonomy."""
    return name.startswith("pa_")


def attribute(state: State, number: int) -> Doc | None:
    """Return a global attribute by id."""
    return state.thing("attribute", number)


def term(state: State, taxonomy: str, number: int) -> Doc | None:
    """Return a term by id, None if its taxonomy has none such."""
    sql = "SELECT id, parent, name, slug, doc FROM terms WHERE id = ? AND taxonomy = ?"
    row = state.db.execute(sql, (number, taxonomy)).fetchone()
    return _unpacked(row) if row else None


def _unpacked(row: tuple[Any, ...]) -> Doc:
    return {
        **json.loads(row[4]),
        **dict(zip(("id", "parent", "name", "slug"), row[:4], strict=True)),
    }


def terms_of(state: State, numbers: Iterable[int]) -> list[Doc]:
    """Return id, name and slug of terms, by name, as a product shows them."""
    sql = "SELECT id, name, slug FROM terms WHERE id = ?"
    rows = [state.db.execute(sql, (number,)).fetchone() for number in numbers]
    found = [{"id": row[0], "name": row[1], "slug": row[2]} for row in rows if row]
    return sorted(found, key=lambda one: one["name"].casefold()) if len(found) > 1 else found


def term_ids(state: State, taxonomy: str, wanted: Iterable[int]) -> list[int]:
    """Return those ids that are terms of a taxonomy."""
    sql = "SELECT 1 FROM terms WHERE id = ? AND taxonomy = ?"
    return [one for one in dict.fromkeys(wanted) if one > 0 and state.one(sql, one, taxonomy)]


def term_for(state: State, taxonomy: str, text: str) -> int:
    """Return the id of a term by name or slug; it is made if there is none."""
    # WooCommerce 11.0.1: a tag is found by name, in any case; a race makes no second one.
    name = kses(clean(text))
    sql = "SELECT id FROM terms WHERE taxonomy = ? AND name = ?"
    found = state.one(sql, taxonomy, name)
    if found is None and attribute_taxonomy(taxonomy):
        sql = "SELECT id FROM terms WHERE taxonomy = ? AND slug = ?"
        found = state.one(sql, taxonomy, slugged(name))
    if found is None:
        found = _insert(state, taxonomy, name, slugged(name), 0, {"description": ""})
    return int(found)


def _insert(state: State, taxonomy: str, name: str, slug: str, parent: int, doc: Doc) -> int:
    number = state.number("terms")
    slug = _unique(state, taxonomy, slug or f"term-{number}", 0)
    state.db.execute(
        "INSERT INTO terms VALUES (?, ?, ?, ?, ?, ?)",
        (number, taxonomy, parent, name, slug, dumps(doc)),
    )
    return number


def _unique(state: State, taxonomy: str, slug: str, number: int) -> str:
    """Return a slug that no other term of the taxonomy has: "shirts" becomes "shirts-2"."""
    sql = "SELECT 1 FROM terms WHERE taxonomy = ? AND slug = ? AND id <> ?"
    made, count = slug, 1
    while state.one(sql, taxonomy, made, number):
        count += 1
        made = f"{cut(slug, 200 - len(str(count)) - 1)}-{count}"
    return made


def create_term(state: State, taxonomy: Taxonomy, given: Given) -> int:
    """Make a term and return its id.

    Raises:
        Refusal: if the name is taken under the same parent, or the parent is missing.
    """
    name = _name(given)
    if not name:
        raise Refusal("empty_term_name", "A name is required for this term.")
    parent = integer(given["parent"]) if taxonomy.tree else 0
    if parent and term(state, taxonomy.name, parent) is None:
        raise Refusal("missing_parent", "Parent term does not exist.")
    slug = slugged(plain(given["slug"]))
    _check_name(state, taxonomy, name, slug, parent)
    doc = {"description": "", "display": "default", "menu_order": 0}
    number = _insert(state, taxonomy.name, name, slug or slugged(name), parent, doc)
    _set(
        state, taxonomy, number, Given({**given.values, "name": None, "slug": None, "parent": None})
    )
    return number


def _name(given: Given) -> str:
    return kses(stripped(clean(plain(given["name"]))))


def _check_name(state: State, taxonomy: Taxonomy, name: str, slug: str, parent: int) -> None:
    sql = "SELECT id, slug FROM terms WHERE taxonomy = ? AND name = ? AND parent = ?"
    found = state.db.execute(sql, (taxonomy.name, name, parent)).fetchone()
    # WooCommerce 11.0.1: a name is taken under one parent only; elsewhere its slug gets "-2".
    if found is None or (slug and slug != found[1]):
        return
    place = "with this parent" if taxonomy.tree else "in this taxonomy"
    text = f"A term with the name provided already exists {place}."
    raise Refusal("term_exists", text, resource_id=found[0])


def update_term(state: State, taxonomy: Taxonomy, number: int, given: Given) -> None:
    """Set the given fields of a term; a parent that would close a circle becomes 0."""
    _set(state, taxonomy, number, given)


def _set(state: State, taxonomy: Taxonomy, number: int, given: Given) -> None:
    doc = term(state, taxonomy.name, number)
    assert doc is not None
    if "name" in given:
        # WooCommerce 11.0.1: names are escaped ("Men &amp; Women"), and a rename keeps the slug.
        doc["name"] = _name(given) or doc["name"]
    if given["slug"]:
        doc["slug"] = _unique(state, taxonomy.name, slugged(plain(given["slug"])), number)
    if taxonomy.tree and "parent" in given:
        parent = integer(given["parent"])
        if parent and term(state, taxonomy.name, parent) is None:
            raise Refusal("missing_parent", "Parent term does not exist.")
        # WooCommerce 11.0.1: a category below itself is put at the top, without a word.
        doc["parent"] = 0 if _circle(state, taxonomy.name, number, parent) else parent
    if "description" in given:
        doc["description"] = kses(plain(given["description"]), inline=True)
    for name in ("display", "menu_order"):
        if name in given:
            doc[name] = given[name]
    if given.named("image"):
        wanted = given["image"] if isinstance(given["image"], dict) else {}
        named = wanted.get("id") or wanted.get("src") is not None
        doc.pop("image", None)
        # WooCommerce 11.0.1: an id that is gone takes the picture away, with a 200.
        if named and (wanted.get("src") or state.post("attachment", integer(wanted["id"]))):
            [doc["image"]] = set_images(state, [wanted], 0)
    values = [doc.pop(name) for name in ("parent", "name", "slug")]
    doc.pop("id")
    state.db.execute(
        "UPDATE terms SET parent = ?, name = ?, slug = ?, doc = ? WHERE id = ?",
        (*values, dumps(doc), number),
    )


def _circle(state: State, taxonomy: str, number: int, parent: int) -> bool:
    seen = set()
    while parent and parent not in seen:
        if parent == number:
            return True
        seen.add(parent)
        above = term(state, taxonomy, parent)
        parent = above["parent"] if above else 0
    return False


def drop_term(state: State, number: int) -> None:
    """Remove a term; its children move up to its parent, products lose it."""
    row = state.db.execute("SELECT parent FROM terms WHERE id = ?", (number,)).fetchone()
    state.db.execute("UPDATE terms SET parent = ? WHERE parent = ?", (row[0], number))
    state.db.execute("DELETE FROM terms WHERE id = ?", (number,))
    state.db.execute("DELETE FROM links WHERE term = ?", (number,))


def show_term(state: State, taxonomy: Taxonomy, doc: Doc) -> Doc:
    """Return a term as the API shows it."""
    shown = {"id": doc["id"], "name": doc["name"], "slug": doc["slug"]}
    if taxonomy.tree:
        shown["parent"] = doc["parent"]
    shown["description"] = doc.get("description", "")
    if taxonomy.display:
        shown |= {"display": doc.get("display", "default"), "image": _image(state, doc)}
    if taxonomy.order:
        shown["menu_order"] = integer(doc.get("menu_order"))
    sql = (
        "SELECT count(*) FROM links JOIN posts ON posts.id = post WHERE term = ?"
        " AND status = 'publish' AND kind = 'product'"
    )
    shown["count"] = state.one(sql, doc["id"])
    return shown


def _image(state: State, doc: Doc) -> Doc | None:
    return show_image(state, doc.get("image", 0), short=True)
