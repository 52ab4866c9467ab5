"""Every capability of the adapter is recorded from a real server, or said not to be."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "cassettes" / "woocommerce"
README = ROOT / "cassettes" / "README.md"

#: What was recorded where, and what has to be in it: requests by verb and path, texts of answers.
RECORDED: dict[str, tuple[str, tuple[str, ...]]] = {
    "keys over https": ("access/over_https", ("GET /wc/v3/system_status",)),
    "signatures over http": ("access/over_http_with_signatures", ("GET http://127.0.0.1:8080",)),
    "a wrong secret": ("access/a_wrong_secret", ("Consumer secret is invalid",)),
    "an unknown key": ("access/an_unknown_key", ("GET /wp/v2/users/me", "invalid_username")),
    "a key that may only read": ("access/a_key_that_may_only_read", ("write permissions",)),
    "a role that is too low": (
        "access/a_key_of_somebody_with_too_few_rights",
        ("Sorry, you cannot",),
    ),
    "what a key may not do": (
        "access/what_a_key_may_not_do_is_found_out_without_writing",
        ("POST /wc/v3/products/batch", "write permissions"),
    ),
    "an application password": (
        "media/a_file_is_uploaded_and_kept_by_its_id",
        ("POST /wp/v2/media",),
    ),
    "the shop's units and plugins": (
        "access/over_https",
        ("GET /wc/v3/settings/products", "active_plugins"),
    ),
    "simple products": ("products/simple_product", ("POST /wc/v3/products/batch", "weight")),
    "deletes": ("products/simple_product", ("DELETE /wc/v3/products/",)),
    "variable products": (
        "products/variable_product",
        ("/variations/batch", "GET /wc/v3/variations"),
    ),
    "attributes of the shop": (
        "products/attributes_of_the_shop",
        ("POST /wc/v3/products/attributes", "default_attributes"),
    ),
    "options that change their kind": ("products/an_option_changes_its_kind", ("pa_size",)),
    "brands": ("products/attributes_of_the_shop", ("POST /wc/v3/products/brands",)),
    "tags": ("products/simple_product", ("tags",)),
    "metadata": ("products/simple_product", ("meta_data",)),
    "grouped and external products": (
        "products/grouped_and_external_products_are_read_and_kept",
        ("grouped_products", "external_url"),
    ),
    "sales with dates": ("products/sale_prices", ("date_on_sale_to_gmt",)),
    "stock": ("products/stock", ("manage_stock", "backorders")),
    "errors of single items": (
        "products/an_error_belongs_to_its_item",
        ("woocommerce_rest_product_not_created",),
    ),
    "pages": ("products/pages", ("offset",)),
    "what was changed since": ("products/what_was_changed_since", ("modified_after",)),
    "many SKUs at once": ("plans/a_catalogue", ("sku=",)),
    "categories as a tree": (
        "collections/a_tree",
        ("POST /wc/v3/products/categories/batch", "parent"),
    ),
    "members of categories": ("collections/members", ("categories",)),
    "pictures by upload": (
        "media/a_file_is_uploaded_and_kept_by_its_id",
        ("PUT /wc/v3/products/",),
    ),
    "pictures by address": ("media/a_picture_by_its_address", ("PUT /wc/v3/products/",)),
    "pictures that can't be fetched": (
        "media/a_picture_that_cannot_be_fetched",
        ("woocommerce_product_image_upload_error",),
    ),
    "texts of pictures": ("media/texts_of_pictures", ("alt",)),
    "pictures of variants": (
        "media/pictures_of_variants_and_categories",
        ("/variations/batch", "PUT /wc/v3/products/1"),
    ),
    "pictures of categories": (
        "media/pictures_of_variants_and_categories",
        ("PUT /wc/v3/products/categories/",),
    ),
    "orders": ("orders/orders", ("POST /wc/v3/orders/batch", "line_items")),
    "orders since a time": ("orders/orders", ("modified_after",)),
    "orders made once": ("orders/orders_are_made_once", ("_storebridge_number",)),
    "refunds": ("orders/orders", ("GET /wc/v3/refunds",)),
    "notes": ("orders/orders", ("POST /wc/v3/orders/12/notes",)),
    "customers": ("orders/customers", ("POST /wc/v3/customers/batch",)),
    "customers refused to managers": (
        "orders/a_shop_manager_may_send_no_batch_of_customers",
        ("woocommerce_rest_cannot_batch",),
    ),
    "coupons": ("orders/discounts_and_reviews", ("POST /wc/v3/coupons/batch",)),
    "reviews": ("orders/discounts_and_reviews", ("POST /wc/v3/products/reviews/batch", "spam")),
    "languages with Polylang": (
        "languages/each_language_is_a_catalogue_of_its_own",
        ("GET /pll/v1/languages", "lang=en"),
    ),
    "plans": ("plans/a_catalogue", ("POST /wp/v2/media", "/variations/batch")),
    "a batch whose answer was lost": ("faults/a_batch_whose_answer_was_lost", ("sku=LOST",)),
    "variations whose answer was lost": (
        "faults/lost_variations_are_adopted",
        ("/variations/batch",),
    ),
    "a batch that never arrived": (
        "faults/a_batch_that_never_arrived_is_sent_again",
        ("POST /wc/v3/products/batch",),
    ),
}
#: What no server was there to record with; the README says so in these words.
NOT_RECORDED = ("Yoast", "Rank Math", "WPML", "Shipment Tracking", "webhook deliveries")


@cache
def told(path: Path) -> str:
    """Return a cassette with its requests as "VERB /path?query", without the shop's address."""
    text = path.read_text("utf-8").replace("https://shop.example/wp-json", "")
    verb, lines = "", []
    for line in text.splitlines():
        word, _, rest = line.strip().partition(": ")
        verb = rest if word == "method" else verb
        lines.append(f"{verb} {rest}" if word == "uri" else line.strip())
    return " ".join(lines).replace("%2C", ",").replace("%3D", "=")


@pytest.mark.parametrize("capability", RECORDED)
def test_a_capability_is_recorded(capability: str) -> None:
    name, evidence = RECORDED[capability]
    module, _, test = name.partition("/")
    text = told(FOLDER / f"test_recorded_{module}" / f"test_{test}.yaml")
    assert [each for each in evidence if each not in text] == []


def test_every_cassette_is_named() -> None:
    named = {name for name, _ in RECORDED.values()}
    found = {
        f"{path.parent.name.removeprefix('test_recorded_')}/{path.stem.removeprefix('test_')}"
        for path in FOLDER.rglob("*.yaml")
    }
    also = {f"faults/{each}" for each in (
        "a_batch_that_was_done_and_answered_5xx", "a_batch_whose_answer_was_cut")}  # fmt: skip
    also.add("languages/new_categories_are_of_the_catalogues_language")
    assert found - named - also == set()
    assert (named | also) - found == set()


@pytest.mark.parametrize("words", NOT_RECORDED)
def test_what_is_not_recorded_is_said_to_be(words: str) -> None:
    text = README.read_text("utf-8")
    _, _, rest = text.partition("Not recorded")
    assert words in rest.partition("\n#")[0]
