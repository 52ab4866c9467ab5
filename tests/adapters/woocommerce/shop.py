"""A sandbox shop with an adapter on an engine, and everything that was asked of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from storebridge.adapter import Batch, Change
from storebridge.engine import Engine, EngineOptions, HandlerTransport
from storebridge.flow import Outcome, Request, Response
from storebridge.models import Money, Product, Record, Variant
from storebridge.testing import VirtualClock
from storebridge.testing.rig import creation
from storebridge_woocommerce import WooCommerceAdapter, WooCommerceSettings
from storebridge_woocommerce.sandbox import create, settings

Handler = Callable[[Request], Response]


class Shop:
    """One shop; `between` stands between the adapter and the sandbox."""

    def __init__(
        self,
        between: Callable[[Request, Handler], Response] | None = None,
        switches: dict[str, Any] | None = None,
        **values: Any,
    ) -> None:
        self.clock = VirtualClock()
        self.sandbox = create(None, **(switches or {}))
        self.requests: list[Request] = []
        self.between = between
        given = {**settings(), **values}
        self.adapter = WooCommerceAdapter(WooCommerceSettings.model_validate(given))
        self.engine = Engine(
            self.adapter,
            clock=self.clock,
            transport=HandlerTransport(self._answer),
            options=EngineOptions(tries=2),
        )
        self.ids: dict[str, str] = {}
        self._batches = 0

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        if self.between is not None:
            return self.between(request, self.sandbox)
        return self.sandbox(request)

    def learn(self) -> None:
        """Ask for the shop's facts, and forget what was asked so far."""
        self.engine.run(self.adapter.info())
        self.requests.clear()

    def write(self, kind: str, *changes: Change[Any], **fields: Any) -> tuple[Outcome, ...]:
        self._batches += 1
        fields = {"id": f"batch-{self._batches}", "ids": dict(self.ids), **fields}
        return self.engine.run_batch(self.adapter.records(kind), Batch(changes=changes, **fields))

    def create(self, *records: Record) -> tuple[Outcome, ...]:
        changes = (creation(record, str(n)) for n, record in enumerate(records))
        outcomes = self.write(records[0].kind, *changes)
        self.ids |= {
            f"{record.kind} {key}": outcome.id
            for record, outcome in zip(records, outcomes, strict=True)
            for key in record.keys()  # noqa: SIM118 - the names of a record
        }
        return outcomes

    def update(self, record_id: str, *, part: str = "core", **given: Any) -> Outcome:
        change: Change[Product] = Change(
            id="u", action="update", part=part, record_id=record_id, desired=Product(**given)
        )
        return self.write("product", change)[0]

    def fetch(self, *keys: str) -> tuple[Any, ...]:
        found: tuple[Any, ...] = self.engine.run(self.adapter.records("product").fetch(keys, None))
        return found

    def all(self) -> list[Any]:
        return self.sandbox_rows("/wp-json/wc/v3/products")

    def sandbox_rows(self, path: str) -> list[Any]:
        """Return what the sandbox itself lists, past the adapter."""
        request = Request(method="GET", path=path, params=(("per_page", "100"),))
        prepared = self.adapter.prepare(request, _nobody(), "n", 0.0)
        rows: list[Any] = json.loads(self.sandbox(prepared).body)
        return rows

    def bodies(self, method: str = "POST") -> list[Any]:
        """Return the JSON that was sent."""
        sent = (r.body for r in self.requests if r.method == method)
        return [json.loads(body) for body in sent if isinstance(body, bytes)]


def tee(name: str, **given: Any) -> Product:
    """A simple product."""
    variant = {"sku": name.upper(), "price": Money("9.90", "USD"), **given.pop("variant", {})}
    return Product(
        **{"handle": name, "title": f"Tee {name}", "variants": (Variant(**variant),), **given}
    )


def _nobody() -> Any:
    from storebridge.adapter import Credentials

    return Credentials()
