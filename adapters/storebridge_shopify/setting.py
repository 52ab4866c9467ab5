"""`productSet` at once, or as an operation that is followed to its end.

A request is cut off after ten seconds (usage/response-codes), which a product of many variants
takes longer than. An operation goes on by itself, so its id is kept with the batch: after a kill it
is followed, and nothing is sent a second time meanwhile.
"""

from __future__ import annotations

from typing import Any

from storebridge.adapter import Batch, Change
from storebridge.errors import OutcomeUnknown
from storebridge.flow import Flow, RequestKind, remember, wait
from storebridge_shopify.graphql import Doc, call, check
from storebridge_shopify.records import looked, mutate

__all__ = ["begun", "followed", "set_product"]

#: Products with more variants are set by an operation.
_LARGE = 500
#: Seconds between looks at an operation.
_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 60.0, 60.0, 60.0)


def set_product(
    change: Change[Any], variables: Doc, kind: RequestKind, *, slowly: bool = False
) -> Flow[Doc]:
    """Make or change a product, and return what the shop shows of it.

    Args:
        change: what is to be made.
        variables: those of productSet.
        kind: what a lost answer means.
        slowly: whether to take an operation for a small product too: its request was cut off.

    Raises:
        Rejected, Conflict, NotFound: for user errors.
        OutcomeUnknown: if an answer was lost, or the operation hasn't ended after five minutes.
    """
    product: Doc | None
    if len(variables["input"].get("variants") or ()) <= _LARGE and not slowly:
        payload = yield from mutate("product_set", "productSet", variables, change, kind)
        product = payload["product"]
    else:
        payload = yield from mutate("product_set_async", "productSet", variables, change, kind)
        operation = str(payload["productSetOperation"]["id"])
        yield from remember({"operations": {change.id: operation}})
        product = yield from followed(change, operation)
    if product is None:
        raise OutcomeUnknown("Shopify shows no product", covers=(change.id,))
    return product


def begun(change: Change[Any], batch: Batch[Any]) -> str:
    """Return the operation that a killed run has begun for a change, "" where none is known."""
    held = batch.state if isinstance(batch.state, dict) else {}
    return str(held.get("operations", {}).get(change.id, ""))


def followed(change: Change[Any], operation: str) -> Flow[Doc | None]:
    """Return the product of an operation that has ended; None where Shopify knows it no longer.

    Raises:
        Rejected, Conflict, NotFound: for its user errors.
        OutcomeUnknown: if it hasn't ended after five minutes.
    """
    for pause in (*_PAUSES, 0.0):
        asked = call("product_operation", {"id": operation}, covers=(change.id,))
        found = (yield from looked(asked, change))["productOperation"]
        if found is None:
            return None
        if found["status"] == "COMPLETE":
            product: Doc | None = check(found)["product"]
            return product
        if pause:
            yield from wait(pause, "Shopify works on a large product")
    raise OutcomeUnknown("Shopify is still at work on it", covers=(change.id,))
