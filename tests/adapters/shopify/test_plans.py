"""Whole plans: a Shopify file goes in, comes out, and planning again finds nothing to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.adapters.shopify.shop import opened, tee

import storebridge
from storebridge.engine import HandlerTransport
from storebridge.flow import Response, Status
from storebridge.models import Collection, MarketPrice, Metafield, Money, Product, Variant
from storebridge.store import Store
from storebridge.store.base import Opening
from storebridge.testing import VirtualClock
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify.sandbox import create, settings

CATALOGUE = Path(__file__).parents[2] / "data" / "shopify-apparel.csv"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> storebridge.Store:
    monkeypatch.chdir(tmp_path)
    text = CATALOGUE.read_text("utf-8")
    head, _, rows = text.partition("\n")
    Path("a.csv").write_text(head.replace("Schweiz", "Switzerland") + "\n" + rows, "utf-8")
    return storebridge.open("sandbox:shopify?memory", state=tmp_path / "state")


def test_a_file_of_shopify_goes_in_and_planning_again_is_empty(store: storebridge.Store) -> None:
    with store:
        plan = store.plan("a.csv", location="Shop")
        assert not plan.is_empty
        report = plan.apply()
        assert {word for word, count in report.counts.items() if count} == {"applied"}
        assert store.plan("a.csv", location="Shop").is_empty
        store.pull("pulled.jsonl")
        assert store.plan("pulled.jsonl").is_empty
        store.pull("pulled.csv", format="shopify-csv", location="Shop")
        assert store.plan("pulled.csv", location="Shop").is_empty


def test_an_edited_price_is_the_only_change_and_is_taken_back(store: storebridge.Store) -> None:
    with store:
        store.plan([tee()]).apply()
        before = store.products.find("handle:tee")
        plan = store.edit("handle = 'tee'", set={"price": "1.00"})
        plan.apply()
        after = store.products.find("handle:tee")
        assert isinstance(before, Product)
        assert isinstance(after, Product)
        assert {str(each.price) for each in after.variants} == {"1.00 EUR"}
        plan.undo("back.plan").apply()
        again = store.products.find("handle:tee")
        assert isinstance(again, Product)
        assert again.variants == before.variants


def test_market_prices_are_verified_while_searches_lag(tmp_path: Path) -> None:
    franc = Money("9.00", "CHF")
    price = MarketPrice(market="switzerland", price=franc, compare_at_price=None)
    opening = Opening(
        transport=HandlerTransport(create(None, search_lag=600)),
        clock=VirtualClock(),
        state=tmp_path,
    )
    with Store(ShopifyAdapter(ShopifySettings.model_validate(settings())), opening) as store:
        store.plan([tee()], tmp_path / "0.plan", location="Shop").apply()
        rows = tuple(Variant(sku=f"tee-{size}", market_prices=(price,)) for size in "SM")
        priced = Product(handle="tee", variants=rows)
        counts = store.plan([priced], tmp_path / "1.plan").apply().counts
        assert {word for word, count in counts.items() if count} == {"applied"}
        cheaper = price.but(price=Money("8.00", "CHF"))
        live = store.products.find("handle:tee")
        assert isinstance(live, Product)
        id_ = live.variants[0].id
        outcome = store.products.update(
            Product(id=live.id, variants=(Variant(id=id_, market_prices=(cheaper,)),))
        )
        assert outcome.status is Status.APPLIED, outcome
        assert isinstance(outcome.record, Product)
        assert outcome.record.title == "Tee"


def virtual(folder: Path, answer: Callable[[Response], Response] = lambda said: said) -> Store:
    """Return a store on a clock of its own; its answers go through a function."""
    clock = VirtualClock()
    sandbox = create(None, clock=clock.time)
    transport = HandlerTransport(lambda request: answer(sandbox(request)))
    opening = Opening(state=folder / "state", clock=clock, transport=transport)
    return Store(ShopifyAdapter(ShopifySettings(**settings())), opening)


FRANC = (MarketPrice(market="switzerland", price=Money("9.00", "CHF")),)
PRICED = (Variant(sku="A", price=Money("10", "EUR"), market_prices=FRANC),)


@pytest.mark.parametrize("call", ["create", "upsert", "create_many"])
def test_market_prices_and_what_comes_after_them_are_written_directly_too(
    tmp_path: Path, call: str
) -> None:
    note = Metafield(namespace="kit", key="note", value="Soft", type="single_line_text_field")
    product = Product(handle="a", title="A", metafields=(note,), variants=PRICED)
    with virtual(tmp_path) as store:
        if call == "create_many":
            [outcome] = store.products.create_many([product])
        else:
            outcome = getattr(store.products, call)(product)
        assert outcome.status is Status.APPLIED, outcome
        live = store.products.get(outcome.id)
    assert live.metafields == (note,)
    assert [each.price for each in live.variants[0].market_prices] == [Money("9", "CHF")]


def test_products_by_other_names_are_no_difference(tmp_path: Path) -> None:
    with virtual(tmp_path) as store:
        made = store.products.create(Product(handle="a", title="A", variants=PRICED))
        for name in ("sku:A", "handle:a", f"id:{made.id}"):
            sale = Collection(handle=f"sale-{name[:2]}", title="Sale", products=(name,))
            assert store.collections.create(sale).status is Status.APPLIED
            assert store.collections.upsert(sale).status is Status.UNCHANGED


def test_a_market_price_that_came_otherwise_is_told(tmp_path: Path) -> None:
    def dearer(answer: Response) -> Response:
        return replace(answer, body=answer.body.replace(b'"9.00"', b'"9.50"'))

    with virtual(tmp_path, dearer) as store:
        outcome = store.products.create(Product(handle="a", title="A", variants=PRICED))
    assert outcome.status is Status.FAILED
    assert "market_prices" in outcome.message


def test_a_price_of_what_was_just_made_is_not_looked_for(tmp_path: Path) -> None:
    price = MarketPrice(market="switzerland", price=Money("9.00", "CHF"))  # no compare-at price
    variant = Variant(sku="A", price=Money("8.00", "EUR"), market_prices=(price,))
    with opened(tmp_path) as store:
        clock = store.opening.clock
        assert clock is not None
        started = clock.time()
        outcome = store.products.create(Product(handle="coat", title="Coat", variants=(variant,)))
        assert outcome.status is Status.APPLIED, outcome
        assert clock.time() - started < 5  # the search is asked again after ten seconds
        (shown,) = store.products.get(outcome.id).variants
        assert [each.price for each in shown.market_prices] == [price.price]
