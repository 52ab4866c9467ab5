"""A shop's facts: who it is, its money, units and languages, and the plugins that matter.

They come from the site's own index, `system_status` and the product settings. What was learned is
kept for as long as the adapter lives: prices and weights can't be read without it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from storebridge.errors import BadAnswer, ConfigError, NotFound
from storebridge.flow import Flow, Request, send
from storebridge.models import Location, StoreInfo, is_currency
from storebridge.models.units import LengthUnit, WeightUnit
from storebridge.wire import json_of

__all__ = ["INDEX", "LOCATION", "OLDEST", "Facts", "Language", "Site"]

#: The site's own index; asked without credentials, which WordPress would refuse there.
INDEX = "/wp-json/"
#: The name of the one place that holds a shop's stock.
LOCATION = "Default"
#: The oldest WooCommerce that the adapter is made for.
OLDEST = (8, 0)

_WEIGHTS: Mapping[str, WeightUnit] = {"kg": "kg", "g": "g", "lbs": "lb", "oz": "oz"}
_LENGTHS: Mapping[str, LengthUnit] = {"m": "m", "cm": "cm", "mm": "mm", "in": "in", "yd": "yd"}
_SEO = {"wordpress-seo": "yoast", "wordpress-seo-premium": "yoast", "seo-by-rank-math": "rank_math"}
_TRANSLATORS = {
    "sitepress-multilingual-cms": "wpml",
    "polylang": "polylang",
    "polylang-pro": "polylang",
    "polylang-wc": "polylang",
}
#: Both keep the same metadata.
_TRACKERS = frozenset(("woocommerce-shipment-tracking", "woo-advanced-shipment-tracking"))
_INDEX_FIELDS = "name,url,home,gmt_offset,timezone_string,namespaces"


class Language(NamedTuple):
    """A language of a shop with Polylang, and what the addresses of its products begin with."""

    code: str
    locale: str
    home: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a shop says about itself, as far as reading and writing depend on it."""

    id: str
    name: str
    home: str
    version: str
    currency: str
    language: str
    time_zone: str
    weight_unit: WeightUnit
    length_unit: LengthUnit
    seo: str = ""
    """"yoast", "rank_math", or "" where no plugin keeps search engine texts."""
    translator: str = ""
    """"wpml", "polylang", or "" where the shop has one language."""
    languages: tuple[Language, ...] = ()
    """Where Polylang tells them, the shop's default one first."""
    tracking: bool = False
    """Whether a plugin keeps the tracking numbers of parcels with the orders."""
    seconds: int = 0
    """How long the server lets one request run (PHP's max_execution_time)."""

    def info(self) -> StoreInfo:
        """Return the facts as every platform gives them."""
        return StoreInfo(
            id=self.id,
            name=self.name,
            url=self.home,
            currency=self.currency,
            locales=tuple(each.locale for each in self.languages) or (self.language,),
            time_zone=self.time_zone,
            weight_unit=self.weight_unit,
            length_unit=self.length_unit,
            locations=(Location(id="default", name=LOCATION),),
            scopes=tuple(filter(None, (f"woocommerce {self.version}", self.seo, self.translator))),
            limits={"seconds": self.seconds} if self.seconds else {},
        )


class Site:
    """What is known of a shop so far."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.facts: Facts | None = None
        self.home = ""

    def known(self) -> Flow[Facts]:
        """Return the shop's facts, asked for once."""
        return self.facts or (yield from self.learn())

    def learn(self) -> Flow[Facts]:
        """Ask the shop for its facts, and keep them.

        Raises:
            ConfigError: if the shop's WooCommerce is too old, or not active.
        """
        index = yield from self.index()
        params = (("_fields", "environment,settings,active_plugins"),)
        request = Request(method="GET", path="/system_status", params=params)
        status = json_of((yield from send(request)))
        settings = Request(
            method="GET", path="/settings/products", params=(("_fields", "id,value"),)
        )
        units = json_of((yield from send(settings)))
        facts = _facts(index, status, {each["id"]: each["value"] for each in units})
        if facts.translator == "polylang" and "pll/v1" in index["namespaces"]:
            facts = replace(facts, languages=(yield from _languages()))
        self.facts = facts
        return facts

    def index(self) -> Flow[Mapping[str, Any]]:
        """Return what the site says to everybody; its own address is kept for signatures."""
        request = Request(method="GET", path=INDEX, params=(("_fields", _INDEX_FIELDS),))
        index = json_of((yield from send(request)))
        if not isinstance(index, dict) or "namespaces" not in index:
            raise NotFound("there is no WordPress at this address")
        if "wc/v3" not in index["namespaces"]:
            raise ConfigError(
                "this is a WordPress site on which WooCommerce isn't active. Activate the plugin "
                "WooCommerce, or check the store's URL"
            )
        self.home = str(index.get("home") or index.get("url") or "").rstrip("/")
        return index


def _facts(index: Mapping[str, Any], status: Any, units: Mapping[str, str]) -> Facts:
    environment, settings = status["environment"], status["settings"]
    version = str(environment["version"])
    numbers = re.findall(r"[0-9]+", version)
    if tuple(map(int, numbers[:2])) < OLDEST:
        raise ConfigError(
            f"the shop has WooCommerce {version}, and this adapter is made for "
            f"{'.'.join(map(str, OLDEST))} and newer. Update WooCommerce"
        )
    if not is_currency(settings["currency"]):
        raise BadAnswer(f"the shop's currency {settings['currency']!r} is none of ISO 4217")
    home = str(index.get("home") or environment["home_url"]).rstrip("/")
    plugins = [str(each["plugin"]).partition("/")[0] for each in status.get("active_plugins", ())]
    return Facts(
        id=_identity(str(environment.get("store_id") or ""), home),
        name=str(index.get("name", "")),
        home=home,
        version=version,
        currency=settings["currency"],
        language=str(environment.get("language") or "en").replace("_", "-"),
        time_zone=_time_zone(index),
        weight_unit=_WEIGHTS[units["woocommerce_weight_unit"]],
        length_unit=_LENGTHS[units["woocommerce_dimension_unit"]],
        seo=next((_SEO[name] for name in plugins if name in _SEO), ""),
        translator=next((_TRANSLATORS[name] for name in plugins if name in _TRANSLATORS), ""),
        tracking=not _TRACKERS.isdisjoint(plugins),
        seconds=int(environment.get("php_max_execution_time") or 0),
    )


def _languages() -> Flow[tuple[Language, ...]]:
    """Return what Polylang tells to everybody (Polylang 3.9)."""
    params = (("_fields", "slug,w3c,home_url,is_default"),)
    request = Request(method="GET", path="/wp-json/pll/v1/languages", params=params)
    rows = json_of((yield from send(request)))
    rows = sorted(rows, key=lambda row: not row["is_default"])
    return tuple(Language(row["slug"], row["w3c"], row["home_url"]) for row in rows)


def _identity(store_id: str, home: str) -> str:
    """Return an identity that a copy of the shop for staging, under another address, hasn't."""
    address = home.partition("://")[2]
    return f"{store_id}@{address}" if store_id else address


def _time_zone(index: Mapping[str, Any]) -> str:
    if name := str(index.get("timezone_string") or ""):
        return name
    hours = float(index.get("gmt_offset") or 0)
    return f"Etc/GMT{-int(hours):+d}" if hours and hours == int(hours) else "UTC"
