"""Realistic, deterministic Shopify catalogues of any size, written as a stream.

Used by benchmarks and by the tests that kill a run; import it by its path.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from pathlib import Path

HEADER = [
    "Title",
    "URL handle",
    "Description",
    "Vendor",
    "Product category",
    "Type",
    "Tags",
    "Published on online store",
    "Status",
    "SKU",
    "Barcode",
    "Option1 name",
    "Option1 value",
    "Option2 name",
    "Option2 value",
    "Price",
    "Compare-at price",
    "Cost per item",
    "Charge tax",
    "Tax code",
    "Inventory tracker",
    "Inventory quantity",
    "Continue selling when out of stock",
    "Weight value (grams)",
    "Weight unit for display",
    "Requires shipping",
    "Fulfillment service",
    "Product image URL",
    "Image position",
    "Image alt text",
    "Variant image URL",
    "Gift card",
    "SEO title",
    "SEO description",
    "Included / Schweiz",
    "Price / Schweiz",
    "Material (product.metafields.custom.material)",
]
#: The currency that the market prices are in, for `Context.market_currencies`.
MARKETS = {"Schweiz": "CHF"}

_GOODS = ("Hemd", "Jacket", "Tröja", "Mütze", "Scarf", "Socks", "Ринок", "外套", "Coat", "Robe")
_KINDS = ("Linen", "Wool", "Cotton", "Silk", "Hemp", "Bamboo", "Flannel", "Denim")
_MAKERS = ("Nordlicht", "Casa Verde", "Atelier 9", "Ökowerk", "山と海")
_COLOURS = ("Black", "White", "Blue", "Green", "Grün", "Red", "Sand", "Rosé", "紺")
_SIZES = ("XS", "S", "M", "L", "XL", "XXL")
_CARE = 'Wash at 30 °C.\nDo not bleach, "gentle" cycle only.'


def write_shopify_csv(path: Path, products: int, variants_each: int = 5, seed: int = 0) -> None:
    """Write a catalogue of so many products; the same arguments give the same bytes."""
    chance = random.Random(seed)
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HEADER, restval="")
        writer.writeheader()
        for number in range(products):
            writer.writerows(_rows(number, variants_each, chance))


def write_feed(path: Path, products: int, rows: int, seed: int = 0) -> None:
    """Write quantities and prices of so many SKUs of that catalogue, in no order."""
    chance = random.Random(seed)
    skus = [f"P{number:07d}-{place + 1}" for number in range(products) for place in range(5)]
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(("sku", "qty", "price"))
        for sku in chance.sample(skus, rows):
            # More than the catalogue has, so that every row changes something.
            writer.writerow((sku, chance.randrange(200, 900), f"{chance.randrange(900, 29900)}.99"))


def _rows(number: int, variants_each: int, chance: random.Random) -> Iterator[dict[str, str]]:
    good, kind = chance.choice(_GOODS), chance.choice(_KINDS)
    title, maker = f"{kind} {good} {number}", chance.choice(_MAKERS)
    handle = f"product-{number:07d}"
    cents = chance.randrange(900, 29900, 50)
    for place in range(variants_each):
        row = _offer(number, place, cents, chance)
        row["URL handle"] = handle
        if place < 2:
            row["Product image URL"] = f"https://cdn.example.com/{handle}/{place + 1}.jpg"
            row["Image position"] = str(place + 1)
            row["Image alt text"] = f"{title}, view {place + 1}"
        if place == 0:
            row |= _own(title, kind, maker, chance)
        yield row


def _own(title: str, kind: str, maker: str, chance: random.Random) -> dict[str, str]:
    return {
        "Title": title,
        "Description": f"<p>{title} by {maker}: {kind.lower()}, made to last.</p>\n<p>{_CARE}</p>",
        "Vendor": maker,
        "Product category": "Apparel & Accessories > Clothing",
        "Type": kind,
        "Tags": ", ".join(sorted({kind.lower(), "new" if chance.random() < 0.3 else "basics"})),
        "Published on online store": "true",
        "Status": "active" if chance.random() < 0.95 else "draft",
        "Option1 name": "Colour",
        "Option2 name": "Size",
        "Gift card": "false",
        "SEO title": f"{title} | {maker}",
        "SEO description": f"{kind} from {maker}, sent within two days.",
        "Material (product.metafields.custom.material)": kind,
    }


def _offer(number: int, place: int, cents: int, chance: random.Random) -> dict[str, str]:
    colour, size = divmod(place, len(_SIZES))
    rounds, colour = divmod(colour, len(_COLOURS))
    suffix = f" {rounds + 1}" if rounds else ""
    cents += 100 * place
    return {
        "SKU": f"P{number:07d}-{place + 1}",
        "Barcode": f"{4_000_000_000_000 + number * 1000 + place}",
        "Option1 value": _COLOURS[colour] + suffix,
        "Option2 value": _SIZES[size],
        "Price": f"{cents / 100:.2f}",
        "Compare-at price": f"{(cents + 1000) / 100:.2f}" if number % 4 == 0 else "",
        "Cost per item": f"{cents // 2 / 100:.2f}",
        "Charge tax": "true",
        "Inventory tracker": "shopify",
        "Inventory quantity": str(chance.randrange(0, 200)),
        "Continue selling when out of stock": "deny",
        "Weight value (grams)": str(chance.randrange(80, 1200, 10)),
        "Weight unit for display": "kg",
        "Requires shipping": "true",
        "Fulfillment service": "manual",
        "Included / Schweiz": "true" if place == 0 else "",
        "Price / Schweiz": f"{(cents + 500) / 100:.2f}" if number % 2 == 0 else "",
    }
