"""What the campaigns against WooCommerce share: its shops, catalogues by chance, and its faults.

The oracle reads the sandbox's own tables: what is there twice, half or too much shows there.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from storebridge.flow import Request, Response
from storebridge.models import (
    Attribute,
    Collection,
    InventoryLevel,
    Media,
    Metafield,
    Money,
    Option,
    Product,
    Record,
    Sale,
    Variant,
    Weight,
)
from storebridge_woocommerce import WooCommerceAdapter, WooCommerceSettings
from storebridge_woocommerce.sandbox import Sandbox, create, settings
from tests.campaigns import platforms
from tests.campaigns.platforms import PlatformShop
from tests.campaigns.rig import Handler

__all__ = ["AFTER", "Nemesis", "WooShop", "adapter", "catalogue", "docs", "product", "usd"]

MARK = "_storebridge_key"
CATEGORIES = ("new", "sale", "summer")
#: Names of other records in a document, by the table that they are in.
_TERMS = ("category_ids", "brand_ids", "tag_ids")
_POSTS = ("upsell_ids", "cross_sell_ids", "grouped_products")
_OWN = ("id", "parent_id", "created", "created_gmt", "modified", "modified_gmt")


def adapter(**values: Any) -> WooCommerceAdapter:
    """Return the adapter of a sandbox."""
    return WooCommerceAdapter(WooCommerceSettings.model_validate({**settings(), **values}))


def usd(text: str) -> Money:
    """Return dollars."""
    return Money(text, "USD")


class WooShop(PlatformShop):
    """A WooCommerce shop in this process."""

    sandbox: Sandbox
    kinds = ("collection", "product")

    def new_sandbox(self) -> Sandbox:
        """Return an empty shop on the clock of the campaign."""
        return create(None)

    def adapter(self) -> WooCommerceAdapter:
        """Return a new adapter of the shop."""
        return adapter(**self.values)

    def docs(self) -> dict[str, Any]:
        """Return everything in the shop by name."""
        return docs(self.sandbox)


def docs(sandbox: Sandbox) -> dict[str, Any]:
    """Return everything in a shop by kind and name, without numbers and times of its own."""
    posts = {row[0]: row for row in sandbox.db.execute("SELECT * FROM posts")}
    terms = dict(sandbox.db.execute("SELECT id, taxonomy || ' ' || slug FROM terms"))
    found: dict[str, Any] = {f"term {name}": "" for name in terms.values()}
    marks = Counter[str]()
    for number, kind, parent, status, slug, title, sku, gtin, *_, text in posts.values():
        doc = json.loads(text)
        marks.update(each["value"] for each in doc.get("meta_data", ()) if each["key"] == MARK)
        meta = ((e["key"], e["value"]) for e in doc.pop("meta_data", ()) if e["key"] != MARK)
        doc |= {"title": title, "status": status, "sku": sku, "gtin": gtin, "meta": sorted(meta)}
        for name in _TERMS:
            doc[name] = sorted(terms[each] for each in doc.get(name, ()))
        for name in _POSTS:
            doc[name] = [posts[each][4] for each in doc.get(name, ())]
        doc["image_ids"] = [posts[each][4] for each in doc.get("image_ids", ())]
        above = posts[parent][4] if parent in posts else ""
        name = f"{kind} {above}/{json.dumps(doc.get('options'))}" if kind == "variation" else ""
        name = name or f"{kind} {slug}"
        if kind == "attachment":
            doc.pop("sku")
        assert name not in found, f"two records are {name}"
        assert number
        found[name] = doc
    doubled = [mark for mark, count in marks.items() if count > 1]
    assert not doubled, f"made twice: {doubled}"
    return found


# -- what goes wrong with answers that only such a shop gives

AFTER = ("notice", "bom", "page", "short", "later", "status", "cut notice")
_NOTICE = b"<br />\n<b>Warning</b>:  Undefined array key in <b>/bad.php</b> on line <b>12</b><br />"
_PAGE = b"<!DOCTYPE html><html><title>One moment, please...</title></html>"
_HTML = {"content-type": "text/html; charset=UTF-8"}
_STATUS = (500, 502, 503, 504, 520, 524)


class Nemesis(platforms.Nemesis):
    """Spoils a WooCommerce shop's answers, and sees that no parent is written to twice at once."""

    gone = Response(status=504, headers=_HTML, body=_PAGE)

    def __init__(
        self,
        shop: WooShop,
        seed: int,
        rate: float,
        kinds: Sequence[str] = AFTER,
        answer: Handler | None = None,
    ) -> None:
        """Spoil a share of the answers, in these ways, by chance that can be repeated."""
        super().__init__(shop, seed, rate, kinds, answer)
        self._busy = Counter[str]()
        self.overlaps: list[str] = []
        """Parents whose variations two requests wrote at once."""

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        assert not self.overlaps

    def place(self, request: Request) -> str:
        """Return the verb and the path."""
        return f"{request.method} {request.path}"

    def later(self, request: Request, dice: random.Random) -> Iterable[tuple[float, Request]]:
        """Take a request to pieces that are done one after the other, from soon or later on."""
        pace = dice.choice((0.05, 0.5, 2.0))
        if not request.path.endswith("/batch"):
            yield dice.choice((0, 2)) + pace, request
            return
        after = dice.choice((0, 2, 30, 200))
        assert isinstance(request.body, bytes)
        for verb, items in json.loads(request.body).items():
            for item in items:
                body = json.dumps({verb: [item]}).encode()
                yield (after := after + pace), replace(request, body=body)

    def said(self, request: Request, kind: str, dice: random.Random) -> Response:
        """Return an answer spoiled in one way; what is written meanwhile counts as busy."""
        place = self.place(request)
        parent = place if place.endswith("/variations/batch") else ""
        with self._lock:
            self.overlaps += [place] if self._busy[parent] and parent else []
            self._busy[parent] += 1
        try:
            return _spoiled(kind, dice, self.answer(request))
        finally:
            with self._lock:
                self._busy[parent] -= 1


def _spoiled(kind: str, dice: random.Random, said: Response) -> Response:
    body = said.body
    match kind:
        case "notice":
            return replace(said, body=_NOTICE + body)
        case "bom":
            return replace(said, body=b"\xef\xbb\xbf" + body)
        case "cut notice":
            return replace(said, body=_NOTICE + body[: len(body) // 2])
        case "page":
            return Response(status=200, headers=_HTML, body=_PAGE)
        case "status":
            return Response(status=dice.choice(_STATUS), headers=_HTML, body=_PAGE)
        case "short" if body.startswith(b'{"'):
            doc = json.loads(body)
            lists = {k: v[:-1] if isinstance(v, list) else v for k, v in doc.items()}
            verbs = doc.keys() <= {"create", "update", "delete"}
            return replace(said, body=json.dumps(lists).encode()) if verbs else said
    return said


# -- records by chance


def catalogue(seed: int, products: int) -> list[Record]:
    """Return categories and products of every shape; a seed gives the same ones."""
    chance = random.Random(f"woocommerce {seed}")
    found: list[Record] = [Collection(handle=name, title=name.title()) for name in CATEGORIES]
    return found + [product(chance, number) for number in range(products)]


def product(chance: random.Random, number: int) -> Product:
    """Return a product: simple or variable, with or without SKUs, by its number."""
    sizes = ("S", "M", "L")[: 1 + number % 3] if number % 2 else ()
    with_sku = number % 4 < 2
    given: dict[str, Any] = {
        "handle": f"p-{number}",
        "title": f"{_word(chance)} {number}",
        "description_html": f"<p>{_word(chance)}</p>",
        "status": chance.choice(("active", "draft")),
        "tags": tuple(sorted(chance.sample(("red", "blue", "wool"), chance.randint(0, 3)))),
        "brand": chance.choice(("", "Acme", "Other & Sons")),
        "collections": tuple(sorted(chance.sample(CATEGORIES, chance.randint(1, 3)))),
        "attributes": (Attribute(name="Fit", values=(chance.choice(("Slim", "Loose")),)),),
        "metafields": (Metafield(namespace="kit", key="word", value=_word(chance)),),
        "options": (_option(number, sizes),) if sizes else (),
        "variants": tuple(
            _variant(chance, number, size, with_sku=with_sku) for size in sizes or ("",)
        ),
    }
    if number % 5 == 0:
        pictures = (f"https://cdn.example.com/p-{number}-{n}.jpg" for n in range(1 + number % 2))
        given["media"] = tuple(Media(url=url, alt=_word(chance)) for url in pictures)
    if number % 7 == 6:
        given["upsells"] = (f"handle:p-{number - 1}",)
    return Product(**given)


def _option(number: int, sizes: Sequence[str]) -> Option:
    """Return what variations choose between: the shop's own attribute, or the product's."""
    own = {"woocommerce": {"global": True}} if number % 8 == 3 else {}
    return Option(name="Shop size" if own else "Size", values=tuple(sizes), platform_fields=own)


def _variant(chance: random.Random, number: int, size: str, *, with_sku: bool) -> Variant:
    price = Money(Decimal(chance.randint(1000, 9999)) / 100, "USD")
    own: dict[str, Any] = {"sku": f"S-{number}{size and '-' + size}"} if with_sku else {}
    own |= {"sale": None, "compare_at_price": None}
    if chance.random() < 0.3:
        own["sale"] = Sale(price=usd("5.00"), ends_at=datetime(2030, 1, 31, 23, 59, 59, tzinfo=UTC))
    elif chance.random() < 0.3:
        own["compare_at_price"] = usd("150.00")
    return Variant(
        **own,
        price=price,
        options=(size,) if size else (),
        weight=Weight(value=Decimal(chance.randint(1, 9)), unit="kg"),
        inventory=(InventoryLevel(available=chance.randint(0, 99)),),
    )


def _word(chance: random.Random) -> str:
    return chance.choice(("Linen", "Ökowerk", "外套", "Tröja", "A & B", "x < y", r"C:\mug"))
