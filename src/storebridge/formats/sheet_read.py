"""Reads the rows of storebridge's own sheet into products."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, Literal

from pydantic import ValidationError

from storebridge.formats.base import Context
from storebridge.formats.cells import (
    BadCell,
    Field,
    boolean,
    code,
    dotted,
    integer,
    key_of,
    money_in,
    picker,
    plain,
    scalars,
    validated,
    word,
)
from storebridge.formats.keys import FileKeys, Repeat
from storebridge.formats.paths import Paths, path_of
from storebridge.formats.pictures import checked
from storebridge.formats.sheet_cells import (
    commas,
    instant,
    json_value,
    lines,
    measure,
    named,
    sentences,
)
from storebridge.formats.sheet_columns import (
    LENGTH_UNITS,
    NAMING,
    WEIGHT_UNITS,
    Column,
    column_of,
    similar,
)
from storebridge.formats.table import Table
from storebridge.models import Product, Translation
from storebridge.models.checks import STATUSES

__all__ = ["Reader", "Rows"]

Rows = list[tuple[int, list[str]]]

#: What reads the cells of each kind of value; the others need the context.
_PARSERS: dict[str, Callable[[str], Any] | None] = {
    "text": None,
    "word": plain,
    "code": code,
    "codes": lambda text: tuple(map(code, commas(text))),
    "status": word("status", {status: status for status in STATUSES}),
    "list": commas,
    "lines": lines,
    "sentences": sentences,
    "named": named,
    "bool": boolean,
    "int": integer,
    "json": json_value,
}

_DECIMALS = ("money", "weight", "length")


class Reader:
    """Turns the rows of one table into products; what each column means is worked out once."""

    def __init__(self, table: Table, context: Context) -> None:
        self.table, self.report, self.context = table, table.report, context
        self.naming: dict[str, int] = {}
        self.columns: dict[str, Column] = {}
        self.names: dict[str, str] = {}
        self.product: list[Field] = []
        self.variant: list[Field] = []
        self.options: list[tuple[str, int]] = []
        self.delete = -1
        self.expects: Literal["", "new", "existing", "ignored"] = ""
        """What the rows of the product that was read last say of the store."""
        self.paths = Paths(context.collections)
        self._cleared: dict[bool, list[Column]] = {True: [], False: []}
        self._variant_rows: list[int] = []
        self._later: dict[str, int] = {}
        self._survey()
        self._own = picker([index for index, _, _ in self.product])

    # --- the header ---------------------------------------------------------------------------

    def _survey(self) -> None:
        seen: dict[str, str] = {}
        for index, header in enumerate(self.table.header):
            own = self.report.header[index]
            column = self._column_of(header)
            if not header:
                if not own:
                    self._header_problem(own, "A column has no name", "Name it, or delete it")
            elif column is None:
                self._unknown(own, header)
            elif column.header in seen:
                self._header_problem(
                    own, f"This is the same column as {seen[column.header]!r}", "Keep one of them"
                )
            else:
                seen[column.header] = own
                self._column(index, own, column)
        self.naming = {name: self.naming[name] for name in NAMING if name in self.naming}
        if not self.naming:
            self._header_problem(
                "sku",
                "No column says which products the rows are about",
                f"Add one of: {', '.join(NAMING)}",
            )

    def _column_of(self, header: str) -> Column | None:
        return column_of(header)

    def _similar(self, header: str) -> str:
        return similar(header)

    def _header_problem(self, column: str, message: str, remedy: str) -> None:
        self.report.add(1, column, "", message, remedy)

    def _unknown(self, own: str, header: str) -> None:
        near = self._similar(header)
        self._header_problem(
            own,
            f"There is no such column{f'; {near} is close' if near else ''}",
            f"Write a field's name, or leave the column out with --header '{own}='",
        )

    def _column(self, index: int, own: str, column: Column) -> None:
        name = column.header
        if column.path == "variants.inventory" and not column.args and self.context.location:
            column = column._replace(args=(self.context.location,))
        self.columns[name] = column
        self.names[name] = own
        self.names.setdefault(column.path, own)
        if name in NAMING:
            self.naming[name] = index
        if column.path == "variants.options":
            self.options.append((column.args[0], index))
        elif name == "delete":
            self.delete = index
        elif self._is_language(own, column) and name != "handle":
            fields = self.variant if column.of_variant else self.product
            fields.append((index, name, self._signed(self._parser(column), column)))
            if self._clears(column):
                self._cleared[column.of_variant].append(column)

    def _clears(self, column: Column) -> bool:
        return column.clears and self.context.blank == "clear"

    def _is_language(self, own: str, column: Column) -> bool:
        """Whether a translation's language is one; others pass."""
        if column.path != "translations":
            return True
        try:
            Translation(locale=column.args[1], field=column.args[0], value="")
        except ValidationError:
            self._header_problem(
                own,
                f"{column.args[1]!r} is not a language tag",
                f"Write one like de or pt-BR: {column.args[0]}[de]",
            )
            return False
        return True

    def _signed(
        self, parse: Callable[[str], Any] | None, column: Column
    ) -> Callable[[str], Any] | None:
        """Return a parser that takes the file's decimal sign; a workbook's numbers have none."""
        if parse is None or column.what not in _DECIMALS:
            return parse
        if self.context.decimal == ".":
            return _or_with_commas(parse)
        book = bool(self.table.sheet)
        return lambda text: parse(text if book and "," not in text else dotted(text))

    def _parser(self, column: Column) -> Callable[[str], Any] | None:
        context = self.context
        match column.what:
            case "money" if column.path == "variants.market_prices":
                name = column.args[0]
                currencies = {key_of(k): code for k, code in context.market_currencies.items()}
                option = f"--market-currency '{name}=EUR'"
                return money_in(currencies.get(key_of(name), ""), f"the market {name}", option)
            case "money":
                return money_in(context.currency)
            case "weight":
                unit = column.unit or context.weight_unit
                return measure(WEIGHT_UNITS, unit, "unit of weight", "--weight-unit kg")
            case "length":
                unit = column.unit or context.length_unit
                return measure(LENGTH_UNITS, unit, "unit of length", "--length-unit cm")
            case "time":
                return instant(context)
        return _PARSERS[column.what]

    # --- the rows -----------------------------------------------------------------------------

    def products(self) -> Iterator[tuple[int, Product | None, bool]]:
        """Yield the first row of each product, the product, and whether to delete it.

        The product is None where it can't be made out.
        """
        for name, rows in self._groups():
            delete = self._delete(rows, name)
            yield rows[0][0], self._product(rows, name), delete

    def _groups(self) -> Iterator[tuple[str, Rows]]:
        """Yield the rows of each product, and which column names it; "" for a lone SKU."""
        for (name, _), rows in groupby(self.table.rows, self._name):
            group = list(rows)
            if name or self._has_sku(group[0]):
                yield name, group

    def _name(self, item: tuple[int, list[str]]) -> tuple[str, str]:
        """Return what names the product of a row; a row that only has a SKU stands alone."""
        row, cells = item
        for name, index in self.naming.items():
            if name != "sku" and (text := cells[index].strip()):
                return name, text
        return "", str(row)

    def _has_sku(self, item: tuple[int, list[str]]) -> bool:
        row, cells = item
        at = self.naming.get("sku", -1)
        if at >= 0 and cells[at].strip():
            return True
        column = self.names[next(iter(self.naming))]
        named = ", ".join(self.names[name] for name in self.naming)
        self.report.add(row, column, "", "The row names no product", f"Fill one of: {named}")
        return False

    def note(self, keys: FileKeys, row: int, product: Product) -> None:
        """Keep the keys of a product that was just read, to find those that come twice."""
        for name in ("handle", "id", "key"):
            if value := getattr(product, name):
                keys.add(name, f"{name}:{value}", row, row)
        for variant, at in zip(product.variants, self._variant_rows, strict=True):
            if variant.sku:
                keys.add("sku", f"sku:{variant.sku}", row, at)

    def repeated(self, repeat: Repeat) -> None:
        """Report a name that another product has already."""
        name, _, value = repeat.key.partition(":")
        message, remedy = (
            (f"Row {repeat.first_row} has this SKU already", "Give each variant a SKU of its own")
            if name == "sku"
            else (
                f"Row {repeat.first_row} begins a product with this {name} already",
                f"Put the rows of one product together; a second product needs its own {name}",
            )
        )
        self.report.add(repeat.row, self.names.get(name, name), value, message, remedy)

    def _product(self, rows: Rows, name: str) -> Product | None:
        row = rows[0][0]
        cleared = self._cleared[False] if name else []
        fields = self._assemble(self._own_values(rows), row, cleared)
        if name == "handle":
            fields["handle"] = rows[0][1][self.naming["handle"]].strip()
        self._settle(fields, rows)
        names = self._option_names(fields, rows) if name else []
        self._variants(fields, rows, names, bool(name))
        product = validated(fields, row, self.report)
        if product is not None:
            product, findings = checked(product, self.context)
            for finding in findings:
                self.report.found(*self._spot(finding.path, row, product), finding)
        return product

    def _settle(self, fields: dict[str, Any], rows: Rows) -> None:
        """Put together what several columns say about a product."""
        if "media" in fields:
            fields["media"] = self._media(rows[0][0], **fields["media"])
        for name in ("collections", "collections+"):
            if name in fields:
                fields[name] = tuple(map(self._collection, fields[name]))
        if "collections-" in fields:
            found = (self._collection(text, make=False) for text in fields["collections-"])
            fields["collections-"] = tuple(filter(None, found))

    def _collection(self, text: str, *, make: bool = True) -> str:
        """Return the handle that a cell names, or that its path ("Clothing > Shirts") has."""
        path = path_of(text)
        if not path:
            return text
        return self.paths.handle(path) if make else self.paths.find(path)

    def _own_values(self, rows: Rows) -> dict[str, Any]:
        """Return what the rows of a product say about it; each may, but they must agree."""
        row, cells = rows[0]
        found = scalars(self.product, cells, row, self.report)
        first = self._own(cells)
        self._later = {}
        for row, cells in rows[1:]:
            own = self._own(cells)
            if own == first or not any(own):
                continue
            for name, value in scalars(self.product, cells, row, self.report).items():
                if name not in found:
                    found[name], self._later[self.names[name]] = value, row
                elif found[name] != value:
                    self._differs(found, name, value, (row, cells))
        return found

    def _differs(
        self, found: dict[str, Any], name: str, value: Any, item: tuple[int, list[str]]
    ) -> None:
        """Report a row that says something else about its product than one above."""
        row, cells = item
        self.report.add(
            row,
            self.names[name],
            cells[self.report.header.index(self.names[name])],
            "Another row of this product has another value",
            "Write it once, and leave the product's other rows blank",
        )

    def _assemble(self, values: dict[str, Any], row: int, cleared: list[Column]) -> dict[str, Any]:
        """Return the fields of a product or a variant, from the values of its cells."""
        fields: dict[str, Any] = {}
        said: dict[object, str] = {}
        for name, value in values.items():
            column = self.columns[name]
            if (first := said.setdefault(column.place, name)) == name:
                _place(fields, column, value)
            else:
                self.report.add(
                    row, self.names[name], "", f"{first} says this already", "Fill one of the two"
                )
        for column in cleared:
            if column.place not in said:
                _clear(fields, column)
        if prices := fields.get("market_prices"):
            fields["market_prices"] = list(prices.values())
        if "price" not in (fields.get("sale") or {"price": None}):
            del fields["sale"]
            own = self.names.get("sale.starts_at", self.names.get("sale.ends_at", ""))
            self.report.add(row, own, "", "The sale has no price", "Fill sale.price")
        return fields

    def _media(
        self, row: int, url: tuple[str, ...] = (), alt: tuple[str, ...] = ()
    ) -> list[dict[str, str]]:
        if alt and len(alt) != len(url):
            self.report.add(
                row,
                self.names["media.alt"],
                "",
                f"There are {len(url)} pictures and {len(alt)} texts",
                "Write as many as in media, separated by ' | '; a text may be empty",
            )
            alt = ()
        texts = alt or ("",) * len(url)
        media = zip(url, texts, strict=True)
        return [{"url": url, "alt": text} if text else {"url": url} for url, text in media]

    def _delete(self, rows: Rows, name: str) -> bool:
        """Return whether a product is to be deleted: its rows must agree, and name the product."""
        if self.delete < 0:
            return False
        said = []
        for row, cells in rows:
            answer = scalars([(self.delete, "delete", boolean)], cells, row, self.report)
            said.append(answer.get("delete", False))
        row, column = rows[0][0], self.names["delete"]
        if any(said) and not all(said):
            self.report.add(
                rows[said.index(True)][0],
                column,
                "TRUE",
                "Other rows of this product don't say so, and a variant alone can't be deleted",
                "Write TRUE in each row to delete the whole product, or in none",
            )
        elif any(said) and not name:
            self.report.add(
                row,
                column,
                "TRUE",
                "This would delete the whole product, and the row names a variant only",
                "Name the product by its handle, id or key",
            )
        return all(said)

    # --- variants -----------------------------------------------------------------------------

    def _option_names(self, fields: dict[str, Any], rows: Rows) -> list[str]:
        """Return a product's option names in order, and give it the options.

        Without the column `options`, the order is the columns', and the values stay open: the
        file need not have all variants of the product.
        """
        used = [(n, i) for n, i in self.options if any(cells[i].strip() for _, cells in rows)]
        if "options" not in fields:
            if used:
                fields["options"] = [{"name": name} for name, _ in used]
            return [name for name, _ in used]
        options: list[dict[str, Any]] = [dict(option) for option in fields["options"]]
        fields["options"] = options
        by_name = {option["name"]: option for option in options}
        for name, index in used:
            values = [cells[index] for _, cells in rows if cells[index].strip()]
            if name not in by_name:
                self.report.add(
                    rows[0][0],
                    self.report.header[index],
                    values[0],
                    f"The product's options don't name {name}",
                    f"Add it to {self.names['options']}, or empty these cells",
                )
            elif "values" in by_name[name]:
                known = by_name[name]["values"]
                by_name[name]["values"] = tuple(dict.fromkeys((*known, *values)))
        return list(by_name)

    def _variants(
        self, fields: dict[str, Any], rows: Rows, names: list[str], named_product: bool
    ) -> None:
        places = dict(self.options)
        variants, self._variant_rows = [], []
        for row, cells in rows:
            values = scalars(self.variant, cells, row, self.report)
            choice = [cells[places[n]] if n in places else "" for n in names]
            choice = ["" if value.isspace() else value for value in choice]
            if not named_product:
                self._lone(row, cells)
            if not values and not any(choice):
                continue
            variant = self._assemble(values, row, self._cleared[True])
            if any(choice):
                variant["options"] = choice
            variants.append(variant)
            self._variant_rows.append(row)
        if variants:
            fields["variants"] = variants

    def _lone(self, row: int, cells: list[str]) -> None:
        """Report option values of a row that doesn't name its product: their order is unknown."""
        for _, index in self.options:
            if cells[index].strip():
                self.report.add(
                    row,
                    self.report.header[index],
                    cells[index],
                    "The row names no product that this could be an option of",
                    "Name the product by its handle, or delete the column",
                )

    def _spot(self, path: str, row: int, product: Product) -> tuple[int, str]:
        """Return the row and the column that a path in the model came from."""
        head, *parts = path.split(".")
        if head == "variants":
            place = int(parts[0])
            row = self._variant_rows[place]
            if parts[1] == "market_prices":
                price = product.variants[place].market_prices[int(parts[2])]
                return row, self.names.get(f"{parts[3]}[{price.market}]", path)
        head = head.replace("_add", "+").replace("_remove", "-")
        steps = [head, *(part for part in parts if not part.isdigit())]
        while steps:
            if own := self.names.get(".".join(steps)):
                return self._later.get(own, row), own
            steps.pop()
        return row, self.names.get(f"variants.{head}", path)


def _or_with_commas(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a parser that tells how to read a file whose decimals begin with commas."""

    def parsed(text: str) -> Any:
        try:
            return parse(text)
        except BadCell as bad:
            if "," in text and not bad.once:
                bad.remedy += "; a file that writes 19,99 is read with --decimal ,"
            raise

    return parsed


def _place(fields: dict[str, Any], column: Column, value: Any) -> None:
    """Put a value where it belongs in the fields of a product or a variant."""
    path, args = column.path.removeprefix("variants."), column.args
    match path:
        case "translations":
            found = {"field": args[0], "locale": args[1], "value": value}
            _append(fields, path, {**found, **({"market": args[2]} if args[2] else {})})
        case "metafields":
            found = {"namespace": args[0], "key": args[1], "value": value}
            _append(fields, path, {**found, **({"type": column.unit} if column.unit else {})})
        case "inventory":
            _append(fields, path, {"available": value, **({"location": args[0]} if args else {})})
        case "platform_fields":
            fields.setdefault(path, {}).setdefault(args[0], {})[args[1]] = value
        case "market_prices":
            prices = fields.setdefault(path, {})
            prices.setdefault(args[0], {"market": args[0]})[args[1]] = value
        case "media+":
            fields[path] = [{"url": url} for url in value]
        case _:
            head, _, rest = path.partition(".")
            if rest:
                fields.setdefault(head, {})[rest] = value
            else:
                fields[head] = value


def _append(fields: dict[str, Any], path: str, element: dict[str, Any]) -> None:
    fields.setdefault(path, []).append(element)


def _clear(fields: dict[str, Any], column: Column) -> None:
    """Empty the field of a blank cell, unless another cell says something about it."""
    head, _, rest = column.path.removeprefix("variants.").partition(".")
    if head == "sale" or not rest:
        fields.setdefault(head, column.empty)
    else:
        fields.setdefault(head, {}).setdefault(rest, column.empty)
