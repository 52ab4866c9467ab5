"""`stores`: naming stores and saying what may be done to them."""

from __future__ import annotations

import os
import sys
from getpass import getpass
from typing import Annotated, Literal

from cyclopts import App, Parameter

from storebridge import config, registry
from storebridge.adapter import Adapter
from storebridge.cli.browser import PORT, let_in
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
    client_id: str = "",
    grant: Literal["authorization_code", "client_credentials"] = "authorization_code",
    port: int = PORT,
) -> None:
    """Give a store a name; it is read only until `allow NAME write`.

    With the client id of an app, a browser asks you to let the app in, and its tokens are kept.
    Say it again, for a store that has its name, to let the app in again.

    Args:
        name: The name, in small letters.
        url: Its URL, like local:shop.db or woocommerce+https://shop.example.
        tag: A tag by which several stores are meant at once (@eu); may be repeated.
        live: Ask for the store's name before anything is written to it.
        client_id: The client id of an app; its client secret is asked for.
        grant: client_credentials lets an app of your own organisation in without a browser.
        port: The port of this machine that the browser comes back to.
    """
    if config.is_url(url):
        _check_platform(config.resolve(url)[0])
    known = config.stores().get(name)
    if known is None or not _is_let_in_again(known, url, client_id):
        options = {"client_id": client_id, "grant": grant} if client_id else {}
        say(f"Named {url} {name} in {config.add(name, url, tag or [], live, options)}.")
    store = config.stores()[name]
    if store.platform != "sandbox":
        _ask_secrets(store)
    if store.options.get("grant") == "authorization_code":
        with opened(store) as found:
            let_in(found, port)
            _report(found)
    say(f"See whether it answers:  {command('stores', 'check', name)}")
    if store.access == "read":
        say(f"Let it be changed:       {command('stores', 'allow', name, 'write')}")


def _check_platform(store: StoreConfig) -> None:
    """Make sure that there is an adapter, before anything is written."""
    is_sandbox = store.platform == "sandbox"
    registry.load(store.rest.partition("?")[0] if is_sandbox else store.platform)


def _is_let_in_again(known: StoreConfig, url: str, client_id: str) -> bool:
    """Return whether a store that has its name is meant, and its app."""
    app = known.options.get("client_id", "")
    return bool(app) and known.url == url and client_id in ("", app)


def _ask_secrets(store: StoreConfig) -> None:
    """Ask for the adapter's secrets on a terminal; elsewhere say where those belong that lack."""
    kind = registry.load(store.platform)
    for setting in _needed(store, kind):
        variable = config.env_name(store.name, setting)
        known = config.has_secret(store, setting)
        if variable not in os.environ and is_terminal(sys.stdin) and is_terminal(sys.stderr):
            label = kind.Settings.model_fields[setting].description or setting
            rest = "keep the one that is known" if known else "give it later"
            value = getpass(f"{setting} ({label}), or nothing to {rest}: ")
            if value:
                say(f"Kept in {config.keep_secret(store.name, setting, value)}.")
                continue
        if known:
            continue
        say(f"Give its {setting} in the environment as {variable}, or in")
        say(f"{config.user_folder() / config.SECRETS} under [stores.{store.name}].")


def _needed(store: StoreConfig, kind: type[Adapter]) -> list[str]:
    """Return the secrets that a store can't do without; of several ways in, the first one's."""
    secrets = config.secret_fields(kind)
    needed = {name for name in secrets if kind.Settings.model_fields[name].is_required()}
    if "client_id" in store.options:
        needed |= secrets & {"client_secret"}
    return sorted(needed) or [name for name in [config.first_secret(kind)] if name]


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
            first, *more = str(error).splitlines() or [type(error).__name__]
            say((f"{one.label}: ", "bold"), ("no", "red"), f": {first}", error=True)
            for line in more:
                say(line, error=True)
            codes.append(error.exit_code)
    return worst(codes)


def _report(store: Store) -> None:
    info = store.info
    places = ", ".join(place.name for place in info.locations)
    say((f"{store.name}: ", "bold"), ("yes", "green"), f": {store.adapter.title} {info.name}")
    say(f"  identity {info.id}, {info.currency}, {', '.join(info.locales) or 'no languages'}")
    say(f"  access {store.opening.access}", f", stock at {places}" if places else "")
    store.engine.run(store.adapter.probe())
    for right in store.adapter.lacking():
        say(("  may not: ", "yellow"), right)


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
