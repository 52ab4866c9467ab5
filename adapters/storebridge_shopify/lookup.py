"""Records by their keys: handles exactly, SKUs by a search whose answers are checked.

A look-up by handle sees what was written a moment ago; a search lags behind (recorded answers).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from storebridge.errors import BadAnswer
from storebridge.flow import Flow
from storebridge_shopify.graphql import call
from storebridge_shopify.search import any_of, term

__all__ = ["by_handle", "by_sku", "handle_form", "ids_of", "values"]

#: As many handles are looked up in one request.
_HANDLES = 25
#: As many SKUs are searched for in one request.
_SKUS = 20
_GID = re.compile(r"gid://shopify/(\w+)/[0-9]+", re.ASCII)
_GAPS = re.compile(r"[\W_]+")


def values(keys: Iterable[str], kind: str) -> list[str]:
    """Return the values of the keys of one kind, each once."""
    found = (key.partition(":") for key in keys)
    return list(dict.fromkeys(value for name, _, value in found if name == kind and value))


def ids_of(keys: Iterable[str], type_: str) -> list[str]:
    """Return the ids among some keys that can be ids of a type; others are an error there."""
    found = ((value, _GID.fullmatch(value)) for value in values(keys, "id"))
    return [value for value, match in found if match and match[1] == type_]


def handle_form(text: str) -> str:
    """Return a handle as Shopify keeps it: lower case, a hyphen for what is no letter or digit."""
    return _GAPS.sub("-", text.strip().lower()).strip("-")


def by_handle(name: str, handles: Sequence[str]) -> Flow[dict[str, str]]:
    """Return the ids of the records that have these handles now, by handle."""
    wanted = list(dict.fromkeys(filter(None, map(handle_form, handles))))
    found: dict[str, str] = {}
    for start in range(0, len(wanted), _HANDLES):
        piece = wanted[start : start + _HANDLES]
        variables: dict[str, object] = {f"w{n}": n < len(piece) for n in range(_HANDLES)}
        variables |= {f"h{n}": handle for n, handle in enumerate(piece)}
        data = yield from call(name, variables)
        hits = (data.get(f"p{n}") for n in range(len(piece)))
        found |= {hit["handle"]: hit["id"] for hit in hits if hit and hit["handle"] in piece}
    return found


def by_sku(skus: Sequence[str]) -> Flow[list[str]]:
    """Return the ids of the products that have a variant with any of these SKUs.

    Raises:
        BadAnswer: if the search brings what nobody asked for, page after page.
    """
    found: dict[str, None] = {}
    for start in range(0, len(skus), _SKUS):
        piece = skus[start : start + _SKUS]
        query, after = any_of(term("sku", sku) for sku in piece), None
        while True:
            variables = {"first": 250, "after": after, "query": query}
            data = (yield from call("variants_by_sku", variables))["productVariants"]
            hits = [node["product"]["id"] for node in data["nodes"] if node["sku"] in piece]
            found |= dict.fromkeys(hits)
            if not data["pageInfo"]["hasNextPage"]:
                break
            if not hits or data["pageInfo"]["endCursor"] == after:
                raise BadAnswer("a search for SKUs brings what has none of them")
            after = data["pageInfo"]["endCursor"]
    return list(found)
