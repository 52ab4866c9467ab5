from __future__ import annotations

import os
import stat
import sys
import tomllib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr, field_validator

from storebridge import config
from storebridge.adapter import Adapter, Records
from storebridge.errors import ConfigError, NotSupported
from storebridge.flow import Flow
from storebridge.models import StoreInfo
from storebridge.toml import write

CANARY = "shpat_c4n4ry"


class Settings(BaseModel):
    url: str
    token: SecretStr = Field(description="the access token of the app")
    secret: SecretStr | None = None
    view: str = "default"

    @field_validator("token")
    @classmethod
    def _starts(cls, token: SecretStr) -> SecretStr:
        if not token.get_secret_value().startswith("shpat_"):
            raise ValueError(f"{token.get_secret_value()} does not start with shpat_")
        return token


class Shop(Adapter):
    name = "shop"
    title = "Shop"
    api_version = "1"
    Settings = Settings

    def info(self) -> Flow[StoreInfo]:
        raise NotImplementedError

    def kinds(self) -> Mapping[str, Records[Any] | NotSupported]:
        return {}


Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project" / "deep").mkdir(parents=True)
    (tmp_path / "user").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr(config, "user_folder", lambda: tmp_path / "user")
    monkeypatch.setitem(sys.modules, "keyring", None)


@pytest.fixture
def project(tmp_path: Path) -> Write:
    def write(text: str, name: str = "storebridge.toml") -> Path:
        file = tmp_path / "project" / name
        file.write_text(text, encoding="utf-8")
        file.chmod(0o600)
        return file

    return write


@pytest.fixture
def user(tmp_path: Path) -> Write:
    def write(text: str, name: str = "storebridge.toml") -> Path:
        file = tmp_path / "user" / name
        file.write_text(text, encoding="utf-8")
        file.chmod(0o600)
        return file

    return write


ACME = '[stores.acme]\nurl = "shop+https://acme.example"\ntags = ["eu", "big"]\n'


def one(text: str) -> config.StoreConfig:
    (found,) = config.resolve(text)
    return found


def test_a_name_means_its_store(project: Write) -> None:
    file = project(ACME + 'live = true\nview = "de"\n')
    assert one("acme") == config.StoreConfig(
        "shop+https://acme.example", "acme", ("eu", "big"), "read", True, {"view": "de"}, file
    )
    assert (one("acme").platform, one("acme").rest) == ("shop", "https://acme.example")


def test_a_file_above_the_working_folder_counts(
    project: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(ACME)
    monkeypatch.chdir("deep")
    assert one("acme").name == "acme"


def test_the_projects_word_comes_before_the_users(project: Write, user: Write) -> None:
    user('[stores.acme]\nurl = "shop:user"\n[stores.other]\nurl = "shop:other"\n')
    project(ACME)
    assert one("acme").url == "shop+https://acme.example"
    assert one("other").url == "shop:other"


def test_a_tag_means_all_stores_that_have_it(project: Write) -> None:
    project(ACME + '[stores.b]\nurl = "shop:b"\ntags = ["eu"]\n[stores.c]\nurl = "shop:c"\n')
    assert [store.name for store in config.resolve("@eu")] == ["acme", "b"]
    with pytest.raises(ConfigError, match=r"@asia; tags in use: @big, @eu"):
        config.resolve("@asia")


@pytest.mark.parametrize(
    ("url", "platform", "rest"),
    [
        ("local:shop.db", "local", "shop.db"),
        ("sandbox:template", "sandbox", "template"),
        ("woocommerce+https://shop.example", "woocommerce", "https://shop.example"),
        ("shopify://name.myshopify.com", "shopify", "//name.myshopify.com"),
    ],
)
def test_a_url_means_itself_and_may_be_written_to(url: str, platform: str, rest: str) -> None:
    found = one(url)
    assert (found.platform, found.rest, found.access, found.label) == (platform, rest, "write", url)


def test_a_named_store_is_read_only_until_allowed(project: Write) -> None:
    project(ACME + '[stores.desk]\nurl = "local:desk.db"\n')
    assert one("acme").access == "read"
    assert one("desk").access == "write"
    config.allow("acme", "write")
    assert one("acme").access == "write"


def test_the_file_of_a_local_store_lies_beside_the_configuration(
    project: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project('[stores.desk]\nurl = "local:desk.db?x=1"\n[stores.m]\nurl = "local:?memory"\n')
    monkeypatch.chdir("deep")
    assert one("desk").url == f"local:{(file.parent / 'desk.db').as_posix()}?x=1"
    assert one("m").url == "local:?memory"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[stores.acme]\n", "url is missing"),
        ('[stores.acme]\nurl = "acme"\n', "no store's URL"),
        ('[stores.acme]\nurl = "shop:a"\naccess = "all"\n', 'access is "read" or "write"'),
        ('[stores.acme]\nurl = "shop:a"\ntags = "eu"\n', "tags is a list"),
        ('[stores.acme]\nurl = "shop:a"\nlive = "yes"\n', "live is true or false"),
        ('[stores.Acme]\nurl = "shop:a"\n', "small letters"),
        ('[store.acme]\nurl = "shop:a"\n', r"'store' means nothing here"),
        ("[stores]\nacme = 1\n", "write each store as a table"),
        ("[stores.acme\n", "can't be read"),
        ('[stores.a-b]\nurl="shop:a"\n[stores.a_b]\nurl="shop:b"\n', "share their environment"),
    ],
)
def test_a_wrong_file_is_an_error_that_says_what_to_write(
    project: Write, text: str, message: str
) -> None:
    project(text)
    with pytest.raises(ConfigError, match=message) as caught:
        config.resolve("acme")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("text", ["nothing", "", "C:\\shop.db", "shop+https://u:p@acme.example"])
def test_what_means_no_store_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError):
        config.resolve(text)


@pytest.mark.parametrize(
    "url",
    [
        "woocommerce+https://shop.example?consumer_key=ck_canary",
        "woocommerce+https://shop.example/?x=1&y=cs_canary0123",
        "shopify://a.myshopify.com?token=canary",
        "shopify://a.myshopify.com?t=shpat_canary",
        "woocommerce+https://ann:canary@shop.example",
        "https://ann:canary@shop.example",
    ],
)
def test_credentials_in_a_url_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigError, match=r"holds no .* as a setting, in secrets.toml") as raised:
        config.resolve(url)
    assert "canary" not in str(raised.value)
    with pytest.raises(ConfigError, match="holds no"):
        config.add("acme", url)


def test_a_word_of_a_url_that_only_looks_like_one_is_let_through() -> None:
    assert one("sandbox:woocommerce?locale=cs_CZ").rest.endswith("cs_CZ")


@pytest.mark.parametrize("key", ["token", "api_key", "consumer_secret", "password"])
def test_a_secret_in_the_shared_file_is_refused_and_not_shown(project: Write, key: str) -> None:
    project(f'{ACME}{key} = "{CANARY}"\n')
    with pytest.raises(ConfigError, match=r"belong.*secrets\.toml.*STOREBRIDGE_STORES__") as caught:
        config.resolve("acme")
    assert CANARY not in str(caught.value)


def test_a_secret_setting_of_the_adapter_is_refused_by_any_name(project: Write) -> None:
    class Odd(Settings):
        phrase: SecretStr = SecretStr("")

    class OddShop(Shop):
        Settings = Odd

    project(f'{ACME}phrase = "{CANARY}"\n')
    with pytest.raises(ConfigError, match="phrase is a secret") as caught:
        config.settings(one("acme"), OddShop, {"token": CANARY})
    assert CANARY not in str(caught.value)


def token(**given: object) -> str:
    settings = config.settings(one("acme"), Shop, given)
    assert isinstance(settings, Settings)
    return settings.token.get_secret_value()


def test_argument_beats_environment_beats_file_beats_keyring(
    project: Write, user: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(ACME)
    keyring = ModuleType("keyring")
    asked: list[tuple[str, str]] = []

    def get_password(service: str, name: str) -> str | None:
        asked.append((service, name))
        return "shpat_keyring" if name == "acme.token" else None

    keyring.get_password = get_password  # type: ignore[attr-defined]  # a stand-in module
    errors = ModuleType("keyring.errors")
    errors.KeyringError = RuntimeError  # type: ignore[attr-defined]  # a stand-in module
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    assert token() == "shpat_keyring"
    assert ("storebridge", "acme.token") in asked
    user('[stores.acme]\ntoken = "shpat_user"\n', "secrets.toml")
    assert token() == "shpat_user"
    project('[stores.acme]\ntoken = "shpat_project"\n', "secrets.toml")
    assert token() == "shpat_project"
    monkeypatch.setenv("STOREBRIDGE_STORES__ACME__TOKEN", "shpat_env")
    assert token() == "shpat_env"
    assert token(token="shpat_argument") == "shpat_argument"


def test_a_keyring_without_a_backend_is_none(
    project: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(ACME)

    class NoKeyringError(Exception):
        pass

    def get_password(service: str, name: str) -> str | None:
        raise NoKeyringError

    keyring, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    keyring.get_password = get_password  # type: ignore[attr-defined]  # a stand-in module
    errors.KeyringError = NoKeyringError  # type: ignore[attr-defined]  # a stand-in module
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    with pytest.raises(ConfigError, match="acme needs token"):
        token()


def test_other_settings_come_from_file_and_environment(
    project: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(ACME + 'view = "de"\n')
    settings = config.settings(one("acme"), Shop, {"token": CANARY})
    assert settings.model_dump(include={"url", "view"}) == {
        "url": "https://acme.example",
        "view": "de",
    }
    monkeypatch.setenv("STOREBRIDGE_STORES__ACME__VIEW", "fr")
    assert config.settings(one("acme"), Shop, {"token": CANARY}).model_dump()["view"] == "fr"


def test_the_error_for_a_missing_secret_names_every_way(project: Write, tmp_path: Path) -> None:
    project(ACME)
    with pytest.raises(ConfigError) as caught:
        token()
    message = str(caught.value)
    for way in (
        "acme needs token (the access token of the app)",
        'storebridge.open("acme", token=...)',
        "STOREBRIDGE_STORES__ACME__TOKEN",
        str(tmp_path / "user" / "secrets.toml"),
        "keyring set storebridge acme.token",
        "sandbox:shop",
    ):
        assert way in message
    with pytest.raises(ConfigError, match="stores add NAME shop:x"):
        config.settings(config.StoreConfig("shop:x"), Shop, {})


def test_no_message_shows_a_secret(project: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    project(ACME)
    monkeypatch.setenv("STOREBRIDGE_STORES__ACME__TOKEN", CANARY.replace("shpat", "wrong"))
    monkeypatch.setenv("STOREBRIDGE_STORES__ACME__SECRET", CANARY)
    with pytest.raises(ConfigError, match=r"\*\*\* does not start with") as caught:
        token()
    assert "c4n4ry" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "c4n4ry" not in repr(config.settings(one("acme"), Shop, {"token": CANARY}))


@pytest.mark.skipif(os.name != "posix", reason="POSIX has the modes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_secrets_file_that_others_can_read_is_refused(project: Write, mode: int) -> None:
    project(ACME)
    file = project(f'[stores.acme]\ntoken = "{CANARY}"\n', "secrets.toml")
    file.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        token()


def test_a_kept_secret_is_found_again_and_private(project: Write) -> None:
    project(ACME)
    file = config.keep_secret("acme", "token", 'shpat_"\\x')
    config.keep_secret("acme", "secret", CANARY)
    assert token() == 'shpat_"\\x'
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_added_stores_are_read_only_and_keep_the_rest_of_the_file(project: Write) -> None:
    file = project("# our shops\n" + ACME)
    config.add("beta", "shop+https://beta.example", ["eu"], live=True)
    config.add("desk", "local:desk.db")
    text = file.read_text()
    assert text.startswith("# our shops\n" + ACME)
    assert tomllib.loads(text)["stores"]["beta"] == {
        "url": "shop+https://beta.example",
        "tags": ["eu"],
        "access": "read",
        "live": True,
    }
    assert one("desk").access == "write"
    with pytest.raises(ConfigError, match="has a store 'beta' already"):
        config.add("beta", "shop:x")
    with pytest.raises(ConfigError, match="no store's URL"):
        config.add("gamma", "gamma")


def test_the_first_store_makes_the_file_in_the_working_folder(tmp_path: Path) -> None:
    assert config.add("acme", "shop:a") == tmp_path / "project" / "storebridge.toml"
    assert one("acme").url == "shop:a"


COMMENTED = """# shops of our clients

[stores.acme] # the big one
url = "shop:a"
access = "read"  # until spring
tags = []

# for trials
[stores.beta]
url = "shop:b"
"""


def test_edits_keep_comments_and_everything_else(project: Write) -> None:
    file = project(COMMENTED)
    config.allow("acme", "write")
    written = COMMENTED.replace('access = "read"  #', 'access = "write"  #')
    assert file.read_text() == written
    config.allow("beta", "write")
    assert file.read_text() == written.replace(
        "[stores.beta]\n", '[stores.beta]\naccess = "write"\n'
    )
    config.remove("acme")
    assert "# for trials\n[stores.beta]" in file.read_text()
    assert list(config.stores()) == ["beta"]
    with pytest.raises(ConfigError, match="No store is called 'acme'"):
        config.remove("acme")


@pytest.mark.parametrize(
    "text",
    [
        'stores = {acme = {url = "shop:a"}}\n',
        'stores.acme.url = "shop:a"\n',
        '[stores.acme]\nurl = "shop:a"\nnote = """\naccess = "read"\n"""\n',
        '[stores]\n[ stores . acme ]\nurl = "shop:a"\naccess = [\n"read"][0]\n',
    ],
)
def test_a_file_that_can_not_be_edited_safely_is_left_alone(project: Write, text: str) -> None:
    file = project(text)
    with pytest.raises(ConfigError):
        config.allow("acme", "write")
    assert file.read_text() == text


def test_a_file_that_several_write_at_once_is_always_whole(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "plans.json"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: write(file, f"{n}\n" * 1000), range(80)))
    assert len(set(file.read_text().splitlines())) == 1
    assert list(file.parent.iterdir()) == [file]
