"""How the sandbox's fields are resolved: a registry, errors, mutations and connections."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from graphql import GraphQLResolveInfo
from graphql.execution import get_argument_values, get_directive_values

from storebridge_shopify.sandbox_state import Doc, State, gid, split

__all__ = [
    "RESOLVERS",
    "Info",
    "Refused",
    "TopError",
    "children",
    "connection",
    "cursor",
    "field",
    "job",
    "mutation",
    "user_error",
]

Info = GraphQLResolveInfo[State]
Resolver = Callable[..., Any]

RESOLVERS: dict[tuple[str, str], Resolver] = {}

_DAY = 86_400


class TopError(Exception):
    """An error that ends a root field, or the whole request, with a code."""

    def __init__(self, code: str, message: str, **extensions: Any) -> None:
        """Keep the code and what else its extensions say."""
        super().__init__(message)
        self.extensions = {"code": code, **extensions}


class Refused(Exception):
    """User errors that undo a mutation; what else its payload has is null, or given here."""

    def __init__(self, *errors: Doc, **payload: Any) -> None:
        """Keep the errors."""
        super().__init__("; ".join(error["message"] for error in errors))
        self.errors, self.payload = list(errors), payload


def user_error(path: Sequence[object] | None, message: str, code: str | None = None) -> Doc:
    """Return a user error; places in lists are texts too (recorded)."""
    field = None if path is None else [str(step) for step in path]
    return {"field": field, "message": message, "code": code}


def field(kind: str, *names: str) -> Callable[[Resolver], Resolver]:
    """Make a function the resolver of fields: it gets the object, `info` and the arguments."""

    def register(function: Resolver) -> Resolver:
        for name in names:
            RESOLVERS[kind, name] = function
        return function

    return register


def mutation(name: str, errors: str = "userErrors") -> Callable[[Resolver], Resolver]:
    """Make a function the resolver of a mutation: it gets the state and the arguments.

    It returns a payload of plain JSON and raises `Refused`, which undoes what it wrote.
    """

    def register(function: Resolver) -> Resolver:
        def resolve(_root: Any, info: Info, **arguments: Any) -> Doc:
            return _Attempt(info, name, errors).payload(function, arguments)

        RESOLVERS["Mutation", name] = resolve
        return function

    return register


class _Attempt:
    """One field of a mutation; with `@idempotent` its answer is kept for 24 hours."""

    def __init__(self, info: Info, name: str, errors: str) -> None:
        self.state, self.name, self.errors = info.context, name, errors
        self.key = _key(info)

    def payload(self, function: Resolver, arguments: Doc) -> Doc:
        if not self.key:
            return self._tried(function, arguments)
        given = json.dumps([self.name, arguments], sort_keys=True, default=str)
        sql = "SELECT input, answer FROM requests WHERE key = ? AND at > ?"
        kept = self.state.rows(sql, self.key, self.state.clock() - _DAY)
        if not kept:
            found = self._tried(function, arguments)
            row = (self.key, given, json.dumps(found), self.state.clock())
            self.state.run("INSERT OR REPLACE INTO requests VALUES (?, ?, ?, ?)", *row)
            return found
        if kept[0][0] != given:
            text = "The same idempotency key cannot be used with different operation parameters."
            code = "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
            return {self.errors: [user_error(None, text, code)]}
        answer: Doc = json.loads(kept[0][1])
        return answer

    def _tried(self, function: Resolver, arguments: Doc) -> Doc:
        state = self.state
        state.run("SAVEPOINT mutation")
        try:
            found: Doc = {self.errors: [], **function(state, **arguments)}
        except Refused as refused:
            state.run("ROLLBACK TO mutation")
            found = {**refused.payload, self.errors: refused.errors}
        except BaseException:
            state.run("ROLLBACK TO mutation")
            raise
        finally:
            state.run("RELEASE mutation")
        return found


def _key(info: Info) -> str:
    """Return the key of `@idempotent`, kept apart for each app."""
    node = info.field_nodes[0]
    if not node.directives:
        return ""
    directive = info.schema.get_directive("idempotent")
    assert directive is not None
    values = get_directive_values(directive, node, info.variable_values)
    return f"{info.context.app} {values['key']}" if values else ""


def children(info: Info, node: Any) -> Doc:
    """Return the arguments that a selected field was given."""
    parent = info.parent_type.fields[node.name.value]
    return get_argument_values(parent, node, info.variable_values)


def job(state: State) -> Doc:
    """Return a job that was just begun, as payloads show it; it is done some requests later."""
    made = state.add("Job", state.begun())
    return {"id": made["id"], "done": False, "__typename": "Job"}


@field("QueryRoot", "job")
def _job(_root: Any, info: Info, id: str) -> Doc | None:
    found = info.context.get(id, "Job")
    return None if found is None else {"id": id, "done": info.context.age(found) == "done"}


# -- connections


def cursor(value: Any) -> str:
    """Return a cursor that goes on after a value."""
    return urlsafe_b64encode(json.dumps(value).encode()).decode()


def place(text: str) -> Any:
    """Return the value of a cursor.

    Raises:
        TopError: if it is none.
    """
    try:
        return json.loads(urlsafe_b64decode(text.encode()))
    except ValueError:
        raise TopError("BAD_REQUEST", "Malformed cursor") from None


def connection(
    found: Iterable[Doc],
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    before: str | None = None,
    reverse: bool | None = None,
    most: int = 250,
    **_others: Any,
) -> Doc:
    """Return a page of objects as a connection; a cursor names the object it goes on after.

    Raises:
        TopError: without `first` or `last`, for sizes over `most`, and for a cursor that is none.
    """
    check_size(first, last, most)
    nodes = list(found)
    if reverse:
        nodes.reverse()
    names = [_name(node) for node in nodes]
    start = _index(names, after) + 1 if after is not None else 0
    end = _index(names, before) if before is not None else len(nodes)
    if first is not None:
        end = min(end, start + first)
    else:
        start = max(start, end - (last or 0))
    page = nodes[start:end]
    return shown(page, [cursor(name) for name in names[start:end]], start > 0, end < len(nodes))


def shown(nodes: list[Doc], cursors: list[str], earlier: bool, later: bool) -> Doc:
    """Return a connection of a page's nodes."""
    return {
        "nodes": nodes,
        "edges": list(_edges(nodes, cursors)),
        "pageInfo": {
            "hasNextPage": later,
            "hasPreviousPage": earlier,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        },
    }


def check_size(first: int | None, last: int | None, most: int = 250) -> None:
    """Refuse pages without a size (recorded), and those of more than 250 (usage/pagination)."""
    if first is None and last is None:
        raise TopError("BAD_REQUEST", "you must provide one of first or last")
    size = first if first is not None else last or 0
    most = WHOLE.get() or most
    if not 0 <= size <= most:
        raise TopError("BAD_REQUEST", f"Page size must be between 0 and {most}")


def _edges(nodes: list[Doc], cursors: list[str]) -> Iterator[Doc]:
    for node, at in zip(nodes, cursors, strict=True):
        yield {"node": node, "cursor": at}


def _name(node: Doc) -> str:
    return str(node.get("id") or json.dumps(node, sort_keys=True, default=str))


def _index(names: list[str], at: str) -> int:
    wanted = place(at)
    if wanted not in names:
        raise TopError("BAD_REQUEST", "Malformed cursor")
    return names.index(wanted)


@field("QueryRoot", "node")
def _node(_root: Any, info: Info, id: str) -> Doc | None:
    return of_id(info.context, id)


@field("QueryRoot", "nodes")
def _nodes(_root: Any, info: Info, ids: list[str]) -> list[Doc | None]:
    return [of_id(info.context, id) for id in ids]


#: The largest page while a bulk query runs, which has no pages; 0 otherwise.
WHOLE: ContextVar[int] = ContextVar("whole", default=0)
#: Types that are no objects of their own: how to get one by its id.
WITHIN: dict[str, Callable[[State, str], Doc | None]] = {}


def of_id(state: State, id: str) -> Doc | None:
    """Return an object of any type.

    Raises:
        TopError: if it is no id at all.
    """
    kind, number = split(id)
    if not kind:
        raise TopError("RESOURCE_NOT_FOUND", f"Invalid global id '{id}'")
    if kind in WITHIN:
        return WITHIN[kind](state, id)
    return state.get(gid(kind, number))
