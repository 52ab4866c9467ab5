"""The pytest plugin: a virtual clock, canaries and a guard against the network.

It is there as soon as storebridge is installed, and does nothing until a test asks for one of its
fixtures. To guard every test of a project:

    @pytest.fixture(autouse=True)
    def _guards(no_network, canaries): ...
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator, Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from storebridge.testing.canaries import Canaries
    from storebridge.testing.clock import VirtualClock

__all__ = ["NetworkRefused", "canaries", "canary", "no_network", "virtual_clock"]


class NetworkRefused(RuntimeError):
    """A test reached for another machine."""


@pytest.fixture
def virtual_clock() -> VirtualClock:
    """A clock on which waiting takes no time."""
    from storebridge.testing.clock import VirtualClock

    return VirtualClock()


@pytest.fixture
def canaries(request: pytest.FixtureRequest) -> Iterator[Canaries]:
    """Secrets for this test, which fails if one of them gets out.

    Looked through are log records of every level and logger, what was printed and captured, and
    the files under `tmp_path`.
    """
    from storebridge.testing.canaries import Canaries, LeakedSecret

    named = "tmp_path" in request.fixturenames
    folder = request.getfixturevalue("tmp_path") if named else None  # now, so that it outlives this
    made = Canaries()
    try:
        with made.watching_log():
            yield made
        if folder is not None:
            made.check_files(folder)
    except LeakedSecret as leak:
        pytest.fail(str(leak), pytrace=False)  # a traceback would show the secret


@pytest.fixture
def canary(canaries: Canaries) -> str:
    """One secret of this test, for code that needs only one."""
    return canaries.secret()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections and look-ups of names other than this machine's."""

    def guard(function: Callable[..., Any], place: int) -> Callable[..., Any]:
        def guarded(*args: Any, **options: Any) -> Any:
            _check_local(args[place])
            return function(*args, **options)

        return guarded

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, guard(getattr(socket.socket, name), 1))
    monkeypatch.setattr(socket, "getaddrinfo", guard(socket.getaddrinfo, 0))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test whose captured output has one of its canaries, and don't show that output."""
    report = yield
    made = getattr(item, "funcargs", {}).get("canaries")
    if made is not None:
        shown = "\n".join((report.longreprtext, *(text for _, text in report.sections)))
        if names := made.found(shown):
            report.outcome = "failed"
            report.longrepr = f"the canary {names[0]!r} shows up in the test's output"
            report.sections.clear()
    return report


def _check_local(address: Any) -> None:
    """Raise for an address, or a host, that isn't this machine's."""
    host = address[0] if isinstance(address, tuple) else address
    if host is None or isinstance(address, bytes) or host in ("", "localhost", "localhost."):
        return
    try:
        local = ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        local = str(host).startswith("/")  # a socket file
    if not local:
        raise NetworkRefused(f"tests use no network, and this one asked for {host}")
