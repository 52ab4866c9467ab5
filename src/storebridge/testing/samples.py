"""Records to test with: every field of every model filled, cut down to what a store can hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from storebridge.adapter import Field
from storebridge.compare import references
from storebridge.models import (
    KINDS,
    Discount,
    InventoryLevel,
    Length,
    MarketPrice,
    Model,
    Money,
    Option,
    Product,
    Record,
    Review,
    Sale,
    StoreInfo,
    Translation,
    Variant,
    Weight,
)
from storebridge.parts import declared, path_names

__all__ = ["minimal", "others", "prune", "sample", "writable"]

M = TypeVar("M", bound=Model)

#: Values by field name, for the first and the second record, where a made-up text won't do.
_VALUES: Mapping[str, tuple[Any, Any]] = {
    "cancel_reason": ("customer", "inventory"),
    "carrier": ("DHL", "UPS"),
    "collections": (("kit-group-1",), ("kit-group-2",)),
    "codes": (("KIT-10",), ("KIT-20",)),
    "content_hash": ("", ""),
    "cross_sells": (("handle:kit-other-1",), ("handle:kit-other-2",)),
    "description_html": ("<p>First <b>text</b></p>", "<p>Second <i>text</i></p>"),
    "customer_emails": (("kit1@example.com",), ("kit2@example.com",)),
    "email": ("kit1@example.com", "kit2@example.com"),
    "excluded_collections": (("kit-group-2",), ("kit-group-1",)),
    "excluded_products": (("handle:kit-other-2",), ("handle:kit-other-1",)),
    "media_type": ("image", "image"),
    "metafield": ("kit.one", "kit.two"),
    "owner": ("product", "product"),
    "namespace": ("kit", "kit"),
    "parent": ("kit-group-1", "kit-group-2"),
    "phone": ("+49305550101", "+49305550102"),
    "postcode": ("10115", "20095"),
    "percentage": (Decimal(10), Decimal("12.5")),
    "product": ("handle:kit-other-1", "handle:kit-other-2"),
    "products": (("handle:kit-other-1",), ("handle:kit-other-2",)),
    "rating": (Decimal(5), Decimal(4)),
    "rate": ("0.19", "0.07"),
    "region_code": ("BE", "HH"),
    "related": (("handle:kit-other-1",), ("handle:kit-other-2",)),
    "relation": ("equals", "contains"),
    "state": ("subscribed", "unsubscribed"),
    "type": ("single_line_text_field", "single_line_text_field"),
    "upsells": (("handle:kit-other-1",), ("handle:kit-other-2",)),
    "visibility": ("visible", "hidden"),
}
_STATUS: Mapping[type[Model], tuple[str, str]] = {
    Discount: ("active", "draft"),
    Product: ("active", "draft"),
    Review: ("approved", "pending"),
    Variant: ("active", "archived"),
}
#: Filled from elsewhere, or no values of the shop's.
_SKIPPED = frozenset({"id", "modes", "platform_fields"})


def sample(kind: str, number: int, info: StoreInfo) -> Record:
    """Return a record of a kind with every field given; number 1 and 2 differ in every field."""
    model = KINDS[kind]
    values = _fields(model, number, number, info)
    if "translations" in model.model_fields:
        values["translations"] = _translations(number, info)
    if model is Product:
        values |= _product(number, info)
    return model(**values)


def minimal(kind: str, name: str, info: StoreInfo) -> Record:
    """Return a record of a kind with little more than what it is found by."""
    model = KINDS[kind]
    known: dict[str, Any] = {
        "handle": name,
        "title": f"Title {name}",
        "name": f"Name {name}",
        "email": f"{name}@example.com",
        "number": f"#{name}",
        "metafield": f"kit.{name}",
        "path": f"Kit > {name}",
        "type": "single_line_text_field",
        "target": "/",
        "currency": info.currency,
        "body": f"Text {name}",
        "product": "handle:kit-other-1",
    }
    values = {field: value for field, value in known.items() if field in model.model_fields}
    if model is Product:
        values["variants"] = (Variant(sku=f"SKU-{name}", price=Money("9.90", info.currency)),)
    return model(**values)


def others(record: Record, info: StoreInfo) -> Iterator[Record]:
    """Yield minimal records for those that a record refers to by its handle."""
    for kind, key in references(record):
        yield minimal(kind, key.removeprefix("handle:"), info)


def prune(record: M, fields: Mapping[str, Field], above: str = "") -> M:
    """Return a record with the given fields that can be written, and lists that aren't too long."""
    kept: dict[str, Any] = {}
    for name, path in path_names(type(record)).items():
        if name not in record.given:
            continue
        value, path = getattr(record, name), above + path
        inner = value if isinstance(value, tuple) else (value,)
        known = declared(path, fields)
        holds = any(other.startswith(f"{path}.") for other in fields)
        if holds and all(isinstance(each, Model) for each in inner):
            pruned = tuple(prune(each, fields, f"{path}.") for each in inner)
            value = pruned if isinstance(value, tuple) else pruned[0]
        elif known is None or not known.write:
            continue
        limit = known.max_length if known else None
        kept[name] = value[:limit] if limit and isinstance(value, str | tuple) else value
    return type(record).model_construct(_fields_set=set(kept), **kept)


def writable(fields: Mapping[str, Field]) -> frozenset[str]:
    """Return the declared paths that can be written, without those that only hold others."""
    return frozenset(
        path
        for path, field in fields.items()
        if field.write and not any(other.startswith(f"{path}.") for other in fields)
    )


def _fields(model: type[Model], number: int, place: int, info: StoreInfo) -> dict[str, Any]:
    """Return values for the fields of a model; `place` tells the elements of a list apart."""
    known = _of_store(number, place, info)
    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if name in _SKIPPED or name.endswith(("_add", "_remove")):
            continue
        if name == "status":
            values[name] = _STATUS.get(model, ("open", "closed"))[number - 1]
        elif name in known:
            values[name] = known[name]
        elif name in _VALUES:
            values[name] = _VALUES[name][number - 1]
        else:
            values[name] = _value(name, field.annotation, number, place, info)
    return values


def _of_store(number: int, place: int, info: StoreInfo) -> dict[str, Any]:
    """Return values by field name that have to be known to the store, or unique in it."""
    locations = [at.name or at.id for at in info.locations] or [""]
    return {
        "channel": ("email", "sms")[place % 2],
        "channels": tuple(info.channels[: 3 - number]),
        "country": ("DE", "FR")[number - 1],
        "countries": (("DE", "AT"), ("FR",))[number - 1],
        "currency": info.currency,
        "handle": f"kit-{place}",
        "key": f"KIT-{place}",
        "locale": info.locales[min(place, len(info.locales)) - 1] if info.locales else "de",
        "locales": info.locales[: 3 - number] or ("de",),
        "location": locations[(place - 1) % len(locations)],
        "market": info.markets[0].handle if info.markets else "",
        "presentment_currency": info.currency,
        "url": f"https://shop.example/kit-{place}.jpg",
    }


def _value(name: str, kind: Any, number: int, place: int, info: StoreInfo) -> Any:
    """Return a value of a type: another one for each number."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _value(name, get_args(kind)[0], number, place, info)
    if origin is Annotated:
        return _value(name, get_args(kind)[0], number, place, info)
    if origin is Literal:
        return get_args(kind)[number - 1]
    if origin is tuple:
        return _elements(name, get_args(kind)[0], number, place, info)
    if kind in (Weight, Length):
        unit = info.weight_unit if kind is Weight else info.length_unit
        return kind(value=Decimal(f"{number}.5"), unit=unit)
    if isinstance(kind, type) and issubclass(kind, Model):
        return kind(**_fields(kind, number, place, info))
    return _plain(name, kind, number, place, info)


def _elements(name: str, kind: Any, number: int, place: int, info: StoreInfo) -> tuple[Any, ...]:
    if not (isinstance(kind, type) and issubclass(kind, Model)):
        return tuple(f"{name[:-1]}-{number}{letter}" for letter in "ab")
    keyed = hasattr(kind, "element_keys") and "id" not in kind.model_fields
    count = 2 if keyed or "url" in kind.model_fields else 1
    return tuple(kind(**_fields(kind, number, each, info)) for each in range(1, count + 1))


def _plain(name: str, kind: Any, number: int, place: int, info: StoreInfo) -> Any:
    if kind is Money:
        return Money(f"{10 * number + place}.90", info.currency).rounded()
    if kind is Decimal:
        return Decimal(f"{number}.5")
    if kind is bool:
        return number == 2
    if kind is int:
        return 10 * number + place
    if kind is datetime or name.endswith("_at"):
        return datetime(2024, number, place, tzinfo=UTC)
    if kind is str:
        return f"{name.replace('_', ' ').capitalize()} {number}{'' if place == number else place}"
    return {"kit": f"{name} {number}"}


def _product(number: int, info: StoreInfo) -> dict[str, Any]:
    """Return the fields of a product that have to agree with each other."""
    return {
        "sku": f"KIT-{number}-P",
        "options": (
            Option(name="Size", values=("S", "M", "L")),
            Option(name="Colour", values=("blue",)),
        ),
        "variants": tuple(_variant(number, size, info) for size in "SML"),
    }


def _translations(number: int, info: StoreInfo) -> tuple[Translation, ...]:
    locale = info.locales[1] if len(info.locales) > 1 else "de"
    market = info.markets[0].handle if info.markets else ""
    return (
        Translation(locale=locale, field="title", value=f"Titel {number}"),
        Translation(
            locale=locale, field="description_html", value=f"<p>Wert {number}</p>", market=market
        ),
    )


def _variant(number: int, size: str, info: StoreInfo) -> Variant:
    """Return a variant: a struck-through price for S, a dated sale for M, a plain price for L."""
    place = 1 + "SML".index(size)
    values = _fields(Variant, number, place, info)
    price = Money(f"{20 * number}.90", info.currency).rounded()
    sale = Sale(
        price=Money(f"{9 * number}.50", info.currency).rounded(),
        starts_at=datetime(2024, number, 1, tzinfo=UTC),
        ends_at=datetime(2030, number, 1, tzinfo=UTC),
    )
    values |= {
        "sku": f"KIT-{number}-{size}",
        "barcodes": (f"400638133393{number}",),
        "options": (size, "blue"),
        "price": price,
        "compare_at_price": price * 3 if size == "S" else None,
        "sale": sale if size == "M" else None,
        "media": (f"https://shop.example/kit-{number}.jpg",),
        "market_prices": tuple(_market_prices(number, info)),
        "inventory": tuple(
            InventoryLevel(location=at.name or at.id, available=10 * number + place)
            for at in info.locations[:2]
        ),
    }
    return Variant(**values)


def _market_prices(number: int, info: StoreInfo) -> Iterator[MarketPrice]:
    for market in info.markets[:3]:
        price = Money(Decimal(f"{20 * number}.123"), market.currency).rounded()
        yield MarketPrice(
            market=market.handle, price=price, compare_at_price=price * 3, included=number == 1
        )
