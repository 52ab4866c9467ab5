"""Products as WooCommerce's JSON: checked here, since the server checks no item of a batch.

* null clears in one call and is ignored in another, so it is never sent; "" and [] clear in both.
* Backslashes are eaten in four fields and in names of terms, so they are doubled there.
* Lists of attributes replace the whole list, so they are completed from the live product.
Source: recorded exchanges (null semantics, validation in single and batch calls, variations).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from storebridge.errors import Rejected
from storebridge.models import Attribute, Metafield, Option, Product, Variant
from storebridge.wire import loads
from storebridge_woocommerce import prices, seo, sizes
from storebridge_woocommerce.reading import NAMESPACE, OFFER_EXTRAS, OWN_EXTRAS
from storebridge_woocommerce.site import LOCATION, Facts
from storebridge_woocommerce.terms import Terms
from storebridge_woocommerce.text import slashed, slug_form, tax_class, term_form, words

__all__ = [
    "STATUSES",
    "chosen",
    "flagged",
    "is_variable",
    "metadata",
    "only",
    "product",
    "shared",
    "variant",
    "variation",
]

Body = dict[str, Any]
A = TypeVar("A", Option, Attribute)

#: The words for a product's status, ours to theirs; nothing is archived in WooCommerce.
STATUSES = {
    "active": "publish", "archived": "private", "unlisted": "publish", "draft": "draft",
    "private": "private", "pending": "pending", "future": "future", "trash": "trash",
}  # fmt: skip
_VISIBILITIES = ("visible", "catalog", "search", "hidden")
_FIELDS = {"featured": "featured"}
#: How the platform's own fields are sent; a shipping class is known by its slug.
_FORMS: Mapping[str, Callable[[str], str]] = {"purchase_note": slashed, "shipping_class": slug_form}
_EXTRAS = {**OWN_EXTRAS, **OFFER_EXTRAS}
_TEXTS = (
    ("description_html", "description"),
    ("short_description_html", "short_description"),
)


def is_variable(product: Product) -> bool:
    """Return whether a new product needs variations: it has options."""
    return bool(product.options)


def only(product: Product) -> Variant | None:
    """Return the variant of a product without options, None if it gives none.

    Raises:
        Rejected: if it gives several: nothing would tell them apart.
    """
    if len(product.variants) > 1:
        raise Rejected(
            "a product without options has one variant only",
            fields={"options": "missing"},
            remedy="Give the product options, and each variant its values.",
        )
    return product.variants[0] if product.variants else None


def product(desired: Product, live: Product | None, facts: Facts, terms: Terms) -> Body:
    """Return the JSON of a product's own fields, without its variants' ones.

    Raises:
        Rejected: for what WooCommerce would bend, drop or refuse.
    """
    given = desired.given
    body = _texts(desired, given)
    if "handle" in given:
        body["slug"] = slug_form(desired.handle, facts.language)
    if "status" in given:
        body["status"] = _word("status", desired.status, STATUSES)
    if "visibility" in given:
        choices = dict(zip(_VISIBILITIES, _VISIBILITIES, strict=True))
        body["catalog_visibility"] = _word("visibility", desired.visibility, choices)
    body |= {theirs: getattr(desired, ours) for ours, theirs in _FIELDS.items() if ours in given}
    if "sku" in given:
        body["sku"] = desired.sku
    if "tags" in given:
        body["tags"] = [{"name": words(tag)} for tag in desired.tags]
    if "collections" in given:
        body["categories"] = [{"id": terms.category(handle)} for handle in desired.collections]
    if "brand" in given:
        name = term_form(desired.brand)
        body["brands"] = [{"id": terms.brand(name)}] if name else []
    if {"options", "attributes"} & given:
        body |= _attributes(desired, live, terms)
    meta = metadata(desired.metafields) if "metafields" in given else []
    if "seo" in given and facts.seo:
        meta += seo.payload(desired.seo, facts.seo)
    if meta:
        body["meta_data"] = meta
    body |= sizes.parent_body(desired.platform_fields.get(NAMESPACE, {}), live, facts)
    return body | _extras(desired.platform_fields, _EXTRAS, terms)


def _texts(desired: Product, given: frozenset[str]) -> Body:
    body: Body = {}
    if "title" in given:
        if not desired.title.strip():
            raise Rejected(
                "a product needs a title: WooCommerce calls one without 'Product'",
                fields={"title": "empty"},
            )
        body["name"] = words(desired.title)
    for ours, theirs in _TEXTS:
        if ours in given:
            body[theirs] = slashed(getattr(desired, ours))
    return body


def shared(desired: Product) -> Body:
    """Return what all variations of a product have from their parent: whether they are taxed.

    Raises:
        Rejected: if they are to differ.
    """
    taxable = {each.taxable for each in desired.variants if "taxable" in each.given}
    if len(taxable) > 1:
        raise Rejected(
            "all variations of a product are taxed, or none of them",
            fields={"variants.taxable": "differs"},
            remedy="Give those that are not a tax class with a rate of zero.",
        )
    return {"tax_status": "taxable" if taxable.pop() else "none"} if taxable else {}


def variant(desired: Variant, live: Variant | None, facts: Facts) -> Body:
    """Return the JSON of an offer: of a product without options, or of a variation.

    Raises:
        Rejected: for prices, quantities and sizes that WooCommerce can't hold.
    """
    body: Body = dict(prices.payload(desired, facts.currency, live))
    given = desired.given
    if "sku" in given:
        body["sku"] = desired.sku
    if "barcodes" in given:
        body["global_unique_id"] = _gtin(desired.barcodes)
    body |= _stock(desired) | sizes.sent(desired, facts)
    if "taxable" in given:
        body["tax_status"] = "taxable" if desired.taxable else "none"
    for name in ("virtual", "downloadable"):
        if name in given:
            body[name] = getattr(desired, name)
    if "tax_class" in given:
        body["tax_class"] = tax_class(desired.tax_class)
    if "downloads" in given:
        body["downloads"] = [
            {**({"id": each.id} if each.id else {}), "name": each.name, "file": each.url}
            for each in desired.downloads
        ]
    return body | _extras(desired.platform_fields, OFFER_EXTRAS, None)


def variation(
    desired: Variant, live: Variant | None, parent: Product, facts: Facts, terms: Terms
) -> Body:
    """Return the JSON of one variation of a variable product; `parent` says its options.

    Raises:
        Rejected: as `variant`, and for option values that the parent doesn't have: WooCommerce
            would take them, and show a variation that nobody can choose.
    """
    body = variant(desired, live, facts)
    given = desired.given
    if "options" in given and (live is None or desired.options != live.options):
        body["attributes"] = chosen(desired.options, parent, terms)
    if "description_html" in given:
        body["description"] = slashed(desired.description_html)
    if "status" in given:
        body["status"] = "publish" if desired.status == "active" else "private"
    if "position" in given and desired.position is not None:
        body["menu_order"] = desired.position
    if desired.metafields:
        body["meta_data"] = metadata(desired.metafields)
    return body


def metadata(metafields: Iterable[Metafield]) -> list[Body]:
    """Return metafields as metadata; one without a namespace of its own keeps its plain key."""
    return [{"key": meta_key(each), "value": _meta_value(each)} for each in metafields]


def without(key: str) -> Body:
    """Return what takes a metafield out ("kit.size"): the one null that means so in every call."""
    space, _, name = key.partition(".")
    return {"key": name if space in ("", NAMESPACE) else key, "value": None}


def meta_key(metafield: Metafield) -> str:
    """Return the key that a metafield has in WooCommerce."""
    space = metafield.namespace
    return metafield.key if space in ("", NAMESPACE) else f"{space}.{metafield.key}"


def _meta_value(metafield: Metafield) -> Any:
    return loads(metafield.value.encode()) if metafield.type == "json" else metafield.value


def _word(field: str, word: str, choices: Mapping[str, str]) -> str:
    if word not in choices:
        raise Rejected(
            f"WooCommerce has no {field} {word!r}: it would take another one",
            fields={field: "unknown"},
            remedy=f"Use one of: {', '.join(choices)}.",
        )
    return choices[word]


def _gtin(codes: Sequence[str]) -> str:
    code = codes[0] if codes else ""
    if code and not all(char.isascii() and (char.isdigit() or char in "-Xx") for char in code):
        raise Rejected(
            f"{code!r} is no GTIN: WooCommerce would drop its other signs",
            fields={"variants.barcodes": "invalid"},
            remedy="Write digits, with hyphens if you like.",
        )
    return code


def _stock(desired: Variant) -> Body:
    """Return stock fields; a quantity counts only where stock is counted, so it turns that on."""
    body: Body = {}
    given = desired.given
    if "tracked" in given:
        body["manage_stock"] = desired.tracked
    for level in desired.inventory if "inventory" in given else ():
        if level.location not in ("", LOCATION):
            raise Rejected(
                f"WooCommerce has no location {level.location!r}",
                fields={"variants.inventory": "location"},
                remedy=f"Use {LOCATION!r}, or no location.",
            )
        if body.get("manage_stock", True):
            body |= {"manage_stock": True, "stock_quantity": level.available}
    if "oversell" in given:
        body["backorders"] = "yes" if desired.oversell else "no"
    return body


# ------------------------------------------------------------------------------------- attributes


def _attributes(desired: Product, live: Product | None, terms: Terms) -> Body:
    """Return the whole list of attributes: WooCommerce drops those that aren't in it."""
    options = desired.options if "options" in desired.given or live is None else live.options
    facts = desired.attributes if "attributes" in desired.given or live is None else live.attributes
    if live is not None and live.options and not options:
        raise Rejected(
            "taking the options away would delete all variations",
            fields={"options": "in use"},
            remedy="Delete the product and create it anew, if that is meant.",
        )
    kept: dict[str, Option | Attribute] = {}
    if live is not None:
        kept |= {each.name: each for each in live.options}
        kept |= {each.name: each for each in live.attributes}
    whole: list[Option | Attribute] = [flagged(each, kept.get(each.name)) for each in options]
    whole += [flagged(each, kept.get(each.name)) for each in facts]
    items = [_item(each, place, terms) for place, each in enumerate(whole)]
    body: Body = {"attributes": items}
    if options:
        body["type"] = "variable"
    defaults = list(_defaults(whole, terms))
    if defaults:
        body["default_attributes"] = defaults
    return body


def flagged(attribute: A, live: Option | Attribute | None) -> A:
    """Return an attribute that says whether it is the shop's own, as the live one is."""
    own = attribute.platform_fields.get(NAMESPACE, {})
    if live is None or "global" in own:
        return attribute
    held = live.platform_fields.get(NAMESPACE, {})
    merged = {**attribute.platform_fields, NAMESPACE: {**held, **own}}
    return attribute.model_copy(update={"platform_fields": merged})


def _item(attribute: Option | Attribute, place: int, terms: Terms) -> Body:
    own = attribute.platform_fields.get(NAMESPACE, {})
    option = isinstance(attribute, Option)
    visible = own.get("visible", True) if isinstance(attribute, Option) else attribute.visible
    name, known = terms.attribute(attribute)
    values = [_value(attribute.name, value, known) for value in attribute.values]
    return {**name, "position": place, "visible": visible, "variation": option, "options": values}


def _value(name: str, value: str, known: bool) -> str:
    if "|" in value or (not known and "<" in value):
        raise Rejected(
            f"{value!r} can't be a value of {name!r}: WooCommerce splits at | and escapes <",
            fields={"options": "invalid"},
            remedy="Write it without that sign.",
        )
    return words(value) if known else value


def _defaults(attributes: Iterable[Option | Attribute], terms: Terms) -> Iterable[Body]:
    for each in attributes:
        default = each.platform_fields.get(NAMESPACE, {}).get("default")
        if isinstance(default, str) and default:
            name, known = terms.attribute(each)
            yield {**name, "option": slug_form(default) if known else default}


def chosen(values: Sequence[str], parent: Product, terms: Terms) -> list[Body]:
    """Return a variation's values of the options that its parent has, in their order; "" is any.

    Raises:
        Rejected: for values that the parent doesn't have.
    """
    if len(values) != len(parent.options):
        raise Rejected(
            f"the variant has {len(values)} option values, the product {len(parent.options)}",
            fields={"variants.options": "count"},
        )
    found = []
    for option, value in zip(parent.options, values, strict=True):
        if value and option.values and value not in option.values:
            raise Rejected(
                f"the option {option.name!r} has no value {value!r}",
                fields={"variants.options": "unknown"},
                remedy="Add it to the option's values.",
            )
        if value:
            name, known = terms.attribute(option)
            found.append({**name, "option": words(value) if known else slashed(value)})
    return found


# ------------------------------------------------------------------------------ platform's fields


def _extras(
    own: Mapping[str, Mapping[str, Any]], known: Mapping[str, type], terms: Terms | None
) -> Body:
    """Return the platform's own fields, each of its type: in a batch the server checks none."""
    body: Body = {}
    for name, value in own.get(NAMESPACE, {}).items():
        kind = known.get(name)
        if kind is None or (name == "type" and value in ("simple", "variable")):
            continue
        wrong = kind is not object and (
            not isinstance(value, kind) or (kind is int and isinstance(value, bool))
        )
        if wrong and value is not None:
            raise Rejected(
                f"{name} must be {kind.__name__}, not {value!r}",
                fields={f"platform_fields.{NAMESPACE}.{name}": "type"},
            )
        if value is None and name != "low_stock_amount":  # the one null that clears (exchanges)
            continue
        body[name] = form(value) if (form := _FORMS.get(name)) else value
    if "grouped_products" in body and terms is not None:
        body["grouped_products"] = [terms.product(key) for key in body["grouped_products"]]
    return body
