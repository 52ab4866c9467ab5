"""Customers, known by their e-mail address. WooCommerce sends new ones its welcome e-mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, ClassVar

from storebridge.adapter import Batch, Change, Page, Query
from storebridge.errors import Rejected
from storebridge.flow import Flow, report
from storebridge.models import Address, Customer
from storebridge_woocommerce import fields
from storebridge_woocommerce.batches import Item
from storebridge_woocommerce.normal import metafield
from storebridge_woocommerce.people import address_of, address_payload
from storebridge_woocommerce.prices import time_of
from storebridge_woocommerce.reading import MARK, metafields_of
from storebridge_woocommerce.records import WooRecords, failed, mark
from storebridge_woocommerce.site import Facts
from storebridge_woocommerce.text import plain, term_form
from storebridge_woocommerce.walk import rows_of
from storebridge_woocommerce.writing import metadata, without

__all__ = ["CustomerRecords"]

Doc = Mapping[str, Any]

#: Customers' metadata whose key begins with _ is hidden (seen on WooCommerce 11.0).
_MARK = MARK.lstrip("_")
#: What a customer's own fields say already.
_OWN = ("company", "phone", "email")
_NAMES = ("first_name", "last_name")
_TEXTS = ("email", *_NAMES)


class CustomerRecords(WooRecords[Customer]):
    """Customers of a shop, in any role."""

    model = Customer
    path: ClassVar[str] = "/customers"
    fields = fields.CUSTOMER
    finds = ("id", "email")
    #: Without a role only those of the role "customer" are listed.
    reading: ClassVar[tuple[tuple[str, str], ...]] = (("context", "edit"), ("role", "all"))

    def read(self, doc: Doc, facts: Facts) -> Customer:
        """Return the customer that WooCommerce's JSON describes."""
        billing = doc["billing"]
        texts: dict[str, Any] = {name: plain(doc[name]) for name in _TEXTS}
        return Customer(
            id=str(doc["id"]),
            phone=billing["phone"],
            company=billing["company"],
            default_address=address_of(billing, *_OWN),
            metafields=metafields_of(doc["meta_data"]),
            created_at=time_of(doc["date_created_gmt"]),
            updated_at=time_of(doc["date_modified_gmt"]),
            **texts,
        )

    def normal(self, desired: Customer) -> Customer:
        """Return a desired customer as it reads back: names on one line, metafields untyped."""
        given, new = desired.given, dict[str, Any]()
        new |= {name: term_form(getattr(desired, name)) for name in _NAMES if name in given}
        if "metafields" in given:
            new["metafields"] = tuple(map(metafield, desired.metafields))
        return desired.model_copy(update=new) if new else desired

    def filters(self, query: Query, facts: Facts) -> tuple[tuple[str, str], ...] | None:
        """Return the parameters of a query; customers have no status."""
        return None if query.status else super().filters(query, facts)

    def page(self, query: Query, cursor: str) -> Flow[Page[Customer]]:
        """Return customers; those changed since are chosen here: the server ignores that filter."""
        page = yield from super().page(query, cursor)
        if query.updated_since is None:
            return page
        start = query.updated_since.astimezone(UTC)
        kept = tuple(c for c in page.records if c.updated_at is None or c.updated_at >= start)
        return Page(kept, page.cursor)

    def look_up(self, keys: Sequence[str], asked: str) -> Flow[list[Doc]]:
        """Return the rows of ids and e-mail addresses."""
        found = {row["id"]: row for row in (yield from self.by_ids(keys, asked))}
        for key in keys:
            kind, _, email = key.partition(":")
            if kind == "email" and "@" in email:  # anything else is refused as a filter
                rows = yield from rows_of(self.path, (*self.reading, ("email", email)))
                found |= {r["id"]: r for r in rows if r["email"].casefold() == email.casefold()}
        return list(found.values())

    def create(self, changes: Sequence[Change[Customer]], batch: Batch[Customer]) -> Flow[None]:
        """Make customers, each once."""
        items = []
        for change in changes:
            if not change.desired.email:
                error = Rejected("a customer needs an e-mail address", fields={"email": "missing"})
                yield from report([failed(change, error)])
                continue
            body = _body(change)
            key = {"key": _MARK, "value": mark(batch, change)}
            body["meta_data"] = [*body.get("meta_data", ()), key]
            items.append(Item(change.id, change.id, body, unique=True))
        yield from self.create_items(changes, items, batch, self._look, _fits)

    def update(self, changes: Sequence[Change[Customer]], batch: Batch[Customer]) -> Flow[None]:
        """Write the given fields of customers."""
        items = [Item(c.id, c.id, _body(c), int(c.record_id)) for c in changes]
        yield from self.update_items(changes, items)

    def _look(self, items: Sequence[Item]) -> Flow[dict[str, Doc]]:
        rows = yield from self.look_up([f"email:{item.body['email']}" for item in items], "")
        return {item.key: row for item in items for row in rows if _fits(item, row)}

    def deleting(self) -> tuple[tuple[str, str], ...]:
        """Return the parameters of a delete: customers know no trash."""
        return (("force", "true"),)


def _body(change: Change[Customer]) -> dict[str, Any]:
    desired, given = change.desired, change.desired.given
    body: dict[str, Any] = {name: getattr(desired, name) for name in _TEXTS if name in given}
    billing: dict[str, Any] = {
        name: getattr(desired, name) for name in ("phone", "company") if name in given
    }
    if "default_address" in given:
        address: Address | None = desired.default_address
        billing |= address_payload(address, *_OWN)
    if billing:
        body["billing"] = billing
    meta = metadata(desired.metafields)
    meta += map(without, change.removed.get("metafields", ()))
    if meta:
        body["meta_data"] = meta
    return body


def _fits(item: Item, doc: Doc) -> bool:
    """Return whether a customer bears the mark of an item."""
    wanted = item.body["meta_data"][-1]["value"]
    return any(each["key"] == _MARK and each["value"] == wanted for each in doc["meta_data"])
