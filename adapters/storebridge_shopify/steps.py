"""What was written of a change before the rest of it was refused: a change may take several calls.

Such a change has failed, and yet the shop isn't as it was. Its outcome says what was written, so
that nobody takes it for untouched, and has the cause "partly", by which an undo looks at it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from storebridge.adapter import Change
from storebridge.errors import StorebridgeError
from storebridge.flow import Flow, Outcome, Request, Response, Send, Status
from storebridge.wire import json_of

__all__ = ["Steps"]

T = TypeVar("T")

#: Causes of failures that say for sure that the rest was not written.
_REFUSED = frozenset({"conflict", "denied", "job", "missing", "rejected", "unsupported"})
#: What mutations write of a record; others (uploads, definitions) are no part of one.
_WORDS: Mapping[str, str] = {
    "collectionAddProductsV2": "products put in",
    "collectionRemoveProducts": "products taken out",
    "collectionReorderProducts": "the order of products",
    "customerEmailMarketingConsentUpdate": "the consent to e-mail",
    "customerSmsMarketingConsentUpdate": "the consent to SMS",
    "discountCodeBasicCreate": "the discount",
    "discountCodeBasicUpdate": "the discount",
    "discountCodeFreeShippingCreate": "the discount",
    "discountCodeFreeShippingUpdate": "the discount",
    "discountCodeRedeemCodeBulkDelete": "codes taken out",
    "discountRedeemCodeBulkAdd": "codes put in",
    "fileUpdate": "the texts of pictures",
    "fulfillmentCreate": "parcels",
    "fulfillmentTrackingInfoUpdate": "tracking",
    "inventoryActivate": "stock",
    "inventorySetQuantities": "stock",
    "metafieldsDelete": "metafields taken out",
    "metafieldsSet": "metafields",
    "orderCreate": "the order",
    "orderUpdate": "the order's own fields",
    "priceListFixedPricesAdd": "market prices",
    "productReorderMedia": "the order of pictures",
    "productSet": "the product's own fields",
    "productUpdate": "collections",
    "productVariantDetachMedia": "pictures of variants",
    "productVariantsBulkCreate": "new variants",
    "productVariantsBulkUpdate": "variants",
    "publishablePublish": "channels put in",
    "publishableUnpublish": "channels taken out",
    "tagsAdd": "tags",
    "tagsRemove": "tags taken out",
    "translationsRegister": "translations",
    "translationsRemove": "translations taken out",
}
#: What they write in changes of other parts than the core.
_WORDS_OF_PARTS: Mapping[tuple[str, str], str] = {
    ("productSet", "media"): "the list of pictures",
    ("productSet", "membership"): "collections",
    ("productVariantsBulkUpdate", "media"): "pictures of variants",
}


class Steps:
    """What was written of some changes."""

    def __init__(self, changes: Iterable[Change[Any]]) -> None:
        """Begin with nothing written."""
        self._changes = {change.id: change for change in changes}
        self._made: dict[str, dict[str, Any]] = {}
        """The payloads of the mutations that were made for each change."""
        self._answers: list[tuple[Request, Response]] = []
        """The answers to requests that may have written something; looked at once one fails."""

    def note(self, change: str, mutation: str, payload: Any = None) -> None:
        """Keep that a mutation was made for a change; its payload may show a new record's id."""
        self._made.setdefault(change, {})[mutation] = payload

    def watched(self, flow: Flow[T]) -> Flow[T]:
        """Return what a flow returns, and note the mutations that it makes meanwhile."""
        result: Any = None
        error: Exception | None = None
        try:
            while True:
                try:
                    instruction = flow.send(result) if error is None else flow.throw(error)
                except StopIteration as stop:
                    value: T = stop.value
                    return value
                result = error = None
                try:
                    result = yield instruction
                except Exception as caught:
                    error = caught
                    continue
                if type(instruction) is Send and instruction.request.covers:
                    self._answers.append((instruction.request, result))
        finally:
            flow.close()

    def failure(self, change: str, error: StorebridgeError) -> Outcome:
        """Return the outcome of a change that failed, with what was written of it before."""
        return self.told(Outcome.failure(change, error))

    def told(self, outcome: Outcome) -> Outcome:
        """Return an outcome; that of a change of which only a part was written says so."""
        if outcome.status is not Status.FAILED or outcome.cause not in _REFUSED:
            return outcome
        self._look_through()
        change, made = self._changes[outcome.change], self._made.get(outcome.change, {})
        words = {_word(each, change.part): None for each in made if each in _WORDS}
        if not words:
            return outcome
        return replace(
            outcome,
            id=change.record_id or next(filter(None, map(_id_in, made.values())), ""),
            cause="partly",
            message=f"written: {', '.join(words)}; refused: {outcome.message}",
            remedy=f"{outcome.remedy} A new plan has only what is left.",
        )

    def _look_through(self) -> None:
        """Note the mutations that answers say were made."""
        for request, response in self._answers:
            for mutation, payload in json_of(response)["data"].items():
                if isinstance(payload, dict) and not any(payload.get(each) for each in _ERRORS):
                    name = _made(mutation, payload)
                    for change in request.covers:
                        self.note(change, name, payload)
        self._answers.clear()


def _word(mutation: str, part: str) -> str:
    return _WORDS_OF_PARTS.get((mutation, part), _WORDS[mutation])


def _id_in(payload: Any) -> str:
    """Return the id of the record that a payload shows, "" if it shows none."""
    shown = payload.values() if isinstance(payload, dict) else ()
    return next((str(each["id"]) for each in shown if isinstance(each, dict) and "id" in each), "")


_ERRORS = ("userErrors", "mediaUserErrors")


def _made(name: str, payload: Mapping[str, Any]) -> str:
    """Return the mutation that a payload says was made; "" for an operation under way."""
    if payload.get("productSetOperation"):
        return ""
    if name == "productOperation":
        return "productSet" if payload["status"] == "COMPLETE" else ""
    return name
