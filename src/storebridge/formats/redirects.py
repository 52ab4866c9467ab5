"""A table of redirects: old paths and where they lead.

Read are Shopify's own (`Redirect from`, `Redirect to`), Matrixify's (`Path`, `Target`, `Command`)
and a plain one (`path`, `target`); written is Shopify's, which Matrixify takes too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from storebridge.errors import Problem
from storebridge.formats.base import Context, Loss, Sourced
from storebridge.formats.cells import COMMANDS, Losses, filled
from storebridge.formats.keys import FileKeys
from storebridge.formats.table import Spool, open_table
from storebridge.models import Record, Redirect
from storebridge.models.checks import problems

__all__ = ["RedirectTable"]

_FROM, _TO = "Redirect from", "Redirect to"
#: What the columns are called, in any case.
_NAMES = {
    "redirect from": "path",
    "path": "path",
    "redirect to": "target",
    "target": "target",
    "command": "command",
}
#: Columns of Matrixify's sheet that say nothing of a redirect.
_OTHERS = frozenset({"", "id"})


class RedirectTable:
    """Redirects in two columns, in and out."""

    name = "redirects"
    suffixes: tuple[str, ...] = (".csv", ".tsv", ".txt", ".xlsx")
    kinds = frozenset({"redirect"})

    def recognises(self, header: tuple[str, ...], context: Context) -> bool:
        """Return whether a header has both columns, and no other than a redirect's."""
        names = {name.casefold() for name in header} - _OTHERS
        return names <= _NAMES.keys() and {"path", "target"} <= {_NAMES[name] for name in names}

    def knows(self, header: str) -> bool:
        """Return whether a column name is one of this table's."""
        return header.casefold() in _NAMES

    def read(self, path: Path, context: Context) -> Iterator[Sourced | Problem]:
        """Yield the file's redirects, and a problem for everything wrong with it.

        Raises:
            SourceError: if the file stops being readable as a table.
        """
        table = open_table(path, context, self.knows)
        places = {_NAMES.get(name.casefold(), ""): at for at, name in enumerate(table.header)}
        with FileKeys() as keys:
            for row, cells in table.rows:
                values = {name: cells[at].strip() for name, at in places.items() if name}
                said = values.pop("command", "").casefold() or "merge"
                if said not in COMMANDS:
                    remedy = f"Write one of: {', '.join(COMMANDS)}"
                    table.report.add(row, "command", said, "There is no such command", remedy)
                    yield from table.report.drain()
                    continue
                wish = COMMANDS[said]
                record = Redirect.model_validate({n: text for n, text in values.items() if text})
                for finding in () if wish == "delete" else problems(record):
                    table.report.found(row, finding.path, finding)
                keys.add_record(record, row)
                yield from table.report.drain()
                if wish == "delete":
                    yield Sourced(record, row, delete=True)
                else:
                    yield Sourced(record, row, expects=wish)
            for repeat in keys.repeats():
                message = f"Row {repeat.first_row} has the same path already"
                table.report.add(repeat.row, "path", repeat.key, message, "Keep one of the rows")
            yield from table.report.drain()

    def write(self, path: Path, records: Iterable[Record], context: Context) -> list[Loss]:
        """Write the redirects among some records; return what the file could not hold."""
        losses = Losses()
        order = {_FROM: 0, _TO: 1}
        with Spool(losses, order.__getitem__, lambda name: False) as spool:
            for name in order:
                spool.column(name)
            for record in records:
                if isinstance(record, Redirect):
                    spool.add({_FROM: record.path, _TO: record.target}, record)
                    for field in filled(record, {"path", "target"}):
                        losses.add(record.kind, field, record.label)
                else:
                    losses.add(record.kind, "record", record.label)
            spool.write(path, context)
        return losses.all()
