"""Catalogue files in and out: our own sheet, the platforms' tables, and lossless JSONL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from storebridge.errors import Problem, SourceError, UsageError
from storebridge.formats.base import Context, Format, Loss, Readable, Sourced
from storebridge.formats.collections import CollectionSheet
from storebridge.formats.jsonl import Jsonl
from storebridge.formats.matrixify import Matrixify
from storebridge.formats.redirects import RedirectTable
from storebridge.formats.sheet import Sheet
from storebridge.formats.sheet_columns import NAMING
from storebridge.formats.shopify import ShopifyCsv
from storebridge.formats.woocommerce import WooCommerceCsv
from storebridge.models import Record

__all__ = [
    "FORMATS",
    "Context",
    "Format",
    "Loss",
    "Sourced",
    "detect",
    "held",
    "holding",
    "read",
    "write",
]

#: Every format by its word on the command line.
_FORMATS: tuple[Format, ...] = (
    Sheet(),
    CollectionSheet(),
    RedirectTable(),
    Matrixify(),
    ShopifyCsv(),
    WooCommerceCsv(),
    Jsonl(),
)
FORMATS = {found.name: found for found in _FORMATS}
#: Formats that only recognise what is theirs alone, though others may know some of the columns.
_SURE = ("sheet", "collections", "redirects", "matrixify")


def read(path: Path, context: Context, format: str = "") -> Iterator[Sourced | Problem]:
    """Yield a file's records and everything that is wrong with it, streaming.

    Args:
        path: the file.
        context: what the file leaves open; with a mapping, the file is a supplier's.
        format: a name in `FORMATS`; empty means to look at the file.
    """
    if not context.folder:
        context = replace(context, folder=str(path.parent))
    try:
        yield from _reader(path, context, format).read(path, context)
    except SourceError as error:
        yield from error.problems
    except OSError as error:
        yield Problem(
            f"The file can't be read: {error.strerror}", "Check its name and rights", path.name
        )


def write(path: Path, records: Iterable[Record], context: Context, format: str = "") -> list[Loss]:
    """Write records to a new file, atomically; return what the format could not hold.

    Args:
        path: the file; one that is there is replaced when the new one is whole.
        records: read once; WooCommerce wants collections before the products in them.
        context: how to write.
        format: a name in `FORMATS`; empty goes by the suffix, and a table is our own sheet.

    Raises:
        SourceError: if the format isn't clear, or a sheet has no room for the rows.
        OSError: if the file can't be written.
    """
    return (_named(format) if format else _by_suffix(path)).write(path, records, context)


def held(path: Path, format: str = "") -> frozenset[str]:
    """Return the kinds of record that a new file is for; others may lend it a path or a place."""
    return (_named(format) if format else _by_suffix(path)).kinds


def holding(path: Path, kind: str, format: str = "") -> str:
    """Return the name of the format in which records of a kind are written to a file.

    Args:
        path: the file, whose suffix says what it is.
        kind: the kind of record.
        format: a name in `FORMATS`, if one was named.

    Raises:
        SourceError: if the format isn't clear.
        UsageError: if it can't hold such records.
    """
    fitting = [_named(format)] if format else _writable(path)
    found = next((each.name for each in fitting if kind in each.kinds), "")
    if not found:
        raise UsageError(
            f"{path} would be a table of {fitting[0].name}, which holds no {kind} records. Write "
            f"them to a file that holds all kinds: -o {path.with_suffix('.jsonl')}"
        )
    return found


def detect(path: Path, context: Context) -> Format:
    """Return a file's format, by its suffix and its header row.

    Raises:
        SourceError: if no format, or more than one, fits.
        OSError: if the file can't be read.
    """
    fitting = _suffixed(path)
    if len(fitting) > 1:
        # Only tables share suffixes; a header row tells them apart.
        from storebridge.formats.table import open_table

        table = open_table(path, context, lambda name: any(f.knows(name) for f in fitting))
        fitting = [found for found in fitting if found.recognises(table.header, context)]
        fitting = [found for found in fitting if found.name in _SURE][:1] or fitting
        if not fitting and any(name in NAMING for name in table.header):
            return FORMATS["sheet"]  # it says which of the columns it doesn't know
    if len(fitting) != 1:
        raise _unclear(path)
    return fitting[0]


def _reader(path: Path, context: Context, format: str) -> Readable:
    if context.mapping is not None:
        return context.mapping
    return _named(format) if format else detect(path, context)


def _by_suffix(path: Path) -> Format:
    """Return the format that a file's suffix stands for; tables are our own sheet."""
    return _writable(path)[0]


def _writable(path: Path) -> list[Format]:
    """Return the formats that a new file's suffix may stand for; what is text may be any."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a new file in it")
    fitting = _suffixed(path) if path.suffix.casefold() != ".txt" else []
    if not fitting:
        raise _unclear(path)
    return fitting


def _suffixed(path: Path) -> list[Format]:
    suffix = path.suffix.casefold()
    return [found for found in FORMATS.values() if suffix in found.suffixes]


def _named(name: str) -> Format:
    if name not in FORMATS:
        raise SourceError(
            [Problem(f"There is no format {name!r}", f"Name one of: {', '.join(FORMATS)}")]
        )
    return FORMATS[name]


def _unclear(path: Path) -> SourceError:
    return SourceError(
        [
            Problem(
                "It isn't clear which format the file has",
                f"Name it with --format: {', '.join(FORMATS)}",
                path.name,
            )
        ]
    )
