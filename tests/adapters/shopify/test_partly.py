"""Changes that take several calls, of which a later one is refused: what was written is told.

Planning again has what is left, the same plan can be gone on with, and an undo puts back what was
written and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.shopify.shop import Handler, Shop, eur, operation, tee

import storebridge
from storebridge.adapter import Batch, Change
from storebridge.engine import HandlerTransport
from storebridge.flow import Outcome, Request, Response, Status
from storebridge.models import (
    Collection,
    Customer,
    Discount,
    InventoryLevel,
    MarketPrice,
    Media,
    Metafield,
    Money,
    Product,
    Record,
    Translation,
    Variant,
)
from storebridge.plan.report import Item
from storebridge.store.base import Opening
from storebridge.testing import VirtualClock
from storebridge.testing.rig import MemoryJournal, creation
from storebridge.testing.sandbox import answer
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify.sandbox import create, settings


class Refusing:
    """Stands before a shop and refuses one operation, the first time or after some times."""

    def __init__(self, name: str, after: int = 0) -> None:
        self.name, self.left = name, after

    def __call__(self, request: Request, shop: Handler) -> Response:
        if not isinstance(request.body, bytes):
            return shop(request)
        body = json.loads(request.body)
        if self.name != operation(body):
            return shop(request)
        if self.left:
            self.left -= 1
            return shop(request)
        lines = str(body["query"]).splitlines()
        at = next(n for n, line in enumerate(lines) if line.startswith("mutation"))
        root = lines[at + 1].strip().partition("(")[0]
        payload = {"userErrors": [{"field": ["x"], "message": "No", "code": "INVALID"}]}
        return answer(200, {"data": {root: payload}})


def fields(count: int) -> tuple[Metafield, ...]:
    kind = "single_line_text_field"
    return tuple(
        Metafield(namespace="kit", key=f"n{n}", type=kind, value="x") for n in range(count)
    )


def of_two(currency: str) -> tuple[MarketPrice, ...]:
    market = {"CHF": "switzerland", "EUR": "europe"}[currency]
    return (MarketPrice(market=market, price=Money(5, currency)),)


TITLE = Translation(locale="de", field="title", value="Hemd")
#: Which call is refused, what is asked for, in which part, and what is written before.
UPDATES: dict[str, tuple[str, int, dict[str, Any], str, str]] = {
    "variants": (
        "VariantsUpdate", 0,
        {"title": "New", "variants": [{"price": eur("9.00")}]}, "core", "the product's own fields",
    ),
    "stock": (
        "InventorySet", 0,
        {"variants": [{"price": eur("9.00"), "inventory": (InventoryLevel(location="Shop",
         available=7),)}]}, "core", "variants",
    ),
    "metafields": ("MetafieldsSet", 1, {"metafields": fields(30)}, "metafields", "metafields"),
    "prices": (
        "FixedPricesAdd", 1,
        {"variants": [{"market_prices": of_two("CHF") + of_two("EUR")}]}, "prices",
        "market prices",
    ),
    "pictures of variants": (
        "VariantsUpdate", 0,
        {"media": (Media(url="https://a.example/a.jpg"),),
         "variants": [{"media": ("https://a.example/a.jpg",)}]}, "media", "the list of pictures",
    ),
}  # fmt: skip


def given(shop: Shop, id: str, values: dict[str, Any]) -> Product:
    """Return a desired product, its first variants by their ids."""
    if "variants" not in values:
        return Product(**values)
    live = shop.read(id).variants
    pairs = zip(live, values["variants"], strict=False)
    return Product(**{**values, "variants": tuple(Variant(id=v.id, **g) for v, g in pairs)})


@pytest.mark.parametrize("name", UPDATES)
def test_what_was_written_before_a_refusal_is_told(name: str) -> None:
    operation, after, values, part, written = UPDATES[name]
    shop = Shop(Refusing(operation, after))
    [id_] = shop.create(tee())
    outcome = shop.update(id_, given(shop, id_, values), part)
    assert (outcome.status, outcome.cause, outcome.id) == (Status.FAILED, "partly", id_)
    assert outcome.message == f"written: {written}; refused: Shopify: No"
    assert "A new plan has only what is left." in outcome.remedy


@pytest.mark.parametrize("cause", ["conflict", "missing"])
def test_what_was_written_before_stock_that_changed_or_went_is_told(cause: str) -> None:
    shop = Shop()
    [id_] = shop.create(tee())
    variant = shop.read(id_).variants[0].id

    def stock(available: int) -> Product:
        level = (InventoryLevel(location="Shop", available=available),)
        return Product(variants=(Variant(id=variant, inventory=level),))

    before = None
    if cause == "conflict":
        shop.update(id_, stock(5))
        before = stock(4)
    else:
        shop.between = _without_variants
    outcome = shop.update(id_, stock(7).but(title="New"), before=before)
    assert (outcome.status, outcome.cause) == (Status.FAILED, "partly"), outcome
    assert outcome.message.startswith("written: the product's own fields; refused: ")


def _without_variants(request: Request, shop: Handler) -> Response:
    """Answer as though every variant went away."""
    body = json.loads(bytes(request.body)) if isinstance(request.body, bytes) else {}
    if body and operation(body) == "VariantsById":
        return answer(200, {"data": {"nodes": [None] * len(body["variables"]["ids"])}})
    return shop(request)


@pytest.mark.parametrize("name", UPDATES)
def test_what_is_refused_at_once_was_not_written(name: str) -> None:
    operation, _, values, part, _ = UPDATES[name]
    first = {"stock": "VariantsUpdate", "variants": "ProductSet"}
    first["pictures of variants"] = "ProductSetMedia"
    shop = Shop()
    [id_] = shop.create(tee())
    shop.between = Refusing(first.get(name, operation))
    outcome = shop.update(id_, given(shop, id_, values), part)
    assert (outcome.status, outcome.cause) == (Status.FAILED, "rejected")
    assert outcome.message == "Shopify: No"


def test_channels_translations_and_metafields_that_go() -> None:
    shop = Shop(Refusing("Unpublish"))
    id_, person = shop.create(tee(channels=("Online Store",)), Customer(email="a@example.com"))
    before = Product(channels=("Online Store",))
    outcome = shop.update(id_, Product(channels=("Point of Sale",)), "publication", before=before)
    assert outcome.message == "written: channels put in; refused: Shopify: No"
    shop.between = Refusing("TranslationsRemove")
    gone = {"translations": ("fr:title",)}
    outcome = shop.update(id_, Product(translations=(TITLE,)), "translations", removed=gone)
    assert outcome.message == "written: translations; refused: Shopify: No"
    shop.between = Refusing("MetafieldsDelete")
    desired, gone = Customer(metafields=fields(1)), {"metafields": ("kit.old",)}
    outcome = shop.update(person, desired, "metafields", removed=gone)
    assert outcome.message == "written: metafields; refused: Shopify: No"


def test_members_of_a_collection() -> None:
    shop = Shop(Refusing("CollectionRemoveProducts"))
    shop.create(tee("a"), tee("b"))
    [id_] = shop.create(Collection(handle="c", title="C"))
    shop.update(id_, Collection(products=("handle:a",)), "membership")
    outcome = shop.update(id_, Collection(products=("handle:b",)), "membership")
    assert outcome.message == "written: products put in; refused: Shopify: No"


def test_a_discount_that_is_made_without_all_of_its_codes_has_its_id() -> None:
    shop = Shop(Refusing("DiscountCodesAdd"))
    [outcome] = shop.write("discount", creation(Discount(codes=("A", "B"), percentage=10)))
    assert (outcome.status, outcome.cause) == (Status.FAILED, "partly")
    assert outcome.message == "written: the discount; refused: Shopify: No"
    assert shop.read(outcome.id, "discount").codes == ("A",)


def test_a_lost_answer_after_something_was_written_stays_unknown() -> None:
    shop = Shop()
    [id_] = shop.create(tee())
    shop.between = lambda request, own: (
        Response(status=504)
        if b"mutation VariantsUpdate" in (request.body or b"")  # type: ignore[operator]  # bytes
        else own(request)
    )
    outcome = shop.update(id_, given(shop, id_, UPDATES["variants"][2]))
    assert outcome.status is Status.UNKNOWN


# -- by jobs


NOWHERE = "gid://shopify/ProductVariant/999999"


def in_job(
    shop: Shop, id: str, variant: str, journal: MemoryJournal | None = None, **more: Any
) -> Outcome:
    desired = Product(title="New", variants=(Variant(id=variant, price=eur("9.00")),))
    change: Change[Any] = Change(
        id="1", action="update", part="core", record_id=id, desired=desired
    )
    batch: Batch[Any] = Batch(id="b", changes=(change,), way="bulk", **more)
    return shop.engine.run_batch(shop.adapter.records("product"), batch, journal)[0]


def test_a_line_that_is_refused_after_an_earlier_job() -> None:
    shop = Shop()
    [id_] = shop.create(tee())
    outcome = in_job(shop, id_, NOWHERE)
    assert (outcome.status, outcome.cause, outcome.id) == (Status.FAILED, "partly", id_)
    assert outcome.message.startswith("written: the product's own fields; refused: Shopify: ")
    assert shop.read(id_).title == "New"


def test_a_line_that_is_refused_in_a_job_of_a_run_that_was_killed() -> None:
    shop, journal = Shop(), MemoryJournal()
    [id_] = shop.create(tee())
    in_job(shop, id_, NOWHERE, journal)
    held = {"uncertain": frozenset({"1"}), "state": journal.state}
    shop.sent.clear()
    outcome = in_job(shop, id_, NOWHERE, **held)
    assert "BulkMutation" not in shop.operations
    assert outcome.message.startswith("written: the product's own fields; refused: Shopify: ")


def test_a_job_that_gets_no_file_after_an_earlier_job() -> None:
    shop = Shop(Refusing("BulkMutation", after=1))
    [id_] = shop.create(tee())
    outcome = in_job(shop, id_, shop.read(id_).variants[0].id)
    assert outcome.message == "written: the product's own fields; refused: Shopify: No"


# -- whole plans


class Planned:
    """A store whose price changes can be refused."""

    def __init__(self, folder: Path) -> None:
        self.folder, clock = folder, VirtualClock()
        self.sandbox = create(None, clock=clock.time)
        self.between: Any = None
        transport = HandlerTransport(self._answer)
        opening = Opening(state=folder / "state", clock=clock, transport=transport)
        values = ShopifySettings.model_validate(settings())
        self.store = storebridge.Store(ShopifyAdapter(values), opening)
        self.sent: list[str] = []

    def _answer(self, request: Request) -> Response:
        if isinstance(request.body, bytes):
            self.sent.append(operation(json.loads(request.body)))
        return self.between(request, self.sandbox) if self.between else self.sandbox(request)

    def plan(self, name: str, *records: Record) -> Any:
        return self.store.plan(list(records), self.folder / f"{name}.plan")

    def live(self) -> tuple[str, list[str]]:
        found = self.store.products.find("handle:tee")
        return found.title, [str(each.price) for each in found.variants]


@pytest.fixture
def planned(tmp_path: Path) -> Iterator[Planned]:
    found = Planned(tmp_path)
    with found.store:
        assert found.plan("first", tee()).apply().ok
        yield found


def wanted() -> Product:
    cheaper = (Variant(sku="tee-S", price=eur("9.00")), Variant(sku="tee-M", price=eur("8.00")))
    return Product(handle="tee", title="New", variants=cheaper)


def refused(planned: Planned) -> tuple[Any, Item]:
    """Return a plan of which the prices were refused, and its only item."""
    plan = planned.plan("half", wanted())
    planned.between = Refusing("VariantsUpdate")
    report = plan.apply()
    planned.between = None
    [item] = report.items("failed")
    assert report.counts["failed"] == report.planned == 1
    assert planned.live() == ("New", ["19.90 EUR"] * 3)
    return plan, item


def test_the_report_says_what_was_written(planned: Planned) -> None:
    _, item = refused(planned)
    assert item.cause == "partly"
    assert item.message == "written: the product's own fields; refused: Shopify: No"


def test_a_second_plan_has_what_is_left(planned: Planned) -> None:
    refused(planned)
    again = planned.plan("again", wanted())
    assert {row["field"] for row in again.rows()} == {
        "variants[tee-S].price",
        "variants[tee-M].price",
    }
    assert again.apply().ok
    assert planned.live() == ("New", ["9.00 EUR", "8.00 EUR", "19.90 EUR"])
    assert planned.plan("third", wanted()).is_empty


def test_the_same_plan_goes_on_where_it_is_told_to(planned: Planned) -> None:
    plan, _ = refused(planned)
    planned.sent.clear()
    assert not plan.apply().ok
    assert not any("Update" in name or "Set" in name for name in planned.sent)
    assert plan.apply(retry_failed=True).ok
    assert planned.live() == ("New", ["9.00 EUR", "8.00 EUR", "19.90 EUR"])


def test_an_undo_puts_back_what_was_written_and_nothing_else(planned: Planned) -> None:
    plan, _ = refused(planned)
    inverse = plan.undo(planned.folder / "undo.plan")
    assert [(row["field"], row["after"]) for row in inverse.rows()] == [("title", "Tee")]
    planned.sent.clear()
    assert inverse.apply().ok
    assert "VariantsUpdate" not in planned.sent
    assert planned.live() == ("Tee", ["19.90 EUR"] * 3)


def test_an_undo_leaves_what_somebody_changed_since(planned: Planned) -> None:
    plan, _ = refused(planned)
    planned.store.products.update(Product(handle="tee", title="By hand"))
    inverse = plan.undo(planned.folder / "undo.plan")
    assert inverse.is_empty
    assert planned.live()[0] == "By hand"
