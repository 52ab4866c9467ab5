"""Collections: members by hand, rules, jobs, pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.adapters.shopify.shop import Shop, eur, opened, tee
from tests.pictures import png

import storebridge
from storebridge.flow import Status
from storebridge.models import (
    Collection,
    Media,
    MetafieldDefinition,
    Product,
    Rule,
    Translation,
    Variant,
)
from storebridge.testing.rig import creation

TEXT = "single_line_text_field"


def members(shop: Shop, id_: str) -> tuple[str, ...]:
    found: tuple[str, ...] = shop.read(id_, "collection").products
    return found


def test_members_are_put_in_taken_out_and_ordered() -> None:
    shop = Shop()
    shop.create(tee("a"), tee("b"), tee("c"))
    [id_] = shop.create(Collection(handle="group", title="Group", sort_order="manual"))
    for wanted in (("a", "b"), ("c", "b", "a"), ("b", "c"), ()):
        keys = tuple(f"handle:{each}" for each in wanted)
        outcome = shop.update(id_, Collection(products=keys), "membership")
        assert outcome.status is Status.APPLIED, outcome
        assert members(shop, id_) == keys
    assert "JobState" in shop.operations


def test_members_beyond_a_page_and_a_call_are_put_in_ordered_and_taken_out() -> None:
    shop = Shop()
    names = [f"p{number}" for number in range(252)]
    bare = [creation(Product(handle=each, title=each), each) for each in names]
    shop.write("product", *bare)
    [id_] = shop.create(Collection(handle="group", title="Group", sort_order="manual"))
    keys = tuple(f"handle:{each}" for each in names)
    for wanted, name, parts in (
        (keys, "productIds", [250, 2]),
        (keys[::-1], "moves", [250, 1]),
        ((), "productIds", [250, 2]),
    ):
        shop.sent.clear()
        assert shop.update(id_, Collection(products=wanted), "membership").status is Status.APPLIED
        calls = [each["variables"][name] for each in shop.sent if name in each["variables"]]
        assert list(map(len, calls)) == parts
        assert members(shop, id_) == wanted


def test_members_of_a_collection_that_sorts_itself_are_waited_for_and_not_ordered() -> None:
    shop = Shop()
    shop.create(tee("a"), tee("b"))
    [id_] = shop.create(Collection(handle="group", title="Group", sort_order="alpha_asc"))
    shop.sandbox.switch(seconds=3)
    started = shop.clock.time()
    for wanted in (("handle:b", "handle:a"), ("handle:a", "handle:b"), ("handle:a",)):
        outcome = shop.update(id_, Collection(products=wanted), "membership")
        assert outcome.status is Status.APPLIED, outcome
    assert shop.clock.time() - started >= 6
    assert "CollectionReorder" not in shop.operations
    assert members(shop, id_) == ("handle:a",)


@pytest.mark.parametrize("order", ["", "manual", "alpha_desc", "best_selling", "price_asc"])
def test_the_order_of_products_counts_where_it_was_set_by_hand(tmp_path: Path, order: str) -> None:
    group = Collection(handle="group", title="Group", products=("handle:b", "handle:c", "handle:a"))
    group = group.but(sort_order=order) if order else group
    turned = Collection(handle="group", products=("handle:a", "handle:c", "handle:b"))
    with opened(tmp_path) as store:
        for each in (tee("a"), tee("b"), tee("c")):
            assert store.products.create(each).status is Status.APPLIED
        assert store.plan([group], tmp_path / "1").apply().ok
        assert store.plan([group], tmp_path / "2").is_empty
        assert store.plan([turned], tmp_path / "3").is_empty == (order != "manual")
        assert store.collections.update(turned).status is not Status.FAILED
        less = turned.but(products=("handle:c", "handle:a"))
        assert store.plan([less], tmp_path / "4").apply().ok
        assert store.plan([less], tmp_path / "5").is_empty


def test_what_sells_best_meanwhile_is_no_conflict(tmp_path: Path) -> None:
    group = Collection(handle="group", title="Group", sort_order="price_asc")
    dear = Product(handle="a", variants=(Variant(price=eur("99.00")),))
    with opened(tmp_path) as store:
        for handle, price in (("a", "1.00"), ("b", "2.00"), ("c", "3.00")):
            store.products.create(dear.but(handle=handle, variants=(Variant(price=eur(price)),)))
        all_three = group.but(products=("handle:a", "handle:b", "handle:c"))
        assert store.plan([all_three], tmp_path / "1").apply().ok
        plan = store.plan([group.but(products=("handle:c", "handle:a"))], tmp_path / "2")
        assert store.products.update(dear).status is Status.APPLIED
        assert [item.message for item in plan.apply().items()] == [""]


@pytest.mark.parametrize(
    ("order", "shown"),
    [("MANUAL", "bca"), ("ALPHA_ASC", "abc"), ("ALPHA_DESC", "cba"), ("PRICE_DESC", "acb"),
     ("CREATED", "bac"), ("BEST_SELLING", "cab")],
)  # fmt: skip
def test_the_sandbox_shows_products_in_the_order_of_their_collection(
    order: str, shown: str
) -> None:
    shop = Shop()
    for handle, price in (("b", 1), ("a", 3), ("c", 2)):
        shop.create(
            tee(handle, title=handle, options=(), variants=(Variant(price=eur(f"{price}.00")),))
        )
    [id_] = shop.create(Collection(handle="group", sort_order=order.lower()))
    wanted = Collection(products=("handle:b", "handle:c", "handle:a"))
    assert shop.update(id_, wanted, "membership").status is Status.APPLIED
    text = "query($id: ID!) { collection(id: $id) { products(first: 9) { nodes { handle } } } }"
    found = shop.person(text, id=id_)["collection"]["products"]["nodes"]
    assert "".join(node["handle"] for node in found) == shown


def test_a_member_that_isnt_there_is_named() -> None:
    shop = Shop()
    [id_] = shop.create(Collection(handle="group", title="Group"))
    outcome = shop.update(id_, Collection(products=("handle:none",)), "membership")
    assert (outcome.status, outcome.cause) == (Status.FAILED, "missing")
    assert "handle:none" in outcome.message


def test_a_product_says_which_collections_hold_it_by_hand() -> None:
    shop = Shop()
    [product] = shop.create(tee(tags=("sale",)))
    rules = (Rule(field="tag", relation="equals", value="sale"),)
    shop.create(
        Collection(handle="by-hand", title="By hand"),
        Collection(handle="other", title="Other"),
        Collection(handle="smart", title="Smart", rules=rules),
    )
    shop.update(product, Product(collections=("by-hand", "other")), "membership")
    assert shop.read(product).collections == ("by-hand", "other")
    shop.update(product, Product(collections=("other",)), "membership")
    assert shop.read(product).collections == ("other",)


def test_rules_go_whole_when_one_side_of_them_changes() -> None:
    shop = Shop()
    rules = (
        Rule(field="tag", relation="equals", value="sale"),
        Rule(field="price", relation="less_than", value="20"),
    )
    [id_] = shop.create(Collection(handle="smart", title="Smart", rules=rules))
    shop.update(id_, Collection(match_all=False))
    live = shop.read(id_, "collection")
    assert (live.rules, live.match_all, live.products) == (rules, False, ())


def test_new_rules_are_waited_for_until_they_have_filled_the_collection() -> None:
    shop = Shop()
    [id_] = shop.create(Collection(handle="smart", title="Smart", rules=(by_tag("a"),)))
    shop.sandbox.switch(seconds=3)
    started = shop.clock.time()
    assert shop.update(id_, Collection(rules=(by_tag("b"),))).status is Status.APPLIED
    assert shop.clock.time() - started >= 3


def test_new_rules_of_a_collection_that_one_of_them_fills_are_not_asked_for_together() -> None:
    shop = Shop()
    [id_] = shop.create(
        Collection(handle="smart", title="Smart", rules=(by_tag("a"),), match_all=False)
    )
    shop.update(id_, Collection(rules=(by_tag("b"), by_tag("c"))))
    live = shop.read(id_, "collection")
    assert (live.rules, live.match_all) == ((by_tag("b"), by_tag("c")), False)


def test_a_collection_with_rules_takes_no_members() -> None:
    shop = Shop()
    shop.create(tee())
    rules = (Rule(field="tag", relation="equals", value="sale"),)
    [id_] = shop.create(Collection(handle="smart", title="Smart", rules=rules))
    outcome = shop.update(id_, Collection(products=("handle:tee",)), "membership")
    assert "fills itself" in outcome.message


def by_tag(tag: str) -> Rule:
    return Rule(field="tag", relation="equals", value=tag)


def collections(store: Any) -> dict[str, Collection]:
    return {each.handle: each for each in store.collections.iter()}


def test_pictures_and_translations_of_collections_go_to_another_shop(tmp_path: Path) -> None:
    picture = Media(url="https://shop.example/summer.jpg", alt="Beach")
    word = Translation(locale="de", field="title", value="Sommer")
    wanted = Collection(handle="summer", title="Summer", image=picture, translations=(word,))
    with storebridge.open("sandbox:shopify?memory", state=tmp_path / "a") as source:
        for name in ("one", "two"):
            plan = source.plan([wanted], tmp_path / f"{name}.plan")
            assert plan.is_empty == (name == "two")
            assert plan.apply().ok
        pulled = [each.without("id") for each in source.collections.iter()]
        assert pulled[0].image.alt == "Beach"
        assert pulled[0].translations == (word,)
    with storebridge.open("sandbox:shopify?memory", state=tmp_path / "b") as shop:
        plan = shop.plan(pulled, tmp_path / "three.plan")
        assert [fit.field for fit in plan.fit()] == []
        assert plan.apply().ok
        found = collections(shop)["summer"]
        assert (found.image.alt, found.translations) == ("Beach", (word,))
        assert found.image.url.endswith("summer.jpg")
        assert shop.plan(pulled, tmp_path / "four.plan").is_empty


def test_a_picture_of_a_collection_is_changed_and_taken_away() -> None:
    shop = Shop()
    [id_] = shop.create(Collection(handle="summer", title="Summer"))
    new = Media(url="https://shop.example/a.jpg", alt="A")
    outcome = shop.update(id_, Collection(image=new), "media")
    live = shop.read(id_, "collection").image
    assert (live.alt, outcome.media) == ("A", {"url:https://shop.example/a.jpg": live.id})
    shop.update(id_, Collection(image=Media(alt="B")), "media")
    changed = shop.read(id_, "collection").image
    assert (changed.url, changed.alt) == (live.url, "B")
    shop.update(id_, Collection(image=Media(url="https://shop.example/b.jpg")), "media")
    another = shop.read(id_, "collection").image
    assert (another.url != live.url, another.alt) == (True, "B")
    shop.update(id_, Collection(image=None), "media")
    assert shop.read(id_, "collection").image is None
    assert shop.update(id_, Collection(image=Media(alt="C")), "media").status is Status.FAILED


def test_a_file_is_brought_up_as_a_collections_picture(tmp_path: Path) -> None:
    file = tmp_path / "front.png"
    file.write_bytes(png())
    shop = Shop()
    [id_] = shop.create(Collection(handle="summer", title="Summer"))
    shop.update(id_, Collection(image=Media(url=file.as_uri())), "media")
    [sent] = shop.variables("StagedUploads")
    [asked] = sent["input"]
    assert (asked["resource"], asked["fileSize"]) == ("COLLECTION_IMAGE", str(len(png())))
    assert "front" in shop.read(id_, "collection").image.url


def test_a_plan_says_that_a_collection_stays_as_it_is_filled(tmp_path: Path) -> None:
    rule = by_tag("sale")
    ruled = Collection(handle="ruled", title="Ruled", rules=(rule,))
    manual = Collection(handle="manual", title="Manual")
    with storebridge.open("sandbox:shopify?memory", state=tmp_path) as shop:
        for each in (ruled, manual):
            shop.collections.create(each)
        wanted = [ruled.but(rules=(), title="Other"), manual.but(rules=(rule,))]
        plan = shop.plan(wanted, tmp_path / "one.plan")
        assert [(fit.label, fit.field) for fit in plan.fit()] == [
            ("ruled", "rules"), ("manual", "rules")
        ]  # fmt: skip
        assert plan.counts["update"] == 1
        assert plan.apply().ok
        assert collections(shop)["ruled"].title == "Other"
        assert collections(shop)["ruled"].rules == (rule,)


def test_the_rules_of_a_collection_are_never_emptied_without_a_word() -> None:
    shop = Shop()
    rule = by_tag("sale")
    [id_] = shop.create(Collection(handle="ruled", title="Ruled", rules=(rule,)))
    assert "stays so" in shop.update(id_, Collection(rules=())).message


@pytest.mark.parametrize("owner", ["product", "variant"])
def test_rules_by_metafields_keep_their_definition(owner: str) -> None:
    source, shop = Shop(), Shop()
    field = f"{owner}_metafield_definition:custom.material"
    rules = (Rule(field=field, relation="equals", value="wool"), by_tag("new"))
    wanted = Collection(handle="wool", title="Wool", rules=rules, match_all=True)
    [outcome] = shop.write("collection", creation(wanted))
    assert "no definition" in outcome.message
    named = {"owner": owner, "metafield": "custom.material", "name": "Material"}
    for each in (source, shop):
        each.create(MetafieldDefinition.model_validate({**named, "type": TEXT}))
    [id_] = source.create(wanted)
    [other] = shop.create(source.read(id_, "collection").without("id"))
    assert shop.read(other, "collection").rules == rules
    shop.update(other, Collection(match_all=False))
    live = shop.read(other, "collection")
    assert (live.rules, live.match_all) == (rules, False)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (("price", "greater_than", "abc"), "price is compared with a number, not with 'abc'"),
        (("variant_price", "less_than", "NaN"), "variant_price is compared with a number"),
        (("tag", "is", "sale"), "Shopify has no relation 'is', but contains, ends_with"),
    ],
)
def test_a_rule_that_shopify_lacks_is_told_and_refused(
    rule: tuple[str, str, str], message: str
) -> None:
    shop = Shop()
    field, relation, value = rule
    rules = (Rule(field=field, relation=relation, value=value),)
    collection = Collection(handle="smart", title="Smart", rules=rules)
    [fit] = shop.adapter.records("collection").check(collection)
    assert fit.message.startswith(message)
    [outcome] = shop.write("collection", creation(collection))
    assert outcome.status is Status.FAILED
    assert shop.sandbox.count("Collection") == 0


def test_rules_of_numbers_and_of_what_is_set_are_held() -> None:
    shop = Shop()
    rules = (
        Rule(field="price", relation="greater_than", value="9.5"),
        Rule(field="compare_at_price", relation="is_set", value=""),
    )
    collection = Collection(handle="smart", title="Smart", rules=rules)
    assert not list(shop.adapter.records("collection").check(collection))
    [id_] = shop.create(collection)
    assert shop.read(id_, "collection").rules == rules
