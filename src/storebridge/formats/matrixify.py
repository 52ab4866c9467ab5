"""Matrixify's Products sheet (CSV or XLSX), with its commands.

The rows of one product stand together and carry its handle or ID. A missing column leaves a
field alone, and an empty cell clears it, as Matrixify has it: texts, tags and optional values;
an empty handle, title, price, status or SKU says nothing. Empty metafields, translations and
quantities say nothing either: a plan takes elements out of such lists only with REPLACE.

| command | here |
|---|---|
| NEW, UPDATE, MERGE | the record must not, must or may be there; else a plan leaves it out |
| REPLACE | variants, pictures and metafields that the file lacks are taken out |
| DELETE, IGNORE | the product is deleted; it is left alone, and isn't absent |
| Tags: REPLACE (default), MERGE, DELETE | `tags`, `tags+`, `tags-` |
| Variant and Image: MERGE (default), REPLACE | the list's mode; DELETE is refused |

`Published` is the channel "Online Store". Names in `Custom Collections` become handles, and the
product is added to them. What Matrixify only exports is passed over. A product with a
text that no cell of a workbook has room for is written with IGNORE, since a blank one would clear.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from storebridge.errors import Problem
from storebridge.formats.base import Context, Loss, Sourced
from storebridge.formats.matrixify_columns import distinct, known, numeric
from storebridge.formats.sheet import sourced
from storebridge.formats.table import open_table
from storebridge.models import Record

__all__ = ["Matrixify"]


class Matrixify:
    """Matrixify's product table, in and out."""

    name = "matrixify"
    suffixes: tuple[str, ...] = (".csv", ".tsv", ".txt", ".xlsx")
    kinds = frozenset({"product"})

    def recognises(self, header: tuple[str, ...], context: Context) -> bool:
        """Return whether a header has a column that only this format has."""
        return any(map(distinct, header))

    def knows(self, header: str) -> bool:
        """Return whether a column is one of this format's."""
        return known(header)

    def read(self, path: Path, context: Context) -> Iterator[Sourced | Problem]:
        """Yield the file's products, and a problem for everything wrong with it.

        Raises:
            SourceError: if the file stops being readable as a table.
        """
        from storebridge.formats.matrixify_read import MatrixifyReader

        yield from sourced(MatrixifyReader(open_table(path, context, known, numeric), context))

    def write(self, path: Path, records: Iterable[Record], context: Context) -> list[Loss]:
        """Write products to a new file, atomically; return what the format could not hold.

        Matrixify takes a file for products by its name, which needs "Products" in it.
        """
        from storebridge.formats.matrixify_write import write

        return write(path, records, context)
