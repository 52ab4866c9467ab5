"""Where a store sells and where its goods lie."""

from __future__ import annotations

from typing import ClassVar

from storebridge.models.base import Record
from storebridge.models.customer import Address
from storebridge.models.text import Country, Locale

__all__ = ["Location", "Market"]


class Market(Record):
    """A region with its currency, prices and locales."""

    kind: ClassVar[str] = "market"

    handle: str = ""
    name: str = ""
    currency: str = ""
    countries: tuple[Country, ...] = ()
    locales: tuple[Locale, ...] = ()
    enabled: bool = True

    def keys(self) -> tuple[str, ...]:
        """External key and handle."""
        return (*super().keys(), *((f"handle:{self.handle}",) if self.handle else ()))


class Location(Record):
    """A place that holds stock."""

    kind: ClassVar[str] = "location"

    name: str = ""
    address: Address | None = None
    active: bool = True

    def keys(self) -> tuple[str, ...]:
        """External key and name."""
        return (*super().keys(), *((f"name:{self.name}",) if self.name else ()))
