"""Translations of the sandbox: what can be translated, with the SHA-256 of each original."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

from storebridge_shopify.sandbox_fields import (
    Info,
    Refused,
    connection,
    field,
    mutation,
    user_error,
)
from storebridge_shopify.sandbox_metafields import by_id, of_owner
from storebridge_shopify.sandbox_products import has_only_default, within
from storebridge_shopify.sandbox_state import Doc, State, split

__all__: list[str] = []

_MOST_KEYS = 100

Keys = dict[str, Callable[[Doc], Any]]


def _seo(name: str) -> Callable[[Doc], Any]:
    return lambda doc: (doc.get("seo") or {}).get(name)


_KEYS: dict[str, Keys] = {
    "Product": {
        "title": lambda doc: doc["title"],
        "body_html": lambda doc: doc["descriptionHtml"],
        "handle": lambda doc: doc["handle"],
        "product_type": lambda doc: doc["productType"],
        "meta_title": _seo("title"),
        "meta_description": _seo("description"),
    },
    "Collection": {
        "title": lambda doc: doc["title"],
        "body_html": lambda doc: doc["descriptionHtml"],
        "handle": lambda doc: doc["handle"],
        "meta_title": _seo("title"),
        "meta_description": _seo("description"),
    },
    "ProductOption": {"name": lambda doc: doc["name"]},
    "ProductOptionValue": {"name": lambda doc: doc["name"]},
    "Metafield": {"value": lambda doc: doc["value"]},
    "MediaImage": {"alt": lambda doc: doc["alt"]},
}
_TYPES = {
    "PRODUCT": "Product",
    "COLLECTION": "Collection",
    "PRODUCT_OPTION": "ProductOption",
    "PRODUCT_OPTION_VALUE": "ProductOptionValue",
    "METAFIELD": "Metafield",
    "MEDIA_IMAGE": "MediaImage",
}
_HTML = ("body_html",)
_URIS = ("handle",)


def _resource(state: State, id: str) -> Doc | None:
    kind = split(id)[0]
    if kind not in _KEYS:
        return None
    if kind == "Metafield":
        return by_id(state, id)
    if kind in ("ProductOption", "ProductOptionValue"):
        return next((each for each in within(state, id) if each["id"] == id), None)
    return state.get(id)


def _shown(doc: Doc) -> Doc:
    return {"id": doc["id"], "resourceId": doc["id"], "doc": doc}


def _originals(state: State, doc: Doc) -> Iterator[tuple[str, str]]:
    """Yield what of a resource can be translated; empty texts can't."""
    kind = split(doc["id"])[0]
    for key, of in _KEYS[kind].items():
        value = of(doc)
        if value:
            yield key, str(value)


def digest(text: str) -> str:
    """Return the digest of an original: SHA-256, in hexadecimal (479 of 479 recorded ones)."""
    return sha256(text.encode()).hexdigest()


# -- reading


@field("QueryRoot", "translatableResources")
def _resources(
    _root: Any,
    info: Info,
    resourceType: str,  # noqa: N803 - the API's name
    **arguments: Any,
) -> Doc:
    state, kind = info.context, _TYPES.get(resourceType, "")
    if kind in ("ProductOption", "ProductOptionValue"):
        found = (
            each
            for product in state.all("Product")
            for each in within(state, product["options"][0]["id"])
            if each["__typename"] == kind and not has_only_default(product)
        )
    elif kind == "Metafield":
        found = (m for product in state.all("Product") for m in of_owner(state, product["id"]))
    else:
        found = (each for each in state.all(kind))
    return connection(map(_shown, found), **arguments)


@field("QueryRoot", "translatableResource")
def _one(_root: Any, info: Info, resourceId: str) -> Doc | None:  # noqa: N803 - the API's name
    doc = _resource(info.context, resourceId)
    return _shown(doc) if doc else None


@field("QueryRoot", "translatableResourcesByIds")
def _by_ids(
    _root: Any,
    info: Info,
    resourceIds: list[str],  # noqa: N803 - the API's name
    **arguments: Any,
) -> Doc:
    found = (_resource(info.context, id) for id in resourceIds)
    return connection([_shown(doc) for doc in found if doc], **arguments)


@field("TranslatableResource", "translatableContent")
def _content(shown: Doc, info: Info, **_: Any) -> list[Doc]:
    primary = info.context.fact("locales")[0]["locale"]
    return [
        {
            "key": key,
            "value": value,
            "digest": digest(value),
            "locale": primary,
            "type": "HTML" if key in _HTML else "URI" if key in _URIS else "SINGLE_LINE_TEXT_FIELD",
        }
        for key, value in _originals(info.context, shown["doc"])
    ]


@field("TranslatableResource", "translations")
def _translations(
    shown: Doc,
    info: Info,
    locale: str,
    marketId: str | None = None,  # noqa: N803 - the API's name
    outdated: bool | None = None,
) -> list[Doc]:
    found = _kept(info.context, shown["doc"], locale, marketId)
    return [each for each in found if outdated is None or each["outdated"] == outdated]


@field("Product", "translations")
@field("Collection", "translations")
@field("ProductOption", "translations")
@field("ProductOptionValue", "translations")
@field("Metafield", "translations")
@field("MediaImage", "translations")
def _of_object(doc: Doc, info: Info, locale: str, marketId: str | None = None) -> list[Doc]:  # noqa: N803 - the API's name
    return _kept(info.context, doc, locale, marketId)


def _kept(state: State, doc: Doc, locale: str, market: str | None) -> list[Doc]:
    originals = dict(_originals(state, doc))
    sql = (
        "SELECT key, value, digest, updated FROM translations "
        "WHERE resource = ? AND locale = ? AND market = ? ORDER BY key"
    )
    return [
        {
            "key": key,
            "locale": locale,
            "value": value,
            "outdated": made_of != digest(originals.get(key, "")),
            "updatedAt": updated,
            "market": state.get(market or ""),
        }
        for key, value, made_of, updated in state.rows(sql, doc["id"], locale, market or "")
    ]


@field("TranslatableResource", "nestedTranslatableResources")
def _nested(
    shown: Doc,
    info: Info,
    resourceType: str | None = None,  # noqa: N803 - the API's name
    **arguments: Any,
) -> Doc:
    state, doc = info.context, shown["doc"]
    found: list[Doc] = []
    if split(doc["id"])[0] == "Product":
        if not has_only_default(doc):
            found += within(state, doc["options"][0]["id"])
        found += of_owner(state, doc["id"])
        found += (each for id in doc["media"] if (each := state.get(id, "MediaImage")))
    elif split(doc["id"])[0] == "ProductOption":
        found += ({**value, "__typename": "ProductOptionValue"} for value in doc["optionValues"])
    wanted = _TYPES.get(resourceType or "")
    return connection(
        [_shown(each) for each in found if wanted in (None, split(each["id"])[0])], **arguments
    )


# -- writing


@mutation("translationsRegister")
def _register(state: State, resourceId: str, translations: list[Doc]) -> Doc:  # noqa: N803 - the API's name
    doc = _named(state, resourceId)
    if len({each["key"] for each in translations}) > _MOST_KEYS or len(translations) > _MOST_KEYS:
        text = f"Too many keys for resource - maximum {_MOST_KEYS} per mutation"
        raise Refused(user_error(["resourceId"], text, "TOO_MANY_KEYS_FOR_RESOURCE"))
    errors = []
    for at, each in enumerate(translations):
        errors += _wrong(state, doc, each, ("translations", at))
    if errors:
        raise Refused(*errors)
    for each in translations:
        row = (doc["id"], each["locale"], each.get("marketId") or "", each["key"], each["value"],
               each["translatableContentDigest"], state.now())  # fmt: skip
        state.run("INSERT OR REPLACE INTO translations VALUES (?, ?, ?, ?, ?, ?, ?)", *row)
    locales = dict.fromkeys((each["locale"], each.get("marketId")) for each in translations)
    keys = {each["key"] for each in translations}
    found = [row for one in locales for row in _kept(state, doc, *one) if row["key"] in keys]
    return {"translations": found}


def _named(state: State, id: str) -> Doc:
    doc = _resource(state, id)
    if doc is None:
        text = f"Resource {id} does not exist"
        raise Refused(user_error(["resourceId"], text, "RESOURCE_NOT_FOUND"))
    return doc


def _wrong(state: State, doc: Doc, given: Doc, path: tuple[str | int, ...]) -> list[Doc]:
    locales = {each["locale"]: each for each in state.fact("locales")}
    if given["locale"] not in locales:
        text = "Locale is not a valid locale for the shop"
        return [user_error([*path, "locale"], text, "INVALID_LOCALE_FOR_SHOP")]
    if locales[given["locale"]]["primary"] and not given.get("marketId"):
        text = "Locale cannot be the same as the shop's primary locale"
        return [user_error([*path, "locale"], text, "INVALID_LOCALE_FOR_SHOP")]
    if given.get("marketId") and state.get(given["marketId"], "Market") is None:
        text = "The market corresponding to the `marketId` argument doesn't exist"
        return [user_error([*path, "marketId"], text, "MARKET_DOES_NOT_EXIST")]
    if given["key"] not in _KEYS[split(doc["id"])[0]]:
        text = f"Key {given['key']} is not a valid translatable field"
        return [user_error([*path, "key"], text, "INVALID_KEY_FOR_MODEL")]
    original = dict(_originals(state, doc)).get(given["key"], "")
    if given["translatableContentDigest"] != digest(original):
        text = "Translatable content hash is invalid"
        where = [*path, "translatableContentDigest"]
        return [user_error(where, text, "INVALID_TRANSLATABLE_CONTENT")]
    return _bad_value(given, original, path)


def _bad_value(given: Doc, original: str, path: tuple[str | int, ...]) -> list[Doc]:
    value = given["value"]
    text = ""
    if not value.strip():
        text = "Value can't be blank"
    elif value == original:
        text = "Value cannot match original content"
    elif given["key"] == "handle" and len(value) > 255:
        text = (
            'Value fails validation on resource: ["Handle is too long (maximum is 255 characters)"]'
        )
    return [user_error([*path, "value"], text, "FAILS_RESOURCE_VALIDATION")] if text else []


@mutation("translationsRemove")
def _remove(
    state: State,
    resourceId: str,  # noqa: N803 - the API's name
    translationKeys: list[str],  # noqa: N803 - the API's name
    locales: list[str],
    marketIds: list[str] | None = None,  # noqa: N803 - the API's name
) -> Doc:
    doc = _named(state, resourceId)
    gone = []
    for locale in locales:
        for market in marketIds or [""]:
            for each in _kept(state, doc, locale, market):
                if each["key"] in translationKeys:
                    gone.append(each)
                    sql = "DELETE FROM translations WHERE resource = ? AND locale = ? AND market = ? AND key = ?"  # noqa: E501 - one statement
                    state.run(sql, doc["id"], locale, market, each["key"])
    return {"translations": gone or None}


# -- languages


@field("QueryRoot", "shopLocales")
def _locales(_root: Any, info: Info, published: bool | None = None) -> list[Doc]:
    locales: list[Doc] = info.context.fact("locales")
    return [
        {**each, "name": each["locale"]}
        for each in locales
        if published is None or each["published"] == published
    ]


@mutation("shopLocaleEnable")
def _enable(state: State, locale: str, **_: Any) -> Doc:
    locales: list[Doc] = state.fact("locales")
    if any(each["locale"] == locale for each in locales):
        raise Refused(user_error(["locale"], "Locale has already been taken"))
    if len(locales) >= 20:
        text = f"Your store has reached its 20 language limit. To add {locale}, delete one of your other languages."  # noqa: E501 - the platform's words
        raise Refused(user_error(None, text))
    made = {"locale": locale, "primary": False, "published": False}
    state.set_fact("locales", [*locales, made])
    return {"shopLocale": {**made, "name": locale}}


@mutation("shopLocaleUpdate")
def _update(state: State, locale: str, shopLocale: Doc) -> Doc:  # noqa: N803 - the API's name
    locales: list[Doc] = state.fact("locales")
    found = next((each for each in locales if each["locale"] == locale), None)
    if found is None:
        raise Refused(user_error(["locale"], "The locale doesn't exist."))
    if found["primary"]:
        text = "The primary locale of your store can't be changed through this endpoint."
        raise Refused(user_error(["locale"], text))
    found["published"] = shopLocale.get("published", found["published"])
    state.set_fact("locales", locales)
    return {"shopLocale": {**found, "name": locale}}
