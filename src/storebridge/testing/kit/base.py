"""What the author of a conformance test gives, and the fixtures that the kit's tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from storebridge.adapter import PARTS, Adapter, Field, Records
from storebridge.errors import NotSupported
from storebridge.models import KINDS, Record, StoreInfo
from storebridge.parts import declared
from storebridge.testing import samples
from storebridge.testing.canaries import Canaries
from storebridge.testing.rig import Rig
from storebridge.testing.sandbox import Handler

__all__ = ["Base", "Rigs", "kinds", "part_of"]

Rigs = Callable[[str], Rig]

#: Runs a test for each kind of record; it is skipped where the adapter says NotSupported.
kinds = pytest.mark.parametrize("kind", list(KINDS))


class Base:
    """What to give: `adapter` and, for a platform with a network, `handler`."""

    #: How many records make more than two pages; give the adapter a small page size.
    walk_records: int = 7
    #: What the adapter can't do yet, by the name of the test ("test_x" or "test_x[product]"), with
    #: the reason. Such a test has to fail: when it passes, take the gap out.
    known_gaps: Mapping[str, str] = {}

    def adapter(self, folder: Path, canaries: Canaries) -> Adapter:
        """Return an adapter for the store in a folder, with canaries for secrets.

        The kit asks more than once for the same folder: it must be the same store each time.
        """
        raise NotImplementedError("give the adapter to test")

    def handler(self, folder: Path) -> Handler | None:
        """Return the sandbox of the store in a folder; None for stores without a network."""
        return None

    def sample(self, kind: str, number: int, info: StoreInfo) -> Record:
        """Return a record with every field given; number 1 and 2 differ in every field.

        Both have the same options and variants. Override it where a platform takes special values
        only; fields that the adapter doesn't declare are dropped anyway.
        """
        return samples.sample(kind, number, info)

    def minimal(self, kind: str, name: str, info: StoreInfo) -> Record:
        """Return a record with little more than the keys that are made of a name."""
        return samples.minimal(kind, name, info)

    @contextmanager
    def open_rigs(self, folder: Path, canaries: Canaries) -> Iterator[Rigs]:
        """Give a function that opens the store of a name; all are closed at the end.

        Raises:
            LeakedSecret: if the path or a parameter of a request had a canary.
        """
        opened: list[Rig] = []

        def open_rig(name: str) -> Rig:
            opened.append(Rig(self, folder / name, canaries))
            return opened[-1]

        try:
            yield open_rig
        finally:
            for rig in opened:
                rig.close()
        for exchange in (exchange for rig in opened for exchange in rig.exchanges):
            request = exchange.request
            canaries.check("where a request goes", request.path, request.params)

    @pytest.fixture
    def rigs(self, tmp_path: Path, canaries: Canaries, no_network: None) -> Iterator[Rigs]:
        """Opens the store of a name; the same name is the same store."""
        with self.open_rigs(tmp_path, canaries) as rigs:
            yield rigs

    @pytest.fixture
    def rig(self, rigs: Rigs) -> Rig:
        """A new store."""
        return rigs("store")

    @pytest.fixture(autouse=True)
    def _known_gap(self, request: pytest.FixtureRequest) -> None:
        """Turn a known gap into an expected failure."""
        name = request.node.name
        reason = self.known_gaps.get(name) or self.known_gaps.get(name.partition("[")[0])
        if reason:
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))

    def supported(self, rig: Rig, kind: str) -> Records[Any]:
        """Return a kind of record; skip the test, with the adapter's reason, where it lacks it."""
        try:
            return rig.records(kind)
        except NotSupported as lacking:
            pytest.skip(str(lacking))

    def networked(self, rig: Rig) -> None:
        """Skip the test for a store that isn't asked over HTTP."""
        if not rig.has_network:
            pytest.skip("this store has no network")

    def pruned(self, rig: Rig, kind: str, number: int) -> Any:
        """Return a sample with the fields that the store can hold."""
        if kind == "product":
            rig.furnish()
        return samples.prune(self.sample(kind, number, rig.info), rig.records(kind).fields)

    def small(self, rig: Rig, kind: str, name: str) -> Any:
        """Return a minimal record with the fields that the store can hold."""
        return samples.prune(self.minimal(kind, name, rig.info), rig.records(kind).fields)


def part_of(path: str, fields: Mapping[str, Field]) -> str:
    """Return the part that a field is written in: its own, else the first of those in it."""
    if (known := declared(path, fields)) is not None:
        return known.part
    inside = {field.part for other, field in fields.items() if other.startswith(f"{path}.")}
    return next(part for part in PARTS if part in inside)
