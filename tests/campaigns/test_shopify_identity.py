"""Names that look alike: no record of another name is written, and what is in doubt is refused.

SKUs and handles differ in case, width, composition and spaces, are blank, or are there twice.
Shopify lets any number of variants have one SKU, and folds handles to lower case.
"""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from storebridge.models import Option, Product, Variant
from storebridge.plan import Plan
from tests.campaigns.shopify import ShopifyShop, docs, eur, human

#: SKUs that people and programs take for each other.
SKUS = ("TEE", "tee", "Tee", "ＴＥＥ", "TÉE", "TE\u0301E", "TEE-1", "TEE 1", "TEE  1", "TEE\u200b",
        "T-EE", "0TEE", "TEE1", "O TEE", "A/B", "A:B", "A'B", "a*", "TEE OR sku:tee")  # fmt: skip
_MAKE = (
    "mutation M($input: ProductSetInput!) "
    "{ productSet(input: $input) { product { id } userErrors { message } } }"
)


def stand_up(folder: Path, chance: random.Random, products: int) -> ShopifyShop:
    """Return a shop with products of these SKUs; some have none, some share one."""
    shop = ShopifyShop(folder)
    for number in range(products):
        skus = [chance.choice((*SKUS, "", "")) for _ in range(chance.randint(1, 3))]
        values = [f"V{at}" for at in range(len(skus))]
        rows = [
            {"sku": sku, "price": "9.90", "optionValues": [{"optionName": "Size", "name": value}]}
            for sku, value in zip(skus, values, strict=True)
        ]
        options = [{"name": "Size", "values": [{"name": value} for value in values]}]
        given = {"title": f"P {number}", "handle": f"p-{number}", "status": "ACTIVE"}
        human(shop, _MAKE, input={**given, "productOptions": options, "variants": rows})
    return shop


def campaign(folder: Path, seed: int, products: int) -> tuple[int, int]:
    """Set prices by SKU; return how many were written, and how many refused."""
    chance = random.Random(f"identity {seed}")
    with stand_up(folder, chance, products) as shop:
        before = docs(shop.sandbox)
        held = _held(before)
        forms = {unicodedata.normalize("NFC", sku): sku for sku in chance.sample(SKUS, 9)}
        asked = list(forms.values())
        source = [Product(variants=(Variant(sku=sku, price=eur("1.23")),)) for sku in asked]
        plan = shop.plan(source)
        with Plan.open(plan) as opened:
            planned = {change.label for change in opened.changes()}
        report = shop.apply(plan)
        assert report.ok, list(map(str, report.items("failed", "unknown")))
        after = docs(shop.sandbox)
        assert before.keys() == after.keys(), "something was made or deleted"
        written = [name for name in before if before[name] != after[name]]
        for name in written:
            doc = after[name]
            assert name.startswith("ProductVariant"), name
            assert _same(doc["sku"], asked), f"{name} has the SKU {doc['sku']!r}"
            assert {**doc, "price": "9.90"} == before[name], f"{name}: more than its price changed"
            named = unicodedata.normalize("NFC", doc["sku"])
            assert len(held[named]) == 1, f"{doc['sku']!r} is {held[named]}, and {name} was written"
        refused = [sku for sku in asked if len(held.get(unicodedata.normalize("NFC", sku), ())) > 1]
        assert not planned or written
        return len(written), len(refused)


def _held(found: dict[str, Any]) -> dict[str, list[str]]:
    """Return the variants of each SKU, in its composed form."""
    held: dict[str, list[str]] = {}
    for name, doc in found.items():
        if name.startswith("ProductVariant") and doc["sku"]:
            held.setdefault(unicodedata.normalize("NFC", doc["sku"]), []).append(name)
    return held


def _same(sku: str, asked: list[str]) -> bool:
    forms = {unicodedata.normalize("NFC", each) for each in asked}
    return unicodedata.normalize("NFC", sku) in forms


def test_skus_that_look_alike_are_told_apart(tmp_path: Path) -> None:
    written, refused = campaign(tmp_path, 1, products=12)
    assert written
    assert refused


@pytest.mark.soak
def test_skus_that_look_alike_are_told_apart_for_long(tmp_path: Path) -> None:
    for seed in range(300):
        campaign(tmp_path / str(seed), 100 + seed, products=5 + seed % 20)


@pytest.mark.parametrize("skus", [("TWICE", "TWICE"), ("TÉE", "TE\u0301E")])
def test_a_sku_of_two_products_is_refused_with_both_named(
    tmp_path: Path, skus: tuple[str, str]
) -> None:
    options = [{"name": "Title", "values": [{"name": "Default Title"}]}]
    value = {"optionName": "Title", "name": "Default Title"}
    with ShopifyShop(tmp_path) as shop:
        for name, sku in zip(("one", "two"), skus, strict=True):
            row = {"sku": sku, "price": "9.90", "optionValues": [value]}
            given = {"title": name, "handle": name, "productOptions": options, "variants": [row]}
            human(shop, _MAKE, input=given)
        source = Product(variants=(Variant(sku=skus[0], price=eur("1.00")),))
        with shop.open() as store:
            [outcome] = store.products.update_many([source])
            assert (str(outcome.status), outcome.cause) == ("failed", "ambiguous"), outcome
            told = outcome.message + outcome.remedy
            with store.plan([source], tmp_path / "a.plan") as plan:
                assert not list(plan.changes())
                left = " ".join(map(str, plan.skipped()))
        for text in (told, left):
            assert "one" in text, text
            assert "two" in text, text


@pytest.mark.parametrize("handle", ["Tee", "tee", " TEE "])
def test_handles_are_one_where_the_platform_folds_them(tmp_path: Path, handle: str) -> None:
    """What Shopify takes for the same handle is the same product here: none is doubled."""
    with ShopifyShop(tmp_path) as shop:
        shop.fill([Product(handle="tee", title="Tee", options=(), variants=(_only(),))])
        shop.apply(
            shop.plan([Product(handle=handle.strip(), title="Another", variants=(_only(),))])
        )
        assert shop.sandbox.count("Product") == 1


def _only() -> Variant:
    return Variant(sku="T", price=eur("9.90"))


def test_a_handle_under_another_sku_is_refused(tmp_path: Path) -> None:
    """The handle means one product and the SKU another: neither is written."""
    with ShopifyShop(tmp_path) as shop:
        sizes = (Option(name="Size", values=("S",)),)
        for name in ("a", "b"):
            variant = Variant(sku=name.upper(), options=("S",), price=eur("9.90"))
            shop.fill([Product(handle=name, title=name, options=sizes, variants=(variant,))])
        before = docs(shop.sandbox)
        wrong = Product(handle="a", title="New", variants=(Variant(sku="B", price=eur("1")),))
        report = shop.apply(shop.plan([wrong]))
        assert report.counts["applied"] == 0
        assert docs(shop.sandbox) == before
