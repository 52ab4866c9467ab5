from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.woocommerce.shop import Shop, tee

from storebridge.adapter import Batch, Change
from storebridge.engine import HandlerTransport
from storebridge.errors import OutcomeUnknown
from storebridge.flow import Outcome, Request, RequestKind, Response, Status
from storebridge.models import (
    Attribute,
    Collection,
    Customer,
    InventoryLevel,
    Media,
    Metafield,
    Money,
    Option,
    Order,
    Product,
    Sale,
    Variant,
)
from storebridge.testing import FaultTransport, seeded
from storebridge.testing.faults import Fault
from storebridge.testing.rig import MemoryJournal, creation

_DONE = (Status.APPLIED, Status.UNCHANGED)


def _usd(text: str) -> Money:
    return Money(text, "USD")


@pytest.fixture
def shop() -> Shop:
    made = Shop()
    made.learn()
    return made


def _shirt(handle: str = "shirt", **given: Any) -> Product:
    sizes = ("S", "M", "L")
    variants = tuple(
        Variant(sku=f"{handle}-{size}", options=(size,), price=_usd("20")) for size in sizes
    )
    options = (Option(name="Size", values=sizes),)
    fields = {"handle": handle, "title": handle, "options": options, "variants": variants}
    return Product(**{**fields, **given})


# ----------------------------------------------------------------------------------- prices


def test_a_price_alone_keeps_what_is_struck_through(shop: Shop) -> None:
    price = {"price": _usd("8"), "compare_at_price": _usd("10")}
    [made] = shop.create(tee("a", variant=price))
    sent = shop.bodies()[-1]["create"][0]
    assert (sent["regular_price"], sent["sale_price"]) == ("10", "8")
    assert shop.update(made.id, variants=(Variant(id=made.id, price=_usd("7")),)).status in _DONE
    [live] = shop.fetch(f"id:{made.id}")
    assert (live.variants[0].price, live.variants[0].compare_at_price) == (_usd("7"), _usd("10"))
    shop.update(made.id, variants=(Variant(id=made.id, compare_at_price=None),))
    [live] = shop.fetch(f"id:{made.id}")
    assert (live.variants[0].price, live.variants[0].compare_at_price) == (_usd("7"), None)


def test_a_dated_sale_can_be_set_and_ended(shop: Shop) -> None:
    [made] = shop.create(tee("a"))
    sale = Sale(price=_usd("5"), starts_at="2026-01-01T00:00:00Z", ends_at="2030-01-31T23:59:59Z")
    shop.update(made.id, variants=(Variant(id=made.id, sale=sale),))
    assert shop.fetch(f"id:{made.id}")[0].variants[0].sale == sale
    shop.update(made.id, variants=(Variant(id=made.id, sale=None),))
    [live] = shop.fetch(f"id:{made.id}")
    assert (live.variants[0].price, live.variants[0].sale) == (_usd("9.90"), None)


def test_a_quantity_turns_counting_on(shop: Shop) -> None:
    [made] = shop.create(tee("a"))
    assert not shop.fetch(f"id:{made.id}")[0].variants[0].tracked
    level = InventoryLevel(location="Default", available=7)
    shop.update(made.id, variants=(Variant(id=made.id, inventory=(level,)),))
    [live] = shop.fetch(f"id:{made.id}")
    assert (live.variants[0].tracked, live.variants[0].inventory) == (True, (level,))


# --------------------------------------------------------------------------------- variations


def test_a_variable_product_is_one_create_and_one_batch(shop: Shop) -> None:
    [made] = shop.create(_shirt())
    posts = [r.path for r in shop.requests if r.kind is RequestKind.CREATE]
    assert len(posts) == 2
    assert made.record is not None
    assert [v.sku for v in shop.fetch("handle:shirt")[0].variants] == [
        "shirt-S",
        "shirt-M",
        "shirt-L",
    ]


def test_a_refused_variation_is_told_and_the_others_are_made(shop: Shop) -> None:
    shop.create(tee("x", variant={"sku": "shirt-M"}))
    [made] = shop.create(_shirt())
    assert (made.status, made.cause) == (Status.FAILED, "conflict")
    assert "1 of 3 variants" in made.message
    [live] = shop.fetch("handle:shirt")
    assert [v.sku for v in live.variants] == ["shirt-S", "shirt-L"]


def test_variations_are_added_changed_and_taken_out(shop: Shop) -> None:
    [made] = shop.create(_shirt())
    [live] = shop.fetch("handle:shirt")
    options = (Option(name="Size", values=("S", "M", "L", "XL")),)
    added = Variant(sku="shirt-XL", options=("XL",), price=_usd("21"))
    changed = Variant(id=live.variants[0].id, price=_usd("19"))
    change: Change[Product] = Change(
        id="u",
        action="update",
        part="core",
        record_id=made.id,
        desired=Product(options=options, variants=(added, changed)),
        removed={"variants": (f"id:{live.variants[2].id}",)},
    )
    [outcome] = shop.write("product", change)
    assert outcome.status is Status.APPLIED, outcome
    [live] = shop.fetch("handle:shirt")
    prices = {v.sku: v.price for v in live.variants}
    assert prices == {"shirt-S": _usd("19"), "shirt-M": _usd("20"), "shirt-XL": _usd("21")}
    assert live.options[0].values == ("S", "M", "L", "XL")


def test_a_variation_with_a_value_that_the_option_lacks_is_refused(shop: Shop) -> None:
    [made] = shop.create(_shirt())
    refused = shop.update(made.id, variants=(Variant(sku="n", options=("XXL",)),))
    assert refused.cause == "rejected"
    assert "no value 'XXL'" in refused.message


def test_the_options_of_a_product_with_variations_stay(shop: Shop) -> None:
    [made] = shop.create(_shirt())
    refused = shop.update(made.id, options=())
    assert "would delete all variations" in refused.message
    assert len(shop.fetch("handle:shirt")[0].variants) == 3


def test_writing_attributes_keeps_the_options_and_the_other_way_round(shop: Shop) -> None:
    wool = Attribute(name="Material", values=("Wool",), visible=False)
    [made] = shop.create(_shirt(attributes=(wool,)))
    shop.update(made.id, attributes=(Attribute(name="Fit", values=("Slim", "Loose")),))
    [live] = shop.fetch("handle:shirt")
    assert [o.name for o in live.options] == ["Size"]
    assert [a.name for a in live.attributes] == ["Fit"]
    assert [v.options for v in live.variants] == [("S",), ("M",), ("L",)]
    shop.update(made.id, options=(Option(name="Size", values=("S", "M", "L", "XL")),))
    assert [a.name for a in shop.fetch("handle:shirt")[0].attributes] == ["Fit"]


def test_a_global_attribute_and_a_brand_are_made_when_missing(shop: Shop) -> None:
    own = {"woocommerce": {"global": True}}
    size = Option(name="Größe & Co", values=("S", "M", "L"), platform_fields=own)
    shop.create(_shirt("a", options=(size,), brand="Brand & Sons"))
    [second] = shop.create(_shirt("b", options=(size,), brand="Brand & Sons"))
    assert second.status is Status.APPLIED
    [live] = shop.fetch("handle:b")
    assert live.brand == "Brand & Sons"
    assert live.options[0].platform_fields["woocommerce"]["global"] is True
    assert [v.options for v in live.variants] == [("S",), ("M",), ("L",)]
    made = [r.path for r in shop.requests if r.method == "POST" and "batch" not in r.path]
    assert made == ["/wp-json/wc/v3/products/brands", "/wp-json/wc/v3/products/attributes"] or (
        sorted(made) == sorted(set(made)) and len(made) == 2
    )


@pytest.mark.parametrize("ours", [True, False])
def test_variations_keep_their_values_when_an_option_becomes_the_shops(
    shop: Shop, ours: bool
) -> None:
    """A variation keeps its values under the option's slug, which is then another one."""

    def size(globally: bool) -> Option:
        flag = {"woocommerce": {"global": globally}}
        return Option(name="Size", values=("S", "M", "L"), platform_fields=flag)

    [made] = shop.create(_shirt(options=(size(not ours),)))
    shop.update(made.id, options=(size(ours),))
    [live] = shop.fetch("handle:shirt")
    assert live.options[0].platform_fields["woocommerce"]["global"] is ours
    assert [v.options for v in live.variants] == [("S",), ("M",), ("L",)]


def test_an_option_of_the_products_own_stays_so_where_the_shop_has_one_of_the_name(
    shop: Shop,
) -> None:
    ours, own = ({"woocommerce": {"global": flag}} for flag in (True, False))
    values = ("S", "M", "L")
    shop.create(_shirt("a", options=(Option(name="Size", values=values, platform_fields=ours),)))
    [made] = shop.create(
        _shirt("b", options=(Option(name="Size", values=values, platform_fields=own),))
    )
    wider = Option(name="Size", values=(*values, "XL"))
    shop.update(made.id, options=(wider,), variants=(Variant(sku="b-XL", options=("XL",)),))
    [live] = shop.fetch("handle:b")
    assert [v.options for v in live.variants] == [("S",), ("M",), ("L",), ("XL",)]


def test_an_attribute_that_the_shop_is_slow_to_make_does_not_become_the_products_own() -> None:
    """Its creation is lost, and a look shows nothing yet."""

    def slow(request: Request, sandbox: Any) -> Response:
        if request.method == "POST" and request.path.endswith("/products/attributes"):
            return Response(status=504)
        said: Response = sandbox(request)
        return said

    shop = Shop(slow)
    own = {"woocommerce": {"global": True}}
    size = Option(name="Size", values=("S", "M", "L"), platform_fields=own)
    [outcome] = shop.create(_shirt(options=(size,)))
    assert outcome.status is Status.FAILED
    assert "no attribute 'Size' yet" in outcome.message
    assert not shop.fetch("handle:shirt")


# ------------------------------------------------------------------------------------ batches


def test_answers_in_another_order_go_to_their_own_items() -> None:
    def turned(request: Request, sandbox: Any) -> Response:
        said: Response = sandbox(request)
        if request.path.endswith("/products/batch"):
            body = json.loads(said.body)
            body = {verb: rows[::-1] for verb, rows in body.items()}
            return Response(status=200, headers=said.headers, body=json.dumps(body).encode())
        return said

    shop = Shop(turned)
    shop.learn()
    outcomes = shop.create(*(tee(f"t{n}") for n in range(4)))
    for number, outcome in enumerate(outcomes):
        assert outcome.status is Status.APPLIED
        assert shop.fetch(f"id:{outcome.id}")[0].sku == f"T{number}"


def test_errors_of_items_go_to_their_own_items(shop: Shop) -> None:
    shop.create(tee("b"))
    outcomes = shop.create(tee("a"), tee("b", handle="b2"), tee("c"))
    assert [o.status for o in outcomes] == ["applied", "failed", "applied"]
    assert outcomes[1].cause == "conflict"
    assert "SKU" in outcomes[1].message
    assert len(shop.all()) == 3


def test_a_short_answer_leaves_no_item_for_done() -> None:
    def short(request: Request, sandbox: Any) -> Response:
        said: Response = sandbox(request)
        if request.path.endswith("/products/batch"):
            body = json.loads(said.body)
            body = {verb: rows[:1] for verb, rows in body.items()}
            return Response(status=200, headers=said.headers, body=json.dumps(body).encode())
        return said

    shop = Shop(short)
    shop.learn()
    outcomes = shop.create(tee("a"), tee("b"), tee("c"))
    assert [o.status for o in outcomes] == ["applied"] * 3
    assert len(shop.all()) == 3


def test_a_request_that_is_too_large_is_sent_in_pieces() -> None:
    shop = Shop(switches={"max_body": 3_000})
    shop.learn()
    outcomes = shop.create(*(tee(f"t{n}", description_html="x" * 900) for n in range(6)))
    assert {o.status for o in outcomes} == {Status.APPLIED}
    assert len(shop.all()) == 6


def test_updates_whose_batch_dies_are_sent_one_by_one() -> None:
    def fatal(request: Request, sandbox: Any) -> Response:
        body = request.body if isinstance(request.body, bytes) else b""
        if b"poison" in body:
            return Response(status=500, body=b"<html>critical error</html>")
        said: Response = sandbox(request)
        return said

    shop = Shop()
    shop.learn()
    made = shop.create(tee("a"), tee("b"), tee("c"))
    shop.between = fatal
    changes: list[Change[Product]] = [
        Change(
            id=str(n),
            action="update",
            part="core",
            record_id=outcome.id,
            desired=Product(title="poison" if n == 1 else "New"),
        )
        for n, outcome in enumerate(made)
    ]
    outcomes = shop.write("product", *changes)
    assert [o.status for o in outcomes] == ["applied", "unknown", "applied"]


def test_an_update_of_a_product_that_is_gone_is_told(shop: Shop) -> None:
    outcome = shop.update("4711", title="New")
    assert (outcome.status, outcome.cause) == (Status.FAILED, "missing")


def test_deleted_products_go_to_the_trash_unless_told_otherwise() -> None:
    for word, left in (("trash", 1), ("force", 0)):
        shop = Shop(delete=word)
        shop.learn()
        [made] = shop.create(tee("a"))
        change: Change[Product] = Change(
            id="d", action="delete", part="core", record_id=made.id, desired=Product()
        )
        assert shop.write("product", change)[0].status is Status.APPLIED
        assert shop.fetch(f"id:{made.id}") == ()
        assert shop.write("product", change)[0].status is Status.APPLIED
        trash = shop.adapter.records("product")
        from storebridge.adapter import Query

        found = shop.engine.run(trash.page(Query(status="trash"), ""))
        assert len(found.records) == left


def test_what_an_earlier_process_made_is_adopted_by_its_mark(shop: Shop) -> None:
    change = creation(tee("a"), "1")
    [first] = shop.write("product", change, id="same")
    [again] = shop.write("product", change, id="same", uncertain=frozenset({"1"}))
    assert (again.status, again.id) == (Status.APPLIED, first.id)
    stranger = replace(change, desired=tee("a", variant={"sku": "OTHER"}))
    [other] = shop.write("product", stranger, id="another", uncertain=frozenset({"1"}))
    assert other.id != first.id
    assert len(shop.all()) == 2


def test_a_product_without_any_key_is_found_by_its_mark(shop: Shop) -> None:
    change = creation(Product(title="No key"), "1")
    [first] = shop.write("product", change, id="same")
    [again] = shop.write("product", change, id="same", uncertain=frozenset({"1"}))
    assert again.id == first.id


def test_variations_of_a_killed_create_are_completed(shop: Shop) -> None:
    change = creation(_shirt(), "1")

    def killed(request: Request, sandbox: Any) -> Response:
        if request.path.endswith("/variations/batch"):
            raise KeyboardInterrupt
        said: Response = sandbox(request)
        return said

    shop.between = killed
    with pytest.raises(KeyboardInterrupt):
        shop.write("product", change, id="same")
    shop.between = None
    [outcome] = shop.write("product", change, id="same", uncertain=frozenset({"1"}))
    assert outcome.status is Status.APPLIED
    assert len(shop.fetch("handle:shirt")[0].variants) == 3
    assert len(shop.all()) == 1


def test_a_key_that_is_taken_by_our_own_late_create_is_no_conflict(shop: Shop) -> None:
    """The looks find nothing, and the first request is carried out just before the second one."""
    waiting: list[Request] = []

    def late(request: Request, sandbox: Any) -> Response:
        if request.path.endswith("/products/batch"):
            if not waiting:
                waiting.append(request)
                raise OutcomeUnknown("no answer", covers=request.covers)
            sandbox(waiting[0])
        said: Response = sandbox(request)
        return said

    shop.between = late
    [outcome] = shop.create(tee("a"))
    assert outcome.status is Status.APPLIED, outcome
    assert len(shop.all()) == 1


def test_a_lost_create_whose_slug_was_taken_is_found_by_its_mark(shop: Shop) -> None:
    shop.create(tee("a"))

    def lost(request: Request, sandbox: Any) -> Response:
        said: Response = sandbox(request)
        if request.path.endswith("/products/batch"):
            raise OutcomeUnknown("no answer", covers=request.covers)
        return said

    shop.between = lost
    [outcome] = shop.create(tee("a", variant={"sku": ""}))
    assert outcome.status is Status.APPLIED, outcome
    assert sorted(row["slug"] for row in shop.all()) == ["a", "a-2"]


def test_nothing_is_sent_again_where_looking_fails(shop: Shop) -> None:
    def down(request: Request, sandbox: Any) -> Response:
        if request.path.endswith("/products/batch"):
            sandbox(request)
            raise OutcomeUnknown("no answer", covers=request.covers)
        return Response(status=200, body=b"<html>a page</html>")

    shop.between = down
    [outcome] = shop.create(tee("a", variant={"sku": ""}))
    assert outcome.status is Status.UNKNOWN
    assert len([r for r in shop.requests if r.path.endswith("/products/batch")]) == 1
    shop.between = None
    assert len(shop.all()) == 1


def test_a_customers_mark_is_one_that_reads_back(shop: Shop) -> None:
    shop.create(Customer(email="a@example.com"))
    [mark] = shop.bodies()[-1]["create"][0]["meta_data"]
    assert mark["key"] == "storebridge_key"  # keys that begin with _ are hidden for customers


@pytest.mark.parametrize("seed", range(6))
def test_faults_double_and_lose_nothing(seed: int) -> None:
    """Answers lost, cut, turned into pages, spoiled by 5xx: once each at the end."""
    _campaign(seed, 40)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_faults_double_and_lose_nothing_in_many_operations(seed: int) -> None:
    _campaign(seed, 1_000)


def _campaign(seed: int, count: int) -> None:
    shop = Shop()
    shop.learn()
    faults = [f for f in Fault if not f.name.startswith("KILLED")]
    transport = FaultTransport(
        HandlerTransport(shop.sandbox), seeded(seed, 0.25, faults), clock=shop.clock
    )
    shop.engine._transport = transport
    kinds = ("simple", "variable")
    changes = [
        creation(tee(f"t{n}") if kinds[n % 2] == "simple" else _shirt(f"s{n}"), str(n))
        for n in range(count)
    ]
    for start in range(0, count, 10):
        rest = changes[start : start + 10]
        uncertain: frozenset[str] = frozenset()
        for _ in range(30):
            outcomes = shop.write("product", *rest, id=f"b{start}", uncertain=uncertain)
            open_ = {o.change for o in outcomes if o.status is Status.UNKNOWN}
            open_ |= {o.change for o in outcomes if o.cause in ("unavailable", "answer")}
            bad = [o for o in outcomes if o.change not in open_ and o.status not in _DONE]
            assert not bad, bad
            rest = [change for change in rest if change.id in open_]
            uncertain = frozenset(open_)
            if not rest:
                break
        assert not rest, "never came to an end"
    skus = sorted(row["sku"] for row in _every(shop) if row["sku"])
    expected = [f"T{n}" for n in range(0, count, 2)]
    assert [sku for sku in skus if sku.startswith("T")] == sorted(expected)
    slugs = [row["slug"] for row in _every(shop)]
    assert len(slugs) == count
    assert len(set(slugs)) == count
    for row in _every(shop):
        if row["type"] == "variable":
            assert len(row["variations"]) == 3, row["slug"]


def _every(shop: Shop) -> list[Any]:
    found: list[Any] = []
    from storebridge.adapter import Credentials

    for page in range(1, 20):
        params = (("per_page", "100"), ("page", str(page)), ("orderby", "id"))
        request = Request(method="GET", path="/products", params=params)
        rows = json.loads(shop.sandbox(shop.adapter.prepare(request, Credentials(), "", 0.0)).body)
        found += rows
        if len(rows) < 100:
            return found
    return found


# ------------------------------------------------------------------------------------- pictures


def test_a_picture_by_its_address_is_fetched_once(shop: Shop) -> None:
    first, second = shop.create(tee("a"), tee("b"))
    url = "https://cdn.example.com/a.jpg"
    told = shop.update(first.id, part="media", media=(Media(url=url, alt="Front & back"),))
    assert told.status is Status.APPLIED, told
    assert list(told.media) == [f"url:{url}"]
    again = shop.update(second.id, part="media", media=(Media(url=url),))
    assert again.media == told.media
    [live] = shop.fetch(f"id:{first.id}")
    assert [m.alt for m in live.media] == ["Front & back"]
    assert sum("src" in image for body in shop.bodies("PUT") for image in body["images"]) == 1


def test_a_lost_answer_makes_no_second_copy_of_a_picture(shop: Shop) -> None:
    def lost(request: Request, sandbox: Any) -> Response:
        said: Response = sandbox(request)
        if request.method == "PUT":
            raise OutcomeUnknown("no answer", covers=request.covers)
        return said

    [made] = shop.create(tee("a"))
    shop.between = lost
    outcome = shop.update(
        made.id, part="media", media=(Media(url="https://cdn.example.com/a.jpg"),)
    )
    assert outcome.status is Status.APPLIED
    assert len([r for r in shop.requests if r.method == "PUT"]) == 1
    assert len(shop.fetch(f"id:{made.id}")[0].media) == 1


def _pictured(shop: Shop) -> tuple[Outcome, str]:
    """Return a product with a picture, and the picture's id."""
    [made] = shop.create(tee("a"))
    shop.update(made.id, part="media", media=(Media(url="https://cdn.example.com/a.jpg"),))
    return made, shop.fetch(f"id:{made.id}")[0].media[0].id


def _exchange(made: Outcome, old: str, **media: Any) -> Change[Product]:
    return Change(
        id="u",
        action="update",
        part="media",
        record_id=made.id,
        desired=Product(media=(Media(**media),)),
        removed={"media": (f"id:{old}",)} if old else {},
    )


def test_an_old_picture_is_not_taken_for_the_new_one_that_was_never_sent(shop: Shop) -> None:
    def vanished(request: Request, sandbox: Any) -> Response:
        if request.method == "PUT":
            raise OutcomeUnknown("no answer", covers=request.covers)
        said: Response = sandbox(request)
        return said

    made, old = _pictured(shop)
    shop.between = vanished
    change = _exchange(made, old, url="https://cdn.example.com/b.jpg")
    [outcome] = shop.write("product", change)
    assert (outcome.status, outcome.media) == (Status.UNKNOWN, {})


def test_a_pictures_text_that_was_never_sent_is_sent_again(shop: Shop) -> None:
    failures = []

    def vanished(request: Request, sandbox: Any) -> Response:
        if request.method == "PUT" and len(failures) < 2:
            failures.append(request)
            raise OutcomeUnknown("no answer", covers=request.covers)
        said: Response = sandbox(request)
        return said

    made, old = _pictured(shop)
    shop.between = vanished
    assert shop.write("product", _exchange(made, "", id=old, alt="New"))[0].status in _DONE
    assert [m.alt for m in shop.fetch(f"id:{made.id}")[0].media] == ["New"]


def test_a_picture_that_an_earlier_process_sent_is_not_sent_again(shop: Shop) -> None:
    """The answer was lost, and so was the look: only what was kept tells old from new."""
    made, old = _pictured(shop)
    change = _exchange(made, "", url="https://cdn.example.com/b.jpg")
    states: list[Any] = []

    class Journal(MemoryJournal):
        def remember(self, batch: str, state: Any) -> None:
            states.append(state)

    def cut(request: Request, sandbox: Any) -> Response:
        said: Response = sandbox(request)
        if request.method == "PUT":
            raise KeyboardInterrupt
        return said

    shop.between = cut
    batch = Batch(id="same", changes=(change,))
    with pytest.raises(KeyboardInterrupt):
        shop.engine.run_batch(shop.adapter.records("product"), batch, Journal())
    shop.between = None
    again = {"id": "same", "uncertain": frozenset({"u"}), "state": states[-1]}
    [outcome] = shop.write("product", change, **again)
    live = [m.id for m in shop.fetch(f"id:{made.id}")[0].media]
    assert outcome.status in _DONE
    assert len(live) == 2, "it was sent a second time"
    assert list(outcome.media.values()) == [live[1]]
    assert live[0] == old


def test_a_file_is_uploaded_with_the_password_of_a_user(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "Front view.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
    [made] = shop.create(tee("a"))
    outcome = shop.update(made.id, part="media", media=(Media(url=file.as_uri(), alt="F"),))
    assert outcome.status is Status.APPLIED, outcome
    assert list(outcome.media) == [f"url:{file.as_uri()}"]
    uploads = [r for r in shop.requests if r.path.endswith("/media") and r.method == "POST"]
    assert len(uploads) == 1
    keyless = Shop(password=None)
    keyless.learn()
    [made] = keyless.create(tee("a"))
    refused = keyless.update(made.id, part="media", media=(Media(url=file.as_uri()),))
    assert "application password" in refused.remedy


def test_pictures_that_stay_are_named_by_their_ids(shop: Shop) -> None:
    [made] = shop.create(tee("a"))
    urls = [f"https://cdn.example.com/{n}.jpg" for n in range(3)]
    shop.update(made.id, part="media", media=tuple(Media(url=url) for url in urls))
    before = shop.fetch(f"id:{made.id}")[0].media
    change: Change[Product] = Change(
        id="u",
        action="update",
        part="media",
        record_id=made.id,
        desired=Product(media=(Media(id=before[2].id, alt="Third"),)),
        removed={"media": (f"id:{before[0].id}",)},
    )
    shop.write("product", change)
    after = shop.fetch(f"id:{made.id}")[0].media
    assert [m.id for m in after] == [before[1].id, before[2].id]
    assert after[1].alt == "Third"


# ---------------------------------------------------------------------------- the other kinds


def test_categories_are_a_tree(shop: Shop) -> None:
    shop.create(Collection(handle="clothing", title="Clothing & more"))
    shop.create(Collection(handle="shirts", title="Shirts", parent="clothing"))
    records = shop.adapter.records("collection")
    [child] = shop.engine.run(records.fetch(["handle:shirts"], None))
    assert child.parent == "clothing"
    [made] = shop.create(tee("a", collections=("shirts", "clothing")))
    assert made.status is Status.APPLIED
    assert shop.fetch("sku:A")[0].collections == ("clothing", "shirts")
    [lacking] = shop.create(tee("b", collections=("nowhere",)))
    assert "no category 'nowhere'" in lacking.message


def test_a_lost_category_whose_slug_was_taken_is_found_by_its_name(shop: Shop) -> None:
    shop.create(Collection(handle="a", title="First"))

    def lost(request: Request, sandbox: Any) -> Response:
        said: Response = sandbox(request)
        if request.path.endswith("/categories/batch"):
            raise OutcomeUnknown("no answer", covers=request.covers)
        return said

    shop.between = lost
    [outcome] = shop.create(Collection(handle="a", title="Second"))
    assert outcome.status is Status.APPLIED, outcome
    assert len([r for r in shop.requests if r.path.endswith("/categories/batch")]) == 2


def test_the_default_category_stands_for_none(shop: Shop) -> None:
    [made] = shop.create(tee("a", collections=()))
    assert shop.fetch(f"id:{made.id}")[0].collections == ()
    normal = shop.adapter.normalise(tee("a", collections=("uncategorized",)))
    assert normal.collections == ()


def test_related_products_are_named_by_their_keys(shop: Shop) -> None:
    first, second = shop.create(tee("a"), tee("b"))
    change = shop.update(first.id, part="membership", upsells=("handle:b",), cross_sells=())
    assert change.status is Status.APPLIED
    [live] = shop.fetch("sku:A")
    assert live.upsells == ("handle:b",)
    assert second.id


def test_an_answer_that_names_others_by_ids_is_read_again_by_keys(shop: Shop) -> None:
    """Its own JSON has ids only, which no desired key is equal to."""
    first, _ = shop.create(tee("a"), tee("b"))
    told = shop.update(first.id, part="membership", upsells=("handle:b",))
    assert told.record is None
    renamed = shop.update(first.id, title="New")
    assert renamed.record is None or renamed.record.upsells == ("handle:b",)  # type: ignore[attr-defined]


def test_an_order_of_a_product_that_is_not_there_is_refused(shop: Shop) -> None:
    shop.create(tee("a"))
    order = Order(key="one", currency="USD", line_items=({"sku": "A", "quantity": 2},))
    [made] = shop.create(order)
    assert made.status is Status.APPLIED
    assert made.record.line_items[0].quantity == 2  # type: ignore[union-attr]
    [refused] = shop.create(Order(key="two", line_items=({"sku": "NOPE", "quantity": 1},)))
    assert "would be an empty one" in refused.message


def test_customers_changed_since_are_chosen_here(shop: Shop) -> None:
    from datetime import UTC, datetime

    from storebridge.adapter import Query

    shop.create(
        Customer(email="a@example.com", metafields=(Metafield(namespace="k", key="v", value="1"),))
    )
    records = shop.adapter.records("customer")
    later = datetime(2100, 1, 1, tzinfo=UTC)
    page = shop.engine.run(records.page(Query(updated_since=later), ""))
    assert page.records == ()
    [found] = shop.engine.run(records.fetch(["email:A@example.com"], None))
    assert found.metafields[0].value == "1"
