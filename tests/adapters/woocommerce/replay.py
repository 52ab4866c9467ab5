"""Replays recorded exchanges with a real WooCommerce against the sandbox, and says what differs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

from storebridge.flow import FilePart, Multipart, Request, Response
from storebridge_woocommerce.sandbox import Sandbox
from storebridge_woocommerce.sandbox_state import APP_PASSWORD, KEYS

FOLDER = Path(__file__).parent / "exchanges"
HOME = "http://127.0.0.1:8088"
SECURE = "https://127.0.0.1:8488"
#: Values that differ from call to call on the real server too.
LOOSE = ("related_ids", "order_key", "payment_url", "store_id", "filesize", "server_architecture")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.000000)?")
#: Which numbers a new id of a path or a list counts in.
_LISTS = {
    "meta_data": "meta", "line_items": "items", "shipping_lines": "items", "fee_lines": "items",
    "categories": "terms", "tags": "terms", "brands": "terms", "images": "posts", "image": "posts",
}  # fmt: skip
_PATHS = (
    ("/notes", "comments"), ("/reviews", "comments"), ("/terms", "terms"),
    ("/products/categories", "terms"), ("/products/tags", "terms"), ("/products/brands", "terms"),
    ("/products/shipping_classes", "terms"), ("/products/attributes", "attribute"),
    ("/customers", "users"), ("/webhooks", "webhook"), ("/taxes", "tax_rate"),
    ("/shipping/zones", "zone"), ("/menus", "terms"), ("/wp/v2/categories", "terms"),
)  # fmt: skip


@dataclass
class Clock:
    """The time of the recording."""

    now: float = 1_795_330_244.0

    def time(self) -> float:
        """Seconds since the epoch."""
        return self.now


@dataclass
class Replay:
    """One topic's exchanges, replayed in order on a shop of its own."""

    topic: str
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.before: dict[str, Any] = _before().get(self.topic, {})
        self.nonces = (f"nonce{number}" for number in count())
        self.sandbox = Sandbox(clock=self.clock.time, sleep=lambda seconds: None, url=HOME)
        self._furnish()

    def _furnish(self) -> None:
        """Make the shop that the recordings began with: 100 products, then the topic's own."""
        for start in range(0, 100, 50):
            create = [
                {"name": f"P{n}", "sku": f"SKU{n}", "regular_price": "10.00"}
                for n in range(start, start + 50)
            ]
            self._do({"method": "POST", "path": "/wp-json/wc/v3/products/batch",
                      "body": {"create": create}})  # fmt: skip
        self.clock.now = float(self.before.get("at", 1_795_330_700))
        self.sandbox.switch(**self.before.get("switches", {}))
        for step in self.before.get("requests", ()):
            self._step(step)

    def _step(self, step: dict[str, Any]) -> None:
        self.clock.now = float(step.get("at", self.clock.now))
        self.sandbox.switch(**step.get("switches", {}))
        if "path" not in step:
            return
        self.sandbox.numbers.update(step.get("numbers", {}))
        self.sandbox.keep()
        said = self._do({"auth": "app", **step})
        assert said.status < 300, (step, said.status, said.body)

    def _do(self, exchange: dict[str, Any]) -> Response:
        return self.sandbox(request_of(exchange, self.sandbox, self.clock, next(self.nonces)))

    def differences(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each exchange's name with where the sandbox's answer differs; [] is a match."""
        for line in (FOLDER / f"{self.topic}.jsonl").read_text("utf-8").splitlines():
            exchange = json.loads(line)
            name = f"{self.topic}#{exchange['n']}"
            for step in self.before.get("steps", {}).get(str(exchange["n"]), ()):
                self._step(step)
            if "at" in exchange:
                self.clock.now = float(exchange["at"])
            said = exchange["response"]
            if exchange["method"] != "GET":
                foresee(self.sandbox, exchange["path"], said.get("body"))
            got = self._do(exchange)
            yield name, compared(said, got, self.topic)


def foresee(sandbox: Sandbox, path: str, body: Any) -> None:
    """Let the next new ids be those of the recorded answer."""
    found: dict[str, list[int]] = {}
    meta = "user_meta" if "/customers" in path else "order_meta" if "/orders" in path else "meta"

    def walk(value: Any, kind: str, item: bool) -> None:
        if isinstance(value, list):
            for one in value:
                walk(one, kind, item)
        elif isinstance(value, dict) and "error" not in value:
            if type(value.get("id")) is int and kind:
                found.setdefault(kind, []).append(value["id"])
            for name, one in value.items():
                if name in ("create", "update", "delete", "previous"):
                    walk(one, kind, item)
                elif name in _LISTS:
                    inner = meta if name == "meta_data" else _LISTS[name]
                    inner = "item_meta" if item and name == "meta_data" else inner
                    walk(one, inner, item or _LISTS[name] == "items")

    walk(body, next((kind for part, kind in _PATHS if part in path), "posts"), False)
    for kind, numbers in found.items():
        fresh = [number for number in numbers if number > sandbox.numbers.get(kind, 0)]
        if fresh:
            sandbox.numbers[kind] = min(fresh) - 1
    sandbox.keep()


def request_of(exchange: dict[str, Any], sandbox: Sandbox, clock: Clock, nonce: str) -> Request:
    """Return a recorded request, signed anew."""
    headers = {"accept": "application/json", **exchange.get("headers", {})}
    params = [(name, str(value)) for name, value in exchange.get("query", ())]
    body: Any = None
    if "png" in exchange:
        body = png(*exchange["png"])
        if str(exchange.get("note", "")).startswith("multipart"):
            body = None
    elif "hex" in exchange:
        body = bytes.fromhex(exchange["hex"])
        headers["content-type"] = "application/json"
    elif "raw" in exchange:
        body = exchange["raw"].encode("utf-8", "surrogatepass")
        if exchange.get("json"):
            headers["content-type"] = "application/json"
    elif "body" in exchange:
        body = json.dumps(_grown(exchange["body"])).encode()
        headers.setdefault("content-type", "application/json")
    if isinstance(exchange.get("raw"), str) and exchange["raw"].startswith("multipart:"):
        picture = FilePart("file", "multi.png", png(800, 800), "image/png")
        fields = (("title", "Titel ü"), ("alt_text", "Alt"), ("caption", "C"))
        body, headers = Multipart(fields, (picture,)), {"accept": "application/json"}
    sign = exchange.get("sign", {})
    key, secret, _, _ = KEYS[sign.get("name", "read_write")]
    auth = exchange.get("auth", "app" if "n" not in exchange else "")
    note = exchange.get("note", "")
    basic = auth == "basic" and "plain http" not in note
    sandbox.url = SECURE if basic or "https" in note or "query string auth" in note else HOME
    params = [(name, value.replace("<CK>", key).replace("<CS>", secret)) for name, value in params]
    if auth == "basic":
        pair = f"{sign.get('key', key)}:{sign.get('secret', secret)}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    elif auth == "app":
        pair = f"admin:{APP_PASSWORD}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    elif auth.startswith("oauth"):
        at = sign.get("at", int(clock.now))
        _sign(exchange, params, headers, body, sandbox, (key, secret), nonce, at, auth)
    return Request(
        method=exchange["method"], path=exchange["path"], params=tuple(params), headers=headers,
        body=body,
    )  # fmt: skip


def _grown(value: Any) -> Any:
    """Return a body with its long texts as long as they were: "nnn...<9000 chars in all>"."""
    if isinstance(value, dict):
        return {name: _grown(one) for name, one in value.items()}
    found = (
        re.fullmatch(r"(<p>)?(.).*\.\.\.<(\d+) chars in all>", value)
        if isinstance(value, str)
        else None
    )
    if found is None:
        return value
    start, letter, length = found.groups(default="")
    end = start.replace("<", "</")
    return start + letter * (int(length) - len(start + end)) + end


def _sign(
    exchange: dict[str, Any], params: list[tuple[str, str]], headers: dict[str, str], body: Any,
    sandbox: Sandbox, pair: tuple[str, str], nonce: str, at: int, auth: str,
) -> None:  # fmt: skip
    """Add OAuth parameters, by an implementation of its own."""
    sign = exchange.get("sign", {})
    given = {
        "oauth_consumer_key": sign.get("key", pair[0]),
        "oauth_nonce": sign.get("nonce", nonce),
        "oauth_signature_method": sign.get("method", "HMAC-SHA256"),
        "oauth_timestamp": str(at),
    }
    given = {name: value for name, value in given.items() if value}
    signed = [*params, *given.items()]
    if "x-www-form-urlencoded" in headers.get("content-type", "") and sign.get("form", True):
        name, _, value = body.decode().partition("=")
        signed.append((name, value.replace("%20", " ")))
    numbered: dict[str, int] = {}
    keys = []
    for name, value in signed:
        top, bracket, rest = name.partition("[")
        if bracket and rest == "]":
            rest = f"{numbered.setdefault(name, 0)}]"
            numbered[name] += 1
        nested = (
            "".join(f"%5B{part}%5D" for part in rest.rstrip("]").split("][")) if bracket else ""
        )
        keys.append((top, f"{_enc(top)}{nested}={_enc(value)}"))
    keys.sort(key=lambda one: one[0])
    text = "&".join((
        exchange["method"], _enc(sign.get("home", sandbox.url) + exchange["path"]),
        "%26".join(_enc(pair_) for _, pair_ in keys),
    ))  # fmt: skip
    kind = hashlib.sha1 if sign.get("method") == "HMAC-SHA1" else hashlib.sha256
    secret = sign.get("secret", pair[1])
    made = base64.b64encode(hmac.new(f"{secret}&".encode(), text.encode(), kind).digest()).decode()
    given["oauth_signature"] = made
    if auth == "oauth header":
        pairs = ", ".join(f'{name}="{_enc(value)}"' for name, value in given.items())
        headers["authorization"] = f"OAuth {pairs}"
    else:
        params += given.items()


def _enc(text: str) -> str:
    return quote(text, safe="~")


@cache
def png(width: int, height: int) -> bytes:
    """Return a file that begins as a picture of that size does."""
    size = struct.pack(">II", width, height)
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + size + b"\x08\x02\x00\x00\x00" + bytes(5180)


@cache
def _before() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "before.json").read_text("utf-8"))
    return found


# -------------------------------------------------------------------------------------- compare


def compared(said: dict[str, Any], got: Response, topic: str = "") -> list[str]:
    """Return where an answer differs from the recorded one, at most five places."""
    found: list[str] = []
    if got.status != said["status"]:
        found.append(f"status {got.status}, recorded {said['status']}: {got.body[:160]!r}")
    elif "body" in said:
        text = got.body.decode("utf-8-sig").strip()
        try:
            body = json.loads(text) if text else None
        except ValueError:
            body = text
        found += _unlike(said["body"], body, "")
    elif said.get("text") is not None:
        found += _unlike_text(said["text"], got.body.decode())
    elif said.get("begins"):
        found += _unlike_start(said["begins"], json.loads(got.body))
    return found[:5]


def _unlike_text(wanted: str, got: str) -> list[str]:
    def page(text: str) -> str:
        text = re.sub(r"(?s)<style.*?</style>|<meta.*?>|/var/www/html/", "", text)
        return re.sub(r"\s+", " ", text)

    return [] if page(wanted)[:600] == page(got)[:600] or wanted == got else [f"text {got[:160]!r}"]


def _unlike_start(wanted: str, got: Any) -> list[str]:
    """Compare with the start of an answer of which the rest wasn't kept."""
    text = json.dumps(got, ensure_ascii=False)
    wanted = re.split(r"\.\.\.<\d+ chars", wanted)[0][:1200]
    times = re.compile(r"T\d\d:\d\d:\d\d")
    plain = [times.sub("", one) for one in (wanted, text[: len(wanted)])]
    return [] if plain[0] == plain[1] else [f"begins {text[:160]!r}"]


def _unlike(wanted: Any, got: Any, path: str) -> Iterator[str] | list[str]:
    if isinstance(wanted, dict) and isinstance(got, dict):
        return _unlike_dicts(wanted, got, path)
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        found: list[str] = []
        for place, (one, other) in enumerate(zip(wanted, got, strict=True)):
            found += _unlike(one, other, f"{path}[{place}]")
        return found
    if type(wanted) is type(got) and (wanted == got or _same_time(wanted, got)):
        return []
    return [f"{path or 'body'}: {got!r:.160}, recorded {wanted!r:.160}"]


def _unlike_dicts(wanted: dict[str, Any], got: dict[str, Any], path: str) -> list[str]:
    found: list[str] = []
    if got.get("code") == "internal_server_error":
        # The file and line where PHP stopped are its own business.
        got = {**got, "data": {"status": got["data"]["status"]}}
    for name in wanted.keys() | got.keys():
        if name in LOOSE:
            continue
        if name not in got or name not in wanted:
            missing = "missing" if name not in got else "too much"
            found.append(f"{path}.{name}: {missing}")
        else:
            found += _unlike(wanted[name], got[name], f"{path}.{name}")
    return found


def _same_time(wanted: Any, got: Any) -> bool:
    """Return whether two times are as near as two clocks: within five seconds."""
    if not (isinstance(wanted, str) and _TIME.fullmatch(wanted) and _TIME.fullmatch(got)):
        return False
    times = [datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (wanted, got)]
    return abs((times[0] - times[1]).total_seconds()) <= 5
