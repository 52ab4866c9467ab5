"""Where a source's quantities lie in the store: by its locations' names, or by what is said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from storebridge.errors import UsageError
from storebridge.models import InventoryLevel, Product, StoreInfo

__all__ = ["Misplaced", "Places"]


class Misplaced(NamedTuple):
    """A location of the source that the store doesn't have."""

    name: str
    message: str
    remedy: str


class Places:
    """Puts quantities where they belong; several that come to one location are added up."""

    def __init__(self, info: StoreInfo, said: str) -> None:
        """Understand what is said of locations.

        Args:
            info: the store's facts; without locations any name passes.
            said: where quantities without a location belong ("Main"), or what the source's
                locations are called in the store ("Shop=Default, Depot=Default"), or both.

        Raises:
            UsageError: for half a pair.
        """
        self._known = [at.name or at.id for at in info.locations]
        self._names = {name for at in info.locations for name in (at.name, at.id) if name}
        self._else, self._renamed = info.only_location, dict[str, str]()
        for part in said.split(",") if "=" in said else filter(None, (said,)):
            ours, equals, theirs = (each.strip() for each in part.partition("="))
            if equals and not (ours and theirs):
                raise UsageError(f"--location {part.strip()!r} lacks a name beside its '='")
            if equals:
                self._renamed[ours] = theirs
            else:
                self._else = ours

    @property
    def default(self) -> str:
        """Where quantities without a location belong; "" where nothing tells."""
        return self._else

    def put(self, product: Product) -> Product:
        """Return a product whose quantities lie at the store's locations, as far as is said."""
        levels = chain.from_iterable(variant.inventory for variant in product.variants)
        if all(self._place(level) == level.location for level in levels):
            return product
        variants = tuple(
            v.model_copy(update={"inventory": tuple(self._added_up(v.inventory))})
            if v.inventory
            else v
            for v in product.variants
        )
        return product.model_copy(update={"variants": variants})

    def misplaced(self, product: Product) -> Iterator[Misplaced]:
        """Yield the locations of a product's quantities that the store doesn't have, each once."""
        named = (level.location for v in product.variants for level in v.inventory)
        for name in dict.fromkeys(named):
            if not name:
                message = "a quantity names no location and the store has several"
                yield Misplaced(name, message, f"Say with --location which one: {self._list()}.")
            elif self._names and name not in self._names:
                message = f"the store has no location {name!r}"
                remedy = f"Say which one it is there, with --location '{name}={self._known[0]}'; "
                yield Misplaced(name, message, f"{remedy}the store has {self._list()}.")

    def _list(self) -> str:
        return ", ".join(self._known) or "none that this token may see"

    def _place(self, level: InventoryLevel) -> str:
        return self._renamed.get(level.location, level.location) or self._else

    def _added_up(self, levels: Iterable[InventoryLevel]) -> Iterator[InventoryLevel]:
        found: dict[str, int] = {}
        for level in levels:
            place = self._place(level)
            found[place] = found.get(place, 0) + level.available
        for place, available in found.items():
            yield InventoryLevel(location=place, available=available)
