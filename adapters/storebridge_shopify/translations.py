"""Translations: registered with the digest of the text that they translate."""

from __future__ import annotations

from collections.abc import Sequence

from storebridge.adapter import Change
from storebridge.errors import NotFound, Rejected
from storebridge.flow import Flow
from storebridge.models import Product, Translation
from storebridge_shopify.graphql import Doc, call
from storebridge_shopify.records import mutate
from storebridge_shopify.site import Facts

__all__ = ["read", "write"]

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


def read(records: Sequence[Product], facts: Facts) -> Flow[list[Product]]:
    """Return products with their translations into every language of the shop but its main one."""
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


def write(change: Change[Product], facts: Facts) -> Flow[None]:
    """Register translations, and remove those that are to go.

    Raises:
        Rejected: for a field that can't be translated, or has no text to translate.
    """
    resource = change.record_id
    wanted = change.desired.translations
    if wanted:
        nodes = yield from _resources([resource], wanted[0].locale)
        if not nodes:
            raise NotFound(f"there is nothing to translate of {resource}")
        digests = {each["key"]: each["digest"] for each in nodes[0]["translatableContent"]}
        rows = [_row(each, digests) for each in wanted]
        for start in range(0, len(rows), _MOST):
            variables = {"resourceId": resource, "translations": rows[start : start + _MOST]}
            yield from mutate("translations_register", "translationsRegister", variables, change)
    for key in change.removed.get("translations", ()):
        locale, _, name = key.partition(":")
        gone = {"resourceId": resource, "keys": [_key(name)], "locales": [locale]}
        yield from mutate("translations_remove", "translationsRemove", gone, change)


def _row(wanted: Translation, digests: Doc) -> Doc:
    key = _key(wanted.field)
    if not digests.get(key):
        raise Rejected(
            f"{wanted.field} is empty, so it can't be translated",
            fields={"translations": wanted.field},
            remedy="Give the text in the shop's own language first.",
        )
    return {
        "locale": wanted.locale,
        "key": key,
        "value": wanted.value,
        "translatableContentDigest": digests[key],
    }


def _key(field: str) -> str:
    if field not in _KEYS:
        raise Rejected(
            f"Shopify translates no field {field!r} of a product",
            fields={"translations": field},
            remedy=f"Give one of: {', '.join(_KEYS)}.",
        )
    return _KEYS[field]
