"""Pictures of direct writes: looked at, and uploaded once, as those of plans are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from storebridge.flow import Status
from storebridge.models import Media, Product
from storebridge.store import AsyncStore, Store
from storebridge.store.base import Opening
from tests.pictures import CopyingAdapter, png

A = "https://src.example/a.jpg"


def tee(*urls: str, handle: str = "tee", alt: str = "") -> Product:
    given = {"alt": alt} if alt else {}
    return Product(handle=handle, title=handle, media=tuple(Media(url=u, **given) for u in urls))


def opened(tmp_path: Path, *, shares: bool = False) -> tuple[Store, CopyingAdapter]:
    adapter = CopyingAdapter(tmp_path / "copying.db", shares=shares)
    return Store(adapter, Opening(name="copying", state=tmp_path / "state")), adapter


@pytest.mark.parametrize("verb", ["create", "upsert", "update"])
def test_a_file_that_is_no_picture_is_refused(store: Store, tmp_path: Path, verb: str) -> None:
    if verb == "update":
        store.products.create(tee())
    (tmp_path / "x.jpg").write_text("no picture")
    outcome = getattr(store.products, verb)(tee((tmp_path / "x.jpg").as_uri()))
    assert (outcome.status, outcome.cause) == (Status.FAILED, "invalid")
    assert "x.jpg" in outcome.message
    found = store.products.find("tee")
    assert (found.media if found else ()) == ()


def test_a_second_run_of_a_script_uploads_nothing(tmp_path: Path) -> None:
    (tmp_path / "front.png").write_bytes(png())
    wanted = tee(A, (tmp_path / "front.png").as_uri())
    for run in range(3):
        store, adapter = opened(tmp_path)
        with store:
            (outcome,) = store.products.upsert_many([wanted])
            assert outcome.status is (Status.UNCHANGED if run else Status.APPLIED), outcome.message
            assert len(adapter.products.uploads) == (0 if run else 2)
            assert store.plan([wanted], tmp_path / f"{run}.plan").is_empty
            described = store.products.update(tee(A, alt=f"Seen in run {run}"))
            assert described.status is Status.APPLIED, described.message
            assert len(adapter.products.uploads) == (0 if run else 2)
            wanted = tee(A, (tmp_path / "front.png").as_uri())


def test_what_a_plan_uploaded_is_known(tmp_path: Path) -> None:
    store, adapter = opened(tmp_path)
    with store:
        assert store.plan([tee(A)], tmp_path / "a.plan").apply(store).ok
        assert store.products.upsert(tee(A)).status is Status.UNCHANGED
        assert len(adapter.products.uploads) == 1


def test_shared_media_are_attached(tmp_path: Path) -> None:
    store, adapter = opened(tmp_path, shares=True)
    with store:
        assert store.products.create(tee(A)).status is Status.APPLIED
        (held,) = next(store.products.iter()).media
        store.products.create(tee(A, handle="cap"))
        assert adapter.products.sent[-1].media[0].id == held.id
        assert adapter.products.uploads == [A]


def test_unknown_pictures_are_left_alone_and_told(tmp_path: Path) -> None:
    store, adapter = opened(tmp_path)
    with store:
        adapter.products.rename = "kept-{name}"
        store.products.create(tee("https://src.example/other.jpg"))
    store = Store(adapter, Opening(name="copying", state=tmp_path / "empty"))
    with store:
        outcome = store.products.upsert(tee(A))
        assert outcome.status is Status.UNCHANGED
        assert "pictures were left alone" in outcome.message


async def _twice(tmp_path: Path) -> list[Status]:
    found = []
    for _ in range(2):
        adapter = CopyingAdapter(tmp_path / "copying.db")
        async with AsyncStore(adapter, Opening(name="copying", state=tmp_path / "state")) as store:
            found.append((await store.products.upsert(tee(A))).status)
    return found


def test_async_stores_keep_the_same_ledger(tmp_path: Path) -> None:
    assert asyncio.run(_twice(tmp_path)) == [Status.APPLIED, Status.UNCHANGED]
