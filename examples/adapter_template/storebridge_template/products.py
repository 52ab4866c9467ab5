"""Products: texts and variants in one call, and a call of its own for each of the other parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from storebridge.adapter import Batch, Change, Fit
from storebridge.errors import Rejected
from storebridge.flow import Flow, Request, send
from storebridge.models import (
    InventoryLevel,
    MarketPrice,
    Money,
    Option,
    Product,
    Seo,
    Translation,
    Variant,
    Weight,
)
from storebridge.wire import amount, json_of
from storebridge_template import fields
from storebridge_template.records import TemplateRecords, body, request

__all__ = ["ProductRecords"]

Doc = Mapping[str, Any]

_TEXTS = {
    "key": "external_id",
    "handle": "handle",
    "title": "title",
    "description_html": "description_html",
    "vendor": "vendor",
    "product_type": "type",
    "tags": "tags",
    "status": "status",
}
_VARIANT = {"id": "id", "sku": "sku", "options": "options", "taxable": "taxable"}
_PRICES = ("price", "compare_at_price", "cost")


class ProductRecords(TemplateRecords[Product]):
    """Products of a Template store."""

    model = Product
    path: ClassVar[str] = "/products"
    fields = fields.PRODUCT
    finds = ("id", "key", "handle", "sku")

    def read(self, doc: Doc) -> Product:
        """Return the product that the platform's JSON describes."""
        return Product(
            id=str(doc["id"]),
            options=tuple(
                Option(name=o["name"], values=tuple(o["values"])) for o in doc["options"]
            ),
            seo=Seo(**doc["seo"]),
            variants=tuple(_variant(each, doc["currency"]) for each in doc["variants"]),
            translations=tuple(Translation(**each) for each in doc["translations"]),
            collections=tuple(doc["collections"]),
            created_at=doc["created_at"],
            updated_at=doc["updated_at"],
            **{ours: doc[theirs] for ours, theirs in _TEXTS.items()},
        )

    def payload(self, desired: Product) -> Doc:
        """Return the platform's JSON for the given texts and variants."""
        payload = body(desired, _TEXTS)
        if "options" in desired.given:
            payload["options"] = [{"name": o.name, "values": o.values} for o in desired.options]
        if "seo" in desired.given:
            payload["seo"] = body(desired.seo, {"title": "title", "description": "description"})
        if "variants" in desired.given:
            payload["variants"] = [_variant_payload(variant) for variant in desired.variants]
        return payload

    def check(self, record: Product) -> Iterable[Fit]:
        """Return the struck-through prices that aren't above the price."""
        for variant in record.variants:
            price, struck = variant.price, variant.compare_at_price
            if price is not None and struck is not None and not price < struck:
                yield Fit(
                    "product",
                    record.label,
                    "variants.compare_at_price",
                    f"{struck} must be above the price {price}",
                    "Template manual, Prices",
                )

    def update(self, change: Change[Product], batch: Batch[Product]) -> Flow[Doc]:
        """Write one part of a product, and return the product as it is then."""
        if change.part == "core":
            return (yield from self._update_core(change, batch))
        value: Doc
        if change.part == "membership":
            value = {"collections": (yield from self._collection_ids(change, batch))}
        elif change.part == "translations":
            value = {"translations": list(_translations(change))}
        else:
            value = yield from self._by_variant(change)
        name = {"membership": "collections"}.get(change.part, change.part)
        path = f"{self.path}/{change.record_id}/{name}"
        doc: Doc = json_of((yield from send(request(change, "PUT", path, value))))
        return doc

    def _update_core(self, change: Change[Product], batch: Batch[Product]) -> Flow[Doc]:
        doc: Doc = {}
        gone = change.removed.get("variants", ())
        if change.desired.given or not gone:
            doc = yield from super().update(change, batch)
        for key in gone:
            path = f"{self.path}/{change.record_id}/variants/{key.removeprefix('id:')}"
            doc = json_of((yield from send(request(change, "DELETE", path))))
        return doc

    def _by_variant(self, change: Change[Product]) -> Flow[Doc]:
        """Return the body that sets stock or market prices; a plan of creates has no ids yet."""
        variants = change.desired.variants
        ids = {key: v.id for v in variants if v.id for key in v.element_keys()}
        if not all(variant.id for variant in variants):
            docs = yield from self._look_up([f"id:{change.record_id}"])
            live = (self.read(doc) for doc in docs)
            ids |= {
                key: v.id for product in live for v in product.variants for key in v.element_keys()
            }
        if change.part == "inventory":
            return {"levels": list(_levels(variants, ids))}
        return {"prices": list(_market_prices(variants, ids))}

    def _collection_ids(self, change: Change[Product], batch: Batch[Product]) -> Flow[list[int]]:
        """Return the ids of the wanted collections, which the platform knows by id only."""
        wanted = change.desired.collections
        ids = {handle: batch.ids.get(f"collection handle:{handle}", "") for handle in wanted}
        if missing := [handle for handle, found in ids.items() if not found]:
            params = tuple(("handle", handle) for handle in missing)
            response = yield from send(Request(method="GET", path="/collections", params=params))
            ids.update({doc["handle"]: str(doc["id"]) for doc in json_of(response)["items"]})
        if lacking := [handle for handle, found in ids.items() if not found]:
            raise Rejected(
                f"there is no collection {lacking[0]!r}", fields={"collections": "missing"}
            )
        return [int(found) for found in ids.values()]


def _variant(doc: Doc, currency: str) -> Variant:
    weight = doc["weight"]
    prices: dict[str, Any] = {name: _money(doc[name], currency) for name in _PRICES}
    return Variant(
        id=str(doc["id"]),
        sku=doc["sku"],
        options=tuple(doc["options"]),
        taxable=doc["taxable"],
        barcodes=(doc["barcode"],) if doc["barcode"] else (),
        weight=Weight(value=weight["value"], unit=weight["unit"]) if weight else None,
        inventory=tuple(InventoryLevel(**level) for level in doc["inventory"]),
        market_prices=tuple(_market_price(price) for price in doc["prices"]),
        **prices,
    )


def _market_price(doc: Doc) -> MarketPrice:
    currency = doc["currency"]
    return MarketPrice(
        market=doc["market"],
        price=_money(doc["price"], currency),
        compare_at_price=_money(doc["compare_at_price"], currency),
        included=doc["included"],
    )


def _money(text: str | None, currency: str) -> Money | None:
    return None if text is None else Money(text, currency)


def _amount(money: Money | None) -> str | None:
    return None if money is None else amount(money.amount)


def _variant_payload(variant: Variant) -> Doc:
    payload = body(variant, _VARIANT)
    for name in _PRICES:
        if name in variant.given:
            money = getattr(variant, name)
            payload[name] = _amount(money)
            if money is not None:
                payload["currency"] = money.currency
    if "barcodes" in variant.given:
        payload["barcode"] = variant.barcodes[0] if variant.barcodes else ""
    if "weight" in variant.given:
        weight = variant.weight
        payload["weight"] = weight and {"value": amount(weight.value), "unit": weight.unit}
    return payload


def _id(variant: Variant, ids: Mapping[str, str]) -> str:
    found = variant.id or next((ids[key] for key in variant.element_keys() if key in ids), "")
    if not found:
        raise Rejected("the product has no such variant", fields={"variants": variant.sku})
    return found


def _levels(variants: Iterable[Variant], ids: Mapping[str, str]) -> Iterator[Doc]:
    for variant in variants:
        for level in variant.inventory:
            known = body(level, {"location": "location", "available": "available"})
            yield {"variant": _id(variant, ids), **known}


def _market_prices(variants: Iterable[Variant], ids: Mapping[str, str]) -> Iterator[Doc]:
    for variant in variants:
        for price in variant.market_prices:
            known = body(price, {"market": "market", "included": "included"})
            for name in {"price", "compare_at_price"} & price.given:
                money = getattr(price, name)
                known[name] = _amount(money)
                if money is not None:
                    known["currency"] = money.currency
            yield {"variant": _id(variant, ids), **known}


def _translations(change: Change[Product]) -> Iterator[Doc]:
    """Yield the texts to set, and null for those to take out ("de:title")."""
    for each in change.desired.translations:
        yield {"locale": each.locale, "field": each.field, "value": each.value}
    for key in change.removed.get("translations", ()):
        locale, _, field = key.partition(":")
        yield {"locale": locale, "field": field, "value": None}
