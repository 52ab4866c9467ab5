"""Lets an app into a store with a browser, whose answer comes back to this machine."""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from storebridge.adapter import Grant
from storebridge.cli.output import is_terminal, say
from storebridge.errors import AuthError, ConfigError, NotSupported
from storebridge.store import Store

__all__ = ["PORT", "let_in"]

#: The port that the browser comes back to, unless another one is given.
PORT = 8917
#: Seconds that a person has.
_PATIENCE = 300.0
_PATH = "/callback"
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'",
    "Connection": "close",
}


def let_in(store: Store, port: int = PORT) -> None:
    """Have a person let the app in with a browser, and keep the tokens that this brings.

    Raises:
        AuthError: if the person says no, or nothing for five minutes.
        ConfigError: if the port is taken.
        NotSupported: if the store lets no app in that way.
    """
    grant = store.adapter.grant
    if grant is None:
        raise NotSupported(f"{store.name} lets no app in by a browser", "give it a token or a key")
    state = secrets.token_urlsafe(32)
    with _listening(grant, state, port) as callback:
        url = grant.url(callback.address, state)
        say(f"Let the app into {store.name} with a browser, at")
        say(url)
        say(f"It comes back to {callback.address}")
        say("which must be one of the app's redirect URLs; for another port, give --port.")
        if is_terminal(sys.stdout) and _has_screen():
            import webbrowser

            webbrowser.open(url)
        code = callback.wait(_PATIENCE)
    store.accept(code)
    say(f"The app is in; its tokens are kept for {store.name}, and renewed from now on.")


def _has_screen() -> bool:
    """Return whether a browser would open a window, and not in the terminal."""
    desktop = sys.platform in ("win32", "darwin")
    return desktop or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextmanager
def _listening(grant: Grant, state: str, port: int) -> Iterator[_Callback]:
    try:
        server = _Callback(grant, state, port)
    except OSError as error:
        raise ConfigError(
            f"Port {port} of this machine can't be listened on ({error.strerror}). "
            "Give another one with --port; it must be in one of the app's redirect URLs."
        ) from None
    with server:
        yield server


class _Callback(ThreadingHTTPServer):
    """Waits on the loopback interface for the one callback that is genuine."""

    daemon_threads = True
    # On Windows it would let another program take the port over.
    allow_reuse_address = os.name == "posix"

    def __init__(self, grant: Grant, state: str, port: int) -> None:
        self._grant, self._state = grant, state
        self._lock, self._done = threading.Lock(), threading.Event()
        self._code, self._doubt = "", ""
        self._refused: AuthError | None = None
        super().__init__(("127.0.0.1", port), _Exchange)
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.address = f"http://{self.host}{_PATH}"

    def wait(self, seconds: float) -> str:
        """Return the code of the callback.

        Raises:
            AuthError: if it says no, or nothing comes.
        """
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        try:
            answered = self._done.wait(seconds)
        finally:
            self.shutdown()
        if self._refused is not None:
            raise self._refused
        if not answered:
            doubt = f" What came was not taken: {self._doubt}" if self._doubt else ""
            raise AuthError(
                f"Nobody let the app in within {seconds:.0f} seconds.{doubt}",
                remedy=f"Begin again; {self.address} must be one of the app's redirect URLs.",
            )
        return self._code

    def take(self, query: str) -> tuple[int, str]:
        """Take the callback with this query, or leave it; return a status and what to tell."""
        with self._lock:
            if self._code or self._refused:
                return 400, "storebridge has its answer already."
            try:
                self._code = self._grant.code(query, self._state, time.time())
            except AuthError as error:
                if error.code != "access_denied":
                    self._doubt = error.message
                    return 400, "This callback is not the one that storebridge waits for."
                self._refused = error
                return 200, "The app was not let in. You can close this page."
            return 200, "Thank you: storebridge has its answer. You can close this page."

    def finish(self) -> None:
        """Stop waiting, if the answer is there."""
        if self._code or self._refused:
            self._done.set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a connection that broke is nobody's answer."""


class _Exchange(BaseHTTPRequestHandler):
    server: _Callback
    timeout = 10.0

    def do_GET(self) -> None:
        """Answer the browser with a small page."""
        path, _, query = self.path.partition("?")
        if path != _PATH or self.headers.get("host") != self.server.host:
            self._say(404, "There is nothing here.")
            return
        try:
            self._say(*self.server.take(query))
        finally:
            self.server.finish()

    def _say(self, status: int, text: str) -> None:
        page = f"<!doctype html><title>storebridge</title><p>{text}</p>".encode()
        self.send_response_only(status)
        for name, value in {**_HEADERS, "Content-Length": str(len(page))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: the query holds a code."""
