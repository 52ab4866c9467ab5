"""HTTP: the only module that imports the HTTP library.

What it holds to: redirects are never followed; the environment is not trusted; credentials go to
the store's own origin only; foreign requests go to public addresses, checked at the moment of
connecting; every exchange has a deadline; answers have caps. Errors say exactly whether a byte
of the request may have left.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

import httpcore2
import httpx2

from storebridge.engine.address import Origin, foreign_origin, store_url
from storebridge.engine.base import EngineOptions
from storebridge.engine.body import Body
from storebridge.engine.sockets import AsyncBackend, Backend, deadline
from storebridge.errors import ConfigError, OutcomeUnknown, StorebridgeError, TransportError
from storebridge.flow import Multipart, Request, Response
from storebridge.wire import excerpt

__all__ = ["HttpTransport"]

_CONNECT_SECONDS = 10.0
_CHUNK = 64 * 1024
_HEADERS = {"accept-encoding": "gzip", "accept": "*/*", "user-agent": "storebridge"}
_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


class HttpTransport:
    """Carries requests of one store over HTTP/1.1, from threads or from tasks of one loop."""

    def __init__(
        self, base_url: str, options: EngineOptions | None = None, *, signed: bool = False
    ) -> None:
        """Connect nothing yet.

        Args:
            base_url: where the store's requests go: https, or http on this machine.
            options: caps, proxy and certificate authorities.
            signed: the requests carry no secret, and so may go over http anywhere.

        Raises:
            ConfigError: if the URL can't be used.
        """
        self._options = options or EngineOptions()
        self._store = Origin.of_store(base_url, signed=signed)
        proxy = self._options.proxy or os.environ.get("STOREBRIDGE_PROXY")
        self._proxy = None if self._store.is_loopback else proxy
        self._lock = threading.Lock()
        self._pools: dict[bool, _Pool] = {}
        self._async_pools: dict[bool, _AsyncPool] = {}
        _quiet()

    def send(self, request: Request) -> Response:
        """Exchange a request for its answer, in a thread."""
        exchange = self._exchange(request)
        with ExitStack() as stack, deadline(exchange.seconds):
            try:
                pool = self._pool(exchange.public)
                answer = pool.handle_request(exchange.message(stack, exchange.trace))
                stack.callback(answer.close)
                body = stack.enter_context(exchange.body(answer))
                for chunk in answer.iter_raw():
                    body.feed(chunk)
            except httpx2.HTTPError as error:
                raise exchange.failed(error) from None
            return exchange.response(answer, body)

    async def asend(self, request: Request) -> Response:
        """Exchange a request for its answer, in a task."""
        exchange = self._exchange(request)
        with ExitStack() as stack:
            try:
                async with asyncio.timeout(exchange.seconds):
                    pool = self._async_pool(exchange.public)
                    answer = await pool.handle_async_request(
                        exchange.message(stack, exchange.atrace)
                    )
                    try:
                        body = stack.enter_context(exchange.body(answer))
                        async for chunk in answer.aiter_raw():
                            body.feed(chunk)
                    finally:
                        await answer.aclose()
            except (httpx2.HTTPError, TimeoutError) as error:
                raise exchange.failed(error) from None
            return exchange.response(answer, body)

    def close(self) -> None:
        """Close the connections of `send`."""
        for pool in self._pools.values():
            pool.close()

    async def aclose(self) -> None:
        """Close the connections of `asend`."""
        for pool in self._async_pools.values():
            await pool.aclose()

    def _exchange(self, request: Request) -> _Exchange:
        if not request.foreign:
            url = store_url(self._store, request)
            return _Exchange(request, url, self._store, False, self._options, self._proxy)
        origin = foreign_origin(request, self._store)
        public = origin.same != self._store.same
        return _Exchange(request, request.path, origin, public, self._options, self._proxy)

    def _pool(self, public: bool) -> _Pool:
        with self._lock:
            if public not in self._pools:
                backend = Backend(public_only=public and not self._proxy)
                pool = httpcore2.ConnectionPool(network_backend=backend, **self._settings(public))
                self._pools[public] = _Pool(pool)
            return self._pools[public]

    def _async_pool(self, public: bool) -> _AsyncPool:
        if public not in self._async_pools:
            backend = AsyncBackend(public_only=public and not self._proxy)
            pool = httpcore2.AsyncConnectionPool(network_backend=backend, **self._settings(public))
            self._async_pools[public] = _AsyncPool(pool)
        return self._async_pools[public]

    def _settings(self, public: bool) -> _PoolSettings:
        secure = public or self._store.scheme == "https"
        tls = _tls(self._options) if secure else None  # reading the authorities takes a while
        return {
            "ssl_context": tls,
            "proxy": _proxy(self._proxy, tls) if self._proxy else None,
            "max_connections": 50,
            "max_keepalive_connections": 20,
            "keepalive_expiry": 5.0,
        }


class _PoolSettings(TypedDict):
    ssl_context: ssl.SSLContext | None
    proxy: httpcore2.Proxy | None
    max_connections: int
    max_keepalive_connections: int
    keepalive_expiry: float


class _Pool(httpx2.HTTPTransport):
    """The library's transport over a pool with our own sockets, which it has no option for."""

    def __init__(self, pool: httpcore2.ConnectionPool) -> None:
        self._pool = pool


class _AsyncPool(httpx2.AsyncHTTPTransport):
    def __init__(self, pool: httpcore2.AsyncConnectionPool) -> None:
        self._pool = pool


class _Exchange:
    """One request and its answer: what is the same in threads and in tasks."""

    def __init__(
        self,
        request: Request,
        url: str,
        origin: Origin,
        public: bool,
        options: EngineOptions,
        proxy: str | None,
    ) -> None:
        self._request, self._url, self._origin, self._options = request, url, origin, options
        self.public = public
        self.seconds = request.timeout or options.timeout
        self._proxied = proxy is not None
        self._sent = False

    def message(self, stack: ExitStack, trace: Any) -> httpx2.Request:
        """Return the request for the library; files that it reads are closed by the stack."""
        headers = httpx2.Headers({**_HEADERS, **_checked(self._request.headers)})
        waits = {
            "connect": min(_CONNECT_SECONDS, self.seconds),
            "read": self.seconds,
            "write": self.seconds,
            "pool": self.seconds,
        }
        return httpx2.Request(
            self._request.method,
            _parsed(self._url),
            headers=headers,
            extensions={"timeout": waits, "trace": trace},
            **_content(self._request, self._url, headers, stack),
        )

    def trace(self, name: str, info: dict[str, Any]) -> None:
        """Note when the request begins to leave; a proxy's CONNECT is not yet the request."""
        if name.endswith(".send_request_headers.started"):
            self._sent = self._sent or info["request"].method != b"CONNECT"

    async def atrace(self, name: str, info: dict[str, Any]) -> None:
        """Do the same in a task."""
        self.trace(name, info)

    def body(self, answer: httpx2.Response) -> Body:
        """Return what takes the answer's body."""
        to_file = self._request.save_to
        cap = self._options.max_file if to_file else self._options.max_body
        return Body(_headers(answer), cap, to_file)

    def response(self, answer: httpx2.Response, body: Body) -> Response:
        """Return the whole answer."""
        content, path = body.finish()
        return Response(
            status=answer.status_code, headers=_headers(answer), body=content, path=path
        )

    def failed(self, error: Exception) -> StorebridgeError:
        """Return the error that a broken exchange means."""
        reason = excerpt(str(error).encode()) or type(error).__name__
        if isinstance(error, (httpx2.TimeoutException, TimeoutError)):
            reason = f"no answer in {self.seconds:.0f} s" if self._sent else "it took too long"
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            return ConfigError(
                f"the certificate of {self._origin} is not trusted ({reason}). If it is signed "
                "by an authority of your own, name its file in STOREBRIDGE_CA_BUNDLE"
            )
        if self._sent:
            return OutcomeUnknown(f"{self._origin} got the request and no answer came: {reason}")
        return TransportError(f"{self._origin} could not be reached: {reason}{self._hint()}")

    def _hint(self) -> str:
        found = [name for name in _PROXY_VARIABLES if os.environ.get(name)]
        if self._proxied or not found or self._origin.is_loopback:
            return ""
        return f" ({found[0]} is set but not used: set STOREBRIDGE_PROXY to go through a proxy)"


class _Upload(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A file as a request body, read as it is sent."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk


@lru_cache(maxsize=64)
def _parsed(url: str) -> httpx2.URL:
    """Return a URL for the library; batches go to one and the same, and parsing takes its time."""
    return httpx2.URL(url)


def _content(
    request: Request, url: str, headers: httpx2.Headers, stack: ExitStack
) -> dict[str, Any]:
    """Return the library's words for a request's body."""
    match request.body:
        case None:
            return {}
        case bytes():
            return {"content": request.body}
        case Path():
            # The library adds these two for bodies of its own only.
            headers["host"] = httpx2.URL(url).netloc.decode("ascii")
            headers["content-length"] = str(request.body.stat().st_size)
            return {"stream": _Upload(request.body)}
        case Multipart(fields, files):
            parts: list[tuple[str, Any]] = [(name, (None, value)) for name, value in fields]
            for part in files:
                content = part.content
                file = (
                    stack.enter_context(content.open("rb"))
                    if isinstance(content, Path)
                    else content
                )
                parts.append((part.name, (part.filename, file, part.media_type)))
            return {"files": parts}


def _checked(headers: Any) -> dict[str, str]:
    """Return header values that can be sent; one with a line break could end the header."""
    for name, value in headers.items():
        if not value.isascii() or not value.isprintable():
            raise ConfigError(
                f"the value of the {name} header has characters that can't be sent; "
                "check the credentials for line breaks"
            )
    return {name.lower(): value for name, value in headers.items()}


def _headers(answer: httpx2.Response) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in answer.headers.multi_items():
        found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
    return found


def _tls(options: EngineOptions) -> ssl.SSLContext:
    bundle = options.ca_bundle or os.environ.get("STOREBRIDGE_CA_BUNDLE")
    if not bundle:
        return httpx2.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=bundle)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"the certificate file {bundle} can't be read ({error})") from None


def _proxy(url: str, tls: ssl.SSLContext | None) -> httpcore2.Proxy:
    try:
        proxy = httpx2.Proxy(url)
    except (ValueError, httpx2.InvalidURL):
        raise ConfigError("STOREBRIDGE_PROXY is no URL like http://proxy.example:3128") from None
    address = httpcore2.URL(
        scheme=proxy.url.raw_scheme, host=proxy.url.raw_host, port=proxy.url.port, target=b"/"
    )
    secure = tls if proxy.url.scheme == "https" else None
    return httpcore2.Proxy(address, auth=proxy.raw_auth, ssl_context=secure)


def _quiet() -> None:
    """Keep the library's debug log off, which shows headers, unless somebody set its level."""
    library = logging.getLogger("httpcore2")
    if library.level == logging.NOTSET:
        library.setLevel(logging.WARNING)
