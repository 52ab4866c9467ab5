"""A catalogue goes from Shopify to WooCommerce and back: what isn't named stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import storebridge
from storebridge.models import Product
from storebridge.plan import Plan

CATALOGUE = Path(__file__).parents[1] / "data" / "shopify-apparel.csv"
SHOPIFY = "sandbox:shopify?memory"
WOOCOMMERCE = "sandbox:woocommerce?memory&woocommerce_currency=EUR&woocommerce_weight_unit=kg"
#: What a store gives to each record and element itself.
OWN = {"id", "url", "created_at", "updated_at", "variants.id", "media.id", "media.url"}
OWN |= {"variants.media"}  # by the addresses of media
#: What no record has: which channels it is taken out of.
UNSAID = {"channels-"}
GRAMS = {"g": 1, "kg": 1000, "lb": Decimal("453.59237"), "oz": Decimal("28.349523125")}
#: Of each record by its handle, its values by path and place.
Flat = dict[str, dict[tuple[str, str], Any]]


def moved(location: str) -> Callable[[Any, Any], Any]:
    """A transform that says what only a person can: where the stock lies, what private is."""

    def move(record: Any, _live: Any) -> Any:
        if not isinstance(record, Product):
            return record
        doc = record.model_dump(exclude_unset=True)
        for variant in doc.get("variants", ()):
            for level in variant.get("inventory", ()):
                level["location"] = location
        if doc.get("status") == "private":
            doc["status"] = "archived"
        return Product.model_validate(doc)

    return move


def flat(value: Any, path: str = "", place: str = "") -> Iterator[tuple[tuple[str, str], Any]]:
    if isinstance(value, dict) and value.keys() == {"value", "unit"}:  # a weight, in any unit
        yield (path, place), round(Decimal(value["value"]) * GRAMS[value["unit"]], 1)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from flat(each, f"{path}.{name}".lstrip("."), place)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from flat(each, path, f"{place}/{number}")
    else:
        yield (path, place), value


def applied(plan: Plan) -> set[str]:
    """Apply a plan, all of it, and return the fields that its fit report names."""
    fit = {each.field for each in plan.fit()}
    report = plan.apply()
    assert {word for word, count in report.counts.items() if count} == {"applied"}
    return fit


def lost(before: Flat, after: Flat, allowed: set[str], *, given: bool = False) -> dict[str, Any]:
    """Return what differs and isn't allowed to; where `given`, of what there was before alone."""
    assert before.keys() == after.keys()
    return {
        path: (handle, before[handle].get((path, place)), after[handle].get((path, place)))
        for handle in before
        for path, place in before[handle].keys() | (after[handle].keys() if not given else set())
        if before[handle].get((path, place)) != after[handle].get((path, place))
        and not any(f"{path}.".startswith(f"{name}.") for name in allowed)
    }


def products(store: storebridge.Store) -> Flat:
    records = store.products.iter()
    return {each.handle: dict(flat(each.model_dump(mode="json"))) for each in records}


def test_nothing_is_lost_on_the_way_there_and_back_but_what_the_fit_report_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    head, _, rows = CATALOGUE.read_text("utf-8").partition("\n")
    Path("a.csv").write_text(head.replace("Schweiz", "Switzerland") + "\n" + rows, "utf-8")
    written: Flat = {}

    def noted(record: Any, _live: Any) -> Any:
        written[record.handle] = dict(flat(record.model_dump(mode="json", exclude_unset=True)))
        return record

    with storebridge.open(SHOPIFY, state=tmp_path / "first") as first:
        told = applied(first.plan("a.csv", location="Shop", transforms=[noted]))
        assert {"variants.tax_class", "variants.market_prices.included"} <= told
        first.pull("first.jsonl")
        before = products(first)
    assert not lost(written, before, OWN | UNSAID | told, given=True)
    with storebridge.open(WOOCOMMERCE, state=tmp_path / "between") as between:
        named = applied(between.plan("first.jsonl", transforms=[moved("Default")]))
        assert {"vendor", "product_type", "variants.cost", "variants.market_prices"} <= named
        between.pull("between.jsonl")
    with storebridge.open(SHOPIFY, state=tmp_path / "last") as last:
        named |= applied(last.plan("between.jsonl", transforms=[moved("Shop")]))
        after = products(last)
    assert not lost(before, after, OWN | named)
