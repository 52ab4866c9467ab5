"""A plan for a real WooCommerce, by cassette: applied, planned again, turned back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.woocommerce.recorded import Shop, rules
from tests.adapters.woocommerce.test_recorded_media import PIXEL

from storebridge.models import Collection, Media, Money, Option, Product, Variant

pytestmark = pytest.mark.vcr


@pytest.fixture(scope="module")
def vcr_config(server: dict[str, Any] | None) -> dict[str, Any]:
    """As for other cassettes, but an answer with more fields serves who asks for fewer.

    Which fields a plan asks for is its own affair (`tests/core/test_needed_fields.py`).
    """
    recording = server is not None
    found = rules(server)
    kept = found if recording else replace(found, signing=found.signing | {"_fields"})
    return kept.settings(record=recording)


def test_a_catalogue(shop: Shop, tmp_path: Path) -> None:
    store, picture = shop.open(), tmp_path / "red.png"
    picture.write_bytes(PIXEL)
    media = (Media(url=picture.as_uri(), alt="Red"),)
    price = Money("19.00", "EUR")
    wanted = [
        Collection(handle="tops", title="Tops"),
        Product(
            handle="shirt",
            title="Shirt",
            status="active",
            collections=("tops",),
            media=media,
            options=(Option(name="Size", values=("S", "M")),),
            variants=tuple(
                Variant(sku=f"SHIRT-{size}", options=(size,), price=price) for size in ("S", "M")
            ),
        ),
        Product(
            handle="scarf",
            title="Scarf",
            status="active",
            media=media,
            variants=(Variant(sku="SCARF", price=price),),
        ),
    ]
    with store.plan(wanted, tmp_path / "first.plan") as plan:
        assert plan.apply(store).ok
    shirt, scarf = store.products.find("handle:shirt"), store.products.find("handle:scarf")
    assert shirt is not None
    assert scarf is not None
    assert shirt.collections == ("tops",)
    assert len(shirt.media) == len(scarf.media) == 1

    with store.plan(wanted, tmp_path / "again.plan") as plan:
        assert plan.is_empty, plan.counts

    dearer = [
        Product(handle="scarf", variants=(Variant(sku="SCARF", price=Money("21.00", "EUR")),))
    ]
    with store.plan(dearer, tmp_path / "dearer.plan") as plan:
        assert plan.apply(store).ok
        with plan.undo(tmp_path / "undo.plan", store) as back:
            assert back.apply(store).ok
    scarf = store.products.get(scarf.id)
    assert scarf.variants[0].price == price
