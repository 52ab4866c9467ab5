"""Updates touch what is given and nothing else; lists go by their elements; keys are unique."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime

import pytest

from storebridge.adapter import Query
from storebridge.models import (
    Address,
    Collection,
    Consent,
    Customer,
    Fulfillment,
    FulfillmentLine,
    InventoryLevel,
    LineItem,
    Location,
    MarketPrice,
    Media,
    Metafield,
    Money,
    Order,
    Payment,
    Product,
    Review,
    Sale,
    Seo,
    Translation,
    Variant,
)


def eur(amount):
    return Money(amount, "EUR")


@pytest.fixture
def tee(shop):
    sizes = [
        Variant(sku=f"TEE-{size}", options=(size,), price=eur("10"), cost=eur("4"))
        for size in "SML"
    ]
    return shop.create(
        Product(
            handle="tee",
            title="Tee",
            tags=("a", "b"),
            variants=tuple(sizes),
            media=(Media(url="https://x.example/1.jpg", alt="one"),),
            metafields=(Metafield(namespace="n", key="k", value="1"),),
            seo=Seo(title="T", description="D"),
        )
    )


def test_a_variant_is_changed_by_id_sku_or_options_and_the_others_stay(shop, tee):
    small, middle, large = tee.variants
    changed = shop.update(
        tee,
        Product(
            variants=(
                Variant(options=("L",), price=eur("13")),
                Variant(sku="TEE-M", price=eur("12")),
                Variant(id=small.id, sku="TEE-XS"),
            )
        ),
    )
    assert [v.sku for v in changed.variants] == ["TEE-XS", "TEE-M", "TEE-L"]
    assert [v.price for v in changed.variants] == [eur("10"), eur("12"), eur("13")]
    assert [v.id for v in changed.variants] == [small.id, middle.id, large.id]
    assert all(v.cost == eur("4") for v in changed.variants)
    assert shop.fetch("product", "sku:TEE-S") == ()
    assert shop.fetch("product", "sku:TEE-XS") == (changed,)


def test_new_elements_are_added_and_named_ones_taken_out(shop, tee):
    changed = shop.update(
        tee,
        Product(
            variants=(Variant(sku="TEE-XL", options=("XL",)),),
            metafields=(Metafield(namespace="n", key="new", value="2"),),
        ),
        removed={"variants": (f"id:{tee.variants[0].id}",), "metafields": ("n.k",)},
    )
    assert [v.sku for v in changed.variants] == ["TEE-M", "TEE-L", "TEE-XL"]
    assert [m.key for m in changed.metafields] == ["new"]
    known = {v.id for v in tee.variants} | {tee.id, tee.media[0].id}
    assert changed.variants[2].id not in known
    assert shop.fetch("product", "sku:TEE-S") == ()


def test_a_list_that_replaces_keeps_only_its_elements_and_what_they_dont_give(shop, tee):
    changed = shop.update(
        tee,
        Product(
            tags=("c",),
            modes={"variants": "replace"},
            variants=(Variant(sku="TEE-L", price=eur("9")), Variant(sku="TEE-S")),
        ),
    )
    assert [v.sku for v in changed.variants] == ["TEE-L", "TEE-S"]
    assert changed.variants[0].id == tee.variants[2].id
    assert (changed.variants[0].price, changed.variants[0].cost) == (eur("9"), eur("4"))
    assert changed.tags == ("c",)
    assert shop.fetch("product", "sku:TEE-M") == ()


def test_the_only_variant_needs_no_name(shop):
    mug = shop.create(Product(handle="mug", variants=(Variant(sku="MUG", price=eur("5")),)))
    changed = shop.update(mug, Product(variants=(Variant(price=eur("6")),)))
    assert [(v.id, v.sku, v.price) for v in changed.variants] == [
        (mug.variants[0].id, "MUG", eur("6"))
    ]


def test_two_variants_with_one_sku_are_told_apart_by_their_options(shop):
    pair = tuple(Variant(sku="X", options=(size,), price=eur("1")) for size in "SL")
    live = shop.create(Product(handle="x", variants=pair))
    ids = {variant.options: variant.id for variant in live.variants}
    for size in "SL":
        wanted = Variant(sku="X", options=(size,), price=eur("2"))
        changed = shop.update(live, Product(variants=(wanted,)))
        assert [v.id for v in changed.variants if v.price == eur("2")] == [ids[wanted.options]]
        shop.update(live, Product(variants=pair))


def test_elements_of_elements_merge_too(shop, tee):
    def prices(variant):
        return {p.market: (p.price, p.included) for p in variant.market_prices}

    eu = MarketPrice(market="eu", price=eur("11"), included=True)
    us = MarketPrice(market="us", price=Money("12", "USD"))
    first = shop.update(tee, Product(variants=(Variant(sku="TEE-S", market_prices=(eu, us)),)))
    second = shop.update(
        first,
        Product(
            variants=(
                Variant(sku="TEE-S", market_prices=(MarketPrice(market="eu", included=False),)),
            )
        ),
    )
    assert prices(second.variants[0]) == {
        "eu": (eur("11"), False),
        "us": (Money("12", "USD"), True),
    }


def test_nested_values_change_field_by_field_and_whole_values_whole(shop, tee):
    changed = shop.update(tee, Product(seo=Seo(title="New")))
    assert changed.seo == Seo(title="New", description="D")
    sale = Sale(price=eur("8"), ends_at=datetime(2030, 1, 1, tzinfo=UTC))
    live = shop.update(changed, Product(variants=(Variant(sku="TEE-S", sale=sale),)))
    again = Product(variants=(Variant(sku="TEE-S", sale=Sale(price=eur("7"))),))
    assert shop.update(live, again).variants[0].sale == Sale(price=eur("7"))
    customer = shop.create(Customer(default_address=Address(city="Ulm", phone="1")))
    moved = shop.update(customer, Customer(default_address=Address(city="Köln")))
    assert moved.default_address == Address(city="Köln", phone="1")


def test_a_picture_is_known_by_its_source_and_keeps_its_id(shop, tee):
    old = tee.media[0]
    changed = shop.update(
        tee,
        Product(media=(Media(url=old.url, alt="uno"), Media(url="https://x.example/2.jpg"))),
    )
    assert [(m.id == old.id, m.alt) for m in changed.media] == [(True, "uno"), (False, "")]
    live = shop.create(Collection(title="A", image=Media(url=old.url, alt="one")))
    changed = shop.update(live, Collection(image=Media(url="https://x.example/3.jpg")))
    assert changed.image.id == live.image.id != ""
    assert (changed.image.url[-5], changed.image.alt) == ("3", "one")


def test_platform_fields_change_key_by_key(shop):
    live = shop.create(Product(handle="a", platform_fields={"shopify": {"x": 1, "y": 2}}))
    changed = shop.update(live, Product(platform_fields={"shopify": {"y": 3}, "magento": {"z": 4}}))
    assert changed.platform_fields == {"shopify": {"x": 1, "y": 3}, "magento": {"z": 4}}


def test_edits_of_lists_are_resolved(shop, tee):
    shop.create(Collection(handle="sale"))
    shop.create(Collection(handle="new"))
    picture = Media(url="https://x.example/2.jpg")
    changed = shop.update(
        tee,
        Product(tags_add=("c", "a"), tags_remove=("b",), media_add=(picture,)).but(
            collections_add=("sale", "new")
        ),
    )
    assert changed.tags == ("a", "c")
    assert [m.url[-5] for m in changed.media] == ["1", "2"]
    assert changed.collections == ("sale", "new")
    changed = shop.update(changed, Product(collections_remove=("sale",)))
    assert changed.collections == ("new",)
    assert shop.create(Product(handle="b", tags_add=("x",))).tags == ("x",)


def test_consents_payments_and_translations_merge_by_their_names(shop):
    customer = shop.create(Customer(consents=(Consent(channel="sms", state="pending", level="1"),)))
    consents = (Consent(channel="sms", state="subscribed"), Consent(channel="email", state="no"))
    changed = shop.update(customer, Customer(consents=consents))
    assert [(c.channel, c.state, c.level) for c in changed.consents] == [
        ("sms", "subscribed", "1"),
        ("email", "no", ""),
    ]
    lines = (LineItem(id="L7", quantity=1, title="Tee"), LineItem(quantity=2))
    order = shop.create(Order(number="#1", line_items=lines, payments=(Payment(gateway="x"),)))
    assert order.line_items[0].id == "L7"
    assert order.line_items[1].id
    changed = shop.update(order, Order(payments=(Payment(gateway="y"),)))
    assert [p.gateway for p in changed.payments] == ["x", "y"]
    collection = shop.create(
        Collection(title="A", translations=(Translation(locale="de", field="title", value="B"),))
    )
    changed = shop.update(
        collection,
        Collection(translations=(Translation(locale="de", field="title", value="C"),)),
    )
    assert [t.value for t in changed.translations] == ["C"]


def test_a_change_that_changes_nothing_is_unchanged_and_leaves_the_date(shop, tee):
    change = shop.change("update", Product(tags=("a", "b"), title="Tee"), record_id=tee.id)
    (outcome,) = shop.write(change)
    assert (outcome.status, outcome.record) == ("unchanged", tee)


def test_a_record_just_created_is_changed_by_its_key(shop):
    shop.create(Collection(handle="all"))
    shop.create(Product(handle="mug"))
    change = shop.change("update", Product(collections=("all",)), key="handle:mug")
    (outcome,) = shop.write(change)
    assert outcome.record.collections == ("all",)


def test_taken_handles_and_skus_name_the_other_record(shop, tee):
    (first, second, third) = shop.write(
        shop.change("create", Product(handle="tee", title="Again")),
        shop.change("create", Product(handle="mug", variants=(Variant(sku="TEE-M"),))),
        shop.change("create", Product(handle="good")),
    )
    assert (first.status, first.cause, third.status) == ("failed", "conflict", "applied")
    assert "handle 'tee'" in first.message
    assert f"id {tee.id}" in first.message
    assert "sku 'TEE-M'" in second.message
    assert {p.handle for p in shop.all("product")} == {"tee", "good"}
    assert shop.fetch("product", "handle:mug") == ()
    mug = shop.create(Product(handle="mug"))
    outcome = shop.refused("update", Product(handle="tee"), record_id=mug.id)
    assert outcome.cause == "conflict"


def test_a_conflict_within_one_batch_is_seen(shop):
    twice = [shop.change("create", Product(handle="mug", variants=(Variant(sku="M"),)))] * 2
    assert [o.status for o in shop.write(*twice)] == ["applied", "failed"]
    assert len(shop.all("product")) == 1


def test_a_customers_address_is_in_no_message(shop):
    shop.create(Customer(email="Ann@Example.com"))
    outcome = shop.refused("create", Customer(email="ann@example.COM"))
    assert outcome.cause == "conflict"
    assert "ann@" not in outcome.message.lower()


def test_what_a_review_is_known_by_is_in_no_message(shop):
    said = Review(product="handle:tee", body="Good", email="ann@example.com")
    shop.create(said)
    outcome = shop.refused("create", said)
    assert (outcome.cause, "this text" in outcome.message) == ("conflict", True)
    assert said.keys()[0].partition("#")[2] not in outcome.message


def test_what_is_missing_is_said(shop):
    outcome = shop.refused("update", Product(title="x"), record_id="99")
    assert (outcome.cause, outcome.remedy) == ("missing", "Plan again.")
    outcome = shop.refused("delete", Product(), record_id="no number")
    assert outcome.cause == "missing"
    outcome = shop.refused("create", Product(handle="a", collections=("nowhere",)))
    assert "'handle:nowhere'" in outcome.message
    assert shop.all("product") == []
    outcome = shop.refused("create", Location(active=True))
    assert "needs a name" in outcome.message
    order = shop.create(Order(number="#1", line_items=(LineItem(quantity=1),)))
    lines = (FulfillmentLine(line_item_id="line:2", quantity=1),)
    sent = Order(fulfillments=(Fulfillment(lines=lines),))
    outcome = shop.refused("update", sent, record_id=order.id)
    assert (outcome.cause, "'line:2'" in outcome.message) == ("rejected", True)
    live = shop.create(Product(handle="b"))
    outcome = shop.refused("update", Product(), record_id=live.id, removed={"tags": ("x",)})
    assert outcome.cause == "rejected"


def test_a_value_that_is_no_json_is_refused_alone(shop):
    bad = Product(handle="bad", platform_fields={"local": {"x": object()}})
    first, second = shop.write(
        shop.change("create", bad), shop.change("create", Product(handle="good"))
    )
    assert (first.status, first.cause, second.status) == ("failed", "rejected", "applied")


def test_prices_are_in_the_stores_currency(shop):
    usd = Money("5", "USD")
    for field, value in {"price": usd, "cost": usd, "sale": Sale(price=usd)}.items():
        outcome = shop.refused("create", Product(handle="a", variants=(Variant(**{field: value}),)))
        assert f"{field} is 5 USD" in outcome.message
    market = MarketPrice(market="us", price=usd)
    shop.create(Product(handle="a", variants=(Variant(market_prices=(market,)),)))


def test_deleting_takes_keys_and_membership_along(shop, tee):
    shop.create(Collection(handle="all", products=("handle:tee",)))
    shop.delete(tee)
    assert shop.all("product") == []
    assert shop.all("collection")[0].products == ()
    assert shop.fetch("product", "sku:TEE-M", "handle:tee") == ()
    with shop.adapter._database.read() as session:
        assert session.execute("SELECT count(*) FROM member").fetchone() == (0,)
    again = shop.create(Product(handle="tee"))
    assert int(again.id) > int(tee.variants[2].id)
    assert again.collections == ()


def test_membership_is_one_truth_seen_from_both_sides(shop):
    a, b, c = (
        shop.create(Product(handle=name, variants=(Variant(sku=name.upper()),))) for name in "abc"
    )
    first = shop.create(Collection(handle="first", products=("handle:b", "sku:A")))
    second = shop.create(Collection(handle="second"))
    assert first.products == ("handle:b", "sku:A")
    assert shop.update(c, Product(collections=("second", "first"))).collections == (
        "second",
        "first",
    )
    first, second = shop.fetch("collection", f"id:{first.id}", f"id:{second.id}")
    assert (first.products, second.products) == (("handle:b", "sku:A", "handle:c"), ("handle:c",))
    c = shop.update(c, Product(collections=("first", "second")))
    assert c.collections == ("first", "second")
    shop.update(c, Product(collections=("second", "first")))
    changed = shop.update(first, Collection(products=("handle:c", "handle:b")))
    assert changed.products == ("handle:c", "handle:b")
    a, b, c = shop.all("product")
    assert (a.collections, b.collections) == ((), ("first",))
    assert c.collections == ("second", "first")
    changed = shop.update(first, Collection(products_add=("sku:A",), products_remove=("handle:c",)))
    assert changed.products == ("handle:b", "sku:A")


def test_a_key_that_names_its_product_no_longer_gives_way_to_the_handle(shop):
    a = shop.create(Product(handle="a", variants=(Variant(sku="A"),)))
    shop.create(Collection(handle="all", products=("sku:A",)))
    shop.update(a, Product(handle="b", variants=(Variant(id=a.variants[0].id, sku="B"),)))
    assert shop.all("collection")[0].products == ("handle:b",)
    shop.create(Product(handle="other", variants=(Variant(sku="A"),)))
    assert shop.all("collection")[0].products == ("handle:b",)


def test_a_renamed_collection_keeps_its_products_and_its_place(shop):
    top = shop.create(Collection(handle="top"))
    shop.create(Collection(handle="below", parent="top"))
    shop.create(Product(handle="mug", collections=("top",)))
    top = shop.update(top, Collection(handle="summit"))
    assert shop.fetch("product", "handle:mug")[0].collections == ("summit",)
    assert shop.fetch("collection", "handle:below")[0].parent == "summit"
    assert shop.fetch("collection", "handle:top") == ()
    shop.delete(top)
    assert shop.fetch("collection", "handle:below")[0].parent == ""
    assert shop.fetch("product", "handle:mug")[0].collections == ()


def test_references_resolved_by_the_plan_are_believed(shop):
    collection = shop.create(Collection(handle="all"))
    live = shop.create(Product(handle="mug"))
    change = shop.change("update", Product(collections=("old-name",)), record_id=live.id)
    ids = {"collection handle:old-name": collection.id}
    (outcome,) = shop.write(change, ids=ids)
    assert outcome.record.collections == ("all",)


def test_stock_without_a_location_goes_to_the_only_one(shop, tee):
    def stock(product):
        return {
            (v.sku, level.location): level.available
            for v in product.variants
            for level in v.inventory
        }

    one = Variant(sku="TEE-S", inventory=(InventoryLevel(available=5),))
    first = shop.update(tee, Product(variants=(one,)))
    place = shop.info().locations[0]
    two = Variant(sku="TEE-S", inventory=(InventoryLevel(location=place.id, available=6),))
    assert stock(first) == {("TEE-S", "Default"): 5}
    assert stock(shop.update(first, Product(variants=(two,)))) == {("TEE-S", "Default"): 6}
    shop.create(Location(name="Berlin"))
    outcome = shop.refused("update", Product(variants=(one,)), record_id=tee.id)
    assert "more than one location" in outcome.message
    assert "Default, Berlin" in outcome.remedy
    nowhere = Variant(inventory=(InventoryLevel(location="Rom", available=1),))
    assert "'Rom'" in shop.refused("create", Product(handle="x", variants=(nowhere,))).message
    berlin = Variant(sku="TEE-S", inventory=(InventoryLevel(location="Berlin", available=1),))
    changed = shop.update(tee, Product(variants=(berlin,)))
    assert stock(changed) == {("TEE-S", "Default"): 6, ("TEE-S", "Berlin"): 1}


def test_stock_follows_a_renamed_location_and_holds_it(shop):
    place = shop.info().locations[0]
    levels = (InventoryLevel(location="Default", available=3),)
    mark = {"local": {"location": "Default"}}
    shop.create(Product(handle="a", variants=(Variant(inventory=levels),), platform_fields=mark))
    shop.update(place, Location(name='Lager "1"'))
    (product,) = shop.all("product")
    assert product.variants[0].inventory[0].location == 'Lager "1"'
    assert product.platform_fields == mark
    assert "one location at least" in shop.refused("delete", Location(), record_id=place.id).message
    other = shop.create(Location(name="B"))
    mark = {"local": {"location": "B"}}
    shop.create(Product(handle="b", platform_fields=mark))
    assert "has stock" in shop.refused("delete", Location(), record_id=place.id).message
    shop.delete(other)
    assert [one.name for one in shop.info().locations] == ['Lager "1"']


def test_pages_filter_by_status_date_and_id(shop):
    products = [shop.create(Product(handle=h, status=s)) for h, s in zip("abc", "xyx", strict=True)]
    since = products[1].updated_at
    assert [p.handle for p in shop.all("product", Query(status="x"))] == ["a", "c"]
    assert [p.handle for p in shop.all("product", Query(updated_since=since))] == ["b", "c"]
    assert [p.handle for p in shop.all("product", Query(ids=(products[2].id, "9999")))] == ["c"]
    assert shop.page("product", Query(status="x")).total == 2
    shop.create(Product(handle="d"))
    assert [p.handle for p in shop.all("product", Query(status="active"))] == ["d"]
    shop.update(products[0], Product(title="later"))
    assert [p.handle for p in shop.all("product", Query(updated_since=since))] == [
        "a",
        "b",
        "c",
        "d",
    ]


def test_a_walk_gives_each_record_once_whatever_happens_meanwhile(shop, monkeypatch):
    monkeypatch.setattr("storebridge_local.records.CHUNK", 3)
    live = [shop.create(Product(handle=f"p{n}")) for n in range(10)]
    page = shop.page("product")
    seen = [p.handle for p in page.records]
    shop.delete(live[1])  # read already
    shop.delete(live[4])  # not read yet
    shop.delete(live[5])
    shop.update(live[2], Product(handle="renamed"))
    while page.cursor:
        shop.create(Product())  # without an end, if the walk went on to these
        page = shop.page("product", None, page.cursor)
        seen += [p.handle for p in page.records]
    assert seen == [f"p{n}" for n in range(10) if n not in (4, 5)]


def test_a_walk_ends_where_the_last_page_is_full(shop, monkeypatch):
    monkeypatch.setattr("storebridge_local.records.CHUNK", 2)
    for n in range(4):
        shop.create(Product(handle=f"p{n}"))
    shop.create(Collection(handle="c"))
    page = shop.page("product")
    assert page.cursor
    assert shop.page("product", None, page.cursor).cursor == ""


def test_the_file_is_plain_sqlite_with_plain_json(shop, tee):
    with sqlite3.connect(shop.path) as connection:
        rows = connection.execute("SELECT body FROM record WHERE kind = 'product'").fetchall()
    connection.close()
    body = json.loads(rows[0][0])
    assert body["variants"][0]["price"] == "10 EUR"
    assert "collections" not in body
