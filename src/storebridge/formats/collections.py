r"""A sheet of collections: one row each, the columns named after the fields.

| column | what it holds |
|---|---|
| handle, key, title, description_html, sort_order, visibility | texts |
| parent | the handle of the collection above |
| path | `Clothing > Shirts`: title and parent at once; found in the store, or made |
| rules | `tag equals sale \| price greater_than 20`, for one that fills itself |
| match_all | TRUE: every rule must hold; FALSE: any one |
| products, products+, products- | handles or `sku:A-1`, with commas; for one filled by hand |
| image, image.alt, seo.title, seo.description, position, delete | as in the product sheet |

A column that isn't there leaves its field alone; so does a blank cell, unless `blank` is "clear".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from storebridge.errors import Problem
from storebridge.formats.base import Context, Loss, Sourced
from storebridge.formats.cells import (
    BadCell,
    Losses,
    boolean,
    closest,
    filled,
    integer,
    plain,
    scalars,
)
from storebridge.formats.keys import FileKeys
from storebridge.formats.paths import Paths, path_of
from storebridge.formats.pictures import checked
from storebridge.formats.sheet_cells import commas, commas_text, lines, lines_text
from storebridge.formats.table import Spool, Table, open_table
from storebridge.models import Collection, Record
from storebridge.models.base import KEYS
from storebridge.models.text import worded

__all__ = ["CollectionSheet"]

_LISTS = ("products", "products+", "products-")


def _rules(text: str) -> tuple[dict[str, str], ...]:
    found = []
    for line in lines(text):
        words = line.split(maxsplit=2)
        if len(words) < 2:
            raise BadCell(
                "A rule needs a field and a relation",
                "Write it like tag equals sale, several with | between them",
            )
        found.append(dict(zip(("field", "relation", "value"), words, strict=False)))
    return tuple(found)


def _products(text: str) -> tuple[str, ...]:
    names = commas(text)
    return tuple(name if name.startswith(KEYS) else f"handle:{name}" for name in names)


#: What reads each column's cells; None takes the text as it is.
_COLUMNS: dict[str, Callable[[str], Any] | None] = {
    "handle": plain,
    "key": plain,
    "path": plain,
    "title": None,
    "parent": plain,
    "description_html": None,
    "rules": _rules,
    "match_all": boolean,
    "sort_order": plain,
    "position": integer,
    "visibility": plain,
    **dict.fromkeys(_LISTS, _products),
    "image": plain,
    "image.alt": None,
    "seo.title": None,
    "seo.description": None,
    "delete": boolean,
}
#: Columns that no sheet of products has, one of which tells this one.
_OWN = {"path", "parent", "rules", "match_all", "sort_order", *_LISTS}
_NAMING = ("handle", "path", "key")
_TEXTS = ("handle", "key", "title", "parent", "description_html", "sort_order", "visibility")
_CLEARED: dict[str, Any] = {"rules": (), **dict.fromkeys(_LISTS[:1], ())}
_CLEARED |= dict.fromkeys(("title", "parent", "description_html", "sort_order"), "")


class CollectionSheet:
    """storebridge's own sheet of collections, in and out."""

    name = "collections"
    suffixes: tuple[str, ...] = (".csv", ".tsv", ".txt", ".xlsx")
    kinds = frozenset({"collection"})

    def recognises(self, header: tuple[str, ...], context: Context) -> bool:
        """Return whether a header has nothing but columns of this sheet, and one of its own."""
        names = {name for name in header if name}
        named = not names.isdisjoint(_NAMING) and not names.isdisjoint(_OWN)
        return named and names <= _COLUMNS.keys()

    def knows(self, header: str) -> bool:
        """Return whether a column name is one of this sheet's."""
        return header in _COLUMNS

    def read(self, path: Path, context: Context) -> Iterator[Sourced | Problem]:
        """Yield the file's collections, and a problem for everything wrong with it.

        Raises:
            SourceError: if the file stops being readable as a table.
        """
        table = open_table(path, context, self.knows, lambda name: name == "position")
        reader = _Reader(table, context)
        with FileKeys() as keys:
            for row, collection, delete in reader.collections():
                yield from table.report.drain()
                for above in reader.paths.fresh():
                    if collection is None or above.handle != collection.handle:
                        yield Sourced(above, row)
                if collection is not None:
                    keys.add_record(collection, row)
                    yield Sourced(collection, row, delete=delete)
            for repeat in keys.repeats():
                message = f"Row {repeat.first_row} has the same {repeat.key} already"
                table.report.add(repeat.row, "handle", repeat.key, message, "Keep one of the rows")
            yield from table.report.drain()

    def write(self, path: Path, records: Iterable[Record], context: Context) -> list[Loss]:
        """Write the collections among some records; return what the file could not hold."""
        losses = Losses()
        order = {name: place for place, name in enumerate(_COLUMNS)}
        with Spool(losses, order.__getitem__, lambda name: name == "position") as spool:
            for name in ("handle", "title", "parent", "rules"):
                spool.column(name)
            for record in records:
                if isinstance(record, Collection):
                    spool.add(_cells(record, losses), record)
                else:
                    losses.add(record.kind, "record", record.label)
            spool.write(path, context, mark=True)
        return losses.all()


class _Reader:
    """Turns rows into collections."""

    def __init__(self, table: Table, context: Context) -> None:
        self.table, self.context = table, context
        self.paths = Paths(context.collections)
        self._fields = []
        for index, name in enumerate(table.header):
            if name in _COLUMNS:
                self._fields.append((index, name, _COLUMNS[name]))
            elif name:
                near = closest(name, _COLUMNS)
                message = f"There is no such column{f'; {near} is close' if near else ''}"
                remedy = "Write a field's name, or leave the column out with --header 'OWN='"
                table.report.add(1, table.report.header[index], "", message, remedy)

    def collections(self) -> Iterator[tuple[int, Collection | None, bool]]:
        """Yield row, collection (None where it can't be made out), and whether to delete it."""
        for row, cells in self.table.rows:
            values = scalars(self._fields, cells, row, self.table.report)
            if self.context.blank == "clear":
                cleared = {name for _, name, _ in self._fields if name in _CLEARED}
                values = {**{name: _CLEARED[name] for name in cleared}, **values}
            delete = values.pop("delete", False)
            yield row, self._collection(row, values), delete

    def _collection(self, row: int, values: dict[str, Any]) -> Collection | None:
        if (path := path_of(f"> {values.pop('path', '')}")) and "handle" not in values:
            values = {**self._placed(path), **values}
        fields: dict[str, Any] = {}
        for name, value in values.items():
            head, _, rest = name.partition(".")
            if head == "seo":
                fields.setdefault("seo", {})[rest] = value
            elif head == "image":
                fields.setdefault("image", {})[rest or "url"] = value
            else:
                fields[name] = value
        try:
            collection = Collection.model_validate(fields)
        except ValidationError as error:
            for fault in error.errors():
                spot = ".".join(map(str, fault["loc"]))
                self.table.report.add(row, spot, "", worded(fault["msg"]), "Correct the value")
            return None
        collection, found = checked(collection, self.context)
        for finding in found:
            self.table.report.found(row, finding.path.removesuffix(".url"), finding)
        return collection

    def _placed(self, path: tuple[str, ...]) -> dict[str, str]:
        """Return handle, title and parent of a path's collection."""
        known = self.paths.find(path)
        fields = {"handle": known or self.paths.handle(path)}
        if known:
            return fields
        above = {"parent": self.paths.handle(path[:-1])} if len(path) > 1 else {}
        return {**fields, "title": path[-1], **above}


def _cells(collection: Collection, losses: Losses) -> dict[str, str]:
    """Return a row's cells by column; what has no column is noted."""
    row: dict[str, str] = {}
    for name in _TEXTS:
        if name in collection.given and (text := getattr(collection, name)):
            row[name] = text
    if collection.rules:
        rules = (f"{rule.field} {rule.relation} {rule.value}".strip() for rule in collection.rules)
        row |= {"rules": lines_text(rules), "match_all": str(collection.match_all).upper()}
    if collection.products:
        row["products"] = commas_text(each.removeprefix("handle:") for each in collection.products)
    if collection.position is not None:
        row["position"] = str(collection.position)
    if collection.image is not None:
        row |= {"image": collection.image.url, "image.alt": collection.image.alt}
    row |= {"seo.title": collection.seo.title, "seo.description": collection.seo.description}
    held = {name.partition(".")[0] for name in _COLUMNS}
    for field in filled(collection, held):
        losses.add(collection.kind, field, collection.label)
    return {name: text for name, text in row.items() if text}
