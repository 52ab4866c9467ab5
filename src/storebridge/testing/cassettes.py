"""Cassettes: exchanges with real servers, recorded once and played in tests ever after.

vcrpy records and plays, pytest-vcr gives the marker; this module says what may be kept:

    RULES = Scrubber(fields=frozenset({"id", "name", "sku"}), personal={"email": "a@example.com"})

    @pytest.fixture(scope="module")
    def vcr_config():
        return RULES.settings()

    @pytest.fixture(autouse=True)
    def _strict(request):
        if request.node.get_closest_marker("vcr"):
            with strictly(request.getfixturevalue("vcr_cassette")):
                yield

Kept is what is allowed by name: headers and fields that nobody has allowed are dropped. Whoever
records gives the credentials to a `Guard`, which writes no cassette that has one of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from storebridge.testing.canaries import Canaries, LeakedSecret

__all__ = ["Guard", "Scrubber", "strictly"]

#: Headers that say something about the exchange and nothing about who took part in it.
_HEADERS = frozenset({"accept", "allow", "content-disposition", "content-type", "retry-after"})
_SIGNING = frozenset(
    f"oauth_{name}"
    for name in ("consumer_key", "nonce", "signature", "signature_method", "timestamp", "version")
)
_MATCHED = ("method", "path", "query", "body")
_EMAIL = re.compile(r"[\w.+-]+@((?:[\w-]+\.)+[a-z]{2,})", re.IGNORECASE | re.ASCII)
#: Names that belong to nobody (RFC 2606).
_NOBODY = re.compile(r"(?:^|\.)(?:example|example\.(?:com|net|org)|test|invalid)$", re.IGNORECASE)
_BOUNDARY = re.compile(r"boundary=\"?([^\";]+)")
_LONGEST_TEXT = 2_000


class Sent(Protocol):
    """What vcrpy keeps of a request."""

    method: str
    uri: str
    headers: Any
    body: Any


@dataclass(frozen=True, kw_only=True)
class Scrubber:
    """What of a platform's exchanges may be kept. The same rules hold for recording and playing.

    Only what an answer is allowed to have is kept of it. A request is made by the adapter under
    test and played back by what it says, so its body stays whole but for personal data.
    """

    fields: frozenset[str]
    """Names that are kept in JSON answers, at any depth."""
    whole: frozenset[str] = frozenset()
    """Fields whose values are kept whatever names they have inside: free metadata, say."""
    personal: Mapping[str, str] = field(default_factory=dict)
    """Fields about people, in answers and requests, and what stands there instead."""
    invented: frozenset[str] = frozenset()
    """Values of such fields that the tests themselves have made up: they are kept."""
    headers: frozenset[str] = frozenset()
    """Headers that are kept beside the common ones, in lower case."""
    signing: frozenset[str] = _SIGNING
    """Query parameters that are dropped: they prove who asks, and differ each time."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Where the recorded store was, and the address that the cassette gives it."""

    def settings(self, *, record: bool = False) -> dict[str, Any]:
        """Return the settings of vcrpy; without `record` nothing but the cassette is asked."""
        return {
            "record_mode": "all" if record else "none",
            "drop_unused_requests": record,  # else what is no longer asked stays in the file
            "match_on": _MATCHED,
            "decode_compressed_response": True,
            "before_record_request": self.request,
            "before_record_response": self.response,
        }

    def request(self, sent: Sent) -> Sent:
        """Scrub a request, in place; vcrpy gives a copy, recording and playing."""
        parts = urlsplit(self._moved(sent.uri))
        kept = [
            (name, self._impersonal(value, name))
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
            if name not in self.signing
        ]
        sent.uri = urlunsplit(parts._replace(query=urlencode(kept)))
        headers = {name.lower(): value for name, value in sent.headers.items()}
        sent.body = self._sent_body(sent.body or b"", str(headers.get("content-type", "")))
        sent.headers = {
            name: _BOUNDARY.sub("boundary=boundary", str(value))
            for name, value in headers.items()
            if self._allows(name)
        }
        return sent

    def response(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return a scrubbed answer, given as vcrpy has it."""
        headers = {
            name.lower(): [self._moved(value) for value in values]
            for name, values in answer["headers"].items()
            if self._allows(name.lower())
        }
        body = self._answered(bytes(answer["body"]["string"] or b""))
        return {"status": answer["status"], "headers": headers, "body": {"string": body}}

    def _allows(self, name: str) -> bool:
        return name in _HEADERS or name in self.headers

    def _moved(self, text: str) -> str:
        for address, stand_in in self.addresses.items():
            text = text.replace(address, stand_in)
            text = text.replace(address.replace("/", "\\/"), stand_in.replace("/", "\\/"))
        return text

    def _sent_body(self, body: bytes, media_type: str) -> bytes | None:
        if found := _BOUNDARY.search(media_type):
            return body.replace(found[1].encode(), b"boundary")  # a new one for each request
        try:
            return _json(self._impersonal(json.loads(self._moved(body.decode()))))
        except ValueError:
            return body or None

    def _answered(self, body: bytes) -> bytes:
        text = self._moved(body.decode("utf-8", "replace"))
        try:
            return _json(self._impersonal(self._allowed(json.loads(text))))
        except ValueError:
            return text[:_LONGEST_TEXT].encode()  # a page of HTML, a notice before the JSON

    def _allowed(self, value: Any) -> Any:
        """Return a JSON value with the allowed fields only, and nobody in it."""
        if isinstance(value, list):
            return [self._allowed(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            name: self._impersonal(item, name) if name in self.whole else self._allowed(item)
            for name, item in value.items()
            if name in self.fields or name in self.whole
        }

    def _impersonal(self, value: Any, name: str = "") -> Any:
        """Return a JSON value with nobody in it."""
        if isinstance(value, list):
            return [self._impersonal(item, name) for item in value]
        if isinstance(value, dict):
            return {key: self._impersonal(item, key) for key, item in value.items()}
        personal = name in self.personal and bool(value) and not isinstance(value, bool)
        return self.personal[name] if personal and value not in self.invented else value


class Guard:
    """A serializer for vcrpy that writes no cassette with a credential or a person in it.

    Register it under a name and name it in the settings: `vcr.register_serializer("guarded",
    Guard(canaries))`, `RULES.settings(record=True) | {"serializer": "guarded"}`.
    """

    def __init__(self, canaries: Canaries) -> None:
        """Look for these secrets: `canaries.watch` takes the real ones."""
        self._canaries = canaries

    def serialize(self, cassette: dict[str, Any]) -> str:
        """Return the cassette as YAML.

        Raises:
            LeakedSecret: naming the secret, or the kind of personal data; nothing is written.
        """
        from vcr.serializers import yamlserializer

        # Before YAML folds long lines: a secret in two lines would not be found.
        for text in _texts(cassette):
            self._canaries.check("a cassette", text)
            for found in _EMAIL.finditer(text):
                if not _NOBODY.search(found[1]):
                    raise LeakedSecret(f"somebody's e-mail address at {found[1]} is in a cassette")
        written: str = yamlserializer.serialize(cassette)
        return written

    def deserialize(self, text: str) -> Any:
        """Return the cassette that YAML stands for."""
        from vcr.serializers import yamlserializer

        return yamlserializer.deserialize(text)


@contextmanager
def strictly(cassette: Any) -> Iterator[None]:
    """Fail unless every request finds its recorded answer and every recorded one is asked for.

    An engine makes an outcome of what its transport raises, so an unexpected request alone may
    not fail a test. While recording, nothing is checked.

    Raises:
        AssertionError: naming the requests, in the end.
    """
    if not cassette.write_protected:
        yield
        return
    unexpected: list[str] = []
    plays = cassette.can_play_response_for

    def watched(request: Any) -> bool:
        found = bool(plays(request))
        if not found:
            unexpected.append(f"{request.method} {urlsplit(request.uri).path}")
        return found

    cassette.can_play_response_for = watched
    yield
    assert not unexpected, f"not in the cassette: {unexpected}"
    left = [request for n, request in enumerate(cassette.requests) if not cassette.play_counts[n]]
    assert not left, f"in the cassette, and not asked for: {[str(request) for request in left]}"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a cassette, keys too."""
    match value:
        case str():
            yield value
        case bytes():
            yield value.decode("utf-8", "surrogateescape")
        case Mapping():
            for name, item in value.items():
                yield from (*_texts(name), *_texts(item))
        case list() | tuple():
            for item in value:
                yield from _texts(item)
