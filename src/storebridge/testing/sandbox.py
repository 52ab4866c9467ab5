"""Sandboxes over HTTP: a server on this machine for a function that answers requests.

A sandbox is a function `handle(request) -> Response` over a state that it keeps. In process it
goes into a `HandlerTransport`; `SandboxServer` puts it behind a port of the loopback interface:

    with SandboxServer(handler) as server:
        ...  # server.url is "http://127.0.0.1:41873"

A sandbox module becomes a command by one line: `if __name__ == "__main__": serve(create)`.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable
from urllib.parse import parse_qsl, urlsplit

from storebridge.flow import Request, Response

__all__ = ["Handler", "SandboxServer", "answer", "header", "serve"]

#: Answers a request; what it must remember is its own.
Handler = Callable[[Request], Response]

logger = logging.getLogger("storebridge.sandbox")


@runtime_checkable
class _Located(Protocol):
    """A handler that wants to know the address it is served at: OAuth signs it, links name it."""

    url: str


def answer(status: int, value: Any = None, **headers: str) -> Response:
    """Return a response with a JSON body; None means none. `retry_after="2"` names a header."""
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    if value is None:
        return Response(status=status, headers=names)
    body = json.dumps(value, ensure_ascii=False).encode()
    return Response(status=status, headers={"content-type": "application/json", **names}, body=body)


def header(request: Request, name: str) -> str:
    """Return a header of a request, "" if it has none; case doesn't matter."""
    wanted = name.lower()
    return next((text for key, text in request.headers.items() if key.lower() == wanted), "")


class SandboxServer:
    """An HTTP server on the loopback interface for one handler; a context manager."""

    def __init__(self, handler: Handler, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Take the port, 0 for any free one; requests are answered from `start` on.

        Raises:
            ValueError: if the host isn't the loopback interface: a sandbox has no defences.
        """
        if not ip_address(host).is_loopback:
            raise ValueError(f"a sandbox is for this machine only, not for {host}")
        self._server = _Server((host, port), handler)
        self._thread: Thread | None = None
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_address[1]}"
        if isinstance(handler, _Located):
            handler.url = self.url

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Answer requests in a thread."""
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def serve_forever(self) -> None:
        """Answer requests in this thread, until it is interrupted."""
        self._server.serve_forever()

    def close(self) -> None:
        """Stop answering and give the port back."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def serve(
    create: Callable[[Path | None], Handler],
    arguments: Sequence[str] | None = None,
    *,
    settings: Callable[[], Mapping[str, str]] = dict,
) -> None:
    """Run a sandbox as a process of its own; its first line on stdout is its URL.

    Args:
        create: makes the handler over a state file; None means a state in memory.
        arguments: `--port N` and `--state FILE`; those of the command line by default.
        settings: what a client needs besides the URL; printed one a line, `key = ck_1234`.
    """
    parser = argparse.ArgumentParser(description="A sandbox on this machine.")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--state", type=Path, help="keep the state in this file")
    options = parser.parse_args(arguments)
    server = SandboxServer(create(options.state), port=options.port)
    print(server.url, flush=True)
    for name, value in settings().items():
        if name != "url":
            print(f"  {name} = {value}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: Handler) -> None:
        self.handler = handler
        super().__init__(address, _Exchange)


class _Exchange(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle_one_request(self) -> None:
        """Read a request, have it answered and send the answer."""
        self.raw_requestline = self.rfile.readline(65_537)
        if not self.raw_requestline:
            self.close_connection = True
        elif self.parse_request():
            self._send(self._respond())

    def _respond(self) -> Response:
        parts = urlsplit(self.path)
        length = self.headers.get("content-length", "0")
        if "transfer-encoding" in self.headers or not length.isdecimal():
            self.close_connection = True
            return answer(411, {"error": "send a Content-Length"})
        request = Request(
            method=self.command,
            path=parts.path,
            params=tuple(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): text for name, text in self.headers.items()},
            body=self.rfile.read(int(length)) or None,
        )
        try:
            return self.server.handler(request)
        except Exception:
            logger.exception("%s %s", request.method, request.path)
            return answer(500, {"error": "the sandbox failed; its log says why"})

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, text in response.headers.items():
            self.send_header(name, text)
        if response.status != 204:
            self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: query strings may carry secrets."""
