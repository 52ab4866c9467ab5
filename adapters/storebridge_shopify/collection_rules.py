"""The rules of collections that fill themselves, from Shopify's words to ours and back.

A rule of metafields names their definition: "product_metafield_definition:custom.material".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from storebridge.errors import Rejected
from storebridge.flow import Flow
from storebridge.models import Rule
from storebridge_shopify.graphql import Doc, drained

__all__ = ["definitions", "rule", "rule_input", "unheld"]

#: What a rule looks at, ours to theirs; other columns are the platform's own words.
_COLUMNS = {
    "tag": "TAG",
    "title": "TITLE",
    "product_type": "TYPE",
    "vendor": "VENDOR",
    "price": "VARIANT_PRICE",
    "compare_at_price": "VARIANT_COMPARE_AT_PRICE",
    "weight": "VARIANT_WEIGHT",
    "inventory": "VARIANT_INVENTORY",
    "variant_title": "VARIANT_TITLE",
}
_FIELDS = {theirs: ours for ours, theirs in _COLUMNS.items()}
#: What is compared as a number, and how fields are compared with values (schema).
_NUMBERS = frozenset({"price", "compare_at_price", "weight", "inventory"})
_RELATIONS = frozenset(
    {"EQUALS", "NOT_EQUALS", "GREATER_THAN", "LESS_THAN", "STARTS_WITH", "ENDS_WITH"}
    | {"CONTAINS", "NOT_CONTAINS", "IS_SET", "IS_NOT_SET"}
)
#: Whose metafields the rules of a column look at.
_OWNERS = {
    "product_metafield_definition": "PRODUCT",
    "variant_metafield_definition": "PRODUCTVARIANT",
}


def rule(doc: Doc) -> Rule:
    """Return the rule that a document describes."""
    column = _FIELDS.get(doc["column"], doc["column"].lower())
    if named := (doc["conditionObject"] or {}).get("metafieldDefinition"):
        column = f"{column}:{named['namespace']}.{named['key']}"
    return Rule(field=column, relation=doc["relation"].lower(), value=doc["condition"])


def unheld(rules: Sequence[Rule]) -> Iterator[str]:
    """Yield what Shopify can't hold of rules: other relations, and what is to be a number."""
    for each in rules:
        if each.relation.upper() not in _RELATIONS:
            words = ", ".join(sorted(map(str.lower, _RELATIONS)))
            yield f"Shopify has no relation {each.relation!r}, but {words}"
        elif "set" in each.relation.lower().split("_"):
            continue
        elif each.field.removeprefix("variant_") in _NUMBERS and not _is_number(each.value):
            yield f"{each.field} is compared with a number, not with {each.value!r}"


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def rule_input(desired: Rule, known: Mapping[str, str]) -> dict[str, str]:
    """Return a rule for an input; `known` has ids of metafield definitions by rules' fields."""
    column = desired.field.partition(":")[0]
    found = {
        "column": _COLUMNS.get(desired.field, column.upper()),
        "relation": desired.relation.upper(),
        "condition": desired.value,
    }
    named = known.get(desired.field)
    return {**found, "conditionObjectId": named} if named else found


def definitions(rules: Sequence[Rule]) -> Flow[dict[str, str]]:
    """Return the ids of the metafield definitions that rules look at, by the rules' fields.

    Raises:
        Rejected: if the shop has none of that name.
    """
    wanted = {each.field for each in rules if each.field.partition(":")[0] in _OWNERS}
    found: dict[str, str] = {}
    for column in sorted({field.partition(":")[0] for field in wanted}):
        variables = {"owner": _OWNERS[column]}
        nodes = yield from drained("metafield_definitions", "metafieldDefinitions", variables)
        found |= {f"{column}:{node['namespace']}.{node['key']}": node["id"] for node in nodes}
    for field in sorted(wanted - found.keys()):
        raise Rejected(
            f"the shop has no definition of the metafield that {field!r} looks at",
            fields={"rules": field},
            remedy="Make the definition first.",
        )
    return found
