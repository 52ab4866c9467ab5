"""`productSet`: a product as its input says, at once or as an operation that is asked after.

* Lists that are given replace: variants, options, files, collections, metafields and tags that
  aren't listed are deleted; lists and fields that are left out stay (the mutation's description).
* Variants and options are given together; variants with an id keep it. One without is made new,
  unless a variant has the same values already (not documented; the sandbox is strict and lets
  the old one go, so that callers send the ids they know).
"""

from __future__ import annotations

from typing import Any

from storebridge_shopify.sandbox_fields import Info, Refused, field, mutation, user_error
from storebridge_shopify.sandbox_media import set_files
from storebridge_shopify.sandbox_metafields import set_metafields
from storebridge_shopify.sandbox_products import ONLY_OPTION, ONLY_VALUE, identified, of_product
from storebridge_shopify.sandbox_state import Doc, State, split
from storebridge_shopify.sandbox_writing import (
    add_variant,
    apply_common,
    change_variant,
    check_lengths,
    drop_unused,
    drop_variant,
    index_product,
    new_product,
    option,
    refuse,
    set_handle,
    value_of,
)

__all__ = ["finish", "single"]

_MOST_OPTIONS = 3
_MOST_VARIANTS = 2048
_MOST_QUANTITIES = 50_000


@mutation("productSet")
def _product_set(
    state: State, input: Doc, identifier: Doc | None = None, synchronous: bool = True
) -> Doc:
    if not synchronous:
        _check_identifier(state, input, identifier)
        given = {"input": input, "identifier": identifier}
        made = state.add("ProductSetOperation", {**state.begun(), "given": given, "said": None})
        state.run("INSERT INTO work VALUES (?, 'productSet')", split(made["id"])[1])
        return {"productSetOperation": made}
    return {"product": _set(state, input, identifier)}


def finish(state: State, doc: Doc) -> bool:
    """Carry out an operation once it is due; return whether it was."""
    if state.age(doc) != "done":
        return False
    state.run("SAVEPOINT operation")
    try:
        product = _set(state, **doc["given"])
        doc["said"] = {"product": product["id"], "userErrors": []}
    except Refused as refused:
        state.run("ROLLBACK TO operation")
        doc["said"] = {"product": None, "userErrors": refused.errors}
    state.run("RELEASE operation")
    state.save(doc)
    return True


@field("QueryRoot", "productOperation")
def _operation(_root: Any, info: Info, id: str) -> Doc | None:
    return info.context.get(id, "ProductSetOperation", "ProductDeleteOperation")


@field("ProductSetOperation", "status")
@field("ProductDeleteOperation", "status")
def _status(doc: Doc, info: Info) -> str:
    if doc["said"] is not None:
        return "COMPLETE"
    return "CREATED" if info.context.age(doc) == "new" else "ACTIVE"


@field("ProductSetOperation", "product")
@field("ProductDeleteOperation", "product")
def _operation_product(doc: Doc, info: Info) -> Doc | None:
    return info.context.get((doc["said"] or {}).get("product") or "")


@field("ProductSetOperation", "userErrors")
@field("ProductDeleteOperation", "userErrors")
def _operation_errors(doc: Doc, _info: Info) -> list[Doc]:
    return list((doc["said"] or {}).get("userErrors", ()))


@field("ProductDeleteOperation", "deletedProductId")
def _operation_deleted(doc: Doc, _info: Info) -> str | None:
    found: str | None = (doc["said"] or {}).get("deleted")
    return found


# -- which product


def _check_identifier(state: State, given: Doc, identifier: Doc | None) -> None:
    """Refuse an identifier that the input contradicts (recorded; the identifier's description)."""
    if not identifier:
        return
    if given.get("id"):
        text = "The id field is not allowed if identifier is provided."
        raise Refused(user_error(["input"], text, "ID_NOT_ALLOWED"))
    if "handle" in identifier:
        if not given.get("handle"):
            text = "The input field corresponding to the identifier is required."
            raise Refused(user_error(["input"], text, "MISSING_FIELD_REQUIRED"))
        if given["handle"] != identifier["handle"]:
            raise Refused(_mismatch())
    if "customId" in identifier:
        own = identifier["customId"]
        fields = given.get("metafields") or ()
        same = [f for f in fields if f["key"] == own["key"]]
        if not same:
            text = "The input field corresponding to the identifier is required."
            raise Refused(user_error(["input"], text, "MISSING_FIELD_REQUIRED"))
        if same[0]["value"] != own["value"]:
            raise Refused(_mismatch())


def _mismatch() -> Doc:
    text = "The identifier value does not match the value of the corresponding field in the input."
    return user_error(["input"], text, "INPUT_MISMATCH")


def _found(state: State, given: Doc, identifier: Doc | None) -> Doc | None:
    """Return the product to change; None makes a new one."""
    _check_identifier(state, given, identifier)
    if identifier:
        product = identified(state, identifier)
        if product is None and "id" in identifier:
            text = "Resource matching the identifier was not found."
            raise Refused(user_error(["input"], text, "NOT_FOUND"))
        return product
    if given.get("id"):
        product = state.get(given["id"], "Product")
        if product is None:
            path = ["input", "id"]
            raise Refused(user_error(path, "Product does not exist", "PRODUCT_DOES_NOT_EXIST"))
        return product
    return None


# -- setting


def _set(state: State, input: Doc, identifier: Doc | None = None) -> Doc:
    """Make or change a product and return it.

    Raises:
        Refused: for user errors.
    """
    product = _found(state, input, identifier)
    fresh = product is None
    refuse(_wrong(input, product))
    title = str(input.get("title") or (product or {}).get("title") or "")
    doc = product or new_product(state, title)
    apply_common(state, doc, input)
    set_handle(state, doc, input, fresh=fresh)
    if input.get("variants") is not None:
        _set_variants(state, doc, input)
    elif fresh:
        single(state, doc)
    if input.get("files") is not None:
        set_files(state, doc, input["files"], ("input", "files"))
    _set_variant_files(state, doc, input)
    index_product(state, doc)
    state.save(doc)
    if input.get("collections") is not None:
        _set_collections(state, doc, input["collections"])
    if input.get("metafields") is not None:
        path = ("input", "metafields")
        refuse(set_metafields(state, doc["id"], input["metafields"], path, replace=True))
    return doc


def _wrong(given: Doc, product: Doc | None) -> list[Doc]:
    """Return the errors of the input by itself."""
    if product is None and not (given.get("title") or "").strip():
        return [user_error(["input", "title"], "Title can't be blank", "INVALID_INPUT")]

    def where(name: str, text: str) -> Doc:
        if name == "title":  # recorded: without the field's name, unlike the others
            return user_error(["input", "title"], text.removeprefix("Title "))
        return user_error(["input"], text)

    errors = check_lengths(given, where)
    options, variants = given.get("productOptions"), given.get("variants")
    if variants is not None and options is None:
        text = "Product options input is required when updating variants"
        errors.append(
            user_error(["input", "productOptions"], text, "PRODUCT_OPTIONS_INPUT_MISSING")
        )
    if options is not None and variants is None:
        text = "Variants input is required when updating product options"
        errors.append(user_error(["input", "variants"], text, "VARIANTS_INPUT_MISSING"))
    return errors or _wrong_options(options or [], variants or [])


def _wrong_options(options: list[Doc], variants: list[Doc]) -> list[Doc]:
    head = ["input", "productOptions"]
    if len(options) > _MOST_OPTIONS:
        text = f"The number of product options exceeds the limit of {_MOST_OPTIONS}."
        return [user_error(head, text, "OPTIONS_OVER_LIMIT")]
    errors, names = [], set()
    for at, each in enumerate(options):
        name = each.get("name") or ""
        if " / " in name:
            text = "The name contains unsupported sequence ' / '"
            errors.append(user_error([*head, at, "name"], text, "INVALID_INPUT"))
        if name.lower() in names:
            text = f"Duplicated option name '{name}'"
            errors.append(user_error([*head, at], text, "DUPLICATED_OPTION_NAME"))
        names.add(name.lower())
        values = [value.get("name") for value in each.get("values") or ()]
        if not values:
            text = f"Option values are missing for '{name}'"
            errors.append(user_error([*head, at], text, "OPTION_VALUES_MISSING"))
        if len(set(values)) < len(values):
            text = f"Duplicated option value in '{name}'"
            errors.append(user_error([*head, at, "values"], text, "DUPLICATED_OPTION_VALUE"))
    quantities = sum(len(each.get("inventoryQuantities") or ()) for each in variants)
    if quantities > _MOST_QUANTITIES:
        text = f"The limit of {_MOST_QUANTITIES} inventory quantities was exceeded"
        code = "INVENTORY_QUANTITIES_LIMIT_EXCEEDED"
        errors.append(user_error(["input", "variants"], text, code))
    return errors


def single(state: State, doc: Doc) -> Doc:
    """Give a product the one option and variant that one without options has; return it."""
    made = option(state, ONLY_OPTION)
    doc["options"] = [made]
    return add_variant(state, doc, [value_of(state, made, ONLY_VALUE)], None)


def _set_options(state: State, doc: Doc, given: list[Doc]) -> None:
    """Replace options: those of the same id or name stay themselves, with their values."""
    known = {each["id"]: each for each in doc["options"]}
    by_name = {each["name"]: each for each in doc["options"]}
    found = []
    for each in given:
        kept = known.get(each.get("id") or "") or by_name.get(each.get("name") or "")
        own = kept or option(state, each["name"])
        own["name"] = each.get("name") or own["name"]
        old = {value["id"]: value for value in own["optionValues"]}
        for value in each.get("values") or ():
            if value.get("id") in old:
                old[value["id"]]["name"] = value.get("name") or old[value["id"]]["name"]
            else:
                value_of(state, own, value["name"])
        order = [value.get("name") for value in each.get("values") or ()]
        names = {name: place for place, name in enumerate(order)}
        own["optionValues"].sort(key=lambda value: names.get(value["name"], len(names)))
        found.append(own)
    doc["options"] = found


def _set_variants(state: State, doc: Doc, given: Doc) -> None:
    """Replace options and variants.

    Raises:
        Refused: if values are missing or the same twice, and for what each variant says.
    """
    _set_options(state, doc, given["productOptions"])
    before = {each["id"]: each for each in of_product(state, doc)}
    kept, errors, seen = [], [], {}
    for at, each in enumerate(given["variants"]):
        path = ("input", "variants", at)
        if each.get("id") and each["id"] not in before:
            text = "Product variant does not exist"
            errors.append(user_error([*path, "id"], text, "PRODUCT_VARIANT_DOES_NOT_EXIST"))
            continue
        values, wrong = _values(state, doc, each, path)
        title = " / ".join(value["name"] for value in values)
        if title in seen and not wrong:
            text = f"The variant '{title}' already exists. Please change at least one option value."
            wrong = [user_error(path, text)]
        seen[title] = at
        errors += wrong
        if wrong:
            continue
        if each.get("id"):
            variant = before[each["id"]]
            variant["values"] = values
            errors += _restock(state, variant, each, path)
        else:
            variant = add_variant(state, doc, values, _levels(each))
        kept.append(variant["id"])
        errors += _recoded(change_variant(state, variant, each, path))
        if each.get("metafields") is not None:
            errors += set_metafields(state, variant["id"], each["metafields"],
                                     (*path, "metafields"), replace=True)  # fmt: skip
    refuse(errors)
    for id in before.keys() - set(kept):
        drop_variant(state, doc, id)
    doc["variants"] = kept
    drop_unused(state, doc)


def _recoded(errors: list[Doc]) -> list[Doc]:
    """Return errors with the code that productSet has for all that is wrong with a variant."""
    return [{**each, "code": "INVALID_VARIANT"} for each in errors]


def _values(
    state: State, doc: Doc, given: Doc, path: tuple[str | int, ...]
) -> tuple[list[Doc], list[Doc]]:
    """Return a variant's values in the order of the options, and what is wrong with them."""
    chosen: dict[str, Doc] = {}
    errors = []
    options = {each["name"]: each for each in doc["options"]}
    by_id = {each["id"]: each for each in doc["options"]}
    for at, each in enumerate(given.get("optionValues") or ()):
        own = options.get(each.get("optionName") or "") or by_id.get(each.get("optionId") or "")
        if own is None:
            where = [*path, "optionValues", at]
            errors.append(user_error(where, "Option does not exist", "OPTION_DOES_NOT_EXIST"))
            continue
        named = (each.get("id"), each.get("name"))
        values = own["optionValues"]
        value = next((v for v in values if v["id"] == named[0] or v["name"] == named[1]), None)
        if value is None:
            text = "Option value does not exist"
            where = [*path, "optionValues", at]
            errors.append(user_error(where, text, "OPTION_VALUE_DOES_NOT_EXIST"))
            continue
        chosen[own["name"]] = value
    missing = [name for name in options if name not in chosen]
    if missing and not errors:
        text = f"You need to add option values for {', '.join(missing)}"
        errors.append(user_error(path, text, "INVALID_VARIANT"))
    return [chosen[name] for name in options if name in chosen], errors


def _levels(given: Doc) -> dict[str, int]:
    quantities = given.get("inventoryQuantities") or ()
    return {each["locationId"]: each["quantity"] for each in quantities}


def _restock(state: State, variant: Doc, given: Doc, path: tuple[str | int, ...]) -> list[Doc]:
    """Set quantities of an existing variant; only where it is stocked (the input's description)."""
    levels = _levels(given)
    item = state.get(variant["item"])
    assert item is not None
    errors = []
    for location, quantity in levels.items():
        if location not in item["levels"]:
            text = "The inventory item is not stocked at the location."
            errors.append(user_error([*path, "inventoryQuantities"], text, "INVALID_VARIANT"))
            continue
        item["levels"][location]["available"] = quantity
    if levels:
        state.save(item)
    return errors


def _set_variant_files(state: State, doc: Doc, given: Doc) -> None:
    """Give variants their picture; it must be one of the product's files (the description)."""
    inputs = given.get("variants") or ()
    if not any("file" in each for each in inputs):
        return
    files = given.get("files") or ()
    by_source = {f.get("originalSource"): id for f, id in zip(files, doc["media"], strict=False)}
    for at, (each, id) in enumerate(zip(inputs, doc["variants"], strict=True)):
        if "file" not in each:
            continue
        wanted = each["file"] or {}
        media = wanted.get("id") or by_source.get(wanted.get("originalSource"))
        if wanted and media not in doc["media"]:
            text = "The file of a variant must also be in the product's files."
            path = ["input", "variants", at, "file"]
            raise Refused(user_error(path, text, "INVALID_VARIANT"))
        variant = state.get(id)
        assert variant is not None
        variant["media"] = [media] if media else []
        state.save(variant)


def _set_collections(state: State, doc: Doc, ids: list[str]) -> None:
    """Replace the manual collections that a product is in."""
    from storebridge_shopify.sandbox_members import join, leave, manual_of

    for at, id in enumerate(ids):
        if state.get(id, "Collection") is None:
            path = ["input", "collections", at]
            raise Refused(user_error(path, "Collection does not exist", "INVALID_INPUT"))
    before = manual_of(state, doc["id"])
    for id in before:
        if id not in ids:
            leave(state, id, doc["id"])
    for id in ids:
        if id not in before:
            join(state, id, doc["id"])
