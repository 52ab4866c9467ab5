"""What a WooCommerce shop must never do to a catalogue, by chance: short slices, and long ones.

People edit while a plan waits; one field changes alone; answers are no answers; shops redirect and
deny; money has other digits; keys are nearly the same. Each is held against the shop's own tables.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from storebridge.adapter import Query
from storebridge.errors import AuthError, StorebridgeError
from storebridge.flow import Request, Response
from storebridge.models import Money, Product, Record, Variant
from storebridge_woocommerce.sandbox_state import KEYS
from tests.adapters.woocommerce.shop import Shop, tee
from tests.campaigns.test_woocommerce_rivals import human, mug, rows, shirt, words
from tests.campaigns.woocommerce import WooShop, catalogue, docs

_DONE = ("applied", "unchanged")


# -- B10, B11: people edit meanwhile; what is sent is what the plan shows

_EDITS = ("same field", "other field", "deleted", "hidden", "a variant more", "nothing")


def edited(shop: WooShop, chance: random.Random, count: int) -> tuple[int, int]:
    """Let people edit between a plan and its apply; return how many edits, and how many clash."""
    names = [f"m{n}" for n in range(count)]
    shop.fill([mug(name, description_html="<p>old</p>") for name in names] + [shirt()])
    ids = {slug: number for number, slug in rows(shop, "id", "slug")}
    start = len(shop.history)
    wanted = [mug(name, title=f"New {name}") for name in names]
    plan = shop.plan([each.without("status") for each in wanted], "edits.plan")
    assert not [e for e in shop.history[start:] if e.request.kind.mutates], "a dry run wrote"
    done = {name: chance.choice(_EDITS[:4] + _EDITS[5:]) for name in names}
    for name, edit in done.items():
        path = f"/products/{ids[name]}"
        match edit:
            case "same field":
                human(shop, "PUT", path, name="By hand")
            case "other field":
                human(shop, "PUT", path, description="<p>by hand</p>")
            case "deleted":
                human(shop, "DELETE", path)
            case "hidden":
                human(shop, "PUT", path, status="draft")
    before = docs(shop.sandbox)
    start = len(shop.history)
    report = shop.apply(plan)
    clash = sorted(name for name, edit in done.items() if edit in ("same field", "deleted"))
    assert sorted(words(report)) == [(name, "skipped", "conflict") for name in clash]
    sent = [e.request for e in shop.history[start:] if e.request.kind.mutates]
    items = [item for r in sent for item in json.loads(r.body)["update"]]  # type: ignore[arg-type]
    shown = {str(ids[name]): f"New {name}" for name in names if name not in clash}
    assert Counter((str(i["id"]), i["name"]) for i in items) == Counter(shown.items())
    assert all(set(item) == {"id", "name"} for item in items)
    after = docs(shop.sandbox)
    for name, doc in after.items():
        other = before[name]
        assert {key for key in doc if doc[key] != other[key]} <= {"title"}, name
    rest = [each for each in wanted if each.handle not in clash]
    again = shop.planned([each.without("status") for each in rest])
    assert again == []
    return sum(edit != "nothing" for edit in done.values()), len(clash)


@pytest.mark.parametrize("seed", range(2))
def test_what_people_edit_meanwhile_is_never_overwritten(tmp_path: Path, seed: int) -> None:
    with WooShop(tmp_path) as shop:
        edits, clashes = edited(shop, random.Random(f"edits {seed}"), 20)
    assert 0 < clashes < edits


@pytest.mark.soak
def test_a_thousand_edits_meanwhile_are_never_overwritten(tmp_path: Path) -> None:
    edits, seed = 0, 100
    while edits < 1_000:
        seed += 1
        with WooShop(tmp_path / str(seed)) as shop:
            edits += edited(shop, random.Random(f"edits {seed}"), 60)[0]


# -- B11, B12: only what was planned; a second plan is empty


def single_field(shop: WooShop, seed: int, count: int) -> int:
    """Change one field of each product alone, and see that nothing else has changed."""
    chance = random.Random(f"fields {seed}")
    source = [each for each in catalogue(seed, count) if isinstance(each, Product)]
    fields = ("title", "description_html", "status", "tags", "brand", "collections", "metafields")
    others = {each.handle: each for each in _second(seed, count)}
    changed: list[Record] = []
    touched: dict[str, set[str]] = {}
    for each in source:
        field = chance.choice((*fields, "price"))
        if field == "price":
            variants = [v.but(price=Money("77.77", "USD")).without("compare_at_price", "sale")
                        for v in each.variants]  # fmt: skip
            changed.append(Product(handle=each.handle, variants=tuple(variants)))
        else:
            other = getattr(others[each.handle], field)
            changed.append(Product.model_validate({"handle": each.handle, field: other}))
        touched[each.handle] = _KEYS[field]
    before = docs(shop.sandbox)
    report = shop.apply(shop.plan(changed, f"{seed}.plan"))
    refused = {item.label for item in report.items("failed", "skipped", "unknown")}
    assert {item.cause for item in report.items("failed", "skipped", "unknown")} <= {"rejected"}
    for name, doc in docs(shop.sandbox).items():
        if name.startswith("product "):
            handle = name.removeprefix("product ")
            found = {key for key in doc if doc[key] != before[name][key]}
            assert found <= touched[handle], f"{name}: {found - touched[handle]}"
    rest = [each for each in changed if each.label not in refused]
    assert shop.planned(rest) == []
    return len(source)


def _second(seed: int, count: int) -> list[Product]:
    return [each for each in catalogue(seed + 1, count) if isinstance(each, Product)]


_PRICES = {"regular_price", "sale_price", "sale_from", "sale_to", "price", "on_sale"}
_PRICES |= {"sale_from_gmt", "sale_to_gmt", "highest_price", "lowest_price"}
#: What may change in the shop's document of a product for each field.
_KEYS: dict[str, set[str]] = {
    "title": {"title"},
    "description_html": {"description"},
    "status": {"status", "catalog_visibility"},
    "tags": {"tag_ids"},
    "brand": {"brand_ids"},
    "collections": {"category_ids"},
    "metafields": {"meta"},
    "price": _PRICES,
}


@pytest.mark.parametrize("seed", range(2))
def test_a_field_that_is_written_alone_changes_nothing_else(tmp_path: Path, seed: int) -> None:
    with WooShop(tmp_path) as shop:
        shop.fill(catalogue(seed, 16))
        assert single_field(shop, seed, 16) == 16


@pytest.mark.soak
def test_five_hundred_fields_written_alone_change_nothing_else(tmp_path: Path) -> None:
    for seed in range(100, 110):
        with WooShop(tmp_path / str(seed)) as shop:
            shop.fill(catalogue(seed, 50))
            single_field(shop, seed, 50)


# -- B13: money


@pytest.mark.parametrize(("currency", "digits"), [("JPY", 0), ("EUR", 2), ("KWD", 3), ("USD", 2)])
def test_money_of_every_kind_comes_back_to_the_digit(currency: str, digits: int) -> None:
    chance = random.Random(currency)
    shop = Shop(switches={"woocommerce_currency": currency})
    shop.learn()
    prices = [Decimal(chance.randint(1, 10**9)).scaleb(-digits) for _ in range(30)]
    records = [
        tee(f"t{n}", variant={"price": Money(price, currency)}) for n, price in enumerate(prices)
    ]
    made = shop.create(*records)
    assert {outcome.status for outcome in made} == {"applied"}
    held = shop.fetch(*(f"id:{outcome.id}" for outcome in made))
    assert sorted(p.variants[0].price.amount for p in held) == sorted(prices)
    sent = [item["regular_price"] for body in shop.bodies() for item in body.get("create", ())]
    assert len(sent) == 30
    assert all(isinstance(text, str) and Decimal(text) in prices for text in sent)


# -- B14: answers that are none

_BODIES: tuple[bytes, ...] = (
    b"", b" ", b"null", b"true", b"0", b'""', b'"text"', b"{}", b"[]", b"[[]]", b"[null]", b"[1]",
    b'["x"]', b'[{"id":', b"{", b"]", b"NaN", b"Infinity", b'{"create":null}', b'{"create":{}}',
    b'{"create":[]}', b'{"create":[null]}', b'{"create":[1]}', b'{"create":"x"}', b'{"a":1,"a":2}',
    b'{"create":[{"id":0,"error":null}]}', b'{"create":[{}]}', b'{"create":[{"id":"x"}]}',
    b'{"create":[{"error":{}}]}', b'{"create":[{"error":"x"}]}', b'{"create":[[]]}',
    b'{"update":[{"id":1}]}', b'{"code":"x"}', b'{"code":1,"message":[],"data":"x"}', b"<br />{",
    b"<b>Warning</b>: x<br />\n", b"<!DOCTYPE html><html>", b"\xff\xfe", b"\xef\xbb\xbf",
    b"\x00\x01", b"[" * 200, b'{"x":' * 200, b"[1e999]", b'["\\ud800"]', b"1" * 5000,
    b'[{"id":1}]', b'[{"id":null}]', b'{"id":1}', b"[{}]", b'[{"id":{}}]',
)  # fmt: skip
_READS = ("product", "order", "customer", "discount", "review", "collection")


def malformed(body: bytes, status: int) -> None:
    """Give a body as the answer to every call: it is an error of ours, and never a success."""

    def wrong(request: Request, sandbox: Any) -> Response:
        if request.path.startswith("/wp-json/wc/v3"):
            return Response(status=status, headers={"content-type": "application/json"}, body=body)
        said: Response = sandbox(request)
        return said

    shop = Shop()
    shop.learn()
    shop.between = wrong
    for kind in _READS:
        with suppress(StorebridgeError):
            page = shop.engine.run(shop.adapter.records(kind).page(Query(), ""))
            assert (status, page.records) in ((200, ()), (201, ())), f"{kind} {body[:40]!r}: {page}"
    with suppress(AuthError):  # which ends everything
        [outcome] = shop.create(tee("a"))
        assert str(outcome.status) in ("unknown", "failed"), f"{body[:40]!r}: {outcome}"
        assert outcome.message
    shop.between = None
    assert shop.all() == []


@pytest.mark.parametrize("body", random.Random(14).sample(_BODIES, 18), ids=lambda b: repr(b[:24]))
def test_an_answer_that_is_none_is_an_error_of_ours(body: bytes) -> None:
    malformed(body, 200)


@pytest.mark.soak
@pytest.mark.parametrize("status", [200, 201, 400, 401, 403, 404, 500, 503])
def test_every_answer_that_is_none_is_an_error_of_ours(status: int) -> None:
    for body in _BODIES:
        malformed(body, status)


@pytest.mark.parametrize(
    "body", [b'{"create":[{}]}', b'{"create":[{"id":"x"}]}', b'{"create":[{"id":0,"error":null}]}']
)
def test_a_row_that_says_nothing_is_looked_into(body: bytes) -> None:
    spoiled = iter([body])

    def odd(request: Request, sandbox: Any) -> Response:
        said: Response = sandbox(request)
        if request.path.endswith("/products/batch") and (wrong := next(spoiled, None)) is not None:
            return Response(status=200, headers=said.headers, body=wrong)
        return said

    shop = Shop()
    shop.learn()
    shop.between = odd
    [outcome] = shop.create(tee("a"))
    assert str(outcome.status) == "applied", outcome
    assert [str(row["id"]) for row in shop.all()] == [outcome.id]


# -- B16: redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "target",
    ["https://evil.example/x", "http://sandbox.localhost/wp-json/", "//evil.example", "/other/"],
)
def test_a_redirect_is_followed_nowhere(status: int, target: str) -> None:
    def redirecting(request: Request, sandbox: Any) -> Response:
        if request.path.endswith("/products/batch"):
            return Response(status=status, headers={"location": target}, body=b"")
        said: Response = sandbox(request)
        return said

    shop = Shop()
    shop.learn()
    shop.between = redirecting
    [outcome] = shop.create(tee("a"))
    assert str(outcome.status) in ("failed", "unknown"), outcome
    writes = [r for r in shop.requests if r.kind.mutates]
    assert {(r.method, r.path.rpartition("/wp-json")[2]) for r in writes} == {
        ("POST", "/wc/v3/products/batch")
    }
    assert all(not r.path.startswith(("http", "//")) for r in shop.requests)
    shop.between = None
    assert shop.all() == []


# -- B18: denied is not empty


@pytest.mark.parametrize("kind", _READS)
@pytest.mark.parametrize("permission", ["write", "customer"])
def test_a_read_that_is_denied_is_no_empty_list(kind: str, permission: str) -> None:
    key, secret = KEYS[permission][:2]
    good = Shop()
    good.learn()
    shop = Shop(key=key, secret=secret)
    shop.adapter._site.facts = good.adapter._site.facts
    with pytest.raises(StorebridgeError) as caught:
        shop.engine.run(shop.adapter.records(kind).page(Query(), ""))
    assert getattr(caught.value, "remedy", "")


@pytest.mark.parametrize("kind", _READS)
def test_a_write_that_is_denied_names_what_is_missing_and_writes_nothing(kind: str) -> None:
    from tests.adapters.woocommerce.test_no_op import OTHERS
    from tests.campaigns.test_woocommerce_rivals import mug as product

    made: dict[str, Record] = {record.kind: record for record in OTHERS}
    made |= {"product": product("b"), "collection": catalogue(1, 0)[0]}
    shop = Shop()
    shop.learn()
    shop.create(tee("mug"))
    key, secret = KEYS["read"][:2]
    reader = Shop(key=key, secret=secret)
    reader.sandbox, reader.ids = shop.sandbox, dict(shop.ids)
    reader.learn()
    before = docs(shop.sandbox)
    [outcome] = reader.create(made[kind])
    assert (str(outcome.status), outcome.cause) == ("failed", "denied"), outcome
    assert "write permissions" in outcome.message
    assert "Read/Write" in outcome.remedy
    assert docs(shop.sandbox) == before


# -- B22: keys that are nearly the same

_TWISTS: tuple[Callable[[str], str], ...] = (
    str.lower, str.upper, lambda s: f" {s}", lambda s: f"{s} ", lambda s: s.replace("-", "‐"),
    lambda s: f"{s}\u200b", lambda s: s.replace("A", "Ａ"), lambda s: f"0{s}",
)  # fmt: skip


def nearly(folder: Path, seed: int, count: int) -> int:
    """Write products whose SKUs nearly are those of others; return how many were asked for."""
    chance = random.Random(f"keys {seed}")
    with WooShop(folder) as shop:
        theirs = [mug(f"their-{n}", variants=(Variant(sku=f"SKU-A{n}", price=Money("5", "USD")),))
                  for n in range(count)]  # fmt: skip
        shop.fill(theirs)
        before = docs(shop.sandbox)
        ours = [
            Product(
                handle=f"our-{n}",
                title=f"Our {n}",
                variants=(Variant(sku=chance.choice(_TWISTS)(f"SKU-A{n}")),),
            )
            for n in range(count)
        ]
        with shop.open() as store:
            outcomes = list(store.products.create_many(ours))
        for record, outcome in zip(ours, outcomes, strict=True):
            if str(outcome.status) not in _DONE:
                assert outcome.message, f"{record.sku!r}: {outcome}"
        after = docs(shop.sandbox)
        assert {name: after.get(name) for name in before} == before, "somebody else's was written"
        found = Counter(sku.strip().lower() for (sku,) in rows(shop, "sku") if sku)
        assert set(found.values()) == {1}
        try:
            plan = shop.plan(ours)
        except StorebridgeError:
            return count  # refused before anything was sent, with both named
        shop.apply(plan)
        after = docs(shop.sandbox)
        assert {name: after.get(name) for name in before} == before, "somebody else's was written"
    return count


@pytest.mark.parametrize("seed", range(3))
def test_a_key_that_is_nearly_anothers_writes_to_no_other(tmp_path: Path, seed: int) -> None:
    assert nearly(tmp_path, seed, 8) == 8


@pytest.mark.soak
def test_thousand_keys_that_are_nearly_anothers_write_to_no_other(tmp_path: Path) -> None:
    for seed in range(100, 180):
        nearly(tmp_path / str(seed), seed, 13)
