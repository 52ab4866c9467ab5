"""Customers: read whole, made once, asked by their own calls what they agree to."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.shopify.shop import Handler, Shop, operation, tee

import storebridge
from storebridge.adapter import Change, Query
from storebridge.errors import BadAnswer, OutcomeUnknown, SourceError
from storebridge.flow import Request, Response, Status
from storebridge.models import Address, Consent, Customer, Metafield
from storebridge.testing.rig import creation

ADA = Customer(
    email="ada@example.com",
    first_name="Ada",
    default_address=Address(city="Berlin", country="DE"),
    addresses=(Address(city="Ulm", country="DE"), Address(city="Kiel", country="DE")),
)


def named(request: Request) -> str:
    assert isinstance(request.body, bytes)
    return operation(json.loads(request.body))


def test_all_addresses_and_metafields_are_read_by_page_and_by_id() -> None:
    shop = Shop()
    cities = [f"City {n}" for n in range(249)]
    many = tuple(Address(city=city, country="DE") for city in cities)
    [id_] = shop.create(ADA.but(addresses=many))
    fields = tuple(Metafield(namespace="kit", key=f"key{n}", value="x") for n in range(24))
    shop.update(id_, Customer(metafields=fields), "metafields")
    page = shop.engine.run(shop.adapter.records("customer").page(Query(), ""))
    for live in (shop.read(id_, "customer"), page.records[0]):
        assert [each.city for each in live.addresses] == cities
        assert live.default_address.city == "Berlin"
        assert len(live.metafields) == 24


def test_addresses_that_do_not_come_are_an_error() -> None:
    shop = Shop()
    many = tuple(Address(city=f"City {n}", country="DE") for n in range(30))
    [id_] = shop.create(ADA.but(addresses=many))

    def stuck(request: Request, sandbox: Handler) -> Response:
        answer = sandbox(request)
        if named(request) != "CustomerMore":
            return answer
        body = json.loads(answer.body)
        variables = json.loads(request.body)["variables"]  # type: ignore[arg-type]  # bytes here
        info = {"hasNextPage": True, "endCursor": variables["after"]}
        body["data"]["customer"]["addressesV2"]["pageInfo"] = info
        return Response(status=200, body=json.dumps(body).encode(), headers=answer.headers)

    shop.between = stuck
    with pytest.raises(BadAnswer, match="same cursor twice"):
        shop.read(id_, "customer")


def test_an_email_address_leads_to_who_has_it_and_to_nobody_else() -> None:
    shop = Shop()
    [id_] = shop.create(ADA)
    records = shop.adapter.records("customer")
    [found] = shop.engine.run(records.fetch(["email:ADA@Example.com"], None))
    assert found.id == id_

    def wrong(request: Request, sandbox: Handler) -> Response:
        answer = sandbox(request)
        if named(request) != "CustomersByEmail":
            return answer
        body = answer.body.replace(b"ada@example.com", b"eve@example.com")
        return Response(status=200, body=body, headers=answer.headers)

    shop.between = wrong
    assert shop.engine.run(records.fetch(["email:ada@example.com"], None)) == ()


def test_a_customer_who_is_there_by_now_keeps_everything() -> None:
    """An identifier in the call would make it write over the one who has the address."""
    shop = Shop()
    [id_] = shop.create(ADA)
    [outcome] = shop.write("customer", creation(Customer(email="ada@example.com", note="Other")))
    assert (outcome.status.value, outcome.cause) == ("failed", "conflict")
    live = shop.read(id_, "customer")
    assert (live.note, [each.city for each in live.addresses]) == ("", ["Ulm", "Kiel"])
    assert "identifier" not in shop.variables("CustomerSet")[0]


def test_a_phone_number_leads_to_who_has_it_and_to_nobody_else() -> None:
    shop = Shop()
    [id_] = shop.create(ADA.but(email="", phone="+49 30 5550123"))
    records = shop.adapter.records("customer")
    for text in ("+49305550123", "+49 (30) 555-0123"):
        [found] = shop.engine.run(records.fetch([f"phone:{text}"], None))
        assert (found.id, found.keys()) == (id_, ("phone:+49305550123",))
    shop.sent.clear()
    assert shop.engine.run(records.fetch(["phone:030 555", "phone:+49305550124"], None)) == ()
    assert [each["n0"] for each in shop.variables("CustomersByPhone")] == ["+49305550124"]


def test_a_customer_with_a_phone_alone_goes_through_plans(tmp_path: Path) -> None:
    with storebridge.open("sandbox:shopify?memory", state=tmp_path / "a") as source:
        source.customers.create(Customer(phone="+49305550123", first_name="Ada"))
        pulled = [each.without("id") for each in source.customers.iter()]
    with storebridge.open("sandbox:shopify?memory", state=tmp_path / "b") as shop:
        for name, count in (("one", 1), ("two", 0)):
            plan = shop.plan(pulled, tmp_path / f"{name}.plan")
            assert plan.counts["create"] == count
            assert plan.apply().ok
        [found] = shop.customers.iter()
        assert (found.phone, found.first_name) == ("+49305550123", "Ada")
        nameless = [Customer(first_name="Eve")]
        with pytest.raises(SourceError, match="an e-mail address, a phone number or an ext"):
            shop.plan(nameless, tmp_path / "three.plan")
    with (
        storebridge.open("sandbox:woocommerce?memory", state=tmp_path / "c") as other,
        pytest.raises(SourceError, match="Give an e-mail address or an external key"),
    ):
        other.plan(pulled, tmp_path / "four.plan")


def test_a_customer_with_a_name_alone_whose_answer_is_lost_is_not_made_again() -> None:
    shop = Shop()
    lost: list[str] = []

    def lose(request: Request, sandbox: Handler) -> Response:
        answer = sandbox(request)
        if named(request) == "CustomerSet":
            lost.append("")
            raise OutcomeUnknown("gone")
        return answer

    shop.between = lose
    [outcome] = shop.write("customer", creation(Customer(first_name="Ada")))
    assert (outcome.status.value, len(lost)) == ("unknown", 1)


def test_one_line_of_the_default_address_leaves_the_other_addresses() -> None:
    shop = Shop()
    [id_] = shop.create(ADA)
    shop.update(id_, Customer(default_address=Address(address1="Weg 2")))
    live = shop.read(id_, "customer")
    assert (live.default_address.city, live.default_address.address1) == ("Berlin", "Weg 2")
    assert [each.city for each in live.addresses] == ["Ulm", "Kiel"]
    shop.update(id_, Customer(addresses=(Address(city="Jena", country="DE"),)))
    live = shop.read(id_, "customer")
    assert [live.default_address.city, *(a.city for a in live.addresses)] == ["Berlin", "Jena"]


def test_consent_is_written_by_its_own_call_and_is_not_forgotten() -> None:
    shop = Shop()
    [id_] = shop.create(ADA)
    said = Consent(channel="email", state="subscribed", level="confirmed_opt_in")
    assert shop.update(id_, Customer(consents=(said,)), "publication").id
    assert shop.operations == ["EmailConsent"]
    [live] = shop.read(id_, "customer").consents
    assert (live.state, live.level) == ("subscribed", "confirmed_opt_in")
    gone = {"consents": ("channel:email",)}
    outcome = shop.update(id_, Customer(consents=()), "publication", removed=gone)
    assert outcome.cause == "unsupported"
    assert len(shop.read(id_, "customer").consents) == 1


def test_more_addresses_than_fit_are_named_before() -> None:
    shop = Shop()
    records, home = shop.adapter.records("customer"), Address(city="Ulm", country="DE")
    assert not list(records.check(ADA.but(addresses=(home,) * 249)))
    [fit] = records.check(ADA.but(addresses=(home,) * 250))
    assert fit.field == "addresses"


def test_a_consent_that_shopify_has_no_word_for_is_named_before() -> None:
    shop = Shop()
    said = (Consent(channel="email", state="redacted"), Consent(channel="fax", state="subscribed"))
    fits = list(shop.adapter.records("customer").check(Customer(email="a@b.de", consents=said)))
    assert [each.field for each in fits] == ["consents", "consents"]


def test_a_customer_with_orders_stays_and_one_that_is_gone_is_deleted() -> None:
    shop = Shop()
    [product, buyer, other] = shop.create(tee(), ADA, ADA.but(email="eve@example.com"))
    shop.sandbox.sell([(shop.read(product).variants[0].id, 1)], customer=buyer)

    def gone(id_: str) -> Any:
        empty = Customer()
        change = Change(id="1", action="delete", part="core", record_id=id_, desired=empty)
        return shop.write("customer", change)[0]

    assert "associated orders" in gone(buyer).message
    assert [gone(other).id, gone(other).id] == [other, other]


def test_who_was_changed_since_is_found_and_others_are_not() -> None:
    shop = Shop()
    shop.create(ADA)
    shop.clock.sleep(60)
    [id_] = shop.create(ADA.but(email="eve@example.com"))
    time = shop.read(id_, "customer").updated_at
    records = shop.adapter.records("customer")
    page = shop.engine.run(records.page(Query(updated_since=time), ""))
    assert [each.email for each in page.records] == ["eve@example.com"]
    page = shop.engine.run(records.page(Query(updated_since=time.replace(microsecond=999_999)), ""))
    assert len(page.records) == 1, "Shopify's times are whole seconds"
    page = shop.engine.run(records.page(Query(updated_since=time - timedelta(minutes=2)), ""))
    assert len(page.records) == 2


def test_a_region_without_a_code_stays_where_addresses_are_written_anew() -> None:
    shop = Shop()
    away = Address(city="Ankh", region="Sto Plains", country="DE")
    [id_] = shop.create(ADA.but(addresses=(away,)))
    shop.update(id_, Customer(default_address=Address(address1="Weg 2")))
    live = shop.read(id_, "customer")
    assert (live.addresses[0].region, live.default_address.address1) == ("Sto Plains", "Weg 2")
    shop.update(id_, Customer(default_address=Address(region_code="BE")))
    shop.update(id_, Customer(default_address=Address(region="Sto Lat")))
    live = shop.read(id_, "customer").default_address
    assert (live.region, live.region_code, live.city) == ("Sto Lat", "", "Berlin")


def test_shopify_has_its_own_names_for_regions_with_codes() -> None:
    shop = Shop()
    both = Address(city="Kiel", region="SH, as we call it", region_code="SH", country="DE")
    desired = shop.adapter.normalise(ADA.but(default_address=both, addresses=(both,)))
    assert "region" not in desired.default_address.given | desired.addresses[0].given
    [id_] = shop.create(ADA.but(default_address=both))
    assert shop.read(id_, "customer").default_address.region_code == "SH"


def test_addresses_without_a_default_one_are_told_and_refused() -> None:
    """Shopify makes the first the default one: the next plan would add it once more."""
    shop = Shop()
    lone = Customer(email="ada@shop.example", addresses=(Address(address1="A 1", country="DE"),))
    [fit] = shop.adapter.records("customer").check(lone)
    assert (fit.field, fit.message) == (
        "addresses", "a customer who has addresses has a default one of them",
    )  # fmt: skip
    [outcome] = shop.write("customer", creation(lone))
    assert (outcome.status, shop.sandbox.count("Customer")) == (Status.FAILED, 0)
    assert outcome.remedy == "Give one of the addresses as default_address."
    [id_] = shop.create(Customer(email="ada@shop.example", default_address=lone.addresses[0]))
    assert shop.update(id_, Customer(addresses=())).status is Status.APPLIED
