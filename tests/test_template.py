"""The template of an adapter, a third party's starting point, passes the published kit."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from storebridge_template import TemplateAdapter, TemplateSettings
from storebridge_template.sandbox import Sandbox, create

from storebridge.adapter import Batch, Change, Query
from storebridge.engine import Engine, HandlerTransport
from storebridge.errors import AuthError
from storebridge.flow import Outcome, Status
from storebridge.models import Money, Product, Variant
from storebridge.testing import (
    AdapterConformance,
    Canaries,
    FaultTransport,
    SandboxServer,
    VirtualClock,
    seeded,
)


class TestTemplate(AdapterConformance):
    def adapter(self, folder: Path, canaries: Canaries) -> TemplateAdapter:
        return adapter(canaries.secret("token"), page_size=2)

    def handler(self, folder: Path) -> Sandbox:
        return create(folder / "template.db")


def adapter(token: str = "kit", page_size: int = 100) -> TemplateAdapter:
    return TemplateAdapter(
        TemplateSettings(url="http://127.0.0.1:1", token=SecretStr(token), page_size=page_size)
    )


def creation(name: str, **fields: Any) -> Change[Product]:
    desired = Product(handle=name, title=f" {name} ", **fields)
    return Change(id=name, action="create", part="core", key=f"handle:{name}", desired=desired)


def priced(price: str, struck: str, sku: str = "") -> Product:
    variant = Variant(sku=sku, price=Money.parse(price), compare_at_price=Money.parse(struck))
    return Product(handle="tee", title="Tee", variants=(variant,))


def test_a_struck_price_below_the_price_does_not_fit() -> None:
    records = adapter().records("product")
    [fit] = records.check(priced("10 EUR", "10 EUR"))
    assert (fit.field, fit.source) == ("variants.compare_at_price", "Template manual, Prices")
    assert list(records.check(priced("10 EUR", "10.01 EUR"))) == []


def test_rights_are_told_apart() -> None:
    state, batch = create(), Batch(id="1", changes=(creation("tee"),))
    for token in ("read-only", "revoked"):
        shop = adapter(token)
        with Engine(shop, clock=VirtualClock(), transport=HandlerTransport(state)) as engine:
            if token == "revoked":
                with pytest.raises(AuthError):
                    engine.run_batch(shop.records("product"), batch)
                continue
            [outcome] = engine.run_batch(shop.records("product"), batch)
            assert (outcome.status, outcome.cause, outcome.http_status) == ("failed", "denied", 403)
    state.close()


def test_a_taken_sku_is_a_conflict_with_its_field(tmp_path: Path) -> None:
    shop, state = adapter(), create(tmp_path / "t.db")
    records = shop.records("product")
    with Engine(shop, clock=VirtualClock(), transport=HandlerTransport(state)) as engine:
        changes = [creation(n, variants=(Variant(sku="A"),)) for n in ("one", "two")]
        first, second = engine.run_batch(records, Batch(id="1", changes=tuple(changes)))
        assert (first.status, second.status) == (Status.APPLIED, Status.FAILED)
        assert (second.cause, second.http_status) == ("conflict", 409)
        assert len(engine.run(records.page(Query(), "")).records) == 1
    state.close()


def test_the_rate_limit_is_kept_and_no_change_is_lost() -> None:
    clock, shop = VirtualClock(), adapter()
    state = create()
    state.clock, state.limited, state.filled = clock.time, True, clock.time()
    transport = FaultTransport(HandlerTransport(state), clock=clock)
    with Engine(shop, clock=clock, transport=transport) as engine:
        changes = tuple(creation(f"p-{number}") for number in range(150))
        outcomes = engine.run_batch(shop.records("product"), Batch(id="1", changes=changes))
    assert {outcome.status for outcome in outcomes} == {Status.APPLIED}
    throttled = [each for each in transport.history if each.status == 429]
    assert len(throttled) <= 0.2 * len(changes)
    assert 50 <= clock.elapsed <= 70, "110 requests above the burst, two a second"
    state.close()


def test_the_sandbox_answers_over_http_as_in_process(tmp_path: Path) -> None:
    with SandboxServer(create(tmp_path / "t.db")) as server:
        settings = TemplateSettings(url=server.url, token=SecretStr("kit"), page_size=2)
        shop = TemplateAdapter(settings)
        with Engine(shop) as engine:
            changes = tuple(creation(f"ä-{number}") for number in range(3))
            outcomes = engine.run_batch(shop.records("product"), Batch(id="1", changes=changes))
            assert [outcome.status for outcome in outcomes] == [Status.APPLIED] * 3
            page = engine.run(shop.records("product").page(Query(), ""))
            assert [product.handle for product in page.records] == ["ä-0", "ä-1"]
            assert (page.total, bool(page.cursor)) == (3, True)


class Oracle:
    """Creates products under faults, and holds what is claimed against what is there."""

    def __init__(self, seed: int) -> None:
        self.clock, self.shop, self.state = VirtualClock(), adapter(), create()
        transport = FaultTransport(
            HandlerTransport(self.state), seeded(seed, 0.3), clock=self.clock
        )
        self.engine = Engine(self.shop, clock=self.clock, transport=transport)
        self.claimed: dict[str, Outcome] = {}

    def create(self, names: list[str]) -> None:
        batch = Batch(id=names[0], changes=tuple(creation(name) for name in names))
        for _ in range(20):
            outcomes = self.engine.run_batch(self.shop.records("product"), batch)
            self.claimed.update((outcome.change, outcome) for outcome in outcomes)
            unsure = {each.change for each in outcomes if each.status is Status.UNKNOWN}
            if not unsure:
                return
            self.clock.advance(600)
            rest = tuple(change for change in batch.changes if change.id in unsure)
            batch = replace(batch, changes=rest, uncertain=frozenset(unsure))

    def check(self) -> Counter[Status]:
        found: Counter[str] = Counter()
        with Engine(self.shop, clock=self.clock, transport=HandlerTransport(self.state)) as engine:
            cursor = ""
            while True:
                page = engine.run(self.shop.records("product").page(Query(), cursor))
                found.update(product.title for product in page.records)
                if not (cursor := page.cursor):
                    break
        for name, outcome in self.claimed.items():
            assert found[name] == (outcome.status is Status.APPLIED), f"{name}: {outcome}"
        assert sum(found.values()) <= len(self.claimed)
        return Counter(outcome.status for outcome in self.claimed.values())


def campaign(seed: int, size: int) -> None:
    oracle = Oracle(seed)
    for start in range(0, size, 10):
        oracle.create([f"p-{number}" for number in range(start, start + 10)])
    counts = oracle.check()
    assert sum(counts.values()) == size
    assert counts[Status.UNKNOWN] == 0, "a resume settles what has a key"
    assert counts[Status.APPLIED] >= 0.98 * size
    oracle.engine.close()
    oracle.state.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_creates_under_faults_are_never_doubled_or_lost(seed: int) -> None:
    campaign(seed, 150)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_creates_under_faults_for_long(seed: int) -> None:
    campaign(seed, 1000)
