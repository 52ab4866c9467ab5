"""A shop's facts: its money, locations, channels, markets with their price lists, and scopes.

Shopify names places and channels by ids; people and files by names. What was learned is kept for
as long as the adapter lives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from storebridge.errors import BadAnswer, ConfigError, Rejected
from storebridge.flow import Flow
from storebridge.models import Address, Location, Market, Money, StoreInfo
from storebridge.models.units import WeightUnit
from storebridge_shopify.graphql import Doc, call, drained
from storebridge_shopify.scopes import Scopes
from storebridge_shopify.walk import drain

__all__ = ["WEIGHTS", "Facts", "Items", "PriceList", "Recent", "Rule", "Shop"]

WEIGHTS: Mapping[str, WeightUnit] = {
    "KILOGRAMS": "kg",
    "GRAMS": "g",
    "POUNDS": "lb",
    "OUNCES": "oz",
}

K = TypeVar("K")
V = TypeVar("V")

#: So many definitions of metafields come at once (schema: the most of a page).
_DEFINITIONS = 250
#: So many variants' items are kept, and half as many at least: those of what is under way.
_ITEMS = 40_000


class Rule(NamedTuple):
    """What a definition asks of the values of a metafield."""

    type: str
    validations: Mapping[str, str]


class PriceList(NamedTuple):
    """Where the fixed prices of a market are kept."""

    id: str
    currency: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a shop says about itself, as far as reading and writing depend on it."""

    info: StoreInfo
    locations: Mapping[str, str]
    """The id of each location, by its name."""
    channels: Mapping[str, str]
    """The id of each publication, by its channel's name; "" where several have that name."""
    price_lists: Mapping[str, PriceList]
    """The price list of each market that has one, by the market's handle."""
    scopes: Scopes

    @property
    def markets(self) -> dict[str, str]:
        """The handle of each market by its name."""
        return {each.name: each.handle for each in self.info.markets}

    @property
    def currency(self) -> str:
        """The shop's currency."""
        return self.info.currency

    def location(self, name: str) -> str:
        """Return the id of a location by its name; "" means the only one.

        Raises:
            Rejected: if there is none, or several to choose from.
        """
        found = self.locations.get(name or self.info.only_location)
        if found is None:
            raise Rejected(
                f"there is no location {name!r}" if name else "the shop has several locations",
                fields={"variants.inventory": "location"},
                remedy=f"Name one of: {', '.join(self.locations)}.",
            )
        return found

    def channel(self, name: str) -> str:
        """Return the id of a channel's publication.

        Raises:
            Rejected: if there is none of that name, or several.
        """
        found = self.channels.get(name)
        if found == "":
            raise Rejected(
                f"several sales channels are called {name!r}",
                fields={"channels": "ambiguous"},
                remedy="Rename all but one in Shopify's admin, or leave it out.",
            )
        if found is None:
            raise Rejected(
                f"there is no sales channel {name!r}",
                fields={"channels": "unknown"},
                remedy=f"Name one of: {', '.join(self.channels)}.",
            )
        return found

    def price_list(self, market: str) -> PriceList:
        """Return where a market's prices go.

        Raises:
            Rejected: if the market has no price list, or there is no such market.
        """
        found = self.price_lists.get(market)
        if found is None:
            raise Rejected(
                f"there is no market {market!r} with a price list",
                fields={"variants.market_prices": "market"},
                remedy="Give the market a catalog with a price list, in Shopify's admin.",
            )
        return found

    def shop_amount(self, money: Money, path: str) -> str:
        """Return the wire form of an amount of the shop's currency.

        Raises:
            Rejected: for another currency.
        """
        if money.currency != self.currency:
            raise Rejected(
                f"{money} is not in the shop's currency, {self.currency}",
                fields={path: "currency"},
                remedy="Convert it, or give it as the price of a market.",
            )
        return format(money.amount, "f")


class Recent(Generic[K, V]):
    """What was learned last; the oldest half is forgotten where there is too much."""

    def __init__(self, most: int) -> None:
        """Know nothing; so much is kept, and half as much at least."""
        self._most = most // 2
        self._new: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def learn(self, key: K, value: V) -> None:
        """Keep a value."""
        if len(self._new) >= self._most:
            self._new, self._old = {}, self._new
        self._new[key] = value

    def get(self, key: K) -> V | None:
        """Return a value, None where it isn't known."""
        return self._new.get(key, self._old.get(key))


class Items:
    """The inventory items of the variants that were seen last, which never change.

    They are kept as numbers, which take a third of the memory.
    """

    def __init__(self) -> None:
        """Begin with no variant seen."""
        self._known = Recent[int, int](_ITEMS)

    def learn(self, variant: str, item: str) -> None:
        """Keep the item of a variant."""
        self._known.learn(_number(variant), _number(item))

    def get(self, variant: str) -> str:
        """Return the item of a variant, "" where it isn't known."""
        item = self._known.get(_number(variant))
        return f"gid://shopify/InventoryItem/{item}" if item else ""

    def __contains__(self, variant: object) -> bool:
        return isinstance(variant, str) and bool(self.get(variant))


def _number(gid: str) -> int:
    return int(gid.rpartition("/")[2] or 0)


@dataclass
class Shop:
    """What is known of a shop so far."""

    facts: Facts | None = None
    items: Items = field(default_factory=Items)
    rules: dict[str, Mapping[str, Rule]] = field(default_factory=dict)
    """The rules for metafields ("custom.material") by the type of their owner, as far as asked."""
    host: str = ""
    """Where it was asked for; "" where that says nothing (a sandbox on this machine)."""

    def known(self) -> Flow[Facts]:
        """Return the facts, asked for once."""
        if self.facts is None:
            self.facts = yield from self.learn()
        return self.facts

    def learn(self) -> Flow[Facts]:
        """Return the facts, asked for now.

        Raises:
            ConfigError: if another shop answers: this one was renamed, or the token is another's.
        """
        data = yield from call("shop")
        self._check(data["shop"]["myshopifyDomain"])
        scopes = Scopes.of(
            each["handle"] for each in data["currentAppInstallation"]["accessScopes"]
        )
        locales: list[Doc] = []
        if scopes.has("read_locales"):
            locales = (yield from call("locales"))["shopLocales"]
            if not locales:
                raise BadAnswer("a shop has a language at least").at("shopLocales")
        locations = yield from self._all("locations", scopes, "read_locations", "read_inventory")
        markets = yield from self._all("markets", scopes, "read_markets")
        channels = yield from self._all("publications", scopes, "read_publications")
        named: dict[str, list[str]] = {}
        for each in channels:
            if each["catalog"]:
                named.setdefault(each["catalog"]["title"], []).append(each["id"])
        for each in markets:
            if each["catalogs"]:
                variables = {"id": each["id"], "first": 50}
                yield from drain("market_more", "market", each["catalogs"], variables, ["catalogs"])
        lists = {each["handle"]: found for each in markets if (found := _price_list(each))}
        self.facts = Facts(
            info=_info(data["shop"], locales, locations, markets, tuple(named), scopes),
            locations={each["name"]: each["id"] for each in locations},
            channels={title: ids[0] if len(ids) == 1 else "" for title, ids in named.items()},
            price_lists=lists,
            scopes=scopes,
        )
        return self.facts

    def ruled(self, owner: str) -> Flow[Mapping[str, Rule]]:
        """Return the rules for the metafields of an owner ("PRODUCT"), asked for once."""
        if owner not in self.rules:
            name, root = "metafield_definitions", "metafieldDefinitions"
            nodes = yield from drained(name, root, {"owner": owner}, _DEFINITIONS)
            self.rules[owner] = {
                f"{each['namespace']}.{each['key']}": _rule(each) for each in nodes
            }
        return self.rules[owner]

    def _check(self, answered: str) -> None:
        if self.host and answered != self.host:
            raise ConfigError(
                f"{self.host} answers as another shop, {answered}, so nothing was read or written. "
                f"If that one is meant, give its address: shopify://{answered}"
            )

    def _all(self, name: str, scopes: Scopes, *any_of: str) -> Flow[list[Doc]]:
        """Return all there is of a kind, nothing where no scope allows to look."""
        if not any(map(scopes.has, any_of)):
            return []
        return (yield from drained(name, name))


def _info(
    shop: Doc,
    locales: list[Doc],
    locations: list[Doc],
    markets: list[Doc],
    channels: tuple[str, ...],
    scopes: Scopes,
) -> StoreInfo:
    limits = shop["resourceLimits"]
    locales = sorted(locales, key=lambda each: not each["primary"])
    return StoreInfo(
        id=shop["id"],
        name=shop["name"],
        url=shop["primaryDomain"]["url"],
        currency=shop["currencyCode"],
        locales=tuple(each["locale"] for each in locales),
        time_zone=shop["ianaTimezone"],
        weight_unit=WEIGHTS[shop["weightUnit"]],
        locations=tuple(map(_location, locations)),
        markets=tuple(map(_market, markets)),
        channels=channels,
        scopes=scopes.granted,
        limits={
            "variants": limits["maxProductVariants"],
            "options": limits["maxProductOptions"],
        },
    )


def _rule(definition: Doc) -> Rule:
    asked = {each["name"]: each["value"] or "" for each in definition["validations"]}
    return Rule(definition["type"]["name"], asked)


def _price_list(market: Doc) -> PriceList | None:
    """Return the price list of a market's first active catalog that has one."""
    for each in (market["catalogs"] or {}).get("nodes", ()):
        if each["status"] == "ACTIVE" and each["priceList"]:
            return PriceList(each["priceList"]["id"], each["priceList"]["currency"])
    return None


def _location(doc: Doc) -> Location:
    place = doc["address"] or {}
    address = Address(
        address1=place.get("address1") or "",
        address2=place.get("address2") or "",
        city=place.get("city") or "",
        region_code=place.get("provinceCode") or "",
        postcode=place.get("zip") or "",
        country=place.get("countryCode"),
        phone=place.get("phone") or "",
    )
    return Location(id=doc["id"], name=doc["name"], address=address, active=doc["isActive"])


def _market(doc: Doc) -> Market:
    regions = ((doc["conditions"] or {}).get("regionsCondition") or {}).get("regions") or {}
    codes = (each.get("code") for each in regions.get("nodes") or ())
    settings = doc["currencySettings"] or {}
    return Market(
        id=doc["id"],
        handle=doc["handle"],
        name=doc["name"],
        currency=(settings.get("baseCurrency") or {}).get("currencyCode") or "",
        countries=tuple(code for code in codes if code),
        enabled=doc["status"] == "ACTIVE",
    )
