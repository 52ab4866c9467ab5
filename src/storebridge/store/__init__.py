"""What users hold: a store, opened by name or URL, and its records.

    with storebridge.open("local:shop.db") as store:
        store.products.create(Product(handle="tee", title="Tee"))
        for product in store.products.iter(where="vendor = 'Acme'"):
            ...

`Store` works in threads, `AsyncStore` in tasks; both have the same names.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from storebridge.store.items import Items
from storebridge.store.opening import open, open_async, stores
from storebridge.store.sync import Store

if TYPE_CHECKING:
    from storebridge.store.aio import AsyncItems, AsyncStore

__all__ = ["AsyncItems", "AsyncStore", "Items", "Store", "open", "open_async", "stores"]


def __getattr__(name: str) -> Any:
    """Load the asynchronous classes when they are first used: asyncio costs time at import."""
    if name not in ("AsyncItems", "AsyncStore"):
        raise AttributeError(f"module 'storebridge.store' has no attribute {name!r}")
    value = getattr(importlib.import_module("storebridge.store.aio"), name)
    globals()[name] = value
    return value
