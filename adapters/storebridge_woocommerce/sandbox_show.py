"""How WooCommerce shows products and variations: raw in context=edit, rendered in context=view."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from random import Random
from typing import Any

from storebridge_woocommerce.sandbox_fields import on_sale
from storebridge_woocommerce.sandbox_languages import home, show_language
from storebridge_woocommerce.sandbox_media import show_image
from storebridge_woocommerce.sandbox_prices import price_html
from storebridge_woocommerce.sandbox_state import Doc, State
from storebridge_woocommerce.sandbox_terms import attribute_taxonomy, terms_of
from storebridge_woocommerce.sandbox_text import paragraphs, slugged

__all__ = ["published_slug", "show_product", "show_variation"]


@dataclass(slots=True)
class _View:
    """A product that is being shown."""

    state: State
    post: Doc
    context: str = "edit"
    query: str = ""
    meta: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    parent: Doc | None = None


Shown = Callable[[_View], Any]


def show_product(
    state: State,
    post: Doc,
    context: str = "edit",
    fields: tuple[str, ...] | None = None,
    *,
    query: str = "",
    meta: tuple[tuple[str, ...], tuple[str, ...]] = ((), ()),
) -> Doc:
    """Return a product, or a variation among products, with the wanted fields and `brands`."""
    view = _View(state, post, context, query, meta)
    if post["kind"] == "variation":
        view.parent = state.post("product", post["parent_id"])
        view.post = {**post, **_titled(view)}
    wanted = _PRODUCT if fields is None else {n: f for n, f in _PRODUCT.items() if n in fields}
    shown = {name: show(view) for name, show in wanted.items()}
    if fields is None and context != "edit":
        del shown["permalink_template"], shown["generated_slug"]
    languages = show_language(state, post)
    shown |= {n: value for n, value in languages.items() if fields is None or n in fields}
    # WooCommerce 11.0.1: brands come whether they were asked for or not.
    shown.setdefault("brands", terms_of(state, post["brand_ids"]))
    return shown


def show_variation(
    state: State,
    post: Doc,
    parent: Doc | None,
    context: str = "edit",
    fields: tuple[str, ...] | None = None,
    meta: tuple[tuple[str, ...], tuple[str, ...]] = ((), ()),
) -> Doc:
    """Return a variation with the wanted fields."""
    view = _View(state, post, context, "", meta, parent)
    wanted = _VARIATION if fields is None else {n: f for n, f in _VARIATION.items() if n in fields}
    return {name: show(view) for name, show in wanted.items()}


# ---------------------------------------------------------------------------------------- parts


def _titled(view: _View) -> Doc:
    """Return what a variation is called among products: "Tee - Red, S"."""
    above = view.parent["name"] if view.parent else ""
    name = " - ".join(part for part in (above, _summary(view)) if part)
    return {"name": name, "slug": slugged(name), "reviews_allowed": False}


def _plain(name: str) -> Shown:
    return lambda view: view.post[name]


def _rendered(name: str) -> Shown:
    def show(view: _View) -> Any:
        text = view.post[name]
        if view.context == "edit":
            return text
        return _shortcodes(view, paragraphs(text))

    return show


def _shortcodes(view: _View, text: str) -> str:
    """Return a text with `[products]` grown into the catalogue's HTML.

    WooCommerce 11.0.1: a rendered description may hold the caller's query string, secrets
    included, in its links; so what a view read returned must never be written back.
    """
    if "[products]" not in text:
        return text
    rows = view.state.posts("kind = 'product' AND status = 'publish' ORDER BY title, id LIMIT 100")
    items = "".join(
        f'<li class="product"><h2>{row["name"]}</h2>'
        f'<a href="{escape(view.query)}&#038;add-to-cart={row["id"]}">Add to cart</a></li>\n'
        for row in rows
    )
    return text.replace("[products]", f'<ul class="products columns-4">\n{items}</ul>')


def _date(name: str, *, gmt: bool = False) -> Shown:
    if gmt:
        return lambda view: view.post[name]
    return lambda view: view.state.local(view.post[name])


def _terms(name: str) -> Shown:
    return lambda view: terms_of(view.state, view.post[name]) if view.post[name] else []


def _permalink(view: _View) -> str:
    url, post = view.state.options["url"], view.post
    if view.parent is None:
        url = home(view.state, post.get("lang", "")).rstrip("/")
    if view.parent is not None:
        used = {one["slug"]: post["options"][one["slug"]] for one in _chosen(view)}
        pairs = "&".join(f"attribute_{key}={value}" for key, value in used.items())
        return f"{url}/product/{view.parent['slug']}/" + (f"?{pairs}" if pairs else "")
    if post["status"] in ("draft", "pending", "auto-draft", "future", "trash"):
        return f"{url}/?post_type=product&p={post['id']}"
    return f"{url}/product/{post['slug']}/"


def published_slug(state: State, post: Doc, slug: str) -> str:
    """Return the slug a product gets: "tee" becomes "tee-2" where another one has it."""
    sql = "SELECT 1 FROM posts WHERE slug = ? AND kind = 'product' AND id <> ?"
    made, count = slug, 1
    while state.one(sql, made, post["id"]):
        count += 1
        # WordPress keeps 200 characters of a slug, its suffix included.
        made = f"{slug[: 199 - len(str(count))]}-{count}"
    return made


def _generated_slug(view: _View) -> str:
    slug = slugged(view.post["name"])
    return published_slug(view.state, view.post, slug) if slug else str(view.post["id"])


def _sale(view: _View) -> bool:
    if view.post["type"] == "variable":
        return bool(view.post.get("any_sale"))
    return on_sale(view.state, view.post)


def _purchasable(view: _View) -> bool:
    post = view.post
    if post["kind"] == "variation" and post["status"] == "private":
        return False
    return post["type"] not in ("external", "grouped") and post["price"] != ""


def _shipping_class(view: _View) -> str:
    number = _class_id(view)
    sql = "SELECT slug FROM terms WHERE id = ?"
    return (view.state.one(sql, number) or "") if number else ""


def _class_id(view: _View) -> int:
    own = view.post["shipping_class_id"]
    return int(own or (view.parent["shipping_class_id"] if view.parent else 0))


def _attributes(view: _View) -> list[Doc]:
    if view.post["kind"] == "variation":
        return _chosen(view)
    return [_attribute(view.state, one) for one in view.post["attributes"]]


def _attribute(state: State, one: Doc) -> Doc:
    shown = {"id": one["id"], "name": one["name"], "slug": one["name"]}
    options = one["options"]
    if one["id"]:
        known = state.thing("attribute", one["id"]) or {"name": one["name"]}
        shown["name"] = known["name"]
        # Terms come in the attribute's order, not as they were sent.
        options = [term["name"] for term in terms_of(state, map(int, options))]
    rest = {name: one[name] for name in ("position", "visible", "variation")}
    return {**shown, **rest, "options": options}


def _chosen(view: _View) -> list[Doc]:
    """Return the options of a variation, in its parent's order; one without is "any"."""
    shown = []
    for one in (view.parent or {}).get("attributes", ()):
        key = slugged(one["name"]) if not one["id"] else one["name"]
        value = view.post["options"].get(key)
        if not one["variation"] or not value:
            continue
        shown.append(
            {"id": one["id"], "name": _label(view.state, one), "slug": key,
             "option": _option(view.state, key, value)}
        )  # fmt: skip
    return shown


def _label(state: State, one: Doc) -> str:
    known = state.thing("attribute", one["id"]) if one["id"] else None
    return str(known["name"] if known else one["name"])


def _option(state: State, key: str, value: str) -> str:
    if not attribute_taxonomy(key):
        return value
    sql = "SELECT name FROM terms WHERE taxonomy = ? AND slug = ?"
    return state.one(sql, key, value) or value


def _defaults(view: _View) -> list[Doc]:
    named = {slugged(one["name"]) if not one["id"] else one["name"]: one
             for one in view.post["attributes"]}  # fmt: skip
    return [
        {"id": named[key]["id"] if key in named else 0,
         "name": _label(view.state, named[key]) if key in named else key, "option": value}
        for key, value in view.post["default_attributes"].items()
    ]  # fmt: skip


def _images(view: _View) -> list[Doc]:
    shown = (show_image(view.state, number) for number in view.post["image_ids"])
    return [image for image in shown if image]


def _variations(view: _View) -> list[int]:
    if view.post["type"] != "variable":
        return []
    sql = (
        "SELECT id FROM posts WHERE parent = ? AND kind = 'variation'"
        " AND status IN ('publish', 'private') ORDER BY json_extract(doc, '$.menu_order'), id"
    )
    return [number for (number,) in view.state.db.execute(sql, (view.post["id"],))]


def _related(view: _View) -> list[int]:
    """Return other products of the category at random, as the server does on each read."""
    own = view.post["id"]
    sql = "SELECT post FROM links WHERE term = ? AND post <> ? LIMIT 20"
    rows = view.state.db.execute(sql, (next(iter(view.post["category_ids"]), 0), own))
    found = [number for (number,) in rows]
    return Random(view.state.clock()).sample(found, min(5, len(found)))  # noqa: S311 - no secret


def _meta(view: _View) -> list[Doc]:
    include, exclude = view.meta
    rows = view.post["meta_data"]
    if include:
        return [row for row in rows if row["key"] in include]
    return [row for row in rows if row["key"] not in exclude] if exclude else list(rows)


def _dimensions(view: _View) -> Doc:
    return {name: _inherited(name)(view) for name in ("length", "width", "height")}


def _inherited(name: str) -> Shown:
    """Show a field that a variation without a value takes from its parent."""

    def show(view: _View) -> Any:
        # WooCommerce 11.0.1: sku, weight and sizes; the tax class only in context=view.
        own = view.post[name]
        return view.parent[name] if own == "" and view.parent is not None else own

    return show


def _stock(name: str) -> Shown:
    """Show a stock field; a variation without stock of its own takes its parent's."""

    def show(view: _View) -> Any:
        parent = view.parent
        if view.post["manage_stock"] or parent is None or not parent["manage_stock"]:
            return view.post[name]
        return "parent" if name == "manage_stock" else parent[name]

    return show


def _tax_class(view: _View) -> str:
    own = view.post["tax_class"]
    if own == "parent" and view.context != "edit" and view.parent is not None:
        return str(view.parent["tax_class"])
    return str(own)


def _template(view: _View) -> str:
    return f"{view.state.options['url']}/product/%pagename%/"


# WooCommerce 11.0.1: a variation's name is made of its options, in its parent's order.
def _summary(view: _View) -> str:
    """Return what a variation is called: its options, "Red, S"."""
    return ", ".join(one["option"] for one in _chosen(view))


_ALIKE: Mapping[str, Shown] = {
    "date_created": _date("created_gmt"),
    "date_created_gmt": _date("created_gmt", gmt=True),
    "date_modified": _date("modified_gmt"),
    "date_modified_gmt": _date("modified_gmt", gmt=True),
    "date_on_sale_from": _date("sale_from"),
    "date_on_sale_from_gmt": _date("sale_from", gmt=True),
    "date_on_sale_to": _date("sale_to"),
    "date_on_sale_to_gmt": _date("sale_to", gmt=True),
    "permalink": _permalink,
    "sku": _inherited("sku"),
    "on_sale": _sale,
    "purchasable": _purchasable,
    "tax_class": _tax_class,
    "manage_stock": _stock("manage_stock"),
    "stock_quantity": _stock("stock_quantity"),
    "stock_status": _stock("stock_status"),
    "backorders": _stock("backorders"),
    "backorders_allowed": lambda view: _stock("backorders")(view) in ("yes", "notify"),
    "backordered": lambda view: view.post["stock_status"] == "onbackorder",
    "weight": _inherited("weight"),
    "dimensions": _dimensions,
    "shipping_class": _shipping_class,
    "shipping_class_id": _class_id,
    "attributes": _attributes,
    "meta_data": _meta,
}
_PRODUCT_NAMES = (
    "id", "name", "slug", "permalink", "date_created", "date_created_gmt", "date_modified",
    "date_modified_gmt", "type", "status", "featured", "catalog_visibility", "description",
    "short_description", "sku", "price", "regular_price", "sale_price", "date_on_sale_from",
    "date_on_sale_from_gmt", "date_on_sale_to", "date_on_sale_to_gmt", "on_sale",
    "purchasable", "total_sales", "virtual", "downloadable", "downloads", "download_limit",
    "download_expiry", "external_url", "button_text", "tax_status", "tax_class",
    "manage_stock", "stock_quantity", "backorders", "backorders_allowed", "backordered",
    "low_stock_amount", "sold_individually", "weight", "dimensions", "shipping_required",
    "shipping_taxable", "shipping_class", "shipping_class_id", "reviews_allowed",
    "average_rating", "rating_count", "upsell_ids", "cross_sell_ids", "parent_id",
    "purchase_note", "categories", "brands", "tags", "images", "attributes",
    "default_attributes", "variations", "grouped_products", "menu_order", "price_html",
    "related_ids", "meta_data", "stock_status", "has_options", "post_password",
    "global_unique_id", "permalink_template", "generated_slug",
)  # fmt: skip
_PRODUCT: Mapping[str, Shown] = {
    name: _ALIKE.get(name) or _plain(name) for name in _PRODUCT_NAMES
} | {
    "description": _rendered("description"),
    "short_description": _rendered("short_description"),
    "purchase_note": _rendered("purchase_note"),
    "shipping_required": lambda view: not view.post["virtual"],
    "shipping_taxable": lambda view: (
        not view.post["virtual"] and view.post["tax_status"] in ("taxable", "shipping")
    ),
    # WooCommerce 11.0.1: "0.00" in view, "0" in edit.
    "average_rating": lambda view: (
        view.post["average_rating"]
        if view.context == "edit" or view.post["average_rating"] != "0"
        else "0.00"
    ),
    "categories": _terms("category_ids"),
    "brands": _terms("brand_ids"),
    "tags": _terms("tag_ids"),
    "images": _images,
    "default_attributes": _defaults,
    "variations": _variations,
    "grouped_products": lambda view: (
        view.post["grouped_products"] if view.post["type"] == "grouped" else []
    ),
    "price_html": lambda view: price_html(view.state, view.post),
    "related_ids": _related,
    "has_options": lambda view: view.post["type"] == "variable",
    "permalink_template": _template,
    "generated_slug": _generated_slug,
}
_VARIATION_NAMES = (
    "id", "type", "date_created", "date_created_gmt", "date_modified", "date_modified_gmt",
    "description", "permalink", "sku", "global_unique_id", "price", "regular_price",
    "sale_price", "date_on_sale_from", "date_on_sale_from_gmt", "date_on_sale_to",
    "date_on_sale_to_gmt", "on_sale", "status", "purchasable", "virtual", "downloadable",
    "downloads", "download_limit", "download_expiry", "tax_status", "tax_class",
    "manage_stock", "stock_quantity", "stock_status", "backorders", "backorders_allowed",
    "backordered", "low_stock_amount", "weight", "dimensions", "shipping_class",
    "shipping_class_id", "image", "gallery_image_ids", "attributes", "menu_order", "meta_data",
    "name", "parent_id",
)  # fmt: skip
_VARIATION: Mapping[str, Shown] = {
    name: _ALIKE.get(name) or _plain(name) for name in _VARIATION_NAMES
} | {
    "description": _rendered("description"),
    "image": lambda view: show_image(view.state, (view.post["image_ids"] or [0])[0], short=True),
    "gallery_image_ids": lambda view: view.post["image_ids"][1:],
    "name": _summary,
}
