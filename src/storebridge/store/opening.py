"""From a name, a tag or a URL to a store."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from storebridge import config, registry
from storebridge.adapter import Adapter
from storebridge.config import StoreConfig
from storebridge.engine import EngineOptions, Event, HandlerTransport, Transport
from storebridge.errors import ConfigError
from storebridge.flow import Request, Response
from storebridge.store.base import Opening
from storebridge.store.sync import Store

if TYPE_CHECKING:
    from storebridge.store.aio import AsyncStore
    from storebridge.vault import Vault

__all__ = ["open", "open_async", "opened", "sandbox", "stores"]

OnEvent = Callable[[Event], None]


def open(
    store: str,
    *,
    state: str | Path | None = None,
    on_event: OnEvent | None = None,
    vault: Vault | None = None,
    **settings: Any,
) -> Store:
    """Return a store; nothing is connected yet.

    Args:
        store: a name in storebridge.toml, or a URL: "local:shop.db", "sandbox:template",
            "woocommerce+https://shop.example", "shopify://name.myshopify.com".
        state: the folder of what is remembered per store; the user's data folder by default.
        on_event: called with each event of the engine.
        vault: where tokens that rotate are kept; the user's configuration folder by default.
        **settings: the adapter's settings, credentials among them; they beat the environment
            and files.

    Raises:
        ConfigError: if the store is unknown, or a setting is missing or wrong.
    """
    return opened(_one(store), state=state, on_event=on_event, vault=vault, **settings)


def open_async(
    store: str,
    *,
    state: str | Path | None = None,
    on_event: OnEvent | None = None,
    vault: Vault | None = None,
    **settings: Any,
) -> AsyncStore:
    """Return a store for use in tasks: `async with storebridge.open_async(...) as store`.

    The arguments are those of `open`.
    """
    from storebridge.store.aio import AsyncStore

    adapter, opening = _prepared(_one(store), state, on_event, vault, settings)
    return AsyncStore(adapter, opening)


def stores(pattern: str, *, state: str | Path | None = None, **settings: Any) -> list[Store]:
    """Return the stores that a tag ("@eu"), a name or a URL means.

    Raises:
        ConfigError: if there is none, or a setting of one is missing or wrong.
    """
    return [opened(one, state=state, **settings) for one in config.resolve(pattern)]


def opened(
    store: StoreConfig,
    *,
    state: str | Path | None = None,
    on_event: OnEvent | None = None,
    vault: Vault | None = None,
    **settings: Any,
) -> Store:
    """Return the store that a configuration describes."""
    return Store(*_prepared(store, state, on_event, vault, settings))


def _one(text: str) -> StoreConfig:
    found = config.resolve(text)
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise ConfigError(
            f"{text} means {len(found)} stores ({names}), and this is for one: name it. In Python, "
            f"storebridge.stores({text!r}) has them all"
        )
    return found[0]


def _prepared(
    store: StoreConfig,
    state: str | Path | None,
    on_event: OnEvent | None,
    vault: Vault | None,
    settings: dict[str, Any],
) -> tuple[Adapter, Opening]:
    transport: Transport | None = None
    if store.platform == "sandbox":
        adapter, transport = _sandbox(store, settings)
    else:
        kind = registry.load(store.platform)
        adapter = kind(config.settings(store, kind, settings))
    opening = Opening(
        name=store.name,
        url=store.url,
        access=store.access,
        live=store.live,
        state=Path(state) if state else None,
        transport=transport,
        on_event=on_event,
        options=EngineOptions(store=store.label, vault=vault),
    )
    return adapter, opening


def _sandbox(store: StoreConfig, settings: dict[str, Any]) -> tuple[Adapter, Transport]:
    """Return an adapter and the sandbox of its platform, in this process.

    The state is kept under `.storebridge` in the working folder; `?memory` keeps none. Other
    words after the `?` go to the sandbox: `sandbox:woocommerce?memory&timezone_string=Asia/Tokyo`.
    """
    platform, _, query = store.rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    in_memory = options.pop("memory", None) is not None
    file = None if in_memory else Path(".storebridge") / f"sandbox-{platform}.sqlite"
    kind, own, handler = sandbox(platform, file, options)
    adapter = kind(config.validated(store, kind, {**own, **store.options, **settings}))
    return adapter, HandlerTransport(handler)


def sandbox(
    platform: str, file: Path | None, options: dict[str, str]
) -> tuple[type[Adapter], dict[str, Any], Callable[[Request], Response]]:
    """Return a platform's adapter, the settings that its sandbox lets in, and the sandbox.

    Args:
        platform: the adapter's name.
        file: where the state is kept; None for in memory.
        options: the sandbox's own words.

    Raises:
        ConfigError: if the adapter has no sandbox, or it doesn't know an option.
    """
    kind = registry.load(platform)
    home = getattr(kind, "sandbox", "")
    if not home:
        raise ConfigError(f"The {platform} adapter has no sandbox; try local:shop.db instead.")
    module = import_module(home)
    if file is not None:
        file.parent.mkdir(exist_ok=True)
    create: Callable[..., Callable[[Request], Response]] = module.create
    if not options:
        return kind, module.settings(), create(file)
    try:
        return kind, module.settings(), create(file, **options)
    except (TypeError, ValueError) as error:
        words = f"sandbox:{platform} doesn't take {', '.join(options)}: {error}"
        raise ConfigError(f"{words}; leave it out after the ?.") from None
