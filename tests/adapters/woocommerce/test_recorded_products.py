"""Products of a real WooCommerce, by cassette: each type, batches, prices, stock and attributes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from tests.adapters.woocommerce.recorded import Shop

from storebridge import Store
from storebridge.flow import Request, RequestKind, Status
from storebridge.models import (
    Attribute,
    InventoryLevel,
    Metafield,
    Money,
    Option,
    Product,
    Sale,
    Variant,
    Weight,
)

pytestmark = pytest.mark.vcr


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


def simple(number: int = 1, **fields: Any) -> Product:
    variant = {"sku": f"REC-{number}", "price": eur("19.50"), **fields.pop("variant", {})}
    return Product(
        **{
            "handle": f"recorded-{number}",
            "title": f"Recorded {number}",
            "status": "active",
            "variants": (Variant(**variant),),
            **fields,
        }
    )


def made(store: Store, product: Product) -> Product:
    """Create a product and return it as the shop has it."""
    outcome = store.products.create(product)
    assert outcome.status is Status.APPLIED, outcome
    return store.products.get(outcome.id)


def raw(store: Store, doc: dict[str, Any]) -> str:
    """Create a product as the shop's own interface does, and return its id."""
    body = json.dumps(doc).encode()
    request = Request(
        method="POST", path="/products", kind=RequestKind.CREATE, body=body, covers=("raw",)
    )
    return str(json.loads(store.call(request).body)["id"])


def test_simple_product(shop: Shop) -> None:
    store = shop.open()
    product = made(
        store,
        simple(
            title='Größe "M" & <more> \\ 中文',
            description_html="<p>Soft \\ linen, 3 &lt; 5.</p>",
            short_description_html="Soft.",
            tags=("linen", "new"),
            featured=True,
            metafields=(
                Metafield(namespace="custom", key="care", value="30 °C \\ gentle"),
                Metafield(namespace="custom", key="sizes", type="json", value='["S","M"]'),
            ),
            variant={
                "barcodes": ("4006381333931",),
                "weight": Weight(value=Decimal("0.35"), unit="kg"),
                "inventory": (InventoryLevel(available=7),),
                "tracked": True,
            },
        ),
    )
    [variant] = product.variants
    assert (product.handle, product.status, product.featured) == ("recorded-1", "active", True)
    assert product.title == 'Größe "M" & <more> \\ 中文'
    assert product.description_html == "<p>Soft \\ linen, 3 &lt; 5.</p>"
    assert sorted(product.tags) == ["linen", "new"]
    assert (variant.sku, variant.price, variant.barcodes) == (
        "REC-1",
        eur("19.50"),
        ("4006381333931",),
    )
    assert variant.weight == Weight(value=Decimal("0.35"), unit="kg")
    assert variant.inventory[0].available == 7
    assert {(m.key, m.value) for m in product.metafields} == {
        ("care", "30 °C \\ gentle"),
        ("sizes", '["S","M"]'),
    }

    again = store.products.create(simple())
    assert again.status is Status.FAILED
    assert again.cause == "conflict"

    changed = store.products.update(
        Product(id=product.id, title="Renamed", description_html="", tags=("old",))
    )
    assert changed.status is Status.APPLIED
    product = store.products.get(product.id)
    assert (product.title, product.description_html, product.tags) == ("Renamed", "", ("old",))
    assert product.variants[0].sku == "REC-1"

    same = store.products.update(Product(id=product.id, title="Renamed"))
    assert same.status is Status.UNCHANGED

    assert store.products.delete(product.id).status is Status.APPLIED
    assert store.products.find("sku:REC-1") is None


def test_variable_product(shop: Shop) -> None:
    store = shop.open()
    colours = Option(name="Colour", values=("Red", "Blue"))
    sizes = Option(name="Size", values=("S", "M"))
    product = made(
        store,
        Product(
            handle="recorded-variable",
            title="Variable",
            status="active",
            options=(colours, sizes),
            attributes=(Attribute(name="Material", values=("Wool",)),),
            variants=tuple(
                Variant(
                    sku=f"REC-V-{colour}-{size}",
                    options=(colour, size),
                    price=eur(f"{20 + place}.00"),
                    inventory=(InventoryLevel(available=place),),
                    tracked=True,
                )
                for place, (colour, size) in enumerate([("Red", "S"), ("Red", "M"), ("Blue", "S")])
            ),
        ),
    )
    assert [option.name for option in product.options] == ["Colour", "Size"]
    assert [attribute.name for attribute in product.attributes] == ["Material"]
    assert {(v.sku, v.options, v.price) for v in product.variants} == {
        ("REC-V-Red-S", ("Red", "S"), eur("20.00")),
        ("REC-V-Red-M", ("Red", "M"), eur("21.00")),
        ("REC-V-Blue-S", ("Blue", "S"), eur("22.00")),
    }

    change = Product(
        id=product.id,
        variants=(
            Variant(sku="REC-V-Red-S", price=eur("18.00")),
            Variant(sku="REC-V-Blue-M", options=("Blue", "M"), price=eur("23.00")),
        ),
    )
    assert store.products.update(change).status is Status.APPLIED
    prices = {v.sku: v.price for v in store.products.get(product.id).variants}
    assert prices == {
        "REC-V-Red-S": eur("18.00"),
        "REC-V-Red-M": eur("21.00"),
        "REC-V-Blue-S": eur("22.00"),
        "REC-V-Blue-M": eur("23.00"),
    }


def test_grouped_and_external_products_are_read_and_kept(shop: Shop) -> None:
    store = shop.open()
    single = made(store, simple())
    grouped = raw(
        store,
        {"name": "Set", "type": "grouped", "sku": "REC-SET", "grouped_products": [int(single.id)]},
    )
    external = raw(
        store,
        {
            "name": "Elsewhere",
            "type": "external",
            "sku": "REC-EXT",
            "regular_price": "5.00",
            "external_url": "https://partner.example/1",
            "button_text": "Buy there",
        },
    )
    assert store.products.get(grouped).platform_fields["woocommerce"]["type"] == "grouped"
    for id in (grouped, external):
        change = store.products.update(Product(id=id, title="Kept"))
        assert change.status is Status.APPLIED
    own = store.products.get(grouped).platform_fields["woocommerce"]
    assert (own["type"], own["grouped_products"]) == ("grouped", ["sku:REC-1"])
    other = store.products.get(external)
    own = other.platform_fields["woocommerce"]
    assert (own["type"], own["external_url"]) == ("external", "https://partner.example/1")
    assert other.title == "Kept"


def test_sale_prices(shop: Shop) -> None:
    store = shop.open()
    sale = Sale(
        price=eur("15.00"),
        starts_at=datetime(2031, 1, 1, tzinfo=UTC),
        ends_at=datetime(2031, 1, 31, 22, 59, 59, tzinfo=UTC),
    )
    product = made(store, simple(variant={"sale": sale}))
    assert (product.variants[0].price, product.variants[0].sale) == (eur("19.50"), sale)

    lower = Variant(sku="REC-1", price=eur("12.00"), compare_at_price=eur("19.50"), sale=None)
    assert store.products.update(Product(id=product.id, variants=(lower,))).status is Status.APPLIED
    variant = store.products.get(product.id).variants[0]
    assert (variant.price, variant.compare_at_price, variant.sale) == (
        eur("12.00"),
        eur("19.50"),
        None,
    )

    refused = store.products.create(simple(2, variant={"sale": Sale(price=eur("25.00"))}))
    assert refused.status is Status.FAILED  # WooCommerce would drop such a sale without a word
    assert store.products.find("sku:REC-2") is None


def test_stock(shop: Shop) -> None:
    store = shop.open()
    level = InventoryLevel(available=3)
    product = made(store, simple(variant={"inventory": (level,), "tracked": True}))

    def set_to(**fields: Any) -> Variant:
        variant = Variant(sku="REC-1", **fields)
        outcome = store.products.update(Product(id=product.id, variants=(variant,)))
        assert outcome.status is Status.APPLIED, outcome
        return store.products.get(product.id).variants[0]

    assert set_to(inventory=(InventoryLevel(available=0),)).inventory[0].available == 0
    assert set_to(inventory=(InventoryLevel(available=-2),)).inventory[0].available == -2
    assert set_to(oversell=True).oversell
    untracked = set_to(tracked=False)
    assert not untracked.tracked
    assert untracked.inventory == ()


def test_attributes_of_the_shop(shop: Shop) -> None:
    store = shop.open()
    ours = {"woocommerce": {"global": True}}
    product = made(
        store,
        Product(
            handle="recorded-global",
            title="Global",
            status="active",
            brand="Nordlicht",
            options=(Option(name="Colour", values=("Red", "Navy & white"), platform_fields=ours),),
            attributes=(Attribute(name="Material", values=("Wool",), platform_fields=ours),),
            variants=(
                Variant(sku="REC-G-1", options=("Red",), price=eur("1.00")),
                Variant(sku="REC-G-2", options=("Navy & white",), price=eur("2.00")),
            ),
        ),
    )
    assert product.brand == "Nordlicht"
    assert {v.sku: v.options for v in product.variants} == {
        "REC-G-1": ("Red",),
        "REC-G-2": ("Navy & white",),
    }
    assert product.options[0].platform_fields["woocommerce"]["global"]
    assert product.attributes[0].values == ("Wool",)


def test_an_option_changes_its_kind(shop: Shop) -> None:
    """The server takes a variation's value away with the kind of its option."""

    def size(ours: bool) -> Option:
        return Option(
            name="Size", values=("S", "M"), platform_fields={"woocommerce": {"global": ours}}
        )

    store = shop.open()
    variants = tuple(Variant(sku=f"KIND-{s}", options=(s,), price=eur("9.00")) for s in ("S", "M"))
    wanted = Product(
        handle="kind",
        title="Kind",
        status="active",
        options=(size(False),),
        variants=variants,
    )
    live = made(store, wanted)
    for ours in (True, False):
        change = Product(id=live.id, options=(size(ours),))
        assert store.products.update(change).status is Status.APPLIED
        live = store.products.get(live.id)
        assert live.options[0].platform_fields["woocommerce"]["global"] is ours
        assert {v.sku: v.options for v in live.variants} == {"KIND-S": ("S",), "KIND-M": ("M",)}


def test_an_error_belongs_to_its_item(shop: Shop) -> None:
    store = shop.open()
    made(store, simple(2))
    raw(store, {"name": "In the trash", "sku": "REC-3", "status": "trash"})
    numbers = (1, 2, 3, 4)
    outcomes = list(store.products.create_many(simple(number) for number in numbers))
    assert [outcome.status for outcome in outcomes] == [
        Status.APPLIED,
        Status.FAILED,
        Status.FAILED,
        Status.APPLIED,
    ]
    assert [outcome.cause for outcome in outcomes] == ["", "conflict", "conflict", ""]
    assert {p.variants[0].sku for p in store.products.iter()} == {"REC-1", "REC-2", "REC-4"}


def test_pages(shop: Shop) -> None:
    store = shop.open(page_size=2)
    done = list(store.products.create_many(simple(number) for number in range(5)))
    assert {outcome.status for outcome in done} == {Status.APPLIED}
    assert [p.variants[0].sku for p in store.products.iter()] == [f"REC-{n}" for n in range(5)]
    keys = [f"sku:REC-{number}" for number in (4, 1, 9)]
    found = [store.products.find(key) for key in keys]
    assert [product.title if product else None for product in found] == [
        "Recorded 4",
        "Recorded 1",
        None,
    ]


def test_what_was_changed_since(shop: Shop) -> None:
    store = shop.open()
    done = [made(store, simple(number)) for number in range(2)]
    before = datetime(2020, 1, 1, tzinfo=UTC)
    assert {p.id for p in store.products.iter(updated_since=before)} == {p.id for p in done}
    later = datetime(2100, 1, 1, tzinfo=UTC)
    assert list(store.products.iter(updated_since=later)) == []
    assert [p.id for p in store.products.iter("status = 'draft'")] == []
