"""Bulk mutations of the sandbox: a file of variables, each line a call (usage/bulk-operations).

Lines are carried out in no order. Where the first `__lineNumber` lies is not documented (recorded
answers begin at 0): the switch `first_line`.
"""

from __future__ import annotations

import json
import random
from typing import Any

from graphql import GraphQLError

from storebridge_shopify.sandbox_bulk import STEPS, append, begin, due, end
from storebridge_shopify.sandbox_bulk_query import connections
from storebridge_shopify.sandbox_execute import operation, perform
from storebridge_shopify.sandbox_fields import Refused, mutation, user_error
from storebridge_shopify.sandbox_state import Doc, State, split

_AT_A_REQUEST = 500
_MOST_BYTES = 100_000_000


@mutation("bulkOperationRunMutation")
def _run_mutation(
    state: State,
    mutation: str,
    stagedUploadPath: str,  # noqa: N803 - the API's name
    clientIdentifier: str | None = None,  # noqa: N803 - the API's name
    **_: Any,
) -> Doc:
    path = ["clientIdentifier"]
    if clientIdentifier is not None and len(clientIdentifier) < 10:
        text = "is too short (minimum is 10 characters)"
        raise Refused(user_error(path, text, "INVALID_MUTATION"))
    if clientIdentifier is not None and len(clientIdentifier) > 255:
        text = "is too long (maximum is 255 characters)"
        raise Refused(user_error(path, text, "INVALID_MUTATION"))
    _check_mutation(mutation)
    body = state.one("SELECT body FROM files WHERE name = ?", stagedUploadPath)
    if body is None:
        text = "The JSONL file could not be found. Try uploading the file again, and check that you've entered the URL correctly for the stagedUploadPath mutation argument."  # noqa: E501 - the platform's words
        raise Refused(user_error(None, text, "NO_SUCH_FILE"))
    if not bytes(body).strip():
        text = "The input file is empty."
        raise Refused(user_error(None, text, "INVALID_STAGED_UPLOAD_FILE"))
    if len(body) > _MOST_BYTES:
        text = "The input file size exceeds the maximum allowed size of 100 MB."
        raise Refused(user_error(None, text, "INVALID_STAGED_UPLOAD_FILE"))
    doc = begin(state, "MUTATION", mutation, source=stagedUploadPath)
    return {"bulkOperation": doc}


def _check_mutation(text: str) -> None:
    try:
        found = operation(text)
    except GraphQLError as error:
        words = f"Failed to parse the mutation - {error.message}"
        raise Refused(user_error(None, words, "INVALID_MUTATION")) from None
    if found.wrong:
        words = found.wrong[0]["message"]
        raise Refused(user_error(["mutation"], words, "INVALID_MUTATION"))
    if len(found.roots) != 1 or not found.mutates:
        words = "You must specify a single top level mutation."
        raise Refused(user_error(["mutation"], words))
    if found.roots[0].name.value.startswith("bulkOperation"):
        raise Refused(user_error(["mutation"], "You must use an allowed mutation name."))
    root = found.roots[0]
    payload = f"{root.name.value[0].upper()}{root.name.value[1:]}Payload"
    if len(list(connections(found.document, root.selection_set, payload, 0))) > 1:
        words = "Bulk mutations cannot contain more than 1 connection."
        raise Refused(user_error(["mutation"], words, "INVALID_MUTATION"))


def _run_lines(state: State, doc: Doc) -> bool:
    """Carry out the next lines of a file, in an order of its own; return whether it ended."""
    body = bytes(state.one("SELECT body FROM files WHERE name = ?", doc["source"]) or b"")
    lines = [line for line in body.decode().split("\n") if line.strip()]
    order = list(range(len(lines)))
    random.Random(int(split(doc["id"])[1])).shuffle(order)  # noqa: S311 - no secret
    last, status, code = due(doc, len(lines))
    rate = state.option("bulk_rate")
    upto = doc["done"] + _AT_A_REQUEST
    if rate:
        upto = int((state.clock() - doc["begunAt"]) * rate)
    said: list[str] = []
    for at in order[doc["done"] : min(upto, last)]:
        said.append(_line(state, doc, lines[at], at + state.option("first_line")))
        doc["done"] += 1
    doc["objectCount"] = doc["rootObjectCount"] = str(doc["done"])
    append(state, doc, said)
    if doc["done"] < last:
        return False
    end(state, doc, status, code)
    return True


STEPS["MUTATION"] = _run_lines


def _line(state: State, doc: Doc, line: str, number: int) -> str:
    """Carry out one line and return that of its result."""
    found = operation(doc["query"])
    try:
        variables = json.loads(line)
    except ValueError:
        said: Doc = {"errors": [{"message": "Invalid JSON"}]}
    else:
        said = perform(state, found, variables)
    return json.dumps({**said, "__lineNumber": number}, ensure_ascii=False, separators=(",", ":"))
