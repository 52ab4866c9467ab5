from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from tests.adapters.woocommerce.shop import Shop, tee

from storebridge.adapter import Query
from storebridge.engine import Engine, HandlerTransport
from storebridge.errors import BadAnswer
from storebridge.flow import Request, Response
from storebridge.models import Media, Money, Option, Product, Sale, Variant
from storebridge.testing import answer
from storebridge_woocommerce import text
from storebridge_woocommerce.languages import catalogue, mine
from storebridge_woocommerce.lookup import Lookup
from storebridge_woocommerce.prices import prices_of
from storebridge_woocommerce.walk import listing, walk


class Chaos:
    """A list whose rows come and go between the calls."""

    def __init__(self, seed: int, size: int) -> None:
        self.dice = random.Random(seed)
        self.rows = list(range(1, size + 1))
        self.stayed = set(self.rows)
        self.next, self.calls = size + 1, 0

    def __call__(self, request: Request) -> Response:
        self.calls += 1
        params = dict(request.params)
        start, count = int(params["offset"]), int(params["per_page"])
        page = [{"id": number} for number in self.rows[start : start + count]]
        total = str(len(self.rows))
        for _ in range(self.dice.randrange(6)):
            gone = self.dice.choice(self.rows)
            self.rows.remove(gone)
            self.stayed.discard(gone)
        for _ in range(self.dice.randrange(3)):
            self.rows.append(self.next)
            self.next += 1
        headers = {"content-type": "application/json", "x-wp-total": total}
        return Response(status=200, headers=headers, body=json.dumps(page).encode())


@pytest.mark.parametrize("seed", range(12))
def test_the_walk_loses_nothing_that_stays(seed: int) -> None:
    chaos, shop = Chaos(seed, 200), Shop()
    engine = Engine(shop.adapter, clock=shop.clock, transport=HandlerTransport(chaos))
    found: list[int] = []
    cursor = ""
    while True:
        page = engine.run(walk("/products", (), cursor, 10))
        found += [row["id"] for row in page.rows]
        cursor = page.cursor
        if not cursor:
            break
    assert chaos.stayed <= set(found)
    assert len(found) == len(set(found))
    assert chaos.calls < 80


def test_rows_that_the_server_holds_back_do_not_end_the_walk() -> None:
    """A page may be short in the middle of a list: rows that the key may not see are left out."""

    def holding(request: Request, sandbox: Any) -> Response:
        said: Response = sandbox(request)
        if request.path.endswith("/products") and said.status == 200:
            rows = [row for row in json.loads(said.body) if row["sku"] not in ("B", "C")]
            return Response(status=200, headers=said.headers, body=json.dumps(rows).encode())
        return said

    shop = Shop(page_size=2)
    shop.learn()
    shop.create(*(tee(name) for name in "abcdefg"))
    shop.between = holding
    found, cursor = [], ""
    for _ in range(20):
        page = shop.engine.run(shop.adapter.records("product").page(Query(), cursor))
        found += [record.sku for record in page.records]
        cursor = page.cursor
        if not cursor:
            break
    assert found == ["A", "D", "E", "F", "G"]


def test_only_what_is_needed_is_asked_for() -> None:
    shop = Shop()
    shop.learn()
    shop.create(tee("a"))
    shop.requests.clear()
    records = shop.adapter.records("product")
    [record] = shop.engine.run(records.page(Query(fields=frozenset({"title"})), "")).records
    assert record.title == "Tee a"
    assert "description_html" not in record.given
    assert "variants" not in record.given
    asked = dict(shop.requests[0].params)["_fields"].split(",")
    assert set(asked) == {"id", "type", "sku", "parent_id", "name"}
    assert len(shop.requests) == 1


def test_variations_of_a_page_come_in_one_call() -> None:
    shop = _with_variables(5)
    shop.requests.clear()
    page = shop.engine.run(shop.adapter.records("product").page(Query(), ""))
    assert [len(record.variants) for record in page.records] == [2] * 5
    assert [r.path for r in shop.requests] == [
        "/wp-json/wc/v3/products",
        "/wp-json/wc/v3/variations",
    ]


def test_older_shops_list_variations_parent_by_parent() -> None:
    def older(request: Request, sandbox: Any) -> Response:
        if request.path == "/wp-json/wc/v3/variations":
            body = b'{"code":"rest_no_route","message":"No route","data":{"status":404}}'
            return Response(status=404, body=body)
        said: Response = sandbox(request)
        return said

    shop = _with_variables(3)
    shop.between = older
    page = shop.engine.run(shop.adapter.records("product").page(Query(), ""))
    assert [len(record.variants) for record in page.records] == [2] * 3
    shop.requests.clear()
    shop.fetch("sku:V0-S")
    assert not [r for r in shop.requests if r.path.endswith("/v3/variations")]


def test_a_filter_that_is_ignored_is_noticed() -> None:
    def ignoring(request: Request, sandbox: Any) -> Response:
        params = tuple(pair for pair in request.params if pair[0] != "parent")
        from dataclasses import replace

        said: Response = sandbox(replace(request, params=params))
        return said

    shop = _with_variables(2)
    shop.between = ignoring
    with pytest.raises(BadAnswer, match="weren't asked for"):
        shop.fetch("handle:v0")


def test_many_skus_are_read_in_one_call() -> None:
    shop = Shop()
    shop.learn()
    shop.create(*(tee(f"t{n}") for n in range(20)))
    shop.requests.clear()
    found = shop.fetch(*(f"sku:T{n}" for n in range(20)), "handle:t3", "handle:t4")
    assert len(found) == 20
    assert len(shop.requests) == 1


def test_long_lists_go_into_a_body() -> None:
    ids = ",".join(str(10**9 + n) for n in range(500))
    request = listing("/products", (("include", ids), ("_fields", "id,sku")))
    assert (request.method, request.kind) == ("POST", "read")
    assert request.params == (("_method", "GET"),)
    shop = Shop()
    shop.learn()
    made = shop.create(*(tee(f"t{n}") for n in range(3)))
    spare = [f"id:{10**9 + n}" for n in range(97)]
    found = shop.fetch(
        *(f"id:{o.id}" for o in made), *spare, *(f"sku:{'x' * 40}{n}" for n in range(99))
    )
    assert len(found) == 3


@pytest.mark.parametrize("count", [2, 12])
def test_handles_are_found_one_by_one_or_in_a_list(count: int) -> None:
    shop = Shop()
    shop.learn()
    shop.create(*(tee(f"t{n}", variant={"sku": ""}) for n in range(12)))
    shop.requests.clear()
    found = shop.fetch(*(f"handle:t{n}" for n in range(count)), "handle:nowhere")
    assert sorted(p.handle for p in found) == sorted(f"t{n}" for n in range(count))
    assert len(shop.requests) <= 3


def test_a_variations_sku_leads_to_its_product() -> None:
    shop = _with_variables(1)
    [product] = shop.fetch("sku:V0-M")
    assert product.handle == "v0"
    assert [v.options for v in product.variants] == [("S",), ("M",)]


def test_changes_since_overlap_by_two_seconds_in_utc() -> None:
    shop = Shop()
    shop.learn()
    time = datetime(2026, 5, 1, 12, 0, 1, tzinfo=UTC)
    shop.engine.run(shop.adapter.records("product").page(Query(updated_since=time), ""))
    params = dict(shop.requests[0].params)
    assert params["modified_after"] == "2026-05-01T11:59:59"
    assert params["dates_are_gmt"] == "true"


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        (("10", "", None, None), {"price": "10"}),
        (("10", "8", None, None), {"price": "8", "compare_at_price": "10"}),
        (("10", "8", "2026-01-01T00:00:00", None), {"price": "10", "sale": "8"}),
        (("", "", None, None), {}),
        (("19.999999", "", None, None), {"price": "19.999999"}),
        (("abc", "", None, None), {}),
    ],
)
def test_prices_read(doc: tuple[Any, ...], expected: dict[str, str]) -> None:
    names = ("regular_price", "sale_price", "date_on_sale_from_gmt", "date_on_sale_to_gmt")
    found = prices_of(dict(zip(names, doc, strict=True)), "USD")
    shown = {
        name: str((value.price if isinstance(value, Sale) else value).amount)
        for name, value in found.items()
        if value is not None
    }
    assert shown == expected


@pytest.mark.parametrize(
    ("handle", "language", "slug"),
    [
        ("niños", "es", "ninos"),
        ("Größe", "en", "grose"),
        ("Größe", "de-DE", "groesse"),
        ("日本語 テスト", "ja", "日本語-テスト"),
        ("a.b_c--d!", "en", "a-b_c-d"),
    ],
)
def test_handles_are_folded_as_wordpress_does(handle: str, language: str, slug: str) -> None:
    assert text.slug_form(handle, language) == slug


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a & b &amp; c", "a &amp; b &amp; c"),
        ('<p onclick="x">a</p>', "<p>a</p>"),
        ("<br/><img src='a.jpg'/>", "<br /><img src='a.jpg' />"),
        ("<script>x</script><iframe src=y></iframe>z", "xz"),
        ('<a href="javascript:x">l</a>', '<a href="x">l</a>'),
    ],
)
def test_html_form(given: str, kept: str) -> None:
    assert text.html_form(given) == kept
    assert text.html_form(kept) == kept


def test_one_language_is_the_catalogue() -> None:
    shop = Shop(switches={"plugins": ["wpml"]}, language="de")
    shop.learn()
    facts = shop.adapter._site.facts
    assert facts is not None
    assert catalogue(facts, "de") == "de"
    assert catalogue(facts, "") == "en"
    assert mine({"lang": "de"}, "de", facts)
    assert not mine({"lang": "fr"}, "de", facts)
    assert mine({}, "de", facts)


def test_with_polylang_alone_a_products_address_tells_its_language() -> None:
    german = Shop(switches={"plugins": ["polylang"]}, language="de")
    info = german.engine.run(german.adapter.info())
    assert info.locales == ("en-US", "de-DE", "fr-FR")
    [made] = german.create(tee("a", status="active"))
    english = Shop(switches={"plugins": ["polylang"]})
    english.sandbox = german.sandbox
    english.learn()
    assert english.create(tee("b", status="draft"))[0].status == "applied"
    for shop, skus in ((german, ["A"]), (english, ["B"])):
        records = shop.adapter.records("product")
        for fields in (None, frozenset({"title"})):
            page = shop.engine.run(records.page(Query(fields=fields), ""))
            assert [record.sku for record in page.records] == skus
    refused = english.update(made.id, title="New")
    assert (refused.cause, "is a translation (de)" in refused.message) == ("rejected", True)
    assert german.update(made.id, title="Neu").status == "applied"


def test_translations_are_passed_over_and_never_written_to() -> None:
    def translating(request: Request, sandbox: Any) -> Response:
        said: Response = sandbox(request)
        if request.path.endswith("/products") and said.status == 200:
            rows = json.loads(said.body)
            for row in rows:
                row["lang"] = "fr" if row["sku"] == "B" else "de"
            return Response(status=200, headers=said.headers, body=json.dumps(rows).encode())
        return said

    shop = Shop(switches={"plugins": ["wpml"]}, language="de")
    shop.learn()
    made = shop.create(tee("a"), tee("b"))
    assert shop.bodies()[-1]["create"][0]["lang"] == "de"
    shop.between = translating
    page = shop.engine.run(shop.adapter.records("product").page(Query(), ""))
    assert [record.sku for record in page.records] == ["A"]
    refused = shop.update(made[1].id, title="Neu")
    assert refused.cause == "rejected"
    assert "translation" in refused.message
    assert shop.update(made[0].id, title="Neu").status == "applied"
    picture = Media(url="https://cdn.example.com/a.jpg")
    refused = shop.update(made[1].id, part="media", media=(picture,))
    assert "translation" in refused.message
    assert shop.update(made[0].id, part="media", media=(picture,)).status == "applied"


@pytest.mark.parametrize(
    ("plugin", "key"), [("yoast", "_yoast_wpseo_title"), ("rankmath", "rank_math_title")]
)
def test_search_engine_texts_go_to_the_plugin(plugin: str, key: str) -> None:
    shop = Shop(switches={"plugins": [plugin]})
    shop.learn()
    assert "seo.title" in shop.adapter.records("product").fields
    [made] = shop.create(tee("a", seo={"title": "For search", "description": "D"}))
    assert made.status == "applied"
    sent = {each["key"]: each["value"] for each in shop.bodies()[-1]["create"][0]["meta_data"]}
    assert sent[key] == "For search"
    [live] = shop.fetch("sku:A")
    assert (live.seo.title, live.seo.description) == ("For search", "D")
    assert live.metafields == ()


def test_without_a_plugin_search_engine_texts_have_no_place() -> None:
    shop = Shop()
    shop.learn()
    assert "seo.title" not in shop.adapter.records("product").fields


def test_weights_are_read_and_written_in_the_shops_unit() -> None:
    shop = Shop()
    shop.learn()
    product = tee("a", variant={"weight": {"value": "1", "unit": "kg"}})
    [made] = shop.create(product)
    assert shop.bodies()[-1]["create"][0]["weight"] == "2.204623"
    [live] = shop.fetch(f"id:{made.id}")
    assert live.variants[0].weight.value == Decimal("2.204623")
    assert shop.adapter.normalise(product).variants[0].weight == live.variants[0].weight


def _with_variables(count: int) -> Shop:
    shop = Shop()
    shop.learn()
    shop.create(
        *(
            Product(
                handle=f"v{n}",
                title=f"V{n}",
                options=(Option(name="Size", values=("S", "M")),),
                variants=tuple(
                    Variant(sku=f"V{n}-{size}", options=(size,), price=Money("9", "USD"))
                    for size in ("S", "M")
                ),
            )
            for n in range(count)
        )
    )
    return shop


def test_a_sku_that_very_many_have_leads_to_all_of_them() -> None:
    rows = [{"id": number, "sku": "A", "type": "simple"} for number in range(1, 151)]

    def shop(request: Request) -> Response:
        params = dict(request.params)
        start = int(params.get("offset", 0))
        return answer(200, rows[start : start + int(params["per_page"])], x_wp_total="150")

    engine = Engine(Shop().adapter, transport=HandlerTransport(shop))
    found = engine.run(Lookup("/products", ()).find(["sku:A"], "id,sku,type"))
    assert [doc["id"] for doc in found] == list(range(1, 151))
