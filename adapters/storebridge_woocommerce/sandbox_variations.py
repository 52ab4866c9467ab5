"""Variations of variable products."""

from __future__ import annotations

from itertools import product
from typing import Any

from storebridge_woocommerce.sandbox_call import Answer, Call, Given
from storebridge_woocommerce.sandbox_fields import (
    apply_stock,
    filtered,
    set_common,
    set_meta,
)
from storebridge_woocommerce.sandbox_lists import Where, by_ids, dated, rows_of, words_in
from storebridge_woocommerce.sandbox_media import set_images
from storebridge_woocommerce.sandbox_products import OWNED_META, blank, metadata_filter, sync_parent
from storebridge_woocommerce.sandbox_records import Resource, Routes, linked, page
from storebridge_woocommerce.sandbox_show import show_variation
from storebridge_woocommerce.sandbox_state import Doc, Fatal, Refusal, State
from storebridge_woocommerce.sandbox_terms import attribute, attribute_taxonomy
from storebridge_woocommerce.sandbox_text import clean, integer, plain, slugged
from storebridge_woocommerce.sandbox_webhooks import happened

__all__ = ["Variations"]

_STATUSES = ("publish", "private", "draft", "pending", "trash")


class Variations(Resource):
    """`/products/<product_id>/variations`, and `/variations` over all products."""

    route = "/products/(?P<product_id>[\\d]+)/variations"

    def index(self, call: Call) -> Answer:
        """Return a page of a product's variations; a missing product has none."""
        where = Where("kind = 'variation' AND parent = ?", int(call.url["product_id"]))
        return self._page(call, where)

    def show(self, call: Call, number: int) -> Doc:
        """Return one variation."""
        return self._shown(call, self._found(call, number), str(call["context"] or "view"))

    def create(self, call: Call, given: Given) -> Doc:
        """Make a variation; WooCommerce 11.0.1 takes one under a simple product too."""
        state = call.state
        parent = self._parent(call)
        if parent is None:
            # WooCommerce 11.0.1: a batch under a missing product ends in a critical error.
            raise Fatal("Call to a member function get_parent_id() on null")
        post = blank("variation")
        post.update(type="variation", parent_id=parent["id"], options={}, tax_class="parent")
        self._set(state, post, given, parent)
        post["image_ids"] = _image_ids(state, post, given)
        post = state.new_post(**post)
        state.save_post(post)
        happened(state, "product.created", post["id"])
        return self._shown(call, post, "edit")

    def update(self, call: Call, number: int | None, given: Given) -> Doc:
        """Set the given fields of a variation."""
        post = self._found(call, number or 0)
        self._set(call.state, post, given, self._parent(call))
        post["image_ids"] = _image_ids(call.state, post, given)
        call.state.touch(post)
        call.state.save_post(post)
        happened(call.state, "product.updated", post["id"])
        return self._shown(call, post, "edit")

    def delete(self, call: Call, number: int, *, force: bool) -> Doc:
        """Trash or delete a variation."""
        post = self._found(call, number)
        shown = self._shown(call, post, "edit")
        if force:
            call.state.drop_post(number)
        else:
            post["status"] = "trash"
            call.state.save_post(post)
        happened(call.state, "product.deleted", number)
        return shown

    def settle(self, call: Call) -> None:
        """Give the parent the least price and the best stock status of its variations."""
        if "product_id" in call.url:
            sync_parent(call.state, int(call.url["product_id"]))

    def failed_delete_id(self, call: Call, number: int) -> Any:
        """Return an object: WooCommerce 11.0.1 names a variation so, an id everywhere else."""
        return {"id": number, "product_id": int(call.url["product_id"]), "force": True}

    def location(self, call: Call, shown: Doc) -> str:
        """Return the address with the route's pattern in it, as the server does."""
        return f"{call.state.options['url']}/wp-json/wc/v3{self.route}/{shown['id']}"

    def routes(self) -> Routes:
        """Return the endpoints, with the list over all products and `generate`."""
        return {
            **super().routes(),
            f"{self.route}/generate": {"POST": self._generate},
            "/variations": {"GET": self._all},
        }

    # ----------------------------------------------------------------------------------- parts

    def _parent(self, call: Call) -> Doc | None:
        return call.state.post("product", int(call.url["product_id"]))

    def _found(self, call: Call, number: int) -> Doc:
        post = call.state.post("variation", number)
        if post is None or post["parent_id"] != int(call.url["product_id"]):
            text = "Invalid ID."
            raise Refusal("woocommerce_rest_product_variation_invalid_id", text, 404)
        return post

    def _set(self, state: State, post: Doc, given: Given, parent: Doc | None) -> None:
        if "description" in given:
            post["description"] = filtered(given["description"])
        set_common(state, post, given)
        apply_stock(post, given)
        if "attributes" in given and parent is not None:
            post["options"] = _options(state, given, parent)
        set_meta(state, post, given, OWNED_META)

    def _shown(self, call: Call, post: Doc, context: str) -> Doc:
        state, parent = call.state, call.state.post("product", post["parent_id"])
        # WooCommerce 11.0.1: of the batches, only that of products is trimmed by `_fields`.
        wanted = call.fields if call.verb == "GET" else None
        shown = show_variation(state, post, parent, context, wanted, metadata_filter(call))
        path = f"/products/{post['parent_id']}/variations"
        up = [{"href": f"{state.options['url']}/wp-json/wc/v3/products/{post['parent_id']}"}]
        extra = {} if "id" in shown else {"number": post["id"]}
        return linked(state, shown, path, **extra, up=up)

    def _all(self, call: Call) -> Answer:
        return self._page(call, Where("kind = 'variation'"))

    def _page(self, call: Call, where: Where) -> Answer:
        status = call["status"]
        where.among("status", _STATUSES[:4] if status in (None, "any") else [status])
        by_ids(call, where)
        dated(call, where)
        if call["sku"]:
            where.among("sku", {*str(call["sku"]).split(","), str(call["sku"])})
        if call["search"]:
            words_in(where, str(call["search"]), "sku", "title")
        if call["stock_status"]:
            where.add("json_extract(doc, '$.stock_status') = ?", call["stock_status"])
        rows, total = rows_of(call, where)
        context = str(call["context"] or "view")
        return page(call, [self._shown(call, row, context) for row in rows], total)

    def _generate(self, call: Call) -> Answer:
        """Make a variation for each missing combination, without price and SKU."""
        state, parent = call.state, self._parent(call)
        if parent is None:
            text = "Invalid ID."
            raise Refusal("woocommerce_rest_product_invalid_id", text, 404)
        wanted = _combinations(state, parent)
        rows = state.posts("parent = ? AND kind = 'variation'", parent["id"])
        there = [row["options"] for row in rows]
        said: Doc = {"count": 0}
        for options in wanted:
            if options not in there:
                post = blank("variation")
                post.update(type="variation", parent_id=parent["id"], options=options)
                state.save_post(state.new_post(**{**post, "tax_class": "parent"}))
                said["count"] += 1
        if call["delete"]:
            gone = [row for row in rows if row["options"] not in wanted]
            for row in gone:
                state.drop_post(row["id"])
            said["deleted_count"] = len(gone)
        sync_parent(state, parent["id"])
        return Answer(said)


def _image_ids(state: State, post: Doc, given: Given) -> list[int]:
    """Return a variation's pictures: its own one first, then its gallery."""
    image, gallery = post["image_ids"][:1], post["image_ids"][1:]
    if given.named("image") and (given["image"] is not None or given.values["image"] is None):
        wanted = given["image"] if isinstance(given["image"], dict) else {}
        # WooCommerce 11.0.1: an id of 0, {} and "" clear, in single calls and in batches.
        named = wanted.get("id") or wanted.get("src") is not None
        image = set_images(state, [wanted], post["parent_id"]) if named else []
    if isinstance(given["gallery_image_ids"], list):
        gallery = [integer(one) for one in given["gallery_image_ids"]]
    return [*image, *gallery]


def _options(state: State, given: Given, parent: Doc) -> dict[str, str]:
    """Return the options by attribute; what the parent lacks is dropped, unknown ones are kept."""
    known = {_key(one): one for one in parent["attributes"] if one["variation"]}
    chosen: dict[str, str] = {}
    for one in given.docs("attributes"):
        number = integer(one.get("id"))
        found = attribute(state, number) if number else None
        key = found["slug"] if found else slugged(plain(one.get("name")))
        if key not in known:
            # WooCommerce 11.0.1: without a word; so is a combination that is there twice.
            continue
        value = clean(plain(one.get("option")).replace("\\", ""))
        if attribute_taxonomy(key) and value:
            sql = "SELECT slug FROM terms WHERE taxonomy = ? AND name = ?"
            value = state.one(sql, key, value) or slugged(value)
        if value:
            chosen[key] = value
    return chosen


def _key(one: Doc) -> str:
    return str(one["name"]) if one["id"] else slugged(one["name"])


def _combinations(state: State, parent: Doc) -> list[dict[str, str]]:
    names, values = [], []
    for one in parent["attributes"]:
        if not one["variation"]:
            continue
        names.append(_key(one))
        if one["id"]:
            sql = "SELECT slug FROM terms WHERE id = ?"
            values.append([state.one(sql, int(number)) for number in one["options"]])
        else:
            values.append(one["options"])
    return [dict(zip(names, row, strict=True)) for row in product(*values)] if names else []
