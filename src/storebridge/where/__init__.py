"""The one small language for choosing records: `vendor = 'Acme' and price > 20`.

    test    FIELD = != < <= > >= VALUE      FIELD ~ 'part of it'     FIELD like 'A*'
            FIELD has VALUE  (lists)        FIELD is empty           FIELD is not empty
            FIELD in ('a', 'b')             FIELD in @file.csv       FIELD not in ...
    joined  and  or  not  ( )
    value   'text'  20  19.99  '20 EUR'  20 EUR  2026-01-31  2026-01-31T10:00:00Z  true  false

A FIELD is a field of the record, dotted inside others (`seo.title`). Where a product has no such
field, its variants' is meant (`price`), and `sku` is that of the product or of any variant. With
many values (tags, variants) one that passes is enough; `!=` and `not in` ask that none is equal.
`~` and `like` don't mind upper and lower case. Nothing is evaluated but this language.

A record that doesn't tell (the field isn't given) passes no test and no `not` of one: unknown is
never taken for empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches

from storebridge.models import Model, Record
from storebridge.models.base import with_article
from storebridge.where.paths import Home, field_names, homes
from storebridge.where.syntax import WhereError, anchored, error, read
from storebridge.where.tree import Node, Test

__all__ = ["Where", "WhereError", "anchored", "parse"]


def parse(text: str) -> Where:
    """Return the condition that a text writes; reads the files it names.

    Raises:
        WhereError: if the text is wrong, or a file it names can't be read.
    """
    return Where(read(text), text)


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on records; `str` gives its text in standard form."""

    root: Node
    text: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        return str(self.root)

    @property
    def fields(self) -> frozenset[str]:
        """The paths that the condition names, as they are written."""
        return frozenset(test.path for test in self.root.tests())

    def matches(self, record: Record) -> bool:
        """Return whether a record passes.

        Raises:
            WhereError: if its kind has no such field, or a test makes no sense for it.
        """
        self.check(type(record))
        return self.root.passes(record) is True

    def check(self, model: type[Record]) -> frozenset[str]:
        """Return the paths of the fields that the condition needs of a kind of record.

        Raises:
            WhereError: if the kind has no such field, or a test makes no sense for it.
        """
        return frozenset(path for test in self.root.tests() for path in self._paths(test, model))

    def only(self, path: str) -> tuple[str, ...]:
        """Return the texts one of which a field must equal, () if it isn't restricted so."""
        return self.root.only(path)

    def _paths(self, test: Test, model: type[Record]) -> tuple[str, ...]:
        found = homes(model, test.path)
        if not found:
            names = field_names(model)
            near = get_close_matches(test.path, names, n=1)
            remedy = f"Did you mean {near[0]}?" if near else f"It has: {', '.join(names)}."
            message = f"{with_article(model.kind)} has no field {test.path!r}"
            raise error(self.text, test.at, message, remedy)
        for home in found:
            self._check_type(test, home)
        return tuple(home.path for home in found)

    def _check_type(self, test: Test, home: Home) -> None:
        if test.operator in ("is empty", "is not empty"):
            return
        if isinstance(home.type, type) and issubclass(home.type, Model):
            inner = ", ".join(f"{test.path}.{name}" for name in list(home.type.model_fields)[:3])
            message = f"{test.path} has fields of its own"
            raise error(self.text, test.at, message, f"Name one: {inner}.")
        if test.operator == "has" and home.type is str and not home.many:
            remedy = f"Use {test.path} ~ 'part of the text'."
            raise error(self.text, test.at, f"{test.path} is no list", remedy)
