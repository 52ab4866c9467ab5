"""The scope of a plan: which records of a store it may touch, and how many products that are."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from storebridge.adapter import Query
from storebridge.errors import ConfigError
from storebridge.models import KINDS, Product

if TYPE_CHECKING:
    from storebridge.store import Store
    from storebridge.where import Where

__all__ = ["Scope", "parsed"]


class Scope:
    """The records that a `where` matches; all of them without one."""

    def __init__(self, store: Store, text: str, *, whole: bool = False) -> None:
        """Understand a `where`.

        Args:
            store: the store whose records are meant.
            text: the condition; "" for none.
            whole: whether the size is that of the whole store all the same.

        Raises:
            WhereError: if the text is wrong.
        """
        self.where = parsed(text)
        self._store, self._whole = store, whole
        self._applies: dict[str, bool] = {}

    def of(self, kind: str) -> Where | None:
        """Return the condition on a kind; None where all are meant, or it can't be asked of any."""
        if self.where is None or not self._speaks_of(self.where, kind):
            return None
        return self.where

    @cached_property
    def size(self) -> int:
        """How many products the store has in scope; the store may be read for it."""
        if not self._store.supports(Product.kind):
            return 0
        products = self._store.products
        if self.where is not None and not self._whole:
            return sum(1 for _ in products.iter(self.where, fields={"handle"}))
        count = 0
        for page in products.pages(Query(fields=frozenset({"handle"}))):
            if page.total is not None:
                return page.total
            count += len(page.records)
        return count

    def _speaks_of(self, where: Where, kind: str) -> bool:
        """Return whether the scope speaks of a kind: a collection has no vendor to ask for."""
        if kind not in self._applies:
            try:
                where.check(KINDS[kind])
            except ConfigError:
                if kind == Product.kind:
                    raise  # a field that products lack is a slip of the pen
                self._applies[kind] = False
            else:
                self._applies[kind] = True
        return self._applies[kind]


def parsed(text: str) -> Where | None:
    """Return the condition that a text writes, None for no text.

    Raises:
        WhereError: if the text is wrong.
    """
    if not text:
        return None
    from storebridge.where import parse

    return parse(text)
