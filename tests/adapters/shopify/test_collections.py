"""Collections: members by hand, rules, jobs."""

from __future__ import annotations

from tests.adapters.shopify.shop import Shop, tee

from storebridge.flow import Status
from storebridge.models import Collection, Product, Rule


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


def test_a_collection_with_rules_takes_no_members() -> None:
    shop = Shop()
    shop.create(tee())
    rules = (Rule(field="tag", relation="equals", value="sale"),)
    [id_] = shop.create(Collection(handle="smart", title="Smart", rules=rules))
    outcome = shop.update(id_, Collection(products=("handle:tee",)), "membership")
    assert "fills itself" in outcome.message
