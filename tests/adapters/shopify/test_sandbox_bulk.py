from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.shopify.buyer import STAGED, Shop

from storebridge.flow import Request
from storebridge.testing.sandbox import SandboxServer

SET = (
    "mutation Set($input: ProductSetInput!) { productSet(input: $input) "
    "{ product { id handle } userErrors { code field message } } }"
)
READ = "{ products { edges { node { id title variants { edges { node { id sku } } } } } } }"


ROWS = "edges { node { id %s } }"


def below(*names: str) -> str:
    """Return a query of connections, each within the one before."""
    text = ""
    for name in reversed(names):
        text = f"{name} {{ {ROWS % text} }}"
    return f"{{ {text} }}"


def beside(*texts: str) -> str:
    """Return a query of orders with some fields."""
    return below("orders").replace("{ id  }", f"{{ id {' '.join(texts)} }}")


PARCELS = f"fulfillments {{ id fulfillmentLineItems {{ {ROWS % ''} }} }}"
REFUNDS = f"refunds {{ id refundLineItems {{ {ROWS % ''} }} }}"
FIVE = [f"m{number}: metafields {{ {ROWS % ''} }}" for number in range(5)]
CODES = " ".join(f"c{number}: codes {{ {ROWS % ''} }}" for number in range(5))
IN_LIST = "a connection field within a list field"


@pytest.fixture
def shop() -> Shop:
    return Shop()


def _run(shop: Shop, lines: list[Any]) -> str:
    path = shop.upload(lines)
    return str(shop.payload("bulk_mutation", mutation=SET, path=path)["bulkOperation"]["id"])


def test_every_line_has_its_result_in_any_order(shop: Shop) -> None:
    lines = [{"input": {"title": f"Mug {n}"}} for n in range(30)]
    lines[7] = {"input": {"title": ""}}
    lines[9] = {"input": {"titel": "x"}}
    id = _run(shop, lines)
    done = shop.finished(id)
    assert (done["status"], done["type"], done["objectCount"]) == ("COMPLETED", "MUTATION", "30")
    rows = shop.lines(done["url"])
    assert "gid:\\/\\/shopify\\/Product\\/" in rows[0] + rows[1]
    found = {row["__lineNumber"]: row for row in map(json.loads, rows)}
    assert sorted(found) == list(range(30))
    assert list(found) != sorted(found)
    assert found[7]["data"]["productSet"]["userErrors"][0]["field"] == ["input", "title"]
    assert found[9]["errors"][0]["extensions"]["code"] == "INVALID_VARIABLE"
    assert found[3]["data"]["productSet"]["product"]["handle"] == "mug-3"


def test_states_come_one_after_the_other_and_lines_with_time(shop: Shop) -> None:
    shop.sandbox.switch(bulk_rate=10, first_line=1, steps=1)
    id = _run(shop, [{"input": {"title": f"Mug {n}"}} for n in range(20)])
    assert shop.finished(id, 1)["status"] == "RUNNING"
    shop.clock.now += 1
    half = shop.finished(id, 1)
    assert (half["status"], half["objectCount"], half["url"]) == ("RUNNING", "10", None)
    shop.clock.now += 1
    done = shop.finished(id, 1)
    assert done["status"] == "COMPLETED"
    numbers = [json.loads(line)["__lineNumber"] for line in shop.lines(done["url"])]
    assert sorted(numbers) == list(range(1, 21))


def test_a_failed_one_leaves_part_of_its_results(shop: Shop) -> None:
    shop.sandbox.switch(bulk_ends=["40 FAILED INTERNAL_SERVER_ERROR"])
    done = shop.finished(_run(shop, [{"input": {"title": f"Mug {n}"}} for n in range(9)]))
    assert (done["status"], done["errorCode"], done["url"]) == (
        "FAILED", "INTERNAL_SERVER_ERROR", None
    )  # fmt: skip
    assert len(shop.lines(done["partialDataUrl"])) == 3


def test_a_query_gives_parents_and_children_apart(shop: Shop) -> None:
    made = [shop.make(title)["id"] for title in ("Mug", "Cup")]
    id = shop.payload("bulk_query", query=READ, groupObjects=False)["bulkOperation"]["id"]
    done = shop.finished(id)
    assert (done["objectCount"], done["rootObjectCount"]) == ("6", "2")
    rows = [json.loads(line) for line in shop.lines(done["url"])]
    assert sorted(row["id"] for row in rows if "__parentId" not in row) == sorted(made)
    parents = [row["__parentId"] for row in rows if "__parentId" in row]
    assert sorted(parents) == sorted(made * 2)
    assert parents != sorted(parents), "children come in no order"
    shop.clock.now += 8 * 86_400
    assert shop.finished(id, 1)["url"] is None


def test_nothing_found_has_no_file(shop: Shop) -> None:
    id = shop.payload("bulk_query", query=READ, groupObjects=False)["bulkOperation"]["id"]
    done = shop.finished(id)
    assert (done["status"], done["url"], done["objectCount"]) == ("COMPLETED", None, "0")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("{ shop { id } }", "at least one connection"),
        ("{ products { nodes { id } } }", "'edges' > 'node'"),
        (
            "{ products { edges { node { title variants { edges { node { id } } } } } } }",
            "must select the 'id'",
        ),
        ("{ products { edges { node", "Invalid bulk query"),
        ('{ nodes(ids: ["gid://shopify/Product/1"]) { id } }', "`node` or `nodes`"),
        (beside(PARCELS), IN_LIST),
        (beside(REFUNDS), IN_LIST),
        (beside("...Parts") + f" fragment Parts on Order {{ {PARCELS} }}", IN_LIST),
        (below("collections", "products", "variants", "metafields"), "depth greater than 2"),
        (beside(*FIVE), "more than 5 connections"),
        (
            f"{{ discountNodes {{ {ROWS} }} }}"
            % f"discount {{ ... on DiscountCodeBasic {{ {CODES} }} }}",
            "more than 5 connections",
        ),
    ],
)
def test_queries_that_may_not_be_asked_in_bulk(shop: Shop, query: str, words: str) -> None:
    [(field, code, message)] = shop.wrong("bulk_query", query=query, groupObjects=False)
    assert (field, code) == (["query"], "INVALID")
    assert words in message


def test_files_and_names_are_checked(shop: Shop) -> None:
    def code(path: str, mutation: str = SET, client: str | None = None) -> Any:
        found = shop.wrong("bulk_mutation", mutation=mutation, path=path, client=client)
        return found[0][1]

    good = shop.upload([{}])
    assert code("tmp/none") == "NO_SUCH_FILE"
    assert code(shop.upload(b"")) == "INVALID_STAGED_UPLOAD_FILE"
    assert code(good, "mutation {") == "INVALID_MUTATION"
    assert code(good, client="short") == "INVALID_MUTATION"
    assert code(good, "{ shop { id } }") is None  # recorded: without a code


def test_five_of_each_kind_run_at_once(shop: Shop) -> None:
    shop.sandbox.switch(steps=100)
    for _ in range(5):
        shop.payload("bulk_query", query=READ, groupObjects=False)
    wrong = shop.wrong("bulk_query", query=READ, groupObjects=False)
    assert wrong[0][:2] == (None, "OPERATION_IN_PROGRESS")
    id = _run(shop, [{"input": {"title": "x"}}])
    shop.payload("bulk_cancel", id=id)
    done = shop.finished(id, 1)
    assert (done["status"], done["url"]) == ("CANCELED", None)
    found = shop.data("bulk_status", id=id, first=10, query="status:CANCELED")
    assert [each["id"] for each in found["bulkOperations"]["nodes"]] == [id]


def test_the_operations_of_another_app_are_not_shown(shop: Shop) -> None:
    id = _run(shop, [{"input": {"title": "x"}}])
    headers = {"content-type": "application/json"}
    grant = {"client_id": "sandbox", "client_secret": "shpss_sandbox",
             "grant_type": "client_credentials"}  # fmt: skip
    body = json.dumps(grant).encode()
    path = "/admin/oauth/access_token"
    answer = shop.sandbox(Request(method="POST", path=path, headers=headers, body=body))
    shop.headers = {"x-shopify-access-token": json.loads(answer.body)["access_token"]}
    found = shop.data("bulk_status", id=id, first=10)
    assert (found["bulkOperation"], found["bulkOperations"]["nodes"]) == (None, [])


def test_an_upload_is_a_form_with_the_file_last(shop: Shop) -> None:
    target = shop.payload("staged", input=[STAGED])["stagedTargets"][0]
    fields = {each["name"]: each["value"] for each in target["parameters"]}

    def form(*names: str) -> int:
        parts = {**fields, "file": "{}"}
        body = "".join(
            f'--b\r\ncontent-disposition: form-data; name="{name}"'
            f"{'; filename=x' if name == 'file' else ''}\r\n\r\n{parts[name]}\r\n"
            for name in names
        )
        headers = {"content-type": "multipart/form-data; boundary=b"}
        request = Request(
            method="POST", path=target["url"], headers=headers, body=f"{body}--b--\r\n".encode()
        )
        return shop.sandbox(request).status

    assert form("file", *fields) == 400
    assert form("key", "file") == 403
    assert form(*fields, "file") == 201
    put = shop.payload(
        "staged", input=[{"resource": "FILE", "filename": "a.txt", "mimeType": "text/plain"}]
    )["stagedTargets"][0]
    assert shop.sandbox(Request(method="PUT", path=put["url"], body=b"x")).status == 200
    assert shop.sandbox(Request(method="PUT", path="/staged/other", body=b"x")).status == 403


def test_a_server_names_its_own_address_for_uploads(shop: Shop) -> None:
    with SandboxServer(shop.sandbox) as server:
        target = shop.payload("staged", input=[STAGED])["stagedTargets"][0]
        assert target["url"].startswith(server.url)


def test_a_state_file_keeps_the_shop(tmp_path: Path) -> None:
    from storebridge_shopify.sandbox import create

    first = create(tmp_path / "shop.db", search_lag=5.0)
    first.close()
    second = create(tmp_path / "shop.db")
    assert second.option("search_lag") == 5.0
    second.close()
