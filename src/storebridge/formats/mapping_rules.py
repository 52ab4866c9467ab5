"""What a mapping may say, checked strictly: each table's keys, and which of them fit together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from storebridge.errors import Problem, SourceError
from storebridge.formats.sheet_columns import NAMING, Column, column_of, similar
from storebridge.templates import TemplateError, names

__all__ = [
    "LISTED",
    "ColumnRule",
    "Condition",
    "FieldRule",
    "PicturesRule",
    "ProductsRule",
    "RowsRule",
    "Rules",
    "TableRule",
    "Target",
    "matches",
    "parsed",
    "target_of",
]

#: Kinds of value that hold several, and so may come from several columns.
LISTED = ("list", "codes", "lines", "sentences", "named")
#: The longest pattern; a longer one is no pattern that a person can check.
_LONGEST = 300
_ATTRIBUTE = re.compile(r"attribute\[(.+)\]", re.DOTALL | re.IGNORECASE)
_NUMBERS = ("money", "int", "weight", "length")
#: The kinds of value that an option of a column is for.
_FOR = {
    "decimal": _NUMBERS,
    "round": _NUMBERS,
    "currency": ("money",),
    "unit": ("weight", "length"),
    "dates": ("time",),
    "digits": ("code", "codes"),
}

Rows = Literal["", "same", "first", "all"]
Sign = Literal["", ",", "."]
Dates = Literal["", "DMY", "MDY", "YMD"]


class Target(NamedTuple):
    """What a column or a template fills: a column of our sheet, or one attribute in it."""

    column: Column
    attribute: str = ""

    @property
    def header(self) -> str:
        """The column's header in our sheet."""
        return self.column.header

    @property
    def listed(self) -> bool:
        """Whether it takes several values."""
        return self.column.what in LISTED


def target_of(header: str, unit: str = "") -> Target | None:
    """Return what a header of our sheet means in a mapping, None if it is none.

    Args:
        header: a header of our sheet, or `attribute[NAME]`.
        unit: the unit of a measure whose header has none.
    """
    if attribute := _ATTRIBUTE.fullmatch(header):
        column = column_of("attributes")
        return Target(column, attribute[1]) if column else None
    column = column_of(f"{header} ({unit})" if unit and not header.endswith(")") else header)
    return Target(column) if column else None


def matches(name: str, key: str) -> bool:
    """Return whether a column's name with a * in it, as names are compared, means a column."""
    start, star, end = name.partition("*")
    fits = key.startswith(start) and key.endswith(end)
    return bool(star) and fits and len(key) >= len(start) + len(end)


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class TableRule(_Rule):
    """`[file]`: where the table stands, and how its values are written."""

    sheet: str = ""
    header: int | list[int] | None = None
    encoding: str = ""
    delimiter: str = ""
    decimal: Sign = ""
    dates: Dates = ""
    currency: str = ""
    weight_unit: Literal["", "g", "kg", "oz", "lb"] = ""
    length_unit: Literal["", "mm", "cm", "m", "in", "ft", "yd"] = ""
    time_zone: str = ""

    @model_validator(mode="after")
    def _header_rows(self) -> Self:
        rows = [self.header] if isinstance(self.header, int) else self.header or []
        if rows != [0] and (any(row < 1 for row in rows) or rows != sorted(set(rows))):
            raise ValueError("header is a row like 4, rows like [3, 4], or 0 for none")
        return self

    @property
    def header_rows(self) -> tuple[int, ...]:
        """The rows of the header."""
        return (self.header,) if isinstance(self.header, int) else tuple(self.header or ())


class Condition(_Rule):
    """Which rows are meant: `{ column = "SKU", empty = true }`, or `is`, or `matches`."""

    column: str
    empty: bool | None = None
    is_: str | list[str] | None = Field(default=None, alias="is")
    matches: str | None = None

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        if sum(test is not None for test in (self.empty, self.is_, self.matches)) != 1:
            raise ValueError("it has one of: empty, is, matches")
        _check_pattern(self.matches or "")
        return self


class RowsRule(_Rule):
    """`[rows]`: which rows are no products, and which cells stand for those below."""

    skip: int = Field(default=0, ge=0)
    leave_out: list[Condition] = []
    fill_down: list[str] = []


class ProductsRule(_Rule):
    """`[products]`: which rows make one product."""

    by: list[str] = Field(min_length=1)
    pattern: str = ""
    parents: list[Condition] = []

    @model_validator(mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return _listed(_listed(value, "by"), "parents")

    @model_validator(mode="after")
    def _groups(self) -> Self:
        if self.pattern and _check_pattern(self.pattern) != 1:
            raise ValueError("pattern has one group in parentheses: what the rows share")
        return self


class ColumnRule(_Rule):
    """One column of the file: what it fills, and how its cells are read."""

    to: list[str] = Field(min_length=1)
    decimal: Sign = ""
    round: int | None = Field(default=None, ge=0, le=6)
    currency: str = Field(default="", pattern="^([A-Z]{3})?$")
    unit: str = ""
    dates: Dates = ""
    digits: int = Field(default=0, ge=0, le=32)
    values: Mapping[str, str] = {}
    default: str = ""
    prefix: str = ""
    suffix: str = ""
    split: str = ""
    pattern: str = ""
    rows: Rows = ""

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        value = _listed(value if isinstance(value, dict) else {"to": value}, "to")
        value = {**value, **({"default": _text(value["default"])} if "default" in value else {})}
        if isinstance(values := value.get("values"), dict):
            value["values"] = {key: _text(each) for key, each in values.items()}
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        targets = [_known(header, self.unit) for header in self.to]
        for name, kinds in _FOR.items():
            if name in self.model_fields_set:
                for target in targets:
                    if target.column.what not in kinds:
                        raise ValueError(f"{name} says nothing about {target.header}")
        _check_rows(self.rows, targets)
        groups = _check_pattern(self.pattern) if self.pattern else 0
        if self.pattern and groups != len(targets):
            raise ValueError("pattern has one group in parentheses for each field in `to`")
        if self.pattern and self.split:
            raise ValueError("a column has split or pattern, not both")
        if len(targets) > 1 and not (self.split or self.pattern):
            raise ValueError("several fields in `to` need split, or a pattern with as many groups")
        if self.split and len(targets) == 1 and not targets[0].listed:
            raise ValueError(f"split gives several values, and {self.to[0]} holds one")
        return self

    @property
    def targets(self) -> tuple[Target, ...]:
        """What it fills."""
        return tuple(_known(header, self.unit) for header in self.to)


class FieldRule(_Rule):
    """One field that no single column has: a constant or a template."""

    text: str | list[str]
    rows: Rows = ""

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return value
        return {"text": value if isinstance(value, list) else _text(value)}

    @property
    def texts(self) -> list[str]:
        """The templates, one for each value."""
        return [self.text] if isinstance(self.text, str) else self.text

    @model_validator(mode="after")
    def _templates(self) -> Self:
        for text in self.texts:
            try:
                names(text)
            except TemplateError as error:
                raise ValueError(str(error).rstrip(".")) from None
        return self


class PicturesRule(_Rule):
    """`[pictures]`: the folder where pictures lie, and which of them a row has."""

    folder: str
    pattern: list[str] = []
    to: Literal["media", "media+", "variants.media"] = "media"

    @model_validator(mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return _listed(value, "pattern")

    @model_validator(mode="after")
    def _names(self) -> Self:
        for text in self.pattern:
            if re.search(r"[/\\]", text):
                raise ValueError("pattern names files in the folder; it has no / and no \\")
            if not names(text):
                raise ValueError("pattern names the row's pictures, like {sku}_*.jpg")
        return self


class Rules(_Rule):
    """A whole mapping."""

    file: TableRule = TableRule()
    rows: RowsRule = RowsRule()
    products: ProductsRule | None = None
    columns: dict[str, ColumnRule] = Field(default={})
    fields: dict[str, FieldRule] = Field(default={})
    pictures: PicturesRule | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        filled: dict[str, str] = {}
        for own, target in self._targets():
            first = filled.setdefault(target.header, own)
            if first != own and not target.listed:
                raise ValueError(f"{first} and {own} both fill {target.header}; keep one of them")
        if not set(NAMING) & filled.keys():
            raise ValueError(f"no column says which products: fill one of {', '.join(NAMING)}")
        for own, rule in self.fields.items():
            target = _known(own)
            _check_rows(rule.rows, [target])
            if len(rule.texts) != 1 and not target.listed:
                raise ValueError(f"[fields] {own} holds one value")
        return self

    def _targets(self) -> Iterator[tuple[str, Target]]:
        for name, rule in self.columns.items():
            for target in rule.targets:
                yield f'the column "{name}"', target
        for header in self.fields:
            yield f"[fields] {header}", _known(header)


def parsed(document: Mapping[str, Any], file: str) -> Rules:
    """Return the rules in a mapping's document.

    Args:
        document: what its TOML says, decimals as `Decimal`.
        file: its name, for messages.

    Raises:
        SourceError: for everything that is wrong with it, at once.
    """
    try:
        return Rules.model_validate(document)
    except ValidationError as error:
        found = (_problem(dict(fault), file) for fault in error.errors())
        raise SourceError(dict.fromkeys(found)) from None


def _problem(fault: dict[str, Any], file: str) -> Problem:
    """Return what is wrong in a person's words, with the nearest names for one that isn't known."""
    where = _where(fault["loc"])
    last = str(fault["loc"][-1]) if fault["loc"] else ""
    if fault["type"] == "extra_forbidden":
        known = _keys(fault["loc"][:-1])
        near = get_close_matches(last, known, 1, 0.5)
        hint = f"; {near[0]} is close" if near else ""
        message = f"{_where(fault['loc'][:-1])} has nothing called {last!r}{hint}"
        return Problem(message, f"Write one of: {', '.join(known)}", file)
    if fault["type"] == "missing":
        message = f"{_where(fault['loc'][:-1])} lacks {last!r}"
        return Problem(message, f"Write it, like {_EXAMPLES.get(last, last + ' = ...')}", file)
    if fault["type"] == "value_error":
        return Problem(f"{where}: {fault['ctx']['error']}", "Correct the mapping", file)
    return Problem(f"{where}: {fault['msg']}", "Correct the mapping", file)


_EXAMPLES = {"to": 'to = "price"', "by": 'by = "Model"', "column": 'column = "SKU"'}
_EXAMPLES |= {"folder": 'folder = "pictures"', "text": 'text = "{brand} {name}"'}


def _keys(path: tuple[Any, ...]) -> list[str]:
    """Return the keys that a table of the mapping may have."""
    model: type[BaseModel] = Rules
    tables: dict[str, type[BaseModel]] = {
        "file": TableRule,
        "rows": RowsRule,
        "products": ProductsRule,
        "columns": ColumnRule,
        "fields": FieldRule,
        "pictures": PicturesRule,
    }
    if path:
        model = Condition if {"leave_out", "parents"} & set(path) else tables[str(path[0])]
    return [field.alias or name for name, field in model.model_fields.items()]


def _where(path: tuple[Any, ...]) -> str:
    """Return the place in a mapping that a path means, as TOML writes it."""
    if not path:
        return "The mapping"
    head, *rest = map(str, path)
    if head in ("columns", "fields") and rest:
        name = rest[0] if re.fullmatch(r"[A-Za-z0-9_-]+", rest[0]) else f'"{rest[0]}"'
        return " ".join([f"[{head}.{name}]", *rest[1:]])
    return " ".join([f"[{head}]", *rest])


def _known(header: str, unit: str = "") -> Target:
    target = target_of(header, unit)
    if target is None:
        near = similar(header)
        hint = f"; {near} is close" if near else ""
        raise ValueError(f"there is no field {header!r}{f' in {unit}' if unit else ''}{hint}")
    return target


def _listed(value: Any, name: str) -> Any:
    """Return a table in which one value is a list as well."""
    if isinstance(value, dict) and name in value and not isinstance(value[name], list):
        return {**value, name: [value[name]]}
    return value


def _text(value: Any) -> Any:
    """Return a value as our sheet writes it; what has no such form is for pydantic to refuse."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return str(value) if isinstance(value, int | Decimal) else value


def _check_rows(rows: Rows, targets: list[Target]) -> None:
    for target in targets:
        if rows and target.column.of_variant:
            raise ValueError(f"rows is for a product's fields, and {target.header} is a variant's")
        if rows == "all" and not target.listed:
            raise ValueError(f'{target.header} holds one value: rows is "same" or "first"')


def _check_pattern(pattern: str) -> int:
    """Return how many groups a regular expression has."""
    import regex

    if len(pattern) > _LONGEST:
        raise ValueError(f"a pattern has {_LONGEST} characters at most")
    try:
        return regex.compile(pattern).groups
    except regex.error as error:
        raise ValueError(f"the pattern {pattern!r} can't be read: {error}") from None
