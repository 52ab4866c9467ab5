"""A sandbox shop with an adapter on an engine, and everything that was asked of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from storebridge.adapter import Batch, Change
from storebridge.engine import Engine, EngineOptions, HandlerTransport
from storebridge.flow import Outcome, Request, Response
from storebridge.models import Money, Option, Product, Record, Variant
from storebridge.store import Store
from storebridge.store.base import Opening
from storebridge.testing import VirtualClock
from storebridge.testing.rig import creation
from storebridge_shopify import ShopifyAdapter, ShopifySettings
from storebridge_shopify.sandbox import create, settings

Handler = Callable[[Request], Response]


class Shop:
    """One shop; `between` stands between the adapter and the sandbox."""

    def __init__(
        self, between: Callable[[Request, Handler], Response] | None = None, **values: Any
    ) -> None:
        self.clock = VirtualClock()
        self.sandbox = create(None, clock=self.clock.time)
        self.sent: list[dict[str, Any]] = []
        self.between = between
        self.adapter = ShopifyAdapter(ShopifySettings.model_validate({**settings(), **values}))
        self.engine = Engine(
            self.adapter,
            clock=self.clock,
            transport=HandlerTransport(self.answer),
            options=EngineOptions(tries=2),
        )
        self.ids: dict[str, str] = {}
        self._batches = 0
        self.engine.run(self.adapter.info())
        self.sent.clear()

    def answer(self, request: Request) -> Response:
        """Answer a request, and keep what it asked for."""
        if isinstance(request.body, bytes):
            self.sent.append(json.loads(request.body))
        if self.between is not None:
            return self.between(request, self.sandbox)
        return self.sandbox(request)

    def person(self, text: str, **variables: Any) -> dict[str, Any]:
        """Do something beside the adapter, and return the data of the answer."""
        body = json.dumps({"query": text, "variables": variables}).encode()
        headers = {
            "content-type": "application/json",
            "x-shopify-access-token": settings()["token"],
        }
        path = "/admin/api/2026-10/graphql.json"
        answer = json.loads(
            self.sandbox(Request(method="POST", path=path, headers=headers, body=body)).body
        )
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    def write(self, kind: str, *changes: Change[Any], **fields: Any) -> tuple[Outcome, ...]:
        self._batches += 1
        fields = {"id": f"batch-{self._batches}", "ids": dict(self.ids), **fields}
        return self.engine.run_batch(self.adapter.records(kind), Batch(changes=changes, **fields))

    def create(self, *records: Record) -> list[str]:
        """Create records and return their ids."""
        found = []
        for record in records:
            [outcome] = self.write(record.kind, creation(record))
            assert outcome.id, outcome
            self.ids |= {f"{record.kind} {key}": outcome.id for key in record.keys()}  # noqa: SIM118 - a method of ours
            found.append(outcome.id)
        self.sent.clear()
        return found

    def update(self, id: str, desired: Record, part: str = "core", **more: Any) -> Outcome:
        """Write one part of a record."""
        change: Change[Any] = Change(
            id="1", action="update", part=part, record_id=id, desired=desired, **more
        )
        return self.write(desired.kind, change)[0]

    def read(self, id: str, kind: str = "product") -> Any:
        [found] = self.engine.run(self.adapter.records(kind).fetch([f"id:{id}"], None))
        return found

    @property
    def operations(self) -> list[str]:
        """The names of the operations that were sent."""
        return [operation(each) for each in self.sent]

    def variables(self, name: str) -> list[Any]:
        """Return what was sent with each operation of a name."""
        return [each["variables"] for each in self.sent if operation(each) == name]


def opened(folder: Path, **switches: Any) -> Store:
    """Return a store on a sandbox of its own, both by one virtual clock."""
    clock = VirtualClock()
    transport = HandlerTransport(create(None, clock=clock.time, **switches))
    opening = Opening(state=folder / "state", clock=clock, transport=transport)
    return Store(ShopifyAdapter(ShopifySettings(**settings())), opening)


def operation(body: dict[str, Any]) -> str:
    words = str(body["query"]).partition("\n")[2].replace("(", " ").split()
    at = next(n for n, word in enumerate(words) if word in ("query", "mutation"))
    return words[at + 1]


def eur(text: str) -> Money:
    return Money(text, "EUR")


def tee(handle: str = "tee", **fields: Any) -> Product:
    """A product in three sizes."""
    variants = tuple(
        Variant(sku=f"{handle}-{size}", options=(size,), price=eur("19.90")) for size in "SML"
    )
    values = {"title": "Tee", "options": (Option(name="Size", values=("S", "M", "L")),)}
    return Product.model_validate({"handle": handle, **values, "variants": variants, **fields})
