"""Jobs that write: what they make of changes, and what becomes of each when they go wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from tests.adapters.shopify.shop import Handler, Shop, eur, operation, tee

from storebridge.adapter import Batch, Change
from storebridge.flow import Outcome, Request, Response, Status
from storebridge.models import (
    Collection,
    InventoryLevel,
    Media,
    Metafield,
    Option,
    Product,
    Translation,
    Variant,
)
from storebridge.testing.faults import Killed
from storebridge.testing.rig import MemoryJournal, creation
from storebridge.testing.sandbox import answer
from storebridge_shopify import bulk, bulk_writing

COUNT = 24
DAY = 86_400


def creates(count: int = COUNT) -> list[Change[Product]]:
    return [replace(creation(tee(f"tee-{n}")), id=str(n)) for n in range(count)]


def updates(ids: Iterable[str], desired: Callable[[int], Product], part: str = "core") -> Any:
    return [
        Change(id=str(n), action="update", part=part, record_id=id_, desired=desired(n))
        for n, id_ in enumerate(ids)
    ]


def by_job(shop: Shop, changes: Iterable[Change[Any]], **more: Any) -> tuple[Outcome, ...]:
    return shop.write("product", *changes, way="bulk", **more)


def made(shop: Shop) -> Counter[str]:
    """Return how many products have each handle, by what the shop itself holds."""
    return Counter(doc["handle"] for doc in shop.sandbox.all("Product"))


def statuses(outcomes: Iterable[Outcome]) -> Counter[str]:
    return Counter(str(each.status) for each in outcomes)


def is_true(shop: Shop, outcomes: Iterable[Outcome]) -> None:
    """Fail unless the outcomes say of each product what the shop has, and none is there twice."""
    held = made(shop)
    assert not held or max(held.values()) == 1
    for each in outcomes:
        there = f"tee-{each.change}" in held
        assert each.status is not Status.UNKNOWN, each
        assert there == (each.status is Status.APPLIED), each
        if there:
            doc = shop.sandbox.get(each.id)
            assert doc is not None
            assert doc["handle"] == f"tee-{each.change}"


# -- what is made, and how


def test_creates_are_one_job_and_each_outcome_is_its_own(shop: Shop) -> None:
    outcomes = by_job(shop, creates())
    assert statuses(outcomes) == {"applied": COUNT}
    assert set(shop.operations) == {"StagedUploads", "BulkMutation", "BulkJob"}
    assert shop.operations.count("BulkMutation") == 1
    for change, outcome in zip(creates(), outcomes, strict=True):
        live = shop.read(outcome.id)
        assert (live.handle, live.status) == (change.desired.handle, "draft")
        assert len(live.variants) == 3


def test_a_line_shows_what_was_made_as_reading_it_back_would(shop: Shop) -> None:
    stock = (InventoryLevel(location="Shop", available=3),)
    changes = creates(3)
    changes[1] = _with(changes[1], "variants", stock)
    changes[2] = replace(changes[2], desired=Product(handle="tee-2", title="Plain"))
    outcomes = by_job(shop, changes)
    for change, outcome in zip(changes, outcomes, strict=True):
        assert outcome.record is not None
        read = shop.read(outcome.id)
        for name in outcome.record.given:
            if name != "variants":
                assert getattr(outcome.record, name) == getattr(read, name), name
        for shown, live in zip(outcome.record.variants, read.variants, strict=True):
            assert shown.given >= change.desired.variants[0].given if change.desired.variants else 1
            for name in shown.given:
                assert getattr(shown, name) == getattr(live, name), name

    shop.sent.clear()
    rows = {each.id: tuple(v.id for v in shop.read(each.id).variants) for each in outcomes}

    def desired(n: int) -> Product:
        first = Variant(id=rows[outcomes[n].id][0], price=eur("25.00"))
        return Product(title="New", variants=(first,))

    shop.sent.clear()
    for outcome in by_job(shop, updates(rows, desired)):
        assert outcome.record is not None
        assert outcome.record.title == "New"
        assert outcome.record.variants[0].price == eur("25.00")


def _with(change: Change[Product], name: str, stock: Any) -> Change[Product]:
    desired = change.desired
    rows = tuple(each.but(inventory=stock) for each in desired.variants)
    return replace(change, desired=desired.but(**{name: rows}))


def test_a_line_shows_nothing_of_stock_that_is_at_several_places(shop: Shop) -> None:
    stock = tuple(InventoryLevel(location=each, available=3) for each in ("Shop", "Warehouse"))
    first, *others = tee().variants
    [outcome] = by_job(shop, [creation(tee(variants=(first.but(inventory=stock), *others)))])
    assert (outcome.status, outcome.record) == (Status.APPLIED, None)
    assert set(shop.read(outcome.id).variants[0].inventory) == set(stock)


def test_a_line_that_may_not_show_all_variants_shows_nothing(shop: Shop) -> None:
    for count in (99, 100, 101):
        values = tuple(map(str, range(count)))
        variants = tuple(Variant(sku=each, options=(each,), price=eur("1.00")) for each in values)
        options = (Option(name="No", values=values),)
        product = Product(handle=f"p{count}", title="P", options=options, variants=variants)
        [outcome] = by_job(shop, [creation(product)])
        assert outcome.status is Status.APPLIED
        assert (outcome.record is not None) is (count < 100)


def test_own_fields_and_variants_are_two_jobs_and_stock_one_call(shop: Shop) -> None:
    ids = by_job(shop, creates(9))
    live = [shop.read(each.id) for each in ids]
    shop.sent.clear()

    def desired(n: int) -> Product:
        stock = (InventoryLevel(location="Shop", available=n),)
        first, second, _ = live[n].variants
        variants = (
            Variant(id=first.id, price=eur("25.00"), inventory=stock),
            Variant(id=second.id, inventory=stock),
        )
        return Product(title=f"New {n}", variants=variants)

    outcomes = by_job(shop, updates((each.id for each in ids), desired))
    assert statuses(outcomes) == {"applied": 9}
    assert (shop.operations.count("BulkMutation"), shop.operations.count("InventorySet")) == (2, 1)
    assert not {"ProductSet", "VariantsUpdate"} & set(shop.operations)
    after = shop.read(ids[4].id)
    assert after.title == "New 4"
    assert [v.price for v in after.variants] == [eur("25.00"), eur("19.90"), eur("19.90")]
    assert [v.inventory[0].available for v in after.variants] == [4, 4, 0]


PARTS: dict[str, Callable[[int], Product]] = {
    "publication": lambda n: Product(channels=("Online Store",)),
    "translations": lambda n: Product(
        translations=(Translation(locale="de", field="title", value=f"Hemd {n}"),)
    ),
    "metafields": lambda n: Product(
        metafields=tuple(
            Metafield(namespace="kit", key=f"k{k}", type="single_line_text_field", value=f"{n}")
            for k in range(30)
        )
    ),
    "membership": lambda n: Product(collections=("summer",)),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_made_by_a_job(shop: Shop, part: str) -> None:
    shop.create(Collection(handle="summer", title="Summer"))
    ids = [each.id for each in by_job(shop, creates(6))]
    shop.sent.clear()
    outcomes = by_job(shop, updates(ids, PARTS[part], part))
    assert statuses(outcomes) == {"applied": 6}
    assert "BulkMutation" in shop.operations
    assert not {"Publish", "TranslationsRegister", "MetafieldsSet", "ProductSet"} & {
        *shop.operations
    }
    live, desired = shop.read(ids[5]), PARTS[part](5)
    for name in desired.given:
        assert getattr(live, name) == getattr(desired, name)


def test_no_change_is_told_before_all_of_its_lines_are_read(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_writing, "_PIECE", 3)
    ids = [each.id for each in by_job(shop, creates(6))]

    def desired(n: int) -> Product:
        *good, last = PARTS["metafields"](n).metafields
        return Product(metafields=(*good, last.but(type="number_integer", value="x")))

    outcomes = by_job(shop, updates(ids, desired, "metafields"))
    assert statuses(outcomes) == {"failed": 6}
    assert {each.cause for each in outcomes} == {"partly"}


def test_metafields_of_variants_without_ids_go_directly(shop: Shop) -> None:
    [id_] = [each.id for each in by_job(shop, creates(1))]
    text = Metafield(namespace="kit", key="text", value="x", type="single_line_text_field")
    wanted = Product(variants=(Variant(sku="tee-0-S", metafields=(text,)),))
    shop.sent.clear()
    assert statuses(by_job(shop, updates([id_], lambda _: wanted, "metafields"))) == {"applied": 1}
    assert "BulkMutation" not in shop.operations
    assert shop.read(id_).variants[0].metafields == (text,)


def test_what_is_taken_away_goes_by_jobs_too(shop: Shop) -> None:
    ids = [each.id for each in by_job(shop, creates(3))]
    by_job(shop, updates(ids, PARTS["metafields"], "metafields"))
    by_job(shop, updates(ids, PARTS["publication"], "publication"))
    gone = [
        replace(each, removed={"metafields": ("kit.k3", "kit.k4")})
        for each in updates(ids, lambda n: Product(), "metafields")
    ]
    assert statuses(by_job(shop, gone)) == {"applied": 3}
    hidden = [
        replace(each, before=Product(channels=("Online Store",)))
        for each in updates(ids, lambda n: Product(channels=()), "publication")
    ]
    assert statuses(by_job(shop, hidden)) == {"applied": 3}
    live = shop.read(ids[0])
    assert len(live.metafields) == 28
    assert live.channels == ()
    deletes = [
        Change(id=str(n), action="delete", part="core", record_id=id_, desired=Product())
        for n, id_ in enumerate(ids)
    ]
    assert statuses(by_job(shop, deletes)) == {"applied": 3}
    assert statuses(by_job(shop, deletes)) == {"applied": 3}, "what is gone is deleted"
    assert not made(shop)


def test_what_no_job_can_do_goes_directly(shop: Shop) -> None:
    [id_] = shop.create(tee("old"))
    bigger = Product(
        options=(Option(name="Size", values=("S", "M", "L", "XL")),),
        variants=(Variant(sku="XL", options=("XL",), price=eur("1.00")),),
    )
    nameless = replace(creation(Product(title="No handle")), id="a")
    change: Change[Product] = Change(
        id="b", action="update", part="core", record_id=id_, desired=bigger
    )
    outcomes = by_job(shop, [nameless, change, *creates(2)])
    assert statuses(outcomes) == {"applied": 4}
    assert shop.operations.count("ProductSet") == 2
    assert shop.operations.count("BulkMutation") == 1
    shop.sent.clear()
    picture = Product(media=(Media(url="https://shop.example/a.jpg"),))
    assert statuses(by_job(shop, updates([id_], lambda n: picture, "media"))) == {"applied": 1}
    assert "BulkMutation" not in shop.operations


def test_a_line_that_is_refused_says_why_and_leaves_the_others(shop: Shop) -> None:
    shop.create(tee("tee-3", title="Somebody's"))
    changes = creates(8)
    changes[5] = replace(changes[5], desired=changes[5].desired.but(title="x" * 300))
    changes[6] = replace(changes[6], desired=changes[6].desired.but(status="strange"))
    outcomes = by_job(shop, changes)
    assert statuses(outcomes) == {"applied": 5, "failed": 3}
    assert [(each.change, each.cause) for each in outcomes if each.cause] == [
        ("3", "conflict"),
        ("5", "rejected"),
        ("6", "rejected"),
    ]
    assert "too long" in outcomes[5].message
    [live] = shop.engine.run(shop.adapter.records("product").fetch(["handle:tee-3"], None))
    assert live.title == "Somebody's", "a create overwrites nothing"


def test_a_large_file_is_cut_into_several(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_writing, "MOST_BYTES", 3_000)
    outcomes = by_job(shop, creates())
    assert shop.operations.count("BulkMutation") > 3
    assert statuses(outcomes) == {"applied": COUNT}
    is_true(shop, outcomes)


def test_it_tells_how_far_it_is(shop: Shop) -> None:
    told: list[int] = []

    class Journal(MemoryJournal):
        def advance(self, batch_id: str, done: int) -> None:
            told.append(done)

    shop.sandbox.switch(bulk_rate=2.0)
    run(shop, creates(), Journal())
    assert told == sorted(told)
    assert len(set(told)) > 3
    assert told[-1] == COUNT


# -- lines of results


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("spoil", ["", "drop", "twice", "broken", "mixed"])
def test_every_line_is_accounted_for(shop: Shop, first: int, spoil: str) -> None:
    shop.sandbox.switch(first_line=first, bulk_spoils=[spoil])
    changes = [
        replace(each, desired=each.desired.but(title="x" * 300)) if n % 3 == 0 else each
        for n, each in enumerate(creates())
    ]
    outcomes = by_job(shop, changes)
    assert statuses(outcomes) == {"applied": COUNT * 2 // 3, "failed": COUNT // 3}
    is_true(shop, outcomes)


ODD = [
    "",
    "[]",
    '"x"',
    '{"__lineNumber":"4"}',
    '{"__lineNumber":%d}',
    '{"data":null,"__lineNumber":%d}',
    '{"data":{"productSet":null},"__lineNumber":%d}',
    '{"data":{},"__lineNumber":%d}',
    '{"errors":[],"__lineNumber":%d}',
    '{"id":"gid://shopify/Product/1","__parentId":"x"}',
    '{"errors":[{"message":"?","extensions":{"code":"THROTTLED"}}],"__lineNumber":%d}',
]


def test_lines_of_any_shape_say_nothing_and_are_looked_up(shop: Shop) -> None:
    def between(request: Request, sandbox: Handler) -> Response:
        response = sandbox(request)
        if request.method != "GET":
            return response
        rows = [row for row in response.body.decode().splitlines() if row]
        numbers = [json.loads(row)["__lineNumber"] for row in rows]
        odd = [
            text % number if "%d" in text else text
            for text, number in zip(ODD, numbers, strict=False)
        ]
        body = "\n".join([*odd, *rows[len(ODD) :]]) + "\n"
        return replace(response, body=body.encode())

    shop.between = between
    outcomes = by_job(shop, creates())
    assert statuses(outcomes) == {"applied": COUNT}
    is_true(shop, outcomes)


def test_a_spoiled_line_of_an_update_is_proven_by_the_variant_that_it_names(shop: Shop) -> None:
    """Another variant that has the price already proves nothing."""
    live = [shop.read(each.id) for each in by_job(shop, creates(14))]

    def desired(n: int) -> Product:
        return Product(variants=(Variant(id=live[n].variants[0].id, price=eur("19.91")),))

    shop.sandbox.switch(bulk_ends=["0 FAILED TIMEOUT"])
    for each in live:
        second = Product(variants=(Variant(id=each.variants[1].id, price=eur("19.91")),))
        shop.update(each.id, second)
    outcomes = by_job(shop, updates((each.id for each in live), desired))
    assert statuses(outcomes) == {"failed": 14}
    assert {each.cause for each in outcomes} == {"job"}


@pytest.mark.parametrize(
    ("part", "had", "wanted"),
    [
        ("core", Product(tags=("a", "b")), Product(tags=("b",))),
        ("publication", Product(channels=("Online Store",)), Product(channels=())),
    ],
    ids=["tags", "channels"],
)
def test_what_is_still_there_proves_that_no_line_took_it_out(
    shop: Shop, part: str, had: Product, wanted: Product
) -> None:
    [id_] = shop.create(tee())
    assert shop.update(id_, had, part).status is Status.APPLIED
    shop.sandbox.switch(bulk_ends=["0 FAILED TIMEOUT"])
    [change] = updates([id_], lambda _: wanted, part)
    [outcome] = by_job(shop, [replace(change, before=had)])
    assert (outcome.status, outcome.cause) == (Status.FAILED, "job")


def test_a_spoiled_line_is_proven_without_the_stock_that_is_set_after_it(shop: Shop) -> None:
    live = [shop.read(each.id) for each in by_job(shop, creates(6))]
    stock = (InventoryLevel(location="Shop", available=8),)

    def desired(n: int) -> Product:
        first = Variant(id=live[n].variants[0].id, price=eur("25.00"), inventory=stock)
        return Product(variants=(first,))

    shop.sandbox.switch(bulk_spoils=["drop"])
    outcomes = by_job(shop, updates((each.id for each in live), desired))
    assert statuses(outcomes) == {"applied": 6}
    assert all(shop.read(each.id).variants[0].inventory == stock for each in live)


def test_stock_stays_where_the_line_of_its_change_is_refused(shop: Shop) -> None:
    live = [shop.read(each.id) for each in by_job(shop, creates(2))]
    stock = (InventoryLevel(location="Shop", available=8),)

    def desired(n: int) -> Product:
        first = Variant(id=live[n].variants[0].id, inventory=stock)
        return Product(title="x" * (300 if n else 30), variants=(first,))

    outcomes = by_job(shop, updates((each.id for each in live), desired))
    assert [each.status for each in outcomes] == [Status.APPLIED, Status.FAILED]
    held = [shop.read(each.id).variants[0].inventory[0].available for each in live]
    assert held == [8, 0]


def test_a_line_overwrites_no_product_that_has_the_handle(shop: Shop) -> None:
    [id_] = shop.create(tee())
    [outcome] = by_job(shop, [creation(tee(title="Another"))])
    assert (outcome.status, outcome.cause) == (Status.FAILED, "conflict")
    assert shop.read(id_).title == "Tee"


def test_tags_are_shown_as_the_last_line_about_them_left_them(shop: Shop) -> None:
    [id_] = shop.create(tee(tags=("a", "b")))
    change: Change[Product] = Change(
        id="1", action="update", part="core", record_id=id_,
        desired=Product(tags=("b", "c")), before=shop.read(id_),
    )  # fmt: skip
    [outcome] = by_job(shop, [change])
    assert outcome.record is not None
    assert outcome.record.tags == shop.read(id_).tags == ("b", "c")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("often", [1, 9])
def test_a_file_that_is_cut_off_loses_nothing(shop: Shop, share: float, often: int) -> None:
    shop.sandbox.switch(bulk_cuts=[share] * often)
    outcomes = by_job(shop, creates())
    assert statuses(outcomes) == {"applied": COUNT}
    is_true(shop, outcomes)
    assert ("ProductsByHandle" in shop.operations) == (often > 1)


# -- ends


WORDS = ("FAILED INTERNAL_SERVER_ERROR", "FAILED TIMEOUT", "CANCELED", "EXPIRED")
ENDS = [f"{percent} {words}" for percent in (0, 40, 99) for words in WORDS]


@pytest.mark.parametrize("end", ENDS)
def test_a_job_that_comes_to_no_good_end_leaves_a_clear_state(shop: Shop, end: str) -> None:
    shop.sandbox.switch(bulk_ends=[end])
    changes = creates()
    outcomes = by_job(shop, changes)
    is_true(shop, outcomes)
    failed = [each for each in outcomes if each.status is Status.FAILED]
    assert len(failed) == COUNT - COUNT * int(end.split()[0]) // 100
    assert all(
        end.split()[1] in each.message and "--retry-failed" in each.remedy for each in failed
    )
    again = by_job(shop, [changes[int(each.change)] for each in failed])
    assert statuses(again) == {"applied": len(failed)}
    is_true(shop, again)


def test_the_part_of_a_failed_job_says_why_lines_were_refused(shop: Shop) -> None:
    shop.sandbox.switch(bulk_ends=["50 FAILED TIMEOUT"])
    changes = [replace(each, desired=each.desired.but(title="x" * 300)) for each in creates()]
    outcomes = by_job(shop, changes)
    assert Counter(each.cause for each in outcomes) == {"rejected": COUNT / 2, "job": COUNT / 2}


@pytest.mark.parametrize("spoil", ["drop", "broken"])
def test_lines_that_were_done_before_the_end_are_known_though_the_file_lacks_them(
    shop: Shop, spoil: str
) -> None:
    shop.sandbox.switch(bulk_ends=["70 FAILED TIMEOUT"], bulk_spoils=[spoil], bulk_cuts=[0.5, 0.5])
    outcomes = by_job(shop, creates())
    is_true(shop, outcomes)
    assert statuses(outcomes)["applied"] == COUNT * 70 // 100


def test_results_that_are_gone_after_a_week_are_looked_up(shop: Shop) -> None:
    journal = MemoryJournal()
    changes = creates()
    killed(shop, changes, journal, after("BulkMutation"))
    for _ in range(4):
        shop.engine.run(shop.adapter.info())  # the job ends while nobody looks
    shop.clock.sleep(8 * DAY)
    outcomes = run(shop, changes, journal)
    assert statuses(outcomes) == {"applied": COUNT}
    is_true(shop, outcomes)
    assert shop.operations.count("BulkMutation") == 1


def test_a_job_that_nobody_knows_any_more_is_not_called_failed(shop: Shop) -> None:
    journal = MemoryJournal()
    changes = creates(4)
    killed(shop, changes, journal, after("BulkJob"))
    shop.sandbox.delete(journal.state["id"])
    outcomes = run(shop, changes, journal)
    assert statuses(outcomes) == {"unknown": 4}


# -- places


def test_a_place_is_waited_for_and_jobs_of_others_are_left_alone(shop: Shop) -> None:
    others = [shop.sandbox.occupy("MUTATION", 600) for _ in range(5)]
    outcomes = by_job(shop, creates())
    assert statuses(outcomes) == {"applied": COUNT}
    assert 600 <= shop.clock.elapsed < 700
    assert all("Cancel" not in each for each in shop.operations)
    states = [shop.sandbox.get(each) for each in others]
    assert {doc["status"] for doc in states if doc} == {"COMPLETED"}


@pytest.mark.parametrize(
    "code", ["OPERATION_IN_PROGRESS", "LIMIT_REACHED", "INTERNAL_FILE_SERVER_ERROR"]
)
def test_a_start_that_is_refused_for_now_is_tried_again(shop: Shop, code: str) -> None:
    def between(request: Request, sandbox: Handler) -> Response:
        if refusals and _name(request) == "BulkMutation":
            payload = {"bulkOperation": None, "userErrors": [refusals.pop()]}
            return answer(200, {"data": {"bulkOperationRunMutation": payload}})
        return sandbox(request)

    refusals = [{"field": None, "message": "Later", "code": code}] * 3
    shop.between = between
    assert statuses(by_job(shop, creates(3))) == {"applied": 3}
    assert refusals == []


def test_without_a_place_it_says_whose_jobs_run(shop: Shop) -> None:
    others = [shop.sandbox.occupy("MUTATION", 2 * DAY) for _ in range(5)]
    outcomes = by_job(shop, creates(3))
    assert statuses(outcomes) == {"failed": 3}
    assert {each.cause for each in outcomes} == {"conflict"}
    assert all(other.rpartition("/")[2] in outcomes[0].message for other in others)
    assert not made(shop)
    assert shop.clock.elapsed < 2 * 3600


# -- lost answers and kills


def test_a_job_is_not_taken_for_the_tenth_of_its_batch(shop: Shop) -> None:
    mark = bulk.job_mark("batch", "tags_add", 10)
    text = f"query {mark} {{ products {{ edges {{ node {{ id }} }} }} }}"
    job, _ = shop.engine.run(bulk.start(bulk.Submission("bulk_query", mark, {"text": text})))
    other = bulk.job_mark("batch", "tags_add", 1)
    found = [
        shop.engine.run(bulk.under_way(each)) for each in (mark, bulk.job_mark("batch"), other)
    ]
    assert found == [job, job, ""]


def run(
    shop: Shop, changes: Iterable[Change[Any]], journal: MemoryJournal, id_: str = "batch-kill"
) -> tuple[Outcome, ...]:
    """Run a batch as a plan does: again under the same id with what is known of it."""
    open_ = tuple(each for each in changes if each.id not in journal.kept)
    uncertain = frozenset(each.id for each in open_) if hasattr(journal, "began") else frozenset()
    journal.began = True  # type: ignore[attr-defined]  # a mark of this test's own
    batch = Batch(id=id_, changes=open_, uncertain=uncertain, state=journal.state, way="bulk")
    shop.engine.run_batch(shop.adapter.records("product"), batch, journal)
    return tuple(journal.kept[each.id] for each in changes)


Between = Callable[[Request, Handler], Response]


def _name(request: Request) -> str:
    if isinstance(request.body, bytes):
        return operation(json.loads(request.body))
    return "Download" if request.method == "GET" else "Upload"


def after(name: str) -> Between:
    def between(request: Request, sandbox: Handler) -> Response:
        response = sandbox(request)
        if _name(request) == name:
            raise Killed(name)
        return response

    return between


def number(wanted: int, *, done: bool) -> Between:
    seen = iter(range(10_000))

    def between(request: Request, sandbox: Handler) -> Response:
        at = next(seen)
        if at == wanted and not done:
            raise Killed
        response = sandbox(request)
        if at == wanted:
            raise Killed
        return response

    return between


def killed(shop: Shop, changes: Any, journal: MemoryJournal, between: Between) -> bool:
    """Run a batch until it is killed; return whether it was."""
    shop.between = between
    try:
        run(shop, changes, journal)
    except Killed:
        return True
    finally:
        shop.between = None
    return False


@pytest.mark.parametrize("done", [False, True])
def test_killed_anywhere_it_goes_on_and_submits_nothing_twice(done: bool) -> None:
    at, ended = 0, False
    while not ended:
        shop, journal, changes = Shop(), MemoryJournal(), creates(6)
        shop.sandbox.switch(steps=4)
        ended = not killed(shop, changes, journal, number(at, done=done))
        outcomes = run(shop, changes, journal)
        assert statuses(outcomes) == {"applied": 6}, at
        is_true(shop, outcomes)
        jobs = list(shop.sandbox.all("BulkOperation"))
        assert len(jobs) == 1, at
        at += 1
    assert at > 6


def test_a_job_whose_id_is_known_is_not_looked_for(shop: Shop) -> None:
    journal, changes = MemoryJournal(), creates(6)
    killed(shop, changes, journal, after("BulkJob"))
    shop.sent.clear()
    assert statuses(run(shop, changes, journal)) == {"applied": 6}
    assert set(shop.operations) == {"BulkJob"}


def test_a_later_file_is_never_taken_for_the_one_that_was_sent_before_the_kill(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its job has another name: where its answer is lost, the earlier job isn't found for it."""
    monkeypatch.setattr(bulk_writing, "MOST_BYTES", 3_000)
    journal, changes = MemoryJournal(), creates(12)
    killed(shop, changes, journal, after("BulkJob"))
    vanished: list[int] = []

    def between(request: Request, sandbox: Handler) -> Response:
        if _name(request) == "BulkMutation" and not vanished:
            vanished.append(1)
            return Response(status=504)
        return sandbox(request)

    shop.between = between
    outcomes = run(shop, changes, journal)
    assert statuses(outcomes) == {"applied": 12}
    is_true(shop, outcomes)


def test_what_the_killed_job_made_counts_though_it_could_not_be_made_now(shop: Shop) -> None:
    shop.create(Collection(handle="summer", title="Summer"))
    ids = [each.id for each in by_job(shop, creates(4))]
    journal, changes = MemoryJournal(), updates(ids, PARTS["membership"], "membership")
    killed(shop, changes, journal, after("BulkJob"))
    for _ in range(3):
        shop.engine.run(shop.adapter.info())
    for doc in list(shop.sandbox.all("Collection")):
        shop.sandbox.delete(doc["id"])
    assert statuses(run(shop, changes, journal)) == {"applied": 4}


def test_killed_between_own_fields_and_variants_it_goes_on_there() -> None:
    seen: list[int] = []
    for at in range(40):
        shop, journal = Shop(), MemoryJournal()
        ids = [each.id for each in by_job(shop, creates(2))]
        live = [shop.read(id_) for id_ in ids]
        shop.sent.clear()

        def desired(n: int, live: Any = live) -> Product:
            row = Variant(id=live[n].variants[0].id, price=eur("25.00"))
            return Product(title=f"New {n}", variants=(row,))

        changes = updates(ids, desired)
        was_killed = killed(shop, changes, journal, number(at, done=True))
        outcomes = run(shop, changes, journal)
        assert statuses(outcomes) == {"applied": 2}, at
        after_ = [shop.read(id_) for id_ in ids]
        assert [each.title for each in after_] == [f"New {n}" for n in range(2)]
        assert {each.variants[0].price for each in after_} == {eur("25.00")}
        seen.append(shop.operations.count("BulkMutation"))
        if not was_killed:
            break
    assert set(seen) == {2}


@pytest.mark.parametrize(
    "trouble", ["timeout", "truncated", "late_internal", "internal", "too_many"]
)
def test_a_lost_answer_to_the_start_makes_no_second_job(shop: Shop, trouble: str) -> None:
    def between(request: Request, sandbox: Handler) -> Response:
        if _name(request) == "BulkMutation" and not troubled:
            troubled.append(1)
            shop.sandbox.switch(troubles=[trouble])
        return sandbox(request)

    troubled: list[int] = []
    shop.between = between
    outcomes = by_job(shop, creates())
    assert statuses(outcomes) == {"applied": COUNT}
    is_true(shop, outcomes)
    assert shop.sandbox.count("BulkOperation") == 1


def test_a_job_that_shows_late_runs_twice_and_makes_nothing_twice(shop: Shop) -> None:
    """The list of jobs may not show one yet: then lines are repeated, and refused as taken."""
    hidden: list[int] = []

    def between(request: Request, sandbox: Handler) -> Response:
        response = sandbox(request)
        if _name(request) == "BulkMutation" and not hidden:
            hidden.append(1)
            return Response(status=504)
        if _name(request) == "BulkJobs":
            body = response.body.replace(b"Storebridge_", b"Somebody_")
            return replace(response, body=body)
        return response

    shop.between = between
    outcomes = by_job(shop, creates())
    assert shop.sandbox.count("BulkOperation") == 2
    assert statuses(outcomes) == {"applied": COUNT}
    is_true(shop, outcomes)


def test_a_job_that_was_started_twice_without_an_answer_makes_nothing_twice(shop: Shop) -> None:
    def between(request: Request, sandbox: Handler) -> Response:
        response = sandbox(request)
        if _name(request) == "BulkMutation":
            lost.append(1)
            return Response(status=504)
        if _name(request) == "BulkJobs" and len(lost) == 1:
            body = response.body.replace(b"Storebridge_", b"Somebody_")
            return replace(response, body=body)
        return response

    lost: list[int] = []
    shop.between = between
    outcomes = by_job(shop, creates())
    assert shop.sandbox.count("BulkOperation") == len(lost) == 2
    assert statuses(outcomes) == {"applied": COUNT}
    is_true(shop, outcomes)


def test_a_batch_of_which_nothing_is_known_waits_for_its_job_first(shop: Shop) -> None:
    journal = MemoryJournal()
    changes = creates()
    shop.sandbox.switch(bulk_rate=1.0)
    killed(shop, changes, journal, after("BulkMutation"))
    journal.state = None
    outcomes = run(shop, changes, journal)
    assert statuses(outcomes) == {"applied": COUNT}
    is_true(shop, outcomes)
    first, second = (doc["query"].partition("{")[0] for doc in shop.sandbox.all("BulkOperation"))
    assert first != second


def test_a_throttled_shop_is_waited_for(shop: Shop) -> None:
    shop.sandbox.bucket(shop.sandbox.app).available = 0.0
    outcomes = by_job(shop, creates())
    assert statuses(outcomes) == {"applied": COUNT}


@pytest.fixture
def shop() -> Shop:
    return Shop()
