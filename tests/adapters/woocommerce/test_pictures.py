"""Pictures: their order, those of single variations, ids that are gone, sources that come twice."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.woocommerce.shop import Shop
from tests.campaigns.woocommerce import WooShop

import storebridge
from storebridge.adapter import Change
from storebridge.errors import OutcomeUnknown
from storebridge.flow import Outcome, Response, Status
from storebridge.models import Collection, Media, Money, Option, Product, Variant

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGM4YWQEAALyASF4vmG+AAAAAElFTkSuQmCC"
)
A, B, C = (f"https://cdn.example.com/{name}.jpg" for name in "abc")


def shirt(**given: Any) -> Product:
    """A product with two variations."""
    variants = tuple(
        Variant(sku=f"SHIRT-{size}", options=(size,), price=Money("9", "USD")) for size in "SM"
    )
    options = (Option(name="Size", values=("S", "M")),)
    return Product(
        **{"handle": "shirt", "title": "Shirt", "options": options, "variants": variants, **given}
    )


def live(shop: Shop, number: str) -> Product:
    [found] = shop.fetch(f"id:{number}")
    assert isinstance(found, Product)
    return found


def imports(shop: Shop) -> int:
    """Return how many pictures the server was asked to fetch."""
    count = 0
    for body in shop.bodies("PUT"):
        images = body.get("images") or [body.get("image") or {}]
        count += sum("src" in image for image in images)
    return count


def test_pictures_are_put_into_the_order_that_is_asked_for() -> None:
    shop = Shop()
    [made] = shop.create(shirt())
    shop.update(made.id, part="media", media=tuple(Media(url=url) for url in (A, B, C)))
    before = live(shop, made.id).media
    assert [item.position for item in before] == [1, 2, 3]
    last = Media(id=before[2].id, position=1)
    assert shop.update(made.id, part="media", media=(last,)).status is Status.APPLIED
    after = [item.id for item in live(shop, made.id).media]
    assert after == [before[2].id, before[0].id, before[1].id]


def test_an_id_that_is_gone_gives_way_to_its_address() -> None:
    shop = Shop()
    [made] = shop.create(shirt())
    media = (Media(id="999999", url=A),)
    outcome = shop.update(made.id, part="media", media=media)
    [held] = live(shop, made.id).media
    assert outcome.status is Status.APPLIED
    assert outcome.media == {f"url:{A}": held.id}


def test_an_id_that_is_gone_without_an_address_is_refused() -> None:
    shop = Shop()
    [made] = shop.create(shirt())
    outcome = shop.update(made.id, part="media", media=(Media(id="999999"),))
    assert outcome.status is Status.FAILED
    assert "999999" in outcome.message


def test_a_file_that_comes_twice_is_uploaded_once(tmp_path: Path) -> None:
    shop, digest = Shop(), hashlib.sha256(PIXEL).hexdigest()
    files = [tmp_path / name for name in ("one.png", "two.png")]
    for file in files:
        file.write_bytes(PIXEL)
    made = shop.create(shirt(), Product(handle="other", title="Other"))
    changes = tuple(
        Change(
            id=f"c{n}",
            action="update",
            part="media",
            record_id=outcome.id,
            desired=Product(media=(Media(url=file.as_uri(), content_hash=digest),)),
        )
        for n, (outcome, file) in enumerate(zip(made, files, strict=True))
    )
    first, second = shop.write("product", *changes)
    uploads = [r for r in shop.requests if r.path.endswith("/media") and r.method == "POST"]
    assert len(uploads) == 1
    assert first.media[f"hash:{digest}"] == second.media[f"hash:{digest}"]
    assert [len(live(shop, outcome.id).media) for outcome in made] == [1, 1]


def test_a_variation_shows_a_picture_of_its_product_and_one_of_its_own() -> None:
    shop = Shop()
    [made] = shop.create(shirt())
    small, medium = live(shop, made.id).variants
    variants = (Variant(id=small.id, media=(A,)), Variant(sku=medium.sku, media=(B, A)))
    outcome = shop.update(made.id, part="media", media=(Media(url=A),), variants=variants)
    assert outcome.status is Status.APPLIED, outcome
    after = live(shop, made.id)
    [own] = after.media
    assert after.variants[0].media == (own.url,)
    shown = after.variants[1].media
    assert shown[1] == own.url
    assert outcome.media[f"url:{A}"] == own.id
    assert outcome.media[f"url:{B}"] == outcome.media[f"url:{shown[0]}"] != own.id
    assert imports(shop) == 2

    assert shop.update(made.id, part="media", variants=(Variant(id=medium.id, media=()),)).id
    assert [each.media for each in live(shop, made.id).variants] == [(own.url,), ()]


@pytest.mark.parametrize("arrives", [True, False])
def test_a_picture_of_a_variation_is_fetched_once_when_its_answer_is_lost(arrives: bool) -> None:
    lost: list[str] = []

    def between(request: Any, sandbox: Any) -> Any:
        if request.method == "PUT" and "/variations/" in request.path and not lost:
            lost.append(request.path)
            if arrives:
                sandbox(request)
            raise OutcomeUnknown("the connection broke", covers=request.covers)
        return sandbox(request)

    shop = Shop(between)
    [made] = shop.create(shirt())
    small = live(shop, made.id).variants[0]
    variant = Variant(id=small.id, media=(B,))
    outcome = shop.update(made.id, part="media", variants=(variant,))
    assert lost
    assert outcome.status is Status.APPLIED, outcome
    assert imports(shop) == (1 if arrives else 2)
    assert len(live(shop, made.id).variants[0].media) == 1


def test_a_shop_without_galleries_takes_one_picture_of_a_variation() -> None:
    def between(request: Any, sandbox: Any) -> Any:
        answer = sandbox(request)
        body = answer.body.replace(b"gallery_image_ids", b"nothing_of_the_kind")
        return Response(status=answer.status, headers=answer.headers, body=body)

    shop = Shop(between)
    [made] = shop.create(shirt())
    variant = Variant(sku="SHIRT-S", media=(A, B))
    outcome = shop.update(made.id, part="media", variants=(variant,))
    assert outcome.status is Status.FAILED
    assert "one picture" in outcome.message


def test_pictures_of_variants_are_planned_once(tmp_path: Path) -> None:
    first = Variant(sku="SHIRT-S", options=("S",), price=Money("9", "USD"), media=(B, A))
    wanted = shirt(variants=(first,), media=(Media(url=A, position=1),))
    with storebridge.open("sandbox:woocommerce?memory", state=tmp_path / "state") as store:
        report = store.plan([wanted], tmp_path / "a.plan").apply()
        assert report.counts["applied"] == report.planned, report
        assert store.plan([wanted], tmp_path / "b.plan").is_empty


def _sources(shop: WooShop, start: int) -> list[str]:
    """Return the addresses that the server was asked to fetch since then."""
    sent = (e.request.body for e in shop.history[start:] if e.request.method == "PUT")
    docs = [json.loads(body) for body in sent if isinstance(body, bytes)]
    images = (image for doc in docs for image in (*doc.get("images", ()), doc.get("image") or {}))
    return [image["src"] for image in images if "src" in image]


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "planned"])
def test_a_picture_that_only_a_variant_shows_is_not_fetched_again_for_a_new_one(
    tmp_path: Path, direct: bool
) -> None:
    def write(*sizes: str) -> None:
        variants = [
            Variant(sku=f"S-{size}", options=(size,), price=Money("9", "USD"), media=(B,))
            for size in sizes
        ]
        options = (Option(name="Size", values=sizes),)
        wanted = Product(handle="shirt", title="Shirt", options=options, variants=tuple(variants))
        if not direct:
            assert shop.apply(shop.plan([wanted], f"{len(sizes)}.plan")).ok
            return
        with shop.open() as store:
            [outcome] = store.products.upsert_many([wanted])
            assert outcome.status is Status.APPLIED, outcome

    with WooShop(tmp_path) as shop:
        write("S", "M")
        assert _sources(shop, 0) == [B]
        start = len(shop.history)
        write("S", "M", "L")
        assert _sources(shop, start) == []
        with shop.open() as store:
            [found] = store.products.iter()
        assert len({each.media for each in found.variants}) == 1
        assert all(each.media for each in found.variants)


def test_a_new_picture_stays_before_one_that_the_shop_has_already(tmp_path: Path) -> None:
    """The first one is the main picture; the others came with another product."""
    records = [
        Product(handle="mug", title="Mug", media=(Media(url=B), Media(url=C))),
        Product(handle="set", title="Set", media=(Media(url=A), Media(url=C), Media(url=B))),
    ]
    with WooShop(tmp_path) as shop:
        shop.fill(records[:1])
        shop.fill(records)
        assert shop.planned(records) == []
        assert sorted(_sources(shop, 0)) == [A, B, C]
        with shop.open() as store:
            found = store.products.find("handle:set")
        assert found is not None
        assert [item.url[-5:] for item in found.media] == ["a.jpg", "c.jpg", "b.jpg"]


def test_direct_writes_upload_nothing_the_second_time(tmp_path: Path) -> None:
    first = Variant(sku="S-S", options=("S",), price=Money("9", "USD"), media=(B, A))
    products = [
        Product(handle="mug", title="Mug", media=(Media(url=A), Media(url=C, alt="Mug"))),
        shirt(variants=(first,), media=(Media(url=A), Media(url=B))),
    ]
    with WooShop(tmp_path) as shop:
        for expected, fetched in (("applied", [A, B, C]), ("unchanged", [])):
            start = len(shop.history)
            with shop.open() as store:
                outcomes = list(store.products.upsert_many(products))
            assert {str(outcome.status) for outcome in outcomes} == {expected}, outcomes
            assert sorted(_sources(shop, start)) == fetched
            if not fetched:
                assert not [e for e in shop.history[start:] if e.request.kind.mutates]


@pytest.mark.parametrize(
    "alt",
    [
        r"C:\mug",
        r"a\\b \"q\"",
        "<b>Mug</b> & co < 3",
        "two  spaces ",
        "100%ab x",
        "a\nb\tc",
        "é 🎉",
    ],
)
def test_a_pictures_text_reads_back_as_it_is_expected(alt: str) -> None:
    """As on WooCommerce 11.0.1: backslashes are eaten, lines and spaces joined, %41 taken out."""
    shop = Shop()
    [made] = shop.create(shirt())
    media = Media(url=A, alt=alt)
    assert shop.update(made.id, part="media", media=(media,)).status is Status.APPLIED
    wanted = shop.adapter.normalise(Product(media=(media,))).media[0].alt
    assert live(shop, made.id).media[0].alt == wanted


def test_a_category_has_a_picture() -> None:
    shop = Shop()
    [made] = shop.create(Collection(handle="cups", title="Cups"))

    def pictured(image: Media | None) -> Outcome:
        change = Change(
            id="c",
            action="update",
            part="media",
            record_id=made.id,
            desired=Collection(image=image),
        )
        return shop.write("collection", change)[0]

    def shown() -> Media | None:
        records = shop.adapter.records("collection")
        [found] = shop.engine.run(records.fetch([f"id:{made.id}"], None))
        image: Media | None = found.image
        return image

    first = pictured(Media(url=A, alt="Cups"))
    held = shown()
    assert held is not None
    assert (first.media, held.alt) == ({f"url:{A}": held.id}, "Cups")
    again = pictured(Media(id="999999", url=A))  # WooCommerce answers 200 and shows none
    assert again.media == first.media
    assert pictured(Media(id="999999")).status is Status.FAILED
    assert pictured(None).status is Status.APPLIED
    assert shown() is None
