"""What products refer to: categories, brands, the shop's attributes, shipping classes, products.

WooCommerce ignores a category or a brand that is given by name (recorded exchanges, categories),
and a shipping class that it hasn't got, so they are looked up first. Brands, attributes and
shipping classes are made where they are missing; tags and an attribute's values are made by the
server itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from storebridge.adapter import Batch, Change
from storebridge.errors import AuthError, NotFound, Rejected, StorebridgeError
from storebridge.flow import Flow, Request, RequestKind, send
from storebridge.models import Attribute, Option, Product
from storebridge.wire import dumps, json_of
from storebridge_woocommerce.reading import NAMESPACE
from storebridge_woocommerce.text import plain, slug_form, sluglike, term_form, words
from storebridge_woocommerce.walk import every, rows_of

__all__ = ["Terms"]

#: The most characters of an attribute's slug (recorded exchange: 28 with the prefix "pa_").
_SLUG = 25
_SHIPPING = "/products/shipping_classes"


class Terms:
    """Numbers by name; what was found stays known, since numbers never change."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._categories: dict[str, int] = {}
        self._brands: dict[str, int] = {}
        self._attributes: dict[str, int] | None = None
        self._products: dict[str, int] = {}
        self._shipping: frozenset[str] | None = None

    # -- what was looked up

    def category(self, handle: str) -> int:
        """Return a category's number.

        Raises:
            Rejected: if the shop has no such category: the server would take another one.
        """
        if handle not in self._categories:
            raise Rejected(
                f"there is no category {handle!r}",
                fields={"collections": "missing"},
                remedy="Create it first: give it as a collection.",
            )
        return self._categories[handle]

    def brand(self, name: str) -> int:
        """Return a brand's number.

        Raises:
            Rejected: if the shop keeps no brands (WooCommerce before 9.6).
        """
        if name not in self._brands:
            raise Rejected(f"the shop keeps no brands like {name!r}", fields={"brand": "missing"})
        return self._brands[name]

    def product(self, key: str) -> int:
        """Return a product's number by its key ("sku:A-1", "id:7").

        Raises:
            Rejected: if there is no such product.
        """
        kind, _, value = key.partition(":")
        if kind == "id" and value.isdecimal():
            return int(value)
        if key not in self._products:
            raise Rejected(
                f"there is no product {value!r}",
                fields={"platform_fields.woocommerce.grouped_products": "missing"},
                remedy="Create it first, then apply again with --retry-failed.",
            )
        return self._products[key]

    def attribute(self, attribute: Option | Attribute) -> tuple[dict[str, Any], bool]:
        """Return what names an attribute in a body, and whether it is one of the shop's own.

        Raises:
            Rejected: if it is to be one of the shop's own, and the shop has none so far: as the
                product's own its variations would lose their values once it is the shop's.
        """
        number = (self._attributes or {}).get(attribute.name.casefold())
        asked = attribute.platform_fields.get(NAMESPACE, {}).get("global")
        if number is not None and asked is not False:
            return {"id": number}, True
        if asked:
            raise Rejected(
                f"the shop has no attribute {attribute.name!r} yet, though it was asked to make it",
                fields={"options": "missing"},
                remedy="Apply again with --retry-failed: the server may have been late.",
            )
        if "<" in attribute.name:
            raise Rejected(
                f"{attribute.name!r} can't name an attribute in WooCommerce",
                fields={"options": "invalid"},
                remedy="Write it without <.",
            )
        return {"name": attribute.name}, False

    # -- looking up

    def learn(self, changes: Sequence[Change[Product]], batch: Batch[Product]) -> Flow[None]:
        """Find, or make, everything that some changes refer to."""
        ids = {name: int(found) for name, found in batch.ids.items() if found.isdecimal()}
        self._categories |= _named(ids, "collection handle:")
        self._products |= _named(ids, "product ")
        yield from self._learn_categories(changes)
        brands = _covered((term_form(change.desired.brand), change) for change in changes)
        for name, covers in brands.items():
            if name not in self._brands:
                yield from self._learn_brand(name, covers)
        shop = _covered(
            (each.name if each.platform_fields.get(NAMESPACE, {}).get("global") else "*", change)
            for change in changes
            for each in _attributes(change.desired)
        )
        if shop:
            yield from self._learn_attributes(shop)
        yield from self._learn_products(changes)
        yield from self._learn_shipping(changes)

    def know_attributes(self) -> Flow[None]:
        """Find the numbers of the shop's own attributes."""
        if self._attributes is None:
            yield from self._look_for_attributes()

    def _look_for_attributes(self) -> Flow[None]:
        found = yield from _list_attributes()
        self._attributes = {**(self._attributes or {}), **found}  # other flows look, too

    def _learn_categories(self, changes: Iterable[Change[Product]]) -> Flow[None]:
        handles = dict.fromkeys(each for c in changes for each in c.desired.collections)
        for handle in handles:
            if handle not in self._categories:
                params = (("slug", slug_form(handle)), ("_fields", "id,slug"))
                for row in (yield from rows_of("/products/categories", params)):
                    self._categories[sluglike(row["slug"])] = row["id"]

    def _learn_brand(self, name: str, covers: Sequence[str]) -> Flow[None]:
        try:
            yield from self._list_brands()
            if name not in self._brands:
                yield from _make("/products/brands", {"name": words(name)}, covers)
                yield from self._list_brands()
        except NotFound:  # WooCommerce before 9.6
            return

    def _list_brands(self) -> Flow[None]:
        for row in (yield from every("/products/brands", (("_fields", "id,name"),))):
            self._brands.setdefault(plain(row["name"]), row["id"])

    def _learn_attributes(self, asked: Mapping[str, Sequence[str]]) -> Flow[None]:
        yield from self.know_attributes()
        for name, covers in asked.items():
            if name != "*" and name.casefold() not in (self._attributes or {}):
                slug = slug_form(name)[:_SLUG].strip("-")
                body = {"name": name, "slug": slug, "order_by": "menu_order"}
                yield from _make("/products/attributes", body, covers)
                yield from self._look_for_attributes()

    def _learn_shipping(self, changes: Iterable[Change[Product]]) -> Flow[None]:
        """Make the shipping classes that products or variants have, and the shop hasn't."""
        asked = _covered((name, change) for change in changes for name in _shipping(change.desired))
        if not asked:
            return
        known = self._shipping or (yield from _list_shipping())
        lacking = {name: covers for name, covers in asked.items() if slug_form(name) not in known}
        for name, covers in lacking.items():
            body = {"name": words(name), "slug": slug_form(name)}
            yield from _make(_SHIPPING, body, covers)
        self._shipping = (yield from _list_shipping()) if lacking else known

    def _learn_products(self, changes: Iterable[Change[Product]]) -> Flow[None]:
        keys = dict.fromkeys(
            str(key)
            for change in changes
            for key in change.desired.platform_fields.get(NAMESPACE, {}).get("grouped_products", ())
        )
        skus = [key.removeprefix("sku:") for key in keys if key.startswith("sku:")]
        for sku in skus:
            if f"sku:{sku}" not in self._products:
                params = (("sku", sku), ("_fields", "id,sku"))
                for row in (yield from rows_of("/products", params)):
                    self._products[f"sku:{row['sku']}"] = row["id"]


def _named(ids: Mapping[str, int], start: str) -> dict[str, int]:
    return {
        name.removeprefix(start): found for name, found in ids.items() if name.startswith(start)
    }


def _shipping(product: Product) -> Iterator[str]:
    fields = (product.platform_fields, *(each.platform_fields for each in product.variants))
    for each in fields:
        name = each.get(NAMESPACE, {}).get("shipping_class")
        if isinstance(name, str) and name:
            yield name


def _attributes(product: Product) -> list[Option | Attribute]:
    return [*product.options, *product.attributes]


def _covered(pairs: Iterable[tuple[str, Change[Product]]]) -> dict[str, list[str]]:
    """Return the ids of the changes that need each name."""
    found: dict[str, list[str]] = {}
    for name, change in pairs:
        if name:
            found.setdefault(name, []).append(change.id)
    return found


def _make(path: str, body: Mapping[str, Any], covers: Sequence[str]) -> Flow[None]:
    """Make a term; whoever asks looks for it afterwards, also where the answer was lost.

    A second one of the same name is refused, so sending it again makes no other.
    """
    request = Request(
        method="POST",
        path=path,
        kind=RequestKind.CREATE,
        body=dumps(body),
        covers=tuple(dict.fromkeys(covers)),
    )
    try:
        yield from send(request)
    except AuthError:
        raise
    except StorebridgeError:
        return  # it may be there by now: the look tells


def _list_shipping() -> Flow[frozenset[str]]:
    rows = yield from every(_SHIPPING, (("_fields", "id,slug"),))
    return frozenset(sluglike(row["slug"]) for row in rows)


def _list_attributes() -> Flow[dict[str, int]]:
    rows = json_of(
        (yield from send(Request(method="GET", path="/products/attributes",
                                 params=(("_fields", "id,name"),))))
    )  # fmt: skip
    return {plain(row["name"]).casefold(): row["id"] for row in rows}
