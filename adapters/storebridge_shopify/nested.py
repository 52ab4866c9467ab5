"""Kinds of record that are walked in pages and have connections of their own: people, orders."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from storebridge.adapter import Page, Query
from storebridge.errors import BadAnswer
from storebridge.flow import Flow
from storebridge.models import Record
from storebridge_shopify import reading
from storebridge_shopify.graphql import Doc, call, document, following, nothing_asked
from storebridge_shopify.lookup import ids_of
from storebridge_shopify.records import ShopifyRecords
from storebridge_shopify.scopes import Scopes
from storebridge_shopify.search import both, since
from storebridge_shopify.walk import stays

__all__ = ["FlatRecords", "NestedRecords"]

R = TypeVar("R", bound=Record)

#: The most points that a page may ask for: several fit the bucket of any plan (usage/limits).
_POINTS = 700.0


class NestedRecords(ShopifyRecords[R]):
    """Records of one type: a page and the nodes of ids, each completed before it is given."""

    type: ClassVar[str]
    """The type's name in the schema."""
    root: ClassVar[str]
    """The connection with all of them."""
    listing: ClassVar[str]
    """The document that asks for a page of it."""
    by_id: ClassVar[str]
    """The document that asks for some by their ids."""
    sizes: ClassVar[Mapping[str, int]]
    """What a request begins with: how many nodes of each connection."""

    @abstractmethod
    def asked(self, fields: frozenset[str] | None, scopes: Scopes) -> dict[str, bool]:
        """Return which connections have to be asked for so that these fields can be read."""

    @abstractmethod
    def complete(self, doc: Doc) -> Flow[None]:
        """Add to a document what its connections hold beyond what came with it."""

    @abstractmethod
    def read(self, doc: Doc) -> R:
        """Return the record that a document describes."""

    def changed(self, doc: Doc) -> str:
        """Return when what a document describes was changed, "" where Shopify doesn't say."""
        return str(doc["updatedAt"])

    @abstractmethod
    def look_up(self, keys: Sequence[str]) -> Flow[list[str]]:
        """Return the ids of the records that have any of these keys, other than ids."""

    def page(self, query: Query, cursor: str) -> Flow[Page[R]]:
        """Return the records at a cursor, in the order of their ids."""
        facts = yield from self.shop.known()
        flags = self.asked(query.fields, facts.scopes)
        if query.ids:
            ids = ids_of([f"id:{each}" for each in query.ids], self.type)
            docs, more = (yield from self._nodes(ids, flags)), ""
        else:
            search = self.search(query)
            listed = self._listed(search, cursor, flags)
            docs, more = yield from self.walked(cursor, search, flags, listed)
        return Page((yield from self.of_lines(docs, flags, self._read(docs, query))), more)

    def _read(self, docs: Sequence[Doc], query: Query) -> Flow[tuple[R, ...]]:
        """Return the records of documents, as far as they are asked for."""
        docs = [doc for doc in docs if _is_since(self.changed(doc), query)]
        if not query.ids:
            docs = yield from self._completed(docs)
        records = []
        for doc in docs:
            record = self.read(doc)
            if not query.status or getattr(record, "status", "") == query.status:
                records.append(record.with_raw(doc) if query.raw else record)
        return tuple(records)

    def fetch(self, keys: Sequence[str], fields: frozenset[str] | None) -> Flow[tuple[R, ...]]:
        """Return the records that have any of these keys, each once."""
        facts = yield from self.shop.known()
        ids = dict.fromkeys(ids_of(keys, self.type))
        ids |= dict.fromkeys((yield from self.look_up(keys)))
        docs = yield from self._nodes(list(ids), self.asked(fields, facts.scopes))
        return tuple(map(self.read, docs))

    def _listed(
        self, search: str | None, cursor: str, flags: Mapping[str, bool]
    ) -> Flow[tuple[list[Doc], str]]:
        """Return a page's documents, and where the next ones are."""
        variables: dict[str, Any] = {**self.sizes, **flags, "first": self.settings.page_size}
        while variables["first"] > 1 and document(self.listing).cost(variables) > _POINTS:
            variables["first"] //= 2
        variables |= {"after": cursor or None, "query": search}
        found = (yield from call(self.listing, variables))[self.root]
        more = following(found["pageInfo"])
        if more and more == cursor:
            raise BadAnswer(f"{self.root} gave the same cursor twice")
        return list(found["nodes"]), more

    def search(self, query: Query) -> str | None:
        """Return the search for the records of a query, None for all of them."""
        return both(since(query.updated_since)) if query.updated_since else None

    def _nodes(self, ids: Sequence[str], flags: Mapping[str, bool]) -> Flow[list[Doc]]:
        """Return the documents of ids; ids that lead nowhere are left out.

        Raises:
            BadAnswer: if one comes that nobody asked for.
        """
        variables: dict[str, Any] = {**self.sizes, **flags}
        found: list[Doc] = []
        for start in range(0, len(ids), self.fetch_size):
            wanted = ids[start : start + self.fetch_size]
            data = yield from call(self.by_id, {**variables, "ids": wanted})
            docs = [doc for doc in data["nodes"] if doc and "id" in doc]
            if {doc["id"] for doc in docs} - set(wanted):
                raise BadAnswer(f"Shopify gave other {self.root} than those asked for")
            found += docs
        return (yield from self._completed(found))

    def _completed(self, docs: Sequence[Doc]) -> Flow[list[Doc]]:
        """Return documents with all that belongs to them, those that are still there."""
        found = []
        for doc in docs:
            if (yield from stays(doc, self.complete(doc))):
                found.append(doc)
        return found


class FlatRecords(NestedRecords[R]):
    """Records without connections, of which Shopify doesn't say when they were changed."""

    sizes: ClassVar[Mapping[str, int]] = {}

    def asked(self, fields: frozenset[str] | None, scopes: Scopes) -> dict[str, bool]:
        """Return nothing: there are no connections."""
        return {}

    def complete(self, doc: Doc) -> Flow[None]:
        """Add nothing: a record comes whole."""
        return nothing_asked(None)

    def changed(self, doc: Doc) -> str:
        """Return "": Shopify doesn't say when a record was changed."""
        return ""

    def search(self, query: Query) -> str | None:
        """Return None: all are read, since nothing tells which were changed since a time."""
        return None


def _is_since(time: str, query: Query) -> bool:
    start = query.updated_since
    return not (start and time) or reading.time(time) >= start.replace(microsecond=0)
