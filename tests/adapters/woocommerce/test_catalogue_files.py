"""Whole catalogue files go into a shop and come back equal, field by field, but for the fit report.

What was read of the file is held against what a `pull` wrote, by means of this test's own: not by
those with which a plan compares.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

import storebridge
from storebridge.errors import Problem
from storebridge.formats import Context, Sourced, read
from storebridge.models import Product, Record

DATA = Path(__file__).parents[2] / "data"
MARKETS = {"Switzerland": "CHF", "Nordics": "SEK"}
CONTEXT = Context(
    currency="EUR",
    weight_unit="kg",
    length_unit="cm",
    time_zone="UTC",
    location="Default",
    market_currencies=MARKETS,
)
FILES = ("woocommerce-products.csv", "shopify-apparel.csv", "shopify-legacy.csv")
UNITS = {"g": 1, "kg": 1000, "lb": Decimal("453.59237"), "oz": Decimal("28.349523125")}
UNITS |= {"mm": 1, "cm": 10, "m": 1000, "in": Decimal("25.4"), "yd": Decimal("914.4")}
#: What the elements of a list are known by; others are compared place by place.
NAMES = {
    "variants": ("sku", "options"),
    "options": ("name",),
    "attributes": ("name",),
    "metafields": ("namespace", "key"),
    "inventory": ("location",),
}
SETS = ("tags", "collections", "upsells", "cross_sells", "grouped_products", "values")
#: What is told by its slug.
SLUGS = ("default", "shipping_class")
#: Other platforms' own words, and what the shop numbers itself.
OTHERS = ("id", "key", "modes", "position")
#: Values that say what holds of everything in WooCommerce.
USUAL = {"gift_card": False, "requires_shipping": True, "sold_individually": False}
USUAL |= {"stock_status": "instock"}  # of what is counted, it follows the quantity
#: WooCommerce's word for each status (`writing.STATUSES`), and how it reads back.
STATUSES = {"archived": "private", "unlisted": "active"}


def prepared(name: str, folder: Path) -> Path:
    """Return a file of catalogue data without what no shop can know a product by."""
    text = (DATA / name).read_text("utf-8-sig").replace("Schweiz", "Switzerland")
    text = text.replace("id:40", "garden-set")  # a number of the shop that the file came from
    lines = [line for line in text.splitlines(keepends=True) if "Rain Barrel" not in line]
    path = folder / name
    path.write_text("".join(lines), "utf-8")
    return path


def wanted(path: Path, context: Context) -> list[Record]:
    items = list(read(path, context))
    assert [item for item in items if isinstance(item, Problem)] == []
    return [item.record for item in items if isinstance(item, Sourced)]


def differing(new: Any, old: Any, path: str = "") -> Iterator[str]:
    """Yield the paths at which a record of the file is not what came back."""
    name = path.rpartition(".")[2]
    if isinstance(new, dict) and {"value", "unit"} <= new.keys():
        if _size(new) != _size(old):
            yield path
    elif isinstance(new, dict):
        for key, value in new.items():
            if name == "platform_fields" and key != "woocommerce":
                continue  # other platforms' own words are for them alone
            if key not in OTHERS:
                held = old.get(key) if isinstance(old, dict) else None
                yield from differing(value, held, f"{path}.{key}".lstrip("."))
    elif isinstance(new, list) and (known := _list(name, new, old, path)) is not None:
        yield from known
    elif not _same(name, new, old):
        yield f"{path}: {new!r} became {old!r}"


def _list(name: str, new: list[Any], old: Any, path: str) -> Iterator[str] | None:
    """Return the paths that differ in a list whose elements are known by more than their place."""
    if name == "media":
        return _media(new, old, path)
    if name in SETS:
        return iter([path] if sorted(new) != sorted(old or ()) else [])
    if name in NAMES and any(isinstance(element, dict) for element in new):
        held = ((each, _meant(each, old or [], NAMES[name])) for each in new)
        return (place for each, live in held for place in differing(each, live, path))
    return None


def _meant(element: dict[str, Any], held: Sequence[Any], names: Sequence[str]) -> Any:
    """Return the live element that has the first of the names that the wanted one has."""
    if len(held) == 1 and not any(element.get(name) for name in names):
        return held[0]
    name = next((each for each in names if element.get(each)), "")
    found = [each for each in held if name and each.get(name) == element[name]]
    return found[0] if len(found) == 1 else None


def _media(new: list[Any], old: Any, path: str) -> Iterator[str]:
    """Pictures in their order, by the names of their files and their texts."""
    held = [item["url"] if isinstance(item, dict) else item for item in old or ()]
    urls = [item["url"] if isinstance(item, dict) else item for item in new]
    if [PurePosixPath(url).stem for url in urls] != [PurePosixPath(url).stem for url in held]:
        yield f"{path} {urls} {held}"
    for item, live in zip(new, old or (), strict=False):
        if isinstance(item, dict) and item.get("alt", "") != live["alt"]:
            yield f"{path}.alt"


def _same(name: str, new: Any, old: Any) -> bool:
    if name in USUAL and new == USUAL[name] and old is None:
        return True
    if new in (None, "", [], {}) and old in (None, "", [], {}):
        return True
    if name in SLUGS:
        return bool(str(new).lower() == old)
    if name == "title" and not old:  # a variation is called after its product and its options
        return " - " in new
    if name == "status":
        return bool(STATUSES.get(new, new) == old)
    if isinstance(new, str) and isinstance(old, str):
        return html.unescape(new).strip() == html.unescape(old).strip()
    return bool(new == old)


def _size(value: Any) -> Any:
    return round(Decimal(value["value"]) * UNITS[value["unit"]], 1) if value else None


def known_by(records: Sequence[Record], record: Record) -> Record:
    """Return the record that came back of one: by its SKU, its handle, or what is in it."""
    for name in ("handle", "sku", "title"):
        own = _name(record, name)
        found = [r for r in records if own and r.kind == record.kind and _name(r, name) == own]
        if found:
            assert len(found) == 1, f"{record.label} came twice"
            return found[0]
    raise AssertionError(f"{record.label} is not there")


def _name(record: Record, name: str) -> str:
    own = str(getattr(record, name, ""))
    if name == "sku" and not own and isinstance(record, Product) and len(record.variants) == 1:
        return record.variants[0].sku
    return own


def by_title(record: Record, records: Sequence[Record]) -> Record:
    """Return a product that names others by their titles, whatever they were named by."""
    if not isinstance(record, Product):
        return record
    titles = {key: other.title for other in records if isinstance(other, Product)
              for key in (*other.keys(), f"sku:{_name(other, 'sku')}")}  # fmt: skip
    told = {name: tuple(titles.get(key, key) for key in getattr(record, name))
            for name in ("upsells", "cross_sells") if name in record.given}  # fmt: skip
    return record.but(**told)


@pytest.mark.parametrize("name", FILES)
def test_a_catalogue_comes_back_equal_but_for_the_fit_report(tmp_path: Path, name: str) -> None:
    path = prepared(name, tmp_path)
    where = "sandbox:woocommerce?memory&woocommerce_currency=EUR&woocommerce_weight_unit=kg"
    where += "&woocommerce_dimension_unit=cm"
    with storebridge.open(where, state=tmp_path / "state") as store:
        options = {"context": {"market_currencies": MARKETS}, "location": "Default"}
        plan = store.plan(path, tmp_path / "a.plan", **options)
        named = {fit.field for fit in plan.fit()}
        report = plan.apply()
        assert report.counts["applied"] == report.planned, list(report.items("failed", "skipped"))
        assert store.plan(path, tmp_path / "b.plan", **options).is_empty
        store.pull(tmp_path / "back.jsonl")
    back = wanted(tmp_path / "back.jsonl", CONTEXT)
    source = wanted(path, CONTEXT)
    assert len(source) >= 3
    assert sum(isinstance(r, Product) for r in source) == sum(isinstance(r, Product) for r in back)
    for records in (source, back):
        records[:] = [by_title(record, records) for record in records]
    found = {
        f"{record.label}: {place}"
        for record in source
        for place in differing(
            record.model_dump(mode="json", exclude_unset=True),
            known_by(back, record).model_dump(mode="json"),
        )
        if not any(re.match(rf"{re.escape(field)}\b", place) for field in named)
    }
    assert found == set()
