"""The floor: the least that any program must do to bring a Shopify CSV into SQLite.

Reads the file with `csv`, builds plain dicts and writes them as JSON, one row each. They are the
same records that the reader makes (`tests/test_benchmarks.py` compares them), without a model,
a check, a plan, a journal or an index of keys.
"""

from __future__ import annotations

import csv
import json
import sqlite3
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

Row = dict[str, str]

_TEXTS = {
    "title": "Title",
    "description_html": "Description",
    "vendor": "Vendor",
    "category": "Product category",
    "product_type": "Type",
    "status": "Status",
}
_MONEY = {"price": "Price", "compare_at_price": "Compare-at price", "cost": "Cost per item"}
_METAFIELD = "Material (product.metafields.custom.material)"


def products(path: Path) -> Iterator[dict[str, Any]]:
    """Yield one plain dict per product of a file that `tests/catalogue.py` wrote."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        for handle, group in groupby(csv.DictReader(file), key=lambda row: row["URL handle"]):
            rows = list(group)
            yield {"handle": handle, **_product(rows[0]), **_lists(rows)}


def _product(row: Row) -> dict[str, Any]:
    product: dict[str, Any] = {name: row[column] for name, column in _TEXTS.items() if row[column]}
    if row["Tags"]:
        product["tags"] = [tag.strip() for tag in row["Tags"].split(",")]
    if row["Gift card"]:
        product["gift_card"] = row["Gift card"] == "true"
    if row["Published on online store"]:
        shown = row["Published on online store"] == "true"
        product["channels" if shown else "channels-"] = ["Online Store"]
    if row["SEO title"]:
        product["seo"] = {"title": row["SEO title"], "description": row["SEO description"]}
    if row[_METAFIELD]:
        product["metafields"] = [
            {"namespace": "custom", "key": "material", "value": row[_METAFIELD]}
        ]
    return product


def _lists(rows: list[Row]) -> dict[str, Any]:
    lists: dict[str, Any] = {"variants": [_variant(row) for row in rows if row["SKU"]]}
    options = []
    for number in ("1", "2"):
        if rows[0][f"Option{number} name"]:
            values = dict.fromkeys(row[f"Option{number} value"] for row in rows if row["SKU"])
            options.append({"name": rows[0][f"Option{number} name"], "values": list(values)})
    if options:
        lists["options"] = options
    media = [_picture(row) for row in rows if row["Product image URL"]]
    return {**lists, "media": media} if media else lists


def _variant(row: Row) -> dict[str, Any]:
    variant: dict[str, Any] = {
        "sku": row["SKU"],
        "options": [row[f"Option{n} value"] for n in ("1", "2") if row[f"Option{n} value"]],
        "tracked": bool(row["Inventory tracker"]),
        "oversell": row["Continue selling when out of stock"] == "continue",
        "taxable": row["Charge tax"] == "true",
        "requires_shipping": row["Requires shipping"] == "true",
        "inventory": [{"location": "Default", "available": int(row["Inventory quantity"])}],
        "weight": {"value": f"{int(row['Weight value (grams)']) / 1000:g}", "unit": "kg"},
        "platform_fields": {"shopify": {"fulfillment_service": row["Fulfillment service"]}},
    }
    if row["Barcode"]:
        variant["barcodes"] = [row["Barcode"]]
    if row["Variant image URL"]:
        variant["media"] = [row["Variant image URL"]]
    for name, column in _MONEY.items():
        if row[column]:
            variant[name] = f"{row[column]} EUR"
    market = {}
    if row["Price / Schweiz"]:
        market["price"] = f"{row['Price / Schweiz']} CHF"
    if row["Included / Schweiz"]:
        market["included"] = row["Included / Schweiz"] == "true"
    if market:
        variant["market_prices"] = [{"market": "Schweiz", **market}]
    if row["Tax code"]:
        variant["tax_class"] = row["Tax code"]
    return variant


def _picture(row: Row) -> dict[str, Any]:
    picture: dict[str, Any] = {"url": row["Product image URL"]}
    if row["Image alt text"]:
        picture["alt"] = row["Image alt text"]
    if row["Image position"]:
        picture["position"] = int(row["Image position"])
    return picture


def main() -> None:
    source, target = map(Path, sys.argv[1:3])
    db = sqlite3.connect(target)
    db.execute("CREATE TABLE records (handle TEXT PRIMARY KEY, body TEXT NOT NULL)")
    rows = (
        (product["handle"], json.dumps(product, ensure_ascii=False)) for product in products(source)
    )
    db.executemany("INSERT INTO records VALUES (?, ?)", rows)
    db.commit()


if __name__ == "__main__":
    main()
