"""The other mutations of products and variants: their errors mostly have no code (recorded)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storebridge_shopify.sandbox_fields import Refused, job, mutation, user_error
from storebridge_shopify.sandbox_media import add_media
from storebridge_shopify.sandbox_metafields import set_metafields
from storebridge_shopify.sandbox_product_set import single
from storebridge_shopify.sandbox_products import (
    has_only_default,
    identified,
    of_product,
    title_of,
)
from storebridge_shopify.sandbox_state import Doc, State, split
from storebridge_shopify.sandbox_writing import (
    add_variant,
    apply_common,
    change_variant,
    check_lengths,
    drop_product,
    drop_unused,
    drop_variant,
    index_product,
    new_product,
    option,
    refuse,
    set_handle,
    tags_of,
    value_of,
)

__all__ = ["finish"]

_MOST_VARIANTS = 2048


def _plain(name: str, text: str) -> Doc:
    return user_error([name], text)


@mutation("productCreate")
def _create(
    state: State, product: Doc | None = None, input: Doc | None = None, media: Any = None
) -> Doc:
    given = _exactly_one(product, input, "productCreate")
    if not (given.get("title") or "").strip():
        raise Refused(_plain("title", "Title can't be blank"))
    refuse(check_lengths(given, _plain))
    doc = new_product(state, given["title"])
    apply_common(state, doc, given)
    set_handle(state, doc, given, fresh=True)
    options = given.get("productOptions") or ()
    if options:
        _first_variant(state, doc, options)
    else:
        single(state, doc)
    add_media(state, doc, media or (), ("media",))
    _finish(state, doc, given)
    return {"product": doc}


def _exactly_one(product: Doc | None, input: Doc | None, name: str) -> Doc:
    from storebridge_shopify.sandbox_fields import TopError

    if (product is None) == (input is None):
        text = f"{name} must include exactly one of the following arguments: input, product."
        raise TopError("INVALID_FIELD_ARGUMENTS", text)
    found = product if product is not None else input
    assert found is not None
    return found


def _first_variant(state: State, doc: Doc, options: Sequence[Doc]) -> None:
    """Make the options, and the one variant of their first values."""
    values = []
    for each in options:
        if " / " in (each.get("name") or ""):
            text = 'Name cannot contain the character sequence " / "'
            raise Refused(_plain("options", text))
        made = option(state, each["name"])
        doc["options"].append(made)
        values.append(value_of(state, made, each["values"][0]["name"]))
    add_variant(state, doc, values, None)


def _finish(state: State, doc: Doc, given: Doc) -> None:
    from storebridge_shopify.sandbox_members import join, leave

    index_product(state, doc)
    state.save(doc)
    for id in given.get("collectionsToJoin") or ():
        join(state, id, doc["id"])
    for id in given.get("collectionsToLeave") or ():
        leave(state, id, doc["id"])
    if given.get("metafields"):
        refuse(set_metafields(state, doc["id"], given["metafields"], ("metafields",)))


@mutation("productUpdate")
def _update(
    state: State,
    product: Doc | None = None,
    input: Doc | None = None,
    media: Any = None,
    identifier: Doc | None = None,
) -> Doc:
    given = _exactly_one(product, input, "productUpdate")
    wanted = identifier or {"id": given.get("id") or ""}
    doc = identified(state, wanted)
    if doc is None:
        raise Refused(_plain("id", "Product does not exist"))
    if "title" in given and not (given["title"] or "").strip():
        raise Refused(_plain("title", "Title can't be blank"))
    refuse(check_lengths(given, _plain))
    apply_common(state, doc, given)
    set_handle(state, doc, given, fresh=False)
    add_media(state, doc, media or (), ("media",))
    _finish(state, doc, given)
    return {"product": doc}


@mutation("productDelete")
def _delete(state: State, input: Doc, synchronous: bool = True) -> Doc:
    doc = state.get(input["id"], "Product")
    if doc is None:
        raise Refused(_plain("id", "Product does not exist"))
    for (number,) in state.rows("SELECT object FROM work WHERE kind LIKE 'product%'"):
        other = state.get(f"gid://shopify/ProductSetOperation/{number}") or {}
        if (other.get("given") or {}).get("input", {}).get("id") == doc["id"]:
            text = (
                "Another operation already in progress. Please wait until current one is finished."
            )
            raise Refused(user_error(None, text))
    if not synchronous:
        made = state.add(
            "ProductDeleteOperation", {**state.begun(), "product": doc["id"], "said": None}
        )
        state.run("INSERT INTO work VALUES (?, 'productDelete')", split(made["id"])[1])
        return {"productDeleteOperation": made}
    drop_product(state, doc)
    return {"deletedProductId": doc["id"], "shop": state.fact("shop")}


def finish(state: State, doc: Doc) -> bool:
    """Carry out a deletion once it is due; return whether it was."""
    if state.age(doc) != "done":
        return False
    product = state.get(doc["product"])
    if product is not None:
        drop_product(state, product)
    doc["said"] = {"deleted": doc["product"] if product else None, "userErrors": []}
    state.save(doc)
    return True


@mutation("tagsAdd")
def _tags_add(state: State, id: str, tags: list[str]) -> Doc:
    doc = _tagged(state, id)
    doc["tags"] = tags_of([*doc["tags"], *tags])
    state.save(doc)
    return {"node": doc}


@mutation("tagsRemove")
def _tags_remove(state: State, id: str, tags: list[str]) -> Doc:
    doc = _tagged(state, id)
    gone = {tag.lower() for tag in tags_of(tags)}
    doc["tags"] = [tag for tag in doc["tags"] if tag.lower() not in gone]
    state.save(doc)
    return {"node": doc}


def _tagged(state: State, id: str) -> Doc:
    doc = state.get(id, "Product", "Customer", "Order")
    if doc is None:
        raise Refused(_plain("id", f"{split(id)[0] or 'Product'} does not exist"))
    return doc


# -- variants


def _product(state: State, id: str) -> Doc:
    doc = state.get(id, "Product")
    if doc is None:
        text = "Product does not exist"
        raise Refused(user_error(["productId"], text, "PRODUCT_DOES_NOT_EXIST"))
    return doc


@mutation("productVariantsBulkCreate")
def _variants_create(
    state: State,
    productId: str,  # noqa: N803 - the API's name
    variants: list[Doc],
    strategy: str = "DEFAULT",
    media: Any = None,
) -> Doc:
    doc = _product(state, productId)
    alone = has_only_default(doc) and len(doc["variants"]) == 1
    remove = strategy == "REMOVE_STANDALONE_VARIANT" or (strategy == "DEFAULT" and alone)
    standalone = doc["variants"][0] if len(doc["variants"]) == 1 and remove else None
    add_media(state, doc, media or (), ("media",))
    made: list[Doc] = []
    errors: list[Doc] = []
    taken = {title_of(each) for each in of_product(state, doc) if each["id"] != standalone}
    for at, each in enumerate(variants):
        path = ("variants", at)
        values, wrong = _chosen(state, doc, each, path)
        title = " / ".join(value["name"] for value in values)
        if not wrong and title in taken:
            text = f"The variant '{title}' already exists. Please change at least one option value."
            code = "VARIANT_ALREADY_EXISTS_CHANGE_OPTION_VALUE"
            wrong = [user_error(path, text, code)]
        taken.add(title)
        wrong = wrong or _unknown_location(state, each, title, path)
        errors += wrong
        if wrong:
            continue
        levels = {
            one["locationId"]: one["availableQuantity"]
            for one in each.get("inventoryQuantities") or ()
        }
        variant = add_variant(state, doc, values, levels)
        errors += _changed(state, doc, variant, each, path)
        made.append(variant)
    refuse(errors)
    if standalone is not None:
        drop_variant(state, doc, standalone)
        drop_unused(state, doc)
    if len(doc["variants"]) > _MOST_VARIANTS:
        text = f"The limit of {_MOST_VARIANTS} variants was exceeded"
        raise Refused(user_error(["variants"], text, "INVALID"))
    index_product(state, doc)
    state.save(doc)
    return {"product": doc, "productVariants": made}


def _unknown_location(state: State, given: Doc, title: str, path: tuple[str | int, ...]) -> Any:
    for each in given.get("inventoryQuantities") or ():
        if state.get(each["locationId"], "Location") is None:
            text = f"Quantity for {title} couldn't be set because the location was deleted."
            where = [*path, "inventoryQuantities"]
            return [user_error(where, text, "TRACKED_VARIANT_LOCATION_NOT_FOUND")]
    return []


def _chosen(
    state: State, doc: Doc, given: Doc, path: tuple[str | int, ...]
) -> tuple[list[Doc], list[Doc]]:
    """Return a variant's values; new names make new values (recorded)."""
    options = {each["name"]: each for each in doc["options"]}
    by_id = {each["id"]: each for each in doc["options"]}
    chosen: dict[str, Doc] = {}
    for at, each in enumerate(given.get("optionValues") or ()):
        own = options.get(each.get("optionName") or "") or by_id.get(each.get("optionId") or "")
        if own is None:
            where = [*path, "optionValues", at]
            return [], [user_error(where, "Option does not exist", "INVALID_INPUT")]
        if own["name"] in chosen:
            text = f"Duplicated option name '{own['name']}'"
            return [], [user_error([*path, "optionValues"], text, "INVALID_INPUT")]
        known = [value for value in own["optionValues"] if value["id"] == each.get("id")]
        chosen[own["name"]] = known[0] if known else value_of(state, own, each["name"])
    missing = [name for name in options if name not in chosen]
    if missing:
        text = f"You need to add option values for {', '.join(missing)}"
        return [], [user_error(path, text, "NEED_TO_ADD_OPTION_VALUES")]
    return [chosen[name] for name in options], []


def _changed(
    state: State, doc: Doc, variant: Doc, given: Doc, path: tuple[str | int, ...]
) -> list[Doc]:
    """Set what an input gives for a variant, its media and metafields too."""
    if given.get("mediaId"):
        if given["mediaId"] not in doc["media"]:
            text = "Media does not exist on the product"
            return [user_error([*path, "mediaId"], text, "INVALID")]
        variant["media"] = [given["mediaId"]]
    errors = change_variant(state, variant, given, path)
    if given.get("metafields") and not errors:
        where = (*path, "metafields")
        errors = set_metafields(state, variant["id"], given["metafields"], where)
    return errors


@mutation("productVariantsBulkUpdate")
def _variants_update(
    state: State,
    productId: str,  # noqa: N803 - the API's name
    variants: list[Doc],
    allowPartialUpdates: bool = False,  # noqa: N803 - the API's name
    media: Any = None,
) -> Doc:
    doc = _product(state, productId)
    add_media(state, doc, media or (), ("media",))
    found: list[Doc] = []
    errors: list[Doc] = []
    for at, each in enumerate(variants):
        path = ("variants", at)
        variant, wrong = _known(state, doc, each, path)
        if variant is not None and not wrong:
            state.run("SAVEPOINT variant")
            wrong = _updated(state, doc, variant, each, path)
            if wrong:
                state.run("ROLLBACK TO variant")
            state.run("RELEASE variant")
        errors += wrong
        if variant is not None and not wrong:
            found.append(variant)
    if errors and not allowPartialUpdates:
        raise Refused(*errors, product=doc)
    index_product(state, doc)
    state.save(doc)
    return {"product": doc, "productVariants": found, "userErrors": errors}


def _known(
    state: State, doc: Doc, given: Doc, path: tuple[str | int, ...]
) -> tuple[Doc | None, list[Doc]]:
    if not given.get("id"):
        text = "Product variant is missing ID attribute"
        return None, [user_error([*path, "id"], text, "PRODUCT_VARIANT_ID_MISSING")]
    variant = state.get(given["id"], "ProductVariant")
    if variant is None or variant["id"] not in doc["variants"]:
        text = "Product variant does not exist"
        return None, [user_error([*path, "id"], text, "PRODUCT_VARIANT_DOES_NOT_EXIST")]
    if given.get("inventoryQuantities"):
        text = "Inventory quantities can only be provided during create. To update inventory for existing variants, use inventoryAdjustQuantities."  # noqa: E501 - the platform's words
        code = "NO_INVENTORY_QUANTITIES_ON_VARIANTS_UPDATE"
        return None, [user_error([*path, "inventoryQuantities"], text, code)]
    return variant, []


def _updated(
    state: State, doc: Doc, variant: Doc, given: Doc, path: tuple[str | int, ...]
) -> list[Doc]:
    if given.get("optionValues"):
        names = [each["name"] for each in doc["options"]]
        now = dict(zip(names, variant["values"], strict=True))
        for at, each in enumerate(given["optionValues"]):
            wanted = (each.get("optionName"), each.get("optionId"))
            options = [o for o in doc["options"] if o["name"] == wanted[0] or o["id"] == wanted[1]]
            if not options:
                where = [*path, "optionValues", at]
                return [user_error(where, "Option does not exist", "OPTION_DOES_NOT_EXIST")]
            now[options[0]["name"]] = value_of(state, options[0], each["name"])
        variant["values"] = [now[name] for name in names]
        others = {title_of(each) for each in of_product(state, doc) if each["id"] != variant["id"]}
        if title_of(variant) in others:
            text = f"The variant '{title_of(variant)}' already exists. Please change at least one option value."  # noqa: E501 - the platform's words
            return [user_error(path, text, "VARIANT_ALREADY_EXISTS")]
        state.save(variant)
        drop_unused(state, doc)
    return _changed(state, doc, variant, given, path)


@mutation("productVariantsBulkDelete")
def _variants_delete(state: State, productId: str, variantsIds: list[str]) -> Doc:  # noqa: N803 - the API's names
    doc = _product(state, productId)
    text = "At least one variant does not belong to the product"
    code = "AT_LEAST_ONE_VARIANT_DOES_NOT_BELONG_TO_THE_PRODUCT"
    refuse([
        user_error(["variantsIds", at], text, code)
        for at, id in enumerate(variantsIds) if id not in doc["variants"]
    ])  # fmt: skip
    if len(set(variantsIds)) == len(doc["variants"]):
        text = "Cannot delete the last variant of a product"
        raise Refused(user_error(["variantsIds"], text, "CANNOT_DELETE_LAST_VARIANT"))
    for id in dict.fromkeys(variantsIds):
        drop_variant(state, doc, id)
    drop_unused(state, doc)
    index_product(state, doc)
    state.save(doc)
    return {"product": doc}


@mutation("productVariantsBulkReorder")
def _variants_reorder(state: State, productId: str, positions: list[Doc]) -> Doc:  # noqa: N803 - the API's name
    doc = _product(state, productId)
    for each in positions:
        if each["id"] not in doc["variants"]:
            text = "Product variant does not exist"
            raise Refused(user_error(["positions"], text, "MISSING_VARIANT"))
    for each in sorted(positions, key=lambda one: int(one["position"])):
        doc["variants"].remove(each["id"])
        doc["variants"].insert(each["position"] - 1, each["id"])
    state.save(doc)
    return {"product": doc}


@mutation("productOptionsCreate")
def _options_create(
    state: State,
    productId: str,  # noqa: N803 - the API's name
    options: list[Doc],
    variantStrategy: str = "LEAVE_AS_IS",  # noqa: N803 - the API's name
) -> Doc:
    doc = _product(state, productId)
    if has_only_default(doc):
        doc["options"] = []
    for each in options:
        made = option(state, each["name"])
        values = [value_of(state, made, value["name"]) for value in each["values"]]
        for variant in of_product(state, doc):
            old = variant["values"] if doc["options"] else []
            variant["values"] = [*old, values[0]]
            state.save(variant)
        doc["options"].append(made)
    index_product(state, doc)
    state.save(doc)
    return {"product": doc}


@mutation("productReorderMedia", "mediaUserErrors")
def _media_reorder(state: State, id: str, moves: list[Doc]) -> Doc:
    doc = state.get(id, "Product")
    if doc is None:
        raise Refused(user_error(["id"], "Product does not exist", "PRODUCT_DOES_NOT_EXIST"))
    for each in moves:
        if each["id"] not in doc["media"]:
            raise Refused(user_error(["moves"], "Media does not exist", "MEDIA_DOES_NOT_EXIST"))
        doc["media"].remove(each["id"])
        doc["media"].insert(int(each["newPosition"]), each["id"])
    state.save(doc)
    return {"job": job(state)}
