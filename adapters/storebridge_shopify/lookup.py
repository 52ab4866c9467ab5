"""Records by their keys: handles exactly, SKUs by a search whose answers are checked.

A look-up by handle sees what was written a moment ago; a search lags behind (recorded answers).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from unicodedata import normalize

from storebridge.errors import BadAnswer, NotFound
from storebridge.flow import Flow
from storebridge_shopify.graphql import Doc, call, following
from storebridge_shopify.search import any_of, term

__all__ = [
    "SKUS",
    "by_code",
    "by_email",
    "by_handle",
    "by_mark",
    "by_phone",
    "by_sku",
    "collections_of",
    "handle_form",
    "ids_of",
    "products_of",
    "values",
    "variants_of",
]

#: As many handles, addresses or codes are looked up in one request.
_AT_ONCE = 25
#: As many SKUs are searched for in one request.
SKUS = 50
_GID = re.compile(r"gid://shopify/(\w+)/[0-9]+", re.ASCII)
#: A whole number with its country (E.164); Shopify keeps no other.
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
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
    hits = yield from _each(name, "h", wanted)
    return {hit["handle"]: hit["id"] for handle, hit in hits.items() if hit["handle"] == handle}


def by_email(emails: Iterable[str]) -> Flow[dict[str, str]]:
    """Return the ids of the customers that have these e-mail addresses now, by address."""
    wanted = [each for each in dict.fromkeys(map(str.casefold, emails)) if "@" in each]
    found = {}
    for email, hit in (yield from _each("customers_by_email", "e", wanted)).items():
        held = (hit["defaultEmailAddress"] or {}).get("emailAddress", "")
        if held.casefold() == email:
            found[email] = hit["id"]
    return found


def by_phone(phones: Iterable[str]) -> Flow[dict[str, str]]:
    """Return the ids of the customers that have these phone numbers (+4930123456), by number."""
    wanted = [each for each in dict.fromkeys(phones) if _PHONE.fullmatch(each)]
    found = yield from _each("customers_by_phone", "n", wanted)
    return {
        phone: hit["id"]
        for phone, hit in found.items()
        if (hit["defaultPhoneNumber"] or {}).get("phoneNumber") == phone
    }


def by_code(codes: Iterable[str]) -> Flow[dict[str, str]]:
    """Return the ids of the discounts that have these codes now, by code in lower case."""
    wanted = list(dict.fromkeys(code.casefold() for code in codes if code.strip()))
    hits = yield from _each("discounts_by_code", "c", wanted)
    return {code: hit["id"] for code, hit in hits.items()}


def by_mark(marks: Iterable[str]) -> Flow[dict[str, str]]:
    """Return the ids of the orders that bear these marks now, by mark."""
    wanted = list(dict.fromkeys(marks))
    try:
        hits = yield from _each("orders_by_key", "k", wanted)
    except NotFound:  # recorded: without a definition nothing can be looked up by it
        return {}
    return {mark: hit["id"] for mark, hit in hits.items()}


def _each(name: str, letter: str, wanted: Sequence[str]) -> Flow[dict[str, Doc]]:
    """Return what a document finds for each value; what nothing has is left out."""
    found: dict[str, Doc] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        piece = wanted[start : start + _AT_ONCE]
        variables: dict[str, object] = {f"w{n}": n < len(piece) for n in range(_AT_ONCE)}
        variables |= {f"{letter}{n}": value for n, value in enumerate(piece)}
        data = yield from call(name, variables)
        hits = ((value, data[f"p{n}"]) for n, value in enumerate(piece))
        found |= {value: hit for value, hit in hits if hit is not None}
    return found


def products_of(keys: Sequence[str], known: Mapping[str, str]) -> Flow[list[str]]:
    """Return the ids of products by their keys; `known` has ids by "product handle:tee".

    Raises:
        NotFound: if one is not there.
    """
    ids = {key: known.get(f"product {key}", "") for key in keys}
    lacking = [key for key, found in ids.items() if not found]
    if handles := values(lacking, "handle"):
        hits = yield from by_handle("products_by_handle", handles)
        ids |= {f"handle:{each}": hits.get(handle_form(each), "") for each in handles}
    for sku in values(lacking, "sku"):
        ids[f"sku:{sku}"] = next(iter((yield from by_sku([sku]))), "")
    ids |= {f"id:{each}": each for each in ids_of(lacking, "Product")}
    for key in keys:
        if not ids[key]:
            raise NotFound(f"there is no product {key}", fields={"products": key})
    return [ids[key] for key in keys]


def collections_of(handles: Sequence[str], known: Mapping[str, str]) -> Flow[list[str]]:
    """Return the ids of collections by handle; `known` has ids by "collection handle:summer".

    Raises:
        NotFound: if one is not there.
    """
    ids = {each: known.get(f"collection handle:{each}", "") for each in handles}
    if lacking := [handle for handle, found in ids.items() if not found]:
        hits = yield from by_handle("collections_by_handle", lacking)
        ids |= {each: hits.get(handle_form(each), "") for each in lacking}
    for handle in handles:
        if not ids[handle]:
            raise NotFound(f"there is no collection {handle!r}", fields={"collections": handle})
    return [ids[handle] for handle in handles]


def by_sku(skus: Sequence[str]) -> Flow[list[str]]:
    """Return the ids of the products that have a variant with any of these SKUs.

    Raises:
        BadAnswer: if the search brings what nobody asked for, page after page.
    """
    nodes = yield from _variants(skus)
    return list(dict.fromkeys(node["product"]["id"] for node in nodes))


def variants_of(skus: Iterable[str]) -> Flow[dict[str, str]]:
    """Return the ids of variants by SKU, of those SKUs that one variant has.

    Raises:
        BadAnswer: as `by_sku`.
    """
    wanted = list(dict.fromkeys(skus))
    found: dict[str, list[str]] = {}
    for node in (yield from _variants(wanted)):
        found.setdefault(normalize("NFC", node["sku"]), []).append(node["id"])
    ids = {sku: found.get(normalize("NFC", sku), ()) for sku in wanted}
    return {sku: held[0] for sku, held in ids.items() if len(held) == 1}


def _variants(skus: Iterable[str]) -> Flow[list[Doc]]:
    found: list[Doc] = []
    wanted = list(dict.fromkeys(form for sku in skus for form in _forms(sku)))
    for start in range(0, len(wanted), SKUS):
        piece = wanted[start : start + SKUS]
        query = any_of(term("sku", sku) for sku in piece)
        after: str | None = None
        while True:
            variables = {"first": 250, "after": after, "query": query}
            data = (yield from call("variants_by_sku", variables))["productVariants"]
            hits = [node for node in data["nodes"] if node["sku"] in piece]
            found += hits
            before, after = after, following(data["pageInfo"])
            if not after:
                break
            if not hits or after == before:
                raise BadAnswer("a search for SKUs brings what has none of them")
    return found


def _forms(sku: str) -> Iterator[str]:
    """Yield how a shop may hold a SKU: accents as one sign with their letter, or as their own.

    They look alike and count as one SKU; the search takes them for two.
    """
    yield sku
    if not sku.isascii():
        yield normalize("NFC", sku)
        yield normalize("NFD", sku)
