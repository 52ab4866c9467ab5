"""Where the sandbox's files go and come from: staged uploads by PUT or by a form, and results."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path

from storebridge.flow import Multipart, Request, Response
from storebridge.testing.sandbox import header
from storebridge_shopify.sandbox_state import State

__all__ = ["stored"]


def stored(state: State, path: str, request: Request) -> Response:
    """Answer an upload or a download of a path under "/staged/" or "/results/"."""
    if request.method == "GET":
        name = path.partition("/results/")[2] or path.partition("/staged/")[2]
        body = state.one("SELECT body FROM files WHERE name = ?", name)
        if body is None:
            return _xml(404, "NoSuchKey")
        body = bytes(body)[: int(len(body) * _share(state))]
        return Response(status=200, headers={"content-type": "application/jsonl"}, body=bytes(body))
    if not path.startswith("/staged/") or request.method not in ("PUT", "POST"):
        return _xml(405, "MethodNotAllowed")
    key = path.removeprefix("/staged/")
    if request.method == "POST":
        fields, body, last = _form(request)
        if last != "file":
            return _xml(400, "InvalidArgument")  # what comes after the file is not read
        key = fields.get("key", "")
        if "policy" not in fields or "x-goog-signature" not in fields:
            return _xml(403, "AccessDenied")
    else:
        body = _bytes(request.body)
    if not state.fact(f"staged {key}"):
        return _xml(403, "SignatureDoesNotMatch")
    state.run("INSERT OR REPLACE INTO files VALUES (?, ?)", key, body)
    if request.method == "PUT":
        return Response(status=200)
    return _xml(201, "PostResponse")


def _share(state: State) -> float:
    """Return what part of its file this download brings."""
    first, *others = state.option("bulk_cuts") or [1.0]
    if state.option("bulk_cuts"):
        state.switch(bulk_cuts=others)
    return float(first)


def _form(request: Request) -> tuple[dict[str, str], bytes, str]:
    """Return a form's fields, its file, and the name of its last part."""
    if isinstance(request.body, Multipart):
        files = request.body.files
        content = _bytes(files[-1].content) if files else b""
        return dict(request.body.fields), content, files[-1].name if files else ""
    head = f"content-type: {header(request, 'content-type')}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + _bytes(request.body))
    fields: dict[str, str] = {}
    body, name = b"", ""
    for part in message.iter_parts():
        name = str(part.get_param("name", "", header="content-disposition"))
        payload = part.get_payload(decode=True)
        content = payload if isinstance(payload, bytes) else b""
        if name == "file":
            body = content
        else:
            fields[name] = content.decode()
    return fields, body, name


def _bytes(body: object) -> bytes:
    if isinstance(body, Path):
        return body.read_bytes()
    return body if isinstance(body, bytes) else b""


def _xml(status: int, code: str) -> Response:
    kind = "PostResponse" if status == 201 else "Error"
    text = f"<?xml version='1.0' encoding='UTF-8'?><{kind}><Code>{code}</Code></{kind}>"
    headers = {"content-type": "application/xml; charset=UTF-8"}
    return Response(status=status, headers=headers, body=text.encode())
