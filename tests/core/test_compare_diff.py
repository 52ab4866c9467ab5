"""Patches: what differs, told apart by element, and the way back."""

from __future__ import annotations

import json
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from storebridge.compare import Patch, changed_paths, diff, rebuild, same, select, still_holds
from storebridge.models import (
    InventoryLevel,
    MarketPrice,
    Media,
    Metafield,
    Money,
    Product,
    Seo,
    Translation,
    Variant,
    Weight,
)


def euro(amount: str) -> Money:
    return Money(amount, "EUR")


LIVE = Product(
    id="1",
    handle="tee",
    title="Tee",
    tags=("a", "b"),
    seo=Seo(title="Tee", description="A tee"),
    variants=(
        Variant(
            id="7",
            sku="S",
            options=("S",),
            price=euro("10"),
            inventory=(InventoryLevel(location="Main", available=3),),
            market_prices=(MarketPrice(market="CH", price=Money("12", "CHF")),),
        ),
        Variant(id="8", sku="M", options=("M",), price=euro("11")),
    ),
    media=(Media(id="20", url="https://cdn.example/a.jpg", alt="front"),),
    metafields=(Metafield(namespace="care", key="wash", type="text", value="30"),),
    translations=(Translation(locale="de", field="title", value="Hemd"),),
    platform_fields={"shopify": {"gift": 1, "other": 2}},
)


def paths(desired: Product, live: Product = LIVE) -> list[str]:
    return changed_paths(Product, diff(desired, live))


def test_what_was_not_given_is_never_compared() -> None:
    assert diff(Product(handle="tee"), LIVE) == Patch({}, {})
    assert paths(Product(handle="tee", seo=Seo(title="Tee"))) == []


def test_plain_fields_and_nested_ones() -> None:
    desired = Product(title="Tee 2", seo=Seo(description="Better"))
    assert diff(desired, LIVE) == Patch(
        {"title": "Tee", "seo": {"description": "A tee"}},
        {"title": "Tee 2", "seo": {"description": "Better"}},
    )


def test_a_merging_list_leaves_other_elements_alone() -> None:
    desired = Product(variants=(Variant(sku="S", price=euro("12")),))
    patch = diff(desired, LIVE)
    assert patch.after == {"variants": {"S": {"id": "7", "price": "12 EUR"}}}
    assert patch.before == {"variants": {"S": {"id": "7", "price": "10 EUR"}}}


def test_an_element_that_the_store_lacks_is_added() -> None:
    patch = diff(Product(variants=(Variant(sku="L", options=("L",)),)), LIVE)
    assert patch == Patch(
        {"variants": {"L": None}}, {"variants": {"L": {"sku": "L", "options": ["L"]}}}
    )


def test_a_replacing_list_takes_elements_out() -> None:
    desired = Product(variants=(Variant(sku="S"),), modes={"variants": "replace"})
    patch = diff(desired, LIVE)
    assert patch.after == {"variants": {"M": None}}
    assert rebuild(Product, patch)[2] == {"variants": ("id:8",)}


def test_elements_within_elements() -> None:
    level = InventoryLevel(location="Main", available=5)
    price = MarketPrice(market="CH", price=Money("13", "CHF"))
    desired = Product(variants=(Variant(sku="S", inventory=(level,), market_prices=(price,)),))
    assert paths(desired) == [
        "variants[S].inventory[Main]",
        "variants[S].market_prices[CH].price",
    ]


def test_edits_are_resolved_against_the_store() -> None:
    desired = Product(tags_add=("c", "a"), tags_remove=("b",))
    assert diff(desired, LIVE).after == {"tags": ["a", "c"]}


def test_platform_fields_merge_by_key() -> None:
    desired = Product(platform_fields={"shopify": {"gift": 2}})
    assert diff(desired, LIVE) == Patch(
        {"platform_fields": {"shopify": {"gift": 1}}}, {"platform_fields": {"shopify": {"gift": 2}}}
    )


def test_values_that_mean_the_same_are_the_same() -> None:
    assert paths(Product(variants=(Variant(sku="S", price=euro("10.00")),))) == []
    assert same(Metafield(namespace="care", key="wash", value="30"), LIVE.metafields[0])


def test_a_variant_without_any_name_is_the_only_one() -> None:
    live = Product(variants=(Variant(id="1", sku="MUG", price=euro("5")),))
    desired = Product(variants=(Variant(price=euro("6")),))
    assert paths(desired, live) == ["variants[MUG].price"]


def test_a_conflict_is_a_planned_before_value_that_changed() -> None:
    patch = diff(Product(title="New", variants=(Variant(sku="S", price=euro("12")),)), LIVE)
    sold = LIVE.but(tags=("z",), variants=(LIVE.variants[0].but(inventory=()), LIVE.variants[1]))
    assert still_holds(Product, patch.before, LIVE) == []
    assert still_holds(Product, patch.before, sold) == [], "other fields are no conflict"
    edited = LIVE.but(title="Mine")
    assert still_holds(Product, patch.before, edited) == ["title"]
    gone = LIVE.but(variants=LIVE.variants[1:])
    assert still_holds(Product, patch.before, gone) == ["variants[S]"]


def test_a_value_that_is_written_with_other_digits_still_holds() -> None:
    wanted = Variant(sku="S", price=euro("12.5"), weight=Weight(value=Decimal("3"), unit="kg"))
    patch = diff(Product(variants=(wanted,)), LIVE)
    small = LIVE.variants[0].but(
        price=euro("12.50"), weight=Weight(value=Decimal("3.0"), unit="kg")
    )
    assert still_holds(Product, patch.after, LIVE.but(variants=(small,))) == []
    other = small.but(price=euro("12.51"), weight=Weight(value=Decimal("3.01"), unit="kg"))
    changed = ["variants[S].price", "variants[S].weight"]
    assert still_holds(Product, patch.after, LIVE.but(variants=(other,))) == changed
    assert still_holds(Product, patch.after, LIVE.but(variants=(small.but(price=None),))) == [
        "variants[S].price"
    ]


def test_an_element_that_somebody_added_meanwhile_is_a_conflict() -> None:
    patch = diff(Product(variants=(Variant(sku="L", options=("L",)),)), LIVE)
    added = LIVE.but(variants=(*LIVE.variants, Variant(id="9", sku="L", options=("L",))))
    assert still_holds(Product, patch.before, added) == ["variants[L]"]


def test_select_keeps_what_it_is_told_to() -> None:
    level = InventoryLevel(location="Main", available=5)
    desired = Product(
        title="New", variants=(Variant(sku="S", price=euro("12"), inventory=(level,)),)
    )
    patch = diff(desired, LIVE)
    kept = select(Product, patch, lambda path: path == "variants[S].price")
    assert changed_paths(Product, kept) == ["variants[S].price"]
    assert select(Product, patch, lambda _: True) == patch
    assert select(Product, patch, lambda _: False) == Patch({}, {})


names = st.text("abcXYZ äß中", min_size=1, max_size=5)
variants = st.lists(
    st.builds(
        lambda sku, cents, stock: Variant(
            sku=sku,
            options=(sku,),
            price=euro(f"{cents // 100}.{cents % 100:02}"),
            inventory=(InventoryLevel(location="Main", available=stock),),
        ),
        names,
        st.integers(0, 99999),
        st.integers(-5, 500),
    ),
    unique_by=lambda variant: variant.sku,
    max_size=4,
).map(tuple)
products = st.builds(
    lambda title, tags, seo, found, mode: Product(
        title=title, tags=tuple(tags), seo=Seo(title=seo), variants=found, modes={"variants": mode}
    ),
    names,
    st.lists(names, max_size=3),
    names,
    variants,
    st.sampled_from(("merge", "replace")),
)


def settled(live: Product, patch: Patch) -> Product:
    """Apply a patch the slow and plain way."""
    _, desired, removed = rebuild(Product, patch)
    fields = {name: getattr(desired, name) for name in desired.given if name != "variants"}
    gone = removed.get("variants", ())
    kept = [v for v in live.variants if not set(v.element_keys()) & set(gone)]
    for element in desired.variants:
        match = next((k for k in kept if set(k.element_keys()) & set(element.element_keys())), None)
        if match is None:
            kept.append(element)
        else:
            given = {name: getattr(element, name) for name in element.given}
            kept[kept.index(match)] = match.model_copy(update=given)
    return live.model_copy(update={**fields, "variants": tuple(kept)})


@settings(max_examples=150, deadline=None)
@given(products, products)
def test_applying_a_patch_leaves_nothing_to_change_and_undoing_it_brings_everything_back(
    live: Product, desired: Product
) -> None:
    patch = diff(desired, live)
    patch = Patch(*(json.loads(json.dumps(side)) for side in patch))
    assert still_holds(Product, patch.before, live) == []
    after = settled(live, patch)
    assert diff(desired, after) == Patch({}, {})
    assert still_holds(Product, patch.after, after) == []
    back = settled(after, Patch(patch.after, patch.before))
    assert {v.sku: v for v in back.variants} == {v.sku: v for v in live.variants}
    assert back.without("variants") == live.without("variants")


def test_a_channel_that_is_taken_out_is_a_change_until_it_is_gone() -> None:
    live = Product(handle="tee", channels=("Online Store", "Point of Sale"))
    asked = Product(handle="tee", channels_remove=("Online Store",))
    _, after, _ = rebuild(Product, diff(asked, live))
    assert after.channels == ("Point of Sale",)
    assert diff(after, live).after
    assert not diff(after, Product(handle="tee", channels=("Point of Sale",))).after


def test_channels_have_no_order() -> None:
    live = Product(handle="tee", channels=("Online Store", "Point of Sale"))
    wanted = Product(
        handle="tee", channels=tuple(reversed(live.channels)), modes={"channels": "replace"}
    )
    assert not diff(wanted, live).after
