"""Jobs that read: the same records as pages bring, all of them or an error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.shopify.shop import Handler, Shop, eur, operation, tee

from storebridge.adapter import Batch, Query
from storebridge.engine import Engine, EngineOptions, HandlerTransport
from storebridge.errors import AccessDenied, BadAnswer, NotFound, Unavailable
from storebridge.flow import Request, Response
from storebridge.models import (
    Collection,
    InventoryLevel,
    MarketPrice,
    Media,
    Metafield,
    Money,
    Product,
    Translation,
    Variant,
)
from storebridge_shopify.bulk_index import build, roots
from storebridge_shopify.bulk_reading import query_text
from storebridge_shopify.walk import asked

DAY = 86_400
FEW = 12


def read(shop: Shop, cursor: str = "", **query: Any) -> list[Product]:
    """Read all pages."""
    return [each for page in pages(shop, cursor, **query) for each in page]


def pages(shop: Shop, cursor: str = "", **query: Any) -> Iterator[tuple[Product, ...]]:
    records = shop.adapter.records("product")
    while True:
        page = shop.engine.run(records.page(Query(**query), cursor))
        yield page.records
        cursor = page.cursor
        if not cursor:
            return


def bulk_from(shop: Shop, count: int) -> None:
    records = shop.adapter.records("product")
    records.settings = records.settings.model_copy(update={"bulk_from": count})  # type: ignore[attr-defined]  # ours


@pytest.fixture
def shop() -> Shop:
    """A shop of plain products, read by jobs."""
    shop = Shop(bulk_from=5, page_size=3)
    shop.write("product", *_creations(FEW), way="bulk")
    shop.sent.clear()
    return shop


def _creations(count: int) -> list[Any]:
    from storebridge.testing.rig import creation

    return [replace(creation(tee(f"tee-{n}")), id=str(n)) for n in range(count)]


@pytest.fixture(scope="module")
def rich() -> Shop:
    """A shop whose products have something of everything."""
    shop = Shop(bulk_from=5, page_size=4)
    shop.create(Collection(handle="summer", title="Summer"))
    shop.create(Collection(handle="sale", title="Sale"))
    info = shop.engine.run(shop.adapter.info())
    market = info.markets[0]
    for n in range(6):
        [id_] = shop.create(_rich(n))
        variants = shop.read(id_).variants
        price = MarketPrice(market=market.handle, price=Money("9.00", market.currency),
                            compare_at_price=None)  # fmt: skip
        kits = tuple(
            Metafield(namespace="kit", key=f"k{k}", type="single_line_text_field", value=f"{n}")
            for k in range(n + 1)
        )
        pictures = tuple(Media(url=f"https://shop.example/{n}-{k}.jpg", alt=f"{k}") for k in "abc")
        first = Variant(id=variants[0].id, metafields=kits[:2], media=(pictures[1].url,))
        texts = (Translation(locale="de", field="title", value=f"Hemd {n}"),)
        for part, desired in (
            ("media", Product(media=pictures, variants=(first.without("metafields"),))),
            ("metafields", Product(metafields=kits, variants=(first.without("media"),))),
            ("translations", Product(translations=texts)),
            ("publication", Product(channels=("Online Store",))),
            ("membership", Product(collections=("summer", "sale")[: n % 3])),
            ("prices", Product(variants=(Variant(id=first.id, market_prices=(price,)),))),
        ):
            outcome = shop.update(id_, desired, part)
            assert not outcome.cause, outcome
    return shop


def _rich(n: int) -> Product:
    if n == 0:
        return Product(handle="plain", title="Plain", variants=(Variant(price=eur("1.00")),))
    stock = (InventoryLevel(location="Shop", available=n),)
    product = tee(f"rich-{n}", description_html=f"<p>{n} / {n}</p>", vendor="Acme", status="active",
                  tags=("new", "linen"), category="Apparel & Accessories > Clothing")  # fmt: skip
    return product.but(variants=tuple(each.but(inventory=stock) for each in product.variants))


# -- the same records


FIELDS = [None, frozenset({"title"}), frozenset({"variants.inventory"}), frozenset({"media"}),
          frozenset({"metafields", "channels"}), frozenset({"variants.metafields"})]  # fmt: skip


@pytest.mark.parametrize("fields", FIELDS, ids=lambda each: "-".join(sorted(each or {"all"})))
def test_records_are_those_that_pages_bring(rich: Shop, fields: frozenset[str] | None) -> None:
    rich.sent.clear()
    by_job = read(rich, fields=fields)
    assert "BulkQuery" in rich.operations
    bulk_from(rich, 0)
    rich.sent.clear()
    by_pages = read(rich, fields=fields)
    assert "BulkQuery" not in rich.operations
    bulk_from(rich, 5)
    assert by_job == by_pages
    assert [each.given for each in by_job] == [each.given for each in by_pages]
    assert len(by_job) == 6


def test_the_platforms_own_records_come_along(rich: Shop) -> None:
    assert [each.raw["handle"] for each in read(rich, raw=True) if each.raw] == [
        each.handle for each in read(rich)
    ]


def test_a_status_and_a_time_choose(shop: Shop) -> None:
    [id_] = shop.create(tee("active", status="active"))
    shop.sent.clear()
    assert [each.id for each in read(shop, status="active")] == [id_]
    assert "BulkQuery" not in shop.operations, "one record is no work for a job"
    assert len(read(shop, status="draft")) == FEW
    assert "BulkQuery" in shop.operations
    shop.sent.clear()
    since = datetime.fromtimestamp(shop.clock.time(), UTC)
    assert len(read(shop, updated_since=since.replace(year=since.year - 1))) == FEW + 1
    asked_for = json.dumps(shop.variables("BulkQuery")[0])
    assert "updated_at:>=" in asked_for
    assert read(shop, updated_since=since.replace(year=since.year + 1)) == []


def test_a_small_shop_is_read_by_pages_and_a_setting_forbids_jobs(shop: Shop) -> None:
    bulk_from(shop, FEW + 1)
    assert len(read(shop)) == FEW
    assert "BulkQuery" not in shop.operations
    bulk_from(shop, 0)
    shop.sent.clear()
    assert len(read(shop)) == FEW
    assert "ProductsCount" not in shop.operations


def test_five_connections_are_the_most_of_a_query() -> None:
    """All that a product has needs two jobs, and a title one of one connection."""
    from storebridge_shopify.bulk_shapes import PRODUCTS
    from storebridge_shopify.scopes import Scopes

    scopes = Scopes.of(("read_inventory", "read_publications"))
    everything, title = asked(None, scopes), asked({"title"}, scopes)
    assert len(PRODUCTS.needed(everything)) == 2
    assert PRODUCTS.needed(title) == ["bulk_products"]
    for name in PRODUCTS.needed(everything):
        assert query_text(name, everything, None).count("edges") == 5
    assert query_text("bulk_products", title, None).count("edges") == 1


def test_a_store_that_may_only_be_read_is_read_by_jobs_too() -> None:
    shop = Shop(bulk_from=5, page_size=3)
    shop.write("product", *_creations(FEW), way="bulk")
    shop.sent.clear()
    transport = HandlerTransport(shop.answer)
    options = EngineOptions(read_only=True)
    with Engine(shop.adapter, clock=shop.clock, transport=transport, options=options) as engine:
        shop.engine = engine
        assert len(read(shop)) == FEW
        assert "BulkQuery" in shop.operations
        records = shop.adapter.records("product")
        batch = Batch(id="no", changes=tuple(_creations(1)), way="bulk")
        with pytest.raises(AccessDenied):
            engine.run_batch(records, batch)


# -- all of them, or an error


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_a_file_that_is_cut_off_is_brought_again(shop: Shop, share: float) -> None:
    shop.sandbox.switch(bulk_cuts=[share])
    assert len(read(shop, fields=frozenset({"variants"}))) == FEW
    shop.sandbox.switch(bulk_cuts=[share] * 9)
    with pytest.raises(BadAnswer):
        read(shop, fields=frozenset({"variants"}))


@pytest.mark.parametrize("spoil", ["drop", "twice", "broken"])
def test_lines_that_are_not_those_that_were_counted_are_an_error(shop: Shop, spoil: str) -> None:
    shop.sandbox.switch(bulk_spoils=[spoil])
    with pytest.raises(BadAnswer):
        read(shop, fields=frozenset({"variants"}))


@pytest.mark.parametrize("end", ["0", "50", "99"])
def test_a_job_that_failed_is_run_once_more_and_its_part_is_never_taken_for_all(
    shop: Shop, end: str
) -> None:
    shop.sandbox.switch(bulk_ends=[f"{end} FAILED TIMEOUT"])
    assert len(read(shop, fields=frozenset({"title"}))) == FEW
    shop.sandbox.switch(bulk_ends=[f"{end} FAILED TIMEOUT"] * 2)
    with pytest.raises(Unavailable, match=r"TIMEOUT.*bulk_from"):
        read(shop, fields=frozenset({"title"}))
    shop.sandbox.switch(bulk_ends=[f"{end} CANCELED"])
    with pytest.raises(Unavailable, match="CANCELED"):
        read(shop, fields=frozenset({"title"}))


def test_nothing_that_came_out_is_nothing(shop: Shop) -> None:
    for each in read(shop):
        shop.sandbox.delete(each.id)
    shop.between = _many
    assert read(shop) == []


def test_records_of_which_one_job_found_nothing_are_not_told_by_halves(shop: Shop) -> None:
    def between(request: Request, sandbox: Handler) -> Response:
        response = sandbox(request)
        sent = json.loads(request.body) if isinstance(request.body, bytes) else None
        *_, second = shop.sandbox.all("BulkOperation")
        if not sent or operation(sent) != "BulkJob" or sent["variables"]["id"] != second["id"]:
            return response
        found = json.loads(response.body)
        found["data"]["bulkOperation"] |= {"url": None, "objectCount": "0", "rootObjectCount": "0"}
        return replace(response, body=json.dumps(found).encode())

    shop.between = between
    assert read(shop) == []
    assert shop.operations.count("BulkQuery") == 2


def _many(request: Request, sandbox: Handler) -> Response:
    """Let the shop say that there are many products, as it may a moment before they go."""
    response = sandbox(request)
    if isinstance(request.body, bytes) and operation(json.loads(request.body)) == "Products":
        body = response.body.replace(b'"hasNextPage": false', b'"hasNextPage": true')
        body = body.replace(b'"endCursor": null', b'"endCursor": "x"')
        return replace(response, body=body)
    return replace(response, body=response.body.replace(b'"count": 0', b'"count": 9'))


def test_lines_that_were_counted_and_have_no_address_are_an_error(shop: Shop) -> None:
    def between(request: Request, sandbox: Handler) -> Response:
        response = sandbox(request)
        if isinstance(request.body, bytes) and b"query BulkJob(" in request.body:
            answer = json.loads(response.body)
            answer["data"]["bulkOperation"]["url"] = None
            return replace(response, body=json.dumps(answer).encode())
        return response

    shop.between = between
    with pytest.raises(NotFound, match="from the start"):
        read(shop)


def test_places_are_waited_for_and_jobs_of_others_go_on(shop: Shop) -> None:
    others = [shop.sandbox.occupy("QUERY", 300) for _ in range(5)]
    assert len(read(shop, fields=frozenset({"title"}))) == FEW
    assert {doc["status"] for each in others if (doc := shop.sandbox.get(each))} == {"COMPLETED"}
    assert all("Cancel" not in each for each in shop.operations)


@pytest.mark.parametrize("trouble", ["timeout", "truncated", "late_internal"])
def test_a_lost_answer_starts_no_second_job(shop: Shop, trouble: str) -> None:
    troubled: list[int] = []

    def between(request: Request, sandbox: Handler) -> Response:
        if isinstance(request.body, bytes) and b"bulkOperationRunQuery" in request.body:
            if not troubled:
                shop.sandbox.switch(troubles=[trouble])
            troubled.append(1)
        return sandbox(request)

    shop.between = between
    assert len(read(shop, fields=frozenset({"title"}))) == FEW
    jobs = [doc for doc in shop.sandbox.all("BulkOperation") if doc["type"] == "QUERY"]
    assert len(jobs) == 1


# -- cursors


def test_a_cursor_goes_on_in_another_engine_until_the_results_are_gone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from storebridge_shopify import ShopifyAdapter, bulk_reading

    monkeypatch.setattr(bulk_reading, "_SIZE", 5)
    records = shop.adapter.records("product")
    first = shop.engine.run(records.page(Query(), ""))
    shop.adapter = ShopifyAdapter(shop.adapter.settings)
    rest = read(shop, first.cursor)
    assert len(first.records) + len(rest) == FEW
    assert len({each.id for each in (*first.records, *rest)}) == FEW
    shop.adapter = ShopifyAdapter(shop.adapter.settings)
    shop.clock.sleep(8 * DAY)
    with pytest.raises(NotFound, match="from the start"):
        read(shop, first.cursor)


def test_files_go_with_the_last_page(shop: Shop) -> None:
    read(shop)
    assert list(shop.engine.spool.iterdir()) == []


# -- files by themselves


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row).replace("/", "\\/") + "\n" for row in rows))
    return path


def gid(kind: str, number: int) -> str:
    return f"gid://shopify/{kind}/{number}"


ROWS = [
    {"id": gid("InventoryLevel", 7), "__parentId": gid("ProductVariant", 3)},
    {"id": gid("ProductVariant", 3), "__parentId": gid("Product", 1)},
    {"id": gid("Product", 2)},
    {"isPublished": True, "__parentId": gid("Product", 1)},
    {"id": gid("Product", 1)},
]


def test_children_may_come_before_their_parents(tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", ROWS)
    build(file, 5, 2)
    [one, two], more = roots([file], 0, 10)
    assert (one["id"], two["id"], more) == (gid("Product", 1), gid("Product", 2), 0)
    variant, published = one["children"]
    assert [each["id"] for each in variant["children"]] == [gid("InventoryLevel", 7)]
    assert published["isPublished"]
    assert roots([file], 0, 1)[1] == 1


@pytest.mark.parametrize(
    ("rows", "count", "words"),
    [
        (ROWS[:-1], (5, 2), "counted 5 and 2"),
        ([*ROWS, ROWS[-1]], (6, 3), "twice"),
        ([ROWS[0], *ROWS[2:]], (4, 2), "lacks gid://shopify/ProductVariant/3"),
        ([*ROWS, {"title": "no id"}], (6, 3), "no id"),
    ],
)
def test_a_file_that_does_not_add_up_is_an_error(
    tmp_path: Path, rows: list[dict[str, Any]], count: tuple[int, int], words: str
) -> None:
    with pytest.raises(BadAnswer, match=words):
        build(lines(tmp_path / "a.jsonl", rows), *count)


def test_a_record_that_went_away_between_two_jobs_is_left_out(tmp_path: Path) -> None:
    first = lines(tmp_path / "a.jsonl", ROWS)
    second = lines(tmp_path / "b.jsonl", [ROWS[2]])
    build(first, 5, 2)
    build(second, 1, 1)
    found, _ = roots([first, second], 0, 10)
    assert [each["id"] for each in found] == [gid("Product", 2)]
