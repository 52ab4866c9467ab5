"""Reads a supplier's table by a mapping: each of its rows becomes a row of our own sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, cached_property
from itertools import chain, groupby, takewhile
from pathlib import Path
from typing import Any, NamedTuple

from storebridge.errors import Problem, SourceError
from storebridge.formats.base import Context
from storebridge.formats.cells import BadCell, Report, closest, key_of
from storebridge.formats.keys import Repeat
from storebridge.formats.mapping_cells import Cell, Written, cell_parser, is_plain, joined
from storebridge.formats.mapping_pictures import Pictures
from storebridge.formats.mapping_rows import Chooser, Columns, Grouping, Item, together
from storebridge.formats.mapping_rules import ColumnRule, FieldRule, Rules, Sign, Target, target_of
from storebridge.formats.sheet_columns import NAMING
from storebridge.formats.sheet_read import Reader, Rows
from storebridge.formats.table import Table
from storebridge.models import slug
from storebridge.templates import fill, names

__all__ = ["MappedReader", "MappedRows"]

#: What makes one cell of our sheet: of the file's cells, and of our cells to its left.
_Make = Callable[[list[str], list[str]], str]


class _Wrong(Exception):
    """A cell of the file that can't be read: where it is, and what is wrong."""

    def __init__(self, place: int, bad: BadCell) -> None:
        super().__init__(bad.message)
        self.place, self.bad = place, bad


class _Filled(NamedTuple):
    """A column of our sheet: what fills it, and what a person calls that."""

    target: Target
    own: str
    makes: list[_Make]
    rows: str


class MappedRows:
    """A supplier's table as rows of our sheet.

    Two columns without a name come last: what the rows of a product share, and whether a row is
    about the product alone.
    """

    count = 0
    """How many rows were read so far."""
    _blamed = (0, 0)

    def __init__(self, table: Table, rules: Rules, context: Context, decimal: Sign) -> None:
        """Work out what each column means.

        Args:
            table: the file's.
            rules: the mapping's.
            context: with the mapping's own values, its folder of pictures among them.
            decimal: the decimal sign of columns that have none of their own.

        Raises:
            SourceError: if the file lacks columns that the mapping names.
        """
        self.table, self.rules, self._context = table, rules, context
        self.columns = Columns(table.report.header, rules)
        self._check()
        self._written = Written(decimal, rules.file.dates, context.currency)
        self.grouping = Grouping(rules.products, self.columns) if rules.products else None
        self._filled: dict[str, _Filled] = {}
        for name, rule in rules.columns.items():
            for place in self.columns.places(name):
                self._column(place, rule)
        for header, field in rules.fields.items():
            self._field(header, field)
        self._pictures()
        self._makes = [_made(filled) for filled in self._filled.values()]

    @cached_property
    def report(self) -> Report:
        """Where problems go; it has the file's own names for our columns."""
        return Report(self.table.report.file, self._own_names())

    @cached_property
    def as_sheet(self) -> Table:
        """The rows as a table of our sheet."""
        header = (*(self._header(filled) for filled in self._filled.values()), "", "")
        return Table(header, self.report, self._rows(), self.table.dialect)

    @property
    def unused(self) -> list[str]:
        """The file's columns that the mapping takes nothing from."""
        columns, used = self.columns, set[int]()
        for name in self.rules.columns:
            used.update(columns.places(name))
        grouping = self.rules.products.by if self.rules.products else []
        templates = (text for rule in self.rules.fields.values() for text in rule.texts)
        patterns = self.rules.pictures.pattern if self.rules.pictures else []
        for name in chain(grouping, *(names(text) for text in chain(templates, patterns))):
            place = columns.find(name)
            used.update(() if place is None else (place,))
        return [name for place, name in enumerate(columns.header) if place not in used]

    def rows_of(self, header: str) -> str:
        """Return how the rows of a product share one of its fields: same, first or all."""
        filled = self._filled[header]
        return filled.rows or ("all" if filled.target.column.what == "lines" else "same")

    # --- the header ---------------------------------------------------------------------------

    def _check(self) -> None:
        missing = self.columns.missing()
        known = [name for name in self.columns.header if name]
        fields = {key_of(header) for header in (*self.rules.fields, *self._targets())}
        texts = [text for rule in self.rules.fields.values() for text in rule.texts]
        texts += self.rules.pictures.pattern if self.rules.pictures else []
        for name in chain.from_iterable(map(names, texts)):
            if self.columns.find(name) is None and key_of(name) not in fields:
                missing.append(name)
        if missing:
            listed = ", ".join(
                f"{name!r}{f' ({near} is close)' if (near := _near(name, known)) else ''}"
                for name in dict.fromkeys(missing)
            )
            raise SourceError(
                [
                    Problem(
                        f"The file lacks columns that the mapping names: {listed}",
                        f"It has: {', '.join(known)}. Take the mapping of this file, or correct "
                        "its names or its header row ([file] header)",
                        self.table.report.file,
                        self.table.lead[-1][0] if self.table.lead else None,
                    )
                ]
            )

    def _targets(self) -> Iterator[str]:
        for rule in self.rules.columns.values():
            yield from (target.header for target in rule.targets)

    def _header(self, filled: _Filled) -> str:
        return filled.target.header

    def _own_names(self) -> list[str]:
        """Return what a person calls each of our columns; two of one column differ."""
        seen: set[str] = set()
        found = []
        for filled in self._filled.values():
            own = f"{filled.own} ({filled.target.header})" if filled.own in seen else filled.own
            seen.add(own)
            found.append(own)
        return [*found, "products", "parents"]

    def _add(self, target: Target, own: str, make: _Make, rows: str) -> None:
        known = self._filled.get(target.header)
        if known is None:
            self._filled[target.header] = _Filled(target, own, [make], rows)
        else:
            known.makes.append(make)
            own = f"{known.own.partition(' …')[0]} … {own}"
            self._filled[target.header] = known._replace(own=own, rows=known.rows or rows)

    def _column(self, place: int, rule: ColumnRule) -> None:
        parse = cell_parser(rule, self._written)
        for at, target in enumerate(rule.targets):
            make = _plain(place) if is_plain(rule) else _taken(place, at, parse)
            if target.header == "handle":
                make = _slugged(make)
            self._add(target, self.columns.header[place], make, rule.rows)

    def _field(self, header: str, rule: FieldRule) -> None:
        target = target_of(header)
        assert target is not None, "checked when the mapping was read"
        rows = rule.rows or ("first" if any(map(self._is_first, rule.texts)) else "")
        makes = [self._template(text) for text in rule.texts]
        for make in makes:
            if target.listed:
                self._add(target, f"fields.{header}", _one_of(make, target), rows)
            else:
                whole = _slugged(make) if header == "handle" else make
                self._add(target, f"fields.{header}", whole, rows)

    def _is_first(self, text: str) -> bool:
        """Whether a template is made of a field of which the first row's value counts."""
        first = {key_of(name) for name, filled in self._filled.items() if filled.rows == "first"}
        return any(
            self.columns.find(name) is None and key_of(name) in first for name in names(text)
        )

    def _template(self, text: str) -> _Make:
        """Return what fills a template; what a row leaves out leaves no gap."""
        wanted = names(text)
        if not wanted:
            constant = fill(text, {})
            return lambda cells, made: constant
        values = {name: self._value(name) for name in wanted}

        def make(cells: list[str], made: list[str]) -> str:
            filled = {name: value(cells, made) for name, value in values.items()}
            return " ".join(fill(text, filled).split()) if any(filled.values()) else ""

        return make

    def _value(self, name: str) -> _Make:
        """Return what a name in a template stands for: a column, or a field that is filled."""
        place = self.columns.find(name)
        if place is not None:
            return lambda cells, made: cells[place].strip()
        for at, header in enumerate(self._filled):
            if key_of(header) == key_of(name):
                return lambda cells, made: made[at]
        message = f"{{{name}}} is filled after the template that names it"
        remedy = f"Put {name} before it in [fields]"
        raise SourceError([Problem(message, remedy, self.table.report.file)])

    def _pictures(self) -> None:
        rule = self.rules.pictures
        if rule is None or not rule.pattern:
            return
        pictures = cache(lambda: Pictures(Path(self._context.pictures), rule.pattern))
        values = {name: self._value(name) for text in rule.pattern for name in names(text)}
        target = target_of(rule.to)
        assert target is not None, "one of three constants"

        def make(cells: list[str], made: list[str]) -> str:
            found = pictures().find({name: value(cells, made) for name, value in values.items()})
            return joined(target, found)

        self._add(target, "pictures", make, "")

    # --- the rows -----------------------------------------------------------------------------

    def lead(self) -> list[Item]:
        """Return the file's rows above those of products, header and all; reads the first ones."""
        last = self.table.lead[-1][0] if self.table.lead else 0
        below = takewhile(lambda item: item[0] <= last + self.rules.rows.skip, self.table.rows)
        return [*self.table.lead, *below]

    def name_of(self, cells: list[str]) -> str:
        """Return what the rows of a product share; "" for a row that stands alone."""
        if self.grouping is not None:
            return self.grouping.name(cells)
        made: list[str] = []
        for make in self._makes:
            try:
                made.append(make(cells, made))
            except _Wrong:
                made.append("")
        named = dict(zip(self._filled, made, strict=True))
        return next((text for name in NAMING[:-1] if (text := named.get(name, "").strip())), "")

    def source_rows(self) -> Iterator[Item]:
        """Yield the file's rows that are products, as they are there."""
        return Chooser(self.columns, self.rules, self.table).rows(self.table)

    def _rows(self) -> Iterator[Item]:
        report, makes, grouping = self.report, self._makes, self.grouping
        broken = self.table.report
        for row, cells in self.source_rows():
            made: list[str] = []
            self.count += 1
            for make in makes:
                try:
                    made.append(make(cells, made))
                except _Wrong as wrong:
                    self._blame(row, cells, wrong)
                    made.append("")
            if grouping is not None:
                made += (grouping.name(cells), "x" if grouping.is_parent(cells) else "")
            else:
                made += ("", "")
            report.take(broken.drain())
            yield row, made
        report.take(broken.drain())

    def _blame(self, row: int, cells: list[str], wrong: _Wrong) -> None:
        if self._blamed == (row, wrong.place):  # another value out of the same cell
            return
        self._blamed = row, wrong.place
        column, bad = self.columns.header[wrong.place], wrong.bad
        self.report.add(row, column, cells[wrong.place].strip(), bad.message, bad.remedy)


class MappedReader(Reader):
    """Turns the rows of a mapped table into products: the mapping says which belong together."""

    def __init__(self, mapped: MappedRows, context: Context) -> None:
        """Take a table whose columns are worked out."""
        self.mapped = mapped
        self._shared = {
            own: mapped.rows_of(header)
            for header, own in zip(mapped.as_sheet.header, mapped.report.header, strict=True)
            if header
        }
        super().__init__(mapped.as_sheet, replace(context, decimal="."))

    def _groups(self) -> Iterator[tuple[str, Rows]]:
        for name, rows in self._together():
            if name in NAMING or any(self._named(cells) for _, cells in rows):
                yield name, rows
            else:
                self._has_sku(rows[0])

    def _together(self) -> Iterator[tuple[str, Rows]]:
        if self.mapped.grouping is None:
            for (name, _), rows in groupby(self.table.rows, self._name):
                yield name, list(rows)
            return
        for group in together(self.table.rows, lambda item: item[1][-2]):
            # What the parent says counts before what its variants say.
            group.sort(key=lambda item: not item[1][-1])
            yield "group", group

    def _name(self, item: Item) -> tuple[str, str]:
        """Return what names the product of a row; one without a handle stands for itself."""
        name, value = super()._name(item)
        # A row of a feed, which has a SKU and nothing of the product, changes that variant only.
        return (name or ("row" if self.product or self.options else "")), value

    def _named(self, cells: Sequence[str]) -> bool:
        return any(cells[place].strip() for place in self.naming.values())

    def _delete(self, rows: Rows, name: str) -> bool:
        named = (each for each, place in self.naming.items() if each != "sku" and rows[0][1][place])
        return super()._delete(rows, next(named, ""))

    def _differs(self, found: dict[str, Any], name: str, value: Any, item: Item) -> None:
        own = self.names[name]
        match self._shared.get(own):
            case "first":
                return
            case "all":
                found[name] = tuple(dict.fromkeys((*found[name], *value)))
            case _:
                row, cells = item
                self.report.add(
                    row,
                    own,
                    cells[self.report.header.index(own)],
                    "Another row of this product has another value",
                    'Say in the mapping that the first one counts: rows = "first"',
                )

    def _settle(self, fields: dict[str, Any], rows: Rows) -> None:
        if (place := self.naming.get("handle")) is not None:
            handles = (cells[place] for _, cells in rows)
            fields |= {"handle": found} if (found := next(filter(None, handles), "")) else {}
        media = fields.pop("media", {})
        if urls := media.get("url"):
            # One text, of the product's title say, is for each picture.
            if len(media.get("alt", ())) == 1:
                media["alt"] *= len(urls)
            fields["media"] = media
        super()._settle(fields, rows)

    def _option_names(self, fields: dict[str, Any], rows: Rows) -> list[str]:
        return super()._option_names(fields, self._sold(rows))

    def _variants(
        self, fields: dict[str, Any], rows: Rows, names: list[str], named_product: bool
    ) -> None:
        sold = self._sold(rows)
        super()._variants(fields, sold, names, named_product)
        if not sold:
            self.report.add(
                rows[0][0],
                self.mapped.grouping.by if self.mapped.grouping else "",
                rows[0][1][-2],
                "This product has no row of a variant",
                "Look whether the file is whole, or correct [products] parents in the mapping",
            )

    def _sold(self, rows: Rows) -> Rows:
        """Return the rows that are variants."""
        return [item for item in rows if not item[1][-1]]

    def repeated(self, repeat: Repeat) -> None:
        """Report a name that another product has already."""
        name, _, value = repeat.key.partition(":")
        if name == "sku":
            super().repeated(repeat)
            return
        message = f"Row {repeat.first_row} begins a product with this {name} already"
        by = self.names[name]
        remedy = f'Say in the mapping that these rows are one product: [products] by = "{by}"'
        self.report.add(repeat.row, self.names[name], value, message, remedy)


def _plain(place: int) -> _Make:
    """Return what takes a column's cells as they are."""
    return lambda cells, made: cells[place].strip()


def _taken(place: int, at: int, parse: Cell) -> _Make:
    """Return what takes one value out of a column's cells."""

    def make(cells: list[str], made: list[str]) -> str:
        try:
            return parse(cells[place])[at]
        except BadCell as bad:
            raise _Wrong(place, bad) from None

    return make


def _slugged(make: _Make) -> _Make:
    """Return what makes a handle of a text: handles are parts of addresses."""
    return lambda cells, made: slug(make(cells, made))


def _one_of(make: _Make, target: Target) -> _Make:
    """Return what writes a text as one value of a list."""

    def one(cells: list[str], made: list[str]) -> str:
        text = make(cells, made)
        return joined(target, (text,)) if text else ""

    return one


def _made(filled: _Filled) -> _Make:
    """Return what makes a cell of our sheet of all that fills it."""
    if len(filled.makes) == 1:
        return filled.makes[0]
    makes = filled.makes
    sign = ", " if filled.target.column.what in ("list", "codes") else " | "

    def make(cells: list[str], made: list[str]) -> str:
        found: Iterable[str] = (each(cells, made) for each in makes)
        return sign.join(dict.fromkeys(filter(None, found)))

    return make


def _near(name: str, known: Sequence[str]) -> str:
    by_key = {key_of(each): each for each in known}
    return by_key.get(closest(name, by_key), "")
