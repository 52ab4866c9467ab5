"""Translations: registered with the digest of the text that they translate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from storebridge.adapter import Change
from storebridge.errors import NotFound, Rejected
from storebridge.flow import Flow
from storebridge.models import Collection, Product, Translation
from storebridge_shopify.graphql import Doc, call, document
from storebridge_shopify.records import mutate
from storebridge_shopify.site import Facts

__all__ = ["calls", "digests", "read", "write"]

R = TypeVar("R", Product, Collection)

#: The keys of a resource's texts, by our names of the fields.
_KEYS = {
    "title": "title",
    "description_html": "body_html",
    "handle": "handle",
    "product_type": "product_type",
    "seo.title": "meta_title",
    "seo.description": "meta_description",
}
_FIELDS = {theirs: ours for ours, theirs in _KEYS.items()}
#: The most translations of a call (recorded answer: TOO_MANY_KEYS_FOR_RESOURCE).
_MOST = 100
_PAGE = 50


def read(records: Sequence[R], facts: Facts) -> Flow[list[R]]:
    """Return records with their translations into every language of the shop but its main one."""
    if not facts.scopes.has("read_translations"):
        return list(records)
    found: dict[str, list[Translation]] = {each.id: [] for each in records}
    for locale in facts.info.locales[1:]:
        for node in (yield from _resources([each.id for each in records], locale)):
            found[node["resourceId"]] += (
                Translation(locale=each["locale"], field=_FIELDS[each["key"]], value=each["value"])
                for each in node["translations"]
                if each["key"] in _FIELDS and each["value"] is not None
            )
    return [each.model_copy(update={"translations": tuple(found[each.id])}) for each in records]


def _resources(ids: Sequence[str], locale: str) -> Flow[list[Doc]]:
    found: list[Doc] = []
    for start in range(0, len(ids), _PAGE):
        variables = {"ids": ids[start : start + _PAGE], "first": _PAGE, "locale": locale}
        data = yield from call("translations", variables)
        found += data["translatableResourcesByIds"]["nodes"]
    return found


def write(change: Change[R], facts: Facts) -> Flow[None]:
    """Register translations, and remove those that are to go.

    Raises:
        Rejected: for a field that can't be translated, or has no text to translate.
    """
    known = yield from digests([change])
    for name, variables in calls(change, known):
        yield from mutate(name, document(name).mutation, variables, change)


def digests(changes: Sequence[Change[R]]) -> Flow[dict[str, dict[str, str]]]:
    """Return the digests of what some records have to translate: by record, by key."""
    wanted = [each for each in changes if each.desired.translations]
    if not wanted:
        return {}
    locale = wanted[0].desired.translations[0].locale
    return {
        node["resourceId"]: {each["key"]: each["digest"] for each in node["translatableContent"]}
        for node in (yield from _resources([each.record_id for each in wanted], locale))
    }


def calls(change: Change[R], known: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, Doc]]:
    """Yield the calls that make a change: documents and their variables.

    Raises:
        NotFound: if there is nothing to translate.
        Rejected: for a field that can't be translated, or has no text to translate.
    """
    resource, wanted = change.record_id, change.desired.translations
    if wanted and resource not in known:
        raise NotFound(f"there is nothing to translate of {resource}")
    rows = [_row(each, known[resource]) for each in wanted]
    for start in range(0, len(rows), _MOST):
        piece = {"resourceId": resource, "translations": rows[start : start + _MOST]}
        yield "translations_register", piece
    for key in change.removed.get("translations", ()):
        locale, _, name = key.partition(":")
        yield (
            "translations_remove",
            {"resourceId": resource, "keys": [_key(name)], "locales": [locale]},
        )


def _row(wanted: Translation, known: Mapping[str, str]) -> Doc:
    key = _key(wanted.field)
    if not known.get(key):
        raise Rejected(
            f"{wanted.field} is empty, so it can't be translated",
            fields={"translations": wanted.field},
            remedy="Give the text in the shop's own language first.",
        )
    return {
        "locale": wanted.locale,
        "key": key,
        "value": wanted.value,
        "translatableContentDigest": known[key],
    }


def _key(field: str) -> str:
    if field not in _KEYS:
        raise Rejected(
            f"Shopify translates no field {field!r}",
            fields={"translations": field},
            remedy=f"Give one of: {', '.join(_KEYS)}.",
        )
    return _KEYS[field]
