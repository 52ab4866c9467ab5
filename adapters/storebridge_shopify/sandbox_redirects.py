"""Redirects of the sandbox: one by one, and many at once by a staged file of two columns.

A path leads to one target: a second redirect of it is refused when it is made by itself, and
changed when it comes in a file, whose answer only counts (schema, UrlRedirectImport).
"""

from __future__ import annotations

import csv
import io
from typing import Any

from storebridge_shopify.sandbox_fields import Info, Refused, field, job, mutation, user_error
from storebridge_shopify.sandbox_search import Listing
from storebridge_shopify.sandbox_state import Doc, State, split

__all__ = ["finish"]

REDIRECTS = Listing(
    "UrlRedirect",
    "urlRedirects",
    {
        "id": lambda _state, doc: split(doc["id"])[1],
        "path": lambda _state, doc: doc["path"],
        "target": lambda _state, doc: doc["target"],
        "created_at": lambda _state, doc: doc["createdAt"],
    },
    {"PATH": lambda _state, doc: doc["path"]},
    frozenset({"path"}),
)


@field("QueryRoot", "urlRedirects")
def _redirects(_root: Any, info: Info, **arguments: Any) -> Doc:
    return REDIRECTS.page(info.context, **arguments)


@field("QueryRoot", "urlRedirect")
def _redirect(_root: Any, info: Info, id: str) -> Doc | None:
    return info.context.get(id, "UrlRedirect")


def _checked(state: State, given: Doc, own: str, code: str) -> Doc:
    path, target = given.get("path") or "", given.get("target") or ""
    if not path or not target:
        name = "path" if not path else "target"
        text = f"{name.capitalize()} can't be blank"
        raise Refused(user_error(["urlRedirect", name], text, code))
    path = "/" + path.lstrip("/")
    if any(id != own for id in state.holders("UrlRedirect", "path", path.lower())):
        raise Refused(user_error(["urlRedirect", "path"], "Path has already been taken", code))
    return {"path": path, "target": target}


def _add(state: State, given: Doc) -> Doc:
    doc = state.add("UrlRedirect", given)
    state.index(doc["id"], {"path": [doc["path"].lower()]})
    return doc


@mutation("urlRedirectCreate")
def _create(state: State, urlRedirect: Doc) -> Doc:  # noqa: N803 - the API's name
    return {"urlRedirect": _add(state, _checked(state, urlRedirect, "", "CREATE_FAILED"))}


@mutation("urlRedirectUpdate")
def _update(state: State, id: str, urlRedirect: Doc) -> Doc:  # noqa: N803 - the API's name
    doc = _existing(state, id)
    doc |= _checked(state, {**doc, **urlRedirect}, id, "UPDATE_FAILED")
    state.save(doc)
    state.index(doc["id"], {"path": [doc["path"].lower()]})
    return {"urlRedirect": doc}


@mutation("urlRedirectDelete")
def _delete(state: State, id: str) -> Doc:
    doc = _existing(state, id)
    state.delete(doc["id"])
    return {"deletedUrlRedirectId": doc["id"]}


def _existing(state: State, id: str) -> Doc:
    doc = state.get(id, "UrlRedirect")
    if doc is None:
        text = "Redirect does not exist"
        raise Refused(user_error(["id"], text, "DOES_NOT_EXIST"))
    return doc


# -- many at once


@mutation("urlRedirectImportCreate")
def _import(state: State, url: str) -> Doc:
    name = url.partition("/staged/")[2]
    body = state.one("SELECT body FROM files WHERE name = ?", name)
    if body is None:
        raise Refused(user_error(["url"], "File does not exist", "FILE_DOES_NOT_EXIST"))
    rows = list(csv.reader(io.StringIO(bytes(body).decode("utf-8-sig"))))[1:]
    doc = {"rows": rows, "count": len(rows), "createdCount": None, "updatedCount": None,
           "failedCount": None, "finished": False, "finishedAt": None}  # fmt: skip
    return {"urlRedirectImport": state.add("UrlRedirectImport", doc)}


@mutation("urlRedirectImportSubmit")
def _submit(state: State, id: str) -> Doc:
    doc = state.get(id, "UrlRedirectImport")
    if doc is None:
        raise Refused(user_error(["id"], "Import does not exist", "NOT_FOUND"))
    if doc["finished"]:
        raise Refused(user_error(["id"], "Already imported", "ALREADY_IMPORTED"))
    if "begunAt" in doc:
        raise Refused(user_error(["id"], "Import is in progress", "IN_PROGRESS"))
    doc |= state.begun()
    state.save(doc)
    state.run("INSERT INTO work VALUES (?, ?)", split(id)[1], "redirects")
    return {"job": job(state)}


@field("QueryRoot", "urlRedirectImport")
def _status(_root: Any, info: Info, id: str) -> Doc | None:
    return info.context.get(id, "UrlRedirectImport")


@field("UrlRedirectImport", "previewRedirects")
def _preview(doc: Doc, _info: Info) -> list[Doc]:
    return [{"path": row[0], "target": row[1]} for row in doc["rows"][:3]]


def finish(state: State, doc: Doc) -> bool:
    """Go on with an import; return whether it is finished."""
    if state.age(doc) != "done":
        return False
    counts = {"createdCount": 0, "updatedCount": 0, "failedCount": 0}
    for row in doc["rows"]:
        counts[_imported(state, row)] += 1
    state.save({**doc, **counts, "finished": True, "finishedAt": state.now()})
    return True


def _imported(state: State, row: list[str]) -> str:
    """Make or change what a row says; return which count it belongs to."""
    if len(row) < 2 or not row[0].strip("/ ") or not row[1].strip():
        return "failedCount"
    given = {"path": "/" + row[0].strip().lstrip("/"), "target": row[1].strip()}
    held = state.holders("UrlRedirect", "path", given["path"].lower())
    if not held:
        _add(state, given)
        return "createdCount"
    state.save({**(state.get(held[0]) or {}), **given})
    return "updatedCount"
