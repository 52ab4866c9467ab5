from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest

import storebridge
from storebridge.store import AsyncItems, AsyncStore, Items, Store

PUBLIC = [
    "storebridge",
    "storebridge.adapter",
    "storebridge.errors",
    "storebridge.flow",
    "storebridge.jobs",
    "storebridge.models",
    "storebridge.plan",
    "storebridge.store",
    "storebridge.testing",
    "storebridge.webhooks",
    "storebridge.where",
    "storebridge.wire",
]

#: What a store for tasks does in another way: nothing may block in a property.
AWAITED = {"info", "engine", "state"}
#: Plans know nothing of tasks, so their methods are the store's there.
ONLY_ASYNC = {"aclose", "apply", "replan", "undo"}
ONLY_SYNC = {"close"}


def names(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_there_and_documented(module: str) -> None:
    found = importlib.import_module(module)
    assert found.__doc__
    assert len(set(found.__all__)) == len(found.__all__)
    undocumented = [name for name, value in _own(found) if not inspect.getdoc(value)]
    assert undocumented == []


def _own(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Yield the classes and functions of a module, and the public methods of its classes."""
    for name in module.__all__:
        value = getattr(module, name)
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        yield name, value
        if inspect.isclass(value):
            for method, member in vars(value).items():
                if not method.startswith("_") and inspect.isfunction(member):
                    yield f"{name}.{method}", member


def test_the_front_door_has_what_it_says() -> None:
    for name in storebridge.__all__:
        assert getattr(storebridge, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        storebridge.nothing  # noqa: B018 - the look at it is what raises


def test_both_stores_have_the_same_names() -> None:
    assert names(Store) - ONLY_SYNC == names(AsyncStore) - ONLY_ASYNC
    assert names(Items) == names(AsyncItems)
    for name in names(Store) & names(AsyncStore):
        one, other = vars(Store)[name], vars(AsyncStore)[name]
        assert isinstance(one, property) == isinstance(other, property) or name in AWAITED


@pytest.mark.parametrize("name", sorted(names(Items)))
def test_both_kinds_of_items_take_the_same_arguments(name: str) -> None:
    one, other = getattr(Items, name), getattr(AsyncItems, name)
    assert [p.replace(annotation=None) for p in inspect.signature(one).parameters.values()] == [
        p.replace(annotation=None) for p in inspect.signature(other).parameters.values()
    ]
