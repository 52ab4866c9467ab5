"""The traps of Shopify that lose data, one test or more for each."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from tests.adapters.shopify.shop import Handler, Shop, eur, operation, tee

from storebridge.adapter import Change
from storebridge.flow import Request, Response, Status
from storebridge.models import (
    InventoryLevel,
    MarketPrice,
    Media,
    Metafield,
    Money,
    Option,
    Product,
    Translation,
    Variant,
)
from storebridge.testing.rig import creation
from storebridge.testing.sandbox import answer


@pytest.fixture
def shop() -> Shop:
    return Shop()


# -- creating


def test_a_new_product_is_a_draft_in_no_channel_unless_it_is_asked_for(shop: Shop) -> None:
    [id_] = shop.create(tee())
    live = shop.read(id_)
    assert (live.status, live.channels) == ("draft", ())


def test_a_create_is_one_call_with_its_stock(shop: Shop) -> None:
    stock = (InventoryLevel(location="Shop", available=7),)
    variant = Variant(sku="A", price=eur("1.00"), inventory=stock)
    shop.write("product", creation(Product(handle="a", title="A", variants=(variant,))))
    assert shop.operations == ["ProductSet"]
    [live] = shop.engine.run(shop.adapter.records("product").fetch(["handle:a"], None))
    assert live.variants[0].inventory == stock


def test_a_product_without_a_handle_gets_another_where_the_titles_is_taken(shop: Shop) -> None:
    first, second = (tee(name).without("handle") for name in ("a", "b"))
    shop.create(first)
    change = creation(second)
    for uncertain in (frozenset[str](), frozenset({change.id})):
        [outcome] = shop.write("product", change, uncertain=uncertain)
        assert outcome.status is Status.APPLIED, outcome
    assert shop.read(outcome.id).handle == "tee-b-s"
    assert sorted(doc["handle"] for doc in shop.sandbox.all("Product")) == ["tee", "tee-b-s"]


def test_a_product_without_a_handle_that_a_person_changed_is_not_made_again(shop: Shop) -> None:
    change = creation(tee().without("handle"))
    [made] = shop.write("product", change)
    shop.update(made.id, Product(title="Hers"))
    [again] = shop.write("product", change, uncertain=frozenset({change.id}))
    assert again.status is Status.UNKNOWN
    assert [doc["id"] for doc in shop.sandbox.all("Product")] == [made.id]


def test_a_create_overwrites_no_product_that_has_the_handle(shop: Shop) -> None:
    [id_] = shop.create(tee())
    [outcome] = shop.write("product", creation(tee(title="Another")))
    assert (outcome.status, outcome.cause) == (Status.FAILED, "conflict")
    assert shop.read(id_).title == "Tee"


@pytest.mark.parametrize("name", ["price", "compare_at_price", "cost"])
def test_an_amount_in_another_currency_is_refused_before_anything_is_sent(
    shop: Shop, name: str
) -> None:
    variant = Variant.model_validate({"price": eur("1.00"), name: Money("1.00", "USD")})
    [outcome] = shop.write("product", creation(Product(title="A", variants=(variant,))))
    assert "not in the shop's currency" in outcome.message
    assert shop.sent == []


# -- lists that replace


def test_a_price_alone_never_sends_a_list_of_variants(shop: Shop) -> None:
    [id_] = shop.create(tee())
    first = shop.read(id_).variants[0]
    shop.sent.clear()
    shop.update(id_, Product(variants=(Variant(id=first.id, price=eur("5.00")),)))
    assert shop.operations == ["VariantsUpdate"]
    live = shop.read(id_)
    assert [str(each.price) for each in live.variants] == ["5.00 EUR", "19.90 EUR", "19.90 EUR"]


def test_a_new_variant_leaves_the_others_with_their_ids_and_values(shop: Shop) -> None:
    [id_] = shop.create(tee())
    before = shop.read(id_).variants
    outcome = shop.update(
        id_, Product(variants=(Variant(sku="tee-XL", options=("XL",), price=eur("25.00")),))
    )
    assert outcome.status is Status.APPLIED
    after = shop.read(id_)
    assert after.variants[:3] == before
    assert after.variants[3].options == ("XL",)
    assert after.options == (Option(name="Size", values=("S", "M", "L", "XL")),)


def test_a_variant_is_taken_out_alone(shop: Shop) -> None:
    [id_] = shop.create(tee())
    before = shop.read(id_).variants
    shop.update(id_, Product(variants=()), removed={"variants": (f"id:{before[1].id}",)})
    assert [each.id for each in shop.read(id_).variants] == [before[0].id, before[2].id]


def test_a_renamed_option_keeps_its_variants(shop: Shop) -> None:
    [id_] = shop.create(tee())
    before = shop.read(id_).variants
    shop.update(id_, Product(options=(Option(name="Größe", values=("S", "M", "L")),)))
    live = shop.read(id_)
    assert live.options == (Option(name="Größe", values=("S", "M", "L")),)
    [renamed] = shop.variables("ProductSet")[0]["input"]["productOptions"]
    assert renamed["id"].startswith("gid://shopify/ProductOption/")
    assert [each.id for each in live.variants] == [each.id for each in before]


def test_a_new_option_needs_a_value_of_every_variant(shop: Shop) -> None:
    [id_] = shop.create(tee())
    options = (Option(name="Size", values=("S", "M", "L")), Option(name="Cut", values=("a",)))
    outcome = shop.update(id_, Product(options=options))
    assert outcome.status is Status.FAILED
    assert "'Cut' is new" in outcome.message
    assert len(shop.read(id_).variants) == 3


def test_an_option_that_moves_is_no_other_one_renamed(shop: Shop) -> None:
    size, cut = Option(name="Size", values=("S", "M")), Option(name="Cut", values=("a",))
    variants = tuple(Variant(sku=each, options=(each, "a"), price=eur("1.00")) for each in "SM")
    [id_] = shop.create(tee(options=(size, cut), variants=variants))
    before = shop.read(id_)
    fit = Option(name="Fit", values=("S", "M"))
    outcome = shop.update(id_, Product(options=(fit, size)))
    assert "'Fit' is new" in outcome.message
    assert shop.read(id_) == before


def test_a_lost_answer_makes_no_variant_twice() -> None:
    def lose(request: Request, sandbox: Any) -> Response:
        answer = sandbox(request)
        assert isinstance(request.body, bytes)
        if armed and b"mutation ProductSet" in request.body:
            armed.pop()
            return Response(status=502, body=b"<html>")
        return answer

    armed: list[bool] = []
    shop = Shop(lose)
    [id_] = shop.create(tee())
    armed.append(True)
    new = Variant(sku="tee-XL", options=("XL",), price=eur("25.00"))
    outcome = shop.update(id_, Product(variants=(new,)))
    assert outcome.status is Status.APPLIED, outcome
    names = ("ProductSet", "ProductSetAsync")
    sent = [each["input"]["variants"] for name in names for each in shop.variables(name)]
    assert ["id" in row for row in sent[-2]] == [True, True, True, False]
    assert all("id" in row for row in sent[-1]), "what the lost call made was not looked for"
    assert [each.options[0] for each in shop.read(id_).variants] == ["S", "M", "L", "XL"]


def test_a_variant_gets_another_option_value_and_stays_itself(shop: Shop) -> None:
    [id_] = shop.create(tee())
    before = shop.read(id_).variants
    moved = Variant(id=before[1].id, options=("XL",))
    outcome = shop.update(id_, Product(variants=(moved,)))
    assert outcome.status is Status.APPLIED, outcome
    after = shop.read(id_).variants
    assert [each.options for each in after] == [("S",), ("XL",), ("L",)]
    assert [each.id for each in after] == [each.id for each in before]


def test_what_a_killed_run_may_have_made_is_unknown_if_it_looks_different(shop: Shop) -> None:
    [id_] = shop.create(tee(title="Somebody else's"))
    change = creation(tee())
    [outcome] = shop.write("product", change, uncertain=frozenset({change.id}))
    assert outcome.status is Status.UNKNOWN
    assert "other values" in outcome.message
    assert shop.read(id_).title == "Somebody else's"
    assert "ProductSet" not in shop.operations


def test_what_a_killed_run_made_is_adopted(shop: Shop) -> None:
    [id_] = shop.create(tee())
    change = creation(tee())
    [outcome] = shop.write("product", change, uncertain=frozenset({change.id}))
    assert (outcome.status, outcome.id) == (Status.APPLIED, id_)


def test_metafields_are_set_apart_and_the_others_stay(shop: Shop) -> None:
    [id_] = shop.create(tee())
    one = Metafield(namespace="kit", key="one", value="1")
    two = Metafield(namespace="kit", key="two", value="a\nb")
    shop.update(id_, Product(metafields=(one, two)), "metafields")
    shop.update(id_, Product(metafields=()), "metafields", removed={"metafields": ("kit.one",)})
    [live] = shop.read(id_).metafields
    assert (live.key, live.value, live.type) == ("two", "a\nb", "multi_line_text_field")


def test_metafields_keep_the_type_that_is_given_and_none_is_sent_twice(shop: Shop) -> None:
    [id_] = shop.create(tee())
    number = Metafield(namespace="kit", key="number", value="1", type="number_integer")
    text = Metafield(namespace="kit", key="text", value="x")
    assert shop.update(id_, Product(metafields=(number, text)), "metafields").id == id_
    types = {each.key: each.type for each in shop.read(id_).metafields}
    assert types == {"number": "number_integer", "text": "single_line_text_field"}
    shop.sent.clear()
    wrong = Product(metafields=(number.but(value="one"),))
    assert shop.update(id_, wrong, "metafields").status is Status.FAILED
    assert shop.operations == ["MetafieldsSet"]


# -- stock


def stocked(shop: Shop, *products: Product) -> list[tuple[str, str]]:
    """Return the ids of products with one variant and 5 pieces, and of their variants."""
    stock = (InventoryLevel(location="Shop", available=5),)
    variant = Variant(price=eur("1.00"), inventory=stock)
    ids = shop.create(*(each.but(variants=(variant,)) for each in products))
    found = [(id_, shop.read(id_).variants[0].id) for id_ in ids]
    shop.sent.clear()
    return found


def change(name: str, product: str, variant: str, now: int, before: int | None) -> Change[Any]:
    def level(available: int) -> Product:
        stock = (InventoryLevel(location="Shop", available=available),)
        return Product(variants=(Variant(id=variant, inventory=stock),))

    was = None if before is None else level(before)
    return Change(
        id=name, action="update", part="core", record_id=product, desired=level(now), before=was
    )


def test_stock_of_many_products_is_one_call_that_names_what_it_replaces(shop: Shop) -> None:
    held = stocked(shop, Product(handle="a", title="A"), Product(handle="b", title="B"))
    changes = [change(str(n), *ids, 9, 5) for n, ids in enumerate(held)]
    outcomes = shop.write("product", *changes)
    assert {each.status for each in outcomes} == {Status.APPLIED}
    assert shop.operations == ["InventorySet"]
    [sent] = shop.variables("InventorySet")
    assert [row["changeFromQuantity"] for row in sent["input"]["quantities"]] == [5, 5]
    assert [shop.read(id_).variants[0].inventory[0].available for id_, _ in held] == [9, 9]


def test_stock_that_changed_since_is_a_conflict_and_the_others_are_set(shop: Shop) -> None:
    held = stocked(shop, Product(handle="a", title="A"), Product(handle="b", title="B"))
    first, second = shop.write(
        "product", change("1", *held[0], 9, before=4), change("2", *held[1], 9, before=5)
    )
    assert (first.status, first.cause) == (Status.FAILED, "conflict")
    assert second.status is Status.APPLIED
    assert [shop.read(id_).variants[0].inventory[0].available for id_, _ in held] == [5, 9]


def test_the_key_of_a_stock_call_is_the_same_when_the_batch_comes_again(shop: Shop) -> None:
    [held] = stocked(shop, Product(handle="a", title="A"))
    for _ in range(2):
        shop.write("product", change("1", *held, 9, 5), id="same")
    shop.write("product", change("1", *held, 9, 5), id="another")
    keys = [each["key"] for each in shop.variables("InventorySet")]
    assert keys[0] == keys[1] != keys[2]


def test_stock_that_may_be_set_already_is_looked_at_first(shop: Shop) -> None:
    [held] = stocked(shop, Product(handle="a", title="A"))
    shop.write("product", change("1", *held, 9, 5))
    shop.sent.clear()
    [again] = shop.write("product", change("1", *held, 9, 5), uncertain=frozenset({"1"}))
    assert again.status is Status.APPLIED
    assert shop.operations == ["VariantsById"]


def test_stock_that_a_person_set_after_a_lost_answer_stays(shop: Shop) -> None:
    [held] = stocked(shop, Product(handle="a", title="A"))
    shop.write("product", change("1", *held, 7, 5))
    [again] = shop.write("product", change("1", *held, 9, 5), uncertain=frozenset({"1"}))
    assert (again.status, again.cause) == (Status.FAILED, "conflict")
    assert shop.read(held[0]).variants[0].inventory[0].available == 7


def test_stock_where_an_item_was_never_kept_is_activated(shop: Shop) -> None:
    [(product, variant)] = stocked(shop, Product(handle="a", title="A"))
    stock = (InventoryLevel(location="Warehouse", available=3),)
    outcome = shop.update(product, Product(variants=(Variant(id=variant, inventory=stock),)))
    assert outcome.status is Status.APPLIED, outcome
    levels = {each.location: each.available for each in shop.read(product).variants[0].inventory}
    assert levels == {"Shop": 5, "Warehouse": 3}


def test_nothing_more_of_a_change_is_activated_once_a_part_of_it_is_refused(shop: Shop) -> None:
    def refuse(request: Request, sandbox: Handler) -> Response:
        if b"mutation InventoryActivate" in bytes(request.body or b""):
            payload = {"userErrors": [{"field": ["locationId"], "message": "No", "code": None}]}
            return answer(200, {"data": {"inventoryActivate": payload}})
        return sandbox(request)

    [id_] = shop.create(tee())
    stock = (InventoryLevel(location="Warehouse", available=3),)
    rows = tuple(Variant(id=each.id, inventory=stock) for each in shop.read(id_).variants)
    shop.sent.clear()
    shop.between = refuse
    outcome = shop.update(id_, Product(variants=rows))
    assert (outcome.status, outcome.cause) == (Status.FAILED, "rejected")
    assert shop.operations.count("InventoryActivate") == 1


def test_a_location_has_to_be_named_where_there_are_several(shop: Shop) -> None:
    [(product, variant)] = stocked(shop, Product(handle="a", title="A"))
    stock = (InventoryLevel(available=3),)
    outcome = shop.update(product, Product(variants=(Variant(id=variant, inventory=stock),)))
    assert "several locations" in outcome.message


# -- pictures


def test_a_picture_is_followed_until_it_fails_and_the_message_says_why(shop: Shop) -> None:
    [id_] = shop.create(tee())
    media = (Media(url="https://dead.example/a.jpg"),)
    outcome = shop.update(id_, Product(media=media), "media")
    assert (outcome.status, outcome.cause) == (Status.FAILED, "partly")
    assert outcome.message.startswith("written: the list of pictures; refused: Shopify can't use")
    assert "can't use a.jpg" in outcome.message
    assert "Files" in shop.operations


def test_a_source_of_two_products_is_taken_in_once(shop: Shop) -> None:
    ids = shop.create(tee("a"), tee("b"))
    media = (Media(url="https://shop.example/a.jpg", alt="A"),)
    told = [shop.update(id_, Product(media=media), "media").media for id_ in ids]
    assert told[0] == told[1] != {}
    sources = [
        each.get("originalSource", "")
        for sent in shop.variables("ProductSetMedia")
        for each in sent["input"]["files"]
    ]
    assert sources == ["https://shop.example/a.jpg", ""]


def test_a_file_that_was_deleted_since_is_taken_in_anew_once(shop: Shop) -> None:
    ids = shop.create(tee("a"), tee("b"))
    first, second = (Media(url=f"https://shop.example/{name}.jpg") for name in "ab")
    came = dict(shop.update(ids[0], Product(media=(first, second)), "media").media)
    dead = came[f"url:{first.url}"]
    delete = "mutation($ids: [ID!]!) { fileDelete(fileIds: $ids) { deletedFileIds } }"
    shop.person(delete, ids=[dead])
    again = first.model_copy(update={"id": dead, "position": 1})
    shown = Variant(sku="a-S", options=("S",), media=(first.url,))
    planned = Product(media=(again, second), variants=(shown,))
    told = shop.update(ids[0], planned, "media", media=came)
    assert told.status is Status.APPLIED, told
    anew = told.media[f"url:{first.url}"]
    assert dead not in {anew, *told.media}
    live = shop.read(ids[0])
    assert [each.id for each in live.media] == [anew, came[f"url:{second.url}"]]
    assert live.variants[0].media == (live.media[0].url,)
    shop.update(ids[1], Product(media=(again,)), "media", media=came)
    assert [each.id for each in shop.read(ids[1]).media] == [anew]


def test_a_file_without_a_source_can_not_come_back(shop: Shop) -> None:
    [id_] = shop.create(tee())
    outcome = shop.update(id_, Product(media=(Media(id="gid://shopify/MediaImage/99"),)), "media")
    assert outcome.status is Status.FAILED
    assert "does not exist" in outcome.message


def test_a_picture_of_another_variant_is_not_given_to_the_only_one(shop: Shop) -> None:
    small = tee().variants[:1]
    [id_] = shop.create(tee(variants=small, options=(Option(name="Size", values=("S",)),)))
    url = "https://shop.example/a.jpg"
    other = Variant(sku="tee-XL", options=("XL",), media=(url,))
    outcome = shop.update(id_, Product(media=(Media(url=url),), variants=(other,)), "media")
    assert "no such variant" in outcome.message
    assert shop.read(id_).variants[0].media == ()


def test_a_new_picture_leaves_the_others(shop: Shop) -> None:
    [id_] = shop.create(tee())
    for name in "ab":
        media = (Media(url=f"https://shop.example/{name}.jpg", alt=name),)
        shop.update(id_, Product(media=media), "media")
    assert [each.alt for each in shop.read(id_).media] == ["a", "b"]


def test_a_picture_that_only_a_variant_shows_joins_the_products(shop: Shop) -> None:
    [id_] = shop.create(tee())
    first = shop.read(id_).variants[0]
    shown = Variant(id=first.id, media=("https://shop.example/v.jpg",))
    outcome = shop.update(id_, Product(variants=(shown,)), "media")
    assert outcome.status is Status.APPLIED, outcome
    live = shop.read(id_)
    assert live.variants[0].media == (live.media[0].url,)
    shop.update(id_, Product(variants=(Variant(id=first.id, media=()),)), "media")
    assert shop.read(id_).variants[0].media == ()


# -- markets, languages, channels


def test_prices_of_many_products_in_a_market_are_one_call(shop: Shop) -> None:
    ids = shop.create(tee("a"), tee("b"))
    price = MarketPrice(market="switzerland", price=Money("9.00", "CHF"), compare_at_price=None)
    changes = []
    for id_ in ids:
        rows = tuple(Variant(id=v.id, market_prices=(price,)) for v in shop.read(id_).variants)
        desired = Product(variants=rows)
        changes.append(
            Change(id=id_, action="update", part="prices", record_id=id_, desired=desired)
        )
    shop.sent.clear()
    outcomes = shop.write("product", *changes)
    assert {each.status for each in outcomes} == {Status.APPLIED}
    assert shop.operations == ["FixedPricesAdd"]
    for id_ in ids:
        assert [v.market_prices[0].price for v in shop.read(id_).variants] == [price.price] * 3


def test_prices_whose_answer_is_lost_are_unknown_and_not_sent_one_by_one(shop: Shop) -> None:
    def lose(request: Request, sandbox: Handler) -> Response:
        if b"FixedPricesAdd" in bytes(request.body or b""):
            return Response(status=502, body=b"<html>")
        return sandbox(request)

    changes = [
        Change(id=each, action="update", part="prices", record_id=each,
               desired=swiss(shop.read(each).variants[0].id, "9.00", "12.00"))
        for each in shop.create(tee("a"), tee("b"))
    ]  # fmt: skip
    shop.sent.clear()
    shop.between = lose
    outcomes = shop.write("product", *changes)
    assert {each.status for each in outcomes} == {Status.UNKNOWN}
    assert {len(each["prices"]) for each in shop.variables("FixedPricesAdd")} == {2}


def test_a_market_price_alone_keeps_its_compare_at_price(shop: Shop) -> None:
    [id_] = shop.create(tee())
    variant = shop.read(id_).variants[0].id

    def priced(**given: Any) -> Product:
        prices = (MarketPrice(market="switzerland", **given),)
        return Product(variants=(Variant(id=variant, market_prices=prices),))

    both = {"price": Money("9.00", "CHF"), "compare_at_price": Money("12.00", "CHF")}
    shop.update(id_, priced(**both), "prices")
    shop.update(id_, priced(price=Money("8.00", "CHF")), "prices")
    [live] = shop.read(id_).variants[0].market_prices
    assert (str(live.price), str(live.compare_at_price)) == ("8.00 CHF", "12.00 CHF")


def test_a_plan_without_ids_of_variants_says_nothing_of_their_market_prices(shop: Shop) -> None:
    [id_] = shop.create(tee())
    variant = shop.read(id_).variants[0].id
    shop.update(id_, swiss(variant, "9.00", "12.00"), "prices")
    before = Product(variants=(Variant(sku="tee-S"),))
    shop.update(id_, swiss(variant, "8.00"), "prices", before=before)
    [live] = shop.read(id_).variants[0].market_prices
    assert (str(live.price), str(live.compare_at_price)) == ("8.00 CHF", "12.00 CHF")


SWISS = "switzerland"


def swiss(id_: str, price: str = "", compare: str = "") -> Product:
    """A variant's price in Switzerland, as far as it is given."""
    given = {"price": price, "compare_at_price": compare}
    amounts = {name: Money(amount, "CHF") for name, amount in given.items() if amount}
    market = MarketPrice.model_validate({"market": SWISS, **amounts})
    return Product(variants=(Variant(id=id_, market_prices=(market,)),))


def test_a_lagging_search_gives_no_half_of_a_price(shop: Shop) -> None:
    [id_] = shop.create(tee())
    variant = shop.read(id_).variants[0].id
    shop.update(id_, swiss(variant, "9.00", "12.00"), "prices")
    shop.clock.advance(60)
    shop.sandbox.switch(search_lag=8)
    shop.update(id_, swiss(variant, "8.00", "11.00"), "prices")
    [searched] = shop.read(id_).variants[0].market_prices
    assert str(searched.price) == "9.00 CHF"
    started = shop.clock.time()
    before = swiss(variant, "9.00")
    outcome = shop.update(id_, swiss(variant, "7.00"), "prices", before=before)
    assert outcome.status is Status.APPLIED, outcome
    assert shop.clock.time() - started >= 8
    assert outcome.shown == swiss(variant, "7.00", "11.00").but(id=id_)
    shop.clock.advance(60)
    [live] = shop.read(id_).variants[0].market_prices
    assert (str(live.price), str(live.compare_at_price)) == ("7.00 CHF", "11.00 CHF")
    started = shop.clock.time()
    shop.update(id_, swiss(variant, "6.00"), "prices", before=swiss(variant, "7.00"))
    assert shop.clock.time() - started < 8


def test_a_search_that_no_country_can_confirm_is_asked_once_more(shop: Shop) -> None:
    [market] = (each for each in shop.sandbox.all("Market") if each["handle"] == SWISS)
    shop.sandbox.save({**market, "countries": []})
    shop.engine.run(shop.adapter.info())
    [id_] = shop.create(tee())
    variant = shop.read(id_).variants[0].id
    shop.sandbox.switch(search_lag=8)
    shop.update(id_, swiss(variant, "8.00", "11.00"), "prices")
    shop.update(id_, swiss(variant, "7.00"), "prices", before=swiss(variant, "8.00"))
    shop.clock.advance(60)
    [live] = shop.read(id_).variants[0].market_prices
    assert (str(live.price), str(live.compare_at_price)) == ("7.00 CHF", "11.00 CHF")


def test_the_answer_shows_what_market_prices_became(shop: Shop) -> None:
    def dearer(request: Request, sandbox: Handler) -> Response:
        found = sandbox(request)
        return replace(found, body=found.body.replace(b'"9.00"', b'"9.05"'))

    [id_] = shop.create(tee())
    variant = shop.read(id_).variants[0].id
    shop.between = dearer
    outcome = shop.update(id_, swiss(variant, "9.00", "12.00"), "prices")
    assert outcome.shown == swiss(variant, "9.05", "12.00").but(id=id_)


def test_a_translation_goes_with_the_digest_of_its_text(shop: Shop) -> None:
    [id_] = shop.create(tee())
    wanted = Translation(locale="de", field="title", value="Hemd")
    outcome = shop.update(id_, Product(translations=(wanted,)), "translations")
    assert outcome.status is Status.APPLIED, outcome
    assert shop.read(id_).translations == (wanted,)
    empty = Translation(locale="de", field="description_html", value="<p>x</p>")
    outcome = shop.update(id_, Product(translations=(empty,)), "translations")
    assert "is empty" in outcome.message
    removed = {"translations": ("de:title",)}
    shop.update(id_, Product(translations=()), "translations", removed=removed)
    assert shop.read(id_).translations == ()


def test_a_text_without_a_digest_is_not_translated(shop: Shop) -> None:
    def bare(request: Request, sandbox: Handler) -> Response:
        found = sandbox(request)
        return replace(found, body=re.sub(rb'"digest": "\w*"', b'"digest": null', found.body))

    [id_] = shop.create(tee())
    shop.between = bare
    wanted = Translation(locale="de", field="title", value="Hemd")
    outcome = shop.update(id_, Product(translations=(wanted,)), "translations")
    assert (outcome.cause, "is empty" in outcome.message) == ("rejected", True)
    assert "TranslationsRegister" not in shop.operations


def test_channels_are_the_ones_that_are_given(shop: Shop) -> None:
    [id_] = shop.create(tee())
    shop.update(id_, Product(channels=("Online Store", "Point of Sale")), "publication")
    shop.update(id_, Product(channels=("Point of Sale",)), "publication")
    assert shop.read(id_).channels == ("Point of Sale",)
    outcome = shop.update(id_, Product(channels=("Mars",)), "publication")
    assert "no sales channel 'Mars'" in outcome.message


def test_every_request_says_its_operation_and_costs_what_the_sandbox_counts() -> None:
    costs: list[tuple[str, float, float]] = []

    def look(request: Request, sandbox: Any) -> Response:
        answer = sandbox(request)
        if isinstance(request.body, bytes) and b'"query"' in request.body:
            body = json.loads(request.body)
            said = json.loads(answer.body)["extensions"]["cost"]["requestedQueryCost"]
            costs.append((operation(body), request.cost, said))
        return answer

    shop = Shop(look)
    [id_] = shop.create(tee())
    shop.update(id_, Product(media=(Media(url="https://shop.example/a.jpg"),)), "media")
    shop.read(id_)
    assert len(costs) > 8
    assert [each for each in costs if each[1] != each[2]] == []
