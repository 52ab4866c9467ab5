"""storebridge's own sheet (CSV or XLSX): a row per variant, headers that are the models' paths.

What the headers may be stands in `storebridge.formats.sheet_columns`. Rows with the same handle
(or id, or key, where there is no handle) are one product, and stand together; what they say
about the product stands in any of them. A row that only has a SKU changes that variant, whatever
product it belongs to.

A missing column leaves a field alone. So does a blank cell, unless `Context.blank` is "clear":
then it empties texts, lists and optional values, but neither a price nor an answer of TRUE or
FALSE, nor the elements of lists that merge (pictures, metafields, translations, quantities,
market prices). Ids of variants and pictures stay out: they mean nothing in another store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from storebridge.errors import Problem
from storebridge.formats.base import Context, Loss, Sourced
from storebridge.formats.sheet_columns import FIXED, NAMING, SYNONYMS, column_of, is_feed, numeric
from storebridge.formats.table import open_table
from storebridge.models import Record

if TYPE_CHECKING:
    from storebridge.formats.sheet_read import Reader

__all__ = ["Sheet", "sourced"]

_KNOWN = {*FIXED, *SYNONYMS}


class Sheet:
    """storebridge's own product sheet, in and out."""

    name = "sheet"
    suffixes: tuple[str, ...] = (".csv", ".tsv", ".txt", ".xlsx")
    kinds = frozenset({"product"})

    def recognises(self, header: tuple[str, ...], context: Context) -> bool:
        """Return whether a header names products, and has nothing but fields as they are written.

        Other formats have columns called "Title" and "SKU"; ours are all in lower case. Only a
        feed of stock and prices may write them in any way.
        """
        if is_feed(header):
            return True
        columns = [column_of(name) for name in header if name]
        return any(name in header for name in NAMING) and all(
            column is not None and (name in _KNOWN or column.header == name)
            for name, column in zip(filter(None, header), columns, strict=True)
        )

    def knows(self, header: str) -> bool:
        """Return whether a column is one of this format's, apart from those with a free part."""
        return header in _KNOWN

    def read(self, path: Path, context: Context) -> Iterator[Sourced | Problem]:
        """Yield the file's products, and a problem for everything wrong with it.

        Raises:
            SourceError: if the file stops being readable as a table.
        """
        from storebridge.formats.sheet_read import Reader

        table = open_table(path, context, lambda name: name.casefold() in _KNOWN, numeric)
        yield from sourced(Reader(table, context))

    def write(self, path: Path, records: Iterable[Record], context: Context) -> list[Loss]:
        """Write products to a new file, atomically; return what the format could not hold."""
        from storebridge.formats.sheet_write import write

        return write(path, records, context)


def sourced(reader: Reader) -> Iterator[Sourced | Problem]:
    """Yield a table's products, and a problem for everything wrong with it."""
    from storebridge.formats.keys import FileKeys

    report = reader.report
    if not reader.naming:
        yield from report.drain()
        return
    with FileKeys() as keys:
        for row, product, delete in reader.products():
            yield from report.drain()
            if product is not None:
                for collection in reader.paths.fresh():
                    yield Sourced(collection, row)
                reader.note(keys, row, product)
                yield Sourced(product, row, delete=delete, expects=reader.expects)
        yield from report.drain()
        for repeat in keys.repeats():
            reader.repeated(repeat)
        yield from report.drain()
