"""Measures what writing to Shopify costs in points and in virtual time, against the arithmetic.

    python benchmarks/shopify.py                     # 10,000 products of 5 variants, both plans
    python benchmarks/shopify.py --products 500      # fewer
    python benchmarks/shopify.py --plan Plus

The shop is the adapter's sandbox, whose bucket fills as the platform's does; time is virtual, so
the figures are the same on every machine. The bound of a listing is 11 points for each product;
what a full bucket pays at the start costs no time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import storebridge
from storebridge.engine import HandlerTransport
from storebridge.flow import Request, Response
from storebridge.models import Money, Option, Product, Variant
from storebridge.store.base import Opening
from storebridge.testing import VirtualClock
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify.sandbox import create, settings

#: Points a second of two plans, and how many seconds' worth their buckets hold.
PLANS = {"Standard": 100, "Plus": 1000}
_BUCKET = 20
_PRODUCT_SET = 11
_VARIANTS = 5


@dataclass
class Meter:
    """A shop and what was asked of it: requests and points by operation, and refusals."""

    rate: int
    folder: Path
    requests: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    throttled: int = 0

    def __post_init__(self) -> None:
        """Open a new shop; what opening it cost isn't counted."""
        self.clock = VirtualClock()
        self.sandbox = create(None, clock=self.clock.time, rate=self.rate)
        self.store = storebridge.Store(
            ShopifyAdapter(ShopifySettings.model_validate(settings())),
            Opening(state=self.folder, clock=self.clock, transport=HandlerTransport(self._answer)),
        )
        _ = self.store.info
        self.restart()

    def restart(self) -> None:
        """Count from here on, with a full bucket."""
        self.clock.sleep(_BUCKET)
        self.requests.clear()
        self.points.clear()
        self.throttled, self._began = 0, self.clock.elapsed

    def _answer(self, request: Request) -> Response:
        response = self.sandbox(request)
        answer = json.loads(response.body)
        name = _operation(request)
        self.requests[name] += 1
        cost = answer.get("extensions", {}).get("cost", {})
        self.points[name] += cost.get("actualQueryCost") or 0
        codes = [each.get("extensions", {}).get("code") for each in answer.get("errors", ())]
        self.throttled += "THROTTLED" in codes
        return response

    @property
    def seconds(self) -> float:
        """Virtual time since the start."""
        return self.clock.elapsed - self._began

    def summary(self, what: str, bound: int) -> str:
        """Return the figures as a row of a table; `bound` is in points."""
        total = self.points.total()
        least = max(0.0, (bound - _BUCKET * self.rate) / self.rate)
        ratio = f"{self.seconds / least:.3f}" if least else "no waiting"
        return (
            f"{what}: {self.requests.total()} requests, {total:.0f} points "
            f"({total / bound:.3f} of {bound}), {self.seconds / 60:.2f} min ({ratio} of "
            f"{least / 60:.2f}), {self.throttled} throttled"
        )


def _operation(request: Request) -> str:
    if not isinstance(request.body, bytes):
        return request.path
    words = str(json.loads(request.body)["query"]).replace("(", " ").split()
    at = next(n for n, word in enumerate(words) if word in ("query", "mutation"))
    return words[at + 1]


def products(count: int) -> Iterator[Product]:
    """Yield products of five variants without pictures."""
    sizes = ("XS", "S", "M", "L", "XL")[:_VARIANTS]
    for number in range(count):
        yield Product(
            handle=f"shirt-{number}",
            title=f"Shirt {number}",
            status="active",
            vendor="Loom",
            tags=("linen",),
            options=(Option(name="Size", values=sizes),),
            variants=tuple(
                Variant(
                    sku=f"S{number}-{size}",
                    options=(size,),
                    price=Money(Decimal(10 + number % 90) + Decimal("0.50"), "EUR"),
                )
                for size in sizes
            ),
        )


def listing(meter: Meter, count: int) -> None:
    """Plan and apply new products, written directly."""
    plan = meter.store.plan(products(count), meter.folder / "listing.plan")
    report = plan.apply()
    assert {word for word, number in report.counts.items() if number} == {"applied"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what was asked for and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--plan", choices=PLANS, action="append")
    chosen = parser.parse_args(arguments)
    for plan in chosen.plan or PLANS:
        with tempfile.TemporaryDirectory() as folder:
            meter = Meter(PLANS[plan], Path(folder))
            listing(meter, chosen.products)
            print(meter.summary(f"listing on {plan}", chosen.products * _PRODUCT_SET))
            for name, points in meter.points.most_common():
                print(f"    {name}: {meter.requests[name]} requests, {points:.0f} points")
            meter.store.close()


if __name__ == "__main__":
    main()
