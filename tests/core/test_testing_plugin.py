from __future__ import annotations

import base64
import logging
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from storebridge.testing import Canaries, LeakedSecret

LEAKS = {
    "plain": lambda secret: secret,
    "reversed": lambda secret: secret[::-1],
    "quoted": lambda secret: quote(secret, safe=""),
    "hex": lambda secret: secret.encode().hex(),
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "basic": lambda secret: base64.b64encode(f"user:{secret}".encode()).decode(),
    "basic-1": lambda secret: base64.b64encode(f"use:{secret}:x".encode()).decode(),
    "urlsafe": lambda secret: base64.urlsafe_b64encode(f"us:{secret}".encode()).decode(),
}


@pytest.mark.parametrize("form", LEAKS)
def test_every_form_of_a_secret_is_found(form: str) -> None:
    made = Canaries()
    secret = made.secret("token", prefix="shpat_")
    assert secret.startswith("shpat_")
    leak = f"Authorization: {LEAKS[form](secret)};"
    assert made.found(leak) == ("token",)
    assert made.found("Authorization: ***") == ()


def test_a_name_has_one_secret() -> None:
    made = Canaries()
    assert made.secret("a") == made.secret("a") != made.secret("b")
    assert made.values == (made.secret("a"), made.secret("b"))


def test_errors_are_searched_with_their_causes(tmp_path: Path) -> None:
    made = Canaries()
    secret = made.secret()
    try:
        try:
            raise ValueError(secret)
        except ValueError as inner:
            raise RuntimeError("outer") from inner
    except RuntimeError as error:
        with pytest.raises(LeakedSecret) as caught:
            made.check("an error", error)
    assert secret not in str(caught.value)


def test_files_and_their_names_are_searched(tmp_path: Path) -> None:
    made = Canaries()
    (tmp_path / "fine").write_bytes(b"\x00nothing")
    made.check_files(tmp_path)
    (tmp_path / "store.db").write_bytes(b"\xff\x00" + made.secret().encode() + b"\x00")
    with pytest.raises(LeakedSecret, match=r"store\.db"):
        made.check_files(tmp_path)


def test_the_log_is_watched_at_every_level() -> None:
    made = Canaries()
    with pytest.raises(LeakedSecret, match="log"), made.watching_log():
        logging.getLogger("some.library").debug("sent %s", {"token": made.secret()})


# The plugin, in a project of its own

TESTS = """
import logging, socket
import pytest

def test_clock(virtual_clock):
    virtual_clock.sleep(3600)
    assert virtual_clock.sleeps == (3600,)

def test_log(canary):
    logging.getLogger("x").debug("%s", canary)

def test_output(canary):
    print("token", canary)

def test_file(canary, tmp_path):
    (tmp_path / "a.txt").write_text(canary)

def test_discreet(canary, tmp_path):
    print("token", "***")
    (tmp_path / "a.txt").write_text("***")

def test_other_machine(no_network):
    with pytest.raises(RuntimeError, match="no network"):
        socket.create_connection(("192.0.2.1", 80), timeout=0.1)
    with pytest.raises(RuntimeError, match="no network"):
        socket.getaddrinfo("shop.example", 443)
    with pytest.raises(RuntimeError, match="no network"):
        socket.socket().connect(("2001:db8::1", 80))

def test_this_machine(no_network):
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
        socket.create_connection(("localhost", server.getsockname()[1]), timeout=5).close()

def test_nothing_asked_for():
    assert not hasattr(socket.socket.connect, "__closure__")
"""


def test_the_plugin_in_another_project(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    lines = done.stdout.splitlines()
    result = {
        line.split("::")[1].split(" ")[0]: line.split(" ")[0]
        for line in lines
        if line.startswith(("PASSED", "FAILED", "ERROR"))
    }
    assert result == {
        "test_clock": "PASSED",
        "test_log": "FAILED",
        "test_output": "FAILED",
        "test_file": "ERROR",
        "test_discreet": "PASSED",
        "test_other_machine": "PASSED",
        "test_this_machine": "PASSED",
        "test_nothing_asked_for": "PASSED",
    }
    assert "the canary 'secret' shows up in the file a.txt" in done.stdout
    assert "+/~" not in done.stdout


def test_the_plugin_is_cheap_to_load() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import storebridge.testing.plugin;"
        "print([m for m in set(sys.modules) - before if not m.startswith('storebridge')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pydantic" not in done.stdout
    assert "httpx2" not in done.stdout


GAPS = """
from storebridge.testing import AdapterConformance
from storebridge_template import TemplateAdapter, TemplateSettings
from storebridge_template.sandbox import create

class TestGaps(AdapterConformance):
    known_gaps = {
        "test_every_record_comes_once[product]": "a page holds all of them",
        "test_adapter_says_who_it_is": "it does by now",
    }

    def adapter(self, folder, canaries):
        token = canaries.secret("token")
        return TemplateAdapter(TemplateSettings(url="http://127.0.0.1", token=token))

    def handler(self, folder):
        return create(folder / "template.db")
"""


def test_a_known_gap_has_to_fail(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(GAPS)
    names = "says_who or (every_record_comes_once and (product or customer))"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "-k", names],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert "1 xfailed" in done.stdout, done.stdout
    assert "2 failed" in done.stdout
    assert "XFAIL test_it.py::TestGaps::test_every_record_comes_once[product]" in done.stdout
    assert "FAILED test_it.py::TestGaps::test_adapter_says_who_it_is" in done.stdout
    assert "too few pages to test" in done.stdout
