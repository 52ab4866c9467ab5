"""Only what was planned changes in a Shopify shop, all of it, and a second plan is empty.

Calls that replace lists are the danger: productSet drops what its lists leave out. Everything in
the shop's own tables is compared, leaf by leaf.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from storebridge.flow import Request
from storebridge.models import (
    Address,
    Collection,
    Consent,
    Customer,
    InventoryLevel,
    MarketPrice,
    Media,
    Metafield,
    Money,
    Option,
    Product,
    Record,
    Rule,
    Seo,
    Translation,
    Variant,
    Weight,
)
from storebridge.plan import Plan
from tests.campaigns.rig import Leaves, differing, leaves
from tests.campaigns.shopify import COLLECTIONS, ShopifyShop, catalogue, docs, eur

PICTURES = tuple(f"https://cdn.example.com/rich-{number}.jpg" for number in range(3))


def rich() -> list[Record]:
    """Return a product, a customer and collections with something in every field."""
    product = Product(
        handle="rich",
        title="Rich",
        description_html="<p>Rich</p>",
        vendor="Acme",
        product_type="Shirt",
        status="active",
        tags=("blue", "wool"),
        seo=Seo(title="Seo", description="Of it"),
        collections=("new", "sale"),
        channels=("Online Store", "Point of Sale"),
        metafields=tuple(_metafield(f"k-{n}", f"v {n}") for n in range(3)),
        translations=tuple(
            Translation(locale="de", field=field, value=f"De {field}")
            for field in ("title", "description_html", "seo.title")
        ),
        media=tuple(Media(url=url, alt=f"Alt {at}") for at, url in enumerate(PICTURES)),
        options=(Option(name="Size", values=("S", "M")), Option(name="Color", values=("R", "G"))),
        variants=tuple(_variant(size, color) for size in "SM" for color in "RG"),
        platform_fields={"shopify": {"template_suffix": "wide"}},
    )
    customer = Customer(
        email="rich@example.com",
        phone="+4930123456",
        first_name="Ada",
        last_name="L",
        note="Rich",
        tags=("vip",),
        default_address=Address(address1="Weg 1", city="Berlin", country="DE"),
        addresses=(Address(address1="Weg 2", city="Bonn", country="DE"),),
        consents=(Consent(channel="email", state="subscribed"),),
        metafields=(_metafield("k-1", "a"), _metafield("k-2", "b")),
    )
    collections = [
        Collection(
            handle=name,
            title=name,
            description_html="<p>x</p>",
            seo=Seo(title="a", description="b"),
            channels=("Online Store",),
            metafields=(_metafield("k-1", "a"), _metafield("k-2", "b")),
        )
        for name in COLLECTIONS
    ]
    rules = (Rule(field="tag", relation="equals", value="wool"),)
    smart = Collection(handle="smart", title="Smart", rules=rules, match_all=True)
    return [*collections, smart, customer, product]


def _metafield(key: str, value: str) -> Metafield:
    return Metafield(namespace="kit", key=key, type="single_line_text_field", value=value)


def _variant(size: str, color: str) -> Variant:
    return Variant(
        sku=f"R-{size}{color}",
        barcodes=("4006381333931",),
        options=(size, color),
        price=eur("19.90"),
        compare_at_price=eur("29.90"),
        cost=eur("5.00"),
        weight=Weight(value=Decimal(2), unit="kg"),
        inventory=tuple(InventoryLevel(location=p, available=5) for p in ("Shop", "Warehouse")),
        market_prices=(
            MarketPrice(market="switzerland", price=Money(20, "CHF"),
                        compare_at_price=Money(30, "CHF")),
            MarketPrice(market="europe", price=eur("18.00")),
        ),
        metafields=(_metafield("k-1", "a"), _metafield("k-2", "b")),
        media=(PICTURES[0],),
        platform_fields={"shopify": {"country_of_origin": "DE"}},
    )  # fmt: skip


def _of(**given: Any) -> Product:
    return Product(handle="rich", **given)


def _one(**given: Any) -> Product:
    return _of(variants=(Variant(sku="R-SR", options=("S", "R"), **given),))


_P, _V, _I = ".Product rich", ".ProductVariant rich/S/R", ".InventoryItem rich/S/R"
_C, _K = ".Customer rich@example.com", ".Collection new"
_NEW = ("XL", "R")
#: What calls replace whole.
LISTS = frozenset({"options", "channels_remove", "media", "collections", "tags_add"})
#: Every update of one thing, and the paths that it may change.
UPDATES: tuple[tuple[Record, tuple[str, ...]], ...] = (
    (_of(title="Another"), (f"{_P}.title",)),
    (_of(description_html="<p>Another</p>"), (f"{_P}.descriptionHtml",)),
    (_of(vendor="Another"), (f"{_P}.vendor",)),
    (_of(product_type="Another"), (f"{_P}.productType",)),
    (_of(status="archived"), (f"{_P}.status",)),
    (_of(category="Apparel & Accessories > Clothing"), (f"{_P}.category",)),
    (_of(tags=("red", "wool")), (f"{_P}.tags",)),
    (_of(tags_add=("new",)), (f"{_P}.tags",)),
    (_of(seo=Seo(title="Another")), (f"{_P}.seo.title",)),
    (_of(seo=Seo(description="Another")), (f"{_P}.seo.description",)),
    (_of(collections=("new", "summer")),
     (".Collection sale.members", ".Collection summer.members")),
    (_of(channels_remove=("Point of Sale",)), (f"{_P}.published",)),
    (_of(metafields=(_metafield("k-1", "Another"),)), (f"{_P}.metafields",)),
    (_of(translations=(Translation(locale="de", field="title", value="Anders"),)),
     (f"{_P}.translations",)),
    (_of(media=(Media(url=PICTURES[1], alt="Another"),)), (f".MediaImage {PICTURES[1]}.alt",)),
    (_of(media_add=(Media(url="https://cdn.example.com/x.jpg"),)),
     (f"{_P}.media", ".MediaImage https://cdn.example.com/x.jpg.")),
    (_of(platform_fields={"shopify": {"template_suffix": "slim"}}), (f"{_P}.templateSuffix",)),
    (_one(price=eur("0.53")), (f"{_V}.price",)),
    (_one(compare_at_price=eur("99.00")), (f"{_V}.compareAtPrice",)),
    (_one(compare_at_price=None), (f"{_V}.compareAtPrice",)),
    (_one(cost=eur("0.07")), (f"{_I}.cost",)),
    (_one(weight=Weight(value=Decimal("1.5"), unit="g")), (f"{_I}.weight.",)),
    (_one(barcodes=("4012345678901",)), (f"{_V}.barcode",)),
    (_one(taxable=False), (f"{_V}.taxable",)),
    (_one(oversell=True), (f"{_V}.inventoryPolicy",)),
    (_one(tracked=True), (f"{_I}.tracked",)),
    (_one(requires_shipping=False), (f"{_I}.requiresShipping",)),
    (_one(inventory=(InventoryLevel(location="Shop", available=77),)), (f"{_I}.levels.",)),
    (_one(market_prices=(MarketPrice(market="switzerland", price=Money(21, "CHF")),)),
     (f"{_V}.prices",)),
    (_one(metafields=(_metafield("k-1", "Another"),)), (f"{_V}.metafields",)),
    (_one(media=(PICTURES[2],)), (f"{_V}.media",)),
    (_one(platform_fields={"shopify": {"country_of_origin": "FR"}}),
     (f"{_I}.countryCodeOfOrigin",)),
    (_of(variants=(_variant(*_NEW),), options=(Option(name="Size", values=("S", "M", "XL")),
                                              Option(name="Color", values=("R", "G")))),
     (".ProductVariant rich/XL/R.", ".InventoryItem rich/XL/R.", f"{_P}.variants",
      f"{_P}.options")),
    (Customer(email="rich@example.com", first_name="Eva"), (f"{_C}.firstName",)),
    (Customer(email="rich@example.com", note="Another"), (f"{_C}.note",)),
    (Customer(email="rich@example.com", tags=("b2b",)), (f"{_C}.tags",)),
    (Customer(email="rich@example.com", tax_exempt=True), (f"{_C}.taxExempt",)),
    (Customer(email="rich@example.com", default_address=Address(city="Kiel")),
     (f"{_C}.addresses",)),
    (Customer(email="rich@example.com", consents=(Consent(channel="email", state="unsubscribed"),)),
     (f"{_C}.emailConsent.",)),
    (Customer(email="rich@example.com", metafields=(_metafield("k-1", "z"),)),
     (f"{_C}.metafields",)),
    (Collection(handle="new", title="Another"), (f"{_K}.title",)),
    (Collection(handle="new", description_html="<p>y</p>"), (f"{_K}.descriptionHtml",)),
    (Collection(handle="new", seo=Seo(title="z")), (f"{_K}.seo.title",)),
    (Collection(handle="new", metafields=(_metafield("k-2", "z"),)), (f"{_K}.metafields",)),
    (Collection(handle="smart", match_all=False), (".Collection smart.ruleSet",)),
)  # fmt: skip


def only_planned(folder: Path, updates: Any) -> None:
    """Make every update alone, and hold what changed in the shop against it."""
    with ShopifyShop(folder) as shop:
        shop.fill(rich())
        before = _all(shop)
        for record, paths in updates:
            before = _changed(shop, before, record, paths)


def _all(shop: ShopifyShop) -> Leaves:
    """Return every leaf of the shop; what has an id of its own keeps it."""
    found = leaves(docs(shop.sandbox))
    for doc in shop.sandbox.all("ProductVariant"):
        found[f" id of {doc['sku']}"] = doc["id"]
    return found


def _changed(shop: ShopifyShop, before: Leaves, record: Record, paths: tuple[str, ...]) -> Leaves:
    where, start = f"{record.kind} {sorted(record.given)} {paths[0]}", len(shop.history)
    plan = shop.plan([record], "one.plan")
    report = shop.apply(plan)
    assert report.ok, (where, list(map(str, report.items("failed", "skipped", "unknown"))))
    plan.unlink()
    after = _all(shop)
    moved = {path for path in differing(before, after) if path in before or "rich/XL" not in path}
    moved = {path for path in moved if not path.startswith(" id of R-XL")}
    assert moved, f"{where}: nothing changed"
    assert all(path.startswith(paths) for path in moved), f"{where}: {moved} changed"
    sent = [each.request for each in shop.history[start:] if each.request.kind.mutates]
    assert sent
    assert all(_says_something(request) for request in sent), where
    assert not shop.planned([record]), f"{where}: a second plan isn't empty"
    return after


def _says_something(request: Request) -> bool:
    """Return whether a request carries a value, not only the name of what it is about."""
    assert isinstance(request.body, bytes)
    variables = json.loads(request.body)["variables"]
    return all(value not in ({}, []) for value in variables.values())


def test_only_planned_fields_change(tmp_path: Path) -> None:
    """A slice: every list that a call replaces, and some of the rest."""
    only_planned(tmp_path, [u for n, u in enumerate(UPDATES) if n % 9 == 0 or LISTS & u[0].given])


@pytest.mark.soak
def test_only_planned_fields_change_in_any_order(tmp_path: Path) -> None:
    for seed in range(40):
        only_planned(tmp_path / str(seed), random.Random(seed).sample(UPDATES, len(UPDATES)))


# -- what is sent is the plan, and nothing is left


def second_plan_is_empty(folder: Path, seed: int, products: int) -> None:
    """Plan and apply by chance twice; what is sent is the plan, and nothing is left to do."""
    chance = random.Random(f"again {seed}")
    with ShopifyShop(folder) as shop:
        for number in range(2):
            wanted = catalogue(100 * seed + number, products)
            fixed = [each for each in wanted if isinstance(each, Collection)]
            rest = [each for each in wanted if not isinstance(each, Collection)]
            wanted = [*fixed, *chance.sample(rest, chance.randint(1, len(rest)))]
            start = len(shop.history)
            plan = shop.plan(wanted, f"{number}.plan")
            assert not [e for e in shop.history[start:] if e.request.kind.mutates], "a plan writes"
            report = shop.apply(plan)
            assert report.ok, list(report.items("failed", "skipped", "unknown"))
            sent = {change for each in shop.history[start:] for change in each.request.covers}
            with Plan.open(plan) as opened:
                assert sent == {str(change.seq) for change in opened.changes()}
            asked = len(shop.history)
            assert not shop.planned(wanted)
            assert not Counter(e.request.kind.mutates for e in shop.history[asked:])[True]


def test_a_second_plan_is_empty(tmp_path: Path) -> None:
    second_plan_is_empty(tmp_path, 1, 3)


@pytest.mark.soak
def test_five_hundred_second_plans_are_empty(tmp_path: Path) -> None:
    for seed in range(250):
        second_plan_is_empty(tmp_path / str(seed), seed, seed % 10 + 1)
