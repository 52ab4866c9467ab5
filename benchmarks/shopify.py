"""Measures the Shopify adapter: points and calls against the arithmetic, CPU against a bare loop.

    python benchmarks/shopify.py                          # everything, with 10,000 products
    python benchmarks/shopify.py --only listing --products 500 --plan Plus
    python benchmarks/shopify.py --only rows --products 1000    # prices and stock
    python benchmarks/shopify.py --only reading    # as many orders and customers, by pages and jobs

The shop is the adapter's sandbox, whose bucket fills as the platform's does; time is virtual.
Points and calls are the same on every machine; minutes are upper bounds, since what two threads
wait at the same time adds up. The bound of a listing is 11 points for each product; what a full
bucket pays at the start costs no time. Prices and stock are set by 250 rows in a call; calls that
read are counted apart. The client alone is measured against servers in a process of their own,
which answer at once (`shopify_server.py`).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import httpx2
from measuring import child, peak, served, slopes, write_batches

import storebridge
from storebridge.engine import HandlerTransport
from storebridge.flow import Request, Response
from storebridge.models import (
    Address,
    Customer,
    InventoryLevel,
    Money,
    Option,
    Product,
    Variant,
)
from storebridge.plan.ways import WayChoice
from storebridge.store.base import Opening
from storebridge.testing import VirtualClock
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify.graphql import text_of
from storebridge_shopify.sandbox import create, settings

#: Points a second of two plans, and how many seconds' worth their buckets hold.
PLANS = {"Standard": 100, "Plus": 1000}
_BUCKET = 20
_PRODUCT_SET = 11
_ROWS = 250
#: Points for a file of a job: its place 11, its start 10, and 60 looks.
_JOB = 81
_OF_JOBS = ("StagedUploads", "a file up", "BulkMutation", "BulkJob", "a file down")
_VARIANTS = 5
#: From so many records on a job reads them.
_MANY = ShopifySettings.model_fields["bulk_from"].default


class Meter:
    """A shop and what was asked of it: requests and points by operation, and refusals."""

    def __init__(self, rate: int, folder: Path, **values: Any) -> None:
        """Open a new shop, with some settings; what opening it cost isn't counted."""
        folder.mkdir()
        self.rate, self.folder, self.throttled = rate, folder, 0
        self.requests: Counter[str] = Counter()
        self.points: Counter[str] = Counter()
        self.clock = VirtualClock()
        self.sandbox = create(None, clock=self.clock.time, rate=self.rate)
        self.store = storebridge.Store(
            ShopifyAdapter(ShopifySettings.model_validate({**settings(), **values})),
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

    def apply(self, source: Any, name: str, way: WayChoice = "direct") -> None:
        """Plan and apply something; everything is to be made."""
        path = self.folder / f"{name}.plan"
        with self.store.plan(source, path, stock=True, way=way) as plan:
            report = plan.apply(self.store)
        assert {word for word, number in report.counts.items() if number} == {"applied"}

    def _answer(self, request: Request) -> Response:
        response = self.sandbox(request)
        name = _operation(request)
        self.requests[name] += 1
        if not request.path.endswith("/graphql.json"):
            return response
        answer = json.loads(response.body)
        cost = answer.get("extensions", {}).get("cost", {})
        self.points[name] += cost.get("actualQueryCost") or 0
        codes = [each.get("extensions", {}).get("code") for each in answer.get("errors", ())]
        self.throttled += "THROTTLED" in codes
        return response

    def spent(self, *names: str) -> tuple[int, float]:
        """Return the requests and the points of some operations."""
        return sum(self.requests[n] for n in names), sum(self.points[n] for n in names)

    def apart(self, *names: str) -> str:
        """Return what all other operations took: they read."""
        calls, points = self.spent(*(self.requests.keys() - set(names)))
        return f"{calls:,} ({points:,.0f} points)"

    @property
    def seconds(self) -> float:
        """Virtual time since the start."""
        return self.clock.elapsed - self._began

    def details(self) -> Iterator[str]:
        """Yield requests and points by operation."""
        for name, points in self.points.most_common():
            yield f"    {name}: {self.requests[name]:,} requests, {points:,.0f} points"


def _operation(request: Request) -> str:
    if not isinstance(request.body, bytes):
        return "a file up" if request.body else "a file down"
    words = str(json.loads(request.body)["query"]).replace("(", " ").split()
    at = next(n for n, word in enumerate(words) if word in ("query", "mutation"))
    return words[at + 1]


# ------------------------------------------------------------------------------------- the goods

Goods = Callable[[int], tuple[str, ...]]


def five(_number: int) -> tuple[str, ...]:
    """Return the sizes of a product: five."""
    return tuple(f"{size}" for size in range(36, 36 + _VARIANTS))


def varied(number: int) -> tuple[str, ...]:
    """Return the sizes of a product: one to nine, five on average."""
    return tuple(f"{size}" for size in range(36, 37 + number * 4 % 9))


def products(count: int, sizes: Goods = five, **more: Any) -> Iterator[Product]:
    """Yield products of some variants without pictures; `more` is what each variant has."""
    for number in range(count):
        shown = sizes(number)
        yield Product(
            handle=f"shirt-{number}",
            title=f"Shirt {number}",
            status="active",
            vendor="Loom",
            tags=("linen",),
            options=(Option(name="Size", values=shown),),
            variants=tuple(
                Variant(
                    sku=f"S{number}-{size}",
                    options=(size,),
                    price=Money(Decimal(10 + number % 90) + Decimal("0.50"), "EUR"),
                    **more,
                )
                for size in shown
            ),
        )


def feed(path: Path, count: int, sizes: Goods, values: Callable[[int], Any]) -> int:
    """Write a file that gives each variant some values, and return how many variants there are."""
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        file.write('{"storebridge": "jsonl", "version": 1}\n')
        for number in range(count):
            variants = [{"sku": f"S{number}-{size}", **values(number)} for size in sizes(number)]
            row = {"kind": "product", "handle": f"shirt-{number}", "variants": variants}
            file.write(json.dumps(row) + "\n")
            rows += len(variants)
    return rows


# ------------------------------------------------------------------------------ points and calls


def listing(folder: Path, count: int, plans: Sequence[str]) -> Iterator[str]:
    """Yield rows for planning and applying new products, written directly."""
    for plan in plans:
        meter = Meter(PLANS[plan], folder / f"listing-{plan}")
        meter.apply(products(count), "listing")
        bound, points = count * _PRODUCT_SET, meter.points.total()
        least = max(0.0, bound / meter.rate - _BUCKET)
        ratio = f"{meter.seconds / least:.3f}" if least else "no waiting"
        yield (
            f"| {count:,} products, {plan} ({meter.rate:,} points/s) "
            f"| {meter.requests.total():,} | {points:,.0f} | {bound:,} ({points / bound:.3f}) "
            f"| {meter.seconds / 60:.2f} min | {least / 60:.2f} min ({ratio}) | {meter.throttled} |"
        )
        yield from meter.details()
        meter.store.close()


def jobs(folder: Path, count: int, plans: Sequence[str]) -> Iterator[str]:
    """Yield rows for planning and applying new products as jobs; reading is counted apart."""
    for plan in plans:
        meter = Meter(PLANS[plan], folder / f"jobs-{plan}")
        meter.apply(products(count), "jobs", "bulk")
        files = meter.requests["BulkMutation"]
        calls, points = meter.spent(*_OF_JOBS)
        yield (
            f"| {count:,} products, {plan} | {files} | {calls} | {points:.0f} "
            f"| {files * _JOB} ({points / files / _JOB:.2f}) | {meter.apart(*_OF_JOBS)} "
            f"| {meter.seconds / 60:.2f} min | {meter.throttled} |"
        )
        yield from meter.details()
        meter.store.close()


def rows_of_250(folder: Path, count: int, sizes: Goods) -> Iterator[str]:
    """Yield rows for files that change the price in a market, and the stock, of each variant."""
    meter = Meter(PLANS["Standard"], folder / f"rows-{sizes.__name__}")
    stock = (InventoryLevel(location="Shop", available=1),)
    meter.apply(products(count, sizes, tracked=True, inventory=stock), "goods")
    for what, call, values in (
        ("market prices", "FixedPricesAdd", _price),
        ("stock levels", "InventorySet", _stock),
    ):
        path = meter.folder / f"{call}.jsonl"
        rows = feed(path, count, sizes, values)
        meter.restart()
        meter.apply(path, call)
        least, (calls, points) = -(-rows // _ROWS), meter.spent(call)
        yield (
            f"| {rows:,} {what} of {count:,} products, {sizes.__name__} variants | {calls:,} "
            f"| {least:,} ({calls / least:.3f}) | {points:,.0f} | {meter.apart(call)} "
            f"| {meter.throttled} |"
        )
        yield from meter.details()
    meter.store.close()


def _price(number: int) -> dict[str, Any]:
    price = f"{20 + number % 90}.50 CHF"
    return {"market_prices": [{"market": "switzerland", "price": price}]}


def _stock(number: int) -> dict[str, Any]:
    return {"inventory": [{"location": "Shop", "available": 2 + number % 50}]}


def reading(folder: Path, count: int, plans: Sequence[str]) -> Iterator[str]:
    """Yield rows for reading orders and customers whole, by pages and by a job."""
    for plan in plans:
        for what, fill in (("orders", _sell), ("customers", _register)):
            for way, least in (("pages", 0), ("a job", min(count, _MANY))):
                home = folder / f"reading-{plan}-{what}-{least}"
                meter = Meter(PLANS[plan], home, bulk_from=least)
                fill(meter, count)
                meter.restart()
                found = sum(1 for _ in getattr(meter.store, what).iter())
                assert found == count
                yield (
                    f"| {count:,} {what}, {plan} | {way} | {meter.requests.total():,} "
                    f"| {meter.points.total():,.0f} | {meter.points.total() / count:.2f} "
                    f"| {meter.seconds / 60:.2f} min | {meter.throttled} |"
                )
                yield from meter.details()
                meter.store.close()


def _sell(meter: Meter, count: int) -> None:
    """Make orders of two lines; nine of ten are sent, in one parcel each."""
    meter.store.products.create(next(products(1)))
    [goods] = meter.store.products.iter()
    first, second = (each.id for each in goods.variants[:2])
    for number in range(count):
        order = meter.sandbox.get(meter.sandbox.sell([(first, 1), (second, 2)]))
        assert order is not None
        if number % 10:
            sent = {line["id"]: line["quantity"] for line in order["lines"]}
            parcel = {"order": order["id"], "status": "SUCCESS", "sent": sent, "tracking": [],
                      "location": order["lines"][0]["location"]}  # fmt: skip
            order["fulfillments"].append(meter.sandbox.add("Fulfillment", parcel)["id"])
            meter.sandbox.save(order)


def _register(meter: Meter, count: int) -> None:
    """Make customers of two addresses."""
    places = tuple(Address(city=city, country="DE") for city in ("Ulm", "Kiel"))
    people = (Customer(email=f"{n}@shop.example", addresses=places) for n in range(count))
    assert all(each.id for each in meter.store.customers.create_many(people))


# ------------------------------------------------------------------------------ the client alone

SERVER = Path(__file__).parent / "shopify_server.py"
_PATH = "/admin/api/2026-10/graphql.json"
_SLOW = 0.25
_SOME = 200

#: Steps of CPU time: what each is, and its bar.
CPU = {
    "hand": ("bare loop over the same bodies", ""),
    "write": ("engine and adapter alone: bodies made, sent, answers read", "at most 3"),
    "plan": ("planning alone", ""),
    "apply": ("applying alone: looks each one up, and reads it back", ""),
}


def body(number: int) -> dict[str, Any]:
    """Return a product's productSet as somebody writes it by hand."""
    sizes = [{"name": size} for size in five(number)]
    price = f"{10 + number % 90}.50"
    given = {
        "title": f"Shirt {number}",
        "vendor": "Loom",
        "handle": f"shirt-{number}",
        "tags": ["linen"],
        "status": "ACTIVE",
        "productOptions": [{"name": "Size", "position": 1, "values": sizes}],
        "variants": [
            {
                "price": price,
                "sku": f"S{number}-{size['name']}",
                "optionValues": [{"optionName": "Size", "name": size["name"]}],
            }
            for size in sizes
        ],
    }
    return {"query": text_of("product_set"), "variables": {"identifier": None, "input": given}}


def cpu(folder: Path, count: int, rounds: int) -> Iterator[str]:
    """Yield rows for the client's CPU time per product, as a slope between two sizes."""

    def run(name: str, size: int) -> float:
        with served(SERVER, "null") as shop:
            return child(Path(__file__), step=name, products=size, home=folder, url=shop["url"])

    took = slopes(list(CPU), (max(1, count // 10), count), rounds, run)
    for name, (words, bar) in CPU.items():
        yield f"| {words} | {took[name]:.2f} ms | {took[name] / took['hand']:.1f} | {bar} |"


def memory(folder: Path, sizes: Sequence[int]) -> Iterator[str]:
    """Yield rows for the client's peak memory at several sizes."""
    for name, words in (("listing", "plan and apply new ones"), ("again", "plan again")):
        peaks = []
        for size in sizes:
            kind = "null" if name == "listing" else f"catalogue:{size}"
            with served(SERVER, kind) as shop:
                told = {"products": size, "home": folder, "url": shop["url"]}
                peaks.append(child(Path(__file__), step=name, **told))
        counts, shown = (", ".join(f"{n:,.0f}" for n in each) for each in (sizes, peaks))
        growth = f"{peaks[-1] / peaks[0] - 1:+.0%}"
        yield f"| {words}: {counts} products | {shown} MB | {growth} | under +20 % |"


def other_client(folder: Path, count: int) -> Iterator[str]:
    """Yield rows for creating products through ShopifyAPI, one call at a time, and through ours."""
    for name in ("shopifyapi", "whole"):
        with served(SERVER, f"slow:{_SLOW}") as shop:
            started = time.perf_counter()
            took = child(Path(__file__), step=name, products=count, home=folder, url=shop["url"])
            wall = time.perf_counter() - started
        yield f"| {count} products: {name} | {wall:.1f} s | {took:.2f} s |"


def step(name: str, url: str, count: int, folder: Path) -> float:
    """Return what a step takes in this process: seconds of CPU time, or its peak memory in MB."""
    home = Path(tempfile.mkdtemp(dir=folder))
    if name == "shopifyapi":
        return _by_shopifyapi(url, count)
    told = {**settings(), "url": url}
    adapter = ShopifyAdapter(ShopifySettings.model_validate(told))
    with storebridge.Store(adapter, Opening(state=home / "state")) as store:
        _ = store.info
        return STEPS[name](store, count, home)


def _hand(store: storebridge.Store, count: int, _home: Path) -> float:
    bodies = [body(number) for number in range(count)]
    headers = {"x-shopify-access-token": settings()["token"], "accept": "application/json"}
    started = time.process_time()
    with httpx2.Client(base_url=store.adapter.base_url, headers=headers, timeout=120) as client:
        for each in bodies:
            answer = client.post(_PATH, json=each)
            answer.raise_for_status()
            assert not answer.json()["data"]["productSet"]["userErrors"]
    return time.process_time() - started


def _write(store: storebridge.Store, count: int, _home: Path) -> float:
    wanted = list(products(count))
    started = time.process_time()
    write_batches(store, wanted)
    return time.process_time() - started


def _plan(store: storebridge.Store, count: int, home: Path) -> float:
    wanted = list(products(count))
    started = time.process_time()
    store.plan(wanted, home / "cpu.plan", way="direct").close()
    return time.process_time() - started


def _apply(store: storebridge.Store, count: int, home: Path) -> float:
    with store.plan(products(count), home / "cpu.plan", way="direct") as plan:
        started = time.process_time()
        assert plan.apply(store).ok
    return time.process_time() - started


def _whole(store: storebridge.Store, count: int, home: Path) -> float:
    started = time.process_time()
    with store.plan(products(count), home / "cpu.plan", way="direct") as plan:
        assert plan.apply(store).ok
    return time.process_time() - started


def _listing(store: storebridge.Store, count: int, home: Path) -> float:
    _whole(store, count, home)
    return peak()


def _again(store: storebridge.Store, count: int, home: Path) -> float:
    with store.plan(products(count), home / "again.plan") as plan:
        assert plan.is_empty, plan.counts
    return peak()


def _by_shopifyapi(url: str, count: int) -> float:
    """Create products through ShopifyAPI, as its documentation does it."""
    sys.path[:] = [place for place in sys.path if place != str(SERVER.parent)]  # has our name
    shopify = import_module("shopify")
    session = shopify.Session("sandbox.myshopify.com", "2026-10", settings()["token"])
    shopify.ShopifyResource.activate_session(session)
    client = shopify.GraphQL()
    client.endpoint = f"{url}{_PATH}"  # a shop's own address, where it makes one up
    started = time.process_time()
    for number in range(count):
        sent = body(number)
        answer = json.loads(client.execute(sent["query"], sent["variables"]))
        assert not answer["data"]["productSet"]["userErrors"]
    return time.process_time() - started


STEPS = {
    "hand": _hand,
    "write": _write,
    "plan": _plan,
    "apply": _apply,
    "whole": _whole,
    "listing": _listing,
    "again": _again,
}


PARTS = ("listing", "jobs", "rows", "reading", "client", "cpu", "memory")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what was asked for and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--plan", choices=PLANS, action="append")
    parser.add_argument("--rounds", type=int, default=2, help="of CPU time: the best one counts")
    for hidden in ("--step", "--home", "--url"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.step:
        print(step(chosen.step, chosen.url, chosen.products, Path(chosen.home)))
        return
    count = chosen.products
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts: dict[str, Callable[[], Iterator[str]]] = {
            "listing": lambda: listing(folder, count, chosen.plan or list(PLANS)),
            "jobs": lambda: jobs(folder, count, chosen.plan or list(PLANS)),
            "rows": lambda: chain(*(rows_of_250(folder, count, each) for each in (five, varied))),
            "reading": lambda: reading(folder, count, chosen.plan or ["Standard"]),
            "client": lambda: other_client(folder, min(count, _SOME)),
            "cpu": lambda: cpu(folder, count, chosen.rounds),
            "memory": lambda: memory(folder, (count // 10, count, count * 5)),
        }
        for part, lines in parts.items():
            if chosen.only in (None, part):
                for line in lines():
                    print(line, flush=True)


if __name__ == "__main__":
    main()
