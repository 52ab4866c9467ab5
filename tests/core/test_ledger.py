"""Pictures are uploaded once: the ledger knows them by content and by source."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import storebridge
from storebridge.errors import SourceError
from storebridge.models import Collection, Media, Product, Variant
from storebridge.plan import Plan
from storebridge.store import Store
from storebridge.store.base import Opening
from tests.conftest import OpenStore
from tests.pictures import CopyingAdapter, png

A, B = "https://src.example/a.jpg", "https://src.example/b.jpg"


def file_url(path: Path) -> str:
    return path.resolve().as_uri()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures beside a sheet that lists them."""
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "front.png").write_bytes(png())
    (tmp_path / "pics" / "back side.png").write_bytes(png(5, 5))
    sheet(tmp_path, "pics/front.png | pics/back side.png")
    return tmp_path


def sheet(folder: Path, media: str, column: str = "media") -> Path:
    path = folder / "sheet.csv"
    path.write_text(f"handle,title,sku,{column}\ntee,Tee,T,{media}\n")
    return path


def run(store: Store, source: Any, tmp_path: Path, **options: Any) -> Plan:
    """Plan and apply, and return the plan; whatever was planned must be done."""
    plan = store.plan(source, tmp_path / f"{len(list(tmp_path.glob('*.plan')))}.plan", **options)
    report = plan.apply(store)
    assert report.ok, [(item.message, item.label) for item in report.items()]
    return plan


def planned(store: Store, source: Any, tmp_path: Path) -> Plan:
    return store.plan(source, tmp_path / f"{len(list(tmp_path.glob('*.plan')))}.plan")


Copying = Callable[..., tuple[Store, CopyingAdapter]]


@pytest.fixture
def copying(tmp_path: Path) -> Iterator[Copying]:
    """Opens a platform that keeps copies of pictures."""
    opened: list[Store] = []

    def open_one(state: str = "state", *, shares: bool = False) -> tuple[Store, CopyingAdapter]:
        adapter = CopyingAdapter(tmp_path / "copying.db", shares=shares)
        opened.append(Store(adapter, Opening(name="copying", state=tmp_path / state)))
        return opened[-1], adapter

    yield open_one
    for store in opened:
        store.close()


def test_files_are_taken_in_and_known_again(store: Store, folder: Path) -> None:
    run(store, folder / "sheet.csv", folder)
    tee = store.products.find("tee")
    assert tee is not None
    assert [item.url.rpartition("/")[2] for item in tee.media] == ["front.png", "back%20side.png"]
    assert all(item.url.startswith("https://local-") for item in tee.media)
    assert planned(store, folder / "sheet.csv", folder).is_empty


def test_an_empty_state_doubles_no_file(store: Store, folder: Path, open_store: OpenStore) -> None:
    run(store, folder / "sheet.csv", folder)
    store.close()
    shutil.rmtree(folder / "state")
    again = open_store()
    assert planned(again, folder / "sheet.csv", folder).is_empty


def test_a_file_with_other_content_takes_the_place_of_the_old_one(
    store: Store, folder: Path
) -> None:
    run(store, folder / "sheet.csv", folder)
    before = store.products.find("tee")
    (folder / "pics" / "front.png").write_bytes(png(9, 9))
    plan = run(store, folder / "sheet.csv", folder)
    assert plan.counts["update"] == 1
    after = store.products.find("tee")
    assert before is not None
    assert after is not None
    assert len(after.media) == 2
    assert {item.id for item in after.media} & {before.media[0].id} == set()
    assert before.media[1].id in {item.id for item in after.media}
    assert planned(store, folder / "sheet.csv", folder).is_empty


@pytest.mark.parametrize("copies", [False, True])
def test_a_file_takes_its_old_place_after_an_undo_too(
    store: Store, folder: Path, copying: Copying, copies: bool
) -> None:
    adapter = None
    if copies:
        store, adapter = copying()

    def named(start: str) -> None:
        if adapter is not None:
            adapter.products.rename = f"{start}-{{name}}"

    run(store, folder / "sheet.csv", folder)
    (folder / "pics" / "front.png").write_bytes(png(9, 9))
    named("second")
    plan = run(store, folder / "sheet.csv", folder)
    named("third")
    assert plan.undo(folder / "undo.plan", store).apply(store).ok
    named("fourth")
    run(store, folder / "sheet.csv", folder)
    tee = store.products.find("tee")
    assert tee is not None
    assert len(tee.media) == 2
    assert planned(store, folder / "sheet.csv", folder).is_empty


def test_a_variant_shows_a_file(store: Store, folder: Path) -> None:
    front = file_url(folder / "pics" / "front.png")
    lone = file_url(folder / "pics" / "back side.png")
    product = Product(
        handle="tee",
        title="Tee",
        media=(Media(url=front, alt="Front"),),
        options=(storebridge.models.Option(name="Size", values=("S", "M")),),
        variants=(
            Variant(sku="S", options=("S",), media=(front,)),
            Variant(sku="M", options=("M",), media=(lone,)),
        ),
    )
    run(store, [product], folder)
    held = store.products.find("tee")
    assert held is not None
    assert held.variants[0].media == (held.media[0].url,)
    assert held.variants[1].media[0].endswith("back%20side.png")
    assert planned(store, [product], folder).is_empty
    (folder / "pics" / "back side.png").write_bytes(png(7, 7))
    assert planned(store, [product], folder).counts["update"] == 1


def test_two_files_of_one_content_are_one_picture(store: Store, folder: Path) -> None:
    (folder / "pics" / "copy.png").write_bytes(png())
    run(store, sheet(folder, "pics/front.png | pics/copy.png"), folder)
    held = store.products.find("tee")
    assert held is not None
    assert len(held.media) == 1
    assert planned(store, folder / "sheet.csv", folder).is_empty


def test_media_plus_adds_a_file_once(store: Store, folder: Path) -> None:
    run(store, sheet(folder, "pics/front.png"), folder)
    run(store, sheet(folder, "pics/back side.png", "media+"), folder)
    held = store.products.find("tee")
    assert held is not None
    assert len(held.media) == 2
    assert planned(store, folder / "sheet.csv", folder).is_empty


def test_a_collection_has_a_file_as_its_picture(store: Store, folder: Path) -> None:
    image = Media(url=file_url(folder / "pics" / "front.png"), alt="All")
    source = [Collection(handle="all", title="All", image=image)]
    run(store, source, folder)
    held = store.collections.find("all")
    assert held is not None
    assert held.image is not None
    assert held.image.url.startswith("https://local-")
    assert planned(store, source, folder).is_empty


def test_a_picture_changed_between_plan_and_apply_is_refused(store: Store, folder: Path) -> None:
    plan = planned(store, folder / "sheet.csv", folder)
    path = folder / "pics" / "front.png"
    stat = path.stat()
    path.write_bytes(png(red=100))
    assert path.stat().st_size == stat.st_size
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    report = plan.apply(store)
    (item,) = report.items()
    assert (item.status, item.cause) == ("skipped", "picture")
    assert "front.png was changed since the plan" in item.message
    assert store.products.find("tee") is None


def test_a_picture_gone_before_apply_is_refused(store: Store, folder: Path) -> None:
    plan = planned(store, folder / "sheet.csv", folder)
    (folder / "pics" / "front.png").unlink()
    (item,) = plan.apply(store).items()
    assert (item.status, item.cause) == ("skipped", "picture")
    assert "can't be read" in item.message


def test_undo_of_an_added_file_takes_it_out(store: Store, folder: Path) -> None:
    run(store, sheet(folder, "pics/front.png"), folder)
    plan = run(store, sheet(folder, "pics/front.png | pics/back side.png"), folder)
    undo = plan.undo(folder / "undo.plan", store)
    assert list(undo.skipped()) == []
    assert undo.apply(store).ok
    held = store.products.find("tee")
    assert held is not None
    assert [item.url.rpartition("/")[2] for item in held.media] == ["front.png"]


def test_a_store_gives_its_files_to_another_one(
    store: Store, folder: Path, open_store: OpenStore
) -> None:
    run(store, folder / "sheet.csv", folder)
    other = open_store("other")
    run(other, store, folder)
    held, first = other.products.find("tee"), store.products.find("tee")
    assert held is not None
    assert first is not None
    assert [m.content_hash for m in held.media] == [m.content_hash for m in first.media]
    assert held.media[0].url != first.media[0].url
    assert planned(other, store, folder).is_empty


def test_direct_writes_take_files_in(store: Store, folder: Path) -> None:
    url = file_url(folder / "pics" / "front.png")
    store.products.create(Product(handle="tee", title="Tee", media=(Media(url=url),)))
    held = store.products.find("tee")
    assert held is not None
    assert held.media[0].url.endswith("/front.png")


# ------------------------------------------------------------ a platform that keeps copies


def listed(*urls: str, handle: str = "tee", **fields: object) -> Product:
    media = tuple(Media(url=url) for url in urls)
    return Product.model_validate({"handle": handle, "title": handle, "media": media, **fields})


def test_copies_are_known_by_their_sources(copying: Copying, tmp_path: Path) -> None:
    store, adapter = copying()
    run(store, [listed(A, B)], tmp_path)
    assert adapter.products.uploads == [A, B]
    assert planned(store, [listed(A, B)], tmp_path).is_empty
    run(store, [listed(A, B, "https://src.example/c.jpg")], tmp_path)
    assert adapter.products.uploads == [A, B, "https://src.example/c.jpg"]


def test_what_comes_back_from_another_shop_is_known_by_its_name(
    copying: Copying, tmp_path: Path
) -> None:
    store, adapter = copying()
    run(store, [listed(A, B)], tmp_path)
    there = [url.replace("src.example", "other.example") for url in (A, B)]
    assert planned(store, [listed(*there)], tmp_path).is_empty
    mixed = listed(A, there[1], modes={"media": "replace"})
    assert planned(store, [mixed], tmp_path).is_empty
    newer = A.replace("https://src.example/", "https://src.example/2027/")
    changes = planned(store, [listed(newer, there[1])], tmp_path).changes()
    assert f"media[{newer}]" in {path for each in changes for path, _, _ in each.fields}
    adapter.products.uploads.clear()
    new = "https://src.example/c.jpg"
    run(store, [listed(new, *there)], tmp_path)
    run(store, [Product(handle="tee", media=(Media(url=there[0], alt="Front"),))], tmp_path)
    assert adapter.products.uploads == [new]


def test_alt_text_of_a_copy_changes_without_an_upload(copying: Copying, tmp_path: Path) -> None:
    store, adapter = copying()
    run(store, [listed(A)], tmp_path)
    adapter.products.uploads.clear()
    run(store, [Product(handle="tee", media=(Media(url=A, alt="Front"),))], tmp_path)
    held = store.products.find("tee")
    assert held is not None
    assert [item.alt for item in held.media] == ["Front"]
    assert adapter.products.uploads == []


def test_replacing_takes_out_what_the_source_lacks(copying: Copying, tmp_path: Path) -> None:
    store, adapter = copying()
    run(store, [listed(A, B)], tmp_path)
    adapter.products.uploads.clear()
    run(store, [listed(B, modes={"media": "replace"})], tmp_path)
    held = store.products.find("tee")
    assert held is not None
    assert [item.url for item in held.media] == ["https://shop.example/files/b.jpg"]
    assert adapter.products.uploads == []


def test_with_an_empty_state_copies_are_known_by_their_names(
    copying: Copying, tmp_path: Path
) -> None:
    store, adapter = copying()
    adapter.products.rename = "{name}-3fa9c1d2ab-1-scaled"
    run(store, [listed(A, B)], tmp_path)
    other, again = copying("other-state")
    assert planned(other, [listed(A, B)], tmp_path).is_empty
    again.products.rename = "{name}"
    run(other, [listed(A, B, "https://src.example/c.jpg")], tmp_path)
    assert again.products.uploads == ["https://src.example/c.jpg"]


def test_with_an_empty_state_unknown_copies_are_left_alone(
    copying: Copying, tmp_path: Path
) -> None:
    store, adapter = copying()
    adapter.products.rename = "{hash}"
    run(store, [listed(A, B)], tmp_path)
    other, _ = copying("other-state")
    plan = planned(other, [listed(A, B)], tmp_path)
    assert plan.is_empty
    (warning,) = plan.warnings()
    assert "tee" in warning
    assert "left alone" in warning
    plan = planned(
        other, [Product.model_validate({"handle": "tee", "media+": [{"url": A}]})], tmp_path
    )
    assert plan.counts["update"] == 1


def test_a_picture_that_only_a_variant_shows_is_known_too(copying: Copying, tmp_path: Path) -> None:
    store, _ = copying()
    source = [Product(handle="tee", title="Tee", variants=(Variant(sku="T", media=(A,)),))]
    run(store, source, tmp_path)
    held = store.products.find("tee")
    assert held is not None
    assert held.variants[0].media == ("https://shop.example/files/a.jpg",)
    assert planned(store, source, tmp_path).is_empty


def test_each_product_has_copies_of_its_own(copying: Copying, tmp_path: Path) -> None:
    store, adapter = copying()
    run(store, [listed(A), listed(A, handle="cap")], tmp_path)
    assert adapter.products.uploads == [A, A]
    assert planned(store, [listed(A), listed(A, handle="cap")], tmp_path).is_empty


def test_shared_media_are_uploaded_once_per_store(copying: Copying, tmp_path: Path) -> None:
    store, adapter = copying(shares=True)
    run(store, [listed(A)], tmp_path)
    plan = planned(store, [listed(A, handle="cap")], tmp_path)
    (change,) = plan.changes()
    media = {path: after for path, _, after in change.fields}["media"]
    held = store.products.find("tee")
    assert held is not None
    assert [item["id"] for item in media] == [held.media[0].id]
    assert adapter.products.uploads == [A]


def test_one_source_may_have_become_several_shared_media(copying: Copying, tmp_path: Path) -> None:
    store, _ = copying(shares=True)
    run(store, [listed(A), listed(A, handle="cap")], tmp_path)
    tee, cap = store.products.find("tee"), store.products.find("cap")
    assert tee is not None
    assert cap is not None
    assert tee.media[0].id != cap.media[0].id  # both were new when their batch was sent
    assert planned(store, [listed(A), listed(A, handle="cap")], tmp_path).is_empty


def test_an_upload_before_a_failure_is_not_made_again(copying: Copying, tmp_path: Path) -> None:
    store, adapter = copying(shares=True)
    run(store, [listed()], tmp_path)
    plan = planned(store, [listed(A)], tmp_path)
    adapter.products.fails_with = {f"url:{A}": "77"}
    assert plan.apply(store).counts["failed"] == 1
    plan.apply(store, retry_failed=True)
    first, again = adapter.products.sent[-2:]
    assert (first.media[0].id, again.media[0].id) == ("", "77")


def test_what_a_platform_refuses_about_a_picture_is_in_the_fit_report(
    copying: Copying, tmp_path: Path
) -> None:
    store, _ = copying()
    (tmp_path / "large.png").write_bytes(png(11, 10))
    plan = planned(store, [listed(file_url(tmp_path / "large.png"))], tmp_path)
    (fit,) = plan.fit()
    assert (fit.field, fit.source) == ("media", "docs")
    assert "11 x 10 pixels are more than 100" in fit.message


def test_a_broken_picture_stops_the_plan(store: Store, folder: Path) -> None:
    (folder / "pics" / "front.png").write_bytes(png()[:-20])
    with pytest.raises(SourceError, match=r"row 2.*damaged or cut off"):
        planned(store, folder / "sheet.csv", folder)
