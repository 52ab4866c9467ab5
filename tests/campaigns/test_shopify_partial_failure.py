"""User errors in an answer of status 200: each is told of its item, and of no other.

Calls that set stock or prices carry rows of many changes; a user error names its row by a place in
the list, as text. Nothing of a refused call was done, so the others go again without that row.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storebridge.flow import Request, Response
from storebridge.models import (
    InventoryLevel,
    MarketPrice,
    Metafield,
    Money,
    Product,
    Record,
    Translation,
    Variant,
)
from storebridge.testing.sandbox import answer
from tests.adapters.shopify.shop import tee
from tests.campaigns.rig import check
from tests.campaigns.shopify import ShopifyShop, docs, eur, operation

#: Where the rows of a call are, that are of many changes.
ROWS = {"InventorySet": ("input", "quantities"), "FixedPricesAdd": ("prices",)}
#: Codes that the platform gives; some mutations have none.
CODES = ("INVALID", "INVALID_INPUT", "TAKEN", "NOT_FOUND", "INTERNAL_ERROR", None)


class Refusing:
    """A network before a shop in which calls that change something are refused by chance.

    A row of a call that is wrong once is wrong each time it comes.
    """

    def __init__(self, shop: ShopifyShop, seed: int, rate: float) -> None:
        self.shop, self.seed, self.rate = shop, seed, rate
        self.chance = random.Random(f"refusing {seed}")
        self.refused = Counter[str]()
        self.wrong: set[str] = set()
        """The handles of the products whose rows were refused."""

    def __call__(self, request: Request) -> Response:
        name = operation(request)
        if not request.kind.mutates:
            return self.shop.sandbox(request)
        assert isinstance(request.body, bytes)
        body = json.loads(request.body)
        errors = [self._error(path) for path in self._paths(name, body["variables"])]
        if not errors:
            return self.shop.sandbox(request)
        self.refused[name] += 1
        self.chance.shuffle(errors)
        return answer(200, {"data": {_root(body["query"]): {**_NULLS, "userErrors": errors}}})

    def _paths(self, name: str, variables: Any) -> list[list[str] | None]:
        """Return what is wrong: some rows of a call, or all of it; empty if nothing is."""
        if name not in ROWS:
            whole = self.chance.choice((["input", "title"], ["0", "value"], None))
            return [whole] if self.chance.random() < self.rate else []
        rows, steps = variables, ROWS[name]
        for step in steps:
            rows = rows[step]
        names = [row.get("inventoryItemId") or row["variantId"] for row in rows]
        places = [place for place, each in enumerate(names) if self._is_wrong(each)]
        self.wrong |= {self._handle(names[place]) for place in places}
        return [[*steps, str(place), "quantity"] for place in places]

    def _is_wrong(self, name: str) -> bool:
        return random.Random(f"{self.seed} {name}").random() < self.rate

    def _handle(self, id: str) -> str:
        """Return the handle of the product that a variant or an inventory item is of."""
        doc = self.shop.sandbox.get(id) or {}
        variant = self.shop.sandbox.get(doc.get("variant", id)) or {}
        return str((self.shop.sandbox.get(variant["product"]) or {})["handle"])

    def _error(self, path: list[str] | None) -> dict[str, Any]:
        return {"field": path, "message": "That won't do", "code": self.chance.choice(CODES)}


_NULLS = dict.fromkeys(("product", "job", "prices", "inventoryAdjustmentGroup", "metafields"))


def _root(text: str) -> str:
    """Return the root field of a mutation's text."""
    lines = iter(text.splitlines())
    next(line for line in lines if line.startswith("mutation"))
    return next(lines).strip().partition("(")[0]


def _variant(name: str, **given: Any) -> dict[str, Any]:
    return {"variants": (Variant(sku=f"{name}-S", options=("S",), **given),)}


#: Changes of one part, by a number that makes values.
CHANGES: tuple[Callable[[str, int], dict[str, Any]], ...] = (
    lambda _, n: {"title": f"Title {n}"},
    lambda _, n: {"tags": (f"tag-{n}",)},
    lambda name, n: _variant(name, price=eur(f"{n}.00")),
    lambda name, n: _variant(name, inventory=(InventoryLevel(location="Shop", available=n),)),
    lambda name, n: _variant(name, inventory=(InventoryLevel(location="Shop", available=n),)),
    lambda name, n: _variant(
        name, market_prices=(MarketPrice(market="switzerland", price=Money(n, "CHF")),)
    ),
    lambda name, n: _variant(
        name, market_prices=(MarketPrice(market="europe", price=eur(f"{n}.00")),)
    ),
    lambda _, n: {"metafields": (Metafield(namespace="kit", key="number", value=str(n)),)},
    lambda _, n: {"translations": (Translation(locale="de", field="title", value=f"T {n}"),)},
    lambda _, n: {"channels": ("Online Store",)},
)


def wanted(seed: int, products: int) -> list[Record]:
    """Return a change of one part for most of the products, and new ones."""
    chance = random.Random(f"partial {seed}")
    found: list[Record] = []
    for number in range(products):
        name = f"t-{number}"
        if chance.random() < 0.9:
            given = chance.choice(CHANGES)(name, chance.randint(100, 999))
            found.append(Product(handle=name, **given))
    return found + [tee(f"new-{number}") for number in range(products // 5)]


def _with_rows(seed: int, products: int) -> set[str]:
    """Return the handles of products whose changes go as rows of a call."""
    found = (each for each in wanted(seed, products) if isinstance(each, Product))
    return {
        each.handle
        for each in found
        for variant in each.variants
        if {"inventory", "market_prices"} & variant.given
    }


def campaign(folder: Path, seed: int, products: int, rate: float) -> tuple[int, Counter[str]]:
    """Apply a plan of which calls are refused; return how much failed, and which calls."""
    with ShopifyShop(folder) as shop:
        shop.fill(tee(f"t-{number}") for number in range(products))
        plan = shop.plan(wanted(seed, products))
        network = Refusing(shop, seed, rate)
        report = shop.apply(plan, network=network)
        counts = check(shop, plan)
        failed = list(report.items("failed"))
        assert counts["unknown"] == counts["open"] == 0, counts
        assert all("That won't do" in item.message for item in failed), failed
        assert bool(failed) == (not report.ok)
        of_rows = {item.label for item in failed if item.label in _with_rows(seed, products)}
        assert of_rows == network.wrong, "the wrong item was told of an error"
        assert shop.apply(plan, retry_failed=True).ok
        check(shop, plan)
        docs(shop.sandbox)
        assert not shop.planned(wanted(seed, products))
        return len(failed), network.refused


def test_every_user_error_is_told_of_its_item(tmp_path: Path) -> None:
    failed, refused = campaign(tmp_path, seed=3, products=12, rate=0.4)
    assert failed >= 2
    assert refused["InventorySet"]
    assert refused["FixedPricesAdd"]


@pytest.mark.soak
def test_every_user_error_is_told_of_its_item_in_many_batches(tmp_path: Path) -> None:
    refused = Counter[str]()
    for seed in range(60):
        refused += campaign(tmp_path / str(seed), seed, 60, (0.2, 0.5, 0.8)[seed % 3])[1]
    assert refused.total() > 1000
