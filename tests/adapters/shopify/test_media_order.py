"""The order of pictures: moved where it is asked for, and only what has to move."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.adapters.shopify.shop import Handler, Shop, tee

from storebridge.flow import Request, Response, Status
from storebridge.models import Media, Product
from storebridge.testing.sandbox import answer
from storebridge_shopify.media_order import moves

URLS = tuple(f"https://shop.example/{name}.jpg" for name in "abcd")


def pictured(shop: Shop, urls: tuple[str, ...] = URLS) -> tuple[str, list[str]]:
    """Make a product with pictures, and return its id and theirs."""
    [id_] = shop.create(tee())
    media = tuple(Media(url=url) for url in urls)
    assert shop.update(id_, Product(media=media), "media").status is Status.APPLIED
    shop.sent.clear()
    return id_, ids(shop, id_)


def ids(shop: Shop, id_: str) -> list[str]:
    return [medium.id for medium in shop.read(id_).media]


def place(shop: Shop, id_: str, *media: Media, **more: Any) -> Any:
    return shop.update(id_, Product(media=media), "media", **more)


def test_new_pictures_keep_the_order_that_they_are_given_in() -> None:
    shop = Shop()
    id_, made = pictured(shop)
    assert [medium.position for medium in shop.read(id_).media] == [1, 2, 3, 4]
    assert len(set(made)) == 4
    assert "MediaReorder" not in shop.operations


def test_pictures_are_moved_to_their_places_by_one_call() -> None:
    shop = Shop()
    id_, (a, b, c, d) = pictured(shop)
    wanted = (Media(id=d, position=1), Media(id=b, position=2), Media(id=a, position=3),
              Media(id=c, position=4))  # fmt: skip
    assert place(shop, id_, *wanted).status is Status.APPLIED
    assert ids(shop, id_) == [d, b, a, c]
    [sent] = shop.variables("MediaReorder")
    assert sent["moves"] == [{"id": d, "newPosition": "0"}, {"id": b, "newPosition": "1"}]
    assert shop.operations.count("JobState") >= 1
    assert "ProductSetMedia" not in shop.operations
    shop.sent.clear()
    place(shop, id_, *wanted)
    assert "MediaReorder" not in shop.operations


def test_one_picture_is_moved_and_the_others_keep_their_order() -> None:
    shop = Shop()
    id_, (a, b, c, d) = pictured(shop)
    place(shop, id_, Media(id=c, position=1))
    assert ids(shop, id_) == [c, a, b, d]
    place(shop, id_, Media(id=c, position=99))
    assert ids(shop, id_) == [a, b, d, c]


def test_a_new_picture_goes_to_the_front() -> None:
    shop = Shop()
    id_, held = pictured(shop)
    outcome = place(shop, id_, Media(url="https://shop.example/new.jpg", position=1))
    [new] = set(outcome.media.values())
    assert ids(shop, id_) == [new, *held]


def test_a_picture_in_two_products_has_its_place_in_each() -> None:
    shop = Shop()
    first, (a, b, *_) = pictured(shop)
    [second] = shop.create(tee("other"))
    place(shop, second, Media(url=URLS[1], position=1), Media(url=URLS[0], position=2))
    assert ids(shop, second) == [b, a]
    assert ids(shop, first)[:2] == [a, b]


def test_a_job_that_doesnt_end_is_unknown() -> None:
    shop = Shop()
    id_, (*_, last) = pictured(shop)
    shop.sandbox.switch(seconds=3600)
    assert place(shop, id_, Media(id=last, position=1)).status is Status.UNKNOWN
    shop.sandbox.switch(seconds=0)
    assert place(shop, id_, Media(id=last, position=1)).status is Status.APPLIED


def test_an_order_that_is_refused_is_not_told_as_written() -> None:
    def refuse(request: Request, sandbox: Handler) -> Response:
        if isinstance(request.body, bytes) and b"mutation MediaReorder" in request.body:
            errors = [{"field": ["moves"], "message": "No", "code": "INVALID"}]
            payload = {"job": None, "mediaUserErrors": errors}
            return answer(200, {"data": {"productReorderMedia": payload}})
        return sandbox(request)

    shop = Shop()
    id_, _ = pictured(shop)
    shop.between = refuse
    outcome = place(shop, id_, Media(url="https://shop.example/e.jpg", position=1))
    assert outcome.cause == "partly"
    assert outcome.message.startswith("written: the list of pictures; refused")


@pytest.mark.parametrize("seed", range(5))
def test_moves_bring_every_order_about_and_none_is_needless(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(100):
        held = [str(n) for n in range(chance.randint(1, 8))]
        wanted = chance.sample(held, len(held))
        now = list(held)
        steps = moves(held, {each: at for at, each in enumerate(wanted, 1)})
        for step in steps:
            now.remove(step["id"])
            now.insert(int(step["newPosition"]), step["id"])
        assert now == wanted
        assert len(steps) <= max(0, len(held) - 1)
        assert bool(steps) == (held != wanted)
