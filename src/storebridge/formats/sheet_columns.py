"""The columns of storebridge's own sheet: a header is the path of a field in the models.

| header | what it is |
|---|---|
| `title`, `seo.title`, `tags+` | a field of the product |
| `price`, `sale.price` | a field of the variant |
| `variants.title` | one that the product has as well |
| `sku`, `product.sku` | the variant's SKU; the product's own, where a platform has one |
| `options`, `option[Size]` | the product's options in order; the variant's choice |
| `title[de]`, `title[de@CH]` | a translation (`translations.FIELD[de]` for any field) |
| `price[CH]`, `compare_at_price[CH]`, `included[CH]` | a market's price |
| `inventory`, `inventory[Main]` | the quantity, at a location |
| `weight (kg)`, `dimensions.length (cm)` | a measure with its unit |
| `metafields.NAMESPACE.KEY[TYPE]` | a metafield; the type may be left out |
| `platform_fields.PLATFORM.KEY` | a field that one platform only has |
| `media`, `media.alt` | the pictures' addresses, and their texts in the same order |
| `delete` | TRUE deletes the product |

Feeds of stock and prices call these columns by other names as well: `qty`, `ean` (see `SYNONYMS`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import lru_cache
from typing import NamedTuple, get_args

from storebridge.formats.cells import key_of
from storebridge.models.units import LengthUnit, WeightUnit

__all__ = [
    "FIXED",
    "LENGTH_UNITS",
    "NAMING",
    "SYNONYMS",
    "WEIGHT_UNITS",
    "Column",
    "column_of",
    "inventory",
    "is_feed",
    "market",
    "metafield",
    "numeric",
    "option",
    "own_field",
    "rank",
    "similar",
    "sized",
    "translation",
]


class Column(NamedTuple):
    """A column: its header in the standard form, where its values lie, and how they are read."""

    header: str
    path: str
    """The path of the field in a product ("variants.price"); a list's own for its elements."""
    what: str
    """The kind of value, which says how cells are read and written."""
    args: tuple[str, ...] = ()
    """What names the element of a list."""
    unit: str = ""
    """The unit of a measure, or the type of a metafield."""

    @property
    def of_variant(self) -> bool:
        """Whether its values are a variant's."""
        return self.path.startswith("variants.")

    @property
    def place(self) -> tuple[str, tuple[str, ...]]:
        """What two columns have in common that say the same thing."""
        return self.path, self.args

    @property
    def clears(self) -> bool:
        """Whether a blank cell can empty the field: texts, plain lists and optional values."""
        kept = self.args or self.path.endswith(("+", "-")) or self.path == "options"
        return not kept and (self.what in _EMPTIED or self.path in _OPTIONAL)

    @property
    def empty(self) -> object:
        """The value of the field when it is cleared."""
        return _EMPTIED.get(self.what)


_EMPTIED: dict[str, object] = {"text": "", "list": (), "codes": (), "named": ()}
_OPTIONAL = {f"variants.{name}" for name in ("compare_at_price", "cost", "weight", "sale.price")}
_OPTIONAL |= {f"variants.dimensions.{side}" for side in ("length", "width", "height")}
#: The columns that can name a product, best first, and the one that names a variant.
NAMING = ("handle", "id", "key", "sku")
WEIGHT_UNITS: dict[str, str] = {**{unit: unit for unit in get_args(WeightUnit)}, "lbs": "lb"}
LENGTH_UNITS: dict[str, str] = {unit: unit for unit in get_args(LengthUnit)}

_PRODUCT = """
    handle:word id:code key:code delete:bool product.sku:code options:named title:text
    description_html:text short_description_html:text vendor:text brand:text product_type:text
    category:text tags:list tags+:list tags-:list status:status visibility:word featured:bool
    url:text collections:list collections+:list collections-:list related:list upsells:list
    cross_sells:list channels:list attributes:named media:lines media.alt:sentences media+:lines
    seo.title:text seo.description:text gift_card:bool
"""
_VARIANT = """
    sku:code barcodes:codes price:money compare_at_price:money sale.price:money
    sale.starts_at:time sale.ends_at:time cost:money inventory:int tracked:bool oversell:bool
    weight:weight dimensions.length:length dimensions.width:length dimensions.height:length
    taxable:bool tax_class:text requires_shipping:bool virtual:bool downloadable:bool
    position:int variants.title:text variants.description_html:text variants.status:status
    variants.media:lines
"""
_PATHS = {"product.sku": "sku", "media": "media.url"}


def _table() -> dict[str, Column]:
    """Return the columns without a variable part, by their headers as they are compared."""
    found = {}
    for header, _, what in (item.partition(":") for item in _PRODUCT.split()):
        found[header] = Column(header, _PATHS.get(header, header), what)
    for header, _, what in (item.partition(":") for item in _VARIANT.split()):
        path = f"variants.{header.removeprefix('variants.')}"
        found[header] = found[path] = Column(header, path, what)
    return found


FIXED = _table()
#: What suppliers and warehouses call the columns of their feeds.
SYNONYMS = {
    **dict.fromkeys(("qty", "quantity", "stock", "available", "on hand"), FIXED["inventory"]),
    **dict.fromkeys(("ean", "gtin", "upc", "barcode"), FIXED["barcodes"]),
}
_FEED = {"sku", "price", "compare_at_price", "inventory", "barcodes", *SYNONYMS}


def is_feed(header: Iterable[str]) -> bool:
    """Return whether a header is a feed's: SKUs, and quantities, prices or barcodes of them."""
    names = {key_of(name) for name in header if name}
    return len(names) > 1 and "sku" in names and names <= _FEED


def option(name: str) -> Column:
    """Return the column of the variants' values of an option."""
    return Column(f"option[{name}]", "variants.options", "text", (name,))


def inventory(location: str) -> Column:
    """Return the column of the quantities at a location."""
    return Column(f"inventory[{location}]", "variants.inventory", "int", (location,))


def market(field: str, name: str) -> Column:
    """Return the column of a market's `price`, `compare_at_price` or `included`."""
    what = "bool" if field == "included" else "money"
    return Column(f"{field}[{name}]", "variants.market_prices", what, (name, field))


def translation(field: str, locale: str, place: str = "") -> Column:
    """Return the column of a field's translations into a locale, for a market if one is named."""
    name = field if field in _TEXTS else f"translations.{field}"
    header = f"{name}[{locale}{'@' if place else ''}{place}]"
    return Column(header, "translations", "text", (field, locale, place))


def metafield(owner: str, namespace: str, key: str, type: str = "") -> Column:
    """Return the column of a metafield; `owner` is "" or "variants."."""
    # A key may end as a type would: then an empty type says that there is none.
    tail = f"[{type}]" if type or key.endswith("]") else ""
    path = f"{owner}metafields"
    return Column(f"{path}.{namespace}.{key}{tail}", path, "text", (namespace, key), type)


def own_field(owner: str, platform: str, key: str) -> Column:
    """Return the column of one of a platform's own fields; `owner` is "" or "variants."."""
    path = f"{owner}platform_fields"
    return Column(f"{path}.{platform}.{key}", path, "json", (platform, key))


def sized(name: str, unit: str) -> Column:
    """Return the column of a measure ("weight", "dimensions.width") in a unit."""
    return FIXED[name]._replace(header=f"{name} ({unit})", unit=unit)


_TEXTS = frozenset(
    column.header
    for column in FIXED.values()
    if not column.of_variant and (column.what == "text" or column.header == "handle")
)
_OPTION = re.compile(r"option\[(.+)\]", re.DOTALL | re.IGNORECASE)
_INVENTORY = re.compile(r"(?:variants\.)?inventory\[(.+)\]", re.DOTALL | re.IGNORECASE)
_MARKET = re.compile(
    r"(?:variants\.)?(price|compare_at_price|included)\[(.+)\]", re.DOTALL | re.IGNORECASE
)
_METAFIELD = re.compile(r"(variants\.)?metafields\.([^.]+)\.(.+?)(?:\[([^\[\]]*)\])?", re.DOTALL)
_OWN = re.compile(r"(variants\.)?platform_fields\.([^.]+)\.(.+)", re.DOTALL)
_SIZED = re.compile(
    r"(?:variants\.)?(weight|dimensions\.(?:length|width|height)) *\( *([a-z]+) *\)", re.IGNORECASE
)
_TRANSLATION = re.compile(r"(translations\.)?(.+)\[([^\[\]@]+)(?:@(.+))?\]", re.DOTALL)


def _measured(name: str, unit: str) -> Column | None:
    name = name.lower()
    found = (WEIGHT_UNITS if name == "weight" else LENGTH_UNITS).get(unit.lower())
    return sized(name, found) if found else None


def _translated(start: str | None, field: str, locale: str, place: str | None) -> Column | None:
    known = start or key_of(field) in _TEXTS
    return translation(field if start else key_of(field), locale, place or "") if known else None


_PATTERNS: tuple[tuple[re.Pattern[str], Callable[..., Column | None]], ...] = (
    (_OPTION, option),
    (_INVENTORY, inventory),
    (_MARKET, lambda field, name: market(field.lower(), name)),
    (_SIZED, _measured),
    (_METAFIELD, lambda owner, ns, key, type: metafield(owner or "", ns, key, type or "")),
    (_OWN, lambda owner, platform, key: own_field(owner or "", platform, key)),
    (_TRANSLATION, _translated),
)


@lru_cache(maxsize=4096)
def column_of(header: str) -> Column | None:
    """Return what a header means, None if it is no column of the sheet."""
    key = key_of(header)
    if (fixed := FIXED.get(key) or SYNONYMS.get(key)) is not None:
        return fixed
    for pattern, make in _PATTERNS:
        if match := pattern.fullmatch(header):
            return make(*match.groups())
    return None


#: The columns with a part that is free, as a person is told of them.
_NAMED = {"option": "option[NAME]", "included": "included[MARKET]"}
_DOTTED = {
    "metafields": "metafields.NAMESPACE.KEY[TYPE]",
    "platform_fields": "platform_fields.PLATFORM.KEY",
}


def similar(header: str) -> str:
    """Return the column that a header seems to be a slip of, "" if there is none."""
    start, bracket, rest = header.partition("[")
    key = key_of(start)
    owner = "variants." if key.startswith(("variant.", "variants.")) else ""
    head = (key.partition(".")[2] if owner else key).partition(".")[0]
    if dotted := get_close_matches(head, _DOTTED, 1, 0.8):
        return owner + _DOTTED[dotted[0]]
    near = next(iter(get_close_matches(key, (*FIXED, *_NAMED), 1, 0.6)), "")
    if not near or column_of(near + bracket + rest):
        return near and near + bracket + rest
    return _NAMED.get(near.removesuffix("s") if bracket else near, near)


def numeric(header: str) -> bool:
    """Return whether a column holds numbers."""
    column = column_of(header)
    return column is not None and column.what in ("money", "int", "weight", "length")


_ORDER = {name: place for place, name in enumerate(FIXED)}
_FIRST = {"handle": -9, "id": -8, "key": -7, "delete": -6, "sku": -5, "options": -4, "option": -3}
_LAST = ("metafields", "platform_fields", "variants.metafields", "variants.platform_fields")


def rank(header: str) -> int:
    """Return where a column stands in a file that is written: what names things comes first."""
    base = header.partition("[")[0].partition(" (")[0]
    if base in _FIRST:
        return _FIRST[base]
    if base == "included":
        return _ORDER["compare_at_price"]
    last = (place for place, name in enumerate(_LAST) if header.startswith(name))
    return _ORDER.get(base, len(_ORDER) + next(last, -1))
