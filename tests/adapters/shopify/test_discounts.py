"""Discounts: every type is read whole; codes with an amount off or free shipping are written."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from tests.adapters.shopify.shop import Handler, Shop, eur, operation, tee

from storebridge.adapter import Change, Query
from storebridge.errors import BadAnswer, OutcomeUnknown
from storebridge.flow import Request, Response, Status
from storebridge.models import Collection, Customer, Discount, Metafield
from storebridge.testing.rig import creation
from storebridge_shopify.graphql import document


def discounts(shop: Shop, **query: Any) -> list[Discount]:
    """Return all discounts, page by page."""
    records, cursor, found = shop.adapter.records("discount"), "", list[Discount]()
    while True:
        page = shop.engine.run(records.page(Query(**query), cursor))
        found += page.records
        if not page.cursor:
            return found
        cursor = page.cursor


def find(shop: Shop, *keys: str) -> Any:
    [found] = shop.engine.run(shop.adapter.records("discount").fetch(keys, None))
    return found


def ten(**fields: Any) -> Discount:
    return Discount.model_validate({"codes": ("TEN",), "percentage": Decimal(10), **fields})


def extras(discount: Discount) -> Any:
    return discount.platform_fields.get("shopify", {})


def test_a_part_of_the_price_comes_back_whole() -> None:
    shop = Shop()
    shop.create(tee("red"), tee("blue"), Customer(email="ada@example.com"))
    desired = ten(
        title="Summer",
        percentage=Decimal("12.5"),
        status="active",
        minimum_subtotal=eur("20.00"),
        usage_limit=100,
        usage_limit_per_customer=1,
        starts_at=datetime(2026, 6, 1, 8, 0, 0, 5, tzinfo=UTC),
        ends_at=datetime(2030, 8, 31, 22, 59, 59, tzinfo=UTC),
        products=("handle:red", "handle:blue"),
        customer_emails=("Ada@example.com",),
        combinable=True,
        platform_fields={"shopify": {"tags": ["b", "a"]}},
    )
    [id_] = shop.create(desired)
    found = shop.read(id_, "discount")
    wanted = shop.adapter.normalise(desired)
    for name in desired.given - {"customer_emails"}:
        assert getattr(found, name) == getattr(wanted, name), name
    assert found.customer_emails == ("ada@example.com",)
    assert (found.amount, found.each_item, found.free_shipping) == (None, False, False)
    assert (found.usage_count, found.minimum_quantity, found.collections) == (0, None, ())
    assert extras(found) == {"tags": ["a", "b"]}


@pytest.mark.parametrize("value", ["0.1", "33.33", "7", "100", "12.345"])
def test_a_percentage_keeps_its_digits(value: str) -> None:
    shop = Shop()
    [id_] = shop.create(ten(percentage=Decimal(value)))
    assert str(shop.read(id_, "discount").percentage) == value


@pytest.mark.parametrize("each", [False, True])
def test_an_amount_is_off_each_item_or_off_all(each: bool) -> None:
    shop = Shop()
    [id_] = shop.create(Discount(codes=("FIVE",), amount=eur("5.00"), each_item=each))
    found = shop.read(id_, "discount")
    assert (found.amount, found.each_item, found.percentage) == (eur("5.00"), each, None)
    shop.update(id_, Discount(amount=eur("6.00")))
    assert shop.read(id_, "discount").each_item is each
    shop.update(id_, Discount(each_item=not each))
    found = shop.read(id_, "discount")
    assert (found.amount, found.each_item) == (eur("6.00"), not each)
    shop.update(id_, Discount(percentage=Decimal(5), amount=None))
    found = shop.read(id_, "discount")
    assert (found.percentage, found.amount) == (Decimal(5), None)
    shop.update(id_, Discount(percentage=Decimal(0)))
    assert shop.read(id_, "discount").percentage == 0


def test_free_shipping_is_written_by_its_own_calls() -> None:
    shop = Shop()
    desired = Discount(
        codes=("SHIP",), free_shipping=True, minimum_quantity=3, combinable=True, title="Free"
    )
    [id_] = shop.create(desired)
    assert shop.update(id_, Discount(usage_limit=7)).status is Status.APPLIED
    found = shop.read(id_, "discount")
    assert (found.free_shipping, found.minimum_quantity, found.usage_limit) == (True, 3, 7)
    assert (found.percentage, found.amount, found.combinable) == (None, None, True)
    # With another free shipping nothing is combined (INVALID_COMBINES_WITH_FOR_DISCOUNT_CLASS).
    assert extras(found) == {}
    none = Discount(percentage=None, amount=None, each_item=False, products=(), collections=())
    assert shop.update(id_, none.but(title="Still free")).status is Status.APPLIED
    for wrong in (Discount(percentage=Decimal(5)), Discount(products=("handle:a",))):
        outcome = shop.update(id_, wrong)
        assert outcome.status is Status.FAILED
        assert "stays what it is" in outcome.message


def test_all_types_are_read_and_those_without_codes_too() -> None:
    shop = Shop()
    red, blue = shop.create(tee("red"), tee("blue"))
    variant = shop.read(red).variants[0].id
    make = shop.sandbox.promote
    make("DiscountAutomaticBasic", "Two off", value={"discountAmount": {"amount": "2"}})
    make(
        "DiscountCodeBxgy", "Buy two", ["B2G1"], buys={"quantity": 2, "products": [red]},
        value={"discountOnQuantity": {"quantity": 1, "effect": {"percentage": 0.5}}},
        products=[blue], usesPerOrderLimit=4,
    )  # fmt: skip
    make("DiscountAutomaticFreeShipping", "Ships", highest="20", countries=["DE", "FR"])
    make("DiscountCodeApp", "Loyal", ["LOYAL"], segments=["VIP"])
    make("DiscountCodeBasic", "Sizes", ["S"], value={"percentage": 0.1}, variants=[variant],
         combinesWith={"orderDiscounts": True, "productDiscounts": False,
                       "shippingDiscounts": False})  # fmt: skip
    two, buy, ships, loyal, sizes = discounts(shop)
    assert (two.codes, two.amount, two.keys()) == ((), eur("2.00"), ("title:Two off",))
    assert "percentage" not in buy.given
    assert extras(buy) == {
        "type": "buy_x_get_y",
        "buys": {"quantity": "2", "products": ["handle:red"]},
        "gets": {"quantity": "1", "percentage": "50", "products": ["handle:blue"]},
        "uses_per_order": 4,
    }
    assert (ships.free_shipping, ships.codes) == (True, ())
    assert extras(ships) == {"maximum_shipping_price": "20.00 EUR", "countries": ["DE", "FR"]}
    assert extras(loyal)["type"] == "app"
    assert extras(loyal)["buyers"] == ["VIP"]
    assert "function" in extras(loyal)["app"]
    assert extras(sizes) == {"variants": ["sku:red-S"], "combines_with": ["order"]}
    for each in (two, buy, ships, loyal):
        assert shop.update(each.id, Discount(title="X")).cause == "unsupported"
        change = Change(id="1", action="delete", part="core", record_id=each.id, desired=each)
        for _ in range(2):
            assert shop.write("discount", change)[0].status is Status.APPLIED
    assert [each.title for each in discounts(shop)] == ["Sizes"]


def test_codes_products_and_collections_are_read_to_the_last() -> None:
    shop = Shop()
    products = shop.create(*(tee(f"tee-{n}", variants=()) for n in range(23)))
    codes = [f"C{n}" for n in range(300)]
    for title, values in (("A", {"products": products}), ("B", {"buys": {"quantity": 1}})):
        kind = "DiscountCodeBasic" if title == "A" else "DiscountCodeBxgy"
        shop.sandbox.promote(kind, title, [f"{title}{code}" for code in codes],
                             value={"percentage": 0.1}, **values)  # fmt: skip
    for found in (discounts(shop)[0], find(shop, "code:ac250")):
        assert found.codes == tuple(f"A{code}" for code in codes)
        assert found.products == tuple(f"handle:tee-{n}" for n in range(23))
    assert len(discounts(shop)[1].codes) == 300


def test_a_connection_that_doesnt_end_is_an_error() -> None:
    def again(request: Request, sandbox: Handler) -> Response:
        assert isinstance(request.body, bytes)
        body = json.loads(request.body)
        if operation(body) == "DiscountMore":
            del body["variables"]["after"]
            body["variables"]["first"] = 2
            request = replace(request, body=json.dumps(body).encode())
        return sandbox(request)

    shop = Shop(again)
    codes = [f"C{n}" for n in range(9)]
    shop.sandbox.promote("DiscountCodeBasic", "A", codes, value={"percentage": 0.1})
    with pytest.raises(BadAnswer, match="same cursor"):
        discounts(shop)


def test_the_largest_page_stays_well_below_the_most_points() -> None:
    shop = Shop(page_size=250)
    discounts(shop)
    [sent] = shop.variables("Discounts")
    assert document("discounts").cost(sent) <= 700
    assert sent["first"] == 250


def test_only_what_changed_is_read_with_an_overlap_for_the_search() -> None:
    shop = Shop(page_size=2)
    ids = shop.create(*(ten(codes=(f"C{n}",)) for n in range(4)))
    shop.clock.sleep(60)  # within the overlap: the search brings them all
    shop.update(ids[1], Discount(usage_limit=3))
    since = shop.read(ids[1], "discount").updated_at
    shop.sent.clear()
    assert [each.id for each in discounts(shop, updated_since=since)] == [ids[1]]
    sent, *_ = shop.variables("Discounts")
    assert sent["query"] < f"(updated_at:>='{since:%Y-%m-%dT%H:%M:%SZ}')"


def test_only_what_is_given_is_sent() -> None:
    shop = Shop()
    [id_] = shop.create(ten(usage_limit=3, minimum_subtotal=eur("9.00")))
    shop.update(id_, Discount(title="Other"))
    [sent] = shop.variables("DiscountCodeUpdate")
    assert sent["discount"] == {"title": "Other"}
    found = shop.read(id_, "discount")
    assert (found.usage_limit, found.minimum_subtotal) == (3, eur("9.00"))


def test_limits_and_ends_are_taken_away() -> None:
    shop = Shop()
    shop.create(tee("red"), Customer(email="ada@example.com"))
    given: dict[str, Any] = {
        "usage_limit": 3,
        "usage_limit_per_customer": 1,
        "ends_at": datetime(2030, 1, 1, tzinfo=UTC),
        "minimum_quantity": 2,
        "products": ("handle:red",),
        "customer_emails": ("ada@example.com",),
    }
    [id_] = shop.create(ten(**given))
    none = {name: () if isinstance(value, tuple) else None for name, value in given.items()}
    assert shop.update(id_, Discount.model_validate(none)).status is Status.APPLIED
    found = shop.read(id_, "discount")
    assert {name: getattr(found, name) for name in given} == none


def test_one_minimum_takes_the_place_of_the_other_and_none_of_the_other_is_lost() -> None:
    shop = Shop()
    [id_] = shop.create(ten(minimum_quantity=2))
    shop.update(id_, Discount(minimum_subtotal=None))
    assert shop.read(id_, "discount").minimum_quantity == 2
    shop.update(id_, Discount(minimum_subtotal=eur("7.00")))
    found = shop.read(id_, "discount")
    assert (found.minimum_subtotal, found.minimum_quantity) == (eur("7.00"), None)
    shop.update(id_, Discount(minimum_quantity=3))
    found = shop.read(id_, "discount")
    assert (found.minimum_subtotal, found.minimum_quantity) == (None, 3)


def test_from_products_to_collections_and_to_everything() -> None:
    shop = Shop()
    shop.create(Collection(handle="sale", title="Sale"), tee("red"), tee("blue"))
    [id_] = shop.create(ten(products=("handle:red",)))
    shop.update(id_, Discount(products=("handle:blue",)))
    assert shop.read(id_, "discount").products == ("handle:blue",)
    shop.update(id_, Discount(collections=("sale",)))
    found = shop.read(id_, "discount")
    assert (found.products, found.collections) == ((), ("sale",))
    shop.update(id_, Discount(products=("handle:red",), collections=()))
    found = shop.read(id_, "discount")
    assert (found.products, found.collections) == (("handle:red",), ())
    shop.update(id_, Discount(products=()))
    assert shop.read(id_, "discount").products == ()
    outcome = shop.update(id_, Discount(products=("handle:none",)))
    assert (outcome.cause, "handle:none" in outcome.message) == ("missing", True)


def test_a_discount_without_a_title_is_called_by_its_code() -> None:
    shop = Shop()
    desired = ten(title="", codes=("Ten", "Zehn"))
    [id_] = shop.create(desired)
    assert shop.read(id_, "discount").title == shop.adapter.normalise(desired).title == "Ten"
    assert "title" not in shop.adapter.normalise(Discount(title="")).given


def test_further_codes_are_added_and_taken_out_in_bulk() -> None:
    shop = Shop()
    codes = tuple(f"C{n}" for n in range(260))
    [id_] = shop.create(ten(codes=codes))
    assert shop.read(id_, "discount").codes == codes
    shop.update(id_, Discount(codes=("C1", "new", "c2")))
    assert set(shop.read(id_, "discount").codes) == {"C1", "C2", "new"}
    shop.create(ten(codes=("ALONE",)))
    outcome = shop.update(id_, Discount(codes=("C1", "alone")))
    assert "1 codes were not taken" in outcome.message


def test_the_only_code_is_renamed() -> None:
    shop = Shop()
    [id_] = shop.create(ten())
    shop.update(id_, Discount(codes=("ELEVEN",)))
    assert shop.read(id_, "discount").codes == ("ELEVEN",)
    assert "DiscountCodesAdd" not in shop.operations


def test_what_many_codes_take_is_known_before() -> None:
    shop = Shop()
    records = shop.adapter.records("discount")
    change = creation(ten(codes=tuple(f"C{n}" for n in range(260))))
    cost = records.cost(change)
    [made] = shop.write("discount", change)
    assert cost is not None
    assert cost.requests == len(shop.sent)
    before = shop.read(made.id, "discount")
    update: Change[Discount] = Change(
        id="1", action="update", part="core", record_id=made.id,
        desired=Discount(codes=("C1", "NEW")), before=before,
    )  # fmt: skip
    shop.sent.clear()
    cost = records.cost(update)
    shop.write("discount", update)
    calls = [each for each in shop.operations if "Codes" in each or "Job" in each]
    assert cost is not None
    assert cost.requests >= len(calls) > 2


def test_another_code_takes_the_place_of_several() -> None:
    shop = Shop()
    [id_] = shop.create(ten(codes=("TEN", "ZEHN")))
    shop.update(id_, Discount(codes=("ELEVEN",)))
    assert shop.read(id_, "discount").codes == ("ELEVEN",)


def test_a_code_that_is_taken_is_a_conflict() -> None:
    shop = Shop()
    shop.create(ten())
    [outcome] = shop.write("discount", creation(ten(codes=("ten",))))
    assert (outcome.status, outcome.cause) == (Status.FAILED, "conflict")


def test_a_discount_with_more_codes_is_not_the_one_that_was_lost() -> None:
    shop = Shop()
    shop.create(ten(codes=("TEN", "OTHER")))
    change = creation(ten())
    [outcome] = shop.write("discount", change, uncertain=frozenset({change.id}))
    assert outcome.status is Status.UNKNOWN


@pytest.mark.parametrize("codes", [("TEN",), ("TEN", "ZEHN", "DIX")])
@pytest.mark.parametrize("lost", ["DiscountCodeCreate", "DiscountCodesAdd"])
def test_a_discount_whose_answer_is_lost_is_made_once(codes: tuple[str, ...], lost: str) -> None:
    gone: list[str] = []

    def lose(request: Request, sandbox: Handler) -> Response:
        answer = sandbox(request)
        assert isinstance(request.body, bytes)
        if operation(json.loads(request.body)) == lost and not gone:
            gone.append(lost)
            raise OutcomeUnknown("gone")
        return answer

    shop = Shop(lose)
    shop.sandbox.switch(search_lag=3600)
    change = creation(ten(codes=codes))
    [outcome] = shop.write("discount", change)
    if outcome.status is Status.UNKNOWN:
        [outcome] = shop.write("discount", change, uncertain=frozenset({change.id}))
    assert outcome.status is Status.APPLIED
    [found] = discounts(shop)
    assert (found.id, found.codes) == (outcome.id, codes)
    assert shop.operations.count("DiscountCodeCreate") == 1


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("status", {"status": "draft"}),
        ("codes", {"codes": ()}),
        ("usage_limit_per_customer", {"usage_limit_per_customer": 2}),
        ("free_shipping", {"free_shipping": True}),
        ("collections", {"products": ("handle:a",), "collections": ("b",)}),
        ("minimum_quantity", {"minimum_quantity": 2, "minimum_subtotal": eur("9.00")}),
        ("customer_emails", {"customer_emails": ("*@example.com",)}),
    ],
)
def test_what_it_cant_be_is_told_before_and_never_made_into_something_else(
    field: str, given: dict[str, Any]
) -> None:
    shop = Shop()
    assert [fit.field for fit in shop.adapter.records("discount").check(ten(**given))] == [field]
    [outcome] = shop.write("discount", creation(ten(**given)))
    assert outcome.status is Status.FAILED
    assert outcome.message
    assert shop.sent == []


def limited(shop: Shop) -> dict[str, Discount]:
    """Make discounts for some as only the admin does; return them as they are read."""
    variant = shop.read(shop.create(tee("red"))[0]).variants[0].id
    no_address = shop.create(Customer(phone="+4930555123"))
    for code, values in {
        "VARIANT": {"variants": [variant]},
        "SEGMENT": {"segments": ["VIP"]},
        "CALLER": {"customers": no_address},
    }.items():
        shop.sandbox.promote("DiscountCodeBasic", code, [code], value={"percentage": 0.9}, **values)
    there: dict[str, Any] = {"highest": "20", "countries": ["DE"], "restOfWorld": True}
    shop.sandbox.promote("DiscountCodeFreeShipping", "SHIP", ["SHIP"], **there)
    return {each.title: each for each in discounts(shop)}


def test_a_discount_for_some_is_for_the_same_in_another_shop_or_isnt_made() -> None:
    source, shop = Shop(), Shop()
    found = limited(source)
    assert "products" not in found["VARIANT"].given
    assert not any("customer_emails" in found[code].given for code in ("SEGMENT", "CALLER"))
    shop.create(tee("red"))
    records = shop.adapter.records("discount")
    for code, name in (("SEGMENT", "buyers"), ("CALLER", "buyers")):
        path = f"platform_fields.shopify.{name}"
        assert [fit.field for fit in records.check(found[code])] == [path]
        desired = shop.adapter.normalise(found[code].without("id"))
        [outcome] = shop.write("discount", creation(desired))
        assert (outcome.status, path in outcome.message) == (Status.FAILED, False)
        assert "others would get" in outcome.message
    assert discounts(shop) == []
    shop.create(*(shop.adapter.normalise(found[c].without("id")) for c in ("VARIANT", "SHIP")))
    for each in discounts(shop):
        assert extras(each) == extras(found[each.title])
        assert each.given == found[each.title].given
    variant, ships = discounts(shop)
    assert extras(variant) == {"variants": ["sku:red-S"]}
    assert extras(ships) == {"maximum_shipping_price": "20.00 EUR", "countries": ["DE", "*"]}


def test_limits_that_nobody_may_see_are_limits_too() -> None:
    shop = Shop()
    shop.create(Customer(email="ada@example.com"))
    shop.create(ten(customer_emails=("ada@example.com",)))
    shop.sandbox.switch(scopes=["read_discounts", "read_products"])
    shop.engine.run(shop.adapter.info())
    [found] = discounts(shop)
    assert extras(found) == {"buyers": ["DiscountCustomers"]}


def test_limits_are_changed_and_those_that_cant_be_refuse_the_change() -> None:
    shop = Shop()
    found = limited(shop)
    ship, variant = found["SHIP"].id, found["VARIANT"].id

    def only(**values: Any) -> Discount:
        return Discount(platform_fields={"shopify": values})

    assert shop.update(ship, only(countries=["FR"])).status is Status.APPLIED
    assert extras(shop.read(ship, "discount"))["countries"] == ["FR"]
    assert shop.update(ship, only(countries=[], maximum_shipping_price="")).status is Status.APPLIED
    assert extras(shop.read(ship, "discount")) == {}
    assert shop.update(variant, only(variants=["sku:red-M"])).status is Status.APPLIED
    assert extras(shop.read(variant, "discount")) == {"variants": ["sku:red-M"]}
    for id_, wrong in ((variant, only(countries=["DE"])), (ship, only(variants=["sku:red-M"])),
                       (variant, only(buyers=["VIP"]).but(percentage=Decimal(95))),
                       (variant, only(variants=["sku:none"]))):  # fmt: skip
        assert shop.update(id_, wrong).status is Status.FAILED
    assert shop.read(variant, "discount").percentage == 90
    same = found["SEGMENT"].but(title="Other")
    assert shop.update(same.id, same.without("id", "codes")).status is Status.APPLIED


def test_a_customer_that_isnt_there_is_named_by_no_address() -> None:
    shop = Shop()
    desired = ten(customer_emails=("eve@example.com",))
    [outcome] = shop.write("discount", creation(desired))
    assert outcome.cause == "missing"
    assert "eve" not in outcome.message
    assert discounts(shop) == []


def test_metafields_are_written_by_the_discounts_id() -> None:
    shop = Shop()
    [id_] = shop.create(ten())
    field = Metafield(namespace="erp", key="campaign", value="7", type="single_line_text_field")
    assert shop.update(id_, Discount(metafields=(field,)), "metafields").id == id_
    assert shop.read(id_, "discount").metafields == (field,)


def test_without_the_scope_of_customers_their_addresses_arent_asked_for() -> None:
    shop = Shop()
    shop.create(Customer(email="ada@example.com"))
    [id_] = shop.create(ten(customer_emails=("ada@example.com",)))
    shop.sandbox.switch(scopes=["read_discounts", "read_products"])
    shop.engine.run(shop.adapter.info())
    assert "customer_emails" not in shop.read(id_, "discount").given
    [fit] = shop.adapter.records("discount").check(ten())
    assert "write_discounts" in fit.message
    shop.sandbox.switch(scopes=["read_products"])
    shop.engine.run(shop.adapter.info())
    assert "read_discounts" in str(shop.adapter.kinds()["discount"])


@pytest.mark.parametrize("shipping", [False, True], ids=["off", "shipping"])
def test_who_pays_by_subscription_is_kept_and_changed(shipping: bool) -> None:
    shop = Shop()
    value = {"free_shipping": True} if shipping else {"percentage": Decimal(10)}
    extras = {"purchases": "subscriptions", "recurring_cycles": 3}
    made = Discount.model_validate(
        {"codes": ("SUB",), **value, "platform_fields": {"shopify": extras}}
    )
    [id_] = shop.create(made)
    assert shop.read(id_, "discount").platform_fields == {"shopify": extras}
    wider = {"purchases": "all", "recurring_cycles": 0}
    shop.update(id_, Discount(platform_fields={"shopify": wider}))
    assert shop.read(id_, "discount").platform_fields == {"shopify": {"purchases": "all"}}
    shop.update(id_, Discount(platform_fields={"shopify": {"purchases": ""}}))
    assert shop.read(id_, "discount").platform_fields == {}


def test_another_value_leaves_a_discount_to_subscriptions() -> None:
    """Shopify doesn't say what becomes of the flags where a part of `customerGets` is sent."""
    shop = Shop()
    extras = {"shopify": {"purchases": "subscriptions"}}
    [id_] = shop.create(Discount(codes=("SUB",), percentage=Decimal(10), platform_fields=extras))
    shop.update(id_, Discount(percentage=Decimal(20)))
    [sent] = shop.variables("DiscountCodeUpdate")
    gets = next(iter(each["customerGets"] for each in sent.values() if isinstance(each, dict)))
    assert (gets["appliesOnSubscription"], gets["appliesOnOneTimePurchase"]) == (True, False)


def test_a_word_for_purchases_that_shopify_lacks_is_told() -> None:
    shop = Shop()
    wrong = Discount(codes=("A",), platform_fields={"shopify": {"purchases": "some"}})
    [fit] = shop.adapter.records("discount").check(wrong)
    assert fit.message == "'some' is neither subscriptions nor all"


def test_one_without_codes_is_told_before_it_is_made() -> None:
    records = Shop().adapter.records("discount")
    [fit] = records.check(Discount(title="Automatic", percentage=Decimal(5)))
    assert (fit.field, fit.message) == ("codes", "the adapter makes no discounts without a code")
    assert not list(records.check(Discount(id="gid://shopify/DiscountNode/1", title="New")))
