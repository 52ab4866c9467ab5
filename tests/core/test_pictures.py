"""Picture files: where a path may lead, what a file is, what is made of it."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from storebridge.errors import ConfigError, SourceError
from storebridge.formats import Context, Sourced, read
from storebridge.models import Collection, Media, Product
from storebridge.models.checks import problems
from storebridge.pictures import BadPicture, Pictures, examine
from storebridge.state import StoreState
from storebridge.store import Store
from storebridge.wire import local_file
from tests.pictures import png

GPS = 0x8825


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StoreState]:
    with StoreState("shop", tmp_path / "state") as state:
        yield state


def opened(path: Path) -> Image.Image:
    return Image.open(io.BytesIO(path.read_bytes()))


def picture(kind: str, width: int = 40, height: int = 20, **options: Any) -> bytes:
    image = Image.new("RGB", (width, height), "red")
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


# ---------------------------------------------------------------------------- paths in files


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///a/b%20c.jpg", "/a/b c.jpg"),
        ("FILE://localhost/a%23b.jpg", "/a#b.jpg"),
        ("file:///C:/x/y.png", "C:/x/y.png"),
        ("file://server/share/x.png", "//server/share/x.png"),
        ("https://shop.example/a.jpg", None),
        ("file:a.jpg", None),
        ("file:///a%00.jpg", None),
        ("", None),
    ],
)
def test_a_file_url_names_a_path(url: str, path: str | None) -> None:
    assert local_file(url) == (None if path is None else Path(path))


def sheet(folder: Path, cell: str) -> Path:
    path = folder / "sheet.csv"
    path.write_text(f"handle,title,media\ntee,Tee,{cell}\n", "utf-8")
    return path


def media_of(path: Path, **context: Any) -> list[str]:
    found = []
    for item in read(path, Context(**context)):
        if not isinstance(item, Sourced):
            raise SourceError([item])
        assert isinstance(item.record, Product)
        found += [each.url for each in item.record.media]
    return found


def test_a_path_is_seen_from_the_files_own_folder(tmp_path: Path) -> None:
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "a b.png").write_bytes(png())
    expected = [(tmp_path / "pics" / "a b.png").resolve().as_uri()]
    assert media_of(sheet(tmp_path, "pics/a b.png")) == expected
    assert media_of(sheet(tmp_path, "pics\\a b.png")) == expected
    assert media_of(sheet(tmp_path, "./pics/../pics/a b.png")) == expected


def test_a_named_folder_takes_the_place_of_the_files_own(tmp_path: Path) -> None:
    named = tmp_path / "named"
    named.mkdir()
    (named / "a.png").write_bytes(png())
    (tmp_path / "a.png").write_bytes(png())
    expected = [(named / "a.png").resolve().as_uri()]
    assert media_of(sheet(tmp_path, "a.png"), pictures=str(named)) == expected
    assert media_of(sheet(tmp_path, str(named / "a.png")), pictures=str(named)) == expected
    assert media_of(sheet(tmp_path, expected[0]), pictures=str(named)) == expected


@pytest.mark.parametrize(
    "cell", ["../secret.png", "a/../../secret.png", "link.png", "..\\secret.png"]
)
def test_a_path_leads_out_of_the_folder_by_no_way(tmp_path: Path, cell: str) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(SourceError, match=r"row 2, column 'media': The path leads out"):
        media_of(sheet(folder, cell))


def test_an_absolute_path_needs_a_folder_that_somebody_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    for cell in (str(tmp_path / "a.png"), (tmp_path / "a.png").as_uri(), "C:\\pics\\a.png"):
        with pytest.raises(SourceError, match=r"An absolute path .* --pictures FOLDER"):
            media_of(sheet(tmp_path, cell))
    outside = tmp_path / "other"
    outside.mkdir()
    with pytest.raises(SourceError, match="leads out of the folder"):
        media_of(sheet(tmp_path, str(tmp_path / "a.png")), pictures=str(outside))


def test_a_file_that_is_not_there_is_told_with_its_cell(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"There is no such file .*\('www.example/a.jpg'\)"):
        media_of(sheet(tmp_path, "www.example/a.jpg"))


def test_every_table_takes_paths(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    url = (tmp_path / "a.png").resolve().as_uri()
    shopify = tmp_path / "shopify.csv"
    shopify.write_text("Handle,Title,Image Src,Variant SKU,Variant Image\ntee,Tee,a.png,T,a.png\n")
    woo = tmp_path / "woo.csv"
    woo.write_text(
        "Type,SKU,Name,Published,Images,Parent,Attribute 1 name,Attribute 1 value(s)\n"
        'variable,T,Tee,1,a.png,,Size,"S, M"\nvariation,T-S,Tee,1,a.png,T,Size,S\n'
    )
    lines = tmp_path / "lines.jsonl"
    lines.write_text(
        '{"storebridge": "jsonl", "version": 1, "store": ""}\n'
        '{"kind": "product", "handle": "tee", "media": [{"url": "a.png"}],'
        ' "variants": [{"sku": "T", "media": ["a.png"]}]}\n'
        '{"kind": "collection", "handle": "all", "image": {"url": "a.png"}}\n'
    )
    for path in (shopify, woo, lines):
        records = [i.record for i in read(path, Context(currency="EUR")) if isinstance(i, Sourced)]
        (product,) = (record for record in records if isinstance(record, Product))
        assert [each.url for each in product.media] == [url], path.name
        assert [variant.media for variant in product.variants] == [(url,)], path.name
    (collection,) = (record for record in records if isinstance(record, Collection))
    assert collection.image is not None
    assert collection.image.url == url


def test_records_in_memory_name_files_by_their_whole_address(tmp_path: Path) -> None:
    bad = Product(media=(Media(url="a.png"),))
    assert [finding.path for finding in problems(bad)] == ["media.0.url"]
    assert list(problems(Product(media=(Media(url=(tmp_path / "a.png").as_uri()),)))) == []


# ------------------------------------------------------------------------------ what a file is


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "webp", "avif", "bmp"])
def test_a_picture_is_known_by_its_content(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "name.txt"
    path.write_bytes(picture(kind))
    found = examine(path)
    assert (found.kind, found.width, found.height) == (kind, 40, 20)
    assert found.size == path.stat().st_size


def test_webp_of_all_three_kinds_says_its_size(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    for options in ({"lossless": True}, {"exif": Image.Exif()}, {"icc_profile": b"x" * 8}):
        path.write_bytes(picture("webp", 300, 7, **options))
        assert (examine(path).width, examine(path).height) == (300, 7)


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "webp"])
def test_a_picture_that_is_cut_off_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    whole = picture(kind, 200, 200)
    for length in (30, len(whole) // 2, len(whole) - 4):
        path.write_bytes(whole[:length])
        with pytest.raises(BadPicture, match="damaged or cut off"):
            examine(path)


@pytest.mark.parametrize("content", [b"", b"<html>", b"<svg/>", b"%PDF-1.4", b"\0" * 99])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(BadPicture, match="no picture that shops take"):
        examine(path)


def test_a_picture_that_claims_too_many_pixels_is_refused(tmp_path: Path) -> None:
    bomb = bytearray(png())
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    path = tmp_path / "bomb.png"
    path.write_bytes(bytes(bomb))
    with pytest.raises(BadPicture, match="60000 x 60000 pixels"):
        examine(path)


def test_any_bytes_are_a_picture_or_refused(tmp_path: Path) -> None:
    import random

    chance = random.Random(7)
    path = tmp_path / "a"
    wholes = [picture(kind) for kind in ("jpeg", "png", "gif", "webp", "avif", "bmp", "tiff")]
    for number in range(400):
        content = bytearray(wholes[number % len(wholes)])
        for _ in range(chance.randint(1, 6)):
            content[chance.randrange(min(60, len(content)))] = chance.randrange(256)
        path.write_bytes(bytes(content[: chance.randint(1, len(content))]))
        try:
            examine(path)
        except BadPicture:
            continue


# ----------------------------------------------------------------------------- what is made of it


def ready(state: StoreState, path: Path, **wanted: Any) -> tuple[Path, Image.Image]:
    pictures = Pictures(state, **wanted)
    found = pictures.ready(path.as_uri()).path
    pictures.flush()
    return found, opened(found)


def test_a_large_picture_is_made_smaller_and_of_another_kind(
    state: StoreState, tmp_path: Path
) -> None:
    path = tmp_path / "Große Ansicht.png"
    path.write_bytes(picture("png", 400, 100))
    found, image = ready(state, path, most=200, kind="webp")
    assert (image.format, image.size) == ("WEBP", (200, 50))
    assert found.name == "Große-Ansicht.webp"
    assert found.is_relative_to(tmp_path / "state" / "pictures")
    assert found.parent.name == examine(found).digest
    small, _ = ready(state, path, most=500)
    assert small == path


def test_turning_is_applied_and_the_place_forgotten(state: StoreState, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif.get_ifd(GPS)[1] = "N"
    exif.get_ifd(GPS)[2] = (52.0, 31.0, 12.0)
    path = tmp_path / "phone.jpg"
    path.write_bytes(picture("jpeg", 300, 100, exif=exif, comment=b"canary", xmp=b"canary"))
    assert dict(opened(path).getexif().get_ifd(GPS))
    for kind in ("keep", "jpeg", "png", "webp", "avif"):
        found, image = ready(state, path, most=90, kind=kind)
        assert image.size == (30, 90), kind
        assert not image.getexif(), kind
        assert b"canary" not in found.read_bytes(), kind


def test_transparency_becomes_white_in_jpeg_only(state: StoreState, tmp_path: Path) -> None:
    path = tmp_path / "clear.png"
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(path)
    _, jpeg = ready(state, path, kind="jpeg")
    assert jpeg.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
    _, webp = ready(state, path, kind="webp")
    assert webp.mode == "RGBA"
    palette = tmp_path / "palette.gif"
    image = Image.new("P", (4, 4), 0)
    image.putpalette((255, 0, 0, 0, 255, 0))
    image.putpixel((1, 1), 1)
    image.save(palette, transparency=0)
    assert ready(state, palette, kind="webp")[1].mode == "RGBA"


def test_a_moving_picture_stays_as_it_is(state: StoreState, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (40, 40), color) for color in ("red", "blue")]
    path = tmp_path / "moving.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert ready(state, path, most=10, kind="webp")[0] == path


def test_a_name_that_lies_about_the_kind_is_corrected(state: StoreState, tmp_path: Path) -> None:
    path = tmp_path / "shirt.jpg"
    path.write_bytes(png())
    found, image = ready(state, path)
    assert (found.name, image.format) == ("shirt.png", "PNG")
    assert path.read_bytes() == found.read_bytes()


def test_a_made_picture_is_not_made_again(
    state: StoreState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(picture("png"))
    first, _ = ready(state, path, most=10)
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert Pictures(state, most=10, sure=True).ready(path.as_uri()).path == first
    first.write_bytes(b"spoilt")
    with pytest.raises(ConfigError, match=r"pip install 'storebridge\[pictures\]'"):
        Pictures(state, most=10).ready(path.as_uri())


def test_files_are_read_once_while_they_stay_as_they_are(
    state: StoreState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png())
    ready(state, path)
    monkeypatch.setattr("storebridge.pictures.examine", lambda _path: pytest.fail("read again"))
    Pictures(state).ready(path.as_uri())
    with pytest.raises(pytest.fail.Exception):
        Pictures(state, sure=True).ready(path.as_uri())


def test_apply_uploads_what_was_made(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "front.png"
    path.write_bytes(picture("png", 400, 100))
    product = Product(handle="tee", title="Tee", media=(Media(url=path.as_uri()),))
    options: dict[str, Any] = {"pictures_max": "200", "pictures_as": "webp"}
    plan = store.plan([product], tmp_path / "a.plan", **options)
    assert plan.apply(store).ok
    held = store.products.find("tee")
    assert held is not None
    assert held.media[0].url.endswith("/front.webp")
    there = local_file(store.adapter.picture(held.media[0].url))
    assert there is not None
    assert opened(there).size == (200, 50)
    assert store.plan([product], tmp_path / "b.plan", **options).is_empty


def test_options_for_pictures_are_checked(store: Store, tmp_path: Path) -> None:
    for options, message in (
        ({"pictures_as": "gif"}, "none of: keep, jpeg, png, webp, avif"),
        ({"pictures_max": "big"}, "no number of pixels"),
    ):
        with pytest.raises(ConfigError, match=message):
            store.plan([], tmp_path / "a.plan", **options)
