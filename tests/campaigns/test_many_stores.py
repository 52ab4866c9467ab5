"""Many stores at once: no request with another store's token, and nobody's trouble is shared.

Twenty stores behind ports of this machine are planned and applied side by side in threads. Each
one's report must equal that of a run alone, and each server sees its own token only.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from storebridge.adapter import Adapter
from storebridge.engine import EngineOptions, HandlerTransport, Transport
from storebridge.engine.transport import HttpTransport
from storebridge.errors import StorebridgeError
from storebridge.flow import Request, Response
from storebridge.store import Store
from storebridge.store.base import Opening
from storebridge.testing import Canaries, Fault, FaultTransport, SandboxServer, seeded
from storebridge.testing.sandbox import header
from tests.campaigns.rig import Shop, catalogue, docs, template, unsynced

#: What is wrong with a store, by its number; most are fine.
TROUBLES: dict[int, Callable[[int], Any]] = {
    3: lambda seed: seeded(seed, 0.3, (Fault.LOST, Fault.BROKEN)),
    7: lambda seed: seeded(seed, 0.4, (Fault.THROTTLED,)),
    11: lambda seed: lambda number, request: Fault.NOT_SENT if number > 20 else None,
    13: lambda seed: lambda number, request: Fault.BROKEN if request.kind.mutates else None,
    17: lambda seed: seeded(seed, 0.2, (Fault.HTML, Fault.CUT)),
}
REVOKED = 19


class Client:
    """One client's store: a server that lets its own token in only, and what came of a plan."""

    def __init__(self, folder: Path, number: int, canaries: Canaries, seed: int) -> None:
        self.number, self.seed = number, seed
        prefix = "revoked" if number == REVOKED else ""
        self.token = canaries.secret(f"{folder.name} {number}", prefix)
        self.shop = Shop(folder / str(number), token=self.token)
        self.asked = self.strangers = 0

    def serve(self, request: Request) -> Response:
        """Answer, and note who came with another store's token."""
        self.asked += 1
        self.strangers += header(request, "x-template-token") != self.token
        return self.shop.sandbox(request)

    def run(self) -> tuple[Any, ...]:
        """Plan and apply over HTTP; return the report, or the error, and what is in the store."""
        with SandboxServer(self.serve) as server:
            return self._apply(template(server.url, self.token), _http(server.url))

    def run_alone(self) -> tuple[Any, ...]:
        """Plan and apply in this process; return the same."""
        return self._apply(template(token=self.token), HandlerTransport(self.serve))

    def _apply(self, adapter: Adapter, inner: Transport) -> tuple[Any, ...]:
        clock, folder = self.shop.clock, self.shop.folder
        trouble = TROUBLES.get(self.number)
        faulty = FaultTransport(inner, trouble and trouble(self.number), clock=clock)
        opening = Opening(state=folder / "state", clock=clock, transport=faulty)
        told: Any
        with Store(adapter, opening) as store:
            try:
                records = catalogue(self.seed + self.number, 1)
                with store.plan(records, folder / "client.plan", stock=True) as plan:
                    unsynced(plan)
                    report = plan.apply(store)
            except StorebridgeError as error:
                told = (type(error).__name__,)
            else:
                items = sorted((i.label, i.part, i.status, i.cause) for i in report.items())
                told = (report.ok, items)
        return told, docs(self.shop.sandbox)


def _http(url: str) -> Transport:
    return HttpTransport(url, EngineOptions())


def side_by_side(folder: Path, canaries: Canaries, seed: int, stores: int = 20) -> int:
    """Run stores alone, then all at once; return how many requests they had together."""
    alone, together = (
        [Client(folder / name, number, canaries, seed) for number in range(stores)]
        for name in ("alone", "together")
    )
    expected = [client.run_alone() for client in alone]
    with ThreadPoolExecutor(stores) as pool:
        found = list(pool.map(Client.run, together))
    for client, wanted, came in zip(together, expected, found, strict=True):
        assert came == wanted, f"store {client.number} went otherwise than alone"
        assert not client.strangers, f"store {client.number} was sent another one's token"
    fine = [told for told, _ in found if told[0] is True]
    assert 0.6 * stores <= len(fine) < stores, "a tenth and more has trouble, the rest has none"
    for client in (*alone, *together):
        client.shop.sandbox.close()
    return sum(client.asked for client in together)


def test_twenty_stores_side_by_side(tmp_path: Path, canaries: Canaries) -> None:
    assert side_by_side(tmp_path, canaries, seed=0) > 250


@pytest.mark.soak
def test_twenty_stores_side_by_side_for_long(tmp_path: Path, canaries: Canaries) -> None:
    rounds = (side_by_side(tmp_path / str(seed), canaries, 20 * seed) for seed in range(25))
    assert sum(rounds) > 10_000
