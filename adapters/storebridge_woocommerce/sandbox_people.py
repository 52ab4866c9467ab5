"""Customers, coupons and reviews."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from storebridge_woocommerce.sandbox_call import Answer, Call, Given
from storebridge_woocommerce.sandbox_fields import set_meta
from storebridge_woocommerce.sandbox_kses import kses
from storebridge_woocommerce.sandbox_lists import Where, by_ids, dated, rows_of, words_in
from storebridge_woocommerce.sandbox_products import metadata_filter
from storebridge_woocommerce.sandbox_records import Resource, linked, page
from storebridge_woocommerce.sandbox_shop import avatar, new_user
from storebridge_woocommerce.sandbox_state import Doc, Refusal, State
from storebridge_woocommerce.sandbox_taxonomy import untrashable
from storebridge_woocommerce.sandbox_text import (
    clean,
    decimal,
    flag,
    instant,
    integer,
    plain,
    stripped,
    unslashed,
)
from storebridge_woocommerce.sandbox_webhooks import happened

__all__ = ["Coupons", "Customers", "Reviews", "fixed"]

_MAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


class Customers(Resource):
    """`/customers`: found by e-mail; only those with the role customer unless asked otherwise."""

    route = "/customers"

    def index(self, call: Call) -> Answer:
        """Return a page of customers; WooCommerce 11.0.1 knows no date filters here."""
        rows = [one for one in call.state.things("user") if _wanted(call, one)]
        key = {"id": "id", "registered_date": "created"}.get(str(call["orderby"]), "username")
        rows.sort(key=lambda one: one[key], reverse=call["order"] == "desc")
        shown = [self._shown(call, one) for one in rows[call.span]]
        return page(call, shown, len(rows))

    def show(self, call: Call, number: int) -> Doc:
        """Return one customer, or another user."""
        return self._shown(call, self._found(call, number))

    def create(self, call: Call, given: Given) -> Doc:
        """Register a customer; a name is made of the e-mail address where none is given."""
        state, email = call.state, plain(given["email"])
        if given.values.get("id"):
            raise Refusal("woocommerce_rest_customer_exists", "Cannot create existing resource.")
        _check_mail(state, email, 0)
        login = plain(given["username"]) or email.partition("@")[0]
        taken = {one["username"] for one in state.things("user")}
        if given["username"] and login in taken:
            text = "An account is already registered with that username. Please choose another."
            raise Refusal("registration-error-username-exists", text)
        while login in taken:
            login += "1"
        doc = new_user(state, state.number("users"), login, email, "customer")
        nag = {"id": state.number("user_meta"), "key": "default_password_nag", "value": "1"}
        doc["meta_data"] = [] if given["password"] else [nag]
        self._set(call, doc, given)
        happened(state, "customer.created", doc["id"])
        return self._shown(call, doc)

    def update(self, call: Call, number: int | None, given: Given) -> Doc:
        """Change a customer; the role is ignored, parts of an address are merged."""
        doc = self._found(call, number or 0, 400)
        if "email" in given:
            _check_mail(call.state, plain(given["email"]), doc["id"])
            doc["email"] = plain(given["email"])
        doc["modified"] = call.state.now()
        self._set(call, doc, given)
        happened(call.state, "customer.updated", doc["id"])
        return self._shown(call, doc)

    def delete(self, call: Call, number: int, *, force: bool) -> Doc:
        """Delete a customer for good."""
        doc = self._found(call, number)
        if not force:
            raise untrashable("Customers do not support trashing.")
        call.state.drop_thing("user", number)
        happened(call.state, "customer.deleted", number)
        return self._shown(call, doc)

    def _set(self, call: Call, doc: Doc, given: Given) -> None:
        for name in ("first_name", "last_name"):
            if name in given:
                # WordPress 6.9 puts a person's name on one line, without tags.
                doc[name] = clean(plain(given[name]))
        for name in ("billing", "shipping"):
            sent = given[name] if isinstance(given[name], dict) else {}
            doc[name].update((k, plain(v)) for k, v in sent.items() if k in doc[name])
        set_meta(call.state, doc, given, numbers="user_meta")
        call.state.save_thing("user", doc, key=doc["email"])

    def _found(self, call: Call, number: int, status: int = 404) -> Doc:
        found = call.state.thing("user", number)
        if found is None:
            raise Refusal("woocommerce_rest_invalid_id", "Invalid resource ID.", status)
        return found

    def _shown(self, call: Call, doc: Doc) -> Doc:
        names = ("email", "first_name", "last_name", "role", "username", "billing", "shipping",
                 "is_paying_customer")  # fmt: skip
        shown = {"id": doc["id"], **_dates(call.state, doc["created"], doc["modified"])}
        shown |= {name: doc[name] for name in names}
        shown |= {"avatar_url": avatar(doc["email"]), "meta_data": doc["meta_data"]}
        # WordPress 6.9: nobody is offered to delete himself.
        own = {"allow": ["GET", "POST", "PUT", "PATCH"]} if doc["id"] == call.user else {}
        return linked(call.state, shown, self.route, **own)


def _dates(state: State, created: str | None, modified: str | None) -> Doc:
    shown: Doc = {}
    for name, time in (("date_created", created), ("date_modified", modified)):
        shown |= {name: state.local(time), f"{name}_gmt": time}
    return shown


def _check_mail(state: State, email: str, number: int) -> None:
    if not _MAIL.fullmatch(email):
        raise Refusal("customer_invalid_email", "Invalid email address")
    sql = "SELECT id FROM things WHERE kind = 'user' AND key = ? AND id <> ?"
    if state.one(sql, email, number):
        text = (
            f"An account is already registered with {email}. Please log in or use a different "
            "email address."
        )
        raise Refusal("registration-error-email-exists", text)


def _wanted(call: Call, one: Doc) -> bool:
    role = call["role"] or "customer"
    search = str(call["search"] or "").lower()
    words = " ".join((one["email"], one["username"], one["first_name"], one["last_name"])).lower()
    return (
        (role == "all" or one["role"] == role)
        and (not call["email"] or one["email"].lower() == str(call["email"]).lower())
        and (not call["include"] or one["id"] in call["include"])
        and one["id"] not in (call["exclude"] or ())
        and search in words
    )


def fixed(state: State, amount: Any) -> str:
    """Return an amount with the shop's decimals, as coupons and orders show it."""
    digits = int(state.options["woocommerce_price_num_decimals"] or 0)
    try:
        value = Decimal(plain(amount) or "0")
    except InvalidOperation:
        value = Decimal(0)
    return f"{value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):f}"


class Coupons(Resource):
    """`/coupons`: codes in lower case, amounts with the shop's decimals."""

    route = "/coupons"

    def index(self, call: Call) -> Answer:
        """Return a page of coupons."""
        where = Where("kind = 'coupon'")
        # WooCommerce 11.0.1: `status` is in no schema and works, as a list too; "any" is all but
        # the trash. `code` finds published ones only.
        status = str(call.params.get("status") or "publish")
        if call["code"]:
            where.add("title = ? AND status = 'publish'", _code(call["code"]))
        elif status == "any":
            where.add("status <> 'trash'")
        else:
            where.among("status", status.split(","))
        if call["search"]:
            words_in(where, str(call["search"]), "title")
        by_ids(call, where)
        dated(call, where)
        rows, total = rows_of(call, where)
        return page(call, [self._shown(call, row) for row in rows], total)

    def show(self, call: Call, number: int) -> Doc:
        """Return one coupon."""
        return self._shown(call, self._found(call, number, 404))

    def create(self, call: Call, given: Given) -> Doc:
        """Make a coupon."""
        post: Doc = {
            "kind": "coupon", "amount": "0", "discount_type": "fixed_cart", "description": "",
            "date_expires": None, "usage_count": 0, "individual_use": False, "product_ids": [],
            "excluded_product_ids": [], "usage_limit": None, "usage_limit_per_user": None,
            "limit_usage_to_x_items": None, "free_shipping": False, "product_categories": [],
            "excluded_product_categories": [], "exclude_sale_items": False, "minimum_amount": "0",
            "maximum_amount": "0", "email_restrictions": [], "used_by": [], "meta_data": [],
            "status": "publish", "id": 0, "name": "",
        }  # fmt: skip
        self._set(call.state, post, given)
        post = call.state.new_post(**{name: value for name, value in post.items() if name != "id"})
        call.state.save_post(post)
        happened(call.state, "coupon.created", post["id"])
        return self._shown(call, post)

    def update(self, call: Call, number: int | None, given: Given) -> Doc:
        """Change a coupon; null never clears its date, "" does."""
        post = self._found(call, number or 0, 400)
        self._set(call.state, post, given)
        call.state.touch(post)
        call.state.save_post(post)
        happened(call.state, "coupon.updated", post["id"])
        return self._shown(call, post)

    def delete(self, call: Call, number: int, *, force: bool) -> Doc:
        """Trash or delete a coupon."""
        post = self._found(call, number, 404)
        shown = self._shown(call, post)
        if force:
            call.state.drop_post(number)
        else:
            post["status"] = "trash"
            call.state.save_post(post)
        happened(call.state, "coupon.deleted", number)
        return shown

    def _found(self, call: Call, number: int, status: int) -> Doc:
        found = call.state.post("coupon", number)
        if found is None:
            raise Refusal("woocommerce_rest_shop_coupon_invalid_id", "Invalid ID.", status)
        return found

    def _set(self, state: State, post: Doc, given: Given) -> None:
        if "code" in given:
            post["name"] = _code(given["code"])
            # WooCommerce 11.0.1: a code that only a draft or the trash has is free.
            sql = (
                "SELECT 1 FROM posts WHERE kind = 'coupon' AND status = 'publish' AND title = ?"
                " AND id <> ?"
            )
            if state.one(sql, post["name"], post["id"]):
                text = "The coupon code already exists"
                raise Refusal("woocommerce_rest_coupon_code_already_exists", text)
        for name, cast in _COUPON_CASTS.items():
            if name in given:
                post[name] = cast(given[name])
        if "amount" in given:
            post["amount"] = _amount(state, post, given)
        for name in ("minimum_amount", "maximum_amount"):
            if name in given:
                post[name] = decimal(given[name], state.options["woocommerce_price_decimal_sep"])
        for name, zone in (("date_expires", state.zone), ("date_expires_gmt", state.utc)):
            if name in given:
                post["date_expires"] = instant(given[name], zone)
        set_meta(state, post, given)

    def _shown(self, call: Call, post: Doc) -> Doc:
        state = call.state
        shown = {"id": post["id"], "code": post["name"], "status": post["status"]}
        shown["amount"] = fixed(state, post["amount"])
        shown |= _dates(state, post["created_gmt"], post["modified_gmt"])
        names = ("discount_type", "description", "usage_count", "individual_use", "product_ids",
                 "excluded_product_ids", "usage_limit", "usage_limit_per_user",
                 "limit_usage_to_x_items", "free_shipping", "product_categories",
                 "excluded_product_categories", "exclude_sale_items", "email_restrictions",
                 "used_by")  # fmt: skip
        shown |= {name: post[name] for name in names}
        shown["date_expires"] = state.local(post["date_expires"])
        shown["date_expires_gmt"] = post["date_expires"]
        shown |= {name: fixed(state, post[name]) for name in ("minimum_amount", "maximum_amount")}
        include, _ = metadata_filter(call)
        rows = post["meta_data"]
        shown["meta_data"] = [row for row in rows if not include or row["key"] in include]
        return linked(state, shown, self.route)


def _limit(value: Any) -> int | None:
    return integer(value) or None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


_COUPON_CASTS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("discount_type", "status"), plain),
    "description": lambda value: kses(unslashed(plain(value))),
    **dict.fromkeys(("individual_use", "free_shipping", "exclude_sale_items"), flag),
    **dict.fromkeys(("usage_limit", "usage_limit_per_user", "limit_usage_to_x_items"), _limit),
    **dict.fromkeys(("product_ids", "excluded_product_ids", "product_categories"), _list),
    "excluded_product_categories": _list,
    # WooCommerce 11.0.1: in lower case, patterns and doubled ones as they are.
    "email_restrictions": lambda value: [plain(each).lower() for each in _list(value)],
}


def _code(text: Any) -> str:
    # WooCommerce 11.0.1: "ÉTÉ <b>20%</b>" becomes "été 20%".
    return stripped(plain(text)).lower().strip()


def _amount(state: State, post: Doc, given: Given) -> str:
    text = decimal(given["amount"], state.options["woocommerce_price_decimal_sep"])
    amount = Decimal(fixed(state, text))
    if amount < 0 or (post["discount_type"] == "percent" and amount > 100):
        raise Refusal("coupon_invalid_amount", "Invalid discount amount.")
    return str(text or "0")


class Reviews(Resource):
    """`/products/reviews`."""

    route = "/products/reviews"

    def index(self, call: Call) -> Answer:
        """Return a page of reviews, the newest first."""
        status = call["status"] or "approved"
        # WooCommerce 9.9.5 and 11.0.1: "all" leaves spam and the trash out, "any" nothing.
        wanted = ("approved", "hold") if status == "all" else (status,)
        found = call.state.things("review")
        rows = [one for one in found if status == "any" or one["status"] in wanted]
        products = call["product"] or ()
        rows = [one for one in rows if not products or one["product_id"] in products]
        rows = [one for one in rows if not call["include"] or one["id"] in call["include"]]
        key = "id" if call["orderby"] == "id" else "created"
        rows.sort(key=lambda one: (one[key], one["id"]), reverse=call["order"] != "asc")
        shown = [self._shown(call, one) for one in rows[call.span]]
        return page(call, shown, len(rows))

    def show(self, call: Call, number: int) -> Doc:
        """Return one review."""
        return self._shown(call, self._found(call, number))

    def create(self, call: Call, given: Given) -> Doc:
        """Make a review; the same text by the same person twice is refused."""
        state, number = call.state, integer(given["product_id"])
        if state.post("product", number) is None:
            raise Refusal("woocommerce_rest_product_invalid_id", "Invalid product ID.", 404)
        doc: Doc = {"product_id": number, "created": state.now(), "status": "approved",
                    "reviewer": "", "reviewer_email": "", "review": "", "rating": 0}  # fmt: skip
        _set_review(state, doc, given)
        same = ("product_id", "reviewer", "reviewer_email", "review")
        if any(all(one[n] == doc[n] for n in same) for one in state.things("review")):
            text = "Duplicate comment detected; it looks as though you&#8217;ve already said that!"
            raise Refusal("woocommerce_rest_comment_duplicate", text, 409)
        doc["id"] = state.number("comments")
        self._keep(state, doc)
        return self._shown(call, doc)

    def update(self, call: Call, number: int | None, given: Given) -> Doc:
        """Change a review; its date may be set back."""
        doc = self._found(call, number or 0)
        _set_review(call.state, doc, given)
        # WooCommerce 11.0.1: a review is filtered when it is changed, not when it is made.
        doc["review"] = kses(doc["review"])
        self._keep(call.state, doc)
        return self._shown(call, doc)

    def delete(self, call: Call, number: int, *, force: bool) -> Doc:
        """Delete a review; the answer shows it under `previous`."""
        doc = self._found(call, number)
        shown = self._shown(call, doc)
        shown.pop("_links")
        if not force:
            doc["status"] = "trash"
            self._keep(call.state, doc)
            return self._shown(call, doc)
        call.state.drop_thing("review", number)
        _rate(call.state, doc["product_id"])
        return {"deleted": True, "previous": shown}

    def _keep(self, state: State, doc: Doc) -> None:
        state.save_thing("review", doc, parent=doc["product_id"])
        _rate(state, doc["product_id"])

    def _found(self, call: Call, number: int) -> Doc:
        found = call.state.thing("review", number)
        if found is None:
            raise Refusal("woocommerce_rest_review_invalid_id", "Invalid review ID.", 404)
        return found

    def _shown(self, call: Call, doc: Doc) -> Doc:
        state, number = call.state, doc["product_id"]
        post = state.post("product", number) or {"name": "", "slug": ""}
        url = state.options["url"]
        shown = {
            "id": doc["id"], "date_created": state.local(doc["created"]),
            "date_created_gmt": doc["created"], "product_id": number,
            "product_name": post["name"], "product_permalink": f"{url}/product/{post['slug']}/",
            "status": doc["status"], "reviewer": doc["reviewer"],
            "reviewer_email": doc["reviewer_email"], "review": doc["review"],
            "rating": doc["rating"], "verified": False,
            "reviewer_avatar_urls": {
                str(size): avatar(doc["reviewer_email"], size) for size in (24, 48, 96)
            },
        }  # fmt: skip
        up = [{"href": f"{url}/wp-json/wc/v3/products/{number}"}]
        return linked(state, shown, self.route, up=up)


def _set_review(state: State, doc: Doc, given: Given) -> None:
    for name in ("reviewer", "review", "status"):
        if name in given:
            doc[name] = plain(given[name])
    if "reviewer_email" in given:
        # WooCommerce 11.0.1: what is no e-mail address is kept as "".
        mail = plain(given["reviewer_email"])
        doc["reviewer_email"] = mail if _MAIL.fullmatch(mail) else ""
    if "rating" in given:
        doc["rating"] = integer(given["rating"])
    if "date_created" in given:
        doc["created"] = instant(given["date_created"], state.zone) or doc["created"]
    if "date_created_gmt" in given:  # WooCommerce 11.0.1: taken on creating too
        doc["created"] = instant(given["date_created_gmt"], state.utc) or doc["created"]
    if "product_id" in given:
        doc["product_id"] = integer(given["product_id"])


def _rate(state: State, number: int) -> None:
    """Give a product the average of its approved reviews; WooCommerce 11.0.1 takes 9 of 5."""
    post = state.post("product", number)
    if post is None:
        return
    rows = [one for one in state.things("review", number) if one["status"] == "approved"]
    ratings = [one["rating"] for one in rows if one["rating"]]
    post["rating_count"] = len(ratings)
    post["average_rating"] = f"{sum(ratings) / len(ratings):.2f}" if ratings else "0"
    state.save_post(post)
