"""The place at which an answer has another shape than its document asked for is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.adapters.shopify.shop import Handler, Shop, eur, operation, tee

from storebridge.adapter import Change, Query
from storebridge.errors import BadAnswer, StorebridgeError
from storebridge.flow import Request, Response, Status
from storebridge.models import Media, Product, Variant

Edit = Callable[[Any], None]


def changing(name: str, edit: Edit) -> Callable[[Request, Handler], Response]:
    """Return a network that changes the answers to one operation."""

    def between(request: Request, shop: Handler) -> Response:
        said = shop(request)
        if not isinstance(request.body, bytes) or operation(json.loads(request.body)) != name:
            return said
        found = json.loads(said.body)
        edit(found)
        return replace(said, body=json.dumps(found).encode())

    return between


def at(*path: Any, value: Any = "gone") -> Edit:
    """Return an edit that sets a place of an answer, or takes it out."""

    def edit(found: Any) -> None:
        for step in path[:-1]:
            found = found[step]
        if value == "gone":
            del found[path[-1]]
        else:
            found[path[-1]] = value

    return edit


NODES = ("data", "products", "nodes")
IN_VARIANTS = (*NODES, 1, "variants", "nodes", 2)
#: What is changed in which answer, and the path that the error names.
READS: dict[str, tuple[str, Edit, str]] = {
    "an object for a price": (
        "Products",
        at(*IN_VARIANTS, "price", value={"amount": "1.00"}),
        "products.nodes[1].variants.nodes[2].price",
    ),
    "a next page without a way to it": (
        "Products",
        at("data", "products", "pageInfo", value={"hasNextPage": True, "endCursor": None}),
        "products.pageInfo.endCursor",
    ),
    "a price that is no number": (
        "Products",
        at(*IN_VARIANTS, "price", value="a lot"),
        "products.nodes[1].variants.nodes[2].price",
    ),
    "a missing count": (
        "ProductsCount",
        at("data", "productsCount", "count"),
        "productsCount.count",
    ),
    "a null list": (
        "Products",
        at(*IN_VARIANTS, "selectedOptions", value=None),
        "products.nodes[1].variants.nodes[2].selectedOptions",
    ),
    "a walk that may not end": (
        "Products",
        at("data", "products", "pageInfo", "hasNextPage", value=None),
        "products.pageInfo.hasNextPage",
    ),
    "the id of a picture": (
        "Products",
        at(*NODES, 1, "media", "nodes", 0, "id"),
        "products.nodes[1].media.nodes[0].id",
    ),
    "the address of a picture": (
        "Products",
        at(*NODES, 1, "media", "nodes", 0, "image", value="text"),
        "products.nodes[1].media.nodes[0].image",
    ),
    "a root": ("Products", at("data", "products", value=[]), "products"),
    "all of it": ("Products", at("data", value=[]), "data"),
    "the bucket": ("Products", at("extensions", "cost", value="text"), "extensions.cost"),
}  # fmt: skip


@pytest.fixture(scope="module")
def stocked() -> Shop:
    shop = Shop(page_size=2, bulk_from=100)
    _, second, _ = shop.create(tee("a"), tee("b"), tee("c"))
    shop.update(second, Product(media=(Media(url="https://a.example/a.jpg"),)), "media")
    return shop


@pytest.mark.parametrize("name", READS)
def test_a_read_names_the_place(stocked: Shop, name: str) -> None:
    operation, edit, path = READS[name]
    stocked.between = changing(operation, edit)
    with pytest.raises(BadAnswer) as raised:
        stocked.engine.run(stocked.adapter.records("product").page(Query(), ""))
    assert raised.value.path == path
    assert f"at {path}" in str(raised.value)


def test_a_place_is_missed_for_an_id_that_was_asked_for(stocked: Shop) -> None:
    """What isn't there is null: a list without it says nothing, and is no empty shop."""
    stocked.between = None
    page = stocked.engine.run(stocked.adapter.records("product").page(Query(), ""))
    stocked.between = changing("ProductsById", at("data", "nodes", value=[]))
    with pytest.raises(BadAnswer) as raised:
        stocked.read(page.records[0].id)
    assert raised.value.path == "nodes"


def test_what_wasn_t_asked_for_isn_t_missed(stocked: Shop) -> None:
    stocked.between = changing("Products", at("data", "products", "pageInfo", "hasNextPage"))
    page = stocked.adapter.records("product").page(Query(fields=frozenset({"title"})), "")
    with pytest.raises(BadAnswer) as raised:
        stocked.engine.run(page)
    assert raised.value.path == "products.pageInfo.hasNextPage"


def test_an_earlier_answer_of_a_flow_is_looked_through_too(stocked: Shop) -> None:
    """A product is read once all that belongs to it is there; by then other answers have come."""
    stocked.between = changing("Products", at(*NODES, 0, "seo", value=7))
    stocked.sent.clear()
    with pytest.raises(BadAnswer) as raised:
        stocked.engine.run(stocked.adapter.records("product").page(Query(), ""))
    assert stocked.operations[-1] != "Products"
    assert raised.value.path == "products.nodes[0].seo"


@pytest.mark.parametrize("value", [None, "gone"])
def test_a_payload_that_is_null_is_named(value: Any) -> None:
    shop = Shop(changing("ProductSet", at("data", "productSet", value=value)))
    [outcome] = shop.write("product", _creation())
    assert outcome.status is Status.UNKNOWN
    shop = Shop()
    [id_] = shop.create(tee())
    shop.between = changing("ProductSet", at("data", "productSet", value=value))
    outcome = shop.update(id_, Product(title="New"))
    assert outcome.status is Status.UNKNOWN
    assert outcome.message.endswith("at productSet")


def test_a_payload_that_can_t_be_read_is_named() -> None:
    shop = Shop()
    [id_] = shop.create(tee())
    edit = at("data", "productSet", "userErrors", value=[7])
    shop.between = changing("ProductSet", edit)
    outcome = shop.update(id_, Product(title="New"))
    assert outcome.status is Status.UNKNOWN
    assert "at productSet.userErrors[0]" in outcome.message


def _creation() -> Change[Any]:
    from storebridge.testing.rig import creation

    return creation(tee())


# -- lines of a job's results


def in_job(shop: Shop, id: str, edit: Edit, *, undone: bool) -> Any:
    """Change a price by a job whose line can't be read; `undone` puts the price back meanwhile."""
    variant = shop.read(id).variants[0]
    before = json.loads(json.dumps(shop.sandbox.get(variant.id)))

    def between(request: Request, own: Handler) -> Response:
        said = own(request)
        if not request.foreign or request.method != "GET":
            return said
        if undone:
            shop.sandbox.save(before)
        found = json.loads(said.body)
        edit(found)
        return replace(said, body=json.dumps(found).encode())

    shop.between = between
    desired = Product(variants=(Variant(id=variant.id, price=eur("9.00")),))
    change: Change[Any] = Change(
        id="1", action="update", part="core", record_id=id, desired=desired
    )
    return shop.write("product", change, way="bulk")[0]


LINES: dict[str, tuple[Edit, str]] = {
    "no list of errors": (
        at("data", "productVariantsBulkUpdate", "userErrors", value=7),
        "productVariantsBulkUpdate.userErrors",
    ),
    "no payload": (at("data", "productVariantsBulkUpdate", value=None), ""),
    "a price that is none": (
        at("data", "productVariantsBulkUpdate", "productVariants", 0, "price", value={}),
        "productVariantsBulkUpdate.productVariants[0].price",
    ),
    "no data": (at("data", value="text"), "data"),
}


@pytest.mark.parametrize("name", LINES)
def test_a_line_that_can_t_be_read_is_looked_up_and_named_if_it_was_not_made(name: str) -> None:
    shop = Shop()
    first, second = shop.create(tee("a"), tee("b"))
    edit, path = LINES[name]
    assert in_job(shop, first, edit, undone=False).status is Status.APPLIED
    outcome = in_job(shop, second, edit, undone=True)
    assert outcome.status is Status.FAILED
    assert outcome.message.endswith(f"; its line can't be read, at {path}" if path else "of it")


def test_an_answer_of_nobody_s_document_names_nothing() -> None:
    shop = Shop()
    request = Request(method="POST", path="/graphql.json", body=b'{"query": "{ shop { id } }"}')
    said = Response(status=200, body=b'{"data": {}}')
    assert shop.adapter.misshapen(request, said) == ""
    with pytest.raises((StorebridgeError, LookupError)):
        shop.adapter.misshapen(Request(method="GET", path="/x"), said)
