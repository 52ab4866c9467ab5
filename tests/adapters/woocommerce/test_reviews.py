from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from tests.adapters.woocommerce.shop import Handler, Shop, tee

from storebridge.adapter import Change, Query
from storebridge.flow import Request, Response, Status
from storebridge.models import Review

WRITTEN = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)


def review(product: str = "red", **given: Any) -> Review:
    values: dict[str, Any] = {
        "product": f"handle:{product}",
        "rating": Decimal(5),
        "body": "Great & <b>warm</b>",
        "author": "Ann O'Neil",
        "email": "ann@example.com",
        "status": "approved",
        "created_at": WRITTEN,
    }
    return Review(**{**values, **given})


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    shop.create(tee("red"), tee("blue"))
    return shop


def find(shop: Shop, *keys: str) -> tuple[Any, ...]:
    found: tuple[Any, ...] = shop.engine.run(shop.adapter.records("review").fetch(keys, None))
    return found


def rows(shop: Shop) -> list[Any]:
    return shop.sandbox_rows("/wp-json/wc/v3/products/reviews")


def change(shop: Shop, record_id: str, **given: Any) -> Any:
    update: Change[Review] = Change(
        id="u", action="update", part="core", record_id=record_id, desired=Review(**given)
    )
    return shop.write("review", update)[0]


def test_a_review_comes_back_whole(shop: Shop) -> None:
    [outcome] = shop.create(review(status="pending"))
    [found] = find(shop, f"id:{outcome.id}")
    wanted = shop.adapter.normalise(review(status="pending"))
    assert {name: getattr(found, name) for name in wanted.given} == {
        name: getattr(wanted, name) for name in wanted.given
    }
    assert (found.body, found.verified) == ("Great &amp; <b>warm</b>", False)


def test_it_is_found_by_what_it_says_about_which_product(shop: Shop) -> None:
    first, second, third = shop.create(review(), review("blue"), review(body="Meh"))
    for desired, outcome in ((review(), first), (review("blue"), second)):
        [key] = desired.keys()
        assert [each.id for each in find(shop, key)] == [outcome.id]
    assert find(shop, *review(email="bob@example.com").keys()) == ()
    assert third.status is Status.APPLIED


def test_the_same_again_is_a_conflict(shop: Shop) -> None:
    shop.create(review())
    again, other = shop.create(review(rating=Decimal(1)), review(body="Meh"))
    assert (again.status, again.cause) == (Status.FAILED, "conflict")
    assert other.status is Status.APPLIED
    assert sorted(row["rating"] for row in rows(shop)) == [5, 5]


def test_a_lost_answer_makes_no_second_review() -> None:
    lost: list[str] = []

    def between(request: Request, handler: Handler) -> Response:
        answer = handler(request)
        if request.path.endswith("/reviews/batch") and not lost:
            lost.append(request.path)
            return Response(status=504, body=b"<html>Timeout</html>")
        return answer

    shop = Shop(between)
    shop.create(tee("red"))
    outcomes = shop.create(review(), review(body="Meh"))
    assert [each.status for each in outcomes] == [Status.APPLIED] * 2
    assert {each.id for each in outcomes} == {str(row["id"]) for row in rows(shop)}
    assert (len(rows(shop)), len(lost)) == (2, 1)


def test_status_text_and_rating_change(shop: Shop) -> None:
    [outcome] = shop.create(review())
    assert change(shop, outcome.id, status="pending").status is Status.APPLIED
    assert change(shop, outcome.id, body="No & no", rating=Decimal(2)).status is Status.APPLIED
    [found] = find(shop, f"id:{outcome.id}")
    assert (found.status, found.body, found.rating) == ("pending", "No &amp; no", Decimal(2))
    assert (found.author, found.created_at) == ("Ann O'Neil", WRITTEN)
    refused = change(shop, outcome.id, rating=None)
    assert (refused.status, "rating" in refused.message) == (Status.FAILED, True)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"rating": Decimal("4.5")}, "rating"),
        ({"body": "x<script>alert(1)</script>"}, "body"),
        ({"body": " "}, "body"),
        ({"author": ""}, "author"),
    ],
)
def test_what_does_not_fit_is_said_before_and_never_sent(
    shop: Shop, given: dict[str, Any], field: str
) -> None:
    desired = review(**given)
    assert [fit.field for fit in shop.adapter.records("review").check(desired)] == [field]
    [outcome] = shop.create(desired)
    assert outcome.status is Status.FAILED
    assert rows(shop) == []


def test_signs_that_are_no_tag_are_kept(shop: Shop) -> None:
    [outcome] = shop.create(review(body="2 < 3 and <i>5</i> > 4, I <3 it"))
    wanted = "2 &lt; 3 and <i>5</i> &gt; 4, I &lt;3 it"
    assert find(shop, f"id:{outcome.id}")[0].body == wanted
    change(shop, outcome.id, body="2 < 3 and <i>5</i> > 4")
    assert find(shop, f"id:{outcome.id}")[0].body == "2 &lt; 3 and <i>5</i> &gt; 4"
    assert review(body=wanted).keys() == review(body="2 < 3 and <i>5</i> > 4, I <3 it").keys()


def test_a_product_that_is_not_there_is_refused(shop: Shop) -> None:
    [outcome] = shop.create(review("green"))
    assert (outcome.status, "handle:green" in outcome.message) == (Status.FAILED, True)


def test_no_message_and_no_label_spreads_what_a_person_is_called(shop: Shop) -> None:
    shop.create(review())
    [again] = shop.create(review())
    [lost] = shop.create(review("green"))
    said = f"{again.message}{again.remedy}{lost.message}{lost.remedy}{review().label}"
    assert "ann" not in said.casefold()
    assert "warm" not in said


def test_those_that_wait_and_spam_are_read_too_and_chosen_by_status(shop: Shop) -> None:
    *_, gone = shop.create(
        review(),
        review(body="Wait", status="pending"),
        review(body="Ad", status="spam"),
        review(body="Gone"),
    )
    away: Change[Review] = Change(
        id="d", action="delete", part="core", record_id=gone.id, desired=Review()
    )
    assert shop.write("review", away)[0].status is Status.APPLIED
    records = shop.adapter.records("review")
    for status, bodies in (
        ("", ["Great &amp; <b>warm</b>", "Wait", "Ad"]),
        ("spam", ["Ad"]),
        ("trash", ["Gone"]),
        ("approved", ["Great &amp; <b>warm</b>"]),
        ("pending", ["Wait"]),
    ):
        page = shop.engine.run(records.page(Query(status=status), ""))
        assert [each.body for each in page.records] == bodies
    assert shop.engine.run(records.fetch([f"id:{gone.id}"], None)) == ()


def test_a_product_known_by_its_number_reads_back_by_its_handle(shop: Shop) -> None:
    [outcome] = shop.create(review())
    [row] = rows(shop)
    number = f"id:{row['product_id']}"
    assert shop.adapter.normalise(Review(product=number)).product == "handle:red"
    assert shop.adapter.normalise(Review(product="id:999")).product == "id:999"
    assert change(shop, outcome.id, product=number, rating=Decimal(1)).status is Status.APPLIED


def test_walks_lose_nothing_while_reviews_go(shop: Shop) -> None:
    made = shop.create(*(review(body=f"Text {n}") for n in range(9)))
    shop.adapter.settings.__dict__["page_size"] = 3
    records = shop.adapter.records("review")
    first = shop.engine.run(records.page(Query(), ""))
    shop.sandbox.drop_thing("review", int(made[0].id))
    seen = [each.id for each in first.records]
    cursor = first.cursor
    while cursor:
        page = shop.engine.run(records.page(Query(), cursor))
        seen += [each.id for each in page.records]
        cursor = page.cursor
    assert seen == [outcome.id for outcome in made]
