"""A process that reads products and orders from files of bulk jobs, and says what memory it took.

python bulk_memory.py LINES FOLDER
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from storebridge.adapter import Query
from storebridge.engine import Engine, EngineOptions, HandlerTransport
from storebridge.flow import Request, Response
from storebridge.testing.clock import VirtualClock
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify.scopes import Scopes
from storebridge_shopify.site import Facts

_CHILDREN = 4


class Server:
    """A shop of which only the answers to a bulk query are known; nothing is kept in memory."""

    def __init__(self, kind: str, lines: int) -> None:
        self.kind, self.lines, self.roots = kind, lines, lines // (_CHILDREN + 1)

    def __call__(self, request: Request) -> Response:
        if request.foreign:
            path = Path(request.save_to)
            with path.open("w", encoding="utf-8") as file:
                file.writelines(rows(self.roots, *ROWS[self.kind]))
            return Response(status=200, path=path)
        assert isinstance(request.body, bytes)
        return Response(status=200, body=json.dumps({"data": self._data(request.body)}).encode())

    def _data(self, body: bytes) -> dict[str, Any]:
        job = {"id": "gid://shopify/BulkOperation/1", "status": "COMPLETED", "errorCode": None,
               "objectCount": str(self.lines), "rootObjectCount": str(self.roots),
               "url": "https://storage.example/result", "partialDataUrl": None}  # fmt: skip
        if b"query BulkJob" in body:
            return {"bulkOperation": job}
        if b"bulkOperationRunQuery" in body:
            payload = {"bulkOperation": {"id": job["id"]}, "userErrors": []}
            return {"bulkOperationRunQuery": payload}
        if b"sCount(" in body:
            return {f"{self.kind}sCount": {"count": self.roots}}
        return {f"{self.kind}s": {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": "x"}}}


Row = dict[str, Any]


def rows(count: int, root: Callable[[int], Row], child: Callable[[int, int], Row]) -> Iterator[str]:
    """Yield the lines of a file, children far from their parents: theirs are an offset away."""
    away = random.Random(3).randrange(count // 3, count // 2)
    for n in range(count):
        yield json.dumps(root(n)) + "\n"
        for place in range(_CHILDREN):
            yield json.dumps(child((n * 7 + away) % count, place)) + "\n"


def _product(n: int) -> Row:
    return {
        "__typename": "Product", "id": f"gid://shopify/Product/{n + 1}", "handle": f"p-{n}",
        "title": f"Product {n}", "descriptionHtml": "<p>Linen</p>", "vendor": "Acme",
        "productType": "", "tags": ["new"], "status": "ACTIVE", "isGiftCard": False,
        "templateSuffix": None, "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z", "onlineStoreUrl": None,
        "seo": {"title": None, "description": None}, "category": None,
        "options": [{"id": f"gid://shopify/ProductOption/{n}", "name": "Size", "position": 1,
                     "optionValues": [{"id": "x", "name": str(k)} for k in range(_CHILDREN)]}],
    }  # fmt: skip


def _variant(n: int, place: int) -> Row:
    number = n * _CHILDREN + place
    return {
        "__typename": "ProductVariant", "id": f"gid://shopify/ProductVariant/{number}",
        "__parentId": f"gid://shopify/Product/{n + 1}", "sku": f"S{number}", "barcode": None,
        "price": "9.90", "compareAtPrice": None, "position": place + 1, "taxable": True,
        "inventoryPolicy": "DENY", "selectedOptions": [{"name": "Size", "value": str(place)}],
        "inventoryItem": {"id": f"gid://shopify/InventoryItem/{number}", "tracked": True,
                          "requiresShipping": True, "countryCodeOfOrigin": None,
                          "harmonizedSystemCode": None, "unitCost": None, "measurement": None},
    }  # fmt: skip


def _order(n: int) -> Row:
    sets = ("subtotal", "totalShipping", "total")
    bags = {**{f"{each}PriceSet": _MONEY for each in sets}, "totalDiscountsSet": _MONEY}
    return {
        "__typename": "Order", "id": f"gid://shopify/Order/{n + 1}", "name": f"#{n + 1001}",
        "cancelledAt": None, "cancelReason": None, "closed": False, "email": None, "phone": None,
        "displayFinancialStatus": "PAID", "displayFulfillmentStatus": "UNFULFILLED",
        "customerLocale": "de", "currencyCode": "EUR", "presentmentCurrencyCode": "EUR",
        "billingAddress": None, "shippingAddress": None, "taxLines": [], "taxesIncluded": True,
        "discountCodes": [], "tags": ["new"], "note": None, "sourceName": "web", "key": None,
        "processedAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
        "totalTaxSet": _MONEY, "totalRefundedSet": None, **bags,
    }  # fmt: skip


def _line(n: int, place: int) -> Row:
    return {
        "__typename": "LineItem", "id": f"gid://shopify/LineItem/{n * _CHILDREN + place}",
        "__parentId": f"gid://shopify/Order/{n + 1}", "sku": f"S{place}", "title": "Tee",
        "variantTitle": None, "quantity": 1, "requiresShipping": True, "customAttributes": [],
        "originalUnitPriceSet": _MONEY, "discountedTotalSet": _MONEY, "taxLines": [],
        "discountAllocations": [],
    }  # fmt: skip


_EURO = {"amount": "9.90", "currencyCode": "EUR"}
_MONEY = {"shopMoney": _EURO, "presentmentMoney": _EURO}
ROWS: dict[str, tuple[Callable[[int], Row], Callable[[int, int], Row]]] = {
    "product": (_product, _variant),
    "order": (_order, _line),
}
#: What is read of each kind, and what the children are in a record.
FIELDS = {"product": ("title", "variants.price"), "order": ("number", "line_items")}
CHILDREN = {"product": "variants", "order": "line_items"}


def main() -> None:
    """Read as many lines of each kind, and print what came and the most memory."""
    lines, folder = int(sys.argv[1]), Path(sys.argv[2])
    said = {kind: read(kind, lines, folder) for kind in ROWS}
    print(json.dumps({**said, "peak": peak()}))


def read(kind: str, lines: int, folder: Path) -> list[int]:
    """Return how many records came, and how many children of theirs."""
    values = {"url": "https://shop.myshopify.com", "token": "shpat_x"}
    adapter = ShopifyAdapter(ShopifySettings.model_validate(values))
    records = adapter.records(kind)
    records.shop.facts = _facts()  # type: ignore[attr-defined]  # a shop that has said who it is
    options = EngineOptions(spool=folder)
    transport = HandlerTransport(Server(kind, lines))
    found = children = 0
    with Engine(adapter, clock=VirtualClock(), transport=transport, options=options) as engine:
        cursor, query = "", Query(fields=frozenset(FIELDS[kind]))
        while True:
            page = engine.run(records.page(query, cursor))
            found += len(page.records)
            children += sum(len(getattr(each, CHILDREN[kind])) for each in page.records)
            cursor = page.cursor
            if not cursor:
                return [found, children]


def _facts() -> Facts:
    from storebridge.models import StoreInfo

    info = StoreInfo(id="1", name="Shop", url="https://shop.example", currency="EUR",
                     locales=("en",), time_zone="UTC", weight_unit="kg")  # fmt: skip
    scopes = Scopes.of(["read_products"])
    return Facts(info=info, locations={}, channels={}, price_lists={}, scopes=scopes)


def peak() -> int:
    """Return the most bytes that this process had in memory at once."""
    import resource

    status = Path("/proc/self/status")
    if status.exists():  # elsewhere a child's figure may be its parent's, before it began
        found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text("ascii", "replace"))
        if found:
            return int(found[1]) * 1024

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


if __name__ == "__main__":
    main()
