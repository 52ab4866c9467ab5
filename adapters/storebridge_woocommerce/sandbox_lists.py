"""Which products, variations and orders a list holds, in which order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from storebridge_woocommerce.sandbox_call import Call
from storebridge_woocommerce.sandbox_languages import spoken
from storebridge_woocommerce.sandbox_schema import elements
from storebridge_woocommerce.sandbox_state import Doc, State
from storebridge_woocommerce.sandbox_text import flag, instant, integer, plain, slugged

__all__ = ["Where", "dated", "product_rows", "rows_of", "words_in"]

_PRICE = "CAST(json_extract(doc, '$.price') AS REAL)"
_ORDERS = {
    "date": "created {0}, id {0}",
    "id": "id {0}",
    "title": "title COLLATE NOCASE {0}, id {0}",
    "slug": "slug {0}",
    "modified": "modified {0}, id {0}",
    "price": _PRICE + " {0}, id {0}",
    "popularity": "json_extract(doc, '$.total_sales') DESC, id DESC",
    "sales": "json_extract(doc, '$.total_sales') DESC, id DESC",
    "rating": "json_extract(doc, '$.average_rating') DESC, id DESC",
    "menu_order": "json_extract(doc, '$.menu_order') {0}, title COLLATE NOCASE {0}, id {0}",
    "random": "random()",
}


class Where:
    """A growing SQL condition with its values."""

    def __init__(self, text: str, *values: Any) -> None:
        """Start with one condition."""
        self.texts, self.values = [text], list(values)

    def add(self, text: str, *values: Any) -> None:
        """Demand one more thing."""
        self.texts.append(text)
        self.values += values

    def among(self, column: str, wanted: Iterable[Any], *, but: bool = False) -> None:
        """Demand that a column has one of these values, or none of them."""
        values = list(wanted)
        marks = ", ".join("?" * len(values))
        self.add(f"{column} {'NOT ' if but else ''}IN ({marks})", *values)

    @property
    def sql(self) -> str:
        """The whole condition."""
        return " AND ".join(self.texts)


def rows_of(
    call: Call, where: Where, orders: dict[str, str] | None = None
) -> tuple[list[Doc], int]:
    """Return the rows of a page and how many there are in all."""
    state, sql = call.state, where.sql
    total = state.one(f"SELECT count(*) FROM posts WHERE {sql}", *where.values)
    order = (orders or _ORDERS).get(str(call["orderby"]), _ORDERS["date"])
    order = order.format(call["order"] or "desc")
    if call["orderby"] in ("include", "post__in") and call["include"]:
        places = " ".join(f"WHEN {int(n)} THEN {i}" for i, n in enumerate(call["include"]))
        order = f"CASE id {places} END"
    limits = (call.size, call.span.start)
    found = state.posts(f"{sql} ORDER BY {order} LIMIT ? OFFSET ?", *where.values, *limits)
    return found, int(total)


def dated(call: Call, where: Where) -> None:
    """Demand the dates that `after`, `before`, `modified_after` and `modified_before` name.

    WooCommerce 11.0.1: compared strictly, to the second. A time with an offset is turned into the
    site's local time; `dates_are_gmt` only says which column that text is compared with, so `Z`
    together with it is wrong by the site's offset.
    """
    gmt = "_gmt" if call["dates_are_gmt"] else ""
    for name, column, sign in (
        ("after", "created", ">"),
        ("before", "created", "<"),
        ("modified_after", "modified", ">"),
        ("modified_before", "modified", "<"),
    ):
        text = call[name]
        if not text:
            continue
        zone = call.state.zone
        if re.search(r"(Z|[+-]\d\d:?\d\d)$", text, re.ASCII | re.IGNORECASE):
            time = call.state.local(instant(text, zone))
        else:
            time = instant(text, call.state.utc)
        where.add(f"{column}{gmt} {sign} ?", time)


def words_in(where: Where, text: str, *columns: str) -> None:
    """Demand that each word of a search stands in one of the columns."""
    for word in text.split():
        tests = " OR ".join(f"{column} LIKE ? ESCAPE '\\'" for column in columns)
        where.add(f"({tests})", *[_like(word)] * len(columns))


def _like(text: str) -> str:
    escaped = re.sub(r"([\\%_])", r"\\\1", text)
    return f"%{escaped}%"


def product_rows(call: Call) -> tuple[list[Doc], int]:
    """Return the products of a page and their number; unknown filters change nothing."""
    where = Where("kind = 'product'")
    if call["sku"] or call["search_sku"] or call["search_name_or_sku"] or call["global_unique_id"]:
        where = Where("kind IN ('product', 'variation')")
    _statuses(call, where)
    by_ids(call, where)
    dated(call, where)
    _codes(call, where)
    if call["slug"]:
        where.add("slug = ?", slugged(str(call["slug"])))
    if call["search"]:
        texts = ("title", "json_extract(doc, '$.short_description')",
                 "json_extract(doc, '$.description')")  # fmt: skip
        words_in(where, str(call["search"]), *texts)
    _by_terms(call, where)
    _by_fields(call, where)
    if call["lang"] not in (None, "", "all") and spoken(call.state):
        default = call.state.options["language"]
        where.add("coalesce(json_extract(doc, '$.lang'), ?) = ?", default, str(call["lang"]))
    return rows_of(call, where)


def by_ids(call: Call, where: Where) -> None:
    """Demand what `include`, `exclude`, `parent` and `parent_exclude` name."""
    for name, column in (("include", "id"), ("parent", "parent")):
        if call[name]:
            where.among(column, call[name])
    for name, column in (("exclude", "id"), ("parent_exclude", "parent")):
        if call[name]:
            where.among(column, call[name], but=True)


def _statuses(call: Call, where: Where) -> None:
    status = call["status"]
    if status in (None, "any"):
        where.add("status NOT IN ('trash', 'auto-draft')")
    else:
        where.add("status = ?", status)
    if call["include_status"] and "any" not in call["include_status"]:
        where.among("status", call["include_status"])
    if call["exclude_status"]:
        where.among("status", call["exclude_status"], but=True)


def _codes(call: Call, where: Where) -> None:
    if call["sku"]:
        # An exact list, not trimmed; the whole text counts too, for a SKU with a comma.
        text = str(call["sku"])
        where.among("sku", {*text.split(","), text})
    if call["global_unique_id"]:
        where.among("gtin", str(call["global_unique_id"]).split(","))
    if call["search_sku"]:
        where.add("sku LIKE ? ESCAPE '\\'", _like(str(call["search_sku"])))
    if call["search_name_or_sku"]:
        words_in(where, str(call["search_name_or_sku"]), "title", "sku")


def _by_terms(call: Call, where: Where) -> None:
    for name in ("category", "tag", "brand", "shipping_class"):
        if not call[name]:
            continue
        # WooCommerce 11.0.1: by id only; a slug finds nothing.
        wanted = [number for one in elements(call[name]) if (number := integer(one))]
        if name == "category":
            wanted = list(_with_children(call.state, wanted))
        marks = ", ".join("?" * len(wanted))
        where.add(f"id IN (SELECT post FROM links WHERE term IN ({marks}))", *wanted)
    known = _attribute_known(call.state, call["attribute"])
    if known and call["attribute_term"]:
        wanted = [integer(one) for one in plain(call["attribute_term"]).split(",")]
        marks = ", ".join("?" * len(wanted))
        where.add(f"id IN (SELECT post FROM links WHERE term IN ({marks}))", *wanted)


def _attribute_known(state: State, name: Any) -> bool:
    # WooCommerce 11.0.1: an unknown attribute is ignored, so everything is returned.
    return bool(name) and any(one["slug"] == name for one in state.things("attribute"))


def _with_children(state: State, numbers: list[int]) -> set[int]:
    """Return terms and those below them."""
    found, fresh = set(numbers), set(numbers)
    while fresh:
        marks = ", ".join("?" * len(fresh))
        sql = f"SELECT id FROM terms WHERE parent IN ({marks})"
        fresh = {number for (number,) in state.db.execute(sql, tuple(fresh))} - found
        found |= fresh
    return found


def _by_fields(call: Call, where: Where) -> None:
    for name in ("type", "stock_status"):
        if call[name]:
            where.add(f"json_extract(doc, '$.{name}') = ?", call[name])
    for name, but in (("include_types", False), ("exclude_types", True)):
        if call[name]:
            where.among("json_extract(doc, '$.type')", call[name], but=but)
    for name in ("featured", "virtual", "downloadable"):
        if call[name] is not None:
            where.add(f"json_extract(doc, '$.{name}') = ?", int(flag(call[name])))
    for name, sign in (("min_price", ">="), ("max_price", "<=")):
        if call[name]:
            where.add(f"{_PRICE} {sign} ?", float(re.sub(r"[^0-9.]", "", call[name]) or 0))
            where.add("json_extract(doc, '$.price') <> ''")
    if call["on_sale"] is not None:
        sign = "=" if flag(call["on_sale"]) else "<>"
        price, sale = "json_extract(doc, '$.price')", "json_extract(doc, '$.sale_price')"
        where.add(f"({sale} <> '' AND {sale} = {price}) {sign} 1")
