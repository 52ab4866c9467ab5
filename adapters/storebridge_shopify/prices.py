"""Prices of markets: fixed prices in the price list of each market's catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from storebridge.adapter import Batch, Change
from storebridge.errors import AuthError, BadAnswer, OutcomeUnknown, Rejected, StorebridgeError
from storebridge.flow import Flow, Outcome, RequestKind, report, wait
from storebridge.models import MarketPrice, Money, Product, Variant
from storebridge_shopify.graphql import Doc, call, following, user_error
from storebridge_shopify.reading import money
from storebridge_shopify.records import applied
from storebridge_shopify.search import any_of, term
from storebridge_shopify.site import Facts, PriceList
from storebridge_shopify.steps import Steps

__all__ = ["read", "write"]

#: The most prices of a call (usage/limits: arrays of input).
_ROWS = 250
#: Products that one search of a price list names.
_PRODUCTS = 50
#: Seconds until a price list is searched again that may not know yet what was written.
_LAG = 10.0

Named = Callable[[Change[Product]], tuple[Variant, ...]]
#: A price by the id of its variant; a place of one: variant and market.
_Wanted = tuple[str, MarketPrice]
_Place = tuple[str, str]
_Shown = dict[_Place, MarketPrice]
_AMOUNTS = frozenset({"price", "compare_at_price"})


class _Row(NamedTuple):
    change: str
    market: str
    body: Doc


def read(records: Sequence[Product], facts: Facts) -> Flow[list[Product]]:
    """Return products with their variants' fixed prices in each market that has a price list."""
    if not facts.price_lists:
        return list(records)
    ids = [each.id for each in records if each.variants]
    found = yield from _fixed_of(ids, facts, facts.price_lists)
    return [_priced(each, found) for each in records]


def _fixed_of(
    ids: Sequence[str], facts: Facts, markets: Iterable[str]
) -> Flow[dict[str, list[MarketPrice]]]:
    """Return the fixed prices of some products in some markets, by variant."""
    found: dict[str, list[MarketPrice]] = {}
    for market in markets:
        for start in range(0, len(ids), _PRODUCTS):
            wanted = (each.rpartition("/")[2] for each in ids[start : start + _PRODUCTS])
            query = any_of(term("product_id", number) for number in wanted)
            for node in (yield from _fixed(facts.price_list(market), query)):
                found.setdefault(node["variant"]["id"], []).append(_price(market, node))
    return found


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
        after = following(found["prices"]["pageInfo"])
        if not after:
            return nodes
        if after in seen:
            raise BadAnswer("a price list gave the same cursor twice")
        seen.add(after)


def _priced(record: Product, found: Mapping[str, Sequence[MarketPrice]]) -> Product:
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


def write(batch: Batch[Product], facts: Facts, named: Named, steps: Steps) -> Flow[None]:
    """Set the prices of all changes of a batch, 250 in a call.

    A call is all or nothing; where one is refused, its changes are tried one by one. Its answer is
    what verifies them: a search of the price list wouldn't know them yet.

    Args:
        batch: the changes.
        facts: the shop's.
        named: returns the variants of a change with their ids.
        steps: notes what was written.
    """
    failed: dict[str, Outcome] = {}
    variants = _named(batch.changes, named, failed)
    held = yield from _held(batch.changes, variants, facts)
    lists: dict[PriceList, list[_Row]] = {}
    for change, wanted in variants.items():
        try:
            rows = list(_rows(change, _wanted(wanted), held, facts))
        except StorebridgeError as error:
            failed[change] = Outcome.failure(change, error)
            continue
        for price_list, row in rows:
            lists.setdefault(price_list, []).append(row)
    shown: _Shown = {}
    for price_list, found in lists.items():
        for start in range(0, len(found), _ROWS):
            shown |= yield from _add(price_list, found[start : start + _ROWS], failed, steps)
    outcomes = []
    for each in batch.changes:
        made = replace(applied(each, each.record_id), shown=_shown(each, variants, shown))
        outcomes.append(steps.told(failed.get(each.id, made)))
    yield from report(outcomes)


def _named(
    changes: Iterable[Change[Product]], named: Named, failed: dict[str, Outcome]
) -> dict[str, tuple[Variant, ...]]:
    """Return the variants of each change with their ids; a lost one fails its change."""
    found: dict[str, tuple[Variant, ...]] = {}
    for change in changes:
        try:
            found[change.id] = named(change)
        except StorebridgeError as error:
            failed[change.id] = Outcome.failure(change.id, error)
    return found


def _wanted(variants: Iterable[Variant]) -> Iterator[_Wanted]:
    for variant in variants:
        for each in variant.market_prices:
            yield variant.id, each


def _shown(
    change: Change[Product], variants: Mapping[str, tuple[Variant, ...]], shown: _Shown
) -> Product | None:
    """Return what the answers show of a change; None where they don't show all of it."""
    found = []
    for variant in variants.get(change.id, ()):
        prices = [shown.get((variant.id, each.market)) for each in variant.market_prices]
        found.append(variant.model_copy(update={"market_prices": tuple(filter(None, prices))}))
        if not all(prices):
            return None
    return Product(id=change.record_id, variants=tuple(found))


def _held(
    changes: Iterable[Change[Product]], variants: Mapping[str, tuple[Variant, ...]], facts: Facts
) -> Flow[dict[_Place, MarketPrice]]:
    """Return the live prices of which only one amount is to change: both are always replaced.

    What is fixed is told by a search only, which may not know yet what was written last; what a
    country pays is read by the variant's id, but not where it comes from. So where the two differ
    the search is asked once more after a while. Where the plan found no fixed price there is
    nothing to keep.
    """
    places = [
        (change.record_id, (variant, each.market))
        for change in changes
        for variant, each in _wanted(variants.get(change.id, ()))
        if not each.given >= _AMOUNTS and not _is_new(change, variant, each.market)
    ]
    ids = list(dict.fromkeys(product for product, _ in places))
    markets = dict.fromkeys(market for _, (_, market) in places if market in facts.price_lists)
    for pause in (_LAG, 0.0):
        live = yield from _fixed_of(ids, facts, markets)
        held = {(variant, each.market): each for variant in live for each in live[variant]}
        if not pause or (yield from _are_paid([place for _, place in places], held, facts)):
            break
        yield from wait(pause, "the price list may not know the last prices yet")
    return held


def _are_paid(
    places: Sequence[_Place], held: Mapping[_Place, MarketPrice], facts: Facts
) -> Flow[bool]:
    """Return whether what a country of each market pays is what the search has found."""
    countries = {each.handle: each.countries[:1] for each in facts.info.markets}
    for market in dict.fromkeys(market for _, market in places):
        ids = list(dict.fromkeys(variant for variant, each in places if each == market))
        for country in countries.get(market, ()):
            for start in range(0, len(ids), _ROWS):
                variables = {"ids": ids[start : start + _ROWS], "country": country}
                for node in (yield from call("variant_prices", variables))["nodes"]:
                    paid = _price(market, node["contextualPricing"]) if node else None
                    if paid and paid != held.get((node["id"], market)):
                        return False
    return all(countries.get(market) for _, market in places)


def _is_new(change: Change[Product], variant: str, market: str) -> bool:
    """Return whether a variant had no price in a market when the change was planned.

    One that the plan has not seen was made a moment ago.
    """
    if change.before is None:
        return False
    if all(each.id != variant for each in change.before.variants):
        return all(each.id for each in change.before.variants)
    planned = (each for each in change.before.variants if each.id == variant)
    return any(
        market not in {price.market for price in each.market_prices}
        for each in planned
        if "market_prices" in each.given
    )


def _over(held: MarketPrice | None, wanted: MarketPrice) -> MarketPrice:
    if held is None:
        return wanted
    return held.model_copy(update={name: getattr(wanted, name) for name in wanted.given})


def _rows(
    change: str, prices: Iterable[_Wanted], held: Mapping[_Place, MarketPrice], facts: Facts
) -> Iterator[tuple[PriceList, _Row]]:
    """Yield the prices of a change.

    Raises:
        Rejected: for a market without a price list, a price in another currency, or none.
    """
    for variant, given in prices:
        price_list = facts.price_list(given.market)
        each = _over(held.get((variant, given.market)), given)
        if each.price is None:
            raise Rejected(
                "a market needs a price",
                fields={"variants.market_prices.price": "missing"},
                remedy="Give one, or take the fixed price away in Shopify's admin.",
            )
        body: dict[str, object] = {"variantId": variant, "price": _amount(each.price, price_list)}
        if each.compare_at_price is not None:
            body["compareAtPrice"] = _amount(each.compare_at_price, price_list)
        yield price_list, _Row(change, given.market, body)


def _amount(amount: Money, price_list: PriceList) -> Doc:
    if amount.currency != price_list.currency:
        raise Rejected(
            f"{amount} is not in the currency of the market's price list, {price_list.currency}",
            fields={"variants.market_prices.price": "currency"},
        )
    return {"amount": format(amount.amount, "f"), "currencyCode": amount.currency}


def _add(
    price_list: PriceList, rows: Sequence[_Row], failed: dict[str, Outcome], steps: Steps
) -> Flow[_Shown]:
    """Set prices in one call; after a refusal, those of each change in a call of their own.

    Returns what the answers show.
    """
    changes = list(dict.fromkeys(row.change for row in rows))
    variables = {"priceListId": price_list.id, "prices": [row.body for row in rows]}
    try:
        data = yield from call("prices_add", variables, kind=RequestKind.SET, covers=tuple(changes))
        payload = data["priceListFixedPricesAdd"]
        errors = payload["userErrors"]
        if not errors:
            for change in changes:
                steps.note(change, "priceListFixedPricesAdd")
            nodes = {node["variant"]["id"]: node for node in payload["prices"] or ()}
            told = ((row.body["variantId"], row.market) for row in rows)
            return {place: _price(place[1], nodes[place[0]]) for place in told if place[0] in nodes}
        error: StorebridgeError = user_error(errors)
    except (AuthError, OutcomeUnknown):
        raise
    except StorebridgeError as caught:
        error = caught
    if len(changes) == 1:
        failed[changes[0]] = Outcome.failure(changes[0], error)
        return {}
    shown: _Shown = {}
    for change in changes:
        own = [row for row in rows if row.change == change]
        shown |= yield from _add(price_list, own, failed, steps)
    return shown
