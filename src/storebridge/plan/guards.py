"""Guards: what a plan may do at most. A breach plans nothing, and says which rows and why.

They stand between a broken source (a feed that was cut off, a column of zeros, a decimal sign that
moved) and a store. They are measured while a plan is made, of exactly the changes that it has; an
undo and a plan made anew are not guarded: they hold nothing but changes of a plan that was, and a
guard in the way of an undo would keep a mistake alive.

**Shares** are shares of the store's products in scope: of those that `where` matches as they are
now, or of all of them without a `where`. Where a store is its own source, `where` says what to
change and not what the source speaks of, and shares are of all of the store's products. Created
products count on neither side. Up to five products are never too large a share, so that a shop of
three may archive one; only "0%" means none at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from storebridge.compare import Patch, flatten
from storebridge.errors import Refused, UsageError
from storebridge.models import Money, Product, Variant
from storebridge.plan.file import ChangeRow, PlanFile
from storebridge.plan.spool import Emptied, Spool, Spooled

if TYPE_CHECKING:
    from storebridge.plan.scope import Scope

__all__ = ["FEW", "GuardResult", "Guards", "Watch"]

#: So many products are never too large a share.
FEW = 5
#: Rows that a breach names.
_MOST_ROWS = 10
#: What becomes of the products that shares are measured of.
_SHARES = {
    "max_emptied": "archived, drafted, deleted or left without stock",
    "max_changed": "changed or deleted",
}
#: The changes of products that the store has.
_LIVE = "kind = 'product' AND record_id != ''"
_NOTHING = Variant()
_SHARE = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) ?%", re.ASCII)
_AGE = re.compile(r"(\d{1,6}) ?(s|m|h|d|w)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What a plan may do at most; the same words as on the command line, as plain texts.

    Shares are written "20%", ages "90m", "24h" or "7d"; "" lets everything through.
    """

    min_rows: int = 0
    """How many records the source has at least; of a stock or price feed, how many SKUs."""
    max_changed: str = ""
    """The share of the products in scope that are updated or deleted at most."""
    max_emptied: str = "20%"
    """The share of the products in scope that may go: those that are deleted, that are active and
    become anything else (draft, archived), or that lose all of their stock."""
    max_deletes: int = 0
    """How many records of any kind, and variants of products that stay, are deleted at most."""
    max_price_move: str = ""
    """How far any price that is paid (the price, a sale's, a market's) goes up or down at most, of
    what it was. A change of currency is too far, and so is a price instead of 0; a new variant's
    or a new market's price moves nothing."""
    max_age: str = ""
    """How old the source is at most: its `as of` time, else when its file was changed last. Records
    in memory and stores are read as they are now."""

    def __post_init__(self) -> None:
        """Understand texts.

        Raises:
            UsageError: for one that is no number, share or age.
        """
        for name in ("min_rows", "max_deletes"):
            object.__setattr__(self, name, _whole(name, getattr(self, name)))
        for name in ("max_changed", "max_emptied", "max_price_move"):
            _share(name, getattr(self, name))
        _seconds(self.max_age)


@dataclass(frozen=True, slots=True)
class GuardResult:
    """What one guard found: its option's name, its limit and what was measured, in words."""

    guard: str
    """"max_emptied", as `Guards` has it."""
    limit: str
    measured: str
    ok: bool

    @property
    def option(self) -> str:
        """The option as it is typed: "--max-emptied"."""
        return _option(self.guard)

    def __str__(self) -> str:
        return f"{self.option} {self.limit} ({self.measured})"


class _Row(NamedTuple):
    """A change that a guard counts: the row of the source (None for none), and what changes."""

    origin: int | None
    label: str
    text: str


@dataclass(slots=True)
class _Tally:
    """How many changes a guard counts, and the first of them."""

    count: int = 0
    first: list[_Row] = field(default_factory=list)

    def add(self, origin: int | None, label: str, text: str) -> None:
        """Count a change, and keep it where it is one of the first."""
        self.count += 1
        if self.count <= _MOST_ROWS:
            self.first.append(_Row(origin, label, text))


class _Breach(NamedTuple):
    """How a guard is broken: what is the matter, the option that lets it through, and the rows."""

    why: str
    remedy: str
    tally: _Tally = _Tally()


class Watch:
    """Measures a plan in the making, and refuses it where it breaks a guard."""

    def __init__(self, guards: Guards, spool: Spool, file: PlanFile) -> None:
        """Begin with nothing measured."""
        self._guards, self._spool, self._file = guards, spool, file
        self._results: list[GuardResult] = []
        self._breaches: list[tuple[GuardResult, _Breach]] = []
        self._move = _share("max_price_move", guards.max_price_move)
        self._moves, self._furthest = _Tally(), Decimal(0)
        self._deletes = _Tally()
        self._emptied: list[Emptied] = []

    # -- what the source is

    def source(self, rows: int, made_at: datetime | None, name: str) -> None:
        """Check the source itself, once it is read whole.

        Raises:
            Refused: if it is empty, too short or too old.
        """
        if not rows:
            raise Refused(
                f"{name} is empty: it has no record, so nothing was planned. A source that means "
                "to empty a store says so record by record"
            )
        least = self._guards.min_rows
        if least:
            why, remedy = f"the source has {_count(rows, 'row')}", f"--min-rows {rows}"
            self._note("min_rows", f"{rows:,}", rows >= least, _Breach(why, remedy))
        if self._guards.max_age:
            self._age(made_at, name)
        self._refuse(name)

    def _age(self, made_at: datetime | None, name: str) -> None:
        if made_at is None:
            self._note("max_age", "read now", ok=True)
            return
        age = max(0.0, (datetime.now(UTC) - made_at).total_seconds())
        hours = -int(-age // 3600)
        breach = _Breach(f"{name} is of {made_at:%d %B %Y, %H:%M %Z}", f"--max-age {hours}h")
        within = age <= _seconds(self._guards.max_age)
        self._note("max_age", f"under {hours}h", within, breach)

    # -- what becomes of records

    def updated(self, row: Spooled, live: Any, patch: Patch) -> None:
        """Take in one part of what changes in a live record."""
        if not isinstance(live, Product):
            return
        if patch.after.get("status", "active") != "active" and live.status == "active":
            status = patch.after["status"]
            self._gone(row, live, f"active -> {status}")
        elements = patch.after.get("variants")
        if elements:
            self._variants(row, live, patch.before["variants"], elements)

    def deleted(self, row: Spooled, live: Any) -> None:
        """Take in a live record that is deleted."""
        self._deletes.add(row.origin, f"{row.kind} {row.label}", "deleted")
        if isinstance(live, Product):
            self._gone(row, live, "deleted")

    def flush(self) -> None:
        """Write down what was collected since the last time."""
        self._spool.add_emptied(self._emptied)
        self._emptied = []

    def _gone(self, row: Spooled, live: Product, text: str) -> None:
        self._emptied.append(Emptied(live.id, row.origin, live.label, text, 1, 0, 0))

    def _variants(
        self,
        row: Spooled,
        live: Product,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
    ) -> None:
        """Take in variants that are removed, run out of stock, or change their price."""
        by_id = {variant.id: variant for variant in live.variants}
        lost = 0
        for label, now in after.items():
            was = before[label]
            held = by_id.get((was or now).get("id", ""), _NOTHING)
            if now is None:
                self._deletes.add(row.origin, f"product {live.label}", f"variant {label} deleted")
            lost += _lost(held, was, now)
            if self._move is not None and was is not None and now is not None:
                for path, old, new in _prices(held, was, now):
                    self._price(row.origin, live.label, f"variants[{label}].{path}", old, new)
        if lost:
            stocked = sum(_stock(variant) > 0 for variant in live.variants)
            text = f"stock {sum(map(_stock, live.variants))} -> 0"
            self._emptied.append(Emptied(live.id, row.origin, live.label, text, 0, stocked, lost))

    def _price(
        self, origin: int | None, label: str, path: str, before: str, after: str | None
    ) -> None:
        move = _moved(before, after)
        self._furthest = max(self._furthest, move)
        if self._move is not None and move > self._move:
            self._moves.add(origin, f"product {label}", f"{path} {before} -> {after or 'nothing'}")

    # -- the end

    def finish(self, scope: Scope, name: str) -> None:
        """Measure the whole plan, and keep the results with it.

        Raises:
            Refused: if it breaks a guard; the message has all that are broken.
        """
        self.flush()
        self._share("max_emptied", self._emptied_tally, scope)
        self._share("max_changed", self._changed_tally, scope)
        count = self._deletes.count
        breach = _Breach(f"{count:,} would be deleted", f"--max-deletes {count}", self._deletes)
        self._note("max_deletes", _or_none(count), count <= self._guards.max_deletes, breach)
        if self._move is not None:
            self._prices_moved()
        self._refuse(name)
        self._file.put_meta(guards=[asdict(result) for result in self._results])

    def _prices_moved(self) -> None:
        why = f"{_count(self._moves.count, 'price')} would move further"
        if self._furthest.is_infinite():
            measured, remedy = "beyond measure", "plan without --max-price-move"
        else:
            measured = _percent(self._furthest) if self._furthest else "none"
            remedy = f"--max-price-move {_enough(self._furthest)}"
        breach = _Breach(why, remedy, self._moves)
        self._note("max_price_move", measured, not self._moves.count, breach)

    def _share(self, guard: str, measure: Callable[[], _Tally], scope: Scope) -> None:
        most = _share(guard, getattr(self._guards, guard))
        if most is None:
            return
        tally = measure()
        count = tally.count
        if count <= (FEW if most else 0):
            self._note(guard, _or_none(count), ok=True)
            return
        size = max(scope.size, count)
        share = Decimal(count) / size
        measured = f"{count:,} of {_count(size, 'product')} in scope, {_percent(share)}"
        remedy = f"{_option(guard)} {_enough(share)}"
        breach = _Breach(f"{measured}, would be {_SHARES[guard]}", remedy, tally)
        self._note(guard, measured, share <= most, breach)

    def _emptied_tally(self) -> _Tally:
        count, first = self._spool.emptied(_MOST_ROWS)
        rows = [_Row(each.origin, f"product {each.label}", each.text) for each in first]
        return _Tally(count, rows)

    def _changed_tally(self) -> _Tally:
        changed = f"FROM changes WHERE {_LIVE}"
        count = self._file.count(f"SELECT 0, COUNT(DISTINCT record_id) {changed}")[0]
        first = f"SELECT MIN(seq) {changed} GROUP BY record_id ORDER BY 1 LIMIT {_MOST_ROWS}"
        rows = self._file.changes(f"WHERE seq IN ({first})")
        return _Tally(count, [_Row(row.origin, f"product {row.label}", _said(row)) for row in rows])

    def _note(self, guard: str, measured: str, ok: bool, breach: _Breach | None = None) -> None:
        """Keep what a guard found, and in which way it is broken if it is."""
        result = GuardResult(guard, str(getattr(self._guards, guard)), measured, ok)
        self._results.append(result)
        if breach is not None and not ok:
            self._breaches.append((result, breach))

    def _refuse(self, name: str) -> None:
        if self._breaches:
            texts = "\n".join(_told(result, breach, name) for result, breach in self._breaches)
            raise Refused(f"Nothing was planned, because a guard stands in the way.\n{texts}")


# -- texts and what they mean


def _whole(name: str, value: int | str) -> int:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(f"{_option(name)} {value!r} is no count. Write digits, like 100")
    return value


def _share(name: str, text: str) -> Decimal | None:
    """Return a share as a number from 0 up, None for no limit."""
    if text == "":
        return None
    found = _SHARE.fullmatch(text.strip()) if isinstance(text, str) else None
    if not found:
        raise UsageError(f"{_option(name)} {text!r} is no share. Write it like 20%")
    return Decimal(found[1]) / 100


def _seconds(text: str) -> int:
    """Return an age in seconds, 0 for no limit."""
    if text == "":
        return 0
    found = _AGE.fullmatch(text.strip()) if isinstance(text, str) else None
    if not found:
        raise UsageError(f"--max-age {text!r} is no age. Write it like 90m, 24h or 7d")
    return int(found[1]) * _SECONDS[found[2]]


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _told(result: GuardResult, breach: _Breach, source: str) -> str:
    """Return a breach in a person's words, with the first of its rows."""
    lines = [f"{result.option} {result.limit}: {breach.why}"]
    for origin, label, text in breach.tally.first:
        spot = f"{source}, row {origin}" if origin else f"not in {source}"
        lines.append(f"  {spot}: {label}: {text}")
    rest = breach.tally.count - len(breach.tally.first)
    lines += [f"  ... and {rest:,} more"] if rest else []
    return "\n".join([*lines, f"  If that is meant: {breach.remedy}"])


def _or_none(count: int) -> str:
    return f"{count:,}" if count else "none"


def _count(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' * (count != 1)}" if count else f"no {word}"


def _percent(share: Decimal) -> str:
    """Return a share in percent, with one decimal where there is one."""
    return f"{share * 100:.1f}".removesuffix(".0") + "%"


def _enough(share: Decimal) -> str:
    """Return the lowest whole percentage that a share doesn't exceed."""
    return f"{ceil(share * 100)}%"


def _said(row: ChangeRow) -> str:
    """Return what a change does to its first field, and how many more it changes."""
    if row.after is None:
        return "deleted"
    patch = Patch(json.loads(row.before or "{}"), json.loads(row.after))
    (path, was, now), *more = flatten(Product, patch)
    rest = f", and {_count(len(more), 'field')} more" if more else ""
    return f"{path} {_short(was)} -> {_short(now)}{rest}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "nothing" if value in (None, "") else text if len(text) <= 60 else f"{text[:57]}..."


# -- stock and prices


def _stock(variant: Variant) -> int:
    return sum(level.available for level in variant.inventory)


def _lost(held: Variant, was: Any, now: Any) -> int:
    """Return 1 for a variant that loses its stock, -1 for one that gets some, else 0."""
    if was and now and "inventory" not in now:
        return 0
    before = _stock(held) if was else 0
    after = before + _available(now) - _available(was) if now else 0
    return (before > 0 >= after) - (after > 0 >= before)


def _available(doc: Any) -> int:
    """Return the stock of the levels that one side of a patch has; a new variant's are a list."""
    levels = (doc or {}).get("inventory") or ()
    found = levels.values() if isinstance(levels, dict) else levels
    return sum(level["available"] for level in found if level)


def _prices(held: Variant, was: Any, now: Any) -> Iterator[tuple[str, str, str | None]]:
    """Yield the prices that are paid and change: path, before and after."""
    if was.get("price"):
        yield "price", was["price"], now["price"]
    if now.get("sale"):
        before = (was.get("sale") or {}).get("price") or (str(held.price) if held.price else "")
        if before:
            yield "sale.price", before, now["sale"]["price"]
    for label, market in (now.get("market_prices") or {}).items():
        before = (was["market_prices"][label] or {}).get("price")
        if before and market and "price" in market:
            yield f"market_prices[{label}].price", before, market["price"]


def _moved(before: str, after: str | None) -> Decimal:
    """Return how far a price moves, as a share of what it was; infinity beyond measure."""
    old = Money.parse(before)
    new = Money.parse(after) if after else Money(0, old.currency)
    if new.currency != old.currency:
        return Decimal("Infinity")
    move = abs(new.amount - old.amount)
    return move / abs(old.amount) if old.amount else Decimal("Infinity") if move else Decimal(0)
