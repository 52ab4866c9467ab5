"""Definitions of metafields: of each owner, told by namespace and key, never doubled."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.adapters.shopify.shop import Shop, tee

import storebridge
from storebridge.adapter import Change, Query
from storebridge.flow import Status
from storebridge.models import Metafield, MetafieldDefinition, Product
from storebridge.testing.rig import creation


def definition(metafield: str = "custom.material", **fields: object) -> MetafieldDefinition:
    values = {"metafield": metafield, "name": "Material", "type": "single_line_text_field"}
    return MetafieldDefinition.model_validate({**values, **fields})


def everything(shop: Shop) -> list[MetafieldDefinition]:
    records, cursor, found = shop.adapter.records("metafield_definition"), "", []
    while True:
        page = shop.engine.run(records.page(Query(), cursor))
        found += page.records
        if not (cursor := page.cursor):
            return found


def test_a_definition_is_made_found_and_changed_as_given() -> None:
    shop = Shop()
    rules = {"max": "20", "regex": "[a-z]+"}
    extras = {"shopify": {"unique_values": True, "storefront": "public_read"}}
    made = definition(validations=rules, pinned=True, description="Of", platform_fields=extras)
    [id_] = shop.create(made)
    records = shop.adapter.records("metafield_definition")
    keys = ["metafield:product.custom.material", "metafield:variant.custom.material"]
    [found] = shop.engine.run(records.fetch(keys, None))
    assert (found.id, found.validations, found.pinned) == (id_, rules, True)
    assert found.platform_fields["shopify"]["unique_values"] is True
    assert found.platform_fields["shopify"]["storefront"] == "public_read"
    assert found.platform_fields["shopify"]["admin_filterable"] is False
    shop.sent.clear()
    assert shop.update(id_, MetafieldDefinition(description="")).status is Status.APPLIED
    [sent] = shop.variables("MetafieldDefinitionUpdate")
    which = {"ownerType": "PRODUCT", "namespace": "custom", "key": "material"}
    assert sent["definition"] == {**which, "description": ""}
    again = shop.read(id_, "metafield_definition")
    assert again == found.but(description="")


@pytest.mark.parametrize(
    "fixed",
    [{"owner": "variant"}, {"metafield": "custom.fabric"}, {"type": "number_integer"}],
    ids=lambda each: next(iter(each)),
)
def test_what_tells_a_definition_stays_as_it_is(fixed: dict[str, str]) -> None:
    shop = Shop()
    [id_] = shop.create(definition())
    outcome = shop.update(id_, MetafieldDefinition.model_validate({"name": "X", **fixed}))
    assert outcome.status is Status.FAILED
    assert next(iter(fixed)) in outcome.message
    assert shop.variables("MetafieldDefinitionUpdate") == []


def test_a_second_definition_of_a_metafield_is_refused() -> None:
    shop = Shop()
    shop.create(definition())
    [outcome] = shop.write("metafield_definition", creation(definition(name="Fabric")))
    assert (outcome.status, outcome.cause) == (Status.FAILED, "conflict")
    assert [each.name for each in everything(shop)] == ["Material"]


def test_those_of_all_owners_are_read_page_by_page() -> None:
    shop = Shop(page_size=2)
    names = [f"custom.f{n}" for n in range(3)]
    owners = ("product", "collection", "order")
    shop.create(*(definition(name, owner=owner) for owner in owners for name in names))
    found = [(each.owner, each.metafield) for each in everything(shop)]
    assert found == [(owner, name) for owner in owners for name in names]


def test_values_stay_when_their_definition_goes() -> None:
    shop = Shop()
    value = Metafield(namespace="custom", key="material", type="", value="Cotton")
    [id_] = shop.create(definition())
    [product] = shop.create(tee())
    shop.update(product, Product(metafields=(value,)), "metafields")
    change = Change(id="1", action="delete", part="core", record_id=id_, desired=definition())
    for _ in range(2):  # one that is gone is deleted
        assert shop.write("metafield_definition", change)[0].status is Status.APPLIED
    assert everything(shop) == []
    assert [each.value for each in shop.read(product).metafields] == ["Cotton"]


def test_one_whose_values_would_go_with_it_is_not_deleted() -> None:
    shop = Shop()
    [id_] = shop.create(definition(type="id"))
    change = Change(id="1", action="delete", part="core", record_id=id_, desired=definition())
    [outcome] = shop.write("metafield_definition", change)
    assert outcome.status is Status.FAILED
    assert "requires deletion" in outcome.message
    assert len(everything(shop)) == 1


def test_without_a_scope_its_owners_are_left_out_and_told() -> None:
    shop = Shop()
    shop.create(definition(), definition(owner="customer"))
    scopes = [each for each in shop.sandbox.fact("scopes") if "customers" not in each]
    shop.sandbox.switch(scopes=scopes)
    shop.engine.run(shop.adapter.info())
    assert [each.owner for each in everything(shop)] == ["product"]
    records = shop.adapter.records("metafield_definition")
    [fit] = records.check(definition(owner="customer"))
    assert "write_customers" in fit.message
    assert any("read_customers" in each for each in shop.adapter.lacking("metafield_definition"))


def test_a_plan_copies_definitions_and_the_next_is_empty(tmp_path: Path) -> None:
    with storebridge.open("sandbox:shopify?memory", state=tmp_path) as shop:
        wanted = [
            definition(),
            definition("custom.size", owner="variant", validations={"max": "9"}),
        ]
        with shop.plan(wanted, tmp_path / "a.plan") as plan:
            assert plan.apply().counts["applied"] == 2
        with shop.plan(list(shop.metafield_definitions.iter()), tmp_path / "b.plan") as plan:
            assert plan.is_empty
            assert plan.counts["unchanged"] == 2
