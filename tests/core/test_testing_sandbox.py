from __future__ import annotations

import json
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from storebridge_template import TemplateAdapter, TemplateSettings

from storebridge.engine import Engine
from storebridge.flow import Request, Response
from storebridge.testing import SandboxServer, answer
from storebridge.testing.sandbox import header


def ask(
    url: str, method: str, target: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        shown = {name.lower(): text for name, text in response.getheaders()}
        return response.status, shown, response.read()
    finally:
        connection.close()


def test_requests_arrive_whole_and_answers_too() -> None:
    seen: list[Request] = []

    def handler(request: Request) -> Response:
        seen.append(request)
        return answer(201, {"ö": 1}, x_kit="7")

    with SandboxServer(handler) as server:
        assert server.url.startswith("http://127.0.0.1:")
        status, headers, body = ask(
            server.url, "POST", "/a/b?x=1%2C2&y=&x=%C3%A4", b"\x00body", **{"X-Token": "t"}
        )
    assert (status, headers["x-kit"], json.loads(body)) == (201, "7", {"ö": 1})
    [request] = seen
    assert (request.method, request.path, request.body) == ("POST", "/a/b", b"\x00body")
    assert request.params == (("x", "1,2"), ("y", ""), ("x", "ä"))
    assert header(request, "X-TOKEN") == "t"
    assert header(request, "x-missing") == ""


def test_an_answer_without_content_has_no_body() -> None:
    with SandboxServer(lambda request: answer(204)) as server:
        assert ask(server.url, "DELETE", "/a")[::2] == (204, b"")


def test_a_handler_that_fails_is_a_500_and_the_server_goes_on() -> None:
    def handler(request: Request) -> Response:
        if request.path == "/bad":
            raise KeyError("oops")
        return answer(200, {})

    with SandboxServer(handler) as server:
        status, _, body = ask(server.url, "GET", "/bad?token=secret")
        assert (status, b"oops" in body, b"secret" in body) == (500, False, False)
        assert ask(server.url, "GET", "/good")[0] == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.10", "::"])
def test_only_this_machine_is_served(host: str) -> None:
    with pytest.raises(ValueError, match="this machine only"):
        SandboxServer(lambda request: answer(200), host=host)


def test_the_template_runs_in_a_process_of_its_own_and_keeps_its_state(tmp_path: Path) -> None:
    names: list[str] = []
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-m", "storebridge_template.sandbox", "--state", tmp_path / "t.db"],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            adapter = TemplateAdapter(TemplateSettings.model_validate({"url": url, "token": "kit"}))
            with Engine(adapter) as engine:
                names.append(engine.run(adapter.info()).id)
        finally:
            process.kill()
            process.communicate()
    assert names[0] == names[1]
