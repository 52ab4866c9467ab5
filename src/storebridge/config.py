"""Named stores and where their secrets are: `storebridge.toml` and `secrets.toml`.

`storebridge.toml` lies in the project (the working folder or one above it) or in the user's
configuration folder; the project's word counts first. It holds no secret:

    [stores.acme]
    url = "woocommerce+https://acme.example"
    tags = ["eu"]
    access = "read"    # until `storebridge stores allow acme write`
    live = true        # ask for the store's name before anything is written

Other keys of a store are settings of its adapter. A secret comes from an argument, else from the
environment (`STOREBRIDGE_STORES__ACME__TOKEN`), else from `secrets.toml` beside either file
(readable by its owner only), else from the keyring.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, SecretStr, ValidationError

from storebridge.adapter import Adapter
from storebridge.errors import ConfigError
from storebridge.models.text import worded
from storebridge.toml import with_table, with_value, without_table, write

__all__ = [
    "Access",
    "StoreConfig",
    "add",
    "allow",
    "anchored",
    "env_name",
    "first_secret",
    "has_secret",
    "is_secret",
    "is_url",
    "keep_secret",
    "remove",
    "resolve",
    "secret_fields",
    "settings",
    "stores",
    "user_folder",
    "validated",
]

Access = Literal["read", "write"]

FILE, SECRETS = "storebridge.toml", "secrets.toml"
#: The tag of every named store.
ALL = "all"
#: Platforms that live on this machine; nobody's shop is in danger there.
LOCAL = frozenset({"local", "sandbox"})

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)
_URL = re.compile(r"(?P<platform>[a-z][a-z0-9_]+)(?:\+|:)(?P<rest>.*)", re.ASCII | re.DOTALL)
#: How the credentials of platforms begin: consumer keys of WooCommerce, tokens of Shopify.
_CREDENTIAL = re.compile(r"(ck|cs)_\w{8,}|shp[a-z]{2}_\w+", re.ASCII)
_SECRET_WORDS = frozenset({"token", "secret", "password", "passwd", "key", "credential"})


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """Which store is meant and what may be done to it; it holds no secret."""

    url: str
    name: str = ""
    tags: tuple[str, ...] = ()
    access: Access = "write"
    live: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the adapter that are no secrets."""
    file: Path | None = None

    @property
    def platform(self) -> str:
        """The word for its platform ("shopify")."""
        return _parsed(self.url)["platform"]

    @property
    def rest(self) -> str:
        """What follows the platform in the URL."""
        return _parsed(self.url)["rest"]

    @property
    def label(self) -> str:
        """What a person calls it: its name, else its URL."""
        return self.name or self.url


def user_folder() -> Path:
    """Return the folder of the user's own configuration."""
    from platformdirs import user_config_path

    return user_config_path("storebridge")


def stores() -> dict[str, StoreConfig]:
    """Return the named stores, those of the project before those of the user.

    Raises:
        ConfigError: if a file is wrong; the message says where and what to write.
    """
    found: dict[str, StoreConfig] = {}
    for file in _files(FILE):
        for name, table in _tables(file):
            found.setdefault(name, _store(name, table, file))
    by_variable: dict[str, str] = {}
    for name in found:
        other = by_variable.setdefault(env_name(name, ""), name)
        if other != name:
            raise ConfigError(
                f"The stores {other!r} and {name!r} share their environment variables "
                f"({env_name(name, 'TOKEN')}); rename one of them."
            )
    return found


def resolve(text: str) -> list[StoreConfig]:
    """Return the stores that a name, a tag ("@eu", "@all" for each) or a URL means; never none.

    A URL that is given directly may be written to: whoever gives it says so.

    Raises:
        ConfigError: if nothing goes by the name or the tag; the message says what does.
        TypeError: if no text is given.
    """
    if not isinstance(text, str):
        raise TypeError(
            "a store is opened by a text, its name or a URL like local:shop.db, "
            f"not {type(text).__name__}"
        )
    if text.startswith("@"):
        return _tagged(text[1:])
    if is_url(text):
        _check_url(text, "")
        return [StoreConfig(text)]
    found = stores()
    if text in found:
        return [found[text]]
    raise ConfigError(
        f"No store is called {text!r}; there are: {', '.join(sorted(found)) or 'none yet'}. "
        f"Name one with: storebridge stores add {text or 'NAME'} URL - or give a URL, like "
        "local:shop.db (a store in a file, without an account)."
    )


def is_url(text: str) -> bool:
    """Return whether a text can only be meant as a store's URL, good or bad."""
    return ":" in text or "+" in text


def settings(config: StoreConfig, adapter: type[Adapter], given: Mapping[str, Any]) -> BaseModel:
    """Return an adapter's settings: argument before environment before files before keyring.

    Raises:
        ConfigError: naming what is missing and every way to give it, or what is wrong.
    """
    fields = adapter.Settings.model_fields
    secrets = secret_fields(adapter)
    values: dict[str, Any] = {**adapter.settings_from_url(config.rest), **config.options}
    for name in fields:
        found = _looked_up(config, name, name in secrets)
        if found is not None:
            values[name] = found
    values |= given
    plain = sorted(secrets & set(config.options))
    if plain:
        raise _plain_secret(config.name, plain[0], config.file)
    return validated(config, adapter, values)


def validated(config: StoreConfig, adapter: type[Adapter], values: Mapping[str, Any]) -> BaseModel:
    """Return an adapter's settings of their values.

    Raises:
        ConfigError: naming what is missing and every way to give it, or what is wrong.
    """
    try:
        return adapter.Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explained(error, config, adapter, values)) from None


def secret_fields(adapter: type[Adapter]) -> frozenset[str]:
    """Return the names of the settings that are secrets."""
    return frozenset(
        name
        for name, info in adapter.Settings.model_fields.items()
        if info.annotation is SecretStr or SecretStr in get_args(info.annotation)
    )


def is_secret(name: str) -> bool:
    """Return whether a setting's name says that it is a secret ("access_token")."""
    return not _SECRET_WORDS.isdisjoint(name.lower().split("_"))


def has_secret(config: StoreConfig, setting: str) -> bool:
    """Return whether a named store's secret is in the environment, a file or the keyring."""
    return _looked_up(config, setting, True) is not None


def env_name(store: str, setting: str) -> str:
    """Return the environment variable of a store's setting."""
    return f"STOREBRIDGE_STORES__{re.sub('[^A-Za-z0-9]', '_', store)}__{setting}".upper()


def add(
    name: str,
    url: str,
    tags: Sequence[str] = (),
    live: bool = False,
    options: Mapping[str, str] | None = None,
) -> Path:
    """Name a store in the nearest storebridge.toml, read only at first; return the file.

    Args:
        name: in small letters.
        url: of the store.
        tags: by which several stores are meant at once.
        live: whether a person must type its name before anything is written.
        options: settings of its adapter that are no secrets.

    Raises:
        ConfigError: if the name or the URL can't be one, or the name is taken.
    """
    _check_name(name)
    _check_url(url, "")
    known = stores()
    if name in known:
        raise ConfigError(f"{known[name].file} has a store {name!r} already; use another name.")
    file = next(_files(FILE), Path.cwd() / FILE)
    table: dict[str, Any] = {"url": url, "tags": list(tags), "access": "read"}
    if _parsed(url)["platform"] in LOCAL:
        table["access"] = "write"
    if live:
        table["live"] = True
    table |= options or {}
    write(file, with_table(_text(file), name, table))
    return file


def allow(name: str, access: Access) -> Path:
    """Set what may be done to a named store; return the file that says so.

    Raises:
        ConfigError: if there is no such store.
    """
    file = _file_of(name)
    write(file, with_value(_text(file), name, "access", access))
    return file


def remove(name: str) -> Path:
    """Take a named store out of its file; return the file. The store itself is not touched.

    Raises:
        ConfigError: if there is no such store.
    """
    file = _file_of(name)
    write(file, without_table(_text(file), name))
    return file


def keep_secret(name: str, setting: str, value: str) -> Path:
    """Write a secret into the user's secrets.toml, readable by its owner only; return the file."""
    file = user_folder() / SECRETS
    write(file, with_value(_text(file), name, setting, value), mode=0o600)
    return file


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8-sig") if file.exists() else ""


def _file_of(name: str) -> Path:
    config = stores().get(name) or resolve(name)[0]
    if config.file is None:
        raise ConfigError(f"{name} is a URL, no store's name; see: storebridge stores list")
    return config.file


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} can't name a store: use small letters, digits, - and _, like acme-eu."
        )


def _tagged(tag: str) -> list[StoreConfig]:
    known = stores().values()
    found = [config for config in known if tag in (*config.tags, ALL)]
    if found:
        return found
    tags = sorted({f"@{each}" for config in known for each in config.tags})
    raise ConfigError(
        f"No store has the tag @{tag}; tags in use: {', '.join(tags) or 'none'}. "
        f'Give it to one in {FILE}: tags = ["{tag}"]'
    )


def _files(name: str) -> Iterator[Path]:
    """Yield the files of a name that count: the nearest one upwards, then the user's."""
    here = Path.cwd()
    project = next((f / name for f in (here, *here.parents) if (f / name).is_file()), None)
    if project is not None:
        yield project
    user = user_folder() / name
    if user.is_file() and user != project:
        yield user


def _load(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} can't be read: {error}. Correct it, or remove it.") from error


def _tables(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    data = _load(file)
    unknown = sorted(set(data) - {"stores"})
    if unknown:
        raise ConfigError(f"{file}: {unknown[0]!r} means nothing here; write [stores.NAME] tables.")
    tables = data.get("stores", {})
    if not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
        raise ConfigError(f"{file}: write each store as a table, like [stores.acme].")
    yield from tables.items()


def _store(name: str, table: dict[str, Any], file: Path) -> StoreConfig:
    where = f"{file}, [stores.{name}]"
    _check_name(name)
    for key in table:
        if is_secret(key):
            raise _plain_secret(name, key, file)
    options = {k: v for k, v in table.items() if k not in ("url", "tags", "access", "live")}
    url, tags, live = table.get("url", ""), table.get("tags", []), table.get("live", False)
    if not isinstance(url, str) or not url:
        raise ConfigError(f'{where}: url is missing; write one, like url = "local:shop.db".')
    _check_url(url, f"{where}: ")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ConfigError(f'{where}: tags is a list of words; write it like tags = ["eu"].')
    if not isinstance(live, bool):
        raise ConfigError(f"{where}: live is true or false.")
    access = table.get("access", "write" if _parsed(url)["platform"] in LOCAL else "read")
    if access not in ("read", "write"):
        raise ConfigError(f'{where}: access is "read" or "write", not {access!r}.')
    return StoreConfig(anchored(url, file.parent), name, tuple(tags), access, live, options, file)


def anchored(url: str, folder: Path) -> str:
    """Return the URL of a store in a file with the path seen from the configuration's folder."""
    platform, rest = _parsed(url)["platform"], _parsed(url)["rest"]
    if platform != "local" or not rest or rest.startswith(("?", ":")):
        return url
    path, mark, query = rest.partition("?")
    return f"local:{(folder / path).as_posix()}{mark}{query}"


def _parsed(url: str) -> re.Match[str]:
    found = _URL.fullmatch(url)
    assert found is not None, "checked when it was read"
    return found


def _check_url(url: str, where: str) -> None:
    _check_bare(url, where)
    if not _URL.fullmatch(url):
        raise ConfigError(
            f"{where}{url!r} is no store's URL; write one like local:shop.db, sandbox:template, "
            "shopify://name.myshopify.com or woocommerce+https://shop.example."
        )
    if url.startswith(("https://", "http://")):
        host = urlsplit(url).hostname or ""
        platform = "shopify:" if host.endswith(".myshopify.com") else "woocommerce+https:"
        raise ConfigError(
            f"{where}{url!r} doesn't say which platform it is: write woocommerce+https://... or "
            f"shopify://..., so perhaps {platform}{url.partition(':')[2]}"
        )


def _check_bare(url: str, where: str) -> None:
    """Refuse a URL with credentials in it, and say none of it again."""
    remedy = f"give it as a setting, in {SECRETS} or the environment"
    authority = url.partition("//")[2].partition("/")[0]
    if "@" in authority:
        raise ConfigError(
            f"{where}a store's URL holds no user and no password; take out what is before the @ "
            f"and {remedy}."
        )
    for name, value in parse_qsl(url.partition("?")[2]):
        if is_secret(name) or _CREDENTIAL.match(value):
            raise ConfigError(
                f"{where}a store's URL holds no credentials; take out {name!r} and {remedy}."
            )


def _looked_up(config: StoreConfig, setting: str, secret: bool) -> str | None:
    """Return a setting of a named store from the environment, a secrets file or the keyring."""
    if not config.name:
        return None
    found = os.environ.get(env_name(config.name, setting))
    if found is None and secret:
        found = _from_files(config.name, setting)
    if found is None and secret:
        found = _from_keyring(config.name, setting)
    return found


def _from_files(store: str, setting: str) -> str | None:
    for file in _files(SECRETS):
        _check_private(file)
        for name, table in _tables(file):
            if name == store and setting in table:
                return str(table[setting])
    return None


def _check_private(file: Path) -> None:
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise ConfigError(
            f"{file} can be read by other users, so it isn't used. Run: chmod 600 '{file}'"
        )


def _from_keyring(store: str, setting: str) -> str | None:
    try:
        keyring, errors = import_module("keyring"), import_module("keyring.errors")
    except ImportError:
        return None
    try:
        found = keyring.get_password("storebridge", f"{store}.{setting}")
    except errors.KeyringError:  # a machine without a desktop has none
        return None
    return None if found is None else str(found)


def _plain_secret(store: str, setting: str, file: Path | None) -> ConfigError:
    return ConfigError(
        f"{file}, [stores.{store}]: {setting} is a secret and doesn't belong in {FILE}, which is "
        f"shared. Take it out and put it into {user_folder() / SECRETS}, or into the environment "
        f"as {env_name(store, setting)}; then renew it, as it may have been seen."
    )


def _explained(
    error: ValidationError, config: StoreConfig, adapter: type[Adapter], values: Mapping[str, Any]
) -> str:
    """Return what is wrong with settings; no value is shown."""
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    missing = [str(p["loc"][0]) for p in problems if p["type"] == "missing"]
    secrets = secret_fields(adapter)
    lines = [_missing(config, adapter, name, name in secrets) for name in missing]
    for problem in problems:
        name = ".".join(map(str, problem["loc"]))
        if problem["type"] == "extra_forbidden":
            near = get_close_matches(name, adapter.Settings.model_fields, 1)
            hint = f"Did you mean {near[0]}?" if near else _settings_of(adapter)
            lines.append(f"{config.label}: {adapter.title} has no setting {name!r}. {hint}")
        elif problem["type"] != "missing":
            message = worded(problem["msg"])
            for value in (str(values.get(each, "")) for each in secrets):
                message = message.replace(value, "***") if value else message
            lines.append(f"{config.label}: {f'{name}: ' if name else ''}{message}")
            if not name and (first := first_secret(adapter)) and first not in values:
                lines[-1] += f". Give the {first}{_ways(config, adapter, first, True)}"
    return "\n".join(lines)


def _settings_of(adapter: type[Adapter]) -> str:
    return f"There are: {', '.join(adapter.Settings.model_fields)}."


def first_secret(adapter: type[Adapter]) -> str:
    """Return the secret that its adapter names first, "" if it has none."""
    secrets = secret_fields(adapter)
    return next((name for name in adapter.Settings.model_fields if name in secrets), "")


def _missing(config: StoreConfig, adapter: type[Adapter], setting: str, secret: bool) -> str:
    label = adapter.Settings.model_fields[setting].description or setting
    head = (
        f"{config.label} needs {setting} ({label})"
        if label != setting
        else (f"{config.label} needs {setting}")
    )
    return f"{head}. Give it{_ways(config, adapter, setting, secret)}"


def _ways(config: StoreConfig, adapter: type[Adapter], setting: str, secret: bool) -> str:
    """Return every way to give a setting, a line each."""
    ways = [f'in Python: storebridge.open("{config.label}", {setting}=...)']
    if config.name:
        ways.append(f"in the environment: {env_name(config.name, setting)}")
        if secret:
            ways.append(
                f"in {user_folder() / SECRETS}, readable by you only: "
                f'[stores.{config.name}] {setting} = "..."'
            )
            ways.append(f"in the keyring: keyring set storebridge {config.name}.{setting}")
        else:
            ways.append(f"in {config.file}, [stores.{config.name}]")
    else:
        ways.append(
            f"on the command line, name the store: storebridge stores add NAME {config.url}"
        )
    listed = "".join(f"\n  - {way}" for way in ways)
    return (
        f"{listed}\n"
        f"To try things out without an account, use sandbox:{adapter.name} or local:shop.db."
    )
