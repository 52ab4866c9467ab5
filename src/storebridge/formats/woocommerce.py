"""WooCommerce's product CSV (or the same table in XLSX).

A row is a product or a variation; variations may stand anywhere, so the rows wait in a temporary
database on disk. A simple product's offer is its one variant; a parent's own SKU is
`Product.sku`. Attributes that the variations choose from become options, others attributes.

Category paths become collections with a parent: the handle is the last name's slug, with the
names above it where paths of the file collide. `Meta: key` is a metafield in the namespace
"woocommerce". A blank cell is a field that isn't given, with one exception that WooCommerce's
importer has: a blank Stock means that stock isn't counted. What the model has no field for goes
to `platform_fields["woocommerce"]`, under the names of WooCommerce's REST API.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from storebridge.errors import Problem
from storebridge.formats.base import Context, Loss, Sourced
from storebridge.formats.cells import key_of
from storebridge.formats.keys import FileKeys
from storebridge.formats.paths import folded
from storebridge.formats.table import open_table
from storebridge.formats.woocommerce_columns import DISTINCT, NUMBERED, SIZED, known, numeric
from storebridge.formats.woocommerce_read import Reader
from storebridge.formats.woocommerce_rows import Rows, above, handles_of
from storebridge.models import Record

__all__ = ["WooCommerceCsv"]


class WooCommerceCsv:
    """WooCommerce's product table, in and out."""

    name = "woocommerce-csv"
    suffixes: tuple[str, ...] = (".csv", ".tsv", ".txt", ".xlsx")
    kinds = frozenset({"product"})

    def recognises(self, header: tuple[str, ...], context: Context) -> bool:
        """Return whether a header has a column that only this format has."""
        return any(
            key_of(name) in DISTINCT or NUMBERED.fullmatch(name) or SIZED.fullmatch(name)
            for name in header
        )

    def knows(self, header: str) -> bool:
        """Return whether a column is one of this format's."""
        return known(header)

    def read(self, path: Path, context: Context) -> Iterator[Sourced | Problem]:
        """Yield collections and products, and a problem for everything wrong with the file.

        Raises:
            SourceError: if the file stops being readable as a table.
        """
        table = open_table(path, context, known, numeric)
        reader = Reader(table, context)
        if reader.unusable:
            yield from table.report.drain()
            return
        with Rows() as rows, FileKeys() as used:
            for row, cells in table.rows:
                reader.keep(rows, row, cells)
                yield from table.report.drain()
            handles = handles_of(rows.paths, context.collections)
            held = (context.collections or {}) if handles else {}
            yielded = {path for path in handles if folded(path) in held}
            reader.orphans(rows)
            for row, cells, children in rows.products():
                product = reader.product(row, cells, children, handles)
                yield from table.report.drain()
                if product is None:
                    continue
                for collection in above(reader.named, handles, yielded):
                    yield Sourced(collection, row)
                reader.note(used, row, product)
                yield Sourced(product, row, delete=reader.delete, expects=reader.expects)
            for repeat in used.repeats():
                reader.repeated(repeat.key, repeat.row, repeat.first_row)
            yield from table.report.drain()

    def write(self, path: Path, records: Iterable[Record], context: Context) -> list[Loss]:
        """Write products to a new file, atomically; return what the format could not hold.

        Collections give the category paths; they come before the products in them.
        """
        from storebridge.formats.woocommerce_write import write

        return write(path, records, context)
