r"""Mappings: how a supplier's table becomes products, written in TOML.

A mapping belongs to one supplier's file, and is used whenever that file comes again. On its left
are the supplier's columns, on its right the headers of our own sheet (`sku`, `title[de]`,
`price[switzerland]`; see `storebridge.formats.sheet_columns`). Columns that it doesn't name are
left alone.

    [file]                       # where the table is; everything here may be left out
    sheet = "Preisliste"         # of a workbook; else the one with the mapping's columns
    header = 4                   # the header's row; [3, 4] for two rows, 0 for none (then the
                                 # columns are called A, B, C)
    encoding = "windows-1252"
    delimiter = ";"
    decimal = ","                # begins the decimals: 1.234,50; the other sign may group digits
    dates = "DMY"                # 31.05.2026
    currency = "EUR"             # of amounts that don't say theirs
    weight_unit = "kg"           # and length_unit = "cm", time_zone = "Europe/Berlin"

    [rows]
    skip = 1                     # rows below the header that are no products
    leave_out = [                # rows that are no products, by what is in them
        { column = "Artikelnr.", empty = true },
        { column = "Status", is = ["gesperrt", "Auslauf"] },
        { column = "Artikelnr.", matches = "^Summe" },
    ]
    fill_down = ["Modell"]       # blank cells (merged ones, say) take what stands above

    [products]                   # which rows are one product; without it, each row is one, or
    by = "Modell"                # those with the same handle; ["Parent", "SKU"]: the first filled
    pattern = "^(.+)-"           # only what the parentheses find of it: "TS-100" of "TS-100-M"
    parents = { column = "Typ", is = "Modell" }    # rows about the product, which aren't sold

    [columns]
    "Artikelnr." = "sku"
    "Beschreibung" = "description_html"
    "Bild *" = "media"           # every column whose name begins so
    "Material" = "attribute[Material]"

    [columns."Preis netto"]      # more to say about a column
    to = "price"
    decimal = ","
    currency = "EUR"
    round = 2                    # decimals, half up

    [columns."Bestand"]
    to = "inventory"
    values = { ">50" = 50, "ausverkauft" = 0 }
    default = 0                  # what a blank cell means

    [columns."Ausführung"]       # "M / Rot"
    to = ["option[Größe]", "option[Farbe]"]
    split = "/"                  # or pattern = "(\\w+), (\\w+)"

    [columns."EAN"]
    to = "barcodes"
    digits = 13                  # puts back the zeros that a spreadsheet has dropped

    [columns."Schlagworte"]
    to = "tags"
    split = ";"                  # without it, a cell is one value
    prefix = "acme-"             # and suffix

    [columns."Gewicht"]
    to = "weight"
    unit = "g"

    [fields]                     # what no single column has: constants and templates
    vendor = "Acme"
    tags = ["neu", "{Saison}"]
    handle = "{Modell}"          # a handle is written as addresses are: "t-shirt-rot"
    title = { text = "{vendor} {Bezeichnung}", rows = "first" }

    [pictures]
    folder = "bilder"            # seen from the mapping; also for file names in columns
    pattern = "{sku}_*.jpg"      # or several; sorted, with _2 before _10

A name in braces is a column of the file, or else a field that the mapping fills; `{{` is a brace.
What the rows of a product say about it must be the same in each: `rows = "first"` takes the first
one's instead, `rows = "all"` gathers the values of a list, as pictures always are.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from storebridge.errors import Problem, SourceError
from storebridge.formats.base import Context, Sourced
from storebridge.formats.cells import key_of
from storebridge.formats.layout import Layout
from storebridge.formats.mapping_rules import ColumnRule, Rules, Sign, matches, parsed
from storebridge.formats.sheet_columns import numeric
from storebridge.formats.table import Table, open_table

if TYPE_CHECKING:
    from storebridge.formats.mapping_read import MappedRows

__all__ = ["TableMapping"]

#: So many bad cells in one column, in at least half of the rows, have one cause.
_MANY = 20
_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class TableMapping:
    """How a supplier's table becomes products."""

    name: str
    """The mapping's file name, for messages."""
    text: str
    """Its TOML, which a plan keeps."""
    folder: Path
    """Where the mapping lies, which the folder of the pictures is seen from."""
    rules: Rules = field(repr=False)

    @classmethod
    def load(cls, path: str | Path) -> TableMapping:
        """Return the mapping in a file.

        Raises:
            SourceError: for everything that is wrong with it, at once; or if it can't be read.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            message = f"The mapping can't be read: {error.strerror}"
            raise SourceError([Problem(message, "Check its name and rights", str(path))]) from None
        except UnicodeDecodeError:
            message, remedy = "The mapping is not UTF-8, which TOML files are", "Save it as UTF-8"
            raise SourceError([Problem(message, remedy, path.name)]) from None
        return cls.parse(text, path.name, path.parent)

    @classmethod
    def parse(cls, text: str, name: str = "mapping", folder: Path | None = None) -> TableMapping:
        """Return the mapping that a text in TOML is.

        Raises:
            SourceError: for everything that is wrong with it, at once.
        """
        try:
            document = tomllib.loads(text, parse_float=Decimal)
        except tomllib.TOMLDecodeError as error:
            remedy = 'Names with other signs than A-Z, 0-9, - and _ stand in quotes: "Preis netto"'
            raise SourceError([Problem(f"This is no TOML: {error}", remedy, name)]) from None
        return cls(name, text, folder or Path(), parsed(document, name))

    def context(self, context: Context) -> Context:
        """Return what a file leaves open, with what the mapping says over it."""
        file = self.rules.file
        names = ("encoding", "delimiter", "currency", "weight_unit", "length_unit", "time_zone")
        said = {name: value for name in names if (value := getattr(file, name))}
        if self.rules.pictures and not context.pictures:
            said["pictures"] = str(self.folder / self.rules.pictures.folder)
        return replace(context, **said)

    def read(self, path: Path, context: Context) -> Iterator[Sourced | Problem]:
        """Yield a file's products, and a problem for everything wrong with it.

        Args:
            path: the file.
            context: what `context` made of the store's facts, and options over it.

        Raises:
            SourceError: if it stops being readable, or is another supplier's.
        """
        from storebridge.formats.mapping_read import MappedReader
        from storebridge.formats.sheet import sourced

        mapped = self.rows(path, context)
        try:
            yield from _telling(sourced(MappedReader(mapped, context)), mapped)
        except SourceError as error:
            problems = (replace(each, file=each.file or path.name) for each in error.problems)
            raise SourceError(problems) from None

    def rows(self, path: Path, context: Context) -> MappedRows:
        """Return a file's rows as rows of our sheet.

        Args:
            path: the file.
            context: as for `read`.

        Raises:
            SourceError: if it can't be read as a table, or lacks columns that the mapping names.
            OSError: if it can't be read.
        """
        from storebridge.formats.mapping_read import MappedRows

        return MappedRows(self.table(path, context), self.rules, context, self.sign(context))

    def table(self, path: Path, context: Context) -> Table:
        """Return the table in a file, with its own columns.

        Raises:
            SourceError: if it can't be read as a table.
            OSError: if it can't be read.
        """
        file = self.rules.file
        sign = self.sign(context)
        layout = Layout(file.sheet, file.header_rows, lambda name: self._decimal(name, sign))
        return open_table(path, context, lambda name: bool(self._rule(name)), self._numeric, layout)

    def _rule(self, name: str) -> ColumnRule | None:
        """Return what the mapping says about a column, by its name or by one with a *."""
        key = key_of(name)
        rules = {key_of(own): rule for own, rule in self.rules.columns.items()}
        stars = (rule for own, rule in rules.items() if matches(own, key))
        return rules.get(key) or next(stars, None)

    def sign(self, context: Context) -> Sign:
        """Return the decimal sign of columns that have none of their own; "" for plain numbers."""
        return self.rules.file.decimal or ("," if context.decimal == "," else "")

    def _decimal(self, name: str, sign: Sign) -> str:
        """Return the decimal sign of a column's texts."""
        rule = self._rule(name)
        if rule is None or not any(numeric(target.header) for target in rule.targets):
            return "."
        return rule.decimal or sign or "."

    def _numeric(self, name: str) -> bool:
        """Return whether a workbook's numbers in a column are no surprise."""
        rule = self._rule(name)
        return rule is not None and (
            rule.digits > 0 or any(numeric(target.header) for target in rule.targets)
        )


def _telling(items: Iterator[Sourced | Problem], mapped: MappedRows) -> Iterator[Sourced | Problem]:
    """Yield what was read; where a column is wrong throughout, say so instead of each cell."""
    held: list[Problem] = []
    bad: dict[str, set[int]] = {}
    for item in items:
        if isinstance(item, Sourced):
            yield item
            continue
        held.append(item)
        if item.row is None or not item.column:
            continue
        rows = bad.setdefault(item.column, set())
        rows.add(item.row)
        if len(rows) >= _MANY and 2 * len(rows) >= mapped.count:
            break
    column = max(bad, key=lambda name: len(bad[name]), default="")
    count = len(bad.get(column, ()))
    if count < _SAMPLES or 2 * count < mapped.count:
        yield from held
        return
    yield Problem(
        f"{count} of the first {mapped.count} rows are wrong in this column, as when columns are "
        "shifted or the mapping is another file's",
        "Look at the file; if it is right, correct what the mapping says about the column",
        mapped.report.file,
        column=column,
    )
    yield from [each for each in held if each.column == column][:_SAMPLES]
    yield from [each for each in held if each.column != column]
