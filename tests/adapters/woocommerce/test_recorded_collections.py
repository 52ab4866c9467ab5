"""Categories of a real WooCommerce, by cassette: the shop's collections, a tree."""

from __future__ import annotations

import pytest
from tests.adapters.woocommerce.recorded import Shop

from storebridge.flow import Status
from storebridge.models import Collection, Product

pytestmark = pytest.mark.vcr


def test_a_tree(shop: Shop) -> None:
    store = shop.open()
    parent = Collection(handle="clothes", title="Clothes & more", description_html="<p>All.</p>")
    child = Collection(handle="shirts", title="Shirts", parent="clothes")
    for collection in (parent, child):
        assert store.collections.create(collection).status is Status.APPLIED
    found = {each.handle: each for each in store.collections.iter()}
    assert found["clothes"].title == "Clothes & more"
    assert found["shirts"].parent == "clothes"

    changed = Collection(id=found["shirts"].id, title="Shirts and tops", parent="")
    assert store.collections.update(changed).status is Status.APPLIED
    live = store.collections.find("handle:shirts")
    assert live is not None
    assert (live.title, live.parent) == ("Shirts and tops", "")

    again = store.collections.create(parent)
    assert again.cause == "conflict"


def test_members(shop: Shop) -> None:
    store = shop.open()
    for handle in ("summer", "winter"):
        assert store.collections.create(Collection(handle=handle, title=handle)).status is (
            Status.APPLIED
        )
    product = Product(
        handle="member", title="Member", status="active", collections=("summer", "winter")
    )
    outcome = store.products.create(product)
    assert outcome.status is Status.APPLIED
    assert sorted(store.products.get(outcome.id).collections) == ["summer", "winter"]
    assert store.products.update(Product(id=outcome.id, collections=())).status is Status.APPLIED
    assert store.products.get(outcome.id).collections == ()
