"""Markets, catalogs and price lists of the sandbox, and what a price list says of a variant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from storebridge_shopify.sandbox_fields import (
    Info,
    Refused,
    connection,
    field,
    mutation,
    user_error,
)
from storebridge_shopify.sandbox_products import currency, money
from storebridge_shopify.sandbox_search import Term, parse, warn
from storebridge_shopify.sandbox_state import Doc, State, gid, split

__all__: list[str] = []


@field("QueryRoot", "markets")
def _markets(_root: Any, info: Info, **arguments: Any) -> Doc:
    return connection(info.context.all("Market"), **arguments)


@field("QueryRoot", "market")
def _market(_root: Any, info: Info, id: str) -> Doc | None:
    return info.context.get(id, "Market")


@field("Market", "currencySettings")
def _settings(doc: Doc, _info: Info) -> Doc:
    return {"baseCurrency": {"currencyCode": doc["currency"], "currencyName": doc["currency"]},
            "localCurrencies": False}  # fmt: skip


@field("Market", "type")
def _type(_doc: Doc, _info: Info) -> str:
    return "REGION"


@field("Market", "conditions")
def _conditions(doc: Doc, _info: Info) -> Doc:
    return {"conditionTypes": ["REGION"], "regionsCondition": {"countries": doc["countries"]}}


@field("RegionsCondition", "regions")
def _regions(doc: Doc, _info: Info, **arguments: Any) -> Doc:
    found = [
        {"__typename": "MarketRegionCountry", "id": f"gid://shopify/MarketRegionCountry/{code}",
         "code": code, "name": code}
        for code in doc["countries"]
    ]  # fmt: skip
    return connection(found, **arguments)


@field("Market", "catalogs")
def _catalogs(doc: Doc, info: Info, **arguments: Any) -> Doc:
    found = (info.context.get(id) for id in doc["catalogs"])
    return connection((each for each in found if each), **arguments)


@field("MarketCatalog", "priceList")
def _price_list_of(doc: Doc, info: Info) -> Doc | None:
    return info.context.get(doc["priceList"]) if doc["priceList"] else None


@field("QueryRoot", "priceList")
def _price_list(_root: Any, info: Info, id: str) -> Doc | None:
    return info.context.get(id, "PriceList")


@field("QueryRoot", "priceLists")
def _price_lists(_root: Any, info: Info, **arguments: Any) -> Doc:
    return connection(info.context.all("PriceList"), **arguments)


@field("PriceList", "fixedPricesCount")
def _fixed_count(doc: Doc, info: Info) -> int:
    return int(info.context.one("SELECT count(*) FROM prices WHERE list = ?", doc["id"]))


@field("PriceList", "prices")
def _prices(
    doc: Doc,
    info: Info,
    originType: str | None = None,  # noqa: N803 - the API's name
    query: str | None = None,
    **arguments: Any,
) -> Doc:
    state = info.context
    found = []
    for variant in _variants(state, doc, originType, query):
        found.append(_price(state, doc, variant, searched=bool(query)))
    if originType is not None:
        found = [each for each in found if each["originType"] == originType]
    return connection(found, **arguments)


def _variants(state: State, doc: Doc, origin: str | None, query: str | None) -> list[Doc]:
    """Return the variants of a price list's page: those of a product or all."""
    tree = parse(query) if query else None
    if origin == "FIXED" and not state.option("search_lag"):
        docs = [state.get(id) for id in _priced(state, doc, _products(tree))]
    else:
        docs = list(state.all("ProductVariant"))
    for name in dict.fromkeys(_unknown(tree)):
        warn(state, ["priceList", "prices"], query or "", name)
    return [each for each in docs if each and (tree is None or _fits(each, tree))]


_FILTERS = ("id", "product_id", "variant_id")


def _unknown(tree: Any) -> Iterator[str]:
    """Yield the filters of a search that price lists don't have."""
    kind, inner = tree or ("or", ())
    if not isinstance(inner, Term):
        for each in (inner,) if kind == "not" else inner:
            yield from _unknown(each)
    elif inner.field not in _FILTERS:
        yield inner.field


def _priced(state: State, doc: Doc, products: list[str] | None) -> list[str]:
    """Return the variants with a fixed price, of some products or of all, in their order."""
    if products is None:
        sql = "SELECT variant FROM prices WHERE list = ? ORDER BY variant"
        return [id for (id,) in state.rows(sql, doc["id"])]
    named = filter(None, (state.get(gid("Product", number)) for number in products))
    sql = "SELECT 1 FROM prices WHERE list = ? AND variant = ?"
    variants = dict.fromkeys(id for each in named for id in each["variants"])
    return sorted(id for id in variants if state.one(sql, doc["id"], id))


def _products(tree: Any) -> list[str] | None:
    """Return the products that a search asks for and nothing else; None for another search."""
    kind, inner = tree or ("", ())
    terms = [inner] if kind == "term" else [each for _, each in inner] if kind == "or" else []
    found = [term.value for term in terms if isinstance(term, Term) and _names_product(term)]
    return found if terms and len(found) == len(terms) else None


def _names_product(term: Term) -> bool:
    return (term.field, term.op) == ("product_id", "") and term.value.isdecimal()


def _fits(variant: Doc, tree: Any) -> bool:
    kind, inner = tree
    if kind == "not":
        return not _fits(variant, inner)
    if kind != "term":
        return bool((all if kind == "and" else any)(_fits(variant, each) for each in inner))
    assert isinstance(inner, Term)
    own = {"variant_id": variant["id"], "product_id": variant["product"], "id": variant["id"]}
    return inner.field not in own or inner.holds(split(own[inner.field])[1])


def _rows(state: State, prices: str, variant: str, *, searched: bool = False) -> list[Any]:
    """Return a fixed price and its compare-at price, none where there is none.

    Args:
        state: the shop.
        prices: the price list's id.
        variant: the variant's id.
        searched: whether a search asks, which may know an older one only.
    """
    if searched and (lag := state.option("search_lag")):
        sql = "SELECT price, compare FROM former_prices WHERE list = ? AND variant = ? AND at > ?"
        if former := state.rows(sql, prices, variant, state.clock() - lag):
            return [row for row in former if row[0]]
    sql = "SELECT price, compare FROM prices WHERE list = ? AND variant = ?"
    return state.rows(sql, prices, variant)


def _remember(state: State, prices: str, variant: str) -> None:
    """Keep what searches still know of a fixed price while they lag."""
    if not state.option("search_lag"):
        return
    (known,) = _rows(state, prices, variant, searched=True) or [(None, None)]
    sql = "INSERT OR REPLACE INTO former_prices VALUES (?, ?, ?, ?, ?)"
    state.run(sql, prices, variant, *known, state.clock())


def _price(state: State, prices: Doc, variant: Doc, *, searched: bool = False) -> Doc:
    """Return what a variant costs by a price list: its fixed price, or the adjusted one."""
    rows = _rows(state, prices["id"], variant["id"], searched=searched)
    code = prices["currency"]
    if rows:
        price, compare = rows[0]
    else:
        price, compare = _adjusted(prices, variant["price"]), None
    return {
        "id": f"{prices['id']}#{variant['id']}",
        "price": {"amount": price, "currencyCode": code},
        "compareAtPrice": {"amount": compare, "currencyCode": code} if compare else None,
        "originType": "FIXED" if rows else "RELATIVE",
        "variant": variant,
    }


def _adjusted(prices: Doc, price: str) -> str:
    parent = prices.get("parent")
    if not parent:
        return price
    percent = Decimal(str(parent["adjustment"]["value"])) / 100
    sign = 1 if parent["adjustment"]["type"] == "PERCENTAGE_INCREASE" else -1
    return money(Decimal(price) * (1 + sign * percent))


@field("ProductVariant", "contextualPricing")
def _contextual(doc: Doc, info: Info, context: Doc) -> Doc:
    """What a country pays; currencies are exchanged one to one."""
    state = info.context
    for market in state.all("Market"):
        if context.get("country") in market["countries"]:
            for id in market["catalogs"]:
                catalog = state.get(id) or {}
                prices = state.get(catalog.get("priceList") or "")
                if prices and catalog["status"] == "ACTIVE":
                    return _price(state, prices, doc)
    code, compare = currency(state), doc["compareAtPrice"]
    return {
        "price": {"amount": doc["price"], "currencyCode": code},
        "compareAtPrice": {"amount": compare, "currencyCode": code} if compare else None,
    }


# -- fixed prices


@mutation("priceListFixedPricesAdd")
def _add(state: State, priceListId: str, prices: list[Doc]) -> Doc:  # noqa: N803 - the API's name
    held = _held(state, priceListId)
    errors = []
    for at, each in enumerate(prices):
        errors += _wrong(state, held, each, ("prices", at))
    if errors:
        raise Refused(*errors)
    found = []
    for each in prices:  # the last one of a variant wins (recorded)
        compare = each.get("compareAtPrice")
        code = each["price"]["currencyCode"]
        shown = money(compare["amount"], code) if compare else None
        row = (money(each["price"]["amount"], code), shown)
        _remember(state, held["id"], each["variantId"])
        sql = "INSERT OR REPLACE INTO prices VALUES (?, ?, ?, ?)"
        state.run(sql, held["id"], each["variantId"], *row)
        found.append(_price(state, held, state.get(each["variantId"]) or {}))
    return {"prices": found}


def _held(state: State, id: str) -> Doc:
    found = state.get(id, "PriceList")
    if found is None:
        text = "Price list does not exist."
        raise Refused(user_error(["priceListId"], text, "PRICE_LIST_NOT_FOUND"))
    return found


def _wrong(state: State, held: Doc, given: Doc, path: tuple[str | int, ...]) -> list[Doc]:
    errors = []
    if state.get(given["variantId"], "ProductVariant") is None:
        text = "Product variant ID does not exist."
        errors.append(user_error([*path, "variantId"], text, "VARIANT_NOT_FOUND"))
    for name in ("price", "compareAtPrice"):
        amount = given.get(name)
        if amount and amount["currencyCode"] != held["currency"]:
            text = "The specified currency does not match the price list's currency."
            code = "PRICE_LIST_CURRENCY_MISMATCH"
            errors.append(user_error([*path, name, "currencyCode"], text, code))
    return errors


@mutation("priceListFixedPricesDelete")
def _delete(state: State, priceListId: str, variantIds: list[str]) -> Doc:  # noqa: N803 - the API's names
    held = _held(state, priceListId)
    errors = []
    for at, id in enumerate(variantIds):
        sql = "SELECT 1 FROM prices WHERE list = ? AND variant = ?"
        if state.get(id, "ProductVariant") is None:
            text = "Product variant ID does not exist."
            errors.append(user_error(["variantIds", at], text, "VARIANT_NOT_FOUND"))
        elif not state.one(sql, held["id"], id):
            text = "Only fixed prices can be deleted."
            errors.append(user_error(["variantIds", at], text, "PRICE_NOT_FIXED"))
    if errors:
        raise Refused(*errors)
    for id in variantIds:
        _remember(state, held["id"], id)
        state.run("DELETE FROM prices WHERE list = ? AND variant = ?", held["id"], id)
    return {"deletedFixedPriceVariantIds": variantIds}


# -- making markets, catalogs and price lists


@mutation("marketCreate")
def _market_create(state: State, input: Doc) -> Doc:
    name = input["name"].strip()
    if not name:
        raise Refused(user_error(["input", "name"], "Name can't be blank", "BLANK"))
    if len(name) < 2:
        text = "Name is too short (minimum is 2 characters)"
        raise Refused(user_error(["input", "name"], text, "TOO_SHORT"))
    if any(each["name"].lower() == name.lower() for each in state.all("Market")):
        raise Refused(user_error(["input", "name"], "Name has already been taken", "TAKEN"))
    handle = re.sub(r"[\W_]+", "-", (input.get("handle") or name).lower()).strip("-")
    doc = state.add(
        "Market",
        {"name": name, "handle": handle, "status": input.get("status") or "DRAFT",
         "currency": currency(state), "countries": [], "catalogs": input.get("catalogs") or []},
    )  # fmt: skip
    _apply(doc, input.get("conditions"), input.get("currencySettings"))
    state.save(doc)
    return {"market": doc}


def _apply(doc: Doc, conditions: Doc | None, settings: Doc | None) -> None:
    regions = ((conditions or {}).get("regionsCondition") or {}).get("regions") or ()
    doc["countries"] += [each["countryCode"] for each in regions]
    if settings and settings.get("baseCurrency"):
        doc["currency"] = settings["baseCurrency"]


@mutation("marketUpdate")
def _market_update(state: State, id: str, input: Doc) -> Doc:
    doc = state.get(id, "Market")
    if doc is None:
        raise Refused(user_error(["id"], "Market does not exist", "MARKET_NOT_FOUND"))
    for name in ("name", "handle", "status"):
        doc[name] = input.get(name) or doc[name]
    conditions = input.get("conditions") or {}
    gone = ((conditions.get("conditionsToDelete") or {}).get("regionsCondition") or {}).get(
        "regions"
    )
    codes = {each["countryCode"] for each in gone or ()}
    doc["countries"] = [code for code in doc["countries"] if code not in codes]
    _apply(doc, conditions.get("conditionsToAdd"), input.get("currencySettings"))
    doc["catalogs"] += input.get("catalogsToAdd") or []
    state.save(doc)
    return {"market": doc}


@mutation("marketDelete")
def _market_delete(state: State, id: str) -> Doc:
    if state.get(id, "Market") is None:
        raise Refused(user_error(["id"], "Market does not exist", "MARKET_NOT_FOUND"))
    state.delete(id)
    return {"deletedId": id}


@mutation("catalogCreate")
def _catalog_create(state: State, input: Doc) -> Doc:
    markets = (input.get("context") or {}).get("marketIds") or ()
    if not input["title"].strip():
        raise Refused(user_error(["input", "title"], "Title can't be blank", "BLANK"))
    if not markets:
        text = "Must provide exactly one context type."
        code = "MUST_PROVIDE_EXACTLY_ONE_CONTEXT_TYPE"
        raise Refused(user_error(["input", "context"], text, code))
    for at, id in enumerate(markets):
        if state.get(id, "Market") is None:
            path = ["input", "context", "marketIds", at]
            raise Refused(user_error(path, "Market not found.", "MARKET_NOT_FOUND"))
    doc = state.add("MarketCatalog", {"title": input["title"], "status": input["status"],
                                      "priceList": input.get("priceListId")})  # fmt: skip
    for id in markets:
        market = state.get(id)
        assert market is not None
        market["catalogs"].append(doc["id"])
        state.save(market)
    return {"catalog": doc}


@mutation("priceListCreate")
def _price_list_create(state: State, input: Doc) -> Doc:
    path = ["input", "name"]
    if not input["name"].strip():
        raise Refused(user_error(path, "Name can't be blank", "BLANK"))
    if any(each["name"] == input["name"] for each in state.all("PriceList")):
        raise Refused(user_error(path, "Name has already been taken", "TAKEN"))
    adjustment = input["parent"]["adjustment"]
    most = 100 if adjustment["type"] == "PERCENTAGE_DECREASE" else 1000
    if not 0 <= adjustment["value"] <= most:
        text = "The adjustment value must be a positive value and not be greater than 100% for PERCENTAGE_DECREASE and not be greater than 1000% for PERCENTAGE_INCREASE."  # noqa: E501 - the platform's words
        where = ["input", "parent", "adjustment", "value"]
        raise Refused(user_error(where, text, "INVALID_ADJUSTMENT_VALUE"))
    catalog = _assignable(state, input)
    doc = state.add("PriceList", {"name": input["name"], "currency": input["currency"],
                                  "parent": input["parent"]})  # fmt: skip
    if catalog:
        catalog["priceList"] = doc["id"]
        state.save(catalog)
    return {"priceList": doc}


def _assignable(state: State, given: Doc) -> Doc | None:
    """Return the catalog that a new price list is for."""
    path = ["input", "catalogId"]
    if not given.get("catalogId"):
        return None
    catalog = state.get(given["catalogId"], "MarketCatalog")
    if catalog is None:
        raise Refused(user_error(path, "Catalog does not exist.", "CATALOG_DOES_NOT_EXIST"))
    if catalog["priceList"]:
        text = "Catalog has a price list already assigned."
        raise Refused(user_error(path, text, "CATALOG_TAKEN"))
    for market in state.all("Market"):
        if catalog["id"] in market["catalogs"] and market["currency"] != given["currency"]:
            text = "The currencies of the market and of the price list must match."
            code = "CATALOG_MARKET_AND_PRICE_LIST_CURRENCY_MISMATCH"
            raise Refused(user_error(path, text, code))
    return catalog
