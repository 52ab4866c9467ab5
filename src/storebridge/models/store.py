"""What a store says about itself: identity, money, languages, units, places."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from storebridge.models.base import Model
from storebridge.models.market import Location, Market
from storebridge.models.text import Locale
from storebridge.models.units import LengthUnit, WeightUnit

__all__ = ["StoreInfo"]


class StoreInfo(Model):
    """The facts of one store that files leave open and plans depend on.

    `id` is the store's identity: it never changes and no other store has it. A plan made for one
    identity is refused by every other store.
    """

    id: str
    name: str = ""
    url: str = ""
    currency: str
    locales: tuple[Locale, ...] = ()
    """The languages of the shop, its main one first."""
    time_zone: str = "UTC"
    weight_unit: WeightUnit = "kg"
    length_unit: LengthUnit = "cm"
    locations: tuple[Location, ...] = ()
    markets: tuple[Market, ...] = ()
    channels: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    """The rights that the credentials carry, in the platform's words."""
    limits: Mapping[str, int] = Field(default_factory=dict)
    """Limits that differ from store to store, by field path or platform word."""

    @property
    def only_location(self) -> str:
        """The name of the store's only location, "" where there are several."""
        return self.locations[0].name if len(self.locations) == 1 else ""

    def market_currencies(self) -> dict[str, str]:
        """Return each market's currency by its handle and by its name."""
        named = ((market, name) for market in self.markets for name in (market.handle, market.name))
        return {name: market.currency for market, name in named if name and market.currency}
