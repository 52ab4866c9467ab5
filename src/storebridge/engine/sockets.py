"""The sockets under the HTTP library: a deadline on every read, and public addresses only."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore2

from storebridge.engine.address import is_public
from storebridge.errors import Refused

__all__ = ["AsyncBackend", "Backend", "deadline"]

_thread = threading.local()


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let no socket work of this thread outlast so many seconds in all."""
    _thread.end = time.monotonic() + seconds
    try:
        yield
    finally:
        del _thread.end


def _left(timeout: float | None, error: type[Exception]) -> float | None:
    end: float | None = getattr(_thread, "end", None)
    if end is None:
        return timeout
    left = end - time.monotonic()
    if left <= 0:
        raise error("the time for the whole exchange is over")
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore2.NetworkStream):
    """A socket whose reads and writes end with the thread's deadline."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        left = _left(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class Backend(httpcore2.NetworkBackend):
    """Connects sockets for threads."""

    def __init__(self, *, public_only: bool) -> None:
        """Connect anywhere, or only to names all of whose addresses are public."""
        self._public_only, self._inner = public_only, httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Return a connection; where addresses are checked, to exactly the checked one."""
        if self._public_only:
            try:
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except OSError as error:
                raise httpcore2.ConnectError(str(error)) from None
            host = _checked(host, found)
        left = _left(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._inner.connect_tcp(host, port, left, local_address, socket_options))


class AsyncBackend(httpcore2.AsyncNetworkBackend):
    """Connects sockets for tasks; their deadline is a timeout around the exchange."""

    def __init__(self, *, public_only: bool) -> None:
        """Connect anywhere, or only to names all of whose addresses are public."""
        self._public_only, self._inner = public_only, httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Return a connection; where addresses are checked, to exactly the checked one."""
        if self._public_only:
            import asyncio

            loop = asyncio.get_running_loop()
            try:
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except OSError as error:
                raise httpcore2.ConnectError(str(error)) from None
            host = _checked(host, found)
        return await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Wait, for the library's own retries (which are off)."""
        await self._inner.sleep(seconds)


def _checked(host: str, found: Iterable[tuple[Any, ...]]) -> str:
    """Return the address to connect to, if all that a name stands for are public."""
    addresses = [str(info[4][0]).partition("%")[0] for info in found]
    if not addresses or not all(is_public(ipaddress.ip_address(a)) for a in addresses):
        raise Refused(
            f"the store gave a URL on {host}, which is not on the public internet; "
            "it was not fetched"
        )
    return addresses[0]
