"""A process that reads products from a bulk job's file, and says how much memory it took.

python bulk_memory.py LINES FOLDER
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from storebridge.adapter import Query
from storebridge.engine import Engine, EngineOptions, HandlerTransport
from storebridge.flow import Request, Response
from storebridge.testing.clock import VirtualClock
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify.scopes import Scopes
from storebridge_shopify.site import Facts

_VARIANTS = 4


class Server:
    """A shop of which only the answers to a bulk query are known; nothing is kept in memory."""

    def __init__(self, lines: int) -> None:
        self.lines, self.roots = lines, lines // (_VARIANTS + 1)

    def __call__(self, request: Request) -> Response:
        if request.foreign:
            path = Path(request.save_to)
            with path.open("w", encoding="utf-8") as file:
                file.writelines(rows(self.roots))
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
        if b"productsCount" in body:
            return {"productsCount": {"count": self.roots}}
        return {"products": {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": "x"}}}


def rows(count: int) -> Iterator[str]:
    """Yield the lines of a file, children far from their parents: theirs are an offset away."""
    away = random.Random(3).randrange(count // 3, count // 2)
    for n in range(count):
        yield json.dumps(_product(n)) + "\n"
        for place in range(_VARIANTS):
            yield json.dumps(_variant((n * 7 + away) % count, place)) + "\n"


def _product(n: int) -> dict[str, Any]:
    return {
        "__typename": "Product", "id": f"gid://shopify/Product/{n + 1}", "handle": f"p-{n}",
        "title": f"Product {n}", "descriptionHtml": "<p>Linen</p>", "vendor": "Acme",
        "productType": "", "tags": ["new"], "status": "ACTIVE", "isGiftCard": False,
        "templateSuffix": None, "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z", "onlineStoreUrl": None,
        "seo": {"title": None, "description": None}, "category": None,
        "options": [{"id": f"gid://shopify/ProductOption/{n}", "name": "Size", "position": 1,
                     "optionValues": [{"id": "x", "name": str(k)} for k in range(_VARIANTS)]}],
    }  # fmt: skip


def _variant(n: int, place: int) -> dict[str, Any]:
    number = n * _VARIANTS + place
    return {
        "__typename": "ProductVariant", "id": f"gid://shopify/ProductVariant/{number}",
        "__parentId": f"gid://shopify/Product/{n + 1}", "sku": f"S{number}", "barcode": None,
        "price": "9.90", "compareAtPrice": None, "position": place + 1, "taxable": True,
        "inventoryPolicy": "DENY", "selectedOptions": [{"name": "Size", "value": str(place)}],
        "inventoryItem": {"id": f"gid://shopify/InventoryItem/{number}", "tracked": True,
                          "requiresShipping": True, "countryCodeOfOrigin": None,
                          "harmonizedSystemCode": None, "unitCost": None, "measurement": None},
    }  # fmt: skip


def main() -> None:
    lines, folder = int(sys.argv[1]), Path(sys.argv[2])
    values = {"url": "https://shop.myshopify.com", "token": "shpat_x"}
    adapter = ShopifyAdapter(ShopifySettings.model_validate(values))
    products = adapter.records("product")
    products.shop.facts = _facts()  # type: ignore[attr-defined]  # a shop that has said who it is
    options = EngineOptions(spool=folder)
    transport = HandlerTransport(Server(lines))
    records = variants = 0
    with Engine(adapter, clock=VirtualClock(), transport=transport, options=options) as engine:
        cursor = ""
        query = Query(fields=frozenset({"title", "variants.price"}))
        while True:
            page = engine.run(products.page(query, cursor))
            records += len(page.records)
            variants += sum(len(each.variants) for each in page.records)
            cursor = page.cursor
            if not cursor:
                break
    print(json.dumps({"records": records, "variants": variants, "peak": peak()}))


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
