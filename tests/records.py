"""A small catalogue with something in every part of a record."""

from __future__ import annotations

from storebridge.models import (
    Collection,
    InventoryLevel,
    MarketPrice,
    Media,
    Money,
    Option,
    Product,
    Record,
    Seo,
    Translation,
    Variant,
)


def euro(amount: str) -> Money:
    return Money(amount, "EUR")


def tee(**fields: object) -> Product:
    """A product with two variants and something in every part."""
    return Product(
        handle="tee",
        title="Tee",
        vendor="Acme",
        status="active",
        tags=("cotton", "summer"),
        seo=Seo(title="Tee", description="A tee"),
        collections=("summer",),
        options=(Option(name="Size", values=("S", "M")),),
        variants=(
            Variant(
                sku="TEE-S",
                options=("S",),
                price=euro("10.00"),
                inventory=(InventoryLevel(available=3),),
                market_prices=(MarketPrice(market="ch", price=Money("12", "CHF")),),
            ),
            Variant(sku="TEE-M", options=("M",), price=euro("11.00")),
        ),
        media=(Media(url="https://cdn.example/tee.jpg", alt="front"),),
        translations=(Translation(locale="de", field="title", value="Hemd"),),
    ).but(**fields)


def mug(**fields: object) -> Product:
    """A product with one variant."""
    return Product(
        handle="mug",
        title="Mug",
        vendor="Potter",
        status="active",
        variants=(
            Variant(sku="MUG", price=euro("5.00"), inventory=(InventoryLevel(available=9),)),
        ),
    ).but(**fields)


SUMMER = Collection(handle="summer", title="Summer")
CATALOGUE: tuple[Record, ...] = (SUMMER, tee(), mug())
