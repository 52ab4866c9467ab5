from __future__ import annotations

from storebridge.adapter import PARTS, Field
from storebridge.models import InventoryLevel, MarketPrice, Media, Money, Product, Seo, Variant
from storebridge.parts import declared, says, split, unsupported

FIELDS = {
    "handle": Field(),
    "title": Field(),
    "tags": Field(),
    "url": Field(write=False),
    "seo.title": Field(),
    "variants": Field(),
    "variants.inventory": Field("inventory"),
    "variants.market_prices": Field("prices"),
    "media": Field("media"),
    "collections": Field("membership"),
}
EUR = Money("9.90", "EUR")


def variant(sku: str, **fields: object) -> Variant:
    return Variant.model_validate({"sku": sku, **fields})


def test_a_record_of_one_part_is_the_same_object() -> None:
    product = Product(id="7", handle="tee", title="Tee", variants=(variant("A", price=EUR),))
    cuts = split(product, FIELDS)
    assert list(cuts) == ["core"]
    assert cuts["core"] is product


def test_each_field_lands_in_its_part_in_the_order_of_parts() -> None:
    level = InventoryLevel(location="Rome", available=3)
    product = Product(
        id="7",
        handle="tee",
        collections=("summer",),
        media=(Media(url="https://example.com/a.png"),),
        variants=(
            variant("A", options=("S",), price=EUR, inventory=(level,)),
            variant("B", options=("M",), price=EUR),
        ),
    )
    cuts = split(product, FIELDS)
    assert list(cuts) == [part for part in PARTS if part in cuts]
    assert cuts["inventory"] == Product(
        id="7", handle="tee", variants=(variant("A", options=("S",), inventory=(level,)),)
    )
    assert [v.given for v in cuts["core"].variants] == [{"sku", "options", "price"}] * 2
    assert cuts["membership"] == Product(id="7", handle="tee", collections=("summer",))
    assert cuts["media"].media == product.media


def test_an_element_known_by_its_id_is_in_the_part_it_changes_only() -> None:
    level = InventoryLevel(location="Rome", available=3)
    cuts = split(Product(id="7", variants=(Variant(id="1", inventory=(level,)),)), FIELDS)
    assert list(cuts) == ["inventory"]


def test_a_new_element_is_in_core_even_when_it_has_only_stock() -> None:
    level = InventoryLevel(location="Rome", available=3)
    cuts = split(Product(id="7", variants=(variant("A", inventory=(level,)),)), FIELDS)
    assert cuts["core"].variants == (variant("A"),)


def test_a_list_that_replaces_stays_whole_in_its_own_part() -> None:
    level = InventoryLevel(location="Rome", available=3)
    product = Product(
        id="7",
        modes={"variants": "replace"},
        variants=(Variant(id="1", inventory=(level,)), variant("B", price=EUR)),
    )
    cuts = split(product, FIELDS)
    assert [v.id for v in cuts["core"].variants] == ["1", ""]
    assert [v.id for v in cuts["inventory"].variants] == ["1"]


def test_what_can_not_be_written_is_left_out() -> None:
    product = Product(handle="tee", title="Tee", url="https://example.com/tee", vendor="Acme")
    assert split(product, FIELDS) == {"core": Product(handle="tee", title="Tee")}


def test_adding_and_removing_tags_count_as_tags() -> None:
    product = Product.model_validate({"handle": "tee", "tags+": ("new",), "tags-": ("old",)})
    assert split(product, FIELDS) == {"core": product}
    assert unsupported(product, FIELDS) == []
    assert unsupported(product, {"handle": Field()}) == ["tags"]


def test_an_empty_list_belongs_to_the_part_of_the_list() -> None:
    assert list(split(Product(id="7", variants=()), FIELDS)) == ["core"]
    nested = {"variants.inventory": Field("inventory"), "variants.price": Field()}
    assert list(split(Product(id="7", variants=()), nested)) == ["core"]


def test_unsupported_names_each_path_once() -> None:
    fields = {"title": Field(), "variants.price": Field(), "seo.title": Field()}
    product = Product(
        id="7",
        title="Tee",
        vendor="Acme",
        seo=Seo(title="Tee", description="A tee"),
        variants=(
            Variant(id="1", price=EUR, cost=EUR),
            Variant(id="2", cost=EUR, market_prices=(MarketPrice(market="us", price=EUR),)),
        ),
        platform_fields={"other": {"x": 1}},
    )
    assert unsupported(product, fields) == [
        "vendor",
        "variants.cost",
        "variants.market_prices",
        "seo.description",
    ]


def test_the_nearest_declaration_counts() -> None:
    assert declared("variants.inventory.available", FIELDS) is FIELDS["variants.inventory"]
    assert declared("variants.price", FIELDS) is FIELDS["variants"]
    assert declared("seo.description", FIELDS) is None


def test_a_natural_empty_says_nothing() -> None:
    product = Product(
        gift_card=False, vendor="", seo=Seo(title=""), variants=(variant("A", taxable=True),)
    )
    paths = ("gift_card", "vendor", "seo", "seo.title", "variants.taxable")
    assert [path for path in paths if says(product, path)] == []
    assert says(Product(seo=Seo(title="Warm")), "seo")
    product = product.but(vendor="Acme", variants=(variant("A"), variant("B", taxable=False)))
    assert [path for path in paths if says(product, path)] == ["vendor", "variants.taxable"]
