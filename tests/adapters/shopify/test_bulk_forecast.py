"""What changes are said to take beforehand, against what the shop charges for them."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.adapters.shopify.shop import Handler, Shop, eur, operation, tee

from storebridge.adapter import Change, Cost
from storebridge.flow import Outcome, Request, Response, Status
from storebridge.models import (
    Collection,
    Consent,
    Customer,
    InventoryLevel,
    MarketPrice,
    Metafield,
    Option,
    Product,
    Translation,
    Variant,
)
from storebridge.testing.rig import creation


class Meter:
    """Counts calls and points, by operation."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.points: Counter[str] = Counter()
        self.transfers = 0

    def __call__(self, request: Request, sandbox: Handler) -> Response:
        response = sandbox(request)
        if not isinstance(request.body, bytes):
            self.transfers += 1
            return response
        cost = json.loads(response.body)["extensions"]["cost"]
        name = operation(json.loads(request.body))
        self.calls[name] += 1
        self.points[name] += cost["actualQueryCost"] or 0
        return response

    def clear(self) -> None:
        self.calls.clear()
        self.points.clear()
        self.transfers = 0

    @property
    def spent(self) -> float:
        return math.fsum(self.points.values())


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def shop(meter: Meter) -> Shop:
    shop = Shop(meter)
    meter.clear()
    return shop


def shirts(count: int) -> list[Change[Product]]:
    """Products of five variants, as a catalogue lists them."""
    return [replace(creation(_shirt(n)), id=str(n)) for n in range(count)]


def _shirt(n: int) -> Product:
    sizes = ("XS", "S", "M", "L", "XL")
    variants = tuple(Variant(sku=f"{n}-{s}", options=(s,), price=eur("19.90")) for s in sizes)
    values = {
        "handle": f"shirt-{n}",
        "title": f"Shirt {n}",
        "description_html": "<p>Linen</p>" * 90,
    }
    options = (Option(name="Size", values=sizes),)
    return Product.model_validate({**values, "options": options, "variants": variants})


def forecast(shop: Shop, changes: Sequence[Change[Product]]) -> Cost:
    found = Cost(requests=0)
    for change in changes:
        cost = shop.adapter.records("product").cost(change)
        assert cost is not None
        found += cost
    return found


def directly(shop: Shop, meter: Meter, changes: Sequence[Change[Product]]) -> tuple[Cost, Meter]:
    """Return what was forecast, and what batches of fifty really took."""
    cost = forecast(shop, changes)
    outcomes: list[Outcome] = []
    meter.clear()
    for start in range(0, len(changes), 50):
        outcomes += shop.write("product", *changes[start : start + 50])
    assert {each.status for each in outcomes} == {Status.APPLIED}, outcomes
    return cost, meter


def close(cost: Cost, meter: Meter, within: float = 0.02) -> None:
    assert cost.points == pytest.approx(meter.spent, rel=within), meter.points
    assert cost.requests == pytest.approx(meter.calls.total(), rel=0.02), meter.calls


def test_a_listing_takes_what_was_forecast(shop: Shop, meter: Meter) -> None:
    cost, spent = directly(shop, meter, shirts(50))
    close(cost, spent)
    assert (cost.points, cost.lines) == (550, 50)


@pytest.mark.parametrize("sizes", [250, 251, 501])
def test_options_of_many_values_take_what_was_forecast(
    shop: Shop, meter: Meter, sizes: int
) -> None:
    values = tuple(f"{n} cm" for n in range(sizes))
    product = Product(
        handle="belt",
        title="Belt",
        options=(Option(name="Size", values=values),),
        variants=tuple(Variant(options=(each,), price=eur("9.00")) for each in values),
    )
    cost, spent = directly(shop, meter, [creation(product)])
    close(cost, spent, within=0.2)
    assert cost.requests == 1 + math.ceil((sizes - 250) / 250)


STOCK = (InventoryLevel(location="Shop", available=7),)
UPDATES: dict[str, tuple[str, Callable[[Product], Product]]] = {
    "prices": ("core", lambda live: _variants(live, price=eur("20.00"))),
    "stock": ("core", lambda live: _variants(live, inventory=STOCK)),
    "all": ("core", lambda live: _variants(live, inventory=STOCK, cost=eur("3.00")).but(title="A")),
    "another variant": (
        "core",
        lambda live: Product(variants=(Variant(sku="n", options=("XXL",), price=eur("9.00")),)),
    ),
    "market prices": (
        "prices",
        lambda live: _variants(
            live,
            market_prices=(MarketPrice(market="us", price=eur("9.00"), compare_at_price=None),),
        ),
    ),
    "metafields": (
        "metafields",
        lambda live: Product(
            metafields=(
                Metafield(namespace="kit", key="key", type="single_line_text_field", value="c"),
            )
        ),
    ),
    "channels": ("publication", lambda live: Product(channels=("Online Store",))),
    "texts": (
        "translations",
        lambda live: Product(translations=(Translation(locale="de", field="title", value="H"),)),
    ),
    "collections": ("membership", lambda live: Product(collections=("summer",))),
}


#: What goes 250 rows to a call: a batch of fifty products of five variants fills one.
SHARED = ("stock", "all", "market prices")


def _variants(live: Product, **values: Any) -> Product:
    rows = tuple(Variant.model_validate({"id": v.id, **values}) for v in live.variants)
    return Product(variants=rows)


@pytest.mark.parametrize("name", UPDATES)
def test_updates_take_what_was_forecast(shop: Shop, meter: Meter, name: str) -> None:
    part, desired = UPDATES[name]
    count = 50 if name in SHARED else 10
    ids = [each.id for each in shop.write("product", *shirts(count), way="bulk")]
    shop.create(Collection(handle="summer", title="Summer"))
    live = {each.id: each for each in _all(shop, ids)}
    market = shop.engine.run(shop.adapter.info()).markets[0]
    changes = []
    for n, id_ in enumerate(ids):
        wanted = desired(live[id_])
        if part == "prices":
            wanted = _in_market(wanted, market.handle, market.currency)
        change: Change[Product] = Change(
            id=str(n), action="update", part=part, record_id=id_, desired=wanted, before=live[id_]
        )
        changes.append(change)
    # Reading a product that has no category takes a point less than reading one that has.
    close(*directly(shop, meter, changes), within=0.06 if name == "another variant" else 0.02)


def _in_market(desired: Product, market: str, currency: str) -> Product:
    from storebridge.models import Money

    price = MarketPrice(market=market, price=Money("9.00", currency), compare_at_price=None)
    rows = tuple(each.but(market_prices=(price,)) for each in desired.variants)
    return desired.but(variants=rows)


def _all(shop: Shop, ids: Sequence[str]) -> tuple[Product, ...]:
    keys = [f"id:{each}" for each in ids]
    found: tuple[Product, ...] = shop.engine.run(shop.adapter.records("product").fetch(keys, None))
    return found


@pytest.mark.parametrize("count", [60, pytest.param(10_000, marks=pytest.mark.soak)])
def test_jobs_take_some_dozens_of_points_whatever_they_make(
    shop: Shop, meter: Meter, count: int
) -> None:
    """A listing of 10,000 products of five variants: five files, 81 to 405 points by the bound."""
    jobs = shop.adapter.records("product").bulk
    assert jobs is not None
    size = min(jobs.changes, count // 3)
    shop.sandbox.switch(bulk_rate=20.0)
    files = 0
    changes = shirts(count)
    for start in range(0, count, size):
        files += 1
        outcomes = shop.write("product", *changes[start : start + size], way="bulk")
        assert {each.status for each in outcomes} == {Status.APPLIED}
    bound = jobs.cost
    assert meter.spent <= 81 * files
    assert meter.spent <= bound.points * files
    assert meter.calls.total() + meter.transfers <= bound.requests * files
    print(f"{count} products, {files} files: {dict(meter.calls)}, {meter.spent} points")


def test_deletes_and_creates_that_no_job_can_make_are_told_apart(shop: Shop) -> None:
    nameless = creation(Product(title="A"))
    assert forecast(shop, [nameless]).lines == 0
    delete: Change[Product] = Change(
        id="1", action="delete", part="core", record_id="gid://shopify/Product/1", desired=tee()
    )
    assert forecast(shop, [delete]) == Cost(requests=1, points=10, lines=1)


def test_collections_and_customers_are_forecast_too(shop: Shop, meter: Meter) -> None:
    email = Consent(channel="email", state="subscribed", level="single_opt_in")
    records: list[tuple[str, Any]] = [
        ("core", Collection(handle="summer", title="Summer")),
        ("core", Customer(email="a@example.com", first_name="A")),
    ]
    for _, record in records:
        meter.clear()
        [outcome] = shop.write(record.kind, creation(record))
        cost = shop.adapter.records(record.kind).cost(creation(record))
        assert cost is not None
        assert (cost.points, cost.lines) == (meter.spent, 0)
        for part, desired in (
            (
                "core",
                type(record)(title="B") if record.kind == "collection" else Customer(note="x"),
            ),
            ("publication", Collection(channels=("Online Store",)))
            if record.kind == "collection"
            else ("publication", Customer(consents=(email,))),
        ):
            change: Change[Any] = Change(
                id="1", action="update", part=part, record_id=outcome.id, desired=desired
            )
            cost = shop.adapter.records(record.kind).cost(change)
            meter.clear()
            [done] = shop.write(record.kind, change)
            assert not done.cause, done
            assert cost is not None
            assert cost.points == pytest.approx(meter.spent, abs=1), (record.kind, part)
            assert cost.lines == 0
