from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.adapters.shopify.buyer import Shop, product

from storebridge.flow import Request, Response


@pytest.fixture
def shop() -> Shop:
    return Shop()


SHOP = "{ shop { id } }"


# -- access


def _token(shop: Shop, **form: str) -> Any:
    client = {"client_id": "sandbox", "client_secret": "shpss_sandbox"}
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = urlencode({**client, **form}).encode()
    request = Request(method="POST", path="/admin/oauth/access_token", headers=headers, body=body)
    response = shop.sandbox(request)
    return json.loads(response.body) if response.status == 200 else response.status


def _status(shop: Shop, token: str) -> int:
    shop.headers = {"x-shopify-access-token": token}
    return shop.send(SHOP).status


def test_a_token_is_needed(shop: Shop) -> None:
    assert _status(shop, "wrong") == 401


def test_client_credentials_last_a_day(shop: Shop) -> None:
    found = _token(shop, grant_type="client_credentials")
    assert found["expires_in"] == 86_399
    assert "refresh_token" not in found
    assert _status(shop, found["access_token"]) == 200
    shop.clock.now += 86_399
    assert _status(shop, found["access_token"]) == 401
    assert _token(shop, grant_type="client_credentials", client_secret="x") == 401


def test_a_refresh_token_rotates_and_the_old_one_goes_once_the_new_is_used(shop: Shop) -> None:
    first = _token(shop, code="sandbox_code", expiring="1")
    assert first["expires_in"] == 3_600
    second = _token(shop, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    third = _token(shop, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert _status(shop, third["access_token"]) == 200
    assert _token(shop, grant_type="refresh_token", refresh_token=first["refresh_token"]) == 401
    assert _token(shop, grant_type="refresh_token", refresh_token=third["refresh_token"])


def test_a_missing_scope_denies_its_fields_and_lets_the_others_come(shop: Shop) -> None:
    shop.sandbox.switch(scopes=["read_products"])
    text = "{ publications(first: 1) { nodes { id } } products(first: 1) { nodes { id } } }"
    answer = json.loads(shop.send(text).body)
    assert answer["data"] is None or answer["data"].get("publications") is None
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "ACCESS_DENIED"
    assert error["extensions"]["requiredAccess"] == "`read_publications` access scope."
    (error,) = shop.ask("product_set", input={"title": "x"})["errors"]
    assert "write_products" in error["extensions"]["requiredAccess"]


def test_an_old_version_falls_forward(shop: Shop) -> None:
    for asked, served in (("2026-07", "2026-07"), ("2025-01", "2026-04")):
        assert shop.send(SHOP, version=asked).headers["x-shopify-api-version"] == served


# -- bucket and errors


def test_the_bucket_refuses_restores_and_gives_back() -> None:
    shop = Shop(rate=5.0)  # holds 100 points
    shop.clock.now += 1_000
    cost = shop.ask("files", first=5)["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (8, 2)
    assert cost["throttleStatus"] == {
        "maximumAvailable": 100.0, "currentlyAvailable": 98, "restoreRate": 5.0
    }  # fmt: skip
    statuses = [shop.send(SHOP).status for _ in range(95)]
    assert set(statuses) == {200}
    answer = shop.ask("files", first=5)
    assert answer["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert answer["extensions"]["cost"]["actualQueryCost"] is None
    shop.clock.now += 0.9
    assert "errors" in shop.ask("files", first=5)
    shop.clock.now += 0.2
    assert "errors" not in shop.ask("files", first=5)


def test_an_operation_over_1000_points_is_refused(shop: Shop) -> None:
    rows = [{"optionValues": [], "metafields": [{}]}] * 2048
    (error,) = shop.ask("product_set", input={"title": "x", "variants": rows})["errors"]
    assert error["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert error["extensions"]["maxCost"] == 1000


def test_lists_of_more_than_250_are_refused_and_paid(shop: Shop) -> None:
    answer = shop.ask("tags_add", id="gid://shopify/Product/1", tags=["x"] * 251)
    assert answer["errors"][0]["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"
    assert "data" not in answer
    assert answer["extensions"]["cost"]["actualQueryCost"] is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{ nothing }", "undefinedField"),
        ("{ shop { id", "PARSE_ERROR"),
        ("{ shop { id { x } } }", "selectionMismatch"),
        ("query($x: Int) { shop { id } }", "variableNotUsed"),
        ("{ products { nodes { id } } }", "BAD_REQUEST"),
        ('{ products(first: 1, after: "x") { nodes { id } } }', "BAD_REQUEST"),
        ('{ nodes(ids: ["x"]) { id } }', "RESOURCE_NOT_FOUND"),
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", "INVALID_VARIABLE"),
    ],
)
def test_errors_come_with_status_200_and_their_codes(shop: Shop, text: str, code: str) -> None:
    response = shop.send(text)
    (error,) = json.loads(response.body)["errors"]
    assert (response.status, error["extensions"]["code"]) == (200, code)


def test_faults_on_demand(shop: Shop) -> None:
    def after(kind: str) -> Response:
        shop.sandbox.switch(troubles=[kind])
        return shop.send(SHOP)

    assert after("too_many").headers["retry-after"] == "2.0"
    kinds = ("bad_gateway", "unavailable", "frozen", "locked", "security")
    assert [after(kind).status for kind in kinds] == [502, 503, 402, 423, 430]
    assert json.loads(after("internal").body)["errors"][0]["extensions"]["code"] == (
        "INTERNAL_SERVER_ERROR"
    )
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
        json.loads(after("truncated").body)
    shop.sandbox.switch(troubles=["timeout"])
    text = (
        'mutation { productSet(input: {title: "Late"}) { product { id } userErrors { message } } }'
    )
    assert shop.send(text).status == 504
    assert len(shop.data("products", ids=[], first=5)["products"]["nodes"]) == 1
    with pytest.raises(TypeError, match="no switch"):
        shop.sandbox.switch(nothing=1)


# -- search


def _found(shop: Shop, query: str, **more: Any) -> list[str]:
    nodes = shop.data("products", ids=[], first=50, query=query, **more)["products"]["nodes"]
    return [node["handle"] for node in nodes]


def test_search(shop: Shop) -> None:
    shop.make("Blue Mug", tags=["sale"])
    shop.clock.now += 10
    shop.make("Red Cup", vendor="O'Neill", status="DRAFT")
    assert _found(shop, "tag:sale") == ["blue-mug"]
    assert _found(shop, "vendor:'O\\'Neill'") == ["red-cup"]
    assert _found(shop, "handle:blue-mug,red-cup") == ["blue-mug", "red-cup"]
    assert _found(shop, "sku:'Red Cup-S' OR tag:sale") == ["blue-mug", "red-cup"]
    assert _found(shop, "-tag:sale") == ["red-cup"]
    assert _found(shop, "title:mug") == ["blue-mug"]
    assert _found(shop, "(status:ACTIVE OR status:DRAFT) NOT tag:*") == ["red-cup"]
    at = shop.sandbox.at(shop.clock.now - 5)
    assert _found(shop, f"updated_at:>='{at}'", sortKey="UPDATED_AT") == ["red-cup"]
    assert _found(shop, "", sortKey="TITLE", reverse=True) == ["red-cup", "blue-mug"]


def test_an_unknown_filter_is_ignored_and_only_warned_of(shop: Shop) -> None:
    shop.make("Mug")
    assert _found(shop, "tags:sale") == ["mug"]
    assert "search" not in shop.ask("products", ids=[], first=1, query="tags:x")["extensions"]
    shop.headers["shopify-search-query-debug"] = "1"
    answer = shop.ask("products", ids=[], first=1, query="tags:sale")
    (warning,) = answer["extensions"]["search"][0]["warnings"]
    assert (warning["field"], warning["code"]) == ("tags", "invalid_field")


def test_a_search_lags_and_reads_by_id_do_not(shop: Shop) -> None:
    made = shop.make("Mug", tags=["old"])
    shop.sandbox.switch(search_lag=30)
    shop.payload("tags_add", id=made["id"], tags=["new"])
    other = shop.make("Cup", tags=["new"])
    assert shop.product(made["id"])["tags"] == ["new", "old"]
    assert shop.product(other["id"])["tags"] == ["new"]
    assert _found(shop, "tag:new") == []
    shop.clock.now += 31
    assert _found(shop, "tag:new") == ["mug", "cup"]


def test_pages_go_on_where_the_last_one_ended(shop: Shop) -> None:
    for title in "abcde":
        shop.make(title)
        shop.clock.now += 1
    for order in ("ID", "UPDATED_AT", "TITLE"):
        seen, after = [], None
        while True:
            page = shop.data("products", ids=[], first=2, after=after, sortKey=order)["products"]
            seen += [node["handle"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert seen == list("abcde"), order


# -- translations and prices


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_translations_hold_to_their_digests(shop: Shop) -> None:
    made = shop.make("Mug")
    good = {"locale": "de", "key": "title", "value": "Becher",
            "translatableContentDigest": _digest("Mug")}  # fmt: skip

    def code(**more: Any) -> Any:
        rows = [{**good, **more}]
        return shop.wrong("translations_register", resourceId=made["id"], translations=rows)[0][1]

    assert code(translatableContentDigest="x") == "INVALID_TRANSLATABLE_CONTENT"
    assert code(locale="xx") == "INVALID_LOCALE_FOR_SHOP"
    assert code(locale="en") == "INVALID_LOCALE_FOR_SHOP"
    assert code(value="Mug") == "FAILS_RESOURCE_VALIDATION"
    assert code(value=" ") == "FAILS_RESOURCE_VALIDATION"
    assert code(key="body") == "INVALID_KEY_FOR_MODEL"
    many = [good] * 101
    wrong = shop.wrong("translations_register", resourceId=made["id"], translations=many)
    assert wrong[0][1] == "TOO_MANY_KEYS_FOR_RESOURCE"
    shop.payload("translations_register", resourceId=made["id"], translations=[good])
    shop.payload("product_update", product={"id": made["id"], "title": "Cup"})
    found = shop.data("translatable", ids=[made["id"]], type="PRODUCT", first=5, locale="de")
    (node,) = found["translatableResourcesByIds"]["nodes"]
    assert node["translatableContent"][0]["digest"] == _digest("Cup")
    assert node["translations"][0]["outdated"]
    nested = node["nestedTranslatableResources"]["nodes"]
    kinds = [each["resourceId"].split("/")[3] for each in nested]
    assert kinds == ["ProductOption", "ProductOptionValue", "ProductOptionValue"]


def test_fixed_prices_are_in_the_currency_of_their_list(shop: Shop) -> None:
    made = shop.make("Mug")
    swiss = shop.prices[1]
    variant = made["variants"]["nodes"][0]["id"]

    def row(amount: str, currency: str = "CHF", id: str = variant) -> Any:
        return {"variantId": id, "price": {"amount": amount, "currencyCode": currency}}

    wrong = shop.wrong("prices_add", priceListId=swiss, prices=[row("1", "EUR")])
    assert wrong[0][:2] == (
        ["prices", "0", "price", "currencyCode"],
        "PRICE_LIST_CURRENCY_MISMATCH",
    )
    lost = row("1", id="gid://shopify/ProductVariant/9")
    assert shop.wrong("prices_add", priceListId=swiss, prices=[lost])[0][1] == "VARIANT_NOT_FOUND"
    shop.payload("prices_add", priceListId=swiss, prices=[row("8"), row("7")])
    assert shop.product(made["id"])["variants"]["nodes"][0]["contextualPricing"]["price"] == {
        "amount": "7.00", "currencyCode": "CHF"
    }  # fmt: skip
    shop.payload("prices_delete", priceListId=swiss, variantIds=[variant])
    wrong = shop.wrong("prices_delete", priceListId=swiss, variantIds=[variant])
    assert wrong[0][1] == "PRICE_NOT_FIXED"


def test_a_price_list_is_searched_late_and_ignores_unknown_filters(shop: Shop) -> None:
    variant = shop.make("Mug")["variants"]["nodes"][0]["id"]
    swiss = shop.prices[1]
    row: Any = {"variantId": variant, "price": {"amount": "8", "currencyCode": "CHF"}}

    def found(query: str | None) -> list[str]:
        text = """query($id: ID!, $query: String) { priceList(id: $id) {
            prices(first: 9, originType: FIXED, query: $query) { nodes { price { amount } } } } }"""
        answer = json.loads(shop.send(text, {"id": swiss, "query": query}).body)
        told = answer["extensions"].get("search", ())
        warned.extend(each["warnings"][0]["field"] for each in told)
        return [each["price"]["amount"] for each in answer["data"]["priceList"]["prices"]["nodes"]]

    warned: list[str] = []
    shop.headers["shopify-search-query-debug"] = "1"
    mine = f"variant_id:{variant.rpartition('/')[2]}"
    shop.sandbox.switch(search_lag=30)
    shop.payload("prices_add", priceListId=swiss, prices=[row])
    assert (found(mine), found(None)) == ([], ["8.00"])
    shop.clock.now += 31
    assert found(mine) == ["8.00"]
    row["price"]["amount"] = "7"
    shop.payload("prices_add", priceListId=swiss, prices=[row])
    assert (found(mine), found(None)) == (["8.00"], ["7.00"])
    shop.clock.now += 31
    shop.payload("prices_delete", priceListId=swiss, variantIds=[variant])
    assert (found(mine), found(None)) == (["7.00"], [])
    assert warned == []
    assert found("sku:nothing") == ["7.00"]
    assert warned == ["sku"]
    shop.clock.now += 31
    assert found(mine) == []


# -- people, orders, the rest


def test_customers(shop: Shop) -> None:
    given = {"email": "Anna@Shop.example", "firstName": "Anna"}
    id = shop.payload("customer_create", input=given)["customer"]["id"]
    assert shop.wrong("customer_create", input=given)[0][::2] == (
        ["email"],
        "Email has already been taken",
    )
    assert shop.wrong("customer_create", input={"note": "x"})[0][0] is None
    assert shop.wrong("customer_create", input={"email": "x"})[0][2] == "Email is invalid"
    found = shop.data("customers", first=5, id=id, query="email:anna@shop.example")
    assert [node["id"] for node in found["customers"]["nodes"]] == [id]
    email = {"email": "b@shop.example"}
    places = [{"city": "Bern", "countryCode": "CH"}]
    one = shop.payload("customer_set", identifier=email, input={**email, "addresses": places})
    two = shop.payload("customer_set", identifier=email, input={**email, "addresses": []})
    assert one["customer"]["id"] == two["customer"]["id"]
    found = shop.data("customers", first=5, id=one["customer"]["id"])["customer"]
    assert found["addressesV2"]["nodes"] == []
    consent = {"marketingState": "PENDING"}
    given = {"customerId": id, "emailMarketingConsent": consent}
    assert shop.wrong("email_consent", input=given)[0][1] == "INVALID"


def test_an_order_is_sold_sent_and_refunded(shop: Shop) -> None:
    made = shop.make("Mug")
    variants = [node["id"] for node in made["variants"]["nodes"]]
    id = shop.sandbox.sell([(variants[0], 2), (variants[1], 1)], discount="1", code="X")
    order = shop.data("orders", first=5, id=id, lines=1)["order"]
    assert order["lineItems"]["pageInfo"]["hasNextPage"]
    assert order["totalPriceSet"]["shopMoney"]["amount"] == "33.60"
    assert (order["displayFinancialStatus"], order["displayFulfillmentStatus"]) == (
        "PAID", "UNFULFILLED"
    )  # fmt: skip
    (sending,) = order["fulfillmentOrders"]["nodes"]
    row = sending["lineItems"]["nodes"][0]
    part = {"lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": sending["id"],
            "fulfillmentOrderLineItems": [{"id": row["id"], "quantity": 1}]}],
            "trackingInfo": {"number": "1", "company": "DHL"}}  # fmt: skip
    shop.payload("fulfill", fulfillment=part)
    rest = {"lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": sending["id"]}]}
    sent = shop.payload("fulfill", fulfillment=rest)["fulfillment"]["id"]
    assert "unfulfillable status= closed" in shop.wrong("fulfill", fulfillment=rest)[0][2]
    shop.payload("tracking", fulfillmentId=sent, trackingInfoInput={"numbers": ["2", "3"]})
    line = order["lineItems"]["nodes"][0]["id"]
    refund = {"orderId": id, "refundLineItems": [{"lineItemId": line, "quantity": 1}]}
    shop.payload("refund", input=refund, key="r1")
    shop.payload("refund", input=refund, key="r1")
    order = shop.data("orders", first=5, id=id, lines=5)["order"]
    assert order["totalRefundedSet"]["shopMoney"]["amount"] == "9.90"
    assert order["displayFulfillmentStatus"] == "FULFILLED"
    assert [len(each["trackingInfo"]) for each in order["fulfillments"]] == [1, 2]


def test_discounts_and_redirects(shop: Shop) -> None:
    given = {"title": "W", "code": "WELCOME", "startsAt": "2020-01-01T00:00:00Z",
             "context": {"all": "ALL"},
             "customerGets": {"value": {"percentage": 0.1}, "items": {"all": True}}}  # fmt: skip
    shop.payload("discount_create", basicCodeDiscount=given)
    assert shop.wrong("discount_create", basicCodeDiscount=given)[0][1] == "TAKEN"
    (node,) = shop.data("discounts", first=5, query="status:ACTIVE")["discountNodes"]["nodes"]
    assert node["discount"]["codes"]["nodes"][0]["code"] == "WELCOME"
    shop.payload("redirect_create", urlRedirect={"path": "/a", "target": "/b"})
    wrong = shop.wrong("redirect_create", urlRedirect={"path": "/a", "target": "/c"})
    assert wrong[0][:2] == (["urlRedirect", "path"], "CREATE_FAILED")


def test_a_variants_product_is_the_inputs_one(shop: Shop) -> None:
    given = product("Mug", "S")
    given["variants"][0]["optionValues"] = [{"optionName": "Colour", "name": "red"}]
    found = shop.wrong("product_set", input=given)
    assert found[0][1] == "OPTION_DOES_NOT_EXIST"
