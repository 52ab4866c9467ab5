"""People work in a Shopify shop meanwhile: nothing of theirs is overwritten, and it is told.

Every leaf of the shop that people changed must be there in the end. What no look can guard is the
one request between the last look at a list and the call that replaces it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from storebridge.flow import Request, Response
from storebridge.models import InventoryLevel, Media, Metafield, Money, Product, Record, Variant
from storebridge.plan import Plan
from storebridge.testing import Fault, Killed, at
from tests.adapters.shopify.shop import tee
from tests.campaigns.rig import Leaves, check, differing, finished, leaves
from tests.campaigns.shopify import ShopifyShop, docs, eur, human, operation

Edit = Callable[[ShopifyShop, Any], None]

_SET = "productSet(identifier: {id: $id}, input: $input) { userErrors { message } }"


def _set(**fields: Any) -> Edit:
    text = f"mutation M($id: ProductSetIdentifiers!, $input: ProductSetInput!) {{ {_SET} }}"
    text = text.replace("{id: $id}", "$id")
    return lambda shop, doc: human(shop, text, id={"id": doc["id"]}, input=fields)


def _price(shop: ShopifyShop, doc: Any) -> None:
    text = (
        "mutation M($id: ID!, $rows: [ProductVariantsBulkInput!]!) "
        "{ productVariantsBulkUpdate(productId: $id, variants: $rows) { userErrors { message } } }"
    )
    human(shop, text, id=doc["id"], rows=[{"id": doc["variants"][0], "price": "77.77"}])


def _stock(shop: ShopifyShop, doc: Any) -> None:
    """Take one piece out of stock, as an order does."""
    with shop.sandbox.lock, shop.sandbox.db:
        variant = shop.sandbox.get(doc["variants"][0]) or {}
        item = shop.sandbox.get(variant["item"]) or {}
        level = next(iter(item["levels"].values()))
        level["available"] = 777
        shop.sandbox.save(item)


def _metafield(shop: ShopifyShop, doc: Any) -> None:
    text = (
        "mutation M($rows: [MetafieldsSetInput!]!) "
        "{ metafieldsSet(metafields: $rows) { userErrors { message } } }"
    )
    row = {"ownerId": doc["id"], "namespace": "kit", "key": "word", "value": "By hand",
           "type": "single_line_text_field"}  # fmt: skip
    human(shop, text, rows=[row])


def _delete(shop: ShopifyShop, doc: Any) -> None:
    text = "mutation M($id: ID!) { productDelete(input: {id: $id}) { userErrors { message } } }"
    human(shop, text, id=doc["id"])


def _another_variant(shop: ShopifyShop, doc: Any) -> None:
    text = (
        "mutation M($id: ID!, $rows: [ProductVariantsBulkInput!]!) "
        "{ productVariantsBulkCreate(productId: $id, variants: $rows) { userErrors { message } } }"
    )
    values = [{"optionName": "Size", "name": "By hand"}]
    human(shop, text, id=doc["id"], rows=[{"optionValues": values, "price": "5.00"}])


EDITS: dict[str, Edit] = {
    "title": _set(title="By hand"),
    "text": _set(descriptionHtml="<p>By hand</p>"),
    "other field": _set(productType="By hand"),
    "tags": _set(tags=["by", "hand"]),
    "unpublish": _set(status="ARCHIVED"),
    "price": _price,
    "stock": _stock,
    "metafield": _metafield,
    "variant": _another_variant,
    "delete": _delete,
}
#: What no plan of the campaign writes, and what is written after the records themselves.
LATER = ("other field", "variant", "metafield")


def wanted(products: int) -> list[Record]:
    """Return changes of every part, of one size of each product."""
    return [
        Product(
            handle=f"t-{number}",
            title=f"Title {number}",
            tags=(f"tag-{number}",),
            status="draft",
            metafields=(Metafield(namespace="kit", key="word", value=f"word {number}"),),
            media=(Media(url=f"https://cdn.example.com/{number}.jpg"),) if number % 3 == 0 else (),
            variants=(
                Variant(
                    sku=f"t-{number}-S",
                    options=("S",),
                    price=eur(f"{number + 1}.00"),
                    inventory=(InventoryLevel(location="Shop", available=number + 1),),
                ),
            ),
        )
        for number in range(products)
    ]


class Edited:
    """A plan for a shop in which people work, and what they may expect."""

    def __init__(self, folder: Path, seed: int, products: int) -> None:
        self.chance = random.Random(f"edits {seed}")
        self.shop = ShopifyShop(folder)
        self.shop.fill(tee(f"t-{number}") for number in range(products))
        self.plan = self.shop.plan(wanted(products))
        self.theirs: Leaves = {}
        self.edits = Counter[str]()
        self.writes = self.moment = 0
        self._lock = Lock()

    def __enter__(self) -> Edited:
        return self

    def __exit__(self, *_: object) -> None:
        self.shop.sandbox.close()

    def __call__(self, request: Request) -> Response:
        """Answer as the platform; at one write people edit what is written later, or never."""
        with self._lock:
            self.writes += request.kind.mutates
            if request.kind.mutates and self.writes == self.moment:
                self.work(LATER, share=0.7)
            return self.shop.sandbox(request)

    def work(self, names: Sequence[str] = tuple(EDITS), share: float = 0.6) -> None:
        """Let people edit, and keep what they changed."""
        before = leaves(docs(self.shop.sandbox))
        for doc in list(self.shop.sandbox.all("Product")):
            if self.chance.random() < share:
                name = self.chance.choice(names)
                EDITS[name](self.shop, doc)
                self.edits[name] += 1
        after = leaves(docs(self.shop.sandbox))
        self.theirs |= {path: after.get(path) for path in differing(before, after)}

    def check(self, done: Set[str] = frozenset()) -> None:
        """All that people changed is as they left it; where it stood in the way, that is told."""
        if not done:
            check(self.shop, self.plan)
        now = leaves(docs(self.shop.sandbox))
        lost = {path: now.get(path) for path in self.theirs if not self._kept(path, now)}
        assert not lost, f"overwritten: {lost}"
        with Plan.open(self.plan) as plan:
            report = plan.report()
            left = list(report.items("skipped", "failed"))
            told = {item.label for item in left if item.cause in ("conflict", "missing")}
            rest = [change for change in plan.changes() if str(change.seq) not in done]
        wanted_ = {change.label for change in rest if self._in_the_way(change)}
        assert wanted_ <= told, f"not reported: {wanted_ - told}"
        assert report.counts["unknown"] == report.counts["open"] == 0
        assert all(item.cause in ("conflict", "missing", "reference") for item in left), left

    def _kept(self, path: str, now: Leaves) -> bool:
        """Return whether a leaf is as people left it; lists of variants may have grown."""
        mine, found = self.theirs[path], now.get(path)
        if isinstance(mine, list) and isinstance(found, list):
            return all(each in found for each in mine)
        return bool(mine == found)

    def _in_the_way(self, change: Any) -> bool:
        """Return whether people took the record away, or gave a field that is changed a value."""
        start = f".Product {change.label}."
        if self.theirs.get(f"{start}title", "") is None:
            return True
        fields = {path.partition("[")[0].partition(".")[0] for path, _, _ in change.fields}
        return any(f"{start}{field}" in self.theirs for field in fields & {"title", "tags"})


def edits_before_apply(folder: Path, rounds: int, products: int) -> Counter[str]:
    """Edit between plan and apply; return the edits that there were."""
    total = Counter[str]()
    for seed in range(rounds):
        with Edited(folder / str(seed), seed, products) as edited:
            edited.work()
            edited.shop.apply(edited.plan)
            edited.check()
            total += edited.edits
    return total


def edits_meanwhile(folder: Path, rounds: int, products: int) -> Counter[str]:
    """Edit in the middle of a run what is written later, or never; return the edits."""
    total = Counter[str]()
    for seed in range(rounds):
        with Edited(folder / str(seed), seed, products) as edited:
            edited.moment = edited.chance.randrange(2, 2 + products)
            edited.shop.apply(edited.plan, network=edited)
            edited.check()
            total += edited.edits
    return total


def edits_before_resume(folder: Path, rounds: int, products: int) -> Counter[str]:
    """Kill a run, edit, and run again; return the edits that there were."""
    total = Counter[str]()
    for seed in range(rounds):
        with Edited(folder / str(seed), seed, products) as edited:
            death = at({edited.chance.randrange(6, 12): Fault.KILLED_BEFORE})
            with pytest.raises(Killed):
                edited.shop.apply(edited.plan, death)
            done = finished(edited.plan)
            edited.work()
            edited.shop.apply(edited.plan)
            edited.check(done)
            total += edited.edits
    return total


def test_edits_between_plan_and_apply(tmp_path: Path) -> None:
    assert edits_before_apply(tmp_path, 1, 8).total() > 3


def test_edits_in_the_middle_of_a_run(tmp_path: Path) -> None:
    assert edits_meanwhile(tmp_path, 1, 5).total() > 1


def test_edits_between_a_kill_and_its_resume(tmp_path: Path) -> None:
    assert edits_before_resume(tmp_path, 1, 5).total() > 1


@pytest.mark.soak
@pytest.mark.parametrize("edits", [edits_before_apply, edits_meanwhile, edits_before_resume])
def test_edits_for_long(tmp_path: Path, edits: Any) -> None:
    assert edits(tmp_path, 60, 12).total() > 300


def test_stock_that_was_sold_in_the_last_moment_is_not_put_back(tmp_path: Path) -> None:
    """Between the last look and the call a buyer comes: the platform compares, and we tell."""
    with ShopifyShop(tmp_path) as shop:
        shop.fill(tee(f"t-{number}") for number in range(3))
        plan = shop.plan(
            Product(
                handle=f"t-{number}",
                variants=(
                    Variant(
                        sku=f"t-{number}-S",
                        inventory=(InventoryLevel(location="Shop", available=50),),
                    ),
                ),
            )
            for number in range(3)
        )

        def network(request: Request) -> Response:
            if operation(request) == "InventorySet" and not sold:
                sold.append(1)
                _stock(shop, next(iter(shop.sandbox.all("Product"))))
            return shop.sandbox(request)

        sold: list[int] = []
        report = shop.apply(plan, network=network)
        assert sold
        [left] = report.items("failed", "skipped")
        assert (left.label, left.cause) == ("t-0", "conflict")
        assert report.counts["applied"] == 2
        found = docs(shop.sandbox)
        held = [found[f"InventoryItem t-{n}/S"]["levels"] for n in range(3)]
        assert [next(iter(level.values()))["available"] for level in held] == [777, 50, 50]


def test_a_variant_that_was_added_in_the_last_moment_stays(tmp_path: Path) -> None:
    """A change of prices sends no list, so it takes nothing away that it has not seen."""
    with ShopifyShop(tmp_path) as shop:
        shop.fill([tee("t-0")])
        variants = (Variant(sku="t-0-S", options=("S",), price=Money("1.00", "EUR")),)
        plan = shop.plan([Product(handle="t-0", title="New", tags=("a",), variants=variants)])

        def network(request: Request) -> Response:
            if request.kind.mutates and not added:
                added.append(1)
                _another_variant(shop, next(iter(shop.sandbox.all("Product"))))
            return shop.sandbox(request)

        added: list[int] = []
        assert shop.apply(plan, network=network).ok
        names = [name for name in docs(shop.sandbox) if name.startswith("ProductVariant")]
        assert len(names) == 4
