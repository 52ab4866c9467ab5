"""From records to the inputs of Shopify's mutations: products and variants.

`productSet` replaces the lists that its input has: who is not listed is deleted (schema). So a
list is only sent whole, with the ids of what stays; everything that isn't sent stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from storebridge.errors import Rejected
from storebridge.models import Option, Product, Variant
from storebridge.wire import amount
from storebridge_shopify.lookup import handle_form
from storebridge_shopify.reading import NAMESPACE, ONLY_OPTION, ONLY_VALUE
from storebridge_shopify.site import WEIGHTS, Facts

__all__ = [
    "STATUSES",
    "Shape",
    "bulk_variant",
    "own",
    "quantities",
    "set_variant",
    "tag_forms",
    "variant_rows",
]

Body = dict[str, Any]

#: The most variants of a call (usage/limits: arrays of input).
_ROWS = 250

#: The words for a product's status that Shopify has, ours to theirs.
STATUSES = {each: each.upper() for each in ("active", "archived", "draft", "unlisted")}
_UNITS = {ours: theirs for theirs, ours in WEIGHTS.items()}
_TEXTS = {
    "title": "title",
    "description_html": "descriptionHtml",
    "vendor": "vendor",
    "product_type": "productType",
    "gift_card": "giftCard",
}
_ITEM_EXTRAS = {
    "country_of_origin": "countryCodeOfOrigin",
    "harmonized_system_code": "harmonizedSystemCode",
}


def own(desired: Product, category: str | None) -> Body:
    """Return the input for a product's own fields, without its lists of variants and media.

    Args:
        desired: the fields to write.
        category: the id of the place in the taxonomy, where one is given; "" for none.

    Raises:
        Rejected: for a status that Shopify doesn't have, and for an empty title.
    """
    given = desired.given
    body: Body = {
        theirs: getattr(desired, ours) for ours, theirs in _TEXTS.items() if ours in given
    }
    if "title" in given and not desired.title.strip():
        raise Rejected("a product needs a title", fields={"title": "empty"})
    if "handle" in given and desired.handle:
        body["handle"] = handle_form(desired.handle)
    if "tags" in given:
        body["tags"] = list(tag_forms(desired.tags))
    if "status" in given:
        body["status"] = _status(desired.status)
    if "seo" in given:
        body["seo"] = {name: getattr(desired.seo, name) for name in sorted(desired.seo.given)}
    if category is not None:
        body["category"] = category or None
    extras = desired.platform_fields.get(NAMESPACE, {})
    if "template_suffix" in extras:
        body["templateSuffix"] = str(extras["template_suffix"] or "")
    return body


def tag_forms(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags as Shopify keeps them: trimmed, cut at commas, each once, sorted."""
    found: dict[str, str] = {}
    for tag in (part.strip() for each in tags for part in each.split(",")):
        if tag:
            found.setdefault(tag.lower(), tag)
    return tuple(sorted(found.values(), key=str.lower))


def set_variant(desired: Variant, facts: Facts) -> Body:
    """Return a variant for productSet, without its id and its option values."""
    body, item = _variant(desired, facts)
    if "sku" in desired.given:
        body["sku"] = desired.sku
    return {**body, "inventoryItem": item} if item else body


def bulk_variant(desired: Variant, facts: Facts) -> Body:
    """Return a variant for productVariantsBulkUpdate, which has the SKU elsewhere."""
    body, item = _variant(desired, facts)
    if "sku" in desired.given:
        item["sku"] = desired.sku
    return {**body, "inventoryItem": item} if item else body


def variant_rows(variants: Iterable[Variant], facts: Facts) -> Iterator[list[Body]]:
    """Yield the given fields of variants in pieces that productVariantsBulkUpdate takes."""
    rows = [{"id": each.id, **bulk_variant(each, facts)} for each in variants]
    rows = [row for row in rows if len(row) > 1]
    for start in range(0, len(rows), _ROWS):
        yield rows[start : start + _ROWS]


def quantities(desired: Variant, facts: Facts) -> list[Body]:
    """Return the stock of a new variant, for productSet."""
    return [
        {
            "locationId": facts.location(level.location),
            "name": "available",
            "quantity": level.available,
        }
        for level in desired.inventory
    ]


def _variant(desired: Variant, facts: Facts) -> tuple[Body, Body]:
    """Return what both calls have in common: of the variant, and of its inventory item.

    Raises:
        Rejected: for a price that is missing or in another currency.
    """
    body: Body = {}
    item: Body = {}
    given = desired.given
    if "price" in given:
        if desired.price is None:
            raise Rejected("a variant needs a price", fields={"variants.price": "empty"})
        body["price"] = facts.shop_amount(desired.price, "variants.price")
    if "compare_at_price" in given:
        struck = desired.compare_at_price
        body["compareAtPrice"] = (
            None if struck is None else facts.shop_amount(struck, "variants.compare_at_price")
        )
    if "barcodes" in given:
        body["barcode"] = desired.barcodes[0] if desired.barcodes else ""
    if "oversell" in given:
        body["inventoryPolicy"] = "CONTINUE" if desired.oversell else "DENY"
    if "taxable" in given:
        body["taxable"] = desired.taxable
    if "cost" in given:
        cost = desired.cost
        item["cost"] = None if cost is None else facts.shop_amount(cost, "variants.cost")
    if "tracked" in given:
        item["tracked"] = desired.tracked
    if "requires_shipping" in given:
        item["requiresShipping"] = desired.requires_shipping
    if "weight" in given:
        item["measurement"] = {"weight": _weight(desired, facts)}
    extras = desired.platform_fields.get(NAMESPACE, {})
    item |= {theirs: extras[ours] for ours, theirs in _ITEM_EXTRAS.items() if ours in extras}
    return body, item


def _weight(desired: Variant, facts: Facts) -> Body:
    """Return a weight; none is kept as 0."""
    if desired.weight is None:
        return {"value": Decimal(0), "unit": _UNITS[facts.info.weight_unit]}
    return {"value": Decimal(amount(desired.weight.value)), "unit": _UNITS[desired.weight.unit]}


def _status(word: str) -> str:
    if word not in STATUSES:
        raise Rejected(
            f"Shopify has no status {word!r}",
            fields={"status": "unknown"},
            remedy=f"Give one of: {', '.join(STATUSES)}.",
        )
    return STATUSES[word]


class Shape:
    """A product's options and variants as they are to be, for one productSet."""

    def __init__(self, live: Product | None, desired: Product) -> None:
        """Begin with what is live; options are named as they will be."""
        self._live = live.variants if live else ()
        self._had = live.options if live else ()
        self._variants = desired.variants
        self._options = desired.options if "options" in desired.given else self._had
        self._values: list[dict[str, None]] = [dict.fromkeys(o.values) for o in self._options]
        self._rows: list[Body] = []

    def add(self, values: Sequence[str], body: Body) -> None:
        """Put a variant into the list, with its option values.

        Raises:
            Rejected: if the values don't fit the options.
        """
        if len(values) != len(self._options):
            raise Rejected(
                f"a variant has {len(values)} option values for {len(self._options)} options",
                fields={"variants.options": "count"},
                remedy="Give the product its options, and each variant a value of each.",
            )
        for known, value in zip(self._values, values, strict=True):
            known[value] = None
        pairs = zip(self._options, values, strict=True)
        chosen = [{"optionName": option.name, "name": value} for option, value in pairs]
        only = [{"optionName": ONLY_OPTION, "name": ONLY_VALUE}]
        self._rows.append({**body, "optionValues": chosen or only})

    def carried(self, values: Sequence[str]) -> list[str]:
        """Return a live variant's option values in the order of the options that will be.

        Raises:
            Rejected: if there is a new option, of which it has no value.
        """
        names = [each.name for each in self._had]
        found = []
        for place, option in enumerate(self._options):
            was = self._was(option, place)
            if was not in names:
                raise self._new(option, place)
            found.append(values[names.index(was)])
        return found

    def _new(self, option: Option, place: int) -> Rejected:
        """Return the error that a variant which stays has no value of an option."""
        message = f"the option {option.name!r} is new, and not every variant has a value of it"
        remedy = "Give every variant of the product its values"
        if not self._had:
            remedy += ", with the SKU or the id that it has"
        elif len(self._had) == len(self._options):
            held = self._had[place]
            message += f": the shop has {_said(held)} in its place, the source {_said(option)}"
            remedy += f", or rename {held.name!r} by itself first"
        remedy += ". Variants that are to go are taken out, or the list has the mode replace."
        return Rejected(message, fields={"options": "new"}, remedy=remedy)

    def input(self, ids: Mapping[str, str]) -> Body:
        """Return both lists, whole; `ids` are those of the live options, by their names."""
        if not self._rows:
            return {}
        return {"productOptions": self._product_options(ids), "variants": self._rows}

    def _product_options(self, ids: Mapping[str, str]) -> list[Body]:
        if not self._options:
            return [{"name": ONLY_OPTION, "values": [{"name": ONLY_VALUE}]}]
        found = []
        for place, (option, values) in enumerate(zip(self._options, self._values, strict=True)):
            known = ids.get(self._was(option, place), "")
            row: Body = {"id": known} if known else {}
            row |= {"name": option.name, "position": place + 1}
            found.append({**row, "values": [{"name": value} for value in values]})
        return found

    def _was(self, option: Option, place: int) -> str:
        """Return the live name of an option: its own, else that in its place with its values."""
        names = [each.name for each in self._had]
        if option.name in names or len(names) != len(self._options):
            return option.name
        held = self._had[place]
        other = held.name in {each.name for each in self._options}
        return "" if other or not self._renames(option, place) else held.name

    def _renames(self, option: Option, place: int) -> bool:
        """Return whether an option has the values of the live one in its place, and no others."""
        given = (each.options[place] for each in self._variants if len(each.options) > place)
        asked = set(option.values) or set(given)
        return not asked or asked == set(self._had[place].values)


def _said(option: Option) -> str:
    more = ", ..." if len(option.values) > 3 else ""
    return f"{option.name!r} ({', '.join(option.values[:3])}{more})"
