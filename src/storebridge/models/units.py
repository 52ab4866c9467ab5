"""Weights and lengths with their units, converted exactly through Decimal factors."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Literal

from storebridge.models.base import Model

__all__ = ["Dimensions", "Length", "LengthUnit", "Weight", "WeightUnit"]

WeightUnit = Literal["g", "kg", "oz", "lb"]
LengthUnit = Literal["mm", "cm", "m", "in", "ft", "yd"]

#: In grams; the international avoirdupois pound is 453.59237 g exactly.
_GRAMS = {
    "g": Decimal(1),
    "kg": Decimal(1000),
    "oz": Decimal("28.349523125"),
    "lb": Decimal("453.59237"),
}
#: In millimetres; the international inch is 25.4 mm exactly.
_MILLIMETRES = {
    "mm": Decimal(1),
    "cm": Decimal(10),
    "m": Decimal(1000),
    "in": Decimal("25.4"),
    "ft": Decimal("304.8"),
    "yd": Decimal("914.4"),
}


class Weight(Model):
    """A weight in a unit; `to` converts it exactly."""

    value: Decimal
    unit: WeightUnit

    def to(self, unit: WeightUnit) -> Decimal:
        """Return the number of this weight in another unit."""
        if unit == self.unit:
            return self.value
        return self.value * _GRAMS[self.unit] / _GRAMS[unit]


class Length(Model):
    """A length in a unit; `to` converts it exactly."""

    value: Decimal
    unit: LengthUnit

    def to(self, unit: LengthUnit) -> Decimal:
        """Return the number of this length in another unit."""
        if unit == self.unit:
            return self.value
        return self.value * _MILLIMETRES[self.unit] / _MILLIMETRES[unit]


class Dimensions(Model):
    """The size of a packed item; a side that is not given is not managed."""

    atomic: ClassVar[bool] = False

    length: Length | None = None
    width: Length | None = None
    height: Length | None = None
