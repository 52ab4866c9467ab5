"""Measures the WooCommerce adapter against hand-written loops, and prints ratios.

    python benchmarks/woocommerce.py                          # a sandbox with a server's latency
    python benchmarks/woocommerce.py --server shop.toml       # a real shop, which may be emptied
    python benchmarks/woocommerce.py --only cpu               # the client's CPU time per product

The file names `url`, `ca_bundle` (if it needs one) and `[keys] read_write = ["ck_…", "cs_…"]`, as
the one that cassettes are recorded with. All ways to write are measured in one run, in turns.

The bare loop that CPU time is compared with does what a script has to do, and no more: it sends the
same bodies (our mark among them), as many to a request, from dicts by `json=`; it signs them as
WooCommerce wants it over http, with the adapter's own function; it reads each answer by `.json()`,
whole, since a script names no `_fields`. The server answers both with rows as WooCommerce's.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import secrets
import ssl
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx2
from measuring import child, served, slopes, write_batches

import storebridge
from storebridge.engine import EngineOptions
from storebridge.flow import Status
from storebridge.models import Money, Product, Variant
from storebridge.store.base import Opening
from storebridge_woocommerce import WooCommerceAdapter, WooCommerceSettings
from storebridge_woocommerce.access import sign
from storebridge_woocommerce.reading import MARK

HERE = Path(__file__).parent
API = "/wp-json/wc/v3"
TEXT = "A linen shirt, woven in a small mill and washed soft. " * 11
BATCH, WORKERS = 25, 2
#: What the adapter sends with one request to a server that is quick enough.
MOST = WooCommerceSettings.model_fields["batch_size"].default


@dataclass(frozen=True)
class Shop:
    """A server to measure against."""

    url: str
    key: str
    secret: str
    user: str = ""
    password: str = ""
    ca_bundle: str = ""
    version: str = ""

    def client(self) -> httpx2.Client:
        """Return a bare client that keeps its connections."""
        verify = ssl.create_default_context(cafile=self.ca_bundle) if self.ca_bundle else True
        keys = self.key, self.secret
        return httpx2.Client(
            base_url=self.url + API,
            auth=keys if self.url.startswith("https:") else Signed(*keys),
            headers={"accept": "application/json"},
            timeout=120,
            verify=verify,
        )

    def store(
        self, folder: Path, events: Counter[str], batch_size: int = MOST
    ) -> storebridge.Store:
        """Return a store on it that counts its requests in `events`."""
        adapter = WooCommerceAdapter(
            WooCommerceSettings.model_validate(
                {
                    "url": self.url,
                    "key": self.key,
                    "secret": self.secret,
                    "batch_size": batch_size,
                }
            )
        )
        bundle = Path(self.ca_bundle) if self.ca_bundle else None
        opening = Opening(
            state=folder / "state",
            on_event=lambda event: events.update([type(event).__name__]),
            options=EngineOptions(ca_bundle=bundle),
        )
        return storebridge.Store(adapter, opening)


class Signed(httpx2.Auth):
    """Signs requests as WooCommerce wants it over http."""

    def __init__(self, key: str, secret: str) -> None:
        self._key, self._secret = key, secret

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response]:
        url = request.url
        params = sign(
            request.method,
            f"{url.scheme}://{url.netloc.decode()}{url.path}",
            url.params.multi_items(),
            key=self._key,
            secret=self._secret,
            nonce=secrets.token_hex(16),
            now=time.time(),
        )
        request.url = url.copy_with(params=params)
        yield request


def products(count: int, run: str, currency: str) -> Iterator[Product]:
    """Yield simple products as a catalogue has them."""
    for number in range(count):
        yield Product(
            handle=f"bench-{run}-{number}",
            title=f"Shirt {number}",
            description_html=TEXT,
            status="active",
            variants=(
                Variant(
                    sku=f"BENCH-{run}-{number}",
                    price=Money(f"{10 + number % 90}.50", currency),
                    taxable=True,
                ),
            ),
        )


def body(number: int, run: str) -> dict[str, Any]:
    """Return the same product as somebody writes it by hand."""
    return {
        "name": f"Shirt {number}",
        "slug": f"bench-{run}-{number}",
        "description": TEXT,
        "status": "publish",
        "sku": f"BENCH-{run}-{number}",
        "regular_price": f"{10 + number % 90}.50",
        "tax_status": "taxable",
    }


# ------------------------------------------------------------------------------------ ways to write


def by_plan(shop: Shop, count: int, run: str, folder: Path) -> float:
    """Return the seconds that planning and applying takes."""
    with shop.store(folder, Counter()) as store:
        wanted = products(count, run, store.info.currency)
        started = time.perf_counter()
        with store.plan(wanted, folder / f"{run}.plan") as plan:
            assert plan.apply(store).ok
        return time.perf_counter() - started


def direct(shop: Shop, count: int, run: str, folder: Path) -> float:
    """Return the seconds that `create_many` takes."""
    with shop.store(folder, Counter()) as store:
        wanted = products(count, run, store.info.currency)
        started = time.perf_counter()
        done = Counter(each.status for each in store.products.create_many(wanted))
        assert done == {Status.APPLIED: count}, done
        return time.perf_counter() - started


def by_hand(shop: Shop, count: int, run: str, folder: Path) -> float:
    """Return the seconds of a tuned loop: batches of 25, two at once, connections kept."""
    bodies = [body(number, run) for number in range(count)]
    batches = [bodies[start : start + BATCH] for start in range(0, count, BATCH)]
    with shop.client() as client, ThreadPoolExecutor(WORKERS) as pool:
        started = time.perf_counter()

        def post(batch: list[dict[str, Any]]) -> int:
            answer = client.post("/products/batch", json={"create": batch})
            answer.raise_for_status()
            return sum("error" not in each for each in answer.json()["create"])

        assert sum(pool.map(post, batches)) == count
        return time.perf_counter() - started


def one_by_one(shop: Shop, count: int, run: str, folder: Path) -> float:
    """Return the seconds of the `woocommerce` package posting one product after another."""
    sys.path[:] = [place for place in sys.path if place != str(HERE)]  # this file has its name
    woocommerce = import_module("woocommerce")
    os.environ["REQUESTS_CA_BUNDLE"] = shop.ca_bundle
    client = woocommerce.API(
        url=shop.url,
        consumer_key=shop.key,
        consumer_secret=shop.secret,
        version="wc/v3",
        timeout=120,
    )
    some = max(1, count // 10)
    started = time.perf_counter()
    for number in range(some):
        answer = client.post("products", body(number, run))
        assert answer.status_code == 201, answer.text
    return (time.perf_counter() - started) * count / some


WAYS: dict[str, Callable[[Shop, int, str, Path], float]] = {
    "plan and apply": by_plan,
    "create_many": direct,
    "hand-written loop, batches of 25, two at once": by_hand,
    "the woocommerce package, one by one (a tenth of them, scaled)": one_by_one,
}


def empty(shop: Shop) -> None:
    """Delete the products that this benchmark has made, for good."""
    with shop.client() as client, ThreadPoolExecutor(WORKERS) as pool:
        while rows := client.get(
            "/products", params={"search_sku": "BENCH-", "per_page": 100, "_fields": "id"}
        ).json():
            ids = [row["id"] for row in rows]

            def delete(some: list[int]) -> None:
                client.post("/products/batch", json={"delete": some}).raise_for_status()

            list(pool.map(delete, [ids[:50], ids[50:]] if ids[50:] else [ids]))


def writing(shop: Shop, count: int, rounds: int, folder: Path) -> list[str]:
    """Return table rows for creating products in each way: the best of several rounds."""
    best: dict[str, float] = {}
    for turn in range(rounds):
        for place, (name, way) in enumerate(WAYS.items()):
            if turn and way is one_by_one:
                continue
            seconds = way(shop, count, f"{turn}{place}", folder)
            print(f"  {name}: {seconds:.1f} s", file=sys.stderr, flush=True)
            best[name] = min(best.get(name, seconds), seconds)
            empty(shop)
    plan, many, hand, single = best.values()
    return [
        f"| create {count:,} simple products: {name} | {took:.1f} s | {count / took:.1f}/s "
        f"| {ratio} | {bar} |"
        for (name, took), (ratio, bar) in zip(
            best.items(),
            [
                (f"{plan / hand:.2f}; {plan / single:.2f}", "at most 1.2; at most 0.25"),
                (f"{many / hand:.2f}; {many / single:.2f}", "at most 1.2; at most 0.25"),
                ("1.0", ""),
                ("; 1.0", ""),
            ],
            strict=True,
        )
    ]


def reading(shop: Shop, count: int, folder: Path) -> list[str]:
    """Return a table row for planning products that are there already."""
    by_hand(shop, count, "same", folder)
    events: Counter[str] = Counter()
    with shop.store(folder, events) as store:
        wanted = list(products(count, "same", store.info.currency))
        with store.plan(wanted, folder / "first.plan") as plan:
            assert plan.apply(store).ok  # what a hand-written loop left out: our own mark, say
        events.clear()
        started = time.perf_counter()
        with store.plan(wanted, folder / "same.plan") as plan:
            assert plan.is_empty, plan.counts
        took = time.perf_counter() - started
    empty(shop)
    asked = events["RequestSent"]
    least = 1 + max(0, -(-(count - 100) // 99))  # pages that overlap by a row, to miss none
    return [
        f"| plan {count:,} unchanged products | {took:.1f} s | {asked} requests; {least} pages of "
        f"100 list them once | {asked / least:.2f} | at most 1.0 |"
    ]


# --------------------------------------------------------------------------------------- CPU time


def cpu(folder: Path, small: int, large: int, rounds: int) -> list[str]:
    """Return table rows for the client's CPU time per product, as a slope between two sizes.

    The server answers at once and runs in a process of its own.
    """
    pairs = [f"{name}-{size}" for size in (BATCH, MOST) for name in ("hand", "write")]
    steps = [*pairs, "many", "plan", "apply"]
    took = slopes(steps, (small, large), rounds, lambda step, size: _child(step, size, folder))
    words = {
        "hand": "bare loop over the same bodies",
        "write": "engine and adapter alone: bodies made, sent, answers read as products",
        "many": "create_many: looks each one up besides, and compares the answer",
        "plan": "planning alone",
        "apply": "applying alone",
    }
    rows = []
    for step, slope in took.items():
        name, _, size = step.partition("-")
        ratio = slope / took[f"hand-{size or MOST}"]
        told = f"{words[name]}, {size or MOST} to a request"
        bar = "at most 3" if name == "write" else ""
        rows.append(f"| CPU per product, {told} | {slope:.3f} ms | | {ratio:.2f} | {bar} |")
    return rows


def _child(step: str, count: int, folder: Path) -> float:
    """Return the CPU seconds of one step in a process of its own."""
    with _server("null") as shop:
        told = {"step": step, "products": count, "home": folder, "url": shop.url}
        return child(Path(__file__), **told)


def step(name: str, shop: Shop, count: int, folder: Path) -> float:
    """Return the CPU seconds of a step in this process, threads included."""
    home = Path(tempfile.mkdtemp(dir=folder))
    name, _, told = name.partition("-")
    size = int(told or MOST)
    with shop.store(home, Counter(), size) as store:
        wanted = list(products(count, "cpu", store.info.currency))
        bodies = [_marked(body(number, "cpu"), number // size) for number in range(count)]
        gc.freeze()  # both lists are the benchmark's own: nobody else would keep them for so long
        started = time.process_time()
        if name == "hand":
            with shop.client() as client:
                for start in range(0, count, size):
                    some = {"create": bodies[start : start + size]}
                    answer = client.post("/products/batch", json=some).json()
                    assert len(answer["create"]) == len(some["create"])
        elif name == "write":
            write_batches(store, wanted)
        elif name == "many":
            done = Counter(each.status for each in store.products.create_many(wanted))
            assert done == {Status.APPLIED: count}, done
        else:
            plan = store.plan(wanted, home / "cpu.plan")
            if name == "apply":
                started = time.process_time()
                assert plan.apply(store).ok
            plan.close()
        return time.process_time() - started


def _marked(body: dict[str, Any], batch: int) -> dict[str, Any]:
    """Return the body with what the adapter knows a new product by."""
    return {**body, "meta_data": [{"key": MARK, "value": f"batch-{batch}:{body['slug']}"}]}


# ---------------------------------------------------------------------------------------- servers


@contextmanager
def _server(kind: str) -> Iterator[Shop]:
    """Run `woo_server.py` and give the shop that it serves."""
    with served(HERE / "woo_server.py", kind) as told:
        yield Shop(**told)


@contextmanager
def _shop(server: str) -> Iterator[Shop]:
    if not server:
        with _server("sandbox") as shop:
            yield shop
        return
    told = tomllib.loads(Path(server).read_text(encoding="utf-8"))
    key, secret = told["keys"]["read_write"]
    shop = Shop(told["url"].rstrip("/"), key, secret, ca_bundle=told.get("ca_bundle", ""))
    with shop.client() as client:
        index = client.get("/system_status", params={"_fields": "environment"}).json()
    facts = index["environment"]
    words = f"WooCommerce {facts['version']}, PHP {facts['php_version']}, {facts['mysql_version']}"
    yield replace(shop, version=words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--server", default="", help="a TOML file; a sandbox without one")
    parser.add_argument("--products", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", choices=("write", "read", "cpu"))
    for hidden in ("--step", "--home", "--url"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        shop = Shop(options.url, "ck_null", "cs_null")
        print(step(options.step, shop, options.products, Path(options.home)))
        return
    with tempfile.TemporaryDirectory() as name, _shop(options.server) as shop:
        folder, rows = Path(name), []
        if options.only in (None, "write"):
            empty(shop)
            rows += writing(shop, options.products, options.rounds, folder)
        if options.only in (None, "read"):
            rows += reading(shop, options.products, folder)
        if options.only in (None, "cpu"):
            rows += cpu(folder, options.products, options.products * 10, options.rounds)
        where = shop.version or "the sandbox with the latency of a server with two cores"
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {date.today()}; {where}.\n")
    print("| what | time | | ratio | bar |", "|---|---|---|---|---|", *rows, sep="\n")


if __name__ == "__main__":
    main()
