"""`stores add` with an app's client id: the browser's way in, driven by real HTTP requests."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from storebridge.cli import browser
from storebridge.cli.app import run
from storebridge.flow import Request, Response
from storebridge.testing.sandbox import SandboxServer
from storebridge_shopify.sandbox import Sandbox, create
from storebridge_shopify.sandbox_access import CLIENT

SECRET = CLIENT[1]
ADDRESS = re.compile(r"^(http://\S+/admin/oauth/authorize\?\S+)$", re.MULTILINE)


class Person:
    """Reads what the command prints, and opens the address in a browser."""

    def __init__(self, capsys: pytest.CaptureFixture[str], server: SandboxServer) -> None:
        self.capsys, self.server = capsys, server
        self.out = self.err = ""
        self.pages: list[tuple[int, str]] = []
        self.code = -1

    def run(self, *words: str, do: Callable[[str], None] | None = None) -> int:
        """Run a command; `do` is given the address that it prints."""
        thread = threading.Thread(target=self._run, args=(words,))
        thread.start()
        try:
            if do is not None:
                do(self._address(thread))
        finally:
            thread.join(30)
        self._read()
        assert not thread.is_alive()
        return self.code

    def _run(self, words: tuple[str, ...]) -> None:
        self.code = run(words)

    def _address(self, thread: threading.Thread) -> str:
        for _ in range(500):
            self._read()
            if found := ADDRESS.search(self.out):
                return found[1]
            assert thread.is_alive(), self.out + self.err
            time.sleep(0.01)
        raise AssertionError(f"no address in {self.out}")

    def _read(self) -> None:
        out, err = self.capsys.readouterr()
        self.out, self.err = self.out + out, self.err + err

    def get(self, url: str, host: str = "") -> tuple[int, str, dict[str, str]]:
        """Return what a browser gets; it follows no redirect by itself."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        connection = HTTPConnection(parts.hostname, parts.port, timeout=10)
        try:
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            connection.request("GET", path, headers={"Host": host} if host else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), dict(answer.headers)
        finally:
            connection.close()

    def callback(self, address: str) -> str:
        status, _, headers = self.get(address)
        assert status == 302
        return headers["location"]

    def allow(self, address: str) -> None:
        status, page, headers = self.get(self.callback(address))
        self.pages.append((status, page))
        assert headers["Cache-Control"] == "no-store"


@pytest.fixture
def shop() -> Sandbox:
    return create(None)


@pytest.fixture
def asked() -> list[Request]:
    return []


@pytest.fixture
def server(shop: Sandbox, asked: list[Request]) -> Iterator[SandboxServer]:
    def handler(request: Request) -> Response:
        asked.append(request)
        return shop(request)

    with SandboxServer(handler) as server:
        shop.url = server.url
        yield server


@pytest.fixture
def person(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    server: SandboxServer,
) -> Person:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "60")  # the address must stay in one line
    monkeypatch.setenv("STOREBRIDGE_STORES__ACME__CLIENT_SECRET", SECRET)
    monkeypatch.setattr("storebridge.config.user_folder", lambda: tmp_path / "user")
    return Person(capsys, server)


def words(person: Person, *more: str) -> tuple[str, ...]:
    url = f"shopify+{person.server.url}"
    return "stores", "add", "acme", url, "--client-id", CLIENT[0], "--port", "0", *more


def test_an_app_is_let_in_and_works_from_then_on(
    person: Person, tmp_path: Path, asked: list[Request]
) -> None:
    assert person.run(*words(person, "--tag", "eu"), do=person.allow) == 0, person.err
    assert person.pages == [(200, person.pages[0][1])]
    assert "You can close this page" in person.pages[0][1]
    assert re.search(r"comes back to http://127\.0\.0\.1:\d+/callback", person.out)
    assert "one of the app's redirect URLs" in person.out
    assert "The app is in" in person.out
    assert "acme: yes: Shopify" in person.out
    [exchange] = [each for each in asked if each.path.endswith("/access_token")]
    assert isinstance(exchange.body, bytes)
    assert dict(parse_qsl(exchange.body.decode()))["expiring"] == "1"
    text = Path("storebridge.toml").read_text(encoding="utf-8")
    assert 'client_id = "sandbox"' in text
    assert 'grant = "authorization_code"' in text
    assert 'access = "read"' in text
    assert person.run("stores", "check", "@eu", "--state", "state") == 0
    secrets = [SECRET, "shpat_", "shprt_"]
    shown = person.out + person.err + person.pages[0][1] + text
    assert not [each for each in secrets if each in shown]
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    holding = [each for each in files if b"shprt_" in each.read_bytes()]
    assert [each.parent for each in holding] == [tmp_path / "user" / "tokens"]
    codes = [each.params for each in asked if each.path.endswith("/callback")]
    assert codes == []


def test_the_secret_is_asked_for_at_a_terminal(
    person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STOREBRIDGE_STORES__ACME__CLIENT_SECRET")
    opened: list[str] = []
    prompts: list[str] = []
    typed = iter(["shpss_wrong", SECRET, ""])

    def getpass(prompt: str) -> str:
        prompts.append(prompt)
        return next(typed)

    monkeypatch.setattr("storebridge.cli.stores.is_terminal", lambda stream: True)
    monkeypatch.setattr("storebridge.cli.stores.getpass", getpass)
    monkeypatch.setattr("storebridge.cli.browser.is_terminal", lambda stream: True)
    monkeypatch.setattr("storebridge.cli.browser._has_screen", lambda: True)
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("storebridge.cli.browser._PATIENCE", 1.0)
    assert person.run(*words(person), do=person.allow) == 3
    assert opened == ADDRESS.findall(person.out)
    monkeypatch.setattr("storebridge.cli.browser._PATIENCE", 60.0)
    for _ in range(2):  # typed rightly, then kept by typing nothing
        person.out = ""
        assert person.run(*words(person), do=person.allow) == 0, person.err
        assert SECRET in (tmp_path / "user" / "secrets.toml").read_text(encoding="utf-8")
    assert SECRET not in person.out + person.err
    assert "client_secret" in prompts[0]
    assert ["give it later" in each for each in prompts] == [True, False, False]


def test_without_a_terminal_the_places_for_the_secret_are_named(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STOREBRIDGE_STORES__ACME__CLIENT_SECRET")
    assert person.run(*words(person)) == 3
    assert "STOREBRIDGE_STORES__ACME__CLIENT_SECRET" in person.out
    assert "client_secret" in person.err
    monkeypatch.setenv("STOREBRIDGE_STORES__ACME__CLIENT_SECRET", SECRET)
    assert person.run(*words(person), do=person.allow) == 0, person.err


def test_callbacks_that_are_not_genuine_change_nothing(person: Person) -> None:
    def attack(address: str) -> None:
        good = person.callback(address)
        bad = [
            good.replace("state=", "state=x"),
            good.replace("code=", "code=0"),
            good.replace("shop=127", "shop=128"),
            good + "&shop=evil.myshopify.com",
            good.partition("?")[0],
            re.sub("hmac=..", "hmac=zz", good),
        ]
        assert [person.get(each)[0] for each in bad] == [400] * len(bad)
        other = good.replace("/callback", "/other")
        assert person.get(other)[0] == 404
        assert person.get(good, host="evil.example")[0] == 404
        parts = urlsplit(good)
        assert parts.hostname is not None
        connection = HTTPConnection(parts.hostname, parts.port, timeout=10)
        connection.request("POST", f"{parts.path}?{parts.query}", body=b"")
        assert connection.getresponse().status == 501
        connection.close()
        status, page, _ = person.get(good)
        assert status == 200
        assert "its answer" in page

    assert person.run(*words(person), do=attack) == 0, person.err


def test_a_connection_that_says_nothing_holds_nobody_up(person: Person) -> None:
    """Browsers open connections before they need them."""

    def idle(address: str) -> None:
        back = urlsplit(person.callback(address))
        with socket.create_connection((back.hostname, back.port)):
            started = time.monotonic()
            status, _, _ = person.get(back.geturl())
            assert status == 200
            assert time.monotonic() - started < 5

    assert person.run(*words(person), do=idle) == 0, person.err


def test_a_callback_is_good_once() -> None:
    class Yes:
        def code(self, query: str, state: str, now: float) -> str:
            return "code-1"

    callback: Any = browser._Callback(Yes(), "state", 0)  # type: ignore[arg-type]  # a double
    with callback:
        assert callback.take("a=1")[0] == 200
        assert callback.take("a=1")[0] == 400


def test_a_person_who_says_no_ends_it(person: Person, shop: Sandbox) -> None:
    shop.switch(declines=True)
    assert person.run(*words(person), do=person.allow) == 3
    assert "was not let in" in person.err
    assert "was not let in" in person.pages[0][1]


def test_a_person_who_does_nothing_is_told_after_a_while(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storebridge.cli.browser._PATIENCE", 0.3)
    assert person.run(*words(person), do=lambda address: None) == 3
    assert "Nobody let the app in within" in person.err
    assert "redirect URLs" in person.err


def test_what_came_and_was_not_taken_is_told(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOREBRIDGE_STORES__ACME__CLIENT_SECRET", "shpss_wrong")
    monkeypatch.setattr("storebridge.cli.browser._PATIENCE", 1.5)
    assert person.run(*words(person), do=person.allow) == 3
    assert person.pages[0][0] == 400
    assert "not made with the app's client secret" in person.err
    assert "shpss_wrong" not in person.out + person.err


def test_a_port_that_is_taken_is_named(person: Person) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert person.run(*words(person)[:-1], port) == 3
    assert f"Port {port}" in person.err
    assert "--port" in person.err


def test_a_revoked_store_is_let_in_again_by_the_command_that_its_error_names(
    person: Person, shop: Sandbox
) -> None:
    assert person.run(*words(person), do=person.allow) == 0, person.err
    shop.uninstall()
    assert person.run("stores", "check", "acme", "--state", "state") == 3
    found = re.search(r"storebridge (stores add NAME \S+ --client-id \S+)", person.err)
    assert found, person.err
    again = found[1].replace("NAME", "acme").split()
    person.out = ""
    assert person.run(*again, "--port", "0", do=person.allow) == 0, person.err
    assert person.run("stores", "check", "acme", "--state", "state") == 0


def test_another_store_or_app_does_not_take_a_name(person: Person) -> None:
    assert person.run(*words(person), do=person.allow) == 0, person.err
    other = [word if word != CLIENT[0] else "another" for word in words(person)]
    assert person.run(*other) == 3
    assert "has a store 'acme' already" in person.err
    url = [word.replace("127.0.0.1", "other") for word in words(person)]
    assert person.run(*url) == 3


def test_an_app_of_the_own_organisation_needs_no_browser(
    person: Person, asked: list[Request]
) -> None:
    assert person.run(*words(person, "--grant", "client_credentials")) == 0, person.err
    assert asked == []
    assert person.run("stores", "check", "acme", "--state", "state") == 0
    assert "yes" in person.out


def test_a_check_names_what_the_token_may_not_do(person: Person, shop: Sandbox) -> None:
    shop.switch(scopes=["read_products", "write_orders"])
    assert person.run(*words(person), do=person.allow) == 0, person.err
    assert person.run("stores", "check", "acme", "--state", "state") == 0
    assert "may not: no scope write_products, for productSet" in person.out
    assert "may not: no scope read_customers, for reading customers, reading buyers" in person.out
    assert "no scope write_orders" not in person.out


def test_a_check_prints_an_error_of_many_lines_line_by_line(person: Person) -> None:
    Path("storebridge.toml").write_text(
        '[stores.desk]\nurl = "template+http://127.0.0.1:9"\n', encoding="utf-8"
    )
    assert person.run("stores", "check", "desk", "--state", "state") == 3
    lines = person.err.splitlines()
    assert lines[0].startswith("desk: no: desk needs token")
    assert sum(line.startswith("  - ") for line in lines) == 4


def test_the_list_shows_no_secret(person: Person) -> None:
    assert person.run(*words(person), do=person.allow) == 0, person.err
    person.out = ""
    assert person.run("stores", "list", "--json") == 0
    [store] = json.loads(person.out)
    assert set(store) == {"name", "url", "tags", "access", "live"}
