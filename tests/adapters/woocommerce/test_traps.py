"""The traps of WooCommerce that corrupt data, one test or more for each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.adapters.woocommerce.shop import Shop, tee

from storebridge.adapter import Change, Query
from storebridge.errors import OutcomeUnknown
from storebridge.flow import Request, Response
from storebridge.models import (
    Dimensions,
    InventoryLevel,
    Length,
    Media,
    Metafield,
    Money,
    Option,
    Product,
    Sale,
    Variant,
    Weight,
)
from storebridge.testing.rig import creation

_PRODUCTS = "/products/batch"


def _usd(text: str) -> Money:
    return Money(text, "USD")


@pytest.fixture
def shop() -> Shop:
    made = Shop()
    made.learn()
    return made


@pytest.mark.parametrize(
    "given",
    [
        {"status": "bogus"},
        {"visibility": "sometimes"},
        {"variant": {"price": Money("-5", "USD")}},
        {"variant": {"price": Money("5", "EUR")}},
        {"variant": {"barcodes": ("bad!",)}},
        {"variant": {"inventory": (InventoryLevel(location="Mars", available=1),)}},
        {"variant": {"weight": Weight(value=-1, unit="kg")}},
        {"platform_fields": {"woocommerce": {"menu_order": "3"}}},
        {"platform_fields": {"woocommerce": {"sold_individually": 1}}},
        {"title": "  "},
    ],
    ids=str,
)
def test_trap_1_what_a_batch_would_take_unseen_is_refused_before(shop: Shop, given: Any) -> None:
    bad, good = shop.create(tee("bad", **given), tee("good"))
    assert (bad.status, bad.cause) == ("failed", "rejected")
    assert good.status == "applied"
    sent = [item["sku"] for body in shop.bodies() for item in body.get("create", ())]
    assert sent == ["GOOD"]


def test_trap_2_a_fatal_item_takes_no_other_with_it() -> None:
    def fatal(request: Request, sandbox: Any) -> Response:
        """Make what comes before the poison, then die, as PHP does."""
        if not request.path.endswith(_PRODUCTS) or not isinstance(request.body, bytes):
            return Response(**_plain(sandbox(request)))
        items = json.loads(request.body)["create"]
        place = next((n for n, item in enumerate(items) if item["sku"] == "POISON"), None)
        if place is None:
            return Response(**_plain(sandbox(request)))
        body = json.dumps({"create": items[:place]}).encode()
        if place:
            sandbox(_with_body(request, body))
        return Response(status=500, body=b'{"code":"internal_server_error","message":"x"}')

    shop = Shop(fatal)
    shop.learn()
    outcomes = shop.create(tee("a"), tee("poison"), tee("c"), tee("d"))
    assert [o.status for o in outcomes] == ["applied", "unknown", "applied", "applied"]
    assert sorted(row["sku"] for row in shop.all()) == ["A", "C", "D"]


def test_trap_3_null_is_never_sent_but_for_metadata(shop: Shop) -> None:
    sale = Sale(price=_usd("5"), ends_at=datetime(2030, 1, 31, 23, 59, 59, tzinfo=UTC))
    full = {
        "barcodes": ("4006381333931",),
        "sale": sale,
        "inventory": (InventoryLevel(available=3),),
        "weight": Weight(value=2, unit="lb"),
        "dimensions": Dimensions(length=Length(value=1, unit="in")),
    }
    product = tee("a", tags=("x",), metafields=(Metafield(namespace="k", key="a", value="1"),))
    variant = product.variants[0].but(**full)
    [made] = shop.create(product.but(variants=(variant,), description_html="<p>x</p>"))
    empty = {
        "barcodes": (),
        "price": _usd("9.90"),
        "compare_at_price": None,
        "sale": None,
        "weight": None,
        "dimensions": None,
    }
    change: Change[Product] = Change(
        id="u",
        action="update",
        part="core",
        record_id=made.id,
        desired=Product(
            description_html="", tags=(), variants=(Variant(id=made.id, **empty),), brand=""
        ),
        removed={"metafields": ("k.a",)},
    )
    [outcome] = shop.write("product", change)
    assert outcome.status == "applied"
    for body in shop.bodies():
        for item in (*body.get("create", ()), *body.get("update", ())):
            assert None not in _values({k: v for k, v in item.items() if k != "meta_data"})
    [live] = shop.fetch(f"id:{made.id}")
    assert (live.description_html, live.tags, live.metafields) == ("", (), ())
    assert (live.variants[0].sale, live.variants[0].weight) == (None, None)
    assert live.variants[0].barcodes == ()


@pytest.mark.parametrize("text", ["-0.01", "-5"])
@pytest.mark.parametrize("field", ["price", "compare_at_price", "sale"])
def test_trap_4_wrong_money_is_refused_before_it_is_sent(shop: Shop, field: str, text: str) -> None:
    money = Money(text, "USD")
    given = {"price": _usd("9.90"), field: Sale(price=money) if field == "sale" else money}
    [outcome] = shop.create(tee("a", variant=given))
    assert (outcome.status, outcome.cause) == ("failed", "rejected")
    assert outcome.message
    assert outcome.remedy
    assert not shop.bodies()


@pytest.mark.parametrize("separator", [".", ","])
@pytest.mark.parametrize("text", ["1234.56", "0.10", "99999999999.99", "5"])
def test_trap_4_prices_are_plain_digits_with_a_dot(separator: str, text: str) -> None:
    shop = Shop(switches={"woocommerce_price_decimal_sep": separator})
    shop.learn()
    [made] = shop.create(tee("a", variant={"price": _usd(text)}))
    assert shop.bodies()[-1]["create"][0]["regular_price"] == text
    assert shop.fetch(f"id:{made.id}")[0].variants[0].price == _usd(text)


def test_trap_5_a_sale_price_that_would_be_dropped_is_refused(shop: Shop) -> None:
    [equal] = shop.create(tee("a", variant={"sale": Sale(price=_usd("9.90"))}))
    assert "must be below the price" in equal.message
    ends = datetime(2030, 1, 1, tzinfo=UTC)
    [made] = shop.create(tee("b", variant={"sale": Sale(price=_usd("5"), ends_at=ends)}))
    lowered = shop.update(made.id, variants=(Variant(id=made.id, price=_usd("4")),))
    assert (lowered.status, lowered.cause) == ("failed", "rejected")
    kept = shop.fetch(f"id:{made.id}")[0].variants[0]
    assert (kept.price, kept.sale.price, kept.sale.ends_at) == (_usd("9.90"), _usd("5"), ends)


def test_trap_6_everything_is_read_as_it_is_edited(shop: Shop) -> None:
    [made] = shop.create(tee("a", description_html="a\n\nb [products]"))
    shop.requests.clear()
    [page] = [shop.engine.run(shop.adapter.records("product").page(Query(), ""))]
    assert page.records[0].description_html == "a\n\nb [products]"
    assert shop.fetch(f"id:{made.id}", "handle:a", "sku:A")[0].description_html.startswith("a\n\n")
    reads = [r for r in shop.requests if r.method == "GET"]
    assert reads
    assert all(("context", "edit") in r.params for r in reads)


def test_trap_7_backslashes_survive(shop: Shop) -> None:
    text = r"C:\dir \" {\"a\"}"
    [made] = shop.create(
        tee(
            "a",
            title=text,
            description_html=f"<p>{text}</p>",
            short_description_html=text,
            platform_fields={"woocommerce": {"purchase_note": r"n\n"}},
            variant={"sku": r"S\1"},
            metafields=(Metafield(namespace="k", key="a", value=r"m\m"),),
        )
    )
    assert made.status == "applied"
    [live] = shop.fetch(f"id:{made.id}")
    assert live.title == text
    assert live.description_html == f"<p>{text}</p>"
    assert live.short_description_html == text
    assert live.variants[0].sku == r"S\1"
    assert live.metafields[0].value == r"m\m"
    assert live.platform_fields["woocommerce"]["purchase_note"] == r"n\n"


def test_trap_8_what_the_server_filters_is_said_and_expected(shop: Shop) -> None:
    html = '<p onclick="x()">a & b<script>alert(1)</script></p><a href="javascript:x">l</a><br/>'
    product = tee("a", title="Men & <b>Women</b> <3 5>4", description_html=html)
    fits = [fit.message for fit in shop.adapter.records("product").check(product)]
    assert any("<script>" in fit for fit in fits)
    assert any("on… attributes" in fit for fit in fits)
    assert any("javascript: links" in fit for fit in fits)
    [made] = shop.create(product)
    [live] = shop.fetch(f"id:{made.id}")
    assert live.title == product.title
    assert live.description_html == shop.adapter.normalise(product).description_html


@pytest.mark.parametrize(
    ("html", "loses"),
    [
        ("<p>x < y</p>", True),
        ("a <3 5> b", True),
        ("<p>a</p> <", True),
        ("5 > 4 &lt; 6", False),
        ("<!-- a < b --><b>x</b>", False),
    ],
)
def test_trap_8_a_sign_that_begins_no_tag_is_said_and_expected(
    shop: Shop, html: str, *, loses: bool
) -> None:
    product = tee("a", description_html=html)
    fits = [fit.message for fit in shop.adapter.records("product").check(product)]
    assert any("begins no tag" in fit for fit in fits) == loses
    [made] = shop.create(product)
    [live] = shop.fetch(f"id:{made.id}")
    assert live.description_html == shop.adapter.normalise(product).description_html


def test_trap_9_a_single_put_carries_no_id(shop: Shop) -> None:
    [made] = shop.create(tee("a"))
    shop.requests.clear()
    shop.update(made.id, part="media", media=(Media(url="https://cdn.example.com/a.jpg"),))
    puts = shop.bodies("PUT")
    assert puts
    assert all("id" not in body for body in puts)


def test_trap_10_and_11_one_writer_at_a_time_for_a_product_and_its_variations(shop: Shop) -> None:
    records = shop.adapter.records("product")
    parts = [
        Change(id=str(n), action="update", part=part, record_id="7", desired=Product(title="x"))
        for n, part in enumerate(("core", "media", "membership"))
    ]
    lanes = {records.lanes(change) for change in parts}
    assert len(lanes) == 1
    assert lanes != {records.lanes(creation(tee("a")))}


def test_trap_10_a_parents_batches_follow_each_other() -> None:
    shop = Shop(batch_size=2)
    sizes = tuple(map(str, range(5)))
    variants = tuple(Variant(sku=f"V{size}", options=(size,), price=_usd("9")) for size in sizes)
    options = (Option(name="Size", values=sizes),)
    [made] = shop.create(Product(handle="a", title="A", options=options, variants=variants))
    assert made.status == "applied"
    batches = [r for r in shop.requests if r.path.endswith("/variations/batch")]
    assert [len(json.loads(r.body)["create"]) for r in batches] == [2, 2, 1]  # type: ignore[arg-type]
    assert [v.sku for v in shop.fetch("sku:V3")[0].variants] == [f"V{size}" for size in sizes]


@pytest.mark.parametrize("pace", [0.9, 6.0])
@pytest.mark.parametrize("sku", [True, False])
def test_trap_12_a_timeout_does_not_stop_the_server(sku: bool, pace: float) -> None:
    """The answer is lost, and the products come one after the other in the time after it."""
    todo: list[Any] = []

    def slow(request: Request, sandbox: Any) -> Response:
        now = shop.clock.time()
        while todo and todo[0][0] <= now:
            sandbox(todo.pop(0)[1])
        if not request.path.endswith(_PRODUCTS) or todo:
            return Response(**_plain(sandbox(request)))
        assert isinstance(request.body, bytes)
        for number, item in enumerate(json.loads(request.body)["create"]):
            one = _with_body(request, json.dumps({"create": [item]}).encode())
            todo.append((now + pace * number, one))
        raise OutcomeUnknown("no answer in time", covers=request.covers)

    shop = Shop()
    shop.learn()
    shop.between = slow
    given = {} if sku else {"variant": {"sku": ""}}
    outcomes = shop.create(*(tee(f"t{n}", **given) for n in range(10)))
    for _, late in todo:  # what the server still works on
        shop.sandbox(late)
    assert {o.status for o in outcomes} == {"applied"}
    assert len(shop.all()) == 10
    assert len({o.id for o in outcomes}) == 10


@pytest.mark.parametrize("handle", ["a" * 250, "外" * 60, "a-" * 120])
def test_trap_12_a_product_without_sku_is_found_by_what_is_kept_of_its_handle(
    shop: Shop, handle: str
) -> None:
    def lost(request: Request, sandbox: Any) -> Response:
        said = Response(**_plain(sandbox(request)))
        if request.path.endswith(_PRODUCTS):
            raise OutcomeUnknown("no answer", covers=request.covers)
        return said

    shop.between = lost
    [made] = shop.create(Product(handle=handle, title="A"))
    assert made.status == "applied"
    assert len(shop.all()) == 1


def test_trap_13_a_title_can_not_be_emptied(shop: Shop) -> None:
    [made] = shop.create(tee("a", description_html="<p>x</p>", short_description_html="y"))
    refused = shop.update(made.id, title="", description_html="", short_description_html="")
    assert refused.cause == "rejected"
    emptied = shop.update(made.id, description_html="", short_description_html="")
    assert emptied.status == "applied"
    [live] = shop.fetch(f"id:{made.id}")
    assert (live.title, live.description_html, live.short_description_html) == ("Tee a", "", "")


def test_trap_14_bodies_say_that_they_are_json_and_an_empty_answer_is_no_success() -> None:
    def empty(request: Request, sandbox: Any) -> Response:
        if request.path.endswith("/batch"):
            return Response(status=200, headers={"content-type": "application/json"}, body=b"[]")
        return Response(**_plain(sandbox(request)))

    shop = Shop(empty)
    shop.learn()
    [made] = shop.create(tee("a"))
    assert made.status == "unknown"
    sent = [r for r in shop.requests if isinstance(r.body, bytes)]
    assert sent
    assert all(r.headers["content-type"] == "application/json" for r in sent)
    shop.between = None
    [made] = shop.create(tee("b"))
    shop.between = empty
    assert shop.update(made.id, title="New").status == "unknown"


def _values(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [each for item in value.values() for each in _values(item)]
    if isinstance(value, list):
        return [each for item in value for each in _values(item)]
    return [value]


def _plain(response: Response) -> dict[str, Any]:
    return {"status": response.status, "headers": response.headers, "body": response.body}


def _with_body(request: Request, body: bytes) -> Request:
    from dataclasses import replace

    return replace(request, body=body)


def test_each_of_the_fourteen_traps_has_a_test() -> None:
    names = [name for name in globals() if name.startswith("test_trap_")]
    words = {word for name in names for word in name.split("_")[2:6]}
    assert {str(number) for number in range(1, 15)} <= words
