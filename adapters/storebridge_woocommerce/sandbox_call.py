"""A call as WordPress sees it: route, verb and parameters from the URL, a form and a JSON body."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl, quote_plus, unquote

from storebridge.flow import FilePart, Multipart, Request
from storebridge.testing.sandbox import header
from storebridge_woocommerce.sandbox_state import Doc, Refusal, State

__all__ = ["Answer", "Call", "Given", "body_of", "parsed", "php_query", "query_text"]


@dataclass(slots=True)
class Answer:
    """What a route answers, before it becomes bytes."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Call:
    """One call of the REST API."""

    state: State
    request: Request
    verb: str
    """The verb that the API sees: `_method=GET` and X-HTTP-Method-Override change it."""
    path: str
    """Under /wp-json: "/wc/v3/products/12"."""
    query: Doc
    form: Doc
    json: Any = None
    broken: Refusal | None = None
    """Why the JSON can't be read; said only after access was checked."""
    url: Doc = field(default_factory=dict)
    """What the route's pattern took from the path."""
    user: int = 0
    role: str = ""
    params: Doc = field(default_factory=dict)
    """All parameters; those of the route's schema checked and cast."""

    def __getitem__(self, name: str) -> Any:
        return self.params.get(name)

    @property
    def fields(self) -> tuple[str, ...] | None:
        """The names in `_fields`, None if all are wanted."""
        text = self.params.get("_fields")
        if not text:
            return None
        names = text if isinstance(text, list) else str(text).split(",")
        return tuple(name.strip() for name in names if name.strip()) or None

    @property
    def size(self) -> int:
        """How many rows a page of a list has."""
        return int(self["per_page"] or 10)

    @property
    def span(self) -> slice:
        """The places of a list's rows that the page has.

        WooCommerce 11.0.1: `offset` beats `page`; past the end comes an empty page.
        """
        start = self["offset"]
        start = (int(self["page"] or 1) - 1) * self.size if start is None else int(start)
        return slice(start, start + self.size)

    def merged(self) -> Doc:
        """Return all parameters: a JSON body outranks a form, that the query, that the path."""
        params = {**self.url, **self.query}
        if self.verb != "GET":
            params.update(self.form)
        return {**params, **self.json} if isinstance(self.json, dict) else params


class Given:
    """The fields of one record in a single call or in an item of a batch.

    WooCommerce 11.0.1: a field that is null counts as not given (a create then takes the
    schema's default), except where the server asks whether it was named at all.
    """

    __slots__ = ("defaults", "fields", "image_size", "values")

    def __init__(
        self,
        values: Mapping[str, Any],
        defaults: Mapping[str, Any] | None = None,
        fields: tuple[str, ...] | None = None,
    ) -> None:
        """Keep what was sent, and what stands for fields that weren't."""
        self.values, self.defaults, self.fields = values, defaults or {}, fields

    def __getitem__(self, name: str) -> Any:
        value = self.values.get(name)
        return self.defaults.get(name) if value is None else value

    def __contains__(self, name: str) -> bool:
        return self[name] is not None

    def named(self, name: str) -> bool:
        """Return whether a field was sent, be it null."""
        return name in self.values

    def docs(self, name: str) -> list[Doc]:
        """Return the objects of a list; PHP walks over what is no object without a word."""
        value = self[name]
        found = value if isinstance(value, list) else []
        return [one for one in found if isinstance(one, dict)]


def parsed(state: State, request: Request) -> Call:
    """Return a request as a call, not yet admitted or checked."""
    query = php_query(request.params)
    path = unquote(request.path).rstrip("/")
    path = path.removeprefix("/wp-json") or "/"
    if "rest_route" in query:
        path = "/" + str(query["rest_route"]).strip("/")
    form: Doc = {}
    body = body_of(request)
    if "x-www-form-urlencoded" in header(request, "content-type"):
        form = php_query(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    override = query.get("_method") or header(request, "x-http-method-override")
    verb = str(override).upper() if override and request.method == "POST" else request.method
    call = Call(state, request, "GET" if verb == "HEAD" else verb, path, query, form)
    form_data = _multipart(request, body)
    if form_data is not None:
        call.request = replace(request, body=form_data)
        call.form = dict(form_data.fields)
    elif body.strip() and "json" in header(request, "content-type"):
        # WooCommerce 11.0.1: a body without a JSON content type is ignored without a word.
        _read_json(call, body)
    return call


def _multipart(request: Request, body: bytes) -> Multipart | None:
    """Return a body of fields and files, as it is or read from its bytes; None for another."""
    kind = header(request, "content-type")
    if isinstance(request.body, Multipart) or "multipart/form-data" not in kind:
        return request.body if isinstance(request.body, Multipart) else None
    message = BytesParser(policy=HTTP).parsebytes(f"content-type: {kind}\r\n\r\n".encode() + body)
    fields, files = [], []
    for part in message.iter_parts():
        name = str(part.get_param("name", "", "content-disposition"))
        content = part.get_payload(decode=True)
        content = content if isinstance(content, bytes) else b""
        filename = part.get_filename()
        if filename:
            files.append(FilePart(name, filename, content, part.get_content_type()))
        else:
            fields.append((name, content.decode("utf-8", "replace")))
    return Multipart(tuple(fields), tuple(files))


def body_of(request: Request) -> bytes:
    """Return a request's body as bytes."""
    if request.body is None or isinstance(request.body, Multipart):
        return b""
    return request.body if isinstance(request.body, bytes) else request.body.read_bytes()


def _read_json(call: Call, body: bytes) -> None:
    try:
        text = body.decode()
        if "\\u" in text:
            text = _no_nul(text)
        call.json = json.loads(text)
    except UnicodeDecodeError:
        gzip = body[:2] == b"\x1f\x8b"
        call.broken = _bad_json(3, "Control character error, possibly incorrectly encoded")
        if not gzip:
            words = "Malformed UTF-8 characters, possibly incorrectly encoded"
            call.broken = _bad_json(5, words)
    except _Surrogate:
        words = "Single unpaired UTF-16 surrogate in unicode escape"
        call.broken = _bad_json(10, words)
    except ValueError:
        call.broken = _bad_json(4, "Syntax error")


class _Surrogate(Exception):
    """Half a surrogate pair stands alone."""


_ESCAPE = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|(\\u0000)"
)


def _no_nul(text: str) -> str:
    r"""Return JSON without `\u0000`: WordPress drops NUL characters."""

    def one(found: re.Match[str]) -> str:
        if found[1]:
            raise _Surrogate
        return "" if found[2] else found[0]

    return _ESCAPE.sub(one, text)


def _bad_json(code: int, words: str) -> Refusal:
    return Refusal(
        "rest_invalid_json",
        "Invalid JSON body passed.",
        json_error_code=code,
        json_error_message=words,
    )


# --------------------------------------------------------------------------------- PHP's queries


def php_query(pairs: Any) -> Doc:
    """Return a query as PHP reads it: `a[]=1&a[x][y]=2` nests, the last of a name counts."""
    found: Doc = {}
    for name, value in pairs:
        if "[" not in name:
            found[name] = value
            continue
        base, _, rest = name.partition("[")
        keys = rest.removesuffix("]").split("][")
        place = found.get(base)
        if not isinstance(place, dict):
            place = found[base] = {}
        for key in keys[:-1]:
            key = key or str(len(place))
            if not isinstance(place.get(key), dict):
                place[key] = {}
            place = place[key]
        place[keys[-1] or str(len(place))] = value
    return {name: _listed(value) for name, value in found.items()}


def _listed(value: Any) -> Any:
    """Return nested parameters with lists where PHP's keys count from 0."""
    if not isinstance(value, dict):
        return value
    parts = {key: _listed(one) for key, one in value.items()}
    counted = list(parts) == [str(number) for number in range(len(parts))]
    return list(parts.values()) if counted else parts


def query_text(query: Mapping[str, Any]) -> str:
    """Return a query as the `Link` header repeats it, secrets and all."""
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in flat(query))


def flat(query: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield nested parameters with PHP's names: `include[0]`."""
    for name, value in query.items():
        if isinstance(value, list):
            value = {str(place): one for place, one in enumerate(value)}
        if isinstance(value, dict):
            for key, one in flat(value):
                first, _, rest = key.partition("[")
                yield f"{name}[{first}]" + (f"[{rest}" if rest else ""), one
        elif value is not None:
            yield name, str(int(value)) if isinstance(value, bool) else str(value)
