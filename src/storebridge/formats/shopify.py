"""Shopify's product CSV (or the same table in XLSX), current and legacy names.

One product is a group of rows with one handle: its own fields stand in the first row, each row
may add a variant, a picture, or both. A blank cell is a field that isn't given, with one
exception that Shopify documents: a blank inventory tracker means that stock isn't counted.

`Published` is the channel "Online Store". A weight is kept in its display unit, to the
milligram. Columns that the model has no field for go to `platform_fields["shopify"]`: those that
describe an offer to the variant, `Google Shopping / …` and columns that nobody knows (under
`columns`) to the product, or to the variant of a later row that says something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from storebridge.errors import Problem
from storebridge.formats.base import Context, Loss, Sourced
from storebridge.formats.cells import key_of
from storebridge.formats.keys import FileKeys
from storebridge.formats.sheet_columns import column_of
from storebridge.formats.shopify_columns import DISTINCT, known, numeric
from storebridge.formats.shopify_read import Reader
from storebridge.formats.table import open_table
from storebridge.models import Record

__all__ = ["ShopifyCsv"]

#: What our own sheet calls its columns too, in lower case.
_OURS = frozenset(filter(column_of, DISTINCT))


class ShopifyCsv:
    """Shopify's product table, in and out."""

    name = "shopify-csv"
    suffixes: tuple[str, ...] = (".csv", ".tsv", ".txt", ".xlsx")
    kinds = frozenset({"product"})

    def recognises(self, header: tuple[str, ...], context: Context) -> bool:
        """Return whether a header has a column that only this format has.

        Our own sheet has "title" and "handle" too, in lower case: with a slip in another header
        it is still no file of Shopify's.
        """
        return any(key_of(name) in DISTINCT and name not in _OURS for name in header)

    def knows(self, header: str) -> bool:
        """Return whether a column is one of this format's."""
        return known(header)

    def read(self, path: Path, context: Context) -> Iterator[Sourced | Problem]:
        """Yield the file's products, and a problem for everything wrong with it.

        Raises:
            SourceError: if the file stops being readable as a table.
        """
        table = open_table(path, context, known, numeric)
        report = table.report
        reader = Reader(table, context)
        if reader.handle < 0:
            yield from report.drain()
            return
        with FileKeys() as keys:
            for row, product in reader.products():
                yield from report.drain()
                if product is not None:
                    reader.note(keys, row, product)
                    yield Sourced(product, row, delete=reader.delete, expects=reader.expects)
            yield from report.drain()
            for repeat in keys.repeats():
                reader.repeated(repeat.key, repeat.row, repeat.first_row)
                yield from report.drain()

    def write(self, path: Path, records: Iterable[Record], context: Context) -> list[Loss]:
        """Write products to a new file, atomically; return what the format could not hold."""
        from storebridge.formats.shopify_write import write

        return write(path, records, context)
