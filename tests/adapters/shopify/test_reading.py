"""Reading whole: nested connections are drained, whatever page they end on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.adapters.shopify.shop import Handler, Shop, eur, tee

from storebridge.adapter import Query
from storebridge.errors import BadAnswer, NotFound
from storebridge.flow import Request, Response
from storebridge.models import (
    Collection,
    Customer,
    Media,
    Metafield,
    Option,
    Product,
    Record,
    Translation,
    Variant,
)
from storebridge.testing.sandbox import answer
from storebridge_shopify.walk import whole


def wide(count: int) -> Product:
    values = tuple(str(number) for number in range(count))
    variants = (Variant(sku=f"W-{each}", options=(each,), price=eur("1.00")) for each in values)
    option = Option(name="Number", values=values)
    return Product(handle="wide", title="Wide", options=(option,), variants=tuple(variants))


def test_a_product_with_many_variants_is_read_whole_by_page_and_by_id() -> None:
    shop = Shop()
    [id_] = shop.create(
        wide(230),
    )
    assert len(shop.read(id_).variants) == 230
    page = shop.engine.run(shop.adapter.records("product").page(Query(), ""))
    assert [each.sku for each in page.records[0].variants] == [f"W-{n}" for n in range(230)]


def test_many_pictures_and_metafields_are_read_whole() -> None:
    shop = Shop()
    [id_] = shop.create(tee())
    media = tuple(Media(url=f"https://shop.example/{n}.jpg") for n in range(60))
    shop.update(id_, Product(media=media), "media")
    fields = tuple(Metafield(namespace="kit", key=f"key{n}", value="x") for n in range(30))
    shop.update(id_, Product(metafields=fields), "metafields")
    variant = shop.read(id_).variants[0].id
    many = tuple(Metafield(namespace="kit", key=f"key{n}", value="x") for n in range(12))
    shop.update(id_, Product(variants=(Variant(id=variant, metafields=many),)), "metafields")
    live = shop.read(id_)
    assert (len(live.media), len(live.metafields), len(live.variants[0].metafields)) == (60, 30, 12)


def test_products_that_nobody_asked_for_are_an_error() -> None:
    shop = Shop()
    first, second = shop.create(tee("a"), tee("b"))

    def swap(request: Request, sandbox: object) -> Response:
        assert callable(sandbox)
        answer = sandbox(request)
        return Response(status=200, body=answer.body.replace(first.encode(), second.encode()),
                        headers=answer.headers)  # fmt: skip

    shop.between = swap
    flags = {f"with{name}": False for name in (
        "Variants", "Inventory", "Media", "Metafields", "VariantMetafields", "Collections",
        "Channels")}  # fmt: skip
    with pytest.raises(BadAnswer, match="other products"):
        shop.engine.run(whole([first], flags))


def test_a_change_is_found_by_its_time_and_an_older_one_isnt() -> None:
    shop = Shop()
    shop.create(tee("old"))
    shop.clock.sleep(60)
    [id_] = shop.create(tee("new"))
    time = shop.read(id_).updated_at
    records = shop.adapter.records("product")
    page = shop.engine.run(records.page(Query(updated_since=time), ""))
    assert [each.handle for each in page.records] == ["new"]
    page = shop.engine.run(records.page(Query(updated_since=time - timedelta(minutes=2)), ""))
    assert [each.handle for each in page.records] == ["old", "new"]
    page = shop.engine.run(records.page(Query(updated_since=time.replace(microsecond=999_999)), ""))
    assert [each.handle for each in page.records] == ["new"], "Shopify's times are whole seconds"


@pytest.mark.parametrize("kind", ["collection", "customer", "product"])
def test_more_than_a_call_takes_are_read_by_their_ids(kind: str) -> None:
    records: dict[str, list[Record]] = {
        "collection": [Collection(handle=f"c{n}", title="C") for n in range(101)],
        "customer": [Customer(email=f"c{n}@example.com") for n in range(101)],
        "product": [Product(handle=f"p{n}", title="P") for n in range(101)],
    }
    shop = Shop()
    ids = shop.create(*records[kind])
    keys = [f"id:{each}" for each in ids]
    found = shop.engine.run(shop.adapter.records(kind).fetch(keys, frozenset({"id"})))
    assert [each.id for each in found] == ids


def test_the_texts_of_more_records_than_a_call_takes_are_read() -> None:
    shop = Shop()
    ids = shop.create(*(Collection(handle=f"c{n}", title="C") for n in range(51)))
    word = Translation(locale="de", field="title", value="Gruppe")
    shop.update(ids[-1], Collection(translations=(word,)), "translations")
    records = shop.adapter.records("collection")
    keys = [f"id:{each}" for each in ids]
    found = shop.engine.run(records.fetch(keys, frozenset({"translations"})))
    assert [each.translations for each in found] == [()] * 50 + [(word,)]


def test_a_part_that_cant_be_read_is_an_error_and_no_product_that_went_away() -> None:
    shop = Shop()
    shop.create(wide(30))

    def refuse(request: Request, sandbox: Handler) -> Response:
        if isinstance(request.body, bytes) and b"query ProductMore" in request.body:
            error = {"message": "No", "extensions": {"code": "RESOURCE_NOT_FOUND"}}
            return answer(200, {"errors": [error]})
        return sandbox(request)

    shop.between = refuse
    with pytest.raises(NotFound):
        shop.engine.run(shop.adapter.records("product").page(Query(), ""))


def test_reading_titles_asks_for_nothing_else() -> None:
    shop = Shop()
    shop.create(tee())
    query = Query(fields=frozenset({"title"}))
    shop.engine.run(shop.adapter.records("product").page(query, ""))
    [sent] = shop.sent
    asked = {name for name, value in sent["variables"].items() if value is True}
    assert asked == set()


def test_a_token_that_may_read_products_only_reads_them_without_what_it_may_not_see() -> None:
    shop = Shop()
    [id_] = shop.create(tee())
    shop.sandbox.switch(scopes=["read_products"])
    shop.engine.run(shop.adapter.info())
    live = shop.read(id_)
    assert live.title == "Tee"
    assert {"channels", "translations"}.isdisjoint(live.given)
    assert "inventory" not in live.variants[0].given
    page = shop.engine.run(shop.adapter.records("product").page(Query(), ""))
    assert page.records == (live,)


def test_what_a_token_may_not_write_is_named_before_and_refused_after() -> None:
    shop = Shop()
    [id_] = shop.create(tee())
    shop.sandbox.switch(scopes=["write_products", "read_publications"])
    shop.engine.run(shop.adapter.info())
    wanted = Product(channels=("Online Store",))
    [fit] = shop.adapter.records("product").check(wanted)
    assert "write_publications, which publishablePublish needs" in fit.message
    outcome = shop.update(id_, wanted, "publication")
    assert outcome.cause == "denied"
    assert "write_publications" in outcome.message
