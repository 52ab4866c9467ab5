"""The adapter's documents, how one is sent, and what its answer means.

Every operation is a file in `documents/`. Errors of GraphQL come with status 200: first
`errors`, which concern the whole request, then the `userErrors` of each mutation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from storebridge.adapter import Level
from storebridge.errors import (
    AccessDenied,
    ApiError,
    BadAnswer,
    Conflict,
    NotFound,
    RateLimited,
    Rejected,
    StorebridgeError,
    Unavailable,
)
from storebridge.flow import Flow, Request, RequestKind, Response, send
from storebridge.wire import dumps, json_of
from storebridge_shopify.cost import Tree, surcharge
from storebridge_shopify.search import DEBUG

__all__ = [
    "Doc",
    "Document",
    "answer_shapes",
    "call",
    "check",
    "document",
    "drained",
    "error_of",
    "following",
    "id_of",
    "level_of",
    "lists",
    "nothing_asked",
    "refusal",
    "text_of",
]

Doc = Mapping[str, Any]
T = TypeVar("T")

#: Points that are left in the bucket, for what rounding and two clocks make of a moment.
_SLACK = 1.0


@dataclass(frozen=True, slots=True)
class Document:
    """One operation: its name, its text, and what it costs."""

    name: str
    text: str
    mutation: str
    """The root field of a mutation, "" for a query."""
    tree: Tree

    def cost(self, variables: Doc) -> float:
        """Return how many points the bucket must hold before it is sent."""
        points = self.tree.points(variables) + surcharge(self.mutation, variables)
        return float(int(points + 0.5))  # rounded half up, as recorded answers are


@cache
def document(name: str) -> Document:
    """Return a document by the name of its file."""
    mutation, tree = _costs()[name]
    return Document(name, text_of(name), mutation, Tree.of(tree))


def text_of(name: str) -> str:
    """Return the text of a document with the fragments that its line "# with:" names."""
    text = (files("storebridge_shopify") / "documents" / f"{name}.graphql").read_text("utf-8")
    head = next((line for line in text.splitlines() if line.startswith(_WITH)), "")
    return text + "".join(text_of(f"fragments/{each}") for each in head[len(_WITH) :].split())


_WITH = "# with:"


def _costs() -> dict[str, Any]:
    return _beside("costs")


def answer_shapes() -> dict[str, Any]:
    """Return what each document's answer looks like, by the document's name (`shapes` says how)."""
    return _beside("shapes")


@cache
def _beside(name: str) -> dict[str, Any]:
    text = files("storebridge_shopify").joinpath("documents", f"{name}.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def call(
    name: str,
    variables: Doc | None = None,
    *,
    kind: RequestKind = RequestKind.READ,
    covers: tuple[str, ...] = (),
) -> Flow[Doc]:
    """Send a document and return the `data` of its answer, whole.

    Raises:
        ApiError: for `errors` of the whole request; `userErrors` are left in the data.
        BadAnswer: if a part of a search was ignored: then everything comes back; if a mutation
            tells nothing of what it did; if there isn't a place for everything asked for: what
            isn't in the shop is null, and what is left out is no sign of that.
        OutcomeUnknown: if a mutation's answer was lost.
    """
    chosen = document(name)
    given = variables or {}
    searching = kind is RequestKind.READ and bool(given.get("query"))
    request = Request(
        method="POST",
        path="/graphql.json",
        kind=kind,
        headers=DEBUG if searching else {},
        body=dumps({"query": chosen.text, "variables": given}),
        covers=covers,
        cost=chosen.cost(given),
    )
    try:
        response = yield from send(request)
    except AccessDenied as error:
        error.args = (f"{chosen.mutation or name}: {error}",)
        raise
    answer = json_of(response)
    if searching:
        _refuse_ignored(answer)
    data: Doc = answer["data"]
    for root in _roots(name, given):
        _refuse_odd(root, data)
    if chosen.mutation and data[chosen.mutation] is None:
        raise BadAnswer("the mutation's payload is null").at(chosen.mutation)
    if "ids" in given and "nodes" in data and len(data["nodes"]) != len(given["ids"]):
        found = len(data["nodes"])
        raise BadAnswer(f"Shopify gave {found} nodes for {len(given['ids'])} ids").at("nodes")
    return data


def _roots(name: str, given: Doc) -> Iterator[tuple[str, str]]:
    """Yield the fields at the root of an answer, as asked for, and their types."""
    if (shape := answer_shapes().get(name)) is not None:
        for key, (kind, _fields) in shape[1].items():
            root, *flags = key.split("?")
            if all(given.get(flag) for flag in flags):
                yield root, kind


def _refuse_odd(root: tuple[str, str], data: Doc) -> None:
    name, kind = root
    value = data[name]
    if value is None and not kind.endswith("!"):
        return
    if not isinstance(value, list if kind.startswith("[") else dict):
        raise BadAnswer(f"Shopify's answer is no {kind.removesuffix('!')}").at(name)


def _refuse_ignored(answer: Doc) -> None:
    for each in (answer.get("extensions") or {}).get("search") or ():
        for warning in each.get("warnings") or ():
            raise BadAnswer(f"Shopify ignored a part of a search: {warning.get('message', '')}")


def nothing_asked(value: T) -> Flow[T]:
    """Return a value for which no request is sent."""
    return value
    yield  # what makes it a flow


def drained(name: str, root: str, variables: Doc | None = None, size: int = 50) -> Flow[list[Doc]]:
    """Return all the nodes of a connection at the root of a query, page by page.

    Raises:
        BadAnswer: if a cursor comes twice: the walk would never end.
    """
    nodes: list[Doc] = []
    seen: set[str] = set()
    after: str | None = None
    while True:
        data = yield from call(name, {**(variables or {}), "first": size, "after": after})
        nodes += data[root]["nodes"]
        after = following(data[root]["pageInfo"])
        if not after:
            return nodes
        if after in seen:
            raise BadAnswer(f"{root} gave the same cursor twice")
        seen.add(after)


def following(info: Doc) -> str:
    """Return where the next page of a connection is, "" after the last one.

    Raises:
        TypeError: if that can't be told for sure; a walk that ends too early would lose records.
    """
    more, cursor = info["hasNextPage"], info["endCursor"]
    if more is False:
        return ""
    if more is not True or not isinstance(cursor, str) or not cursor:
        raise TypeError("pageInfo says neither that there is more nor where")
    return cursor


def id_of(made: Doc) -> str:
    """Return the id of what a mutation has made.

    Raises:
        TypeError: if it is none, by which nothing could be found again.
    """
    if not isinstance(made["id"], str) or not made["id"].startswith("gid://"):
        raise TypeError("no id of Shopify's")
    return made["id"]


# -- errors of the whole request


def error_of(response: Response) -> StorebridgeError | None:
    """Return the error that an answer of status 200 means; None where its data is whole.

    Goes by codes and never by messages: a product may be called "Throttled".
    """
    answer = json_of(response)
    if not isinstance(answer, dict):
        return BadAnswer("the answer is no object", status=response.status)
    errors = answer.get("errors")
    if not errors:
        return None if isinstance(answer.get("data"), dict) else _without_data(response)
    error = refusal(answer)
    error.status, error.request_id = response.status, response.request_id
    if isinstance(error, RateLimited):
        error.retry_after = _until_affordable(answer)
    return error


def refusal(answer: Doc) -> ApiError:
    """Return the error that the `errors` of an answer, or of a line of a job's results, mean."""
    first = _gravest(answer["errors"])
    extensions = first.get("extensions") or {}
    code = str(extensions.get("code", ""))
    # An error without a code, or none that can be read, says nothing of what was done.
    kind = _KINDS.get(code, Rejected if code else BadAnswer)
    said = first.get("message", "an error without a message")
    message = f"Shopify: {said}{_problems(extensions)}"
    if kind is not Unavailable and _was_made(answer):
        kind = BadAnswer
    return kind(message, code=code, remedy=_remedy(code, extensions))


def _problems(extensions: Doc) -> str:
    """Return what is wrong with a variable, by field; its message names only its type."""
    problems = extensions.get("problems")
    found = [each for each in problems if isinstance(each, dict)] if problems else ()
    said = "; ".join(f"{_path(each.get('path'))}: {each.get('explanation', '')}" for each in found)
    return f" ({said})" if said else ""


def _was_made(answer: Doc) -> bool:
    """Return whether an error concerns what a mutation gave back, not whether it was made.

    One field of a payload that the token may not see comes beside the rest (usage/access-scopes).
    """
    payloads = (answer.get("data") or {}).values()
    return any(isinstance(each, dict) and "userErrors" in each for each in payloads)


def _without_data(response: Response) -> BadAnswer:
    return BadAnswer(
        "the answer has neither data nor errors",
        status=response.status,
        request_id=response.request_id,
    )


#: Codes that a later try may be spared; everything else is a mistake of the request.
_KINDS: Mapping[str, type[ApiError]] = {
    "THROTTLED": RateLimited,
    "429": RateLimited,
    "INTERNAL_SERVER_ERROR": Unavailable,
    "TIMEOUT": Unavailable,
    "ACCESS_DENIED": AccessDenied,
    "RESOURCE_NOT_FOUND": NotFound,
    "NOT_FOUND": NotFound,
}


def _gravest(errors: Any) -> Doc:
    """Return the error to go by: one of an unknown outcome before the others."""
    found = [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    if not found:
        return {"message": str(errors)[:200]}
    grave = (e for e in found if _KINDS.get(_code(e)) in (Unavailable, RateLimited))
    return next(grave, found[0])


def _code(error: Doc) -> str:
    return str((error.get("extensions") or {}).get("code", ""))


def _remedy(code: str, extensions: Doc) -> str:
    if code == "ACCESS_DENIED":
        needed = str(extensions.get("requiredAccess", "")).strip()
        return f"Give the app: {needed}" if needed else "Give the app this access."
    if code == "MAX_COST_EXCEEDED":
        return "Ask for fewer records at once."
    return ""


def _until_affordable(answer: Doc) -> float:
    """Return the seconds until the bucket holds what the refused request needs."""
    cost = (answer.get("extensions") or {}).get("cost") or {}
    status = cost.get("throttleStatus") or {}
    rate = float(status.get("restoreRate") or 0)
    lacking = float(cost.get("requestedQueryCost") or 0) - float(
        status.get("currentlyAvailable") or 0
    )
    return max(0.1, lacking / rate) if rate > 0 else 1.0


def level_of(response: Response) -> Level | None:
    """Return what an answer says about the bucket."""
    answer = json_of(response)
    extensions = answer.get("extensions") if isinstance(answer, dict) else None
    try:
        status = ((extensions or {}).get("cost") or {}).get("throttleStatus") or {}
        if "currentlyAvailable" not in status:
            return None
        return Level(
            available=float(status["currentlyAvailable"]) - _SLACK,
            capacity=float(status.get("maximumAvailable") or 0) or None,
            rate=float(status.get("restoreRate") or 0) or None,
        )
    except (AttributeError, TypeError, ValueError):
        error = BadAnswer("Shopify's word about the bucket can't be read", status=response.status)
        raise error.at("extensions.cost") from None


def lists(response: Response, root: str) -> bool:
    """Return whether an answer has a connection at the root of its data."""
    answer = json_of(response) if response.status == 200 else None
    data = answer.get("data") if isinstance(answer, dict) else None
    found = data.get(root) if isinstance(data, dict) else None
    return isinstance(found, dict) and "nodes" in found


# -- errors of one mutation


def check(payload: Doc | None, errors: str = "userErrors") -> Doc:
    """Return a mutation's payload if it has no user errors.

    Raises:
        Rejected, Conflict, NotFound: for user errors; `fields` says which input each concerns.
    """
    if payload is None:
        raise BadAnswer("the mutation's payload is null")
    found = payload.get(errors) or ()
    if found:
        raise user_error(found)
    return payload


def user_error(errors: Iterable[Doc]) -> ApiError:
    """Return the error that the user errors of a mutation mean."""
    found = list(errors)
    code = next((str(each["code"]) for each in found if each.get("code")), "")
    taken = any(map(_is_taken, found)) if code in ("", "INVALID") else code in _TAKEN
    kind = Conflict if taken else NotFound if code in _MISSING else Rejected
    text = "; ".join(dict.fromkeys(map(_said, found)))
    return kind(f"Shopify: {text}", code=code, fields=dict(_by_field(found)))


_TAKEN = frozenset({"TAKEN", "HANDLE_NOT_UNIQUE", "DUPLICATED_HANDLE", "ALREADY_EXISTS"})
_MISSING = frozenset({"NOT_FOUND", "PRODUCT_DOES_NOT_EXIST", "RESOURCE_NOT_FOUND"})


def _is_taken(error: Doc) -> bool:
    """Return whether an error without a code of its own says that another record has a key.

    A handle that is too long is said of "input"; orders' ids are values of metafields.
    """
    name = (error.get("field") or [""])[-1]
    held = str(error.get("message", "")).endswith("already been taken")
    return (name == "handle" and not error.get("code")) or (
        name in ("email", "phone", "value") and held
    )


def _said(error: Doc) -> str:
    """Return a user error's message, with its field where the message doesn't name it itself."""
    message, path = str(error.get("message", "")), _path(error.get("field"))
    inner = path.partition(".")[2]  # the outermost step is the mutation's argument
    words = re.findall("[A-Z]?[a-z]+", inner.rpartition(".")[2])
    named = all(word.lower() in message.lower() for word in words)
    return message if named else f"{inner}: {message}"


def _by_field(errors: Iterable[Doc]) -> Iterator[tuple[str, str]]:
    return ((_path(each.get("field")), str(each.get("message", ""))) for each in errors)


def _path(steps: Iterable[Any] | None) -> str:
    return ".".join(str(step) for step in steps or ())
