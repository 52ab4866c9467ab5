"""The endpoints of terms and of global attributes."""

from __future__ import annotations

from typing import Any

from storebridge_woocommerce.sandbox_call import Answer, Call, Given
from storebridge_woocommerce.sandbox_records import Resource, Routes, linked, page
from storebridge_woocommerce.sandbox_state import Doc, Refusal
from storebridge_woocommerce.sandbox_terms import (
    TAXONOMIES,
    Taxonomy,
    attribute,
    create_term,
    drop_term,
    show_term,
    term,
    update_term,
)
from storebridge_woocommerce.sandbox_text import clean, flag, plain, slugged

__all__ = ["AttributeTerms", "Attributes", "Terms", "untrashable"]

_RESERVED = frozenset(
    (
        "attachment", "author", "cat", "category", "comments_popup", "day", "error", "exact",
        "feed", "hour", "link_category", "minute", "monthnum", "more", "name", "nav_menu",
        "nopaging", "offset", "order", "orderby", "p", "page", "page_id", "paged", "pagename",
        "pb", "perm", "post", "post_format", "post_mime_type", "post_status", "post_tag",
        "post_type", "posts", "preview", "search", "second", "sentence", "showposts", "static",
        "status", "subpost", "subpost_id", "tag", "tag_id", "taxonomy", "tb", "term", "terms",
        "theme", "type", "types", "w", "withcomments", "withoutcomments", "year",
    )
)  # fmt: skip


def untrashable(text: str = "Resource does not support trashing.") -> Refusal:
    """Return the refusal of a delete without force, for what has no trash."""
    return Refusal("woocommerce_rest_trash_not_supported", text, 501)


class Terms(Resource):
    """Categories, tags, brands or shipping classes."""

    def __init__(self, name: str) -> None:
        """Serve one of `TAXONOMIES`."""
        self.route = f"/products/{name}"  # type: ignore[misc]  # one class, four routes

    def taxonomy(self, call: Call) -> Taxonomy:
        """Return the taxonomy that the call is about."""
        return TAXONOMIES[self.route.rpartition("/")[2]]

    def path(self, call: Call) -> str:
        """Return the list's path."""
        return self.route

    def index(self, call: Call) -> Answer:
        """Return a page of terms, by name unless asked otherwise."""
        taxonomy = self.taxonomy(call)
        found = [row for row in self._rows(call, taxonomy) if _wanted(call, row)]
        shown = [show_term(call.state, taxonomy, row) for row in found]
        if call["hide_empty"]:
            shown = [one for one in shown if one["count"]]
        key, back = call["orderby"] or "name", call["order"] == "desc"
        shown.sort(key=lambda one: _sort_key(one, str(key)), reverse=back)
        if key == "include" and call["include"]:
            shown.sort(key=lambda one: call["include"].index(one["id"]))
        rows = [self._linked(call, one) for one in shown[call.span]]
        return page(call, rows, len(shown))

    def show(self, call: Call, number: int) -> Doc:
        """Return one term."""
        taxonomy = self.taxonomy(call)
        return self._linked(call, show_term(call.state, taxonomy, self._found(call, number)))

    def create(self, call: Call, given: Given) -> Doc:
        """Make a term."""
        return self.show(call, create_term(call.state, self.taxonomy(call), given))

    def update(self, call: Call, number: int | None, given: Given) -> Doc:
        """Change a term; its slug stays where only the name is given."""
        self._found(call, number or 0)
        update_term(call.state, self.taxonomy(call), number or 0, given)
        return self.show(call, number or 0)

    def delete(self, call: Call, number: int, *, force: bool) -> Doc:
        """Delete a term; WooCommerce 11.0.1 keeps the default category, with a 500."""
        self._found(call, number)
        if not force:
            raise untrashable()
        if number == call.state.options["default_product_cat"]:
            text = "Default product category cannot be deleted."
            raise Refusal("woocommerce_rest_cannot_delete", text, 500)
        shown = self.show(call, number)
        drop_term(call.state, number)
        # Once it is gone, its link offers nothing to do.
        shown["_links"]["self"][0].pop("targetHints", None)
        return shown

    def _linked(self, call: Call, shown: Doc) -> Doc:
        path, more = self.path(call), {}
        if shown.get("parent"):
            url = f"{call.state.options['url']}/wp-json/wc/v3{path}/{shown['parent']}"
            more["up"] = [{"href": url}]
        if call.path.endswith("/batch") and path != self.route:
            # WooCommerce 11.0.1: in a batch the links of attribute terms keep the route's pattern.
            path, more["allow"] = self.route, []
        return linked(call.state, shown, path, **more)

    def location(self, call: Call, shown: Doc) -> str:
        """Return the address of a new term."""
        return f"{call.state.options['url']}/wp-json/wc/v3{self.path(call)}/{shown['id']}"

    def _found(self, call: Call, number: int) -> Doc:
        found = term(call.state, self.taxonomy(call).name, number)
        if found is None:
            raise Refusal("woocommerce_rest_term_invalid", "Resource does not exist.", 404)
        return found

    def _rows(self, call: Call, taxonomy: Taxonomy) -> list[Doc]:
        sql = "SELECT id FROM terms WHERE taxonomy = ? ORDER BY id"
        rows = call.state.db.execute(sql, (taxonomy.name,)).fetchall()
        found = (term(call.state, taxonomy.name, number) for (number,) in rows)
        return [one for one in found if one]


def _wanted(call: Call, row: Doc) -> bool:
    slugs = call["slug"].split(",") if isinstance(call["slug"], str) else call["slug"]
    linked_to = "SELECT 1 FROM links WHERE term = ? AND post = ?"
    return (
        (not call["include"] or row["id"] in call["include"])
        and row["id"] not in (call["exclude"] or ())
        and (call["parent"] is None or row["parent"] == call["parent"])
        and (not slugs or row["slug"] in slugs)
        and (not call["search"] or str(call["search"]).lower() in row["name"].lower())
        and (not call["product"] or bool(call.state.one(linked_to, row["id"], call["product"])))
    )


def _sort_key(one: Doc, key: str) -> Any:
    if key in ("id", "include", "count"):
        return one["count"] if key == "count" else one["id"]
    return str(one.get("slug" if key == "slug" else "name", "")).casefold()


class AttributeTerms(Terms):
    """`/products/attributes/<attribute_id>/terms`."""

    def __init__(self) -> None:
        """Serve the terms of every global attribute."""
        self.route = "/products/attributes/(?P<attribute_id>[\\d]+)/terms"  # type: ignore[misc]  # as above

    def taxonomy(self, call: Call) -> Taxonomy:
        """Return the attribute's taxonomy.

        Raises:
            Refusal: 404 if there is no such attribute.
        """
        found = attribute(call.state, int(call.url["attribute_id"]))
        if found is None:
            raise _no_attribute()
        return Taxonomy(found["slug"], order=True)

    def path(self, call: Call) -> str:
        """Return the list's path."""
        return f"/products/attributes/{call.url['attribute_id']}/terms"


def _no_attribute() -> Refusal:
    return Refusal("woocommerce_rest_taxonomy_invalid", "Resource does not exist.", 404)


class Attributes(Resource):
    """`/products/attributes`: not paged, at most one per slug."""

    route = "/products/attributes"

    def index(self, call: Call) -> Answer:
        """Return all attributes, whatever page is asked for."""
        rows = [self._shown(call, one) for one in call.state.things("attribute")]
        return Answer(rows, headers={"x-wp-total": str(len(rows)), "x-wp-totalpages": "1"})

    def show(self, call: Call, number: int) -> Doc:
        """Return one attribute."""
        return self._shown(call, self._found(call, number))

    def create(self, call: Call, given: Given) -> Doc:
        """Make a global attribute with its taxonomy `pa_…`."""
        name = clean(plain(given["name"]))
        slug = slugged(plain(given["slug"]).removeprefix("pa_") or name)
        self._check(call, slug, 0)
        doc: Doc = {"id": call.state.number("attribute"), "name": name, "slug": f"pa_{slug}"}
        doc |= {
            "type": given["type"] or "select",
            "order_by": given["order_by"] or "menu_order",
            "has_archives": flag(given["has_archives"]),
        }
        call.state.save_thing("attribute", doc, key=doc["slug"])
        return self._shown(call, doc)

    def update(self, call: Call, number: int | None, given: Given) -> Doc:
        """Change an attribute; a new slug renames its taxonomy."""
        doc = self._found(call, number or 0)
        if "name" in given:
            doc["name"] = clean(plain(given["name"]))
        if given["slug"]:
            slug = slugged(plain(given["slug"]).removeprefix("pa_"))
            self._check(call, slug, doc["id"])
            sql = "UPDATE terms SET taxonomy = ? WHERE taxonomy = ?"
            call.state.db.execute(sql, (f"pa_{slug}", doc["slug"]))
            doc["slug"] = f"pa_{slug}"
        for name in ("type", "order_by", "has_archives"):
            if name in given:
                doc[name] = given[name]
        call.state.save_thing("attribute", doc, key=doc["slug"])
        return self._shown(call, doc)

    def delete(self, call: Call, number: int, *, force: bool) -> Doc:
        """Delete an attribute with its terms: WooCommerce 11.0.1 asks for no force here."""
        doc = self._found(call, number)
        call.state.drop_thing("attribute", number)
        call.state.db.execute("DELETE FROM terms WHERE taxonomy = ?", (doc["slug"],))
        return self._shown(call, doc)

    def routes(self) -> Routes:
        """Return the endpoints."""
        return super().routes()

    def _found(self, call: Call, number: int) -> Doc:
        found = attribute(call.state, number)
        if found is None:
            raise _no_attribute()
        return found

    def _shown(self, call: Call, doc: Doc) -> Doc:
        return linked(call.state, dict(doc), self.route)

    def _check(self, call: Call, slug: str, number: int) -> None:
        """Refuse a slug that is too long, reserved or taken."""
        why = ""
        if len(slug) > 28:
            why = f'Slug "{slug}" is too long. Please use a shorter slug.'
        elif slug in _RESERVED:
            why = f'Slug "{slug}" is not allowed because it is a reserved term. Change it, please.'
        taken = [one for one in call.state.things("attribute") if one["slug"] == f"pa_{slug}"]
        if not why and any(one["id"] != number for one in taken):
            why = f'Slug "{slug}" is already in use. Change it, please.'
        if why:
            raise Refusal("woocommerce_rest_cannot_create", why)
