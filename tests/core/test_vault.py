"""Where rotating credentials are kept: private, durable, one holder at a time."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from storebridge.adapter import Credentials
from storebridge.errors import ConfigError
from storebridge.vault import FileVault, Kept

KEY = "shopify https://name.myshopify.com 0123"


def pair(text: str, end: float | None = 3600.0) -> Credentials:
    return Credentials({"token": SecretStr(text), "refresh_token": SecretStr(f"r-{text}")}, end)


def keep(vault: FileVault, kept: Kept, key: str = KEY) -> None:
    drawer = vault.drawer(key)
    assert drawer.lock(1.0)
    drawer.write(kept)
    drawer.close()


def kept(vault: FileVault, key: str = KEY) -> Kept | None:
    drawer = vault.drawer(key)
    try:
        assert drawer.lock(1.0)
        return drawer.read()
    finally:
        drawer.close()


@pytest.fixture
def vault(tmp_path: Path) -> FileVault:
    return FileVault(tmp_path / "user" / "tokens")


def only_file(vault: FileVault) -> Path:
    [file] = vault.folder.iterdir()
    return file


@pytest.mark.parametrize(
    "value",
    [
        Kept(pair("a"), 3300.0, pair("b", 10.5)),
        Kept(pair("é'\n", None)),
        Kept(Credentials({"token": SecretStr("x")})),
    ],
)
def test_what_is_kept_comes_back(vault: FileVault, value: Kept) -> None:
    assert kept(vault) is None
    keep(vault, value)
    assert kept(FileVault(vault.folder)) == value


def test_each_key_has_its_own_drawer(vault: FileVault) -> None:
    keys = [KEY, KEY + "4", KEY.replace("name", "NAME"), "../../etc/passwd", "a" * 300, "a" * 301]
    for number, key in enumerate(keys):
        keep(vault, Kept(pair(str(number))), key)
    assert [kept(vault, key) for key in keys] == [Kept(pair(str(n))) for n in range(len(keys))]
    assert {file.parent for file in vault.folder.iterdir()} == {vault.folder}


def test_what_was_not_written_is_not_there(vault: FileVault) -> None:
    keep(vault, Kept(pair("a")))
    drawer = vault.drawer(KEY)
    assert drawer.lock(1.0)
    assert drawer.read()
    drawer.close()
    drawer.close()
    assert kept(vault) == Kept(pair("a"))


def test_one_holds_a_drawer_at_a_time(vault: FileVault) -> None:
    first, second = vault.drawer(KEY), vault.drawer(KEY)
    assert first.lock(0.0)
    assert not second.lock(0.05)
    assert vault.drawer("another").lock(0.0)
    first.close()
    assert second.lock(0.0)
    second.close()


def test_a_count_that_many_threads_raise_loses_nothing(vault: FileVault) -> None:
    keep(vault, Kept(pair("0")))

    def count(_: int) -> None:
        drawer = vault.drawer(KEY)
        try:
            assert drawer.lock(30.0)
            found = drawer.read()
            assert found is not None
            drawer.write(Kept(pair(str(int(found.newest["token"]) + 1))))
        finally:
            drawer.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(64)))
    assert kept(vault) == Kept(pair("64"))


def test_who_gave_up_while_waiting_holds_nothing(vault: FileVault) -> None:
    first, second = vault.drawer(KEY), vault.drawer(KEY)
    assert first.lock(0.0)
    got: list[bool] = []
    thread = threading.Thread(target=lambda: got.append(second.lock(30.0)))
    thread.start()
    time.sleep(0.05)
    second.close()  # the task was cancelled while its thread waits
    first.close()
    thread.join()
    assert got == [False]
    third = vault.drawer(KEY)
    assert third.lock(0.0)
    third.close()


_DIES = """
import os, sys
from pathlib import Path
from storebridge.vault import FileVault
drawer = FileVault(Path(sys.argv[1])).drawer(sys.argv[2])
assert drawer.lock(1.0) and drawer.read()
print("held", flush=True)
sys.stdin.read(1)
os._exit(1)
"""


def test_a_process_that_dies_lets_go(vault: FileVault) -> None:
    keep(vault, Kept(pair("a")))
    command = [sys.executable, "-c", _DIES, str(vault.folder), KEY]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        mine = vault.drawer(KEY)
        assert not mine.lock(0.0)
        mine.close()
        other.communicate("x")
    assert kept(vault) == Kept(pair("a"))


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_the_files_are_private(vault: FileVault) -> None:
    mask = os.umask(0)
    try:
        keep(vault, Kept(pair("a")))
    finally:
        os.umask(mask)
    file = only_file(vault)
    assert file.stat().st_mode & 0o777 == 0o600
    assert vault.folder.stat().st_mode & 0o777 == 0o700
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        kept(vault)


def test_what_was_replaced_is_not_left_in_the_file(vault: FileVault) -> None:
    keep(vault, Kept(pair("canary-1"), None, pair("canary-0")))
    keep(vault, Kept(pair("two")))
    assert b"canary" not in only_file(vault).read_bytes()


@pytest.mark.parametrize("content", [b"no database at all, but long enough " * 40, b"{}"])
def test_a_file_that_is_broken_is_named_with_a_remedy(vault: FileVault, content: bytes) -> None:
    keep(vault, Kept(pair("a")))
    only_file(vault).write_bytes(content)
    with pytest.raises(ConfigError, match="stores add") as caught:
        kept(vault)
    assert str(only_file(vault)) in str(caught.value)


def test_a_foreign_or_newer_file_is_refused(vault: FileVault) -> None:
    keep(vault, Kept(pair("a")))
    for pragma in ("user_version = 99", "application_id = 7"):
        db = sqlite3.connect(only_file(vault))
        db.execute(f"PRAGMA {pragma}")
        db.close()
        with pytest.raises(ConfigError, match="not of this storebridge"):
            kept(vault)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match="can't be used"):
        FileVault(tmp_path / "file" / "tokens").drawer(KEY).lock(0.0)


def test_nothing_shows_a_secret(vault: FileVault) -> None:
    value = Kept(pair("canary-1"), None, pair("canary-0"))
    assert "canary" not in repr(value)
    keep(vault, value)
    assert "canary" not in "".join(map(str, vault.folder.iterdir()))
