"""From a name, a tag or a URL to a store."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storebridge import config, registry
from storebridge.adapter import Adapter
from storebridge.config import StoreConfig
from storebridge.engine import EngineOptions, Event, HandlerTransport, Transport
from storebridge.errors import ConfigError
from storebridge.store.base import Opening
from storebridge.store.sync import Store

if TYPE_CHECKING:
    from storebridge.store.aio import AsyncStore

__all__ = ["open", "open_async", "opened", "stores"]

OnEvent = Callable[[Event], None]


def open(
    store: str, *, state: str | Path | None = None, on_event: OnEvent | None = None, **settings: Any
) -> Store:
    """Return a store; nothing is connected yet.

    Args:
        store: a name in storebridge.toml, or a URL: "local:shop.db", "sandbox:template",
            "woocommerce+https://shop.example", "shopify://name.myshopify.com".
        state: the folder of what is remembered per store; the user's data folder by default.
        on_event: called with each event of the engine.
        **settings: the adapter's settings, credentials among them; they beat the environment
            and files.

    Raises:
        ConfigError: if the store is unknown, or a setting is missing or wrong.
    """
    return opened(_one(store), state=state, on_event=on_event, **settings)


def open_async(
    store: str, *, state: str | Path | None = None, on_event: OnEvent | None = None, **settings: Any
) -> AsyncStore:
    """Return a store for use in tasks: `async with storebridge.open_async(...) as store`.

    The arguments are those of `open`.
    """
    from storebridge.store.aio import AsyncStore

    adapter, opening = _prepared(_one(store), state, on_event, settings)
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
    **settings: Any,
) -> Store:
    """Return the store that a configuration describes."""
    return Store(*_prepared(store, state, on_event, settings))


def _one(text: str) -> StoreConfig:
    found = config.resolve(text)
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise ConfigError(f"{text} means {len(found)} stores ({names}); use storebridge.stores().")
    return found[0]


def _prepared(
    store: StoreConfig,
    state: str | Path | None,
    on_event: OnEvent | None,
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
        options=EngineOptions(store=store.label),
    )
    return adapter, opening


def _sandbox(store: StoreConfig, settings: dict[str, Any]) -> tuple[Adapter, Transport]:
    """Return an adapter and the sandbox of its platform, in this process.

    The state is kept under `.storebridge` in the working folder; `?memory` keeps none.
    """
    platform, _, query = store.rest.partition("?")
    kind = registry.load(platform)
    home = getattr(kind, "sandbox", "")
    if not home:
        raise ConfigError(f"The {platform} adapter has no sandbox; try local:shop.db instead.")
    module = import_module(home)
    file = None if query == "memory" else Path(".storebridge") / f"sandbox-{platform}.sqlite"
    if file is not None:
        file.parent.mkdir(exist_ok=True)
    values = {**module.settings(), **store.options, **settings}
    adapter = kind(kind.Settings.model_validate(values))
    return adapter, HandlerTransport(module.create(file))
