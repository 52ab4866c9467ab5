"""Orders: read whole, and made for a migration; of one that is there, status and note change.

The shop would take an order twice. So a new one keeps the names that it is made under, its key and
its number, and is found by them: from then on they are its key and its number.
WooCommerce takes a line whose product it doesn't have, and makes an empty one of it that costs
nothing (recorded exchanges, orders); so what an order's lines name is looked up before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from storebridge.adapter import Batch, Change, Field, Fit, Query
from storebridge.errors import NotFound, Rejected
from storebridge.flow import Flow, report
from storebridge.models import (
    Adjustment,
    Amount,
    LineItem,
    Money,
    Order,
    Payment,
    Refund,
    ShippingLine,
    TaxLine,
)
from storebridge.models.order import without_blanks
from storebridge.wire import amount
from storebridge_woocommerce import aftermath, fields
from storebridge_woocommerce.batches import Earlier, Item
from storebridge_woocommerce.names import KEPT, Names, keeping, kept, marks, names, renaming
from storebridge_woocommerce.normal import metafield
from storebridge_woocommerce.people import address_of, address_payload
from storebridge_woocommerce.prices import time_of
from storebridge_woocommerce.reading import metafields_of
from storebridge_woocommerce.records import WooRecords, failed, since
from storebridge_woocommerce.site import Facts, Site
from storebridge_woocommerce.walk import MOST, rows_of
from storebridge_woocommerce.writing import metadata, without

if TYPE_CHECKING:
    from storebridge_woocommerce.adapter import WooCommerceSettings

__all__ = ["OrderRecords"]

Doc = Mapping[str, Any]

_WITH_TRACKING = {**fields.ORDER, **fields.TRACKING}
_STATUSES = frozenset(
    ("pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "trash",
     "checkout-draft", "any")
)  # fmt: skip
#: What a new order is made without.
_UNMADE = ("refunds", "payments", "adjustments", "taxes", "discount_codes")


class OrderRecords(WooRecords[Order]):
    """Orders of a shop, in any status."""

    model = Order
    path: ClassVar[str] = "/orders"
    finds = ("id", "key", "number")
    fetch_size = MOST
    # A batch whose answer is trimmed gives raw dates back, so answers are whole.

    def __init__(self, site: Site, settings: WooCommerceSettings) -> None:
        """Know no order's names yet."""
        super().__init__(site, settings)
        self._names = Names(self.path)

    @property
    def fields(self) -> Mapping[str, Field]:  # type: ignore[override]  # a plain attribute there
        """What an order can hold: parcels, where a plugin keeps them."""
        facts = self.site.facts
        return _WITH_TRACKING if facts is not None and facts.tracking else fields.ORDER

    def read(self, doc: Doc, facts: Facts) -> Order:
        """Return the order that WooCommerce's JSON describes; refunds without their lines."""
        meta, parcels = doc["meta_data"], dict[str, Any]()
        if facts.tracking:
            meta = [each for each in meta if each["key"] != aftermath.TRACKING]
            parcels = {"fulfillments": aftermath.parcels_of(doc)}
        called: dict[str, Any] = {"number": str(doc["number"]), **kept(doc)}
        return Order(
            id=str(doc["id"]),
            status=doc["status"],
            currency=str(doc["currency"]),
            note=doc["customer_note"],
            metafields=metafields_of(meta),
            created_at=time_of(doc["date_created_gmt"]),
            updated_at=time_of(doc["date_modified_gmt"]),
            **_person(doc),
            **_bought(doc),
            **_sums(doc),
            **called,
            **parcels,
        )

    def whole(
        self, docs: Sequence[Doc], facts: Facts, fields_: frozenset[str] | None
    ) -> Flow[list[Order]]:
        """Return orders with their refunds, and with their comments where those are named."""
        orders = [self.read(doc, facts) for doc in docs]
        names = {path.partition(".")[0] for path in fields_ or ()}
        if (fields_ is None or "refunds" in names) and any(doc["refunds"] for doc in docs):
            refunds = yield from aftermath.refunds_of(docs)
            for place, doc in enumerate(docs):
                if doc["id"] in refunds:
                    new = {"refunds": refunds[doc["id"]]}
                    orders[place] = orders[place].model_copy(update=new)
        if "comments" in names:
            for place, order in enumerate(orders):
                comments = yield from aftermath.comments_of(order.id)
                orders[place] = order.model_copy(update={"comments": comments})
        return orders

    def normal(self, desired: Order) -> Order:
        """Return a desired order as it reads back: metafields without types, lines by SKU."""
        desired, new = without_blanks(desired), dict[str, Any]()
        if any(line.sku for line in desired.line_items):
            new["line_items"] = tuple(map(_line_form, desired.line_items))
        if desired.customer_id and not desired.customer_id.isdecimal():  # another platform's
            desired = desired.without("customer_id")
        if "metafields" in desired.given:
            new["metafields"] = tuple(map(metafield, desired.metafields))
        if "comments" in desired.given:
            new["comments"] = tuple(map(aftermath.comment_form, desired.comments))
        return desired.model_copy(update=new) if new else desired

    def check(self, record: Order) -> Iterable[Fit]:
        """Yield what an order has that a new one can't be made with."""
        if record.id or "line_items" not in record.given:
            return  # a change of an order that is there
        message = "a new order is made without them; an order that is there keeps its own"
        for name in _UNMADE:
            if getattr(record, name):
                yield Fit("order", record.label, name, message, "REST schema of orders")

    def filters(self, query: Query, facts: Facts) -> tuple[tuple[str, str], ...] | None:
        """Return the parameters of a query; statuses of plugins are asked for as they are."""
        params = super().filters(query, facts)
        if params is None or (query.status and query.status not in _STATUSES):
            return None
        if query.status:
            params += (("status", query.status),)
        return params + (since(query.updated_since) if query.updated_since else ())

    def look_up(self, keys: Sequence[str], asked: str) -> Flow[list[Doc]]:
        """Return the rows of ids, of names that orders were made under, and of the shop's numbers.

        The shop's own number of an order is its id; one that a plugin gives is read only.
        """
        given = {key for key in keys if key.startswith("id:")}
        wanted = {key for key in keys if key.partition(":")[0] in KEPT}
        ids = sorted(given)
        if wanted:
            numbers = yield from self._names.find(wanted)
            ids += [f"id:{number}" for number in sorted(numbers)]
            ids += [f"id:{key[7:]}" for key in sorted(wanted) if key.startswith("number:")]
        rows = yield from self.by_ids(ids, asked)
        return [row for row in rows if f"id:{row['id']}" in given or wanted & names(row)]

    def create(self, changes: Sequence[Change[Order]], batch: Batch[Order]) -> Flow[None]:
        """Make orders, each once; prices and totals are those given, not the shop's."""
        lines = [line for change in changes for line in change.desired.line_items]
        known = yield from _products(lines)
        items = []
        for change in changes:
            try:
                body = _body(change, known)
            except Rejected as error:
                yield from report([failed(change, error)])
                continue
            items.append(Item(change.id, change.id, body))
        yield from self.create_items(changes, items, batch, self._look, _fits)

    def update(self, changes: Sequence[Change[Order]], batch: Batch[Order]) -> Flow[None]:
        """Write status, note, addresses, parcels and metadata of orders; comments one by one."""
        earlier = Earlier(batch.uncertain)
        for change in changes:
            if change.part == "publication":
                yield from report([(yield from aftermath.write_comments(change, earlier))])
        changes = [change for change in changes if change.part != "publication"]
        if not changes:
            return
        # The server takes changes of orders in the trash too, where nobody sees them.
        keys = [f"id:{change.record_id}" for change in changes]
        renamed = any("key" in change.desired.given for change in changes)
        needed = "id,meta_data" if renamed or any(map(_moves_parcels, changes)) else "id"
        there = {str(row["id"]): row for row in (yield from self.by_ids(keys, needed))}
        items = []
        for change in changes:
            try:
                if change.record_id not in there:
                    raise NotFound(f"the shop has no order {change.record_id}")
                body = _body(change, {}, there[change.record_id])
                items.append(Item(change.id, change.id, body, int(change.record_id)))
            except (NotFound, Rejected) as error:
                yield from report([failed(change, error)])
        yield from self.update_items(changes, items)
        if renamed:
            self._names = Names(self.path)

    def _look(self, items: Sequence[Item]) -> Flow[dict[str, Doc]]:
        """Return the orders that were made under an item's names."""
        wanted = {name for item in items for name in marks(item.body)}
        rows = yield from self.look_up(sorted(wanted), "")
        return {item.key: row for item in items for row in rows if _fits(item, row)}

    def deleting(self) -> tuple[tuple[str, str], ...]:
        """Return the parameters of a delete: into the trash, unless the settings say otherwise."""
        return (("force", "true" if self.settings.delete == "force" else "false"),)


def _money(doc: Doc) -> Callable[[Any], Amount | None]:
    """Return what makes money of an order's texts."""
    currency = str(doc["currency"])

    def money(text: Any) -> Amount | None:
        return Amount(shop=Money(str(text), currency)) if text not in ("", None) else None

    return money


def _person(doc: Doc) -> dict[str, Any]:
    """Return who ordered, and the addresses."""
    billing = doc["billing"]
    return {
        "customer_id": str(doc["customer_id"] or ""),
        "email": billing.get("email", ""),
        "phone": billing.get("phone", ""),
        "billing_address": address_of(billing, "email", "phone"),
        "shipping_address": address_of(doc["shipping"], "email"),
    }


def _bought(doc: Doc) -> dict[str, Any]:
    """Return the lines of an order: goods, shipping, fees and discounts, taxes."""
    money = _money(doc)
    return {
        "line_items": tuple(_line(each, money) for each in doc["line_items"]),
        "shipping_lines": tuple(
            ShippingLine(
                id=str(each["id"]),
                title=each["method_title"],
                code=each["method_id"],
                price=money(each["total"]),
            )
            for each in doc["shipping_lines"]
        ),
        "adjustments": tuple(_adjustments(doc, money)),
        "taxes": tuple(
            TaxLine(title=each["label"], rate=amount(_percent(each["rate_percent"])), amount=tax)
            for each in doc["tax_lines"]
            if (tax := money(each["tax_total"])) is not None
        ),
        "discount_codes": tuple(each["code"] for each in doc["coupon_lines"]),
    }


def _sums(doc: Doc) -> dict[str, Any]:
    """Return what an order comes to, what was paid and what was paid back."""
    money = _money(doc)
    return {
        "prices_include_tax": doc["prices_include_tax"],
        "discount_total": money(doc["discount_total"]),
        "shipping_total": money(doc["shipping_total"]),
        "tax_total": money(doc["total_tax"]),
        "total": money(doc["total"]),
        "refunds": tuple(
            Refund(
                id=str(each["id"]),
                reason=each["reason"] or "",
                amount=money(str(each["total"]).lstrip("-")),
            )
            for each in doc["refunds"]
        ),
        "payments": tuple(_payments(doc, money)),
    }


def _line(doc: Doc, money: Any) -> LineItem:
    unit = doc.get("price")
    return LineItem(
        id=str(doc["id"]),
        product_id=str(doc["product_id"] or ""),
        variant_id=str(doc["variation_id"] or ""),
        sku=doc["sku"] or "",
        title=doc["name"],
        quantity=doc["quantity"],
        unit_price=money(f"{_percent(unit):f}") if unit is not None else None,
        total=money(doc["total"]),
        properties={
            str(each.get("display_key") or each["key"]): str(each.get("display_value", ""))
            for each in doc.get("meta_data", ())
            if not str(each["key"]).startswith("_")
        },
    )


def _percent(value: Any) -> Any:
    """Return a JSON number as an exact one, rounded to what a line's price means."""
    from decimal import Decimal

    return round(Decimal(str(value)), 6).normalize() + Decimal(0)


def _adjustments(doc: Doc, money: Any) -> Any:
    for each in doc["fee_lines"]:
        if (fee := money(each["total"])) is not None:
            yield Adjustment(title=each["name"] or "", kind="fee", amount=fee)
    for each in doc["coupon_lines"]:
        if (discount := money(each["discount"])) is not None:
            yield Adjustment(code=each["code"], kind="discount", amount=discount)


def _payments(doc: Doc, money: Any) -> Any:
    if doc["payment_method"]:
        yield Payment(
            id=doc["transaction_id"],
            gateway=doc["payment_method"],
            status="paid" if doc["date_paid_gmt"] else "pending",
            amount=money(doc["total"]),
            created_at=time_of(doc["date_paid_gmt"]),
        )


def _products(lines: Sequence[LineItem]) -> Flow[dict[str, tuple[int, int]]]:
    """Return the product and the variation of each SKU that lines name."""
    skus = list(dict.fromkeys(line.sku for line in lines if line.sku))
    found: dict[str, tuple[int, int]] = {}
    for start in range(0, len(skus), 100):
        params = (
            ("sku", ",".join(skus[start : start + 100])),
            ("_fields", "id,sku,type,parent_id"),
        )
        for row in (yield from rows_of("/products", params)):
            child = row["type"] == "variation"
            found[row["sku"]] = (row["parent_id"], row["id"]) if child else (row["id"], 0)
    return found


def _moves_parcels(change: Change[Order]) -> bool:
    return "fulfillments" in {*change.desired.given, *change.removed}


def _body(
    change: Change[Order], known: Mapping[str, tuple[int, int]], live: Doc | None = None
) -> dict[str, Any]:
    desired, given = change.desired, change.desired.given
    body: dict[str, Any] = {}
    if "status" in given:
        if desired.status.startswith("wc-"):
            raise Rejected("WooCommerce's statuses are written without wc-", fields={"status": ""})
        body["status"] = desired.status
    if "note" in given:
        body["customer_note"] = desired.note
    if "currency" in given:
        body["currency"] = desired.currency
    if desired.customer_id.isdecimal():
        body["customer_id"] = int(desired.customer_id)
    billing: dict[str, Any] = {
        name: getattr(desired, name) for name in ("email", "phone") if name in given
    }
    if "billing_address" in given:
        billing |= address_payload(desired.billing_address, "email", "phone")
    if billing:
        body["billing"] = billing
    if "shipping_address" in given:
        body["shipping"] = address_payload(desired.shipping_address, "email")
    if change.action == "create":
        body["line_items"] = [_line_body(line, known) for line in desired.line_items]
        body["shipping_lines"] = [
            {
                "method_id": each.code or "flat_rate",
                "method_title": each.title,
                "total": amount(each.price.shop.amount) if each.price else "0",
            }
            for each in desired.shipping_lines
        ]
    elif {"line_items", "shipping_lines"} & given:
        raise Rejected(
            "an order's lines aren't changed once it is there",
            fields={"line_items": "fixed"},
            remedy="Change them in WooCommerce, where stock and totals follow; if it is another "
            "order that has the same number, give this one a key and no number.",
        )
    meta = _meta(change, live)
    return {**body, "meta_data": meta} if meta else body


def _meta(change: Change[Order], live: Doc | None) -> list[dict[str, Any]]:
    """Return the metadata of a change, with an order's names."""
    meta = metadata(change.desired.metafields)
    if change.action == "create":
        meta += keeping(change)
    elif "key" in change.desired.given:
        meta.append(renaming(change.desired.key, live or {}))
    meta += map(without, change.removed.get("metafields", ()))
    if _moves_parcels(change):
        meta.append(aftermath.tracking(change, live))
    return meta


def _line_form(line: LineItem) -> LineItem:
    """Return a line that is of the product with its SKU, whatever ids it has elsewhere."""
    return line.without("product_id", "variant_id") if line.sku else line


def _line_body(line: LineItem, known: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    number, child = known.get(line.sku, (0, 0))
    if not number and line.product_id.isdecimal():
        number = int(line.product_id)
        child = int(line.variant_id) if line.variant_id.isdecimal() else 0
    if not number:
        raise Rejected(
            f"the shop has no product {line.sku or line.title!r}: the line would be an empty one",
            fields={"line_items": "missing"},
            remedy="Create the product first.",
        )
    body: dict[str, Any] = {"product_id": number, "quantity": line.quantity}
    if child:
        body["variation_id"] = child
    if line.title:
        body["name"] = line.title
    if line.total is not None:
        total = amount(line.total.shop.amount)
        body |= {"subtotal": total, "total": total}
    return body


def _fits(item: Item, doc: Doc) -> bool:
    """Return whether an order was made under the names of an item."""
    return marks(item.body) <= marks(doc)
