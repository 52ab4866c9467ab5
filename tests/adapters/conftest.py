"""Tests marked `vcr` play `cassettes/<platform>/<test_module>/<test>.yaml`, strictly.

To record them again, from a server of one's own that may be emptied:

    STOREBRIDGE_RECORD=record.toml pytest tests/adapters/woocommerce/test_recorded_products.py

What the file says, and what of an exchange is kept, is in `tests/adapters/<platform>/recorded.py`.
"""

from __future__ import annotations

import os
import subprocess
import time
import tomllib
from collections.abc import Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from storebridge.testing import Canaries, Guard, VirtualClock, strictly

CASSETTES = Path(__file__).parent.parent.parent / "cassettes"


@pytest.fixture(scope="module")
def platform(request: pytest.FixtureRequest) -> ModuleType:
    """The module `recorded` of the test's platform: its rules, and how its stores are opened."""
    return import_module(f"tests.adapters.{request.path.parent.name}.recorded")


@pytest.fixture(scope="module")
def server(platform: ModuleType) -> dict[str, Any] | None:
    """The server to record from; None means to play."""
    named = os.environ.get("STOREBRIDGE_RECORD")
    return tomllib.loads(Path(named).read_text(encoding="utf-8")) if named else None


@pytest.fixture(scope="module")
def vcr_cassette_dir(request: pytest.FixtureRequest) -> str:
    return str(CASSETTES / request.path.parent.name / request.path.stem)


@pytest.fixture
def vcr_cassette_name(
    request: pytest.FixtureRequest, vcr_cassette_dir: str, server: dict[str, Any] | None
) -> str:
    """The test's name; what was recorded before is deleted, its time too."""
    name = str(request.node.name)
    if server is not None:
        Path(vcr_cassette_dir, f"{name}.yaml").unlink(missing_ok=True)
    return name


@pytest.fixture(scope="module")
def vcr_config(platform: ModuleType, server: dict[str, Any] | None) -> dict[str, Any]:
    settings: dict[str, Any] = platform.rules(server).settings(record=server is not None)
    return settings


@pytest.fixture(scope="module")
def vcr(vcr: Any, platform: ModuleType, server: dict[str, Any] | None) -> Any:
    canaries = Canaries()
    for name, value in platform.secrets(server or {}).items():
        canaries.watch(name, value)
    vcr.register_serializer("guarded", Guard(canaries))
    vcr.serializer = "guarded"
    return vcr


@pytest.fixture(autouse=True)
def _strict(request: pytest.FixtureRequest) -> Iterator[None]:
    """Play a marked test's cassette from its first exchange to its last."""
    if request.node.get_closest_marker("vcr") is None:
        yield
        return
    with strictly(request.getfixturevalue("vcr_cassette")):
        yield


@pytest.fixture
def cassette_clock(request: pytest.FixtureRequest) -> VirtualClock:
    """A clock that starts when the cassette was recorded: times that requests name are the same."""
    cassette = request.getfixturevalue("vcr_cassette")
    return VirtualClock(float(cassette.get_metadata("started", float(int(time.time())))))


@pytest.fixture
def shop(
    platform: ModuleType,
    server: dict[str, Any] | None,
    cassette_clock: VirtualClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Any]:
    """The platform's shop, brought back to its beginning before it is recorded."""
    if server is not None:
        subprocess.run(server["reset"], check=True)
    numbers = count(1)
    monkeypatch.setattr(
        "storebridge.direct.uuid4", lambda: SimpleNamespace(hex=f"{next(numbers):032x}")
    )
    platform.steady(monkeypatch)
    opened = platform.Shop(server, cassette_clock, tmp_path)
    yield opened
    opened.close()
