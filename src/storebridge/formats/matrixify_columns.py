"""The columns of Matrixify's Products sheet and what each one means.

Source: Matrixify's documentation, "Products", "Metafields" and "List of Matrixify Commands".
Headers are compared without regard to case.
"""

from __future__ import annotations

import re
from functools import lru_cache

from storebridge.formats.cells import closest, key_of
from storebridge.formats.sheet_columns import (
    FIXED,
    Column,
    inventory,
    market,
    metafield,
    own_field,
)

__all__ = [
    "HEADERS",
    "NUMBERED",
    "column_of",
    "distinct",
    "known",
    "market_header",
    "metafield_header",
    "numeric",
    "rank",
    "similar",
]

#: The headers in the order of Matrixify's template, and what they mean: a column of the sheet,
#: `:` and the path of a value that is put together with others, or `!` and the name of a field
#: that only Shopify has. Those of options have a meaning of their own.
_TEMPLATE = """
    ID=id|Handle=handle|Command=:command|Title=title|Body HTML=description_html|Vendor=vendor|
    Type=product_type|Category=category|Tags=tags|Tags Command=:tags_command|Status=status|
    Published=:published|Published At=!published_at|Published Scope=!published_scope|
    Template Suffix=!template_suffix|Gift Card=gift_card|Custom Collections=:collections+|
    Metafield: title_tag [string]=seo.title|Metafield: description_tag [string]=seo.description|
    Variant Command=:variants.command|Option1 Name=|Option1 Value=|Option2 Name=|Option2 Value=|
    Option3 Name=|Option3 Value=|Variant Position=position|Variant SKU=sku|
    Variant Barcode=barcodes|Variant Image=variants.media|Variant Weight=weight|
    Variant Weight Unit=:variants.weight_unit|Variant Price=price|
    Variant Compare At Price=compare_at_price|Variant Cost=cost|Variant Taxable=taxable|
    Variant Tax Code=tax_class|Variant Inventory Tracker=:variants.tracker|
    Variant Inventory Policy=:variants.policy|
    Variant Fulfillment Service=!variants.fulfillment_service|
    Variant Requires Shipping=requires_shipping|Variant Inventory Qty=inventory|
    Variant Inventory Adjust=:variants.adjust|Image Src=:image.url|Image Command=:image.command|
    Image Position=:image.position|Image Alt Text=:image.alt
"""
#: What Matrixify only exports, and ids that mean nothing in another store.
_IGNORED = re.compile(
    r"created at|updated at|url|total inventory qty|row #|top row|variant id|category: .*"
    r"|variant inventory item id|image (?:type|width|height)|inventory (?!available: ).+: .+",
    re.IGNORECASE,
)
NUMBERED = re.compile(r"option([123]) (name|value)", re.IGNORECASE)
_METAFIELD = re.compile(r"(variant )?metafield: *(.+?) *(?:\[([^\[\]]*)\])?", re.I | re.DOTALL)
_MARKET = re.compile(r"(included|price|compare at price) / (.+)", re.IGNORECASE | re.DOTALL)
_LOCATED = re.compile(r"inventory available: *(.+)", re.IGNORECASE | re.DOTALL)
_DOT = re.compile(r"(?<!\\)\.")
_SEO = {"title_tag": "seo.title", "description_tag": "seo.description"}
_MARKET_FIELDS = {"compare at price": "compare_at_price"}


def _meaning(text: str) -> Column:
    """Return the column of the sheet that a meaning in the template stands for."""
    sign, path = text[:1], text[1:]
    if sign == "!":
        owner = "variants." if path.startswith("variants.") else ""
        return own_field(owner, "shopify", path.removeprefix(owner))
    if sign == ":":
        return Column(path, path, path.rpartition(".")[2].replace("collections+", "collections"))
    return FIXED[text]


_PAIRS = [item.strip().rpartition("=") for item in _TEMPLATE.replace("\n", "").split("|")]
_FIXED = {key_of(name): _meaning(meaning) for name, _, meaning in _PAIRS if meaning}
_ORDER = {key_of(name): place for place, (name, _, _) in enumerate(_PAIRS)}
#: The header of each column of the sheet that has one here.
HEADERS = {column.header: name for name, _, m in _PAIRS if m for column in [_meaning(m)]}
#: The names that no other format has.
_DISTINCT = frozenset(
    map(
        key_of,
        (
            "Body HTML",
            "Tags Command",
            "Custom Collections",
            "Variant ID",
            "Variant Command",
            "Variant Cost",
            "Variant Inventory Adjust",
            "Image Command",
            "Top Row",
            "Row #",
        ),
    )
)


@lru_cache(maxsize=4096)
def column_of(header: str) -> Column | None:
    """Return what a header means; a column without a path says nothing that is read."""
    fixed = _FIXED.get(key_of(header))
    if fixed is not None:
        return fixed
    if match := NUMBERED.fullmatch(header):
        return Column(f"option {match[1]} {match[2].lower()}", "option", match[2].lower())
    if match := _METAFIELD.fullmatch(header):
        return _metafield("variants." if match[1] else "", match[2], match[3] or "")
    if match := _MARKET.fullmatch(header):
        field = match[1].lower()
        return market(_MARKET_FIELDS.get(field, field), match[2])
    if match := _LOCATED.fullmatch(header):
        return inventory(match[1])
    return Column(key_of(header), "", "") if _IGNORED.fullmatch(header) else None


def _metafield(owner: str, name: str, type: str) -> Column:
    """Return the column of a metafield; without a namespace it is in Matrixify's own default."""
    start, *rest = _DOT.split(name, maxsplit=1)
    namespace, key = (start, rest[0]) if rest else ("global", start)
    if namespace == "global" and key in _SEO and not owner:
        return FIXED[_SEO[key]]
    return metafield(owner, namespace.replace("\\.", "."), key.replace("\\.", "."), type)


def metafield_header(owner: str, namespace: str, key: str, type: str) -> str:
    """Return the header of a metafield."""
    name = ".".join(part.replace(".", "\\.") for part in (namespace, key))
    return f"{'Variant ' if owner else ''}Metafield: {name}{f' [{type}]' if type else ''}"


def market_header(field: str, name: str) -> str:
    """Return the header of a market's price."""
    return f"{field.replace('_', ' ').title()} / {name}"


def known(header: str) -> bool:
    """Return whether a header is a standard one."""
    return key_of(header) in _FIXED or distinct(header)


def distinct(header: str) -> bool:
    """Return whether only this format has such a column."""
    free = _METAFIELD.fullmatch(header) or _LOCATED.fullmatch(header)
    return key_of(header) in _DISTINCT or free is not None


def similar(header: str) -> str:
    """Return the column that a header seems to be a slip of, "" if there is none."""
    near = closest(header, _ORDER)
    return _PAIRS[_ORDER[near]][0] if near else ""


def numeric(header: str) -> bool:
    """Return whether a column holds numbers."""
    column = column_of(header)
    return column is not None and column.what in ("money", "int", "weight", "position", "adjust")


def rank(header: str) -> int:
    """Return where a column stands in a file that is written."""
    return _ORDER.get(key_of(header), len(_ORDER))
