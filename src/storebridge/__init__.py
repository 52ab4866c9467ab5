"""storebridge: one model of products, orders and customers, and bulk work as plan and apply.

    import storebridge

    with storebridge.open("local:shop.db") as store:
        for product in store.products.iter():
            print(product.handle, product.title)

Names are loaded when they are first used, so that importing storebridge stays cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storebridge.errors import StorebridgeError
    from storebridge.flow import Request
    from storebridge.jobs import Job
    from storebridge.models import Money, Product, Variant
    from storebridge.plan import Plan, PlanFolder, plan_all
    from storebridge.store import AsyncStore, Store, open, open_async, stores

__version__ = "0.1.0"

_HOMES = {
    "AsyncStore": "storebridge.store",
    "Job": "storebridge.jobs",
    "Money": "storebridge.models",
    "Plan": "storebridge.plan",
    "PlanFolder": "storebridge.plan",
    "Product": "storebridge.models",
    "Request": "storebridge.flow",
    "Store": "storebridge.store",
    "StorebridgeError": "storebridge.errors",
    "Variant": "storebridge.models",
    "open": "storebridge.store",
    "open_async": "storebridge.store",
    "plan_all": "storebridge.plan",
    "stores": "storebridge.store",
}

__all__ = [
    "AsyncStore",
    "Job",
    "Money",
    "Plan",
    "PlanFolder",
    "Product",
    "Request",
    "Store",
    "StorebridgeError",
    "Variant",
    "__version__",
    "open",
    "open_async",
    "plan_all",
    "stores",
]


def __dir__() -> list[str]:
    """Return the public names, those that aren't loaded yet too."""
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    """Load a public name from its module the first time that it is used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'storebridge' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
