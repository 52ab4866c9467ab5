"""Which fields of a product to keep, by the words that the sheet has for its columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from storebridge.errors import UsageError
from storebridge.formats.sheet_columns import FIXED, column_of, similar
from storebridge.models import Model, Product, Variant

__all__ = ["Fields"]

M = TypeVar("M", bound=Model)

#: Lists whose elements a word may choose, with what names an element there.
_NAMED: dict[str, Callable[[Any], tuple[str, ...]]] = {
    "translations": lambda text: (text.field, text.locale, text.market),
    "metafields": lambda meta: (meta.namespace, meta.key),
    "inventory": lambda level: (level.location,),
}
#: What names a variant, and is kept with each field of it.
_VARIANT_NAMING = ("sku", "options")
_WHOLE: frozenset[tuple[str, ...]] = frozenset()


class Fields:
    """A choice of fields: `price`, `seo.title`, `metafields`, `title[de]`, `inventory[Main]`.

    A word is a column of the sheet, or a field of the product that has several of them. Without
    a field of the variants among them, the variants are left out.
    """

    def __init__(self, words: Iterable[str]) -> None:
        """Understand the words.

        Raises:
            UsageError: for a word that is no field; the nearest one is offered.
        """
        self._product: dict[str, frozenset[tuple[str, ...]]] = {}
        self._variant: dict[str, frozenset[tuple[str, ...]]] = {}
        for word in filter(None, map(str.strip, words)):
            self._choose(word)

    @property
    def paths(self) -> frozenset[str]:
        """The paths of the fields that are needed of a store's products."""
        variant = (*_VARIANT_NAMING, *self._variant) if self._variant else ()
        paths = {f"variants.{name}" for name in variant}
        return frozenset({"handle", "key", "options", *self._product, *paths})

    def of(self, product: Product) -> Product:
        """Return a product with the chosen fields, and with what names it and its variants."""
        naming = {"handle"} if product.handle else {"id", "key"}
        naming |= {"options"} if self._variant else set()
        kept = _picked(product, {**self._product, **dict.fromkeys(naming, _WHOLE)})
        if not self._variant or "variants" not in product.given:
            return kept
        chosen = {**self._variant, **dict.fromkeys(_VARIANT_NAMING, _WHOLE)}
        return kept.model_copy(
            update={"variants": tuple(_picked(variant, chosen) for variant in product.variants)}
        )

    @property
    def of_variants(self) -> bool:
        """Whether a field of the variants is among them."""
        return bool(self._variant)

    def own(self, product: Product) -> Product:
        """Return a product with the chosen fields alone; its variants and its names aren't any."""
        kept = _picked(product, _with_edits(self._product))
        modes = {name: mode for name, mode in product.modes.items() if name in kept.given}
        return kept.model_copy(update={"modes": modes}) if modes else kept

    def of_variant(self, variant: Variant) -> Variant:
        """Return a variant with the chosen fields alone."""
        return _picked(variant, self._variant)

    def _choose(self, word: str) -> None:
        path, args = self._meant(word)
        variant = path.startswith("variants.")
        chosen = self._variant if variant else self._product
        head, _, rest = path.removeprefix("variants.").partition(".")
        head = head.replace("+", "_add").replace("-", "_remove")
        args = (rest,) if rest and head in ("seo", "dimensions") else args
        known = chosen.get(head)
        whole = not args or known == _WHOLE
        chosen[head] = _WHOLE if whole else frozenset({args, *(known or ())})

    def _meant(self, word: str) -> tuple[str, tuple[str, ...]]:
        column = column_of(word)
        if column is not None and column.header != "delete":
            return column.path, column.args
        for path in (word, f"variants.{word}"):
            if path in _ROOTS:
                return path, ()
        near = similar(word)
        raise UsageError(
            f"There is no field {word!r}{f'; {near} is close' if near else ''}. "
            "Name fields as the sheet has them, like price, seo.title or title[de]."
        )


def _roots() -> frozenset[str]:
    """Return the fields that have several columns: "seo", "variants.dimensions"."""
    lists = {"translations", "metafields", "platform_fields", "variants.market_prices"}
    lists |= {"variants.metafields", "variants.platform_fields"}
    nested = (column.path.rpartition(".")[0] for column in FIXED.values())
    return frozenset(lists.union(nested) - {"", "variants"})


_ROOTS = _roots()


def _with_edits(
    chosen: dict[str, frozenset[tuple[str, ...]]],
) -> dict[str, frozenset[tuple[str, ...]]]:
    """Return a choice with what adds to a chosen list or takes from it."""
    edits = ((name, f"{name}_{edit}") for name in chosen for edit in ("add", "remove"))
    return {**{edit: chosen[name] for name, edit in edits}, **chosen}


def _picked(model: M, chosen: dict[str, frozenset[tuple[str, ...]]]) -> M:
    """Return a product or a variant with the chosen of its given fields."""
    fields = {}
    for name in model.model_fields_set & chosen.keys():
        value, args = getattr(model, name), chosen[name]
        fields[name] = _part(name, value, args) if args and value else value
    return type(model).model_construct(_fields_set=set(fields), **fields)


def _part(name: str, value: Any, args: frozenset[tuple[str, ...]]) -> Any:
    """Return what some words choose of a field that has several columns."""
    if named := _NAMED.get(name):
        return tuple(element for element in value if named(element) in args)
    if name == "market_prices":
        prices = (_price(price, args) for price in value)
        return tuple(price for price in prices if len(price.given) > 1)
    if name == "platform_fields":
        pairs = {p: {k: v for k, v in own.items() if (p, k) in args} for p, own in value.items()}
        return {platform: own for platform, own in pairs.items() if own}
    return value.without(*(value.given - {field for (field,) in args}))


def _price(price: Any, args: frozenset[tuple[str, ...]]) -> Any:
    wanted = {field for market, field in args if market == price.market}
    return price.without(*(price.given - wanted - {"market"}))
