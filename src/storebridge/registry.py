"""Where adapters come from: the entry points of installed packages, loaded only when named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from storebridge.adapter import CONTRACT, Adapter
from storebridge.errors import ConfigError

__all__ = ["GROUP", "Installed", "installed", "load", "names"]

#: The entry-point group in which a package offers its adapters.
GROUP = "storebridge.adapters"


@dataclass(frozen=True, slots=True)
class Installed:
    """One adapter that a package offers; nothing of it has been imported."""

    name: str
    package: str
    version: str
    target: str
    """Where its class is: "storebridge_local:LocalAdapter"."""


def installed() -> tuple[Installed, ...]:
    """Return every adapter that installed packages offer, by name; imports none of them."""
    found = (_installed(point) for point in entry_points(group=GROUP))
    return tuple(sorted(found, key=lambda one: (one.name, one.package)))


def names() -> tuple[str, ...]:
    """Return the names of the adapters that are installed."""
    return tuple(dict.fromkeys(one.name for one in installed()))


@cache
def load(name: str) -> type[Adapter]:
    """Return the adapter class that goes by a name; imports its package.

    Raises:
        ConfigError: if no package or more than one offers the name, or if what it offers can't be
            imported, is no adapter, or keeps to another version of the contract.
    """
    points = list(entry_points(group=GROUP, name=name))
    if not points:
        raise ConfigError(
            f"No adapter is called {name!r}; installed: {_list(names()) or 'none'}. "
            "An adapter is a package: install it with pip beside storebridge, or write one "
            "(ADDING_A_PLATFORM.md)."
        )
    if len(points) > 1:
        raise ConfigError(
            f"More than one package offers an adapter called {name!r}: "
            f"{_list(_package(point) for point in points)}. Uninstall all but one."
        )
    return _checked(points[0])


def _checked(point: EntryPoint) -> type[Adapter]:
    offer = f"The adapter {point.name!r} of {_package(point)}"
    try:
        found = point.load()
    except Exception as error:  # whatever a stranger's import raises
        raise ConfigError(f"{offer} can't be imported ({point.value}): {error!r}") from error
    if not (isinstance(found, type) and issubclass(found, Adapter)):
        raise ConfigError(f"{offer} is no subclass of storebridge.adapter.Adapter ({point.value}).")
    if found.contract != CONTRACT:
        older = found.contract < CONTRACT
        remedy = f"Update {'the adapter' if older else 'storebridge'}."
        raise ConfigError(
            f"{offer} keeps to version {found.contract} of the adapter contract, this storebridge "
            f"to version {CONTRACT}. {remedy}"
        )
    if found.name != point.name:
        raise ConfigError(f"{offer} calls itself {found.name!r}; the two names must be the same.")
    return found


def _installed(point: EntryPoint) -> Installed:
    dist = point.dist
    return Installed(
        point.name, dist.name if dist else "", dist.version if dist else "", point.value
    )


def _package(point: EntryPoint) -> str:
    one = _installed(point)
    return f"{one.package} {one.version}".strip()


def _list(words: Iterable[str]) -> str:
    return ", ".join(words)
