"""Pure helpers for adapters: strict JSON, status codes, OAuth 1.0a, HMAC, paging guards. No I/O.

Everything here treats what a store answers as untrusted: what can't be read exactly is
`Unreadable`, never a guess.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlsplit

from storebridge.errors import (
    AccessDenied,
    ApiError,
    AuthError,
    BadAnswer,
    Conflict,
    NotFound,
    RateLimited,
    Rejected,
    StorebridgeError,
    TransportError,
    Unavailable,
    Unreadable,
)
from storebridge.flow import Request, Response
from storebridge.models.text import local_file

__all__ = [
    "MISREAD",
    "Pager",
    "amount",
    "dumps",
    "excerpt",
    "hmac_matches",
    "json_of",
    "loads",
    "local_file",
    "moved_to",
    "oauth1",
    "oauth1_claims",
    "oauth1_header",
    "oauth1_signature",
    "percent",
    "redact",
    "request_id",
    "retry_after",
    "status_error",
    "writes",
]

T = TypeVar("T")

#: What reading an answer of an unexpected shape raises.
MISREAD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)

# ---------------------------------------------------------------------------------------- JSON

_MAX_DEPTH = 64
_MAX_DIGITS = 100
_BOM = b"\xef\xbb\xbf"
_STRING = re.compile(rb'"[^"]*"')
_BRACKETS = bytes.maketrans(b"[]{}", b"[][]")
_NO_MARKS = bytes(set(range(256)) - set(b'[]{}"'))
#: Finding a run of digits this way takes a hundredth of the time of a regular expression.
_DIGITS = bytes(48 if 48 <= byte < 58 else 32 for byte in range(256))
_LONG_NUMBER = b"0" * _MAX_DIGITS
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def loads(data: bytes) -> Any:
    """Return what strict JSON in UTF-8 says; numbers with a fraction are Decimals.

    Byte order marks in front are dropped (PHP files saved with one send them).

    Raises:
        Unreadable: for NaN, Infinity, duplicate keys, more than 64 levels, lone surrogates,
            broken UTF-8, numbers of more than 100 digits, or anything around the JSON.
    """
    for _ in range(3):
        data = data.removeprefix(_BOM)
    try:
        _check_depth(data)
        value = json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_float=_decimal,
            parse_int=_short_int if _has_long_number(data) else None,
            parse_constant=_refuse_constant,
        )
        if b"\\" in data and _SURROGATE.search(data):
            json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeError as error:
        reason = getattr(error, "reason", "")
        raise Unreadable(f"the answer is not valid Unicode ({reason})") from None
    except RecursionError:
        raise Unreadable("the answer is nested too deeply") from None
    except ValueError as error:
        raise Unreadable(f"the answer is not valid JSON: {_short(str(error))}") from None
    return value


def json_of(response: Response) -> Any:
    """Return the JSON of an answer; it is read once, however often it is asked for.

    Raises:
        Unreadable: as `loads`, with the status, the request id and the beginning of the body.
    """
    try:
        if "json" not in response.read:
            response.read["json"] = loads(response.body)
        return response.read["json"]
    except Unreadable as error:
        raise Unreadable(
            f"{error}; status {response.status}, it begins: {excerpt(response.body)!r}",
            status=response.status,
            request_id=response.request_id,
        ) from None


def dumps(value: Any) -> bytes:
    """Return JSON in UTF-8; a Decimal becomes a number with exactly its digits.

    Raises:
        TypeError: for a float, which is never exact, and for what JSON doesn't have.
        ValueError: for text with lone surrogates.
    """
    return _json(value).encode()


def amount(value: Decimal) -> str:
    """Return the wire form of an amount: ASCII digits and at most one dot, never an exponent.

    Raises:
        ValueError: if it is not finite.
    """
    if not value.is_finite():
        raise ValueError(f"{value} is no amount")
    return format(value, "f")


def excerpt(body: bytes, length: int = 200) -> str:
    """Return the beginning of a body for a message, without control characters."""
    return _short(body[: 4 * length].decode("utf-8", "replace"), length)


_text = json.JSONEncoder(ensure_ascii=False).encode
_quoted = json.encoder.encode_basestring  # a TypeError for what is no text


def _json(value: Any) -> str:
    """Return JSON text; written here because the json module can't write a Decimal's digits."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        return "{" + ",".join([_quoted(k) + ":" + _json(v) for k, v in value.items()]) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, Decimal):
        return amount(value)
    if value is None or isinstance(value, int):
        return _text(value)
    if isinstance(value, Mapping):  # asked last: abstract classes are slow to ask
        return _json(dict(value))
    raise TypeError(f"{type(value).__name__} has no JSON form; use Decimal, int or str")


def _has_long_number(data: bytes) -> bool:
    """Return whether there may be a number of too many digits; few bytes say no."""
    some = data[::20].translate(_DIGITS)  # it hits a hundred digits in a row five times
    return b"00000" in some and _LONG_NUMBER in data.translate(_DIGITS)


def _check_depth(data: bytes) -> None:
    """Raise for too many levels, before any parser recurses; runs at the speed of C."""
    if b"\\" in data:
        data = data.replace(rb"\\", b"").replace(rb"\"", b"")
    marks = data.translate(_BRACKETS, _NO_MARKS)
    if marks.count(b"[") <= _MAX_DEPTH:
        return
    # Two quotes side by side leave everything else inside or outside of texts, as it was.
    levels = _STRING.sub(b"", marks.replace(b'""', b"")).replace(b'"', b"")
    for _ in range(_MAX_DEPTH):
        levels, before = levels.replace(b"[]", b""), levels
        if levels == before:
            break
    if levels:  # what is left is too deep, or not balanced
        raise Unreadable(f"the answer is nested deeper than {_MAX_DEPTH} levels, or is cut off")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has one key twice")
    return found


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    if len(text) > _MAX_DIGITS or abs(number.adjusted()) > _MAX_DIGITS:
        raise ValueError("a number is too long")
    return number


def _short_int(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("a number is too long")
    return int(text)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _short(text: str, length: int = 200) -> str:
    """Return a text on one line, without control and bidirectional marks, cut to a length."""
    shown = "".join(char if char.isprintable() else " " for char in text[: 4 * length])
    return " ".join(shown.split())[:length]


# --------------------------------------------------------------------------- status and headers

_STATUS: Mapping[int, type[ApiError]] = {
    401: AuthError,
    403: AccessDenied,
    404: NotFound,
    408: Unavailable,
    409: Conflict,
    410: NotFound,
    429: RateLimited,
    529: RateLimited,
}
#: Cloudflare could not agree on TLS with the shop's server: nothing reached it.
_TLS_BEHIND_PROXY = (525, 526)
_REQUEST_IDS = ("x-request-id", "request-id", "x-correlation-id", "cf-ray")
_MAX_WAIT = 86_400.0


def status_error(
    response: Response,
    message: str = "",
    *,
    code: str = "",
    fields: Mapping[str, str] | None = None,
    remedy: str = "",
) -> StorebridgeError:
    """Return the error that a status stands for by itself, for an adapter's `error`.

    401 is AuthError, 403 AccessDenied, 404 and 410 NotFound, 409 Conflict, 429 and 529
    RateLimited, 525 and 526 TransportError, 408 and other 5xx Unavailable, other 4xx Rejected,
    and anything else BadAnswer.
    """
    status = response.status
    text = message or f"the store answered with status {status}"
    if status in _TLS_BEHIND_PROXY:
        return TransportError(f"{text}: the shop's server has no valid certificate")
    kind = _STATUS.get(status)
    if kind is None:
        kind = Unavailable if status >= 500 else Rejected if status >= 400 else BadAnswer
    return kind(
        text,
        status=status,
        code=code,
        request_id=response.request_id,
        fields=fields,
        remedy=remedy,
    )


def request_id(headers: Mapping[str, str]) -> str:
    """Return the name that a platform's support knows a request by, or ""."""
    found = (headers[name] for name in _REQUEST_IDS if headers.get(name))
    return _short(next(found, ""), 100)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that an answer asks to wait, at most a day; None if it doesn't.

    The header holds seconds (some stores send decimals) or an HTTP date; a moment that has
    passed means 0, and what can't be read counts as not sent.
    """
    text = headers.get("retry-after", "").strip()
    seconds = _seconds(text)
    if seconds is None:
        seconds = _until(text, now)
    return None if seconds is None else min(max(0.0, seconds), _MAX_WAIT)


def _seconds(text: str) -> float | None:
    return float(text) if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", text) else None


def _until(text: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(text[:64])
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.timestamp() - now


def moved_to(response: Response, base_url: str, path: str) -> str:
    """Return what to do about a redirect: the URL to set, or that none was named."""
    try:
        target = urlsplit(_short(response.headers.get("location", ""), 500))
        port = f":{target.port}" if target.port else ""
    except ValueError:
        return "Check the store's URL."
    if not target.hostname or not target.scheme:
        return "Check the store's URL."
    prefix = target.path.removesuffix(path.partition("?")[0])
    shared = urlsplit(base_url).path if prefix == target.path else prefix
    return f"Set the store's URL to {target.scheme}://{target.hostname}{port}{shared}"


# ----------------------------------------------------------------------------------- signatures

Digest = Literal["sha256", "sha1"]


def percent(text: str) -> str:
    """Return a text with everything but RFC 3986's unreserved characters encoded."""
    return quote(text, safe="")


def oauth1(
    method: str,
    url: str,
    params: Iterable[tuple[str, str]],
    *,
    key: str,
    secret: str,
    nonce: str,
    now: float,
    token: str = "",
    token_secret: str = "",
    digest: Digest = "sha256",
) -> dict[str, str]:
    """Return the OAuth 1.0a parameters of a request, its signature among them (RFC 5849).

    Args:
        method: the HTTP method.
        url: scheme, host and path as they are sent, without the query.
        params: the query's parameters, and a form body's, before encoding.
        key: the consumer key.
        secret: the consumer secret.
        nonce: a text never used before with this key and time.
        now: seconds since the epoch.
        token: the access token, where there is one.
        token_secret: the access token's secret.
        digest: the hash of the HMAC.
    """
    signed = {**oauth1_claims(key, nonce, now, digest), "oauth_version": "1.0"}
    if token:
        signed["oauth_token"] = token
    pairs = sorted((percent(k), percent(v)) for k, v in [*params, *signed.items()])
    normal = "&".join(f"{k}={v}" for k, v in pairs)
    base = "&".join((method.upper(), percent(_base_uri(url)), percent(normal)))
    signature = oauth1_signature(base, secret, token_secret, digest)
    return {**signed, "oauth_signature": signature}


def oauth1_claims(key: str, nonce: str, now: float, digest: Digest) -> dict[str, str]:
    """Return the OAuth 1.0a parameters that every signed request has, without the signature."""
    return {
        "oauth_consumer_key": key,
        "oauth_nonce": nonce,
        "oauth_signature_method": f"HMAC-{digest.upper()}",
        "oauth_timestamp": str(int(now)),
    }


def oauth1_signature(base: str, secret: str, token_secret: str, digest: Digest) -> str:
    """Return the signature of a base string, which platforms compose in ways of their own."""
    shared = f"{percent(secret)}&{percent(token_secret)}"
    return base64.b64encode(hmac.digest(shared.encode(), base.encode(), digest)).decode()


def oauth1_header(params: Mapping[str, str]) -> str:
    """Return the Authorization header that carries OAuth parameters."""
    return "OAuth " + ", ".join(f'{percent(k)}="{percent(v)}"' for k, v in sorted(params.items()))


def _base_uri(url: str) -> str:
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}.get(scheme)
    port = f":{parts.port}" if parts.port and parts.port != default else ""
    return f"{scheme}://{host}{port}{parts.path or '/'}"


def hmac_matches(
    body: bytes,
    given: str,
    secrets: str | Sequence[str],
    *,
    encoding: Literal["base64", "hex"] = "base64",
    digest: Digest = "sha256",
) -> bool:
    """Return whether a signature of the raw body was made with one of the secrets.

    Takes the same time whatever differs. Pass all secrets that are valid during a rotation; an
    empty one is none.
    """
    ok = False
    for secret in (secrets,) if isinstance(secrets, str) else secrets:
        mac = hmac.digest(secret.encode(), body, digest)
        expected = mac.hex() if encoding == "hex" else base64.b64encode(mac).decode()
        ok |= bool(secret) and hmac.compare_digest(expected.encode(), given.strip().encode())
    return ok


@lru_cache(maxsize=256)
def _forms(secret: str) -> tuple[str, ...]:
    raw = secret.encode()
    forms = {
        secret,
        secret[::-1],
        percent(secret),
        raw.hex(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        json.dumps(secret)[1:-1],
    }
    return tuple(sorted(forms, key=len, reverse=True))


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return a text with each secret, and its usual encodings, replaced by "***".

    Secrets of fewer than four characters are left: they would hit ordinary words.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= 4:
            for form in _forms(secret):
                text = text.replace(form, "***")
    return text


# ------------------------------------------------------------------------------- requests, paging

_COMMENT = re.compile(r'#[^\n]*|"""(?:[^"\\]|\\.|"(?!""))*"""|"(?:[^"\\\n]|\\.)*"', re.DOTALL)


#: The fields of a GraphQL mutation that change no record: a job that reads is started by one.
_READING = frozenset({"bulkOperationRunQuery"})
_WORD = re.compile(r"[{}()]|\.\.\.|\w+")


def writes(request: Request) -> bool:
    """Return whether a request could change the store, whatever kind it says it is.

    A POST of kind READ counts as a write only if its body is a GraphQL mutation; a mutation that
    does nothing but start a job that reads is none.
    """
    kind, method = request.kind, request.method.upper()
    if method in ("PUT", "PATCH", "DELETE") or kind not in ("read", "submit"):
        return kind.mutates or method in ("PUT", "PATCH", "DELETE")
    if method != "POST" or not isinstance(request.body, bytes) or b"mutation" not in request.body:
        return kind.mutates
    try:
        document = _COMMENT.sub(" ", str(loads(request.body)["query"]))
    except (Unreadable, LookupError, TypeError):
        return True
    if re.search(r"(^|[}\s])mutation\b", document) is None:
        return kind.mutates
    fields = _root_fields(document)
    return not fields or not fields <= _READING


def _root_fields(document: str) -> set[str]:
    """Return what the operations and fragments of a document ask for first, by every word there.

    An alias, a directive or a fragment is a word too, so that nothing hides behind one.
    """
    found: set[str] = set()
    depth = inside = 0
    for word in _WORD.findall(document):
        if word in "()":
            inside = max(0, inside + (1 if word == "(" else -1))
        elif not inside:
            depth += (word == "{") - (word == "}")
            if depth == 1 and word not in "{}":
                found.add(word)
    return found


class Pager:
    """Guards a walk over pages: it ends, and no record comes twice.

    Stores repeat their last page past the end, send one cursor for ever, and shift records
    between pages while they change.
    """

    def __init__(self, what: str, window: int = 100_000) -> None:
        """Watch a walk over `what`; the last `window` ids are remembered."""
        self._what, self._window = what, window
        self._cursors: set[str] = set()
        self._ids: dict[str, None] = {}
        self._stale = 0

    def admit(self, records: Sequence[T], cursor: str, key: Callable[[T], str]) -> tuple[T, ...]:
        """Return the records of a page that are new.

        Args:
            records: the page.
            cursor: where the next page is; "" after the last one.
            key: a record's id.

        Raises:
            BadAnswer: if the cursor came before, or two pages in a row hold nothing new.
        """
        fresh = tuple({key(r): r for r in records if key(r) not in self._ids}.values())
        self._ids.update((key(record), None) for record in fresh)
        while len(self._ids) > self._window:
            del self._ids[next(iter(self._ids))]
        self._stale = self._stale + 1 if records and not fresh else 0
        if cursor and (cursor in self._cursors or self._stale > 1):
            raise BadAnswer(f"the store sends the same page of {self._what} again and again")
        self._cursors.add(cursor)
        return fresh
