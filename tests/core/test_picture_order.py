"""The order of pictures: planned where the named ones follow each other otherwise, and nowhere."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from storebridge.adapter import Field
from storebridge.compare import changed_paths, diff
from storebridge.flow import Status
from storebridge.models import Media, Product, Variant
from storebridge.plan import Plan
from storebridge.store import Store
from tests.pictures import png

SITE = "https://src.example/"


def media(names: str, **given: Any) -> tuple[Media, ...]:
    return tuple(Media(url=f"{SITE}{name}.jpg", **given) for name in names)


def tee(names: str, **given: Any) -> Product:
    return Product(handle="tee", title="Tee", media=media(names), **given)


def order(store: Store) -> str:
    found = store.products.find("tee")
    assert found is not None
    assert [item.position for item in found.media] == list(range(1, len(found.media) + 1))
    return "".join(item.url.rpartition("/")[2][0] for item in found.media)


def planned(store: Store, source: Any, tmp_path: Path, **options: Any) -> Plan:
    path = tmp_path / f"{len(list(tmp_path.glob('*.plan')))}.plan"
    return store.plan(source, path, **options)


def run(store: Store, source: Any, tmp_path: Path, **options: Any) -> Plan:
    plan = planned(store, source, tmp_path, **options)
    report = plan.apply(store)
    assert report.ok, [(item.message, item.label) for item in report.items()]
    assert planned(store, source, tmp_path, **options).is_empty
    return plan


@pytest.mark.parametrize(
    ("held", "named", "after"),
    [
        ("abc", "cba", "cba"),
        ("abc", "ca", "cba"),
        ("abcd", "db", "adcb"),
        ("ab", "xab", "xab"),
        ("abc", "axb", "axbc"),
        ("abc", "xc", "abxc"),
        ("abc", "bxa", "bxac"),
    ],
)
def test_named_pictures_come_in_their_order(
    store: Store, tmp_path: Path, held: str, named: str, after: str
) -> None:
    run(store, [tee(held)], tmp_path)
    plan = run(store, [tee(named)], tmp_path)
    assert plan.counts["update"] == 1
    assert order(store) == after
    plan.undo(tmp_path / "undo.plan", store).apply(store)
    assert order(store) == held


@pytest.mark.parametrize("named", ["ac", "bc", "b", "abcx", "cx", "ax"])
def test_a_list_that_names_some_says_nothing_of_the_others(
    store: Store, tmp_path: Path, named: str
) -> None:
    run(store, [tee("abc")], tmp_path)
    plan = planned(store, [tee(named)], tmp_path)
    assert [path for change in plan.changes() for path in _positions(change)] == []
    assert plan.apply(store).ok
    assert order(store) == ("abcx" if "x" in named else "abc")


def _positions(change: Any) -> list[str]:
    return [path for path, _, _ in change.fields if path.endswith("position")]


def test_numbers_mean_nothing_but_an_order(store: Store, tmp_path: Path) -> None:
    run(store, [tee("abc")], tmp_path)
    far = [
        item.model_copy(update={"position": n})
        for n, item in zip((7, 20, 99), media("abc"), strict=True)
    ]
    assert planned(store, [Product(handle="tee", media=tuple(far))], tmp_path).is_empty
    back = [
        item.model_copy(update={"position": n})
        for n, item in zip((9, 8, 7), media("abc"), strict=True)
    ]
    run(store, [Product(handle="tee", media=tuple(back))], tmp_path)
    assert order(store) == "cba"


def test_a_replacing_list_has_the_order_of_the_source(store: Store, tmp_path: Path) -> None:
    run(store, [tee("abc")], tmp_path)
    run(store, [tee("cxa", modes={"media": "replace"})], tmp_path)
    assert order(store) == "cxa"


def test_added_pictures_come_last_and_move_nothing(store: Store, tmp_path: Path) -> None:
    run(store, [tee("abc")], tmp_path)
    run(store, [Product(handle="tee", media_add=media("x"))], tmp_path)
    assert order(store) == "abcx"


SHEETS = {
    "own.csv": "handle,media\ntee,{c} | {a}\n",
    "shopify.csv": "Handle,Title,Image Src,Image Position\ntee,Tee,{a},2\ntee,,{c},1\n",
    "woo.csv": 'Type,SKU,Name,Images\nsimple,T,Tee,"{c}, {a}"\n',
    "products.jsonl": '{{"storebridge":"jsonl","version":1,"store":""}}\n'
    '{{"kind":"product","handle":"tee","media":[{{"url":"{c}"}},{{"url":"{a}"}}]}}\n',
}


@pytest.mark.parametrize("name", SHEETS)
def test_a_list_in_a_file_is_an_order(store: Store, tmp_path: Path, name: str) -> None:
    run(store, [tee("abc", variants=(Variant(sku="T"),))], tmp_path)
    places = {one: f"{SITE}{one}.jpg" for one in "ac"}
    (tmp_path / name).write_text(SHEETS[name].format(**places), encoding="utf-8")
    run(store, tmp_path / name, tmp_path)
    assert order(store) == "cba"


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_changed_file_takes_the_place_of_the_old_one(
    store: Store, tmp_path: Path, place: int
) -> None:
    for number, name in enumerate("abc"):
        (tmp_path / f"{name}.png").write_bytes(png(number + 1))
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("handle,title,media\ntee,Tee,a.png | b.png | c.png\n")
    run(store, sheet, tmp_path)
    (tmp_path / f"{'abc'[place]}.png").write_bytes(png(9, 9))
    sheet.write_text(f"handle,media\ntee,{'abc'[place]}.png\n")
    run(store, sheet, tmp_path)
    assert order(store) == "abc"


def test_a_platform_without_an_order_plans_none(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store, [tee("abc")], tmp_path)
    fields = store.adapter.records("product").fields
    monkeypatch.setitem(fields, "media.position", Field(write=False))
    assert planned(store, [tee("cba")], tmp_path).is_empty


def test_any_order_is_reached_in_one_write(store: Store) -> None:
    chance = random.Random(7)
    store.products.create(tee("abcdef"))
    for _ in range(40):
        held = order(store)
        names = chance.sample(held + "".join(set("ghijkl") - set(held)), chance.randint(1, 5))
        outcome = store.products.update(tee("".join(names)))
        assert outcome.status in (Status.APPLIED, Status.UNCHANGED), outcome.message
        now = order(store)
        assert [name for name in now if name in names] == names
        others = [name for name in held if name not in names]
        assert [name for name in now if name in others] == others
        if len(now) > 9:
            store.products.update(tee(now[:4], modes={"media": "replace"}))


def places(wanted: str, numbers: Sequence[int | None], live: str) -> list[str]:
    pairs = zip(media(wanted), numbers, strict=True)
    asked = (m.model_copy(update={"position": n}) for m, n in pairs)
    held = (m.model_copy(update={"position": n}) for n, m in enumerate(media(live), 1))
    return changed_paths(Product, diff(Product(media=tuple(asked)), Product(media=tuple(held))))


def test_a_picture_without_a_place_says_nothing_of_the_order() -> None:
    assert places("cba", (None, None, None), "abc") == []
    assert places("cba", (1, None, 2), "abc") != []
    assert places("cba", (3, None, 2), "abc") == []


def test_pictures_that_are_named_by_their_ids_alone_change_places() -> None:
    """As a plan sends them: the number that each one gets is the one that another had there."""
    live = Product(id="1", media=tuple(Media(id=f"m{n}", position=n) for n in (1, 2, 3)))
    places = (("m3", 1), ("m1", 2), ("m2", 3))
    wanted = Product(media=tuple(Media(id=name, position=place) for name, place in places))
    assert changed_paths(Product, diff(wanted, live))
