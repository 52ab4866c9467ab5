"""HTTP over real sockets: cut connections, bombs, redirects, pinned hosts, TLS, proxies."""

from __future__ import annotations

import asyncio
import gzip
import io
import itertools
import logging
import socket
import ssl
import struct
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from storebridge import errors
from storebridge.engine import EngineOptions, HttpTransport
from storebridge.engine.sockets import AsyncBackend, Backend
from storebridge.flow import FilePart, Multipart, Request, Response
from tests.certificates import Authority

Act = Callable[[socket.socket], None]


class Server:
    """A raw server on this machine: reads each request whole, then does as the test says."""

    def __init__(self, act: Act, context: ssl.SSLContext | None = None) -> None:
        self.act, self.context, self.seen = act, context, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.threads: list[threading.Thread] = []
        self.start(self.accept)

    def start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args)
        thread.start()
        self.threads.append(thread)

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.socket.accept()
                self.start(self.serve, client)

    def serve(self, client: socket.socket) -> None:
        with suppress(OSError, ValueError), client:
            client.settimeout(5)
            if self.context is not None:
                client = self.context.wrap_socket(client, server_side=True)
            with client:
                self.seen.append(read(client))
                self.act(client)

    def close(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for thread in self.threads:
            thread.join(10)


def read(client: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += receive(client)
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            while len(body) < int(line.partition(b":")[2]):
                body += receive(client)
    return head + b"\r\n\r\n" + body


def receive(client: socket.socket) -> bytes:
    if not (data := client.recv(65536)):
        raise ValueError("closed")
    return data


def says(*parts: bytes, pause: float = 0.0) -> Act:
    def act(client: socket.socket) -> None:
        for part in parts:
            client.sendall(part)
            time.sleep(pause)

    return act


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.fixture
def serve():
    servers: list[Server] = []

    def start(act: Act, context: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(act, context))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(params=["threads", "tasks"])
def send(request: pytest.FixtureRequest):
    """Send one request through a new transport, from a thread or a task."""

    def in_thread(url: str, request: Request, options: EngineOptions | None = None) -> Response:
        transport = HttpTransport(url, options)
        try:
            return transport.send(request)
        finally:
            transport.close()

    def in_task(url: str, request: Request, options: EngineOptions | None = None) -> Response:
        async def run() -> Response:
            transport = HttpTransport(url, options)
            try:
                return await transport.asend(request)
            finally:
                await transport.aclose()

        return asyncio.run(run())

    return in_thread if request.param == "threads" else in_task


def get(path: str = "/x", **more: Any) -> Request:
    return Request(method="GET", path=path, **{"timeout": 5.0, **more})


# ----------------------------------------------------------------------------------- what is sent


def test_a_request_arrives_as_it_was_meant(serve, send):
    server = serve(says(http(b"hi", "X-A: 1", "x-a: 2", "X-Request-ID: r7")))
    params = (("q", "a b/&="), ("searchCriteria[pageSize]", "1"), ("e", ""))
    request = Request(method="POST", path="/a%2Fb", params=params, body=b"b", timeout=5.0)
    response = send(f"{server.url}/wp-json/v3/", request)
    assert (response.status, response.body) == (200, b"hi")
    assert response.headers["x-a"] == "1, 2"
    head, _, body = server.seen[0].partition(b"\r\n\r\n")
    first = "POST /wp-json/v3/a%2Fb?q=a%20b%2F%26%3D&searchCriteria%5BpageSize%5D=1&e= HTTP/1.1"
    assert head.split(b"\r\n")[0].decode() == first
    assert body == b"b"
    assert b"accept-encoding: gzip\r\n" in head.lower()


def test_files_and_forms_are_streamed(serve, send, tmp_path):
    server = serve(says(http(b"")))
    big = tmp_path / "big.jsonl"
    big.write_bytes(b"0123456789" * 50_000)
    send(server.url, Request(method="PUT", path="/f", body=big, timeout=5.0))
    assert server.seen[0].endswith(b"\r\n\r\n" + big.read_bytes())
    assert f"host: 127.0.0.1:{server.port}".encode() in server.seen[0].lower()
    form = Multipart(
        (("key", "täg"), ("acl", "private")),
        (FilePart("file", "big.jsonl", big, "text/jsonl"), FilePart("b", "b.txt", b"bytes")),
    )
    send(server.url, Request(method="POST", path="/m", body=form, timeout=5.0))
    sent = server.seen[1]
    assert sent.index(b'name="key"') < sent.index(b'name="acl"') < sent.index(b'name="file"')
    for part in ("täg".encode(), b'filename="big.jsonl"', b"Content-Type: text/jsonl", b"bytes"):
        assert part in sent
    assert big.read_bytes() in sent


@pytest.mark.parametrize(
    "path",
    [
        "x",
        "",
        "//evil.example/x",
        "https://evil.example/x",
        "/a/../../admin",
        "/a/%2e%2e/admin",
        "/a/%2E./admin",
        "/./a",
        "/a?b=1",
        "/a#b",
        "/a b",
        "/a\r\nX-Evil: 1",
        "/a\\..\\b",
        "/ü",
        "@evil.example/x",
        ".evil.example/x",
        ":80@evil.example/",
        "/a/..%5cadmin",
    ],
)
def test_no_path_leaves_the_store(serve, send, path):
    server = serve(says(http(b"")))
    with pytest.raises(errors.StorebridgeError, match="no path under the store's URL"):
        send(server.url, get(path))
    assert server.seen == []


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "tok\n", "ü", "a\x00b"])
def test_a_header_can_t_be_broken_out_of(serve, send, value):
    server = serve(says(http(b"")))
    with pytest.raises(errors.ConfigError, match="x-token header") as caught:
        send(server.url, get(headers={"x-token": value}))
    assert value not in str(caught.value)
    assert server.seen == []


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example",
        "http://192.168.1.5",
        "ftp://shop.example",
        "shop.example",
        "",
        "https://",
        "https://user:pw@shop.example",
        "https://shop.example\n",
        "https://127.1/",
        "https://0x7f000001",
        "https://shop.exa mple",
        "https://shop_..example",
        "javascript:alert(1)",
        "http://localhost.evil.example",
    ],
)
def test_credentials_go_to_plain_https_urls_only(url):
    with pytest.raises(errors.ConfigError) as caught:
        HttpTransport(url)
    assert "pw@" not in str(caught.value)


# ------------------------------------------------------------------------------ broken connections


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CUTS: dict[str, Act] = {
    "closed without an answer": says(),
    "reset without an answer": reset,
    "cut in the status line": says(b"HTTP/1.1 20"),
    "cut in the headers": says(b"HTTP/1.1 200 OK\r\ncontent-le"),
    "cut before the body": says(http(b"x" * 100)[:-100]),
    "cut in the body": says(http(b"x" * 100)[:-1]),
    "cut in a chunk": says(CHUNKED + b"64\r\nxxx"),
    "cut between chunks": says(CHUNKED + b"1\r\nx\r\n"),
    "no HTTP": says(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "two lengths": says(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx"),
    "a negative length": says(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nxx"),
    "100,000 headers": says(
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(100_000)) + b"\r\n"
    ),
    "truncated gzip": says(http(gzip.compress(b"x" * 10_000)[:-9], "content-encoding: gzip")),
    "gzip without its trailer": says(
        http(gzip.compress(b"x" * 10_000)[:-8], "content-encoding: gzip")
    ),
    "no answer in time": lambda client: time.sleep(0.6),
    "headers a byte at a time": says(*[b"x"] * 200, pause=0.05),
    "a body a byte at a time": says(http(b"x" * 1000)[:-1000], *[b"x"] * 200, pause=0.05),
}


@pytest.mark.parametrize("name", CUTS)
def test_a_connection_that_breaks_after_sending_leaves_the_outcome_unknown(serve, send, name):
    server = serve(CUTS[name])
    started = time.monotonic()
    with pytest.raises(errors.OutcomeUnknown):
        send(server.url, get(timeout=0.4))
    assert time.monotonic() - started < 1.5
    assert len(server.seen) == 1


def test_a_connection_that_never_was_sent_nothing(send):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(errors.TransportError, match="could not be reached"):
        send(f"http://127.0.0.1:{port}", get())


def test_an_old_connection_is_used_again(serve):
    def act(client: socket.socket) -> None:
        for _ in range(3):
            client.sendall(http(b"ok"))
            server.seen.append(read(client))

    server = serve(act)
    transport = HttpTransport(server.url)
    for _ in range(3):
        assert transport.send(get()).body == b"ok"
    transport.close()
    assert len(server.seen) >= 3
    assert len(server.threads) == 2


# ------------------------------------------------------------------------------------------ bombs


def bomb(size: int) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as file:
        for _ in range(size // 1_000_000):
            file.write(bytes(1_000_000))
    return buffer.getvalue()


def endless(client: socket.socket) -> None:
    client.sendall(CHUNKED)
    while True:
        client.sendall(b"100000\r\n" + bytes(0x100000) + b"\r\n")


BOMB = bomb(100_000_000)
BOMBS: dict[str, Act] = {
    "gzip": says(http(BOMB, "content-encoding: gzip")),
    "gzip twice": says(http(gzip.compress(BOMB), "content-encoding: gzip, gzip")),
    "gzip in two headers": says(http(b"", "content-encoding: gzip", "content-encoding: gzip")),
    "many gzip members": says(http(gzip.compress(bytes(1000)) * 6_000, "content-encoding: gzip")),
    "a name in odd case": says(http(BOMB, "Content-Encoding: GZip")),
    "br": says(http(b"xx", "content-encoding: br")),
    "zstd": says(http(b"xx", "content-encoding: zstd")),
    "deflate": says(http(zlib.compress(b"x"), "content-encoding: deflate")),
    "identity, gzip": says(http(b"xx", "content-encoding: identity, gzip")),
    "no gzip at all": says(http(b"hello", "content-encoding: gzip")),
    "rubbish after gzip": says(http(gzip.compress(b"x") + b"rubbish", "content-encoding: gzip")),
    "a length that is announced": says(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nx"),
    "endless chunks": endless,
    "more gzip than content": lambda client: client.sendall(
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-encoding: gzip\r\n\r\n"
        + gzip.compress(bytes(4_999_800), 0)
    ),
    "much gzip of nothing": lambda client: client.sendall(
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-encoding: gzip\r\n\r\n"
        + gzip.compress(b"") * 300_000
    ),
}


@pytest.mark.parametrize("to_file", [False, True])
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_a_bad_answer_and_costs_little_memory(serve, send, tmp_path, name, to_file):
    server = serve(BOMBS[name])
    options = EngineOptions(max_body=5_000_000, max_file=5_000_000)
    target = tmp_path / "answer"
    tracemalloc.start()
    try:
        with pytest.raises(errors.BadAnswer):
            send(server.url, get(save_to=str(target) if to_file else ""), options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40_000_000
    assert list(tmp_path.iterdir()) == []


def test_few_bytes_in_many_layers_are_not_unpacked(serve, send):
    data = gzip.compress(gzip.compress(BOMB, 9), 9)
    assert len(data) < 1500
    server = serve(says(http(data, "content-encoding: gzip, gzip, gzip")))
    with pytest.raises(errors.BadAnswer, match="not asked for"):
        send(server.url, get())


def test_gzip_is_decoded_once_also_in_several_members(serve, send):
    data = gzip.compress(b"one ") + gzip.compress(b"two")
    server = serve(says(*[bytes([b]) for b in http(data, "content-encoding: gzip")]))
    assert send(server.url, get()).body == b"one two"


def test_an_answer_is_streamed_to_its_file_when_it_is_whole(serve, send, tmp_path):
    lines = b"".join(b'{"n": %d}\n' % n for n in range(20_000))
    server = serve(says(http(gzip.compress(lines), "content-encoding: gzip")))
    response = send(server.url, get(save_to=str(tmp_path / "bulk.jsonl")))
    assert (response.path, response.body) == (tmp_path / "bulk.jsonl", b"")
    assert response.path.read_bytes() == lines
    cut = serve(says(http(lines)[:-10]))
    with pytest.raises(errors.OutcomeUnknown):
        send(cut.url, get(save_to=str(tmp_path / "cut.jsonl")))
    assert [path.name for path in tmp_path.iterdir()] == ["bulk.jsonl"]


# ------------------------------------------------------------------------- redirects, other hosts


@pytest.mark.parametrize(
    ("status", "method"),
    list(itertools.product((301, 302, 303, 307, 308), ("GET", "POST", "PUT", "PATCH", "DELETE"))),
)
def test_redirects_are_never_followed(serve, send, status, method):
    evil = serve(says(http(b"{}")))
    answer = http(b"", f"location: {evil.url}/x", status=f"{status} Moved")
    server = serve(says(answer))
    request = Request(method=method, path="/x", headers={"x-token": "secret"}, timeout=5.0)
    response = send(server.url, request)
    assert response.status == status
    assert evil.seen == []
    assert len(server.seen) == 1
    assert server.seen[0].startswith(method.encode())


def test_a_foreign_url_of_the_store_itself_is_fetched(serve, send):
    server = serve(says(http(b"lines")))
    url = f"{server.url}/bulk.jsonl?signature=abc"
    assert send(f"{server.url}/admin", get(url, foreign=True)).body == b"lines"
    assert server.seen[0].startswith(b"GET /bulk.jsonl?signature=abc HTTP/1.1")


def test_a_foreign_url_of_another_port_here_is_not_fetched(serve, send):
    server, other = serve(says(http(b""))), serve(says(http(b"intranet")))
    for host in ("127.0.0.1", "localhost", "[::1]", "2130706433"):
        with pytest.raises(errors.Refused):
            send(server.url, get(f"http://{host}:{other.port}/x", foreign=True))
        with pytest.raises(errors.Refused):
            send(server.url, get(f"https://{host}/x", foreign=True))
    assert other.seen == []


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let every name stand for these addresses, and note where connections go."""
    connected: list[str] = []

    def getaddrinfo(host: str, port: int, *args: Any, **more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    def connect(self: Any, host: str, *args: Any, **more: Any) -> Any:
        connected.append(host)
        raise ConnectionRefusedError

    async def aconnect(self: Any, host: str, *args: Any, **more: Any) -> Any:
        connect(self, host)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr("httpcore2.SyncBackend.connect_tcp", connect)
    monkeypatch.setattr("httpcore2.AnyIOBackend.connect_tcp", aconnect)
    return connected


def connect(backend: Backend | AsyncBackend) -> None:
    found = backend.connect_tcp("cdn.example", 443)
    if isinstance(backend, AsyncBackend):
        asyncio.run(found)


@pytest.mark.parametrize("kind", [Backend, AsyncBackend])
def test_a_name_that_resolves_to_a_private_address_is_not_connected(monkeypatch, kind):
    connected = resolve_to(monkeypatch, "93.184.216.34", "10.0.0.7")
    with pytest.raises(errors.Refused, match=r"cdn\.example, which is not on the public internet"):
        connect(kind(public_only=True))
    assert connected == []


@pytest.mark.parametrize("kind", [Backend, AsyncBackend])
def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch, kind):
    connected = resolve_to(monkeypatch, "93.184.216.34", "93.184.216.35")
    with pytest.raises(ConnectionRefusedError):
        connect(kind(public_only=True))
    assert connected == ["93.184.216.34"]


# ------------------------------------------------------------------------------------ TLS, proxies


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signs the certificates of this module's servers."""
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize(
    ("name", "known", "trusted"),
    [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("other.example", True, False)],
)
def test_certificates_are_verified(serve, send, authority, name, known, trusted):
    server = serve(says(http(b"safe")), authority.context(name))
    options = EngineOptions(ca_bundle=authority.bundle if known else None)
    url = f"https://127.0.0.1:{server.port}"
    if trusted:
        assert send(url, get(), options).body == b"safe"
        return
    with pytest.raises(errors.ConfigError, match="STOREBRIDGE_CA_BUNDLE"):
        send(url, get(), options)
    assert server.seen == []


def test_a_ca_bundle_that_is_none_is_told(send, tmp_path):
    options = EngineOptions(ca_bundle=tmp_path / "none.pem")
    with pytest.raises(errors.ConfigError, match=r"none\.pem"):
        send("https://127.0.0.1:1", get(), options)


def test_proxies_of_the_environment_are_not_used_and_named(serve, send, monkeypatch):
    proxy, server = serve(says(http(b"proxy"))), serve(says(http(b"direct")))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    assert send(server.url, get()).body == b"direct"
    resolve_to(monkeypatch, "127.0.0.1")
    with pytest.raises(ConnectionRefusedError):
        send("https://shop.example", get())
    monkeypatch.undo()
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    with pytest.raises(errors.TransportError, match="HTTPS_PROXY is set but not used"):
        send("https://nowhere.invalid", get())
    assert proxy.seen == []


def test_a_given_proxy_is_used_and_a_refusal_there_sent_nothing(serve, send, monkeypatch):
    proxy = serve(says(http(b"", status="407 Proxy Authentication Required")))
    address = proxy.url.replace("http://", "http://user:pass@")
    with pytest.raises(errors.TransportError, match="407") as caught:
        send("https://shop.example", get(), EngineOptions(proxy=address))
    assert "pass" not in str(caught.value)
    assert proxy.seen[0].startswith(b"CONNECT shop.example:443 HTTP/1.1")
    monkeypatch.setenv("STOREBRIDGE_PROXY", "nonsense")
    with pytest.raises(errors.ConfigError, match="STOREBRIDGE_PROXY"):
        send("https://shop.example", get())


def test_no_log_shows_headers_or_queries(serve, send, caplog):
    caplog.set_level(logging.DEBUG)
    server = serve(says(http(b"{}", "x-echo: canary-1")))
    params = (("key", "canary-2"),)
    send(server.url, get(params=params, headers={"x-token": "canary-3"}))
    with pytest.raises(errors.OutcomeUnknown) as caught:
        send(serve(says()).url, get(params=params, headers={"x-token": "canary-3"}))
    assert "canary" not in caplog.text
    assert "canary" not in str(caught.value)
