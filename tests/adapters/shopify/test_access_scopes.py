"""Denied is not empty, and no other version answers unnoticed."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from graphql import (
    FieldNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    is_non_null_type,
    parse,
    visit,
)
from tests.adapters.shopify import schema
from tests.adapters.shopify.consent import look
from tests.adapters.shopify.shop import Shop, tee

import storebridge
from storebridge.adapter import Query
from storebridge.engine import Engine, Event, HandlerTransport
from storebridge.engine.events import Noticed
from storebridge.errors import AccessDenied, BadAnswer, Refused, StorebridgeError
from storebridge.flow import Request, Response
from storebridge.models import Money, Product, Variant
from storebridge.store import Store
from storebridge.store.base import Opening
from storebridge.testing import VirtualClock
from storebridge.testing.sandbox import answer
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify import sandbox_execute as sandbox_schema
from storebridge_shopify.adapter import SUPPORTED_UNTIL, Version
from storebridge_shopify.graphql import call, document, text_of
from storebridge_shopify.sandbox import create, settings
from storebridge_shopify.sandbox_shop import SCOPES as SANDBOX_SCOPES
from storebridge_shopify.scopes import SCOPES, Scopes, missing

DOCUMENTS = sorted(path.stem for path, _ in schema.documents())
KINDS = ("product", "collection", "customer", "order", "discount", "redirect")


@cache
def fields(name: str) -> tuple[tuple[str, tuple[str, ...], bool], ...]:
    """Return a document's fields: "Type.field", where in the answer, whether it may be null."""
    found: list[tuple[str, tuple[str, ...], bool]] = []
    info = TypeInfo(sandbox_schema.schema())
    path: list[str] = []

    class Fields(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            path.append(node.alias.value if node.alias else node.name.value)
            parent, type_ = info.get_parent_type(), info.get_type()
            nullable = type_ is not None and not is_non_null_type(type_)
            found.append((f"{parent}.{node.name.value}", tuple(path), nullable))

        def leave_field(self, *_: Any) -> None:
            path.pop()

    visit(parse(text_of(name)), TypeInfoVisitor(info, Fields()))
    assert get_named_type(info.get_type()) is None
    return tuple(found)


def guarded(name: str) -> Iterator[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """Yield what a document asks for that needs a scope: where, the platform's words, any of."""
    table = sandbox_schema._access()
    for field, path, _ in fields(name):
        if field in table:
            words, scopes = table[field]
            yield path, words, tuple(scopes)


def engine(body: dict[str, Any], **headers: str) -> Engine:
    """Return an engine whose store always answers this."""
    adapter = ShopifyAdapter(ShopifySettings.model_validate({"url": "a", "token": "shpat_canary"}))
    transport = HandlerTransport(lambda request: answer(200, body, **headers))
    return Engine(adapter, transport=transport, clock=VirtualClock())


def denial(path: tuple[str, ...], words: str) -> dict[str, Any]:
    text = f"Access denied for {path[-1]} field. Required access: {words}"
    extensions = {"code": "ACCESS_DENIED", "requiredAccess": words}
    return {"message": text, "path": list(path), "extensions": extensions}


# -- each operation without each scope


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_denied_field_names_operation_and_scope(name: str) -> None:
    """Whatever else comes beside it, and however deep it is."""
    for path, words, scopes in guarded(name):
        body = {"data": {path[0]: None}, "errors": [denial(path, words)]}
        with pytest.raises(AccessDenied) as caught:
            engine(body).run(call(name))
        text = str(caught.value)
        assert (document(name).mutation or name) in text
        assert path[-1] in text
        assert any(scope in caught.value.remedy for scope in scopes)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_null_with_an_error_is_never_an_empty_answer(name: str) -> None:
    """For each field that may be null: with any code, or with none."""
    nullable = {path for _, path, may in fields(name) if may}
    adapter = ShopifyAdapter(ShopifySettings.model_validate({"url": "a", "token": "x"}))
    for path in sorted(nullable):
        for extensions in ({"code": "ACCESS_DENIED"}, {"code": "UNDOCUMENTED"}, {}):
            error = {"message": "no", "path": list(path), "extensions": extensions}
            beside: list[Any] = [{path[0]: None}, {path[0]: {"nodes": []}}, None]
            for data in beside:
                assert adapter.error(answer(200, {"data": data, "errors": [error]})) is not None


@pytest.mark.parametrize("kind", KINDS)
def test_a_null_list_without_an_error_is_no_empty_store(kind: str) -> None:
    shop = create(None)
    adapter = ShopifyAdapter(ShopifySettings.model_validate(settings()))

    def handler(request: Request) -> Response:
        found = shop(request)
        body = json.loads(found.body)
        if "shop" not in (body["data"] or {}) and not learning:
            body["data"] = dict.fromkeys(body["data"])
        return answer(200, body)

    learning = True
    with Engine(adapter, transport=HandlerTransport(handler), clock=VirtualClock()) as running:
        running.run(adapter.info())
        learning = False
        with pytest.raises(StorebridgeError) as caught:
            running.run(adapter.records(kind).page(Query(), ""))
    assert isinstance(caught.value, BadAnswer)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_person_is_asked_to_allow_is_enough(name: str) -> None:
    granted = Scopes.of(SCOPES)
    for path, words, scopes in guarded(name):
        assert any(map(granted.has, scopes)), f"{'.'.join(path)} needs {words}"


def test_nobody_is_asked_for_what_nothing_needs() -> None:
    needed = {scope for name in DOCUMENTS for _, _, any_of in guarded(name) for scope in any_of}
    asked = set(SCOPES) - needed
    # Their fields are denied by arguments, not by types, in the published schema.
    assert {each for each in asked if each.replace("write_", "read_") not in needed} == set()


def test_a_full_token_lacks_nothing_and_an_empty_one_everything() -> None:
    assert missing(Scopes.of([*SCOPES, "read_all_orders"])) == ()
    lines = missing(Scopes.of([]))
    named = {line.split(",")[0].removeprefix("no scope ") for line in lines}
    assert set(SCOPES) <= named
    assert all(", for " in line for line in lines)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_mutation_is_named_by_each_scope_that_it_needs(name: str) -> None:
    root = document(name).mutation
    for path, _, scopes in guarded(name):
        if path == (root,):
            named = [line for line in missing(Scopes.of([])) if root in re.split(r",? ", line)]
            assert any(line.split()[2].rstrip(",") in scopes for line in named), root


@pytest.mark.parametrize("scope", SCOPES)
def test_each_scope_is_named_with_what_needs_it(scope: str) -> None:
    rest = Scopes.of([each for each in SCOPES if each != scope])
    [line] = [line for line in missing(rest) if line.startswith(f"no scope {scope}, for ")]
    kinds = [kind for kind in KINDS if any(scope in each for each in missing(rest, kind))]
    assert kinds, f"no kind of record says that it needs {scope}"
    assert line.partition(", for ")[2]


# -- in a plan


def store(folder: Path, *, version: str = "2026-10", **switches: Any) -> Store:
    shop = create(None, **switches)
    adapter = ShopifyAdapter(ShopifySettings.model_validate({**settings(), "version": version}))
    opening = Opening(
        transport=HandlerTransport(shop), clock=VirtualClock(), state=folder / "state"
    )
    return Store(adapter, opening)


TEE = Product(handle="tee", title="Tee", variants=(Variant(price=Money("9", "EUR")),))


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("write_products", "productSet"),
        ("write_inventory", "inventorySetQuantities"),
        ("write_translations", "translationsRegister"),
        ("write_publications", "publishablePublish"),
        ("write_files", "productSet"),
    ],
)
def test_a_plan_names_what_is_missing_before_anything_is_written(
    tmp_path: Path, scope: str, words: str
) -> None:
    lacking = [each.replace("write_", "read_") if each == scope else each for each in
               SANDBOX_SCOPES]  # fmt: skip
    with (
        store(tmp_path, scopes=lacking) as shop,
        shop.plan([TEE], tmp_path / "a.plan") as plan,
    ):
        [warning] = [each for each in plan.warnings() if scope in each]
        assert warning.startswith(f"the credentials have no scope {scope}, for {words}")


def test_a_store_says_at_connect_what_its_token_may_not_do(tmp_path: Path) -> None:
    with store(tmp_path, scopes=["write_products"]) as shop:
        assert shop.adapter.lacking() == ()  # nothing was asked yet
        _ = shop.info
        [line] = [each for each in shop.adapter.lacking() if "no scope read_orders," in each]
        assert "reading orders" in line.removeprefix("no scope read_orders, for ").split(", ")
        assert shop.adapter.lacking("redirect") == (
            "no scope read_online_store_navigation, for reading redirects",
            "no scope write_online_store_navigation, for urlRedirectCreate, urlRedirectUpdate, "
            "urlRedirectImportCreate, urlRedirectImportSubmit, urlRedirectDelete",
        )


# -- with few scopes


def few(shop: Shop, *scopes: str) -> None:
    """Take scopes away from a shop's token, which its adapter then learns."""
    shop.sandbox.switch(scopes=scopes)
    shop.engine.run(shop.adapter.info())


def ids(shop: Shop, kind: str) -> list[str]:
    page = shop.engine.run(shop.adapter.records(kind).page(Query(), ""))
    return [each.id for each in page.records]


def test_orders_that_a_token_does_not_see_are_told() -> None:
    shop = Shop()
    [id_] = shop.create(tee())
    sold = [(shop.read(id_).variants[0].id, 1)]
    old = shop.sandbox.sell(sold)
    shop.clock.advance(60 * 86_400 + 1)
    new = shop.sandbox.sell(sold)
    assert ids(shop, "order") == [old, new]
    assert shop.engine.notices == ()
    few(shop, *(each for each in SANDBOX_SCOPES if each != "read_all_orders"))
    assert shop.engine.notices == ()
    assert ids(shop, "order") == [new]
    assert shop.engine.run(shop.adapter.records("order").fetch([f"id:{old}"], None)) == ()
    [told] = shop.engine.notices
    assert "read_all_orders: orders older than 60 days are left out" in told
    ids(shop, "order")
    assert len(shop.engine.notices) == 1


def test_an_app_for_orders_or_discounts_reads_them_without_what_it_may_not_see() -> None:
    shop = Shop()
    [id_] = shop.create(tee())
    product = shop.read(id_)
    order = shop.sandbox.sell([(product.variants[0].id, 1)])
    assert shop.read(order, "order").line_items[0].product_id == id_
    value = {"percentage": 0.1}
    make = shop.sandbox.promote
    discount = make("DiscountCodeBasic", "Ten", ["TEN"], value=value, products=[id_])
    assert shop.read(discount, "discount").products == ("handle:tee",)
    few(shop, "read_orders", "read_all_orders", "read_discounts")
    assert ids(shop, "order") == [order]
    [line] = shop.read(order, "order").line_items
    assert (line.sku, line.quantity) == ("tee-S", 1)
    assert "product_id" not in line.given
    assert ids(shop, "discount") == [discount]
    assert "products" not in shop.read(discount, "discount").given


# -- versions


def test_an_answer_of_each_version_but_the_one_asked_for_is_an_error() -> None:
    known = [*get_args(Version), "2026-01", "unstable", "2027-01", "x" * 500]
    for asked in get_args(Version):
        for answered in known:
            values = {"url": "a", "token": "x", "version": asked}
            adapter = ShopifyAdapter(ShopifySettings.model_validate(values))
            headers = {"x-shopify-api-version": answered}
            error = adapter.error(Response(status=200, headers=headers, body=b'{"data": {}}'))
            assert (error is None) == (asked == answered)


def test_a_version_that_the_shop_no_longer_serves_is_told_at_connect(tmp_path: Path) -> None:
    shop = store(tmp_path, version="2026-04", versions=["2026-07", "2026-10"])
    with shop, pytest.raises(StorebridgeError, match="answered as version 2026-07") as caught:
        _ = shop.info
    assert "2026-10" in str(caught.value)


def test_what_is_deprecated_is_told_once_in_log_event_and_plan(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reason = "productSet https://shopify.dev/x"
    with (
        store(tmp_path, deprecated=reason) as shop,
        caplog.at_level(logging.WARNING, "storebridge"),
        shop.plan([TEE], tmp_path / "a.plan") as plan,
    ):
        assert len([each for each in plan.warnings() if reason in each]) == 1
        assert len(caplog.records) <= 2  # at connect, and in the plan's engine
        assert reason in caplog.text
        assert len(shop.notices) == 1
        with pytest.raises(Refused, match=r"--strict: .*will drop"):
            shop.plan([TEE], tmp_path / "b.plan", strict=True)
    events: list[Event] = []
    running = Engine(
        ShopifyAdapter(ShopifySettings.model_validate(settings())),
        transport=HandlerTransport(create(None, deprecated=reason)),
        on_event=events.append,
    )
    running.run(look())
    running.run(look())
    assert [each.text for each in events if isinstance(each, Noticed)] == list(running.notices)


def test_every_version_says_until_when_it_is_supported() -> None:
    assert set(SUPPORTED_UNTIL) == set(get_args(Version))
    for version, until in SUPPORTED_UNTIL.items():
        year, month = map(int, version.split("-"))
        assert until == date(year + 1, month, 1)  # at least twelve months (usage/versioning)


def lasts(version: str, today: date) -> bool:
    """Return whether a version is supported for sixty more days."""
    return today + timedelta(days=60) <= SUPPORTED_UNTIL[version]


def test_the_default_version_is_supported_for_sixty_more_days() -> None:
    default = ShopifySettings.model_fields["version"].default
    assert lasts(default, datetime.now(UTC).date()), (
        f"{default} ends on {SUPPORTED_UNTIL[default]}: make a newer version the default"
    )


def test_the_end_of_a_version_is_told_in_each_of_24_months() -> None:
    months = [date(2026 + (9 + n) // 12, (9 + n) % 12 + 1, 1) for n in range(24)]
    found = [lasts("2026-10", month) for month in months]
    assert found == [month <= date(2027, 8, 2) for month in months]
    assert found.count(True) == 11


def test_both_kinds_of_store_have_what_they_were_warned_of(tmp_path: Path) -> None:
    async def warned() -> tuple[str, ...]:
        url = "sandbox:shopify?memory&deprecated=soon"
        async with storebridge.open_async(url, state=tmp_path) as shop:
            assert shop.notices == ()
            await shop.info()
            return shop.notices

    with storebridge.open("sandbox:shopify?memory&deprecated=soon", state=tmp_path) as shop:
        assert shop.notices == ()
        _ = shop.info
        assert shop.notices == asyncio.run(warned()) != ()
