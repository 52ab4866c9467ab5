"""Jobs that read orders, customers and collections: the records that pages bring, or an error."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.adapters.shopify.buyer import DOCUMENTS
from tests.adapters.shopify.shop import Handler, Shop, eur, operation

from storebridge.adapter import Query
from storebridge.errors import BadAnswer, Rejected, Unavailable
from storebridge.flow import Request, Response
from storebridge.models import (
    Address,
    Amount,
    Collection,
    Consent,
    Customer,
    Fulfillment,
    FulfillmentLine,
    LineItem,
    Media,
    Metafield,
    Option,
    Order,
    Payment,
    Product,
    Record,
    Rule,
    Seo,
    ShippingLine,
    TaxLine,
    Translation,
    Variant,
)
from storebridge.testing.sandbox import answer
from storebridge_shopify import ShopifyAdapter, bulk_reading
from storebridge_shopify.bulk_reading import query_text
from storebridge_shopify.bulk_shapes import COLLECTIONS, CUSTOMERS, ORDERS, Export
from storebridge_shopify.graphql import document
from storebridge_shopify.sandbox import settings

MOMENT = datetime(2019, 5, 1, 12, tzinfo=UTC)
#: More than a page or a look-up begins with, so that the rest is drained.
MANY = 11
FEW = 7


def read(shop: Shop, kind: str, cursor: str = "", **query: Any) -> list[Any]:
    """Read all pages."""
    records, found = shop.adapter.records(kind), list[Record]()
    while True:
        page = shop.engine.run(records.page(Query(**query), cursor))
        found += page.records
        cursor = page.cursor
        if not cursor:
            return found


def both(shop: Shop, kind: str, **query: Any) -> tuple[list[Any], list[Any]]:
    """Read by jobs and by pages."""
    found = []
    for count in (1, 0):
        records = shop.adapter.records(kind)
        new = records.settings.model_copy(update={"bulk_from": count})  # type: ignore[attr-defined]  # ours
        records.settings = new  # type: ignore[attr-defined]  # ours
        shop.sent.clear()
        found.append(read(shop, kind, **query))
        assert ("BulkQuery" in shop.operations) is bool(count)
    return found[0], found[1]


def ask(shop: Shop, name: str, **variables: Any) -> Any:
    """Do something to the shop that the adapter doesn't."""
    text = (DOCUMENTS / f"{name}.graphql").read_text("utf-8")
    body = json.dumps({"query": text, "variables": variables}).encode()
    headers = {"content-type": "application/json", "x-shopify-access-token": settings()["token"]}
    path = "/admin/api/2026-10/graphql.json"
    answer = json.loads(
        shop.sandbox(Request(method="POST", path=path, headers=headers, body=body)).body
    )
    assert "errors" not in answer, answer
    return answer


# -- shops that have something of everything


def _goods(shop: Shop, sizes: int) -> list[str]:
    """Make a product and return the ids of its variants."""
    names = tuple(str(number) for number in range(sizes))
    variants = tuple(Variant(sku=f"T-{n}", options=(n,), price=eur("19.90")) for n in names)
    options = (Option(name="No", values=names),)
    [id_] = shop.create(Product(handle="many", title="Many", options=options, variants=variants))
    return [each.id for each in shop.read(id_).variants]


def _metafields(count: int) -> tuple[Metafield, ...]:
    return tuple(Metafield(namespace="kit", key=f"key{n}", value=f"{n}") for n in range(count))


def _parcel(shop: Shop, order: str, lines: list[str], number: str) -> None:
    rows = tuple(FulfillmentLine(line_item_id=each, quantity=1) for each in lines)
    url = f"https://dhl.example/{number}"
    made = Fulfillment(
        lines=rows, carrier="DHL", tracking_numbers=(number,), tracking_urls=(url,), location="Shop"
    )
    assert shop.update(order, Order(fulfillments=(made,)), "publication").id


def _refund(shop: Shop, order: str, lines: list[str], note: str) -> None:
    rows = [{"lineItemId": each, "quantity": 1, "restockType": "RETURN"} for each in lines]
    ask(shop, "refund", input={"orderId": order, "refundLineItems": rows, "note": note}, key=note)


def _elsewhere() -> Order:
    """An order of another shop, with what only such ones have here."""
    tax = TaxLine(title="MwSt", rate="0.19", amount=Amount(shop=eur("3.19")))
    line = LineItem(
        sku="T-1", title="Old", quantity=2, unit_price=Amount(shop=eur("10.00")),
        properties={"Engraving": "Ada"}, taxes=(tax,),
    )  # fmt: skip
    post = (ShippingLine(title=each, code=each, price=Amount(shop=eur("4.00"))) for each in "AB")
    paid = Payment(kind="sale", status="success", gateway="cash", amount=Amount(shop=eur("28.00")))
    return Order(
        key="old-7", number="WC-7", currency="EUR", created_at=MOMENT, email="ada@example.com",
        line_items=(line,), shipping_lines=tuple(post), payments=(paid,), phone="+4930123456",
        payment_status="paid", total=Amount(shop=eur("28.00")), note="Ring twice", tags=("a", "b"),
        billing_address=Address(city="Ulm", country="DE"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def orders() -> Shop:
    """A shop with orders of all sorts."""
    shop = Shop(page_size=3)
    [buyer] = shop.create(Customer(email="ada@example.com", locale="de"))
    goods = _goods(shop, MANY)
    sell = shop.sandbox.sell
    plain = sell([(goods[0], 1)])
    sell([(goods[1], 2)], customer=buyer, discount="1.00", code="TEN", currency_paid="USD")
    large = sell([(each, 2) for each in goods])
    lines = [each.id for each in shop.read(large, "order").line_items]
    _parcel(shop, large, lines, "P-1")
    _parcel(shop, large, lines[:3], "P-2")
    _refund(shop, large, lines, "all")
    _refund(shop, large, lines[:2], "some")
    sent = sell([(goods[2], 1)], email="eve@example.com")
    _parcel(shop, sent, [shop.read(sent, "order").line_items[0].id], "P-3")
    shop.create(_elsewhere())
    assert shop.update(plain, Order(metafields=_metafields(MANY)), "metafields").id
    gone = sell([(goods[3], 1)])
    cancel = Order(status="cancelled", cancel_reason="fraud")
    assert shop.update(gone, cancel, "publication").id
    assert shop.update(sent, Order(status="closed"), "publication").id
    return shop


@pytest.fixture(scope="module")
def people() -> Shop:
    """A shop with customers of all sorts."""
    shop = Shop(page_size=3)
    [variant] = _goods(shop, 1)
    places = tuple(
        Address(first_name="Ada", company="Acme", address1=f"Weg {n}", city="Ulm", postcode="89073",
                country="DE", region_code="BW", phone="+4973112345")
        for n in range(MANY)
    )  # fmt: skip
    ids = shop.create(
        Customer(email="ada@example.com", phone="+4930123456", first_name="Ada", last_name="L.",
                 locale="de", note="Rings twice", tags=("a", "b"), tax_exempt=True,
                 default_address=places[0].but(city="Berlin"), addresses=places),
        Customer(phone="+4930123457"),
        Customer(email="eve@example.com", default_address=Address(city="Kiel", country="DE")),
        *(Customer(email=f"{n}@example.com") for n in range(4)),
    )  # fmt: skip
    consents = (
        Consent(channel="email", state="subscribed", level="single_opt_in"),
        Consent(channel="sms", state="unsubscribed"),
    )
    assert shop.update(ids[0], Customer(consents=consents), "publication").id
    assert shop.update(ids[0], Customer(metafields=_metafields(2 * MANY)), "metafields").id
    shop.sandbox.sell([(variant, 2)], customer=ids[0])
    return shop


@pytest.fixture(scope="module")
def groups() -> Shop:
    """A shop with collections of all sorts."""
    shop = Shop(page_size=3)
    goods = tuple(Product(handle=f"p-{n:02}", title=f"P {n}") for n in range(MANY))
    shop.create(*goods)
    handles = tuple(f"handle:{each.handle}" for each in reversed(goods))
    text = Translation(locale="de", field="title", value="Alles")
    [manual, *_] = shop.create(
        Collection(handle="all", title="All", description_html="<p>A</p>", sort_order="manual"),
        Collection(handle="ruled", title="Ruled", match_all=False, seo=Seo(title="R"),
                   rules=(Rule(field="title", relation="starts_with", value="P"),)),
        *(Collection(handle=f"c-{n}", title=f"C {n}") for n in range(5)),
    )  # fmt: skip
    for part, desired in (
        ("membership", Collection(products=handles)),
        ("metafields", Collection(metafields=_metafields(2 * MANY))),
        ("publication", Collection(channels=("Online Store",))),
        ("media", Collection(image=Media(url="https://shop.example/all.jpg", alt="All"))),
        ("translations", Collection(translations=(text,))),
    ):
        assert shop.update(manual, desired, part).id
    assert shop.read(manual, "collection").products == handles
    return shop


# -- the same records


ORDER_FIELDS = [
    None, frozenset({"number"}), frozenset({"fulfillments"}),
    frozenset({"refunds", "payments"}), frozenset({"shipping_lines", "metafields"}),
]  # fmt: skip
CUSTOMER_FIELDS = [None, frozenset({"email"}), frozenset({"addresses"}), frozenset({"metafields"})]

COLLECTION_FIELDS = [None, frozenset({"title"}), frozenset({"products"})]


def _same(by_job: list[Any], by_pages: list[Any]) -> None:
    assert len(by_job) == len(by_pages) > 5
    for one, other in zip(by_job, by_pages, strict=True):
        assert one.given == other.given
        for name in sorted(one.given):
            assert getattr(one, name) == getattr(other, name), name


@pytest.mark.parametrize("fields", ORDER_FIELDS, ids=lambda each: "-".join(sorted(each or "*")))
def test_orders_are_those_that_pages_bring(orders: Shop, fields: frozenset[str] | None) -> None:
    _same(*both(orders, "order", fields=fields))


@pytest.mark.parametrize("fields", CUSTOMER_FIELDS, ids=lambda each: "-".join(each or "*"))
def test_customers_are_those_that_pages_bring(people: Shop, fields: frozenset[str] | None) -> None:
    _same(*both(people, "customer", fields=fields))


@pytest.mark.parametrize("fields", COLLECTION_FIELDS, ids=lambda each: "-".join(each or "*"))
def test_collections_are_those_that_pages_bring(
    groups: Shop, fields: frozenset[str] | None
) -> None:
    _same(*both(groups, "collection", fields=fields))


def test_some_record_has_something_of_each_field(orders: Shop, people: Shop, groups: Shop) -> None:
    """What is empty everywhere would be the same by both ways, whatever they did."""
    for shop, kind in ((orders, "order"), (people, "customer"), (groups, "collection")):
        records = shop.adapter.records(kind)
        names = {name.partition(".")[0] for name, each in records.fields.items() if each.read}
        held = {name for each in read(shop, kind) for name in each.given if getattr(each, name)}
        # The sandbox's buyers have no language; no platform fields are read.
        assert names - held <= {"locale", "platform_fields"}
    largest = max(read(orders, "order"), key=lambda each: len(each.line_items))
    assert len(largest.line_items) == MANY
    assert [len(each.lines) for each in largest.fulfillments] == [MANY, 3]
    assert [len(each.lines) for each in largest.refunds] == [MANY, 2]


def test_a_status_chooses_among_orders(orders: Shop) -> None:
    by_job, by_pages = both(orders, "order", status="closed")
    assert by_job == by_pages
    assert [each.status for each in by_job] == ["closed"]


def test_the_platforms_own_records_come_along(orders: Shop) -> None:
    by_job, by_pages = both(orders, "order", raw=True)
    for one, other in zip(by_job, by_pages, strict=True):
        assert one.raw["fulfillments"] == other.raw["fulfillments"]
        assert one.raw["name"] == other.raw["name"]


def test_without_a_scope_orders_come_without_what_it_is_for(orders: Shop) -> None:
    scopes = orders.sandbox.fact("scopes")
    orders.sandbox.switch(scopes=["read_products", "read_orders"])
    orders.engine.run(orders.adapter.info())
    try:
        by_job, by_pages = both(orders, "order")
        assert by_job == by_pages
        assert all("customer_id" not in each.given for each in by_job)
    finally:
        orders.sandbox.switch(scopes=scopes)
        orders.engine.run(orders.adapter.info())


# -- what was changed since, and what changes meanwhile


@pytest.fixture
def plain() -> Shop:
    """A shop with some records of each kind, read by jobs."""
    shop = Shop(bulk_from=5, page_size=4)
    [goods] = _goods(shop, 1)
    for n in range(FEW):
        home = Address(city="Ulm")
        shop.create(Customer(email=f"{n}@example.com", default_address=home, addresses=(home,)))
        shop.create(Collection(handle=f"c-{n}", title="C"))
        shop.sandbox.sell([(goods, 1)])
    shop.sent.clear()
    return shop


def _touch(shop: Shop, record: Any) -> None:
    changed = {"order": Order(note="New"), "customer": Customer(note="New"),
               "collection": Collection(title="New")}  # fmt: skip
    assert shop.update(record.id, changed[record.kind]).id


SOME = frozenset({"line_items", "addresses"})
KINDS = pytest.mark.parametrize("kind", ["order", "customer", "collection"])


@KINDS
def test_only_what_was_changed_since_a_time_is_in_a_job(plain: Shop, kind: str) -> None:
    records = read(plain, kind)
    assert len(records) == FEW
    plain.clock.sleep(3_600)
    _touch(plain, records[0])
    plain.clock.sleep(60)
    since = datetime.fromtimestamp(plain.clock.time(), UTC)
    for each in records[2:]:
        _touch(plain, each)
    by_job, by_pages = both(plain, kind, fields=SOME, updated_since=since)
    assert by_job == by_pages
    assert [each.id for each in by_job] == [each.id for each in records[2:]]
    *_, job = plain.sandbox.all("BulkOperation")
    assert (job["rootObjectCount"], "updated_at:>=" in job["query"]) == ("6", True), "an overlap"
    later = since + timedelta(hours=1)
    plain.sent.clear()
    assert read(plain, kind, updated_since=later) == []
    assert "BulkQuery" not in plain.operations


def _before(name: str, act: Callable[[], object]) -> Callable[[Request, Handler], Response]:
    """Return what acts once before an operation."""
    acts = [act]

    def between(request: Request, sandbox: Handler) -> Response:
        is_it = isinstance(request.body, bytes) and operation(json.loads(request.body)) == name
        if is_it and acts:
            acts.pop()()
        return sandbox(request)

    return between


def test_an_order_that_went_away_meanwhile_is_left_out(plain: Shop) -> None:
    ids = [each.id for each in read(plain, "order")]
    for each in ids[:2]:
        _parcel(plain, each, [plain.read(each, "order").line_items[0].id], "P")
    plain.between = _before("OrdersById", lambda: plain.sandbox.delete(ids[0]))
    assert [each.id for each in read(plain, "order")] == ids[1:]


def test_an_order_that_changes_meanwhile_keeps_the_time_of_the_job(plain: Shop) -> None:
    """Its lines are those of the job: by a later time it would never be read again."""
    ids = [each.id for each in read(plain, "order")]
    line = plain.read(ids[0], "order").line_items[0].id
    _parcel(plain, ids[0], [line], "P")
    before = plain.read(ids[0], "order")

    def change() -> None:
        plain.clock.sleep(60)
        _refund(plain, ids[0], [line], "late")

    plain.between = _before("OrdersById", change)
    found = read(plain, "order")[0]
    plain.between = None
    now = plain.read(ids[0], "order")
    assert now.updated_at > before.updated_at
    assert found.updated_at == before.updated_at
    assert found.fulfillments == now.fulfillments
    again = read(plain, "order", updated_since=found.updated_at + timedelta(seconds=1))
    assert again == [now]


def test_parts_are_asked_for_once_for_many_orders_and_only_where_there_are_any(plain: Shop) -> None:
    ids = [each.id for each in read(plain, "order")]
    assert "OrdersById" not in plain.operations
    for each in ids[2:5]:
        _parcel(plain, each, [plain.read(each, "order").line_items[0].id], "P")
    plain.sent.clear()
    read(plain, "order", fields=frozenset({"number"}))
    assert "OrdersById" not in plain.operations
    read(plain, "order")
    [sent] = plain.variables("OrdersById")
    assert sent["ids"] == ids[2:5]
    assert document("orders_by_id").cost(sent) == 28


# -- all of them, or an error


@KINDS
def test_a_small_shop_is_read_by_pages_and_a_setting_forbids_jobs(plain: Shop, kind: str) -> None:
    records = plain.adapter.records(kind)
    for least, counts in ((FEW + 1, 1), (0, 0)):
        new = records.settings.model_copy(update={"bulk_from": least})  # type: ignore[attr-defined]  # ours
        records.settings = new  # type: ignore[attr-defined]  # ours
        plain.sent.clear()
        assert len(read(plain, kind)) == FEW
        assert "BulkQuery" not in plain.operations
        assert plain.operations.count(f"{kind.title()}sCount") == counts


@KINDS
def test_a_job_that_fails_is_run_once_more_and_its_part_is_never_taken_for_all(
    plain: Shop, kind: str
) -> None:
    plain.sandbox.switch(bulk_ends=["50 FAILED TIMEOUT"])
    assert len(read(plain, kind, fields=SOME)) == FEW
    plain.sandbox.switch(bulk_ends=["50 FAILED TIMEOUT"] * 2)
    with pytest.raises(Unavailable, match=r"TIMEOUT.*bulk_from"):
        read(plain, kind, fields=SOME)
    plain.sandbox.switch(bulk_ends=["50 EXPIRED"])
    with pytest.raises(Unavailable, match="EXPIRED"):
        read(plain, kind, fields=SOME)


@KINDS
def test_a_file_that_is_not_whole_is_brought_again_or_an_error(plain: Shop, kind: str) -> None:
    plain.sandbox.switch(bulk_cuts=[0.6])
    assert len(read(plain, kind, fields=SOME)) == FEW
    plain.sandbox.switch(bulk_cuts=[0.6] * 2)
    with pytest.raises(BadAnswer):
        read(plain, kind, fields=SOME)
    plain.sandbox.switch(bulk_cuts=[])
    plain.sandbox.switch(bulk_spoils=["drop"])
    with pytest.raises(BadAnswer):
        read(plain, kind, fields=SOME)


def test_a_query_that_the_shop_refuses_costs_time_and_no_records(plain: Shop) -> None:
    def between(request: Request, sandbox: Handler) -> Response:
        if isinstance(request.body, bytes) and b"bulkOperationRunQuery" in request.body:
            request = replace(request, body=request.body.replace(b"edges", b"nodes"))
        return sandbox(request)

    whole = read(plain, "order", fields=SOME)
    plain.between = between
    plain.sent.clear()
    assert read(plain, "order", fields=SOME) == whole
    assert plain.operations.count("BulkQuery") == 1
    assert plain.operations.count("Orders") == 2


def test_a_query_that_the_shop_refuses_for_another_reason_is_an_error(plain: Shop) -> None:
    def between(request: Request, sandbox: Handler) -> Response:
        if isinstance(request.body, bytes) and b"bulkOperationRunQuery" in request.body:
            error = {"field": None, "message": "Frozen", "code": None}
            payload = {"bulkOperation": None, "userErrors": [error]}
            return answer(200, {"data": {"bulkOperationRunQuery": payload}})
        return sandbox(request)

    plain.between = between
    with pytest.raises(Rejected, match="Frozen"):
        read(plain, "order", fields=SOME)


@KINDS
def test_a_cursor_goes_on_in_another_engine(
    plain: Shop, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_reading, "_SIZE", 3)
    whole = read(plain, kind)
    assert len(whole) == FEW
    first = plain.engine.run(plain.adapter.records(kind).page(Query(), ""))
    plain.adapter = ShopifyAdapter(plain.adapter.settings)
    assert [*first.records, *read(plain, kind, first.cursor)] == whole
    assert list(plain.engine.spool.iterdir()) == []


# -- what is asked


@pytest.mark.parametrize("export", [ORDERS, CUSTOMERS, COLLECTIONS], ids=lambda each: each.count)
def test_a_query_has_five_connections_at_most_and_says_all_in_place(export: Export) -> None:
    flags = {each: True for names in export.documents.values() for each in names}
    for name in export.needed(flags):
        wanted = {**flags, **dict.fromkeys(_OTHERS, True)}
        text = query_text(name, wanted, "updated_at:>='2026-01-01T00:00:00Z'")
        assert 1 < text.count("edges") <= 5
        assert "fragment" not in text
        assert "$" not in text
        assert len(text) < 65_535
        only = query_text(name, dict.fromkeys(wanted, False), None)
        assert only.count("edges") == 1


_OTHERS = ("withCustomer", "withProducts", "withFulfillments", "withRefunds", "withPayments")
