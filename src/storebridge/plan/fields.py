"""Keeps a plan to some fields of the source (`--fields`); what names a record stays as it is."""

from __future__ import annotations

from storebridge.compare import pairs
from storebridge.formats.sheet_fields import Fields
from storebridge.models import Product, Record, Variant

__all__ = ["alone", "managed"]


def alone(fields: Fields | None, record: Record) -> Record:
    """Return a product with its chosen fields and nothing else; other records as they are."""
    if fields is None or not isinstance(record, Product):
        return record
    kept = fields.own(record)
    if fields.of_variants and "variants" in record.given:
        variants = tuple(map(fields.of_variant, record.variants))
        kept = kept.model_copy(update={"variants": variants})
    return kept


def managed(fields: Fields, desired: Product, live: Product) -> tuple[Product, tuple[Variant, ...]]:
    """Return a product with some of its fields only, and the variants that the live one lacks.

    Its variants are named by the live ones' ids, so that a SKU or an option value that isn't among
    the fields changes nothing.
    """
    kept = fields.own(desired)
    if not fields.of_variants or "variants" not in desired.given:
        return kept, ()
    variants, lacking = list[Variant](), list[Variant]()
    for variant, held in pairs(desired.variants, live.variants):
        if held is None:
            lacking.append(variant)
            continue
        picked = fields.of_variant(variant)
        named = held.without(*(held.given - ({"id"} if held.id else {"sku", "options"})))
        chosen = {name: getattr(picked, name) for name in picked.given - {"id"}}
        variants.append(named.model_copy(update=chosen))
    return kept.model_copy(update={"variants": tuple(variants)}), tuple(lacking)
