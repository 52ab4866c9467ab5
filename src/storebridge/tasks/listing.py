"""Editing products: fields set to values or templates, cleared, or searched and replaced.

Fields are named as the columns of our own sheet ("seo.title", "price[CH]", "tags+"), and values
are read by the same rules as its cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from storebridge.errors import Problem, SourceError
from storebridge.formats.base import Context
from storebridge.formats.sheet_cells import commas, commas_text
from storebridge.formats.sheet_columns import Column
from storebridge.models import Model, Product, Record, Variant
from storebridge.tasks.cells import Cells, Value, Values, editable, known, template_of
from storebridge.tasks.replacing import EditError, Replacement, all_of
from storebridge.templates import fill, names
from storebridge.where import Where, parse

__all__ = ["Edit", "EditError", "Replacement", "Value"]

M = TypeVar("M", bound=Model)

_NAMING = ("id", "sku", "options")
_NAMED = frozenset({"handle", "key", "options", "variants.id", "variants.sku", "variants.options"})
_MEDIA = "media"
#: Gives the text of a field where an edit is made; None where variants differ in it.
_Value = Callable[[Column], str | None]


class Edit:
    """A task that gives, clears and replaces fields of products.

    A field of the variants is changed in those that `where` matches by themselves: with
    `price > 20`, only in variants that cost more. A record for which a template has no value, or
    makes one that can't be read, is left alone whole, and the plan says why.
    """

    def __init__(
        self,
        set: Mapping[str, Value] | None = None,
        *,
        clear: Iterable[str] = (),
        replace: Iterable[Replacement] = (),
        where: str | Where = "",
        context: Context | None = None,
    ) -> None:
        """Understand what is asked.

        Args:
            set: values by field. A `str` is a cell's text, in which `{title}` stands for a field;
                "" and None clear. Lists of texts, `Decimal`, `Money`, `int` and `bool` are taken
                as they are.
            clear: fields to empty.
            replace: what to find in texts, and what to put there; in order.
            where: which of a product's variants are meant.
            context: what values leave open (the currency, say), as it is for a file.

        Raises:
            EditError: for an unknown field, a value that can't be read, or nothing to do.
        """
        self._context = context or Context()
        condition = parse(where) if isinstance(where, str) and where.strip() else None
        self._where = where if isinstance(where, Where) else condition
        self._asks = self._where.check(Product) if self._where else frozenset[str]()
        self._set: dict[Column, str] = {}
        self._cleared: dict[Column, None] = {}
        self._replace: dict[Column, list[Replacement]] = {}
        for name, value in (set or {}).items():
            self._give(editable(name), value)
        for name in clear:
            self._clear(_clearable(name))
        for item in replace:
            self._replace.setdefault(_replaceable(item.field), []).append(item)
        self._columns = (*self._set, *self._cleared, *self._replace)
        self._check()
        self._named = {name: known(name) for text in self._set.values() for name in names(text)}
        self._cells = self._tried()
        self._of_variants = any(column.of_variant for column in self._columns)
        self.kinds = frozenset({Product.kind})
        """Only products are edited."""
        self.needs = frozenset(map(_path, self._named.values()))
        """The live fields that the templates name; they join the conflict check."""
        self.reads = _NAMED | self.needs | self._asks | frozenset(map(_path, self._columns))
        """All the live fields that it looks at or gives."""
        self.gives_stock = "variants.inventory" in map(_path, self._columns)
        """Whether it sets quantities."""

    def _give(self, column: Column, value: Value) -> None:
        text = template_of(column, value)
        if not text.strip():
            self._clear(_clearable(column.header))
        elif column in self._set:
            raise EditError(f"{column.header} is set twice. Give it once.")
        else:
            self._set[column] = text

    def _clear(self, column: Column) -> None:
        self._cleared[column] = None

    def _check(self) -> None:
        if not self._columns:
            raise EditError("there is nothing to change. Set, clear or replace a field.")
        for column in self._columns:
            if self._columns.count(column) > 1:
                raise EditError(
                    f"{column.header} is given in two ways. Set it, clear it or replace in it."
                )
            if column.place == ("variants.inventory", ()) and not self._context.location:
                raise EditError(
                    "a quantity names no location and the store has several. Say with --location "
                    "which one, or write inventory[NAME]."
                )

    def _tried(self) -> Cells:
        """Return what reads the cells, after reading the values that are no templates."""
        texts = {c: fill(text, {}) for c, text in self._set.items() if not names(text)}
        own = {c.header: text for c, text in texts.items() if not c.of_variant}
        of_variants = {c.header: text for c, text in texts.items() if c.of_variant}
        try:
            cells = Cells(self._columns, self._context)
            cells.made(own, (), [({}, of_variants)], ())
        except SourceError as error:
            raise EditError("\n".join(map(str, error.problems))) from error
        return cells

    # -- what it does

    def transform(self, desired: Any, live: Any) -> tuple[Record, tuple[str, ...]]:
        """Return the record with the edit's fields given.

        Raises:
            SourceError: if a template has no value here, or makes one that can't be read.
        """
        base = desired if live is None else _over(live, desired)
        values = Values(base, self._context) if self._named or self._replace else None
        own, emptied = self._filled(False, values.of_product if values else _nothing)
        places = self._places(base) if self._of_variants else ()
        sparse = "variants" not in desired.given
        variants, also = [], list[Column]()
        for place in places:
            of = _at(values, place) if values else _nothing
            cells, also = self._filled(True, of)
            variants.append((_naming(base.variants[place], sparse=sparse), cells))
        found = self._cells.made(own, emptied, variants, also)
        return _over(desired, self._without_pictures(found)), ()

    def _without_pictures(self, found: Product) -> Product:
        if not any(column.header == _MEDIA for column in self._cleared):
            return found
        return found.model_copy(update={"media": (), "modes": {"media": "replace"}})

    def _places(self, base: Product) -> Sequence[int]:
        """Return the places of the variants that are meant."""
        where = self._where
        if where is None or not any(path.startswith("variants.") for path in self._asks):
            return range(len(base.variants))
        alone = (base.model_copy(update={"variants": (variant,)}) for variant in base.variants)
        return [place for place, product in enumerate(alone) if where.matches(product)]

    def _filled(self, of_variant: bool, value: _Value) -> tuple[dict[str, str], list[Column]]:
        """Return the cells of a product or a variant, and the columns to empty."""
        cells: dict[str, str] = {}
        emptied = [c for c in self._cleared if c.of_variant == of_variant and c.header != _MEDIA]
        for column, text in self._set.items():
            if column.of_variant == of_variant:
                cells[column.header] = fill(text, self._values(column, text, value))
        for column, items in self._replace.items():
            if column.of_variant != of_variant:
                continue
            text = value(column) or ""
            new = _replaced(column, text, items)
            if new.strip():
                cells |= {column.header: new} if new != text else {}
            elif text.strip():
                if not _clears(column):
                    message = "nothing would be left of it"
                    raise SourceError([Problem(message, _LEFT, column=column.header)])
                emptied.append(column)
        return cells, emptied

    def _values(self, column: Column, text: str, value: _Value) -> dict[str, str]:
        """Return the values that a template names; each must be there."""
        found = {name: value(self._named[name]) for name in names(text)}
        given = {name: filled for name, filled in found.items() if filled and filled.strip()}
        for name in found.keys() - given.keys():
            message, remedy = _LACKS if found[name] is not None else _DIFFER
            raise SourceError([Problem(f"{{{name}}} {message}", remedy, column=column.header)])
        return given


_LEFT = "Put another text in its place, or leave such records out with --where."
_LACKS = "is empty here", "Fill it first, or leave such records out with --where."
_DIFFER = "differs among the variants", "Name a field of the product, or set one of the variants."


def _at(values: Values, place: int) -> _Value:
    return lambda column: values.of_variant(column, place)


def _nothing(_: Column) -> str:
    return ""


def _path(column: Column) -> str:
    """Return the path of a column's field in the model, without what lies within it."""
    start = "variants." if column.of_variant else ""
    head = column.path.removeprefix(start).partition(".")[0]
    return start + head.rstrip("+-")


def _clears(column: Column) -> bool:
    """Return whether an edit may empty a field; no product goes without a title."""
    return column.clears and column.path != "title"


def _clearable(name: str) -> Column:
    column = editable(name)
    if _clears(column) or column.header == _MEDIA:
        return column
    raise EditError(f"{column.header} can't be cleared, since it has no empty value. Set it.")


def _replaceable(name: str) -> Column:
    column = editable(name)
    if column.what == "text" or column.header == "tags":
        return column
    raise EditError(
        f"{column.header} has no text to search. Replace in texts, like title, "
        "description_html, title[de] or tags."
    )


def _replaced(column: Column, text: str, items: Sequence[Replacement]) -> str:
    if column.header == "tags":
        tags = (all_of(tag, items, is_html=False).strip() for tag in commas(text))
        return commas_text(dict.fromkeys(filter(None, tags)))
    field = column.args[0] if column.path == "translations" else column.path
    return all_of(text, items, is_html=field.endswith("_html"))


def _naming(variant: Variant, *, sparse: bool) -> dict[str, Any]:
    """Return what names a variant: its id, and all where others name it without one."""
    used = ("id",) if sparse and variant.id else _NAMING
    return {name: getattr(variant, name) for name in used if name in variant.given}


def _over(old: M, new: M) -> M:
    """Return a record or an element with what another one gives put over it."""
    fields = {}
    for name in new.given:
        value = getattr(new, name)
        fields[name] = _joined(old, name, value) if name in old.given else value
    return old.model_copy(update=fields)


def _joined(old: Model, name: str, value: Any) -> Any:
    held, spec = getattr(old, name), old.lists.get(name)
    if isinstance(value, Model) and isinstance(held, Model) and not value.atomic:
        return _over(held, value)
    if spec is None or spec.keys is None or not value:
        return value
    rest, joined = list(value), []
    for element in held:
        keys = set(spec.keys(element))
        match = next((each for each in rest if not keys.isdisjoint(spec.keys(each))), None)
        joined.append(element if match is None else _over(element, match))
        rest = [each for each in rest if each is not match]
    return (*joined, *rest)
