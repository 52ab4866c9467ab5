"""Serves a shop for `shopify.py` until its standard input ends; prints how to reach it.

`null` answers at once and says yes to everything: what is measured is the client. `catalogue:N`
answers at once too, and has N products. `slow:S` is the adapter's sandbox, which takes S
seconds for each call. No bucket ever empties.
"""

from __future__ import annotations

import json
import re
import sys
import time
from itertools import count
from typing import Any

from storebridge.flow import Request, Response
from storebridge.testing import Handler, SandboxServer, answer
from storebridge_shopify import sandbox

_NAME = re.compile(r"\b(?:query|mutation) (\w+)")
_RATE = 1e9
_COST = {
    "cost": {
        "requestedQueryCost": 11,
        "actualQueryCost": 11,
        "throttleStatus": {
            "maximumAvailable": 20 * _RATE,
            "currentlyAvailable": 20 * _RATE,
            "restoreRate": _RATE,
        },
    }
}
_TIME = "2026-01-01T00:00:00Z"
_END = {"hasNextPage": False, "endCursor": None}
Doc = dict[str, Any]


class Null:
    """A shop that says yes to everything."""

    def __init__(self) -> None:
        self._shop = sandbox.create(None, rate=_RATE)
        self._sent: dict[str, Doc] = {}
        self._numbers = count(1)
        self._answers = {
            "ProductSet": self._product_set,
            "ProductsByHandle": self._products_by_handle,
            "VariantsBySku": self._variants_by_sku,
            "PriceListPrices": self._price_list_prices,
            "Translations": self._translations,
            "ProductsById": self._products_by_id,
            "Products": self._products,
        }

    def __call__(self, request: Request) -> Response:
        assert isinstance(request.body, bytes)
        given = json.loads(request.body)
        found = _NAME.search(given["query"])
        make = self._answers.get(found[1]) if found else None
        if make is None:
            return self._shop(request)
        version = request.path.split("/")[3]
        value = {"data": make(given.get("variables") or {}), "extensions": _COST}
        return answer(200, value, x_shopify_api_version=version)

    def _product_set(self, variables: Doc) -> Doc:
        id_ = f"gid://shopify/Product/{next(self._numbers)}"
        self._sent[id_] = variables["input"]
        made = {"id": id_, "handle": variables["input"]["handle"], "updatedAt": _TIME}
        return {"productSet": {"product": made, "userErrors": []}}

    def _products_by_handle(self, variables: Doc) -> Doc:
        return {f"p{n}": None for n in range(25) if variables.get(f"w{n}")}

    def _variants_by_sku(self, _: Doc) -> Doc:
        return {"productVariants": {"nodes": [], "pageInfo": _END}}

    def _price_list_prices(self, _: Doc) -> Doc:
        return {"priceList": {"prices": {"nodes": [], "pageInfo": _END}}}

    def _translations(self, variables: Doc) -> Doc:
        rows = [{"resourceId": id_, "translatableContent": [], "translations": []}
                for id_ in variables["ids"]]  # fmt: skip
        return {"translatableResourcesByIds": {"nodes": rows, "pageInfo": _END}}

    def _products(self, _: Doc) -> Doc:
        return {"products": {"nodes": [], "pageInfo": _END}}

    def _products_by_id(self, variables: Doc) -> Doc:
        return {"nodes": [product(id_, self._sent[id_]) for id_ in variables["ids"]]}


def product(id_: str, given: Doc) -> Doc:
    """Return a product as it is shown after it was set."""
    number = id_.rpartition("/")[2]
    options = [
        {"id": f"gid://shopify/ProductOption/{number}{place}", "name": each["name"],
         "position": place,
         "optionValues": [{"id": f"{id_}{n}", **value} for n, value in enumerate(each["values"])]}
        for place, each in enumerate(given["productOptions"], 1)
    ]  # fmt: skip
    empty = {"nodes": [], "pageInfo": _END}
    variants = [_variant(f"{number}{n}", n, each) for n, each in enumerate(given["variants"], 1)]
    return {
        "id": id_,
        "descriptionHtml": "",
        "vendor": "",
        "productType": "",
        "tags": [],
        "isGiftCard": False,
        "templateSuffix": None,
        "createdAt": _TIME,
        "updatedAt": _TIME,
        "onlineStoreUrl": None,
        "seo": {"title": None, "description": None},
        "category": None,
        **given,
        "options": options,
        "variants": {"nodes": variants, "pageInfo": _END},
        "media": empty,
        "metafields": empty,
        "collections": empty,
        "resourcePublications": empty,
    }


def _variant(number: str, place: int, given: Doc) -> Doc:
    chosen = [{"name": e["optionName"], "value": e["name"]} for e in given["optionValues"]]
    empty = {"nodes": [], "pageInfo": _END}
    return {
        "id": f"gid://shopify/ProductVariant/{number}",
        "sku": given["sku"],
        "barcode": None,
        "price": given["price"],
        "compareAtPrice": None,
        "position": place,
        "taxable": True,
        "inventoryPolicy": "DENY",
        "selectedOptions": chosen,
        "inventoryItem": {
            "id": f"gid://shopify/InventoryItem/{number}",
            "tracked": False,
            "requiresShipping": True,
            "countryCodeOfOrigin": None,
            "harmonizedSystemCode": None,
            "unitCost": None,
            "measurement": {"weight": {"value": 0.0, "unit": "KILOGRAMS"}},
            "inventoryLevels": empty,
        },
        "media": {"nodes": []},
        "metafields": empty,
    }


class Catalogue(Null):
    """A shop of so many products, made up as they are asked for."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def _products_by_handle(self, variables: Doc) -> Doc:
        handles = (variables[f"h{n}"] for n in range(25) if variables.get(f"w{n}"))
        return {
            f"p{n}": {"id": _id(int(handle.partition("-")[2])), "handle": handle}
            for n, handle in enumerate(handles)
        }

    def _variants_by_sku(self, variables: Doc) -> Doc:
        skus = re.findall(r"'(S(\d+)-\d+)'", variables["query"])
        nodes = [{"sku": sku, "product": {"id": _id(int(number))}} for sku, number in skus]
        return {"productVariants": {"nodes": nodes, "pageInfo": _END}}

    def _products_by_id(self, variables: Doc) -> Doc:
        numbers = [int(id_.rpartition("/")[2]) for id_ in variables["ids"]]
        return {"nodes": [product(_id(n - 1), _made_up(n - 1)) for n in numbers]}

    def _products(self, variables: Doc) -> Doc:
        start = int(variables["after"] or 0)
        end = min(self._size, start + variables["first"])
        nodes = [product(_id(n), _made_up(n)) for n in range(start, end)]
        info = {"hasNextPage": end < self._size, "endCursor": str(end)}
        return {"products": {"nodes": nodes, "pageInfo": info}}


def _id(number: int) -> str:
    return f"gid://shopify/Product/{number + 1}"


def _made_up(number: int) -> Doc:
    """Return what `shopify.py` sends of a product."""
    sizes = [str(size) for size in range(36, 41)]
    variants = [
        {"sku": f"S{number}-{size}", "price": f"{10 + number % 90}.50",
         "optionValues": [{"optionName": "Size", "name": size}]}
        for size in sizes
    ]  # fmt: skip
    return {
        "handle": f"shirt-{number}",
        "title": f"Shirt {number}",
        "status": "ACTIVE",
        "vendor": "Loom",
        "tags": ["linen"],
        "productOptions": [{"name": "Size", "values": [{"name": size} for size in sizes]}],
        "variants": variants,
    }


def slow(seconds: float) -> Handler:
    """Return the sandbox behind a network: each call takes so long, many at once do too."""
    shop = sandbox.create(None, rate=_RATE)

    def handle(request: Request) -> Response:
        time.sleep(seconds)
        return shop(request)

    return handle


def main() -> None:
    kind, _, number = sys.argv[1].partition(":")
    handler: Handler
    if kind == "null":
        handler = Null()
    elif kind == "catalogue":
        handler = Catalogue(int(number))
    else:
        handler = slow(float(number))
    with SandboxServer(handler) as server:
        print(json.dumps({**sandbox.settings(), "url": server.url}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
