"""Money: an exact amount and its ISO 4217 currency. A float never becomes money."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache
from typing import Any, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = ["Money", "is_currency", "minor_units", "parse_amount"]

_AMOUNT = re.compile(r"-?\d{1,24}(\.\d{1,12})?", re.ASCII)
_CODE = re.compile(r"[A-Z]{3}", re.ASCII)


@cache
def minor_units(currency: str) -> int:
    """Return how many decimal digits a currency has (EUR 2, JPY 0, KWD 3). Source: CLDR."""
    from babel.numbers import get_currency_precision

    return get_currency_precision(currency)


@cache
def is_currency(code: str) -> bool:
    """Return whether a code is a currency of ISO 4217."""
    from babel.core import get_global

    return code in get_global("all_currencies")


def parse_amount(text: str) -> Decimal:
    """Return the decimal that ASCII digits with at most one dot write.

    Raises:
        ValueError: for anything else: a comma, an exponent, a sign other than a leading minus,
            other scripts' digits, spaces or nothing.
    """
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"{text!r} is not an amount: write digits with one dot, like 19.99")
    return Decimal(text)


class Money:
    """An exact amount of one currency, written "19.99 EUR".

    Amounts are kept digit for digit, so what a platform holds survives reading; whether the
    digits fit the currency is checked on desired values only. Two amounts of one currency are
    equal when their values are (9.9 EUR is 9.90 EUR).
    """

    __slots__ = ("amount", "currency")

    amount: Decimal
    currency: str

    def __init__(self, amount: Decimal | int | str, currency: str) -> None:
        """Make money of a Decimal, an int or plain digits; a float is a TypeError."""
        if isinstance(amount, str):
            amount = parse_amount(amount)
        elif type(amount) is int:
            amount = Decimal(amount)
        if not isinstance(amount, Decimal):
            raise TypeError(f"money needs Decimal, int or str, not {type(amount).__name__}")
        if not amount.is_finite():
            raise ValueError("money needs a finite amount")
        if not _CODE.fullmatch(currency):
            raise ValueError(f"{currency!r} is not a currency code: three letters, like EUR")
        object.__setattr__(self, "amount", amount)
        object.__setattr__(self, "currency", currency)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Money can't be changed; make another")

    def __reduce__(self) -> tuple[type[Money], tuple[Decimal, str]]:
        return Money, (self.amount, self.currency)

    def __repr__(self) -> str:
        return f"Money({str(self)!r})"

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self.amount == other.amount and self.currency == other.currency

    def __hash__(self) -> int:
        return hash((self.amount, self.currency))

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other)

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __mul__(self, factor: Decimal | int) -> Money:
        if not isinstance(factor, Decimal | int):
            raise TypeError(f"money times {type(factor).__name__} is not exact; use Decimal")
        return Money(self.amount * factor, self.currency)

    def _same(self, other: Money) -> Decimal:
        if not isinstance(other, Money):
            raise TypeError(
                f"money goes with money only, not with {other!r}: write Money('1', 'EUR')"
            )
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} can't be put together")
        return other.amount

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the money that text like "19.99 EUR" writes; ValueError for anything else."""
        amount, space, currency = text.partition(" ")
        if not space:
            raise ValueError(f"{text!r} is not money: write it like '19.99 EUR'")
        return cls(amount, currency)

    @property
    def fits(self) -> bool:
        """Whether the amount has no more digits than its currency has (1000.5 JPY doesn't)."""
        exponent = self.amount.normalize().as_tuple().exponent
        return isinstance(exponent, int) and -exponent <= minor_units(self.currency)

    def rounded(self, rounding: str = ROUND_HALF_UP) -> Money:
        """Return the money rounded to its currency's digits, in the named decimal mode."""
        step = Decimal(1).scaleb(-minor_units(self.currency))
        return Money(self.amount.quantize(step, rounding=rounding), self.currency)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate,
            serialization=core_schema.to_string_ser_schema(when_used="json"),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "examples": ["19.99 EUR"]}

    @classmethod
    def _validate(cls, value: object) -> Money:
        if isinstance(value, Money):
            return value
        if isinstance(value, str):
            return _cached(value)
        raise ValueError("money is written like '19.99 EUR'")


@lru_cache(maxsize=8192)
def _cached(text: str) -> Money:
    """Parse money once per text: prices repeat, and money can't be changed."""
    return Money.parse(text)
