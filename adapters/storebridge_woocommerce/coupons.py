"""Discounts: WooCommerce's coupons, each with one code.

Sources: recorded exchanges (coupons), and WooCommerce 11.0.1 itself where it is said so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from html import unescape
from typing import Any, ClassVar

from storebridge.adapter import Batch, Change, Fit, Page, Query
from storebridge.errors import Rejected
from storebridge.flow import Flow
from storebridge.models import Discount, Money
from storebridge.wire import amount
from storebridge_woocommerce import fields
from storebridge_woocommerce.batches import Item
from storebridge_woocommerce.flat import FlatRecords, handles, number_of
from storebridge_woocommerce.normal import metafield
from storebridge_woocommerce.prices import time_of, written
from storebridge_woocommerce.reading import MARK, NAMESPACE, metafields_of
from storebridge_woocommerce.records import mark, since
from storebridge_woocommerce.site import Facts
from storebridge_woocommerce.text import plain, words
from storebridge_woocommerce.walk import MOST, every, rows_of, walk
from storebridge_woocommerce.writing import metadata, without

__all__ = ["CouponRecords"]

Doc = Mapping[str, Any]

_TO = {"active": "publish"}
_BACK = {"publish": "active"}
_LIMITS = {
    "item_limit": "limit_usage_to_x_items",
    "usage_limit": "usage_limit",
    "usage_limit_per_customer": "usage_limit_per_user",
}
_SUBTOTALS = {"minimum_subtotal": "minimum_amount", "maximum_subtotal": "maximum_amount"}
_LINKS = {
    "products": ("product_ids", "/products"),
    "excluded_products": ("excluded_product_ids", "/products"),
    "collections": ("product_categories", "/products/categories"),
    "excluded_collections": ("excluded_product_categories", "/products/categories"),
}
_EXTRAS: Mapping[str, type] = {"exclude_sale_items": bool, "discount_type": str}
_CONDITIONAL = frozenset({"percentage", "amount", "each_item"})
#: What `code=` doesn't find, and what a second coupon of the code is made beside (11.0.1).
_UNPUBLISHED = "draft,pending,private,future"
#: As many codes are asked for one by one without a look at how many coupons there are.
_FEW = 2


class CouponRecords(FlatRecords[Discount]):
    """Coupons of a shop; drafts too, not those in the trash."""

    model = Discount
    word = "coupon"
    unique = True
    path: ClassVar[str] = "/coupons"
    fields = fields.DISCOUNT
    finds = ("id", "code")
    #: Without a status only published ones are listed (WooCommerce 11.0.1).
    reading: ClassVar[tuple[tuple[str, str], ...]] = (("context", "edit"), ("status", "any"))

    def read(self, doc: Doc, facts: Facts) -> Discount:
        """Return the discount that a coupon's JSON describes; what it is for by number."""
        more: dict[str, Any] = {
            ours: Money(doc[theirs], facts.currency) if Decimal(doc[theirs]) else None
            for ours, theirs in _SUBTOTALS.items()
        }
        more |= {ours: doc[theirs] for ours, theirs in _LIMITS.items()}
        more |= {ours: tuple(map(str, doc[theirs])) for ours, (theirs, _) in _LINKS.items()}
        own: dict[str, Any] = {"exclude_sale_items": doc["exclude_sale_items"]}
        return Discount(
            id=str(doc["id"]),
            codes=(plain(doc["code"]),),
            title=plain(doc["description"]),
            status=_BACK.get(doc["status"]) or doc["status"],
            free_shipping=doc["free_shipping"],
            usage_count=doc["usage_count"],
            ends_at=time_of(doc["date_expires_gmt"]),
            customer_emails=tuple(doc["email_restrictions"]),
            combinable=not doc["individual_use"],
            metafields=metafields_of(doc["meta_data"]),
            created_at=time_of(doc["date_created_gmt"]),
            updated_at=time_of(doc["date_modified_gmt"]),
            **_value(doc, facts, own),
            **more,
            platform_fields={NAMESPACE: own},
        )

    def normal(self, desired: Discount) -> Discount:
        """Return a desired coupon as it reads back."""
        given, new = desired.given, dict[str, Any]()
        if "codes" in given:
            new["codes"] = tuple(" ".join(code.split()).lower() for code in desired.codes)
        if "title" in given:
            new["title"] = desired.title.replace("\0", "").strip()
        if "customer_emails" in given:
            new["customer_emails"] = tuple(each.strip().lower() for each in desired.customer_emails)
        if desired.percentage is not None and "each_item" in given:
            new["each_item"] = False
        if desired.ends_at is not None:
            new["ends_at"] = desired.ends_at.astimezone(UTC).replace(microsecond=0)
        # No limit is 0 on the way in, and none on the way back.
        none = [name for name in _LIMITS if name in given and not getattr(desired, name)]
        for name in _SUBTOTALS:
            money = getattr(desired, name)
            none += [name] if money is not None and not money.amount else []
        new |= dict.fromkeys(none)
        if "metafields" in given:
            new["metafields"] = tuple(map(metafield, desired.metafields))
        if "platform_fields" in given:
            mine = desired.platform_fields.get(NAMESPACE, {})
            kept = {name: value for name, value in mine.items() if name in _EXTRAS}
            new["platform_fields"] = {NAMESPACE: kept} if kept else {}
        changed = {name: value for name, value in new.items() if value != getattr(desired, name)}
        return desired.model_copy(update=changed) if changed else desired

    def check(self, record: Discount) -> Iterable[Fit]:
        """Return what a coupon can't be: one without a code, or off by parts of a cent."""
        if "codes" in record.given and not record.codes:
            yield self._fit(record, "codes", "WooCommerce has no discounts without a code")
        if record.percentage is not None and record.percentage != round(record.percentage, 2):
            yield self._fit(record, "percentage", "WooCommerce rounds to two digits")

    def _fit(self, record: Discount, field: str, message: str) -> Fit:
        return Fit("discount", record.label, field, message, "recorded exchanges, coupons")

    def filters(self, query: Query, facts: Facts) -> tuple[tuple[str, str], ...] | None:
        """Return the parameters of a query; statuses are chosen here."""
        params = super().filters(query, facts)
        if params is None:
            return None
        return params + (since(query.updated_since) if query.updated_since else ())

    def page(self, query: Query, cursor: str) -> Flow[Page[Discount]]:
        """Return coupons, of one status where that is asked for."""
        page = yield from super().page(query, cursor)
        if not query.status:
            return page
        kept = tuple(each for each in page.records if each.status == query.status)
        return Page(kept, page.cursor)

    def whole(
        self, docs: Sequence[Doc], facts: Facts, fields_: frozenset[str] | None
    ) -> Flow[list[Discount]]:
        """Return coupons with the handles of the products and categories that they are for."""
        names: dict[str, dict[int, str]] = {}
        for path in ("/products", "/products/categories"):
            links = [theirs for theirs, its in _LINKS.values() if its == path]
            numbers = {number for doc in docs for link in links for number in doc[link]}
            names[path] = (yield from handles(path, numbers)) if numbers else {}
        return [_named(self.read(doc, facts), doc, names) for doc in docs]

    def look_up(self, keys: Sequence[str], asked: str) -> Flow[list[Doc]]:
        """Return the rows of ids and codes."""
        found = {row["id"]: row for row in (yield from self.by_ids(keys, asked))}
        codes = {key.partition(":")[2].lower() for key in keys if key.startswith("code:")}
        rows = (yield from self._by_codes(codes)) if codes else []
        found |= {row["id"]: row for row in rows if plain(row["code"]) in codes}
        return list(found.values())

    def _by_codes(self, codes: set[str]) -> Flow[list[Doc]]:
        """Return the rows of codes; one call takes one, so a list of all may be shorter."""
        params = (("context", "edit"), ("_fields", "id,code"))
        rows: list[Doc] = yield from every(self.path, (*params, ("status", _UNPUBLISHED)))
        if len(codes) > _FEW:
            first = yield from walk(self.path, (*params, ("status", "publish")), "", MOST)
            if -(-(first.total or 0) // MOST) < len(codes):
                rows += first.rows
                if first.cursor:
                    rows += yield from every(self.path, (*params, ("status", "publish")))
                codes = set()
        for code in sorted(codes):
            rows += yield from rows_of(self.path, (*params, ("code", code)))
        wanted = {f"id:{row['id']}" for row in rows}
        return (yield from self.by_ids(sorted(wanted), ""))

    def look(self, items: Sequence[Item]) -> Flow[dict[str, Doc]]:
        """Return the coupons that bear an item's mark."""
        keys = [f"code:{unescape(item.body['code'])}" for item in items]
        rows = yield from self.look_up(keys, "")
        return {item.key: row for item in items for row in rows if self.fits(item, row)}

    def fits(self, item: Item, doc: Doc) -> bool:
        """Return whether a coupon bears the mark of an item."""
        wanted = item.body["meta_data"][-1]["value"]
        return any(each["key"] == MARK and each["value"] == wanted for each in doc["meta_data"])

    def body(
        self, change: Change[Discount], batch: Batch[Discount], live: Doc | None
    ) -> dict[str, Any]:
        """Return the JSON of a change."""
        desired, given = change.desired, change.desired.given
        body = _codes(desired, live) | _money(desired, live)
        if "title" in given:
            body["description"] = words(desired.title)
        if "status" in given:
            body["status"] = _TO.get(desired.status, desired.status)
        if "ends_at" in given:
            # `date_expires_gmt` is ignored; the local field takes a zone (WooCommerce 11.0.1).
            body["date_expires"] = f"{written(desired.ends_at)}Z" if desired.ends_at else ""
        if "customer_emails" in given:
            body["email_restrictions"] = list(desired.customer_emails)
        if "combinable" in given:
            body["individual_use"] = not desired.combinable
        if "free_shipping" in given:
            body["free_shipping"] = desired.free_shipping
        body |= {t: getattr(desired, o) or 0 for o, t in _LIMITS.items() if o in given}
        for ours, (theirs, _) in _LINKS.items():
            if ours in given:
                kind, start = Discount.references[ours]
                keys = [f"{start}{key}" for key in getattr(desired, ours)]
                body[theirs] = [number_of(kind, key, batch, ours) for key in keys]
        mine = desired.platform_fields.get(NAMESPACE, {})
        body |= {name: value for name, value in mine.items() if name in _EXTRAS}
        meta = metadata(desired.metafields)
        meta += map(without, change.removed.get("metafields", ()))
        if live is None:
            meta.append({"key": MARK, "value": mark(batch, change)})
        return {**body, "meta_data": meta} if meta else body

    def deleting(self) -> tuple[tuple[str, str], ...]:
        """Return the parameters of a delete: into the trash, unless the settings say otherwise."""
        return (("force", "true" if self.settings.delete == "force" else "false"),)


def _value(doc: Doc, facts: Facts, own: dict[str, Any]) -> dict[str, Any]:
    """Return what a coupon takes off; what only a plugin's type means goes into `own`."""
    number, kind = Decimal(doc["amount"]), doc["discount_type"]
    if kind == "percent":
        return {"percentage": number, "amount": None, "each_item": False}
    money = Money(number, facts.currency) if number else None
    if kind not in ("fixed_cart", "fixed_product"):
        own["discount_type"] = kind
    return {"percentage": None, "amount": money, "each_item": kind == "fixed_product"}


def _codes(desired: Discount, live: Doc | None) -> dict[str, Any]:
    if live is not None and "codes" not in desired.given:
        return {}
    if len(desired.codes) != 1:
        raise Rejected(
            f"a coupon has one code, not {len(desired.codes)}",
            fields={"codes": "one"},
            remedy="Make a discount of each code.",
        )
    return {"code": words(desired.codes[0]).lower()}


def _money(desired: Discount, live: Doc | None) -> dict[str, Any]:
    """Return what it takes off and from which subtotal on, in the fields of WooCommerce."""
    given = desired.given
    body = {
        theirs: amount(money.amount) if (money := getattr(desired, ours)) is not None else "0"
        for ours, theirs in _SUBTOTALS.items()
        if ours in given
    }
    if desired.percentage is not None:
        return {**body, "discount_type": "percent", "amount": amount(desired.percentage)}
    if desired.amount is not None:
        body["amount"] = amount(desired.amount.amount)
    elif live is not None and {"percentage", "amount"} <= given:
        body["amount"] = "0"
    if not given.isdisjoint(_CONDITIONAL) and (desired.amount is not None or _is_fixed(live)):
        was = live is not None and live["discount_type"] == "fixed_product"
        each = desired.each_item if "each_item" in given else was
        body["discount_type"] = "fixed_product" if each else "fixed_cart"
    return body


def _is_fixed(live: Doc | None) -> bool:
    return live is None or live["discount_type"] in ("fixed_cart", "fixed_product")


def _named(discount: Discount, doc: Doc, names: Mapping[str, Mapping[int, str]]) -> Discount:
    """Return a discount that names what it is for by handle, where there is one."""
    changed: dict[str, Any] = {}
    for ours, (theirs, path) in _LINKS.items():
        start = "handle:" if path == "/products" else ""
        known = names[path]
        changed[ours] = tuple(
            f"{start}{known[n]}" if n in known else f"id:{n}" for n in doc[theirs]
        )
    return discount.model_copy(update=changed)
