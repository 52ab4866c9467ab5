"""Prices of markets: fixed prices in the price list of each market's catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from storebridge.adapter import Batch, Change
from storebridge.errors import AuthError, BadAnswer, OutcomeUnknown, Rejected, StorebridgeError
from storebridge.flow import Flow, Outcome, RequestKind, report
from storebridge.models import MarketPrice, Money, Product, Variant
from storebridge_shopify.graphql import Doc, call, user_error
from storebridge_shopify.reading import money
from storebridge_shopify.records import applied
from storebridge_shopify.search import any_of, term
from storebridge_shopify.site import Facts, PriceList

__all__ = ["read", "write"]

#: The most prices of a call (usage/limits: arrays of input).
_ROWS = 250
#: Products that one search of a price list names.
_PRODUCTS = 25

Variants = Callable[[Change[Product]], Flow[tuple[Variant, ...]]]


class _Row(NamedTuple):
    change: str
    body: Doc


def read(records: Sequence[Product], facts: Facts) -> Flow[list[Product]]:
    """Return products with their variants' fixed prices in each market that has a price list."""
    found: dict[str, list[MarketPrice]] = {}
    ids = [each.id for each in records if each.variants]
    for market, price_list in facts.price_lists.items():
        for start in range(0, len(ids), _PRODUCTS):
            wanted = (each.rpartition("/")[2] for each in ids[start : start + _PRODUCTS])
            query = any_of(term("product_id", number) for number in wanted)
            for node in (yield from _fixed(price_list, query)):
                price = _price(market, node)
                found.setdefault(node["variant"]["id"], []).append(price)
    return [_priced(each, found) if facts.price_lists else each for each in records]


def _fixed(price_list: PriceList, query: str) -> Flow[list[Doc]]:
    nodes: list[Doc] = []
    after: str | None = None
    seen: set[str] = set()
    while True:
        variables = {"id": price_list.id, "first": 250, "after": after, "query": query}
        found = (yield from call("price_list_prices", variables))["priceList"]
        if found is None:
            return nodes
        nodes += found["prices"]["nodes"]
        info = found["prices"]["pageInfo"]
        if not info["hasNextPage"]:
            return nodes
        after = str(info["endCursor"])
        if after in seen:
            raise BadAnswer("a price list gave the same cursor twice")
        seen.add(after)


def _priced(record: Product, found: dict[str, list[MarketPrice]]) -> Product:
    variants = tuple(
        each.model_copy(update={"market_prices": tuple(found.get(each.id, ()))})
        for each in record.variants
    )
    return record.model_copy(update={"variants": variants}) if variants else record


def _price(market: str, node: Doc) -> MarketPrice:
    return MarketPrice(
        market=market, price=_money(node["price"]), compare_at_price=_money(node["compareAtPrice"])
    )


def _money(doc: Doc | None) -> Money | None:
    return money(doc["amount"], doc["currencyCode"]) if doc else None


def write(batch: Batch[Product], facts: Facts, variants: Variants) -> Flow[None]:
    """Set the prices of all changes of a batch, 250 in a call.

    A call is all or nothing; where one is refused, its changes are tried one by one.
    """
    lists: dict[PriceList, list[_Row]] = {}
    failed: dict[str, Outcome] = {}
    for change in batch.changes:
        try:
            held = yield from _held(change, (yield from variants(change)), facts)
            for price_list, row in _rows(change, held, facts):
                lists.setdefault(price_list, []).append(row)
        except AuthError:
            raise
        except StorebridgeError as error:
            failed[change.id] = Outcome.failure(change.id, error)
    for price_list, rows in lists.items():
        rows = [row for row in rows if row.change not in failed]
        for start in range(0, len(rows), _ROWS):
            yield from _add(price_list, rows[start : start + _ROWS], failed)
    outcomes = (failed.get(each.id, applied(each, each.record_id)) for each in batch.changes)
    yield from report(tuple(outcomes))


def _held(
    change: Change[Product], variants: Sequence[Variant], facts: Facts
) -> Flow[list[tuple[str, MarketPrice]]]:
    """Return whole prices by the ids of variants: a fixed price is replaced with both its amounts.

    What isn't given is what was planned on, or what is live.
    """
    wanted = [(variant.id, each) for variant in variants for each in variant.market_prices]
    if all({"price", "compare_at_price"} <= each.given for _, each in wanted):
        return wanted
    before = change.before.variants if change.before else ()
    if not any(variant.market_prices for variant in before):
        live = yield from read([Product(id=change.record_id, variants=tuple(variants))], facts)
        before = live[0].variants
    known = {(v.id, each.market): each for v in before for each in v.market_prices}
    return [(variant, _over(known.get((variant, each.market)), each)) for variant, each in wanted]


def _over(held: MarketPrice | None, wanted: MarketPrice) -> MarketPrice:
    if held is None:
        return wanted
    return held.model_copy(update={name: getattr(wanted, name) for name in wanted.given})


def _rows(
    change: Change[Product], prices: Sequence[tuple[str, MarketPrice]], facts: Facts
) -> Iterator[tuple[PriceList, _Row]]:
    """Yield the prices of a change.

    Raises:
        Rejected: for a market without a price list, a price in another currency, or none.
    """
    for variant, each in prices:
        price_list = facts.price_list(each.market)
        if each.price is None:
            raise Rejected(
                "a market needs a price",
                fields={"variants.market_prices.price": "missing"},
                remedy="Give one, or take the fixed price away in Shopify's admin.",
            )
        body: dict[str, object] = {"variantId": variant, "price": _amount(each.price, price_list)}
        if each.compare_at_price is not None:
            body["compareAtPrice"] = _amount(each.compare_at_price, price_list)
        yield price_list, _Row(change.id, body)


def _amount(amount: Money, price_list: PriceList) -> Doc:
    if amount.currency != price_list.currency:
        raise Rejected(
            f"{amount} is not in the currency of the market's price list, {price_list.currency}",
            fields={"variants.market_prices.price": "currency"},
        )
    return {"amount": format(amount.amount, "f"), "currencyCode": amount.currency}


def _add(price_list: PriceList, rows: Sequence[_Row], failed: dict[str, Outcome]) -> Flow[None]:
    """Set prices in one call; after a refusal, those of each change in a call of their own."""
    changes = list(dict.fromkeys(row.change for row in rows))
    variables = {"priceListId": price_list.id, "prices": [row.body for row in rows]}
    try:
        data = yield from call("prices_add", variables, kind=RequestKind.SET, covers=tuple(changes))
        errors = data["priceListFixedPricesAdd"]["userErrors"]
        if not errors:
            return
        error: StorebridgeError = user_error(errors)
    except (AuthError, OutcomeUnknown):
        raise
    except StorebridgeError as caught:
        error = caught
    if len(changes) == 1:
        failed[changes[0]] = Outcome.failure(changes[0], error)
        return
    for change in changes:
        yield from _add(price_list, [row for row in rows if row.change == change], failed)
