"""Options and variants of live products: what nobody planned doesn't go, and what is sent is so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.shopify.shop import Shop, eur, tee
from tests.pictures import png

import storebridge
from storebridge.adapter import Batch, Change
from storebridge.engine import HandlerTransport
from storebridge.errors import BadAnswer, Refused
from storebridge.flow import Request, Response, Status
from storebridge.models import (
    Collection,
    InventoryLevel,
    MarketPrice,
    Media,
    Option,
    Product,
    Rule,
    Variant,
    Weight,
)
from storebridge.plan.guards import Guards
from storebridge.store import Store
from storebridge.store.base import Opening
from storebridge.testing.rig import MemoryJournal, creation
from storebridge.testing.sandbox import answer
from storebridge_shopify import ShopifyAdapter, ShopifySettings, walk
from storebridge_shopify.sandbox import settings
from storebridge_shopify.site import Recent


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def store(shop: Shop, tmp_path: Path) -> Iterator[Store]:
    """The same shop as a person plans for it."""
    transport = HandlerTransport(shop.answer)
    opening = Opening(state=tmp_path / "state", clock=shop.clock, transport=transport)
    with storebridge.Store(ShopifyAdapter(ShopifySettings(**settings())), opening) as found:
        yield found


def single(**fields: Any) -> Product:
    """A product without options, with stock."""
    stock = (InventoryLevel(location="Shop", available=7),)
    variant = Variant(sku="TEE", price=eur("1.00"), inventory=stock, **fields)
    return Product(handle="tee", title="Tee", variants=(variant,))


def sends(request: Request, word: bytes) -> bool:
    """Return whether a request has a word in its body."""
    return isinstance(request.body, bytes) and word in request.body


def sizes(*values: str, name: str = "Size") -> tuple[Option, ...]:
    return (Option(name=name, values=values),)


# -- a product without options gets some


def test_the_only_variant_is_not_deleted_unasked(shop: Shop) -> None:
    [id_] = shop.create(single())
    before = shop.read(id_).variants
    wanted = tee()
    outcome = shop.update(id_, Product(options=wanted.options, variants=wanted.variants))
    assert (outcome.status, outcome.cause) == (Status.FAILED, "rejected")
    assert "with the SKU or the id that it has" in outcome.remedy
    assert shop.read(id_).variants == before


@pytest.mark.parametrize("same", [{"sku": "TEE"}, {"barcodes": ("4006381333931",)}])
def test_the_only_variant_gets_options_where_a_new_one_is_it(shop: Shop, same: Any) -> None:
    [id_] = shop.create(single(barcodes=("4006381333931",)))
    [before] = shop.read(id_).variants
    small = Variant(options=("S",), price=eur("2.00"), **same)
    large = Variant(sku="TEE-L", options=("L",), price=eur("2.00"))
    shop.update(id_, Product(options=sizes("S", "L"), variants=(small, large)))
    after = shop.read(id_).variants
    assert [each.options for each in after] == [("S",), ("L",)]
    assert (after[0].id, after[0].inventory) == (before.id, before.inventory)


def test_a_plan_shows_the_only_variant_going_and_the_guard_counts_it(
    shop: Shop, store: Store, tmp_path: Path
) -> None:
    [id_] = shop.create(single())
    with pytest.raises(Refused, match="variant TEE deleted"):
        store.plan([tee()], tmp_path / "plan")
    guards = Guards(max_deletes=1, max_emptied="")
    plan = store.plan([tee()], tmp_path / "plan", guards=guards)
    [gone] = [row for row in plan.rows() if row["after"] is None]
    assert gone["field"] == "variants[TEE]"
    assert plan.apply().ok
    assert [each.options for each in shop.read(id_).variants] == [("S",), ("M",), ("L",)]


def test_a_plan_keeps_the_only_variant_that_a_barcode_names(
    shop: Shop, store: Store, tmp_path: Path
) -> None:
    [id_] = shop.create(single(barcodes=("4006381333931",)))
    [before] = shop.read(id_).variants
    named = Variant(sku="S", barcodes=("4006381333931",), options=("S",), price=eur("2.00"))
    wanted = Product(handle="tee", options=sizes("S", "L"), variants=(named, *tee().variants[2:]))
    assert store.plan([wanted], tmp_path / "plan").apply().ok
    after = shop.read(id_).variants
    assert (after[0].id, after[0].sku, after[0].inventory) == (before.id, "S", before.inventory)


# -- a live option in the place of another one


def coloured(shop: Shop) -> str:
    variants = tuple(Variant(sku=c, options=(c,), price=eur("1.00")) for c in ("Red", "Blue"))
    options = sizes("Red", "Blue", name="Color")
    return shop.create(Product(handle="tee", title="Tee", options=options, variants=variants))[0]


def test_another_option_is_no_rename_of_the_one_in_its_place(shop: Shop) -> None:
    id_ = coloured(shop)
    before = shop.read(id_)
    wanted = tee()
    outcome = shop.update(id_, Product(options=wanted.options, variants=wanted.variants))
    assert (outcome.status, outcome.cause) == (Status.FAILED, "rejected")
    assert "the shop has 'Color' (Red, Blue) in its place" in outcome.message
    assert "the source 'Size' (S, M, L)" in outcome.message
    assert "rename 'Color' by itself first" in outcome.remedy
    assert shop.read(id_) == before


def test_values_that_nobody_asked_for_are_told(
    shop: Shop, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storebridge_shopify.writing.Shape._renames", lambda *_: True)
    coloured(shop)
    report = store.plan([tee()], tmp_path / "plan").apply()
    [item] = report.items("failed")
    assert item.cause == "differs"
    assert "options[Size].Red: still there" in item.message


def test_a_new_value_is_asked_for_by_its_variant(shop: Shop, store: Store, tmp_path: Path) -> None:
    shop.create(tee())
    new = Variant(sku="tee-XL", options=("XL",), price=eur("25.00"))
    plan = store.plan([Product(handle="tee", variants=(new,))], tmp_path / "plan")
    report = plan.apply()
    assert report.ok, [each.message for each in report.items("failed")]


# -- pictures that a person adds meanwhile

ADD = """mutation Add($id: ID!, $media: [CreateMediaInput!]) {
  productUpdate(product: {id: $id}, media: $media) { userErrors { message } }
}"""
THEIRS = [{"mediaContentType": "IMAGE", "originalSource": "https://a.example/t.jpg", "alt": "Hers"}]


def added_while(moment: Callable[[Request], bool]) -> Shop:
    """Return a shop in which a person adds a picture at the first request of a kind."""

    def between(request: Request, sandbox: Any) -> Response:
        if ids and moment(request):
            shop.person(ADD, id=ids.pop(), media=THEIRS)
            if not request.foreign:
                return Response(status=502, body=b"<html>")
        return sandbox(request)

    ids: list[str] = []
    shop = Shop(between)
    ids += shop.create(tee())
    return shop


def test_a_picture_that_comes_during_an_upload_stays(tmp_path: Path) -> None:
    shop = added_while(lambda request: request.foreign)
    (tmp_path / "a.png").write_bytes(png())
    media = (Media(url=(tmp_path / "a.png").as_uri(), alt="Ours"),)
    id_ = shop.ids["product handle:tee"]
    assert shop.update(id_, Product(media=media), "media").status is Status.APPLIED
    assert {each.alt for each in shop.read(id_).media} == {"Hers", "Ours"}


@pytest.mark.parametrize("text", [{"alt": "Ours"}, {}], ids=["named", "plain"])
def test_a_picture_that_comes_before_a_list_is_sent_again_stays(text: dict[str, str]) -> None:
    shop = added_while(lambda request: sends(request, b"ProductSetMedia"))
    media = (Media(url="https://shop.example/a.jpg", **text),)
    id_ = shop.ids["product handle:tee"]
    assert shop.update(id_, Product(media=media), "media").status is Status.APPLIED
    assert {each.alt for each in shop.read(id_).media} == {"Hers", text.get("alt", "")}


@pytest.mark.parametrize("way", ["direct", "bulk"])
def test_a_killed_try_takes_no_picture_of_a_person_for_its_own(way: Any) -> None:
    """Hers is still being worked off when the run goes on, and has no name yet."""
    shop = Shop()
    [id_] = shop.create(tee())
    shop.person(ADD, id=id_, media=THEIRS)
    change: Change[Product] = Change(
        id="1",
        action="update",
        part="media",
        record_id=id_,
        desired=Product(media=(Media(url="https://shop.example/ours.jpg"),)),
    )
    [outcome] = shop.write("product", change, way=way, uncertain=frozenset({"1"}), state={id_: ()})
    assert outcome.status is Status.APPLIED
    assert {each.alt for each in shop.read(id_).media} == {"Hers", ""}


def test_pictures_that_replace_others_are_the_only_ones(shop: Shop) -> None:
    [id_] = shop.create(tee())
    for name in "ab":
        media = (Media(url=f"https://shop.example/{name}.jpg", alt=name),)
        shop.update(id_, Product(media=media, modes={"media": "replace"}), "media")
    assert [each.alt for each in shop.read(id_).media] == ["b"]


def test_a_picture_that_is_to_go_is_not_taken_for_the_new_one_after_a_lost_answer() -> None:
    def lose(request: Request, sandbox: Any) -> Response:
        if armed and sends(request, b"mutation ProductSetMedia"):
            armed.pop()
            return Response(status=502, body=b"<html>")
        return sandbox(request)

    armed: list[bool] = []
    shop = Shop(lose)
    [id_] = shop.create(tee())
    old, new = (Media(url=f"https://{name}.example/a.jpg") for name in ("old", "new"))
    shop.update(id_, Product(media=(old,)), "media")
    [before] = shop.read(id_).media
    armed.append(True)
    removed = {"media": (f"id:{before.id}",)}
    outcome = shop.update(id_, Product(media=(new,)), "media", removed=removed)
    assert outcome.status is Status.APPLIED, outcome
    [after] = shop.read(id_).media
    assert after.id != before.id
    assert set(outcome.media.values()) == {after.id}


def test_a_picture_goes_where_no_other_is_given(shop: Shop) -> None:
    [id_] = shop.create(tee())
    media = tuple(Media(url=f"https://shop.example/{name}.jpg", alt=name) for name in "ab")
    shop.update(id_, Product(media=media), "media")
    first, second = shop.read(id_).media
    outcome = shop.update(id_, Product(), "media", removed={"media": (f"id:{first.id}",)})
    assert outcome.status is Status.APPLIED, outcome
    assert [each.id for each in shop.read(id_).media] == [second.id]


def test_pictures_of_one_name_that_a_killed_try_made_are_each_their_own(shop: Shop) -> None:
    [id_] = shop.create(tee())
    media = tuple(Media(url=f"https://{host}.example/front.jpg") for host in ("one", "two"))
    change: Change[Product] = Change(
        id="1", action="update", part="media", record_id=id_, desired=Product(media=media)
    )
    shop.write("product", change)
    before = [each.id for each in shop.read(id_).media]
    [outcome] = shop.write("product", change, uncertain=frozenset({"1"}), state={id_: ()})
    assert [each.id for each in shop.read(id_).media] == before
    assert [outcome.media[f"url:{each.url}"] for each in media] == before


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("Front.JPG?v=1.9", "front.jpg"),
        ("my photo (1).jpg", "my_photo_1.jpg"),
        ("front.jpg", "front_0d1f2b.jpg"),
        ("my%20photo.jpg", "my photo.jpg"),
        ("caf%C3%A9.jpg", "café.jpg"),
    ],
)
def test_a_picture_of_a_killed_try_is_known_by_the_name_that_shopify_gave_it(
    source: str, shown: str
) -> None:
    def renamed(request: Request, sandbox: Any) -> Response:
        found: Response = sandbox(request)
        return replace(found, body=found.body.replace(name.encode(), shown.encode()))

    name = source.partition("?")[0]
    shop = Shop(renamed)
    [id_] = shop.create(tee())
    media = (Media(url=f"https://shop.example/{source}"),)
    change: Change[Product] = Change(
        id="1", action="update", part="media", record_id=id_, desired=Product(media=media)
    )
    shop.write("product", change)
    [before] = shop.read(id_).media
    assert before.url.partition("?")[0].endswith(f"/{shown}")
    shop.adapter = ShopifyAdapter(shop.adapter.settings)
    [outcome] = shop.write("product", change, uncertain=frozenset({"1"}), state={id_: ()})
    assert [each.id for each in shop.read(id_).media] == [before.id]
    assert list(outcome.media.values()) == [before.id]


def test_fewer_pictures_than_were_given_are_told() -> None:
    def drop(request: Request, sandbox: Any) -> Response:
        found: Response = sandbox(request)
        if not sends(request, b"mutation ProductSetMedia"):
            return found
        body = json.loads(found.body)
        body["data"]["productSet"]["product"]["media"]["nodes"].pop()
        return replace(found, body=json.dumps(body).encode())

    shop = Shop(drop)
    [id_] = shop.create(tee())
    media = tuple(Media(url=f"https://shop.example/{name}.jpg") for name in "ab")
    outcome = shop.update(id_, Product(media=media), "media")
    assert (outcome.status, outcome.cause) == (Status.UNKNOWN, "answer")
    assert "2 media were given, and the product got 1" in outcome.message


def test_sources_are_remembered_for_as_long_as_they_are_needed() -> None:
    known = Recent[str, str](10)
    for number in range(100):
        known.learn(f"url:{number}", str(number))
        last = range(max(0, number - 4), number + 1)
        assert [known.get(f"url:{each}") for each in last] == list(map(str, last))
    assert [known.get(f"url:{n}") for n in (99, 95, 80)] == ["99", "95", None]


# -- stock at more locations than come at once


def test_stock_at_a_location_of_a_later_page_is_no_new_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storebridge_shopify.inventory._LEVELS", 1)
    places = ("Shop", "Warehouse")
    stock = tuple(InventoryLevel(location=each, available=5) for each in places)
    variant = Variant(sku="A", price=eur("1.00"), inventory=stock)
    [id_] = shop.create(Product(handle="a", title="A", variants=(variant,)))
    [live] = shop.read(id_).variants
    shop.sent.clear()
    for place in places:
        level = InventoryLevel(location=place, available=9)
        outcome = shop.update(id_, Product(variants=(Variant(id=live.id, inventory=(level,)),)))
        assert outcome.status is Status.APPLIED
    assert shop.operations == ["VariantsById", "VariantMore", "InventorySet"] * 2
    assert [each.available for each in shop.read(id_).variants[0].inventory] == [9, 9]


# -- answers without what they must have


def test_a_level_without_a_quantity_is_an_answer_that_cant_be_read() -> None:
    def between(request: Request, sandbox: Any) -> Response:
        answer = sandbox(request)
        return replace(answer, body=answer.body.replace(b'"available"', b'"on_hand"'))

    stock = (InventoryLevel(location="Shop", available=5),)
    variant = Variant(sku="A", price=eur("1.00"), inventory=stock)
    shop = Shop()
    [id_] = shop.create(Product(handle="a", title="A", variants=(variant,)))
    [live] = shop.read(id_).variants
    shop.between = between
    with pytest.raises(BadAnswer, match="could not read the answer"):
        shop.read(id_)
    wanted = Variant(id=live.id, inventory=(InventoryLevel(location="Shop", available=9),))
    outcome = shop.update(id_, Product(variants=(wanted,)))
    assert (outcome.status, outcome.cause) == (Status.FAILED, "answer")


# -- large products


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """From three variants on, a product counts as large."""
    monkeypatch.setattr("storebridge_shopify.setting._LARGE", 2)


@pytest.mark.usefixtures("small")
def test_a_large_product_is_set_by_an_operation_that_is_followed(shop: Shop) -> None:
    outcome, *_ = shop.write("product", creation(tee()))
    assert outcome.status is Status.APPLIED, outcome
    assert shop.operations[0] == "ProductSetAsync"
    assert len(shop.operations) > 2
    assert set(shop.operations[1:]) == {"ProductOperation"}
    shop.sent.clear()
    new = Variant(sku="tee-XL", options=("XL",), price=eur("25.00"))
    assert shop.update(outcome.id, Product(variants=(new,))).status is Status.APPLIED
    assert shop.operations[:3] == ["ProductsById", "ProductSetAsync", "ProductOperation"]
    assert len(shop.read(outcome.id).variants) == 4


@pytest.mark.usefixtures("small")
def test_what_is_wrong_with_an_operation_is_the_outcome(shop: Shop) -> None:
    first, *others = tee().variants
    wrong = first.but(cost=eur("-1.00"))
    [outcome] = shop.write("product", creation(tee(variants=(wrong, *others))))
    assert (outcome.status, outcome.cause) == (Status.FAILED, "rejected")
    assert "Cost per item must be greater than or equal to 0" in outcome.message


@pytest.mark.usefixtures("small")
def test_a_large_product_whose_operation_nobody_knows_any_more_is_looked_for() -> None:
    def forget(request: Request, sandbox: Any) -> Response:
        if sends(request, b"query ProductOperation"):
            return answer(200, {"data": {"productOperation": None}})
        found: Response = sandbox(request)
        return found

    shop = Shop(forget)
    [outcome] = shop.write("product", creation(tee()))
    assert outcome.status is Status.APPLIED, outcome
    assert shop.operations.count("ProductSetAsync") == 1
    assert shop.read(outcome.id).handle == "tee"


@pytest.mark.usefixtures("small")
def test_a_large_product_of_a_killed_run_is_followed_and_not_made_again() -> None:
    def between(request: Request, sandbox: Any) -> Response:
        if killed and sends(request, b"query ProductOperation"):
            raise KeyboardInterrupt
        return sandbox(request)

    class Journal(MemoryJournal):
        def remember(self, batch: str, state: Any) -> None:
            kept.append(state)

    killed = [True]
    shop = Shop(between)
    change = creation(tee())
    kept: list[Any] = []
    batch = Batch(id="b", changes=(change,))
    with pytest.raises(KeyboardInterrupt):
        shop.engine.run_batch(shop.adapter.records("product"), batch, Journal())
    killed.clear()
    shop.sent.clear()
    [outcome] = shop.write(
        "product", change, id="b", uncertain=frozenset({change.id}), state=kept[-1]
    )
    assert outcome.status is Status.APPLIED, outcome
    assert set(shop.operations) == {"ProductOperation"}
    assert shop.read(outcome.id).handle == "tee"


@pytest.mark.usefixtures("small")
def test_a_change_of_a_large_product_that_was_begun_is_followed_before_it_is_made(
    shop: Shop,
) -> None:
    [outcome] = shop.write("product", creation(tee()))
    begun = shop.variables("ProductOperation")[0]["id"]
    new = Variant(sku="tee-XL", options=("XL",), price=eur("25.00"))
    desired = Product(variants=(new,))
    change: Change[Product] = Change(
        id="1", action="update", part="core", record_id=outcome.id, desired=desired
    )
    shop.sent.clear()
    state = {"operations": {change.id: begun}}
    shop.write("product", change, uncertain=frozenset({change.id}), state=state)
    assert shop.operations[:2] == ["ProductOperation", "ProductsById"]
    assert len(shop.read(outcome.id).variants) == 4


def test_a_change_that_was_cut_off_is_sent_again_as_an_operation() -> None:
    def between(request: Request, sandbox: Any) -> Response:
        if cut and sends(request, b"mutation ProductSet("):
            cut.pop()
            return Response(status=504, body=b"<html>")
        return sandbox(request)

    cut: list[bool] = []
    shop = Shop(between)
    [id_] = shop.create(tee())
    cut.append(True)
    new = Variant(sku="tee-XL", options=("XL",), price=eur("25.00"))
    assert shop.update(id_, Product(variants=(new,))).status is Status.APPLIED
    assert [each for each in shop.operations if "Set" in each] == ["ProductSet", "ProductSetAsync"]
    assert len(shop.read(id_).variants) == 4


def many(count: int) -> Product:
    """A product of one option with so many values."""
    values = tuple(map(str, range(count)))
    variants = tuple(Variant(sku=each, options=(each,), price=eur("1.00")) for each in values)
    return Product(handle="a", title="A", options=sizes(*values), variants=variants)


def test_many_variants_come_with_few_calls(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(walk._BY_ID, "variants", 1)
    [id_] = shop.create(many(60))
    new = Variant(sku="XL", options=("XL",), price=eur("25.00"))
    assert shop.update(id_, Product(variants=(new,))).status is Status.APPLIED
    assert shop.operations == ["ProductsById", "ProductMore", "ProductSet"]
    assert len(shop.read(id_).variants) == 61


def test_an_option_has_more_values_than_a_list_of_an_input(shop: Shop) -> None:
    """A list of an input has 250 elements at most, in a job too."""
    [outcome] = shop.write("product", creation(many(252)), way="bulk")
    assert outcome.status is Status.APPLIED, outcome
    assert "BulkMutation" not in shop.operations
    stock = (InventoryLevel(location="Shop", available=7),)
    new = Variant(sku="XL", options=("XL",), price=eur("25.00"), inventory=stock)
    first = Variant(sku="0", price=eur("2.00"))
    wanted = Product(title="New", variants=(first, new))
    assert shop.update(outcome.id, wanted).status is Status.APPLIED
    live = shop.read(outcome.id)
    assert [each.sku for each in live.variants] == [*map(str, range(252)), "XL"]
    assert live.options[0].values[-2:] == ("251", "XL")
    assert live.variants[-1].inventory == stock
    assert (live.title, live.variants[0].price) == ("New", eur("2.00"))


# -- collections that fill themselves


def test_a_variant_that_a_call_of_its_own_adds_has_all_that_is_given(shop: Shop) -> None:
    product = many(501)
    *others, last = product.variants
    weight = Weight(value=Decimal(2), unit="kg")
    last = last.but(cost=eur("0.50"), weight=weight, barcodes=("4006381333931",), taxable=False)
    [outcome] = shop.write("product", creation(product.but(variants=(*others, last))))
    assert [len(each["variants"]) for each in shop.variables("VariantsCreate")] == [250, 1]
    *_, live = held = shop.read(outcome.id).variants
    assert len(held) == 501
    assert (live.sku, live.cost, live.weight) == ("500", eur("0.50"), weight)
    assert (live.barcodes, live.taxable) == (("4006381333931",), False)


def test_a_call_that_adds_variants_is_not_sent_again_after_a_lost_answer() -> None:
    def lose(request: Request, sandbox: Any) -> Response:
        found: Response = sandbox(request)
        if sends(request, b"mutation VariantsCreate"):
            return Response(status=502, body=b"<html>")
        return found

    shop = Shop(lose)
    [outcome] = shop.write("product", creation(many(251)))
    assert outcome.status is Status.APPLIED, outcome
    assert len(shop.variables("VariantsCreate")) == 1
    assert len(shop.read(outcome.id).variants) == 251


def test_variants_and_their_stock_go_250_to_a_call(shop: Shop) -> None:
    stock = (InventoryLevel(location="Shop", available=7),)
    product = many(251)
    held = tuple(each.but(inventory=stock) for each in product.variants)
    [id_] = shop.create(product.but(variants=held))
    now = (InventoryLevel(location="Shop", available=9),)
    rows = tuple(
        Variant(id=each.id, price=eur("2.00"), inventory=now) for each in shop.read(id_).variants
    )
    shop.sent.clear()
    outcome = shop.update(id_, Product(variants=rows))
    assert outcome.status is Status.APPLIED, outcome
    assert [len(each["variants"]) for each in shop.variables("VariantsUpdate")] == [250, 1]
    sent = [each["input"]["quantities"] for each in shop.variables("InventorySet")]
    assert list(map(len, sent)) == [250, 1]
    live = shop.read(id_).variants
    assert {(str(each.price), each.inventory) for each in live} == {("2.00 EUR", now)}


def test_prices_of_a_market_go_250_to_a_call(shop: Shop) -> None:
    [id_] = shop.create(many(251))
    price = MarketPrice(market="europe", price=eur("2.00"), compare_at_price=None)
    rows = tuple(Variant(id=each.id, market_prices=(price,)) for each in shop.read(id_).variants)
    shop.sent.clear()
    outcome = shop.update(id_, Product(variants=rows), "prices")
    assert outcome.status is Status.APPLIED, outcome
    assert [len(each["prices"]) for each in shop.variables("FixedPricesAdd")] == [250, 1]


@pytest.mark.parametrize("what", ["removed", "moved", "replaced"])
def test_what_calls_that_add_variants_cant_do_is_refused_and_not_left_out(
    shop: Shop, what: str
) -> None:
    [id_] = shop.create(many(252))
    first, second, *_ = before = shop.read(id_).variants
    new = Variant(sku="XL", options=("XL",), price=eur("25.00"))
    desired, removed = Product(variants=(new,)), {}
    if what == "removed":
        removed = {"variants": (f"id:{first.id}",)}
    elif what == "moved":
        desired = Product(variants=(Variant(id=second.id, options=("M",)), new))
    else:
        kept = tuple(Variant(id=each.id) for each in before[1:])
        desired = Product(variants=(*kept, new), modes={"variants": "replace"})
    outcome = shop.update(id_, desired, removed=removed)
    assert (outcome.status, outcome.cause) == (Status.FAILED, "rejected")
    assert shop.read(id_).variants == before


def test_a_sku_that_two_variants_have_names_neither(shop: Shop) -> None:
    first, second, *_ = tee().variants
    twins = (first.but(sku="TWIN"), second.but(sku="TWIN"))
    [id_] = shop.create(tee(options=sizes("S", "M"), variants=twins))
    before = shop.read(id_).variants
    outcome = shop.update(id_, Product(variants=(Variant(sku="TWIN", price=eur("1.00")),)))
    assert outcome.status is Status.FAILED
    assert shop.read(id_).variants == before


def test_variants_keep_their_values_where_options_change_places(shop: Shop) -> None:
    size, colour = Option(name="Size", values=("S", "M")), Option(name="Color", values=("Red",))
    pairs = (("S", "Red"), ("M", "Red"))
    variants = tuple(Variant(sku=s, options=(s, c), price=eur("1.00")) for s, c in pairs)
    options = (size, colour)
    [id_] = shop.create(Product(handle="a", title="A", options=options, variants=variants))
    before = shop.read(id_).variants
    assert shop.update(id_, Product(options=(colour, size))).status is Status.APPLIED
    live = shop.read(id_)
    assert live.options == (colour, size)
    assert [each.options for each in live.variants] == [("Red", "S"), ("Red", "M")]
    assert [each.id for each in live.variants] == [each.id for each in before]


def test_the_products_of_a_collection_with_rules_are_not_asked_for(shop: Shop) -> None:
    shop.create(*(Product(handle=f"p{n}", title="P", tags=("x",)) for n in range(51)))
    rule = Rule(field="tag", relation="equals", value="x")
    [by_rule] = shop.create(Collection(handle="r", title="R", rules=(rule,)))
    assert shop.read(by_rule, "collection").products == ()
    assert "CollectionMore" not in shop.operations


# -- tags and collections that a person adds meanwhile

TAG = "mutation T($id: ID!, $tags: [String!]!) { tagsAdd(id: $id, tags: $tags) { node { id } } }"
JOIN = """mutation J($id: ID!, $products: [ID!]!) {
  collectionAddProductsV2(id: $id, productIds: $products) { job { id } }
}"""


@pytest.mark.parametrize("way", ["direct", "bulk"])
def test_a_tag_that_comes_while_others_are_written_stays(way: Any) -> None:
    def between(request: Request, sandbox: Any) -> Response:
        if ids and (sends(request, b"mutation Tags") or request.foreign):
            shop.person(TAG, id=ids.pop(), tags=["hers"])
        return sandbox(request)

    ids: list[str] = []
    shop = Shop(between)
    [id_] = shop.create(tee(tags=("a", "b")))
    ids.append(id_)
    change: Change[Any] = Change(
        id="1",
        action="update",
        part="core",
        record_id=id_,
        desired=Product(tags=("b", "c"), title="New"),
        before=Product(tags=("a", "b"), title="Tee"),
    )
    [outcome] = shop.write("product", change, way=way)
    assert outcome.status is Status.APPLIED, outcome
    assert (shop.read(id_).tags, ids) == (("b", "c", "hers"), [])


def from_a_to_b(id_: str) -> Change[Any]:
    """Return what moves a product from one collection to another."""
    return Change(
        id="1",
        action="update",
        part="membership",
        record_id=id_,
        desired=Product(collections=("b",)),
        before=Product(collections=("a",)),
    )


@pytest.mark.parametrize("way", ["direct", "bulk"])
def test_a_collection_that_a_person_adds_meanwhile_stays(way: Any) -> None:
    def between(request: Request, sandbox: Any) -> Response:
        if ids and (sends(request, b"mutation Product") or request.foreign):
            shop.person(JOIN, id=collections[2], products=[ids.pop()])
        return sandbox(request)

    ids: list[str] = []
    shop = Shop(between)
    collections = shop.create(*(Collection(handle=each, title=each) for each in "abc"))
    [id_] = shop.create(tee())
    shop.update(id_, Product(collections=("a",)), "membership")
    ids.append(id_)
    [outcome] = shop.write("product", from_a_to_b(id_), way=way)
    assert outcome.status is Status.APPLIED, outcome
    assert (shop.read(id_).collections, ids) == (("b", "c"), [])


def test_tags_that_only_look_different_are_neither_put_in_nor_taken_out(shop: Shop) -> None:
    [id_] = shop.create(tee(tags=("a", "b")))
    before, wanted = Product(tags=("a", "b")), Product(tags=("b, a ",), title="New")
    assert shop.update(id_, wanted, before=before).status is Status.APPLIED
    assert {"TagsAdd", "TagsRemove"}.isdisjoint(shop.operations)


@pytest.mark.parametrize("way", ["direct", "bulk"])
def test_a_product_leaves_no_collection_that_is_gone(shop: Shop, way: Any) -> None:
    gone, _ = shop.create(*(Collection(handle=each, title=each) for each in "ab"))
    [id_] = shop.create(tee())
    shop.update(id_, Product(collections=("a",)), "membership")
    shop.sandbox.delete(gone)
    [outcome] = shop.write("product", from_a_to_b(id_), way=way)
    assert outcome.status is Status.APPLIED, outcome
    assert shop.read(id_).collections == ("b",)


def test_a_plan_is_applied_though_a_person_adds_a_tag_meanwhile(
    shop: Shop, store: Store, tmp_path: Path
) -> None:
    def between(request: Request, sandbox: Any) -> Response:
        if ids and sends(request, b"mutation TagsAdd"):
            shop.person(TAG, id=ids.pop(), tags=["hers"])
        return sandbox(request)

    ids = shop.create(tee(tags=("a",)))
    [id_] = ids
    shop.between = between
    plan = store.plan([Product(handle="tee", tags_add=("b",))], tmp_path / "plan")
    report = plan.apply()
    assert report.ok, [each.message for each in report.items("failed")]
    assert shop.read(id_).tags == ("a", "b", "hers")


# -- what a product has at most


def test_more_than_a_product_holds_is_told_before_it_is_sent(shop: Shop) -> None:
    many = tuple(Variant(sku=str(n), options=(str(n),)) for n in range(2049))
    media = tuple(Media(url=f"https://a.example/{n}.jpg") for n in range(251))
    records = shop.adapter.records("product")
    product = Product(handle="a", title="A", options=sizes("0"), variants=many, media=media)
    said = {(each.field, each.message) for each in records.check(product)}
    assert said == {
        ("variants", "at most 2,048 variants fit"),
        ("media", "at most 250 media fit"),
    }
    assert not list(records.check(product.but(variants=many[1:], media=media[1:])))


def test_the_shop_has_the_last_word_on_limits(shop: Shop) -> None:
    records = shop.adapter.records("product")
    facts = records.shop.facts
    limits = {"variants": 2, "options": 1}
    records.shop.facts = replace(facts, info=facts.info.model_copy(update={"limits": limits}))
    two = (*sizes("S"), *sizes("a", name="Cut"))
    said = [each.message for each in records.check(tee(options=two, variants=tee().variants))]
    assert said == ["at most 1 options fit", "at most 2 variants fit"]


def test_overwriting_takes_out_the_tags_of_others(shop: Shop, store: Store, tmp_path: Path) -> None:
    [id_] = shop.create(tee(tags=("a",)))
    plan = store.plan([Product(handle="tee", tags=("b",))], tmp_path / "plan")
    shop.person(TAG, id=id_, tags=["hers"])
    assert plan.apply(on_conflict="overwrite").ok
    assert shop.read(id_).tags == ("b",)
