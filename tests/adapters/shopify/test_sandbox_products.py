from __future__ import annotations

from typing import Any

import pytest
from tests.adapters.shopify.buyer import Shop, product


@pytest.fixture
def shop() -> Shop:
    return Shop()


def _sizes(shop: Shop, id: str) -> dict[str, str]:
    return {v["sku"]: v["id"] for v in shop.product(id)["variants"]["nodes"]}


def test_a_new_product_is_active_and_published_nowhere(shop: Shop) -> None:
    made = shop.make()
    found = shop.product(made["id"])
    assert (found["status"], found["handle"]) == ("ACTIVE", "mug")
    assert found["resourcePublications"]["nodes"] == []
    assert found["onlineStoreUrl"] is None


def test_lists_of_product_set_replace(shop: Shop) -> None:
    made = shop.make(
        tags=["b", " a", "A", "b"],
        files=[{"originalSource": "https://shop.example/a.jpg"}],
        metafields=[{"namespace": "custom", "key": "care", "type": "boolean", "value": "true"}],
    )
    before = _sizes(shop, made["id"])
    assert shop.product(made["id"])["tags"] == ["a", "b"]
    given = product("Mug", "S")
    given["variants"][0]["id"] = before["Mug-S"]
    shop.payload("product_set", identifier={"id": made["id"]}, input=given)
    found = shop.product(made["id"])
    assert _sizes(shop, made["id"]) == {"Mug-S": before["Mug-S"]}
    assert shop.data("products", ids=[before["Mug-M"]], first=1)["nodes"] == [None]
    assert found["options"][0]["values"] == ["S"]
    assert found["tags"] == ["a", "b"]  # left out, so untouched
    assert len(found["media"]["nodes"]) == 1
    gone = {"tags": [], "files": [], "metafields": []}
    shop.payload("product_set", identifier={"id": made["id"]}, input=gone)
    found = shop.product(made["id"])
    assert (found["tags"], found["media"]["nodes"], found["metafields"]["nodes"]) == ([], [], [])


def test_a_variant_without_its_id_is_a_new_one(shop: Shop) -> None:
    made = shop.make()
    before = _sizes(shop, made["id"])
    shop.payload("product_set", identifier={"id": made["id"]}, input=product())
    assert not set(before.values()) & set(_sizes(shop, made["id"]).values())


def test_a_product_without_options_has_the_default_one(shop: Shop) -> None:
    made = shop.payload("product_set", input={"title": "Cup"})["product"]
    found = shop.product(made["id"])
    assert [(o["name"], o["values"]) for o in found["options"]] == [("Title", ["Default Title"])]
    assert found["hasOnlyDefaultVariant"]


def test_handles_are_normal_and_unique(shop: Shop) -> None:
    def handle(**more: Any) -> str:
        return str(
            shop.payload("product_set", input={"title": "Ein Mug", **more})["product"]["handle"]
        )

    assert handle(handle="  Große_TASSE!  ") == "große-tasse"
    assert [handle(), handle(), handle()] == ["ein-mug", "ein-mug-1", "ein-mug-2"]
    wrong = shop.wrong("product_set", input={"title": "X", "handle": " Ein-Mug "})
    text = "Handle ' Ein-Mug ' already in use. Please provide a new handle."
    assert wrong == [(["input", "handle"], None, text)]


def test_a_new_title_keeps_the_handle(shop: Shop) -> None:
    made = shop.make()
    shop.payload("product_update", product={"id": made["id"], "title": "Cup"})
    assert shop.product(made["id"])["handle"] == "mug"


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({"title": ""}, ["input", "title"], "INVALID_INPUT"),
        ({"title": "x" * 256}, ["input", "title"], None),
        ({"title": "x", "vendor": "x" * 256}, ["input"], None),
        ({**product(), "variants": None}, ["input", "variants"], "VARIANTS_INPUT_MISSING"),
        (
            {"title": "x", "variants": product()["variants"]},
            ["input", "productOptions"],
            "PRODUCT_OPTIONS_INPUT_MISSING",
        ),
        (
            {
                "title": "x",
                "productOptions": [{"name": f"o{i}", "values": [{"name": "a"}]} for i in range(4)],
                "variants": [],
            },
            ["input", "productOptions"],
            "OPTIONS_OVER_LIMIT",
        ),
        (
            {"title": "x", "id": "gid://shopify/Product/9"},
            ["input", "id"],
            "PRODUCT_DOES_NOT_EXIST",
        ),
    ],
)
def test_wrong_products(shop: Shop, given: Any, field: list[str], code: str | None) -> None:
    assert [(f, c) for f, c, _ in shop.wrong("product_set", input=given)] == [(field, code)]


def test_errors_of_variants_say_where_as_text_and_undo_everything(shop: Shop) -> None:
    given = product("Mug", "SM")
    given["variants"][1]["inventoryItem"] = {"cost": "-1"}
    given["variants"].append(given["variants"][0])
    found = shop.wrong("product_set", input=given)
    assert found[0][:2] == (["input", "variants", "1", "inventoryItem", "cost"], "INVALID_VARIANT")
    text = "The variant 'S' already exists. Please change at least one option value."
    assert found[1] == (["input", "variants", "2"], None, text)
    assert shop.data("products", ids=[], first=5)["products"]["nodes"] == []


def test_identifiers_are_held_against_the_input(shop: Shop) -> None:
    def code(identifier: Any, **given: Any) -> Any:
        found = shop.wrong("product_set", identifier=identifier, input={"title": "x", **given})
        return found[0][1]

    assert code({"handle": "a"}) == "MISSING_FIELD_REQUIRED"
    assert code({"handle": "a"}, handle="b") == "INPUT_MISMATCH"
    assert code({"id": "gid://shopify/Product/9"}) == "NOT_FOUND"
    made = shop.make()
    assert code({"id": made["id"]}, id=made["id"]) == "ID_NOT_ALLOWED"
    first = shop.payload(
        "product_set", identifier={"handle": "a"}, input={"title": "A", "handle": "a"}
    )
    again = shop.payload(
        "product_set", identifier={"handle": "a"}, input={"title": "B", "handle": "a"}
    )
    assert first["product"]["id"] == again["product"]["id"]


def test_more_than_2048_variants_are_too_many(shop: Shop) -> None:
    given = {**product(), "variants": product()["variants"][:1] * 2049}
    (error,) = shop.ask("product_set", input=given)["errors"]
    assert error["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"
    assert error["path"] == ["productSet", "input", "variants"]


def test_an_asynchronous_product_comes_later(shop: Shop) -> None:
    answer = shop.payload("product_set", input=product(), synchronous=False)
    assert answer["product"] is None
    id = answer["productSetOperation"]["id"]
    found = [shop.data("operation", id=id)["productOperation"] for _ in range(3)]
    assert [each["status"] for each in found] == ["ACTIVE", "COMPLETE", "COMPLETE"]
    assert found[0]["product"] is None
    assert found[1]["product"]["handle"] == "mug"
    shop.payload("product_set", input={"title": "Cup", "handle": "cup"})
    late = shop.payload("product_set", input={"title": "x", "handle": "cup"}, synchronous=False)
    shop.pause()
    id = late["productSetOperation"]["id"]
    (error,) = shop.data("operation", id=id)["productOperation"]["userErrors"]
    assert error["field"] == ["input", "handle"]


def test_variants_are_made_changed_and_deleted(shop: Shop) -> None:
    made = shop.make()
    new = {"optionValues": [{"optionName": "Size", "name": "L"}], "price": "3"}
    shop.payload("variants_create", productId=made["id"], variants=[new])
    wrong = shop.wrong("variants_create", productId=made["id"], variants=[new, {"price": "1"}])
    assert [(field, code) for field, code, _ in wrong] == [
        (["variants", "0"], "VARIANT_ALREADY_EXISTS_CHANGE_OPTION_VALUE"),
        (["variants", "1"], "NEED_TO_ADD_OPTION_VALUES"),
    ]
    ids = [v["id"] for v in shop.product(made["id"])["variants"]["nodes"]]
    assert len(ids) == 3
    rows = [{"id": ids[0], "price": "5", "compareAtPrice": "7"}, {"id": ids[1], "price": "-1"}]
    wrong = shop.wrong("variants_update", productId=made["id"], variants=rows)
    assert wrong[0][:2] == (["variants", "1", "price"], "GREATER_THAN_OR_EQUAL_TO")
    assert shop.product(made["id"])["variants"]["nodes"][0]["price"] == "9.90"
    shop.wrong("variants_update", productId=made["id"], variants=rows, allowPartialUpdates=True)
    first = shop.product(made["id"])["variants"]["nodes"][0]
    assert (first["price"], first["compareAtPrice"]) == ("5.00", "7.00")
    shop.payload("variants_delete", productId=made["id"], variantsIds=ids[1:])
    wrong = shop.wrong("variants_delete", productId=made["id"], variantsIds=ids[:1])
    assert wrong[0][1] == "CANNOT_DELETE_LAST_VARIANT"


def test_quantities_are_for_new_variants_only(shop: Shop) -> None:
    made = shop.make()
    stock = [{"locationId": shop.places[0], "availableQuantity": 3}]
    row = {"id": made["variants"]["nodes"][0]["id"], "inventoryQuantities": stock}
    (error,) = shop.wrong("variants_update", productId=made["id"], variants=[row])
    assert error[1] == "NO_INVENTORY_QUANTITIES_ON_VARIANTS_UPDATE"


def test_files_become_ready_or_fail_later(shop: Shop) -> None:
    sources = ["https://shop.example/a.jpg", "https://dead.example/b.jpg"]
    made = shop.make(files=[{"originalSource": each} for each in sources])

    def states() -> list[tuple[str, bool]]:
        found = shop.product(made["id"])["media"]["nodes"]
        return [(each["status"], each["preview"]["image"] is not None) for each in found]

    assert states() == [("PROCESSING", False)] * 2
    assert states() == [("READY", True), ("FAILED", False)]
    failed = shop.product(made["id"])["media"]["nodes"][1]["id"]
    (doc,) = shop.data("products", ids=[failed], first=1)["nodes"]
    assert doc["fileErrors"][0]["code"] == "IMAGE_DOWNLOAD_FAILURE"


def test_only_ready_files_are_changed_and_deleting_takes_them_from_products(shop: Shop) -> None:
    given = {"originalSource": "https://shop.example/a.jpg"}
    made = shop.make()
    id = shop.payload("file_create", files=[given])["files"][0]["id"]
    row = {"id": id, "referencesToAdd": [made["id"]]}
    assert shop.wrong("file_update", files=[row])[0][1] == "NON_READY_STATE"
    shop.pause()
    shop.payload("file_update", files=[row])
    assert [m["id"] for m in shop.product(made["id"])["media"]["nodes"]] == [id]
    shop.payload("file_delete", fileIds=[id])
    assert shop.product(made["id"])["media"]["nodes"] == []


def test_stock_needs_a_key_and_a_stated_quantity(shop: Shop) -> None:
    made = shop.make()
    row = {"inventoryItemId": made["variants"]["nodes"][0]["inventoryItem"]["id"],
           "locationId": shop.places[0], "quantity": 5}  # fmt: skip
    given = {"name": "available", "reason": "correction", "quantities": [row]}
    text = (
        "mutation($i: InventorySetQuantitiesInput!) "
        "{ inventorySetQuantities(input: $i) { userErrors { code } } }"
    )
    assert b"BAD_REQUEST" in shop.send(text, {"i": given}).body
    (error,) = shop.ask("inventory_set", input=given, key="k1")["errors"]
    assert error["extensions"]["code"] == "INVALID_FIELD_ARGUMENTS"
    row["changeFromQuantity"] = 1
    assert shop.wrong("inventory_set", input=given, key="k2")[0][1] == "CHANGE_FROM_QUANTITY_STALE"
    row["changeFromQuantity"] = 0
    first = shop.payload("inventory_set", input=given, key="k3")
    assert shop.payload("inventory_set", input=given, key="k3") == first  # the same answer again
    row["quantity"] = 6
    found = shop.wrong("inventory_set", input=given, key="k3")
    assert found[0][1] == "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
    shop.clock.now += 86_401
    row["changeFromQuantity"] = 5
    shop.payload("inventory_set", input=given, key="k3")


def test_stock_errors(shop: Shop) -> None:
    made = shop.make()
    row = {"inventoryItemId": made["variants"]["nodes"][0]["inventoryItem"]["id"],
           "locationId": shop.places[0], "quantity": 5, "changeFromQuantity": None}  # fmt: skip

    def codes(*rows: Any, name: str = "available", reason: str = "correction") -> list[Any]:
        given = {"name": name, "reason": reason, "quantities": list(rows)}
        return [code for _, code, _ in shop.wrong("inventory_set", input=given, key=repr(given))]

    assert codes(row, name="x") == ["INVALID_NAME"]
    assert codes(row, reason="x") == ["INVALID_REASON"]
    assert codes(row, row) == ["NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"] * 2
    assert codes({**row, "quantity": 10**9 + 1}) == ["INVALID_QUANTITY_TOO_HIGH"]
    assert codes({**row, "locationId": "gid://shopify/Location/9"}) == ["INVALID_LOCATION"]
    assert codes({**row, "inventoryItemId": "gid://shopify/InventoryItem/9"}) == [
        "INVALID_INVENTORY_ITEM"
    ]


def test_metafields_are_set_all_or_none(shop: Shop) -> None:
    made = shop.make()
    good = {"ownerId": made["id"], "namespace": "custom", "key": "n1", "type": "number_integer",
            "value": "1"}  # fmt: skip
    bad = {**good, "key": "n2", "value": "x"}
    (found,) = shop.data("metafields_set", metafields=[good, bad])["metafieldsSet"]["userErrors"]
    assert (found["field"], found["code"]) == (["metafields", "1", "value"], "INVALID_VALUE")
    assert found["elementIndex"] == 1
    assert shop.product(made["id"])["metafields"]["nodes"] == []
    digest = shop.payload("metafields_set", metafields=[good])["metafields"][0]["compareDigest"]
    shop.clock.now += 1
    shop.payload("metafields_set", metafields=[{**good, "value": "2", "compareDigest": digest}])
    stale = {**good, "value": "3", "compareDigest": digest}
    assert shop.wrong("metafields_set", metafields=[stale])[0][1] == "STALE_OBJECT"
    many = [{**good, "key": f"key{i}"} for i in range(26)]
    assert shop.wrong("metafields_set", metafields=many)[0][1] == "LESS_THAN_OR_EQUAL_TO"


def test_collections_are_manual_or_smart(shop: Shop) -> None:
    made = shop.make()
    rule = {"column": "VARIANT_PRICE", "relation": "LESS_THAN", "condition": "10"}
    rules = {"appliedDisjunctively": False, "rules": [rule]}
    smart = shop.payload("collection_create", input={"title": "Cheap", "ruleSet": rules})
    manual = shop.payload("collection_create", input={"title": "Mine"})
    id = manual["collection"]["id"]
    job = shop.payload("collection_add", id=id, productIds=[made["id"]])["job"]
    assert [shop.data("job", id=job["id"])["job"]["done"] for _ in range(2)] == [False, True]
    assert {c["handle"] for c in shop.product(made["id"])["collections"]["nodes"]} == {
        "cheap",
        "mine",
    }
    wrong = shop.wrong("collection_add", id=smart["collection"]["id"], productIds=[made["id"]])
    assert wrong[0][1] == "CANT_ADD_TO_SMART_COLLECTION"
    shop.payload("product_set", identifier={"id": made["id"]}, input={"collections": []})
    assert [c["handle"] for c in shop.product(made["id"])["collections"]["nodes"]] == ["cheap"]


def test_publishing(shop: Shop) -> None:
    made = shop.make()
    store, register = shop.channels
    shop.payload("publish", id=made["id"], input=[{"publicationId": store}])
    found = shop.product(made["id"])
    assert found["onlineStoreUrl"]
    assert [p["publication"]["id"] for p in found["resourcePublications"]["nodes"]] == [store]
    twice = [{"publicationId": store}, {"publicationId": store}]
    assert shop.wrong("publish", id=made["id"], input=twice)[0][0] == [
        "input",
        "1",
        "publicationId",
    ]
    later = [{"publicationId": register, "publishDate": "2031-01-01T00:00:00Z"}]
    assert shop.wrong("publish", id=made["id"], input=later)[0][0] == ["input", "0", "publishDate"]
    shop.payload("unpublish", id=made["id"], input=[{"publicationId": store}])
    assert shop.product(made["id"])["onlineStoreUrl"] is None
