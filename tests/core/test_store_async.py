from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import storebridge
from storebridge.errors import AccessDenied, BadAnswer, NotFound, NotSupported, StorebridgeError
from storebridge.flow import Request, Status
from storebridge.models import Product, Variant
from storebridge.store import AsyncStore
from storebridge.store.base import Opening
from storebridge.where import WhereError
from tests.core.fake_platform import FakeAdapter

Use = Callable[[AsyncStore], Awaitable[None]]

TEE = Product(handle="tee", title="Tee", vendor="Acme", variants=(Variant(sku="A"),))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["local:shop.db", "sandbox:template"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def use(url: str, work: Use) -> None:
    async def main() -> None:
        async with storebridge.open_async(url, state="state") as store:
            await work(store)

    asyncio.run(main())


def use_fake(adapter: FakeAdapter, work: Use, **opening: str) -> None:
    async def main() -> None:
        options = {"name": "acme", "state": Path("state"), **opening}
        async with AsyncStore(adapter, Opening(**options)) as store:  # type: ignore[arg-type]
            await work(store)

    asyncio.run(main())


def test_reading_and_writing(url: str) -> None:
    async def work(store: AsyncStore) -> None:
        made = await store.products.create(TEE)
        assert made.status is Status.APPLIED
        assert (await store.products.get(made.id)).title == "Tee"
        found = await store.products.find("sku:A")
        assert found is not None
        assert found.id == made.id
        assert (await store.products.create(TEE)).cause == "conflict"
        assert (await store.products.update(TEE.but(title="New"))).status is Status.APPLIED
        assert (await store.products.update(TEE.but(title="New"))).status is Status.UNCHANGED
        titles = [product.title async for product in store.products.iter("vendor = 'Acme'")]
        assert titles == ["New"]
        assert [p async for p in store.products.iter("vendor = 'Beta'")] == []
        assert (await store.products.delete(made.id)).status is Status.APPLIED
        with pytest.raises(NotFound):
            await store.products.get(made.id)

    use(url, work)


def test_plans_run_in_a_worker_thread(url: str) -> None:
    async def work(store: AsyncStore) -> None:
        with await store.plan([TEE]) as plan:
            report = await store.apply(plan)
            assert report.ok
            with await store.undo(plan, "undo.plan") as back:
                assert not back.is_empty
        assert [p.handle async for p in store.products.iter()] == ["tee"]
        await store.pull("all.jsonl")
        assert "tee" in Path("all.jsonl").read_text(encoding="utf-8")

    use(url, work)


def test_tasks_at_once_ask_once_who_the_store_is() -> None:
    adapter = FakeAdapter()

    async def work(store: AsyncStore) -> None:
        infos = await asyncio.gather(*(store.info() for _ in range(5)))
        assert {info.id for info in infos} == {"fake-1"}
        assert adapter.asked == 1

    use_fake(adapter, work)


def test_many_records_come_in_order_over_several_rounds() -> None:
    adapter = FakeAdapter()

    async def work(store: AsyncStore) -> None:
        records = (Product(handle=f"p{number}", title="x") for number in range(19))
        outcomes = [outcome async for outcome in store.products.upsert_many(records)]
        assert [o.change for o in outcomes] == [f"handle:p{n}" for n in range(19)]
        assert {o.status for o in outcomes} == {Status.APPLIED}

    use_fake(adapter, work)
    assert max(len(batch.changes) for batch in adapter.products.batches) == 2


def test_errors_are_those_of_the_synchronous_store() -> None:
    adapter = FakeAdapter()
    adapter.products.cursors = ["", "a", "a"]

    async def work(store: AsyncStore) -> None:
        with pytest.raises(AccessDenied):
            await store.products.create(TEE)
        assert adapter.products.batches == []
        with pytest.raises(BadAnswer, match="go in circles"):
            [p async for p in store.products.iter()]
        with pytest.raises(WhereError):
            [p async for p in store.products.iter("x = 1")]
        with pytest.raises(NotSupported):
            store.require("order")
        assert not store.supports("order")

    use_fake(adapter, work, access="read")


def test_call_reaches_any_endpoint() -> None:
    async def work(store: AsyncStore) -> None:
        assert (await store.call(Request(method="GET", path="/info"))).status == 200
        with pytest.raises(StorebridgeError):
            await store.call(Request(method="GET", path="/nothing"))

    use("sandbox:template?memory", work)
