"""Products: made, changed, trashed, listed, duplicated."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from storebridge_woocommerce.sandbox_call import Answer, Call, Given, query_text
from storebridge_woocommerce.sandbox_fields import (
    EMPTY,
    apply_stock,
    set_common,
    set_meta,
    set_product,
)
from storebridge_woocommerce.sandbox_lists import product_rows
from storebridge_woocommerce.sandbox_media import discard, set_images
from storebridge_woocommerce.sandbox_records import Resource, Routes, linked, page
from storebridge_woocommerce.sandbox_schema import elements
from storebridge_woocommerce.sandbox_show import published_slug, show_product
from storebridge_woocommerce.sandbox_state import Doc, Refusal, State, dumps
from storebridge_woocommerce.sandbox_text import instant, plain, slugged
from storebridge_woocommerce.sandbox_webhooks import happened

__all__ = [
    "OWNED_META",
    "Products",
    "blank",
    "confuse",
    "drop_product",
    "metadata_filter",
    "sync_parent",
]

_TYPES = ("simple", "grouped", "external", "variable")
_UNSETTLED = ("draft", "pending", "auto-draft")
_BLANK = dumps(dict(EMPTY))
#: Metadata that belongs to a product's own fields; `_sku` goes through its setter.
OWNED_META = (
    "_sku", "_price", "_regular_price", "_sale_price", "_stock", "_stock_status", "_manage_stock",
    "_backorders", "_weight", "_length", "_width", "_height", "_tax_class", "_tax_status",
    "_virtual", "_downloadable", "_thumbnail_id", "_product_attributes", "_product_image_gallery",
    "_sale_price_dates_from", "_sale_price_dates_to", "_global_unique_id", "total_sales",
)  # fmt: skip


def blank(kind: str) -> Doc:
    """Return a product or variation without fields, and without an id."""
    doc: Doc = json.loads(_BLANK)
    doc.update(kind=kind, name="", slug="", sku="", global_unique_id="", status="publish")
    doc.update(parent_id=0)
    return doc


class Products(Resource):
    """`/products`."""

    route = "/products"

    def index(self, call: Call) -> Answer:
        """Return a page of products."""
        rows, total = product_rows(call)
        return page(call, [self._shown(call, row) for row in rows], total)

    def show(self, call: Call, number: int) -> Doc:
        """Return a product, or a variation as one."""
        return self._shown(call, self._found(call, number, 404))

    def create(self, call: Call, given: Given) -> Doc:
        """Make a product; what the server can't take is refused before anything is kept."""
        if given.values.get("id"):
            text = "Cannot create existing product."
            raise Refusal("woocommerce_rest_product_exists", text)
        state = call.state
        post = blank("product")
        post["type"] = given["type"] if given["type"] in _TYPES else "simple"
        self._set(state, post, given)
        images = set_images(state, given.docs("images"), 0)
        held = state.one("SELECT id FROM posts WHERE sku = ? AND status = 'trash'", post["sku"])
        if post["sku"] and held:
            # WooCommerce 11.0.1: a SKU held by a product in the trash; the id is used up.
            discard(state, images)
            state.number()
            text = (
                f"The product with SKU ({post['sku']}) you are trying to insert is already present "
                "in the lookup table"
            )
            raise Refusal("woocommerce_rest_product_not_created", text)
        post["image_ids"] = images
        # WooCommerce 11.0.1: a product without a name is called "Product".
        post["name"] = post["name"] or "Product"
        post = state.new_post(**post)
        _set_created(state, post, given)
        _save(state, post)
        happened(state, "product.created", post["id"])
        return self._answer(call, post, given.fields)

    def update(self, call: Call, number: int | None, given: Given) -> Doc:
        """Set the given fields; the time of change moves even where nothing changes."""
        state = call.state
        post = self._found(call, number or 0, 400)
        if post["kind"] == "variation":
            text = (
                "To manipulate product variations you should use the "
                "/products/&lt;product_id&gt;/variations/&lt;id&gt; endpoint."
            )
            raise Refusal("woocommerce_rest_invalid_product_id", text, 404)
        texts = {name: post[name] for name in ("name", "description", "short_description")}
        was, slug = post["status"], post["slug"]
        self._retype(state, post, given)
        self._set(state, post, given)
        if "images" in given:
            post["image_ids"] = set_images(state, given.docs("images"), post["id"])
        if not any(post[name] for name in texts):
            # WooCommerce 11.0.1: all three empty, the old texts stay, the rest is saved.
            post.update(texts)
        if was == "trash" and post["status"] != "trash":
            post["slug"] = post["slug"].removesuffix("__trashed")
        state.touch(post)
        _set_created(state, post, given)
        _save(state, post, fresh=False)
        if slug and post["slug"] != slug:
            post.setdefault("old_slugs", []).append(slug)
            state.save_post(post)
        happened(state, "product.updated", post["id"])
        return self._answer(call, post, given.fields)

    def delete(self, call: Call, number: int, *, force: bool) -> Doc:
        """Move a product to the trash, or delete it with its variations; pictures stay."""
        state = call.state
        post = self._found(call, number, 404)
        if post["kind"] == "variation":
            raise _invalid(404)
        shown = self._answer(call, post, call.fields)
        if force:
            drop_product(state, post)
        elif post["status"] == "trash":
            text = "The product has already been deleted."
            raise Refusal("woocommerce_rest_already_trashed", text, 410)
        else:
            _trash(state, post)
        happened(state, "product.deleted", post["id"])
        return shown

    def routes(self) -> Routes:
        """Return the endpoints, with those that only products have."""
        item = f"{self.route}/(?P<id>[\\d]+)"
        return {
            **super().routes(),
            f"{item}/duplicate": {"POST": self._duplicate},
            f"{item}/related": {"GET": lambda call: Answer([])},
            "/products/custom-fields/names": {"GET": _field_names},
        }

    # ----------------------------------------------------------------------------------- parts

    def _found(self, call: Call, number: int, status: int) -> Doc:
        post = call.state.post("product|variation", number)
        if post is None:
            # WooCommerce 11.0.1: 404 for GET and DELETE, 400 for PUT and in batches.
            raise _invalid(status)
        return post

    def _shown(self, call: Call, post: Doc) -> Doc:
        query = f"{urlsplit(call.request.path).path}?{query_text(call.query)}"
        context = str(call["context"] or "view")
        meta = metadata_filter(call)
        shown = show_product(call.state, post, context, call.fields, query=query, meta=meta)
        return self._linked(call.state, shown, post)

    def _answer(self, call: Call, post: Doc, fields: tuple[str, ...] | None) -> Doc:
        """Return a product as a write answers: raw, whatever context was asked for."""
        return self._linked(call.state, show_product(call.state, post, "edit", fields), post)

    def _linked(self, state: State, shown: Doc, post: Doc) -> Doc:
        more: Doc = {} if "id" in shown else {"number": post["id"]}
        if post["parent_id"]:
            url = f"{state.options['url']}/wp-json/wc/v3/products/{post['parent_id']}"
            more["up"] = [{"href": url}]
        return linked(state, shown, self.route, **more)

    def _set(self, state: State, post: Doc, given: Given) -> None:
        set_product(state, post, given)
        set_common(state, post, given)
        apply_stock(post, given)
        set_meta(state, post, given, OWNED_META)

    def _retype(self, state: State, post: Doc, given: Given) -> None:
        if given["type"] is None or given["type"] == post["type"]:
            return
        post["type"] = given["type"] if given["type"] in _TYPES else "simple"
        if post["type"] != "variable":
            # WooCommerce 11.0.1: a variable product that becomes another type loses its variations.
            for row in state.posts("parent = ? AND kind = 'variation'", post["id"]):
                state.drop_post(row["id"])

    def _duplicate(self, call: Call) -> Answer:
        """Copy a product as a draft; the answer is raw, dates are objects."""
        state = call.state
        post = self._found(call, int(call.url["id"]), 404)
        number = 1
        while post["sku"] and state.one(
            "SELECT 1 FROM posts WHERE sku = ?", f"{post['sku']}-{number}"
        ):
            number += 1
        copy = {name: value for name, value in post.items() if name not in ("id", "kind")}
        sku = f"{post['sku']}-{number}" if post["sku"] else ""
        copy |= {"name": f"{post['name']} (Copy)", "slug": "", "status": "draft", "sku": sku,
                 "total_sales": 0, "global_unique_id": ""}  # fmt: skip
        made = state.new_post("product", **copy)
        made["created_gmt"] = state.now()
        made["created"] = state.local(made["created_gmt"])
        _save(state, made)
        return Answer(_raw(made))


def _invalid(status: int) -> Refusal:
    return Refusal("woocommerce_rest_product_invalid_id", "Invalid ID.", status)


def metadata_filter(call: Call) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the keys of `include_meta` and `exclude_meta`.

    WooCommerce 11.0.1: `exclude_meta` counts as a list only; a text with commas hides nothing.
    """
    include = tuple(map(str, elements(call["include_meta"])))
    sent = call.merged().get("exclude_meta")
    exclude = tuple(map(str, sent)) if isinstance(sent, list) else ()
    return include, exclude


def _set_created(state: State, post: Doc, given: Given) -> None:
    for name in ("date_created", "date_created_gmt"):
        # WooCommerce 11.0.1: a naive `date_created` is taken for UTC; garbage is ignored.
        time = instant(given[name], state.utc) if name in given else None
        if time:
            post["created_gmt"], post["created"] = time, state.local(time)
    if post["status"] == "publish" and post["created_gmt"] > state.now():
        post["status"] = "future"
    elif post["status"] == "future" and post["created_gmt"] <= state.now():
        post["status"] = "publish"


def _save(state: State, post: Doc, *, fresh: bool = True) -> None:
    """Keep a product: its slug, its links to terms, what its members make of its price."""
    given = post.pop("slug_given", False)
    # WooCommerce 11.0.1: a draft has no slug until it is published; a rename keeps it.
    if post["status"] not in _UNSETTLED and (given or not post["slug"] or fresh):
        slug = post["slug"] or slugged(post["name"]) or str(post["id"])
        post["slug"] = published_slug(state, post, slug)
    if post["type"] in ("variable", "grouped"):
        _gather(state, post)
    state.save_post(post)
    _link(state, post, fresh=fresh)


def _link(state: State, post: Doc, *, fresh: bool) -> None:
    terms = {*post["category_ids"], *post["tag_ids"], *post["brand_ids"]}
    for one in post["attributes"]:
        if one["id"]:
            terms.update(map(int, one["options"]))
    if post["shipping_class_id"]:
        terms.add(post["shipping_class_id"])
    if not fresh:
        state.db.execute("DELETE FROM links WHERE post = ?", (post["id"],))
    for term in terms:
        state.db.execute("INSERT INTO links VALUES (?, ?)", (term, post["id"]))


def _gather(state: State, post: Doc) -> None:
    """Set what a variable or grouped product has from its members."""
    if post["type"] == "grouped":
        members = [state.post("product", number) for number in post["grouped_products"]]
        prices = [one["price"] for one in members if one and one["price"] != ""]
        post["price"] = min(prices, key=_amount, default="")
        return
    rows = [row for row in state.posts("parent = ? AND kind = 'variation'", post["id"])
            if row["status"] == "publish"]  # fmt: skip
    prices = [row["price"] for row in rows if isinstance(row["price"], str) and row["price"]]
    # WooCommerce 11.0.1: the price of a variable product is the least of its variations'.
    post["price"] = min(prices, key=_amount, default="")
    post["highest_price"] = max(prices, key=_amount, default="")
    post["any_sale"] = any(row["sale_price"] and row["price"] == row["sale_price"] for row in rows)
    if not post["manage_stock"]:
        states = {row["stock_status"] for row in rows}
        order = ("instock", "onbackorder", "outofstock")
        post["stock_status"] = next((one for one in order if one in states), "outofstock")


def _amount(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def sync_parent(state: State, number: int) -> None:
    """Bring a variable product in line with its variations."""
    post = state.post("product", number)
    if post is not None and post["type"] == "variable":
        _gather(state, post)
        state.save_post(post)


def confuse(state: State, number: int) -> None:
    """Leave a wrong price index on a parent.

    WooCommerce 11.0.1: two batches of one parent's variations at once often do; writing any one
    variation again repairs it, writing the parent doesn't.
    """
    post = state.post("product", number)
    if post is not None and post["type"] == "variable":
        post["price"] = post.get("highest_price", "")
        state.save_post(post)


def _trash(state: State, post: Doc) -> None:
    for row in (*state.posts("parent = ? AND kind = 'variation'", post["id"]), post):
        row["status"] = "trash"
        row["slug"] = f"{row['slug']}__trashed" if row["slug"] else ""
        state.touch(row)
        state.save_post(row)


def drop_product(state: State, post: Doc) -> None:
    """Delete a product and its variations for good."""
    for row in state.posts("parent = ? AND kind = 'variation'", post["id"]):
        state.drop_post(row["id"])
    state.drop_post(post["id"])


def _field_names(call: Call) -> Answer:
    sql = (
        "SELECT DISTINCT json_extract(value, '$.key') FROM posts, json_each(doc, '$.meta_data')"
        " WHERE kind = 'product' ORDER BY 1"
    )
    names = [name for (name,) in call.state.db.execute(sql) if not name.startswith("_")]
    return page(call, sorted({*names, "total_sales"}), len(names) + 1)


def _raw(post: Doc) -> Doc:
    """Return a product as the server keeps it, which `duplicate` answers."""
    hidden = {"kind", "type", "created", "created_gmt", "modified", "modified_gmt", "image_ids",
              "sale_from", "sale_to", "grouped_products", "external_url", "button_text",
              "highest_price", "any_sale", "rating_count"}  # fmt: skip
    dates = {
        f"date_{name}": {
            "date": f"{plain(post[f'{name}_gmt']).replace('T', ' ')}.000000",
            "timezone_type": 3,
            "timezone": "UTC",
        }
        for name in ("created", "modified")
    }
    shown: dict[str, Any] = {name: value for name, value in post.items() if name not in hidden}
    return shown | dates | {
        "date_on_sale_from": None, "date_on_sale_to": None, "image_id": "",
        "gallery_image_ids": [], "rating_counts": [], "review_count": 0, "cogs_value": None,
        "low_stock_amount": "" if post["low_stock_amount"] is None else post["low_stock_amount"],
        "default_attributes": list(post["default_attributes"].values()),
    }  # fmt: skip
