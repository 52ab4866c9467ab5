"""Lists with a search: the syntax of `query:`, sort keys, cursors and what a search ignores.

* A filter that there is not is ignored, all rows come back, and only `extensions.search` says so
  (recorded: customers-count); the header Shopify-Search-Query-Debug: 1 asks for it.
* A search knows of changes only after a while; reads by id don't wait (switch `search_lag`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from storebridge_shopify.sandbox_fields import check_size, connection, cursor, place, shown
from storebridge_shopify.sandbox_state import Doc, State, gid, split

__all__ = ["Listing", "parse", "warn"]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<paren>[()])
      | (?P<minus>-(?=[^\s]))
      | (?P<name>[\w.$-]+):(?P<op>[<>]=?)?
        (?P<value>(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?:\\.|[^\s()\\"'])+))
      | (?P<word>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?:\\.|[^\s()\\])+)
    )""",
    re.VERBOSE,
)

Value = Callable[[State, Doc], Any]


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison; a word without a field has the field "default"."""

    field: str
    op: str
    value: str

    def holds(self, actual: Any) -> bool:
        """Return whether what an object has satisfies it."""
        values = actual if isinstance(actual, list | tuple | set) else [actual]
        if self.value == "*" and not self.op:
            return any(value not in (None, "") for value in values)
        return any(self._one(value, each) for value in values for each in self._wanted())

    def _wanted(self) -> list[str]:
        return self.value.split(",") if self.field in ("handle", "product_ids") else [self.value]

    def _one(self, actual: Any, wanted: str) -> bool:
        if actual is None:
            return False
        if self.op:
            return _compared(str(actual), self.op, wanted)
        text, wanted = str(actual).lower(), wanted.lower()
        if self.field in ("default", "title", "name"):
            words = re.findall(r"\w+", text)
            return all(_word(words, each) for each in re.findall(r"[\w]+\*?", wanted))
        return text.startswith(wanted[:-1]) if wanted.endswith("*") else text == wanted


def _word(words: list[str], wanted: str) -> bool:
    if wanted.endswith("*"):
        return any(word.startswith(wanted[:-1]) for word in words)
    return wanted in words


def _compared(actual: str, op: str, wanted: str) -> bool:
    left: Any = actual
    right: Any = wanted
    try:
        left, right = float(actual), float(wanted)
    except ValueError:
        right = wanted.replace("+00:00", "Z")
        right = right + "T00:00:00Z" if re.fullmatch(r"\d{4}-\d\d-\d\d", right) else right
    return bool(
        {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[op]
    )


#: ("term", Term), ("and" or "or", [parts]) or ("not", part)
Tree = tuple[str, Any]


def parse(text: str) -> Tree | None:
    """Return a search as a tree; None where it is empty."""
    tokens = [match for match in _TOKEN.finditer(text) if match[0].strip()]
    found, rest = _or(tokens)
    while rest:  # a closing parenthesis too many
        more, rest = _or(rest[1:])
        found = ("and", [part for part in (found, more) if part])
    return found


def _or(tokens: list[re.Match[str]]) -> tuple[Tree | None, list[re.Match[str]]]:
    parts = []
    found, tokens = _and(tokens)
    parts.append(found)
    while tokens and tokens[0]["word"] == "OR":
        found, tokens = _and(tokens[1:])
        parts.append(found)
    given = [part for part in parts if part]
    return (("or", given) if len(given) > 1 else given[0] if given else None), tokens


def _and(tokens: list[re.Match[str]]) -> tuple[Tree | None, list[re.Match[str]]]:
    parts: list[Tree] = []
    while tokens and tokens[0]["word"] != "OR" and tokens[0]["paren"] != ")":
        if tokens[0]["word"] == "AND":
            tokens = tokens[1:]
            continue
        found, tokens = _one(tokens)
        if found:
            parts.append(found)
    return (("and", parts) if len(parts) > 1 else parts[0] if parts else None), tokens


def _one(tokens: list[re.Match[str]]) -> tuple[Tree | None, list[re.Match[str]]]:
    token = tokens[0]
    if token["minus"] or token["word"] == "NOT":
        found, rest = _one(tokens[1:]) if tokens[1:] else (None, [])
        return (("not", found) if found else None), rest
    if token["paren"] == "(":
        found, rest = _or(tokens[1:])
        return found, rest[1:]
    if token["name"]:
        return ("term", Term(token["name"], token["op"] or "", _plain(token["value"]))), tokens[1:]
    return ("term", Term("default", "", _plain(token["word"]))), tokens[1:]


def _plain(text: str) -> str:
    if text[:1] in ("'", '"') and text[-1:] == text[:1]:
        text = text[1:-1]
    return re.sub(r"\\(.)", r"\1", text)


@dataclass(frozen=True)
class Listing:
    """One list of the API: what it can be searched and sorted by."""

    kind: str
    root: str
    filters: Mapping[str, Value]
    sorts: Mapping[str, Value] | None = None
    keys: frozenset[str] = frozenset()
    """Filters that the state has a key for."""
    sees: Callable[[State, Doc], bool] | None = None
    """Which objects the token sees; all by default."""

    def page(self, state: State, **arguments: Any) -> Doc:
        """Return a page as a connection."""
        first, after, query = (arguments.get(name) for name in ("first", "after", "query"))
        check_size(first, arguments.get("last"))
        first = first or 0
        tree = parse(query) if query else None
        tree = self._known(state, tree, query or "")
        order = arguments.get("sortKey")
        plain = arguments.get("last") is None and arguments.get("before") is None
        if not plain or arguments.get("reverse") or order in (self.sorts or {}):
            return self._sorted(state, tree, arguments)
        by_time = order == "UPDATED_AT"
        since = place(after) if after is not None else None
        nodes: list[Doc] = []
        for doc in self._candidates(state, tree, by_time, since):
            if tree is None or self._matches(state, tree, doc):
                nodes.append(doc)
                if len(nodes) > first:
                    break
        page = nodes[:first]
        cursors = [cursor(_place(doc, by_time)) for doc in page]
        return shown(page, cursors, after is not None, len(nodes) > len(page))

    def count(self, state: State, query: str | None) -> int:
        """Return how many objects a search finds."""
        if not query and self.sees is None:
            return state.count(self.kind)
        tree = self._known(state, parse(query), query) if query else None
        docs = self._candidates(state, tree, False, None)
        return sum(1 for doc in docs if tree is None or self._matches(state, tree, doc))

    def _sorted(self, state: State, tree: Tree | None, arguments: Doc) -> Doc:
        docs = [
            doc
            for doc in self._candidates(state, tree, arguments.get("sortKey") == "UPDATED_AT", None)
            if tree is None or self._matches(state, tree, doc)
        ]
        by = (self.sorts or {}).get(str(arguments.get("sortKey")))
        if by is not None:
            docs.sort(key=lambda doc: (by(state, doc), int(split(doc["id"])[1])))
        return connection(docs, **arguments)

    def _known(self, state: State, tree: Tree | None, query: str) -> Tree | None:
        """Take out the filters that there are not, and keep a warning of each."""
        if tree is None:
            return None
        kind, inner = tree
        if kind == "term":
            known = inner.field in self.filters or inner.field.startswith("metafields.")
            if known or inner.field == "default":
                return tree
            warn(state, [self.root], query, inner.field)
            return None
        if kind == "not":
            found = self._known(state, inner, query)
            return ("not", found) if found else None
        parts = [found for part in inner if (found := self._known(state, part, query))]
        return (kind, parts) if len(parts) > 1 else parts[0] if parts else None

    def _matches(self, state: State, tree: Tree, doc: Doc) -> bool:
        known = state.searched(doc)
        return known is not None and self._holds(state, tree, known)

    def _holds(self, state: State, tree: Tree, doc: Doc) -> bool:
        kind, inner = tree
        if kind == "term":
            return bool(inner.holds(self._value(state, inner.field, doc)))
        if kind == "not":
            return not self._holds(state, inner, doc)
        return (all if kind == "and" else any)(self._holds(state, part, doc) for part in inner)

    def _value(self, state: State, name: str, doc: Doc) -> Any:
        if name.startswith("metafields."):
            _, namespace, key = name.split(".", 2)
            sql = "SELECT value FROM metafields WHERE owner = ? AND namespace = ? AND key = ?"
            return state.one(sql, doc["id"], namespace, key)
        if name == "default" and "default" not in self.filters:
            return [str(doc.get(each) or "") for each in ("title", "name", "handle", "sku")]
        return self.filters[name](state, doc)

    def _candidates(
        self, state: State, tree: Tree | None, by_time: bool, since: Any
    ) -> Iterator[Doc]:
        """Yield the objects that may match and that the token sees, in order, after a place."""
        found = self._placed(state, tree, by_time, since)
        yield from (doc for doc in found if self.sees is None or self.sees(state, doc))

    def _placed(self, state: State, tree: Tree | None, by_time: bool, since: Any) -> Iterator[Doc]:
        ids = self._by_key(state, tree)
        if ids is not None:
            docs: Iterable[Doc] = (doc for id in ids if (doc := state.get(id)))
            ordered = sorted(docs, key=lambda doc: _place(doc, by_time))
            yield from (doc for doc in ordered if since is None or _place(doc, by_time) > since)
            return
        while True:
            rows = self._rows(state, by_time, since)
            for number, updated, text in rows:
                yield _loaded(self.kind, number, text)
                since = [updated, number] if by_time else [number]
            if len(rows) < _CHUNK:
                return

    def _rows(self, state: State, by_time: bool, since: Any) -> list[Any]:
        head = "SELECT id, updated, doc FROM objects WHERE type = ?"
        if by_time:
            sql = f"{head} AND (updated, id) > (?, ?) ORDER BY updated, id LIMIT {_CHUNK}"
            return state.rows(sql, self.kind, *(since or ("", 0)))
        sql = f"{head} AND id > ? ORDER BY id LIMIT {_CHUNK}"
        return state.rows(sql, self.kind, *(since or (0,)))

    def _by_key(self, state: State, tree: Tree | None) -> list[str] | None:
        """Return the ids to look at where the search names keys; None where all are."""
        if tree is None or state.option("search_lag"):
            return None
        kind, inner = tree
        if kind == "term":
            if inner.op or "*" in inner.value:
                return None
            if inner.field == "id":
                return [gid(self.kind, split(inner.value)[1] or inner.value)]
            if inner.field in self.keys:
                wanted = inner.value.split(",") if inner.field == "handle" else [inner.value]
                return [
                    id
                    for each in wanted
                    for id in state.holders(self.kind, inner.field, each.lower())
                ]
            return None
        if kind == "and":
            found = (self._by_key(state, part) for part in inner)
            return next((ids for ids in found if ids is not None), None)
        if kind == "or":
            every = [self._by_key(state, part) for part in inner]
            known = [ids for ids in every if ids is not None]
            return (
                list(dict.fromkeys(id for ids in known for id in ids))
                if len(known) == len(every)
                else None
            )
        return None


def warn(state: State, path: list[str], query: str, name: str) -> None:
    """Keep the warning of a filter that there is not, which a search ignores."""
    warning = {"field": name, "message": "Invalid search field for this query.",
               "code": "invalid_field"}  # fmt: skip
    state.warnings.append({"path": path, "query": query, "warnings": [warning]})


_CHUNK = 300


def _loaded(kind: str, number: int, text: str) -> Doc:
    return {**json.loads(text), "id": gid(kind, number), "__typename": kind}


def _place(doc: Doc, by_time: bool) -> list[Any]:
    number = int(split(doc["id"])[1])
    return [doc["updatedAt"], number] if by_time else [number]
