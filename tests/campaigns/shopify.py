"""What the campaigns against Shopify share: its shops, catalogues by chance, and its faults.

The oracle reads the sandbox's own tables: what is there twice, half or too much shows there.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from storebridge.flow import Request, RequestKind, Response
from storebridge.models import (
    Address,
    Collection,
    Consent,
    Customer,
    InventoryLevel,
    MarketPrice,
    Media,
    Metafield,
    Money,
    Option,
    Product,
    Record,
    Rule,
    Seo,
    Translation,
    Variant,
    Weight,
)
from storebridge.testing import Fault
from storebridge.testing.faults import Plan as Faults
from storebridge.testing.sandbox import answer
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify.sandbox import Sandbox, create, settings
from storebridge_shopify.sandbox_access import CLIENT
from tests.campaigns import platforms
from tests.campaigns.platforms import PlatformShop
from tests.campaigns.rig import FAULTS, Handler

__all__ = [
    "KINDS",
    "Nemesis",
    "ShopifyShop",
    "adapter",
    "catalogue",
    "denied",
    "docs",
    "eur",
    "faults",
    "human",
    "operation",
    "orphans",
    "product",
]

COLLECTIONS = ("new", "sale", "summer")
#: Settings of an app with its own token, which can end in the middle of a run.
APP = {"token": None, "client_id": CLIENT[0], "client_secret": CLIENT[1]}
#: Seconds until a search knows of a change.
LAG = {"search_lag": 30.0}
_MEDIA = ("ExternalVideo", "GenericFile", "MediaImage", "Model3d", "Video")
_NAMED = ("Collection", "Customer", "InventoryItem", "Product", "ProductVariant", *_MEDIA)
_OWN = frozenset({"id", "createdAt", "updatedAt", "begunAt", "begunCall", "marketingUpdatedAt"})


def adapter(**values: Any) -> ShopifyAdapter:
    """Return the adapter of a sandbox."""
    return ShopifyAdapter(ShopifySettings.model_validate({**settings(), **values}))


def eur(text: str | Decimal) -> Money:
    """Return euros."""
    return Money(text, "EUR")


class ShopifyShop(PlatformShop):
    """A Shopify shop in this process; its bucket is that of the Standard plan."""

    sandbox: Sandbox
    kinds = ("collection", "customer", "product")

    def __init__(
        self, folder: Path, sandbox: Any = None, switches: Any = None, **values: Any
    ) -> None:
        """Stand a shop up; `values` are settings of its adapter, `switches` of its sandbox."""
        super().__init__(folder, sandbox, **values)
        self.sandbox.switch(**(switches or {}))

    def new_sandbox(self) -> Sandbox:
        """Return an empty shop on the clock of the campaign."""
        return create(None, clock=self.clock.time)

    def adapter(self) -> ShopifyAdapter:
        """Return a new adapter of the shop."""
        return adapter(**self.values)

    def docs(self) -> dict[str, Any]:
        """Return everything in the shop by name, and the files that no product shows."""
        return {**docs(self.sandbox), "orphans": orphans(self.sandbox)}

    def live(self) -> dict[tuple[str, str], Record]:
        """Return what is in the shop by kind and id; searches don't lag behind meanwhile."""
        lag = self.sandbox.option("search_lag")
        self.sandbox.switch(search_lag=0.0)
        try:
            return super().live()
        finally:
            self.sandbox.switch(search_lag=lag)

    def reach(self, request: Request) -> Response:
        """Answer without taking from the bucket, past the troubles, as the shop's own screen."""
        held, self.sandbox.buckets = self.sandbox.buckets, {}
        rate, self.sandbox.rate = self.sandbox.rate, 1e9
        try:
            return self.sandbox(request)
        finally:
            self.sandbox.buckets, self.sandbox.rate = held, rate


def human(shop: ShopifyShop, text: str, **variables: Any) -> Any:
    """Return what a person gets who works in the shop's admin."""
    body = json.dumps({"query": text, "variables": variables}).encode()
    headers = {
        "content-type": "application/json",
        "x-shopify-access-token": settings()["token"],
    }
    path = "/admin/api/2026-10/graphql.json"
    said = shop.reach(Request(method="POST", path=path, headers=headers, body=body))
    found = json.loads(said.body)
    assert "errors" not in found, found
    for payload in found["data"].values():
        assert not (payload or {}).get("userErrors"), payload
    return found["data"]


# -- the oracle


def docs(sandbox: Sandbox) -> dict[str, Any]:
    """Return everything in a shop by kind and name, without numbers and times of its own.

    Files that no product shows are left out: `orphans` counts them.
    """
    rows = {
        f"gid://shopify/{kind}/{number}": (kind, json.loads(text))
        for number, kind, text in sandbox.rows("SELECT id, type, doc FROM objects ORDER BY id")
        if kind in _NAMED
    }
    names = {id: f"{kind} {_name(kind, doc, rows)}" for id, (kind, doc) in rows.items()}
    shown = {id for _, doc in rows.values() for id in doc.get("media", ())}
    found: dict[str, Any] = {}
    for id, (kind, doc) in rows.items():
        if kind in _MEDIA and id not in shown:
            continue
        name = names[id]
        assert kind in _MEDIA or name not in found, f"two records are {name}"
        found[name] = {**_plain(doc, names), **_joined(sandbox, id, names)}
    return found


def orphans(sandbox: Sandbox) -> list[str]:
    """Return the sources of files that no product shows."""
    shown = {id for doc in sandbox.all("Product") for id in doc["media"]}
    files = (doc for kind in _MEDIA for doc in sandbox.all(kind))
    return sorted(doc["source"] for doc in files if doc["id"] not in shown)


def _name(kind: str, doc: Any, rows: Mapping[str, Any]) -> str:
    if kind in _MEDIA:
        return str(doc["source"])
    if kind == "Customer":
        return str(doc["email"] or doc["phone"] or f"{doc['firstName']} {doc['lastName']}")
    if kind == "InventoryItem":
        above = rows.get(doc["variant"])
        return _name("ProductVariant", above[1], rows) if above else f"nowhere {doc}"
    if kind == "ProductVariant":
        product = rows[doc["product"]][1]
        return f"{product['handle']}/{'/'.join(value['name'] for value in doc['values'])}"
    return str(doc["handle"])


def _plain(value: Any, names: Mapping[str, str]) -> Any:
    """Return a document with names in the place of ids."""
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if key not in _OWN}
        return {names.get(key, key): _plain(each, names) for key, each in kept.items()}
    if isinstance(value, list):
        return [_plain(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value


#: What a record has in tables of its own.
_JOINED = {
    "metafields": "SELECT namespace, key, type, value FROM metafields WHERE owner = ?",
    "published": "SELECT publication FROM published WHERE resource = ?",
    "translations": "SELECT locale, market, key, value FROM translations WHERE resource = ?",
    "prices": "SELECT list, price, compare FROM prices WHERE variant = ?",
    "members": "SELECT product FROM members WHERE collection = ?",
}


def _joined(sandbox: Sandbox, id: str, names: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for table, sql in _JOINED.items():
        rows = [[names.get(each, each) for each in row] for row in sandbox.rows(sql, id)]
        found[table] = sorted(rows)  # members join in the order in which products are written
    return found


# -- what goes wrong with answers

#: Nothing was done: an error of the whole request, a throttle, a token that ended.
BEFORE = ("internal", "throttled", "busy", "expired")
#: It was done, or will be in a moment.
AFTER = ("late internal", "cut", "page", "status", "denied", "later")
KINDS = (*BEFORE, *AFTER)
_PAGE = b"<!DOCTYPE html><html><title>Something went wrong</title></html>"
_HTML = {"content-type": "text/html; charset=utf-8"}
_STATUS = (500, 502, 503, 504, 520, 524)


class Nemesis(platforms.Nemesis):
    """Spoils a Shopify shop's answers, and sees that stock is set with keys."""

    gone = Response(status=504, headers=_HTML, body=_PAGE)

    def __init__(
        self,
        shop: ShopifyShop,
        seed: int,
        rate: float,
        kinds: Sequence[str] = KINDS,
        answer: Handler | None = None,
        keys: dict[str, str] | None = None,
    ) -> None:
        """Spoil a share of the answers; `keys` has what came with each idempotency key so far."""
        super().__init__(shop, seed, rate, kinds, answer)
        self.keys = {} if keys is None else keys

    def place(self, request: Request) -> str:
        """Return the operation; what it sends is looked at."""
        place = operation(request)
        self._watch(place, request)
        return place

    def share(self, request: Request) -> float:
        """Return how many of such requests are hit."""
        return _share(self.rate, request)

    def later(self, request: Request, dice: random.Random) -> Iterable[tuple[float, Request]]:
        """Yield the request, and in how many seconds it is done."""
        yield dice.choice((0.2, 1, 3, 8, 30, 120)), request

    def said(self, request: Request, kind: str, dice: random.Random) -> Response:
        """Return an answer spoiled in one way, or what comes in the place of work."""
        if kind in BEFORE:
            return self._stopped(kind)
        return _spoiled(kind, dice, request, self.answer(request))

    def _stopped(self, kind: str) -> Response:
        if kind == "busy":
            return answer(429, {"errors": "Too Many Requests"}, retry_after="2.0")
        if kind == "expired":
            if not self.shop.values.get("client_id"):
                return self._stopped("busy")
            sandbox = self.shop.sandbox
            with sandbox.lock, sandbox.db:
                sandbox.run("DELETE FROM tokens WHERE kind = 'access'")
            return answer(401, {"errors": "[API] Invalid API key or access token"})
        if kind == "internal":
            return _error("INTERNAL_SERVER_ERROR", data=None)
        return _error("THROTTLED", extensions={"cost": _EMPTY})

    def _watch(self, place: str, request: Request) -> None:
        """See that stock is set with a key, and that no key comes with two payloads."""
        if not place.startswith("Inventory"):
            return
        assert isinstance(request.body, bytes)
        variables = json.loads(request.body)["variables"]
        key = variables.pop("key", "")
        assert key, f"{place} came without a key"
        text = json.dumps(variables, sort_keys=True)
        assert self.keys.setdefault(key, text) == text, f"{place}: one key with two payloads"
        for row in variables.get("input", {}).get("quantities", ()):
            assert "changeFromQuantity" in row, row


def faults(seed: int, rate: float) -> Faults:
    """Return the plan in which a share of the requests fails, by operation as `seeded` by path."""
    seen = Counter[str]()

    def plan(_number: int, request: Request) -> Fault | None:
        place = operation(request)
        seen[place] += 1
        dice = random.Random(f"{seed} {place} {seen[place]}")
        return dice.choice(FAULTS) if dice.random() < _share(rate, request) else None

    return plan


def _share(rate: float, request: Request) -> float:
    """Return how many of such requests fail: what writes is hit most, tokens are another's."""
    if request.kind is RequestKind.TOKEN:
        return 0.0
    return rate if request.kind.mutates else rate / 5


_EMPTY = {
    "requestedQueryCost": 200,
    "actualQueryCost": None,
    "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": 50, "restoreRate": 100.0},
}


def operation(request: Request) -> str:
    """Return the name of the operation that a request asks for; another one's path."""
    if not request.path.endswith("graphql.json") or not isinstance(request.body, bytes):
        return "token" if request.kind is RequestKind.TOKEN else request.path.partition("?")[0]
    lines = str(json.loads(request.body)["query"]).splitlines()
    line = next(each for each in lines if each.startswith(("query ", "mutation ")))
    return line.split()[1].partition("(")[0]


def _error(code: str, **more: Any) -> Response:
    error = {"message": "Something went wrong", "extensions": {"code": code}}
    return answer(200, {"errors": [error], **more})


def _spoiled(kind: str, dice: random.Random, request: Request, said: Response) -> Response:
    match kind:
        case "cut":
            return replace(said, body=said.body[: len(said.body) * dice.randint(0, 9) // 10])
        case "page":
            return Response(status=200, headers=_HTML, body=_PAGE)
        case "status":
            return Response(status=dice.choice(_STATUS), headers=_HTML, body=_PAGE)
        case "late internal":
            return _error("INTERNAL_SERVER_ERROR", data=None)
        case "denied":
            return denied(dice, said)
    return said


def denied(dice: random.Random, said: Response) -> Response:
    """Return an answer with one field taken out: the token may not see it."""
    found = json.loads(said.body)
    objects = list(_objects(found.get("data"), ()))
    if not objects or "errors" in found:
        return said
    path, inner = dice.choice(objects)
    name = dice.choice(sorted(inner))
    inner[name] = None
    error = {
        "message": f"Access denied for {name} field.",
        "path": [*path, name],
        "extensions": {"code": "ACCESS_DENIED", "requiredAccess": "`read_it` access scope."},
    }
    return replace(said, body=json.dumps({**found, "errors": [error]}).encode())


def _objects(value: Any, path: tuple[Any, ...]) -> Iterable[tuple[tuple[Any, ...], Any]]:
    """Yield the objects within an answer's roots, with their paths."""
    if isinstance(value, dict):
        if path and value:
            yield path, value
        for key, each in value.items():
            yield from _objects(each, (*path, key))
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _objects(each, (*path, at))


# -- records by chance


def catalogue(seed: int, products: int) -> list[Record]:
    """Return collections, customers and products of every shape; a seed gives the same ones."""
    chance = random.Random(f"shopify {seed}")
    found: list[Record] = [Collection(handle=name, title=name.title()) for name in COLLECTIONS]
    found.append(
        Collection(
            handle="cheap",
            title=_word(chance),
            rules=(Rule(field="price", relation="less_than", value=str(chance.randint(5, 9))),),
            channels=("Online Store",),
        )
    )
    found += [_customer(chance, number) for number in range(products // 4)]
    return found + [product(chance, number) for number in range(products)]


def product(chance: random.Random, number: int) -> Product:
    """Return a product by its number: with options or none, by handle and SKU, or by one only."""
    sizes = ("S", "M", "L")[: 1 + number % 3] if number % 2 else ()
    with_sku = number % 4 < 2
    name = f"{_word(chance)} {number}"
    given: dict[str, Any] = {
        "title": name,
        "description_html": f"<p>{_word(chance)}</p>",
        "vendor": chance.choice(("Acme", "Other & Sons")),
        "product_type": chance.choice(("Shirt", "Mug")),
        "status": chance.choice(("active", "draft")),
        "tags": tuple(sorted(chance.sample(("blue", "red", "wool"), chance.randint(0, 3)))),
        "seo": Seo(title=_word(chance), description=_word(chance)),
        "collections": tuple(sorted(chance.sample(COLLECTIONS, chance.randint(1, 3)))),
        "metafields": (
            Metafield(namespace="kit", key="word", type="single_line_text_field",
                      value=_word(chance)),
        ),
        "translations": (Translation(locale="de", field="title", value=f"De {name}"),),
        "channels": (chance.choice(("Online Store", "Point of Sale")),),
        "options": (Option(name="Size", values=sizes),) if sizes else (),
        "variants": tuple(
            _variant(chance, number, size, with_sku=with_sku) for size in sizes or ("",)
        ),
    }  # fmt: skip
    if number % 5 == 0:
        pictures = (f"https://cdn.example.com/p-{number}-{n}.jpg" for n in range(1 + number % 2))
        given["media"] = tuple(Media(url=url, alt=_word(chance)) for url in pictures)
    return Product(handle=f"p-{number}", **given)


def _customer(chance: random.Random, number: int) -> Customer:
    return Customer(
        email=f"c-{number}@example.com",
        first_name=_word(chance),
        last_name="Kunde",
        note=_word(chance),
        tags=(chance.choice(("vip", "b2b")),),
        default_address=Address(address1=_word(chance), city="Berlin", country="DE"),
        consents=(Consent(channel="email", state=chance.choice(("subscribed", "unsubscribed"))),),
    )


def _variant(chance: random.Random, number: int, size: str, *, with_sku: bool) -> Variant:
    price = Decimal(chance.randint(100, 9999)) / 100
    own: dict[str, Any] = {"sku": f"S-{number}{size and '-' + size}"} if with_sku else {}
    return Variant(
        **own,
        price=eur(price),
        compare_at_price=eur(price + 1) if chance.random() < 0.3 else None,
        options=(size,) if size else (),
        weight=Weight(value=Decimal(chance.randint(1, 9)), unit="kg"),
        inventory=tuple(
            InventoryLevel(location=place, available=chance.randint(0, 99))
            for place in chance.sample(("Shop", "Warehouse"), chance.randint(1, 2))
        ),
        market_prices=(
            MarketPrice(market="switzerland", price=Money(chance.randint(1, 999), "CHF")),
        ),
    )


def _word(chance: random.Random) -> str:
    return chance.choice(("Linen", "Ökowerk", "外套", "Tröja", "A & B", "x < y", r"C:\mug"))
