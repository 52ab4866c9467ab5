"""Others at work in the same WooCommerce shop, or the same names: nothing of theirs is touched.

Foreign products hold SKUs, in the shop and in its trash; people edit between plan and apply; a run
ends between a product and its variations or its pictures; two runs meet.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from storebridge.engine import HandlerTransport
from storebridge.errors import Locked, OutcomeUnknown, StorebridgeError
from storebridge.flow import Request, RequestKind, Response
from storebridge.models import Media, Money, Option, Product, Record, Variant
from storebridge.plan import Plan
from storebridge.testing import Killed
from storebridge_woocommerce.access import basic
from storebridge_woocommerce.sandbox import settings
from tests.campaigns.rig import check
from tests.campaigns.woocommerce import Nemesis, WooShop, catalogue, docs, usd

API = "/wp-json/wc/v3"
Handler = Callable[[Request], Response]


def human(shop: WooShop, method: str, path: str, **fields: Any) -> Any:
    """Return what a person gets who works in the shop's back office."""
    own = settings()
    headers = {
        "authorization": basic(own["key"], own["secret"]),
        "content-type": "application/json",
    }
    body = json.dumps(fields).encode() if fields else None
    answer = shop.sandbox(Request(method=method, path=API + path, headers=headers, body=body))
    assert answer.status < 300, answer.body
    return json.loads(answer.body)


def rows(shop: WooShop, *columns: str) -> list[Any]:
    """Return columns of the shop's own table of products, those in the trash too."""
    sql = f"SELECT {', '.join(columns)} FROM posts WHERE kind = 'product' ORDER BY id"
    return list(shop.sandbox.db.execute(sql))


def mug(name: str = "mug", **given: Any) -> Product:
    """Return a simple product."""
    return Product(
        **{
            "handle": name,
            "title": name,
            "status": "active",
            "variants": (Variant(sku=name.upper(), price=usd("9.90")),),
            **given,
        }
    )


def shirt(*, skus: bool = True) -> Product:
    """Return a product with variations."""
    sizes = ("S", "M", "L")
    variants = (
        Variant(sku=f"SHIRT-{s}" if skus else "", options=(s,), price=usd("20")) for s in sizes
    )
    options = (Option(name="Size", values=sizes),)
    return mug("shirt", options=options, variants=tuple(variants))


@pytest.fixture
def shop(tmp_path: Path) -> WooShop:
    return WooShop(tmp_path)


def words(report: Any) -> list[tuple[str, str, str]]:
    """Return what was not done, and see that each says why and what to do."""
    items = list(report.items("failed", "skipped", "unknown"))
    assert all(item.message and item.remedy and item.cause for item in items), items
    assert report.store
    return [(item.label, str(item.status), item.cause) for item in items]


# -- keys that others have


def test_a_sku_that_a_stranger_took_since_the_plan_is_left(shop: WooShop) -> None:
    plan = shop.plan([mug("a"), mug("b")])
    human(shop, "POST", "/products", name="Theirs", sku="A", regular_price="1")
    assert words(shop.apply(plan)) == [("a", "skipped", "conflict")]
    assert [(sku, title) for sku, title in rows(shop, "sku", "title")] == [
        ("A", "Theirs"),
        ("B", "b"),
    ]


def test_a_sku_that_a_stranger_takes_in_the_last_moment_is_told(shop: WooShop) -> None:
    plan = shop.plan([mug("a"), mug("b")])

    def network(request: Request) -> Response:
        if request.path.endswith("/products/batch"):
            with suppress(AssertionError):
                human(shop, "POST", "/products", name="Theirs", sku="A", regular_price="1")
        return shop.sandbox(request)

    assert words(shop.apply(plan, network=network)) == [("a", "failed", "conflict")]
    assert rows(shop, "title") == [("Theirs",), ("b",)]


def test_a_strangers_product_is_not_adopted_when_the_answer_was_lost(shop: WooShop) -> None:
    plan = shop.plan([mug("a")])
    lost: list[Request] = []

    def network(request: Request) -> Response:
        if request.path.endswith("/products/batch") and not lost:
            lost.append(request)
            human(shop, "POST", "/products", name="Theirs", sku="A", regular_price="1")
            raise OutcomeUnknown("gone", covers=request.covers)
        return shop.sandbox(request)

    assert words(shop.apply(plan, network=network)) == [("a", "failed", "conflict")]
    assert rows(shop, "title", "sku") == [("Theirs", "A")]


def test_a_sku_in_the_trash_is_told_with_what_to_do(shop: WooShop) -> None:
    old = human(shop, "POST", "/products", name="Old", sku="A", regular_price="1")
    human(shop, "DELETE", f"/products/{old['id']}")
    report = shop.apply(shop.plan([mug("a"), mug("b")]))
    assert words(report) == [("a", "failed", "conflict")]
    [item] = report.items("failed")
    assert "trash" in item.message + item.remedy
    assert [sku for (sku,) in rows(shop, "sku")] == ["A", "B"]


@pytest.mark.parametrize("seed", range(3))
def test_each_item_of_a_batch_is_told_on_its_own(shop: WooShop, seed: int) -> None:
    """Some keys are taken at the last moment, in the shop or in its trash, the others are not."""
    chance = random.Random(f"items {seed}")
    plan = shop.plan([mug(str(n)) for n in range(40)])
    taken = {str(n): chance.random() < 0.5 for n in range(40) if chance.random() < 0.4}

    def network(request: Request) -> Response:
        if request.path.endswith("/products/batch") and taken.keys() - done:
            for sku in taken.keys() - done:
                done.add(sku)
                theirs = human(shop, "POST", "/products", name="Theirs", sku=sku, status="draft")
                if taken[sku]:
                    human(shop, "DELETE", f"/products/{theirs['id']}")
        return shop.sandbox(request)

    done: set[str] = set()
    report = shop.apply(plan, network=network)
    assert taken
    assert sorted(words(report)) == sorted((sku, "failed", "conflict") for sku in taken)
    assert report.counts["applied"] == 40 - len(taken)
    check(shop, plan)
    assert Counter(rows(shop, "title")) == Counter(
        [("Theirs",)] * len(taken) + [(str(n),) for n in range(40) if str(n) not in taken]
    )


# -- created, and never heard of again


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("handle", ["a-{}", "外套-{}", "x" * 240 + "-{}"])
def test_lost_creates_without_sku_are_found(shop: WooShop, handle: str, count: int) -> None:
    plain = (Variant(price=usd("5")),)
    source = [
        Product(title=f"T {n}", variants=plain, handle=handle.format(n)) for n in range(count)
    ]
    if len(handle) > 200:  # the others' handles differ behind what WordPress keeps of one
        source = source[:1]
    plan = shop.plan(source)
    lost: list[Request] = []

    def network(request: Request) -> Response:
        said = shop.sandbox(request)
        if request.path.endswith("/products/batch"):
            lost.append(request)
            raise OutcomeUnknown("gone", covers=request.covers)
        return said

    report = shop.apply(plan, network=network)
    assert report.ok, list(report.items("failed", "unknown"))
    assert len(rows(shop, "id")) == len(source)
    assert len(lost) == 1, "it was sent again"


def test_killed_between_a_product_and_its_variations(shop: WooShop) -> None:
    for skus in (True, False):
        with WooShop(shop.folder / str(skus)) as own:
            plan = own.plan([shirt(skus=skus)])
            _kill(own, plan, "/variations/batch")
            assert len(rows(own, "id")) == 1
            assert own.apply(plan).ok
            [product] = [each for each in own.live().values() if isinstance(each, Product)]
            assert [v.options for v in product.variants] == [("S",), ("M",), ("L",)]
            assert own.planned([shirt(skus=skus)]) == []


def test_killed_after_the_variations_of_a_product(shop: WooShop) -> None:
    plan = shop.plan([shirt(skus=False)])
    _kill(shop, plan, "/variations/batch", after=True)
    assert shop.apply(plan).ok
    docs(shop.sandbox)  # no two of one kind
    assert shop.planned([shirt(skus=False)]) == []


@pytest.mark.parametrize("after", [False, True])
def test_killed_between_a_product_and_its_pictures(shop: WooShop, *, after: bool) -> None:
    pictures = tuple(Media(url=f"https://cdn.example.com/{n}.jpg") for n in range(3))
    source = [mug("a", media=pictures), mug("b", media=(Media(url=pictures[0].url),))]
    plan = shop.plan(source)
    _kill(shop, plan, "/products/10", after=after)
    assert shop.apply(plan).ok
    found = docs(shop.sandbox)
    assert len([name for name in found if name.startswith("attachment")]) in (4, 5)
    assert len(found["product a"]["image_ids"]) == 3
    assert len(found["product b"]["image_ids"]) == 1
    assert shop.planned(source) == []


def _kill(shop: WooShop, plan: Path, path: str, *, after: bool = False) -> None:
    """Let a run die before or after its first write to a path."""

    def network(request: Request) -> Response:
        hit = request.path.endswith(path) and request.kind.mutates
        if hit and not after:
            raise Killed(path)
        said = shop.sandbox(request)
        if hit:
            raise Killed(path)
        return said

    with pytest.raises(Killed):
        shop.apply(plan, network=network)


# -- people meanwhile


def test_what_people_edit_between_plan_and_apply_stays(shop: WooShop) -> None:
    shop.fill([mug("a"), mug("b"), mug("c"), mug("d"), shirt()])
    ids = {slug: number for number, slug in rows(shop, "id", "slug")}
    wanted = [mug(name, title=f"New {name}", vendor="") for name in "abcd"]
    plan = shop.plan([each.without("vendor") for each in wanted])
    human(shop, "PUT", f"/products/{ids['a']}", name="By hand")
    human(shop, "PUT", f"/products/{ids['b']}", description="By hand")
    human(shop, "DELETE", f"/products/{ids['c']}")
    report = shop.apply(plan)
    assert sorted(words(report)) == [("a", "skipped", "conflict"), ("c", "skipped", "conflict")]
    titles = {slug: (title, json.loads(doc)["description"]) for slug, title, doc in
              rows(shop, "slug", "title", "doc")}  # fmt: skip
    assert titles["a"][0] == "By hand"
    assert titles["b"] == ("New b", "By hand")
    assert titles["d"][0] == "New d"


def test_only_what_was_planned_is_written(shop: WooShop) -> None:
    source = catalogue(3, 12)
    shop.fill(source)
    before = docs(shop.sandbox)
    changed = [
        each.but(title=f"{each.title}!") if isinstance(each, Product) and n % 2 else each
        for n, each in enumerate(source)
    ]
    plan = shop.plan(changed)
    start = len(shop.history)
    assert shop.apply(plan).ok
    sent = [e.request for e in shop.history[start:] if e.request.kind.mutates]
    items = [item for r in sent for item in json.loads(r.body)["update"]]  # type: ignore[arg-type]
    assert all(set(item) == {"id", "name"} for item in items), items
    after = docs(shop.sandbox)
    for name, doc in after.items():
        other = before[name]
        assert {k for k in doc if doc[k] != other[k]} <= {"title"}, name
    assert sum(doc != before[name] for name, doc in after.items()) == len(items) == 6


def test_what_is_there_already_is_not_sent_again(shop: WooShop) -> None:
    source = [each.without("media") for each in catalogue(4, 10)]
    shop.fill(source)
    plan, start = shop.plan(source), len(shop.history)
    with Plan.open(plan) as opened:
        assert not list(opened.changes())
    assert shop.apply(plan).ok
    with shop.open() as store:
        records = (each for each in source if isinstance(each, Product))
        outcomes = list(store.products.upsert_many(records))
        assert {str(outcome.status) for outcome in outcomes} == {"unchanged"}, outcomes
    assert not [e for e in shop.history[start:] if e.request.kind.mutates]


# -- two at once


def test_two_runs_at_one_shop_do_not_mix(shop: WooShop) -> None:
    shop.fill([mug(str(n)) for n in range(40)])
    plans = [
        shop.plan([mug(str(n), title=f"{word} {n}") for n in range(40)], f"{word}.plan")
        for word in ("one", "two")
    ]
    start = threading.Barrier(2)

    def run(plan: Path) -> Any:
        start.wait()
        with shop.open() as store, Plan.open(plan) as opened:
            try:
                return opened.apply(store)
            except Locked as error:
                return error

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(run, plans))
    heads = {title.split()[0] for (title,) in rows(shop, "title")}
    assert len(heads) == 1, "two plans for the same fields were both applied"
    [winner] = [plan for plan, end in zip(plans, told, strict=True) if getattr(end, "ok", False)]
    assert heads == {winner.stem}
    assert not shop.sandbox.overlaps


@pytest.mark.parametrize("seed", range(2))
def test_direct_writes_of_two_at_once_double_nothing(shop: WooShop, seed: int) -> None:
    """The same records from two threads with one state, over a network that loses answers."""
    source = [mug(str(n)) for n in range(12)] + [shirt()]

    def run(_: int) -> list[Any]:
        with shop.open(inner=HandlerTransport(nemesis)) as store:
            try:
                return list(store.products.upsert_many(source))
            except StorebridgeError:
                return []

    kinds = ("status", "notice", "page")
    with Nemesis(shop, seed, 0.1, kinds) as nemesis, ThreadPoolExecutor(2) as pool:
        list(pool.map(run, range(2)))
    found = docs(shop.sandbox)
    assert len([name for name in found if name.startswith("product ")]) <= len(source)
    assert len([name for name in found if name.startswith("variation ")]) <= 3


# -- money


@pytest.mark.parametrize("text", ["0.001", "-1", "1E+3", "99.999"])
def test_wrong_money_is_refused_before_it_is_sent(shop: WooShop, text: str) -> None:
    start = len(shop.history)
    with shop.open() as store, suppress(StorebridgeError, ValueError):
        price = Money(text, "USD")
        [outcome] = store.products.create_many([mug("a", variants=(Variant(price=price),))])
        assert str(outcome.status) == "failed" or price.amount == 1000, outcome
        if outcome.status == "failed":
            assert outcome.remedy
    sent = [e.request for e in shop.history[start:] if e.request.kind is RequestKind.CREATE]
    prices = [item["regular_price"] for r in sent for item in json.loads(r.body)["create"]]  # type: ignore[arg-type]
    assert prices in ([], ["1000"])


def test_money_of_another_currency_is_refused_before_it_is_sent(shop: WooShop) -> None:
    records: list[Record] = [mug("a", variants=(Variant(price=Money("5", "EUR")),))]
    with shop.open() as store:
        [outcome] = store.products.create_many(records)  # type: ignore[arg-type]
    assert (str(outcome.status), rows(shop, "id")) == ("failed", [])
