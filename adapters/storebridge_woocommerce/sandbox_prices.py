"""Prices in HTML, as WooCommerce shows them beside the plain ones."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from storebridge_woocommerce.sandbox_fields import on_sale
from storebridge_woocommerce.sandbox_state import Doc, State
from storebridge_woocommerce.sandbox_text import plain

__all__ = ["money", "price_html"]

_SYMBOLS = {"USD": "&#36;", "EUR": "&euro;", "GBP": "&pound;", "JPY": "&yen;"}


def money(state: State, amount: Any) -> str:
    """Return an amount as the shop shows it in HTML."""
    options = state.options
    digits = int(options["woocommerce_price_num_decimals"] or 0)
    try:
        value = Decimal(plain(amount) or "0").quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    except InvalidOperation:
        value = Decimal(0)
    whole, _, rest = f"{value:,}".partition(".")
    text = whole.replace(",", options["woocommerce_price_thousand_sep"])
    text += options["woocommerce_price_decimal_sep"] + rest if rest else ""
    return text


def _symbol(state: State) -> str:
    currency = state.options["woocommerce_currency"]
    return _SYMBOLS.get(currency) or str(currency)


def _price(state: State, amount: Any) -> str:
    return (
        '<span class="woocommerce-Price-amount amount"><bdi><span class="woocommerce-Price-'
        f'currencySymbol" translate="no">{_symbol(state)}</span>{money(state, amount)}</bdi></span>'
    )


def price_html(state: State, post: Doc) -> str:
    """Return a product's price as the shop shows it, a sale or a range with both amounts."""
    if post["price"] == "":
        return ""
    if post["type"] == "variable":
        return _range_html(state, post)
    if not on_sale(state, post):
        return _price(state, post["price"])
    symbol = _symbol(state).replace("&#36;", "&#036;")
    was, now = (f"{symbol}{money(state, post[name])}" for name in ("regular_price", "price"))
    return (
        f'<del aria-hidden="true">{_price(state, post["regular_price"])}</del> '
        f'<span class="screen-reader-text">Original price was: {was}.</span>'
        f'<ins aria-hidden="true">{_price(state, post["price"])}</ins>'
        f'<span class="screen-reader-text">Current price is: {now}.</span>'
    )


def _range_html(state: State, post: Doc) -> str:
    low, high = post["price"], post.get("highest_price", "")
    if high in ("", low):
        return _price(state, low)
    symbol = _symbol(state).replace("&#36;", "&#036;")
    least, most = money(state, low), money(state, high)
    return (
        f'{_price(state, low).replace("<span", _HIDDEN, 1)} <span aria-hidden="true">&ndash;'
        f"</span> {_price(state, high).replace('<span', _HIDDEN, 1)}"
        f'<span class="screen-reader-text">Price range: {symbol}{least} through {symbol}{most}'
        "</span>"
    )


_HIDDEN = '<span aria-hidden="true"'
