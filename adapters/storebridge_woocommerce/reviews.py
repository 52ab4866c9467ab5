"""Reviews of products. WooCommerce keeps no mark with them, so they are known by what they say.

Sources: recorded exchanges (reviews), and WooCommerce 11.0.1 itself where it is said so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from html import unescape
from typing import TYPE_CHECKING, Any, ClassVar

from storebridge.adapter import Batch, Change, Fit, Page, Query
from storebridge.errors import Rejected
from storebridge.flow import Flow
from storebridge.models import Review
from storebridge_woocommerce import fields
from storebridge_woocommerce.batches import Item
from storebridge_woocommerce.flat import FlatRecords, handles, number_of, products_by
from storebridge_woocommerce.prices import time_of, written
from storebridge_woocommerce.site import Facts, Site
from storebridge_woocommerce.text import filtered, plain, spoken_form, without_signs
from storebridge_woocommerce.walk import every

if TYPE_CHECKING:
    from storebridge_woocommerce.adapter import WooCommerceSettings

__all__ = ["ReviewRecords"]

Doc = Mapping[str, Any]

_TO = {"pending": "hold"}
_BACK: Mapping[str, str] = {"hold": "pending"}
#: The status of what is in the trash, which counts as gone.
_GONE = "trash"
_SOURCE = "recorded exchanges, reviews"


class ReviewRecords(FlatRecords[Review]):
    """Reviews that are approved, wait for it or are spam; those in the trash by that status alone.

    What a shop answers to a review is no review: WooCommerce lists none of it. It is a comment of
    WordPress (`wp/v2/comments`, with a WordPress user), and reviews have no field for it.
    """

    model = Review
    word = "review"
    unique = True
    path: ClassVar[str] = "/products/reviews"
    fields = fields.REVIEW
    finds = ("id", "text")
    reading: ClassVar[tuple[tuple[str, str], ...]] = (("context", "edit"), ("status", "any"))

    def __init__(self, site: Site, settings: WooCommerceSettings) -> None:
        """Keep the shop and its settings."""
        super().__init__(site, settings)
        #: The handles of products that were read, by their keys: "id:7".
        self._names: dict[str, str] = {}

    def read(self, doc: Doc, facts: Facts) -> Review:
        """Return the review that WooCommerce's JSON describes; its product by number."""
        return Review(
            id=str(doc["id"]),
            product=f"id:{doc['product_id']}",
            rating=Decimal(doc["rating"]) if doc["rating"] else None,
            body=doc["review"],
            author=plain(doc["reviewer"]),
            email=doc["reviewer_email"],
            status=_BACK.get(doc["status"]) or doc["status"],
            verified=doc["verified"],
            created_at=time_of(doc["date_created_gmt"]),
        )

    def normal(self, desired: Review) -> Review:
        """Return a desired review as it reads back; a product by its handle, where it is known."""
        given, new = desired.given, dict[str, Any]()
        if desired.product in self._names:
            new["product"] = self._names[desired.product]
        if "body" in given:
            new["body"] = spoken_form(desired.body)
        if "author" in given:
            new["author"] = " ".join(desired.author.split())
        if desired.created_at is not None:
            new["created_at"] = desired.created_at.astimezone(UTC).replace(microsecond=0)
        changed = {name: value for name, value in new.items() if value != getattr(desired, name)}
        return desired.model_copy(update=changed) if changed else desired

    def check(self, record: Review) -> Iterable[Fit]:
        """Return what WooCommerce would filter, round or refuse."""
        for field, message in _unfit(record):
            yield Fit("review", record.label, field, message, _SOURCE)

    def page(self, query: Query, cursor: str) -> Flow[Page[Review]]:
        """Return reviews; WooCommerce keeps no date of a change, so all of them were "changed"."""
        page = yield from super().page(query, cursor)
        asked = query.status
        kept = (r for r in page.records if r.status == asked or not (asked or r.status == _GONE))
        return Page(tuple(kept), page.cursor)

    def whole(
        self, docs: Sequence[Doc], facts: Facts, fields_: frozenset[str] | None
    ) -> Flow[list[Review]]:
        """Return reviews with the handles of their products."""
        numbers = {doc["product_id"] for doc in docs}
        names = (yield from handles("/products", numbers)) if numbers else {}
        self._names |= {f"id:{number}": f"handle:{handle}" for number, handle in names.items()}
        found = (self.read(doc, facts) for doc in docs)
        return [r.but(product=self._names.get(r.product, r.product)) for r in found]

    def look_up(self, keys: Sequence[str], asked: str) -> Flow[list[Doc]]:
        """Return the rows of ids, and of what is said about a product."""
        found = {row["id"]: row for row in (yield from self.by_ids(keys, asked))}
        wanted = {key for key in keys if key.startswith("text:")}
        if not wanted:
            return list(found.values())
        names = {key[len("text:") :].rpartition("#")[0] for key in wanted}
        numbers = set((yield from products_by(sorted(names))).values())
        rows = (yield from self._of(numbers)) if numbers else []
        facts = yield from self.site.known()
        reviews = yield from self.whole(rows, facts, None)
        for row, review in zip(rows, reviews, strict=True):
            if not wanted.isdisjoint(review.keys()):
                found[row["id"]] = row
        return list(found.values())

    def by_ids(self, keys: Sequence[str], asked: str) -> Flow[list[Doc]]:
        """Return the rows of the ids among some keys, but for what is in the trash."""
        return _there((yield from super().by_ids(keys, asked)))

    def _of(self, numbers: set[int]) -> Flow[list[Doc]]:
        """Return the rows about some products."""
        listed = ",".join(map(str, sorted(numbers)))
        return _there((yield from every(self.path, (*self.reading, ("product", listed)))))

    def look(self, items: Sequence[Item]) -> Flow[dict[str, Doc]]:
        """Return the reviews that say what an item says."""
        rows = yield from self._of({item.body["product_id"] for item in items})
        return {item.key: row for item in items for row in rows if self.fits(item, row)}

    def fits(self, item: Item, doc: Doc) -> bool:
        """Return whether a review says what an item says: a second one is refused."""
        body = item.body
        told = (body["product_id"], body["reviewer_email"].casefold(), _said(body["review"]))
        has = (doc["product_id"], doc["reviewer_email"].casefold(), _said(doc["review"]))
        return bool(told == has)

    def body(
        self, change: Change[Review], batch: Batch[Review], live: Doc | None
    ) -> dict[str, Any]:
        """Return the JSON of a change."""
        desired, given = change.desired, change.desired.given
        for field, message in _unfit(desired, new=live is None):
            raise Rejected(message, fields={field: "refused"})
        body: dict[str, Any] = {}
        if "product" in given:
            body["product_id"] = number_of("product", desired.product, batch, "product")
        if "body" in given:
            body["review"] = spoken_form(desired.body)
        if "author" in given:
            body["reviewer"] = desired.author
        if live is None or "email" in given:
            body["reviewer_email"] = desired.email
        if desired.rating is not None:
            body["rating"] = int(desired.rating)
        elif live is not None and "rating" in given and live["rating"]:
            raise Rejected("WooCommerce takes no rating away", fields={"rating": "fixed"})
        if "status" in given:
            body["status"] = _TO.get(desired.status, desired.status)
        if desired.created_at is not None:
            body["date_created_gmt"] = written(desired.created_at)
        return body

    def deleting(self) -> tuple[tuple[str, str], ...]:
        """Return the parameters of a delete: into the trash, unless the settings say otherwise."""
        return (("force", "true" if self.settings.delete == "force" else "false"),)


def _there(rows: Sequence[Doc]) -> list[Doc]:
    return [row for row in rows if row["status"] != _GONE]


def _unfit(review: Review, *, new: bool = False) -> Iterator[tuple[str, str]]:
    for what in filtered(without_signs(review.body)):
        yield "body", f"WordPress takes {what} out of the text when it is changed"
    if review.rating is not None and review.rating != int(review.rating):
        yield "rating", "WooCommerce has whole ratings only"
    for field in ("product", "body", "author"):
        if (new or field in review.given) and not getattr(review, field).strip():
            yield field, f"a review needs its {field}"


def _said(text: str) -> str:
    return " ".join(unescape(text).split())
