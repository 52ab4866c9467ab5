"""The shop that the sandbox starts with, its options and its switches."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any
from uuid import uuid4

from storebridge_woocommerce.sandbox_media import attach
from storebridge_woocommerce.sandbox_state import Doc, State, dumps

__all__ = [
    "PLUGINS",
    "SWITCHES",
    "avatar",
    "currency_of",
    "new_user",
    "recorded",
    "set_up",
    "switch",
]

#: What a test or the sandbox's URL may set, and what it is at first.
SWITCHES: Mapping[str, Any] = {
    "url": "https://sandbox.localhost",
    "permalinks": "pretty",
    "strips_authorization": False,
    "batch_limit": 100,
    "max_body": 0,
    "max_url": 8192,
    "gateway_timeout": 0.0,
    "latency": "none",
    "plugins": [],
    "language": "en",
    "troubles": [],
    "pictures": {},
    "revoked_keys": [],
    "timezone_string": "",
    "version": "11.0.1",
    "redirects_to": "",
}
#: Plugins by the word that a switch names them with, as `system_status` shows them.
PLUGINS = {
    "yoast": ("wordpress-seo/wp-seo.php", "Yoast SEO", "26.0"),
    "rankmath": ("seo-by-rank-math/rank-math.php", "Rank Math SEO", "1.0.250"),
    "wpml": ("sitepress-multilingual-cms/sitepress.php", "WPML Multilingual CMS", "4.8.0"),
    "polylang": ("polylang/polylang.php", "Polylang", "3.9"),
    "polylang-wc": ("polylang-wc/polylang-wc.php", "Polylang for WooCommerce", "2.1"),
}


@lru_cache
def recorded() -> Doc:
    """Return what a WooCommerce 11.0.1 says of its settings, gateways, tools and versions."""
    text = files(__package__).joinpath("sandbox_shop.json").read_text("utf-8")
    found: Doc = json.loads(text)
    return found


def set_up(state: State) -> None:
    """Fill a new state: options, the default category, three users, the placeholder picture.

    Its id is its own: what is remembered of a shop must not meet another one in another file.
    """
    if "url" in state.options:
        return
    settings = (one for group in recorded()["settings"].values() for one in group)
    state.options = {one["id"]: one["value"] for one in settings}
    state.options |= json.loads(dumps(dict(SWITCHES)))
    own = {"store_id": str(uuid4()), "default_product_cat": 15, "title": "Sandbox"}
    state.options |= own
    state.db.execute(
        "INSERT INTO terms VALUES (15, 'product_cat', 0, 'Uncategorized', 'uncategorized', ?)",
        (dumps({"description": "", "display": "default", "menu_order": 0}),),
    )
    for number, name in enumerate(("Standard rate", "Reduced rate", "Zero rate"), 1):
        slug = name.lower().replace(" ", "-").removesuffix("-rate" if number == 1 else "")
        state.save_thing("tax_class", {"id": number, "slug": slug, "name": name}, key=slug)
    state.numbers["tax_class"] = 3
    for number, login, role in ((1, "admin", "administrator"), (2, "shopper", "customer"),
                                (3, "manager", "shop_manager")):  # fmt: skip
        user = new_user(state, number, login, f"{login}@example.com", role)
        state.save_thing("user", user, key=user["email"])
    post = state.numbers["posts"]
    state.numbers["posts"] = 3
    picture = attach(state, "woocommerce-placeholder.webp", title="woocommerce-placeholder",
                     slug="woocommerce-placeholder", size=(1200, 1200))  # fmt: skip
    state.save_post({**picture, "sku": "woocommerce-placeholder.webp"})
    state.numbers["posts"] = post


def new_user(state: State, number: int, login: str, email: str, role: str) -> Doc:
    """Return a user's record without names and addresses."""
    names = ("first_name", "last_name", "company", "address_1", "address_2", "city", "postcode",
             "country", "state")  # fmt: skip
    return {
        "id": number, "created": state.now(), "modified": state.now(), "email": email,
        "first_name": "", "last_name": "", "role": role, "username": login,
        "billing": dict.fromkeys((*names, "email", "phone"), ""),
        "shipping": dict.fromkeys((*names, "phone"), ""),
        "is_paying_customer": False, "meta_data": [],
    }  # fmt: skip


def switch(state: State, **values: Any) -> None:
    """Set switches or WooCommerce options; texts are read as the switch's own type.

    Raises:
        ValueError: for a name that is no switch and no option.
    """
    for name, value in values.items():
        if name not in state.options:
            raise ValueError(f"the WooCommerce sandbox has no switch {name!r}")
        before = SWITCHES.get(name)
        if isinstance(value, str) and name in SWITCHES and not isinstance(before, str):
            value = _typed(value, before)
        state.options[name] = value
    state.home = state.options["url"].rstrip("/")
    state.options["url"] = state.home


def _typed(text: str, before: Any) -> Any:
    if isinstance(before, bool):
        return text.lower() in ("1", "true", "yes", "on")
    if isinstance(before, list):
        return [word for word in text.split(",") if word]
    return json.loads(text)


def currency_of(code: str) -> Doc:
    """Return a currency with its symbol, from "Euro (&euro;) — EUR"."""
    text = recorded()["currencies"].get(code, code)
    found = re.fullmatch(r"(.+) \((.+)\) — \w+", text)
    name, symbol = found.groups() if found else (text, code)
    return {"code": code, "name": name, "symbol": symbol}


def avatar(email: str, size: int = 96) -> str:
    """Return the address of somebody's Gravatar."""
    digest = hashlib.sha256(email.strip().lower().encode()).hexdigest() if email else ""
    return f"https://secure.gravatar.com/avatar/{digest}?s={size}&d=mm&r=g"
