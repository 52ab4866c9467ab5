"""The engine: the only part that does I/O. It runs flows and carries their requests.

`Engine` runs them in threads, `AsyncEngine` in tasks; both decide alike (`engine.core`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from storebridge.engine.base import Done, EngineOptions, HandlerTransport, Job, Journal, Transport
from storebridge.engine.clock import SystemClock
from storebridge.engine.events import (
    Event,
    Noticed,
    Progress,
    RequestSent,
    ResponseReceived,
    Retrying,
    Throttled,
    Waiting,
)
from storebridge.engine.runner import Engine

if TYPE_CHECKING:
    from storebridge.engine.arunner import AsyncEngine
    from storebridge.engine.transport import HttpTransport

__all__ = [
    "AsyncEngine",
    "Done",
    "Engine",
    "EngineOptions",
    "Event",
    "HandlerTransport",
    "HttpTransport",
    "Job",
    "Journal",
    "Noticed",
    "Progress",
    "RequestSent",
    "ResponseReceived",
    "Retrying",
    "SystemClock",
    "Throttled",
    "Transport",
    "Waiting",
]

#: Loaded when they are first used: asyncio and the HTTP library cost time at import.
_HOMES = {
    "AsyncEngine": "storebridge.engine.arunner",
    "HttpTransport": "storebridge.engine.transport",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module the first time that it is used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'storebridge.engine' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
