"""`stores`: naming stores and saying what may be done to them."""

from __future__ import annotations

import sys
from getpass import getpass
from typing import Annotated, Literal

from cyclopts import App, Parameter

from storebridge import config, registry
from storebridge.cli.common import Json, StateDir
from storebridge.cli.output import command, is_terminal, say, table, write_json
from storebridge.config import StoreConfig
from storebridge.errors import StorebridgeError, worst
from storebridge.store import Store
from storebridge.store.opening import opened

__all__ = ["add", "allow", "app", "check", "list_stores", "remove"]

app = App(name="stores", help="Name stores: add, list, check, allow, remove.")


@app.command
def add(
    name: str,
    url: str,
    /,
    *,
    tag: Annotated[list[str] | None, Parameter(negative=())] = None,
    live: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Give a store a name; it is read only until `allow NAME write`.

    Args:
        name: The name, in small letters.
        url: Its URL, like local:shop.db or woocommerce+https://shop.example.
        tag: A tag by which several stores are meant at once (@eu); may be repeated.
        live: Ask for the store's name before anything is written to it.
    """
    file = config.add(name, url, tag or [], live)
    say(f"Named {url} {name} in {file}.")
    store = config.stores()[name]
    if store.platform != "sandbox":
        _ask_secrets(store)
    say(f"See whether it answers:  {command('stores', 'check', name)}")
    if store.access == "read":
        say(f"Let it be changed:       {command('stores', 'allow', name, 'write')}")


def _ask_secrets(store: StoreConfig) -> None:
    """Ask for the adapter's secrets on a terminal; elsewhere say where they belong."""
    kind = registry.load(store.platform)
    needed = [
        setting
        for setting in config.secret_fields(kind)
        if kind.Settings.model_fields[setting].is_required()
    ]
    for setting in sorted(needed):
        if is_terminal(sys.stdin) and is_terminal(sys.stderr):
            label = kind.Settings.model_fields[setting].description or setting
            value = getpass(f"{setting} ({label}), or nothing to give it later: ")
            if value:
                say(f"Kept in {config.keep_secret(store.name, setting, value)}.")
                continue
        variable = config.env_name(store.name, setting)
        say(f"Give its {setting} in the environment as {variable}, or in")
        say(f"{config.user_folder() / config.SECRETS} under [stores.{store.name}].")


@app.command(name="list")
def list_stores(*, json: Json = False) -> None:
    """List the named stores."""
    known = config.stores().values()
    if json:
        names = ("name", "url", "tags", "access", "live")
        write_json([{name: getattr(store, name) for name in names} for store in known])
    elif not known:
        say(f"No store has a name yet. Name one:  {command('stores', 'add', 'NAME', 'URL')}")
    else:
        table(("name", "url", "tags", "access"), map(_line, known))


def _line(store: StoreConfig) -> tuple[str, ...]:
    tags = " ".join(f"@{tag}" for tag in store.tags)
    return store.name, store.url, tags, f"{store.access}, live" if store.live else store.access


@app.command
def check(
    store: Annotated[str, Parameter(help="A name, a tag (@eu) or a URL.")],
    /,
    *,
    state: StateDir = None,
) -> int:
    """Ask stores who they are, to see whether they can be reached."""
    codes = []
    for one in config.resolve(store):
        try:
            with opened(one, state=state) as found:
                _report(found)
        except StorebridgeError as error:
            say((f"{one.label}: ", "bold"), ("no", "red"), f": {error}", error=True)
            codes.append(error.exit_code)
    return worst(codes)


def _report(store: Store) -> None:
    info = store.info
    places = ", ".join(place.name for place in info.locations)
    say((f"{store.name}: ", "bold"), ("yes", "green"), f": {store.adapter.title} {info.name}")
    say(f"  identity {info.id}, {info.currency}, {', '.join(info.locales) or 'no languages'}")
    say(f"  access {store.opening.access}", f", stock at {places}" if places else "")


@app.command
def allow(name: str, access: Literal["read", "write"], /) -> None:
    """Say what may be done to a store.

    Args:
        name: The store's name.
        access: "write" lets it be changed.
    """
    file = config.allow(name, access)
    say(f"{name} may be {'changed' if access == 'write' else 'read only'} now ({file}).")


@app.command
def remove(name: str, /) -> None:
    """Forget a store's name; the store itself isn't touched.

    Args:
        name: The store's name.
    """
    file = config.remove(name)
    say(f"Took {name} out of {file}. Its secrets, if any, are where they were.")
