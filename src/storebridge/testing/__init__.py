"""What adapters and projects on storebridge are tested with. Public, like the models.

* `AdapterConformance`: the kit that an adapter's test subclasses.
* `VirtualClock`: time that passes only by sleeping.
* `FaultTransport`, `Fault`: a network and a server that fail as asked.
* `SandboxServer`: a sandbox behind a port of this machine.
* `Canaries`: secrets that must turn up nowhere.
* `Scrubber`, `Guard`, `strictly`: exchanges with real servers, recorded and played back.
* `plugin`: the pytest fixtures `virtual_clock`, `canaries`, `canary`, `no_network`.

Only the conformance kit, the plugin and cassettes need more (`pip install 'storebridge[testing]'`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storebridge.testing.canaries import Canaries, LeakedSecret
    from storebridge.testing.cassettes import Guard, Scrubber, strictly
    from storebridge.testing.clock import VirtualClock
    from storebridge.testing.conformance import AdapterConformance
    from storebridge.testing.faults import (
        Exchange,
        Fault,
        FaultTransport,
        Killed,
        at,
        seeded,
    )
    from storebridge.testing.sandbox import Handler, SandboxServer, answer, serve

__all__ = [
    "AdapterConformance",
    "Canaries",
    "Exchange",
    "Fault",
    "FaultTransport",
    "Guard",
    "Handler",
    "Killed",
    "LeakedSecret",
    "SandboxServer",
    "Scrubber",
    "VirtualClock",
    "answer",
    "at",
    "seeded",
    "serve",
    "strictly",
]

#: Loaded when they are first used: a sandbox needs no pytest, and a plugin must load fast.
_HOMES = {
    "AdapterConformance": "conformance",
    "Canaries": "canaries",
    "Exchange": "faults",
    "Fault": "faults",
    "FaultTransport": "faults",
    "Guard": "cassettes",
    "Handler": "sandbox",
    "Killed": "faults",
    "LeakedSecret": "canaries",
    "SandboxServer": "sandbox",
    "Scrubber": "cassettes",
    "VirtualClock": "clock",
    "answer": "sandbox",
    "at": "faults",
    "seeded": "faults",
    "serve": "sandbox",
    "strictly": "cassettes",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module the first time that it is used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'storebridge.testing' has no attribute {name!r}")
    home = importlib.import_module(f"storebridge.testing.{_HOMES[name]}")
    value = globals()[name] = getattr(home, name)
    return value
