"""The rows of a supplier's table: which are left out, what is filled in, which belong together."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from operator import itemgetter

from storebridge.formats.cells import key_of
from storebridge.formats.mapping_cells import finder
from storebridge.formats.mapping_rules import Condition, ProductsRule, Rules, matches
from storebridge.formats.table import Table

__all__ = ["Chooser", "Columns", "Grouping", "Item", "together"]

Item = tuple[int, list[str]]
Test = Callable[[Sequence[str]], bool]


class Columns:
    """The columns of a file by their names, as a mapping writes them."""

    def __init__(self, header: Sequence[str], rules: Rules) -> None:
        """Keep where each column is."""
        self.header = tuple(header)
        self._places = {key_of(name): place for place, name in enumerate(header)}
        self._rules = rules

    def place(self, name: str) -> int:
        """Return where a column is that is known to be there."""
        return self._places[key_of(name)]

    def find(self, name: str) -> int | None:
        """Return where a column is, None if the file has none of that name."""
        return self._places.get(key_of(name))

    def places(self, name: str) -> list[int]:
        """Return where the columns are that a name with a * means, or the one without."""
        if (place := self.find(name)) is not None:
            return [place]
        return [place for key, place in self._places.items() if matches(key_of(name), key)]

    def missing(self) -> list[str]:
        """Return the columns that the mapping names and the file lacks."""
        rules = self._rules
        conditions = [*rules.rows.leave_out, *(rules.products.parents if rules.products else ())]
        named = [*rules.columns, *rules.rows.fill_down]
        named += rules.products.by if rules.products else []
        named += [condition.column for condition in conditions]
        return [name for name in dict.fromkeys(named) if not self.places(name)]


class Chooser:
    """Tells the rows that are products from headings, notes and sums, and fills cells down."""

    def __init__(self, columns: Columns, rules: Rules, table: Table) -> None:
        """Work out once what every row is asked."""
        last = table.lead[-1][0] if table.lead else 0
        self._first = last + rules.rows.skip + 1
        self._out = [test_of(condition, columns) for condition in rules.rows.leave_out]
        self._fill = [columns.place(name) for name in rules.rows.fill_down]

    def rows(self, table: Table) -> Iterator[Item]:
        """Yield the rows of products, with the cells that stand for those below filled in."""
        above = [""] * len(table.header)
        for row, cells in table.rows:
            if row < self._first or not "".join(cells).strip():
                continue
            if self._out and any(test(cells) for test in self._out):
                continue
            for place in self._fill:
                if cells[place].strip():
                    above[place] = cells[place]
                else:
                    cells[place] = above[place]
            yield row, cells


class Grouping:
    """Tells which rows make one product, by a column or by a pattern in it."""

    def __init__(self, rule: ProductsRule, columns: Columns) -> None:
        """Work out once what every row is asked."""
        self.by = rule.by[0]
        self._places = [columns.place(name) for name in rule.by]
        self._find = finder(rule.pattern) if rule.pattern else None
        self._parents = [test_of(condition, columns) for condition in rule.parents]

    def name(self, cells: Sequence[str]) -> str:
        """Return what the rows of a product share; "" for a row that stands alone.

        A value that the pattern isn't found in stands for itself.
        """
        text = next((text for place in self._places if (text := cells[place].strip())), "")
        found = self._find(text) if self._find and text else None
        return found[0] or text if found else text

    def is_parent(self, cells: Sequence[str]) -> bool:
        """Return whether a row is about the product and no variant."""
        return any(test(cells) for test in self._parents)


def test_of(condition: Condition, columns: Columns) -> Test:
    """Return what tells whether a row meets a condition."""
    place = columns.place(condition.column)
    if condition.empty is not None:
        wanted = condition.empty
        return lambda cells: (not cells[place].strip()) == wanted
    if condition.is_ is not None:
        words = [condition.is_] if isinstance(condition.is_, str) else condition.is_
        known = frozenset(map(key_of, words))
        return lambda cells: key_of(cells[place]) in known
    find = finder(condition.matches or "")
    return lambda cells: find(cells[place].strip()) is not None


def together(items: Iterable[Item], name: Callable[[Item], str]) -> Iterator[list[Item]]:
    """Yield the rows of each product, wherever they stand, in the order of the first ones.

    They are put in order on disk, so that memory stays flat.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        database.execute("BEGIN")
        database.execute("CREATE TABLE runs (name TEXT, row INTEGER, items TEXT)")
        runs = groupby(items, lambda item: name(item) or f"\0{item[0]}")
        database.executemany(
            "INSERT INTO runs VALUES (?, ?, ?)",
            ((key, found[0][0], json.dumps(found)) for key, run in runs if (found := list(run))),
        )
        ordered = database.execute(
            "SELECT min(row) OVER (PARTITION BY name) AS first, row, items FROM runs "
            "ORDER BY first, row"
        )
        for _, group in groupby(ordered, itemgetter(0)):
            yield [(row, cells) for _, _, text in group for row, cells in json.loads(text)]
