"""What is written comes back: every field of every model, and what the store adds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storebridge.models import (
    KINDS,
    Collection,
    InventoryLevel,
    Market,
    Media,
    Metafield,
    Model,
    Money,
    Option,
    Product,
    Sale,
    Seo,
    Translation,
    Variant,
)
from storebridge.parts import declared, unsupported

OWN = {"updated_at"}


def without_ids(value):
    """Return a model without what products give anew: its elements' ids and pictures' places."""
    if isinstance(value, tuple):
        return tuple(map(without_ids, value))
    if not isinstance(value, Model):
        return value
    anew = {"id": "", "position": 1} if isinstance(value, Media) else {"id": ""}
    return value.model_copy(
        update={n: anew[n] if n in anew else without_ids(getattr(value, n)) for n in value.given}
    )


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_record_with_every_field_comes_back_whole(shop, full, kind):
    record = full(KINDS[kind]).without("id")
    created = shop.create(record)
    (read,) = shop.fetch(kind, f"id:{created.id}")
    assert read == created
    assert (read.id, read.given) == (created.id, record.given - {"modes"} | {"id"})
    for name in record.given - OWN - {"modes"}:
        wanted, found = getattr(record, name), getattr(read, name)
        if kind != "order":
            wanted, found = without_ids(wanted), without_ids(found)
        assert found == wanted, name


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_field_is_declared(shop, full, kind):
    fields = shop.records(kind).fields
    assert unsupported(full(KINDS[kind]), fields) == []
    assert {"tags_add", "media_add", "products_remove", "modes"}.isdisjoint(fields)
    assert fields["id"].write is False


def test_membership_is_a_part_of_its_own(shop):
    product, collection = shop.records("product").fields, shop.records("collection").fields
    assert declared("collections", product).part == "membership"
    assert declared("products", collection).part == "membership"
    assert declared("variants.inventory.available", product).part == "core"
    assert {field.part for field in product.values()} == {"core", "membership"}


def test_a_bare_product_gets_handle_status_variant_ids_and_times(shop):
    product = shop.create(Product(title="Große Tasse!"))
    assert (product.handle, product.status) == ("grosse-tasse", "active")
    assert len(product.variants) == 1
    assert product.variants[0].id
    assert product.variants[0].id != product.id
    now = datetime.now(UTC)
    assert now - timedelta(minutes=1) < product.created_at == product.updated_at <= now


def test_generated_handles_are_unique_and_never_empty(shop):
    outcomes = shop.write(
        *[shop.change("create", Product(title=title)) for title in ("Mug", "Mug", "MUG", "!!!")]
    )
    handles = [outcome.record.handle for outcome in outcomes]
    assert handles[:3] == ["mug", "mug-2", "mug-3"]
    assert handles[3] == f"product-{outcomes[3].id}"
    assert shop.create(Market(name="Nord Europa")).handle == "nord-europa"


def test_what_was_never_written_is_read_as_empty_not_as_unknown(shop):
    product = shop.create(Product(handle="mug", variants=(Variant(sku="M"),)))
    (read,) = shop.fetch("product", "sku:M")
    for record in (product, read):
        assert {"vendor", "tags", "seo", "collections"} <= record.given
        assert {"price", "inventory", "sale"} <= record.variants[0].given
        assert record.seo == Seo(title="", description="")
        assert "modes" not in record.given
    assert not Product().given
    assert not Product().seo.given


def test_a_created_product_keeps_no_id_of_another_store(shop):
    product = shop.create(
        Product(
            id="900", handle="a", variants=(Variant(id="901", sku="A"),), media=(Media(id="1"),)
        )
    )
    assert "900" not in (product.id, product.variants[0].id)
    assert product.variants[0].id != "901"
    assert product.media[0].id != "1"


def test_money_keeps_its_digits(shop):
    variant = Variant(
        price=Money("19.9", "EUR"),
        cost=Money("0.0001", "EUR"),
        sale=Sale(price=Money("123456789012345678.99", "EUR")),
    )
    shop.create(Product(handle="a", variants=(variant,)))
    (read,) = shop.all("product")
    assert str(read.variants[0].price) == "19.9 EUR"
    assert str(read.variants[0].cost) == "0.0001 EUR"
    assert str(read.variants[0].sale.price) == "123456789012345678.99 EUR"


def test_keys_find_records_in_either_unicode_form(shop):
    product = shop.create(Product(handle="café", key="ERP-é"))
    for key in ("handle:cafe\u0301", "handle:café", "key:ERP-e\u0301"):
        assert shop.fetch("product", key) == (product,)
    assert shop.refused("create", Product(handle="cafe\u0301")).cause == "conflict"


def test_fetch_returns_each_record_once_and_leaves_out_what_hits_nothing(shop):
    mug = shop.create(Product(handle="mug", variants=(Variant(sku="M-1"), Variant(sku="M-2"))))
    tee = shop.create(Product(handle="tee", sku="T"))
    keys = ("sku:M-2", "handle:mug", f"id:{mug.id}", "sku:M-1", "sku:T", "sku:none", "id:x", "id:²")
    assert shop.fetch("product", *keys) == (mug, tee)
    assert shop.fetch("collection", "handle:mug", f"id:{mug.id}") == ()


def test_only_the_fields_that_are_needed_are_given(shop):
    shop.create(Collection(handle="all"))
    shop.create(Product(handle="mug", vendor="V", title="T", collections=("all",)))
    (read,) = shop.fetch("product", "handle:mug", fields=frozenset({"vendor", "seo.title"}))
    assert read.given == {"id", "key", "handle", "sku", "vendor", "seo"}
    (read,) = shop.fetch("product", "handle:mug", fields=frozenset({"collections"}))
    assert read.collections == ("all",)


def test_raw_is_the_body_as_it_is_kept(shop):
    from storebridge.adapter import Query

    product = shop.create(Product(handle="mug"))
    (read,) = shop.all("product", Query(raw=True))
    assert read.raw["handle"] == "mug"
    assert read == product
    assert shop.all("product")[0].raw is None


def test_a_full_product_is_changed_by_nothing_but_its_change(shop, full):
    live = shop.create(full(Product).without("id"))
    changed = shop.update(live, Product(vendor="New"))
    assert changed.without("vendor", "updated_at") == live.without("vendor", "updated_at")
    assert changed.vendor == "New"
    assert changed.updated_at > live.updated_at


def test_nested_values_survive(shop):
    product = Product(
        handle="mug",
        options=(Option(name="Größe", values=("S", "")),),
        metafields=(Metafield(namespace="a", key="b", type="json", value='{"x": "\\u0000"}'),),
        translations=(Translation(locale="pt-BR", field="title", value="Caneca", market="br"),),
        variants=(Variant(options=("",), inventory=(InventoryLevel(available=-3),)),),
        platform_fields={"shopify": {"x": [1, {"y": None}]}},
    )
    read = shop.create(product)
    assert read.metafields == product.metafields
    assert read.translations == product.translations
    assert read.options == product.options
    assert read.platform_fields == product.platform_fields
    assert read.variants[0].inventory == (InventoryLevel(location="Default", available=-3),)
