"""Collections and publications of the sandbox.

New ones are published nowhere. Adding and removing are jobs that have to be asked after.
"""

from __future__ import annotations

from typing import Any

from storebridge_shopify.sandbox_fields import (
    Info,
    Refused,
    connection,
    field,
    job,
    mutation,
    user_error,
)
from storebridge_shopify.sandbox_members import (
    collections_of,
    in_order,
    is_sound,
    join,
    leave,
    product_ids,
)
from storebridge_shopify.sandbox_metafields import set_metafields
from storebridge_shopify.sandbox_search import Listing
from storebridge_shopify.sandbox_state import Doc, State, gid, split
from storebridge_shopify.sandbox_writing import refuse

COLLECTIONS = Listing(
    "Collection",
    "collections",
    {
        "id": lambda _state, doc: split(doc["id"])[1],
        "handle": lambda _state, doc: doc["handle"],
        "title": lambda _state, doc: doc["title"],
        "collection_type": lambda _state, doc: "smart" if doc["ruleSet"] else "custom",
        "updated_at": lambda _state, doc: doc["updatedAt"],
        "product_id": lambda state, doc: [split(id)[1] for id in product_ids(state, doc)],
    },
    {"TITLE": lambda _state, doc: doc["title"].lower()},
    frozenset({"handle"}),
)


# -- reading


@field("QueryRoot", "collections")
def _collections(_root: Any, info: Info, **arguments: Any) -> Doc:
    return COLLECTIONS.page(info.context, **arguments)


@field("QueryRoot", "collectionsCount")
def _how_many(_root: Any, info: Info, query: str | None = None, **_: Any) -> Doc:
    return {"count": COLLECTIONS.count(info.context, query), "precision": "EXACT"}


@field("QueryRoot", "collection")
def _collection(_root: Any, info: Info, id: str) -> Doc | None:
    return info.context.get(id, "Collection")


@field("QueryRoot", "collectionByIdentifier")
def _by_identifier(_root: Any, info: Info, identifier: Doc) -> Doc | None:
    if "id" in identifier:
        return info.context.get(identifier["id"], "Collection")
    held = info.context.holders("Collection", "handle", identifier.get("handle", "").lower())
    return info.context.get(held[0]) if held else None


@field("Product", "collections")
def _of_product(doc: Doc, info: Info, **arguments: Any) -> Doc:
    return connection(collections_of(info.context, doc["id"]), **arguments)


@field("Product", "inCollection")
def _in_collection(doc: Doc, info: Info, id: str) -> bool:
    return id in (each["id"] for each in collections_of(info.context, doc["id"]))


@field("Collection", "products")
def _products(doc: Doc, info: Info, **arguments: Any) -> Doc:
    found = (info.context.get(id) for id in product_ids(info.context, doc))
    products = [each for each in found if each]
    return connection(in_order(info.context, doc["sortOrder"], products), **arguments)


@field("Collection", "productsCount")
def _count(doc: Doc, info: Info) -> Doc:
    return {"count": len(product_ids(info.context, doc)), "precision": "EXACT"}


@field("Collection", "hasProduct")
def _has(doc: Doc, info: Info, id: str) -> bool:
    return id in product_ids(info.context, doc)


@field("CollectionRule", "conditionObject")
def _condition(doc: Doc, info: Info) -> Doc | None:
    definition = info.context.get(doc.get("conditionObjectId") or "", "MetafieldDefinition")
    if definition is None:
        return None
    kind = "CollectionRuleMetafieldCondition"
    return {"__typename": kind, "metafieldDefinition": definition}


# -- writing


@mutation("collectionCreate")
def _create(state: State, input: Doc) -> Doc:
    if input.get("id"):
        raise Refused(user_error(["id"], "id cannot be specified on collection creation"))
    if not (input.get("title") or "").strip():
        raise Refused(user_error(["title"], "Title can't be blank"))
    doc = state.add("Collection", {"title": "", "handle": "", "descriptionHtml": "",
                                   "sortOrder": "BEST_SELLING", "templateSuffix": None,
                                   "seo": {"title": None, "description": None},
                                   "image": None, "ruleSet": None})  # fmt: skip
    _apply(state, doc, input)
    _members(state, doc, input)
    return {"collection": doc}


@mutation("collectionUpdate")
def _update(state: State, input: Doc) -> Doc:
    doc = state.get(input.get("id") or "", "Collection")
    if doc is None:
        raise Refused(user_error(None, "Collection does not exist"))
    if "ruleSet" in input and input["ruleSet"] and not doc["ruleSet"]:
        raise Refused(user_error(["id"], "Cannot update rule set of a custom collection"))
    if "title" in input and not (input["title"] or "").strip():
        raise Refused(user_error(["title"], "Title can't be blank"))
    _apply(state, doc, input)
    return {"collection": doc, "job": job(state) if input.get("ruleSet") else None}


def _check_rule(rule: Doc) -> None:
    text = ""
    if rule["column"].endswith("_METAFIELD_DEFINITION") and not rule.get("conditionObjectId"):
        text = "Rules must have a condition object"
    if not is_sound(rule):
        text = "Condition is not a number"  # the words aren't recorded
    if text:
        raise Refused(user_error(["ruleSet", "rules"], text))


def _apply(state: State, doc: Doc, given: Doc) -> None:
    if len(given.get("title") or "") > 255:
        raise Refused(user_error(["title"], "Title is too long (maximum is 255 characters)"))
    for name in ("title", "descriptionHtml", "sortOrder", "templateSuffix"):
        if given.get(name) is not None:
            doc[name] = given[name]
    if "seo" in given:
        doc["seo"] = {**doc["seo"], **(given["seo"] or {"title": None, "description": None})}
    if "image" in given:
        doc["image"] = _image(state, doc, given["image"])
    if given.get("ruleSet"):
        if not given["ruleSet"].get("rules"):
            raise Refused(user_error(["ruleSet", "rules"], "Rules cannot be an empty set"))
        for rule in given["ruleSet"]["rules"]:
            _check_rule(rule)
        doc["ruleSet"] = given["ruleSet"]
    if given.get("handle") or not doc["handle"]:
        doc["handle"] = _handle(state, doc, given.get("handle"))
    state.save(doc)
    smart = ["1"] if doc["ruleSet"] else []
    state.index(doc["id"], {"handle": [doc["handle"]], "smart": smart})
    if given.get("metafields"):
        refuse(set_metafields(state, doc["id"], given["metafields"], ("metafields",)))


def _image(state: State, doc: Doc, given: Doc | None) -> Doc | None:
    held = doc["image"]
    if given and held and given.get("id") == held["id"] and not given.get("src"):
        return {**held, "altText": given.get("altText")}
    if given is None or not given.get("src"):
        return None
    name = given["src"].partition("?")[0].rpartition("/")[2]
    url = f"https://cdn.shopify.com/s/files/1/0001/collections/{name}"
    id = gid("CollectionImage", state.number())
    return {"id": id, "url": url, "altText": given.get("altText"), "source": given["src"]}


def _handle(state: State, doc: Doc, given: str | None) -> str:
    """Return a handle: as for products, but a taken one gets a number."""
    import re

    wanted = re.sub(r"[\W_]+", "-", (given or doc["title"]).strip().lower()).strip("-")
    found, count = wanted or "collection", 0
    while any(id != doc["id"] for id in state.holders("Collection", "handle", found)):
        count += 1
        found = f"{wanted}-{count}"
    return found


def _members(state: State, doc: Doc, given: Doc) -> None:
    for at, id in enumerate(given.get("products") or ()):
        if state.get(id, "Product") is None:
            raise Refused(user_error(["products", at], "Product does not exist"))
        join(state, doc["id"], id)


@mutation("collectionDelete")
def _delete(state: State, input: Doc) -> Doc:
    doc = state.get(input["id"], "Collection")
    if doc is None:
        raise Refused(user_error(["id"], "Collection does not exist"))
    state.delete(doc["id"])
    return {"deletedCollectionId": doc["id"], "shop": state.fact("shop")}


@mutation("collectionAddProductsV2")
def _add(state: State, id: str, productIds: list[str]) -> Doc:  # noqa: N803 - the API's name
    doc = state.get(id, "Collection")
    if doc is None:
        text = "Collection does not exist"
        raise Refused(user_error(["id"], text, "COLLECTION_DOES_NOT_EXIST"))
    if doc["ruleSet"]:
        text = "Can't manually add products to a smart collection"
        raise Refused(user_error(["id"], text, "CANT_ADD_TO_SMART_COLLECTION"))
    for product in productIds:
        if state.get(product, "Product"):
            join(state, id, product)
    state.save(doc)
    return {"job": job(state)}


@mutation("collectionRemoveProducts")
def _remove(state: State, id: str, productIds: list[str]) -> Doc:  # noqa: N803 - the API's name
    doc = state.get(id, "Collection")
    if doc is None:
        raise Refused(user_error(["id"], "Collection does not exist"))
    if doc["ruleSet"]:
        text = "Can't manually remove products from a smart collection"
        raise Refused(user_error(["id"], text))
    for product in productIds:
        leave(state, id, product)
    state.save(doc)
    return {"job": job(state)}


@mutation("collectionReorderProducts")
def _reorder(state: State, id: str, moves: list[Doc]) -> Doc:
    doc = state.get(id, "Collection")
    if doc is None:
        raise Refused(user_error(["id"], "Collection does not exist", "COLLECTION_NOT_FOUND"))
    if doc["ruleSet"] or doc["sortOrder"] != "MANUAL":
        text = "Can't reorder products unless collection is manually sorted"
        raise Refused(user_error(["id"], text, "MANUALLY_SORTED_COLLECTION"))
    order = product_ids(state, doc)
    for at, each in enumerate(moves):
        if each["id"] not in order:
            text = "Product is not in the collection"
            raise Refused(user_error(["moves", at, "id"], text, "INVALID_MOVE"))
        order.remove(each["id"])
        order.insert(int(each["newPosition"]), each["id"])
    sql = "UPDATE members SET place = ? WHERE collection = ? AND product = ?"
    for place, product in enumerate(order):
        state.run(sql, place, id, product)
    return {"job": job(state)}


# -- publications


@mutation("publishablePublish")
def _publish(state: State, id: str, input: list[Doc]) -> Doc:
    doc = _publishable(state, id, input)
    for at, each in enumerate(input):
        date = str(each.get("publishDate") or state.now())
        publication = state.get(each["publicationId"]) or {}
        if date > state.now() and not publication["future"]:
            text = "Publication does not support future publishing"
            raise Refused(user_error(["input", at, "publishDate"], text))
        sql = "INSERT OR REPLACE INTO published VALUES (?, ?, ?)"
        state.run(sql, id, each["publicationId"], date)
    return {"publishable": doc, "shop": state.fact("shop")}


@mutation("publishableUnpublish")
def _unpublish(state: State, id: str, input: list[Doc]) -> Doc:
    doc = _publishable(state, id, input)
    for each in input:
        sql = "DELETE FROM published WHERE resource = ? AND publication = ?"
        state.run(sql, id, each["publicationId"])
    return {"publishable": doc, "shop": state.fact("shop")}


def _publishable(state: State, id: str, given: list[Doc]) -> Doc:
    doc = state.get(id, "Product", "Collection")
    if doc is None:
        raise Refused(user_error(["id"], "Resource does not exist"))
    seen = set()
    for at, each in enumerate(given):
        path = ["input", at, "publicationId"]
        wanted = each.get("publicationId")
        if not wanted:
            raise Refused(user_error(path, "PublicationId cannot be empty"))
        if wanted in seen:
            raise Refused(user_error(path, "The same publication was specified more than once"))
        if state.get(wanted, "Publication") is None:
            text = "Publication does not exist or is not publishable"
            raise Refused(user_error(path, text))
        seen.add(wanted)
    return doc


@field("Product", "resourcePublications", "resourcePublicationsV2")
@field("Collection", "resourcePublications", "resourcePublicationsV2")
def _publications(
    doc: Doc,
    info: Info,
    onlyPublished: bool = True,  # noqa: N803 - the API's name
    **arguments: Any,
) -> Doc:
    from storebridge_shopify.sandbox_shop import publication

    state, found = info.context, []
    sql = "SELECT publication, at FROM published WHERE resource = ? ORDER BY publication"
    for id, at in state.rows(sql, doc["id"]):
        row = {"publication": publication(state.get(id) or {}), "publishDate": at,
               "isPublished": at <= state.now(), "publishable": doc}  # fmt: skip
        if row["isPublished"] or not onlyPublished:
            found.append(row)
    return connection(found, **arguments)


@field("Product", "publishedOnPublication")
@field("Collection", "publishedOnPublication")
def _on_publication(doc: Doc, info: Info, publicationId: str) -> bool:  # noqa: N803 - the API's name
    sql = "SELECT at FROM published WHERE resource = ? AND publication = ?"
    at = info.context.one(sql, doc["id"], publicationId)
    return at is not None and at <= info.context.now()
