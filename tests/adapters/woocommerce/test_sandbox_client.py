"""The vendor's own client talks to the served sandbox, over http with OAuth 1.0a."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import woocommerce

from storebridge.cli.sandbox import sandbox
from storebridge.errors import ConfigError
from storebridge.testing import SandboxServer
from storebridge_woocommerce.sandbox import create, settings


@pytest.fixture
def api() -> Iterator[Any]:
    with SandboxServer(create()) as server:
        yield _client(server.url)


def _client(url: str, **more: Any) -> Any:
    keys = settings()
    return woocommerce.API(url, keys["key"], keys["secret"], version="wc/v3", timeout=10, **more)


def test_the_client_makes_reads_changes_and_deletes(api: Any) -> None:
    made = api.post("products", {"name": "Tee & Co", "regular_price": "12.50", "sku": "T-1"})
    assert made.status_code == 201
    number = made.json()["id"]
    assert made.json()["name"] == "Tee &amp; Co"
    again = api.post("products", {"name": "Tee", "sku": "t-1"})
    assert (again.status_code, again.json()["data"]["resource_id"]) == (400, number)
    read = api.get("products", params={"sku": "T-1", "context": "edit"})
    assert read.headers["X-WP-Total"] == "1"
    assert read.json()[0]["regular_price"] == "12.50"
    assert api.put(f"products/{number}", {"sale_price": "9"}).json()["price"] == "9"
    assert api.delete(f"products/{number}", params={"force": True}).status_code == 200
    assert api.get(f"products/{number}").status_code == 404


def test_the_client_sends_a_batch(api: Any) -> None:
    create = [{"name": f"P{n}", "sku": f"S{n}"} for n in range(3)] + [{"name": "x", "sku": "S0"}]
    said = api.post("products/batch", {"create": create, "delete": [0, 999]}).json()
    assert [one["id"] > 0 for one in said["create"]] == [True, True, True, False]
    assert said["create"][3]["error"]["data"]["resource_id"] == said["create"][0]["id"]
    assert [one["id"] for one in said["delete"]] == [999]
    many = api.post("products/batch", {"create": [{"name": "x"}] * 101})
    assert many.status_code == 413


def test_the_clients_signing_of_lists_fails_as_on_a_real_shop(api: Any) -> None:
    assert api.get("products", params={"include": "1,2"}).status_code == 200
    refused = api.get("products", params={"include[]": ["1", "2"]})
    assert (refused.status_code, refused.json()["code"]) == (
        401,
        "woocommerce_rest_authentication_error",
    )


def test_a_file_arrives_as_a_form() -> None:
    """As browsers and `requests` send one: fields and a file in a body of parts."""
    own = settings()
    with SandboxServer(create()) as server:
        answer = requests.post(
            f"{server.url}/wp-json/wp/v2/media",
            auth=(own["user"], own["password"]),
            data={"alt_text": "Vorn, schön"},
            files={"file": ("front view.gif", b"GIF89a\7\0\5\0", "image/gif")},
            timeout=10,
        )
        made = answer.json()
        assert (answer.status_code, made["alt_text"]) == (201, "Vorn, schön")
        assert made["media_details"]["file"].endswith("/front-view.gif")
        assert requests.get(made["source_url"], timeout=10).content == b"GIF89a\7\0\5\0"


def test_the_command_prints_what_a_client_needs() -> None:
    command = [sys.executable, "-m", "storebridge_woocommerce.sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        said = dict(process.stdout.readline().strip().split(" = ") for _ in range(2))
        try:
            api = woocommerce.API(url, said["key"], said["secret"], version="wc/v3", timeout=10)
            assert api.get("products").json() == []
        finally:
            process.kill()


def test_the_command_line_prints_keys_that_open(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Switches go after a `?`, in the words of the sandbox's URL."""
    seen: list[str] = []

    def ask(server: SandboxServer) -> None:
        lines = capsys.readouterr().out.splitlines()[1:]
        said = dict(line.strip().split(" = ") for line in lines)
        server.start()
        api = woocommerce.API(said["url"], said["key"], said["secret"], version="wc/v3")
        seen.append(api.get("data/currencies/current").json()["code"])
        raise KeyboardInterrupt

    monkeypatch.setattr(SandboxServer, "serve_forever", ask)
    sandbox("woocommerce?woocommerce_currency=JPY")
    assert seen == ["JPY"]
    with pytest.raises(ConfigError, match="no switch 'tumbleweed'"):
        sandbox("woocommerce?tumbleweed=1")
