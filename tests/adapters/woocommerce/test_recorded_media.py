"""Pictures in a real WooCommerce, by cassette: uploaded, kept by id, refused by the server."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from tests.adapters.woocommerce.recorded import Shop

from storebridge.flow import Status
from storebridge.models import Collection, Media, Option, Product, Variant

pytestmark = pytest.mark.vcr

#: One red pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGM4YWQEAALyASF4vmG+AAAAAElFTkSuQmCC"
)


def test_a_file_is_uploaded_and_kept_by_its_id(shop: Shop, tmp_path: Path) -> None:
    store, picture = shop.open(), tmp_path / "red.png"
    picture.write_bytes(PIXEL)
    media = Media(url=picture.as_uri(), alt="Red & small")
    outcome = store.products.create(
        Product(handle="pictured", title="Pictured", status="active", media=(media,))
    )
    assert outcome.status is Status.APPLIED
    [made] = store.products.get(outcome.id).media
    assert made.alt == "Red & small"
    assert made.url.endswith(".png")

    changed = Product(id=outcome.id, media=(Media(id=made.id, alt="Red"),))
    assert store.products.update(changed).status is Status.APPLIED
    assert [(m.id, m.alt) for m in store.products.get(outcome.id).media] == [(made.id, "Red")]


def test_a_picture_by_its_address(shop: Shop) -> None:
    store = shop.open()
    url = f"{shop.url}/wp-content/uploads/test/red.png"
    outcome = store.products.create(
        Product(handle="pictured", title="Pictured", status="active", media=(Media(url=url),))
    )
    assert outcome.status is Status.APPLIED
    [made] = store.products.get(outcome.id).media
    assert made.url != url  # the shop has made a copy of its own


def test_a_picture_that_cannot_be_fetched(shop: Shop) -> None:
    store = shop.open()
    missing = Media(url=f"{shop.url}/wp-content/uploads/test/missing.png")
    outcome = store.products.create(
        Product(handle="unpictured", title="Unpictured", status="active", media=(missing,))
    )
    assert outcome.status is Status.FAILED
    assert "missing.png" in outcome.message


def test_texts_of_pictures(shop: Shop) -> None:
    store, alt = shop.open(), r"C:\mug <b>2</b> & 3 < 4"
    url = f"{shop.url}/wp-content/uploads/test/red.png"
    media = (Media(url=url, alt=alt),)
    outcome = store.products.create(Product(handle="told", title="Told", media=media))
    assert outcome.status is Status.APPLIED, outcome
    assert [each.alt for each in store.products.get(outcome.id).media] == [alt]


def test_pictures_of_variants_and_categories(shop: Shop) -> None:
    store, url = shop.open(), f"{shop.url}/wp-content/uploads/test/red.png"
    sizes = ("S", "M")
    variants = [Variant(sku=f"SHOWN-{size}", options=(size,), media=(url,)) for size in sizes]
    wanted = Product(
        handle="shown",
        title="Shown",
        options=(Option(name="Size", values=sizes),),
        variants=tuple(variants),
    )
    outcome = store.products.create(wanted)
    assert outcome.status is Status.APPLIED, outcome
    shown = {variant.media for variant in store.products.get(outcome.id).variants}
    assert len(shown) == 1  # one copy, which both show
    assert () not in shown
    assert store.products.upsert(wanted).status is Status.UNCHANGED

    category = Collection(handle="pictured", title="Pictured", image=Media(url=url))
    made = store.collections.create(category)
    assert made.status is Status.APPLIED, made
    assert store.collections.get(made.id).image is not None
